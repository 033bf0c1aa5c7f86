//! `init`: a first contract and runbook, from what is found in the folder.
//!
//! It looks at git and at build files, guesses, and says nothing it did not
//! find. It never overwrites a file.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use baton_core::handoff::draft::{Found, draft};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::exit::Exit;
use crate::render::Out;
use crate::settings::Settings;
use baton_engine::failure::Failure;

/// How many of the latest commits are asked for their authors.
const COMMITS_MOST: &str = "1000";
/// The most that is read of a build file; longer ones are not written by people.
const BUILD_FILE_MOST: u64 = 1024 * 1024;
/// The name the draft gives to the runbook.
const RUNBOOK: &str = "runbook.md";
/// What keeps Baton's own folder out of git.
const IGNORED: &str = ".baton/";

/// `baton init`.
pub(crate) fn run(settings: &Settings, out: &Out) -> Result<Exit, Failure> {
    let (contract, runbook) = (&settings.desk.file, settings.desk.folder.join(RUNBOOK));
    let there: Vec<String> = [
        (contract.display().to_string(), contract),
        (RUNBOOK.to_owned(), &runbook),
    ]
    .into_iter()
    .filter(|(_, path)| path.symlink_metadata().is_ok())
    .map(|(shown, _)| shown)
    .collect();
    if !there.is_empty() {
        let verb = if there.len() == 1 { "is" } else { "are" };
        return Err(Failure::wrong(format!(
            "{} {verb} already there, and nothing is overwritten",
            baton_core::diag::list(&there, 2)
        ))
        .hint("`baton lint` checks what is there"));
    }
    let texts = draft(&look_around(&settings.desk.folder));
    write_new(contract, &texts.0)?;
    write_new(&runbook, &texts.1).inspect_err(|_failed| {
        // Half of a draft helps nobody; it was made a moment ago.
        let _gone = fs::remove_file(contract);
    })?;
    let ignored = ignore(&settings.desk.folder)?;
    let mut written = vec![contract.display().to_string(), RUNBOOK.to_owned()];
    if ignored {
        written.push(".gitignore".to_owned());
    }
    if out.json {
        out.json(&json!({ "format": 1, "written": written }));
        return Ok(Exit::Good);
    }
    out.line(format!(
        "wrote {} and {RUNBOOK}: read them, and put your own in place of the guesses",
        contract.display()
    ));
    if ignored {
        out.line(format!(
            "added {IGNORED} to .gitignore: the ledger stays out of git"
        ));
    }
    out.next("baton lint");
    Ok(Exit::Good)
}

fn write_new(path: &Path, text: &str) -> Result<(), Failure> {
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| Failure::unwritten(path, &error))
}

/// Keeps Baton's folder out of git, where there is a work tree that would take
/// it in; whether something had to be written.
fn ignore(folder: &Path) -> Result<bool, Failure> {
    let inside = git(folder, &["rev-parse", "--is-inside-work-tree"]);
    let probe = format!("{IGNORED}ledger.db");
    if inside.as_deref() != Some("true") || git(folder, &["check-ignore", "-q", &probe]).is_some() {
        return Ok(false);
    }
    let path = folder.join(".gitignore");
    let failed = |error: io::Error| Failure::unwritten(&path, &error);
    let before = match fs::read(&path) {
        Ok(before) => before,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(failed(error)),
    };
    let gap = if before.is_empty() || before.ends_with(b"\n") {
        ""
    } else {
        "\n"
    };
    OpenOptions::new()
        .append(true)
        .create(true)
        .open(&path)
        .and_then(|mut file| file.write_all(format!("{gap}{IGNORED}\n").as_bytes()))
        .map_err(failed)?;
    Ok(true)
}

/// What the folder tells about itself.
fn look_around(folder: &Path) -> Found {
    let name = folder.file_name().map(|name| name.to_string_lossy());
    Found {
        folder: name.map_or_else(String::new, |name| name.into_owned()),
        people: people(folder),
        test: test_command(folder),
        version: version(folder),
        artifacts: artifacts(folder),
        today: Timestamp::now(),
        zone: TimeZone::system().iana_name().unwrap_or("UTC").to_owned(),
    }
}

/// What git prints, without the line end; `None` when it fails or is not there.
fn git(folder: &Path, words: &[&str]) -> Option<String> {
    let done = Command::new("git")
        .args(words)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let said = done.status.success();
    said.then(|| String::from_utf8_lossy(&done.stdout).trim().to_owned())
}

/// Authors of the latest commits, the busiest first.
fn people(folder: &Path) -> Vec<(String, String)> {
    let log = |more: &[&str]| {
        let words = ["log", "-n", COMMITS_MOST, "--format=%an%x09%ae"];
        git(folder, &[&words, more].concat()).filter(|log| !log.is_empty())
    };
    // A folder that nobody has committed yet is somebody's of the repository.
    let log = log(&["--", "."]).or_else(|| log(&[]));
    let mut commits: BTreeMap<(String, String), usize> = BTreeMap::new();
    for line in log.unwrap_or_default().lines() {
        if let Some((name, email)) = line.split_once('\t') {
            *commits
                .entry((name.to_owned(), email.to_owned()))
                .or_default() += 1;
        }
    }
    let mut ranked: Vec<_> = commits.into_iter().collect();
    ranked.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    ranked.into_iter().map(|(person, _)| person).collect()
}

