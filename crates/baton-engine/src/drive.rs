//! The loop that drives one run.
//!
//! ```text
//! next(state)            what the core chooses, from durable state alone
//!   Record, Begin        staged: applied here, durable before anything is done
//!   Adopt, Look          find out; staged as a fact
//!   Start, Survey        flush what is staged, then act
//!   Wait                 flush, then wait for an outcome, a person or the clock
//! outcome                staged as a fact; with what follows from it, and with
//!                        other outcomes that are there, one flush
//! ```
//!
//! The driver keeps nothing that the ledger does not have, but for outcomes it
//! has just seen: when somebody else appended meanwhile, it folds the run again
//! and stages those facts anew; what it had chosen, it chooses again. On
//! [`Lost`] it returns and forgets; whoever takes the lease goes on.

mod fold;
mod past;
mod roll;

use std::collections::BTreeSet;

use baton_core::event::{Event, Outcome};
use baton_core::id::{AttemptId, Digest, Epoch, Handle, HandoffId, RunId, Seq, StepId};
use baton_core::ledger::canon::BATON;
use baton_core::ledger::clock::{ClockWentBack, believe};
use baton_core::ledger::{Draft, Entry};
use baton_core::parity::{Fingerprint, Mark, RoundTrip};
use baton_core::run::order::{lease_name, order};
use baton_core::run::state::Mode;
use baton_core::run::survey::survey;
use baton_core::run::{Illegal, Next, State, next};
use baton_core::time::Duration;
use baton_store::{Log, StoreError};
use jiff::Timestamp;

use crate::world::{Ended, Found, Lost, Wake, World};
use fold::fold_past;
pub use fold::{fold, plan};
use past::Past;
use roll::Roll;

/// How long a driver's lease lasts unless renewed: long enough for a slow disk,
/// short enough that nobody waits long for a dead one on another machine.
pub const LEASE: Duration = Duration::from_secs(20);

/// How many entries are read at a time.
const PAGE: usize = 10_000;

/// Why a driver returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Halted {
    /// The run is over.
    Ended(Outcome),
    /// The run is frozen until a named person decides.
    Frozen,
    /// The person at the terminal paused it, and nothing is under way.
    Paused,
    /// The person at the terminal left; commands under way go on.
    Left,
}

