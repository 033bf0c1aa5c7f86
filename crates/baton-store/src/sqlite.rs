//! The ledger in one SQLite file. All SQL stands here and in `migrations/sqlite`.
//!
//! Writing transactions begin as `IMMEDIATE`, so that two processes queue
//! instead of failing halfway (a deferred one that reads first can meet
//! `SQLITE_BUSY_SNAPSHOT`, which no waiting cures). The journal is a
//! write-ahead log with `synchronous = FULL`: a commit is on disk when it
//! returns, and readers never wait.
//!
//! It knows neither events nor their meaning, only their bytes, and keeps no
//! state of its own but a counter.

mod fail;
mod image;
mod open;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use baton_core::event::EVENT_FORMAT;
use baton_core::id::{Digest, Epoch, RunId, Seq};
use baton_core::ledger::canon::genesis;
use baton_core::ledger::{Draft, Entry};
use baton_core::time::Duration;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};

use crate::{Lease, Log, StoreError, VALUE_BYTES_MAX, Why};
use fail::{Fail, not_committed};

pub use image::Image;

/// A [`Log`] in one SQLite file, or in memory for tests and simulation.
///
/// One value is one connection; others, of this process or another, may have
/// the same file open at the same time.
#[derive(Debug)]
pub struct SqliteLog {
    conn: Connection,
    /// For messages; `memory` when there is no file.
    path: PathBuf,
    in_memory: bool,
    /// Commits seen so far, one's own and those noticed of others.
    ticks: u64,
    /// SQLite's `data_version` when others' commits were last looked for.
    seen: i64,
}

impl SqliteLog {
    /// Opens the ledger in this file, making the file (not its folder) when
    /// there is none and bringing an older schema up to date.
    ///
    /// # Errors
    /// [`StoreError::CannotUse`] when it cannot be opened or is no ledger,
    /// [`StoreError::ReadOnly`] when it cannot be written, [`StoreError::Format`]
    /// when a newer Baton made it.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        open::for_writing(path).map(|conn| Self::new(conn, path, false))
    }

    /// Opens an existing ledger only to read it: every write fails with
    /// [`StoreError::ReadOnly`]. Its folder must be writable all the same
    /// unless another process has the ledger open, because SQLite keeps the
    /// index of the write-ahead log there.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_read_only(path: &Path) -> Result<Self, StoreError> {
        open::for_reading(path).map(|conn| Self::new(conn, path, false))
    }

    /// An empty ledger in memory: the same SQLite, without a disk.
    ///
    /// # Errors
    /// [`StoreError::CannotUse`] when there is no memory for it.
    pub fn memory() -> Result<Self, StoreError> {
        let path = Path::new("memory");
        open::in_memory(path).map(|conn| Self::new(conn, path, true))
    }

    fn new(conn: Connection, path: &Path, in_memory: bool) -> Self {
        Self {
            conn,
            path: path.to_owned(),
            in_memory,
            ticks: 0,
            seen: 0,
        }
    }

    /// Does work in one durable transaction; when it fails, nothing is written.
    fn write<T>(
        &mut self,
        work: impl FnOnce(&Connection) -> Result<T, Fail>,
    ) -> Result<T, StoreError> {
        let tx = self
            .conn
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(|error| Fail::Sql(error).at(&self.path))?;
        let done = work(&tx).map_err(|fail| fail.at(&self.path))?;
        // Counted before it is known to have worked: one look too many is harmless.
        self.ticks += 1;
        tx.commit()
            .map_err(|error| not_committed(error, &self.path))?;
        Ok(done)
    }

    fn view<T>(&self, work: impl FnOnce(&Connection) -> Result<T, Fail>) -> Result<T, StoreError> {
        work(&self.conn).map_err(|fail| fail.at(&self.path))
    }
}

