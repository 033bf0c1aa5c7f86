//! What an entry means after those before it: the one fold that timeline,
//! plan against actual, surprises and decisions read.
//!
//! It says what happened and judges nothing. Unlike the state of a run it takes
//! any entries in any order, since a review must be able to tell a broken story.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::event::{Ending, Event, FenceRole, Leg};
use crate::handoff::plan::{Plan, Step};
use crate::handoff::runbook::Fence;
use crate::id::{AttemptId, HostName, StepId};
use crate::ledger::Entry;
use crate::time::Duration;
use crate::watch::Decision;

/// What an entry means.
pub(super) enum Meaning {
    /// Nothing new, or nothing yet: a later entry tells it.
    Nothing,
    /// What the entry says by itself.
    Stated,
    /// How one step went on one host.
    Went(Went),
    /// A person's word that a step or its undo is done.
    ByHand(ByHand),
    /// A person let the run go on.
    Resumed(Resumed),
    /// A driver took the run.
    Took(Took),
    /// The judge changed its mind.
    Judged(Decision),
    /// A watch is over.
    Watched(Watched),
}

/// How one step went on one host.
pub(super) struct Went {
    pub(super) step: StepId,
    pub(super) host: HostName,
    /// When its run first began in this leg.
    pub(super) began: Option<Timestamp>,
    /// Tries of its run in this leg.
    pub(super) tries: u32,
    /// How long run and verify, or undo and verify, took together.
    pub(super) took: Duration,
    pub(super) how: How,
}

/// What became of it.
pub(super) enum How {
    /// In effect.
    Done,
    /// In effect, as its verify saw after nobody knew.
    FoundDone,
    /// Not in effect, as its verify saw after nobody knew.
    FoundMissing,
    /// Its verify saw what a person had said.
    Confirmed,
    /// Broken on purpose, in a rehearsal.
    Broken,
    /// The deed failed: this fence ended so.
    Failed(FenceRole, Ending),
    /// Nobody knows how this fence ended.
    Lost(FenceRole, String),
    /// Undone.
    Undone,
    /// Its undo ended so.
    UndoFailed(Ending),
    /// Its verify still passes after its undo.
    StillThere,
    /// Its verify could not tell whether it is undone.
    UndoUnseen(Ending),
    /// It never started.
    Voided,
}

/// A person's word that a step or its undo is done.
pub(super) struct ByHand {
    pub(super) word: Word,
    /// Hosts on which the step is done, or undone, by this word alone.
    pub(super) hosts: Vec<HostName>,
}

/// What the word is about.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    /// A person's step.
    Did,
    /// A step of which nobody knew how it ended.
    SettledRun,
    /// An undo that is a person's.
    Undid,
    /// An undo of which nobody knew how it ended.
    SettledUndo,
    /// An undo that failed.
    Insisted,
}

/// From what a run went on.
pub(super) enum Resumed {
    /// From a pause that began then.
    Pause(Timestamp),
    /// From a freeze: in spite of the harm that was found.
    Freeze,
    /// Nothing had halted it.
    Nothing,
}

/// How a driver came to the run.
pub(super) enum Took {
    /// As the first.
    First,
    /// After a pause or freeze, at which a driver may leave.
    AfterHalt,
    /// While another one should have been at work.
    Over,
}

/// A watch that is over.
pub(super) struct Watched {
    pub(super) step: Option<StepId>,
    pub(super) lasted: Option<Duration>,
    /// Whether the judge had given the same reason before.
    pub(super) said: bool,
}

/// The fold.
#[derive(Clone, Debug, Default)]
pub(super) struct Story {
    /// Which way the run goes; forward before it says anything.
    pub(super) leg: Option<Leg>,
    fail_at: Option<StepId>,
    open: BTreeMap<AttemptId, (StepId, HostName, FenceRole)>,
    cells: BTreeMap<(StepId, HostName), Cell>,
    paused: Option<Timestamp>,
    frozen: bool,
    driven: bool,
    /// Whether the run halted, and no driver was seen at work since.
    halted: bool,
    decision: Option<Decision>,
    reason: Option<String>,
    watch: Option<(Timestamp, Option<StepId>)>,
}

/// One step on one host, in the present leg.
#[derive(Clone, Debug, Default)]
struct Cell {
    began: Option<Timestamp>,
    tries: u32,
    /// How long the deed took that `verify` has yet to see.
    deed: Duration,
    lost: bool,
    by_hand: bool,
}

impl Story {
    /// Whether the run goes back.
    pub(super) fn back(&self) -> bool {
        self.leg == Some(Leg::Back)
    }

