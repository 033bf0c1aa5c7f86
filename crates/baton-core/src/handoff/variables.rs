//! `$NAME` in the contract's texts: each must be known where it is used.
//!
//! Addresses and paths are Baton's own texts, in which every `$NAME` counts.
//! Shell texts are judged with restraint, since a shell has variables of its
//! own: only names in capitals that the text does not set itself.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use super::check::Checker;
use super::contract::{Contract, Counter, Environment, Freeze, Host, Source};
use super::plan::BATON_VARIABLES;
use super::shell::{self, PROCESS_VARIABLES};
use crate::diag::{brief, list, nearest};
use crate::id::EnvName;
use crate::parity::Collector;

/// Notes every `$NAME` that nothing sets.
pub(super) fn check(checker: &mut Checker<'_>) {
    let contract = checker.contract;
    let scopes: Scopes<'_> = contract
        .environments
        .iter()
        .map(|(name, environment)| (name, Scope::new(name, environment)))
        .collect();
    // What was said about a launch environment that does not exist is enough.
    let Some(launch) = scopes.get(&contract.launch.environment.value) else {
        return;
    };
    let mut check = Check { checker };
    check.paths(contract, launch);
    check.hosts(&scopes);
    check.commands(contract, &scopes, launch);
    check.measures(contract, launch);
    check.facts(contract, &scopes, launch);
    check.bridges(contract, launch);
}

type Scopes<'c> = BTreeMap<&'c EnvName, Scope<'c>>;

/// The names that are known in one environment.
struct Scope<'c> {
    name: &'c EnvName,
    environment: &'c Environment,
    /// On how many hosts each variable is set.
    on_hosts: BTreeMap<&'c str, usize>,
}

/// Where in an environment a text is used.
#[derive(Clone, Copy, PartialEq)]
enum Where<'c> {
    /// In the contract's folder.
    Folder,
    /// In a query, which is asked for every host, and in which `$step` is the
    /// distance of its points.
    Query,
    /// On every host.
    Hosts,
    /// On this host.
    Host(&'c Host),
}

impl<'c> Scope<'c> {
    fn new(name: &'c EnvName, environment: &'c Environment) -> Self {
        let mut on_hosts = BTreeMap::new();
        for var in environment.hosts.values().flat_map(|host| host.vars.keys()) {
            *on_hosts.entry(var.as_str()).or_default() += 1;
        }
        Self {
            name,
            environment,
            on_hosts,
        }
    }

    fn knows(&self, var: &str, at: Where<'_>) -> bool {
        let here = match at {
            Where::Folder => false,
            Where::Query if var == "step" => true,
            Where::Host(host) => var == "HOST" || host.vars.contains_key(var),
            Where::Hosts | Where::Query => {
                let all = self.environment.hosts.len();
                var == "HOST" || self.on_hosts.get(var).is_some_and(|count| *count == all)
            }
        };
        here || self.environment.vars.contains_key(var)
            || self.environment.secrets.contains_key(var)
            || BATON_VARIABLES.contains(&var)
    }

    /// Why a variable is not known, and what could be meant.
    fn trouble(&self, place: impl Display, var: &str, at: Where<'_>) -> (String, String) {
        let (name, environment) = (self.name, self.environment);
        if self.on_hosts.contains_key(var) {
            let without = |host: &Host| !host.vars.contains_key(var);
            let hosts = environment.hosts.iter().filter(|(_, host)| without(host));
            let hosts: Vec<&str> = hosts.map(|(host, _)| host.as_str()).collect();
            if at == Where::Hosts {
                let says = format!(
                    "`{place}` uses `${var}`, which is not set on {} of `{name}`",
                    list(&hosts, 5)
                );
                return (says, format!("add `{var}` to the `vars` of each host"));
            }
            let says = format!("`{place}` uses `${var}`, which only hosts of `{name}` have");
            return (
                says,
                format!("add `{var}` to the `vars` of `{name}` itself"),
            );
        }
        let vars = environment.vars.keys().chain(environment.secrets.keys());
        let known = vars
            .map(String::as_str)
            .chain(self.on_hosts.keys().copied());
        let known = known.chain(["HOST", "step"]).chain(BATON_VARIABLES);
        let next = match nearest(var, known.filter(|known| self.knows(known, at))) {
            Some(near) => format!("did you mean `${near}`?"),
            None => format!("add `{var}` to the `vars` or `secrets` of `{name}`"),
        };
        (
            format!("`{place}` uses `${var}`, which nothing sets in `{name}`"),
            next,
        )
    }
}

