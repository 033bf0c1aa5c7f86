//! What everything a driver does passes through: a [`Hook`], once before and
//! once after each effect. Crashes, searches and a second driver come in here,
//! and this is the only place where calls are forwarded.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use baton_core::id::{AttemptId, Digest, Epoch, MeasureId, RunId, Seq};
use baton_core::ledger::{Draft, Entry};
use baton_core::run::order::Order;
use baton_core::run::state::{Ahead, Probe};
use baton_core::run::survey::Survey;
use baton_core::time::Duration;
use baton_core::watch::{Learned, Sample};
use baton_engine::world::{Ended, Found, Lost, Wake, World};
use baton_store::{Lease, Log, StoreError};
use jiff::Timestamp;

/// Something a driver does that others can see, or that can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It takes the lease.
    Lease,
    /// It renews the lease.
    Renew,
    /// It gives the lease back.
    Release,
    /// It appends entries.
    Append,
    /// It keeps a blob.
    Put,
    /// It hands a command over.
    Start,
    /// It looks for a command of an earlier driver.
    Adopt,
    /// It has the environment read.
    Survey,
    /// It takes what was counted.
    Count,
    /// It waits.
    Wait,
}

/// What comes before and after every effect of a driver.
pub trait Hook: Clone {
    /// Before an effect.
    ///
    /// # Errors
    /// [`Lost`] when the driver loses touch: the effect does not happen.
    fn before(&self, effect: Effect) -> Result<(), Lost>;

    /// After it, whether or not it worked.
    ///
    /// # Errors
    /// [`Lost`] when the driver loses touch: the effect happened, and it never knows.
    fn after(&self, effect: Effect) -> Result<(), Lost>;
}

/// Where a ledger lies, and what a driver meets on the way to it.
pub trait Place {
    /// The ledger.
    type Log: Log;

    /// Does something with it.
    fn with<T>(&mut self, act: impl FnOnce(&mut Self::Log) -> T) -> T;

    /// Appends for a driver.
    ///
    /// # Errors
    /// As [`Log::append`].
    fn append(
        &mut self,
        drafts: Vec<Draft>,
        expect: Option<Seq>,
        fence: Option<(&str, Epoch)>,
    ) -> Result<Vec<Entry>, StoreError> {
        self.with(|log| log.append(drafts, expect, fence))
    }

    /// The epoch a driver is told that it has.
    fn granted(&mut self, epoch: Epoch) -> Epoch {
        epoch
    }

    /// The entries a driver is shown.
    fn seen(&mut self, entries: Vec<Entry>) -> Vec<Entry> {
        entries
    }
}

impl<L: Log> Place for RefCell<L> {
    type Log = L;

    fn with<T>(&mut self, act: impl FnOnce(&mut L) -> T) -> T {
        act(self.get_mut())
    }
}

/// A ledger (a [`Place`]) or a [`World`] behind a hook.
pub struct Hooked<T, H> {
    /// What is behind it.
    pub inner: T,
    /// The hook.
    pub hook: H,
}

impl<T, H: Hook> Hooked<T, H> {
    fn does<A, E: From<Crash>>(
        &mut self,
        effect: Effect,
        act: impl FnOnce(&mut T) -> Result<A, E>,
    ) -> Result<A, E> {
        self.hook.before(effect).map_err(Crash)?;
        let done = act(&mut self.inner);
        self.hook.after(effect).map_err(Crash)?;
        done
    }
}

/// The crash, as the error of whatever was being done.
struct Crash(Lost);

impl From<Crash> for Lost {
    fn from(crash: Crash) -> Self {
        crash.0
    }
}

impl From<Crash> for StoreError {
    fn from(crash: Crash) -> Self {
        Self::Lost(crash.0.0.into())
    }
}

impl<P: Place, H: Hook> Log for Hooked<P, H> {
    fn append(
        &mut self,
        drafts: Vec<Draft>,
        expect: Option<Seq>,
        fence: Option<(&str, Epoch)>,
    ) -> Result<Vec<Entry>, StoreError> {
        self.does(Effect::Append, |place| place.append(drafts, expect, fence))
    }

