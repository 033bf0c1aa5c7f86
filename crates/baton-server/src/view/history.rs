//! How a handoff came to where it stands: blockers over time, and the contents
//! people gave their word on.

mod text;

use std::collections::{BTreeMap, BTreeSet};

use baton_core::event::{Event, RunKind};
use baton_core::gate::{Facts, QuestionState, Readings, Verdict, assess};
use baton_core::handoff::plan::{PLAN_FORMAT, Plan};
use baton_core::id::{Digest, Seq};
use baton_core::ledger::Entry;
use baton_core::parity::Fingerprint;
use baton_engine::desk::Desk;
use baton_engine::desk::agree::person;
use baton_engine::failure::Failure;
use baton_store::Log as _;
use jiff::Timestamp;

use crate::wire::{History, PlanRecord, PointOpen};

/// How many entries are read at a time.
const PAGE: usize = 10_000;
/// Most moments of the past that are weighed.
const MOMENTS: usize = 60;

/// Open blockers over time, and the contents that were offered, accepted, rehearsed
/// or launched.
///
/// Each moment is weighed anew, with the facts of the ledger folded up to it: how
/// much of what is asked *today* had been met *then*. At most sixty moments are
/// spread over the entries that change the facts, the last of them always among
/// them; the present moment, weighed against `release`, ends the line. What the
/// past did not record is taken so:
///
/// - contract and runbook are those of today, and so are freeze calendars;
/// - the release is the one that was named last in what had been recorded by
///   then. Before the first, nothing is bound to any, so none makes a difference;
/// - who sat in the room is not known, so the question *room* is left out.
///
/// It reads the whole ledger, twice.
///
/// # Errors
/// Those of the ledger.
pub(crate) fn of(desk: &mut Desk, release: Result<Digest, String>) -> Result<History, Failure> {
    let (moments, records) = survey(desk)?;
    let readings = desk.readings_of(release, false)?;
    let mut points = burn_down(desk, &moments, &readings)?;
    let now = Timestamp::now();
    let verdict = assess(&desk.plan, &desk.facts, &readings, &desk.notes, now);
    points.push(point(now, &verdict));
    Ok(History {
        points,
        plans: plans(desk, records)?,
    })
}

/// The moments that are weighed, and every word on a content.
fn survey(desk: &mut Desk) -> Result<(BTreeSet<Seq>, Vec<Record>), Failure> {
    let (mut changes, mut records) = (Vec::new(), Vec::new());
    let handoff = desk.handoff();
    each(desk, |entry| {
        let ours = entry.handoff == handoff;
        if changes_facts(&entry.event, ours) {
            changes.push(entry.seq);
        }
        if ours {
            records.extend(Record::of(entry));
        }
    })?;
    // The first, the last, and what lies evenly between.
    let most = MOMENTS.min(changes.len());
    let spread =
        (0..most).map(|n| changes[n * (changes.len() - 1) / most.saturating_sub(1).max(1)]);
    Ok((spread.collect(), records))
}

/// Whether the gate remembers such an entry.
fn changes_facts(event: &Event, ours: bool) -> bool {
    match event {
        Event::LessonKept { .. } | Event::LessonMet { .. } => true,
        Event::CriterionRan { .. }
        | Event::Signed { .. }
        | Event::MeasureSeen { .. }
        | Event::SecretsResolved { .. }
        | Event::Preflighted { .. }
        | Event::Answered { .. }
        | Event::Opened { .. }
        | Event::Offered { .. }
        | Event::Accepted { .. }
        | Event::AcceptedMine { .. }
        | Event::Fingerprinted { .. }
        | Event::RunOpened(_)
        | Event::RoundTrip(_)
        | Event::RunEnded { .. }
        | Event::Reviewed { .. } => ours,
        _ => false,
    }
}

/// The release an entry names.
fn names_release(event: &Event) -> Option<&Digest> {
    match event {
        Event::CriterionRan { release, .. } | Event::Signed { release, .. } => Some(release),
        Event::RunOpened(terms) => Some(&terms.release),
        _ => None,
    }
}

fn burn_down(
    desk: &mut Desk,
    moments: &BTreeSet<Seq>,
    present: &Readings,
) -> Result<Vec<PointOpen>, Failure> {
    let handoff = desk.handoff();
    let mut facts = Facts::new(handoff.clone());
    let mut readings = Readings {
        release: Ok(Digest::of(b"no release was named yet")),
        present: BTreeSet::new(),
        fingerprints: BTreeMap::new(),
        calendars: present.calendars.clone(),
        at_launch: false,
    };
    let mut points = Vec::with_capacity(moments.len() + 1);
    let last = moments.last().copied();
    let mut after = Seq(0);
    while last.is_some_and(|last| after < last) {
        let page = desk.log.read(after, PAGE)?;
        let Some(end) = page.last() else { break };
        after = end.seq;
        for entry in &page {
            facts.apply(entry);
            if entry.handoff == handoff
                && let Some(release) = names_release(&entry.event)
            {
                readings.release = Ok(release.clone());
            }
            if moments.contains(&entry.seq) {
                fingerprints(desk, &facts, &mut readings.fingerprints)?;
                let verdict = assess(&desk.plan, &facts, &readings, &desk.notes, entry.at);
                points.push(point(entry.at, &verdict));
            }
        }
    }
    Ok(points)
}

