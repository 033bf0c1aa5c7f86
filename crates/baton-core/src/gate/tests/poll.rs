//! The poll: closed until all are in, and what blocks until it was talked about.

use super::world::{World, name};
use crate::event::Event;
use crate::gate::{commitment, poll, votes_to_open};
use crate::handoff::contract::Role;
use crate::id::{Digest, RoleName};

/// Minutes after eight on the day of the launch, when all others have voted.
fn at(minute: u32) -> String {
    format!("2026-11-25T08:{minute:02}:00Z")
}

fn closed(world: &World, by: &str, confidence: u8) -> (Event, Digest) {
    let commitment = commitment(by, &confidence.to_string());
    let vote = Event::Voted {
        go: true,
        confidence: None,
        commitment: Some(commitment.clone()),
        because: None,
        content: world.plan.digests.content.clone(),
    };
    (vote, commitment)
}

fn open(by: &str, commitment: Digest, confidence: u8) -> Event {
    Event::ConfidenceOpened {
        commitment,
        confidence,
        salt: by.to_owned(),
    }
}

fn talked() -> Event {
    let text = "we lower the limit first".to_owned();
    Event::Talked { text }
}

fn to_open(world: &World) -> Vec<String> {
    let facts = world.facts();
    let open = votes_to_open(&world.plan, &facts).into_iter();
    open.map(|(by, _)| by.to_string()).collect()
}

#[test]
fn confidence_stays_closed_until_every_role_has_voted() {
    let role = Role {
        owner: name("lee"),
        backup: name("dana"),
    };
    let communications = RoleName::from("communications");
    let mut world = World::with(|plan| drop(plan.contract.roles.insert(communications, role)));
    world.forget(|said| matches!(said.event, Event::Voted { .. }));
    world.readings.present.insert("lee".into());

    let (vote, omar) = closed(&world, "omar", 4);
    world.say(&at(5), "omar", vote);
    assert!(to_open(&world).is_empty(), "lee has not voted");
    let (vote, lee) = closed(&world, "lee", 2);
    world.say(&at(6), "lee", vote);
    assert_eq!(to_open(&world), ["lee", "omar"]);
    assert_eq!(
        world.codes(),
        ["room.not-voted", "room.not-voted"],
        "both are closed"
    );

    // Another number than was committed to, or somebody else's, opens nothing.
    world.say(&at(7), "omar", open("omar", omar.clone(), 5));
    world.say(&at(7), "lee", open("omar", omar.clone(), 4));
    assert_eq!(to_open(&world), ["lee", "omar"]);
    world.say(&at(8), "omar", open("omar", omar, 4));
    assert_eq!(to_open(&world), ["lee"]);
    assert_eq!(world.codes(), ["room.not-voted"]);
    world.say(&at(8), "lee", open("lee", lee, 2));
    assert_eq!(world.codes(), ["room.confidence-gap"], "four and two");
    world.say(&at(9), "omar", talked());
    assert!(world.codes().is_empty(), "{:?}", world.codes());
}

#[test]
fn a_no_go_stands_until_it_was_talked_about_and_taken_back() {
    let open = ["room.no-go"];
    for (words, codes) in [
        (&["no-go"][..], &open[..]),
        (&["no-go", "go"], &open),
        (&["no-go", "talk"], &open),
        (&["talk", "no-go", "go"], &open),
        (&["no-go", "talk", "no-go", "go"], &open),
        (&["no-go", "talk", "go"], &[]),
        (&["no-go", "go", "talk"], &[]),
        (&["go"], &[]),
    ] {
        let mut world = World::ready();
        for (minute, word) in (10..).zip(words) {
            match *word {
                "talk" => world.say(&at(minute), "omar", talked()),
                word => world.vote(&at(minute), "pia", word == "go", 4),
            }
        }
        assert_eq!(world.codes(), codes, "{words:?}");
        let talk = poll(&world.plan, &world.facts(), world.now).talk;
        assert_eq!(talk.is_some(), !codes.is_empty(), "{words:?}: {talk:?}");
    }
}
