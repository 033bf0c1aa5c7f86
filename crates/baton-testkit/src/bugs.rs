//! Classic bugs, put in on purpose, so that the explorer has something to find.
//!
//! None of them stands in the product. A bug of hosts or of the ledger is done
//! by the simulated ones. A bug of the core that does not heed something is a
//! core that is given a plan without it: what happens is then held against the
//! plan that was meant.

use std::collections::BTreeMap;

use baton_core::event::{Ending, Event, FenceRole};
use baton_core::handoff::plan::Plan;
use baton_core::handoff::runbook::Retry;
use baton_core::id::{AttemptId, Epoch};
use baton_core::ledger::{Draft, Entry};
use baton_core::time::Duration;
use baton_engine::world::Found;

use crate::history::Begun;
use crate::sim::ended;

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// What nobody knows is said to have failed: crashed means failed.
    UnknownIsFailed,
    /// What nobody knows is said to have never started: always run again.
    UnknownIsNever,
    /// What is still running is said to have never started.
    RunningIsNever,
    /// What is still running is found, and its end is never reported.
    RunningIsForgotten,
    /// What ended is asked about again as if it had never started.
    UndoneIsNever,
    /// A command begins in a place that was closed.
    ClosedIsOpened,
    /// A closed place is opened though the driver may live that meant to start there.
    ClosedIsForgotten,
    /// A host forgets how a command ended before the ledger has it.
    EndIsForgotten,
    /// The undo of what was done first is carried out first.
    UndoesForward,
    /// An append is durable only with the next one: the act comes before the intent.
    ActsBeforeIntent,
    /// An append with an old epoch is taken.
    FenceIsIgnored,
    /// A lease is taken and its epoch stays.
    EpochStays,
    /// The outcome of a command is not recorded.
    OutcomeIsLost,
    /// What is appended is appended twice.
    AppendsTwice,
    /// A person's call to stop is not read.
    StopIsUnread,
    /// The core lets a step begin before those it comes after.
    HeedsNoOrder,
    /// The core takes a deed that exits with 0 for done.
    HeedsNoVerify,
    /// The core goes back past a point of no return.
    HeedsNoReturn,
    /// The core takes every step for safe to repeat.
    RepeatsAll,
    /// The core tries again more often than it is told.
    RetriesOn,
    /// The core begins without approvals.
    HeedsNoApproval,
    /// The core leaves the first step as it is on the way back.
    LeavesOneUndone,
}

impl Bug {
    /// All of them.
    pub const ALL: [Self; 22] = [
        Self::UnknownIsFailed,
        Self::UnknownIsNever,
        Self::RunningIsNever,
        Self::RunningIsForgotten,
        Self::UndoneIsNever,
        Self::ClosedIsOpened,
        Self::ClosedIsForgotten,
        Self::EndIsForgotten,
        Self::UndoesForward,
        Self::ActsBeforeIntent,
        Self::FenceIsIgnored,
        Self::EpochStays,
        Self::OutcomeIsLost,
        Self::AppendsTwice,
        Self::StopIsUnread,
        Self::HeedsNoOrder,
        Self::HeedsNoVerify,
        Self::HeedsNoReturn,
        Self::RepeatsAll,
        Self::RetriesOn,
        Self::HeedsNoApproval,
        Self::LeavesOneUndone,
    ];

    /// The plan that the core is given.
    pub(crate) fn warp(self, plan: &mut Plan) {
        for (i, step) in plan.steps.iter_mut().enumerate() {
            let written = &mut step.written;
            match self {
                Self::HeedsNoOrder => step.after_ids.clear(),
                Self::HeedsNoVerify => written.verify = None,
                Self::HeedsNoReturn if written.undo.is_none() => {
                    (written.changes, written.no_way_back) = (false, None);
                }
                Self::RepeatsAll => written.safe_to_repeat = true,
                Self::RetriesOn => {
                    written.retry = Some(Retry {
                        times: 3,
                        every: Duration::default(),
                    });
                }
                Self::HeedsNoApproval => written.approve = None,
                Self::LeavesOneUndone if i == 0 => {
                    (written.changes, written.undo) = (false, None);
                }
                _ => {}
            }
        }
    }

    /// What is said of an attempt that a driver looks for.
    pub(crate) fn found(self, attempt: &AttemptId, begun: Option<&Begun>, found: Found) -> Found {
        let undo = begun.is_some_and(|begun| begun.role == FenceRole::Undo);
        let unknown =
            matches!(&found, Found::Ended(end) if matches!(end.end, Ending::Unknown { .. }));
        match (self, &found) {
            (Self::UnknownIsFailed, Found::Ended(_)) if unknown => {
                Found::Ended(ended(attempt, Ending::Exited { code: 1 }))
            }
            (Self::UnknownIsNever, Found::Ended(_)) if unknown => Found::Never,
            (Self::RunningIsNever, Found::Running) => Found::Never,
            (Self::UndoneIsNever, _) if undo => Found::Never,
            _ => found,
        }
    }

    /// What is appended in place of these.
    pub(crate) fn drafts(self, mut drafts: Vec<Draft>) -> Vec<Draft> {
        match self {
            Self::OutcomeIsLost => {
                drafts.retain(|draft| !matches!(draft.event, Event::AttemptEnded { .. }));
            }
            Self::AppendsTwice => drafts.extend(drafts.clone()),
            _ => {}
        }
        drafts
    }

    /// The token that is given for a lease.
    pub(crate) fn epoch(self, epoch: Epoch) -> Epoch {
        match self {
            Self::EpochStays => Epoch(1),
            _ => epoch,
        }
    }

    /// What a driver reads in place of these.
    pub(crate) fn read(self, mut entries: Vec<Entry>) -> Vec<Entry> {
        if self == Self::StopIsUnread {
            entries.retain(|entry| !matches!(entry.event, Event::StopCalled { .. }));
        }
        entries
    }
}

/// The spot that is undone when an undo is asked for.
pub(crate) fn forward<K: Copy + Ord>(effects: &BTreeMap<K, i32>, asked: K) -> K {
    let there = effects.iter().find(|(_, effect)| **effect > 0);
    there.map_or(asked, |(spot, _)| *spot)
}
