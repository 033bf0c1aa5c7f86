//! The judge as a whole: what it promises over many looks, and what it says.

use std::collections::BTreeMap;

use super::*;
use crate::id::MeasureId;

mod footing;
mod levels;
mod rhythm;

/// Knuth's 64-bit generator; the high bits only. Fixed seeds, so no run differs.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn roll(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    fn poisson(&mut self, mean: f64) -> u64 {
        let (floor, mut product, mut count) = ((-mean).exp(), self.roll(), 0);
        while product > floor {
            product *= self.roll();
            count += 1;
        }
        count
    }

    /// A standard normal number (Box and Muller).
    pub(super) fn normal(&mut self) -> f64 {
        let (radius, angle) = (self.roll().max(1e-300), self.roll());
        (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
    }

    /// 600 requests on either side at these rates.
    pub(super) fn sample(&mut self, canary: f64, control: f64) -> Sample {
        let (canary, control) = (self.poisson(600.0 * canary), self.poisson(600.0 * control));
        Sample::of(Counts::new(canary, 600), Some(Counts::new(control, 600)))
    }
}

/// The chance of each count of bad ones in `n` trials.
pub(super) fn binomial(n: u64, p: f64) -> Vec<f64> {
    let mut chances = vec![0.0; usize::try_from(n).unwrap() + 1];
    chances[0] = 1.0;
    for _ in 0..n {
        for k in (0..chances.len()).rev() {
            let below = if k > 0 { chances[k - 1] } else { 0.0 };
            chances[k] = chances[k] * (1.0 - p) + below * p;
        }
    }
    chances
}

/// The chance of each count around this mean.
pub(super) fn poisson(mean: f64) -> Vec<f64> {
    let mut chances = vec![(-mean).exp()];
    for k in 1..40 {
        chances.push(chances[k - 1] * mean / k as f64);
    }
    chances
}

fn measure(id: &str, limit: Option<f64>, worse_by: Option<f64>) -> Measure {
    let says = "Requests that fail".to_owned();
    Measure {
        id: MeasureId::new(id),
        says,
        kind: Kind::Counts,
        limit,
        worse_by,
        critical: true,
        weight: 1.0,
        learned: Learned {
            dispersion: Some(1.0),
            ..Learned::default()
        },
    }
}

fn terms(watch_intervals: u32, measures: Vec<Measure>) -> Terms {
    Terms {
        measures,
        false_alarm: 0.05,
        watch_intervals,
        interval_s: 60,
        warm_up: 0,
    }
}

fn errors(limit: Option<f64>, worse_by: Option<f64>, watch_intervals: u32) -> Judge {
    Judge::new(&terms(
        watch_intervals,
        vec![measure("errors", limit, worse_by)],
    ))
}

fn of(sample: Sample) -> BTreeMap<MeasureId, Sample> {
    BTreeMap::from([(MeasureId::new("errors"), sample)])
}

fn canary(bad: u64, total: u64) -> Sample {
    Sample::of(Counts::new(bad, total), None)
}

fn both(bad: u64, control: u64, total: u64) -> Sample {
    Sample::of(Counts::new(bad, total), Some(Counts::new(control, total)))
}

/// The look at which the release is rolled back, if it ever is.
fn rolled_back(judge: &mut Judge, looks: u32, mut next: impl FnMut(u32) -> Sample) -> Option<u32> {
    (1..=looks).find(|look| {
        judge.take(&of(next(*look)));
        judge.found_harm()
    })
}

/// The share of 400 harmless releases that 60 looks roll back.
fn false_alarms(seed: u64, start: &Judge, rates: impl Fn(u32) -> (f64, f64)) -> f64 {
    let mut dice = Dice(seed);
    let runs = 400;
    let hit = (0..runs).filter(|_| {
        let mut judge = start.clone();
        rolled_back(&mut judge, 60, |look| {
            let (canary, control) = rates(look);
            dice.sample(canary, control)
        })
        .is_some()
    });
    hit.count() as f64 / f64::from(runs)
}

#[test]
fn sixty_looks_keep_the_false_alarm_against_a_steady_control() {
    let share = false_alarms(1, &errors(None, None, 60), |_| (0.01, 0.01));
    assert!(share <= 0.08, "{share}");
}

#[test]
fn sixty_looks_keep_the_false_alarm_when_both_arms_drift_together() {
    let share = false_alarms(2, &errors(None, None, 60), |look| {
        let rate = 0.01 * (1.0 + f64::from(look % 20) / 5.0);
        (rate, rate)
    });
    assert!(share <= 0.08, "{share}");
}

