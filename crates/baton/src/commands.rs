//! One file per command, or per family of commands that act alike.

mod agree;
pub(crate) mod attempt;
mod bench;
mod check;
mod demo;
mod drive;
mod explain;
mod init;
mod join;
mod launch;
mod lint;
mod parity;
mod plan;
mod record;
mod review;
mod serve;
mod status;
mod waive;
mod watch;
mod word;

use crate::args::{Command, Format, RecordAction};
use crate::exit::Exit;
use crate::render::Out;
use crate::settings::Settings;
use baton_engine::desk::Desk;
use baton_engine::failure::{Failure, Kind};

/// Carries out a command.
pub(crate) fn run(command: Command, settings: &Settings, out: &Out) -> Result<Exit, Failure> {
    known_format(&command, out.format)?;
    match command {
        Command::Init => init::run(settings, out),
        Command::Lint { schema } => lint::run(settings, out, schema),
        Command::Explain { code } => explain::run(&code, out),
        Command::Watch(replay) => watch::run(&replay, out),
        Command::Demo { keep } => demo::run(keep.as_deref(), out),
        Command::Record {
            action: RecordAction::Verify { path },
        } => record::verify(&path, out),
        command => {
            let mut desk = Desk::open(&settings.desk)?;
            baton_engine::desk::blind::open_answers(&mut desk)?;
            at_desk(command, &mut desk, settings, out)
        }
    }
}

/// Refuses a format that the command has no words in.
fn known_format(command: &Command, format: Format) -> Result<(), Failure> {
    let knows = match format {
        Format::Text | Format::Json => true,
        Format::Sarif | Format::Junit | Format::Markdown => {
            matches!(command, Command::Check { .. } | Command::Parity { .. })
        }
    };
    if knows {
        return Ok(());
    }
    let only = "only `check` and `parity` answer in this format";
    Err(Failure::wrong(only).hint("leave `--format` out, or ask for `--format json`"))
}

/// What is said when our own table of commands is wrong.
const NEEDS_NONE: &str = "a command was taken to the desk that needs none";

fn at_desk(
    command: Command,
    desk: &mut Desk,
    settings: &Settings,
    out: &Out,
) -> Result<Exit, Failure> {
    match command {
        Command::Plan { environment, print } => {
            plan::run(desk, out, environment.as_deref(), print.as_deref())
        }
        Command::Check { environment, now } => check::run(desk, out, environment.as_deref(), now),
        Command::Answer { id, value, team } => {
            agree::answer(desk, out, &id, &value, team.as_deref())
        }
        Command::Offer => agree::offer(desk, out),
        Command::Accept { mine: true, .. } => agree::accept_mine(desk, out),
        Command::Accept { live: true, .. } => word::accept_live(desk, out),
        Command::Accept { .. } => agree::accept(desk, out),
        Command::Sign { criterion } => agree::sign(desk, out, &criterion),
        Command::Fingerprint(reading) => parity::fingerprint(desk, out, &reading),
        Command::Parity { environments } => parity::compare(desk, out, &environments),
        Command::Rehearse {
            environment,
            fail_at,
            room,
        } => launch::rehearse(
            desk,
            out,
            settings.yes,
            environment.as_deref(),
            fail_at.as_deref(),
            &room,
        ),
        Command::Launch { no_wait, room } => launch::launch(desk, out, no_wait, &room),
        Command::Serve { listen } => serve::run(desk, out, listen),
        Command::Link { handle } => serve::link(desk, out, handle.as_deref()),
        Command::Drive => drive::aside(desk, out),
        Command::Waive {
            blocker,
            matches,
            because,
            until,
        } => waive::run(desk, out, &blocker, matches, because, &until),
        Command::Status { watch } => status::run(desk, out, watch),
        Command::Review { held } => review::run(desk, out, held),
        Command::Lesson { action } => review::lesson(desk, out, action),
        Command::Record {
            action: RecordAction::Export { path },
        } => record::export(desk, out, &path),
        Command::BenchLedger { events } => bench::fill(desk, out, events),
        Command::BenchRun => bench::run(desk, out),
        command => in_the_room(command, desk, out),
    }
}

/// What people say to a run and in the room.
fn in_the_room(command: Command, desk: &mut Desk, out: &Out) -> Result<Exit, Failure> {
    match command {
        Command::Next => word::next(desk, out),
        Command::Done { step, on } => word::done(desk, out, &step, on.as_deref()),
        Command::Approve { step } => word::approve(desk, out, &step),
        Command::Retry { step, on } => word::retry(desk, out, step.as_deref(), on.as_deref()),
        Command::Skip { step, because } => word::skip(desk, out, step.as_deref(), &because),
        Command::Pause { because } => word::pause(desk, out, because),
        Command::Resume { because } => word::resume(desk, out, because),
        Command::Rollback { because } => word::rollback(desk, out, because),
        Command::Stop { because } => word::stop(desk, out, because),
        Command::Join => join::run(desk, out),
        Command::Say { text, talk } => word::say(desk, out, text, talk),
        Command::Vote {
            word,
            confidence,
            because,
        } => word::vote(desk, out, word, confidence, because),
        _ => Err(Failure::new(Kind::Bug, NEEDS_NONE)),
    }
}
