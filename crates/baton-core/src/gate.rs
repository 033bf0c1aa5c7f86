//! The gate: may this release go?
//!
//! [`assess`] weighs a plan against what the ledger remembers ([`Facts`]) and
//! what was just read ([`Readings`]), one file per question, and answers with
//! a [`Verdict`]: the eight questions, every blocker, every waiver in force.
//! It stops at no blocker, and its output is sorted, so that the same input
//! gives the same bytes.
//!
//! It promises that silence is never consent: a question without an answer or
//! a refusal is open, and what could not be read makes the verdict
//! inconclusive. It deliberately does not find out anything (the edge reads),
//! remember anything (the ledger does) or act on its verdict (a run does).

pub mod facts;

mod definition;

mod alignment;

mod parity;

mod ownership;

mod runbook;

mod rehearsal;

mod poll;

mod room;

mod review;

mod report;

mod waive;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};
use serde::Serialize;

pub use alignment::{
    Stand, Unopened, agree, answer_by, expectation_definition, is_blind, stand, to_open,
};
pub use definition::{
    Shown, criterion_definition, criterion_environment, due, measure_definition, measures_due,
    shown,
};
pub use facts::{Facts, Taken, commitment};
pub use ownership::{item_digest, items_of, planned};
pub use parity::notes_of as parity_notes;
pub use poll::{Ballot, Poll, poll};
pub use rehearsal::unproven;
pub use report::Report;
pub use room::votes_to_open;
pub use runbook::{preflight_definition, preflights_due, secrets_due};
pub use waive::{set_aside, unused as unused_waivers, waivable};

use crate::diag::{BLOCKERS, Code, Note, Question, Severity};
use crate::handoff::contract::{At, Contract, Section};
use crate::handoff::plan::{Plan, Step};
use crate::id::{Digest, Handle, RoleName};
use crate::parity::Fingerprint;

/// The role that leads a launch; it is always needed.
pub const LAUNCH_LEAD: &str = "launch-lead";

/// The role that decides about going back; it is always needed.
pub const ROLLBACK_DECIDER: &str = "rollback-decider";

/// What the edge read just now.
#[derive(Clone, Debug)]
pub struct Readings {
    /// Digest of the artifacts, or why they could not be read.
    pub release: Result<Digest, String>,
    /// Who sits in the room.
    pub present: BTreeSet<Handle>,
    /// The fingerprints behind [`Facts::fingerprint_blobs`]; one that is
    /// missing could not be read.
    pub fingerprints: BTreeMap<Digest, Fingerprint>,
    /// For each freeze calendar of the contract its events (from, to, what),
    /// or why it could not be read.
    pub calendars: BTreeMap<String, Result<Vec<CalendarEvent>, String>>,
    /// Whether the launch is about to begin, so that `room` is asked.
    pub at_launch: bool,
}

/// One event of a calendar: first moment, first moment after it, what it is.
pub type CalendarEvent = (Timestamp, Timestamp, String);

/// May this release go?
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// Every question is answered, declined or not yet asked.
    Ready,
    /// Evidence is missing or speaks against it.
    NotReady,
    /// Something required could not be read; it fails closed.
    Inconclusive,
}

/// Where one question stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum QuestionState {
    /// No blocker is left that is not waived.
    Answered,
    /// At least one blocker stands.
    Open,
    /// Set aside by a named person, with a reason.
    Declined,
    /// Asked only at the launch.
    Later,
}

/// What the gate answers.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// May this release go?
    pub verdict: Answer,
    /// All eight questions, in order.
    pub questions: Vec<(Question, QuestionState)>,
    /// What speaks against it, sorted by question, code and names.
    pub blockers: Vec<Note>,
    /// Blockers set aside by a waiver in force, in the same order.
    pub waived: Vec<Waived>,
    /// Parts of the contract that were declined, by question.
    pub declined: Vec<DeclinedPart>,
    /// What stops nothing and should be known: waivers that fit no blocker.
    pub warnings: Vec<Note>,
}

/// A blocker set aside by a waiver in force.
#[derive(Clone, Debug, PartialEq)]
pub struct Waived {
    /// The blocker.
    pub note: Note,
    /// Why.
    pub because: String,
    /// Who answers for the waiver.
    pub owner: Handle,
    /// Until when.
    pub until: Timestamp,
}

/// A part of the contract that a named person declined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeclinedPart {
    /// The question it belongs to.
    pub question: Question,
    /// Why.
    pub because: String,
    /// Who declined.
    pub by: Handle,
}

