//! A waiver is added, and nothing else changes.

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::SHOP;
use crate::handoff::contract::parse;
use crate::handoff::edit::{NewWaiver, add_waiver};
use crate::id::Handle;

fn waiver() -> NewWaiver {
    NewWaiver {
        blocker: "ownership.asleep".to_owned(),
        matches: vec!["dana".to_owned()],
        because: "Dana stays up: it is one night".to_owned(),
        owner: Handle::from("omar"),
        until: "2026-12-01T00:00:00Z".parse().unwrap(),
    }
}

/// The example with its waivers written in another way.
fn layout(waivers: &str) -> String {
    let start = SHOP.find("waivers:").unwrap();
    let end = SHOP.find("runbook:").unwrap();
    format!("{}{waivers}{}", &SHOP[..start], &SHOP[end..])
}

/// Adds a waiver and checks the promise: the old contract and one waiver more,
/// and every old byte but `[]` still there, in its order.
fn add(text: &str, waiver: &NewWaiver) -> String {
    let new = add_waiver(text, waiver).unwrap();
    let before = parse(text.as_bytes()).0.unwrap();
    let mut after = parse(new.as_bytes()).0.unwrap();
    let added = after.waivers.pop().unwrap();
    assert_eq!(after, before);
    assert_eq!(added.because.as_deref(), Some(waiver.because.as_str()));
    assert_eq!(added.matches, waiver.matches);
    assert_eq!(added.until, Ok(waiver.until));
    // One piece was inserted into the old text, or into it without its `[]`.
    let inserted = |old: &str| {
        let same = |pair: &(u8, u8)| pair.0 == pair.1;
        let head = old.bytes().zip(new.bytes()).take_while(same).count();
        let tail = old
            .bytes()
            .rev()
            .zip(new.bytes().rev())
            .take_while(same)
            .count();
        head + tail >= old.len()
    };
    let empty = ["waivers: []", "waivers: [ ]"];
    assert!(
        inserted(text)
            || empty
                .iter()
                .any(|list| inserted(&text.replace(list, "waivers:")))
    );
    new
}

/// The lines of a text that another does not have, and the line before them.
fn check(waivers: &str, expected: Expect) {
    let old = layout(waivers);
    let new = add(&old, &waiver());
    let start = new.find("waivers:").unwrap();
    let end = new.find("runbook:").unwrap();
    let shown = if start < end {
        &new[start..end]
    } else {
        &new[start..]
    };
    expected.assert_eq(shown);
}

/// A waiver as people write it.
const FIRST: &str = "  - blocker: parity.unexplained # until patched\n    match: a\n    because: b\n    owner: pia\n    until: 2026-12-01T00:00:00Z";

