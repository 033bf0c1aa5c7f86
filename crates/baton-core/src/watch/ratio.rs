//! How many times worse than the control: an estimate and an interval, for people.
//!
//! The estimate is that of Mantel and Haenszel (1959): each interval is compared
//! within itself, so a base rate or a split that drifts does not bend it. The
//! interval is a confidence sequence: it holds at every look at once. It decides
//! nothing; that is the work of [`eprocess`](super::eprocess).

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::math::{exp, ln, log_sum};
use super::series::{Counts, Sample};

/// Grid points on either side of 1.
const ARM: i32 = 20;
/// Grid points per doubling.
const PER_DOUBLING: i32 = 4;

/// The largest ratio told apart: `2^(20/4) = 32`; the smallest is `1/32`.
pub const REACH: f64 = 32.0;

/// What the intervals with both arms say about `canary rate / control rate`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RatioBand {
    /// `ln likelihood(rho) - ln likelihood(1)` for each rho of the grid.
    log_likelihood: Vec<f64>,
    /// The two sums of Mantel and Haenszel.
    canary: f64,
    control: f64,
    seen: bool,
}

impl Default for RatioBand {
    fn default() -> Self {
        let log_likelihood = steps().map(|_| 0.0).collect();
        Self {
            log_likelihood,
            canary: 0.0,
            control: 0.0,
            seen: false,
        }
    }
}

/// Logarithms of the ratios told apart, from `1/32` to `32`.
fn steps() -> impl Iterator<Item = f64> + Clone {
    let step = std::f64::consts::LN_2 / f64::from(PER_DOUBLING);
    (-ARM..=ARM).map(move |n| f64::from(n) * step)
}

/// The ratios told apart; a table, so that no interval has to compute them.
static GRID: LazyLock<Vec<(f64, f64)>> =
    LazyLock::new(|| steps().map(|log| (log, exp(log))).collect());

impl RatioBand {
    /// Takes one interval in; one that lacks an arm changes nothing.
    pub fn observe(&mut self, sample: &Sample) {
        let Some((canary, control)) = sample.both() else {
            return;
        };
        self.seen = true;
        let (n1, n0) = (canary.total as f64, control.total as f64);
        let (x1, x0) = (canary.bad as f64, control.bad as f64);
        let share = n1 / (n1 + n0);
        self.canary += x1 * (1.0 - share);
        self.control += x0 * share;
        for (log, (ln_rho, rho)) in self.log_likelihood.iter_mut().zip(GRID.iter()) {
            *log += x1 * ln_rho - (x1 + x0) * ln(1.0 + share * (rho - 1.0));
        }
    }

    /// The estimate; `None` while the control had nothing bad to compare with.
    pub fn estimate(&self) -> Option<f64> {
        (self.control > 0.0).then(|| self.canary / self.control)
    }

    /// The ratios not refuted at level `alpha`: those with
    /// `mean over s of likelihood(s) / likelihood(rho) < 1/alpha`, which is the
    /// two-sided form of the test of two counts (Lindon and Malek, arXiv
    /// 2011.03567, with a grid for the prior), tempered by the dispersion `phi` and
    /// widened by one grid step on either side. An end at 1/32 or at 32 means *or
    /// beyond*. `None` while no interval had both arms.
    pub fn interval(&self, alpha: f64, phi: f64) -> Option<(f64, f64)> {
        self.seen.then(|| kept(&self.log_likelihood, alpha, phi))?
    }
}

/// Where the rate of these counts lies, as a multiple of `scale`, by the same rule
/// with the likelihood of a Poisson count; `None` when nothing was seen.
pub(super) fn rate_interval(
    counts: Counts,
    scale: f64,
    alpha: f64,
    phi: f64,
) -> Option<(f64, f64)> {
    if !counts.seen() || scale.is_nan() || scale <= 0.0 {
        return None;
    }
    let (bad, expected) = (counts.bad as f64, counts.total as f64 * scale);
    let logs = GRID
        .iter()
        .map(|(ln_rho, rho)| bad * ln_rho - expected * rho);
    let (low, high) = kept(&logs.collect::<Vec<_>>(), alpha, phi)?;
    // The ends of the grid mean "or beyond".
    let low = if low * REACH <= 1.001 {
        0.0
    } else {
        low * scale
    };
    let high = if high >= REACH * 0.999 {
        1.0
    } else {
        high * scale
    };
    Some((low, high.min(1.0)))
}

