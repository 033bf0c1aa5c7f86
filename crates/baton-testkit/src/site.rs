//! Where a simulated run takes place: one real ledger in SQLite, one outside
//! world, and what everybody who touches them goes through.
//!
//! A driver is given [`Site`] as its ledger and [`SimWorld`] as its world, both
//! [`Hooked`](crate::hook::Hooked).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use baton_core::event::Event;
use baton_core::handoff::plan::Plan;
use baton_core::id::{AttemptId, Epoch, MeasureId, RunId, Seq};
use baton_core::ledger::chain::Walker;
use baton_core::ledger::{Draft, Entry};
use baton_core::run::State;
use baton_core::run::order::Order;
use baton_core::run::state::Probe;
use baton_core::run::survey::Survey;
use baton_core::watch::Sample;
use baton_engine::world::{Ended, Found, Lost, Wake, World};
use baton_store::{Image, Log as _, SqliteLog, StoreError};
use jiff::Timestamp;

use crate::bugs::{self, Bug};
use crate::choice::Choices;
use crate::history::{History, Print};
use crate::hook::Place;
use crate::plans::Kind;
use crate::sim::{Memory, Outside};

/// What does not change in a run.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) kinds: Vec<Kind>,
    pub(crate) plan: Arc<Plan>,
    pub(crate) run: RunId,
    pub(crate) memory: Memory,
    pub(crate) slow: bool,
    pub(crate) together: bool,
    pub(crate) bug: Option<Bug>,
}

impl Setup {
    fn is_slow(&self) -> bool {
        let late = [Some(Bug::ClosedIsOpened), Some(Bug::ClosedIsForgotten)];
        self.slow || late.contains(&self.bug)
    }
}

/// Ledger and world.
pub struct Ground {
    pub(crate) log: SqliteLog,
    /// What the ledger held when it was last looked at for a [`Moment`].
    image: Image,
    /// The moment before the last append, where that is not yet durable.
    behind: Option<(Image, History)>,
    pub(crate) setup: Arc<Setup>,
    pub(crate) history: History,
    pub(crate) outside: Outside,
    pub(crate) choices: Choices,
    /// The epoch that was given last.
    latest: Epoch,
    /// How often this life has waited, and how often it may.
    turns: (usize, usize),
    read: Option<State>,
    /// Whether an old driver may still be there, who waits for what is over.
    pub(crate) overlapping: bool,
    /// The chain that was walked last, entry by entry.
    pub(crate) walked: Vec<(Walker, Vec<u8>)>,
}

/// Everything that survives a crash, to go back to it.
#[derive(Clone, Debug)]
pub(crate) struct Moment {
    image: Image,
    history: History,
    outside: Outside,
    latest: Epoch,
}

impl Ground {
    pub(crate) fn new(setup: Setup, outside: Outside) -> Self {
        let cells: usize = setup.kinds.iter().map(|kind| usize::from(kind.hosts)).sum();
        let words = usize::from(outside.words);
        Self {
            log: SqliteLog::memory().expect("memory is there"),
            image: Image::default(),
            behind: None,
            setup: Arc::new(setup),
            history: History::default(),
            outside,
            choices: Choices::default(),
            latest: Epoch(0),
            turns: (0, 40 + 40 * (cells + words)),
            read: None,
            overlapping: false,
            walked: Vec::new(),
        }
    }

    /// What would survive a crash now.
    pub(crate) fn moment(&mut self) -> Moment {
        let (image, history) = self.behind.clone().unwrap_or_else(|| {
            self.image = self.log.image(&self.image).expect("memory is there");
            (self.image.clone(), self.history.clone())
        });
        Moment {
            image,
            history,
            outside: self.outside.clone(),
            latest: self.latest,
        }
    }

    /// Goes on from a moment: a new life, with new choices.
    pub(crate) fn go_back(&mut self, moment: &Moment, choices: Choices) {
        self.log.restore(&moment.image).expect("memory is there");
        self.image = moment.image.clone();
        self.history = moment.history.clone();
        self.outside = moment.outside.clone();
        (self.latest, self.choices) = (moment.latest, choices);
        self.new_life();
    }

    /// What is lost with a driver that crashes here.
    pub(crate) fn crash(&mut self) {
        if let Some((image, history)) = self.behind.take() {
            self.log.restore(&image).expect("memory is there");
            (self.image, self.history) = (image, history);
        }
        self.new_life();
    }

    /// A new life begins with what is there.
    pub(crate) fn new_life(&mut self) {
        self.turns.0 = 0;
        (self.read, self.behind) = (None, None);
    }

    /// A print of everything that decides what can happen next.
    pub(crate) fn print(&self) -> u64 {
        let mut print = Print::default();
        let history = self.behind.as_ref().map_or(&self.history, |(_, old)| old);
        history.print(&mut print);
        self.outside.print(history, &mut print);
        print.finish()
    }

