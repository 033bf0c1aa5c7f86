//! How fingerprints and comparisons are said.

use std::collections::BTreeMap;

use baton_core::diag::{Note, list};
use baton_core::id::{Digest, HostName};
use baton_core::parity::risk;
use baton_core::parity::twice::Proposals;
use baton_core::parity::{Comparison, Fingerprint, LayerStatus};
use baton_core::time::Duration;
use jiff::Timestamp;
use serde_json::json;

use super::propose;
use crate::args::Format;
use crate::commands::check::{finding, warning};
use crate::formats::{Finding, Group, Sheet};
use crate::render::{Out, Tone, cell, toned};
use baton_engine::desk::Desk;
use baton_engine::desk::parity::Known;

/// What was read of an environment.
pub(super) fn fingerprint(
    desk: &Desk,
    out: &Out,
    blob: &Digest,
    print: &Fingerprint,
    again: Option<&Proposals>,
) {
    if out.json {
        return fingerprint_json(desk, out, blob, print, again);
    }
    let facts: usize = print.hosts.values().map(|host| host.facts.len()).sum();
    let count = print.hosts.len();
    let hosts = if count == 1 { "host" } else { "hosts" };
    out.line(format!(
        "{}: {count} {hosts}, {facts} facts, digest {}",
        out.paint(print.environment.as_str(), Tone::Strong),
        print.digest().short()
    ));
    let mut unread: BTreeMap<String, Vec<&HostName>> = BTreeMap::new();
    for (name, host) in &print.hosts {
        for (layer, status) in host.layers.iter().filter(|(_, status)| !status.is_whole()) {
            let says = format!("{layer}: {status}");
            unread.entry(says).or_default().push(name);
        }
        let absent = |status: &&LayerStatus| **status == LayerStatus::Absent;
        if host.layers.values().any(|status| absent(&status)) {
            let layers = host.layers.iter().filter(|(_, status)| absent(status));
            let layers: Vec<&str> = layers.map(|(layer, _)| layer.as_str()).collect();
            out.text(
                &format!("{name} has no {}", list(&layers, 8)),
                2,
                Tone::Quiet,
            );
        }
    }
    if !unread.is_empty() {
        out.heading("Not read");
    }
    for (says, hosts) in &unread {
        out.line(format!(
            "  {}{}",
            out.paint("? ", Tone::Warn),
            out.paint(list(hosts, 8), Tone::Strong)
        ));
        out.text(says, 4, Tone::Plain);
    }
    if let Some(again) = again {
        propose::show(out, again);
    }
    out.next("baton parity");
}

fn fingerprint_json(
    desk: &Desk,
    out: &Out,
    blob: &Digest,
    print: &Fingerprint,
    again: Option<&Proposals>,
) {
    let hosts: BTreeMap<&str, _> = print
        .hosts
        .iter()
        .map(|(name, host)| {
            let of = json!({ "facts": host.facts.len(), "layers": host.layers });
            (name.as_str(), of)
        })
        .collect();
    let mut of = json!({
        "format": 1,
        "handoff": desk.contract.name.value,
        "environment": print.environment,
        "at": print.at,
        "fingerprint": blob,
        "digest": print.digest(),
        "hosts": hosts,
    });
    if let Some(again) = again {
        of["proposed"] = json!(again);
    }
    out.json(&of);
}

/// What comparing found as the gate would note it, and what stops nothing.
pub(super) struct Notes {
    pub(super) blockers: Vec<Note>,
    pub(super) warnings: Vec<Note>,
}

/// What comparing found, in the format that was asked for.
pub(super) fn comparison(
    desk: &Desk,
    out: &Out,
    tested: &[Known],
    launch: &Known,
    found: &Comparison,
    notes: &Notes,
) {
    let sheet = || sheet(desk, tested, launch, found, notes);
    match out.format {
        Format::Text => text(desk, out, tested, launch, found, &notes.warnings),
        Format::Json => json(desk, out, tested, launch, found),
        Format::Sarif => out.json(&sheet().sarif()),
        Format::Junit => out.line(sheet().junit()),
        Format::Markdown => out.line(sheet().markdown()),
    }
}

fn json(desk: &Desk, out: &Out, tested: &[Known], launch: &Known, found: &Comparison) {
    let taken = |known: &Known| {
        json!({
            "environment": known.sheet.head.environment,
            "at": known.sheet.head.at,
            "fingerprint": known.blob,
            "digest": known.sheet.head.digest,
        })
    };
    let compared: Vec<_> = tested
        .iter()
        .map(|known| &known.sheet.head.environment)
        .collect();
    out.json(&json!({
        "format": 1,
        "handoff": desk.contract.name.value,
        "verdict": word(found).replace(' ', "-"),
        "environment": launch.sheet.head.environment,
        "compared": compared,
        "fingerprints": tested.iter().chain([launch]).map(taken).collect::<Vec<_>>(),
        "differences": found.differences,
        "excused": found.excused,
        "not_collected": found.not_collected,
    }));
}

