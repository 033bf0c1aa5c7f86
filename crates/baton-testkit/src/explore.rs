//! The explorer: every state that crashes can leave, and what must hold.
//!
//! One life of a driver passes many points at which it can crash, and what a
//! crash leaves is the ledger and the outside world alone. So a case is searched
//! as a graph: a life is driven from a moment, every new moment it passes is
//! kept, and the next lives begin from those, the shortest lists of crashes
//! first. A life is left where it waits in a state in which an earlier one has
//! waited: a driver that waits remembers nothing that the ledger does not have.
//! What is the same, says [`crate::history`]. Where the world may go several
//! ways, each is taken.
//!
//! [`live`] drives one list of crashes the plain way, without any of this: the
//! driver is told that it lost touch, as it would be, and everything goes on
//! from what is there. A failure is such a list, and is printed as a test to paste
//! ([`crate::found`]).

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use baton_core::event::{Event, RunKind, RunTerms};
use baton_core::id::{Digest, EnvName, Handle, RunId, Seq, canonical};
use baton_core::ledger::{Draft, Entry};
use baton_core::run::State;
use baton_core::run::state::Mode;
use baton_engine::drive::{DriveError, Driver, Halted};
use baton_engine::world::Lost;
use baton_store::{Log as _, StoreError};

use crate::bugs::Bug;
use crate::check::check;
use crate::choice::Choices;
use crate::fault::Fuse;
use crate::found::{Again, Found};
use crate::hook::{Effect, Hook, Hooked};
use crate::plans::{Kind, plan};
use crate::sim::{Memory, Outside};
use crate::site::{Ground, Moment, Setup, SimWorld, Site};

/// One exploration: a plan, and how the world around it behaves.
#[derive(Clone, Debug)]
pub struct Case {
    /// The steps.
    pub kinds: Vec<Kind>,
    /// Rehearsal or launch.
    pub what: RunKind,
    /// What hosts remember of commands whose driver died.
    pub memory: Memory,
    /// Whether what is handed over begins late: maybe after its driver has died
    /// and another one has closed its place.
    pub slow: bool,
    /// Whether several commands may have ended when the driver looks.
    pub together: bool,
    /// How many words people may say that nobody asked them for.
    pub words: u8,
    /// What is wrong on purpose.
    pub bug: Option<Bug>,
}

impl Case {
    /// A launch of these steps in a world that may forget anything.
    pub fn of(kinds: &[Kind]) -> Self {
        Self {
            kinds: kinds.to_vec(),
            what: RunKind::Launch,
            memory: Memory::Any,
            slow: false,
            together: false,
            words: 0,
            bug: None,
        }
    }
}

/// What an exploration came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explored {
    /// Lives driven.
    pub lives: u64,
    /// Different moments that a crash left.
    pub moments: u64,
    /// Lives that were followed to the end of the run.
    pub ends: u64,
    /// Whether the last crash allowed left nothing new, so that any number of
    /// crashes leaves nothing else.
    pub closed: bool,
    /// How runs ended: the outcome, and what was in effect.
    pub ways: BTreeSet<String>,
}

impl Explored {
    /// Adds up.
    pub fn add(&mut self, other: Self) {
        self.lives += other.lives;
        self.moments += other.moments;
        self.ends += other.ends;
        self.closed &= other.closed;
        self.ways.extend(other.ways);
    }
}

/// One life in a list of crashes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Life {
    /// Which way things went, where there were several.
    pub choices: Vec<usize>,
    /// The point at which it crashed, counted from 0.
    pub crash: Option<u64>,
}

/// Explores a case with up to `crashes` crashes.
///
/// # Panics
/// When something does not hold; the message is a test to paste.
pub fn explore(case: &Case, crashes: usize) -> Explored {
    search(case, crashes).unwrap_or_else(|found| panic!("{}", found.report))
}

