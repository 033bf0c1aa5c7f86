//! What a comparison stands on: the split of the traffic, levels, and verdicts
//! that are the same.

use super::*;

/// The judge of one measure against a control that is to get half of the traffic.
fn halved() -> Judge {
    let mut errors = measure("errors", None, Some(0.005));
    errors.learned.split = Some(0.5);
    Judge::new(&terms(30, vec![errors]))
}

/// One interval in which nothing is bad.
fn traffic(canary: u64, control: u64) -> Sample {
    Sample::of(Counts::new(0, canary), Some(Counts::new(0, control)))
}

#[test]
fn a_split_that_cannot_be_is_doubted_and_a_crooked_one_is_not() {
    for (canary, control, looks, doubted) in [
        (500, 500, 30, false),
        // The margin of 1.25, and luck in small numbers.
        (550, 450, 30, false),
        (3, 1, 3, false),
        (900, 100, 1, true),
        (100, 900, 1, true),
        (600, 400, 30, true),
        (3, 1, 30, true),
    ] {
        let mut judge = halved();
        let last = (0..looks).map(|_| judge.observe(&of(traffic(canary, control))));
        let because = last.last().unwrap().because;
        let says = "of the traffic goes to the change, where 50% was meant";
        assert_eq!(
            because.contains(says),
            doubted,
            "{canary}:{control} {because}"
        );
    }
}

#[test]
fn a_split_that_is_right_is_hardly_ever_doubted() {
    let mut dice = Dice(31);
    let doubted = (0..300).filter(|_| {
        let mut judge = halved();
        (0..30).any(|_| {
            let canary = (0..100).filter(|_| dice.roll() < 0.5).count() as u64;
            let verdict = judge.observe(&of(traffic(canary, 100 - canary)));
            verdict.because.contains("cannot be compared")
        })
    });
    assert!(doubted.count() <= 3);
}

#[test]
fn what_is_split_wrongly_is_held_and_judged_again_when_it_is_right() {
    let mut judge = halved();
    let bad = Sample::of(Counts::new(80, 900), Some(Counts::new(0, 100)));
    let mut held = judge.clone();
    for _ in 0..30 {
        let verdict = held.observe(&of(bad.clone()));
        assert_eq!(verdict.decision, Decision::Hold, "{}", verdict.because);
    }
    assert_eq!(
        held.verdict().because,
        "Cannot tell whether all is well: errors cannot be compared: 90% of the traffic goes to \
         the change, where 50% was meant."
    );
    let _doubt = judge.observe(&of(traffic(900, 100)));
    for _ in 0..5 {
        let _doubt = judge.observe(&of(traffic(500, 500)));
    }
    assert!(!judge.verdict().because.contains("cannot be compared"));
    let found = rolled_back(&mut judge, 10, |_| {
        Sample::of(Counts::new(40, 500), Some(Counts::new(0, 500)))
    });
    assert!(found.is_some());
}

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

#[test]
fn a_source_whose_clock_is_off_is_blind_whatever_it_says() {
    let mut judge = errors(Some(0.01), None, 4);
    let lying = Sample {
        trouble: Some(Trouble::ClockSkew { seconds: -300 }),
        ..canary(900, 1_000)
    };
    let last = (0..4).map(|_| judge.observe(&of(lying.clone()))).last();
    let verdict = last.unwrap();
    assert_eq!(verdict.decision, Decision::Hold);
    assert_eq!(verdict.measures[0].state, State::Blind);
    let says = "errors cannot be judged: the clock of its source is 5 min behind";
    assert!(verdict.because.contains(says), "{}", verdict.because);
}

#[test]
fn a_verdict_is_the_same_but_for_its_words_or_the_difference_is_named() {
    let mut judge = errors(Some(0.01), None, 30);
    let own = judge.observe(&of(canary(3, 1000)));
    let unlike = |change: fn(&mut Verdict)| {
        let mut other = own.clone();
        change(&mut other);
        own.unlike(&other)
    };
    assert_eq!(unlike(|_| {}), None);
    assert_eq!(unlike(|v| v.because.clear()), None);
    assert_eq!(
        unlike(|v| v.measures[0].assumptions.push("So.".to_owned())),
        None
    );
    for (change, says) in [
        (
            (|v| v.decision = Decision::Keep) as fn(&mut Verdict),
            "the decision is \"keep\", and \"hold\" follows",
        ),
        (
            |v| v.measures[0].bad = 2,
            "`bad` of errors is 2, and 3 follows",
        ),
        (
            |v| v.measures[0].effect = None,
            "`effect` of errors is null, and {",
        ),
        (
            |v| v.measures.clear(),
            "the number of measures is 0, and 1 follows",
        ),
    ] {
        let told = unlike(change).unwrap();
        assert!(told.starts_with(says), "{told}");
    }
    // The very last bit.
    let told = unlike(|v| v.measures[0].e = f64::from_bits(v.measures[0].e.to_bits() + 1));
    assert!(told.unwrap().starts_with("`e` of errors is "));
}
