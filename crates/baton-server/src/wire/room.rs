//! The room: who reads, what they say, and what the stream carries.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Who reads.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Me {
    /// Handle; none for whoever came without a link.
    pub handle: Option<String>,
    /// Name.
    pub name: String,
    /// Time zone.
    pub zone: String,
    /// Roles held or stood in for.
    pub roles: Vec<String>,
    /// Teams.
    pub teams: Vec<String>,
}

/// A refusal (RFC 9457).
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Problem {
    /// What kind of problem, as a reference.
    #[serde(rename = "type")]
    pub kind: String,
    /// What kind of problem, in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong here.
    pub detail: String,
    /// A word for programs.
    pub code: String,
    /// What would make it pass.
    pub hints: Vec<String>,
}

/// Where a seat's page is, every two seconds.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct SeatAsked {
    /// Whether somebody can see the page.
    pub visible: bool,
    /// Which page, by its path.
    #[serde(default)]
    pub page: String,
}

/// The seat is kept for six seconds more.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SeatTaken {
    /// The last line that was told of the run whose page this is; 0 elsewhere.
    pub seq: u64,
    /// The server's clock.
    pub at: Timestamp,
}

/// Through what somebody sits in the room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Via {
    /// A visible page.
    Page,
    /// A terminal.
    Terminal,
}

/// Something said.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct Said {
    /// What, 1 to 4000 characters.
    pub text: String,
    /// Whether it records what came of a talk about a no-go or a gap.
    #[serde(default)]
    pub talk: bool,
}

/// A vote.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct Voted {
    /// Go, or no-go.
    pub go: bool,
    /// How sure, 1 to 5.
    pub confidence: u8,
    /// Why; a no-go needs it.
    pub because: Option<String>,
}

/// A blind answer.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct Answered {
    /// The answer.
    pub value: String,
    /// For which team, for whoever is in both.
    pub team: Option<String>,
}

/// A word to a run, and why.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
pub struct Because {
    /// Why.
    pub because: Option<String>,
}

/// A word about a step.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
pub struct WordOnStep {
    /// On which host; on all that are waited for, when left out.
    pub host: Option<String>,
    /// Why; leaving a step out needs it.
    pub because: Option<String>,
}

/// A word to a run as a whole.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RunWord {
    /// Halt at the next safe point.
    Pause,
    /// Go on.
    Resume,
    /// Go back.
    Rollback,
    /// Stop as it stands.
    Stop,
    /// Take over the running release.
    AcceptLive,
}

/// A word about one step.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StepWord {
    /// It is done.
    Done,
    /// It may be done.
    Approve,
    /// Try it again.
    Retry,
    /// Leave it out.
    Skip,
}

/// A lesson to keep.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct NewLesson {
    /// The run it was learned from.
    pub run: String,
    /// What was learned and what must happen.
    pub text: String,
    /// Who answers for it.
    pub owner: String,
    /// Components it binds.
    pub touches: Vec<String>,
}

/// How a lesson was met.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct HowMet {
    /// How.
    pub how: String,
}

/// A report from the status page.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct Report {
    /// What is wrong, 1 to 1000 characters.
    pub says: String,
    /// How to reach whoever says so.
    pub contact: Option<String>,
}

/// What the public may know.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct StatusView {
    /// What is released.
    pub name: String,
    /// Which version.
    pub version: String,
    /// `fine`, `going`, `trouble` or `down`.
    pub state: String,
    /// In a sentence without our words.
    pub says: String,
    /// Since when.
    pub since: Option<Timestamp>,
}

/// One line of the feed.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct FeedLine {
    /// Its place in the ledger.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// Who says so.
    pub by: String,
    /// What, in one sentence.
    pub says: String,
    /// `quiet`, `plain` or `marked`.
    pub weight: String,
    /// `said` for what people typed, `reported` from the status page, `fact` else.
    pub kind: String,
}

/// Lines of the feed, oldest first.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Feeds {
    /// The lines of this page.
    pub lines: Vec<FeedLine>,
    /// The cursor of the next page; none on the last.
    pub next: Option<String>,
}

/// A piece of an attempt's output.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct OutputView {
    /// The text, masked.
    pub text: String,
    /// The offset in bytes behind it.
    pub next: u64,
    /// Whether nothing follows.
    pub complete: bool,
}

/// The first event of a stream.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Hello {
    /// The last entry that is behind this stream.
    pub seq: u64,
    /// The server's version.
    pub version: String,
    /// The server's clock.
    pub at: Timestamp,
}

/// The `output` event.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OutputFrame {
    /// The attempt.
    pub attempt: String,
    /// The offset in bytes of the text.
    pub from: u64,
    /// The offset behind it.
    pub next: u64,
    /// The text, masked.
    pub text: String,
}

/// The `seats` event.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct SeatsFrame {
    /// Everybody who belongs in the room.
    pub people: Vec<super::SeatView>,
}

/// The `handoff` event: read the handoff again.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct HandoffTurn {
    /// The entry that changed it.
    pub seq: u64,
}

/// The `opened` event: the launch that was to come, or a rehearsal, is this run.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OpenedFrame {
    /// The run.
    pub run: String,
}

/// What a link's address carries behind its `#`.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct Token {
    /// The token, as it stands there.
    pub token: String,
}

/// Who came in.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Entered {
    /// Their handle.
    pub handle: String,
}
