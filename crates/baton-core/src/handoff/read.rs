//! How values are read from the tree: one trait, one table of keys for each
//! struct, and every trouble at once.
//!
//! Promises: a reader never stops at the first trouble; each note names the
//! place in words (`done.tests.fresh`) and by its span. The macro [`keys!`]
//! makes struct, reader and JSON Schema from one list of keys.
//!
//! Deliberately not here: what a value refers to (`check`), and the unions
//! with forms of their own (`forms`).

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::contract::{At, Declined, Hours, Section};
use super::names::Name;
use super::yaml::{Entry, Kind, MAX_NOTES, Node, too_many};
use crate::diag::{Note, Severity, Span, brief, list, nearest};
use crate::time::{Duration, instant};

/// Codes of notes about the contract's form. Notes about a waiver that hides
/// nothing, or a role that nobody holds, have the code of their blocker.
pub const CODES: &[&str] = &[
    // The text is no YAML, or uses parts of it that are not understood here.
    "contract.syntax",
    // Too many bytes, values, levels or notes.
    "contract.too-large",
    // A key that nothing reads.
    "contract.unknown-key",
    // A key that must be there is not.
    "contract.missing-key",
    // A list where text should stand, and the like.
    "contract.kind",
    // A value that cannot be read, or makes no sense.
    "contract.value",
    // A key, id or name that stands twice.
    "contract.duplicate",
    // A name that nothing in the contract bears.
    "contract.reference",
    // A waiver of something that is no blocker.
    "contract.waiver",
];

/// Something that can be read from the tree.
pub(crate) trait Read: Sized {
    /// Reads it; pushes notes and gives `None` when that cannot be done.
    fn read<'t>(node: &'t Node, reader: &mut Reader<'t>) -> Option<Self>;

    /// What it is when its key is left out; `None` when it must be there.
    fn absent() -> Option<Self> {
        None
    }
}

/// The place a reader stands at.
enum Step<'t> {
    Key(&'t str),
    Item(usize, &'t Node),
}

/// Collects notes, and knows where it stands.
#[derive(Default)]
pub(crate) struct Reader<'t> {
    pub(crate) notes: Vec<Note>,
    path: Vec<Step<'t>>,
}

impl<'t> Reader<'t> {
    /// Adds a note, as long as there is room for notes.
    pub(crate) fn note(&mut self, note: Note) {
        if self.notes.len() < MAX_NOTES {
            self.notes.push(note);
        } else if self.notes.len() == MAX_NOTES {
            self.notes.push(too_many());
        }
    }

    /// Whether further notes would not be listed.
    fn is_full(&self) -> bool {
        self.notes.len() > MAX_NOTES
    }

    /// The place in words: `` `done.tests.fresh` ``, or `the contract` at the top.
    pub(crate) fn place(&self) -> String {
        if self.path.is_empty() {
            return "the contract".to_owned();
        }
        let mut text = String::from("`");
        for (depth, step) in self.path.iter().enumerate() {
            let dot = if depth > 0 { "." } else { "" };
            match step {
                Step::Key(key) => text.extend([dot, &brief(key)]),
                Step::Item(index, node) => {
                    match node.get("id").and_then(|id| id.text()) {
                        Some(id) => text.extend([dot, &brief(id)]),
                        None => text.push_str(&format!("[{}]", index + 1)),
                    };
                }
            }
        }
        text.push('`');
        text
    }

    /// Does something while standing at a key.
    pub(crate) fn inside<T>(&mut self, key: &'t str, act: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push(Step::Key(key));
        let done = act(self);
        self.path.pop();
        done
    }

    /// Reads the value of a key.
    pub(crate) fn at_key<T: Read>(&mut self, key: &'t str, node: &'t Node) -> Option<T> {
        self.inside(key, |reader| T::read(node, reader))
    }

    /// Reads one item of a list.
    fn at_item<T: Read>(&mut self, index: usize, node: &'t Node) -> Option<T> {
        self.path.push(Step::Item(index, node));
        let value = T::read(node, self);
        self.path.pop();
        value
    }

