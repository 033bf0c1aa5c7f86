//! Remembers, and knows no rules.
//!
//! A [`Log`] keeps the ledger (entries that only ever grow, each chained to the
//! one before), leases with fencing tokens, blobs by their digest, and caches
//! of folds. What it promises stands in [`laws`], one function per promise,
//! which every implementation passes; [`SqliteLog`] is the one there is.
//!
//! It deliberately does not judge: whether an event is legal, who may append
//! it and what it means is decided before it arrives here. It reads no clock:
//! the moment is an argument.

mod error;
pub mod laws;
mod sqlite;

use baton_core::id::{Digest, Epoch, RunId, Seq};
use baton_core::ledger::{Draft, Entry};
use baton_core::time::Duration;
use jiff::Timestamp;

pub use error::{StoreError, Why};
pub use sqlite::{Image, SqliteLog};

/// The most bytes one blob, one entry or one cache may have: 64 MiB. Each is
/// held in memory as a whole, several times over while it is hashed and sent.
pub const VALUE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A lease that has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// What it is for.
    pub name: String,
    /// Who took it, in words for people; it proves nothing.
    pub holder: String,
    /// How often it was taken: the holder's fencing token.
    pub epoch: Epoch,
    /// When it ends unless it is renewed.
    pub until: Timestamp,
}

/// What a store can do.
///
/// Every call is one durable transaction: when it returns `Ok`, what it wrote
/// survives a crash of the machine; when it returns an error, nothing was
/// written, except after [`StoreError::Lost`], where nobody knows.
pub trait Log {
    /// Appends all drafts or none, and returns them in their places.
    ///
    /// With `expect`, the head must be exactly there. With `fence`, the named
    /// lease must still have this epoch; whether it has run out by the clock
    /// does not matter, as long as nobody took it since.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] before [`StoreError::Conflict`];
    /// [`StoreError::Refused`] for an entry over [`VALUE_BYTES_MAX`].
    fn append(
        &mut self,
        drafts: Vec<Draft>,
        expect: Option<Seq>,
        fence: Option<(&str, Epoch)>,
    ) -> Result<Vec<Entry>, StoreError>;

    /// The last entry's place and digest; 0 and
    /// [`genesis`](baton_core::ledger::canon::genesis) when there is none.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when entries that were once appended are missing at the end.
    fn head(&mut self) -> Result<(Seq, Digest), StoreError>;

    /// Up to `most` entries that follow `after`, in order, each checked against
    /// its digest and the entry before.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] names the first entry that is missing, changed or
    /// unreadable; [`StoreError::Format`] one that a newer Baton wrote.
    fn read(&mut self, after: Seq, most: usize) -> Result<Vec<Entry>, StoreError>;

    /// Up to `most` entries of one run that follow `after`, in order, each
    /// checked against its digest. The entries between are not looked at.
    ///
    /// # Errors
    /// As [`read`](Self::read), but for entries that are missing.
    fn read_run(&mut self, run: &RunId, after: Seq, most: usize) -> Result<Vec<Entry>, StoreError>;

    /// The same as stored bytes, to export them or to verify all of them with
    /// [`Walker`](baton_core::ledger::chain::Walker). Only their places are checked.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] names the first entry that is missing.
    fn read_bytes(&mut self, after: Seq, most: usize) -> Result<Vec<Vec<u8>>, StoreError>;

    /// Takes the lease when it is free, has run out at `now`, or `steal` says
    /// so, and returns its new epoch, which is one more each time. `holder` is
    /// for people: whoever holds the lease already gets it no more than others.
    ///
    /// # Errors
    /// [`StoreError::Held`] names the present holder.
    fn lease(
        &mut self,
        name: &str,
        holder: &str,
        now: Timestamp,
        lasts: Duration,
        steal: bool,
    ) -> Result<Epoch, StoreError>;

    /// Lets the lease end at `now` and `lasts`, be that later or earlier than
    /// before, and even when it had run out, as long as nobody took it since.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] when it was taken since, or given back.
    fn renew(
        &mut self,
        name: &str,
        epoch: Epoch,
        now: Timestamp,
        lasts: Duration,
    ) -> Result<(), StoreError>;

    /// Gives the lease back: it is free from now on and its epoch is over.
    /// Nothing happens when it was taken by someone else since.
    ///
    /// # Errors
    /// Those of every write.
    fn release(&mut self, name: &str, epoch: Epoch) -> Result<(), StoreError>;

    /// The leases whose names begin with `prefix` and that have not ended at
    /// `now`, by name.
    ///
    /// # Errors
    /// Those of every read.
    fn leases(&mut self, prefix: &str, now: Timestamp) -> Result<Vec<Lease>, StoreError>;

    /// Keeps bytes under their digest, which it returns. Keeping them twice is
    /// the same as once.
    ///
    /// # Errors
    /// [`StoreError::Refused`] over [`VALUE_BYTES_MAX`].
    fn put(&mut self, bytes: &[u8]) -> Result<Digest, StoreError>;

    /// The bytes with this digest, which is checked; `None` when they were never kept.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when they do not have this digest any more.
    fn get(&mut self, digest: &Digest) -> Result<Option<Vec<u8>>, StoreError>;

    /// Keeps what was computed from the entries up to the one with the digest
    /// `head` (or [`genesis`](baton_core::ledger::canon::genesis)), in place of
    /// what was kept under this key. For a head that is not in the ledger
    /// nothing is kept.
    ///
    /// # Errors
    /// [`StoreError::Refused`] over [`VALUE_BYTES_MAX`].
    fn remember(&mut self, key: &str, head: &Digest, bytes: &[u8]) -> Result<(), StoreError>;

    /// What was remembered, with the digest and place of the head it belongs
    /// to. `None` when nothing was, when that entry is not in the ledger any
    /// more, or when the bytes were damaged: a cache can be computed again.
    ///
    /// # Errors
    /// Those of every read.
    fn recall(&mut self, key: &str) -> Result<Option<(Digest, Seq, Vec<u8>)>, StoreError>;

    /// A number that is another one after anybody's commit, through this
    /// connection or another. It costs no disk access, so it may be asked often.
    ///
    /// # Errors
    /// Those of every read.
    fn changed(&mut self) -> Result<u64, StoreError>;
}
