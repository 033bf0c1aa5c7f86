//! Runs through the binary: Ctrl-C, death and return, two drivers, stages,
//! and commands that print too much or leave something running.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::process::Command;

use baton_core::event::Event;
use baton_core::id::Seq;
use baton_core::ledger::Draft;
use baton_core::time::Duration;
use baton_store::{Log as _, SqliteLog};
use rustix::process::Signal;

use crate::env::TestEnv;

pub(crate) const CONTRACT: &str = r#"name: shop
from: development
to: operations
touches: [shop]
people:
  dana: { name: Dana Ito,  email: dana@shop.example, zone: UTC }
  lee:  { name: Lee Novak, email: lee@shop.example,  zone: UTC }
  omar: { name: Omar Diaz, email: omar@shop.example, zone: UTC }
  pia:  { name: Pia Lund,  email: pia@shop.example,  zone: UTC }
teams:
  development: [dana, lee]
  operations: [omar, pia]
roles:
  launch-lead: { owner: omar, backup: pia }
  rollback-decider: { owner: pia, backup: omar }
release: { version: 2.4.0, kind: code, artifacts: [] }
environments:
  staging:
    hosts:
      h1: { dir: hosts/h1 }
      h2: { dir: hosts/h2 }
      h3: { dir: hosts/h3 }
      h4: { dir: hosts/h4 }
      h5: { dir: hosts/h5 }
      h6: { dir: hosts/h6 }
    groups: { web: [h1, h2, h3, h4, h5, h6] }
  production:
    hosts: { h1: { dir: production/h1 } }
    groups: { web: [h1] }
launch: { environment: production }
expectations: { declined: One team, by: pia }
done: [ { id: signed, says: It is signed, owner: pia, sign: pia } ]
parity: { declined: One place, by: pia }
success: { declined: Nobody calls it, by: pia }
runbook: runbook.md
rehearsal: { in: staging, within: 7d }
room: { declined: One table, by: pia }
review: { declined: A test, by: pia }
"#;

/// A handoff with these steps below one heading; each has to name its owner.
pub(crate) fn with(steps: &str) -> TestEnv {
    let env = TestEnv::new();
    env.write("handoff.yaml", CONTRACT);
    env.write("runbook.md", &format!("# Launch shop\n\n{steps}"));
    for host in 1..=6 {
        env.write(&format!("hosts/h{host}/here"), "");
    }
    env
}

pub(crate) fn step(id: &str, on: &str, run: &str, undo: &str) -> String {
    let on = match on {
        "" => String::new(),
        on => format!("- on: {on}\n"),
    };
    format!(
        "### Do {id} {{#{id}}}\n\n- owner: lee (backup: dana)\n{on}\n```sh run\n{run}\n```\n\n```sh undo\n{undo}\n```\n\n"
    )
}

/// What the steps did, line by line.
fn did(env: &TestEnv) -> Vec<String> {
    let log = fs::read_to_string(env.work().join("did")).unwrap_or_default();
    log.lines().map(str::to_owned).collect()
}

/// Two steps, the first of which waits at a gate as long as there is one.
pub(crate) fn gated() -> TestEnv {
    let env = with(
        &[
            step(
                "one",
                "",
                "echo one >> did; test ! -p gate || read _ < gate; echo one ended >> did",
                "echo undo one >> did",
            ),
            step("two", "", "echo two >> did", "echo undo two >> did"),
        ]
        .concat(),
    );
    let made = Command::new("mkfifo").arg(env.work().join("gate")).status();
    assert!(made.unwrap().success());
    env
}

/// Waits until the step stands at the gate, and lets it through when dropped.
pub(crate) fn at_the_gate(env: &TestEnv) -> fs::File {
    let gate = env.work().join("gate");
    // Opening blocks until the step has opened the other end.
    let open = OpenOptions::new().write(true).open(&gate).unwrap();
    fs::remove_file(&gate).unwrap();
    open
}

const WHOLE: [&str; 9] = [
    "one",
    "one ended",
    "two",
    "undo two",
    "undo one",
    "one",
    "one ended",
    "two",
    "",
];

#[test]
fn ctrl_c_pauses_at_the_next_safe_point_and_says_so() {
    let env = gated();
    let mut driver = env.start("omar", &["rehearse"]);
    let mut gate = at_the_gate(&env);
    driver.signal(Signal::INT);
    driver.reads("omar paused the run: interrupted at the terminal");
    gate.write_all(b"go\n").unwrap();
    let ran = driver.finish().exits(6);
    assert!(
        ran.err.contains("Ctrl-C again leaves it running"),
        "{}",
        ran.err
    );
    assert!(
        ran.out
            .contains("paused at a safe point; nothing is under way"),
        "{}",
        ran.out
    );
    assert!(ran.out.contains("next: baton resume"), "{}", ran.out);
    assert_eq!(did(&env), ["one", "one ended"]);
    let status = env.baton(&["status"]).exits(0).out;
    assert!(
        status.contains("omar paused the run: interrupted at the terminal"),
        "{status}"
    );

    let _whole = env.says("omar", &["resume"]).exits(0);
    assert_eq!(did(&env), WHOLE[..8]);
}

#[test]
fn ctrl_c_twice_leaves_and_what_is_under_way_goes_on() {
    let env = gated();
    let mut driver = env.start("omar", &["rehearse"]);
    let mut gate = at_the_gate(&env);
    driver.signal(Signal::INT);
    driver.reads("omar paused the run");
    driver.signal(Signal::INT);
    let ran = driver.finish().exits(6);
    assert!(
        ran.out
            .contains("commands under way go on, and nothing is lost"),
        "{}",
        ran.out
    );

    // It is found again, still at its gate, and its end collected.
    let mut next = env.start("omar", &["resume"]);
    gate.write_all(b"go\n").unwrap();
    next.reads("Do one succeeded");
    let _whole = next.finish().exits(0);
    assert_eq!(did(&env), WHOLE[..8], "once each");
}

