//! What people say to a run: that a step is done, again, left out; halt, go on, turn back.

use super::{Illegal, State, either, illegal};
use crate::diag::list;
use crate::event::{FenceRole, Leg};
use crate::id::{Handle, HostName, StepId};
use crate::ledger::Entry;
use crate::run::state::{Call, Failure, Mode, Phase, fence};

impl Call {
    pub(super) fn of(entry: &Entry, because: &Option<String>) -> Self {
        Self {
            by: entry.by.clone(),
            because: because.clone(),
        }
    }
}

impl State {
    pub(super) fn pause(&mut self, call: Call) -> Result<(), Illegal> {
        if self.paused.is_some() {
            return illegal("the run is paused already");
        }
        self.paused = Some(call);
        Ok(())
    }

    pub(super) fn call_back(&mut self, call: Call) -> Result<(), Illegal> {
        if self.leg == Leg::Back && self.mode == Mode::Going {
            return illegal("the run is going back already");
        }
        self.rollback = Some(call);
        self.paused = None;
        self.thaw();
        Ok(())
    }

    /// The launch-lead, or who stands in, answers for going on past the window.
    pub(super) fn extended_by(&mut self, by: &Handle) -> Result<(), Illegal> {
        let people = self.plan.contract.holders("launch-lead");
        if !people.contains(by) {
            let who = either(&people);
            return illegal(format!(
                "only {who} may let the run go on past its window, not {by}"
            ));
        }
        self.extended = true;
        Ok(())
    }

    pub(super) fn approved(&mut self, by: &Handle, step: &StepId) -> Result<(), Illegal> {
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
    pub(super) fn done(
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

    pub(super) fn retry(&mut self, step: &StepId, host: Option<&HostName>) -> Result<(), Illegal> {
        let i = self.step_index(step)?;
        if self.leg == Leg::Back
            && let Some(place) = self.asked_before_undo(i, host)
        {
            // It did not happen: there is nothing to undo.
            self.undo_done(place, false);
            return Ok(());
        }
        let back = self.leg == Leg::Back;
        let mut moved = false;
        for place in self.places(i, host) {
            let cell = self.cell_mut(place);
            cell.phase = match cell.phase {
                // On the way back nothing is done again, and whether there is
                // anything to undo is asked when its turn has come.
                Phase::Failed | Phase::Asked if !back => Phase::Todo,
                Phase::UndoFailed | Phase::UndoAsked => Phase::Done,
                _ => continue,
            };
            (cell.tries, cell.failed_at) = (0, None);
            moved = true;
        }
        if !moved {
            return illegal(if back {
                format!("the undo of step {step} does not wait for anybody now")
            } else {
                format!("nothing of step {step} failed or is unknown")
            });
        }
        self.clear_failure();
        self.thaw();
        Ok(())
    }

    /// A step is left out: by its condition, or by a person who takes it on themselves.
    pub(super) fn skipped(
        &mut self,
        entry: &Entry,
        step: &StepId,
        because: &str,
    ) -> Result<(), Illegal> {
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
            self.finish(i, entry.at);
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

    pub(super) fn resumed(&mut self) -> Result<(), Illegal> {
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

    pub(super) fn thaw(&mut self) {
        if matches!(self.mode, Mode::Frozen { .. }) {
            self.mode = Mode::Going;
        }
    }
}
