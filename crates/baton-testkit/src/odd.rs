//! Odd worlds for the explorer: a slow one, in which everything must hold as in
//! any other, and wrong ones, in which it must find what is wrong.

use std::collections::{BTreeMap, BTreeSet};

use baton_core::event::Ending;
use baton_core::id::{AttemptId, MeasureId};
use baton_core::run::order::Order;
use baton_core::run::state::Probe;
use baton_core::run::survey::Survey;
use baton_core::watch::Sample;
use baton_engine::world::{Found, Lost, Wake, World};
use jiff::Timestamp;

use crate::sim::{SimWorld, ended};

/// A world in which what is handed over begins late: maybe after its driver has
/// died and another one has closed its place.
pub struct Slow {
    /// The world behind it.
    pub inner: SimWorld,
    /// Whether a closed place is honoured. A world that does not is wrong.
    pub honours: bool,
}

impl Slow {
    fn begin_late(&mut self) -> Result<(), Lost> {
        let late = std::mem::take(&mut self.inner.outside.borrow_mut().late);
        for order in late {
            if !self.honours {
                self.inner.outside.borrow_mut().reopen(&order.attempt);
            }
            self.inner.start(&order)?;
        }
        Ok(())
    }
}

impl World for Slow {
    fn now(&mut self) -> Timestamp {
        self.inner.now()
    }

    fn random(&mut self) -> u64 {
        self.inner.random()
    }

    fn start(&mut self, order: &Order) -> Result<(), Lost> {
        self.inner.outside.borrow_mut().late.push(order.clone());
        Ok(())
    }

    fn adopt(&mut self, order: &Order) -> Result<Found, Lost> {
        self.inner.adopt(order)
    }

    fn settled(&mut self, attempt: &AttemptId) {
        self.inner.settled(attempt);
    }

    fn survey(&mut self, survey: Survey) -> Result<(), Lost> {
        self.inner.survey(survey)
    }

    fn probe(&mut self, probes: &BTreeSet<Probe>) -> Result<(), Lost> {
        self.inner.probe(probes)
    }

    fn counted(&mut self) -> Result<BTreeMap<MeasureId, Sample>, Lost> {
        self.inner.counted()
    }

    fn wait(&mut self, until: Option<Timestamp>) -> Result<Wake, Lost> {
        self.begin_late()?;
        self.inner.wait(until)
    }
}

/// The classic mistakes about a command whose driver died.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// What is still running is said to have never started.
    RunningIsNever,
    /// What nobody knows is said to have failed.
    UnknownIsFailed,
}

/// A world that makes a mistake, so that the explorer has something to find.
pub struct Mistaken {
    /// The world behind it.
    pub inner: SimWorld,
    /// Which.
    pub mistake: Mistake,
}

impl World for Mistaken {
    fn now(&mut self) -> Timestamp {
        self.inner.now()
    }

    fn random(&mut self) -> u64 {
        self.inner.random()
    }

    fn start(&mut self, order: &Order) -> Result<(), Lost> {
        self.inner.start(order)
    }

    fn adopt(&mut self, order: &Order) -> Result<Found, Lost> {
        Ok(match (self.mistake, self.inner.adopt(order)?) {
            (Mistake::RunningIsNever, Found::Running) => Found::Never,
            (Mistake::UnknownIsFailed, Found::Ended(found))
                if matches!(found.end, Ending::Unknown { .. }) =>
            {
                Found::Ended(ended(&order.attempt, Ending::Exited { code: 1 }))
            }
            (_, found) => found,
        })
    }

    fn settled(&mut self, attempt: &AttemptId) {
        self.inner.settled(attempt);
    }

    fn survey(&mut self, survey: Survey) -> Result<(), Lost> {
        self.inner.survey(survey)
    }

    fn probe(&mut self, probes: &BTreeSet<Probe>) -> Result<(), Lost> {
        self.inner.probe(probes)
    }

    fn counted(&mut self) -> Result<BTreeMap<MeasureId, Sample>, Lost> {
        self.inner.counted()
    }

    fn wait(&mut self, until: Option<Timestamp>) -> Result<Wake, Lost> {
        self.inner.wait(until)
    }
}
