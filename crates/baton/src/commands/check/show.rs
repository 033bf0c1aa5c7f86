//! How a verdict is said: to people as a calm table and a list, to programs in
//! the format they asked for.

use std::collections::BTreeSet;
use std::path::Path;

use baton_core::diag::{FileKind, Note, Question, Severity, Span};
use baton_core::gate::{Answer, LAUNCH_LEAD, QuestionState, Verdict};
use baton_core::handoff::contract::Contract;
use baton_core::handoff::plan::Plan;
use jiff::Timestamp;

use crate::args::Format;
use crate::formats::{Finding, Group, Sheet};
use crate::render::{Mark, Out, Tone, cell, marked, marks, toned};
use baton_engine::desk::Desk;
use baton_engine::desk::agree::{person, why_waived};

/// Shows a verdict in the format that was asked for.
pub(crate) fn show(desk: &Desk, out: &Out, plan: &Plan, verdict: &Verdict) {
    match out.format {
        Format::Text => out.page(|out| text(desk, out, plan, verdict)),
        Format::Json => {
            let contract = &plan.contract;
            let report = verdict.to_json(
                &contract.name.value,
                &plan.environment,
                &contract.release.version.value,
                &plan.digests.content,
                Timestamp::now(),
            );
            // Plain types: serialising them cannot fail.
            out.line(serde_json::to_string_pretty(&report).unwrap_or_default());
        }
        Format::Sarif => out.json(&sheet(desk, plan, verdict).sarif()),
        Format::Junit => out.line(sheet(desk, plan, verdict).junit()),
        Format::Markdown => out.line(sheet(desk, plan, verdict).markdown()),
    }
}

fn text(desk: &Desk, out: &Out, plan: &Plan, verdict: &Verdict) {
    let tone = match verdict.verdict {
        Answer::Ready => Tone::Good,
        Answer::NotReady => Tone::Bad,
        Answer::Inconclusive => Tone::Warn,
    };
    out.verdict(&headline(plan), &outcome(verdict), tone);
    out.gap();
    let rows: Vec<_> = verdict
        .questions
        .iter()
        .map(|(question, state)| vec![marked(mark(*state)), cell(question.asks())])
        .collect();
    out.table(2, &rows);
    blockers(out, &plan.contract, verdict);
    set_aside(out, &plan.contract, verdict);
    warnings(desk, out, verdict);
    out.next(&next(&plan.contract, verdict));
}

/// What is asked about: `shop 2.4.0 → production`.
fn headline(plan: &Plan) -> String {
    let contract = &plan.contract;
    format!(
        "{} {} → {}",
        contract.name.value, contract.release.version.value, plan.environment
    )
}

fn outcome(verdict: &Verdict) -> String {
    let word = match verdict.verdict {
        Answer::Ready => "ready",
        Answer::NotReady => "not ready",
        Answer::Inconclusive => "inconclusive",
    };
    let mut counts = Vec::new();
    match verdict.blockers.len() {
        0 => {}
        1 => counts.push("1 blocker".to_owned()),
        many => counts.push(format!("{many} blockers")),
    }
    if !verdict.waived.is_empty() {
        counts.push(format!("{} waived", verdict.waived.len()));
    }
    if counts.is_empty() {
        word.to_owned()
    } else {
        format!("{word} ({})", counts.join(", "))
    }
}

fn mark(state: QuestionState) -> Mark {
    match state {
        QuestionState::Answered => marks::ANSWERED,
        QuestionState::Open => marks::OPEN,
        QuestionState::Declined => marks::DECLINED,
        QuestionState::Later => marks::LATER,
    }
}

fn blockers(out: &Out, contract: &Contract, verdict: &Verdict) {
    for question in Question::ALL {
        let of = |note: &&Note| note.code.question() == Some(question);
        let mut notes = verdict.blockers.iter().filter(of).peekable();
        if notes.peek().is_none() {
            continue;
        }
        out.heading(question.asks());
        for (n, note) in notes.enumerate() {
            if n > 0 {
                out.gap();
            }
            let sign = match note.severity {
                Severity::Unknown => "? ",
                Severity::Error | Severity::Warning => "✗ ",
            };
            out.line(format!(
                "  {}{}",
                out.paint(sign, Tone::Bad),
                out.paint(note.code.0, Tone::Quiet)
            ));
            out.text(&note.says, 4, Tone::Plain);
            let mut rows = Vec::new();
            if let Some(owner) = &note.owner {
                rows.push(vec![
                    toned("owner", Tone::Quiet),
                    cell(person(contract, owner)),
                ]);
            }
            if let Some(next) = &note.next {
                rows.push(vec![toned("next", Tone::Quiet), toned(next, Tone::Accent)]);
            }
            out.table(4, &rows);
        }
    }
}

