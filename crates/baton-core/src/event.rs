//! The closed, versioned list of things that happened.
//!
//! An [`Event`] is a fact in the past tense; it decides nothing. Gate, run,
//! room, timeline and review are folds over entries of the ledger, each of
//! which wraps one event ([`crate::ledger::Entry`]).
//!
//! Format rule: kinds and fields are only ever added, nothing changes its
//! meaning, and a new field has a default with which it is left out, so that
//! the canonical bytes of older entries stay what they were. A reader that meets a kind it does
//! not know refuses the ledger by name instead of skipping it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::id::{
    AttemptId, Component, CriterionId, Digest, EnvName, Epoch, ExpectationId, Handle, HostName,
    LessonId, MeasureId, RoleName, RunId, StepId, TeamName,
};
use crate::parity::{Mark, RoundTrip};
use crate::time::Duration;
use crate::watch;

/// The version of the event list. It grows when a kind or field is added.
pub const EVENT_FORMAT: u32 = 1;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Event {
    // Evidence of the gate.
    /// A criterion's command ran.
    CriterionRan {
        /// Which one.
        criterion: CriterionId,
        /// Digest of its definition.
        definition: Digest,
        /// Digest of the artifacts it ran on.
        release: Digest,
        /// Digest of the environment it names, when it names one.
        environment: Option<Digest>,
        /// How its `run` ended.
        end: Ending,
        /// How its `refuses` ended, when it has one.
        guard: Option<Ending>,
        /// How long both took.
        took: Duration,
        /// What it printed, masked, as a blob.
        output: Option<Digest>,
    },
    /// A person signed a criterion.
    Signed {
        /// Which one.
        criterion: CriterionId,
        /// Digest of its definition.
        definition: Digest,
        /// Digest of the artifacts.
        release: Digest,
        /// Digest of the environment it names, when it names one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        environment: Option<Digest>,
    },
    /// A success measure was asked for live data.
    MeasureSeen {
        /// Which one.
        measure: MeasureId,
        /// Digest of its definition.
        definition: Digest,
        /// What was wrong, when there was no data.
        blind: Option<String>,
    },
    /// Secrets of an environment were asked for.
    SecretsResolved {
        /// The environment.
        environment: EnvName,
        /// Digest of the environment's definition.
        definition: Digest,
        /// For each secret, why it could not be had; `None` when it could.
        secrets: BTreeMap<String, Option<String>>,
    },
    /// A step's preflight ran, outside a run, as the author of this event.
    Preflighted {
        /// The step.
        step: StepId,
        /// The host.
        host: HostName,
        /// The environment.
        environment: EnvName,
        /// Digest of the fence and of the environment.
        definition: Digest,
        /// How it ended.
        end: Ending,
    },
    /// A person answered an expectation for a team, blind: the answer is a
    /// salted commitment until both teams are in.
    Answered {
        /// Which one.
        expectation: ExpectationId,
        /// Digest of its definition.
        definition: Digest,
        /// For which team.
        team: TeamName,
        /// SHA-256 over salt, a zero byte and the value.
        commitment: Digest,
    },
    /// An answer was opened after both were in.
    Opened {
        /// Which one.
        expectation: ExpectationId,
        /// For which team.
        team: TeamName,
        /// The answer.
        value: String,
        /// The salt that was committed to.
        salt: String,
    },
    /// The giving team offered this content.
    Offered {
        /// Content digest.
        content: Digest,
        /// The plan as it was then, as a blob, so that people can see what changed since.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        plan: Option<Digest>,
    },
    /// The receiving team accepted this content.
    Accepted {
        /// Content digest.
        content: Digest,
    },
    /// A person accepted what is theirs: keys `step:…`, `criterion:…`,
    /// `measure:…`, `role:…`, each with the digest of what was accepted.
    AcceptedMine {
        /// What was accepted.
        items: BTreeMap<String, Digest>,
    },
    /// A fingerprint was taken and stored as a blob.
    Fingerprinted {
        /// The environment.
        environment: EnvName,
        /// Digest of the environment's definition.
        definition: Digest,
        /// Digest of the collectors' definition.
        collectors: Digest,
        /// The blob.
        fingerprint: Digest,
        /// Where in the rehearsal it belongs to it was taken, if in one.
        mark: Option<Mark>,
    },

    // The room.
    /// A person sat down in the room.
    Joined,
    /// A person left the room.
    Left,
    /// A person said something.
    Said {
        /// What.
        text: String,
    },
    /// A person voted.
    Voted {
        /// Go, or no-go.
        go: bool,
        /// How sure, 1 to 5, in votes of before it was kept closed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        confidence: Option<u8>,
        /// How sure, closed until every role has voted: SHA-256 over salt, a
        /// zero byte and the number.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        commitment: Option<Digest>,
        /// Why.
        because: Option<String>,
        /// The content voted on.
        content: Digest,
    },
    /// How sure a person was was opened, after every role had voted.
    ConfidenceOpened {
        /// Of which vote of theirs.
        commitment: Digest,
        /// How sure, 1 to 5.
        confidence: u8,
        /// The salt that was committed to.
        salt: String,
    },
    /// Somebody outside the room, whom Baton does not know, reported a problem.
    Reported {
        /// What is wrong.
        says: String,
        /// How to reach them, when they said it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        contact: Option<String>,
    },
    /// A no-go or a gap in confidence was talked through in the room.
    Talked {
        /// What came of it.
        text: String,
    },

    // A run.
    /// A run began.
    RunOpened(RunTerms),
    /// A driver took the run's lease.
    DriverTook {
        /// The lease's count: the driver's fencing token.
        epoch: Epoch,
        /// Who and where, for people.
        holder: String,
    },
    /// An attempt is about to start. It is durable before anything is done.
    AttemptStarted {
        /// Its id.
        attempt: AttemptId,
        /// The step.
        step: StepId,
        /// The host.
        host: HostName,
        /// Which fence.
        role: FenceRole,
        /// The driver that means to start it.
        epoch: Epoch,
    },
    /// What is known of an attempt's end.
    AttemptEnded {
        /// Which.
        attempt: AttemptId,
        /// How.
        end: Ending,
        /// Variables it gave to later steps.
        outputs: BTreeMap<String, String>,
        /// What it printed, masked, as a blob.
        output: Option<Digest>,
        /// How long it took.
        took: Duration,
    },
    /// An intended attempt never started and cannot start any more: the driver
    /// that meant to start it is gone, and the host holds its place closed.
    AttemptVoided {
        /// Which.
        attempt: AttemptId,
    },
    /// A step is left out.
    StepSkipped {
        /// The step.
        step: StepId,
        /// Why.
        because: String,
    },
    /// A person says that a step, or its undo, is done.
    StepDone {
        /// The step.
        step: StepId,
        /// On which host; on all that wait for the word, when left out.
        host: Option<HostName>,
    },
    /// A person approves a step.
    StepApproved {
        /// The step.
        step: StepId,
    },
    /// A person has what failed or is unknown tried again.
    RetryCalled {
        /// The step.
        step: StepId,
        /// On which host; on all that failed or are unknown, when left out.
        host: Option<HostName>,
    },
    /// A person halts the run at the next safe point.
    Paused {
        /// Why.
        because: Option<String>,
    },
    /// A person lets the run go on.
    Resumed,
    /// Nobody of a role is in the room any more: the run pauses at the next safe
    /// point until somebody is.
    RoleLost {
        /// Which.
        role: RoleName,
        /// Those of the role who were there before; nobody, when that is not known.
        gone: Vec<Handle>,
        /// Those who are called.
        called: Vec<Handle>,
    },
    /// Somebody of a lost role is in the room again.
    RoleCovered {
        /// Which.
        role: RoleName,
        /// Who.
        by: Vec<Handle>,
    },
    /// Nobody answered for a step in time, and the next in the chain are called.
    Escalated {
        /// The step.
        step: StepId,
        /// Who is called now.
        to: Vec<Handle>,
        /// How long nobody answered, since the step began to wait or since
        /// those before were called.
        after: Duration,
    },
    /// A bridge of the room does not get through: what it has to tell waits.
    BridgeLost {
        /// Its kind and where it leads, for people.
        bridge: String,
        /// Why, without a word of a secret.
        because: String,
    },
    /// A bridge that was lost gets through again.
    BridgeBack {
        /// Its kind and where it leads, for people.
        bridge: String,
        /// How long it did not.
        after: Duration,
    },
    /// The launch-lead lets a run go on past the end of its window.
    WindowExtended {
        /// Why.
        because: Option<String>,
    },
    /// A person calls the way back.
    RollbackCalled {
        /// Why.
        because: Option<String>,
    },
    /// A person freezes the run for good.
    StopCalled {
        /// Why.
        because: Option<String>,
    },
    /// The run turns: from forward to back, or from back to forward again.
    LegBegan {
        /// The leg that begins.
        leg: Leg,
        /// Whether this was the plan (a rehearsal) and not a failure.
        planned: bool,
        /// Why.
        because: String,
    },
    /// What the fingerprints before, forward and back say of the way back.
    RoundTrip(RoundTrip),
    /// The run is frozen in place until a named person decides.
    Frozen {
        /// Why.
        because: String,
    },
    /// The judge begins to watch.
    WatchBegan {
        /// The step whose change is watched; `None` for the whole release.
        step: Option<StepId>,
        /// How many hosts had changed, for a step that is spread.
        stage: u32,
        /// What the time before taught, by measure; nothing where nothing was read.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        learned: BTreeMap<MeasureId, watch::Learned>,
    },
    /// The judge looked.
    Judged {
        /// What was counted since the last look.
        samples: BTreeMap<MeasureId, watch::Sample>,
        /// What follows.
        verdict: watch::Verdict,
    },
    /// The watch is over and nothing speaks against going on.
    WatchEnded {
        /// In a sentence.
        because: String,
    },
    /// A member of the receiving team took over the running release.
    AcceptedLive,
    /// The run is over.
    RunEnded {
        /// How.
        outcome: Outcome,
        /// Why, in a sentence.
        because: String,
        /// Steps whose undo this run carried out and saw to work.
        undone: Vec<StepId>,
    },

    // Learning.
    /// The review of a run was held.
    Reviewed {
        /// The run.
        of: RunId,
    },
    /// A lesson was kept.
    LessonKept {
        /// Its id.
        lesson: LessonId,
        /// What was learned and what must happen.
        text: String,
        /// Components it binds.
        touches: Vec<Component>,
        /// Who answers for it.
        owner: Handle,
    },
    /// A lesson was met.
    LessonMet {
        /// Which.
        lesson: LessonId,
        /// How.
        how: String,
    },
}

