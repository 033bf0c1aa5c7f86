//! What drivers leave on the hosts of a run, and when it may go.
//!
//! It promises that a place which was closed stays closed as long as the driver
//! may live that meant to start something there. It keeps nothing that the
//! ledger does not have.

use std::collections::{BTreeMap, VecDeque};

use baton_core::event::Event;
use baton_core::id::{AttemptId, Epoch};
use baton_core::ledger::Entry;
use baton_core::run::State;
use baton_core::run::next::ACTIVE_MOST;

use crate::world::World;

/// What earlier drivers of a run may have left on its hosts.
#[derive(Debug, Default)]
pub(super) struct Past {
    /// Who they were.
    drivers: BTreeMap<Epoch, String>,
    /// Attempts that were closed before they started, and whose they were.
    closed: BTreeMap<AttemptId, Epoch>,
    /// The attempts that ended last: a driver that died with their end just
    /// appended has not told the world.
    ended: VecDeque<AttemptId>,
}

impl Past {
    /// An attempt is about to be voided in this state.
    pub(super) fn closes(&mut self, attempt: &AttemptId, state: &State) {
        if let Some((_, begun)) = state.active().find(|(id, _)| *id == attempt) {
            let _new = self.closed.insert(attempt.clone(), begun.epoch);
        }
    }

    /// Takes the next entry; `before` is the state in which it comes.
    pub(super) fn see(&mut self, entry: &Entry, before: Option<&State>) {
        match &entry.event {
            Event::DriverTook { epoch, holder } => {
                let _new = self.drivers.insert(*epoch, holder.clone());
            }
            Event::AttemptVoided { attempt } => {
                if let Some(before) = before {
                    self.closes(attempt, before);
                }
            }
            Event::AttemptEnded { attempt, .. } => {
                if self.ended.len() == ACTIVE_MOST {
                    let _oldest = self.ended.pop_front();
                }
                self.ended.push_back(attempt.clone());
            }
            _ => {}
        }
    }

    /// Tells the world what may go: what ended, and what was closed if the
    /// driver is gone that meant to start it. One that lives may be slow, and
    /// must find its place closed.
    pub(super) fn settle(&mut self, world: &mut impl World) {
        for attempt in self.ended.drain(..) {
            world.settled(&attempt);
        }
        let (drivers, mut gone) = (&self.drivers, BTreeMap::new());
        self.closed.retain(|attempt, epoch| {
            let gone = gone.entry(*epoch).or_insert_with(|| {
                let holder = drivers.get(epoch);
                holder.is_some_and(|holder| world.gone(holder))
            });
            if *gone {
                world.settled(attempt);
            }
            !*gone
        });
    }
}