/// The verdict in a word.
fn word(found: &Comparison) -> &'static str {
    if !found.differences.is_empty() {
        "different"
    } else if found.is_equal() {
        "equal"
    } else {
        "inconclusive"
    }
}

/// What is compared: `staging → production`.
fn headline(tested: &[Known], launch: &Known) -> String {
    let names: Vec<&str> = tested
        .iter()
        .map(|known| known.sheet.head.environment.as_str())
        .collect();
    let launch = &launch.sheet.head.environment;
    if names.is_empty() {
        format!("the hosts of {launch}")
    } else {
        format!("{} → {launch}", list(&names, 8))
    }
}

fn outcome(found: &Comparison) -> String {
    let count = |n: usize, one: &str, many: &str| match n {
        0 => None,
        1 => Some(format!("1 {one}")),
        n => Some(format!("{n} {many}")),
    };
    let counts = [
        count(found.differences.len(), "difference", "differences"),
        count(found.excused.len(), "right by a rule", "right by a rule"),
        count(found.not_collected.len(), "not read", "not read"),
    ];
    let counts: Vec<String> = counts.into_iter().flatten().collect();
    let word = word(found);
    if counts.is_empty() {
        word.to_owned()
    } else {
        format!("{word} ({})", counts.join(", "))
    }
}

fn text(
    desk: &Desk,
    out: &Out,
    tested: &[Known],
    launch: &Known,
    found: &Comparison,
    warnings: &[Note],
) {
    let tone = match word(found) {
        "equal" => Tone::Good,
        "different" => Tone::Bad,
        _ => Tone::Warn,
    };
    out.verdict(&headline(tested, launch), &outcome(found), tone);
    ages(desk, out, tested, launch);
    if !found.differences.is_empty() {
        out.heading("Different");
    }
    for difference in &found.differences {
        let tone = match difference.risk.score {
            risk::GRAVE.. => Tone::Bad,
            risk::SLIGHT.. => Tone::Warn,
            _ => Tone::Quiet,
        };
        row(out, "✗", tone, &difference.says, &difference.names);
        let risk = &difference.risk;
        out.text(&format!("{}: {}", risk.word(), risk.says()), 5, Tone::Quiet);
    }
    if !found.not_collected.is_empty() {
        out.heading("Not read");
    }
    for unread in &found.not_collected {
        row(out, "?", Tone::Warn, &unread.says, &unread.names);
    }
    if !found.excused.is_empty() {
        out.heading("Right by a rule");
    }
    for excused in &found.excused {
        row(out, "–", Tone::Quiet, &excused.says, &[]);
    }
    if !warnings.is_empty() {
        out.heading("Worth knowing");
    }
    for note in warnings {
        warning(desk, out, note);
    }
    let launch = &launch.sheet.head.environment;
    match word(found) {
        "equal" => out.next("baton check"),
        "different" => out.next(&format!(
            "mend it and `baton fingerprint {launch}`, or set it aside with `baton waive`"
        )),
        _ => out.next(&format!("baton fingerprint {launch}")),
    }
}

fn row(out: &Out, sign: &str, tone: Tone, says: &str, names: &[String]) {
    out.table(2, &[vec![toned(sign, tone), cell(says)]]);
    if !names.is_empty() {
        out.text(&names.join("  "), 5, Tone::Quiet);
    }
}

/// How old the fingerprints are, and which of them no longer count.
fn ages(desk: &Desk, out: &Out, tested: &[Known], launch: &Known) {
    let fresh = desk.contract.parity.defined().and_then(|terms| terms.fresh);
    let now = Timestamp::now();
    for known in tested.iter().chain([launch]) {
        let print = &known.sheet.head;
        let age = Duration::between(print.at, now);
        let old = match fresh {
            Some(fresh) if age > fresh => format!(", and counts for {fresh}"),
            _ => String::new(),
        };
        let tone = if old.is_empty() {
            Tone::Quiet
        } else {
            Tone::Warn
        };
        let says = format!("{} was read {age} ago{old}", print.environment);
        out.text(&says, 2, tone);
    }
}

fn sheet(
    desk: &Desk,
    tested: &[Known],
    launch: &Known,
    found: &Comparison,
    notes: &Notes,
) -> Sheet {
    let (title, launch) = (headline(tested, launch), &launch.sheet.head.environment);
    let next = Some(format!("baton fingerprint {launch}"));
    let blockers = notes.blockers.iter().map(|note| Finding {
        next: next.clone(),
        ..finding(desk, note, None)
    });
    let warnings = notes.warnings.iter().map(|note| finding(desk, note, None));
    Sheet {
        title: format!("{title}: {}", outcome(found)),
        groups: vec![Group {
            key: "parity".to_owned(),
            asks: format!("{title}: is it the same?"),
            state: word(found).to_owned(),
            skipped: None,
            findings: blockers.collect(),
        }],
        beside: warnings.collect(),
    }
}
