//! What a Prometheus still knows of the time before a watch.
//!
//! How much a measure varies by itself comes from the day before; what it would be
//! today, where nothing runs without the change, from the same hours of the seven
//! days before. All of it is from before the run was opened, since whatever came later
//! may be the change itself, which is not to be judged by itself. What cannot be read in a few seconds is not known, which the judge
//! says and pays for with more evidence.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use baton_core::id::MeasureId;
use baton_core::run::state::{Ahead, Asked, Probe};
use baton_core::watch::history::{Day, dispersion, forecast};
use baton_core::watch::query::selector;
use baton_core::watch::{Counts, Learned, Sample};
use jiff::Timestamp;

use super::gained;
use super::prometheus::{Series, Server};

/// How long all of it may take.
const PATIENCE: Duration = Duration::from_secs(10);
const DAY_MS: i64 = 86_400_000;
/// Noise that lasts minutes is looked at in batches this long, minute by minute.
const BATCH_MS: i64 = 1_800_000;
const MINUTE_MS: i64 = 60_000;
/// The stretch before a change that a forecast starts from.
const BEFORE_MS: i64 = 3_600_000;
/// At most this many earlier days speak for today.
const DAYS_MOST: usize = 7;
/// More points than this no server gives.
const POINTS_MOST: i64 = 10_000;

/// What the time before `now` teaches of a watch that is about to begin.
pub fn learn(ahead: &Ahead, now: Timestamp) -> BTreeMap<MeasureId, Learned> {
    let until = Instant::now() + PATIENCE;
    let measures: BTreeSet<&MeasureId> = ahead.probes.iter().map(|probe| &probe.measure).collect();
    let mut learned = BTreeMap::new();
    for measure in measures {
        let arms: Vec<Arm> = ahead
            .probes
            .iter()
            .filter(|probe| probe.measure == *measure)
            .filter_map(Arm::of)
            .collect();
        if arms.is_empty() || Instant::now() >= until {
            continue;
        }
        let past = Past { arms, until };
        let taught = past.teaches(ahead, now.as_millisecond());
        if taught != Learned::default() {
            let _new = learned.insert(measure.clone(), taught);
        }
    }
    learned
}

struct Arm {
    server: Server,
    bad: String,
    total: String,
    canary: bool,
}

impl Arm {
    fn of(probe: &Probe) -> Option<Self> {
        let Asked::Queries { server, bad, total } = &probe.asked else {
            return None;
        };
        Some(Self {
            server: Server::new(server),
            bad: selector(bad)?.to_owned(),
            total: selector(total)?.to_owned(),
            canary: probe.changed,
        })
    }
}

struct Past {
    arms: Vec<Arm>,
    until: Instant,
}

impl Past {
    fn teaches(&self, ahead: &Ahead, now: i64) -> Learned {
        let minutes = DAY_MS / MINUTE_MS;
        let opened = ahead.opened.as_millisecond().min(now);
        let quiet = self.intervals(opened - DAY_MS, MINUTE_MS, minutes);
        let batch = usize::try_from(BATCH_MS / MINUTE_MS).unwrap_or(1);
        // Minutes before the first that was scraped teach nothing.
        let seen = |sample: &Sample| sample.canary.seen() || sample.control.is_some();
        let first = quiet.iter().position(seen).unwrap_or(quiet.len());
        let alone = self.arms.iter().all(|arm| arm.canary);
        Learned {
            dispersion: dispersion(&quiet[first..], batch),
            split: split(&quiet),
            forecast: alone.then(|| self.forecast(ahead, opened, now)).flatten(),
            ..Learned::default()
        }
    }

