//! What is learned: the entries a review is drafted from, and lessons.

use baton_core::diag::nearest;
use baton_core::event::{Event, RunKind};
use baton_core::id::{Component, Handle, LessonId, RunId, Seq};
use baton_core::ledger::Entry;
use baton_core::review::{Lesson, Lessons};
use baton_store::Log as _;
use jiff::Timestamp;

use super::{Desk, draw};
use crate::failure::Failure;

/// How many entries are read at a time.
const PAGE: usize = 10_000;
/// The most characters of a lesson: what people read before they launch.
const TEXT_MOST: usize = 4000;

/// Keeps a lesson; without components it binds those the contract touches.
///
/// # Errors
/// When it says nothing, would bind nothing, or belongs to nobody of the contract.
pub fn keep(
    desk: &mut Desk,
    me: &Handle,
    text: String,
    touches: &[String],
    owner: Handle,
) -> Result<(LessonId, Vec<Component>), Failure> {
    said_something("a lesson", &text)?;
    let owner = desk.known(&owner)?;
    let touches: Vec<Component> = if touches.is_empty() {
        desk.contract.touches.clone()
    } else {
        touches
            .iter()
            .map(|component| Component::from(component.as_str()))
            .collect()
    };
    if touches.is_empty() {
        return Err(
            Failure::wrong("a lesson that names no component would bind nothing")
                .hint("add `--touches COMPONENT`, or `touches:` in the contract"),
        );
    }
    let lesson = LessonId::made(Timestamp::now(), draw());
    let kept = Event::LessonKept {
        lesson: lesson.clone(),
        text,
        touches: touches.clone(),
        owner,
    };
    let _entries = desk.append(me, None, vec![kept])?;
    Ok((lesson, touches))
}

/// Says how a lesson was met, by its id or a beginning only it has.
///
/// # Errors
/// When there is no such lesson, or it was met before.
pub fn met(desk: &mut Desk, me: &Handle, id: &str, how: String) -> Result<Lesson, Failure> {
    said_something("how it was met", &how)?;
    loop {
        desk.catch_up()?;
        let lesson = meant(&lessons(desk)?, id)?.clone();
        if let Some(met) = &lesson.met {
            return Err(Failure::refused(format!(
                "{} was met before, says {}: {}",
                lesson.id, met.by, met.how
            )));
        }
        let event = Event::LessonMet {
            lesson: lesson.id.clone(),
            how: how.clone(),
        };
        if desk.append_decided(None, vec![(me.clone(), event)])? {
            return Ok(lesson);
        }
    }
}

/// The entries of a run, with the votes before a launch and the lessons after.
///
/// # Errors
/// Those of the ledger.
pub fn story(desk: &mut Desk, run: &RunId) -> Result<Vec<Entry>, Failure> {
    let handoff = desk.handoff();
    let mut story: Vec<Entry> = Vec::new();
    let mut lessons: Vec<LessonId> = Vec::new();
    let (mut opened, mut launch, mut next_opened) = (false, false, false);
    each(desk, |entry| {
        if entry.run.as_ref() == Some(run) {
            if let Event::RunOpened(terms) = &entry.event {
                (opened, launch) = (true, terms.what == RunKind::Launch);
                if !launch {
                    // Nobody votes about a rehearsal.
                    story.clear();
                }
            }
            story.push(entry);
            return;
        }
        match &entry.event {
            Event::RunOpened(terms) if entry.handoff == handoff => {
                if opened {
                    next_opened = true;
                } else if terms.what == RunKind::Launch {
                    // The votes so far were about that launch.
                    story.clear();
                }
            }
            Event::Voted { .. } if entry.handoff == handoff && !opened => story.push(entry),
            Event::LessonKept { lesson, .. }
                if entry.handoff == handoff && opened && !next_opened =>
            {
                lessons.push(lesson.clone());
                story.push(entry);
            }
            Event::LessonMet { lesson, .. } if lessons.contains(lesson) => story.push(entry),
            _ => {}
        }
    })?;
    Ok(story)
}

fn each(desk: &mut Desk, mut take: impl FnMut(Entry)) -> Result<(), Failure> {
    let mut after = Seq(0);
    loop {
        let page = desk.log.read(after, PAGE)?;
        let Some(last) = page.last() else {
            return Ok(());
        };
        after = last.seq;
        page.into_iter().for_each(&mut take);
    }
}

/// Every lesson of the ledger, of all its handoffs.
///
/// # Errors
/// Those of the ledger.
pub fn lessons(desk: &mut Desk) -> Result<Lessons, Failure> {
    let mut lessons = Lessons::default();
    each(desk, |entry| lessons.take(&entry))?;
    Ok(lessons)
}

fn said_something(what: &str, text: &str) -> Result<(), Failure> {
    if text.trim().is_empty() || text.chars().count() > TEXT_MOST {
        return Err(Failure::wrong(format!(
            "{what} has 1 to {TEXT_MOST} characters"
        )));
    }
    Ok(())
}

/// The lesson with this id, or the only one whose id begins like this.
fn meant<'a>(lessons: &'a Lessons, id: &str) -> Result<&'a Lesson, Failure> {
    if let Some(lesson) = lessons.get(&LessonId::from(id)) {
        return Ok(lesson);
    }
    let like: Vec<&Lesson> = lessons
        .all()
        .iter()
        .filter(|lesson| !id.is_empty() && lesson.id.as_str().starts_with(id))
        .collect();
    if let [only] = like.as_slice() {
        return Ok(only);
    }
    let failure = Failure::wrong(format!("there is no lesson {id}"));
    let ids = lessons.open().map(|lesson| lesson.id.as_str());
    Err(match (like.len(), nearest(id, ids)) {
        (0, Some(near)) => failure.hint(format!("did you mean {near}?")),
        (0, None) => failure.hint("`baton lesson` lists those that are open"),
        (several, _) => Failure::wrong(format!("{several} lessons begin with {id}"))
            .hint("write more of the id; `baton lesson` lists those that are open"),
    })
}
