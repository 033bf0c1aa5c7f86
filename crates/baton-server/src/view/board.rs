//! One run as it is watched: its state, what the state forgets and people want
//! to see (when things began and ended, the last attempts), and its feed.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use baton_core::event::{Event, FenceRole, Leg, RunKind, RunTerms};
use baton_core::forecast::Schedule;
use baton_core::gate::planned;
use baton_core::handoff::plan::Plan;
use baton_core::id::{AttemptId, Digest, Handle, HostName, MeasureId, RunId, Seq, StepId};
use baton_core::ledger::{Draft, Entry};
use baton_core::review::timeline::Feed;
use baton_core::run::State;
use baton_core::watch::Sample;
use baton_engine::desk::Desk;
use baton_engine::drive::plan;
use baton_engine::failure::{Failure, Kind};
use baton_store::Log as _;
use jiff::Timestamp;

use crate::follow::Printed;
use crate::wire::{FeedLine, Times, Valued};

/// What the launch that is not opened yet is called where a run is named.
pub(crate) const NEXT: &str = "next";

/// How many entries are read at a time.
const PAGE: usize = 10_000;
/// How far back the room before a launch is looked for, in entries of the ledger.
const ROOM_BACK: u64 = 20_000;
/// The most entries of the room before a launch that are kept.
const ROOM_MOST: usize = 2000;
/// The most looks of a measure that are kept for its line.
const POINTS_MOST: usize = 600;

/// A run, folded for people.
pub(crate) struct Board {
    /// Where the run stands.
    pub(crate) state: State,
    /// What takes how long, seen from when it was opened.
    pub(crate) schedule: Schedule,
    /// The last attempt of each step on each host.
    pub(crate) tried: BTreeMap<(usize, HostName), Tried>,
    /// When each step began and ended, in the present leg.
    pub(crate) times: Vec<Times>,
    /// The share of bad ones at each look, by measure.
    pub(crate) points: BTreeMap<String, Vec<Valued>>,
    /// When the run ended.
    pub(crate) ended_at: Option<Timestamp>,
    /// When what stands now was said last: a pause, a freeze, a turn.
    pub(crate) turned_at: Timestamp,
    /// Whether this is the launch to come: nobody opened it.
    pub(crate) to_come: bool,
    /// What each attempt that ended printed.
    printed: BTreeMap<AttemptId, Option<Digest>>,
    attempts: BTreeMap<AttemptId, (usize, HostName)>,
    index: BTreeMap<StepId, usize>,
    feed: Feed,
}

/// An attempt as it is shown.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tried {
    pub(crate) attempt: AttemptId,
    pub(crate) role: FenceRole,
    pub(crate) began: Timestamp,
    pub(crate) ended: Option<Timestamp>,
}

impl Board {
    /// A run of the ledger, folded to its last entry; `told` hears the lines of
    /// its feed. That of a launch begins with what was said in the room before it.
    pub(crate) fn of(
        desk: &mut Desk,
        run: &RunId,
        told: &mut dyn FnMut(FeedLine),
    ) -> Result<Self, Failure> {
        let plan = plan(&mut desk.log, run)?;
        let mut board: Option<Self> = None;
        let mut after = Seq(0);
        loop {
            let page = desk.log.read_run(run, after, PAGE)?;
            let Some(last) = page.last() else { break };
            after = last.seq;
            for entry in &page {
                let line = match &mut board {
                    None => {
                        let opened = board.insert(Self::opened(&plan, entry)?);
                        let before = room_before(desk, entry)?;
                        let said = before.iter().filter_map(|entry| opened.line(entry));
                        said.for_each(&mut *told);
                        opened.line(entry)
                    }
                    Some(board) => board.take(entry)?,
                };
                line.into_iter().for_each(&mut *told);
            }
        }
        board.ok_or_else(|| Failure::refused(format!("there is no run {run}")))
    }

