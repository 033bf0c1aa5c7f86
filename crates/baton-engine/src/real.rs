//! The real world: this machine's clock, randomness, processes and network.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use baton_core::id::{AttemptId, Handle, MeasureId};
use baton_core::parity::Fingerprint;
use baton_core::run::order::Order;
use baton_core::run::state::{Ahead, Probe};
use baton_core::run::survey::Survey;
use baton_core::watch::{Learned, Sample};
use jiff::Timestamp;

use crate::collect::fingerprint;
use crate::metrics::Arm;
use crate::metrics::learn;
use crate::metrics::prober::{Prober, Target};
use crate::shell::Shell;
use crate::shell::attempt::{identity, lives};
use crate::world::{Ended, Found, Lost, Wake, World};

/// How long a wait lasts at most: how late a word from another terminal is heard.
const TICK: Duration = Duration::from_millis(25);

/// A fingerprint, or why none could be taken.
type Surveyed = std::io::Result<Fingerprint>;

/// This machine.
pub struct RealWorld {
    shell: Arc<Shell>,
    ends: Receiver<Ended>,
    sender: Sender<Ended>,
    /// The folder of the ledger, whose key makes secrets comparable.
    own: PathBuf,
    surveys: (Sender<Surveyed>, Receiver<Surveyed>),
    probes: BTreeSet<Probe>,
    prober: Option<Prober>,
    interrupts: Arc<AtomicU32>,
    /// How many of them were not for this world.
    before: u32,
    heard: u32,
}

impl RealWorld {
    /// A world whose commands run through `shell`; `own` is the folder of the
    /// ledger. `interrupts` counts how often the person at the terminal asked
    /// to stop; the first `before` of them were not for this world.
    pub fn new(shell: Shell, own: PathBuf, interrupts: Arc<AtomicU32>, before: u32) -> Self {
        let (sender, ends) = channel();
        Self {
            shell: Arc::new(shell),
            ends,
            sender,
            own,
            surveys: channel(),
            probes: BTreeSet::new(),
            prober: None,
            interrupts,
            before,
            heard: 0,
        }
    }

    /// A world for commands outside a run, such as criteria and preflights.
    pub fn quiet(shell: Shell, own: PathBuf) -> Self {
        Self::new(shell, own, Arc::default(), 0)
    }

    /// Carries out one command outside a run and waits for its end. It may be
    /// interrupted from the terminal as any command may; it changes nothing
    /// that anybody would have to undo.
    ///
    /// # Errors
    /// When the command's folder cannot be made.
    pub fn carry_out(&mut self, order: &Order) -> std::io::Result<Ended> {
        self.shell.start(order, &self.sender)?;
        loop {
            // The sender is ours too, so the channel stays open.
            if let Ok(ended) = self.ends.recv()
                && ended.attempt == order.attempt
            {
                self.shell.forget(&order.attempt);
                return Ok(ended);
            }
        }
    }
}

/// 64 random bits of the operating system.
pub fn random() -> u64 {
    let mut bytes = [0; 8];
    let mut filled = 0;
    while filled < bytes.len() {
        // An interrupted call is made again; this source does not fail otherwise.
        filled +=
            rustix::rand::getrandom(&mut bytes[filled..], rustix::rand::GetRandomFlags::empty())
                .unwrap_or(0);
    }
    u64::from_ne_bytes(bytes)
}

/// Who and where this process is, for the holder of a lease.
pub fn holder(who: &Handle) -> String {
    let host = rustix::system::uname();
    let (name, own) = (host.nodename().to_string_lossy(), std::process::id());
    format!("{who} on {name} {}", identity(own))
}

/// Whether a [`holder`] is known to be gone: a process of this machine that ended.
pub fn is_gone(holder: &str) -> bool {
    let host = rustix::system::uname();
    let here = format!(" on {} ", host.nodename().to_string_lossy());
    holder
        .split_once(&here)
        .is_some_and(|(_, identity)| !lives(identity))
}

impl World for RealWorld {
    fn now(&mut self) -> Timestamp {
        Timestamp::now()
    }

    fn random(&mut self) -> u64 {
        random()
    }

    fn start(&mut self, order: &Order) -> Result<(), Lost> {
        self.shell
            .start(order, &self.sender)
            .map_err(|error| Lost(format!("cannot make a folder for a command: {error}")))
    }

    fn adopt(&mut self, order: &Order) -> Result<Found, Lost> {
        self.shell
            .adopt(order, &self.sender)
            .map_err(|error| Lost(format!("cannot look for an earlier command: {error}")))
    }

    fn settled(&mut self, attempt: &AttemptId) {
        self.shell.forget(attempt);
    }

    fn survey(&mut self, survey: Survey) -> Result<(), Lost> {
        let (folder, own) = (self.shell.folder().to_owned(), self.own.clone());
        let ssh = self.shell.ssh().clone();
        let done = self.surveys.0.clone();
        let _thread = std::thread::spawn(move || {
            // Nobody listens any more when the driver has returned.
            let _sent = done.send(fingerprint(&survey, &folder, &own, &ssh));
        });
        Ok(())
    }

    fn gone(&mut self, holder: &str) -> bool {
        is_gone(holder)
    }

    fn learn(&mut self, ahead: &Ahead) -> BTreeMap<MeasureId, Learned> {
        learn(ahead, Timestamp::now())
    }

    fn probe(&mut self, probes: &BTreeSet<Probe>) -> Result<(), Lost> {
        if *probes == self.probes {
            return Ok(());
        }
        self.probes.clone_from(probes);
        self.prober = (!probes.is_empty()).then(|| Prober::start(targets(probes), &self.shell));
        Ok(())
    }

    fn counted(&mut self) -> Result<BTreeMap<MeasureId, Sample>, Lost> {
        Ok(self.prober.as_ref().map(Prober::take).unwrap_or_default())
    }

    fn more(&mut self) -> Option<Ended> {
        self.ends.try_recv().ok()
    }

    fn wait(&mut self, until: Option<Timestamp>) -> Result<Wake, Lost> {
        let asked = self.interrupts.load(Ordering::Relaxed) - self.before;
        if asked > self.heard {
            self.heard = asked;
            return Ok(Wake::Interrupted(asked));
        }
        if let Ok(read) = self.surveys.1.try_recv() {
            let broken = |error| {
                Lost(format!(
                    "cannot read the key under which secrets are compared: {error}"
                ))
            };
            return Ok(Wake::Surveyed(Box::new(read.map_err(broken)?)));
        }
        let left = until.map(|at| baton_core::time::Duration::between(Timestamp::now(), at));
        let pause = left.map_or(TICK, |left| left.to_std().min(TICK));
        match self.ends.recv_timeout(pause) {
            Ok(ended) => Ok(Wake::Ended(ended)),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => Ok(Wake::Stirred),
        }
    }
}

fn targets(probes: &BTreeSet<Probe>) -> Vec<Target> {
    let target = |probe: &Probe| Target {
        measure: probe.measure.clone(),
        arm: if probe.changed {
            Arm::Canary
        } else {
            Arm::Control
        },
        asked: probe.asked.clone(),
        every: probe.every.to_std(),
    };
    probes.iter().map(target).collect()
}