    fn head(&mut self) -> Result<(Seq, Digest), StoreError> {
        self.inner.with(Log::head)
    }

    fn read(&mut self, after: Seq, most: usize) -> Result<Vec<Entry>, StoreError> {
        let entries = self.inner.with(|log| log.read(after, most))?;
        Ok(self.inner.seen(entries))
    }

    fn read_run(&mut self, run: &RunId, after: Seq, most: usize) -> Result<Vec<Entry>, StoreError> {
        let entries = self.inner.with(|log| log.read_run(run, after, most))?;
        Ok(self.inner.seen(entries))
    }

    fn read_bytes(&mut self, after: Seq, most: usize) -> Result<Vec<Vec<u8>>, StoreError> {
        self.inner.with(|log| log.read_bytes(after, most))
    }

    fn lease(
        &mut self,
        name: &str,
        holder: &str,
        now: Timestamp,
        lasts: Duration,
        steal: bool,
    ) -> Result<Epoch, StoreError> {
        self.does(Effect::Lease, |place| {
            let epoch = place.with(|log| log.lease(name, holder, now, lasts, steal))?;
            Ok(place.granted(epoch))
        })
    }

    fn renew(
        &mut self,
        name: &str,
        epoch: Epoch,
        now: Timestamp,
        lasts: Duration,
    ) -> Result<(), StoreError> {
        self.does(Effect::Renew, |place| {
            place.with(|log| log.renew(name, epoch, now, lasts))
        })
    }

    fn release(&mut self, name: &str, epoch: Epoch) -> Result<(), StoreError> {
        self.does(Effect::Release, |place| {
            place.with(|log| log.release(name, epoch))
        })
    }

    fn leases(&mut self, prefix: &str, now: Timestamp) -> Result<Vec<Lease>, StoreError> {
        self.inner.with(|log| log.leases(prefix, now))
    }

    fn put(&mut self, bytes: &[u8]) -> Result<Digest, StoreError> {
        self.does(Effect::Put, |place| place.with(|log| log.put(bytes)))
    }

    fn get(&mut self, digest: &Digest) -> Result<Option<Vec<u8>>, StoreError> {
        self.inner.with(|log| log.get(digest))
    }

    fn remember(&mut self, key: &str, head: &Digest, bytes: &[u8]) -> Result<(), StoreError> {
        self.inner.with(|log| log.remember(key, head, bytes))
    }

    fn recall(&mut self, key: &str) -> Result<Option<(Digest, Seq, Vec<u8>)>, StoreError> {
        self.inner.with(|log| log.recall(key))
    }

    fn changed(&mut self) -> Result<u64, StoreError> {
        self.inner.with(Log::changed)
    }
}

impl<W: World, H: Hook> World for Hooked<W, H> {
    fn now(&mut self) -> Timestamp {
        self.inner.now()
    }

    fn random(&mut self) -> u64 {
        self.inner.random()
    }

    fn start(&mut self, order: &Order) -> Result<(), Lost> {
        self.does(Effect::Start, |world| world.start(order))
    }

    fn adopt(&mut self, order: &Order) -> Result<Found, Lost> {
        self.does(Effect::Adopt, |world| world.adopt(order))
    }

    fn settled(&mut self, attempt: &AttemptId) {
        self.inner.settled(attempt);
    }

    fn survey(&mut self, survey: Survey) -> Result<(), Lost> {
        self.does(Effect::Survey, |world| world.survey(survey))
    }

    fn gone(&mut self, holder: &str) -> bool {
        self.inner.gone(holder)
    }

    fn learn(&mut self, ahead: &Ahead) -> BTreeMap<MeasureId, Learned> {
        self.inner.learn(ahead)
    }

    fn probe(&mut self, probes: &BTreeSet<Probe>) -> Result<(), Lost> {
        self.inner.probe(probes)
    }

    fn counted(&mut self) -> Result<BTreeMap<MeasureId, Sample>, Lost> {
        self.does(Effect::Count, World::counted)
    }

    fn more(&mut self) -> Option<Ended> {
        self.inner.more()
    }

    fn wait(&mut self, until: Option<Timestamp>) -> Result<Wake, Lost> {
        self.does(Effect::Wait, |world| world.wait(until))
    }
}
