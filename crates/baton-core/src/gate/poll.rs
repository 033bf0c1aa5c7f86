//! The poll as people may see it: who says go, and how sure the teams are where
//! that may be told. It shows what the question *room* weighs and decides
//! nothing by itself.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::room::{TEAM_VOTERS_MIN, all_in, average, check_confidence, check_no_go, votes};
use super::{Case, Facts, Readings};
use crate::handoff::plan::Plan;
use crate::id::{Handle, RoleName, TeamName};

/// The poll before a launch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Poll {
    /// The votes that count, by person.
    pub votes: Vec<Ballot>,
    /// Roles nobody of which has voted.
    pub missing: Vec<RoleName>,
    /// The mean confidence of both teams, 1 to 5; only once all are in and each
    /// team has enough voters for nobody's own number to be guessed.
    pub sure: Option<BTreeMap<TeamName, f64>>,
    /// Why people should talk first, in a sentence.
    pub talk: Option<String>,
}

/// One vote, without its confidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ballot {
    /// Who.
    pub by: Handle,
    /// The roles they speak for; none for somebody without one.
    pub roles: Vec<RoleName>,
    /// Go, or no-go.
    pub go: bool,
    /// Why.
    pub because: Option<String>,
}

/// The poll on the plan's content, as the facts have it.
pub fn poll(plan: &Plan, facts: &Facts, now: Timestamp) -> Poll {
    let contract = &plan.contract;
    let votes = votes(plan, facts);
    let roles_of = |by: &Handle| -> Vec<RoleName> {
        let roles = contract.roles.keys();
        roles
            .filter(|role| contract.holders(role).contains(by))
            .cloned()
            .collect()
    };
    let voted: BTreeSet<RoleName> = votes.iter().flat_map(|(by, _)| roles_of(by)).collect();
    let missing = contract.roles.keys().filter(|role| !voted.contains(*role));
    let mut talk = Vec::new();
    let readings = Readings {
        release: Err("not asked".to_owned()),
        present: BTreeSet::new(),
        fingerprints: BTreeMap::new(),
        calendars: BTreeMap::new(),
        at_launch: true,
    };
    let case = Case {
        plan,
        facts,
        readings: &readings,
        lint: &[],
        preflights: Vec::new(),
        now,
    };
    check_no_go(&case, &votes, &mut talk);
    check_confidence(&case, &votes, &mut talk);
    // Who has not opened their number yet is asked elsewhere.
    let mut talk = talk
        .into_iter()
        .filter(|note| note.code.0 != "room.not-voted");
    let means: Option<BTreeMap<TeamName, f64>> = [&contract.from.value, &contract.to.value]
        .into_iter()
        .map(|team| {
            let members = contract.members(team).unwrap_or_default();
            let theirs = votes.iter().filter(|(by, _)| members.contains(by));
            let sure: Option<Vec<f64>> = theirs
                .map(|(_, vote)| vote.confidence.map(f64::from))
                .collect();
            let sure = sure.filter(|sure| sure.len() >= TEAM_VOTERS_MIN)?;
            Some((team.clone(), average(&sure)))
        })
        .collect();
    Poll {
        missing: missing.cloned().collect(),
        sure: means.filter(|_| all_in(plan, &votes)),
        talk: talk.next().map(|note| note.says),
        votes: votes
            .into_iter()
            .map(|(by, vote)| Ballot {
                by: by.clone(),
                roles: roles_of(by),
                go: vote.go,
                because: vote.because.clone(),
            })
            .collect(),
    }
}
