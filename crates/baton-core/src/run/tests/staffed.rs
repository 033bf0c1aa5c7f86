//! Who has to be there, and who is called when nobody answers.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::toy::{Toy, at, plan, step};
use crate::event::{Event, Outcome, RunKind};
use crate::id::{Handle, RoleName, StepId};
use crate::run::Next;
use crate::run::staff::{seats, sitting};
use crate::run::waits::{Ask, waits};

fn people(names: &[&str]) -> Vec<Handle> {
    names.iter().map(|name| Handle::from(*name)).collect()
}

fn room(room: Value) -> Value {
    json!({ "room": room })
}

fn manned() -> Value {
    room(json!({ "defined": { "notify": [] } }))
}

/// The driver reads the seats before and now.
fn seen(toy: &mut Toy, before: &[&str], present: &[&str]) -> usize {
    let set = |names: &[&str]| people(names).into_iter().collect::<BTreeSet<_>>();
    let events = toy.state.staffing(&set(present), &set(before));
    let count = events.len();
    events.into_iter().for_each(|event| toy.say("baton", event));
    count
}

fn two() -> Vec<Value> {
    vec![step("a", &[], json!({})), step("b", &["a"], json!({}))]
}

#[test]
fn a_launch_waits_while_a_role_is_lost_and_goes_on_by_itself() {
    let mut toy = Toy::new(RunKind::Launch, plan(two(), manned()), |_| {});
    let roles = ["launch-lead", "rollback-decider"].map(RoleName::from);
    // One of the two who hold each role is enough.
    assert_eq!(seen(&mut toy, &[], &["omar"]), 0);
    assert_eq!(seen(&mut toy, &["omar"], &[]), 2, "both roles are lost");
    assert_eq!(toy.go(), Next::Wait(None));
    assert_eq!(
        toy.asks(),
        [Ask::Cover {
            roles: roles.into()
        }]
    );
    assert_eq!(
        waits(&toy.state, toy.now)[0].people,
        people(&["dana"]),
        "omar is gone"
    );
    assert_eq!(seen(&mut toy, &[], &[]), 0, "that is said once");
    assert!(toy.did().is_empty());

    assert_eq!(seen(&mut toy, &[], &["dana"]), 2);
    assert_eq!(toy.go(), Next::Wait(None));
    assert_eq!(toy.did(), ["run a h0", "run b h0"]);
    // With nothing left to begin, nobody has to stay but to take over.
    assert_eq!(seen(&mut toy, &["dana"], &[]), 0);
    toy.say("omar", Event::AcceptedLive);
    assert_eq!(toy.go(), Next::Halt);
    assert_eq!(toy.outcome(), Some(Outcome::Succeeded));
}

#[test]
fn the_way_back_is_not_held_up_by_an_empty_chair() {
    let mut toy = Toy::new(RunKind::Launch, plan(two(), manned()), |_| {});
    assert_eq!(seen(&mut toy, &["omar", "dana"], &[]), 2);
    toy.say("dana", Event::RollbackCalled { because: None });
    assert_eq!(toy.go(), Next::Halt);
    assert_eq!(toy.outcome(), Some(Outcome::Aborted));
}

#[test]
fn nobody_has_to_be_there_without_a_room_or_in_a_rehearsal() {
    let declined = room(json!({ "declined": { "declined": "small", "by": "dana" } }));
    for (what, contract) in [
        (RunKind::Launch, declined),
        (RunKind::Launch, json!({})),
        (RunKind::Rehearsal, manned()),
    ] {
        let mut toy = Toy::new(what, plan(two(), contract), |_| {});
        assert_eq!(seen(&mut toy, &["omar"], &[]), 0);
        let lost = Event::RoleLost {
            role: RoleName::from("launch-lead"),
            gone: Vec::new(),
            called: people(&["dana"]),
        };
        assert!(toy.try_say("baton", lost).is_err());
    }
}

#[test]
fn what_cannot_be_said_of_a_role_is_illegal() {
    let mut toy = Toy::new(RunKind::Launch, plan(two(), manned()), |_| {});
    let lost = |role: &str, called: &[&str]| Event::RoleLost {
        role: RoleName::from(role),
        gone: Vec::new(),
        called: people(called),
    };
    let covered = |by: &[&str]| Event::RoleCovered {
        role: RoleName::from("launch-lead"),
        by: people(by),
    };
    for event in [
        lost("launch-lead", &[]),
        lost("launch-lead", &["pia"]),
        lost("pilot", &["dana"]),
        covered(&["dana"]),
    ] {
        assert!(toy.try_say("baton", event.clone()).is_err(), "{event:?}");
    }
    toy.say("baton", lost("launch-lead", &["dana"]));
    assert!(
        toy.try_say("baton", lost("launch-lead", &["dana"]))
            .is_err()
    );
    assert!(toy.try_say("baton", covered(&["pia"])).is_err());
    toy.say("baton", covered(&["omar"]));
}

