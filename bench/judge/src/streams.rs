//! Simulated releases: minute by minute what two groups of hosts saw.
//!
//! 600 requests a minute in each arm, 1 % errors, two hours, unless said. The
//! regimes are those of the research the goals come from: *steady*; *drift*, where
//! rate and traffic swing in both arms together; *noisy*, where each arm has slow
//! noise of its own; *mild*, a quarter of that noise's variance.

use std::f64::consts::TAU;

use baton_core::watch::{Counts, Detail, Sample};

use crate::dice::Dice;

/// Minutes of one release.
pub(crate) const MINUTES: usize = 120;
/// Minutes of history before it: one week.
const WEEK: usize = 7 * 1440;
/// Minutes that one look at that history takes together.
const BATCH: usize = 30;

/// How the world behaves when nothing is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Regime {
    Steady,
    Drift,
    Noisy,
    Mild,
}

/// What is simulated.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Errors {
    pub(crate) regime: Regime,
    /// The canary's error rate, as a multiple.
    pub(crate) ratio: f64,
    /// The minute from which on.
    pub(crate) onset: usize,
    /// Requests a minute of canary and control.
    pub(crate) requests: (f64, f64),
    pub(crate) rate: f64,
}

impl Errors {
    pub(crate) fn new(regime: Regime, ratio: f64) -> Self {
        Self {
            regime,
            ratio,
            onset: 0,
            requests: (600.0, 600.0),
            rate: 0.01,
        }
    }

    /// One release of so many minutes.
    pub(crate) fn draw(&self, dice: &mut Dice, minutes: usize) -> Vec<Sample> {
        let phase = dice.roll() * TAU;
        let sd = match self.regime {
            Regime::Steady | Regime::Drift => 0.0,
            Regime::Noisy => 0.25,
            Regime::Mild => 0.125,
        };
        let mut noise = [Noise::new(sd), Noise::new(sd)];
        (0..minutes)
            .map(|t| {
                let angle = TAU * t as f64 / 120.0 + phase;
                let (common, load) = match self.regime {
                    Regime::Drift => ((0.5 * angle.sin()).exp(), (0.4 * (angle + 1.0).sin()).exp()),
                    _ => (1.0, 1.0),
                };
                let n1 = dice.poisson(self.requests.0 * load);
                let n0 = dice.poisson(self.requests.1 * load);
                let harm = if t >= self.onset { self.ratio } else { 1.0 };
                let own = [noise[0].next(dice), noise[1].next(dice)];
                let x1 = dice.binomial(n1, self.rate * common * own[0] * harm);
                let x0 = dice.binomial(n0, self.rate * common * own[1]);
                Sample::of(Counts::new(x1, n1), Some(Counts::new(x0, n0)))
            })
            .collect()
    }

    /// The same hosts in the week before, in stretches of [`BATCH`] minutes.
    pub(crate) fn history(&self, dice: &mut Dice) -> Vec<Sample> {
        let quiet = Self {
            ratio: 1.0,
            ..*self
        };
        let minutes = quiet.draw(dice, WEEK);
        let whole = |minutes: &[Sample]| {
            let mut sum = Sample::default();
            minutes.iter().for_each(|minute| sum.add(minute.clone()));
            sum
        };
        minutes.chunks(BATCH).map(whole).collect()
    }
}

/// Slow noise of one arm: AR(1) with coefficient 0.7 in the logarithm, mean 1.
struct Noise {
    sd: f64,
    z: Option<f64>,
}

impl Noise {
    fn new(sd: f64) -> Self {
        Self { sd, z: None }
    }

    fn next(&mut self, dice: &mut Dice) -> f64 {
        if self.sd == 0.0 {
            return 1.0;
        }
        let fresh = dice.normal();
        let z = self.z.map_or(fresh, |z| 0.7 * z + 0.51_f64.sqrt() * fresh);
        self.z = Some(z);
        (self.sd * z - self.sd * self.sd / 2.0).exp()
    }
}

/// Percent of errors, minute by minute, of canary and control.
pub(crate) fn percents(samples: &[Sample]) -> [Vec<f64>; 2] {
    let percent = |counts: Counts| 100.0 * counts.bad as f64 / (counts.total as f64).max(1.0);
    [
        samples.iter().map(|s| percent(s.canary)).collect(),
        samples
            .iter()
            .map(|s| percent(s.control.unwrap_or_default()))
            .collect(),
    ]
}

