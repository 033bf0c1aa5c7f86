//! The review as Markdown: a draft for people to finish.
//!
//! CommonMark with GitHub's tables. Whatever others wrote is shown as text: no
//! markup, no HTML, no cell of a table comes from it (a reader may still link a
//! bare address, which then shows where it leads). The same review and zone
//! give the same bytes.

use std::fmt::Write as _;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, fmt::strtime};

use super::text::{NAME_MOST, TEXT_MOST, escape, line, name, reason};
use super::timeline::ended;
use super::{Actual, Ended, Lesson, Line, Measured, Opened, Review, Stood, Weight};
use crate::diag::list;
use crate::event::RunKind;
use crate::id::Component;
use crate::time::Duration;
use crate::watch::ratio::REACH;
use crate::watch::words::{digits, percent};
use crate::watch::{Design, Effect, Finding, State};

/// Evidence over this is shown as `over`: more digits say nothing more.
const EVIDENCE_MOST: f64 = 1e6;

/// The review as Markdown, with times in this zone.
pub fn markdown(review: &Review, zone: &TimeZone) -> String {
    let mut out = String::new();
    for part in [
        heading(review),
        summary(review, zone),
        timeline(&review.timeline.lines, zone),
        plan_against_actual(&review.steps),
        surprises(review, zone),
        decisions(review, zone),
        measures(&review.measures, zone),
        lessons(review, zone),
    ] {
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(part.trim_end());
        out.push('\n');
    }
    out
}

/// A name of somebody's making, for Markdown.
fn safe(text: &str) -> String {
    escape(&name(text))
}

/// A sentence of somebody's making, for Markdown.
fn safe_reason(text: &str) -> String {
    escape(&reason(text))
}

/// `2026-11-25 09:14:03 CET (+01:00)`.
fn moment(at: Timestamp, zone: &TimeZone) -> String {
    shown(at, zone, "%Y-%m-%d %H:%M:%S %Z (%:z)")
}

fn shown(at: Timestamp, zone: &TimeZone, format: &str) -> String {
    let zoned = at.to_zoned(zone.clone());
    let text = strtime::format(format, &zoned).unwrap_or_else(|_unknown| at.to_string());
    escape(&text)
}

/// Times of a list: the date stands where it changes.
struct Clock<'a> {
    zone: &'a TimeZone,
    date: Option<Date>,
}

impl<'a> Clock<'a> {
    fn new(zone: &'a TimeZone) -> Self {
        Self { zone, date: None }
    }

    fn next(&mut self, at: Timestamp) -> String {
        let date = at.to_zoned(self.zone.clone()).date();
        let format = if self.date.replace(date) == Some(date) {
            "%H:%M:%S %Z"
        } else {
            "%Y-%m-%d %H:%M:%S %Z"
        };
        shown(at, self.zone, format)
    }
}

fn heading(review: &Review) -> String {
    let about = &review.about;
    format!(
        "# Review: {} of {} {} in {}\n",
        what(review),
        safe(&about.name),
        safe(&about.version),
        safe(&about.environment)
    )
}

/// What the run was.
fn what(review: &Review) -> &'static str {
    match review.opened.as_ref().map(|opened| opened.what) {
        Some(RunKind::Rehearsal) => "rehearsal",
        Some(RunKind::Launch) | None => "launch",
    }
}

