//! Do both sides mean the same thing?
//!
//! Each team answers every expectation blind. Answers come in rounds: a round
//! is complete when both teams committed to one, and it counts once both were
//! opened, later than both commitments. The last complete round decides; after
//! a conflict one new equal answer of each team settles it. Then the giver
//! offers, and another person accepts, exactly this content.

use std::collections::BTreeMap;

use super::facts::{Answer, Word};
use super::{Case, Facts, bound, members};
use crate::diag::{Note, list};
use crate::handoff::contract::{AnswerKind, Contract, Expectation};
use crate::handoff::plan::Plan;
use crate::id::{Digest, ExpectationId, Handle, Seq, TeamName};
use crate::time::Duration;

/// Asks the question and notes what speaks against a yes.
pub(super) fn check(case: &Case<'_>, notes: &mut Vec<Note>) {
    let contract = &case.plan.contract;
    let what = "what both teams answer blind";
    let code = "alignment.undefined";
    if let Some(asked) = case.section(&contract.expectations, code, "expectations", what, notes) {
        if asked.is_empty() {
            notes.push(case.undefined(code, "expectations", what));
        }
        notes.extend(asked.iter().filter_map(|asked| judge(case, asked)));
    }
    check_words(case, notes);
}

/// What a blind answer is bound to: the whole expectation.
pub fn expectation_definition(expectation: &Expectation) -> Digest {
    bound(expectation)
}

/// Whether two answers to an expectation mean the same: numbers and durations
/// within its share of the larger, words without case and outer white space.
pub fn agree(expectation: &Expectation, one: &str, other: &str) -> bool {
    let words = |text: &str| text.trim().to_lowercase();
    let number = |text: &str| match expectation.answer {
        AnswerKind::Number => text.trim().parse::<f64>().ok().filter(|n| n.is_finite()),
        AnswerKind::Duration => {
            let read = Duration::parse(text.trim()).ok();
            read.map(|duration| duration.as_millis() as f64)
        }
        AnswerKind::Text | AnswerKind::YesNo | AnswerKind::Choice(_) => None,
    };
    match (number(one), number(other)) {
        (Some(a), Some(b)) => {
            let within = expectation.within.unwrap_or(0.0) * a.abs().max(b.abs());
            // 29% of 100 is a little less than 29 in binary: the edge counts.
            (a - b).abs() <= within * (1.0 + 1e-12)
        }
        _ => words(one) == words(other),
    }
}

/// One answer of each team.
#[derive(Clone, Copy, Default)]
struct Round<'a> {
    giver: Option<&'a Answer>,
    taker: Option<&'a Answer>,
}

impl<'a> Round<'a> {
    fn pair(self) -> Option<(&'a Answer, &'a Answer)> {
        self.giver.zip(self.taker)
    }
}

/// The last complete round and the one that has begun since.
fn rounds<'a>(contract: &Contract, facts: &'a Facts, asked: &Expectation) -> [Round<'a>; 2] {
    let definition = expectation_definition(asked);
    let answers = facts.answers.get(&asked.id.value).into_iter().flatten();
    let (from, to) = (&contract.from.value, &contract.to.value);
    let givers = members(contract, from);
    let takers = members(contract, to);
    let (mut complete, mut begun) = (Round::default(), Round::default());
    for answer in answers.filter(|a| a.definition == definition) {
        let gives = answer.team == *from && givers.contains(&answer.by);
        let takes = answer.team == *to && takers.contains(&answer.by);
        // Who has answered for one side in this round cannot be blind for the other.
        let is = |other: Option<&Answer>| other.is_some_and(|other| other.by == answer.by);
        if gives && !is(begun.taker) {
            begun.giver = Some(answer);
        } else if takes && !is(begun.giver) {
            begun.taker = Some(answer);
        }
        if begun.pair().is_some() {
            complete = std::mem::take(&mut begun);
        }
    }
    [complete, begun]
}

/// A committed answer that may be opened now: its counterpart is committed too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unopened<'a> {
    /// The expectation.
    pub expectation: &'a ExpectationId,
    /// The team it answers for.
    pub team: &'a TeamName,
    /// Who answered.
    pub by: &'a Handle,
    /// What was committed to.
    pub commitment: &'a Digest,
}

