//! The complete list of effects a run can have on the world.
//!
//! The driver sees processes, clocks, randomness and metrics through [`World`]
//! alone, so that the simulated world of the crash explorer can stand in for
//! the real one. Every effect can say [`Lost`]: not known whether it happened.

use std::collections::{BTreeMap, BTreeSet};

use baton_core::event::Ending;
use baton_core::id::{AttemptId, MeasureId};
use baton_core::parity::Fingerprint;
use baton_core::run::order::Order;
use baton_core::run::state::{Ahead, Probe};
use baton_core::run::survey::Survey;
use baton_core::time::Duration;
use baton_core::watch::{Learned, Sample};
use jiff::Timestamp;

/// It is not known whether the effect happened. The driver drops its memory;
/// whoever takes the run next finds out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("lost touch with the world: {0}")]
pub struct Lost(pub String);

/// How a command ended, and what it left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The attempt.
    pub attempt: AttemptId,
    /// How it ended.
    pub end: Ending,
    /// Variables it gave to later steps.
    pub outputs: BTreeMap<String, String>,
    /// What it printed, masked and bounded.
    pub output: Vec<u8>,
    /// How long it took.
    pub took: Duration,
}

/// What became of an attempt that an earlier driver meant to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// It never started; its place on the host is now closed, so it never will.
    Never,
    /// It is still under way; [`World::wait`] will report its end.
    Running,
    /// It ended, or nobody will ever know.
    Ended(Ended),
}

/// Why [`World::wait`] returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wake {
    /// A command ended.
    Ended(Ended),
    /// The facts of an environment were read.
    Surveyed(Box<Fingerprint>),
    /// Time passed, or something stirred: look again.
    Stirred,
    /// The person at the terminal asks to stop; how often so far.
    Interrupted(u32),
}

/// Everything a run can do to the world.
pub trait World {
    /// The time.
    fn now(&mut self) -> Timestamp;

    /// 64 random bits, for ids.
    fn random(&mut self) -> u64;

    /// Starts a command that outlives this process. Nothing happens when the
    /// attempt's place was closed by [`World::adopt`]; its end is then reported
    /// as never started.
    ///
    /// # Errors
    /// [`Lost`] when it is not known whether it started. A command that cannot
    /// start is no error here: [`World::wait`] reports its end.
    fn start(&mut self, order: &Order) -> Result<(), Lost>;

    /// Finds out what became of an attempt of an earlier driver, and makes sure
    /// that one that never started never will.
    ///
    /// # Errors
    /// [`Lost`] when the host cannot be asked.
    fn adopt(&mut self, order: &Order) -> Result<Found, Lost>;

    /// The end of this attempt is in the ledger, or that it never started and
    /// the driver is gone that meant to: what the host keeps of it may go. Asked
    /// again after a crash.
    fn settled(&mut self, attempt: &AttemptId);

    /// Begins to read the facts of an environment; [`World::wait`] reports them.
    /// What cannot be read is so reported and no error.
    ///
    /// # Errors
    /// [`Lost`] when reading cannot even begin.
    fn survey(&mut self, survey: Survey) -> Result<(), Lost>;

    /// Whether the driver that called itself so is known to be gone. Where that
    /// cannot be known, it is not.
    fn gone(&mut self, holder: &str) -> bool {
        let _unknown = holder;
        false
    }

    /// What the time before teaches of a watch that is about to begin; nothing where
    /// nothing can be read.
    fn learn(&mut self, ahead: &Ahead) -> BTreeMap<MeasureId, Learned> {
        let _unknown = ahead;
        BTreeMap::new()
    }

    /// Asks these addresses from now on, and no others.
    ///
    /// # Errors
    /// [`Lost`] when it is not known whether they are asked.
    fn probe(&mut self, probes: &BTreeSet<Probe>) -> Result<(), Lost>;

    /// What was counted since the last time.
    ///
    /// # Errors
    /// [`Lost`] when the counts are gone.
    fn counted(&mut self) -> Result<BTreeMap<MeasureId, Sample>, Lost>;

    /// The end of a command that is there already, without waiting: what is
    /// reported so shares one write of the ledger.
    fn more(&mut self) -> Option<Ended> {
        None
    }

    /// Waits until a command ends, the moment has come, or something may have
    /// stirred; never longer than a short while.
    ///
    /// # Errors
    /// [`Lost`] when the world cannot be watched.
    fn wait(&mut self, until: Option<Timestamp>) -> Result<Wake, Lost>;
}
