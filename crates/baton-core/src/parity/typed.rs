//! Values with a type: versions, amounts, durations, switches, lists.
//!
//! Promises that each reading is total: a text that is not of the type is
//! itself, and nothing here panics. Which type a fact has is a rule's to say.

use std::cmp::Ordering;
use std::collections::BTreeSet;

/// The first `parts` numbers of a version, if it begins with so many: of
/// `Python 3.11.2` and `1:3.11.2-1` with two, `3.11`.
pub fn release(text: &str, parts: usize) -> Option<String> {
    let numbers = numbers(text)?;
    let taken = numbers.get(..parts)?;
    let taken: Vec<String> = taken.iter().map(u64::to_string).collect();
    Some(taken.join("."))
}

/// The leading numbers of the first word that looks like a version.
pub fn numbers(text: &str) -> Option<Vec<u64>> {
    let looks = |word: &&str| {
        word.trim_start_matches('v')
            .starts_with(|c: char| c.is_ascii_digit())
    };
    let word = text.split([' ', '/', '@', '=']).find(looks)?;
    // An epoch, as `1:` before Debian's, is not part of the release.
    let word = match word.split_once(':') {
        Some((epoch, rest)) if epoch.bytes().all(|b| b.is_ascii_digit()) => rest,
        _ => word,
    };
    let word = word.trim_start_matches('v');
    let end = word.find(|c: char| !c.is_ascii_digit() && c != '.');
    let numbers = word[..end.unwrap_or(word.len())].split('.');
    numbers
        .filter(|part| !part.is_empty())
        .map(|part| part.parse().ok())
        .collect()
}

/// How far two versions lie apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Apart {
    /// In the first number.
    Major,
    /// In the second.
    Minor,
    /// In the third or a later one.
    Patch,
    /// Only in what stands behind the numbers.
    Build,
}

/// How far two texts lie apart, if both are versions of at least two numbers.
pub fn apart(a: &str, b: &str) -> Option<Apart> {
    let (a, b) = (numbers(a)?, numbers(b)?);
    if a.len() < 2 || b.len() < 2 {
        return None;
    }
    let of = |numbers: &[u64], at: usize| numbers.get(at).copied().unwrap_or(0);
    let first = (0..a.len().max(b.len())).find(|at| of(&a, *at) != of(&b, *at));
    Some(match first {
        Some(0) => Apart::Major,
        Some(1) => Apart::Minor,
        Some(_) => Apart::Patch,
        None => Apart::Build,
    })
}

/// Whether `new` is not below `old`, both versions or whole numbers; `None` where
/// one is neither.
pub fn at_least(new: &str, old: &str) -> Option<bool> {
    let _versions = (numbers(new)?, numbers(old)?);
    Some(version_order(new, old) != Ordering::Less)
}

/// The order of Debian versions (deb-version(7)), which orders those of rpm and
/// semantic versions alike but for their rarest forms: runs of digits by their
/// number, `~` before the end, letters before other characters.
pub fn version_order(a: &str, b: &str) -> Ordering {
    let epoch = |text: &str| -> (u64, String) {
        match text.split_once(':') {
            Some((epoch, rest)) => (epoch.parse().unwrap_or(0), rest.to_owned()),
            None => (0, text.to_owned()),
        }
    };
    let ((epoch_a, a), (epoch_b, b)) = (epoch(a), epoch(b));
    epoch_a
        .cmp(&epoch_b)
        .then_with(|| runs(a.as_bytes(), b.as_bytes()))
}

fn runs(mut a: &[u8], mut b: &[u8]) -> Ordering {
    let weight = |byte: Option<&u8>| match byte {
        Some(b'~') => -1,
        None => 0,
        Some(byte) if byte.is_ascii_digit() => 0,
        Some(byte) if byte.is_ascii_alphabetic() => i32::from(*byte),
        Some(byte) => i32::from(*byte) + 256,
    };
    while !a.is_empty() || !b.is_empty() {
        loop {
            let digit = |text: &[u8]| text.first().is_none_or(u8::is_ascii_digit);
            if digit(a) && digit(b) {
                break;
            }
            match weight(a.first()).cmp(&weight(b.first())) {
                Ordering::Equal => {}
                other => return other,
            }
            (a, b) = (a.get(1..).unwrap_or(&[]), b.get(1..).unwrap_or(&[]));
        }
        let (run_a, rest_a) = digits(a);
        let (run_b, rest_b) = digits(b);
        match run_a.len().cmp(&run_b.len()).then_with(|| run_a.cmp(run_b)) {
            Ordering::Equal => (a, b) = (rest_a, rest_b),
            other => return other,
        }
    }
    Ordering::Equal
}

/// The leading digits without leading zeros, and what follows them.
fn digits(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| !byte.is_ascii_digit());
    let (run, rest) = text.split_at(end.unwrap_or(text.len()));
    let zeros = run.iter().take_while(|byte| **byte == b'0').count();
    (&run[zeros..], rest)
}

/// Units of amounts and durations, and what they are worth. Kubernetes'
/// quantities (`m`, `Ki`), sizes of files, and durations in milliseconds do not
/// share a base, so each has its own mark.
const UNITS: [(&str, f64, &str); 24] = [
    ("ghz", 1e9, "hz"),
    ("mhz", 1e6, "hz"),
    ("ki", 1024.0, ""),
    ("mi", 1_048_576.0, ""),
    ("gi", 1_073_741_824.0, ""),
    ("ti", 1_099_511_627_776.0, ""),
    ("kib", 1024.0, ""),
    ("mib", 1_048_576.0, ""),
    ("gib", 1_073_741_824.0, ""),
    ("tib", 1_099_511_627_776.0, ""),
    ("kb", 1000.0, ""),
    ("mb", 1_000_000.0, ""),
    ("gb", 1_000_000_000.0, ""),
    ("b", 1.0, ""),
    ("k", 1000.0, ""),
    ("g", 1_000_000_000.0, ""),
    ("ms", 1.0, "ms"),
    ("s", 1000.0, "ms"),
    ("sec", 1000.0, "ms"),
    ("min", 60_000.0, "ms"),
    ("h", 3_600_000.0, "ms"),
    ("d", 86_400_000.0, "ms"),
    ("us", 0.001, "ms"),
    ("%", 0.01, ""),
];

