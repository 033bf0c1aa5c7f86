//! A run, its plan, and what changes in it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Planned, SpanView};

/// Rehearsal or launch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RunKindView {
    /// Forward, back and forward again.
    Rehearsal,
    /// The real thing.
    Launch,
}

/// Whether a run goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ModeView {
    /// It does.
    Going,
    /// It halts as soon as what is under way has ended.
    Pausing,
    /// It halts at a safe point.
    Paused,
    /// It stands still until a named person decides.
    Frozen,
    /// The judge watches what was changed.
    Watching,
    /// It is over.
    Ended,
}

/// Which way a run goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LegView {
    /// Carrying out the steps.
    Forward,
    /// Undoing them.
    Back,
    /// Carrying them out once more, in a rehearsal.
    Again,
}

/// Where a step stands on one host, or as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PlaceState {
    /// Nothing was done yet.
    Waiting,
    /// Under way.
    Running,
    /// In effect.
    Succeeded,
    /// It did not work.
    Failed,
    /// Nobody knows.
    Unknown,
    /// Being undone.
    Undoing,
    /// Undone.
    Undone,
    /// Left out.
    Skipped,
}

/// A run in a list.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct RunRow {
    /// Its id.
    pub id: String,
    /// Rehearsal or launch.
    pub kind: RunKindView,
    /// Where.
    pub environment: String,
    /// The version.
    pub release: String,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// How it ended, when it has.
    pub ended: Option<EndedView>,
}

/// Runs, the latest first.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Runs {
    /// The runs of this page.
    pub runs: Vec<RunRow>,
    /// The cursor of the next page; none on the last.
    pub next: Option<String>,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct EndedView {
    /// `succeeded`, `rolled-back`, `stopped` or `aborted`.
    pub outcome: String,
    /// Why.
    pub because: String,
    /// When.
    pub at: Timestamp,
}

/// One run, as it stands.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct RunView {
    /// Its id; `next` for the launch that nobody opened yet.
    pub id: String,
    /// What is released.
    pub name: String,
    /// Rehearsal or launch.
    pub kind: RunKindView,
    /// Where.
    pub environment: String,
    /// The version.
    pub release: String,
    /// The handoff it belongs to.
    pub handoff: String,
    /// The entry of the ledger it is folded to.
    pub seq: u64,
    /// The server's clock.
    pub at: Timestamp,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// How it ended, when it has.
    pub ended: Option<EndedView>,
    /// Whether it goes on.
    pub mode: ModeView,
    /// Which way.
    pub leg: LegView,
    /// Whether a Baton drives it.
    pub driven: bool,
    /// When it may run.
    pub window: Option<SpanView>,
    /// When it will be over.
    pub forecast: Option<ForecastView>,
    /// What going back would do now.
    pub back: Option<BackView>,
    /// The labels of the runbook.
    pub phases: Vec<PhaseView>,
    /// The steps, in the order of the plan.
    pub steps: Vec<StepView>,
    /// What people are asked.
    pub waits: Vec<WaitView>,
    /// What the judge watches.
    pub watch: Option<WatchView>,
    /// Who belongs in the room.
    pub people: Vec<SeatView>,
    /// Who says go.
    pub poll: PollView,
}

/// What changed in a run: steps whole, everything else where it is there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct RunPatch {
    /// The entry this brings the run to; left out where only time has passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// Steps that changed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<StepView>,
    /// How it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<EndedView>,
    /// Whether it goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<ModeView>,
    /// Which way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leg: Option<LegView>,
    /// Whether a Baton drives it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub driven: Option<bool>,
    /// When it will be over; `null` when nobody can say any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<ForecastView>)]
    pub forecast: Option<Option<ForecastView>>,
    /// What going back would do now; `null` when there is no way back to take.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<BackView>)]
    pub back: Option<Option<BackView>>,
    /// What people are asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits: Option<Vec<WaitView>>,
    /// What the judge watches; `null` when it does not any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<WatchView>)]
    pub watch: Option<Option<WatchView>>,
    /// Who says go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub poll: Option<PollView>,
}

/// When a run will be over.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ForecastView {
    /// If everything goes quickly.
    pub early: Timestamp,
    /// As planned.
    pub likely: Timestamp,
    /// If everything takes its time.
    pub late: Timestamp,
    /// The last moment at which going back still fits the window.
    pub last_turn_back: Option<Timestamp>,
}

/// What going back would do.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct BackView {
    /// The steps that would be undone, in that order.
    pub undoes: Vec<String>,
    /// The point of no return at which it would stop.
    pub stops_at: Option<String>,
    /// How long it should take.
    pub seconds: Option<f64>,
}

/// A label of the runbook.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct PhaseView {
    /// Its heading.
    pub title: String,
    /// The steps below it.
    pub steps: Vec<String>,
}

/// When something began and ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Times {
    /// When it began.
    pub began: Option<Timestamp>,
    /// When it ended.
    pub ended: Option<Timestamp>,
}