/// Why a driver could not go on.
#[derive(Debug, thiserror::Error)]
pub enum DriveError {
    /// The store said no.
    #[error("cannot use the ledger")]
    Store(#[from] StoreError),
    /// The world was lost from sight.
    #[error(transparent)]
    Lost(#[from] Lost),
    /// The clock cannot be believed.
    #[error(transparent)]
    Clock(#[from] ClockWentBack),
    /// The ledger has no such run.
    #[error("the ledger has no run {0}")]
    NoRun(RunId),
    /// The run was made by a Baton that this one does not understand, or its plan is gone.
    #[error("cannot read the plan of {run}: {why}")]
    Plan {
        /// The run.
        run: RunId,
        /// Why.
        why: String,
    },
    /// The ledger holds what cannot be; a bug of ours, or a ledger written by hand.
    #[error("entry {seq} of {run} is not legal where it stands")]
    Illegal {
        /// The run.
        run: RunId,
        /// The entry.
        seq: Seq,
        /// Why not.
        #[source]
        why: Illegal,
    },
}

/// Something staged: applied to the state in memory, not yet durable.
struct Staged {
    draft: Draft,
    /// Seen in the world, not chosen: it survives a fold of the run anew.
    fact: bool,
}

/// Drives one run until it halts.
pub struct Driver<'a, L, W> {
    log: &'a mut L,
    world: &'a mut W,
    /// Told of every entry of the run once it is durable.
    observer: &'a mut dyn FnMut(&Entry, &State),
    run: RunId,
    handoff: HandoffId,
    me: Handle,
    lease: String,
    epoch: Epoch,
    renewed: Timestamp,
    /// The latest moment that this driver has seen.
    latest: Timestamp,
    state: State,
    head: Seq,
    seen: u64,
    staged: Vec<Staged>,
    begun: BTreeSet<AttemptId>,
    /// The fingerprint that is being taken.
    surveying: Option<Mark>,
    past: Past,
    roll: Roll,
    leaving: bool,
}

impl<'a, L: Log, W: World> Driver<'a, L, W> {
    /// Takes the run's lease and folds the run. `me` is the person at the
    /// terminal, `holder` says for others who and where; `steal` takes the
    /// lease from a holder that is known to be gone.
    ///
    /// # Errors
    /// [`StoreError::Held`] when another driver holds the run; else as [`fold`].
    pub fn take(
        log: &'a mut L,
        world: &'a mut W,
        observer: &'a mut dyn FnMut(&Entry, &State),
        run: &RunId,
        me: &Handle,
        holder: &str,
        steal: bool,
    ) -> Result<Self, DriveError> {
        Self::take_telling(log, world, observer, run, me, holder, steal, &mut |_| ())
    }

    /// The same; `told` hears of every entry that was there before, once.
    ///
    /// # Errors
    /// As [`take`](Self::take).
    #[expect(
        clippy::too_many_arguments,
        reason = "one more than `take`, which says what each is"
    )]
    pub fn take_telling(
        log: &'a mut L,
        world: &'a mut W,
        observer: &'a mut dyn FnMut(&Entry, &State),
        run: &RunId,
        me: &Handle,
        holder: &str,
        steal: bool,
        told: &mut dyn FnMut(&Entry),
    ) -> Result<Self, DriveError> {
        let lease = lease_name(run);
        let now = world.now();
        let epoch = log.lease(&lease, holder, now, LEASE, steal)?;
        let seen = log.changed()?;
        let (head, _) = log.head()?;
        let mut past = Past::default();
        let state = fold_past(log, run, &mut past, told)?;
        past.settle(world);
        let handoff = state.plan.handoff.clone();
        let mut driver = Self {
            log,
            world,
            observer,
            run: run.clone(),
            handoff,
            me: me.clone(),
            lease,
            epoch,
            renewed: now,
            latest: now,
            state,
            head,
            seen,
            staged: Vec::new(),
            begun: BTreeSet::new(),
            surveying: None,
            past,
            roll: Roll::default(),
            leaving: false,
        };
        if driver.state.ended().is_none() {
            let took = Event::DriverTook {
                epoch,
                holder: holder.to_owned(),
            };
            driver.stage(took, BATON, false)?;
        }
        Ok(driver)
    }

    /// Drives until the run is over, frozen, or left.
    ///
    /// # Errors
    /// [`DriveError`]; the run can be taken again after any of them.
    pub fn drive(mut self) -> Result<(Halted, State), DriveError> {
        loop {
            let now = self.world.now();
            believe(self.latest, now)?;
            self.latest = self.latest.max(now);
            self.call_roll(now)?;
            let next = next(&self.state, &self.begun, now);
            if self.joined(&next)? {
                continue;
            }
            match next {
                // What commands left goes before the run is over: nobody comes after.
                Next::Record(event @ Event::RunEnded { .. }) => {
                    if self.flush()? {
                        self.past.settle(self.world);
                        self.stage(event, BATON, false)?;
                    }
                }
                Next::Record(Event::WatchBegan { step, stage, .. }) => self.learn(step, stage)?,
                Next::Record(event) => self.stage(event, BATON, false)?,
                Next::Begin { step, host, role } => {
                    let attempt = AttemptId::made(now, self.world.random());
                    let epoch = self.epoch;
                    let event = Event::AttemptStarted {
                        attempt,
                        step,
                        host,
                        role,
                        epoch,
                    };
                    self.stage(event, BATON, false)?;
                }
                Next::Start(attempt) => {
                    if self.flush()? {
                        self.start(&attempt)?;
                    }
                }
                // Nothing has to be written first: whoever looks again finds the same.
                Next::Adopt(attempt) => {
                    self.renew()?;
                    self.adopt(&attempt)?;
                }
                Next::Look => self.look()?,
                Next::Survey(mark) => {
                    if self.flush()? {
                        self.survey(mark)?;
                        if let Some(halted) = self.wait(None)? {
                            return self.halt(halted);
                        }
                    }
                }
                Next::Wait(until) => {
                    if self.flush()?
                        && let Some(halted) = self.wait(until)?
                    {
                        return self.halt(halted);
                    }
                }
                Next::Halt => {
                    if self.flush()? {
                        let halted = match &self.state.mode {
                            Mode::Ended { outcome, .. } => Halted::Ended(*outcome),
                            Mode::Frozen { .. } | Mode::Going => Halted::Frozen,
                        };
                        return self.halt(halted);
                    }
                }
            }
        }
    }

