//! A series somebody recorded, read back as what the judge sees.
//!
//! Two forms. **CSV** with a header line; columns in any order:
//!
//! | column | means |
//! |---|---|
//! | `time` or `timestamp` | RFC 3339, or `2026-11-22 10:00:00` (taken as UTC) |
//! | `measure` | its id; `series` when there is no such column |
//! | `arm` | `canary` (default) or `control` |
//! | `bad`, `total` | counts of the interval |
//! | `value` | instead of counts: a reading of a gauge of which higher is worse |
//!
//! **JSON lines**: an object with the same keys, or `{"time": ..., "samples": {ID: SAMPLE}}`
//! as the ledger has them in `judged`, histograms and all.
//!
//! Lines of one interval add up. Nothing is filled in: an interval without a line
//! is one that was not seen.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::Deserialize;
use thiserror::Error;

use super::series::{Counts, Detail, Level, Sample};
use super::terms::Kind;
use crate::id::MeasureId;

/// More intervals than this are no series of a release.
const INTERVALS_MAX: i64 = 1_000_000;

/// Why a series cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("line {line}: {why}")]
pub struct Unreadable {
    /// Counted from 1; 0 for the series as a whole.
    pub line: usize,
    /// In words.
    pub why: String,
}

/// What was recorded, interval by interval.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// When the first interval begins.
    pub begins: Timestamp,
    /// The length of an interval in seconds.
    pub every_s: u32,
    /// What each interval gave.
    pub intervals: Vec<BTreeMap<MeasureId, Sample>>,
    /// The measures, and what their samples hold.
    pub measures: BTreeMap<MeasureId, Kind>,
}

/// One line.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    #[serde(alias = "timestamp")]
    time: String,
    measure: Option<MeasureId>,
    arm: Option<String>,
    bad: Option<u64>,
    total: Option<u64>,
    value: Option<f64>,
    #[serde(default)]
    samples: BTreeMap<MeasureId, Sample>,
}

/// Reads a series; `every_s`: the length of an interval, by default the shortest
/// time between two lines.
///
/// # Errors
/// The first line that cannot be read, and why.
pub fn read(text: &str, every_s: Option<u32>) -> Result<Recorded, Unreadable> {
    if text.trim().is_empty() {
        return Err(Unreadable {
            line: 0,
            why: "the series is empty".to_owned(),
        });
    }
    let json = text.trim_start().starts_with('{');
    let lines = if json { json_lines(text)? } else { csv(text)? };
    let mut seen = Vec::new();
    for (line, read) in lines {
        let wrong = |why: String| Unreadable { line, why };
        let at = instant(&read.time).ok_or_else(|| wrong(format!("`{}` is no time", read.time)))?;
        seen.push((at, samples(read).map_err(wrong)?));
    }
    seen.sort_by_key(|(at, _)| *at);
    let whole = |why: &str| Unreadable {
        line: 0,
        why: why.to_owned(),
    };
    let (Some((begins, _)), Some((ends, _))) = (seen.first(), seen.last()) else {
        return Err(whole("the series is empty"));
    };
    let (begins, ends) = (*begins, *ends);
    let steps = seen
        .windows(2)
        .map(|pair| pair[1].0.as_second() - pair[0].0.as_second());
    let shortest = steps.filter(|step| *step > 0).min().unwrap_or(60);
    let every = every_s.map_or(shortest, i64::from).max(1);
    let count = (ends.as_second() - begins.as_second()) / every + 1;
    if count > INTERVALS_MAX {
        return Err(whole(
            "the series has more than a million intervals; say how long one is",
        ));
    }
    let mut intervals =
        vec![BTreeMap::<MeasureId, Sample>::new(); usize::try_from(count).unwrap_or(0)];
    let mut measures = BTreeMap::new();
    for (at, samples) in seen {
        let i = usize::try_from((at.as_second() - begins.as_second()) / every).unwrap_or(0);
        for (measure, sample) in samples {
            let kind = match &sample.detail {
                None => Kind::Counts,
                Some(Detail::Histogram { .. }) => Kind::Histogram,
                Some(Detail::Gauge { .. }) => Kind::Gauge,
            };
            measures.entry(measure.clone()).or_insert(kind);
            intervals[i].entry(measure).or_default().add(sample);
        }
    }
    Ok(Recorded {
        begins,
        every_s: u32::try_from(every).unwrap_or(u32::MAX),
        intervals,
        measures,
    })
}