/// Weighs a plan against what happened and what was read.
///
/// `plan` is resolved for the environment that is asked about. `lint` are the
/// notes from reading the two files; those with a blocker's code become
/// blockers of their question, the others are the files' own business.
pub fn assess(
    plan: &Plan,
    facts: &Facts,
    readings: &Readings,
    lint: &[Note],
    now: Timestamp,
) -> Verdict {
    let case = Case {
        plan,
        facts,
        readings,
        lint,
        preflights: runbook::preflights(plan),
        now,
    };
    let mut notes = from_lint(&case);
    definition::check(&case, &mut notes);
    alignment::check(&case, &mut notes);
    parity::check(&case, &mut notes);
    ownership::check(&case, &mut notes);
    runbook::check(&case, &mut notes);
    rehearsal::check(&case, &mut notes);
    room::check(&case, &mut notes);
    review::check(&case, &mut notes);

    let declined = declined(&plan.contract);
    let warnings = warnings(&case, &declined, &notes);
    let (mut blockers, mut waived) = waive::set_aside(&plan.contract, notes, now);
    blockers.sort_by(|a, b| place(a).cmp(&place(b)));
    waived.sort_by(|a, b| place(&a.note).cmp(&place(&b.note)));
    Verdict {
        verdict: answer(&blockers),
        questions: Question::ALL
            .into_iter()
            .map(|question| {
                let state = state(question, &blockers, &declined, readings.at_launch);
                (question, state)
            })
            .collect(),
        blockers,
        waived,
        declined,
        warnings,
    }
}

/// Waivers are for the launch, so only what is found out for the launch tells
/// which of them are of no use.
fn warnings(case: &Case<'_>, declined: &[DeclinedPart], notes: &[Note]) -> Vec<Note> {
    let contract = &case.plan.contract;
    if case.plan.environment != contract.launch.environment.value {
        return Vec::new();
    }
    let asked = |of: &Question| {
        let later = *of == Question::Room && !case.readings.at_launch;
        !later && !declined.iter().any(|part| part.question == *of)
    };
    let asked: Vec<Question> = Question::ALL.into_iter().filter(asked).collect();
    waive::unused(contract, &asked, notes)
}

/// Where a blocker is listed: by question, code, names and words.
fn place(note: &Note) -> (Option<Question>, Code, &[String], &str) {
    (note.code.question(), note.code, &note.names, &note.says)
}

/// The notes from reading the files that are blockers, each with an owner: of
/// the step it names, else of the giving team.
fn from_lint(case: &Case<'_>) -> Vec<Note> {
    let is_blocker =
        |note: &&Note| note.severity != Severity::Warning && BLOCKERS.contains(&note.code.0);
    let mut notes: Vec<Note> = case.lint.iter().filter(is_blocker).cloned().collect();
    if notes.is_empty() {
        return notes;
    }
    let steps = case.plan.steps.iter();
    let steps: BTreeMap<&str, Option<&Handle>> = steps
        .map(|step| (step.id().as_str(), step.people().next()))
        .collect();
    let giver = case.giver();
    for note in notes.iter_mut().filter(|note| note.owner.is_none()) {
        let step = note.names.iter().find_map(|name| steps.get(name.as_str()));
        note.owner = step.copied().flatten().or(giver.as_ref()).cloned();
    }
    for note in notes.iter_mut().filter(|note| note.next.is_none()) {
        note.next = Some("baton lint".to_owned());
    }
    notes
}

/// Not-ready wins over inconclusive: what is known to be wrong can be mended now.
fn answer(blockers: &[Note]) -> Answer {
    if blockers.is_empty() {
        Answer::Ready
    } else if blockers.iter().any(|b| b.severity == Severity::Error) {
        Answer::NotReady
    } else {
        Answer::Inconclusive
    }
}

fn state(
    question: Question,
    blockers: &[Note],
    declined: &[DeclinedPart],
    at_launch: bool,
) -> QuestionState {
    // Without success measures or expectations the rest of their question is still asked.
    let only_a_part = matches!(question, Question::Definition | Question::Alignment);
    if blockers.iter().any(|b| b.code.question() == Some(question)) {
        QuestionState::Open
    } else if !only_a_part && declined.iter().any(|part| part.question == question) {
        QuestionState::Declined
    } else if question == Question::Room && !at_launch {
        QuestionState::Later
    } else {
        QuestionState::Answered
    }
}

