//! Tests of the engine with real parts, and the crash explorer.

#![expect(clippy::unwrap_used, reason = "a helper of a test may fail the test")]

mod attempt;
mod explorer;
mod real;
