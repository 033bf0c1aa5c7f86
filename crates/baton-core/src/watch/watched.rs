//! One measure and all that is remembered of it.

use serde::{Deserialize, Serialize};

use super::counts::{self, Null};
use super::eprocess::{Detector, Mixture};
use super::math::ln;
use super::pair::{Pair, agreed, pairs};
use super::quantile;
use super::ratio::{RatioBand, rate_interval};
use super::series::{Counts, Level, Sample, Trouble};
use super::terms::{Design, Effect, Kind, Measure, Terms};
use super::words;

/// A hard stop needs this many intervals in a row in which all was bad ...
pub(super) const HARD_STOP_INTERVALS: u32 = 5;
/// ... and at least this many things in each.
pub(super) const HARD_STOP_LEAST: u64 = 3;
/// A measure is blind after this many intervals in a row without data (or when
/// half of all intervals had none).
pub(super) const BLIND_INTERVALS: u32 = 3;

/// How many times more or less traffic than its share one side may get before the
/// comparison with the other is not believed any more.
const SPLIT_MARGIN: f64 = 1.25;
/// The chance to doubt a split that is right.
const SPLIT_ERROR: f64 = 0.01;
/// Parts of the whole in which a share of the traffic is counted.
const PARTS: f64 = 1e6;

/// Why a measure is harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Harm {
    Proven(Design),
    HardStop,
}

/// Whether each side gets the traffic it is meant to get: the test for a sample
/// ratio mismatch (Fabijan et al., KDD 2019, doi 10.1145/3292500.3330722), which
/// says that a comparison is spoilt whatever it shows.
///
/// Sequential, as in Lindon and Malek, arXiv 2011.03567: of `n` things in an
/// interval those of the canary are binomial with the odds `s / (1 - s)`, `s` the
/// share that was meant, and each bet multiplies the odds by an `r` of
/// [`counts::RATIOS`], `log e = x ln r - n ln(1 + s (r - 1))`. Two processes, one
/// for each way; the odds of the null are [`SPLIT_MARGIN`] times the meant ones,
/// because no traffic is split to the last visitor. Doubt ends when the split has
/// been right for about as long as it was not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Split {
    meant: f64,
    more: Mixture,
    less: Mixture,
}

impl Split {
    fn observe(&mut self, sample: &Sample, phi: f64) {
        let Some((canary, control)) = sample.both() else {
            return;
        };
        let part = |n: u64, share: f64| Counts::new(n, (share * PARTS) as u64);
        let canary = part(canary.total, self.meant);
        let control = part(control.total, 1.0 - self.meant);
        let null = Null::NoWorse {
            ratio: SPLIT_MARGIN,
            shift: 0.0,
        };
        for (process, one, other) in [
            (&mut self.more, canary, control),
            (&mut self.less, control, canary),
        ] {
            if let Some(line) = null.line(one, Some(other)) {
                process.observe(&line.bets(line.x).map(|bet| bet / phi));
            }
        }
    }

    fn is_off(&self) -> bool {
        self.more.log_value().max(self.less.log_value()) >= ln(2.0 / SPLIT_ERROR)
    }
}

/// What was seen of the times so far, for their quantiles.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Times {
    bounds: Vec<f64>,
    arms: [Vec<u64>; 2],
    first: [u64; 2],
}

impl Times {
    fn observe(&mut self, sample: &Sample) {
        let Some((bounds, canary, control)) = sample.histograms() else {
            return;
        };
        if self.bounds != bounds {
            let arms = [canary, control].map(|counts| vec![0; counts.len()]);
            let first = [canary, control].map(|counts| counts.iter().sum());
            (self.bounds, self.arms, self.first) = (bounds.to_vec(), arms, first);
        }
        for (sums, counts) in self.arms.iter_mut().zip([canary, control]) {
            for (sum, n) in sums.iter_mut().zip(counts) {
                *sum = sum.saturating_add(*n);
            }
        }
    }

    fn effect(&self, q: f64, alpha: f64) -> Option<Effect> {
        let arm = |i: usize| {
            quantile::interval(&self.bounds, &self.arms[i], q, self.first[i], alpha / 2.0)
        };
        let canary = arm(0)?;
        let control = arm(1);
        Some(Effect::Quantile { q, canary, control })
    }
}

/// One measure and all that is remembered of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Watched {
    pub(super) measure: Measure,
    /// This measure's share of the false alarm.
    pub(super) alpha: f64,
    pairs: Vec<Pair>,
    split: Option<Split>,
    /// Whether the control is beyond the limit itself.
    astray: Option<Detector>,
    pub(super) ratio: RatioBand,
    times: Times,
    pub(super) canary: Counts,
    pub(super) control: Option<Counts>,
    /// The levels of a gauge so far, the canary's and the control's.
    levels: [Level; 2],
    /// Intervals in which no pair had data, in all and in a row up to now.
    pub(super) gaps: u32,
    gaps_in_row: u32,
    /// Why the latest gap was one.
    trouble: Option<Trouble>,
    /// Intervals without a control.
    pub(super) alone: u32,
    dead_in_row: u32,
    pub(super) harm: Option<Harm>,
}

