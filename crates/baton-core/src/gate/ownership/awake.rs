//! Who is awake when they are needed.
//!
//! Working hours are weekly and in a person's own zone; who names none is
//! always there. A step needs somebody of its owners and backups at every
//! moment of its planned time, a role at every moment of the scheduled run.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;

use super::duty::{Duty, Item};
use crate::diag::{Note, list};
use crate::forecast::Schedule;
use crate::gate::Case;
use crate::handoff::contract::{Hours, Person};
use crate::id::{Handle, StepId};
use crate::time::{self, Duration};

/// First moment, and first moment after it.
type Span = (Timestamp, Timestamp);

/// Longest run for which working hours are laid out; nobody is awake past it.
const RUN_DAYS_MAX: u64 = 366;

/// Notes the steps and roles for which nobody is awake at some moment.
pub(super) fn check(
    case: &Case<'_>,
    duties: &[Duty<'_>],
    schedule: &Schedule,
    start: Timestamp,
    notes: &mut Vec<Note>,
) {
    let run = (start, schedule.ends);
    let slots = schedule.steps.iter();
    let planned: BTreeMap<&StepId, Span> = slots
        .map(|slot| (&slot.id, (slot.starts, slot.ends)))
        .collect();
    let people = case.plan.contract.people.iter();
    let hours: BTreeMap<&Handle, Vec<Span>> = people
        .map(|(by, person)| (by, working(person, run)))
        .collect();
    for duty in duties {
        let span = match duty.of {
            Item::Step(step) => planned.get(step.id()).copied(),
            Item::Role(..) => Some(run),
            Item::Criterion(_) | Item::Measure(_) => None,
        };
        let people: Vec<&Handle> = duty.owners.iter().chain(&duty.backups).collect();
        let Some(span) = span.filter(|_| !people.is_empty()) else {
            continue;
        };
        if let Some(from) = uncovered(&hours, &people, span) {
            notes.push(asleep(case, duty, &people, from));
        }
    }
}

fn asleep(case: &Case<'_>, duty: &Duty<'_>, people: &[&Handle], from: Timestamp) -> Note {
    let (kind, name) = (duty.of.kind(), duty.of.name());
    let clocks: Vec<String> = people
        .iter()
        .map(|by| match clock(case, by, from) {
            Some(clock) => format!("{}, {clock}", case.person(by)),
            None => case.person(by),
        })
        .collect();
    let says = format!(
        "Nobody for the {kind} {name} is at work at {}: {}.",
        case.moment(from),
        list(&clocks, usize::MAX)
    );
    Note::error("ownership.asleep", says)
        .naming(name)
        .naming_all(people)
        .owned_by(people.first().copied())
        .next("baton plan")
}

/// What a person's clock shows: `Tue 21:30 in Asia/Tokyo`.
fn clock(case: &Case<'_>, by: &Handle, at: Timestamp) -> Option<String> {
    let zone = case.plan.contract.people.get(by)?.zone.as_ref()?;
    let local = at.to_zoned(time::zone(zone)?);
    Some(format!("{} in {}", local.strftime("%a %H:%M"), zone.value))
}

/// The first moment of a span at which none of these people works.
fn uncovered(
    hours: &BTreeMap<&Handle, Vec<Span>>,
    people: &[&Handle],
    (from, to): Span,
) -> Option<Timestamp> {
    let mut at = from;
    loop {
        let until = people
            .iter()
            .filter_map(|by| working_at(hours.get(by)?, at))
            .max();
        match until {
            None => return Some(at),
            Some(until) if until >= to => return None,
            Some(until) => at = until,
        }
    }
}

/// Until when somebody works who works at this moment.
fn working_at(hours: &[Span], at: Timestamp) -> Option<Timestamp> {
    let next = hours.partition_point(|(from, _)| *from <= at);
    let (_, to) = hours.get(next.checked_sub(1)?)?;
    (*to > at).then_some(*to)
}

/// When a person works around a run, in order. Hours without a zone are meant
/// in UTC; nobody can say when somebody works whose zone is not known: they do
/// not count as awake.
fn working(person: &Person, (from, to): Span) -> Vec<Span> {
    let Some(hours) = &person.hours else {
        return vec![(Timestamp::MIN, Timestamp::MAX)];
    };
    let zone = person.zone.as_ref().map_or("UTC", |zone| zone.as_str());
    let Some(zone) = time::zone(zone) else {
        return Vec::new();
    };
    let last = to.min(Duration::from_secs(RUN_DAYS_MAX * 86_400).after(from));
    let day_of = |at: Timestamp| zone.to_datetime(at).date();
    let (first, last) = (day_of(from), day_of(last));
    // Hours that began the evening before may still run.
    let mut day = first.yesterday().unwrap_or(first);
    let mut spans = Vec::new();
    loop {
        spans.extend(shift(hours, &zone, day));
        match day.tomorrow() {
            Ok(next) if next <= last => day = next,
            _ => return spans,
        }
    }
}

/// The hours that begin on a day.
fn shift(hours: &Hours, zone: &TimeZone, day: Date) -> Option<Span> {
    if !hours.days[usize::from(weekday(day))] {
        return None;
    }
    let at = |day: Date, minute: u16| {
        let hour = i8::try_from(minute / 60).ok()?;
        let minute = i8::try_from(minute % 60).ok()?;
        let time = day.at(hour, minute, 0, 0);
        zone.to_timestamp(time).ok()
    };
    let over_midnight = hours.to <= hours.from || hours.to >= 1440;
    let end = if over_midnight {
        day.tomorrow().ok()?
    } else {
        day
    };
    Some((at(day, hours.from)?, at(end, hours.to % 1440)?))
}

fn weekday(day: Date) -> u8 {
    let monday_first: i8 = Weekday::to_monday_zero_offset(day.weekday());
    u8::try_from(monday_first).unwrap_or(0)
}
