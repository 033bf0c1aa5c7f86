//! Sources that are not there at every look, or not all of them.

use super::*;

fn unread(sample: Sample) -> Sample {
    let because = "ssh: connection refused".to_owned();
    Sample {
        trouble: Some(Trouble::Unread { because }),
        ..sample
    }
}

/// A judge that looks every `look` milliseconds.
fn looking(look: u64, looks: u32, limit: Option<f64>, worse_by: Option<f64>) -> Judge {
    let mut errors = measure("errors", limit, worse_by);
    errors.learned.split = worse_by.map(|_| 0.5);
    Judge::new(&Terms {
        interval_s: u32::try_from(look / 1000).unwrap(),
        ..terms(looks, vec![errors])
    })
}

/// What scrapes every `scrape` ms bring home at each look: 10 requests a second, this
/// share of them bad. The control is scraped `phase` ms after the canary.
fn scraped(look: u64, scrape: u64, phase: u64, bad: [f64; 2]) -> impl FnMut(u32) -> Sample {
    move |i| {
        let at = u64::from(i) * look;
        let side = |off: u64, bad: f64| {
            let scrapes = (at + look + off) / scrape - (at + off) / scrape;
            let total = scrapes * scrape / 100;
            Counts::new((total as f64 * bad).round() as u64, total)
        };
        Sample::of(side(0, bad[0]), Some(side(phase, bad[1])))
    }
}

#[test]
fn any_scrape_interval_suits_any_look_and_any_phase() {
    for look in [7_500, 15_000] {
        for scrape in [5_000, 10_000, 15_000, 20_000, 30_000, 60_000] {
            for phase in [0, scrape / 2, scrape - 100] {
                let what = format!("{look} {scrape} {phase}");
                let mut judge = looking(look, 40, None, Some(0.01));
                let mut next = scraped(look, scrape, phase, [0.01, 0.01]);
                for i in 0..40 {
                    let verdict = judge.observe(&of(next(i)));
                    let off = verdict.because.contains("of the traffic goes");
                    assert!(!off, "{what} at {i}: {}", verdict.because);
                }
                let end = judge.verdict();
                assert_eq!(end.decision, Decision::Keep, "{what}: {}", end.because);
                let mut judge = looking(look, 40, None, Some(0.01));
                let worse = scraped(look, scrape, phase, [0.3, 0.01]);
                let found = rolled_back(&mut judge, 40, worse);
                assert!(found.is_some(), "{what}");
                let mut judge = looking(look, 40, Some(0.05), None);
                let dead = scraped(look, scrape, phase, [1.0, 0.0]);
                assert!(rolled_back(&mut judge, 40, dead).is_some(), "{what}");
            }
        }
    }
}

#[test]
fn a_hard_stop_counts_scrapes_not_looks() {
    let mut judge = looking(7_500, 40, None, None);
    let mut next = scraped(7_500, 30_000, 0, [1.0, 0.0]);
    let dead = |i: u32| Sample {
        control: None,
        ..next(i - 1)
    };
    assert_eq!(rolled_back(&mut judge, 40, dead), Some(20));
}

#[test]
fn a_source_that_falls_silent_is_blind_soon_after_its_rhythm() {
    for (scrape, blind_after) in [(15_000, 3), (30_000, 5), (60_000, 9)] {
        let mut judge = looking(15_000, 40, Some(0.05), None);
        let mut next = scraped(15_000, scrape, 0, [0.0, 0.0]);
        let last: u32 = 23;
        let states = (0..40).map(|i| {
            let sample = if i <= last {
                next(i)
            } else {
                Sample::default()
            };
            judge.observe(&of(sample)).measures[0].state
        });
        let blind = states
            .enumerate()
            .filter(|(i, state)| *i > 3 && *state == State::Blind);
        let first = blind.map(|(i, _)| i).next();
        assert_eq!(first, Some(last as usize + blind_after), "{scrape}");
    }
}

#[test]
fn what_one_host_hides_does_not_hide_the_others() {
    // Seven hosts answer nothing but errors, the eighth cannot be read.
    let mut judge = looking(15_000, 40, Some(0.01), None);
    let found = rolled_back(&mut judge, 40, |_| unread(canary(3, 3)));
    assert!(found.is_some_and(|found| found <= 5), "{found:?}");
    let mut judge = looking(15_000, 40, None, None);
    let found = rolled_back(&mut judge, 40, |_| unread(canary(3, 3)));
    assert_eq!(found, Some(5), "the hard stop");
    // They are all right, but nobody knows of the eighth.
    let mut judge = looking(15_000, 40, Some(0.01), None);
    let looks = (0..40).map(|_| judge.observe(&of(unread(canary(0, 1_000)))));
    let end = looks.last().unwrap();
    assert_eq!(end.decision, Decision::Hold);
    assert_eq!(end.measures[0].state, State::Blind);
    let says = "errors could not be read: ssh: connection refused";
    assert!(end.because.contains(says), "{}", end.because);
    // Nor is it proven fine by those.
    let end = judge.observe(&of(canary(0, 1)));
    assert_ne!(end.measures[0].state, State::Fine);
}

#[test]
fn what_a_missing_host_leaves_is_no_split() {
    let mut judge = looking(15_000, 40, None, Some(0.01));
    for _ in 0..10 {
        let half = unread(both(0, 0, 1_000));
        let half = Sample {
            canary: Counts::new(0, 100),
            ..half
        };
        let verdict = judge.observe(&of(half));
        assert!(
            !verdict.because.contains("of the traffic"),
            "{}",
            verdict.because
        );
    }
}

#[test]
fn a_source_whose_clock_is_off_is_blind() {
    let mut judge = errors(Some(0.01), None, 4);
    let lying = Sample {
        trouble: Some(Trouble::ClockSkew { seconds: -300 }),
        ..Sample::default()
    };
    let last = (0..4).map(|_| judge.observe(&of(lying.clone()))).last();
    let verdict = last.unwrap();
    assert_eq!(verdict.decision, Decision::Hold);
    assert_eq!(verdict.measures[0].state, State::Blind);
    let says = "errors cannot be judged: the clock of its source is 5 min behind";
    assert!(verdict.because.contains(says), "{}", verdict.because);
}
