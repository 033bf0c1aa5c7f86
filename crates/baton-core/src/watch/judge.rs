//! Keep, hold or roll back: decided anew after every interval of the watch.
//!
//! - **Roll back** as soon as any measure is proven to be worse than agreed, or
//!   at a hard stop. A harmless release is ever rolled back by proof with at most
//!   the agreed chance of a false alarm, over all measures and all looks.
//! - **Keep** only at the end of the watch, which is the time both sides agreed
//!   to look: when every critical measure was seen, and none was harmed. Whether
//!   it is *proven* fine, or only no harm was found, is said.
//! - **Hold** otherwise: the watch goes on, or what was seen is not enough to
//!   tell and a person decides. Missing data never keeps and never rolls back.
//!
//! What counts as harm is what was agreed, nothing else: a measure with a limit
//! is held to its limit, one with `worse_by` to the control plus that much, one
//! with both to each, and one with neither to being no worse than the control.
//! The ratio to the control is reported in any case.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::eprocess::{EProcess, Null};
use super::ratio::RatioBand;
use super::series::{Counts, Sample};
use super::words;
use crate::id::MeasureId;

/// Without an agreed tolerance: how many times worse than the control a canary
/// must be proven *not* to be for its measure to count as fine.
pub const KEEP_MARGIN: f64 = 1.25;
/// The chance of calling a measure fine that is not.
pub const KEEP_ERROR: f64 = 0.05;
/// How much more evidence is asked for while nobody knows how much a measure
/// varies by itself: 10 (the measured price of noise between hosts).
pub const UNCALIBRATED: f64 = 10.0;
/// A hard stop needs this many intervals in a row in which all was bad ...
pub const HARD_STOP_INTERVALS: u32 = 5;
/// ... and at least this many things in each.
pub const HARD_STOP_LEAST: u64 = 3;
/// A measure is blind after this many intervals in a row without data (or when
/// half of all intervals had none).
pub const BLIND_INTERVALS: u32 = 3;

/// The smallest false alarm that can be asked for; it keeps every bar finite.
const LEAST_ALPHA: f64 = 1e-9;

/// One measure, as the contract's `success` agreed it, reduced to shares of bad things.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measure {
    /// Its id.
    pub id: MeasureId,
    /// What it measures, in the contract's words.
    pub says: String,
    /// The largest share that was agreed: 0.01 for `at_most: 1%`, 0.05 for `p95: 300ms`
    /// with answers over 300 ms as the bad ones. A number that is not finite or
    /// below 0 counts as none.
    pub limit: Option<f64>,
    /// By how much of all the canary may be worse than the control: 0.005 for
    /// half a percentage point. A number that is not finite or below 0 counts as none.
    pub worse_by: Option<f64>,
    /// Whether the release is kept only when this was seen. If none is, all are.
    pub critical: bool,
}

/// What was agreed about the watch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Terms {
    /// What is watched.
    pub measures: Vec<Measure>,
    /// The chance of rolling a harmless release back, over the whole watch: 0.01.
    /// Split evenly over the measures, and within one over limit and control.
    pub false_alarm: f64,
    /// How many intervals the watch lasts.
    pub watch_intervals: u32,
    /// How long an interval is, in seconds; used only to say times.
    pub interval_s: u32,
    /// Whether earlier watches have shown that these measures vary no more than
    /// independent events do. If not, a tenth of `false_alarm` is spent.
    pub calibrated: bool,
}

impl Terms {
    /// What may be spent on all measures together.
    fn alpha(&self, asked: f64) -> f64 {
        let alpha = if self.calibrated {
            asked
        } else {
            asked / UNCALIBRATED
        };
        // Written so that a NaN becomes the least.
        if alpha > LEAST_ALPHA {
            alpha.min(1.0)
        } else {
            LEAST_ALPHA
        }
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
    /// The evidence of harm: the larger one of the designs in use. Starts at 1;
    /// once it proved harm it may fall again, the state stays.
    pub e: f64,
    /// Harm is proven when `e` reaches this.
    pub bar: f64,
    /// Which comparison `e` comes from.
    pub design: Design,
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

/// Judges one watch, interval by interval. Its whole state serialises; exactly
/// the same bits come from replaying the samples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Judge {
    terms: Terms,
    intervals: u32,
    watched: Vec<Watched>,
}

impl Judge {
    /// A judge that has seen nothing yet.
    pub fn new(terms: &Terms) -> Self {
        let watched = terms.measures.iter();
        let watched = watched
            .map(|measure| Watched::new(measure, terms))
            .collect();
        Self {
            terms: terms.clone(),
            intervals: 0,
            watched,
        }
    }