    /// Notes that something of another kind was expected.
    pub(crate) fn wrong_kind<T>(&mut self, node: &Node, expected: &str, next: &str) -> Option<T> {
        let says = format!(
            "{} should be {expected}, not {}",
            self.place(),
            node.kind_in_words()
        );
        self.note(Note::error("contract.kind", says).at(node.span).next(next));
        None
    }

    /// Notes that a value makes no sense.
    pub(crate) fn bad_value<T>(
        &mut self,
        span: Span,
        trouble: impl std::fmt::Display,
        next: impl Into<String>,
    ) -> Option<T> {
        let says = format!("{}: {trouble}", self.place());
        self.note(Note::error("contract.value", says).at(span).next(next));
        None
    }

    /// The text of a scalar, or a note.
    pub(crate) fn text(&mut self, node: &'t Node, expected: &str, next: &str) -> Option<&'t str> {
        match node.text() {
            Some(text) => Some(text),
            None => self.wrong_kind(node, expected, next),
        }
    }

    /// Text that `parse` understands; its error may end in a hint, `: write …`.
    pub(crate) fn parsed<T>(
        &mut self,
        node: &'t Node,
        expected: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let text = self.text(node, expected, &format!("write {expected}"))?;
        let error = match parse(text) {
            Ok(value) => return Some(value),
            Err(_) if text != brief(text) => format!("cannot read `{}`", brief(text)),
            Err(error) => error,
        };
        match error.rsplit_once(": write ") {
            Some((trouble, next)) => self.bad_value(node.span, trouble, format!("write {next}")),
            None => self.bad_value(node.span, error, format!("write {expected}")),
        }
    }

    /// The entries of a map, or a note.
    pub(crate) fn entries(&mut self, node: &'t Node, known: &[&str]) -> Option<&'t [Entry]> {
        match &node.kind {
            Kind::Map(entries) => Some(entries),
            _ => {
                let next = match known {
                    [] => "write names with values: `name: value`".to_owned(),
                    known => their_keys(known),
                };
                self.wrong_kind(node, "keys with values", &next)
            }
        }
    }
}

fn their_keys(known: &[&str]) -> String {
    match known {
        [only] => format!("its one key is `{only}`"),
        known => format!("its keys are {}", list(known, 30)),
    }
}

/// The keys of one map, read one by one.
pub(crate) struct Fields<'r, 't> {
    reader: &'r mut Reader<'t>,
    entries: &'t [Entry],
    span: Span,
}

impl<'r, 't> Fields<'r, 't> {
    /// Opens a map and notes every key that is not `known`.
    pub(crate) fn open(
        node: &'t Node,
        reader: &'r mut Reader<'t>,
        known: &'static [&'static str],
    ) -> Option<Self> {
        let entries = reader.entries(node, known)?;
        for entry in entries {
            if known.contains(&entry.key.as_str()) || reader.is_full() {
                continue;
            }
            let says = format!(
                "{} has an unknown key `{}`",
                reader.place(),
                brief(&entry.key)
            );
            let next = match nearest(&entry.key, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => their_keys(known),
            };
            reader.note(
                Note::error("contract.unknown-key", says)
                    .at(entry.key_span)
                    .next(next),
            );
        }
        Some(Self {
            reader,
            entries,
            span: node.span,
        })
    }

    /// The value of a key, what stands for it when it is left out, or a note.
    pub(crate) fn get<T: Read>(&mut self, key: &'static str) -> Option<T> {
        if let Some(value) = self.find(key) {
            return value;
        }
        let absent = T::absent();
        if absent.is_none() {
            let place = self.reader.place();
            let says = format!("{place} has no `{key}`");
            self.reader.note(
                Note::error("contract.missing-key", says)
                    .at(self.span)
                    .next(format!("add `{key}: …` to {place}")),
            );
        }
        absent
    }

    /// The value of a key, or the default of its type.
    pub(crate) fn or_default<T: Read + Default>(&mut self, key: &'static str) -> Option<T> {
        match self.find(key) {
            Some(value) => value,
            None => Some(T::default()),
        }
    }

    /// The reader, for notes about the whole map.
    pub(crate) fn reader(&mut self) -> &mut Reader<'t> {
        self.reader
    }

