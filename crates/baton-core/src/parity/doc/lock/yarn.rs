//! `yarn.lock`. Each entry is headed by what asked for it, `NAME@RANGE`, one or
//! several; these ranges become the package's `for`.

use std::collections::BTreeMap;

use super::super::{Tree, yaml};
use super::{Package, by_name, indented, scalar, together, wrong};

const WHAT: &str = "yarn.lock";

/// Reads one of any version.
pub(crate) fn read(text: &str) -> Result<Tree, String> {
    let later = text.lines().any(|line| line.starts_with("__metadata:"));
    let mut root = BTreeMap::new();
    let packages = if later {
        later_entries(text, &mut root)?
    } else {
        entries(text)?
    };
    let _new = root.insert("package".to_owned(), by_name(packages)?);
    Ok(Tree::Map(root))
}

/// The YAML of yarn 2 and later.
fn later_entries(text: &str, root: &mut BTreeMap<String, Tree>) -> Result<Vec<Package>, String> {
    let Tree::Map(entries) = yaml::read(text)? else {
        return Err(wrong(WHAT, 0));
    };
    let mut packages = Vec::new();
    for (key, entry) in entries {
        match entry {
            Tree::Map(says) if key != "__metadata" => {
                let asks = key.split(", ").map(str::to_owned).collect();
                packages.push(package(asks, says).ok_or_else(|| wrong(WHAT, 0))?);
            }
            entry => {
                let _new = root.insert(key, entry);
            }
        }
    }
    Ok(packages)
}

/// The format of yarn 1: entries, what they say, and the maps in that, each
/// indented by two more.
fn entries(text: &str) -> Result<Vec<Package>, String> {
    let mut packages = Vec::new();
    let mut open: Option<(Vec<String>, BTreeMap<String, Tree>)> = None;
    let mut map: Option<String> = None;
    let close = |open: Option<(Vec<String>, BTreeMap<String, Tree>)>, at| match open {
        Some((asks, says)) => package(asks, says).map(Some).ok_or_else(|| wrong(WHAT, at)),
        None => Ok(None),
    };
    for (at, line) in text.lines().enumerate() {
        let (depth, rest) = indented(line);
        if rest.is_empty() || rest.starts_with('#') {
            continue;
        }
        let trouble = || wrong(WHAT, at);
        match depth {
            0 => {
                packages.extend(close(open.take(), at)?);
                let asks = rest.strip_suffix(':').and_then(asks).ok_or_else(trouble)?;
                open = Some((asks, BTreeMap::new()));
                map = None;
            }
            2 => {
                let (_, says) = open.as_mut().ok_or_else(trouble)?;
                let (key, rest) = token(rest).ok_or_else(trouble)?;
                map = (rest == ":").then(|| key.clone());
                let value = match &map {
                    Some(_) => Tree::Map(BTreeMap::new()),
                    None => scalar(value(rest).ok_or_else(trouble)?),
                };
                let twice = says.insert(key, value).is_some();
                if twice {
                    return Err(trouble());
                }
            }
            4 => {
                let (_, says) = open.as_mut().ok_or_else(trouble)?;
                let map = map.as_ref().and_then(|map| says.get_mut(map));
                let Some(Tree::Map(map)) = map else {
                    return Err(trouble());
                };
                let (key, rest) = token(rest).ok_or_else(trouble)?;
                let value = value(rest).ok_or_else(trouble)?;
                if map.insert(key, scalar(value)).is_some() {
                    return Err(trouble());
                }
            }
            _ => return Err(trouble()),
        }
    }
    let last = text.lines().count().saturating_sub(1);
    packages.extend(close(open, last)?);
    Ok(packages)
}

/// One package of what asked for it; all of these have one name.
fn package(asks: Vec<String>, mut says: BTreeMap<String, Tree>) -> Option<Package> {
    let mut name = None;
    let mut ranges = Vec::new();
    for ask in asks {
        // A scope begins with an `@` of its own.
        let at = ask.char_indices().skip(1).find(|(_, c)| *c == '@');
        let (of, range) = ask.split_at(at.map_or(ask.len(), |(at, _)| at));
        if name.get_or_insert_with(|| of.to_owned()) != of {
            return None;
        }
        ranges.push(range.strip_prefix('@').unwrap_or("").to_owned());
    }
    let version = match says.get("version") {
        Some(Tree::Scalar(version)) => version.clone(),
        _ => String::new(),
    };
    let asked = together(ranges);
    let Tree::Scalar(beside) = &asked else {
        return None;
    };
    let beside = beside.clone();
    if says.insert("for".to_owned(), asked).is_some() {
        return None;
    }
    Some(Package {
        name: name?,
        version,
        beside,
        says,
    })
}

/// The head of an entry without its colon, which parts by commas.
fn asks(mut rest: &str) -> Option<Vec<String>> {
    let mut asks = Vec::new();
    loop {
        let (ask, after) = match rest.starts_with('"') {
            true => token(rest)?,
            false => {
                let end = rest.find(',').unwrap_or(rest.len());
                (rest[..end].to_owned(), &rest[end..])
            }
        };
        if ask.is_empty() {
            return None;
        }
        asks.push(ask);
        match after.strip_prefix(", ") {
            Some(more) => rest = more,
            None => return after.is_empty().then_some(asks),
        }
    }
}

/// A word, or a text in quotes as JSON has it, and what follows it.
fn token(text: &str) -> Option<(String, &str)> {
    if text.starts_with('"') {
        let mut words = serde_json::Deserializer::from_str(text).into_iter::<String>();
        let word = words.next()?.ok()?;
        return Some((word, &text[words.byte_offset()..]));
    }
    let end = text.find([' ', ':']).unwrap_or(text.len());
    (end > 0).then(|| (text[..end].to_owned(), &text[end..]))
}

/// The value behind a key.
fn value(rest: &str) -> Option<String> {
    let rest = rest.strip_prefix(' ')?;
    if !rest.starts_with('"') {
        return (!rest.is_empty()).then(|| rest.to_owned());
    }
    let (value, after) = token(rest)?;
    after.is_empty().then_some(value)
}
