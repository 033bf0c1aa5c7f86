//! `go.sum` and `go.mod`.

use std::collections::BTreeMap;

use super::super::Tree;
use super::{Package, by_name, scalar, together, wrong};

/// Directives that say something of a name each; of the others only the values count.
const NAMED: [&str; 4] = ["require", "replace", "exclude", "godebug"];

/// Reads a `go.sum`: lines of module, version and sum. The sum of a module's
/// `go.mod` alone is told apart from that of its files.
pub(crate) fn sums(text: &str) -> Result<Tree, String> {
    let mut found: BTreeMap<(String, String), BTreeMap<&str, Vec<String>>> = BTreeMap::new();
    for (at, line) in text.lines().enumerate() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [module, version, sum] = words.as_slice() else {
            if words.is_empty() {
                continue;
            }
            return Err(wrong("go.sum", at));
        };
        let (version, of) = match version.strip_suffix("/go.mod") {
            Some(version) => (version, "go.mod"),
            None => (*version, "sum"),
        };
        let package = found.entry(((*module).to_owned(), version.to_owned()));
        let sums = package.or_default().entry(of).or_default();
        sums.push((*sum).to_owned());
    }
    let packages = found.into_iter().map(|((name, version), sums)| {
        let sums = sums
            .into_iter()
            .map(|(of, sums)| (of.to_owned(), together(sums)));
        let mut says: BTreeMap<String, Tree> = sums.collect();
        let _new = says.insert("version".to_owned(), scalar(&version));
        Package {
            name,
            version,
            says,
            beside: String::new(),
        }
    });
    let packages = by_name(packages.collect())?;
    Ok(Tree::Map([("package".to_owned(), packages)].into()))
}

/// Reads a `go.mod`: directives, each on a line or several in brackets.
pub(crate) fn requirements(text: &str) -> Result<Tree, String> {
    let mut found: BTreeMap<String, BTreeMap<String, Vec<String>>> = BTreeMap::new();
    let mut block: Option<String> = None;
    for (at, line) in text.lines().enumerate() {
        let words = words(line).ok_or_else(|| wrong("go.mod", at))?;
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let (verb, rest) = match (&block, words.as_slice()) {
            (_, []) => continue,
            (Some(_), [")"]) => {
                block = None;
                continue;
            }
            (Some(verb), rest) => (verb.as_str(), rest),
            (None, [verb, "("]) => {
                block = Some((*verb).to_owned());
                continue;
            }
            (None, [verb, rest @ ..]) if !rest.is_empty() => (*verb, rest),
            _ => return Err(wrong("go.mod", at)),
        };
        let (name, value) = split(verb, rest);
        let of = found.entry(verb.to_owned()).or_default();
        of.entry(name).or_default().push(value);
    }
    if block.is_some() {
        return Err(wrong("go.mod", text.lines().count().saturating_sub(1)));
    }
    let found = found.into_iter().map(|(verb, says)| {
        let tree = if NAMED.contains(&verb.as_str()) {
            let says = says
                .into_iter()
                .map(|(name, values)| (name, together(values)));
            Tree::Map(says.collect())
        } else {
            together(says.into_keys().collect())
        };
        (verb, tree)
    });
    Ok(Tree::Map(found.collect()))
}

/// Whom a directive is about, and what it says of it.
fn split(verb: &str, words: &[&str]) -> (String, String) {
    let parted = match verb {
        "replace" => words
            .iter()
            .position(|word| *word == "=>")
            .map(|at| (at, at + 1)),
        "require" | "exclude" => Some((1, 1)),
        _ => None,
    };
    let joined = words.join(" ");
    match (parted, joined.split_once('=')) {
        (Some((end, then)), _) => (
            words[..end.min(words.len())].join(" "),
            words.get(then..).unwrap_or_default().join(" "),
        ),
        (None, Some((key, value))) if verb == "godebug" => (key.to_owned(), value.to_owned()),
        _ => (joined, String::new()),
    }
}

/// The words of a line, without its comment; a text in quotes is one. `None`
/// where quotes are left open.
fn words(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() && !rest.starts_with("//") {
        let quote = rest.chars().next().filter(|c| matches!(c, '"' | '`'));
        let (word, after) = match quote {
            Some(quote) => rest[1..].split_once(quote)?,
            None => rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len())),
        };
        words.push(word.to_owned());
        rest = after.trim_start();
    }
    Some(words)
}
