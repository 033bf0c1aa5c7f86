//! `lint`: everything that is wrong with both files, each with its place.

use baton_core::diag::Note;
use baton_core::handoff::schema::json_schema;
use serde_json::{Value, json};

use crate::exit::Exit;
use crate::render::{Out, Tone};
use crate::settings::Settings;
use baton_engine::desk::Files;
use baton_engine::desk::Sources;
use baton_engine::failure::Failure;

/// `baton lint`.
pub(crate) fn run(settings: &Settings, out: &Out, schema: bool) -> Result<Exit, Failure> {
    if schema {
        out.json(&json_schema());
        return Ok(Exit::Good);
    }
    let files = Files::read(&settings.desk)?;
    let errors = files.errors();
    let warnings = files.notes.len() - errors;
    if out.json {
        let notes: Vec<Value> = files
            .notes
            .iter()
            .map(|note| shown(note, &files.sources))
            .collect();
        out.json(&json!({ "format": 1, "notes": notes }));
    } else {
        out.notes(&files.notes, &files.sources);
        let tone = if errors == 0 { Tone::Good } else { Tone::Bad };
        out.line(format!(
            "{}: {}",
            out.paint(names(&files.sources), Tone::Plain),
            out.paint(counted(errors, warnings), tone)
        ));
    }
    Ok(if errors == 0 { Exit::Good } else { Exit::Wrong })
}

/// The files that were read.
fn names(sources: &Sources) -> String {
    let contract = &sources.contract.0;
    match sources.runbook.0.as_str() {
        "" => contract.clone(),
        runbook => format!("{contract} and {runbook}"),
    }
}

/// `3 errors, 1 warning`.
fn counted(errors: usize, warnings: usize) -> String {
    let count = |n: usize, what: &str| match n {
        0 => format!("no {what}s"),
        1 => format!("1 {what}"),
        n => format!("{n} {what}s"),
    };
    match warnings {
        0 => count(errors, "error"),
        _ => format!("{}, {}", count(errors, "error"), count(warnings, "warning")),
    }
}

fn shown(note: &Note, sources: &Sources) -> Value {
    json!({
        "code": note.code,
        "severity": note.severity,
        "file": note.span.map(|span| sources.name(span.file)),
        "line": note.span.map(|span| span.line),
        "column": note.span.map(|span| span.column),
        "says": note.says,
        "hint": note.next,
        "names": note.names,
    })
}
