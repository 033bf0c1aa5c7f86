//! The simulated world: hosts with effects, commands that outlive drivers,
//! honest people, and a clock. The ledger beside it is the real one.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use baton_core::event::{Ending, Event, FenceRole, Leg};
use baton_core::id::{AttemptId, Digest, Epoch, Handle, HandoffId, MeasureId, RunId, Seq, StepId};
use baton_core::ledger::{Draft, Entry};
use baton_core::parity::{Fact, FactName, Fingerprint, HostFacts, LayerStatus, Value};
use baton_core::run::State;
use baton_core::run::order::Order;
use baton_core::run::state::Probe;
use baton_core::run::survey::Survey;
use baton_core::run::waits::{Ask, Waiting, waits};
use baton_core::time::Duration;
use baton_core::watch::Sample;
use baton_engine::drive::fold;
use baton_engine::world::{Ended, Found, Lost, Wake, World};
use baton_store::{Lease, Log, SqliteLog, StoreError};
use jiff::Timestamp;

/// What a host remembers of a command whose driver died.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    /// Everything: it is found running, and ends.
    Whole,
    /// Nothing, though the command did its work.
    ForgetsDone,
    /// Nothing, and the command had done nothing yet.
    ForgetsUndone,
}

/// A step on a host.
pub type Spot = (String, String);

/// What is outside of Baton, and survives it.
#[derive(Debug)]
pub struct Outside {
    /// How often each step is in effect on each host; 0 or 1 when all is well.
    pub effects: BTreeMap<Spot, i32>,
    /// Every deed and undo that was carried out, in order.
    pub deeds: Vec<(FenceRole, Spot)>,
    /// Steps of which only half is there, because their deed failed.
    half: BTreeSet<Spot>,
    /// What hosts remember.
    pub memory: Memory,
    attempts: BTreeMap<AttemptId, Attempt>,
    now: Timestamp,
    drawn: u64,
    turns: u32,
    /// Which of several running commands ends first; moves on with each use.
    order: u64,
    /// Commands that were handed over and have not begun yet, in a slow world.
    pub late: Vec<Order>,
    /// What people have read of the run.
    read: Option<State>,
}

#[derive(Debug)]
enum Attempt {
    Void,
    Running {
        spot: Spot,
        role: FenceRole,
        end: Ending,
        moved: i32,
    },
    Ended(Ending),
}

