//! The ways into the contract: its text read, checked, or both.

use std::rc::Rc;

use super::check::check_in;
use super::contract::Contract;
use super::read::{Read as _, Reader, is_structural};
use super::yaml;
use crate::diag::Note;

/// Reads `handoff.yaml`.
///
/// The contract is there when everything it needs could be read: then the
/// notes, if any, are blockers of the gate (`parity.waiver-invalid`) or about
/// waivers of nothing. Otherwise the notes say everything that is wrong with
/// its form, all at once, in the order of the file.
pub fn parse(bytes: &[u8]) -> (Option<Contract>, Vec<Note>) {
    let (_, contract, notes) = read(bytes);
    (contract, notes)
}

/// [`parse`] and [`check`] in one: all notes, in the order of the file, each
/// pointing at the place it is about. What `baton lint` shows.
pub fn lint(bytes: &[u8]) -> (Option<Contract>, Vec<Note>) {
    let (tree, contract, mut notes) = read(bytes);
    if let (Some(tree), Some(contract)) = (tree, &contract) {
        notes.append(&mut check_in(contract, Some(&tree)));
        notes.sort_by_key(|note| note.span.map(|span| (span.start, span.end)));
    }
    (contract, notes)
}

fn read(bytes: &[u8]) -> (Option<Rc<yaml::Node>>, Option<Contract>, Vec<Note>) {
    let (tree, mut notes) = yaml::tree(bytes);
    let Some(tree) = tree else {
        return (None, None, notes);
    };
    let mut reader = Reader::default();
    let contract = Contract::read(&tree, &mut reader);
    notes.append(&mut reader.notes);
    notes.sort_by_key(|note| note.span.map(|span| (span.start, span.end)));
    let contract = contract.filter(|_| !notes.iter().any(is_structural));
    (Some(tree), contract, notes)
}

/// Checks the contract against itself: what its names refer to, and what its
/// parts say together. Everything at once, in the order of the file. A role
/// that nobody holds is a blocker of the gate (`ownership.unowned`); all other
/// notes are errors of the file. [`lint`] points more exactly, since it has
/// the text.
pub fn check(contract: &Contract) -> Vec<Note> {
    check_in(contract, None)
}
