//! A handoff: the verdict and everything it rests on.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// From when to when, with the zone in which it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct SpanView {
    /// First moment.
    pub opens: Timestamp,
    /// First moment after it.
    pub closes: Timestamp,
    /// The contract's zone, as an offset: `+01:00`.
    pub zone: String,
}

/// Every handoff of this ledger.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Handoffs {
    /// The one of the files first, then those before, the latest first.
    pub handoffs: Vec<HandoffRow>,
}

/// A handoff in a list.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct HandoffRow {
    /// Its id.
    pub id: String,
    /// What is released.
    pub name: String,
    /// Which version.
    pub version: String,
    /// Where.
    pub environment: String,
    /// Who hands over.
    pub from: String,
    /// Who takes over.
    pub to: String,
    /// When it may run.
    pub window: Option<SpanView>,
    /// `ready`, `not-ready` or `inconclusive`; of one before, how its last run ended, or `past`.
    pub verdict: String,
    /// The eight questions; none of one before, whose files are gone.
    pub questions: Vec<QuestionView>,
    /// Its latest run.
    pub latest_run: Option<String>,
}

/// One of the eight questions.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct QuestionView {
    /// Its key.
    pub key: String,
    /// `answered`, `open`, `declined` or `later`.
    pub state: FoundState,
    /// Blockers that stand.
    pub open: u32,
    /// Blockers set aside.
    pub waived: u32,
}

/// Where a question stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FoundState {
    /// No blocker stands.
    Answered,
    /// At least one does.
    Open,
    /// Set aside by a named person.
    Declined,
    /// Asked only at the launch.
    Later,
}

/// Something that speaks against the launch.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct BlockerView {
    /// Its code.
    pub code: String,
    /// The question it belongs to.
    pub question: String,
    /// A sentence a person understands.
    pub says: String,
    /// What it names.
    pub names: Vec<String>,
    /// Who answers for it.
    pub owner: Option<String>,
    /// What makes it pass.
    pub next: Option<String>,
}

/// A question set aside.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct DeclinedView {
    /// The question.
    pub question: String,
    /// Why.
    pub because: String,
    /// By whom.
    pub by: String,
}

/// An expectation, as far as the reader may see it.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ExpectationView {
    /// Its id.
    pub id: String,
    /// The question.
    pub ask: String,
    /// What kind of answer it wants: `number`, `duration`, `text`, `yes or no`, or the words to
    /// choose from: `cents | euros`.
    pub answer_kind: String,
    /// The reader's own answer, when it is kept on this machine.
    pub mine: Option<String>,
    /// Which team has answered.
    pub given: BTreeMap<String, bool>,
    /// How the answers differ.
    pub conflict: Option<String>,
    /// Both answers, once both are in.
    pub opened: Option<BTreeMap<String, String>>,
}

/// One line of the definition of done.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct CriterionView {
    /// Its id.
    pub id: String,
    /// What it says.
    pub says: String,
    /// Who answers for it.
    pub owner: String,
    /// `passed`, `signed`, `failed`, `missing`, `unsigned`, `stale` or `unknown`.
    pub state: String,
    /// When its evidence was taken.
    pub at: Option<Timestamp>,
    /// How old that is.
    pub age_s: Option<f64>,
    /// How old it may be.
    pub fresh_s: Option<f64>,
    /// Who signs it.
    pub sign: Option<String>,
    /// What shows its output, as `GET /api/attempts/…/output` takes it: `criterion:ID`.
    pub output_attempt: Option<String>,
    /// Why it does not count.
    pub why: Option<String>,
}

/// A success measure, as agreed.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct MeasureTerms {
    /// Its id.
    pub id: String,
    /// What it says.
    pub says: String,
    /// Who answers for it.
    pub owner: String,
    /// Its limit, in words.
    pub bar: String,
}

/// A person of the contract.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct PersonView {
    /// Handle.
    pub handle: String,
    /// Name.
    pub name: String,
    /// Team.
    pub team: String,
    /// Time zone.
    pub zone: String,
    /// Working hours, as written.
    pub hours: Option<String>,
}

/// A role of the contract.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct RoleView {
    /// The role.
    pub role: String,
    /// Who holds it.
    pub owner: String,
    /// Who stands in.
    pub backup: Option<String>,
}

