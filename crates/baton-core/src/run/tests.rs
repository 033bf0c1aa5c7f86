//! What a run does, event by event, without store, world or threads.

mod asked;
mod staffed;
pub(crate) mod toy;
mod watched;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{Next, next};
use crate::event::{Ending, Event, FenceRole, Leg, Outcome, RunKind, RunTerms};
use crate::id::{AttemptId, Epoch, RunId, StepId};
use crate::run::waits::Ask;

use toy::{Toy, at, plan, step};

fn done(step: &str) -> Event {
    let step = StepId::from(step);
    Event::StepDone { step, host: None }
}

fn retry(step: &str) -> Event {
    let step = StepId::from(step);
    Event::RetryCalled { step, host: None }
}

fn verified() -> Value {
    json!({ "lang": "sh", "body": "verify", "line": 1 })
}

fn three() -> Vec<Value> {
    vec![
        step("a", &[], json!({})),
        step("b", &["a"], json!({})),
        step("c", &["b"], json!({})),
    ]
}

#[test]
fn a_failure_is_undone_first_and_then_the_rest_in_reverse() {
    let mut toy = Toy::launch(three()).failing("run c h0");
    assert_eq!(toy.go(), Next::Halt);
    let expected = [
        "run a h0",
        "run b h0",
        "run c h0",
        "Back",
        "undo c h0",
        "undo b h0",
        "undo a h0",
    ];
    assert_eq!(toy.did(), expected);
    assert_eq!(toy.outcome(), Some(Outcome::RolledBack));
}

#[test]
fn a_run_that_touched_nothing_is_aborted() {
    let preflight = json!({ "preflight": verified() });
    let mut toy = Toy::launch(vec![step("a", &[], preflight)]).failing("preflight a h0");
    assert_eq!(toy.go(), Next::Halt);
    assert_eq!(toy.outcome(), Some(Outcome::Aborted));
}

#[test]
fn a_retry_waits_its_pause_and_then_gives_up() {
    let retry = json!({ "retry": { "times": 1, "every": 30_000 } });
    let mut toy = Toy::launch(vec![step("a", &[], retry)])
        .failing("run a h0")
        .failing("run a h0");
    assert_eq!(toy.go(), Next::Wait(Some(at(30))));
    toy.now = at(30);
    assert_eq!(toy.go(), Next::Halt);
    assert_eq!(toy.did(), ["run a h0", "run a h0", "Back", "undo a h0"]);
}

fn not_started() -> Ending {
    let because = "no such program".to_owned();
    Ending::NotStarted { because }
}

#[test]
fn what_could_not_start_failed_and_left_nothing_to_undo() {
    let mut toy = Toy::launch(three());
    toy.ends.push(("run b h0", not_started()));
    assert_eq!(toy.go(), Next::Halt);
    assert_eq!(toy.did(), ["run a h0", "run b h0", "Back", "undo a h0"]);
    assert_eq!(toy.outcome(), Some(Outcome::RolledBack));
    let retry = json!({ "retry": { "times": 2, "every": 0 } });
    let mut toy = Toy::launch(vec![step("a", &[], retry)]).failing("run a h0");
    toy.ends
        .extend([("run a h0", not_started()), ("run a h0", not_started())]);
    assert_eq!(toy.go(), Next::Halt);
    let expected = ["run a h0", "run a h0", "run a h0", "Back", "undo a h0"];
    assert_eq!(toy.did(), expected);
}

/// A place that was closed under a second try does not hide what the first one did.
#[test]
fn a_voided_retry_leaves_the_first_try_to_be_undone() {
    let retry = json!({ "retry": { "times": 1, "every": 0 } });
    let mut toy = Toy::launch(vec![step("a", &[], retry)]).failing("run a h0");
    let again = loop {
        match next(&toy.state, &toy.begun, toy.now) {
            Next::Start(attempt) if toy.did.len() == 1 => break attempt,
            Next::Start(attempt) => toy.carry_out(attempt),
            Next::Begin { step, host, role } => toy.begin(step, host, role),
            other => panic!("{other:?}"),
        }
    };
    toy.say("baton", Event::AttemptVoided { attempt: again });
    toy.say("omar", Event::RollbackCalled { because: None });
    assert_eq!(toy.go(), Next::Halt);
    assert_eq!(toy.did(), ["run a h0", "Back", "undo a h0"]);
}

