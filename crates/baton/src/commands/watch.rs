//! `watch --replay`: the judge on a series somebody recorded.
//!
//! What is before the change teaches it what it can (dispersion, usual times, and
//! a forecast where nothing ran without the change); what follows is judged look by
//! look, exactly as in a run.

use std::collections::BTreeMap;
use std::path::Path;

use baton_core::id::MeasureId;
use baton_core::time::Duration;
use baton_core::watch::history::{Day, dispersion, forecast};
use baton_core::watch::plot::{Plot, Point, svg};
use baton_core::watch::recorded::{Recorded, read};
use baton_core::watch::{
    Counts, Decision, Detail, Judge, Kind, Learned, Measure, Sample, Terms, Verdict,
};
use jiff::Timestamp;
use serde_json::json;

use crate::args::Replay;
use crate::exit::Exit;
use crate::render::{Out, Tone, cell, spark, toned};
use baton_engine::failure::Failure;

/// Noise that lasts minutes is looked at in batches this long.
const BATCH_S: u32 = 1800;
/// The stretch before a change that a forecast starts from.
const BEFORE_S: u32 = 3600;
const DAY_S: u32 = 86_400;
/// At most this many earlier days speak for today.
const DAYS_MOST: usize = 7;
/// The width of a picture in CSS pixels.
const PICTURE_WIDTH: f64 = 720.0;

/// One look at a time, as it was judged.
struct Judged {
    verdicts: Vec<Verdict>,
    terms: Terms,
    /// The look that rolled back, from 1.
    alarm: Option<usize>,
}

/// `baton watch --replay FILE`.
pub(crate) fn run(asked: &Replay, out: &Out) -> Result<Exit, Failure> {
    let path = &asked.replay;
    let text = std::fs::read_to_string(path)
        .map_err(|why| Failure::wrong(format!("cannot read {}", path.display())).because(&why))?;
    let every = asked.every.as_deref().map(seconds).transpose()?;
    let series = read(&text, every)
        .map_err(|why| Failure::wrong(format!("cannot read {}", path.display())).because(&why))?;
    let change = change(asked, &series)?;
    let judged = judge(asked, &series, change)?;
    let after = &series.intervals[change..];
    if let Some(folder) = &asked.pictures {
        draw(folder, after, &judged)?;
    }
    show(out, &series, change, &judged);
    let last = judged.verdicts.last().map(|verdict| verdict.decision);
    Ok(match (judged.alarm, last) {
        (Some(_), _) => Exit::Bad,
        (None, Some(Decision::Keep)) => Exit::Good,
        _ => Exit::Unknown,
    })
}

fn seconds(text: &str) -> Result<u32, Failure> {
    let lasts = Duration::parse(text).map_err(Failure::wrong)?;
    let seconds = u32::try_from(lasts.as_millis() / 1000).unwrap_or(0);
    if seconds == 0 {
        return Err(Failure::wrong(format!(
            "{text} is no whole number of seconds"
        )));
    }
    Ok(seconds)
}

/// `1%` or `0.01`.
fn share(text: &str) -> Result<f64, Failure> {
    let (number, scale) = match text.strip_suffix('%') {
        Some(number) => (number, 100.0),
        None => (text, 1.0),
    };
    match number.trim().parse::<f64>() {
        Ok(number) if number.is_finite() && number >= 0.0 => Ok(number / scale),
        _ => {
            Err(Failure::wrong(format!("cannot read `{text}` as a share")).hint("write 1% or 0.01"))
        }
    }
}

/// The interval in which the change was made.
fn change(asked: &Replay, series: &Recorded) -> Result<usize, Failure> {
    let Some(at) = &asked.at else { return Ok(0) };
    let at: Timestamp = at.parse().map_err(|_| {
        Failure::wrong(format!("cannot read `{at}` as a time")).hint("write 2026-11-22T10:00:00Z")
    })?;
    let since = at.as_second() - series.begins.as_second();
    let interval = usize::try_from(since / i64::from(series.every_s)).ok();
    interval
        .filter(|i| *i < series.intervals.len())
        .ok_or_else(|| {
            let last =
                Duration::from_secs(u64::from(series.every_s) * series.intervals.len() as u64);
            Failure::wrong(format!("the change at {at} is not in the series"))
                .hint(format!("it begins at {} and lasts {last}", series.begins))
        })
}

fn judge(asked: &Replay, series: &Recorded, change: usize) -> Result<Judged, Failure> {
    let false_alarm = share(&asked.false_alarm)?;
    let limit = asked.at_most.as_deref().map(share).transpose()?;
    let worse_by = asked.worse_by.as_deref().map(share).transpose()?;
    let intervals = (seconds(&asked.lasts)? / series.every_s).max(1);
    let measure = |(id, kind): (&MeasureId, &Kind)| Measure {
        id: id.clone(),
        says: String::new(),
        kind: *kind,
        limit,
        worse_by,
        critical: true,
        weight: 1.0,
        learned: learned(series, id, change, intervals as usize, false_alarm),
    };
    let terms = Terms {
        measures: series.measures.iter().map(measure).collect(),
        false_alarm,
        watch_intervals: intervals,
        interval_s: series.every_s,
        warm_up: 0,
    };
    let mut judge = Judge::new(&terms);
    let looks = series.intervals[change..].iter();
    let verdicts: Vec<Verdict> = looks.map(|samples| judge.observe(samples)).collect();
    let alarm = verdicts
        .iter()
        .position(|verdict| verdict.decision == Decision::RollBack);
    Ok(Judged {
        verdicts,
        terms,
        alarm: alarm.map(|i| i + 1),
    })
}