impl Log for SqliteLog {
    fn append(
        &mut self,
        drafts: Vec<Draft>,
        expect: Option<Seq>,
        fence: Option<(&str, Epoch)>,
    ) -> Result<Vec<Entry>, StoreError> {
        self.write(|tx| {
            if let Some((name, epoch)) = fence {
                still_held(tx, name, epoch)?;
            }
            let (mut seq, mut prev) = head(tx)?;
            if expect.is_some_and(|expected| expected != seq) {
                return Err(StoreError::Conflict { head: seq }.into());
            }
            let mut insert = tx.prepare_cached(
                "INSERT INTO entries (seq, handoff, run, bytes, digest) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?;
            let mut entries = Vec::with_capacity(drafts.len());
            for draft in drafts {
                seq = Seq(seq.0 + 1);
                let entry = Entry::seal(draft, seq, prev);
                let bytes = entry.bytes();
                fits(&bytes)?;
                prev = Digest::of(&bytes);
                let _row = insert.execute(params![
                    seq.0,
                    entry.handoff.as_str(),
                    entry.run.as_deref(),
                    bytes,
                    prev.as_str()
                ])?;
                entries.push(entry);
            }
            Ok(entries)
        })
    }

    fn head(&mut self) -> Result<(Seq, Digest), StoreError> {
        self.view(head)
    }

    fn read(&mut self, after: Seq, most: usize) -> Result<Vec<Entry>, StoreError> {
        self.view(|conn| {
            let mut prev = if after == Seq(0) {
                Some(genesis())
            } else {
                digest_at(conn, after)?
            };
            let mut entries = Vec::new();
            for (seq, bytes, digest) in rows(conn, after, most)? {
                let bad = |why: &str| Fail::entry(seq, why);
                if prev.is_none() {
                    return Err(Fail::entry(after, MISSING));
                }
                let found = Digest::of(&bytes);
                if found.as_str() != digest {
                    return Err(bad("its bytes do not have the digest stored with them"));
                }
                let entry = decode(seq, &bytes)?;
                if entry.seq != seq {
                    return Err(bad("it stands in another entry's place"));
                }
                if Some(&entry.prev) != prev.as_ref() {
                    return Err(bad(
                        "it does not follow the entry before: one of the two was changed",
                    ));
                }
                prev = Some(found);
                entries.push(entry);
            }
            Ok(entries)
        })
    }

    fn read_run(&mut self, run: &RunId, after: Seq, most: usize) -> Result<Vec<Entry>, StoreError> {
        self.view(|conn| {
            let mut select = conn.prepare_cached(
                "SELECT seq, bytes, digest FROM entries
                 WHERE run = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3",
            )?;
            let limit = i64::try_from(most).unwrap_or(i64::MAX);
            let mut cursor = select.query(params![run.as_str(), key(after), limit])?;
            let mut entries = Vec::new();
            while let Some(row) = cursor.next()? {
                let seq = Seq(row.get::<_, u64>(0)?);
                let unreadable = |_wrong_type| Fail::entry(seq, "its row is not of the right form");
                let bytes: Vec<u8> = row.get(1).map_err(unreadable)?;
                let digest: String = row.get(2).map_err(unreadable)?;
                if Digest::of(&bytes).as_str() != digest {
                    return Err(Fail::entry(
                        seq,
                        "its bytes do not have the digest stored with them",
                    ));
                }
                let entry = decode(seq, &bytes)?;
                if entry.seq != seq || entry.run.as_ref() != Some(run) {
                    return Err(Fail::entry(seq, "it stands in another entry's place"));
                }
                entries.push(entry);
            }
            Ok(entries)
        })
    }

    fn read_bytes(&mut self, after: Seq, most: usize) -> Result<Vec<Vec<u8>>, StoreError> {
        self.view(|conn| {
            let rows = rows(conn, after, most)?;
            Ok(rows
                .into_iter()
                .map(|(_seq, bytes, _digest)| bytes)
                .collect())
        })
    }

    fn lease(
        &mut self,
        name: &str,
        holder: &str,
        now: Timestamp,
        lasts: Duration,
        steal: bool,
    ) -> Result<Epoch, StoreError> {
        self.write(|tx| {
            let before = tx
                .prepare_cached("SELECT holder, epoch, until FROM leases WHERE name = ?1")?
                .query_row([name], |row| {
                    Ok((row.get(0)?, row.get::<_, u64>(1)?, row.get(2)?))
                })
                .optional()?;
            let mut epoch = 0;
            if let Some((holder, last, until)) = before {
                epoch = last;
                if let Some(until) = instant(until)?
                    && until > now
                    && !steal
                {
                    return Err(StoreError::Held { holder, until }.into());
                }
            }
            let epoch = Epoch(epoch + 1);
            let _row = tx
                .prepare_cached(
                    "INSERT INTO leases (name, holder, epoch, until) VALUES (?1, ?2, ?3, ?4)
                     ON CONFLICT (name) DO UPDATE SET
                     holder = excluded.holder, epoch = excluded.epoch,
                     until = excluded.until",
                )?
                .execute(params![name, holder, epoch.0, lasts.after(now).to_string()])?;
            Ok(epoch)
        })
    }

    fn renew(
        &mut self,
        name: &str,
        epoch: Epoch,
        now: Timestamp,
        lasts: Duration,
    ) -> Result<(), StoreError> {
        self.write(|tx| {
            still_held(tx, name, epoch)?;
            end_lease(tx, name, Some(lasts.after(now)))
        })
    }

    fn release(&mut self, name: &str, epoch: Epoch) -> Result<(), StoreError> {
        self.write(|tx| match still_held(tx, name, epoch) {
            Ok(()) => end_lease(tx, name, None),
            Err(Fail::Store(StoreError::Fenced)) => Ok(()),
            Err(fail) => Err(fail),
        })
    }

    fn leases(&mut self, prefix: &str, now: Timestamp) -> Result<Vec<Lease>, StoreError> {
        self.view(|conn| {
            // Names order by their bytes, so those with the prefix stand
            // together, from the prefix itself on.
            let mut select = conn.prepare_cached(
                "SELECT name, holder, epoch, until FROM leases WHERE name >= ?1 ORDER BY name",
            )?;
            let mut rows = select.query([prefix])?;
            let mut leases = Vec::new();
            while let Some(row) = rows.next()? {
                let name: String = row.get(0)?;
                if !name.starts_with(prefix) {
                    break;
                }
                if let Some(until) = instant(row.get(3)?)?
                    && until > now
                {
                    leases.push(Lease {
                        name,
                        holder: row.get(1)?,
                        epoch: Epoch(row.get(2)?),
                        until,
                    });
                }
            }
            Ok(leases)
        })
    }

    fn put(&mut self, bytes: &[u8]) -> Result<Digest, StoreError> {
        fits(bytes)?;
        let digest = Digest::of(bytes);
        self.write(|tx| {
            let _rows = tx
                .prepare_cached(
                    "INSERT INTO blobs (digest, bytes) VALUES (?1, ?2) ON CONFLICT (digest) DO NOTHING",
                )?
                .execute(params![digest.as_str(), bytes])?;
            Ok(())
        })?;
        Ok(digest)
    }

    fn get(&mut self, digest: &Digest) -> Result<Option<Vec<u8>>, StoreError> {
        self.view(|conn| {
            let bytes: Option<Vec<u8>> = conn
                .prepare_cached("SELECT bytes FROM blobs WHERE digest = ?1")?
                .query_row([digest.as_str()], |row| row.get(0))
                .optional()?;
            match bytes {
                Some(bytes) if Digest::of(&bytes) != *digest => Err(Fail::Corrupt(
                    None,
                    format!("the bytes kept as {digest} do not have that digest any more"),
                )),
                bytes => Ok(bytes),
            }
        })
    }

    fn remember(&mut self, key: &str, head: &Digest, bytes: &[u8]) -> Result<(), StoreError> {
        fits(bytes)?;
        self.write(|tx| {
            // From the end: what is remembered is nearly always the present head.
            let seq: Option<i64> = if *head == genesis() {
                Some(0)
            } else {
                tx.prepare_cached(
                    "SELECT seq FROM entries WHERE digest = ?1 ORDER BY seq DESC LIMIT 1",
                )?
                .query_row([head.as_str()], |row| row.get(0))
                .optional()?
            };
            if let Some(seq) = seq {
                let digest = Digest::of(bytes);
                let _row = tx
                    .prepare_cached(
                        "INSERT INTO caches (key, head, seq, bytes, digest) VALUES (?1, ?2, ?3, ?4, ?5)
                         ON CONFLICT (key) DO UPDATE SET head = excluded.head, seq = excluded.seq,
                         bytes = excluded.bytes, digest = excluded.digest",
                    )?
                    .execute(params![key, head.as_str(), seq, bytes, digest.as_str()])?;
            }
            Ok(())
        })
    }

    fn recall(&mut self, key: &str) -> Result<Option<(Digest, Seq, Vec<u8>)>, StoreError> {
        self.view(|conn| {
            let row: Option<(String, u64, Vec<u8>, String)> = conn
                .prepare_cached(
                    "SELECT c.head, c.seq, c.bytes, c.digest FROM caches AS c WHERE c.key = ?1 AND
                     (c.seq = 0 OR EXISTS
                      (SELECT 1 FROM entries AS e WHERE e.seq = c.seq AND e.digest = c.head))",
                )?
                .query_row([key], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
                })
                .optional()?;
            Ok(row.and_then(|(head, seq, bytes, digest)| {
                let head = Digest::parse(&head)?;
                let sound = Digest::of(&bytes).as_str() == digest && (seq > 0 || head == genesis());
                sound.then_some((head, Seq(seq), bytes))
            }))
        })
    }