    /// Whether this is the first way forward.
    pub(super) fn first_way(&self) -> bool {
        matches!(self.leg, None | Some(Leg::Forward))
    }

    /// Takes the next entry in and says what it means.
    pub(super) fn read(&mut self, plan: &Plan, entry: &Entry) -> Meaning {
        match &entry.event {
            Event::RunOpened(terms) => self.fail_at.clone_from(&terms.fail_at),
            Event::DriverTook { .. } => return Meaning::Took(self.took()),
            Event::AttemptStarted {
                attempt,
                step,
                host,
                role,
                ..
            } => {
                self.started(entry.at, attempt, step, host, *role);
                return Meaning::Nothing;
            }
            Event::AttemptEnded {
                attempt, end, took, ..
            } => return self.ended(plan, attempt, end, *took),
            Event::AttemptVoided { attempt } => return self.voided(attempt),
            Event::StepDone { step, .. } => return Meaning::ByHand(self.by_hand(plan, step)),
            Event::StepSkipped { step, .. } | Event::RetryCalled { step, .. } => {
                let _settled = self.settle(step);
                self.frozen = false;
            }
            Event::Paused { .. } => {
                self.paused = Some(entry.at);
                self.halted = true;
            }
            Event::Resumed => return Meaning::Resumed(self.resumed()),
            Event::RollbackCalled { .. } | Event::StopCalled { .. } => {
                (self.paused, self.frozen) = (None, false);
            }
            Event::Frozen { .. } => (self.frozen, self.halted) = (true, true),
            Event::LegBegan { leg, .. } => {
                self.leg = Some(*leg);
                self.cells.clear();
                self.watch = None;
            }
            Event::WatchBegan { step, .. } => {
                self.halted = false;
                self.watch = Some((entry.at, step.clone()));
                (self.decision, self.reason) = (None, None);
            }
            Event::Judged { verdict, .. } => {
                self.halted = false;
                self.reason = Some(verdict.because.clone());
                let before = self.decision.replace(verdict.decision);
                // A watch begins with holding; saying so is no news.
                if before.unwrap_or(Decision::Hold) == verdict.decision {
                    return Meaning::Nothing;
                }
                return Meaning::Judged(verdict.decision);
            }
            Event::WatchEnded { because } => {
                let watch = self.watch.take();
                return Meaning::Watched(Watched {
                    lasted: watch
                        .as_ref()
                        .map(|(at, _)| Duration::between(*at, entry.at)),
                    step: watch.and_then(|(_, step)| step),
                    said: self.decision == Some(Decision::Keep)
                        && self.reason.as_ref() == Some(because),
                });
            }
            _ => {}
        }
        Meaning::Stated
    }

    fn took(&mut self) -> Took {
        let halted = std::mem::take(&mut self.halted);
        if !std::mem::replace(&mut self.driven, true) {
            Took::First
        } else if halted {
            Took::AfterHalt
        } else {
            Took::Over
        }
    }

    fn resumed(&mut self) -> Resumed {
        let frozen = std::mem::take(&mut self.frozen);
        match self.paused.take() {
            Some(since) => Resumed::Pause(since),
            None if frozen => Resumed::Freeze,
            None => Resumed::Nothing,
        }
    }

    fn cell(&mut self, step: &StepId, host: &HostName) -> &mut Cell {
        self.cells.entry((step.clone(), host.clone())).or_default()
    }

    fn started(
        &mut self,
        at: Timestamp,
        attempt: &AttemptId,
        step: &StepId,
        host: &HostName,
        role: FenceRole,
    ) {
        self.halted = false;
        let open = (step.clone(), host.clone(), role);
        let _before = self.open.insert(attempt.clone(), open);
        let cell = self.cell(step, host);
        match role {
            FenceRole::Run => {
                cell.tries = cell.tries.saturating_add(1);
                let _first = cell.began.get_or_insert(at);
                (cell.lost, cell.by_hand) = (false, false);
            }
            FenceRole::Undo => cell.lost = false,
            FenceRole::Preflight | FenceRole::Verify => {}
        }
    }

    /// The attempt did nothing: as if it had never been recorded.
    fn take_back(&mut self, step: &StepId, host: &HostName, role: FenceRole) {
        let cell = self.cell(step, host);
        if role == FenceRole::Run {
            cell.tries = cell.tries.saturating_sub(1);
            if cell.tries == 0 {
                cell.began = None;
            }
        }
    }

    fn voided(&mut self, attempt: &AttemptId) -> Meaning {
        let Some((step, host, role)) = self.open.remove(attempt) else {
            return Meaning::Nothing;
        };
        self.take_back(&step, &host, role);
        self.went(step, host, Duration::default(), How::Voided)
    }

