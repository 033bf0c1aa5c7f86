//! What `baton init` writes is clean, whoever it is written for.

use expect_test::expect_file;
use jiff::Timestamp;
use proptest::prelude::*;

use super::{lint, shown};
use crate::handoff::contract::Contract;
use crate::handoff::draft::{Found, draft};
use crate::handoff::{plan, runbook};

fn found(people: &[(&str, &str)]) -> Found {
    let people = people
        .iter()
        .map(|(name, email)| ((*name).to_owned(), (*email).to_owned()));
    Found {
        folder: "My Shop".to_owned(),
        people: people.collect(),
        test: Some("cargo test".to_owned()),
        version: Some("2.4.0".to_owned()),
        artifacts: vec!["target/release/shop".to_owned()],
        today: "2026-11-20T08:00:00Z".parse().unwrap(),
        zone: "Europe/Prague".to_owned(),
    }
}

/// Drafts, and checks that neither file has notes, alone or together.
fn clean(found: &Found) -> Contract {
    let (contract, runbook) = draft(found);
    let (read, mut notes) = lint(contract.as_bytes());
    let (steps, more) = runbook::parse(runbook.as_bytes());
    notes.extend(more);
    let (read, steps) = (read.unwrap(), steps.unwrap());
    notes.extend(plan::lint(&read, &steps).notes);
    let notes: String = notes.iter().map(shown).collect();
    assert_eq!(notes, "", "{contract}");
    read
}

fn handles(contract: &Contract) -> Vec<&str> {
    contract
        .people
        .keys()
        .map(|handle| handle.as_str())
        .collect()
}

#[test]
fn the_draft_for_two_people() {
    let found = found(&[
        ("Dana Ito", "dana@shop.example"),
        ("Omar Diaz", "omar@shop.example"),
    ]);
    let contract = clean(&found);
    assert_eq!(contract.name.as_str(), "my-shop");
    let (contract, runbook) = draft(&found);
    expect_file!["../testdata/draft/handoff.yaml"].assert_eq(&contract);
    expect_file!["../testdata/draft/runbook.md"].assert_eq(&runbook);
}

#[test]
fn any_number_of_people_will_do() {
    let nobody = clean(&found(&[]));
    assert_eq!(handles(&nobody), ["somebody", "somebody2"]);
    let alone = clean(&found(&[("Dana Ito", "dana@shop.example")]));
    assert_eq!(handles(&alone), ["dana", "somebody"]);
    let many: Vec<(String, String)> = (0..500)
        .map(|at| (format!("P{at}"), format!("p{at}@x")))
        .collect();
    let many: Vec<(&str, &str)> = many
        .iter()
        .map(|(name, email)| (name.as_str(), email.as_str()))
        .collect();
    let many = clean(&found(&many));
    assert_eq!(handles(&many).len(), 6);
    assert_eq!(many.teams["operations"].len(), 3);
}

#[test]
fn handles_are_short_and_each_their_own() {
    let contract = clean(&found(&[
        ("Dana Ito", "dana@a"),
        ("Dana Novak", "dana@b"),
        ("DANA", "DANA@A"),
        ("Жук \"Z\" Жуков", ""),
        ("null", "n@x"),
        ("operations", "o@x"),
        ("\u{202e}\n", "\u{1b}[2J@x"),
    ]));
    assert_eq!(
        handles(&contract),
        ["2j", "dana", "dana2", "null", "operations2", "жук"]
    );
}

#[test]
fn the_window_is_on_a_working_day_in_the_zone() {
    let window = |today: &str, zone: &str| {
        let mut found = found(&[]);
        found.today = today.parse().unwrap();
        found.zone = zone.to_owned();
        clean(&found)
            .launch
            .window
            .map(|window| (window.opens.to_string(), window.offset_s))
    };
    let monday = ("2026-11-30T09:00:00Z".to_owned(), 3600);
    assert_eq!(
        window("2026-11-20T08:00:00Z", "Europe/Prague"),
        Some(monday.clone())
    );
    assert_eq!(
        window("2026-11-22T22:00:00Z", "Europe/Prague"),
        Some(("2026-11-30T09:00:00Z".to_owned(), 3600))
    );
    assert_eq!(window("2026-11-20T08:00:00Z", "Mars/Base").unwrap().1, 0);
    let mut last = found(&[]);
    last.today = Timestamp::MAX;
    assert_eq!(clean(&last).launch.window, None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_names_and_commands_give_a_clean_draft(
        folder: String,
        people in prop::collection::vec((any::<String>(), any::<String>()), 0..5),
        test: Option<String>,
        version: Option<String>,
        artifacts in prop::collection::vec(any::<String>(), 0..3),
    ) {
        clean(&Found { folder, people, test, version, artifacts, ..found(&[]) });
    }
}
