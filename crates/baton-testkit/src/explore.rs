//! The explorer: a crash before and after every effect, and what must hold.
//!
//! For each point *k* a run is driven until it loses touch there, then taken
//! over by a next life on the same ledger and the same outside world, until the
//! run halts. With more than one crash, the second life is crashed at each of
//! its points too. The shortest list of crashes comes first, so the first
//! failure is the smallest, and it prints the plan, the points and the ledger.
//!
//! A crash takes the driver's memory, so what follows depends on the ledger and
//! the outside world alone. Two lists of crashes of one length that leave both
//! alike go on alike, and the second is not followed: a crash after one effect
//! and one before the next are mostly the same.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use baton_core::event::{Event, FenceRole, Leg, Outcome, RunKind, RunTerms};
use baton_core::handoff::plan::Plan;
use baton_core::id::{Digest, EnvName, Handle, RunId, Seq, canonical};
use baton_core::ledger::{Draft, Entry, chain::Walker};
use baton_core::run::State;
use baton_core::run::state::Mode;
use baton_engine::drive::{DriveError, Driver, Halted};
use baton_engine::world::World;
use baton_store::{Log, SqliteLog, StoreError};

use crate::fault::{Faulty, Fuse};
use crate::plans::{Conduct, Kind, Nature, plan};
use crate::sim::{Memory, Outside, Shared, SimWorld};

/// One exploration: a plan, and how the world around it behaves.
#[derive(Clone, Debug)]
pub struct Case {
    /// The steps.
    pub kinds: Vec<Kind>,
    /// Rehearsal or launch.
    pub what: RunKind,
    /// What hosts remember of commands whose driver died.
    pub memory: Memory,
    /// Which of several running commands ends first.
    pub order: u64,
}

/// What an exploration came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Explored {
    /// Runs driven, each with another list of crashes.
    pub runs: u64,
    /// Those of them that were not followed to their end, because an earlier
    /// one had left ledger and world just so.
    pub met: u64,
    /// Points of the longest life.
    pub points: u64,
}

/// Explores a case with up to `crashes` crashes at every point.
///
/// # Panics
/// When something does not hold; the message is a test to paste.
pub fn explore(case: &Case, crashes: usize) -> Explored {
    explore_in(case, crashes, |world| world)
}

/// Explores a case in a world of another conduct, made anew for every life.
///
/// # Panics
/// As [`explore`].
pub fn explore_in<W: World>(
    case: &Case,
    crashes: usize,
    world: impl Fn(SimWorld) -> W,
) -> Explored {
    let stage = Stage::new(case);
    let mut explored = Explored::default();
    let mut lists: Vec<Vec<u64>> = vec![Vec::new()];
    for depth in 0..=crashes {
        let mut longer = Vec::new();
        let mut seen = BTreeSet::new();
        for list in &lists {
            explored.runs += 1;
            let Some(life) = stage.live(list, &world, Some(&mut seen)) else {
                explored.met += 1;
                continue;
            };
            explored.points = explored.points.max(life.points);
            if depth < crashes {
                longer.extend((0..life.points).map(|point| [list.as_slice(), &[point]].concat()));
            }
        }
        lists = longer;
    }
    explored
}

/// How one list of crashes went.
pub struct Life {
    /// Points of the last life, in which nothing crashed.
    pub points: u64,
    /// The ledger's bytes, entry by entry.
    pub ledger: Vec<Vec<u8>>,
}

/// Drives one run through a list of crashes to its end, and checks everything.
///
/// # Panics
/// As [`explore`].
pub fn live(case: &Case, crashes: &[u64]) -> Life {
    Stage::new(case)
        .live(crashes, |world| world, None)
        .expect("a run that is compared with no other is followed to its end")
}

/// What all runs of a case begin with.
struct Stage<'a> {
    case: &'a Case,
    plan: Arc<Plan>,
    bytes: Vec<u8>,
    repeatable: BTreeSet<String>,
}

impl<'a> Stage<'a> {
    fn new(case: &'a Case) -> Self {
        let plan = plan(&case.kinds);
        Self {
            case,
            bytes: canonical(&plan),
            plan: Arc::new(plan),
            repeatable: repeatable(case),
        }
    }

