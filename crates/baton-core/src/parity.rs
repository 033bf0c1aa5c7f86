//! Does what we tested mirror what will run?
//!
//! Facts of a host become a [`Fingerprint`] of its environment; comparing
//! fingerprints gives [`Difference`]s, each of which says where every value
//! stands. What could not be read is a [`NotCollected`], never equality.
//! Collecting is the engine's work, waiving is the gate's; neither happens here.

pub mod fact;
pub mod secret;

pub mod matcher;
pub mod typed;

pub mod doc;
pub mod fingerprint;
pub mod http;
mod layers;
pub mod noise;
pub mod output;
pub mod sheet;

pub mod risk;

pub mod compare;
pub mod round_trip;
pub mod twice;

pub use compare::{
    Comparison, Difference, Environment, Kind, NotCollected, compare, compare_environments,
    compare_hosts,
};
pub use fact::{Class, Collector, Fact, FactName, Value};
pub use fingerprint::{Fingerprint, HostFacts, LayerStatus};
pub use matcher::{Is, Pattern, Rule};
pub use risk::Risk;
pub use round_trip::{Mark, RoundTrip};
pub use sheet::Sheet;
