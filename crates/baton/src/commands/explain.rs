//! `explain`: what a code means, from the pages in `docs/errors`, compiled in.

use baton_core::diag::{Code, nearest};
use serde_json::json;

use crate::exit::Exit;
use crate::render::{Out, Tone};
use baton_engine::failure::Failure;

/// The pages, by code; a test holds the list against the folder.
macro_rules! pages {
    ($($code:literal)*) => {
        &[$(($code, include_str!(concat!("../../../../docs/errors/", $code, ".md")))),*]
    };
}

const PAGES: &[(&str, &str)] = pages! {
    "alignment.conflict"
    "alignment.lapsed"
    "alignment.not-accepted"
    "alignment.not-offered"
    "alignment.unanswered"
    "contract.duplicate"
    "contract.kind"
    "contract.missing-key"
    "contract.reference"
    "contract.syntax"
    "contract.too-large"
    "contract.unknown-key"
    "contract.value"
    "contract.waiver"
    "contract.waiver-stale"
    "definition.blind-measure"
    "definition.failed"
    "definition.guard-never-refused"
    "definition.missing"
    "definition.stale"
    "definition.unsigned"
    "ownership.asleep"
    "ownership.double-booked"
    "ownership.no-access"
    "ownership.no-backup"
    "ownership.not-accepted"
    "ownership.unowned"
    "parity.no-fingerprint"
    "parity.not-collected"
    "parity.same-secret"
    "parity.stale"
    "parity.unexplained"
    "rehearsal.failed"
    "rehearsal.missing"
    "rehearsal.stale"
    "rehearsal.too-old"
    "rehearsal.undo-unproven"
    "review.lesson-open"
    "review.overdue"
    "room.confidence-gap"
    "room.freeze"
    "room.no-go"
    "room.not-voted"
    "room.outside-window"
    "room.unstaffed"
    "runbook.attribute"
    "runbook.cycle"
    "runbook.duplicate-id"
    "runbook.fence"
    "runbook.heading"
    "runbook.no-undo"
    "runbook.owner"
    "runbook.preflight-failed"
    "runbook.reference"
    "runbook.secret"
    "runbook.secret-unresolved"
    "runbook.syntax"
    "runbook.value"
    "runbook.variable"
    "undefined"
    "waiver-expired"
    "waiver-invalid"
};

/// `baton explain CODE`.
pub(crate) fn run(code: &str, out: &Out) -> Result<Exit, Failure> {
    let Some(text) = page(code) else {
        let known = PAGES.iter().map(|(code, _)| *code);
        let known = known.chain(baton_core::diag::BLOCKERS.iter().copied());
        let failure = Failure::wrong(format!(
            "there is no code {}",
            baton_core::diag::brief(code)
        ));
        return Err(match nearest(code, known) {
            Some(near) => failure.hint(format!("did you mean {near}?")),
            None => failure.hint("codes stand in what `baton check` and `baton lint` say"),
        });
    };
    if out.json {
        out.json(&json!({ "format": 1, "code": code, "text": text }));
        return Ok(Exit::Good);
    }
    for piece in pieces(text) {
        match piece {
            Piece::Title(_) => out.line(out.paint(code, Tone::Strong)),
            Piece::Section(text) => out.heading(&text),
            Piece::Paragraph(text) => out.text(&text, 0, Tone::Plain),
            Piece::Item(text) => out.item(&text),
            Piece::Gap => out.gap(),
        }
    }
    Ok(Exit::Good)
}

/// The page of a code; some codes share one over all questions.
fn page(code: &str) -> Option<&'static str> {
    let of = |name: &str| {
        let found = PAGES.iter().find(|(page, _)| *page == name);
        found.map(|(_, text)| *text)
    };
    of(code).or_else(|| {
        let blocker = Code::blocker(code)?;
        of(blocker.0.split_once('.')?.1)
    })
}

/// A piece of a page.
#[derive(Debug, PartialEq, Eq)]
enum Piece {
    Title(String),
    Section(String),
    Paragraph(String),
    Item(String),
    Gap,
}

/// The pieces of a page. The pages use this much of Markdown and no more:
/// headings, paragraphs, and lists whose items go on with two blanks.
fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut fresh = true;
    for line in text.lines() {
        let words = line.trim();
        if words.is_empty() {
            // A heading brings its own empty lines.
            fresh = true;
            continue;
        }
        if let Some(title) = words.strip_prefix("# ") {
            pieces.push(Piece::Title(title.to_owned()));
        } else if let Some(section) = words.strip_prefix("## ") {
            pieces.push(Piece::Section(section.to_owned()));
        } else if let Some(item) = words.strip_prefix("- ") {
            pieces.push(Piece::Item(item.to_owned()));
        } else if let (false, Some(Piece::Item(before) | Piece::Paragraph(before))) =
            (fresh, pieces.last_mut())
        {
            before.push(' ');
            before.push_str(words);
        } else {
            if matches!(pieces.last(), Some(Piece::Paragraph(_) | Piece::Item(_))) {
                pieces.push(Piece::Gap);
            }
            pieces.push(Piece::Paragraph(words.to_owned()));
        }
        fresh = false;
    }
    pieces
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use baton_core::diag::BLOCKERS;
    use baton_core::handoff::{contract, runbook};

    use super::*;

    #[test]
    fn every_page_of_the_folder_is_compiled_in() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors");
        let files: BTreeSet<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect();
        let listed: BTreeSet<String> = PAGES.iter().map(|(code, _)| format!("{code}.md")).collect();
        assert_eq!(files, listed);
    }

    #[test]
    fn every_code_is_explained() {
        let codes = BLOCKERS
            .iter()
            .chain(contract::CODES)
            .chain(&runbook::CODES);
        for code in codes {
            assert!(page(code).is_some(), "{code}");
        }
        assert_eq!(page("parity.undefined"), page("undefined"));
        assert_eq!(page("parity.nothing"), None);
        assert_eq!(page("nothing.undefined"), None);
    }

    #[test]
    fn a_page_is_cut_into_its_pieces() {
        let text = "# a.b\n\n## What\n\nOne\ntwo.\n\nThree.\n\n- x\n  y\n- z\n";
        assert_eq!(
            pieces(text),
            [
                Piece::Title("a.b".to_owned()),
                Piece::Section("What".to_owned()),
                Piece::Paragraph("One two.".to_owned()),
                Piece::Gap,
                Piece::Paragraph("Three.".to_owned()),
                Piece::Item("x y".to_owned()),
                Piece::Item("z".to_owned()),
            ]
        );
    }
}