/// The same for a case in which something may be wrong.
///
/// # Errors
/// [`Found`], with the shortest list of crashes.
pub fn search(case: &Case, crashes: usize) -> Result<Explored, Box<Found>> {
    let stage = Stage::new(case);
    let mut explored = Explored::default();
    let recorder = Recorder(Rc::default(), stage.site.clone());
    let mut layer = vec![Node {
        moment: stage.opened.clone(),
        path: Vec::new(),
    }];
    for depth in 0..=crashes {
        recorder.0.borrow_mut().deeper = depth < crashes;
        for node in std::mem::take(&mut layer) {
            let mut script = Some(Vec::new());
            while let Some(next) = script {
                explored.lives += 1;
                stage.live_on(&node, next, &recorder, &mut explored)?;
                script = stage.site.lock().choices.following();
            }
        }
        layer = std::mem::take(&mut recorder.0.borrow_mut().found);
        explored.moments += layer.len() as u64;
        if layer.is_empty() {
            explored.closed = depth < crashes;
            break;
        }
    }
    Ok(explored)
}

/// Drives one run through a list of crashes to its end, and checks everything.
/// Answers with the bytes of the ledger, entry by entry.
///
/// # Panics
/// As [`explore`].
pub fn live(case: &Case, lives: &[Life]) -> Vec<Vec<u8>> {
    relive(case, lives).unwrap_or_else(|found| panic!("{}", found.report))
}

/// The same for a case in which something may be wrong.
///
/// # Errors
/// [`Found`], with the list that was given.
pub fn relive(case: &Case, lives: &[Life]) -> Result<Vec<Vec<u8>>, Box<Found>> {
    let stage = Stage::new(case);
    let found = |why| {
        let again = Again::Lives(lives.to_vec());
        stage.found(why, lives.len() as u64, again)
    };
    let last = Life::default();
    for life in lives.iter().chain([&last]) {
        let fuse = Fuse::at(life.crash);
        stage.site.lock().choices = Choices::scripted(life.choices.clone());
        match stage.end_of(drive(&stage.site, &fuse, &stage.run)) {
            Ok(Some(_)) => break,
            Ok(None) if life.crash.is_none() => return Err(found(LOST_NOTHING.to_owned())),
            Ok(None) => stage.site.lock().crash(),
            Err(why) => return Err(found(why)),
        }
    }
    Ok(stage.ledger())
}

/// Explores a case the plain way: each list of crashes from the beginning, with
/// a point before and after each effect, and nothing taken for the same. Slow,
/// and what [`explore`] is held against.
///
/// # Panics
/// As [`explore`].
pub fn explore_plainly(case: &Case, crashes: usize) -> Explored {
    let stage = Stage::new(case);
    let mut explored = Explored::default();
    let mut lists: Vec<Vec<Life>> = vec![Vec::new()];
    for depth in 0..=crashes {
        let mut longer = Vec::new();
        for list in &lists {
            let mut script = Some(Vec::new());
            while let Some(choices) = script {
                explored.lives += 1;
                stage.again(Choices::default());
                let (points, next) = stage.live_plainly(list, &choices, &mut explored);
                if depth < crashes {
                    longer.extend((0..points).map(|point| {
                        let crash = Some(point);
                        let choices = stage.site.lock().choices.taken();
                        [list.as_slice(), &[Life { choices, crash }]].concat()
                    }));
                }
                script = next;
            }
        }
        lists = longer;
    }
    explored
}

/// A moment, and the crashes that lead there.
struct Node {
    moment: Moment,
    path: Vec<Life>,
}

/// Keeps every new moment that a life passes, and leaves the life where an
/// earlier one has been.
#[derive(Clone)]
struct Recorder(Rc<RefCell<Recording>>, Site);

#[derive(Default)]
struct Recording {
    deeper: bool,
    passed: u64,
    path: Vec<Life>,
    crashed: BTreeSet<u64>,
    waited: BTreeSet<u64>,
    found: Vec<Node>,
    met: bool,
}

impl Recording {
    /// Keeps the moment that a crash here would leave, when it is new.
    fn keep(&mut self, ground: &mut Ground) {
        if self.deeper && self.crashed.insert(ground.print()) {
            let life = Life {
                choices: ground.choices.taken(),
                crash: Some(self.passed - 1),
            };
            self.found.push(Node {
                moment: ground.moment(),
                path: [self.path.as_slice(), &[life]].concat(),
            });
        }
    }
}

