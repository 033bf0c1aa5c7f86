//! Contract and runbook, resolved: every name of the runbook looked up.
//!
//! What holds everywhere (people, order) is looked at once; what depends on an
//! environment (hosts, variables, secrets) for each environment asked about.

use std::collections::{BTreeMap, BTreeSet};

use super::order::order;
use super::variables::{self, Known};
use super::{PLAN_FORMAT, Plan, Step, digest, people, places};
use crate::diag::{Note, Severity, Span, list, nearest};
use crate::handoff::contract::{Contract, Environment};
use crate::handoff::runbook::{self, NotBefore, Runbook};
use crate::id::{EnvName, Handle, HandoffId, HostName, StepId};

/// Resolves contract and runbook for one environment.
///
/// The plan is `None` when any note is an error of the files
/// ([`runbook::CODES`]); notes with a gate's code (`ownership.no-backup`) leave
/// it usable. What [`runbook::parse`] and the contract's own check have already
/// said is not said again.
pub fn resolve(
    contract: &Contract,
    runbook: &Runbook,
    environment: &EnvName,
) -> (Option<Plan>, Vec<Note>) {
    let (steps, mut notes) = everywhere(contract, runbook);
    let Some(place) = contract.environments.get(environment) else {
        let names = contract.environments.keys().map(|name| name.as_str());
        let hint = nearest(environment, names).map_or_else(
            || "environments stand in `handoff.yaml`".to_owned(),
            |meant| format!("did you mean `{meant}`?"),
        );
        let says = format!("there is no environment `{environment}`");
        notes.push(
            Note::error("runbook.reference", says)
                .naming(environment)
                .next(hint),
        );
        return (None, notes);
    };
    let Some(steps) = steps else {
        return (None, notes);
    };
    let mut here = Vec::new();
    let stages = within(runbook, &steps, environment, place, &mut here);
    notes.extend(
        here.into_iter()
            .map(|note| at_environments(note, &[environment])),
    );
    if notes.iter().any(is_error) {
        return (None, notes);
    }
    let plan = assemble(contract, runbook, environment, steps, stages);
    (Some(plan), notes)
}

/// What [`lint`] found, and what it looked up on the way.
pub struct Linted {
    /// Everything [`resolve`] would say for the launch and for the rehearsal
    /// environment; what both say is said once, with both named.
    pub notes: Vec<Note>,
    /// The steps with their stages in the launch environment.
    launch: Option<(Vec<Draft>, Vec<Stages>)>,
}

impl Linted {
    /// The plan for the launch environment, from the files that were looked at;
    /// `None` when any note is an error of the files.
    pub fn plan(self, contract: &Contract, runbook: &Runbook) -> Option<Plan> {
        let (steps, stages) = self.launch?;
        let broken = self.notes.iter().any(is_error);
        let launch = &contract.launch.environment.value;
        (!broken).then(|| assemble(contract, runbook, launch, steps, stages))
    }
}

/// Looks through both files for the launch and for the rehearsal environment.
/// An environment the contract does not have is for the contract's own check.
pub fn lint(contract: &Contract, runbook: &Runbook) -> Linted {
    let (steps, mut notes) = everywhere(contract, runbook);
    let rehearsal = contract
        .rehearsal
        .defined()
        .map(|terms| &terms.environment.value);
    let launch = &contract.launch.environment.value;
    let others = rehearsal.filter(|name| *name != launch);
    let mut found: BTreeMap<Note, Vec<&EnvName>> = BTreeMap::new();
    let mut stages = None;
    for name in [launch].into_iter().chain(others) {
        if let (Some(steps), Some(place)) = (&steps, contract.environments.get(name)) {
            let mut here = Vec::new();
            let all = within(runbook, steps, name, place, &mut here);
            if name == launch {
                stages = Some(all);
            }
            for note in here {
                found.entry(note).or_default().push(name);
            }
        }
    }
    let merged = found.into_iter();
    notes.extend(merged.map(|(note, names)| at_environments(note, &names)));
    notes.sort_by_key(|note| note.span.map(|span| (span.line, span.column)));
    Linted {
        notes,
        launch: steps.zip(stages),
    }
}

