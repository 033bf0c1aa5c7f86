//! Blind answers and the confidence of votes: committed, kept at home, opened
//! once all are in.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use baton_core::diag::{list, nearest};
use baton_core::event::Event;
use baton_core::gate::{
    answer_by, commitment, expectation_definition, is_blind, to_open, votes_to_open,
};
use baton_core::handoff::contract::{AnswerKind, Expectation};
use baton_core::id::{Digest, ExpectationId, Handle, HandoffId, TeamName};
use baton_core::time::Duration;
use serde::{Deserialize, Serialize};

use super::{Desk, Settings, draw};
use crate::failure::Failure;

/// The most characters of a free answer: people read it beside another one.
const TEXT_MOST: usize = 2000;

/// An answer as it waits at home; format 1.
#[derive(Serialize, Deserialize)]
struct Kept {
    format: u32,
    value: String,
    salt: String,
}

/// What became of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// For which team it was given.
    pub team: TeamName,
    /// What binds the giver to it.
    pub commitment: Digest,
    /// Whether the other team has answered, too.
    pub both: bool,
}

/// Gives a blind answer for a team of `me`: as said, or the one they are in.
///
/// # Errors
/// When there is no such expectation, the value is not of its kind, or `me`
/// may not answer it blind.
pub fn answer(
    desk: &mut Desk,
    me: &Handle,
    id: &str,
    value: &str,
    team: Option<&str>,
) -> Result<Given, Failure> {
    let asked = known(desk, id)?.clone();
    let team = team_of(desk, me, team)?;
    blind(desk, &asked, &team, me)?;
    let value = valid(&asked, value)?;
    let salt = salt();
    let commitment = commitment(&salt, &value);
    let place = place(
        &desk.settings,
        &desk.handoff(),
        &asked.id.value,
        &team,
        &commitment,
    );
    let kept = Kept {
        format: 1,
        value,
        salt,
    };
    // The value is safe before anybody is bound to it.
    keep(&place, &kept).map_err(|error| {
        Failure::part(format!("cannot keep the answer in {}", place.display())).because(&error)
    })?;
    let answered = Event::Answered {
        expectation: asked.id.value.clone(),
        definition: expectation_definition(&asked),
        team: team.clone(),
        commitment: commitment.clone(),
    };
    while !desk.append_decided(None, vec![(me.clone(), answered.clone())])? {
        blind(desk, &asked, &team, me)?;
    }
    let both = to_open(&desk.plan, &desk.facts)
        .iter()
        .any(|shut| *shut.commitment == commitment);
    open_answers(desk)?;
    Ok(Given {
        team,
        commitment,
        both,
    })
}

/// Refuses whoever knows the other team's answer, because it is their own.
fn blind(desk: &Desk, asked: &Expectation, team: &TeamName, me: &Handle) -> Result<(), Failure> {
    if is_blind(&desk.plan, &desk.facts, asked, team, me) {
        return Ok(());
    }
    let id = &asked.id.value;
    Err(Failure::refused(format!(
        "{me} has answered {id} for the other team already, so this would not be blind"
    ))
    .hint(format!("somebody else of {team} answers")))
}

/// Opens the answers that were given from this home and whose counterparts are
/// committed too, and how sure voters of this home are once every role has voted.
/// Nothing happens for any other.
///
/// # Errors
/// Those of the ledger.
pub fn open_answers(desk: &mut Desk) -> Result<(), Failure> {
    loop {
        let mine = here(desk);
        // Another command of this home may be about to open the same.
        if mine.is_empty() || desk.append_decided(None, mine)? {
            return Ok(());
        }
    }
}

/// Those of the answers and votes to open that are kept in this home, each by
/// its giver.
fn here(desk: &Desk) -> Vec<(Handle, Event)> {
    let (settings, handoff) = (&desk.settings, desk.handoff());
    let answers = to_open(&desk.plan, &desk.facts).into_iter();
    let answers = answers.filter_map(|shut| {
        let (asked, team) = (shut.expectation, shut.team);
        let kept = kept(
            &place(settings, &handoff, asked, team, shut.commitment),
            shut.commitment,
        )?;
        let opened = Event::Opened {
            expectation: asked.clone(),
            team: team.clone(),
            value: kept.value,
            salt: kept.salt,
        };
        Some((shut.by.clone(), opened))
    });
    let votes = votes_to_open(&desk.plan, &desk.facts).into_iter();
    let votes = votes.filter_map(|(by, shut)| {
        let kept = kept(&vote_place(settings, &handoff, by, shut), shut)?;
        let opened = Event::ConfidenceOpened {
            commitment: shut.clone(),
            confidence: kept.value.parse().ok()?,
            salt: kept.salt,
        };
        Some((by.clone(), opened))
    });
    answers.chain(votes).collect()
}

