//! Tests of the contract's reading as a whole.

mod hostile;
mod notes;

use super::contract::lint;
use crate::diag::Note;

/// The example of `product.md`, section 3, as it stands there.
const SHOP: &str = include_str!("testdata/shop.yaml");

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
