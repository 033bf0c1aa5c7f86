//! What SQLite's errors mean to a caller, and the moment at which they do.

use std::path::{Path, PathBuf};

use baton_core::event::EVENT_FORMAT;
use baton_core::id::Seq;
use rusqlite::ErrorCode;

use crate::{StoreError, Why};

/// What goes wrong inside a transaction, before the file is named.
#[derive(Debug)]
pub(super) enum Fail {
    Sql(rusqlite::Error),
    Corrupt(Option<Seq>, String),
    /// An entry of this newer format.
    Format(u32),
    Store(StoreError),
}

impl Fail {
    pub(super) fn entry(seq: Seq, why: impl Into<String>) -> Self {
        Self::Corrupt(Some(seq), why.into())
    }

    pub(super) fn at(self, path: &Path) -> StoreError {
        let path = path.to_owned();
        match self {
            Self::Store(error) => error,
            Self::Corrupt(seq, why) => StoreError::Corrupt {
                path,
                seq,
                why: why.into(),
            },
            Self::Format(found) => StoreError::Format {
                path,
                found,
                known: EVENT_FORMAT,
            },
            Self::Sql(error) => failed(&error, path),
        }
    }
}

impl From<rusqlite::Error> for Fail {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<StoreError> for Fail {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// What an error of SQLite means before a commit: certainly nothing was written.
pub(super) fn failed(error: &rusqlite::Error, path: PathBuf) -> StoreError {
    let why = Why::from(error.to_string());
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Busy { path },
        Some(ErrorCode::DiskFull) => StoreError::Full { path },
        // The index of the write-ahead log is a file that has to grow as well.
        _ if is_shm_size(error) => StoreError::Full { path },
        Some(ErrorCode::ReadOnly) => StoreError::ReadOnly { path, why },
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StoreError::Corrupt {
            path,
            seq: None,
            why,
        },
        // No error of SQLite itself: a value of another type than was stored.
        None => StoreError::Corrupt {
            path,
            seq: None,
            why,
        },
        Some(_) => StoreError::CannotUse { path, why },
    }
}

/// What an error at the commit means. Short of space or of the lock, SQLite has
/// not written the mark that makes a transaction count; after anything else the
/// mark may be on disk.
pub(super) fn not_committed(error: rusqlite::Error, path: &Path) -> StoreError {
    match failed(&error, path.to_owned()) {
        known @ (StoreError::Full { .. } | StoreError::Busy { .. }) if !is_shm_size(&error) => {
            known
        }
        _ => StoreError::Lost(Why::from(error.to_string())),
    }
}

/// Whether the index of the write-ahead log could not grow. In a commit that
/// comes after the mark.
fn is_shm_size(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error().map(|error| error.extended_code);
    code == Some(rusqlite::ffi::SQLITE_IOERR_SHMSIZE)
}
