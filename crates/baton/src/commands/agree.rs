//! What both sides say before the launch: blind answers, offer, acceptance,
//! what each accepts as theirs, and signatures.
//!
//! Words that bind somebody take their name from `--as` and are never guessed.
//! An answer stays a salted commitment in the ledger; its value waits in the
//! folder of the person who gave it until the other team is committed too.

use baton_core::id::{Handle, TeamName};
use baton_engine::desk::agree::{self, Mine, person};
use baton_engine::desk::blind;
use serde_json::{Value, json};

use crate::exit::Exit;
use crate::render::{Out, Tone, cell, toned};
use baton_engine::desk::Desk;
use baton_engine::failure::Failure;

/// `baton answer ID VALUE`.
pub(crate) fn answer(
    desk: &mut Desk,
    out: &Out,
    id: &str,
    value: &str,
    team: Option<&str>,
) -> Result<Exit, Failure> {
    let me = desk.me()?;
    let given = blind::answer(desk, &me, id, value, team)?;
    let (team, commitment) = (given.team, given.commitment);
    let so = if given.both {
        "both are in now"
    } else {
        "it stays closed until both are in"
    };
    let says = format!(
        "{} answers {id} for {team}; {so}",
        person(&desk.contract, &me)
    );
    let more = json!({ "expectation": id, "team": team, "commitment": commitment });
    said(desk, out, &me, &says, more, "baton check --now");
    Ok(Exit::Good)
}

/// `baton offer`.
pub(crate) fn offer(desk: &mut Desk, out: &Out) -> Result<Exit, Failure> {
    let me = desk.signer()?;
    let word = agree::offer(desk, &me)?;
    let (what, to) = (release(desk), &desk.contract.to.value);
    let name = person(&desk.contract, &me);
    let says = if word.fresh {
        format!("{name} offers {what} to {to}")
    } else {
        format!("{name} has already offered this content of {what} to {to}")
    };
    let next = match other_of(desk, to, &me) {
        Some(by) => format!("baton accept --as {by}"),
        None => "baton check".to_owned(),
    };
    let more = json!({ "content": word.content, "new": word.fresh });
    said(desk, out, &me, &says, more, &next);
    Ok(Exit::Good)
}

/// `baton accept`.
pub(crate) fn accept(desk: &mut Desk, out: &Out) -> Result<Exit, Failure> {
    let me = desk.signer()?;
    let word = agree::accept(desk, &me)?;
    let (what, name) = (release(desk), person(&desk.contract, &me));
    let says = if word.fresh {
        format!("{name} accepts {what} for {}", desk.contract.to.value)
    } else {
        format!("{name} has already accepted this content of {what}")
    };
    let more = json!({ "content": word.content, "new": word.fresh });
    said(desk, out, &me, &says, more, "baton check");
    Ok(Exit::Good)
}

/// `baton accept --mine`.
pub(crate) fn accept_mine(desk: &mut Desk, out: &Out) -> Result<Exit, Failure> {
    let me = desk.signer()?;
    let Mine { items, new } = agree::accept_mine(desk, &me)?;
    let fresh = !new.is_empty();
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
                let tone = if new.contains(key) {
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
    let signed = agree::sign(desk, &me, criterion)?;
    let (id, sentence, release) = (signed.criterion, signed.says, signed.release);
    let says = format!("{} signs {id}: {sentence}", person(&desk.contract, &me));
    let more = json!({ "criterion": id, "release": release });
    said(desk, out, &me, &says, more, "baton check");
    Ok(Exit::Good)
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
