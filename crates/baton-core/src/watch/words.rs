//! Numbers of a verdict, as a person reads them.

use super::ratio::{REACH, RatioBand};
use super::series::{Counts, Level, Trouble};
use super::terms::{Design, Effect, Measure};
use crate::diag;

/// A share as percent, with as many digits as mean something: `13%`, `1.3%`, `0.065%`.
pub(crate) fn percent(share: f64) -> String {
    format!("{}%", digits(share * 100.0))
}

/// A difference of shares: `0.5 points`.
pub(crate) fn points(share: f64) -> String {
    format!("{} points", digits(share * 100.0))
}

/// `41 of 310 (13%)`; without anything seen, `0 of 0`.
pub(super) fn rate(counts: Counts) -> String {
    let Counts { bad, total } = counts;
    match counts.rate() {
        Some(rate) => format!("{bad} of {total} ({})", percent(rate)),
        None => format!("{bad} of {total}"),
    }
}

/// `: 2.1 times as often (1.4 to 3.4)`, as far as it is known.
pub(super) fn times(ratio: &RatioBand, alpha: f64, phi: f64) -> String {
    let ends = ratio.interval(alpha, phi).map(|(low, high)| {
        // The ends of the grid mean "or beyond".
        let open = high >= REACH * 0.999;
        if open {
            format!("at least {}", digits(low))
        } else {
            format!("{} to {}", digits(low), digits(high))
        }
    });
    match (ratio.estimate(), ends) {
        (Some(times), Some(ends)) => format!(", {} times as often ({ends})", digits(times)),
        (None, Some(ends)) => format!(", {ends} times as often"),
        _ => String::new(),
    }
}

/// The effect on a measure that is more than counts; `None` where the counts say it.
pub(super) fn effect(effect: &Effect, design: Design, measure: &Measure) -> Option<String> {
    let span = |(low, high): (f64, Option<f64>)| match high {
        Some(high) => format!("{} to {}", digits(low), digits(high)),
        None => format!("over {}", digits(low)),
    };
    match effect {
        Effect::Quantile {
            q,
            canary,
            control: Some(control),
        } if design == Design::Control => Some(format!(
            "the times are longer: p{} is {}, against {} where nothing was changed",
            digits(q * 100.0),
            span(*canary),
            span(*control)
        )),
        Effect::Above { mean, low, high } => {
            let than = match (design, measure.limit) {
                (Design::Limit, Some(limit)) => format!("the agreed {}", digits(limit)),
                _ => "where nothing was changed".to_owned(),
            };
            let [mean, low, high] = [*mean, *low, *high].map(signed);
            Some(format!("{mean} above {than} ({low} to {high})"))
        }
        Effect::Share { .. } | Effect::Quantile { .. } => None,
    }
}

/// The mean of a gauge's readings; `None` without any.
pub(super) fn level(level: Level) -> Option<String> {
    level.seen().then(|| signed(level.mean))
}

fn signed(number: f64) -> String {
    let sign = if number < 0.0 { "-" } else { "" };
    format!("{sign}{}", digits(number.abs()))
}

/// Why an interval was not seen whole.
pub(super) fn trouble(trouble: &Trouble) -> String {
    match trouble {
        Trouble::ClockSkew { seconds } => {
            let (by, way) = (
                span(seconds.unsigned_abs()),
                if *seconds < 0 { "behind" } else { "ahead" },
            );
            format!("cannot be judged: the clock of its source is {by} {way}")
        }
        Trouble::Unread { because } => format!("could not be read: {because}"),
    }
}

/// A length of time in at most two units: `45 s`, `30 min`, `1 h 4 min`.
pub(super) fn span(seconds: u64) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let Some(first) = UNITS.iter().position(|(size, _)| seconds >= *size) else {
        return "0 s".to_owned();
    };
    let mut rest = seconds;
    let mut parts = Vec::new();
    for (size, unit) in UNITS.iter().skip(first).take(2) {
        if rest >= *size {
            parts.push(format!("{} {unit}", rest / size));
        }
        rest %= size;
    }
    parts.join(" ")
}

/// Joins all of them: `a, b and c`.
pub(super) fn and(parts: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let parts: Vec<_> = parts.into_iter().collect();
    diag::list(&parts, usize::MAX)
}

/// Two digits that mean something, whole numbers from 10 on, no trailing zeros.
pub(crate) fn digits(number: f64) -> String {
    if number == 0.0 {
        return "0".to_owned();
    }
    if number < 0.001 {
        return "under 0.001".to_owned();
    }
    // The exponent as Rust writes it: the same on every machine, unlike a logarithm.
    let exponent = format!("{number:e}");
    let exponent = exponent
        .split_once('e')
        .and_then(|(_, n)| n.parse::<i64>().ok());
    let places = usize::try_from(1 - exponent.unwrap_or(0)).unwrap_or(0);
    let text = format!("{number:.places$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_show_the_digits_that_mean_something() {
        for (share, says) in [
            (0.0, "0%"),
            (0.01, "1%"),
            (0.005, "0.5%"),
            (0.132_25, "13%"),
            (0.012_51, "1.3%"),
            (0.000_651, "0.065%"),
            (0.000_001, "under 0.001%"),
            (0.099_99, "10%"),
            (1.0, "100%"),
        ] {
            assert_eq!(percent(share), says);
        }
        assert_eq!(points(0.005), "0.5 points");
        assert_eq!(rate(Counts::new(41, 310)), "41 of 310 (13%)");
        assert_eq!(rate(Counts::default()), "0 of 0");
    }

    #[test]
    fn times_take_two_units_at_most() {
        for (seconds, says) in [
            (0, "0 s"),
            (45, "45 s"),
            (1_800, "30 min"),
            (3_840, "1 h 4 min"),
            (3_605, "1 h"),
            (90, "1 min 30 s"),
            (90_000, "1 d 1 h"),
        ] {
            assert_eq!(span(seconds), says);
        }
    }
}