    /// Takes in what one interval gave, by measure, and decides. A measure that
    /// is not there gave no data; one that is not watched is ignored.
    pub fn observe(&mut self, samples: &BTreeMap<MeasureId, Sample>) -> Verdict {
        self.intervals = self.intervals.saturating_add(1);
        let missing = Sample::default();
        for watched in &mut self.watched {
            watched.observe(samples.get(&watched.measure.id).unwrap_or(&missing));
        }
        self.verdict()
    }

    fn verdict(&self) -> Verdict {
        let (decision, because) = self.decide();
        let at_end = self.intervals >= self.terms.watch_intervals;
        let finding = |watched: &Watched| self.finding(watched, at_end);
        let measures = self.watched.iter().map(finding).collect();
        Verdict {
            decision,
            because,
            measures,
        }
    }

    fn decide(&self) -> (Decision, String) {
        let harmed: Vec<String> = self
            .watched
            .iter()
            .filter_map(|watched| self.harm_in_words(watched))
            .collect();
        if !harmed.is_empty() {
            return (Decision::RollBack, harmed.join(" "));
        }
        let decisive = self.decisive();
        if decisive.is_empty() {
            return (
                Decision::Hold,
                "No measure is watched, so nothing can be told.".to_owned(),
            );
        }
        let seconds = |n: u32| u64::from(n) * u64::from(self.terms.interval_s);
        let (over, whole) = (seconds(self.intervals), seconds(self.terms.watch_intervals));
        let numbers = words::and(decisive.iter().map(|watched| watched.in_words()));
        let blind: Vec<String> = decisive
            .iter()
            .filter_map(|watched| self.blindness_in_words(watched))
            .collect();
        if self.intervals < self.terms.watch_intervals {
            let (over, whole) = (words::span(over), words::span(whole));
            let says = match blind.as_slice() {
                [] => format!("Watching: {over} of {whole} over, no harm found: {numbers}."),
                blind => format!("Watching: {over} of {whole} over; {}.", words::and(blind)),
            };
            return (Decision::Hold, says);
        }
        if !blind.is_empty() {
            let says = format!("Cannot tell whether all is well: {}.", words::and(blind));
            return (Decision::Hold, says);
        }
        let over = words::span(over);
        let open = decisive
            .iter()
            .filter(|watched| !watched.proven(self.keep_bar()));
        let open: Vec<String> = open.map(|watched| watched.why_open()).collect();
        let says = match open.as_slice() {
            [] => format!("No harm in {over}, and proven so: {numbers}."),
            open => format!("No harm found in {over}: {numbers}; {}.", words::and(open)),
        };
        (Decision::Keep, says)
    }

    /// The measures without which nothing is kept.
    fn decisive(&self) -> Vec<&Watched> {
        let critical: Vec<&Watched> = self.watched.iter().filter(|w| w.measure.critical).collect();
        if critical.is_empty() {
            self.watched.iter().collect()
        } else {
            critical
        }
    }

    /// The logarithm of the evidence that proves a measure fine. Not split over
    /// measures: a wrong keep needs the proof of every one.
    fn keep_bar(&self) -> f64 {
        -self.terms.alpha(KEEP_ERROR).ln()
    }

    fn state(&self, watched: &Watched) -> State {
        if watched.harm.is_some() {
            State::Harm
        } else if watched.blind(self.intervals) {
            State::Blind
        } else if watched.proven(self.keep_bar()) {
            State::Fine
        } else {
            State::Undecided
        }
    }

