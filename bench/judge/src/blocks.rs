//! What is measured: each function one block of figures.

use baton_core::watch::history::dispersion;
use baton_core::watch::{Kind, Learned, Sample};

use crate::dice::Dice;
use crate::figures::{Row, delay, quantile, share};
use crate::streams::{Errors, MINUTES, Regime, Timed, Times, percents};
use crate::{ours, peers};

/// The level at which the judge is compared with its peers.
pub(crate) const ALPHA: f64 = 0.05;
/// Baton's own default.
const DEFAULT: f64 = 0.01;
/// Kayenta is asked from this minute on, every minute.
const FIRST_LOOK: usize = 5;

/// How many releases: of the full number, this share.
#[derive(Clone, Copy)]
pub(crate) struct Scale(pub(crate) f64);

impl Scale {
    pub(crate) fn of(self, runs: usize) -> usize {
        ((runs as f64 * self.0) as usize).max(20)
    }
}

/// A release of which errors are counted.
pub(crate) struct Release {
    samples: Vec<Sample>,
    percents: [Vec<f64>; 2],
    learned: Learned,
}

impl Release {
    fn draw(errors: &Errors, dice: &mut Dice) -> Self {
        let learned = Learned {
            dispersion: dispersion(&errors.history(dice), 1),
            ..Learned::default()
        };
        let samples = errors.draw(dice, MINUTES);
        Self {
            percents: percents(&samples),
            samples,
            learned,
        }
    }
}

fn releases(errors: &Errors, key: &[u64], runs: usize) -> Vec<Release> {
    let mut dice = Dice::new(key);
    (0..runs)
        .map(|_| Release::draw(errors, &mut dice))
        .collect()
}

fn kayenta(canary: &[f64], control: &[f64], z: f64) -> Option<usize> {
    (FIRST_LOOK..=canary.len()).find(|t| peers::kayenta_z(&canary[..*t], &control[..*t]) > z)
}

/// What each rule was tuned to on null releases of their own.
struct Tuned {
    argo: f64,
    flagger: f64,
    kayenta_z: f64,
    alpha: f64,
}

/// The `n`th largest value of each release, at the quantile that makes 5 %.
fn threshold(values: impl Iterator<Item = Vec<f64>>, n: usize) -> f64 {
    let nth = values.map(|mut values| {
        values.sort_by(|a, b| b.total_cmp(a));
        values[n - 1]
    });
    quantile(nth.collect(), 1.0 - ALPHA)
}

fn kayenta_cut(arms: impl Iterator<Item = [Vec<f64>; 2]>) -> f64 {
    let most = arms.map(|[canary, control]| {
        let looks =
            (FIRST_LOOK..=canary.len()).map(|t| peers::kayenta_z(&canary[..t], &control[..t]));
        looks.fold(f64::NEG_INFINITY, f64::max)
    });
    quantile(most.collect(), 1.0 - ALPHA)
}

