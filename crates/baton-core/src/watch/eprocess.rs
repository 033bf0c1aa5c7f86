//! Evidence that may be looked at after every interval.
//!
//! An *e-process* starts at 1 and, as long as its null hypothesis holds, its
//! expected value never exceeds 1. By Ville's inequality (Ville 1939) it then
//! ever reaches `1/alpha` with probability at most `alpha`, however often one
//! looks. A process bets in each interval on four ratios ([`RATIOS`]) and on
//! when the harm began; averages of e-processes are e-processes.
//!
//! Everything is kept in logarithms, so huge counts stay finite. Promised for
//! Poisson counts and, more conservatively, for single trials (Bernoulli); not
//! promised when events come in bursts of their own, which is why an
//! uncalibrated judge asks for ten times the evidence.

use serde::{Deserialize, Serialize};

use super::series::{Counts, Sample};

/// The ratios bet on, each with the same weight.
pub const RATIOS: [f64; 4] = [1.2, 1.4, 2.0, 4.0];

/// The share of the weight that bets on an onset in the first interval.
const FIRST: f64 = 0.5;

/// What a process tries to refute, about rates of bad things.
///
/// For one ratio `r > 1` the evidence of an interval with `x1` bad of `n1`
/// (canary) and `x0` of `n0` (control) is, with `t = w1/(w1+w0)`,
/// `a = r/(1+t(r-1))` and `b = 1/(1+t(r-1))`:
///
/// | null | w1, w0 | log e |
/// |---|---|---|
/// | `p1 <= ratio p0 + shift` | `ratio n1`, `n0` | `x1 ln a + x0 ln b - n1 shift (a-1)` |
/// | `p1 >= ratio p0 + shift` | `n0`, `ratio n1` | `x0 ln a + x1 ln b + n1 shift (1-b)` |
/// | `p1 <= limit` | | `x1 ln r - n1 limit (r-1)` |
/// | `p1 >= limit` | | `-x1 ln r + n1 limit (1-1/r)` |
///
/// The first with `shift = 0` is the conditional test of two counts (Lindon and
/// Malek, arXiv 2011.03567; in the safe-testing form of Turner, Ly and
/// Grünwald), the third the likelihood ratio of two Poisson rates. Why the mean
/// is at most 1: a count with mean `m` has `E c^x <= exp(m(c-1))` (equality for
/// Poisson, `ln(1+y) <= y` for trials), and `a`, `b` are such that
/// `w1 (a-1) + w0 (b-1) = 0`, so the common rate `p0` cancels whatever it is
/// and however it drifts; the part of the canary's mean that is due to `shift`
/// is paid for by the last term. No rate has to be estimated.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Null {
    /// The canary is no worse than `ratio` x control + `shift`: refuting it is harm.
    NoWorse {
        /// Times the control's rate; above 0.
        ratio: f64,
        /// And this share of all on top; at least 0.
        shift: f64,
    },
    /// The canary is at least that much worse: refuting it is proof that all is well.
    Worse {
        /// Times the control's rate; above 0.
        ratio: f64,
        /// And this share of all on top; at least 0.
        shift: f64,
    },
    /// The canary's rate is at most this share: refuting it is harm.
    Within(f64),
    /// The canary's rate is at least this share: refuting it is proof that all is well.
    Beyond(f64),
}

impl Null {
    /// The log evidence of one interval for each of [`RATIOS`]; `None` when the
    /// interval lacks what this null speaks about.
    pub fn bets(self, sample: &Sample) -> Option<[f64; 4]> {
        match self {
            Self::NoWorse { ratio, shift } => {
                let (canary, control) = sample.both()?;
                let exposure = canary.total as f64;
                let share = share(ratio * exposure, control.total as f64);
                Some(RATIOS.map(|r| {
                    let gain = r / (1.0 + share * (r - 1.0)) - 1.0;
                    two_counts(canary, control, share, r) - exposure * shift * gain
                }))
            }
            Self::Worse { ratio, shift } => {
                let (canary, control) = sample.both()?;
                let exposure = canary.total as f64;
                let share = share(control.total as f64, ratio * exposure);
                Some(RATIOS.map(|r| {
                    let loss = 1.0 - 1.0 / (1.0 + share * (r - 1.0));
                    two_counts(control, canary, share, r) + exposure * shift * loss
                }))
            }
            Self::Within(limit) => one_count(sample.canary, limit, |r| r),
            Self::Beyond(limit) => one_count(sample.canary, limit, |r| 1.0 / r),
        }
    }
}

