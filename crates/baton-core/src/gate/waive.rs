//! Setting blockers aside for a while.
//!
//! A waiver in force is readable, has an owner among the people of the contract,
//! a reason and an end that lies ahead, and names a blocker that may be waived. It sets a blocker aside when
//! its patterns cover *every* name of it. Anything less hides nothing: an
//! expired waiver that would have covered a standing blocker is itself named.

use jiff::Timestamp;

use super::Waived;
use crate::diag::{BLOCKERS, Code, Note};
use crate::handoff::contract::{Contract, Waiver};
use crate::handoff::waiver;
use crate::id::Handle;
use crate::parity::Pattern;

/// Whether a blocker may be waived at all: not the two sides' own words, and
/// not the waivers' own troubles.
pub fn waivable(code: Code) -> bool {
    waiver::waivable(code.0).is_ok()
}

/// A waiver that could be read in full.
struct Readable<'a> {
    code: Code,
    patterns: Vec<Pattern>,
    because: &'a str,
    owner: &'a Handle,
    until: Timestamp,
    written: &'a Waiver,
}

/// Parts the notes into those that stand and those that are set aside, and
/// adds a note for each expired waiver that would have covered one that stands.
pub(super) fn set_aside(
    contract: &Contract,
    notes: Vec<Note>,
    now: Timestamp,
) -> (Vec<Note>, Vec<Waived>) {
    let readable = contract.waivers.iter().filter_map(|w| read(contract, w));
    let (in_force, expired): (Vec<_>, Vec<_>) = readable.partition(|w| w.until > now);
    let (mut standing, mut waived) = (Vec::with_capacity(notes.len()), Vec::new());
    for note in notes {
        match in_force.iter().find(|waiver| waiver.covers(&note)) {
            Some(waiver) => waived.push(Waived {
                note,
                because: waiver.because.to_owned(),
                owner: waiver.owner.clone(),
                until: waiver.until,
            }),
            None => standing.push(note),
        }
    }
    let lapsed: Vec<Note> = expired
        .iter()
        .filter(|waiver| standing.iter().any(|note| waiver.covers(note)))
        .filter_map(Readable::expired)
        .collect();
    standing.extend(lapsed);
    (standing, waived)
}

fn read<'a>(contract: &Contract, waiver: &'a Waiver) -> Option<Readable<'a>> {
    let code = Code::blocker(&waiver.blocker).filter(|code| waivable(*code))?;
    let because = waiver.because.as_deref()?;
    if because.trim().is_empty() {
        return None;
    }
    let owner = &waiver.owner.as_ref()?.value;
    if !contract.people.contains_key(owner) {
        return None;
    }
    let patterns: Result<_, _> = waiver
        .matches
        .iter()
        .map(|text| Pattern::new(text))
        .collect();
    Some(Readable {
        code,
        patterns: patterns.ok()?,
        because,
        owner,
        until: *waiver.until.as_ref().ok()?,
        written: waiver,
    })
}

impl Readable<'_> {
    /// Whether every name of the blocker is covered. Without patterns only a
    /// blocker that names nothing is.
    fn covers(&self, note: &Note) -> bool {
        let covered = |name: &String| self.patterns.iter().any(|pattern| pattern.matches(name));
        note.code == self.code && note.names.iter().all(covered)
    }

    fn expired(&self) -> Option<Note> {
        let key = self.code.question()?.key();
        let code = BLOCKERS
            .iter()
            .find(|code| code.strip_prefix(key) == Some(".waiver-expired"))?;
        let matches = &self.written.matches;
        let of = match matches.as_slice() {
            [] => String::new(),
            patterns => format!(" for {}", crate::diag::list(patterns, usize::MAX)),
        };
        let says = format!(
            "The waiver of {}{of} by {} ended on {}: mend the blocker, renew the waiver or \
             remove it.",
            self.code, self.owner, self.until
        );
        let note = Note {
            span: self.written.blocker.span,
            ..Note::error(code, says)
        };
        let matched: String = matches.iter().map(|m| format!(" --match '{m}'")).collect();
        Some(
            note.naming(self.code)
                .naming_all(matches)
                .owned_by(Some(self.owner))
                .next(format!(
                    "baton waive {}{matched} --because WHY --until WHEN",
                    self.code
                )),
        )
    }
}
