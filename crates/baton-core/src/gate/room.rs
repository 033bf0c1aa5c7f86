//! Are the right people here, now?
//!
//! Asked only at the launch. Each role is present and has voted since this
//! content was accepted and since the last launch; a no-go stands until it was
//! talked about and the one who voted it votes go; so does a gap in confidence
//! until it was talked about. How sure people are stays closed until every role
//! has voted, and the numbers of few are told to nobody. When the
//! room is declined nobody need sit in it, but window, freezes and a spoken
//! no-go still hold.

use super::Case;
use super::alignment::agreed_on;
use super::facts::{Facts, Vote};
use crate::diag::{Note, list};
use crate::handoff::contract::Freeze;
use crate::handoff::plan::Plan;
use crate::id::{Digest, Handle, Seq};

use jiff::Timestamp;

/// Voters a team needs before its average may be told: below that it would
/// give single people away.
pub(super) const TEAM_VOTERS_MIN: usize = 3;

/// How far confidence (1 to 5) may lie apart before it must be talked about.
const CONFIDENCE_GAP: f64 = 2.0;

/// How a talk is recorded.
const TALK: &str = "baton say --talk \"what came of it\"";

/// Asks the question and notes what speaks against a yes.
pub(super) fn check(case: &Case<'_>, notes: &mut Vec<Note>) {
    let what = "whom the room tells";
    let section = &case.plan.contract.room;
    let defined = case.section(section, "room.undefined", "room", what, notes);
    if !case.readings.at_launch {
        return;
    }
    check_window(case, notes);
    check_freezes(case, notes);
    let votes = votes(case.plan, case.facts);
    check_no_go(case, &votes, notes);
    if defined.is_some() {
        check_roles(case, &votes, notes);
        check_confidence(case, &votes, notes);
    }
}

fn check_window(case: &Case<'_>, notes: &mut Vec<Note>) {
    let Some(window) = case.plan.contract.launch.window else {
        return;
    };
    let (opens, closes) = (case.moment(window.opens), case.moment(window.closes));
    let says = if case.now < window.opens {
        format!("The window is not open yet: it opens {opens} and closes {closes}.")
    } else if case.now >= window.closes {
        format!("The window has closed: it was open from {opens} to {closes}.")
    } else {
        return;
    };
    notes.push(
        Note::error("room.outside-window", says)
            .naming("window")
            .owned_by(case.lead().as_ref())
            .next("baton launch"),
    );
}

fn check_freezes(case: &Case<'_>, notes: &mut Vec<Note>) {
    let lead = case.lead();
    let holds = |from: Timestamp, to: Timestamp| from <= case.now && case.now < to;
    let frozen = |from, to, because: &str| {
        Note::error(
            "room.freeze",
            format!(
                "Nothing may be launched from {} to {}: {because}.",
                case.moment(from),
                case.moment(to)
            ),
        )
        .naming(because)
    };
    let start = notes.len();
    for freeze in &case.plan.contract.launch.freezes {
        match freeze {
            Freeze::Span { from, to, because } if holds(*from, *to) => {
                notes.push(frozen(*from, *to, because));
            }
            Freeze::Span { .. } => {}
            Freeze::Calendar(file) => match case.readings.calendars.get(file) {
                Some(Ok(events)) => {
                    let now = events.iter().filter(|(from, to, _)| holds(*from, *to));
                    notes.extend(now.map(|(from, to, what)| frozen(*from, *to, what)));
                }
                unread => {
                    let why = match unread {
                        Some(Err(why)) => why.as_str(),
                        _ => "nobody looked",
                    };
                    let says = format!("The freeze calendar {file} cannot be read: {why}");
                    notes.push(Note::unknown("room.freeze", says).naming(file));
                }
            },
        }
    }
    for note in &mut notes[start..] {
        note.owner.clone_from(&lead);
        note.next = Some("baton launch".to_owned());
    }
}

/// The votes that count: of people of the contract, on this content, since it
/// was accepted and since the last launch began or ended.
pub(super) fn votes<'a>(plan: &'a Plan, facts: &'a Facts) -> Vec<(&'a Handle, &'a Vote)> {
    let accepted = agreed_on(plan, facts).accepted.map(|(_, seq)| seq);
    let since: Option<Seq> = accepted.max(facts.launch_turn);
    let counts = |by: &Handle, vote: &Vote| {
        plan.contract.people.contains_key(by)
            && vote.content == plan.digests.content
            && Some(vote.seq) > since
    };
    let all = facts.votes.iter();
    all.filter(|(by, vote)| counts(by, vote)).collect()
}

/// Whether one of each role has voted, and more than one person in all: a
/// number alone is compared with nothing and stays closed.
pub(super) fn all_in(plan: &Plan, votes: &[(&Handle, &Vote)]) -> bool {
    let voted = |role| {
        let people = plan.contract.holders(role);
        votes.iter().any(|(by, _)| people.contains(by))
    };
    votes.len() > 1 && plan.contract.roles.keys().all(|role| voted(role))
}

