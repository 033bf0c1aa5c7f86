//! Compares fingerprints: the hosts of a group with their siblings, and each
//! tested environment with the one of the launch.
//!
//! Promises that one cause gives one [`Difference`], which says where every
//! value stands; that swapping two environments swaps only the words; and that
//! what could not be read is a [`NotCollected`] and never equality. What the
//! release itself changed is not known here: the gate compares fingerprints
//! that were taken before the rehearsal.

mod gather;
mod rows;
mod says;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::id::{EnvName, GroupName, HostName};
use crate::parity::fact::FactName;
use crate::parity::fingerprint::Fingerprint;
use crate::parity::matcher::{Rule, Rules};

/// A fingerprint and how its hosts stand together.
#[derive(Clone, Copy, Debug)]
pub struct Environment<'a> {
    /// What was read.
    pub fingerprint: &'a Fingerprint,
    /// The groups of the contract's environment.
    pub groups: &'a BTreeMap<GroupName, Vec<HostName>>,
}

/// What kind of difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The value is another.
    Changed,
    /// It stands in the tested environment, or on the siblings, and not here.
    Missing,
    /// It stands here, and not in the tested environment, or on the siblings.
    Extra,
    /// The value must differ between the environments, and does not.
    SameSecret,
}

/// One value of a fact, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Side {
    /// The environment.
    pub environment: EnvName,
    /// The hosts that have this value.
    pub hosts: Vec<HostName>,
    /// The value as it is shown to people; `None` where there is no such fact.
    pub value: Option<String>,
}

/// One thing that is not the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Difference {
    /// The fact; `host:NAME` for a host that has no counterpart.
    pub fact: FactName,
    /// What kind.
    pub kind: Kind,
    /// Where each value stands.
    pub sides: Vec<Side>,
    /// What a waiver must cover: the hosts that stand out from their siblings
    /// or counterparts, if it is not all of them, and the fact.
    pub names: Vec<String>,
    /// A sentence that names every offending thing.
    pub says: String,
}

/// A difference that a rule of the contract finds right.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Excused {
    /// The fact.
    pub fact: FactName,
    /// A sentence with the values and the rule.
    pub says: String,
}

/// A layer that was not read on some hosts, so that nobody knows whether it is the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct NotCollected {
    /// The environment.
    pub environment: EnvName,
    /// The hosts for which the same reason holds.
    pub hosts: Vec<HostName>,
    /// The layer; `host` when nothing at all was read.
    pub layer: String,
    /// Why, as [`LayerStatus`](crate::parity::LayerStatus) shows it.
    pub reason: String,
    /// What a waiver must cover: the hosts, and the layer as `LAYER:*`.
    pub names: Vec<String>,
    /// A sentence that names every offending thing.
    pub says: String,
}

/// What comparing found, in stable order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// What is not the same.
    pub differences: Vec<Difference>,
    /// What is not the same and right by a rule.
    pub excused: Vec<Excused>,
    /// What nobody knows.
    pub not_collected: Vec<NotCollected>,
}

impl Comparison {
    /// Whether everything was read and is the same, or right by a rule.
    pub fn is_equal(&self) -> bool {
        self.differences.is_empty() && self.not_collected.is_empty()
    }
}

/// Compares the hosts of every group with their siblings, exactly; a ratio
/// excuses numbers here too, and what must differ between environments must
/// still be the same within one.
pub fn compare_hosts(environment: Environment<'_>, rules: &[Rule]) -> Comparison {
    let (rows, excused) = rows::siblings(environment, &Rules::new(rules));
    let not_collected = gather::unread(&[environment], false);
    rows::finish(rows, excused, not_collected)
}

/// Compares two environments: `tested` and the one the release is to go to.
///
/// Hosts are compared by group: the values a fact has in a group of the one
/// against those in the group of the same name of the other, however many hosts
/// each has. A host in no such group is compared with the host of its name.
pub fn compare_environments(
    tested: Environment<'_>,
    launch: Environment<'_>,
    rules: &[Rule],
) -> Comparison {
    let (rows, excused) = rows::environments(tested, launch, &Rules::new(rules));
    let not_collected = gather::unread(&[tested, launch], true);
    rows::finish(rows, excused, not_collected)
}

/// The whole comparison that the gate asks for: siblings in every environment,
/// and each tested environment against the one of the launch. A host that
/// stands out from its siblings is named once, not again for the environment.
pub fn compare(launch: Environment<'_>, tested: &[Environment<'_>], rules: &[Rule]) -> Comparison {
    let rules = Rules::new(rules);
    let all: Vec<Environment<'_>> = tested.iter().copied().chain([launch]).collect();
    let (mut among, mut between, mut excused) = (Vec::new(), Vec::new(), Vec::new());
    for environment in &all {
        let (rows, right) = rows::siblings(*environment, &rules);
        among.extend(rows);
        excused.extend(right);
    }
    for environment in tested {
        let (rows, right) = rows::environments(*environment, launch, &rules);
        between.extend(rows);
        excused.extend(right);
    }
    let not_collected = gather::unread(&all, !tested.is_empty());
    rows::finish(rows::fold(among, between), excused, not_collected)
}

#[cfg(test)]
mod tests;
