//! The real binary in a world of its own: no home, no git, no colour, no clock
//! but the machine's.

#![expect(clippy::unwrap_used, reason = "a helper of a test may fail the test")]

mod env;

mod gate;

mod init;

mod lint;

mod look;

mod record;

mod run;

mod scarce;

mod watched;
