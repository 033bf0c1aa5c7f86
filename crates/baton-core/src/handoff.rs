//! The two files of a handoff, and what they come to.
//!
//! `contract` and `runbook` are what people wrote, read into typed values;
//! `plan` is both resolved for one environment, with every reference checked.

mod yaml;

mod read;

mod names;
mod shell;

pub mod contract;
mod forms;
mod hours;
mod stands_for;
pub(crate) mod waiver;

mod bridges;
mod check;
mod parse;
mod variables;

pub mod edit;

pub mod draft;
pub mod schema;

pub mod plan;
pub mod runbook;

#[cfg(test)]
mod tests;
