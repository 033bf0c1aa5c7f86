//! Differences that seem to have one cause, together.
//!
//! A host that was built otherwise, or a file that was never copied, shows in
//! many facts at once. Facts of one layer that differ in the same way on the
//! same hosts are told as one; what is told of each stays whole.

use std::collections::{BTreeMap, BTreeSet};

use super::{Difference, Kind};
use crate::diag::list;

/// Most facts that a sentence names.
const FACTS_MAX: usize = 3;

/// Differences that seem to have one cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause<'a> {
    /// The sentence of the only one, or how many there are of what, and where.
    pub says: String,
    /// The differences, each of another fact, in the order in which they were given.
    pub differences: Vec<&'a Difference>,
}

/// What differences of one cause have in common.
type Key<'a> = (&'a str, Kind, Vec<(&'a str, Vec<&'a str>)>, Vec<&'a str>);

/// Folds differences by cause: of one layer and kind, with the same hosts on
/// each side and the same hosts that stand out. The order stays.
pub fn causes(differences: &[Difference]) -> Vec<Cause<'_>> {
    let mut found: Vec<Vec<&Difference>> = Vec::new();
    let mut known: BTreeMap<Key<'_>, usize> = BTreeMap::new();
    for difference in differences {
        let place = known.get(&key(difference)).copied();
        let of_another = |of: &Vec<&Difference>| of.iter().all(|one| one.fact != difference.fact);
        match place
            .and_then(|at| found.get_mut(at))
            .filter(|of| of_another(of))
        {
            Some(of) => of.push(difference),
            None => {
                let _before = known.insert(key(difference), found.len());
                found.push(vec![difference]);
            }
        }
    }
    let causes = found.into_iter().map(|differences| Cause {
        says: says(&differences),
        differences,
    });
    causes.collect()
}

fn key(difference: &Difference) -> Key<'_> {
    let sides = difference.sides.iter().map(|side| {
        let hosts = side.hosts.iter().map(|host| host.as_str()).collect();
        (side.environment.as_str(), hosts)
    });
    (
        difference.fact.layer(),
        difference.kind,
        sides.collect(),
        strays(difference),
    )
}

/// The hosts that stand out; nobody where all differ.
fn strays(difference: &Difference) -> Vec<&str> {
    let fact = difference.fact.as_str();
    let names = difference.names.iter().map(String::as_str);
    names.filter(|name| *name != fact).collect()
}

fn says(differences: &[&Difference]) -> String {
    let [first, _, ..] = differences else {
        return differences.iter().map(|one| one.says.clone()).collect();
    };
    let facts: Vec<&str> = differences.iter().map(|one| one.fact.as_str()).collect();
    let environments: BTreeSet<&str> = first
        .sides
        .iter()
        .map(|side| side.environment.as_str())
        .collect();
    let environments: Vec<&str> = environments.into_iter().collect();
    let (strays, all) = (strays(first), list(&environments, usize::MAX));
    let on = list(&strays, 5);
    let how = match (first.kind, strays.is_empty()) {
        (Kind::Changed, true) => format!("differ in {all}"),
        (Kind::Changed, false) => format!("differ on {on}"),
        (Kind::Missing | Kind::Extra, true) => format!("are not everywhere in {all}"),
        (Kind::Missing, false) => format!("are missing on {on}"),
        (Kind::Extra, false) => format!("are only on {on}"),
        (Kind::SameSecret, true) => format!("are the same in {all} and must differ"),
        (Kind::SameSecret, false) => format!("are the same on {on} and must differ"),
        (Kind::Contradiction, true) => format!("are named in {all} and not there"),
        (Kind::Contradiction, false) => format!("are named on {on} and not there"),
    };
    format!(
        "{} facts of {} {how}: {}",
        differences.len(),
        first.fact.layer(),
        list(&facts, FACTS_MAX)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{EnvName, HostName};
    use crate::parity::FactName;
    use crate::parity::compare::Side;
    use crate::parity::risk;

    fn difference(fact: &str, stray: &str) -> Difference {
        let fact = FactName::new("packages", fact);
        let side = |host: &str, value: &str| Side {
            environment: EnvName::from("production"),
            hosts: vec![HostName::from(host)],
            value: Some(value.to_owned()),
        };
        Difference {
            kind: Kind::Changed,
            risk: risk::weigh(&fact, Kind::Changed, None, (None, None), true),
            sides: vec![side(stray, "1"), side("other", "2")],
            names: vec![stray.to_owned(), fact.to_string()],
            says: format!("{fact} differs on {stray}"),
            fact,
        }
    }

    #[test]
    fn facts_that_differ_alike_are_told_as_one() {
        let all = [
            difference("a", "r8"),
            difference("b", "r7"),
            difference("c", "r8"),
            // The same again, of another group: nothing of it is lost.
            difference("a", "r8"),
        ];
        let told = causes(&all);
        let says: Vec<&str> = told.iter().map(|cause| cause.says.as_str()).collect();
        assert_eq!(
            says,
            [
                "2 facts of packages differ on r8: packages:a and packages:c",
                "packages:b differs on r7",
                "packages:a differs on r8",
            ]
        );
        let count: usize = told.iter().map(|cause| cause.differences.len()).sum();
        assert_eq!(count, all.len());
    }
}
