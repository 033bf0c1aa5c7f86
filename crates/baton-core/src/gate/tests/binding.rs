//! What makes evidence stale, and above all what does not: one field changed
//! at a time.

use super::world::*;
use crate::event::{Event, Outcome};
use crate::gate::*;
use crate::handoff::contract::*;
use crate::id::*;
use crate::parity::round_trip::{Mark, Residue, RoundTrip};
use crate::time::Duration;

/// The blockers of two questions as `code name: cause`.
fn evidence(world: &World) -> Vec<String> {
    let notes = world.verdict().blockers.into_iter();
    let asked = [Question::Definition, Question::Rehearsal];
    notes
        .filter(|note| asked.contains(&note.code.question().unwrap()))
        .map(|note| match note.says.split_once(" is stale: ") {
            Some((_, cause)) => format!("{} {}: {cause}", note.code, note.names.join(" ")),
            None => format!("{} {}", note.code, note.names.join(" ")),
        })
        .collect()
}

type Change = fn(&mut World);

/// Changes that make exactly this evidence stale, for exactly this cause.
const STALE: &[(Change, &[&str])] = &[
    (
        |w| w.readings.release = Ok(digest("another build")),
        &[
            "definition.stale guard: the release has changed since.",
            "definition.stale privacy: the release has changed since.",
            "definition.stale restore: the release has changed since.",
            "definition.stale tests: the release has changed since.",
            "rehearsal.stale release: the release has changed since.",
        ],
    ),
    (
        |w| w.plan.contract.done[0].run = Some("make all-tests".to_owned()),
        &["definition.stale tests: its own definition has changed since."],
    ),
    (
        |w| w.plan.contract.done[0].timeout = Some(minutes(1)),
        &["definition.stale tests: its own definition has changed since."],
    ),
    (
        |w| w.plan.contract.done[0].fresh = Some(minutes(6000)),
        &["definition.stale tests: its own definition has changed since."],
    ),
    (
        |w| w.plan.contract.done[0].environment = Some(at(EnvName::from("staging"))),
        &["definition.stale tests: its own definition has changed since."],
    ),
    (
        |w| w.plan.contract.done[1].refuses = Some("./guard worse".to_owned()),
        &["definition.stale guard: its own definition has changed since."],
    ),
    (
        |w| w.plan.contract.done[3].says = "Another thing is signed".to_owned(),
        &["definition.stale privacy: its own definition has changed since."],
    ),
    (
        |w| environment_changes(w, "staging"),
        &[
            "definition.stale restore: the environment staging has changed since.",
            "rehearsal.stale environment: the environment has changed since.",
        ],
    ),
    (
        |w| environment_changes(w, "production"),
        &[
            "definition.blind-measure errors",
            "definition.stale privacy: the environment production has changed since.",
        ],
    ),
    (
        |w| w.plan.digests.procedure = digest("another"),
        &["rehearsal.stale plan: the plan has changed since."],
    ),
    (
        |w| w.plan.digests.roster = digest("another"),
        &["rehearsal.stale roster: the roster has changed since."],
    ),
    (
        |w| {
            w.plan.digests.procedure = digest("another");
            w.plan.digests.roster = digest("another");
        },
        &["rehearsal.stale plan roster: the plan and the roster have changed since."],
    ),
    (
        |w| w.readings.release = Err("no such file".to_owned()),
        &["definition.missing dist/shop", "rehearsal.stale release"],
    ),
];

/// Changes that leave all evidence as it is.
const STILL_FRESH: &[Change] = &[
    |w| w.plan.digests.content = digest("another"),
    |w| w.plan.contract.done[0].says = "The whole suite passes".to_owned(),
    |w| w.plan.contract.done[0].owner = name("lee"),
    |w| w.plan.contract.done[0].backup = name("lee"),
    |w| w.plan.contract.done[3].owner = name("omar"),
    |w| w.plan.contract.summary = Some("In two currencies".to_owned()),
    |w| w.plan.contract.release.version = at("2.4.1".to_owned()),
    |w| w.plan.contract.touches.clear(),
    |w| w.plan.contract.launch.window = None,
    |w| w.plan.contract.expectations = Section::Undefined,
    |w| w.plan.contract.parity = Section::Undefined,
    |w| w.plan.contract.review = Section::Undefined,
    |w| w.plan.contract.done.truncate(2),
    |w| w.plan.steps[1].written.title = "Roll it out".to_owned(),
    |w| w.waive(Code("parity.stale"), &[], "2027-01-01T00:00:00Z"),
    |w| {
        let success = Section::Defined(Vec::new());
        let Section::Defined(measures) = std::mem::replace(&mut w.plan.contract.success, success)
        else {
            return;
        };
        let louder = measures.into_iter().map(|m| Measure {
            at_most: Some(0.5),
            says: "Failures".to_owned(),
            ..m
        });
        w.plan.contract.success = Section::Defined(louder.collect());
    },
];

