//! Tests of the contract's reading as a whole.

mod draft;
mod edit;
mod hostile;
mod notes;
mod schema;

use expect_test::expect_file;

use super::contract::{CODES, Contract, lint, parse};
use crate::diag::Note;

/// The example that uses nearly every key.
const SHOP: &str = include_str!("testdata/shop.yaml");

/// What the example leaves out.
const EVERYTHING: &str = include_str!("testdata/everything.yaml");

/// A note as one would see it, without carets.
fn shown(note: &Note) -> String {
    let at = note.span.map_or_else(
        || "-".to_owned(),
        |span| format!("{}:{}", span.line, span.column),
    );
    let next = note.next.as_deref().unwrap_or("-");
    format!("{at} {} {}\n    hint: {next}\n", note.code, note.says)
}

/// All notes about a text: of reading it, then of what it says.
fn notes(text: &str) -> Vec<Note> {
    lint(text.as_bytes()).1
}

#[test]
fn the_example_is_read_without_notes() {
    let shown: String = notes(SHOP).iter().map(shown).collect();
    assert_eq!(shown, "");
}

#[test]
fn the_example_reads_as_it_is_meant() {
    let contract = parse(SHOP.as_bytes()).0.unwrap();
    let stored = serde_json::to_string_pretty(&contract).unwrap();
    expect_file!["testdata/shop.json"].assert_eq(&stored);
    assert_eq!(serde_json::from_str::<Contract>(&stored).unwrap(), contract);
}

#[test]
fn names_stand_for_people() {
    let contract = parse(SHOP.as_bytes()).0.unwrap();
    let members = |who: &str| {
        let members = contract.members(who)?;
        Some(
            members
                .iter()
                .map(|member| member.as_str().to_owned())
                .collect::<Vec<_>>()
                .join(" "),
        )
    };
    assert_eq!(members("dana").as_deref(), Some("dana"));
    assert_eq!(members("operations").as_deref(), Some("omar pia"));
    assert_eq!(members("launch-lead").as_deref(), Some("omar"));
    assert_eq!(members("nobody"), None);
}

#[test]
fn watching_has_usual_terms() {
    let without = SHOP.replace("watch: {", "# watch: {");
    let contract = parse(without.as_bytes()).0.unwrap();
    assert_eq!(contract.watch, None);
    assert_eq!(
        contract.watch_terms(),
        parse(SHOP.as_bytes()).0.unwrap().watch_terms()
    );
}

#[test]
fn a_contract_may_stand_without_its_waivers() {
    let text = SHOP.replace("until: 2026-12-01T00:00:00Z", "until: soon");
    let (contract, notes) = parse(text.as_bytes());
    assert_eq!(notes[0].code.0, "parity.waiver-invalid");
    assert_eq!(notes[0].names, ["parity.unexplained"]);
    assert_eq!(contract.unwrap().waivers[0].until, Err("soon".to_owned()));
}

#[test]
fn every_code_of_a_note_is_listed() {
    let files = [
        include_str!("yaml.rs"),
        include_str!("yaml/build.rs"),
        include_str!("read.rs"),
        include_str!("forms.rs"),
        include_str!("waiver.rs"),
        include_str!("check.rs"),
        include_str!("variables.rs"),
    ];
    for file in files {
        for rest in file.split("\"contract.").skip(1) {
            let code = format!("contract.{}", rest.split('"').next().unwrap());
            assert!(CODES.contains(&code.as_str()), "{code}");
        }
    }
}
