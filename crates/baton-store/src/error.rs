//! What can go wrong, named by what the caller can do about it.
//!
//! `Display` says what failed; why stands in the source.

use std::path::PathBuf;

use baton_core::id::Seq;
use jiff::Timestamp;

/// The reason behind a [`StoreError`], in words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Why(String);

impl<T: Into<String>> From<T> for Why {
    fn from(text: T) -> Self {
        Self(text.into())
    }
}

/// Why a store did not do what it was asked. Nothing was written, except
/// perhaps after [`Lost`](Self::Lost).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Others appended, or the caller was mistaken about the head: read, and decide anew.
    #[error("the ledger ends at entry {head}, not where it was expected to")]
    Conflict {
        /// Where it really ends.
        head: Seq,
    },
    /// The lease was taken by someone else or given back: stop at once.
    #[error("the lease is not held any more")]
    Fenced,
    /// Someone else has the lease: wait, or take it from them on purpose.
    #[error("the lease is held by {holder} until {until}")]
    Held {
        /// Who, for people.
        holder: String,
        /// Until when, unless they renew it.
        until: Timestamp,
    },
    /// Another process kept the file to itself for too long: try again.
    #[error("the ledger {} is kept busy by another program", path.display())]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// No space is left: make some, then go on.
    #[error("there is no space left for the ledger {}", path.display())]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// It can be read and not written: get the right to.
    #[error("cannot write to the ledger {}", path.display())]
    ReadOnly {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        why: Why,
    },
    /// It cannot be opened, is something else, or its disk fails: see to the file.
    #[error("cannot use the ledger {}", path.display())]
    CannotUse {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        why: Why,
    },
    /// What is stored is not what was stored: nothing may rest on it any more.
    #[error("the ledger {} is damaged{}", path.display(), at(*seq))]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// The entry that is damaged, when it is one.
        seq: Option<Seq>,
        /// What is wrong.
        #[source]
        why: Why,
    },
    /// A newer Baton wrote it: use that one.
    #[error(
        "the ledger {} was written by a newer Baton (format {found}, this one knows up to {known})",
        path.display()
    )]
    Format {
        /// The file.
        path: PathBuf,
        /// The format it has.
        found: u32,
        /// The newest format this program knows.
        known: u32,
    },
    /// The value itself cannot be stored: make another one.
    #[error("the ledger does not take this value")]
    Refused(#[source] Why),
    /// Not known whether it happened: drop what is in memory and read again.
    #[error("the ledger's answer was lost, and with it whether it was written")]
    Lost(#[source] Why),
}

fn at(seq: Option<Seq>) -> String {
    seq.map_or_else(String::new, |seq| format!(" at entry {seq}"))
}