/// `first / (first + second)`.
fn share(first: f64, second: f64) -> f64 {
    first / (first + second)
}

/// `x ln a + y ln b`, written so that each logarithm is taken once.
fn two_counts(first: Counts, second: Counts, share: f64, ratio: f64) -> f64 {
    let (first, second) = (first.bad as f64, second.bad as f64);
    first * ratio.ln() - (first + second) * (share * (ratio - 1.0)).ln_1p()
}

/// `x ln r - n limit (r-1)` for each ratio, turned as asked.
fn one_count(counts: Counts, limit: f64, turn: impl Fn(f64) -> f64) -> Option<[f64; 4]> {
    let (bad, expected) = (counts.bad as f64, counts.total as f64 * limit);
    counts.seen().then(|| {
        RATIOS.map(|r| {
            let r = turn(r);
            bad * r.ln() - expected * (r - 1.0)
        })
    })
}

/// The evidence so far against one [`Null`], mixed over ratio and onset.
///
/// For each ratio `A_t = (A_{t-1} + w_t) e_t`, and the value is the mean of the
/// `A_t` plus the weight not yet put in; `w` is one half for the first interval
/// and even over the rest of the horizon. So harm that starts late is found
/// without having to overcome the healthy time before it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EProcess {
    null: Null,
    horizon: u32,
    seen: u32,
    log_a: [f64; 4],
}

impl EProcess {
    /// A process against `null` that allows for an onset in any of the first
    /// `horizon` intervals with data.
    pub fn new(null: Null, horizon: u32) -> Self {
        let (seen, log_a) = (0, [0.0; 4]);
        Self {
            null,
            horizon,
            seen,
            log_a,
        }
    }

    /// A process that takes the null to be true or false all the time.
    pub fn from_start(null: Null) -> Self {
        Self::new(null, 1)
    }

    /// Takes one interval in. An interval without data changes nothing; the
    /// answer says whether there was some.
    pub fn observe(&mut self, sample: &Sample) -> bool {
        let Some(bets) = self.null.bets(sample) else {
            return false;
        };
        let entering = self.weight();
        for (log_a, bet) in self.log_a.iter_mut().zip(bets) {
            let before = match (self.seen, entering) {
                (0, weight) => weight.ln(),
                (_, weight) if weight > 0.0 => log_sum([*log_a, weight.ln()]),
                _ => *log_a,
            };
            *log_a = before + bet;
        }
        self.seen = self.seen.saturating_add(1);
        true
    }

    /// The natural logarithm of the evidence; finite for every possible input.
    pub fn log_value(&self) -> f64 {
        if self.seen == 0 {
            return 0.0;
        }
        let running = log_sum(self.log_a) - (RATIOS.len() as f64).ln();
        match self.remaining() {
            rest if rest > 0.0 => log_sum([running, rest.ln()]),
            _ => running,
        }
    }

    /// How many intervals had data.
    pub fn seen(&self) -> u32 {
        self.seen
    }

    /// The weight of an onset in the coming interval.
    fn weight(&self) -> f64 {
        match (self.seen, self.horizon) {
            (0, 0 | 1) => 1.0,
            (0, _) => FIRST,
            (seen, horizon) if seen < horizon => (1.0 - FIRST) / f64::from(horizon - 1),
            _ => 0.0,
        }
    }

    /// The weight of all onsets after the intervals seen, of which there are some.
    fn remaining(&self) -> f64 {
        let to_come = self.horizon.saturating_sub(self.seen);
        if to_come == 0 {
            return 0.0;
        }
        (1.0 - FIRST) * f64::from(to_come) / f64::from(self.horizon - 1)
    }
}

/// `ln(sum(exp(x)))` without overflow, for at least one finite `x`.
pub(super) fn log_sum<const N: usize>(logs: [f64; N]) -> f64 {
    log_sum_of(&logs)
}

