//! Every handoff of the ledger.

use std::collections::BTreeMap;

use baton_core::event::{Event, Outcome, RunTerms};
use baton_core::gate::assess;
use baton_core::handoff::plan::Plan;
use baton_core::id::{Digest, HandoffId, RunId, Seq};
use baton_engine::desk::Desk;
use baton_engine::drive;
use baton_engine::failure::Failure;
use baton_store::Log as _;
use jiff::Timestamp;

use super::super::plan::span;
use super::super::review::outcome;
use super::{questions, word};
use crate::wire::HandoffRow;

/// How many entries are read at a time.
const PAGE: usize = 10_000;

/// What the ledger holds of one handoff.
struct Seen {
    last: Seq,
    /// The latest run, what it was opened on, and how it ended.
    run: Option<(RunId, RunTerms, Option<Outcome>)>,
}

/// A row for each, that of the files first.
pub(super) fn rows(
    desk: &mut Desk,
    release: Result<Digest, String>,
) -> Result<Vec<HandoffRow>, Failure> {
    let mut seen = seen(desk)?;
    let readings = desk.readings_of(release, false)?;
    let plan = desk.plan.clone();
    let verdict = assess(&plan, &desk.facts, &readings, &desk.notes, Timestamp::now());
    let here = seen.remove(&plan.handoff);
    let mut handoffs = vec![HandoffRow {
        verdict: word(verdict.verdict).to_owned(),
        questions: questions(&verdict),
        latest_run: here
            .and_then(|seen| seen.run)
            .map(|(run, ..)| run.to_string()),
        ..row(&plan)
    }];
    let mut before: Vec<(HandoffId, Seen)> = seen.into_iter().collect();
    before.sort_by_key(|(_, seen)| std::cmp::Reverse(seen.last));
    for (id, seen) in before {
        handoffs.push(past(desk, &id, seen));
    }
    Ok(handoffs)
}

fn seen(desk: &mut Desk) -> Result<BTreeMap<HandoffId, Seen>, Failure> {
    let mut seen: BTreeMap<HandoffId, Seen> = BTreeMap::new();
    let mut after = Seq(0);
    loop {
        let page = desk.log.read(after, PAGE)?;
        let Some(last) = page.last() else {
            return Ok(seen);
        };
        after = last.seq;
        for entry in page {
            let of = seen.entry(entry.handoff).or_insert(Seen {
                last: entry.seq,
                run: None,
            });
            of.last = entry.seq;
            match (entry.event, entry.run) {
                (Event::RunOpened(terms), Some(run)) => of.run = Some((run, terms, None)),
                (Event::RunEnded { outcome, .. }, Some(run)) => {
                    if let Some((_, _, ended)) = of.run.as_mut().filter(|(id, ..)| *id == run) {
                        *ended = Some(outcome);
                    }
                }
                _ => {}
            }
        }
    }
}

/// A handoff whose files are gone: what its latest run was opened on says most;
/// of one that was never run only its name is known.
fn past(desk: &mut Desk, id: &HandoffId, seen: Seen) -> HandoffRow {
    let Some((run, terms, ended)) = seen.run else {
        return named(id);
    };
    let row = match drive::plan(&mut desk.log, &run) {
        Ok(plan) => row(&plan),
        Err(_unusable) => HandoffRow {
            environment: terms.environment.to_string(),
            ..named(id)
        },
    };
    HandoffRow {
        id: id.to_string(),
        verdict: ended.map_or("past", outcome).to_owned(),
        latest_run: Some(run.to_string()),
        ..row
    }
}

fn named(id: &HandoffId) -> HandoffRow {
    let mut parts = id.rsplitn(3, '/');
    let environment = parts.next().unwrap_or_default().to_owned();
    let version = parts.next().unwrap_or_default().to_owned();
    HandoffRow {
        id: id.to_string(),
        name: parts.next().unwrap_or_default().to_owned(),
        version,
        environment,
        from: String::new(),
        to: String::new(),
        window: None,
        verdict: "past".to_owned(),
        questions: Vec::new(),
        latest_run: None,
    }
}

fn row(plan: &Plan) -> HandoffRow {
    let contract = &plan.contract;
    HandoffRow {
        id: plan.handoff.to_string(),
        name: contract.name.value.clone(),
        version: contract.release.version.value.clone(),
        environment: contract.launch.environment.to_string(),
        from: contract.from.to_string(),
        to: contract.to.to_string(),
        window: contract.launch.window.map(span),
        verdict: String::new(),
        questions: Vec::new(),
        latest_run: None,
    }
}
