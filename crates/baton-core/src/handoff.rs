//! The two files of a handoff, and what they come to.
//!
//! `contract` and `runbook` are what people wrote, read into typed values;
//! `plan` is both resolved for one environment, with every reference checked.

pub mod contract;
pub mod plan;
pub mod runbook;
