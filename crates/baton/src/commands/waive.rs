//! `waive`: sets a blocker aside for a while, in the contract.
//!
//! The contract is what both sides accept, so a waiver is written there and
//! nowhere else, and it lapses what was accepted. The file is replaced as a
//! whole or not at all; nothing in it changes but the waiver.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use baton_core::diag::{BLOCKERS, Code, Note, nearest};
use baton_core::gate::{assess, waivable};
use baton_core::handoff::edit::{NewWaiver, add_waiver};
use baton_core::id::Handle;
use baton_core::time::{Duration, instant};
use jiff::Timestamp;
use serde_json::json;

use crate::exit::Exit;
use crate::render::{Out, Tone, cell, toned};
use baton_engine::desk::Desk;
use baton_engine::desk::agree::person;
use baton_engine::failure::Failure;

/// `baton waive BLOCKER --match --because --until`.
pub(crate) fn run(
    desk: &mut Desk,
    out: &Out,
    blocker: &str,
    matches: Vec<String>,
    because: String,
    until: &str,
) -> Result<Exit, Failure> {
    let owner = desk.signer()?;
    known(blocker)?;
    let waiver = NewWaiver {
        blocker: blocker.to_owned(),
        matches,
        because,
        owner,
        until: end(until, Timestamp::now())?,
    };
    let lapsed = Lapsed::by_change(desk);
    let file = desk.settings.file.clone();
    let cannot = |what: &str, error: &io::Error| {
        Failure::part(format!("cannot {what} {}", file.display())).because(error)
    };
    let text = fs::read_to_string(&file).map_err(|error| cannot("read", &error))?;
    let text = add_waiver(&text, &waiver).map_err(|note| refused(&note))?;
    replace(&file, &text).map_err(|error| cannot("write", &error))?;

    *desk = Desk::open(&desk.settings)?;
    let covered = covered(desk, &waiver)?;
    if out.json {
        out.json(&json!({
            "format": 1, "handoff": desk.contract.name.value, "by": waiver.owner,
            "blocker": waiver.blocker, "match": waiver.matches, "because": waiver.because,
            "until": waiver.until, "sets_aside": covered,
            "lapsed": { "offer": lapsed.offers, "acceptance": lapsed.acceptances },
        }));
        return Ok(Exit::Good);
    }
    show(desk, out, &waiver, &covered);
    lapsed.show(desk, out);
    Ok(Exit::Good)
}

/// Refuses what is no blocker, and what may not be waived.
fn known(blocker: &str) -> Result<(), Failure> {
    let Some(code) = Code::blocker(blocker) else {
        let codes = BLOCKERS.iter().copied();
        let near = nearest(blocker, codes.filter(|code| waivable(Code(code))));
        let failure = Failure::wrong(format!("there is no blocker {blocker}"));
        return Err(match near {
            Some(near) => failure.hint(format!("did you mean {near}?")),
            None => failure.hint("`baton check` names the blockers there are"),
        });
    };
    if waivable(code) {
        return Ok(());
    }
    let why = if blocker.contains(".waiver-") {
        "mend or remove the waiver it is about: no waiver can vouch for another one"
    } else {
        "both sides give their word themselves: `baton offer`, `baton accept`"
    };
    Err(Failure::wrong(format!("{blocker} cannot be waived")).hint(why))
}

/// Until when: an instant, or a duration from now; it lies ahead.
fn end(text: &str, now: Timestamp) -> Result<Timestamp, Failure> {
    let at = match (instant(text), Duration::parse(text)) {
        (Ok(at), _) => at,
        (_, Ok(lasts)) => lasts.after(now),
        (Err(_), Err(_)) => {
            return Err(Failure::wrong(format!(
                "cannot read `{text}` as the end of a waiver"
            ))
            .hint("write an instant with a zone, as in `2026-12-01T00:00:00Z`, or a duration from now, as in `7d`"));
        }
    };
    // Nobody reads fractions of a second in a contract.
    let at = Timestamp::from_second(at.as_second()).unwrap_or(at);
    if at <= now {
        return Err(Failure::wrong(format!(
            "{at} is over: a waiver that has ended hides nothing"
        ))
        .hint("name an end that lies ahead, as in `--until 7d`"));
    }
    Ok(at)
}

fn refused(note: &Note) -> Failure {
    let mut failure = Failure::wrong(note.says.clone());
    failure.hints.extend(note.next.clone());
    failure
}

