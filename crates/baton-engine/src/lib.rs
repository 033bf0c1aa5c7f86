//! The only crate that touches hosts, processes, clocks, randomness and metrics.
//!
//! [`world::World`] is the complete list of what Baton can do to the world, and
//! [`drive`] the one loop that does it: ask the core what is next, record the
//! intent, act, record the outcome.

pub mod world;

pub mod drive;

pub mod real;

pub mod shell;

pub mod secret;

pub mod release;

pub mod calendar;

pub mod metrics;

pub mod collect;

pub mod failure;

pub mod desk;

pub mod bridges;
