//! Hosts behind the system's `ssh`: people's own configuration, agent, known
//! hosts and jump hosts count, because it is their program that connects.
//!
//! A connection starts a shell and nothing else: that says `ready` before it is
//! told anything, so whoever never saw `ready` knows that nothing was begun.
//! What to do is then sent over standard input alone, never as an argument, and
//! takes effect as a whole or not at all.
//!
//! Everything a host says is bounded in size and may be a lie.

mod answer;
mod gate;
mod line;
mod text;

use std::path::PathBuf;
use std::thread;
use std::time::Duration;

pub(crate) use answer::{Left, Told, plain, told};
pub(crate) use line::{Broken, Line};
pub(crate) use text::{Errand, adopt, facts, quote, start};

/// How long a connection may take until the far shell is ready.
const READY_WITHIN: Duration = Duration::from_secs(30);

/// How often a host that is busy is tried before nothing is begun there.
const TRIES: u32 = 6;
/// The first pause between two tries; each is twice the one before.
pub(crate) const PAUSE: Duration = Duration::from_millis(250);
/// How long after a command's time limit a host that cannot be reached is still
/// asked: long enough for it to start anew.
const PATIENCE: Duration = Duration::from_secs(180);

/// The program that connects, and how patient it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ssh {
    program: PathBuf,
    patience: Duration,
}

impl Ssh {
    /// Connects with this program, which takes what OpenSSH's `ssh` takes.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            patience: PATIENCE,
        }
    }

    /// Asks a host that cannot be reached for so long after a command's time limit.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Connects, also to a host that is busy. Nothing is begun there.
    pub(crate) fn reach(&self, to: &str) -> Result<Line, Unreached> {
        let mut pause = PAUSE;
        for _try in 1..TRIES {
            match self.open(to) {
                Err(unreached) if unreached.busy => thread::sleep(pause),
                other => return other,
            }
            pause *= 2;
        }
        self.open(to)
    }

    /// How long a host that cannot be reached is asked after a command's time limit.
    pub(crate) fn patience(&self) -> Duration {
        self.patience
    }
}

impl Default for Ssh {
    /// The `ssh` of the search path.
    fn default() -> Self {
        Self::new("ssh")
    }
}

/// Why a host could not be reached; nothing was begun there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unreached {
    /// In the words of `ssh`, in one line.
    pub(crate) why: String,
    /// Whether a second try may fare better: the host was there and busy.
    pub(crate) busy: bool,
}
