//! Counters of a Prometheus server (HTTP API v1, <https://prometheus.io/docs/prometheus/latest/querying/api/>).
//!
//! A query without `$step` selects raw counters: every sample since the last
//! reading is fetched, series by series, and a counter that fell has begun anew.
//! A series that appears while it is watched belongs to a process that began
//! meanwhile, and counts from 0. A query with `$step` is an expression: it is
//! evaluated at the end of every step, and its values are added up.
//!
//! All times are the server's own; one whose clock is far off is not believed. Answers are bounded
//! in size and time, redirects are not followed, and no error repeats the
//! server's address or the query, which may hold secrets.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::time::Duration;

use baton_core::watch::query::counter;
use baton_core::watch::{Counts, Trouble};
use jiff::Timestamp;
use serde_json::Value;
use ureq::Agent;

use super::{Reading, Times, gained, skew, unread};

/// How long the server may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// The most an answer may have: 16 MiB.
const ANSWER_MOST: u64 = 16 * 1024 * 1024;
/// How far back samples are fetched that may have come late, in seconds.
const LATE: f64 = 300.0;
/// How far back at most, after a long silence: an hour.
const BACK_MOST: f64 = 3600.0;
/// The most of the server's own words that an error repeats.
const SAID_MOST: usize = 200;

/// The labels of a series.
type Labels = BTreeMap<String, String>;
/// A series: its labels, and its samples by their time in seconds.
pub(super) type Series = (Labels, Vec<(f64, f64)>);

/// A server.
#[derive(Clone, Debug)]
pub(super) struct Server {
    agent: Agent,
    url: String,
}

impl Server {
    /// The server at this address, with or without a `/` at its end.
    pub(super) fn new(url: &str) -> Self {
        let agent = Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .max_redirects(0)
            .http_status_as_error(false)
            .user_agent("baton")
            .build()
            .new_agent();
        Self {
            agent,
            url: url.trim_end_matches('/').to_owned(),
        }
    }

    /// The server's clock, in seconds.
    fn now(&self) -> Result<f64, Trouble> {
        let said = self.ask("query", &[("query", "time()")])?;
        let time = said["result"][1]
            .as_str()
            .and_then(|time| time.parse().ok());
        time.ok_or_else(|| unread("it does not say what time it is".to_owned()))
    }

    /// All samples of what a selector selects, in the last so many seconds.
    fn raw(&self, selector: &str, seconds: f64) -> Result<Vec<Series>, Trouble> {
        let query = format!("{selector}[{}s]", seconds.ceil());
        all(&self.ask("query", &[("query", &query)])?).map_err(unread)
    }

    /// An expression at `from`, and every `step` after it until `to`.
    pub(super) fn steps(
        &self,
        query: &str,
        from: f64,
        to: f64,
        step: f64,
    ) -> Result<Vec<Series>, Trouble> {
        let [start, end, step] = [from, to, step].map(|seconds| format!("{seconds:.3}"));
        let asked = [
            ("query", query),
            ("start", &start),
            ("end", &end),
            ("step", &step),
        ];
        all(&self.ask("query_range", &asked)?).map_err(unread)
    }

    fn ask(&self, what: &str, form: &[(&str, &str)]) -> Result<Value, Trouble> {
        let url = format!("{}/api/v1/{what}", self.url);
        let asked = Timestamp::now();
        let sent = self.agent.post(&url).send_form(form.iter().copied());
        let answer = sent.map_err(|error| unread(why(&error)))?;
        let date = answer.headers().get("date");
        let date = date.and_then(|date| date.to_str().ok());
        if let Some(seconds) = skew(date, asked, Timestamp::now()) {
            return Err(Trouble::ClockSkew { seconds });
        }
        data(answer).map_err(unread)
    }
}

/// What an answer holds.
fn data(mut answer: ureq::http::Response<ureq::Body>) -> Result<Value, String> {
    let status = answer.status();
    let mut bytes = Vec::new();
    let mut body = answer.body_mut().as_reader().take(ANSWER_MOST + 1);
    body.read_to_end(&mut bytes)
        .map_err(|error| format!("its answer broke off: {error}"))?;
    if bytes.len() as u64 > ANSWER_MOST {
        return Err("its answer is over 16 MiB: select fewer series".to_owned());
    }
    let mut said: Value = serde_json::from_slice(&bytes).map_err(|_| {
        format!(
            "it does not answer as Prometheus does (HTTP status {})",
            status.as_u16()
        )
    })?;
    if said["status"] == "success" {
        return Ok(said["data"].take());
    }
    let said = said["error"].as_str().unwrap_or("without a reason");
    let said: String = said
        .chars()
        .filter(|c| !c.is_control())
        .take(SAID_MOST)
        .collect();
    Err(format!("it refuses the query: {said}"))
}