    fn forecast(
        &self,
        ahead: &Ahead,
        opened: i64,
        now: i64,
    ) -> Option<baton_core::watch::Forecast> {
        let step = i64::try_from(ahead.look.as_millis()).ok()?.max(1);
        let before = (BEFORE_MS / step).max(1);
        let during = i64::from(ahead.looks);
        if before + during > POINTS_MOST {
            return None;
        }
        let counts = |start: i64, n: i64| -> Vec<Counts> {
            let intervals = self.intervals(start, step, n);
            intervals.into_iter().map(|sample| sample.canary).collect()
        };
        // The first day whose same hours were over when the run was opened.
        let first = 1 + (now + during * step - opened - 1).max(0) / DAY_MS;
        let mut days = Vec::new();
        for ago in (first..).take(DAYS_MOST) {
            let day = Day {
                before: counts(opened - ago * DAY_MS - before * step, before),
                during: counts(now - ago * DAY_MS, during),
            };
            if !day.before.iter().chain(&day.during).any(|c| c.seen()) {
                break;
            }
            days.push(day);
        }
        forecast(&counts(opened - before * step, before), &days, ahead.alpha)
    }

    /// What each of `n` intervals gave, all of them nothing when it cannot be read.
    fn intervals(&self, start: i64, step: i64, n: i64) -> Vec<Sample> {
        let len = usize::try_from(n).unwrap_or(0);
        let mut samples = vec![Sample::default(); len];
        let seconds = |ms: i64| ms as f64 / 1000.0;
        let (from, to, by) = (seconds(start), seconds(start + n * step), seconds(step));
        for arm in &self.arms {
            let read = |query: &str| {
                let in_time = Instant::now() < self.until;
                let series = in_time
                    .then(|| arm.server.steps(query, from, to, by).ok())
                    .flatten();
                series.map(|series| differences(&series, (start, step), len))
            };
            let (Some(bad), Some(total)) = (read(&arm.bad), read(&arm.total)) else {
                return vec![Sample::default(); len];
            };
            for ((sample, bad), total) in samples.iter_mut().zip(bad).zip(total) {
                let total = total.round() as u64;
                let counts = Counts::new((bad.round() as u64).min(total), total);
                if !counts.seen() {
                    continue;
                }
                sample.add(if arm.canary {
                    Sample::of(counts, None)
                } else {
                    Sample::of(Counts::default(), Some(counts))
                });
            }
        }
        samples
    }
}

/// What share of the traffic went to the hosts that have changed now, while both
/// sides had some; `None` where one never had.
fn split(quiet: &[Sample]) -> Option<f64> {
    let both = quiet.iter().filter_map(Sample::both);
    let (canary, control) = both.fold((0.0, 0.0), |(a, b), (canary, control)| {
        (a + canary.total as f64, b + control.total as f64)
    });
    (canary > 0.0).then(|| canary / (canary + control))
}

