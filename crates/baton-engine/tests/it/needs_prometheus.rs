//! Counters of a real Prometheus, which scrapes what these tests show it.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use baton_core::watch::{Counts, Trouble};
use baton_engine::metrics::prometheus::Counters;
use tempfile::TempDir;

/// How long anything may take that has to happen.
const SOON: Duration = Duration::from_secs(60);

/// A server, and what it scrapes.
struct Server {
    prometheus: Child,
    port: u16,
    shown: Arc<Mutex<String>>,
    _folder: TempDir,
}

impl Server {
    /// Scrapes this every tenth of a second, as the job `shop-a`.
    fn showing(first: &str) -> Self {
        let shown = Arc::new(Mutex::new(first.to_owned()));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let target = listener.local_addr().unwrap();
        let said = Arc::clone(&shown);
        std::thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let text = said.lock().unwrap().clone();
                let mut request = [0; 4096];
                let _length = stream.read(&mut request);
                let answer = write!(
                    stream,
                    "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: text/plain\r\n\r\n{text}"
                );
                drop(answer);
            }
        });
        let folder = tempfile::tempdir().unwrap();
        let config = format!(
            "global: {{ scrape_interval: 100ms, scrape_timeout: 100ms }}\nscrape_configs:\n  - job_name: shop-a\n    static_configs:\n      - {{ targets: ['{target}'] }}\n"
        );
        std::fs::write(folder.path().join("prometheus.yml"), config).unwrap();
        // A port that nobody listened on a moment ago.
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let prometheus = Command::new("prometheus")
            .arg("--config.file=prometheus.yml")
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg("--storage.tsdb.path=data")
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("prometheus is installed");
        let server = Self {
            prometheus,
            port,
            shown,
            _folder: folder,
        };
        let all = server.counters("up{job='shop-a'}", "up");
        let deadline = Instant::now() + SOON;
        while all.sees().is_err() {
            assert!(Instant::now() < deadline, "{:?}", all.sees());
            std::thread::yield_now();
        }
        server
    }

    fn counters(&self, bad: &str, total: &str) -> Counters {
        let url = format!("http://127.0.0.1:{}", self.port);
        Counters::ratio(&url, bad, total, Duration::from_secs(1))
    }

    fn show(&self, text: &str) {
        text.clone_into(&mut self.shown.lock().unwrap());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.prometheus.kill());
        drop(self.prometheus.wait());
    }
}

/// Reads until so many were counted in all.
fn gather(counters: &mut Counters, total: u64) -> Counts {
    let (mut all, deadline) = (Counts::default(), Instant::now() + SOON);
    while all.total < total {
        assert!(Instant::now() < deadline, "only {all:?}");
        if let Ok(reading) = counters.read() {
            all.add(reading.counts);
        }
        std::thread::yield_now();
    }
    all
}

/// Reads until there is trouble; nothing is counted before.
fn trouble(counters: &mut Counters) -> String {
    let deadline = Instant::now() + SOON;
    loop {
        assert!(Instant::now() < deadline, "no trouble");
        match counters.read() {
            Ok(reading) => assert_eq!(reading.counts, Counts::default()),
            Err(Trouble::Unread { because }) => return because,
            Err(other) => panic!("{other:?}"),
        }
        std::thread::yield_now();
    }
}

const BAD: &str = "x_total{job='shop-a',code=~'5..'}";
const ALL: &str = "x_total{job='shop-a'}";

#[test]
fn bad_ones_that_are_gone_are_told_and_counted_when_they_are_back() {
    let text = |fine: u64, bad: Option<u64>| {
        let bad = bad.map(|bad| format!("x_total{{code=\"500\"}} {bad}\n"));
        format!(
            "x_total{{code=\"200\"}} {fine}\n{}",
            bad.unwrap_or_default()
        )
    };
    let server = Server::showing(&text(100, Some(5)));
    let mut counters = server.counters(BAD, ALL);
    // What was counted before is not new, whatever the quotes of the query.
    assert_eq!(counters.read().unwrap().counts, Counts::default());
    server.show(&text(140, Some(7)));
    assert_eq!(gather(&mut counters, 42), Counts::new(2, 42));

    // The label is called otherwise, or the process has begun anew.
    server.show(&text(150, None));
    let why = trouble(&mut counters);
    assert!(why.contains("`bad` had data before"), "{why}");
    assert!(!why.contains("shop-a"), "{why}");
    // Also for one who only begins to look now.
    let mut late = server.counters(BAD, ALL);
    assert_eq!(late.read().unwrap().counts, Counts::default());
    server.show(&text(151, None));
    let _why = trouble(&mut late);

    // Nothing of what came meanwhile is lost, on neither side.
    server.show(&text(160, Some(9)));
    assert_eq!(gather(&mut counters, 22), Counts::new(2, 22));
}

#[test]
fn bad_ones_that_never_were_are_none() {
    let server = Server::showing("x_total{code=\"200\"} 100\n");
    let mut counters = server.counters(BAD, ALL);
    assert_eq!(counters.read().unwrap().counts, Counts::default());
    server.show("x_total{code=\"200\"} 110\n");
    assert_eq!(gather(&mut counters, 10), Counts::new(0, 10));
    // The first error there ever was.
    server.show("x_total{code=\"200\"} 120\nx_total{code=\"500\"} 3\n");
    assert_eq!(gather(&mut counters, 13), Counts::new(3, 13));
    // More bad ones than all are trouble.
    let mut swapped = server.counters(ALL, BAD);
    assert_eq!(swapped.read().unwrap().counts, Counts::default());
    server.show("x_total{code=\"200\"} 130\nx_total{code=\"500\"} 4\n");
    let why = trouble(&mut swapped);
    assert!(why.contains("more bad ones than all: 11 of 1"), "{why}");
}
