//! A run as the ledger has it: its plan, and its state up to the last entry.

use std::cell::RefCell;
use std::sync::Arc;

use baton_core::event::Event;
use baton_core::handoff::plan::{PLAN_FORMAT, Plan};
use baton_core::id::{Digest, RunId, Seq};
use baton_core::ledger::Entry;
use baton_core::run::State;
use baton_store::Log;

use super::past::Past;
use super::{DriveError, PAGE};

/// Folds a run from the ledger: its state, up to the last entry.
///
/// # Errors
/// When there is no such run, or its plan or entries cannot be used.
pub fn fold(log: &mut impl Log, run: &RunId) -> Result<State, DriveError> {
    fold_past(log, run, &mut Past::default(), &mut |_| ())
}

/// The same, and what a driver has to know of those before; `told` hears of
/// every entry.
pub(super) fn fold_past(
    log: &mut impl Log,
    run: &RunId,
    past: &mut Past,
    told: &mut dyn FnMut(&Entry),
) -> Result<State, DriveError> {
    let mut state: Option<State> = None;
    let mut after = Seq(0);
    loop {
        let page = log.read_run(run, after, PAGE)?;
        let Some(last) = page.last() else { break };
        after = last.seq;
        for entry in &page {
            past.see(entry, state.as_ref());
            told(entry);
            apply_or_open(log, run, &mut state, entry)?;
        }
    }
    state.ok_or_else(|| DriveError::NoRun(run.clone()))
}

/// The plan of a run, without folding the run.
///
/// # Errors
/// When there is no such run, or its plan cannot be used.
pub fn plan(log: &mut impl Log, run: &RunId) -> Result<Arc<Plan>, DriveError> {
    let opened = log.read_run(run, Seq(0), 1)?;
    let opened = opened
        .first()
        .ok_or_else(|| DriveError::NoRun(run.clone()))?;
    plan_of(log, run, opened)
}

fn apply_or_open(
    log: &mut impl Log,
    run: &RunId,
    state: &mut Option<State>,
    entry: &Entry,
) -> Result<(), DriveError> {
    let illegal = |why| DriveError::Illegal {
        run: run.clone(),
        seq: entry.seq,
        why,
    };
    match state {
        Some(state) => state.apply(entry).map_err(illegal),
        None => {
            let plan = plan_of(log, run, entry)?;
            *state = Some(State::open(plan, entry).map_err(illegal)?);
            Ok(())
        }
    }
}

fn plan_of(log: &mut impl Log, run: &RunId, entry: &Entry) -> Result<Arc<Plan>, DriveError> {
    thread_local! {
        // What a digest stands for never changes, and one run is folded again and again.
        static LAST: RefCell<Option<(Digest, Arc<Plan>)>> = const { RefCell::new(None) };
    }
    let broken = |why: String| DriveError::Plan {
        run: run.clone(),
        why,
    };
    let Event::RunOpened(terms) = &entry.event else {
        return Err(broken("its first entry does not open it".to_owned()));
    };
    let bytes = log.get(&terms.plan)?.ok_or_else(|| {
        broken(format!(
            "the plan {} is not in the ledger",
            terms.plan.short()
        ))
    })?;
    let last = LAST.with_borrow(Clone::clone);
    if let Some((_, plan)) = last.filter(|(digest, _)| *digest == terms.plan) {
        return Ok(plan);
    }
    let plan: Plan = serde_json::from_slice(&bytes)
        .map_err(|error| broken(format!("it does not parse: {error}")))?;
    if plan.format != PLAN_FORMAT {
        return Err(broken(format!(
            "its format is {}, not {PLAN_FORMAT}",
            plan.format
        )));
    }
    let plan = Arc::new(plan);
    LAST.set(Some((terms.plan.clone(), plan.clone())));
    Ok(plan)
}
