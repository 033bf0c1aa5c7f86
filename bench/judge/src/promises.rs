//! What must hold whatever the numbers: coverage of printed intervals, verdicts
//! that do not depend on unit, replay or how a scrape was cut, and speed.

use std::collections::BTreeMap;

use baton_core::id::MeasureId;
use baton_core::watch::{Counts, Effect, Judge, Kind, Learned, Sample, Verdict};

use crate::blocks::{ALPHA, Scale};
use crate::dice::Dice;
use crate::figures::{Row, share};
use crate::ours::{measure, terms};
use crate::peers;
use crate::streams::{Errors, MINUTES, Regime, Times};

fn known() -> Learned {
    Learned {
        dispersion: Some(1.0),
        ..Learned::default()
    }
}

fn of(sample: &Sample) -> BTreeMap<MeasureId, Sample> {
    BTreeMap::from([(MeasureId::new("m"), sample.clone())])
}

fn judge(kind: Kind, limit: Option<f64>) -> Judge {
    let mut measure = measure("m", kind, known());
    (measure.limit, measure.worse_by) = (limit, limit.map(|_| 0.0));
    Judge::new(&terms(vec![measure], ALPHA, MINUTES))
}

/// The share of releases in which a printed interval ever missed the truth.
pub(crate) fn coverage(scale: Scale) -> Vec<Row> {
    let mut rows = Vec::new();
    for (i, (ratio, name)) in [(1.0, "1"), (1.5, "1_5")].into_iter().enumerate() {
        let mut dice = Dice::new(&[6, i as u64]);
        let (mut ratios, mut shares) = (Vec::new(), Vec::new());
        for _ in 0..scale.of(2000) {
            let mut judge = judge(Kind::Counts, Some(0.01));
            let (mut off, mut out) = (None, None);
            let stream = Errors::new(Regime::Steady, ratio).draw(&mut dice, MINUTES);
            for (t, sample) in stream.iter().enumerate() {
                judge.take(&of(sample));
                if t % 10 != 9 && t > 10 {
                    continue;
                }
                let finding = judge.verdict().measures.swap_remove(0);
                if finding
                    .interval
                    .is_some_and(|(low, high)| ratio < low || ratio > high)
                {
                    off = Some(t);
                }
                if let Some(Effect::Share { low, high }) = finding.effect
                    && (0.01 * ratio < low || 0.01 * ratio > high)
                {
                    out = Some(t);
                }
            }
            ratios.push(off);
            shares.push(out);
        }
        rows.push(share(
            format!("interval_of_ratio_missed_{name}_pct"),
            &ratios,
        ));
        rows.push(share(
            format!("interval_of_share_missed_{name}_pct"),
            &shares,
        ));
    }
    rows
}

/// How many verdicts change with what must not matter.
pub(crate) fn invariance(scale: Scale) -> Vec<Row> {
    let (mut by_replay, mut by_cut, mut by_unit) = (0, 0, 0);
    let runs = scale.of(300);
    let mut dice = Dice::new(&[7]);
    for run in 0..runs {
        let kind = if run % 2 == 0 {
            Kind::Counts
        } else {
            Kind::Histogram
        };
        let samples = match kind {
            Kind::Histogram => {
                let slower = Times {
                    scale: 1.03,
                    tail: 0.0,
                    onset: 30,
                };
                slower.draw(&mut dice).samples
            }
            _ => Errors::new(Regime::Noisy, 1.2).draw(&mut dice, MINUTES),
        };
        let verdicts = |samples: &[Sample]| -> Vec<Verdict> {
            let mut judge = judge(kind, None);
            samples
                .iter()
                .map(|sample| judge.observe(&of(sample)))
                .collect()
        };
        let first = verdicts(&samples);
        let text = serde_json::to_string(&(&samples, &first)).unwrap_or_default();
        let read: Result<(Vec<Sample>, Vec<Verdict>), _> = serde_json::from_str(&text);
        let same = read.is_ok_and(|(read, said)| verdicts(&read) == said && said == first);
        by_replay += usize::from(!same);
        let cut: Vec<Sample> = samples
            .iter()
            .map(|sample| cut(sample, &mut dice))
            .collect();
        by_cut += usize::from(verdicts(&cut) != first);
        let decisions = |verdicts: &[Verdict]| -> Vec<_> {
            let one = |v: &Verdict| (v.decision, v.measures[0].e.to_bits());
            verdicts.iter().map(one).collect()
        };
        let seconds: Vec<Sample> = samples.iter().map(in_seconds).collect();
        by_unit += usize::from(decisions(&verdicts(&seconds)) != decisions(&first));
    }
    let row = |key: &str, changed: usize| Row {
        key: key.to_owned(),
        value: Some(changed as f64),
        spread: format!("of {runs} releases of {MINUTES} verdicts"),
    };
    vec![
        row("changed_by_replay_count", by_replay),
        row("changed_by_scrape_cut_count", by_cut),
        row("changed_by_unit_count", by_unit),
        row("kayenta_changed_by_unit_count", kayenta_by_unit(runs)),
    ]
}

