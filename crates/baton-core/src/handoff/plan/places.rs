//! Hosts in stages: `on`, resolved in one environment.

use std::collections::BTreeSet;

use crate::handoff::contract::Environment;
use crate::handoff::runbook::{Spread, Stage};
use crate::id::HostName;

/// The hosts a name of `on` stands for; `None` when it is neither a host nor a
/// group. A host stands before a group of the same name.
pub(super) fn hosts(environment: &Environment, target: &str) -> Option<Vec<HostName>> {
    if let Some((host, _)) = environment.hosts.get_key_value(target) {
        return Some(vec![host.clone()]);
    }
    let group = environment.groups.get(target)?;
    let mut seen = BTreeSet::new();
    let hosts = group.iter().map(|host| &host.value);
    Some(hosts.filter(|host| seen.insert(*host)).cloned().collect())
}

/// Cuts hosts into stages. Stages count all hosts done by their end, a share is
/// rounded up, and one that adds no host is left out; what the last stage
/// leaves over makes one more, so that every host is in exactly one stage.
pub(super) fn stages(hosts: &[HostName], spread: &Spread) -> Vec<Vec<HostName>> {
    let at_a_time = |size: usize| hosts.chunks(size.max(1)).map(<[_]>::to_vec).collect();
    let sizes = match spread {
        Spread::All => return at_a_time(hosts.len()),
        Spread::AtATime(size) => return at_a_time(*size as usize),
        Spread::Stages(sizes) => sizes,
    };
    let mut done = 0;
    let mut stages = Vec::with_capacity(sizes.len());
    for size in sizes.iter().chain([&Stage::All]) {
        let until = match size {
            Stage::Hosts(number) => *number as usize,
            Stage::Percent(share) => (hosts.len() * *share as usize).div_ceil(100),
            Stage::All => hosts.len(),
        };
        let until = until.min(hosts.len());
        if until > done {
            stages.push(hosts[done..until].to_vec());
            done = until;
        }
    }
    stages
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sizes(hosts: usize, spread: &Spread) -> Vec<usize> {
        let hosts: Vec<HostName> = (0..hosts).map(|n| HostName::new(format!("h{n}"))).collect();
        let stages = stages(&hosts, spread);
        assert_eq!(stages.concat(), hosts);
        stages.iter().map(Vec::len).collect()
    }

    #[test]
    fn stages_grow_and_shares_round_up() {
        use Stage::{All, Hosts, Percent};
        let canary = Spread::Stages(vec![Hosts(1), Percent(25), All]);
        assert_eq!(sizes(8, &canary), [1, 1, 6]);
        assert_eq!(sizes(9, &canary), [1, 2, 6]);
        assert_eq!(sizes(2, &canary), [1, 1]);
        assert_eq!(sizes(1, &canary), [1]);
        assert_eq!(sizes(5, &Spread::AtATime(2)), [2, 2, 1]);
        assert_eq!(sizes(5, &Spread::All), [5]);
        assert_eq!(
            sizes(3, &Spread::Stages(vec![Percent(1), Hosts(9), All])),
            [1, 2]
        );
    }

    proptest! {
        #[test]
        fn every_host_is_in_exactly_one_stage(
            hosts in 0..300_usize,
            sizes_of in proptest::collection::vec(prop_oneof![
                any::<u32>().prop_map(Stage::Hosts),
                (0..=100_u32).prop_map(Stage::Percent),
                Just(Stage::All),
            ], 0..5),
            some in any::<u32>(),
        ) {
            // `sizes` asserts that the stages, one after the other, are the hosts.
            let empty = sizes(hosts, &Spread::Stages(sizes_of)).contains(&0);
            prop_assert!(!empty);
            prop_assert!(!sizes(hosts, &Spread::AtATime(some)).contains(&0));
        }
    }
}
