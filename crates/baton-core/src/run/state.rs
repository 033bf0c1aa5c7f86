//! The state of one run, and the only place where it changes.
//!
//! [`State::apply`] takes one entry and moves the state, or says why the entry
//! is [`Illegal`] here. It decides nothing: what should happen next is
//! [`next`](mod@super::next)'s to say. Steps and hosts are kept by their index in
//! the plan, and the steps that could start are kept at hand, so that one event
//! costs the same in a long plan as in a short one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use crate::event::{Event, FenceRole, Leg, Outcome, RunKind, RunTerms};
use crate::handoff::plan::{Plan, Step};
use crate::handoff::runbook::Fence;
use crate::id::{AttemptId, Digest, Epoch, Handle, HostName, RoleName, RunId, Seq, StepId};
use crate::ledger::Entry;
use crate::parity::{Collector, Mark, RoundTrip};
use crate::watch::Judge;

mod apply;
mod watching;

pub use watching::{Ahead, Asked, Probe, asked};

/// An entry that cannot follow: it names what stands against it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Illegal(pub String);

/// A place of work: a step and a host, by their index in the plan.
pub(super) type Place = (usize, usize);

/// Everything that is known of one run.
#[derive(Clone, Debug)]
pub struct State {
    /// The plan it was opened on.
    pub plan: Arc<Plan>,
    /// Which run.
    pub run: RunId,
    /// What it was opened on.
    pub terms: RunTerms,
    /// Who opened it.
    pub opened_by: Handle,
    /// When.
    pub opened_at: Timestamp,
    /// The latest driver's fencing token.
    pub epoch: Epoch,
    /// Which way it goes.
    pub leg: Leg,
    /// Why it turned back, when it did so against the plan.
    pub turned: Option<String>,
    /// Whether it goes on.
    pub mode: Mode,
    /// Who halted it, and why.
    pub paused: Option<Call>,
    /// Who called the way back.
    pub rollback: Option<Call>,
    /// Who called the end.
    pub stop: Option<Call>,
    /// Whether the launch-lead lets it go on past its window.
    pub extended: bool,
    /// Whether the receiver took over.
    pub accepted: bool,
    /// Roles nobody of which is in the room, and who is called for each.
    pub unstaffed: BTreeMap<RoleName, Vec<Handle>>,
    /// Variables that steps gave to later ones.
    pub outputs: BTreeMap<String, String>,
    /// What the judge is watching.
    pub watch: Option<Watching>,
    /// Whether the whole release was watched to the end.
    pub watched: bool,
    /// Why the judge says the release does harm.
    pub harm: Option<String>,
    /// Steps whose undo was carried out and seen to work, in this run.
    pub undone: BTreeSet<StepId>,
    /// The fingerprints a rehearsal has taken, as blobs.
    pub prints: BTreeMap<Mark, Digest>,
    /// What they say of the way back.
    pub round_trip: Option<RoundTrip>,
    /// What went wrong first in this leg.
    pub(super) failure: Option<Failure>,
    pub(super) steps: Vec<StepState>,
    /// Steps all of whose predecessors are finished and that are not themselves.
    pub(super) ready: BTreeSet<usize>,
    /// Attempts that have begun and not ended.
    pub(super) active: BTreeMap<AttemptId, Attempt>,
    /// What is to be undone, the next one last.
    pub(super) undo: Vec<Place>,
    /// Steps of which some host was left as it is by a person's word.
    pub(super) doubted: BTreeSet<StepId>,
    pub(super) dependents: Arc<Vec<Vec<usize>>>,
    pub(super) index: Arc<BTreeMap<StepId, usize>>,
    /// When the run as a whole last turned or went on after a halt.
    pub(super) went_on: Timestamp,
    pub(super) last: Seq,
}

/// Whether a run goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It does.
    Going,
    /// Frozen in place until a named person decides.
    Frozen {
        /// Why.
        because: String,
    },
    /// Over.
    Ended {
        /// How.
        outcome: Outcome,
        /// Why.
        because: String,
    },
}

/// A person's word to the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Who.
    pub by: Handle,
    /// Why.
    pub because: Option<String>,
}

