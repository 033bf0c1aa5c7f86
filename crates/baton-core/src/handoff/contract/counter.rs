//! What a measure counts on a host.

use serde::{Deserialize, Serialize};

/// What is counted on a host. Every kind is read as two counters that only grow;
/// the judge's numbers are the differences, and one that fell has begun anew.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Counter {
    /// A command whose last line is the two numbers.
    Command(String),
    /// Lines of a file.
    Log {
        /// The file, relative to the host's folder.
        path: String,
        /// Which lines count.
        lines: Lines,
    },
    /// Lines that a command prints, which are more each time.
    Output {
        /// The command.
        run: String,
        /// Which lines count.
        lines: Lines,
    },
    /// Two numbers of an SQLite database.
    Sqlite {
        /// Its file, relative to the host's folder.
        path: String,
        /// SQL: the bad ones.
        bad: String,
        /// SQL: all.
        total: String,
    },
}

/// Which lines count: extended regular expressions (POSIX, as `grep -E` has them),
/// or `level:WORD`: lines that say of themselves that they are at least that bad.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lines {
    /// The bad ones.
    pub bad: String,
    /// All.
    pub total: String,
}

/// By level: a line that calls itself an error or worse is bad, and every line counts.
impl Default for Lines {
    fn default() -> Self {
        Self {
            bad: "level:error".to_owned(),
            total: String::new(),
        }
    }
}

/// The words by which a line says its level, and their rank, in capitals or not. A
/// line says it after a key, `level=` or `"level":` say, within its first 4,096 bytes,
/// and one that has no such key with the first such word within its first 256.
pub(crate) const LEVELS: [(&str, u8); 14] = [
    ("trace", 1),
    ("debug", 2),
    ("info", 3),
    ("notice", 3),
    ("warn", 4),
    ("warning", 4),
    ("err", 5),
    ("error", 5),
    ("alert", 6),
    ("crit", 6),
    ("critical", 6),
    ("emerg", 6),
    ("fatal", 6),
    ("panic", 6),
];

/// The word after `level:` when it is no level.
pub(in crate::handoff) fn no_level(pattern: &str) -> Option<&str> {
    let word = pattern.strip_prefix("level:")?;
    (!LEVELS.iter().any(|(level, _)| *level == word)).then_some(word)
}
