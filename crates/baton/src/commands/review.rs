//! `review` and `lesson`: what happened, and what is kept from it.

use baton_core::event::Event;
use baton_core::handoff::plan::Plan;
use baton_core::id::{Component, RunId};
use baton_core::review::{Lesson, Review, markdown};
use baton_engine::drive::fold;
use serde_json::json;

use crate::args::LessonAction;
use crate::exit::Exit;
use crate::render::{Out, Tone, cell, toned};
use baton_engine::desk::{Desk, learn, zone_of};
use baton_engine::failure::{Failure, Kind};

/// `baton review`.
pub(crate) fn run(desk: &mut Desk, out: &Out, held: bool) -> Result<Exit, Failure> {
    let run = desk.latest_run()?;
    let state = fold(&mut desk.log, &run)?;
    if held {
        return hold(desk, out, &run, state.ended().is_some());
    }
    let plan: &Plan = &state.plan;
    let entries = learn::story(desk, &run)?;
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
    let lessons = learn::lessons(desk)?;
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
    let owner = me.clone();
    let (lesson, touches) = learn::keep(desk, &me, text, &touches, owner)?;
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
    let lesson = learn::met(desk, &me, id, how)?;
    if out.json {
        out.json(&json!({ "format": 1, "lesson": lesson.id, "by": me, "said": "met" }));
    } else {
        out.line(format!("{} is met", lesson.id));
    }
    Ok(Exit::Good)
}
