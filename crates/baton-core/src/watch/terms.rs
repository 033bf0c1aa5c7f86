//! What was agreed about a watch, and what the judge answers.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::history::Learned;
use super::series::Counts;
use crate::id::MeasureId;

/// How much more evidence is asked for while nobody knows how much a measure
/// varies by itself: 10 (the measured price of noise between hosts).
pub const UNCALIBRATED: f64 = 10.0;

/// The smallest false alarm that can be asked for; it keeps every bar finite.
const LEAST_ALPHA: f64 = 1e-9;

/// What the samples of a measure hold, beside counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Nothing more: bad ones of all.
    #[default]
    Counts,
    /// Histograms of both arms, compared with each other; the limit, if there is
    /// one, holds for the counts.
    Histogram,
    /// A level of which higher is worse; the limit is one for its mean.
    Gauge,
}

/// One measure, as the contract's `success` agreed it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measure {
    /// Its id.
    pub id: MeasureId,
    /// What it measures, in the contract's words.
    pub says: String,
    /// What its samples hold.
    #[serde(default)]
    pub kind: Kind,
    /// The largest share that was agreed: 0.01 for `at_most: 1%`, 0.05 for `p95: 300ms`
    /// with answers over 300 ms as the bad ones; of a gauge the largest mean. A number
    /// that is not finite or below 0 counts as none.
    pub limit: Option<f64>,
    /// By how much the canary may be worse than the control: for counts as a share
    /// of all (0.005 for half a percentage point), for a histogram or gauge as a
    /// share of the control's value. A number that is not finite or below 0 counts
    /// as none.
    pub worse_by: Option<f64>,
    /// Whether the release is kept only when this was seen. If none is, all are.
    pub critical: bool,
    /// Its share of the false alarm, against the other measures' weights; one that
    /// is not finite or not above 0 counts as 1.
    pub weight: f64,
    /// What the time before taught.
    #[serde(default)]
    pub learned: Learned,
}

/// What was agreed about the watch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Terms {
    /// What is watched.
    pub measures: Vec<Measure>,
    /// The chance of rolling a harmless release back, over the whole watch: 0.01.
    /// Split over the measures by weight, and within one evenly over its comparisons.
    pub false_alarm: f64,
    /// How many intervals the watch lasts.
    pub watch_intervals: u32,
    /// How long an interval is, in seconds; used to say times, and to know for how
    /// long a sample may speak and wait for one of the other side.
    pub interval_s: u32,
    /// Intervals at the start in which only hard stops count, at most a tenth of
    /// the watch: caches are cold.
    pub warm_up: u32,
}

impl Terms {
    /// What may be spent on one measure.
    pub(super) fn alpha(&self, measure: &Measure) -> f64 {
        let all: f64 = self.measures.iter().map(Measure::weight).sum();
        let share = self.false_alarm * measure.weight() / all;
        measure.careful(share)
    }

    /// How many intervals are only looked at.
    pub(super) fn warm_up(&self) -> u32 {
        self.warm_up.min(self.watch_intervals / 10)
    }
}

impl Measure {
    fn weight(&self) -> f64 {
        if self.weight.is_finite() && self.weight > 0.0 {
            self.weight
        } else {
            1.0
        }
    }

    /// Less of `alpha` while it is not known how much this varies by itself.
    pub(super) fn careful(&self, alpha: f64) -> f64 {
        let alpha = match self.dispersion() {
            Some(_) => alpha,
            None => alpha / UNCALIBRATED,
        };
        // Written so that a NaN becomes the least.
        if alpha > LEAST_ALPHA {
            alpha.min(1.0)
        } else {
            LEAST_ALPHA
        }
    }

    /// The dispersion from history, at least 1.
    pub(super) fn dispersion(&self) -> Option<f64> {
        let known = self.learned.dispersion.filter(|phi| phi.is_finite());
        known.map(|phi| phi.max(1.0))
    }
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// The release stays.
    Keep,
    /// Wait; at the end of the watch: a person decides.
    Hold,
    /// The release goes back.
    RollBack,
}

/// What a measure is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Design {
    /// With what runs without the change at the same time.
    Control,
    /// With what earlier days foretell for today.
    History,
    /// With the agreed limit.
    Limit,
}

