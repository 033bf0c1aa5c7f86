//! What is whose: one duty for each step, criterion, measure and role.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::gate::{LAUNCH_LEAD, ROLLBACK_DECIDER, bound, members};
use crate::handoff::contract::{At, Contract, Criterion, Measure, Role};
use crate::handoff::plan::{Plan, Step};
use crate::handoff::runbook;
use crate::id::{Digest, Handle};

/// What a person is asked to accept: everything they own or back up, by key
/// (`step:ID`, `criterion:ID`, `measure:ID`, `role:NAME`), each with the digest
/// of what it is now, owner and backup included, layout left out.
pub fn items_of(plan: &Plan, person: &Handle) -> BTreeMap<String, Digest> {
    duties(plan)
        .into_iter()
        .filter(|duty| duty.owners.contains(person) || duty.backups.contains(person))
        .map(|duty| (duty.key(), duty.of.digest()))
        .collect()
}

/// The digest of one item as [`items_of`] has it; `None` when the plan has no such item.
pub fn item_digest(plan: &Plan, key: &str) -> Option<Digest> {
    duties(plan)
        .into_iter()
        .find(|duty| duty.key() == key)
        .map(|duty| duty.of.digest())
}

/// One thing that somebody owns, and who stands in. A single owner is not
/// among the backups.
pub(super) struct Duty<'a> {
    pub(super) of: Item<'a>,
    pub(super) owners: Vec<Handle>,
    pub(super) backups: Vec<Handle>,
}

impl<'a> Duty<'a> {
    fn new(of: Item<'a>, owners: Vec<Handle>, mut backups: Vec<Handle>) -> Self {
        if let [only] = owners.as_slice() {
            backups.retain(|by| by != only);
        }
        Self {
            of,
            owners,
            backups,
        }
    }

    /// The key by which it is accepted.
    pub(super) fn key(&self) -> String {
        format!("{}:{}", self.of.kind(), self.of.name())
    }
}

/// What can be owned.
#[derive(Clone, Copy)]
pub(super) enum Item<'a> {
    Step(&'a Step),
    Criterion(&'a Criterion),
    Measure(&'a Measure),
    Role(&'a str, Option<&'a Role>),
}

impl<'a> Item<'a> {
    pub(super) fn kind(self) -> &'static str {
        match self {
            Self::Step(_) => "step",
            Self::Criterion(_) => "criterion",
            Self::Measure(_) => "measure",
            Self::Role(..) => "role",
        }
    }

    pub(super) fn name(self) -> &'a str {
        match self {
            Self::Step(step) => step.id().as_str(),
            Self::Criterion(criterion) => criterion.id.as_str(),
            Self::Measure(measure) => measure.id.as_str(),
            Self::Role(name, _) => name,
        }
    }

    /// The digest of the item as it was written, without where it stands in
    /// its file.
    pub(super) fn digest(self) -> Digest {
        match self {
            Self::Step(step) => step_digest(&step.written),
            Self::Criterion(criterion) => bound(criterion),
            Self::Measure(measure) => bound(measure),
            Self::Role(name, role) => bound(&(name, role)),
        }
    }
}

/// The digest of a step's attributes and fences, in the
/// order below: everything but its title, its phase and its lines.
fn step_digest(step: &runbook::Step) -> Digest {
    #[derive(Serialize)]
    struct Fence<'a>(&'a str, &'a str);
    fn fence(fence: Option<&runbook::Fence>) -> Option<Fence<'_>> {
        fence.map(|fence| Fence(&fence.lang, &fence.body))
    }
    bound(&(
        (&step.id, &step.owner, &step.backup),
        (&step.after, &step.on, step.expect, step.timeout),
        (step.retry, step.at, &step.when, &step.secrets),
        (step.changes, &step.no_way_back, step.safe_to_repeat),
        (&step.only_in, &step.approve, step.watch, &step.tasks),
        (
            fence(step.run.as_ref()),
            fence(step.verify.as_ref()),
            fence(step.undo.as_ref()),
            fence(step.preflight.as_ref()),
        ),
    ))
}

/// Everything that somebody owns, in the order of the files.
pub(super) fn duties(plan: &Plan) -> Vec<Duty<'_>> {
    let contract = &plan.contract;
    let needed = [LAUNCH_LEAD, ROLLBACK_DECIDER];
    let missing = needed
        .into_iter()
        .filter(|name| !contract.roles.contains_key(*name))
        .map(|name| (name, None));
    let held = contract.roles.iter();
    let roles = held.map(|(name, role)| (name.as_str(), Some(role)));
    let roles = roles.chain(missing).map(|(name, role)| {
        let who = |of: fn(&Role) -> Option<&At<String>>| people(contract, role.and_then(of));
        let (owners, backups) = (who(|r| r.owner.as_ref()), who(|r| r.backup.as_ref()));
        Duty::new(Item::Role(name, role), owners, backups)
    });
    let criteria = contract.done.iter().map(|criterion| {
        let owners = people(contract, criterion.owner.as_ref());
        let backups = or_team(contract, criterion.backup.as_ref(), &owners);
        Duty::new(Item::Criterion(criterion), owners, backups)
    });
    let measures = contract.success.defined().into_iter().flatten();
    let measures = measures.map(|measure| {
        let owners = people(contract, measure.owner.as_ref());
        let backups = or_team(contract, measure.backup.as_ref(), &owners);
        Duty::new(Item::Measure(measure), owners, backups)
    });
    let steps = plan.steps.iter().map(|step| {
        let (owners, backups) = (step.owners.clone(), step.backups.clone());
        Duty::new(Item::Step(step), owners, backups)
    });
    roles.chain(criteria).chain(measures).chain(steps).collect()
}

fn people(contract: &Contract, who: Option<&At<String>>) -> Vec<Handle> {
    who.map_or_else(Vec::new, |who| members(contract, who))
}

/// Who is written, else the rest of the owners' teams.
fn or_team(contract: &Contract, who: Option<&At<String>>, owners: &[Handle]) -> Vec<Handle> {
    if who.is_some() {
        return people(contract, who);
    }
    let mut rest: Vec<Handle> = Vec::new();
    let teams = contract.teams.values();
    for team in teams.filter(|team| team.iter().any(|by| owners.contains(&by.value))) {
        let more = team.iter().map(|member| &member.value);
        let new: Vec<Handle> = more.filter(|by| !rest.contains(by)).cloned().collect();
        rest.extend(new);
    }
    rest
}
