//! What was seen in one interval: the only thing the judge ever sees.
//!
//! Every source is reduced to this. Most measures are counts of bad things among
//! all things: failed requests, probes without a good answer, crashes per hour of
//! a process. A measure of time also has its histogram, a gauge its mean. What
//! was not seen is absent or has total 0; it is never healthy.

use serde::{Deserialize, Serialize};

/// How many were bad, of how many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// The bad ones.
    pub bad: u64,
    /// All of them, the bad ones included, or for how long was looked (seconds of
    /// processes for crashes, say); 0 means that nothing was seen.
    pub total: u64,
}

impl Counts {
    /// The largest number that canonical JSON (RFC 8785) keeps as it is: counts
    /// stand in the ledger, and what is read back must be what was written.
    pub const MOST: u64 = (1 << 53) - 1;

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

/// How many readings of a gauge there were, and their mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Level {
    /// Readings in the interval; 0 means that nothing was seen.
    pub readings: u64,
    /// Their mean, in the measure's unit.
    pub mean: f64,
}

impl Level {
    /// The highest and, below 0, the lowest that is one: far beyond anything that is
    /// measured, and near enough that no sum or square of levels is infinite.
    pub const MOST: f64 = 1e15;

    /// One reading; `None` of what is no number, or no level.
    pub fn of(mean: f64) -> Option<Self> {
        (mean.abs() <= Self::MOST).then_some(Self { readings: 1, mean })
    }

    /// Takes more readings in.
    pub(super) fn add(&mut self, more: Self) {
        let all = self
            .readings
            .saturating_add(more.readings)
            .min(Counts::MOST);
        if all > 0 {
            let share = more.readings as f64 / all as f64;
            self.mean += (more.mean - self.mean) * share;
        }
        self.readings = all;
    }

    pub(super) fn seen(self) -> bool {
        self.readings > 0 && self.mean.is_finite()
    }
}

/// What counts of bad things leave out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Detail {
    /// How the times of all requests were spread.
    Histogram {
        /// The upper bounds of the buckets but the last, rising, in the measure's unit.
        bounds: Vec<f64>,
        /// How many fell into each bucket (at most its bound, above the one
        /// before); one more than there are bounds.
        canary: Vec<u64>,
        /// The same of the control; empty when there is none.
        control: Vec<u64>,
    },
    /// A gauge.
    Gauge {
        /// Where the change is in.
        canary: Level,
        /// Where it is not.
        control: Option<Level>,
    },
}

/// Why something of an interval could not be read. What was read of it still counts for
/// harm, never for being fine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trouble {
    /// The source's clock is off by this much: what it says belongs to another interval.
    ClockSkew {
        /// Ahead of ours; negative when behind.
        seconds: i64,
    },
    /// It could not be read.
    Unread {
        /// Why, in a few words without secrets.
        because: String,
    },
}

/// One interval of one measure.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Where the change is in.
    pub canary: Counts,
    /// Where it is not, at the same time; `None` when there is no such place
    /// (any more) or it could not be read.
    pub control: Option<Counts>,
    /// The histogram or gauge of a measure that has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<Detail>,
    /// Why this is not all there was to see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<Trouble>,
}

impl Sample {
    /// Counts of both sides.
    pub fn of(canary: Counts, control: Option<Counts>) -> Self {
        Self {
            canary,
            control,
            ..Self::default()
        }
    }

    /// Canary and control when both were seen.
    pub fn both(&self) -> Option<(Counts, Counts)> {
        let control = self.control.filter(|control| control.seen())?;
        self.canary.seen().then_some((self.canary, control))
    }

    /// The histograms of canary and control when both were seen and fit together.
    pub fn histograms(&self) -> Option<(&[f64], &[u64], &[u64])> {
        match &self.detail {
            Some(Detail::Histogram {
                bounds,
                canary,
                control,
            }) if canary.len() == bounds.len() + 1
                && control.len() == canary.len()
                && bounds.is_sorted_by(|a, b| a < b)
                && [canary, control].iter().all(|h| h.iter().any(|n| *n > 0)) =>
            {
                Some((bounds, canary, control))
            }
            _ => None,
        }
    }

    /// The levels of canary and, if there is one, control.
    pub fn levels(&self) -> Option<(Level, Option<Level>)> {
        match &self.detail {
            Some(Detail::Gauge { canary, control }) if canary.seen() => {
                Some((*canary, control.filter(|control| control.seen())))
            }
            _ => None,
        }
    }