/// Why there was no answer, without the address.
fn why(error: &ureq::Error) -> String {
    match error {
        ureq::Error::BadUri(_) | ureq::Error::Http(_) => "not an http or https address".to_owned(),
        ureq::Error::Timeout(_) => "no answer within 10 s".to_owned(),
        ureq::Error::HostNotFound => "the server's name is not known".to_owned(),
        ureq::Error::Io(error) => format!("no connection: {error}"),
        other => other.to_string(),
    }
}

/// The series of a matrix; samples that are no numbers are left out.
fn all(data: &Value) -> Result<Vec<Series>, String> {
    if data["resultType"] != "matrix" {
        return Err("the query selects no series: without `$step` it is a plain selector, as `http_requests_total{job=\"shop\"}`".to_owned());
    }
    let series = data["result"].as_array().map_or(&[][..], Vec::as_slice);
    let read = series.iter().map(|series| {
        let labels = series["metric"].as_object().into_iter().flatten();
        let labels =
            labels.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
        let samples = series["values"].as_array().into_iter().flatten();
        let samples = samples.filter_map(|sample| {
            let value = sample[1].as_str()?.parse::<f64>().ok()?;
            Some((sample[0].as_f64()?, value)).filter(|_| value.is_finite() && value >= 0.0)
        });
        (labels.collect(), samples.collect())
    });
    Ok(read.collect())
}

/// One query, and how far it was read.
#[derive(Debug)]
struct Query {
    text: String,
    /// The distance of its points in seconds, when it is an expression.
    step: Option<f64>,
    /// The last sample of each series, of raw counters.
    last: BTreeMap<Labels, (f64, f64)>,
}

impl Query {
    fn new(text: &str, step: Option<f64>) -> Self {
        // `sum(increase(COUNTER[5m]))` is read as its counter: `increase` extrapolates,
        // and forgets what a series counted before its first sample.
        let counter = counter(text).ok().filter(|counter| is_plain(counter));
        Self {
            text: counter.unwrap_or(text).to_owned(),
            step: step.filter(|_| counter.is_none()),
            last: BTreeMap::new(),
        }
    }

    /// What each series gained from `since` to `now`; `None`: nothing is read yet,
    /// and this is where it begins.
    fn gains(
        &mut self,
        server: &Server,
        since: Option<f64>,
        now: f64,
    ) -> Result<Vec<(Labels, f64)>, Trouble> {
        let Some(step) = self.step else {
            let back = since.map_or(0.0, |since| now - since).clamp(0.0, BACK_MOST) + LATE;
            let found = server.raw(&self.text, back)?;
            return Ok(self.raw_gains(found, since));
        };
        let boundary = |at: f64| (at / step).floor() * step;
        let (from, to) = (boundary(since.unwrap_or(now)), boundary(now));
        if to <= from {
            return Ok(Vec::new());
        }
        let from = from.max(to - BACK_MOST);
        let found = server.steps(&self.text, from + step, to, step)?;
        let sums = found
            .into_iter()
            .map(|(labels, samples)| (labels, samples.iter().map(|(_, value)| value).sum()));
        Ok(sums.collect())
    }

    fn raw_gains(&mut self, found: Vec<Series>, since: Option<f64>) -> Vec<(Labels, f64)> {
        let mut gains = Vec::new();
        for (labels, samples) in found {
            let known = self.last.get(&labels).copied();
            // One that was there before it was watched begins where it stands.
            let mut last = match (known, since, samples.first()) {
                (Some(last), _, _) => last,
                (None, Some(since), Some((at, _))) if *at > since => (since, 0.0),
                _ => samples.last().copied().unwrap_or_default(),
            };
            let mut gain = 0.0;
            for (at, value) in samples {
                if at > last.0 {
                    gain += gained(last.1, value);
                    last = (at, value);
                }
            }
            let _before = self.last.insert(labels.clone(), last);
            gains.push((labels, gain));
        }
        gains
    }
}

/// What is asked of a server, and how far it was read.
#[derive(Debug)]
pub struct Counters {
    server: Server,
    asked: Asked,
    since: Option<f64>,
}

#[derive(Debug)]
enum Asked {
    Ratio { bad: Query, total: Query },
    Buckets { buckets: Query, slower_than_ms: f64 },
}

impl Counters {
    /// Two queries; expressions when `step` says how far apart their points are.
    pub fn ratio(server: &str, bad: &str, total: &str, every: Duration) -> Self {
        let query = |text: &str| Query::new(text, step(text, every));
        let asked = Asked::Ratio {
            bad: query(bad),
            total: query(total),
        };
        Self::of(server, asked)
    }

