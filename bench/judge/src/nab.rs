//! Placebo releases on recorded counts, with no control to compare with.
//!
//! Three series of the Numenta Anomaly Benchmark (`data/`, unchanged, MIT): a load
//! balancer's requests and two counts of messages, every five minutes. Every two
//! hours of them, after seven days of history, are judged as if a release had
//! happened; nothing did, so each alarm is a false one. With harm, the counts are
//! multiplied from the start on.

use baton_core::watch::history::{Day, forecast};
use baton_core::watch::{Counts, Kind, Learned, Sample};

use crate::blocks::ALPHA;
use crate::figures::{Row, delay, share};
use crate::ours;

const SERIES: [(&str, &str); 3] = [
    ("elb", include_str!("../data/elb_request_count_8c0756.csv")),
    (
        "tweets_amzn",
        include_str!("../data/Twitter_volume_AMZN.csv"),
    ),
    (
        "tweets_goog",
        include_str!("../data/Twitter_volume_GOOG.csv"),
    ),
];
/// Five-minute intervals in a day, in a release and before it.
const DAY: usize = 288;
const DURING: usize = 24;
const BEFORE: usize = 12;
/// A release every so many intervals.
const EVERY: usize = 6;
/// Things that may happen in an interval: far more than do.
const TOTAL: u64 = 10_000_000;

fn values(csv: &str) -> Vec<f64> {
    csv.lines()
        .skip(1)
        .filter_map(|line| line.split_once(',')?.1.trim().parse().ok())
        .collect()
}

fn counts(values: &[f64], by: f64) -> Vec<Counts> {
    values
        .iter()
        .map(|value| Counts::new((value * by) as u64, TOTAL))
        .collect()
}

/// Every placebo release of every series, with and without harm.
pub(crate) fn placebo() -> Vec<Row> {
    let mut rows = Vec::new();
    for (name, csv) in SERIES {
        let values = values(csv);
        let mut fired = [Vec::new(), Vec::new(), Vec::new()];
        for start in (7 * DAY + BEFORE..values.len().saturating_sub(DURING)).step_by(EVERY) {
            let day = |d: usize| {
                let at = start - d * DAY;
                Day {
                    before: counts(&values[at - BEFORE..at], 1.0),
                    during: counts(&values[at..at + DURING], 1.0),
                }
            };
            let days: Vec<Day> = (1..=7).map(day).collect();
            let before = counts(&values[start - BEFORE..start], 1.0);
            let Some(forecast) = forecast(&before, &days, ALPHA) else {
                continue;
            };
            let learned = Learned {
                dispersion: Some(forecast.dispersion),
                forecast: Some(forecast),
                ..Learned::default()
            };
            for (fired, by) in fired.iter_mut().zip([1.0, 1.5, 2.0]) {
                let today = counts(&values[start..start + DURING], by);
                let today: Vec<Sample> = today.into_iter().map(|c| Sample::of(c, None)).collect();
                fired.push(ours::alarm(&today, Kind::Counts, &learned, ALPHA));
            }
        }
        rows.push(share(format!("false_rollback_nab_{name}_pct"), &fired[0]));
        rows.push(share(format!("found_nab_{name}_1_5_pct"), &fired[1]));
        rows.push(share(format!("found_nab_{name}_2_pct"), &fired[2]));
        let mut delay = delay(format!("delay_nab_{name}_2_min"), &fired[2], 0);
        delay.value = delay.value.map(|intervals| intervals * 5.0);
        rows.push(delay);
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_series_are_read() {
        for (name, csv) in SERIES {
            let values = values(csv);
            assert_eq!(values.len() + 1, csv.lines().count(), "{name}");
            assert!(values.iter().all(|value| *value >= 0.0), "{name}");
        }
    }
}
