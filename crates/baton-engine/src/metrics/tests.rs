//! Real addresses and real threads.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use baton_core::id::MeasureId;
use baton_core::run::state::Asked;
use baton_core::time::Duration as Span;

use super::probe::{probe_once, timeout};
use super::prober::{Prober, Target};
use super::*;
use crate::shell::Shell;
use crate::shell::ssh::Ssh;

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
        "/old" => "200 OK\r\ndate: Wed, 21 Oct 2015 07:28:00 GMT\r\ncontent-length: 2",
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
fn target(measure: &str, arm: Arm, url: String) -> Target {
    Target {
        measure: MeasureId::new(measure),
        arm,
        asked: address(url, Some(LONG)),
        every: SOON,
    }
}

fn address(url: String, slower_than: Option<Duration>) -> Asked {
    Asked::Address {
        url,
        slower_than: slower_than.map(|slow| Span::from_millis(slow.as_millis() as u64)),
    }
}

/// A prober that carries out no commands.
fn start(targets: Vec<Target>) -> Prober {
    Prober::start(targets, &Arc::new(no_shell()))
}

fn no_shell() -> Shell {
    let nowhere = PathBuf::from("/nonexistent");
    let ssh = Ssh::new(&nowhere);
    Shell::new(nowhere.clone(), nowhere.clone(), nowhere, ssh)
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
    assert!(answer.status == Some(200) && answer.is_success() && answer.took < LONG);
    assert_eq!(ask("/broken").unwrap().status, Some(500));
    let moved = ask("/moved").unwrap();
    assert!(moved.status == Some(302) && !moved.is_success());
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
        Some(200)
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
    let prober = start(vec![
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
    let slow = |slower_than| Target {
        asked: self::address(format!("http://{address}/ok"), slower_than),
        ..target("speed", Arm::Canary, format!("http://{address}/ok"))
    };
    for (slower_than, all_bad) in [(Duration::ZERO, true), (LONG, false)] {
        let prober = start(vec![slow(Some(slower_than))]);
        let all = gather(&prober, |all| {
            all.get("speed").is_some_and(|s| s.canary.total >= 3)
        });
        assert_eq!(all["speed"].canary.all_bad(), all_bad, "{slower_than:?}");
    }
    assert_eq!(
        timeout(Duration::from_secs(60), None),
        Duration::from_secs(2)
    );
    assert_eq!(timeout(SOON, None), Duration::from_millis(20));
    assert!(timeout(SOON, Some(LONG)) > LONG);
}

#[test]
fn each_target_is_asked_in_its_own_rhythm() {
    let (address, requests) = serve();
    let at = |path: &str| target("errors", Arm::Canary, format!("http://{address}{path}"));
    let seldom = Target {
        every: Duration::from_secs(3_600),
        ..at("/seldom")
    };
    let prober = start(vec![at("/often"), seldom]);
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
    let mute = Target {
        asked: self::address(format!("http://{address}/mute"), None),
        every: Duration::from_millis(100),
        ..target("errors", Arm::Canary, format!("http://{address}/mute"))
    };
    let prober = start(vec![mute.clone(), mute]);
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
    let target = Target {
        every: Duration::from_secs(3_600),
        ..target("errors", Arm::Canary, format!("http://{address}/ok"))
    };
    let prober = start(vec![target]);
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

#[test]
fn a_connection_is_an_answer_over_tcp() {
    let (address, _requests) = serve();
    let answer = probe_once(&format!("tcp://{address}"), LONG).unwrap();
    assert!(answer.status.is_none() && answer.is_success());
    for gone in [
        "tcp://127.0.0.1:1",
        "tcp://hunter2",
        "tcp://",
        "tcp://hunter2.invalid:1",
    ] {
        let why = probe_once(gone, LONG).unwrap_err();
        assert!(!why.contains("hunter2"), "{why}");
    }
    let prober = start(vec![
        Target {
            asked: self::address(format!("tcp://{address}"), Some(LONG)),
            ..target("port", Arm::Canary, String::new())
        },
        Target {
            asked: self::address("tcp://127.0.0.1:1".to_owned(), Some(LONG)),
            ..target("port", Arm::Control, String::new())
        },
    ]);
    let all = gather(&prober, |all| {
        all.get("port").is_some_and(|s| s.both().is_some())
    });
    let sample = &all["port"];
    assert_eq!(sample.canary.bad, 0);
    assert!(sample.control.unwrap().all_bad());
}

#[test]
fn an_answer_falls_into_the_bucket_of_its_time_and_none_into_the_last() {
    let (address, _requests) = serve();
    for (url, last) in [
        (format!("http://{address}/ok"), 0),
        ("http://127.0.0.1:1/".to_owned(), 1),
    ] {
        let probe = super::probe::Probe::new(&url, SOON, Some(LONG));
        let times = probe.read().unwrap().times.unwrap();
        assert_eq!(times.counts.len(), times.bounds.len() + 1);
        assert_eq!(times.counts.iter().sum::<u64>(), 1);
        assert_eq!(times.counts.last(), Some(&last), "{url}");
        assert!(times.bounds.is_sorted_by(|a, b| a < b) && times.bounds[0] == 1.0);
    }
}

#[test]
fn a_date_far_from_now_is_told_and_one_nearby_is_not() {
    let at = |second: i64| Timestamp::from_second(1_792_000_000 + second).unwrap();
    let off = |date: i64, asked: i64, answered: i64| {
        let date = at(date).strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        skew(Some(&date), at(asked), at(answered))
    };
    for (date, asked, answered, seconds) in [
        (0, 0, 0, None),
        (30, 0, 0, None),
        (31, 0, 0, Some(31)),
        // The second that was begun, and the time the answer took, are on its side.
        (0, 31, 31, None),
        (0, 32, 60, Some(-31)),
        (60, 0, 40, None),
        (-86_400, 0, 0, Some(-86_399)),
    ] {
        assert_eq!(
            off(date, asked, answered),
            seconds,
            "{date} {asked} {answered}"
        );
    }
    assert_eq!(skew(None, at(0), at(0)), None);
    assert_eq!(skew(Some("yesterday"), at(0), at(0)), None);
}

#[test]
fn an_old_answer_is_no_reading_of_now() {
    let (address, _requests) = serve();
    let prober = start(vec![target(
        "old",
        Arm::Canary,
        format!("http://{address}/old"),
    )]);
    let deadline = Instant::now() + LONG;
    let sample = loop {
        assert!(Instant::now() < deadline);
        if let Some(sample) = prober.take().remove("old") {
            break sample;
        }
        thread::yield_now();
    };
    assert!(!sample.canary.seen());
    assert!(matches!(sample.trouble, Some(Trouble::ClockSkew { seconds }) if seconds < -1_000_000));
    let asked = self::address(format!("http://{address}/old"), None);
    let why = super::prober::sees(&asked, Arc::new(no_shell()), LONG).unwrap_err();
    assert!(why.contains("behind: the clock there is off"), "{why}");
    let server = format!("http://{address}/old?");
    let read = super::prometheus::Counters::ratio(&server, "a", "b", LONG).read();
    assert!(matches!(read, Err(Trouble::ClockSkew { .. })), "{read:?}");
}
