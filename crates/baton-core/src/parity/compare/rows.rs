//! Finds the differences of one fact, and folds those that share a cause.

use std::collections::BTreeSet;

use crate::id::HostName;
use crate::parity::compare::gather::{self, Place, Standing};
use crate::parity::compare::{
    Comparison, Difference, Environment, Excused, Kind, NotCollected, Side, says,
};
use crate::parity::fact::{FactName, Value};
use crate::parity::matcher::{Is, Rule, Rules, within_ratio};

/// A difference, with what folding needs to know of it.
pub(super) struct Row<'a> {
    difference: Difference,
    /// The hosts that stand out.
    strays: BTreeSet<Place<'a>>,
    /// All hosts that were weighed.
    weighed: BTreeSet<Place<'a>>,
}

impl Row<'_> {
    /// Whether some hosts stand out, rather than all of them.
    fn is_pointed(&self) -> bool {
        self.strays.len() < self.weighed.len()
    }
}

/// What comparing one fact gives.
enum Found<'a> {
    Same,
    Right(Excused),
    Wrong(Row<'a>),
}

/// Differences within the groups of one environment.
pub(super) fn siblings<'a>(
    environment: Environment<'a>,
    rules: &Rules<'_>,
) -> (Vec<Row<'a>>, Vec<Excused>) {
    let (mut rows, mut excused) = (Vec::new(), Vec::new());
    for hosts in environment.groups.values() {
        let hosts: Vec<&HostName> = hosts.iter().collect();
        for name in gather::names(environment, &hosts) {
            let standing = Standing::of(environment, &hosts, name, None);
            match sibling(name, &standing, rules.find(name)) {
                Found::Same => {}
                Found::Right(right) => excused.push(right),
                Found::Wrong(row) => rows.push(row),
            }
        }
    }
    (fold_attributes(fold_groups(rows)), excused)
}

fn sibling<'a>(name: &FactName, standing: &Standing<'a>, rule: Option<&Rule>) -> Found<'a> {
    if standing.values.len() < 2 || standing.is_volatile() {
        return Found::Same;
    }
    if let Some((rule, max)) = rule.and_then(ratio)
        && within(standing.values.keys(), max)
    {
        let says = says::excused(name, &[standing], rule);
        return Found::Right(Excused {
            fact: name.clone(),
            says,
        });
    }
    let usual = majority(standing);
    let weighed = standing.places();
    let strays: BTreeSet<Place<'a>> = match usual {
        Some(value) => {
            let usual: BTreeSet<&HostName> = standing.values[&value].iter().copied().collect();
            let outside = weighed.iter().filter(|(_, host)| !usual.contains(host));
            outside.copied().collect()
        }
        None => weighed.clone(),
    };
    let odd = standing
        .values
        .keys()
        .filter(|value| usual != Some(**value));
    let kind = match usual {
        Some(None) => Kind::Extra,
        Some(Some(_)) if odd.clone().all(Option::is_none) => Kind::Missing,
        None if standing.has(None) && standing.values.len() == 2 => Kind::Missing,
        _ => Kind::Changed,
    };
    let order = odd.copied().chain(usual);
    let difference = Difference {
        fact: name.clone(),
        kind,
        sides: order.map(|value| side(standing, value)).collect(),
        names: names(&strays, name),
        says: says::siblings(name, standing, usual),
    };
    Found::Wrong(Row {
        difference,
        strays,
        weighed,
    })
}

/// The value that more hosts have than have any other.
fn majority<'a>(standing: &Standing<'a>) -> Option<Option<&'a Value>> {
    let most = standing.values.values().map(Vec::len).max()?;
    let mut usual = standing
        .values
        .iter()
        .filter(|(_, hosts)| hosts.len() == most);
    let (value, _) = usual.next()?;
    usual.next().is_none().then_some(*value)
}

