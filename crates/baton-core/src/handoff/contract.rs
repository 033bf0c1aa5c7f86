//! `handoff.yaml` as typed values: what both sides agree to.
//!
//! The types hold what was written; nothing here is resolved against anything
//! else. Values that later checks point at carry their [`Span`] in [`At`].
//! [`parse`] reads the text, [`check`] looks at what its names refer to, and
//! `schema::json_schema` says the same to editors.

use std::collections::BTreeMap;
use std::ops::Deref;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::read::{Reader, keys, words};
use super::schema::{Percent, Scalar};
use crate::diag::Span;
use crate::id::{
    Component, CriterionId, EnvName, ExpectationId, GroupName, Handle, HostName, MeasureId,
    RoleName, TeamName,
};
use crate::parity;
use crate::time::Duration;

mod bar;
mod bridge;
mod counter;

pub use self::bridge::Bridge;
pub(crate) use self::counter::LEVELS;
pub(in crate::handoff) use self::counter::no_level;
pub use self::counter::{Counter, Lines};
pub use super::hours::Hours;
pub use super::parse::{check, lint, parse};
pub use super::read::CODES;
pub use super::yaml::MAX_BYTES;

/// A value and where it was written. Two are equal when their values are; it
/// serialises as the value alone, so that no digest depends on layout.
#[derive(Clone, Debug)]
pub struct At<T> {
    /// The value.
    pub value: T,
    /// Where it stands; `None` when it came from a stored plan.
    pub span: Option<Span>,
}

impl<T> At<T> {
    /// A value at a place.
    pub fn new(value: T, span: Span) -> Self {
        Self {
            value,
            span: Some(span),
        }
    }
}

impl<T> Deref for At<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: PartialEq> PartialEq for At<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T: Eq> Eq for At<T> {}

impl<T: Serialize> Serialize for At<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for At<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(|value| Self { value, span: None })
    }
}

/// A part of the contract that may be left out or declined, but not silently.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Section<T> {
    /// Neither answered nor declined: a blocker.
    #[default]
    Undefined,
    /// Declined by a named person with a reason.
    Declined(Declined),
    /// Answered.
    Defined(T),
}

impl<T> Section<T> {
    /// The answer, when there is one.
    pub fn defined(&self) -> Option<&T> {
        match self {
            Self::Defined(value) => Some(value),
            Self::Undefined | Self::Declined(_) => None,
        }
    }

    /// The refusal, when there is one.
    pub fn declined(&self) -> Option<&Declined> {
        match self {
            Self::Declined(declined) => Some(declined),
            Self::Undefined | Self::Defined(_) => None,
        }
    }
}

keys! {
    /// Why a part is left out, and who said so.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    pub struct Declined {
        /// The reason.
        declined: String,
        /// Who declined.
        by: At<Handle>,
    }

    /// The whole of `handoff.yaml`.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    pub struct Contract {
        /// Short name of what is released: `shop`.
        name: At<String>,
        /// One line for people; part of no digest.
        summary: Option<String>,
        /// The team that hands over.
        from: At<TeamName>,
        /// The team that takes over.
        to: At<TeamName>,
        /// Components the release touches; open lessons on any of them bind this handoff.
        touches: Vec<Component> = default,
        /// Everybody, by handle.
        people: BTreeMap<Handle, Person>,
        /// Teams, by name, with their members.
        teams: BTreeMap<TeamName, Vec<At<Handle>>>,
        /// Roles of the room; each must be present at the launch.
        roles: BTreeMap<RoleName, Role> = default,
        /// What is released.
        release: Release,
        /// Where it may run.
        environments: BTreeMap<EnvName, Environment>,
        /// Where and when it is launched.
        launch: Launch,
        /// What both teams answer before they see each other's answer.
        expectations: Section<Vec<Expectation>> = default,
        /// The definition of done.
        done: Vec<Criterion> = default,
        /// How environments are compared.
        parity: Section<ParityTerms> = default,
        /// What the judge watches.
        success: Section<Vec<Measure>> = default,
        /// How long and how strictly the judge watches.
        watch: Option<WatchTerms>,
        /// Blockers set aside for a while, by name.
        waivers: Vec<Waiver> = default,
        /// The file name of the runbook, beside the contract.
        runbook: At<String>,
        /// Where the rehearsal runs and how long it counts.
        rehearsal: Section<RehearsalTerms> = default,
        /// Whom the room tells.
        room: Section<RoomTerms> = default,
        /// When the review is due.
        review: Section<ReviewTerms> = default,
    }
}

keys! {
    /// One person.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    pub struct Person {
        /// Name as people say it.
        name: String,
        /// Email; the one git knows them by.
        email: Option<String>,
        /// IANA time zone, `Europe/Prague`; UTC when left out.
        zone: Option<At<String>>,
        /// Working hours in that zone, `Mon-Fri 09:00-17:30`; always when left out.
        hours: Option<At<Hours>>,
        /// Public SSH key that signs this person's word.
        key: Option<String>,
    }
}

