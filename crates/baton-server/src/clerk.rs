//! A clerk: a thread with a desk of its own, which does one thing after the
//! other. The desk is laid anew when the files have changed.

use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use baton_core::id::{Digest, Seq};
use baton_engine::desk::{Desk, Settings};
use baton_engine::failure::{Failure, Kind};
use baton_store::Log as _;
use tokio::sync::oneshot;

use crate::view::history;
use crate::wire::History;

/// How long a release that was read stands for what it is.
const RELEASE_KEPT: Duration = Duration::from_secs(2);
/// How long a history stands while nothing is appended.
const HISTORY_KEPT: Duration = Duration::from_secs(60);

type Job = Box<dyn FnOnce(Result<&mut Table, Failure>) + Send>;

/// A desk, and the files it was laid from.
pub(crate) struct Table {
    settings: Settings,
    desk: Desk,
    stamp: Stamp,
    /// Why the files cannot be used, since they were changed.
    broken: Option<Failure>,
    /// The release as it was read last, and when.
    release: Option<(Instant, Result<Digest, String>)>,
    /// The history as it was folded last: to which entry, and when.
    history: Option<(Seq, Instant, History)>,
}

/// When both files were written, and how long they are.
type Stamp = [Option<(SystemTime, u64)>; 2];

impl Table {
    /// Lays the desk.
    pub(crate) fn lay(settings: &Settings) -> Result<Self, Failure> {
        let desk = Desk::open(settings)?;
        Ok(Self {
            stamp: stamp(settings, &desk),
            settings: settings.clone(),
            desk,
            broken: None,
            release: None,
            history: None,
        })
    }

    /// The desk as its files are now; an error when they cannot be used.
    pub(crate) fn desk(&mut self) -> Result<&mut Desk, Failure> {
        self.freshen();
        match &self.broken {
            None => Ok(self.laid()?),
            Some(failure) => Err(failure.clone()),
        }
    }

    /// The desk as its files were when they could be used last: a run that is
    /// under way does not stand on them.
    pub(crate) fn laid(&mut self) -> Result<&mut Desk, Failure> {
        self.desk.catch_up()?;
        Ok(&mut self.desk)
    }

    /// The same without a look at what was appended since.
    pub(crate) fn laid_as_it_is(&mut self) -> &mut Desk {
        &mut self.desk
    }

    /// The release's identity, read again only when it was read a while ago: its
    /// files may be large, and many people look at once.
    pub(crate) fn release(&mut self) -> Result<Result<Digest, String>, Failure> {
        if let Some((at, release)) = &self.release
            && at.elapsed() < RELEASE_KEPT
        {
            return Ok(release.clone());
        }
        let release = self.desk()?.release();
        self.release = Some((Instant::now(), release.clone()));
        Ok(release)
    }

    /// How the handoff came to where it stands, folded again only when something was
    /// appended or a minute has passed: it reads the whole ledger.
    pub(crate) fn history(&mut self) -> Result<History, Failure> {
        let release = self.release()?;
        let head = self.desk()?.log.head()?.0;
        if let Some((of, at, history)) = &self.history
            && *of == head
            && at.elapsed() < HISTORY_KEPT
        {
            return Ok(history.clone());
        }
        let history = history::of(self.desk()?, release)?;
        self.history = Some((head, Instant::now(), history.clone()));
        Ok(history)
    }

    /// Lays the desk anew when the files have changed; whether they had.
    pub(crate) fn freshen(&mut self) -> bool {
        let now = stamp(&self.settings, &self.desk);
        if now == self.stamp {
            return false;
        }
        self.stamp = now;
        match Desk::open(&self.settings) {
            Ok(desk) => {
                self.desk = desk;
                self.stamp = stamp(&self.settings, &self.desk);
                self.broken = None;
                self.release = None;
                self.history = None;
            }
            Err(failure) => self.broken = Some(failure),
        }
        true
    }
}

fn stamp(settings: &Settings, desk: &Desk) -> Stamp {
    let of = |path: &Path| {
        let meta = path.metadata().ok()?;
        Some((meta.modified().ok()?, meta.len()))
    };
    let runbook = settings.folder.join(&desk.contract.runbook.value);
    [of(&settings.file), of(&runbook)]
}

/// A clerk to ask.
#[derive(Clone)]
pub(crate) struct Clerk {
    jobs: mpsc::Sender<Job>,
}

impl Clerk {
    /// A clerk at a desk of these settings.
    pub(crate) fn hire(settings: Settings) -> Self {
        let (jobs, todo) = mpsc::channel::<Job>();
        let _ends_with_the_last_sender = thread::spawn(move || {
            let mut table = None;
            for job in todo {
                // Laid at the first job: the room opens without waiting for it.
                if table.is_none() {
                    match Table::lay(&settings) {
                        Ok(laid) => table = Some(laid),
                        Err(failure) => {
                            job(Err(failure));
                            continue;
                        }
                    }
                }
                if let Some(table) = &mut table {
                    job(Ok(table));
                }
            }
        });
        Self { jobs }
    }

    /// Has something done at the desk, and waits for it.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Table) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let (done, result) = oneshot::channel();
        let sent = self.jobs.send(Box::new(move |table| {
            let _nobody_waits_any_more = done.send(table.and_then(job));
        }));
        if sent.is_ok()
            && let Ok(result) = result.await
        {
            return result;
        }
        Err(Failure::new(Kind::Bug, "the desk's thread has ended"))
    }
}
