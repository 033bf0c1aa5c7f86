//! `apply`: one entry moves the state, or is illegal here.

use std::collections::BTreeMap;

use super::{Attempt, Call, Failure, Illegal, Mode, Phase, Place, State, fence};
use crate::diag::list;
use crate::event::{Ending, Event, FenceRole, Leg, RunKind};
use crate::id::{AttemptId, Epoch, Handle, HostName, StepId};
use crate::ledger::Entry;

fn illegal<T>(why: impl Into<String>) -> Result<T, Illegal> {
    Err(Illegal(why.into()))
}

impl State {
    /// Moves the state by one entry of this run.
    ///
    /// # Errors
    /// [`Illegal`] when the entry cannot follow here; the state is then as it was.
    pub fn apply(&mut self, entry: &Entry) -> Result<(), Illegal> {
        if entry.run.as_ref() != Some(&self.run) {
            return illegal("the entry belongs to another run");
        }
        if let Some((outcome, _)) = self.ended() {
            let talk = matches!(
                entry.event,
                Event::Said { .. } | Event::Joined | Event::Left | Event::Voted { .. }
            );
            if !talk {
                return illegal(format!("the run is over: it {}", said(outcome)));
            }
        }
        self.apply_event(entry)?;
        self.last = entry.seq;
        Ok(())
    }

    fn apply_event(&mut self, entry: &Entry) -> Result<(), Illegal> {
        let call = |because: &Option<String>| {
            Some(Call {
                by: entry.by.clone(),
                because: because.clone(),
            })
        };
        match &entry.event {
            Event::DriverTook { epoch, .. } => self.took(*epoch),
            Event::AttemptStarted {
                attempt,
                step,
                host,
                role,
                epoch,
            } => {
                let place = self.place(step, host)?;
                self.started(entry, attempt, place, *role, *epoch)
            }
            Event::AttemptEnded {
                attempt,
                end,
                outputs,
                ..
            } => self.attempt_ended(entry, attempt, end, outputs),
            Event::AttemptVoided { attempt } => self.voided(attempt),
            Event::StepSkipped { step, because } => self.skipped(entry, step, because),
            Event::StepDone { step, host } => self.done(entry, step, host.as_ref()),
            Event::StepApproved { step } => self.approved(&entry.by, step),
            Event::RetryCalled { step, host } => self.retry(step, host.as_ref()),
            Event::Paused { because } => {
                if self.paused.is_some() {
                    return illegal("the run is paused already");
                }
                self.paused = call(because);
                Ok(())
            }
            Event::Resumed => self.resumed(),
            Event::WindowExtended { .. } => {
                self.extended = true;
                Ok(())
            }
            Event::RollbackCalled { because } => {
                if self.leg == Leg::Back && self.mode == Mode::Going {
                    return illegal("the run is going back already");
                }
                self.rollback = call(because);
                self.paused = None;
                self.thaw();
                Ok(())
            }
            Event::StopCalled { because } => {
                self.stop = call(because);
                self.thaw();
                Ok(())
            }
            Event::LegBegan {
                leg,
                planned,
                because,
            } => self.leg_began(*leg, *planned, because),
            Event::Frozen { because } => {
                self.mode = Mode::Frozen {
                    because: because.clone(),
                };
                Ok(())
            }
            Event::WatchBegan { step, stage } => self.watch_began(entry, step.as_ref(), *stage),
            Event::Judged { samples, verdict } => self.judged(entry, samples, verdict),
            Event::WatchEnded { .. } => self.watch_ended(),
            Event::AcceptedLive => {
                if !self.awaits_acceptance() {
                    return illegal("the release is not yet carried out and watched to the end");
                }
                self.accepted = true;
                Ok(())
            }
            Event::RunEnded {
                outcome, because, ..
            } => {
                if !self.active.is_empty() {
                    return illegal("a command is still under way");
                }
                self.mode = Mode::Ended {
                    outcome: *outcome,
                    because: because.clone(),
                };
                Ok(())
            }
            Event::Said { .. } | Event::Joined | Event::Left | Event::Voted { .. } => Ok(()),
            other => illegal(format!("this belongs to no run: {other:?}")),
        }
    }

