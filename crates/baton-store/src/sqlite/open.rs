//! Opening a file: is it a ledger, may it be used, and is its schema the present one?
//!
//! A file that is something else is left exactly as it was.

use std::fs;
use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use super::fail::failed;
use crate::StoreError;

/// How long to wait for another process that writes.
const BUSY_WAIT: Duration = Duration::from_secs(5);
/// Turning a new file's write-ahead log on is the one thing SQLite does not wait
/// for; it is tried again this often, with this pause: as long as the above.
const WAL_TRIES: u32 = 250;
const WAL_PAUSE: Duration = Duration::from_millis(20);
/// "BATN", as `0001.sql` writes it.
const APPLICATION_ID: i64 = 0x4241_544E;
/// Each brings the schema from its index to the next version.
const MIGRATIONS: [&str; 1] = [include_str!("../../migrations/sqlite/0001.sql")];
/// More than there are statements, so that each is prepared once.
const STATEMENTS_MAX: usize = 32;

pub(super) fn for_writing(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let mut conn = connect(path, flags)?;
    let sql = |error: rusqlite::Error| strange(&error, path);
    if Kind::of(&conn).map_err(sql)? != Kind::Ledger(version()) {
        migrate(&mut conn, path)?;
    }
    write_ahead(&conn, path)?;
    Ok(conn)
}

pub(super) fn for_reading(path: &Path) -> Result<Connection, StoreError> {
    let conn = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    match Kind::of(&conn).map_err(|error| strange(&error, path))? {
        Kind::Ledger(found) if found == version() => Ok(conn),
        Kind::Ledger(found) if found > version() => Err(newer(path, found)),
        Kind::Ledger(found) => Err(cannot(
            path,
            format!(
                "its schema ({found}) must first be brought up to date by a program that may write it"
            ),
        )),
        Kind::Empty => Err(cannot(path, "it is empty".to_owned())),
        Kind::Other(what) => Err(cannot(path, what)),
    }
}

pub(super) fn in_memory(path: &Path) -> Result<Connection, StoreError> {
    let made = Connection::open_in_memory().and_then(|mut conn| {
        settle(&conn)?;
        let tx = conn.transaction()?;
        bring_up(&tx, 0)?;
        tx.commit()?;
        Ok(conn)
    });
    made.map_err(|error| failed(&error, path.to_owned()))
}

/// What a file is.
#[derive(Debug, PartialEq)]
enum Kind {
    /// A ledger with a schema of this version.
    Ledger(u32),
    /// Nothing yet.
    Empty,
    /// Something of somebody else, in words.
    Other(String),
}

impl Kind {
    fn of(conn: &Connection) -> Result<Self, rusqlite::Error> {
        // One statement, hence one snapshot, even while another process makes the ledger.
        let (id, version, tables): (i64, i64, i64) = conn.query_row(
            "SELECT a.application_id, u.user_version, (SELECT count(*) FROM sqlite_schema)
             FROM pragma_application_id AS a, pragma_user_version AS u",
            [],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )?;
        Ok(match (id, u32::try_from(version)) {
            (APPLICATION_ID, Ok(version)) => Self::Ledger(version),
            (0, Ok(0)) if tables == 0 => Self::Empty,
            _ => Self::Other(format!(
                "it is an SQLite file of another program (application id {id})"
            )),
        })
    }
}

/// The version of the schema that this program writes.
fn version() -> u32 {
    u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX)
}

fn connect(path: &Path, flags: OpenFlags) -> Result<Connection, StoreError> {
    // `./` in front of a relative path, because SQLite gives a meaning of its
    // own to the names `:memory:` and `file:…`.
    let plain = Path::new(".").join(path);
    let conn = Connection::open_with_flags(plain, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)
        .map_err(|error| strange(&error, path))?;
    let sql = |error: rusqlite::Error| strange(&error, path);
    // Before the first statement: that makes files beside the ledger with its
    // rights, and they would stay read-only when the ledger no longer is.
    let writes = flags.contains(OpenFlags::SQLITE_OPEN_READ_WRITE);
    if writes && conn.is_readonly("main").map_err(sql)? {
        return Err(StoreError::ReadOnly {
            path: path.to_owned(),
            why: "the file may be read and not written".into(),
        });
    }
    settle(&conn).map_err(sql)?;
    Ok(conn)
}