    /// The launch to come, as if it were opened now.
    pub(crate) fn to_come(desk: &Desk) -> Result<Self, Failure> {
        let plan = Arc::new(desk.plan.as_ref().clone());
        let nothing = Digest::of(b"");
        let terms = RunTerms {
            what: RunKind::Launch,
            plan: nothing.clone(),
            content: plan.digests.content.clone(),
            procedure: plan.digests.procedure.clone(),
            roster: plan.digests.roster.clone(),
            release: nothing.clone(),
            environment: plan.environment.clone(),
            definition: nothing.clone(),
            fail_at: None,
            unproven: Vec::new(),
        };
        let window = plan.contract.launch.window;
        let now = Timestamp::now();
        let draft = Draft {
            at: window.map_or(now, |window| window.opens.max(now)),
            by: Handle::from("baton"),
            handoff: plan.handoff.clone(),
            run: Some(RunId::from(NEXT)),
            event: Event::RunOpened(terms),
        };
        let opening = Entry::seal(draft, Seq(0), nothing);
        let mut board = Self::opened(&plan, &opening)?;
        board.to_come = true;
        Ok(board)
    }

    fn opened(plan: &Arc<Plan>, entry: &Entry) -> Result<Self, Failure> {
        let state = State::open(Arc::clone(plan), entry).map_err(|error| {
            Failure::new(Kind::Part, "the ledger's run cannot be read").because(&error)
        })?;
        let ids = plan.steps.iter().enumerate();
        Ok(Self {
            schedule: baton_core::forecast::schedule(&planned(plan), entry.at),
            tried: BTreeMap::new(),
            times: vec![Times::default(); plan.steps.len()],
            points: BTreeMap::new(),
            ended_at: None,
            turned_at: entry.at,
            to_come: false,
            printed: BTreeMap::new(),
            attempts: BTreeMap::new(),
            index: ids.map(|(i, step)| (step.id().clone(), i)).collect(),
            feed: Feed::new(plan),
            state,
        })
    }

    /// Takes the next entry of this run in; the line it is worth.
    pub(crate) fn take(&mut self, entry: &Entry) -> Result<Option<FeedLine>, Failure> {
        self.state.apply(entry).map_err(|error| {
            Failure::new(Kind::Part, "the ledger's run cannot be read").because(&error)
        })?;
        self.see(entry);
        Ok(self.line(entry))
    }

    /// The line of something said in the room that is about no run yet.
    pub(crate) fn line(&mut self, entry: &Entry) -> Option<FeedLine> {
        let line = self.feed.take(entry)?;
        let kind = match entry.event {
            Event::Said { .. } => "said",
            Event::Reported { .. } => "reported",
            _ => "fact",
        };
        let weight = match line.weight {
            baton_core::review::timeline::Weight::Quiet => "quiet",
            baton_core::review::timeline::Weight::Plain => "plain",
            baton_core::review::timeline::Weight::Marked => "marked",
        };
        Some(FeedLine {
            seq: entry.seq.0,
            at: line.at,
            by: line.by.to_string(),
            says: line.says,
            weight: weight.to_owned(),
            kind: kind.to_owned(),
        })
    }

    /// Where the output of an attempt of this run is.
    pub(crate) fn output(&self, attempt: &AttemptId) -> Option<Printed> {
        if self.attempts.contains_key(attempt) {
            return Some(Printed::UnderWay);
        }
        self.printed.get(attempt).cloned().map(Printed::Kept)
    }

    fn see(&mut self, entry: &Entry) {
        let at = entry.at;
        match &entry.event {
            Event::AttemptStarted {
                attempt,
                step,
                host,
                role,
                ..
            } => self.began(at, attempt, step, host, *role),
            Event::AttemptEnded {
                attempt, output, ..
            } => self.ended(at, attempt, Some(output.as_ref())),
            Event::AttemptVoided { attempt } => self.ended(at, attempt, None),
            Event::StepDone { step, .. }
            | Event::StepSkipped { step, .. }
            | Event::StepApproved { step } => {
                if let Some(&i) = self.index.get(step) {
                    self.times[i].began.get_or_insert(at);
                    self.stir(i, at);
                }
            }
            Event::LegBegan { leg, .. } => {
                if *leg == Leg::Again {
                    self.times.fill(Times::default());
                    self.tried.clear();
                }
                self.turned_at = at;
            }
            Event::Judged { samples, .. } => self.judged(at, samples),
            Event::WatchBegan { .. } => self.points.clear(),
            Event::WatchEnded { .. } => (0..self.times.len()).for_each(|i| self.stir(i, at)),
            Event::RunEnded { .. } => self.ended_at = Some(at),
            Event::Paused { .. }
            | Event::Resumed
            | Event::Frozen { .. }
            | Event::RoleLost { .. }
            | Event::RoleCovered { .. }
            | Event::StopCalled { .. }
            | Event::RollbackCalled { .. } => self.turned_at = at,
            _ => {}
        }
    }

