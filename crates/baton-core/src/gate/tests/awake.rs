//! Who is at work when their step or role is due, and who is needed twice.

use super::world::*;
use crate::event::Event;
use crate::gate::*;
use crate::handoff::contract::Hours;
use crate::handoff::plan::Plan;
use crate::handoff::runbook::NotBefore;
use crate::id::*;

/// What `ownership` says, as `code names`.
fn said(world: &World) -> Vec<String> {
    let blockers = world.verdict().blockers.into_iter();
    blockers
        .filter(|note| note.code.question() == Some(Question::Ownership))
        .map(|note| format!("{} {}", note.code, note.names.join(" ")))
        .collect()
}

fn hours(world: &mut World, by: &str, zone: &str, from: u16, to: u16) {
    let person = world.plan.contract.people.get_mut(by).unwrap();
    person.zone = name(zone);
    person.hours = Some(at(Hours {
        days: [true, true, true, true, true, false, false],
        from,
        to,
    }));
}

/// Before the launch, with a window that opens at this moment.
fn planned(opens: &str) -> World {
    let mut world = World::ready();
    world.readings.at_launch = false;
    let window = world.plan.contract.launch.window.as_mut().unwrap();
    window.opens = time(opens);
    window.closes = minutes(180).after(window.opens);
    world
}

#[test]
fn the_window_lies_in_somebodys_hours() {
    // On a Wednesday from 09:00 in Prague everybody works; on the Saturday nobody does.
    assert_eq!(said(&planned("2026-11-25T09:00:00+01:00")), [""; 0]);
    let everything = [
        "ownership.asleep back-up omar pia",
        "ownership.asleep install lee dana",
        "ownership.asleep launch-lead omar pia",
        "ownership.asleep rollback-decider pia omar",
        "ownership.asleep tell lee dana",
    ];
    assert_eq!(said(&planned("2026-11-28T09:00:00+01:00")), everything);
    // At 05:00 in Prague only dana is at work, in Tokyo: enough for what is hers.
    let others = [everything[0], everything[2], everything[3]];
    let early = planned("2026-11-25T05:00:00+01:00");
    assert_eq!(said(&early), others);
    let says = &early.verdict().blockers[0].says;
    let expected = "Nobody for the step back-up is at work at 2026-11-25 05:00 +01:00: \
                    Omar Diaz (omar), Wed 05:00 in Europe/Madrid and \
                    Pia Lund (pia), Wed 05:00 in Europe/Oslo.";
    assert_eq!(says, expected);
}

#[test]
fn it_is_the_planned_time_that_counts() {
    // 15:45 to 16:15 in Prague: omar and pia go home at 16:00, during `install`.
    let late = planned("2026-11-25T15:45:00+01:00");
    let roles = [
        "ownership.asleep launch-lead omar pia",
        "ownership.asleep rollback-decider pia omar",
    ];
    assert_eq!(said(&late), roles);
    // At the launch the run begins now, not when the window opened.
    let mut now = World::ready();
    now.plan.contract.launch.window.as_mut().unwrap().closes = time("2026-11-25T16:00:00+01:00");
    now.now = time("2026-11-25T15:45:00+01:00");
    assert_eq!(said(&now), roles);
    // Without a window nobody knows when, until the launch.
    now.plan.contract.launch.window = None;
    assert_eq!(said(&now), roles);
    now.readings.at_launch = false;
    assert_eq!(said(&now), [""; 0]);
}

#[test]
fn one_may_take_over_from_the_other() {
    // 13:50 to 14:20 in UTC.
    let mut world = planned("2026-11-25T13:50:00Z");
    hours(&mut world, "omar", "UTC", 480, 840);
    hours(&mut world, "pia", "UTC", 840, 1320);
    assert_eq!(said(&world), [""; 0]);
    hours(&mut world, "pia", "UTC", 841, 1320);
    let gap = said(&world);
    assert_eq!(gap.len(), 2, "the roles last the whole run: {gap:?}");
    let says = &world.verdict().blockers[0].says;
    assert!(says.contains("2026-11-25 15:00 +01:00"), "{says}");
}

#[test]
fn hours_run_over_midnight_and_up_to_it() {
    let mut world = planned("2026-11-25T23:50:00Z");
    for by in ["dana", "omar"] {
        hours(&mut world, by, "UTC", 1320, 360);
    }
    assert_eq!(said(&world), [""; 0]);
    // Friday's hours reach into Saturday, Saturday has none of its own.
    let friday = |opens: &str| {
        let mut world = planned(opens);
        for by in ["dana", "omar"] {
            hours(&mut world, by, "UTC", 1320, 360);
        }
        said(&world).len()
    };
    assert_eq!(friday("2026-11-28T05:00:00Z"), 0);
    assert_eq!(friday("2026-11-28T06:00:00Z"), 5);
    assert_eq!(friday("2026-11-29T01:00:00Z"), 5);

    let mut world = planned("2026-11-25T23:40:00Z");
    for by in ["dana", "omar"] {
        hours(&mut world, by, "UTC", 0, 1440);
    }
    assert_eq!(
        said(&world),
        [""; 0],
        "24:00 is the beginning of the next day"
    );
}

