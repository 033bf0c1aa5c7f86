//! Files that were changed by something else than this program.

use std::fs;

use super::*;

/// A closed ledger of 40 entries and a blob: its folder, its file, and what is in it.
fn sound() -> (TempDir, PathBuf, Vec<Entry>) {
    let mut log = InFolder::new();
    for n in 1..=40 {
        let _entry = say(&mut log.log, &format!("entry number {n} of this ledger")).unwrap();
    }
    let _digest = log.log.put(b"a blob to be damaged").unwrap();
    let entries = log.log.read(Seq(0), 100).unwrap();
    let (folder, path) = log.close();
    (folder, path, entries)
}

fn edit(path: &Path, sql: &str) {
    Connection::open(path).unwrap().execute_batch(sql).unwrap();
}

/// The entry that reading stumbles over.
fn stumbles(path: &Path) -> u64 {
    let mut log = SqliteLog::open(path).unwrap();
    match log.read(Seq(0), 100) {
        Err(StoreError::Corrupt { seq: Some(seq), .. }) => seq.0,
        other => panic!("{other:?}"),
    }
}

/// Flips a bit wherever these bytes stand in the file, leftovers in unused space included.
fn flip(file: &mut [u8], bytes: &[u8], offset: usize) {
    let places: Vec<usize> = (0..file.len())
        .filter(|at| file[*at..].starts_with(bytes))
        .collect();
    assert!(!places.is_empty());
    for place in places {
        file[place + offset] ^= 1;
    }
}

#[test]
fn flipped_byte_of_an_entry_is_found_at_its_entry() {
    let (_folder, path, entries) = sound();
    let whole = fs::read(&path).unwrap();
    for entry in &entries {
        let bytes = entry.bytes();
        for offset in [0, bytes.len() / 2, bytes.len() - 1] {
            let mut bad = whole.clone();
            flip(&mut bad, &bytes, offset);
            fs::write(&path, &bad).unwrap();
            assert_eq!(stumbles(&path), entry.seq.0, "byte {offset}");
        }
    }
}

#[test]
fn flipped_byte_of_a_blob_is_found() {
    let (_folder, path, _entries) = sound();
    let mut bytes = fs::read(&path).unwrap();
    flip(&mut bytes, b"a blob to be damaged", 3);
    fs::write(&path, &bytes).unwrap();
    let mut log = SqliteLog::open(&path).unwrap();
    let got = log.get(&Digest::of(b"a blob to be damaged"));
    assert!(
        matches!(got, Err(StoreError::Corrupt { seq: None, .. })),
        "{got:?}"
    );
}

/// Wherever in the file a bit flips: either it is noticed, or what is read is right.
#[test]
fn no_flipped_bit_makes_a_wrong_entry() {
    let (_folder, path, entries) = sound();
    let whole = fs::read(&path).unwrap();
    let mut noticed = 0;
    for offset in (0..whole.len()).step_by(97) {
        let mut bad = whole.clone();
        bad[offset] ^= 1 << (offset % 8);
        fs::write(&path, &bad).unwrap();
        match SqliteLog::open(&path).and_then(|mut log| log.read(Seq(0), 100)) {
            Ok(read) => assert_eq!(read, entries, "byte {offset}"),
            Err(_noticed) => noticed += 1,
        }
    }
    assert!(noticed > 50, "{noticed}");
}

#[test]
fn cut_file_is_noticed() {
    let (_folder, path, _entries) = sound();
    let whole = fs::read(&path).unwrap();
    // SQLite takes a file of one byte for an empty one.
    for keep in (2..whole.len()).step_by(509) {
        fs::write(&path, &whole[..keep]).unwrap();
        let read = SqliteLog::open(&path).and_then(|mut log| {
            let _entries = log.read(Seq(0), 100)?;
            log.get(&Digest::of(b"a blob to be damaged"))
        });
        assert!(read.is_err(), "{keep} of {}", whole.len());
    }
}

/// A crash may leave any beginning of the write-ahead log: whole appends are
/// lost, never halves, and the rest is sound.
#[test]
fn torn_write_ahead_log_holds_whole_appends() {
    let mut log = InFolder::new();
    for n in 0..4 {
        let pair = vec![laws::said(n, "one"), laws::said(n, "two")];
        let _entries = log.log.append(pair, None, None).unwrap();
    }
    let wal = |path: &Path| path.with_extension("db-wal");
    let (file, ahead) = (
        fs::read(log.path()).unwrap(),
        fs::read(wal(&log.path())).unwrap(),
    );
    let copy = log.folder.path().join("copy.db");
    let mut seen = std::collections::BTreeSet::new();
    for keep in (0..=ahead.len()).rev().step_by(1001) {
        let _old = fs::remove_file(copy.with_extension("db-shm"));
        fs::write(&copy, &file).unwrap();
        fs::write(wal(&copy), &ahead[..keep]).unwrap();
        let mut torn = SqliteLog::open(&copy).unwrap();
        let count = laws::walk(&mut torn).count();
        assert_eq!(torn.head().unwrap().0, Seq(count));
        let _new = seen.insert(count);
        let _entry = say(&mut torn, "on").unwrap();
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), [0, 2, 4, 6, 8]);
}

