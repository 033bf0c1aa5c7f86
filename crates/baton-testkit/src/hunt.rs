//! Looking for a bug that was put in on purpose.

use crate::bugs::Bug;
use crate::explore::{Case, search};
use crate::found::Found;
use crate::overlap::overlaps;
use crate::plans::{Conduct, Kind, Nature, several};

/// Plans that between them meet every rule once, the smallest first.
pub fn plans() -> Vec<Vec<Kind>> {
    let neither = Kind::of(Nature::Neither, Conduct::Works);
    let provable = Kind::of(Nature::Provable, Conduct::Works);
    let mut plans: Vec<Vec<Kind>> = several().into_iter().map(|kind| vec![kind]).collect();
    let approved = Kind {
        approvals: 1,
        ..neither
    };
    plans.extend([
        vec![approved],
        vec![neither, provable],
        vec![neither, Kind::of(Nature::Neither, Conduct::Fails)],
        vec![
            Kind::of(Nature::Neither, Conduct::NoReturn),
            neither,
            Kind::of(Nature::Provable, Conduct::Fails),
        ],
        vec![neither, provable, Kind::of(Nature::Neither, Conduct::Fails)],
        vec![neither.beside().on(2), provable.beside()],
    ]);
    plans
}

/// Looks for a bug; answers with what was found and after how many lives. The
/// search is the same whatever the bug is: one crash anywhere in each plan, then
/// two drivers at once in those of one step.
pub fn hunt(bug: Bug) -> Option<Box<Found>> {
    let mut before = 0;
    let mut after = |searched: Result<u64, Box<Found>>| match searched {
        Ok(lives) => {
            before += lives;
            None
        }
        Err(mut found) => {
            found.lives += before;
            Some(found)
        }
    };
    let cases: Vec<Case> = plans()
        .iter()
        .map(|kinds| Case {
            bug: Some(bug),
            ..Case::of(kinds)
        })
        .collect();
    let alone = |case: &Case| search(case, 1).map(|explored| explored.lives);
    let found = cases.iter().find_map(|case| after(alone(case)));
    let small = |case: &&Case| case.kinds.len() == 1;
    found.or_else(|| {
        let mut small = cases.iter().filter(small);
        small.find_map(|case| after(overlaps(case)))
    })
}