/// Who may open how sure they were, and what they committed to: everybody whose
/// vote counts and is closed, once every role has voted.
pub fn votes_to_open<'a>(plan: &'a Plan, facts: &'a Facts) -> Vec<(&'a Handle, &'a Digest)> {
    let votes = votes(plan, facts);
    if !all_in(plan, &votes) {
        return Vec::new();
    }
    let shut = votes
        .into_iter()
        .filter(|(_, vote)| vote.confidence.is_none());
    shut.filter_map(|(by, vote)| Some((by, vote.commitment.as_ref()?)))
        .collect()
}

pub(super) fn check_no_go(case: &Case<'_>, votes: &[(&Handle, &Vote)], notes: &mut Vec<Note>) {
    let since = case.facts.launch_turn;
    for (by, vote) in votes {
        let open = vote.no_go > since && vote.no_go >= case.facts.talked;
        let (says, next) = match &vote.because {
            _ if vote.go && !open => continue,
            _ if vote.go => (
                format!(
                    "{} voted no-go and then go, and nobody recorded what was talked about.",
                    case.person(by)
                ),
                TALK.to_owned(),
            ),
            why => {
                let why = match why {
                    Some(why) => format!(": {why}"),
                    None => " without a reason.".to_owned(),
                };
                let says = format!("{} voted no-go{why}", case.person(by));
                let again = format!("baton vote go --confidence 4 --as {by}");
                let next = if open { TALK.to_owned() } else { again };
                (says, next)
            }
        };
        notes.push(
            Note::error("room.no-go", says)
                .naming(by)
                .owned_by(Some(by))
                .next(next),
        );
    }
}

fn check_roles(case: &Case<'_>, votes: &[(&Handle, &Vote)], notes: &mut Vec<Note>) {
    for role in case.plan.contract.roles.keys() {
        let people = case.plan.contract.holders(role);
        let said = list(&case.people(&people), usize::MAX).replace(" and ", " or ");
        let owner = people.first();
        let by = owner.map_or("HANDLE", |by| by.as_str());
        let mut note = |code, says, next| {
            let note = Note::error(code, says).naming(role).naming_all(&people);
            notes.push(note.owned_by(owner).next(next));
        };
        if !people.iter().any(|by| case.readings.present.contains(by)) {
            let says = format!("Nobody for {role} is in the room: it needs {said}.");
            note("room.unstaffed", says, format!("baton join --as {by}"));
        }
        if !people
            .iter()
            .any(|by| votes.iter().any(|(voter, _)| *voter == by))
        {
            let says = format!("Nobody for {role} has voted: it needs {said}.");
            let next = format!("baton vote go --confidence 4 --as {by}");
            note("room.not-voted", says, next);
        }
    }
}

pub(super) fn check_confidence(case: &Case<'_>, votes: &[(&Handle, &Vote)], notes: &mut Vec<Note>) {
    // What is said below of numbers is said of all of them or not at all.
    if !all_in(case.plan, votes) {
        return;
    }
    let shut = votes.iter().filter(|(_, vote)| vote.confidence.is_none());
    let shut: Vec<&Handle> = shut.map(|(by, _)| *by).collect();
    for by in &shut {
        let says = format!(
            "{} has voted, and how sure they are is still closed: any command of theirs opens it.",
            case.person(by)
        );
        let note = Note::error("room.not-voted", says).naming(by);
        notes.push(
            note.owned_by(Some(by))
                .next(format!("baton next --as {by}")),
        );
    }
    let last = votes.iter().map(|(_, vote)| vote.seq).max();
    if !shut.is_empty() || case.facts.talked > last {
        return;
    }
    let sure = |vote: &Vote| f64::from(vote.confidence.unwrap_or_default());
    let contract = &case.plan.contract;
    let of = |team: &str| -> Vec<f64> {
        let members = case.members(team);
        let voted = votes.iter().filter(|(by, _)| members.contains(by));
        voted.map(|(_, vote)| sure(vote)).collect()
    };
    let (from, to) = (&contract.from.value, &contract.to.value);
    let (givers, takers) = (of(from), of(to));
    let note = if givers.len().min(takers.len()) >= TEAM_VOTERS_MIN {
        let (one, other) = (average(&givers), average(&takers));
        if (one - other).abs() < CONFIDENCE_GAP {
            return;
        }
        let says = format!(
            "The teams are not equally sure: {from} says {one:.1} of 5, {to} says {other:.1}. \
             Talk about it, and record what came of it."
        );
        Note::error("room.confidence-gap", says).naming_all([from, to])
    } else {
        let all = || votes.iter().map(|(_, vote)| sure(vote));
        let spread = all().fold(f64::MIN, f64::max) - all().fold(f64::MAX, f64::min);
        if spread < CONFIDENCE_GAP {
            return;
        }
        let says = "Confidence lies far apart: a talk is needed. Record what came of it.";
        Note::error("room.confidence-gap", says)
    };
    notes.push(note.owned_by(case.lead().as_ref()).next(TALK));
}

pub(super) fn average(of: &[f64]) -> f64 {
    of.iter().sum::<f64>() / of.len() as f64
}
