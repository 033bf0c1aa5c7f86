//! `check`: finds out what is due, and says whether the handoff is ready.

mod due;
mod show;

use baton_core::gate::{Answer, assess};
use baton_core::id::EnvName;
use jiff::Timestamp;

pub(crate) use show::{finding, show, warning};

use crate::exit::Exit;
use crate::render::Out;
use baton_engine::desk::Desk;
use baton_engine::failure::Failure;

/// `baton check [ENV] [--now]`.
pub(crate) fn run(
    desk: &mut Desk,
    out: &Out,
    environment: Option<&str>,
    now: bool,
) -> Result<Exit, Failure> {
    let plan = match environment {
        Some(name) => desk.plan_for(&EnvName::from(name))?,
        None => desk.plan.clone(),
    };
    if !now {
        due::find_out(desk, out, &plan)?;
    }
    let readings = desk.readings(false)?;
    let at = Timestamp::now();
    let verdict = assess(&plan, &desk.facts, &readings, &desk.notes, at);
    show(desk, out, &plan, &verdict);
    Ok(match verdict.verdict {
        Answer::Ready => Exit::Good,
        Answer::NotReady => Exit::Bad,
        Answer::Inconclusive => Exit::Unknown,
    })
}