fn set_aside(out: &Out, contract: &Contract, verdict: &Verdict) {
    if !verdict.waived.is_empty() {
        out.heading("Waived for a while");
    }
    for (n, waived) in verdict.waived.iter().enumerate() {
        if n > 0 {
            out.gap();
        }
        let code = waived.note.code.0;
        out.line(format!("  {}", out.paint(format!("– {code}"), Tone::Quiet)));
        out.text(&waived.note.says, 4, Tone::Plain);
        out.text(&why_waived(contract, waived), 4, Tone::Quiet);
    }
    if !verdict.declined.is_empty() {
        out.heading("Declined");
    }
    for part in &verdict.declined {
        out.text(part.question.asks(), 2, Tone::Plain);
        let says = format!("{}: {}", person(contract, &part.by), part.because);
        out.text(&says, 4, Tone::Quiet);
    }
}

fn warnings(desk: &Desk, out: &Out, verdict: &Verdict) {
    let mut notes = beside(desk, verdict).peekable();
    if notes.peek().is_some() {
        out.heading("Worth knowing");
    }
    for note in notes {
        warning(desk, out, note);
    }
}

/// What stops nothing: of the files, and of the verdict.
fn beside<'n>(desk: &'n Desk, verdict: &'n Verdict) -> impl Iterator<Item = &'n Note> {
    let of_files = desk
        .notes
        .iter()
        .filter(|note| note.severity == Severity::Warning);
    of_files.chain(&verdict.warnings)
}

/// One of these, with its place.
pub(crate) fn warning(desk: &Desk, out: &Out, note: &Note) {
    let place = note.span.map(|span| place(desk, span));
    let at = place.map_or_else(String::new, |(file, line, column)| {
        format!("{file}:{line}:{column}: ")
    });
    out.text(&format!("{at}{}", note.says), 2, Tone::Plain);
}

/// What to do first.
fn next(contract: &Contract, verdict: &Verdict) -> String {
    let first = verdict.blockers.first();
    if let Some(next) = first.and_then(|note| note.next.clone()) {
        return next;
    }
    if let Some(note) = first {
        return format!("baton explain {}", note.code);
    }
    match contract.members(LAUNCH_LEAD).unwrap_or_default().first() {
        Some(lead) => format!("baton launch --as {lead}"),
        None => "baton launch".to_owned(),
    }
}

/// File, line and column of a span, the file as the contract was given.
fn place(desk: &Desk, span: Span) -> (String, u32, u32) {
    let file: &Path = &desk.settings.file;
    let file = match span.file {
        FileKind::Contract => file.to_owned(),
        FileKind::Runbook => file.with_file_name(&desk.contract.runbook.value),
    };
    (file.display().to_string(), span.line, span.column)
}

/// The verdict for the formats of other tools.
fn sheet(desk: &Desk, plan: &Plan, verdict: &Verdict) -> Sheet {
    let contract = &plan.contract;
    let groups = verdict.questions.iter().map(|&(question, state)| {
        let of = |note: &Note| note.code.question() == Some(question);
        let standing = verdict.blockers.iter().filter(|note| of(note));
        let standing = standing.map(|note| finding(desk, note, None));
        let waived = verdict.waived.iter().filter(|waived| of(&waived.note));
        let waived =
            waived.map(|waived| finding(desk, &waived.note, Some(why_waived(contract, waived))));
        Group {
            key: question.key().to_owned(),
            asks: question.asks().to_owned(),
            state: mark(state).word.to_owned(),
            skipped: skipped(contract, verdict, question, state),
            findings: standing.chain(waived).collect(),
        }
    });
    let blocking: BTreeSet<&Note> = verdict.blockers.iter().collect();
    let beside = beside(desk, verdict).filter(|note| !blocking.contains(note));
    Sheet {
        title: format!("{}: {}", headline(plan), outcome(verdict)),
        groups: groups.collect(),
        beside: beside.map(|note| finding(desk, note, None)).collect(),
    }
}

fn skipped(
    contract: &Contract,
    verdict: &Verdict,
    question: Question,
    state: QuestionState,
) -> Option<String> {
    match state {
        QuestionState::Answered | QuestionState::Open => None,
        QuestionState::Later => Some("asked at the launch".to_owned()),
        QuestionState::Declined => {
            let mut parts = verdict.declined.iter();
            let part = parts.find(|part| part.question == question)?;
            let by = person(contract, &part.by);
            Some(format!("declined by {by}: {}", part.because))
        }
    }
}

/// A note for the formats of other tools.
pub(crate) fn finding(desk: &Desk, note: &Note, waived: Option<String>) -> Finding {
    Finding {
        code: note.code,
        severity: note.severity,
        says: note.says.clone(),
        names: note.names.clone(),
        owner: note
            .owner
            .as_ref()
            .map(|owner| person(&desk.contract, owner)),
        next: note.next.clone(),
        place: note.span.map(|span| place(desk, span)),
        waived,
    }
}
