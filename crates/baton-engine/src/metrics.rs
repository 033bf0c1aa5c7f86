//! Where the judge's counts come from. Nothing here judges them.

pub mod probe;
