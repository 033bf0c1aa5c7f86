//! Configuration and other structured text, as paths and values.
//!
//! Promises that what means the same gives the same paths, whatever its
//! comments, its order of keys and its indentation; that the items of a list are
//! known by their name where they have one, so that one that is put in shifts
//! none behind it; and that any text gives paths or a reason, in bounded time,
//! depth and number. Values keep the text they were written in.

mod kinds;
mod lock;
mod plain;
mod xml;
mod yaml;

use std::collections::BTreeMap;

pub use kinds::kinds;

/// How deep structures may lie in each other.
pub(super) const DEPTH_MAX: usize = 64;
/// Most paths of one text: a longer one is data, not configuration.
pub const PATHS_MAX: usize = 20_000;

/// What kind of text it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// RFC 8259.
    Json,
    /// YAML 1.2, its first document.
    Yaml,
    /// TOML 1.0.
    Toml,
    /// Sections of `key = value`.
    Ini,
    /// Java's `key=value`, `key: value` or `key value`.
    Properties,
    /// `KEY=value` lines of a shell.
    Dotenv,
    /// XML 1.0; of Hadoop's `property` lists, name and value.
    Xml,
    /// `yarn.lock` of any version.
    YarnLock,
    /// `Gemfile.lock`.
    GemfileLock,
    /// `go.sum`.
    GoSum,
    /// `go.mod`.
    GoMod,
}

impl Format {
    /// The format of a file by its name; `None` for one that is no
    /// configuration we can read.
    pub fn of(path: &str) -> Option<Self> {
        let name = path.rsplit('/').next().unwrap_or(path);
        if name == ".env" || name.starts_with(".env.") || name.ends_with(".env") {
            return Some(Self::Dotenv);
        }
        let lock = match name {
            "yarn.lock" => Some(Self::YarnLock),
            "Gemfile.lock" => Some(Self::GemfileLock),
            "go.sum" => Some(Self::GoSum),
            "go.mod" => Some(Self::GoMod),
            _ => None,
        };
        if lock.is_some() {
            return lock;
        }
        let (_, extension) = name.rsplit_once('.')?;
        Some(match extension {
            "json" => Self::Json,
            "yaml" | "yml" => Self::Yaml,
            "toml" => Self::Toml,
            "ini" | "cfg" => Self::Ini,
            "properties" => Self::Properties,
            "xml" => Self::Xml,
            "lock" if name == "Cargo.lock" || name == "poetry.lock" || name == "uv.lock" => {
                Self::Toml
            }
            _ => return None,
        })
    }
}

/// A structure without order of keys.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Tree {
    Scalar(String),
    List(Vec<Self>),
    Map(BTreeMap<String, Self>),
}

/// The paths of a text with their values: `/db/port` is `5432`. A key's `/` and
/// `~` are written `~1` and `~0` (RFC 6901). An empty list or map has its own
/// path with `[]` or `{}`.
///
/// # Errors
/// A sentence on why it cannot be read, which quotes none of it.
pub fn paths(format: Format, text: &str) -> Result<Vec<(String, String)>, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let tree = match format {
        Format::Json => json(text)?,
        Format::Yaml => yaml::read(text)?,
        Format::Toml => toml(text)?,
        Format::Ini => plain::ini(text)?,
        Format::Properties => plain::properties(text),
        Format::Dotenv => plain::dotenv(text)?,
        Format::Xml => xml::read(text)?,
        Format::YarnLock => lock::yarn(text)?,
        Format::GemfileLock => lock::gem(text)?,
        Format::GoSum => lock::go_sum(text)?,
        Format::GoMod => lock::go_mod(text)?,
    };
    let mut found = Vec::new();
    match bill_of_materials(&tree) {
        Some(components) => found = components,
        None => flatten(&tree, String::new(), 0, &mut found)?,
    }
    Ok(found)
}

/// Which of these paths hold the values of a Kubernetes `Secret`, or a copy of
/// one as a text: nothing in their names says so.
pub fn secrets(paths: &[(String, String)]) -> Vec<bool> {
    let kinds = paths.iter().filter(|(_, value)| value == "Secret");
    let objects: Vec<&str> = kinds
        .filter_map(|(path, _)| path.strip_suffix("/kind"))
        .collect();
    let within = |path: &str| {
        objects.iter().any(|object| {
            let rest = path.strip_prefix(object).unwrap_or("");
            rest.starts_with("/data/") || rest.starts_with("/stringData/")
        })
    };
    let copy = |text: &str| text.contains("\"kind\":\"Secret\"");
    let found = paths
        .iter()
        .map(|(path, value)| within(path) || copy(value));
    found.collect()
}

fn json(text: &str) -> Result<Tree, String> {
    let value: serde_json::Value = serde_json::from_str(text).map_err(|error| no_json(&error))?;
    Ok(of_json(value))
}

/// Where it is broken; the error itself could quote it.
fn no_json(error: &serde_json::Error) -> String {
    format!(
        "no JSON at line {}, column {}",
        error.line(),
        error.column()
    )
}

/// The depth is bounded by serde_json, at 128.
fn of_json(value: serde_json::Value) -> Tree {
    match value {
        serde_json::Value::String(text) => Tree::Scalar(text),
        serde_json::Value::Array(items) => Tree::List(items.into_iter().map(of_json).collect()),
        serde_json::Value::Object(map) => {
            let map = map.into_iter().map(|(key, value)| (key, of_json(value)));
            Tree::Map(map.collect())
        }
        plain => Tree::Scalar(plain.to_string()),
    }
}

