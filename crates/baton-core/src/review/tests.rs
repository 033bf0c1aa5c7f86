//! Whole stories, hostile texts, and what must hold for any of them.

mod build;
mod holds;

use std::collections::BTreeMap;

use expect_test::{expect, expect_file};
use jiff::tz::TimeZone;
use serde_json::json;

use self::build::{Tale, opened, plan, step};
use super::*;
use crate::event::{Ending, FenceRole, Leg};
use crate::id::LessonId;
use crate::time::Duration;
use crate::watch::Decision;

fn prague() -> TimeZone {
    crate::time::zone("Europe/Prague").unwrap()
}

/// Back up, install on two hosts, tell the customer.
fn shop() -> Plan {
    let mut tell = step("tell", "Tell the customer", &[""], &["undo"]);
    tell["changes"] = json!(false);
    plan(vec![
        step("back-up", "Back up the orders", &[""], &["run", "verify"]),
        step(
            "install",
            "Install the new version",
            &["web1", "web2"],
            &["preflight", "run", "verify", "undo"],
        ),
        tell,
    ])
}

fn says(tale: &Tale, plan: &Plan) -> Vec<String> {
    let timeline = Timeline::of(&tale.entries, plan);
    timeline.lines.into_iter().map(|line| line.says).collect()
}

fn boring() -> Tale {
    let mut tale = Tale::launch();
    tale.wait(5).goes("back-up", "", 58);
    for host in ["web1", "web2"] {
        tale.attempt("install", host, FenceRole::Preflight, 1, Ending::Succeeded);
        tale.goes("install", host, 20);
    }
    tale.wait(40).done("lee", "tell");
    let watch = Event::WatchBegan {
        step: None,
        stage: 0,
        learned: BTreeMap::new(),
    };
    let fine = "No harm in 30 min, and proven so: errors 0 of 310 (0%).";
    tale.baton(watch)
        .wait(900)
        .judged(Decision::Hold, 0, "Watching: 15 min of 30 min over.")
        .wait(900)
        .judged(Decision::Keep, 0, fine)
        .baton(Event::WatchEnded {
            because: fine.to_owned(),
        })
        .wait(60)
        .by("pia", Event::AcceptedLive)
        .ended(Outcome::Succeeded, "carried out, watched and accepted");
    tale
}

#[test]
fn a_boring_launch_surprises_nobody() {
    let review = Review::of(&boring().entries, &shop());
    assert_eq!(review.surprises, []);
    expect_file!["tests/boring.md"].assert_eq(&markdown(&review, &prague()));
}

/// A failure that passes, a pause, a crash, harm found by the judge, and an
/// undo that does nothing at first.
fn voted_go(because: &str) -> Event {
    Event::Voted {
        go: true,
        confidence: Some(4),
        commitment: None,
        because: Some(because.to_owned()),
        content: crate::id::Digest::of(b""),
    }
}

fn rolled_back() -> Tale {
    let mut tale = Tale::new();
    tale.by("dana", Event::Joined)
        .by("pia", voted_go("rehearsed twice"))
        .by("omar", opened(RunKind::Launch))
        .driven()
        .goes("back-up", "", 150)
        .attempt(
            "install",
            "web1",
            FenceRole::Run,
            3,
            Ending::Exited { code: 3 },
        )
        .wait(10)
        .goes("install", "web1", 20)
        .by(
            "lee",
            Event::Paused {
                because: Some("The shop is slow.".to_owned()),
            },
        )
        .wait(200)
        .by("omar", Event::Resumed)
        .attempt(
            "install",
            "web2",
            FenceRole::Run,
            9,
            Ending::Unknown {
                because: "the host did not answer".to_owned(),
            },
        )
        .driven()
        .attempt("install", "web2", FenceRole::Verify, 1, Ending::Succeeded)
        .done("dana", "tell")
        .baton(Event::WatchBegan {
            step: None,
            stage: 0,
            learned: BTreeMap::new(),
        })
        .wait(60);
    let harm = "errors (Requests that fail): 41 of 310 were bad (13%); at most 1% was agreed.";
    tale.judged(Decision::RollBack, 41, harm)
        .turns(Leg::Back, false, harm)
        .goes_back("install", "web2", 5)
        .attempt("install", "web1", FenceRole::Undo, 4, Ending::Succeeded)
        .attempt("install", "web1", FenceRole::Verify, 1, Ending::Succeeded)
        .baton(Event::Frozen {
            because: "verify of install on web1 still passes after its undo".to_owned(),
        })
        .wait(120)
        .by(
            "pia",
            Event::RetryCalled {
                step: "install".into(),
                host: None,
            },
        )
        .driven()
        .goes_back("install", "web1", 5)
        .ended(Outcome::RolledBack, harm);
    tale
}

