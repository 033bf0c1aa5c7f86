//! What do we do, step by step, and how do we get back?
//!
//! Whether the document is valid and every change has its way back is seen
//! when the files are read (those notes come in as lint). Here: that there is
//! something to do, that secrets resolve, and that preflights pass.

use serde::Serialize;

use super::facts::Proof;
use super::{Case, Facts, bound};
use crate::diag::Note;
use crate::handoff::plan::{Plan, Step};
use crate::handoff::runbook::Fence;
use crate::id::{Digest, Handle, HostName};

/// Asks the question and notes what speaks against a yes.
pub(super) fn check(case: &Case<'_>, notes: &mut Vec<Note>) {
    if case.plan.steps.is_empty() {
        notes.push(case.undefined("runbook.undefined", "runbook", "what is done, step by step"));
    }
    check_secrets(case, notes);
    for (step, definition) in &case.preflights {
        check_preflight(case, step, definition, notes);
    }
}

/// What a preflight is bound to: its fence, and the environment it ran in.
/// `None` for a step without a preflight.
pub fn preflight_definition(plan: &Plan, step: &Step) -> Option<Digest> {
    #[derive(Serialize)]
    struct Defined<'a> {
        lang: &'a str,
        body: &'a str,
        environment: Option<&'a Digest>,
    }
    let fence: &Fence = step.written.preflight.as_ref()?;
    Some(bound(&Defined {
        lang: &fence.lang,
        body: &fence.body,
        environment: plan.digests.environments.get(&plan.environment),
    }))
}

/// Whether the secrets of the plan's environment have still to be asked for:
/// one of them has not been had since its definition changed.
pub fn secrets_due(plan: &Plan, facts: &Facts) -> bool {
    let seen = facts.secrets.get(&plan.environment);
    let definition = plan.digests.environments.get(&plan.environment);
    let seen = seen.filter(|seen| Some(&seen.definition) == definition);
    let had = |name: &String| seen.is_some_and(|seen| seen.secrets.get(name) == Some(&None));
    !plan.place().secrets.keys().all(had)
}

/// The preflights with which this person has still to prove access: of each
/// step they own or back up, on each host where theirs has not passed as it is.
pub fn preflights_due<'a>(
    plan: &'a Plan,
    facts: &Facts,
    person: &Handle,
) -> Vec<(&'a Step, &'a HostName)> {
    let passed = |step: &Step, host: &HostName, definition: &Digest| {
        let steps = facts.preflights.get(&plan.environment);
        let hosts = steps.and_then(|steps| steps.get(step.id()));
        let proofs = hosts.and_then(|hosts| hosts.get(host));
        proofs
            .and_then(|by| by.get(person))
            .is_some_and(|proof| proof.definition == *definition && proof.end.succeeded())
    };
    let mut due = Vec::new();
    for (step, definition) in preflights(plan) {
        if step.people().any(|by| by == person) {
            let hosts = step.hosts();
            let open = hosts.filter(|host| !passed(step, host, &definition));
            due.extend(open.map(|host| (step, host)));
        }
    }
    due
}

/// The steps whose preflight proves access here, with what each is bound to.
pub(super) fn preflights(plan: &Plan) -> Vec<(&Step, Digest)> {
    let steps = plan.steps.iter().filter(|step| !step.elsewhere);
    steps
        .filter_map(|step| Some((step, preflight_definition(plan, step)?)))
        .collect()
}

/// The preflights of a step on a host that were of its present definition.
pub(super) fn proofs<'a>(
    case: &Case<'a>,
    step: &Step,
    host: &HostName,
    definition: &Digest,
) -> impl Iterator<Item = (&'a Handle, &'a Proof)> {
    let of = case.facts.preflights.get(&case.plan.environment);
    of.and_then(|steps| steps.get(step.id()))
        .and_then(|hosts| hosts.get(host))
        .into_iter()
        .flatten()
        .filter(move |(_, proof)| proof.definition == *definition)
}

/// The preflight that was run last, whoever ran it.
pub(super) fn last<'a>(
    proofs: impl Iterator<Item = (&'a Handle, &'a Proof)>,
) -> Option<(&'a Handle, &'a Proof)> {
    proofs.max_by_key(|(_, proof)| proof.seq)
}

/// A host as a sentence names it.
pub(super) fn place(host: &HostName) -> &str {
    if host.is_here() {
        "the contract's folder"
    } else {
        host.as_str()
    }
}

fn check_secrets(case: &Case<'_>, notes: &mut Vec<Note>) {
    let environment = &case.plan.environment;
    let definition = case.plan.digests.environments.get(environment);
    let seen = case.facts.secrets.get(environment);
    let seen = seen.filter(|seen| Some(&seen.definition) == definition);
    for name in case.plan.place().secrets.keys() {
        let why = match seen.and_then(|seen| seen.secrets.get(name)) {
            Some(None) => continue,
            Some(Some(why)) => format!("could not be had: {why}"),
            None => "has not been asked for yet.".to_owned(),
        };
        let owner = secret_owner(case, name);
        notes.push(
            Note::error(
                "runbook.secret-unresolved",
                format!("The secret {name} of {environment} {why}"),
            )
            .naming(name)
            .owned_by(owner.as_ref())
            .next("baton check"),
        );
    }
}

/// Who needs the secret first; the giver when no step does.
fn secret_owner(case: &Case<'_>, name: &str) -> Option<Handle> {
    let needs = |step: &&Step| step.written.secrets.iter().any(|secret| **secret == *name);
    let step = case.plan.steps.iter().find(needs);
    step.and_then(|step| step.people().next().cloned())
        .or_else(|| case.giver())
}

fn check_preflight(case: &Case<'_>, step: &Step, definition: &Digest, notes: &mut Vec<Note>) {
    for host in step.hosts() {
        let Some((by, proof)) = last(proofs(case, step, host, definition)) else {
            continue;
        };
        if proof.end.succeeded() {
            continue;
        }
        let (id, place) = (step.id(), place(host));
        let says = format!(
            "The preflight of step {id} on {place}, run as {}, {}.",
            case.person(by),
            proof.end.says()
        );
        let mut note = Note::error("runbook.preflight-failed", says).naming(id);
        if !host.is_here() {
            note = note.naming(host);
        }
        notes.push(
            note.owned_by(step.people().next())
                .next(format!("baton check --as {by}")),
        );
    }
}
