//! `rehearse` and `launch`: opening a run, and driving it.

use std::time::Duration;

use baton_core::diag::{Question, nearest};
use baton_core::event::{Event, RunKind, RunTerms};
use baton_core::gate::{Answer, Verdict, assess, unproven};
use baton_core::handoff::plan::Plan;
use baton_core::id::{Digest, EnvName, Handle, RunId, StepId};
use baton_store::{Log as _, StoreError};
use jiff::Timestamp;

use crate::commands::join::Seat;
use crate::commands::{check, drive};
use crate::desk::{Desk, draw};
use crate::exit::Exit;
use crate::failure::{Failure, Kind};
use crate::render::{Out, Tone};

/// How often the room is looked at while somebody is missing.
const LOOK: Duration = Duration::from_millis(200);

/// `baton rehearse`.
pub(crate) fn rehearse(
    desk: &mut Desk,
    out: &Out,
    environment: Option<&str>,
    fail_at: Option<&str>,
) -> Result<Exit, Failure> {
    let me = desk.me()?;
    none_is_open(desk)?;
    let environment = match (environment, desk.contract.rehearsal.defined()) {
        (Some(name), _) => EnvName::from(name),
        (None, Some(terms)) => terms.environment.value.clone(),
        (None, None) => {
            return Err(
                Failure::wrong("the contract names no environment to rehearse in").hint(
                    "`baton rehearse ENV`, or `rehearsal: { in: ENV, within: 7d }` in the contract",
                ),
            );
        }
    };
    if environment == desk.plan.environment && !desk.settings.yes {
        return Err(Failure::refused(format!(
            "{environment} is the launch environment: a rehearsal would go forward, back and forward there"
        ))
        .hint("if that is meant, say so with `--yes`"));
    }
    let plan = desk.plan_for(&environment)?;
    let fail_at = fail_at.map(|id| known_step(&plan, id)).transpose()?;
    let release = release(desk)?;
    let run = RunId::made(Timestamp::now(), draw());
    let count = plan.steps.len();
    out.line(format!(
        "rehearsing {count} steps in {}: forward, back, and forward again",
        out.paint(environment.as_str(), Tone::Strong)
    ));
    let terms = terms(
        desk,
        RunKind::Rehearsal,
        &plan,
        release,
        fail_at,
        Vec::new(),
    )?;
    open(desk, &me, &run, terms)?;
    drive::drive(desk, out, &run, &me)
}

/// `baton launch`.
pub(crate) fn launch(desk: &mut Desk, out: &Out, no_wait: bool) -> Result<Exit, Failure> {
    let me = desk.me()?;
    none_is_open(desk)?;
    let seat = Seat::at_terminal(desk, &me)?;
    let verdict = ready(desk, out, no_wait)?;
    if verdict.verdict != Answer::Ready {
        check::show(desk, out, &desk.plan.clone(), &verdict);
        let open: Vec<&str> = open_questions(&verdict)
            .into_iter()
            .map(Question::key)
            .collect();
        let open = baton_core::diag::list(&open, 8);
        let kind = if verdict.verdict == Answer::Inconclusive {
            Kind::Part
        } else {
            Kind::Refused
        };
        return Err(
            Failure::new(kind, format!("the launch is refused: {open} open"))
                .hint("`baton check` says what would make it pass"),
        );
    }
    let release = release(desk)?;
    let plan = desk.plan.clone();
    let unproven = unproven(&plan, &desk.facts, Timestamp::now());
    let run = RunId::made(Timestamp::now(), draw());
    let terms = terms(desk, RunKind::Launch, &plan, release, None, unproven)?;
    open(desk, &me, &run, terms)?;
    out.line(format!(
        "launching {} {} in {}",
        out.paint(&plan.contract.name.value, Tone::Strong),
        plan.contract.release.version.value,
        out.paint(plan.environment.as_str(), Tone::Strong)
    ));
    drop(seat);
    drive::drive(desk, out, &run, &me)
}

