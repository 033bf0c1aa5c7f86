//! Where the judge's counts come from. Nothing here judges them.
//!
//! [`prober::Prober`] asks everything the judge wants to know, each in a thread
//! and rhythm of its own. What is asked is either an event that Baton makes itself
//! ([`probe`]: an answer, or none), or counters that others keep and that only
//! grow ([`prometheus`], [`counter`]): of those the differences are taken. What
//! cannot be read is told as such, and is never 0. [`learn()`] asks what the time
//! before a watch teaches.

pub mod counter;
pub mod probe;
pub mod prober;
pub mod prometheus;

mod learn;

use baton_core::watch::{Counts, Detail, Sample};

pub use learn::learn;

/// Which side of the comparison a host is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Arm {
    /// The change is in.
    Canary,
    /// The change is not in.
    Control,
}

/// How many times fell between which bounds.
#[derive(Clone, Debug, PartialEq)]
pub struct Times {
    /// The upper bounds of the buckets but the last, rising, in milliseconds.
    pub bounds: Vec<f64>,
    /// How many fell into each; one more than there are bounds.
    pub counts: Vec<u64>,
}

/// What was seen on one side since the last reading.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    /// Bad ones, and all.
    pub counts: Counts,
    /// How long they took, of a measure of times.
    pub times: Option<Times>,
}

impl Reading {
    /// The same as a part of an interval, seen on this side.
    fn sample(self, arm: Arm) -> Sample {
        let nothing = |times: &Times| vec![0; times.counts.len()];
        match arm {
            Arm::Canary => Sample {
                detail: self.times.map(|times| Detail::Histogram {
                    bounds: times.bounds,
                    canary: times.counts,
                    control: Vec::new(),
                }),
                ..Sample::of(self.counts, None)
            },
            Arm::Control => Sample {
                detail: self.times.map(|times| Detail::Histogram {
                    canary: nothing(&times),
                    bounds: times.bounds,
                    control: times.counts,
                }),
                ..Sample::of(Counts::default(), Some(self.counts))
            },
        }
    }
}

/// What a counter gained; one that fell has begun anew at 0.
fn gained(before: f64, now: f64) -> f64 {
    if now >= before { now - before } else { now }
}

#[cfg(test)]
mod tests;
