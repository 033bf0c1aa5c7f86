//! What is next: the only place that chooses.
//!
//! [`next`] is a pure function of the durable state, of who asks (the driver's
//! epoch and what it has handed to the world), and of the time. It never looks
//! at the world, so a driver that restarts asks the same question and gets an
//! answer that fits whatever was recorded.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::condition;
use super::state::{Mode, Phase, Place, State, fence};
use super::waits::waits;
use crate::event::{Event, FenceRole, Leg, Outcome};
use crate::handoff::contract::OnHarm;
use crate::handoff::plan::Step;
use crate::id::{AttemptId, HostName, StepId};
use crate::parity::Mark;

/// The most commands that run at once, so that a wide plan does not exhaust the machine.
pub const ACTIVE_MOST: usize = 100;

/// What the driver does next.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// Record this, in Baton's own name.
    Record(Event),
    /// Record that an attempt is about to start; its id is the driver's to make.
    Begin {
        /// The step.
        step: StepId,
        /// The host.
        host: HostName,
        /// Which fence.
        role: FenceRole,
    },
    /// Hand this recorded attempt to the world.
    Start(AttemptId),
    /// Find out what became of an attempt that an earlier driver meant to start.
    Adopt(AttemptId),
    /// Take what was counted, judge it, and record both.
    Look,
    /// Read the facts of the environment; the run goes on once that is recorded.
    Survey(Mark),
    /// Nothing can be done until something happens, or until this moment.
    Wait(Option<Timestamp>),
    /// This driver is done: the run is frozen or over.
    Halt,
}

/// What the driver does next, in `state`, having handed `begun` to the world.
pub fn next(state: &State, begun: &BTreeSet<AttemptId>, now: Timestamp) -> Next {
    let foreign = state
        .active
        .iter()
        .find(|(id, attempt)| attempt.epoch < state.epoch && !begun.contains(*id));
    if let Some((id, _)) = foreign {
        return Next::Adopt(id.clone());
    }
    if state.mode != Mode::Going {
        // A command that was under way when the run froze is seen to its end.
        return if state.active.is_empty() {
            Next::Halt
        } else {
            Next::Wait(None)
        };
    }
    match choose(state, now) {
        // What is recorded is handed over before anything is waited for.
        Next::Wait(until) => match state.active.keys().find(|id| !begun.contains(*id)) {
            Some(id) => Next::Start(id.clone()),
            None => Next::Wait(until),
        },
        chosen => chosen,
    }
}

fn choose(state: &State, now: Timestamp) -> Next {
    let busy = !state.active.is_empty();
    if let Some(stop) = &state.stop {
        let because = format!("{} stopped it{}", stop.by, colon(stop.because.as_deref()));
        return if busy {
            Next::Wait(None)
        } else {
            end(state, Outcome::Stopped, because)
        };
    }
    if state.leg == Leg::Back {
        return match back(state, busy) {
            Next::Wait(until) if !busy => escalation(state, now, until),
            chosen => chosen,
        };
    }
    if let Some(turn) = turn(state) {
        return match state.unknown() {
            _ if busy => Next::Wait(None),
            // Only what is in effect is undone, so that is found out first.
            Some(place) => begin(state, place, FenceRole::Verify),
            None => turn,
        };
    }
    if state.paused.is_some() {
        return Next::Wait(None);
    }
    if state.short_staffed() {
        // Nothing new begins, but the judge goes on looking at what is in effect.
        return watching(state, now).unwrap_or(Next::Wait(None));
    }
    match forward(state, now) {
        Next::Wait(until) => escalation(state, now, until),
        chosen => chosen,
    }
}

/// A step that nobody answered for in time is escalated; else when that is due.
fn escalation(state: &State, now: Timestamp, mut until: Option<Timestamp>) -> Next {
    for waiting in waits(state, now) {
        match state.escalates(&waiting) {
            Some((due, event)) if due <= now => return Next::Record(event),
            Some((due, _)) => until = earliest(until, Some(due)),
            None => {}
        }
    }
    Next::Wait(until)
}

/// Why the run cannot simply go on, and what follows from it.
fn turn(state: &State) -> Option<Next> {
    let freeze = |because: String| Some(Next::Record(Event::Frozen { because }));
    let back = |because: String| {
        Some(Next::Record(Event::LegBegan {
            leg: Leg::Back,
            planned: false,
            because,
        }))
    };
    if let Some(call) = &state.rollback {
        return back(format!(
            "{} called the way back{}",
            call.by,
            colon(call.because.as_deref())
        ));
    }
    let (because, may_go_back) = match (&state.failure, &state.harm) {
        (Some(failure), _) => (failure.because.clone(), true),
        (None, Some(harm)) => {
            let on_harm = state.watch_terms().map(|(_, terms)| terms.on_harm);
            (harm.clone(), on_harm == Some(OnHarm::RollBack))
        }
        (None, None) => return None,
    };
    match barrier(state) {
        Some(why) => freeze(format!(
            "{because}; it does not go back by itself, because {why}"
        )),
        None if may_go_back => back(because),
        None => freeze(because),
    }
}

