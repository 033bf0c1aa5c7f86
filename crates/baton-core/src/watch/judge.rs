//! Keep, hold or roll back: decided anew after every interval of the watch.
//!
//! - **Roll back** as soon as any measure is proven to be worse than agreed, or
//!   at a hard stop. A harmless release is ever rolled back by proof with at most
//!   the agreed chance of a false alarm, over all measures and all looks.
//! - **Keep** only at the end of the watch, which is the time both sides agreed
//!   to look: when every critical measure was seen, and none was harmed. Whether
//!   it is *proven* fine, or only no harm was found, is said.
//! - **Hold** otherwise: the watch goes on, or what was seen is not enough to
//!   tell and a person decides. Missing data never keeps and never rolls back; nor
//!   does a comparison whose footing is gone: the traffic is not split as it was
//!   meant to be, or what was not changed is beyond the limit as well. Bets are
//!   then frozen, and the reason is said. A
//!   level that lay beyond what was agreed is not kept either, proven or not.
//!
//! What counts as harm is what was agreed, nothing else: a measure with a limit
//! is held to its limit, one with `worse_by` to the control plus that much, one
//! with both to each, and one with neither to being no worse than the control.
//! The ratio to the control is reported in any case.
//!
//! Whoever goes on looking after the watch gets the bar of a detector without an
//! end instead: a mean time between false alarms of [`BETWEEN_ALARMS`] intervals.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::math::{exp, ln};
use super::series::{Counts, Sample};
use super::terms::{Decision, Design, Finding, State, Terms, UNCALIBRATED, Verdict};
use super::watched::{HARD_STOP_INTERVALS, Harm, Watched};
use super::{pair, words};
use crate::id::MeasureId;

