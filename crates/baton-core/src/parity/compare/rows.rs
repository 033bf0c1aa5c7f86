//! Compares one fact: among siblings, and between counterparts.

use std::collections::BTreeSet;

use crate::id::{EnvName, HostName};
use crate::parity::compare::gather::{self, Place, Standing};
use crate::parity::compare::{Difference, Excused, Kind, Side, says};
use crate::parity::fact::{Class, FactName, Value};
use crate::parity::matcher::{Is, Rule};
use crate::parity::risk;

/// A difference, with what folding needs to know of it.
pub(super) struct Row<'a> {
    pub(super) difference: Difference,
    /// The hosts that stand out.
    pub(super) strays: BTreeSet<Place<'a>>,
    /// All hosts that were weighed.
    pub(super) weighed: BTreeSet<Place<'a>>,
}

impl Row<'_> {
    /// Whether some hosts stand out, rather than all of them.
    pub(super) fn is_pointed(&self) -> bool {
        self.strays.len() < self.weighed.len()
    }
}

/// What comparing one fact gives.
pub(super) enum Found<'a> {
    /// Nothing to say.
    Same,
    /// Not the same, and right by a rule.
    Right(Excused),
    /// Not the same.
    Wrong(Row<'a>),
}

/// Compares a fact among siblings: some hosts of one environment.
pub(super) fn sibling<'a>(
    name: &FactName,
    standing: &Standing<'a>,
    rule: Option<&Rule>,
) -> Found<'a> {
    if standing.values.len() < 2 || standing.is_volatile() {
        return Found::Same;
    }
    let all: Vec<Option<&Value>> = standing.values.keys().map(Option::as_ref).collect();
    if let Some(why) = among(&all, rule, standing.class) {
        return Found::Right(excused(name, &[standing], why));
    }
    let usual = majority(standing);
    let weighed = standing.places();
    let strays: BTreeSet<Place<'a>> = match usual {
        Some(value) => {
            let usual: BTreeSet<&HostName> = standing.hosts_of(value).iter().copied().collect();
            let outside = weighed.iter().filter(|(_, host)| !usual.contains(host));
            outside.copied().collect()
        }
        None => weighed.clone(),
    };
    let odd = || all.iter().copied().filter(|value| usual != Some(*value));
    let kind = match usual {
        Some(None) => Kind::Extra,
        Some(Some(_)) if odd().all(|value| value.is_none()) => Kind::Missing,
        None if standing.has(None) && standing.values.len() == 2 => Kind::Missing,
        _ => Kind::Changed,
    };
    let pair = (usual.flatten(), odd().flatten().next());
    let difference = Difference {
        fact: name.clone(),
        kind,
        risk: risk::weigh(name, kind, standing.class, pair, true),
        sides: odd()
            .chain(usual)
            .map(|value| side(standing, value))
            .collect(),
        names: names(&strays, name),
        says: says::siblings(name, standing, usual),
    };
    Found::Wrong(Row {
        difference,
        strays,
        weighed,
    })
}

/// The layer of facts that say whether what configuration names is there.
pub(super) const REFERENCES: &str = "references";

/// Whether a fact of this name may contradict the configuration that it is of.
pub(super) fn may_contradict(name: &str) -> bool {
    name.strip_prefix(REFERENCES)
        .is_some_and(|rest| rest.starts_with(':') && !rest.contains('#'))
}

/// What such a fact says where nothing is there.
const CONTRADICTIONS: [&str; 3] = ["nothing there", "not known", "nobody listens"];

/// Holds an environment against itself: on which hosts configuration names
/// something that is not there.
pub(super) fn contradiction<'a>(
    name: &FactName,
    standing: &Standing<'a>,
    rule: Option<&Rule>,
) -> Found<'a> {
    let contradicts = |value: &Option<Value>| {
        let text = value.as_ref().and_then(Value::text);
        text.is_some_and(|text| CONTRADICTIONS.contains(&text))
    };
    let odd: Vec<&Option<Value>> = standing
        .values
        .keys()
        .filter(|of| contradicts(of))
        .collect();
    if odd.is_empty() {
        return Found::Same;
    }
    let hosts = odd
        .iter()
        .flat_map(|value| standing.hosts_of(value.as_ref()));
    let strays: BTreeSet<Place<'a>> = hosts.map(|host| (standing.environment, *host)).collect();
    if let Some(rule) = rule.filter(|rule| rule.is == Is::Present) {
        return Found::Right(excused(name, &[standing], says::by_rule(rule)));
    }
    let value = odd.first().and_then(|value| value.as_ref());
    let kind = Kind::Contradiction;
    let difference = Difference {
        fact: name.clone(),
        kind,
        risk: risk::weigh(name, kind, standing.class, (None, value), false),
        sides: odd
            .iter()
            .map(|value| side(standing, value.as_ref()))
            .collect(),
        names: names(&strays, name),
        says: says::contradiction(name, standing, &strays, value),
    };
    Found::Wrong(Row {
        difference,
        strays,
        weighed: standing.places(),
    })
}

