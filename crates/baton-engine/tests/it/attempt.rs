//! Commands as real processes: how they end, what they leave, who finds them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use baton_core::event::Ending;
use baton_core::handoff::contract::SecretRef;
use baton_core::handoff::runbook::Fence;
use baton_core::id::AttemptId;
use baton_core::run::order::Order;
use baton_core::time::Duration as Span;
use baton_engine::shell::attempt::{OUTPUT_HEAD, OUTPUT_TAIL, identity, lives};
use baton_engine::shell::local::Local;
use baton_engine::world::{Ended, Found};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// The wrapper.
pub(crate) const WRAPPER: &str = env!("CARGO_BIN_EXE_baton-attempt");

/// How long anything may take that has to happen.
const SOON: Duration = Duration::from_secs(60);

/// Looks again until it is so.
pub(crate) fn until(what: &str, mut so: impl FnMut() -> bool) {
    let deadline = Instant::now() + SOON;
    while !so() {
        assert!(Instant::now() < deadline, "{what} did not happen");
        std::thread::yield_now();
    }
}

fn local(folder: &Path) -> Local {
    Local {
        folder: folder.to_owned(),
        attempts: folder.join("attempts"),
        program: PathBuf::from(WRAPPER),
    }
}

pub(crate) fn order(body: &str) -> Order {
    Order {
        attempt: AttemptId::from("att_1"),
        host: None,
        fence: Fence {
            lang: "sh".to_owned(),
            body: body.to_owned(),
            line: 1,
        },
        env: BTreeMap::new(),
        secrets: BTreeMap::new(),
        withheld: BTreeSet::new(),
        timeout: Span::from_secs(60),
    }
}

pub(crate) fn end(ends: &Receiver<Ended>) -> Ended {
    ends.recv_timeout(SOON).expect("the command ends")
}

/// Carries an order out; its folder stays for a look.
fn carry_out(folder: &TempDir, order: &Order) -> Ended {
    let (sender, ends) = channel();
    local(folder.path()).start(order, &sender).unwrap();
    end(&ends)
}

fn ran(body: &str) -> Ended {
    carry_out(&tempfile::tempdir().unwrap(), &order(body))
}

/// A process that wrote its number with a line end, or the wrapper's claim.
pub(crate) fn pid_in(path: &Path) -> Pid {
    let text = || {
        let claim = fs::read_link(path).map(|claim| claim.to_string_lossy().into_owned());
        claim.or_else(|_| fs::read_to_string(path))
    };
    until("a process says who it is", || {
        text().is_ok_and(|text| text.ends_with('\n') || text.contains(' '))
    });
    let text = text().unwrap();
    let pid = text.split_whitespace().next().unwrap().parse().unwrap();
    Pid::from_raw(pid).unwrap()
}

pub(crate) fn alive(pid: Pid) -> bool {
    lives(&identity(pid.as_raw_nonzero().get().unsigned_abs()))
}

#[test]
fn every_end_is_told_as_it_was() {
    assert_eq!(ran("true").end, Ending::Succeeded);
    assert_eq!(ran("exit 3").end, Ending::Exited { code: 3 });
    assert_eq!(ran("kill -9 $$").end, Ending::Killed { signal: 9 });
    assert_eq!(ran("false; true").end, Ending::Exited { code: 1 });
}

#[test]
fn what_is_printed_is_kept_in_its_order() {
    let said = ran("echo a; echo b >&2; echo c; printf '\\377\\000'").output;
    assert_eq!(said, b"a\nb\nc\n\xff\0");
}

#[test]
fn standard_input_is_closed() {
    assert_eq!(ran("cat; echo over").output, b"over\n");
}

