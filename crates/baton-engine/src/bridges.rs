//! Bridges: what is news in a handoff, told where people already are.
//!
//! ```text
//! ledger -> News (core) -> Notice -> shape (core) -> channel -> Slack, mail, webhook, Matrix, CDEvents
//! ```
//!
//! A [`Post`] reads the ledger as everybody does and delivers what is news to
//! each bridge of the contract, in order, each on a thread of its own: nothing
//! waits for a bridge, not a run and not another bridge. Of all processes on one
//! ledger only the one with the bridge's lease speaks through it.
//!
//! *At least once.* Up to where a bridge was told is kept beside the ledger, as
//! what was computed from it up to there; it moves after a delivery, so that a
//! crash between the two tells the same thing twice, with the same id
//! (`webhook-id`, Matrix transaction, `Message-ID`, CloudEvents `id`). That is no
//! event of its own: whether a message got out is no fact about the handoff, and a
//! chain that grew by one entry for each of them would be mostly that. What
//! matters to people is one: a bridge that does not get through is said once in
//! the ledger ([`Event::BridgeLost`](baton_core::event::Event::BridgeLost)), and
//! that it does again.
//!
//! A bridge that was never used begins with what is at most five minutes old.
//! Values of secrets are looked up for each delivery and stand in no error; nothing
//! that a receiver answers is repeated.

mod channel;
mod mail;
mod signed;
mod teller;

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use baton_core::handoff::contract::Bridge;
use baton_core::handoff::plan::{self, Plan};

use crate::desk::{Files, Settings};
use channel::Channel;
use teller::Teller;

/// How long a [`Post`] that is dropped waits for a delivery that is under way.
/// After that it is left to its own time limit: it ends by itself, and what it
/// told may be told again.
const DROP: Duration = Duration::from_secs(1);

/// How quickly a delivery that failed is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// The pause after the first failure; it doubles each time, and up to half of
    /// it is left to chance, so that many bridges do not knock at once.
    pub first: Duration,
    /// The longest pause.
    pub longest: Duration,
    /// After so many failures in a row the ledger says that a bridge is lost.
    pub lost_after: u32,
}

impl Default for Pace {
    /// 1 s, 2 s, … up to a minute; lost after five, which is about 12 s.
    fn default() -> Self {
        Self {
            first: Duration::from_secs(1),
            longest: Duration::from_secs(60),
            lost_after: 5,
        }
    }
}

/// A bridge that was not told everything yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Untold {
    /// Its kind and where it leads.
    pub bridge: String,
    /// How many notices wait at least.
    pub notices: usize,
    /// Why, without a word of a secret.
    pub because: String,
}

/// What a thread hears from its [`Post`]; that nobody speaks any more ends it.
enum Word {
    /// Tell what there is, until then, and end.
    Finish(Instant),
}

/// One bridge while it is served.
struct Served {
    name: String,
    words: Sender<Word>,
    done: Receiver<Option<Untold>>,
}

/// The bridges of a handoff while they are served. Dropped, it stops soon, and
/// what was not told waits for the next.
pub struct Post {
    served: Vec<Served>,
}

impl Post {
    /// Serves the bridges of the contract as it is now; `room` is the address of
    /// the page, when there is one. A handoff without bridges, and files that
    /// cannot be read, cost nothing.
    pub fn start(settings: &Settings, room: Option<String>) -> Self {
        Self::paced(settings, room, Pace::default())
    }

    /// The same at another pace.
    pub fn paced(settings: &Settings, room: Option<String>, pace: Pace) -> Self {
        let Some(plan) = with_bridges(settings) else {
            return Self { served: Vec::new() };
        };
        let plan = Arc::new(plan);
        let bridges = plan.contract.room.defined();
        let bridges = bridges.map_or(&[][..], |room| room.notify.as_slice());
        let served = bridges.iter().enumerate().map(|(at, bridge)| {
            let channel = Channel::new(bridge, &plan, settings, room.clone());
            let name = name(bridges, at);
            let path = settings.own_folder().join("ledger.db");
            let teller = Teller::new(channel, name.clone(), path, Arc::clone(&plan), pace);
            let (words, heard) = mpsc::channel();
            let (ended, done) = mpsc::channel();
            let _thread = thread::spawn(move || {
                // Whoever no longer wants to know has dropped the other end.
                let _told = ended.send(teller.tell(&heard));
            });
            Served { name, words, done }
        });
        Self {
            served: served.collect(),
        }
    }

    /// Whether there is nobody to tell.
    pub fn is_empty(&self) -> bool {
        self.served.is_empty()
    }

    /// Tells what there is, for so long at most, and stops. Returns the bridges
    /// that were not told everything; what another process tells is not waited for.
    pub fn finish(mut self, patience: Duration) -> Vec<Untold> {
        let until = Instant::now() + patience;
        for served in &self.served {
            let _heard = served.words.send(Word::Finish(until));
        }
        let mut untold = Vec::new();
        for served in std::mem::take(&mut self.served) {
            let left = until.saturating_duration_since(Instant::now()) + DROP;
            let ended = served.done.recv_timeout(left);
            untold.extend(ended.unwrap_or_else(|_| {
                Some(Untold {
                    bridge: served.name,
                    notices: 1,
                    because: "no answer yet".to_owned(),
                })
            }));
        }
        untold
    }
}

impl Drop for Post {
    fn drop(&mut self) {
        let until = Instant::now() + DROP;
        let all = std::mem::take(&mut self.served);
        // All hear it before the first is waited for.
        let done: Vec<_> = all.into_iter().map(|served| served.done).collect();
        for done in done {
            let left = until.saturating_duration_since(Instant::now());
            let _ended = done.recv_timeout(left);
        }
    }
}

/// The launch's plan, when it has bridges.
fn with_bridges(settings: &Settings) -> Option<Plan> {
    let files = Files::read(settings).ok()?;
    let contract = files.contract?;
    if contract.room.defined()?.notify.is_empty() {
        return None;
    }
    let launch = contract.launch.environment.value.clone();
    plan::resolve(&contract, &files.runbook?, &launch).0
}

/// What a bridge is called in the ledger: its kind and where it leads, as far as
/// that is no secret.
fn name(bridges: &[Bridge], at: usize) -> String {
    let bridge = &bridges[at];
    let kind = bridge.kind();
    let host = |url: &str| {
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let authority = &rest[..end];
        let host = authority.rsplit('@').next().unwrap_or_default();
        host.to_owned()
    };
    let whom = match bridge {
        Bridge::Slack { .. } => String::new(),
        Bridge::Email { to, .. } => baton_core::diag::list(to, 2),
        Bridge::Webhook { url, .. } | Bridge::Cdevents { url, .. } => host(url),
        Bridge::Matrix { room, .. } => room.clone(),
    };
    let same = bridges.iter().filter(|other| other.kind() == kind).count();
    match (whom.is_empty(), same) {
        (false, _) => format!("{kind} {whom}"),
        (true, 1) => kind.to_owned(),
        (true, _) => format!("{kind} {}", at + 1),
    }
}