/// What a person answered last, when it was given from this home. Nobody else's
/// answer is ever read.
pub fn own(desk: &Desk, me: &Handle, asked: &Expectation) -> Option<String> {
    let (team, shut) = answer_by(&desk.plan, &desk.facts, asked, me)?;
    let place = place(&desk.settings, &desk.handoff(), &asked.id, team, shut);
    kept(&place, shut).map(|kept| kept.value)
}

/// What was kept here under this commitment. What is not here, or was changed,
/// is not this home's to open.
fn kept(place: &Path, shut: &Digest) -> Option<Kept> {
    let kept: Kept = serde_json::from_slice(&fs::read(place).ok()?).ok()?;
    (commitment(&kept.salt, &kept.value) == *shut).then_some(kept)
}

/// Keeps how sure a person is in their home, closed until every role has voted,
/// and returns what binds them to it.
pub(super) fn close_confidence(
    desk: &Desk,
    me: &Handle,
    confidence: u8,
) -> Result<Digest, Failure> {
    let kept = Kept {
        format: 1,
        value: confidence.to_string(),
        salt: salt(),
    };
    let commitment = commitment(&kept.salt, &kept.value);
    let place = vote_place(&desk.settings, &desk.handoff(), me, &commitment);
    keep(&place, &kept).map_err(|error| Failure::unwritten(&place, &error))?;
    Ok(commitment)
}

/// 128 random bits: nobody finds one of five numbers by trying them all.
fn salt() -> String {
    format!("{:016x}{:016x}", draw(), draw())
}

/// Where a vote's confidence waits.
fn vote_place(settings: &Settings, handoff: &HandoffId, by: &Handle, shut: &Digest) -> PathBuf {
    let folder = settings.home.join("votes").join(plain(handoff));
    folder.join(format!("{}-{}.json", plain(by), shut.short()))
}

fn known<'d>(desk: &'d Desk, id: &str) -> Result<&'d Expectation, Failure> {
    let asked: Vec<&Expectation> = desk
        .contract
        .expectations
        .defined()
        .into_iter()
        .flatten()
        .collect();
    if let Some(found) = asked.iter().find(|asked| asked.id.as_str() == id) {
        return Ok(found);
    }
    let ids: Vec<&str> = asked.iter().map(|asked| asked.id.as_str()).collect();
    let failure = Failure::wrong(format!("the contract has no expectation {id}"));
    Err(match nearest(id, ids.iter().copied()) {
        Some(near) => failure.hint(format!("did you mean {near}?")),
        None if ids.is_empty() => failure.hint("expectations stand under `expectations:`"),
        None => failure.hint(format!("it has {}", list(&ids, usize::MAX))),
    })
}

/// The team a person answers for: as said, or the one they are in.
fn team_of(desk: &Desk, me: &Handle, said: Option<&str>) -> Result<TeamName, Failure> {
    let (from, to) = (&desk.contract.from.value, &desk.contract.to.value);
    let is_of = |team: &TeamName| {
        let members = desk.contract.members(team);
        members.is_some_and(|members| members.contains(me))
    };
    if let Some(said) = said {
        let Some(team) = [from, to].into_iter().find(|team| team.as_str() == said) else {
            return Err(Failure::wrong(format!(
                "{said} answers nothing: {from} and {to} do"
            )));
        };
        if !is_of(team) {
            return Err(Failure::refused(format!("{me} is not a member of {team}"))
                .hint("say who speaks with `--as HANDLE`"));
        }
        return Ok(team.clone());
    }
    match (is_of(from), is_of(to)) {
        (true, true) if from != to => Err(Failure::wrong(format!(
            "{me} is in {from} and in {to}: for which team is this?"
        ))
        .hint(format!("add `--team {from}` or `--team {to}`"))),
        (true, _) => Ok(from.clone()),
        (false, true) => Ok(to.clone()),
        (false, false) => Err(Failure::refused(format!(
            "{from} and {to} answer, and {me} is in neither"
        ))
        .hint("say who speaks with `--as HANDLE`")),
    }
}