fn environment_changes(world: &mut World, name: &str) {
    let environments = &mut world.plan.digests.environments;
    environments.insert(EnvName::from(name), digest("another"));
}

#[test]
fn evidence_is_stale_by_its_cause_and_by_no_other() {
    for (index, (change, expected)) in STALE.iter().enumerate() {
        let mut world = World::ready();
        change(&mut world);
        assert_eq!(evidence(&world), *expected, "change {index}");
    }
    for (index, change) in STILL_FRESH.iter().enumerate() {
        let mut world = World::ready();
        change(&mut world);
        assert_eq!(evidence(&world), [""; 0], "change {index}");
    }
}

#[test]
fn changing_back_makes_evidence_fresh_again() {
    for (index, (change, _)) in STALE.iter().enumerate() {
        let ready = World::ready();
        let mut world = ready.clone();
        change(&mut world);
        world.plan = ready.plan;
        world.readings = ready.readings;
        assert_eq!(world.codes(), [""; 0], "change {index}");
    }
}

#[test]
fn the_latest_run_of_a_criterion_decides() {
    let mut world = World::ready();
    let first = world.story[0].clone();
    let mut failed = first.clone();
    if let Event::CriterionRan { end, .. } = &mut failed.event {
        *end = crate::event::Ending::Exited { code: 1 };
    }
    world.story.push(failed);
    assert_eq!(world.codes(), ["definition.failed"]);
    world.story.push(first);
    assert_eq!(world.codes(), [""; 0]);
}

#[test]
fn due_are_the_criteria_that_would_have_to_run() {
    let mut world = World::ready();
    let due = |world: &World| -> Vec<String> {
        let release = world.readings.release.clone().unwrap();
        let (plan, facts) = (&world.plan, world.facts());
        let due = due(plan, &facts, &release, world.now).into_iter();
        due.map(|criterion| criterion.id.to_string()).collect()
    };
    assert_eq!(due(&world), [""; 0]);
    world.readings.release = Ok(digest("another"));
    assert_eq!(due(&world), ["tests", "guard", "restore"]);
}

fn rehearse(
    world: &mut World,
    at: &str,
    run: &'static str,
    change: impl Fn(&mut World, &mut Event),
) {
    let mut opened = Event::RunOpened(rehearsal_terms(&world.plan));
    change(world, &mut opened);
    world.say_in(at, "omar", Some(run), opened);
    world.say_in(at, "baton", Some(run), Event::RoundTrip(round_trip()));
    let mut ended = Event::RunEnded {
        outcome: Outcome::Succeeded,
        because: "it went as asked".to_owned(),
        undone: vec![StepId::from("install")],
    };
    change(world, &mut ended);
    world.say_in(at, "baton", Some(run), ended);
}

#[test]
fn the_latest_rehearsal_counts_but_not_one_broken_on_purpose() {
    let mut world = World::ready();
    let at = "2026-11-24T12:00:00Z";
    rehearse(&mut world, at, "run_broken", |_, event| match event {
        Event::RunOpened(terms) => terms.fail_at = Some(StepId::from("install")),
        Event::RunEnded { outcome, .. } => *outcome = Outcome::RolledBack,
        _ => {}
    });
    assert_eq!(world.codes(), [""; 0], "neither against");

    let fails = |_: &mut World, event: &mut Event| {
        if let Event::RunEnded { outcome, .. } = event {
            *outcome = Outcome::Stopped;
        }
    };
    rehearse(&mut world, at, "run_failed", fails);
    assert_eq!(world.codes(), ["rehearsal.failed"]);
    assert_eq!(
        unproven(&world.plan, &world.facts(), world.now),
        [],
        "the way back was seen before"
    );

    rehearse(&mut world, at, "run_elsewhere", |_, event| {
        if let Event::RunOpened(terms) = event {
            terms.environment = EnvName::from("production");
        }
    });
    assert_eq!(
        world.codes(),
        ["rehearsal.failed"],
        "another place does not count"
    );
    rehearse(&mut world, at, "run_good", |_, _| {});
    assert_eq!(world.codes(), [""; 0]);
}

