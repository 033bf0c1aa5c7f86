//! The handoff as it stands: the verdict, and everything it rests on.

mod all;
mod mine;

use std::collections::BTreeMap;

use baton_core::diag::{Note, Question, Severity};
use baton_core::gate::{Answer, QuestionState, Readings, Verdict, assess, shown, stand};
use baton_core::handoff::contract::{AnswerKind, Contract, Criterion, Expectation};
use baton_core::id::{Digest, Handle, Seq, TeamName};
use baton_engine::desk::Desk;
use baton_engine::desk::agree::why_waived;
use baton_engine::desk::blind::own;
use baton_engine::failure::Failure;
use baton_store::Log as _;
use jiff::Timestamp;

use super::plan::{NOBODY, seconds, span};
use crate::wire::{
    BlockerView, CriterionView, DeclinedView, DigestsView, ExpectationView, FoundState,
    HandoffView, Handoffs, MeasureTerms, PersonView, QuestionView, RoleView, SaidView,
};

/// The handoff of the files, weighed now against this release, then those of the
/// ledger that were before it, the latest first. It reads the whole ledger.
///
/// # Errors
/// Those of the ledger.
pub(crate) fn all(desk: &mut Desk, release: Result<Digest, String>) -> Result<Handoffs, Failure> {
    let handoffs = all::rows(desk, release)?;
    Ok(Handoffs { handoffs })
}

/// The handoff as its reader may see it, weighed now against this release. What
/// the other team answered blind is not in it before both are opened.
///
/// # Errors
/// Those of the ledger.
pub(crate) fn one(
    desk: &mut Desk,
    me: Option<&Handle>,
    release: Result<Digest, String>,
) -> Result<HandoffView, Failure> {
    let at = Timestamp::now();
    let readings = desk.readings_of(release, false)?;
    let plan = desk.plan.clone();
    let verdict = assess(&plan, &desk.facts, &readings, &desk.notes, at);
    let content = plan.digests.content.clone();
    let (from, to) = (&plan.contract.from.value, &plan.contract.to.value);
    let offered: Vec<_> = members_of(desk, from, desk.facts.offered(&content));
    let accepted: Vec<_> = members_of(desk, to, desk.facts.accepted(&content));
    let contract = &plan.contract;
    Ok(HandoffView {
        id: plan.handoff.to_string(),
        name: contract.name.value.clone(),
        version: contract.release.version.value.clone(),
        environment: plan.environment.to_string(),
        from: from.to_string(),
        to: to.to_string(),
        summary: contract.summary.clone(),
        window: contract.launch.window.map(span),
        verdict: word(verdict.verdict).to_owned(),
        at,
        questions: questions(&verdict),
        blockers: verdict.blockers.iter().map(blocker).collect(),
        waived: waived(contract, &verdict),
        declined: verdict.declined.iter().map(declined).collect(),
        expectations: expectations(desk, me, &verdict),
        criteria: criteria(desk, &readings, at),
        measures: measures(contract),
        people: people(contract),
        roles: roles(contract),
        digests: DigestsView {
            content: content.to_string(),
            procedure: plan.digests.procedure.to_string(),
            release: match &readings.release {
                Ok(digest) => digest.to_string(),
                Err(why) => why.clone(),
            },
            roster: plan.digests.roster.to_string(),
        },
        offered: said(desk, offered)?,
        accepted: said(desk, accepted)?,
        mine_open: me.map_or_else(Vec::new, |me| mine::open(desk, me, &readings, at)),
    })
}

/// What the command of a criterion printed when it ran last, masked; nothing for
/// one that never ran, or printed nothing.
///
/// # Errors
/// Those of the ledger.
pub(crate) fn output(desk: &mut Desk, criterion: &str) -> Result<Option<Vec<u8>>, Failure> {
    let mut done = desk.plan.contract.done.iter();
    let Some(of) = done.find(|of| of.id.as_str() == criterion) else {
        return Ok(None);
    };
    // Which release it is held against does not change what was printed.
    let any = Digest::of(b"");
    let shown = shown(&desk.plan, &desk.facts, &any, Timestamp::now(), of);
    let Some(blob) = shown.output.cloned() else {
        return Ok(None);
    };
    Ok(desk.log.get(&blob)?)
}

