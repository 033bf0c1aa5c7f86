//! Evidence that may be looked at after every interval.
//!
//! An *e-process* starts at 1 and, as long as its null hypothesis holds, its
//! expected value never exceeds 1. By Ville's inequality (Ville 1939) it then
//! ever reaches `1/alpha` with probability at most `alpha`, however often one
//! looks. [`Mixture`] bets in each interval on several alternatives and on when
//! the harm began; averages of e-processes are e-processes. [`Detector`] watches
//! on without an end.
//!
//! What is bet on stands in the modules of the tests: [`counts`](super::counts),
//! `bernoulli`, `histogram`,
//! `gauge`. Everything is kept in logarithms, so huge counts stay
//! finite.

use serde::{Deserialize, Serialize};

use super::counts::Line;
use super::math::{ln, log_add, log_sum};

/// The share of the weight that bets on an onset in the first interval.
const FIRST: f64 = 0.6;

/// The evidence so far, mixed over alternatives and onset.
///
/// For each alternative `A_t = (A_{t-1} + w_t) e_t`, and the value is the weighted
/// sum of the `A_t` plus the weight not yet put in; `w` is `FIRST` for the first
/// interval and even over the rest of the horizon. So harm that starts late is
/// found without having to overcome the healthy time before it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mixture {
    horizon: u32,
    seen: u32,
    /// Logarithms of the weights of the alternatives.
    weights: Vec<f64>,
    /// Logarithms of `weight x A` of each.
    parts: Vec<f64>,
    /// The logarithm of what was gained by never betting beyond the bar.
    gained: f64,
}

impl Mixture {
    /// Bets with these weights (which sum to 1) that allow for an onset in any
    /// of the first `horizon` intervals with data.
    pub fn new(weights: &[f64], horizon: u32) -> Self {
        Self {
            horizon,
            seen: 0,
            weights: weights.iter().map(|weight| ln(*weight)).collect(),
            parts: weights.iter().map(|_| f64::NEG_INFINITY).collect(),
            gained: 0.0,
        }
    }

    /// Bets that take the null to be true or false all the time.
    pub fn from_start(weights: &[f64]) -> Self {
        Self::new(weights, 1)
    }

    /// Takes one interval in: the log evidence for each alternative.
    pub fn observe(&mut self, bets: &[f64]) {
        self.enter();
        for (part, bet) in self.parts.iter_mut().zip(bets) {
            *part += bet;
        }
    }

    /// The same for a bet on a count whose law under the null is known. What a
    /// process could win beyond the bar is worth nothing, so that much is moved to
    /// where it helps (Fischer and Ramdas, arXiv 2410.16076): the value is
    /// multiplied by the largest `b` for which the expected value of
    /// `min(b value, bar)` is still at most the value before. `phi` is the
    /// dispersion the evidence is tempered by.
    pub fn observe_line(&mut self, line: &Line, phi: f64, log_bar: f64) {
        let before = self.log_value();
        self.enter();
        let rest = self.log_remaining();
        let value = |x: f64| {
            let parts = self.parts.iter().zip(line.bets(x));
            let parts = parts.map(|(part, bet)| part + bet / phi);
            self.gained + log_add(log_sum(parts), rest)
        };
        let gain = line.gain(phi, before, log_bar, value);
        self.gained += gain;
        for (part, bet) in self.parts.iter_mut().zip(line.bets(line.x)) {
            *part += bet / phi;
        }
    }

    /// The natural logarithm of the evidence; finite for every possible input.
    pub fn log_value(&self) -> f64 {
        if self.seen == 0 {
            return 0.0;
        }
        let parts = log_sum(self.parts.iter().copied());
        self.gained + log_add(parts, self.log_remaining())
    }

    /// How many intervals had data.
    pub fn seen(&self) -> u32 {
        self.seen
    }

    /// Puts the weight of an onset in the coming interval in.
    fn enter(&mut self) {
        let weight = match (self.seen, self.horizon) {
            (0, 0 | 1) => 1.0,
            (0, _) => FIRST,
            (seen, horizon) if seen < horizon => (1.0 - FIRST) / f64::from(horizon - 1),
            _ => 0.0,
        };
        self.seen = self.seen.saturating_add(1);
        if weight > 0.0 {
            let weight = ln(weight);
            for (part, own) in self.parts.iter_mut().zip(&self.weights) {
                *part = log_add(*part, weight + own);
            }
        }
    }

