//! What people say in a run and in the room: `next`, `done`, `approve`,
//! `retry`, `skip`, `pause`, `resume`, `rollback`, `stop`, `accept --live`,
//! `say`, `vote`.
//!
//! A word is appended only where it is legal. One after which the run goes on
//! also drives it, when nobody else does.

use baton_core::event::Event;
use baton_core::id::{Handle, HostName, RunId, StepId};
use baton_core::run::State;
use baton_core::run::state::Mode;
use baton_core::run::waits::waits;
use baton_engine::drive::fold;
use baton_store::StoreError;
use jiff::Timestamp;
use serde_json::json;

use crate::args::Word;
use crate::commands::drive::{drive, interrupts};
use crate::exit::Exit;
use crate::render::{Out, Tone};
use baton_engine::desk::asked::asked;
use baton_engine::desk::talk::{driven_by, undriven};
use baton_engine::desk::{Desk, talk};
use baton_engine::failure::Failure;

/// `baton next`.
pub(crate) fn next(desk: &mut Desk, out: &Out) -> Result<Exit, Failure> {
    let me = desk.me()?;
    let Some(run) = desk
        .settings
        .run
        .clone()
        .or_else(|| desk.facts.open_run().cloned())
    else {
        if out.json {
            out.json(&json!({ "format": 1, "run": null, "next": [] }));
        } else {
            out.line("No run is open.");
            out.next("baton check");
        }
        return Ok(Exit::Good);
    };
    let state = fold(&mut desk.log, &run)?;
    let all = waits(&state, Timestamp::now());
    let (mine, others): (Vec<_>, Vec<_>) = all.iter().partition(|waiting| {
        let mut called = waiting.people.iter().chain(&waiting.escalated_to);
        called.any(|by| *by == me)
    });
    if out.json {
        let next: Vec<_> = mine
            .iter()
            .map(|waiting| {
                let (says, command) = asked(waiting);
                json!({
                    "step": waiting.step, "hosts": waiting.hosts, "says": says,
                    "command": command, "escalated_to": waiting.escalated_to,
                })
            })
            .collect();
        out.json(&json!({ "format": 1, "run": run, "for": me, "next": next }));
        return Ok(Exit::Good);
    }
    for waiting in &mine {
        let (says, command) = asked(waiting);
        out.text(&says, 0, Tone::Strong);
        if let Some(command) = command {
            out.next(&command);
        }
    }
    if mine.is_empty() {
        match others.first() {
            Some(waiting) => out.text(
                &format!("Nothing for {me} now: {}", asked(waiting).0),
                0,
                Tone::Plain,
            ),
            None => out.text(&quiet(&state, &me), 0, Tone::Plain),
        }
    }
    if !matches!(state.mode, Mode::Ended { .. }) && undriven(desk, &run)? {
        out.text("Nobody drives the run at the moment.", 0, Tone::Warn);
        out.next("baton resume");
    }
    Ok(Exit::Good)
}

/// Why nobody is asked anything.
fn quiet(state: &State, me: &Handle) -> String {
    if let Some((_, because)) = state.ended() {
        return format!("The run is over: {because}.");
    }
    let running: Vec<&str> = state
        .active()
        .filter_map(|(id, _)| state.attempt(id))
        .map(|(step, _, _)| step.id().as_str())
        .collect();
    if state.watch.is_some() {
        return format!("Nothing for {me} now: the judge is watching.");
    }
    match running.as_slice() {
        [] => format!("Nothing for {me} now."),
        steps => format!(
            "Nothing for {me} now: {} is under way.",
            baton_core::diag::list(steps, 4)
        ),
    }
}

/// `baton done STEP`.
pub(crate) fn done(
    desk: &mut Desk,
    out: &Out,
    step: &str,
    on: Option<&str>,
) -> Result<Exit, Failure> {
    let event = Event::StepDone {
        step: StepId::from(step),
        host: on.map(HostName::from),
    };
    said(desk, out, event, &format!("{step} is done"), false)
}

/// `baton approve STEP`.
pub(crate) fn approve(desk: &mut Desk, out: &Out, step: &str) -> Result<Exit, Failure> {
    let event = Event::StepApproved {
        step: StepId::from(step),
    };
    said(desk, out, event, &format!("{step} is approved"), false)
}

/// `baton retry [STEP]`.
pub(crate) fn retry(
    desk: &mut Desk,
    out: &Out,
    step: Option<&str>,
    on: Option<&str>,
) -> Result<Exit, Failure> {
    let step = waiting_step(desk, step)?;
    let says = format!("{step} is tried again");
    said(
        desk,
        out,
        Event::RetryCalled {
            step,
            host: on.map(HostName::from),
        },
        &says,
        true,
    )
}