    /// The buckets of a histogram, told by their label `le` in seconds.
    pub fn buckets(server: &str, buckets: &str, slower_than: Duration, every: Duration) -> Self {
        let asked = Asked::Buckets {
            buckets: Query::new(buckets, step(buckets, every)),
            slower_than_ms: slower_than.as_secs_f64() * 1000.0,
        };
        Self::of(server, asked)
    }

    fn of(server: &str, asked: Asked) -> Self {
        Self {
            server: Server::new(server),
            asked,
            since: None,
        }
    }

    /// What was counted since the last time; the first time says where it begins.
    ///
    /// # Errors
    /// Says why it could not be read, in words without address or query, or that the
    /// server's clock is off.
    pub fn read(&mut self) -> Result<Reading, Trouble> {
        let now = self.server.now()?;
        let (server, since) = (&self.server, self.since);
        let reading = match &mut self.asked {
            Asked::Ratio { bad, total } => {
                let [bad, total] = [
                    bad.gains(server, since, now)?,
                    total.gains(server, since, now)?,
                ]
                .map(|gains| gains.iter().map(|(_, gain)| gain).sum::<f64>());
                Reading {
                    counts: Counts::new(bad.round() as u64, total.round() as u64),
                    ..Reading::default()
                }
            }
            Asked::Buckets {
                buckets,
                slower_than_ms,
            } => spread(&buckets.gains(server, since, now)?, *slower_than_ms).map_err(unread)?,
        };
        // What an expression has not reached yet is read with the next step.
        self.since = Some(now);
        Ok(reading)
    }

    /// Why nothing would be seen: a query that is refused or selects nothing.
    ///
    /// # Errors
    /// In the words of [`read`](Self::read), or naming the question without data.
    pub fn sees(&self) -> Result<(), Trouble> {
        let now = self.server.now()?;
        let queries = match &self.asked {
            Asked::Ratio { bad, total } => vec![("total", total), ("bad", bad)],
            Asked::Buckets { buckets, .. } => vec![("histogram", buckets)],
        };
        for (name, query) in queries {
            let found = match query.step {
                None => self.server.raw(&query.text, LATE)?,
                Some(step) => self.server.steps(&query.text, now - LATE, now, step)?,
            };
            if found.iter().all(|(_, samples)| samples.is_empty()) {
                return Err(unread(format!(
                    "`{name}` finds no data in the last 5 minutes; a counter that may never have \
                     counted is exported as 0 from the start"
                )));
            }
            if name == "histogram" && !found.iter().all(|(labels, _)| labels.contains_key("le")) {
                let why = "`histogram` selects series without the label `le`".to_owned();
                return Err(unread(why));
            }
        }
        Ok(())
    }
}

/// The core writes a step into a query as so many seconds; a plain selector has
/// no range and no function.
fn step(text: &str, every: Duration) -> Option<f64> {
    (!is_plain(text)).then(|| every.as_secs_f64().max(1.0).ceil())
}

fn is_plain(text: &str) -> bool {
    // Brackets in the value of a label are none of the expression.
    let mut parts = text.split('"').step_by(2);
    parts.all(|part| !part.contains(['(', '[', '+', '-', '*', '/']) && !part.contains(" or "))
}

