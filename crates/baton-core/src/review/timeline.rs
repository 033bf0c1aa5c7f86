//! What happened, one calm sentence for each thing.
//!
//! The terminal of a live run and the review say the same sentences: [`Feed`]
//! gives them one entry at a time, [`Timeline`] all of them. A sentence is one
//! line without control characters, whatever the ledger holds, and ends without
//! a full stop. Times are instants; showing them in a zone is the reader's part.

use jiff::Timestamp;
use serde::Serialize;

use super::story::{ByHand, How, Meaning, Resumed, Story, Took, Watched, Went, Word};
use super::text::{colon, line, name, reason};
use crate::diag::list;
use crate::event::{Event, FenceRole, Leg, Outcome, RunKind};
use crate::handoff::plan::Plan;
use crate::id::{Handle, HostName, StepId};
use crate::ledger::Entry;
use crate::ledger::canon::BATON;
use crate::parity::Mark;
use crate::time::Duration;
use crate::watch::Decision;

/// How much a line weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Weight {
    /// By the way: who came, who left, what was said.
    Quiet,
    /// As planned.
    Plain,
    /// Against the plan, or a person's word against its course.
    Marked,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// When.
    pub at: Timestamp,
    /// Who says so: a person, or Baton itself.
    pub by: Handle,
    /// What, in a sentence of one line without a full stop.
    pub says: String,
    /// How much it weighs.
    pub weight: Weight,
}

/// The lines of a run as its entries come in.
#[derive(Clone, Debug)]
pub struct Feed {
    plan: Plan,
    story: Story,
}

impl Feed {
    /// A feed that has seen nothing yet.
    pub fn new(plan: &Plan) -> Self {
        Self {
            plan: plan.clone(),
            story: Story::default(),
        }
    }

    /// Takes the next entry in. `None` when it is no news: an attempt is one
    /// line when it ended, a passing `verify` belongs to its step, and the judge
    /// speaks when it changes its mind.
    pub fn take(&mut self, entry: &Entry) -> Option<Line> {
        let meaning = self.story.read(&self.plan, entry);
        told(&self.plan, entry, &meaning, self.story.back())
    }
}

/// The lines of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Timeline {
    /// In the order of the ledger.
    pub lines: Vec<Line>,
}

impl Timeline {
    /// The lines of these entries: those of one run, in the order of the ledger.
    pub fn of(entries: &[Entry], plan: &Plan) -> Self {
        let mut feed = Feed::new(plan);
        Self {
            lines: entries
                .iter()
                .filter_map(|entry| feed.take(entry))
                .collect(),
        }
    }
}

/// The line of an entry, of which it is known what it means.
pub(super) fn told(plan: &Plan, entry: &Entry, meaning: &Meaning, back: bool) -> Option<Line> {
    let (weight, says) = match meaning {
        Meaning::Nothing | Meaning::Took(Took::First) => return None,
        Meaning::Stated => (weight(entry), stated(entry, plan, back)?),
        Meaning::Went(went) => how_it_went(plan, went)?,
        Meaning::ByHand(word) => by_hand(plan, entry, word),
        Meaning::Resumed(from) => resumed(entry, from),
        Meaning::Took(Took::AfterHalt) => (Weight::Quiet, say(entry, plan)?),
        Meaning::Took(Took::Over) => (Weight::Marked, say(entry, plan)?),
        Meaning::Judged(Decision::RollBack) => (Weight::Marked, say(entry, plan)?),
        Meaning::Judged(_) => (Weight::Plain, say(entry, plan)?),
        Meaning::Watched(watched) => (Weight::Plain, watch_over(plan, entry, watched)),
    };
    Some(Line {
        at: entry.at,
        by: entry.by.clone(),
        says,
        weight,
    })
}

