//! What every [`Log`] promises, one function per law.
//!
//! Each law gets `fresh`, which makes an empty log, and panics when the law is
//! broken. [`all`] runs every one of them. What needs two connections to one
//! log, a full disk or a damaged file is tested with the implementation.

use baton_core::event::Event;
use baton_core::id::{Digest, Epoch, Handle, HandoffId, RunId, Seq};
use baton_core::ledger::canon::genesis;
use baton_core::ledger::chain::Walker;
use baton_core::ledger::{Draft, Entry};
use baton_core::time::Duration;
use jiff::Timestamp;

use crate::{Lease, Log, StoreError, VALUE_BYTES_MAX};

/// A minute, the length of the leases below.
const MINUTE: Duration = Duration::from_secs(60);
const WORKS: &str = "a sound log works";

/// Runs every law.
pub fn all<L: Log>(fresh: impl Fn() -> L) {
    empty_log_ends_at_genesis(&fresh);
    entries_count_from_one_and_are_chained(&fresh);
    append_is_all_or_nothing(&fresh);
    expected_head_decides(&fresh);
    fence_decides_before_the_head(&fresh);
    refused_append_leaves_the_head(&fresh);
    reading_in_pages_is_reading(&fresh);
    any_text_comes_back_as_it_was(&fresh);
    entries_of_a_run_are_read_alone(&fresh);
    lease_has_one_holder(&fresh);
    epoch_grows_by_one_whenever_taken(&fresh);
    taken_lease_fences_its_last_holder(&fresh);
    lease_that_ran_out_still_counts_until_taken(&fresh);
    released_lease_is_over(&fresh);
    clock_may_jump_either_way(&fresh);
    leases_are_listed_by_prefix(&fresh);
    blobs_are_kept_by_digest(&fresh);
    cache_is_bound_to_a_head(&fresh);
    commits_are_noticed(&fresh);
}

/// A run is read without the entries of others between its own.
///
/// # Panics
/// When the law does not hold.
pub fn entries_of_a_run_are_read_alone<L: Log>(fresh: impl Fn() -> L) {
    let mut log = fresh();
    let of = |second: i64, run: Option<&str>| Draft {
        run: run.map(RunId::from),
        ..said(second, "x")
    };
    let drafts = vec![
        of(1, Some("run_a")),
        of(2, None),
        of(3, Some("run_b")),
        of(4, Some("run_a")),
    ];
    let all = log.append(drafts, None, None).expect("it appends");
    let run = RunId::from("run_a");
    let read = log.read_run(&run, Seq(0), 10).expect("it reads");
    assert_eq!(read, [all[0].clone(), all[3].clone()]);
    assert_eq!(
        log.read_run(&run, Seq(1), 10).expect("it reads"),
        [all[3].clone()]
    );
    assert_eq!(
        log.read_run(&run, Seq(0), 1).expect("it reads"),
        [all[0].clone()]
    );
    assert_eq!(
        log.read_run(&RunId::from("run_c"), Seq(0), 1)
            .expect("it reads"),
        []
    );
}

/// Something that a person said, `second` seconds after 1970.
pub fn said(second: i64, text: &str) -> Draft {
    Draft {
        at: at(second),
        by: Handle::from("dana"),
        handoff: HandoffId::from("shop/2.4.0/production"),
        run: Some(RunId::from("run_1")),
        event: Event::Said {
            text: text.to_owned(),
        },
    }
}

/// An instant, `second` seconds after 1970.
///
/// # Panics
/// Outside of the calendar.
pub fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("a second within the calendar")
}

/// An empty log's head is at 0 and has the genesis digest.
pub fn empty_log_ends_at_genesis<L: Log>(fresh: impl Fn() -> L) {
    let mut log = fresh();
    assert_eq!(log.head(), Ok((Seq(0), genesis())));
    assert_eq!(log.read(Seq(0), 10), Ok(vec![]));
    assert_eq!(log.read_bytes(Seq(0), 10), Ok(vec![]));
    assert_eq!(log.leases("", at(0)), Ok(vec![]));
}