    fn find<T: Read>(&mut self, key: &'static str) -> Option<Option<T>> {
        let entry = self.entries.iter().find(|entry| entry.key == key)?;
        Some(self.reader.at_key(&entry.key, &entry.value))
    }
}

/// Declares structs of the contract, their readers and their JSON Schema. Each
/// line is one key: its documentation, its name (`as "in"` when the key is no
/// Rust name), its type, and `= default` when it may be left out. `then check`
/// names a function `fn(&Self, Span, &mut Reader)` that notes what no single
/// key can show.
macro_rules! keys {
    ($(
        $(#[$meta:meta])*
        $vis:vis struct $name:ident $(then $check:path)? {$(
            $(#[$field_meta:meta])*
            $field:ident $(as $key:literal)? : $type:ty $(= $absent:ident)?
        ),* $(,)?}
    )*) => {$(
        #[derive(schemars::JsonSchema)]
        $(#[$meta])*
        #[schemars(deny_unknown_fields)]
        $vis struct $name {$(
            $(#[$field_meta])*
            $(#[serde(rename = $key)])?
            $(#[serde($absent)])?
            $vis $field: $type,
        )*}

        impl $crate::handoff::read::Read for $name {
            fn read<'t>(
                node: &'t $crate::handoff::yaml::Node,
                reader: &mut $crate::handoff::read::Reader<'t>,
            ) -> Option<Self> {
                const KEYS: &[&str] = &[$($crate::handoff::read::keys!(@key $field $($key)?)),*];
                let mut fields = $crate::handoff::read::Fields::open(node, reader, KEYS)?;
                $(let $field = $crate::handoff::read::keys!(
                    @get fields, $crate::handoff::read::keys!(@key $field $($key)?) $(, $absent)?
                );)*
                let value = Self { $($field: $field?),* };
                $($check(&value, node.span, reader);)?
                Some(value)
            }
        }
    )*};
    (@key $field:ident $key:literal) => { $key };
    (@key $field:ident) => { stringify!($field) };
    (@get $fields:ident, $key:expr) => { $fields.get($key) };
    (@get $fields:ident, $key:expr, default) => { $fields.or_default($key) };
}
pub(crate) use keys;

/// Declares how words stand for the variants of an enum.
macro_rules! words {
    ($($name:ident: $what:literal { $($word:literal => $variant:ident),* $(,)? })*) => {$(
        impl $crate::handoff::read::Read for $name {
            fn read<'t>(
                node: &'t $crate::handoff::yaml::Node,
                reader: &mut $crate::handoff::read::Reader<'t>,
            ) -> Option<Self> {
                const WORDS: &[&str] = &[$($word),*];
                let known = format!("one of {}", $crate::diag::list(WORDS, 30));
                let text = reader.text(node, $what, &format!("write {known}"))?;
                match text {
                    $($word => Some(Self::$variant),)*
                    _ => {
                        let next = match $crate::diag::nearest(text, WORDS.iter().copied()) {
                            Some(near) => format!("did you mean `{near}`?"),
                            None => format!("write {known}"),
                        };
                        let text = $crate::diag::brief(text);
                        reader.bad_value(node.span, format!("`{text}` is not {}", $what), next)
                    }
                }
            }
        }
    )*};
}
pub(crate) use words;

impl<T: Read> Read for Option<T> {
    fn read<'t>(node: &'t Node, reader: &mut Reader<'t>) -> Option<Self> {
        T::read(node, reader).map(Some)
    }

    fn absent() -> Option<Self> {
        Some(None)
    }
}

impl<T: Read> Read for At<T> {
    fn read<'t>(node: &'t Node, reader: &mut Reader<'t>) -> Option<Self> {
        T::read(node, reader).map(|value| Self::new(value, node.span))
    }
}

impl<T: Read> Read for Vec<T> {
    fn read<'t>(node: &'t Node, reader: &mut Reader<'t>) -> Option<Self> {
        let Kind::Seq(items) = &node.kind else {
            let next = "write `[a, b]`, or one `- item` on each line";
            return reader.wrong_kind(node, "a list", next);
        };
        let read: Vec<Option<T>> = items
            .iter()
            .enumerate()
            .map(|(index, item)| reader.at_item(index, item))
            .collect();
        read.into_iter().collect()
    }
}

impl<K: Name, V: Read> Read for BTreeMap<K, V> {
    fn read<'t>(node: &'t Node, reader: &mut Reader<'t>) -> Option<Self> {
        let mut whole = true;
        let mut map = Self::new();
        for entry in reader.entries(node, &[])? {
            if let Err(trouble) = K::check(&entry.key) {
                let next = K::HINT;
                whole = false;
                reader.bad_value::<()>(entry.key_span, trouble, next);
            }
            match reader.at_key(&entry.key, &entry.value) {
                Some(value) => drop(map.insert(K::named(&entry.key), value)),
                None => whole = false,
            }
        }
        whole.then_some(map)
    }
}