/// The chance of calling a measure fine that is not.
pub const KEEP_ERROR: f64 = 0.05;
/// The mean number of intervals between two false alarms of a measure after the
/// watch: 30 days of minutes.
pub const BETWEEN_ALARMS: f64 = 43_200.0;

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
        self.take(samples);
        self.verdict()
    }

    /// Takes in what one interval gave, without putting anything in words.
    pub fn take(&mut self, samples: &BTreeMap<MeasureId, Sample>) {
        let after = self.is_over();
        self.intervals = self.intervals.saturating_add(1);
        let warm = self.intervals > self.terms.warm_up();
        let missing = Sample::default();
        for watched in &mut self.watched {
            let sample = samples.get(&watched.measure.id).unwrap_or(&missing);
            watched.observe(sample, warm, after);
        }
    }

    /// Whether the watch had all its looks.
    pub fn is_over(&self) -> bool {
        self.intervals >= self.terms.watch_intervals
    }

    /// Whether harm was found.
    pub fn found_harm(&self) -> bool {
        self.watched.iter().any(|watched| watched.harm.is_some())
    }

    /// What follows from all that was taken in.
    pub fn verdict(&self) -> Verdict {
        let (decision, because) = self.decide();
        let at_end = self.is_over();
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
        let says = |watched: &&Watched| self.doubt_in_words(watched);
        let doubts: Vec<String> = decisive.iter().filter_map(says).collect();
        if !self.is_over() {
            let (over, whole) = (
                self.span(self.intervals),
                self.span(self.terms.watch_intervals),
            );
            let says = match doubts.as_slice() {
                [] => {
                    let numbers = words::and(decisive.iter().map(|watched| watched.in_words()));
                    format!("Watching: {over} of {whole} over, no harm found: {numbers}.")
                }
                doubts => format!("Watching: {over} of {whole} over; {}.", words::and(doubts)),
            };
            return (Decision::Hold, says);
        }
        if !doubts.is_empty() {
            let says = format!("Cannot tell whether all is well: {}.", words::and(doubts));
            return (Decision::Hold, says);
        }
        (Decision::Keep, self.kept_in_words(&decisive))
    }

    fn kept_in_words(&self, decisive: &[&Watched]) -> String {
        let over = self.span(self.intervals);
        let numbers = words::and(decisive.iter().map(|watched| watched.in_words()));
        let open = decisive
            .iter()
            .filter(|watched| !watched.proven(self.keep_bar(watched)));
        let open: Vec<String> = open.map(|watched| watched.why_open()).collect();
        match open.as_slice() {
            [] => format!("No harm in {over}, and proven so: {numbers}."),
            open => format!("No harm found in {over}: {numbers}; {}.", words::and(open)),
        }
    }

    fn span(&self, intervals: u32) -> String {
        words::span(u64::from(intervals) * u64::from(self.terms.interval_s))
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
    fn keep_bar(&self, watched: &Watched) -> f64 {
        -ln(watched.measure.careful(KEEP_ERROR))
    }

    fn state(&self, watched: &Watched) -> State {
        if watched.harm.is_some() {
            State::Harm
        } else if watched.blind(self.intervals) {
            State::Blind
        } else if watched.proven(self.keep_bar(watched)) {
            State::Fine
        } else {
            State::Undecided
        }
    }

    fn finding(&self, watched: &Watched, at_end: bool) -> Finding {
        let state = self.state(watched);
        let (design, log_e, log_bar) = watched.loudest().map_or_else(
            || (Design::Limit, 0.0, -ln(watched.alpha)),
            |pair| (pair.design, pair.log_harm(), pair.log_bar),
        );
        let mut assumptions = Vec::new();
        if watched.measure.dispersion().is_none() {
            assumptions.push(format!(
                "Uncalibrated: how much {} varies by itself is not known, so {UNCALIBRATED} times \
                 the evidence is asked for.",
                watched.measure.id
            ));
        }
        assumptions.extend(self.assumptions(watched));
        if at_end && state == State::Undecided {
            assumptions.push(format!("No harm was found, {}.", watched.why_open()));
        }
        let wait = watched.proven_in(self.keep_bar(watched));
        let wait = wait.filter(|_| state == State::Undecided && !at_end);
        Finding {
            measure: watched.measure.id.clone(),
            bad: watched.canary.bad,
            total: watched.canary.total,
            control: watched.control,
            ratio: watched.ratio.estimate(),
            interval: watched.ratio.interval(watched.alpha, watched.phi()),
            effect: watched.effect(),
            e: exp(log_e).min(f64::MAX),
            bar: exp(log_bar),
            alpha: watched.alpha,
            dispersion: watched.measure.dispersion(),
            design,
            decided_in: wait,
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
        let effect = watched.effect();
        if let (Harm::Proven(design), Some(effect)) = (harm, effect)
            && let Some(says) = words::effect(&effect, design, measure)
        {
            return Some(format!("{name}: {says}."));
        }
        Some(match (harm, watched.control) {
            (Harm::HardStop, _) => {
                format!(
                    "{what}; hard stop: all of them in {HARD_STOP_INTERVALS} intervals in a row."
                )
            }
            (Harm::Proven(Design::Control), Some(control)) => {
                let times = words::times(&watched.ratio, watched.alpha, watched.phi());
                let agreed = pair::agreed(measure.worse_by).map_or_else(String::new, |shift| {
                    format!("; at most {} more was agreed", words::points(shift))
                });
                let control = words::rate(control);
                format!("{what}, against {control} where nothing was changed{times}{agreed}.")
            }
            (Harm::Proven(Design::History), _) => {
                format!("{what}, more than earlier days lead one to expect.")
            }
            (Harm::Proven(_), _) => {
                let limit = words::percent(measure.limit.unwrap_or(0.0));
                format!("{what}; at most {limit} was agreed.")
            }
        })
    }

    /// Why a measure cannot be judged.
    fn doubt_in_words(&self, watched: &Watched) -> Option<String> {
        let id = &watched.measure.id;
        if let Some((is, meant)) = watched.wrong_split() {
            return Some(format!(
                "{id} cannot be compared: {} of the traffic goes to the change, where {} was meant",
                words::percent(is),
                words::percent(meant)
            ));
        }
        if watched.astray() {
            return Some(format!(
                "{id} is over its limit where nothing was changed as well, so something else is wrong"
            ));
        }
        if let Some(blind) = watched.blindness_in_words(self.intervals) {
            return Some(blind);
        }
        if !self.is_over() {
            return None;
        }
        if watched.unweighed() {
            return Some(format!("{id} gave too little to weigh"));
        }
        watched.is_beyond().then(|| {
            let at = watched.in_words();
            format!("{at} lies beyond what was agreed, though it varies too much to prove that")
        })
    }

    fn assumptions(&self, watched: &Watched) -> Vec<String> {
        let mut says = Vec::new();
        if watched.compares(Design::Control) {
            if watched.control.is_some() && watched.measure.learned.split.is_none() {
                says.push("The control gets the same kind of traffic as the canary.".to_owned());
            }
            if watched.alone > 0 {
                says.push(format!(
                    "There was no control in {} of {} intervals; nothing was compared \
                     with it then.",
                    watched.alone, self.intervals
                ));
            }
        }
        if watched.compares(Design::History) {
            says.push(
                "Today differs from earlier days no more than they do from each other.".to_owned(),
            );
        }
        if watched.split_off() || watched.astray() {
            says.push("What cannot be compared is not bet on.".to_owned());
        }
        if watched.harm == Some(Harm::HardStop) {
            says.push(
                "A hard stop is a plain rule: the agreed false alarm does not cover it.".to_owned(),
            );
        }
        says
    }
}