/// Positions have no gap, each entry carries the digest of the one before, and
/// what append returned is what is read.
pub fn entries_count_from_one_and_are_chained<L: Log>(fresh: impl Fn() -> L) {
    let mut log = fresh();
    let mut written = Vec::new();
    for batch in [3, 1, 0, 2] {
        let drafts = (0..batch).map(|n| said(n, "x")).collect();
        written.extend(log.append(drafts, None, None).expect(WORKS));
    }
    let places: Vec<u64> = written.iter().map(|entry| entry.seq.0).collect();
    assert_eq!(places, [1, 2, 3, 4, 5, 6]);
    assert_eq!(log.read(Seq(0), 10).as_ref(), Ok(&written));
    let walker = walk(&mut log);
    assert_eq!(log.head(), Ok((Seq(6), walker.head().clone())));
    let bytes: Vec<_> = written.iter().map(Entry::bytes).collect();
    assert_eq!(log.read_bytes(Seq(0), 10), Ok(bytes));
}

/// When one draft cannot be stored, none of them is.
pub fn append_is_all_or_nothing<L: Log>(fresh: impl Fn() -> L) {
    let mut log = fresh();
    let huge = "x".repeat(VALUE_BYTES_MAX);
    let drafts = vec![said(1, "first"), said(2, &huge), said(3, "last")];
    fill(&mut log, 1);
    let refused = log.append(drafts, None, None);
    assert!(matches!(refused, Err(StoreError::Refused(_))));
    assert_eq!(walk(&mut log).count(), 1);
    assert_eq!(log.head().map(|(seq, _digest)| seq), Ok(Seq(1)));
}

/// An expected head that is not the head is a conflict that names the head.
pub fn expected_head_decides<L: Log>(fresh: impl Fn() -> L) {
    let mut log = fresh();
    fill(&mut log, 2);
    for wrong in [0, 1, 3, u64::MAX] {
        let conflict = log.append(vec![said(9, "no")], Some(Seq(wrong)), None);
        assert_eq!(conflict, Err(StoreError::Conflict { head: Seq(2) }));
    }
    assert_eq!(
        log.append(vec![], Some(Seq(1)), None),
        Err(StoreError::Conflict { head: Seq(2) })
    );
    let entries = log
        .append(vec![said(9, "yes")], Some(Seq(2)), None)
        .expect(WORKS);
    assert_eq!(entries[0].seq, Seq(3));
    assert_eq!(walk(&mut log).count(), 3);
}

/// An append whose fence does not hold is fenced, whatever head it expects.
pub fn fence_decides_before_the_head<L: Log>(fresh: impl Fn() -> L) {
    let mut log = fresh();
    let epoch = take(&mut log, "run_1", 0).expect(WORKS);
    for (name, epoch) in [
        ("run_2", epoch),
        ("run_1", Epoch(0)),
        ("run_1", Epoch(2)),
        ("run_1", Epoch(u64::MAX)),
        ("", epoch),
    ] {
        for expect in [None, Some(Seq(0)), Some(Seq(7))] {
            let fenced = log.append(vec![said(1, "no")], expect, Some((name, epoch)));
            assert_eq!(fenced, Err(StoreError::Fenced), "{name} {epoch:?}");
        }
    }
    let held = log.append(vec![said(1, "yes")], Some(Seq(0)), Some(("run_1", epoch)));
    assert_eq!(held.expect(WORKS).len(), 1);
}

/// After any refused append the head and what is read are what they were.
pub fn refused_append_leaves_the_head<L: Log>(fresh: impl Fn() -> L) {
    let mut log = fresh();
    fill(&mut log, 3);
    let (head, entries) = (log.head(), log.read(Seq(0), 10));
    let refused = [
        log.append(vec![said(1, "no")], Some(Seq(1)), None),
        log.append(vec![said(1, "no")], None, Some(("run_1", Epoch(1)))),
    ];
    assert!(refused.iter().all(Result::is_err));
    assert_eq!(log.head(), head);
    assert_eq!(log.read(Seq(0), 10), entries);
    let next = log.append(vec![said(4, "on")], Some(Seq(3)), None);
    assert_eq!(next.expect(WORKS)[0].seq, Seq(4));
    assert_eq!(walk(&mut log).count(), 4);
}

