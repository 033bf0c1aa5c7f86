//! What does done mean, and how is success measured?
//!
//! Evidence of a criterion is bound to the release, to the criterion's own
//! definition and to the environment it names; nothing else makes it stale.
//! A measure counts once live data was seen for its present definition, for a day.

use serde::Serialize;

use super::facts::{Evidence, Signature};
use super::{Case, Facts, bound};
use crate::diag::{Note, list};
use crate::event::Ending;
use crate::handoff::contract::{Criterion, Measure, Quantile, Source};
use crate::handoff::plan::Plan;
use crate::id::Digest;
use crate::time::Duration;

use jiff::Timestamp;

/// How long it counts that a measure was seen to have live data: a day, as tests
/// usually do. What it is asked over (a server, a port, a log) changes unseen.
const SIGHT_LASTS: Duration = Duration::from_secs(24 * 3600);

/// Asks the question and notes what speaks against a yes.
pub(super) fn check(case: &Case<'_>, notes: &mut Vec<Note>) {
    let contract = &case.plan.contract;
    if contract.done.is_empty() {
        notes.push(case.undefined("definition.undefined", "done", "what done means"));
    }
    match &case.readings.release {
        Ok(release) => {
            let judged = contract.done.iter();
            notes.extend(judged.filter_map(|c| judge(case.plan, case.facts, release, case.now, c)));
        }
        Err(why) => {
            let artifacts = contract.release.artifacts.iter().map(|a| a.as_str());
            let note = Note::unknown(
                "definition.missing",
                format!("No evidence can be matched, because the release cannot be read: {why}"),
            );
            let note = note.naming_all(artifacts);
            notes.push(note.owned_by(case.giver().as_ref()).next("baton check"));
        }
    }
    check_measures(case, notes);
}

/// The criteria with a command that would have to run for the definition of
/// done to hold on this release: no evidence, failed, stale, or a guard that
/// was not seen to refuse.
pub fn due<'a>(
    plan: &'a Plan,
    facts: &Facts,
    release: &Digest,
    now: Timestamp,
) -> Vec<&'a Criterion> {
    let done = plan.contract.done.iter();
    done.filter(|c| {
        c.run.is_some()
            && judge_run(plan, facts.criteria.get(c.id.as_str()), release, now, c).is_some()
    })
    .collect()
}

/// What is known of a criterion.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown<'a> {
    /// When its command last ran, or it was last signed.
    pub at: Option<Timestamp>,
    /// What its command printed, as a blob.
    pub output: Option<&'a Digest>,
    /// What speaks against it; `None` when it holds for this release now.
    pub against: Option<Note>,
}

/// What is known of a criterion on this release, as the gate weighs it.
pub fn shown<'a>(
    plan: &Plan,
    facts: &'a Facts,
    release: &Digest,
    now: Timestamp,
    criterion: &Criterion,
) -> Shown<'a> {
    let id = criterion.id.as_str();
    let against = judge(plan, facts, release, now, criterion);
    match &criterion.sign {
        Some(person) if criterion.run.is_none() => {
            let signed = facts.signatures.get(id);
            let signed = signed.and_then(|by| by.get(&person.value));
            Shown {
                at: signed.map(|signed| signed.at),
                output: None,
                against,
            }
        }
        _ => {
            let evidence = facts.criteria.get(id);
            Shown {
                at: evidence.map(|evidence| evidence.at),
                output: evidence.and_then(|evidence| evidence.output.as_ref()),
                against,
            }
        }
    }
}

/// The success measures that have not been seen to have live data as they are
/// now defined, or not for a day.
pub fn measures_due<'a>(plan: &'a Plan, facts: &Facts, now: Timestamp) -> Vec<&'a Measure> {
    let measures = plan.contract.success.defined().into_iter().flatten();
    measures
        .filter(|measure| unseen(plan, facts, now, measure).is_some())
        .collect()
}

/// Why a measure does not count, to follow its name; `None` when it does.
fn unseen(plan: &Plan, facts: &Facts, now: Timestamp, measure: &Measure) -> Option<String> {
    let Some(seen) = facts.measures.get(measure.id.as_str()) else {
        return Some("has not been asked for live data yet.".to_owned());
    };
    if seen.definition != measure_definition(plan, measure) {
        return Some(
            "has not been asked for live data since it or its environment changed.".to_owned(),
        );
    }
    if let Some(why) = &seen.blind {
        return Some(format!("sees no live data: {why}"));
    }
    let age = Duration::between(seen.at, now);
    (age > SIGHT_LASTS).then(|| {
        format!("was last seen to have live data {age} ago, which counts for {SIGHT_LASTS}.")
    })
}