#[test]
fn a_flood_is_bounded_and_keeps_its_head_and_tail() {
    let folder = tempfile::tempdir().unwrap();
    let flood = "echo head; head -c 100000000 /dev/zero | tr '\\000' x; echo; echo tail";
    let said = carry_out(&folder, &order(flood)).output;
    assert!(said.starts_with(b"head\nxxx") && said.ends_with(b"xxx\ntail\n"));
    let most = OUTPUT_HEAD + OUTPUT_TAIL + 64;
    assert!(
        said.len() <= most && said.len() > OUTPUT_HEAD,
        "{}",
        said.len()
    );
    let kept = fs::metadata(folder.path().join("attempts/att_1/output")).unwrap();
    assert!(kept.len() <= most as u64, "{}", kept.len());
    assert!(String::from_utf8_lossy(&said).contains(" bytes left out]"));
}

#[test]
fn secrets_reach_the_command_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("key"), "hunter22\n").unwrap();
    let mut order = order(
        "test \"$KEY\" = \"$(cat key)\"; printf hun; printf 'ter22\\n'; echo $KEY; echo OUT=$KEY >>$BATON_OUTPUT",
    );
    let reference = SecretRef::File("key".to_owned());
    let _new = order.secrets.insert("KEY".to_owned(), reference);
    let ended = carry_out(&folder, &order);
    assert_eq!(ended.end, Ending::Succeeded);
    assert_eq!(ended.output, b"***\n***\n");
    assert_eq!(ended.outputs["OUT"], "***");
    let place = folder.path().join("attempts/att_1");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&place), 0o700);
    for file in fs::read_dir(&place).unwrap() {
        let path = file.unwrap().path();
        if path.ends_with("variables") || path.ends_with("pid") {
            continue; // The command's own, and a link, which has no mode.
        }
        assert_eq!(mode(&path), 0o600, "{}", path.display());
        let bytes = fs::read(&path).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains("hunter22"), "{}", path.display());
    }
}

#[test]
fn variables_are_lines_of_names_and_bounded() {
    let lines = "A=1\\nB_2=x=y\\n2C=no\\nBATON_RUN=no\\nno line\\n=no\\nA-B=no\\n";
    let ended = ran(&format!("printf '{lines}' >>$BATON_OUTPUT"));
    let expected = [("A", "1"), ("B_2", "x=y")].map(|(n, v)| (n.to_owned(), v.to_owned()));
    assert_eq!(ended.outputs, BTreeMap::from(expected));
    let ended = ran(
        "echo A=1 >$BATON_OUTPUT; (printf B=; head -c 1000000 /dev/zero | tr '\\000' x) >>$BATON_OUTPUT",
    );
    assert_eq!(ended.end, Ending::Succeeded);
    let kept: usize = ended.outputs.values().map(String::len).sum();
    assert!(kept <= 64 * 1024, "{kept}");
    assert_eq!(ended.outputs["A"], "1");
}

#[test]
fn what_cannot_start_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let not_started = |order: &Order, why: &str| {
        let ended = carry_out(&folder, order);
        let Ending::NotStarted { because } = &ended.end else {
            panic!("{ended:?}");
        };
        assert!(because.contains(why), "{because}");
    };
    let host = |host| Some(serde_json::from_value(host).unwrap());
    let mut gone = order("true");
    gone.host = host(serde_json::json!({ "ssh": null, "dir": "gone", "vars": {} }));
    not_started(&gone, "the folder gone is not there");
    let mut bare = order("true");
    let _path = bare.env.insert("PATH".to_owned(), "/nowhere".to_owned());
    not_started(&bare, "sh: ");
    let mut secret = order("true");
    let reference = SecretRef::File("gone".to_owned());
    let _new = secret.secrets.insert("KEY".to_owned(), reference);
    not_started(&secret, "KEY cannot be had");
}

/// Also a grandchild that does not want to go.
#[test]
fn a_time_limit_ends_the_whole_group() {
    let folder = tempfile::tempdir().unwrap();
    let mut order = order(
        "sh -c 'trap \"\" TERM; echo $$ >stubborn; while :; do sleep 1; done' & echo $$ >leader; wait",
    );
    order.timeout = Span::from_secs(3);
    assert_eq!(carry_out(&folder, &order).end, Ending::TimedOut);
    for name in ["leader", "stubborn"] {
        let pid = pid_in(&folder.path().join(name));
        until("the group is gone", || !alive(pid));
    }
}

