//! Variables and secrets a step takes, against what an environment has.
//!
//! A misspelt `$NAME` is empty in a shell, and `rm -rf "$DRI/"` has a meaning of
//! its own: so every name in capitals that a shell fence takes must come from
//! somewhere. Fences in other languages are not read. Notes leave out the
//! environment: whoever asks adds it.

use std::collections::BTreeSet;

use crate::diag::{FileKind, Note, Span, list, nearest};
use crate::handoff::contract::Environment;
use crate::handoff::runbook::{Fence, Step, is_shell, vars_of};
use crate::handoff::shell::{self, PROCESS_VARIABLES};
use crate::id::HostName;

/// Variables Baton itself sets for every fence (`docs/book/runbook.md`).
pub const BATON_VARIABLES: [&str; 6] = [
    "BATON_ENVIRONMENT",
    "BATON_HOST",
    "BATON_STEP",
    "BATON_RUN",
    "BATON_RELEASE",
    "BATON_OUTPUT",
];

/// Most unknown names listed for one fence: the rest have the same cause.
const MAX_NAMES: usize = 50;

/// What a step may take in one environment.
pub(super) struct Known<'a> {
    pub(super) environment: &'a Environment,
    /// The step's hosts; none for a step that runs in the contract's folder.
    pub(super) hosts: &'a [HostName],
    /// Names that earlier steps write to `$BATON_OUTPUT`.
    pub(super) outputs: &'a BTreeSet<&'a str>,
}

/// Checks the secrets, the condition and the fences of a step.
pub(super) fn check(step: &Step, known: &Known<'_>, notes: &mut Vec<Note>) {
    secrets(step, known.environment, notes);
    condition(step, known.environment, notes);
    let mut seen = BTreeSet::new();
    for fence in fences(step).filter(|fence| is_shell(&fence.lang)) {
        let script = shell::script(&fence.body);
        if script.opaque {
            continue;
        }
        let mut place = Place::of(fence);
        let unset = script.uses.iter().filter(|(_, name)| {
            !script.sets.contains(name) && !known.has(step, name) && seen.insert(*name)
        });
        for (at, name) in unset.take(MAX_NAMES) {
            let span = place.span(fence, *at, name.len() + 1);
            notes.push(
                known
                    .unset(step, name)
                    .naming(&step.id.value)
                    .naming(name)
                    .at(span),
            );
        }
    }
}

/// The fences of a step that are run.
pub(super) fn fences(step: &Step) -> impl Iterator<Item = &Fence> {
    [&step.preflight, &step.run, &step.verify, &step.undo]
        .into_iter()
        .flatten()
}

/// Names a step writes to `$BATON_OUTPUT`.
pub(super) fn outputs(step: &Step) -> impl Iterator<Item = &str> {
    fences(step).flat_map(|fence| shell::outputs(&fence.body))
}

fn secrets(step: &Step, environment: &Environment, notes: &mut Vec<Note>) {
    let declared = &environment.secrets;
    for secret in step
        .secrets
        .iter()
        .filter(|name| !declared.contains_key(name.as_str()))
    {
        let says = format!(
            "`{}` lists the secret `{}`, and none is declared",
            step.id.value, secret.value
        );
        let near = nearest(&secret.value, declared.keys().map(String::as_str));
        let hint = near.map_or_else(
            || {
                format!(
                    "declare it: `secrets: {{ {}: {{ env: NAME }} }}`",
                    secret.value
                )
            },
            |meant| format!("did you mean `{meant}`?"),
        );
        let note = Note::error("runbook.secret", says)
            .naming(&step.id.value)
            .naming(&secret.value);
        notes.push(super::placed(note.next(hint), secret.span));
    }
}

fn condition(step: &Step, environment: &Environment, notes: &mut Vec<Note>) {
    let Some(when) = &step.when else { return };
    for (_, name) in vars_of(&when.value) {
        if environment.vars.contains_key(name) {
            continue;
        }
        let says = format!(
            "`{}` asks for `vars.{name}`, which nothing sets",
            step.id.value
        );
        let near = nearest(name, environment.vars.keys().map(String::as_str));
        let hint = near.map_or_else(
            || "a condition is decided once for all hosts, so only the environment's own `vars` count; `has(vars.NAME)` asks whether there is one".to_owned(),
            |meant| format!("did you mean `vars.{meant}`?"),
        );
        let note = Note::error("runbook.variable", says)
            .naming(&step.id.value)
            .naming(name);
        notes.push(super::placed(note.next(hint), when.span));
    }
}