#[test]
fn whose_zone_nobody_knows_is_not_at_work() {
    let mut world = planned("2026-11-25T09:00:00+01:00");
    hours(&mut world, "lee", "Mars/Olympus", 0, 1440);
    assert_eq!(said(&world), [""; 0], "dana is at work");
    hours(&mut world, "dana", "Mars/Olympus", 0, 1440);
    assert_eq!(said(&world).len(), 2);
    // Who names no hours is always there.
    let dana = world.plan.contract.people.get_mut("dana").unwrap();
    dana.hours = None;
    assert_eq!(said(&world), [""; 0]);
}

#[test]
fn a_step_of_another_environment_keeps_nobody_awake() {
    let mut world = planned("2026-11-25T15:45:00+01:00");
    world.plan.steps[1].elsewhere = true;
    let asleep = |world: &World| -> Vec<String> {
        let said = said(world).into_iter();
        said.filter(|said| said.contains("asleep")).collect()
    };
    let before = asleep(&world);
    let sunday = time("2026-11-29T00:00:00Z");
    world.plan.steps[1].written.at = Some(NotBefore::Instant(sunday));
    assert_eq!(asleep(&world), before);
    world.plan.steps[1].elsewhere = false;
    assert_eq!(
        asleep(&world).len(),
        before.len() + 2,
        "and what waits for it"
    );
}

#[test]
fn nobody_owns_two_steps_at_once() {
    let mut world = World::with(|plan| plan.steps[2].after_ids = vec![StepId::from("back-up")]);
    assert_eq!(said(&world), ["ownership.double-booked lee install tell"]);
    let note = &world.verdict().blockers[0];
    assert_eq!(note.owner.as_deref(), Some("lee"));
    // The backup's own steps are another matter, and so are steps elsewhere.
    let mut other = world.clone();
    other.plan.steps[2].elsewhere = true;
    assert_eq!(said(&other), [""; 0]);
    world.plan.steps[2].after_ids = vec![StepId::from("install")];
    assert_eq!(said(&world), [""; 0]);
}

#[test]
fn one_person_is_not_both_owner_and_backup_of_a_teams_step() {
    // Anybody of operations owns it, and omar stands in: once omar has accepted
    // it as an owner, it still waits for the other owner.
    let mut world = World::with(|plan| {
        plan.steps[0].owners = ["omar", "pia"].map(Handle::from).to_vec();
        plan.steps[0].backups = vec![Handle::from("omar")];
    });
    assert_eq!(said(&world), [""; 0]);
    for said in world.story.iter_mut().filter(|said| said.by == "pia") {
        if let Event::AcceptedMine { items } = &mut said.event {
            items.remove("step:back-up");
        }
    }
    assert_eq!(said(&world), ["ownership.not-accepted pia step:back-up"]);
}

#[test]
fn the_forecast_waits_behind_steps_elsewhere_and_for_the_judge() {
    let shown = |plan: &Plan| -> Vec<String> {
        let tasks = crate::gate::planned(plan).into_iter();
        tasks
            .map(|task| format!("{} {:?} {}", task.id, task.after, task.watch))
            .collect()
    };
    let mut world = World::ready();
    world.plan.steps[1].elsewhere = true;
    // `tell` waits for `install`, which runs elsewhere, and so for `back-up`.
    let waits = ["back-up [] 0 ms", "tell [StepId(\"back-up\")] 0 ms"];
    assert_eq!(shown(&world.plan), waits);

    world.plan.steps[1].elsewhere = false;
    world.plan.steps[1].written.watch = Some(minutes(10));
    let install = "install [StepId(\"back-up\")] 20 min";
    assert_eq!(shown(&world.plan)[1], install, "ten minutes on each host");
    world.plan.environment = EnvName::from("staging");
    assert_eq!(shown(&world.plan)[1], install.replace("20 min", "0 ms"));
}

#[test]
fn a_criterion_is_not_silent_for_a_step_of_its_name() {
    let mut world = World::ready();
    world.plan.steps[0].backups.clear();
    world.plan.contract.done[0].backup = name("dana");
    world.plan.steps[0].written.id = at(StepId::from("tests"));
    let note = Note::error("ownership.no-backup", "`tests` has no backup");
    world.lint.push(note.naming("tests"));
    let said = said(&world);
    let backups = said
        .iter()
        .filter(|said| said.starts_with("ownership.no-backup"));
    assert_eq!(backups.count(), 2, "{said:?}");
}
