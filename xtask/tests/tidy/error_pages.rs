//! Each code a person can meet has its page under `docs/errors`, and the pages
//! are alike: they are compiled in and shown by `baton explain CODE`.

use crate::hold;
use crate::source::{Source, files, read, rust_under};

const FOLDER: &str = "docs/errors/";
const SECTIONS: [&str; 3] = ["## What it means", "## Usual causes", "## What to do"];
const LINES: std::ops::RangeInclusive<usize> = 10..=40;
const COLUMNS_MAX: usize = 90;

/// What stands before the dot of a code.
const FAMILIES: [&str; 11] = [
    "definition",
    "alignment",
    "parity",
    "ownership",
    "runbook",
    "rehearsal",
    "room",
    "review",
    "contract",
    "ledger",
    "run",
];

/// Codes that any family may have; one page serves all.
const SHARED: [&str; 3] = ["undefined", "waiver-expired", "waiver-invalid"];

/// Names every page, and so leads to none.
const INDEX: &str = "crates/baton/src/commands/explain.rs";

/// Literals that look like codes and are names of files, or places in the contract.
const NOT_CODES: [&str; 5] = [
    "runbook.md",
    "review.md",
    "parity.compare",
    "parity.facts",
    "rehearsal.in",
];

fn is_code(literal: &str) -> bool {
    literal.split_once('.').is_some_and(|(family, rest)| {
        FAMILIES.contains(&family)
            && !rest.is_empty()
            && rest.chars().all(|c| c.is_ascii_lowercase() || c == '-')
            && !NOT_CODES.contains(&literal)
    })
}

fn page_of(code: &str) -> String {
    let shared = SHARED
        .into_iter()
        .find(|end| code.ends_with(&format!(".{end}")));
    format!("{FOLDER}{}.md", shared.unwrap_or(code))
}

fn unexplained(source: &Source, files: &[String]) -> Vec<String> {
    let strings = source.product_strings();
    let codes = strings.iter().filter(|(_, literal)| is_code(literal));
    codes
        .filter(|(_, code)| !files.contains(&page_of(code)))
        .map(|(line, code)| format!("{}:{line}: {code} has no {}", source.path, page_of(code)))
        .collect()
}

/// Pages that no code leads to: nobody would ever be shown them.
fn orphans<'a>(pages: &'a [String], sources: &[Source]) -> Vec<&'a String> {
    let sources = sources.iter().filter(|source| source.path != INDEX);
    let codes = sources.flat_map(Source::product_strings);
    let served: Vec<String> = codes
        .filter(|(_, literal)| is_code(literal))
        .map(|(_, code)| page_of(code))
        .collect();
    pages.iter().filter(|page| !served.contains(page)).collect()
}

fn badly_written(path: &str, text: &str) -> Vec<String> {
    let name = path.trim_start_matches(FOLDER).trim_end_matches(".md");
    let mut found = Vec::new();
    if !(is_code(name) || SHARED.contains(&name)) {
        found.push(format!("{path}: {name} is no code"));
    }
    if text.lines().next() != Some(&format!("# {name}")) {
        found.push(format!("{path}: the first line is not `# {name}`"));
    }
    let sections: Vec<&str> = text.lines().filter(|line| line.starts_with("##")).collect();
    if sections != SECTIONS {
        found.push(format!(
            "{path}: the sections are not {}",
            SECTIONS.join(", ")
        ));
    }
    if !LINES.contains(&text.lines().count()) {
        found.push(format!(
            "{path}: {} lines; {LINES:?} fit a terminal",
            text.lines().count()
        ));
    }
    for (at, line) in text.lines().enumerate() {
        if line.chars().count() > COLUMNS_MAX || line.trim_end() != line {
            found.push(format!("{path}:{}: too wide, or blanks at its end", at + 1));
        }
    }
    found
}

#[test]
fn every_code_of_the_core_has_a_page() {
    let files = files();
    let sources = rust_under("crates/baton-core/");
    let complaints: Vec<String> = sources
        .iter()
        .flat_map(|source| unexplained(source, &files))
        .collect();
    hold("codes without a page", &complaints);
}

#[test]
fn every_page_is_well_written() {
    let pages: Vec<String> = files()
        .into_iter()
        .filter(|path| path.starts_with(FOLDER))
        .collect();
    assert!(!pages.is_empty(), "there are pages");
    let mut complaints: Vec<String> = pages
        .iter()
        .flat_map(|page| badly_written(page, &read(page)))
        .collect();
    let sources = rust_under("crates/");
    complaints.extend(
        orphans(&pages, &sources)
            .iter()
            .map(|page| format!("{page}: no code leads here")),
    );
    hold("error pages", &complaints);
}

mod tests {
    use super::*;

    #[test]
    fn codes_are_told_from_other_literals() {
        for code in [
            "definition.missing",
            "parity.no-fingerprint",
            "run.x",
            "room.undefined",
        ] {
            assert!(is_code(code), "{code}");
        }
        for other in [
            "definition.",
            "parity",
            "runbook.md",
            "other.missing",
            "run.1",
            "a run.x",
        ] {
            assert!(!is_code(other), "{other}");
        }
    }

    #[test]
    fn a_code_without_a_page_is_a_complaint() {
        let text = "fn f() -> &'static str { \"parity.stale\" } // \"parity.missing\"\n\
                    const A: &str = \"room.waiver-expired\";\n#[cfg(test)]\nmod tests { const B: &str = \"run.x\"; }";
        let source = Source::new("crates/baton-core/src/gate.rs", text);
        let both = [
            "docs/errors/parity.stale.md",
            "docs/errors/waiver-expired.md",
        ]
        .map(str::to_owned);
        assert!(unexplained(&source, &both).is_empty());
        assert_eq!(unexplained(&source, &both[1..]).len(), 1);
        assert_eq!(unexplained(&source, &[]).len(), 2);
        assert!(orphans(&both, std::slice::from_ref(&source)).is_empty());
        let old = ["docs/errors/parity.old.md".to_owned()];
        assert_eq!(orphans(&old, &[source]), [&old[0]]);
    }

    #[test]
    fn pages_that_differ_are_complaints() {
        let good = format!(
            "# parity.stale\n\n{}\n\na\n\n{}\n\nb\n\n{}\n\nc\n",
            SECTIONS[0], SECTIONS[1], SECTIONS[2]
        );
        let path = "docs/errors/parity.stale.md";
        assert_eq!(badly_written(path, &good), Vec::<String>::new());
        let wide = format!("{good}{}\n", "x".repeat(COLUMNS_MAX + 1));
        let long = format!("{good}{}", "x\n".repeat(40));
        for bad in [
            good.replace("# parity.stale", "# parity.old"),
            good.replace("## Usual causes", "## Causes"),
            good.replace("\n\n", "\n"),
            wide,
            long,
        ] {
            assert_eq!(badly_written(path, &bad).len(), 1, "{bad}");
        }
        assert_eq!(badly_written("docs/errors/other.md", &good).len(), 2);
    }
}
