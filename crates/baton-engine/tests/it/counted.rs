//! Counters that real commands print, read by a real prober.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use baton_core::handoff::plan::{self, Plan};
use baton_core::handoff::{contract, runbook};
use baton_core::id::{EnvName, HostName};
use baton_core::run::state::{Asked, asked};
use baton_core::time::Duration as Span;
use baton_core::watch::{Counts, Sample, Trouble};
use baton_engine::metrics::counter::Counter;
use baton_engine::metrics::prober::{Prober, Target, sees};
use baton_engine::metrics::{Arm, Reading};
use baton_engine::shell::Shell;
use baton_engine::shell::ssh::Ssh;
use tempfile::TempDir;

use crate::attempt::WRAPPER;

const SOON: Duration = Duration::from_secs(60);

/// A plan with one host and one measure, counted like this.
fn plan_with(source: &str) -> Plan {
    let text = format!(
        r#"name: shop
from: a
to: b
people: {{ p: {{ name: P }}, q: {{ name: Q }} }}
teams: {{ a: [p], b: [q] }}
roles: {{ launch-lead: {{ owner: p, backup: q }}, rollback-decider: {{ owner: q, backup: p }} }}
release: {{ version: "1", kind: code, artifacts: [] }}
environments:
  here:
    hosts: {{ h: {{ dir: host, vars: {{ LOG: app.log }} }} }}
launch: {{ environment: here }}
expectations: {{ declined: no, by: p }}
done: []
parity: {{ declined: no, by: p }}
success:
  - {{ id: m, says: M, owner: p, {source}, at_most: 1% }}
runbook: r.md
rehearsal: {{ declined: no, by: p }}
room: {{ declined: no, by: p }}
review: {{ declined: no, by: p }}
"#
    );
    let (contract, notes) = contract::parse(text.as_bytes());
    let contract = contract.unwrap_or_else(|| panic!("{notes:?}"));
    let steps =
        "# R\n\n### S {#s}\n\n- owner: p (backup: q)\n- changes: nothing\n\n```sh run\ntrue\n```\n";
    let (runbook, notes) = runbook::parse(steps.as_bytes());
    let runbook = runbook.unwrap_or_else(|| panic!("{notes:?}"));
    let (plan, notes) = plan::resolve(&contract, &runbook, &EnvName::from("here"));
    plan.unwrap_or_else(|| panic!("{notes:?}"))
}

struct Site {
    folder: TempDir,
    shell: Arc<Shell>,
    asked: Asked,
}

impl Site {
    fn new(source: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("host")).unwrap();
        let plan = plan_with(source);
        let measure = &plan.contract.success.defined().unwrap()[0];
        let shell = Shell::new(
            folder.path().to_owned(),
            folder.path().join("attempts"),
            WRAPPER.into(),
            Ssh::new(Path::new("ssh")),
        );
        Self {
            shell: Arc::new(shell),
            asked: asked(&plan, measure, &HostName::from("h"), Span::from_secs(1)),
            folder,
        }
    }

    fn write(&self, name: &str, text: &str) {
        // At once, so that nobody reads half of it.
        let at = self.folder.path().join("host").join(name);
        fs::write(at.with_extension("part"), text).unwrap();
        fs::rename(at.with_extension("part"), at).unwrap();
    }

    fn append(&self, name: &str, text: &str) {
        let at = self.folder.path().join("host").join(name);
        let mut file = fs::File::options()
            .create(true)
            .append(true)
            .open(at)
            .unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    /// Over what stands there, in the same file.
    fn write_over(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join("host").join(name), text).unwrap();
    }

    fn rename(&self, from: &str, to: &str) {
        let host = self.folder.path().join("host");
        fs::rename(host.join(from), host.join(to)).unwrap();
    }

    fn counter(&self) -> Counter {
        let Asked::Counter(order) = &self.asked else {
            panic!("{:?}", self.asked);
        };
        Counter::new(Arc::clone(&self.shell), (**order).clone())
    }

    fn prober(&self) -> Prober {
        let target = Target {
            measure: "m".into(),
            arm: Arm::Canary,
            asked: self.asked.clone(),
            every: Duration::from_millis(10),
        };
        Prober::start(vec![target], &self.shell)
    }

    fn sees(&self) -> Result<(), String> {
        sees(&self.asked, Arc::clone(&self.shell), SOON)
    }
}

/// The next samples, added up until they are enough.
fn gather(prober: &Prober, enough: impl Fn(&Sample) -> bool) -> Sample {
    let (mut all, deadline) = (Sample::default(), Instant::now() + SOON);
    while !enough(&all) {
        assert!(Instant::now() < deadline, "only {all:?}");
        for sample in prober.take().into_values() {
            all.add(sample);
        }
        std::thread::yield_now();
    }
    all
}