/// How many of the peer's classes change when 1.2 ms is written in seconds.
fn kayenta_by_unit(runs: usize) -> usize {
    let mut dice = Dice::new(&[9]);
    let metric = peers::Metric::increase();
    let changed = (0..runs).filter(|_| {
        let mut minutes = |mean: f64| -> Vec<f64> {
            (0..60)
                .map(|_| mean * (0.1 * dice.normal()).exp())
                .collect()
        };
        let (canary, control) = (minutes(0.0012 * 1.05), minutes(0.0012));
        let ms = |v: &[f64]| v.iter().map(|x| x * 1000.0).collect::<Vec<_>>();
        peers::kayenta(&canary, &control, &metric).0
            != peers::kayenta(&ms(&canary), &ms(&control), &metric).0
    });
    changed.count()
}

/// The same interval, scraped in two parts.
fn cut(sample: &Sample, dice: &mut Dice) -> Sample {
    use baton_core::watch::Detail;
    let part = |n: u64, share: f64| (n as f64 * share) as u64;
    let share = dice.roll();
    let counts = |c: Counts| Counts::new(part(c.bad, share), part(c.total, share));
    let list = |v: &[u64]| v.iter().map(|n| part(*n, share)).collect::<Vec<u64>>();
    let minus = |all: &[u64], less: &[u64]| all.iter().zip(less).map(|(a, b)| a - b).collect();
    let mut first = Sample::of(counts(sample.canary), sample.control.map(counts));
    let rest = |all: Counts| {
        let less = counts(all);
        Counts::new(all.bad - less.bad, all.total - less.total)
    };
    let mut second = Sample::of(rest(sample.canary), sample.control.map(rest));
    if let Some(Detail::Histogram {
        bounds,
        canary,
        control,
    }) = &sample.detail
    {
        let (one, two) = (list(canary), list(control));
        second.detail = Some(Detail::Histogram {
            bounds: bounds.clone(),
            canary: minus(canary, &one),
            control: minus(control, &two),
        });
        first.detail = Some(Detail::Histogram {
            bounds: bounds.clone(),
            canary: one,
            control: two,
        });
    }
    first.add(second);
    first
}

/// The same interval with its times in another unit.
fn in_seconds(sample: &Sample) -> Sample {
    use baton_core::watch::Detail;
    let mut other = sample.clone();
    if let Some(Detail::Histogram { bounds, .. }) = &mut other.detail {
        for bound in bounds {
            *bound /= 1000.0;
        }
    }
    other
}

/// Seconds this process was on a core: other work on the machine does not count.
fn cpu_s() -> f64 {
    let text = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let nanos = text
        .split_whitespace()
        .next()
        .and_then(|n| n.parse::<f64>().ok());
    nanos.unwrap_or(0.0) / 1e9
}

/// How fast, on one core. A point is one number read: a count of one arm.
pub(crate) fn speed() -> Vec<Row> {
    let mut dice = Dice::new(&[8]);
    let intervals = 400;
    let stream = Errors::new(Regime::Drift, 1.0).draw(&mut dice, intervals);
    let ids: Vec<String> = (0..500).map(|i| format!("m{i:03}")).collect();
    let measures: Vec<_> = ids
        .iter()
        .map(|id| measure(id, Kind::Counts, known()))
        .collect();
    let mut judge = Judge::new(&terms(measures, ALPHA, intervals));
    let looks: Vec<BTreeMap<MeasureId, Sample>> = (0..intervals)
        .map(|t| {
            let at = |i: usize| stream[(t + i) % intervals].clone();
            ids.iter()
                .enumerate()
                .map(|(i, id)| (MeasureId::new(id), at(i)))
                .collect()
        })
        .collect();
    let begun = cpu_s();
    for look in &looks {
        judge.take(look);
    }
    let taken = cpu_s() - begun;
    let points = (4 * ids.len() * intervals) as f64;
    // A verdict with its words after every look, as a watch does it.
    let begun = cpu_s();
    let said = looks
        .iter()
        .take(20)
        .map(|look| judge.observe(look).measures.len());
    let said: usize = said.sum();
    let look = (cpu_s() - begun) / 20.0;
    let row = |key: &str, value, spread: String| Row {
        key: key.to_owned(),
        value: Some(value),
        spread,
    };
    vec![
        row(
            "points_judged_per_s",
            points / taken,
            format!("{points} points in {taken:.3} s"),
        ),
        row(
            "core_share_500_measures_15s_pct",
            100.0 * look / 15.0,
            format!("{:.2} ms a look, {} findings", look * 1000.0, said / 20),
        ),
    ]
}
