//! Who has to do what: every person's next action, from the state alone.

use jiff::Timestamp;

use super::next::not_before;
use super::state::{Mode, Phase, State, fence};
use crate::event::{FenceRole, Leg};
use crate::handoff::plan::Step;
use crate::id::{Handle, HostName, RoleName, StepId};

/// Something a person is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The step, when it is about one.
    pub step: Option<StepId>,
    /// The hosts it is about; empty when it is about the step as a whole.
    pub hosts: Vec<HostName>,
    /// The people who may answer: owners first, then backups.
    pub people: Vec<Handle>,
    /// Those who were called since, because nobody answered, in that order.
    pub escalated_to: Vec<Handle>,
    /// What is asked.
    pub ask: Ask,
}

/// What a person is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Do the step and tick its list.
    Do {
        /// The list.
        tasks: Vec<String>,
    },
    /// Approve the step.
    Approve {
        /// Approvals still missing.
        missing: u32,
    },
    /// Undo the step by hand, as written.
    UndoByHand {
        /// The instruction.
        instruction: String,
    },
    /// Say whether the step took effect: nobody else can know.
    SettleRun,
    /// Say whether the undo took effect: nobody else can know.
    SettleUndo,
    /// Decide how a frozen run goes on.
    Decide {
        /// Why it is frozen.
        because: String,
        /// Whether the judge found harm.
        harm: bool,
    },
    /// Let the run go on past the end of its window.
    ExtendWindow,
    /// Let a paused run go on.
    Resume {
        /// Who paused it.
        by: Handle,
        /// Why.
        because: Option<String>,
    },
    /// Sit down in the room: nobody of these roles is there.
    Cover {
        /// The roles.
        roles: Vec<RoleName>,
    },
    /// Take over the running release.
    AcceptLive,
}

/// Everything people are asked for now, in the order of the plan. Empty while
/// machines work, and when the run is over.
pub fn waits(state: &State, now: Timestamp) -> Vec<Waiting> {
    let of_role = |role: &str| state.plan.contract.holders(role);
    let plain = |people, ask| Waiting {
        step: None,
        hosts: Vec::new(),
        people,
        escalated_to: Vec::new(),
        ask,
    };
    match &state.mode {
        Mode::Ended { .. } => return Vec::new(),
        Mode::Frozen { because } => {
            let ask = Ask::Decide {
                because: because.clone(),
                harm: state.harm.is_some(),
            };
            let step = state
                .failure
                .as_ref()
                .map(|f| state.plan.steps[f.place.0].id().clone());
            return vec![Waiting {
                step,
                hosts: Vec::new(),
                people: of_role("rollback-decider"),
                escalated_to: Vec::new(),
                ask,
            }];
        }
        Mode::Going => {}
    }
    if let Some(paused) = &state.paused {
        let ask = Ask::Resume {
            by: paused.by.clone(),
            because: paused.because.clone(),
        };
        return vec![plain(of_role("launch-lead"), ask)];
    }
    if state.leg == Leg::Back {
        return undo_waits(state).into_iter().collect();
    }
    if state.short_staffed() {
        let roles = state.unstaffed.keys().cloned().collect();
        let mut called: Vec<Handle> = Vec::new();
        for by in state.unstaffed.values().flatten() {
            if !called.contains(by) {
                called.push(by.clone());
            }
        }
        return vec![plain(called, Ask::Cover { roles })];
    }
    let mut waits: Vec<Waiting> = state
        .ready
        .iter()
        .filter_map(|i| step_waits(state, *i, now))
        .collect();
    if state.awaits_acceptance() {
        let receivers = state
            .plan
            .contract
            .members(&state.plan.contract.to)
            .unwrap_or_default();
        waits.push(plain(receivers, Ask::AcceptLive));
    }
    waits
}

fn undo_waits(state: &State) -> Option<Waiting> {
    let &place = state.undo.last()?;
    let step = &state.plan.steps[place.0];
    let ask = match (&state.cell(place).phase, &step.written.undo) {
        (Phase::Asked, _) => Ask::SettleRun,
        (Phase::UndoAsked, _) => Ask::SettleUndo,
        (Phase::Undone | Phase::Active(_), _) => return None,
        (_, Some(undo)) if undo.is_text() => Ask::UndoByHand {
            instruction: undo.body.clone(),
        },
        _ => return None,
    };
    Some(Waiting {
        step: Some(step.id().clone()),
        hosts: named([state.host(place)]),
        people: step.people().cloned().collect(),
        escalated_to: state.steps[place.0].escalated.clone(),
        ask,
    })
}

/// What people are asked about this step.
pub(super) fn of_step(state: &State, i: usize, now: Timestamp) -> Option<Waiting> {
    if state.leg == Leg::Back {
        let next = state.undo.last().is_some_and(|place| place.0 == i);
        return undo_waits(state).filter(|_| next);
    }
    let ready = state.ready.contains(&i);
    ready.then(|| step_waits(state, i, now)).flatten()
}

fn step_waits(state: &State, i: usize, now: Timestamp) -> Option<Waiting> {
    let step: &Step = &state.plan.steps[i];
    let cells = &state.steps[i].cells;
    let asks = |ask| {
        let people = step.people().cloned().collect();
        Some(Waiting {
            step: Some(step.id().clone()),
            hosts: Vec::new(),
            people,
            escalated_to: state.steps[i].escalated.clone(),
            ask,
        })
    };
    if state.held(step) || not_before(state, step).is_some_and(|at| now < at) {
        return None;
    }
    if cells.iter().any(|cell| cell.phase == Phase::Asked) {
        let asked = step
            .hosts()
            .zip(cells)
            .filter(|(_, cell)| cell.phase == Phase::Asked);
        let hosts = named(asked.map(|(host, _)| host));
        return asks(Ask::SettleRun).map(|waiting| Waiting { hosts, ..waiting });
    }
    let fresh = cells
        .iter()
        .all(|cell| matches!(cell.phase, Phase::Todo | Phase::Cleared));
    if !fresh {
        return None;
    }
    if let Some(approve) = &step.written.approve {
        let given = u32::try_from(state.steps[i].approved.len()).unwrap_or(u32::MAX);
        if given < approve.count {
            let mut people = state.plan.contract.members(&approve.of).unwrap_or_default();
            people.retain(|person| !state.steps[i].approved.contains(person));
            let ask = Ask::Approve {
                missing: approve.count - given,
            };
            return asks(ask).map(|waiting| Waiting { people, ..waiting });
        }
    }
    if state.past_window(step, now) {
        let people = state.plan.contract.holders("launch-lead");
        return asks(Ask::ExtendWindow).map(|waiting| Waiting { people, ..waiting });
    }
    // Only the open stage is cleared: the others would never be.
    let open = state
        .open_stage(i)
        .map_or(&[][..], |(_, stage)| &cells[stage]);
    let clearing = fence(step, FenceRole::Preflight).is_some()
        && open.iter().any(|cell| cell.phase == Phase::Todo);
    let own = step.by_person() && !clearing && state.startable(i, now);
    if own {
        asks(Ask::Do {
            tasks: step.written.tasks.clone(),
        })
    } else {
        None
    }
}

/// Hosts by name; the contract's own folder needs none.
fn named<'a>(hosts: impl IntoIterator<Item = &'a HostName>) -> Vec<HostName> {
    hosts
        .into_iter()
        .filter(|host| !host.is_here())
        .cloned()
        .collect()
}