#[test]
fn a_rehearsal_broken_on_purpose_counts_not_for_it_either() {
    let mut world = World::ready();
    world.forget(|said| said.run.is_some());
    rehearse(
        &mut world,
        "2026-11-24T12:00:00Z",
        "run_broken",
        |_, event| {
            if let Event::RunOpened(terms) = event {
                terms.fail_at = Some(StepId::from("install"));
            }
        },
    );
    assert_eq!(world.codes(), ["rehearsal.missing"]);
    let steps = [StepId::from("install")];
    assert_eq!(unproven(&world.plan, &world.facts(), world.now), steps);
}

#[test]
fn undos_behind_a_point_of_no_return_are_unproven_by_name() {
    let mut world = World::with(|plan| {
        let mut migrate = step("migrate", &["tell"], "omar", "pia");
        migrate.written.changes = true;
        migrate.written.undo = fence("restore");
        plan.steps.push(migrate);
    });
    let blockers = world.verdict().blockers;
    assert_eq!(blockers[0].code.0, "rehearsal.undo-unproven");
    assert_eq!(blockers[0].names, ["migrate"]);
    world.plan.steps[3].elsewhere = true;
    assert_eq!(world.codes(), [""; 0]);
}

fn residue(name: &str, host: &str, back: &str) -> Residue {
    Residue {
        name: name.to_owned(),
        before: Some("2.3.9".to_owned()),
        back: Some(back.to_owned()),
        host: HostName::from(host),
    }
}

/// The world after a rehearsal whose fingerprints said this.
fn after_a_trip(change: impl Fn(&mut RoundTrip)) -> World {
    let mut world = World::ready();
    for said in &mut world.story {
        if let Event::RoundTrip(trip) = &mut said.event {
            change(trip);
        }
    }
    world
}

#[test]
fn a_way_back_counts_when_the_fingerprints_show_that_everything_came_back() {
    let install = [StepId::from("install")];
    let unproven = |world: &World| unproven(&world.plan, &world.facts(), world.now);
    let says = |world: &World| -> Vec<(Vec<String>, String)> {
        let blockers = world.verdict().blockers.into_iter();
        let about = blockers.filter(|note| note.code.0 == "rehearsal.undo-unproven");
        about.map(|note| (note.names, note.says)).collect()
    };

    let blind = after_a_trip(|trip| trip.changed = 0);
    assert_eq!(unproven(&blind), install);
    assert!(
        says(&blind)[0]
            .1
            .starts_with("Nothing that the contract collects changed")
    );

    let mut unseen = World::ready();
    unseen.forget(|said| matches!(said.event, Event::RoundTrip(_)));
    assert_eq!(unproven(&unseen), install);
    assert!(says(&unseen)[0].1.contains("took no fingerprints"));

    let mut left = after_a_trip(|trip| {
        trip.residues = vec![
            residue("files:app", "web1", "2.4.0"),
            residue("files:app", "web2", "2.4.0"),
            residue("files:log", "web1", "new"),
        ];
    });
    assert_eq!(unproven(&left), install);
    let said = says(&left);
    assert_eq!(said.len(), 2);
    assert_eq!(said[0].0, ["files:app"]);
    assert!(
        said[0]
            .1
            .ends_with("left files:app on web1 and web2 as 2.4.0; before it was 2.3.9."),
        "{said:?}"
    );

    // Each residue is explained by itself; the last explanation proves the way back.
    let code = Code::blocker("rehearsal.undo-unproven").unwrap();
    left.waive(code, &["files:app"], "2026-12-01T00:00:00Z");
    assert_eq!((says(&left).len(), unproven(&left).len()), (1, 1));
    left.waive(code, &["files:log"], "2026-12-01T00:00:00Z");
    assert_eq!((says(&left).len(), unproven(&left).len()), (0, 0));
    left.now = time("2026-12-01T00:00:00Z");
    assert_eq!(
        unproven(&left),
        install,
        "an explanation that is over explains nothing"
    );

    // More than can be named cannot be explained.
    let mut more = after_a_trip(|trip| trip.left_out = 7);
    more.waive(code, &["files:*"], "2026-12-01T00:00:00Z");
    assert_eq!(unproven(&more), install);
}