/// Why the run must not go back by itself: it crossed a point of no return, or
/// a step whose way back no rehearsal has proven.
fn barrier(state: &State) -> Option<String> {
    state
        .plan
        .steps
        .iter()
        .zip(&state.steps)
        .find_map(|(step, cells)| {
            let begun = cells.cells.iter().any(|cell| cell.started.is_some());
            let id = step.id();
            match (begun, &step.written.no_way_back) {
                (false, _) => None,
                (true, Some(why)) => Some(format!("{id} is a point of no return ({why})")),
                (true, None) if step.no_return() => Some(format!("{id} has no undo")),
                (true, None) => (!state.rehearsal() && state.terms.unproven.contains(id))
                    .then(|| format!("no rehearsal has proven the way back of {id}")),
            }
        })
}

fn back(state: &State, busy: bool) -> Next {
    if busy {
        return Next::Wait(None);
    }
    let Some(&place) = state.undo.last() else {
        return match &state.turned {
            None if state.lacks(Mark::Back) => Next::Survey(Mark::Back),
            None => Next::Record(Event::LegBegan {
                leg: Leg::Again,
                planned: true,
                because: "everything is undone; forward again".to_owned(),
            }),
            Some(because) if state.undone.is_empty() && !state.touched() => end(
                state,
                Outcome::Aborted,
                format!("{because}; nothing had taken effect"),
            ),
            Some(because) => end(state, Outcome::RolledBack, because.clone()),
        };
    };
    if let Some(failure) = &state.failure {
        return Next::Record(Event::Frozen {
            because: failure.because.clone(),
        });
    }
    if state.paused.is_some() {
        return Next::Wait(None);
    }
    let step = &state.plan.steps[place.0];
    match (&step.written.undo, &state.cell(place).phase) {
        (None, _) => {
            let why = step
                .written
                .no_way_back
                .as_deref()
                .unwrap_or("it has no undo");
            Next::Record(Event::Frozen {
                because: format!("there is no way back past {}: {why}", step.id()),
            })
        }
        (_, Phase::Undid | Phase::UndoUnknown) => begin(state, place, FenceRole::Verify),
        (_, Phase::Asked | Phase::UndoAsked) => Next::Wait(None),
        (Some(undo), _) if undo.is_text() => Next::Wait(None),
        _ => begin(state, place, FenceRole::Undo),
    }
}

fn forward(state: &State, now: Timestamp) -> Next {
    if state.leg == Leg::Forward && state.lacks(Mark::Before) {
        return Next::Survey(Mark::Before);
    }
    let mut until: Option<Timestamp> = None;
    let mut held = true;
    for &i in &state.ready {
        let step = &state.plan.steps[i];
        if state.held(step) {
            continue;
        }
        held = false;
        match advance(state, i, now) {
            Next::Wait(at) => until = earliest(until, at),
            chosen => return chosen,
        }
    }
    if let Some(watched) = watching(state, now) {
        return match watched {
            Next::Wait(at) => Next::Wait(earliest(until, at)),
            chosen => chosen,
        };
    }
    if !held || !state.active.is_empty() {
        return Next::Wait(until);
    }
    finished(state)
}

/// Every step that may be carried out in this leg is finished.
fn finished(state: &State) -> Next {
    if state.rehearsal() {
        return if state.leg == Leg::Forward && state.lacks(Mark::Forward) {
            Next::Survey(Mark::Forward)
        } else if state.leg == Leg::Forward {
            Next::Record(Event::LegBegan {
                leg: Leg::Back,
                planned: true,
                because: "every step is in effect; now the way back".to_owned(),
            })
        } else {
            end(
                state,
                Outcome::Succeeded,
                "forward, back and forward again".to_owned(),
            )
        };
    }
    if !state.watch_over() {
        return Next::Record(Event::WatchBegan {
            step: None,
            stage: 0,
            learned: BTreeMap::new(),
        });
    }
    if !state.accepted {
        return Next::Wait(None);
    }
    end(
        state,
        Outcome::Succeeded,
        "carried out, watched and accepted".to_owned(),
    )
}

/// What the judge does: look when it is time, and end the watch when it is over.
///
/// A watch has its number of looks, each a pause after the one before: a clock that
/// jumps forward brings one look early and ends nothing.
fn watching(state: &State, now: Timestamp) -> Option<Next> {
    let watching = state.watch.as_ref()?;
    let (_, _, next) = state.watch_times()?;
    if !watching.judge.is_over() {
        return Some(if now < next {
            Next::Wait(Some(next))
        } else {
            Next::Look
        });
    }
    let verdict = watching.verdict.as_ref();
    Some(match verdict {
        Some(verdict) if verdict.decision == crate::watch::Decision::Keep => {
            Next::Record(Event::WatchEnded {
                because: verdict.because.clone(),
            })
        }
        _ => Next::Record(Event::Frozen {
            because: verdict.map_or_else(
                || "the judge has seen nothing".to_owned(),
                |verdict| verdict.because.clone(),
            ),
        }),
    })
}