/// What evidence of a criterion is bound to: what is executed or signed, and
/// how (`run`, `refuses`, `sign`, `fresh`, `timeout`, `in`; for a signed one
/// also `says`, which is what is signed). Owner and backup are not part of it.
pub fn criterion_definition(criterion: &Criterion) -> Digest {
    #[derive(Serialize)]
    struct Defined<'a> {
        run: Option<&'a str>,
        refuses: Option<&'a str>,
        sign: Option<&'a str>,
        fresh: Option<Duration>,
        timeout: Option<Duration>,
        environment: Option<&'a str>,
        says: Option<&'a str>,
    }
    let sign = criterion.sign.as_ref().map(|by| by.as_str());
    bound(&Defined {
        run: criterion.run.as_deref(),
        refuses: criterion.refuses.as_deref(),
        sign,
        fresh: criterion.fresh,
        timeout: criterion.timeout,
        environment: criterion.environment.as_ref().map(|e| e.as_str()),
        says: sign.map(|_| criterion.says.as_str()),
    })
}

/// The digest of the environment a criterion names, to which its evidence is
/// bound; `None` when it names none.
pub fn criterion_environment<'a>(plan: &'a Plan, criterion: &Criterion) -> Option<&'a Digest> {
    let named = criterion.environment.as_ref()?;
    plan.digests.environments.get(&named.value)
}

/// What a look at a measure is bound to: where its numbers come from, what
/// counts as bad, and the environment whose variables they use.
pub fn measure_definition(plan: &Plan, measure: &Measure) -> Digest {
    #[derive(Serialize)]
    struct Defined<'a> {
        source: &'a Source,
        quantile: Option<Quantile>,
        environment: Option<&'a Digest>,
    }
    bound(&Defined {
        source: &measure.source,
        quantile: measure.quantile,
        environment: plan.digests.environments.get(&plan.environment),
    })
}

fn judge(
    plan: &Plan,
    facts: &Facts,
    release: &Digest,
    now: Timestamp,
    criterion: &Criterion,
) -> Option<Note> {
    let id = criterion.id.as_str();
    let note = match &criterion.sign {
        Some(person) if criterion.run.is_none() => {
            let signed = facts
                .signatures
                .get(id)
                .and_then(|by| by.get(&person.value));
            let sign = format!("baton sign {id} --as {}", person.value);
            let says = judge_signature(plan, signed, release, now, criterion);
            says.map(|(code, says)| Note::error(code, says).next(sign))
        }
        _ => judge_run(plan, facts.criteria.get(id), release, now, criterion)
            .map(|note| note.next("baton check")),
    };
    let owner = super::first(&plan.contract, criterion.owner.as_ref());
    note.map(|note| note.naming(id).owned_by(owner.as_ref()))
}

fn judge_signature(
    plan: &Plan,
    signed: Option<&Signature>,
    release: &Digest,
    now: Timestamp,
    criterion: &Criterion,
) -> Option<(&'static str, String)> {
    let (id, sentence) = (&criterion.id.value, &criterion.says);
    let Some(signed) = signed else {
        let person = criterion.sign.as_ref().map_or("", |by| by.as_str());
        let says = format!("{id} ({sentence}) waits for the signature of {person}.");
        return Some(("definition.unsigned", says));
    };
    let bound = (
        &signed.release,
        &signed.definition,
        signed.environment.as_ref(),
    );
    let changed = changed(plan, bound, release, criterion);
    stale("signature", changed, signed.at, now, criterion).map(|says| ("definition.stale", says))
}