fn instant(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    let civil = || {
        let civil: DateTime = text.parse().ok()?;
        Some(civil.to_zoned(TimeZone::UTC).ok()?.timestamp())
    };
    text.parse().ok().or_else(civil)
}

fn samples(line: Line) -> Result<BTreeMap<MeasureId, Sample>, String> {
    let counts = match (line.bad, line.total) {
        (Some(bad), Some(total)) if bad <= total => Some(Counts::new(bad, total)),
        (Some(bad), Some(total)) => return Err(format!("{bad} of {total} cannot be")),
        (None, None) => None,
        _ => return Err("`bad` wants `total` beside it".to_owned()),
    };
    let level = line.value.map(|mean| {
        let level = Level::of(mean);
        level.ok_or_else(|| format!("a value of {mean} is no level"))
    });
    let level = level.transpose()?;
    let control = match line.arm.as_deref().unwrap_or("canary") {
        "canary" => false,
        "control" => true,
        other => return Err(format!("an arm is `canary` or `control`, not `{other}`")),
    };
    let sample = match (counts, level) {
        (Some(counts), None) if control => Sample::of(Counts::default(), Some(counts)),
        (Some(counts), None) => Sample::of(counts, None),
        (None, Some(level)) => {
            let none = Level {
                readings: 0,
                mean: 0.0,
            };
            let (canary, control) = if control {
                (none, Some(level))
            } else {
                (level, None)
            };
            Sample {
                detail: Some(Detail::Gauge { canary, control }),
                ..Sample::default()
            }
        }
        (None, None) if !line.samples.is_empty() => return Ok(line.samples),
        _ => return Err("a line has `bad` and `total`, or `value`, or `samples`".to_owned()),
    };
    let measure = line.measure.unwrap_or_else(|| MeasureId::new("series"));
    Ok(BTreeMap::from([(measure, sample)]))
}

fn json_lines(text: &str) -> Result<Vec<(usize, Line)>, Unreadable> {
    let numbered = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty());
    let read = numbered.map(|(i, line)| {
        let read = serde_json::from_str(line);
        read.map(|read| (i + 1, read)).map_err(|why| Unreadable {
            line: i + 1,
            why: why.to_string(),
        })
    });
    read.collect()
}

fn csv(text: &str) -> Result<Vec<(usize, Line)>, Unreadable> {
    let mut lines = text.lines().enumerate();
    let head = lines.next().map_or("", |(_, head)| head);
    let names: Vec<String> = head
        .split(',')
        .map(|name| cell(name).to_lowercase())
        .collect();
    let known = [
        "time",
        "timestamp",
        "measure",
        "arm",
        "bad",
        "total",
        "value",
    ];
    if let Some(name) = names.iter().find(|name| !known.contains(&name.as_str())) {
        return Err(Unreadable {
            line: 1,
            why: format!("there is no column `{name}`; there is {}", known.join(", ")),
        });
    }
    let filled = lines.filter(|(_, line)| !line.trim().is_empty());
    let read = filled.map(|(i, line)| {
        let wrong = |why: String| Unreadable { line: i + 1, why };
        let cells: Vec<String> = line.split(',').map(cell).collect();
        if cells.len() != names.len() {
            return Err(wrong(format!(
                "{} columns, not {}",
                cells.len(),
                names.len()
            )));
        }
        let of = |name: &str| {
            let at = names.iter().position(|known| known == name)?;
            Some(cells[at].as_str()).filter(|cell| !cell.is_empty())
        };
        let count = |name: &str| -> Result<Option<u64>, Unreadable> {
            let read = of(name).map(str::parse);
            read.transpose()
                .map_err(|_| wrong(format!("`{name}` is no whole number")))
        };
        let value = of("value").map(str::parse).transpose();
        let line = Line {
            time: of("time")
                .or_else(|| of("timestamp"))
                .unwrap_or_default()
                .to_owned(),
            measure: of("measure").map(MeasureId::new),
            arm: of("arm").map(str::to_owned),
            bad: count("bad")?,
            total: count("total")?,
            value: value.map_err(|_| wrong("`value` is no number".to_owned()))?,
            samples: BTreeMap::new(),
        };
        Ok((i + 1, line))
    });
    read.collect()
}

