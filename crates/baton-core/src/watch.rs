//! The watch after a change: what was counted in, keep, hold or roll back out.
//!
//! [`series`] is what one interval of one measure looks like; `counts`,
//! `bernoulli`, `histogram` and `gauge` bet on it against what was agreed,
//! `eprocess` keeps what the bets won, `sight` and `split` doubt what they bet on, `ratio` and `quantile` say how large
//! the effect looks, `history` what the time before teaches, and [`judge`]
//! decides; [`recorded`] reads series back, [`plot`] draws them, [`query`] finds
//! the counter in a query. All of it may be
//! looked at after every interval, as often as one likes: the chance of ever rolling
//! a harmless release back stays below the agreed false alarm (Ville 1939).
//!
//! Nothing here measures, waits or acts. Replaying the same samples gives the
//! same bits on every machine (`math`), so a restart rebuilds the judge from the
//! ledger.

pub mod series;

mod sight;

mod split;

pub mod terms;

mod math;

pub mod eprocess;

pub mod counts;

mod bernoulli;

mod histogram;

mod gauge;

pub mod ratio;

mod quantile;

pub mod history;

mod pair;

mod watched;

pub mod judge;

pub mod recorded;

pub mod plot;

pub mod query;

pub(crate) mod words;

#[cfg(test)]
mod tests;

pub use history::{Forecast, Learned};
pub use judge::Judge;
pub use series::{Counts, Detail, Level, Sample, Trouble};
pub use terms::{Decision, Design, Effect, Finding, Kind, Measure, State, Terms, Verdict};
pub(crate) use words::percent;
