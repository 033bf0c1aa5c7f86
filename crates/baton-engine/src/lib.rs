//! baton-engine

pub mod metrics;
