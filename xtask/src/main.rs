//! The chores of this repository: `cargo xtask CHORE`, the same for people and CI.
//!
//! Each chore takes its arguments and answers with an exit status or one
//! sentence of why not. The chores use the product as its users do, through the
//! binary, and none of its crates: so a chore never has to be mended with them.

mod args;
mod bench;
mod bless;
mod demo;
mod needs;
mod picture;
mod say;
mod shell;
mod shots;
mod sim;
mod stages;
mod test;
mod torture;
mod web;

use std::process::ExitCode;

use args::Args;

/// What a chore answers; the text of an error is one sentence for a person.
type Answer<T = ExitCode> = Result<T, String>;

/// One chore.
struct Chore {
    name: &'static str,
    /// One line for the list of chores.
    does: &'static str,
    /// What `--help` shows below it.
    help: &'static str,
    run: fn(Args) -> Answer,
}

const CHORES: [Chore; 9] = [
    Chore {
        name: "page",
        does: "builds the page that the binary takes in",
        help: web::HELP,
        run: web::run,
    },
    Chore {
        name: "demo",
        does: "builds and runs `baton demo`",
        help: demo::HELP,
        run: demo::run,
    },
    Chore {
        name: "test",
        does: "everything that must hold",
        help: test::HELP,
        run: test::run,
    },
    Chore {
        name: "torture",
        does: "kills launches again and again, and counts their effects",
        help: torture::HELP,
        run: torture::run,
    },
    Chore {
        name: "bless",
        does: "accepts changed snapshots",
        help: bless::HELP,
        run: bless::run,
    },
    Chore {
        name: "bench",
        does: "measures one family of figures",
        help: bench::HELP,
        run: bench::chore,
    },
    Chore {
        name: "sim",
        does: "crashes runs everywhere, for long",
        help: sim::HELP,
        run: sim::run,
    },
    Chore {
        name: "picture",
        does: "draws what a command shows in a terminal",
        help: picture::HELP,
        run: picture::run,
    },
    Chore {
        name: "shots",
        does: "draws every screen of Baton",
        help: shots::HELP,
        run: shots::run,
    },
];

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let name = words.next().unwrap_or_default();
    let Some(chore) = CHORES.iter().find(|chore| chore.name == name) else {
        let asked = ["", "help", "--help", "-h"].contains(&name.as_str());
        if !asked {
            say::aside(&format!("there is no chore called {name}\n"));
        }
        say::out(&list());
        return ExitCode::from(if asked { 0 } else { 2 });
    };
    let args = Args::new(words);
    if args.asks_for_help() {
        say::out(&format!("{}: {}\n\n{}", chore.name, chore.does, chore.help));
        return ExitCode::SUCCESS;
    }
    (chore.run)(args).unwrap_or_else(|why| {
        say::aside(&format!("xtask {}: {why}\n", chore.name));
        ExitCode::FAILURE
    })
}

fn list() -> String {
    let mut text = "cargo xtask CHORE [ARGS]; each chore knows --help\n\n".to_owned();
    for chore in &CHORES {
        text.push_str(&format!("  {:<9}{}\n", chore.name, chore.does));
    }
    text
}
