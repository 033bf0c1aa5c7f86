//! `Gemfile.lock`: sections in capitals; those of a source list its gems, each
//! with what it needs, and the others say what is asked for.

use std::collections::BTreeMap;

use super::super::Tree;
use super::{Package, by_name, indented, scalar, together, wrong};

const WHAT: &str = "Gemfile.lock";

/// Sections of a source of gems.
const SOURCES: [&str; 4] = ["GEM", "GIT", "PATH", "PLUGIN SOURCE"];

#[derive(Default)]
struct Lock {
    packages: Vec<Package>,
    /// Of each section that is no source, what it says of whom.
    sections: BTreeMap<String, BTreeMap<String, Vec<String>>>,
}

/// Reads one.
pub(crate) fn read(text: &str) -> Result<Tree, String> {
    let mut lock = Lock::default();
    let mut section = "";
    let mut source = String::new();
    for (at, line) in text.lines().enumerate() {
        let trouble = || wrong(WHAT, at);
        let (depth, rest) = indented(line);
        if rest.is_empty() {
            continue;
        }
        let of_source = SOURCES.contains(&section);
        match depth {
            0 => {
                let capitals = rest.bytes().all(|b| b.is_ascii_uppercase() || b == b' ');
                section = capitals.then_some(rest).ok_or_else(trouble)?;
                source = section.to_owned();
            }
            2 if of_source && rest == "specs:" => {}
            2 if of_source => {
                source.push_str(", ");
                source.push_str(rest);
            }
            4 if of_source => {
                let (name, version) = named(rest);
                let from = ("from".to_owned(), scalar(&source));
                let is = ("version".to_owned(), scalar(version));
                lock.packages.push(Package {
                    name: name.to_owned(),
                    version: version.to_owned(),
                    beside: source.clone(),
                    says: [from, is].into(),
                });
            }
            6 if of_source => {
                let package = lock.packages.last_mut().ok_or_else(trouble)?;
                let (name, range) = named(rest);
                let needs = package.says.entry("needs".to_owned());
                let Tree::Map(needs) = needs.or_insert_with(|| Tree::Map(BTreeMap::new())) else {
                    return Err(trouble());
                };
                if needs.insert(name.to_owned(), scalar(range)).is_some() {
                    return Err(trouble());
                }
            }
            2 | 3 if !section.is_empty() => {
                let key = section.to_ascii_lowercase();
                let (name, range) = match section {
                    "DEPENDENCIES" | "CHECKSUMS" => named(rest),
                    _ => (rest, ""),
                };
                let section = lock.sections.entry(key).or_default();
                let said = section.entry(name.to_owned()).or_default();
                said.push(range.to_owned());
            }
            _ => return Err(trouble()),
        }
    }
    finish(lock)
}

/// `NAME (SAYS) MORE` without its brackets.
fn named(text: &str) -> (&str, &str) {
    let (name, says) = text.split_once(' ').unwrap_or((text, ""));
    let whole = says.strip_prefix('(').and_then(|s| s.strip_suffix(')'));
    (name, whole.unwrap_or(says))
}

fn finish(mut lock: Lock) -> Result<Tree, String> {
    let mut root = BTreeMap::new();
    let sums = lock.sections.remove("checksums");
    if let Some(sums) = sums {
        let sums = sums.into_iter().map(|(name, of)| (name, together(of)));
        let _new = root.insert("checksum".to_owned(), Tree::Map(sums.collect()));
    }
    if let Some(asked) = lock.sections.remove("dependencies") {
        let asked = asked.into_iter().map(|(name, of)| (name, together(of)));
        let _new = root.insert("dependencies".to_owned(), Tree::Map(asked.collect()));
    }
    for (key, lines) in lock.sections {
        let lines = lines.into_keys().collect();
        let _new = root.insert(key, together(lines));
    }
    let _new = root.insert("package".to_owned(), by_name(lock.packages)?);
    Ok(Tree::Map(root))
}