impl<T: Read> Read for Section<T> {
    fn read<'t>(node: &'t Node, reader: &mut Reader<'t>) -> Option<Self> {
        if node.get("declined").is_some() {
            return Declined::read(node, reader).map(Self::Declined);
        }
        T::read(node, reader).map(Self::Defined)
    }

    fn absent() -> Option<Self> {
        Some(Self::Undefined)
    }
}

impl Read for String {
    fn read<'t>(node: &'t Node, reader: &mut Reader<'t>) -> Option<Self> {
        let text = reader.text(node, "text", "write the text after the colon")?;
        if text.trim().is_empty() {
            return reader.bad_value(node.span, "the text is empty", "write the text");
        }
        Some(text.to_owned())
    }
}

impl Read for Duration {
    fn read<'t>(node: &'t Node, reader: &mut Reader<'t>) -> Option<Self> {
        let read = reader.parsed(node, "a duration such as `90s`, `10m` or `7d`", Self::parse)?;
        if read == Self::default() {
            let next = "write a length of time, such as `10m`";
            return reader.bad_value(node.span, "this is no time at all", next);
        }
        Some(read)
    }
}

impl Read for Timestamp {
    fn read<'t>(node: &'t Node, reader: &mut Reader<'t>) -> Option<Self> {
        let expected = "an instant such as `2026-11-25T09:00:00+01:00`";
        reader.parsed(node, expected, instant)
    }
}

impl Read for Hours {
    fn read<'t>(node: &'t Node, reader: &mut Reader<'t>) -> Option<Self> {
        let expected = "working hours such as `Mon-Fri 09:00-17:30`";
        reader.parsed(node, expected, Self::parse)
    }
}

/// A share, written in percent: `0.5%` is 0.005.
impl Read for f64 {
    fn read<'t>(node: &'t Node, reader: &mut Reader<'t>) -> Option<Self> {
        reader.parsed(node, "a share such as `1%` or `0.5%`", percent)
    }
}

/// Reads `1%` or `0.5%` as a share of one.
pub(crate) fn percent(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').map(str::trim_end);
    number
        .filter(|number| number.bytes().all(|b| b.is_ascii_digit() || b == b'.'))
        .and_then(|number| number.parse::<f64>().ok())
        .filter(|number| *number <= 100.0)
        .map(|number| number / 100.0)
        .ok_or_else(|| {
            format!(
                "cannot read `{text}` as a share: write a number from 0 to 100 and `%`, as in `1%` or `0.5%`"
            )
        })
}

/// Whether a note is about the contract's form, so that nothing can be done
/// with it; other notes are blockers of the gate.
pub(crate) fn is_structural(note: &Note) -> bool {
    note.severity == Severity::Error
        && note.code.question().is_none()
        && note.code.0 != "contract.waiver"
}
