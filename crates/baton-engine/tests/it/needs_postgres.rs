//! Facts and measures of a real PostgreSQL server, which these tests start themselves.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use baton_core::handoff::contract::SecretRef;
use baton_core::parity::{Class, Collector, FactName, HostFacts, LayerStatus};
use baton_core::run::order;
use baton_core::watch::Counts;
use baton_engine::collect::{Limits, Place, Site, collect_within};
use baton_engine::metrics::postgres::Database;
use tempfile::TempDir;

/// A server of its own in a folder of its own, which listens on no port.
struct Server {
    root: TempDir,
}

/// Where Debian keeps `initdb` and `pg_ctl`; elsewhere they are in the path.
fn program(name: &str) -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let found = versions
        .flatten()
        .map(|at| at.path().join("bin").join(name));
    found
        .filter(|path| path.exists())
        .max()
        .unwrap_or_else(|| name.into())
}

/// The server refuses to run as root.
fn as_postgres(program: &Path) -> Command {
    if rustix::process::geteuid().is_root() {
        let mut command = Command::new("setpriv");
        command
            .args(["--reuid=postgres", "--regid=postgres", "--clear-groups"])
            .arg(program);
        command
    } else {
        Command::new(program)
    }
}

fn must(command: &mut Command) {
    let done = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(done.success(), "{command:?}");
}

impl Server {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        if rustix::process::geteuid().is_root() {
            must(Command::new("chown").arg("postgres").arg(root.path()));
        }
        let data = root.path().join("data");
        let initdb = program("initdb");
        must(
            as_postgres(&initdb)
                .args(["-A", "trust", "-U", "shop", "-E", "UTF8", "--no-sync", "-D"])
                .arg(&data),
        );
        let options = format!("-F -c listen_addresses= -k {}", root.path().display());
        let log = root.path().join("log");
        must(
            as_postgres(&program("pg_ctl"))
                .args(["-w", "-s", "-o", &options, "-l"])
                .arg(&log)
                .arg("-D")
                .arg(&data)
                .arg("start"),
        );
        Self { root }
    }

    fn url(&self) -> String {
        format!(
            "postgres://shop:canary-77@/postgres?host={}",
            self.root.path().display()
        )
    }

    fn sql(&self, sql: &str) {
        let url = format!(
            "postgres:///postgres?user=shop&host={}",
            self.root.path().display()
        );
        must(Command::new("psql").args([
            "-X",
            "-q",
            "-v",
            "ON_ERROR_STOP=1",
            "-d",
            &url,
            "-c",
            sql,
        ]));
    }

    fn facts(&self, data: &[&str]) -> HostFacts {
        facts(&self.url(), data, self.root.path())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let data = self.root.path().join("data");
        let stop = as_postgres(&program("pg_ctl"))
            .args(["-s", "-m", "immediate", "-w", "-D"])
            .arg(&data)
            .arg("stop")
            .status();
        if !stop.is_ok_and(|status| status.success()) && !std::thread::panicking() {
            panic!("the server in {} goes on", data.display());
        }
    }
}

fn facts(url: &str, data: &[&str], folder: &Path) -> HostFacts {
    let secrets = BTreeMap::from([("DB_URL".to_owned(), url.to_owned())]);
    let site = Site {
        place: Place::Here(folder),
        vars: &BTreeMap::new(),
        secrets: &secrets,
        folder,
        key: b"key",
    };
    let asked = Collector::Postgres {
        url: "$DB_URL".to_owned(),
        data: data.iter().map(|table| (*table).to_owned()).collect(),
    };
    collect_within(site, &[asked], Limits::default())
}

const SCHEMA: &str = "
    create extension pgcrypto;
    create type mood as enum ('calm', 'busy');
    create domain cents as bigint check (value >= 0);
    create table orders (id bigint generated always as identity primary key, total cents not null default 0, mood mood);
    create index by_total on orders (total);
    create view large as select id from orders where total > 100;
    create function tax(cents) returns numeric language sql immutable as 'select $1 * 0.2';
    create function touch() returns trigger language plpgsql as 'begin return new; end';
    create trigger touched before update on orders for each row execute function touch();
    create table schema_migrations (version text); insert into schema_migrations values ('0001'), ('0002');
    create role reader; grant select on orders to reader;
    insert into orders (total, mood) values (5, 'calm'), (700, 'busy');";

fn of(host: &HostFacts, subject: &str) -> Option<String> {
    let (thing, attribute) = subject.split_once('#').unwrap_or((subject, ""));
    let name = FactName::new("postgres", thing);
    let name = if attribute.is_empty() {
        name
    } else {
        name.attribute(attribute)
    };
    host.facts
        .get(&name)
        .and_then(|fact| fact.value.text())
        .map(str::to_owned)
}