impl Watched {
    pub(super) fn new(measure: &Measure, terms: &Terms) -> Self {
        let pairs = pairs(measure, terms);
        let meant = measure.learned.split;
        let meant = meant.filter(|share| (0.0..1.0).contains(share) && *share > 0.0);
        let mixture = || Mixture::new(&counts::WEIGHTS, terms.watch_intervals);
        let limited = agreed(measure.limit).is_some() && measure.kind != Kind::Gauge;
        Self {
            measure: measure.clone(),
            alpha: terms.alpha(measure),
            pairs,
            split: meant.map(|meant| Split {
                meant,
                more: mixture(),
                less: mixture(),
            }),
            astray: limited.then(|| Detector::new(&counts::WEIGHTS)),
            ratio: RatioBand::default(),
            times: Times::default(),
            canary: Counts::default(),
            control: None,
            levels: [Level::default(); 2],
            gaps: 0,
            gaps_in_row: 0,
            trouble: None,
            alone: 0,
            dead_in_row: 0,
            harm: None,
        }
    }

    /// Takes one interval in; `warm`: caches are no longer cold, `after`: the watch
    /// was over before it.
    pub(super) fn observe(&mut self, sample: &Sample, warm: bool, after: bool) {
        let unjudged;
        let sample = if let Some(trouble) = &sample.trouble {
            self.trouble = Some(trouble.clone());
            unjudged = Sample::default();
            &unjudged
        } else {
            sample
        };
        let levels = sample.levels();
        let beside = sample.control.is_some_and(Counts::seen);
        if !beside && levels.is_none_or(|(_, control)| control.is_none()) {
            self.alone = self.alone.saturating_add(1);
        }
        if warm {
            self.canary.add(sample.canary);
            if let Some(control) = sample.control.filter(|control| control.seen()) {
                self.control.get_or_insert_default().add(control);
            }
            if let Some((canary, control)) = levels {
                self.levels[0].add(canary);
                self.levels[1].add(control.unwrap_or_default());
            }
            self.ratio.observe(sample);
            self.times.observe(sample);
            self.doubt(sample);
        }
        let (split_off, astray) = (self.split_off(), self.astray());
        let mut had_data = false;
        for pair in &mut self.pairs {
            if after {
                pair.go_on();
            }
            let frozen = match pair.design {
                Design::Control => split_off,
                Design::History | Design::Limit => astray,
            };
            had_data |= pair.observe(sample, warm && !frozen);
        }
        if had_data {
            self.trouble = None;
        }
        self.gaps = self.gaps.saturating_add(u32::from(!had_data));
        self.gaps_in_row = if had_data {
            0
        } else {
            self.gaps_in_row.saturating_add(1)
        };
        // When the control is dead as well, it is not the change that killed it.
        let dead = sample.canary.total >= HARD_STOP_LEAST
            && sample.canary.all_bad()
            && !sample.control.is_some_and(Counts::all_bad);
        self.dead_in_row = if dead {
            self.dead_in_row.saturating_add(1)
        } else {
            0
        };
        let loudest = self.loudest();
        if self.harm.is_none()
            && let Some(pair) = loudest.filter(|pair| pair.log_harm() >= pair.log_bar)
        {
            self.harm = Some(Harm::Proven(pair.design));
        }
        if self.harm.is_none() && self.dead_in_row >= HARD_STOP_INTERVALS {
            self.harm = Some(Harm::HardStop);
        }
    }

    /// Whether the sides can be compared at all.
    fn doubt(&mut self, sample: &Sample) {
        let phi = self.phi();
        if let Some(split) = &mut self.split {
            split.observe(sample, phi);
        }
        if let (Some(astray), Some(limit)) = (&mut self.astray, agreed(self.measure.limit))
            && let Some(control) = sample.control
            && let Some(line) = Null::Within(limit).line(control, None)
        {
            astray.observe(&line.bets(line.x).map(|bet| bet / phi));
        }
    }

    /// The share of the traffic that went to the change, and the one that was
    /// meant, when one side gets much more than it is meant to.
    pub(super) fn wrong_split(&self) -> Option<(f64, f64)> {
        let split = self.split.as_ref().filter(|split| split.is_off())?;
        let mut all = self.canary;
        all.add(self.control.unwrap_or_default());
        Some((self.canary.total as f64 / all.total as f64, split.meant))
    }