/// A build file's text, when it is there and of a size that people write.
fn text(folder: &Path, name: &str) -> Option<String> {
    let mut text = String::new();
    let file = fs::File::open(folder.join(name)).ok()?;
    let read = file.take(BUILD_FILE_MOST).read_to_string(&mut text).ok()?;
    (u64::try_from(read).ok()? < BUILD_FILE_MOST).then_some(text)
}

fn package_json(folder: &Path) -> Option<Value> {
    serde_json::from_str(&text(folder, "package.json")?).ok()
}

/// The command that runs the tests; a Makefile's own target knows best.
fn test_command(folder: &Path) -> Option<String> {
    let has = |name: &str| folder.join(name).is_file();
    let made = text(folder, "Makefile")
        .is_some_and(|text| text.lines().any(|line| line.starts_with("test:")));
    let scripted = package_json(folder).is_some_and(|package| {
        let script = package["scripts"]["test"].as_str();
        // npm writes this one itself, and it fails.
        script.is_some_and(|script| !script.contains("no test specified"))
    });
    let command = if made {
        "make test"
    } else if has("Cargo.toml") {
        "cargo test"
    } else if has("go.mod") {
        "go test ./..."
    } else if scripted {
        "npm test"
    } else if has("pyproject.toml") || has("pytest.ini") || has("setup.py") {
        "python3 -m pytest"
    } else {
        return None;
    };
    Some(command.to_owned())
}

/// The version that is being worked on, else the latest tag.
fn version(folder: &Path) -> Option<String> {
    let of = |name, tables: &[&str]| {
        let text = text(folder, name)?;
        let mut tables = tables.iter();
        tables.find_map(|table| toml_text(&text, table, "version"))
    };
    of("Cargo.toml", &["[package]", "[workspace.package]"])
        .or_else(|| Some(package_json(folder)?["version"].as_str()?.to_owned()))
        .or_else(|| of("pyproject.toml", &["[project]"]))
        .or_else(|| {
            let tag = git(folder, &["describe", "--tags", "--abbrev=0"])?;
            let bare = tag
                .strip_prefix('v')
                .filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
            Some(bare.map(str::to_owned).unwrap_or(tag))
        })
}

/// A plain text of a TOML table: `key = "text"` on a line of its own. Enough to
/// guess with; whatever is written in another way is not found.
fn toml_text(text: &str, table: &str, key: &str) -> Option<String> {
    text.lines()
        .map(str::trim)
        .skip_while(|line| *line != table)
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .find_map(|line| {
            let value = line.strip_prefix(key)?.trim_start().strip_prefix('=')?;
            let quoted = value.trim().strip_prefix('"')?;
            Some(quoted.split_once('"')?.0.to_owned())
        })
}

/// What the release seems to consist of.
fn artifacts(folder: &Path) -> Vec<String> {
    let program = text(folder, "Cargo.toml")
        .filter(|_| folder.join("src/main.rs").is_file())
        .and_then(|text| toml_text(&text, "[package]", "name"));
    let built = ["dist", "build"]
        .into_iter()
        .find(|name| folder.join(name).is_dir());
    program
        .map(|name| format!("target/release/{name}"))
        .or_else(|| built.map(|name| format!("{name}/**")))
        .into_iter()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_found_in_its_own_table() {
        let toml = "[workspace]\nversion = \"9\"\n[package]\nname = \"shop\"\nversion = \"2.4.0\" # now\n\
                    [dependencies]\nserde = { version = \"1\" }\n";
        assert_eq!(
            toml_text(toml, "[package]", "version").as_deref(),
            Some("2.4.0")
        );
        assert_eq!(toml_text(toml, "[package]", "edition"), None);
        assert_eq!(toml_text(toml, "[dependencies]", "version"), None);
        let inherited =
            "[package]\nversion.workspace = true\n[workspace.package]\nversion=\"1.2\"\n";
        assert_eq!(toml_text(inherited, "[package]", "version"), None);
        assert_eq!(
            toml_text(inherited, "[workspace.package]", "version").as_deref(),
            Some("1.2")
        );
    }

    #[test]
    fn the_test_command_is_the_one_people_use() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        let write = |name: &str, text: &str| fs::write(at.join(name), text).unwrap();
        assert_eq!(test_command(at), None);
        write("pyproject.toml", "[project]\nversion = \"3.1\"\n");
        assert_eq!(test_command(at).as_deref(), Some("python3 -m pytest"));
        assert_eq!(version(at).as_deref(), Some("3.1"));
        write(
            "package.json",
            r#"{"scripts":{"test":"echo no test specified"}}"#,
        );
        assert_eq!(test_command(at).as_deref(), Some("python3 -m pytest"));
        write(
            "package.json",
            r#"{"version":"4.0.0","scripts":{"test":"vitest"}}"#,
        );
        assert_eq!(test_command(at).as_deref(), Some("npm test"));
        assert_eq!(version(at).as_deref(), Some("4.0.0"));
        write("go.mod", "module shop\n");
        assert_eq!(test_command(at).as_deref(), Some("go test ./..."));
        write("Makefile", "all:\n\ntest: all\n\t./test\n");
        assert_eq!(test_command(at).as_deref(), Some("make test"));
    }
}
