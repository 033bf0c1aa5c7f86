//! `runbook.md`: any bytes are read or refused with a reason.
#![no_main]

use baton_core::handoff::runbook::parse;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let (runbook, notes) = parse(bytes);
    assert!(runbook.is_some() || !notes.is_empty());
    for span in notes.iter().filter_map(|note| note.span) {
        assert!(span.start <= span.end && span.end as usize <= bytes.len());
    }
});