struct Check<'n, 'c> {
    checker: &'n mut Checker<'c>,
}

impl Check<'_, '_> {
    fn unknown(&mut self, scope: &Scope<'_>, place: impl Display, var: &str, at: Where<'_>) {
        let (says, next) = scope.trouble(&place, &brief(var), at);
        self.checker
            .note("contract.reference", place, None, says, next);
    }

    /// A text of Baton's own: every `$NAME` counts.
    fn strict(&mut self, scope: &Scope<'_>, place: impl Display, text: &str, at: Where<'_>) {
        for var in used(text).filter(|var| !scope.knows(var, at)) {
            self.unknown(scope, &place, var, at);
        }
    }

    /// A shell text.
    fn shell(&mut self, scope: &Scope<'_>, place: impl Display, text: &str, at: Where<'_>) {
        let script = shell::script(text);
        let from_outside = |var: &str| {
            !script.opaque && !script.sets.contains(var) && !PROCESS_VARIABLES.contains(&var)
        };
        let mut seen = BTreeSet::new();
        for (_, var) in script.uses {
            if from_outside(var) && !scope.knows(var, at) && seen.insert(var) {
                self.unknown(scope, &place, var, at);
            }
        }
    }

    fn paths(&mut self, contract: &Contract, launch: &Scope<'_>) {
        self.strict(launch, "runbook", &contract.runbook, Where::Folder);
        for (at, artifact) in contract.release.artifacts.iter().enumerate() {
            let place = format_args!("release.artifacts[{}]", at + 1);
            self.strict(launch, place, artifact, Where::Folder);
        }
        for (at, freeze) in contract.launch.freezes.iter().enumerate() {
            if let Freeze::Calendar(path) = freeze {
                let place = format_args!("launch.freezes[{}].calendar", at + 1);
                self.strict(launch, place, path, Where::Folder);
            }
        }
    }

    fn hosts(&mut self, scopes: &Scopes<'_>) {
        for (env, scope) in scopes {
            for (name, host) in &scope.environment.hosts {
                for (key, text) in [("ssh", &host.ssh), ("dir", &host.dir)] {
                    if let Some(text) = text {
                        let place = format_args!("environments.{env}.hosts.{name}.{key}");
                        self.strict(scope, place, text, Where::Host(host));
                    }
                }
            }
        }
    }

    fn commands(&mut self, contract: &Contract, scopes: &Scopes<'_>, launch: &Scope<'_>) {
        for criterion in &contract.done {
            let scope = match &criterion.environment {
                None => launch,
                Some(name) => match scopes.get(&name.value) {
                    Some(scope) => scope,
                    None => continue,
                },
            };
            for (key, text) in [("run", &criterion.run), ("refuses", &criterion.refuses)] {
                if let Some(text) = text {
                    let place = format_args!("done.{}.{key}", criterion.id.value);
                    self.shell(scope, place, text, Where::Folder);
                }
            }
        }
    }