/// Differences between the counterparts of two environments.
pub(super) fn environments<'a>(
    tested: Environment<'a>,
    launch: Environment<'a>,
    rules: &Rules<'_>,
) -> (Vec<Row<'a>>, Vec<Excused>) {
    let (mut rows, mut excused) = (Vec::new(), Vec::new());
    let pairing = gather::pairing(tested, launch);
    for (ours, theirs) in &pairing.pairs {
        let mut all = gather::names(tested, ours);
        all.extend(gather::names(launch, theirs));
        for name in all {
            let rule = rules.find(name);
            let ours = Standing::of(tested, ours, name, rule);
            let theirs = Standing::of(launch, theirs, name, rule);
            match counterpart(name, &ours, &theirs, rule) {
                Found::Same => {}
                Found::Right(right) => excused.push(right),
                Found::Wrong(row) => rows.push(row),
            }
        }
    }
    rows.extend(
        pairing
            .only_tested
            .iter()
            .map(|host| lone(host, tested, launch, Kind::Missing)),
    );
    rows.extend(
        pairing
            .only_launch
            .iter()
            .map(|host| lone(host, launch, tested, Kind::Extra)),
    );
    (fold_attributes(fold_groups(rows)), excused)
}

fn counterpart<'a>(
    name: &FactName,
    ours: &Standing<'a>,
    theirs: &Standing<'a>,
    rule: Option<&Rule>,
) -> Found<'a> {
    let nobody_knows = ours.is_unknown() || theirs.is_unknown();
    if nobody_knows || ours.is_volatile() || theirs.is_volatile() {
        return Found::Same;
    }
    let must_differ = rule.filter(|rule| rule.is == Is::MustDiffer);
    let values = || ours.values.keys().chain(theirs.values.keys());
    let here = ours.values.keys().copied().flatten();
    let shared: Vec<&Value> = here.filter(|value| theirs.has(Some(value))).collect();
    if must_differ.is_some() && !shared.is_empty() {
        return Found::Wrong(same_secret(name, ours, theirs, &shared));
    }

    let (from_ours, from_theirs) = (ours.strays_from(theirs), theirs.strays_from(ours));
    let strays: BTreeSet<Place<'a>> = from_ours.union(&from_theirs).copied().collect();
    if strays.is_empty() {
        return Found::Same;
    }
    let excusing = match must_differ {
        Some(_) => must_differ.filter(|_| stands_alike(ours, theirs)),
        None => rule.filter(|rule| ratio(rule).is_some_and(|(_, max)| within(values(), max))),
    };
    if let Some(rule) = excusing {
        let says = says::excused(name, &[ours, theirs], rule);
        return Found::Right(Excused {
            fact: name.clone(),
            says,
        });
    }
    let weighed = both(ours, theirs);
    let kind = kind(ours, theirs, must_differ.is_some());
    let difference = Difference {
        fact: name.clone(),
        kind,
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
    shared: &[&'a Value],
) -> Row<'a> {
    let mut sides = Vec::new();
    let mut strays = BTreeSet::new();
    for standing in [ours, theirs] {
        for value in shared {
            sides.push(side(standing, Some(value)));
            let hosts = &standing.values[&Some(*value)];
            strays.extend(hosts.iter().map(|host| (standing.environment, *host)));
        }
    }
    let weighed = both(ours, theirs);
    Row {
        difference: Difference {
            fact: name.clone(),
            kind: Kind::SameSecret,
            sides,
            names: names_between(&strays, &weighed, name),
            says: says::same_secret(name, ours, theirs, &strays),
        },
        strays,
        weighed,
    }
}

/// A host that has no counterpart: one row, not one for each of its facts.
fn lone<'a>(
    host: &'a HostName,
    here: Environment<'a>,
    there: Environment<'a>,
    kind: Kind,
) -> Row<'a> {
    let name = FactName::new(gather::HOST, host.as_str());
    let place = (&here.fingerprint.environment, host);
    let weighed: BTreeSet<Place<'a>> = [place].into();
    let side = Side {
        environment: place.0.clone(),
        hosts: vec![host.clone()],
        value: Some(Value::Present.shown()),
    };
    let difference = Difference {
        kind,
        sides: vec![side],
        names: names(&weighed, &name),
        says: says::lone(host, place.0, &there.fingerprint.environment),
        fact: name,
    };
    Row {
        difference,
        strays: weighed.clone(),
        weighed,
    }
}

fn ratio(rule: &Rule) -> Option<(&Rule, f64)> {
    match rule.is {
        Is::Ratio { max } => Some((rule, max)),
        Is::MustDiffer => None,
    }
}

fn within<'a>(values: impl Iterator<Item = &'a Option<&'a Value>> + Clone, max: f64) -> bool {
    values.clone().all(Option::is_some) && within_ratio(values.copied().flatten(), max)
}

