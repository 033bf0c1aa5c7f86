//! Counters that real commands print, read by a real prober.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use baton_core::handoff::plan::{self, Plan};
use baton_core::handoff::{contract, runbook};
use baton_core::id::{EnvName, HostName};
use baton_core::run::state::{Asked, asked};
use baton_core::time::Duration as Span;
use baton_core::watch::{Counts, Sample, Trouble};
use baton_engine::metrics::Arm;
use baton_engine::metrics::prober::{Prober, Target, sees};
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

#[test]
fn lines_of_a_log_are_counted_from_where_it_stands_also_when_it_is_rotated() {
    let site = Site::new("from: { log: $LOG }");
    assert!(
        site.sees()
            .is_err_and(|why| why.contains("status 1: grep: app.log: "))
    );
    site.write("app.log", "old error\nold\n");
    assert_eq!(site.sees(), Ok(()));
    let prober = site.prober();
    read_again(&prober);
    site.write(
        "app.log",
        "old error\nold\nerror: no\nterrors do not count\nINFO yes\n",
    );
    let sample = gather(&prober, |sample| sample.canary.total >= 3);
    assert_eq!(sample.canary, Counts::new(1, 3));
    read_again(&prober);
    site.write("app.log", "FATAL\n");
    let sample = gather(&prober, |sample| sample.canary.total >= 1);
    assert_eq!(sample.canary, Counts::new(1, 1));
    fs::remove_file(site.folder.path().join("host/app.log")).unwrap();
    let sample = gather(&prober, |sample| sample.trouble.is_some());
    assert_eq!(sample.canary.total, 0);
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
}
