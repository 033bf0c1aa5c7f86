//! Who sits in the room, as the driver of a launch sees it: the leases of the
//! seats, read now and then. What follows from them the core says.

use std::collections::BTreeSet;

use baton_core::event::Event;
use baton_core::id::Handle;
use baton_core::run::State;
use baton_core::run::staff::{seats, sitting};
use baton_core::time::Duration;
use baton_store::{Log, StoreError};
use jiff::Timestamp;

/// How often the seats are read. A seat lasts for seconds without a sign of
/// life, so that a second more makes no difference to anybody.
const ROLL_CALL: Duration = Duration::from_secs(1);

/// What the last look at the seats found.
#[derive(Default)]
pub(super) struct Roll {
    next: Option<Timestamp>,
    present: BTreeSet<Handle>,
}

impl Roll {
    /// Reads the seats when it is time, and says what follows.
    pub(super) fn call(
        &mut self,
        log: &mut impl Log,
        state: &State,
        now: Timestamp,
    ) -> Result<Vec<Event>, StoreError> {
        if !state.needs_staff() || self.next.is_some_and(|next| now < next) {
            return Ok(Vec::new());
        }
        self.next = Some(ROLL_CALL.after(now));
        let handoff = &state.plan.handoff;
        let leases = log.leases(&seats(handoff), now)?;
        let present = sitting(handoff, leases.iter().map(|lease| lease.name.as_str()));
        let before = std::mem::replace(&mut self.present, present);
        Ok(state.staffing(&self.present, &before))
    }

    /// Until when to wait, so that the seats are read in time.
    pub(super) fn until(&self, state: &State, until: Option<Timestamp>) -> Option<Timestamp> {
        let next = self.next.filter(|_| state.needs_staff());
        until.into_iter().chain(next).min()
    }
}
