//! No file names a machine it was written on, nor where packages came from.

use crate::hold;
use crate::source::{files, read, root};

/// Folders of somebody's machine. Written in two halves, so that this file holds none.
const FOLDERS: [&str; 4] = [
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
    concat!("/Use", "rs/"),
    concat!("/wo", "rk/"),
];

/// Addresses and settings of package registries and their mirrors.
const REGISTRIES: [&str; 8] = [
    concat!("registry", "+http"),
    concat!("sparse", "+http"),
    concat!("index.crates", ".io"),
    concat!("replace", "-with"),
    concat!("[regis", "tries"),
    concat!("registry.np", "mjs"),
    concat!("proxy.go", "lang"),
    concat!("pypi", ".org/simple"),
];

/// The one line of a lock file that says a package is the well-known one.
const STANDARD: &str = concat!(
    "source = \"registry",
    "+https://github.com/rust-lang/crates.io-index\""
);

fn complaints(path: &str, text: &str, here: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let standard = path.ends_with("Cargo.lock") && line == STANDARD;
        let folder = FOLDERS.iter().any(|folder| names(line, folder))
            || here.iter().any(|folder| line.contains(folder));
        if folder {
            found.push(format!("{path}:{}: names a folder of a machine", at + 1));
        }
        if !standard && REGISTRIES.iter().any(|address| line.contains(address)) {
            found.push(format!("{path}:{}: names a package registry", at + 1));
        }
    }
    found
}

/// Whether a path in `line` begins with `folder`: not `a/root/b`, not `~/work/b`.
fn names(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || "_-.~$}*".contains(c))
    })
}

/// The folders of this very machine that would be told by a careless paste.
fn here() -> Vec<String> {
    let home = std::env::var("HOME").unwrap_or_default();
    let folders = [root().to_string_lossy().into_owned(), home];
    // A home of `/` or a checkout in `/src` says nothing about anyone.
    folders
        .into_iter()
        .filter(|folder| folder.len() > 5)
        .collect()
}

#[test]
fn no_file_names_a_machine_or_a_registry() {
    let here = here();
    // Public captures name the folders of the throw-away machines they are of.
    let recorded = |path: &&String| path.starts_with("bench/parity/data/");
    let found: Vec<String> = files()
        .iter()
        .filter(|path| !recorded(path))
        .flat_map(|path| complaints(path, &read(path), &here))
        .collect();
    hold("machines and registries", &found);
}

mod tests {
    use super::*;

    #[test]
    fn machines_and_registries_are_complaints() {
        let bad = FOLDERS.iter().map(|folder| format!("see {folder}x"));
        let registries = REGISTRIES
            .iter()
            .map(|address| format!("\"{address}s://x\""));
        for line in bad
            .chain(registries)
            .chain(["/opt/build/baton/x".to_owned()])
        {
            let here = ["/opt/build/baton".to_owned()];
            assert_eq!(complaints("a.md", &line, &here).len(), 1, "{line}");
        }
        assert_eq!(complaints("a.toml", STANDARD, &[]).len(), 1);
    }

    #[test]
    fn ordinary_lines_are_not() {
        assert!(complaints("Cargo.lock", STANDARD, &[]).is_empty());
        for line in [
            "src/work/a",
            "~/work/a",
            "$HOME/work/",
            "/srv/shop",
            "https://docs.rs/x",
        ] {
            assert!(complaints("a.md", line, &[]).is_empty(), "{line}");
        }
    }
}
