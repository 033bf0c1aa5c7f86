//! Folds differences that share a cause, and puts what is left in order.

use std::collections::{BTreeMap, BTreeSet};

use crate::parity::compare::gather::Place;
use crate::parity::compare::rows::Row;
use crate::parity::compare::{Comparison, Difference, Excused, Kind, NotCollected};

/// What the comparisons of one stage come to.
pub(super) fn stage(rows: Vec<Row<'_>>) -> Vec<Row<'_>> {
    fold_attributes(fold_groups(fold_contradictions(rows)))
}

fn is_contradiction(row: &Row<'_>) -> bool {
    row.difference.kind == Kind::Contradiction
}

/// Drops what differs among siblings only because one of them contradicts itself.
fn fold_contradictions(rows: Vec<Row<'_>>) -> Vec<Row<'_>> {
    let told: BTreeSet<String> = facts_of(rows.iter().filter(|row| is_contradiction(row)));
    let says_more =
        |row: &Row<'_>| is_contradiction(row) || !told.contains(row.difference.fact.as_str());
    rows.into_iter().filter(says_more).collect()
}

fn facts_of<'r, 'a: 'r>(rows: impl Iterator<Item = &'r Row<'a>>) -> BTreeSet<String> {
    rows.map(|row| row.difference.fact.to_string()).collect()
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
    let secret = |row: &Row<'_>| row.difference.kind == Kind::SameSecret;
    let contradicted = facts_of(among.iter().filter(|row| is_contradiction(row)));
    let between: Vec<Row<'a>> = between
        .into_iter()
        .filter(|row| !contradicted.contains(row.difference.fact.as_str()))
        .collect();
    let (pointed, split): (Vec<Row<'a>>, Vec<Row<'a>>) =
        among.into_iter().partition(Row::is_pointed);
    let told = by_fact(&pointed);
    let between: Vec<Row<'a>> = between
        .into_iter()
        .filter(|row| {
            let among = told.get(row.difference.fact.as_str());
            let explains = |among: &&Row<'a>| row.strays.is_subset(&among.strays);
            secret(row) || !among.into_iter().flatten().any(explains)
        })
        .collect();
    drop(told);
    let told = by_fact(&between);
    let mut rows: Vec<Row<'a>> = split
        .into_iter()
        .filter(|row| {
            let others = told.get(row.difference.fact.as_str());
            let sharper = |other: &&Row<'a>| {
                !secret(other) && other.is_pointed() && other.strays.is_subset(&row.strays)
            };
            !others.into_iter().flatten().any(sharper)
        })
        .collect();
    drop(told);
    rows.extend(pointed);
    rows.extend(between);
    rows
}

/// The rows of each fact.
fn by_fact<'r, 'a>(rows: &'r [Row<'a>]) -> BTreeMap<&'r str, Vec<&'r Row<'a>>> {
    let mut found: BTreeMap<&str, Vec<&Row<'a>>> = BTreeMap::new();
    for row in rows {
        let of = found.entry(row.difference.fact.as_str());
        of.or_default().push(row);
    }
    found
}

/// Sorts what was found, so that the same facts give the same report: the
/// gravest difference first.
pub(super) fn finish(
    rows: Vec<Row<'_>>,
    mut excused: Vec<Excused>,
    not_collected: Vec<NotCollected>,
) -> Comparison {
    let mut differences: Vec<Difference> = rows.into_iter().map(|row| row.difference).collect();
    order(&mut differences);
    excused.sort();
    excused.dedup();
    Comparison {
        differences,
        excused,
        not_collected,
    }
}

pub(super) fn order(differences: &mut [Difference]) {
    differences.sort_by(|a, b| {
        let grave = b.risk.score.cmp(&a.risk.score);
        grave.then_with(|| a.cmp(b))
    });
}
