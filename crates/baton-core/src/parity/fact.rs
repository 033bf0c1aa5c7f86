//! A fact: one thing that is so on one host, under a name of its own.
//!
//! Promises that no two things of a host share a name, whatever their files are
//! called, and that a name or a value can be printed without harm. How facts
//! are read from a host is the engine's work.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::diag::misleads;
use crate::id::Digest;
use crate::parity::matcher::{Paths, Pattern};
use crate::parity::secret::KeyedHash;

/// What the contract asks to be read on every host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Collector {
    /// The operating system: its release, kernel and architecture.
    Os,
    /// The installed packages.
    Packages,
    /// Interpreters, compilers and libraries by version.
    Runtimes,
    /// The settings of the kernel.
    Sysctl,
    /// What a process may use, and what the machine has.
    Limits,
    /// Language of messages and sorting.
    Locale,
    /// Time zone and how far the clock is off.
    Time,
    /// Users and groups.
    Users,
    /// Units of systemd, and what cron starts.
    Services,
    /// What listens on which port.
    Listeners,
    /// File systems and how they are mounted.
    Mounts,
    /// How names are resolved.
    Resolver,
    /// Whether the paths, hosts and ports that configuration names are there.
    References,
    /// The variables a step would see.
    Env {
        /// Patterns of their names, as [`Pattern`] reads them.
        names: Vec<String>,
    },
    /// Files in the host's folder.
    Files {
        /// Globs relative to the folder, as [`Paths`] reads them.
        paths: Vec<String>,
    },
    /// What a command prints.
    Command {
        /// The subject of its fact.
        id: String,
        /// Run as `sh -ec` in the host's folder.
        run: String,
    },
    /// The schema, settings and migrations of an SQLite database.
    Sqlite {
        /// Its file.
        path: String,
        /// Tables whose rows are counted and summed up.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        data: Vec<String>,
    },
    /// The schema, settings, extensions, roles and migrations of a PostgreSQL
    /// database, read from where Baton runs.
    Postgres {
        /// Its address, `postgres://…`.
        url: String,
        /// Tables whose rows are counted and summed up.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        data: Vec<String>,
    },
    /// What an address answers, and its certificate, read from where Baton runs.
    Http {
        /// The subject of its facts.
        id: String,
        /// `http://…` or `https://…`.
        url: String,
    },
    /// Whether names are known to the host, and how many addresses they have.
    Dns {
        /// The names.
        names: Vec<String>,
    },
    /// A process that runs on the host: its variables, limits and user.
    Process {
        /// Its name, as the kernel has it, or the path of a file with its number.
        name: String,
        /// Patterns of the variables that are read, as [`Pattern`] reads them.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        env: Vec<String>,
    },
}

impl Collector {
    /// Those that a contract asks for by a word alone.
    pub const WORDS: [Self; 13] = [
        Self::Os,
        Self::Packages,
        Self::Runtimes,
        Self::Sysctl,
        Self::Limits,
        Self::Locale,
        Self::Time,
        Self::Users,
        Self::Services,
        Self::Listeners,
        Self::Mounts,
        Self::Resolver,
        Self::References,
    ];

    /// The collector that this word asks for.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::WORDS.into_iter().find(|of| of.layer() == word)
    }

    /// The layer its facts stand in: the word before the colon of their names.
    pub fn layer(&self) -> &'static str {
        match self {
            Self::Os => "os",
            Self::Packages => "packages",
            Self::Runtimes => "runtimes",
            Self::Sysctl => "sysctl",
            Self::Limits => "limits",
            Self::Locale => "locale",
            Self::Time => "time",
            Self::Users => "users",
            Self::Services => "services",
            Self::Listeners => "listeners",
            Self::Mounts => "mounts",
            Self::Resolver => "resolver",
            Self::References => "references",
            Self::Env { .. } => "env",
            Self::Files { .. } => "files",
            Self::Command { .. } => "command",
            Self::Sqlite { .. } => "sqlite",
            Self::Postgres { .. } => "postgres",
            Self::Http { .. } => "http",
            Self::Dns { .. } => "dns",
            Self::Process { .. } => "process",
        }
    }

    /// Whether it is read from where Baton runs, and not on the host.
    pub fn is_from_here(&self) -> bool {
        matches!(self, Self::Postgres { .. } | Self::Http { .. })
    }

    /// The same, its texts changed where the variables of a contract may stand.
    /// Those of a command and of variables are the shell's and the collector's.
    #[must_use]
    pub fn filled(&self, fill: impl Fn(&String) -> String) -> Self {
        let all = |texts: &[String]| texts.iter().map(&fill).collect();
        match self {
            Self::Files { paths } => Self::Files { paths: all(paths) },
            Self::Sqlite { path, data } => Self::Sqlite {
                path: fill(path),
                data: data.clone(),
            },
            Self::Postgres { url, data } => Self::Postgres {
                url: fill(url),
                data: data.clone(),
            },
            Self::Http { id, url } => Self::Http {
                id: id.clone(),
                url: fill(url),
            },
            Self::Dns { names } => Self::Dns { names: all(names) },
            Self::Process { name, env } => Self::Process {
                name: fill(name),
                env: env.clone(),
            },
            other => other.clone(),
        }
    }

    /// Whether it can be carried out as it is written.
    ///
    /// # Errors
    /// A sentence that names the pattern, path or id that cannot be used.
    pub fn check(&self) -> Result<(), String> {
        match self {
            Self::Env { names } if names.is_empty() => Err("names no variables".to_owned()),
            Self::Env { names } => names
                .iter()
                .try_for_each(|name| Pattern::new(name).map(|_| ())),
            Self::Files { paths } => Paths::new(paths).map(|_| ()),
            Self::Command { id, .. } if id.is_empty() => Err("a command needs an id".to_owned()),
            Self::Http { id, .. } if id.is_empty() => Err("an address needs an id".to_owned()),
            Self::Dns { names } if names.is_empty() => Err("names no hosts".to_owned()),
            Self::Dns { names } => names.iter().try_for_each(|name| host_name(name)),
            Self::Process { name, .. } if name.is_empty() => {
                Err("a process needs a name".to_owned())
            }
            Self::Process { env, .. } => env
                .iter()
                .try_for_each(|name| Pattern::new(name).map(|_| ())),
            _ => Ok(()),
        }
    }
}

