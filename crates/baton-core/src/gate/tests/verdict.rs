//! The verdict as a whole: its states, its waivers, its shape.

use expect_test::expect_file;
use proptest::prelude::*;

use super::world::*;
use crate::event::{Event, Outcome, RunKind};
use crate::gate::*;
use crate::handoff::contract::*;
use crate::id::*;

fn states(world: &World) -> Vec<QuestionState> {
    let questions = world.verdict().questions;
    let keys: Vec<Question> = questions.iter().map(|(question, _)| *question).collect();
    assert_eq!(keys, Question::ALL);
    questions.into_iter().map(|(_, state)| state).collect()
}

fn decline<T>(section: &mut Section<T>) {
    *section = Section::Declined(Declined {
        declined: "not this time".to_owned(),
        by: at(Handle::from("pia")),
    });
}

#[test]
fn nothing_missing_is_ready() {
    let mut world = World::ready();
    let verdict = world.verdict();
    assert_eq!(verdict.blockers, []);
    assert_eq!(verdict.verdict, Answer::Ready);
    assert_eq!(states(&world), [QuestionState::Answered; 8]);

    world.readings.at_launch = false;
    assert_eq!(world.verdict().verdict, Answer::Ready);
    assert_eq!(states(&world)[6], QuestionState::Later);
}

#[test]
fn before_the_launch_nobody_need_be_in_the_room() {
    let mut world = World::ready();
    world.readings.at_launch = false;
    world.readings.present.clear();
    world.now = time("2026-11-25T07:55:00Z");
    world.forget(|said| matches!(said.event, Event::Voted { .. }));
    assert_eq!(world.codes(), [""; 0]);
    world.readings.at_launch = true;
    let room = ["room.not-voted", "room.not-voted", "room.outside-window"];
    assert_eq!(
        world.codes(),
        [&room[..], &["room.unstaffed", "room.unstaffed"]].concat()
    );
}

#[test]
fn a_new_handoff_is_open_everywhere_and_lists_all_eight() {
    let mut world = World::ready();
    world.story.clear();
    world.readings.at_launch = false;
    let verdict = world.verdict();
    assert_eq!(verdict.verdict, Answer::NotReady);
    use QuestionState::{Answered, Later, Open};
    assert_eq!(
        states(&world),
        [Open, Open, Open, Open, Open, Open, Later, Answered]
    );
}

#[test]
fn declined_parts_are_named_and_take_their_question_with_them() {
    let mut world = World::ready();
    let contract = &mut world.plan.contract;
    decline(&mut contract.expectations);
    decline(&mut contract.success);
    decline(&mut contract.parity);
    decline(&mut contract.rehearsal);
    decline(&mut contract.room);
    decline(&mut contract.review);
    world.readings.present.clear();
    let verdict = world.verdict();
    assert_eq!(verdict.verdict, Answer::Ready);
    use QuestionState::{Answered, Declined};
    let (part, whole) = (Answered, Declined);
    assert_eq!(
        states(&world),
        [part, part, whole, Answered, Answered, whole, whole, whole]
    );
    let questions: Vec<&str> = verdict
        .declined
        .iter()
        .map(|part| part.question.key())
        .collect();
    let all = [
        "definition",
        "alignment",
        "parity",
        "rehearsal",
        "room",
        "review",
    ];
    assert_eq!(questions, all);
    assert!(
        verdict
            .declined
            .iter()
            .all(|part| part.by.as_str() == "pia")
    );

    // What others have written or said still binds.
    world.vote("2026-11-25T08:09:00Z", "pia", false, 3);
    world.now = time("2026-11-25T11:00:00Z");
    assert_eq!(world.codes(), ["room.no-go", "room.outside-window"]);
    assert_eq!(states(&world)[6], QuestionState::Open);
}

#[test]
fn not_ready_wins_over_inconclusive() {
    let mut world = World::ready();
    world.forget(|said| matches!(said.event, Event::MeasureSeen { .. }));
    assert_eq!(world.verdict().verdict, Answer::Inconclusive);
    world.plan.digests.procedure = digest("another");
    assert_eq!(world.verdict().verdict, Answer::NotReady);
}