    fn went(&mut self, step: StepId, host: HostName, took: Duration, how: How) -> Meaning {
        let cell = self.cell(&step, &host);
        let (began, tries) = (cell.began, cell.tries);
        Meaning::Went(Went {
            step,
            host,
            began,
            tries,
            took,
            how,
        })
    }

    fn ended(&mut self, plan: &Plan, attempt: &AttemptId, end: &Ending, took: Duration) -> Meaning {
        let Some((step, host, role)) = self.open.remove(attempt) else {
            return Meaning::Nothing;
        };
        let back = self.back();
        let verified = plan.step(&step).is_some_and(verified);
        let broken = self.first_way() && self.fail_at.as_ref() == Some(&step);
        if matches!(end, Ending::NotStarted { .. }) {
            self.take_back(&step, &host, role);
        }
        let cell = self.cell(&step, &host);
        let deed = std::mem::take(&mut cell.deed);
        let lasted = Duration::from_millis(deed.as_millis().saturating_add(took.as_millis()));
        let how = match (role, end) {
            (FenceRole::Preflight, Ending::Succeeded | Ending::Unknown { .. }) => None,
            (FenceRole::Run, Ending::Succeeded) if broken => Some(How::Broken),
            (FenceRole::Run | FenceRole::Undo, Ending::Succeeded) if verified => {
                cell.deed = took;
                None
            }
            (FenceRole::Run, Ending::Succeeded) => Some(How::Done),
            (FenceRole::Undo, Ending::Succeeded) => Some(How::Undone),
            (FenceRole::Run | FenceRole::Undo, Ending::Unknown { because }) => {
                cell.lost = true;
                Some(How::Lost(role, because.clone()))
            }
            (FenceRole::Undo, end) => Some(How::UndoFailed(end.clone())),
            // A verify of which nobody knows how it ended is asked again.
            (FenceRole::Verify, Ending::Unknown { .. }) => {
                cell.deed = deed;
                None
            }
            (FenceRole::Verify, end) => Some(seen(cell, end, back)),
            (role, end) => Some(How::Failed(role, end.clone())),
        };
        match how {
            Some(how) => self.went(step, host, lasted, how),
            None => Meaning::Nothing,
        }
    }

    fn settle(&mut self, step: &StepId) -> Vec<HostName> {
        let lost = self
            .cells
            .iter_mut()
            .filter(|((id, _), cell)| id == step && cell.lost);
        lost.map(|((_, host), cell)| {
            cell.lost = false;
            host.clone()
        })
        .collect()
    }

    fn by_hand(&mut self, plan: &Plan, id: &StepId) -> ByHand {
        self.frozen = false;
        let settled = self.settle(id);
        let step = plan.step(id);
        let all = || step.map_or_else(Vec::new, |step| step.hosts().cloned().collect());
        let (word, hosts) = if self.back() {
            let undo = step.and_then(|step| step.written.undo.as_ref());
            match settled.as_slice() {
                [_, ..] => (Word::SettledUndo, settled),
                [] if undo.is_some_and(Fence::is_text) => (Word::Undid, all()),
                [] => (Word::Insisted, all()),
            }
        } else if !settled.is_empty() {
            (Word::SettledRun, settled)
        } else if step.is_some_and(verified) {
            for host in all() {
                self.cell(id, &host).by_hand = true;
            }
            (Word::Did, Vec::new())
        } else {
            (Word::Did, all())
        };
        ByHand { word, hosts }
    }
}

/// What `verify` saw: on the way back the step must no longer be in effect.
fn seen(cell: &mut Cell, end: &Ending, back: bool) -> How {
    let lost = cell.lost;
    match (back, end) {
        (false, Ending::Succeeded) => {
            cell.lost = false;
            match (lost, cell.by_hand) {
                (true, _) => How::FoundDone,
                (false, true) => How::Confirmed,
                (false, false) => How::Done,
            }
        }
        (false, _) if lost => How::FoundMissing,
        (false, end) => How::Failed(FenceRole::Verify, end.clone()),
        (true, Ending::Exited { .. }) => {
            cell.lost = false;
            How::Undone
        }
        (true, Ending::Succeeded) => How::StillThere,
        (true, end) => How::UndoUnseen(end.clone()),
    }
}

/// Whether a machine sees whether the step is in effect.
fn verified(step: &Step) -> bool {
    let verify = step.written.verify.as_ref();
    verify.is_some_and(|fence| !fence.is_text())
}