fn kept(logs: &[f64], alpha: f64, phi: f64) -> Option<(f64, f64)> {
    let tempered = || logs.iter().map(|log| log / phi);
    let mixed = log_sum(tempered()) - ln(logs.len() as f64);
    let kept = |log: f64| mixed - log < -ln(alpha);
    let first = tempered().position(kept)?;
    let last = logs.len() - 1 - tempered().rev().position(kept)?;
    let low = GRID.get(first.saturating_sub(1))?.1;
    let high = GRID.get((last + 1).min(logs.len() - 1))?.1;
    Some((low, high))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(x1: u64, n1: u64, x0: u64, n0: u64) -> RatioBand {
        let mut band = RatioBand::default();
        band.observe(&Sample::of(Counts::new(x1, n1), Some(Counts::new(x0, n0))));
        band
    }

    #[test]
    fn the_interval_holds_the_estimate_and_narrows() {
        let mut width = f64::INFINITY;
        for scale in [1, 10, 100, 10_000] {
            let band = seen(20 * scale, 1_000 * scale, 20 * scale, 2_000 * scale);
            let (low, high) = band.interval(0.05, 1.0).unwrap();
            let estimate = band.estimate().unwrap();
            assert!((estimate - 2.0).abs() < 1e-9, "{estimate}");
            assert!(low < 2.0 && 2.0 < high, "{low} {high}");
            assert!(high - low <= width, "{low} {high}");
            width = high - low;
        }
        assert!(width < 1.0, "{width}");
    }

    #[test]
    fn ends_of_the_grid_mean_or_beyond() {
        let band = seen(500, 1_000, 0, 1_000);
        assert_eq!(band.estimate(), None);
        let (low, high) = band.interval(0.01, 1.0).unwrap();
        assert!(low > 4.0 && (high - REACH).abs() < 1e-9, "{low} {high}");
        assert_eq!(RatioBand::default().interval(0.01, 1.0), None);
        let all = seen(0, 10, 0, 10).interval(0.01, 1.0).unwrap();
        assert!(
            all.0 * REACH <= 1.0 + 1e-9 && all.1 >= REACH - 1e-9,
            "{all:?}"
        );
    }

    #[test]
    fn a_drift_common_to_both_does_not_bend_the_estimate() {
        // The canary gets its traffic while the base rate is high.
        let mut band = seen(1, 100, 9, 900);
        band.observe(&Sample::of(
            Counts::new(90, 900),
            Some(Counts::new(10, 100)),
        ));
        assert!((band.estimate().unwrap() - 1.0).abs() < 1e-9);
    }

    #[test]
    fn dispersion_widens_and_a_rate_lies_in_its_interval() {
        let band = seen(40, 1_000, 20, 1_000);
        let (sharp, wide) = (
            band.interval(0.05, 1.0).unwrap(),
            band.interval(0.05, 4.0).unwrap(),
        );
        assert!(wide.0 < sharp.0 && sharp.1 < wide.1, "{sharp:?} {wide:?}");
        let (low, high) = rate_interval(Counts::new(13, 1_000), 0.01, 0.05, 1.0).unwrap();
        assert!(low < 0.013 && 0.013 < high && high < 0.05, "{low} {high}");
        let none = rate_interval(Counts::new(0, 10), 0.01, 0.05, 1.0).unwrap();
        assert_eq!(none.0, 0.0);
        assert_eq!(rate_interval(Counts::default(), 0.01, 0.05, 1.0), None);
    }
}