impl Hook for Recorder {
    fn before(&self, effect: Effect) -> Result<(), Lost> {
        let mut recording = self.0.borrow_mut();
        recording.passed += 1;
        let mut ground = self.1.lock();
        // What more had ended is known only here, and lost with a crash.
        if effect == Effect::Append && ground.setup.together {
            recording.keep(&mut ground);
        }
        if effect == Effect::Wait
            && ground.choices.free()
            && !recording.waited.insert(ground.print())
        {
            recording.met = true;
            return Err(Lost("an earlier life has waited here".to_owned()));
        }
        Ok(())
    }

    fn after(&self, _effect: Effect) -> Result<(), Lost> {
        let mut recording = self.0.borrow_mut();
        recording.passed += 1;
        recording.keep(&mut self.1.lock());
        Ok(())
    }
}

/// A run of a case that was opened.
pub(crate) struct Stage<'a> {
    pub(crate) case: &'a Case,
    pub(crate) site: Site,
    pub(crate) run: RunId,
    opened: Moment,
}

impl<'a> Stage<'a> {
    pub(crate) fn new(case: &'a Case) -> Self {
        let run = RunId::from("run_1");
        let mut meant = plan(&case.kinds);
        if case.what == RunKind::Rehearsal {
            // A rehearsal reads what it leaves behind.
            let terms = serde_json::json!({ "defined": { "fresh": null, "facts": ["os"] } });
            let terms = serde_json::from_value(terms);
            meant.contract.parity = terms.expect("terms have the shape of terms");
        }
        let mut given = meant.clone();
        if let Some(bug) = case.bug {
            bug.warp(&mut given);
        }
        let handoff = meant.handoff.clone();
        let mut ground = Ground::new(
            Setup {
                kinds: case.kinds.clone(),
                plan: Arc::new(meant),
                run: run.clone(),
                memory: case.memory,
                slow: case.slow,
                together: case.together,
                bug: case.bug,
            },
            Outside::new(case.words),
        );
        let digest = ground.log.put(&canonical(&given)).expect("memory is there");
        let other = Digest::of(b"release");
        let opened = Event::RunOpened(RunTerms {
            what: case.what,
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
            at: ground.outside.now,
            by: Handle::from("dana"),
            handoff,
            run: Some(run.clone()),
            event: opened,
        };
        let _opened = ground
            .log_append(vec![draft], None, None)
            .expect("memory is there");
        ground.new_life();
        let opened = ground.moment();
        let site = Site::new(ground);
        Self {
            case,
            site,
            run,
            opened,
        }
    }

    /// Begins again from where the run was opened.
    pub(crate) fn again(&self, choices: Choices) {
        self.site.lock().go_back(&self.opened, choices);
    }

    /// Drives one life from a moment on.
    fn live_on(
        &self,
        node: &Node,
        script: Vec<usize>,
        recorder: &Recorder,
        explored: &mut Explored,
    ) -> Result<(), Box<Found>> {
        self.site
            .lock()
            .go_back(&node.moment, Choices::scripted(script));
        {
            let mut recording = recorder.0.borrow_mut();
            recording.path.clone_from(&node.path);
            (recording.passed, recording.met) = (0, false);
        }
        let ended = drive(&self.site, recorder, &self.run);
        let met = recorder.0.borrow().met;
        let found = |why: String| {
            let choices = self.site.lock().choices.taken();
            let last = Life {
                choices,
                crash: None,
            };
            let path = [node.path.as_slice(), &[last]].concat();
            self.found(why, explored.lives, Again::Lives(path))
        };
        match self.end_of(ended) {
            Ok(Some(way)) => {
                explored.ends += 1;
                let _new = explored.ways.insert(way);
                Ok(())
            }
            Ok(None) if met => Ok(()),
            Ok(None) => Err(found(LOST_NOTHING.to_owned())),
            Err(why) => Err(found(why)),
        }
    }

    /// Drives one list of crashes and one life more; answers with the points of
    /// that life, and how to choose next.
    fn live_plainly(
        &self,
        list: &[Life],
        choices: &[usize],
        explored: &mut Explored,
    ) -> (u64, Option<Vec<usize>>) {
        let last = Life {
            choices: choices.to_vec(),
            crash: None,
        };
        let mut fuse = Fuse::default();
        for life in list.iter().chain([&last]) {
            fuse = Fuse::at(life.crash);
            self.site.lock().choices = Choices::scripted(life.choices.clone());
            match self.end_of(drive(&self.site, &fuse, &self.run)) {
                Ok(Some(way)) => {
                    explored.ends += 1;
                    let _new = explored.ways.insert(way);
                }
                Ok(None) => self.site.lock().crash(),
                Err(why) => {
                    let lives = [list, std::slice::from_ref(&last)].concat();
                    let found = self.found(why, explored.lives, Again::Lives(lives));
                    panic!("{}", found.report);
                }
            }
        }
        let following = self.site.lock().choices.following();
        (fuse.passed(), following)
    }

    /// How a life ended: over, and in which way; or crashed.
    ///
    /// # Errors
    /// What does not hold.
    pub(crate) fn end_of(
        &self,
        ended: Result<State, DriveError>,
    ) -> Result<Option<String>, String> {
        let mut ground = self.site.lock();
        let wrong = ground.outside.wrong.take();
        match (wrong, ended) {
            (Some(wrong), _) => Err(wrong),
            (None, Ok(state)) => {
                check(self.case, &mut ground, &state)?;
                let outcome = state.ended().map(|(outcome, _)| outcome);
                Ok(Some(format!("{outcome:?} {:?}", ground.outside.effects)))
            }
            (None, Err(error)) if lost(&error) => Ok(None),
            (None, Err(error)) => Err(said(&error)),
        }
    }

    /// What does not hold in the run that was driven last.
    pub(crate) fn found(&self, why: String, lives: u64, again: Again) -> Box<Found> {
        let ground = self.site.lock();
        Found::new(why, lives, self.case, again, &ground.history)
    }

    /// The bytes of the ledger, entry by entry.
    pub(crate) fn ledger(&self) -> Vec<Vec<u8>> {
        let ledger = self.site.lock().log.read_bytes(Seq(0), usize::MAX);
        ledger.expect("memory is there")
    }
}

fn lost(error: &DriveError) -> bool {
    matches!(
        error,
        DriveError::Lost(_) | DriveError::Store(StoreError::Lost(_))
    )
}

fn said(error: &DriveError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(why) = source {
        text = format!("{text}: {why}");
        source = why.source();
    }
    text
}

/// What is wrong with a driver that gives up though nothing failed.
pub(crate) const LOST_NOTHING: &str = "it lost touch, and nothing was lost";

/// How often a frozen run is taken up again before it counts as frozen for ever.
const TAKES_MOST: usize = 50;

/// One life: drives until the run is over. A frozen run is taken up again after
/// the person who is asked has decided.
pub(crate) fn drive(site: &Site, hook: &impl Hook, run: &RunId) -> Result<State, DriveError> {
    let me = Handle::from("dana");
    let mut log = Hooked {
        inner: site.clone(),
        hook: hook.clone(),
    };
    let mut world = Hooked {
        inner: SimWorld::new(site),
        hook: hook.clone(),
    };
    for _ in 0..TAKES_MOST {
        let mut seen = |_: &Entry, _: &State| {};
        let driver = Driver::take(&mut log, &mut world, &mut seen, run, &me, "sim", true)?;
        let (halted, state) = driver.drive()?;
        if let Halted::Ended(_) = halted {
            return Ok(state);
        }
        debug_assert!(matches!(state.mode, Mode::Frozen { .. }));
        // The person decides while no driver is there.
        let mut ground = site.lock();
        let decided = ground.people_may_speak()? || ground.people_answer()?;
        // Beside another driver, somebody may have decided already.
        if !decided && !ground.overlapping {
            break;
        }
    }
    let why = "the run is frozen for ever".to_owned();
    site.lock().outside.accuse(|| why.clone());
    Err(Lost(why).into())
}