    /// The logarithm of the weight of all onsets still to come.
    fn log_remaining(&self) -> f64 {
        match self.horizon.saturating_sub(self.seen) {
            0 => f64::NEG_INFINITY,
            to_come => ln((1.0 - FIRST) * f64::from(to_come) / f64::from(self.horizon - 1)),
        }
    }
}

/// Evidence for harm that begins at any time, without an end: the e-detector of
/// Shiryaev-Roberts form, `M_t = (M_{t-1} + 1) e_t` (Shin, Ramdas and Rinaldo,
/// arXiv 2203.03532). While the null holds, the mean time until it first reaches
/// a bar `B` is at least `B` intervals. It falls again when the harm is over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Detector {
    weights: Vec<f64>,
    parts: Vec<f64>,
}

impl Detector {
    /// Bets with these weights, which sum to 1.
    pub fn new(weights: &[f64]) -> Self {
        Self {
            weights: weights.iter().map(|weight| ln(*weight)).collect(),
            parts: weights.iter().map(|_| f64::NEG_INFINITY).collect(),
        }
    }

    /// Takes one interval in: the log evidence for each alternative.
    pub fn observe(&mut self, bets: &[f64]) {
        for ((part, own), bet) in self.parts.iter_mut().zip(&self.weights).zip(bets) {
            *part = log_add(*part, *own) + bet;
        }
    }

    /// The natural logarithm of the evidence; 0 before anything was seen.
    pub fn log_value(&self) -> f64 {
        log_sum(self.parts.iter().copied()).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::counts::{Null, RATIOS, WEIGHTS};
    use crate::watch::math::exp;
    use crate::watch::series::Counts;

    fn limited(bad: u64, total: u64, limit: f64) -> Line {
        Null::Within(limit)
            .line(Counts::new(bad, total), None)
            .unwrap()
    }

    #[test]
    fn mixed_over_onsets_the_mean_is_still_one_after_every_interval() {
        let chances = crate::watch::tests::poisson(0.2);
        let mut worlds = vec![(1.0, Mixture::new(&WEIGHTS, 3))];
        for look in 1..=4 {
            let mut next = Vec::new();
            for (chance, process) in &worlds {
                for (bad, more) in chances.iter().enumerate().take(9) {
                    let mut process = process.clone();
                    let line = limited(bad as u64, 1, 0.2);
                    process.observe(&line.bets(line.x));
                    next.push((chance * more, process));
                }
            }
            let mean: f64 = next
                .iter()
                .map(|(chance, p)| chance * exp(p.log_value()))
                .sum();
            assert!((mean - 1.0).abs() < 1e-3, "look {look}: {mean}");
            worlds = next;
        }
    }

    #[test]
    fn late_harm_is_found_although_the_time_before_was_healthy() {
        let null = Null::NoWorse {
            ratio: 1.0,
            shift: 0.0,
        };
        let needed = |process: &mut Mixture| {
            let mut see = |bad| {
                let line = null
                    .line(Counts::new(bad, 600), Some(Counts::new(6, 600)))
                    .unwrap();
                process.observe_line(&line, 1.0, ln(20.0));
                process.log_value()
            };
            for _ in 0..60 {
                see(3);
            }
            (1..=60).find(|_| see(15) >= ln(20.0))
        };
        let mixed = needed(&mut Mixture::new(&WEIGHTS, 120)).unwrap();
        let plain = needed(&mut Mixture::from_start(&WEIGHTS)).unwrap_or(99);
        assert!(mixed < plain, "{mixed} {plain}");
        assert!(mixed <= 8, "{mixed}");
    }

    #[test]
    fn a_detector_rises_with_harm_and_falls_after_it() {
        let mut detector = Detector::new(&WEIGHTS);
        assert_eq!(detector.log_value(), 0.0);
        let mut see = |bad| {
            let line = limited(bad, 600, 0.01);
            detector.observe(&line.bets(line.x));
            detector.log_value()
        };
        let healthy = (0..500).map(|_| see(5)).fold(0.0, f64::max);
        assert!(healthy < ln(43_200.0), "{healthy}");
        let found = (1..=60).find(|_| see(15) >= ln(43_200.0)).unwrap();
        assert!(found <= 9, "{found}");
        let over = (1..=60).find(|_| see(3) < ln(10.0)).unwrap();
        assert!(over <= 30, "{over}");
    }

    #[test]
    fn weights_sum_to_one() {
        assert!((WEIGHTS.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        assert_eq!(WEIGHTS.len(), RATIOS.len());
    }
}
