//! What was not as planned: the opposite of a boring launch.
//!
//! One surprise for one thing: a step that failed twice on a host and then
//! succeeded there is one, and so is an outcome nobody knew, however it was
//! settled. What was planned (a rehearsal that breaks on purpose) is none.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;

use super::actual::Actual;
use super::story::{ByHand, How, Meaning, Resumed, Story, Took, Went, Word};
use super::text::{colon, name, reason};
use super::timeline::{on, title, watched};
use crate::diag::list;
use crate::event::{Event, FenceRole, RunKind};
use crate::handoff::contract::{At, Role};
use crate::handoff::plan::Plan;
use crate::id::{Handle, HostName, StepId};
use crate::ledger::Entry;
use crate::ledger::canon::BATON;
use crate::time::Duration;
use crate::watch::Decision;

/// One thing that was not as planned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Surprise {
    /// When it began.
    pub at: Timestamp,
    /// What sort of thing.
    pub kind: Kind,
    /// The step it is about, when it is about one.
    pub step: Option<StepId>,
    /// What, in a sentence of one line without a full stop.
    pub says: String,
}

/// Sorts of surprises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A waiver was in force when the launch began.
    Waiver,
    /// A step failed on a host.
    Failed,
    /// A step failed on a host and then succeeded there.
    Retried,
    /// A step took more than twice what was planned.
    Overran,
    /// Nobody knew how a step, or its undo, ended.
    Unknown,
    /// A person paused the run.
    Pause,
    /// A person's word against the course of the run.
    Override,
    /// Another driver took over from one that should have been at work.
    Takeover,
    /// A step was still in effect after its undo.
    StillInEffect,
    /// An undo failed, or could not be seen to work.
    UndoFailed,
    /// The fingerprints of a rehearsal do not show that everything came back.
    NotAsBefore,
    /// The judge found harm.
    Harm,
    /// The run froze though nothing had failed and no harm was found.
    Freeze,
    /// A backup acted for an owner.
    StandIn,
}

type Cell = (StepId, HostName);

/// The fold.
#[derive(Clone, Debug, Default)]
pub(super) struct Surprises {
    found: Vec<Surprise>,
    /// Where a deed failed and has not succeeded since: its surprise, and how often.
    failing: BTreeMap<Cell, (usize, u32)>,
    /// Where nobody knows, and its surprise.
    lost: BTreeMap<Cell, usize>,
    /// Where an undo failed, and how.
    stuck: BTreeSet<(Cell, Kind)>,
    pause: Option<(usize, Timestamp, Option<String>)>,
    harm: bool,
    watching: Option<StepId>,
    stood_in: BTreeSet<(String, Handle)>,
}

impl Surprises {
    /// Takes an entry in, of which it is known what it means.
    pub(super) fn take(&mut self, plan: &Plan, story: &Story, entry: &Entry, meaning: &Meaning) {
        match meaning {
            Meaning::Went(went) => self.went(plan, entry.at, went),
            Meaning::ByHand(word) => self.by_hand(plan, entry, word),
            Meaning::Resumed(from) => self.resumed(plan, entry, from),
            Meaning::Took(Took::Over) => {
                if let Event::DriverTook { holder, .. } = &entry.event {
                    let says =
                        format!("The driver of the run was gone; {} took over", name(holder));
                    let _index = self.add(entry.at, Kind::Takeover, None, says);
                }
            }
            Meaning::Judged(Decision::RollBack) => {
                if let Event::Judged { verdict, .. } = &entry.event {
                    let what = watched(plan, &self.watching);
                    let why = colon(Some(&verdict.because));
                    let says = format!("The judge found harm in {what}{why}");
                    self.harm = true;
                    let _index = self.add(entry.at, Kind::Harm, None, says);
                }
            }
            Meaning::Nothing | Meaning::Stated => self.stated(plan, story.back(), entry),
            Meaning::Took(_) | Meaning::Judged(_) | Meaning::Watched(_) => {}
        }
    }