fn summary(review: &Review, zone: &TimeZone) -> String {
    let about = &review.about;
    let mut says = format!(
        "This {} {} {} from {} to {}",
        match what(review) {
            "launch" => "launch hands over",
            _ => "rehearsal prepares to hand over",
        },
        safe(&about.name),
        safe(&about.version),
        safe(&about.from),
        safe(&about.to)
    );
    match about.summary.as_deref().map(safe_reason) {
        Some(summary) if !summary.is_empty() => {
            let _infallible = write!(says, ": {summary}. ");
        }
        _ => says.push_str(". "),
    }
    says.push_str(&course(review, zone));
    let done = review
        .steps
        .iter()
        .filter(|step| step.stood == Stood::Done)
        .count();
    let undone = review
        .steps
        .iter()
        .filter(|step| step.stood == Stood::Undone)
        .count();
    let all = review.steps.len();
    let back = match undone {
        0 => String::new(),
        undone => format!(", {undone} undone"),
    };
    let surprised = match review.surprises.len() {
        0 => "Nothing surprised us.".to_owned(),
        1 => "One thing surprised us.".to_owned(),
        many => format!("{many} things surprised us."),
    };
    let _infallible = write!(
        says,
        " At the end, {done} of {all} steps were done{back}. {surprised}"
    );
    says.push('\n');
    says
}

/// When it began, when and how it ended, and why.
fn course(review: &Review, zone: &TimeZone) -> String {
    let began = review
        .opened
        .as_ref()
        .map(|Opened { at, by, .. }| format!("{} opened it on {}", safe(by), moment(*at, zone)));
    let end = review.ended.as_ref().map(
        |Ended {
             at,
             outcome,
             because,
             ..
         }| {
            let lasted = review.opened.as_ref().map_or_else(String::new, |opened| {
                format!(" after {}", Duration::between(opened.at, *at))
            });
            let why = match safe_reason(because) {
                because if because.is_empty() => String::new(),
                because => format!(": {because}"),
            };
            format!("{} on {}{lasted}{why}.", ended(*outcome), moment(*at, zone))
        },
    );
    match (began, end) {
        (Some(began), Some(end)) => format!("{began}, and it {end}"),
        (Some(began), None) => format!("{began}, and it has not ended."),
        (None, Some(end)) => format!("It {end}"),
        (None, None) => "No run is recorded.".to_owned(),
    }
}

fn timeline(lines: &[Line], zone: &TimeZone) -> String {
    let mut out = "## Timeline\n\n".to_owned();
    if lines.is_empty() {
        out.push_str("Nothing is recorded.\n");
    }
    let mut clock = Clock::new(zone);
    for line in lines {
        let (at, says) = (clock.next(line.at), escape(&line.says));
        let says = match line.weight {
            Weight::Marked => format!("**{says}**"),
            Weight::Plain | Weight::Quiet => says,
        };
        let _infallible = writeln!(out, "- {at} {says}");
    }
    out
}

fn plan_against_actual(steps: &[Actual]) -> String {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "–".to_owned());
    let rows = steps.iter().map(|step| {
        let hosts: Vec<String> = step.hosts.iter().map(|host| safe(host)).collect();
        vec![
            safe(&step.title),
            or_dash((!hosts.is_empty()).then(|| list(&hosts, 4))),
            or_dash(step.planned.map(|planned| planned.to_string())),
            or_dash(step.took().map(|took| took.to_string())),
            or_dash(step.difference().map(difference)),
            or_dash((step.tries > 0).then(|| step.tries.to_string())),
            step.stood.says().to_owned(),
        ]
    });
    let head = [
        "Step",
        "Hosts",
        "Planned",
        "Took",
        "Difference",
        "Tries",
        "At the end",
    ];
    let right = [false, false, true, true, true, true, false];
    format!(
        "## Plan against actual\n\n{}",
        table(&head, &right, rows.collect())
    )
}

fn difference(difference: SignedDuration) -> String {
    let length = Duration::from_millis(u64::try_from(difference.abs().as_millis()).unwrap_or(0));
    match difference.signum() {
        0 => "none".to_owned(),
        1 => format!("+{length}"),
        _ => format!("−{length}"),
    }
}

fn surprises(review: &Review, zone: &TimeZone) -> String {
    let mut out = "## What surprised us\n\n".to_owned();
    let mut clock = Clock::new(zone);
    for surprise in &review.surprises {
        let (at, says) = (clock.next(surprise.at), escape(&surprise.says));
        let _infallible = writeln!(out, "- {at} {says}");
    }
    out.push_str(match review.surprises.len() {
        0 => "Nothing surprised us: 0 surprises.",
        1 => "\n1 surprise.",
        _ => "",
    });
    if review.surprises.len() > 1 {
        let _infallible = write!(out, "\n{} surprises.", review.surprises.len());
    }
    out
}

