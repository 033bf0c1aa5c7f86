//! Freeze calendars: iCalendar files (RFC 5545) beside the contract.
//!
//! A calendar of which one event cannot be read is not read at all: a freeze
//! that is overlooked is worse than one that is asked about. Hence whatever
//! would give an event further times than its own is refused, not left out.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;

use icalendar::{Calendar, CalendarDateTime, Component, DatePerhapsTime, Event};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, Zoned};

/// The most a calendar may have: 4 MiB.
const CALENDAR_MOST: u64 = 4 * 1024 * 1024;

/// Every event of the calendar: first moment, first moment after it, what it is.
/// Days and times that name no zone are those of the calendar's own
/// (`X-WR-TIMEZONE`), else of `zone`.
///
/// # Errors
/// Says why it cannot be read.
pub fn read(path: &Path, zone: &TimeZone) -> Result<Vec<(Timestamp, Timestamp, String)>, String> {
    let text = text(path)?;
    let calendar: Calendar = text.parse()?;
    let events: Vec<&Event> = calendar
        .components
        .iter()
        .filter_map(|component| component.as_event())
        .collect();
    // The reader stops at what it does not know; every event has to have been seen.
    let said = |line: &str| text.lines().filter(|of| of.trim_end() == line).count();
    if said("BEGIN:VCALENDAR") != 1
        || said("END:VCALENDAR") != 1
        || said("BEGIN:VEVENT") != events.len()
    {
        return Err("it is not one whole iCalendar".to_owned());
    }
    let own = text
        .lines()
        .find_map(|line| line.trim_end().strip_prefix("X-WR-TIMEZONE:"));
    let zone = match own {
        Some(name) => {
            TimeZone::get(name).map_err(|_unknown| format!("nobody knows its zone {name}"))?
        }
        None => zone.clone(),
    };
    events.into_iter().map(|event| span(event, &zone)).collect()
}

fn text(path: &Path) -> Result<String, String> {
    let failed = |error: std::io::Error| error.to_string();
    if !fs::metadata(path).map_err(failed)?.is_file() {
        return Err("it is not a file".to_owned());
    }
    let mut text = String::new();
    let file = File::open(path).map_err(failed)?;
    let _read = file
        .take(CALENDAR_MOST + 1)
        .read_to_string(&mut text)
        .map_err(failed)?;
    if text.len() as u64 > CALENDAR_MOST {
        return Err(format!("it is larger than {CALENDAR_MOST} bytes"));
    }
    Ok(text)
}

/// From when to when an event lasts (RFC 5545, 3.6.1), and what it is.
fn span(event: &Event, zone: &TimeZone) -> Result<(Timestamp, Timestamp, String), String> {
    let what = event.get_summary().unwrap_or("a freeze").to_owned();
    let repeats = |key: &str| {
        event.property_value(key).is_some() || event.multi_properties().contains_key(key)
    };
    if repeats("RRULE") || repeats("RDATE") {
        return Err(format!(
            "the event “{what}” repeats, which Baton cannot read yet"
        ));
    }
    let start = event
        .get_start()
        .ok_or_else(|| format!("the event “{what}” has no start"))?;
    let from =
        zoned(&start, zone).ok_or_else(|| format!("the start of “{what}” cannot be read"))?;
    let lasts = |text: &str| {
        let span: Span = text.parse().ok()?;
        from.checked_add(span).ok()
    };
    let ends = event.property_value("DTEND").is_some();
    let to = match (event.get_end(), event.property_value("DURATION")) {
        (Some(end), _) => zoned(&end, zone),
        (None, _) if ends => None,
        (None, Some(text)) => lasts(text),
        // Without an end, an event on a date lasts that day.
        (None, None) if matches!(start, DatePerhapsTime::Date(_)) => lasts("P1D"),
        (None, None) => Some(from.clone()),
    };
    let to = to.ok_or_else(|| format!("the end of “{what}” cannot be read"))?;
    if to < from {
        return Err(format!("the event “{what}” ends before it starts"));
    }
    Ok((from.timestamp(), to.timestamp(), what))
}

