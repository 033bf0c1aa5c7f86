//! Writing a waiver into the contract's text.
//!
//! Promises: nothing else changes, not a comment and not a space, and reading
//! the new text gives the old contract with the waiver as its last one. Where
//! that cannot be done the text is refused with a note, never half changed.
//! Deliberately not here: changing or deleting what people wrote.

use jiff::Timestamp;

use super::contract::{Waiver, parse};
use super::names::is_name;
use super::waiver::waivable;
use super::yaml::{self, Entry, Kind, Node};
use crate::diag::{Note, brief, misleads};
use crate::id::Handle;
use crate::parity::Pattern;

/// A waiver to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewWaiver {
    /// The blocker's code.
    pub blocker: String,
    /// Patterns that cover every name of the blocker; none when it names nothing.
    pub matches: Vec<String>,
    /// Why.
    pub because: String,
    /// Who answers for it.
    pub owner: Handle,
    /// Until when.
    pub until: Timestamp,
}

/// The contract's text with one more waiver at the end of `waivers`, in the
/// style of the list that is there. Line ends stay what they are.
///
/// # Errors
/// A note when the contract cannot be read, when the waiver would set nothing
/// aside, or when the layout leaves no safe place for it.
#[expect(
    clippy::result_large_err,
    reason = "made once for each command, and its caller wants the note itself"
)]
pub fn add_waiver(text: &str, waiver: &NewWaiver) -> Result<String, Note> {
    if let Some(note) = waiver.trouble() {
        return Err(note);
    }
    let (Some(before), _) = parse(text.as_bytes()) else {
        let says = "a contract that cannot be read takes no waiver";
        return Err(Note::error("contract.syntax", says).next("`baton lint` says what to mend"));
    };
    let tree = yaml::tree(text.as_bytes()).0;
    let new = tree.as_ref().and_then(|tree| edited(text, tree, waiver));
    // Whatever the layout was, the result is used only if it says what it should.
    if let Some(new) = new
        && let (Some(mut after), _) = parse(new.as_bytes())
        && let Some(added) = after.waivers.pop()
        && after == before
        && waiver.is(&added)
    {
        return Ok(new);
    }
    let says = "the layout of the contract leaves no safe place for a waiver";
    let by_hand = format!(
        "write it by hand, below `waivers:`\n{}",
        waiver.block("  ", "\n")
    );
    let mut note = Note::error("contract.syntax", says).next(by_hand);
    note.span = tree.and_then(|tree| tree.find("waivers"));
    Err(note)
}

impl NewWaiver {
    /// Why the waiver would set nothing aside.
    fn trouble(&self) -> Option<Note> {
        let value = |says: String, next: &str| Some(Note::error("contract.value", says).next(next));
        if let Err(not) = waivable(&self.blocker) {
            let says = format!(
                "`{}` cannot be set aside: {}",
                brief(&self.blocker),
                not.trouble
            );
            return Some(Note::error(not.code, says).next(not.next));
        }
        if self.because.trim().is_empty() {
            return value(
                "a waiver needs a reason".to_owned(),
                "add `--because \"…\"`",
            );
        }
        if !is_name(&self.owner) {
            let says = format!("`{}` is no name of a person", brief(&self.owner));
            return value(says, "name somebody of the contract's `people`");
        }
        let wrong = |pattern: &String| match Pattern::new(pattern) {
            Ok(_) if pattern.trim().is_empty() => Some("a pattern is empty".to_owned()),
            Ok(_) => None,
            Err(trouble) => Some(trouble),
        };
        let trouble = self.matches.iter().find_map(wrong)?;
        value(trouble, "name what is set aside, as the blocker names it")
    }

    /// Whether this is what was read.
    fn is(&self, read: &Waiver) -> bool {
        self.blocker == read.blocker.value
            && self.matches == read.matches
            && Some(&self.because) == read.because.as_ref()
            && Some(&self.owner) == read.owner.as_ref().map(|owner| &owner.value)
            && Ok(&self.until) == read.until.as_ref()
    }

    /// Keys and values as YAML.
    fn fields(&self) -> Vec<(&'static str, String)> {
        let mut fields = vec![("blocker", plain_or_quoted(&self.blocker))];
        match self.matches.as_slice() {
            [] => {}
            [one] => fields.push(("match", quoted(one))),
            several => {
                let several: Vec<String> = several.iter().map(|one| quoted(one)).collect();
                fields.push(("match", format!("[{}]", several.join(", "))));
            }
        }
        fields.push(("because", plain_or_quoted(&self.because)));
        fields.push(("owner", plain_or_quoted(&self.owner)));
        fields.push(("until", self.until.to_string()));
        fields
    }

    /// As an item of a list with one line for each key.
    fn block(&self, indent: &str, line_end: &str) -> String {
        let mut text = String::new();
        let mut dash = "- ";
        for (key, value) in self.fields() {
            text.extend([indent, dash, key, ": ", &value, line_end]);
            dash = "  ";
        }
        text
    }

    /// As an item of a list in brackets.
    fn inline(&self) -> String {
        let fields = self
            .fields()
            .into_iter()
            .map(|(key, value)| format!("{key}: {value}"));
        format!("{{ {} }}", fields.collect::<Vec<_>>().join(", "))
    }
}

