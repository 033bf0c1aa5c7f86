//! Tests of the engine with real parts, and the crash explorer.

mod attempt;
mod explorer;
mod real;