/// Answer times: lognormal, median 100 ms, sigma 0.5.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    /// All times of the canary, as a multiple.
    pub(crate) scale: f64,
    /// This share of its answers takes 300 ms longer.
    pub(crate) tail: f64,
    pub(crate) onset: usize,
}

/// Answers a minute in each arm.
const ANSWERS: usize = 600;
/// What was agreed: the p95 of these times.
const LIMIT_MS: f64 = 228.0;

/// What one release's times come to.
pub(crate) struct Timed {
    pub(crate) samples: Vec<Sample>,
    /// p95 of canary and control, and p99 of the canary, minute by minute.
    pub(crate) p95: [Vec<f64>; 2],
    pub(crate) p99: Vec<f64>,
}

/// Upper bounds of the buckets in ms: 15, from 40 to 640.
pub(crate) fn bounds() -> Vec<f64> {
    let bound = |i: u32| (400.0 * 16_f64.powf(f64::from(i) / 14.0)).round() / 10.0;
    (0..15).map(bound).collect()
}

impl Times {
    pub(crate) fn draw(&self, dice: &mut Dice) -> Timed {
        let bounds = bounds();
        let mut timed = Timed {
            samples: Vec::new(),
            p95: [Vec::new(), Vec::new()],
            p99: Vec::new(),
        };
        for t in 0..MINUTES {
            let mut arms = Vec::new();
            for arm in 0..2 {
                let harmed = arm == 0 && t >= self.onset;
                let mut times = self.minute(dice, harmed);
                let mut histogram = vec![0; bounds.len() + 1];
                for time in &times {
                    histogram[bounds.partition_point(|bound| bound < time)] += 1;
                }
                let over = times.iter().filter(|time| **time > LIMIT_MS).count();
                let p95 = *times.select_nth_unstable_by(569, f64::total_cmp).1;
                timed.p95[arm].push(p95);
                if arm == 0 {
                    timed
                        .p99
                        .push(*times.select_nth_unstable_by(593, f64::total_cmp).1);
                }
                arms.push((Counts::new(over as u64, ANSWERS as u64), histogram));
            }
            let [(canary, fast), (control, slow)] = <[_; 2]>::try_from(arms).unwrap_or_default();
            timed.samples.push(Sample {
                detail: Some(Detail::Histogram {
                    bounds: bounds.clone(),
                    canary: fast,
                    control: slow,
                }),
                ..Sample::of(canary, Some(control))
            });
        }
        timed
    }

    fn minute(&self, dice: &mut Dice, harmed: bool) -> Vec<f64> {
        let mut times = Vec::with_capacity(ANSWERS);
        while times.len() < ANSWERS {
            let (one, other) = dice.normals();
            times.extend([one, other].map(|z| 100.0 * (0.5 * z).exp()));
        }
        if harmed {
            for time in &mut times {
                *time *= self.scale;
                if self.tail > 0.0 && dice.roll() < self.tail {
                    *time += 300.0;
                }
            }
        }
        times
    }

    /// The week before in stretches of [`BATCH`] minutes: how many answers were over
    /// the limit; and an hour's histogram.
    pub(crate) fn history(dice: &mut Dice) -> (Vec<Sample>, Vec<u64>) {
        let slow = 0.049_7;
        let answers = (ANSWERS * BATCH) as u64;
        let minutes = (0..WEEK / BATCH).map(|_| {
            let [a, b] = [0, 1].map(|_| dice.binomial(answers, slow));
            let of = |bad| Counts::new(bad, answers);
            Sample::of(of(a), Some(of(b)))
        });
        let samples = minutes.collect();
        let bounds = bounds();
        let mut histogram = vec![0; bounds.len() + 1];
        for _ in 0..60 * ANSWERS / 2 {
            let (one, other) = dice.normals();
            for z in [one, other] {
                let time = 100.0 * (0.5 * z).exp();
                histogram[bounds.partition_point(|bound| *bound < time)] += 1;
            }
        }
        (samples, histogram)
    }
}