    fn finding(&self, watched: &Watched, at_end: bool) -> Finding {
        let state = self.state(watched);
        let (design, log_e) = watched.loudest();
        let mut assumptions = Vec::new();
        if !self.terms.calibrated {
            assumptions.push(format!(
                "Uncalibrated: how much {} varies by itself is not known, so {UNCALIBRATED} times \
                 the evidence is asked for.",
                watched.measure.id
            ));
        }
        assumptions.extend(watched.assumptions(self.intervals));
        if at_end && state == State::Undecided {
            assumptions.push(format!("No harm was found, {}.", watched.why_open()));
        }
        Finding {
            measure: watched.measure.id.clone(),
            bad: watched.canary.bad,
            total: watched.canary.total,
            control: watched.control,
            ratio: watched.ratio.estimate(),
            interval: watched.ratio.interval(watched.alpha),
            e: log_e.exp().min(f64::MAX),
            bar: watched.log_bar().exp(),
            design,
            assumptions,
            state,
        }
    }

    fn harm_in_words(&self, watched: &Watched) -> Option<String> {
        let (harm, measure) = (watched.harm?, &watched.measure);
        let name = match measure.says.trim() {
            "" => measure.id.to_string(),
            says => format!("{} ({says})", measure.id),
        };
        let Counts { bad, total } = watched.canary;
        let share = words::percent(watched.canary.rate().unwrap_or(0.0));
        let what = format!("{name}: {bad} of {total} were bad ({share})");
        Some(match (harm, watched.control) {
            (Harm::HardStop, _) => {
                format!(
                    "{what}; hard stop: all of them in {HARD_STOP_INTERVALS} intervals in a row."
                )
            }
            (Harm::Proven(Design::Control), Some(control)) => {
                let times = words::times(&watched.ratio, watched.alpha);
                let agreed = agreed(measure.worse_by).map_or_else(String::new, |shift| {
                    format!("; at most {} more was agreed", words::points(shift))
                });
                let control = words::rate(control);
                format!("{what}, against {control} where nothing was changed{times}{agreed}.")
            }
            (Harm::Proven(_), _) => {
                let limit = words::percent(measure.limit.unwrap_or(0.0));
                format!("{what}; at most {limit} was agreed.")
            }
        })
    }

    fn blindness_in_words(&self, watched: &Watched) -> Option<String> {
        let (id, gaps, all) = (&watched.measure.id, watched.gaps, self.intervals);
        watched.blind(all).then(|| {
            if watched.canary.seen() && watched.pair(Design::Limit).is_none() {
                format!("{id} had nothing to compare with in {gaps} of {all} intervals")
            } else {
                format!("{id} gave no data in {gaps} of {all} intervals")
            }
        })
    }
}

/// A tolerance that can be used.
fn agreed(share: Option<f64>) -> Option<f64> {
    share.filter(|share| share.is_finite() && *share >= 0.0)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Harm {
    Proven(Design),
    HardStop,
}

/// One comparison, weighed both ways.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Pair {
    design: Design,
    /// Grows while the measure is worse than agreed.
    harm: EProcess,
    /// Grows while it is as agreed.
    fine: EProcess,
}

/// One measure and all that is remembered of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Watched {
    measure: Measure,
    /// This measure's share of the false alarm.
    alpha: f64,
    pairs: Vec<Pair>,
    ratio: RatioBand,
    canary: Counts,
    control: Option<Counts>,
    /// Intervals in which no pair had data, in all and in a row up to now.
    gaps: u32,
    gaps_in_row: u32,
    /// Intervals without a control.
    alone: u32,
    dead_in_row: u32,
    harm: Option<Harm>,
}

impl Watched {
    fn new(measure: &Measure, terms: &Terms) -> Self {
        let (limit, worse_by) = (agreed(measure.limit), agreed(measure.worse_by));
        let pair = |design, harm, fine| Pair {
            design,
            harm: EProcess::new(harm, terms.watch_intervals),
            fine: EProcess::from_start(fine),
        };
        let mut pairs = Vec::new();
        if worse_by.is_some() || limit.is_none() {
            let shift = worse_by.unwrap_or(0.0);
            // "No worse at all" cannot be proven, "not much worse" can.
            let margin = if worse_by.is_some() { 1.0 } else { KEEP_MARGIN };
            let (harm, fine) = (
                Null::NoWorse { ratio: 1.0, shift },
                Null::Worse {
                    ratio: margin,
                    shift,
                },
            );
            pairs.push(pair(Design::Control, harm, fine));
        }
        if let Some(limit) = limit {
            pairs.push(pair(
                Design::Limit,
                Null::Within(limit),
                Null::Beyond(limit),
            ));
        }
        Self {
            measure: measure.clone(),
            alpha: terms.alpha(terms.false_alarm) / terms.measures.len() as f64,
            pairs,
            ratio: RatioBand::default(),
            canary: Counts::default(),
            control: None,
            gaps: 0,
            gaps_in_row: 0,
            alone: 0,
            dead_in_row: 0,
            harm: None,
        }
    }

