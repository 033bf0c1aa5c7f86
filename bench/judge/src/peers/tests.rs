//! The conformance table: short arrays are the peer's own test inputs, the long
//! ones normal quantiles of the same shape with the same expected verdict.

use super::*;

const E5: [f64; 5] = [20.0, 22.0, 21.0, 25.0, 30.0];
const C5: [f64; 5] = [1.0, 2.2, 1.1, 2.5, 3.0];
const ONES: [f64; 5] = [1.0; 5];
const ZERO: [f64; 5] = [0.0; 5];
const NEAR: [f64; 5] = [54.9, 54.5, 55.1, 55.6, 57.4];

/// `at + by x` the normal quantiles at `(k - 0.5)/30`.
fn q(at: f64, by: f64) -> Vec<f64> {
    (1..=30)
        .map(|k| at + by * quantile((f64::from(k) - 0.5) / 30.0))
        .collect()
}

/// By bisection of the distribution, summed by Simpson's rule.
fn quantile(p: f64) -> f64 {
    let below = |z: f64| {
        let (n, a) = (2_000, -9.0);
        let h = (z - a) / f64::from(n);
        let f = |i: i32| (-(a + h * f64::from(i)).powi(2) / 2.0).exp();
        let inner: f64 = (1..n)
            .map(|i| if i % 2 == 1 { 4.0 } else { 2.0 } * f(i))
            .sum();
        (f(0) + inner + f(n)) * h / 3.0 / std::f64::consts::TAU.sqrt()
    };
    let (mut low, mut high) = (-6.0, 6.0);
    for _ in 0..50 {
        let middle = f64::midpoint(low, high);
        if below(middle) < p {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

/// The level and tolerance of its own suite; either direction.
fn suite() -> Metric {
    Metric {
        direction: Direction::Either,
        tolerance: 0.10,
        z: 1.959_963_984_540_05,
        ..Metric::increase()
    }
}

fn critical(allowed: (f64, f64), critical_at: (f64, f64)) -> Metric {
    Metric {
        allowed,
        critical_at,
        critical: true,
        ..suite()
    }
}

type Case = (&'static str, Vec<f64>, Vec<f64>, Metric, Class);

fn only(direction: Direction) -> Metric {
    Metric {
        direction,
        ..suite()
    }
}

fn allowed(allowed: (f64, f64)) -> Metric {
    Metric { allowed, ..suite() }
}

fn long_arrays() -> Vec<Case> {
    let (up, down) = (only(Direction::Increase), only(Direction::Decrease));
    vec![
        ("no shift", q(9.79, 1.8), q(9.78, 2.2), suite(), Class::Pass),
        ("doubled", q(20.2, 2.0), q(9.78, 2.2), suite(), Class::High),
        ("halved", q(9.79, 1.8), q(19.95, 2.4), suite(), Class::Low),
        ("halved, up", q(9.79, 1.8), q(19.95, 2.4), up, Class::Pass),
        (
            "halved, down",
            q(9.79, 1.8),
            q(19.95, 2.4),
            down,
            Class::Low,
        ),
        (
            "doubled, down",
            q(20.2, 2.0),
            q(9.78, 2.2),
            down,
            Class::Pass,
        ),
        ("doubled, up", q(20.2, 2.0), q(9.78, 2.2), up, Class::High),
    ]
}

fn short_arrays() -> Vec<Case> {
    let down = only(Direction::Decrease);
    vec![
        (
            "ratio",
            E5.to_vec(),
            C5.to_vec(),
            allowed((0.8, 1.2)),
            Class::High,
        ),
        (
            "inside",
            vec![10.0, 12.2, 10.1, 12.5, 23.0],
            E5.to_vec(),
            allowed((0.5, 1.0)),
            Class::Pass,
        ),
        (
            "tied, unequal",
            vec![1.0; 3],
            vec![1.0; 2],
            down,
            Class::Pass,
        ),
        (
            "same, other order",
            vec![1.0, 2.0, 3.0],
            vec![3.0, 2.0, 1.0],
            down,
            Class::Pass,
        ),
        (
            "one zero",
            vec![0.0, 1.0, 1.0, 1.0, 1.0],
            ONES.to_vec(),
            down,
            Class::Pass,
        ),
        ("nothing", vec![], C5.to_vec(), down, Class::Nodata),
        (
            "nothing is 0",
            vec![],
            C5.to_vec(),
            Metric {
                nan_is_zero: true,
                ..down
            },
            Class::Pass,
        ),
    ]
}

fn ties_and_zeros() -> Vec<Case> {
    vec![
        (
            "mostly tied",
            vec![1.0, 1.0, 1.0, 1.0, 10.0],
            ONES.to_vec(),
            suite(),
            Class::Pass,
        ),
        (
            "two constants",
            vec![10.0; 5],
            ONES.to_vec(),
            suite(),
            Class::High,
        ),
        (
            "constant and zeros",
            vec![10.0; 5],
            ZERO.to_vec(),
            suite(),
            Class::High,
        ),
        (
            "control zero",
            NEAR.to_vec(),
            ZERO.to_vec(),
            allowed((0.8, 1.2)),
            Class::High,
        ),
        (
            "canary zero",
            ZERO.to_vec(),
            NEAR.to_vec(),
            allowed((0.8, 1.2)),
            Class::Low,
        ),
        (
            "both zero",
            ZERO.to_vec(),
            ZERO.to_vec(),
            allowed((0.8, 1.2)),
            Class::Pass,
        ),
    ]
}

#[test]
fn one_metric_gets_the_class_the_peers_own_suite_expects() {
    let cases = [long_arrays(), short_arrays(), ties_and_zeros()].concat();
    for (name, canary, control, metric, class) in cases {
        assert_eq!(kayenta(&canary, &control, &metric).0, class, "{name}");
    }
}

#[test]
fn critical_is_told_as_the_peers_own_suite_expects() {
    let low = [2.0, 2.0, 2.0, 2.0, 3.0];
    let high = [10.0, 20.2, 10.1, 20.5, 30.0];
    let sixth = 1.0 / 60.0;
    let small = [
        0.05,
        0.05,
        sixth,
        sixth,
        sixth,
        0.05,
        2.0 * sixth,
        0.05,
        0.05,
        0.13333,
    ];
    let zeros = Metric {
        nan_is_zero: true,
        ..critical((1.0, 1.0), (0.8, 1.2))
    };
    for (canary, control, metric, said) in [
        (
            &E5[..],
            &C5[..],
            critical((1.0, 1.0), (1.0, 1.2)),
            (Class::High, true),
        ),
        (
            &low,
            &high,
            critical((1.0, 1.0), (1.2, 1.0)),
            (Class::Low, true),
        ),
        (
            &E5,
            &C5,
            critical((1.0, 5.0), (1.0, 13.0)),
            (Class::High, false),
        ),
        (
            &E5,
            &C5,
            critical((1.0, 13.0), (1.0, 15.0)),
            (Class::Pass, false),
        ),
        (
            &E5,
            &C5,
            critical((1.0, 1.0), (1.0, 1.0)),
            (Class::High, true),
        ),
        (
            &[],
            &C5,
            critical((1.0, 1.0), (1.0, 1.0)),
            (Class::Nodata, true),
        ),
        (&small, &[0.0; 10], zeros, (Class::High, true)),
    ] {
        assert_eq!(kayenta(canary, control, &metric), said, "{canary:?}");
    }
}

#[test]
fn what_users_report_it_misses_it_misses_here_too() {
    let times = |n: usize| [vec![100.0; n], vec![1.0; 10 - n]].concat();
    let spread = [
        10.0, 10.1, 10.2, 10.3, 10.4, 10.5, 10.6, 17.0, 17.1, 17.2, 17.3, 17.4, 17.5, 17.6, 17.7,
    ];
    let wild = [
        1.0, 100.0, 4.0, 101.0, 5.0, 102.0, 6.0, 103.0, 7.0, 104.0, 8.0, 105.0, 9.0, 106.0, 17.0,
    ];
    let metric = Metric {
        direction: Direction::Either,
        ..Metric::increase()
    };
    for (canary, control, class) in [
        (times(7), vec![1.0; 10], Class::Pass),
        (times(8), vec![1.0; 10], Class::High),
        (
            vec![0.0, 1.0, 2.0, 1.0, 0.0, 0.0],
            vec![0.0; 6],
            Class::Pass,
        ),
        (spread.to_vec(), wild.to_vec(), Class::Pass),
    ] {
        assert_eq!(kayenta(&canary, &control, &metric).0, class, "{canary:?}");
    }
}

#[test]
fn the_interval_is_the_published_one() {
    let (low, high, estimate) = interval(
        &[10.0, 20.0, 30.0, 40.0],
        &[1.0, 2.0, 3.0, 4.0],
        1.959_963_984_540_05,
    );
    for (seen, published) in [(low, 6.0), (high, 39.0), (estimate, 22.5)] {
        assert!((seen - published).abs() < 1e-3, "{seen} {published}");
    }
    assert!((quantile(0.99) - Z98).abs() < 1e-6);
}

#[test]
fn the_fast_form_agrees_with_the_exact_one() {
    let mut dice = crate::dice::Dice::new(&[77]);
    let errors = crate::streams::Errors::new(crate::streams::Regime::Steady, 1.25);
    for _ in 0..40 {
        let [canary, control] = crate::streams::percents(&errors.draw(&mut dice, 120));
        for t in [20, 60, 120] {
            let fast = kayenta_z(&canary[..t], &control[..t]) > Z98;
            let exact = kayenta(&canary[..t], &control[..t], &Metric::increase()).0;
            assert_eq!(fast, exact == Class::High);
        }
    }
}

#[test]
fn thresholds_count_as_documented() {
    let values = [1.0, 3.0, 1.0, 3.0, 3.0, 1.0];
    assert_eq!(argo(&values, 2.0, 0), Some(2));
    assert_eq!(argo(&values, 2.0, 2), Some(5));
    assert_eq!(argo(&values, 2.0, 3), None);
    assert_eq!(flagger(&values, 2.0, 3), Some(6));
}
