//! Losing touch at a chosen point: every effect of a driver, on the ledger and
//! on the world, has a point before it and a point after it.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use baton_core::id::{AttemptId, Digest, Epoch, MeasureId, RunId, Seq};
use baton_core::ledger::{Draft, Entry};
use baton_core::run::order::Order;
use baton_core::run::state::Probe;
use baton_core::run::survey::Survey;
use baton_core::time::Duration;
use baton_core::watch::Sample;
use baton_engine::world::{Ended, Found, Lost, Wake, World};
use baton_store::{Lease, Log, StoreError};
use jiff::Timestamp;

/// Counts the points that were passed, and blows at one of them.
#[derive(Clone, Debug, Default)]
pub struct Fuse {
    passed: Rc<Cell<u64>>,
    blows_at: Option<u64>,
}

impl Fuse {
    /// A fuse that blows at this point, counted from 0; never with `None`.
    pub fn at(point: Option<u64>) -> Self {
        Self {
            passed: Rc::default(),
            blows_at: point,
        }
    }

    /// How many points were passed.
    pub fn passed(&self) -> u64 {
        self.passed.get()
    }

    fn point(&self) -> Result<(), Lost> {
        let here = self.passed.get();
        self.passed.set(here + 1);
        if self.blows_at == Some(here) {
            Err(Lost(format!("crash at point {here}")))
        } else {
            Ok(())
        }
    }

    fn around<T, E>(&self, effect: impl FnOnce() -> Result<T, E>) -> Result<T, E>
    where
        E: From<Crash>,
    {
        self.point().map_err(Crash)?;
        let done = effect();
        self.point().map_err(Crash)?;
        done
    }
}

/// The crash, as the error of whatever was being done.
#[derive(Debug)]
pub struct Crash(Lost);

impl From<Crash> for Lost {
    fn from(crash: Crash) -> Self {
        crash.0
    }
}

impl From<Crash> for StoreError {
    fn from(crash: Crash) -> Self {
        lost(crash.0.0)
    }
}

fn lost(why: String) -> StoreError {
    StoreError::Lost(baton_store::Why::from(why))
}

/// A ledger or a world behind a fuse.
pub struct Faulty<T> {
    /// What is behind it.
    pub inner: T,
    /// The fuse.
    pub fuse: Fuse,
}

impl<W: World> World for Faulty<W> {
    fn now(&mut self) -> Timestamp {
        self.inner.now()
    }

    fn random(&mut self) -> u64 {
        self.inner.random()
    }

    fn start(&mut self, order: &Order) -> Result<(), Lost> {
        self.fuse.around(|| self.inner.start(order))
    }

    fn adopt(&mut self, order: &Order) -> Result<Found, Lost> {
        self.fuse.around(|| self.inner.adopt(order))
    }

    fn settled(&mut self, attempt: &AttemptId) {
        self.inner.settled(attempt);
    }

    fn survey(&mut self, survey: Survey) -> Result<(), Lost> {
        self.fuse.around(|| self.inner.survey(survey))
    }

    fn gone(&mut self, holder: &str) -> bool {
        self.inner.gone(holder)
    }

    fn probe(&mut self, probes: &BTreeSet<Probe>) -> Result<(), Lost> {
        self.inner.probe(probes)
    }

    fn counted(&mut self) -> Result<BTreeMap<MeasureId, Sample>, Lost> {
        self.fuse.around(|| self.inner.counted())
    }

    fn more(&mut self) -> Option<Ended> {
        self.inner.more()
    }

    fn wait(&mut self, until: Option<Timestamp>) -> Result<Wake, Lost> {
        self.fuse.around(|| self.inner.wait(until))
    }
}

impl<L: Log> Log for Faulty<L> {
    fn append(
        &mut self,
        drafts: Vec<Draft>,
        expect: Option<Seq>,
        fence: Option<(&str, Epoch)>,
    ) -> Result<Vec<Entry>, StoreError> {
        self.fuse
            .around(|| self.inner.append(drafts, expect, fence))
    }

    fn head(&mut self) -> Result<(Seq, Digest), StoreError> {
        self.inner.head()
    }

    fn read(&mut self, after: Seq, most: usize) -> Result<Vec<Entry>, StoreError> {
        self.inner.read(after, most)
    }

    fn read_run(&mut self, run: &RunId, after: Seq, most: usize) -> Result<Vec<Entry>, StoreError> {
        self.inner.read_run(run, after, most)
    }

    fn read_bytes(&mut self, after: Seq, most: usize) -> Result<Vec<Vec<u8>>, StoreError> {
        self.inner.read_bytes(after, most)
    }

    fn lease(
        &mut self,
        name: &str,
        holder: &str,
        now: Timestamp,
        lasts: Duration,
        steal: bool,
    ) -> Result<Epoch, StoreError> {
        self.fuse
            .around(|| self.inner.lease(name, holder, now, lasts, steal))
    }

    fn renew(
        &mut self,
        name: &str,
        epoch: Epoch,
        now: Timestamp,
        lasts: Duration,
    ) -> Result<(), StoreError> {
        self.fuse
            .around(|| self.inner.renew(name, epoch, now, lasts))
    }

    fn release(&mut self, name: &str, epoch: Epoch) -> Result<(), StoreError> {
        self.fuse.around(|| self.inner.release(name, epoch))
    }

    fn leases(&mut self, prefix: &str, now: Timestamp) -> Result<Vec<Lease>, StoreError> {
        self.inner.leases(prefix, now)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<Digest, StoreError> {
        self.fuse.around(|| self.inner.put(bytes))
    }

    fn get(&mut self, digest: &Digest) -> Result<Option<Vec<u8>>, StoreError> {
        self.inner.get(digest)
    }

    fn remember(&mut self, key: &str, head: &Digest, bytes: &[u8]) -> Result<(), StoreError> {
        self.inner.remember(key, head, bytes)
    }

    fn recall(&mut self, key: &str) -> Result<Option<(Digest, Seq, Vec<u8>)>, StoreError> {
        self.inner.recall(key)
    }

    fn changed(&mut self) -> Result<u64, StoreError> {
        self.inner.changed()
    }
}
