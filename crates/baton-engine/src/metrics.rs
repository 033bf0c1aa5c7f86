//! Where the judge's counts come from. Nothing here judges them.
//!
//! [`prober::Prober`] asks everything the judge wants to know, each in a thread
//! and rhythm of its own. What is asked is either an event that Baton makes itself
//! ([`probe`]: an answer, or none), or counters that others keep and that only
//! grow ([`prometheus`], [`counter`], [`postgres`]): of those the differences are
//! taken, of bad ones and all together or of neither. A level ([`counter`]) is taken as it is. What cannot be read, or is dated
//! far from now, is told as such, and is never 0. [`learn()`] asks what the time
//! before a watch teaches.

pub mod counter;
pub mod postgres;
pub mod probe;
pub mod prober;
pub mod prometheus;

mod buckets;
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

/// What a counter of a process gained; one that fell has begun anew at 0.
fn gained(before: f64, now: f64) -> f64 {
    if now >= before { now - before } else { now }
}

/// So many bad ones of so many.
///
/// # Errors
/// Says that these are no part of those.
fn counted(bad: f64, total: f64) -> Result<Counts, String> {
    let [bad, total] = [bad, total].map(|number| number.round() as u64);
    if bad > total {
        return Err(format!(
            "it counts more bad ones than all: {bad} of {total}"
        ));
    }
    Ok(Counts::new(bad, total))
}

/// What it means that a counter is less than it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fall {
    /// The process that counts began anew, at 0.
    Anew,
    /// Some of what is counted is gone: nobody knows how much is new.
    Gone,
}

/// Two counters, bad ones and all, and what they were when they were read last.
#[derive(Debug)]
struct Tally {
    fall: Fall,
    last: Option<[f64; 2]>,
}

impl Tally {
    fn new(fall: Fall) -> Self {
        Self { fall, last: None }
    }

    /// What was counted since the last time; nothing the first time.
    ///
    /// # Errors
    /// Says why what is new cannot be told. What is less than it was is where the next
    /// reading begins; otherwise that one reaches back over this.
    fn gains(&mut self, now: [f64; 2]) -> Result<Counts, String> {
        let all = counted(now[0], now[1])?;
        let last = self.last.unwrap_or(now);
        if self.fall == Fall::Gone && (now[0] < last[0] || now[1] < last[1]) {
            self.last = Some(now);
            return Err(format!(
                "its counts fell from {} of {} to {} of {}: something was removed or changed, so \
                 what is new cannot be told",
                last[0], last[1], all.bad, all.total
            ));
        }
        let [bad, total] = [0, 1].map(|at| gained(last[at], now[at]));
        let counts = counted(bad, total)?;
        self.last = Some(now);
        Ok(counts)
    }
}

/// A number that a counter can have: no more than can be told apart.
fn count(word: &str) -> Option<f64> {
    let number = word.parse::<f64>().ok();
    number.filter(|number| (0.0..=Counts::MOST as f64).contains(number))
}

#[cfg(test)]
mod tests;