    /// All surprises, in the order in which they began.
    pub(super) fn finish(mut self, steps: &[Actual]) -> Vec<Surprise> {
        for index in self.lost.values() {
            self.found[*index].says.push_str("; it was never settled");
        }
        if let Some((index, _, because)) = &self.pause {
            let why = colon(because.as_deref());
            let says = format!("{why}; nobody let it go on");
            self.found[*index].says.push_str(&says);
        }
        for step in steps.iter().filter(|step| step.overran()) {
            if let (Some(took), Some(planned), Some(ended)) =
                (step.took(), step.planned, step.ended)
            {
                let says = format!("{} took {took} instead of {planned}", name(&step.title));
                self.found.push(Surprise {
                    at: ended,
                    kind: Kind::Overran,
                    step: Some(step.step.clone()),
                    says,
                });
            }
        }
        self.found.sort_by_key(|surprise| surprise.at);
        self.found
    }

    fn add(&mut self, at: Timestamp, kind: Kind, step: Option<&StepId>, says: String) -> usize {
        self.found.push(Surprise {
            at,
            kind,
            step: step.cloned(),
            says,
        });
        self.found.len() - 1
    }

    fn went(&mut self, plan: &Plan, at: Timestamp, went: &Went) {
        let cell = (went.step.clone(), went.host.clone());
        let (title, on) = (title(plan, &went.step), on(&went.host));
        match &went.how {
            How::Failed(role, end) => {
                let why = format!("its {} {}", role.word(), reason(&end.says()));
                self.failed(at, cell, format!("{title} failed{on}"), &why);
            }
            How::Done | How::FoundDone | How::Confirmed => {
                self.settle(&cell, "its verify found it in effect");
                if let Some((index, times)) = self.failing.remove(&cell) {
                    let surprise = &mut self.found[index];
                    surprise.kind = Kind::Retried;
                    let then = match times {
                        1 => "; then it succeeded".to_owned(),
                        times => format!("; it succeeded after {times} failures"),
                    };
                    surprise.says.push_str(&then);
                }
            }
            How::FoundMissing => self.note(&cell, "its verify found it not in effect"),
            How::Lost(role, because) => {
                let what = match role {
                    FenceRole::Undo => format!("the undo of {title}"),
                    _ => title,
                };
                let why = colon(Some(because));
                let says = format!("Nobody knew how {what} ended{on}{why}");
                let index = self.add(at, Kind::Unknown, Some(&went.step), says);
                let _before = self.lost.insert(cell, index);
            }
            How::Undone => self.settle(&cell, "its verify found it undone"),
            How::StillThere if self.lost.contains_key(&cell) => {
                self.note(&cell, "its verify found it still in effect");
            }
            How::StillThere => {
                let says = format!(
                    "{title} was still in effect{on} after its undo: its verify still passed"
                );
                self.stuck(at, cell, Kind::StillInEffect, says);
            }
            How::UndoFailed(end) => {
                let says = format!("The undo of {title} failed{on}: it {}", reason(&end.says()));
                self.stuck(at, cell, Kind::UndoFailed, says);
            }
            How::UndoUnseen(end) => {
                let why = reason(&end.says());
                let says = format!("Nobody knew whether {title} was undone{on}: its verify {why}");
                self.stuck(at, cell, Kind::UndoFailed, says);
            }
            How::Broken | How::Voided => {}
        }
    }

    fn failed(&mut self, at: Timestamp, cell: Cell, what: String, why: &str) {
        if let Some((_, times)) = self.failing.get_mut(&cell) {
            *times = times.saturating_add(1);
            return;
        }
        let index = self.add(at, Kind::Failed, Some(&cell.0), format!("{what}: {why}"));
        let _before = self.failing.insert(cell, (index, 1));
    }

    fn stuck(&mut self, at: Timestamp, cell: Cell, kind: Kind, says: String) {
        if self.stuck.insert((cell.clone(), kind)) {
            let _index = self.add(at, kind, Some(&cell.0), says);
        }
    }

    /// More is known of what nobody knew.
    fn note(&mut self, cell: &Cell, how: &str) {
        if let Some(index) = self.lost.get(cell) {
            self.found[*index].says.push_str(&format!("; {how}"));
        }
    }

    /// What nobody knew is settled.
    fn settle(&mut self, cell: &Cell, how: &str) {
        self.note(cell, how);
        let _settled = self.lost.remove(cell);
    }