    /// Whether one side gets much more traffic than it is meant to.
    pub(super) fn split_off(&self) -> bool {
        self.split.as_ref().is_some_and(Split::is_off)
    }

    /// Whether what was not changed is beyond the limit as well, at the moment.
    pub(super) fn astray(&self) -> bool {
        let bar = -ln(self.alpha);
        self.astray
            .as_ref()
            .is_some_and(|astray| astray.log_value() >= bar)
    }

    /// By what the evidence is tempered.
    pub(super) fn phi(&self) -> f64 {
        self.measure.dispersion().unwrap_or(1.0)
    }

    pub(super) fn compares(&self, design: Design) -> bool {
        self.pairs.iter().any(|pair| pair.design == design)
    }

    /// The comparison that is closest to its bar; the one that proved harm stays
    /// the one that is shown, and one without data yields to one with.
    pub(super) fn loudest(&self) -> Option<&Pair> {
        let proven = |pair: &&Pair| self.harm == Some(Harm::Proven(pair.design));
        let short = |pair: &Pair| pair.log_harm() - pair.log_bar;
        let with_data = self.pairs.iter().filter(|pair| pair.seen() > 0);
        self.pairs
            .iter()
            .find(proven)
            .or_else(|| with_data.max_by(|a, b| short(a).total_cmp(&short(b))))
            .or_else(|| self.pairs.last())
    }

    pub(super) fn blind(&self, intervals: u32) -> bool {
        self.gaps_in_row >= BLIND_INTERVALS || u64::from(self.gaps) * 2 >= u64::from(intervals)
    }

    /// Whether every comparison proves it fine.
    pub(super) fn proven(&self, bar: f64) -> bool {
        self.pairs.iter().all(|pair| pair.log_fine() >= bar)
    }

    /// In how many intervals it will be proven fine at the pace so far.
    pub(super) fn proven_in(&self, bar: f64) -> Option<u64> {
        let wait = |pair: &Pair| {
            let (so_far, seen) = (pair.log_fine(), f64::from(pair.seen()));
            if so_far >= bar {
                return Some(0.0);
            }
            (so_far > 0.0).then(|| ((bar - so_far) * seen / so_far).ceil())
        };
        let waits = self.pairs.iter().map(wait).collect::<Option<Vec<f64>>>()?;
        let longest = waits.into_iter().fold(0.0, f64::max);
        (longest > 0.0 && longest < 1e9).then_some(longest as u64)
    }

    /// Why a measure without harm is not proven fine either.
    pub(super) fn why_open(&self) -> String {
        let why = if self.pairs.iter().any(|pair| pair.log_fine() < 0.0) {
            "too close to what was agreed"
        } else if self.pairs.iter().any(|pair| pair.seen() == 0) {
            "no control"
        } else {
            "too little traffic"
        };
        format!("{why} to prove it for {}", self.measure.id)
    }

    /// How large the effect is in the measure's own terms.
    pub(super) fn effect(&self) -> Option<Effect> {
        let limit = agreed(self.measure.limit);
        match self.measure.kind {
            Kind::Histogram => {
                let q = limit.map_or(0.95, |limit| 1.0 - limit);
                self.times.effect(q, self.alpha)
            }
            Kind::Gauge => {
                let (mean, low, high) = self.loudest()?.above(ln(self.alpha / 2.0))?;
                Some(Effect::Above { mean, low, high })
            }
            Kind::Counts => {
                let (low, high) = rate_interval(self.canary, limit?, self.alpha, self.phi())?;
                Some(Effect::Share { low, high })
            }
        }
    }

    pub(super) fn in_words(&self) -> String {
        if self.measure.kind == Kind::Gauge {
            let [canary, control] = self.levels.map(words::level);
            return match (canary, control) {
                (None, _) => format!("{} not known", self.measure.id),
                (Some(canary), None) => format!("{} at {canary}", self.measure.id),
                (Some(canary), Some(control)) => {
                    format!(
                        "{} at {canary}, {control} without the change",
                        self.measure.id
                    )
                }
            };
        }
        format!("{} {}", self.measure.id, words::rate(self.canary))
    }

    pub(super) fn blindness_in_words(&self, intervals: u32) -> Option<String> {
        let (id, gaps) = (&self.measure.id, self.gaps);
        self.blind(intervals).then(|| {
            if let Some(trouble) = &self.trouble {
                return format!("{id} {}", words::trouble(trouble));
            }
            let seen = self.canary.seen() || self.levels[0].seen();
            if seen && !self.compares(Design::Limit) {
                format!("{id} had nothing to compare with in {gaps} of {intervals} intervals")
            } else {
                format!("{id} gave no data in {gaps} of {intervals} intervals")
            }
        })
    }
}
