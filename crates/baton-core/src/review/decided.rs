//! Who decided what: the words of people that moved a run, with their reasons.
//!
//! What a machine concluded from what was agreed (a judge's verdict, a step
//! whose condition does not hold) is in the timeline, not here; so is a
//! person's work on a step that was theirs to do.

use jiff::Timestamp;
use serde::Serialize;

use super::story::{Meaning, Resumed, Word};
use super::text::{name, reason};
use super::timeline::{release, title};
use crate::event::{Event, RunKind};
use crate::handoff::plan::Plan;
use crate::id::Handle;
use crate::ledger::Entry;
use crate::ledger::canon::BATON;

/// One decision of a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Decided {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: Handle,
    /// What, to follow the name: `paused the run`.
    pub what: String,
    /// Why, when they said so.
    pub because: Option<String>,
}

/// The decision of an entry, when it is one of a person.
pub(super) fn decided(
    plan: &Plan,
    entry: &Entry,
    meaning: &Meaning,
    back: bool,
) -> Option<Decided> {
    if entry.by.as_str() == BATON {
        return None;
    }
    let undo = if back { "the undo of " } else { "" };
    let (what, because) = match &entry.event {
        Event::RunOpened(terms) => {
            let word = match terms.what {
                RunKind::Launch => "launch",
                RunKind::Rehearsal => "rehearsal",
            };
            (format!("opened the {word} of {}", release(plan)), None)
        }
        // How sure somebody was is theirs: it is asked in confidence and never told.
        Event::Voted { go, because, .. } => {
            let vote = if *go { "go" } else { "no-go" };
            (format!("voted {vote}"), because.as_deref())
        }
        Event::Talked { text } => ("recorded the talk".to_owned(), Some(text.as_str())),
        Event::StepSkipped { step, because } => {
            let what = format!("left out {undo}{}", title(plan, step));
            (what, Some(because.as_str()))
        }
        Event::StepDone { step, .. } => match meaning {
            Meaning::ByHand(word) => match word.word {
                Word::Did | Word::Undid => return None,
                Word::SettledRun => (format!("said that {} was done", title(plan, step)), None),
                Word::SettledUndo | Word::Insisted => {
                    (format!("said that {} was undone", title(plan, step)), None)
                }
            },
            _ => return None,
        },
        Event::StepApproved { step } => (format!("approved {}", title(plan, step)), None),
        Event::RetryCalled { step, .. } => {
            (format!("had {undo}{} tried again", title(plan, step)), None)
        }
        Event::Paused { because } => ("paused the run".to_owned(), because.as_deref()),
        Event::Resumed => match meaning {
            Meaning::Resumed(Resumed::Freeze) => {
                ("let the run go on though it had frozen".to_owned(), None)
            }
            _ => ("let the run go on".to_owned(), None),
        },
        Event::WindowExtended { because } => {
            let what = "let the run go on past its window".to_owned();
            (what, because.as_deref())
        }
        Event::RollbackCalled { because } => ("called the way back".to_owned(), because.as_deref()),
        Event::StopCalled { because } => ("stopped the run".to_owned(), because.as_deref()),
        Event::AcceptedLive => ("took over the running release".to_owned(), None),
        _ => return None,
    };
    Some(Decided {
        at: entry.at,
        by: entry.by.clone(),
        what,
        because: because.map(reason).filter(|because| !because.is_empty()),
    })
}

impl Decided {
    /// The decision as one line: `omar paused the run: the disk is slow`.
    pub fn says(&self) -> String {
        let why = super::text::colon(self.because.as_deref());
        format!("{} {}{why}", name(&self.by), self.what)
    }
}