/// What the judge is watching.
#[derive(Clone, Debug)]
pub struct Watching {
    /// The step whose change is watched; `None` for the whole release.
    pub step: Option<StepId>,
    /// How many hosts had changed.
    pub stage: u32,
    /// Since when.
    pub began: Timestamp,
    /// When it looked last.
    pub looked: Timestamp,
    /// The judge.
    pub judge: Judge,
    /// What it said last.
    pub verdict: Option<crate::watch::Verdict>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) place: Place,
    pub(super) because: String,
}

/// One attempt that has begun and not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    pub(super) place: Place,
    /// Which fence.
    pub role: FenceRole,
    /// The driver that meant to start it.
    pub epoch: Epoch,
    /// When it was recorded.
    pub since: Timestamp,
    pub(super) before: Phase,
    /// Whether no earlier attempt of the deed did anything here.
    first: bool,
}

#[derive(Clone, Debug)]
pub(super) struct StepState {
    pub(super) cells: Vec<Cell>,
    pub(super) remaining: usize,
    pub(super) finished: bool,
    pub(super) skipped: Option<String>,
    pub(super) approved: BTreeSet<Handle>,
    /// Stages after which the judge has watched, for a step with `watch`.
    pub(super) watched: usize,
    /// When something was last done about it, or people were called for it.
    pub(super) since: Timestamp,
    /// Those who were called since, because nobody answered.
    pub(super) escalated: Vec<Handle>,
}

/// One step on one host, in the present leg.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) phase: Phase,
    /// When its deed first began.
    pub(super) started: Option<Seq>,
    /// When it was seen to be in effect.
    pub(super) completed: Option<Seq>,
    /// Tries of its deed that have begun, or that a person said were done.
    pub(super) tries: u32,
    /// When the last try failed, for the pause before the next.
    pub(super) failed_at: Option<Timestamp>,
}

/// What is known of one step on one host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing was done.
    #[default]
    Todo,
    /// Its preflight passed.
    Cleared,
    /// A command is under way, or a driver meant to start one.
    Active(AttemptId),
    /// The deed is done; `verify` has to see it.
    Did,
    /// In effect.
    Done,
    /// Left out.
    Skipped,
    /// The deed failed.
    Failed,
    /// Nobody knows whether the deed was done; `verify` or a person decides.
    Unknown,
    /// As before, and only its owner can say.
    Asked,
    /// The undo is done; `verify` has to refuse.
    Undid,
    /// Undone.
    Undone,
    /// The undo failed.
    UndoFailed,
    /// Nobody knows whether the undo was done; `verify` or a person decides.
    UndoUnknown,
    /// As before, and only its owner can say.
    UndoAsked,
}

/// The fence of a role, when a machine runs it.
pub(super) fn fence(step: &Step, role: FenceRole) -> Option<&Fence> {
    let written = &step.written;
    let fence = match role {
        FenceRole::Preflight => &written.preflight,
        FenceRole::Run => &written.run,
        FenceRole::Verify => &written.verify,
        FenceRole::Undo => &written.undo,
    };
    fence.as_ref().filter(|fence| !fence.is_text())
}

impl State {
    /// The state after the entry that opened the run.
    ///
    /// # Errors
    /// When the entry opens no run.
    pub fn open(plan: Arc<Plan>, entry: &Entry) -> Result<Self, Illegal> {
        let (Event::RunOpened(terms), Some(run)) = (&entry.event, &entry.run) else {
            return Err(Illegal(
                "a run begins with the entry that opens it".to_owned(),
            ));
        };
        let index: BTreeMap<StepId, usize> = plan
            .steps
            .iter()
            .enumerate()
            .map(|(i, step)| (step.id().clone(), i))
            .collect();
        let mut dependents = vec![Vec::new(); plan.steps.len()];
        for (i, step) in plan.steps.iter().enumerate() {
            for before in &step.after_ids {
                let before = index.get(before).ok_or_else(|| {
                    Illegal(format!(
                        "step {} comes after {before}, which is not there",
                        step.id()
                    ))
                })?;
                dependents[*before].push(i);
            }
        }
        let mut state = Self {
            plan,
            run: run.clone(),
            terms: terms.clone(),
            opened_by: entry.by.clone(),
            opened_at: entry.at,
            epoch: Epoch(0),
            leg: Leg::Forward,
            turned: None,
            mode: Mode::Going,
            paused: None,
            rollback: None,
            stop: None,
            extended: false,
            accepted: false,
            unstaffed: BTreeMap::new(),
            outputs: BTreeMap::new(),
            watch: None,
            watched: false,
            harm: None,
            undone: BTreeSet::new(),
            prints: BTreeMap::new(),
            round_trip: None,
            failure: None,
            steps: Vec::new(),
            ready: BTreeSet::new(),
            active: BTreeMap::new(),
            undo: Vec::new(),
            doubted: BTreeSet::new(),
            dependents: Arc::new(dependents),
            index: Arc::new(index),
            went_on: entry.at,
            last: entry.seq,
        };
        state.begin_forward(entry.at);
        Ok(state)
    }

