//! What the time before a release teaches the judge.
//!
//! Three things: how much more a measure varies than independent events do
//! ([`dispersion`]), what its times usually look like, and, where nothing runs
//! without the change, what it would have been today ([`forecast`]). Learnt at the
//! edge when a watch begins and recorded with it, so that replay needs no history.

use serde::{Deserialize, Serialize};

use super::math::{exp, ln};
use super::series::{Counts, Sample};

/// Fewer batches than this say nothing about dispersion.
const BATCHES_LEAST: usize = 8;
/// Fewer earlier days than this say nothing about today.
const DAYS_LEAST: usize = 3;
/// The shape of a day is smoothed over this many intervals.
const SMOOTH: usize = 31;
/// Within a day, noise is looked at in stretches of this many intervals.
const STRETCH: usize = 6;

/// What is known of one measure before its watch begins. Nothing, by default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Learned {
    /// How many times more it varies than independent events do; at least 1.
    /// `None`: not known, and ten times the evidence is asked for.
    pub dispersion: Option<f64>,
    /// How its times were spread, in the buckets of its histograms.
    pub histogram: Vec<u64>,
    /// The canary's share of the traffic, as it is meant to be.
    pub split: Option<f64>,
    /// What would be seen today without the change.
    pub forecast: Option<Forecast>,
}

/// What would be seen in each interval of the watch if nothing had changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Forecast {
    /// The expected share of bad ones, interval by interval.
    pub shares: Vec<f64>,
    /// How many times that much a quiet day may show; at least 1.
    pub margin: f64,
    /// How much more than independent events the intervals of a day vary.
    pub dispersion: f64,
}

/// The same clock times on one earlier day, interval by interval.
#[derive(Clone, Debug, PartialEq)]
pub struct Day {
    /// Before the time at which today nothing had changed yet.
    pub before: Vec<Counts>,
    /// From when today's watch begins, as long as it lasts.
    pub during: Vec<Counts>,
}

/// How many times more the canary's share of bad ones varied than it would if the
/// events were independent, from a time when nothing had changed; without a
/// control, the rate itself. By batch means over `batch` intervals (30 minutes are
/// right for noise that lasts minutes); at least 1, `None` from fewer than eight
/// batches.
pub fn dispersion(quiet: &[Sample], batch: usize) -> Option<f64> {
    let batches = quiet.chunks_exact(batch.max(1));
    if batches.len() < BATCHES_LEAST {
        return None;
    }
    let alone = quiet.iter().all(|sample| sample.control.is_none());
    let rate = pooled(quiet.iter().map(|sample| sample.canary));
    let (mut sum, mut counted) = (0.0, 0);
    for batch in batches {
        let (mut off, mut variance) = (0.0, 0.0);
        for sample in batch {
            let x1 = sample.canary.bad as f64;
            if alone {
                let expected = sample.canary.total as f64 * rate;
                off += x1 - expected;
                variance += expected;
            } else if let Some((canary, control)) = sample.both() {
                let share = canary.total as f64 / (canary.total as f64 + control.total as f64);
                let all = x1 + control.bad as f64;
                off += x1 - all * share;
                variance += all * share * (1.0 - share);
            }
        }
        if variance > 0.0 {
            sum += off * off / variance;
            counted += 1;
        }
    }
    (counted >= BATCHES_LEAST).then(|| f64::max(1.0, sum / counted as f64))
}

fn pooled(counts: impl Iterator<Item = Counts>) -> f64 {
    let all = summed(counts);
    (all.bad as f64 + 0.5) / (all.total as f64).max(1.0)
}

fn summed(counts: impl Iterator<Item = Counts>) -> Counts {
    counts.fold(Counts::default(), |mut all, more| {
        all.add(more);
        all
    })
}

