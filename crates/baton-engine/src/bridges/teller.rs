//! One bridge's thread: reads the ledger, and tells what is news, in order.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use baton_core::bridge::{News, Notice};
use baton_core::event::Event;
use baton_core::handoff::plan::Plan;
use baton_core::id::{BATON, Epoch, Handle, NoticeId, RunId, Seq};
use baton_core::ledger::{Draft, Entry};
use baton_core::time::Duration as Lasts;
use baton_store::{Log as _, SqliteLog, StoreError};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::channel::{Channel, Refused};
use super::{Pace, Untold, Word};
use crate::drive::{self, DriveError};
use crate::real::{holder, is_gone, random};

/// How often the ledger is looked at.
const LOOK: Duration = Duration::from_millis(200);
/// How long the right to speak lasts without a sign of life: longer than any
/// delivery. On this machine a dead process is seen at once.
const LEASE: Lasts = Lasts::from_secs(120);
/// How often a sign of life is given.
const BEAT: Duration = Duration::from_secs(30);
/// How old a thing may be that a bridge tells that was never used.
const FRESH: Lasts = Lasts::from_secs(5 * 60);
/// How far back it looks for that.
const BACK_MOST: u64 = 1000;
/// How many entries are read at a time.
const PAGE: usize = 1000;
/// How many notices may wait in memory; the others wait in the ledger.
const QUEUE_MOST: usize = 100;
/// How often a receiver may refuse a notice for good before it is left out.
const REFUSALS_MOST: u32 = 3;

/// How far a bridge was told.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Cursor {
    /// The last entry whose news, and that of all before it, was told.
    through: Seq,
    /// The run that went on then.
    run: Option<RunId>,
    /// What was told after it, without an entry of its own.
    done: Vec<NoticeId>,
    /// Since when it does not get through, when the ledger says so.
    lost: Option<Timestamp>,
}

/// A notice that waits, and the last entry that is behind it.
struct Waiting {
    notice: Notice,
    after: Seq,
    /// Whether an entry told it; else the clock did.
    of_entry: bool,
}

/// One bridge and how far it is.
pub(super) struct Teller {
    channel: Channel,
    /// For people.
    name: String,
    /// Of its lease and its cursor.
    key: String,
    path: PathBuf,
    plan: Arc<Plan>,
    pace: Pace,
    log: Option<SqliteLog>,
    speaks: Option<Speaking>,
    /// Whether all there is was told, or somebody else tells it.
    idle: bool,
}

/// What is known while this process has the lease.
struct Speaking {
    epoch: Epoch,
    renewed: Instant,
    cursor: Cursor,
    news: News,
    read: Seq,
    /// The count of commits at the last look.
    seen: Option<u64>,
    queue: VecDeque<Waiting>,
    failures: u32,
    because: String,
    next_try: Instant,
}

impl Teller {
    pub(super) fn new(
        channel: Channel,
        name: String,
        path: PathBuf,
        plan: Arc<Plan>,
        pace: Pace,
    ) -> Self {
        Self {
            key: channel.key(),
            channel,
            name,
            path,
            plan,
            pace,
            log: None,
            speaks: None,
            idle: false,
        }
    }

