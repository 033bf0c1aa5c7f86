//! Who does each thing, and who if they can't?
//!
//! Every step, criterion, measure and role is somebody's duty, with a second
//! person behind them. Both have accepted exactly what it is now, one of them
//! is awake when it is due, nobody is needed twice at once, and whoever may
//! have to act has proven access from their own session.

mod awake;

mod duty;

use std::collections::{BTreeMap, BTreeSet};

pub use duty::{item_digest, items_of};

use jiff::Timestamp;

use super::Case;
use super::runbook::{last, place, proofs};
use crate::diag::{Note, list};
use crate::forecast::{Clash, Schedule, Task, double_booked, schedule};
use crate::handoff::contract::Window;
use crate::handoff::plan::{Plan, Step};
use crate::id::{Digest, Handle, StepId};
use crate::time::Duration;
use duty::{Duty, Item, duties};

/// Asks the question and notes what speaks against a yes.
pub(super) fn check(case: &Case<'_>, notes: &mut Vec<Note>) {
    let duties = duties(case.plan);
    check_owned(case, &duties, notes);
    check_accepted(case, &duties, notes);
    check_access(case, notes);
    if let Some(start) = starts(case) {
        let schedule = schedule(&planned(case.plan), start);
        awake::check(case, &duties, &schedule, start, notes);
        check_bookings(case, &schedule, notes);
    }
}

/// When the run begins: at the launch now, else when the window opens. Without
/// either nobody knows yet.
fn starts(case: &Case<'_>) -> Option<Timestamp> {
    let window = case.plan.contract.launch.window;
    let open = |window: &Window| window.opens <= case.now && case.now < window.closes;
    match window {
        Some(window) if case.readings.at_launch && open(&window) => Some(case.now),
        Some(window) => Some(window.opens),
        None => case.readings.at_launch.then_some(case.now),
    }
}

/// The steps of a plan as the forecast needs them; without those that run
/// elsewhere: what waits for one of these waits for what it waits for. In the
/// launch environment the judge watches after each stage of a step with `watch`.
pub fn planned(plan: &Plan) -> Vec<Task> {
    let launched = plan.environment == plan.contract.launch.environment.value;
    let measures = plan.contract.success.defined();
    let watched = launched && measures.is_some_and(|measures| !measures.is_empty());
    let watch = |step: &Step| {
        let each = step.written.watch.filter(|_| watched).unwrap_or_default();
        let stages = u64::try_from(step.stages.len()).unwrap_or(u64::MAX);
        Duration::from_millis(each.as_millis().saturating_mul(stages))
    };
    let mut tasks: Vec<Task> = Vec::with_capacity(plan.steps.len());
    // For each step where its tasks stand: its own, or those behind one elsewhere.
    let mut stands: BTreeMap<&StepId, BTreeSet<usize>> = BTreeMap::new();
    for step in &plan.steps {
        let after = step.after_ids.iter().filter_map(|id| stands.get(id));
        let after: BTreeSet<usize> = after.flatten().copied().collect();
        if step.elsewhere {
            stands.insert(step.id(), after);
            continue;
        }
        stands.insert(step.id(), [tasks.len()].into());
        let after = after.into_iter().map(|at| tasks[at].id.clone()).collect();
        tasks.push(Task {
            id: step.id().clone(),
            after,
            lasts: step.written.expect,
            watch: watch(step),
            not_before: plan.not_before(step),
        });
    }
    tasks
}

/// A single owner of two steps at once: the backup is there for the day the
/// owner cannot, not for a day planned so.
fn check_bookings(case: &Case<'_>, schedule: &Schedule, notes: &mut Vec<Note>) {
    let steps = case.plan.steps.iter();
    let owners = steps.map(|step| (step.id(), step.owners.as_slice()));
    for Clash { who, first, second } in double_booked(schedule, owners) {
        let says = format!(
            "{} owns {first} and {second}, which are planned for the same time.",
            case.person(&who)
        );
        notes.push(
            Note::error("ownership.double-booked", says)
                .naming(&who)
                .naming(first)
                .naming(second)
                .owned_by(Some(&who))
                .next("baton plan"),
        );
    }
}

/// Steps and roles without owner or backup are seen when the files are read;
/// what was noted there is not said twice.
fn check_owned(case: &Case<'_>, duties: &[Duty<'_>], notes: &mut Vec<Note>) {
    let linted: BTreeSet<(&str, &str)> = case
        .lint
        .iter()
        .flat_map(|note| note.names.iter().map(|name| (note.code.0, name.as_str())))
        .collect();
    for duty in duties {
        let (code, lacks) = if duty.owners.is_empty() {
            ("ownership.unowned", "no owner")
        } else if duty.backups.is_empty() {
            ("ownership.no-backup", "nobody who stands in")
        } else {
            continue;
        };
        let (kind, name) = (duty.of.kind(), duty.of.name());
        let is_read = matches!(duty.of, Item::Step(_) | Item::Role(..));
        if is_read && linted.contains(&(code, name)) {
            continue;
        }
        let owner = duty.owners.first().cloned().or_else(|| case.giver());
        notes.push(
            Note::error(code, format!("The {kind} {name} has {lacks}."))
                .naming(name)
                .owned_by(owner.as_ref())
                .next(format!("baton explain {code}")),
        );
    }
}