#[test]
fn the_clock_holds_a_step_in_a_launch_and_not_in_a_rehearsal() {
    let later = || vec![step("a", &[], json!({ "at": { "instant": at(60) } }))];
    let mut toy = Toy::launch(later());
    assert_eq!(toy.go(), Next::Wait(Some(at(60))));
    toy.now = at(60);
    assert_eq!(toy.go(), Next::Wait(None));
    assert_eq!(
        (toy.did(), toy.asks()),
        (vec!["run a h0"], vec![Ask::AcceptLive])
    );
    let mut toy = Toy::rehearsal(later());
    assert_eq!(toy.go(), Next::Halt);
}

#[test]
fn no_changing_step_begins_past_the_window_without_a_word() {
    let window = json!({ "opens": at(-10), "closes": at(10), "offset_s": 0 });
    let launch = json!({ "launch": { "environment": "prod", "window": window, "freezes": [] } });
    let steps = vec![
        step("a", &[], json!({ "changes": false, "undo": null })),
        step("b", &["a"], json!({})),
    ];
    let mut toy = Toy::new(RunKind::Launch, plan(steps, launch), |_| {});
    toy.now = at(10);
    assert_eq!(toy.go(), Next::Wait(None));
    assert_eq!(
        (toy.did(), toy.asks()),
        (vec!["run a h0"], vec![Ask::ExtendWindow])
    );
    let stranger = toy.try_say("pia", Event::WindowExtended { because: None });
    let why = "only dana or omar may let the run go on past its window, not pia";
    assert_eq!(stranger.unwrap_err().0, why);
    toy.say("dana", Event::WindowExtended { because: None });
    assert_eq!(toy.go(), Next::Wait(None));
    assert_eq!(toy.did(), ["run a h0", "run b h0"]);
}

#[test]
fn only_the_right_team_approves() {
    let approve = json!({ "approve": { "count": 1, "of": "ops" } });
    let mut toy = Toy::launch(vec![step("a", &[], approve)]);
    toy.waits();
    assert_eq!(toy.asks(), [Ask::Approve { missing: 1 }]);
    let approved = || Event::StepApproved {
        step: StepId::from("a"),
    };
    assert!(toy.try_say("dana", approved()).is_err());
    toy.say("omar", approved());
    let _waits = toy.go();
    assert_eq!(toy.did(), ["run a h0"]);
}

#[test]
fn a_pause_holds_what_has_not_begun() {
    let mut toy = Toy::launch(three());
    toy.say("dana", Event::Paused { because: None });
    assert!(
        toy.try_say("dana", Event::Paused { because: None })
            .is_err()
    );
    assert_eq!(toy.go(), Next::Wait(None));
    assert!(toy.did().is_empty());
    toy.say("dana", Event::Resumed);
    assert!(toy.try_say("dana", Event::Resumed).is_err());
    let _waits = toy.go();
    assert_eq!(toy.did().len(), 3);
}

#[test]
fn conditions_and_other_environments_leave_steps_out() {
    let mut toy = Toy::launch(vec![
        step("a", &[], json!({ "when": "vars.COLOR == 'blue'" })),
        step(
            "b",
            &["a"],
            json!({ "only_in": "test", "elsewhere": true, "stages": [] }),
        ),
        step("c", &["b"], json!({ "when": "vars.COLOR == 'red'" })),
    ]);
    assert_eq!(toy.go(), Next::Wait(None));
    assert_eq!(
        (toy.did(), toy.asks()),
        (vec!["run c h0"], vec![Ask::AcceptLive])
    );
}

