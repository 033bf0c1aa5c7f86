//! `plan --print`: plan and undo on paper, for the day when nothing else answers.
//!
//! One HTML file with everything in it: no script, no request to anybody, and
//! no text of the handoff that is not escaped.

use std::fmt::{self, Display, Write as _};
use std::path::Path;

use baton_core::forecast::{ASSUMED, Schedule};
use baton_core::handoff::plan::{Plan, Step};
use baton_core::handoff::runbook::Fence;
use baton_core::time::Duration;
use jiff::tz::TimeZone;

use super::{Clock, about, people, place, takes};
use baton_engine::desk::begins;
use baton_engine::failure::Failure;

/// How it looks: one column, black on white, no step cut by the end of a page.
const STYLE: &str = "\
body{font:11pt/1.45 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem;color:#000;background:#fff}\
h1{font-size:1.5rem;margin:0 0 .5rem}h2{font-size:1.15rem;margin:2rem 0 .5rem}h3{font-size:1rem;margin:0}\
table{border-collapse:collapse;width:100%}td,th{text-align:left;vertical-align:top;padding:.15rem .75rem .15rem 0}\
th{font-weight:600;white-space:nowrap}article{border-top:1px solid #999;padding:.6rem 0;break-inside:avoid}\
p{margin:.2rem 0}ul{margin:.2rem 0;padding:0;list-style:none}\
pre{margin:.2rem 0 .5rem;padding:.4rem .6rem;border:1px solid #bbb;white-space:pre-wrap;overflow-wrap:anywhere;font:9.5pt/1.4 ui-monospace,monospace}\
.label{font-size:.85rem;font-weight:600}.quiet{color:#444;font-size:.9rem}\
@page{margin:18mm}@media print{body{margin:0;max-width:none}}";

/// Writes the plan as a page that can be printed.
pub(super) fn write(
    file: &Path,
    plan: &Plan,
    schedule: &Schedule,
    zone: &TimeZone,
) -> Result<(), Failure> {
    std::fs::write(file, page(plan, schedule, zone))
        .map_err(|error| Failure::unwritten(file, &error))
}

/// A text that means nothing in HTML but itself.
struct Plain<T>(T);

impl<T: Display> Display for Plain<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.to_string().chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                // What a printer or a terminal would obey is shown as missing.
                c if c.is_control() && c != '\n' && c != '\t' => f.write_char('\u{fffd}')?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// The page as it is written.
struct Page(String);

impl Page {
    fn add(&mut self, html: fmt::Arguments<'_>) {
        self.0.write_fmt(html).expect("a text takes everything");
        self.0.push('\n');
    }

    fn row(&mut self, key: &str, value: impl Display) {
        let value = Plain(value);
        self.add(format_args!(
            "<tr><th scope=\"row\">{key}</th><td>{value}</td></tr>"
        ));
    }

    fn fence(&mut self, label: &str, fence: &Fence) {
        self.add(format_args!("<p class=\"label\">{label}</p>"));
        self.add(format_args!("<pre>{}</pre>", Plain(fence.body.trim_end())));
    }
}

fn page(plan: &Plan, schedule: &Schedule, zone: &TimeZone) -> String {
    let contract = &plan.contract;
    let title = format!(
        "{} {} in {}",
        contract.name.value, contract.release.version.value, plan.environment
    );
    let title = Plain(title);
    let mut page = Page(String::new());
    page.add(format_args!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n\
         <title>{title}: plan and undo</title>\n<style>{STYLE}</style></head><body><main>\n\
         <h1>{title}: plan and undo</h1>"
    ));
    head(&mut page, plan, schedule, zone);
    roles(&mut page, plan);
    page.add(format_args!("<h2>Steps</h2>"));
    let clock = Clock::of(schedule, zone);
    for (n, step) in plan.steps.iter().enumerate() {
        one(&mut page, n + 1, step, schedule, &clock);
    }
    back(&mut page, plan);
    page.add(format_args!("</main></body></html>"));
    page.0
}

