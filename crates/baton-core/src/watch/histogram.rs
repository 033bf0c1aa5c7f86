//! Bets on a whole distribution of times, by its histogram.
//!
//! The block e-variable of Turner, Ly and Grünwald (arXiv 2106.02693) for any
//! number of buckets: with `pb` the distribution seen so far, `pa` one that is
//! worse in a way bet on, `t` the canary's share of the requests and `r = pa/pb`,
//!
//! `log e = sum over buckets of x1 ln(r/(1+t(r-1))) - x0 ln(1+t(r-1))`
//!
//! Its mean is at most 1 for every distribution that both arms share, and so for
//! every canary that is at most as slow as the control. Two buckets are the test
//! of [`bernoulli`](super::bernoulli).
//!
//! Bet on are shifts of everything (the odds of being slower than any bound are
//! multiplied, close to the best test for a shift of times that vary by a factor)
//! and slow tails (the share beyond a bound that few exceed is multiplied).

use serde::{Deserialize, Serialize};

use super::math::ln;

/// Shifts: by what the odds of exceeding each bound are multiplied.
const SHIFTS: [f64; 3] = [1.08, 1.2, 1.5];
/// Tails begin at the first bound exceeded by at most this share of the past ...
const TAILS: [f64; 3] = [0.05, 0.01, 0.002];
/// ... and these multiply the odds of being there.
const TAIL_ODDS: [f64; 2] = [1.7, 3.0];
/// How many things are bet on.
const BETS: usize = SHIFTS.len() + TAILS.len() * TAIL_ODDS.len();
/// The weights of the bets: half on shifts, half on tails.
pub(super) const WEIGHTS: [f64; BETS] = [
    0.25,
    0.125,
    0.125,
    0.1,
    0.2 / 3.0,
    0.1,
    0.2 / 3.0,
    0.1,
    0.2 / 3.0,
];

/// What every bucket starts with, so that none is impossible.
const PRIOR: f64 = 0.5;

/// The distribution seen so far, which the next interval is bet against.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Past {
    counts: Vec<f64>,
    known: bool,
}

impl Past {
    /// What earlier releases looked like; nothing learnt is an empty past.
    pub(super) fn new(learnt: &[u64]) -> Self {
        let mut past = Self::default();
        if learnt.iter().any(|n| *n > 0) {
            past.learn(learnt, &[]);
        }
        past
    }

    /// The log evidence that `slow` is slower than `other`, for each bet; `None`
    /// while there is no past to bet against, or one with other buckets.
    pub(super) fn bets(&self, slow: &[u64], other: &[u64]) -> Option<[f64; BETS]> {
        if !self.known || self.counts.len() != slow.len() || slow.len() != other.len() {
            return None;
        }
        let (n1, n0) = (total(slow), total(other));
        let t = n1 / (n1 + n0);
        let all: f64 = self.counts.iter().sum();
        let beyond = self.beyond(all);
        let worse = alternatives(&beyond);
        let mut bets = [0.0; BETS];
        for (bet, worse) in bets.iter_mut().zip(&worse) {
            for k in 0..slow.len() {
                if slow[k] == 0 && other[k] == 0 {
                    continue;
                }
                let pb = self.counts[k] / all;
                let pa = (worse[k] - worse[k + 1]).max(pb * 1e-9);
                let r = pa / pb;
                let both = 1.0 + t * (r - 1.0);
                *bet += slow[k] as f64 * ln(r / both) - other[k] as f64 * ln(both);
            }
        }
        Some(bets)
    }

    /// Remembers an interval. Other buckets than before begin a new past.
    pub(super) fn learn(&mut self, one: &[u64], other: &[u64]) {
        if self.counts.len() != one.len() {
            self.counts = vec![PRIOR; one.len()];
        }
        for counts in [one, other] {
            for (sum, n) in self.counts.iter_mut().zip(counts) {
                *sum += *n as f64;
            }
        }
        self.known = true;
    }

    /// The share at or above each bucket, and 0 at the end.
    fn beyond(&self, all: f64) -> Vec<f64> {
        let mut rest = all;
        let mut beyond = Vec::with_capacity(self.counts.len() + 1);
        for count in &self.counts {
            beyond.push(rest / all);
            rest -= count;
        }
        beyond.push(0.0);
        beyond
    }
}

fn total(counts: &[u64]) -> f64 {
    counts.iter().map(|n| *n as f64).sum()
}

/// The share beyond each bound, for each thing bet on.
fn alternatives(beyond: &[f64]) -> Vec<Vec<f64>> {
    let odds = |share: f64, by: f64| by * share / (1.0 - share + by * share);
    let mut all = Vec::with_capacity(BETS);
    for by in SHIFTS {
        all.push(beyond.iter().map(|share| odds(*share, by)).collect());
    }
    let last = beyond.len() - 2;
    for level in TAILS {
        let from = (1..last)
            .find(|j| beyond[*j] <= level)
            .unwrap_or_else(|| last.max(1));
        for by in TAIL_ODDS {
            let (was, is) = (beyond[from], odds(beyond[from], by));
            let tilted = beyond.iter().enumerate().map(|(j, share)| {
                if j >= from {
                    share * is / was.max(f64::MIN_POSITIVE)
                } else {
                    1.0 - (1.0 - share) * (1.0 - is) / (1.0 - was).max(f64::MIN_POSITIVE)
                }
            });
            all.push(tilted.collect());
        }
    }
    all
}

