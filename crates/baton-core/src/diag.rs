//! The one shape in which Baton says that something is wrong.
//!
//! Contract, runbook and gate all speak [`Note`]: a code, a sentence that names
//! every offending thing, whose it is, and what to do next. Notes about a file
//! carry a [`Span`]. Printing them (carets, colours) is the binary's work.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use serde::Serialize;

use crate::id::Handle;

/// Which of the two files of a handoff a span lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FileKind {
    /// `handoff.yaml`.
    Contract,
    /// `runbook.md`.
    Runbook,
}

/// A piece of a file. Lines and columns count from 1, columns in characters;
/// `start..end` are byte offsets into the text as it was given, except for a
/// span made [`on_line`](Self::on_line). [`Span::bytes_in`] is right for both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Span {
    /// The file.
    pub file: FileKind,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
    /// Line of the first byte, from 1.
    pub line: u32,
    /// Column of the first byte in characters, from 1.
    pub column: u32,
}

impl Span {
    /// The span of `start..end` in `text`; offsets past the end are clamped to it.
    pub fn in_text(file: FileKind, text: &str, start: usize, end: usize) -> Self {
        let floor = |at: usize| {
            let mut at = at.min(text.len());
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            at
        };
        let (start, end) = (floor(start), floor(end.max(start)));
        let before = &text[..start];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Self {
            file,
            start: count(start),
            end: count(end),
            line: count(before.matches('\n').count() + 1),
            column: count(before[line_start..].chars().count() + 1),
        }
    }

    /// A place of which only line, column and length in bytes are known, as for
    /// a word in a fence that was read before. It begins at byte 0.
    pub fn on_line(file: FileKind, line: u32, column: u32, length: usize) -> Self {
        Self {
            file,
            start: 0,
            end: u32::try_from(length).unwrap_or(u32::MAX),
            line,
            column,
        }
    }

    /// The bytes of the span in the text it is about, on character boundaries
    /// and within the text.
    pub fn bytes_in(&self, text: &str) -> Range<usize> {
        let (mut start, length) = (
            self.start as usize,
            self.end.saturating_sub(self.start) as usize,
        );
        if start == 0 && (self.line, self.column) != (1, 1) {
            let line = text
                .split_inclusive('\n')
                .take((self.line as usize).saturating_sub(1));
            let line_start: usize = line.map(str::len).sum();
            let rest = &text[line_start..];
            let column = rest
                .char_indices()
                .nth((self.column as usize).saturating_sub(1));
            start = line_start + column.map_or(0, |(at, _)| at);
        }
        text.floor_char_boundary(start)..text.floor_char_boundary(start + length)
    }
}

/// One of the eight questions, in the order in which they are always listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Question {
    /// What does done mean, and how is success measured?
    Definition,
    /// Do both sides mean the same thing?
    Alignment,
    /// Does what we tested mirror what will run?
    Parity,
    /// Who does each thing, and who if they can't?
    Ownership,
    /// What do we do, step by step, and how do we get back?
    Runbook,
    /// Have we done exactly this before, and its way back?
    Rehearsal,
    /// Are the right people here, now?
    Room,
    /// Did we learn?
    Review,
}

impl Question {
    /// All eight, in order.
    pub const ALL: [Self; 8] = [
        Self::Definition,
        Self::Alignment,
        Self::Parity,
        Self::Ownership,
        Self::Runbook,
        Self::Rehearsal,
        Self::Room,
        Self::Review,
    ];

    /// The key, as it stands before the dot of a code.
    pub fn key(self) -> &'static str {
        match self {
            Self::Definition => "definition",
            Self::Alignment => "alignment",
            Self::Parity => "parity",
            Self::Ownership => "ownership",
            Self::Runbook => "runbook",
            Self::Rehearsal => "rehearsal",
            Self::Room => "room",
            Self::Review => "review",
        }
    }

    /// The question as a person would ask it.
    pub fn asks(self) -> &'static str {
        match self {
            Self::Definition => "What does done mean, and how is success measured?",
            Self::Alignment => "Do both sides mean the same thing?",
            Self::Parity => "Does what we tested mirror what will run?",
            Self::Ownership => "Who does each thing, and who if they can't?",
            Self::Runbook => "What do we do, step by step, and how do we get back?",
            Self::Rehearsal => "Have we done exactly this before, and its way back?",
            Self::Room => "Are the right people here, now?",
            Self::Review => "Did we learn?",
        }
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key())
    }
}

/// A code that stands for one kind of trouble: `parity.unexplained`.
///
/// Blocker codes start with the key of their question and are listed in
/// `docs/errors`; codes of the two files start with `contract.` or `runbook.`.
/// Each has a page in `docs/errors`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Code(pub &'static str);