keys! {
    /// A role of the room.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    pub struct Role {
        /// Who holds it: a person or a team.
        owner: Option<At<String>>,
        /// Who stands in.
        backup: Option<At<String>>,
    }

    /// What is released.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    pub struct Release {
        /// Version, as people say it.
        #[schemars(with = "Scalar")]
        version: At<String>,
        /// What kind of change it is.
        kind: ReleaseKind,
        /// Files or globs beside the contract, whose digests are the release's identity.
        artifacts: Vec<At<String>>,
    }
}

/// Kinds of release. Every kind passes the same gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ReleaseKind {
    /// Program code.
    Code,
    /// Configuration.
    Config,
    /// Data.
    Data,
    /// Machines, networks, services below.
    Infrastructure,
    /// A fix that cannot wait.
    Emergency,
}

words! {
    ReleaseKind: "a kind of release" {
        "code" => Code, "config" => Config, "data" => Data,
        "infrastructure" => Infrastructure, "emergency" => Emergency,
    }
    OnHarm: "an answer to harm" {
        "roll-back" => RollBack, "stop" => Stop, "ask" => Ask,
    }
}

keys! {
    /// One environment.
    #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
    pub struct Environment {
        /// Its hosts, by name.
        hosts: BTreeMap<HostName, Host> = default,
        /// Groups of hosts, in the order in which a roll-out takes them.
        groups: BTreeMap<GroupName, Vec<At<HostName>>> = default,
        /// Variables every fence sees.
        #[schemars(with = "BTreeMap<String, Scalar>")]
        vars: BTreeMap<String, String> = default,
        /// Secrets, as references; never a value.
        secrets: BTreeMap<String, SecretRef> = default,
    }
}

keys! {
    /// One host: a folder on this machine, or an ssh target.
    #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
    pub struct Host then Host::is_somewhere {
        /// `user@host` for ssh; `None` for a folder on this machine.
        ssh: Option<String>,
        /// The working folder; relative to the contract for a host on this machine.
        dir: Option<String>,
        /// Variables of this host; they win over the environment's.
        #[schemars(with = "BTreeMap<String, Scalar>")]
        vars: BTreeMap<String, String> = default,
    }
}

impl Host {
    fn is_somewhere(&self, at: Span, reader: &mut Reader<'_>) {
        if self.ssh.is_none() && self.dir.is_none() {
            let next = "add `dir: FOLDER` for a folder on this machine, or `ssh: USER@HOST`";
            reader.bad_value::<()>(at, "a host needs a place", next);
        }
    }
}

/// Where a secret's value is found when a step needs it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SecretRef {
    /// In an environment variable of the person who runs Baton.
    Env(String),
    /// In a file; a trailing line end is cut.
    File(String),
    /// On the standard output of a command; a trailing line end is cut.
    Command(String),
}

keys! {
    /// Where and when the release is launched.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    pub struct Launch {
        /// The launch environment.
        environment: At<EnvName>,
        /// When it may run; always when left out.
        window: Option<Window>,
        /// When nothing may be launched.
        freezes: Vec<Freeze> = default,
    }
}

/// From when to when the launch may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// First moment.
    pub opens: Timestamp,
    /// First moment after it.
    pub closes: Timestamp,
    /// Offset of `opens` as written, in seconds: the window's zone, used for `at: HH:MM`.
    pub offset_s: i32,
}

/// A time in which nothing may be launched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Freeze {
    /// Written in the contract.
    Span {
        /// First moment.
        from: Timestamp,
        /// First moment after it.
        to: Timestamp,
        /// Why.
        because: String,
    },
    /// Every event of an iCalendar file beside the contract.
    Calendar(String),
}

keys! {
    /// A question both teams answer blind.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    pub struct Expectation {
        /// Its id, used by `baton answer`.
        id: At<ExpectationId>,
        /// The question.
        ask: String,
        /// What kind of answer is wanted.
        answer: AnswerKind,
        /// How far two numbers or durations may lie apart and still agree, as a
        /// share of the larger: `10%` is 0.1.
        #[schemars(with = "Option<Percent>")]
        within: Option<f64>,
    }
}

/// What kind of answer an expectation wants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AnswerKind {
    /// A number.
    Number,
    /// A duration, `5m`.
    Duration,
    /// Free text; agrees when equal but for case and outer white space.
    Text,
    /// Yes or no.
    #[serde(rename = "yes-no")]
    YesNo,
    /// One of these words.
    Choice(Vec<String>),
}

