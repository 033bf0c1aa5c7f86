//! Blind answers, conflicts and how they are settled; offer and acceptance.

use super::world::*;
use crate::event::Event;
use crate::gate::*;
use crate::handoff::contract::*;
use crate::id::*;

const AT: &str = "2026-11-25T07:31:00Z";

/// Ready but for the answers.
fn unanswered() -> World {
    let mut world = World::ready();
    world.forget(|s| matches!(s.event, Event::Answered { .. } | Event::Opened { .. }));
    world
}

/// One round: both answer, then both open.
fn round(
    world: &mut World,
    (giver, one): (&'static str, &str),
    (taker, other): (&'static str, &str),
) {
    world.answer(AT, giver, "development", one);
    world.answer(AT, taker, "operations", other);
    world.open(AT, giver, "development", one);
    world.open(AT, taker, "operations", other);
}

#[test]
fn a_conflict_is_settled_by_one_new_equal_answer_of_each() {
    let mut world = unanswered();
    round(&mut world, ("dana", "900"), ("omar", "500"));
    assert_eq!(world.codes(), ["alignment.conflict"]);
    let says = &world.verdict().blockers[0].says;
    for part in ["900", "500", "dana", "omar", "10%"] {
        assert!(says.contains(part), "{says}");
    }
    // One side alone settles nothing, whoever of it speaks.
    world.answer(AT, "lee", "development", "500");
    world.open(AT, "lee", "development", "500");
    assert_eq!(world.codes(), ["alignment.conflict"]);

    let mut world = unanswered();
    round(&mut world, ("dana", "900"), ("omar", "500"));
    round(&mut world, ("lee", "600"), ("pia", "600"));
    assert_eq!(world.codes(), [""; 0]);
    round(&mut world, ("dana", "900"), ("omar", "600"));
    assert_eq!(world.codes(), ["alignment.conflict"]);
}

#[test]
fn answering_anew_reopens_what_was_settled() {
    let mut world = World::ready();
    world.answer(AT, "omar", "operations", "100");
    let blockers = world.verdict().blockers;
    assert_eq!(blockers[0].code.0, "alignment.unanswered");
    assert_eq!(blockers[0].names, ["peak", "development"]);
}

#[test]
fn an_answer_counts_only_from_a_member_for_their_own_side() {
    // dana cannot answer for operations, nor one person for both.
    let mut world = unanswered();
    round(&mut world, ("dana", "900"), ("lee", "900"));
    assert_eq!(world.verdict().blockers[0].names, ["peak", "operations"]);

    let mut world = unanswered();
    let team = world.plan.contract.teams.get_mut("operations").unwrap();
    team.push(at(Handle::from("dana")));
    round(&mut world, ("dana", "900"), ("dana", "900"));
    let blockers = world.verdict().blockers;
    let unanswered = blockers.iter().find(|n| n.code.0 == "alignment.unanswered");
    assert_eq!(unanswered.unwrap().names, ["peak", "operations"]);
}

#[test]
fn an_opening_must_match_its_commitment_and_come_after_both() {
    let mut world = unanswered();
    world.answer(AT, "dana", "development", "900");
    world.answer(AT, "omar", "operations", "500");
    world.open(AT, "dana", "development", "900");
    world.open(AT, "omar", "operations", "900");
    let blockers = world.verdict().blockers;
    assert_eq!(
        blockers[0].code.0, "alignment.unanswered",
        "it was committed to 500"
    );
    assert_eq!(blockers[0].names, ["peak", "operations"]);

    let mut world = unanswered();
    world.answer(AT, "dana", "development", "900");
    world.open(AT, "dana", "development", "900");
    world.answer(AT, "omar", "operations", "900");
    world.open(AT, "omar", "operations", "900");
    let blockers = world.verdict().blockers;
    assert_eq!(blockers[0].code.0, "alignment.unanswered");
    assert!(
        blockers[0].says.contains("not blind"),
        "{}",
        blockers[0].says
    );
    round(&mut world, ("dana", "900"), ("omar", "900"));
    assert_eq!(world.codes(), [""; 0]);
}

#[test]
fn answers_to_another_question_do_not_count() {
    let mut world = World::ready();
    let Section::Defined(asked) = &mut world.plan.contract.expectations else {
        return;
    };
    asked[0].ask = "Peak orders per second?".to_owned();
    let blockers = world.verdict().blockers;
    assert_eq!(blockers[0].code.0, "alignment.unanswered");
    assert_eq!(blockers[0].names, ["peak", "development", "operations"]);
}

#[test]
fn answers_agree_by_their_kind() {
    let asked = |answer, within| Expectation {
        id: at(ExpectationId::from("peak")),
        ask: String::new(),
        answer,
        within,
    };
    let choice = AnswerKind::Choice(vec!["cents".to_owned(), "euros".to_owned()]);
    for (kind, within, one, other, agrees) in [
        (AnswerKind::Number, Some(0.1), "1000", "900", true),
        (AnswerKind::Number, Some(0.1), "900", "1000", true),
        (AnswerKind::Number, Some(0.1), "1000", "899", false),
        (AnswerKind::Number, Some(0.1), "-1000", "1000", false),
        (AnswerKind::Number, Some(29.0 / 100.0), "71", "100", true),
        (
            AnswerKind::Number,
            Some(29.0 / 100.0),
            "70.999",
            "100",
            false,
        ),
        (AnswerKind::Number, None, "5", "5.0", true),
        (AnswerKind::Number, None, "5", "5.1", false),
        (AnswerKind::Number, Some(0.5), "5", "many", false),
        (AnswerKind::Number, Some(0.5), "inf", "5", false),
        (AnswerKind::Duration, None, "5m", "300s", true),
        (AnswerKind::Duration, None, "5m", "301s", false),
        (AnswerKind::Duration, Some(0.5), "5m", "10m", true),
        (AnswerKind::Text, None, " Cents\n", "cents", true),
        (AnswerKind::Text, None, "5", "5.0", false),
        (AnswerKind::YesNo, None, "yes", "Yes", true),
        (AnswerKind::YesNo, None, "yes", "no", false),
        (choice.clone(), None, "cents", "cents", true),
        (choice, None, "cents", "euros", false),
    ] {
        let asked = asked(kind, within);
        assert_eq!(agree(&asked, one, other), agrees, "{one} {other} {asked:?}");
        assert_eq!(agree(&asked, other, one), agrees);
    }
}

#[test]
fn nobody_accepts_their_own_offer() {
    let mut world = World::ready();
    let team = world.plan.contract.teams.get_mut("operations").unwrap();
    team.push(at(Handle::from("dana")));
    for said in &mut world.story {
        if matches!(said.event, Event::Accepted { .. }) {
            said.by = "dana";
        }
    }
    let verdict = world.verdict();
    let codes: Vec<&str> = verdict.blockers.iter().map(|n| n.code.0).collect();
    assert!(codes.contains(&"alignment.not-accepted"), "{codes:?}");
    // Another member of the giving team offers: now two people agree.
    let content = world.plan.digests.content.clone();
    world.say(
        AT,
        "lee",
        Event::Offered {
            content,
            plan: None,
        },
    );
    assert!(!world.codes().contains(&"alignment.not-accepted"));
}

#[test]
fn votes_count_since_the_acceptance_and_the_last_launch() {
    let mut world = World::ready();
    // Accepting the same content again does not undo the poll.
    let content = world.plan.digests.content.clone();
    world.say(AT, "omar", Event::Accepted { content });
    assert_eq!(world.codes(), [""; 0]);
    // Another content does.
    world.plan.digests.content = digest("another");
    let content = digest("another");
    let offered = Event::Offered {
        content: content.clone(),
        plan: None,
    };
    world.say(AT, "dana", offered);
    world.say(AT, "omar", Event::Accepted { content });
    assert_eq!(world.codes(), ["room.not-voted", "room.not-voted"]);
}

#[test]
fn confidence_is_compared_by_team_only_when_nobody_is_given_away() {
    let mut world = World::ready();
    for (team, extra) in [
        ("development", ["ann", "ben"]),
        ("operations", ["cat", "dan"]),
    ] {
        for by in extra {
            let like = world.plan.contract.people["omar"].clone();
            world.plan.contract.people.insert(Handle::from(by), like);
            let team = world.plan.contract.teams.get_mut(team).unwrap();
            team.push(at(Handle::from(by)));
        }
    }
    let at = "2026-11-25T08:07:00Z";
    for by in ["dana", "lee", "ann"] {
        world.vote(at, by, true, 2);
    }
    let gap = |world: &World| {
        let blockers = world.verdict().blockers.into_iter();
        blockers
            .filter(|n| n.code.0 == "room.confidence-gap")
            .map(|n| n.names)
            .next()
    };
    assert_eq!(
        gap(&world),
        Some(vec![]),
        "two of operations have voted: no sides are told"
    );
    let sure = |world: &World| poll(&world.plan, &world.facts(), world.now).sure;
    assert_eq!(sure(&world), None, "two of operations have voted");
    world.vote(at, "cat", true, 4);
    let told = sure(&world).unwrap();
    let told: Vec<_> = told
        .iter()
        .map(|(team, mean)| (team.as_str(), *mean))
        .collect();
    assert_eq!(told, [("development", 2.0), ("operations", 4.0)]);
    let teams = vec!["development".to_owned(), "operations".to_owned()];
    assert_eq!(gap(&world), Some(teams));
    for by in ["dana", "lee", "ann"] {
        world.vote(at, by, true, 3);
    }
    assert_eq!(gap(&world), None);
}

#[test]
fn people_see_of_an_expectation_what_the_gate_weighs() {
    let see = |world: &World| {
        let facts = world.facts();
        let asked = &world.plan.contract.expectations.defined().unwrap()[0];
        let seen = stand(&world.plan, &facts, asked);
        let wanted: Vec<&str> = seen.wanted.iter().map(|team| team.as_str()).collect();
        let opened = seen.opened.map(|both| both.join(" and "));
        format!("{:?} {opened:?} {wanted:?}", seen.given)
    };
    let mut world = unanswered();
    let nobody = r#"[false, false] None ["development", "operations"]"#;
    assert_eq!(see(&world), nobody);
    world.answer(AT, "dana", "development", "900");
    assert_eq!(see(&world), r#"[true, false] None ["operations"]"#);
    world.answer(AT, "omar", "operations", "500");
    assert_eq!(see(&world), "[true, true] None []");
    world.open(AT, "dana", "development", "900");
    assert_eq!(
        see(&world),
        "[true, true] None []",
        "one side alone stays shut"
    );
    world.open(AT, "omar", "operations", "500");
    let differ = r#"[true, true] Some("900 and 500") ["development", "operations"]"#;
    assert_eq!(see(&world), differ);
    world.answer(AT, "pia", "operations", "900");
    let again = r#"[false, true] Some("900 and 500") ["development"]"#;
    assert_eq!(see(&world), again);
    let facts = world.facts();
    let asked = &world.plan.contract.expectations.defined().unwrap()[0];
    let by = |who| answer_by(&world.plan, &facts, asked, &Handle::from(who));
    assert_eq!(by("pia").map(|(team, _)| team.as_str()), Some("operations"));
    assert_eq!(by("lee"), None);
}