/// Settings of the connection, none of which touches the file.
fn settle(conn: &Connection) -> Result<(), rusqlite::Error> {
    conn.busy_timeout(BUSY_WAIT)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    // A ledger that came from elsewhere must not bring code of its own. And no
    // statement is planned anew for the values it is given: each has one good plan.
    for (config, on) in [
        (DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, true),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false),
        (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
    ] {
        let _now = conn.set_db_config(config, on)?;
    }
    conn.execute_batch("PRAGMA synchronous = FULL")
}

/// Makes the schema, or brings an older one up to date, in one transaction that
/// waits for others who do the same.
fn migrate(conn: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let sql = |error: rusqlite::Error| strange(&error, path);
    let tx = conn
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(sql)?;
    match Kind::of(&tx).map_err(sql)? {
        Kind::Other(what) => Err(cannot(path, what)),
        Kind::Ledger(found) if found > version() => Err(newer(path, found)),
        Kind::Ledger(found) => bring_up(&tx, found).map_err(sql),
        Kind::Empty => bring_up(&tx, 0).map_err(sql),
    }?;
    tx.commit().map_err(sql)
}

fn bring_up(conn: &Connection, from: u32) -> Result<(), rusqlite::Error> {
    let done = usize::try_from(from).unwrap_or(usize::MAX);
    for migration in MIGRATIONS.iter().skip(done) {
        conn.execute_batch(migration)?;
    }
    conn.pragma_update(None, "user_version", version())
}

fn write_ahead(conn: &Connection, path: &Path) -> Result<(), StoreError> {
    let mut tries = 0;
    loop {
        let mode = conn.query_row("PRAGMA journal_mode = WAL", [], |row| {
            row.get::<_, String>(0)
        });
        tries += 1;
        match mode {
            Ok(mode) if mode == "wal" => return Ok(()),
            Ok(_other) => {
                return Err(cannot(
                    path,
                    "its file system does not let SQLite keep a write-ahead log".to_owned(),
                ));
            }
            Err(error) => match strange(&error, path) {
                StoreError::Busy { .. } if tries < WAL_TRIES => std::thread::sleep(WAL_PAUSE),
                error => return Err(error),
            },
        }
    }
}

fn newer(path: &Path, found: u32) -> StoreError {
    StoreError::Format {
        path: path.to_owned(),
        found,
        known: version(),
    }
}

fn cannot(path: &Path, why: String) -> StoreError {
    StoreError::CannotUse {
        path: path.to_owned(),
        why: why.into(),
    }
}

/// What an error of SQLite means while the file is not known to be a ledger yet.
fn strange(error: &rusqlite::Error, path: &Path) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::CannotOpen) => cannot(path, unopened(path)),
        Some(ErrorCode::SystemIoFailure) if !Path::new(".").join(path).is_file() => {
            cannot(path, unopened(path))
        }
        Some(ErrorCode::NotADatabase) => cannot(
            path,
            "it is not a ledger, or its beginning was overwritten".to_owned(),
        ),
        _ => failed(error, path.to_owned()),
    }
}

/// Why a file cannot be opened, of which SQLite says nothing.
fn unopened(path: &Path) -> String {
    let path = Path::new(".").join(path);
    match fs::metadata(&path) {
        Err(error) => match path.parent().map(fs::metadata) {
            Some(Ok(folder)) if folder.is_dir() => {
                format!("there is no such file, and none could be made ({error})")
            }
            _ => format!("its folder cannot be used ({error})"),
        },
        Ok(about) if !about.is_file() => "it is not a file".to_owned(),
        Ok(_file) => match fs::File::open(&path) {
            Err(error) => error.to_string(),
            Ok(_readable) => {
                "SQLite cannot make its index files beside it: the folder must be writable"
                    .to_owned()
            }
        },
    }
}
