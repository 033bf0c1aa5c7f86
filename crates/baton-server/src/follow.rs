//! The follower: a thread that reads what is new in the ledger once, folds it
//! once, and tells everybody.
//!
//! It promises the order of the ledger and no gap: who begins to watch is told
//! through the same channel as what happens, after what is folded so far. It
//! decides nothing and writes nothing.

mod following;
mod frames;

use std::collections::BTreeMap;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use baton_core::id::{AttemptId, Digest, RunId};
use baton_engine::desk::Settings;
use bytes::Bytes;
use tokio::sync::{mpsc as told, oneshot};

use crate::live::Watcher;
use crate::outside::Shared;
use crate::view::board::Board;
use crate::wire::{FeedLine, RunView};
use following::Following;

/// How often what only time changes is told.
const TICK: Duration = Duration::from_secs(1);

/// What is told to the runtime, in order.
pub(crate) enum News {
    /// A frame for everybody who watches this.
    Tell(Topic, Bytes),
    /// Somebody begins to watch, and is told this first.
    Watch(Topic, Bytes, oneshot::Sender<Watcher>),
    /// Nothing will be told of this any more.
    Over(Topic),
    /// Everything that is watched was left behind.
    Break,
}

/// What is watched: a run, or the handoff alone.
pub(crate) type Topic = Option<RunId>;

/// What the follower is asked.
pub(crate) enum Ask {
    /// To let somebody watch, who has seen everything up to an entry.
    Watch {
        topic: Topic,
        after: Option<u64>,
        to: oneshot::Sender<Watcher>,
    },
    /// For a run as it stands, if it is at hand.
    Run(RunId, oneshot::Sender<Option<RunView>>),
    /// For lines of a run behind an entry, if it is at hand.
    Lines(RunId, u64, usize, oneshot::Sender<Option<Vec<Line>>>),
    /// For what is known of an attempt's output: nothing of the attempt, that it
    /// is under way, or where it is kept.
    Output(AttemptId, oneshot::Sender<Option<Printed>>),
    /// For the entry everything is folded to.
    Head(oneshot::Sender<u64>),
    /// For the last line that was told of a run.
    Told(RunId, oneshot::Sender<u64>),
    /// To keep a run at hand that somebody else folded.
    Adopt(Box<Board>, Vec<FeedLine>, oneshot::Sender<()>),
    /// How many watch a topic now, as the runtime counts them.
    Watched(BTreeMap<String, usize>),
}

/// Where an attempt's output is.
pub(crate) enum Printed {
    /// Still being written.
    UnderWay,
    /// Kept under a digest; none when it printed nothing.
    Kept(Option<Digest>),
}

/// A line of the feed, ready to be sent.
#[derive(Clone)]
pub(crate) struct Line {
    pub(crate) seq: u64,
    pub(crate) json: Bytes,
}

/// Where the follower is reached.
#[derive(Clone)]
pub(crate) struct Follower {
    asks: mpsc::Sender<Ask>,
}

impl Follower {
    /// Starts following; what is new goes to `news`, what the public may know
    /// and who is known to `shared`.
    pub(crate) fn start(
        settings: Settings,
        news: told::UnboundedSender<News>,
        shared: Shared,
    ) -> Self {
        let (asks, asked) = mpsc::channel();
        let _ends_with_the_last_sender = thread::spawn(move || {
            loop {
                // A ledger that cannot be read now may be readable soon; people
                // see meanwhile that the page is not live.
                if let Ok(mut following) = Following::new(&settings, &news, &shared)
                    && let Ok(()) = following.follow(&asked)
                {
                    return;
                }
                // What is appended meanwhile nobody was told: who watches comes
                // back, and hears it then.
                let _closed = news.send(News::Break);
                // Who asks now is told at once that nothing can be read.
                let again = Instant::now() + TICK;
                loop {
                    let left = again.saturating_duration_since(Instant::now());
                    match asked.recv_timeout(left) {
                        Ok(unanswered) => drop(unanswered),
                        Err(mpsc::RecvTimeoutError::Timeout) => break,
                        Err(mpsc::RecvTimeoutError::Disconnected) => return,
                    }
                }
            }
        });
        Self { asks }
    }

    /// Asks; nobody answers once the room is closed.
    pub(crate) async fn ask<T>(&self, ask: impl FnOnce(oneshot::Sender<T>) -> Ask) -> Option<T> {
        let (to, answer) = oneshot::channel();
        self.asks.send(ask(to)).ok()?;
        answer.await.ok()
    }

    /// Says how many watch.
    pub(crate) fn watched(&self, watched: BTreeMap<String, usize>) {
        let _closed = self.asks.send(Ask::Watched(watched));
    }
}

/// What the stream calls a topic.
pub(crate) fn name(topic: Option<&RunId>) -> String {
    topic.map(ToString::to_string).unwrap_or_default()
}