fn decisions(review: &Review, zone: &TimeZone) -> String {
    let mut clock = Clock::new(zone);
    let rows: Vec<Vec<String>> = review
        .decisions
        .iter()
        .map(|decided| {
            let because = decided.because.as_deref().map(safe_reason);
            vec![
                clock.next(decided.at),
                safe(&decided.by),
                escape(&line(&decided.what, TEXT_MOST)),
                because.unwrap_or_else(|| "–".to_owned()),
            ]
        })
        .collect();
    let body = if rows.is_empty() {
        "Nobody had to decide anything.\n".to_owned()
    } else {
        table(&["When", "Who", "Decided", "Because"], &[false; 4], rows)
    };
    format!("## Who decided what\n\n{body}")
}

fn measures(measures: &[Measured], zone: &TimeZone) -> String {
    let mut out = "## What the judge saw\n\n".to_owned();
    if measures.is_empty() {
        out.push_str("The judge did not look.\n");
        return out;
    }
    let row = |measured: &Measured| {
        let Finding {
            bad,
            total,
            control,
            ..
        } = measured.finding;
        let share = |bad: u64, total: u64| match total {
            0 => format!("{bad} of {total}"),
            total => format!("{bad} of {total} ({})", percent(bad as f64 / total as f64)),
        };
        let finding = &measured.finding;
        // Nothing of a level is counted.
        let bad = match finding.effect {
            Some(Effect::Above { mean, .. }) if mean < 0.0 => format!("{} below", digits(-mean)),
            Some(Effect::Above { mean, .. }) => format!("{} above", digits(mean)),
            _ => share(bad, total),
        };
        vec![
            safe(&measured.measure),
            bad,
            control.map_or_else(
                || "–".to_owned(),
                |control| share(control.bad, control.total),
            ),
            times(finding),
            format!("{} of {}", evidence(finding.e), evidence(finding.bar)),
            standing(finding.state).to_owned(),
        ]
    };
    let head = [
        "Measure",
        "Bad",
        "Without the change",
        "Times as often",
        "Evidence of harm",
        "State",
    ];
    let right = [false, true, true, true, true, false];
    out.push_str(&table(&head, &right, measures.iter().map(row).collect()));
    for measured in measures {
        let _infallible = write!(out, "\n{}", notes(measured, zone));
    }
    out
}

/// What a measure means, when it was looked at, and what its numbers rest on.
fn notes(measured: &Measured, zone: &TimeZone) -> String {
    let finding = &measured.finding;
    let says = match safe_reason(&measured.says) {
        says if says.is_empty() => String::new(),
        says => format!(" ({says})"),
    };
    let design = match finding.design {
        Design::Control => "what ran without the change",
        Design::History => "what earlier days foretold",
        Design::Limit => "the agreed limit",
    };
    let (id, at) = (safe(&measured.measure), moment(measured.at, zone));
    let mut out = format!("Measure {id}{says}: looked at last on {at}, against {design}.\n");
    if !finding.assumptions.is_empty() {
        out.push('\n');
    }
    for assumption in &finding.assumptions {
        let _infallible = writeln!(out, "- Note: {}", safe_reason(assumption));
    }
    out
}

fn times(finding: &Finding) -> String {
    let ratio = finding.ratio.filter(|ratio| ratio.is_finite()).map(digits);
    let ends = finding
        .interval
        .filter(|(low, high)| low.is_finite() && high.is_finite());
    // The ends of the judge's grid mean "or beyond".
    let ends = ends.map(
        |(low, high)| match (low * REACH <= 1.001, high >= REACH * 0.999) {
            (true, true) => "not known".to_owned(),
            (true, false) => format!("at most {}", digits(high)),
            (false, true) => format!("at least {}", digits(low)),
            (false, false) => format!("{} to {}", digits(low), digits(high)),
        },
    );
    match (ratio, ends) {
        (Some(ratio), Some(ends)) => format!("{ratio} ({ends})"),
        (Some(ratio), None) => ratio,
        (None, Some(ends)) => ends,
        (None, None) => "–".to_owned(),
    }
}