/// Today's rate just before, carried on by the shape of earlier days (difference in
/// differences), and a margin for what such a forecast missed by on those days:
/// `t(days-1, 1-alpha/2) s sqrt(1 + 1/days)`, a prediction limit for the logarithm.
/// It spends half of `alpha`; whoever tests against it has the other half. Right if
/// the days are exchangeable. `None` for fewer than three days, days that saw
/// nothing, and days that differ so much that the margin is no number.
pub fn forecast(before: &[Counts], days: &[Day], alpha: f64) -> Option<Forecast> {
    let (first, n) = (days.first()?, days.len());
    let (pre, len) = (first.before.len(), first.during.len());
    let even = days
        .iter()
        .all(|day| day.before.len() == pre && day.during.len() == len);
    let seen = |counts: &[Counts]| counts.iter().any(|counts| counts.seen());
    let all_seen = days
        .iter()
        .all(|day| seen(&day.before) && seen(&day.during));
    if n < DAYS_LEAST || !even || !all_seen || !seen(before) {
        return None;
    }
    let shape = shape(days);
    let missed: Vec<f64> = days
        .iter()
        .map(|day| ln(pooled(day.during.iter().copied())) - ln(pooled(day.before.iter().copied())))
        .collect();
    let mean = missed.iter().sum::<f64>() / n as f64;
    let squares: f64 = missed.iter().map(|m| (m - mean) * (m - mean)).sum();
    let sd = (squares / (n - 1) as f64).sqrt();
    let margin = exp(student(n - 1, alpha / 2.0) * sd * (1.0 + 1.0 / n as f64).sqrt());
    let now = pooled(before.iter().copied());
    margin.is_finite().then(|| Forecast {
        shares: shape.iter().map(|share| now * share).collect(),
        margin,
        dispersion: within_days(days, &shape),
    })
}

/// How many times the rate before the rate of each interval was, on all days together
/// and over a window around it; the ends are continued. What nobody saw weighs
/// nothing, and where little was seen, a rate is drawn to the one of all the time.
fn shape(days: &[Day]) -> Vec<f64> {
    let before = days.iter().flat_map(|day| &day.before).copied();
    let len = days.iter().map(|day| day.during.len()).min().unwrap_or(0);
    let during: Vec<Counts> = (0..len)
        .map(|i| summed(days.iter().map(|day| day.during[i])))
        .collect();
    let usual = pooled(before.clone().chain(during.iter().copied()));
    let rate = |counts: Counts| (counts.bad as f64 + 0.5) / (counts.total as f64 + 0.5 / usual);
    let base = rate(summed(before));
    let around = |i: usize| {
        let near = |j: usize| during[(i + j).saturating_sub(SMOOTH / 2).min(len - 1)];
        summed((0..SMOOTH).map(near))
    };
    (0..len).map(|i| rate(around(i)) / base).collect()
}

/// The dispersion of stretches of each day around its own level and the common shape.
fn within_days(days: &[Day], shape: &[f64]) -> f64 {
    let (mut sum, mut stretches) = (0.0, 0.0);
    for day in days {
        let seen: f64 = day.during.iter().map(|counts| counts.bad as f64).sum();
        let weights = || {
            day.during
                .iter()
                .zip(shape)
                .map(|(c, s)| c.total as f64 * s)
        };
        let all: f64 = weights().sum();
        let expected: Vec<f64> = weights().map(|weight| seen * weight / all).collect();
        for (counts, expected) in day.during.chunks(STRETCH).zip(expected.chunks(STRETCH)) {
            let counted: f64 = counts.iter().map(|counts| counts.bad as f64).sum();
            let expected: f64 = expected.iter().sum();
            sum += (counted - expected) * (counted - expected) / expected.max(1.0);
            stretches += 1.0;
        }
    }
    f64::max(1.0, sum / stretches)
}

