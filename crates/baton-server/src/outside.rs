//! What is known at any moment without asking the ledger: what the public may
//! read, and who may come in.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock};

use baton_core::event::{Leg, Outcome};
use baton_core::id::Handle;
use baton_core::run::state::Mode;
use baton_engine::desk::Desk;

use crate::view::board::Board;
use crate::wire::StatusView;

/// The same for all parts of a room.
pub(crate) type Shared = Arc<RwLock<Outside>>;

/// What is known.
#[derive(Default)]
pub(crate) struct Outside {
    /// What the status page says; nothing before the ledger was read.
    pub(crate) status: Option<StatusView>,
    /// The people of the contract.
    pub(crate) known: BTreeSet<Handle>,
}

/// Makes known how things stand; `launch` is the latest one.
pub(crate) fn publish(shared: &Shared, desk: &Desk, launch: Option<&Board>) {
    let mut outside = shared.write().unwrap_or_else(PoisonError::into_inner);
    outside.known = desk.contract.people.keys().cloned().collect();
    outside.status = Some(status(desk, launch));
}

/// Where a launch stands, in words for those who wait for it. They know nothing
/// of steps and hosts, and are told none.
fn status(desk: &Desk, launch: Option<&Board>) -> StatusView {
    let contract = &desk.contract;
    let name = &contract.name.value;
    let Some(board) = launch else {
        return StatusView {
            name: name.clone(),
            version: String::new(),
            state: "fine".to_owned(),
            says: format!("{name} runs as usual."),
            since: None,
        };
    };
    let state = &board.state;
    let version = &state.plan.contract.release.version.value;
    let (word, says) = match (&state.mode, state.leg) {
        (Mode::Ended { outcome, .. }, _) => match outcome {
            Outcome::Succeeded => ("fine", format!("{name} was updated to {version}.")),
            Outcome::RolledBack => (
                "fine",
                format!("{name} runs as before: an update was taken back."),
            ),
            Outcome::Aborted => ("fine", format!("{name} runs as before.")),
            Outcome::Stopped => (
                "trouble",
                format!("An update of {name} was stopped. People are working on it."),
            ),
        },
        (Mode::Frozen { .. }, _) => (
            "trouble",
            format!("An update of {name} does not go as planned. People are working on it."),
        ),
        (Mode::Going, Leg::Back) => (
            "trouble",
            format!("An update of {name} is being taken back."),
        ),
        (Mode::Going, _) => ("going", format!("{name} is being updated to {version}.")),
    };
    StatusView {
        name: name.clone(),
        version: version.clone(),
        state: word.to_owned(),
        says,
        since: Some(board.ended_at.unwrap_or(match state.mode {
            Mode::Frozen { .. } => board.turned_at,
            _ if state.leg == Leg::Back => board.turned_at,
            _ => state.opened_at,
        })),
    }
}
