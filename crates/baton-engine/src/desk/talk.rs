//! What people say in the room and to a run: who may, and when.

use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use baton_core::event::Event;
use baton_core::id::{Handle, RunId};
use baton_core::run::order::lease_name;
use baton_core::run::waits::{Ask, waits};
use baton_store::{Lease, Log as _};
use jiff::Timestamp;

use super::{Desk, blind, is_gone, program};
use crate::drive::fold;
use crate::failure::Failure;

/// The most a message may have: what people read while it matters.
pub const TEXT_MOST: usize = 4000;

/// Says something in the room; `talk`: what came of a talk about a no-go or a
/// gap. Returns the run it was said about, when one is open.
///
/// # Errors
/// When there is nothing in it, or too much.
pub fn say(
    desk: &mut Desk,
    me: &Handle,
    text: String,
    talk: bool,
) -> Result<Option<RunId>, Failure> {
    if text.trim().is_empty() || text.chars().count() > TEXT_MOST {
        return Err(Failure::wrong(format!(
            "a message has 1 to {TEXT_MOST} characters"
        )));
    }
    let run = desk.talked_about()?;
    let event = if talk {
        Event::Talked { text }
    } else {
        Event::Said { text }
    };
    let _entries = desk.append(me, run.as_ref(), vec![event])?;
    Ok(run)
}

/// Votes on the content as it is. How sure `me` is stays closed until every
/// role has voted. Returns the run it was said about, when one is open.
///
/// # Errors
/// When a no-go has no reason, or the confidence is not from 1 to 5.
pub fn vote(
    desk: &mut Desk,
    me: &Handle,
    go: bool,
    confidence: u8,
    because: Option<String>,
) -> Result<Option<RunId>, Failure> {
    let because = because.filter(|why| !why.trim().is_empty());
    if !go && because.is_none() {
        return Err(Failure::wrong("a no-go needs a reason").hint("add `--because \"…\"`"));
    }
    if !(1..=5).contains(&confidence) {
        return Err(Failure::wrong("confidence is a number from 1 to 5"));
    }
    bounded("a reason", because.as_deref())?;
    let content = desk.plan.digests.content.clone();
    let run = desk.talked_about()?;
    let vote = Event::Voted {
        go,
        confidence: None,
        commitment: Some(blind::close_confidence(desk, me, confidence)?),
        because,
        content,
    };
    let _entries = desk.append(me, run.as_ref(), vec![vote])?;
    blind::open_answers(desk)?;
    Ok(run)
}

/// Refuses a text that is too long to be read while it matters.
///
/// # Errors
/// When it has more than [`TEXT_MOST`] characters.
pub fn bounded(what: &str, text: Option<&str>) -> Result<(), Failure> {
    match text {
        Some(text) if text.chars().count() > TEXT_MOST => Err(Failure::wrong(format!(
            "{what} has at most {TEXT_MOST} characters"
        ))),
        _ => Ok(()),
    }
}

/// Lets a run go on: after a pause, in spite of harm, or past its window.
/// `false`: nothing held it, so nothing was said.
///
/// # Errors
/// When `me` may not.
pub fn resume(
    desk: &mut Desk,
    run: &RunId,
    me: &Handle,
    because: Option<String>,
) -> Result<bool, Failure> {
    let state = fold(&mut desk.log, run)?;
    let all = waits(&state, Timestamp::now());
    let extends = all.iter().any(|waiting| waiting.ask == Ask::ExtendWindow);
    let harmed = all
        .iter()
        .any(|waiting| matches!(waiting.ask, Ask::Decide { harm: true, .. }));
    let event = if state.paused.is_some() || harmed {
        Event::Resumed
    } else if extends {
        Event::WindowExtended { because }
    } else {
        return Ok(false);
    };
    let _state = desk.say_in_run(run, me, event)?;
    Ok(true)
}

/// Who drives the run now, by their lease.
///
/// # Errors
/// Those of the ledger.
pub fn driven_by(desk: &mut Desk, run: &RunId) -> Result<Option<Lease>, Failure> {
    let held = desk.log.leases(&lease_name(run), Timestamp::now())?;
    Ok(held.into_iter().find(|lease| !is_gone(&lease.holder)))
}

/// Whether nobody drives the run now.
///
/// # Errors
/// Those of the ledger.
pub fn undriven(desk: &mut Desk, run: &RunId) -> Result<bool, Failure> {
    Ok(driven_by(desk, run)?.is_none())
}

/// Whether the last driver of the run died and left its lease.
///
/// # Errors
/// Those of the ledger.
pub fn driver_is_gone(desk: &mut Desk, run: &RunId) -> Result<bool, Failure> {
    let lease = lease_name(run);
    let held = desk.log.leases(&lease, Timestamp::now())?;
    Ok(held.iter().any(|lease| is_gone(&lease.holder)))
}

/// Has a run driven by a process of its own, when nobody drives it, it is not
/// over, and nobody paused it. The process outlives whoever started it.
///
/// # Errors
/// Those of the ledger, and when the process cannot be started.
pub fn drive_aside(desk: &mut Desk, run: &RunId, who: &Handle) -> Result<(), Failure> {
    let state = fold(&mut desk.log, run)?;
    if state.ended().is_some() || state.paused.is_some() || !undriven(desk, run)? {
        return Ok(());
    }
    let settings = &desk.settings;
    let driver = Command::new(program()?)
        .arg("drive")
        .arg("--file")
        .arg(&settings.file)
        .args(["--as", who, "--run", run])
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let mut driver =
        driver.map_err(|error| Failure::part("cannot start a driver").because(&error))?;
    // Nobody else takes its end down.
    let _reaped = std::thread::spawn(move || driver.wait());
    Ok(())
}
