//! The ledger's rules: an event becomes an entry, an entry becomes bytes, and
//! each entry carries the digest of the one before.
//!
//! `canon` fixes the bytes, `chain` checks a sequence of them, `clock` says whose
//! clock may add to it. Storing is the store's work.

pub mod canon;
pub mod chain;
pub mod clock;

pub use canon::{Draft, Entry};