fn cell(text: &str) -> String {
    text.trim().trim_matches('"').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CSV: &str = "time,arm,bad,total\n\
        2026-11-22T10:00:00Z,canary,1,300\n\
        2026-11-22T10:00:00Z,control,2,300\n\
        2026-11-22T10:00:30Z,canary,2,300\n\
        2026-11-22T10:03:00Z,canary,5,600\n";

    #[test]
    fn lines_of_one_interval_add_up_and_gaps_stay() {
        let series = read(CSV, Some(60)).unwrap();
        assert_eq!((series.intervals.len(), series.every_s), (4, 60));
        let id = MeasureId::new("series");
        let first = &series.intervals[0][&id];
        assert_eq!(first.canary, Counts::new(3, 600));
        assert_eq!(first.control, Some(Counts::new(2, 300)));
        assert!(series.intervals[1].is_empty() && series.intervals[2].is_empty());
        assert_eq!(read(CSV, None).unwrap().every_s, 30);
    }

    #[test]
    fn gauges_and_what_the_ledger_holds_are_read() {
        let gauge = read(
            "timestamp,value\n2014-02-14 14:30:00,0.132\n2014-02-14 14:35:00,0.134\n",
            None,
        );
        let gauge = gauge.unwrap();
        assert_eq!((gauge.intervals.len(), gauge.every_s), (2, 300));
        assert_eq!(gauge.measures[&MeasureId::new("series")], Kind::Gauge);
        let sample = r#"{"canary":{"bad":1,"total":9},"control":null,"detail":{"histogram":{"bounds":[1.0],"canary":[8,1],"control":[]}}}"#;
        let line = format!(r#"{{"time":"2026-11-22T10:00:00Z","samples":{{"speed":{sample}}}}}"#);
        let series = read(&line, None).unwrap();
        assert_eq!(series.measures[&MeasureId::new("speed")], Kind::Histogram);
        let short = r#"{"time":"2026-11-22T10:00:00Z","measure":"errors","bad":1,"total":2}"#;
        assert_eq!(read(short, None).unwrap().intervals.len(), 1);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        for (text, line) in [
            ("", 0),
            ("time,bad\n", 0),
            ("time,worse\n2026-11-22T10:00:00Z,1\n", 1),
            ("time,bad,total\n2026-11-22T10:00:00Z,1\n", 2),
            ("time,bad,total\n2026-11-22T10:00:00Z,3,2\n", 2),
            ("time,bad,total\n2026-11-22T10:00:00Z,x,2\n", 2),
            ("time,bad,total\nsoon,1,2\n", 2),
            ("time,arm,value\n2026-11-22T10:00:00Z,other,2\n", 2),
            ("time,value\n2026-11-22T10:00:00Z,\n", 2),
            ("time,value\n2026-11-22T10:00:00Z,1.7e308\n", 2),
            ("{\"time\":1}\n", 1),
            (
                "time,value\n1026-11-22T10:00:00Z,1\n2026-11-22T10:00:00Z,1\n2026-11-22T10:00:01Z,1\n",
                0,
            ),
        ] {
            assert_eq!(read(text, None).unwrap_err().line, line, "{text}");
        }
    }
}
