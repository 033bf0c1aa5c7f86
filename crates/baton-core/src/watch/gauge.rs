//! Bets on a gauge: the mean of readings in each interval.
//!
//! The mixture sequential probability ratio test (mSPRT; Robbins 1970, Johari et
//! al. arXiv 1512.04922) with a few points for the prior: with `z` the difference
//! of an interval in units of its spread, `log e = l z - l^2/2` for each `l` of
//! [`EFFECTS`]. Exact for normal differences of a known spread; an approximation
//! otherwise, so not for rare events, which are counted, and with a spread that
//! had to be estimated the first intervals are only learnt from.

use serde::{Deserialize, Serialize};

/// The differences bet on, in units of the spread of one interval's difference.
const EFFECTS: [f64; 4] = [0.15, 0.4, 1.0, 2.0];
/// Their weights.
pub(super) const WEIGHTS: [f64; 4] = [0.4, 0.3, 0.2, 0.1];
/// A spread is believed after this many intervals.
const LEARNT_AFTER: f64 = 8.0;
/// One interval counts for at most this many spreads.
const MOST: f64 = 6.0;

/// How much one interval's difference varies by itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Spread {
    /// From history; it does not change.
    known: Option<f64>,
    seen: f64,
    mean: f64,
    squares: f64,
}

impl Spread {
    /// The standard deviation from history, or one to be learnt.
    pub(super) fn new(known: Option<f64>) -> Self {
        Self {
            known: known.filter(|sd| sd.is_finite() && *sd > 0.0),
            ..Self::default()
        }
    }

    /// The log evidence that the mean difference is above 0, for each effect;
    /// `None` while the spread is not known.
    pub(super) fn bets(&self, difference: f64) -> Option<[f64; 4]> {
        let z = (difference / self.sd()?).clamp(-MOST, MOST);
        Some(EFFECTS.map(|l| l * z - l * l / 2.0))
    }

    /// The standard deviation of one difference.
    pub(super) fn sd(&self) -> Option<f64> {
        let sd = match self.known {
            Some(sd) => sd,
            None if self.seen >= LEARNT_AFTER => (self.squares / (self.seen - 1.0)).sqrt(),
            None => return None,
        };
        (sd > 0.0 && sd.is_finite()).then_some(sd)
    }

    /// Takes one difference in (Welford's recurrence).
    pub(super) fn learn(&mut self, difference: f64) {
        self.seen += 1.0;
        let off = difference - self.mean;
        self.mean += off / self.seen;
        self.squares += off * (difference - self.mean);
    }

    /// The mean of the differences, and where it lies at every look at once with
    /// chance `1 - alpha`: the normal mixture of Robbins (1970) with its prior set
    /// to be tightest around 30 intervals.
    pub(super) fn mean(&self, log_alpha: f64) -> Option<(f64, f64, f64)> {
        let (sd, n) = (self.sd()?, self.seen);
        if n < 1.0 {
            return None;
        }
        let prior = 1.0 / 30.0;
        let wide = 1.0 + n * prior;
        let inner = 2.0 * wide / (n * n * prior) * (super::math::ln(wide) / 2.0 - log_alpha);
        let half = sd * inner.sqrt();
        Some((self.mean, self.mean - half, self.mean + half))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::counts;
    use crate::watch::eprocess::Mixture;
    use crate::watch::math::{exp, ln};
    use crate::watch::tests::Dice;

    #[test]
    fn under_the_null_the_mean_is_one() {
        // Riemann's sum over the normal density.
        let spread = Spread::new(Some(2.0));
        let mean: f64 = (-500..500)
            .map(|i| {
                let z = f64::from(i) / 100.0;
                let bets = spread.bets(z * 2.0).unwrap();
                let e: f64 = bets.iter().zip(WEIGHTS).map(|(b, w)| w * exp(*b)).sum();
                e * exp(-z * z / 2.0) / (2.0 * std::f64::consts::PI).sqrt() / 100.0
            })
            .sum();
        assert!((mean - 1.0).abs() < 1e-3, "{mean}");
    }

    #[test]
    fn with_a_learnt_spread_the_false_alarm_is_kept_and_harm_is_found() {
        let mut dice = Dice(8);
        let mut found = |shift: f64| {
            let runs = 1_000;
            let hit = (0..runs).filter(|_| {
                let (mut spread, mut process) = (Spread::new(None), Mixture::new(&WEIGHTS, 60));
                (0..60).any(|_| {
                    let difference = dice.normal() * 3.0 + shift;
                    if let Some(bets) = spread.bets(difference) {
                        process.observe(&bets);
                    }
                    spread.learn(difference);
                    process.log_value() >= ln(20.0)
                })
            });
            hit.count() as f64 / f64::from(runs)
        };
        let (nothing, harm) = (found(0.0), found(3.0));
        assert!(nothing <= 0.05, "{nothing}");
        assert!(harm >= 0.95, "{harm}");
    }

    #[test]
    fn the_interval_of_the_mean_holds_at_every_look() {
        let mut dice = Dice(9);
        let missed = (0..500).filter(|_| {
            let mut spread = Spread::new(Some(1.0));
            (0..60).any(|_| {
                spread.learn(dice.normal() + 0.5);
                let (_, low, high) = spread.mean(ln(0.05)).unwrap();
                !(low..=high).contains(&0.5)
            })
        });
        assert!(missed.count() <= 25);
    }

    #[test]
    fn what_does_not_vary_is_not_bet_on() {
        let mut spread = Spread::new(Some(f64::NAN));
        for _ in 0..20 {
            spread.learn(1.0);
        }
        assert_eq!(spread.bets(2.0), None);
        assert!((WEIGHTS.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        assert_eq!(counts::WEIGHTS.len(), 3);
    }
}