impl Code {
    /// The question the code belongs to, by the word before its dot: those of
    /// the runbook's form belong to `runbook`; `None` for those of the contract's.
    pub fn question(self) -> Option<Question> {
        let (key, _) = self.0.split_once('.')?;
        Question::ALL.into_iter().find(|q| q.key() == key)
    }

    /// The blocker code written by a person (in a waiver); `None` when there is none such.
    pub fn blocker(text: &str) -> Option<Self> {
        BLOCKERS
            .iter()
            .find(|code| **code == text)
            .map(|code| Self(code))
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// Every code a blocker of the gate can have, by question.
pub const BLOCKERS: &[&str] = &[
    "definition.undefined",
    "definition.missing",
    "definition.failed",
    "definition.stale",
    "definition.guard-never-refused",
    "definition.unsigned",
    "definition.blind-measure",
    "definition.waiver-expired",
    "definition.waiver-invalid",
    "alignment.undefined",
    "alignment.unanswered",
    "alignment.conflict",
    "alignment.not-offered",
    "alignment.not-accepted",
    "alignment.lapsed",
    "alignment.waiver-expired",
    "alignment.waiver-invalid",
    "parity.undefined",
    "parity.no-fingerprint",
    "parity.stale",
    "parity.unexplained",
    "parity.not-collected",
    "parity.same-secret",
    "parity.waiver-expired",
    "parity.waiver-invalid",
    "ownership.undefined",
    "ownership.unowned",
    "ownership.no-backup",
    "ownership.not-accepted",
    "ownership.asleep",
    "ownership.double-booked",
    "ownership.no-access",
    "ownership.waiver-expired",
    "ownership.waiver-invalid",
    "runbook.undefined",
    "runbook.no-undo",
    "runbook.secret-unresolved",
    "runbook.preflight-failed",
    "runbook.waiver-expired",
    "runbook.waiver-invalid",
    "rehearsal.undefined",
    "rehearsal.missing",
    "rehearsal.failed",
    "rehearsal.stale",
    "rehearsal.undo-unproven",
    "rehearsal.too-old",
    "rehearsal.waiver-expired",
    "rehearsal.waiver-invalid",
    "room.undefined",
    "room.outside-window",
    "room.freeze",
    "room.unstaffed",
    "room.no-go",
    "room.not-voted",
    "room.confidence-gap",
    "room.waiver-expired",
    "room.waiver-invalid",
    "review.undefined",
    "review.lesson-open",
    "review.overdue",
    "review.waiver-expired",
    "review.waiver-invalid",
];

/// How much a note weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Stops the work: the file cannot be used, or the question is open.
    Error,
    /// Something required could not be read: it fails closed, as *inconclusive*.
    Unknown,
    /// Worth knowing; stops nothing.
    Warning,
}

/// One thing that is wrong, in a form a person can act on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Note {
    /// What kind of trouble.
    pub code: Code,
    /// How much it weighs.
    pub severity: Severity,
    /// A sentence that is understood without the code and names every offending thing.
    pub says: String,
    /// The offending things, as waivers match them.
    pub names: Vec<String>,
    /// Whose it is to mend.
    pub owner: Option<Handle>,
    /// The next command, or a hint for the file.
    pub next: Option<String>,
    /// Where in a file.
    pub span: Option<Span>,
}

impl Note {
    /// A note that stops the work.
    pub fn error(code: &'static str, says: impl Into<String>) -> Self {
        Self {
            code: Code(code),
            severity: Severity::Error,
            says: says.into(),
            names: Vec::new(),
            owner: None,
            next: None,
            span: None,
        }
    }

    /// A note that something required could not be read.
    pub fn unknown(code: &'static str, says: impl Into<String>) -> Self {
        Self {
            severity: Severity::Unknown,
            ..Self::error(code, says)
        }
    }

    /// A note that stops nothing.
    pub fn warning(code: &'static str, says: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(code, says)
        }
    }

    /// Says where it is.
    #[must_use]
    pub fn at(mut self, span: Span) -> Self {
        self.span = Some(span);
        self
    }

    /// Names an offending thing.
    #[must_use]
    pub fn naming(mut self, name: impl fmt::Display) -> Self {
        self.names.push(name.to_string());
        self
    }

    /// Names several offending things.
    #[must_use]
    pub fn naming_all(mut self, names: impl IntoIterator<Item = impl fmt::Display>) -> Self {
        self.names
            .extend(names.into_iter().map(|name| name.to_string()));
        self
    }

    /// Says whose it is.
    #[must_use]
    pub fn owned_by(mut self, owner: Option<&Handle>) -> Self {
        self.owner = owner.cloned();
        self
    }

    /// Says what to do next: a command, or a hint about the file.
    #[must_use]
    pub fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }
}