    fn measures(&mut self, contract: &Contract, launch: &Scope<'_>) {
        for measure in contract.success.defined().into_iter().flatten() {
            let place = |key| format!("success.{}.{key}", measure.id.value);
            match &measure.source {
                Source::Probe { url, .. } => {
                    self.strict(launch, place("probe.url"), url, Where::Hosts);
                }
                Source::Prometheus { server, bad, total } => {
                    self.strict(launch, place("from.prometheus"), server, Where::Folder);
                    self.strict(launch, place("ratio.bad"), bad, Where::Query);
                    self.strict(launch, place("ratio.total"), total, Where::Query);
                }
                Source::Histogram { server, buckets } => {
                    self.strict(launch, place("from.prometheus"), server, Where::Folder);
                    self.strict(launch, place("histogram"), buckets, Where::Query);
                }
                Source::Counter(Counter::Command(run)) => {
                    self.shell(launch, place("from.command"), run, Where::Hosts);
                }
                Source::Counter(Counter::Output { run, .. }) => {
                    self.shell(launch, place("from.output"), run, Where::Hosts);
                }
                Source::Counter(Counter::Log { path, .. }) => {
                    self.strict(launch, place("from.log"), path, Where::Hosts);
                }
                Source::Counter(Counter::Sqlite { path, .. }) => {
                    self.strict(launch, place("from.sqlite"), path, Where::Hosts);
                }
                Source::Postgres { url, bad, total } => {
                    self.strict(launch, place("from.postgres"), url, Where::Hosts);
                    self.strict(launch, place("ratio.bad"), bad, Where::Hosts);
                    self.strict(launch, place("ratio.total"), total, Where::Hosts);
                }
                Source::Level(run) => {
                    self.shell(launch, place("from.level"), run, Where::Hosts);
                }
            }
        }
    }

    fn facts(&mut self, contract: &Contract, scopes: &Scopes<'_>, launch: &Scope<'_>) {
        let Some(parity) = contract.parity.defined() else {
            return;
        };
        let mut read = contract.tested();
        read.insert(launch.name);
        for scope in read.into_iter().filter_map(|name| scopes.get(name)) {
            for (at, collector) in parity.facts.iter().enumerate() {
                let place = |key| format!("parity.facts[{}].{key}", at + 1);
                match collector {
                    Collector::Files { paths } => {
                        for path in paths {
                            self.strict(scope, place("files.paths"), path, Where::Hosts);
                        }
                    }
                    Collector::Command { run, .. } => {
                        self.shell(scope, place("command.run"), run, Where::Hosts);
                    }
                    Collector::Sqlite { path, .. } => {
                        self.strict(scope, place("sqlite.path"), path, Where::Hosts);
                    }
                    Collector::Postgres { url, .. } => {
                        self.strict(scope, place("postgres.url"), url, Where::Hosts);
                    }
                    Collector::Http { url, .. } => {
                        self.strict(scope, place("http.url"), url, Where::Hosts);
                    }
                    Collector::Dns { names } => {
                        for name in names {
                            self.strict(scope, place("dns.names"), name, Where::Hosts);
                        }
                    }
                    Collector::Process { name, .. } => {
                        self.strict(scope, place("process.name"), name, Where::Hosts);
                    }
                    _ => {}
                }
            }
        }
    }

    fn bridges(&mut self, contract: &Contract, launch: &Scope<'_>) {
        let bridges = contract.room.defined().map(|room| room.notify.as_slice());
        for (at, bridge) in bridges.unwrap_or_default().iter().enumerate() {
            if let Some((key, text)) = bridge.address() {
                let place = format_args!("room.notify[{}].{}.{key}", at + 1, bridge.kind());
                self.strict(launch, place, text, Where::Folder);
            }
        }
    }
}

/// The names that a text uses, as `$NAME` or `${NAME}`, each once.
fn used(text: &str) -> impl Iterator<Item = &str> {
    let mut seen = BTreeSet::new();
    text.split('$')
        .skip(1)
        .map(|rest| name_at(rest.strip_prefix('{').unwrap_or(rest)))
        .filter(move |name| !name.is_empty() && seen.insert(*name))
}

/// The variable's name a text begins with; may be empty.
fn name_at(text: &str) -> &str {
    let end = text
        .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .unwrap_or(text.len());
    let name = &text[..end];
    if name.starts_with(|c: char| c.is_ascii_digit()) {
        ""
    } else {
        name
    }
}
