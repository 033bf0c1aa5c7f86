//! A runbook that was cut and pasted into pieces.

use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn mutations_never_panic_and_errors_always_have_places(
        cuts in proptest::collection::vec((0..SHOP.len(), 0..40_usize), 0..6),
        pastes in proptest::collection::vec(
            (0..SHOP.len(), prop::sample::select(vec![
                "```", "```sh run\n", "\n### X\n", "- ", "> ", "\u{0}", "\u{feff}", "\r", "\r\n",
                "    ", "\t", "{#", "}", "(", "é", "<!--", "-->", "when: vars.A ==", "\n---\n",
                "on: web, ", "[ ] ", "~~~", "\n- owner: ", "`", "\\",
            ])),
            0..6,
        ),
    ) {
        let mut bytes = SHOP.as_bytes().to_vec();
        for (at, length) in cuts {
            let start = at.min(bytes.len());
            let end = (start + length).min(bytes.len());
            bytes.drain(start..end);
        }
        for (at, text) in pastes {
            let at = at.min(bytes.len());
            bytes.splice(at..at, text.bytes());
        }
        let (runbook, notes) = parse(&bytes);
        let refused = notes.iter().any(|note| {
            note.severity == Severity::Error && CODES.contains(&note.code.0)
        });
        prop_assert_eq!(runbook.is_none(), refused);
        for note in notes {
            prop_assert!(note.span.is_some() && note.next.is_some(), "{:?}", note);
        }
    }
}