impl Outside {
    /// A world in which nothing has happened. `order` decides which of several
    /// commands ends first.
    pub fn new(memory: Memory, order: u64) -> Self {
        Self {
            effects: BTreeMap::new(),
            deeds: Vec::new(),
            half: BTreeSet::new(),
            memory,
            attempts: BTreeMap::new(),
            now: Timestamp::from_second(1_700_000_000).expect("a date"),
            drawn: 0,
            turns: 0,
            order,
            late: Vec::new(),
            read: None,
        }
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Opens the place of an attempt again, as no host may: for worlds that are
    /// wrong on purpose.
    pub fn reopen(&mut self, attempt: &AttemptId) {
        let _closed = self.attempts.remove(attempt);
    }

    /// All that decides how the world goes on, but for how many ids were drawn:
    /// an id is a name, and later ones stand behind earlier ones.
    pub fn durable(&self) -> String {
        format!(
            "{:?} {:?} {:?} {:?} {:?} {} {:?}",
            self.effects, self.deeds, self.half, self.attempts, self.now, self.order, self.late
        )
    }

    /// Carries a command out at once; its end is reported later.
    fn carry_out(&mut self, order: &Order) -> Attempt {
        let spot = (
            order.env["BATON_STEP"].clone(),
            order.env["BATON_HOST"].clone(),
        );
        let body = order.fence.body.as_str();
        let fails = body.ends_with("fails");
        let effect = self.effects.entry(spot.clone()).or_default();
        let before = *effect;
        let repeatable = order.env.contains_key("REPEATABLE");
        let role = match body.split(' ').next() {
            Some("run") => FenceRole::Run,
            Some("undo") => FenceRole::Undo,
            _ => FenceRole::Verify,
        };
        let mut half = self.half.contains(&spot);
        let succeeded = match role {
            FenceRole::Run => {
                // What failed left half of itself, which counts as something to undo.
                *effect = if repeatable || fails { 1 } else { *effect + 1 };
                half = fails;
                !fails
            }
            FenceRole::Undo => {
                if !fails {
                    *effect = if repeatable { 0 } else { *effect - 1 };
                }
                !fails
            }
            FenceRole::Verify | FenceRole::Preflight => *effect > 0 && !half,
        };
        let moved = *effect - before;
        if half && *effect > 0 {
            let _half = self.half.insert(spot.clone());
        } else {
            let _whole = self.half.remove(&spot);
        }
        if matches!(role, FenceRole::Run | FenceRole::Undo) {
            self.deeds.push((role, spot.clone()));
        }
        let end = if succeeded {
            Ending::Succeeded
        } else {
            Ending::Exited { code: 1 }
        };
        Attempt::Running {
            spot,
            role,
            end,
            moved,
        }
    }

    /// What a survey finds: how often each step is in effect on each host.
    fn print(&self, survey: &Survey) -> Fingerprint {
        let hosts = survey.hosts.keys().map(|host| {
            let here = self.effects.iter().filter(|((_, at), _)| *at == **host);
            let facts = here
                .filter(|(_, times)| **times != 0)
                .map(|((step, _), times)| {
                    let fact = Fact::stable(Value::Text(times.to_string()));
                    (FactName::new("effect", step), fact)
                });
            let facts = HostFacts {
                facts: facts.collect(),
                layers: [("effect".to_owned(), LayerStatus::Ok)].into(),
            };
            (host.clone(), facts)
        });
        let environment = survey.environment.clone();
        Fingerprint::new(environment, self.now, &survey.asked, hosts.collect())
    }

    /// Whether a step is wholly in effect on a host.
    fn whole(&self, spot: &Spot) -> bool {
        self.effects.get(spot) == Some(&1) && !self.half.contains(spot)
    }

    /// The host forgot the command; whether it had done its work is the world's choice.
    fn forget(&mut self, spot: &Spot, role: FenceRole, moved: i32) {
        if self.memory == Memory::ForgetsUndone && matches!(role, FenceRole::Run | FenceRole::Undo)
        {
            *self.effects.entry(spot.clone()).or_default() -= moved;
            if let Some(last) = self
                .deeds
                .iter()
                .rposition(|deed| *deed == (role, spot.clone()))
            {
                let _undone = self.deeds.remove(last);
            }
        }
    }
}

/// One ledger, shared by drivers and people.
#[derive(Clone)]
pub struct Shared(pub Rc<RefCell<SqliteLog>>);

/// The world as one life of Baton sees it.
pub struct SimWorld {
    /// What survives it.
    pub outside: Rc<RefCell<Outside>>,
    /// The ledger, for people.
    pub log: Shared,
    /// The run.
    pub run: RunId,
    /// Steps that are safe to repeat.
    pub repeatable: BTreeSet<String>,
    mine: Vec<AttemptId>,
    surveying: Option<Survey>,
}

impl SimWorld {
    /// A new life in this world.
    pub fn new(
        outside: Rc<RefCell<Outside>>,
        log: Shared,
        run: RunId,
        repeatable: BTreeSet<String>,
    ) -> Self {
        Self {
            outside,
            log,
            run,
            repeatable,
            mine: Vec::new(),
            surveying: None,
        }
    }

    fn people_act(&mut self) -> Result<bool, Lost> {
        let lost = |error: &dyn std::error::Error| Lost(error.to_string());
        let read = self.outside.borrow_mut().read.take();
        let mut state = match read {
            Some(state) => state,
            None => fold(&mut self.log, &self.run).map_err(|error| lost(&error))?,
        };
        let news = self.log.read_run(&self.run, state.last(), usize::MAX);
        for entry in news.map_err(|error| lost(&error))? {
            state.apply(&entry).map_err(|error| lost(&error))?;
        }
        let answer = self.answer(&state);
        self.outside.borrow_mut().read = Some(state);
        let Some((by, event)) = answer else {
            return Ok(false);
        };
        let draft = Draft {
            at: self.now(),
            by,
            handoff: HandoffId::from("toy/2/prod"),
            run: Some(self.run.clone()),
            event,
        };
        let _told = self
            .log
            .append(vec![draft], None, None)
            .map_err(|error| lost(&error))?;
        Ok(true)
    }

