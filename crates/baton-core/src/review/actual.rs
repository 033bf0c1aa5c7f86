//! Plan against actual: what each step was expected to take, and took.
//!
//! Times are those of the first way forward, from the first start of the deed
//! to the moment it was in effect on the last host, pauses and pauses between
//! tries included. A person's step begins when its turn comes, that is, when
//! everything before it is finished: nobody says when they start.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::story::{ByHand, How, Meaning, Resumed, Story, Went, Word};
use crate::event::{Event, Leg};
use crate::handoff::plan::{Plan, Step};
use crate::id::{HostName, StepId};
use crate::ledger::Entry;
use crate::time::Duration;

/// One step, planned and actual.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Actual {
    /// The step.
    pub step: StepId,
    /// Its title, as the runbook has it.
    pub title: String,
    /// Where it runs.
    pub hosts: Vec<HostName>,
    /// What it was expected to take.
    pub planned: Option<Duration>,
    /// When it began, on its first host.
    pub began: Option<Timestamp>,
    /// When it was in effect, on its last host.
    pub ended: Option<Timestamp>,
    /// How long the run was paused in between.
    pub paused: Duration,
    /// The most tries a host needed; 0 when no machine ran it.
    pub tries: u32,
    /// Where it stood at the end of the run.
    pub stood: Stood,
}

impl Actual {
    /// What it took; `None` when it was not carried out.
    pub fn took(&self) -> Option<Duration> {
        Some(Duration::between(self.began?, self.ended?))
    }

    /// How much longer than planned it took; negative when it was quicker.
    pub fn difference(&self) -> Option<SignedDuration> {
        let signed = |d: Duration| i64::try_from(d.as_millis()).unwrap_or(i64::MAX);
        let (took, planned) = (signed(self.took()?), signed(self.planned?));
        Some(SignedDuration::from_millis(took - planned))
    }

    /// Whether it took more than twice what was planned, pauses of the run not counted.
    pub fn overran(&self) -> bool {
        let twice = |planned: Duration| planned.as_millis().saturating_mul(2);
        match (self.took(), self.planned) {
            (Some(took), Some(planned)) => {
                took.as_millis().saturating_sub(self.paused.as_millis()) > twice(planned)
            }
            _ => false,
        }
    }
}

/// Where a step stood at the end of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stood {
    /// It did not begin.
    NotReached,
    /// It was left out.
    LeftOut,
    /// It began and did not come to an end on every host.
    Unfinished,
    /// In effect.
    Done,
    /// It failed on a host.
    Failed,
    /// Nobody knows.
    Unknown,
    /// Undone wherever it had begun.
    Undone,
    /// Undone on some of the hosts where it had begun.
    PartlyUndone,
    /// Its undo failed on a host.
    UndoFailed,
}

impl Stood {
    /// In words, for a table.
    pub fn says(self) -> &'static str {
        match self {
            Self::NotReached => "not reached",
            Self::LeftOut => "left out",
            Self::Unfinished => "unfinished",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::Undone => "undone",
            Self::PartlyUndone => "partly undone",
            Self::UndoFailed => "undo failed",
        }
    }
}

/// Where a step stands on one host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OnHost {
    Done,
    Failed,
    Unknown,
    Undone,
    UndoFailed,
}

/// What is gathered of one step.
#[derive(Clone, Debug, Default)]
struct Gathered {
    began: Option<Timestamp>,
    done: BTreeMap<HostName, Timestamp>,
    tries: u32,
    at: BTreeMap<HostName, OnHost>,
    left_out: Option<Timestamp>,
    watched: Option<Timestamp>,
}

/// The fold of all steps.
#[derive(Clone, Debug, Default)]
pub(super) struct Actuals {
    began: Option<Timestamp>,
    steps: BTreeMap<StepId, Gathered>,
    pauses: Vec<(Timestamp, Timestamp)>,
}

impl Actuals {
    /// Takes an entry in, of which it is known what it means.
    pub(super) fn take(&mut self, story: &Story, entry: &Entry, meaning: &Meaning) {
        let first_way = story.first_way();
        match (&entry.event, meaning) {
            (Event::RunOpened(_), _) => self.began = Some(entry.at),
            (
                Event::LegBegan {
                    leg: Leg::Again, ..
                },
                _,
            ) => {
                for step in self.steps.values_mut() {
                    step.at.clear();
                    step.left_out = None;
                }
            }
            (Event::StepSkipped { step, .. }, _) if !story.back() => {
                self.step(step).left_out = Some(entry.at);
            }
            (Event::StepDone { step, .. }, Meaning::ByHand(word)) => {
                self.by_hand(first_way, entry.at, step, word);
            }
            (_, Meaning::Watched(watched)) => {
                if let Some(step) = &watched.step {
                    self.step(step).watched = Some(entry.at);
                }
            }
            (_, Meaning::Resumed(Resumed::Pause(since))) => self.pauses.push((*since, entry.at)),
            (_, Meaning::Went(went)) => self.went(first_way, entry.at, went),
            _ => {}
        }
    }