/// Puts the new text in the place of the file, whole or not at all, with the
/// same permissions. A link stays a link.
fn replace(file: &Path, text: &str) -> io::Result<()> {
    let file = fs::canonicalize(file)?;
    let folder = file.parent().unwrap_or_else(|| Path::new("/"));
    let mut new = tempfile::Builder::new()
        .prefix(".handoff")
        .tempfile_in(folder)?;
    new.write_all(text.as_bytes())?;
    new.as_file()
        .set_permissions(fs::metadata(&file)?.permissions())?;
    new.as_file().sync_all()?;
    let _file = new.persist(&file).map_err(|error| error.error)?;
    Ok(())
}

/// The blockers of this moment that the waiver sets aside.
fn covered(desk: &mut Desk, waiver: &NewWaiver) -> Result<Vec<String>, Failure> {
    let readings = desk.readings(false)?;
    let now = Timestamp::now();
    let verdict = assess(&desk.plan, &desk.facts, &readings, &desk.notes, now);
    let covered = verdict.waived.into_iter().filter(|waived| {
        waived.note.code.0 == waiver.blocker
            && waived.until == waiver.until
            && waived.because == waiver.because
    });
    Ok(covered.map(|waived| waived.note.says).collect())
}

fn show(desk: &Desk, out: &Out, waiver: &NewWaiver, covered: &[String]) {
    out.line(format!(
        "{} is set aside in {}",
        out.paint(&waiver.blocker, Tone::Strong),
        desk.settings.file.display()
    ));
    let row = |key: &str, value: &str| vec![toned(key, Tone::Quiet), cell(value)];
    let mut rows = Vec::new();
    rows.extend(waiver.matches.iter().map(|pattern| row("match", pattern)));
    rows.push(row("because", &waiver.because));
    rows.push(row("owner", &person(&desk.contract, &waiver.owner)));
    rows.push(row("until", &waiver.until.to_string()));
    out.table(2, &rows);
    out.gap();
    for says in covered {
        out.text(says, 2, Tone::Quiet);
    }
    if covered.is_empty() {
        let says = "No blocker that stands now is covered by it: its patterns must cover every name of the blocker.";
        out.text(says, 0, Tone::Warn);
    }
}

/// Whose words were given on the content before the change.
struct Lapsed {
    offers: Vec<Handle>,
    acceptances: Vec<Handle>,
}

impl Lapsed {
    fn by_change(desk: &Desk) -> Self {
        let content = &desk.plan.digests.content;
        let offers = desk.facts.offers().filter(|(_, of)| *of == content);
        let accepted = desk.facts.acceptances().filter(|(_, of)| *of == content);
        Self {
            offers: offers.map(|(by, _)| by.clone()).collect(),
            acceptances: accepted.map(|(by, _)| by.clone()).collect(),
        }
    }

    fn show(&self, desk: &Desk, out: &Out) {
        if let Some(by) = self.acceptances.first() {
            let who = person(&desk.contract, by);
            let says = format!(
                "The acceptance of {who} has lapsed: it binds again once this content is offered and accepted."
            );
            out.text(&says, 0, Tone::Warn);
        }
        match self.offers.first() {
            Some(by) => out.next(&format!("baton offer --as {by}")),
            None => out.next("baton check --now"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use baton_engine::failure::Kind;

    #[test]
    fn a_waiver_ends_ahead_at_an_instant_or_after_a_duration() {
        let now: Timestamp = "2026-11-20T10:00:00.5Z".parse().unwrap();
        let read = |text: &str| end(text, now).map(|at| at.to_string());
        assert_eq!(read("7d").unwrap(), "2026-11-27T10:00:00Z");
        assert_eq!(
            read("2026-12-01T00:00:00+01:00").unwrap(),
            "2026-11-30T23:00:00Z"
        );
        for bad in ["2026-11-20T09:00:00Z", "tomorrow", "0s", "2026-12-01"] {
            let failure = read(bad).unwrap_err();
            assert_eq!(failure.kind, Kind::Use, "{bad}");
            assert_eq!(failure.hints.len(), 1, "{bad}");
        }
    }

    #[test]
    fn only_blockers_that_may_be_are_waived() {
        assert!(known("parity.unexplained").is_ok());
        let near = known("parity.unexplaned").unwrap_err();
        assert_eq!(near.hints, ["did you mean parity.unexplained?"]);
        for code in ["alignment.not-accepted", "parity.waiver-expired"] {
            let failure = known(code).unwrap_err();
            assert!(failure.message.contains("cannot be waived"), "{code}");
        }
    }
}
