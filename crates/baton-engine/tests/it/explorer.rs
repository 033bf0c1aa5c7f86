//! Every small plan, with a crash before and after every effect; two drivers at
//! once; random larger plans; and the bugs that all of it must find.

use baton_core::event::RunKind;
use baton_testkit::bugs::Bug;
use baton_testkit::explore::{Case, Explored, explore, explore_plainly, live};
use baton_testkit::found::lives;
use baton_testkit::hunt::hunt;
use baton_testkit::overlap::overlap;
use baton_testkit::plans::{After, Conduct, Kind, Nature, every, few, plans, several};
use baton_testkit::seeds::grow;
use baton_testkit::sim::Memory;

fn explore_all(plans: &[Vec<Kind>], what: RunKind, crashes: usize) -> Explored {
    let mut all = Explored {
        closed: true,
        ..Explored::default()
    };
    for kinds in plans {
        let case = Case {
            what,
            ..Case::of(kinds)
        };
        all.add(explore(&case, crashes));
    }
    all
}

#[test]
fn one_step_with_three_crashes() {
    let all = explore_all(&plans(&every(), 1), RunKind::Launch, 3);
    assert!(all.moments > 1_200, "{}", all.moments);
}

/// The plans of two steps with two crashes, in four parts for as many tests.
fn two_steps(part: usize) {
    let plans = plans(&several(), 2);
    let quarter = plans.len().div_ceil(4);
    let plans: Vec<_> = plans
        .into_iter()
        .skip(part * quarter)
        .take(quarter)
        .collect();
    let all = explore_all(&plans, RunKind::Launch, 2);
    assert!(all.moments > 2_000, "{}", all.moments);
}

#[test]
fn two_steps_with_two_crashes_part_1() {
    two_steps(0);
}

#[test]
fn two_steps_with_two_crashes_part_2() {
    two_steps(1);
}

#[test]
fn two_steps_with_two_crashes_part_3() {
    two_steps(2);
}

#[test]
fn two_steps_with_two_crashes_part_4() {
    two_steps(3);
}

#[test]
fn two_steps_of_a_rehearsal_with_one_crash() {
    let all = explore_all(&plans(&few(), 2), RunKind::Rehearsal, 1);
    assert!(all.moments > 500, "{}", all.moments);
}

#[test]
fn three_steps_with_one_crash() {
    let all = explore_all(&plans(&few(), 3), RunKind::Launch, 1);
    assert!(all.moments > 2_500, "{}", all.moments);
}

/// Side by side and over several hosts, with every order of their ends.
#[test]
fn steps_side_by_side_on_several_hosts_with_one_crash() {
    let provable = Kind::of(Nature::Provable, Conduct::Works);
    let mut moments = 0;
    for memory in [Memory::Whole, Memory::ForgetsDone, Memory::ForgetsUndone] {
        for conduct in [Conduct::Works, Conduct::FailsOnLast] {
            let side = Kind::of(Nature::Neither, conduct).on(2).beside();
            let case = Case {
                memory,
                together: conduct == Conduct::Works,
                ..Case::of(&[side, provable.beside(), provable])
            };
            moments += explore(&case, 1).moments;
        }
    }
    assert!(moments > 300, "{moments}");
}

/// One host first, then the others: what half fails is undone where it was done.
#[test]
fn a_fan_out_that_half_fails_with_two_crashes() {
    for nature in [Nature::Provable, Nature::Neither] {
        let spread = Kind {
            staged: true,
            ..Kind::of(nature, Conduct::FailsOnLast).on(3)
        };
        let all = explore(&Case::of(&[spread]), 2);
        assert!(
            all.ways.iter().all(|way| way.contains("RolledBack")),
            "{all:?}"
        );
    }
}

/// A command that was handed over may begin only after its driver died and the
/// next one closed its place.
#[test]
fn commands_that_begin_late_with_two_crashes() {
    for kind in several() {
        let case = Case {
            slow: true,
            ..Case::of(&[kind])
        };
        let all = explore(&case, 2);
        assert!(all.ends > 1, "{all:?}");
    }
}

/// People may say a word that nobody asked for before every append and while
/// every command runs.
#[test]
fn words_at_every_moment_with_one_crash() {
    let mut moments = 0;
    for kinds in plans(&several(), 1) {
        let case = Case {
            words: 1,
            ..Case::of(&kinds)
        };
        moments += explore(&case, 1).moments;
    }
    assert!(moments > 1_000, "{moments}");
}

