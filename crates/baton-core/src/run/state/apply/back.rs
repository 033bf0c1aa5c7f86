//! The way back: what is undone, what could not be, and who said so.

use jiff::Timestamp;

use super::{Attempt, Illegal, Place, State, illegal};
use crate::event::{Ending, FenceRole, Leg};
use crate::handoff::runbook::Fence;
use crate::id::{HostName, StepId};
use crate::run::state::{Failure, Phase, fence};

impl State {
    pub(super) fn leg_began(
        &mut self,
        at: Timestamp,
        (leg, planned, because): (Leg, bool, &str),
    ) -> Result<(), Illegal> {
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
        (self.leg, self.went_on) = (leg, at);
        if leg == Leg::Again {
            self.begin_forward(at);
        }
        Ok(())
    }

    pub(super) fn undo_ended(&mut self, place: Place, end: &Ending) {
        let step = &self.plan.steps[place.0];
        let verified = fence(step, FenceRole::Verify).is_some();
        // A verify that would have refused before the undo began proves nothing by refusing now.
        let tells = verified && self.cell(place).completed.is_some();
        match end {
            Ending::Succeeded if verified => self.cell_mut(place).phase = Phase::Undid,
            Ending::Succeeded => self.undo_done(place, true),
            Ending::Unknown { .. } if tells => self.cell_mut(place).phase = Phase::UndoUnknown,
            Ending::Unknown { .. } => self.undo_again_or_ask(place),
            _ => {
                let because = format!("undo of {}{} {}", step.id(), self.on(place), end.says());
                self.undo_failed(place, because);
            }
        }
    }

    /// `verify` looked, on the way back: the step must no longer be in effect.
    pub(super) fn undo_seen(&mut self, attempt: &Attempt, end: &Ending) {
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

    pub(super) fn on(&self, place: Place) -> String {
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
    pub(super) fn undo_done(&mut self, place: Place, proven: bool) {
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

    /// The next place to be undone, when only its owner can say whether there
    /// is anything to undo.
    pub(super) fn asked_before_undo(&self, i: usize, host: Option<&HostName>) -> Option<Place> {
        let place = self.undo.last().copied()?;
        let meant = self.places(i, host).contains(&place);
        (meant && self.cell(place).phase == Phase::Asked).then_some(place)
    }

    pub(super) fn undo_done_by_person(
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
            .is_some_and(Fence::is_text);
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
}

/// Whether the undo of a place in this phase may begin. Where nobody knows
/// whether the deed was done, that is settled first.
pub(super) fn undoable(phase: &Phase) -> bool {
    matches!(
        phase,
        Phase::Done | Phase::Did | Phase::Failed | Phase::Todo | Phase::Cleared
    )
}