/// One writing for values that mean the same: switches as `true` and `false`,
/// amounts and durations in their base unit, numbers without idle zeros, other
/// texts trimmed. `1000m` is Kubernetes' thousandth; `1m30s` is a duration.
pub fn canonical(text: &str) -> String {
    let text = text.trim();
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "enabled" => return "true".to_owned(),
        "false" | "no" | "off" | "disabled" => return "false".to_owned(),
        _ => {}
    }
    if let Ok(number) = text.parse::<f64>()
        && number.is_finite()
    {
        return number.to_string();
    }
    amount(text).unwrap_or_else(|| text.to_owned())
}

fn amount(text: &str) -> Option<String> {
    if let Some(thousandths) = text.strip_suffix('m').and_then(|n| n.parse::<f64>().ok()) {
        return Some((thousandths / 1000.0).to_string());
    }
    let (mut total, mut mark, mut rest) = (0.0, None, text);
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..end].parse().ok()?;
        let unit = rest[end..].trim_start();
        let stop = unit
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(unit.len());
        let name = unit[..stop].trim().to_ascii_lowercase();
        // Only between other units does a bare `m` mean minutes.
        let (worth, of) = match (name.as_str(), stop < unit.len() || mark.is_some()) {
            ("m", true) => (60_000.0, "ms"),
            (name, _) => {
                let found = UNITS.iter().find(|(unit, ..)| *unit == name)?;
                (found.1, found.2)
            }
        };
        if mark.is_some_and(|mark| mark != of) {
            return None;
        }
        (total, mark, rest) = (total + number * worth, Some(of), &unit[stop..]);
    }
    Some(format!("{total}{}", mark?))
}

/// An amount as a number in its base unit, for comparing how large it is.
pub fn magnitude(text: &str) -> Option<f64> {
    let canonical = canonical(text);
    let number = canonical.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    number
        .parse()
        .ok()
        .filter(|number: &f64| number.is_finite())
}

/// The words or lines of a text in one order.
pub fn set(text: &str) -> String {
    let parts = text.split(['\n', ',', ';', ' ']).map(str::trim);
    let parts: BTreeSet<&str> = parts.filter(|part| !part.is_empty()).collect();
    parts.into_iter().collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn versions_order_as_the_manual_says() {
        let rising = [
            "1.0~rc1",
            "1.0",
            "1.0-1",
            "1.0-1+deb12u1",
            "1.0.1",
            "1.2",
            "1.10",
            "2.0",
            "1:0.1",
        ];
        for pair in rising.windows(2) {
            assert_eq!(version_order(pair[0], pair[1]), Ordering::Less, "{pair:?}");
            assert_eq!(at_least(pair[1], pair[0]), Some(true));
        }
        assert_eq!(version_order("1.01", "1.1"), Ordering::Equal);
        assert_eq!(at_least("16", "4"), Some(true));
        assert_eq!(at_least("many", "4.1"), None);
    }

    #[test]
    fn versions_lie_apart_by_their_first_other_number() {
        for (a, b, far) in [
            ("3.0.15-1~deb12u1", "3.0.15-1~deb12u2", Some(Apart::Build)),
            ("3.0.15-1", "3.0.16-1", Some(Apart::Patch)),
            ("1:3.1", "1:3.2", Some(Apart::Minor)),
            ("Python 3.11.2", "Python 2.7.18", Some(Apart::Major)),
            ("debian 12", "debian 13", None),
            ("x", "1.2", None),
        ] {
            assert_eq!(apart(a, b), far, "{a} {b}");
        }
        assert_eq!(release("v2.4.0", 2).unwrap(), "2.4");
        assert_eq!(release("2", 2), None);
    }

    #[test]
    fn the_same_value_in_other_clothes() {
        for (a, b) in [
            ("1000m", "1"),
            ("500m", "0.5"),
            ("3Gi", "3072Mi"),
            ("90s", "1m30s"),
            ("1500ms", "1.5s"),
            ("Yes", "true"),
            ("010.0", "10"),
            (" a ", "a"),
        ] {
            assert_eq!(canonical(a), canonical(b), "{a} {b}");
        }
        for (a, b) in [("1s", "1000"), ("10m", "10"), ("1GB", "1GiB"), ("a", "b")] {
            assert_ne!(canonical(a), canonical(b), "{a} {b}");
        }
        assert_eq!(set("b, a"), set("a\nb\n"));
        assert_eq!(magnitude("1.5 GiB"), magnitude("1536 MiB"));
        assert_eq!(magnitude("many"), None);
    }

    proptest! {
        #[test]
        fn any_text_has_a_reading(a in ".{0,20}", b in "[0-9a-z.~:+-]{0,20}") {
            let _read = (canonical(&a), set(&a), apart(&a, &b), at_least(&a, &b));
            prop_assert_eq!(version_order(&a, &b), version_order(&b, &a).reverse());
            prop_assert_eq!(version_order(&a, &a), Ordering::Equal);
        }
    }
}