/// Text that needs no quotes anywhere in YAML: words, and marks that cannot
/// begin or end anything.
pub(super) fn plain_or_quoted(text: &str) -> String {
    let word = |c: char| c.is_ascii_alphanumeric();
    let safe = |c: char| word(c) || matches!(c, ' ' | '-' | '_' | '.');
    let plain = text.starts_with(word) && text.ends_with(word) && text.chars().all(safe);
    if plain && !text.eq_ignore_ascii_case("null") {
        text.to_owned()
    } else {
        quoted(text)
    }
}

/// Text in double quotes (YAML 1.2, section 7.3.1), with everything escaped
/// that is not printed as itself on one line.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            c if misleads(c) || !is_printed(c) => {
                let code = u32::from(c);
                quoted.push_str(&match code {
                    0..=0xffff => format!("\\u{code:04X}"),
                    _ => format!("\\U{code:08X}"),
                });
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// Whether the character may stand in a YAML file (YAML 1.2, section 5.1), ends
/// no line for anybody, and is no byte order mark.
fn is_printed(c: char) -> bool {
    !matches!(
        c,
        '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
    )
}

/// The text with the waiver in it, as far as the layout is understood.
fn edited(text: &str, tree: &Node, waiver: &NewWaiver) -> Option<String> {
    let line_end = match text.find(['\r', '\n']) {
        Some(at) if text[at..].starts_with("\r\n") => "\r\n",
        Some(at) if text[at..].starts_with('\r') => "\r",
        _ => "\n",
    };
    let Kind::Map(entries) = &tree.kind else {
        return None;
    };
    let indent = " ".repeat(entries.first()?.key_span.column as usize - 1);
    let inner = format!("{indent}  ");
    let Some(waivers) = entries.iter().find(|entry| entry.key == "waivers") else {
        if text.get(tree.span.start as usize..)?.starts_with('{') {
            return None;
        }
        let lines = format!(
            "{indent}waivers:{line_end}{}",
            waiver.block(&inner, line_end)
        );
        return Some(insert_line(text, before_end_mark(text), &lines, line_end));
    };
    let Kind::Seq(items) = &waivers.value.kind else {
        return None;
    };
    let list = waivers.value.span;
    let bracketed = text
        .get(list.start as usize..list.end as usize)?
        .starts_with('[');
    match items.last() {
        None => {
            let without = without_brackets(text, waivers)?;
            let at = next_line(&without, waivers.key_span.end as usize);
            let lines = waiver.block(&inner, line_end);
            Some(insert_line(&without, at, &lines, line_end))
        }
        Some(last) if bracketed => {
            let (head, tail) = text.split_at_checked(last.span.end as usize)?;
            Some(format!("{head}, {}{tail}", waiver.inline()))
        }
        Some(last) => {
            let lines = waiver.block(before_dash(text, last)?, line_end);
            Some(insert_line(
                text,
                next_line(text, end(last)),
                &lines,
                line_end,
            ))
        }
    }
}

/// The blanks before the `-` of a list item, when nothing else stands there.
fn before_dash<'t>(text: &'t str, item: &Node) -> Option<&'t str> {
    let head = text.get(..item.span.start as usize)?;
    let line = head.rfind(['\n', '\r']).map_or(0, |at| at + 1);
    let blanks = head[line..].trim_end_matches(' ').strip_suffix('-')?;
    blanks.bytes().all(|b| b == b' ').then_some(blanks)
}

/// Where the text of a value ends.
fn end(node: &Node) -> usize {
    let inner = match &node.kind {
        Kind::Scalar { .. } => None,
        Kind::Seq(items) => items.iter().map(|item| end(item)).max(),
        Kind::Map(entries) => entries
            .iter()
            .map(|entry| end(&entry.value).max(entry.key_span.end as usize))
            .max(),
    };
    inner.unwrap_or(0).max(node.span.end as usize)
}

/// The text without `[]` after the key, and without the blanks before it.
fn without_brackets(text: &str, waivers: &Entry) -> Option<String> {
    let (start, end) = (
        waivers.value.span.start as usize,
        waivers.value.span.end as usize,
    );
    let inside = text.get(start..end)?.strip_prefix('[')?.strip_suffix(']')?;
    if !inside.trim().is_empty() {
        return None;
    }
    let head = text.get(..start)?.trim_end_matches(' ');
    Some(format!("{head}{}", text.get(end..)?))
}

/// The beginning of the line after the one in which `at` lies; `at` itself when
/// a line begins there.
fn next_line(text: &str, at: usize) -> usize {
    let bytes = text.as_bytes();
    if at > 0 && matches!(bytes.get(at - 1), Some(b'\n')) {
        return at;
    }
    match bytes[at.min(bytes.len())..]
        .iter()
        .position(|b| matches!(b, b'\n' | b'\r'))
    {
        None => text.len(),
        Some(more) if bytes[at + more..].starts_with(b"\r\n") => at + more + 2,
        Some(more) => at + more + 1,
    }
}

/// The end of the text, or the beginning of the line `...` that ends the document.
fn before_end_mark(text: &str) -> usize {
    let body = text.trim_end();
    match body.strip_suffix("...") {
        Some(head) if head.ends_with(['\n', '\r']) => head.len(),
        _ => text.len(),
    }
}

/// Puts whole lines at `at`, which begins a line unless it is the text's end.
fn insert_line(text: &str, at: usize, lines: &str, line_end: &str) -> String {
    let (head, tail) = text.split_at(at);
    let open = !head.is_empty() && !head.ends_with(['\n', '\r']);
    format!("{head}{}{lines}{tail}", if open { line_end } else { "" })
}
