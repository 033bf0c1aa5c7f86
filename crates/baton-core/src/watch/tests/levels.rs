//! Levels, against their limit and against a control.

use super::*;

fn level(canary: f64, control: Option<f64>) -> BTreeMap<MeasureId, Sample> {
    let level = |mean| Level { readings: 2, mean };
    of(Sample {
        detail: Some(Detail::Gauge {
            canary: level(canary),
            control: control.map(level),
        }),
        ..Sample::default()
    })
}

#[test]
fn a_level_is_held_to_its_limit_and_to_the_control() {
    let heap = |limit, worse_by| {
        let heap = Measure {
            kind: Kind::Gauge,
            ..measure("errors", limit, worse_by)
        };
        Judge::new(&terms(40, vec![heap]))
    };
    let mut dice = Dice(32);
    let mut watch = |mut judge: Judge, height: f64, control: Option<f64>| {
        let looks = (0..40).map(|_| {
            let mut noisy = |at: f64| at + dice.normal() * 2.0;
            judge.observe(&level(noisy(height), control.map(&mut noisy)))
        });
        looks.last().unwrap()
    };
    let low = watch(heap(Some(80.0), None), 60.0, None);
    assert_eq!(low.decision, Decision::Keep, "{}", low.because);
    assert!(low.because.contains("errors at 6"), "{}", low.because);
    let high = watch(heap(Some(80.0), None), 90.0, None);
    assert_eq!(high.decision, Decision::RollBack);
    assert!(
        high.because.contains("above the agreed 80"),
        "{}",
        high.because
    );
    let more = watch(heap(None, Some(0.1)), 60.0, Some(50.0));
    assert_eq!(more.decision, Decision::RollBack);
    let same = watch(heap(None, Some(0.1)), 50.0, Some(50.0));
    assert_eq!(same.decision, Decision::Keep);
    assert!(
        same.because.contains("without the change"),
        "{}",
        same.because
    );
    let assumed = &same.measures[0].assumptions;
    assert!(
        !assumed.iter().any(|says| says.contains("no control")),
        "{assumed:?}"
    );
    let alone = watch(heap(None, Some(0.1)), 50.0, None);
    assert_eq!(alone.decision, Decision::Hold);
    assert!(
        alone.because.contains("nothing to compare with"),
        "{}",
        alone.because
    );
}

fn heap(limit: Option<f64>, worse_by: Option<f64>) -> Judge {
    let heap = Measure {
        kind: Kind::Gauge,
        ..measure("errors", limit, worse_by)
    };
    Judge::new(&terms(40, vec![heap]))
}

fn ended(mut judge: Judge, mut at: impl FnMut(u32) -> BTreeMap<MeasureId, Sample>) -> Verdict {
    (0..40).map(|i| judge.observe(&at(i))).last().unwrap()
}

#[test]
fn a_level_that_never_changes_is_judged_by_where_it_is() {
    for (at, limit, decision) in [
        (97.0, 90.0, Decision::RollBack),
        (3.0, 0.0, Decision::RollBack),
        (0.0, 0.0, Decision::Keep),
        (90.0, 90.0, Decision::Keep),
        (89.0, 90.0, Decision::Keep),
    ] {
        let end = ended(heap(Some(limit), None), |_| level(at, None));
        assert_eq!(end.decision, decision, "{at} {limit}: {}", end.because);
    }
}

#[test]
fn a_level_beyond_its_limit_is_not_kept_even_when_that_is_not_proven() {
    // It crosses the limit again and again, and lies above it on the whole.
    let swings = |i: u32| if i % 4 < 2 { 60.0 } else { 110.0 };
    let end = ended(heap(Some(80.0), None), |i| level(swings(i), None));
    assert_eq!(end.decision, Decision::Hold, "{}", end.because);
    let says = "errors at 85 lies beyond what was agreed, though";
    assert!(end.because.contains(says), "{}", end.because);
    let end = ended(heap(Some(88.0), None), |i| level(swings(i), None));
    assert_eq!(end.decision, Decision::Keep, "{}", end.because);
}

#[test]
fn levels_below_zero_are_compared_by_their_size() {
    let mut dice = Dice(33);
    let free = |canary: f64| {
        let noise: Vec<f64> = (0..80).map(|_| dice.normal() * 3.0).collect();
        ended(heap(None, Some(0.1)), |i| {
            let [one, other] = [0, 40].map(|at| noise[at + i as usize]);
            level(canary + one, Some(other - 500.0))
        })
    };
    let [same, worse] = [-500.0, -300.0].map(free);
    assert_eq!(same.decision, Decision::Keep, "{}", same.because);
    assert_eq!(worse.decision, Decision::RollBack, "{}", worse.because);
}
