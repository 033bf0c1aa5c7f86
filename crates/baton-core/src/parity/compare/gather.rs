//! Who is compared with whom, and what each has: the groundwork of comparing.

use std::collections::{BTreeMap, BTreeSet};

use crate::diag::list;
use crate::id::{EnvName, HostName};
use crate::parity::compare::{Environment, NotCollected, says};
use crate::parity::fact::{Class, FactName, Value};
use crate::parity::fingerprint::{HostFacts, Known, LayerStatus};
use crate::parity::matcher::{Is, Rule};

/// The layer of hosts themselves.
pub(super) const HOST: &str = "host";

/// A host of an environment.
pub(super) type Place<'a> = (&'a EnvName, &'a HostName);

/// The values that one fact has on some hosts of one environment. `None` is
/// "there is no such fact"; hosts where nobody knows are left out.
pub(super) struct Standing<'a> {
    pub(super) environment: &'a EnvName,
    pub(super) values: BTreeMap<Option<&'a Value>, Vec<&'a HostName>>,
    volatile: bool,
}

static PRESENT: Value = Value::Present;

impl<'a> Standing<'a> {
    /// How a fact stands on these hosts. An identity stands by being there, but
    /// for a rule by which it must differ.
    pub(super) fn of(
        environment: Environment<'a>,
        hosts: &[&'a HostName],
        name: &FactName,
        rule: Option<&Rule>,
    ) -> Self {
        let must_differ = rule.is_some_and(|rule| rule.is == Is::MustDiffer);
        let mut standing = Self {
            environment: &environment.fingerprint.environment,
            values: BTreeMap::new(),
            volatile: false,
        };
        for host in hosts {
            let Some(facts) = environment.fingerprint.hosts.get(*host) else {
                continue;
            };
            let value = match facts.known(name) {
                Known::Unknown => continue,
                Known::Not => None,
                Known::Is(fact) => {
                    standing.volatile |= fact.class == Class::Volatile;
                    Some(match fact.class {
                        Class::Identity if !must_differ => &PRESENT,
                        _ => &fact.value,
                    })
                }
            };
            standing.values.entry(value).or_default().push(host);
        }
        standing
    }

    /// Whether the fact changes by itself, so that comparing it says nothing.
    pub(super) fn is_volatile(&self) -> bool {
        self.volatile
    }

    /// Whether nobody knows anything of the fact here.
    pub(super) fn is_unknown(&self) -> bool {
        self.values.is_empty()
    }

    /// Whether there is no such fact on any host that is known.
    pub(super) fn is_nowhere(&self) -> bool {
        self.values.keys().all(Option::is_none)
    }

    pub(super) fn has(&self, value: Option<&Value>) -> bool {
        self.values.contains_key(&value)
    }

    /// Every host whose value is known.
    pub(super) fn places(&self) -> BTreeSet<Place<'a>> {
        let hosts = self.values.values().flatten();
        hosts.map(|host| (self.environment, *host)).collect()
    }

    /// The hosts whose value the other side has nowhere.
    pub(super) fn strays_from(&self, other: &Self) -> BTreeSet<Place<'a>> {
        let strange = self.values.iter().filter(|(value, _)| !other.has(**value));
        let hosts = strange.flat_map(|(_, hosts)| hosts);
        hosts.map(|host| (self.environment, *host)).collect()
    }
}

/// The names of all facts on these hosts.
pub(super) fn names<'a>(
    environment: Environment<'a>,
    hosts: &[&'a HostName],
) -> BTreeSet<&'a FactName> {
    let known = hosts
        .iter()
        .filter_map(|host| environment.fingerprint.hosts.get(*host));
    known.flat_map(|facts| facts.facts.keys()).collect()
}

/// Hosts of the tested environment and those of the launch they stand for.
pub(super) type Pair<'a> = (Vec<&'a HostName>, Vec<&'a HostName>);

/// Who is compared with whom.
pub(super) struct Pairing<'a> {
    pub(super) pairs: Vec<Pair<'a>>,
    /// Hosts of the tested environment without a counterpart.
    pub(super) only_tested: Vec<&'a HostName>,
    /// Hosts of the launch environment without a counterpart.
    pub(super) only_launch: Vec<&'a HostName>,
}