/// The plan of steps without errors.
fn assemble(
    contract: &Contract,
    runbook: &Runbook,
    environment: &EnvName,
    steps: Vec<Draft>,
    stages: Vec<Stages>,
) -> Plan {
    let steps = steps.into_iter().zip(stages);
    let steps: Vec<Step> = steps
        .map(|(step, stages)| {
            let written = &runbook.steps[step.at];
            Step {
                elsewhere: elsewhere(written, environment),
                written: written.clone(),
                owners: step.owners,
                backups: step.backups,
                after_ids: step.after_ids,
                stages,
            }
        })
        .collect();
    Plan {
        format: PLAN_FORMAT,
        handoff: HandoffId::of(
            &contract.name,
            &contract.release.version,
            &contract.launch.environment,
        ),
        environment: environment.clone(),
        contract: contract.clone(),
        digests: digest::digests(contract, runbook, &steps),
        steps,
    }
}

/// Whether a note makes the files unusable.
fn is_error(note: &Note) -> bool {
    note.severity == Severity::Error && runbook::CODES.contains(&note.code.0)
}

/// A note with the environments it was found in.
fn at_environments(mut note: Note, names: &[&EnvName]) -> Note {
    note.says = format!(
        "{} in {}",
        note.says,
        list(
            names
                .iter()
                .map(|name| name.as_str())
                .collect::<Vec<_>>()
                .as_slice(),
            names.len()
        )
    );
    note
}

/// A note with its place, where there is one.
pub(super) fn placed(note: Note, span: Option<Span>) -> Note {
    Note { span, ..note }
}

/// The hosts of a step, in stages.
type Stages = Vec<Vec<HostName>>;

/// A step with everything that is the same in all environments.
struct Draft {
    /// Where the step stands in the runbook.
    at: usize,
    owners: Vec<Handle>,
    backups: Vec<Handle>,
    after_ids: Vec<StepId>,
}

/// Whether a step runs only in another environment.
fn elsewhere(step: &runbook::Step, environment: &EnvName) -> bool {
    let only_in = step.only_in.as_ref();
    only_in.is_some_and(|only| only.value != *environment)
}

/// The steps in the order of the plan; `None` when they wait for each other.
fn everywhere(contract: &Contract, runbook: &Runbook) -> (Option<Vec<Draft>>, Vec<Note>) {
    let mut notes = Vec::new();
    let order = order(&runbook.steps, &mut notes);
    let mut people_of = Vec::with_capacity(runbook.steps.len());
    for step in &runbook.steps {
        people_of.push(people::of_step(contract, step, &mut notes));
        people::approval(contract, step, &mut notes);
        only_in(contract, step, &mut notes);
        not_before(contract, step, &mut notes);
    }
    notes.sort_by_key(|note| note.span.map(|span| (span.line, span.column)));
    let Some(indices) = order.order else {
        return (None, notes);
    };
    let mut position = vec![0; indices.len()];
    for (at, index) in indices.iter().enumerate() {
        position[*index] = at;
    }
    let mut drafts = Vec::with_capacity(indices.len());
    for index in indices {
        let mut after = order.after[index].clone();
        after.sort_unstable_by_key(|earlier| position[*earlier]);
        let (owners, backups) = std::mem::take(&mut people_of[index]);
        let ids = after
            .into_iter()
            .map(|earlier| runbook.steps[earlier].id.value.clone());
        drafts.push(Draft {
            at: index,
            owners,
            backups,
            after_ids: ids.collect(),
        });
    }
    (Some(drafts), notes)
}

