//! Counters of a Prometheus server (HTTP API v1, <https://prometheus.io/docs/prometheus/latest/querying/api/>).
//!
//! Of a plain selector every sample since the last reading is fetched, series by
//! series, and a counter that fell has begun anew. A series that appears while it is
//! watched belongs to a process that began meanwhile, and counts from 0. Any other
//! query is an expression: it is evaluated at the end of every step, and its values
//! are added up. Two queries are asked at one time and both taken in, or neither: what
//! could not be read is read with the next reading.
//!
//! Bad ones whose series are gone while all go on are no healthy ones. Series that never
//! were are: most programs tell of errors only when there has been one.
//!
//! All times are the server's own; one whose clock is far off is not believed. Answers are bounded
//! in size and time, redirects are not followed, and no error repeats the
//! server's address or the query, which may hold secrets.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::time::Duration;

use baton_core::watch::query::selector;
use baton_core::watch::{Counts, Trouble};
use jiff::Timestamp;
use serde_json::Value;
use ureq::Agent;

use super::buckets::spread;
use super::{Reading, counted, gained, skew, unread};

/// How long the server may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// The most an answer may have: 16 MiB.
const ANSWER_MOST: u64 = 16 * 1024 * 1024;
/// How far back samples are fetched that may have come late, in seconds.
const LATE: f64 = 300.0;
/// How much later than it is dated a scrape may come in, in seconds: Prometheus waits
/// that long for a slow one, if nobody says otherwise.
const SETTLE: f64 = 10.0;
/// How far back at most, after a long silence: an hour.
const BACK_MOST: f64 = 3600.0;
/// The most of the server's own words that an error repeats.
const SAID_MOST: usize = 200;

