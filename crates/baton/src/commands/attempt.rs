//! The hidden command that is the wrapper of one attempt.

use std::path::Path;

use crate::exit::Exit;
use crate::failure::Failure;

/// Runs the attempt in this folder to its end.
pub(crate) fn run(folder: &Path) -> Result<Exit, Failure> {
    baton_engine::shell::attempt::run(folder)
        .map(|()| Exit::Good)
        .map_err(|error| Failure::part("cannot carry out an attempt").because(&error))
}
