//! Baton's own measuring over HTTP, where there is nothing else to ask.
//!
//! One plain thread per target asks its address in a fixed rhythm and counts.
//! Each probe opens a connection of its own, straight to the host (no proxy, no
//! redirects), as a new visitor would. A probe that gets no answer in time, one
//! that is not 2xx, or one slower than agreed is bad; a probe that did not
//! happen is not counted at all.
//!
//! No thread outlives its prober by more than one probe's time-out, and what it
//! brings home after that is thrown away. Addresses may hold secrets, so no
//! error repeats one.

use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, TryRecvError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use baton_core::id::MeasureId;
use baton_core::watch::{Counts, Sample};
use ureq::Agent;

/// The shortest rhythm; a shorter one is raised to it, so that a slip in a
/// contract is no attack on a host.
const EVERY_MIN: Duration = Duration::from_millis(10);
/// How long a probe may take when nothing slower is agreed: nobody waits longer.
const TIMEOUT_MAX: Duration = Duration::from_secs(2);
/// How much of an answer is read: enough for a page, and no flood.
const BODY_BYTES_MAX: u64 = 64 * 1024;

/// Which side of the comparison a host is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Arm {
    /// The change is in.
    Canary,
    /// The change is not in.
    Control,
}

/// One address to ask, for one measure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeTarget {
    /// The measure its counts belong to.
    pub measure: MeasureId,
    /// The side of its host.
    pub arm: Arm,
    /// Where to ask: `http://` or `https://`.
    pub url: String,
    /// An answer that takes longer is bad; `None`: only failures are.
    pub slower_than: Option<Duration>,
    /// How often to ask it, at least every 10 ms.
    pub every: Duration,
}

/// Asks all its targets until it is dropped.
#[derive(Debug)]
pub struct Prober {
    counted: Arc<Mutex<BTreeMap<MeasureId, Sample>>>,
    /// One per thread, never sent on: it ends when its sender is gone.
    running: Vec<Sender<()>>,
}

impl Prober {
    /// Starts asking each target at once and then in its rhythm. A probe that
    /// takes longer than that delays the next one of its target.
    ///
    /// A target whose thread cannot be started gives no data, which the judge
    /// takes for blindness, never for health.
    pub fn start(targets: Vec<ProbeTarget>) -> Self {
        let mut prober = Self {
            counted: Arc::default(),
            running: Vec::new(),
        };
        prober.retarget(targets);
        prober
    }

    /// Asks these targets from now on instead of those before. What was counted
    /// stays counted for the side it was counted on; probes under way are dropped.
    pub fn retarget(&mut self, targets: Vec<ProbeTarget>) {
        self.running.clear();
        for target in targets {
            let (alive, stopped) = mpsc::channel();
            let counted = Arc::clone(&self.counted);
            let thread = thread::Builder::new().name("probe".to_owned());
            if thread
                .spawn(move || keep_asking(&target, &stopped, &counted))
                .is_ok()
            {
                self.running.push(alive);
            }
        }
    }

    /// What was counted since the last call, by measure. A measure of which no
    /// probe was finished is not there.
    pub fn take(&self) -> BTreeMap<MeasureId, Sample> {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *counted)
    }
}

/// What a host answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status; redirects are not followed.
    pub status: u16,
    /// From before connecting to after the body (or its first 64 KiB).
    pub took: Duration,
}