/// `baton skip [STEP] --because`.
pub(crate) fn skip(
    desk: &mut Desk,
    out: &Out,
    step: Option<&str>,
    because: &str,
) -> Result<Exit, Failure> {
    let step = waiting_step(desk, step)?;
    let says = format!("{step} is left out");
    said(
        desk,
        out,
        Event::StepSkipped {
            step,
            because: because.to_owned(),
        },
        &says,
        true,
    )
}

/// `baton pause`.
pub(crate) fn pause(desk: &mut Desk, out: &Out, because: Option<String>) -> Result<Exit, Failure> {
    said(
        desk,
        out,
        Event::Paused { because },
        "the run pauses at the next safe point",
        false,
    )
}

/// `baton resume`: lets a run go on, and drives it when nobody does.
pub(crate) fn resume(desk: &mut Desk, out: &Out, because: Option<String>) -> Result<Exit, Failure> {
    let run = desk.open_run()?;
    let me = desk.me()?;
    let said = talk::resume(desk, &run, &me, because)?;
    match driven_by(desk, &run)? {
        None => drive(desk, out, &run, &me, interrupts()?),
        Some(lease) if !said => {
            let (holder, until) = (lease.holder, lease.until);
            Err(Failure::from(StoreError::Held { holder, until }))
        }
        Some(_) => {
            spoken(out, Some(&run), &me, &format!("{run} goes on"));
            Ok(Exit::Good)
        }
    }
}

/// `baton rollback`.
pub(crate) fn rollback(
    desk: &mut Desk,
    out: &Out,
    because: Option<String>,
) -> Result<Exit, Failure> {
    said(
        desk,
        out,
        Event::RollbackCalled { because },
        "the way back is called",
        true,
    )
}

/// `baton stop`.
pub(crate) fn stop(desk: &mut Desk, out: &Out, because: Option<String>) -> Result<Exit, Failure> {
    said(
        desk,
        out,
        Event::StopCalled { because },
        "the run is stopped as it stands",
        true,
    )
}

/// `baton accept --live`.
pub(crate) fn accept_live(desk: &mut Desk, out: &Out) -> Result<Exit, Failure> {
    let me = desk.signer()?;
    let says = format!("{} took over {}", me, desk.contract.name.value);
    said(desk, out, Event::AcceptedLive, &says, false)
}

/// `baton say`.
pub(crate) fn say(desk: &mut Desk, out: &Out, text: String, talk: bool) -> Result<Exit, Failure> {
    let me = desk.me()?;
    let run = talk::say(desk, &me, text, talk)?;
    spoken(out, run.as_ref(), &me, "said");
    Ok(Exit::Good)
}

/// `baton vote go|no-go`.
pub(crate) fn vote(
    desk: &mut Desk,
    out: &Out,
    word: Word,
    confidence: u8,
    because: Option<String>,
) -> Result<Exit, Failure> {
    let me = desk.signer()?;
    let go = word == Word::Go;
    let run = talk::vote(desk, &me, go, confidence, because)?;
    let says = format!("{me} votes {}", if go { "go" } else { "no-go" });
    spoken(out, run.as_ref(), &me, &says);
    Ok(Exit::Good)
}

/// Says that a word was taken.
fn spoken(out: &Out, run: Option<&RunId>, me: &Handle, says: &str) {
    if out.json {
        out.json(&json!({ "format": 1, "run": run, "by": me, "said": says }));
    } else {
        out.text(says, 0, Tone::Plain);
    }
}

/// Appends a person's word to the open run; `drives`: the run then goes on, so
/// somebody has to drive it.
fn said(
    desk: &mut Desk,
    out: &Out,
    event: Event,
    says: &str,
    drives: bool,
) -> Result<Exit, Failure> {
    let run: RunId = desk.open_run()?;
    let me = desk.me()?;
    let state = desk.say_in_run(&run, &me, event)?;
    let idle = undriven(desk, &run)? && state.ended().is_none();
    if drives && idle {
        // How the run ends is the answer then.
        out.story().text(says, 0, Tone::Plain);
        return drive(desk, out, &run, &me, interrupts()?);
    }
    spoken(out, Some(&run), &me, says);
    if idle && !out.json {
        out.next("baton resume");
    }
    Ok(Exit::Good)
}

/// The step that is meant: as said, or the one the run waits for.
fn waiting_step(desk: &mut Desk, step: Option<&str>) -> Result<StepId, Failure> {
    if let Some(step) = step {
        return Ok(StepId::from(step));
    }
    let run = desk.open_run()?;
    let state = fold(&mut desk.log, &run)?;
    let waiting = waits(&state, Timestamp::now())
        .into_iter()
        .find_map(|waiting| waiting.step);
    waiting.ok_or_else(|| Failure::wrong("the run waits for no step").hint("name the step"))
}