pub(super) fn pairing<'a>(tested: Environment<'a>, launch: Environment<'a>) -> Pairing<'a> {
    let mut pairs: Vec<Pair<'a>> = Vec::new();
    for (group, hosts) in tested.groups {
        if let Some(others) = launch.groups.get(group) {
            pairs.push((hosts.iter().collect(), others.iter().collect()));
        }
    }
    let grouped: BTreeSet<&HostName> = pairs.iter().flat_map(|(hosts, _)| hosts.clone()).collect();
    let grouped_launch: BTreeSet<&HostName> =
        pairs.iter().flat_map(|(_, hosts)| hosts.clone()).collect();

    let (ours, theirs) = (&tested.fingerprint.hosts, &launch.fingerprint.hosts);
    let alone = |host: &&HostName| !grouped.contains(host);
    let alone_launch = |host: &&HostName| !grouped_launch.contains(host);
    let same_name = ours
        .keys()
        .filter(|host| theirs.contains_key(*host) && (alone(host) || alone_launch(host)));
    pairs.extend(same_name.map(|host| (vec![host], vec![host])));
    Pairing {
        pairs,
        only_tested: ours
            .keys()
            .filter(alone)
            .filter(|host| !theirs.contains_key(*host))
            .collect(),
        only_launch: theirs
            .keys()
            .filter(alone_launch)
            .filter(|host| !ours.contains_key(*host))
            .collect(),
    }
}

/// What was not read: layers by host, hosts of groups that have no facts at
/// all, and, when `between` environments, layers that were read everywhere and
/// hold no fact anywhere: there, nothing was compared.
pub(super) fn unread(environments: &[Environment<'_>], between: bool) -> Vec<NotCollected> {
    let hosts = || {
        let prints = environments
            .iter()
            .map(|environment| environment.fingerprint);
        prints.flat_map(|print| &print.hosts)
    };
    let layers: BTreeSet<&str> = hosts()
        .flat_map(|(_, facts)| facts.layers.keys().map(String::as_str))
        .collect();
    let has_facts = |layer: &str| {
        let holds = |facts: &HostFacts| facts.facts.keys().any(|name| name.layer() == layer);
        hosts().any(|(_, facts)| holds(facts))
    };
    let empty: BTreeSet<&str> = layers
        .iter()
        .copied()
        .filter(|layer| between && !has_facts(layer))
        .collect();

    let mut by_reason: BTreeMap<(&EnvName, &str, String), BTreeSet<&HostName>> = BTreeMap::new();
    for environment in environments {
        let print = environment.fingerprint;
        for (host, facts) in &print.hosts {
            for layer in &layers {
                let reason = match facts.layers.get(*layer) {
                    Some(LayerStatus::Ok) if empty.contains(layer) => {
                        "nothing on any host answers to it".to_owned()
                    }
                    Some(LayerStatus::Ok) => continue,
                    Some(status) => status.to_string(),
                    None => "it was not asked for".to_owned(),
                };
                let row = by_reason.entry((&print.environment, layer, reason));
                row.or_default().insert(host);
            }
        }
        let grouped: BTreeSet<&HostName> = environment.groups.values().flatten().collect();
        for host in grouped {
            if !print.hosts.contains_key(host) {
                let reason = "it is not in the fingerprint".to_owned();
                let row = by_reason.entry((&print.environment, HOST, reason));
                row.or_default().insert(host);
            }
        }
    }
    by_reason
        .into_iter()
        .map(|((environment, layer, reason), hosts)| {
            not_collected(environment, layer, reason, &hosts)
        })
        .collect()
}

fn not_collected(
    environment: &EnvName,
    layer: &str,
    reason: String,
    hosts: &BTreeSet<&HostName>,
) -> NotCollected {
    let shown: Vec<&str> = hosts.iter().map(|host| says::host(host)).collect();
    let mut names: Vec<String> = hosts
        .iter()
        .filter(|host| !host.is_here())
        .map(ToString::to_string)
        .collect();
    names.push(format!("{layer}:*"));
    NotCollected {
        environment: environment.clone(),
        hosts: hosts.iter().copied().cloned().collect(),
        says: format!(
            "{layer} is not known on {} of {environment}: {reason}",
            list(&shown, says::HOSTS_MAX)
        ),
        layer: layer.to_owned(),
        reason,
        names,
    }
}