impl Answer {
    /// Whether the status is 2xx.
    pub fn is_success(self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// Asks once.
///
/// # Errors
/// A sentence that says why there was no answer within `timeout`; it does not
/// repeat the address.
pub fn probe_once(url: &str, timeout: Duration) -> Result<Answer, String> {
    ask(&agent(timeout), url)
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
    let began = Instant::now();
    let mut response = agent.get(url).call().map_err(|error| why(&error))?;
    let status = response.status().as_u16();
    let mut body = response.body_mut().as_reader().take(BODY_BYTES_MAX);
    io::copy(&mut body, &mut io::sink())
        .map_err(|error| format!("the answer broke off: {error}"))?;
    Ok(Answer {
        status,
        took: began.elapsed(),
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
fn timeout(every: Duration, slower_than: Option<Duration>) -> Duration {
    let usual = every.saturating_mul(2).min(TIMEOUT_MAX);
    slower_than.map_or(usual, |slow| usual.max(slow.saturating_mul(2)))
}

/// The life of one thread: ask, count, wait for the beat, until `stopped`.
fn keep_asking(
    target: &ProbeTarget,
    stopped: &Receiver<()>,
    counted: &Mutex<BTreeMap<MeasureId, Sample>>,
) {
    let every = target.every.max(EVERY_MIN);
    let agent = agent(timeout(every, target.slower_than));
    let mut beat = Instant::now();
    loop {
        let good = ask(&agent, &target.url).is_ok_and(|answer| {
            answer.is_success() && target.slower_than.is_none_or(|slow| answer.took <= slow)
        });
        if stopped.try_recv() == Err(TryRecvError::Disconnected) {
            return;
        }
        count(target, good, counted);
        // Beats that were missed are left out, not made up for.
        beat = (beat + every).max(Instant::now());
        let wait = beat.saturating_duration_since(Instant::now());
        if stopped.recv_timeout(wait) == Err(RecvTimeoutError::Disconnected) {
            return;
        }
    }
}

fn count(target: &ProbeTarget, good: bool, counted: &Mutex<BTreeMap<MeasureId, Sample>>) {
    let mut counted = counted.lock().unwrap_or_else(PoisonError::into_inner);
    let sample = counted.entry(target.measure.clone()).or_default();
    let counts = match target.arm {
        Arm::Canary => &mut sample.canary,
        Arm::Control => sample.control.get_or_insert_default(),
    };
    counts.add(Counts::new(u64::from(!good), 1));
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::net::{SocketAddr, TcpListener, TcpStream};

    use super::*;

    const SOON: Duration = Duration::from_millis(10);
    const LONG: Duration = Duration::from_secs(10);

    /// A small HTTP server: answers each path as written there, and says on a
    /// channel what it was asked.
    fn serve() -> (SocketAddr, Receiver<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (asked, requests) = mpsc::channel();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let asked = asked.clone();
                thread::spawn(move || answer(stream, &asked));
            }
        });
        (address, requests)
    }

    fn answer(mut stream: TcpStream, asked: &Sender<String>) -> Option<()> {
        let mut lines = BufReader::new(stream.try_clone().ok()?).lines();
        let path = lines.next()?.ok()?.split([' ', '?']).nth(1)?.to_owned();
        lines.map_while(Result::ok).find(String::is_empty)?;
        let head = match path.as_str() {
            "/broken" => "500 Internal Server Error\r\ncontent-length: 2",
            "/moved" => "302 Found\r\nlocation: /ok\r\ncontent-length: 2",
            "/flood" => "200 OK\r\ncontent-length: 1000000000",
            "/torn" => "200 OK\r\ncontent-length: 9",
            _ => "200 OK\r\ncontent-length: 2",
        };
        asked.send(path.clone()).ok()?;
        if path == "/mute" {
            // Says nothing until the other side gives up.
            stream.read_exact(&mut [0]).ok()?;
        }
        write!(stream, "HTTP/1.1 {head}\r\n\r\nok").ok()?;
        if path == "/flood" {
            while stream.write_all(&[b'x'; 4096]).is_ok() {}
        }
        Some(())
    }

    /// Patient, so that a busy machine makes no probe bad.
    fn target(measure: &str, arm: Arm, url: String) -> ProbeTarget {
        ProbeTarget {
            measure: MeasureId::new(measure),
            arm,
            url,
            slower_than: Some(LONG),
            every: SOON,
        }
    }

    /// Adds up what is taken until it is enough.
    fn gather(
        prober: &Prober,
        enough: impl Fn(&BTreeMap<MeasureId, Sample>) -> bool,
    ) -> BTreeMap<MeasureId, Sample> {
        let mut all = BTreeMap::<MeasureId, Sample>::new();
        let deadline = Instant::now() + LONG;
        while !enough(&all) {
            assert!(Instant::now() < deadline, "only {all:?}");
            for (measure, sample) in prober.take() {
                let sum = all.entry(measure).or_default();
                sum.canary.add(sample.canary);
                if let Some(control) = sample.control {
                    sum.control.get_or_insert_default().add(control);
                }
            }
            thread::yield_now();
        }
        all
    }

    /// Nobody listens on the first port.
    const GONE: &str = "http://127.0.0.1:1/?key=hunter2";

    #[test]
    fn one_probe_tells_status_and_time() {
        let (address, requests) = serve();
        let ask = |path: &str| probe_once(&format!("http://{address}{path}"), LONG);
        let answer = ask("/ok").unwrap();
        assert!(answer.status == 200 && answer.is_success() && answer.took < LONG);
        assert_eq!(ask("/broken").unwrap().status, 500);
        let moved = ask("/moved").unwrap();
        assert!(moved.status == 302 && !moved.is_success());
        assert_eq!(
            requests.try_iter().collect::<Vec<_>>(),
            ["/ok", "/broken", "/moved"]
        );
    }

    #[test]
    fn a_flood_is_cut_and_a_torn_answer_is_none() {
        let (address, _requests) = serve();
        assert_eq!(
            probe_once(&format!("http://{address}/flood"), LONG)
                .unwrap()
                .status,
            200
        );
        let torn = probe_once(&format!("http://{address}/torn"), LONG).unwrap_err();
        assert!(torn.starts_with("the answer broke off"), "{torn}");
        // A TLS greeting gets an answer that is none of TLS.
        let plain = TcpListener::bind("127.0.0.1:0").unwrap();
        let https = format!("https://{}/", plain.local_addr().unwrap());
        let greeted = thread::spawn(move || {
            let (mut stream, _) = plain.accept().unwrap();
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        });
        assert!(probe_once(&https, LONG).is_err());
        greeted.join().unwrap().unwrap();
    }

    #[test]
    fn no_answer_is_told_without_the_address() {
        let (address, _requests) = serve();
        let mute = probe_once(&format!("http://{address}/mute?key=hunter2"), SOON).unwrap_err();
        assert_eq!(mute, "no answer in time");
        let refused = probe_once(GONE, LONG).unwrap_err();
        assert!(refused.starts_with("no connection: "), "{refused}");
        for url in [
            "ftp://h/hunter2",
            "hunter2",
            "http://hunter2:x:y/",
            "http://[hunter2",
            "",
        ] {
            let why = probe_once(url, LONG).unwrap_err();
            assert!(!why.contains("hunter2"), "{url}: {why}");
        }
    }

    #[test]
    fn counts_are_added_by_measure_and_arm_and_reset_when_taken() {
        let (address, _requests) = serve();
        let at = |path: &str| format!("http://{address}{path}");
        let errors = MeasureId::new("errors");
        let prober = Prober::start(vec![
            target("errors", Arm::Canary, at("/ok")),
            target("errors", Arm::Canary, at("/broken")),
            target("errors", Arm::Control, at("/ok")),
            target("alone", Arm::Canary, GONE.to_owned()),
        ]);
        let all = gather(&prober, |all| {
            let errors = all.get("errors").cloned().unwrap_or_default();
            let alone = all.get("alone").cloned().unwrap_or_default();
            let control = errors.control.unwrap_or_default();
            errors.canary.total >= 20 && control.total >= 10 && alone.canary.total >= 5
        });
        let Sample {
            canary, control, ..
        } = all[&errors].clone();
        assert!(canary.bad > 0 && canary.bad < canary.total, "{canary:?}");
        assert_eq!(control.unwrap().bad, 0);
        let alone = &all["alone"];
        assert!(
            alone.canary.all_bad() && alone.control.is_none(),
            "{alone:?}"
        );
    }

    #[test]
    fn an_answer_too_slow_is_bad_and_the_time_out_leaves_room_for_slow_ones() {
        let (address, _requests) = serve();
        let slow = |slower_than| ProbeTarget {
            slower_than,
            ..target("speed", Arm::Canary, format!("http://{address}/ok"))
        };
        for (slower_than, all_bad) in [(Duration::ZERO, true), (LONG, false)] {
            let prober = Prober::start(vec![slow(Some(slower_than))]);
            let all = gather(&prober, |all| {
                all.get("speed").is_some_and(|s| s.canary.total >= 3)
            });
            assert_eq!(all["speed"].canary.all_bad(), all_bad, "{slower_than:?}");
        }
        assert_eq!(timeout(Duration::from_secs(60), None), TIMEOUT_MAX);
        assert_eq!(timeout(SOON, None), Duration::from_millis(20));
        assert!(timeout(SOON, Some(LONG)) > LONG);
    }

    #[test]
    fn new_targets_replace_the_old_ones_and_keep_what_was_counted() {
        let (address, requests) = serve();
        let at = |path: &str| format!("http://{address}{path}");
        let mut prober = Prober::start(vec![target("errors", Arm::Control, at("/a"))]);
        // The second question is asked after the first answer was counted.
        assert_eq!(requests.recv_timeout(LONG).unwrap(), "/a");
        assert_eq!(requests.recv_timeout(LONG).unwrap(), "/a");
        prober.retarget(vec![target("errors", Arm::Canary, at("/b"))]);
        let all = gather(&prober, |all| {
            all.get("errors").is_some_and(|s| s.canary.total >= 10)
        });
        assert!(all["errors"].control.is_some_and(Counts::seen));
        let asked: Vec<String> = requests.try_iter().collect();
        // At most what was under way.
        let first = asked.iter().position(|path| path == "/b").unwrap();
        assert!(
            asked.iter().skip(first + 1).all(|path| path == "/b"),
            "{asked:?}"
        );
    }

    #[test]
    fn each_target_is_asked_in_its_own_rhythm() {
        let (address, requests) = serve();
        let at = |path: &str| target("errors", Arm::Canary, format!("http://{address}{path}"));
        let seldom = ProbeTarget {
            every: Duration::from_secs(3_600),
            ..at("/seldom")
        };
        let prober = Prober::start(vec![at("/often"), seldom]);
        let _all = gather(&prober, |all| {
            all.get("errors").is_some_and(|s| s.canary.total >= 20)
        });
        let asked: Vec<String> = requests.try_iter().collect();
        let seldom = asked.iter().filter(|path| *path == "/seldom").count();
        assert_eq!(seldom, 1, "{asked:?}");
    }

    #[test]
    fn a_dropped_prober_leaves_no_thread_behind() {
        let (address, requests) = serve();
        let mute = ProbeTarget {
            slower_than: None,
            every: Duration::from_millis(100),
            ..target("errors", Arm::Canary, format!("http://{address}/mute"))
        };
        let prober = Prober::start(vec![mute.clone(), mute]);
        // Both are in the middle of a probe now.
        requests.recv_timeout(LONG).unwrap();
        requests.recv_timeout(LONG).unwrap();
        let shared = Arc::downgrade(&prober.counted);
        drop(prober);
        let deadline = Instant::now() + LONG;
        while shared.strong_count() > 0 {
            assert!(Instant::now() < deadline, "a thread still runs");
            thread::yield_now();
        }
    }

    #[test]
    fn a_drop_between_two_beats_ends_at_once() {
        let (address, _requests) = serve();
        let target = ProbeTarget {
            every: Duration::from_secs(3_600),
            ..target("errors", Arm::Canary, format!("http://{address}/ok"))
        };
        let prober = Prober::start(vec![target]);
        gather(&prober, |all| all.contains_key("errors"));
        let shared = Arc::downgrade(&prober.counted);
        drop(prober);
        let deadline = Instant::now() + LONG;
        while shared.strong_count() > 0 {
            assert!(
                Instant::now() < deadline,
                "a thread still waits for its beat"
            );
            thread::yield_now();
        }
    }
}
