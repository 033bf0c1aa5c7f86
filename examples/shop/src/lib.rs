//! A small real HTTP shop on SQLite, the service that Baton's demo rolls out.
//!
//! One library, two programs: `shop-2-3-9` and `shop-2-4-0` differ only in their [`Release`].
//! It promises to be safe with several processes on one database, to start and stop cleanly, and
//! to fail in one repeatable way (see `web.rs`). It deliberately has no accounts, no payment and
//! no network beyond 127.0.0.1.

mod args;
mod db;
mod http;
mod metrics;
mod process;
mod web;

use std::error::Error;
use std::ffi::OsString;
use std::io::Write as _;
use std::ops::RangeInclusive;
use std::path::Path;
use std::process::ExitCode;

/// What one version of the shop is and can do.
#[derive(Debug)]
pub struct Release {
    version: &'static str,
    /// Database schemas it can serve orders on.
    serves: RangeInclusive<u32>,
    /// Database schemas its `migrate` can lead to; the last one is the newest it knows.
    migrates: RangeInclusive<u32>,
    /// Whether orders carry a currency, which also means that exchange rates are read.
    currency: bool,
}

/// Shop 2.3.9: orders in euro. It also runs on schema 2, whose added column does not hurt it.
pub static V2_3_9: Release = Release {
    version: "2.3.9",
    serves: 1..=2,
    migrates: 0..=1,
    currency: false,
};

/// Shop 2.4.0: orders with a currency. It needs schema 2.
pub static V2_4_0: Release = Release {
    version: "2.4.0",
    serves: 2..=2,
    migrates: 1..=2,
    currency: true,
};

/// Why something cannot be done, as a sentence for a person.
type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

/// Runs the command line of this process as `release`.
///
/// Exit status 0 is success, 1 a failure, 2 a command line that makes no sense.
pub fn main(release: &'static Release) -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    let (text, status) = match args::parse(release, args) {
        Err(why) => (format!("{why}\n\n{}", args::usage(release)), 2),
        Ok(job) => match job() {
            Err(why) => (why.to_string(), 1),
            Ok(text) => {
                say(&text);
                return ExitCode::SUCCESS;
            }
        },
    };
    complain(&format!("shop {}: {text}", release.version));
    ExitCode::from(status)
}

/// Puts the name of the file before the reason.
fn about(file: &Path) -> impl Fn(Box<dyn Error>) -> Box<dyn Error> {
    move |why| format!("{}: {why}", file.display()).into()
}

/// Writes a line to standard output. A reader that went away is no reason to panic.
fn say(text: &str) {
    writeln!(std::io::stdout(), "{}", text.trim_end()).ok();
}

/// Writes a line to standard error, under the same rule.
fn complain(text: &str) {
    writeln!(std::io::stderr(), "{text}").ok();
}