#[test]
fn lessons_of_other_handoffs_bind_by_what_they_touch_until_met() {
    let world = World::ready();
    let mut facts = world.facts();
    let mut other = World::ready();
    other.plan.handoff = HandoffId::from("mail/1/production");
    other.forget(|_| true);
    let kept = |id: &str, touches: &[&str]| Event::LessonKept {
        lesson: LessonId::from(id),
        text: "Count first".to_owned(),
        touches: touches.iter().map(|name| Component::from(*name)).collect(),
        owner: Handle::from("pia"),
    };
    let met = Event::LessonMet {
        lesson: LessonId::from("les_1"),
        how: "A criterion counts".to_owned(),
    };
    let offered = Event::Offered {
        content: digest("of mail"),
        plan: None,
    };
    let at = "2026-11-01T00:00:00Z";
    for event in [
        kept("les_1", &["shop"]),
        kept("les_2", &["mail"]),
        offered,
        met,
    ] {
        other.say(at, "dana", event);
    }
    let entries = other.entries();
    let verdict = |facts: &Facts| {
        let World {
            plan,
            readings,
            now,
            ..
        } = &world;
        assess(plan, facts, readings, &[], *now).blockers
    };
    for entry in &entries[..3] {
        facts.apply(entry);
    }
    let blockers = verdict(&facts);
    assert_eq!(blockers.len(), 1, "{blockers:#?}");
    assert_eq!(blockers[0].names, ["les_1"]);
    facts.apply(&entries[3]);
    assert_eq!(verdict(&facts), []);
}

#[test]
fn a_review_ends_the_wait_for_it_and_no_evidence() {
    let mut world = World::ready();
    let mut terms = rehearsal_terms(&world.plan);
    terms.what = RunKind::Launch;
    let ended = Event::RunEnded {
        outcome: Outcome::Succeeded,
        because: "accepted".to_owned(),
        undone: Vec::new(),
    };
    let (at, run) = ("2026-11-01T00:00:00Z", "run_launch");
    world.say_in(at, "omar", Some(run), Event::RunOpened(terms));
    world.say_in(at, "baton", Some(run), ended);
    assert!(world.codes().contains(&"review.overdue"));
    for run in [run, REHEARSAL] {
        let of = RunId::from(run);
        world.say("2026-11-20T00:00:00Z", "omar", Event::Reviewed { of });
    }
    // The launch began after the votes: they count no more, and the rehearsal does.
    assert_eq!(world.codes(), ["room.not-voted", "room.not-voted"]);
}

#[test]
fn a_waiver_must_cover_every_name() {
    let broken = || {
        let mut world = World::ready();
        let print = digest("print of production");
        let print = world.readings.fingerprints.get_mut(&print).unwrap();
        *print = fingerprint("production", "debian 12");
        let odd = fingerprint("production", "debian 13").hosts["web2"].clone();
        print.hosts.insert(HostName::from("web2"), odd);
        world
    };
    let code = Code("parity.unexplained");
    assert_eq!(broken().codes(), ["parity.unexplained"]);
    for (matches, covers) in [
        (&["os:release", "web2"][..], true),
        (&["*"], true),
        (&["os:*", "web?"], true),
        (&["os:release"], false),
        (&["web2"], false),
        (&["web1", "os:release"], false),
        (&[], false),
    ] {
        let mut world = broken();
        world.waive(code, matches, "2026-12-01T00:00:00Z");
        let verdict = world.verdict();
        assert_eq!(verdict.blockers.is_empty(), covers, "{matches:?}");
        assert_eq!(verdict.waived.len(), usize::from(covers));
        let state = if covers {
            QuestionState::Answered
        } else {
            QuestionState::Open
        };
        assert_eq!(states(&world)[2], state);
    }
    // Two waivers do not add up to one.
    let mut world = broken();
    world.waive(code, &["web2"], "2026-12-01T00:00:00Z");
    world.waive(code, &["os:release"], "2026-12-01T00:00:00Z");
    assert_eq!(world.codes(), ["parity.unexplained"]);
}

#[test]
fn a_missing_match_covers_what_names_nothing() {
    let mut world = World::ready();
    world.vote("2026-11-25T08:06:00Z", "pia", true, 1);
    assert_eq!(world.codes(), ["room.confidence-gap"]);
    world.waive(Code("room.confidence-gap"), &[], "2026-12-01T00:00:00Z");
    assert_eq!(world.codes(), [""; 0]);
}

#[test]
fn an_expired_waiver_is_named_with_what_it_no_longer_hides() {
    let mut world = World::ready();
    world.plan.digests.procedure = digest("another");
    world.waive(Code("rehearsal.stale"), &["plan"], "2026-11-25T08:10:00Z");
    assert_eq!(
        world.codes(),
        ["rehearsal.stale", "rehearsal.waiver-expired"]
    );
    let expired = &world.verdict().blockers[1];
    assert_eq!(expired.owner.as_deref(), Some("omar"));
    assert_eq!(expired.names, ["rehearsal.stale", "plan"]);
    // Renewed, or with nothing left to hide, it is clutter and no blocker.
    world.waive(Code("rehearsal.stale"), &["plan"], "2026-12-01T00:00:00Z");
    assert_eq!(world.codes(), [""; 0]);
    world.plan.digests.procedure = digest("procedure");
    world.plan.contract.waivers.truncate(1);
    assert_eq!(world.codes(), [""; 0]);
}

