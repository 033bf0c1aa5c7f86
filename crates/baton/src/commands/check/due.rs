//! What a check finds out before it judges: criteria, secrets, measures and
//! the preflights of whoever runs it.
//!
//! What has passed as it is now is not asked again. Everything found is in the
//! ledger before the next thing is asked, so that a check that is broken off
//! loses nothing. Values of secrets are never kept, only whether they were had.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use baton_core::event::{Ending, Event};
use baton_core::gate::{
    criterion_definition, criterion_environment, due, measure_definition, measures_due,
    preflight_definition, preflights_due, secrets_due,
};
use baton_core::handoff::contract::{Criterion, Measure, Source};
use baton_core::handoff::plan::Plan;
use baton_core::id::{AttemptId, Digest, Handle};
use baton_core::run::order;
use baton_core::run::state::asked;
use baton_engine::metrics::prober::sees;
use baton_engine::real::RealWorld;
use baton_engine::secret::resolve;
use baton_engine::shell::Shell;
use baton_engine::world::Ended;
use baton_store::Log as _;
use jiff::Timestamp;

use crate::render::Out;
use baton_engine::desk::{Desk, draw};
use baton_engine::failure::Failure;

/// How long a measure may take to answer once.
const PROBE_WAIT: Duration = Duration::from_secs(5);
/// How far apart the points of a query are while it is only asked whether it has any.
const STEP: baton_core::time::Duration = baton_core::time::Duration::from_secs(15);
/// How much of a command stands in a line of progress, in characters.
const COMMAND_SHOWN: usize = 60;

/// Finds out everything that is due.
pub(super) fn find_out(desk: &mut Desk, out: &Out, plan: &Plan) -> Result<(), Failure> {
    let by = desk.author()?;
    criteria(desk, out, plan, &by)?;
    secrets(desk, plan, &by)?;
    measures(desk, out, plan, &by)?;
    preflights(desk, out, plan, &by)
}

fn criteria(desk: &mut Desk, out: &Out, plan: &Plan, by: &Handle) -> Result<(), Failure> {
    // A release that cannot be read is the gate's to tell; no evidence fits it.
    let Ok(release) = desk.release() else {
        return Ok(());
    };
    let criteria = due(plan, &desk.facts, &release, Timestamp::now());
    let count = criteria.len();
    let mut world = desk.quiet_world()?;
    for (n, criterion) in criteria.into_iter().enumerate() {
        let Some(command) = criterion.run.as_deref() else {
            continue;
        };
        let (id, shown) = (&criterion.id.value, brief(command));
        out.progress(&format!("[{}/{count}] {id}: {shown}", n + 1));
        let ran = carry_out(&mut world, plan, criterion, command)?;
        let guard = match criterion.refuses.as_deref() {
            Some(command) => {
                let shown = brief(command);
                out.progress(&format!(
                    "[{}/{count}] {id}, which must be refused: {shown}",
                    n + 1
                ));
                Some(carry_out(&mut world, plan, criterion, command)?)
            }
            None => None,
        };
        out.progress(&format!("        {}", ended(&ran, guard.as_ref())));
        record(desk, plan, criterion, &release, by, ran, guard)?;
    }
    Ok(())
}

/// The first line of a command, cut to fit beside its criterion.
fn brief(command: &str) -> String {
    let mut lines = command.trim().lines();
    let first = lines.next().unwrap_or_default();
    let shown: String = first.chars().take(COMMAND_SHOWN).collect();
    let more = lines.next().is_some() || shown.len() < first.len();
    format!("{shown}{}", if more { " …" } else { "" })
}

/// How it went; a guard that refused is what was wanted.
fn ended(ran: &Ended, guard: Option<&Ended>) -> String {
    let told = format!("{} after {}", ran.end.says(), ran.took);
    match guard.map(|guard| &guard.end) {
        None => told,
        Some(Ending::Exited { code: 1..=125 }) => format!("{told}; the bad case was refused"),
        Some(Ending::Succeeded) => format!("{told}; the bad case was let through"),
        Some(end) => format!("{told}; the bad case {}", end.says()),
    }
}

fn carry_out(
    world: &mut RealWorld,
    plan: &Plan,
    criterion: &Criterion,
    command: &str,
) -> Result<Ended, Failure> {
    let attempt = AttemptId::made(Timestamp::now(), draw());
    let id = &criterion.id.value;
    let order = order::criterion(plan, criterion, command, &attempt)
        .ok_or_else(|| Failure::part(format!("{id} names an environment that there is not")))?;
    world.carry_out(&order).map_err(|error| {
        Failure::part(format!("cannot run {id}"))
            .because(&error)
            .hint("see to the room and the rights of `.baton/attempts`, and check again")
    })
}