#[test]
fn sixty_looks_keep_the_false_alarm_at_the_very_edge_of_what_was_agreed() {
    // 1% of all and half a point more than the control: both exactly used up.
    let start = errors(Some(0.01), Some(0.005), 60);
    let share = false_alarms(3, &start, |_| (0.01, 0.005));
    assert!(share <= 0.08, "{share}");
}

#[test]
fn twice_the_errors_are_found_within_six_intervals() {
    let mut dice = Dice(4);
    let mut delays: Vec<u32> = (0..201)
        .map(|_| {
            let next = |_| dice.sample(0.02, 0.01);
            rolled_back(&mut errors(None, None, 120), 120, next).unwrap_or(u32::MAX)
        })
        .collect();
    delays.sort_unstable();
    assert!(delays[100] <= 6, "median {}", delays[100]);
    assert!(delays[190] <= 60, "95 of 100 {}", delays[190]);
}

#[test]
fn the_interval_of_the_ratio_holds_at_every_look() {
    let mut dice = Dice(5);
    let missed = (0..500).filter(|_| {
        let mut band = ratio::RatioBand::default();
        (0..30).any(|_| {
            band.observe(&dice.sample(0.015, 0.01));
            let (low, high) = band.interval(0.05, 1.0).unwrap();
            !(low..=high).contains(&1.5)
        })
    });
    assert!(missed.count() <= 25);
}

#[test]
fn replaying_the_samples_gives_the_same_bits() {
    let mut dice = Dice(6);
    let samples: Vec<_> = (0..40).map(|_| of(dice.sample(0.013, 0.01))).collect();
    let mut judge = errors(Some(0.02), Some(0.004), 40);
    let verdicts: Vec<Verdict> = samples.iter().map(|sample| judge.observe(sample)).collect();
    let journal = serde_json::to_string(&samples).unwrap();
    let replayed: Vec<BTreeMap<MeasureId, Sample>> = serde_json::from_str(&journal).unwrap();
    let mut again = errors(Some(0.02), Some(0.004), 40);
    for (sample, verdict) in replayed.iter().zip(&verdicts) {
        assert_eq!(&again.observe(sample), verdict);
    }
    assert_eq!(again, judge);
    let bits = |judge: &Judge| serde_json::to_string(judge).unwrap();
    assert_eq!(bits(&again), bits(&judge));
}

#[test]
fn the_unit_of_time_changes_no_decision() {
    let minutes = terms(30, vec![measure("errors", Some(0.02), Some(0.004))]);
    let (mut minutes, mut seconds) = (
        Judge::new(&minutes),
        Judge::new(&Terms {
            interval_s: 1,
            ..minutes.clone()
        }),
    );
    let mut dice = Dice(7);
    for _ in 0..30 {
        let sample = of(dice.sample(0.016, 0.01));
        let (a, b) = (minutes.observe(&sample), seconds.observe(&sample));
        assert_eq!((a.decision, a.measures), (b.decision, b.measures));
    }
}

#[test]
fn missing_data_neither_keeps_nor_rolls_back() {
    for (limit, worse_by) in [(Some(0.01), None), (None, Some(0.005)), (None, None)] {
        let nothing = [Sample::default(), both(0, 9, 0)];
        for sample in nothing {
            let mut judge = errors(limit, worse_by, 10);
            for _ in 0..20 {
                let verdict = judge.observe(&of(sample.clone()));
                assert_eq!(verdict.decision, Decision::Hold);
                assert_eq!(verdict.measures[0].state, State::Blind);
            }
            assert_eq!(judge.observe(&BTreeMap::new()).decision, Decision::Hold);
        }
    }
}

#[test]
fn half_the_data_or_a_silent_end_is_not_enough_to_keep() {
    let mut half = errors(Some(0.01), None, 10);
    let last = (0..10)
        .map(|i| half.observe(&of(canary(0, 1_000 * (i % 2)))))
        .last()
        .unwrap();
    assert_eq!(last.decision, Decision::Hold);
    let mut silent = errors(Some(0.01), None, 10);
    let last = (0..10)
        .map(|i| silent.observe(&of(canary(0, if i < 7 { 1_000 } else { 0 }))))
        .last();
    let last = last.unwrap();
    assert_eq!(last.decision, Decision::Hold);
    assert_eq!(
        last.because,
        "Cannot tell whether all is well: errors gave no data in 3 of 10 intervals."
    );
    // It speaks again: the watch can end.
    assert_eq!(
        silent.observe(&of(canary(0, 1_000))).decision,
        Decision::Keep
    );
}