    /// What follows from who is in the room is a fact like any other.
    fn call_roll(&mut self, now: Timestamp) -> Result<(), DriveError> {
        for event in self.roll.call(self.log, &self.state, now)? {
            self.stage(event, BATON, true)?;
        }
        Ok(())
    }

    /// Before anything is written, whatever else has ended joins it.
    fn joined(&mut self, next: &Next) -> Result<bool, DriveError> {
        if self.staged.is_empty() || !matches!(next, Next::Start(_) | Next::Wait(_)) {
            return Ok(false);
        }
        let Some(ended) = self.world.more() else {
            return Ok(false);
        };
        self.ended(ended)?;
        Ok(true)
    }

    fn halt(mut self, halted: Halted) -> Result<(Halted, State), DriveError> {
        self.past.settle(self.world);
        self.log.release(&self.lease, self.epoch)?;
        Ok((halted, self.state))
    }

    /// Applies an event in memory; it becomes durable with the next flush.
    fn stage(&mut self, event: Event, by: &str, fact: bool) -> Result<(), DriveError> {
        let draft = Draft {
            at: self.world.now(),
            by: Handle::from(by),
            handoff: self.handoff.clone(),
            run: Some(self.run.clone()),
            event,
        };
        self.apply(&draft).map_err(|why| self.illegal(why))?;
        self.staged.push(Staged { draft, fact });
        Ok(())
    }

    /// Applies a draft as the entry it will be: its place is known, because the
    /// append expects this very head.
    fn apply(&mut self, draft: &Draft) -> Result<(), Illegal> {
        draft.reads_back().map_err(Illegal)?;
        let seq = Seq(self.head.0 + self.staged.len() as u64 + 1);
        let prev = baton_core::ledger::canon::genesis();
        self.state.apply(&Entry::seal(draft.clone(), seq, prev))
    }

    fn illegal(&self, why: Illegal) -> DriveError {
        DriveError::Illegal {
            run: self.run.clone(),
            seq: Seq(self.head.0 + 1),
            why,
        }
    }

