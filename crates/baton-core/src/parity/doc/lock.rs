//! Lock files that are written in a format of their own: of yarn (version 1,
//! and the YAML of later ones), Bundler and Go, and Go's list of requirements.
//!
//! Promises that every package is known by its name, as long as the file has
//! only one of that name, else by name and version; that nothing a file says of
//! a package is left out; and that any text gives packages or the line at which
//! it is no such file, in time and space that grow with its length.
//!
//! Sources: `lockfile v1` as `@yarnpkg/lockfile` reads it, the manual of Bundler
//! (`Bundler::LockfileParser`), "go.mod file reference" and "go.sum files" of the
//! Go Modules Reference.

mod gem;
mod go;
mod yarn;

use std::collections::BTreeMap;

use super::Tree;

pub(super) use gem::read as gem;
pub(super) use go::{requirements as go_mod, sums as go_sum};
pub(super) use yarn::read as yarn;

/// What a file says of one package.
#[derive(Default)]
struct Package {
    name: String,
    version: String,
    /// What tells it from others of its name and version.
    beside: String,
    says: BTreeMap<String, Tree>,
}

/// The packages by the shortest of their names that no two share.
fn by_name(packages: Vec<Package>) -> Result<Tree, String> {
    let names: [fn(&Package) -> String; 3] = [
        |of| of.name.clone(),
        |of| format!("{}@{}", of.name, of.version),
        |of| format!("{}@{} {}", of.name, of.version, of.beside),
    ];
    let mut shared: BTreeMap<String, usize> = BTreeMap::new();
    for package in &packages {
        for name in names {
            *shared.entry(name(package)).or_default() += 1;
        }
    }
    let mut found = BTreeMap::new();
    for package in packages {
        let candidates = names.iter().map(|name| name(&package));
        let name = candidates.into_iter().find(|name| shared[name] == 1);
        // Which of two counts nobody could tell.
        let name = name.ok_or("the same package twice")?;
        let _new = found.insert(name, Tree::Map(package.says));
    }
    Ok(Tree::Map(found))
}

/// Several values of one key as one, whatever their order.
fn together(mut values: Vec<String>) -> Tree {
    values.sort();
    values.dedup();
    Tree::Scalar(values.join(", "))
}

fn scalar(text: impl Into<String>) -> Tree {
    Tree::Scalar(text.into())
}

/// How far a line is indented, and what stands there.
fn indented(line: &str) -> (usize, &str) {
    let rest = line.trim_start_matches(' ');
    (line.len() - rest.len(), rest.trim_end())
}

fn wrong(what: &str, at: usize) -> String {
    format!("no {what} at line {}", at + 1)
}

#[cfg(test)]
mod tests;