/// The answers of the last complete rounds that nobody has opened yet. Whoever
/// answered alone knows the value and the salt.
pub fn to_open<'a>(plan: &'a Plan, facts: &'a Facts) -> Vec<Unopened<'a>> {
    let asked = plan.contract.expectations.defined().into_iter().flatten();
    asked
        .flat_map(|asked| {
            let [complete, _] = rounds(&plan.contract, facts, asked);
            let pair = complete.pair().map(|(giver, taker)| [giver, taker]);
            let shut = pair.into_iter().flatten().filter(|a| a.opened.is_none());
            shut.map(|answer| Unopened {
                expectation: &asked.id.value,
                team: &answer.team,
                by: &answer.by,
                commitment: &answer.commitment,
            })
        })
        .collect()
}

/// Whether a person can still answer blind for this team: whoever has answered
/// for the other side in the round that has begun cannot.
pub fn is_blind(
    plan: &Plan,
    facts: &Facts,
    asked: &Expectation,
    team: &TeamName,
    by: &Handle,
) -> bool {
    let [_, begun] = rounds(&plan.contract, facts, asked);
    let sides = [begun.giver, begun.taker].into_iter().flatten();
    sides
        .filter(|answer| answer.by == *by)
        .all(|answer| answer.team == *team)
}

/// Where the answers to an expectation stand, as everybody may see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stand<'a> {
    /// Whether the giving team has answered, and the receiving one: in the round
    /// that has begun, else in the last complete one.
    pub given: [bool; 2],
    /// What both said, the giver's first, once both were opened later than both
    /// had answered.
    pub opened: Option<[&'a str; 2]>,
    /// The teams whose answer, or new answer, is asked for.
    pub wanted: Vec<&'a TeamName>,
}

/// Where the answers to an expectation stand.
pub fn stand<'a>(plan: &'a Plan, facts: &'a Facts, asked: &Expectation) -> Stand<'a> {
    let contract = &plan.contract;
    let [complete, begun] = rounds(contract, facts, asked);
    let now = if begun.giver.is_some() || begun.taker.is_some() {
        begun
    } else {
        complete
    };
    let given = [now.giver.is_some(), now.taker.is_some()];
    let teams = [&contract.from.value, &contract.to.value];
    let sides = [begun.giver, begun.taker].into_iter().zip(teams);
    let missing = sides.filter_map(|(answer, team)| answer.is_none().then_some(team));
    let missing: Vec<&TeamName> = missing.collect();
    let Some((giver, taker)) = complete.pair() else {
        return Stand {
            given,
            opened: None,
            wanted: missing,
        };
    };
    let both = giver.seq.max(taker.seq);
    let opened_both = opened(giver, both).zip(opened(taker, both));
    let settled = match opened_both {
        Some((one, other)) => agree(asked, one, other),
        // It waits to be opened, unless that came too early to have been blind.
        None => {
            let early = |answer: &Answer| {
                let opened_at = answer.opened.as_ref().map(|(seq, _)| *seq);
                opened_at.is_some_and(|seq| seq < both)
            };
            !early(giver) && !early(taker)
        }
    };
    Stand {
        given,
        opened: opened_both.map(|(one, other)| [one, other]),
        wanted: if settled && missing.len() == 2 {
            Vec::new()
        } else {
            missing
        },
    }
}

/// A person's latest answer that counts: for which team, and what they are
/// bound to.
pub fn answer_by<'a>(
    plan: &Plan,
    facts: &'a Facts,
    asked: &Expectation,
    by: &Handle,
) -> Option<(&'a TeamName, &'a Digest)> {
    let [complete, begun] = rounds(&plan.contract, facts, asked);
    let sides = [begun.giver, begun.taker, complete.giver, complete.taker];
    let mut theirs = sides.into_iter().flatten().filter(|one| one.by == *by);
    theirs.next().map(|one| (&one.team, &one.commitment))
}