/// A name that may be looked up; one that starts with a dash would be taken for
/// an option of the tool that looks it up.
fn host_name(name: &str) -> Result<(), String> {
    let odd = |c: char| c.is_whitespace() || c.is_control();
    if name.is_empty() || name.starts_with('-') || name.contains(odd) {
        return Err(format!("{name:?} is no name of a host"));
    }
    Ok(())
}

/// The name of a fact: `LAYER:SUBJECT` or `LAYER:SUBJECT#ATTRIBUTE`.
///
/// In the subject `#`, `%`, control and direction-changing characters and
/// bytes that are not UTF-8 are written `%XX`, so that a file named `a#mode`
/// is not taken for the mode of `a`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FactName(String);

impl FactName {
    /// The name of a thing itself; `subject` is taken as it is and escaped.
    pub fn new(layer: &str, subject: impl AsRef<[u8]>) -> Self {
        let mut name = format!("{layer}:");
        escape(subject.as_ref(), &mut name);
        Self(name)
    }

    /// A name as it stands in a stored fingerprint, which was made by [`Self::new`].
    pub(super) fn of_line(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The name of one attribute of this thing, which is escaped as a subject
    /// is; replaces an attribute it has.
    #[must_use]
    pub fn attribute(&self, attribute: &str) -> Self {
        let mut name = format!("{}#", self.thing());
        escape(attribute.as_bytes(), &mut name);
        Self(name)
    }

    /// The attribute, if it is about one.
    pub fn attribute_name(&self) -> Option<&str> {
        self.0.split_once('#').map(|(_, attribute)| attribute)
    }

    /// The word before the colon: which collector read it.
    pub fn layer(&self) -> &str {
        self.0.split_once(':').map_or("", |(layer, _)| layer)
    }

    /// The name without its attribute: the thing the fact is about.
    pub fn thing(&self) -> &str {
        self.0.split_once('#').map_or(&self.0, |(thing, _)| thing)
    }

    /// Whether it is about an attribute of a thing rather than the thing itself.
    pub fn is_attribute(&self) -> bool {
        self.0.contains('#')
    }

    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FactName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn escape(bytes: &[u8], into: &mut String) {
    use fmt::Write as _;
    let hex = |bytes: &[u8], into: &mut String| {
        for byte in bytes {
            let _written = write!(into, "%{byte:02X}");
        }
    };
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if matches!(c, '#' | '%') || misleads(c) {
                hex(c.encode_utf8(&mut [0; 4]).as_bytes(), into);
            } else {
                into.push(c);
            }
        }
        hex(chunk.invalid(), into);
    }
}

/// What a fact's value is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Value {
    /// A text, kept as it is.
    Text(String),
    /// The digest of a content that is not kept.
    Hash(Digest),
    /// The keyed hash of a secret that is not kept.
    Keyed(KeyedHash),
    /// It is there, and what it is does not matter.
    Present,
}

impl Value {
    /// The text, if it is one.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The value as a number, for rules that weigh numbers. Finite.
    pub fn number(&self) -> Option<f64> {
        let Self::Text(text) = self else { return None };
        let number: f64 = text.trim().parse().ok()?;
        number.is_finite().then_some(number)
    }

