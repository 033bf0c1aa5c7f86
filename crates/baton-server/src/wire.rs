//! The shapes of the wire. They are the server's own, so that the core's types
//! stay free to change; `openapi.json` is made from them, and the page's types
//! from that. Fields are only ever added; a reader ignores what it does not know.
//!
//! Instants are RFC 3339 in UTC, durations are seconds.

mod handoff;
mod review;
mod room;
mod run;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use handoff::{
    BlockerView, Collected, CriterionView, DeclinedView, DigestsView, ExpectationView, FoundState,
    HandoffRow, HandoffView, Handoffs, History, MeasureTerms, MineView, ParityRow, ParityView,
    PersonView, PlanRecord, PointOpen, QuestionView, RoleView, SaidView, SpanView,
};
pub use review::{DecisionView, LessonMet, LessonView, ReviewStep, ReviewView, SurpriseView};
pub use room::{
    Answered, Because, Entered, FeedLine, Feeds, HandoffTurn, Hello, HowMet, Me, NewLesson,
    OpenedFrame, OutputFrame, OutputView, Problem, Report, RunWord, Said, SeatAsked, SeatTaken,
    SeatsFrame, StatusView, StepWord, Token, Via, Voted, WordOnStep,
};
pub use run::{
    Action, ApprovalsView, BackView, ConfidenceView, EndedView, FenceView, ForecastView, LegView,
    MeasureView, Measures, ModeView, PhaseView, PlaceState, PlaceView, PlanStep, PlanView,
    PollView, RunKindView, RunPatch, RunRow, RunView, Runs, SeatView, StepView, Times, Valued,
    VoteView, WaitView, WatchView,
};

/// When something begins and ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Planned {
    /// When it begins.
    pub begins: Timestamp,
    /// When it ends.
    pub ends: Timestamp,
}