/// What all series together gained in each interval.
fn differences(series: &[Series], (start, step): (i64, i64), n: usize) -> Vec<f64> {
    let mut sums = vec![0.0; n];
    for (_, points) in series {
        for pair in points.windows(2) {
            let [(from, was), (to, is)] = [pair[0], pair[1]];
            // Times of a range lie on its grid: the rounding only undoes the floats.
            let place = |at: f64| ((at * 1000.0 - start as f64) / step as f64).round() as i64;
            if place(from) + 1 == place(to)
                && let Ok(i) = usize::try_from(place(from))
                && let Some(sum) = sums.get_mut(i)
            {
                *sum += gained(was, is);
            }
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};
    use std::sync::mpsc::{self, Receiver};

    use baton_core::time::Duration as Span;

    use super::*;

    const OPENED: i64 = 1_792_000_000;
    const WATCHED: i64 = OPENED + 2_100;

    /// Answers one range query: one of the thousand requests of a second fails, and a
    /// hundred of them since the run was opened. Gives back until when it was asked.
    fn answer(mut stream: TcpStream) -> Option<f64> {
        let mut reader = BufReader::new(stream.try_clone().ok()?);
        let mut length = 0;
        loop {
            let mut line = String::new();
            let _length = reader.read_line(&mut line).ok()?;
            let line = line.trim().to_ascii_lowercase();
            if let Some(bytes) = line.strip_prefix("content-length:") {
                length = bytes.trim().parse().ok()?;
            }
            if line.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let body = String::from_utf8(body).ok()?;
        let field = |name: &str| {
            let mut pairs = body.split('&').filter_map(|pair| pair.split_once('='));
            pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
        };
        let number = |name: &str| field(name)?.parse::<f64>().ok();
        let (start, end, step) = (number("start")?, number("end")?, number("step")?);
        let bad = field("query")? == "bad";
        let counted = |at: f64| match bad {
            true => at - 1e9 + 99.0 * (at - OPENED as f64).max(0.0),
            false => 1000.0 * (at - 1e9),
        };
        let points = (0..=((end - start) / step).round() as u32).map(|i| {
            let at = start + step * f64::from(i);
            format!("[{at:.3},\"{}\"]", counted(at))
        });
        let points = points.collect::<Vec<_>>().join(",");
        let said = format!(
            "{{\"status\":\"success\",\"data\":{{\"resultType\":\"matrix\",\"result\":[{{\"metric\":{{}},\"values\":[{points}]}}]}}}}"
        );
        let head = format!("connection: close\r\ncontent-length: {}", said.len());
        write!(stream, "HTTP/1.1 200 OK\r\n{head}\r\n\r\n{said}").ok()?;
        Some(end)
    }

    fn serve() -> (String, Receiver<f64>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (asked, until) = mpsc::channel();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if let Some(end) = answer(stream)
                    && asked.send(end).is_err()
                {
                    break;
                }
            }
        });
        (url, until)
    }

    #[test]
    fn a_watch_learns_nothing_from_the_time_of_the_change_itself() {
        let (server, until) = serve();
        let probe = Probe {
            measure: "m".into(),
            host: "h".into(),
            changed: true,
            asked: Asked::Queries {
                server,
                bad: "bad".to_owned(),
                total: "total".to_owned(),
            },
            every: Span::from_secs(15),
        };
        let at = |second| Timestamp::from_second(second).unwrap();
        // Some minutes after it was opened, and after a night in which it was frozen.
        for watched in [WATCHED, WATCHED + 100_000] {
            let ahead = Ahead {
                probes: [probe.clone()].into(),
                look: Span::from_secs(15),
                looks: 40,
                alpha: 0.01,
                opened: at(OPENED),
            };
            let learned = learn(&ahead, at(watched)).remove("m").unwrap();
            let forecast = learned.forecast.unwrap();
            for share in &forecast.shares {
                assert!((share - 0.001).abs() < 1e-4, "{share}");
            }
            assert_eq!(learned.dispersion, Some(1.0));
            let latest = until.try_iter().fold(0.0, f64::max);
            assert!(
                latest > OPENED as f64 - 1.0 && latest <= OPENED as f64,
                "{latest}"
            );
        }
    }

    #[test]
    fn the_split_is_that_of_the_time_in_which_both_sides_had_traffic() {
        let sample = |canary, control: Option<u64>| {
            let counts = |n| Counts::new(0, n);
            Sample::of(counts(canary), control.map(counts))
        };
        let both = sample(30, Some(90));
        for (quiet, share) in [
            (vec![both.clone()], Some(0.25)),
            (
                vec![both.clone(), sample(1000, None), sample(0, Some(7))],
                Some(0.25),
            ),
            (vec![sample(9, None)], None),
            (vec![], None),
        ] {
            assert_eq!(split(&quiet), share, "{quiet:?}");
        }
    }

    #[test]
    fn only_neighbours_on_the_grid_are_compared_and_resets_lose_nothing() {
        let at = |i: i64| (60_000 + i * 1_500) as f64 / 1000.0;
        let one = vec![
            (at(0), 5.0),
            (at(1), 7.0),
            (at(2), 1.0),
            (at(4), 90.0),
            (at(5), 91.0),
        ];
        let series = [
            (BTreeMap::new(), one),
            (BTreeMap::new(), vec![(at(4), 0.0), (at(5), 4.0)]),
        ];
        let sums = differences(&series, (60_000, 1_500), 5);
        assert_eq!(sums, [2.0, 1.0, 0.0, 0.0, 5.0]);
    }
}