#[test]
fn an_old_driver_that_is_merely_slow_does_no_harm() {
    let mut schedules = 0;
    for kind in several() {
        schedules += overlap(&Case::of(&[kind]));
    }
    assert!(schedules > 1_000, "{schedules}");
}

#[test]
fn an_old_driver_beside_steps_on_several_hosts_does_no_harm() {
    let case = Case {
        memory: Memory::Whole,
        ..Case::of(&[
            Kind::of(Nature::Neither, Conduct::Works),
            Kind::of(Nature::Provable, Conduct::Fails),
        ])
    };
    assert!(overlap(&case) > 100);
}

/// What the search takes for the same is the same: it ends in every way in
/// which the plain one does, and in no other.
#[test]
fn the_search_ends_in_the_same_ways_as_the_plain_one() {
    for (i, kind) in every().into_iter().enumerate() {
        let crashes = 1 + usize::from(i % 8 == 0);
        let case = Case::of(&[kind]);
        let plain = explore_plainly(&case, crashes);
        assert_eq!(explore(&case, crashes).ways, plain.ways, "{kind:?}");
    }
    let neither = Kind::of(Nature::Neither, Conduct::Works);
    for (kinds, together) in [
        ([neither, Kind::of(Nature::Provable, Conduct::Fails)], false),
        ([neither.beside(), neither.beside()], true),
    ] {
        let case = Case {
            together,
            ..Case::of(&kinds)
        };
        assert_eq!(explore(&case, 1).ways, explore_plainly(&case, 1).ways);
    }
}

#[test]
fn random_larger_plans_hold() {
    for seed in 0..150 {
        if let Err(found) = grow(seed) {
            panic!("{}", found.report);
        }
    }
}

#[test]
fn the_same_seed_twice_is_the_same_run() {
    for seed in 1_000..1_010 {
        let runs = [(); 2].map(|()| grow(seed).map(|grown| grown.ledger));
        let [Ok(first), Ok(second)] = runs else {
            panic!("seed {seed} does not hold");
        };
        assert_eq!(first, second, "seed {seed}");
    }
}

/// What a report prints can be driven again, and is the same run.
#[test]
fn a_list_of_crashes_is_the_run_it_came_from() {
    for seed in 2_000..2_010 {
        let grown = grow(seed).unwrap_or_else(|found| panic!("{}", found.report));
        assert_eq!(live(&grown.case, &grown.lives), grown.ledger, "seed {seed}");
    }
}

/// The test of the test: each classic bug is found, and after how many lives at most.
#[test]
fn classic_bugs_are_found() {
    for bug in Bug::ALL {
        let Some(found) = hunt(bug) else {
            panic!("nobody finds {bug:?}");
        };
        // Two drivers at once come last, and only they show that a fence is missing.
        let most = if bug == Bug::FenceIsIgnored {
            1_000
        } else {
            400
        };
        assert!(found.lives <= most, "{bug:?}: {} lives", found.lives);
        // What the report has one paste fails again, and in the same way.
        let again = found.again.drive(&found.case).map_err(|again| again.why);
        assert_eq!(again, Err(found.why), "{bug:?}");
    }
    for most in [1, 3] {
        let neither = Kind::of(Nature::Neither, Conduct::Works);
        let right = explore(&Case::of(&[neither]), most);
        assert!(right.ends > 0, "without a bug there is nothing to find");
    }
}

// What the explorer found once.

/// Its verify refused before the undo began, so it says nothing of the undo.
#[test]
fn an_unknown_undo_of_what_failed_is_not_settled_by_its_verify() {
    let case = Case::of(&[Kind::of(Nature::Provable, Conduct::Fails)]);
    let _ledger = live(&case, &lives(&[(&[], Some(11)), (&[2], None)]));
}

/// The preflight of a later stage comes later; nobody waits for it.
#[test]
fn a_person_is_asked_though_later_stages_are_not_cleared() {
    let by_person = Kind {
        after: After::Nothing,
        staged: true,
        preflight: true,
        ..Kind::of(Nature::ByPerson, Conduct::Works).on(3)
    };
    let all = explore(&Case::of(&[by_person]), 1);
    assert!(all.ends > 0, "{all:?}");
}

/// Its verify refuses though it worked, so it is done again: who then looks for it
/// finds it twice, and does not say that it did not happen.
#[test]
fn what_is_there_twice_is_said_to_be_there() {
    let refused = Kind {
        retry: 2,
        ..Kind::of(Nature::Provable, Conduct::AlwaysRefuses)
    };
    let all = explore(&Case::of(&[refused]), 2);
    assert!(all.ends > 0, "{all:?}");
}
