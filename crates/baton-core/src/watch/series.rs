//! What was counted in one interval: the only thing the judge ever sees.
//!
//! Every measure is reduced to counts of bad things among all things: failed
//! requests, probes without a good answer, answers slower than the agreed
//! quantile. What was not seen is absent or has total 0; it is never healthy.

use serde::{Deserialize, Serialize};

/// How many were bad, of how many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// The bad ones.
    pub bad: u64,
    /// All of them, the bad ones included; 0 means that nothing was seen.
    pub total: u64,
}

impl Counts {
    /// The largest number that canonical JSON (RFC 8785) keeps as it is: counts
    /// stand in the ledger, and what is read back must be what was written.
    const MOST: u64 = (1 << 53) - 1;

    /// `bad` of `total`, each 2^53 - 1 at most.
    pub fn new(bad: u64, total: u64) -> Self {
        Self {
            bad: bad.min(Self::MOST),
            total: total.min(Self::MOST),
        }
    }

    /// Whether anything was seen at all.
    pub fn seen(self) -> bool {
        self.total > 0
    }

    /// Whether something was seen and all of it was bad.
    pub fn all_bad(self) -> bool {
        self.seen() && self.bad >= self.total
    }

    /// The share of bad ones, `None` when nothing was seen.
    pub fn rate(self) -> Option<f64> {
        self.seen().then(|| self.bad as f64 / self.total as f64)
    }

    /// Adds other counts to these, staying at the largest number on overflow.
    pub fn add(&mut self, more: Self) {
        *self = Self::new(
            self.bad.saturating_add(more.bad),
            self.total.saturating_add(more.total),
        );
    }
}

/// One interval of one measure.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// Where the change is in.
    pub canary: Counts,
    /// Where it is not, at the same time; `None` when there is no such place
    /// (any more) or it could not be read.
    pub control: Option<Counts>,
}

impl Sample {
    /// Canary and control when both were seen.
    pub fn both(&self) -> Option<(Counts, Counts)> {
        let control = self.control.filter(|control| control.seen())?;
        self.canary.seen().then_some((self.canary, control))
    }
}
