//! What the reader may still say before the launch.

use std::collections::BTreeMap;

use baton_core::gate::{Readings, is_blind, items_of, shown, stand};
use baton_core::handoff::contract::Criterion;
use baton_core::id::{Handle, TeamName};
use baton_engine::desk::Desk;
use jiff::Timestamp;

use crate::wire::MineView;

/// Every word that is this person's to say and that they have not said yet, in
/// the order in which the gate asks. Whether it may be said is still the desk's
/// to decide when it is.
pub(super) fn open(desk: &Desk, me: &Handle, readings: &Readings, now: Timestamp) -> Vec<MineView> {
    let contract = &desk.plan.contract;
    let is_of = |team: &TeamName| {
        let members = contract.members(team);
        members.is_some_and(|members| members.contains(me))
    };
    let mut open = Vec::new();
    let signs = |of: &&Criterion| {
        let mine = of.run.is_none() && of.sign.as_ref().is_some_and(|by| by.value == *me);
        let release = readings.release.as_ref().ok();
        let lacks = release.is_some_and(|release| {
            let shown = shown(&desk.plan, &desk.facts, release, now, of);
            shown.against.is_some()
        });
        mine && lacks
    };
    let to_sign = contract.done.iter().filter(signs);
    open.extend(to_sign.map(|of| item("sign", &of.id, format!("Sign “{}”", of.says))));
    for asked in contract.expectations.defined().into_iter().flatten() {
        let seen = stand(&desk.plan, &desk.facts, asked);
        let blind = |team: &TeamName| is_blind(&desk.plan, &desk.facts, asked, team, me);
        if seen.wanted.iter().any(|team| is_of(team) && blind(team)) {
            open.push(item("answer", &asked.id, format!("Answer “{}”", asked.ask)));
        }
    }
    open.extend(words(desk, me, is_of));
    open.extend(theirs(desk, me));
    open
}

fn item(kind: &str, id: &str, says: String) -> MineView {
    MineView {
        kind: kind.to_owned(),
        id: id.to_owned(),
        says,
    }
}

/// The word on the whole: an offer nobody has made, an acceptance nobody has given.
fn words(desk: &Desk, me: &Handle, is_of: impl Fn(&TeamName) -> bool) -> Option<MineView> {
    let contract = &desk.plan.contract;
    let (from, to) = (&contract.from.value, &contract.to.value);
    let content = &desk.plan.digests.content;
    let member = |team: &TeamName, by: &Handle| {
        let members = contract.members(team);
        members.is_some_and(|members| members.contains(by))
    };
    let offers = || {
        desk.facts
            .offered(content)
            .filter(|(by, _)| member(from, by))
    };
    let mut accepts = desk
        .facts
        .accepted(content)
        .filter(|(by, _)| member(to, by));
    let what = format!("{} {}", contract.name.value, contract.release.version.value);
    if is_of(from) && offers().next().is_none() {
        return Some(item("offer", "", format!("Offer {what} to {to}")));
    }
    // Nobody accepts their own offer, and an acceptance that stands is enough.
    let offered = offers().any(|(by, _)| by != me);
    let accepted = accepts.any(|(by, _)| offers().any(|(giver, _)| giver != by));
    (is_of(to) && offered && !accepted)
        .then(|| item("accept", "", format!("Accept {what} for {to}")))
}

/// What they own or stand in for and have not accepted as it is now.
fn theirs(desk: &Desk, me: &Handle) -> Option<MineView> {
    let before = desk.facts.accepted_by(me);
    let items = items_of(&desk.plan, me);
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for (key, digest) in &items {
        if before.and_then(|before| before.get(key)) != Some(digest) {
            let kind = key.split_once(':').map_or("", |(kind, _)| kind);
            *kinds.entry(kind).or_default() += 1;
        }
    }
    let counted = kinds.iter().map(|(kind, count)| match (*kind, *count) {
        (kind, 1) => format!("1 {kind}"),
        ("criterion", count) => format!("{count} criteria"),
        (kind, count) => format!("{count} {kind}s"),
    });
    let counted: Vec<String> = counted.collect();
    let says = baton_core::diag::list(&counted, usize::MAX);
    (!counted.is_empty()).then(|| item("accept-mine", "", format!("Accept what is yours: {says}")))
}