#[test]
fn a_persons_step_is_verified_and_a_failed_one_may_be_left_out() {
    let own = json!({ "run": null, "tasks": ["do it"], "verify": verified() });
    let mut toy = Toy::launch(vec![step("a", &[], own)]).failing("verify a h0");
    toy.waits();
    let tasks = vec!["do it".to_owned()];
    assert_eq!(toy.asks(), [Ask::Do { tasks }]);
    toy.say("dana", done("a"));
    assert!(toy.try_say("dana", done("a")).is_err());
    assert_eq!(toy.go(), Next::Halt);
    assert_eq!(
        toy.did(),
        ["verify a h0", "Back", "undo a h0", "verify a h0"]
    );
    let mut toy = Toy::launch(three());
    let skipped = |step| Event::StepSkipped {
        step: StepId::from(step),
        because: "mine".to_owned(),
    };
    assert!(toy.try_say("dana", skipped("b")).is_err());
    toy.say("dana", skipped("a"));
    let _waits = toy.go();
    assert_eq!(toy.did(), ["run b h0", "run c h0"]);
}

#[test]
fn two_hosts_must_not_give_one_name_two_values() {
    let both = || vec![step("a", &[], json!({ "stages": [["h0", "h1"]] }))];
    let mut toy = Toy::launch(both());
    toy.outputs = BTreeMap::from([("run a h0", ("ID", "1")), ("run a h1", ("ID", "2"))]);
    assert_eq!(toy.go(), Next::Halt);
    assert_eq!(toy.outcome(), Some(Outcome::RolledBack));
    assert_eq!(toy.did()[2..], ["Back", "undo a h1", "undo a h0"]);
    let mut toy = Toy::launch(both());
    toy.outputs = BTreeMap::from([("run a h0", ("ID", "1")), ("run a h1", ("ID", "1"))]);
    let _waits = toy.go();
    assert_eq!(toy.state.outputs["ID"], "1");
}

#[test]
fn a_stage_begins_when_the_one_before_is_complete() {
    let stages = json!({ "stages": [["h0"], ["h1", "h2"], ["h3"]], "verify": verified() });
    let mut toy = Toy::launch(vec![step("a", &[], stages.clone())]);
    let _waits = toy.go();
    let place = |what| toy.did().iter().position(|did| *did == what).unwrap();
    assert!(place("verify a h0") < place("run a h1").min(place("run a h2")));
    assert!(place("verify a h1").max(place("verify a h2")) < place("run a h3"));
    let mut toy = Toy::launch(vec![step("a", &[], stages)]).failing("run a h1");
    assert_eq!(toy.go(), Next::Halt);
    assert!(!toy.did().contains(&"run a h3") && !toy.did().contains(&"undo a h3"));
    assert_eq!(toy.outcome(), Some(Outcome::RolledBack));
}

fn no_return() -> Vec<Value> {
    vec![
        step("a", &[], json!({})),
        step(
            "b",
            &["a"],
            json!({ "no_way_back": "told the world", "undo": null }),
        ),
        step("c", &["b"], json!({})),
    ]
}

#[test]
fn past_a_point_of_no_return_somebody_decides() {
    let mut toy = Toy::launch(no_return()).failing("run c h0");
    assert_eq!(toy.go(), Next::Halt);
    assert!(toy.frozen().contains("told the world"), "{}", toy.frozen());
    assert!(matches!(toy.asks()[..], [Ask::Decide { harm: false, .. }]));
    // Called by hand, it goes back as far as that point.
    toy.say("omar", Event::RollbackCalled { because: None });
    assert_eq!(toy.go(), Next::Halt);
    assert_eq!(toy.did()[3..], ["Back", "undo c h0"]);
    assert!(
        toy.frozen().contains("no way back past b"),
        "{}",
        toy.frozen()
    );
    toy.say("omar", Event::StopCalled { because: None });
    assert_eq!(toy.go(), Next::Halt);
    assert_eq!(toy.outcome(), Some(Outcome::Stopped));
}

#[test]
fn a_way_back_that_no_rehearsal_has_proven_is_not_taken_alone() {
    let unproven = |terms: &mut RunTerms| terms.unproven = vec![StepId::from("a")];
    let toy = Toy::new(RunKind::Launch, plan(three(), json!({})), unproven);
    let mut toy = toy.failing("run b h0");
    assert_eq!(toy.go(), Next::Halt);
    assert!(
        toy.frozen().contains("proven the way back of a"),
        "{}",
        toy.frozen()
    );
    toy.say("dana", retry("b"));
    let _waits = toy.go();
    assert_eq!(toy.did(), ["run a h0", "run b h0", "run b h0", "run c h0"]);
}

