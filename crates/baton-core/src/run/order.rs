//! What a command is given: the script and everything it sees.
//!
//! Values reach a fence as environment variables only; secrets are references
//! until the moment the edge starts the command.

mod reading;

use std::collections::{BTreeMap, BTreeSet};

use super::state::{State, fence};
use crate::event::FenceRole;
use crate::handoff::contract::{Bridge, Contract, Criterion, Environment, Host, SecretRef};
use crate::handoff::plan::{Plan, Step};
use crate::handoff::runbook::{DEFAULT_TIMEOUT, Fence};
use crate::id::{AttemptId, EnvName, HostName, RunId};
use crate::time::Duration;

pub use reading::{Database, KEPT, MARK, counter, database, level};

/// One command to carry out, complete but for the values of its secrets.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Order {
    /// The attempt, whose id is also its place on the host.
    pub attempt: AttemptId,
    /// Where; `None` is the contract's own folder.
    pub host: Option<Host>,
    /// The script.
    pub fence: Fence,
    /// Variables.
    pub env: BTreeMap<String, String>,
    /// Secrets, by the variable that is to hold them.
    pub secrets: BTreeMap<String, SecretRef>,
    /// Variables in which Baton was given secrets. The command sees them only
    /// where [`secrets`](Self::secrets) names them: what it sees else it could
    /// print, and nobody would mask it.
    pub withheld: BTreeSet<String>,
    /// How long it may take.
    pub timeout: Duration,
}

/// The order for an attempt that has begun and not ended.
pub fn order(state: &State, attempt: &AttemptId) -> Option<Order> {
    let (step, host, role) = state.attempt(attempt)?;
    let mut order = of_fence(&state.plan, step, host, role, attempt, &state.outputs)?;
    let _run = order
        .env
        .insert("BATON_RUN".to_owned(), state.run.to_string());
    Some(order)
}

/// The order for a step's preflight outside a run, where its owner proves access.
pub fn preflight(plan: &Plan, step: &Step, host: &HostName, attempt: &AttemptId) -> Option<Order> {
    of_fence(
        plan,
        step,
        host,
        FenceRole::Preflight,
        attempt,
        &BTreeMap::new(),
    )
}

/// The order for a criterion's `run` or `refuses` command: `sh -e` in the
/// contract's folder, with the variables of the environment the criterion names
/// (else of the launch, whatever the plan is for) and those of its secrets whose names stand in the command.
/// `None` when the criterion names an environment that there is not.
pub fn criterion(
    plan: &Plan,
    criterion: &Criterion,
    command: &str,
    attempt: &AttemptId,
) -> Option<Order> {
    let named = criterion.environment.as_ref().map(|at| &at.value);
    let environment = named.unwrap_or(&plan.contract.launch.environment.value);
    let place = plan.contract.environments.get(environment)?;
    let secrets = place.secrets.iter();
    Some(Order {
        attempt: attempt.clone(),
        host: None,
        fence: Fence {
            lang: "sh".to_owned(),
            body: command.to_owned(),
            line: 1,
        },
        env: values(&plan.contract, environment, place, &HostName::here()),
        secrets: secrets
            .filter(|(name, _)| names(command, name))
            .map(|(name, reference)| (name.clone(), reference.clone()))
            .collect(),
        withheld: withheld(&plan.contract),
        timeout: criterion.timeout.unwrap_or(DEFAULT_TIMEOUT),
    })
}

/// Whether the name stands in the text as a whole word.
fn names(text: &str, name: &str) -> bool {
    let mut words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words.any(|word| word == name)
}

/// Every variable that holds a secret of this contract, of whichever environment.
fn withheld(contract: &Contract) -> BTreeSet<String> {
    let environments = contract.environments.values();
    let declared = environments.flat_map(|place| place.secrets.values());
    let bridges = contract.room.defined().into_iter();
    let bridges = bridges.flat_map(|room| room.notify.iter().filter_map(Bridge::secret));
    let references = declared.chain(bridges);
    references
        .filter_map(|reference| match reference {
            SecretRef::Env(name) => Some(name.clone()),
            SecretRef::File(_) | SecretRef::Command(_) => None,
        })
        .collect()
}

