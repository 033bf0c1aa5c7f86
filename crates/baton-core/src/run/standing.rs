//! Where each step stands on each host, in the words people use. Only for
//! showing: nothing is decided by it.

use jiff::Timestamp;

use super::state::{Phase, State};
use crate::event::{FenceRole, Leg};
use crate::id::{AttemptId, Handle, HostName};

/// Where a step stands on one host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stands {
    /// Nothing was done yet.
    Waiting,
    /// Under way, or done and still to be seen by its `verify`.
    Running,
    /// In effect.
    Succeeded,
    /// The deed or its undo failed.
    Failed,
    /// Nobody knows.
    Unknown,
    /// Being undone, or undone and still to be seen.
    Undoing,
    /// Undone.
    Undone,
    /// Left out.
    Skipped,
}

/// One step on one host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing<'a> {
    /// The host.
    pub host: &'a HostName,
    /// Where it stands.
    pub stands: Stands,
    /// The attempt under way.
    pub attempt: Option<&'a AttemptId>,
    /// Tries of the deed in the present leg.
    pub tries: u32,
}

impl State {
    /// Each host of the step at `index` of the plan, in the order of the plan;
    /// nothing for a step that is not there.
    pub fn standing(&self, index: usize) -> impl Iterator<Item = Standing<'_>> {
        let step = self.plan.steps.get(index);
        let hosts = step.into_iter().flat_map(|step| step.hosts());
        let state = self.steps.get(index);
        let cells = state.into_iter().flat_map(|state| &state.cells);
        hosts.zip(cells).map(move |(host, cell)| {
            let left_out = state.is_some_and(|state| state.skipped.is_some());
            let (stands, attempt) = match &cell.phase {
                Phase::Active(attempt) => (self.under_way(attempt), Some(attempt)),
                Phase::Todo | Phase::Cleared if left_out => (Stands::Skipped, None),
                Phase::Todo | Phase::Cleared => (Stands::Waiting, None),
                Phase::Did => (Stands::Running, None),
                Phase::Done => (Stands::Succeeded, None),
                Phase::Skipped => (Stands::Skipped, None),
                Phase::Failed | Phase::UndoFailed => (Stands::Failed, None),
                Phase::Unknown | Phase::Asked | Phase::UndoUnknown | Phase::UndoAsked => {
                    (Stands::Unknown, None)
                }
                Phase::Undid => (Stands::Undoing, None),
                Phase::Undone => (Stands::Undone, None),
            };
            Standing {
                host,
                stands,
                attempt,
                tries: cell.tries,
            }
        })
    }

    fn under_way(&self, attempt: &AttemptId) -> Stands {
        let back = self.active.get(attempt).is_some_and(|attempt| {
            attempt.role == FenceRole::Undo
                || matches!(attempt.before, Phase::Undid | Phase::UndoUnknown)
        });
        if back {
            Stands::Undoing
        } else {
            Stands::Running
        }
    }

    /// Whether nothing is left to do of the step at `index` in the present leg.
    pub fn is_finished(&self, index: usize) -> bool {
        self.steps.get(index).is_some_and(|step| step.finished)
    }

    /// Why the step at `index` is left out, when it is.
    pub fn left_out(&self, index: usize) -> Option<&str> {
        self.steps.get(index)?.skipped.as_deref()
    }

    /// Who has approved the step at `index`.
    pub fn approvals(&self, index: usize) -> impl Iterator<Item = &Handle> {
        self.steps
            .get(index)
            .into_iter()
            .flat_map(|step| &step.approved)
    }

    /// Since when the step at `index` has waited: when something was last done
    /// about it, or people were called for it.
    pub fn waits_since(&self, index: usize) -> Option<Timestamp> {
        Some(self.steps.get(index)?.since.max(self.went_on))
    }

    /// What going back would undo now, the first first; a step once for each of
    /// its hosts that is in effect.
    pub fn way_back(&self) -> Vec<(usize, &HostName)> {
        let stack = if self.leg == Leg::Back {
            self.undo.clone()
        } else {
            self.undo_stack()
        };
        let places = stack.into_iter().rev();
        places.map(|place| (place.0, self.host(place))).collect()
    }
}
