//! `review` and `lesson`: what happened, and what is kept from it.

use baton_core::diag::nearest;
use baton_core::event::{Event, RunKind};
use baton_core::handoff::plan::Plan;
use baton_core::id::{Component, LessonId, RunId, Seq};
use baton_core::ledger::Entry;
use baton_core::review::{Lesson, Lessons, Review, markdown};
use baton_engine::drive::fold;
use baton_store::Log as _;
use jiff::Timestamp;
use serde_json::json;

use crate::args::LessonAction;
use crate::exit::Exit;
use crate::render::{Out, Tone, cell, toned};
use baton_engine::desk::{Desk, draw, zone_of};
use baton_engine::failure::{Failure, Kind};

/// How many entries are read at a time.
const PAGE: usize = 10_000;
/// The most characters of a lesson: what people read before they launch.
const TEXT_MOST: usize = 4000;

/// `baton review`.
pub(crate) fn run(desk: &mut Desk, out: &Out, held: bool) -> Result<Exit, Failure> {
    let run = desk.latest_run()?;
    let state = fold(&mut desk.log, &run)?;
    if held {
        return hold(desk, out, &run, state.ended().is_some());
    }
    let plan: &Plan = &state.plan;
    let entries = story(desk, &run)?;
    let review = Review::of(&entries, plan);
    if out.json {
        let review = serde_json::to_value(&review)
            .map_err(|error| Failure::new(Kind::Bug, "cannot write the review").because(&error))?;
        out.json(&json!({ "format": 1, "run": run, "review": review }));
    } else {
        out.document(&markdown(&review, &zone_of(plan)));
    }
    Ok(Exit::Good)
}

/// `baton review --held`.
fn hold(desk: &mut Desk, out: &Out, run: &RunId, ended: bool) -> Result<Exit, Failure> {
    let me = desk.signer()?;
    if !ended {
        return Err(Failure::refused(format!("the run {run} is not over"))
            .hint("`baton status` says where it stands"));
    }
    let _entries = desk.append(&me, None, vec![Event::Reviewed { of: run.clone() }])?;
    if out.json {
        out.json(&json!({ "format": 1, "run": run, "by": me, "said": "reviewed" }));
    } else {
        out.line(format!("the review of {run} was held"));
        out.next("baton lesson keep \"What we learned, and what must happen\"");
    }
    Ok(Exit::Good)
}

/// The entries of a run, with the votes before a launch and the lessons after.
fn story(desk: &mut Desk, run: &RunId) -> Result<Vec<Entry>, Failure> {
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
pub(super) fn lessons(desk: &mut Desk) -> Result<Lessons, Failure> {
    let mut lessons = Lessons::default();
    each(desk, |entry| lessons.take(&entry))?;
    Ok(lessons)
}

/// `baton lesson`.
pub(crate) fn lesson(
    desk: &mut Desk,
    out: &Out,
    action: Option<LessonAction>,
) -> Result<Exit, Failure> {
    match action {
        None => open(desk, out),
        Some(LessonAction::Keep { text, touches }) => keep(desk, out, text, touches),
        Some(LessonAction::Met { id, how }) => met(desk, out, &id, how),
    }
}

/// Lists the open lessons of all handoffs.
fn open(desk: &mut Desk, out: &Out) -> Result<Exit, Failure> {
    let lessons = lessons(desk)?;
    let open: Vec<&Lesson> = lessons.open().collect();
    if out.json {
        out.json(&json!({ "format": 1, "lessons": open }));
        return Ok(Exit::Good);
    }
    if open.is_empty() {
        out.line("No lesson is open.");
        return Ok(Exit::Good);
    }
    for lesson in &open {
        let binds = lesson
            .touches
            .iter()
            .any(|component| desk.contract.touches.contains(component));
        out.line(out.paint(lesson.id.as_str(), Tone::Strong));
        out.text(&lesson.text, 2, Tone::Plain);
        let touches: Vec<&str> = lesson.touches.iter().map(Component::as_str).collect();
        let mut rows = vec![
            vec![toned("binds", Tone::Quiet), cell(touches.join(", "))],
            vec![toned("owner", Tone::Quiet), cell(lesson.owner.as_str())],
            vec![
                toned("from", Tone::Quiet),
                cell(format!(
                    "{}, {}",
                    lesson.handoff,
                    lesson.kept.strftime("%Y-%m-%d")
                )),
            ],
        ];
        if binds {
            let handoff = &desk.contract.name.value;
            rows.push(vec![
                cell(""),
                toned(format!("blocks {handoff} until it is met"), Tone::Warn),
            ]);
        }
        out.table(2, &rows);
        out.gap();
    }
    out.next("baton lesson met LESSON --how \"…\"");
    Ok(Exit::Good)
}

fn keep(desk: &mut Desk, out: &Out, text: String, touches: Vec<String>) -> Result<Exit, Failure> {
    let me = desk.signer()?;
    said_something("a lesson", &text)?;
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
        owner: me.clone(),
    };
    let _entries = desk.append(&me, None, vec![kept])?;
    if out.json {
        out.json(&json!({ "format": 1, "lesson": lesson, "touches": touches, "owner": me }));
    } else {
        let touches: Vec<&str> = touches.iter().map(Component::as_str).collect();
        out.text(
            &format!(
                "kept {lesson}: it blocks every handoff that touches {} until it is met",
                baton_core::diag::list(&touches, usize::MAX).replace(" and ", " or ")
            ),
            0,
            Tone::Plain,
        );
        out.next(&format!("baton lesson met {lesson} --how \"…\""));
    }
    Ok(Exit::Good)
}

fn met(desk: &mut Desk, out: &Out, id: &str, how: String) -> Result<Exit, Failure> {
    let me = desk.signer()?;
    said_something("how it was met", &how)?;
    let lesson = loop {
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
            break lesson;
        }
    };
    if out.json {
        out.json(&json!({ "format": 1, "lesson": lesson.id, "by": me, "said": "met" }));
    } else {
        out.line(format!("{} is met", lesson.id));
    }
    Ok(Exit::Good)
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