/// Reads what the facts name and was not read before; what is not named any more goes.
fn fingerprints(
    desk: &mut Desk,
    facts: &Facts,
    read: &mut BTreeMap<Digest, Fingerprint>,
) -> Result<(), Failure> {
    let named: BTreeSet<&Digest> = facts.fingerprint_blobs().collect();
    read.retain(|digest, _| named.contains(digest));
    for digest in named {
        if !read.contains_key(digest)
            && let Some(found) = desk.log.get(digest)?.and_then(Fingerprint::from_bytes)
        {
            let _new = read.insert(digest.clone(), found);
        }
    }
    Ok(())
}

fn point(at: Timestamp, verdict: &Verdict) -> PointOpen {
    let asked = verdict
        .questions
        .iter()
        .filter(|(_, state)| *state != QuestionState::Later);
    let open = asked.map(|(question, _)| {
        let of = |note: &&baton_core::diag::Note| note.code.question() == Some(*question);
        let count = verdict.blockers.iter().filter(of).count();
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        (question.key().to_owned(), count)
    });
    PointOpen {
        at,
        open: open.collect(),
    }
}

fn each(desk: &mut Desk, mut take: impl FnMut(&Entry)) -> Result<(), Failure> {
    let mut after = Seq(0);
    loop {
        let page = desk.log.read(after, PAGE)?;
        let Some(last) = page.last() else {
            return Ok(());
        };
        after = last.seq;
        page.iter().for_each(&mut take);
    }
}

/// Somebody's word on a content.
struct Record {
    at: Timestamp,
    by: baton_core::id::Handle,
    what: &'static str,
    content: Digest,
    /// The plan, where it is kept.
    plan: Option<Digest>,
}

impl Record {
    fn of(entry: &Entry) -> Option<Self> {
        let (what, content, plan) = match &entry.event {
            Event::Offered { content, plan } => ("offered", content, plan.as_ref()),
            Event::Accepted { content } => ("accepted", content, None),
            Event::RunOpened(terms) => match terms.what {
                RunKind::Rehearsal => ("rehearsed", &terms.content, Some(&terms.plan)),
                RunKind::Launch => ("launched", &terms.content, Some(&terms.plan)),
            },
            _ => return None,
        };
        Some(Self {
            at: entry.at,
            by: entry.by.clone(),
            what,
            content: content.clone(),
            plan: plan.cloned(),
        })
    }
}

/// The records, the latest first, each with what changed since the content before
/// whose plan is known: that of the files, or one that was kept with an offer or a run.
fn plans(desk: &mut Desk, records: Vec<Record>) -> Result<Vec<PlanRecord>, Failure> {
    let texts = texts(desk, &records)?;
    let mut before: Option<Digest> = None;
    let mut plans = Vec::with_capacity(records.len());
    for record in records {
        let mut diff = None;
        if before.as_ref() != Some(&record.content)
            && let Some(text) = texts.get(&record.content)
        {
            let old = before.as_ref().and_then(|before| texts.get(before));
            diff = old.map(|old| text::diff(old, text));
            before = Some(record.content.clone());
        }
        let who = person(&desk.contract, &record.by);
        plans.push(PlanRecord {
            at: record.at,
            says: format!("{who} {} this content", record.what),
            by: record.by.to_string(),
            what: record.what.to_owned(),
            content: record.content.to_string(),
            diff,
        });
    }
    plans.reverse();
    Ok(plans)
}

/// The text of each content of which a plan is known.
fn texts(desk: &mut Desk, records: &[Record]) -> Result<BTreeMap<Digest, text::Written>, Failure> {
    let mut texts = BTreeMap::new();
    let _new = texts.insert(
        desk.plan.digests.content.clone(),
        text::Written::of(&desk.plan),
    );
    for record in records {
        let Some(plan) = record
            .plan
            .as_ref()
            .filter(|_| !texts.contains_key(&record.content))
        else {
            continue;
        };
        let bytes = desk.log.get(plan)?;
        let plan = bytes.and_then(|bytes| serde_json::from_slice::<Plan>(&bytes).ok());
        if let Some(plan) = plan.filter(|plan| plan.format == PLAN_FORMAT) {
            let _new = texts.insert(record.content.clone(), text::Written::of(&plan));
        }
    }
    Ok(texts)
}
