//! Several connections to one file.

use std::collections::BTreeSet;
use std::sync::Barrier;
use std::thread;

use baton_core::event::Event;

use super::*;

const LASTS: Duration = Duration::from_secs(60);

/// Appends at the head that was read, and reads again as often as others came first.
fn insist(log: &mut SqliteLog, text: &str) {
    loop {
        let (head, _digest) = log.head().unwrap();
        match log.append(vec![laws::said(1, text)], Some(head), None) {
            Ok(_entry) => return,
            Err(StoreError::Conflict { head: found }) => assert!(found > head),
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn concurrent_appends_lose_nothing() {
    const WRITERS: usize = 4;
    const EACH: usize = 50;
    let mut log = InFolder::new();
    let path = log.path();
    let start = Barrier::new(WRITERS);
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (path, start) = (&path, &start);
            let _handle = scope.spawn(move || {
                let mut log = SqliteLog::open(path).unwrap();
                let _leader = start.wait();
                for n in 0..EACH {
                    let text = format!("{writer}:{n}");
                    // Half of the writers insist on the head they know.
                    if writer % 2 == 0 {
                        insist(&mut log, &text);
                    } else {
                        let _entry = say(&mut log, &text).unwrap();
                    }
                }
            });
        }
    });
    assert_eq!(laws::walk(&mut log.log).count(), 200);
    let entries = log.log.read(Seq(0), 1000).unwrap();
    let texts: BTreeSet<_> = entries
        .iter()
        .map(|entry| match &entry.event {
            Event::Said { text } => text.clone(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(texts.len(), WRITERS * EACH);
}

#[test]
fn one_new_file_may_be_opened_by_many_at_once() {
    const OPENERS: usize = 8;
    for _round in 0..10 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        let start = Barrier::new(OPENERS);
        thread::scope(|scope| {
            for _opener in 0..OPENERS {
                let _handle = scope.spawn(|| {
                    let _leader = start.wait();
                    let mut log = SqliteLog::open(&path).unwrap();
                    let _entry = say(&mut log, "here").unwrap();
                });
            }
        });
        let mut log = SqliteLog::open(&path).unwrap();
        assert_eq!(laws::walk(&mut log).count(), OPENERS as u64);
    }
}

#[test]
fn of_many_who_want_a_lease_one_gets_it() {
    const WANT: usize = 6;
    let log = InFolder::new();
    let path = log.path();
    let start = Barrier::new(WANT);
    let taken = thread::scope(|scope| {
        let handles: Vec<_> = (0..WANT)
            .map(|n| {
                let (path, start) = (&path, &start);
                scope.spawn(move || {
                    let mut log = SqliteLog::open(path).unwrap();
                    let _leader = start.wait();
                    log.lease("run_1", &n.to_string(), laws::at(0), LASTS, false)
                })
            })
            .collect();
        let results = handles.into_iter().map(|handle| handle.join().unwrap());
        results.filter(|result| *result == Ok(Epoch(1))).count()
    });
    assert_eq!(taken, 1);
}

#[test]
fn old_driver_on_another_connection_is_fenced() {
    let log = InFolder::new();
    let (mut old, mut new) = (log.again(), log.again());
    let first = old
        .lease("run_1", "old", laws::at(0), LASTS, false)
        .unwrap();
    let fence = Some(("run_1", first));
    let _entry = old
        .append(vec![laws::said(1, "mine")], None, fence)
        .unwrap();
    let second = new
        .lease("run_1", "new", laws::at(60), LASTS, false)
        .unwrap();
    assert_eq!(second, Epoch(2));
    let late = old.append(vec![laws::said(61, "late")], None, fence);
    assert_eq!(late, Err(StoreError::Fenced));
    assert_eq!(old.release("run_1", first), Ok(()));
    let fence = Some(("run_1", second));
    let _entry = new
        .append(vec![laws::said(62, "on")], Some(Seq(1)), fence)
        .unwrap();
    assert_eq!(laws::walk(&mut old).count(), 2);
}

#[test]
fn commits_of_others_are_noticed() {
    let log = InFolder::new();
    let (mut one, mut other) = (log.again(), log.again());
    let before = other.changed().unwrap();
    assert_eq!(other.changed(), Ok(before));
    let _entry = say(&mut one, "news").unwrap();
    let after = other.changed().unwrap();
    assert_ne!(after, before);
    assert_eq!(other.changed(), Ok(after));
}

#[test]
fn writer_that_stays_is_reported_as_busy() {
    let mut log = InFolder::new();
    let slow = log.again();
    slow.conn.execute_batch("BEGIN IMMEDIATE").unwrap();
    log.log
        .conn
        .busy_timeout(std::time::Duration::ZERO)
        .unwrap();
    let path = log.path();
    assert_eq!(say(&mut log.log, "no"), Err(StoreError::Busy { path }));
    // Readers do not wait for writers.
    assert_eq!(log.log.head(), Ok((Seq(0), genesis())));
    slow.conn.execute_batch("ROLLBACK").unwrap();
    assert_eq!(say(&mut log.log, "yes").unwrap().len(), 1);
}
