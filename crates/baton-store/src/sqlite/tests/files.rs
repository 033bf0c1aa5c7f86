//! Files that cannot be opened, are no ledgers, or run out of space.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::*;

fn bad(opened: Result<SqliteLog, StoreError>) -> StoreError {
    opened.expect_err("it must not open")
}

#[test]
fn what_was_written_is_there_when_opened_again() {
    let mut log = InFolder::new();
    let written = say(&mut log.log, "kept").unwrap();
    let digest = log.log.put(b"blob").unwrap();
    let (_folder, path) = log.close();
    for mut log in [
        SqliteLog::open(&path).unwrap(),
        SqliteLog::open_read_only(&path).unwrap(),
    ] {
        assert_eq!(log.read(Seq(0), 9).as_ref(), Ok(&written));
        assert_eq!(log.get(&digest), Ok(Some(b"blob".to_vec())));
    }
}

#[test]
fn commits_are_synced_to_a_write_ahead_log() {
    let log = InFolder::new();
    let pragma = |name: &str| -> String {
        let sql = format!("SELECT CAST({name} AS TEXT) FROM pragma_{name}");
        log.log.conn.query_row(&sql, [], |row| row.get(0)).unwrap()
    };
    assert_eq!(pragma("journal_mode"), "wal");
    assert_eq!(pragma("synchronous"), "2");
    assert_eq!(pragma("user_version"), "1");
    assert_eq!(pragma("application_id"), 0x4241_544E.to_string());
}

#[test]
fn names_with_a_meaning_to_sqlite_are_plain_files() {
    let folder = tempfile::tempdir().unwrap();
    for name in [":memory:", "file:a?mode=memory", "a%20b", "\u{fc}.db"] {
        let path = folder.path().join(name);
        let mut log = SqliteLog::open(&path).unwrap();
        let _entries = say(&mut log, "kept").unwrap();
        drop(log);
        assert!(path.is_file(), "{name}");
    }
}

#[test]
fn unusable_paths_are_refused_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "not empty").unwrap();
    let cases = [
        (file.join("ledger.db"), "its folder cannot be used"),
        (
            folder.path().join("none/ledger.db"),
            "its folder cannot be used",
        ),
        (folder.path().to_owned(), "it is not a file"),
        (PathBuf::new(), "it is not a file"),
    ];
    for (path, reason) in cases {
        for opened in [SqliteLog::open(&path), SqliteLog::open_read_only(&path)] {
            let error = bad(opened);
            assert!(
                matches!(&error, StoreError::CannotUse { path: named, .. } if *named == path),
                "{error:?}"
            );
            assert!(why(&error).contains(reason), "{}", why(&error));
        }
    }
    let missing = bad(SqliteLog::open_read_only(&folder.path().join("missing")));
    assert!(
        why(&missing).contains("there is no such file"),
        "{}",
        why(&missing)
    );
    assert!(!folder.path().join("missing").exists());
}

/// In `/proc` not even root may make a file.
#[cfg(target_os = "linux")]
#[test]
fn folder_that_takes_no_file_is_named_as_the_reason() {
    let error = bad(SqliteLog::open(Path::new("/proc/ledger.db")));
    assert!(matches!(&error, StoreError::CannotUse { .. }), "{error:?}");
    let why = why(&error);
    assert!(why.contains("none could be made"), "{why}");
}

#[test]
fn reading_only_never_writes() {
    let mut log = InFolder::new();
    let _entries = say(&mut log.log, "kept").unwrap();
    let (_folder, path) = log.close();
    let mut log = SqliteLog::open_read_only(&path).unwrap();
    let read_only = |error: StoreError| matches!(error, StoreError::ReadOnly { .. });
    assert!(read_only(say(&mut log, "no").unwrap_err()));
    assert!(read_only(log.put(b"no").unwrap_err()));
    let lasts = Duration::from_secs(9);
    let taken = log.lease("a", "x", laws::at(0), lasts, true);
    assert!(read_only(taken.unwrap_err()));
    assert_eq!(log.head().unwrap().0, Seq(1));
}

