//! The two programs as people run them: real processes, a real port, a real database.

#![expect(clippy::unwrap_used, reason = "a helper of a test may fail the test")]

use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

const OLD: &str = env!("CARGO_BIN_EXE_shop-2-3-9");
const NEW: &str = env!("CARGO_BIN_EXE_shop-2-4-0");

/// A host: a working folder and a free port. Its server is stopped at the end of the test.
struct Host {
    dir: TempDir,
    port: u16,
}

/// What a program said and how it ended.
#[derive(Debug)]
struct Said {
    status: i32,
    out: String,
    err: String,
}

impl Host {
    fn new() -> Self {
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        Self {
            dir: TempDir::new().unwrap(),
            port,
        }
    }

    fn command(&self, program: &str, words: &str) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.dir.path())
            .args(words.split_whitespace());
        command
    }

    fn run(&self, program: &str, words: &str) -> Said {
        let Output {
            status,
            stdout,
            stderr,
        } = self.command(program, words).output().unwrap();
        Said {
            status: status.code().unwrap(),
            out: String::from_utf8(stdout).unwrap(),
            err: String::from_utf8(stderr).unwrap(),
        }
    }

    /// Runs a command that must succeed; its standard output without the last line break.
    fn ok(&self, program: &str, words: &str) -> String {
        let said = self.run(program, words);
        assert_eq!(said.status, 0, "{words}: {said:?}");
        said.out.trim_end().to_owned()
    }

    fn start(&self, program: &str) -> Said {
        let port = self.port;
        let words =
            format!("start --port {port} --db orders.db --pid-file shop.pid --log shop.log");
        self.run(program, &words)
    }

    fn get(&self, path: &str) -> Said {
        self.run(OLD, &format!("get http://127.0.0.1:{}{path}", self.port))
    }

    fn json(&self, path: &str) -> Value {
        let said = self.get(path);
        assert_eq!(said.status, 0, "{path}: {said:?}");
        serde_json::from_str(&said.out).unwrap()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The schema number, and the number and amount of every order.
    fn dump(&self) -> (u32, Vec<(i64, i64)>) {
        let db = rusqlite::Connection::open(self.file("orders.db")).unwrap();
        let schema = db
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .unwrap();
        let mut rows = db
            .prepare("SELECT id, amount_cents FROM orders ORDER BY id")
            .unwrap();
        let rows = rows
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap();
        (schema, rows.map(Result::unwrap).collect())
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.run(NEW, "stop --pid-file shop.pid");
    }
}

#[test]
fn senseless_command_lines_end_with_2_and_say_why() {
    let host = Host::new();
    for (words, why) in [
        ("", "a command is missing"),
        ("dance", "unknown command \"dance\""),
        ("count", "count needs --db"),
        ("count --db", "--db needs a value"),
        ("count --db a --db b", "--db is given twice"),
        ("count --db a --orders 3", "count does not know --orders"),
        (
            "seed --db a --orders many",
            "--orders \"many\": invalid digit",
        ),
        (
            "serve --port 70000 --db a",
            "--port \"70000\": number too large",
        ),
        (
            "serve --port 0 --db a",
            "--port \"0\": number would be zero",
        ),
        ("start --port 1 --db a --log l", "start needs --pid-file"),
        ("migrate --db a --to 2", "shop 2.3.9 cannot migrate to 2"),
        ("get", "get takes exactly one URL"),
    ] {
        let said = host.run(OLD, words);
        assert_eq!(said.status, 2, "{words}: {said:?}");
        assert!(
            said.err.contains(why) && said.err.contains("usage:"),
            "{words}: {said:?}"
        );
    }
    assert_eq!(host.run(NEW, "migrate --db a --to 0").status, 2);
    assert!(host.ok(NEW, "help").contains("migrate --db FILE --to 1..2"));
    assert_eq!(
        std::fs::read_dir(host.dir.path()).unwrap().count(),
        0,
        "nothing was created"
    );
}

#[test]
fn migrating_up_and_down_keeps_the_orders() {
    let host = Host::new();
    host.ok(OLD, "seed --db orders.db --orders 50");
    let (schema, rows) = host.dump();
    assert_eq!((schema, rows.len(), rows[0]), (1, 50, (1, 537)));
    for said in ["schema 1 -> 2", "schema 2 -> 2"] {
        assert_eq!(host.ok(NEW, "migrate --db orders.db --to 2"), said);
        assert_eq!(host.dump(), (2, rows.clone()));
    }
    let said = host.run(OLD, "migrate --db orders.db --to 1");
    assert_eq!(said.status, 1);
    assert!(
        said.err
            .contains("has schema 2, shop 2.3.9 knows none after 1"),
        "{said:?}"
    );
    for said in ["schema 2 -> 1", "schema 1 -> 1"] {
        assert_eq!(host.ok(NEW, "migrate --db orders.db --to 1"), said);
        assert_eq!(host.dump(), (1, rows.clone()));
    }
    let said = host.run(OLD, "migrate --db orders.db --to 0");
    assert!(
        said.status == 1 && said.err.contains("still holds orders"),
        "{said:?}"
    );
    assert_eq!(
        host.ok(NEW, "migrate --db empty.db --to 2"),
        "schema 0 -> 2"
    );
    assert_eq!(host.ok(NEW, "count --db empty.db"), "0");
}

