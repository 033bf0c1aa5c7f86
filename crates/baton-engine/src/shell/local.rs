//! The driver's side of an attempt on this machine.

use std::fs;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::Sender;
use std::thread;
use std::time::Duration;

use baton_core::event::Ending;
use baton_core::handoff::runbook;
use baton_core::id::AttemptId;
use baton_core::run::order::Order;
use rustix::process::Signal;

use super::attempt::{
    Exit, GRACE, OUTPUT_HEAD, OUTPUT_TAIL, Spec, claim, claimed, leave, write_private,
};
use super::process::Process;
use crate::secret::resolve;
use crate::world::{Ended, Found};

/// How often it is looked whether an attempt of another driver has ended, while
/// its wrapper lives on for the sake of a service that the command started.
const LOOK: Duration = Duration::from_millis(20);

/// Attempts on this machine: their folders, and the threads that wait for them.
#[derive(Debug)]
pub struct Local {
    /// The contract's folder.
    pub folder: PathBuf,
    /// Where attempts have their folders.
    pub attempts: PathBuf,
    /// The program that is its own wrapper, called with `attempt FOLDER SPEC`.
    pub program: PathBuf,
}

impl Local {
    /// Starts an attempt; its end is sent, also when it could not start.
    ///
    /// # Errors
    /// When the attempt's folder cannot be made.
    pub fn start(&self, order: &Order, ends: &Sender<Ended>) -> io::Result<()> {
        match self.spawn(order) {
            Ok(child) => {
                let (folder, attempt, ends) = (
                    self.place(&order.attempt),
                    order.attempt.clone(),
                    ends.clone(),
                );
                let limit = order.timeout.to_std();
                let _thread = thread::spawn(move || {
                    let mut child = child;
                    await_end(&mut child);
                    outlast(&folder, limit);
                    // Nobody listens any more when the driver has returned.
                    let _sent = ends.send(result(&folder, &attempt));
                    let _reaped = child.wait();
                });
                Ok(())
            }
            Err(Refused::Io(error)) => Err(error),
            Err(Refused::Because(because)) => {
                let _sent = ends.send(never(&order.attempt, because));
                Ok(())
            }
        }
    }

    /// Finds out about an attempt of another driver, and makes sure that one
    /// that never started never will.
    ///
    /// # Errors
    /// When the attempt's folder cannot be used.
    pub fn adopt(&self, order: &Order, ends: &Sender<Ended>) -> io::Result<Found> {
        let place = self.place(&order.attempt);
        make_folder(&place)?;
        if claim(&place, "void")? {
            return Ok(Found::Never);
        }
        let holder = claimed(&place);
        if holder.as_deref() == Some("void") {
            return Ok(Found::Never);
        }
        let wrapper = holder.as_deref().and_then(Process::parse);
        let runs = || wrapper.is_some_and(Process::lives) || surviving(&place).is_some();
        if place.join("exit.json").exists() || !runs() {
            return Ok(Found::Ended(result(&place, &order.attempt)));
        }
        let (attempt, ends) = (order.attempt.clone(), ends.clone());
        let limit = order.timeout.to_std();
        let _thread = thread::spawn(move || {
            while !place.join("exit.json").exists()
                && wrapper.is_some_and(|wrapper| !wrapper.ends_within(LOOK))
            {}
            outlast(&place, limit);
            let _sent = ends.send(result(&place, &attempt));
        });
        Ok(Found::Running)
    }

    /// Removes the folder of an attempt whose end is in the ledger, or that was
    /// closed and whose driver is gone.
    pub fn forget(&self, attempt: &AttemptId) {
        let place = self.place(attempt);
        let gone = place.with_extension("gone");
        // Out of the way in one move, so that a late wrapper finds all or nothing
        // of it. A folder that stays costs a little space and nothing else.
        let _moved = fs::rename(&place, &gone);
        let _removed = fs::remove_dir_all(gone);
    }

    fn place(&self, attempt: &AttemptId) -> PathBuf {
        self.attempts.join(attempt.as_str())
    }

