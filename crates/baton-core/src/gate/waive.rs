//! Setting blockers aside for a while.
//!
//! A waiver in force is readable, has an owner among the people of the contract,
//! a reason and an end that lies ahead, and names a blocker that may be waived. It sets a blocker aside when
//! its patterns cover *every* name of it. Anything less hides nothing: an
//! expired waiver that would have covered a standing blocker is itself named.
//! One that no blocker fits is told as well, and stops nothing.

use jiff::Timestamp;

use super::Waived;
use crate::diag::{BLOCKERS, Code, Note, Question, Severity};
use crate::handoff::contract::{Contract, Waiver};
use crate::handoff::waiver;
use crate::id::Handle;
use crate::parity::Pattern;

/// Whether a blocker may be waived at all: not the two sides' own words, and
/// not the waivers' own troubles.
pub fn waivable(code: Code) -> bool {
    waiver::waivable(code.0).is_ok()
}

/// What says that a question, or a part of it, could not be asked: then nobody
/// knows which blockers it would have had.
const UNASKED: [&str; 9] = [
    "undefined",
    "missing",
    "stale",
    "too-old",
    "blind-measure",
    "unanswered",
    "no-fingerprint",
    "not-collected",
    "not-voted",
];

/// The waivers that no blocker of these questions fits any more, as warnings
/// with their places in the contract. `notes` are all blockers of the launch
/// environment, waived or not. A question that lacks evidence tells nothing of
/// its waivers: what is not seen may still be there.
pub fn unused(contract: &Contract, questions: &[Question], notes: &[Note]) -> Vec<Note> {
    let unasked = |question: Question| {
        notes.iter().any(|note| {
            let (of, what) = note.code.0.split_once('.').unwrap_or_default();
            let lacks = note.severity == Severity::Unknown || UNASKED.contains(&what);
            // Without access no preflight was run.
            let elsewhere = question == Question::Runbook && note.code.0 == "ownership.no-access";
            (lacks && of == question.key()) || elsewhere
        })
    };
    let asked: Vec<Question> = questions
        .iter()
        .copied()
        .filter(|of| !unasked(*of))
        .collect();
    let readable = contract.waivers.iter().filter_map(|w| read(contract, w));
    readable
        .filter(|waiver| waiver.code.question().is_some_and(|of| asked.contains(&of)))
        .filter(|waiver| !notes.iter().any(|note| waiver.names(note)))
        .map(|waiver| waiver.fits_nothing())
        .collect()
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

/// Parts the notes into those that stand and those that a waiver of the contract
/// sets aside, and adds to the former a note for each expired waiver that would
/// have covered one that stands.
pub fn set_aside(
    contract: &Contract,
    notes: Vec<Note>,
    now: Timestamp,
) -> (Vec<Note>, Vec<Waived>) {
    let readable = contract.waivers.iter().filter_map(|w| read(contract, w));
    let (in_force, mut ended): (Vec<_>, Vec<_>) = readable.partition(|w| w.until > now);
    let (narrow, broad): (Vec<_>, Vec<_>) = in_force
        .into_iter()
        .partition(|waiver| waiver.fits(&notes) <= waiver.most());
    let in_force = narrow;
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
    // Those whose pinned value is gone are named as the expired ones are.
    let said: Vec<Note> = ended
        .iter()
        .filter(|waiver| standing.iter().any(|note| waiver.names(note)))
        .filter_map(|waiver| waiver.no_longer(&format!("ended on {}", waiver.until)))
        .collect();
    ended = in_force;
    let gone = |waiver: &&Readable<'_>| {
        let fit = standing.iter().any(|note| waiver.names(note));
        fit && !waiver.written.pinned.is_empty()
    };
    let lapsed: Vec<Note> = ended
        .iter()
        .filter(gone)
        .filter_map(|waiver| {
            let pinned = crate::diag::list(&waiver.written.pinned, 5);
            waiver.no_longer(&format!("has lapsed: the blocker no longer names {pinned}"))
        })
        .collect();
    let broad = broad
        .iter()
        .filter_map(|waiver| waiver.too_broad(&standing));
    let broad: Vec<Note> = broad.collect();
    standing.extend(said.into_iter().chain(lapsed).chain(broad));
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
    /// Whether it sets this blocker aside.
    fn covers(&self, note: &Note) -> bool {
        let held = |value: &String| says_whole(&note.says, value);
        self.names(note) && self.written.pinned.iter().all(held)
    }

    /// Whether every name of the blocker is covered. Without patterns only a
    /// blocker that names nothing is.
    fn names(&self, note: &Note) -> bool {
        let covered = |name: &String| self.patterns.iter().any(|pattern| pattern.matches(name));
        note.code == self.code && note.names.iter().all(covered)
    }

    /// How many of these it would set aside, and how many it may.
    fn fits(&self, notes: &[Note]) -> usize {
        notes.iter().filter(|note| self.covers(note)).count()
    }

    fn most(&self) -> usize {
        self.written.most.map_or(usize::MAX, |most| most as usize)
    }

    fn code_of(&self, what: &str) -> Option<&'static str> {
        let key = self.code.question()?.key();
        let found = BLOCKERS
            .iter()
            .find(|code| code.strip_prefix(key) == Some(what));
        found.copied()
    }

    fn too_broad(&self, standing: &[Note]) -> Option<Note> {
        let (fits, most) = (self.fits(standing), self.most());
        let says = format!(
            "The waiver of {} by {} sets nothing aside: {fits} blockers fit it, and it is for at \
             most {most}.",
            self.code, self.owner
        );
        let note = Note {
            span: self.written.blocker.span,
            ..Note::error(self.code_of(".waiver-invalid")?, says)
        };
        let next = "narrow its `match`, or raise its `most`";
        Some(
            note.naming(self.code)
                .naming_all(&self.written.matches)
                .owned_by(Some(self.owner))
                .next(next),
        )
    }

    /// What it was written for, as a sentence goes on.
    fn scope(&self) -> String {
        match self.written.matches.as_slice() {
            [] => String::new(),
            patterns => format!(" for {}", crate::diag::list(patterns, usize::MAX)),
        }
    }

    /// The note that nothing is left of what it was written for.
    fn fits_nothing(&self) -> Note {
        let says = format!(
            "The waiver of {}{} by {} fits no blocker any more; remove it before it hides another.",
            self.code,
            self.scope(),
            self.owner
        );
        let note = Note {
            span: self.written.blocker.span,
            ..Note::warning("contract.waiver-stale", says)
        };
        note.naming(self.code)
            .naming_all(&self.written.matches)
            .owned_by(Some(self.owner))
            .next("delete the waiver from the contract")
    }

    /// The note that it sets nothing aside any more, and why.
    fn no_longer(&self, why: &str) -> Option<Note> {
        let code = self.code_of(".waiver-expired")?;
        let (matches, of) = (&self.written.matches, self.scope());
        let says = format!(
            "The waiver of {}{of} by {} {why}: mend the blocker, renew the waiver or remove it.",
            self.code, self.owner
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

/// Whether a sentence names a value as a whole: `4` does not stand in `14` or `4.2`.
fn says_whole(says: &str, value: &str) -> bool {
    let part =
        |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':' | '/' | '~' | '+');
    says.match_indices(value).any(|(at, _)| {
        let before = says[..at].chars().next_back();
        let mut after = says[at + value.len()..].chars();
        // A full stop or colon ends a value where nothing follows it.
        let (next, then) = (after.next(), after.next());
        let goes_on = match next {
            Some('.' | ':') => then.is_some_and(|c| !c.is_whitespace()),
            other => other.is_some_and(part),
        };
        !before.is_some_and(part) && !goes_on
    })
}