fn judge(case: &Case<'_>, asked: &Expectation) -> Option<Note> {
    let contract = &case.plan.contract;
    let [complete, begun] = rounds(contract, case.facts, asked);
    let missing: Vec<&TeamName> = [
        (begun.giver, &contract.from.value),
        (begun.taker, &contract.to.value),
    ]
    .into_iter()
    .filter_map(|(answer, team)| answer.is_none().then_some(team))
    .collect();

    let Some((giver, taker)) = complete.pair() else {
        return Some(unanswered(case, asked, &missing, "has not answered"));
    };
    let both = giver.seq.max(taker.seq);
    match (opened(giver, both), opened(taker, both)) {
        (Some(one), Some(other)) if agree(asked, one, other) => match missing.len() {
            // One side has answered anew; it binds nobody until the other has too.
            1 => Some(unanswered(case, asked, &missing, "has not answered again")),
            _ => None,
        },
        (Some(one), Some(other)) => Some(conflict(case, asked, (giver, one), (taker, other))),
        _ if missing.len() == 1 => {
            Some(unanswered(case, asked, &missing, "has not answered again"))
        }
        _ => Some(unopened(case, asked, [giver, taker], both)),
    }
}

/// What an answer says, if it was opened when both sides were committed.
fn opened(answer: &Answer, both: Seq) -> Option<&str> {
    let (seq, value) = answer.opened.as_ref()?;
    (*seq > both).then_some(value.as_str())
}

fn unanswered(case: &Case<'_>, asked: &Expectation, teams: &[&TeamName], not: &str) -> Note {
    let (id, ask) = (&asked.id.value, &asked.ask);
    let says = match teams {
        [one] => format!("{one} {not} {id} ({ask})"),
        teams => {
            let not = not.replacen("has", "have", 1);
            let teams: Vec<&str> = teams.iter().map(|team| team.as_str()).collect();
            format!("{} {not} {id} ({ask})", list(&teams, usize::MAX))
        }
    };
    let owner = teams.first().and_then(|team| case.leader(team));
    Note::error("alignment.unanswered", says)
        .naming(id)
        .naming_all(teams)
        .owned_by(owner.as_ref())
        .next(format!("baton answer {id} VALUE"))
}

fn unopened(case: &Case<'_>, asked: &Expectation, answers: [&Answer; 2], both: Seq) -> Note {
    let (id, ask) = (&asked.id.value, &asked.ask);
    let early = answers
        .iter()
        .any(|a| a.opened.is_some() && opened(a, both).is_none());
    let waits: Vec<&Answer> = answers
        .into_iter()
        .filter(|answer| opened(answer, both).is_none())
        .collect();
    let people: Vec<String> = waits
        .iter()
        .map(|answer| format!("{} of {}", case.person(&answer.by), answer.team))
        .collect();
    let (says, next) = if early {
        let says = format!(
            "{id} ({ask}) was opened before both teams had answered, so it was not blind: \
             both answer again, {} first.",
            list(&people, usize::MAX)
        );
        (says, format!("baton answer {id} VALUE"))
    } else {
        let says = format!(
            "Both teams answered {id} ({ask}); it waits to be opened by {}.",
            list(&people, usize::MAX)
        );
        let by = waits.first().map_or("", |answer| answer.by.as_str());
        (says, format!("baton check --as {by}"))
    };
    Note::error("alignment.unanswered", says)
        .naming(id)
        .naming_all(waits.iter().map(|answer| &answer.team))
        .owned_by(waits.first().map(|answer| &answer.by))
        .next(next)
}

fn conflict(
    case: &Case<'_>,
    asked: &Expectation,
    (giver, one): (&Answer, &str),
    (taker, other): (&Answer, &str),
) -> Note {
    let id = &asked.id.value;
    let near = match asked.within {
        Some(share) => {
            let percent = (share * 1e6).round() / 1e4;
            format!(" They may lie {percent}% apart.")
        }
        None => String::new(),
    };
    let says = format!(
        "{id} ({}) is answered differently: {} ({}) says {one}, {} ({}) says {other}.{near} \
         One new, equal answer of each team settles it.",
        asked.ask,
        case.person(&giver.by),
        giver.team,
        case.person(&taker.by),
        taker.team,
    );
    Note::error("alignment.conflict", says)
        .naming(id)
        .owned_by(Some(&giver.by))
        .next(format!("baton answer {id} VALUE"))
}

/// The offer and the acceptance that hold for this content, by different people.
pub(super) struct Agreed<'a> {
    pub(super) offer: Option<&'a Handle>,
    pub(super) accepted: Option<(&'a Handle, Seq)>,
}

