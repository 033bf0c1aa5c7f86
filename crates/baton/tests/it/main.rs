//! The real binary in a world of its own: no home, no git, no colour, no clock
//! but the machine's.

#![expect(clippy::unwrap_used, reason = "a helper of a test may fail the test")]

mod env;

mod bridges;

mod edge;

mod gate;

mod init;

mod lint;

mod look;

mod needs_prometheus;

mod record;

mod room;

mod run;

mod scarce;

mod serve;

mod terminal;

mod watched;
