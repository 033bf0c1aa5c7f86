//! Who is compared with whom, and what each has: the groundwork of comparing.

use std::collections::{BTreeMap, BTreeSet};

use crate::diag::list;
use crate::id::{EnvName, GroupName, HostName};
use crate::parity::compare::merge::Layers;
use crate::parity::compare::{NotCollected, says};
use crate::parity::fact::{Class, Fact, FactName, Value};
use crate::parity::fingerprint::LayerStatus;
use crate::parity::matcher::{Is, Rule};

/// The layer of hosts themselves.
pub(super) const HOST: &str = "host";

/// A host of an environment.
pub(super) type Place<'a> = (&'a EnvName, &'a HostName);

/// One host among all that are compared, without its facts.
#[derive(Clone, Copy)]
pub(super) struct Host<'a> {
    pub(super) environment: &'a EnvName,
    pub(super) name: &'a HostName,
    pub(super) layers: &'a Layers,
}

/// One fact on all hosts that are compared.
pub(super) struct Everywhere<'r, 'a> {
    pub(super) name: &'r FactName,
    pub(super) hosts: &'r [Host<'a>],
    /// What each host has, in the same order.
    pub(super) facts: &'r [Option<Fact>],
}

/// The values that one fact has on some hosts of one environment. `None` is
/// "there is no such fact"; hosts where nobody knows are left out.
pub(super) struct Standing<'a> {
    pub(super) environment: &'a EnvName,
    pub(super) values: BTreeMap<Option<Value>, Vec<&'a HostName>>,
    pub(super) class: Option<Class>,
    volatile: bool,
}

impl<'a> Standing<'a> {
    /// How a fact stands on these hosts of an environment. An identity stands
    /// by being there, but for a rule by which it must differ.
    pub(super) fn of(
        row: &Everywhere<'_, 'a>,
        environment: &'a EnvName,
        hosts: &[usize],
        rule: Option<&Rule>,
    ) -> Self {
        let must_differ = rule.is_some_and(|rule| rule.is == Is::MustDiffer);
        let mut standing = Self {
            environment,
            values: BTreeMap::new(),
            class: None,
            volatile: false,
        };
        for &place in hosts {
            let host = row.hosts[place];
            let whole = || {
                host.layers
                    .get(row.name.layer())
                    .is_some_and(LayerStatus::is_whole)
            };
            let value = match &row.facts[place] {
                Some(fact) => {
                    standing.class = standing.class.max(Some(fact.class));
                    standing.volatile |= fact.class == Class::Volatile;
                    Some(match fact.class {
                        Class::Identity if !must_differ => Value::Present,
                        _ => fact.value.clone(),
                    })
                }
                None if whole() => None,
                None => continue,
            };
            standing.values.entry(value).or_default().push(host.name);
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
        self.values.keys().any(|known| known.as_ref() == value)
    }

    /// The hosts that have this value.
    pub(super) fn hosts_of(&self, value: Option<&Value>) -> &[&'a HostName] {
        let of = self
            .values
            .iter()
            .find(|(known, _)| known.as_ref() == value);
        of.map_or(&[], |(_, hosts)| hosts)
    }

    /// Every host whose value is known.
    pub(super) fn places(&self) -> BTreeSet<Place<'a>> {
        let hosts = self.values.values().flatten();
        hosts.map(|host| (self.environment, *host)).collect()
    }

    /// The hosts whose value the other side has nowhere.
    pub(super) fn strays_from(&self, other: &Self) -> BTreeSet<Place<'a>> {
        let strange = self
            .values
            .iter()
            .filter(|(value, _)| !other.values.contains_key(*value));
        let hosts = strange.flat_map(|(_, hosts)| hosts);
        hosts.map(|host| (self.environment, *host)).collect()
    }
}

/// An environment as it is paired and told: its hosts have their places among all.
pub(super) struct Stage<'a> {
    pub(super) environment: &'a EnvName,
    pub(super) groups: &'a BTreeMap<GroupName, Vec<HostName>>,
    /// Where each host stands among all hosts.
    pub(super) places: BTreeMap<&'a HostName, usize>,
}

impl<'a> Stage<'a> {
    /// The places of those of these hosts that are known.
    pub(super) fn of(&self, hosts: impl IntoIterator<Item = &'a HostName>) -> Vec<usize> {
        let known = hosts.into_iter().filter_map(|host| self.places.get(host));
        known.copied().collect()
    }
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

pub(super) fn pairing<'a>(tested: &Stage<'a>, launch: &Stage<'a>) -> Pairing<'a> {
    let mut pairs: Vec<Pair<'a>> = Vec::new();
    for (group, hosts) in tested.groups {
        if let Some(others) = launch.groups.get(group) {
            pairs.push((hosts.iter().collect(), others.iter().collect()));
        }
    }
    let grouped: BTreeSet<&HostName> = pairs.iter().flat_map(|(hosts, _)| hosts.clone()).collect();
    let grouped_launch: BTreeSet<&HostName> =
        pairs.iter().flat_map(|(_, hosts)| hosts.clone()).collect();

    let (ours, theirs) = (&tested.places, &launch.places);
    let alone = |host: &&HostName| !grouped.contains(host);
    let alone_launch = |host: &&HostName| !grouped_launch.contains(host);
    let known = |hosts: &BTreeMap<&'a HostName, usize>| hosts.keys().copied().collect::<Vec<_>>();
    let same_name = known(ours)
        .into_iter()
        .filter(|host| theirs.contains_key(*host) && (alone(host) || alone_launch(host)));
    pairs.extend(same_name.map(|host| (vec![host], vec![host])));
    Pairing {
        pairs,
        only_tested: known(ours)
            .into_iter()
            .filter(|host| alone(host) && !theirs.contains_key(*host))
            .collect(),
        only_launch: known(theirs)
            .into_iter()
            .filter(|host| alone_launch(host) && !ours.contains_key(*host))
            .collect(),
    }
}

/// What was not read: layers by host, hosts of groups that have no facts at
/// all, and, when `between` environments, layers that were read everywhere and
/// hold no fact anywhere: there, nothing was compared.
pub(super) fn unread(
    stages: &[Stage<'_>],
    hosts: &[Host<'_>],
    with_facts: &BTreeSet<String>,
    between: bool,
) -> Vec<NotCollected> {
    let layers: BTreeSet<&str> = hosts
        .iter()
        .flat_map(|host| host.layers.keys().map(String::as_str))
        .collect();
    let is_empty = |layer: &str| between && !with_facts.contains(layer);

    let mut by_reason: BTreeMap<(&EnvName, &str, String), BTreeSet<&HostName>> = BTreeMap::new();
    for host in hosts {
        for layer in &layers {
            let reason = match host.layers.get(*layer) {
                Some(status) if status.is_whole() && is_empty(layer) => {
                    "nothing on any host answers to it".to_owned()
                }
                Some(status) if status.is_whole() => continue,
                Some(status) => status.to_string(),
                None => "it was not asked for".to_owned(),
            };
            let row = by_reason.entry((host.environment, layer, reason));
            row.or_default().insert(host.name);
        }
    }
    for stage in stages {
        let grouped: BTreeSet<&HostName> = stage.groups.values().flatten().collect();
        for host in grouped {
            if !stage.places.contains_key(host) {
                let reason = "it is not in the fingerprint".to_owned();
                let row = by_reason.entry((stage.environment, HOST, reason));
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