#[test]
fn seats_are_known_by_the_names_of_their_leases() {
    let handoff = "toy/2/prod".into();
    let own = |rest: &str| format!("{}{rest}", seats(&handoff));
    let leases = [
        own("dana/1-0"),
        own("dana/7-2"),
        own("omar/3-0"),
        "run/run_1".to_owned(),
    ];
    let there = sitting(&handoff, leases.iter().map(String::as_str));
    assert_eq!(
        there.into_iter().collect::<Vec<_>>(),
        people(&["dana", "omar"])
    );
}

/// A person's step in a contract where five people are in the chain.
fn asked(kind: RunKind, other: Value) -> Toy {
    let by_hand = json!({ "run": null, "tasks": ["look"] });
    let mut by_hand = step("a", &[], by_hand);
    super::toy::merge(&mut by_hand, other);
    let person = |name: &str| json!({ "name": name, "email": null, "zone": null, "hours": null, "key": null });
    let contract = json!({
        "people": { "dana": person("D"), "omar": person("O"), "pia": person("P"),
                    "lee": person("L"), "kim": person("K") },
        "teams": { "dev": ["dana", "pia"], "ops": ["omar"] },
        "roles": {
            "launch-lead": { "owner": "lee", "backup": "omar" },
            "rollback-decider": { "owner": "kim", "backup": "dana" },
        },
    });
    Toy::new(kind, plan(vec![by_hand], contract), |_| {})
}

/// Whom the run has called so far, after these seconds.
fn called_at(toy: &mut Toy, seconds: i64) -> Vec<Handle> {
    toy.now = at(seconds);
    let _waits = toy.go();
    waits(&toy.state, toy.now)[0].escalated_to.clone()
}

#[test]
fn a_step_nobody_answers_for_climbs_the_chain() {
    let mut toy = asked(RunKind::Launch, json!({}));
    assert_eq!(toy.go(), Next::Wait(Some(at(300))));
    for (seconds, called) in [
        (299, &[][..]),
        (300, &["omar"][..]),
        (599, &["omar"]),
        (600, &["omar", "pia"]),
        (900, &["omar", "pia", "lee"]),
        (1200, &["omar", "pia", "lee", "kim"]),
        (9000, &["omar", "pia", "lee", "kim"]),
    ] {
        assert_eq!(called_at(&mut toy, seconds), people(called), "{seconds}");
    }
    assert_eq!(toy.go(), Next::Wait(None), "nobody is left to call");
    let step = StepId::from("a");
    toy.say("omar", Event::StepDone { step, host: None });
}

#[test]
fn patience_is_as_long_as_the_step_should_take_and_begins_when_it_may() {
    for (other, first) in [
        (json!({ "expect": 900_000 }), 900),
        (json!({ "expect": 1_000 }), 60),
        (json!({ "approve": { "count": 1, "of": "ops" } }), 300),
    ] {
        let mut toy = asked(RunKind::Launch, other.clone());
        assert_eq!(toy.go(), Next::Wait(Some(at(first))), "{other}");
    }
    let mut rehearsal = asked(RunKind::Rehearsal, json!({}));
    assert_eq!(rehearsal.go(), Next::Wait(None));
}

#[test]
fn an_approval_begins_the_patience_anew() {
    let approve = json!({ "approve": { "count": 1, "of": "ops" } });
    let mut toy = asked(RunKind::Launch, approve);
    // Those of the team were asked; the step's own people come next.
    assert_eq!(called_at(&mut toy, 300), people(&["dana", "pia"]));
    let step = StepId::from("a");
    toy.say("omar", Event::StepApproved { step });
    assert!(called_at(&mut toy, 310).is_empty());
    assert_eq!(toy.go(), Next::Wait(Some(at(600))));
}

#[test]
fn only_the_next_rung_is_called_and_only_while_it_waits() {
    let mut toy = asked(RunKind::Launch, json!({}));
    let call = |to: &[&str]| Event::Escalated {
        step: StepId::from("a"),
        to: people(to),
        after: crate::time::Duration::from_secs(300),
    };
    assert!(toy.try_say("baton", call(&["pia"])).is_err());
    toy.say("baton", call(&["omar"]));
    assert!(toy.try_say("baton", call(&["omar"])).is_err());
    let step = StepId::from("a");
    toy.say("dana", Event::StepDone { step, host: None });
    assert!(toy.try_say("baton", call(&["pia"])).is_err());
}
