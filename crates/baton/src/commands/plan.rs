//! `plan`: the plan for one environment: order, people, hosts, times, digests.

mod print;

use std::path::Path;

use baton_core::forecast::{ASSUMED, Schedule, Slot, schedule};
use baton_core::gate::planned;
use baton_core::handoff::plan::{Plan, Step};
use baton_core::id::EnvName;
use baton_core::time::Duration;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use serde_json::{Value, json};

use crate::exit::Exit;
use crate::render::{Cell, Out, Tone, cell, toned};
use baton_engine::desk::{Desk, begins, zone_of};
use baton_engine::failure::Failure;

/// `baton plan [ENV]`.
pub(crate) fn run(
    desk: &mut Desk,
    out: &Out,
    environment: Option<&str>,
    file: Option<&Path>,
) -> Result<Exit, Failure> {
    let plan = match environment {
        Some(name) => desk.plan_for(&EnvName::from(name))?,
        None => desk.plan.clone(),
    };
    let schedule = schedule(&planned(&plan), begins(&plan));
    if let Some(file) = file {
        print::write(file, &plan, &schedule, &zone_of(&plan))?;
        if out.json {
            out.json(&json!({ "format": 1, "printed": file }));
        } else {
            let says = format!("plan and undo: {}", file.display());
            out.text(&says, 0, Tone::Plain);
        }
        return Ok(Exit::Good);
    }
    let release = desk.release();
    if out.json {
        out.json(&for_programs(&plan, &schedule, release.as_ref().ok()));
        return Ok(Exit::Good);
    }
    let zone = zone_of(&plan);
    out.page(|out| {
        head(out, &plan, release.as_ref().map(|digest| digest.short()));
        steps(out, &plan, &schedule, &zone);
        foot(out, &plan, &schedule, &zone);
        out.next("baton check");
    });
    Ok(Exit::Good)
}

fn head(out: &Out, plan: &Plan, release: Result<&str, &String>) {
    let contract = &plan.contract;
    out.line(out.paint(
        format!(
            "{} {} in {}",
            contract.name.value, contract.release.version.value, plan.environment
        ),
        Tone::Strong,
    ));
    let row = |key: &str, value: String| vec![toned(key, Tone::Quiet), cell(value)];
    let window = contract.launch.window.map_or_else(
        || "none: it may be launched at any time".to_owned(),
        |window| {
            let zone = zone_of(plan);
            let at = |at: Timestamp| at.to_zoned(zone.clone());
            format!(
                "{} to {} ({})",
                at(window.opens).strftime("%Y-%m-%d %H:%M"),
                at(window.closes).strftime("%Y-%m-%d %H:%M"),
                at(window.opens).strftime("%:z")
            )
        },
    );
    let digests = &plan.digests;
    let release = match release {
        Ok(digest) => digest.to_owned(),
        Err(why) => format!("not known: {why}"),
    };
    let teams = format!(
        "{} hands over to {}",
        contract.from.value, contract.to.value
    );
    let definition = digests.environments.get(&plan.environment);
    out.table(
        0,
        &[
            row("teams", teams),
            row("window", window),
            row("release", release),
            row("content", digests.content.short().to_owned()),
            row("procedure", digests.procedure.short().to_owned()),
            row("roster", digests.roster.short().to_owned()),
            row(
                plan.environment.as_str(),
                definition.map_or("", |digest| digest.short()).to_owned(),
            ),
        ],
    );
}

fn steps(out: &Out, plan: &Plan, schedule: &Schedule, zone: &TimeZone) {
    let quiet = |text: &str| toned(text, Tone::Quiet);
    let mut rows: Vec<Vec<Cell>> = vec![
        ["#", "step", "where", "who (backup)", "takes", "when"]
            .into_iter()
            .map(quiet)
            .collect(),
    ];
    let mut phase = None;
    let clock = Clock::of(schedule, zone);
    for (n, step) in plan.steps.iter().enumerate() {
        let of = step.written.phase.as_deref();
        if of != phase {
            phase = of;
            rows.push(vec![cell("")]);
            rows.push(vec![toned(of.unwrap_or("Without a phase"), Tone::Strong)]);
        }
        let slot = schedule.steps.iter().find(|slot| slot.id == *step.id());
        rows.push(vec![
            quiet(&(n + 1).to_string()),
            cell(step.id().as_str()),
            cell(place(step)),
            cell(people(step)),
            cell(slot.map_or_else(String::new, takes)),
            cell(slot.map_or_else(String::new, |slot| clock.span(slot))),
        ]);
        rows.push(vec![cell(""), quiet(&about(step))]);
    }
    out.gap();
    out.table(0, &rows);
}

/// Where a step runs: `web1`, `4 hosts of web, in 2 stages`, `here`.
fn place(step: &Step) -> String {
    if step.elsewhere {
        return "not here".to_owned();
    }
    let hosts: Vec<&str> = step.hosts().map(|host| host.as_str()).collect();
    let stages = match step.stages.len() {
        0 | 1 => String::new(),
        stages => format!(", in {stages} stages"),
    };
    match (&step.written.on, hosts.as_slice()) {
        (None, _) => "here".to_owned(),
        (Some(_), [only]) => (*only).to_owned(),
        (Some(on), hosts) => format!("{} hosts of {}{stages}", hosts.len(), on.target.value),
    }
}