#[test]
fn a_service_that_is_left_running_lives_and_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let body =
        "sh -c 'echo $$ >service; exec sleep 600' & until test -s service; do :; done; echo up";
    let ended = carry_out(&folder, &order(body));
    let service = pid_in(&folder.path().join("service"));
    let lived = alive(service);
    kill_process(service, Signal::KILL).unwrap();
    assert_eq!((ended.end, lived), (Ending::Succeeded, true));
    assert_eq!(ended.output, b"up\n");
}

const WAITS: &str = "echo $$ >began; until test -e go; do sleep 0.02; done; echo went";

#[test]
fn a_running_command_is_found_and_its_end_reported() {
    let folder = tempfile::tempdir().unwrap();
    let (mine, dead) = channel();
    local(folder.path()).start(&order(WAITS), &mine).unwrap();
    drop(dead);
    let _pid = pid_in(&folder.path().join("began"));
    let (sender, ends) = channel();
    let next = local(folder.path());
    assert_eq!(next.adopt(&order(WAITS), &sender).unwrap(), Found::Running);
    fs::write(folder.path().join("go"), "").unwrap();
    let ended = end(&ends);
    assert_eq!(
        (ended.end.clone(), &ended.output[..]),
        (Ending::Succeeded, &b"went\n"[..])
    );
    let again = next.adopt(&order(WAITS), &sender).unwrap();
    assert_eq!(again, Found::Ended(ended));
    next.forget(&AttemptId::from("att_1"));
    assert!(!folder.path().join("attempts/att_1").exists());
}

#[test]
fn what_never_started_never_will() {
    let folder = tempfile::tempdir().unwrap();
    let (sender, ends) = channel();
    let local = local(folder.path());
    let order = order("touch done");
    assert_eq!(local.adopt(&order, &sender).unwrap(), Found::Never);
    assert_eq!(local.adopt(&order, &sender).unwrap(), Found::Never);
    local.start(&order, &sender).unwrap();
    let ended = end(&ends);
    assert!(matches!(ended.end, Ending::NotStarted { .. }), "{ended:?}");
    assert!(!folder.path().join("done").exists());
}

/// Nobody judges what a command did while it still runs without its wrapper.
#[test]
fn a_killed_wrapper_leaves_an_unknown_end_once_its_command_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let (sender, ends) = channel();
    let local = local(folder.path());
    local.start(&order(WAITS), &sender).unwrap();
    let command = pid_in(&folder.path().join("began"));
    let place = folder.path().join("attempts/att_1");
    let wrapper = pid_in(&place.join("pid"));
    kill_process(wrapper, Signal::KILL).unwrap();
    until("the wrapper is gone", || !alive(wrapper));
    let (second, found) = channel();
    assert_eq!(local.adopt(&order(WAITS), &second).unwrap(), Found::Running);
    assert!(alive(command) && ends.try_recv().is_err());
    fs::write(folder.path().join("go"), "").unwrap();
    for ended in [end(&ends), end(&found)] {
        assert!(matches!(ended.end, Ending::Unknown { .. }), "{ended:?}");
    }
    assert!(!alive(command));
}

/// The wrapper's promise is kept by whoever finds its command.
#[test]
fn a_command_without_its_wrapper_is_still_ended_in_time() {
    let folder = tempfile::tempdir().unwrap();
    let (sender, ends) = channel();
    let local = local(folder.path());
    let mut order = order("echo $$ >began; sleep 600 & wait");
    order.timeout = Span::from_secs(2);
    local.start(&order, &sender).unwrap();
    let command = pid_in(&folder.path().join("began"));
    let wrapper = pid_in(&folder.path().join("attempts/att_1/pid"));
    kill_process(wrapper, Signal::KILL).unwrap();
    let (second, found) = channel();
    assert_eq!(local.adopt(&order, &second).unwrap(), Found::Running);
    for ended in [end(&ends), end(&found)] {
        assert_eq!(ended.end, Ending::TimedOut);
    }
    assert!(!alive(command));
}