/// The histogram of times divided by `by` (at least 1), as slow as its buckets
/// allow (`up`) or as fast: rounded so that a test of it errs on the safe side.
pub(super) fn divided(bounds: &[f64], counts: &[u64], by: f64, up: bool) -> Vec<u64> {
    let mut moved = vec![0; counts.len()];
    for (k, n) in counts.iter().enumerate() {
        let to = if up {
            // At most its bound; beyond the last bound, anything.
            let most = bounds.get(k).map(|bound| bound / by);
            most.map(|most| bounds.partition_point(|bound| *bound < most))
        } else {
            let above = k.checked_sub(1).map(|before| bounds[before] / by);
            Some(above.map_or(0, |above| bounds.partition_point(|bound| *bound <= above)))
        };
        moved[to.unwrap_or(counts.len() - 1)] += n;
    }
    moved
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::math::exp;
    use crate::watch::tests::binomial;

    fn e(bets: [f64; BETS]) -> f64 {
        bets.iter().zip(WEIGHTS).map(|(bet, w)| w * exp(*bet)).sum()
    }

    /// Every histogram of `n` over three buckets with its chance.
    fn three(n: u64, shares: [f64; 3]) -> Vec<([u64; 3], f64)> {
        let mut all = Vec::new();
        for (a, p) in binomial(n, shares[0]).into_iter().enumerate() {
            let rest = n - a as u64;
            let among = shares[1] / (1.0 - shares[0]).max(1e-12);
            for (b, q) in binomial(rest, among.min(1.0)).into_iter().enumerate() {
                all.push(([a as u64, b as u64, rest - b as u64], p * q));
            }
        }
        all
    }

    #[test]
    fn under_a_common_distribution_the_mean_is_at_most_one() {
        for (n1, n0) in [(3, 3), (1, 6), (5, 2)] {
            for shares in [[0.7, 0.2, 0.1], [0.1, 0.1, 0.8], [0.0, 1.0, 0.0]] {
                for past in [[8, 1, 1], [1, 0, 9], [5, 5, 0]] {
                    let past = Past::new(&past);
                    let mut mean = 0.0;
                    for (slow, p) in three(n1, shares) {
                        for (other, q) in three(n0, shares) {
                            mean += p * q * e(past.bets(&slow, &other).unwrap());
                        }
                    }
                    assert!(mean <= 1.0 + 1e-9, "{n1} {n0} {shares:?}: {mean}");
                }
            }
        }
    }

    #[test]
    fn slower_and_longer_tails_are_evidence_and_faster_is_not() {
        let past = Past::new(&[100, 400, 400, 80, 20]);
        let e = |slow: [u64; 5]| e(past.bets(&slow, &[100, 400, 400, 80, 20]).unwrap());
        assert!(e([100, 400, 400, 80, 20]) < 1.0);
        assert!(e([60, 320, 440, 140, 40]) > 1e6);
        assert!(e([95, 385, 390, 80, 60]) > 50.0);
        assert!(e([140, 440, 360, 50, 10]) < 0.1);
    }

    #[test]
    fn without_a_past_or_with_other_buckets_nothing_is_bet() {
        assert!(Past::new(&[]).bets(&[1, 2], &[1, 2]).is_none());
        assert!(Past::new(&[0, 0]).bets(&[1, 2], &[1, 2]).is_none());
        let mut past = Past::new(&[4, 5]);
        assert!(past.bets(&[1, 2, 3], &[1, 2, 3]).is_none());
        assert!(past.bets(&[1, 2], &[1, 2]).is_some());
        past.learn(&[1, 2, 3], &[0, 0, 1]);
        assert!(past.bets(&[1, 2, 3], &[1, 2, 3]).is_some());
        // One bucket says nothing, and does no harm.
        let one = Past::new(&[9]).bets(&[5], &[4]).unwrap();
        assert!((e(one) - 1.0).abs() < 1e-9, "{one:?}");
    }

    #[test]
    fn dividing_rounds_to_the_safe_side() {
        let bounds = [100.0, 200.0, 400.0];
        let counts = [1, 10, 100, 1000];
        assert_eq!(divided(&bounds, &counts, 1.0, false), counts);
        assert_eq!(divided(&bounds, &counts, 1.0, true), counts);
        // Above 100 is above 80, which may be in the first bucket.
        assert_eq!(divided(&bounds, &counts, 1.25, false), [11, 100, 1000, 0]);
        // At most 200 is at most 160: the second still.
        assert_eq!(divided(&bounds, &counts, 1.25, true), counts);
        assert_eq!(divided(&bounds, &counts, 2.0, true), [11, 100, 0, 1000]);
        assert_eq!(divided(&bounds, &counts, 2.0, false), [11, 100, 1000, 0]);
    }

    #[test]
    fn weights_sum_to_one() {
        assert!((WEIGHTS.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    }
}