#[test]
fn a_database_is_known_by_what_it_says_itself() {
    let server = Server::new();
    server.sql(SCHEMA);
    let host = server.facts(&["orders", "none"]);
    let LayerStatus::Partial(why) = &host.layers["postgres"] else {
        panic!("{:?}", host.layers);
    };
    assert!(why.contains("none") && !why.contains("syntax"), "{why}");
    for (subject, says) in [
        (
            "table/public.orders#column/total",
            "cents not null default 0",
        ),
        (
            "table/public.orders#column/id",
            "bigint not null identity always",
        ),
        (
            "index/public.by_total",
            "CREATE INDEX by_total ON public.orders USING btree (total)",
        ),
        ("constraint/public.orders.orders_pkey", "PRIMARY KEY (id)"),
        ("type/public.mood", "enum 'calm', 'busy'"),
        ("type/public.cents", "domain bigint CHECK"),
        ("view/public.large", "SELECT orders.id"),
        ("function/public.tax(cents)", "select $1 * 0.2"),
        ("trigger/public.orders.touched", "BEFORE UPDATE"),
        ("migration/0002", "yes"),
        ("role/reader", "yes"),
        ("table/public.orders#grants", "reader=r/shop"),
        ("extension/pgcrypto", "1."),
        ("setting/max_connections", "100"),
        ("data/orders", "2"),
    ] {
        let said = of(&host, subject);
        assert!(
            said.as_ref().is_some_and(|said| said.contains(says)),
            "{subject}: {said:?}"
        );
    }
    assert!(
        !host
            .facts
            .keys()
            .any(|name| name.as_str().contains("function/public.gen_salt"))
    );
    assert!(!format!("{host:?}").contains("canary-77"));
}

#[test]
fn two_looks_are_the_same_and_every_change_shows() {
    let server = Server::new();
    server.sql(SCHEMA);
    let compared = |host: HostFacts| -> BTreeMap<FactName, String> {
        let stable = host
            .facts
            .into_iter()
            .filter(|(_, fact)| fact.class != Class::Volatile);
        stable
            .map(|(name, fact)| (name, fact.value.shown()))
            .collect()
    };
    let before = compared(server.facts(&["orders"]));
    assert_eq!(before, compared(server.facts(&["orders"])));
    for change in [
        "alter table orders add note text",
        "drop index by_total",
        "alter table orders disable trigger touched",
        "create or replace function tax(cents) returns numeric language sql immutable as 'select $1 * 0.21'",
        "revoke select on orders from reader",
        "insert into schema_migrations values ('0003')",
        "alter type mood add value 'tense'",
        "update orders set total = 6 where total = 5",
        "alter system set work_mem = '96MB'; select pg_reload_conf()",
        "create view small as select 1 as one",
    ] {
        let before = compared(server.facts(&["orders"]));
        for statement in change.split("; ") {
            server.sql(statement);
        }
        let after = compared(server.facts(&["orders"]));
        let differ = before
            .iter()
            .filter(|(name, says)| after.get(*name) != Some(*says));
        let new = after.keys().filter(|name| !before.contains_key(*name));
        let changed = differ.count() + new.count();
        assert!(changed > 0, "{change}");
    }
}

#[test]
fn nothing_is_written_and_what_refuses_is_a_status() {
    let server = Server::new();
    // A function that would write is not run by looking at it, and no statement may.
    server.sql("create table once (n int); create view trap as select 1 from once");
    let host = server.facts(&["once\"; drop table once; --"]);
    assert!(matches!(host.layers["postgres"], LayerStatus::Partial(_)));
    assert_eq!(
        of(&server.facts(&["once"]), "data/once").as_deref(),
        Some("0")
    );

    server.sql("create role guest login password 'canary-88'");
    let hba = server.root.path().join("data/pg_hba.conf");
    fs::write(&hba, "local all shop trust\nlocal all all scram-sha-256\n").unwrap();
    server.sql("select pg_reload_conf()");
    let at = server.root.path().display();
    for (url, says) in [
        (
            format!("postgres://guest:canary-99@/postgres?host={at}"),
            "password authentication failed",
        ),
        (
            format!("postgres://shop@/nowhere?host={at}"),
            "does not exist",
        ),
        (
            format!("postgres://shop@/postgres?host={at}/none"),
            "No such file",
        ),
    ] {
        let host = facts(&url, &[], server.root.path());
        let LayerStatus::NotCollected(why) = &host.layers["postgres"] else {
            panic!("{:?}", host.layers);
        };
        assert!(why.contains(says) && !why.contains("canary"), "{why}");
        assert!(host.facts.is_empty());
    }
    let right = format!("postgres://guest:canary-88@/postgres?host={at}");
    let host = facts(&right, &[], server.root.path());
    assert_eq!(
        host.layers["postgres"],
        LayerStatus::Ok,
        "{:?}",
        host.layers
    );
}

/// Whatever an address would take for a part of itself.
const PASSWORD: &str = "canary/88?a@b:c%41#+==";