fn weight(entry: &Entry) -> Weight {
    match &entry.event {
        Event::Joined | Event::Left | Event::Said { .. } | Event::Fingerprinted { .. } => {
            Weight::Quiet
        }
        Event::RoundTrip(trip) if !trip.proves() => Weight::Marked,
        Event::Reported { .. } => Weight::Marked,
        Event::Voted { go: false, .. }
        | Event::RetryCalled { .. }
        | Event::Paused { .. }
        | Event::RoleLost { .. }
        | Event::Escalated { .. }
        | Event::BridgeLost { .. }
        | Event::WindowExtended { .. }
        | Event::RollbackCalled { .. }
        | Event::StopCalled { .. }
        | Event::Frozen { .. }
        | Event::LegBegan { planned: false, .. } => Weight::Marked,
        Event::StepSkipped { .. } if entry.by.as_str() != BATON => Weight::Marked,
        Event::RunEnded { outcome, .. } if *outcome != Outcome::Succeeded => Weight::Marked,
        _ => Weight::Plain,
    }
}

/// The sentence of one entry that can be told without those before it. `None`
/// for the end of an attempt, which needs its beginning, and for what belongs
/// to the gate and not to a run.
pub fn say(entry: &Entry, plan: &Plan) -> Option<String> {
    stated(entry, plan, false)
}

fn stated(entry: &Entry, plan: &Plan, back: bool) -> Option<String> {
    let by = name(&entry.by);
    let title = |step: &StepId| title(plan, step);
    Some(match &entry.event {
        Event::RunOpened(terms) => {
            let what = release(plan);
            let place = name(&terms.environment);
            match (terms.what, &terms.fail_at) {
                (RunKind::Launch, _) => format!("{by} opened the launch of {what} to {place}"),
                (RunKind::Rehearsal, None) => {
                    format!("{by} opened the rehearsal of {what} in {place}")
                }
                (RunKind::Rehearsal, Some(step)) => format!(
                    "{by} opened the rehearsal of {what} in {place}, to be broken at {} on purpose",
                    title(step)
                ),
            }
        }
        Event::DriverTook { holder, .. } => {
            format!("The run is driven from {} now", name(holder))
        }
        Event::AttemptStarted {
            step, host, role, ..
        } => {
            let (title, on) = (title(step), on(host));
            match role {
                FenceRole::Run => format!("{title} began{on}"),
                role => format!("The {} of {title} began{on}", role.word()),
            }
        }
        Event::StepSkipped { step, because } => {
            let why = colon(Some(because));
            match (entry.by.as_str() == BATON, back) {
                (true, _) => format!("{} was left out{why}", title(step)),
                (false, false) => format!("{by} left out {}{why}", title(step)),
                (false, true) => format!("{by} left out the undo of {}{why}", title(step)),
            }
        }
        Event::StepDone { step, .. } => format!("{by} says that {} is done", title(step)),
        Event::StepApproved { step } => format!("{by} approved {}", title(step)),
        Event::RetryCalled { step, .. } if back => {
            format!("{by} had the undo of {} tried again", title(step))
        }
        Event::RetryCalled { step, .. } => format!("{by} had {} tried again", title(step)),
        Event::Resumed => format!("{by} let the run go on"),
        Event::WatchBegan { step, .. } => format!("The watch of {} began", watched(plan, step)),
        Event::Judged { verdict, .. } => {
            let word = match verdict.decision {
                Decision::Keep => "keep",
                Decision::Hold => "hold",
                Decision::RollBack => "roll back",
            };
            format!("The judge says {word}{}", colon(Some(&verdict.because)))
        }
        Event::Escalated { step, to, after } => format!(
            "{} called for {}: nobody answered for {after}",
            are(to),
            title(step)
        ),
        Event::WatchEnded { because } => format!("The watch is over{}", colon(Some(because))),
        Event::AcceptedLive => format!("{by} took over the running release"),
        Event::RunEnded {
            outcome, because, ..
        } => format!("The run {}{}", ended(*outcome), colon(Some(because))),
        event => return room_or_course(event, &by),
    })
}

