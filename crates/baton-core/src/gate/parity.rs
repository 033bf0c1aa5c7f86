//! Does what we tested mirror what will run?
//!
//! Fingerprints of the launch environment, of every compared one and of the one
//! it is rehearsed in must be there, fresh, of the present definitions and complete; then the core's
//! comparison decides, among siblings and between environments. For the
//! environment of the rehearsal the fingerprint taken before the rehearsal
//! counts, while that rehearsal does: what the release itself changed there is
//! no difference.

use std::collections::{BTreeMap, BTreeSet};

use super::Case;
use super::facts::Print;
use crate::diag::{Note, list};
use crate::event::RunKind;
use crate::handoff::contract::{self, ParityTerms};
use crate::id::{EnvName, GroupName, HostName};
use crate::parity::fingerprint::asked;
use crate::parity::{Collector, Comparison, Environment, Fingerprint, compare};
use crate::time::Duration;

/// Asks the question and notes what speaks against a yes.
pub(super) fn check(case: &Case<'_>, notes: &mut Vec<Note>) {
    let what = "how the environments are compared";
    let section = &case.plan.contract.parity;
    let Some(terms) = case.section(section, "parity.undefined", "parity", what, notes) else {
        return;
    };
    let launch = &case.plan.environment;
    let mut tested = case.plan.contract.tested();
    tested.remove(launch);

    let lead = case.lead();
    let start = notes.len();
    let mut known: Vec<Known<'_>> = Vec::new();
    for name in tested.into_iter().chain([launch]) {
        known.extend(known_of(case, terms, name, notes));
    }
    for note in &mut notes[start..] {
        note.owner.clone_from(&lead);
    }
    let start = notes.len();
    compare_all(launch, &known, terms, notes);
    for note in &mut notes[start..] {
        note.owner.clone_from(&lead);
        note.next = Some(format!("baton parity {launch}"));
    }
}

/// A fingerprint that may be compared.
struct Known<'a> {
    fingerprint: &'a Fingerprint,
    groups: BTreeMap<GroupName, Vec<HostName>>,
}

impl Known<'_> {
    fn environment(&self) -> Environment<'_> {
        Environment {
            fingerprint: self.fingerprint,
            groups: &self.groups,
        }
    }
}

/// The fingerprint of an environment that counts, with what speaks against it.
fn known_of<'a>(
    case: &Case<'a>,
    terms: &ParityTerms,
    name: &EnvName,
    notes: &mut Vec<Note>,
) -> Option<Known<'a>> {
    let next = format!("baton fingerprint {name}");
    let Some((print, rehearsed)) = print_of(case, name) else {
        let says = format!("There is no fingerprint of {name} yet.");
        notes.push(
            Note::error("parity.no-fingerprint", says)
                .naming(name)
                .next(next),
        );
        return None;
    };
    if let Some(why) = stale(case, terms, name, print, rehearsed) {
        let which = if rehearsed {
            " taken before the rehearsal"
        } else {
            ""
        };
        let says = format!("The fingerprint of {name}{which} is stale: {why}.");
        notes.push(Note::error("parity.stale", says).naming(name).next(next));
        return None;
    }
    let read = case.readings.fingerprints.get(&print.fingerprint);
    // One that says it is of another environment tells nothing of this one.
    let Some(fingerprint) = read.filter(|read| read.environment == *name) else {
        let says = format!("The fingerprint of {name} cannot be read.");
        notes.push(
            Note::unknown("parity.not-collected", says)
                .naming(name)
                .next(next),
        );
        return None;
    };
    let place = case.plan.contract.environments.get(name)?;
    incomplete(name, place, fingerprint, notes);
    Some(Known {
        fingerprint,
        groups: groups(place),
    })
}

/// The fingerprint that counts, and whether it is the one before a rehearsal:
/// the latest of this release, within its age.
fn print_of<'a>(case: &Case<'a>, name: &EnvName) -> Option<(&'a Print, bool)> {
    let prints = case.facts.fingerprints.get(name)?;
    let before = rehearsed_before(case, name).and_then(|run| prints.before.get(run));
    match before {
        Some(print) => Some((print, true)),
        None => prints.latest.as_ref().map(|print| (print, false)),
    }
}