keys! {
    /// One line of the definition of done.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    pub struct Criterion {
        /// Its id.
        id: At<CriterionId>,
        /// What it says, for people.
        says: String,
        /// Who answers for it.
        owner: Option<At<String>>,
        /// Who stands in; the rest of the owner's team when left out.
        backup: Option<At<String>>,
        /// A shell command; exit 0 is passing evidence.
        run: Option<String>,
        /// A command that must exit 1 to 125: the guard was seen to refuse.
        refuses: Option<String>,
        /// The environment whose variables it needs and to which its evidence is bound.
        environment as "in": Option<At<EnvName>>,
        /// How long its evidence counts; for ever when left out.
        fresh: Option<Duration>,
        /// How long it may run.
        timeout: Option<Duration>,
        /// Who signs it, instead of a command.
        sign: Option<At<Handle>>,
    }

    /// How environments are compared.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    pub struct ParityTerms {
        /// Each of these against the launch environment.
        compare: Vec<At<EnvName>> = default,
        /// How long a fingerprint counts.
        fresh: Option<Duration>,
        /// What is collected.
        facts: Vec<parity::Collector>,
        /// How two different values may still be right.
        rules: Vec<parity::Rule> = default,
        /// How much a kind of difference matters at most, from 0 to 100, where it is not as usual.
        weights: parity::risk::Weights = default,
    }
}

/// One success measure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measure {
    /// Its id.
    pub id: At<MeasureId>,
    /// What it says, for people.
    pub says: String,
    /// Who answers for it.
    pub owner: Option<At<String>>,
    /// Who stands in; the rest of the owner's team when left out.
    pub backup: Option<At<String>>,
    /// Where the numbers come from.
    pub source: Source,
    /// What is counted as bad, when it is not simply failure.
    pub quantile: Option<Quantile>,
    /// Absolute limit of the share that may be bad, 0 to 1; of a level the largest mean.
    pub at_most: Option<f64>,
    /// How much worse than the baseline it may be: a share, 0 to 1.
    pub worse_by: Option<f64>,
}

/// Where a measure's numbers come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// Baton asks a URL itself, once `every` so often, on each host.
    Probe {
        /// The URL, with `$HOST` and variables.
        url: String,
        /// How often.
        every: Duration,
    },
    /// Two queries of a Prometheus server.
    Prometheus {
        /// The server.
        server: String,
        /// Counts what is bad.
        bad: String,
        /// Counts everything.
        total: String,
    },
    /// A histogram that a Prometheus server keeps: how long things took.
    Histogram {
        /// The server.
        server: String,
        /// Selects the counters of its buckets (`…_bucket`), by their label `le` in seconds.
        buckets: String,
    },
    /// A command on each host that prints two counters, bad ones and all.
    Counter(Counter),
    /// Two numbers of a PostgreSQL database, asked from where Baton runs.
    Postgres {
        /// Its address, `postgres://…`; a secret may be filled in.
        url: String,
        /// SQL: the bad ones.
        bad: String,
        /// SQL: all.
        total: String,
    },
    /// A command on each host whose last line is a number of which higher is worse.
    Level(String),
}

/// The slowest allowed answer time at a quantile: `p95: 300ms`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quantile {
    /// The quantile, 0 to 1.
    pub q: f64,
    /// The limit.
    pub limit: Duration,
}

/// How the judge watches after a change.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct WatchTerms {
    /// How long.
    #[serde(rename = "for")]
    pub lasts: Duration,
    /// What is done when harm is found.
    pub on_harm: OnHarm,
    /// The chance to find harm where there is none, 0 to 1, for the whole release.
    pub false_alarm: f64,
}

/// Half an hour, going back on harm, at one false alarm in a hundred releases.
/// These stand for what `watch` leaves out.
impl Default for WatchTerms {
    fn default() -> Self {
        Self {
            lasts: Duration::from_secs(1800),
            on_harm: OnHarm::RollBack,
            false_alarm: 0.01,
        }
    }
}

/// What is done when the judge finds harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnHarm {
    /// Go back, where the undo is proven; else stop.
    RollBack,
    /// Freeze in place and ask the rollback-decider.
    Stop,
    /// Ask the rollback-decider and hold still.
    Ask,
}

/// A blocker set aside for a while.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Waiver {
    /// The blocker's code, as written.
    pub blocker: At<String>,
    /// Patterns that must cover every name of the blocker.
    #[serde(rename = "match")]
    pub matches: Vec<String>,
    /// Why.
    pub because: Option<String>,
    /// Who answers for it.
    pub owner: Option<At<Handle>>,
    /// Until when; `Err`, what was written and nobody can read, hides nothing.
    pub until: Result<Timestamp, String>,
    /// Values that the blocker must still name, or the waiver has lapsed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pinned: Vec<String>,
    /// Most blockers it may set aside: where more fit, it sets none aside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most: Option<u32>,
}

keys! {
    /// Where the rehearsal runs and how long it counts.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    pub struct RehearsalTerms {
        /// The environment.
        environment as "in": At<EnvName>,
        /// How old it may be.
        within: Duration,
    }

    /// Whom the room tells.
    #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
    pub struct RoomTerms {
        /// Bridges to other channels.
        notify: Vec<Bridge> = default,
    }
}

keys! {
    /// When the review is due.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub struct ReviewTerms {
        /// How long after the launch ended.
        within: Duration,
    }
}
