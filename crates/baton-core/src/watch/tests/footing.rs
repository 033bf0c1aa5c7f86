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
    for _ in 0..9 {
        let _doubt = judge.observe(&of(traffic(500, 500)));
    }
    assert!(!judge.verdict().because.contains("cannot be compared"));
    let found = rolled_back(&mut judge, 10, |_| {
        Sample::of(Counts::new(40, 500), Some(Counts::new(0, 500)))
    });
    assert!(found.is_some());
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
