//! Others append in the worst of moments: the driver takes in each entry once.

use std::path::Path;

use baton_core::event::{Event, Outcome};
use baton_core::id::{Digest, Epoch, Handle, RunId, Seq};
use baton_core::ledger::{Draft, Entry};
use baton_core::run::State;
use baton_core::time::Duration;
use baton_engine::drive::{Driver, Halted};
use baton_engine::shell::ssh::Ssh;
use baton_store::{Lease, Log, SqliteLog, StoreError};
use jiff::Timestamp;

use crate::real::{rehearsal, world};

/// A ledger in which somebody else speaks at chosen moments, each of them once.
struct Crowded {
    inner: SqliteLog,
    other: SqliteLog,
    run: RunId,
    moment: u8,
}

impl Crowded {
    fn says(&mut self, at: u8, event: Event) {
        if self.moment == at {
            self.moment += 1;
            say(&mut self.other, &self.run, event);
        }
    }
}

fn say(log: &mut SqliteLog, run: &RunId, event: Event) {
    let last = log.read_run(run, Seq(0), 1).unwrap().pop().unwrap();
    let draft = Draft {
        at: Timestamp::now(),
        by: Handle::from("dana"),
        handoff: last.handoff,
        run: Some(run.clone()),
        event,
    };
    let _entries = log.append(vec![draft], None, None).unwrap();
}

impl Log for Crowded {
    fn append(
        &mut self,
        drafts: Vec<Draft>,
        expect: Option<Seq>,
        fence: Option<(&str, Epoch)>,
    ) -> Result<Vec<Entry>, StoreError> {
        // The driver has chosen what to start, and somebody is faster.
        let text = "wait for me".to_owned();
        self.says(1, Event::Said { text });
        self.inner.append(drafts, expect, fence)
    }

    fn read_run(&mut self, run: &RunId, after: Seq, most: usize) -> Result<Vec<Entry>, StoreError> {
        // It has asked for the head, and now folds the run.
        self.says(2, Event::Paused { because: None });
        self.inner.read_run(run, after, most)
    }

    fn changed(&mut self) -> Result<u64, StoreError> {
        if self.moment > 2 {
            self.says(3, Event::Resumed);
        } else if self.moment == 0 && self.inner.head()?.0 > Seq(2) {
            // The driver has said that it is there.
            self.says(0, Event::Resumed);
        }
        self.inner.changed()
    }

    fn head(&mut self) -> Result<(Seq, Digest), StoreError> {
        self.inner.head()
    }

    fn read(&mut self, after: Seq, most: usize) -> Result<Vec<Entry>, StoreError> {
        self.inner.read(after, most)
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
        self.inner.lease(name, holder, now, lasts, steal)
    }

    fn renew(
        &mut self,
        name: &str,
        epoch: Epoch,
        now: Timestamp,
        lasts: Duration,
    ) -> Result<(), StoreError> {
        self.inner.renew(name, epoch, now, lasts)
    }

    fn release(&mut self, name: &str, epoch: Epoch) -> Result<(), StoreError> {
        self.inner.release(name, epoch)
    }

    fn leases(&mut self, prefix: &str, now: Timestamp) -> Result<Vec<Lease>, StoreError> {
        self.inner.leases(prefix, now)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<Digest, StoreError> {
        self.inner.put(bytes)
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
}

fn open(folder: &Path) -> SqliteLog {
    SqliteLog::open(&folder.join("ledger")).unwrap()
}

#[test]
fn what_comes_between_head_and_fold_is_taken_in_once() {
    let folder = tempfile::tempdir().unwrap();
    let (inner, run) = rehearsal(folder.path(), None);
    let mut other = open(folder.path());
    say(&mut other, &run, Event::Paused { because: None });
    let mut log = Crowded {
        inner,
        other,
        run: run.clone(),
        moment: 0,
    };
    let mut world = world(folder.path(), Ssh::default());
    let mut seen: Vec<Seq> = Vec::new();
    let mut observer = |entry: &Entry, _: &State| seen.push(entry.seq);
    let me = Handle::from("dana");
    let driver = Driver::take(
        &mut log,
        &mut world,
        &mut observer,
        &run,
        &me,
        "here",
        false,
    );
    let (halted, _) = driver.unwrap().drive().unwrap();
    assert_eq!(halted, Halted::Ended(Outcome::Succeeded));
    assert_eq!(log.moment, 4, "everybody has spoken");
    // Entries 1 and 2 were there before; each that follows is told once, in order.
    let all: Vec<Seq> = (3..=log.head().unwrap().0.0).map(Seq).collect();
    assert_eq!(seen, all);
}