/// [`log_sum`] of a slice.
pub(super) fn log_sum_of(logs: &[f64]) -> f64 {
    let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    most + logs.iter().map(|log| (log - most).exp()).sum::<f64>().ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(x1: u64, n1: u64, x0: u64, n0: u64) -> Sample {
        Sample {
            canary: Counts::new(x1, n1),
            control: Some(Counts::new(x0, n0)),
        }
    }

    fn binomial(n: u64, p: f64) -> Vec<f64> {
        let mut chances = vec![0.0; usize::try_from(n).unwrap() + 1];
        chances[0] = 1.0;
        for _ in 0..n {
            for k in (0..chances.len()).rev() {
                let below = if k > 0 { chances[k - 1] } else { 0.0 };
                chances[k] = chances[k] * (1.0 - p) + below * p;
            }
        }
        chances
    }

    fn poisson(mean: f64) -> Vec<f64> {
        let mut chances = vec![(-mean).exp()];
        for k in 1..120 {
            chances.push(chances[k - 1] * mean / k as f64);
        }
        chances
    }

    /// The mean of `e` over everything that may be counted.
    fn mean(null: Null, n1: u64, n0: u64, canary: &[f64], control: &[f64]) -> f64 {
        let mut sum = 0.0;
        for (x1, chance1) in canary.iter().enumerate() {
            for (x0, chance0) in control.iter().enumerate() {
                let bets = null.bets(&sample(x1 as u64, n1, x0 as u64, n0)).unwrap();
                sum += chance1 * chance0 * bets.map(f64::exp).iter().sum::<f64>() / 4.0;
            }
        }
        sum
    }

    const EXPOSURES: [(u64, u64); 4] = [(6, 6), (9, 2), (2, 11), (1, 1)];
    const SLACK: f64 = 1e-9;

    #[test]
    fn under_the_null_the_mean_against_a_control_is_at_most_one() {
        for (n1, n0) in EXPOSURES {
            for p0 in [0.0, 0.01, 0.1, 0.4] {
                for ratio in [0.8, 1.0, 1.25, 2.0] {
                    for shift in [0.0, 0.05, 0.1] {
                        let edge: f64 = ratio * p0 + shift;
                        for p1 in [edge, edge * 0.5] {
                            let null = Null::NoWorse { ratio, shift };
                            let trials = mean(null, n1, n0, &binomial(n1, p1), &binomial(n0, p0));
                            assert!(trials <= 1.0 + SLACK, "{null:?} {n1} {n0} {p0}: {trials}");
                            let counts = mean(
                                null,
                                n1,
                                n0,
                                &poisson(p1 * n1 as f64),
                                &poisson(p0 * n0 as f64),
                            );
                            assert!(counts <= 1.0 + SLACK, "{null:?} {n1} {n0} {p0}: {counts}");
                        }
                        for p1 in [edge, (edge * 1.5).min(1.0)] {
                            let null = Null::Worse { ratio, shift };
                            let trials = mean(null, n1, n0, &binomial(n1, p1), &binomial(n0, p0));
                            assert!(trials <= 1.0 + SLACK, "{null:?} {n1} {n0} {p0}: {trials}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn at_the_edge_of_the_null_the_mean_of_poisson_counts_is_one() {
        let (n1, n0, p0, ratio, shift) = (7, 4, 0.3, 1.25, 0.1);
        let (canary, control) = (poisson((ratio * p0 + shift) * 7.0), poisson(p0 * 4.0));
        for null in [Null::NoWorse { ratio, shift }, Null::Worse { ratio, shift }] {
            let mean = mean(null, n1, n0, &canary, &control);
            assert!((mean - 1.0).abs() < 1e-6, "{null:?}: {mean}");
        }
        for null in [Null::Within(0.475), Null::Beyond(0.475)] {
            let mean = mean(null, n1, n0, &poisson(0.475 * 7.0), &[1.0]);
            assert!((mean - 1.0).abs() < 1e-6, "{null:?}: {mean}");
        }
    }

    #[test]
    fn under_the_null_the_mean_against_a_limit_is_at_most_one() {
        for n in [1, 5, 20] {
            for limit in [0.0, 0.01, 0.05, 0.3] {
                for p in [limit, limit / 3.0] {
                    let mean = mean(Null::Within(limit), n, 1, &binomial(n, p), &[1.0]);
                    assert!(mean <= 1.0 + SLACK, "{n} {limit} {p}: {mean}");
                }
                for p in [limit, limit * 2.0] {
                    let mean = mean(Null::Beyond(limit), n, 1, &binomial(n, p), &[1.0]);
                    assert!(mean <= 1.0 + SLACK, "{n} {limit} {p}: {mean}");
                }
            }
        }
    }

    #[test]
    fn mixed_over_onsets_the_mean_is_still_one_after_every_interval() {
        let null = Null::Within(0.2);
        let chances = poisson(0.2);
        let mut worlds = vec![(1.0, EProcess::new(null, 3))];
        for look in 1..=4 {
            let mut next = Vec::new();
            for (chance, process) in &worlds {
                for (bad, more) in chances.iter().enumerate().take(9) {
                    let mut process = process.clone();
                    process.observe(&sample(bad as u64, 1, 0, 0));
                    next.push((chance * more, process));
                }
            }
            let mean: f64 = next
                .iter()
                .map(|(chance, p)| chance * p.log_value().exp())
                .sum();
            assert!((mean - 1.0).abs() < 1e-3, "look {look}: {mean}");
            worlds = next;
        }
    }

    #[test]
    fn evidence_is_the_same_however_an_interval_is_split() {
        for null in [
            Null::NoWorse {
                ratio: 1.0,
                shift: 0.005,
            },
            Null::Worse {
                ratio: 1.25,
                shift: 0.0,
            },
            Null::Within(0.01),
            Null::Beyond(0.01),
        ] {
            let whole = null.bets(&sample(9, 600, 4, 300)).unwrap();
            let part = null.bets(&sample(7, 400, 1, 200)).unwrap();
            let rest = null.bets(&sample(2, 200, 3, 100)).unwrap();
            for i in 0..4 {
                assert!((whole[i] - part[i] - rest[i]).abs() < 1e-12, "{null:?}");
            }
        }
    }

    #[test]
    fn an_interval_without_data_changes_nothing() {
        let mut process = EProcess::new(
            Null::NoWorse {
                ratio: 1.0,
                shift: 0.0,
            },
            30,
        );
        assert!(process.observe(&sample(5, 100, 1, 100)));
        let before = process.clone();
        let alone = Sample {
            canary: Counts::new(50, 100),
            control: None,
        };
        for empty in [
            Sample::default(),
            alone,
            sample(0, 0, 4, 9),
            sample(4, 9, 0, 0),
        ] {
            assert!(!process.observe(&empty));
        }
        assert_eq!(process, before);
    }

    #[test]
    fn late_harm_is_found_although_the_time_before_was_healthy() {
        let null = Null::NoWorse {
            ratio: 1.0,
            shift: 0.0,
        };
        let mut mixed = EProcess::new(null, 120);
        let mut plain = EProcess::from_start(null);
        let needed = |process: &mut EProcess| {
            for _ in 0..60 {
                process.observe(&sample(3, 600, 6, 600));
            }
            (1..=60).find(|_| {
                process.observe(&sample(15, 600, 6, 600));
                process.log_value() >= 20f64.ln()
            })
        };
        let (mixed, plain) = (
            needed(&mut mixed).unwrap(),
            needed(&mut plain).unwrap_or(99),
        );
        assert!(mixed < plain, "{mixed} {plain}");
        assert!(mixed <= 8, "{mixed}");
    }

    #[test]
    fn huge_counts_stay_finite() {
        let n = 1_000_000_000_000;
        for null in [
            Null::NoWorse {
                ratio: 1.0,
                shift: 0.001,
            },
            Null::Worse {
                ratio: 1.25,
                shift: 0.0,
            },
            Null::Within(0.01),
            Null::Beyond(0.01),
        ] {
            let mut process = EProcess::new(null, 10);
            for _ in 0..20 {
                for bad in [0, n / 2, n, u64::MAX] {
                    process.observe(&sample(bad, n, n / 100, n));
                    process.observe(&sample(bad, u64::MAX, u64::MAX, u64::MAX));
                    assert!(process.log_value().is_finite(), "{null:?}");
                }
            }
        }
    }
}