#[test]
fn a_block_list_keeps_its_style() {
    check(
        &format!("waivers: # why\n{FIRST} # soon\n  # the end\n\n"),
        expect![[r#"
            waivers: # why
              - blocker: parity.unexplained # until patched
                match: a
                because: b
                owner: pia
                until: 2026-12-01T00:00:00Z # soon
              - blocker: ownership.asleep
                match: "dana"
                because: "Dana stays up: it is one night"
                owner: omar
                until: 2026-12-01T00:00:00Z
              # the end

        "#]],
    );
    check(
        &format!(
            "waivers:\n{}\n",
            FIRST.replace("\n  ", "\n").replace("  - ", "- ")
        ),
        expect![[r#"
            waivers:
            - blocker: parity.unexplained # until patched
              match: a
              because: b
              owner: pia
              until: 2026-12-01T00:00:00Z
            - blocker: ownership.asleep
              match: "dana"
              because: "Dana stays up: it is one night"
              owner: omar
              until: 2026-12-01T00:00:00Z
        "#]],
    );
}

#[test]
fn other_lists_keep_their_style() {
    check(
        "waivers: []   # none yet\n",
        expect![[r#"
        waivers:   # none yet
          - blocker: ownership.asleep
            match: "dana"
            because: "Dana stays up: it is one night"
            owner: omar
            until: 2026-12-01T00:00:00Z
    "#]],
    );
    check(
        "waivers: [ ]\n# nothing\n",
        expect![[r#"
        waivers:
          - blocker: ownership.asleep
            match: "dana"
            because: "Dana stays up: it is one night"
            owner: omar
            until: 2026-12-01T00:00:00Z
        # nothing
    "#]],
    );
    check(
        "waivers: [ { blocker: parity.stale, because: b, owner: pia, until: 2026-12-01T00:00:00Z }, ] # one\n",
        expect![[r#"
            waivers: [ { blocker: parity.stale, because: b, owner: pia, until: 2026-12-01T00:00:00Z }, { blocker: ownership.asleep, match: "dana", because: "Dana stays up: it is one night", owner: omar, until: 2026-12-01T00:00:00Z }, ] # one
        "#]],
    );
    check(
        "",
        expect![[r#"
        waivers:
          - blocker: ownership.asleep
            match: "dana"
            because: "Dana stays up: it is one night"
            owner: omar
            until: 2026-12-01T00:00:00Z
    "#]],
    );
    check(
        &format!(
            "waivers:\n{}\n",
            FIRST.replace("because: b", "because: |\n      # no comment\n\n      b\n")
        ),
        expect![[r#"
            waivers:
              - blocker: parity.unexplained # until patched
                match: a
                because: |
                  # no comment

                  b

                owner: pia
                until: 2026-12-01T00:00:00Z
              - blocker: ownership.asleep
                match: "dana"
                because: "Dana stays up: it is one night"
                owner: omar
                until: 2026-12-01T00:00:00Z
        "#]],
    );
}

#[test]
fn line_ends_and_file_ends_stay() {
    for text in [SHOP.to_owned(), layout(""), layout("waivers: []\n")] {
        let crlf = add(&text.replace('\n', "\r\n"), &waiver());
        assert_eq!(crlf.replace("\r\n", ""), crlf.replace(['\r', '\n'], ""));
        assert_eq!(crlf.replace("\r\n", "\n"), add(&text, &waiver()));
        add(&text.replace('\n', "\r"), &waiver());
        add(&format!("\u{feff}{text}"), &waiver());
        add(text.trim_end(), &waiver());
        add(&format!("---\n{text}...\n"), &waiver());
    }
    let moved = SHOP.replace("waivers:", "waivers: []\nold:");
    let last = format!("{}\nwaivers:", layout(""));
    assert!(add_waiver(&moved, &waiver()).is_err());
    assert!(add_waiver(&last, &waiver()).is_err());
}

#[test]
fn several_can_be_added() {
    let mut text = layout("");
    for at in 0..20 {
        let matches = (0..at % 4).map(|one| format!("name-{one}*")).collect();
        text = add(
            &text,
            &NewWaiver {
                matches,
                ..waiver()
            },
        );
    }
    assert_eq!(parse(text.as_bytes()).0.unwrap().waivers.len(), 20);
}

#[test]
fn where_there_is_no_safe_place_nothing_is_changed() {
    let json = include_str!("../../../../../fuzz/seeds/contract/looks-like-json");
    let comment = layout("waivers: [ # none\n  ]\n");
    for text in [json, &comment] {
        let note = add_waiver(text, &waiver()).unwrap_err();
        assert!(note.says.contains("no safe place"), "{}", note.says);
        assert!(note.next.unwrap().contains("- blocker: ownership.asleep\n"));
    }
}

#[test]
fn useless_waivers_are_refused() {
    let says = |change: fn(&mut NewWaiver)| {
        let mut waiver = waiver();
        change(&mut waiver);
        let note = add_waiver(SHOP, &waiver).unwrap_err();
        format!("{} {}", note.code, note.says)
    };
    let all = [
        says(|waiver| waiver.blocker = "alignment.not-accepted".to_owned()),
        says(|waiver| waiver.blocker = "review.waiver-invalid".to_owned()),
        says(|waiver| waiver.blocker = "everything".to_owned()),
        says(|waiver| waiver.because = " \n".to_owned()),
        says(|waiver| waiver.owner = Handle::from("a b")),
        says(|waiver| waiver.matches = vec!["a".to_owned(), "[".to_owned()]),
        says(|waiver| waiver.matches = vec![String::new()]),
    ];
    expect![[r#"
        alignment.waiver-invalid `alignment.not-accepted` cannot be set aside: both sides have to give their word themselves
        review.waiver-invalid `review.waiver-invalid` cannot be set aside: no waiver can vouch for another one
        contract.waiver `everything` cannot be set aside: there is no such blocker
        contract.value a waiver needs a reason
        contract.value `a b` is no name of a person
        contract.value "[" is not a pattern: unclosed character class; missing ']'
        contract.value a pattern is empty"#]].assert_eq(&all.join("\n"));
    let broken = add_waiver("name: [", &waiver()).unwrap_err();
    assert!(broken.says.contains("cannot be read"));
}

fn hostile() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[-a: \\[\\]{},#&*!|>'\"%@`?\t\r\n~\\\\\u{85}\u{2028}\u{feff}\u{7f}é]{1,40}",
        prop::sample::select(vec![
            "null", "~", "- a", "a: b", "# a", "\"", "'", "...", "---", "\u{ffff}"
        ])
        .prop_map(str::to_owned),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_words_are_kept(
        because in hostile(),
        patterns in prop::collection::vec(hostile(), 0..4),
        waivers in prop::sample::select(vec![
            "", "waivers: []\n", "waivers:\n- { blocker: room.freeze, because: b, owner: pia, until: 2026-12-01T00:00:00Z }\n",
            "waivers: [{ blocker: room.freeze, because: b, owner: pia, until: 2026-12-01T00:00:00Z }]\n",
        ]),
        crlf: bool,
    ) {
        prop_assume!(!because.trim().is_empty());
        let matches = patterns
            .into_iter()
            .filter(|pattern| !pattern.trim().is_empty() && crate::parity::Pattern::new(pattern).is_ok())
            .collect();
        let small = include_str!("../../../../../fuzz/seeds/contract/small");
        let text = format!("{small}{waivers}# the end\n");
        let text = if crlf { text.replace('\n', "\r\n") } else { text };
        add(&text, &NewWaiver { because, matches, ..waiver() });
    }
}

#[test]
fn what_nobody_sees_is_written_as_an_escape() {
    let mut hidden = waiver();
    hidden.because = "a\u{1b}[2J b\u{2066}c\u{202e}d\u{61c}e\u{2028}f\u{9b}g".to_owned();
    let new = add(SHOP, &hidden);
    let seen = |c: char| c == '\n' || !crate::diag::misleads(c);
    assert!(new.chars().all(seen), "{new:?}");
}