fn side(standing: &Standing<'_>, value: Option<&Value>) -> Side {
    let hosts = standing.values.get(&value).map_or(&[][..], Vec::as_slice);
    Side {
        environment: standing.environment.clone(),
        hosts: hosts.iter().copied().cloned().collect(),
        value: value.map(Value::shown),
    }
}

fn sides(ours: &Standing<'_>, theirs: &Standing<'_>) -> Vec<Side> {
    let of = |standing: &Standing<'_>| {
        let values = standing.values.keys();
        values
            .map(|value| side(standing, *value))
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

/// Of groups that overlap, drops a narrower row of a fact that a wider one
/// explains: it shows every host of the narrower, and names the same hosts, or,
/// where the narrower could not tell who is odd, names one of them.
fn fold_groups(mut rows: Vec<Row<'_>>) -> Vec<Row<'_>> {
    rows.sort_by(|a, b| {
        let wide = b.weighed.len().cmp(&a.weighed.len());
        a.difference.fact.cmp(&b.difference.fact).then(wide)
    });
    let mut kept: Vec<Row<'_>> = Vec::new();
    for row in rows {
        let fact = &row.difference.fact;
        let explains = |wide: &Row<'_>| {
            let named = row.strays.is_subset(&wide.strays)
                || (!row.is_pointed() && !row.weighed.is_disjoint(&wide.strays));
            named && row.weighed.is_subset(&wide.weighed)
        };
        let wider = kept
            .iter()
            .rev()
            .take_while(|wide| wide.difference.fact == *fact);
        if !wider.into_iter().any(explains) {
            kept.push(row);
        }
    }
    kept
}

/// Drops what follows from a thing's own difference: the mode of a missing file.
fn fold_attributes(rows: Vec<Row<'_>>) -> Vec<Row<'_>> {
    let things: BTreeSet<(&str, &BTreeSet<Place<'_>>, &BTreeSet<Place<'_>>)> = rows
        .iter()
        .filter(|row| !row.difference.fact.is_attribute())
        .map(|row| (row.difference.fact.as_str(), &row.strays, &row.weighed))
        .collect();
    let follows: Vec<bool> = rows
        .iter()
        .map(|row| {
            let fact = &row.difference.fact;
            let presence = matches!(row.difference.kind, Kind::Missing | Kind::Extra);
            fact.is_attribute()
                && presence
                && things.contains(&(fact.thing(), &row.strays, &row.weighed))
        })
        .collect();
    rows.into_iter()
        .zip(follows)
        .filter_map(|(row, follows)| (!follows).then_some(row))
        .collect()
}

/// Joins differences `among` siblings and `between` environments, so that a
/// host that stands out in both is named once, by the row that says more: that
/// of its siblings, unless they are split evenly and only the other environment
/// tells who is odd.
pub(super) fn fold<'a>(among: Vec<Row<'a>>, between: Vec<Row<'a>>) -> Vec<Row<'a>> {
    let same = |a: &Row<'_>, b: &Row<'_>| a.difference.fact == b.difference.fact;
    let explains = |a: &Row<'a>, b: &Row<'a>| same(a, b) && b.strays.is_subset(&a.strays);
    let secret = |row: &Row<'_>| row.difference.kind == Kind::SameSecret;
    let (pointed, split): (Vec<Row<'a>>, Vec<Row<'a>>) =
        among.into_iter().partition(Row::is_pointed);
    let between: Vec<Row<'a>> = between
        .into_iter()
        .filter(|row| secret(row) || !pointed.iter().any(|among| explains(among, row)))
        .collect();
    let mut rows: Vec<Row<'a>> = split
        .into_iter()
        .filter(|row| {
            let sharper = |other: &Row<'a>| other.is_pointed() && explains(row, other);
            !between.iter().any(|other| !secret(other) && sharper(other))
        })
        .collect();
    rows.extend(pointed);
    rows.extend(between);
    rows
}

/// Sorts what was found, so that the same facts give the same report.
pub(super) fn finish(
    rows: Vec<Row<'_>>,
    mut excused: Vec<Excused>,
    not_collected: Vec<NotCollected>,
) -> Comparison {
    let mut differences: Vec<Difference> = rows.into_iter().map(|row| row.difference).collect();
    differences.sort();
    excused.sort();
    excused.dedup();
    Comparison {
        differences,
        excused,
        not_collected,
    }
}