#[test]
fn without_a_control_a_relative_measure_cannot_tell() {
    let mut judge = errors(None, Some(0.005), 4);
    let last = (0..4)
        .map(|_| judge.observe(&of(canary(3, 1_000))))
        .last()
        .unwrap();
    assert_eq!(last.decision, Decision::Hold);
    assert_eq!(
        last.because,
        "Cannot tell whether all is well: errors had nothing to compare with in 4 of 4 intervals."
    );
}

#[test]
fn nothing_is_kept_before_the_agreed_time_is_over() {
    let mut judge = errors(Some(0.01), None, 30);
    for i in 1..30 {
        let verdict = judge.observe(&of(canary(1, 100_000)));
        assert_eq!(verdict.decision, Decision::Hold);
        if i == 12 {
            assert_eq!(verdict.measures[0].state, State::Fine);
            assert_eq!(
                verdict.because,
                "Watching: 12 min of 30 min over, no harm found: errors 12 of 1200000 (0.001%)."
            );
        }
    }
    let end = judge.observe(&of(canary(1, 100_000)));
    assert_eq!(end.decision, Decision::Keep);
    assert_eq!(
        end.because,
        "No harm in 30 min, and proven so: errors 30 of 3000000 (0.001%)."
    );
}

#[test]
fn a_keep_without_proof_says_so() {
    let mut little = errors(Some(0.01), None, 30);
    let end = (0..30)
        .map(|_| little.observe(&of(canary(0, 1))))
        .last()
        .unwrap();
    assert_eq!(end.decision, Decision::Keep);
    assert_eq!(
        end.because,
        "No harm found in 30 min: errors 0 of 30 (0%); too little traffic to prove it for errors."
    );
    let said = end.measures[0].assumptions.last().unwrap();
    assert_eq!(
        said,
        "No harm was found, too little traffic to prove it for errors."
    );

    let mut close = errors(Some(0.01), None, 3);
    let end = (0..3)
        .map(|_| close.observe(&of(canary(10, 1_000))))
        .last()
        .unwrap();
    assert_eq!(end.decision, Decision::Keep);
    assert!(
        end.because.contains("too close to what was agreed"),
        "{}",
        end.because
    );

    let mut alone = errors(Some(0.01), Some(0.005), 3);
    let end = (0..3)
        .map(|_| alone.observe(&of(canary(0, 100_000))))
        .last()
        .unwrap();
    assert_eq!(end.decision, Decision::Keep);
    assert!(
        end.because.contains("no control to prove it"),
        "{}",
        end.because
    );
    assert!(end.measures[0].assumptions[0].contains("no control in 3 of 3 intervals"));
}

#[test]
fn harm_is_said_with_its_numbers() {
    let verdict = errors(Some(0.01), None, 30).observe(&of(canary(41, 310)));
    assert_eq!(verdict.decision, Decision::RollBack);
    assert_eq!(
        verdict.because,
        "errors (Requests that fail): 41 of 310 were bad (13%); at most 1% was agreed."
    );
    let verdict = errors(None, Some(0.005), 30).observe(&of(both(60, 10, 1_000)));
    assert_eq!(verdict.decision, Decision::RollBack);
    assert_eq!(
        verdict.because,
        "errors (Requests that fail): 60 of 1000 were bad (6%), against 10 of 1000 (1%) where \
         nothing was changed, 6 times as often (2 to 23); at most 0.5 points more was agreed."
    );
    let finding = &verdict.measures[0];
    assert_eq!(
        (finding.design, finding.state),
        (Design::Control, State::Harm)
    );
    assert!(finding.e >= finding.bar);
}

#[test]
fn harm_once_proven_stays() {
    let mut judge = errors(Some(0.01), None, 5);
    judge.observe(&of(canary(41, 310)));
    for _ in 0..10 {
        let verdict = judge.observe(&of(canary(0, 100_000)));
        assert_eq!(verdict.decision, Decision::RollBack);
    }
}

#[test]
fn after_the_control_is_gone_the_limit_goes_on() {
    let mut judge = errors(Some(0.01), Some(0.005), 30);
    for _ in 0..10 {
        assert_eq!(judge.observe(&of(both(5, 5, 600))).decision, Decision::Hold);
    }
    let found = rolled_back(&mut judge, 20, |_| canary(18, 600)).unwrap();
    assert!(found <= 8, "{found}");
    let verdict = judge.observe(&of(canary(18, 600)));
    assert_eq!(verdict.measures[0].design, Design::Limit);
}