    fn observe(&mut self, sample: &Sample) {
        self.canary.add(sample.canary);
        match sample.control.filter(|control| control.seen()) {
            Some(control) => self.control.get_or_insert_default().add(control),
            None => self.alone += 1,
        }
        self.ratio.observe(sample);
        let mut had_data = false;
        for pair in &mut self.pairs {
            had_data |= pair.harm.observe(sample);
            pair.fine.observe(sample);
        }
        self.gaps += u32::from(!had_data);
        self.gaps_in_row = if had_data { 0 } else { self.gaps_in_row + 1 };
        // When the control is dead as well, it is not the change that killed it.
        let dead = sample.canary.total >= HARD_STOP_LEAST
            && sample.canary.all_bad()
            && !sample.control.is_some_and(Counts::all_bad);
        self.dead_in_row = if dead { self.dead_in_row + 1 } else { 0 };
        let (design, log_e) = self.loudest();
        if self.harm.is_none() && log_e >= self.log_bar() {
            self.harm = Some(Harm::Proven(design));
        }
        if self.harm.is_none() && self.dead_in_row >= HARD_STOP_INTERVALS {
            self.harm = Some(Harm::HardStop);
        }
    }

    fn pair(&self, design: Design) -> Option<&Pair> {
        self.pairs.iter().find(|pair| pair.design == design)
    }

    /// The logarithm of the evidence that proves harm, the same for each pair.
    fn log_bar(&self) -> f64 {
        (self.pairs.len() as f64).ln() - self.alpha.ln()
    }

    /// The design with the most evidence of harm, and the evidence's logarithm;
    /// the one that proved harm stays the one that is shown.
    fn loudest(&self) -> (Design, f64) {
        let log_e = |pair: &Pair| (pair.design, pair.harm.log_value());
        if let Some(Harm::Proven(design)) = self.harm
            && let Some(pair) = self.pair(design)
        {
            return log_e(pair);
        }
        // A measure always has a pair; one without data yields to one with.
        let with_data = self
            .pairs
            .iter()
            .filter(|pair| pair.harm.seen() > 0)
            .map(log_e);
        with_data
            .max_by(|a, b| a.1.total_cmp(&b.1))
            .or_else(|| self.pairs.last().map(log_e))
            .unwrap_or((Design::Control, 0.0))
    }

    fn blind(&self, intervals: u32) -> bool {
        self.gaps_in_row >= BLIND_INTERVALS || u64::from(self.gaps) * 2 >= u64::from(intervals)
    }

    fn proven(&self, bar: f64) -> bool {
        self.pairs.iter().all(|pair| pair.fine.log_value() >= bar)
    }

    /// Why a measure without harm is not proven fine either.
    fn why_open(&self) -> String {
        let why = if self.pairs.iter().any(|pair| pair.fine.log_value() < 0.0) {
            "too close to what was agreed"
        } else if self.pairs.iter().any(|pair| pair.fine.seen() == 0) {
            "no control"
        } else {
            "too little traffic"
        };
        format!("{why} to prove it for {}", self.measure.id)
    }

    fn in_words(&self) -> String {
        format!("{} {}", self.measure.id, words::rate(self.canary))
    }

    fn assumptions(&self, intervals: u32) -> Vec<String> {
        let mut says = Vec::new();
        if self.pair(Design::Control).is_some() {
            if self.control.is_some() {
                says.push("The control gets the same kind of traffic as the canary.".to_owned());
            }
            if self.alone > 0 {
                says.push(format!(
                    "There was no control in {} of {intervals} intervals; nothing was compared \
                     with it then.",
                    self.alone
                ));
            }
        }
        if self.harm == Some(Harm::HardStop) {
            says.push(
                "A hard stop is a plain rule: the agreed false alarm does not cover it.".to_owned(),
            );
        }
        says
    }
}