/// One step of a run.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct StepView {
    /// Its id.
    pub id: String,
    /// Its heading.
    pub title: String,
    /// Who owns it, as written.
    pub owner: String,
    /// Who stands in.
    pub backup: Option<String>,
    /// What must be finished before.
    pub after: Vec<String>,
    /// Where it stands as a whole.
    pub state: PlaceState,
    /// Where it stands on each host.
    pub hosts: Vec<PlaceView>,
    /// When it should happen, seen from when the run was opened.
    pub planned: Option<Planned>,
    /// When it did.
    pub actual: Times,
    /// How long it should take.
    pub expect_s: Option<f64>,
    /// Whether a delay of it delays the end.
    pub critical: bool,
    /// Why there is no way back behind it.
    pub no_way_back: Option<String>,
    /// Whether it changes anything.
    pub changes: bool,
    /// Whether a person does it.
    pub by_hand: bool,
    /// The tick list of a person's step.
    pub tasks: Vec<String>,
    /// Whose approval it needs.
    pub approvals: Option<ApprovalsView>,
    /// How long the judge watches it.
    pub watch_s: Option<f64>,
}

/// Whose approval a step needs.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ApprovalsView {
    /// How many.
    pub need: u32,
    /// Of which team or role.
    pub team: String,
    /// Who has given it.
    pub by: Vec<String>,
}

/// A step on one host.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct PlaceView {
    /// The host; empty for the contract's own folder.
    pub host: String,
    /// Where it stands.
    pub state: PlaceState,
    /// Which fence was tried last.
    pub role: Option<String>,
    /// The last attempt.
    pub attempt: Option<String>,
    /// When that began.
    pub began: Option<Timestamp>,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// How often the deed was tried.
    pub tries: u32,
}

/// What a person may do about a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Say that it is done.
    Done,
    /// Approve it.
    Approve,
    /// Have it tried again.
    Retry,
    /// Leave it out.
    Skip,
    /// Go back.
    Rollback,
    /// Stop as it stands.
    Stop,
    /// Let it go on.
    Resume,
    /// Take over the running release.
    AcceptLive,
}

/// Something a person is asked.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct WaitView {
    /// The step, when it is about one.
    pub step: Option<String>,
    /// The hosts, when it is about some.
    pub hosts: Vec<String>,
    /// Who may answer, owners first.
    pub people: Vec<String>,
    /// What is asked, in a sentence.
    pub says: String,
    /// The same at a terminal.
    pub command: Option<String>,
    /// What they may do.
    pub actions: Vec<Action>,
    /// Since when it is asked.
    pub since: Timestamp,
    /// Who was called because nobody answered.
    pub escalated_to: Option<String>,
}

/// What the judge watches.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct WatchView {
    /// Since when.
    pub since: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// `keep`, `hold` or `roll-back`.
    pub verdict: String,
    /// Why.
    pub says: String,
    /// Each measure.
    pub measures: Vec<MeasureView>,
}

/// One measure of a run.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct MeasureView {
    /// Its id.
    pub id: String,
    /// What it says, for people.
    pub says: String,
    /// Its limit, in words.
    pub bar: String,
    /// Where it stands.
    pub verdict: String,
    /// How many times the baseline's rate.
    pub ratio: Option<f64>,
    /// That at least.
    pub low: Option<f64>,
    /// That at most.
    pub high: Option<f64>,
    /// The evidence of harm, 1 at the beginning.
    pub e: Option<f64>,
    /// The plot, as a picture without scripts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub svg: Option<String>,
    /// The share of bad ones, look by look.
    pub points: Vec<Valued>,
}

/// A value at a moment.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Valued {
    /// When.
    pub at: Timestamp,
    /// The value.
    pub value: f64,
}

/// Every measure of a run.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Measures {
    /// In the order of the contract.
    pub measures: Vec<MeasureView>,
}

/// Somebody who belongs in the room.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct SeatView {
    /// Who.
    pub handle: String,
    /// Their name.
    pub name: String,
    /// Their team.
    pub team: String,
    /// The roles they hold.
    pub roles: Vec<String>,
    /// The roles they stand in for.
    pub backup_of: Vec<String>,
    /// Their time zone.
    pub zone: String,
    /// Whether they are there.
    pub present: bool,
    /// Through what.
    pub via: Option<super::Via>,
    /// Since when, as this server saw it.
    pub since: Option<Timestamp>,
    /// Whether the launch needs them or their backup.
    pub required: bool,
}

/// Who says go.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct PollView {
    /// Whether votes are still taken.
    pub open: bool,
    /// What was voted for each role.
    pub votes: Vec<VoteView>,
    /// Roles nobody has voted for.
    pub missing: Vec<String>,
    /// How sure people are.
    pub confidence: ConfidenceView,
    /// Why people should talk first.
    pub talk_needed: Option<String>,
}

/// One vote.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct VoteView {
    /// Who.
    pub handle: String,
    /// For which role; empty for somebody without one.
    pub role: String,
    /// Go or no-go; none while it is missing.
    pub go: Option<bool>,
    /// Why.
    pub because: Option<String>,
}

/// How sure people are: closed until all are in, and never told of fewer than three.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ConfidenceView {
    /// Whether it may be told.
    pub shown: bool,
    /// The mean of each team with at least three voters.
    pub by_team: Option<BTreeMap<String, f64>>,
}

/// The plan: its steps with their prose and fences.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct PlanView {
    /// In the order of the plan.
    pub steps: Vec<PlanStep>,
}

/// One step of the plan.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct PlanStep {
    /// As in a run.
    #[serde(flatten)]
    pub step: StepView,
    /// Its prose, as harmless HTML.
    pub prose: String,
    /// What is carried out.
    pub fences: Vec<FenceView>,
}

/// One fence.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct FenceView {
    /// `run`, `verify`, `undo` or `preflight`.
    pub role: String,
    /// The interpreter; `text` is for a person.
    pub lang: String,
    /// What it does.
    pub text: String,
}
