//! What the words of a contract stand for: a person, team or role for people, the
//! whole for the environments that are compared, a left out `watch` for the usual one.
//!
//! Nothing is checked here: a name that nobody bears stands for nobody, and
//! `check` says so.

use std::collections::BTreeSet;

use super::contract::{Contract, WatchTerms};
use crate::id::{EnvName, Handle};

impl Contract {
    /// The people a name stands for: a person for themselves, a team for its
    /// members, a role for its owners. In the order of the file; `None` when
    /// nobody bears the name.
    pub fn members(&self, who: &str) -> Option<Vec<Handle>> {
        self.team_or_person(who).or_else(|| {
            let owner = self.roles.get(who)?.owner.as_ref();
            Some(
                owner
                    .and_then(|owner| self.team_or_person(owner))
                    .unwrap_or_default(),
            )
        })
    }

    /// The people who hold a role, then those who stand in, each once; nobody
    /// for a role the contract does not have.
    pub fn holders(&self, role: &str) -> Vec<Handle> {
        let role = self.roles.get(role);
        let held = role
            .into_iter()
            .flat_map(|role| [&role.owner, &role.backup])
            .flatten();
        let mut people = Vec::new();
        for person in held.filter_map(|who| self.members(who)).flatten() {
            if !people.contains(&person) {
                people.push(person);
            }
        }
        people
    }

    /// The people of a team, or the person; roles are no part of it, so that no
    /// role can stand for itself.
    pub(crate) fn team_or_person(&self, who: &str) -> Option<Vec<Handle>> {
        if self.people.contains_key(who) {
            return Some(vec![Handle::from(who)]);
        }
        let team = self.teams.get(who)?;
        Some(team.iter().map(|member| member.value.clone()).collect())
    }

    /// The environments that are compared with the one of the launch: those of
    /// `compare`, and the one of the rehearsal, which must be at parity to mean
    /// anything. None where parity is not asked for.
    pub fn tested(&self) -> BTreeSet<&EnvName> {
        let Some(terms) = self.parity.defined() else {
            return BTreeSet::new();
        };
        let rehearsed = self.rehearsal.defined().map(|terms| &terms.environment);
        let named = terms.compare.iter().chain(rehearsed);
        named.map(|name| &name.value).collect()
    }

    /// How the judge watches: as written, or [`WatchTerms::default`].
    pub fn watch_terms(&self) -> WatchTerms {
        self.watch.unwrap_or_default()
    }
}