fn judge_run(
    plan: &Plan,
    evidence: Option<&Evidence>,
    release: &Digest,
    now: Timestamp,
    criterion: &Criterion,
) -> Option<Note> {
    let (id, sentence) = (&criterion.id.value, &criterion.says);
    let Some(evidence) = evidence else {
        let says = if criterion.run.is_some() {
            format!("{id} ({sentence}) has not been run on this release.")
        } else {
            format!("{id} ({sentence}) has neither a command nor a signer that could show it.")
        };
        return Some(Note::error("definition.missing", says));
    };
    let bound = (
        &evidence.release,
        &evidence.definition,
        evidence.environment.as_ref(),
    );
    let changed = changed(plan, bound, release, criterion);
    if !changed.is_empty() {
        let says = stale("evidence", changed, evidence.at, now, criterion);
        return says.map(|says| Note::error("definition.stale", says));
    }
    let run_failed = match &evidence.end {
        Ending::Succeeded => None,
        end => Some(format!(
            "{id} ({sentence}) failed: its command {}.",
            end.says()
        )),
    };
    if let Some(says) = run_failed {
        return Some(failed(&evidence.end, says));
    }
    if criterion.refuses.is_some()
        && let Some(note) = judge_guard(evidence.guard.as_ref(), criterion)
    {
        return Some(note);
    }
    stale("evidence", Vec::new(), evidence.at, now, criterion)
        .map(|says| Note::error("definition.stale", says))
}

/// A guard counts once it was seen to refuse: exit 1 to 125. A missing program
/// or a signal (126 and up, by the shell's convention) is no refusal.
fn judge_guard(guard: Option<&Ending>, criterion: &Criterion) -> Option<Note> {
    let (id, sentence) = (&criterion.id.value, &criterion.says);
    match guard {
        Some(Ending::Exited { code: 1..=125 }) => None,
        None | Some(Ending::Succeeded) => {
            let why = match guard {
                None => "its `refuses` command has not been run",
                Some(_) => "its `refuses` command was let through with exit status 0",
            };
            let says = format!("{id} ({sentence}) was never seen to refuse: {why}.");
            Some(Note::error("definition.guard-never-refused", says))
        }
        Some(end) => {
            let says = format!(
                "{id} ({sentence}) failed: its `refuses` command {}, which is no refusal \
                 (exit 1 to 125 is).",
                end.says()
            );
            Some(failed(end, says))
        }
    }
}

/// A failure, or something not known: what never ran, or did not end, shows nothing.
fn failed(end: &Ending, says: String) -> Note {
    match end {
        Ending::NotStarted { .. } | Ending::TimedOut | Ending::Unknown { .. } => {
            Note::unknown("definition.failed", says)
        }
        Ending::Succeeded | Ending::Exited { .. } | Ending::Killed { .. } => {
            Note::error("definition.failed", says)
        }
    }
}

/// Which of release, definition and environment are not what they were.
fn changed(
    plan: &Plan,
    (of_release, definition, environment): (&Digest, &Digest, Option<&Digest>),
    release: &Digest,
    criterion: &Criterion,
) -> Vec<String> {
    let mut changed = Vec::new();
    if of_release != release {
        changed.push("the release".to_owned());
    }
    if *definition != criterion_definition(criterion) {
        changed.push("its own definition".to_owned());
    } else if let Some(named) = &criterion.environment
        && environment != criterion_environment(plan, criterion)
    {
        changed.push(format!("the environment {}", named.value));
    }
    changed
}

/// The sentence that says since what the evidence is stale, by cause or by age.
fn stale(
    what: &str,
    changed: Vec<String>,
    at: Timestamp,
    now: Timestamp,
    criterion: &Criterion,
) -> Option<String> {
    let (id, sentence) = (&criterion.id.value, &criterion.says);
    let age = Duration::between(at, now);
    if !changed.is_empty() {
        let verb = if changed.len() == 1 { "has" } else { "have" };
        let changed = list(&changed, usize::MAX);
        return Some(format!(
            "The {what} of {id} ({sentence}) is stale: {changed} {verb} changed since."
        ));
    }
    let fresh = criterion.fresh.filter(|fresh| age > *fresh)?;
    Some(format!(
        "The {what} of {id} ({sentence}) is stale: its age is {age}, and it counts for {fresh}."
    ))
}

fn check_measures(case: &Case<'_>, notes: &mut Vec<Note>) {
    let Some(measures) = case.section(
        &case.plan.contract.success,
        "definition.undefined",
        "success",
        "how success is measured",
        notes,
    ) else {
        return;
    };
    if measures.is_empty() {
        notes.push(case.undefined("definition.undefined", "success", "how success is measured"));
    }
    for measure in measures {
        let id = &measure.id.value;
        let Some(why) = unseen(case.plan, case.facts, case.now, measure) else {
            continue;
        };
        let says = format!("The measure {id} ({}) {why}", measure.says);
        let owner = case.first(measure.owner.as_ref());
        notes.push(
            Note::unknown("definition.blind-measure", says)
                .naming(id)
                .owned_by(owner.as_ref())
                .next("baton check"),
        );
    }
}
