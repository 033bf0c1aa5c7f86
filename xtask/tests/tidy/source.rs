//! The files of the repository, and a reader of Rust that is just good enough:
//! it knows comments, strings, characters and braces, and no grammar.
//!
//! Blanked text has the same length and lines as the file, so that an offset
//! found in one is an offset in the other.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder that holds the workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask lies in the repository")
        .to_owned()
}

/// Every file that is, or would be, in version control; `/` between parts.
/// Without git (an unpacked archive) the folders are walked.
pub(crate) fn files() -> Vec<String> {
    let listed = Command::new("git")
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .current_dir(root())
        .output();
    let mut files: Vec<String> = match listed {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout)
            .split('\0')
            .filter(|name| !name.is_empty() && root().join(name).is_file())
            .map(str::to_owned)
            .collect(),
        _ => walk(&root(), ""),
    };
    files.sort();
    files.dedup();
    assert!(!files.is_empty(), "the repository has files");
    files
}

fn walk(folder: &Path, prefix: &str) -> Vec<String> {
    let mut found = Vec::new();
    let entries = std::fs::read_dir(folder).expect("a folder of the repository can be read");
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = entry.path();
        if path.is_file() {
            found.push(format!("{prefix}{name}"));
        } else if !["target", ".git", ".baton", "node_modules"].contains(&name.as_str()) {
            found.extend(walk(&path, &format!("{prefix}{name}/")));
        }
    }
    found
}

/// One Rust file.
pub(crate) struct Source {
    /// Path from the root of the repository.
    pub(crate) path: String,
    /// As it stands in the file.
    pub(crate) text: String,
    /// The same, with comments and the insides of strings blanked.
    pub(crate) code: String,
    strings: Vec<Range<usize>>,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let (code, strings) = blank(text);
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
            code,
            strings,
        }
    }

    /// The code with everything under `#[cfg(test)]` blanked too.
    pub(crate) fn product_code(&self) -> String {
        let mut code = self.code.clone().into_bytes();
        for range in self.tests() {
            erase(&mut code, range);
        }
        String::from_utf8(code).expect("blanks are ASCII")
    }

    /// The string literals outside of tests: line and content.
    pub(crate) fn product_strings(&self) -> Vec<(usize, &str)> {
        let tests = self.tests();
        self.strings
            .iter()
            .filter(|at| !tests.iter().any(|test| test.contains(&at.start)))
            .map(|at| (line_of(&self.text, at.start), &self.text[at.clone()]))
            .collect()
    }

    fn tests(&self) -> Vec<Range<usize>> {
        if self.path.ends_with("/tests.rs") || self.path.contains("/tests/") {
            return std::iter::once(0..self.code.len()).collect();
        }
        self.code
            .match_indices("#[cfg(")
            .filter(|(at, opening)| {
                let condition = &self.code[at + opening.len()..];
                let condition = &condition[..condition.find(']').unwrap_or(condition.len())];
                has_word(condition, "test") && !condition.contains("not(test")
            })
            .map(|(at, _)| at..item_end(&self.code, at))
            .collect()
    }
}

/// Every Rust file under `folder` (from the root, ending in `/`).
pub(crate) fn rust_under(folder: &str) -> Vec<Source> {
    let found: Vec<Source> = files()
        .iter()
        .filter(|path| path.starts_with(folder) && path.ends_with(".rs"))
        .map(|path| Source::new(path, &read(path)))
        .collect();
    assert!(!found.is_empty(), "{folder} holds Rust");
    found
}

/// The text of a file of the repository; bytes that are no text are replaced.
pub(crate) fn read(path: &str) -> String {
    let bytes = std::fs::read(root().join(path)).expect("a listed file can be read");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The line of an offset, counted from 1.
pub(crate) fn line_of(text: &str, at: usize) -> usize {
    text.as_bytes()[..at]
        .iter()
        .filter(|&&byte| byte == b'\n')
        .count()
        + 1
}

/// Where the identifier `word` stands in `code`, not as a part of a longer one.
pub(crate) fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    code.match_indices(word)
        .map(|(at, _)| at)
        .filter(move |&at| {
            let before = code[..at].chars().next_back();
            let after = code[at + word.len()..].chars().next();
            !before.is_some_and(is_ident) && !after.is_some_and(is_ident)
        })
}

pub(crate) fn has_word(code: &str, word: &str) -> bool {
    words(code, word).next().is_some()
}

