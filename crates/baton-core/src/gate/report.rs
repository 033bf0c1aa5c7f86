//! The verdict as `baton check --format json` writes it.
//!
//! The shape is fixed for programs that read it: keys in this order, format 1.
//! Keys are only ever added, and only with a new format.

use jiff::Timestamp;
use serde::Serialize;

use super::{Answer, DeclinedPart, QuestionState, Verdict, Waived};
use crate::diag::{Code, Note, Question};
use crate::id::{Digest, EnvName, Handle};

/// The version of the shape.
const REPORT_FORMAT: u32 = 1;

/// A verdict and what it is about, ready to be serialised.
#[derive(Clone, Debug, Serialize)]
pub struct Report<'a> {
    format: u32,
    handoff: &'a str,
    environment: &'a EnvName,
    release: &'a str,
    plan: &'a Digest,
    at: Timestamp,
    verdict: Answer,
    questions: Vec<State>,
    blockers: Vec<Blocker<'a>>,
    waived: Vec<SetAside<'a>>,
    declined: Vec<Declined<'a>>,
}

#[derive(Clone, Debug, Serialize)]
struct State {
    key: Question,
    state: QuestionState,
}

#[derive(Clone, Debug, Serialize)]
struct Blocker<'a> {
    code: Code,
    question: Option<Question>,
    says: &'a str,
    names: &'a [String],
    owner: Option<&'a Handle>,
    next: Option<&'a str>,
}

#[derive(Clone, Debug, Serialize)]
struct SetAside<'a> {
    code: Code,
    question: Option<Question>,
    says: &'a str,
    names: &'a [String],
    because: &'a str,
    owner: &'a Handle,
    until: Timestamp,
}

#[derive(Clone, Debug, Serialize)]
struct Declined<'a> {
    question: Question,
    because: &'a str,
    by: &'a Handle,
}

impl Verdict {
    /// The verdict in the shape of `baton check --format json`: `handoff` is
    /// the contract's name, `release` its version, `plan` the content digest.
    pub fn to_json<'a>(
        &'a self,
        handoff: &'a str,
        environment: &'a EnvName,
        release: &'a str,
        plan: &'a Digest,
        at: Timestamp,
    ) -> Report<'a> {
        let states = self.questions.iter();
        Report {
            format: REPORT_FORMAT,
            handoff,
            environment,
            release,
            plan,
            at,
            verdict: self.verdict,
            questions: states.map(|&(key, state)| State { key, state }).collect(),
            blockers: self.blockers.iter().map(Blocker::of).collect(),
            waived: self.waived.iter().map(SetAside::of).collect(),
            declined: self.declined.iter().map(Declined::of).collect(),
        }
    }
}

impl<'a> Blocker<'a> {
    fn of(note: &'a Note) -> Self {
        Self {
            code: note.code,
            question: note.code.question(),
            says: &note.says,
            names: &note.names,
            owner: note.owner.as_ref(),
            next: note.next.as_deref(),
        }
    }
}

impl<'a> SetAside<'a> {
    fn of(waived: &'a Waived) -> Self {
        Self {
            code: waived.note.code,
            question: waived.note.code.question(),
            says: &waived.note.says,
            names: &waived.note.names,
            because: &waived.because,
            owner: &waived.owner,
            until: waived.until,
        }
    }
}

impl<'a> Declined<'a> {
    fn of(part: &'a DeclinedPart) -> Self {
        Self {
            question: part.question,
            because: &part.because,
            by: &part.by,
        }
    }
}
