//! From the parser's positions, counted in characters, to spans.

use saphyr_parser::Span as Marks;

use crate::diag::{FileKind, Span};

/// Characters between two places of the index.
const STRIDE: usize = 256;

/// Turns character positions into spans, in constant time.
pub(super) struct Places<'t> {
    text: &'t str,
    /// Bytes before the text: the byte order mark.
    skipped: usize,
    /// Each line's beginning, and each [`STRIDE`]th character in a line.
    marks: Vec<Place>,
}

#[derive(Clone, Copy)]
struct Place {
    chars: u32,
    byte: u32,
    line: u32,
    column: u32,
}

impl<'t> Places<'t> {
    pub(super) fn new(text: &'t str, skipped: usize) -> Self {
        let mut marks = Vec::new();
        // MAX_BYTES fits into 32 bits, so the counters below cannot overflow.
        let mut here = Place {
            chars: 0,
            byte: 0,
            line: 1,
            column: 1,
        };
        let mut since = STRIDE;
        for c in text.chars() {
            if since == STRIDE {
                marks.push(here);
                since = 0;
            }
            since += 1;
            here.chars += 1;
            here.byte += u32::try_from(c.len_utf8()).unwrap_or(1);
            here.column += 1;
            if c == '\n' {
                here.line += 1;
                here.column = 1;
                since = STRIDE;
            }
        }
        marks.push(here);
        Self {
            text,
            skipped,
            marks,
        }
    }

    fn place(&self, chars: usize) -> Place {
        let chars = u32::try_from(chars).unwrap_or(u32::MAX);
        let index = self.marks.partition_point(|mark| mark.chars <= chars);
        let mut here = self.marks[index.saturating_sub(1)];
        for c in self.text[here.byte as usize..].chars() {
            if here.chars >= chars {
                break;
            }
            here.chars += 1;
            here.byte += u32::try_from(c.len_utf8()).unwrap_or(1);
            here.column += 1;
        }
        here
    }

    pub(super) fn span(&self, start: usize, end: usize) -> Span {
        let (start, end) = (self.place(start), self.place(end.max(start)));
        let skipped = u32::try_from(self.skipped).unwrap_or(0);
        Span {
            file: FileKind::Contract,
            start: start.byte + skipped,
            end: end.byte + skipped,
            line: start.line,
            column: start.column,
        }
    }

    pub(super) fn of(&self, marks: &Marks) -> Span {
        self.span(marks.start.index(), marks.end.index())
    }
}