    /// The state of the run, folded from all entries.
    pub(crate) fn state(&mut self) -> Result<State, Lost> {
        let folded = match self.read.take() {
            Some(mut state) => {
                let news = self
                    .history
                    .entries()
                    .filter(|entry| entry.seq > state.last());
                let news: Vec<&Entry> = news.collect();
                news.into_iter()
                    .try_for_each(|entry| state.apply(entry))
                    .map(|()| state)
            }
            None => fold(&self.setup.plan, &self.history),
        };
        match folded {
            Ok(state) => {
                self.read = Some(state.clone());
                Ok(state)
            }
            Err(why) => {
                self.outside.accuse(|| why.to_string());
                Err(Lost(why.to_string()))
            }
        }
    }

    /// Appends in anybody's name.
    pub(crate) fn log_append(
        &mut self,
        drafts: Vec<Draft>,
        expect: Option<Seq>,
        fence: Option<(&str, Epoch)>,
    ) -> Result<Vec<Entry>, StoreError> {
        if self.setup.bug == Some(Bug::ActsBeforeIntent) {
            self.behind = None;
            let before = self.moment();
            self.behind = Some((before.image, before.history));
        }
        let entries = self.log.append(drafts, expect, fence)?;
        for entry in &entries {
            self.see(entry);
        }
        Ok(entries)
    }

    fn see(&mut self, entry: &Entry) {
        if let Event::AttemptStarted { epoch, step, .. } = &entry.event {
            for (id, begun) in self.history.active() {
                if begun.epoch < *epoch && !self.outside.was_looked_for(id, *epoch) {
                    self.outside.accuse(|| {
                        let spot = begun.spot;
                        format!("{step} began before the old command of {spot:?} was found")
                    });
                }
            }
        }
        self.history.push(entry);
    }

    fn driver_appends(
        &mut self,
        drafts: Vec<Draft>,
        expect: Option<Seq>,
        fence: Option<(&str, Epoch)>,
    ) -> Result<Vec<Entry>, StoreError> {
        self.people_may_speak()
            .map_err(|lost| StoreError::Lost(lost.0.into()))?;
        let entries = match self.setup.bug {
            Some(Bug::FenceIsIgnored) => self.log_append(drafts, expect, None),
            Some(bug) => self.log_append(bug.drafts(drafts), expect, fence),
            None => self.log_append(drafts, expect, fence),
        }?;
        if fence.is_some_and(|(_, epoch)| epoch != self.latest) {
            self.outside
                .accuse(|| "a fenced driver appended".to_owned());
        }
        Ok(entries)
    }

    fn start(&mut self, order: &Order) {
        let setup = self.setup.clone();
        let slow = setup.is_slow();
        let mut order = order.clone();
        if setup.bug == Some(Bug::UndoesForward) && order.fence.body == "undo" {
            let asked = crate::sim::Spot::of(&order.env["BATON_STEP"], &order.env["BATON_HOST"]);
            let spot = bugs::forward(&self.outside.effects, asked);
            order.env.extend([
                ("BATON_STEP".to_owned(), format!("s{}", spot.step)),
                ("BATON_HOST".to_owned(), format!("h{}", spot.host)),
            ]);
        }
        self.outside.start(&setup.kinds, &order, slow);
    }

    fn adopt(&mut self, attempt: &AttemptId) -> Found {
        // What was handed over late may have begun just before it is looked for.
        if self.outside.is_late(attempt) && self.choices.choose(2) == 1 {
            let honours = self.setup.bug != Some(Bug::ClosedIsOpened);
            let setup = self.setup.clone();
            self.outside.begin_late(&setup.kinds, honours);
        }
        let (memory, latest) = (self.setup.memory, self.latest);
        let found = self
            .outside
            .adopt(attempt, memory, latest, &mut self.choices);
        match self.setup.bug {
            Some(bug) => bug.found(attempt, self.history.active().get(attempt), found),
            None => found,
        }
    }

    /// Of commands that have begun and may end together, one that has ended.
    fn more(&mut self, mine: &mut Mine) -> Option<Ended> {
        if !self.setup.together {
            return None;
        }
        let commands = &mut mine.commands;
        let begun = (0..commands.len()).filter(|i| !self.outside.is_late(&commands[*i]));
        let begun: Vec<usize> = begun.collect();
        let way = self.choices.choose(begun.len() + 1).checked_sub(1)?;
        Some(self.report(&commands.remove(begun[way])))
    }

    /// How a command ended.
    fn report(&mut self, attempt: &AttemptId) -> Ended {
        let ended = self.outside.report(attempt);
        if self.setup.bug == Some(Bug::EndIsForgotten) {
            self.outside.settled(attempt);
        }
        ended
    }