fn declined(contract: &Contract) -> Vec<DeclinedPart> {
    let parts = [
        (Question::Definition, contract.success.declined()),
        (Question::Alignment, contract.expectations.declined()),
        (Question::Parity, contract.parity.declined()),
        (Question::Rehearsal, contract.rehearsal.declined()),
        (Question::Room, contract.room.declined()),
        (Question::Review, contract.review.declined()),
    ];
    let said = parts.into_iter().filter_map(|(q, part)| Some((q, part?)));
    said.map(|(question, part)| DeclinedPart {
        question,
        because: part.declined.clone(),
        by: part.by.value.clone(),
    })
    .collect()
}

/// Everything a question may look at.
struct Case<'a> {
    plan: &'a Plan,
    facts: &'a Facts,
    readings: &'a Readings,
    lint: &'a [Note],
    /// The steps whose preflight proves access here, with what each is bound to.
    preflights: Vec<(&'a Step, Digest)>,
    now: Timestamp,
}

impl Case<'_> {
    /// The people a person, team or role stands for; nobody for an unknown name.
    fn members(&self, who: &str) -> Vec<Handle> {
        members(&self.plan.contract, who)
    }

    /// The first of the people a written owner stands for.
    fn first(&self, who: Option<&At<String>>) -> Option<Handle> {
        first(&self.plan.contract, who)
    }

    /// The first member of a team: whom to ask when it is anybody's to mend.
    fn leader(&self, team: &str) -> Option<Handle> {
        self.members(team).into_iter().next()
    }

    /// The first member of the giving team.
    fn giver(&self) -> Option<Handle> {
        self.leader(&self.plan.contract.from.value)
    }

    /// The owner of the launch-lead's role.
    fn lead(&self) -> Option<Handle> {
        let role = self.plan.contract.roles.get(&RoleName::from(LAUNCH_LEAD))?;
        self.first(role.owner.as_ref())
    }

    /// A person as a sentence names them: `Omar Diaz (omar)`.
    fn person(&self, handle: &Handle) -> String {
        match self.plan.contract.people.get(handle) {
            Some(person) if person.name != handle.as_str() && !person.name.is_empty() => {
                format!("{} ({handle})", person.name)
            }
            _ => handle.to_string(),
        }
    }

    /// Several people, as a sentence names them.
    fn people<'h>(&self, handles: impl IntoIterator<Item = &'h Handle>) -> Vec<String> {
        handles.into_iter().map(|by| self.person(by)).collect()
    }

    /// An instant with its zone: the window's, else UTC.
    fn moment(&self, at: Timestamp) -> String {
        let zone = self
            .plan
            .contract
            .launch
            .window
            .map(|window| window.offset_s);
        let offset = zone.and_then(|secs| Offset::from_seconds(secs).ok());
        let zoned = at.to_zoned(offset.map_or(TimeZone::UTC, TimeZone::fixed));
        match offset {
            Some(_) => zoned.strftime("%Y-%m-%d %H:%M %:z").to_string(),
            None => zoned.strftime("%Y-%m-%d %H:%M UTC").to_string(),
        }
    }

    /// A part of the contract, if it is defined; notes when it is neither
    /// answered nor declined.
    fn section<'s, T>(
        &self,
        section: &'s Section<T>,
        code: &'static str,
        key: &str,
        what: &str,
        notes: &mut Vec<Note>,
    ) -> Option<&'s T> {
        if matches!(section, Section::Undefined) {
            notes.push(self.undefined(code, key, what));
        }
        section.defined()
    }

    /// The note that a part of the two files is neither answered nor declined.
    fn undefined(&self, code: &'static str, key: &str, what: &str) -> Note {
        let says = match key {
            "done" | "runbook" => format!("Nobody has said {what}: `{key}` is empty."),
            _ => format!("Nobody has said {what}, and nobody has declined to: `{key}` is missing."),
        };
        Note::error(code, says)
            .naming(key)
            .owned_by(self.giver().as_ref())
            .next(format!("baton explain {code}"))
    }
}

/// The digest of what a piece of evidence is bound to: of the compact JSON of
/// its view, keys in the order in which the view declares them. Faster than the
/// canonical form, and as definite, because a view holds no unordered map.
fn bound(view: &impl Serialize) -> Digest {
    Digest::of(&serde_json::to_vec(view).expect("views are plain JSON"))
}

/// The first of the people a written owner stands for.
fn first(contract: &Contract, who: Option<&At<String>>) -> Option<Handle> {
    members(contract, who?).into_iter().next()
}

/// The people a person, team or role stands for; nobody for an unknown name.
fn members(contract: &Contract, who: &str) -> Vec<Handle> {
    contract.members(who).unwrap_or_default()
}
