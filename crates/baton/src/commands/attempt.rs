//! The hidden command that is the wrapper of one attempt: `attempt FOLDER SPEC`.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

/// Runs an attempt to its end. It is asked before anything else of Baton, and
/// for every command of a run: reading the command line as people write it alone
/// would cost half as much again.
pub(crate) fn run(words: &[OsString]) -> ExitCode {
    let (Some(folder), Some(spec)) = (words.first(), words.get(1)) else {
        return ExitCode::from(2);
    };
    // Nobody reads a word of it: that there is no result says it.
    match baton_engine::shell::attempt::run(Path::new(folder), &spec.to_string_lossy()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
