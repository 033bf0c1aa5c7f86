//! What is told outside of the room, and in which words.
//!
//! [`News`] reads the entries of a handoff and says which of them are news to
//! people who are not looking: a [`Notice`]. Everything quiet (who came, what was
//! said, which step succeeded) stays in the room. [`shape`] and [`cdevents`] write
//! a notice as each kind of bridge wants it; whatever stands in it was written by
//! others and is escaped there.
//!
//! A notice of the same entry is always the same, with the same [`Notice::id`]:
//! whoever is told twice can know it. Nothing is sent here, and no secret is
//! known here.

use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};
use serde::Serialize;

use crate::diag::list;
use crate::event::{Outcome, RunKind};
use crate::handoff::plan::Plan;
use crate::id::{Digest, EnvName, Handle, HandoffId, NoticeId, RunId};
use crate::ledger::Entry;
use crate::review::text::{TEXT_MOST, line, name};

mod news;

pub mod shape;

pub mod cdevents;

#[cfg(test)]
mod tests;

pub use news::News;

/// The most lines of what is asked that a notice holds; the room has all.
const LINES_MOST: usize = 20;

/// What a notice is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A run was opened.
    Opened,
    /// A person is waited for.
    Waiting,
    /// Nobody answered, and the next are called.
    Escalated,
    /// Nobody of a role is in the room any more.
    RoleLost,
    /// Somebody of a lost role is there again.
    RoleCovered,
    /// A person halted the run.
    Paused,
    /// A person let it go on.
    Resumed,
    /// The judge found harm.
    Harm,
    /// The run turned back against the plan.
    TurnedBack,
    /// The run froze until somebody decides.
    Frozen,
    /// The next step is a point of no return.
    NoWayBackNear,
    /// A point of no return was crossed.
    NoWayBack,
    /// The receiver took over.
    Accepted,
    /// The run is over.
    Ended,
    /// Somebody voted no-go.
    NoGo,
    /// Somebody outside reported a problem.
    Reported,
    /// Another bridge does not get through.
    BridgeLost,
    /// It does again.
    BridgeBack,
}

impl Kind {
    /// Every kind, in the order of their declaration.
    pub const ALL: [Self; 18] = [
        Self::Opened,
        Self::Waiting,
        Self::Escalated,
        Self::RoleLost,
        Self::RoleCovered,
        Self::Paused,
        Self::Resumed,
        Self::Harm,
        Self::TurnedBack,
        Self::Frozen,
        Self::NoWayBackNear,
        Self::NoWayBack,
        Self::Accepted,
        Self::Ended,
        Self::NoGo,
        Self::Reported,
        Self::BridgeLost,
        Self::BridgeBack,
    ];

    /// Its name for programs: `role-lost`.
    pub fn key(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Waiting => "waiting",
            Self::Escalated => "escalated",
            Self::RoleLost => "role-lost",
            Self::RoleCovered => "role-covered",
            Self::Paused => "paused",
            Self::Resumed => "resumed",
            Self::Harm => "harm",
            Self::TurnedBack => "turned-back",
            Self::Frozen => "frozen",
            Self::NoWayBackNear => "no-way-back-near",
            Self::NoWayBack => "no-way-back",
            Self::Accepted => "accepted",
            Self::Ended => "ended",
            Self::NoGo => "no-go",
            Self::Reported => "reported",
            Self::BridgeLost => "bridge-lost",
            Self::BridgeBack => "bridge-back",
        }
    }

    /// Its name for people, to follow a colon.
    fn word(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Waiting => "waiting for a person",
            Self::Escalated => "nobody answered",
            Self::RoleLost => "a role is not covered",
            Self::RoleCovered => "a role is covered again",
            Self::Paused => "paused",
            Self::Resumed => "goes on",
            Self::Harm => "the judge found harm",
            Self::TurnedBack => "going back",
            Self::Frozen => "stands still",
            Self::NoWayBackNear => "a point of no return is next",
            Self::NoWayBack => "a point of no return was crossed",
            Self::Accepted => "taken over",
            Self::Ended => "over",
            Self::NoGo => "a no-go",
            Self::Reported => "a problem was reported",
            Self::BridgeLost => "a bridge does not get through",
            Self::BridgeBack => "a bridge gets through again",
        }
    }
}

/// How much it matters now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Somebody should look.
    Attention,
    /// Somebody has to act.
    Alarm,
}