    /// The honest answer of the first person who is asked.
    fn answer(&mut self, state: &State) -> Option<(Handle, Event)> {
        let waiting: Waiting = waits(state, self.now()).into_iter().next()?;
        let by = waiting.people.first()?.clone();
        let step = waiting.step.clone();
        let mut outside = self.outside.borrow_mut();
        let hosts = |step: &StepId| -> Vec<Spot> {
            let hosts = state
                .plan
                .step(step)
                .map(|step| step.hosts().cloned().collect::<Vec<_>>());
            hosts
                .into_iter()
                .flatten()
                .map(|h| (step.to_string(), h.to_string()))
                .collect()
        };
        let event = match waiting.ask {
            Ask::Do { .. } => {
                let step = step?;
                for spot in hosts(&step) {
                    *outside.effects.entry(spot.clone()).or_default() += 1;
                    outside.deeds.push((FenceRole::Run, spot));
                }
                Event::StepDone { step, host: None }
            }
            Ask::UndoByHand { .. } => {
                let (step, host) = (step?, waiting.hosts.first()?.clone());
                let spot = (step.to_string(), host.to_string());
                *outside.effects.entry(spot.clone()).or_default() -= 1;
                outside.deeds.push((FenceRole::Undo, spot));
                Event::StepDone {
                    step,
                    host: Some(host),
                }
            }
            Ask::SettleRun => {
                let (step, host) = (step?, waiting.hosts.first()?.clone());
                let spot = (step.to_string(), host.to_string());
                // On the way back the question is whether anything is there to undo.
                let any = state.leg == Leg::Back && outside.effects.get(&spot) == Some(&1);
                let there = any || outside.whole(&spot);
                let host = Some(host);
                if there {
                    Event::StepDone { step, host }
                } else {
                    Event::RetryCalled { step, host }
                }
            }
            Ask::SettleUndo => {
                let (step, host) = (step?, waiting.hosts.first()?.clone());
                let spot = (step.to_string(), host.to_string());
                let there = outside.effects.get(&spot) == Some(&1);
                let host = Some(host);
                if there {
                    Event::RetryCalled { step, host }
                } else {
                    Event::StepDone { step, host }
                }
            }
            Ask::Decide { .. } => Event::StopCalled { because: None },
            Ask::Approve { .. } => Event::StepApproved { step: step? },
            Ask::ExtendWindow => Event::WindowExtended { because: None },
            Ask::Resume { .. } => Event::Resumed,
            Ask::AcceptLive => Event::AcceptedLive,
        };
        Some((by, event))
    }
}

impl World for SimWorld {
    fn now(&mut self) -> Timestamp {
        self.outside.borrow().now
    }

    fn random(&mut self) -> u64 {
        let mut outside = self.outside.borrow_mut();
        outside.drawn += 1;
        outside.drawn
    }

    fn start(&mut self, order: &Order) -> Result<(), Lost> {
        let mut outside = self.outside.borrow_mut();
        let mut order = order.clone();
        if self.repeatable.contains(&order.env["BATON_STEP"]) {
            let _mark = order.env.insert("REPEATABLE".to_owned(), String::new());
        }
        if !matches!(outside.attempts.get(&order.attempt), Some(Attempt::Void)) {
            let running = outside.carry_out(&order);
            let twice = outside.attempts.insert(order.attempt.clone(), running);
            assert!(
                twice.is_none(),
                "attempt {} was started twice",
                order.attempt
            );
        }
        self.mine.push(order.attempt);
        Ok(())
    }

    fn adopt(&mut self, order: &Order) -> Result<Found, Lost> {
        let mut outside = self.outside.borrow_mut();
        let memory = outside.memory;
        match outside.attempts.remove(&order.attempt) {
            None | Some(Attempt::Void) => {
                let _void = outside
                    .attempts
                    .insert(order.attempt.clone(), Attempt::Void);
                Ok(Found::Never)
            }
            Some(Attempt::Running {
                spot, role, moved, ..
            }) if memory != Memory::Whole => {
                outside.forget(&spot, role, moved);
                let because = "the host forgot".to_owned();
                let end = Ending::Unknown { because };
                let _end = outside
                    .attempts
                    .insert(order.attempt.clone(), Attempt::Ended(end.clone()));
                Ok(Found::Ended(ended(&order.attempt, end)))
            }
            Some(running @ Attempt::Running { .. }) => {
                let _still = outside.attempts.insert(order.attempt.clone(), running);
                self.mine.push(order.attempt.clone());
                Ok(Found::Running)
            }
            Some(Attempt::Ended(end)) => {
                let _end = outside
                    .attempts
                    .insert(order.attempt.clone(), Attempt::Ended(end.clone()));
                Ok(Found::Ended(ended(&order.attempt, end)))
            }
        }
    }

    fn settled(&mut self, _attempt: &AttemptId) {}

    fn survey(&mut self, survey: Survey) -> Result<(), Lost> {
        self.surveying = Some(survey);
        Ok(())
    }