/// One note for each person (or team of whom anyone would do) that lists what waits.
fn check_accepted(case: &Case<'_>, duties: &[Duty<'_>], notes: &mut Vec<Note>) {
    let mut waits: BTreeMap<Vec<&Handle>, Vec<String>> = BTreeMap::new();
    for duty in duties {
        let key = duty.key();
        let digest = duty.of.digest();
        for candidates in unaccepted(case, duty, &key, &digest) {
            waits.entry(candidates).or_default().push(key.clone());
        }
    }
    for (candidates, keys) in waits {
        let people = case.people(candidates.iter().copied());
        let who = match people.as_slice() {
            [one] => format!("{one} has not accepted what is theirs"),
            several => format!("None of {} has accepted", list(several, usize::MAX)),
        };
        let things: Vec<String> = keys.iter().map(|key| key.replacen(':', " ", 1)).collect();
        let says = format!("{who}: {}.", list(&things, usize::MAX));
        let owner = candidates.first().copied();
        let by = owner.map_or("HANDLE", |by| by.as_str());
        notes.push(
            Note::error("ownership.not-accepted", says)
                .naming_all(&candidates)
                .naming_all(keys)
                .owned_by(owner)
                .next(format!("baton accept --mine --as {by}")),
        );
    }
}

/// Who still has to accept a duty: one of the owners, and another one of the
/// backups. Each list holds those of whom any one would do.
fn unaccepted<'d>(
    case: &Case<'_>,
    duty: &'d Duty<'_>,
    key: &str,
    digest: &Digest,
) -> Vec<Vec<&'d Handle>> {
    let has = |by: &&Handle| {
        let mine = case.facts.mine.get(*by);
        mine.and_then(|mine| mine.get(key)) == Some(digest)
    };
    let owners: Vec<&Handle> = duty.owners.iter().filter(has).collect();
    let backups: Vec<&Handle> = duty.backups.iter().filter(has).collect();
    let pair = |owner: &&Handle| backups.iter().any(|backup| backup != owner);
    let mut waits = Vec::new();
    if owners.iter().any(pair) {
        return waits;
    }
    if owners.is_empty() && !duty.owners.is_empty() {
        waits.push(duty.owners.iter().collect());
    }
    // The one owner who accepted cannot be their own backup.
    let only = owners.first().filter(|_| owners.len() == 1).copied();
    let second = |by: &&Handle| Some(*by) != only;
    if !backups.iter().any(second) {
        let mut candidates: Vec<&Handle> = duty.backups.iter().filter(second).collect();
        if candidates.is_empty() && !duty.backups.is_empty() {
            // Nobody else stands in, so somebody else has to own it.
            candidates = duty.owners.iter().filter(second).collect();
        }
        if !candidates.is_empty() {
            waits.push(candidates);
        }
    }
    waits
}

/// Whoever owns or backs up a step with a preflight has run it, as themselves,
/// on every host. A failure that is the last word on a host is told as
/// `runbook.preflight-failed` instead.
fn check_access(case: &Case<'_>, notes: &mut Vec<Note>) {
    let mut lacks: BTreeMap<&Handle, Vec<(&Step, Vec<&str>)>> = BTreeMap::new();
    for (step, definition) in &case.preflights {
        let people: BTreeSet<&Handle> = step.people().collect();
        let mut open: BTreeMap<&Handle, Vec<&str>> = BTreeMap::new();
        for host in step.hosts() {
            let all = || proofs(case, step, host, definition);
            let told = last(all()).filter(|(_, proof)| !proof.end.succeeded());
            let proven: BTreeSet<&Handle> = all()
                .filter(|(_, proof)| proof.end.succeeded())
                .map(|(by, _)| by)
                .chain(told.map(|(by, _)| by))
                .collect();
            for by in people.iter().filter(|by| !proven.contains(*by)) {
                open.entry(by).or_default().push(place(host));
            }
        }
        for (by, hosts) in open {
            lacks.entry(by).or_default().push((step, hosts));
        }
    }
    for (by, steps) in lacks {
        let told: Vec<String> = steps
            .iter()
            .map(|(step, hosts)| format!("{} on {}", step.id(), list(hosts, usize::MAX)))
            .collect();
        let says = format!(
            "{} has not proven access to what they may have to do: {}.",
            case.person(by),
            list(&told, usize::MAX)
        );
        notes.push(
            Note::error("ownership.no-access", says)
                .naming(by)
                .naming_all(steps.iter().map(|(step, _)| step.id()))
                .owned_by(Some(by))
                .next(format!("baton check --as {by}")),
        );
    }
}
