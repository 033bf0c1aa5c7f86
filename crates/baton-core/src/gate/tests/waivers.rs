//! Waivers that lapse, that are too broad, and that no clock and zone makes hide
//! what they must not.

use jiff::{SignedDuration, tz};

use super::world::*;
use crate::diag::{Code, Note};
use crate::gate::waive::set_aside;
use crate::handoff::contract::Waiver;
use crate::id::Handle;
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
