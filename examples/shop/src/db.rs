//! The orders and their schema. `PRAGMA user_version` is the schema number; 0 is an empty file.
//!
//! Every change is one transaction that takes the write lock first, so several processes may
//! work on one file and each sees all of a change or nothing.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior::Immediate};

use crate::{Release, Result};

/// How long to wait for another process's write lock. Shorter than the patience of `stop`, so
/// that a waiting request cannot hold up a shutdown.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);
/// How often to try again where SQLite does not wait by itself.
const POLL: Duration = Duration::from_millis(5);

/// How to enter schema `index + 1` from the one before, and how to leave it again.
const SCHEMAS: [(&str, &str); 2] = [
    (
        "CREATE TABLE orders (id INTEGER PRIMARY KEY, amount_cents INTEGER NOT NULL)",
        "DROP TABLE orders",
    ),
    (
        "ALTER TABLE orders ADD COLUMN currency TEXT NOT NULL DEFAULT 'EUR'",
        "ALTER TABLE orders DROP COLUMN currency",
    ),
];

/// Adds the next order. Its amount follows from its number, so that equal histories make equal
/// databases.
const INSERT: &str = "INSERT INTO orders (amount_cents) \
    SELECT 500 + (coalesce(max(id), 0) + 1) * 37 % 9500 FROM orders RETURNING id, amount_cents";

/// An order that was taken, or would have been.
pub(crate) struct Order {
    pub(crate) id: i64,
    pub(crate) amount_cents: i64,
    /// Only when it was asked for; schema 1 has none.
    pub(crate) currency: Option<String>,
}

/// Opens a database that must exist.
pub(crate) fn open(file: &Path) -> Result<Connection> {
    if !file.exists() {
        return Err("there is no such database; `seed` or `migrate` creates one".into());
    }
    open_with(file, OpenFlags::SQLITE_OPEN_READ_WRITE)
}

/// The schema number of an open database.
pub(crate) fn schema(db: &Connection) -> rusqlite::Result<u32> {
    db.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// The number of orders in an open database.
pub(crate) fn count(db: &Connection) -> rusqlite::Result<i64> {
    db.query_row("SELECT count(*) FROM orders", [], |row| row.get(0))
}

/// Takes one order. With `dry` everything happens but the commit, which makes it a true probe.
pub(crate) fn checkout(db: &mut Connection, currency: bool, dry: bool) -> rusqlite::Result<Order> {
    let tx = db.transaction_with_behavior(Immediate)?;
    let (id, amount_cents) = tx.query_row(INSERT, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let currency = if currency {
        Some(
            tx.query_row("SELECT currency FROM orders WHERE id = ?1", [id], |row| {
                row.get(0)
            })?,
        )
    } else {
        None
    };
    if dry {
        tx.rollback()?
    } else {
        tx.commit()?
    }
    Ok(Order {
        id,
        amount_cents,
        currency,
    })
}

/// Leads the database to schema `to`, forward or back; does nothing when it is there already.
///
/// Refuses a schema newer than `release` knows, and to drop a table that holds orders.
pub(crate) fn migrate(release: &Release, file: &Path, to: u32) -> Result<String> {
    let mut db = open_with(file, OpenFlags::default())?;
    let tx = db.transaction_with_behavior(Immediate)?;
    let from = schema(&tx)?;
    let newest = *release.migrates.end();
    if from > newest {
        let version = release.version;
        return Err(format!("has schema {from}, shop {version} knows none after {newest}").into());
    }
    if from > 0 && to == 0 && count(&tx)? > 0 {
        return Err("still holds orders, which schema 0 would lose".into());
    }
    lead(&tx, from, to)?;
    tx.commit()?;
    Ok(format!("schema {from} -> {to}"))
}

/// Adds `orders` orders, after creating schema 1 if the database is empty.
pub(crate) fn seed(file: &Path, orders: u32) -> Result<String> {
    let mut db = open_with(file, OpenFlags::default())?;
    let tx = db.transaction_with_behavior(Immediate)?;
    if schema(&tx)? == 0 {
        lead(&tx, 0, 1)?;
    }
    for _ in 0..orders {
        tx.query_row(INSERT, [], |_| Ok(()))?;
    }
    tx.commit()?;
    Ok(format!("{orders} orders added"))
}

/// Copies the database as it stands now to `to`; an older file there is replaced in one step.
pub(crate) fn backup(file: &Path, to: &Path) -> Result<String> {
    let db = open(file)?;
    // A journal beside the old file means that someone has it open, or died in it: it would be
    // replayed into the new file. That also refuses to back a live database up onto itself.
    if beside(to, "-wal").exists() {
        return Err(format!("{} is an open database, not a backup", to.display()).into());
    }
    let part = beside(to, &format!(".part-{}", std::process::id()));
    let copied = copy(&db, &part).and_then(|()| Ok(fs::rename(&part, to)?));
    if copied.is_err() {
        // The first error is the one worth telling; a leftover is only untidy.
        fs::remove_file(&part).ok();
    }
    copied.map(|()| format!("backed up to {}", to.display()))
}

/// The number of orders in a database file.
pub(crate) fn count_in(file: &Path) -> Result<String> {
    Ok(count(&open(file)?)?.to_string())
}

fn open_with(file: &Path, flags: OpenFlags) -> Result<Connection> {
    let db = Connection::open_with_flags(file, flags)?;
    db.busy_timeout(BUSY_TIMEOUT)?;
    // SQLite does not apply its busy timeout to the change of a new file to WAL, so two processes
    // that create it at once need this loop.
    let deadline = Instant::now() + BUSY_TIMEOUT;
    loop {
        match db.pragma_update(None, "journal_mode", "WAL") {
            Err(why)
                if why.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                    && Instant::now() < deadline =>
            {
                sleep(POLL)
            }
            other => return Ok(other.map(|()| db)?),
        }
    }
}

/// Walks from one schema to another; the caller holds the transaction.
fn lead(tx: &Connection, from: u32, to: u32) -> rusqlite::Result<()> {
    for (enter, _) in SCHEMAS.iter().take(to as usize).skip(from as usize) {
        tx.execute_batch(enter)?;
    }
    for (_, leave) in SCHEMAS.iter().take(from as usize).skip(to as usize).rev() {
        tx.execute_batch(leave)?;
    }
    tx.pragma_update(None, "user_version", to)
}

fn copy(db: &Connection, to: &Path) -> Result<()> {
    db.execute(
        "VACUUM INTO ?1",
        [to.to_str().ok_or("the path is not valid UTF-8")?],
    )?;
    // `VACUUM INTO` leaves writing it out to the system; the rename must not come first.
    Ok(File::open(to)?.sync_all()?)
}

/// The path with `suffix` appended to its last part.
fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut path = file.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}