fn head(page: &mut Page, plan: &Plan, schedule: &Schedule, zone: &TimeZone) {
    let contract = &plan.contract;
    let clock = Clock::of(schedule, zone);
    let starts = begins(plan).to_zoned(zone.clone());
    page.add(format_args!("<table>"));
    let (from, to) = (&contract.from.value, &contract.to.value);
    page.row("teams", format!("{from} hands over to {to}"));
    page.row(
        "times",
        format!(
            "{}, times are {}",
            starts.strftime("%Y-%m-%d"),
            starts.strftime("%:z")
        ),
    );
    if let Some(window) = contract.launch.window {
        let (opens, closes) = (clock.at(window.opens), clock.at(window.closes));
        page.row("window", format!("{opens} to {closes}"));
    }
    let total = Duration::between(begins(plan), schedule.ends);
    page.row(
        "lasts",
        format!("{total}, until {}", clock.at(schedule.ends)),
    );
    page.row("content", plan.digests.content.short());
    page.row("procedure", plan.digests.procedure.short());
    page.add(format_args!("</table>"));
    if schedule.steps.iter().any(|slot| slot.assumed) {
        page.add(format_args!(
            "<p class=\"quiet\">~ nobody says how long it takes; {ASSUMED} is assumed</p>"
        ));
    }
}

fn roles(page: &mut Page, plan: &Plan) {
    let contract = &plan.contract;
    page.add(format_args!("<h2>People</h2>\n<table>"));
    for role in contract.roles.keys() {
        let people = contract.holders(role).into_iter();
        let people: Vec<String> = people
            .map(|by| match contract.people.get(&by) {
                Some(person) => format!("{} ({by})", person.name),
                None => by.to_string(),
            })
            .collect();
        let role = Plain(role);
        let key = format!("{role}");
        page.row(&key, people.join(", then "));
    }
    page.add(format_args!("</table>"));
}

fn one(page: &mut Page, n: usize, step: &Step, schedule: &Schedule, clock: &Clock) {
    let written = &step.written;
    page.add(format_args!(
        "<article>\n<h3>{n}. {}</h3>",
        Plain(step.id())
    ));
    page.add(format_args!("<p>{}</p>", Plain(about(step))));
    let slot = schedule.steps.iter().find(|slot| slot.id == *step.id());
    let when = slot.map_or_else(
        || "no time".to_owned(),
        |slot| format!("{} ({})", clock.span(slot), takes(slot)),
    );
    let (who, place) = (people(step), place(step));
    page.add(format_args!(
        "<p class=\"quiet\">{} · {} · {}</p>",
        Plain(when),
        Plain(who),
        Plain(place)
    ));
    if !written.tasks.is_empty() {
        page.add(format_args!("<ul>"));
        for task in &written.tasks {
            page.add(format_args!("<li>&#9744; {}</li>", Plain(task)));
        }
        page.add(format_args!("</ul>"));
    }
    for (label, fence) in [
        ("before", &written.preflight),
        ("run", &written.run),
        ("in effect when this passes", &written.verify),
        ("undo", &written.undo),
    ] {
        if let Some(fence) = fence {
            page.fence(label, fence);
        }
    }
    if written.undo.is_none() && written.changes {
        let why = written.no_way_back.as_deref().unwrap_or("it has no undo");
        page.add(format_args!(
            "<p><strong>No way back past this step:</strong> {}</p>",
            Plain(why)
        ));
    }
    page.add(format_args!("</article>"));
}

/// The way back in its order: what was carried out last is undone first.
fn back(page: &mut Page, plan: &Plan) {
    page.add(format_args!(
        "<h2>The way back, from the last step that took effect</h2>\n<table>"
    ));
    let undone = plan.steps.iter().rev().filter(|step| !step.elsewhere);
    for step in undone.filter(|step| step.written.changes || step.written.undo.is_some()) {
        let how = match &step.written.undo {
            Some(_) => format!("undo as above: {}", people(step)),
            None => "no way back past this step".to_owned(),
        };
        let key = format!("{}", Plain(step.id()));
        page.row(&key, how);
    }
    page.add(format_args!("</table>"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_means_nothing_in_html_but_itself() {
        for (text, written) in [
            ("a < b && c > d", "a &lt; b &amp;&amp; c &gt; d"),
            ("</pre><script>", "&lt;/pre&gt;&lt;script&gt;"),
            ("\" onload='x'", "&quot; onload=&#39;x&#39;"),
            ("\u{1b}[2J\r\n\tx", "\u{fffd}[2J\u{fffd}\n\tx"),
            ("Příklad", "Příklad"),
        ] {
            assert_eq!(Plain(text).to_string(), written);
        }
    }
}