/// The candidate nearest to what was written, when it is near enough to be a
/// likely slip of the hand (Jaro-Winkler similarity of 0.75 or more).
pub fn nearest<'a>(
    written: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(written, candidate), candidate))
        .filter(|(similarity, _)| *similarity >= 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0).then_with(|| b.1.cmp(a.1)))
        .map(|(_, candidate)| candidate)
}

/// Whether a character changes how the text around it is seen: one that moves a
/// terminal's cursor, or turns the direction of writing ([`reorders`], or one of
/// the marks of Unicode UAX 9, section 2.6).
pub fn misleads(c: char) -> bool {
    c.is_control() || reorders(c) || matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}')
}

/// Whether a character shows the text behind it in another order than that in
/// which it is read and run: the embeddings, overrides and isolates of Unicode
/// UAX 9, sections 2.1 to 2.5.
pub fn reorders(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A text as a note repeats it: the first characters of a long one, and
/// nothing in it that [`misleads`].
pub fn brief(text: &str) -> Cow<'_, str> {
    const MOST: usize = 60;
    let end = text.char_indices().nth(MOST).map(|(end, _)| end);
    if end.is_none() && !text.contains(misleads) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::new();
    for c in text[..end.unwrap_or(text.len())].chars() {
        if misleads(c) {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    if end.is_some() {
        shown.push('…');
    }
    Cow::Owned(shown)
}

/// Joins names for a sentence: `a`, `a and b`, `a, b and c`; past `most` names
/// it ends in `and 7 more`.
pub fn list(names: &[impl AsRef<str>], most: usize) -> String {
    let shown: Vec<&str> = names.iter().take(most.max(1)).map(AsRef::as_ref).collect();
    let more = names.len() - shown.len();
    match (shown.as_slice(), more) {
        ([], _) => "none".to_owned(),
        (_, more) if more > 0 => format!("{} and {more} more", shown.join(", ")),
        ([only], _) => (*only).to_owned(),
        ([rest @ .., last], _) => format!("{} and {last}", rest.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_count_lines_and_characters_from_one() {
        let text = "a: é\nkey: b\n";
        let at = text.find('b').unwrap();
        let span = Span::in_text(FileKind::Contract, text, at, at + 1);
        assert_eq!((span.line, span.column), (2, 6));
        let past = Span::in_text(FileKind::Contract, text, 999, 1000);
        assert_eq!(past.start as usize, text.len());
    }

    #[test]
    fn bytes_are_found_with_and_without_offsets() {
        let text = "\u{feff}a: é\nké: b\n";
        let at = text.find('b').unwrap();
        let known = Span::in_text(FileKind::Contract, text, at, at + 1);
        let unknown = Span::on_line(FileKind::Contract, 2, 5, 1);
        assert_eq!((unknown.line, unknown.column), (known.line, known.column));
        assert_eq!(known.bytes_in(text), at..at + 1);
        assert_eq!(unknown.bytes_in(text), at..at + 1);
        let strange = Span::on_line(FileKind::Contract, 99, 99, 99);
        assert_eq!(strange.bytes_in(text), text.len()..text.len());
        assert_eq!(
            Span::on_line(FileKind::Contract, 1, 1, 4).bytes_in("é"),
            0..2
        );
    }

    #[test]
    fn every_blocker_code_has_a_question() {
        for code in BLOCKERS {
            assert!(Code(code).question().is_some(), "{code}");
            assert_eq!(Code::blocker(code), Some(Code(code)));
        }
    }

    #[test]
    fn nearest_finds_slips_and_not_strangers() {
        assert_eq!(nearest("ownr", ["owner", "expect"]), Some("owner"));
        assert_eq!(nearest("zzz", ["owner", "expect"]), None);
    }

    #[test]
    fn texts_are_repeated_short_and_harmless() {
        assert_eq!(brief("dana"), "dana");
        assert_eq!(brief("a\u{1b}[2J\u{202e}"), "a\\u{1b}[2J\\u{202e}");
        assert_eq!(brief("\u{61c}\u{9b}"), "\\u{61c}\\u{9b}");
        assert_eq!(brief(&"é".repeat(61)), "é".repeat(60) + "…");
    }

    #[test]
    fn lists_read_as_sentences() {
        assert_eq!(list(&["a"], 5), "a");
        assert_eq!(list(&["a", "b", "c"], 5), "a, b and c");
        assert_eq!(list(&["a", "b", "c"], 2), "a, b and 1 more");
    }
}
