//! Tests of the engine with real parts, and the crash explorer.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod attempt;
mod bridges;
mod counted;
mod crowd;
mod explorer;
mod judged;
mod needs_aiosmtpd;
mod needs_postgres;
mod needs_prometheus;
mod needs_sshd;
mod needs_synapse;
mod real;
mod sshd;