/// The gains of buckets that count everything up to their bound, as times.
fn spread(gains: &[(Labels, f64)], slower_than_ms: f64) -> Result<Reading, String> {
    let mut upto: BTreeMap<u64, f64> = BTreeMap::new();
    for (labels, gain) in gains {
        let le = labels.get("le").and_then(|le| le.parse::<f64>().ok());
        let Some(le) = le.filter(|le| *le >= 0.0) else {
            return Err("a bucket has no label `le` that is a number".to_owned());
        };
        // The bits of numbers that are not negative are in their order.
        let key = (le * 1000.0).to_bits();
        *upto.entry(key).or_default() += gain;
    }
    let (bounds, cumulative): (Vec<f64>, Vec<f64>) = upto
        .iter()
        .map(|(bits, gain)| (f64::from_bits(*bits), *gain))
        .unzip();
    let Some(all) = cumulative
        .last()
        .filter(|_| bounds.last() == Some(&f64::INFINITY))
    else {
        return match gains {
            [] => Ok(Reading::default()),
            _ => Err(
                "the buckets have none for `le=\"+Inf\"`, so nobody knows how many there were"
                    .to_owned(),
            ),
        };
    };
    // What lies beyond the first bound that is not below the limit was surely slower.
    let limit = bounds.iter().position(|bound| *bound >= slower_than_ms);
    let limit = limit.filter(|at| bounds[*at].is_finite());
    let Some(limit) = limit else {
        return Err(format!(
            "no bucket reaches the limit of {slower_than_ms} ms"
        ));
    };
    let slow = (all - cumulative[limit]).max(0.0);
    let mut before = 0.0;
    let counts = cumulative.iter().map(|upto| {
        let n = (upto - before).max(0.0).round() as u64;
        before = before.max(*upto);
        n
    });
    let counts = counts.collect();
    Ok(Reading {
        counts: Counts::new(slow.round() as u64, all.round() as u64),
        times: Some(Times {
            bounds: bounds[..bounds.len() - 1].to_vec(),
            counts,
        }),
        ..Reading::default()
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect()
    }

    #[test]
    fn raw_counters_lose_and_double_nothing() {
        let (a, b) = (labels(&[("i", "a")]), labels(&[("i", "b")]));
        let mut query = Query::new("x", None);
        let gains = |query: &mut Query, series: Vec<Series>, since| {
            let gains = query.raw_gains(series, since);
            gains.into_iter().map(|(_, gain)| gain).collect::<Vec<_>>()
        };
        // Where it begins.
        let found = vec![(a.clone(), vec![(1.0, 10.0), (2.0, 11.0)])];
        assert_eq!(gains(&mut query, found, None), [0.0]);
        // The same samples again, one that came late, and a reset: 11 -> 15 -> 2 -> 4.
        let found = vec![(
            a.clone(),
            vec![(2.0, 11.0), (2.5, 15.0), (3.0, 2.0), (4.0, 4.0)],
        )];
        assert_eq!(gains(&mut query, found.clone(), Some(2.2)), [8.0]);
        assert_eq!(gains(&mut query, found, Some(4.2)), [0.0]);
        // A new process counts from 0; one that was there before does not.
        let found = vec![(b.clone(), vec![(5.0, 7.0), (6.0, 9.0)])];
        assert_eq!(gains(&mut query, found, Some(4.5)), [9.0]);
        let old = labels(&[("i", "c")]);
        let found = vec![(old, vec![(1.0, 70.0), (6.0, 90.0)])];
        assert_eq!(gains(&mut query, found, Some(4.5)), [0.0]);
    }

    #[test]
    fn buckets_become_times_and_slow_ones() {
        let gains = |pairs: &[(&str, f64)]| {
            pairs
                .iter()
                .map(|(le, n)| (labels(&[("le", le)]), *n))
                .collect::<Vec<_>>()
        };
        let all = gains(&[("0.1", 3.0), ("0.3", 7.0), ("1", 9.0), ("+Inf", 10.0)]);
        let reading = spread(&all, 300.0).unwrap();
        assert_eq!(reading.counts, Counts::new(3, 10));
        assert_eq!(
            reading.times.unwrap(),
            Times {
                bounds: vec![100.0, 300.0, 1000.0],
                counts: vec![3, 4, 2, 1]
            }
        );
        // Between two bounds only what is surely slower counts.
        assert_eq!(spread(&all, 200.0).unwrap().counts, Counts::new(3, 10));
        assert_eq!(spread(&all, 301.0).unwrap().counts, Counts::new(1, 10));
        // Two hosts are added up.
        let two = [all.clone(), all.clone()].concat();
        assert_eq!(spread(&two, 300.0).unwrap().counts, Counts::new(6, 20));
        assert_eq!(spread(&[], 300.0).unwrap(), Reading::default());
        for (wrong, limit) in [
            (gains(&[("0.1", 3.0)]), 100.0),
            (gains(&[("x", 3.0), ("+Inf", 3.0)]), 100.0),
            (gains(&[("-1", 3.0), ("+Inf", 3.0)]), 100.0),
            (all, 2000.0),
        ] {
            assert!(spread(&wrong, limit).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn an_answer_may_hold_anything() {
        let series = |values: Value| json!({ "resultType": "matrix", "result": [{ "metric": { "a": "b", "c": 1 }, "values": values }] });
        let read = all(&series(json!([
            [1, "2"],
            [2, "NaN"],
            [3, "-1"],
            [4],
            "x",
            [5, "+Inf"],
            ["6", "1"]
        ])))
        .unwrap();
        assert_eq!(read, [(labels(&[("a", "b")]), vec![(1.0, 2.0)])]);
        for odd in [
            json!({}),
            json!([]),
            json!({ "resultType": "vector", "result": [] }),
        ] {
            assert!(all(&odd).is_err(), "{odd}");
        }
        assert_eq!(
            all(&json!({ "resultType": "matrix", "result": 7 })).unwrap(),
            []
        );
    }

    #[test]
    fn a_selector_is_told_from_an_expression() {
        let every = Duration::from_millis(7500);
        assert_eq!(step("http_requests_total{code=~\"5..\"}", every), None);
        assert_eq!(step("sum(increase(x[8s]))", every), Some(8.0));
        assert_eq!(step("x or y", every), Some(8.0));
    }
}
