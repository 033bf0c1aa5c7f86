//! Whether a measure was seen. What was not is neither healthy nor harm.
//!
//! A source has a rhythm of its own: Prometheus scrapes every 15, 30 or 60 s, and
//! the judge looks when the watch says so. An interval without anything new is
//! therefore no gap as long as the next sample covers it. One in which something
//! could not be read always is.

use serde::{Deserialize, Serialize};

use super::series::Trouble;

/// For how long, in seconds, a sample may speak: a scrape of a minute that is late.
const COVERS_S: u32 = 90;
/// Blind after this many intervals in a row without data ...
const BLIND_INTERVALS: u32 = 3;
/// ... or this many times its own rhythm, if that is longer.
const BLIND_BEATS: u32 = 2;

/// In which intervals there was something to see.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Sight {
    /// For how many intervals one sample may speak, at least one.
    pub(super) most: u32,
    /// Intervals with data, and how many those speak for.
    seen: u32,
    spoken_for: u32,
    /// Intervals without, for which nothing speaks any more.
    missed: u32,
    /// Intervals since the last with data.
    silent: u32,
    /// Intervals in a row in which something could not be read.
    troubled: u32,
    /// Why the latest of them could not.
    pub(super) trouble: Option<Trouble>,
}

impl Sight {
    /// Of intervals of so many seconds.
    pub(super) fn new(interval_s: u32) -> Self {
        Self {
            most: (COVERS_S / interval_s.max(1)).max(1),
            seen: 0,
            spoken_for: 0,
            missed: 0,
            silent: 0,
            troubled: 0,
            trouble: None,
        }
    }

    /// Takes one interval in: whether it had data, and what could not be read.
    pub(super) fn observe(&mut self, had_data: bool, trouble: Option<&Trouble>) {
        if let Some(trouble) = trouble {
            self.trouble = Some(trouble.clone());
            self.troubled = self.troubled.saturating_add(1);
            self.missed = self.missed.saturating_add(1);
        } else if had_data {
            self.trouble = None;
            self.troubled = 0;
        } else {
            self.silent = self.silent.saturating_add(1);
        }
        if had_data {
            let late = self.silent.saturating_sub(self.most - 1);
            self.missed = self.missed.saturating_add(late);
            self.spoken_for = self.spoken_for.saturating_add(self.silent + 1);
            self.seen = self.seen.saturating_add(1);
            self.silent = 0;
        }
    }

    /// The intervals for which nothing speaks.
    pub(super) fn gaps(&self) -> u32 {
        self.missed.saturating_add(self.silent)
    }

    /// Whether it is silent for clearly longer than its rhythm, or cannot be read,
    /// or nothing speaks for half of all intervals.
    pub(super) fn is_blind(&self, intervals: u32) -> bool {
        let beat = self.spoken_for.div_ceil(self.seen.max(1)).min(self.most);
        let patience = if beat > 1 {
            (beat.saturating_mul(BLIND_BEATS).saturating_add(1)).max(BLIND_INTERVALS)
        } else {
            BLIND_INTERVALS
        };
        self.silent >= patience
            || self.troubled >= BLIND_INTERVALS
            || u64::from(self.gaps()) * 2 >= u64::from(intervals)
    }
}
