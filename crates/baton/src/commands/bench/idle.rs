//! A launch in which nothing is done: what the driver and the ledger cost alone.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Instant;

use baton_core::event::{Ending, Event, RunKind};
use baton_core::id::{AttemptId, Digest, Epoch, MeasureId, RunId, Seq};
use baton_core::ledger::{Draft, Entry};
use baton_core::run::State;
use baton_core::run::order::Order;
use baton_core::run::state::Probe;
use baton_core::run::survey::Survey;
use baton_core::time::Duration;
use baton_core::watch::Sample;
use baton_engine::drive::Driver;
use baton_engine::real::random;
use baton_engine::world::{Ended, Found, Lost, Wake, World};
use baton_store::{Lease, Log, StoreError};
use jiff::Timestamp;
use serde_json::json;

use crate::commands::launch;
use crate::exit::Exit;
use crate::render::Out;
use baton_engine::desk::{Desk, holder};
use baton_engine::failure::Failure;

/// How many steps the beginning and the end of a run are.
const PART: usize = 100;

/// `baton bench-run`: opens a launch past the gate, drives it until every step is
/// done, and says what that took.
pub(crate) fn run(desk: &mut Desk, out: &Out) -> Result<Exit, Failure> {
    super::made_up(desk)?;
    let me = desk.signer()?;
    let plan = desk.plan.clone();
    let release = Digest::of(b"bench");
    let terms = launch::terms(desk, RunKind::Launch, &plan, release, None, Vec::new())?;
    let run = RunId::made(Timestamp::now(), random());
    // Whatever was said meanwhile says nothing about a launch that is none.
    while !launch::opened(desk, &me, &run, &terms)? {}
    let began = Instant::now();
    let mut ended: Vec<f64> = Vec::with_capacity(plan.steps.len());
    let mut observer = |entry: &Entry, _: &State| {
        if matches!(entry.event, Event::AttemptEnded { .. }) {
            ended.push(began.elapsed().as_secs_f64() * 1000.0);
        }
    };
    let mut log = Counted {
        inner: &mut desk.log,
        writes: 0,
    };
    let mut world = Idle::default();
    let driver = Driver::take(
        &mut log,
        &mut world,
        &mut observer,
        &run,
        &me,
        &holder(&me),
        false,
    )?;
    let _halted = driver.drive()?;
    let writes = log.writes;
    let steps = ended.len();
    let between: Vec<f64> = ended.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let part = PART.min(between.len());
    out.json(&json!({
        "steps": steps,
        "total_ms": ended.last(),
        "first_ms": usual(&between[..part]),
        "last_ms": usual(&between[between.len() - part..]),
        "writes": writes,
    }));
    Ok(Exit::Good)
}

/// What so many steps take if all are as the one in the middle: a pause of the
/// disk falls somewhere, and says nothing of where it fell.
fn usual(steps: &[f64]) -> f64 {
    let mut sorted = steps.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.get(sorted.len() / 2).copied().unwrap_or_default();
    middle * f64::from(u32::try_from(steps.len()).unwrap_or(u32::MAX))
}

/// A world in which every command has succeeded before anybody looks.
#[derive(Default)]
struct Idle {
    ended: VecDeque<AttemptId>,
}

impl Idle {
    fn end(&mut self) -> Option<Ended> {
        self.ended.pop_front().map(|attempt| Ended {
            attempt,
            end: Ending::Succeeded,
            outputs: BTreeMap::new(),
            output: Vec::new(),
            took: Duration::default(),
        })
    }
}

impl World for Idle {
    fn now(&mut self) -> Timestamp {
        Timestamp::now()
    }

    fn random(&mut self) -> u64 {
        random()
    }

    fn start(&mut self, order: &Order) -> Result<(), Lost> {
        self.ended.push_back(order.attempt.clone());
        Ok(())
    }

    fn adopt(&mut self, _order: &Order) -> Result<Found, Lost> {
        Ok(Found::Never)
    }

    fn settled(&mut self, _attempt: &AttemptId) {}

    fn survey(&mut self, _survey: Survey) -> Result<(), Lost> {
        Err(Lost("a launch takes no fingerprints".to_owned()))
    }

    fn probe(&mut self, _probes: &BTreeSet<Probe>) -> Result<(), Lost> {
        Ok(())
    }

    fn counted(&mut self) -> Result<BTreeMap<MeasureId, Sample>, Lost> {
        Ok(BTreeMap::new())
    }

    fn more(&mut self) -> Option<Ended> {
        self.end()
    }

    /// When nothing is left, somebody leaves: nobody is here to accept.
    fn wait(&mut self, _until: Option<Timestamp>) -> Result<Wake, Lost> {
        Ok(self.end().map_or(Wake::Interrupted(2), Wake::Ended))
    }
}

/// Counts what reaches the disk: every write is one durable transaction.
struct Counted<'a, L> {
    inner: &'a mut L,
    writes: u64,
}

impl<L: Log> Log for Counted<'_, L> {
    fn append(
        &mut self,
        drafts: Vec<Draft>,
        expect: Option<Seq>,
        fence: Option<(&str, Epoch)>,
    ) -> Result<Vec<Entry>, StoreError> {
        self.writes += 1;
        self.inner.append(drafts, expect, fence)
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
        self.writes += 1;
        self.inner.lease(name, holder, now, lasts, steal)
    }

    fn renew(
        &mut self,
        name: &str,
        epoch: Epoch,
        now: Timestamp,
        lasts: Duration,
    ) -> Result<(), StoreError> {
        self.writes += 1;
        self.inner.renew(name, epoch, now, lasts)
    }

    fn release(&mut self, name: &str, epoch: Epoch) -> Result<(), StoreError> {
        self.writes += 1;
        self.inner.release(name, epoch)
    }

    fn leases(&mut self, prefix: &str, now: Timestamp) -> Result<Vec<Lease>, StoreError> {
        self.inner.leases(prefix, now)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<Digest, StoreError> {
        self.writes += 1;
        self.inner.put(bytes)
    }

    fn get(&mut self, digest: &Digest) -> Result<Option<Vec<u8>>, StoreError> {
        self.inner.get(digest)
    }

    fn remember(&mut self, key: &str, head: &Digest, bytes: &[u8]) -> Result<(), StoreError> {
        self.writes += 1;
        self.inner.remember(key, head, bytes)
    }

    fn recall(&mut self, key: &str) -> Result<Option<(Digest, Seq, Vec<u8>)>, StoreError> {
        self.inner.recall(key)
    }

    fn changed(&mut self) -> Result<u64, StoreError> {
        self.inner.changed()
    }
}