/// How one measure stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Proven to be as agreed.
    Fine,
    /// Neither proven.
    Undecided,
    /// Proven to be worse than agreed, or hard-stopped; it stays so.
    Harm,
    /// Too little was seen to say anything.
    Blind,
}

/// How large the effect is, with an interval that holds at every look at once.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// Where the canary's share of bad ones lies.
    Share {
        /// At least.
        low: f64,
        /// At most.
        high: f64,
    },
    /// Where a quantile of the times lies; `None` as an upper end: beyond the
    /// last bucket's bound.
    Quantile {
        /// Which one: the one that was agreed, else 0.95.
        q: f64,
        /// The canary's.
        canary: (f64, Option<f64>),
        /// The control's.
        control: Option<(f64, Option<f64>)>,
    },
    /// How far the canary's level lies above what was agreed (control or limit).
    Above {
        /// The mean so far.
        mean: f64,
        /// At least.
        low: f64,
        /// At most.
        high: f64,
    },
}

/// How one measure stands, with its numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The measure.
    pub measure: MeasureId,
    /// Bad ones of the canary so far.
    pub bad: u64,
    /// All of the canary so far.
    pub total: u64,
    /// The control so far; `None` when there was none.
    pub control: Option<Counts>,
    /// How many times the control's rate the canary's is; `None` without a
    /// control that had something bad.
    pub ratio: Option<f64>,
    /// Where that ratio lies, at this measure's share of the false alarm and at
    /// every look at once; an end at 1/32 or 32 means *or beyond*.
    pub interval: Option<(f64, f64)>,
    /// The effect in the measure's own terms; `None` while nothing can be said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<Effect>,
    /// The evidence of harm: the one closest to its bar of the designs in use.
    /// Starts at 1; once it proved harm it may fall again, the state stays.
    pub e: f64,
    /// Harm is proven when `e` reaches this. After the watch: the mean number of
    /// intervals between two false alarms.
    pub bar: f64,
    /// What this measure may spend of the false alarm.
    pub alpha: f64,
    /// How many times more it varies than independent events; `None`: not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dispersion: Option<f64>,
    /// Which comparison `e` comes from.
    pub design: Design,
    /// In how many intervals it will be proven fine if it goes on as it did; `None`
    /// when it is decided, or will not be at this traffic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_in: Option<u64>,
    /// What all this rests on that was not proven, in sentences.
    pub assumptions: Vec<String>,
    /// Where it stands.
    pub state: State,
}

/// What the judge says after an interval.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// What to do.
    pub decision: Decision,
    /// Why, in a sentence with the numbers.
    pub because: String,
    /// Every measure, in the order of the terms.
    pub measures: Vec<Finding>,
}

impl Verdict {
    /// In what another verdict is not this one, for people; `None` when decision,
    /// states and numbers are the same to the last bit. Sentences are not compared:
    /// a later Baton may have better words for the same numbers.
    pub fn unlike(&self, other: &Self) -> Option<String> {
        let differ = |what: &str, own: Value, other: Value| {
            (own != other).then(|| format!("{what} is {other}, and {own} follows"))
        };
        if self.decision != other.decision {
            return differ("the decision", json!(self.decision), json!(other.decision));
        }
        let wordless = |verdict: &Self| -> Vec<Finding> {
            let mut findings = verdict.measures.clone();
            for finding in &mut findings {
                finding.assumptions.clear();
            }
            findings
        };
        let (own, others) = (wordless(self), wordless(other));
        if own == others {
            return None;
        }
        if own.len() != others.len() {
            return differ(
                "the number of measures",
                json!(own.len()),
                json!(others.len()),
            );
        }
        let (own, other) = own.iter().zip(&others).find(|(own, other)| own != other)?;
        let (fields, theirs) = (json!(own), json!(other));
        let keys = fields.as_object()?.keys().chain(theirs.as_object()?.keys());
        keys.map(|key| (key, &fields[key], &theirs[key]))
            .find_map(|(key, own_value, value)| {
                let what = format!("`{key}` of {}", own.measure);
                differ(&what, own_value.clone(), value.clone())
            })
    }
}
