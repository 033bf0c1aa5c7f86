//! The review of a run.

use baton_core::event::{Outcome, RunKind};
use baton_core::id::RunId;
use baton_core::review::{self, Actual, Decided, Lesson, Review, Surprise};
use baton_engine::desk::{Desk, learn};
use baton_engine::drive;
use baton_engine::failure::Failure;

use super::plan::seconds;
use crate::wire::{
    DecisionView, EndedView, LessonMet, LessonView, ReviewStep, ReviewView, RunKindView, SaidView,
    SurpriseView,
};

/// The review of a run, as `baton review` drafts it. One that is not over grows.
///
/// # Errors
/// When there is no such run, or its plan cannot be used.
pub(crate) fn of(desk: &mut Desk, run: &RunId) -> Result<ReviewView, Failure> {
    let plan = drive::plan(&mut desk.log, run)?;
    let entries = learn::story(desk, run)?;
    let review = Review::of(&entries, &plan);
    let about = review.about;
    let launched = review.opened.as_ref().map(|opened| opened.what);
    Ok(ReviewView {
        run: run.to_string(),
        kind: kind(launched.unwrap_or(RunKind::Launch)),
        name: about.name,
        version: about.version,
        environment: about.environment.to_string(),
        opened: review.opened.map(|opened| SaidView {
            by: opened.by.to_string(),
            at: opened.at,
        }),
        ended: review.ended.map(|ended| over(&ended)),
        steps: review.steps.iter().map(step).collect(),
        surprises: review.surprises.into_iter().map(surprise).collect(),
        decisions: review.decisions.into_iter().map(decision).collect(),
        lessons: review.lessons.iter().map(lesson).collect(),
        touches: about.touches.iter().map(ToString::to_string).collect(),
    })
}

/// Rehearsal or launch.
pub(crate) fn kind(kind: RunKind) -> RunKindView {
    match kind {
        RunKind::Rehearsal => RunKindView::Rehearsal,
        RunKind::Launch => RunKindView::Launch,
    }
}

/// How a run ended, in a word.
pub(crate) fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Succeeded => "succeeded",
        Outcome::RolledBack => "rolled-back",
        Outcome::Stopped => "stopped",
        Outcome::Aborted => "aborted",
    }
}

fn over(ended: &review::Ended) -> EndedView {
    EndedView {
        outcome: outcome(ended.outcome).to_owned(),
        because: ended.because.clone(),
        at: ended.at,
    }
}

fn step(of: &Actual) -> ReviewStep {
    ReviewStep {
        step: of.step.to_string(),
        title: of.title.clone(),
        hosts: of.hosts.iter().map(ToString::to_string).collect(),
        planned_s: of.planned.map(seconds),
        began: of.began,
        ended: of.ended,
        paused_s: seconds(of.paused),
        tries: of.tries,
        stood: of.stood.says().replace(' ', "-"),
    }
}

fn surprise(of: Surprise) -> SurpriseView {
    SurpriseView {
        at: of.at,
        kind: word(&of.kind),
        step: of.step.map(|step| step.to_string()),
        says: of.says,
    }
}

/// A word of the core as it is written in JSON: the same for every reader.
fn word(of: &impl serde::Serialize) -> String {
    let word = serde_json::to_value(of).ok();
    let word = word.as_ref().and_then(serde_json::Value::as_str);
    word.unwrap_or_default().to_owned()
}

fn decision(of: Decided) -> DecisionView {
    DecisionView {
        at: of.at,
        by: of.by.to_string(),
        what: of.what,
        because: of.because,
    }
}

/// A lesson.
pub(crate) fn lesson(of: &Lesson) -> LessonView {
    LessonView {
        id: of.id.to_string(),
        text: of.text.clone(),
        touches: of.touches.iter().map(ToString::to_string).collect(),
        owner: of.owner.to_string(),
        by: of.by.to_string(),
        kept: of.kept,
        met: of.met.as_ref().map(|met| LessonMet {
            at: met.at,
            by: met.by.to_string(),
            how: met.how.clone(),
        }),
    }
}
