//! `handoff.yaml`: any bytes are read or refused with a reason, within bounds,
//! and a waiver added to what was read changes nothing else.
#![no_main]

use baton_core::handoff::contract::{lint, parse};
use baton_core::handoff::edit::{NewWaiver, add_waiver};
use baton_core::id::Handle;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let (contract, notes) = lint(bytes);
    assert!(contract.is_some() || !notes.is_empty());
    for span in notes.iter().filter_map(|note| note.span) {
        assert!(span.start <= span.end && span.end as usize <= bytes.len());
    }
    let (Some(before), Ok(text)) = (contract, std::str::from_utf8(bytes)) else {
        return;
    };
    let waiver = NewWaiver {
        blocker: "ownership.asleep".to_owned(),
        matches: vec!["*".to_owned()],
        because: "fuzz: \"#'".to_owned(),
        owner: Handle::from("p"),
        until: "2026-12-01T00:00:00Z".parse().expect("an instant"),
    };
    if let Ok(text) = add_waiver(text, &waiver) {
        let mut after = parse(text.as_bytes()).0.expect("the edited text is read");
        after.waivers.pop();
        assert_eq!(after, before);
    }
});