#[test]
fn a_rehearsal_goes_forward_back_and_forward_again() {
    let mut toy = Toy::rehearsal(no_return());
    assert_eq!(toy.go(), Next::Halt);
    let expected = [
        "run a h0",
        "Back",
        "undo a h0",
        "Again",
        "run a h0",
        "run b h0",
        "run c h0",
    ];
    assert_eq!(toy.did(), expected);
    assert_eq!(toy.outcome(), Some(Outcome::Succeeded));
    assert_eq!(toy.state.undone, BTreeSet::from([StepId::from("a")]));
}

#[test]
fn a_rehearsal_breaks_where_it_is_told_to() {
    let breaks = |terms: &mut RunTerms| terms.fail_at = Some(StepId::from("b"));
    let mut toy = Toy::new(RunKind::Rehearsal, plan(three(), json!({})), breaks);
    assert_eq!(toy.go(), Next::Halt);
    assert_eq!(
        toy.did(),
        ["run a h0", "run b h0", "Back", "undo b h0", "undo a h0"]
    );
    assert_eq!(toy.outcome(), Some(Outcome::RolledBack));
}

#[test]
fn a_rehearsal_is_surveyed_before_it_goes_when_it_has_gone_and_when_it_is_back() {
    let reads = || json!({ "parity": { "defined": { "compare": [], "fresh": null, "facts": ["os"], "rules": [] } } });
    let rehearsal = |terms: fn(&mut RunTerms)| {
        let mut toy = Toy::new(RunKind::Rehearsal, plan(three(), reads()), terms);
        assert_eq!(toy.go(), Next::Halt);
        toy
    };
    let toy = rehearsal(|_| {});
    assert_eq!(
        toy.did(),
        [
            "survey Before",
            "run a h0",
            "run b h0",
            "run c h0",
            "survey Forward",
            "Back",
            "undo c h0",
            "undo b h0",
            "undo a h0",
            "survey Back",
            "Again",
            "run a h0",
            "run b h0",
            "run c h0"
        ]
    );
    assert_eq!(toy.outcome(), Some(Outcome::Succeeded));
    assert!(toy.state.round_trip.is_some());

    // One that is broken on purpose proves nothing, and neither does a launch.
    let broken = rehearsal(|terms| terms.fail_at = Some(StepId::from("b")));
    assert_eq!(broken.did()[..2], ["run a h0", "run b h0"]);
    let mut launch = Toy::new(RunKind::Launch, plan(three(), reads()), |_| {});
    assert_eq!(launch.go(), Next::Wait(None));
    assert_eq!(launch.did(), ["run a h0", "run b h0", "run c h0"]);
}

#[test]
fn a_launch_is_over_when_the_receiver_takes_over_and_not_before() {
    let mut toy = Toy::launch(three());
    assert!(toy.try_say("omar", Event::AcceptedLive).is_err());
    assert_eq!(toy.go(), Next::Wait(None));
    let giver = toy.try_say("dana", Event::AcceptedLive);
    assert_eq!(giver.unwrap_err().0, "ops takes over: omar, not dana");
    toy.say("omar", Event::AcceptedLive);
    assert_eq!(toy.go(), Next::Halt);
    assert_eq!(toy.outcome(), Some(Outcome::Succeeded));
    assert!(
        toy.try_say("dana", Event::StopCalled { because: None })
            .is_err()
    );
}

