//! Freeze calendars: iCalendar files (RFC 5545) beside the contract.

use std::path::Path;

use icalendar::{Calendar, CalendarDateTime, Component, DatePerhapsTime};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// The most a calendar may have: 4 MiB.
const CALENDAR_MOST: u64 = 4 * 1024 * 1024;

/// Every event of the calendar: first moment, first moment after it, what it is.
///
/// # Errors
/// Says why it cannot be read. A calendar of which one event cannot be read is
/// not read at all: a freeze that is overlooked is worse than one that is asked about.
pub fn read(path: &Path) -> Result<Vec<(Timestamp, Timestamp, String)>, String> {
    let size = std::fs::metadata(path)
        .map_err(|error| error.kind().to_string())?
        .len();
    if size > CALENDAR_MOST {
        return Err(format!("it is larger than {CALENDAR_MOST} bytes"));
    }
    let text = std::fs::read_to_string(path).map_err(|error| error.kind().to_string())?;
    let calendar: Calendar = text.parse()?;
    let mut events = Vec::new();
    for event in calendar
        .components
        .iter()
        .filter_map(|component| component.as_event())
    {
        let what = event.get_summary().unwrap_or("a freeze").to_owned();
        if event.property_value("RRULE").is_some() {
            return Err(format!(
                "the event “{what}” repeats, which Baton cannot read yet"
            ));
        }
        let start = event
            .get_start()
            .ok_or_else(|| format!("the event “{what}” has no start"))?;
        let from =
            instant(&start, 0).ok_or_else(|| format!("the start of “{what}” cannot be read"))?;
        // Without an end, an event on a date lasts that day (RFC 5545, 3.6.1).
        let to = match event.get_end() {
            Some(end) => instant(&end, 0),
            None if matches!(start, DatePerhapsTime::Date(_)) => instant(&start, 1),
            None => Some(from),
        };
        events.push((
            from,
            to.ok_or_else(|| format!("the end of “{what}” cannot be read"))?,
            what,
        ));
    }
    Ok(events)
}

fn instant(at: &DatePerhapsTime, days_later: i64) -> Option<Timestamp> {
    let parse = |text: String| text.parse::<jiff::civil::DateTime>().ok();
    match at {
        DatePerhapsTime::Date(date) => {
            let date: Date = date.to_string().parse().ok()?;
            let date = date.checked_add(jiff::Span::new().days(days_later)).ok()?;
            Some(date.to_zoned(TimeZone::UTC).ok()?.timestamp())
        }
        DatePerhapsTime::DateTime(CalendarDateTime::Utc(at)) => {
            Timestamp::from_second(at.timestamp()).ok()
        }
        DatePerhapsTime::DateTime(CalendarDateTime::Floating(at)) => {
            let at = parse(at.format("%Y-%m-%dT%H:%M:%S").to_string())?;
            Some(at.to_zoned(TimeZone::UTC).ok()?.timestamp())
        }
        DatePerhapsTime::DateTime(CalendarDateTime::WithTimezone { date_time, tzid }) => {
            let at = parse(date_time.format("%Y-%m-%dT%H:%M:%S").to_string())?;
            Some(at.in_tz(tzid).ok()?.timestamp())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(lines: &str) -> Result<Vec<(Timestamp, Timestamp, String)>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("freezes.ics");
        let body = format!(
            "BEGIN:VCALENDAR\nVERSION:2.0\nBEGIN:VEVENT\nUID:1\n{lines}\nEND:VEVENT\nEND:VCALENDAR\n"
        );
        std::fs::write(&path, body.replace('\n', "\r\n")).unwrap();
        read(&path)
    }

    #[test]
    fn events_are_read_in_their_zone() {
        let read = events(
            "SUMMARY:Sale\nDTSTART;TZID=Europe/Prague:20261127T090000\nDTEND:20261127T120000Z",
        );
        let (from, to, what) = read.unwrap().remove(0);
        assert_eq!(from.to_string(), "2026-11-27T08:00:00Z");
        assert_eq!(to.to_string(), "2026-11-27T12:00:00Z");
        assert_eq!(what, "Sale");
        let (from, to, _) = events("DTSTART;VALUE=DATE:20261224").unwrap().remove(0);
        assert_eq!((to.as_second() - from.as_second()) / 3600, 24);
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        assert!(events("SUMMARY:x").unwrap_err().contains("no start"));
        assert!(
            events("DTSTART:20261127T090000Z\nRRULE:FREQ=DAILY")
                .unwrap_err()
                .contains("repeats")
        );
        assert!(read(Path::new("/nonexistent/x.ics")).is_err());
    }
}