    fn changed(&mut self) -> Result<u64, StoreError> {
        let seen = self.view(|conn| {
            Ok(conn
                .prepare_cached("PRAGMA data_version")?
                .query_row([], |row| row.get(0))?)
        })?;
        if seen != self.seen {
            self.seen = seen;
            self.ticks += 1;
        }
        Ok(self.ticks)
    }
}

const MISSING: &str = "it is missing, though it was once appended";

/// The last entry's place and digest, and whether it really is the last.
fn head(conn: &Connection) -> Result<(Seq, Digest), Fail> {
    // One statement, hence one snapshot: the two answers belong together.
    let row = conn
        .prepare_cached(
            "SELECT e.seq, e.digest, s.seq FROM sqlite_sequence AS s
             LEFT JOIN entries AS e ON e.seq = (SELECT max(seq) FROM entries)
             WHERE s.name = 'entries'",
        )?
        .query_row([], |row| {
            Ok((
                row.get::<_, Option<u64>>(0)?.unwrap_or(0),
                row.get::<_, Option<String>>(1)?,
                row.get::<_, u64>(2)?,
            ))
        })
        .optional()?;
    let Some((seq, digest, last)) = row else {
        return Ok((Seq(0), genesis()));
    };
    if seq < last {
        return Err(Fail::entry(Seq(seq + 1), MISSING));
    }
    match digest.as_deref().and_then(Digest::parse) {
        Some(digest) => Ok((Seq(seq), digest)),
        None => Err(Fail::entry(Seq(seq), "its digest is not one")),
    }
}

