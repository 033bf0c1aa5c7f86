//! Bets on counts of bad things: against a control, or against a limit.
//!
//! Promised for Poisson counts and, more conservatively, for single trials
//! (Bernoulli); not promised when events come in bursts of their own, which is
//! what the dispersion learnt from history is for.

use serde::{Deserialize, Serialize};

use super::math::{exp, ln};
use super::series::Counts;

/// The ratios bet on. Few and far apart: each bet costs a share of the weight,
/// and a ratio in between is found by its neighbours.
pub const RATIOS: [f64; 3] = [1.3, 1.7, 3.0];
/// The weights of the [`RATIOS`]: most on the smallest, which has least evidence
/// to spare in each interval.
pub const WEIGHTS: [f64; 3] = [0.6, 0.25, 0.15];

/// More possible outcomes than this are not enumerated.
const OUTCOMES_MAX: usize = 4096;

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
    /// The bets of one interval; `None` when it lacks what this null speaks about.
    pub fn line(self, canary: Counts, control: Option<Counts>) -> Option<Line> {
        let exposure = canary.total as f64;
        let both = || {
            let control = control.filter(|control| control.seen())?;
            canary.seen().then_some(control)
        };
        Some(match self {
            Self::NoWorse { ratio, shift } => {
                let control = both()?;
                let share = share(ratio * exposure, control.total as f64);
                let gain = |r: f64| r / (1.0 + share * (r - 1.0)) - 1.0;
                let mut line = Line::split(canary, control, share);
                for (cost, r) in line.costs.iter_mut().zip(RATIOS) {
                    *cost += exposure * shift * gain(r);
                }
                if shift == 0.0 && ratio == 1.0 {
                    line.law = Law::Split { canary, control };
                }
                line
            }
            Self::Worse { ratio, shift } => {
                let control = both()?;
                let share = share(control.total as f64, ratio * exposure);
                let loss = |r: f64| 1.0 - 1.0 / (1.0 + share * (r - 1.0));
                let mut line = Line::split(control, canary, share);
                for (cost, r) in line.costs.iter_mut().zip(RATIOS) {
                    *cost -= exposure * shift * loss(r);
                }
                line
            }
            Self::Within(limit) => {
                let law = Law::Limit {
                    total: canary.total,
                    limit,
                };
                Line::count(canary, limit, law, |r| r)?
            }
            Self::Beyond(limit) => Line::count(canary, limit, Law::Unknown, |r| 1.0 / r)?,
        })
    }
}

/// `first / (first + second)`.
fn share(first: f64, second: f64) -> f64 {
    first / (first + second)
}

/// The log evidence of one interval as a straight line in the count that decides.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    /// The count seen.
    pub x: f64,
    slopes: [f64; 3],
    costs: [f64; 3],
    law: Law,
}

/// What is known of the count under the null, at its edge.
#[derive(Clone, Copy, Debug)]
enum Law {
    /// Nothing, or nothing that would be used.
    Unknown,
    /// How many of all the bad ones are the canary's: binomial for Poisson
    /// counts, hypergeometric for single trials.
    Split { canary: Counts, control: Counts },
    /// How many are bad: Poisson, or binomial for single trials.
    Limit { total: u64, limit: f64 },
}

impl Line {
    fn split(first: Counts, second: Counts, share: f64) -> Self {
        let all = first.bad as f64 + second.bad as f64;
        Self {
            x: first.bad as f64,
            slopes: RATIOS.map(ln),
            costs: RATIOS.map(|r| all * ln(1.0 + share * (r - 1.0))),
            law: Law::Unknown,
        }
    }

    fn count(counts: Counts, limit: f64, law: Law, turn: impl Fn(f64) -> f64) -> Option<Self> {
        let expected = counts.total as f64 * limit;
        counts.seen().then(|| Self {
            x: counts.bad as f64,
            slopes: RATIOS.map(|r| ln(turn(r))),
            costs: RATIOS.map(|r| expected * (turn(r) - 1.0)),
            law,
        })
    }

    /// The log evidence for each of [`RATIOS`], had the count been `x`.
    pub fn bets(&self, x: f64) -> [f64; 3] {
        std::array::from_fn(|i| self.slopes[i] * x - self.costs[i])
    }