#[test]
fn the_words_of_the_two_sides_cannot_be_waived() {
    for code in [
        "alignment.not-offered",
        "alignment.not-accepted",
        "alignment.lapsed",
    ] {
        assert!(!waivable(Code(code)));
    }
    assert!(waivable(Code("alignment.conflict")));
    assert!(!waivable(Code("parity.waiver-expired")));
    assert!(!waivable(Code("contract.unknown-key")));
    let mut world = World::ready();
    world.forget(|said| matches!(said.event, Event::Offered { .. } | Event::Accepted { .. }));
    for code in ["alignment.not-offered", "alignment.not-accepted"] {
        world.waive(Code(code), &["*"], "2027-01-01T00:00:00Z");
    }
    assert_eq!(
        world.codes(),
        ["alignment.not-accepted", "alignment.not-offered"]
    );
}

#[derive(Clone, Debug)]
struct Fuzzed {
    blocker: &'static str,
    matches: Vec<String>,
    because: Option<String>,
    owner: Option<&'static str>,
    until: Result<i64, String>,
}

fn fuzzed() -> impl Strategy<Value = Fuzzed> {
    let codes = [
        "rehearsal.stale",
        "definition.missing",
        "alignment.not-offered",
        "no.such-code",
    ];
    let pattern = prop::sample::select(vec!["*", "plan", "tests", "p*", "[", "develop*"]);
    let because = prop::sample::select(vec![None, Some(String::new()), Some("why".to_owned())]);
    (
        prop::sample::select(codes.to_vec()),
        prop::collection::vec(pattern.prop_map(str::to_owned), 0..3),
        because,
        prop::sample::select(vec![None, Some("omar"), Some("nobody")]),
        prop_oneof![(-3i64..3).prop_map(Ok), Just(Err("soon".to_owned()))],
    )
        .prop_map(|(blocker, matches, because, owner, until)| Fuzzed {
            blocker,
            matches,
            because,
            owner,
            until,
        })
}

proptest! {
    /// Whatever the waivers and the clock: a blocker is either standing or set
    /// aside, and it is set aside only by a waiver that is whole and in force.
    #[test]
    fn waivers_hide_nothing_they_do_not_hold(
        waivers in prop::collection::vec(fuzzed(), 0..5),
        clock in -4i64..4,
    ) {
        let mut world = World::ready();
        world.plan.digests.procedure = digest("another");
        world.story.remove(0);
        world.forget(|said| matches!(said.event, Event::Offered { .. }));
        let start = world.now;
        let after = |secs: i64| start + jiff::SignedDuration::from_secs(secs);
        let now = after(clock);
        world.now = now;
        let bare: Vec<Note> = world.verdict().blockers;
        for waiver in &waivers {
            world.plan.contract.waivers.push(Waiver {
                pinned: Vec::new(),
                most: None,
                blocker: at(waiver.blocker.to_owned()),
                matches: waiver.matches.clone(),
                because: waiver.because.clone(),
                owner: waiver.owner.map(|by| at(Handle::from(by))),
                until: waiver.until.clone().map(after),
            });
        }
        let verdict = world.verdict();
        let mut seen: Vec<Note> = verdict.waived.iter().map(|waived| waived.note.clone()).collect();
        let standing = verdict.blockers.iter();
        seen.extend(standing.filter(|note| !note.code.0.contains(".waiver-")).cloned());
        seen.sort();
        let mut all = bare;
        all.sort();
        prop_assert_eq!(seen, all);
        for waived in &verdict.waived {
            let held = waivers.iter().any(|waiver| {
                waiver.blocker == waived.note.code.0
                    && waiver.until.as_ref().is_ok_and(|until| *until > clock)
                    && waiver.because.as_deref() == Some("why")
                    && waiver.owner == Some("omar")
                    && !waiver.matches.is_empty()
            });
            prop_assert!(held);
            prop_assert!(waived.until > world.now);
            prop_assert!(waivable(waived.note.code));
        }
    }
}

#[test]
fn the_report_has_the_fixed_shape() {
    let mut world = World::ready();
    world.readings.at_launch = false;
    world.now = time("2026-11-25T08:10:00Z");
    world.plan.digests.procedure = digest("another");
    world.forget(|said| {
        matches!(&said.event, Event::CriterionRan { criterion, .. }
        if criterion.as_str() == "tests")
    });
    world.waive(
        Code("definition.missing"),
        &["tests"],
        "2026-12-01T00:00:00Z",
    );
    decline(&mut world.plan.contract.review);
    let verdict = world.verdict();
    let World { plan, now, .. } = &world;
    let report = verdict.to_json(
        &plan.contract.name,
        &plan.environment,
        &plan.contract.release.version,
        &plan.digests.content,
        *now,
    );
    expect_file!["report.json"].assert_eq(&serde_json::to_string_pretty(&report).unwrap());
}