fn excused(name: &FactName, standings: &[&Standing<'_>], because: String) -> Excused {
    let sides = standings.iter().flat_map(|standing| {
        let values = standing.values.keys();
        values.map(|value| side(standing, value.as_ref()))
    });
    Excused {
        fact: name.clone(),
        sides: sides.collect(),
        says: says::excused(name, standings, &because),
        because,
    }
}

/// Why all these values are right although they are not the same, if they are.
fn among(values: &[Option<&Value>], rule: Option<&Rule>, class: Option<Class>) -> Option<String> {
    let there: Vec<&Value> = values.iter().copied().collect::<Option<_>>()?;
    match rule {
        Some(rule) => rule.is.holds_among(&there).then(|| says::by_rule(rule)),
        None => says::by_nature(class, &there),
    }
}

/// The value that more hosts have than have any other.
fn majority<'s>(standing: &'s Standing<'_>) -> Option<Option<&'s Value>> {
    let most = standing.values.values().map(Vec::len).max()?;
    let mut usual = standing
        .values
        .iter()
        .filter(|(_, hosts)| hosts.len() == most);
    let (value, _) = usual.next()?;
    usual.next().is_none().then_some(value.as_ref())
}

/// Compares a fact between counterparts: hosts of the tested and of the launch
/// environment.
pub(super) fn counterpart<'a>(
    name: &FactName,
    ours: &Standing<'a>,
    theirs: &Standing<'a>,
    rule: Option<&Rule>,
) -> Found<'a> {
    let nobody_knows = ours.is_unknown() || theirs.is_unknown();
    if nobody_knows || ours.is_volatile() || theirs.is_volatile() {
        return Found::Same;
    }
    let must_differ = rule.is_some_and(|rule| rule.is == Is::MustDiffer);
    let here = ours.values.keys().flatten();
    let shared: Vec<&Value> = here.filter(|value| theirs.has(Some(value))).collect();
    if must_differ && !shared.is_empty() {
        return Found::Wrong(same_secret(name, ours, theirs, &shared));
    }

    let (from_ours, from_theirs) = (ours.strays_from(theirs), theirs.strays_from(ours));
    let strays: BTreeSet<Place<'a>> = from_ours.union(&from_theirs).copied().collect();
    if strays.is_empty() {
        return Found::Same;
    }
    if let Some(why) = excuse(ours, theirs, rule) {
        return Found::Right(excused(name, &[ours, theirs], why));
    }
    let weighed = both(ours, theirs);
    let kind = kind(ours, theirs, must_differ);
    let strange = |standing: &Standing<'a>, other: &Standing<'a>| {
        let values = standing.values.keys().flatten();
        let odd = values.clone().find(|value| !other.has(Some(value)));
        odd.or_else(|| values.clone().next()).cloned()
    };
    let pair = (strange(ours, theirs), strange(theirs, ours));
    let class = ours.class.max(theirs.class);
    let difference = Difference {
        fact: name.clone(),
        kind,
        risk: risk::weigh(name, kind, class, (pair.0.as_ref(), pair.1.as_ref()), false),
        sides: sides(ours, theirs),
        names: names_between(&strays, &weighed, name),
        says: says::environments(name, kind, ours, theirs, rule),
    };
    Found::Wrong(Row {
        difference,
        strays,
        weighed,
    })
}

/// Why the values of two environments are right although they are not the same.
fn excuse(ours: &Standing<'_>, theirs: &Standing<'_>, rule: Option<&Rule>) -> Option<String> {
    if let Some(rule) = rule.filter(|rule| rule.is == Is::MustDiffer) {
        return stands_alike(ours, theirs).then(|| says::by_rule(rule));
    }
    let there = |standing: &Standing<'_>| -> Option<Vec<Value>> {
        standing.values.keys().cloned().collect()
    };
    let (tested, launch) = (there(ours)?, there(theirs)?);
    let all: Vec<&Value> = tested.iter().chain(&launch).collect();
    match rule {
        Some(rule) => {
            let names = [ours.environment.as_str(), theirs.environment.as_str()];
            let right = rule.is.holds_between(&tested, &launch, names);
            right.then(|| says::by_rule(rule))
        }
        None => says::by_nature(ours.class.max(theirs.class), &all),
    }
}

