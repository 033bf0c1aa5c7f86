//! Arrows between the modules of the core, read from the paths its code names
//! (`crate::x`, `super::x` that reaches the root). Test code may use more.

use crate::hold;
use crate::source::{Source, ident, is_ident, line_of, rust_under, words};

const CORE: &str = "crates/baton-core/src/";

/// The one place: each module of the core, and what it may use beside itself.
/// The gate and a run never see each other: a verdict reaches a run as an event.
const MAY_USE: [(&str, &[&str]); 13] = [
    ("id", &[]),
    ("diag", &["id"]),
    ("time", &["id", "diag"]),
    ("parity", &["id", "diag", "time"]),
    ("watch", &["id", "diag", "time"]),
    ("forecast", &["id", "diag", "time"]),
    ("handoff", &["id", "diag", "time", "parity", "watch"]),
    (
        "event",
        &["id", "diag", "time", "handoff", "parity", "watch"],
    ),
    // Folds read entries: an entry is an event with its place and its author.
    ("ledger", &["id", "time", "event"]),
    (
        "run",
        &[
            "id", "diag", "time", "handoff", "parity", "watch", "event", "ledger",
        ],
    ),
    (
        "review",
        &[
            "id", "diag", "time", "handoff", "parity", "watch", "event", "ledger",
        ],
    ),
    (
        "gate",
        &[
            "id", "diag", "time", "handoff", "parity", "watch", "event", "ledger", "forecast",
        ],
    ),
    // What is told outside is what the room says of a run, and whom it waits for.
    (
        "bridge",
        &[
            "id", "diag", "time", "handoff", "watch", "event", "ledger", "run", "review",
        ],
    ),
];

/// Names that directly follow `root::` in paths and use trees, with their lines.
pub(crate) fn named_under(code: &str, root: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for at in words(code, root) {
        if let Some(rest) = after_colons(&code[at + root.len()..]) {
            found.extend(
                heads(rest)
                    .into_iter()
                    .map(|name| (line_of(code, at), name.to_owned())),
            );
        }
    }
    found
}

/// The same for `super::super::x`, where it climbs exactly `depth` modules.
fn named_above(code: &str, depth: usize) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for at in words(code, "super") {
        if code[..at].trim_end().ends_with("::") {
            continue;
        }
        let mut rest = &code[at..];
        let mut climbed = 0;
        while let Some(next) = rest
            .trim_start()
            .strip_prefix("super")
            .and_then(after_colons)
        {
            (rest, climbed) = (next, climbed + 1);
        }
        if climbed == depth {
            found.extend(
                heads(rest)
                    .into_iter()
                    .map(|name| (line_of(code, at), name.to_owned())),
            );
        }
    }
    found
}

fn after_colons(code: &str) -> Option<&str> {
    code.trim_start().strip_prefix("::")
}

/// The first name of a path, or of each branch of a `{...}` tree.
fn heads(path: &str) -> Vec<&str> {
    let path = path.trim_start();
    let Some(tree) = path.strip_prefix('{') else {
        return Some(ident(path))
            .filter(|name| !name.is_empty())
            .into_iter()
            .collect();
    };
    let mut names = Vec::new();
    let (mut depth, mut start) = (0, 0);
    for (at, c) in tree.char_indices() {
        let ends = depth == 0 && (c == ',' || c == '}');
        if ends {
            names.push(ident(&tree[start..at]));
            start = at + 1;
        }
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            _ => {}
        }
    }
    names.retain(|name| !name.is_empty() && *name != "self");
    names
}

fn forbidden(source: &Source) -> Vec<String> {
    let Some(inside) = source
        .path
        .strip_prefix(CORE)
        .and_then(|path| path.strip_suffix(".rs"))
    else {
        return Vec::new();
    };
    let inside = inside.strip_suffix("/mod").unwrap_or(inside);
    let module = ident(inside);
    if module == "lib" {
        return Vec::new();
    }
    let row = |name: &str| MAY_USE.iter().find(|(known, _)| *known == name);
    let Some((_, may_use)) = row(module) else {
        return vec![format!(
            "{}: module {module} has no row in the table",
            source.path
        )];
    };
    let code = source.product_code();
    let mut used = named_under(&code, "crate");
    used.extend(named_above(&code, inside.split('/').count()));
    used.retain(|(_, name)| name != module && !may_use.contains(&name.as_str()));
    used.iter()
        .map(|(line, name)| match row(name) {
            Some(_) => format!("{}:{line}: {module} -> {name} is no arrow", source.path),
            None if name.starts_with(is_ident) => {
                format!(
                    "{}:{line}: crate::{name} is no module of the table",
                    source.path
                )
            }
            None => format!("{}:{line}: a path that cannot be read", source.path),
        })
        .collect()
}

#[test]
fn modules_of_the_core_keep_their_arrows() {
    let complaints: Vec<String> = rust_under(CORE).iter().flat_map(forbidden).collect();
    hold("arrows inside the core", &complaints);
}

#[test]
fn the_table_has_no_circle_and_keeps_gate_and_run_apart() {
    for (at, (module, may_use)) in MAY_USE.iter().enumerate() {
        for used in *may_use {
            let earlier = MAY_USE[..at].iter().any(|(known, _)| known == used);
            assert!(earlier, "{module} -> {used}: rows only use rows above them");
        }
        assert!(!may_use.contains(&"gate"), "{module}");
        assert!(!may_use.contains(&"run") || *module == "bridge", "{module}");
    }
}

mod tests {
    use super::*;

    fn complaints(path: &str, text: &str) -> Vec<String> {
        forbidden(&Source::new(&format!("{CORE}{path}"), text))
    }

    #[test]
    fn forbidden_paths_are_found_however_they_are_written() {
        for text in [
            "use crate::run::State;",
            "use crate::{id::Handle, run::{next, State}};",
            "use crate::{\n    id::{A, B},\n    run,\n};",
            "fn f() { crate::run::apply() }",
            "fn f() { crate :: run :: apply() }",
            "use super::run::State;",
            "macro_rules! m { () => { $crate::run::apply() } }",
        ] {
            assert_eq!(complaints("gate.rs", text).len(), 1, "{text}");
        }
        assert_eq!(
            complaints("gate/room.rs", "use super::super::run::State;").len(),
            1
        );
        assert_eq!(complaints("gate/mod.rs", "use super::{run, id};").len(), 1);
        assert_eq!(
            complaints("run/next.rs", "use crate::gate::Verdict;").len(),
            1
        );
    }

    #[test]
    fn allowed_paths_are_not() {
        assert!(complaints("gate.rs", "use crate::{event::Event, gate::room, id};").is_empty());
        assert!(complaints("gate/room.rs", "use super::run; use crate::diag::Note;").is_empty());
        assert!(complaints("gate.rs", "// crate::run\nconst A: &str = \"crate::run\";").is_empty());
        let tested = "#[cfg(test)]\nmod tests { use crate::run::State; }";
        assert!(complaints("gate.rs", tested).is_empty());
    }

    #[test]
    fn what_has_no_row_is_named() {
        assert!(complaints("clever.rs", "")[0].contains("clever has no row"));
        assert!(complaints("gate.rs", "use crate::Verdict;")[0].contains("no module"));
    }
}
