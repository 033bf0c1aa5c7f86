//! Everything that can go wrong in what a person asks for, in one shape.
//!
//! The text is `cannot …: why`, then hints. Every error of the crates below
//! becomes a failure here and nowhere else. What a kind is at an edge (an exit
//! status, an HTTP status) is that edge's to say.

use std::error::Error;
use std::io::{self, ErrorKind};
use std::path::Path;

use baton_core::ledger::clock::ClockWentBack;
use baton_core::run::Illegal;
use baton_store::StoreError;

use crate::drive::DriveError;
use crate::world::Lost;

/// What kind of trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The command was used in a way that cannot work here.
    Use,
    /// The files are invalid.
    Files,
    /// Another driver holds the run.
    Held,
    /// The ledger, a disk or a host cannot be used.
    Part,
    /// It is not ready, or what was asked for is not allowed now.
    Refused,
    /// A bug of ours.
    Bug,
}

/// Something that went wrong.
#[derive(Clone, Debug)]
pub struct Failure {
    /// What kind.
    pub kind: Kind,
    /// What cannot be done, or is so, in a sentence.
    pub message: String,
    /// Why, from the outside in.
    pub causes: Vec<String>,
    /// What would make it pass.
    pub hints: Vec<String>,
}

impl Failure {
    /// Trouble of this kind.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            causes: Vec::new(),
            hints: Vec::new(),
        }
    }

    /// Wrong use.
    pub fn wrong(message: impl Into<String>) -> Self {
        Self::new(Kind::Use, message)
    }

    /// Not allowed now.
    pub fn refused(message: impl Into<String>) -> Self {
        Self::new(Kind::Refused, message)
    }

    /// A needed part cannot be used.
    pub fn part(message: impl Into<String>) -> Self {
        Self::new(Kind::Part, message)
    }

    /// A file or folder that cannot be written.
    pub fn unwritten(path: &Path, error: &io::Error) -> Self {
        let failure = Self::part(format!("cannot write {}", path.display())).because(error);
        match error.kind() {
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
                failure.hint("get the right to write there, and try again")
            }
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
                failure.hint("make room on that disk, and try again")
            }
            _ => failure,
        }
    }

    /// Adds what would make it pass.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Adds the chain of reasons of an error.
    #[must_use]
    pub fn because(mut self, error: &dyn Error) -> Self {
        let mut cause = Some(error);
        while let Some(error) = cause {
            self.causes.push(error.to_string());
            cause = error.source();
        }
        self
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let kind = match &error {
            StoreError::Held { .. } | StoreError::Fenced => Kind::Held,
            StoreError::Conflict { .. } => Kind::Refused,
            _ => Kind::Part,
        };
        let hint = match &error {
            StoreError::Held { .. } => Some(
                "act in the run from here: `baton next`, `done`, `approve`, `pause`, `rollback`",
            ),
            StoreError::Conflict { .. } => {
                Some("somebody else acted meanwhile: look, and try again")
            }
            StoreError::Busy { .. } => Some("nothing was written: try again in a moment"),
            StoreError::Full { .. } => {
                Some("nothing was lost: make room on that disk, and try again")
            }
            StoreError::ReadOnly { .. } => {
                Some("nothing was lost: get the right to write there, and try again")
            }
            StoreError::CannotUse { .. } => Some(
                "see to the file, its folder and its disk (room, rights, limits), and try again",
            ),
            StoreError::Lost(_) => Some(
                "see to the disk (room, rights, limits), and look with `baton status` before you say it again",
            ),
            StoreError::Format { .. } => Some("use the newer Baton"),
            StoreError::Corrupt { .. } => Some(
                "keep the file as it is and restore `.baton` from a backup; `baton record verify` checks a record that was exported",
            ),
            StoreError::Fenced | StoreError::Refused(_) => None,
        };
        let message = match &error {
            StoreError::Held { holder, .. } => {
                format!("the run is driven by {}", from_where(holder))
            }
            StoreError::Fenced => "another Baton took this run over".to_owned(),
            other => other.to_string(),
        };
        let mut failure = Self::new(kind, message);
        failure.hints.extend(hint.map(str::to_owned));
        let mut cause = error.source();
        while let Some(source) = cause {
            failure.causes.push(source.to_string());
            cause = source.source();
        }
        failure
    }
}

/// Who and where, of a lease's holder: `omar on vm`, without the process.
fn from_where(holder: &str) -> String {
    let words: Vec<&str> = holder.split(' ').collect();
    match words.as_slice() {
        [who, "on", host, ..] => format!("{who}, on {host}"),
        _ => holder.to_owned(),
    }
}

impl From<DriveError> for Failure {
    fn from(error: DriveError) -> Self {
        match error {
            DriveError::Store(error) => match Self::from(error) {
                failure if failure.kind == Kind::Part => {
                    failure.hint("commands under way go on: `baton resume` finds out and goes on")
                }
                failure => failure,
            },
            DriveError::Lost(Lost(why)) => Self::part("cannot see what became of the run")
                .hint("nothing is lost: `baton resume` finds out and goes on")
                .caused(why),
            DriveError::Clock(back) => Self::from(back),
            DriveError::NoRun(run) => Self::wrong(format!("there is no run {run}")),
            error @ DriveError::Plan { .. } => Self::part(error.to_string()),
            error @ DriveError::Illegal { .. } => {
                Self::new(Kind::Bug, "the run's ledger contradicts itself").because(&error)
            }
        }
    }
}

impl From<ClockWentBack> for Failure {
    fn from(back: ClockWentBack) -> Self {
        Self::part(back.to_string()).hint(
            "set the clock right and ask again; nothing was judged or recorded by it, and commands under way go on",
        )
    }
}

impl From<Illegal> for Failure {
    fn from(error: Illegal) -> Self {
        Self::refused(error.to_string()).hint("`baton next` says what can be done now")
    }
}

impl Failure {
    fn caused(mut self, why: String) -> Self {
        self.causes.push(why);
        self
    }
}