/// What the time before the change teaches of one measure.
fn learned(series: &Recorded, id: &MeasureId, change: usize, during: usize, alpha: f64) -> Learned {
    let of = |samples: &BTreeMap<MeasureId, Sample>| samples.get(id).cloned().unwrap_or_default();
    let quiet: Vec<Sample> = series.intervals[..change].iter().map(of).collect();
    let batch = (BATCH_S / series.every_s).max(1) as usize;
    let mut histogram = Vec::new();
    for sample in &quiet {
        if let Some(Detail::Histogram { canary, .. }) = &sample.detail {
            histogram.resize(canary.len(), 0);
            for (sum, n) in histogram.iter_mut().zip(canary) {
                *sum += n;
            }
        }
    }
    let alone = series.intervals.iter().all(|samples| {
        samples
            .get(id)
            .is_none_or(|sample| sample.control.is_none())
    });
    let forecast = alone.then(|| {
        let day = (DAY_S / series.every_s) as usize;
        let before = (BEFORE_S / series.every_s).max(1) as usize;
        let counts = |from: usize, n: usize| -> Vec<Counts> {
            (from..from + n)
                .map(|i| series.intervals.get(i).map(of).unwrap_or_default().canary)
                .collect()
        };
        let start = |days: usize| change.checked_sub(days * day + before);
        let days: Vec<Day> = (1..=DAYS_MOST)
            .map_while(start)
            .map(|from| Day {
                before: counts(from, before),
                during: counts(from + before, during),
            })
            .collect();
        forecast(&counts(start(0)?, before), &days, alpha)
    });
    Learned {
        dispersion: dispersion(&quiet, batch),
        histogram,
        forecast: forecast.flatten(),
        ..Learned::default()
    }
}

fn draw(
    folder: &Path,
    samples: &[BTreeMap<MeasureId, Sample>],
    judged: &Judged,
) -> Result<(), Failure> {
    let trouble = |why: std::io::Error| {
        Failure::part(format!("cannot write pictures to {}", folder.display())).because(&why)
    };
    std::fs::create_dir_all(folder).map_err(trouble)?;
    for (i, measure) in judged.terms.measures.iter().enumerate() {
        let looks = samples.iter().zip(&judged.verdicts);
        let points: Vec<Point> = looks
            .map(|(samples, verdict)| Point::of(samples.get(&measure.id), &verdict.measures[i]))
            .collect();
        let plot = Plot {
            title: measure.id.as_str(),
            points: &points,
            limit: measure.limit,
            shares: measure.kind != Kind::Gauge,
            interval_s: judged.terms.interval_s,
        };
        // An id comes from the file: it must not name a place of its own.
        let name: String = measure
            .id
            .as_str()
            .chars()
            .map(|c| {
                if c.is_alphanumeric() || c == '-' {
                    c
                } else {
                    '_'
                }
            })
            .collect();
        std::fs::write(
            folder.join(format!("{name}.svg")),
            svg(&plot, PICTURE_WIDTH),
        )
        .map_err(trouble)?;
    }
    Ok(())
}

fn show(out: &Out, series: &Recorded, change: usize, judged: &Judged) {
    let at = |look: usize| {
        let after = u64::from(series.every_s) * (change + look) as u64;
        Duration::from_secs(after).after(series.begins)
    };
    let deciding = judged.alarm.map_or(judged.verdicts.len(), |alarm| alarm);
    let Some(verdict) = deciding.checked_sub(1).map(|i| &judged.verdicts[i]) else {
        return;
    };
    if out.json {
        out.json(&json!({
            "format": 1, "begins": at(0), "interval_s": series.every_s, "looks": judged.verdicts.len(),
            "alarm_at": judged.alarm.map(at), "alarm_look": judged.alarm, "verdict": verdict,
        }));
        return;
    }
    let (says, tone) = match (judged.alarm, verdict.decision) {
        (Some(look), _) => (
            format!("✗ roll back, at {} (look {look})", at(look)),
            Tone::Bad,
        ),
        (None, Decision::Keep) => ("✓ keep".to_owned(), Tone::Good),
        _ => ("? hold".to_owned(), Tone::Warn),
    };
    out.line(out.paint(says, tone));
    out.text(&verdict.because, 2, Tone::Plain);
    out.gap();
    let rows = verdict.measures.iter().enumerate().map(|(i, finding)| {
        // As far to its bar as the evidence has come, in logarithms.
        let near = |v: &Verdict| {
            v.measures
                .get(i)
                .map(|f| (f.e.ln() / f.bar.ln()).clamp(0.0, 1.0))
        };
        let way: Vec<Option<f64>> = judged.verdicts[..deciding].iter().map(near).collect();
        vec![
            cell(finding.measure.as_str()),
            toned(spark(&way), Tone::Accent),
            cell(format!("evidence {:.3} of {:.0}", finding.e, finding.bar)),
        ]
    });
    out.table(2, &rows.collect::<Vec<_>>());
    for assumption in verdict
        .measures
        .iter()
        .flat_map(|finding| &finding.assumptions)
    {
        out.text(assumption, 2, Tone::Quiet);
    }
}