fn toml(text: &str) -> Result<Tree, String> {
    let table: toml::Table = toml::from_str(text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start));
        let line = before.map_or(1, |before| before.matches('\n').count() + 1);
        format!("no TOML at line {line}")
    })?;
    Ok(of_toml(toml::Value::Table(table)))
}

/// The depth is bounded by the parser, at 80.
fn of_toml(value: toml::Value) -> Tree {
    match value {
        toml::Value::String(text) => Tree::Scalar(text),
        toml::Value::Integer(number) => Tree::Scalar(number.to_string()),
        toml::Value::Float(number) => Tree::Scalar(number.to_string()),
        toml::Value::Boolean(is) => Tree::Scalar(is.to_string()),
        toml::Value::Datetime(at) => Tree::Scalar(at.to_string()),
        toml::Value::Array(items) => Tree::List(items.into_iter().map(of_toml).collect()),
        toml::Value::Table(table) => {
            let map = table.into_iter().map(|(key, value)| (key, of_toml(value)));
            Tree::Map(map.collect())
        }
    }
}

fn flatten(
    tree: &Tree,
    path: String,
    depth: usize,
    into: &mut Vec<(String, String)>,
) -> Result<(), String> {
    if depth > DEPTH_MAX {
        return Err(format!("more than {DEPTH_MAX} levels deep"));
    }
    if into.len() >= PATHS_MAX {
        return Err(format!("more than {PATHS_MAX} values"));
    }
    let of = |path: &str, key: &str| {
        let key = key.replace('~', "~0").replace('/', "~1");
        format!("{path}/{key}")
    };
    match tree {
        Tree::Scalar(text) => into.push((path, text.clone())),
        Tree::List(items) if items.is_empty() => into.push((path, "[]".to_owned())),
        Tree::Map(map) if map.is_empty() => into.push((path, "{}".to_owned())),
        Tree::List(items) => {
            let keys = keys_of(items);
            for (at, item) in items.iter().enumerate() {
                let key = keys
                    .as_ref()
                    .map_or_else(|| at.to_string(), |keys| keys[at].clone());
                flatten(item, of(&path, &key), depth + 1, into)?;
            }
        }
        Tree::Map(map) => {
            for (key, value) in map {
                flatten(value, of(&path, key), depth + 1, into)?;
            }
        }
    }
    Ok(())
}

/// By which key the items of a list are known, the first that all have and no
/// two share.
const IDENTITIES: [&str; 4] = ["name", "id", "key", "purl"];

fn keys_of(items: &[Tree]) -> Option<Vec<String>> {
    let text = |item: &Tree, key: &str| match item {
        Tree::Map(map) => match map.get(key) {
            Some(Tree::Scalar(text)) if !text.is_empty() => Some(text.clone()),
            _ => None,
        },
        _ => None,
    };
    let unique = |keys: Vec<String>| {
        let different: std::collections::BTreeSet<&String> = keys.iter().collect();
        (different.len() == keys.len()).then_some(keys)
    };
    let by = |key: &str| -> Option<Vec<String>> {
        unique(
            items
                .iter()
                .map(|item| text(item, key))
                .collect::<Option<_>>()?,
        )
    };
    let versioned = |item: &Tree| {
        Some(format!(
            "{}@{}",
            text(item, "name")?,
            text(item, "version")?
        ))
    };
    IDENTITIES
        .into_iter()
        .find_map(by)
        .or_else(|| unique(items.iter().map(versioned).collect::<Option<_>>()?))
}

/// The components of a CycloneDX or SPDX document with their versions: what the
/// two say beside that is who wrote it, when and how.
fn bill_of_materials(tree: &Tree) -> Option<Vec<(String, String)>> {
    let Tree::Map(map) = tree else { return None };
    let (list, version) = if matches!(map.get("bomFormat"), Some(Tree::Scalar(of)) if of == "CycloneDX")
    {
        ("components", "version")
    } else if map.contains_key("spdxVersion") {
        ("packages", "versionInfo")
    } else {
        return None;
    };
    let mut found = BTreeMap::new();
    let Some(Tree::List(items)) = map.get(list) else {
        return Some(Vec::new());
    };
    for item in items.iter().take(PATHS_MAX) {
        let Tree::Map(item) = item else { continue };
        let text = |key: &str| match item.get(key) {
            Some(Tree::Scalar(text)) => text.clone(),
            _ => String::new(),
        };
        let group = text("group");
        let name = if group.is_empty() {
            text("name")
        } else {
            format!("{group}/{}", text("name"))
        };
        let kind = text("purl");
        let kind = kind
            .strip_prefix("pkg:")
            .and_then(|purl| purl.split('/').next())
            .unwrap_or("");
        let path = format!("/{kind}:{}", name.replace('~', "~0").replace('/', "~1"));
        let versions: &mut Vec<String> = found.entry(path).or_default();
        versions.push(text(version));
    }
    let joined = found.into_iter().map(|(path, mut versions)| {
        versions.sort();
        versions.dedup();
        (path, versions.join(" "))
    });
    Some(joined.collect())
}

#[cfg(test)]
mod tests;