    /// The entry this state is folded to.
    pub fn last(&self) -> Seq {
        self.last
    }

    /// How the run ended, when it has.
    pub fn ended(&self) -> Option<(Outcome, &str)> {
        match &self.mode {
            Mode::Ended { outcome, because } => Some((*outcome, because)),
            Mode::Going | Mode::Frozen { .. } => None,
        }
    }

    /// Whether it is a rehearsal.
    pub fn rehearsal(&self) -> bool {
        self.terms.what == RunKind::Rehearsal
    }

    /// What is read before, forward and back, to see what the way back leaves
    /// behind: in a rehearsal that is not broken on purpose, when the contract
    /// says what to read.
    pub fn surveyed(&self) -> Option<&[Collector]> {
        let parity = self.plan.contract.parity.defined()?;
        let meant = self.rehearsal() && self.terms.fail_at.is_none();
        (meant && !parity.facts.is_empty()).then_some(parity.facts.as_slice())
    }

    /// Whether the fingerprint at this point of a rehearsal is still to be taken.
    pub(super) fn lacks(&self, mark: Mark) -> bool {
        self.surveyed().is_some() && !self.prints.contains_key(&mark)
    }

    /// Attempts that have begun and not ended, by id.
    pub fn active(&self) -> impl Iterator<Item = (&AttemptId, &Attempt)> {
        self.active.iter()
    }

    /// The step and host of an attempt that has begun and not ended.
    pub fn attempt(&self, id: &AttemptId) -> Option<(&Step, &HostName, FenceRole)> {
        let attempt = self.active.get(id)?;
        Some((
            &self.plan.steps[attempt.place.0],
            self.host(attempt.place),
            attempt.role,
        ))
    }

    /// Whether anything is in effect or was begun in the present leg.
    pub fn touched(&self) -> bool {
        self.steps
            .iter()
            .flat_map(|step| &step.cells)
            .any(|cell| cell.started.is_some())
    }