    /// Drives one run; `None` when its last crash left everything as one that was `seen`.
    fn live<W: World>(
        &self,
        crashes: &[u64],
        conduct: impl Fn(SimWorld) -> W,
        mut seen: Option<&mut BTreeSet<String>>,
    ) -> Option<Life> {
        // One ledger for all lives of a thread, emptied each time: opening costs more than a run.
        thread_local! {
            static LOG: Shared = Shared(Rc::new(RefCell::new(
                SqliteLog::memory().expect("memory is there"),
            )));
        }
        let mut log = LOG.with(Clone::clone);
        log.0.borrow_mut().reset().expect("memory is there");
        let run = self.open(&mut log);
        let outside = Rc::new(RefCell::new(Outside::new(
            self.case.memory,
            self.case.order,
        )));
        let mut points = 0;
        for life in 0..=crashes.len() {
            let fuse = Fuse::at(crashes.get(life).copied());
            let sim = SimWorld::new(
                outside.clone(),
                log.clone(),
                run.clone(),
                self.repeatable.clone(),
            );
            let mut world = Faulty {
                inner: conduct(sim),
                fuse: fuse.clone(),
            };
            let mut store = Faulty {
                inner: log.clone(),
                fuse: fuse.clone(),
            };
            let ended = drive_until_over(&mut store, &mut world, &run);
            points = fuse.passed();
            match ended {
                Ok(()) => break,
                Err(error) if lost(&error) && life < crashes.len() => {}
                Err(error) => {
                    let why = format!("{error:?}");
                    panic!("{}", report(self.case, crashes, &mut log, &why))
                }
            }
            if life + 1 == crashes.len()
                && let Some(seen) = seen.as_mut()
                && !seen.insert(durable(&mut log, &outside.borrow()))
            {
                return None;
            }
        }
        let ledger = self.check(crashes, &mut log, &outside.borrow());
        Some(Life { points, ledger })
    }

    fn open(&self, log: &mut Shared) -> RunId {
        let run = RunId::from("run_1");
        let digest = log.put(&self.bytes).expect("memory is there");
        let other = Digest::of(b"release");
        let opened = Event::RunOpened(RunTerms {
            what: self.case.what,
            plan: digest,
            content: other.clone(),
            procedure: other.clone(),
            roster: other.clone(),
            release: other.clone(),
            environment: EnvName::from("prod"),
            definition: other,
            fail_at: None,
            unproven: Vec::new(),
        });
        let draft = Draft {
            at: jiff::Timestamp::from_second(1_700_000_000).expect("a date"),
            by: Handle::from("dana"),
            handoff: self.plan.handoff.clone(),
            run: Some(run.clone()),
            event: opened,
        };
        let _opened = log
            .append(vec![draft], None, None)
            .expect("memory is there");
        run
    }

    /// Everything that must hold once the run is over.
    fn check(&self, crashes: &[u64], log: &mut Shared, outside: &Outside) -> Vec<Vec<u8>> {
        let ledger = log.read_bytes(Seq(0), usize::MAX).expect("memory is there");
        let mut walker = Walker::default();
        let mut entries = Vec::new();
        for bytes in &ledger {
            entries.push(
                walker
                    .step(bytes)
                    .unwrap_or_else(|broken| panic!("{broken}")),
            );
        }
        // Folding checks every entry for being legal where it stands.
        let mut state = State::open(self.plan.clone(), &entries[0]).expect("the run was opened");
        let illegal = entries[1..]
            .iter()
            .find_map(|entry| state.apply(entry).err());
        let wrong = illegal
            .map(|why| why.to_string())
            .or_else(|| wrong(self.case, &state, &entries, outside));
        assert!(
            wrong.is_none(),
            "{}",
            report(self.case, crashes, log, &wrong.unwrap_or_default())
        );
        ledger
    }
}

/// All that a crash leaves: the ledger, its leases, and what is outside.
fn durable(log: &mut Shared, outside: &Outside) -> String {
    let (seq, head) = log.head().expect("memory is there");
    let leases = log.leases("", outside.now()).expect("memory is there");
    format!("{seq} {head} {leases:?} {}", outside.durable())
}

fn lost(error: &DriveError) -> bool {
    matches!(
        error,
        DriveError::Lost(_) | DriveError::Store(StoreError::Lost(_))
    )
}

/// A frozen run is taken up again after the person who is asked has decided.
fn drive_until_over(
    store: &mut Faulty<Shared>,
    world: &mut Faulty<impl World>,
    run: &RunId,
) -> Result<(), DriveError> {
    let me = Handle::from("dana");
    for _ in 0..50 {
        let mut seen = |_: &Entry, _: &State| {};
        let driver = Driver::take(store, world, &mut seen, run, &me, "sim", true)?;
        match driver.drive()?.0 {
            Halted::Ended(_) => return Ok(()),
            Halted::Frozen | Halted::Paused | Halted::Left => {
                // The person decides while no driver is there.
                let _told = world.inner.wait(None)?;
            }
        }
    }
    panic!("the run is frozen for ever");
}

fn repeatable(case: &Case) -> BTreeSet<String> {
    let safe = |kind: &Kind| kind.nature == Nature::Repeatable;
    case.kinds
        .iter()
        .enumerate()
        .filter(|(_, k)| safe(k))
        .map(|(i, _)| format!("s{i}"))
        .collect()
}

fn wrong(case: &Case, state: &State, entries: &[Entry], outside: &Outside) -> Option<String> {
    let Mode::Ended { outcome, .. } = &state.mode else {
        return Some("the run is not over".to_owned());
    };
    effects_wrong(case, *outcome, outside)
        .or_else(|| repeats_wrong(case, entries, outside))
        .or_else(|| order_wrong(state, entries))
        .or_else(|| outcome_wrong(case, *outcome))
}