#[test]
fn several_processes_may_create_and_fill_one_database() {
    let host = Host::new();
    let mut seeds: Vec<_> = (0..4)
        .map(|_| {
            host.command(OLD, "seed --db orders.db --orders 100")
                .spawn()
                .unwrap()
        })
        .collect();
    for seed in &mut seeds {
        assert!(seed.wait().unwrap().success());
    }
    assert_eq!(host.ok(OLD, "count --db orders.db"), "400");
}

#[test]
fn a_server_starts_serves_and_stops() {
    let host = Host::new();
    host.ok(OLD, "seed --db orders.db --orders 3");
    let said = host.start(OLD);
    assert_eq!(said.status, 0, "{said:?}");
    assert_eq!(
        host.json("/health"),
        json!({"version": "2.3.9", "schema": 1, "status": "ok"})
    );
    assert_eq!(host.get("/").out, "shop 2.3.9\n");
    assert_eq!(
        host.json("/checkout"),
        json!({"order": 4, "amount_cents": 648})
    );
    assert_eq!(
        host.json("/checkout?dry=1"),
        json!({"order": null, "amount_cents": 685})
    );
    assert_eq!(host.json("/orders/count"), 4);
    assert_eq!(host.get("/nowhere").status, 1);

    // The old version lives on while the new schema arrives.
    host.ok(NEW, "migrate --db orders.db --to 2");
    assert_eq!(
        host.json("/health"),
        json!({"version": "2.3.9", "schema": 2, "status": "ok"})
    );
    assert_eq!(
        host.json("/checkout"),
        json!({"order": 5, "amount_cents": 685})
    );

    let pid = std::fs::read_to_string(host.file("shop.pid")).unwrap();
    assert_eq!(
        host.ok(NEW, "stop --pid-file shop.pid"),
        format!("stopped, pid {}", pid.trim())
    );
    assert!(!host.file("shop.pid").exists());
    assert_eq!(host.get("/health").status, 1);
    assert_eq!(host.ok(OLD, "stop --pid-file shop.pid"), "nothing runs");

    assert_eq!(host.start(NEW).status, 0);
    assert_eq!(
        host.json("/health"),
        json!({"version": "2.4.0", "schema": 2, "status": "ok"})
    );
    let receipt = json!({"order": 6, "amount_cents": 722, "currency": "EUR"});
    assert_eq!(host.json("/checkout"), receipt);

    // Whoever takes the schema away under the new version sees it in the health.
    host.ok(NEW, "migrate --db orders.db --to 1");
    let said = host.get("/health");
    assert!(
        said.status == 1 && said.out.contains("wrong schema"),
        "{said:?}"
    );
    assert_eq!(host.get("/checkout").status, 1);
    assert_eq!(host.ok(OLD, "count --db orders.db"), "6");
}

#[test]
fn a_start_that_cannot_succeed_says_what_the_server_said() {
    let host = Host::new();
    let said = host.start(NEW);
    assert!(
        said.status == 1 && said.err.contains("there is no such database"),
        "{said:?}"
    );
    host.ok(OLD, "seed --db orders.db --orders 1");
    let said = host.start(NEW);
    assert!(
        said.status == 1 && said.err.contains("has schema 1, shop 2.4.0 needs 2"),
        "{said:?}"
    );
    assert!(
        !said.err.contains("no such database"),
        "only this start's log: {said:?}"
    );
    assert!(!host.file("shop.pid").exists());

    // A second server on the port must not pass for healthy because the first one answers.
    assert_eq!(host.start(OLD).status, 0);
    let words = format!(
        "start --port {} --db orders.db --pid-file 2.pid --log 2.log",
        host.port
    );
    let said = host.run(OLD, &words);
    assert!(
        said.status == 1 && said.err.contains("cannot listen on port"),
        "{said:?}"
    );
    let port = Host::new().port;
    let words = format!("start --port {port} --db orders.db --pid-file shop.pid --log 2.log");
    let said = host.run(OLD, &words);
    assert!(
        said.status == 1 && said.err.contains("another server runs"),
        "{said:?}"
    );
    assert_eq!(host.get("/health").status, 0);
}

#[test]
fn stop_leaves_strangers_alone() {
    let host = Host::new();
    let mut stranger = host
        .command("cat", "")
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::fs::write(host.file("shop.pid"), stranger.id().to_string()).unwrap();
    assert_eq!(host.ok(OLD, "stop --pid-file shop.pid"), "nothing ran");
    assert!(!host.file("shop.pid").exists());
    drop(stranger.stdin.take());
    assert_eq!(
        stranger.wait().unwrap().code(),
        Some(0),
        "it ended by itself, not by a signal"
    );
}

