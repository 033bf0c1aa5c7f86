//! Everything the judge asks, each in a rhythm of its own.
//!
//! One plain thread per target. No thread outlives its prober by more than one
//! reading's time limit, and what it brings home after that is thrown away.

use std::collections::BTreeMap;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, TryRecvError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use baton_core::id::MeasureId;
use baton_core::run::order::Order;
use baton_core::run::state::Asked;
use baton_core::watch::{Sample, Trouble};

use super::counter::{Counter, level};
use super::postgres::Database;
use super::probe::{Probe, probe_once};
use super::prometheus::Counters;
use super::{Arm, Reading, unread};
use crate::shell::Shell;

/// The shortest rhythm; a shorter one is raised to it, so that a slip in a
/// contract is no attack on a host.
const EVERY_MIN: Duration = Duration::from_millis(10);

/// One thing to ask, for one measure.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// The measure its counts belong to.
    pub measure: MeasureId,
    /// The side of its host.
    pub arm: Arm,
    /// What to ask.
    pub asked: Asked,
    /// How often to ask it, at least every 10 ms.
    pub every: Duration,
}

/// Asks all its targets until it is dropped.
#[derive(Debug)]
pub struct Prober {
    pub(super) counted: Arc<Mutex<BTreeMap<MeasureId, Sample>>>,
    /// One per thread, never sent on: it ends when its sender is gone.
    _running: Vec<Sender<()>>,
}

impl Prober {
    /// Starts asking each target at once and then in its rhythm. A reading that
    /// takes longer than that delays the next one of its target. Commands are
    /// carried out by `shell`.
    ///
    /// A target whose thread cannot be started gives no data, which the judge
    /// takes for blindness, never for health.
    pub fn start(targets: Vec<Target>, shell: &Arc<Shell>) -> Self {
        let counted = Arc::default();
        let begin = |target: Target| {
            let (alive, stopped) = mpsc::channel();
            let (counted, shell) = (Arc::clone(&counted), Arc::clone(shell));
            let thread = thread::Builder::new().name("probe".to_owned());
            let started = thread.spawn(move || keep_asking(&target, shell, &stopped, &counted));
            started.ok().map(|_| alive)
        };
        let running = targets.into_iter().filter_map(begin).collect();
        Self {
            counted,
            _running: running,
        }
    }

    /// What was counted since the last call, by measure. A measure of which
    /// nothing was read is not there.
    pub fn take(&self) -> BTreeMap<MeasureId, Sample> {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *counted)
    }
}

/// Asks once, to know whether there is anything to see.
///
/// # Errors
/// Why nothing would be seen, in words that repeat no address.
pub fn sees(asked: &Asked, shell: Arc<Shell>, patience: Duration) -> Result<(), String> {
    if let Asked::Address { url, .. } = asked {
        return match probe_once(url, patience)?.off_s {
            Some(seconds) => Err(off(seconds)),
            None => Ok(()),
        };
    }
    let target = Target {
        measure: MeasureId::from(""),
        arm: Arm::Canary,
        asked: asked.clone(),
        // How far apart points are matters to no question whether there are any.
        every: patience,
    };
    let seen = match Source::new(&target, target.every, shell) {
        Source::Counters(counters) => counters.sees(),
        mut other => other.read().map(drop),
    };
    seen.map_err(|trouble| match trouble {
        Trouble::Unread { because } => because,
        Trouble::ClockSkew { seconds } => off(seconds),
    })
}

/// That what was answered is not of now.
fn off(seconds: i64) -> String {
    let by = baton_core::time::Duration::from_secs(seconds.unsigned_abs());
    let way = if seconds < 0 { "behind" } else { "ahead" };
    format!("the answer is dated {by} {way}: the clock there is off, or the answer is an old one")
}

/// What a thread reads.
enum Source {
    Probe(Probe),
    Counter(Counter),
    Counters(Counters),
    Database(Database),
    Level(Arc<Shell>, Order),
}

impl Source {
    fn new(target: &Target, every: Duration, shell: Arc<Shell>) -> Self {
        match &target.asked {
            Asked::Address { url, slower_than } => {
                let slower_than = slower_than.map(baton_core::time::Duration::to_std);
                Self::Probe(Probe::new(url, every, slower_than))
            }
            Asked::Counter(order) => Self::Counter(Counter::new(shell, (**order).clone())),
            Asked::Database(asked) => {
                let folder = shell.folder().to_owned();
                Self::Database(Database::new((**asked).clone(), folder))
            }
            Asked::Level(order) => Self::Level(shell, (**order).clone()),
            Asked::Queries { server, bad, total } => {
                Self::Counters(Counters::ratio(server, bad, total, every))
            }
            Asked::Buckets {
                server,
                buckets,
                slower_than,
            } => Self::Counters(Counters::buckets(
                server,
                buckets,
                slower_than.to_std(),
                every,
            )),
        }
    }

    fn read(&mut self) -> Result<Reading, Trouble> {
        match self {
            Self::Probe(probe) => probe.read(),
            Self::Counter(counter) => counter.read().map_err(unread),
            Self::Counters(counters) => counters.read(),
            Self::Database(database) => database.read().map_err(unread),
            Self::Level(shell, order) => level(shell, order).map_err(unread),
        }
    }
}

/// The life of one thread: ask, count, wait for the beat, until `stopped`.
fn keep_asking(
    target: &Target,
    shell: Arc<Shell>,
    stopped: &Receiver<()>,
    counted: &Mutex<BTreeMap<MeasureId, Sample>>,
) {
    let every = target.every.max(EVERY_MIN);
    let mut source = Source::new(target, every, shell);
    let mut beat = Instant::now();
    loop {
        let read = source.read();
        if stopped.try_recv() == Err(TryRecvError::Disconnected) {
            return;
        }
        let sample = match read {
            Ok(reading) => reading.sample(target.arm),
            Err(trouble) => Sample {
                trouble: Some(trouble),
                ..Sample::default()
            },
        };
        let mut all = counted.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(target.measure.clone()).or_default().add(sample);
        drop(all);
        // Beats that were missed are left out, not made up for.
        beat = (beat + every).max(Instant::now());
        let wait = beat.saturating_duration_since(Instant::now());
        if stopped.recv_timeout(wait) == Err(RecvTimeoutError::Disconnected) {
            return;
        }
    }
}
