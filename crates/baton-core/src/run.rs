//! A run: what has happened, and what is next.
//!
//! `state` is the only place where a run's state changes ([`State::apply`]);
//! `next` is the only place that chooses ([`next::next`]); a driver at the edge
//! obeys. Resuming is the same loop on a longer log. `waits` says who has to do
//! what, from the same state, and `asked` says it in a sentence.

pub mod asked;
pub mod condition;
pub mod next;
pub mod order;
pub mod staff;
pub mod standing;
pub mod state;
pub mod survey;
pub mod waits;

#[cfg(test)]
pub(crate) mod tests;

pub use next::{Next, next};
pub use state::{Illegal, State};