    fn spawn(&self, order: &Order) -> Result<Child, Refused> {
        let because = |why: String| Refused::Because(why);
        let interpreter = runbook::interpreter(&order.fence.lang)
            .ok_or_else(|| because(format!("nothing runs `{}`", order.fence.lang)))?;
        let dir = order.host.as_ref().and_then(|host| host.dir.as_deref());
        let folder = dir.map_or_else(|| self.folder.clone(), |dir| self.folder.join(dir));
        if !folder.is_dir() {
            let shown = dir.unwrap_or(".");
            return Err(because(format!("the folder {shown} is not there")));
        }
        let mut secrets = Vec::new();
        for (name, reference) in &order.secrets {
            let secret = resolve(reference, &self.folder)
                .map_err(|why| because(format!("the secret {name} cannot be had: {why}")))?;
            secrets.push((name.clone(), secret));
        }
        let place = self.place(&order.attempt);
        make_folder(&place)?;
        write_private(&place.join("script"), order.fence.body.as_bytes())?;
        let spec = Spec {
            interpreter: interpreter.iter().map(|word| (*word).to_owned()).collect(),
            folder,
            timeout_ms: order.timeout.as_millis(),
            secrets: order.secrets.keys().cloned().collect(),
        };
        let spec = serde_json::to_string(&spec).map_err(io::Error::from)?;
        let mut command = Command::new(&self.program);
        for name in &order.withheld {
            let _command = command.env_remove(name);
        }
        let _command = command
            .arg("attempt")
            .arg(&place)
            .arg(spec)
            .envs(&order.env)
            .envs(secrets.iter().map(|(name, secret)| (name, secret.expose())))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        Ok(command.spawn()?)
    }
}

enum Refused {
    Io(io::Error),
    Because(String),
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// The end of an attempt that did nothing.
pub(super) fn never(attempt: &AttemptId, because: String) -> Ended {
    Ended {
        attempt: attempt.clone(),
        end: Ending::NotStarted { because },
        outputs: std::collections::BTreeMap::new(),
        output: Vec::new(),
        took: baton_core::time::Duration::default(),
    }
}

/// Waits until the wrapper says that the command ended, or is gone itself.
fn await_end(child: &mut Child) {
    if let Some(said) = child.stdout.take() {
        let mut line = String::new();
        // An error is the end of the wrapper, as an empty line is.
        let _read = BufReader::new(said).read_line(&mut line);
    }
}

/// Waits for a command whose wrapper was killed: as long as it runs, nobody may
/// judge what it did or do it again. The wrapper's promise of a time limit is kept.
fn outlast(place: &Path, limit: Duration) {
    while !place.join("exit.json").exists()
        && let Some(command) = surviving(place)
    {
        // One that ended when its time was over was ended by somebody else who waits.
        if command.ends_within(limit.saturating_sub(command.age())) && command.age() < limit {
            continue;
        }
        if command.lives() {
            command.signal_group(Signal::TERM);
            let _ended = command.ends_within(GRACE);
        }
        if command.lives() {
            command.signal_group(Signal::KILL);
            let _ended = command.ends_within(GRACE);
        }
        let exit = Exit {
            end: Ending::TimedOut,
            variables: std::collections::BTreeMap::new(),
            took_ms: u64::try_from(command.age().as_millis()).unwrap_or(u64::MAX),
        };
        // Without it the end is as unknown as any that left no result.
        let _left = leave(place, &exit);
    }
}

/// The command of an attempt whose wrapper is gone, while it runs.
fn surviving(place: &Path) -> Option<Process> {
    Process::left_by(Process::parse(&claimed(place)?)?)
}

/// What the folder says of the end.
fn result(place: &Path, attempt: &AttemptId) -> Ended {
    let exit = fs::read(place.join("exit.json"))
        .ok()
        .and_then(|bytes| serde_json::from_slice::<Exit>(&bytes).ok());
    let mut output = Vec::new();
    if let Ok(file) = fs::File::open(place.join("output")) {
        let most = (OUTPUT_HEAD + OUTPUT_TAIL + 64) as u64;
        // What cannot be read is not shown.
        let _read = file.take(most).read_to_end(&mut output);
    }
    match exit {
        Some(exit) => Ended {
            attempt: attempt.clone(),
            end: exit.end,
            outputs: exit.variables,
            output,
            took: baton_core::time::Duration::from_millis(exit.took_ms),
        },
        // A wrapper that was voided, or never came to claim its place, did nothing.
        None if claim(place, "void").unwrap_or(false) || voided(place) => {
            never(attempt, "its wrapper did not start".to_owned())
        }
        None => Ended {
            end: Ending::Unknown {
                because: "its process is gone and left no result".to_owned(),
            },
            output,
            ..never(attempt, String::new())
        },
    }
}

fn voided(place: &Path) -> bool {
    claimed(place).is_some_and(|holder| holder == "void")
}

pub(super) fn make_folder(place: &Path) -> io::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(place)
}