fn digest_at(conn: &Connection, seq: Seq) -> Result<Option<Digest>, Fail> {
    let text: Option<String> = conn
        .prepare_cached("SELECT digest FROM entries WHERE seq = ?1")?
        .query_row([key(seq)], |row| row.get(0))
        .optional()?;
    Ok(text.as_deref().and_then(Digest::parse))
}

/// Entries that follow `after`, without a gap and, when fewer than `most`, to the very end.
fn rows(conn: &Connection, after: Seq, most: usize) -> Result<Vec<(Seq, Vec<u8>, String)>, Fail> {
    let mut select = conn.prepare_cached(
        "SELECT seq, bytes, digest FROM entries WHERE seq > ?1 ORDER BY seq LIMIT ?2",
    )?;
    let limit = i64::try_from(most).unwrap_or(i64::MAX);
    let mut cursor = select.query([key(after), limit])?;
    let mut rows = Vec::new();
    let mut next = after;
    while let Some(row) = cursor.next()? {
        next = Seq(next.0 + 1);
        if row.get::<_, u64>(0)? != next.0 {
            return Err(Fail::entry(next, MISSING));
        }
        let unreadable = |_wrong_type| Fail::entry(next, "its row is not of the right form");
        rows.push((
            next,
            row.get(1).map_err(unreadable)?,
            row.get(2).map_err(unreadable)?,
        ));
    }
    if rows.len() < most {
        let _head = head(conn)?;
    }
    Ok(rows)
}

fn decode(seq: Seq, bytes: &[u8]) -> Result<Entry, Fail> {
    let newer = |v: u64| v > u64::from(EVENT_FORMAT);
    let too_new = |v: u64| Fail::Format(u32::try_from(v).unwrap_or(u32::MAX));
    match serde_json::from_slice::<Entry>(bytes) {
        Ok(entry) if newer(entry.v.into()) => Err(too_new(entry.v.into())),
        Ok(entry) => Ok(entry),
        Err(error) => {
            // An event of a kind that came later is no damage.
            let value: Option<serde_json::Value> = serde_json::from_slice(bytes).ok();
            match value.and_then(|value| value.get("v")?.as_u64()) {
                Some(v) if newer(v) => Err(too_new(v)),
                _ => Err(Fail::entry(
                    seq,
                    format!("it cannot be read as an entry ({error})"),
                )),
            }
        }
    }
}

fn still_held(conn: &Connection, name: &str, epoch: Epoch) -> Result<(), Fail> {
    let current: Option<u64> = conn
        .prepare_cached("SELECT epoch FROM leases WHERE name = ?1 AND until IS NOT NULL")?
        .query_row([name], |row| row.get(0))
        .optional()?;
    if current == Some(epoch.0) {
        Ok(())
    } else {
        Err(StoreError::Fenced.into())
    }
}

fn end_lease(conn: &Connection, name: &str, until: Option<Timestamp>) -> Result<(), Fail> {
    let _row = conn
        .prepare_cached("UPDATE leases SET until = ?2 WHERE name = ?1")?
        .execute(params![name, until.map(|until| until.to_string())])?;
    Ok(())
}

fn instant(text: Option<String>) -> Result<Option<Timestamp>, Fail> {
    text.map(|text| text.parse())
        .transpose()
        .map_err(|error: jiff::Error| {
            Fail::Corrupt(None, format!("a lease ends at no instant ({error})"))
        })
}

/// A position as SQLite counts; no ledger reaches where the two differ.
fn key(seq: Seq) -> i64 {
    i64::try_from(seq.0).unwrap_or(i64::MAX)
}

fn fits(bytes: &[u8]) -> Result<(), StoreError> {
    if bytes.len() <= VALUE_BYTES_MAX {
        return Ok(());
    }
    Err(StoreError::Refused(Why::from(format!(
        "it has {} bytes, and the most is {VALUE_BYTES_MAX}",
        bytes.len()
    ))))
}