/// May it go, in a word.
pub(super) fn word(answer: Answer) -> &'static str {
    match answer {
        Answer::Ready => "ready",
        Answer::NotReady => "not-ready",
        Answer::Inconclusive => "inconclusive",
    }
}

/// All eight questions.
pub(super) fn questions(verdict: &Verdict) -> Vec<QuestionView> {
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let all = verdict.questions.iter().map(|(question, state)| {
        let of = |note: &&Note| note.code.question() == Some(*question);
        let waived = verdict.waived.iter().map(|waived| &waived.note);
        QuestionView {
            key: question.key().to_owned(),
            state: match state {
                QuestionState::Answered => FoundState::Answered,
                QuestionState::Open => FoundState::Open,
                QuestionState::Declined => FoundState::Declined,
                QuestionState::Later => FoundState::Later,
            },
            open: count(verdict.blockers.iter().filter(of).count()),
            waived: count(waived.filter(of).count()),
        }
    });
    all.collect()
}

fn blocker(note: &Note) -> BlockerView {
    let question = note.code.question().map(Question::key);
    BlockerView {
        code: note.code.0.to_owned(),
        question: question.unwrap_or_default().to_owned(),
        says: note.says.clone(),
        names: note.names.clone(),
        owner: note.owner.as_ref().map(ToString::to_string),
        next: note.next.clone(),
    }
}

fn waived(contract: &Contract, verdict: &Verdict) -> Vec<BlockerView> {
    let all = verdict.waived.iter().map(|waived| BlockerView {
        says: format!(
            "{} Waived by {}",
            waived.note.says,
            why_waived(contract, waived)
        ),
        owner: Some(waived.owner.to_string()),
        next: None,
        ..blocker(&waived.note)
    });
    all.collect()
}

fn declined(part: &baton_core::gate::DeclinedPart) -> DeclinedView {
    DeclinedView {
        question: part.question.key().to_owned(),
        because: part.because.clone(),
        by: part.by.to_string(),
    }
}

fn expectations(desk: &Desk, me: Option<&Handle>, verdict: &Verdict) -> Vec<ExpectationView> {
    let contract = &desk.plan.contract;
    let asked = contract.expectations.defined().into_iter().flatten();
    let teams = [&contract.from.value, &contract.to.value];
    let view = |asked: &Expectation| {
        let seen = stand(&desk.plan, &desk.facts, asked);
        let conflict = verdict.blockers.iter().find(|note| {
            note.code.0 == "alignment.conflict" && note.names == [asked.id.to_string()]
        });
        let opened = seen.opened.map(|answers| {
            let answers = answers.map(str::to_owned);
            BTreeMap::from_iter(teams.map(ToString::to_string).into_iter().zip(answers))
        });
        ExpectationView {
            id: asked.id.to_string(),
            ask: asked.ask.clone(),
            answer_kind: wants(&asked.answer),
            mine: me.and_then(|me| own(desk, me, asked)),
            given: BTreeMap::from_iter(teams.map(ToString::to_string).into_iter().zip(seen.given)),
            conflict: conflict.map(|note| note.says.clone()),
            opened,
        }
    };
    asked.map(view).collect()
}

fn wants(kind: &AnswerKind) -> String {
    match kind {
        AnswerKind::Number => "number".to_owned(),
        AnswerKind::Duration => "duration".to_owned(),
        AnswerKind::Text => "text".to_owned(),
        AnswerKind::YesNo => "yes or no".to_owned(),
        AnswerKind::Choice(words) => words.join(" | "),
    }
}

fn criteria(desk: &Desk, readings: &Readings, now: Timestamp) -> Vec<CriterionView> {
    let done = desk.plan.contract.done.iter();
    done.map(|of| criterion(desk, of, &readings.release, now))
        .collect()
}