#[test]
fn removed_entries_are_missed() {
    for (gone, named) in [
        ("seq = 1", 1),
        ("seq = 7", 7),
        ("seq = 40", 40),
        ("seq > 30", 31),
        ("1", 1),
    ] {
        let (_folder, path, _entries) = sound();
        edit(&path, &format!("DELETE FROM entries WHERE {gone}"));
        assert_eq!(stumbles(&path), named, "{gone}");
    }
    let (_folder, path, _entries) = sound();
    edit(&path, "DELETE FROM entries WHERE seq = 40");
    let mut log = SqliteLog::open(&path).unwrap();
    let missing = |error: StoreError| {
        matches!(
            error,
            StoreError::Corrupt {
                seq: Some(Seq(40)),
                ..
            }
        )
    };
    assert!(missing(log.head().unwrap_err()));
    assert!(missing(log.read_bytes(Seq(0), 100).unwrap_err()));
    assert!(missing(say(&mut log, "over it").unwrap_err()));
    // What is before the damage can still be read.
    assert_eq!(log.read(Seq(0), 39).unwrap().len(), 39);
}

#[test]
fn forged_entry_with_a_right_digest_breaks_the_chain() {
    let (_folder, path, entries) = sound();
    let mut forged = entries[6].clone();
    forged.by = "mallory".into();
    let bytes = forged.bytes();
    let conn = Connection::open(&path).unwrap();
    let changed = conn
        .execute(
            "UPDATE entries SET bytes = ?1, digest = ?2 WHERE seq = 7",
            params![bytes, Digest::of(&bytes).as_str()],
        )
        .unwrap();
    assert_eq!(changed, 1);
    drop(conn);
    assert_eq!(stumbles(&path), 8);
    // Also for a reader who begins right behind it.
    let mut log = SqliteLog::open(&path).unwrap();
    let read = log.read(Seq(7), 10);
    assert!(matches!(
        read,
        Err(StoreError::Corrupt {
            seq: Some(Seq(8)),
            ..
        })
    ));
}

#[test]
fn swapped_entries_are_noticed() {
    let (_folder, path, _entries) = sound();
    edit(
        &path,
        "UPDATE entries SET seq = -1 WHERE seq = 3; UPDATE entries SET seq = 3 WHERE seq = 4;
         UPDATE entries SET seq = 4 WHERE seq = -1",
    );
    assert_eq!(stumbles(&path), 3);
}

#[test]
fn entry_of_a_newer_format_is_refused_by_it() {
    let later = serde_json::json!({"v": 9, "event": {"kind": "teleported"}}).to_string();
    let insert = |log: &SqliteLog, bytes: &[u8]| {
        let rows = log.conn.execute(
            "INSERT INTO entries (handoff, bytes, digest) VALUES ('', ?1, ?2)",
            params![bytes, Digest::of(bytes).as_str()],
        );
        assert_eq!(rows, Ok(1));
    };
    let mut log = SqliteLog::memory().unwrap();
    insert(&log, later.as_bytes());
    let found = log.read(Seq(0), 9).unwrap_err();
    assert!(
        matches!(
            found,
            StoreError::Format {
                found: 9,
                known: EVENT_FORMAT,
                ..
            }
        ),
        "{found:?}"
    );

    log.restore(&Image::default()).unwrap();
    let mut entry = Entry::seal(laws::said(1, "x"), Seq(1), genesis());
    entry.v = EVENT_FORMAT + 1;
    insert(&log, &entry.bytes());
    let found = log.read(Seq(0), 9).unwrap_err();
    assert!(matches!(found, StoreError::Format { .. }), "{found:?}");

    log.restore(&Image::default()).unwrap();
    insert(&log, b"{\"v\":1,\"event\":{\"kind\":\"teleported\"}}");
    let found = log.read(Seq(0), 9).unwrap_err();
    assert!(
        matches!(
            found,
            StoreError::Corrupt {
                seq: Some(Seq(1)),
                ..
            }
        ),
        "{found:?}"
    );
}

#[test]
fn cache_of_another_ledger_or_with_flipped_bytes_is_not_trusted() {
    let (_folder, path, entries) = sound();
    let head = Digest::of(&entries[9].bytes());
    let remember = || {
        let mut log = SqliteLog::open(&path).unwrap();
        log.remember("fold", &head, b"state").unwrap();
        assert!(log.recall("fold").unwrap().is_some());
    };
    for harm in [
        "UPDATE caches SET bytes = x'00'",
        "UPDATE caches SET seq = 11",
        "UPDATE caches SET seq = 0",
        "UPDATE caches SET head = 'no digest'",
        "UPDATE entries SET digest = 'sha256:0' WHERE seq = 10",
    ] {
        remember();
        edit(&path, harm);
        let mut log = SqliteLog::open(&path).unwrap();
        assert_eq!(log.recall("fold"), Ok(None), "{harm}");
    }
}

#[test]
fn triggers_that_came_with_a_file_do_not_run() {
    let (_folder, path, _entries) = sound();
    edit(
        &path,
        "CREATE TRIGGER t AFTER INSERT ON entries BEGIN DELETE FROM blobs; END",
    );
    let mut log = SqliteLog::open(&path).unwrap();
    let _entry = say(&mut log, "on").unwrap();
    let blob = log.get(&Digest::of(b"a blob to be damaged"));
    assert!(blob.unwrap().is_some());
}

#[test]
fn rows_of_a_wrong_type_are_damage() {
    let (_folder, path, _entries) = sound();
    edit(
        &path,
        "ALTER TABLE entries RENAME TO old; CREATE TABLE entries AS SELECT * FROM old;
         UPDATE entries SET bytes = 7 WHERE seq = 5",
    );
    assert_eq!(stumbles(&path), 5);
}