    fn settle_step(&mut self, step: &StepId, how: &str) {
        let cells = self.lost.keys().filter(|(id, _)| id == step);
        let cells: Vec<Cell> = cells.cloned().collect();
        for cell in &cells {
            self.settle(cell, how);
        }
    }

    fn by_hand(&mut self, plan: &Plan, entry: &Entry, word: &ByHand) {
        let Event::StepDone { step, .. } = &entry.event else {
            return;
        };
        let by = name(&entry.by);
        match word.word {
            Word::Did | Word::Undid => {}
            Word::SettledRun => self.settle_step(step, &format!("{by} said that it was done")),
            Word::SettledUndo => self.settle_step(step, &format!("{by} said that it was undone")),
            Word::Insisted => {
                let says = format!("{by} said that {} was undone", title(plan, step));
                let _index = self.add(entry.at, Kind::Override, Some(step), says);
            }
        }
        self.stuck.retain(|((id, _), _)| id != step);
        self.stand_in(plan, entry, step);
    }

    fn resumed(&mut self, plan: &Plan, entry: &Entry, from: &Resumed) {
        self.end_pause(entry.at);
        if matches!(from, Resumed::Freeze) {
            let by = name(&entry.by);
            let says = format!("{by} let the run go on though it had frozen");
            let _index = self.add(entry.at, Kind::Override, None, says);
            self.role_stand_in(plan, entry, "rollback-decider");
        }
        self.harm = false;
    }

    fn end_pause(&mut self, at: Timestamp) {
        if let Some((index, since, because)) = self.pause.take() {
            let lasted = Duration::between(since, at);
            let says = &mut self.found[index].says;
            says.push_str(&format!(" for {lasted}{}", colon(because.as_deref())));
        }
    }

    fn stated(&mut self, plan: &Plan, back: bool, entry: &Entry) {
        match &entry.event {
            Event::RunOpened(terms) if terms.what == RunKind::Launch => {
                self.waivers(plan, entry.at);
            }
            Event::AttemptStarted {
                step,
                host,
                role: FenceRole::Run | FenceRole::Undo,
                ..
            } => {
                self.settle(&(step.clone(), host.clone()), "it ran again");
            }
            Event::StepSkipped { step, because } if entry.by.as_str() != BATON => {
                self.left_out(plan, back, entry, step, because);
            }
            Event::RetryCalled { step, .. } => self.retried(plan, back, entry, step),
            Event::Paused { because } => {
                self.end_pause(entry.at);
                let says = format!("{} paused the run", name(&entry.by));
                let index = self.add(entry.at, Kind::Pause, None, says);
                self.pause = Some((index, entry.at, because.clone()));
            }
            Event::RoleLost { role, .. } => {
                let says = format!(
                    "Nobody for {} was in the room, and the run paused",
                    name(role)
                );
                let _index = self.add(entry.at, Kind::Pause, None, says);
            }
            Event::WindowExtended { because } => {
                let what = "let the run go on past its window";
                self.overridden(plan, entry, "launch-lead", what, because.as_deref());
            }
            Event::RollbackCalled { because } => {
                let what = "called the way back";
                self.overridden(plan, entry, "rollback-decider", what, because.as_deref());
            }
            Event::StopCalled { because } => {
                let what = "stopped the run";
                self.overridden(plan, entry, "rollback-decider", what, because.as_deref());
            }
            Event::LegBegan { .. } => {
                for index in std::mem::take(&mut self.lost).into_values() {
                    let how = "; the run turned before it was settled";
                    self.found[index].says.push_str(how);
                }
                self.failing.clear();
                self.stuck.clear();
                self.harm = false;
            }
            Event::Frozen { because }
                if self.failing.is_empty() && self.stuck.is_empty() && !self.harm =>
            {
                let says = format!("The run froze in place{}", colon(Some(because)));
                let _index = self.add(entry.at, Kind::Freeze, None, says);
            }
            Event::RoundTrip(trip) if !trip.proves() => {
                let says = format!("The way back is not proven{}", colon(Some(&trip.says())));
                let _index = self.add(entry.at, Kind::NotAsBefore, None, says);
            }
            Event::WatchBegan { step, .. } => self.watching.clone_from(step),
            Event::RunEnded { .. } => self.end_pause(entry.at),
            _ => {}
        }
    }