fn record(
    desk: &mut Desk,
    plan: &Plan,
    criterion: &Criterion,
    release: &Digest,
    by: &Handle,
    ran: Ended,
    guard: Option<Ended>,
) -> Result<(), Failure> {
    let mut printed = ran.output;
    let mut took = ran.took.as_millis();
    if let Some(guard) = &guard {
        printed.extend_from_slice(&guard.output);
        took += guard.took.as_millis();
    }
    let output = if printed.is_empty() {
        None
    } else {
        Some(desk.log.put(&printed)?)
    };
    let event = Event::CriterionRan {
        criterion: criterion.id.value.clone(),
        definition: criterion_definition(criterion),
        release: release.clone(),
        environment: criterion_environment(plan, criterion).cloned(),
        end: ran.end,
        guard: guard.map(|guard| guard.end),
        took: baton_core::time::Duration::from_millis(took),
        output,
    };
    let _entries = desk.append(by, None, vec![event])?;
    Ok(())
}

fn secrets(desk: &mut Desk, plan: &Plan, by: &Handle) -> Result<(), Failure> {
    let Some(definition) = plan.digests.environments.get(&plan.environment) else {
        return Ok(());
    };
    if !secrets_due(plan, &desk.facts) {
        return Ok(());
    }
    let folder = desk.settings.folder.clone();
    let declared = plan.place().secrets.iter();
    let secrets = declared
        .map(|(name, reference)| (name.clone(), resolve(reference, &folder).err()))
        .collect();
    let event = Event::SecretsResolved {
        environment: plan.environment.clone(),
        definition: definition.clone(),
        secrets,
    };
    let _entries = desk.append(by, None, vec![event])?;
    Ok(())
}

fn measures(desk: &mut Desk, out: &Out, plan: &Plan, by: &Handle) -> Result<(), Failure> {
    let shell = Arc::new(desk.shell()?);
    for measure in measures_due(plan, &desk.facts, Timestamp::now()) {
        out.progress(&format!("asking for {}", measure.id.value));
        let event = Event::MeasureSeen {
            measure: measure.id.value.clone(),
            definition: measure_definition(plan, measure),
            blind: blind(plan, measure, &shell),
        };
        let _entries = desk.append(by, None, vec![event])?;
    }
    Ok(())
}

/// Why a measure sees no live data; `None` when everything that is asked
/// answers. What it answers is the judge's to weigh.
fn blind(plan: &Plan, measure: &Measure, shell: &Arc<Shell>) -> Option<String> {
    let hosts = &plan.place().hosts;
    if hosts.is_empty() {
        return Some(format!("{} has no host to ask", plan.environment));
    }
    let every = match &measure.source {
        Source::Probe { every, .. } => *every,
        Source::Prometheus { .. }
        | Source::Histogram { .. }
        | Source::Counter(_)
        | Source::Postgres { .. }
        | Source::Level(_) => STEP,
    };
    // What names no host is asked once.
    let mut asked_before = BTreeSet::new();
    let silent: Vec<String> = hosts
        .keys()
        .filter_map(|host| {
            let asked = asked(plan, measure, host, every);
            if !asked_before.insert(asked.clone()) {
                return None;
            }
            let why = sees(&asked, Arc::clone(shell), PROBE_WAIT).err()?;
            Some(format!("{host}: {why}"))
        })
        .collect();
    (!silent.is_empty()).then(|| silent.join("; "))
}

fn preflights(desk: &mut Desk, out: &Out, plan: &Plan, by: &Handle) -> Result<(), Failure> {
    let mut world = desk.quiet_world()?;
    for (step, host) in preflights_due(plan, &desk.facts, by) {
        let attempt = AttemptId::made(Timestamp::now(), draw());
        let (Some(order), Some(definition)) = (
            order::preflight(plan, step, host, &attempt),
            preflight_definition(plan, step),
        ) else {
            continue;
        };
        let place = if host.is_here() {
            "here".to_owned()
        } else {
            format!("on {host}")
        };
        let id = step.id();
        out.progress(&format!("proving access to {id} {place} as {by}"));
        let end: Ending = world
            .carry_out(&order)
            .map_err(|error| {
                Failure::part(format!("cannot run the preflight of {id}")).because(&error)
            })?
            .end;
        let event = Event::Preflighted {
            step: id.clone(),
            host: host.clone(),
            environment: plan.environment.clone(),
            definition,
            end,
        };
        let _entries = desk.append(by, None, vec![event])?;
    }
    Ok(())
}