fn zoned(at: &DatePerhapsTime, zone: &TimeZone) -> Option<Zoned> {
    let local = |text: String| text.parse::<DateTime>().ok();
    match at {
        DatePerhapsTime::Date(date) => {
            let midnight = local(date.to_string())?;
            midnight.to_zoned(zone.clone()).ok()
        }
        DatePerhapsTime::DateTime(CalendarDateTime::Utc(at)) => {
            let at = Timestamp::from_second(at.timestamp()).ok()?;
            Some(at.to_zoned(TimeZone::UTC))
        }
        DatePerhapsTime::DateTime(CalendarDateTime::Floating(at)) => {
            let at = local(at.format("%Y-%m-%dT%H:%M:%S").to_string())?;
            at.to_zoned(zone.clone()).ok()
        }
        DatePerhapsTime::DateTime(CalendarDateTime::WithTimezone { date_time, tzid }) => {
            let at = local(date_time.format("%Y-%m-%dT%H:%M:%S").to_string())?;
            at.in_tz(tzid).ok()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calendar(text: &str) -> Result<Vec<(Timestamp, Timestamp, String)>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("freezes.ics");
        fs::write(&path, text.replace('\n', "\r\n")).unwrap();
        read(&path, &TimeZone::get("Europe/Prague").unwrap())
    }

    fn events(lines: &str) -> Result<Vec<(Timestamp, Timestamp, String)>, String> {
        calendar(&format!(
            "BEGIN:VCALENDAR\nVERSION:2.0\nBEGIN:VEVENT\nUID:1\n{lines}\nEND:VEVENT\nEND:VCALENDAR\n"
        ))
    }

    /// From when to when the one event lasts.
    fn span(lines: &str) -> (String, String) {
        let (from, to, _) = events(lines).unwrap().remove(0);
        (from.to_string(), to.to_string())
    }

    #[test]
    fn events_are_read_in_their_zone() {
        for (lines, from, to) in [
            (
                "DTSTART;TZID=Asia/Tokyo:20261127T090000\nDTEND:20261127T120000Z",
                "2026-11-27T00:00:00Z",
                "2026-11-27T12:00:00Z",
            ),
            (
                "DTSTART:20261127T090000\nDTEND:20261127T120000",
                "2026-11-27T08:00:00Z",
                "2026-11-27T11:00:00Z",
            ),
            (
                "DTSTART;VALUE=DATE:20261224",
                "2026-12-23T23:00:00Z",
                "2026-12-24T23:00:00Z",
            ),
            (
                "DTSTART;VALUE=DATE:20261224\nDTEND;VALUE=DATE:20261227",
                "2026-12-23T23:00:00Z",
                "2026-12-26T23:00:00Z",
            ),
            (
                "DTSTART:20261127T090000Z\nDURATION:PT3H30M",
                "2026-11-27T09:00:00Z",
                "2026-11-27T12:30:00Z",
            ),
            (
                "DTSTART;VALUE=DATE:20261224\nDURATION:P1W",
                "2026-12-23T23:00:00Z",
                "2026-12-30T23:00:00Z",
            ),
        ] {
            assert_eq!(span(lines), (from.to_owned(), to.to_owned()), "{lines}");
        }
        let own = "BEGIN:VCALENDAR\nX-WR-TIMEZONE:Asia/Tokyo\nBEGIN:VEVENT\nSUMMARY:Sale\n\
                   DTSTART;VALUE=DATE:20261224\nEND:VEVENT\nEND:VCALENDAR\n";
        let (from, _, what) = calendar(own).unwrap().remove(0);
        assert_eq!(
            (from.to_string().as_str(), what.as_str()),
            ("2026-12-23T15:00:00Z", "Sale")
        );
    }

    #[test]
    fn no_event_is_overlooked() {
        const START: &str = "DTSTART:20261127T090000Z";
        for (lines, word) in [
            ("SUMMARY:x", "no start"),
            (&format!("{START}\nRRULE:FREQ=DAILY"), "repeats"),
            (&format!("{START}\nRDATE:20261128T090000Z"), "repeats"),
            (&format!("{START}\nDURATION:soon"), "the end of"),
            (&format!("{START}\nDTEND:soon"), "the end of"),
            (
                &format!("{START}\nDTEND:20261126T090000Z"),
                "before it starts",
            ),
            ("DTSTART;TZID=Home:20261127T090000", "the start of"),
        ] {
            let why = events(lines).unwrap_err();
            assert!(why.contains(word), "{lines}: {why}");
        }
        let one =
            "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20261127T090000Z\nEND:VEVENT\nEND:VCALENDAR\n";
        assert_eq!(calendar(one).unwrap().len(), 1);
        for text in [
            &one.repeat(2),
            &one.replace("END:VCALENDAR\n", ""),
            &one.replace("BEGIN:VCALENDAR\n", ""),
            "<html>please sign in</html>",
            "",
        ] {
            assert!(calendar(text).is_err(), "{text}");
        }
        let zone = TimeZone::UTC;
        for path in ["/nonexistent/x.ics", "/dev/zero", "/"] {
            assert!(read(Path::new(path), &zone).is_err(), "{path}");
        }
    }
}