fn criterion(
    desk: &Desk,
    of: &Criterion,
    release: &Result<Digest, String>,
    now: Timestamp,
) -> CriterionView {
    // Without a release nothing can be held against it; when its command ran is known.
    let none = Digest::of(b"");
    let digest = release.as_ref().unwrap_or(&none);
    let shown = shown(&desk.plan, &desk.facts, digest, now, of);
    let (state, why) = match (release, shown.against) {
        (Err(why), _) => ("unknown", Some(why.clone())),
        (Ok(_), None) => ("passing", None),
        (Ok(_), Some(note)) => (against(&note), Some(note.says)),
    };
    let age = shown
        .at
        .map(|at| baton_core::time::Duration::between(at, now));
    CriterionView {
        id: of.id.to_string(),
        says: of.says.clone(),
        owner: written(of.owner.as_deref()),
        state: state.to_owned(),
        at: shown.at,
        age_s: age.map(seconds),
        fresh_s: of.fresh.map(seconds),
        sign: of.sign.as_ref().map(|by| by.to_string()),
        output_attempt: shown.output.map(|_| format!("criterion:{}", of.id.value)),
        why,
    }
}

/// What a blocker says of a criterion, in a word.
fn against(note: &Note) -> &'static str {
    match note.code.0 {
        "definition.stale" => "stale",
        "definition.unsigned" => "unsigned",
        "definition.missing" => "missing",
        _ if note.severity == Severity::Unknown => "unknown",
        _ => "failing",
    }
}

/// Who is written; somebody has to be named even where nobody is.
fn written(who: Option<&String>) -> String {
    who.cloned().unwrap_or_else(|| NOBODY.to_owned())
}

fn measures(contract: &Contract) -> Vec<MeasureTerms> {
    let agreed = contract.success.defined().into_iter().flatten();
    let all = agreed.map(|measure| MeasureTerms {
        id: measure.id.to_string(),
        says: measure.says.clone(),
        owner: written(measure.owner.as_deref()),
        bar: measure.bar(),
    });
    all.collect()
}

fn people(contract: &Contract) -> Vec<PersonView> {
    let all = contract.people.iter().map(|(handle, person)| {
        let teams = contract.teams.iter();
        let of = teams.filter(|(_, members)| members.iter().any(|by| by.value == *handle));
        let of: Vec<&str> = of.map(|(team, _)| team.as_str()).collect();
        PersonView {
            handle: handle.to_string(),
            name: person.name.clone(),
            team: of.join(", "),
            zone: person
                .zone
                .as_deref()
                .map_or("UTC", String::as_str)
                .to_owned(),
            hours: person.hours.as_ref().map(|hours| hours.value.to_string()),
        }
    });
    all.collect()
}

fn roles(contract: &Contract) -> Vec<RoleView> {
    let all = contract.roles.iter().map(|(name, role)| RoleView {
        role: name.to_string(),
        owner: written(role.owner.as_deref()),
        backup: role.backup.as_deref().cloned(),
    });
    all.collect()
}

/// Those of a team who gave a word, and where the ledger has it, the first first.
fn members_of<'a>(
    desk: &Desk,
    team: &TeamName,
    words: impl Iterator<Item = (&'a Handle, Seq)>,
) -> Vec<(Handle, Seq)> {
    let members = desk.plan.contract.members(team).unwrap_or_default();
    let of = words.filter(|(by, _)| members.contains(by));
    let mut of: Vec<(Handle, Seq)> = of.map(|(by, seq)| (by.clone(), seq)).collect();
    of.sort_by_key(|(_, seq)| *seq);
    of
}

/// The same with the moment at which it was given.
fn said(desk: &mut Desk, words: Vec<(Handle, Seq)>) -> Result<Vec<SaidView>, Failure> {
    let mut said = Vec::with_capacity(words.len());
    for (by, seq) in words {
        let before = Seq(seq.0.saturating_sub(1));
        let at = desk.log.read(before, 1)?.first().map(|entry| entry.at);
        said.extend(at.map(|at| SaidView {
            by: by.to_string(),
            at,
        }));
    }
    Ok(said)
}