    fn began(
        &mut self,
        at: Timestamp,
        attempt: &AttemptId,
        step: &StepId,
        host: &HostName,
        role: FenceRole,
    ) {
        let Some(&i) = self.index.get(step) else {
            return;
        };
        self.attempts.insert(attempt.clone(), (i, host.clone()));
        let tried = Tried {
            attempt: attempt.clone(),
            role,
            began: at,
            ended: None,
        };
        self.tried.insert((i, host.clone()), tried);
        // On the way back the times stay those of the deed.
        if self.state.leg != Leg::Back {
            self.times[i].began.get_or_insert(at);
            self.times[i].ended = None;
        }
    }

    /// An attempt ended, and printed this, or never began.
    fn ended(&mut self, at: Timestamp, attempt: &AttemptId, printed: Option<Option<&Digest>>) {
        let Some(place) = self.attempts.remove(attempt) else {
            return;
        };
        if let Some(tried) = self.tried.get_mut(&place)
            && tried.attempt == *attempt
        {
            tried.ended = Some(at);
        }
        self.stir(place.0, at);
        if let Some(output) = printed {
            self.printed.insert(attempt.clone(), output.cloned());
        }
    }

    fn judged(&mut self, at: Timestamp, samples: &BTreeMap<MeasureId, Sample>) {
        for (measure, sample) in samples {
            let Some(value) = sample.canary.rate() else {
                continue;
            };
            let points = self.points.entry(measure.to_string()).or_default();
            if points.len() == POINTS_MOST {
                let _oldest = points.remove(0);
            }
            points.push(Valued { at, value });
        }
    }

    /// Notes when a step that is not at work any more came to rest.
    fn stir(&mut self, i: usize, at: Timestamp) {
        if self.state.leg == Leg::Back {
            return;
        }
        let busy = self.state.standing(i).any(|place| place.attempt.is_some());
        let times = &mut self.times[i];
        if busy || times.began.is_none() {
            times.ended = None;
        } else if times.ended.is_none() {
            times.ended = Some(at);
        }
    }
}

/// What was said in the room before this entry about no run, since the launch
/// before; nothing, if the entry opens no launch.
fn room_before(desk: &mut Desk, opening: &Entry) -> Result<VecDeque<Entry>, Failure> {
    match &opening.event {
        Event::RunOpened(terms) if terms.what == RunKind::Launch => {
            room(desk, Seq(opening.seq.0 - 1))
        }
        _ => Ok(VecDeque::new()),
    }
}

/// What was said in the room up to an entry about no run, since the last launch.
pub(crate) fn room(desk: &mut Desk, until: Seq) -> Result<VecDeque<Entry>, Failure> {
    let handoff = desk.handoff();
    let mut room = VecDeque::new();
    let mut after = Seq(until.0.saturating_sub(ROOM_BACK));
    while after < until {
        let most = usize::try_from(until.0 - after.0).map_or(PAGE, |left| left.min(PAGE));
        let page = desk.log.read(after, most)?;
        let Some(last) = page.last() else { break };
        after = last.seq;
        let ours = page.into_iter().filter(|entry| entry.handoff == handoff);
        ours.for_each(|entry| keep_room(&mut room, entry));
    }
    Ok(room)
}

/// Keeps what is said in the room about no run, since the last launch.
pub(crate) fn keep_room(room: &mut VecDeque<Entry>, entry: Entry) {
    match &entry.event {
        Event::RunOpened(terms) if terms.what == RunKind::Launch => room.clear(),
        _ if entry.run.is_none() => {
            if room.len() == ROOM_MOST {
                let _oldest = room.pop_front();
            }
            room.push_back(entry);
        }
        _ => {}
    }
}