    /// Whether everything is done and watched, and the receiver has to take over.
    pub fn awaits_acceptance(&self) -> bool {
        self.terms.what == RunKind::Launch
            && self.leg == Leg::Forward
            && self.mode == Mode::Going
            && self.ready.is_empty()
            && self.watch_over()
            && !self.accepted
    }

    /// The places of a step that a person's word is about.
    fn places(&self, i: usize, host: Option<&HostName>) -> Vec<Place> {
        let hosts = self.plan.steps[i].hosts().enumerate();
        hosts
            .filter(|(_, h)| host.is_none_or(|meant| meant == *h))
            .map(|(h, _)| (i, h))
            .collect()
    }

    fn place(&self, step: &StepId, host: &str) -> Result<Place, Illegal> {
        let i = self.step_index(step)?;
        match self.plan.steps[i].hosts().position(|h| h.as_str() == host) {
            Some(h) => Ok((i, h)),
            None => illegal(format!("step {step} does not run on {host}")),
        }
    }

    pub(super) fn step_index(&self, step: &StepId) -> Result<usize, Illegal> {
        match self.index.get(step) {
            Some(i) => Ok(*i),
            None => illegal(format!("the plan has no step {step}")),
        }
    }

    fn took(&mut self, epoch: Epoch) -> Result<(), Illegal> {
        if epoch <= self.epoch {
            return illegal("another driver took the run since");
        }
        self.epoch = epoch;
        Ok(())
    }

    fn started(
        &mut self,
        entry: &Entry,
        id: &AttemptId,
        place: Place,
        role: FenceRole,
        epoch: Epoch,
    ) -> Result<(), Illegal> {
        let step = &self.plan.steps[place.0];
        if epoch != self.epoch {
            return illegal("a driver without the lease cannot start anything");
        }
        if self.mode != Mode::Going || self.active.contains_key(id) || fence(step, role).is_none() {
            return illegal(format!("{} of {} cannot start now", role.word(), step.id()));
        }
        let back = self.leg == Leg::Back;
        let before = self.cell(place).phase.clone();
        let fits = match role {
            FenceRole::Preflight => !back && before == Phase::Todo,
            FenceRole::Run => !back && matches!(before, Phase::Todo | Phase::Cleared),
            FenceRole::Verify if back => matches!(before, Phase::Undid | Phase::UndoUnknown),
            FenceRole::Verify => matches!(before, Phase::Did | Phase::Unknown),
            FenceRole::Undo => back && self.undo.last() == Some(&place) && undoable(&before),
        };
        if !fits || (!back && !self.ready.contains(&place.0)) {
            return illegal(format!(
                "{} of {} cannot start in its state",
                role.word(),
                step.id()
            ));
        }
        let cell = self.cell_mut(place);
        let first = role == FenceRole::Run && cell.started.is_none();
        cell.phase = Phase::Active(id.clone());
        if role == FenceRole::Run {
            cell.tries += 1;
            let _first = cell.started.get_or_insert(entry.seq);
        }
        let attempt = Attempt {
            place,
            role,
            epoch,
            since: entry.at,
            before,
            first,
        };
        let _none = self.active.insert(id.clone(), attempt);
        Ok(())
    }

    fn voided(&mut self, id: &AttemptId) -> Result<(), Illegal> {
        let Some(attempt) = self.active.remove(id) else {
            return illegal(format!("no attempt {id} is under way"));
        };
        self.take_back(&attempt);
        if attempt.role == FenceRole::Run {
            self.cell_mut(attempt.place).tries -= 1;
        }
        Ok(())
    }

    /// The attempt did nothing: only what earlier ones did may have to be undone.
    fn take_back(&mut self, attempt: &Attempt) {
        let cell = self.cell_mut(attempt.place);
        cell.phase = attempt.before.clone();
        if attempt.first {
            cell.started = None;
        }
    }