    /// The logarithm of the largest factor by which evidence cut at the bar may be
    /// multiplied so that its expected value is at most `before` still; 0 where
    /// that is not known. `value` is the log evidence for a count, which must not
    /// fall with it. It holds under both laws of [`Law`], and for every rate below
    /// the edge of the null, since counts are then smaller in distribution. With a
    /// dispersion `phi` above 1 the laws are those of `1/phi` times the counts: as
    /// good an approximation as tempering itself.
    pub(super) fn gain(
        &self,
        phi: f64,
        before: f64,
        log_bar: f64,
        value: impl Fn(f64) -> f64,
    ) -> f64 {
        let Some((mean, variance, all)) = self.law.moments() else {
            return 0.0;
        };
        let (mean, sd) = (mean / phi, (variance / phi).sqrt());
        let most = (mean + 8.0 * sd + 8.0).min(all / phi).ceil();
        // Far from the bar next to nothing lies beyond it, and 0 is always right.
        if most > OUTCOMES_MAX as f64 || value((mean + 3.0 * sd) * phi) < log_bar {
            return 0.0;
        }
        let bar = exp(log_bar - before);
        let worth: Vec<f64> = (0..=most as usize)
            .map(|x| exp(value(x as f64 * phi) - before))
            .collect();
        let laws = self.law.chances(phi, worth.len()).into_iter().flatten();
        let gains = laws.map(|chances| largest_factor(&chances, &worth, bar, phi));
        let least = gains.fold(f64::INFINITY, f64::min);
        if least > 1.0 && least.is_finite() {
            ln(least)
        } else {
            0.0
        }
    }
}

/// The largest `b` with `E min(b w, bar) <= 1`, where `w` is `worth`, which rises.
/// Tempered counts are whole only nearly, which moves `E w` itself: then `b` is
/// measured against that, so that only what lies beyond the bar is given back.
fn largest_factor(chances: &[f64], worth: &[f64], bar: f64, phi: f64) -> f64 {
    let mut below: f64 = chances.iter().sum();
    let mut sum: f64 = chances.iter().zip(worth).map(|(p, w)| p * w).sum();
    let most = if phi == 1.0 { 1.0 } else { sum };
    let mut factor = 1.0;
    for (p, w) in chances.iter().zip(worth).rev() {
        if sum <= 0.0 {
            break;
        }
        factor = (most - bar * (1.0 - below).max(0.0)) / sum;
        if factor * w < bar {
            break;
        }
        below -= p;
        sum -= p * w;
    }
    factor
}

impl Law {
    /// Mean and variance of the count, and the most it can be.
    fn moments(self) -> Option<(f64, f64, f64)> {
        let counts = |n: u64| n as f64;
        match self {
            Self::Unknown => None,
            Self::Split { canary, control } => {
                let all = counts(canary.bad) + counts(control.bad);
                let t = share(counts(canary.total), counts(control.total));
                Some((all * t, all * t * (1.0 - t), all))
            }
            Self::Limit { total, limit } => {
                let mean = counts(total) * limit;
                (limit < 1.0).then_some((mean, mean, counts(total)))
            }
        }
    }

    /// The chances of the first `outcomes` counts under each of the laws, for
    /// counts divided by `phi`.
    fn chances(self, phi: f64, outcomes: usize) -> [Option<Vec<f64>>; 2] {
        let less = |n: u64| (n as f64 / phi).round();
        match self {
            Self::Unknown => [None, None],
            Self::Split { canary, control } => {
                let all = ((canary.bad as f64 + control.bad as f64) / phi).round();
                let t = share(canary.total as f64, control.total as f64);
                let trials = (phi == 1.0).then(|| {
                    hypergeometric(canary.total as f64, control.total as f64, all, outcomes)
                });
                [Some(binomial(all, t, outcomes)), trials.flatten()]
            }
            Self::Limit { total, limit } => {
                let mean = total as f64 * limit / phi;
                [
                    Some(poisson(mean, outcomes)),
                    Some(binomial(less(total), limit, outcomes)),
                ]
            }
        }
    }
}

/// `first` and `ratio(x) = P(x+1)/P(x)` make the chances, through logarithms, so
/// that a first one too small for a number does no harm.
fn chain(log_first: f64, outcomes: usize, ratio: impl Fn(f64) -> f64) -> Vec<f64> {
    let mut log = log_first;
    (0..outcomes)
        .map(|x| {
            let chance = exp(log);
            log += ln(ratio(x as f64).max(0.0));
            chance
        })
        .collect()
}

fn binomial(n: f64, p: f64, outcomes: usize) -> Vec<f64> {
    let odds = p / (1.0 - p);
    chain(n * ln(1.0 - p), outcomes, |x| (n - x) / (x + 1.0) * odds)
}

fn poisson(mean: f64, outcomes: usize) -> Vec<f64> {
    chain(-mean, outcomes, |x| mean / (x + 1.0))
}

