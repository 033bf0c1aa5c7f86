//! Waivers: blockers set aside for a while.
//!
//! A waiver that cannot be read must not hide anything, and must not take the
//! contract down with it: it stays, sets nothing aside, and is named by a note
//! with the code `QUESTION.waiver-invalid`. Whether one has expired, and what
//! it covers, is the gate's question.

use jiff::Timestamp;

use super::contract::{At, Waiver};
use super::names::is_name;
use super::read::{Read, Reader, keys};
use super::schema::Instant;
use super::yaml::{Kind, Node};
use crate::diag::{BLOCKERS, Code, Note, Question, Span, brief, list, nearest};
use crate::id::Handle;
use crate::parity::Pattern;
use crate::time::instant;

/// Why a code cannot be set aside.
pub(crate) struct NotWaivable {
    /// The code the note gets.
    pub(crate) code: &'static str,
    /// What is wrong, to follow the name of the waiver.
    pub(crate) trouble: String,
    /// What to do.
    pub(crate) next: String,
}

/// Whether a waiver may name this blocker.
///
/// Whoever offers and accepts has to do so themselves, and no waiver can vouch
/// for another one.
pub(crate) fn waivable(blocker: &str) -> Result<Question, NotWaivable> {
    let Some((code, question)) =
        Code::blocker(blocker).and_then(|code| Some((code, code.question()?)))
    else {
        return Err(NotWaivable {
            code: "contract.waiver",
            trouble: "there is no such blocker".to_owned(),
            next: match nearest(blocker, BLOCKERS.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "`baton check` names the blockers there are".to_owned(),
            },
        });
    };
    let (trouble, next) = match code.0 {
        "alignment.not-offered" | "alignment.not-accepted" | "alignment.lapsed" => (
            "both sides have to give their word themselves",
            "`baton offer` and `baton accept` give it; delete the waiver",
        ),
        word if word.contains(".waiver-") => (
            "no waiver can vouch for another one",
            "mend the other waiver, and delete this one",
        ),
        _ => return Ok(question),
    };
    Err(NotWaivable {
        code: invalid(question),
        trouble: trouble.to_owned(),
        next: next.to_owned(),
    })
}

/// The code of a waiver that sets nothing aside.
fn invalid(question: Question) -> &'static str {
    match question {
        Question::Definition => "definition.waiver-invalid",
        Question::Alignment => "alignment.waiver-invalid",
        Question::Parity => "parity.waiver-invalid",
        Question::Ownership => "ownership.waiver-invalid",
        Question::Runbook => "runbook.waiver-invalid",
        Question::Rehearsal => "rehearsal.waiver-invalid",
        Question::Room => "room.waiver-invalid",
        Question::Review => "review.waiver-invalid",
    }
}

/// Any text, or nothing: what it should be is judged together with the others.
pub(super) struct Loose(String, Span);

impl Read for Loose {
    fn read<'t>(node: &'t Node, reader: &mut Reader<'t>) -> Option<Self> {
        match &node.kind {
            Kind::Scalar { .. } => {
                let text = node.text().unwrap_or_default();
                Some(Self(text.to_owned(), node.span))
            }
            _ => reader.wrong_kind(node, "text", "write the text after the colon"),
        }
    }
}

/// One pattern, or a list of them.
#[derive(Default)]
pub(super) struct Patterns(Vec<String>);

impl Read for Patterns {
    fn read<'t>(node: &'t Node, reader: &mut Reader<'t>) -> Option<Self> {
        match &node.kind {
            Kind::Seq(_) => Vec::read(node, reader).map(Self),
            _ => String::read(node, reader).map(|pattern| Self(vec![pattern])),
        }
    }
}

keys! {
    /// A blocker set aside for a while.
    #[schemars(rename = "Waiver")]
    pub(super) struct WaiverForm {
        /// The blocker's code.
        blocker: At<String>,
        /// One pattern or several, which must cover every name of the blocker;
        /// a blocker that names nothing needs none.
        #[schemars(with = "super::schema::OneOrMore")]
        matches as "match": Patterns = default,
        /// Why.
        #[schemars(with = "String")]
        because: Option<Loose>,
        /// Who answers for it.
        #[schemars(with = "Handle")]
        owner: Option<Loose>,
        /// Until when.
        #[schemars(with = "Instant")]
        until: Option<Loose>,
        /// Values that the blocker must still name, or the waiver lapses.
        #[schemars(with = "super::schema::OneOrMore")]
        pinned: Patterns = default,
        /// Most blockers it may set aside; where more fit, it sets none aside.
        #[schemars(with = "Option<f64>")]
        most: Option<Loose>,
    }
}

impl Read for Waiver {
    fn read<'t>(node: &'t Node, reader: &mut Reader<'t>) -> Option<Self> {
        let form = WaiverForm::read(node, reader)?;
        let said = |loose: Option<Loose>| loose.filter(|loose| !loose.0.trim().is_empty());
        let (because, owner, until) = (said(form.because), said(form.owner), said(form.until));

        let mut troubles = Vec::new();
        if because.is_none() {
            troubles.push("it has no `because`".to_owned());
        }
        match &owner {
            Some(owner) if is_name(&owner.0) => {}
            Some(owner) => troubles.push(format!("its owner `{}` is no name", brief(&owner.0))),
            None => troubles.push("it has no `owner`".to_owned()),
        }
        let until: Result<Timestamp, String> = match until {
            Some(until) => instant(&until.0).map_err(|_unreadable| until.0),
            None => Err(String::new()),
        };
        match &until {
            Ok(_) => {}
            Err(text) if text.is_empty() => troubles.push("it has no `until`".to_owned()),
            Err(text) => troubles.push(format!("its `until: {}` is no instant", brief(text))),
        }
        for pattern in &form.matches.0 {
            if let Err(trouble) = Pattern::new(pattern) {
                troubles.push(trouble);
            }
        }
        if form.pinned.0.iter().any(|value| value.trim().is_empty()) {
            troubles.push("a pinned value is empty".to_owned());
        }
        // One that nobody can read allows none.
        let most = form.most.map(|most| most.0.parse().unwrap_or(0));
        if most == Some(0) {
            troubles.push("its `most` is no number of 1 or more".to_owned());
        }
        let span = form.blocker.span.unwrap_or(node.span);
        note_troubles(&form.blocker, span, troubles, reader);
        Some(Self {
            blocker: form.blocker,
            matches: form.matches.0,
            because: because.map(|because| because.0),
            owner: owner.map(|owner| At::new(Handle::new(owner.0), owner.1)),
            until,
            pinned: form.pinned.0,
            most,
        })
    }
}

fn note_troubles(blocker: &str, span: Span, mut troubles: Vec<String>, reader: &mut Reader<'_>) {
    let usual = "give it `because`, `owner` and `until: 2026-12-01T00:00:00Z`, or delete it";
    let (code, next) = match waivable(blocker) {
        Ok(_) if troubles.is_empty() => return,
        Ok(question) => (invalid(question), usual.to_owned()),
        Err(not) => {
            troubles.insert(0, not.trouble);
            (not.code, not.next)
        }
    };
    let says = format!(
        "the waiver of `{blocker}` sets nothing aside: {}",
        list(&troubles, 10)
    );
    reader.note(Note::error(code, says).at(span).naming(blocker).next(next));
}