/// The level that gives 5 % on these null releases, by bisection.
fn level(null: &[impl Fn(f64) -> bool]) -> f64 {
    let (mut low, mut high) = (ALPHA, 4.0 * ALPHA);
    for _ in 0..7 {
        let middle = f64::midpoint(low, high);
        let fired = null.iter().filter(|fires| fires(middle)).count();
        if fired as f64 <= ALPHA * null.len() as f64 {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

impl Tuned {
    fn errors(null: &[Release], few: usize) -> Self {
        let values = || null.iter().map(|release| release.percents[0].clone());
        let fires: Vec<_> = null
            .iter()
            .map(|r| |alpha| ours::alarm(&r.samples, Kind::Counts, &r.learned, alpha).is_some())
            .collect();
        Self {
            argo: threshold(values(), 4),
            flagger: threshold(values(), 5),
            kayenta_z: kayenta_cut(null.iter().take(few).map(|r| r.percents.clone())),
            alpha: level(&fires),
        }
    }
}

/// One rule: the prefix of its keys, and when it fires.
type Rule<'a, T> = (&'a str, Box<dyn Fn(&T) -> Option<usize> + 'a>);

fn error_rules(tuned: &Tuned) -> Vec<Rule<'_, Release>> {
    let ours =
        |alpha: f64| move |r: &Release| ours::alarm(&r.samples, Kind::Counts, &r.learned, alpha);
    vec![
        ("", Box::new(ours(ALPHA))),
        ("alpha_1pct_", Box::new(ours(DEFAULT))),
        ("tuned_", Box::new(ours(tuned.alpha))),
        (
            "kayenta_",
            Box::new(|r| kayenta(&r.percents[0], &r.percents[1], peers::Z98)),
        ),
        (
            "kayenta_tuned_",
            Box::new(|r| kayenta(&r.percents[0], &r.percents[1], tuned.kayenta_z)),
        ),
        ("argo_", Box::new(|r| peers::argo(&r.percents[0], 2.0, 0))),
        (
            "argo_tuned_",
            Box::new(|r| peers::argo(&r.percents[0], tuned.argo, 3)),
        ),
        (
            "flagger_",
            Box::new(|r| peers::flagger(&r.percents[0], 1.5, 5)),
        ),
        (
            "flagger_tuned_",
            Box::new(|r| peers::flagger(&r.percents[0], tuned.flagger, 5)),
        ),
    ]
}

/// All rules on all releases; what is slow, on the first thousand.
fn all<T>(
    rules: &[Rule<'_, T>],
    releases: &[T],
    row: impl Fn(&str, &[Option<usize>]) -> Row,
) -> Vec<Row> {
    let rows = rules.iter().map(|(prefix, rule)| {
        let most = if prefix.starts_with("kayenta") {
            1000
        } else {
            usize::MAX
        };
        let fired: Vec<_> = releases.iter().take(most).map(rule).collect();
        row(prefix, &fired)
    });
    rows.collect()
}

/// Errors in two arms of equal size.
pub(crate) fn errors(scale: Scale) -> Vec<Row> {
    let steady = Errors::new(Regime::Steady, 1.0);
    let calibration = releases(&steady, &[1, 0], scale.of(2000));
    let tuned = Tuned::errors(&calibration, scale.of(1000));
    let rules = error_rules(&tuned);
    let mut rows = Vec::new();
    for (i, (regime, name)) in [
        (Regime::Steady, "steady"),
        (Regime::Drift, "drift"),
        (Regime::Noisy, "noisy"),
        (Regime::Mild, "mild_noise"),
    ]
    .into_iter()
    .enumerate()
    {
        let null = releases(&Errors::new(regime, 1.0), &[1, 1, i as u64], scale.of(2000));
        let key =
            |prefix: &str, fired: &[_]| share(format!("{prefix}false_rollback_{name}_pct"), fired);
        rows.extend(all(&rules, &null, key));
    }
    let late = Errors {
        onset: 60,
        ..Errors::new(Regime::Steady, 1.5)
    };
    for (i, (errors, name)) in [
        (Errors::new(Regime::Steady, 1.25), "1_25"),
        (Errors::new(Regime::Steady, 1.5), "1_5"),
        (Errors::new(Regime::Steady, 2.0), "2"),
        (Errors::new(Regime::Noisy, 1.25), "noisy_1_25"),
        (Errors::new(Regime::Noisy, 1.5), "noisy_1_5"),
        (Errors::new(Regime::Noisy, 2.0), "noisy_2"),
        (late, "from_min_60_1_5"),
    ]
    .into_iter()
    .enumerate()
    {
        let harmed = releases(&errors, &[1, 2, i as u64], scale.of(600));
        let onset = errors.onset;
        let key = |prefix: &str, fired: &[_]| {
            delay(format!("{prefix}delay_errors_{name}_min"), fired, onset)
        };
        rows.extend(all(&rules, &harmed, key));
    }
    rows
}

/// A canary with a tenth of little traffic.
pub(crate) fn sparse(scale: Scale) -> Vec<Row> {
    let mut rows = Vec::new();
    for (i, (ratio, name)) in [(1.0, ""), (2.0, "2"), (5.0, "5")].into_iter().enumerate() {
        let errors = Errors {
            requests: (30.0, 270.0),
            rate: 0.005,
            ..Errors::new(Regime::Steady, ratio)
        };
        let drawn = releases(&errors, &[2, i as u64], scale.of(2000));
        let rules: [Rule<'_, Release>; 2] = [
            (
                "",
                Box::new(|r| ours::alarm(&r.samples, Kind::Counts, &r.learned, ALPHA)),
            ),
            // The only threshold of the study that stays near 5 % here.
            ("argo_", Box::new(|r| peers::argo(&r.percents[0], 5.0, 3))),
        ];
        for (prefix, rule) in rules {
            let fired: Vec<_> = drawn.iter().map(rule).collect();
            rows.push(if ratio > 1.0 {
                delay(format!("{prefix}delay_sparse_{name}_min"), &fired, 0)
            } else {
                share(format!("{prefix}false_rollback_sparse_pct"), &fired)
            });
            if ratio > 1.0 {
                rows.push(share(format!("{prefix}found_sparse_{name}_pct"), &fired));
            }
        }
    }
    rows
}

/// Ten measures, any of which may roll back.
pub(crate) fn ten(scale: Scale) -> Vec<Row> {
    let steady = Errors::new(Regime::Steady, 1.0);
    let calibration = releases(&steady, &[3, 0], scale.of(2000));
    let argo = threshold(calibration.iter().map(|r| r.percents[0].clone()), 4);
    let mut dice = Dice::new(&[3, 1]);
    let (mut ours_fired, mut default, mut kayenta_fired, mut argo_fired) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for run in 0..scale.of(2000) {
        let ten: Vec<Release> = (0..10).map(|_| Release::draw(&steady, &mut dice)).collect();
        let measures = ten.iter().enumerate();
        let measures =
            measures.map(|(i, r)| ours::measure(&format!("m{i}"), Kind::Counts, r.learned.clone()));
        let measures: Vec<_> = measures.collect();
        let streams: Vec<&[Sample]> = ten.iter().map(|r| r.samples.as_slice()).collect();
        for (alpha, fired) in [(ALPHA, &mut ours_fired), (DEFAULT, &mut default)] {
            let terms = ours::terms(measures.clone(), alpha, MINUTES);
            fired.push(ours::alarms(&streams, &terms));
        }
        argo_fired.push(
            ten.iter()
                .filter_map(|r| peers::argo(&r.percents[0], argo, 3))
                .min(),
        );
        if run < scale.of(300) {
            let each = ten
                .iter()
                .map(|r| kayenta(&r.percents[0], &r.percents[1], peers::Z98));
            kayenta_fired.push(each.flatten().min());
        }
    }
    let row =
        |prefix: &str, fired: &[_]| share(format!("{prefix}false_rollback_ten_metrics_pct"), fired);
    vec![
        row("", &ours_fired),
        row("alpha_1pct_", &default),
        row("kayenta_", &kayenta_fired),
        row("argo_tuned_", &argo_fired),
    ]
}

/// A release of which answers are timed.
struct Run {
    timed: Timed,
    learned: Learned,
}

fn timed(times: &Times, key: &[u64], runs: usize) -> Vec<Run> {
    let mut dice = Dice::new(key);
    let run = |_| {
        let (history, histogram) = Times::history(&mut dice);
        let learned = Learned {
            dispersion: dispersion(&history, 1),
            histogram,
            ..Learned::default()
        };
        Run {
            timed: times.draw(&mut dice),
            learned,
        }
    };
    (0..runs).map(run).collect()
}

fn time_rules(tuned: &Tuned) -> Vec<Rule<'_, Run>> {
    let ours = |alpha: f64| {
        move |r: &Run| ours::alarm(&r.timed.samples, Kind::Histogram, &r.learned, alpha)
    };
    let kayenta_at = |z: f64| move |r: &Run| kayenta(&r.timed.p95[0], &r.timed.p95[1], z);
    vec![
        ("", Box::new(ours(ALPHA))),
        ("alpha_1pct_", Box::new(ours(DEFAULT))),
        ("tuned_", Box::new(ours(tuned.alpha))),
        ("kayenta_", Box::new(kayenta_at(peers::Z98))),
        ("kayenta_tuned_", Box::new(kayenta_at(tuned.kayenta_z))),
        (
            "argo_tuned_",
            Box::new(|r| peers::argo(&r.timed.p95[0], tuned.argo, 3)),
        ),
        (
            "flagger_tuned_",
            Box::new(|r| peers::flagger(&r.timed.p99, tuned.flagger, 5)),
        ),
    ]
}

/// Answer times, by their histogram.
pub(crate) fn latency(scale: Scale) -> Vec<Row> {
    let quiet = Times {
        scale: 1.0,
        tail: 0.0,
        onset: 0,
    };
    let calibration = timed(&quiet, &[4, 0], scale.of(1000));
    let fires: Vec<_> = calibration
        .iter()
        .map(|r| {
            |alpha| ours::alarm(&r.timed.samples, Kind::Histogram, &r.learned, alpha).is_some()
        })
        .collect();
    let tuned = Tuned {
        argo: threshold(calibration.iter().map(|r| r.timed.p95[0].clone()), 4),
        flagger: threshold(calibration.iter().map(|r| r.timed.p99.clone()), 5),
        kayenta_z: kayenta_cut(calibration.iter().map(|r| r.timed.p95.clone())),
        alpha: level(&fires),
    };
    let rules = time_rules(&tuned);
    let null = timed(&quiet, &[4, 1], scale.of(2000));
    let key =
        |prefix: &str, fired: &[_]| share(format!("{prefix}false_rollback_latency_pct"), fired);
    let mut rows = all(&rules, &null, key);
    let slower = |scale: f64| Times { scale, ..quiet };
    let tail = Times {
        tail: 0.005,
        ..quiet
    };
    let late = Times {
        onset: 60,
        ..slower(1.05)
    };
    for (i, (times, name)) in [
        (slower(1.02), "1_02"),
        (slower(1.05), "1_05"),
        (slower(1.10), "1_10"),
        (tail, "tail_300ms"),
        (late, "from_min_60_1_05"),
    ]
    .into_iter()
    .enumerate()
    {
        let harmed = timed(&times, &[4, 2, i as u64], scale.of(400));
        let onset = times.onset;
        let key = |prefix: &str, fired: &[_]| {
            delay(format!("{prefix}delay_latency_{name}_min"), fired, onset)
        };
        rows.extend(all(&rules, &harmed, key));
    }
    rows
}
