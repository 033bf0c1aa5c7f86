//! What the page shows: folds of desk and ledger in the shapes of the wire. No
//! rule is decided here.

pub(crate) mod board;
pub(crate) mod run;
