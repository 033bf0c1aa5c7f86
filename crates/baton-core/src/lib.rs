//! The rules of Baton: text and facts in, decisions out.
//!
//! Nothing here does I/O, reads a clock or draws a random number; time and
//! facts are arguments, and every decision is a value that carries its reasons.
//! Modules are listed in reading order.

pub mod id;

pub mod diag;

pub mod time;

pub mod parity;

pub mod watch;

pub mod forecast;

pub mod handoff;

pub mod event;

pub mod ledger;

pub mod gate;

pub mod run;

pub mod review;

pub mod bridge;
