//! The driver's side of an attempt on a host behind ssh.
//!
//! Each attempt has a thread, so that a host that hangs holds up no other. One
//! connection starts the command and waits for its end. If it breaks, the host
//! is asked again, and again, until it answers or time is over: nothing is ever
//! started twice to find out. The connection that brought a result stays for
//! one more word, by which the host forgets the attempt.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ChildStdin;
use std::sync::mpsc::{RecvTimeoutError, SendError, Sender, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use baton_core::event::Ending;
use baton_core::handoff::runbook;
use baton_core::id::AttemptId;
use baton_core::run::order::Order;

use super::local::never;
use super::shown::Shown;
use super::ssh::{Broken, Errand, Left, Line, PAUSE, Ssh, Told, adopt, start, told};
use crate::secret::{Masker, Secret, resolve};
use crate::world::{Ended, Found};

/// The longest pause before a host is asked again; the first is [`PAUSE`].
const PAUSE_MOST: Duration = Duration::from_secs(10);
/// How long the driver waits for a host's first word about an earlier attempt.
/// One that takes longer is taken to be busy with it, and a thread finds out.
const FIRST_WORD: Duration = Duration::from_secs(5);

/// Attempts on hosts behind ssh.
#[derive(Debug)]
pub struct Far {
    /// The contract's folder, from which secrets are had.
    folder: PathBuf,
    /// Where what commands print is shown while they run.
    attempts: PathBuf,
    ssh: Ssh,
    kept: Kept,
}

/// The attempts of this driver, and the ways in to hosts that keep their files.
type Kept = Arc<Mutex<BTreeMap<AttemptId, Option<ChildStdin>>>>;

impl Far {
    /// Attempts for a contract in `folder`; what they print is shown below
    /// `attempts` while they run.
    pub fn new(folder: PathBuf, attempts: PathBuf, ssh: Ssh) -> Self {
        Self {
            folder,
            attempts,
            ssh,
            kept: Kept::default(),
        }
    }

    /// How hosts are reached.
    pub fn ssh(&self) -> &Ssh {
        &self.ssh
    }

    /// Starts an attempt on the host `to`; its end is sent, also when it could
    /// not start.
    pub fn start(&self, to: &str, order: &Order, ends: &Sender<Ended>) {
        let (attempt, ends) = (self.attempt(to, order), ends.clone());
        let _thread = thread::spawn(move || {
            let (ended, line) = attempt.carry_out();
            // Nobody listens any more when the driver has returned.
            let _sent = ends.send(ended);
            if let Some(line) = line {
                line.outlast();
            }
        });
    }

    /// Finds out about an attempt of another driver, and makes sure that one
    /// that never started never will. A host that cannot be asked at once is
    /// taken to be busy with it; its end is then sent, whatever it was.
    pub fn adopt(&self, to: &str, order: &Order, ends: &Sender<Ended>) -> Found {
        let (attempt, ends) = (self.attempt(to, order), ends.clone());
        // Without room, so that a word is either heard here or comes back.
        let (first, heard) = sync_channel(0);
        let _thread = thread::spawn(move || attempt.find_out(first, &ends));
        match heard.recv_timeout(FIRST_WORD) {
            Ok(found) => found,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => Found::Running,
        }
    }

    /// Lets the host remove what it keeps of an attempt whose end is in the
    /// ledger.
    pub fn forget(&self, attempt: &AttemptId) {
        let kept = lock(&self.kept).remove(attempt);
        if let Some(mut input) = kept.flatten() {
            // A folder that stays costs a little space and nothing else.
            let _sent = input.write_all(b"forget\n");
        }
    }

    fn attempt(&self, to: &str, order: &Order) -> Attempt {
        let _new = lock(&self.kept).insert(order.attempt.clone(), None);
        let name = order.env.get("BATON_HOST").map_or(to, String::as_str);
        Attempt {
            name: name.to_owned(),
            to: to.to_owned(),
            order: order.clone(),
            folder: self.folder.clone(),
            place: self.attempts.join(order.attempt.as_str()),
            ssh: self.ssh.clone(),
            kept: Arc::clone(&self.kept),
        }
    }
}

/// One attempt, as its thread knows it.
struct Attempt {
    /// The host as people call it.
    name: String,
    /// The host as `ssh` calls it.
    to: String,
    order: Order,
    folder: PathBuf,
    /// The attempt's folder on this machine.
    place: PathBuf,
    ssh: Ssh,
    kept: Kept,
}

/// What a host says of an attempt.
enum Said {
    Refused(String),
    Never,
    Left(Left, Line),
}

impl Attempt {
    /// Starts it and waits for its end.
    fn carry_out(&self) -> (Ended, Option<Line>) {
        let never = |because| (never(&self.order.attempt, because), None);
        let secrets = match self.secrets() {
            Ok(secrets) => secrets,
            Err(why) => return never(why),
        };
        let text = match self.text(&secrets) {
            Ok(text) => text,
            Err(why) => return never(why),
        };
        let line = match self.ssh.reach(&self.to) {
            Ok(line) => line,
            // Nothing was sent.
            Err(unreached) => return never(self.unreached(&unreached.why)),
        };
        let masker = masker(secrets);
        let mut until = self.until();
        match self.converse(line, &text, &masker, &mut until, &mut || {}) {
            Ok(Said::Left(left, line)) => self.ended(left, line, &masker),
            Ok(Said::Refused(why)) => never(format!("{}: {why}", self.name)),
            Ok(Said::Never) => never("its wrapper did not start".to_owned()),
            // From here on only the host knows.
            Err(_) => match self.settle(until, &masker, &mut || {}) {
                Some(known) => known,
                None => never("the connection was lost before it started".to_owned()),
            },
        }
    }

    /// Asks about an attempt of another driver; the first word goes to whoever
    /// waits for it, everything later to `ends`.
    fn find_out(&self, first: SyncSender<Found>, ends: &Sender<Ended>) {
        // The host has masked what it keeps; this is for what it may have missed.
        let masker = masker(self.secrets().unwrap_or_default());
        let mut first = Some(first);
        let known = self.settle(self.until(), &masker, &mut || {
            // Who no longer waits takes it to be running anyway.
            let _heard = first.take().map(|first| first.send(Found::Running));
        });
        let (found, line) = match known {
            Some((ended, line)) => (Found::Ended(ended), line),
            None => (Found::Never, None),
        };
        let unheard = match first {
            Some(first) => first.send(found).err().map(|SendError(found)| found),
            None => Some(found),
        };
        let ended = match unheard {
            Some(Found::Ended(ended)) => Some(ended),
            Some(Found::Never | Found::Running) => Some(never(
                &self.order.attempt,
                "its driver ended before it started".to_owned(),
            )),
            None => None,
        };
        // Nobody listens any more when the driver has returned.
        let _sent = ended.map(|ended| ends.send(ended));
        if let Some(line) = line {
            line.outlast();
        }
    }

    /// Asks the host until it says how the attempt ended; `None` when it never
    /// started and never will. Time is over only for a host that is silent.
    fn settle(
        &self,
        mut until: Instant,
        masker: &Masker,
        running: &mut dyn FnMut(),
    ) -> Option<(Ended, Option<Line>)> {
        let text = adopt(&self.order.attempt);
        let mut pause = PAUSE;
        loop {
            let why = match self.ssh.open(&self.to) {
                Err(unreached) => unreached.why,
                Ok(line) => match self.converse(line, &text, masker, &mut until, running) {
                    Ok(Said::Left(left, line)) => return Some(self.ended(left, line, masker)),
                    Ok(Said::Never) => return None,
                    Ok(Said::Refused(why)) | Err(why) => why,
                },
            };
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let because = self.unreached(&why);
                let ended = Ended {
                    end: Ending::Unknown { because },
                    ..never(&self.order.attempt, String::new())
                };
                return Some((ended, None));
            }
            thread::sleep(pause.min(left));
            pause = (pause * 2).min(PAUSE_MOST);
        }
    }

    fn unreached(&self, why: &str) -> String {
        format!("{} cannot be reached: {why}", self.name)
    }

    fn until(&self) -> Instant {
        Instant::now() + self.order.timeout.to_std() + self.ssh.patience()
    }

    fn ended(&self, left: Left, mut line: Line, masker: &Masker) -> (Ended, Option<Line>) {
        if let Some(kept) = lock(&self.kept).get_mut(&self.order.attempt) {
            *kept = line.take_input();
        }
        let outcome = left.outcome(!self.order.secrets.is_empty(), masker);
        let ended = Ended {
            attempt: self.order.attempt.clone(),
            end: outcome.end,
            outputs: outcome.outputs,
            output: outcome.output,
            took: outcome.took,
        };
        (ended, Some(line))
    }

    fn secrets(&self) -> Result<BTreeMap<String, Secret>, String> {
        let secrets = self.order.secrets.iter();
        secrets
            .map(|(name, reference)| match resolve(reference, &self.folder) {
                Ok(secret) => Ok((name.clone(), secret)),
                Err(why) => Err(format!("the secret {name} cannot be had: {why}")),
            })
            .collect()
    }

    /// What the host is sent; nothing of it stands unquoted but what was looked at here.
    fn text(&self, secrets: &BTreeMap<String, Secret>) -> Result<String, String> {
        let Order { fence, host, .. } = &self.order;
        let interpreter = runbook::interpreter(&fence.lang)
            .ok_or_else(|| format!("nothing runs `{}`", fence.lang))?;
        let open = self.order.env.iter();
        let open = open.map(|(name, value)| (name.as_str(), (value.as_str(), false)));
        let masked = secrets.iter();
        let masked = masked.map(|(name, secret)| (name.as_str(), (secret.expose(), true)));
        let vars: BTreeMap<_, _> = open.chain(masked).collect();
        let errand = Errand {
            attempt: &self.order.attempt,
            dir: host.as_ref().and_then(|host| host.dir.as_deref()),
            script: &fence.body,
        };
        errand.check(&vars)?;
        let limit = self.order.timeout.as_millis().div_ceil(1000).max(1);
        Ok(start(errand, &vars, limit, interpreter))
    }

    /// Sends a text and listens to what the host says of the attempt. Every sign of
    /// life of the attempt makes room for more.
    fn converse(
        &self,
        mut line: Line,
        text: &str,
        masker: &Masker,
        until: &mut Instant,
        running: &mut dyn FnMut(),
    ) -> Result<Said, String> {
        let mut shown = Shown::new(&self.place, !self.order.secrets.is_empty(), masker.clone());
        let said = self.listen(&mut line, text, &mut shown, until, running);
        match said {
            Ok(Ok(left)) => Ok(Said::Left(left, line)),
            Ok(Err(said)) => Ok(said),
            Err(broken) => Err(line.why(broken)),
        }
    }

    fn listen(
        &self,
        line: &mut Line,
        text: &str,
        shown: &mut Shown<'_>,
        until: &mut Instant,
        running: &mut dyn FnMut(),
    ) -> Result<Result<Left, Said>, Broken> {
        line.send(text.as_bytes(), *until)?;
        loop {
            let word = line.line(*until)?;
            match told(&word) {
                Some(Told::Running) => {
                    *until = (*until).max(Instant::now() + self.ssh.patience());
                    running();
                }
                Some(Told::Output(length)) => {
                    if !shown.take(&line.exactly(length, *until)?) {
                        return Err(Broken::Garbled);
                    }
                }
                Some(Told::Never) => return Ok(Err(Said::Never)),
                Some(Told::Refused(why)) => return Ok(Err(Said::Refused(why))),
                Some(Told::Result(lengths)) => return Left::read(line, lengths, *until).map(Ok),
                Some(Told::Facts) | None => return Err(Broken::Garbled),
            }
        }
    }
}

fn masker(secrets: BTreeMap<String, Secret>) -> Masker {
    Masker::new(secrets.values().map(|secret| secret.expose().to_owned()))
}

fn lock(
    kept: &Mutex<BTreeMap<AttemptId, Option<ChildStdin>>>,
) -> std::sync::MutexGuard<'_, BTreeMap<AttemptId, Option<ChildStdin>>> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}