/// Pages of any size, put together, are the whole; past the end there is nothing.
pub fn reading_in_pages_is_reading<L: Log>(fresh: impl Fn() -> L) {
    let mut log = fresh();
    fill(&mut log, 7);
    let whole = log.read(Seq(0), usize::MAX).expect(WORKS);
    assert_eq!(whole.len(), 7);
    for size in 1..9 {
        let mut pages = Vec::new();
        loop {
            let after = pages.last().map_or(Seq(0), |entry: &Entry| entry.seq);
            let page = log.read(after, size).expect(WORKS);
            assert!(page.len() <= size);
            if page.is_empty() {
                break;
            }
            pages.extend(page);
        }
        assert_eq!(pages, whole, "in pages of {size}");
    }
    assert_eq!(log.read(Seq(3), 0), Ok(vec![]));
    for past in [7, 8, u64::MAX] {
        assert_eq!(log.read(Seq(past), 10), Ok(vec![]));
        assert_eq!(log.read_bytes(Seq(past), 10), Ok(vec![]));
    }
}

/// Texts come back as they were, whatever is in them.
pub fn any_text_comes_back_as_it_was<L: Log>(fresh: impl Fn() -> L) {
    let mut log = fresh();
    for text in [
        "",
        "\0",
        "a\0b",
        "' OR 1 --",
        "\"\\\n\r\t",
        "\u{1f680} \u{301}\u{feff}\u{2028}\u{10ffff}",
    ] {
        let written = log.append(vec![said(1, text)], None, None).expect(WORKS);
        let after = Seq(written[0].seq.0 - 1);
        assert_eq!(log.read(after, 10).as_ref(), Ok(&written));
        assert_eq!(written[0].event, said(1, text).event);

        let epoch = log.lease(text, text, at(0), MINUTE, false).expect(WORKS);
        let listed = log.leases(text, at(0)).expect(WORKS);
        let lease = Lease {
            name: text.to_owned(),
            holder: text.to_owned(),
            epoch,
            until: at(60),
        };
        assert!(listed.contains(&lease), "{text:?} in {listed:?}");

        log.remember(text, &genesis(), text.as_bytes())
            .expect(WORKS);
        let recalled = Some((genesis(), Seq(0), text.as_bytes().to_vec()));
        assert_eq!(log.recall(text), Ok(recalled));
    }
    assert_eq!(walk(&mut log).count(), 6);
}

/// A lease is taken when free, and then held until it runs out; names do not
/// touch each other.
pub fn lease_has_one_holder<L: Log>(fresh: impl Fn() -> L) {
    let mut log = fresh();
    assert_eq!(take(&mut log, "a", 0), Ok(Epoch(1)));
    let held = Err(StoreError::Held {
        holder: "someone".to_owned(),
        until: at(60),
    });
    for now in [0, 1, 59] {
        assert_eq!(take(&mut log, "a", now), held);
    }
    assert_eq!(take(&mut log, "b", 0), Ok(Epoch(1)));
    log.renew("a", Epoch(1), at(30), MINUTE).expect(WORKS);
    assert!(take(&mut log, "a", 89).is_err());
    assert_eq!(take(&mut log, "a", 90), Ok(Epoch(2)));
}

/// Taking when free, run out or by force each add one; a refusal adds nothing.
pub fn epoch_grows_by_one_whenever_taken<L: Log>(fresh: impl Fn() -> L) {
    let mut log = fresh();
    assert_eq!(take(&mut log, "a", 0), Ok(Epoch(1)));
    assert!(take(&mut log, "a", 1).is_err());
    let stolen = log.lease("a", "thief", at(2), MINUTE, true);
    assert_eq!(stolen, Ok(Epoch(2)));
    assert_eq!(take(&mut log, "a", 100), Ok(Epoch(3)));
    log.release("a", Epoch(3)).expect(WORKS);
    assert_eq!(take(&mut log, "a", 100), Ok(Epoch(4)));
    let first = log.lease("b", "thief", at(0), MINUTE, true);
    assert_eq!(first, Ok(Epoch(1)));
}

