//! Bets on two rates of trials that fail often.
//!
//! Where many of the trials are bad, counts vary less than Poisson counts do, and
//! [`counts`](super::counts) asks for more evidence than there need be. The block
//! e-variable of Turner, Ly and Grünwald ("Generic e-variables for exact
//! sequential k-sample tests", arXiv 2106.02693) takes the whole law of both arms:
//! with `pb` the rate seen so far, `pa` the rate at odds `r` times those of `pb`,
//! and `p` their mean weighted by the trials,
//!
//! `log e = x1 ln(pa/p) + (n1-x1) ln((1-pa)/(1-p)) + x0 ln(pb/p) + (n0-x0) ln((1-pb)/(1-p))`
//!
//! Its mean is at most 1 for any common rate whatsoever, since `pa` and `pb` come
//! from the past alone.

use super::counts::RATIOS;
use super::math::ln;
use super::series::Counts;

/// From this rate of bad ones on, this is the sharper bet.
pub(super) const OFTEN: f64 = 0.1;

/// The log evidence of one interval for each of [`RATIOS`], as ratios of odds;
/// `past` is the share of bad ones in both arms before this interval.
pub(super) fn bets(past: f64, canary: Counts, control: Counts) -> [f64; 3] {
    let pb = past.clamp(1e-6, 1.0 - 1e-6);
    let (n1, n0) = (canary.total as f64, control.total as f64);
    let (x1, x0) = (
        canary.bad.min(canary.total) as f64,
        control.bad.min(control.total) as f64,
    );
    RATIOS.map(|r| {
        let pa = r * pb / (1.0 - pb + r * pb);
        let p = (n1 * pa + n0 * pb) / (n1 + n0);
        x1 * ln(pa / p)
            + (n1 - x1) * ln((1.0 - pa) / (1.0 - p))
            + x0 * ln(pb / p)
            + (n0 - x0) * ln((1.0 - pb) / (1.0 - p))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::counts::{Null, WEIGHTS};
    use crate::watch::math::exp;
    use crate::watch::tests::binomial;

    fn e(bets: [f64; 3]) -> f64 {
        bets.iter().zip(WEIGHTS).map(|(bet, w)| w * exp(*bet)).sum()
    }

    #[test]
    fn under_a_common_rate_the_mean_is_at_most_one_whatever_the_past_said() {
        for (n1, n0) in [(1, 1), (4, 9), (20, 3)] {
            for past in [0.0, 0.02, 0.3, 0.9, 1.0] {
                for rate in [0.0, 0.01, 0.2, 0.5, 0.8, 1.0] {
                    let (canary, control) = (binomial(n1, rate), binomial(n0, rate));
                    let mut mean = 0.0;
                    for (x1, p1) in canary.iter().enumerate() {
                        for (x0, p0) in control.iter().enumerate() {
                            let seen = [(x1, n1), (x0, n0)].map(|(x, n)| Counts::new(x as u64, n));
                            mean += p1 * p0 * e(bets(past, seen[0], seen[1]));
                        }
                    }
                    assert!(mean <= 1.0 + 1e-9, "{n1} {n0} {past} {rate}: {mean}");
                }
            }
        }
    }

    #[test]
    fn frequent_failures_weigh_more_than_as_rare_counts() {
        let (canary, control) = (Counts::new(360, 600), Counts::new(300, 600));
        let null = Null::NoWorse {
            ratio: 1.0,
            shift: 0.0,
        };
        let line = null.line(canary, Some(control)).unwrap();
        let (often, rare) = (e(bets(0.5, canary, control)), e(line.bets(line.x)));
        assert!(often > 2.0 * rare, "{often} {rare}");
    }
}
