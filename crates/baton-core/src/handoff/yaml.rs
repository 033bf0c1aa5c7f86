//! YAML text as a tree in which every value knows where it stands.
//!
//! Promises: bad input of any kind gives notes in plain words, never a panic,
//! and never more than about 100 MB of memory. Values keep the text that was
//! written: `2.40` stays `2.40` and `no` stays `no`, whatever a schema would
//! make of them.
//!
//! Deliberately not here: tags, merge keys and several documents in one file.
//! They are refused by name, since a contract that two people sign must not
//! depend on what a reader makes of them.

mod build;
mod places;
mod words;

use std::rc::Rc;

use crate::diag::{FileKind, Note, Span, reorders};

/// The largest file that is read: about 5,000 criteria. A larger one is a
/// mistake (a dump, a binary), and reading it would only cost time.
pub const MAX_BYTES: usize = 1 << 20;

/// How deep lists and maps may lie in each other, aliases followed. The
/// deepest place of a contract is 7; readers recurse, so there must be an end.
pub(crate) const MAX_DEPTH: usize = 64;

/// What a tree may weigh with every alias written out: 64 for each value and 1
/// for each byte of text, which is about the memory it takes. It bounds what
/// aliases of aliases can make of a few lines.
pub(crate) const MAX_WEIGHT: u64 = 16 << 20;

/// How many characters one scalar or one bracketed list may have. The parser
/// holds a bracketed list as tokens until it is closed, at up to 200 bytes for
/// each character.
pub(crate) const MAX_PIECE: usize = 64 << 10;

/// How many notes one file gets. Past that, the first ones say enough.
pub(crate) const MAX_NOTES: usize = 500;

/// A value of the file.
#[derive(Debug, PartialEq)]
pub(crate) struct Node {
    /// Where it stands: a scalar or bracketed list as a whole, else its beginning.
    pub(crate) span: Span,
    /// What it is.
    pub(crate) kind: Kind,
}

/// What a value is.
#[derive(Debug, PartialEq)]
pub(crate) enum Kind {
    /// Text; `plain` when it was written without quotes.
    Scalar { text: String, plain: bool },
    /// A list.
    Seq(Vec<Rc<Node>>),
    /// Keys with values, in the order of the file; no key stands twice.
    Map(Vec<Entry>),
}

/// One key of a map with its value.
#[derive(Debug, PartialEq)]
pub(crate) struct Entry {
    /// The key as text.
    pub(crate) key: String,
    /// Where the key stands.
    pub(crate) key_span: Span,
    /// Its value; shared where the file uses aliases.
    pub(crate) value: Rc<Node>,
}

impl Node {
    /// Whether nothing was written: an empty value, `~` or `null`.
    pub(crate) fn is_nothing(&self) -> bool {
        matches!(&self.kind, Kind::Scalar { text, plain: true }
            if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    /// The kind in words, for a sentence.
    pub(crate) fn kind_in_words(&self) -> &'static str {
        match &self.kind {
            Kind::Scalar { .. } if self.is_nothing() => "nothing",
            Kind::Scalar { .. } => "text",
            Kind::Seq(_) => "a list",
            Kind::Map(_) => "keys with values",
        }
    }

    /// The value of a key, when this is a map that has it.
    pub(crate) fn get(&self, key: &str) -> Option<&Rc<Self>> {
        let Kind::Map(entries) = &self.kind else {
            return None;
        };
        entries
            .iter()
            .find(|entry| entry.key == key)
            .map(|entry| &entry.value)
    }

    /// Where a place stands that is written as in a note: `done.tests.run`,
    /// `waivers[2].owner`. When it is not there, its nearest surroundings.
    pub(crate) fn find(&self, place: &str) -> Option<Span> {
        let inner = |node: &Self, rest: &str| node.find(rest.strip_prefix('.').unwrap_or(rest));
        let goes_on = |rest: &str| rest.starts_with(['.', '[']);
        match &self.kind {
            Kind::Map(entries) => {
                entries
                    .iter()
                    .find_map(|entry| match place.strip_prefix(entry.key.as_str())? {
                        "" => Some(match entry.value.text() {
                            Some(_) => entry.value.span,
                            None => entry.key_span,
                        }),
                        rest if goes_on(rest) => inner(&entry.value, rest).or(Some(entry.key_span)),
                        _ => None,
                    })
            }
            Kind::Seq(items) => {
                let (item, rest) = match place.strip_prefix('[').and_then(|at| at.split_once(']')) {
                    Some((at, rest)) => {
                        (items.get(at.parse::<usize>().ok()?.checked_sub(1)?)?, rest)
                    }
                    None => items.iter().find_map(|item| {
                        let rest = place.strip_prefix(item.get("id")?.text()?)?;
                        (rest.is_empty() || goes_on(rest)).then_some((item, rest))
                    })?,
                };
                if rest.is_empty() {
                    return Some(item.span);
                }
                inner(item, rest).or(Some(item.span))
            }
            Kind::Scalar { .. } => None,
        }
    }

    /// The text of a scalar that says something.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar { text, .. } if !self.is_nothing() => Some(text),
            _ => None,
        }
    }
}

/// Reads one YAML document.
///
/// The tree is there unless the notes say why not; with it may come notes
/// about keys that stand twice (the first counts), tags and the like.
/// Spans are byte offsets into `bytes`.
pub(crate) fn tree(bytes: &[u8]) -> (Option<Rc<Node>>, Vec<Note>) {
    let text = match decode(bytes) {
        Ok(text) => text,
        Err(note) => return (None, vec![*note]),
    };
    build::tree(text, bytes.len() - text.len())
}

/// The bytes as text without its byte order mark, when they can be a contract at all.
fn decode(bytes: &[u8]) -> Result<&str, Box<Note>> {
    let refuse = |code, says, next: &str| Note::error(code, says).next(next);
    if bytes.len() > MAX_BYTES {
        let says = format!(
            "the file has {} bytes; at most {MAX_BYTES} are read",
            bytes.len()
        );
        let next = "check that this is the contract; move long texts into files beside it";
        return Err(Box::new(refuse("contract.too-large", says, next)));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let at = error.valid_up_to();
        let good = std::str::from_utf8(&bytes[..at]).unwrap_or_default();
        let span = Span::in_text(FileKind::Contract, good, at, at);
        let says = format!(
            "the file is not UTF-8 text: byte 0x{:02X} at offset {at} (line {})",
            bytes.get(at).copied().unwrap_or_default(),
            span.line
        );
        Box::new(refuse("contract.syntax", says, "save the file as UTF-8").at(span))
    })?;
    let strange = |c: char| reorders(c) || (c.is_control() && !matches!(c, '\t' | '\n' | '\r'));
    if let Some((at, c)) = text.char_indices().find(|(_, c)| strange(*c)) {
        let code = u32::from(c);
        let says = format!("the file holds the character U+{code:04X}, which nobody sees");
        let next = "delete the character; a double-quoted text can hold it as an escape";
        let span = Span::in_text(FileKind::Contract, text, at, at + c.len_utf8());
        return Err(Box::new(refuse("contract.syntax", says, next).at(span)));
    }
    Ok(text.strip_prefix('\u{FEFF}').unwrap_or(text))
}

/// The note that ends a list of notes which would be longer than [`MAX_NOTES`].
pub(crate) fn too_many() -> Note {
    let says = format!("more than {MAX_NOTES} things are wrong; the others are not listed");
    Note::error("contract.too-large", says).next("mend the ones above first")
}
