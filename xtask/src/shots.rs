//! `cargo xtask shots DIR`: every screen and page of Baton as a picture, to be
//! looked at before a release. The screens follow each other in one small folder;
//! the pages show one real handoff on its way to the review.

use std::path::Path;
use std::process::ExitCode;

use crate::args::Args;
use crate::picture::{self, Lines};
use crate::{Answer, say, web};

pub(crate) const HELP: &str = "\
cargo xtask shots DIR            draws every screen of Baton into DIR, one SVG each, and every
                                 page in light, dark and phone width, one PNG each
cargo xtask shots DIR --screens  only the screens: needs neither Node.js nor Chromium

The screens stand in one table, in xtask/src/shots.rs. A screen that shows wrong use of
Baton, or a bug of it, is a failure; one that shows a refusal is not.
";

/// Each screen: the name of its file, and what is typed.
const SCREENS: [(&str, &str); 9] = [
    ("help", "baton --help"),
    ("init", "baton init"),
    ("lint", "baton lint"),
    ("plan", "baton plan"),
    ("check", "baton check --now"),
    ("status", "baton status"),
    ("explain", "baton explain parity.unexplained"),
    ("next", "baton next --as omar"),
    ("demo", "baton demo"),
];

/// Statuses that no screen should end with: wrong use, and a bug of ours.
const WRONG: [i32; 2] = [2, 70];

pub(crate) fn run(mut args: Args) -> Answer {
    let screens_only = args.flag("--screens");
    let (words, _) = args.rest()?;
    let [folder] = words.as_slice() else {
        return Err("it wants one folder to draw into".to_owned());
    };
    if !screens_only {
        // The binary takes the page in.
        web::build()?;
    }
    let programs = picture::baton_folder()?;
    let stage = tempfile::tempdir().map_err(|why| format!("cannot make a folder: {why}"))?;
    let folder =
        std::path::absolute(folder).map_err(|why| format!("cannot use {folder}: {why}"))?;
    let wrong = shots(&SCREENS, stage.path(), &programs, &folder)?;
    if !screens_only {
        web::shots(&programs.join("baton"), &folder)?;
    }
    if wrong.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    Err(format!("these went wrong: {}", wrong.join(", ")))
}

/// Draws the screens; names those that no person should see.
fn shots(
    screens: &[(&str, &str)],
    at: &Path,
    programs: &Path,
    folder: &Path,
) -> Answer<Vec<String>> {
    let everything = Lines::read("..")?;
    let mut wrong = Vec::new();
    let mut rows = Vec::new();
    for (name, line) in screens {
        let typed: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let out = folder.join(format!("{name}.svg"));
        let status = picture::draw(&typed, at, programs, everything, line, &out)?;
        if status.code().is_none_or(|code| WRONG.contains(&code)) {
            wrong.push((*line).to_owned());
        }
        rows.push(vec![
            out.display().to_string(),
            (*line).to_owned(),
            status.to_string(),
        ]);
    }
    say::out(&say::table(&rows));
    Ok(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_screen_a_name_and_wrong_ones_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        for (name, status) in [("refusal", 1), ("misuse", 2), ("bug", 70)] {
            let script = folder.path().join(name);
            std::fs::write(script, format!("echo {name}; exit {status}\n")).unwrap();
        }
        let screens = [
            ("fine", "true"),
            ("a", "sh refusal"),
            ("b", "sh misuse"),
            ("c", "sh bug"),
        ];
        let wrong = shots(&screens, folder.path(), folder.path(), &out).unwrap();
        assert_eq!(wrong, ["sh misuse", "sh bug"]);
        assert!(
            std::fs::read_to_string(out.join("a.svg"))
                .unwrap()
                .contains(">refusal<")
        );
        let names: std::collections::BTreeSet<&str> =
            SCREENS.iter().map(|(name, _)| *name).collect();
        assert_eq!(names.len(), SCREENS.len(), "each screen has its own file");
    }
}