#[test]
fn where_nobody_reads_the_environments_the_steps_own_verify_is_all_there_is() {
    let mut world = World::with(|plan| {
        plan.contract.parity = Section::Declined(Declined {
            declined: "one host, by hand".to_owned(),
            by: at(Handle::from("pia")),
        });
    });
    world.forget(|said| matches!(said.event, Event::RoundTrip(_)));
    assert_eq!(unproven(&world.plan, &world.facts(), world.now), []);
}

#[test]
fn the_rehearsed_environment_is_judged_as_it_was_before() {
    let mut world = World::ready();
    let changed = digest("after the release");
    let print = fingerprint("staging", "debian 13");
    world.readings.fingerprints.insert(changed.clone(), print);
    world.story.insert(
        0,
        Said {
            at: time("2026-11-24T08:00:00Z"),
            by: "omar",
            run: Some(REHEARSAL),
            event: print_event("staging", Some(Mark::Before)),
        },
    );
    let mut after = print_event("staging", None);
    if let Event::Fingerprinted { fingerprint, .. } = &mut after {
        *fingerprint = changed;
    }
    world.say("2026-11-25T07:50:00Z", "omar", after);
    assert_eq!(world.codes(), [""; 0], "older than `fresh`, and it counts");

    // With another release, or once the rehearsal is too old, the latest one counts again.
    let mut other = world.clone();
    other.readings.release = Ok(digest("another build"));
    assert!(other.codes().contains(&"parity.unexplained"));
    for said in world.story.iter_mut().filter(|said| said.run.is_some()) {
        said.at = time("2026-11-18T08:00:00Z");
    }
    assert_eq!(world.codes(), ["parity.unexplained", "rehearsal.too-old"]);
}

#[test]
fn facts_forget_rehearsals_that_nobody_asks_for() {
    let mut world = World::ready();
    for run in ["run_1", "run_2", "run_3"] {
        rehearse(&mut world, "2026-11-24T12:00:00Z", run, |_, _| {});
    }
    assert_eq!(world.facts().runs.len(), 1);
    let stored = serde_json::to_string(&world.facts()).unwrap();
    let read: Facts = serde_json::from_str(&stored).unwrap();
    assert_eq!(read, world.facts());
    assert!(read.are_of(&world.plan.handoff));
    assert!(!read.are_of(&HandoffId::from("shop/2.5.0/production")));
}

#[test]
fn ages_are_counted_to_the_millisecond() {
    let mut world = World::ready();
    let fresh = minutes(24 * 60);
    world.now = fresh.after(time("2026-11-25T07:00:00Z"));
    assert!(!evidence(&world).iter().any(|said| said.contains("tests")));
    world.now = Duration::from_millis(1).after(world.now);
    let said = evidence(&world);
    let expected = "definition.stale tests: its age is 1 d, and it counts for 1 d.";
    assert!(said.contains(&expected.to_owned()), "{said:?}");
}

#[test]
fn a_fingerprint_of_another_environment_is_none() {
    // The event says production, what it points to was read in staging: nothing
    // would be compared, and that is no parity.
    let mut world = World::ready();
    let strange = fingerprint("staging", "debian 13");
    let print = digest("print of production");
    world.readings.fingerprints.insert(print, strange);
    assert_eq!(world.codes(), ["parity.not-collected"]);
    assert_eq!(world.verdict().blockers[0].names, ["production"]);
}

#[test]
fn where_it_is_rehearsed_is_compared_whether_listed_or_not() {
    let mut world = World::ready();
    if let Section::Defined(terms) = &mut world.plan.contract.parity {
        terms.compare.clear();
    }
    assert_eq!(world.codes(), [""; 0]);
    let print = digest("print of staging");
    let other = fingerprint("staging", "debian 13");
    world.readings.fingerprints.insert(print, other);
    assert_eq!(world.codes(), ["parity.unexplained"]);
}
