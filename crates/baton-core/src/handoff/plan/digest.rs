//! What agreement and evidence are bound to, as bytes.
//!
//! Each digest is the SHA-256 of the canonical JSON (RFC 8785) of a view of the
//! handoff; the view names itself and its version, so that no two kinds can be
//! confused. Left out is what is not bound, and nothing else. Lines, columns
//! and layout are in no view. Of a step, what it does not say is left out too,
//! so that an attribute of a later version changes no digest of today.
//!
//! - *content*: the whole contract without `summary`; of each step everything
//!   but its title, phase and line; of each fence everything but its line.
//!   Prose, the runbook's title and `example` fences are in no type and so in
//!   no view. What a person is asked to do (tasks, `text` fences, `says`, `ask`)
//!   is no prose.
//! - *procedure*: the steps in the order of the plan, with what they wait for;
//!   without who does them, when (`expect`, `at`), title, phase and line.
//! - *roster*: the people who own and back up each step and each role.
//! - one per environment: its definition.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::people::holders;
use super::{Digests, Step};
use crate::handoff::contract::{At, Contract};
use crate::handoff::runbook::{self, Approve, Fence, NotBefore, On, Retry, Runbook};
use crate::id::{Digest, EnvName, Handle, RoleName, StepId};
use crate::time::Duration;

/// The digests of a handoff whose steps are resolved. They do not depend on the
/// environment for which these were resolved.
pub(super) fn digests(contract: &Contract, runbook: &Runbook, steps: &[Step]) -> Digests {
    Digests {
        content: Digest::of_value(&content(contract, runbook)),
        procedure: Digest::of_value(&procedure(steps)),
        roster: Digest::of_value(&roster(contract, steps)),
        environments: contract
            .environments
            .iter()
            .map(|(name, environment)| {
                let view = View {
                    view: "environment 1",
                    of: environment,
                };
                (name.clone(), Digest::of_value(&view))
            })
            .collect(),
    }
}

/// What a digest is of, and in which form.
#[derive(Serialize)]
pub(super) struct View<T> {
    view: &'static str,
    of: T,
}

#[derive(Serialize)]
pub(super) struct Content<'a> {
    contract: Contract,
    steps: Vec<Agreed<'a>>,
}

pub(super) fn content<'a>(contract: &Contract, runbook: &'a Runbook) -> View<Content<'a>> {
    View {
        view: "content 1",
        of: Content {
            contract: Contract {
                summary: None,
                ..contract.clone()
            },
            steps: runbook.steps.iter().map(Agreed::of).collect(),
        },
    }
}

pub(super) fn procedure(steps: &[Step]) -> View<Vec<Rehearsed<'_>>> {
    View {
        view: "procedure 1",
        of: steps.iter().map(Rehearsed::of).collect(),
    }
}

/// A fence without its place.
#[derive(Serialize)]
struct Script<'a> {
    lang: &'a str,
    body: &'a str,
}

impl<'a> Script<'a> {
    fn of(fence: Option<&'a Fence>) -> Option<Self> {
        fence.map(
            |Fence {
                 lang,
                 body,
                 line: _,
             }| Self { lang, body },
        )
    }
}

/// What both sides agree to of a step.
#[derive(Serialize)]
pub(super) struct Agreed<'a> {
    id: &'a StepId,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<&'a At<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    backup: Option<&'a At<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<&'a [At<StepId>]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expect: Option<Duration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<NotBefore>,
    does: Done<'a>,
}

impl<'a> Agreed<'a> {
    fn of(step: &'a runbook::Step) -> Self {
        Self {
            id: &step.id,
            owner: step.owner.as_ref(),
            backup: step.backup.as_ref(),
            after: step.after.as_deref(),
            expect: step.expect,
            at: step.at,
            does: Done::of(step),
        }
    }
}

/// What a rehearsal proves of a step.
#[derive(Serialize)]
pub(super) struct Rehearsed<'a> {
    id: &'a StepId,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    after: &'a [StepId],
    does: Done<'a>,
}

impl<'a> Rehearsed<'a> {
    fn of(step: &'a Step) -> Self {
        Self {
            id: step.id(),
            after: &step.after_ids,
            does: Done::of(&step.written),
        }
    }
}

/// What a step does, whoever does it and whenever.
#[derive(Serialize)]
struct Done<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    on: Option<&'a On>,
    timeout: Duration,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry: Option<Retry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    when: Option<&'a At<String>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    secrets: &'a [At<String>],
    changes: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    no_way_back: Option<&'a str>,
    safe_to_repeat: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    only_in: Option<&'a At<EnvName>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    approve: Option<&'a Approve>,
    #[serde(skip_serializing_if = "Option::is_none")]
    watch: Option<Duration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<Script<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verify: Option<Script<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    undo: Option<Script<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    preflight: Option<Script<'a>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    tasks: &'a [String],
}

impl<'a> Done<'a> {
    fn of(step: &'a runbook::Step) -> Self {
        // Taken apart by name, so that a new attribute cannot be forgotten here.
        let runbook::Step {
            id: _,
            title: _,
            phase: _,
            line: _,
            owner: _,
            backup: _,
            after: _,
            on,
            expect: _,
            timeout,
            retry,
            at: _,
            when,
            secrets,
            changes,
            no_way_back,
            safe_to_repeat,
            only_in,
            approve,
            watch,
            run,
            verify,
            undo,
            preflight,
            tasks,
        } = step;
        Self {
            on: on.as_ref(),
            timeout: *timeout,
            retry: *retry,
            when: when.as_ref(),
            secrets,
            changes: *changes,
            no_way_back: no_way_back.as_deref(),
            safe_to_repeat: *safe_to_repeat,
            only_in: only_in.as_ref(),
            approve: approve.as_ref(),
            watch: *watch,
            run: Script::of(run.as_ref()),
            verify: Script::of(verify.as_ref()),
            undo: Script::of(undo.as_ref()),
            preflight: Script::of(preflight.as_ref()),
            tasks,
        }
    }
}

/// Who owns and backs up one thing, as sets.
#[derive(Serialize)]
struct Staff {
    owners: BTreeSet<Handle>,
    backups: BTreeSet<Handle>,
}

#[derive(Serialize)]
pub(super) struct Roster<'a> {
    steps: BTreeMap<&'a StepId, Staff>,
    roles: BTreeMap<&'a RoleName, Staff>,
}

pub(super) fn roster<'a>(contract: &'a Contract, steps: &'a [Step]) -> View<Roster<'a>> {
    let staff = |owners: Vec<Handle>, backups: Vec<Handle>| Staff {
        owners: owners.into_iter().collect(),
        backups: backups.into_iter().collect(),
    };
    let step = |step: &'a Step| (step.id(), staff(step.owners.clone(), step.backups.clone()));
    let held = |who: Option<&At<String>>| holders(contract, who);
    let roles = contract.roles.iter().map(|(name, role)| {
        let staff = staff(held(role.owner.as_ref()), held(role.backup.as_ref()));
        (name, staff)
    });
    View {
        view: "roster 1",
        of: Roster {
            steps: steps.iter().map(step).collect(),
            roles: roles.collect(),
        },
    }
}
