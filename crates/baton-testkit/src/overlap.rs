//! An old driver that is merely slow, beside the one that took over.
//!
//! The first driver stops before one of its effects; the second takes the lease
//! and goes on until before one of its own; then the first wakes and does what
//! it still can, which is at most until its next append; then the second goes
//! on to the end. Both points are tried everywhere. One of the two moves at a
//! time, so the same schedule is the same run.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use baton_core::run::State;
use baton_engine::drive::DriveError;
use baton_engine::world::Lost;
use baton_store::StoreError;

use crate::choice::Choices;
use crate::explore::{Case, Stage, drive};
use crate::found::{Again, Found};
use crate::hook::{Effect, Hook};

/// Lets two drivers overlap in every way, and answers with how many ways.
///
/// # Panics
/// When something does not hold; the message is a test to paste.
pub fn overlap(case: &Case) -> u64 {
    overlaps(case).unwrap_or_else(|found| panic!("{}", found.report))
}

/// The same for a case in which something may be wrong.
///
/// # Errors
/// [`Found`], with the points at which the two drivers stopped.
pub fn overlaps(case: &Case) -> Result<u64, Box<Found>> {
    let stage = Stage::new(case);
    let mut tried = 0;
    for first in 0.. {
        for second in 0.. {
            let mut script = Some(Vec::new());
            let mut passed = (0, 0);
            while let Some(choices) = script {
                tried += 1;
                passed = at(&stage, (first, second), choices, tried)?;
                script = stage.site.lock().choices.following();
            }
            if passed.0 <= first {
                return Ok(tried);
            }
            if passed.1 <= second {
                break;
            }
        }
    }
    Ok(tried)
}

/// Lets two drivers overlap in one way: before which of its effects each stops,
/// the old one first, and which way things go. Answers with how many effects each
/// of them passed.
///
/// # Panics
/// As [`overlap`].
pub fn overlap_at(case: &Case, stops: (u64, u64), choices: &[usize]) -> (u64, u64) {
    overlaps_at(case, stops, choices).unwrap_or_else(|found| panic!("{}", found.report))
}

/// The same for a case in which something may be wrong.
///
/// # Errors
/// As [`overlaps`].
pub fn overlaps_at(
    case: &Case,
    stops: (u64, u64),
    choices: &[usize],
) -> Result<(u64, u64), Box<Found>> {
    at(&Stage::new(case), stops, choices.to_vec(), 1)
}

fn at(
    stage: &Stage<'_>,
    stops: (u64, u64),
    choices: Vec<usize>,
    tried: u64,
) -> Result<(u64, u64), Box<Found>> {
    stage.again(Choices::scripted(choices));
    one(stage, stops).map_err(|why| {
        let choices = stage.site.lock().choices.taken();
        stage.found(why, tried, Again::Beside { stops, choices })
    })
}

/// One schedule; answers with how many effects each driver passed.
fn one(stage: &Stage<'_>, stops: (u64, u64)) -> Result<(u64, u64), String> {
    stage.site.lock().overlapping = true;
    let turns = Arc::new(Turns::default());
    let side = |me: usize, stops_at: u64| {
        let (turns, site, run) = (turns.clone(), stage.site.clone(), stage.run.clone());
        move || {
            let _over = Over { turns: &turns, me };
            turns.wait_for(me);
            let relay = Relay {
                me,
                stops_at,
                passed: Rc::default(),
                turns: turns.clone(),
            };
            let ended = drive(&site, &relay, &run);
            (ended, relay.passed.get())
        }
    };
    let ((old, passed), (new, followed)) = std::thread::scope(|scope| {
        let first = scope.spawn(side(0, stops.0));
        let second = scope.spawn(side(1, stops.1));
        let joined = |side: std::thread::ScopedJoinHandle<'_, (Driven, u64)>| {
            side.join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        (joined(first), joined(second))
    });
    // Whoever took the lease last carries on; the other one is told, or is done already.
    let mut way = None;
    for driven in [old, new] {
        match driven {
            Err(DriveError::Store(StoreError::Fenced)) => {}
            driven => way = stage.end_of(driven)?,
        }
    }
    match way {
        Some(_) => Ok((passed, followed)),
        None => Err("neither driver came to the end".to_owned()),
    }
}

type Driven = Result<State, DriveError>;

/// Whose turn it is, of two.
#[derive(Default)]
struct Turns {
    now: Mutex<Turn>,
    changed: Condvar,
}

#[derive(Default)]
struct Turn {
    whose: usize,
    over: [bool; 2],
}

impl Turns {
    fn lock(&self) -> MutexGuard<'_, Turn> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_for(&self, me: usize) {
        let mine = |turn: &mut Turn| turn.whose != me && !turn.over[1 - me];
        let waited = self.changed.wait_while(self.lock(), mine);
        drop(waited);
    }

    /// Lets the other one go on, and waits until it stops or is over.
    fn pass(&self, me: usize) {
        self.lock().whose = 1 - me;
        self.changed.notify_all();
        self.wait_for(me);
    }
}

/// However a driver ends, the other one goes on.
struct Over<'a> {
    turns: &'a Turns,
    me: usize,
}

impl Drop for Over<'_> {
    fn drop(&mut self) {
        let mut turn = self.turns.lock();
        turn.over[self.me] = true;
        turn.whose = 1 - self.me;
        self.turns.changed.notify_all();
    }
}

/// Stops a driver once, before one of its effects.
#[derive(Clone)]
struct Relay {
    me: usize,
    stops_at: u64,
    passed: Rc<Cell<u64>>,
    turns: Arc<Turns>,
}

impl Hook for Relay {
    fn before(&self, _effect: Effect) -> Result<(), Lost> {
        let here = self.passed.get();
        self.passed.set(here + 1);
        if here == self.stops_at {
            self.turns.pass(self.me);
        }
        Ok(())
    }

    fn after(&self, _effect: Effect) -> Result<(), Lost> {
        Ok(())
    }
}