#[test]
fn a_server_that_does_not_listen_to_sigterm_is_killed() {
    let host = Host::new();
    host.ok(OLD, "seed --db orders.db --orders 1");
    assert_eq!(host.start(OLD).status, 0);
    let pid = std::fs::read_to_string(host.file("shop.pid"))
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::STOP).unwrap();
    assert!(
        host.ok(OLD, "stop --pid-file shop.pid")
            .starts_with("killed, pid ")
    );
    assert_eq!(
        host.start(OLD).status,
        0,
        "the port and the database are free again"
    );
}

#[test]
fn a_request_that_never_ends_does_not_hold_up_a_stop() {
    let host = Host::new();
    host.ok(OLD, "seed --db orders.db --orders 1");
    assert_eq!(host.start(OLD).status, 0);
    let mut endless = TcpStream::connect(("127.0.0.1", host.port)).unwrap();
    endless
        .write_all(b"GET /health HTTP/1.1\r\nHost: ")
        .unwrap();
    assert!(
        host.ok(OLD, "stop --pid-file shop.pid")
            .starts_with("stopped, pid ")
    );
}

#[test]
fn only_the_new_version_has_the_fault_and_only_with_its_flag() {
    let host = Host::new();
    let set_flag = |on: bool| {
        if on {
            std::fs::create_dir_all(host.file("flags")).unwrap();
            std::fs::write(host.file("flags/slow-rates"), "").unwrap();
        } else {
            std::fs::remove_file(host.file("flags/slow-rates")).ok();
        }
    };
    host.ok(NEW, "migrate --db orders.db --to 2");
    for (program, flag, failing) in [
        (OLD, true, 0),
        (NEW, false, 0),
        (NEW, true, 4),
        (NEW, false, 0),
    ] {
        set_flag(flag);
        assert_eq!(host.start(program).status, 0);
        let answers: Vec<Said> = (0..10).map(|_| host.get("/checkout")).collect();
        let failed: Vec<&Said> = answers.iter().filter(|said| said.status != 0).collect();
        assert_eq!(failed.len(), failing, "{program}, flag {flag}: {answers:?}");
        for said in failed {
            assert!(
                said.out.contains("no rate for EUR") && said.err.contains("500"),
                "{said:?}"
            );
        }
        assert_eq!(
            host.get("/health").status,
            0,
            "the fault shows in checkouts only"
        );
        host.ok(program, "stop --pid-file shop.pid");
    }
    assert_eq!(
        host.ok(NEW, "count --db orders.db"),
        "36",
        "a failed checkout takes no order"
    );
}

#[test]
fn a_backup_holds_the_same_orders_and_replaces_an_older_one() {
    let host = Host::new();
    host.ok(OLD, "seed --db orders.db --orders 7");
    assert_eq!(host.start(OLD).status, 0);
    for count in ["7", "8"] {
        host.ok(OLD, "backup --db orders.db --to backup.db");
        assert_eq!(host.ok(OLD, "count --db backup.db"), count);
        assert!(host.json("/checkout")["amount_cents"].is_i64());
    }
    for (to, why) in [
        ("orders.db", "is an open database"),
        ("no/folder.db", "unable to open"),
    ] {
        let said = host.run(OLD, &format!("backup --db orders.db --to {to}"));
        assert!(said.status == 1 && said.err.contains(why), "{said:?}");
    }
    host.ok(OLD, "stop --pid-file shop.pid");
    let said = host.run(OLD, "backup --db orders.db --to orders.db");
    assert!(
        said.status == 1 && said.err.contains("is an open database"),
        "{said:?}"
    );
    let left: Vec<_> = std::fs::read_dir(host.dir.path())
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert!(
        !left
            .iter()
            .any(|f| f.file_name().to_string_lossy().contains("part")),
        "{left:?}"
    );
    assert_eq!(host.ok(OLD, "count --db orders.db"), "9");
}

#[test]
fn bad_files_and_addresses_are_answered_with_a_sentence() {
    let host = Host::new();
    std::fs::write(
        host.file("text.db"),
        "no database at all, only some words\n".repeat(40),
    )
    .unwrap();
    for (words, why) in [
        (
            "count --db absent.db",
            "absent.db: there is no such database",
        ),
        ("count --db text.db", "text.db: file is not a database"),
        (
            "seed --db text.db --orders 1",
            "text.db: file is not a database",
        ),
        ("get ftp://127.0.0.1:1/", "does not start with http://"),
        ("get http://127.0.0.1/", "cannot get"),
        ("get http:///", "cannot get"),
    ] {
        let said = host.run(OLD, words);
        assert!(
            said.status == 1 && said.err.contains(why),
            "{words}: {said:?}"
        );
    }
    assert!(!host.file("absent.db").exists());
}
