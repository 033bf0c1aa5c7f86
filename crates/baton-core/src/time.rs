//! Durations and instants as people write and read them.
//!
//! Written: `300ms`, `90s`, `10m`, `24h`, `7d`; instants are RFC 3339 with a
//! zone. Read: two units at most, `1 h 4 min`. Nothing here knows the time.

use std::fmt;
use std::sync::LazyLock;

use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// A length of time in whole milliseconds.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Duration {
    millis: u64,
}

impl Duration {
    /// A length in milliseconds; lengths over a thousand years are cut to that,
    /// so that adding one to an instant cannot leave the calendar unnoticed.
    pub const fn from_millis(millis: u64) -> Self {
        const MOST: u64 = 1000 * 366 * 86_400_000;
        Self {
            millis: if millis > MOST { MOST } else { millis },
        }
    }

    /// A length in seconds.
    pub const fn from_secs(secs: u64) -> Self {
        Self::from_millis(secs.saturating_mul(1000))
    }

    /// From `earlier` to `later`; nothing when the clock went back.
    pub fn between(earlier: Timestamp, later: Timestamp) -> Self {
        let millis = later
            .as_millisecond()
            .saturating_sub(earlier.as_millisecond());
        Self::from_millis(u64::try_from(millis).unwrap_or(0))
    }

    /// The length in milliseconds.
    pub const fn as_millis(self) -> u64 {
        self.millis
    }

    /// The length for the standard library.
    pub const fn to_std(self) -> std::time::Duration {
        std::time::Duration::from_millis(self.millis)
    }

    /// The instant this long after `at`, or the last of the calendar.
    pub fn after(self, at: Timestamp) -> Timestamp {
        let millis = i64::try_from(self.millis).unwrap_or(i64::MAX);
        at.checked_add(SignedDuration::from_millis(millis))
            .unwrap_or(Timestamp::MAX)
    }

    /// Reads `300ms`, `90s`, `10m`, `24h` or `7d`: a whole number and one unit.
    ///
    /// # Errors
    /// Says in words what a duration looks like when the text is not one.
    pub fn parse(text: &str) -> Result<Self, String> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let scale = match unit.trim_start() {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => 0,
        };
        match number.parse::<u64>() {
            Ok(number) if scale > 0 => Ok(Self::from_millis(number.saturating_mul(scale))),
            _ => Err(format!(
                "cannot read `{text}` as a duration: write a whole number and ms, s, m, h or d, as in `90s` or `10m`"
            )),
        }
    }

    /// The duration as one would write it in a file: `90s`, `10m`, `7d`.
    pub fn written(self) -> String {
        for (scale, unit) in [
            (86_400_000, "d"),
            (3_600_000, "h"),
            (60_000, "m"),
            (1000, "s"),
        ] {
            if self.millis > 0 && self.millis.is_multiple_of(scale) {
                return format!("{}{unit}", self.millis / scale);
            }
        }
        format!("{}ms", self.millis)
    }
}

/// Two units at most: `42 ms`, `0.3 s`, `12 s`, `1 min 5 s`, `1 h 4 min`, `3 d 2 h`.
impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (millis, secs) = (self.millis, self.millis / 1000);
        let two = |f: &mut fmt::Formatter<'_>, big: u64, a: &str, small: u64, b: &str| {
            if small == 0 {
                write!(f, "{big} {a}")
            } else {
                write!(f, "{big} {a} {small} {b}")
            }
        };
        match secs {
            0 if millis < 100 => write!(f, "{millis} ms"),
            0 => write!(f, "0.{} s", millis / 100),
            1..60 => write!(f, "{secs} s"),
            60..3600 => two(f, secs / 60, "min", secs % 60, "s"),
            3600..86_400 => two(f, secs / 3600, "h", secs % 3600 / 60, "min"),
            _ => two(f, secs / 86_400, "d", secs % 86_400 / 3600, "h"),
        }
    }
}

/// Reads an RFC 3339 instant; a zone is required.
///
/// # Errors
/// Says in words what an instant looks like when the text is not one.
pub fn instant(text: &str) -> Result<Timestamp, String> {
    text.parse::<Timestamp>().map_err(|_unreadable| {
        format!(
            "cannot read `{text}` as an instant: write a date, a time and a zone, as in `2026-11-25T09:00:00+01:00`"
        )
    })
}

/// The time zone of an IANA name such as `Europe/Prague`, from the tables that
/// are compiled in, so that every machine reads a contract alike.
pub fn zone(name: &str) -> Option<TimeZone> {
    static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);
    ZONES.get(name).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_said() {
        for (text, millis, said) in [
            ("42ms", 42, "42 ms"),
            ("300ms", 300, "0.3 s"),
            ("90s", 90_000, "1 min 30 s"),
            ("10m", 600_000, "10 min"),
            ("64m", 3_840_000, "1 h 4 min"),
            ("7d", 604_800_000, "7 d"),
        ] {
            let read = Duration::parse(text).unwrap();
            assert_eq!(read.as_millis(), millis);
            assert_eq!(read.to_string(), said);
        }
        assert_eq!(Duration::parse("64m").unwrap().written(), "64m");
        for bad in ["", "10", "m", "1.5h", "-3s", "10 weeks"] {
            assert!(Duration::parse(bad).is_err(), "{bad}");
        }
        assert!(Duration::parse("99999999999999999999s").is_err());
        assert_eq!(
            Duration::parse("18446744073709551615d")
                .unwrap()
                .after(Timestamp::MAX),
            Timestamp::MAX
        );
    }

    #[test]
    fn zones_are_known_by_their_iana_name() {
        assert!(zone("Europe/Prague").is_some());
        assert!(zone("UTC").is_some());
        for unknown in ["Europe/Atlantis", "", "../../etc/passwd", "CET+1"] {
            assert!(zone(unknown).is_none(), "{unknown}");
        }
    }

    #[test]
    fn instants_need_a_zone() {
        assert!(instant("2026-11-25T09:00:00+01:00").is_ok());
        assert!(instant("2026-11-25T09:00:00").is_err());
        assert!(instant("2026-11-25").is_err());
    }
}
