//! Every small plan, with a crash before and after every effect.

use std::panic::{AssertUnwindSafe, catch_unwind};

use baton_core::event::RunKind;

use baton_testkit::explore::{Case, Explored, explore, explore_in, live};
use baton_testkit::odd::{Mistake, Mistaken, Slow};
use baton_testkit::plans::{Conduct, Kind, Nature};
use baton_testkit::sim::Memory;

const NATURES: [Nature; 4] = [
    Nature::Repeatable,
    Nature::Provable,
    Nature::Neither,
    Nature::ByPerson,
];
const CONDUCTS: [Conduct; 4] = [
    Conduct::Works,
    Conduct::Fails,
    Conduct::UndoFails,
    Conduct::NoReturn,
];
const MEMORIES: [Memory; 3] = [Memory::Whole, Memory::ForgetsDone, Memory::ForgetsUndone];

fn kinds() -> Vec<Kind> {
    NATURES
        .into_iter()
        .flat_map(|nature| {
            CONDUCTS
                .into_iter()
                .map(move |conduct| Kind::of(nature, conduct))
        })
        .filter(|kind| kind.nature != Nature::ByPerson || kind.conduct == Conduct::Works)
        .collect()
}

fn plans(steps: usize) -> Vec<Vec<Kind>> {
    let mut plans: Vec<Vec<Kind>> = vec![Vec::new()];
    for _ in 0..steps {
        plans = plans
            .iter()
            .flat_map(|plan| {
                kinds()
                    .into_iter()
                    .map(move |kind| [plan.as_slice(), &[kind]].concat())
            })
            .collect();
    }
    plans
}

fn explore_all(
    plans: &[Vec<Kind>],
    what: RunKind,
    memories: &[Memory],
    crashes: usize,
) -> Explored {
    let mut all = Explored::default();
    for kinds in plans {
        for &memory in memories {
            let case = Case {
                kinds: kinds.clone(),
                what,
                memory,
                order: 0,
            };
            let explored = explore(&case, crashes);
            all.runs += explored.runs;
            all.met += explored.met;
            all.points = all.points.max(explored.points);
        }
    }
    all
}

#[test]
fn one_step_with_two_crashes() {
    let explored = explore_all(&plans(1), RunKind::Launch, &MEMORIES, 2);
    assert!(explored.runs > 1_000, "{explored:?}");
}

fn two_steps_of_a_launch(memory: Memory) {
    let explored = explore_all(&plans(2), RunKind::Launch, &[memory], 1);
    assert!(explored.runs > 4_000, "{explored:?}");
}

#[test]
fn two_steps_of_a_launch_whose_hosts_remember_with_one_crash() {
    two_steps_of_a_launch(Memory::Whole);
}

#[test]
fn two_steps_of_a_launch_whose_hosts_forget_what_they_did_with_one_crash() {
    two_steps_of_a_launch(Memory::ForgetsDone);
}

#[test]
fn two_steps_of_a_launch_whose_hosts_forget_and_did_nothing_with_one_crash() {
    two_steps_of_a_launch(Memory::ForgetsUndone);
}

#[test]
fn two_steps_of_a_rehearsal_with_one_crash() {
    let explored = explore_all(&plans(2), RunKind::Rehearsal, &[Memory::ForgetsDone], 1);
    assert!(explored.runs > 5_000, "{explored:?}");
}

/// Steps side by side and over several hosts, with every order of their ends.
fn parallel_steps_and_hosts(memory: Memory) {
    let side = |nature, conduct| Kind {
        parallel: true,
        hosts: 2,
        ..Kind::of(nature, conduct)
    };
    let mut runs = 0;
    for first in [Nature::Provable, Nature::Neither, Nature::Repeatable] {
        for conduct in [Conduct::Works, Conduct::Fails] {
            for order in 0..6 {
                let kinds = vec![
                    side(first, Conduct::Works),
                    side(Nature::Neither, conduct),
                    Kind::of(Nature::Provable, Conduct::Works),
                ];
                let case = Case {
                    kinds,
                    what: RunKind::Launch,
                    memory,
                    order,
                };
                runs += explore(&case, 1).runs;
            }
        }
    }
    assert!(runs > 500, "{runs}");
}

#[test]
fn parallel_steps_and_hosts_that_remember_with_one_crash() {
    parallel_steps_and_hosts(Memory::Whole);
}

#[test]
fn parallel_steps_and_hosts_that_forget_what_they_did_with_one_crash() {
    parallel_steps_and_hosts(Memory::ForgetsDone);
}

#[test]
fn parallel_steps_and_hosts_that_forget_and_did_nothing_with_one_crash() {
    parallel_steps_and_hosts(Memory::ForgetsUndone);
}

/// A command that was handed over may begin only after its driver died and the
/// next one closed its place.
#[test]
fn commands_that_begin_late_with_two_crashes() {
    for nature in NATURES {
        for memory in MEMORIES {
            let case = alone(nature, memory);
            let explored = explore_in(&case, 2, |inner| Slow {
                inner,
                honours: true,
            });
            assert!(explored.runs > 50, "{explored:?}");
        }
    }
}

fn alone(nature: Nature, memory: Memory) -> Case {
    Case {
        kinds: vec![Kind::of(nature, Conduct::Works)],
        what: RunKind::Launch,
        memory,
        order: 0,
    }
}

/// What the explorer says of a world that is wrong.
fn found(explore: impl FnOnce() -> Explored) -> String {
    let panic = catch_unwind(AssertUnwindSafe(explore)).expect_err("the mistake must be found");
    panic.downcast_ref::<String>().cloned().unwrap_or_default()
}

#[test]
fn a_world_that_takes_running_for_never_started_is_found() {
    let case = alone(Nature::Neither, Memory::Whole);
    let said = found(|| {
        explore_in(&case, 1, |inner| Mistaken {
            inner,
            mistake: Mistake::RunningIsNever,
        })
    });
    assert!(said.contains("is in effect 2 times"), "{said}");
}

#[test]
fn a_world_that_takes_unknown_for_failed_is_found() {
    let case = alone(Nature::Neither, Memory::ForgetsDone);
    let said = found(|| {
        explore_in(&case, 1, |inner| Mistaken {
            inner,
            mistake: Mistake::UnknownIsFailed,
        })
    });
    assert!(said.contains("ended as RolledBack"), "{said}");
}

#[test]
fn a_world_that_starts_what_was_closed_is_found() {
    let case = alone(Nature::Neither, Memory::Whole);
    let said = found(|| {
        explore_in(&case, 1, |inner| Slow {
            inner,
            honours: false,
        })
    });
    assert!(said.contains("is in effect 2 times"), "{said}");
}

/// The same case twice leaves the same ledger, byte for byte.
#[test]
fn the_same_case_twice_is_the_same() {
    let kinds = vec![
        Kind::of(Nature::Provable, Conduct::Works),
        Kind {
            hosts: 2,
            ..Kind::of(Nature::Neither, Conduct::Fails)
        },
    ];
    let case = Case {
        kinds,
        what: RunKind::Launch,
        memory: Memory::ForgetsDone,
        order: 1,
    };
    assert_eq!(live(&case, &[7]).ledger, live(&case, &[7]).ledger);
}