#[test]
fn a_killed_baton_is_followed_by_the_next_and_a_living_one_is_not() {
    let env = gated();
    let driver = env.start("omar", &["rehearse"]);
    let mut gate = at_the_gate(&env);
    let refused = env.says("pia", &["resume"]).exits(2);
    assert!(refused.err.contains("omar"), "{}", refused.err);

    driver.signal(Signal::KILL);
    let _dead = driver.finish();
    gate.write_all(b"go\n").unwrap();
    let whole = env.says("pia", &["resume"]).exits(0);
    assert!(
        whole.out.contains("The run is driven from pia"),
        "{}",
        whole.out
    );
    assert_eq!(did(&env), WHOLE[..8], "once each");
    let _record = env.baton(&["record", "export", "record.jsonl"]).exits(0);
    let _verified = env.baton(&["record", "verify", "record.jsonl"]).exits(0);
}

#[test]
fn a_stage_that_half_fails_is_undone_where_it_had_begun_and_nowhere_else() {
    let env = with(&step(
        "spread",
        "web, 1, then 50%, then all",
        "echo run $BATON_HOST >> ../../did; test $BATON_HOST != h3",
        "echo undo $BATON_HOST >> ../../did",
    ));
    let ran = env.says("omar", &["rehearse"]).exits(4);
    assert!(ran.out.contains("rehearsal rolled back"), "{}", ran.out);
    let did = did(&env);
    // h1 alone, then two more to be half of six, of which h3 fails.
    assert_eq!(did[0], "run h1");
    let mut second: Vec<&str> = did[1..3].iter().map(String::as_str).collect();
    second.sort_unstable();
    assert_eq!(second, ["run h2", "run h3"]);
    // What failed is undone first, then the others, the last one first.
    assert_eq!(did[3..], ["undo h3", "undo h2", "undo h1"]);
}

#[test]
fn floods_and_bytes_are_kept_bounded_and_services_live_on() {
    let env = with(
        &[
            step(
                "flood",
                "",
                "printf 'begin\\n'; head -c 100000000 /dev/zero; printf 'end\\n'",
                "true",
            ),
            step("bytes", "", "printf '\\377\\376\\000\\033[2J'; ! read _", "true"),
            step(
                "service",
                "",
                "(while test ! -e stop; do echo x; sleep 1; done) & echo $! > pid; echo started >> did",
                "touch stop",
            ),
        ]
        .concat(),
    );
    let _whole = env.says("omar", &["rehearse"]).exits(0);
    assert_eq!(did(&env), ["started", "started"]);
    // The second one was started after the first was told to stop, and stops at once.
    let ledger = fs::metadata(env.work().join(".baton/ledger.db")).unwrap();
    assert!(ledger.len() < 20_000_000, "{}", ledger.len());
    let _record = env.baton(&["record", "export", "record.jsonl"]).exits(0);
    let _verified = env.baton(&["record", "verify", "record.jsonl"]).exits(0);
}

#[test]
fn a_secret_is_seen_by_no_step_that_does_not_name_it() {
    const VALUE: &str = "hunter2-of-staging";
    let named = step("named", "", "test ${#DB_KEY} = 18; env", "true")
        .replace("\n\n```sh run", "\n- secrets: DB_KEY\n\n```sh run");
    let env = &mut with(&[step("open", "", "env; env > seen", "true"), named].concat());
    let secrets = "secrets: { DB_KEY: { env: STAGING_DB_KEY } }";
    let contract = CONTRACT
        .replace("    hosts:", &format!("    {secrets}\n    hosts:"))
        .replace("sign: pia", "run: env > ran; env");
    env.write("handoff.yaml", &contract);
    env.set("STAGING_DB_KEY", VALUE);
    env.set("OPEN", "seen by all");
    let _ran = env.says("omar", &["check"]).exits(1);
    let _whole = env.says("omar", &["rehearse"]).exits(0);
    for file in ["ran", "seen"] {
        let seen = env.read(file);
        assert!(seen.contains("OPEN=seen by all"), "{seen}");
        assert!(!seen.contains(VALUE), "{file} holds the secret");
    }
    assert!(!env.own_folder_holds(VALUE));
}

#[test]
fn a_clock_that_went_back_is_not_believed() {
    let env = with(&step("one", "", "echo one >> did", "true"));
    let _signed = env.says("pia", &["sign", "signed"]).exits(0);
    let path = env.work().join(".baton/ledger.db");
    let mut log = SqliteLog::open(&path).unwrap();
    let last = log.read(Seq(0), 100).unwrap().pop().unwrap();
    let in_an_hour = Duration::from_secs(3600).after(last.at);
    let draft = Draft {
        at: in_an_hour,
        by: last.by,
        handoff: last.handoff,
        run: None,
        event: Event::Joined,
    };
    let _entries = log.append(vec![draft], None, None).unwrap();
    let (head, _) = log.head().unwrap();

    for command in [
        &["check"][..],
        &["say", "hello"],
        &["rehearse"],
        &["status"],
    ] {
        let ran = env.says("omar", command).exits(3);
        assert!(
            ran.err.contains("the clock went back by 59 min"),
            "{}",
            ran.err
        );
        assert!(ran.err.contains("set the clock right"), "{}", ran.err);
    }
    assert_eq!(log.head().unwrap().0, head, "nothing was recorded");
    // What judges nothing still answers.
    let _lint = env.baton(&["lint"]).exits(0);
    let _record = env.baton(&["record", "export", "record.jsonl"]);
}
