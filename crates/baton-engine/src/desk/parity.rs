//! Fingerprints as the ledger has them, compared.
//!
//! A fingerprint that is of an earlier definition, or was taken for other
//! questions, is not compared: what nobody asked is no equality.

use std::collections::BTreeMap;

use baton_core::diag::list;
use baton_core::handoff::contract::{Environment, ParityTerms};
use baton_core::id::{Digest, EnvName, GroupName, HostName};
use baton_core::parity::compare::compare_open;
use baton_core::parity::compare::merge::Open;
use baton_core::parity::fingerprint::asked;
use baton_core::parity::sheet::Stored;
use baton_core::parity::{Comparison, Sheet};
use baton_store::Log as _;

use super::Desk;
use crate::failure::Failure;

/// A fingerprint that can be compared.
pub struct Known {
    /// Where the ledger keeps it.
    pub blob: Digest,
    /// What it says.
    pub sheet: Sheet,
    groups: BTreeMap<GroupName, Vec<HostName>>,
}

impl Known {
    fn open(&self) -> Open<'_, Stored<'_>> {
        self.sheet.open(&self.groups)
    }
}

/// Fingerprints, and how they differ.
pub struct Compared {
    /// Those that are held against the launch environment's.
    pub tested: Vec<Known>,
    /// That of the environment the release goes to.
    pub launch: Known,
    /// What comparing found, by the contract's rules and weights.
    pub found: Comparison,
}

/// Compares the latest fingerprints: of two environments that are named; of one
/// that is named, or of the launch environment, with those the gate compares.
///
/// # Errors
/// When the contract compares nothing, has no such environment, or a fingerprint
/// is missing, of an earlier definition, or cannot be read.
pub fn compare(desk: &mut Desk, environments: &[String]) -> Result<Compared, Failure> {
    let (tested, launch) = which(desk, environments)?;
    let launch = latest(desk, &launch)?;
    let tested = tested
        .iter()
        .map(|name| latest(desk, name))
        .collect::<Result<Vec<_>, _>>()?;
    let terms = terms(desk)?;
    let views = tested.iter().map(Known::open).collect();
    let found = compare_open(launch.open(), views, &terms.rules).reweighed(&terms.weights);
    Ok(Compared {
        tested,
        launch,
        found,
    })
}

/// How the contract compares environments.
///
/// # Errors
/// When it does not, in the words of whoever declined it.
pub fn terms(desk: &Desk) -> Result<&ParityTerms, Failure> {
    let parity = &desk.contract.parity;
    parity.defined().ok_or_else(|| match parity.declined() {
        Some(part) => Failure::wrong(format!(
            "{} declined to compare environments: {}",
            part.by.value, part.declined
        )),
        None => Failure::wrong("the contract does not say how environments are compared")
            .hint("say it under `parity:`: which environments, and which facts"),
    })
}

/// An environment of the contract.
///
/// # Errors
/// When it has none of this name.
pub fn place<'d>(desk: &'d Desk, environment: &EnvName) -> Result<&'d Environment, Failure> {
    let environments = &desk.contract.environments;
    environments.get(environment).ok_or_else(|| {
        let names: Vec<&str> = environments.keys().map(EnvName::as_str).collect();
        Failure::wrong(format!("the contract has no environment {environment}"))
            .hint(format!("it has {}", list(&names, 8)))
    })
}

/// Which environments are compared with which one: two that are named; one that
/// is named, or the launch environment, with those the gate compares.
fn which(desk: &Desk, environments: &[String]) -> Result<(Vec<EnvName>, EnvName), Failure> {
    let (tested, launch) = match environments {
        [one, other] => (
            vec![EnvName::from(one.as_str())],
            EnvName::from(other.as_str()),
        ),
        rest => {
            let named = rest.first().map(|name| EnvName::from(name.as_str()));
            let launch = named.unwrap_or_else(|| desk.plan.environment.clone());
            let _asked = terms(desk)?;
            let tested = desk.contract.tested().into_iter();
            let tested = tested.filter(|name| **name != launch).cloned();
            (tested.collect(), launch)
        }
    };
    if tested.contains(&launch) {
        return Err(Failure::wrong(format!(
            "{launch} cannot be compared with itself"
        )));
    }
    for name in tested.iter().chain([&launch]) {
        let _known = place(desk, name)?;
    }
    Ok((tested, launch))
}

/// The latest fingerprint of an environment, when it is of what the contract
/// says now.
fn latest(desk: &mut Desk, name: &EnvName) -> Result<Known, Failure> {
    let hint = format!("`baton fingerprint {name}` takes one");
    let missing = |why: &str| Failure::part(format!("{why} {name}")).hint(&hint);
    let taken = desk.facts.fingerprint_of(name);
    let taken = taken.ok_or_else(|| missing("there is no fingerprint yet of"))?;
    if desk.plan.digests.environments.get(name) != Some(taken.definition) {
        return Err(missing(
            "the definition has changed since the fingerprint was taken of",
        ));
    }
    if *taken.collectors != asked(&terms(desk)?.facts) {
        return Err(missing(
            "the contract asks for other facts since the fingerprint was taken of",
        ));
    }
    let blob = taken.fingerprint.clone();
    let bytes = desk.log.get(&blob)?;
    let read = bytes.and_then(Sheet::read);
    let sheet = read.ok_or_else(|| missing("nobody can read the fingerprint of"))?;
    if sheet.head.hosts.is_empty() {
        return Err(
            Failure::part(format!("{name} has no host that could be compared"))
                .hint("name its hosts in the contract"),
        );
    }
    let groups = place(desk, name)?.groups.iter();
    let groups = groups.map(|(group, hosts)| {
        let hosts = hosts.iter().map(|host| host.value.clone());
        (group.clone(), hosts.collect())
    });
    Ok(Known {
        blob,
        sheet,
        groups: groups.collect(),
    })
}