/// Where a host of the plan is, its variables filled in; `None` is the contract's folder.
fn at(plan: &Plan, host: &HostName) -> Option<Host> {
    plan.place().hosts.get(host).map(|at| Host {
        ssh: at.ssh.as_deref().map(|ssh| filled(ssh, plan, host)),
        dir: at.dir.as_deref().map(|dir| filled(dir, plan, host)),
        vars: at.vars.clone(),
    })
}

fn of_fence(
    plan: &Plan,
    step: &Step,
    host: &HostName,
    role: FenceRole,
    attempt: &AttemptId,
    outputs: &BTreeMap<String, String>,
) -> Option<Order> {
    let fence = fence(step, role)?.clone();
    let place = plan.place();
    let mut env = outputs.clone();
    env.extend(variables(plan, host));
    let _step = env.insert("BATON_STEP".to_owned(), step.id().to_string());
    let secrets = step
        .written
        .secrets
        .iter()
        .filter_map(|name| {
            let reference = place.secrets.get(&name.value)?;
            Some((name.value.clone(), reference.clone()))
        })
        .collect();
    Some(Order {
        attempt: attempt.clone(),
        host: at(plan, host),
        fence,
        env,
        secrets,
        withheld: withheld(&plan.contract),
        timeout: step.written.timeout,
    })
}

/// The variables of an environment and one of its hosts, with Baton's own.
pub fn variables(plan: &Plan, host: &HostName) -> BTreeMap<String, String> {
    values(&plan.contract, &plan.environment, plan.place(), host)
}

/// The same for any environment of a contract, also one in which the runbook
/// cannot run; `place` is its definition.
pub fn values(
    contract: &Contract,
    environment: &EnvName,
    place: &Environment,
    host: &HostName,
) -> BTreeMap<String, String> {
    let mut env = place.vars.clone();
    if let Some(host) = place.hosts.get(host) {
        env.extend(host.vars.clone());
    }
    let own = [
        ("BATON_ENVIRONMENT", environment.as_str()),
        ("BATON_HOST", host.as_str()),
        ("BATON_RELEASE", contract.release.version.as_str()),
    ];
    env.extend(own.map(|(name, value)| (name.to_owned(), value.to_owned())));
    env
}

/// A text of the contract with `$NAME` and `${NAME}` filled in from the
/// variables of the environment and the host, and `$HOST` with the host's name.
/// A name that stands for nothing is left as it is.
pub fn filled(text: &str, plan: &Plan, host: &HostName) -> String {
    let mut values = variables(plan, host);
    let _host = values.insert("HOST".to_owned(), host.to_string());
    filled_from(text, &values)
}

/// A text with `$NAME` and `${NAME}` filled in from these values. A name that
/// stands for nothing is left as it is.
pub fn filled_from(text: &str, values: &BTreeMap<String, String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let inner = after.strip_prefix('{');
        let name_at = inner.unwrap_or(after);
        let end = name_at
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
            .unwrap_or(name_at.len());
        let closes = inner.is_none() || name_at[end..].starts_with('}');
        match values.get(&name_at[..end]).filter(|_| closes) {
            Some(value) => {
                out.push_str(value);
                rest = &name_at[end + usize::from(inner.is_some())..];
            }
            None => {
                out.push('$');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

/// The run's lease: whoever holds it is its driver.
pub fn lease_name(run: &RunId) -> String {
    format!("run/{run}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_names_a_secret_only_by_its_whole_name() {
        for text in ["echo $KEY", "${KEY}", "printenv KEY", "a \"$KEY\""] {
            assert!(names(text, "KEY"), "{text}");
        }
        for text in ["echo $KEYS", "MY_KEY=1", "key", ""] {
            assert!(!names(text, "KEY"), "{text}");
        }
    }

    #[test]
    fn texts_are_filled_and_what_stands_for_nothing_stays() {
        let values = [("A", "1"), ("AB", "2")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        let values = BTreeMap::from(values);
        for (text, filled) in [
            ("$A $AB ${A}B", "1 2 1B"),
            ("$C ${C} ${A $", "$C ${C} ${A $"),
            ("", ""),
        ] {
            assert_eq!(filled_from(text, &values), filled);
        }
    }
}
