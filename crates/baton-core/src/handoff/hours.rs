//! When somebody works: `Mon-Fri 09:00-17:30`, in their own zone.
//!
//! Only the form is read here; whether somebody is awake is the gate's question.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Weekly working hours: some days, from a minute of the day to another. A
/// range that ends before it begins runs over midnight.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hours {
    /// Days on which the hours begin, Monday first.
    pub days: [bool; 7],
    /// First minute of the day, 0 to 1439.
    pub from: u16,
    /// First minute that is no longer worked, 1 to 1440.
    pub to: u16,
}

impl Hours {
    /// Reads `Mon-Fri 09:00-17:30` or `Mon,Wed,Sat 22:00-06:00`.
    ///
    /// # Errors
    /// Says in words what hours look like when the text holds none.
    pub fn parse(text: &str) -> Result<Self, String> {
        Self::read_days_and_times(text).ok_or_else(|| {
            format!(
                "cannot read `{text}` as working hours: write days and times, as in `Mon-Fri 09:00-17:30`"
            )
        })
    }

    fn read_days_and_times(text: &str) -> Option<Self> {
        const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
        let day = |text: &str| {
            let text = text.trim().to_lowercase();
            DAYS.iter().position(|day| *day == text)
        };
        let minute = |text: &str| {
            let (hour, minute) = text.split_once(':')?;
            let two = |text: &str| {
                let digits = text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
                digits.then(|| text.parse::<u16>().ok()).flatten()
            };
            let (hour, minute) = (two(hour)?, two(minute)?);
            (minute < 60 && hour * 60 + minute <= 1440).then_some(hour * 60 + minute)
        };
        let (named, times) = text.trim().rsplit_once(char::is_whitespace)?;
        let mut days = [false; 7];
        for part in named.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last) = (day(first)?, day(last)?);
            // A range may run over the end of the week: `Sat-Mon`.
            for step in 0..=(last + 7 - first) % 7 {
                days[(first + step) % 7] = true;
            }
        }
        let (from, to) = times.split_once('-')?;
        let (from, to) = (minute(from)?, minute(to)?);
        let to = if to == 0 { 1440 } else { to };
        (from < 1440 && from != to).then_some(Self { days, from, to })
    }
}

/// As people write it: `Mon-Fri 09:00-17:30`, `Mon,Wed,Sat 22:00-06:00`.
impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
        let mut ranges: Vec<(usize, usize)> = Vec::new();
        for day in (0..7).filter(|day| self.days[*day]) {
            match ranges.last_mut() {
                Some((_, last)) if *last + 1 == day => *last = day,
                _ => ranges.push((day, day)),
            }
        }
        let ranges = ranges.into_iter().map(|(first, last)| {
            if first == last {
                DAYS[first].to_owned()
            } else {
                format!("{}-{}", DAYS[first], DAYS[last])
            }
        });
        let ranges: Vec<String> = ranges.collect();
        let time = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
        let days = ranges.join(",");
        write!(f, "{days} {}-{}", time(self.from), time(self.to))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_written_as_they_are_read() {
        for written in [
            "Mon-Fri 09:00-17:30",
            "Mon,Wed,Sat-Sun 22:00-06:00",
            "Sun 00:00-24:00",
        ] {
            assert_eq!(Hours::parse(written).unwrap().to_string(), written);
        }
    }

    #[test]
    fn hours_are_read() {
        let read = |text: &str| {
            let hours = Hours::parse(text).unwrap();
            let days: String = hours
                .days
                .map(|day| if day { 'x' } else { '-' })
                .iter()
                .collect();
            (days, hours.from, hours.to)
        };
        assert_eq!(read("Mon-Fri 09:00-17:30"), ("xxxxx--".into(), 540, 1050));
        assert_eq!(read("sat-mon 22:00-06:00"), ("x----xx".into(), 1320, 360));
        assert_eq!(read("Tue, Thu 00:00-24:00"), ("-x-x---".into(), 0, 1440));
        assert_eq!(read("Wed 20:00-00:00"), ("--x----".into(), 1200, 1440));
    }

    #[test]
    fn what_is_no_hours_says_so() {
        for bad in [
            "",
            "always",
            "Mon-Fri",
            "09:00-17:00",
            "Mon 9-17",
            "Mon 09:00",
            "Mon 09:00-09:00",
            "Mon 24:00-01:00",
            "Mon 09:60-10:00",
            "Mon 25:00-26:00",
            "Mo-Fr 09:00-17:00",
            "Mon- 09:00-17:00",
            "Mon 09:00-17:00 UTC",
        ] {
            assert!(
                Hours::parse(bad)
                    .unwrap_err()
                    .contains("Mon-Fri 09:00-17:30"),
                "{bad}"
            );
        }
    }
}
