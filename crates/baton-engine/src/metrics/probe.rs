//! Baton's own measuring over HTTP and TCP, where there is nothing else to ask.
//!
//! Each probe opens a connection of its own, straight to the host (no proxy, no
//! redirects), as a new visitor would. A probe that gets no answer in time, one
//! that is not 2xx, or one slower than agreed is bad; over TCP (`tcp://HOST:PORT`)
//! a connection is the answer. A probe that did not happen is not counted at all.
//!
//! Addresses may hold secrets, so no error repeats one.

use std::io::{self, Read as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::{Duration, Instant};

use baton_core::watch::{Counts, Trouble};
use jiff::Timestamp;
use ureq::Agent;

use super::{Reading, Times, skew};

/// How long a probe may take when nothing slower is agreed: nobody waits longer.
const TIMEOUT_MAX: Duration = Duration::from_secs(2);
/// How much of an answer is read: enough for a page, and no flood.
const BODY_BYTES_MAX: u64 = 64 * 1024;

/// The bounds of the buckets in which answer times are counted, in milliseconds:
/// four to each doubling, from 1 ms to 65 s.
fn bounds() -> Vec<f64> {
    (0..=64)
        .map(|n| f64::from(n) / 4.0)
        .map(f64::exp2)
        .collect()
}

/// What a host answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status; redirects are not followed. `None` over TCP.
    pub status: Option<u16>,
    /// From before connecting to after the body (or its first 64 KiB).
    pub took: Duration,
    /// How far the clock that dated it is off, when that is too far.
    pub off_s: Option<i64>,
}

impl Answer {
    /// Whether the status is 2xx, if there is one.
    pub fn is_success(self) -> bool {
        self.status
            .is_none_or(|status| (200..300).contains(&status))
    }
}

/// Asks once.
///
/// # Errors
/// A sentence that says why there was no answer within `timeout`; it does not
/// repeat the address.
pub fn probe_once(url: &str, timeout: Duration) -> Result<Answer, String> {
    Target::new(url, timeout).ask()
}

/// An address that is asked again and again.
#[derive(Debug)]
pub struct Probe {
    target: Target,
    slower_than: Option<Duration>,
}

impl Probe {
    /// An answer that takes longer than `slower_than` is bad; `None`: only
    /// failures are.
    pub fn new(url: &str, every: Duration, slower_than: Option<Duration>) -> Self {
        Self {
            target: Target::new(url, timeout(every, slower_than)),
            slower_than,
        }
    }

    /// Asks once: one of one, good or bad. Where a time was agreed, also how long
    /// it took; no answer took for ever.
    ///
    /// # Errors
    /// When the answer is dated far from now: it may be an old one.
    pub fn read(&self) -> Result<Reading, Trouble> {
        let answer = self.target.ask();
        if let Ok(Answer {
            off_s: Some(seconds),
            ..
        }) = answer
        {
            return Err(Trouble::ClockSkew { seconds });
        }
        let good = answer.as_ref().is_ok_and(|answer| {
            answer.is_success() && self.slower_than.is_none_or(|slow| answer.took <= slow)
        });
        let times = self.slower_than.map(|_| {
            let bounds = bounds();
            let took = answer.map_or(f64::INFINITY, |answer| answer.took.as_secs_f64() * 1000.0);
            let bucket = bounds.partition_point(|bound| *bound < took);
            let mut counts = vec![0; bounds.len() + 1];
            counts[bucket] = 1;
            Times { bounds, counts }
        });
        Ok(Reading {
            counts: Counts::new(u64::from(!good), 1),
            times,
            ..Reading::default()
        })
    }
}

/// An address, and how it is asked.
#[derive(Debug)]
enum Target {
    Http { agent: Agent, url: String },
    Tcp { address: String, timeout: Duration },
}

impl Target {
    fn new(url: &str, timeout: Duration) -> Self {
        match url.strip_prefix("tcp://") {
            Some(address) => Self::Tcp {
                address: address.trim_end_matches('/').to_owned(),
                timeout,
            },
            None => Self::Http {
                agent: agent(timeout),
                url: url.to_owned(),
            },
        }
    }

    fn ask(&self) -> Result<Answer, String> {
        match self {
            Self::Http { agent, url } => ask(agent, url),
            Self::Tcp { address, timeout } => connect(address, *timeout),
        }
    }
}

/// No time at all is no time limit that can be set.
const LEAST: Duration = Duration::from_millis(1);

fn connect(address: &str, timeout: Duration) -> Result<Answer, String> {
    let began = Instant::now();
    let found = address.to_socket_addrs();
    let found = found.map_err(|_| "not a `tcp://HOST:PORT` whose host is known".to_owned())?;
    let mut why = "the host's name is not known".to_owned();
    // A name may stand for addresses of which only some are listened on.
    for at in found {
        let left = timeout.saturating_sub(began.elapsed());
        match TcpStream::connect_timeout(&at, left.max(LEAST)) {
            Ok(_connection) => {
                return Ok(Answer {
                    status: None,
                    took: began.elapsed(),
                    off_s: None,
                });
            }
            Err(error) => why = format!("no connection: {error}"),
        }
    }
    Err(why)
}

fn agent(timeout: Duration) -> Agent {
    Agent::config_builder()
        .timeout_global(Some(timeout))
        .max_redirects(0)
        .http_status_as_error(false)
        .max_idle_connections(0)
        .proxy(None)
        .user_agent("baton-probe")
        .build()
        .new_agent()
}

fn ask(agent: &Agent, url: &str) -> Result<Answer, String> {
    let (began, asked) = (Instant::now(), Timestamp::now());
    let mut response = agent.get(url).call().map_err(|error| why(&error))?;
    let date = response.headers().get("date");
    let off_s = skew(
        date.and_then(|date| date.to_str().ok()),
        asked,
        Timestamp::now(),
    );
    let status = response.status().as_u16();
    let mut body = response.body_mut().as_reader().take(BODY_BYTES_MAX);
    io::copy(&mut body, &mut io::sink())
        .map_err(|error| format!("the answer broke off: {error}"))?;
    Ok(Answer {
        status: Some(status),
        took: began.elapsed(),
        off_s,
    })
}

/// Why there was no answer, without the address.
fn why(error: &ureq::Error) -> String {
    match error {
        ureq::Error::BadUri(_) | ureq::Error::Http(_) => "not an http or https address".to_owned(),
        ureq::Error::Timeout(_) => "no answer in time".to_owned(),
        ureq::Error::HostNotFound => "the host's name is not known".to_owned(),
        ureq::Error::Io(error) => format!("no connection: {error}"),
        other => other.to_string(),
    }
}

/// How long one probe may take: two beats, at most two seconds, but never less
/// than an answer may take without being bad.
pub(super) fn timeout(every: Duration, slower_than: Option<Duration>) -> Duration {
    let usual = every.saturating_mul(2).min(TIMEOUT_MAX);
    slower_than.map_or(usual, |slow| usual.max(slow.saturating_mul(2)))
}