/// What agreement and evidence are bound to.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct DigestsView {
    /// Everything both sides agree to.
    pub content: String,
    /// What is done, and in which order.
    pub procedure: String,
    /// The artifacts; a sentence where they cannot be read.
    pub release: String,
    /// Who owns what.
    pub roster: String,
}

/// A word, by whom, and when.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct SaidView {
    /// By whom.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// Something the reader may still say before the launch.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct MineView {
    /// `answer`, `sign`, `offer`, `accept` or `accept-mine`.
    pub kind: String,
    /// Of what; empty for a word about the whole.
    pub id: String,
    /// In a sentence.
    pub says: String,
}

/// One handoff.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct HandoffView {
    /// Its id.
    pub id: String,
    /// What is released.
    pub name: String,
    /// Which version.
    pub version: String,
    /// Where.
    pub environment: String,
    /// Who hands over.
    pub from: String,
    /// Who takes over.
    pub to: String,
    /// One line for people.
    pub summary: Option<String>,
    /// When it may run.
    pub window: Option<SpanView>,
    /// `ready`, `not-ready` or `inconclusive`.
    pub verdict: String,
    /// When that was weighed.
    pub at: Timestamp,
    /// The eight questions.
    pub questions: Vec<QuestionView>,
    /// What speaks against it.
    pub blockers: Vec<BlockerView>,
    /// What a waiver sets aside.
    pub waived: Vec<BlockerView>,
    /// What was declined.
    pub declined: Vec<DeclinedView>,
    /// What both sides answer blind.
    pub expectations: Vec<ExpectationView>,
    /// The definition of done.
    pub criteria: Vec<CriterionView>,
    /// What the judge watches.
    pub measures: Vec<MeasureTerms>,
    /// Everybody.
    pub people: Vec<PersonView>,
    /// The roles of the room.
    pub roles: Vec<RoleView>,
    /// What agreement and evidence are bound to.
    pub digests: DigestsView,
    /// Who offered this content.
    pub offered: Vec<SaidView>,
    /// Who accepted this content.
    pub accepted: Vec<SaidView>,
    /// What the reader may still say.
    pub mine_open: Vec<MineView>,
}

/// How a handoff came to where it stands.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct History {
    /// Open blockers by question, over time, the earliest first.
    pub points: Vec<PointOpen>,
    /// The contents that were offered, accepted or run, the latest first.
    pub plans: Vec<PlanRecord>,
}

/// Open blockers at a moment.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct PointOpen {
    /// When.
    pub at: Timestamp,
    /// How many, by question.
    pub open: BTreeMap<String, u32>,
}

/// A content somebody gave their word on.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct PlanRecord {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: String,
    /// `offered`, `accepted`, `rehearsed` or `launched`.
    pub what: String,
    /// The same in a sentence.
    pub says: String,
    /// The content digest.
    pub content: String,
    /// What changed since the content before whose plan is kept, as a unified diff.
    pub diff: Option<String>,
}

/// What differs between the environments.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ParityView {
    /// What was compared.
    pub environments: Vec<String>,
    /// The differences, what matters most first.
    pub rows: Vec<ParityRow>,
    /// What was read.
    pub collected: Vec<Collected>,
    /// Why nothing could be compared, which is no equality.
    pub not_compared: Option<String>,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ParityRow {
    /// What the differences of one cause have in common.
    pub cause: String,
    /// How much it matters: `grave`, `notable` or `slight`; empty for what a rule finds right.
    pub risk: String,
    /// Every number that made it so: `80 (an address)`.
    pub factors: Vec<String>,
    /// The layer.
    pub layer: String,
    /// What differs.
    pub subject: String,
    /// In what.
    pub attribute: String,
    /// The value on each host, `ENVIRONMENT/HOST`; values of secrets are keyed hashes.
    pub hosts: BTreeMap<String, String>,
    /// Why it is still right.
    pub explained_by: Option<String>,
    /// The fact by its whole name, as a waiver's `match` covers it; one row of a cause has it.
    pub matcher: String,
}

/// What reading one layer of one host came to.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Collected {
    /// The host.
    pub host: String,
    /// The layer.
    pub layer: String,
    /// `ok` where it was read whole or is known not to be there, else how it went.
    pub status: String,
}
