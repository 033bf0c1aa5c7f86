//! The watch after a change: what was counted in, keep, hold or roll back out.
//!
//! [`series`] is what one interval of one measure looks like, [`eprocess`] weighs
//! it against what was agreed, [`ratio`] says how many times worse it looks, and
//! [`judge`] decides. All of it may be looked at after every interval, as often
//! as one likes: the chance of ever rolling a harmless release back stays below
//! the agreed false alarm (Ville 1939).
//!
//! Nothing here measures, waits or acts. Replaying the same samples gives the
//! same bits, so a restart rebuilds the judge from the ledger.

pub mod series;

pub mod eprocess;

pub mod ratio;

pub mod judge;

pub(crate) mod words;

#[cfg(test)]
mod tests;

pub use judge::{Decision, Design, Finding, Judge, Measure, State, Terms, Verdict};
pub use series::{Counts, Sample};