    fn wait(&mut self, mine: &mut Mine, until: Option<Timestamp>) -> Result<Wake, Lost> {
        self.turns.0 += 1;
        if self.turns.0 > self.turns.1 {
            let why = "the run goes on for ever";
            self.outside.accuse(|| why.to_owned());
            return Err(Lost(why.to_owned()));
        }
        let setup = self.setup.clone();
        let honours = setup.bug != Some(Bug::ClosedIsOpened);
        self.outside.begin_late(&setup.kinds, honours);
        if self.people_may_speak()? {
            return Ok(Wake::Stirred);
        }
        let commands = &mut mine.commands;
        if !commands.is_empty() {
            let attempt = commands.remove(self.choices.choose(commands.len()));
            return Ok(Wake::Ended(self.report(&attempt)));
        }
        if let Some(survey) = mine.surveying.take() {
            return Ok(Wake::Surveyed(Box::new(self.outside.survey(&survey))));
        }
        if self.people_answer()? {
            return Ok(Wake::Stirred);
        }
        if self.overlapping && until.is_none() {
            return Ok(Wake::Stirred);
        }
        let Some(until) = until else {
            let why = "nobody and nothing is waited for";
            self.outside.accuse(|| why.to_owned());
            return Err(Lost(why.to_owned()));
        };
        self.outside.now = self.outside.now.max(until);
        Ok(Wake::Stirred)
    }
}

/// The state after these entries.
pub(crate) fn fold(plan: &Arc<Plan>, history: &History) -> Result<State, baton_core::run::Illegal> {
    let mut entries = history.entries();
    let first = entries.next().expect("the run was opened");
    let mut state = State::open(plan.clone(), first)?;
    entries.try_for_each(|entry| state.apply(entry))?;
    Ok(state)
}

/// Where a run takes place, shared by all who take part.
#[derive(Clone)]
pub struct Site(Arc<Mutex<Ground>>);

impl Site {
    pub(crate) fn new(ground: Ground) -> Self {
        Self(Arc::new(Mutex::new(ground)))
    }

    /// Nobody holds it for longer than one effect.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Ground> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place for Site {
    type Log = SqliteLog;

    fn with<T>(&mut self, act: impl FnOnce(&mut SqliteLog) -> T) -> T {
        act(&mut self.lock().log)
    }

    fn append(
        &mut self,
        drafts: Vec<Draft>,
        expect: Option<Seq>,
        fence: Option<(&str, Epoch)>,
    ) -> Result<Vec<Entry>, StoreError> {
        self.lock().driver_appends(drafts, expect, fence)
    }

    fn granted(&mut self, epoch: Epoch) -> Epoch {
        let mut ground = self.lock();
        ground.latest = epoch;
        ground.setup.bug.map_or(epoch, |bug| bug.epoch(epoch))
    }

    fn seen(&mut self, entries: Vec<Entry>) -> Vec<Entry> {
        match self.lock().setup.bug {
            Some(bug) => bug.read(entries),
            None => entries,
        }
    }
}

/// The world as one driver sees it.
pub struct SimWorld {
    site: Site,
    mine: Mine,
}

/// What one life waits for.
#[derive(Default)]
struct Mine {
    commands: Vec<AttemptId>,
    surveying: Option<Survey>,
}

impl SimWorld {
    /// A new life on this site.
    pub fn new(site: &Site) -> Self {
        Self {
            site: site.clone(),
            mine: Mine::default(),
        }
    }
}

impl World for SimWorld {
    fn now(&mut self) -> Timestamp {
        self.site.lock().outside.now
    }

    fn random(&mut self) -> u64 {
        let mut ground = self.site.lock();
        ground.outside.drawn += 1;
        ground.outside.drawn
    }

    fn start(&mut self, order: &Order) -> Result<(), Lost> {
        self.site.lock().start(order);
        self.mine.commands.push(order.attempt.clone());
        Ok(())
    }

    fn adopt(&mut self, order: &Order) -> Result<Found, Lost> {
        let mut ground = self.site.lock();
        let found = ground.adopt(&order.attempt);
        if found == Found::Running && ground.setup.bug != Some(Bug::RunningIsForgotten) {
            self.mine.commands.push(order.attempt.clone());
        }
        Ok(found)
    }

    fn settled(&mut self, attempt: &AttemptId) {
        self.site.lock().outside.settled(attempt);
    }

    fn gone(&mut self, _holder: &str) -> bool {
        let ground = self.site.lock();
        // In a slow world something of a dead driver may still be on its way.
        let gone = !ground.overlapping && !ground.setup.is_slow();
        gone || ground.setup.bug == Some(Bug::ClosedIsForgotten)
    }

    fn more(&mut self) -> Option<Ended> {
        self.site.lock().more(&mut self.mine)
    }

    fn survey(&mut self, survey: Survey) -> Result<(), Lost> {
        self.mine.surveying = Some(survey);
        Ok(())
    }

    fn probe(&mut self, _probes: &BTreeSet<Probe>) -> Result<(), Lost> {
        Ok(())
    }

    fn counted(&mut self) -> Result<BTreeMap<MeasureId, Sample>, Lost> {
        Ok(BTreeMap::new())
    }

    fn wait(&mut self, until: Option<Timestamp>) -> Result<Wake, Lost> {
        self.site.lock().wait(&mut self.mine, until)
    }
}
