//! Who has to be there while a launch runs, and who is called when nobody answers.
//!
//! A seat in the room is a lease. The driver reads the seats; what follows from
//! them is said here, as events: a role that lost its last person, and one that
//! is covered again. A step that waits for a person is escalated along a fixed
//! chain, one rung each time its patience is over. Nothing here decides whether
//! the run goes on: that is [`next`](mod@super::next)'s to choose.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::next::not_before;
use super::state::{Illegal, Mode, State};
use super::waits::{Ask, Waiting, of_step};
use crate::event::{Event, Leg, RunKind};
use crate::handoff::plan::{Plan, Step};
use crate::id::{Handle, HandoffId, RoleName, StepId};
use crate::ledger::Entry;
use crate::time::Duration;

/// How long a step waits for a person before the next ones are called, when it
/// says nothing of how long it should take: long enough to read, look and
/// answer, short enough that a window of an hour survives several rungs.
pub const PATIENCE: Duration = Duration::from_secs(5 * 60);

/// The shortest patience, however short a step is expected to be: people need
/// this long to see that they are asked.
pub const PATIENCE_LEAST: Duration = Duration::from_secs(60);

/// What the names of all seats in the room of a handoff begin with; the rest is
/// the person, a slash, and what tells their seats apart.
pub fn seats(handoff: &HandoffId) -> String {
    format!("room/{handoff}/")
}

/// The people who sit in the room, by the names of the leases of its seats.
pub fn sitting<'a>(
    handoff: &HandoffId,
    leases: impl IntoIterator<Item = &'a str>,
) -> BTreeSet<Handle> {
    let prefix = seats(handoff);
    leases
        .into_iter()
        .filter_map(|name| name.strip_prefix(&prefix)?.split('/').next())
        .map(Handle::from)
        .collect()
}

impl State {
    /// Whether people have to be in the room now: in a launch with a room, on
    /// the way forward, while there are steps left. The way back is never held
    /// up by an empty chair.
    pub fn needs_staff(&self) -> bool {
        self.has_room()
            && self.mode == Mode::Going
            && self.leg == Leg::Forward
            && !self.ready.is_empty()
    }

    fn has_room(&self) -> bool {
        self.terms.what == RunKind::Launch && self.plan.contract.room.defined().is_some()
    }

    /// Whether the run begins nothing new, because nobody of a role is there.
    pub(super) fn short_staffed(&self) -> bool {
        self.needs_staff() && !self.unstaffed.is_empty()
    }

    /// What follows from who is in the room now, and who was when it was looked
    /// at before: roles that nobody holds any more, and those that somebody does
    /// again. Nothing while nobody has to be there.
    pub fn staffing(&self, present: &BTreeSet<Handle>, before: &BTreeSet<Handle>) -> Vec<Event> {
        if !self.needs_staff() {
            return Vec::new();
        }
        let contract = &self.plan.contract;
        let roles = contract.roles.keys();
        roles
            .filter_map(|role| {
                let holders = contract.holders(role);
                let of = |there: &BTreeSet<Handle>| -> Vec<Handle> {
                    let held = holders.iter().filter(|by| there.contains(*by));
                    held.cloned().collect()
                };
                let (by, role) = (of(present), role.clone());
                match (self.unstaffed.contains_key(&role), by.is_empty()) {
                    (false, true) if !holders.is_empty() => {
                        let gone = of(before);
                        let mut called = holders.clone();
                        called.retain(|by| !gone.contains(by));
                        if called.is_empty() {
                            called.clone_from(&gone);
                        }
                        Some(Event::RoleLost { role, gone, called })
                    }
                    (true, false) => Some(Event::RoleCovered { role, by }),
                    _ => None,
                }
            })
            .collect()
    }