/// The answer as it is compared, when it is of the kind that is asked for.
fn valid(asked: &Expectation, value: &str) -> Result<String, Failure> {
    let value = value.trim();
    let id = &asked.id.value;
    let wants = |what: String| Err(Failure::wrong(format!("{id} wants {what}")));
    match &asked.answer {
        AnswerKind::Number => match value.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(value.to_owned()),
            _ => wants("a number, as in `1200`".to_owned()),
        },
        AnswerKind::Duration => match Duration::parse(value) {
            Ok(_) => Ok(value.to_owned()),
            Err(why) => Err(Failure::wrong(format!("{id} wants a duration: {why}"))),
        },
        AnswerKind::YesNo => match value.to_lowercase().as_str() {
            yes_no @ ("yes" | "no") => Ok(yes_no.to_owned()),
            _ => wants("`yes` or `no`".to_owned()),
        },
        AnswerKind::Choice(words) => {
            let folded = value.to_lowercase();
            let mut same = words.iter().filter(|word| word.to_lowercase() == folded);
            if let Some(word) = same.next() {
                return Ok(word.clone());
            }
            let choice = list(words, usize::MAX).replace(" and ", " or ");
            let failure = Failure::wrong(format!("{id} wants {choice}"));
            Err(match nearest(value, words.iter().map(String::as_str)) {
                Some(near) => failure.hint(format!("did you mean {near}?")),
                None => failure,
            })
        }
        AnswerKind::Text => match value.chars().count() {
            1..=TEXT_MOST => Ok(value.to_owned()),
            _ => wants(format!("a text of 1 to {TEXT_MOST} characters")),
        },
    }
}

/// Where an answer waits.
fn place(
    settings: &Settings,
    handoff: &HandoffId,
    expectation: &ExpectationId,
    team: &TeamName,
    commitment: &Digest,
) -> PathBuf {
    let short = commitment.short();
    let name = format!("{}-{}-{short}.json", plain(expectation), plain(team));
    let folder = settings.home.join("answers").join(plain(handoff));
    folder.join(name)
}

/// A text as part of a file's name.
fn plain(text: &str) -> String {
    let keep = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
    let name = text.chars().map(|c| if keep(c) { c } else { '_' });
    name.collect()
}

/// Writes an answer where only this person can read it.
fn keep(place: &Path, kept: &Kept) -> io::Result<()> {
    if let Some(folder) = place.parent() {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
    }
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(place)?;
    file.write_all(&serde_json::to_vec(kept)?)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use baton_core::handoff::contract::At;

    use super::*;

    fn asked(answer: AnswerKind) -> Expectation {
        Expectation {
            id: At {
                value: ExpectationId::from("peak"),
                span: None,
            },
            ask: "How many?".to_owned(),
            answer,
            within: None,
        }
    }

    #[test]
    fn an_answer_is_of_the_kind_that_is_asked_for() {
        let choice = || AnswerKind::Choice(vec!["cents".to_owned(), "euros".to_owned()]);
        for (kind, value, read) in [
            (AnswerKind::Number, " 1200 ", "1200"),
            (AnswerKind::Number, "-1.5e3", "-1.5e3"),
            (AnswerKind::Duration, "5m", "5m"),
            (AnswerKind::YesNo, "YES", "yes"),
            (choice(), "Cents", "cents"),
            (AnswerKind::Text, " as agreed ", "as agreed"),
        ] {
            assert_eq!(valid(&asked(kind), value).unwrap(), read);
        }
        for (kind, value) in [
            (AnswerKind::Number, "many"),
            (AnswerKind::Number, "NaN"),
            (AnswerKind::Number, "inf"),
            (AnswerKind::Duration, "5 weeks"),
            (AnswerKind::YesNo, "perhaps"),
            (choice(), "cent"),
            (AnswerKind::Text, "  "),
        ] {
            assert!(valid(&asked(kind), value).is_err(), "{value}");
        }
        let long = "x".repeat(TEXT_MOST + 1);
        assert!(valid(&asked(AnswerKind::Text), &long).is_err());
        let near = valid(&asked(choice()), "cent").unwrap_err();
        assert_eq!(near.hints, ["did you mean cents?"]);
    }

    #[test]
    fn a_name_stays_within_its_folder() {
        assert_eq!(plain("shop/2.4.0/production"), "shop_2.4.0_production");
        assert_eq!(plain("../../etc"), ".._.._etc");
        assert_eq!(plain("a b\0"), "a_b_");
    }
}