impl Known<'_> {
    fn has(&self, step: &Step, name: &str) -> bool {
        self.environment.vars.contains_key(name)
            || BATON_VARIABLES.contains(&name)
            || PROCESS_VARIABLES.contains(&name)
            || step.secrets.iter().any(|secret| secret.value == name)
            || self.outputs.contains(name)
            || (!self.hosts.is_empty() && self.without(name).next().is_none())
    }

    /// The step's hosts that do not set a variable.
    fn without<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s HostName> {
        self.hosts.iter().filter(move |host| {
            let host = self.environment.hosts.get(host.as_str());
            !host.is_some_and(|host| host.vars.contains_key(name))
        })
    }

    /// The note for a name that nothing sets.
    fn unset(&self, step: &Step, name: &str) -> Note {
        let id = &step.id.value;
        if self.environment.secrets.contains_key(name) {
            return Note::error(
                "runbook.secret",
                format!("`{id}` uses the secret `${name}` without listing it"),
            )
            .next(format!(
                "write `- secrets: {name}` among the step's attributes"
            ));
        }
        let without: Vec<&HostName> = self.without(name).collect();
        if without.len() < self.hosts.len() {
            let without: Vec<&str> = without.into_iter().map(|host| host.as_str()).collect();
            let says = format!(
                "`{id}` uses `${name}`, which {} does not set",
                list(&without, 5)
            );
            return Note::error("runbook.variable", says)
                .next("set it for every host on which the step runs, or for the environment");
        }
        let hosts = self
            .hosts
            .iter()
            .filter_map(|host| self.environment.hosts.get(host.as_str()));
        let candidates = self
            .environment
            .vars
            .keys()
            .chain(hosts.take(1).flat_map(|host| host.vars.keys()))
            .chain(step.secrets.iter().map(|secret| &secret.value))
            .map(String::as_str)
            .chain(self.outputs.iter().copied())
            .chain(BATON_VARIABLES);
        let mut others = self.environment.hosts.values();
        let of_a_host = self.hosts.is_empty() && others.any(|host| host.vars.contains_key(name));
        let own = BATON_VARIABLES
            .into_iter()
            .find(|own| own.strip_prefix("BATON_") == Some(name));
        let hint = if let Some(own) = own {
            format!("did you mean `${own}`?")
        } else if of_a_host {
            "hosts set it: say on which the step runs, as in `on: web`".to_owned()
        } else {
            nearest(name, candidates).map_or_else(
                || format!("set it in `vars`, or let an earlier step write `{name}=` to `$BATON_OUTPUT`; `${{{name}:-}}` may be empty"),
                |meant| format!("did you mean `${meant}`?"),
            )
        };
        Note::error(
            "runbook.variable",
            format!("`{id}` uses `${name}`, which nothing sets"),
        )
        .next(hint)
    }
}

/// Where the reading of a fence's body stands; it only goes forward, so that
/// many names on one long line are found in one pass.
struct Place {
    at: usize,
    line: u32,
    column: u32,
}

impl Place {
    fn of(fence: &Fence) -> Self {
        Self {
            at: 0,
            line: fence.line.saturating_add(1),
            column: 1,
        }
    }

    /// The place of `length` characters at a byte of the body.
    fn span(&mut self, fence: &Fence, at: usize, length: usize) -> Span {
        if at < self.at {
            *self = Self::of(fence);
        }
        for c in fence.body.get(self.at..at).unwrap_or_default().chars() {
            (self.line, self.column) = match c {
                '\n' => (self.line.saturating_add(1), 1),
                _ => (self.line, self.column.saturating_add(1)),
            };
        }
        self.at = at;
        Span::on_line(FileKind::Runbook, self.line, self.column, length)
    }
}