#[test]
fn worse_than_the_control_but_within_the_limit_is_reported_and_no_harm() {
    let mut judge = errors(Some(0.05), None, 10);
    let end = (0..10)
        .map(|_| judge.observe(&of(both(20, 5, 1_000))))
        .last()
        .unwrap();
    assert_eq!(end.decision, Decision::Keep);
    let finding = &end.measures[0];
    assert!((finding.ratio.unwrap() - 4.0).abs() < 1e-9);
    assert!(finding.interval.unwrap().0 > 1.0);
}

#[test]
fn the_bar_splits_the_false_alarm_and_asks_for_more_when_uncalibrated() {
    let measures = vec![
        measure("errors", Some(0.01), Some(0.005)),
        measure("speed", Some(0.05), None),
    ];
    let known = Terms {
        false_alarm: 0.01,
        ..terms(30, measures)
    };
    let mut unknown = known.clone();
    for measure in &mut unknown.measures {
        measure.learned.dispersion = None;
    }
    let bars = |terms: &Terms| {
        let verdict = Judge::new(terms).observe(&BTreeMap::new());
        verdict
            .measures
            .iter()
            .map(|finding| finding.bar.round())
            .collect::<Vec<_>>()
    };
    assert_eq!(bars(&known), [400.0, 200.0]);
    assert_eq!(bars(&unknown), [4_000.0, 2_000.0]);
    let verdict = Judge::new(&unknown).observe(&BTreeMap::new());
    for finding in verdict.measures {
        assert!(
            finding.assumptions[0].starts_with("Uncalibrated: "),
            "{:?}",
            finding.assumptions
        );
    }
}

#[test]
fn all_bad_five_times_in_a_row_is_a_hard_stop() {
    // No limit and no control: the statistics have nothing to say.
    let dead = || canary(3, 3);
    assert_eq!(
        rolled_back(&mut errors(None, None, 30), 30, |_| dead()),
        Some(5)
    );
    let mut judge = errors(None, None, 30);
    let last = (0..5).map(|_| judge.observe(&of(dead()))).last().unwrap();
    assert_eq!(
        last.because,
        "errors (Requests that fail): 15 of 15 were bad (100%); hard stop: all of them in 5 \
         intervals in a row."
    );
    let few = |_| canary(2, 2);
    assert_eq!(rolled_back(&mut errors(None, None, 30), 30, few), None);
    let broken = |look| if look % 5 == 0 { canary(2, 3) } else { dead() };
    assert_eq!(rolled_back(&mut errors(None, None, 30), 30, broken), None);
    let everything_dead = |_| both(3, 3, 3);
    assert_eq!(
        rolled_back(&mut errors(None, None, 30), 30, everything_dead),
        None
    );
}

#[test]
fn what_is_not_critical_can_be_missing_but_not_harmful() {
    let watch = Measure {
        critical: false,
        ..measure("speed", Some(0.05), None)
    };
    let terms = terms(5, vec![measure("errors", Some(0.01), None), watch]);
    let mut judge = Judge::new(&terms);
    let end = (0..5)
        .map(|_| judge.observe(&of(canary(0, 100))))
        .last()
        .unwrap();
    assert_eq!(end.decision, Decision::Keep);
    assert_eq!(end.measures[1].state, State::Blind);
    let slow = BTreeMap::from([(MeasureId::new("speed"), canary(100, 100))]);
    assert_eq!(
        Judge::new(&terms).observe(&slow).decision,
        Decision::RollBack
    );
}

#[test]
fn huge_counts_and_odd_terms_stay_finite() {
    let n = 1_000_000_000_000;
    for worse_by in [None, Some(0.005), Some(f64::NAN), Some(-1.0)] {
        for limit in [None, Some(0.0), Some(0.01), Some(f64::INFINITY)] {
            for false_alarm in [0.05, 0.0, f64::NAN, 7.0] {
                let odd = Terms {
                    false_alarm,
                    ..terms(0, vec![measure("errors", limit, worse_by)])
                };
                let mut judge = Judge::new(&odd);
                for sample in [
                    both(n / 2, n / 100, n),
                    both(0, n, n),
                    canary(u64::MAX, u64::MAX),
                ] {
                    let finding = judge.observe(&of(sample)).measures.remove(0);
                    assert!(
                        finding.e.is_finite() && finding.bar.is_finite(),
                        "{finding:?}"
                    );
                    let (low, high) = finding.interval.unwrap();
                    assert!(low.is_finite() && high.is_finite(), "{finding:?}");
                }
            }
        }
    }
    let verdict = Judge::new(&terms(0, Vec::new())).observe(&BTreeMap::new());
    assert_eq!(verdict.decision, Decision::Hold);
}
