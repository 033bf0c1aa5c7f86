//! Development only: a world that forgets nothing and can be crashed anywhere.
//!
//! [`sim`] stands in for hosts, people and the clock; [`fault`] loses touch with
//! ledger and world at a chosen point; [`explore`] runs a small plan with a
//! crash before and after every effect and checks what must always hold.

pub mod fault;

pub mod plans;

pub mod sim;

pub mod explore;
pub mod odd;