#[test]
fn what_cannot_be_leaves_no_trace() {
    let mut toy = Toy::launch(three());
    let (a, attempt) = (StepId::from("a"), AttemptId::from("none"));
    let epoch = |n| Event::DriverTook {
        epoch: Epoch(n),
        holder: String::new(),
    };
    let leg = |leg| Event::LegBegan {
        leg,
        planned: true,
        because: String::new(),
    };
    let began = |step, role, epoch| Event::AttemptStarted {
        attempt: AttemptId::from("x"),
        step: StepId::from(step),
        host: "h0".into(),
        role,
        epoch: Epoch(epoch),
    };
    let illegal = [
        epoch(1),
        began("a", FenceRole::Run, 0),
        began("a", FenceRole::Undo, 1),
        began("a", FenceRole::Verify, 1),
        began("b", FenceRole::Run, 1),
        began("gone", FenceRole::Run, 1),
        Event::AttemptVoided { attempt },
        done("a"),
        done("gone"),
        retry("a"),
        Event::StepApproved { step: a },
        Event::Resumed,
        Event::AcceptedLive,
        leg(Leg::Forward),
        leg(Leg::Again),
        Event::WatchBegan {
            step: None,
            stage: 0,
            learned: BTreeMap::new(),
        },
        Event::WatchEnded {
            because: String::new(),
        },
        Event::Reviewed {
            of: RunId::from("run_1"),
        },
    ];
    for event in illegal {
        let said = toy.try_say("dana", event.clone());
        assert!(said.is_err(), "{event:?}");
    }
}

fn nobody_knows() -> Ending {
    let because = "the host forgot".to_owned();
    Ending::Unknown { because }
}

/// A verify that refused before the undo began proves nothing by refusing after it.
#[test]
fn an_unknown_undo_of_what_failed_is_the_owners_to_settle() {
    let provable = json!({ "verify": verified() });
    let mut toy = Toy::launch(vec![step("a", &[], provable)]).failing("run a h0");
    toy.ends.push(("undo a h0", nobody_knows()));
    toy.waits();
    assert_eq!(toy.asks(), [Ask::SettleUndo]);
    assert_eq!(toy.did(), ["run a h0", "Back", "undo a h0"]);
    toy.say("dana", done("a"));
    assert_eq!(toy.go(), Next::Halt);
    assert_eq!(toy.outcome(), Some(Outcome::RolledBack));
    assert!(toy.state.undone.is_empty(), "no machine saw it");
}

/// Whether there is anything to undo is said when its turn has come, not before.
#[test]
fn on_the_way_back_nothing_is_tried_again() {
    let mut toy = Toy::launch(vec![step("a", &[], json!({})), step("b", &[], json!({}))]);
    toy.ends.push(("run a h0", nobody_knows()));
    toy.ends.push(("run b h0", Ending::Exited { code: 1 }));
    toy.waits();
    assert_eq!(toy.asks(), [Ask::SettleRun]);
    assert_eq!(toy.did(), ["run a h0", "run b h0", "Back", "undo b h0"]);
    let failed = toy.try_say("dana", retry("b"));
    assert!(failed.is_err(), "b is undone");
    toy.say("dana", retry("a"));
    assert_eq!(toy.go(), Next::Halt);
    assert_eq!(toy.did().len(), 4, "there was nothing to undo of a");
}

/// The preflights of a later stage come later; nobody waits for them.
#[test]
fn a_person_is_asked_once_the_open_stage_is_cleared() {
    let by_person = json!({
        "run": null, "preflight": verified(), "tasks": ["do it"],
        "stages": [["h0"], ["h1", "h2"]],
    });
    let mut toy = Toy::launch(vec![step("a", &[], by_person)]);
    toy.waits();
    assert_eq!(toy.did(), ["preflight a h0"]);
    assert!(
        matches!(toy.asks().as_slice(), [Ask::Do { .. }]),
        "{:?}",
        toy.asks()
    );
}

#[test]
fn a_step_stands_where_people_would_say() {
    use crate::run::standing::Stands::{Failed, Succeeded, Undone, Waiting};
    let stands = |toy: &Toy| -> Vec<_> {
        let places = (0..3).flat_map(|i| toy.state.standing(i).map(|place| place.stands));
        places.collect()
    };
    let toy = Toy::launch(three());
    assert_eq!(stands(&toy), [Waiting; 3]);
    assert!(toy.state.way_back().is_empty());

    let mut toy = Toy::launch(three())
        .failing("run c h0")
        .failing("undo b h0");
    let _halt = toy.go();
    assert_eq!(stands(&toy), [Succeeded, Failed, Undone]);
    let back: Vec<usize> = toy.state.way_back().into_iter().map(|(i, _)| i).collect();
    assert_eq!(back, [1, 0], "what is left of the way back, the next first");
}