/// The labels of a series.
pub(super) type Labels = BTreeMap<String, String>;
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

    /// All samples of what a selector selects, in so many seconds before `at`.
    fn raw(&self, selector: &str, at: f64, seconds: f64) -> Result<Vec<Series>, Trouble> {
        let query = format!("{selector}[{}s]", seconds.ceil());
        let time = format!("{at:.3}");
        let said = self.ask("query", &[("query", &query), ("time", &time)])?;
        all(&said).map_err(unread)
    }

    /// Whether an expression has a value at this time.
    fn any(&self, query: &str, at: f64) -> Result<bool, Trouble> {
        let time = format!("{at:.3}");
        let said = self.ask("query", &[("query", query), ("time", &time)])?;
        Ok(said["result"].as_array().is_some_and(|all| !all.is_empty()))
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
        return Err("the query selects no series".to_owned());
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
#[derive(Clone, Debug)]
struct Query {
    text: String,
    /// The distance of its points in seconds, when it is an expression.
    step: Option<f64>,
    /// The last sample of each series, of raw counters.
    last: BTreeMap<Labels, (f64, f64)>,
    /// Whether it ever selected something.
    found: bool,
}

/// What a query gave since the last reading.
struct Gains {
    /// What each series gained.
    series: Vec<(Labels, f64)>,
    /// Whether there was anything new, be it that nothing was gained.
    new: bool,
}

impl Gains {
    fn sum(&self) -> f64 {
        self.series.iter().map(|(_, gain)| gain).sum()
    }
}

impl Query {
    /// The core writes a step into an expression as so many seconds.
    fn new(text: &str, every: Duration) -> Self {
        // `sum(increase(COUNTER[5m]))` is read as its counter: `increase` extrapolates,
        // and forgets what a series counted before its first sample.
        let counter = selector(text);
        Self {
            text: counter.unwrap_or(text).to_owned(),
            step: counter
                .is_none()
                .then(|| every.as_secs_f64().max(1.0).ceil()),
            last: BTreeMap::new(),
            found: false,
        }
    }

    /// What there is from `since` to `now`; `None`: nothing is read yet, and this is
    /// where it begins.
    fn fetched(
        &self,
        server: &Server,
        since: Option<f64>,
        now: f64,
    ) -> Result<Vec<Series>, Trouble> {
        let Some(step) = self.step else {
            let back = since.map_or(0.0, |since| now - since).clamp(0.0, BACK_MOST) + LATE;
            return server.raw(&self.text, now, back);
        };
        let boundary = |at: f64| (at / step).floor() * step;
        let (from, to) = (boundary(since.unwrap_or(now)), boundary(now));
        if to <= from {
            return Ok(Vec::new());
        }
        let from = from.max(to - BACK_MOST);
        server.steps(&self.text, from + step, to, step)
    }

    /// Takes in what was fetched.
    fn take(&mut self, found: Vec<Series>, since: Option<f64>) -> Gains {
        self.found |= !found.is_empty();
        if self.step.is_none() {
            return self.raw_gains(found, since);
        }
        let sums = found
            .iter()
            .map(|(labels, samples)| (labels.clone(), samples.iter().map(|(_, v)| v).sum()));
        Gains {
            series: sums.collect(),
            new: found.iter().any(|(_, samples)| !samples.is_empty()),
        }
    }

    fn raw_gains(&mut self, found: Vec<Series>, since: Option<f64>) -> Gains {
        let mut gains = Gains {
            series: Vec::new(),
            new: false,
        };
        for (labels, samples) in found {
            let known = self.last.get(&labels).copied();
            // One that was there before it was watched begins where it stands.
            let mut last = match (known, since, samples.first()) {
                (Some(last), _, _) => last,
                (None, Some(since), Some((at, _))) if *at > since - SETTLE => (0.0, 0.0),
                _ => samples.last().copied().unwrap_or_default(),
            };
            let mut gain = 0.0;
            for (at, value) in samples {
                if at > last.0 {
                    gain += gained(last.1, value);
                    last = (at, value);
                    gains.new = true;
                }
            }
            let _before = self.last.insert(labels.clone(), last);
            gains.series.push((labels, gain));
        }
        gains
    }

    /// Whether nothing is selected any more at this time, of something that was.
    fn gone(&self, server: &Server, now: f64) -> Result<bool, Trouble> {
        match self.step {
            Some(_) => Ok(self.found),
            None => Ok(self.found && !server.any(&self.text, now)?),
        }
    }

    /// Whether a selector selected something in the last hour: what it selected before
    /// a change may be gone with the process that the change ended.
    fn look_back(&mut self, server: &Server, now: f64) -> Result<(), Trouble> {
        if self.step.is_none() && !self.found {
            let hour = format!("count_over_time({}[{BACK_MOST}s])", self.text);
            self.found = server.any(&hour, now)?;
        }
        Ok(())
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
    /// Two queries; the points of one that is no selector are `every` so far apart.
    pub fn ratio(server: &str, bad: &str, total: &str, every: Duration) -> Self {
        let asked = Asked::Ratio {
            bad: Query::new(bad, every),
            total: Query::new(total, every),
        };
        Self::of(server, asked)
    }

    /// The buckets of a histogram, told by their label `le` in seconds.
    pub fn buckets(server: &str, buckets: &str, slower_than: Duration, every: Duration) -> Self {
        let asked = Asked::Buckets {
            buckets: Query::new(buckets, every),
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
                let (mut bad_then, mut total_then) = (bad.clone(), total.clone());
                let counts = both((&mut bad_then, &mut total_then), server, since, now)?;
                (*bad, *total) = (bad_then, total_then);
                Reading {
                    counts,
                    ..Reading::default()
                }
            }
            Asked::Buckets {
                buckets,
                slower_than_ms,
            } => {
                let found = buckets.fetched(server, since, now)?;
                spread(&buckets.take(found, since).series, *slower_than_ms).map_err(unread)?
            }
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
                None => self.server.raw(&query.text, now, LATE)?,
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

/// Leaves what is newer than all of `total`, or than the same series there, to the next
/// reading.
fn hold_back(bad: &mut Vec<Series>, total: &[Series]) {
    let newest = |samples: &[(f64, f64)]| samples.last().map_or(0.0, |(at, _)| *at);
    let all = total.iter().map(|(_, samples)| newest(samples));
    let all = all.fold(0.0, f64::max);
    let each: BTreeMap<&Labels, f64> = total
        .iter()
        .map(|(labels, samples)| (labels, newest(samples)))
        .collect();
    for (labels, samples) in bad.iter_mut() {
        let upto = each.get(labels).copied().unwrap_or(all);
        samples.retain(|(at, _)| *at <= upto);
    }
    bad.retain(|(_, samples)| !samples.is_empty());
}

/// How many were bad, of how many.
fn both(
    (bad, total): (&mut Query, &mut Query),
    server: &Server,
    since: Option<f64>,
    now: f64,
) -> Result<Counts, Trouble> {
    // A scrape may come in between: what `total` has, `bad` fetched after it has too.
    let all = total.fetched(server, since, now)?;
    let mut found = bad.fetched(server, since, now)?;
    if bad.step.is_none() && total.step.is_none() {
        hold_back(&mut found, &all);
    }
    let (bad_gains, gains) = (bad.take(found, since), total.take(all, since));
    if since.is_none() {
        bad.look_back(server, now)?;
    } else if gains.new && !bad_gains.new && bad.gone(server, now)? {
        return Err(unread(
            "`bad` had data before and finds none now, while `total` goes on: export the \
             counter as 0 from the start, or mend the query (`or vector(0)` makes no data 0)"
                .to_owned(),
        ));
    }
    counted(bad_gains.sum(), gains.sum()).map_err(unread)
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;

    pub(in super::super) fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect()
    }

    #[test]
    fn raw_counters_lose_and_double_nothing() {
        let (a, b) = (labels(&[("i", "a")]), labels(&[("i", "b")]));
        let mut query = Query::new("x", Duration::ZERO);
        let gains = |query: &mut Query, series: Vec<Series>, since| {
            let gains = query.raw_gains(series, since).series;
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
        let found = vec![(old, vec![(1.0, 70.0), (26.0, 90.0)])];
        assert_eq!(gains(&mut query, found, Some(24.5)), [0.0]);
        // A first sample that came in a little after the last reading is new all the same.
        let found = vec![(labels(&[("i", "d")]), vec![(24.0, 3.0)])];
        assert_eq!(gains(&mut query, found, Some(24.5)), [3.0]);
    }

    #[test]
    fn bad_ones_of_a_scrape_that_all_do_not_have_yet_wait_for_it() {
        let (a, b, c) = (
            labels(&[("i", "a")]),
            labels(&[("i", "b")]),
            labels(&[("i", "c")]),
        );
        let total = [
            (a.clone(), vec![(1.0, 1.0), (2.0, 5.0)]),
            (b.clone(), vec![(3.0, 1.0)]),
        ];
        let mut bad = vec![
            (a.clone(), vec![(2.0, 5.0), (2.5, 6.0)]),
            (b, vec![(3.5, 2.0)]),
            (c.clone(), vec![(2.9, 1.0), (3.1, 1.0)]),
        ];
        hold_back(&mut bad, &total);
        assert_eq!(bad, [(a, vec![(2.0, 5.0)]), (c, vec![(2.9, 1.0)])]);
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
        let step = |text| Query::new(text, Duration::from_millis(7500)).step;
        assert_eq!(step("http_requests_total{code=~\"5..\"}"), None);
        assert_eq!(step("x{job='shop-api',code=~'5..'}"), None);
        assert_eq!(step("sum(increase(x{a=`b-c`}[8s]))"), None);
        assert_eq!(step("sum(increase(x[8s])) or vector(0)"), Some(8.0));
        assert_eq!(step("x or y"), Some(8.0));
    }
}
