//! The driver with real processes and a ledger in a file: it dies, another goes on.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use baton_core::event::{Event, Outcome, RunKind, RunTerms};
use baton_core::handoff::plan::Plan;
use baton_core::id::{Digest, EnvName, Handle, RunId, canonical};
use baton_core::ledger::{Draft, Entry};
use baton_core::run::State;
use baton_engine::drive::{DriveError, Driver, Halted};
use baton_engine::real::RealWorld;
use baton_engine::shell::Shell;
use baton_engine::shell::ssh::Ssh;
use baton_store::{Log, SqliteLog, StoreError};
use baton_testkit::fault::Fuse;
use baton_testkit::hook::Hooked;
use baton_testkit::plans::{Conduct, Kind, Nature, plan};

use crate::attempt::WRAPPER;
use crate::sshd::Sshd;

/// One rehearsal of one step whose fences count how often they ran, on a host
/// behind ssh if that is said.
pub(crate) fn rehearsal(folder: &Path, ssh: Option<&str>) -> (SqliteLog, RunId) {
    let mut plan: Plan = plan(&[Kind::of(Nature::Provable, Conduct::Works)]);
    let environments = plan.contract.environments.values_mut();
    for host in environments.flat_map(|environment| environment.hosts.values_mut()) {
        host.ssh = ssh.map(str::to_owned);
        host.dir = Some(folder.display().to_string());
    }
    let written = &mut plan.steps[0].written;
    written.timeout = baton_core::time::Duration::from_secs(60);
    let bodies = [
        (&mut written.run, "echo run >>deeds; touch effect"),
        (&mut written.verify, "test -e effect"),
        (&mut written.undo, "echo undo >>deeds; rm effect"),
    ];
    for (fence, body) in bodies {
        fence.as_mut().unwrap().body = body.to_owned();
    }
    let mut log = SqliteLog::open(&folder.join("ledger")).unwrap();
    let other = Digest::of(b"other");
    let terms = RunTerms {
        what: RunKind::Rehearsal,
        plan: log.put(&canonical(&plan)).unwrap(),
        content: other.clone(),
        procedure: other.clone(),
        roster: other.clone(),
        release: other.clone(),
        environment: EnvName::from("prod"),
        definition: other,
        fail_at: None,
        unproven: Vec::new(),
    };
    let run = RunId::from("run_1");
    let draft = Draft {
        at: jiff::Timestamp::now(),
        by: Handle::from("dana"),
        handoff: plan.handoff,
        run: Some(run.clone()),
        event: Event::RunOpened(terms),
    };
    let _opened = log.append(vec![draft], None, None).unwrap();
    (log, run)
}

pub(crate) fn world(folder: &Path, ssh: Ssh) -> RealWorld {
    let (attempts, wrapper) = (folder.join("attempts"), PathBuf::from(WRAPPER));
    let shell = Shell::new(folder.to_owned(), attempts, wrapper, ssh);
    RealWorld::quiet(shell, folder.to_owned())
}

/// Drives one life, which loses touch at this point.
fn life(
    log: SqliteLog,
    (folder, ssh): (&Path, &Ssh),
    run: &RunId,
    dies: Option<u64>,
) -> Result<Halted, DriveError> {
    let fuse = Fuse::at(dies);
    let (mut log, mut world) = (
        Hooked {
            inner: RefCell::new(log),
            hook: fuse.clone(),
        },
        Hooked {
            inner: world(folder, ssh.clone()),
            hook: fuse,
        },
    );
    let mut seen = |_: &Entry, _: &State| {};
    let me = Handle::from("dana");
    let driver = Driver::take(&mut log, &mut world, &mut seen, run, &me, "here", true)?;
    driver.drive().map(|(halted, _)| halted)
}

/// Dies at this point, is followed, and did everything once.
fn dies_and_is_followed(point: u64, host: Option<&str>, ssh: &Ssh) {
    let folder = tempfile::tempdir().unwrap();
    let place = (folder.path(), ssh);
    let (log, run) = rehearsal(folder.path(), host);
    match life(log, place, &run, Some(point)) {
        Err(DriveError::Lost(_) | DriveError::Store(StoreError::Lost(_))) => {}
        other => panic!("point {point} is not reached: {other:?}"),
    }
    let log = SqliteLog::open(&folder.path().join("ledger")).unwrap();
    let halted = life(log, place, &run, None).unwrap();
    assert_eq!(halted, Halted::Ended(Outcome::Succeeded), "point {point}");
    let deeds = std::fs::read_to_string(folder.path().join("deeds")).unwrap();
    assert_eq!(deeds, "run\nundo\nrun\n", "point {point}");
}

#[test]
fn a_driver_that_dies_anywhere_is_followed_and_nothing_runs_twice() {
    for point in 0..24 {
        dies_and_is_followed(point, None, &Ssh::default());
    }
}

#[test]
fn needs_sshd_and_so_it_is_behind_ssh() {
    let sshd = Sshd::new();
    // Each life takes a dozen connections, so not at every point.
    for point in [7, 12] {
        dies_and_is_followed(point, Some("web1"), &sshd.ssh());
    }
}

#[test]
fn a_run_has_one_driver_and_a_dead_ones_lease_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let (mut log, run) = rehearsal(folder.path(), None);
    let mut second = SqliteLog::open(&folder.path().join("ledger")).unwrap();
    let (mut here, mut there) = (
        world(folder.path(), Ssh::default()),
        world(folder.path(), Ssh::default()),
    );
    let (mut seen, mut also) = (|_: &Entry, _: &State| {}, |_: &Entry, _: &State| {});
    let me = Handle::from("dana");
    let slow = Driver::take(&mut log, &mut here, &mut seen, &run, &me, "first", false).unwrap();
    let refused = Driver::take(
        &mut second,
        &mut there,
        &mut also,
        &run,
        &me,
        "second",
        false,
    );
    match refused.err() {
        Some(DriveError::Store(StoreError::Held { holder, .. })) => assert_eq!(holder, "first"),
        other => panic!("{other:?}"),
    }
    let taken = Driver::take(
        &mut second,
        &mut there,
        &mut also,
        &run,
        &me,
        "second",
        true,
    );
    let (halted, _) = taken.unwrap().drive().unwrap();
    assert_eq!(halted, Halted::Ended(Outcome::Succeeded));
    // The first was only slow: it can no longer write, and starts nothing.
    let fenced = slow.drive().err();
    assert!(
        matches!(fenced, Some(DriveError::Store(StoreError::Fenced))),
        "{fenced:?}"
    );
    let deeds = std::fs::read_to_string(folder.path().join("deeds")).unwrap();
    assert_eq!(deeds, "run\nundo\nrun\n");
}
