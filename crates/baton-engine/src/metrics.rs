//! Where the judge's counts come from. Nothing here judges them.
//!
//! [`prober::Prober`] asks everything the judge wants to know, each in a thread
//! and rhythm of its own. What is asked is either an event that Baton makes itself
//! ([`probe`]: an answer, or none), or counters that others keep and that only
//! grow ([`prometheus`], [`counter`], [`postgres`]): of those the differences are
//! taken. A level ([`counter`]) is taken as it is. What cannot be read, or is dated
//! far from now, is told as such, and is never 0. [`learn()`] asks what the time
//! before a watch teaches.

pub mod counter;
pub mod postgres;
pub mod probe;
pub mod prober;
pub mod prometheus;

mod learn;

use baton_core::watch::{Counts, Detail, Level, Sample, Trouble};
use jiff::Timestamp;

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
    /// How high it is, of a gauge.
    pub level: Option<Level>,
}

impl Reading {
    /// The same as a part of an interval, seen on this side.
    fn sample(self, arm: Arm) -> Sample {
        let nothing = |times: &Times| vec![0; times.counts.len()];
        if let Some(level) = self.level {
            let (canary, control) = match arm {
                Arm::Canary => (level, None),
                Arm::Control => (Level::default(), Some(level)),
            };
            return Sample {
                detail: Some(Detail::Gauge { canary, control }),
                ..Sample::default()
            };
        }
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

/// How far a clock may be off: less than the shortest time in which anything is
/// judged, more than clocks drift that anybody looks after.
const SKEW_MOST_S: i64 = 30;

/// How far the clock is off, at the least, that wrote this `Date` (RFC 9110, section
/// 6.6.1: the second in which an answer was made) between two moments of ours, if
/// that is too far. An old answer that somebody kept looks the same, and says as
/// little of now.
fn skew(date: Option<&str>, asked: Timestamp, answered: Timestamp) -> Option<i64> {
    let date = jiff::fmt::rfc2822::parse(date?).ok()?;
    let date = date.timestamp().as_second();
    let ahead = (date - answered.as_second()).max(0);
    let behind = (asked.as_second() - date - 1).max(0);
    let seconds = ahead - behind;
    (seconds.abs() > SKEW_MOST_S).then_some(seconds)
}

/// A source that could not be read.
fn unread(because: String) -> Trouble {
    Trouble::Unread { because }
}

/// What a counter gained; one that fell has begun anew at 0.
fn gained(before: f64, now: f64) -> f64 {
    if now >= before { now - before } else { now }
}

#[cfg(test)]
mod tests;
