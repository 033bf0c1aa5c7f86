//! Words that must not stand in code, and the one that must: a header.

use crate::hold;
use crate::source::{Source, files, line_of, read, rust_under};

/// What must not be written, and what to write instead. Looked for in code
/// without blanks, comments and strings.
const FORBIDDEN: [(&str, &str); 7] = [
    ("#[ignore", "a test runs, or it goes"),
    ("#[allow(", "#[expect(.., reason = \"..\")]"),
    (
        "#![allow(",
        "#[expect(.., reason = \"..\")] where it is needed",
    ),
    (",allow(", "no lint is silenced through cfg_attr"),
    ("todo!", "finish it, or do not begin"),
    ("unimplemented!", "finish it, or do not begin"),
    ("dbg!", "a test, or tracing"),
];

fn forbidden(source: &Source) -> Vec<String> {
    // Offsets of what is left after blanks went, to tell the line.
    let (mut tight, mut offsets) = (String::new(), Vec::new());
    for (at, c) in source
        .code
        .char_indices()
        .filter(|(_, c)| !c.is_whitespace())
    {
        tight.push(c);
        offsets.resize(tight.len(), at);
    }
    let mut found = Vec::new();
    for (word, instead) in FORBIDDEN {
        for (at, _) in tight.match_indices(word) {
            let line = line_of(&source.code, offsets[at]);
            found.push(format!("{}:{line}: {word}: {instead}", source.path));
        }
    }
    found
}

/// The tests of a module say what they are by their name.
fn headless(source: &Source) -> Option<String> {
    let says = source.text.starts_with("//! ") || source.path.ends_with("/tests.rs");
    (!says).then(|| format!("{}: does not begin with `//!` and what it is", source.path))
}

#[test]
fn forbidden_words_do_not_stand_in_code() {
    let complaints: Vec<String> = files()
        .iter()
        .filter(|path| path.ends_with(".rs"))
        .flat_map(|path| forbidden(&Source::new(path, &read(path))))
        .collect();
    hold("forbidden words", &complaints);
}

#[test]
fn every_module_says_what_it_is() {
    let folders = ["crates/", "examples/", "xtask/"];
    let complaints: Vec<String> = folders
        .into_iter()
        .flat_map(rust_under)
        .filter_map(|source| headless(&source))
        .collect();
    hold("module headers", &complaints);
}

mod tests {
    use super::*;

    #[test]
    fn each_forbidden_word_is_found() {
        for bad in [
            "#[ignore]\nfn a() {}",
            "#[ignore = \"slow\"]\nfn a() {}",
            "#[allow(dead_code)]\nfn a() {}",
            "#![allow(dead_code)]",
            "#[cfg_attr(x, allow(dead_code))]\nfn a() {}",
            "fn a() { todo!() }",
            "fn a() { todo ! () }",
            "fn a() { unimplemented!() }",
            "fn a() { dbg!(1) }",
        ] {
            assert_eq!(forbidden(&Source::new("a.rs", bad)).len(), 1, "{bad}");
        }
        let fine = "// todo!\n#[expect(dead_code, reason = \"#[allow(\")]\nfn allow(a: u8) {}";
        assert!(forbidden(&Source::new("a.rs", fine)).is_empty());
        let line = &forbidden(&Source::new("a.rs", "\n\né!(dbg!(1))"))[0];
        assert!(line.starts_with("a.rs:3:"), "{line}");
    }

    #[test]
    fn a_file_without_a_header_is_found() {
        assert!(headless(&Source::new("a.rs", "//! What it is.\n")).is_none());
        for bad in ["", "//!\n", "// What it is.\n", "use a;\n//! late\n"] {
            assert!(headless(&Source::new("a.rs", bad)).is_some(), "{bad}");
            assert!(headless(&Source::new("a/tests.rs", bad)).is_none());
        }
    }
}