/// Whether the fact is there, and lacking, on both sides or on neither.
fn stands_alike(ours: &Standing<'_>, theirs: &Standing<'_>) -> bool {
    ours.has(None) == theirs.has(None) && ours.is_nowhere() == theirs.is_nowhere()
}

/// Missing and extra are told from the launch environment. Under a rule by
/// which the values differ anyway, only being there counts.
fn kind(ours: &Standing<'_>, theirs: &Standing<'_>, only_presence: bool) -> Kind {
    let same_values = only_presence
        || ours
            .values
            .keys()
            .flatten()
            .eq(theirs.values.keys().flatten());
    if theirs.is_nowhere() || (same_values && theirs.has(None) && !ours.has(None)) {
        Kind::Missing
    } else if ours.is_nowhere() || (same_values && ours.has(None) && !theirs.has(None)) {
        Kind::Extra
    } else {
        Kind::Changed
    }
}

fn same_secret<'a>(
    name: &FactName,
    ours: &Standing<'a>,
    theirs: &Standing<'a>,
    shared: &[&Value],
) -> Row<'a> {
    let mut sides = Vec::new();
    let mut strays = BTreeSet::new();
    for standing in [ours, theirs] {
        for value in shared {
            sides.push(side(standing, Some(value)));
            let hosts = standing.hosts_of(Some(value));
            strays.extend(hosts.iter().map(|host| (standing.environment, *host)));
        }
    }
    let weighed = both(ours, theirs);
    Row {
        difference: Difference {
            fact: name.clone(),
            kind: Kind::SameSecret,
            risk: risk::weigh(name, Kind::SameSecret, ours.class, (None, None), false),
            sides,
            names: names_between(&strays, &weighed, name),
            says: says::same_secret(name, ours, theirs, &strays),
        },
        strays,
        weighed,
    }
}

/// A host that has no counterpart: one row, not one for each of its facts.
pub(super) fn lone<'a>(
    host: &'a HostName,
    here: &'a EnvName,
    there: &'a EnvName,
    kind: Kind,
) -> Row<'a> {
    let name = FactName::new(gather::HOST, host.as_str());
    let place = (here, host);
    let weighed: BTreeSet<Place<'a>> = [place].into();
    let side = Side {
        environment: place.0.clone(),
        hosts: vec![host.clone()],
        value: Some(Value::Present.shown()),
    };
    let difference = Difference {
        kind,
        risk: risk::weigh(&name, kind, None, (None, None), false),
        sides: vec![side],
        names: names(&weighed, &name),
        says: says::lone(host, here, there),
        fact: name,
    };
    Row {
        difference,
        strays: weighed.clone(),
        weighed,
    }
}

fn side(standing: &Standing<'_>, value: Option<&Value>) -> Side {
    Side {
        environment: standing.environment.clone(),
        hosts: standing.hosts_of(value).iter().copied().cloned().collect(),
        value: value.map(Value::shown),
    }
}

fn sides(ours: &Standing<'_>, theirs: &Standing<'_>) -> Vec<Side> {
    let of = |standing: &Standing<'_>| {
        let values = standing.values.keys();
        values
            .map(|value| side(standing, value.as_ref()))
            .collect::<Vec<_>>()
    };
    [of(ours), of(theirs)].concat()
}

fn both<'a>(ours: &Standing<'a>, theirs: &Standing<'a>) -> BTreeSet<Place<'a>> {
    ours.places().union(&theirs.places()).copied().collect()
}

/// What a waiver must cover: these hosts and the fact.
fn names(strays: &BTreeSet<Place<'_>>, fact: &FactName) -> Vec<String> {
    let hosts: BTreeSet<&HostName> = strays.iter().map(|(_, host)| *host).collect();
    let hosts = hosts.into_iter().filter(|host| !host.is_here());
    hosts
        .map(ToString::to_string)
        .chain([fact.to_string()])
        .collect()
}

/// Between environments, the hosts that stand out are named only where not all
/// of them do: a fact that differs throughout is the environment's, not a
/// host's, and a waiver for it does not cover a single host that strays later.
fn names_between(
    strays: &BTreeSet<Place<'_>>,
    weighed: &BTreeSet<Place<'_>>,
    fact: &FactName,
) -> Vec<String> {
    if strays.len() < weighed.len() {
        names(strays, fact)
    } else {
        vec![fact.to_string()]
    }
}