/// What a run was opened on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunTerms {
    /// Rehearsal or launch.
    pub what: RunKind,
    /// The plan, as a blob: a running plan does not change underfoot.
    pub plan: Digest,
    /// Content digest.
    pub content: Digest,
    /// Procedure digest.
    pub procedure: Digest,
    /// Roster digest.
    pub roster: Digest,
    /// Release digest.
    pub release: Digest,
    /// The environment.
    pub environment: EnvName,
    /// Digest of the environment's definition.
    pub definition: Digest,
    /// The step that a rehearsal breaks on purpose.
    pub fail_at: Option<StepId>,
    /// Steps whose way back no rehearsal has proven; a launch that crossed one
    /// of them stops instead of going back by itself.
    pub unproven: Vec<StepId>,
}

/// The two kinds of run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunKind {
    /// Forward, back and forward again, where it may fail.
    Rehearsal,
    /// The real thing.
    Launch,
}

/// Which way a run goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Leg {
    /// Carrying out the steps.
    Forward,
    /// Undoing them in reverse.
    Back,
    /// Carrying them out once more, in a rehearsal.
    Again,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Everything was done, watched and accepted.
    Succeeded,
    /// What took effect was undone.
    RolledBack,
    /// Frozen in place by a person's decision.
    Stopped,
    /// Ended before anything took effect.
    Aborted,
}

