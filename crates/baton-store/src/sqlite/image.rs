//! Going back: what a simulation does to a ledger in memory, and nobody to a file.

use std::sync::Arc;

use baton_core::id::Seq;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::fail::Fail;
use super::{SqliteLog, key};
use crate::StoreError;

/// All that a ledger in memory held at one moment, but for caches, which can be
/// computed again. Images share what they have in common; the default one is
/// that of an empty ledger.
#[derive(Clone, Debug, Default)]
pub struct Image {
    entries: Vec<Arc<Kept>>,
    leases: Vec<Lease>,
    blobs: Vec<Arc<Blob>>,
}

#[derive(Debug)]
struct Kept {
    handoff: String,
    run: Option<String>,
    bytes: Vec<u8>,
    digest: String,
}

#[derive(Clone, Debug)]
struct Lease {
    name: String,
    holder: String,
    epoch: u64,
    until: Option<String>,
}

#[derive(Debug)]
struct Blob {
    digest: String,
    bytes: Vec<u8>,
}

impl SqliteLog {
    /// What the ledger holds now. It must have grown from what it was at
    /// `before`, with which the image shares what has not changed.
    ///
    /// # Errors
    /// [`StoreError::ReadOnly`] for a file; those of every read.
    pub fn image(&mut self, before: &Image) -> Result<Image, StoreError> {
        self.in_memory_only()?;
        self.view(|conn| {
            let mut image = Image {
                leases: leases(conn)?,
                ..before.clone()
            };
            let known = image.entries.len();
            let mut select = conn.prepare_cached(
                "SELECT handoff, run, bytes, digest FROM entries WHERE seq > ?1 ORDER BY seq",
            )?;
            let mut rows = select.query([key(Seq(known as u64))])?;
            while let Some(row) = rows.next()? {
                image.entries.push(Arc::new(Kept {
                    handoff: row.get(0)?,
                    run: row.get(1)?,
                    bytes: row.get(2)?,
                    digest: row.get(3)?,
                }));
            }
            let mut select = conn.prepare_cached("SELECT digest FROM blobs")?;
            let mut rows = select.query([])?;
            while let Some(row) = rows.next()? {
                let digest: String = row.get(0)?;
                if image.blobs.iter().all(|blob| blob.digest != digest) {
                    let bytes = conn
                        .prepare_cached("SELECT bytes FROM blobs WHERE digest = ?1")?
                        .query_row([&digest], |row| row.get(0))?;
                    image.blobs.push(Arc::new(Blob { digest, bytes }));
                }
            }
            Ok(image)
        })
    }

    /// Makes the ledger hold exactly what it held when the image was taken,
    /// without any cache. Cheap when the two have much in common.
    ///
    /// # Errors
    /// [`StoreError::ReadOnly`] for a file: a ledger that lasts never goes back.
    pub fn restore(&mut self, image: &Image) -> Result<(), StoreError> {
        self.in_memory_only()?;
        self.write(|tx| {
            restore_entries(tx, &image.entries)?;
            let _rows = tx.prepare_cached("DELETE FROM leases")?.execute([])?;
            for lease in &image.leases {
                let _row = tx
                    .prepare_cached(
                        "INSERT INTO leases (name, holder, epoch, until) VALUES (?1, ?2, ?3, ?4)",
                    )?
                    .execute(params![lease.name, lease.holder, lease.epoch, lease.until])?;
            }
            restore_blobs(tx, &image.blobs)?;
            let _rows = tx.prepare_cached("DELETE FROM caches")?.execute([])?;
            Ok(())
        })
    }

    fn in_memory_only(&self) -> Result<(), StoreError> {
        if self.in_memory {
            return Ok(());
        }
        Err(StoreError::ReadOnly {
            path: self.path.clone(),
            why: "a ledger in a file never goes back".into(),
        })
    }
}

fn leases(conn: &Connection) -> Result<Vec<Lease>, Fail> {
    let mut select =
        conn.prepare_cached("SELECT name, holder, epoch, until FROM leases ORDER BY name")?;
    let mut rows = select.query([])?;
    let mut leases = Vec::new();
    while let Some(row) = rows.next()? {
        leases.push(Lease {
            name: row.get(0)?,
            holder: row.get(1)?,
            epoch: row.get(2)?,
            until: row.get(3)?,
        });
    }
    Ok(leases)
}

/// Each entry carries the digest of the one before, so whoever has one digest
/// in common has everything before it in common.
fn restore_entries(conn: &Connection, entries: &[Arc<Kept>]) -> Result<(), Fail> {
    let mut common = entries.len();
    while common > 0 {
        let digest: Option<String> = conn
            .prepare_cached("SELECT digest FROM entries WHERE seq = ?1")?
            .query_row([common as u64], |row| row.get(0))
            .optional()?;
        if digest.as_deref() == Some(&entries[common - 1].digest) {
            break;
        }
        common -= 1;
    }
    let _rows = conn
        .prepare_cached("DELETE FROM entries WHERE seq > ?1")?
        .execute([common as u64])?;
    let mut insert = conn.prepare_cached(
        "INSERT INTO entries (seq, handoff, run, bytes, digest) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    for (i, entry) in entries.iter().enumerate().skip(common) {
        let _row = insert.execute(params![
            i as u64 + 1,
            entry.handoff,
            entry.run,
            entry.bytes,
            entry.digest
        ])?;
    }
    // Else the end would be missed, which was once there.
    let _row = match entries.len() {
        0 => conn
            .prepare_cached("DELETE FROM sqlite_sequence WHERE name = 'entries'")?
            .execute([])?,
        last => conn
            .prepare_cached("UPDATE sqlite_sequence SET seq = ?1 WHERE name = 'entries'")?
            .execute([last as u64])?,
    };
    Ok(())
}

fn restore_blobs(conn: &Connection, blobs: &[Arc<Blob>]) -> Result<(), Fail> {
    let mut there: Vec<String> = Vec::new();
    let mut select = conn.prepare_cached("SELECT digest FROM blobs")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        there.push(row.get(0)?);
    }
    for digest in &there {
        if blobs.iter().all(|blob| blob.digest != *digest) {
            let _row = conn
                .prepare_cached("DELETE FROM blobs WHERE digest = ?1")?
                .execute([digest])?;
        }
    }
    for blob in blobs.iter().filter(|blob| !there.contains(&blob.digest)) {
        let _row = conn
            .prepare_cached("INSERT INTO blobs (digest, bytes) VALUES (?1, ?2)")?
            .execute(params![blob.digest, blob.bytes])?;
    }
    Ok(())
}