/// Waits until it has been read at least once more.
fn read_again(prober: &Prober) {
    let deadline = Instant::now() + SOON;
    let _before = prober.take();
    while prober.take().is_empty() {
        assert!(Instant::now() < deadline, "nothing is read");
        std::thread::yield_now();
    }
}

/// What is new in the log since the last look: bad lines, and all.
fn look(counter: &mut Counter) -> Counts {
    counter.read().unwrap().counts
}

#[test]
fn a_log_is_read_where_it_is_new_also_when_it_is_rotated() {
    let site = Site::new("from: { log: $LOG }");
    assert!(
        site.sees()
            .is_err_and(|why| why.contains("ended with status ") && why.contains("app.log"))
    );
    site.append("app.log", "old error\nold\n");
    assert_eq!(site.sees(), Ok(()));
    let mut counter = site.counter();
    // What stands there already was before.
    assert_eq!(look(&mut counter), Counts::new(0, 0));
    site.append(
        "app.log",
        "error: no\nterrors do not count\nINFO no error\nhalf a li",
    );
    assert_eq!(look(&mut counter), Counts::new(1, 3));
    assert_eq!(look(&mut counter), Counts::new(0, 0));
    site.append("app.log", "ne: fatal\n");
    assert_eq!(look(&mut counter), Counts::new(1, 1));

    // Moved aside, as logrotate does: what was written last is not lost.
    site.append("app.log", "ERROR late\n");
    site.rename("app.log", "app.log.1");
    site.append("app.log", "level=error new\nnew\n");
    assert_eq!(look(&mut counter), Counts::new(2, 3));

    // Cut off in place, and longer again than it was.
    site.write_over("app.log", &"cut\n".repeat(50));
    assert_eq!(look(&mut counter), Counts::new(0, 50));
    // Shorter than it was.
    site.write_over("app.log", "PANIC\n");
    assert_eq!(look(&mut counter), Counts::new(1, 1));
    site.write_over("app.log", "");
    assert_eq!(look(&mut counter), Counts::new(0, 0));
    site.append("app.log", "one\n");
    assert_eq!(look(&mut counter), Counts::new(0, 1));

    site.rename("app.log", "elsewhere");
    assert!(counter.read().is_err());
    site.append("app.log", "error\n");
    assert_eq!(look(&mut counter), Counts::new(1, 1));
}

