//! Starting other programs, always from the root of the repository.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus, Stdio};

use crate::Answer;

/// The folder that holds the workspace.
pub(crate) fn root() -> &'static Path {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask)
}

/// A program that starts in the root.
///
/// What `cargo run` told this process, about the package xtask and out of
/// `.cargo/config.toml`, is not passed on: build scripts elsewhere watch such
/// variables and would run again for nothing.
pub(crate) fn program(name: &str) -> Command {
    let mut command = Command::new(name);
    command.current_dir(root());
    for (key, _) in std::env::vars_os() {
        let told = key.to_string_lossy();
        if ["CARGO_PKG_", "CARGO_MANIFEST_", "LIBSQLITE3_FLAGS"]
            .iter()
            .any(|start| told.starts_with(start))
        {
            command.env_remove(&key);
        }
    }
    command
}

/// Cargo, with `words` split at blanks.
pub(crate) fn cargo(words: &str) -> Command {
    let mut command = program(&std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()));
    command.args(words.split_whitespace());
    command
}

/// Runs to the end, showing what it shows.
pub(crate) fn status(command: &mut Command) -> Answer<ExitStatus> {
    command
        .status()
        .map_err(|why| format!("cannot start {}: {why}", command.get_program().display()))
}

/// Runs to the end and must succeed.
pub(crate) fn must(command: &mut Command) -> Answer<()> {
    let status = status(command)?;
    if status.success() {
        return Ok(());
    }
    Err(format!("{} ended with {status}", line(command)))
}

/// Runs to the end, must succeed, and gives what it wrote, without blanks at the ends.
pub(crate) fn output(command: &mut Command) -> Answer<String> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .map_err(|why| format!("cannot start {}: {why}", command.get_program().display()))?;
    if !output.status.success() {
        return Err(format!("{} ended with {}", line(command), output.status));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Whether a line of shell succeeds; nothing it says is shown.
pub(crate) fn holds(line: &str) -> bool {
    let quiet = || Stdio::null();
    let mut command = program("sh");
    command
        .args(["-c", line])
        .stdin(quiet())
        .stdout(quiet())
        .stderr(quiet());
    command.status().is_ok_and(|status| status.success())
}

/// A command as a person would type it.
pub(crate) fn line(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str());
    let words = std::iter::once(name).chain(command.get_args());
    words
        .map(|word| word.to_string_lossy().into_owned())
        .collect::<Vec<_>>()
        .join(" ")
}

/// The status of a child as our own; a child killed by a signal is a failure.
pub(crate) fn passed_on(status: ExitStatus) -> ExitCode {
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    code.map_or(ExitCode::FAILURE, ExitCode::from)
}

/// Builds the binaries (`profile` as Cargo calls it) and says where `baton` lies.
pub(crate) fn build_baton(profile: &str) -> Answer<PathBuf> {
    must(cargo("build --package baton --package shop --profile").arg(profile))?;
    built("baton", profile)
}

/// Where a binary that was built lies.
pub(crate) fn built(name: &str, profile: &str) -> Answer<PathBuf> {
    let metadata = output(&mut cargo(
        "metadata --no-deps --offline --format-version 1",
    ))?;
    let metadata: serde_json::Value = serde_json::from_str(&metadata)
        .map_err(|why| format!("cannot read cargo metadata: {why}"))?;
    let target = metadata["target_directory"]
        .as_str()
        .ok_or("cargo names no target folder")?;
    let folder = if profile == "dev" { "debug" } else { profile };
    Ok(Path::new(target).join(folder).join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_passed_on() {
        let ended = |line: &str| {
            let status = status(program("sh").args(["-c", line])).unwrap();
            format!("{:?}", passed_on(status))
        };
        assert_eq!(ended("exit 4"), format!("{:?}", ExitCode::from(4)));
        assert_eq!(ended("exit 0"), format!("{:?}", ExitCode::SUCCESS));
        assert_eq!(ended("kill -9 $$"), format!("{:?}", ExitCode::FAILURE));
    }

    #[test]
    fn failures_name_the_command() {
        assert!(holds("true") && !holds("false"));
        let why = must(program("sh").args(["-c", "exit 3"])).unwrap_err();
        assert!(why.starts_with("sh -c exit 3 ended with"), "{why}");
        assert!(
            status(&mut program("no-such-program"))
                .unwrap_err()
                .starts_with("cannot start")
        );
    }
}
