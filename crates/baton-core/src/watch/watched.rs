//! One measure and all that is remembered of it.

use serde::{Deserialize, Serialize};

use super::counts::{self, Null};
use super::eprocess::Detector;
use super::math::ln;
use super::pair::{Pair, agreed, pairs};
use super::quantile;
use super::ratio::{RatioBand, rate_interval};
use super::series::{Counts, Detail, Level, Sample};
use super::sight::Sight;
use super::split::Split;
use super::terms::{Design, Effect, Kind, Measure, Terms};
use super::words;

/// A hard stop needs this many intervals in a row in which all was bad ...
pub(super) const HARD_STOP_INTERVALS: u32 = 5;
/// ... and at least this many things in each.
pub(super) const HARD_STOP_LEAST: u64 = 3;

/// Why a measure is harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Harm {
    Proven(Design),
    HardStop,
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
    sight: Sight,
    /// What waits for the other side to be seen, of so many intervals.
    carried: Sample,
    carried_for: u32,
    /// Intervals without a control.
    pub(super) alone: u32,
    dead_in_row: u32,
    /// Whether all of the control was bad when it was last seen.
    control_dead: bool,
    pub(super) harm: Option<Harm>,
}

impl Watched {
    pub(super) fn new(measure: &Measure, terms: &Terms) -> Self {
        let pairs = pairs(measure, terms);
        let meant = measure.learned.split;
        let meant = meant.filter(|share| (0.0..1.0).contains(share) && *share > 0.0);
        let limited = agreed(measure.limit).is_some() && measure.kind != Kind::Gauge;
        Self {
            measure: measure.clone(),
            alpha: terms.alpha(measure),
            pairs,
            split: meant.map(|meant| Split::new(meant, terms.watch_intervals)),
            astray: limited.then(|| Detector::new(&counts::WEIGHTS)),
            ratio: RatioBand::default(),
            times: Times::default(),
            canary: Counts::default(),
            control: None,
            levels: [Level::default(); 2],
            sight: Sight::new(terms.interval_s),
            carried: Sample::default(),
            carried_for: 0,
            alone: 0,
            dead_in_row: 0,
            control_dead: false,
            harm: None,
        }
    }

    /// Takes one interval in; `warm`: caches are no longer cold, `after`: the watch
    /// was over before it. Of one that could not all be read, what was read still
    /// counts for harm.
    pub(super) fn observe(&mut self, sample: &Sample, warm: bool, after: bool) {
        let both = self.carry(sample);
        if warm {
            self.add_up(sample);
            if let Some(both) = &both {
                self.ratio.observe(both);
                self.times.observe(both);
            }
            self.doubt(sample, both.as_ref());
        }
        let (split_off, astray) = (self.split_off(), self.astray());
        let mut had_data = false;
        for pair in &mut self.pairs {
            if after {
                pair.go_on();
            }
            let (sample, frozen) = match pair.design {
                Design::Control => (both.as_ref(), split_off),
                Design::History | Design::Limit => (Some(sample), astray),
            };
            if let Some(sample) = sample {
                had_data |= pair.observe(sample, warm && !frozen);
            }
        }
        self.sight.observe(had_data, sample.trouble.as_ref());
        self.stop_hard(sample);
        if self.harm.is_none()
            && let Some(pair) = self
                .loudest()
                .filter(|pair| pair.log_harm() >= pair.log_bar)
        {
            self.harm = Some(Harm::Proven(pair.design));
        }
        if self.harm.is_none() && self.dead_in_row >= HARD_STOP_INTERVALS {
            self.harm = Some(Harm::HardStop);
        }
    }

    /// What was seen of both sides since they were last compared. A source that is
    /// scraped has something new of one side in one interval and of the other in
    /// the next, so what was seen of one waits for the other, but not for ever: by
    /// then it is of another time. Whether it waits depends on how much was seen,
    /// never on how much of it was bad.
    fn carry(&mut self, sample: &Sample) -> Option<Sample> {
        self.carried.add(sample.clone());
        self.carried_for = self.carried_for.saturating_add(1);
        let levels = self.carried.levels();
        let level = levels.is_some_and(|(_, control)| control.is_some());
        let compared = level || self.carried.both().is_some();
        if !compared && self.carried_for < self.sight.most {
            return None;
        }
        let carried = std::mem::take(&mut self.carried);
        let looks = std::mem::take(&mut self.carried_for);
        if compared {
            return Some(carried);
        }
        if !carried.control.is_some_and(Counts::seen) {
            self.alone = self.alone.saturating_add(looks);
        }
        None
    }

    fn add_up(&mut self, sample: &Sample) {
        self.canary.add(sample.canary);
        if let Some(control) = sample.control.filter(|control| control.seen()) {
            self.control.get_or_insert_default().add(control);
        }
        if let Some(Detail::Gauge { canary, control }) = &sample.detail {
            for (level, more) in self.levels.iter_mut().zip([Some(*canary), *control]) {
                if let Some(more) = more.filter(|more| more.seen()) {
                    level.add(more);
                }
            }
        }
    }

    /// Counts the intervals in which all was bad. One without anything new says
    /// nothing; when the control is dead as well, it is not the change that killed
    /// it.
    fn stop_hard(&mut self, sample: &Sample) {
        if let Some(control) = sample.control.filter(|control| control.seen()) {
            self.control_dead = control.all_bad();
        }
        if !sample.canary.seen() {
            return;
        }
        let dead = sample.canary.total >= HARD_STOP_LEAST && sample.canary.all_bad();
        self.dead_in_row = if dead && !self.control_dead {
            self.dead_in_row.saturating_add(1)
        } else {
            0
        };
    }

    /// Whether the sides can be compared at all.
    fn doubt(&mut self, sample: &Sample, both: Option<&Sample>) {
        let phi = self.phi();
        // Of a side that was not read whole, the share cannot be told.
        if let Some(split) = &mut self.split
            && let Some((canary, control)) = both.and_then(Sample::both)
            && both.is_some_and(|both| both.trouble.is_none())
        {
            split.observe(canary, control, phi);
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
        Some((self.canary.total as f64 / all.total as f64, split.meant()))
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
        self.sight.is_blind(intervals)
    }

    /// Whether nothing of it was ever bet on, so that no harm could be found.
    pub(super) fn unweighed(&self) -> bool {
        self.pairs.iter().all(|pair| pair.seen() == 0)
    }

    /// Whether it lay, on the whole, beyond what was agreed, proven or not.
    pub(super) fn is_beyond(&self) -> bool {
        self.pairs.iter().any(Pair::is_beyond)
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
        let (id, gaps) = (&self.measure.id, self.sight.gaps());
        self.blind(intervals).then(|| {
            if let Some(trouble) = &self.sight.trouble {
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
