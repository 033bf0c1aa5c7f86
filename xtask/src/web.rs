//! The page in `web/`: installed, checked, built, tested and drawn with its own tools.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::{fs, io};

use crate::args::Args;
use crate::{Answer, shell};

pub(crate) const HELP: &str = "\
cargo xtask page   installs what the page is made with, and builds it into web/dist

Every build of the binary after it takes the page in. A binary that was built before has no
page, and says so to whoever opens its room; all else works. Wants Node.js.
";

/// Builds the page.
pub(crate) fn run(args: Args) -> Answer {
    let (words, _) = args.rest()?;
    match words.first() {
        Some(word) => Err(format!("{word} means nothing here; see --help")),
        None => build().map(|()| ExitCode::SUCCESS),
    }
}

/// What `npm ci` leaves behind when it has finished.
const INSTALLED: &str = "node_modules/.package-lock.json";

/// The wire as the server's code has it, types, unit tests, and the build that the binary
/// takes in.
pub(crate) fn page() -> Answer<()> {
    ready()?;
    npm(&["run", "--silent", "types:check"])?;
    npm(&["run", "--silent", "check"])?;
    npm(&["test", "--silent"])?;
    build()
}

/// Builds the page, which every build of the binary after it takes in. One that is the
/// same as before is left alone, so that nothing is built anew for it.
pub(crate) fn build() -> Answer<()> {
    ready()?;
    let build = [
        "run",
        "--silent",
        "build",
        "--",
        "--emptyOutDir",
        "--outDir",
    ];
    npm(&[&build[..], &[FRESH]].concat())?;
    let (fresh, built) = (folder().join(FRESH), folder().join("dist"));
    let failed = |why: io::Error| format!("cannot put the page into web/dist: {why}");
    if content(&fresh).map_err(failed)? != content(&built).unwrap_or_default() {
        if built.exists() {
            fs::remove_dir_all(&built).map_err(failed)?;
        }
        fs::rename(&fresh, &built).map_err(failed)?;
    }
    Ok(())
}

/// Where the page is built before it is known to be another one.
const FRESH: &str = "node_modules/.page";

/// Every file below a folder.
fn content(folder: &Path) -> io::Result<BTreeMap<PathBuf, Vec<u8>>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(content(&path)?.into_iter().map(|(below, bytes)| {
                (
                    Path::new(path.file_name().unwrap_or_default()).join(below),
                    bytes,
                )
            }));
        } else {
            let name = PathBuf::from(path.file_name().unwrap_or_default());
            let _new = files.insert(name, fs::read(&path)?);
        }
    }
    Ok(files)
}

/// In a real Chromium: every page over made-up answers, then whole launches with the real
/// binary and a browser for each person.
pub(crate) fn browser() -> Answer<()> {
    npm(&["run", "--silent", "browser"])?;
    let baton = shell::built("baton", "dev")?;
    shell::must(
        command("npm")
            .args(["run", "--silent", "launch"])
            .env("BATON", baton),
    )
}

/// Draws every page of a real handoff on its way to the review, one PNG each.
pub(crate) fn shots(baton: &Path, folder: &Path) -> Answer<()> {
    shell::must(
        command("node")
            .arg("tests/shots.js")
            .arg(folder)
            .env("BATON", baton),
    )
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
