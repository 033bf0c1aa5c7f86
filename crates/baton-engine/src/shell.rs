//! Commands that outlive Baton.
//!
//! An attempt has a folder of its own on the host. A small wrapper leads a
//! session of its own there, runs the script, and leaves how it ended; it
//! survives the driver's death and the driver survives its. On this machine it
//! is the same binary (`attempt`), and `local` the driver's side of it. On a
//! host behind ssh it is a POSIX shell program that is sent along
//! (`ssh/remote.sh`), and `far` the driver's side; nothing is installed there.
//!
//! ```text
//! script        the fence's body
//! pid           a link to nowhere whose text is "PID START-TIME" of the wrapper, or
//!               "void"; whoever makes it first decides whether the attempt ever runs
//! output        what was printed, masked and bounded, as it comes; if anything was
//! variables     lines NAME=value for later steps (BATON_OUTPUT)
//! exit.json     how it ended; renamed into place, so that it is whole or not there
//! ```
//!
//! Far away, in `$HOME/.baton/attempts`, `pid` is a file, `command` holds what
//! `pid` does for the command itself, `exit` is lines instead of JSON, the
//! beginning and the end of the output are `output` and `tail` (where the step
//! has secrets, in hex digits), and `wrapper` is the program. What is printed there
//! comes along the connection and is `output` here as well while the command runs.

pub mod attempt;
pub mod far;
pub mod local;
pub(crate) mod process;
mod shown;
pub mod ssh;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;

use baton_core::id::AttemptId;
use baton_core::run::order::Order;

use crate::world::{Ended, Found};
use far::Far;
use local::Local;
use ssh::Ssh;

/// Attempts wherever an order says: on this machine, or behind ssh.
#[derive(Debug)]
pub struct Shell {
    local: Local,
    far: Far,
}

impl Shell {
    /// Attempts for a contract in `folder`: those on this machine have their folders
    /// in `attempts`, with `program` as their wrapper (called with `attempt
    /// FOLDER`); other hosts are reached through `ssh`.
    pub fn new(folder: PathBuf, attempts: PathBuf, program: PathBuf, ssh: Ssh) -> Self {
        Self {
            far: Far::new(folder.clone(), attempts.clone(), ssh),
            local: Local {
                folder,
                attempts,
                program,
            },
        }
    }

    /// The contract's folder.
    pub fn folder(&self) -> &Path {
        &self.local.folder
    }

    /// What connects to hosts behind ssh.
    pub fn ssh(&self) -> &Ssh {
        self.far.ssh()
    }

    /// Starts an attempt; its end is sent, also when it could not start.
    ///
    /// # Errors
    /// When the folder of an attempt on this machine cannot be made.
    pub fn start(&self, order: &Order, ends: &Sender<Ended>) -> io::Result<()> {
        match address(order) {
            Some(to) => self.far.start(to, order, ends),
            None => self.local.start(order, ends)?,
        }
        Ok(())
    }

    /// Finds out about an attempt of another driver, and makes sure that one
    /// that never started never will.
    ///
    /// # Errors
    /// When the folder of an attempt on this machine cannot be used.
    pub fn adopt(&self, order: &Order, ends: &Sender<Ended>) -> io::Result<Found> {
        match address(order) {
            Some(to) => Ok(self.far.adopt(to, order, ends)),
            None => self.local.adopt(order, ends),
        }
    }

    /// Removes what is kept of an attempt whose end is in the ledger.
    pub fn forget(&self, attempt: &AttemptId) {
        self.far.forget(attempt);
        self.local.forget(attempt);
    }
}

/// How `ssh` calls the order's host; `None` for this machine.
fn address(order: &Order) -> Option<&str> {
    order.host.as_ref()?.ssh.as_deref()
}
