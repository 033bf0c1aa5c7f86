//! What the page shows: folds of desk and ledger in the shapes of the wire. No
//! rule is decided here, and every text is as it was written: whoever shows it
//! makes it harmless, but for prose and pictures, which are so already.

pub(crate) mod board;
pub(crate) mod handoff;
pub(crate) mod history;
pub(crate) mod measures;
pub(crate) mod parity;
pub(crate) mod plan;
pub(crate) mod review;
pub(crate) mod run;

mod prose;

#[cfg(test)]
mod tests;