    fn probe(&mut self, _probes: &BTreeSet<Probe>) -> Result<(), Lost> {
        Ok(())
    }

    fn counted(&mut self) -> Result<BTreeMap<MeasureId, Sample>, Lost> {
        Ok(BTreeMap::new())
    }

    fn wait(&mut self, until: Option<Timestamp>) -> Result<Wake, Lost> {
        {
            let mut outside = self.outside.borrow_mut();
            outside.turns += 1;
            assert!(outside.turns < 2_000, "the run goes on for ever");
            if !self.mine.is_empty() {
                let n = self.mine.len() as u64;
                let pick = usize::try_from(outside.order % n).unwrap_or(0);
                outside.order /= n;
                let attempt = self.mine.remove(pick);
                let end = match outside.attempts.get(&attempt) {
                    Some(Attempt::Running { end, .. } | Attempt::Ended(end)) => end.clone(),
                    Some(Attempt::Void) | None => Ending::NotStarted {
                        because: "its place was closed".to_owned(),
                    },
                };
                let _end = outside
                    .attempts
                    .insert(attempt.clone(), Attempt::Ended(end.clone()));
                return Ok(Wake::Ended(ended(&attempt, end)));
            }
        }
        if let Some(survey) = self.surveying.take() {
            let print = self.outside.borrow().print(&survey);
            return Ok(Wake::Surveyed(Box::new(print)));
        }
        if self.people_act()? {
            return Ok(Wake::Stirred);
        }
        let until = until.expect("somebody or something is always waited for");
        let mut outside = self.outside.borrow_mut();
        outside.now = outside.now.max(until);
        Ok(Wake::Stirred)
    }
}

pub(crate) fn ended(attempt: &AttemptId, end: Ending) -> Ended {
    Ended {
        attempt: attempt.clone(),
        end,
        outputs: BTreeMap::new(),
        output: Vec::new(),
        took: Duration::default(),
    }
}

impl Log for Shared {
    fn append(
        &mut self,
        drafts: Vec<Draft>,
        expect: Option<Seq>,
        fence: Option<(&str, Epoch)>,
    ) -> Result<Vec<Entry>, StoreError> {
        self.0.borrow_mut().append(drafts, expect, fence)
    }

    fn head(&mut self) -> Result<(Seq, Digest), StoreError> {
        self.0.borrow_mut().head()
    }

    fn read(&mut self, after: Seq, most: usize) -> Result<Vec<Entry>, StoreError> {
        self.0.borrow_mut().read(after, most)
    }

    fn read_run(&mut self, run: &RunId, after: Seq, most: usize) -> Result<Vec<Entry>, StoreError> {
        self.0.borrow_mut().read_run(run, after, most)
    }

    fn read_bytes(&mut self, after: Seq, most: usize) -> Result<Vec<Vec<u8>>, StoreError> {
        self.0.borrow_mut().read_bytes(after, most)
    }

    fn lease(
        &mut self,
        name: &str,
        holder: &str,
        now: Timestamp,
        lasts: Duration,
        steal: bool,
    ) -> Result<Epoch, StoreError> {
        self.0.borrow_mut().lease(name, holder, now, lasts, steal)
    }

    fn renew(
        &mut self,
        name: &str,
        epoch: Epoch,
        now: Timestamp,
        lasts: Duration,
    ) -> Result<(), StoreError> {
        self.0.borrow_mut().renew(name, epoch, now, lasts)
    }

    fn release(&mut self, name: &str, epoch: Epoch) -> Result<(), StoreError> {
        self.0.borrow_mut().release(name, epoch)
    }

    fn leases(&mut self, prefix: &str, now: Timestamp) -> Result<Vec<Lease>, StoreError> {
        self.0.borrow_mut().leases(prefix, now)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<Digest, StoreError> {
        self.0.borrow_mut().put(bytes)
    }

    fn get(&mut self, digest: &Digest) -> Result<Option<Vec<u8>>, StoreError> {
        self.0.borrow_mut().get(digest)
    }

    fn remember(&mut self, key: &str, head: &Digest, bytes: &[u8]) -> Result<(), StoreError> {
        self.0.borrow_mut().remember(key, head, bytes)
    }

    fn recall(&mut self, key: &str) -> Result<Option<(Digest, Seq, Vec<u8>)>, StoreError> {
        self.0.borrow_mut().recall(key)
    }

    fn changed(&mut self) -> Result<u64, StoreError> {
        self.0.borrow_mut().changed()
    }
}
