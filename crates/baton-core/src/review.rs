//! The review of a run, drafted from the ledger, and the lessons kept from it.
//!
//! [`timeline`] says what happened, one calm sentence for each thing, the same
//! in the terminal of a live run and afterwards; [`actual`] holds the plan
//! against what the steps took; [`surprise`] names what was not as planned;
//! [`decided`] says who decided what; [`draft`] writes it all as Markdown, and
//! [`lesson`] folds what was learned and is not yet met.
//!
//! Everything is a fold of entries and takes any of them in any order. Nothing
//! here judges people, stores anything, or decides what a lesson blocks.

use jiff::Timestamp;
use serde::Serialize;

use crate::event::{Event, Outcome, RunKind};
use crate::handoff::plan::Plan;
use crate::id::{Component, EnvName, Handle, HandoffId, MeasureId, RunId, StepId, TeamName};
use crate::ledger::Entry;
use crate::watch::Finding;

pub mod timeline;

pub mod actual;

pub mod surprise;

pub mod decided;

pub mod draft;

pub mod lesson;

mod story;

pub(crate) mod text;

#[cfg(test)]
mod tests;

pub use actual::{Actual, Stood};
pub use decided::Decided;
pub use draft::markdown;
pub use lesson::{Lesson, Lessons, Met};
pub use surprise::{Kind, Surprise};
pub use timeline::{Feed, Line, Timeline, Weight, say};

use actual::Actuals;
use story::Story;
use surprise::Surprises;

/// The review of one run. Texts are as they were written: whoever shows them
/// makes them harmless, as [`draft`] does.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Review {
    /// What was handed over.
    pub about: About,
    /// When and by whom the run was opened; `None` when that is not recorded.
    pub opened: Option<Opened>,
    /// How it ended; `None` when it has not.
    pub ended: Option<Ended>,
    /// What happened.
    pub timeline: Timeline,
    /// Plan against actual, one for each step, in the order of the plan.
    pub steps: Vec<Actual>,
    /// What was not as planned.
    pub surprises: Vec<Surprise>,
    /// What people decided.
    pub decisions: Vec<Decided>,
    /// What the judge said last of each measure.
    pub measures: Vec<Measured>,
    /// Lessons kept among these entries.
    pub lessons: Vec<Lesson>,
}

/// What a review is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct About {
    /// The handoff.
    pub handoff: HandoffId,
    /// What is released: `shop`.
    pub name: String,
    /// Which version.
    pub version: String,
    /// One line for people, from the contract.
    pub summary: Option<String>,
    /// The team that handed over.
    pub from: TeamName,
    /// The team that took over.
    pub to: TeamName,
    /// The environment the plan is resolved for.
    pub environment: EnvName,
    /// Components the release touches.
    pub touches: Vec<Component>,
}

/// The beginning of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Opened {
    /// Which run.
    pub run: Option<RunId>,
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: Handle,
    /// Rehearsal or launch.
    pub what: RunKind,
}

/// The end of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Ended {
    /// When.
    pub at: Timestamp,
    /// How.
    pub outcome: Outcome,
    /// Why.
    pub because: String,
    /// Steps whose undo was carried out and seen to work.
    pub undone: Vec<StepId>,
}

/// What the judge said last of one measure.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Measured {
    /// The measure.
    pub measure: MeasureId,
    /// What it says, for people; empty when the contract does not have it.
    pub says: String,
    /// What was watched last: a step's change, or the whole release.
    pub of: Option<StepId>,
    /// When the judge looked last.
    pub at: Timestamp,
    /// The numbers.
    pub finding: Finding,
}

impl Review {
    /// The review of these entries: those of one run, in the order of the
    /// ledger; votes before it and lessons after it may stand among them.
    pub fn of(entries: &[Entry], plan: &Plan) -> Self {
        let mut story = Story::default();
        let mut actuals = Actuals::default();
        let mut surprises = Surprises::default();
        let mut review = Self::blank(plan);
        let mut watching = None;
        for entry in entries {
            let meaning = story.read(plan, entry);
            let line = timeline::told(plan, entry, &meaning, story.back());
            review.timeline.lines.extend(line);
            actuals.take(&story, entry, &meaning);
            surprises.take(plan, &story, entry, &meaning);
            let decided = decided::decided(plan, entry, &meaning, story.back());
            review.decisions.extend(decided);
            review.course(plan, entry, &mut watching);
        }
        review.steps = actuals.finish(plan);
        review.surprises = surprises.finish(&review.steps);
        review.lessons = Lessons::of(entries).all().to_vec();
        review
    }

    fn blank(plan: &Plan) -> Self {
        let contract = &plan.contract;
        Self {
            about: About {
                handoff: plan.handoff.clone(),
                name: contract.name.value.clone(),
                version: contract.release.version.value.clone(),
                summary: contract.summary.clone(),
                from: contract.from.value.clone(),
                to: contract.to.value.clone(),
                environment: plan.environment.clone(),
                touches: contract.touches.clone(),
            },
            opened: None,
            ended: None,
            timeline: Timeline::default(),
            steps: Vec::new(),
            surprises: Vec::new(),
            decisions: Vec::new(),
            measures: Vec::new(),
            lessons: Vec::new(),
        }
    }

    /// Beginning, end, and the last numbers of the judge.
    fn course(&mut self, plan: &Plan, entry: &Entry, watching: &mut Option<StepId>) {
        match &entry.event {
            Event::RunOpened(terms) => {
                self.opened = Some(Opened {
                    run: entry.run.clone(),
                    at: entry.at,
                    by: entry.by.clone(),
                    what: terms.what,
                });
            }
            Event::RunEnded {
                outcome,
                because,
                undone,
            } => {
                self.ended = Some(Ended {
                    at: entry.at,
                    outcome: *outcome,
                    because: because.clone(),
                    undone: undone.clone(),
                });
            }
            Event::WatchBegan { step, .. } => watching.clone_from(step),
            Event::Judged { verdict, .. } => {
                for finding in &verdict.measures {
                    self.measured(plan, entry.at, finding, watching.clone());
                }
            }
            _ => {}
        }
    }

    fn measured(&mut self, plan: &Plan, at: Timestamp, finding: &Finding, of: Option<StepId>) {
        let mut agreed = plan.contract.success.defined().into_iter().flatten();
        let says = agreed
            .find(|measure| measure.id.value == finding.measure)
            .map(|measure| measure.says.clone());
        let measured = Measured {
            measure: finding.measure.clone(),
            says: says.unwrap_or_default(),
            of,
            at,
            finding: finding.clone(),
        };
        let known = self.measures.iter_mut();
        match known
            .into_iter()
            .find(|known| known.measure == finding.measure)
        {
            Some(known) => *known = measured,
            None => self.measures.push(measured),
        }
    }
}