/// How many of `all` bad ones fall to the first; `None` where 0 is impossible.
fn hypergeometric(n1: f64, n0: f64, all: f64, outcomes: usize) -> Option<Vec<f64>> {
    if all > n0 || all > OUTCOMES_MAX as f64 {
        return None;
    }
    let first = (0..all as usize).map(|j| ln((n0 - j as f64) / (n1 + n0 - j as f64)));
    Some(chain(first.sum(), outcomes, |x| {
        (n1 - x) * (all - x) / ((x + 1.0) * (n0 - all + x + 1.0))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::eprocess::Mixture;
    use crate::watch::tests::{binomial as trials, poisson as counts};

    /// The mean of `e` over everything that may be counted.
    fn mean(null: Null, n1: u64, n0: u64, canary: &[f64], control: &[f64]) -> f64 {
        let mut sum = 0.0;
        for (x1, chance1) in canary.iter().enumerate() {
            for (x0, chance0) in control.iter().enumerate() {
                let other = Some(Counts::new(x0 as u64, n0));
                let line = null.line(Counts::new(x1 as u64, n1), other).unwrap();
                let bets = line.bets(line.x).map(exp);
                let e: f64 = bets.iter().zip(WEIGHTS).map(|(e, w)| e * w).sum();
                sum += chance1 * chance0 * e;
            }
        }
        sum
    }

    const EXPOSURES: [(u64, u64); 4] = [(6, 6), (9, 2), (2, 11), (1, 1)];
    const SLACK: f64 = 1e-9;

    #[test]
    fn under_the_null_the_mean_against_a_control_is_at_most_one() {
        for (n1, n0) in EXPOSURES {
            for p0 in [0.0, 0.1, 0.4] {
                for ratio in [0.8, 1.0, 2.0] {
                    for shift in [0.0, 0.1] {
                        let edge: f64 = ratio * p0 + shift;
                        let null = Null::NoWorse { ratio, shift };
                        for p1 in [edge, edge * 0.5] {
                            let seen = mean(null, n1, n0, &trials(n1, p1), &trials(n0, p0));
                            assert!(seen <= 1.0 + SLACK, "{null:?} {n1} {n0} {p0}: {seen}");
                            let (many, few) = (counts(p1 * n1 as f64), counts(p0 * n0 as f64));
                            let seen = mean(null, n1, n0, &many, &few);
                            assert!(seen <= 1.0 + SLACK, "{null:?} {n1} {n0} {p0}: {seen}");
                        }
                        let null = Null::Worse { ratio, shift };
                        for p1 in [edge, (edge * 1.5).min(1.0)] {
                            let seen = mean(null, n1, n0, &trials(n1, p1), &trials(n0, p0));
                            assert!(seen <= 1.0 + SLACK, "{null:?} {n1} {n0} {p0}: {seen}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn at_the_edge_of_the_null_the_mean_of_poisson_counts_is_one() {
        let (n1, n0, p0, ratio, shift) = (7, 4, 0.3, 1.25, 0.1);
        let (canary, control) = (counts((ratio * p0 + shift) * 7.0), counts(p0 * 4.0));
        for null in [Null::NoWorse { ratio, shift }, Null::Worse { ratio, shift }] {
            let mean = mean(null, n1, n0, &canary, &control);
            assert!((mean - 1.0).abs() < 1e-6, "{null:?}: {mean}");
        }
        for null in [Null::Within(0.475), Null::Beyond(0.475)] {
            let mean = mean(null, n1, n0, &counts(0.475 * 7.0), &[1.0]);
            assert!((mean - 1.0).abs() < 1e-6, "{null:?}: {mean}");
        }
    }

    #[test]
    fn under_the_null_the_mean_against_a_limit_is_at_most_one() {
        for n in [1, 5, 20] {
            for limit in [0.0, 0.01, 0.05, 0.3] {
                for p in [limit, limit / 3.0] {
                    let mean = mean(Null::Within(limit), n, 1, &trials(n, p), &[1.0]);
                    assert!(mean <= 1.0 + SLACK, "{n} {limit} {p}: {mean}");
                }
                for p in [limit, limit * 2.0] {
                    let mean = mean(Null::Beyond(limit), n, 1, &trials(n, p), &[1.0]);
                    assert!(mean <= 1.0 + SLACK, "{n} {limit} {p}: {mean}");
                }
            }
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
            let bets = |x1, n1, x0, n0| {
                let line = null.line(Counts::new(x1, n1), Some(Counts::new(x0, n0)));
                line.map(|line| line.bets(line.x)).unwrap()
            };
            let whole = bets(9, 600, 4, 300);
            let (part, rest) = (bets(7, 400, 1, 200), bets(2, 200, 3, 100));
            for i in 0..RATIOS.len() {
                assert!((whole[i] - part[i] - rest[i]).abs() < 1e-12, "{null:?}");
            }
        }
    }

    #[test]
    fn an_interval_that_lacks_a_side_makes_no_bet() {
        let null = Null::NoWorse {
            ratio: 1.0,
            shift: 0.0,
        };
        let (some, none) = (Counts::new(4, 9), Counts::default());
        for (canary, control) in [
            (none, None),
            (some, None),
            (some, Some(none)),
            (none, Some(some)),
        ] {
            assert!(null.line(canary, control).is_none());
        }
        assert!(Null::Within(0.1).line(none, None).is_none());
    }

    /// The mean of the evidence cut at the bar, after one interval that follows on `before`.
    fn mean_cut(
        mut before: Mixture,
        bar: f64,
        lines: impl Iterator<Item = (f64, Line)>,
    ) -> (f64, f64) {
        let mut all = (0.0, 0.0);
        let start = exp(before.log_value());
        before = before.clone();
        for (chance, line) in lines {
            let mut process = before.clone();
            process.observe_line(&line, 1.0, ln(bar));
            all.0 += chance * exp(process.log_value()).min(bar) / start;
            let mut plain = before.clone();
            plain.observe(&line.bets(line.x));
            all.1 += chance * exp(plain.log_value()).min(bar) / start;
        }
        all
    }

    /// Evidence that is close to the bar already.
    fn near_the_bar() -> Mixture {
        let mut process = Mixture::new(&WEIGHTS, 30);
        let line = Null::Within(0.01).line(Counts::new(12, 600), None).unwrap();
        process.observe(&line.bets(line.x));
        assert!((3.0..20.0).contains(&exp(process.log_value())));
        process
    }

    #[test]
    fn evidence_cut_at_the_bar_is_used_up_and_no_more() {
        let null = Null::NoWorse {
            ratio: 1.0,
            shift: 0.0,
        };
        // Far from the bar what lies beyond it is not worth the work.
        for (n1, n0, all, least) in [
            (600, 600, 13, 1.0 - 1e-6),
            (60, 540, 9, 0.99),
            (540, 60, 9, 0.99),
            (50, 50, 20, 0.99),
        ] {
            let (p, q) = (n1 as f64 / (n1 + n0) as f64, all);
            let line = |x: usize| {
                let control = Counts::new(q - x as u64, n0);
                null.line(Counts::new(x as u64, n1), Some(control)).unwrap()
            };
            let laws = [
                trials(q, p),
                hypergeometric(n1 as f64, n0 as f64, q as f64, q as usize + 1).unwrap(),
            ];
            let means = laws.map(|law| {
                assert!((law.iter().sum::<f64>() - 1.0).abs() < 1e-9);
                let lines = law
                    .into_iter()
                    .enumerate()
                    .map(|(x, chance)| (chance, line(x)));
                mean_cut(near_the_bar(), 20.0, lines)
            });
            for (with, without) in means {
                assert!(with <= 1.0 + SLACK && with >= without - SLACK, "{means:?}");
            }
            assert!(means.iter().any(|(with, _)| *with > least), "{means:?}");
        }
        let law = counts(6.0);
        let lines = law.iter().enumerate().map(|(x, chance)| {
            let line = Null::Within(0.01).line(Counts::new(x as u64, 600), None);
            (*chance, line.unwrap())
        });
        let (with, without) = mean_cut(near_the_bar(), 20.0, lines);
        assert!(
            with > 1.0 - 1e-3 && with <= 1.0 + SLACK && without < 0.995,
            "{with} {without}"
        );
    }

    #[test]
    fn huge_counts_stay_finite() {
        let n = 1_000_000_000_000;
        for null in [
            Null::NoWorse {
                ratio: 1.0,
                shift: 0.001,
            },
            Null::NoWorse {
                ratio: 1.0,
                shift: 0.0,
            },
            Null::Worse {
                ratio: 1.25,
                shift: 0.0,
            },
            Null::Within(0.01),
            Null::Beyond(0.01),
        ] {
            let mut process = Mixture::new(&WEIGHTS, 10);
            for _ in 0..20 {
                for bad in [0, n / 2, n, u64::MAX] {
                    for (canary, control) in [
                        (Counts::new(bad, n), Counts::new(n / 100, n)),
                        (Counts::new(bad, u64::MAX), Counts::new(u64::MAX, u64::MAX)),
                        (Counts::new(5, 1), Counts::new(9, 1)),
                    ] {
                        let line = null.line(canary, Some(control)).unwrap();
                        process.observe_line(&line, 1.0, 3.0);
                        assert!(process.log_value().is_finite(), "{null:?}");
                    }
                }
            }
        }
    }
}
