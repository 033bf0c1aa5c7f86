//! What needs a file, two connections, a full disk or damage; the rest is in `laws`.

mod damage;
mod files;
mod sharing;

use tempfile::TempDir;

use super::*;
use crate::laws;

/// A folder that lasts as long as the log in it.
struct InFolder {
    log: SqliteLog,
    folder: TempDir,
}

impl InFolder {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = SqliteLog::open(&folder.path().join("ledger.db")).unwrap();
        Self { log, folder }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("ledger.db")
    }

    fn again(&self) -> SqliteLog {
        SqliteLog::open(&self.path()).unwrap()
    }

    /// Closes the log, so that everything is in the one file, and leaves the folder.
    fn close(self) -> (TempDir, PathBuf) {
        let path = self.path();
        let Self { log, folder } = self;
        drop(log);
        (folder, path)
    }
}

fn say(log: &mut SqliteLog, text: &str) -> Result<Vec<Entry>, StoreError> {
    log.append(vec![laws::said(1, text)], None, None)
}

fn why(error: &StoreError) -> String {
    std::error::Error::source(error).unwrap().to_string()
}

#[test]
fn memory_keeps_the_laws() {
    laws::all(|| SqliteLog::memory().unwrap());
}

#[test]
fn memory_that_was_emptied_keeps_the_laws() {
    laws::all(|| {
        let mut log = SqliteLog::memory().unwrap();
        let _entries = say(&mut log, "before").unwrap();
        let _epoch = log
            .lease("run_1", "x", laws::at(0), Duration::from_secs(9), false)
            .unwrap();
        let _digest = log.put(b"text").unwrap();
        log.remember("fold", &genesis(), b"before").unwrap();
        log.restore(&Image::default()).unwrap();
        log
    });
}

#[test]
fn memory_goes_back_and_forth_between_images() {
    let everything = |log: &mut SqliteLog| {
        (
            log.read_bytes(Seq(0), 99).unwrap(),
            log.head().unwrap(),
            log.leases("", laws::at(0)).unwrap(),
            log.get(&Digest::of(b"plan")).unwrap(),
        )
    };
    let mut log = SqliteLog::memory().unwrap();
    let mut moments = vec![(Image::default(), everything(&mut log))];
    let mut keep = |log: &mut SqliteLog, from: usize| {
        let image = log.image(&moments[from].0).unwrap();
        let all = everything(log);
        moments.push((image, all));
        moments.clone()
    };
    let _entries = say(&mut log, "one").unwrap();
    let _epoch = log
        .lease("run_1", "x", laws::at(0), Duration::from_secs(9), false)
        .unwrap();
    let _all = keep(&mut log, 0);
    let _entries = say(&mut log, "two").unwrap();
    let _digest = log.put(b"plan").unwrap();
    let all = keep(&mut log, 1);
    // Another branch from the second moment.
    log.restore(&all[1].0).unwrap();
    let _entries = say(&mut log, "another two").unwrap();
    let _entries = say(&mut log, "three").unwrap();
    let _epoch = log
        .lease("run_1", "y", laws::at(0), Duration::from_secs(9), true)
        .unwrap();
    let all = keep(&mut log, 1);
    for from in &all {
        for (image, held) in &all {
            log.restore(&from.0).unwrap();
            log.restore(image).unwrap();
            assert_eq!(everything(&mut log), *held);
        }
    }
}

#[test]
fn file_keeps_the_laws() {
    let folder = tempfile::tempdir().unwrap();
    let made = std::cell::Cell::new(0);
    laws::all(|| {
        made.set(made.get() + 1);
        SqliteLog::open(&folder.path().join(format!("{}.db", made.get()))).unwrap()
    });
}

#[test]
fn no_law_is_forgotten() {
    let text = include_str!("../laws.rs");
    let laws: Vec<&str> = text
        .split("pub fn ")
        .skip(1)
        .filter_map(|rest| rest.split_once("<L: Log>(fresh"))
        .map(|(name, _rest)| name)
        .filter(|name| *name != "all")
        .collect();
    assert!(laws.len() > 15);
    for law in laws {
        assert!(text.contains(&format!("    {law}(&fresh);")), "{law}");
    }
}

#[test]
fn biggest_blob_goes_in() {
    let mut log = SqliteLog::memory().unwrap();
    let digest = log.put(&vec![1; VALUE_BYTES_MAX]).unwrap();
    assert_eq!(
        log.get(&digest).unwrap().map(|bytes| bytes.len()),
        Some(VALUE_BYTES_MAX)
    );
}

#[test]
fn only_what_is_known_is_said_of_a_failed_commit() {
    let path = Path::new("ledger.db");
    let failure = |code| {
        let error = rusqlite::ffi::Error::new(code);
        not_committed(rusqlite::Error::SqliteFailure(error, None), path)
    };
    let full = failure(rusqlite::ffi::SQLITE_FULL);
    assert!(matches!(full, StoreError::Full { .. }));
    let busy = failure(rusqlite::ffi::SQLITE_BUSY);
    assert!(matches!(busy, StoreError::Busy { .. }));
    for code in [
        rusqlite::ffi::SQLITE_IOERR_FSYNC,
        rusqlite::ffi::SQLITE_IOERR_WRITE,
        rusqlite::ffi::SQLITE_IOERR_SHMSIZE,
        rusqlite::ffi::SQLITE_NOMEM,
        rusqlite::ffi::SQLITE_CORRUPT,
    ] {
        assert!(matches!(failure(code), StoreError::Lost(_)));
    }
}

#[test]
fn messages_name_the_file_and_keep_the_reason_apart() {
    let mut log = InFolder::new();
    let path = log.path();
    let error = log.log.restore(&Image::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("cannot write to the ledger {}", path.display())
    );
    assert_eq!(why(&error), "a ledger in a file never goes back");
    let damaged = Fail::entry(Seq(7), "it burnt").at(&path);
    assert_eq!(
        damaged.to_string(),
        format!("the ledger {} is damaged at entry 7", path.display())
    );
}
