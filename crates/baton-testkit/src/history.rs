//! The ledger as the explorer reads it: every entry, and what of them still
//! matters to what can happen next.
//!
//! The driver's only memory is the state of the run, and that is a fold of the
//! entries. So two ledgers whose entries differ only in what leaves the state as
//! it was go on alike. Left out of the print of a history are: which driver took
//! over how often, attempts that never started, and probes whose answer was
//! lost, since the state is after them what it was before; and the names of
//! attempts. The tests hold a search that believes this against one that does not.

use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::fmt::{self, Write as _};
use std::hash::Hasher as _;
use std::sync::Arc;

use baton_core::event::{Ending, Event, FenceRole};
use baton_core::id::{AttemptId, Epoch};
use baton_core::ledger::Entry;

use crate::sim::Spot;

/// A hash of what things look like, the same in every process.
#[derive(Clone, Default)]
pub(crate) struct Print(DefaultHasher);

impl fmt::Write for Print {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.write(text.as_bytes());
        Ok(())
    }
}

impl Print {
    pub(crate) fn of(what: fmt::Arguments<'_>) -> u64 {
        let mut print = Self::default();
        print.add(what);
        print.finish()
    }

    pub(crate) fn add(&mut self, what: fmt::Arguments<'_>) {
        self.write_fmt(what).expect("a hash takes everything");
    }

    pub(crate) fn add_number(&mut self, number: u64) {
        self.0.write_u64(number);
    }

    pub(crate) fn finish(&self) -> u64 {
        self.0.finish()
    }
}

/// An attempt that has begun, as its entry says.
#[derive(Clone, Debug)]
pub(crate) struct Begun {
    pub(crate) spot: Spot,
    pub(crate) role: FenceRole,
    pub(crate) epoch: Epoch,
}

#[derive(Clone, Debug)]
struct Mark {
    starts: Option<AttemptId>,
    print: u64,
}

/// All entries of a run.
#[derive(Clone, Debug, Default)]
pub struct History {
    entries: Vec<Arc<Entry>>,
    marks: Vec<Mark>,
    active: BTreeMap<AttemptId, Begun>,
}

impl History {
    /// The entries, in order.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().map(Arc::as_ref)
    }

    /// How many they are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing has happened.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Attempts that have begun and not ended.
    pub(crate) fn active(&self) -> &BTreeMap<AttemptId, Begun> {
        &self.active
    }

    pub(crate) fn push(&mut self, entry: &Entry) {
        self.entries.push(Arc::new(entry.clone()));
        match &entry.event {
            Event::DriverTook { .. } | Event::RunOpened(_) => {}
            Event::AttemptStarted {
                attempt,
                step,
                host,
                role,
                epoch,
            } => {
                let spot = Spot::of(step, host);
                self.marks.push(Mark {
                    starts: Some(attempt.clone()),
                    print: Print::of(format_args!("starts {spot:?} {role:?} {}", entry.at)),
                });
                let begun = Begun {
                    spot,
                    role: *role,
                    epoch: *epoch,
                };
                let _new = self.active.insert(attempt.clone(), begun);
            }
            Event::AttemptVoided { attempt } => {
                let _begun = self.active.remove(attempt);
                self.forget(attempt);
            }
            Event::AttemptEnded {
                attempt,
                end,
                outputs,
                ..
            } => {
                let begun = self.active.remove(attempt);
                let probe = begun.as_ref().is_some_and(|begun| {
                    matches!(begun.role, FenceRole::Verify | FenceRole::Preflight)
                });
                if probe && matches!(end, Ending::Unknown { .. }) {
                    return self.forget(attempt);
                }
                let spot = begun.map(|begun| begun.spot);
                let at = entry.at;
                self.mark(Print::of(format_args!(
                    "ends {spot:?} {end:?} {outputs:?} {at}"
                )));
            }
            event => {
                let (by, at) = (&entry.by, entry.at);
                self.mark(Print::of(format_args!("{by} {event:?} {at}")));
            }
        }
    }

    fn mark(&mut self, print: u64) {
        self.marks.push(Mark {
            starts: None,
            print,
        });
    }

    fn forget(&mut self, attempt: &AttemptId) {
        self.marks
            .retain(|mark| mark.starts.as_ref() != Some(attempt));
    }

    /// Adds what matters to what can happen next.
    pub(crate) fn print(&self, print: &mut Print) {
        for mark in &self.marks {
            print.add_number(mark.print);
        }
    }
}