/// Sentences of the room, and of a run's course as a whole.
fn room_or_course(event: &Event, by: &str) -> Option<String> {
    Some(match event {
        Event::Joined => format!("{by} came into the room"),
        Event::Left => format!("{by} left the room"),
        Event::Said { text } => format!("{by}: {}", line(text, super::text::TEXT_MOST)),
        Event::Talked { text } => format!("{by} recorded the talk{}", colon(Some(text))),
        // How sure somebody was is theirs: it is asked in confidence and never told.
        Event::Voted { go, because, .. } => {
            let vote = if *go { "go" } else { "no-go" };
            format!("{by} voted {vote}{}", colon(because.as_deref()))
        }
        Event::Paused { because } => format!("{by} paused the run{}", colon(because.as_deref())),
        Event::WindowExtended { because } => format!(
            "{by} let the run go on past its window{}",
            colon(because.as_deref())
        ),
        Event::RoleLost { role, gone, called } => lost(role, gone, called),
        Event::RoleCovered { role, by } => {
            format!("{} is covered: {} there", name(role), are(by))
        }
        Event::RollbackCalled { because } => {
            format!("{by} called the way back{}", colon(because.as_deref()))
        }
        Event::StopCalled { because } => {
            format!("{by} stopped the run{}", colon(because.as_deref()))
        }
        Event::LegBegan {
            leg,
            planned,
            because,
        } => {
            let turn = match (leg, planned) {
                (Leg::Back, true) => "The way back began",
                (Leg::Back, false) => "The run turned back",
                (Leg::Forward | Leg::Again, _) => "The run goes forward again",
            };
            format!("{turn}{}", colon(Some(because)))
        }
        Event::Fingerprinted {
            environment,
            mark: Some(mark),
            ..
        } => {
            let when = match mark {
                Mark::Before => "before the first step",
                Mark::Forward => "with every step in effect",
                Mark::Back => "with every step undone",
            };
            format!("The fingerprint of {} was taken {when}", name(environment))
        }
        Event::RoundTrip(trip) => {
            let proven = if trip.proves() {
                "The way back is proven"
            } else {
                "The way back is not proven"
            };
            format!("{proven}{}", colon(Some(&trip.says())))
        }
        Event::Frozen { because } => format!("The run froze in place{}", colon(Some(because))),
        event => return outside(event),
    })
}

/// Sentences of those who are not in the room, and of what leads to them.
fn outside(event: &Event) -> Option<String> {
    Some(match event {
        Event::Reported { says, contact } => format!(
            "somebody reports a problem: {}{}",
            line(says, super::text::TEXT_MOST),
            contact.as_ref().map_or_else(String::new, |contact| format!(
                " (reach them by {})",
                line(contact, super::text::TEXT_MOST)
            ))
        ),
        Event::BridgeLost { bridge, because } => format!(
            "The bridge {} does not get through{}",
            name(bridge),
            colon(Some(because))
        ),
        Event::BridgeBack { bridge, after } => {
            format!(
                "The bridge {} gets through again after {after}",
                name(bridge)
            )
        }
        _ => return None,
    })
}

fn how_it_went(plan: &Plan, went: &Went) -> Option<(Weight, String)> {
    let (title, on) = (title(plan, &went.step), on(&went.host));
    let took = match went.took.as_millis() {
        0 => String::new(),
        _ => format!(" ({})", went.took),
    };
    let marked = |says| Some((Weight::Marked, says));
    let plain = |says| Some((Weight::Plain, says));
    let try_no = match went.tries {
        0 | 1 => String::new(),
        tries => format!(" at try {tries}"),
    };
    match &went.how {
        How::Done => plain(format!("{title} succeeded{on}{try_no}{took}")),
        How::Broken => plain(format!(
            "{title} succeeded{on}{took}, and was broken there on purpose"
        )),
        How::Confirmed => None,
        How::FoundDone => plain(format!("{title} is in effect{on}, says its verify")),
        How::FoundMissing => marked(format!("{title} is not in effect{on}, says its verify")),
        How::Failed(role, end) => marked(format!(
            "{title} failed{on}{try_no}: its {} {}{took}",
            role.word(),
            reason(&end.says())
        )),
        How::Lost(FenceRole::Undo, because) => marked(format!(
            "Nobody knows how the undo of {title} ended{on}{}",
            colon(Some(because))
        )),
        How::Lost(_, because) => marked(format!(
            "Nobody knows how {title} ended{on}{}",
            colon(Some(because))
        )),
        How::Undone => plain(format!("{title} was undone{on}{took}")),
        How::UndoFailed(end) => marked(format!(
            "The undo of {title} failed{on}: it {}{took}",
            reason(&end.says())
        )),
        How::StillThere => marked(format!(
            "{title} is still in effect{on} after its undo, says its verify"
        )),
        How::UndoUnseen(end) => marked(format!(
            "Nobody knows whether {title} is undone{on}: its verify {}",
            reason(&end.says())
        )),
        How::Voided => Some((
            Weight::Quiet,
            format!("{title} did not start{on} after all"),
        )),
    }
}