#[test]
fn levels_are_told_however_they_are_written() {
    let site = Site::new("from: { log: $LOG }, ratio: { bad: level:error, total: level:info }");
    site.append("app.log", "");
    let mut counter = site.counter();
    assert_eq!(look(&mut counter), Counts::new(0, 0));
    for (line, level) in [
        ("2026-11-22T10:00:00Z ERROR cannot pay", 2),
        (r#"{"ts":1,"level":"error","msg":"all is info"}"#, 2),
        ("level=fatal msg=x", 2),
        ("[CRITICAL] disk", 2),
        ("<3> err: x", 2),
        ("thread 'main' panicked: PANIC", 2),
        ("WARN slow", 1),
        ("level=info msg=\"error\"", 1),
        ("notice \\n error \u{e9}", 1),
        (
            "\u{1b}[2m2026-11-22\u{1b}[0m \u{1b}[31mERROR\u{1b}[0m shop: x",
            2,
        ),
        ("\u{1b}[1;38;5;9mfatal\u{1b}[m", 2),
        ("web-1  | \u{1b}[33m WARN\u{1b}[0m error", 1),
        (r#"{"msg":"no error","level":"info"}"#, 1),
        (r#"{"msg":"debug is off", "log.level" : "Error"}"#, 2),
        (r#"{"log":"{\"msg\":\"info\",\"level\":\"error\"}\n"}"#, 2),
        ("{'message': 'an error', 'levelname': 'INFO'}", 1),
        ("GET /debug/vars level=error", 2),
        ("msg=\"error\" lvl=debug", 0),
        (r#"ts=1 severity="critical" msg=info"#, 2),
        // A number is no word, and these are no keys.
        (r#"{"level":50,"msg":"error"}"#, 2),
        ("compressionlevel=error info", 2),
        ("error: cannot set log level: debug", 2),
        (
            &format!(r#"{{"msg":"{}","level":"error"}}"#, "x".repeat(2000)),
            2,
        ),
        ("debug: error", 0),
        ("terror", 0),
        ("", 0),
        (&format!("{} error", "x".repeat(300)), 0),
    ] {
        site.append("app.log", &format!("{line}\n"));
        let counts = Counts::new(u64::from(level == 2), u64::from(level > 0));
        assert_eq!(look(&mut counter), counts, "{line}");
    }
}

#[test]
fn a_pattern_that_is_none_is_trouble() {
    let site = Site::new("from: { log: $LOG }, ratio: { bad: '(', total: . }");
    site.append("app.log", "a\n");
    let mut counter = site.counter();
    assert!(counter.read().is_ok());
    site.append("app.log", "b\n");
    assert!(counter.read().unwrap_err().contains("grep: "));
}

#[test]
fn a_level_is_the_number_a_command_prints() {
    let site = Site::new("from: { level: cat heap }");
    site.write("heap", "here:\n512.5\n");
    assert_eq!(site.sees(), Ok(()));
    let prober = site.prober();
    let sample = gather(&prober, |sample| sample.levels().is_some());
    let (level, control) = sample.levels().unwrap();
    assert!(level.mean == 512.5 && control.is_none() && sample.trouble.is_none());
    site.write("heap", "much\n");
    let sample = gather(&prober, |sample| sample.trouble.is_some());
    let Some(Trouble::Unread { because }) = sample.trouble else {
        panic!("{sample:?}");
    };
    assert!(because.contains("not a number: much"), "{because}");
}

#[test]
fn patterns_are_values_and_never_become_shell() {
    let site = Site::new(
        "from: { output: cat said }, ratio: { bad: \"'; touch owned; '$(touch owned)\", total: . }",
    );
    site.write("said", "a\n");
    assert_eq!(site.sees(), Ok(()));
    assert!(!site.folder.path().join("host/owned").exists());
    let prober = site.prober();
    read_again(&prober);
    site.write("said", "a\nb\n\n");
    let sample = gather(&prober, |sample| sample.canary.seen());
    // An empty line has no character.
    assert_eq!(sample.canary, Counts::new(0, 1));
}

#[test]
fn a_command_that_gives_no_numbers_is_trouble_and_not_zero() {
    let site = Site::new("from: { command: \"cat numbers\" }");
    site.write("numbers", "many\n");
    let prober = site.prober();
    let sample = gather(&prober, |sample| sample.trouble.is_some());
    let Some(Trouble::Unread { because }) = sample.trouble else {
        panic!("{sample:?}");
    };
    assert!(because.contains("not two numbers: many"), "{because}");
    site.write("numbers", "1 10\n");
    assert_eq!(site.sees(), Ok(()));
}

#[test]
fn needs_sqlite3_to_count_rows() {
    let site = Site::new(
        "from: { sqlite: orders.db }, ratio: { bad: \"select count(*) from o where bad\", total: \"select count(*) from o\" }",
    );
    let sql = |text: &str| {
        let done = std::process::Command::new("sqlite3")
            .arg(site.folder.path().join("host/orders.db"))
            .arg(text)
            .status();
        assert!(done.unwrap().success());
    };
    sql("create table o (bad int); insert into o values (1), (0)");
    assert_eq!(site.sees(), Ok(()));
    let prober = site.prober();
    read_again(&prober);
    sql("insert into o values (1), (0), (0)");
    let sample = gather(&prober, |sample| sample.canary.total >= 3);
    assert_eq!(sample.canary, Counts::new(1, 3));

    // What was removed is no new row, and what comes after it counts again.
    let mut counter = site.counter();
    assert_eq!(look(&mut counter), Counts::new(0, 0));
    sql("delete from o where bad = 0; insert into o values (0)");
    let why = counter.read().unwrap_err();
    assert!(why.contains("fell from 2 of 5 to 2 of 3"), "{why}");
    sql("insert into o values (1), (0)");
    assert_eq!(look(&mut counter), Counts::new(1, 2));
    // Nor is one that turned bad a new one, until there are as many new ones.
    sql("update o set bad = 1");
    assert!(
        counter
            .read()
            .unwrap_err()
            .contains("more bad ones than all: 2 of 0")
    );
}

#[test]
fn what_a_process_counts_begins_anew_and_what_a_journal_keeps_does_not() {
    let command = Site::new("from: { command: cat said }");
    let journal = Site::new("from: { output: cat said }");
    let (mut counter, mut lines) = (command.counter(), journal.counter());
    let mut both = |bad: usize, total: usize| {
        command.write("said", &format!("{bad} {total}\n"));
        let said = "error\n".repeat(bad) + &"fine\n".repeat(total - bad);
        journal.write("said", &said);
        let counts = |read: Result<Reading, String>| read.map(|reading| reading.counts);
        (counts(counter.read()), counts(lines.read()))
    };
    let nothing = Ok(Counts::new(0, 0));
    assert_eq!(both(5, 90), (nothing.clone(), nothing));
    let (anew, gone) = both(1, 20);
    assert_eq!(anew, Ok(Counts::new(1, 20)));
    assert!(gone.is_err_and(|why| why.contains("fell from 5 of 90 to 1 of 20")));
    let next = Ok(Counts::new(1, 10));
    assert_eq!(both(2, 30), (next.clone(), next));
}
