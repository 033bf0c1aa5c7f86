//! The peers' decision rules, re-implemented from their documented behaviour (no
//! code of theirs). They are the yardstick and no part of the product.
//!
//! - [`kayenta`]: NetflixACAJudge, spinnaker/kayenta a69573b: the Mann-Whitney
//!   interval for the shift, by default at 98 %, with a tolerance of a quarter of
//!   the Hodges-Lehmann estimate.
//! - [`argo`]: an AnalysisRun metric, argoproj/argo-rollouts 9f8d111: failed once
//!   more than `failureLimit` measurements failed.
//! - [`flagger`]: a Canary, fluxcd/flagger 15bd6ad: rolled back at the tick after
//!   `threshold` failed checks, which never expire.
//!
//! `tests` hold the conformance table of `kayenta`.

/// What Kayenta says of one metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    Pass,
    High,
    Low,
    Nodata,
}

/// Which way counts as worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "only the conformance table asks for it")
)]
pub(crate) enum Direction {
    Increase,
    Decrease,
    Either,
}

/// One metric's configuration.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Metric {
    pub(crate) direction: Direction,
    pub(crate) tolerance: f64,
    /// The normal quantile of the level: 2.326348 for 98 %, 1.959964 for 95 %.
    pub(crate) z: f64,
    /// Ratios of means within which a shift is allowed.
    pub(crate) allowed: (f64, f64),
    /// Ratios from which on it is critical.
    pub(crate) critical_at: (f64, f64),
    pub(crate) critical: bool,
    pub(crate) nan_is_zero: bool,
}

/// The normal quantile of Kayenta's default level.
pub(crate) const Z98: f64 = 2.326_347_874_040_84;

impl Metric {
    /// Its defaults, looking for an increase.
    pub(crate) fn increase() -> Self {
        Self {
            direction: Direction::Increase,
            tolerance: 0.25,
            z: Z98,
            allowed: (1.0, 1.0),
            critical_at: (1.0, 1.0),
            critical: false,
            nan_is_zero: false,
        }
    }
}

/// The rank-sum statistic of `x - mu` against `y`, standardised.
struct Shift<'a> {
    x: &'a [f64],
    y: Vec<f64>,
    /// Ties within each sample.
    within: f64,
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values
}

/// The sum of `t^3 - t` over groups of equal values.
fn ties(sorted: &[f64]) -> f64 {
    sorted
        .chunk_by(|a, b| a == b)
        .map(|group| {
            let t = group.len() as f64;
            t * t * t - t
        })
        .sum()
}

impl<'a> Shift<'a> {
    fn new(x: &'a [f64], y: &[f64]) -> Self {
        let y = sorted(y);
        let within = ties(&sorted(x)) + ties(&y);
        Self { x, y, within }
    }

    fn at(&self, mu: f64) -> f64 {
        let (m, n) = (self.x.len() as f64, self.y.len() as f64);
        let (mut ranks, mut between) = (0.0, false);
        for x in self.x {
            let low = self.y.partition_point(|y| *y < x - mu);
            let high = self.y.partition_point(|y| *y <= x - mu);
            between |= low < high;
            ranks += (low + high) as f64 / 2.0;
        }
        let ties = if between {
            let moved = self.x.iter().map(|x| x - mu);
            ties(&sorted(
                &moved.chain(self.y.iter().copied()).collect::<Vec<_>>(),
            ))
        } else {
            self.within
        };
        standard(ranks - m * n / 2.0, m, n, ties)
    }
}

/// With the continuity correction of one half, towards 0.
fn standard(off: f64, m: f64, n: f64, ties: f64) -> f64 {
    let variance = m * n / 12.0 * ((m + n + 1.0) - ties / ((m + n) * (m + n - 1.0)));
    let half = if off == 0.0 { 0.0 } else { 0.5 * off.signum() };
    (off - half) / variance.sqrt()
}

/// Brent's method (1973), stopped at an absolute width of 1e-4 as the peer stops.
fn brent(f: impl Fn(f64) -> f64, a: f64, b: f64) -> f64 {
    let (mut a, mut b) = (a, b);
    let (mut fa, mut fb) = (f(a), f(b));
    if fa == 0.0 || (fa > 0.0) == (fb > 0.0) {
        return if fa == 0.0 { a } else { b };
    }
    let (mut c, mut fc) = (a, fa);
    let (mut d, mut e) = (b - a, b - a);
    for _ in 0..1000 {
        if (fb > 0.0) == (fc > 0.0) {
            (c, fc) = (a, fa);
            (d, e) = (b - a, b - a);
        }
        if fc.abs() < fb.abs() {
            (a, b, c) = (b, c, b);
            (fa, fb, fc) = (fb, fc, fb);
        }
        let tolerance = 2.0 * f64::EPSILON * b.abs() + 0.5e-4;
        let half = 0.5 * (c - b);
        if half.abs() <= tolerance || fb == 0.0 {
            break;
        }
        if e.abs() >= tolerance && fa.abs() > fb.abs() {
            let s = fb / fa;
            let (mut p, mut q) = if a == c {
                (2.0 * half * s, 1.0 - s)
            } else {
                let (q, r) = (fa / fc, fb / fc);
                (
                    s * (2.0 * half * q * (q - r) - (b - a) * (r - 1.0)),
                    (q - 1.0) * (r - 1.0) * (s - 1.0),
                )
            };
            if p > 0.0 {
                q = -q;
            } else {
                p = -p;
            }
            if 2.0 * p < (3.0 * half * q - (tolerance * q).abs()).min((e * q).abs()) {
                (e, d) = (d, p / q);
            } else {
                (d, e) = (half, half);
            }
        } else {
            (d, e) = (half, half);
        }
        (a, fa) = (b, fb);
        b += if d.abs() > tolerance {
            d
        } else {
            tolerance.copysign(half)
        };
        fb = f(b);
    }
    b
}