/// The machine-run fences of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FenceRole {
    /// Could it run?
    Preflight,
    /// The deed.
    Run,
    /// Is it in effect?
    Verify,
    /// The way back.
    Undo,
}

impl FenceRole {
    /// The word of the fence's opening line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Preflight => "preflight",
            Self::Run => "run",
            Self::Verify => "verify",
            Self::Undo => "undo",
        }
    }
}

/// What is known of the end of a command. Only what is known is said.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Ending {
    /// Exit status 0.
    Succeeded,
    /// Another exit status.
    Exited {
        /// The status, 1 to 255.
        code: u8,
    },
    /// Ended by a signal.
    Killed {
        /// The signal's number.
        signal: u8,
    },
    /// It did not end in time and was ended with its whole process group.
    TimedOut,
    /// It never started, and never will: nothing was done.
    NotStarted {
        /// Why.
        because: String,
    },
    /// Nobody knows how it ended, or whether it did.
    Unknown {
        /// What is known.
        because: String,
    },
}

impl Ending {
    /// Exit status 0.
    pub fn succeeded(&self) -> bool {
        *self == Self::Succeeded
    }

    /// In words, to follow a subject: `ended with exit status 3`.
    pub fn says(&self) -> String {
        match self {
            Self::Succeeded => "succeeded".to_owned(),
            Self::Exited { code } => format!("ended with exit status {code}"),
            Self::Killed { signal } => format!("was ended by signal {signal}"),
            Self::TimedOut => "did not end in time".to_owned(),
            Self::NotStarted { because } => format!("could not start: {because}"),
            Self::Unknown { because } => format!("ended nobody knows how: {because}"),
        }
    }
}
