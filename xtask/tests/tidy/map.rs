//! ARCHITECTURE.md is a map: each path and type it names exists.

use crate::hold;
use crate::source::{Source, files, has_word, ident, is_ident, read, rust_under, words};

const MAP: &str = "ARCHITECTURE.md";

/// Written like a path of the repository, but found elsewhere.
const NOT_OURS: [&str; 4] = [".baton/", "handoff.yaml", "runbook.md", "target/"];

/// Written like a type of ours, but found in the standard library.
const STANDARD: [&str; 6] = [
    "BTreeMap",
    "HashMap",
    "HashSet",
    "Instant",
    "Result",
    "SystemTime",
];

/// What stands in single backticks outside of fences, with its line.
fn quoted(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut fenced = false;
    for (at, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            found.extend(
                line.split('`')
                    .skip(1)
                    .step_by(2)
                    .map(|word| (at + 1, word)),
            );
        }
    }
    found
}

/// Paths start at the root, or are the unambiguous end of one below it.
fn is_path(word: &str) -> bool {
    let named = [".rs", ".md", ".toml"]
        .iter()
        .any(|end| word.ends_with(end));
    (named || word.contains('/'))
        && !word.starts_with('/')
        && !word.contains(char::is_whitespace)
        && !word.contains("://")
        && !NOT_OURS.contains(&word)
}

fn exists(path: &str, files: &[String]) -> bool {
    let path = path.trim_end_matches('/');
    let (inside, below) = (format!("{path}/"), format!("/{path}"));
    files
        .iter()
        .any(|file| file == path || file.starts_with(&inside) || file.ends_with(&below))
}

/// CamelCase: begins with a capital, and holds a small letter.
fn is_type(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_uppercase())
        && word.contains(|c: char| c.is_ascii_lowercase())
        && word.chars().all(is_ident)
        && !STANDARD.contains(&word)
}

fn defines(source: &Source, name: &str) -> bool {
    ["struct", "enum", "trait", "type"].iter().any(|kind| {
        words(&source.code, kind).any(|at| ident(&source.code[at + kind.len()..]) == name)
    })
}

fn complaints(text: &str, files: &[String], sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for (line, word) in quoted(text) {
        if is_path(word) && !exists(word, files) {
            found.push(format!("{MAP}:{line}: there is no {word}"));
        }
        let name = word.split("::").next().unwrap_or(word);
        let known = |source: &Source| has_word(&source.code, name) && defines(source, name);
        if is_type(name) && !sources.iter().any(known) {
            found.push(format!("{MAP}:{line}: no type is called {name}"));
        }
    }
    found
}

#[test]
fn the_map_names_what_exists() {
    let files = files();
    // The map is drawn once there is something to draw.
    if files.iter().any(|file| file == MAP) {
        hold(
            "the map",
            &complaints(&read(MAP), &files, &rust_under("crates/")),
        );
    }
}

mod tests {
    use super::*;

    fn on(text: &str) -> Vec<String> {
        let files = [
            "crates/a/src/gate/room.rs".to_owned(),
            "Cargo.toml".to_owned(),
        ];
        let text_of_a = "// struct Ghost\npub enum Verdict { Ready }\npub type Short = u8;";
        complaints(
            text,
            &files,
            &[Source::new("crates/a/src/lib.rs", text_of_a)],
        )
    }

    #[test]
    fn what_exists_is_found() {
        let text =
            "`crates/a/` `gate/room.rs` `room.rs` `Cargo.toml` `Verdict` `Verdict::Ready` `Short`";
        assert_eq!(on(text), Vec::<String>::new());
        assert!(on("`cargo xtask test` `.baton/` `/api/runs` `BTreeMap` `SHA` `id`").is_empty());
        assert!(on("```\n`gone.rs` `Gone`\n```").is_empty());
    }

    #[test]
    fn what_does_not_exist_is_a_complaint() {
        for text in [
            "`gate.rs`",
            "`crates/b/`",
            "`crates/a/src`/`b/c`",
            "`oom.rs`",
            "`Ghost`",
            "`Ready`",
        ] {
            assert_eq!(on(text).len(), 1, "{text}");
        }
    }
}
