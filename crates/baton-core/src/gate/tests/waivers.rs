//! Waivers that lapse, that are too broad, and that no clock and zone makes hide
//! what they must not.

use jiff::{SignedDuration, tz};

use super::world::*;
use crate::diag::{Code, FileKind, Note, Question, Severity, Span};
use crate::event::Event;
use crate::gate::Answer;
use crate::gate::waive::{set_aside, unused};
use crate::handoff::contract::{Declined, Section, Waiver};
use crate::id::{EnvName, Handle};
use crate::time::instant;

const UNEXPLAINED: &str = "parity.unexplained";

fn differs(says: &str, name: &str) -> Note {
    Note::error(UNEXPLAINED, says).naming(name)
}

fn waiver(until: Result<jiff::Timestamp, String>) -> Waiver {
    Waiver {
        blocker: at(UNEXPLAINED.to_owned()),
        matches: vec!["env:*".to_owned()],
        because: Some("why".to_owned()),
        owner: Some(at(Handle::from("omar"))),
        until,
        pinned: Vec::new(),
        most: None,
    }
}

/// The codes and sentences that stand, and how many are set aside.
fn outcome(waiver: Waiver, notes: Vec<Note>) -> (Vec<(&'static str, String)>, usize) {
    let mut contract = World::ready().plan.contract;
    contract.waivers = vec![waiver];
    let (standing, waived) = set_aside(&contract, notes, time("2026-11-25T08:00:00Z"));
    let standing = standing.into_iter().map(|note| (note.code.0, note.says));
    (standing.collect(), waived.len())
}

#[test]
fn a_pinned_waiver_lapses_when_the_value_is_another() {
    let pinned = |values: &[&str]| Waiver {
        pinned: values.iter().map(ToString::to_string).collect(),
        ..waiver(Ok(time("2026-12-01T00:00:00Z")))
    };
    let says = |old: &str| format!("env:A differs: staging has 4, production has {old} (web1).");
    let note = |old: &str| vec![differs(&says(old), "env:A")];
    assert_eq!(outcome(pinned(&["4", "16"]), note("16")), (vec![], 1));
    for other in ["160", "16.2", "\"x 17\"", "116", "4"] {
        let (standing, waived) = outcome(pinned(&["4", "16"]), note(other));
        assert_eq!(waived, 0, "{other}");
        assert_eq!(standing[1].0, "parity.waiver-expired");
        assert!(
            standing[1].1.contains("by omar has lapsed"),
            "{}",
            standing[1].1
        );
    }
    // What it does not name it does not speak of.
    let other = vec![differs("files:b differs.", "files:b")];
    assert_eq!(outcome(pinned(&["4"]), other).0.len(), 1);
}

#[test]
fn a_waiver_that_fits_more_than_it_may_sets_nothing_aside() {
    let most = |most| Waiver {
        most: Some(most),
        ..waiver(Ok(time("2026-12-01T00:00:00Z")))
    };
    let notes = || {
        ["env:A", "env:B", "files:c"]
            .map(|name| differs(name, name))
            .to_vec()
    };
    assert_eq!(outcome(most(2), notes()).1, 2);
    let (standing, waived) = outcome(most(1), notes());
    assert_eq!((standing.len(), waived), (4, 0));
    assert_eq!(standing[3].0, "parity.waiver-invalid");
    assert!(
        standing[3]
            .1
            .contains("by omar sets nothing aside: 2 blockers"),
        "{}",
        standing[3].1
    );
}

/// What is said of waivers that fit nothing.
fn stale(world: &World) -> Vec<Note> {
    let verdict = world.verdict();
    assert!(verdict.warnings.iter().all(|note| {
        note.severity == Severity::Warning && note.code.0 == "contract.waiver-stale"
    }));
    assert!(
        !verdict
            .blockers
            .iter()
            .any(|note| note.code.0 == "contract.waiver-stale")
    );
    verdict.warnings
}

#[test]
fn a_waiver_that_fits_no_blocker_is_told_and_stops_nothing() {
    let mut world = World::ready();
    world.waive(
        Code(UNEXPLAINED),
        &["env:A", "web1"],
        "2026-12-01T00:00:00Z",
    );
    let place = Span::on_line(FileKind::Contract, 7, 5, 3);
    world.plan.contract.waivers[0].blocker.span = Some(place);
    let told = stale(&world);
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].span, Some(place));
    assert_eq!(told[0].names, [UNEXPLAINED, "env:A", "web1"]);
    assert!(
        told[0]
            .says
            .contains("for env:A and web1 by omar fits no blocker any more"),
        "{}",
        told[0].says
    );
    assert_eq!(world.verdict().verdict, Answer::Ready);

    // One that ended is of no more use, one that nobody can read is named elsewhere.
    world.plan.contract.waivers[0].until = Ok(time("2020-01-01T00:00:00Z"));
    assert_eq!(stale(&world).len(), 1);
    world.plan.contract.waivers[0].until = Err("soon".to_owned());
    assert_eq!(stale(&world), []);
}