/// Whoever lost a lease can neither append, renew nor release it.
pub fn taken_lease_fences_its_last_holder<L: Log>(fresh: impl Fn() -> L) {
    let mut log = fresh();
    let old = take(&mut log, "a", 0).expect(WORKS);
    let new = take(&mut log, "a", 60).expect(WORKS);
    let append = log.append(vec![said(61, "late")], None, Some(("a", old)));
    assert_eq!(append, Err(StoreError::Fenced));
    assert_eq!(log.renew("a", old, at(61), MINUTE), Err(StoreError::Fenced));
    assert_eq!(log.release("a", old), Ok(()));
    let lease = Lease {
        name: "a".to_owned(),
        holder: "someone".to_owned(),
        epoch: new,
        until: at(120),
    };
    assert_eq!(log.leases("", at(61)), Ok(vec![lease]));
    let append = log.append(vec![said(61, "in time")], None, Some(("a", new)));
    assert_eq!(append.expect(WORKS).len(), 1);
}

/// The clock alone fences nobody: a slow holder may go on while nobody took over.
pub fn lease_that_ran_out_still_counts_until_taken<L: Log>(fresh: impl Fn() -> L) {
    let mut log = fresh();
    let epoch = take(&mut log, "a", 0).expect(WORKS);
    assert_eq!(log.leases("", at(1000)), Ok(vec![]));
    let append = log.append(vec![said(1000, "slow")], None, Some(("a", epoch)));
    assert_eq!(append.expect(WORKS).len(), 1);
    log.renew("a", epoch, at(1000), MINUTE).expect(WORKS);
    assert!(take(&mut log, "a", 1001).is_err());
}

/// A lease given back is free at once, and its epoch ends nothing and appends nothing.
pub fn released_lease_is_over<L: Log>(fresh: impl Fn() -> L) {
    let mut log = fresh();
    assert_eq!(log.release("a", Epoch(1)), Ok(()));
    let epoch = take(&mut log, "a", 0).expect(WORKS);
    log.release("a", epoch).expect(WORKS);
    log.release("a", epoch).expect(WORKS);
    assert_eq!(log.leases("", at(0)), Ok(vec![]));
    assert_eq!(
        log.renew("a", epoch, at(1), MINUTE),
        Err(StoreError::Fenced)
    );
    let append = log.append(vec![said(1, "no")], None, Some(("a", epoch)));
    assert_eq!(append, Err(StoreError::Fenced));
    assert_eq!(take(&mut log, "a", 0), Ok(Epoch(2)));
}

/// A clock that went back keeps a lease held longer, one that went ahead ends
/// it early; force and renewal put both right, and nothing leaves the calendar.
pub fn clock_may_jump_either_way<L: Log>(fresh: impl Fn() -> L) {
    let mut log = fresh();
    let epoch = take(&mut log, "a", 1_000_000).expect(WORKS);
    for now in [at(0), at(-1), Timestamp::MIN] {
        let held = log.lease("a", "other", now, MINUTE, false);
        assert!(matches!(held, Err(StoreError::Held { .. })), "{now}");
        assert_eq!(log.leases("", now).expect(WORKS).len(), 1);
    }
    log.renew("a", epoch, at(0), MINUTE).expect(WORKS);
    assert_eq!(take(&mut log, "a", 60), Ok(Epoch(2)));

    let ever = Duration::from_millis(u64::MAX);
    let epoch = log.lease("a", "b", Timestamp::MAX, ever, true);
    assert_eq!(epoch, Ok(Epoch(3)));
    let stolen = log.lease("a", "c", Timestamp::MIN, Duration::default(), true);
    assert_eq!(stolen, Ok(Epoch(4)));
    assert_eq!(take(&mut log, "a", 0), Ok(Epoch(5)));
    // A lease of no length is over as soon as it is taken.
    let none = log.lease("b", "d", at(0), Duration::default(), false);
    assert_eq!(none, Ok(Epoch(1)));
    assert_eq!(take(&mut log, "b", 0), Ok(Epoch(2)));
}

