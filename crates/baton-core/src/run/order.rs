//! What a command is given: the script and everything it sees.
//!
//! Values reach a fence as environment variables only; secrets are references
//! until the moment the edge starts the command.

use std::collections::BTreeMap;

use super::state::{State, fence};
use crate::event::FenceRole;
use crate::handoff::contract::{Host, SecretRef};
use crate::handoff::plan::{Plan, Step};
use crate::handoff::runbook::Fence;
use crate::id::{AttemptId, HostName, RunId};
use crate::time::Duration;

/// One command to carry out, complete but for the values of its secrets.
#[derive(Clone, Debug, PartialEq)]
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
        host: place.hosts.get(host).cloned(),
        fence,
        env,
        secrets,
        timeout: step.written.timeout,
    })
}

/// The variables of an environment and one of its hosts, with Baton's own.
pub fn variables(plan: &Plan, host: &HostName) -> BTreeMap<String, String> {
    let place = plan.place();
    let mut env = place.vars.clone();
    if let Some(host) = place.hosts.get(host) {
        env.extend(host.vars.clone());
    }
    let own = [
        ("BATON_ENVIRONMENT", plan.environment.as_str()),
        ("BATON_HOST", host.as_str()),
        ("BATON_RELEASE", plan.contract.release.version.as_str()),
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