/// Who offered and who accepted exactly this content.
pub(super) fn agreed<'a>(case: &Case<'a>) -> Agreed<'a> {
    agreed_on(case.plan, case.facts)
}

/// The same, without the readings of the present moment.
pub(super) fn agreed_on<'a>(plan: &'a Plan, facts: &'a Facts) -> Agreed<'a> {
    let content = &plan.digests.content;
    let members = |team: &TeamName| plan.contract.members(team).unwrap_or_default();
    let holding = |words: &'a BTreeMap<Handle, Word>, team: &TeamName| {
        let mut of: Vec<(&Handle, Seq)> = words
            .iter()
            .filter(|(by, word)| word.content == *content && members(team).contains(by))
            .map(|(by, word)| (by, word.seq))
            .collect();
        of.sort_by_key(|(_, seq)| *seq);
        of
    };
    let offers = holding(&facts.offers, &plan.contract.from.value);
    let accepts = holding(&facts.accepts, &plan.contract.to.value);
    let pair = accepts.iter().find_map(|accept| {
        let offer = offers.iter().find(|offer| offer.0 != accept.0)?;
        Some((offer.0, *accept))
    });
    match pair {
        Some((offer, accepted)) => Agreed {
            offer: Some(offer),
            accepted: Some(accepted),
        },
        None => Agreed {
            offer: offers.first().map(|offer| offer.0),
            accepted: accepts.into_iter().next().filter(|_| offers.is_empty()),
        },
    }
}

fn check_words(case: &Case<'_>, notes: &mut Vec<Note>) {
    let contract = &case.plan.contract;
    let Agreed { offer, accepted } = agreed(case);
    let (from, to) = (&contract.from.value, &contract.to.value);
    if offer.is_none() {
        let lapsed = lapsed(case, &case.facts.offers, from, None);
        notes.push(match lapsed {
            Some(by) => word_lapsed(case, "offer", by, "baton offer"),
            None => Note::error(
                "alignment.not-offered",
                format!("Nobody of {from} has offered this content yet."),
            )
            .naming(from)
            .owned_by(case.giver().as_ref())
            .next(signed("baton offer", case.giver().as_ref())),
        });
    }
    if accepted.is_none() {
        let lapsed = lapsed(case, &case.facts.accepts, to, offer);
        notes.push(match lapsed {
            Some(by) => word_lapsed(case, "acceptance", by, "baton accept"),
            None => not_accepted(case, offer),
        });
    }
}

fn not_accepted(case: &Case<'_>, offer: Option<&Handle>) -> Note {
    let to = &case.plan.contract.to.value;
    let members = case.members(to);
    let owner = members.iter().find(|by| Some(*by) != offer);
    let but = match offer.filter(|by| members.contains(by)) {
        Some(by) => format!(
            "; {} offered it, and nobody accepts their own offer",
            case.person(by)
        ),
        None => String::new(),
    };
    let says = format!("Nobody of {to} has accepted this content yet{but}.");
    Note::error("alignment.not-accepted", says)
        .naming(to)
        .owned_by(owner)
        .next(signed("baton accept", owner))
}

/// A command whose speaker is never guessed.
fn signed(command: &str, by: Option<&Handle>) -> String {
    match by {
        Some(by) => format!("{command} --as {by}"),
        None => format!("{command} --as HANDLE"),
    }
}

/// The latest word of a member on other content.
fn lapsed<'a>(
    case: &Case<'a>,
    words: &'a BTreeMap<Handle, Word>,
    team: &TeamName,
    except: Option<&Handle>,
) -> Option<&'a Handle> {
    let content = &case.plan.digests.content;
    words
        .iter()
        .filter(|(by, word)| {
            word.content != *content && Some(*by) != except && case.members(team).contains(by)
        })
        .max_by_key(|(_, word)| word.seq)
        .map(|(by, _)| by)
}

fn word_lapsed(case: &Case<'_>, what: &str, by: &Handle, next: &str) -> Note {
    let says = format!(
        "The {what} of {} has lapsed: the content has changed since.",
        case.person(by)
    );
    Note::error("alignment.lapsed", says)
        .naming(by)
        .owned_by(Some(by))
        .next(format!("{next} --as {by}"))
}