fn only_in(contract: &Contract, step: &runbook::Step, notes: &mut Vec<Note>) {
    let Some(only) = &step.only_in else { return };
    if contract.environments.contains_key(&only.value) {
        return;
    }
    let names = contract.environments.keys().map(|name| name.as_str());
    let hint = nearest(&only.value, names).map_or_else(
        || "environments stand in `handoff.yaml`".to_owned(),
        |meant| format!("did you mean `{meant}`?"),
    );
    let says = format!(
        "`{}` runs only in `{}`, and there is no such environment",
        step.id.value, only.value
    );
    let note = Note::error("runbook.reference", says).naming(&step.id.value);
    notes.push(placed(note.next(hint), only.span));
}

fn not_before(contract: &Contract, step: &runbook::Step, notes: &mut Vec<Note>) {
    if contract.launch.window.is_none() && matches!(step.at, Some(NotBefore::Minute(_))) {
        let says = format!(
            "`{}` has a time of day, and the launch has no window to give it a zone and a day",
            step.id.value
        );
        let note = Note::error("runbook.value", says).naming(&step.id.value);
        let hint = "write a full instant, or give the launch a window";
        notes.push(placed(note.next(hint), step.id.span));
    }
}

/// The stages of each step in one environment. Notes leave the environment out.
fn within(
    runbook: &Runbook,
    steps: &[Draft],
    name: &EnvName,
    environment: &Environment,
    notes: &mut Vec<Note>,
) -> Vec<Stages> {
    let mut outputs = BTreeSet::new();
    let mut all = Vec::with_capacity(steps.len());
    for step in steps.iter().map(|draft| &runbook.steps[draft.at]) {
        if elsewhere(step, name) {
            all.push(Vec::new());
            continue;
        }
        let on = step.on.as_ref();
        let hosts = on.map(|on| hosts(step, on, environment, notes));
        // Without its hosts, what they set is not known: one note is enough.
        if !matches!(&hosts, Some(hosts) if hosts.is_empty()) {
            let known = Known {
                environment,
                hosts: hosts.as_deref().unwrap_or_default(),
                outputs: &outputs,
            };
            variables::check(step, &known, notes);
        }
        outputs.extend(variables::outputs(step));
        all.push(match (on, hosts) {
            (Some(on), Some(hosts)) => places::stages(&hosts, &on.spread),
            _ => vec![vec![HostName::here()]],
        });
    }
    all
}

/// The hosts of a step; none when a note says why.
fn hosts(
    step: &runbook::Step,
    on: &runbook::On,
    environment: &Environment,
    notes: &mut Vec<Note>,
) -> Vec<HostName> {
    let target = on.target.as_str();
    let found = places::hosts(environment, target);
    let missing = |host: &&HostName| !environment.hosts.contains_key(*host);
    let (says, hint) = match &found {
        None => {
            let hosts = environment.hosts.keys().map(|host| host.as_str());
            let groups = environment.groups.keys().map(|group| group.as_str());
            let hint = nearest(target, hosts.chain(groups)).map_or_else(
                || "hosts and groups stand under the environment in `handoff.yaml`".to_owned(),
                |meant| format!("did you mean `{meant}`?"),
            );
            (
                format!(
                    "`{}` runs on `{target}`, and there is no such host or group",
                    step.id.value
                ),
                hint,
            )
        }
        Some(hosts) if hosts.is_empty() => (
            format!("`{}` runs on `{target}`, which has no hosts", step.id.value),
            "give the group hosts".to_owned(),
        ),
        Some(hosts) => match hosts.iter().find(missing) {
            None => return found.unwrap_or_default(),
            Some(host) => (
                format!(
                    "`{}` runs on `{target}`, which names `{host}`, and there is no such host",
                    step.id.value
                ),
                "a group names hosts of its environment".to_owned(),
            ),
        },
    };
    let note = Note::error("runbook.reference", says)
        .naming(&step.id.value)
        .next(hint);
    notes.push(placed(note, on.target.span));
    Vec::new()
}