    /// Tells what is news until nobody wants it any more. What was not told is
    /// returned; it waits in the ledger.
    pub(super) fn tell(mut self, words: &Receiver<Word>) -> Option<Untold> {
        let mut until: Option<Instant> = None;
        loop {
            // A ledger that cannot be read or written now is tried again.
            let turned = self.turn();
            let over = until.is_some_and(|until| self.idle || Instant::now() >= until);
            if over {
                break;
            }
            let wait = match turned {
                Ok(true) => Duration::ZERO,
                Ok(false) | Err(_) => LOOK,
            };
            match words.recv_timeout(wait) {
                Ok(Word::Finish(at)) => until = Some(at),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.leave()
    }

    fn leave(&mut self) -> Option<Untold> {
        let speaks = self.speaks.take()?;
        if let Some(log) = &mut self.log {
            // Not given back, it runs out.
            let _released = log.release(&self.key, speaks.epoch);
        }
        (!speaks.queue.is_empty()).then(|| Untold {
            bridge: self.name.clone(),
            notices: speaks.queue.len(),
            because: speaks.because,
        })
    }

    /// One look and at most one delivery. Whether there is more to do at once.
    fn turn(&mut self) -> Result<bool, StoreError> {
        let log = match &mut self.log {
            Some(log) => log,
            none => none.insert(SqliteLog::open(&self.path)?),
        };
        let Some(speaks) = &mut self.speaks else {
            self.speaks = take_over(log, &self.key, &self.plan)?;
            // Somebody else tells what there is.
            self.idle = self.speaks.is_none();
            return Ok(self.speaks.is_some());
        };
        let turned = speaks.turn(log, &mut self.channel, (&self.key, &self.name), self.pace);
        if matches!(turned, Err(StoreError::Fenced)) {
            self.speaks = None;
        }
        self.idle = matches!(turned, Ok(false))
            && self
                .speaks
                .as_ref()
                .is_some_and(|speaks| speaks.queue.is_empty());
        turned
    }
}

/// Takes the lease, when nobody alive has it, and goes on where it was left.
fn take_over(
    log: &mut SqliteLog,
    key: &str,
    plan: &Arc<Plan>,
) -> Result<Option<Speaking>, StoreError> {
    let me = holder(&Handle::from(BATON));
    let now = Timestamp::now();
    let epoch = match log.lease(key, &me, now, LEASE, false) {
        Err(StoreError::Held { holder, .. }) if is_gone(&holder) => {
            log.lease(key, &me, now, LEASE, true)
        }
        other => other,
    };
    let epoch = match epoch {
        Ok(epoch) => epoch,
        Err(StoreError::Held { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    let kept = log.recall(key)?;
    let kept = kept.and_then(|(_, _, bytes)| serde_json::from_slice::<Cursor>(&bytes).ok());
    let cursor = match kept {
        Some(cursor) => cursor,
        None => fresh(log, now)?,
    };
    let mut speaks = Speaking {
        epoch,
        renewed: Instant::now(),
        read: cursor.through,
        news: News::new(Arc::clone(plan)),
        seen: None,
        queue: VecDeque::new(),
        failures: 0,
        because: String::new(),
        next_try: Instant::now(),
        cursor,
    };
    if let Some(run) = speaks.cursor.run.clone() {
        let through = speaks.cursor.through;
        speaks.recall(log, &run, through)?;
    }
    speaks.keep(log, key)?;
    Ok(Some(speaks))
}

/// Where a bridge begins that was never used.
fn fresh(log: &mut SqliteLog, now: Timestamp) -> Result<Cursor, StoreError> {
    let (head, _) = log.head()?;
    let back = Seq(head.0.saturating_sub(BACK_MOST));
    let page = log.read(back, usize::try_from(BACK_MOST).unwrap_or(usize::MAX))?;
    let young = |entry: &&Entry| Lasts::between(entry.at, now) <= FRESH;
    let first = page.iter().find(young);
    let through = first.map_or(head, |entry| Seq(entry.seq.0.saturating_sub(1)));
    Ok(Cursor {
        through,
        run: None,
        done: Vec::new(),
        lost: None,
    })
}

impl Speaking {
    fn turn(
        &mut self,
        log: &mut SqliteLog,
        channel: &mut Channel,
        (key, name): (&str, &str),
        pace: Pace,
    ) -> Result<bool, StoreError> {
        if self.renewed.elapsed() >= BEAT {
            self.renew(log, key)?;
        }
        self.look(log, name)?;
        if self.queue.is_empty()
            && let Some(notice) = self.news.tick(Timestamp::now())
        {
            self.wait(notice, self.read, false);
        }
        let Some(front) = self.queue.front() else {
            return Ok(false);
        };
        if Instant::now() < self.next_try {
            return Ok(false);
        }
        // Whoever took the lease meanwhile tells it, and this process does not.
        let notice = front.notice.clone();
        self.renew(log, key)?;
        match channel.tell(&notice) {
            Ok(()) => self.told(log, (key, name))?,
            Err(refused) => self.refused(log, (key, name), pace, refused)?,
        }
        Ok(true)
    }

    fn renew(&mut self, log: &mut SqliteLog, key: &str) -> Result<(), StoreError> {
        self.renewed = Instant::now();
        log.renew(key, self.epoch, Timestamp::now(), LEASE)
    }

    /// Reads what was appended since.
    fn look(&mut self, log: &mut SqliteLog, name: &str) -> Result<(), StoreError> {
        let count = log.changed()?;
        if self.seen == Some(count) {
            return Ok(());
        }
        while self.queue.len() < QUEUE_MOST {
            let page = log.read(self.read, PAGE)?;
            if page.is_empty() {
                self.seen = Some(count);
                break;
            }
            for entry in &page {
                self.take(log, entry, name)?;
                self.read = entry.seq;
            }
        }
        Ok(())
    }

    fn take(&mut self, log: &mut SqliteLog, entry: &Entry, name: &str) -> Result<(), StoreError> {
        if entry.handoff != self.news.handoff() {
            return Ok(());
        }
        if let Some(run) = &entry.run
            && self.news.state().is_none_or(|state| state.run != *run)
        {
            self.recall(log, run, Seq(entry.seq.0.saturating_sub(1)))?;
        }
        let notice = self.news.take(entry);
        // A bridge need not be told of itself what whoever reads it can see.
        let own = match &entry.event {
            Event::BridgeLost { bridge, .. } | Event::BridgeBack { bridge, .. } => bridge == name,
            _ => false,
        };
        if let Some(notice) = notice.filter(|_| !own) {
            self.wait(notice, entry.seq, true);
        }
        Ok(())
    }

    /// Reads a run up to an entry, without telling anything of it again.
    fn recall(&mut self, log: &mut SqliteLog, run: &RunId, through: Seq) -> Result<(), StoreError> {
        // A run whose plan cannot be read is told without what it waits for.
        let plan = match drive::plan(log, run) {
            Ok(plan) => plan,
            Err(DriveError::Store(error)) => return Err(error),
            Err(_unreadable) => return Ok(()),
        };
        self.news.begin(plan);
        let mut after = Seq(0);
        loop {
            let page = log.read_run(run, after, PAGE)?;
            for entry in page.iter().filter(|entry| entry.seq <= through) {
                let _told = self.news.take(entry);
            }
            match page.last() {
                Some(last) if last.seq < through => after = last.seq,
                _ => return Ok(()),
            }
        }
    }

    fn wait(&mut self, notice: Notice, after: Seq, of_entry: bool) {
        if !self.cursor.done.contains(&notice.id) {
            self.queue.push_back(Waiting {
                notice,
                after,
                of_entry,
            });
        }
    }

    /// The first of the queue was told.
    fn told(&mut self, log: &mut SqliteLog, names: (&str, &str)) -> Result<(), StoreError> {
        self.failures = 0;
        self.done();
        if let Some(since) = self.cursor.lost.take() {
            let event = Event::BridgeBack {
                bridge: names.1.to_owned(),
                after: Lasts::between(since, Timestamp::now()),
            };
            self.say(log, names.0, event)?;
        }
        self.keep(log, names.0)
    }

    /// The first of the queue waits no longer.
    fn done(&mut self) {
        let Some(front) = self.queue.pop_front() else {
            return;
        };
        let cursor = &mut self.cursor;
        if cursor.through != front.after {
            cursor.done.clear();
        }
        cursor.through = front.after;
        cursor.run = self.news.state().map(|state| state.run.clone());
        if !front.of_entry {
            cursor.done.push(front.notice.id);
        }
    }

    fn refused(
        &mut self,
        log: &mut SqliteLog,
        names: (&str, &str),
        pace: Pace,
        refused: Refused,
    ) -> Result<(), StoreError> {
        self.failures = self.failures.saturating_add(1);
        self.next_try = Instant::now() + pause(pace, self.failures, refused.pause);
        self.because.clone_from(&refused.because);
        let left_out = refused.for_good && self.failures >= REFUSALS_MOST;
        let lost = left_out || self.failures >= pace.lost_after;
        if lost && self.cursor.lost.is_none() {
            let mut because = refused.because;
            if left_out {
                because.push_str("; what it refuses for good is left out");
            }
            let bridge = names.1.to_owned();
            self.cursor.lost = Some(Timestamp::now());
            self.say(log, names.0, Event::BridgeLost { bridge, because })?;
        }
        if left_out {
            self.failures = 0;
            self.done();
        }
        if lost {
            self.keep(log, names.0)?;
        }
        Ok(())
    }

    fn say(&mut self, log: &mut SqliteLog, key: &str, event: Event) -> Result<(), StoreError> {
        let state = self.news.state();
        let draft = Draft {
            at: Timestamp::now(),
            by: Handle::from(BATON),
            handoff: self.news.handoff(),
            run: state
                .filter(|state| state.ended().is_none())
                .map(|state| state.run.clone()),
            event,
        };
        log.append(vec![draft], None, Some((key, self.epoch)))
            .map(drop)
    }

    /// Keeps how far it was told.
    fn keep(&mut self, log: &mut SqliteLog, key: &str) -> Result<(), StoreError> {
        let (_, head) = log.head()?;
        let bytes = serde_json::to_vec(&self.cursor).unwrap_or_default();
        log.remember(key, &head, &bytes)
    }
}

/// How long to wait after so many failures.
fn pause(pace: Pace, failures: u32, asked: Option<Duration>) -> Duration {
    let doubled = pace
        .first
        .saturating_mul(1 << failures.saturating_sub(1).min(20));
    let most = doubled.min(pace.longest);
    let half = most / 2;
    let chance = u64::try_from(half.as_millis()).unwrap_or(0) + 1;
    let pause = half + Duration::from_millis(random() % chance);
    asked.map_or(pause, |asked| asked.max(pause))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_and_are_bounded() {
        let pace = Pace::default();
        for (failures, most) in [(1, 1), (2, 2), (3, 4), (7, 60), (u32::MAX, 60)] {
            let most = Duration::from_secs(most);
            let all: Vec<Duration> = (0..50).map(|_| pause(pace, failures, None)).collect();
            assert!(all.iter().all(|it| *it >= most / 2 && *it <= most));
            assert!(
                all.iter().any(|it| *it != all[0]),
                "they do not knock at once"
            );
        }
        let asked = Duration::from_secs(90);
        assert_eq!(pause(pace, 1, Some(asked)), asked);
    }
}