fn rehearsed_before<'a>(case: &Case<'a>, name: &EnvName) -> Option<&'a crate::id::RunId> {
    let terms = case.plan.contract.rehearsal.defined()?;
    let release = case.readings.release.as_ref().ok()?;
    if terms.environment.value != *name {
        return None;
    }
    let runs = case.facts.runs.iter().filter(|(_, run)| {
        run.terms.what == RunKind::Rehearsal
            && run.terms.environment == *name
            && run.terms.release == *release
            && run.terms.fail_at.is_none()
    });
    let (id, run) = runs.max_by_key(|(id, run)| (run.opened_at, *id))?;
    let since = run.ended.as_ref().map_or(run.opened_at, |ended| ended.at);
    (Duration::between(since, case.now) <= terms.within).then_some(id)
}

/// Why a fingerprint no longer counts. One from before a rehearsal counts as
/// long as the rehearsal.
fn stale(
    case: &Case<'_>,
    terms: &ParityTerms,
    name: &EnvName,
    print: &Print,
    rehearsed: bool,
) -> Option<String> {
    let mut changed = Vec::new();
    if case.plan.digests.environments.get(name) != Some(&print.definition) {
        changed.push("the definition of the environment");
    }
    if print.collectors != asked(&terms.facts) {
        changed.push("what the contract asks to be collected");
    }
    if !changed.is_empty() {
        let verb = if changed.len() == 1 { "has" } else { "have" };
        return Some(format!(
            "{} {verb} changed since",
            list(&changed, usize::MAX)
        ));
    }
    let age = Duration::between(print.at, case.now);
    let fresh = terms.fresh.filter(|fresh| !rehearsed && age > *fresh)?;
    Some(format!("its age is {age}, and it counts for {fresh}"))
}

/// Hosts of the contract that the fingerprint does not know and that stand in
/// no group: comparing would not see them at all.
fn incomplete(
    name: &EnvName,
    place: &contract::Environment,
    fingerprint: &Fingerprint,
    notes: &mut Vec<Note>,
) {
    let grouped: BTreeSet<&HostName> = place.groups.values().flatten().map(|h| &h.value).collect();
    let unread: Vec<&str> = place
        .hosts
        .keys()
        .filter(|host| !fingerprint.hosts.contains_key(*host) && !grouped.contains(host))
        .map(HostName::as_str)
        .collect();
    if !unread.is_empty() {
        let says = format!(
            "Nothing is known of {} of {name}: the fingerprint does not hold it.",
            list(&unread, usize::MAX)
        );
        let note = Note::unknown("parity.not-collected", says).naming_all(unread);
        notes.push(note.next(format!("baton fingerprint {name}")));
    }
}

fn groups(place: &contract::Environment) -> BTreeMap<GroupName, Vec<HostName>> {
    let of = place.groups.iter();
    of.map(|(group, hosts)| {
        let hosts = hosts.iter().map(|host| host.value.clone());
        (group.clone(), hosts.collect())
    })
    .collect()
}

/// Compares what is known; an environment without a fingerprint that counts
/// has been noted already.
fn compare_all(launch: &EnvName, known: &[Known<'_>], terms: &ParityTerms, notes: &mut Vec<Note>) {
    let is_launch = |known: &&Known<'_>| known.fingerprint.environment == *launch;
    let Some(reference) = known.iter().find(is_launch) else {
        return;
    };
    let tested: Vec<Environment<'_>> = known
        .iter()
        .filter(|known| !is_launch(known))
        .map(Known::environment)
        .collect();
    // A layer that no host has, not even as unread, is one that comparing cannot miss.
    for layer in terms.facts.iter().map(Collector::layer) {
        let mut hosts = known
            .iter()
            .flat_map(|known| known.fingerprint.hosts.values());
        if !hosts.any(|facts| facts.layers.contains_key(layer)) {
            let says = format!("{layer} is not known on any host: it was not read.");
            let name = format!("{layer}:*");
            notes.push(Note::unknown("parity.not-collected", says).naming(name));
        }
    }
    let found = compare(reference.environment(), &tested, &terms.rules).reweighed(&terms.weights);
    notes.extend(notes_of(&found));
}

/// The blockers of what comparing found.
pub fn notes_of(found: &Comparison) -> Vec<Note> {
    let different = found.differences.iter().map(|difference| {
        Note::error(difference.kind.code(), difference.says.as_str()).naming_all(&difference.names)
    });
    let unread = found.not_collected.iter().map(|unread| {
        Note::unknown("parity.not-collected", unread.says.as_str()).naming_all(&unread.names)
    });
    different.chain(unread).collect()
}
