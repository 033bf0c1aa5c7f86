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

/// Which lines count: extended regular expressions (POSIX, as `grep -E` has them).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lines {
    /// The bad ones.
    pub bad: String,
    /// All.
    pub total: String,
}

/// By level: a line that names an error or worse is bad, and every line counts.
impl Default for Lines {
    fn default() -> Self {
        const LEVELS: &str =
            "ERROR|Error|error|FATAL|Fatal|fatal|CRITICAL|Critical|critical|PANIC|Panic|panic";
        Self {
            bad: format!("(^|[^[:alnum:]])({LEVELS})([^[:alnum:]]|$)"),
            total: String::new(),
        }
    }
}