/// Finished: every effect is there once. Gone back: none is left.
fn effects_wrong(case: &Case, outcome: Outcome, outside: &Outside) -> Option<String> {
    for (i, kind) in case.kinds.iter().enumerate() {
        for host in 0..kind.hosts {
            let spot = (format!("s{i}"), format!("h{host}"));
            let effect = outside.effects.get(&spot).copied().unwrap_or(0);
            let fits = match outcome {
                Outcome::Succeeded => effect == 1,
                Outcome::RolledBack | Outcome::Aborted => effect == 0,
                Outcome::Stopped => (0..=1).contains(&effect),
            };
            if !fits {
                return Some(format!(
                    "{} on {} is in effect {effect} times",
                    spot.0, spot.1
                ));
            }
        }
    }
    None
}

/// A step that is neither repeatable nor provable runs once a leg, unless a
/// person said that it did not happen.
fn repeats_wrong(case: &Case, entries: &[Entry], outside: &Outside) -> Option<String> {
    let forwards = entries
        .iter()
        .filter(|entry| {
            matches!(
                &entry.event,
                Event::LegBegan {
                    leg: Leg::Again,
                    ..
                }
            )
        })
        .count()
        + 1;
    for (i, kind) in case.kinds.iter().enumerate() {
        let id = format!("s{i}");
        let retried = entries.iter().any(
            |entry| matches!(&entry.event, Event::RetryCalled { step, .. } if step.as_str() == id),
        );
        if kind.nature == Nature::Repeatable || retried {
            continue;
        }
        for host in 0..kind.hosts {
            let spot = (id.clone(), format!("h{host}"));
            let count = |role| {
                outside
                    .deeds
                    .iter()
                    .filter(|d| **d == (role, spot.clone()))
                    .count()
            };
            if count(FenceRole::Run) > forwards || count(FenceRole::Undo) > forwards {
                return Some(format!("{id} was carried out or undone twice"));
            }
        }
    }
    None
}

/// Undone in the exact reverse order of recorded completion, nothing before a
/// step it comes after was done.
fn order_wrong(state: &State, entries: &[Entry]) -> Option<String> {
    let mut undoing: Vec<(String, String)> = Vec::new();
    let mut finished: Vec<(String, String)> = Vec::new();
    let mut attempts = std::collections::BTreeMap::new();
    for entry in entries {
        match &entry.event {
            Event::AttemptStarted {
                attempt,
                step,
                host,
                role,
                ..
            } => {
                let spot = (step.to_string(), host.to_string());
                if *role == FenceRole::Undo && undoing.last() != Some(&spot) {
                    undoing.push(spot.clone());
                }
                let _new = attempts.insert(attempt.clone(), (spot, *role));
            }
            Event::AttemptEnded { attempt, end, .. } if end.succeeded() => {
                let (spot, role) = attempts.get(attempt)?;
                let step = state.plan.step(&spot.0)?;
                let completes = match role {
                    FenceRole::Run => step.written.verify.is_none(),
                    FenceRole::Verify => undoing.is_empty(),
                    FenceRole::Preflight | FenceRole::Undo => false,
                };
                if completes {
                    finished.push(spot.clone());
                }
            }
            Event::LegBegan {
                leg: Leg::Again, ..
            } => break,
            _ => {}
        }
    }
    let expected: Vec<_> = finished
        .iter()
        .rev()
        .filter(|spot| undoing.contains(spot))
        .collect();
    let actual: Vec<_> = undoing
        .iter()
        .filter(|spot| finished.contains(spot))
        .collect();
    (expected != actual).then(|| format!("undone as {actual:?}, completed as {finished:?}"))
}

/// A failing deed never ends in success, and a good plan never in anything else.
fn outcome_wrong(case: &Case, outcome: Outcome) -> Option<String> {
    let any = |conduct| case.kinds.iter().any(|kind| kind.conduct == conduct);
    let fits = match outcome {
        Outcome::Succeeded => !any(Conduct::Fails),
        Outcome::RolledBack => any(Conduct::Fails),
        Outcome::Stopped => any(Conduct::UndoFails) || any(Conduct::NoReturn),
        Outcome::Aborted => false,
    };
    (!fits).then(|| format!("ended as {outcome:?}"))
}

fn report(case: &Case, crashes: &[u64], log: &mut Shared, why: &str) -> String {
    use std::fmt::Write as _;
    let mut text = format!("{why}\n\nlive(&{case:#?}, &{crashes:?});\n\n");
    for entry in log.read(Seq(0), usize::MAX).unwrap_or_default() {
        let event = serde_json::to_string(&entry.event).unwrap_or_default();
        let _written = writeln!(text, "{:>3} {}: {event}", entry.seq.0, entry.by);
    }
    text
}
