//! What must hold once a run is over, whatever happened on the way.

use std::collections::BTreeMap;
use std::sync::Arc;

use baton_core::event::{Ending, Event, FenceRole, Outcome, RunKind};
use baton_core::handoff::plan::Plan;
use baton_core::id::{Seq, StepId};
use baton_core::ledger::Entry;
use baton_core::ledger::chain::Walker;
use baton_core::review::Review;
use baton_core::review::surprise::Kind;
use baton_core::run::State;
use baton_store::Log as _;

use crate::explore::Case;
use crate::model::Model;
use crate::plans::{Conduct, plan};
use crate::sim::{Outside, Spot};
use crate::site::{Ground, fold};

/// Everything that must hold of a run that is over, and that `driven` is what
/// its last driver made of it. Says what does not.
pub(crate) fn check(case: &Case, ground: &mut Ground, driven: &State) -> Result<(), String> {
    chained(ground)?;
    let state = fold(&ground.setup.plan, &ground.history).map_err(|why| why.to_string())?;
    let mut model = Model::new(&case.kinds);
    for entry in ground.history.entries() {
        model
            .take(entry)
            .map_err(|why| format!("entry {}: {why}", entry.seq))?;
    }
    let Some((outcome, _)) = &model.ended else {
        return Err("the run is not over".to_owned());
    };
    let outside = &ground.outside;
    effects(case, &model, *outcome, outside)?;
    repeats(case, &model, outside)?;
    order(ground)?;
    end(case, &model, *outcome, outside.spoken)?;
    left(case, *outcome, ground)?;
    shown(ground)?;
    if look(&state) != look(driven) {
        return Err("the driver's state is not the fold of the ledger".to_owned());
    }
    Ok(())
}

/// The ledger is gapless, chained and canonical, and holds the run to the end.
/// What it has in common with the one that was walked before is not walked again.
fn chained(ground: &mut Ground) -> Result<(), String> {
    let ledger = ground.log.read_bytes(Seq(0), usize::MAX);
    let ledger = ledger.map_err(|error| error.to_string())?;
    let known = ground.walked.iter().zip(&ledger);
    let common = known.take_while(|((_, old), new)| old == *new).count();
    ground.walked.truncate(common);
    let last = ground.walked.last();
    let mut walker = last.map_or_else(Walker::default, |(walker, _)| walker.clone());
    for bytes in &ledger[common..] {
        let _entry = walker.step(bytes).map_err(|broken| broken.to_string())?;
        ground.walked.push((walker.clone(), bytes.clone()));
    }
    if ledger.len() == ground.history.len() {
        Ok(())
    } else {
        Err("the ledger lost entries".to_owned())
    }
}

/// All of a state, but for the plan.
fn look(state: &State) -> String {
    thread_local! {
        static NOTHING: Arc<Plan> = Arc::new(plan(&[]));
    }
    let plan = NOTHING.with(Clone::clone);
    let mut bare = state.clone();
    bare.plan = plan;
    format!("{bare:?}")
}

/// Finished: every effect is there once. Gone back: none is left. Where people
/// left a step out, or its `verify` lied, nobody knows.
fn effects(
    case: &Case,
    model: &Model<'_>,
    outcome: Outcome,
    outside: &Outside,
) -> Result<(), String> {
    for (step, kind) in case.kinds.iter().enumerate() {
        if model.left_out.contains(&step) {
            continue;
        }
        for host in 0..kind.hosts {
            let spot = Spot { step, host };
            let effect = outside.effect(spot);
            // A person said that it did not happen, and then another word turned the run
            // before it was tried again: it is undone all the same, since half may be there.
            let turned = outside.spoken && model.retried.contains(&step);
            let fits = match outcome {
                // What was only said to be there may have been undone though it was not.
                _ if kind.conduct.lies() => effect.abs() <= 1 + i32::from(kind.retry),
                Outcome::Succeeded => outside.whole(spot),
                _ if turned => effect.abs() <= 1,
                Outcome::RolledBack | Outcome::Aborted => effect == 0,
                Outcome::Stopped => (0..=1).contains(&effect),
            };
            if !fits {
                return Err(format!("{spot:?} is in effect {effect} times: {outcome:?}"));
            }
        }
    }
    Ok(())
}

