//! Exit statuses: the table of `docs/book/exit-statuses.md`, and nothing else.

use std::process::ExitCode;

use baton_core::event::Outcome;
use baton_engine::failure::Kind;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Ready, succeeded, equal; a rehearsal went as asked.
    Good,
    /// Not ready, different, failed, aborted.
    Bad,
    /// Wrong use, invalid files, or another driver holds the run.
    Wrong,
    /// Inconclusive, or a needed part cannot be used.
    Unknown,
    /// Rolled back.
    RolledBack,
    /// Stopped.
    Stopped,
    /// Paused.
    Paused,
    /// A bug of ours.
    Bug,
}

impl Exit {
    /// The status the shell sees.
    pub(crate) fn code(self) -> ExitCode {
        ExitCode::from(match self {
            Self::Good => 0,
            Self::Bad => 1,
            Self::Wrong => 2,
            Self::Unknown => 3,
            Self::RolledBack => 4,
            Self::Stopped => 5,
            Self::Paused => 6,
            Self::Bug => 70,
        })
    }
}

impl From<Outcome> for Exit {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Succeeded => Self::Good,
            Outcome::RolledBack => Self::RolledBack,
            Outcome::Stopped => Self::Stopped,
            Outcome::Aborted => Self::Bad,
        }
    }
}

impl From<Kind> for Exit {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Use | Kind::Files | Kind::Held => Self::Wrong,
            Kind::Part => Self::Unknown,
            Kind::Refused => Self::Bad,
            Kind::Bug => Self::Bug,
        }
    }
}
