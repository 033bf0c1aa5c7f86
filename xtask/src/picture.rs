//! `cargo xtask picture`: what a command shows in a terminal, as an SVG that
//! follows the reader's light or dark scheme.

mod pty;
mod screen;
mod svg;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus};

use crate::args::Args;
use crate::{Answer, say, shell};
use screen::Screen;

pub(crate) const HELP: &str = "\
cargo xtask picture [--out FILE] [--lines A..B] [--title TEXT] [-- COMMAND [ARG]...]

Runs COMMAND (default: `baton demo`) in a terminal of 100 columns and draws lines A to B
(counted from 1, both may be left out; default: ..60) into FILE (default: docs/demo.svg),
seen from the root of the repository.
`baton` is the one built from these sources.
";

/// As wide as Baton ever writes.
const COLUMNS: u16 = 100;

/// Which lines to draw, counted from 1, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lines {
    first: usize,
    last: usize,
}

impl Lines {
    /// `A..B`, where either may be missing.
    pub(crate) fn read(text: &str) -> Answer<Self> {
        let number = |text: &str, missing: usize| {
            if text.is_empty() {
                Some(missing)
            } else {
                text.parse().ok()
            }
        };
        text.split_once("..")
            .and_then(|(first, last)| {
                Some(Self {
                    first: number(first, 1)?,
                    last: number(last, usize::MAX)?,
                })
            })
            .filter(|lines| lines.first >= 1 && lines.first <= lines.last)
            .ok_or_else(|| format!("{text} is no range of lines such as 1..60"))
    }

    fn of<'a, T>(&self, all: &'a [T]) -> &'a [T] {
        let last = self.last.min(all.len());
        all.get(self.first - 1..last).unwrap_or_default()
    }
}

pub(crate) fn run(mut args: Args) -> Answer {
    let out = args
        .value("--out")?
        .unwrap_or_else(|| "docs/demo.svg".to_owned());
    let lines = Lines::read(&args.value("--lines")?.unwrap_or_else(|| "..60".to_owned()))?;
    let title = args.value("--title")?;
    let (words, mut typed) = args.rest()?;
    if let Some(word) = words.first() {
        return Err(format!(
            "{word} means nothing here; a command comes after --"
        ));
    }
    if typed.is_empty() {
        typed = vec!["baton".to_owned(), "demo".to_owned()];
    }
    let title = title.unwrap_or_else(|| typed.join(" "));
    let folder = baton_folder()?;
    let status = draw(
        &typed,
        shell::root(),
        &folder,
        lines,
        &title,
        &shell::root().join(&out),
    )?;
    say::aside(&format!(
        "{out}: `{}` ended with {status}\n",
        typed.join(" ")
    ));
    Ok(ExitCode::SUCCESS)
}

/// Builds `baton`, and says in which folder it lies.
pub(crate) fn baton_folder() -> Answer<PathBuf> {
    let baton = shell::build_baton("dev")?;
    Ok(baton.parent().unwrap_or(&baton).to_owned())
}

/// Runs `typed` in the folder `at`, with `baton` found in `programs`, and draws
/// what it showed into `out`. A command that fails is drawn too: its status is the answer.
pub(crate) fn draw(
    typed: &[String],
    at: &Path,
    programs: &Path,
    lines: Lines,
    title: &str,
    out: &Path,
) -> Answer<ExitStatus> {
    let (name, words) = typed.split_first().ok_or("there is no command to draw")?;
    let path = std::env::var("PATH").unwrap_or_default();
    let own = programs.join(name);
    let mut command = Command::new(if own.is_file() {
        own
    } else {
        PathBuf::from(name)
    });
    command
        .args(words)
        .current_dir(at)
        .env("PATH", format!("{}:{path}", programs.display()))
        .env("TERM", "xterm-256color")
        .env_remove("NO_COLOR")
        .env_remove("COLUMNS");
    let (shown, status) = pty::record(command, COLUMNS)?;
    let screen = Screen::of(&shown, usize::from(COLUMNS));
    let picture = svg::draw(lines.of(&screen.rows()), usize::from(COLUMNS), title);
    if let Some(folder) = out.parent() {
        std::fs::create_dir_all(folder)
            .map_err(|why| format!("cannot make {}: {why}", folder.display()))?;
    }
    std::fs::write(out, picture).map_err(|why| format!("cannot write {}: {why}", out.display()))?;
    Ok(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_lines() {
        assert_eq!(Lines::read("2..3").unwrap().of(&[1, 2, 3, 4]), [2, 3]);
        assert_eq!(Lines::read("..2").unwrap().of(&[1, 2, 3]), [1, 2]);
        assert_eq!(Lines::read("3..").unwrap().of(&[1, 2, 3]), [3]);
        assert!(Lines::read("7..9").unwrap().of(&[1, 2]).is_empty());
        for bad in ["", "2", "0..2", "3..2", "a..b", "1..-1"] {
            assert!(Lines::read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_command_sees_a_terminal_of_100_columns_and_is_drawn() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("deep/a.svg");
        let script = "test -t 1 && stty size <&1; printf '\\033[31mred\\033[0m\\n'; exit 3";
        let typed = ["sh", "-c", script].map(str::to_owned);
        let lines = Lines::read("..").unwrap();
        let status = draw(
            &typed,
            folder.path(),
            folder.path(),
            lines,
            "a <title>",
            &out,
        )
        .unwrap();
        let picture = std::fs::read_to_string(&out).unwrap();
        assert_eq!(status.code(), Some(3));
        assert!(
            picture.contains(" 100<") && picture.contains("class=\"f1\""),
            "{picture}"
        );
    }
}
