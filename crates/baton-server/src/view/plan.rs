//! The plan, step by step, with what people read and what is carried out.

use std::collections::{BTreeMap, BTreeSet};

use baton_core::forecast::schedule;
use baton_core::gate::planned;
use baton_core::handoff::contract::Window;
use baton_core::handoff::plan::{Plan, Step};
use baton_core::handoff::runbook::{Fence, prose};
use baton_core::id::{HostName, RunId, StepId};
use baton_core::time::Duration;
use baton_engine::desk::{Desk, begins};
use baton_engine::drive;
use baton_engine::failure::Failure;
use baton_store::Log as _;
use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};

use super::prose::harmless;
use crate::wire::{
    ApprovalsView, FenceView, PlaceState, PlaceView, PlanStep, PlanView, Planned, SpanView,
    StepView, Times,
};

/// The plan of the files, beginning with its window; or that of a run, beginning
/// when the run was opened. A run keeps no prose: it is shown where the procedure
/// has not changed since.
///
/// # Errors
/// When there is no such run, or its plan cannot be used.
pub(crate) fn of(desk: &mut Desk, run: Option<&RunId>) -> Result<PlanView, Failure> {
    let Some(run) = run else {
        let plan = desk.plan.clone();
        return Ok(view(desk, &plan, begins(&plan)));
    };
    let plan = drive::plan(&mut desk.log, run)?;
    let opened = desk.log.read_run(run, baton_core::id::Seq(0), 1)?;
    let opened = opened.first().map_or_else(Timestamp::now, |entry| entry.at);
    Ok(view(desk, &plan, opened))
}

fn view(desk: &Desk, plan: &Plan, starts: Timestamp) -> PlanView {
    let schedule = schedule(&planned(plan), starts);
    let critical: BTreeSet<&StepId> = schedule.critical.iter().collect();
    let slots = schedule.steps.iter().map(|slot| {
        let (begins, ends) = (slot.starts, slot.ends);
        (&slot.id, Planned { begins, ends })
    });
    let slots: BTreeMap<&StepId, Planned> = slots.collect();
    let same = plan.digests.procedure == desk.plan.digests.procedure;
    let prose = if same {
        prose(&desk.runbook_text, &desk.runbook)
    } else {
        BTreeMap::new()
    };
    let steps = plan.steps.iter().enumerate().map(|(i, of)| PlanStep {
        step: step(
            plan,
            i,
            slots.get(of.id()).cloned(),
            critical.contains(of.id()),
        ),
        prose: prose
            .get(of.id())
            .map(|text| harmless(text))
            .unwrap_or_default(),
        fences: fences(of),
    });
    PlanView {
        steps: steps.collect(),
    }
}

/// A step of a plan, by its index, of which nothing was done yet.
pub(crate) fn step(plan: &Plan, i: usize, planned: Option<Planned>, critical: bool) -> StepView {
    let step = &plan.steps[i];
    let written = &step.written;
    StepView {
        id: step.id().to_string(),
        title: written.title.clone(),
        owner: owner(step),
        backup: written.backup.as_ref().map(|backup| backup.value.clone()),
        after: step.after_ids.iter().map(ToString::to_string).collect(),
        state: if step.elsewhere {
            PlaceState::Skipped
        } else {
            PlaceState::Waiting
        },
        hosts: step.hosts().map(untouched).collect(),
        planned,
        actual: Times::default(),
        expect_s: written.expect.map(seconds),
        critical,
        no_way_back: step.no_return().then(|| {
            let why = written.no_way_back.clone();
            why.unwrap_or_else(|| "it has no undo".to_owned())
        }),
        changes: written.changes,
        by_hand: step.by_person(),
        tasks: written.tasks.clone(),
        approvals: written.approve.as_ref().map(|approve| ApprovalsView {
            need: approve.count,
            team: approve.of.value.clone(),
            by: Vec::new(),
        }),
        watch_s: written.watch.map(seconds),
    }
}

fn owner(step: &Step) -> String {
    let owner = step.written.owner.as_ref();
    owner.map_or_else(|| NOBODY.to_owned(), |owner| owner.value.clone())
}

/// Who answers for what nobody owns.
pub(super) const NOBODY: &str = "nobody";

fn untouched(host: &HostName) -> PlaceView {
    PlaceView {
        // The contract's own folder has an empty name.
        host: host.to_string(),
        state: PlaceState::Waiting,
        role: None,
        attempt: None,
        began: None,
        ended: None,
        tries: 0,
    }
}

fn fences(step: &Step) -> Vec<FenceView> {
    let written = &step.written;
    let all: [(&str, &Option<Fence>); 4] = [
        ("preflight", &written.preflight),
        ("run", &written.run),
        ("verify", &written.verify),
        ("undo", &written.undo),
    ];
    let there = all.into_iter().filter_map(|(role, fence)| {
        let fence = fence.as_ref()?;
        Some(FenceView {
            role: role.to_owned(),
            lang: fence.lang.clone(),
            text: fence.body.clone(),
        })
    });
    there.collect()
}

/// A length of time in seconds.
pub(crate) fn seconds(duration: Duration) -> f64 {
    duration.as_millis() as f64 / 1000.0
}

/// A window as the page reads it.
pub(crate) fn span(window: Window) -> SpanView {
    let offset = Offset::from_seconds(window.offset_s).unwrap_or(Offset::UTC);
    let zone = window.opens.to_zoned(TimeZone::fixed(offset));
    SpanView {
        opens: window.opens,
        closes: window.closes,
        zone: zone.strftime("%:z").to_string(),
    }
}
