//! Formats of lines: INI, Java properties, files of shell variables.

use std::collections::BTreeMap;

use super::Tree;

/// Sections of `key = value` or `key: value`; `;` and `#` begin a comment line,
/// an indented line goes on with the value before it. Keys before the first
/// section stand at the top.
pub(super) fn ini(text: &str) -> Result<Tree, String> {
    let mut root = BTreeMap::new();
    let mut section: Option<String> = None;
    let mut last: Option<String> = None;
    for (at, line) in text.lines().enumerate() {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with([';', '#']) {
            continue;
        }
        if let Some(name) = trimmed.strip_prefix('[') {
            let name = name.strip_suffix(']');
            section = Some(name.ok_or_else(|| wrong("INI", at))?.trim().to_owned());
            last = None;
            continue;
        }
        let map = match &section {
            None => &mut root,
            Some(name) => match root
                .entry(name.clone())
                .or_insert_with(|| Tree::Map(BTreeMap::new()))
            {
                Tree::Map(map) => map,
                _ => return Err(wrong("INI", at)),
            },
        };
        if line.starts_with([' ', '\t'])
            && let Some(Tree::Scalar(value)) = last.as_ref().and_then(|key| map.get_mut(key))
        {
            value.push('\n');
            value.push_str(trimmed);
            continue;
        }
        let (key, value) = trimmed.split_once(['=', ':']).unwrap_or((trimmed, ""));
        let _before = map.insert(key.trim().to_owned(), Tree::Scalar(value.trim().to_owned()));
        last = Some(key.trim().to_owned());
    }
    Ok(Tree::Map(root))
}

/// `java.util.Properties`: `#` and `!` begin a comment, a backslash at the end
/// goes on with the next line, key and value are parted by `=`, `:` or blanks.
pub(super) fn properties(text: &str) -> Tree {
    let mut map = BTreeMap::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let mut line = line.trim_start().to_owned();
        if line.is_empty() || line.starts_with(['#', '!']) {
            continue;
        }
        while line.ends_with('\\') && !line.ends_with("\\\\") {
            line.pop();
            line.push_str(lines.next().unwrap_or("").trim_start());
        }
        let end = line.find(['=', ':', ' ', '\t']).unwrap_or(line.len());
        let (key, rest) = line.split_at(end);
        let value = rest.trim_start();
        let value = value.strip_prefix(['=', ':']).unwrap_or(value).trim();
        let _before = map.insert(key.to_owned(), Tree::Scalar(value.to_owned()));
    }
    Tree::Map(map)
}

/// `KEY=value`, `export KEY="value"`; what a shell would put in for `$NAME` is
/// not put in.
pub(super) fn dotenv(text: &str) -> Result<Tree, String> {
    let mut map = BTreeMap::new();
    let mut lines = text.lines().enumerate();
    while let Some((at, line)) = lines.next() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let line = line.strip_prefix("export ").unwrap_or(line);
        let (key, value) = line
            .split_once('=')
            .ok_or_else(|| wrong("list of variables", at))?;
        let mut value = value.trim().to_owned();
        if let Some(quote) = value.chars().next().filter(|c| matches!(c, '"' | '\'')) {
            while value.len() == 1 || !value.ends_with(quote) {
                let Some((_, more)) = lines.next() else { break };
                value.push('\n');
                value.push_str(more);
            }
            let inner = value.strip_prefix(quote).unwrap_or(&value);
            value = inner.strip_suffix(quote).unwrap_or(inner).to_owned();
        } else if let Some((before, _)) = value.split_once(" #") {
            value = before.trim_end().to_owned();
        }
        let _before = map.insert(key.trim().to_owned(), Tree::Scalar(value));
    }
    Ok(Tree::Map(map))
}

fn wrong(what: &str, at: usize) -> String {
    format!("no {what} at line {}", at + 1)
}