    fn left_out(&mut self, plan: &Plan, back: bool, entry: &Entry, step: &StepId, because: &str) {
        let (by, title) = (name(&entry.by), title(plan, step));
        let undo = if back { "the undo of " } else { "" };
        let says = format!("{by} left out {undo}{title}{}", colon(Some(because)));
        let _index = self.add(entry.at, Kind::Override, Some(step), says);
        self.settle_step(step, &format!("{by} left it so"));
        self.failing.retain(|(id, _), _| id != step);
        self.stuck.retain(|((id, _), _)| id != step);
        self.stand_in(plan, entry, step);
    }

    fn retried(&mut self, plan: &Plan, back: bool, entry: &Entry, step: &StepId) {
        let (by, title) = (name(&entry.by), title(plan, step));
        if self.lost.keys().any(|(id, _)| id == step) {
            self.settle_step(step, &format!("{by} had it tried again"));
        } else {
            let undo = if back { "the undo of " } else { "" };
            let says = format!("{by} had {undo}{title} tried again");
            let _index = self.add(entry.at, Kind::Override, Some(step), says);
        }
        self.stand_in(plan, entry, step);
    }

    fn overridden(
        &mut self,
        plan: &Plan,
        entry: &Entry,
        role: &str,
        what: &str,
        because: Option<&str>,
    ) {
        // The word of a person ends a pause.
        if !matches!(entry.event, Event::WindowExtended { .. }) {
            self.end_pause(entry.at);
        }
        let says = format!("{} {what}{}", name(&entry.by), colon(because));
        let _index = self.add(entry.at, Kind::Override, None, says);
        self.role_stand_in(plan, entry, role);
    }

    fn waivers(&mut self, plan: &Plan, at: Timestamp) {
        for waiver in &plan.contract.waivers {
            let Ok(until) = &waiver.until else {
                continue;
            };
            if *until <= at {
                continue;
            }
            let patterns: Vec<String> = waiver.matches.iter().map(|text| name(text)).collect();
            let of = match patterns.as_slice() {
                [] => String::new(),
                patterns => format!(" ({})", list(patterns, 4)),
            };
            let who = waiver
                .owner
                .as_ref()
                .map_or_else(|| "Nobody".to_owned(), |owner| name(owner));
            let why = colon(waiver.because.as_deref());
            let says = format!("{who} waived {}{of}{why}", name(&waiver.blocker));
            let _index = self.add(at, Kind::Waiver, None, says);
        }
    }

    fn stand_in(&mut self, plan: &Plan, entry: &Entry, id: &StepId) {
        if let Some(step) = plan.step(id) {
            let what = title(plan, id);
            self.stood_in(entry, &step.owners, &step.backups, Some(id), &what);
        }
    }

    fn role_stand_in(&mut self, plan: &Plan, entry: &Entry, role: &str) {
        let Some(Role { owner, backup }) = plan.contract.roles.get(role) else {
            return;
        };
        let members = |who: &Option<At<String>>| {
            let members = who.as_ref().and_then(|who| plan.contract.members(who));
            members.unwrap_or_default()
        };
        self.stood_in(entry, &members(owner), &members(backup), None, role);
    }

    fn stood_in(
        &mut self,
        entry: &Entry,
        owners: &[Handle],
        backups: &[Handle],
        step: Option<&StepId>,
        what: &str,
    ) {
        let by = &entry.by;
        if owners.contains(by) || !backups.contains(by) {
            return;
        }
        if self.stood_in.insert((what.to_owned(), by.clone())) {
            let owners: Vec<String> = owners.iter().map(|owner| name(owner)).collect();
            let says = match step {
                Some(_) => format!("{} acted for {} at {what}", name(by), list(&owners, 4)),
                None => format!("{} acted for {} as {what}", name(by), list(&owners, 4)),
            };
            let _index = self.add(entry.at, Kind::StandIn, step, says);
        }
    }
}