#[test]
fn a_launch_that_went_back_is_told_whole() {
    let mut plan = shop();
    plan.contract.waivers = serde_json::from_value(json!([
        {"blocker": "parity.unexplained", "match": ["packages:libssl3*"], "owner": "omar",
         "because": "Production is patched first", "until": {"Ok": "2026-12-01T00:00:00Z"}},
        {"blocker": "parity.stale", "match": [], "until": {"Ok": "2026-11-01T00:00:00Z"}},
        {"blocker": "parity.stale", "match": [], "until": {"Err": "soon"}},
    ]))
    .unwrap();
    let review = Review::of(&rolled_back().entries, &plan);
    expect_file!["tests/rolled-back.md"].assert_eq(&markdown(&review, &prague()));
}

#[test]
fn a_feed_and_a_timeline_say_the_same() {
    let (tale, plan) = (rolled_back(), shop());
    let mut feed = Feed::new(&plan);
    let fed: Vec<Line> = tale.entries.iter().filter_map(|e| feed.take(e)).collect();
    assert_eq!(fed, Timeline::of(&tale.entries, &plan).lines);
    assert_eq!(fed, Review::of(&tale.entries, &plan).timeline.lines);
    for (entry, line) in tale.entries.iter().zip([
        "dana came into the room",
        "pia voted go: rehearsed twice",
        "omar opened the launch of shop 2.4.0 to production",
        "The run is driven from omar at laptop1 now",
        "Back up the orders began",
    ]) {
        assert_eq!(say(entry, &plan).as_deref(), Some(line));
    }
}

#[test]
fn a_way_back_that_left_something_behind_is_told_and_a_surprise() {
    let plan = plan(vec![step("back-up", "Back up", &[""], &["run", "undo"])]);
    let mut tale = Tale::new();
    tale.trip(2, &[]).trip(2, &["files:app"]);
    let expected = [
        "The way back is proven: 2 facts changed on the way forward, and everything is as it was",
        "The way back is not proven: 2 facts changed on the way forward, and files:app is not as \
         before",
    ];
    assert_eq!(says(&tale, &plan), expected);
    let surprises = Review::of(&tale.entries, &plan).surprises;
    let kinds: Vec<_> = surprises
        .iter()
        .map(|s| (s.kind, s.says.as_str()))
        .collect();
    assert_eq!(kinds, [(Kind::NotAsBefore, expected[1])]);
}

