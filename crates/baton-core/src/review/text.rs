//! Text of others, made harmless: for a line of a terminal, and for Markdown.
//!
//! Whatever stands in the ledger or the plan was written by somebody else. Here
//! it becomes one line of bounded length without control characters, and
//! [`escape`] makes a Markdown reader show that line as it is.

/// The most characters of a sentence somebody else wrote.
pub(crate) const TEXT_MOST: usize = 500;
/// The most characters of a name or title.
pub(super) const NAME_MOST: usize = 80;

/// The text as one line of at most `most` characters: white space and control
/// characters become single spaces, marks that turn or hide text are dropped,
/// and what was cut off is shown by `…`.
pub(crate) fn line(text: &str, most: usize) -> String {
    let mut out = String::new();
    let (mut chars, mut gap) = (0, false);
    for c in text.chars().filter(|c| !hidden(*c)) {
        if c.is_whitespace() || c.is_control() {
            gap = chars > 0;
            continue;
        }
        let wanted = 1 + usize::from(gap);
        if chars + wanted > most {
            out.push('…');
            break;
        }
        if gap {
            out.push(' ');
        }
        gap = false;
        out.push(c);
        chars += wanted;
    }
    out
}

/// A name or title, as one short line.
pub(crate) fn name(text: &str) -> String {
    line(text, NAME_MOST)
}

/// A reason, without a full stop: it stands inside a sentence.
pub(super) fn reason(text: &str) -> String {
    line(text, TEXT_MOST).trim_end_matches('.').to_owned()
}

/// A reason to follow a sentence: `: the disk is full`; nothing without one.
pub(crate) fn colon(because: Option<&str>) -> String {
    match because.map(reason) {
        Some(because) if !because.is_empty() => format!(": {because}"),
        _ => String::new(),
    }
}

/// Marks that change the direction of text, or cannot be seen.
fn hidden(c: char) -> bool {
    matches!(c,
        '\u{00ad}' | '\u{061c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

/// The line as Markdown that reads exactly so: no markup, no HTML, no new cell
/// of a table (CommonMark 0.31, section 2.4, and GitHub's tables).
pub(super) fn escape(text: &str) -> String {
    let text = line(text, usize::MAX);
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '&' => out.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '>' | '|' | '~' | '#' | '$' => {
                out.extend(['\\', c]);
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_text_is_one_harmless_line() {
        assert_eq!(line("  a\r\n\tb\u{1b}[31m\u{202e}c ", 99), "a b [31mc");
        assert_eq!(line("one two", 5), "one t…");
        assert_eq!(line("one two", 4), "one…");
        assert_eq!(line("é\u{0}", 1), "é");
        assert_eq!(colon(Some("the disk is full.")), ": the disk is full");
        assert_eq!(colon(Some(" \n")), "");
        assert_eq!(escape("a|b <i> `c`\n# d"), "a\\|b &lt;i\\> \\`c\\` \\# d");
    }
}
