//! What the contract's names refer to, and what its parts say together.
//!
//! Promises: every name that stands for a person, team, role, environment,
//! host or variable is borne by one; ids are unique; no part contradicts
//! another. Deliberately not here: whether the handoff is ready (the gate),
//! what the runbook refers to (the plan), and anything about now.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::ops::Deref;

use super::contract::{AnswerKind, At, Contract, Criterion, Environment};
use super::names::is_name;
use super::yaml::{MAX_NOTES, Node};
use super::{bridges, variables};
use crate::diag::{Note, Span, brief, list, nearest};
use crate::id::{BATON, EnvName, Handle};
use crate::time::zone;

/// Roles without which nobody can lead a launch or turn back.
const NEEDED_ROLES: [(&str, &str); 2] = [
    ("launch-lead", "leads the launch"),
    ("rollback-decider", "decides on going back"),
];

/// Places of the contract, in two parts since no code is meant.
const COMPARE: &str = concat!("parity", ".compare");
const FACTS: &str = concat!("parity", ".facts");
const REHEARSED_IN: &str = concat!("rehearsal", ".in");

/// See `contract::check`; with the tree, every note points at its place.
pub(super) fn check_in(contract: &Contract, tree: Option<&Node>) -> Vec<Note> {
    let mut checker = Checker {
        contract,
        tree,
        notes: Vec::new(),
    };
    checker.names();
    checker.people();
    checker.teams();
    checker.roles();
    checker.declined();
    checker.environments();
    checker.launch();
    checker.parity();
    checker.done();
    checker.expectations();
    checker.success();
    checker.waivers();
    bridges::check(&mut checker);
    variables::check(&mut checker);
    let mut notes = checker.notes;
    notes.sort_by_key(|note| note.span.map(|span| (span.start, span.end)));
    notes
}

/// Collects notes about one contract.
pub(super) struct Checker<'c> {
    pub(super) contract: &'c Contract,
    tree: Option<&'c Node>,
    notes: Vec<Note>,
}

impl<'c> Checker<'c> {
    /// Adds a note about a place such as `done.tests.run`. It points at `span`,
    /// else at what the tree has there, else at the contract's name.
    pub(super) fn note(
        &mut self,
        code: &'static str,
        place: impl Display,
        span: Option<Span>,
        says: impl Into<String>,
        next: impl Into<String>,
    ) {
        if self.notes.len() >= MAX_NOTES {
            return;
        }
        let find = || self.tree.and_then(|tree| tree.find(&place.to_string()));
        let mut note = Note::error(code, says).next(next);
        note.span = span.or_else(find).or(self.contract.name.span);
        self.notes.push(note);
    }

