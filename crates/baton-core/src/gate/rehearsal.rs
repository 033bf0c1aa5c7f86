//! Have we done exactly this before, and its way back?
//!
//! A rehearsal counts for one procedure, one release, one roster and one
//! definition of its environment, and for as long as the contract says. One
//! that was broken on purpose counts neither for nor against.

use super::Case;
use super::facts::{Ended, Facts, Run};
use super::waive::set_aside;
use crate::diag::{Note, list};
use crate::event::Outcome;
use crate::handoff::contract::RehearsalTerms;
use crate::handoff::plan::{Plan, Step};
use crate::id::{RunId, StepId};
use crate::time::Duration;
use jiff::Timestamp;

/// Asks the question and notes what speaks against a yes.
pub(super) fn check(case: &Case<'_>, notes: &mut Vec<Note>) {
    let what = "where and how often this is rehearsed";
    let section = &case.plan.contract.rehearsal;
    let Some(terms) = case.section(section, "rehearsal.undefined", "rehearsal", what, notes) else {
        return;
    };
    let place = &terms.environment.value;
    let next = format!("baton rehearse {place}");
    let lead = case.lead();
    let start = notes.len();
    match case.facts.rehearsal(place) {
        None => notes.push(
            Note::error(
                "rehearsal.missing",
                format!("This has not been rehearsed in {place} yet."),
            )
            .naming(place),
        ),
        Some((id, _, ended)) if ended.outcome != Outcome::Succeeded => {
            let says = format!(
                "The last rehearsal in {place} ({id}) {}: {}",
                outcome(ended.outcome),
                ended.because
            );
            notes.push(Note::error("rehearsal.failed", says).naming(place));
        }
        Some(latest) => judge(case, terms, latest, notes),
    }
    for note in &mut notes[start..] {
        note.owner.clone_from(&lead);
        note.next = Some(next.clone());
    }
}

/// The steps here whose way back no rehearsal of this procedure has proven:
/// they change something, have an undo, and none was seen to work. Steps
/// behind a point of no return are among them. It is all of them when the
/// fingerprints of the rehearsal do not show that everything came back, and
/// nobody has taken on themselves what did not.
pub fn unproven(plan: &Plan, facts: &Facts, now: Timestamp) -> Vec<StepId> {
    let terms = plan.contract.rehearsal.defined();
    let proof = terms.and_then(|terms| facts.proof(&terms.environment.value));
    let proof = proof.filter(|(_, run, _)| run.terms.procedure == plan.digests.procedure);
    let came_back = proof.filter(|(id, run, _)| {
        let notes = round_trip(plan, id, run);
        set_aside(&plan.contract, notes, now).0.is_empty()
    });
    unproven_by(plan, came_back.map(|(_, _, ended)| ended))
        .map(|step| step.id().clone())
        .collect()
}

/// What the fingerprints of a rehearsal say against its way back: one note for
/// each thing that is not as it was, so that each can be taken on by itself.
/// Nothing where there is nothing to come back from, or the contract declines
/// to read the environments: then the steps' own `verify` is all there is.
fn round_trip(plan: &Plan, id: &RunId, run: &Run) -> Vec<Note> {
    let asked = plan.contract.parity.defined();
    let reads = asked.is_some_and(|terms| !terms.facts.is_empty());
    let place = &run.terms.environment;
    if !reads || unproven_by(plan, None).next().is_none() {
        return Vec::new();
    }
    let note = |says: String| Note::error("rehearsal.undo-unproven", says);
    let Some(trip) = &run.round_trip else {
        let says = format!(
            "The rehearsal in {place} ({id}) took no fingerprints, so nothing shows that its way \
             back brought everything back."
        );
        return vec![note(says).naming(place)];
    };
    if trip.changed == 0 {
        let says = format!(
            "Nothing that the contract collects changed when the rehearsal in {place} ({id}) went \
             forward, so nothing shows that its way back brings anything back; name under \
             `parity: facts:` what this release changes."
        );
        return vec![note(says).naming(place)];
    }
    let mut notes: Vec<Note> = Vec::new();
    let mut rest = trip.residues.as_slice();
    while let Some(first) = rest.first() {
        let (alike, others) = rest.split_at(
            rest.iter()
                .take_while(|r| {
                    (&r.name, &r.before, &r.back) == (&first.name, &first.before, &first.back)
                })
                .count(),
        );
        rest = others;
        let hosts: Vec<&str> = alike.iter().map(|residue| residue.host.as_str()).collect();
        let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
        let hosts = list(&hosts, usize::MAX);
        let (name, was, is) = (&first.name, value(&first.before), value(&first.back));
        let says = if name.ends_with(":*") {
            format!(
                "Whether the way back of the rehearsal in {place} ({id}) brought {name} back on \
                 {hosts} is not known: before it was {was}, after it {is}."
            )
        } else {
            format!(
                "The way back of the rehearsal in {place} ({id}) left {name} on {hosts} as {is}; \
                 before it was {was}."
            )
        };
        notes.push(note(says).naming(&first.name));
    }
    if trip.left_out > 0 {
        let says = format!(
            "The way back of the rehearsal in {place} ({id}) left {} more facts changed.",
            trip.left_out
        );
        notes.push(note(says).naming(id));
    }
    notes
}

