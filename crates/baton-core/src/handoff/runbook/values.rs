//! The values of a step's attributes: what each may look like.
//!
//! Every function reads one value or answers with a hint that shows what would
//! be read. Names are kept as written; whether there is such a person, host or
//! step is a question for the plan.

use crate::handoff::runbook::{NotBefore, Retry, Spread, Stage};
use crate::time::{self, Duration};

/// Most times a step may be tried again: past that it is a loop, not a step.
const MAX_RETRIES: u32 = 100;

type Read<T> = Result<T, String>;

/// A name: of a person, team, role, host, group, step or environment.
pub(super) fn name(text: &str) -> Option<&str> {
    let strange = |c: char| c.is_whitespace() || ",()`'\"".contains(c);
    (!text.is_empty() && !text.contains(strange)).then_some(text)
}

/// `omar`, or `omar (backup: pia)`.
pub(super) fn owner(text: &str) -> Read<(&str, Option<&str>)> {
    let hint = || {
        "write one person, team or role and who stands in, as in `omar (backup: pia)`".to_owned()
    };
    let Some((owner, rest)) = text.split_once('(') else {
        return name(text).map(|owner| (owner, None)).ok_or_else(hint);
    };
    let backup = rest
        .strip_suffix(')')
        .and_then(|inner| inner.trim_start().strip_prefix("backup:"));
    match (name(owner.trim_end()), backup.and_then(|b| name(b.trim()))) {
        (Some(owner), Some(backup)) => Ok((owner, Some(backup))),
        _ => Err(hint()),
    }
}

/// `install, check`, or `nothing`.
pub(super) fn after(text: &str) -> Read<Vec<&str>> {
    if text == "nothing" {
        return Ok(Vec::new());
    }
    names(text).ok_or_else(|| {
        "write the ids of steps with commas between them, or `nothing` for the start of the run"
            .to_owned()
    })
}

/// `DB_KEY, API_TOKEN`.
pub(super) fn secrets(text: &str) -> Read<Vec<&str>> {
    let variable = |name: &&str| {
        let legal = |c: char| c.is_ascii_alphanumeric() || c == '_';
        name.chars().all(legal) && !name.starts_with(|c: char| c.is_ascii_digit())
    };
    names(text)
        .filter(|names| names.iter().all(variable))
        .ok_or_else(|| {
            "write the names of the environment's secrets with commas between them, as in `DB_KEY, API_TOKEN`"
                .to_owned()
        })
}

/// Names with commas between them, none of them twice.
fn names(text: &str) -> Option<Vec<&str>> {
    let names: Option<Vec<&str>> = text.split(',').map(|part| name(part.trim())).collect();
    names.filter(|names| {
        let distinct: std::collections::BTreeSet<_> = names.iter().collect();
        distinct.len() == names.len()
    })
}

/// `web1`, or `web, SPREAD`.
pub(super) fn on(text: &str) -> Read<(&str, Spread)> {
    let (target, spread) = match text.split_once(',') {
        Some((target, spread)) => (target.trim_end(), Some(spread.trim())),
        None => (text, None),
    };
    let read = spread.map_or(Some(Spread::All), spread_of);
    name(target).zip(read).ok_or_else(|| {
        "write a host or a group, then how it is spread: `web, all at once`, `web, 2 at a time` or `web, 1, then 25%, then all`"
            .to_owned()
    })
}

fn spread_of(text: &str) -> Option<Spread> {
    if text == "all at once" {
        return Some(Spread::All);
    }
    if let Some(number) = text.strip_suffix("at a time") {
        return count(number.trim_end()).map(Spread::AtATime);
    }
    let mut stages = Vec::new();
    for (at, part) in text.split(',').map(str::trim).enumerate() {
        let size = match at {
            0 => part,
            _ => part.strip_prefix("then ")?.trim_start(),
        };
        stages.push(stage(size)?);
    }
    let grows = stages.windows(2).all(|pair| match (pair[0], pair[1]) {
        (Stage::Hosts(a), Stage::Hosts(b)) | (Stage::Percent(a), Stage::Percent(b)) => a < b,
        (Stage::All, _) => false,
        _ => true,
    });
    let whole = stages.len() > 1 && stages.last() == Some(&Stage::All);
    (grows && whole).then_some(Spread::Stages(stages))
}

fn stage(text: &str) -> Option<Stage> {
    match text.strip_suffix('%') {
        _ if text == "all" => Some(Stage::All),
        Some(percent) => count(percent).filter(|p| *p <= 100).map(Stage::Percent),
        None => count(text).map(Stage::Hosts),
    }
}

/// A whole number from 1.
fn count(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok())?.filter(|n| *n > 0)
}

/// `2m`.
pub(super) fn duration(text: &str) -> Read<Duration> {
    let zero = || "it must be longer than nothing".to_owned();
    Duration::parse(text).and_then(|read| match read.as_millis() {
        0 => Err(zero()),
        _ => Ok(read),
    })
}