#[test]
fn a_rehearsal_broken_on_purpose_is_no_surprise() {
    let mut tale = Tale::new();
    let Event::RunOpened(mut terms) = opened(RunKind::Rehearsal) else {
        unreachable!("it opens a run");
    };
    terms.fail_at = Some("back-up".into());
    let plan = plan(vec![step(
        "back-up",
        "Back up",
        &[""],
        &["run", "verify", "undo"],
    )]);
    tale.by("omar", Event::RunOpened(terms))
        .attempt("back-up", "", FenceRole::Run, 2, Ending::Succeeded)
        .turns(
            Leg::Back,
            false,
            "run of back-up was broken here on purpose",
        )
        .goes_back("back-up", "", 1)
        .turns(Leg::Again, true, "everything is undone; forward again")
        .goes("back-up", "", 2)
        .ended(Outcome::Succeeded, "forward, back and forward again");
    expect![[r#"
        omar opened the rehearsal of shop 2.4.0 in production, to be broken at Back up on purpose
        Back up succeeded (2 s), and was broken there on purpose
        The run turned back: run of back-up was broken here on purpose
        Back up was undone (2 s)
        The run goes forward again: everything is undone; forward again
        Back up succeeded (3 s)
        The run succeeded: forward, back and forward again"#]]
    .assert_eq(&says(&tale, &plan).join("\n"));
    let review = Review::of(&tale.entries, &plan);
    assert_eq!(review.surprises, []);
    assert_eq!(review.steps[0].stood, Stood::Done);
    assert_eq!(
        review.steps[0].ended, None,
        "the first way did not get there"
    );
}

#[test]
fn what_nobody_knew_is_one_surprise_and_says_who_settled_it() {
    let lost = || Ending::Unknown {
        because: "the machine went down".to_owned(),
    };
    let plan = plan(vec![
        step("a", "Ask", &[""], &["run", "undo"]),
        step("b", "See", &[""], &["run", "verify", "undo"]),
        step("c", "Leave", &[""], &["run"]),
    ]);
    let mut tale = Tale::launch();
    tale.attempt("a", "", FenceRole::Run, 1, lost())
        .done("dana", "a")
        .attempt("b", "", FenceRole::Run, 1, lost())
        .attempt("b", "", FenceRole::Verify, 1, Ending::Exited { code: 1 })
        .by(
            "lee",
            Event::RetryCalled {
                step: "b".into(),
                host: None,
            },
        )
        .goes("b", "", 1)
        .attempt("c", "", FenceRole::Run, 1, lost());
    let review = Review::of(&tale.entries, &plan);
    let said: Vec<&str> = review.surprises.iter().map(|s| s.says.as_str()).collect();
    expect![[r#"
        Nobody knew how Ask ended: the machine went down; dana said that it was done
        dana acted for lee at Ask
        Nobody knew how See ended: the machine went down; its verify found it not in effect; lee had it tried again
        Nobody knew how Leave ended: the machine went down; it was never settled"#]].assert_eq(&said.join("\n"));
    assert_eq!(review.steps[2].stood, Stood::Unknown);
    assert_eq!(review.steps[0].stood, Stood::Done);
}

#[test]
fn a_freeze_is_a_surprise_only_when_nothing_else_explains_it() {
    let plan = shop();
    let frozen = || Event::Frozen {
        because: "errors gave no data in 3 of 40 intervals".to_owned(),
    };
    let mut blind = Tale::launch();
    blind.baton(frozen());
    let kinds = |tale: &Tale| -> Vec<Kind> {
        let review = Review::of(&tale.entries, &plan);
        review.surprises.iter().map(|s| s.kind).collect()
    };
    assert_eq!(kinds(&blind), [Kind::Freeze]);
    let mut failed = Tale::launch();
    failed
        .attempt("back-up", "", FenceRole::Run, 1, Ending::TimedOut)
        .baton(frozen())
        .by("omar", Event::StopCalled { because: None })
        .ended(Outcome::Stopped, "omar stopped it");
    // omar is the rollback-decider's backup.
    assert_eq!(
        kinds(&failed),
        [Kind::Failed, Kind::Override, Kind::StandIn]
    );
}

#[test]
fn a_persons_step_begins_when_its_turn_comes() {
    let review = Review::of(&boring().entries, &shop());
    let [back_up, install, tell] = review.steps.as_slice() else {
        panic!("three steps");
    };
    assert_eq!(back_up.took(), Some(Duration::from_secs(59)));
    assert_eq!((install.tries, tell.tries), (1, 0));
    assert_eq!(tell.began, install.ended);
    assert_eq!(tell.took(), Some(Duration::from_secs(40)));
    assert_eq!(tell.difference().unwrap().as_secs(), -20);
    let late = |secs| Actual {
        ended: Some(Duration::from_secs(secs).after(tell.began.unwrap())),
        ..tell.clone()
    };
    assert!(!late(120).overran() && late(121).overran());
}

fn kept(id: &str, touches: &[&str]) -> Event {
    Event::LessonKept {
        lesson: LessonId::from(id),
        text: "Rehearse the restore".to_owned(),
        touches: touches.iter().map(|text| Component::from(*text)).collect(),
        owner: "omar".into(),
    }
}

#[test]
fn a_lesson_binds_what_it_touches_until_it_is_met() {
    let mut tale = Tale::new();
    let met = |lesson: &str, how: &str| Event::LessonMet {
        lesson: lesson.into(),
        how: how.to_owned(),
    };
    tale.by("pia", kept("les_1", &["orders-db", "shop"]))
        .by("pia", kept("les_2", &["search"]))
        .by("pia", kept("les_3", &[]))
        .by("dana", kept("les_1", &["search"]))
        .by("dana", met("les_9", "never kept"));
    let touches = ["shop".into(), "web".into()];
    let bound = |tale: &Tale| -> Vec<String> {
        let lessons = Lessons::of(&tale.entries);
        let bound = lessons.open_for(&touches);
        bound.map(|lesson| lesson.id.to_string()).collect()
    };
    assert_eq!(bound(&tale), ["les_1"]);
    tale.by("lee", met("les_1", "restored in 4 min"))
        .by("lee", met("les_1", "again"));
    assert_eq!(bound(&tale), [] as [&str; 0]);
    let lessons = Lessons::of(&tale.entries);
    let first = lessons.get(&"les_1".into()).unwrap();
    assert_eq!((first.by.as_str(), first.owner.as_str()), ("pia", "omar"));
    assert_eq!(first.run, Some("run_1".into()));
    let met = first.met.as_ref().unwrap();
    assert_eq!(
        (met.by.as_str(), met.how.as_str()),
        ("lee", "restored in 4 min")
    );
    assert_eq!(lessons.all().len(), 3);
    assert_eq!(lessons.open().count(), 2);
    let draft = markdown(&Review::of(&tale.entries, &shop()), &TimeZone::UTC);
    expect![[r#"

        - Lesson: Rehearse the restore (binds orders-db and shop; omar answers for it; met on 2026-11-25 08:00:00 UTC (+00:00): restored in 4 min)
        - Lesson: Rehearse the restore (binds search; omar answers for it; open)
        - Lesson: Rehearse the restore (binds none; omar answers for it; open)

        Keep one while it is fresh. It blocks the next handoff that touches the same components, until it is met:

        ```sh
        baton lesson keep "What we learned, and what must happen" --touches shop --touches orders-db --as HANDLE
        ```
    "#]].assert_eq(draft.split("## Lessons\n").nth(1).unwrap());
}

#[test]
fn dates_stand_where_they_change_and_times_have_a_zone() {
    let mut tale = Tale::launch();
    // Over midnight in Tokyo.
    tale.wait(7 * 3600)
        .by("omar", Event::Paused { because: None })
        .by("omar", Event::Resumed);
    let review = Review::of(&tale.entries, &shop());
    let tokyo = crate::time::zone("Asia/Tokyo").unwrap();
    let draft = markdown(&review, &tokyo);
    let timeline = draft.split("## Timeline\n\n").nth(1).unwrap();
    let lines: Vec<&str> = timeline.lines().take(3).collect();
    expect![[r#"
        - 2026-11-25 17:00:00 JST omar opened the launch of shop 2.4.0 to production
        - 2026-11-26 00:00:00 JST **omar paused the run**
        - 00:00:00 JST omar let the run go on after 0 ms"#]]
    .assert_eq(&lines.join("\n"));
}