pub(crate) fn is_ident(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The identifier at the start of `code`, after blanks.
pub(crate) fn ident(code: &str) -> &str {
    let code = code.trim_start();
    &code[..code.find(|c| !is_ident(c)).unwrap_or(code.len())]
}

/// One past the brace that closes the first one opened after `from`, or one
/// past a `;` met before it outside of brackets; where the enclosing block or
/// the text ends, when neither comes.
pub(crate) fn item_end(code: &str, from: usize) -> usize {
    let mut brackets = 0i32;
    let mut braces = 0i32;
    for (at, byte) in code.bytes().enumerate().skip(from) {
        match byte {
            b'(' | b'[' => brackets += 1,
            b')' | b']' => brackets -= 1,
            b'{' => braces += 1,
            b'}' if braces == 0 => return at,
            b'}' if braces == 1 => return at + 1,
            b'}' => braces -= 1,
            b';' if brackets == 0 && braces == 0 => return at + 1,
            _ => {}
        }
    }
    code.len()
}

fn erase(code: &mut [u8], range: Range<usize>) {
    for byte in &mut code[range] {
        if *byte != b'\n' {
            *byte = b' ';
        }
    }
}

/// Blanks comments and string contents; also returns where the strings are.
fn blank(text: &str) -> (String, Vec<Range<usize>>) {
    let bytes = text.as_bytes();
    let mut code = bytes.to_vec();
    let mut strings = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &text.as_bytes()[at..];
        if rest.starts_with(b"//") || rest.starts_with(b"/*") {
            let end = at + comment(rest);
            erase(&mut code, at..end);
            at = end;
        } else if let Some((open, content, close)) = string(bytes, at) {
            let inside = at + open..at + open + content;
            erase(&mut code, inside.clone());
            at = inside.end + close;
            strings.push(inside);
        } else if let Some(length) = character(&text[at..]) {
            erase(&mut code, at + 1..at + length - 1);
            at += length;
        } else {
            at += 1;
            while !text.is_char_boundary(at) {
                at += 1;
            }
        }
    }
    (String::from_utf8(code).expect("blanks are ASCII"), strings)
}

/// The length of the comment at the start; block comments nest.
fn comment(rest: &[u8]) -> usize {
    if rest.starts_with(b"//") {
        return rest
            .iter()
            .position(|&byte| byte == b'\n')
            .unwrap_or(rest.len());
    }
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        match &rest[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

/// A string literal at `at`: lengths of its opening, content and closing.
fn string(bytes: &[u8], at: usize) -> Option<(usize, usize, usize)> {
    let in_word = at > 0 && is_ident(char::from(bytes[at - 1]));
    let mut open = 0;
    if !in_word {
        while matches!(bytes.get(at + open), Some(b'b' | b'c' | b'r')) && open < 2 {
            open += 1;
        }
    }
    let raw = open > 0 && bytes[at + open - 1] == b'r';
    let hashes = bytes[at + open..]
        .iter()
        .take_while(|&&byte| byte == b'#')
        .count();
    if (hashes > 0 && !raw) || bytes.get(at + open + hashes) != Some(&b'"') {
        return None;
    }
    open += hashes + 1;
    let content = &bytes[at + open..];
    let mut end = 0;
    while end < content.len() {
        match content[end] {
            b'\\' if !raw => end += 2,
            b'"' if content[end + 1..]
                .iter()
                .take(hashes)
                .filter(|&&b| b == b'#')
                .count()
                == hashes =>
            {
                return Some((open, end, 1 + hashes));
            }
            _ => end += 1,
        }
    }
    Some((open, content.len(), 0))
}

/// The length of a character literal at the start; a lifetime is none.
fn character(rest: &str) -> Option<usize> {
    let inside = rest.strip_prefix('\'')?;
    if let Some(escaped) = inside.strip_prefix('\\') {
        // The character after the backslash may itself be a quote.
        return Some(escaped.get(1..)?.find('\'')? + 4);
    }
    let first = inside.chars().next()?;
    inside[first.len_utf8()..]
        .starts_with('\'')
        .then(|| first.len_utf8() + 2)
}

mod tests {
    use super::*;

    fn code(text: &str) -> String {
        Source::new("a.rs", text).code
    }

    #[test]
    fn comments_and_strings_are_blanked_in_place() {
        assert_eq!(code("a // b {\nc"), "a       \nc");
        assert_eq!(code("a /* { /* } */ */ b"), "a                 b");
        assert_eq!(code(r#"f("a\"{", 1)"#), r#"f("    ", 1)"#);
        assert_eq!(code(r##"f(r#"a"b{"#)"##), r##"f(r#"    "#)"##);
        assert_eq!(code("br\"\\\" + x"), "br\" \" + x");
        assert_eq!(code("r#type + \"é\""), "r#type + \"  \"");
    }

    #[test]
    fn characters_are_told_from_lifetimes() {
        assert_eq!(code("'{' + '\\'' + 'é'"), "' ' + '  ' + '  '");
        assert_eq!(code("fn f<'a>(x: &'a str) {}"), "fn f<'a>(x: &'a str) {}");
    }

    #[test]
    fn unfinished_input_ends() {
        for text in ["\"abc", "/* abc", "r#\"abc\"", "'", "'\\", "\"\\"] {
            assert_eq!(code(text).len(), text.len(), "{text}");
        }
    }

    #[test]
    fn tests_are_no_product_code() {
        let text = "fn a() { x(\"one\") }\n#[cfg(test)]\nmod tests { fn b() { y(\"two\") } }\nfn c() {}\n\
                    #[cfg(not(test))]\nfn d() {}\n";
        let source = Source::new("crates/a/src/lib.rs", text);
        assert!(has_word(&source.code, "b") && !has_word(&source.product_code(), "b"));
        assert!(has_word(&source.product_code(), "c") && has_word(&source.product_code(), "d"));
        assert_eq!(source.product_strings(), [(1, "one")]);
        let whole = Source::new("crates/a/src/gate/tests.rs", text);
        assert_eq!(whole.product_code().trim(), "");
    }

    #[test]
    fn an_item_ends_at_its_brace_or_semicolon() {
        assert_eq!(&"use a; b"[..item_end("use a; b", 0)], "use a;");
        let text = "fn f() -> [u8; 2] { { } } fn g";
        assert_eq!(&text[..item_end(text, 0)], "fn f() -> [u8; 2] { { } }");
    }
}
