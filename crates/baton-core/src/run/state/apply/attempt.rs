//! What machines did: attempts begin, end, or never were.

use std::collections::BTreeMap;

use super::back::undoable;
use super::{Attempt, Illegal, Place, State, illegal};
use crate::event::{Ending, FenceRole, Leg};
use crate::id::{AttemptId, Epoch};
use crate::ledger::Entry;
use crate::run::state::{Failure, Mode, Phase, fence};

impl State {
    pub(super) fn started(
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

    pub(super) fn voided(&mut self, id: &AttemptId) -> Result<(), Illegal> {
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

    pub(super) fn attempt_ended(
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

    pub(super) fn complete(&mut self, entry: &Entry, place: Place) {
        let cell = self.cell_mut(place);
        cell.phase = Phase::Done;
        cell.completed = Some(entry.seq);
        let _first = cell.started.get_or_insert(entry.seq);
        self.finish_if_complete(place.0, entry.at);
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
}
