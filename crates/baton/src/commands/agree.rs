//! What both sides say before the launch: blind answers, offer, acceptance,
//! what each accepts as theirs, and signatures.
//!
//! Words that bind somebody take their name from `--as` and are never guessed.
//! An answer stays a salted commitment in the ledger; its value waits in the
//! folder of the person who gave it until the other team is committed too.

mod blind;

use std::collections::BTreeMap;

use baton_core::diag::{list, nearest};
use baton_core::event::Event;
use baton_core::gate::{criterion_definition, criterion_environment, items_of};
use baton_core::handoff::contract::{Contract, Criterion};
use baton_core::id::{Digest, Handle, TeamName};
use serde_json::{Value, json};

pub(crate) use blind::{answer, close_confidence, open_answers};

use crate::desk::Desk;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::render::{Out, Tone, cell, toned};

/// `baton offer`.
pub(crate) fn offer(desk: &mut Desk, out: &Out) -> Result<Exit, Failure> {
    let me = desk.signer()?;
    let from = desk.contract.from.value.clone();
    member(desk, &from, &me, "hands over")?;
    let content = desk.plan.digests.content.clone();
    let again = desk.facts.offers().any(|word| word == (&me, &content));
    if !again {
        let offered = Event::Offered {
            content: content.clone(),
        };
        let _entries = desk.append(&me, None, vec![offered])?;
    }
    let (what, to) = (release(desk), &desk.contract.to.value);
    let name = person(&desk.contract, &me);
    let says = if again {
        format!("{name} has already offered this content of {what} to {to}")
    } else {
        format!("{name} offers {what} to {to}")
    };
    let next = match other_of(desk, to, &me) {
        Some(by) => format!("baton accept --as {by}"),
        None => "baton check".to_owned(),
    };
    said(
        desk,
        out,
        &me,
        &says,
        json!({ "content": content, "new": !again }),
        &next,
    );
    Ok(Exit::Good)
}