    /// Makes what is staged durable, in one append. `false`: somebody else
    /// appended meanwhile, so the state is new and has to be asked again.
    fn flush(&mut self) -> Result<bool, DriveError> {
        self.renew()?;
        if self.staged.is_empty() {
            return self.catch_up();
        }
        let drafts = self
            .staged
            .iter()
            .map(|staged| staged.draft.clone())
            .collect();
        match self
            .log
            .append(drafts, Some(self.head), Some((&self.lease, self.epoch)))
        {
            Ok(entries) => {
                self.head = entries.last().map_or(self.head, |entry| entry.seq);
                self.staged.clear();
                for entry in &entries {
                    self.past.see(entry, None);
                    (self.observer)(entry, &self.state);
                }
                Ok(true)
            }
            Err(StoreError::Conflict { .. }) => {
                self.refold()?;
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Takes in what others appended since. `false` when that was something of this run.
    fn catch_up(&mut self) -> Result<bool, DriveError> {
        let changed = self.log.changed()?;
        if changed == self.seen {
            return Ok(true);
        }
        self.seen = changed;
        let mut same = true;
        loop {
            let page = self.log.read(self.head, PAGE)?;
            let Some(last) = page.last() else {
                return Ok(same);
            };
            self.head = last.seq;
            // What came between the head and the fold of the run is in the state already.
            let known = self.state.last();
            for entry in page
                .iter()
                .filter(|entry| entry.run.as_ref() == Some(&self.run) && entry.seq > known)
            {
                same = false;
                self.state.apply(entry).map_err(|why| DriveError::Illegal {
                    run: self.run.clone(),
                    seq: entry.seq,
                    why,
                })?;
                (self.observer)(entry, &self.state);
            }
            self.still_mine()?;
        }
    }

    /// A driver that was taken over while it was slow does nothing more: what
    /// the ledger says is about to start is the other one's to start.
    fn still_mine(&self) -> Result<(), DriveError> {
        if self.state.epoch > self.epoch {
            return Err(StoreError::Fenced.into());
        }
        Ok(())
    }

    /// Folds the run anew, and stages again the facts that were not yet durable.
    fn refold(&mut self) -> Result<(), DriveError> {
        let before = self.head;
        let staged = std::mem::take(&mut self.staged);
        self.seen = self.log.changed()?;
        self.head = self.log.head()?.0;
        self.state = fold(self.log, &self.run)?;
        self.still_mine()?;
        let known = self.state.last();
        let others = self.log.read_run(&self.run, before, PAGE)?;
        for entry in others.iter().filter(|entry| entry.seq <= known) {
            (self.observer)(entry, &self.state);
        }
        let took = staged
            .iter()
            .any(|s| matches!(s.draft.event, Event::DriverTook { .. }));
        for Staged { draft, fact } in staged {
            let mine = took && matches!(draft.event, Event::DriverTook { .. });
            // A fact that no longer fits was overtaken by a person's word, which wins.
            if (fact || mine) && self.apply(&draft).is_ok() {
                self.staged.push(Staged { draft, fact });
            }
        }
        Ok(())
    }

    fn renew(&mut self) -> Result<(), DriveError> {
        let now = self.world.now();
        if Duration::between(self.renewed, now).as_millis() * 3 >= LEASE.as_millis() {
            self.log.renew(&self.lease, self.epoch, now, LEASE)?;
            self.renewed = now;
        }
        Ok(())
    }

    fn start(&mut self, attempt: &AttemptId) -> Result<(), DriveError> {
        let order = self.order(attempt)?;
        self.world.start(&order)?;
        let _new = self.begun.insert(attempt.clone());
        Ok(())
    }

    fn adopt(&mut self, attempt: &AttemptId) -> Result<(), DriveError> {
        let order = self.order(attempt)?;
        match self.world.adopt(&order)? {
            Found::Never => {
                let attempt = attempt.clone();
                self.past.closes(&attempt, &self.state);
                self.stage(Event::AttemptVoided { attempt }, BATON, true)
            }
            Found::Running => {
                let _new = self.begun.insert(attempt.clone());
                Ok(())
            }
            Found::Ended(ended) => self.ended(ended),
        }
    }

    fn order(&self, attempt: &AttemptId) -> Result<baton_core::run::order::Order, DriveError> {
        order(&self.state, attempt)
            .ok_or_else(|| self.illegal(Illegal(format!("{attempt} has nothing to run"))))
    }

    fn ended(&mut self, ended: Ended) -> Result<(), DriveError> {
        let Ended {
            attempt,
            end,
            outputs,
            output,
            took,
        } = ended;
        if self.state.attempt(&attempt).is_none() {
            return Ok(());
        }
        let output = if output.is_empty() {
            None
        } else {
            Some(self.log.put(&output)?)
        };
        let event = Event::AttemptEnded {
            attempt,
            end,
            outputs,
            output,
            took,
        };
        self.stage(event, BATON, true)
    }

    /// Has the environment read, once.
    fn survey(&mut self, mark: Mark) -> Result<(), DriveError> {
        if self.surveying == Some(mark) {
            return Ok(());
        }
        let (contract, environment) = (&self.state.plan.contract, &self.state.plan.environment);
        let asked = self.state.surveyed().unwrap_or_default();
        let survey = survey(contract, environment, asked).ok_or_else(|| {
            self.illegal(Illegal(format!("there is no environment {environment}")))
        })?;
        self.world.survey(survey)?;
        self.surveying = Some(mark);
        Ok(())
    }

    /// Keeps a fingerprint, and with the last of the three says what they say.
    fn surveyed(&mut self, print: &Fingerprint) -> Result<(), DriveError> {
        let Some(mark) = self.surveying.take() else {
            return Ok(());
        };
        let blob = self.log.put(&print.to_bytes())?;
        let event = Event::Fingerprinted {
            environment: self.state.terms.environment.clone(),
            definition: self.state.terms.definition.clone(),
            collectors: print.asked.clone(),
            fingerprint: blob,
            mark: Some(mark),
        };
        self.stage(event, BATON, true)?;
        let prints = &self.state.prints;
        let all = [Mark::Before, Mark::Forward, Mark::Back].map(|mark| prints.get(&mark).cloned());
        let [Some(before), Some(forward), Some(back)] = all else {
            return Ok(());
        };
        let (was, then) = (self.print(&before)?, self.print(&forward)?);
        let trip = RoundTrip::of((&before, &was), (&forward, &then), (&back, print));
        self.stage(Event::RoundTrip(trip), BATON, true)
    }

    fn print(&mut self, blob: &Digest) -> Result<Fingerprint, DriveError> {
        let bytes = self.log.get(blob)?.unwrap_or_default();
        Fingerprint::from_bytes(bytes).ok_or_else(|| {
            let why = "a fingerprint of this run cannot be read".to_owned();
            self.illegal(Illegal(why))
        })
    }

    /// Begins a watch with what the time before teaches.
    fn learn(&mut self, step: Option<StepId>, stage: u32) -> Result<(), DriveError> {
        // What was staged before is written first: learning takes seconds.
        if !self.flush()? {
            return Ok(());
        }
        let ahead = self.state.ahead(step.as_ref());
        let learned = ahead.map(|ahead| self.world.learn(&ahead));
        let event = Event::WatchBegan {
            step,
            stage,
            learned: learned.unwrap_or_default(),
        };
        self.stage(event, BATON, false)
    }

    fn look(&mut self) -> Result<(), DriveError> {
        let samples = self.world.counted()?;
        match self.state.verdict_on(&samples) {
            Some(verdict) => self.stage(Event::Judged { samples, verdict }, BATON, true),
            None => Ok(()),
        }
    }

    fn wait(&mut self, until: Option<Timestamp>) -> Result<Option<Halted>, DriveError> {
        if self.leaving && self.state.active().next().is_none() {
            return Ok(Some(Halted::Paused));
        }
        // Now that the next commands are under way there is time for it.
        self.past.settle(self.world);
        self.world.probe(&self.state.probes())?;
        match self.world.wait(self.roll.until(&self.state, until))? {
            Wake::Ended(ended) => self.ended(ended)?,
            Wake::Surveyed(print) => self.surveyed(&print)?,
            Wake::Stirred => {}
            Wake::Interrupted(1) => {
                self.leaving = true;
                if self.state.paused.is_none() {
                    let because = Some("interrupted at the terminal".to_owned());
                    let me = self.me.clone();
                    self.stage(Event::Paused { because }, &me, false)?;
                }
            }
            Wake::Interrupted(_) => return Ok(Some(Halted::Left)),
        }
        Ok(None)
    }
}
