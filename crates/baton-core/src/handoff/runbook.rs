//! `runbook.md` as typed values: the document people read is the program that runs.
//!
//! The grammar stands in `docs/book/runbook.md` (CommonMark, ATX headings).
//! Nothing here is resolved: owners, hosts and references are as written.

mod attributes;
mod blocks;
mod condition;
mod fence;
mod parse;
mod prose;
mod slug;
mod source;
mod sweep;
mod values;

#[cfg(test)]
mod tests;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::contract::At;
use crate::id::{EnvName, StepId};
use crate::time::Duration;

pub use attributes::ATTRIBUTES;
pub use condition::CONDITION_NAMES;
pub(crate) use condition::vars_of;
pub use fence::interpreter;
pub(crate) use fence::is_shell;
pub use parse::{MAX_STEPS, parse};
pub use prose::prose;
pub use slug::slug;
pub use source::MAX_BYTES;

/// Codes of everything that can be wrong with a runbook as a file. Reading it
/// and resolving it also say three codes of the gate, which leave it usable:
/// `runbook.no-undo`, `ownership.unowned` and `ownership.no-backup`.
pub const CODES: [&str; 11] = [
    // Not UTF-8, too large, empty, without a step, or with characters no script bears.
    "runbook.syntax",
    // Not ATX, inside a list, empty, a second title, or an id that is none.
    "runbook.heading",
    // Unknown or repeated keys, items that are neither attribute nor task.
    "runbook.attribute",
    // No role, extra words, unknown language, wrong place, unclosed, second of its role.
    "runbook.fence",
    // Two steps with one id.
    "runbook.duplicate-id",
    // A step, host, group, team or environment that does not exist.
    "runbook.reference",
    // Steps that wait for each other.
    "runbook.cycle",
    // A value of an attribute that cannot be read, or cannot be met.
    "runbook.value",
    // An owner or backup who is no person, team or role.
    "runbook.owner",
    // A secret that is not declared, or used without being listed.
    "runbook.secret",
    // A variable that nothing sets.
    "runbook.variable",
];

/// How long a step may run when it does not say.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(600);

/// The whole runbook.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Runbook {
    /// The first-level heading.
    pub title: Option<String>,
    /// The steps, in the order of the file.
    pub steps: Vec<Step>,
}

/// One step as written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// `{#id}`, or the title's slug.
    pub id: At<StepId>,
    /// The heading, without its id.
    pub title: String,
    /// The second-level heading it stands under.
    pub phase: Option<String>,
    /// Line of the heading, from 1.
    pub line: u32,
    /// Who does it or answers for it: a person, team or role.
    pub owner: Option<At<String>>,
    /// Who stands in.
    pub backup: Option<At<String>>,
    /// What must be finished before; the step before when left out.
    pub after: Option<Vec<At<StepId>>>,
    /// Where it runs; the contract's folder when left out.
    pub on: Option<On>,
    /// How long it should take.
    pub expect: Option<Duration>,
    /// How long it may take.
    pub timeout: Duration,
    /// How often it is tried again after a failure.
    pub retry: Option<Retry>,
    /// The earliest moment.
    pub at: Option<NotBefore>,
    /// A CEL condition over `environment`, `release`, `vars`, `outputs`.
    pub when: Option<At<String>>,
    /// Secrets its fences see.
    pub secrets: Vec<At<String>>,
    /// Whether it changes anything (`changes: nothing` says it does not).
    pub changes: bool,
    /// Why there is no way back, for a point of no return.
    pub no_way_back: Option<String>,
    /// Whether running it twice does no harm.
    pub safe_to_repeat: bool,
    /// The only environment in which it runs.
    pub only_in: Option<At<EnvName>>,
    /// Whose approval it needs.
    pub approve: Option<Approve>,
    /// How long the judge watches before going on.
    pub watch: Option<Duration>,
    /// What is done. Without it, a person does the step.
    pub run: Option<Fence>,
    /// What tells whether it is in effect.
    pub verify: Option<Fence>,
    /// The way back.
    pub undo: Option<Fence>,
    /// What tells whether it could run: tools, access, keys.
    pub preflight: Option<Fence>,
    /// The tick list of a person's step.
    pub tasks: Vec<String>,
}

/// A fence: a script, or an instruction for a person.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Fence {
    /// The interpreter: `sh`, `bash`, `python3`, …; `text` is for a person.
    pub lang: String,
    /// The body.
    pub body: String,
    /// Line of the opening fence, from 1.
    pub line: u32,
}

impl Fence {
    /// Whether a person carries it out.
    pub fn is_text(&self) -> bool {
        self.lang == "text"
    }
}

/// Where a step runs, and how it is spread.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct On {
    /// A host or a group.
    pub target: At<String>,
    /// How it is spread over the hosts.
    pub spread: Spread,
}

/// How a step is spread over several hosts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Spread {
    /// All hosts at once.
    All,
    /// So many at a time.
    AtATime(u32),
    /// Growing stages: `1, then 25%, then all`.
    Stages(Vec<Stage>),
}

/// The size of one stage, counted over all hosts done by its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// So many hosts.
    Hosts(u32),
    /// So many in a hundred, rounded up.
    Percent(u32),
    /// All that are left.
    All,
}

/// How often a step is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// Tries after the first.
    pub times: u32,
    /// Pause before each.
    pub every: Duration,
}

/// The earliest moment of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NotBefore {
    /// An instant.
    Instant(Timestamp),
    /// Minute of the day in the window's zone, on the window's first day.
    Minute(u16),
}

/// Whose approval a step needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Approve {
    /// How many different people.
    pub count: u32,
    /// A team or role.
    pub of: At<String>,
}