/// `baton accept`.
pub(crate) fn accept(desk: &mut Desk, out: &Out) -> Result<Exit, Failure> {
    let me = desk.signer()?;
    let to = desk.contract.to.value.clone();
    member(desk, &to, &me, "takes over")?;
    let content = desk.plan.digests.content.clone();
    offered(desk, &me, &content)?;
    let again = desk.facts.acceptances().any(|word| word == (&me, &content));
    if !again {
        let accepted = Event::Accepted {
            content: content.clone(),
        };
        let _entries = desk.append(&me, None, vec![accepted])?;
    }
    let (what, name) = (release(desk), person(&desk.contract, &me));
    let says = if again {
        format!("{name} has already accepted this content of {what}")
    } else {
        format!("{name} accepts {what} for {to}")
    };
    let more = json!({ "content": content, "new": !again });
    said(desk, out, &me, &says, more, "baton check");
    Ok(Exit::Good)
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

/// `baton accept --mine`.
pub(crate) fn accept_mine(desk: &mut Desk, out: &Out) -> Result<Exit, Failure> {
    let me = desk.signer()?;
    let items = items_of(&desk.plan, &me);
    if items.is_empty() {
        return Err(
            Failure::refused(format!("nothing of this handoff is {me}'s to accept"))
                .hint("`baton plan` shows who owns and backs up what"),
        );
    }
    let before = desk.facts.accepted_by(&me).cloned().unwrap_or_default();
    let new: BTreeMap<String, Digest> = items
        .iter()
        .filter(|(key, digest)| before.get(*key) != Some(digest))
        .map(|(key, digest)| (key.clone(), digest.clone()))
        .collect();
    let fresh = !new.is_empty();
    if fresh {
        let accepted = Event::AcceptedMine {
            items: items.clone(),
        };
        let _entries = desk.append(&me, None, vec![accepted])?;
    }
    let name = person(&desk.contract, &me);
    let things = if items.len() == 1 { "thing" } else { "things" };
    let says = if fresh {
        format!("{name} accepts {} {things}", items.len())
    } else {
        format!("{name} has already accepted all that is theirs")
    };
    let next = format!("baton check --as {me}");
    if !out.json {
        out.text(&says, 0, Tone::Plain);
        let rows: Vec<_> = items
            .keys()
            .map(|key| {
                let (kind, id) = key.split_once(':').unwrap_or(("", key));
                let tone = if new.contains_key(key) {
                    Tone::Plain
                } else {
                    Tone::Quiet
                };
                vec![
                    toned(kind, Tone::Quiet),
                    cell(id),
                    toned(title(desk, kind, id), tone),
                ]
            })
            .collect();
        out.table(2, &rows);
        out.next(&next);
        return Ok(Exit::Good);
    }
    let more = json!({ "items": items, "new": fresh });
    said(desk, out, &me, &says, more, &next);
    Ok(Exit::Good)
}

/// What an item is, for people.
fn title(desk: &Desk, kind: &str, id: &str) -> String {
    let contract = &desk.contract;
    let found = match kind {
        "step" => desk.plan.step(id).map(|step| step.written.title.clone()),
        "criterion" => {
            let mut done = contract.done.iter();
            done.find(|criterion| criterion.id.as_str() == id)
                .map(|criterion| criterion.says.clone())
        }
        "measure" => {
            let mut measures = contract.success.defined().into_iter().flatten();
            measures
                .find(|measure| measure.id.as_str() == id)
                .map(|measure| measure.says.clone())
        }
        _ => None,
    };
    found.unwrap_or_default()
}

/// `baton sign CRITERION`.
pub(crate) fn sign(desk: &mut Desk, out: &Out, criterion: &str) -> Result<Exit, Failure> {
    let me = desk.signer()?;
    let found = known_criterion(&desk.contract, criterion)?;
    let Some(signs) = &found.sign else {
        return Err(
            Failure::wrong(format!("{criterion} is not signed: it has a command"))
                .hint("`baton check` runs it"),
        );
    };
    if signs.value != me {
        let signs = person(&desk.contract, signs);
        return Err(
            Failure::refused(format!("{criterion} is signed by {signs}, not by {me}"))
                .hint("the contract names who signs under `sign:`"),
        );
    }
    let (id, definition) = (found.id.value.clone(), criterion_definition(found));
    let sentence = found.says.clone();
    let environment = criterion_environment(&desk.plan, found).cloned();
    let release = desk.release().map_err(|why| {
        Failure::part(format!("cannot tell which release is signed: {why}"))
            .hint("build the release first; its files stand under `release: artifacts:`")
    })?;
    let signed = Event::Signed {
        criterion: id.clone(),
        definition,
        release: release.clone(),
        environment,
    };
    let _entries = desk.append(&me, None, vec![signed])?;
    let says = format!("{} signs {id}: {sentence}", person(&desk.contract, &me));
    let more = json!({ "criterion": id, "release": release });
    said(desk, out, &me, &says, more, "baton check");
    Ok(Exit::Good)
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

/// The first member of a team besides this person.
fn other_of(desk: &Desk, team: &TeamName, me: &Handle) -> Option<Handle> {
    let members = desk.contract.members(team)?;
    members.into_iter().find(|by| by != me)
}

fn release(desk: &Desk) -> String {
    let contract = &desk.contract;
    format!("{} {}", contract.name.value, contract.release.version.value)
}

/// A person as a sentence names them: `Omar Diaz (omar)`.
pub(crate) fn person(contract: &Contract, handle: &Handle) -> String {
    match contract.people.get(handle) {
        Some(person) if person.name != handle.as_str() && !person.name.is_empty() => {
            format!("{} ({handle})", person.name)
        }
        _ => handle.to_string(),
    }
}

/// One calm line and what comes next; for programs the same with `more`.
fn said(desk: &Desk, out: &Out, me: &Handle, says: &str, more: Value, next: &str) {
    if !out.json {
        out.text(says, 0, Tone::Plain);
        out.next(next);
        return;
    }
    let mut answer = json!({
        "format": 1, "handoff": desk.contract.name.value, "by": me, "said": says, "next": next,
    });
    if let (Value::Object(answer), Value::Object(more)) = (&mut answer, more) {
        answer.extend(more);
    }
    out.json(&answer);
}
