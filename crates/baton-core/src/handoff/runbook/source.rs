//! The text of a runbook, where things stand in it, and what is wrong with it.
//!
//! Finding a line is a binary search, so that a hostile file of many small
//! errors costs no more than a good one. Nothing here knows the grammar.

use std::ops::Range;

use crate::diag::{FileKind, Note, Span};

/// Most bytes a runbook may have: far above any that a person can follow, and
/// small enough that reading it is never felt.
pub const MAX_BYTES: usize = 4 << 20;

/// Most errors listed; the rest are counted. A person mends the first few and
/// looks again, and a hostile file must not fill the memory with notes.
const MAX_ERRORS: usize = 500;

/// A runbook's text with an index of its lines.
#[derive(Debug)]
pub(super) struct Source<'a> {
    /// The text, without a byte order mark.
    pub(super) text: &'a str,
    /// Bytes of the byte order mark that was cut off.
    base: usize,
    /// Where each line begins.
    lines: Vec<usize>,
}

impl<'a> Source<'a> {
    /// Takes the bytes of a file.
    ///
    /// # Errors
    /// One note when the file as a whole cannot be used.
    pub(super) fn open(bytes: &'a [u8]) -> Result<Self, Box<Note>> {
        let refused = |says: String, hint: &str| {
            let at = Span::in_text(FileKind::Runbook, "", 0, 0);
            Box::new(Note::error("runbook.syntax", says).next(hint).at(at))
        };
        if bytes.len() > MAX_BYTES {
            return Err(refused(
                format!(
                    "the runbook is too large: {} bytes, {MAX_BYTES} are allowed",
                    bytes.len()
                ),
                "a runbook is read by people: move scripts to files and data out of it",
            ));
        }
        let text = std::str::from_utf8(bytes).map_err(|wrong| {
            let upto = wrong.valid_up_to();
            let good = std::str::from_utf8(&bytes[..upto]).unwrap_or_default();
            let mut note = refused(
                "the runbook is not UTF-8 text".to_owned(),
                "save the file as UTF-8",
            );
            note.span = Some(Span::in_text(FileKind::Runbook, good, upto, upto));
            note
        })?;
        let body = text.strip_prefix('\u{feff}').unwrap_or(text);
        if body.trim().is_empty() {
            return Err(refused(
                "the runbook is empty".to_owned(),
                "start with `# Title` and a step, `### What is done`; `baton init` writes an example",
            ));
        }
        let ends = body.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        Ok(Self {
            text: body,
            base: text.len() - body.len(),
            lines: std::iter::once(0)
                .chain(ends.map(|(at, _)| at + 1))
                .collect(),
        })
    }

    /// The number of the line a byte stands in, from 0.
    pub(super) fn line(&self, at: usize) -> usize {
        self.lines.partition_point(|start| *start <= at).max(1) - 1
    }

    /// The number of that line as people count, from 1.
    pub(super) fn line_number(&self, at: usize) -> u32 {
        u32::try_from(self.line(at) + 1).unwrap_or(u32::MAX)
    }

    /// Each line: where it begins, and its text without the line end.
    pub(super) fn lines(&self) -> impl Iterator<Item = (usize, &'a str)> {
        let ends = self.lines.iter().skip(1).copied();
        let ends = ends.chain(std::iter::once(self.text.len()));
        self.lines.iter().zip(ends).map(|(start, end)| {
            (
                *start,
                self.text[*start..end].trim_end_matches(['\n', '\r']),
            )
        })
    }

    /// The piece of the file as notes point at it.
    pub(super) fn span(&self, range: &Range<usize>) -> Span {
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let start = self.text.floor_char_boundary(range.start);
        let end = self.text.floor_char_boundary(range.end.max(start));
        let line = self.line(start);
        let before = &self.text[self.lines[line]..start];
        Span {
            file: FileKind::Runbook,
            start: count(self.base + start),
            end: count(self.base + end),
            line: count(line + 1),
            column: count(before.chars().count() + 1),
        }
    }
}

/// What was found wrong, in the order in which it was found.
#[derive(Debug)]
pub(super) struct Problems<'s, 'a> {
    source: &'s Source<'a>,
    notes: Vec<Note>,
    errors: usize,
}

impl<'s, 'a> Problems<'s, 'a> {
    pub(super) fn new(source: &'s Source<'a>) -> Self {
        Self {
            source,
            notes: Vec::new(),
            errors: 0,
        }
    }

    /// An error: the runbook cannot be used.
    pub(super) fn error(
        &mut self,
        code: &'static str,
        at: &Range<usize>,
        says: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.errors += 1;
        if self.errors <= MAX_ERRORS {
            let span = self.source.span(at);
            self.notes.push(Note::error(code, says).next(hint).at(span));
        }
    }

    /// A note that leaves the runbook usable: a warning, or one for the gate.
    pub(super) fn note(&mut self, note: Note) {
        self.notes.push(note);
    }

    /// A warning: worth knowing, stops nothing.
    pub(super) fn warning(
        &mut self,
        code: &'static str,
        at: &Range<usize>,
        says: impl Into<String>,
        hint: impl Into<String>,
    ) {
        let span = self.source.span(at);
        self.note(Note::warning(code, says).next(hint).at(span));
    }

    /// How many errors there are: with any, the runbook cannot be used.
    pub(super) fn errors(&self) -> usize {
        self.errors
    }

    /// Everything found, in the order of the file.
    pub(super) fn finish(mut self) -> Vec<Note> {
        self.notes
            .sort_by_key(|note| note.span.map(|span| span.start));
        if let Some(more) = self.errors.checked_sub(MAX_ERRORS).filter(|more| *more > 0) {
            let end = self.source.text.len();
            self.notes.push(
                Note::error(
                    "runbook.syntax",
                    format!("{more} more errors are not listed"),
                )
                .next("mend the first ones and look again")
                .at(self.source.span(&(end..end))),
            );
        }
        self.notes
    }
}