/// A step that is not safe to repeat is carried out once a leg, and undone once,
/// unless a failure is known and the plan says to try again, or a person did.
fn repeats(case: &Case, model: &Model<'_>, outside: &Outside) -> Result<(), String> {
    for (step, kind) in case.kinds.iter().enumerate() {
        let by_word = [&model.retried, &model.left_out];
        if kind.nature.repeatable() || by_word.iter().any(|steps| steps.contains(&step)) {
            continue;
        }
        for host in 0..kind.hosts {
            let spot = Spot { step, host };
            let count = |role| {
                let deeds = outside.deeds.iter();
                deeds.filter(|deed| **deed == (role, spot)).count()
            };
            let tries = model.legs_forward * (1 + usize::from(kind.retry));
            if count(FenceRole::Run) > tries || count(FenceRole::Undo) > model.legs_forward {
                return Err(format!("{spot:?} was carried out or undone twice"));
            }
        }
    }
    Ok(())
}

/// Hosts undid in the order in which the ledger says they were told to.
fn order(ground: &Ground) -> Result<(), String> {
    let told = ground
        .history
        .entries()
        .filter_map(|entry| match &entry.event {
            Event::AttemptStarted {
                step, host, role, ..
            } if *role == FenceRole::Undo => Some(Spot::of(step, host)),
            Event::StepDone { step, host } => Some(Spot::of(step, host.as_deref().unwrap_or("h0"))),
            _ => None,
        });
    let mut told = told.collect::<Vec<Spot>>().into_iter();
    let undone = ground.outside.deeds.iter();
    for (_, spot) in undone.filter(|(role, _)| *role == FenceRole::Undo) {
        if !told.any(|told| told == *spot) {
            return Err(format!("{spot:?} was undone out of order"));
        }
    }
    Ok(())
}

/// A plan without hope never ends in success, and a good one in nothing else,
/// unless people said so.
fn end(case: &Case, model: &Model<'_>, outcome: Outcome, spoken: bool) -> Result<(), String> {
    let by_word = [&model.left_out, &model.retried, &model.vouched];
    let open = |step: &usize| by_word.iter().all(|steps| !steps.contains(step));
    let hopeless = (0..case.kinds.len())
        .filter(open)
        .any(|step| case.kinds[step].hopeless());
    let any = |conducts: &[Conduct]| {
        let mut kinds = case.kinds.iter();
        kinds.any(|kind| conducts.contains(&kind.conduct))
    };
    // A try of which nobody knows how it ended counts as one.
    let fails = case.kinds.iter().any(|kind| kind.hopeless()) || any(&[Conduct::FailsOnce]);
    let fits = match outcome {
        Outcome::Succeeded => !hopeless,
        Outcome::RolledBack => fails || model.called_back,
        Outcome::Aborted => model.called_back || fails,
        Outcome::Stopped => {
            let stuck = [Conduct::UndoFails, Conduct::NoReturn, Conduct::AlwaysPasses];
            model.called_off && (spoken || any(&stuck))
        }
    };
    if fits {
        Ok(())
    } else {
        Err(format!("it ended as {outcome:?}"))
    }
}

/// A rehearsal that went back saw for itself that it left nothing.
fn left(case: &Case, outcome: Outcome, ground: &Ground) -> Result<(), String> {
    let lies = case.kinds.iter().any(|kind| kind.conduct.lies());
    let whole = case.what == RunKind::Rehearsal && outcome == Outcome::Succeeded;
    if !whole || lies || ground.outside.spoken {
        return Ok(());
    }
    let trips = ground
        .history
        .entries()
        .filter_map(|entry| match &entry.event {
            Event::RoundTrip(trip) => Some(trip.residues.len()),
            _ => None,
        });
    match trips.collect::<Vec<_>>().as_slice() {
        [0] => Ok(()),
        other => Err(format!("what its ways back left: {other:?}")),
    }
}

/// What nobody knew for a while is a surprise in the review.
fn shown(ground: &Ground) -> Result<(), String> {
    let entries: Vec<Entry> = ground.history.entries().cloned().collect();
    let mut roles = BTreeMap::new();
    let mut lost = Vec::new();
    for entry in &entries {
        match &entry.event {
            Event::AttemptStarted {
                attempt,
                step,
                role,
                ..
            } => {
                let _new = roles.insert(attempt, (step, *role));
            }
            Event::AttemptEnded {
                attempt,
                end: Ending::Unknown { .. },
                ..
            } => lost.extend(roles.get(attempt)),
            _ => {}
        }
    }
    lost.retain(|(_, role)| matches!(role, FenceRole::Run | FenceRole::Undo));
    if lost.is_empty() {
        return Ok(());
    }
    let review = Review::of(&entries, &ground.setup.plan);
    let shows = |step: &StepId| {
        let mut surprises = review.surprises.iter();
        surprises.any(|one| one.kind == Kind::Unknown && one.step.as_ref() == Some(step))
    };
    match lost.iter().find(|(step, _)| !shows(step)) {
        Some((step, _)) => Err(format!("the review does not say that {step} was unknown")),
        None => Ok(()),
    }
}