/// Leases that have not ended are listed by name; a prefix means itself.
pub fn leases_are_listed_by_prefix<L: Log>(fresh: impl Fn() -> L) {
    let mut log = fresh();
    for name in ["run/b", "run/a", "run%", "run", "room/a", "rum", "Run/a"] {
        let _epoch = take(&mut log, name, 0).expect(WORKS);
    }
    log.renew("run/b", Epoch(1), at(60), MINUTE).expect(WORKS);
    let mut names = |prefix: &str, now: i64| -> Vec<String> {
        let leases = log.leases(prefix, at(now)).expect(WORKS);
        leases.into_iter().map(|lease| lease.name).collect()
    };
    assert_eq!(names("run/", 0), ["run/a", "run/b"]);
    assert_eq!(names("run", 0), ["run", "run%", "run/a", "run/b"]);
    assert_eq!(names("run%", 0), ["run%"]);
    assert_eq!(names("r_n", 0), Vec::<String>::new());
    assert_eq!(names("", 59).len(), 7);
    assert_eq!(names("", 60), ["run/b"]);
}

/// Blobs come back by their digest, kept once or twice, and too big ones never go in.
pub fn blobs_are_kept_by_digest<L: Log>(fresh: impl Fn() -> L) {
    let mut log = fresh();
    for bytes in [&b""[..], b"\0\xff", b"text", &[7; 100_000]] {
        let digest = Digest::of(bytes);
        assert_eq!(log.get(&digest), Ok(None));
        assert_eq!(log.put(bytes), Ok(digest.clone()));
        assert_eq!(log.put(bytes), Ok(digest.clone()));
        assert_eq!(log.get(&digest), Ok(Some(bytes.to_vec())));
    }
    let huge = vec![0; VALUE_BYTES_MAX + 1];
    assert!(matches!(log.put(&huge), Err(StoreError::Refused(_))));
    assert!(matches!(
        log.remember("key", &genesis(), &huge),
        Err(StoreError::Refused(_))
    ));
    assert_eq!(log.head(), Ok((Seq(0), genesis())));
}

/// A cache comes back with its head and place, the last one only, and none for
/// a head that is not in the ledger.
pub fn cache_is_bound_to_a_head<L: Log>(fresh: impl Fn() -> L) {
    let mut log = fresh();
    assert_eq!(log.recall("fold"), Ok(None));
    log.remember("fold", &genesis(), b"nothing").expect(WORKS);
    let recalled = Some((genesis(), Seq(0), b"nothing".to_vec()));
    assert_eq!(log.recall("fold"), Ok(recalled));

    fill(&mut log, 2);
    let (seq, head) = log.head().expect(WORKS);
    log.remember("fold", &head, b"two").expect(WORKS);
    fill(&mut log, 1);
    let recalled = Some((head, seq, b"two".to_vec()));
    assert_eq!(log.recall("fold"), Ok(recalled.clone()));
    assert_eq!(log.recall("other"), Ok(None));

    log.remember("fold", &Digest::of(b"elsewhere"), b"foreign")
        .expect(WORKS);
    assert_eq!(log.recall("fold"), Ok(recalled));
}

/// Every commit moves the number, and looking does not.
pub fn commits_are_noticed<L: Log>(fresh: impl Fn() -> L) {
    let mut log = fresh();
    let mut seen = vec![log.changed().expect(WORKS)];
    assert_eq!(log.changed(), Ok(seen[0]));
    fill(&mut log, 1);
    seen.push(log.changed().expect(WORKS));
    let _epoch = take(&mut log, "a", 0).expect(WORKS);
    seen.push(log.changed().expect(WORKS));
    let _digest = log.put(b"blob").expect(WORKS);
    seen.push(log.changed().expect(WORKS));
    let (_entries, _head) = (log.read(Seq(0), 9), log.head());
    assert_eq!(log.changed(), Ok(seen[3]));
    seen.dedup();
    assert_eq!(seen.len(), 4);
}

/// Checks the whole chain from its stored bytes.
///
/// # Panics
/// When it is broken.
pub fn walk(log: &mut impl Log) -> Walker {
    let mut walker = Walker::default();
    for bytes in log.read_bytes(Seq(0), usize::MAX).expect(WORKS) {
        let _entry = walker.step(&bytes).expect("a sound chain");
    }
    walker
}

fn fill(log: &mut impl Log, entries: i64) {
    let drafts = (0..entries).map(|n| said(n, &format!("line {n}")));
    let _entries = log.append(drafts.collect(), None, None).expect(WORKS);
}

fn take(log: &mut impl Log, name: &str, now: i64) -> Result<Epoch, StoreError> {
    log.lease(name, "someone", at(now), MINUTE, false)
}
