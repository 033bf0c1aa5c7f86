//! Does what we tested mirror what will run?
//!
//! Facts of a host become a [`Fingerprint`] of its environment; what
//! could not be read is told by a [`LayerStatus`].
//! Collecting is the engine's work, waiving is the gate's; neither happens here.

pub mod fact;
pub mod secret;

pub mod matcher;

pub mod fingerprint;
pub mod output;

pub use fact::{Class, Collector, Fact, FactName, Value};
pub use fingerprint::{Fingerprint, HostFacts, LayerStatus};
pub use matcher::{Is, Pattern, Rule};
