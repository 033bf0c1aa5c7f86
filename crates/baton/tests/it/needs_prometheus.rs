//! A launch that Prometheus watches: real shops behind a load, the server of
//! Debian that scrapes them, a fault that is found and undone, and none.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::env::TestEnv;

/// How long anything may take that has to happen.
const SOON: Duration = Duration::from_secs(60);
/// The hosts: where they are, and how the old shop is called there.
const HOSTS: [(&str, &str); 4] = [
    ("staging", "web1"),
    ("staging", "web2"),
    ("production", "web1"),
    ("production", "web2"),
];

const RUNBOOK: &str = r#"# Launch shop 2.4

### Switch to the new version {#install}

- owner: lee (backup: dana)
- on: web, 1 at a time
- watch: 5s

```sh run
sh ../../../switch.sh "$NEW" 2
```

```sh verify
"$NEW" get "http://127.0.0.1:$PORT/health" | grep -q '"version":"2.4.0"'
```

```sh undo
sh ../../../switch.sh "$OLD" 1
```
"#;

/// Either version may lead the schema there.
const SWITCH: &str = r#"set -e
"$OLD" stop --pid-file shop.pid
"$NEW" migrate --db orders.db --to "$2"
"$1" start --port "$PORT" --db orders.db --pid-file shop.pid --log shop.log
"#;

/// Ports that nobody listened on a moment ago.
fn ports() -> Vec<u16> {
    let taken: Vec<_> = (0..=HOSTS.len())
        .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
        .collect();
    taken
        .iter()
        .map(|listener| listener.local_addr().unwrap().port())
        .collect()
}

/// The two shops, built if they are not.
fn shops() -> [PathBuf; 2] {
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--package", "shop"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status();
    assert!(built.unwrap().success(), "the shop is built");
    let folder = Path::new(env!("CARGO_BIN_EXE_baton")).parent().unwrap();
    ["shop-2-3-9", "shop-2-4-0"].map(|name| folder.join(name))
}

fn contract(ports: &[u16], [old, new]: &[PathBuf; 2]) -> String {
    let environment = |name: &str| {
        let hosts: String = HOSTS
            .iter()
            .zip(ports)
            .filter(|((environment, _), _)| *environment == name)
            .map(|((_, host), port)| {
                format!(
                    "      {host}: {{ dir: env/{name}/{host}, vars: {{ PORT: \"{port}\" }} }}\n"
                )
            })
            .collect();
        let (old, new) = (old.display(), new.display());
        format!(
            "  {name}:\n    hosts:\n{hosts}    groups: {{ web: [web1, web2] }}\n    vars: {{ OLD: {old}, NEW: {new} }}\n"
        )
    };
    let server = ports[HOSTS.len()];
    let selected = r#"environment="$BATON_ENVIRONMENT",host="$HOST""#;
    format!(
        r#"name: shop
from: development
to: operations
touches: [shop]
people:
  dana: {{ name: Dana Ito,  email: dana@shop.example, zone: UTC }}
  lee:  {{ name: Lee Novak, email: lee@shop.example,  zone: UTC }}
  omar: {{ name: Omar Diaz, email: omar@shop.example, zone: UTC }}
  pia:  {{ name: Pia Lund,  email: pia@shop.example,  zone: UTC }}
teams:
  development: [dana, lee]
  operations: [omar, pia]
roles:
  launch-lead: {{ owner: omar, backup: pia }}
  rollback-decider: {{ owner: pia, backup: omar }}
release: {{ version: 2.4.0, kind: code, artifacts: [] }}
environments:
{}{}launch: {{ environment: production }}
expectations: {{ declined: One team, by: pia }}
done: [ {{ id: signed, says: It is signed, owner: pia, sign: pia }} ]
parity: {{ declined: One machine, by: pia }}
success:
  - id: errors
    says: Checkouts that fail
    owner: omar
    ratio: {{ bad: 'http_requests_total{{{selected},code="500"}}', total: 'http_requests_total{{{selected}}}' }}
    from: {{ prometheus: "http://127.0.0.1:{server}" }}
    at_most: 10%
    worse_by: 5%
  - id: speed
    says: Answer time of checkouts
    owner: omar
    histogram: 'http_request_duration_seconds_bucket{{{selected}}}'
    from: {{ prometheus: "http://127.0.0.1:{server}" }}
    quantile: {{ p90: 3000ms }}
watch: {{ for: 5s, on_harm: roll-back, false_alarm: 1% }}
runbook: runbook.md
rehearsal: {{ in: staging, within: 7d }}
room: {{ declined: One table, by: pia }}
review: {{ declined: A test, by: pia }}
"#,
        environment("staging"),
        environment("production"),
    )
}

/// Everything that runs beside Baton; it ends with this.
struct Beside {
    prometheus: Child,
    folders: Vec<PathBuf>,
    old: PathBuf,
    quiet: Arc<AtomicBool>,
    load: Vec<JoinHandle<()>>,
}

impl Drop for Beside {
    fn drop(&mut self) {
        self.quiet.store(true, Ordering::Relaxed);
        for thread in self.load.drain(..) {
            let _ended = thread.join();
        }
        drop(self.prometheus.kill());
        drop(self.prometheus.wait());
        for folder in &self.folders {
            let stopped = Command::new(&self.old)
                .args(["stop", "--pid-file", "shop.pid"])
                .current_dir(folder)
                .stderr(Stdio::null())
                .status();
            drop(stopped);
        }
    }
}

/// Asks for a page; its body, if it is one.
fn get(port: u16, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(SOON)).ok()?;
    write!(stream, "GET {path} HTTP/1.0\r\nhost: localhost\r\n\r\n").ok()?;
    let mut answer = String::new();
    let _length = stream.read_to_string(&mut answer).ok()?;
    Some(answer.split_once("\r\n\r\n")?.1.to_owned())
}