    pub(super) fn role_lost(
        &mut self,
        role: &RoleName,
        gone: &[Handle],
        called: &[Handle],
    ) -> Result<(), Illegal> {
        let holders = self.plan.contract.holders(role);
        if !self.needs_staff() {
            return Err(Illegal("nobody has to be in the room now".to_owned()));
        }
        if self.unstaffed.contains_key(role) {
            return Err(Illegal(format!("{role} is known to be lost")));
        }
        let known = |people: &[Handle]| people.iter().all(|by| holders.contains(by));
        if called.is_empty() || !known(called) || !known(gone) {
            return Err(Illegal(format!("{role} is not theirs")));
        }
        let _new = self.unstaffed.insert(role.clone(), called.to_vec());
        Ok(())
    }

    pub(super) fn role_covered(
        &mut self,
        entry: &Entry,
        role: &RoleName,
        by: &[Handle],
    ) -> Result<(), Illegal> {
        let holders = self.plan.contract.holders(role);
        if by.is_empty() || !by.iter().all(|by| holders.contains(by)) {
            return Err(Illegal(format!("{role} is not theirs")));
        }
        if self.unstaffed.remove(role).is_none() {
            return Err(Illegal(format!("{role} was not lost")));
        }
        self.went_on = entry.at;
        Ok(())
    }

    /// When and to whom a step that waits is escalated next; `None` in a
    /// rehearsal, and once everybody in the chain was called.
    pub(super) fn escalates(&self, waiting: &Waiting) -> Option<(Timestamp, Event)> {
        let id = waiting.step.as_ref()?;
        let i = self.step_index(id).ok()?;
        let to = self.next_rung(i, waiting)?;
        let step = &self.plan.steps[i];
        let patience = patience(step);
        let since = self.steps[i].since.max(self.went_on);
        let since = not_before(self, step).map_or(since, |at| since.max(at));
        let event = Event::Escalated {
            step: id.clone(),
            to,
            after: patience,
        };
        Some((patience.after(since), event))
    }

    fn next_rung(&self, i: usize, waiting: &Waiting) -> Option<Vec<Handle>> {
        if self.terms.what != RunKind::Launch {
            return None;
        }
        let called = &self.steps[i].escalated;
        let rungs = rungs(&self.plan, &self.plan.steps[i], waiting).into_iter();
        rungs.skip(1).find(|rung| !called.contains(&rung[0]))
    }

    pub(super) fn escalated(
        &mut self,
        entry: &Entry,
        step: &StepId,
        to: &[Handle],
    ) -> Result<(), Illegal> {
        let i = self.step_index(step)?;
        let waiting = of_step(self, i, entry.at);
        let rung = waiting.and_then(|waiting| self.next_rung(i, &waiting));
        if rung.as_deref() != Some(to) {
            return Err(Illegal(format!("step {step} does not wait for them now")));
        }
        self.steps[i].escalated.extend_from_slice(to);
        self.steps[i].since = entry.at;
        Ok(())
    }

    /// Something was done about a step: whoever waits for it has patience anew.
    pub(super) fn stir(&mut self, i: usize, at: Timestamp) {
        self.steps[i].since = at;
        self.steps[i].escalated.clear();
    }
}

fn patience(step: &Step) -> Duration {
    let meant = step.written.expect.unwrap_or(PATIENCE);
    meant.max(PATIENCE_LEAST)
}

/// The chain of a step: those who are asked, the backups, the rest of the
/// owners' teams, the launch-lead and the rollback-decider, each person once.
fn rungs(plan: &Plan, step: &Step, waiting: &Waiting) -> Vec<Vec<Handle>> {
    let contract = &plan.contract;
    let asked = match waiting.ask {
        Ask::Approve { .. } | Ask::ExtendWindow => waiting.people.clone(),
        _ => step.owners.clone(),
    };
    let teams = contract
        .teams
        .keys()
        .filter_map(|team| contract.members(team));
    let theirs = teams.filter(|team| team.iter().any(|by| step.owners.contains(by)));
    let mut seen = BTreeSet::new();
    let rungs = [
        asked,
        step.backups.clone(),
        theirs.flatten().collect(),
        contract.holders("launch-lead"),
        contract.holders("rollback-decider"),
    ];
    let rungs = rungs.into_iter().map(|mut rung| {
        rung.retain(|by| seen.insert(by.clone()));
        rung
    });
    rungs.filter(|rung| !rung.is_empty()).collect()
}