fn by_hand(plan: &Plan, entry: &Entry, word: &ByHand) -> (Weight, String) {
    let Event::StepDone { step, .. } = &entry.event else {
        return (Weight::Plain, String::new());
    };
    let (by, title) = (name(&entry.by), title(plan, step));
    match word.word {
        Word::Did => (Weight::Plain, format!("{by} did {title}")),
        Word::Undid => (Weight::Plain, format!("{by} undid {title}")),
        Word::SettledRun => (Weight::Marked, format!("{by} says that {title} is done")),
        Word::SettledUndo | Word::Insisted => {
            (Weight::Marked, format!("{by} says that {title} is undone"))
        }
    }
}

fn resumed(entry: &Entry, from: &Resumed) -> (Weight, String) {
    let by = name(&entry.by);
    match from {
        Resumed::Pause(since) => {
            let lasted = Duration::between(*since, entry.at);
            let says = format!("{by} let the run go on after {lasted}");
            (Weight::Plain, says)
        }
        Resumed::Freeze => {
            let says = format!("{by} let the run go on in spite of that");
            (Weight::Marked, says)
        }
        Resumed::Nothing => (Weight::Plain, format!("{by} let the run go on")),
    }
}

fn watch_over(plan: &Plan, entry: &Entry, over: &Watched) -> String {
    let because = match &entry.event {
        Event::WatchEnded { because } if !over.said => Some(because.as_str()),
        _ => None,
    };
    let lasted = over
        .lasted
        .map_or_else(String::new, |lasted: Duration| format!(" after {lasted}"));
    let what = watched(plan, &over.step);
    format!("The watch of {what} ended{lasted}{}", colon(because))
}

fn lost(role: &str, gone: &[Handle], called: &[Handle]) -> String {
    let why = match gone {
        [] => "nobody of it is in the room".to_owned(),
        gone => format!("{} gone", are(gone)),
    };
    let (called, role) = (are(called), name(role));
    format!("{called} called for {role}: {why}; the run pauses until somebody is there")
}

/// People, and what they are: `omar is`, `omar and pia are`.
fn are(people: &[Handle]) -> String {
    let verb = if people.len() == 1 { "is" } else { "are" };
    let names: Vec<String> = people.iter().map(|by| name(by)).collect();
    format!("{} {verb}", list(&names, 6))
}

/// What is watched: a step's change, or the whole release.
pub(super) fn watched(plan: &Plan, step: &Option<StepId>) -> String {
    step.as_ref()
        .map_or_else(|| "the whole release".to_owned(), |step| title(plan, step))
}

/// A step's title; its id when the plan has no such step.
pub(crate) fn title(plan: &Plan, step: &StepId) -> String {
    let written = plan.step(step).map(|step| name(&step.written.title));
    written
        .filter(|title| !title.is_empty())
        .unwrap_or_else(|| name(step))
}

/// ` on web1`; nothing for the contract's own folder.
pub(super) fn on(host: &HostName) -> String {
    if host.is_here() {
        String::new()
    } else {
        format!(" on {}", name(host))
    }
}

/// Name and version of what is released.
pub(crate) fn release(plan: &Plan) -> String {
    let contract = &plan.contract;
    format!(
        "{} {}",
        name(&contract.name),
        name(&contract.release.version)
    )
}

/// How a run ended, to follow `the run`.
pub(super) fn ended(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Succeeded => "succeeded",
        Outcome::RolledBack => "was rolled back",
        Outcome::Stopped => "was stopped",
        Outcome::Aborted => "was aborted",
    }
}