/// One thing that people outside of the room are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The same whenever the same thing is told again.
    pub id: NoticeId,
    /// What it is about.
    pub kind: Kind,
    /// How much it matters.
    pub severity: Severity,
    /// When it happened.
    pub at: Timestamp,
    /// The zone of the window, in seconds east of UTC; none without a window.
    pub offset_s: Option<i32>,
    /// The handoff.
    pub handoff: HandoffId,
    /// The run, when it is about one.
    pub run: Option<RunId>,
    /// The kind of run, when it is about one.
    pub what: Option<RunKind>,
    /// What is released: `shop`, one line.
    pub name: String,
    /// Its version, one line.
    pub version: String,
    /// Digest of the release, when it is known.
    pub release: Option<Digest>,
    /// Where.
    pub environment: EnvName,
    /// One line that says what it is about.
    pub title: String,
    /// What happened, and what is asked: short lines of others' words without
    /// control characters.
    pub says: String,
    /// Who is called, each once.
    pub called: Vec<Handle>,
    /// The commands that answer.
    pub next: Vec<String>,
    /// How the run ended, when it has.
    pub outcome: Option<Outcome>,
    /// Whether the judge had found harm before in this run.
    pub harmed: bool,
}

impl Notice {
    /// Where the page shows it, below the address of the room.
    pub fn path(&self) -> String {
        self.run
            .as_ref()
            .map_or_else(|| "/".to_owned(), |run| format!("/runs/{run}"))
    }

    /// When it happened, in the zone of the window.
    fn when(&self) -> String {
        let offset = self.offset_s.and_then(|s| Offset::from_seconds(s).ok());
        match offset.filter(|offset| *offset != Offset::UTC) {
            Some(offset) => {
                let zoned = self.at.to_zoned(TimeZone::fixed(offset));
                zoned.strftime("%Y-%m-%d %H:%M:%S %:z").to_string()
            }
            None => self.at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
        }
    }

    /// Who is called, as a line; none when nobody is.
    fn calls(&self) -> Option<String> {
        (!self.called.is_empty()).then(|| format!("Called: {}", list(&self.called, 12)))
    }

    /// What can be done, as a line; none when nothing is asked.
    fn answers(&self) -> Option<String> {
        (!self.next.is_empty()).then(|| format!("Next: {}", self.next.join("   ·   ")))
    }
}

/// What a plan says about every notice of it.
struct About {
    what: Option<RunKind>,
    run: Option<RunId>,
    release: Option<Digest>,
}

/// The notice of an entry, or of what follows it, before anything is asked.
fn notice(id: NoticeId, kind: Kind, at: Timestamp, plan: &Plan, about: About) -> Notice {
    let contract = &plan.contract;
    let (product, version) = (name(&contract.name), name(&contract.release.version));
    let what = match about.what {
        Some(RunKind::Launch) => "Launch of ",
        Some(RunKind::Rehearsal) => "Rehearsal of ",
        None => "",
    };
    let place = name(&plan.environment);
    let title = format!("{what}{product} {version} in {place}: {}", kind.word());
    Notice {
        id,
        kind,
        severity: Severity::Info,
        at,
        offset_s: contract.launch.window.map(|window| window.offset_s),
        handoff: plan.handoff.clone(),
        run: about.run,
        what: about.what,
        name: product,
        version,
        release: about.release,
        environment: plan.environment.clone(),
        title,
        says: String::new(),
        called: Vec::new(),
        next: Vec::new(),
        outcome: None,
        harmed: false,
    }
}

/// The id of what an entry tells.
fn id_of(entry: &Entry, kind: Kind) -> NoticeId {
    id(&[&Digest::of(&entry.bytes()).to_string(), kind.key()])
}

/// An id made of what it stands for: 128 bits of a digest.
fn id(parts: &[&str]) -> NoticeId {
    let digest = Digest::of_value(&parts).to_string();
    let hex = digest.rsplit(':').next().unwrap_or_default();
    NoticeId::from(format!("ntc_{}", hex.get(..32).unwrap_or(hex)).as_str())
}

/// A text of several lines, each made harmless.
fn lines(text: &str) -> String {
    let all = text.lines().map(|part| {
        let indent = part.len() - part.trim_start_matches(' ').len();
        format!(
            "{:indent$}{}",
            "",
            line(part, TEXT_MOST),
            indent = indent.min(4)
        )
    });
    let kept: Vec<String> = all.take(LINES_MOST).collect();
    kept.join("\n")
}