/// `lee (dana)`, as written.
pub(super) fn people(step: &Step) -> String {
    let owner = step
        .written
        .owner
        .as_ref()
        .map_or("nobody", |who| &who.value);
    match &step.written.backup {
        Some(backup) => format!("{owner} ({})", backup.value),
        None => owner.to_owned(),
    }
}

fn takes(slot: &Slot) -> String {
    let lasts = Duration::between(slot.starts, slot.ends);
    let about = if slot.assumed { "~" } else { "" };
    format!("{about}{lasts}")
}

/// The title, and in words whatever is special about the step.
fn about(step: &Step) -> String {
    let written = &step.written;
    let mut says = vec![written.title.clone()];
    if let Some(only) = &written.only_in {
        says.push(format!("only in {}", only.value));
    }
    if !written.changes {
        says.push("changes nothing".to_owned());
    }
    if step.by_person() {
        says.push("by hand".to_owned());
    }
    if let Some(approve) = &written.approve {
        says.push(format!(
            "needs the approval of {} of {}",
            approve.count, approve.of.value
        ));
    }
    if let Some(watch) = written.watch {
        says.push(format!("watched for {watch}"));
    }
    if let Some(when) = &written.when {
        says.push(format!("only when {}", when.value));
    }
    match &written.no_way_back {
        Some(because) => says.push(format!("point of no return: {because}")),
        None if step.no_return() => says.push("point of no return".to_owned()),
        None => {}
    }
    says.join(" · ")
}

fn foot(out: &Out, plan: &Plan, schedule: &Schedule, zone: &TimeZone) {
    out.gap();
    if schedule.steps.iter().any(|slot| slot.assumed) {
        out.text(
            &format!("~ nobody says how long it takes; {ASSUMED} is assumed"),
            0,
            Tone::Quiet,
        );
    }
    let path: Vec<&str> = schedule.critical.iter().map(|id| id.as_str()).collect();
    if !path.is_empty() {
        out.text(
            &format!("critical path: {}", path.join(" → ")),
            0,
            Tone::Plain,
        );
    }
    let starts = begins(plan);
    let clock = Clock::of(schedule, zone);
    let total = Duration::between(starts, schedule.ends);
    out.line(format!(
        "{} in all, {} to {} ({})",
        out.paint(total.to_string(), Tone::Strong),
        clock.at(starts),
        clock.at(schedule.ends),
        starts.to_zoned(zone.clone()).strftime("%:z")
    ));
    let window = plan.contract.launch.window;
    if let Some(window) = window.filter(|window| schedule.ends > window.closes) {
        let late = Duration::between(window.closes, schedule.ends);
        out.text(
            &format!("that is {late} after the window closes"),
            0,
            Tone::Warn,
        );
    }
}

/// Times of day, with seconds only where some time has them.
struct Clock {
    zone: TimeZone,
    first: Option<Zoned>,
    format: &'static str,
}

impl Clock {
    fn of(schedule: &Schedule, zone: &TimeZone) -> Self {
        let times = schedule
            .steps
            .iter()
            .flat_map(|slot| [slot.starts, slot.ends]);
        let whole = times.clone().all(|at| at.as_second() % 60 == 0);
        let first = times.min().map(|at| at.to_zoned(zone.clone()));
        Self {
            zone: zone.clone(),
            first,
            format: if whole { "%H:%M" } else { "%H:%M:%S" },
        }
    }

    /// `09:05`, and on a later day than the first `2026-11-26 09:05`.
    fn at(&self, at: Timestamp) -> String {
        let at = at.to_zoned(self.zone.clone());
        let time = at.strftime(self.format).to_string();
        match &self.first {
            Some(first) if first.date() != at.date() => format!("{} {time}", at.date()),
            _ => time,
        }
    }

    fn span(&self, slot: &Slot) -> String {
        format!("{}–{}", self.at(slot.starts), self.at(slot.ends))
    }
}

fn for_programs(
    plan: &Plan,
    schedule: &Schedule,
    release: Option<&baton_core::id::Digest>,
) -> Value {
    let steps: Vec<Value> = plan
        .steps
        .iter()
        .map(|step| {
            let slot = schedule.steps.iter().find(|slot| slot.id == *step.id());
            let written = &step.written;
            json!({
                "step": step.id(),
                "title": written.title,
                "phase": written.phase,
                "line": written.line,
                "owners": step.owners,
                "backups": step.backups,
                "after": step.after_ids,
                "stages": step.stages,
                "expect": written.expect.map(Duration::written),
                "starts": slot.map(|slot| slot.starts),
                "ends": slot.map(|slot| slot.ends),
                "by_person": step.by_person(),
                "changes": written.changes,
                "no_return": step.no_return(),
                "no_way_back": written.no_way_back,
                "approve": written.approve.as_ref().map(|approve| {
                    json!({ "count": approve.count, "of": approve.of.value })
                }),
                "only_in": written.only_in.as_ref().map(|only| &only.value),
                "elsewhere": step.elsewhere,
            })
        })
        .collect();
    let window = plan.contract.launch.window;
    json!({
        "format": 1,
        "handoff": plan.contract.name.value,
        "environment": plan.environment,
        "release": plan.contract.release.version.value,
        "window": window.map(|window| json!({ "opens": window.opens, "closes": window.closes })),
        "digests": {
            "content": plan.digests.content,
            "procedure": plan.digests.procedure,
            "roster": plan.digests.roster,
            "environment": plan.digests.environments.get(&plan.environment),
            "release": release,
        },
        "starts": begins(plan),
        "ends": schedule.ends,
        "critical": schedule.critical,
        "steps": steps,
    })
}
