//! `baton`: takes a release from developed to in production and accepted.
//!
//! This file only joins the parts: arguments become settings, settings and a
//! command become an [`exit::Exit`] or a [`baton_engine::failure::Failure`], and both become an exit status.

mod args;
mod commands;
mod env_vars;
mod exit;
mod formats;
mod render;
mod settings;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let words: Vec<_> = std::env::args_os().skip(1).collect();
    if words.first().is_some_and(|word| word == "attempt") {
        return commands::attempt::run(&words[1..]);
    }
    let args = args::Args::parse();
    let out = render::Out::new(&args.global);
    let done = settings::Settings::resolve(&args.global)
        .and_then(|settings| commands::run(args.command, &settings, &out));
    match done {
        Ok(exit) => exit.code(),
        Err(failure) => {
            out.failure(&failure);
            exit::Exit::from(failure.kind).code()
        }
    }
}