/// A database of orders, and a guest whose password is a secret.
fn orders() -> Server {
    let server = Server::new();
    server.sql("create table o (bad bool); insert into o values (true), (false)");
    server.sql(&format!("create role guest login password '{PASSWORD}'"));
    server.sql("grant select, insert on o to guest");
    let hba = server.root.path().join("data/pg_hba.conf");
    fs::write(&hba, "local all shop trust\nlocal all all scram-sha-256\n").unwrap();
    server.sql("select pg_reload_conf()");
    fs::write(server.root.path().join("word"), format!("{PASSWORD}\n")).unwrap();
    server
}

fn counts(server: &Server, url: &str, bad: &str, total: &str) -> Database {
    let root = server.root.path();
    let asked = order::Database {
        url: format!("postgres://{url}/postgres?host={}", root.display()),
        bad: bad.to_owned(),
        total: total.to_owned(),
        secrets: [("WORD".to_owned(), SecretRef::File("word".to_owned()))].into(),
    };
    Database::new(asked, root.to_owned())
}

const BAD: &str = "select count(*) from o where bad";
const ALL: &str = "select count(*) from o";

#[test]
fn a_measure_counts_rows() {
    let server = orders();
    let mut orders = counts(&server, "guest:$WORD@", BAD, ALL);
    assert!(!format!("{orders:?}").contains("canary"));
    // What is there already was before.
    assert_eq!(orders.read().unwrap().counts, Counts::new(0, 0));
    server.sql("insert into o values (true), (false), (false)");
    assert_eq!(orders.read().unwrap().counts, Counts::new(1, 3));
    assert!(!format!("{orders:?}").contains("canary"));
    // Rows that are gone, and one that is a bad one no more, are no new ones.
    server.sql("truncate o; insert into o values (true), (true), (false)");
    let why = orders.read().unwrap_err();
    assert!(why.contains("fell from 2 of 5 to 2 of 3"), "{why}");
    server.sql("update o set bad = false");
    assert!(orders.read().is_err());
    server.sql("insert into o values (true), (false)");
    assert_eq!(orders.read().unwrap().counts, Counts::new(1, 2));
    let mut swapped = counts(&server, "guest:$WORD@", ALL, BAD);
    let why = swapped.read().unwrap_err();
    assert!(why.contains("more bad ones than all: 5 of 1"), "{why}");
}

#[test]
fn a_password_is_no_piece_of_the_address_in_parity_either() {
    let server = orders();
    let secrets = BTreeMap::from([("WORD".to_owned(), PASSWORD.to_owned())]);
    let site = Site {
        place: Place::Here(server.root.path()),
        vars: &BTreeMap::new(),
        secrets: &secrets,
        folder: server.root.path(),
        key: b"key",
    };
    let at = server.root.path().display();
    for (address, read) in [
        (format!("guest:$WORD@/postgres?host={at}"), true),
        (format!("$WORD@/postgres?host={at}"), false),
        (format!("guest@/postgres?host={at}&password=$WORD"), false),
        (format!("guest:{PASSWORD}@/postgres?host={at}"), false),
        ("guest@$WORD/postgres".to_owned(), false),
    ] {
        let asked = Collector::Postgres {
            url: format!("postgres://{address}"),
            data: Vec::new(),
        };
        let host = collect_within(site, &[asked], Limits::default());
        let status = &host.layers["postgres"];
        assert_eq!(status.is_ok(), read, "{address}: {status:?}");
        let said = format!("{host:?}");
        assert!(!said.contains("canary") && !said.contains("a@b"), "{said}");
    }
}

#[test]
fn a_measure_writes_nothing_and_tells_no_secret() {
    let server = orders();
    for (url, bad, total, says) in [
        (
            "guest:$WORD@",
            "insert into o values (true) returning 1",
            ALL,
            "read-only transaction",
        ),
        (
            "guest:$WORD@",
            "select count(*) from nothing",
            ALL,
            "\"nothing\" does not exist",
        ),
        (
            "guest:$WORD@",
            "select 1 where false",
            ALL,
            "do not give a number each: 2",
        ),
        (
            "guest:$WORD@",
            "select '$(touch owned)`touch owned`'",
            ALL,
            "do not give a number each",
        ),
        (
            "guest:canary-99@",
            BAD,
            ALL,
            "password authentication failed",
        ),
        ("guest:$NONE@", BAD, ALL, "password authentication failed"),
    ] {
        let why = counts(&server, url, bad, total).read().unwrap_err();
        assert!(why.contains(says) && !why.contains("canary"), "{why}");
    }
    assert!(!server.root.path().join("owned").exists());
    server.sql("do $$ begin if (select count(*) from o) <> 2 then raise 'written'; end if; end $$");
    let mut lost = counts(&server, "guest:$WORD@", BAD, ALL);
    fs::remove_file(server.root.path().join("word")).unwrap();
    assert!(
        lost.read()
            .unwrap_err()
            .starts_with("the secret WORD cannot be had")
    );
}