/// What the file's mode forbids a user, it does not forbid root; either way the
/// outcome is that of the system.
#[test]
fn file_without_write_permission_is_read_only() {
    let (_folder, path) = InFolder::new().close();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).unwrap();
    let may_write = fs::OpenOptions::new().write(true).open(&path).is_ok();
    match SqliteLog::open(&path) {
        Ok(mut log) => {
            assert!(may_write);
            assert!(say(&mut log, "root may").is_ok());
        }
        Err(error) => {
            assert!(!may_write);
            assert!(matches!(error, StoreError::ReadOnly { .. }), "{error:?}");
            // A file left beside it would be read-only too, and stay so.
            let beside = fs::read_dir(path.parent().unwrap()).unwrap().count();
            assert_eq!(beside, 1);
            fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
            assert!(say(&mut SqliteLog::open(&path).unwrap(), "now they may").is_ok());
        }
    }
}

#[test]
fn strange_files_are_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let foreign = |sql: &str| {
        let _old = fs::remove_file(&path);
        Connection::open(&path).unwrap().execute_batch(sql).unwrap();
        fs::read(&path).unwrap()
    };
    let files = [
        (b"just some text".to_vec(), "not a ledger"),
        (vec![0xff; 10_000], "not a ledger"),
        (foreign("CREATE TABLE t (x)"), "another program"),
        (foreign("PRAGMA user_version = 3"), "another program"),
        (
            foreign("PRAGMA application_id = 77; CREATE TABLE t (x)"),
            "(application id 77)",
        ),
        (
            foreign("PRAGMA journal_mode = WAL; CREATE TABLE t (x)"),
            "another program",
        ),
    ];
    for (bytes, reason) in files {
        fs::write(&path, &bytes).unwrap();
        for opened in [SqliteLog::open(&path), SqliteLog::open_read_only(&path)] {
            let error = bad(opened);
            assert!(
                matches!(error, StoreError::CannotUse { .. }),
                "{reason}: {error:?}"
            );
            assert!(why(&error).contains(reason), "{}", why(&error));
        }
        assert_eq!(fs::read(&path).unwrap(), bytes);
    }
}

#[test]
fn newer_schema_is_refused_by_its_number() {
    let (_folder, path) = InFolder::new().close();
    let conn = Connection::open(&path).unwrap();
    conn.pragma_update(None, "user_version", 9).unwrap();
    drop(conn);
    for opened in [SqliteLog::open(&path), SqliteLog::open_read_only(&path)] {
        assert_eq!(
            bad(opened),
            StoreError::Format {
                path: path.clone(),
                found: 9,
                known: 1
            }
        );
    }
}

#[test]
fn empty_file_becomes_a_ledger_unless_only_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    fs::write(&path, "").unwrap();
    assert_eq!(why(&bad(SqliteLog::open_read_only(&path))), "it is empty");
    let mut log = SqliteLog::open(&path).unwrap();
    assert_eq!(log.head(), Ok((Seq(0), genesis())));
}

#[test]
fn full_disk_loses_nothing_and_is_survived() {
    let mut log = InFolder::new();
    let _entries = say(&mut log.log, "before").unwrap();
    let pages = |log: &SqliteLog, most: i64| {
        log.conn
            .query_row(&format!("PRAGMA max_page_count = {most}"), [], |row| {
                row.get::<_, i64>(0)
            })
            .unwrap()
    };
    let _most = pages(&log.log, 20);
    let mut count = 1;
    let text = "x".repeat(3000);
    let full = loop {
        match say(&mut log.log, &text) {
            Ok(_entry) => count += 1,
            Err(error) => break error,
        }
        assert!(count < 1000);
    };
    let path = log.path();
    assert_eq!(full, StoreError::Full { path: path.clone() });
    let big = vec![1; 100_000];
    assert_eq!(log.log.put(&big), Err(StoreError::Full { path }));
    assert_eq!(log.log.get(&Digest::of(&big)), Ok(None));

    assert!(count > 3);
    assert_eq!(laws::walk(&mut log.log).count(), count);
    assert_eq!(laws::walk(&mut log.again()).count(), count);
    let _most = pages(&log.log, 10_000);
    let _entries = say(&mut log.log, "there is space again").unwrap();
    assert_eq!(laws::walk(&mut log.again()).count(), count + 1);
}