    fn attempt_ended(
        &mut self,
        entry: &Entry,
        id: &AttemptId,
        end: &Ending,
        outputs: &BTreeMap<String, String>,
    ) -> Result<(), Illegal> {
        let Some(attempt) = self.active.remove(id) else {
            return illegal(format!("no attempt {id} is under way"));
        };
        let place = attempt.place;
        match attempt.role {
            FenceRole::Preflight => match end {
                Ending::Succeeded => self.cell_mut(place).phase = Phase::Cleared,
                Ending::Unknown { .. } => self.cell_mut(place).phase = attempt.before,
                _ => self.failed(entry, place, FenceRole::Preflight, &end.says(), false),
            },
            FenceRole::Run => self.run_ended(entry, &attempt, end, outputs),
            FenceRole::Verify if self.leg == Leg::Back => self.undo_seen(&attempt, end),
            FenceRole::Verify => self.seen(entry, &attempt, end),
            FenceRole::Undo => self.undo_ended(place, end),
        }
        Ok(())
    }

    fn run_ended(
        &mut self,
        entry: &Entry,
        attempt: &Attempt,
        end: &Ending,
        outputs: &BTreeMap<String, String>,
    ) {
        let place = attempt.place;
        let step = &self.plan.steps[place.0];
        let verified = fence(step, FenceRole::Verify).is_some();
        let broken = self.leg == Leg::Forward && self.terms.fail_at.as_ref() == Some(step.id());
        match end {
            Ending::Succeeded if broken => {
                self.failed(
                    entry,
                    place,
                    FenceRole::Run,
                    "was broken here on purpose",
                    false,
                );
            }
            Ending::Succeeded => {
                if let Some((name, value, other)) = self.clash(place, outputs) {
                    let because = format!(
                        "set {name} to two different values, `{value}` here and `{other}` elsewhere"
                    );
                    return self.failed(entry, place, FenceRole::Run, &because, false);
                }
                self.outputs.extend(outputs.clone());
                if verified {
                    self.cell_mut(place).phase = Phase::Did;
                } else {
                    self.complete(entry, place);
                }
            }
            Ending::Unknown { .. } if verified => self.cell_mut(place).phase = Phase::Unknown,
            Ending::Unknown { .. } => self.repeat_or_ask(place),
            Ending::NotStarted { because } => {
                self.take_back(attempt);
                let because = format!("could not start: {because}");
                self.failed(entry, place, FenceRole::Run, &because, true);
            }
            _ => self.failed(entry, place, FenceRole::Run, &end.says(), true),
        }
    }