    /// The value as a person is shown it: hashes by their first 12 hex digits,
    /// a text in quotes when it is empty or holds white space, a long one by
    /// its beginning and its digest, and nothing in it that moves the cursor.
    pub fn shown(&self) -> String {
        match self {
            Self::Hash(digest) => format!("sha256:{}", digest.short()),
            Self::Keyed(hash) => format!("hmac:{}", hash.short()),
            Self::Present => "present".to_owned(),
            Self::Text(text) => shown_text(text),
        }
    }
}

/// Longest text that is shown whole, in characters: about half a line of 100.
const SHOWN_MAX: usize = 48;

fn shown_text(text: &str) -> String {
    let long = text.chars().nth(SHOWN_MAX).is_some();
    let mut shown = String::new();
    for c in text.chars().take(SHOWN_MAX) {
        if misleads(c) {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    if long {
        let digest = Digest::of(text.as_bytes());
        return format!("\"{shown}…\" (sha256:{})", digest.short());
    }
    if text.is_empty() || text.contains(char::is_whitespace) {
        return format!("\"{shown}\"");
    }
    shown
}

/// How a fact takes part in comparing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Compared, and part of the fingerprint's digest.
    Stable,
    /// An amount of the machine: compared, but two may lie some way apart.
    Size,
    /// Changes by itself: kept for reading, never compared.
    Volatile,
    /// Names one host or environment: only whether it is there is compared.
    Identity,
    /// A secret: its keyed hash is compared, its value is never kept.
    Secret,
}

/// One thing that is so on one host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Fact {
    /// What is so.
    pub value: Value,
    /// How it takes part in comparing.
    pub class: Class,
}

impl Fact {
    /// A fact that is compared as it is.
    pub fn stable(value: Value) -> Self {
        Self {
            value,
            class: Class::Stable,
        }
    }

    /// A fact about a secret, of which only the keyed hash is kept.
    pub fn secret(key: &[u8], text: &str) -> Self {
        Self {
            value: Value::Keyed(KeyedHash::of(key, text.as_bytes())),
            class: Class::Secret,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn collectors_read_as_the_contract_writes_them() {
        let written = serde_json::json!([
            "os", "packages", {"env": {"names": ["APP_*"]}}, {"files": {"paths": ["config/**"]}},
            {"command": {"id": "runtime", "run": "python3 -V"}}, {"sqlite": {"path": "orders.db"}}
        ]);
        let read: Vec<Collector> = serde_json::from_value(written.clone()).unwrap();
        assert_eq!(
            read.iter().map(Collector::layer).collect::<Vec<_>>(),
            ["os", "packages", "env", "files", "command", "sqlite"]
        );
        assert_eq!(serde_json::to_value(read).unwrap(), written);
    }

    #[test]
    fn a_collector_that_cannot_work_says_why() {
        let files = |path: &str| Collector::Files {
            paths: vec![path.to_owned()],
        };
        assert_eq!(files("config/**").check(), Ok(()));
        for wrong in ["/etc/passwd", "../secrets", "a/../../b", "", "a[", "{a"] {
            assert!(files(wrong).check().unwrap_err().contains(wrong), "{wrong}");
        }
        assert!(Collector::Env { names: vec![] }.check().is_err());
    }

    #[test]
    fn hostile_file_names_cannot_take_the_name_of_another_fact() {
        let mode = FactName::new("files", "a").attribute("mode");
        assert_eq!(mode.as_str(), "files:a#mode");
        let forged = FactName::new("files", "a#mode");
        assert_eq!(forged.as_str(), "files:a%23mode");
        assert!(mode.is_attribute() && !forged.is_attribute());
        assert_eq!(mode.thing(), "files:a");
        assert_eq!(mode.layer(), "files");
        assert_ne!(
            FactName::new("files", b"\xff"),
            FactName::new("files", b"\xfe")
        );
        assert_eq!(
            FactName::new("files", "a\n\u{202e}é").as_str(),
            "files:a%0A%E2%80%AEé"
        );
        assert_ne!(FactName::new("files", "%0A"), FactName::new("files", "\n"));
    }

    #[test]
    fn values_are_shown_short_and_harmless() {
        let text = |t: &str| Value::Text(t.to_owned()).shown();
        assert_eq!(text("release"), "release");
        assert_eq!(text("Python 3.11"), "\"Python 3.11\"");
        assert_eq!(text(""), "\"\"");
        assert_eq!(text("a\u{1b}[2J"), "a\\u{1b}[2J");
        assert_eq!(
            Value::Hash(Digest::of(b"abc")).shown(),
            "sha256:ba7816bf8f01"
        );
        let long = "x".repeat(100);
        assert_ne!(text(&format!("{long}a")), text(&format!("{long}b")));
        assert!(text(&long).chars().count() < 80);
    }

    #[test]
    fn only_plain_numbers_are_numbers() {
        let number = |t: &str| Value::Text(t.to_owned()).number();
        assert_eq!(number(" 8 "), Some(8.0));
        assert_eq!(number("8 workers"), None);
        assert_eq!(number("inf"), None);
        assert_eq!(Value::Present.number(), None);
    }
}