/// What a ready step needs next.
fn advance(state: &State, i: usize, now: Timestamp) -> Next {
    let step = &state.plan.steps[i];
    let fresh = state.steps[i]
        .cells
        .iter()
        .all(|cell| cell.phase == Phase::Todo && cell.tries == 0);
    if fresh {
        match step
            .written
            .when
            .as_ref()
            .map(|when| condition::holds(when, &state.plan, &state.outputs))
        {
            Some(Ok(false)) => {
                let when = step.written.when.as_ref().map_or("", |when| when.as_str());
                return Next::Record(Event::StepSkipped {
                    step: step.id().clone(),
                    because: format!("its condition does not hold: {when}"),
                });
            }
            Some(Err(why)) => {
                return Next::Record(Event::Frozen {
                    because: format!("{}: {why}", step.id()),
                });
            }
            Some(Ok(true)) | None => {}
        }
        if let Some(at) = not_before(state, step).filter(|at| now < *at) {
            return Next::Wait(Some(at));
        }
        if !state.startable(i, now) {
            return Next::Wait(None);
        }
    }
    let Some((stage, range)) = state.open_stage(i) else {
        return Next::Wait(None);
    };
    let mut until = None;
    for h in range.clone() {
        match advance_cell(state, (i, h), now) {
            Next::Wait(at) => until = earliest(until, at),
            chosen => return chosen,
        }
    }
    let complete = state.steps[i].cells[range]
        .iter()
        .all(|cell| cell.phase == Phase::Done);
    if complete && state.watch.is_none() {
        return Next::Record(Event::WatchBegan {
            step: Some(step.id().clone()),
            stage: u32::try_from(stage).unwrap_or(u32::MAX) + 1,
            learned: BTreeMap::new(),
        });
    }
    Next::Wait(until)
}

fn advance_cell(state: &State, place: Place, now: Timestamp) -> Next {
    let step = &state.plan.steps[place.0];
    let cell = state.cell(place);
    let room = state.active.len() < ACTIVE_MOST;
    let machine = |role| fence(step, role).is_some();
    match &cell.phase {
        _ if !room => Next::Wait(None),
        Phase::Todo if machine(FenceRole::Preflight) && cell.tries == 0 => {
            begin(state, place, FenceRole::Preflight)
        }
        Phase::Todo | Phase::Cleared if machine(FenceRole::Run) => {
            let pause = step
                .written
                .retry
                .map(|retry| retry.every)
                .unwrap_or_default();
            match cell.failed_at.map(|at| pause.after(at)) {
                Some(at) if now < at => Next::Wait(Some(at)),
                _ => begin(state, place, FenceRole::Run),
            }
        }
        Phase::Did | Phase::Unknown => begin(state, place, FenceRole::Verify),
        _ => Next::Wait(None),
    }
}

impl State {
    /// A place of which nobody knows whether the deed was done, and whose verify can tell.
    fn unknown(&self) -> Option<Place> {
        let cells = |i: usize| {
            self.steps[i]
                .cells
                .iter()
                .enumerate()
                .map(move |(h, c)| ((i, h), c))
        };
        let mut places = self.ready.iter().flat_map(|i| cells(*i));
        places
            .find(|(_, cell)| cell.phase == Phase::Unknown)
            .map(|(place, _)| place)
    }

    /// Whether a ready step may begin now: approved, and inside the window.
    /// (`at:` and `when:` are asked before.)
    pub(super) fn startable(&self, i: usize, now: Timestamp) -> bool {
        let step = &self.plan.steps[i];
        let wanted = step
            .written
            .approve
            .as_ref()
            .map_or(0, |approve| approve.count as usize);
        let early = not_before(self, step).is_some_and(|at| now < at);
        self.steps[i].approved.len() >= wanted && !early && !self.past_window(step, now)
    }

    /// Whether the step must not begin because the window is over and the
    /// launch-lead has not said a word.
    pub(super) fn past_window(&self, step: &Step, now: Timestamp) -> bool {
        let over = self
            .plan
            .contract
            .launch
            .window
            .is_some_and(|window| now >= window.closes);
        over && !self.rehearsal() && !self.extended && step.written.changes
    }
}

/// The earliest moment of a step. A rehearsal does not wait for the clock.
pub(super) fn not_before(state: &State, step: &Step) -> Option<Timestamp> {
    if state.rehearsal() {
        None
    } else {
        state.plan.not_before(step)
    }
}

fn begin(state: &State, place: Place, role: FenceRole) -> Next {
    Next::Begin {
        step: state.plan.steps[place.0].id().clone(),
        host: state.host(place).clone(),
        role,
    }
}

fn end(state: &State, outcome: Outcome, because: String) -> Next {
    Next::Record(Event::RunEnded {
        outcome,
        because,
        undone: state.undone.iter().cloned().collect(),
    })
}

fn earliest(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

fn colon(because: Option<&str>) -> String {
    because
        .map(|because| format!(": {because}"))
        .unwrap_or_default()
}