    /// An output that another host of the same step gave another value.
    fn clash<'a>(
        &self,
        place: Place,
        outputs: &'a BTreeMap<String, String>,
    ) -> Option<(&'a str, &'a str, String)> {
        let spread = self.steps[place.0].cells.len() > 1;
        outputs.iter().filter(|_| spread).find_map(|(name, value)| {
            let other = self.outputs.get(name).filter(|other| *other != value)?;
            Some((name.as_str(), value.as_str(), other.clone()))
        })
    }

    /// `verify` looked, on the way forward.
    fn seen(&mut self, entry: &Entry, attempt: &Attempt, end: &Ending) {
        let place = attempt.place;
        let settling = attempt.before == Phase::Unknown;
        match end {
            Ending::Succeeded => self.complete(entry, place),
            Ending::Unknown { .. } => self.cell_mut(place).phase = attempt.before.clone(),
            _ if settling => self.repeat_or_ask(place),
            _ => self.failed(entry, place, FenceRole::Verify, &end.says(), true),
        }
    }

    /// Nobody knows whether the deed was done: it runs again only if that is safe.
    fn repeat_or_ask(&mut self, place: Place) {
        let safe = self.plan.steps[place.0].written.safe_to_repeat;
        self.cell_mut(place).phase = if safe { Phase::Todo } else { Phase::Asked };
    }

    fn complete(&mut self, entry: &Entry, place: Place) {
        let cell = self.cell_mut(place);
        cell.phase = Phase::Done;
        cell.completed = Some(entry.seq);
        let _first = cell.started.get_or_insert(entry.seq);
        self.finish_if_complete(place.0);
    }

    fn failed(
        &mut self,
        entry: &Entry,
        place: Place,
        role: FenceRole,
        because: &str,
        may_retry: bool,
    ) {
        let step = &self.plan.steps[place.0];
        let retries = step.written.retry.map_or(0, |retry| retry.times);
        if may_retry && self.cell(place).tries <= retries {
            let cell = self.cell_mut(place);
            // Its preflight is not asked again.
            cell.phase = Phase::Cleared;
            cell.failed_at = Some(entry.at);
            return;
        }
        let host = self.host(place);
        let on = if host.is_here() {
            String::new()
        } else {
            format!(" on {host}")
        };
        let because = format!("{} of {}{on} {because}", role.word(), step.id());
        self.cell_mut(place).phase = Phase::Failed;
        let _first = self.failure.get_or_insert(Failure { place, because });
    }

    fn undo_ended(&mut self, place: Place, end: &Ending) {
        let step = &self.plan.steps[place.0];
        let verified = fence(step, FenceRole::Verify).is_some();
        match end {
            Ending::Succeeded if verified => self.cell_mut(place).phase = Phase::Undid,
            Ending::Succeeded => self.undo_done(place, true),
            Ending::Unknown { .. } if verified => self.cell_mut(place).phase = Phase::UndoUnknown,
            Ending::Unknown { .. } => self.undo_again_or_ask(place),
            _ => {
                let because = format!("undo of {}{} {}", step.id(), self.on(place), end.says());
                self.undo_failed(place, because);
            }
        }
    }

    /// `verify` looked, on the way back: the step must no longer be in effect.
    fn undo_seen(&mut self, attempt: &Attempt, end: &Ending) {
        let place = attempt.place;
        let settling = attempt.before == Phase::UndoUnknown;
        let step = self.plan.steps[place.0].id().clone();
        match end {
            Ending::Unknown { .. } => self.cell_mut(place).phase = attempt.before.clone(),
            Ending::Succeeded if settling => self.undo_again_or_ask(place),
            Ending::Succeeded => {
                let because = format!(
                    "verify of {step}{} still passes after its undo: either the undo did nothing, or the verify cannot tell the two states apart",
                    self.on(place)
                );
                self.undo_failed(place, because);
            }
            Ending::Exited { .. } => self.undo_done(place, true),
            _ => {
                let because = format!(
                    "nobody knows whether {step}{} is undone: its verify {}",
                    self.on(place),
                    end.says()
                );
                self.undo_failed(place, because);
            }
        }
    }

    fn on(&self, place: Place) -> String {
        let host = self.host(place);
        if host.is_here() {
            String::new()
        } else {
            format!(" on {host}")
        }
    }

    fn undo_again_or_ask(&mut self, place: Place) {
        let safe = self.plan.steps[place.0].written.safe_to_repeat;
        self.cell_mut(place).phase = if safe { Phase::Done } else { Phase::UndoAsked };
    }

    fn undo_failed(&mut self, place: Place, because: String) {
        self.cell_mut(place).phase = Phase::UndoFailed;
        self.failure = Some(Failure { place, because });
    }

    /// The step is undone here; `proven` when a machine did it and nothing speaks against it.
    fn undo_done(&mut self, place: Place, proven: bool) {
        self.cell_mut(place).phase = Phase::Undone;
        if self.undo.last() == Some(&place) {
            let _undone = self.undo.pop();
        }
        let id = self.plan.steps[place.0].id().clone();
        if !proven {
            let _new = self.doubted.insert(id.clone());
        }
        let left = self.undo.iter().any(|(i, _)| *i == place.0);
        if !left && !self.doubted.contains(&id) {
            let _new = self.undone.insert(id);
        }
    }

    fn approved(&mut self, by: &Handle, step: &StepId) -> Result<(), Illegal> {
        let i = self.step_index(step)?;
        let Some(approve) = &self.plan.steps[i].written.approve else {
            return illegal(format!("step {step} asks for no approval"));
        };
        let members = self.plan.contract.members(&approve.of).unwrap_or_default();
        if !members.contains(by) {
            return illegal(format!(
                "step {step} is approved by {}, not by {by}",
                &*approve.of
            ));
        }
        let _new = self.steps[i].approved.insert(by.clone());
        Ok(())
    }

    /// A person says that the step they were asked for is done, or that its undo is.
    fn done(
        &mut self,
        entry: &Entry,
        step: &StepId,
        host: Option<&HostName>,
    ) -> Result<(), Illegal> {
        let i = self.step_index(step)?;
        let people: Vec<&Handle> = self.plan.steps[i].people().collect();
        if !people.contains(&&entry.by) {
            return illegal(format!(
                "step {step} is {}'s, not {}'s",
                list(&people, 4),
                entry.by
            ));
        }
        if self.leg == Leg::Back {
            return match self.asked_before_undo(i, host) {
                Some(place) => {
                    self.cell_mut(place).phase = Phase::Done;
                    Ok(())
                }
                None => self.undo_done_by_person(i, step, host),
            };
        }
        let by_person = self.plan.steps[i].by_person();
        let waiting = by_person && self.ready.contains(&i) && self.startable(i, entry.at);
        let verified = fence(&self.plan.steps[i], FenceRole::Verify).is_some();
        let mut moved = false;
        for place in self.places(i, host) {
            match self.cell(place).phase {
                Phase::Asked => self.complete(entry, place),
                Phase::Todo | Phase::Cleared if waiting && verified => {
                    let cell = self.cell_mut(place);
                    cell.phase = Phase::Did;
                    cell.tries += 1;
                    let _first = cell.started.get_or_insert(entry.seq);
                }
                Phase::Todo | Phase::Cleared if waiting => self.complete(entry, place),
                _ => continue,
            }
            moved = true;
        }
        if moved {
            self.thaw();
            Ok(())
        } else {
            illegal(format!("step {step} does not wait for anybody now"))
        }
    }

    /// The next place to be undone, when only its owner can say whether there
    /// is anything to undo.
    fn asked_before_undo(&self, i: usize, host: Option<&HostName>) -> Option<Place> {
        let place = self.undo.last().copied()?;
        let meant = self.places(i, host).contains(&place);
        (meant && self.cell(place).phase == Phase::Asked).then_some(place)
    }

    fn undo_done_by_person(
        &mut self,
        i: usize,
        step: &StepId,
        host: Option<&HostName>,
    ) -> Result<(), Illegal> {
        let meant = self.places(i, host);
        let by_hand = self.plan.steps[i]
            .written
            .undo
            .as_ref()
            .is_some_and(super::Fence::is_text);
        let waiting: Vec<Place> = self
            .undo
            .iter()
            .rev()
            .copied()
            .take_while(|place| place.0 == i && meant.contains(place))
            .filter(|place| {
                let phase = &self.cell(*place).phase;
                matches!(phase, Phase::UndoFailed | Phase::UndoAsked)
                    || (by_hand && undoable(phase))
            })
            .collect();
        if waiting.is_empty() {
            return illegal(format!("the undo of {step} does not wait for anybody now"));
        }
        for place in waiting {
            self.undo_done(place, by_hand);
        }
        self.failure = None;
        self.thaw();
        Ok(())
    }

    fn retry(&mut self, step: &StepId, host: Option<&HostName>) -> Result<(), Illegal> {
        let i = self.step_index(step)?;
        if self.leg == Leg::Back
            && let Some(place) = self.asked_before_undo(i, host)
        {
            // It did not happen: there is nothing to undo.
            self.undo_done(place, false);
            return Ok(());
        }
        let mut moved = false;
        for place in self.places(i, host) {
            let cell = self.cell_mut(place);
            cell.phase = match cell.phase {
                Phase::Failed | Phase::Asked => Phase::Todo,
                Phase::UndoFailed | Phase::UndoAsked => Phase::Done,
                _ => continue,
            };
            (cell.tries, cell.failed_at) = (0, None);
            moved = true;
        }
        if !moved {
            return illegal(format!("nothing of step {step} failed or is unknown"));
        }
        self.clear_failure();
        self.thaw();
        Ok(())
    }

    /// A step is left out: by its condition, or by a person who takes it on themselves.
    fn skipped(&mut self, entry: &Entry, step: &StepId, because: &str) -> Result<(), Illegal> {
        let i = self.step_index(step)?;
        if self.steps[i]
            .cells
            .iter()
            .any(|cell| matches!(cell.phase, Phase::Active(_)))
        {
            return illegal(format!("a command of step {step} is under way"));
        }
        if self.leg == Leg::Back {
            let Some(place) = self.undo.last().copied().filter(|place| place.0 == i) else {
                return illegal(format!("the undo of {step} does not come next"));
            };
            self.undo_done(place, false);
        } else {
            if self.steps[i].finished || !self.ready.contains(&i) {
                return illegal(format!("step {step} does not come next"));
            }
            for h in 0..self.steps[i].cells.len() {
                let cell = self.cell_mut((i, h));
                // What was begun stays on the list of what is undone.
                cell.phase = if cell.started.is_some() {
                    Phase::Done
                } else {
                    Phase::Skipped
                };
                if cell.started.is_some() {
                    let _kept = cell.completed.get_or_insert(entry.seq);
                }
            }
            self.steps[i].skipped = Some(because.to_owned());
            self.finish(i);
        }
        self.clear_failure();
        self.thaw();
        Ok(())
    }

    /// Forgets the first failure once nothing of it is left, and finds the next.
    fn clear_failure(&mut self) {
        let still = |phase: &Phase| matches!(phase, Phase::Failed | Phase::UndoFailed);
        if self
            .failure
            .as_ref()
            .is_some_and(|f| !still(&self.cell(f.place).phase))
        {
            self.failure = None;
            let place = (0..self.steps.len())
                .flat_map(|i| (0..self.steps[i].cells.len()).map(move |h| (i, h)))
                .find(|place| still(&self.cell(*place).phase));
            self.failure = place.map(|place| Failure {
                place,
                because: format!("{}{} failed", self.plan.steps[place.0].id(), self.on(place)),
            });
        }
    }

    fn resumed(&mut self) -> Result<(), Illegal> {
        let harmed = self.harm.is_some() && matches!(self.mode, Mode::Frozen { .. });
        if self.paused.is_none() && !harmed {
            return illegal("the run is not paused");
        }
        self.paused = None;
        if harmed {
            // A person takes it on themselves: the watch begins anew.
            (self.harm, self.watch) = (None, None);
            self.thaw();
        }
        Ok(())
    }

    fn thaw(&mut self) {
        if matches!(self.mode, Mode::Frozen { .. }) {
            self.mode = Mode::Going;
        }
    }

    fn leg_began(&mut self, leg: Leg, planned: bool, because: &str) -> Result<(), Illegal> {
        if !self.active.is_empty() {
            return illegal("the run cannot turn while a command is under way");
        }
        match leg {
            Leg::Forward => return illegal("a run goes forward first only once"),
            Leg::Back if self.leg == Leg::Back => {
                return illegal("the run is going back already");
            }
            Leg::Back => {
                self.turned = (!planned).then(|| because.to_owned());
                self.undo = self.undo_stack();
                (self.failure, self.watch, self.rollback) = (None, None, None);
            }
            Leg::Again if self.leg == Leg::Back && self.undo.is_empty() && self.rehearsal() => {}
            Leg::Again => return illegal("only a rehearsal that went back goes forward again"),
        }
        self.leg = leg;
        if leg == Leg::Again {
            self.begin_forward();
        }
        Ok(())
    }
}

/// Whether the undo of a place in this phase may begin. Where nobody knows
/// whether the deed was done, that is settled first.
fn undoable(phase: &Phase) -> bool {
    matches!(
        phase,
        Phase::Done | Phase::Did | Phase::Failed | Phase::Todo | Phase::Cleared
    )
}

/// How a run ended, to follow `it`.
fn said(outcome: crate::event::Outcome) -> &'static str {
    use crate::event::Outcome;
    match outcome {
        Outcome::Succeeded => "succeeded",
        Outcome::RolledBack => "was rolled back",
        Outcome::Stopped => "was stopped",
        Outcome::Aborted => "was aborted",
    }
}
