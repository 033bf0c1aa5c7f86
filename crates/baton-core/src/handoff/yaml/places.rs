//! From the parser's positions, counted in characters, to spans.

use std::cell::Cell;

use saphyr_parser::Span as Marks;

use crate::diag::{FileKind, Span};

/// Characters between two places of the index.
const STRIDE: u32 = 1024;

/// Turns character positions into spans. Positions that grow, as the parser's
/// do, cost one walk over the text altogether; any other costs at most a walk
/// of [`STRIDE`] characters, however long the lines are.
pub(super) struct Places<'t> {
    text: &'t str,
    /// Bytes before the text: the byte order mark.
    skipped: u32,
    /// Each [`STRIDE`]th place.
    index: Vec<Place>,
    /// The place that was asked for last.
    last: Cell<Place>,
}

#[derive(Clone, Copy)]
struct Place {
    chars: u32,
    byte: u32,
    line: u32,
    column: u32,
}

impl Place {
    const START: Self = Self {
        chars: 0,
        byte: 0,
        line: 1,
        column: 1,
    };

    /// The place behind a character. Texts are small enough for 32 bits.
    fn behind(self, c: char) -> Self {
        let (line, column) = match c {
            '\n' => (self.line + 1, 1),
            _ => (self.line, self.column + 1),
        };
        Self {
            chars: self.chars + 1,
            byte: self.byte + u32::try_from(c.len_utf8()).unwrap_or(1),
            line,
            column,
        }
    }
}

impl<'t> Places<'t> {
    pub(super) fn new(text: &'t str, skipped: usize) -> Self {
        let mut index = Vec::new();
        let mut here = Place::START;
        for c in text.chars() {
            if here.chars.is_multiple_of(STRIDE) {
                index.push(here);
            }
            here = here.behind(c);
        }
        index.push(here);
        Self {
            text,
            skipped: u32::try_from(skipped).unwrap_or(0),
            index,
            last: Cell::new(Place::START),
        }
    }

    /// The place of a character; past the end it is the end.
    fn place(&self, chars: usize) -> Place {
        let chars = u32::try_from(chars).unwrap_or(u32::MAX);
        let mut here = self.last.get();
        if chars < here.chars || chars - here.chars > STRIDE {
            let at = (chars / STRIDE) as usize;
            here = self.index[at.min(self.index.len() - 1)];
        }
        for c in self.text[here.byte as usize..].chars() {
            if here.chars >= chars {
                break;
            }
            here = here.behind(c);
        }
        self.last.set(here);
        here
    }

    pub(super) fn span(&self, start: usize, end: usize) -> Span {
        let (start, end) = (self.place(start), self.place(end.max(start)));
        Span {
            file: FileKind::Contract,
            start: start.byte + self.skipped,
            end: end.byte + self.skipped,
            line: start.line,
            column: start.column,
        }
    }

    pub(super) fn of(&self, marks: &Marks) -> Span {
        self.span(marks.start.index(), marks.end.index())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_the_same_in_any_order() {
        let text = "a: é\n\r\n€😀\n".repeat(700) + &"ü".repeat(3000);
        let places = Places::new(&text, 3);
        let count = text.chars().count();
        let far_and_near = (0..count).step_by(7).chain((0..count).rev().step_by(1001));
        for chars in far_and_near.chain([count, count + 5]) {
            let byte = text
                .char_indices()
                .nth(chars)
                .map_or(text.len(), |(byte, _)| byte);
            let span = places.span(chars, chars);
            let known = Span::in_text(FileKind::Contract, &text, byte, byte);
            assert_eq!((span.line, span.column), (known.line, known.column));
            assert_eq!((span.start, span.end), (known.start + 3, known.end + 3));
        }
    }
}