/// Waits while only the room is open; returns the last verdict.
fn ready(desk: &mut Desk, out: &Out, no_wait: bool) -> Result<Verdict, Failure> {
    let mut said = String::new();
    loop {
        desk.catch_up()?;
        let readings = desk.readings(true)?;
        let now = Timestamp::now();
        let verdict = assess(&desk.plan, &desk.facts, &readings, &desk.notes, now);
        let closed = desk
            .contract
            .launch
            .window
            .is_some_and(|window| now >= window.closes);
        if open_questions(&verdict) != [Question::Room] || no_wait || closed {
            return Ok(verdict);
        }
        let missing: Vec<String> = verdict
            .blockers
            .iter()
            .map(|note| note.says.clone())
            .collect();
        let missing = missing.join("\n");
        if missing != said {
            out.line(out.paint(
                "the room is open; the launch begins when nothing is missing:",
                Tone::Strong,
            ));
            out.text(&missing, 2, Tone::Plain);
            said = missing;
        }
        std::thread::sleep(LOOK);
    }
}

fn open_questions(verdict: &Verdict) -> Vec<Question> {
    let mut open: Vec<Question> = verdict
        .blockers
        .iter()
        .filter_map(|note| note.code.question())
        .collect();
    open.dedup();
    open
}

fn none_is_open(desk: &Desk) -> Result<(), Failure> {
    match desk.facts.open_run() {
        None => Ok(()),
        Some(run) => Err(Failure::refused(format!("the run {run} is still open"))
            .hint("`baton resume` goes on with it, `baton rollback` or `baton stop` ends it")),
    }
}

fn known_step(plan: &Plan, id: &str) -> Result<StepId, Failure> {
    if let Some(step) = plan.step(id) {
        return Ok(step.id().clone());
    }
    let failure = Failure::wrong(format!("the runbook has no step {id}"));
    let near = nearest(id, plan.steps.iter().map(|step| step.id().as_str()));
    Err(match near {
        Some(near) => failure.hint(format!("did you mean {near}?")),
        None => failure.hint("`baton plan` lists the steps"),
    })
}

fn release(desk: &Desk) -> Result<Digest, Failure> {
    desk.release().map_err(|why| {
        Failure::part(format!("cannot tell which release this is: {why}"))
            .hint("build the release first; its files stand under `release: artifacts:`")
    })
}

pub(crate) fn terms(
    desk: &mut Desk,
    what: RunKind,
    plan: &Plan,
    release: Digest,
    fail_at: Option<StepId>,
    unproven: Vec<StepId>,
) -> Result<RunTerms, Failure> {
    let definition = plan.digests.environments.get(&plan.environment).cloned();
    Ok(RunTerms {
        what,
        plan: desk.keep(plan)?,
        content: plan.digests.content.clone(),
        procedure: plan.digests.procedure.clone(),
        roster: plan.digests.roster.clone(),
        release,
        environment: plan.environment.clone(),
        definition: definition
            .ok_or_else(|| Failure::new(Kind::Bug, "an environment without a digest"))?,
        fail_at,
        unproven,
    })
}

/// Opens the run, unless somebody opened another one in the same moment.
pub(crate) fn open(
    desk: &mut Desk,
    me: &Handle,
    run: &RunId,
    terms: RunTerms,
) -> Result<(), Failure> {
    loop {
        let (head, _) = desk.log.head()?;
        desk.catch_up()?;
        none_is_open(desk)?;
        let draft = baton_core::ledger::Draft {
            at: Timestamp::now(),
            by: me.clone(),
            handoff: desk.handoff(),
            run: Some(run.clone()),
            event: Event::RunOpened(terms.clone()),
        };
        match desk.log.append(vec![draft], Some(head), None) {
            Ok(_) => return desk.catch_up(),
            Err(StoreError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
