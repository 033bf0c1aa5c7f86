//! What both sides say before the launch: offer, acceptance, what each accepts
//! as theirs, and signatures. Who may, and when.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use baton_core::diag::{list, nearest};
use baton_core::event::Event;
use baton_core::gate::{Waived, criterion_definition, criterion_environment, items_of};
use baton_core::handoff::contract::{Contract, Criterion};
use baton_core::id::{CriterionId, Digest, Handle, TeamName};

use super::Desk;
use crate::failure::Failure;

/// A word on the content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    /// The content digest.
    pub content: Digest,
    /// Whether it was not said before.
    pub fresh: bool,
}

/// What a person accepted as theirs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mine {
    /// All of it, by key.
    pub items: BTreeMap<String, Digest>,
    /// The keys that were not accepted before as they are.
    pub new: BTreeSet<String>,
}

/// A signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// Of which criterion.
    pub criterion: CriterionId,
    /// What it says.
    pub says: String,
    /// Of which release.
    pub release: Digest,
}

/// The giving team offers the content as it is.
///
/// # Errors
/// When `me` is not of the giving team.
pub fn offer(desk: &mut Desk, me: &Handle) -> Result<Bound, Failure> {
    loop {
        let from = desk.contract.from.value.clone();
        member(desk, &from, me, "hands over")?;
        let content = desk.plan.digests.content.clone();
        let fresh = !desk.facts.offers().any(|word| word == (me, &content));
        if !fresh {
            return Ok(Bound { content, fresh });
        }
        let plan = Rc::clone(&desk.plan);
        let event = Event::Offered {
            content: content.clone(),
            plan: Some(desk.keep(&*plan)?),
        };
        if desk.append_decided(None, vec![(me.clone(), event)])? {
            return Ok(Bound { content, fresh });
        }
    }
}

/// A member of the receiving team accepts what somebody else offered.
///
/// # Errors
/// When `me` is not of the receiving team, or nobody else offered this content.
pub fn accept(desk: &mut Desk, me: &Handle) -> Result<Bound, Failure> {
    loop {
        let to = desk.contract.to.value.clone();
        member(desk, &to, me, "takes over")?;
        let content = desk.plan.digests.content.clone();
        offered(desk, me, &content)?;
        let fresh = !desk.facts.acceptances().any(|word| word == (me, &content));
        let event = Event::Accepted {
            content: content.clone(),
        };
        if !fresh || desk.append_decided(None, vec![(me.clone(), event)])? {
            return Ok(Bound { content, fresh });
        }
    }
}

/// A person accepts all that is theirs, as owner or backup.
///
/// # Errors
/// When nothing is.
pub fn accept_mine(desk: &mut Desk, me: &Handle) -> Result<Mine, Failure> {
    loop {
        let items = items_of(&desk.plan, me);
        if items.is_empty() {
            return Err(
                Failure::refused(format!("nothing of this handoff is {me}'s to accept"))
                    .hint("`baton plan` shows who owns and backs up what"),
            );
        }
        let before = desk.facts.accepted_by(me).cloned().unwrap_or_default();
        let fresh = items
            .iter()
            .filter(|(key, digest)| before.get(*key) != Some(digest));
        let new: BTreeSet<String> = fresh.map(|(key, _)| key.clone()).collect();
        let event = Event::AcceptedMine {
            items: items.clone(),
        };
        if new.is_empty() || desk.append_decided(None, vec![(me.clone(), event)])? {
            return Ok(Mine { items, new });
        }
    }
}

/// A person signs a criterion for the release as it is now.
///
/// # Errors
/// When there is no such criterion, somebody else signs it, or the release
/// cannot be read.
pub fn sign(desk: &mut Desk, me: &Handle, criterion: &str) -> Result<Signature, Failure> {
    let found = known_criterion(&desk.contract, criterion)?;
    let Some(signs) = &found.sign else {
        return Err(
            Failure::wrong(format!("{criterion} is not signed: it has a command"))
                .hint("`baton check` runs it"),
        );
    };
    if signs.value != *me {
        let signs = person(&desk.contract, signs);
        return Err(
            Failure::refused(format!("{criterion} is signed by {signs}, not by {me}"))
                .hint("the contract names who signs under `sign:`"),
        );
    }
    let (criterion, definition) = (found.id.value.clone(), criterion_definition(found));
    let says = found.says.clone();
    let environment = criterion_environment(&desk.plan, found).cloned();
    let release = desk.release().map_err(|why| {
        Failure::part(format!("cannot tell which release is signed: {why}"))
            .hint("build the release first; its files stand under `release: artifacts:`")
    })?;
    let signed = Event::Signed {
        criterion: criterion.clone(),
        definition,
        release: release.clone(),
        environment,
    };
    let _entries = desk.append(me, None, vec![signed])?;
    Ok(Signature {
        criterion,
        says,
        release,
    })
}

/// A person as a sentence names them: `Omar Diaz (omar)`.
pub fn person(contract: &Contract, handle: &Handle) -> String {
    match contract.people.get(handle) {
        Some(person) if person.name != handle.as_str() && !person.name.is_empty() => {
            format!("{} ({handle})", person.name)
        }
        _ => handle.to_string(),
    }
}

/// Who answers for a waiver, until when, and why.
pub fn why_waived(contract: &Contract, waived: &Waived) -> String {
    let owner = person(contract, &waived.owner);
    format!("{owner} until {}: {}", waived.until, waived.because)
}

/// Somebody else of the giving team has offered exactly this.
fn offered(desk: &Desk, me: &Handle, content: &Digest) -> Result<(), Failure> {
    let from = &desk.contract.from.value;
    let givers = desk.contract.members(from).unwrap_or_default();
    let offers = || desk.facts.offers().filter(|(by, _)| givers.contains(by));
    if offers().any(|(by, of)| by != me && of == content) {
        return Ok(());
    }
    let giver = givers.iter().find(|by| *by != me);
    let command = match giver {
        Some(by) => format!("`baton offer --as {by}` offers it"),
        None => format!("{from} needs a member besides {me}"),
    };
    let why = if offers().any(|(by, of)| by == me && of == content) {
        format!(
            "{} offered this content, and nobody accepts their own offer",
            person(&desk.contract, me)
        )
    } else if offers().next().is_some() {
        "the content has changed since it was offered".to_owned()
    } else {
        format!("nobody of {from} has offered this content yet")
    };
    Err(Failure::refused(why).hint(command))
}

fn known_criterion<'c>(contract: &'c Contract, id: &str) -> Result<&'c Criterion, Failure> {
    let mut done = contract.done.iter();
    if let Some(found) = done.find(|criterion| criterion.id.as_str() == id) {
        return Ok(found);
    }
    let ids = contract.done.iter().map(|criterion| criterion.id.as_str());
    let failure = Failure::wrong(format!("the contract has no criterion {id}"));
    Err(match nearest(id, ids.clone()) {
        Some(near) => failure.hint(format!("did you mean {near}?")),
        None => failure.hint(format!(
            "it has {}",
            list(&ids.collect::<Vec<_>>(), usize::MAX)
        )),
    })
}

/// Refuses whoever is not of the team that `does` this.
fn member(desk: &Desk, team: &TeamName, me: &Handle, does: &str) -> Result<(), Failure> {
    let members = desk.contract.members(team).unwrap_or_default();
    if members.contains(me) {
        return Ok(());
    }
    let who = list(&members, 8).replace(" and ", " or ");
    Err(Failure::refused(format!("{team} {does}: {who}, not {me}"))
        .hint("say who speaks with `--as HANDLE`"))
}
