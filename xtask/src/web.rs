//! The page in `web/`: installed, checked, built, tested and drawn with its own tools.

use std::path::PathBuf;
use std::process::Command;

use crate::{Answer, shell};

/// What `npm ci` leaves behind when it has finished.
const INSTALLED: &str = "node_modules/.package-lock.json";

/// The wire as the server's code has it, types, unit tests, build, and with `browser` the
/// tests in a real Chromium.
pub(crate) fn stage(browser: bool) -> Answer<()> {
    ready()?;
    npm(&["run", "--silent", "types:check"])?;
    npm(&["run", "--silent", "check"])?;
    npm(&["test", "--silent"])?;
    npm(&["run", "--silent", "build"])?;
    if !browser {
        return Ok(());
    }
    npm(&["run", "--silent", "browser"])
}

/// Makes the page's types of the wire anew from the server's description of it.
pub(crate) fn bless() -> Answer<()> {
    ready()?;
    npm(&["run", "--silent", "types"])
}

/// Installs what the page is made with, unless that has been done for this very lock file.
fn ready() -> Answer<()> {
    let folder = folder();
    let age = |name: &str| {
        folder
            .join(name)
            .metadata()
            .and_then(|meta| meta.modified())
    };
    let done = match (age(INSTALLED), age("package-lock.json")) {
        (Ok(installed), Ok(locked)) => installed >= locked,
        _ => false,
    };
    if done {
        return Ok(());
    }
    npm(&["ci", "--no-audit", "--no-fund"])
}

fn npm(words: &[&str]) -> Answer<()> {
    shell::must(command("npm").args(words))
}

fn folder() -> PathBuf {
    shell::root().join("web")
}

/// A program that starts in the folder of the page.
fn command(name: &str) -> Command {
    let mut command = shell::program(name);
    command.current_dir(folder());
    command
}
