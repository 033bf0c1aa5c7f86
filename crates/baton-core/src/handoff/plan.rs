//! A plan: contract and runbook resolved for one environment.
//!
//! Every reference is checked, owners are people, and each step knows its
//! hosts in stages. The digests say what agreement and evidence are bound to.

mod digest;
mod order;
mod people;
mod places;
mod resolve;
mod variables;

#[cfg(test)]
mod digest_tests;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::Offset;

use serde::{Deserialize, Serialize};

use super::contract::{Contract, Environment};
use super::runbook::{self, NotBefore};
use crate::id::{Digest, EnvName, Handle, HandoffId, HostName, StepId};

use resolve::placed;
pub use resolve::{Linted, lint, resolve};
pub use variables::BATON_VARIABLES;

/// The version of the stored form of a plan. A reader refuses others by name.
pub const PLAN_FORMAT: u32 = 1;

/// Contract and runbook, resolved for one environment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// [`PLAN_FORMAT`] of the program that made it.
    pub format: u32,
    /// Which handoff this is.
    pub handoff: HandoffId,
    /// The environment it is resolved for.
    pub environment: EnvName,
    /// What was agreed.
    pub contract: Contract,
    /// The steps, in the order of the file except where `after` names a later
    /// one: what a step waits for always stands before it.
    pub steps: Vec<Step>,
    /// What agreement and evidence are bound to.
    pub digests: Digests,
}

/// What agreement and evidence are bound to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digests {
    /// Everything both sides agree to: contract and runbook, without prose and summary.
    pub content: Digest,
    /// Steps, fences, attributes and order; no environment values, prose, owners, window or waivers.
    pub procedure: Digest,
    /// Owners and backups of steps and roles.
    pub roster: Digest,
    /// The definition of each environment: hosts, groups, variables, secret references.
    pub environments: BTreeMap<EnvName, Digest>,
}

/// One step, resolved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// As it was written.
    #[serde(flatten)]
    pub written: runbook::Step,
    /// The people who own it; any of them may act.
    pub owners: Vec<Handle>,
    /// The people who stand in.
    pub backups: Vec<Handle>,
    /// Steps that must be finished before.
    pub after_ids: Vec<StepId>,
    /// The hosts, in stages; one stage with [`HostName::here`] for a step
    /// without `on`; none for a step that runs `elsewhere`.
    pub stages: Vec<Vec<HostName>>,
    /// Whether `only in` names another environment.
    pub elsewhere: bool,
}

impl Step {
    /// The step's id.
    pub fn id(&self) -> &StepId {
        &self.written.id.value
    }

    /// All hosts, in order.
    pub fn hosts(&self) -> impl Iterator<Item = &HostName> + Clone {
        self.stages.iter().flatten()
    }

    /// Whether this is a point of no return: it says so, or it changes
    /// something and has no undo.
    pub fn no_return(&self) -> bool {
        self.written.no_way_back.is_some() || (self.written.changes && self.written.undo.is_none())
    }

    /// Whether a person does it: there is no `run`, or it is an instruction.
    pub fn by_person(&self) -> bool {
        self.written
            .run
            .as_ref()
            .is_none_or(runbook::Fence::is_text)
    }

    /// Owners first, then backups.
    pub fn people(&self) -> impl Iterator<Item = &Handle> {
        self.owners.iter().chain(&self.backups)
    }
}

impl Plan {
    /// The step with this id.
    pub fn step(&self, id: &str) -> Option<&Step> {
        self.steps.iter().find(|step| step.id().as_str() == id)
    }

    /// The earliest moment of a step. A time of day is meant on the window's
    /// first day, in the zone in which the window's opening is written; in a
    /// window over midnight, one before the opening is meant on the day after.
    pub fn not_before(&self, step: &Step) -> Option<Timestamp> {
        let minute = match step.written.at? {
            NotBefore::Instant(instant) => return Some(instant),
            NotBefore::Minute(minute) => minute,
        };
        let window = self.contract.launch.window?;
        let zone = Offset::from_seconds(window.offset_s).ok()?;
        let (hour, minute) = (
            i8::try_from(minute / 60).ok()?,
            i8::try_from(minute % 60).ok()?,
        );
        let first = zone.to_datetime(window.opens).date();
        let on = |day: jiff::civil::Date| zone.to_timestamp(day.at(hour, minute, 0, 0)).ok();
        let next = first.tomorrow().ok().and_then(on);
        let next = next.filter(|next| *next < window.closes);
        match on(first) {
            Some(at) if at < window.opens => next.or(Some(at)),
            at => at,
        }
    }

    /// The environment the plan is resolved for.
    ///
    /// # Panics
    /// Never: a plan is only made for an environment its contract has.
    pub fn place(&self) -> &Environment {
        self.contract
            .environments
            .get(&self.environment)
            .expect("the plan's environment exists")
    }
}
