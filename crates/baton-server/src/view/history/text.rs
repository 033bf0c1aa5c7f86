//! A plan as lines, so that people see what changed between two.
//!
//! The lines are made from what the plan means, not from the files: comments,
//! layout and prose are part of no content, and do not show.

use std::fmt::Write as _;
use std::time::Duration;

use baton_core::handoff::plan::Plan;
use serde_json::{Map, Value};
use similar::TextDiff;

/// Most lines of a difference that are shown.
const LINES_MOST: usize = 4000;
/// How long comparing may take before a coarser answer will do.
const PATIENCE: Duration = Duration::from_millis(500);
/// Lines around a change.
const CONTEXT: usize = 3;

/// Contract and runbook of a plan as lines.
pub(super) struct Written {
    contract: String,
    runbook_name: String,
    runbook: String,
}

impl Written {
    pub(super) fn of(plan: &Plan) -> Self {
        let mut contract = serde_json::to_value(&plan.contract).unwrap_or_default();
        if let Value::Object(contract) = &mut contract {
            // A line for people, and part of no content.
            let _summary = contract.remove("summary");
        }
        let mut runbook = String::new();
        for step in &plan.steps {
            let mut written = serde_json::to_value(&step.written).unwrap_or_default();
            without_lines(&mut written);
            let _always = writeln!(runbook, "### {}", one_line(&step.written.title));
            lines(&mut runbook, &written, 0);
        }
        let mut text = String::new();
        lines(&mut text, &contract, 0);
        Self {
            contract: text,
            runbook_name: plan.contract.runbook.value.clone(),
            runbook,
        }
    }
}

/// What changed, as a unified diff of both files.
pub(super) fn diff(old: &Written, new: &Written) -> String {
    let mut out = one("handoff.yaml", &old.contract, &new.contract);
    out.push_str(&one(&new.runbook_name, &old.runbook, &new.runbook));
    let lines = out.lines().count();
    if lines > LINES_MOST {
        let shown: Vec<&str> = out.lines().take(LINES_MOST).collect();
        out = format!(
            "{}\n… {} more lines\n",
            shown.join("\n"),
            lines - LINES_MOST
        );
    }
    out
}

fn one(name: &str, old: &str, new: &str) -> String {
    if old == new {
        return String::new();
    }
    let diff = TextDiff::configure().timeout(PATIENCE).diff_lines(old, new);
    let name = one_line(name);
    let mut unified = diff.unified_diff();
    unified
        .context_radius(CONTEXT)
        .header(&name, &name)
        .to_string()
}

/// Where a step stands in its file is no change of it.
fn without_lines(value: &mut Value) {
    if let Value::Object(fields) = value {
        let _line = fields.remove("line");
        fields.values_mut().for_each(without_lines);
    }
}

/// A value in the manner of YAML; what says nothing is left out.
fn lines(out: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Object(fields) => of_fields(out, fields, depth),
        Value::Array(items) => {
            for item in items {
                put(out, "-", item, depth);
            }
        }
        other => put(out, "-", other, depth),
    }
}

fn of_fields(out: &mut String, fields: &Map<String, Value>, depth: usize) {
    for (key, value) in fields {
        put(out, &format!("{}:", one_line(key)), value, depth);
    }
}

fn put(out: &mut String, key: &str, value: &Value, depth: usize) {
    let pad = "  ".repeat(depth);
    let _always = match value {
        Value::Null => return,
        Value::Object(fields) if fields.is_empty() => return,
        Value::Array(items) if items.is_empty() => return,
        Value::Object(_) | Value::Array(_) => {
            let _always = writeln!(out, "{pad}{key}");
            lines(out, value, depth + 1);
            return;
        }
        Value::String(text) if text.contains('\n') => {
            let _always = writeln!(out, "{pad}{key} |");
            for line in text.lines() {
                let _always = writeln!(out, "{pad}  {}", one_line(line));
            }
            return;
        }
        Value::String(text) => writeln!(out, "{pad}{key} {}", one_line(text)),
        other => match duration(key, other) {
            Some(lasts) => writeln!(out, "{pad}{key} {lasts}"),
            None => writeln!(out, "{pad}{key} {other}"),
        },
    };
}

/// The keys of lengths of time, which a plan keeps in milliseconds. A whole number
/// under one of them is nothing else: a share of the same name is no whole number.
const DURATIONS: [&str; 8] = [
    "every:", "expect:", "for:", "fresh:", "limit:", "timeout:", "watch:", "within:",
];

/// A length of time as people write it.
fn duration(key: &str, value: &Value) -> Option<String> {
    let millis = value.as_u64().filter(|_| DURATIONS.contains(&key))?;
    Some(baton_core::time::Duration::from_millis(millis).written())
}

/// A text that stays on its line and moves nothing around it.
fn one_line(text: &str) -> String {
    let plain = |c: char| match c {
        '\t' => c,
        c if baton_core::diag::misleads(c) => '\u{fffd}',
        c => c,
    };
    text.chars().map(plain).collect()
}