/// A shop on every host, a load on each, and Prometheus, which has seen all of them.
fn beside(env: &TestEnv, ports: &[u16], [old, _]: &[PathBuf; 2]) -> Beside {
    let quiet = Arc::new(AtomicBool::new(false));
    let (mut folders, mut load, mut scraped) = (Vec::new(), Vec::new(), String::new());
    for ((environment, host), port) in HOSTS.iter().zip(ports) {
        let folder = env.work().join(format!("env/{environment}/{host}"));
        fs::create_dir_all(folder.join("flags")).unwrap();
        let shop = |words: &[&str]| {
            let done = Command::new(old).args(words).current_dir(&folder).status();
            assert!(done.unwrap().success(), "{words:?}");
        };
        shop(&["migrate", "--db", "orders.db", "--to", "1"]);
        let port = port.to_string();
        let start = ["start", "--port", &port, "--db", "orders.db"];
        shop(&[&start[..], &["--pid-file", "shop.pid", "--log", "shop.log"]].concat());
        scraped.push_str(&format!(
            "      - {{ targets: ['127.0.0.1:{port}'], labels: {{ environment: {environment}, host: {host} }} }}\n"
        ));
        folders.push(folder);
        let (port, quiet) = (port.parse().unwrap(), Arc::clone(&quiet));
        load.push(std::thread::spawn(move || {
            while !quiet.load(Ordering::Relaxed) {
                let _answer = get(port, "/checkout?dry=1");
                // A steady customer: what matters is the share, not how many.
                std::thread::sleep(Duration::from_millis(5));
            }
        }));
    }
    let config = format!(
        "global: {{ scrape_interval: 200ms, scrape_timeout: 200ms }}\nscrape_configs:\n  - job_name: shop\n    static_configs:\n{scraped}"
    );
    env.write("prometheus.yml", &config);
    let server = ports[HOSTS.len()];
    let prometheus = Command::new("prometheus")
        .arg("--config.file=prometheus.yml")
        .arg(format!("--web.listen-address=127.0.0.1:{server}"))
        .arg("--storage.tsdb.path=prometheus")
        .current_dir(env.work())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("prometheus is installed");
    let beside = Beside {
        prometheus,
        folders,
        old: old.clone(),
        quiet,
        load,
    };
    let deadline = Instant::now() + SOON;
    let seen = || get(server, "/api/v1/query?query=count(http_requests_total)");
    // Two counters of each host.
    while !seen().is_some_and(|said| said.contains("\"8\"")) {
        assert!(Instant::now() < deadline, "prometheus sees not every shop");
        std::thread::yield_now();
    }
    beside
}

/// A handoff that is ready to launch, and what runs beside it.
fn ready() -> (TestEnv, Beside) {
    let (env, ports, shops) = (TestEnv::new(), ports(), shops());
    env.write("handoff.yaml", &contract(&ports, &shops));
    env.write("runbook.md", RUNBOOK);
    env.write("switch.sh", SWITCH);
    let beside = beside(&env, &ports, &shops);
    for who in ["dana", "lee", "omar", "pia"] {
        let _mine = env.says(who, &["accept", "--mine"]).exits(0);
    }
    let _signed = env.says("pia", &["sign", "signed"]).exits(0);
    let _offered = env.says("dana", &["offer"]).exits(0);
    let _accepted = env.says("pia", &["accept"]).exits(0);
    let _rehearsed = env.says("omar", &["rehearse"]).exits(0);
    let _ready = env.says("omar", &["check"]).exits(0);
    (env, beside)
}

#[test]
fn a_release_without_fault_is_kept() {
    let (env, _beside) = ready();
    let mut launch = env.start("omar", &["launch", "--no-wait"]);
    launch.reads("takes over");
    let _over = env.says("pia", &["accept", "--live"]).exits(0);
    let ran = launch.finish().exits(0);
    assert!(ran.out.contains("succeeded"), "{}", ran.out);
}

#[test]
fn a_fault_on_the_first_host_is_found_and_undone_before_the_second() {
    let (env, _beside) = ready();
    for host in ["web1", "web2"] {
        env.write(&format!("env/production/{host}/flags/slow-rates"), "");
    }
    let untouched = || env.read("env/production/web2/shop.pid");
    let before = untouched();
    let ran = env.says("omar", &["launch", "--no-wait"]).exits(4);
    assert!(ran.out.contains("Checkouts that fail"), "{}", ran.out);
    // The second host was never touched, and the first runs what it ran before.
    assert_eq!(before, untouched());
    let log = env.read("env/production/web1/shop.log");
    let last = log.lines().rfind(|line| line.contains("listens"));
    assert!(last.is_some_and(|line| line.contains("2.3.9")), "{log}");
    let status = env
        .says("omar", &["status", "--format", "json"])
        .exits(0)
        .json();
    assert_eq!(status["run"]["outcome"], "rolled-back", "{status}");
}

#[test]
fn a_query_without_data_is_a_blocker() {
    let (env, _beside) = ready();
    let contract = env.read("handoff.yaml");
    env.write(
        "handoff.yaml",
        &contract.replace("code=\"500\"", "code=\"5000\""),
    );
    let ran = env.says("omar", &["check", "--format", "json"]);
    let report = ran.json();
    let blind = report["blockers"].as_array().unwrap().iter();
    let blind: Vec<_> = blind
        .filter(|b| b["code"] == "definition.blind-measure")
        .collect();
    let says = blind[0]["says"].as_str().unwrap();
    assert!(says.contains("`bad` finds no data"), "{says}");
    assert!(!says.contains("5000"), "{says}");
}
