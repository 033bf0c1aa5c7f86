//! `cargo xtask test`: everything that must hold, and what people run between edits.

use std::cell::OnceCell;
use std::process::{Command, ExitCode, Stdio};

use crate::args::Args;
use crate::stages::{Report, Stage};
use crate::{Answer, needs, say, shell, torture, web};

pub(crate) const HELP: &str = "\
cargo xtask test [--without NAME]...   everything: needs, fmt, clippy, page, build, tests, browser,
                                       doc, demo, torture
cargo xtask test --fast                fmt, tidy and the tests of the core: under two minutes

needs   what must be installed (as root on Debian it is installed, else the command is named)
--without NAME   leaves out a stage, or a program this machine cannot have, and the tests
                 that need it (those with needs_NAME in their name):
                 git, ssh-keygen, sshd, prometheus, postgres, sqlite3, busybox, node, chromium,
                 synapse, aiosmtpd, rustfmt, clippy, nextest

A stage that fails does not stop the others. The exit status is 0 if all that was asked passed.
";

/// The stages that may be left out.
const STAGES: [&str; 9] = [
    "fmt", "clippy", "page", "build", "tests", "browser", "doc", "demo", "torture",
];

/// What is tested between edits, and what that needs.
const FAST: &str = "--package xtask --package baton-core";
const FAST_NEEDS: [&str; 3] = ["cc", "rustfmt", "nextest"];

pub(crate) fn run(mut args: Args) -> Answer {
    let fast = args.flag("--fast");
    let mut without = args.values("--without")?;
    let (words, _) = args.rest()?;
    if let Some(word) = words.first() {
        return Err(format!("{word} means nothing here; see --help"));
    }
    let mut known: Vec<&str> = needs::names().into_iter().chain(STAGES).collect();
    known.sort_unstable();
    known.dedup();
    if let Some(name) = without.iter().find(|name| !known.contains(&name.as_str())) {
        return Err(format!(
            "--without knows no {name}; it knows {}",
            known.join(", ")
        ));
    }
    for (need, stage) in [
        ("rustfmt", "fmt"),
        ("node", "page"),
        ("node", "browser"),
        ("chromium", "browser"),
    ] {
        if without.iter().any(|name| name == need) {
            without.push(stage.to_owned());
        }
    }
    let seen = Seen {
        without: &without,
        unmet: OnceCell::new(),
    };
    let report = Report::of(
        if fast {
            fast_stages(&seen)
        } else {
            all_stages(&seen)
        },
        &without,
    );
    say::out(&format!("\n{}", report.table()));
    let failures = report.failures();
    if failures.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    say::out(&format!("\nnot passed: {}\n", failures.join(", ")));
    Ok(ExitCode::FAILURE)
}

/// What stage `needs` found, for the stages after it.
struct Seen<'a> {
    without: &'a [String],
    unmet: OnceCell<Vec<&'static str>>,
}

impl Seen<'_> {
    fn look(&self, only: Option<&[&str]>) -> Answer<()> {
        needs::verdict(self.unmet.get_or_init(|| needs::unmet(only, self.without)))
    }

    /// What this machine lacks, or shall do without.
    fn absent(&self) -> Vec<&str> {
        let unmet = self.unmet.get().into_iter().flatten().copied();
        unmet
            .chain(self.without.iter().map(String::as_str))
            .collect()
    }

    /// Runs the tests of `packages` that this machine can run.
    fn test(&self, packages: &str) -> Answer<()> {
        let absent = self.absent();
        shell::must(&mut runner(!absent.contains(&"nextest"), packages, &absent))
    }
}

fn fast_stages<'a>(seen: &'a Seen<'_>) -> Vec<Stage<'a>> {
    vec![
        stage("needs", None, || seen.look(Some(&FAST_NEEDS))),
        simple("fmt", "fmt --all --check"),
        stage("tests", None, || seen.test(FAST)),
    ]
}

fn all_stages<'a>(seen: &'a Seen<'_>) -> Vec<Stage<'a>> {
    vec![
        stage("needs", None, || seen.look(None)),
        simple("fmt", "fmt --all --check"),
        simple("clippy", "clippy --workspace --all-targets -- -D warnings"),
        stage("page", None, web::page),
        simple("build", "build --package baton --package shop"),
        stage("tests", Some("build"), || seen.test("--workspace")),
        stage("browser", Some("page"), web::browser),
        stage("doc", None, doc),
        stage("demo", Some("build"), demo),
        stage("torture", Some("build"), torture::stage),
    ]
}

fn stage<'a>(
    name: &'static str,
    after: Option<&'static str>,
    work: impl FnOnce() -> Answer<()> + 'a,
) -> Stage<'a> {
    Stage {
        name,
        after,
        work: Box::new(work),
    }
}

fn simple(name: &'static str, words: &'static str) -> Stage<'static> {
    stage(name, None, || shell::must(&mut shell::cargo(words)))
}

fn doc() -> Answer<()> {
    let mut doc = shell::cargo("doc --workspace --no-deps");
    shell::must(doc.env("RUSTDOCFLAGS", "-D warnings"))
}

/// Nobody sits at the keyboard, and the demo must not wait for anyone.
fn demo() -> Answer<()> {
    let baton = shell::build_baton("dev")?;
    shell::must(
        shell::program(&baton.to_string_lossy())
            .arg("demo")
            .stdin(Stdio::null()),
    )
}

/// The command that runs the tests of `packages`, without those that need one of `absent`.
pub(crate) fn runner(nextest: bool, packages: &str, absent: &[&str]) -> Command {
    let marks: Vec<String> = absent
        .iter()
        .filter(|name| needs::names().contains(name))
        .map(|name| needs::mark(name))
        .collect();
    if nextest {
        let mut command = shell::cargo(&format!("nextest run --profile ci {packages}"));
        if !marks.is_empty() {
            let tests: Vec<String> = marks.iter().map(|mark| format!("test({mark})")).collect();
            command.args(["-E", &format!("not ({})", tests.join(" + "))]);
        }
        return command;
    }
    say::aside("cargo-nextest is not here: cargo test instead\n");
    let mut command = shell::cargo(&format!("test {packages} --no-fail-fast"));
    if !marks.is_empty() {
        command.arg("--");
        command.args(marks.iter().flat_map(|mark| ["--skip", mark]));
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(nextest: bool, absent: &[&str]) -> String {
        shell::line(&runner(nextest, "--workspace", absent))
    }

    #[test]
    fn what_is_absent_is_left_out_by_both_runners() {
        assert_eq!(
            typed(true, &[]),
            "cargo nextest run --profile ci --workspace"
        );
        assert_eq!(
            typed(true, &["git", "ssh-keygen", "doc"]),
            "cargo nextest run --profile ci --workspace -E not (test(needs_git) + test(needs_ssh_keygen))"
        );
        assert_eq!(
            typed(false, &["git"]),
            "cargo test --workspace --no-fail-fast -- --skip needs_git"
        );
    }

    #[test]
    fn the_help_names_all_that_can_be_left_out() {
        for name in needs::names().into_iter().chain(STAGES) {
            assert!(HELP.contains(name), "{name}");
        }
    }

    #[test]
    fn unknown_names_are_refused() {
        let asked = |line: &str| run(Args::new(line.split(' ').map(str::to_owned))).unwrap_err();
        assert!(asked("--without cc").contains("knows no cc"));
        assert!(asked("--without demos").contains("demo"));
        assert!(asked("fast").contains("fast"));
    }
}
