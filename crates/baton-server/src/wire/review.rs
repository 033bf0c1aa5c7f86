//! The review of a run, and lessons.

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::{EndedView, RunKindView, SaidView};

/// The review of a run.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ReviewView {
    /// The run.
    pub run: String,
    /// Rehearsal or launch.
    pub kind: RunKindView,
    /// What was released.
    pub name: String,
    /// Which version.
    pub version: String,
    /// Where.
    pub environment: String,
    /// When and by whom it was opened.
    pub opened: Option<SaidView>,
    /// How it ended.
    pub ended: Option<EndedView>,
    /// Plan against actual.
    pub steps: Vec<ReviewStep>,
    /// What was not as planned.
    pub surprises: Vec<SurpriseView>,
    /// What people decided.
    pub decisions: Vec<DecisionView>,
    /// What was learned.
    pub lessons: Vec<LessonView>,
    /// Components the release touches.
    pub touches: Vec<String>,
}

/// One step, planned and actual.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ReviewStep {
    /// Its id.
    pub step: String,
    /// Its heading.
    pub title: String,
    /// Where it ran.
    pub hosts: Vec<String>,
    /// What it should have taken.
    pub planned_s: Option<f64>,
    /// When it began.
    pub began: Option<Timestamp>,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// How long the run was paused in between.
    pub paused_s: f64,
    /// The most tries a host needed.
    pub tries: u32,
    /// Where it stood at the end.
    pub stood: String,
}

/// Something that was not as planned.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct SurpriseView {
    /// When.
    pub at: Timestamp,
    /// What kind.
    pub kind: String,
    /// The step, when it is about one.
    pub step: Option<String>,
    /// In a sentence.
    pub says: String,
}

/// Something a person decided.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct DecisionView {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: String,
    /// What.
    pub what: String,
    /// Why.
    pub because: Option<String>,
}

/// A lesson.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct LessonView {
    /// Its id.
    pub id: String,
    /// What was learned and what must happen.
    pub text: String,
    /// Components it binds.
    pub touches: Vec<String>,
    /// Who answers for it.
    pub owner: String,
    /// Who kept it.
    pub by: String,
    /// When.
    pub kept: Timestamp,
    /// How it was met.
    pub met: Option<LessonMet>,
}

/// How a lesson was met.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct LessonMet {
    /// When.
    pub at: Timestamp,
    /// Who says so.
    pub by: String,
    /// How.
    pub how: String,
}