    /// Notes that a name refers to nothing.
    fn unknown<'a>(
        &mut self,
        place: impl Display,
        written: &At<impl Deref<Target = str>>,
        what: impl Display,
        known: impl Iterator<Item = &'a str> + Clone,
    ) {
        if self.notes.len() >= MAX_NOTES {
            return;
        }
        let name = brief(&written.value);
        let says = format!("`{place}` names `{name}`, which is no {what}");
        let next = match nearest(&name, known.clone()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known are {}", list(&known.collect::<Vec<_>>(), 12)),
        };
        self.note("contract.reference", place, written.span, says, next);
    }

    /// Notes names that stand twice in a list.
    fn twice<T: Ord + Display>(&mut self, place: impl Display, names: &[At<T>]) {
        let mut seen = BTreeSet::new();
        for name in names {
            if !seen.insert(&name.value) {
                let says = format!("`{place}` names `{}` twice", name.value);
                let next = "delete one of them";
                self.note("contract.duplicate", &place, name.span, says, next);
            }
        }
    }

    /// Notes ids that stand twice.
    fn unique(&mut self, key: &str, ids: impl Iterator<Item = (&'c str, Option<Span>)>) {
        let mut seen: BTreeMap<&str, Option<Span>> = BTreeMap::new();
        for (id, span) in ids {
            let Some(first) = seen.insert(id, span) else {
                continue;
            };
            let line = |span: Option<Span>| span.map_or(0, |span| span.line);
            let says = format!(
                "the id `{id}` stands twice in `{key}`: on line {} and on line {}",
                line(first),
                line(span)
            );
            self.note(
                "contract.duplicate",
                key,
                span,
                says,
                "give each its own id",
            );
        }
    }

    fn person(&mut self, place: impl Display, handle: &At<Handle>) {
        let people = &self.contract.people;
        if !people.contains_key(&handle.value) {
            let what = "person of this contract";
            self.unknown(place, handle, what, people.keys().map(Handle::as_str));
        }
    }

    /// An owner or backup: a person, a team, or a role.
    fn holder(&mut self, place: impl Display, holder: Option<&At<String>>) {
        let contract = self.contract;
        if let Some(holder) = holder
            && !contract.people.contains_key(holder.as_str())
            && !contract.teams.contains_key(holder.as_str())
            && !contract.roles.contains_key(holder.as_str())
        {
            let people = contract.people.keys().map(|name| name.as_str());
            let teams = contract.teams.keys().map(|name| name.as_str());
            let roles = contract.roles.keys().map(|name| name.as_str());
            let what = "person, team or role of this contract";
            self.unknown(place, holder, what, people.chain(teams).chain(roles));
        }
    }

    fn environment(&mut self, place: impl Display, name: &At<EnvName>) {
        let environments = &self.contract.environments;
        if !environments.contains_key(&name.value) {
            let what = "environment of this contract";
            self.unknown(place, name, what, environments.keys().map(EnvName::as_str));
        }
    }

    /// An empty list is silence, and silence is never consent.
    fn empty(&mut self, key: &str, next: &str) {
        self.note(
            "contract.value",
            key,
            None,
            format!("`{key}` is empty"),
            next,
        );
    }

    /// Names that would stand for two things.
    fn names(&mut self) {
        let contract = self.contract;
        if !is_name(&contract.name) {
            let says = format!("`name: {}` is no name", brief(&contract.name));
            let next = "use letters, digits, `-`, `_` and `.`; `summary` has room for more";
            self.note("contract.value", "name", contract.name.span, says, next);
        }
        let teams = contract
            .teams
            .keys()
            .map(|name| ("teams", "a team", name.as_str()));
        let roles = contract
            .roles
            .keys()
            .map(|name| ("roles", "a role", name.as_str()));
        let mut bearers: BTreeMap<&str, &str> = BTreeMap::new();
        bearers.extend(
            contract
                .people
                .keys()
                .map(|name| (name.as_str(), "a person")),
        );
        let own = contract.people.keys().find(|handle| ***handle == *BATON);
        if let Some(handle) = own {
            let says = format!("`{handle}` is how Baton itself signs what it records");
            let (place, next) = (
                format!("people.{handle}"),
                "give this person another handle",
            );
            self.note("contract.value", place, None, says, next);
        }
        for (key, what, name) in teams.chain(roles) {
            if let Some(other) = bearers.insert(name, what) {
                let says = format!("`{name}` is both {other} and {what}");
                let next = "rename one of them: owners are found by these names";
                self.note(
                    "contract.duplicate",
                    format!("{key}.{name}"),
                    None,
                    says,
                    next,
                );
            }
        }
    }

    fn people(&mut self) {
        for (handle, person) in &self.contract.people {
            if let Some(written) = &person.zone
                && zone(written).is_none()
            {
                let place = format!("people.{handle}.zone");
                let says = format!("`{place}`: `{}` is no time zone", brief(written));
                let next = "write its IANA name, as in `Europe/Prague` or `UTC`";
                self.note("contract.value", place, written.span, says, next);
            }
        }
    }

    fn teams(&mut self) {
        let contract = self.contract;
        for (team, members) in &contract.teams {
            let place = format!("teams.{team}");
            if members.is_empty() {
                let says = format!("the team `{team}` has no members");
                let next = "name at least one person, or delete the team";
                self.note("contract.value", &place, None, says, next);
            }
            for member in members {
                self.person(&place, member);
            }
            self.twice(&place, members);
        }
        for (key, team) in [("from", &contract.from), ("to", &contract.to)] {
            if !contract.teams.contains_key(&team.value) {
                let known = contract.teams.keys().map(|name| name.as_str());
                self.unknown(key, team, "team of this contract", known);
            }
        }
        if contract.from == contract.to {
            let says = format!("`{}` hands over to itself", contract.to.value);
            let next = "name two teams; one person may be in both";
            self.note("contract.value", "to", contract.to.span, says, next);
        }
    }

    fn roles(&mut self) {
        let contract = self.contract;
        for (name, role) in &contract.roles {
            for (key, holder) in [("owner", &role.owner), ("backup", &role.backup)] {
                if let Some(holder) = holder
                    && contract.team_or_person(holder).is_none()
                {
                    let people = contract.people.keys().map(|name| name.as_str());
                    let teams = contract.teams.keys().map(|name| name.as_str());
                    let place = format!("roles.{name}.{key}");
                    let what = "person or team of this contract";
                    self.unknown(place, holder, what, people.chain(teams));
                }
            }
        }
        for (name, does) in NEEDED_ROLES {
            let role = contract.roles.get(name);
            if role.is_none_or(|role| role.owner.is_none()) {
                let place = format!("roles.{name}");
                let says = format!("nobody {does}: the role `{name}` has no owner");
                let next = format!("add `{name}: {{ owner: …, backup: … }}` to `roles`");
                self.note("ownership.unowned", place, None, says, next);
                if let Some(note) = self.notes.last_mut() {
                    note.names.push(name.to_owned());
                }
            }
        }
    }

    fn declined(&mut self) {
        let contract = self.contract;
        let declined = [
            ("expectations", contract.expectations.declined()),
            ("parity", contract.parity.declined()),
            ("success", contract.success.declined()),
            ("rehearsal", contract.rehearsal.declined()),
            ("room", contract.room.declined()),
            ("review", contract.review.declined()),
        ];
        for (key, declined) in declined {
            if let Some(declined) = declined {
                self.person(format_args!("{key}.by"), &declined.by);
            }
        }
    }

    fn environments(&mut self) {
        for (name, environment) in &self.contract.environments {
            self.groups(name, environment);
            self.addresses(name, environment);
            for var in environment.secrets.keys() {
                let mut hosts = environment.hosts.values();
                if environment.vars.contains_key(var)
                    || hosts.any(|host| host.vars.contains_key(var))
                {
                    let place = format!("environments.{name}.secrets.{var}");
                    let says = format!("`{var}` is both a variable and a secret of `{name}`");
                    self.note(
                        "contract.duplicate",
                        place,
                        None,
                        says,
                        "rename one of them",
                    );
                }
            }
        }
    }

    /// An address that would be read as an option, or as two words, reaches nobody.
    fn addresses(&mut self, name: &EnvName, environment: &Environment) {
        for (host, at) in &environment.hosts {
            let Some(to) = &at.ssh else { continue };
            let odd = |c: char| c.is_whitespace() || c.is_control();
            if to.is_empty() || to.starts_with('-') || to.contains(odd) {
                let place = format!("environments.{name}.hosts.{host}.ssh");
                let says = format!("`{place}`: `{}` is no address", brief(to));
                let next = "write `USER@HOST`, or a name of your ssh configuration";
                self.note("contract.value", place, None, says, next);
            }
        }
    }

    fn groups(&mut self, name: &EnvName, environment: &'c Environment) {
        for (group, members) in &environment.groups {
            let place = format!("environments.{name}.groups.{group}");
            if environment.hosts.contains_key(group.as_str()) {
                let says = format!("`{group}` is both a host and a group of `{name}`");
                self.note(
                    "contract.duplicate",
                    &place,
                    None,
                    says,
                    "rename one of them",
                );
            }
            for member in members {
                if !environment.hosts.contains_key(&member.value) {
                    let hosts = environment.hosts.keys().map(|host| host.as_str());
                    self.unknown(&place, member, format_args!("host of `{name}`"), hosts);
                }
            }
            self.twice(&place, members);
        }
    }

    fn launch(&mut self) {
        let contract = self.contract;
        self.environment("launch.environment", &contract.launch.environment);
        if let Some(rehearsal) = contract.rehearsal.defined() {
            self.environment(REHEARSED_IN, &rehearsal.environment);
        }
    }

    fn parity(&mut self) {
        let launch = &self.contract.launch.environment;
        let Some(parity) = self.contract.parity.defined() else {
            return;
        };
        for name in &parity.compare {
            self.environment(COMPARE, name);
            if name == launch {
                let says = format!("`parity.compare` compares `{}` with itself", name.value);
                let next = "name the environments it was tested in";
                self.note("contract.value", COMPARE, name.span, says, next);
            }
        }
        self.twice(COMPARE, &parity.compare);
        if parity.facts.is_empty() {
            self.empty(FACTS, "list what is compared, or decline `parity`");
        }
    }

    fn done(&mut self) {
        let criteria = &self.contract.done;
        self.unique(
            "done",
            criteria.iter().map(|one| (one.id.as_str(), one.id.span)),
        );
        for criterion in criteria {
            let id = &criterion.id.value;
            self.evidence(criterion);
            self.holder(format_args!("done.{id}.owner"), criterion.owner.as_ref());
            self.holder(format_args!("done.{id}.backup"), criterion.backup.as_ref());
            if let Some(person) = &criterion.sign {
                self.person(format_args!("done.{id}.sign"), person);
            }
            if let Some(environment) = &criterion.environment {
                self.environment(format_args!("done.{id}.in"), environment);
            }
        }
    }

    /// One kind of evidence each: a command or a signature.
    fn evidence(&mut self, criterion: &Criterion) {
        let place = format!("done.{}", criterion.id.value);
        let (code, says, next) = match (&criterion.run, &criterion.sign) {
            (Some(_), Some(_)) => (
                "contract.value",
                format!("`{place}` has both `run` and `sign`"),
                "make two criteria of it: one that runs, one that is signed",
            ),
            (None, None) => (
                "contract.missing-key",
                format!("`{place}` can have no evidence: it has neither `run` nor `sign`"),
                "add `run: COMMAND`, or `sign: PERSON`",
            ),
            (None, Some(_)) if criterion.refuses.is_some() => (
                "contract.missing-key",
                format!("`{place}` has a `refuses`, but no `run` that should pass"),
                "add `run: COMMAND`",
            ),
            _ => return,
        };
        self.note(code, place, criterion.id.span, says, next);
    }

    fn expectations(&mut self) {
        let Some(expectations) = self.contract.expectations.defined() else {
            return;
        };
        if expectations.is_empty() {
            self.empty("expectations", "list what both teams answer, or decline it");
        }
        self.unique(
            "expectations",
            expectations
                .iter()
                .map(|one| (one.id.as_str(), one.id.span)),
        );
        for one in expectations {
            let measured = matches!(one.answer, AnswerKind::Number | AnswerKind::Duration);
            if one.within.is_some() && !measured {
                let place = format!("expectations.{}.within", one.id.value);
                let says = format!("`{place}` is for answers that are numbers or durations");
                let next = "delete it: other answers agree when they are equal";
                self.note("contract.value", place, None, says, next);
            }
        }
    }

    fn success(&mut self) {
        let Some(measures) = self.contract.success.defined() else {
            return;
        };
        if measures.is_empty() {
            self.empty("success", "list what is measured, or decline it");
        }
        self.unique(
            "success",
            measures.iter().map(|one| (one.id.as_str(), one.id.span)),
        );
        for measure in measures {
            let id = &measure.id.value;
            self.holder(format_args!("success.{id}.owner"), measure.owner.as_ref());
            self.holder(format_args!("success.{id}.backup"), measure.backup.as_ref());
        }
    }

    fn waivers(&mut self) {
        for (at, waiver) in self.contract.waivers.iter().enumerate() {
            // A waiver whose owner is no name was noted when it was read.
            if let Some(owner) = waiver.owner.as_ref().filter(|owner| is_name(owner)) {
                self.person(format_args!("waivers[{}].owner", at + 1), owner);
            }
        }
    }
}