/// Lower and upper end and estimate of the shift `x - y`.
pub(crate) fn interval(x: &[f64], y: &[f64], z: f64) -> (f64, f64, f64) {
    let most = |v: &[f64]| v.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let least = |v: &[f64]| v.iter().copied().fold(f64::INFINITY, f64::min);
    let shift = Shift::new(x, y);
    let (low, high) = (least(x) - most(y), most(x) - least(y));
    let root = |z: f64| {
        let (at_low, at_high) = (shift.at(low) - z, shift.at(high) - z);
        if at_low <= 0.0 {
            low
        } else if at_high >= 0.0 {
            high
        } else {
            brent(|mu| shift.at(mu) - z, low, high)
        }
    };
    (root(z), root(-z), brent(|mu| shift.at(mu), low, high))
}

/// The class of one metric, and whether it is critical.
pub(crate) fn kayenta(canary: &[f64], control: &[f64], metric: &Metric) -> (Class, bool) {
    let clean = |v: &[f64]| -> Vec<f64> {
        let v = v.iter().copied();
        if metric.nan_is_zero {
            v.map(|x| if x.is_nan() { 0.0 } else { x }).collect()
        } else {
            v.filter(|x| !x.is_nan()).collect()
        }
    };
    let (mut e, mut c) = (clean(canary), clean(control));
    if e.is_empty() || c.is_empty() {
        return if metric.nan_is_zero {
            (Class::Pass, false)
        } else {
            (Class::Nodata, metric.critical)
        };
    }
    let one = |v: &[f64]| v.iter().all(|x| *x == v[0]);
    if sorted(&e) == sorted(&c) || (one(&e) && one(&c) && e[0] == c[0]) {
        return (Class::Pass, false);
    }
    if one(&e) && one(&c) {
        // The peer adds noise of this size; any that breaks the ties will do.
        for v in [&mut e, &mut c] {
            let size = v[0].abs() * 1e-5;
            for (i, x) in v.iter_mut().enumerate() {
                *x += size * (i as f64 - 1.5);
            }
        }
    }
    let (low, high, estimate) = interval(&e, &c, metric.z);
    let bound = metric.tolerance * estimate.abs();
    let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
    let effect = mean(&e) / mean(&c);
    let unknown = mean(&c) == 0.0 || mean(&e) == 0.0;
    let over = |limit: f64| unknown || effect >= limit;
    let under = |limit: f64| unknown || effect <= limit;
    if metric.direction != Direction::Decrease && low > bound && over(metric.allowed.1) {
        return (Class::High, metric.critical && over(metric.critical_at.1));
    }
    if metric.direction != Direction::Increase && high < -bound && under(metric.allowed.0) {
        return (Class::Low, metric.critical && under(metric.critical_at.0));
    }
    (Class::Pass, false)
}

/// The level `z` below which an increase is High: the same rule without the
/// rounding of its solver, for the many looks of a simulation.
pub(crate) fn kayenta_z(canary: &[f64], control: &[f64]) -> f64 {
    let mut shifts: Vec<f64> = canary
        .iter()
        .flat_map(|x| control.iter().map(move |y| x - y))
        .collect();
    let k = shifts.len() / 2;
    let (below, upper, _) = shifts.select_nth_unstable_by(k, f64::total_cmp);
    let mut estimate = *upper;
    if (canary.len() * control.len()).is_multiple_of(2) {
        let lower = below.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        estimate = f64::midpoint(lower, estimate);
    }
    let cut = 0.25 * estimate.abs();
    let above: f64 = shifts
        .iter()
        .map(|shift| {
            if *shift > cut {
                1.0
            } else if *shift == cut {
                0.5
            } else {
                0.0
            }
        })
        .sum();
    let (m, n) = (canary.len() as f64, control.len() as f64);
    let ties = ties(&sorted(canary)) + ties(&sorted(control));
    let variance = m * n / 12.0 * ((m + n + 1.0) - ties / ((m + n) * (m + n - 1.0)));
    if variance > 0.0 {
        (above - m * n / 2.0 - 0.5) / variance.sqrt()
    } else {
        f64::NEG_INFINITY
    }
}

/// The measurement at which a run fails, counted from 1.
pub(crate) fn argo(values: &[f64], threshold: f64, failure_limit: usize) -> Option<usize> {
    nth_over(values, threshold, failure_limit + 1)
}

/// The tick at which a canary is rolled back, counted from 1.
pub(crate) fn flagger(values: &[f64], threshold: f64, failed_checks: usize) -> Option<usize> {
    nth_over(values, threshold, failed_checks).map(|tick| tick + 1)
}

fn nth_over(values: &[f64], threshold: f64, n: usize) -> Option<usize> {
    let over = values
        .iter()
        .enumerate()
        .filter(|(_, value)| **value > threshold);
    over.map(|(i, _)| i + 1).nth(n - 1)
}

#[cfg(test)]
mod tests;