fn evidence(e: f64) -> String {
    if e > EVIDENCE_MOST {
        "over a million".to_owned()
    } else if e > 0.0 {
        digits(e)
    } else {
        "0".to_owned()
    }
}

fn standing(state: State) -> &'static str {
    match state {
        State::Fine => "proven fine",
        State::Undecided => "nothing proven",
        State::Harm => "harm",
        State::Blind => "not seen enough",
    }
}

fn lessons(review: &Review, zone: &TimeZone) -> String {
    let mut out = "## Lessons\n\n".to_owned();
    for lesson in &review.lessons {
        out.push_str(&kept(lesson, zone));
    }
    if review.lessons.is_empty() {
        out.push_str("None is kept yet.\n");
    }
    let touches: Vec<&str> = review
        .about
        .touches
        .iter()
        .map(Component::as_str)
        .filter(|component| plain_word(component))
        .collect();
    let touches = if touches.is_empty() {
        "COMPONENT".to_owned()
    } else {
        touches.join(" --touches ")
    };
    let _infallible = write!(
        out,
        "\nKeep one while it is fresh. It blocks the next handoff that touches the same \
         components, until it is met:\n\n\
         ```sh\nbaton lesson keep \"What we learned, and what must happen\" --touches {touches} --as HANDLE\n```\n"
    );
    out
}

fn kept(lesson: &Lesson, zone: &TimeZone) -> String {
    let text = escape(&line(&lesson.text, TEXT_MOST));
    let touches: Vec<String> = lesson
        .touches
        .iter()
        .map(|component| safe(component))
        .collect();
    let mark = match &lesson.met {
        None => "open".to_owned(),
        Some(met) => format!("met on {}: {}", moment(met.at, zone), safe_reason(&met.how)),
    };
    format!(
        "- Lesson: {text} (binds {}; {} answers for it; {mark})\n",
        list(&touches, 8),
        safe(&lesson.owner)
    )
}

/// Whether the text can stand in a command line as it is.
fn plain_word(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    !text.is_empty() && text.len() <= NAME_MOST && !text.starts_with('-') && text.chars().all(plain)
}

/// A table whose columns are aligned in the source as well. Cells are Markdown.
fn table(head: &[&str], right: &[bool], rows: Vec<Vec<String>>) -> String {
    let width = |text: &str| text.chars().count();
    let widths: Vec<usize> = (0..head.len())
        .map(|i| {
            let cells = rows.iter().filter_map(|row| row.get(i));
            let widest = cells.map(|cell| width(cell)).max().unwrap_or(0);
            widest.max(width(head[i])).max(3)
        })
        .collect();
    let is_right = |i: usize| right.get(i).copied().unwrap_or(false);
    let print = |out: &mut String, cells: &mut dyn Iterator<Item = &str>| {
        for (i, cell) in cells.enumerate().take(widths.len()) {
            let pad = " ".repeat(widths[i].saturating_sub(width(cell)));
            let (before, after) = if is_right(i) {
                (pad, String::new())
            } else {
                (String::new(), pad)
            };
            let _infallible = write!(out, "| {before}{cell}{after} ");
        }
        out.push_str("|\n");
    };
    let mut out = String::new();
    print(&mut out, &mut head.iter().copied());
    for (i, width) in widths.iter().enumerate() {
        let rule = "-".repeat(width - 1);
        let _infallible = if is_right(i) {
            write!(out, "| {rule}: ")
        } else {
            write!(out, "| {rule}- ")
        };
    }
    out.push_str("|\n");
    for row in &rows {
        print(&mut out, &mut row.iter().map(String::as_str));
    }
    out
}