/// `2`, or `2 every 5s`.
pub(super) fn retry(text: &str) -> Read<Retry> {
    let hint =
        || format!("write how often, 1 to {MAX_RETRIES}, and the pause: `2` or `2 every 5s`");
    let (times, every) = match text.split_once("every") {
        Some((times, every)) => (
            times.trim_end(),
            Duration::parse(every.trim()).map_err(|_unreadable| hint())?,
        ),
        None => (text, Duration::default()),
    };
    let times = count(times).filter(|times| *times <= MAX_RETRIES);
    times.map(|times| Retry { times, every }).ok_or_else(hint)
}

/// `2026-11-25T09:30:00+01:00`, or `09:30`.
pub(super) fn not_before(text: &str) -> Read<NotBefore> {
    let minute = text.split_once(':').and_then(|(hour, minute)| {
        let two = |text: &str, below: u16| {
            let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
            digits
                .then(|| text.parse::<u16>().ok())?
                .filter(|n| *n < below)
        };
        Some(two(hour, 24)? * 60 + two(minute, 60)?)
    });
    match minute {
        Some(minute) => Ok(NotBefore::Minute(minute)),
        None => time::instant(text).map(NotBefore::Instant).map_err(|_unreadable| {
            "write `09:30` (in the window's zone) or an instant with its zone, `2026-11-25T09:30:00+01:00`"
                .to_owned()
        }),
    }
}

/// `2 of operations`.
pub(super) fn approve(text: &str) -> Read<(u32, &str)> {
    text.split_once(" of ")
        .and_then(|(number, of)| Some((count(number.trim())?, name(of.trim())?)))
        .ok_or_else(|| {
            "write how many people of which team or role, as in `2 of operations`".to_owned()
        })
}

/// The one word an attribute may say.
pub(super) fn only(text: &str, word: &str, otherwise: &str) -> Read<()> {
    (text == word)
        .then_some(())
        .ok_or_else(|| format!("only `{word}` can be said; {otherwise}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners() {
        assert_eq!(owner("omar"), Ok(("omar", None)));
        assert_eq!(owner("omar (backup: pia)"), Ok(("omar", Some("pia"))));
        assert_eq!(
            owner("launch-lead(backup:operations)"),
            Ok(("launch-lead", Some("operations")))
        );
        for bad in [
            "",
            "omar, pia",
            "omar (pia)",
            "omar (backup: )",
            "omar (backup: pia",
            "(backup: pia)",
        ] {
            assert!(owner(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn places_and_spreads() {
        use Stage::{All, Hosts, Percent};
        for (text, spread) in [
            ("web", Spread::All),
            ("web, all at once", Spread::All),
            ("web, 2 at a time", Spread::AtATime(2)),
            (
                "web, 1, then 25%, then all",
                Spread::Stages(vec![Hosts(1), Percent(25), All]),
            ),
            (
                "web , 10% , then all",
                Spread::Stages(vec![Percent(10), All]),
            ),
        ] {
            assert_eq!(on(text), Ok(("web", spread)), "{text}");
        }
        for bad in [
            "",
            "web,",
            "web, all",
            "web, 0 at a time",
            "web, 1, 25%, all",
            "web, 1, then 25%",
            "web, all, then 1",
            "web, 5, then 2, then all",
            "web, 101%, then all",
            "web db",
            "web, +1 at a time",
            "web, 99999999999 at a time",
        ] {
            assert!(on(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn times_and_tries() {
        let five = Duration::from_secs(5);
        assert_eq!(
            retry("2 every 5s"),
            Ok(Retry {
                times: 2,
                every: five
            })
        );
        assert_eq!(
            retry("3"),
            Ok(Retry {
                times: 3,
                every: Duration::default()
            })
        );
        for bad in ["", "0", "101", "two", "2 every", "2 every day"] {
            assert!(retry(bad).is_err(), "{bad}");
        }
        assert_eq!(not_before("09:30"), Ok(NotBefore::Minute(570)));
        assert!(matches!(
            not_before("2026-11-25T09:30:00Z"),
            Ok(NotBefore::Instant(_))
        ));
        for bad in ["", "9:30", "24:00", "09:60", "09:3", "+9:30", "noon"] {
            assert!(not_before(bad).is_err(), "{bad}");
        }
        assert_eq!(duration("5s"), Ok(five));
        assert!(duration("0s").is_err() && duration("soon").is_err());
    }

    #[test]
    fn lists_and_words() {
        assert_eq!(after("nothing"), Ok(vec![]));
        assert_eq!(after("a, b"), Ok(vec!["a", "b"]));
        assert!(after("a,").is_err() && after("a, a").is_err() && after("").is_err());
        assert_eq!(secrets("DB_KEY"), Ok(vec!["DB_KEY"]));
        assert!(secrets("DB-KEY").is_err() && secrets("1A").is_err());
        assert_eq!(approve("2 of operations"), Ok((2, "operations")));
        assert!(approve("0 of x").is_err() && approve("operations").is_err());
        assert!(only("yes", "yes", "").is_ok() && only("no", "yes", "").is_err());
    }
}