    /// Adds another part of the same interval, so that an interval scraped in
    /// parts is the interval scraped at once. Parts whose details do not fit
    /// together leave none.
    pub fn add(&mut self, more: Self) {
        self.canary.add(more.canary);
        if let Some(control) = more.control {
            self.control.get_or_insert_default().add(control);
        }
        self.trouble = self.trouble.take().or(more.trouble);
        self.detail = match (self.detail.take(), more.detail) {
            (Some(one), Some(other)) => one.plus(other),
            (one, other) => one.or(other),
        };
    }
}

impl Detail {
    fn plus(self, more: Self) -> Option<Self> {
        match (self, more) {
            (
                Self::Histogram {
                    bounds,
                    canary,
                    control,
                },
                Self::Histogram {
                    bounds: same,
                    canary: canary_too,
                    control: control_too,
                },
            ) if bounds == same => Some(Self::Histogram {
                bounds,
                canary: sums(canary, canary_too),
                control: sums(control, control_too),
            }),
            (
                Self::Gauge {
                    mut canary,
                    control,
                },
                Self::Gauge {
                    canary: canary_too,
                    control: control_too,
                },
            ) => {
                canary.add(canary_too);
                let control = match (control, control_too) {
                    (Some(mut one), Some(other)) => {
                        one.add(other);
                        Some(one)
                    }
                    (one, other) => one.or(other),
                };
                Some(Self::Gauge { canary, control })
            }
            _ => None,
        }
    }
}

/// Adds bucket by bucket; the longer one stands for what the other lacks.
fn sums(mut one: Vec<u64>, other: Vec<u64>) -> Vec<u64> {
    if one.len() < other.len() {
        return sums(other, one);
    }
    for (sum, more) in one.iter_mut().zip(other) {
        *sum = sum.saturating_add(more).min(Counts::MOST);
    }
    one
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scraped(bad: u64, low: u64, high: u64, mean: f64) -> [Sample; 2] {
        let counts = Sample::of(Counts::new(bad, low + high), Some(Counts::new(0, low)));
        let histogram = Detail::Histogram {
            bounds: vec![1.0],
            canary: vec![low, high],
            control: vec![high, low],
        };
        let level = |mean| Level { readings: 2, mean };
        let gauge = Detail::Gauge {
            canary: level(mean),
            control: Some(level(1.0)),
        };
        [histogram, gauge].map(|detail| Sample {
            detail: Some(detail),
            ..counts.clone()
        })
    }

    #[test]
    fn parts_add_up_to_the_whole() {
        let [mut histogram, mut gauge] = scraped(1, 10, 2, 1.0);
        let [more, gauged] = scraped(2, 20, 3, 3.0);
        histogram.add(more);
        gauge.add(gauged);
        assert_eq!(histogram, scraped(3, 30, 5, 0.0)[0]);
        let (canary, control) = gauge.levels().unwrap();
        assert_eq!((canary.readings, canary.mean), (4, 2.0));
        assert_eq!(control.unwrap().mean, 1.0);
        let mut nothing = Sample::default();
        nothing.add(gauge.clone());
        assert_eq!(nothing.levels(), gauge.levels());
        nothing.add(histogram);
        assert_eq!(nothing.detail, None, "they do not fit together");
    }

    #[test]
    fn details_that_are_nonsense_are_not_seen() {
        let odd = |bounds: &[f64], canary: &[u64], control: &[u64]| {
            let detail = Detail::Histogram {
                bounds: bounds.to_vec(),
                canary: canary.to_vec(),
                control: control.to_vec(),
            };
            let sample = Sample {
                detail: Some(detail),
                ..Sample::default()
            };
            sample.histograms().is_none()
        };
        assert!(!odd(&[1.0], &[1, 1], &[1, 0]));
        assert!(odd(&[1.0], &[1, 1], &[]), "no control");
        assert!(odd(&[1.0], &[1, 1, 1], &[1, 1, 1]));
        assert!(odd(&[2.0, 1.0], &[1, 1, 1], &[1, 1, 1]));
        assert!(odd(&[f64::NAN, 1.0], &[1, 1, 1], &[1, 1, 1]));
        assert!(odd(&[1.0], &[0, 0], &[1, 1]));
        let level = |readings, mean| Sample {
            detail: Some(Detail::Gauge {
                canary: Level { readings, mean },
                control: None,
            }),
            ..Sample::default()
        };
        assert!(level(1, 2.0).levels().is_some());
        assert!(level(0, 2.0).levels().is_none() && level(1, f64::NAN).levels().is_none());
    }
}