/// The point that Student's t with `freedom` degrees exceeds with chance `tail`. An
/// odd number of degrees is taken for the even one below (2 at least), which errs
/// on the safe side and needs no arc tangent (Abramowitz and Stegun 26.7.4).
fn student(freedom: usize, tail: f64) -> f64 {
    let nu = (freedom - freedom % 2).max(2);
    let within = |t: f64| {
        let cos2 = nu as f64 / (nu as f64 + t * t);
        let (mut term, mut sum) = (1.0, 1.0);
        for k in 1..nu / 2 {
            term *= cos2 * (2 * k - 1) as f64 / (2 * k) as f64;
            sum += term;
        }
        sum * t / (nu as f64 + t * t).sqrt()
    };
    let (mut low, mut high) = (0.0, 1e6);
    for _ in 0..100 {
        let middle = f64::midpoint(low, high);
        if within(middle) < 1.0 - 2.0 * tail {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::tests::Dice;

    #[test]
    fn the_points_of_students_t_are_those_of_the_tables() {
        for (freedom, tail, point) in [
            (2, 0.025, 4.303),
            (6, 0.025, 2.447),
            (6, 0.0125, 2.969),
            (30, 0.05, 1.697),
            (7, 0.025, 2.447),
        ] {
            assert!(
                (student(freedom, tail) - point).abs() < 1e-3,
                "{freedom} {tail}"
            );
        }
    }

    #[test]
    fn independent_events_have_dispersion_one_and_noise_has_more() {
        let mut dice = Dice(12);
        let mut quiet = |noise: f64| {
            let samples: Vec<Sample> = (0..1_440)
                .map(|_| {
                    let rates = [0, 1].map(|_| 0.01 * exp(noise * dice.normal()));
                    dice.sample(rates[0], rates[1])
                })
                .collect();
            dispersion(&samples, 30).unwrap()
        };
        let (steady, noisy) = (quiet(0.0), quiet(0.8));
        assert!((1.0..1.5).contains(&steady), "{steady}");
        assert!(noisy > 2.0, "{noisy}");
        let alone = Sample::of(Counts::new(1, 100), None);
        let phi = dispersion(&vec![alone.clone(); 240], 30).unwrap();
        assert!((phi - 1.0).abs() < 1e-9);
        assert_eq!(dispersion(&vec![alone; 239], 30), None);
        assert_eq!(dispersion(&vec![Sample::default(); 240], 30), None);
    }

    #[test]
    fn a_forecast_follows_shape_and_level_and_allows_for_what_days_differ() {
        let counts = |rate: f64| Counts::new((rate * 10_000.0).round() as u64, 10_000);
        let day = |level: f64, rise: f64| Day {
            before: vec![counts(level); 60],
            during: vec![counts(level * rise); 120],
        };
        let same = [day(0.01, 2.0), day(0.01, 2.0), day(0.012, 2.0)];
        let told = forecast(&[counts(0.02); 60], &same, 0.05).unwrap();
        assert!((told.shares[60] - 0.04).abs() < 1e-4, "{}", told.shares[60]);
        assert!((told.margin - 1.0).abs() < 1e-3, "{}", told.margin);
        let level = forecast(
            &[counts(0.02); 60],
            &[day(0.01, 1.0), day(0.02, 1.0), day(0.01, 1.0)],
            0.05,
        );
        assert!(level.unwrap().dispersion < 1.01);
        let other = [day(0.01, 2.0), day(0.01, 1.5), day(0.012, 2.5)];
        assert!(forecast(&[counts(0.02); 60], &other, 0.05).unwrap().margin > 2.0);
        assert_eq!(forecast(&[counts(0.02); 60], &other[..2], 0.05), None);
        assert_eq!(forecast(&[Counts::default(); 60], &other, 0.05), None);
        assert_eq!(forecast(&[], &[], 0.05), None);
    }

    #[test]
    fn what_nobody_saw_on_earlier_days_says_nothing_of_the_shape() {
        // Errors double in the second half; a scrape comes only every second interval.
        let day = |level: f64, step: usize| {
            let counts = |i: usize, rate: f64| match i % step {
                0 => Counts::new((rate * 10_000.0).round() as u64, 10_000),
                _ => Counts::default(),
            };
            Day {
                before: (0..60).map(|i| counts(i, level)).collect(),
                during: (0..120)
                    .map(|i| counts(i, if i < 60 { level } else { 2.0 * level }))
                    .collect(),
            }
        };
        let shares = |step: usize| {
            let days = [0.01, 0.011, 0.01].map(|level| day(level, step));
            let told = forecast(&[Counts::new(100, 10_000); 60], &days, 0.05).unwrap();
            told.shares
        };
        for step in [1, 2, 4] {
            let told = shares(step);
            for (at, share) in [(0, 0.01), (30, 0.01), (90, 0.02), (119, 0.02)] {
                assert!(
                    (told[at] / share - 1.0).abs() < 0.05,
                    "{step} {at}: {}",
                    told[at]
                );
            }
        }
        // Nobody saw the middle, for longer than the window.
        let mut days = [0.01, 0.011, 0.01].map(|level| day(level, 1));
        for day in &mut days {
            day.during[40..80].fill(Counts::default());
        }
        let told = forecast(&[Counts::new(100, 10_000); 60], &days, 0.05).unwrap();
        assert!(
            told.shares
                .iter()
                .all(|share| (0.009..0.021).contains(share))
        );
    }

    #[test]
    fn a_forecast_that_is_no_number_is_none() {
        let day = |rate: f64| Day {
            before: vec![Counts::new(1, 1_000_000); 4],
            during: vec![Counts::new((rate * 1e6) as u64, 1_000_000); 4],
        };
        let days = [day(1.0), day(0.0), day(0.0)];
        let mild = forecast(&[Counts::new(1, 1000); 4], &days, 0.05).unwrap();
        assert!(mild.margin.is_finite() && mild.shares.iter().all(|s| s.is_finite()));
        assert_eq!(forecast(&[Counts::new(1, 1000); 4], &days, 1e-6), None);
    }
}