    /// How far each step is, for people: finished, and hosts in effect of all hosts.
    pub fn progress(&self) -> impl Iterator<Item = Progress<'_>> {
        self.plan
            .steps
            .iter()
            .zip(&self.steps)
            .map(|(step, state)| Progress {
                step,
                finished: state.finished,
                skipped: state.skipped.as_deref(),
                held: self.held(step),
                running: state
                    .cells
                    .iter()
                    .any(|cell| matches!(cell.phase, Phase::Active(_))),
                failed: state
                    .cells
                    .iter()
                    .any(|cell| matches!(cell.phase, Phase::Failed | Phase::UndoFailed)),
                asked: state
                    .cells
                    .iter()
                    .any(|cell| matches!(cell.phase, Phase::Asked | Phase::UndoAsked)),
                undone: state
                    .cells
                    .iter()
                    .filter(|cell| cell.phase == Phase::Undone)
                    .count(),
                done: state
                    .cells
                    .iter()
                    .filter(|cell| cell.completed.is_some())
                    .count(),
                hosts: state.cells.len(),
            })
    }

    /// Whether a rehearsal leaves this step out of its first way forward: it is
    /// a point of no return.
    pub(super) fn held(&self, step: &Step) -> bool {
        self.rehearsal() && self.leg == Leg::Forward && step.no_return() && !step.elsewhere
    }

    pub(super) fn host(&self, place: Place) -> &HostName {
        self.plan.steps[place.0]
            .hosts()
            .nth(place.1)
            .expect("cells are made from hosts")
    }

    pub(super) fn cell(&self, place: Place) -> &Cell {
        &self.steps[place.0].cells[place.1]
    }

    fn cell_mut(&mut self, place: Place) -> &mut Cell {
        &mut self.steps[place.0].cells[place.1]
    }

    /// The cells of a step's stages, as ranges.
    pub(super) fn stages(step: &Step) -> impl Iterator<Item = std::ops::Range<usize>> {
        step.stages.iter().scan(0, |from, stage| {
            let range = *from..*from + stage.len();
            *from = range.end;
            Some(range)
        })
    }

    /// The first stage that is not complete, or complete and not yet watched.
    pub(super) fn open_stage(&self, i: usize) -> Option<(usize, std::ops::Range<usize>)> {
        let step = &self.plan.steps[i];
        let state = &self.steps[i];
        Self::stages(step).enumerate().find(|(n, range)| {
            let complete = state.cells[range.clone()]
                .iter()
                .all(|cell| matches!(cell.phase, Phase::Done));
            !complete || (self.watches(step) && *n >= state.watched)
        })
    }

    /// Whether the judge watches after each stage of this step.
    pub(super) fn watches(&self, step: &Step) -> bool {
        step.written.watch.is_some()
            && self.terms.what == RunKind::Launch
            && self
                .plan
                .contract
                .success
                .defined()
                .is_some_and(|measures| !measures.is_empty())
    }

    fn begin_forward(&mut self, at: Timestamp) {
        self.steps = self
            .plan
            .steps
            .iter()
            .map(|step| StepState {
                cells: vec![Cell::default(); step.hosts().count()],
                remaining: step.after_ids.len(),
                finished: false,
                skipped: None,
                approved: BTreeSet::new(),
                watched: 0,
                since: at,
                escalated: Vec::new(),
            })
            .collect();
        self.ready = (0..self.steps.len())
            .filter(|i| self.steps[*i].remaining == 0)
            .collect();
        self.failure = None;
        for i in 0..self.steps.len() {
            if self.plan.steps[i].elsewhere {
                let only = self.plan.steps[i].written.only_in.as_ref();
                self.steps[i].skipped = only.map(|env| format!("only in {}", env.value));
            }
        }
        let elsewhere: Vec<usize> = self
            .ready
            .iter()
            .copied()
            .filter(|i| self.plan.steps[*i].elsewhere)
            .collect();
        for i in elsewhere {
            self.finish(i, at);
        }
    }

    /// Marks a step finished and makes ready what waited for it; steps that
    /// belong to another environment are finished as soon as they are ready.
    fn finish(&mut self, i: usize, at: Timestamp) {
        let mut finished = vec![i];
        while let Some(i) = finished.pop() {
            self.steps[i].finished = true;
            let _was = self.ready.remove(&i);
            for &j in &self.dependents.clone()[i] {
                self.steps[j].remaining -= 1;
                if self.steps[j].remaining == 0 {
                    let _new = self.ready.insert(j);
                    self.stir(j, at);
                    if self.plan.steps[j].elsewhere {
                        finished.push(j);
                    }
                }
            }
        }
    }

    /// Finishes a step whose stages are all complete and watched.
    fn finish_if_complete(&mut self, i: usize, at: Timestamp) {
        if !self.steps[i].finished && self.open_stage(i).is_none() {
            self.finish(i, at);
        }
    }

    /// What is to be undone, the next one last: completed in the order of
    /// completion, then, on top, what was begun and not completed.
    pub(super) fn undo_stack(&self) -> Vec<Place> {
        let mut stack: Vec<(bool, Seq, Place)> = Vec::new();
        for (i, step) in self.steps.iter().enumerate() {
            let written = &self.plan.steps[i].written;
            if !written.changes && written.undo.is_none() {
                continue;
            }
            for (h, cell) in step.cells.iter().enumerate() {
                match (cell.completed, cell.started) {
                    (Some(at), _) => stack.push((false, at, (i, h))),
                    (None, Some(at)) => stack.push((true, at, (i, h))),
                    (None, None) => {}
                }
            }
        }
        stack.sort_unstable();
        stack.into_iter().map(|(_, _, place)| place).collect()
    }
}

/// How far one step is.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'a> {
    /// The step.
    pub step: &'a Step,
    /// Nothing is left to do.
    pub finished: bool,
    /// Why it is left out, when it is.
    pub skipped: Option<&'a str>,
    /// Left for the last way forward of a rehearsal.
    pub held: bool,
    /// A command is under way.
    pub running: bool,
    /// Its deed or its undo failed.
    pub failed: bool,
    /// Only its owner can say how it ended.
    pub asked: bool,
    /// Hosts on which it was undone.
    pub undone: usize,
    /// Hosts on which it is, or was, in effect.
    pub done: usize,
    /// All its hosts.
    pub hosts: usize,
}
