//! `bench-ledger` fills the ledger with plausible events, so that a gate can be
//! timed on a long past; `bench-run` drives a launch whose commands end at once
//! (`cargo xtask bench`). Hidden: what they write is true of nothing, so only a
//! handoff that is called `bench` takes it.

mod idle;

use std::collections::BTreeMap;

use baton_core::event::{Ending, Event};
use baton_core::gate::{
    commitment, criterion_definition, expectation_definition, preflight_definition,
};
use baton_core::id::{Digest, Handle};
use baton_core::ledger::Draft;
use baton_core::ledger::canon::BATON;
use baton_core::time::Duration;
use baton_core::watch::{Decision, Verdict};
use baton_store::Log as _;
use jiff::Timestamp;

use crate::exit::Exit;
use crate::render::Out;
use baton_engine::desk::Desk;
use baton_engine::failure::Failure;

pub(crate) use idle::run;

/// How many events are appended at a time.
const BATCH: usize = 1000;

/// The name of the one handoff about which untrue things are written.
const NAME: &str = "bench";

/// Refuses to write what is not true into the ledger of a real handoff.
fn made_up(desk: &Desk) -> Result<(), Failure> {
    let name = &desk.contract.name.value;
    if name == NAME {
        return Ok(());
    }
    let says = format!("what this command writes is not true, and {name} is a real handoff");
    Err(Failure::wrong(says).hint(format!("it is for a contract with `name: {NAME}`")))
}

/// `baton bench-ledger --events N`.
pub(crate) fn fill(desk: &mut Desk, out: &Out, events: usize) -> Result<Exit, Failure> {
    made_up(desk)?;
    let release = desk.release().unwrap_or_else(|_none| Digest::of(b"bench"));
    let kinds = kinds(desk, &release);
    let mut written = 0;
    while written < events {
        let batch = BATCH.min(events - written);
        let drafts = (written..written + batch)
            .map(|n| {
                let (by, event) = &kinds[n % kinds.len()];
                Draft {
                    at: Timestamp::now(),
                    by: by.clone(),
                    handoff: desk.handoff(),
                    run: None,
                    event: event.clone(),
                }
            })
            .collect();
        let _entries = desk.log.append(drafts, None, None)?;
        written += batch;
        out.progress(&format!("{written} of {events} events"));
    }
    out.line(format!("{events} events"));
    Ok(Exit::Good)
}

/// One round of events: evidence for every criterion, proofs of access for
/// every step, answers, looks of a judge, and talk in between.
fn kinds(desk: &Desk, release: &Digest) -> Vec<(Handle, Event)> {
    let baton = Handle::from(BATON);
    let people: Vec<&Handle> = desk.contract.people.keys().collect();
    let who = |n: usize| {
        let person = people.get(n % people.len().max(1));
        person.map_or_else(|| baton.clone(), |person| (*person).clone())
    };
    let mut events: Vec<(Handle, Event)> = vec![(baton.clone(), judged())];
    for (n, criterion) in desk.contract.done.iter().enumerate() {
        let ran = Event::CriterionRan {
            criterion: criterion.id.value.clone(),
            definition: criterion_definition(criterion),
            release: release.clone(),
            environment: None,
            end: Ending::Succeeded,
            guard: None,
            took: Duration::from_millis(300),
            output: None,
        };
        events.push((baton.clone(), ran));
        let text = format!("{} is looked at", criterion.id.value);
        events.push((who(n), Event::Said { text }));
    }
    for (n, step) in desk.plan.steps.iter().enumerate() {
        let definition = preflight_definition(&desk.plan, step);
        let proofs = step.hosts().map(|host| Event::Preflighted {
            step: step.id().clone(),
            host: host.clone(),
            environment: desk.plan.environment.clone(),
            definition: definition.clone().unwrap_or_else(|| release.clone()),
            end: Ending::Succeeded,
        });
        events.extend(proofs.map(|event| (who(n), event)));
    }
    let expectations = desk.contract.expectations.defined().into_iter().flatten();
    for (n, expectation) in expectations.enumerate() {
        let answered = Event::Answered {
            expectation: expectation.id.value.clone(),
            definition: expectation_definition(expectation),
            team: desk.contract.from.value.clone(),
            commitment: commitment("salt", "1200"),
        };
        events.push((who(n), answered));
    }
    events
}

fn judged() -> Event {
    Event::Judged {
        samples: BTreeMap::new(),
        verdict: Verdict {
            decision: Decision::Hold,
            because: "Watching.".to_owned(),
            measures: Vec::new(),
        },
    }
}