#[test]
fn a_waiver_is_stale_only_where_its_question_had_its_evidence() {
    let waived = |code, matches: &[&str]| {
        let mut world = World::ready();
        world.waive(Code(code), matches, "2026-12-01T00:00:00Z");
        world
    };
    let unread = |world: &mut World| {
        world.forget(|said| matches!(said.event, Event::Fingerprinted { .. }));
    };
    let mut world = waived(UNEXPLAINED, &["env:A"]);
    unread(&mut world);
    assert_eq!(stale(&world), [], "there is no fingerprint");
    let mut world = waived("definition.failed", &["tests"]);
    assert_eq!(stale(&world).len(), 1);
    unread(&mut world);
    assert_eq!(
        stale(&world).len(),
        1,
        "another question lacks its evidence"
    );
    world.readings.release = Err("gone".to_owned());
    assert_eq!(stale(&world), [], "the release cannot be read");

    let mut world = waived("room.no-go", &["omar"]);
    world.readings.at_launch = true;
    assert_eq!(stale(&world).len(), 1);
    world.readings.at_launch = false;
    assert_eq!(stale(&world), [], "the room is asked later");

    let mut world = waived(UNEXPLAINED, &["env:A"]);
    world.plan.contract.launch.environment = at(EnvName::from("elsewhere"));
    assert_eq!(stale(&world), [], "what was asked about is not the launch");
    let declined = World::with(|plan| {
        plan.contract.parity = Section::Declined(Declined {
            declined: "one machine".to_owned(),
            by: at(Handle::from("pia")),
        });
    });
    let mut world = declined;
    world.waive(Code(UNEXPLAINED), &["env:A"], "2026-12-01T00:00:00Z");
    assert_eq!(stale(&world), [], "the question was declined");
}

#[test]
fn a_waiver_that_fits_is_not_stale_whether_it_holds_or_not() {
    let contract = |waiver: Waiver| {
        let mut contract = World::ready().plan.contract;
        contract.waivers = vec![waiver];
        contract
    };
    let usual = || waiver(Ok(time("2026-12-01T00:00:00Z")));
    let notes = [differs("env:A differs.", "env:A")];
    let pinned = vec!["17".to_owned()];
    for fits in [
        usual(),
        Waiver { pinned, ..usual() },
        Waiver {
            most: Some(0),
            ..usual()
        },
    ] {
        assert_eq!(unused(&contract(fits), &[Question::Parity], &notes), []);
    }
    let other = [differs("files:b differs.", "files:b")];
    assert_eq!(
        unused(&contract(usual()), &[Question::Parity], &other).len(),
        1
    );
    assert_eq!(unused(&contract(usual()), &[Question::Room], &other), []);
}

/// xorshift64* (Vigna, 2016).
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: i64) -> i64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) % most.unsigned_abs()) as i64
    }
}

/// So many ends of waivers, written in any zone or wrongly, against any clock.
fn hidden_wrongly(cases: u32) -> u32 {
    let mut contract = World::ready().plan.contract;
    let mut dice = Dice(20_261_123);
    let mut wrong = 0;
    for _ in 0..cases {
        let now = time("2026-11-25T08:00:00Z") + SignedDuration::from_secs(dice.below(400_000_000));
        // Mostly around the end of the waiver: where a zone taken wrongly shows.
        let away = match dice.below(3) {
            0 => dice.below(5) - 2,
            1 => dice.below(200_000) - 100_000,
            _ => (dice.below(113) - 56) * 900,
        };
        let zone = tz::Offset::from_seconds(((dice.below(113) - 56) * 900) as i32).unwrap();
        let until = (now + SignedDuration::from_secs(away)).to_zoned(zone.to_time_zone());
        let whole = until.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
        let written = match dice.below(8) {
            0 => until.strftime("%Y-%m-%dT%H:%M:%S").to_string(),
            1 => until.strftime("%Y-%m-%d").to_string(),
            2 => until.strftime("%d.%m.%Y %H:%M%:z").to_string(),
            3 => format!("{whole} or so"),
            _ => whole.clone(),
        };
        let in_force = written == whole && away > 0;
        contract.waivers = vec![waiver(instant(&written).map_err(|_unread| written))];
        let notes = vec![differs("env:A differs.", "env:A")];
        let (_, waived) = set_aside(&contract, notes, now);
        wrong += u32::from(waived.is_empty() == in_force);
    }
    wrong
}

/// How many cases: a million with `BATON_WAIVERS=1000000 cargo test -p baton-core waiver`.
fn cases() -> u32 {
    option_env!("BATON_WAIVERS").map_or(5_000, |count| count.parse().unwrap())
}

#[test]
fn no_clock_and_no_zone_makes_a_waiver_hide_what_it_must_not() {
    assert_eq!(hidden_wrongly(cases()), 0);
}

#[test]
fn codes_of_waivers_are_known() {
    for code in ["parity.waiver-expired", "parity.waiver-invalid"] {
        assert!(Code::blocker(code).is_some(), "{code}");
    }
}