    fn by_hand(&mut self, first_way: bool, at: Timestamp, step: &StepId, word: &ByHand) {
        let gathered = self.step(step);
        for host in &word.hosts {
            match word.word {
                Word::Did | Word::SettledRun => {
                    let _before = gathered.at.insert(host.clone(), OnHost::Done);
                    if first_way {
                        let _before = gathered.done.insert(host.clone(), at);
                    }
                }
                Word::Undid | Word::SettledUndo | Word::Insisted => {
                    // What had not begun there is not undone there either.
                    if let Some(here) = gathered.at.get_mut(host) {
                        *here = OnHost::Undone;
                    }
                }
            }
        }
    }

    fn went(&mut self, first_way: bool, at: Timestamp, went: &Went) {
        let gathered = self.step(&went.step);
        if first_way {
            gathered.tries = gathered.tries.max(went.tries);
            gathered.began = match (gathered.began, went.began) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
        }
        let now = match went.how {
            How::Done | How::FoundDone | How::Confirmed => {
                if first_way {
                    let _before = gathered.done.insert(went.host.clone(), at);
                }
                OnHost::Done
            }
            How::Broken | How::Failed(..) => OnHost::Failed,
            How::Lost(..) => OnHost::Unknown,
            How::Undone => OnHost::Undone,
            How::UndoFailed(_) | How::StillThere | How::UndoUnseen(_) => OnHost::UndoFailed,
            How::FoundMissing | How::Voided => return,
        };
        let _before = gathered.at.insert(went.host.clone(), now);
    }

    fn step(&mut self, step: &StepId) -> &mut Gathered {
        self.steps.entry(step.clone()).or_default()
    }

    /// Every step of the plan, in its order.
    pub(super) fn finish(&self, plan: &Plan) -> Vec<Actual> {
        let nothing = Gathered::default();
        let mut finished: BTreeMap<&StepId, Option<Timestamp>> = BTreeMap::new();
        let mut actuals = Vec::new();
        for step in &plan.steps {
            let got = self.steps.get(step.id()).unwrap_or(&nothing);
            let turn = self.began.and_then(|began| {
                // A step that is not known to be finished holds back what follows.
                step.after_ids.iter().try_fold(began, |latest, before| {
                    let before = finished.get(before).copied().flatten()?;
                    Some(latest.max(before))
                })
            });
            let complete = step.hosts().all(|host| got.done.contains_key(host));
            let ended = got.done.values().max().copied().filter(|_| complete);
            let over = match (ended.or(got.left_out), step.elsewhere) {
                (Some(at), _) => Some(got.watched.map_or(at, |watched| at.max(watched))),
                (None, true) => turn,
                (None, false) => None,
            };
            let _before = finished.insert(step.id(), over);
            let by_hand = step.by_person() && ended.is_some();
            let began = got.began.or_else(|| turn.filter(|_| by_hand));
            let hosts = step.hosts().filter(|host| !host.is_here());
            actuals.push(Actual {
                step: step.id().clone(),
                title: step.written.title.clone(),
                hosts: hosts.cloned().collect(),
                planned: step.written.expect,
                began,
                ended,
                paused: self.paused(began, ended),
                tries: got.tries,
                stood: got.stood(step),
            });
        }
        actuals
    }

    /// How long the run was paused between two moments.
    fn paused(&self, began: Option<Timestamp>, ended: Option<Timestamp>) -> Duration {
        let (Some(began), Some(ended)) = (began, ended) else {
            return Duration::default();
        };
        let within = |(from, to): &(Timestamp, Timestamp)| {
            Duration::between(*from.max(&began), *to.min(&ended)).as_millis()
        };
        let millis = self.pauses.iter().map(within);
        Duration::from_millis(millis.fold(0, u64::saturating_add))
    }
}

impl Gathered {
    fn stood(&self, step: &Step) -> Stood {
        let any = |at| self.at.values().any(|here| *here == at);
        let all = |at| self.at.values().all(|here| *here == at);
        if any(OnHost::UndoFailed) {
            Stood::UndoFailed
        } else if any(OnHost::Undone) && all(OnHost::Undone) {
            Stood::Undone
        } else if any(OnHost::Undone) {
            Stood::PartlyUndone
        } else if self.left_out.is_some() || step.elsewhere {
            Stood::LeftOut
        } else if any(OnHost::Unknown) {
            Stood::Unknown
        } else if any(OnHost::Failed) {
            Stood::Failed
        } else if self.at.is_empty() {
            self.began.map_or(Stood::NotReached, |_| Stood::Unfinished)
        } else if step.hosts().all(|host| self.at.contains_key(host)) {
            Stood::Done
        } else {
            Stood::Unfinished
        }
    }
}
