//! Watches: harm, and what follows it.

use std::collections::BTreeMap;

use serde_json::json;

use super::{Toy, plan, step};
use crate::event::{Event, Outcome, RunKind};
use crate::id::MeasureId;
use crate::run::Next;
use crate::run::waits::Ask;
use crate::watch::{Counts, Sample};

/// One step, then a watch of a minute in which every answer is bad.
fn harmed(on_harm: &str) -> Toy {
    let contract = json!({
        "success": { "defined": [{
            "id": "errors", "says": "errors", "owner": null, "backup": null,
            "source": { "probe": { "url": "http://localhost/", "every": 1000 } },
            "quantile": null, "at_most": 0.01, "worse_by": null,
        }] },
        "watch": { "for": 60_000, "on_harm": on_harm, "false_alarm": 0.01 },
    });
    let steps = vec![step("a", &[], json!({}))];
    let mut toy = Toy::new(RunKind::Launch, plan(steps, contract), |_| {});
    watch(&mut toy, 1000);
    toy
}

/// Goes on with so many bad answers out of a thousand in every look, until
/// nothing is left to look at.
fn watch(toy: &mut Toy, bad: u64) -> Next {
    let counts = Counts { bad, total: 1000 };
    let sample = Sample::of(counts, None);
    let samples = BTreeMap::from([(MeasureId::from("errors"), sample)]);
    loop {
        match toy.go() {
            Next::Look => {
                let verdict = toy.state.verdict_on(&samples).unwrap();
                let mut lie = verdict.clone();
                lie.measures[0].bar += 1.0;
                let lie = Event::Judged {
                    samples: samples.clone(),
                    verdict: lie,
                };
                let refused = toy.try_say("baton", lie).unwrap_err().to_string();
                assert!(refused.contains("`bar` of errors is "), "{refused}");
                let samples = samples.clone();
                // What the journal gives back is judged to the same bits.
                let event = Event::Judged { samples, verdict };
                let written = serde_json::to_string(&event).unwrap();
                toy.say("baton", serde_json::from_str(&written).unwrap());
                let again = toy.state.watch.as_ref().and_then(|w| w.verdict.as_ref());
                let Event::Judged { verdict, .. } = &event else {
                    unreachable!()
                };
                assert_eq!(again, Some(verdict));
            }
            Next::Wait(Some(at)) => toy.now = at,
            next => return next,
        }
    }
}

#[test]
fn harm_is_met_as_the_contract_says() {
    let toy = harmed("roll-back");
    assert_eq!(toy.did(), ["run a h0", "Back", "undo a h0"]);
    assert_eq!(toy.outcome(), Some(Outcome::RolledBack));
    for on_harm in ["stop", "ask"] {
        let mut toy = harmed(on_harm);
        assert_eq!(toy.did(), ["run a h0"]);
        assert!(matches!(toy.asks()[..], [Ask::Decide { harm: true, .. }]));
        toy.say("omar", Event::RollbackCalled { because: None });
        assert_eq!(toy.go(), Next::Halt);
        assert_eq!(toy.outcome(), Some(Outcome::RolledBack));
    }
}

/// A clock that jumps brings one look early; the watch still has all its looks.
#[test]
fn a_clock_that_jumps_ends_no_watch_early() {
    let mut toy = harmed("ask");
    toy.say("omar", Event::Resumed);
    let sample = Sample::of(
        Counts {
            bad: 0,
            total: 1000,
        },
        None,
    );
    let samples = BTreeMap::from([(MeasureId::from("errors"), sample)]);
    let mut looks = 0;
    loop {
        match toy.go() {
            Next::Look => {
                looks += 1;
                let (samples, verdict) = (samples.clone(), toy.state.verdict_on(&samples));
                let verdict = verdict.unwrap();
                toy.say("baton", Event::Judged { samples, verdict });
                if looks == 1 {
                    toy.now = crate::time::Duration::from_secs(86_400).after(toy.now);
                }
            }
            Next::Wait(Some(at)) => toy.now = at,
            next => {
                assert_eq!(next, Next::Wait(None));
                break;
            }
        }
    }
    assert_eq!(looks, 40, "a minute in looks of 1.5 s");
    assert_eq!(toy.asks(), [Ask::AcceptLive]);
}

/// Who lets a harmed release go on begins its watch anew; only then may the
/// receiver take over.
#[test]
fn after_harm_a_person_may_have_it_watched_again() {
    let mut toy = harmed("ask");
    toy.say("omar", Event::Resumed);
    assert!(toy.try_say("omar", Event::AcceptedLive).is_err());
    assert_eq!(watch(&mut toy, 0), Next::Wait(None));
    assert_eq!(toy.asks(), [Ask::AcceptLive]);
    toy.say("omar", Event::AcceptedLive);
    assert_eq!(toy.go(), Next::Halt);
    assert_eq!(toy.outcome(), Some(Outcome::Succeeded));
}