fn unproven_by<'a>(plan: &'a Plan, proof: Option<&'a Ended>) -> impl Iterator<Item = &'a Step> {
    plan.steps.iter().filter(move |step| {
        let has_way_back = step.written.changes && step.written.undo.is_some();
        let seen = proof.is_some_and(|ended| ended.undone.contains(step.id()));
        has_way_back && !step.elsewhere && !seen
    })
}

fn judge(
    case: &Case<'_>,
    terms: &RehearsalTerms,
    (id, run, ended): (&RunId, &Run, &Ended),
    notes: &mut Vec<Note>,
) {
    let place = &terms.environment.value;
    let changed = changed(case, run);
    if !changed.is_empty() {
        let verb = if changed.len() == 1 { "has" } else { "have" };
        let said: Vec<String> = changed.iter().map(|what| format!("the {what}")).collect();
        let says = format!(
            "The rehearsal in {place} ({id}) is stale: {} {verb} changed since.",
            list(&said, usize::MAX)
        );
        notes.push(Note::error("rehearsal.stale", says).naming_all(changed));
    }
    if let Err(why) = &case.readings.release {
        let says = format!(
            "Whether the rehearsal in {place} ({id}) was of this release is not known, because \
             the release cannot be read: {why}"
        );
        notes.push(Note::unknown("rehearsal.stale", says).naming("release"));
    }
    if run.terms.procedure == case.plan.digests.procedure {
        let steps: Vec<&str> = unproven_by(case.plan, Some(ended))
            .map(|step| step.id().as_str())
            .collect();
        if !steps.is_empty() {
            let says = format!(
                "The rehearsal in {place} ({id}) did not prove the way back of {}.",
                list(&steps, usize::MAX)
            );
            notes.push(Note::error("rehearsal.undo-unproven", says).naming_all(steps));
        }
        notes.extend(round_trip(case.plan, id, run));
    }
    let age = Duration::between(ended.at, case.now);
    if age > terms.within {
        let says = format!(
            "The rehearsal in {place} ({id}) is {age} old; it counts for {}.",
            terms.within
        );
        notes.push(Note::error("rehearsal.too-old", says).naming(place));
    }
}

/// Exactly what changed since: plan, release, environment, roster.
fn changed(case: &Case<'_>, run: &Run) -> Vec<&'static str> {
    let (digests, terms) = (&case.plan.digests, &run.terms);
    let release = case.readings.release.as_ref();
    let environment = digests.environments.get(&terms.environment);
    [
        ("plan", terms.procedure != digests.procedure),
        ("release", release.is_ok_and(|now| *now != terms.release)),
        ("environment", environment != Some(&terms.definition)),
        ("roster", terms.roster != digests.roster),
    ]
    .into_iter()
    .filter_map(|(what, changed)| changed.then_some(what))
    .collect()
}

fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Succeeded => "succeeded",
        Outcome::RolledBack => "was rolled back",
        Outcome::Stopped => "was stopped",
        Outcome::Aborted => "was aborted",
    }
}
