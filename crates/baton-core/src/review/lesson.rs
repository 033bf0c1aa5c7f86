//! Lessons: kept by a person, binding until they are met.
//!
//! A fold of the whole ledger. An open lesson binds every handoff that touches
//! one of its components; a lesson that names none binds nothing.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::event::Event;
use crate::id::{Component, Handle, HandoffId, LessonId, RunId};
use crate::ledger::Entry;

/// One lesson.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Lesson {
    /// Its id.
    pub id: LessonId,
    /// What was learned and what must happen, as it was written.
    pub text: String,
    /// Components it binds.
    pub touches: Vec<Component>,
    /// Who answers for it.
    pub owner: Handle,
    /// Who kept it.
    pub by: Handle,
    /// The handoff it was learned from.
    pub handoff: HandoffId,
    /// The run it was learned from, when it was one.
    pub run: Option<RunId>,
    /// When it was kept.
    pub kept: Timestamp,
    /// How it was met; `None` while it is open.
    pub met: Option<Met>,
}

/// How a lesson was met.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Met {
    /// When.
    pub at: Timestamp,
    /// Who says so.
    pub by: Handle,
    /// How, as it was written.
    pub how: String,
}

/// Every lesson of a ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lessons {
    kept: Vec<Lesson>,
    index: BTreeMap<LessonId, usize>,
}

impl Lessons {
    /// The lessons of these entries, in the order of the ledger.
    pub fn of<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Self {
        let mut lessons = Self::default();
        for entry in entries {
            lessons.take(entry);
        }
        lessons
    }

    /// Takes the next entry in. A lesson is kept once and met once: the first
    /// word stands, and a word about a lesson that was not kept is no news.
    pub fn take(&mut self, entry: &Entry) {
        match &entry.event {
            Event::LessonKept {
                lesson,
                text,
                touches,
                owner,
            } if !self.index.contains_key(lesson) => {
                let _new = self.index.insert(lesson.clone(), self.kept.len());
                self.kept.push(Lesson {
                    id: lesson.clone(),
                    text: text.clone(),
                    touches: touches.clone(),
                    owner: owner.clone(),
                    by: entry.by.clone(),
                    handoff: entry.handoff.clone(),
                    run: entry.run.clone(),
                    kept: entry.at,
                    met: None,
                });
            }
            Event::LessonMet { lesson, how } => {
                if let Some(lesson) = self.index.get(lesson).map(|index| &mut self.kept[*index]) {
                    let _first = lesson.met.get_or_insert_with(|| Met {
                        at: entry.at,
                        by: entry.by.clone(),
                        how: how.clone(),
                    });
                }
            }
            _ => {}
        }
    }

    /// All of them, in the order in which they were kept.
    pub fn all(&self) -> &[Lesson] {
        &self.kept
    }

    /// The lesson with this id.
    pub fn get(&self, id: &LessonId) -> Option<&Lesson> {
        self.index.get(id).map(|index| &self.kept[*index])
    }

    /// Those that are not met.
    pub fn open(&self) -> impl Iterator<Item = &Lesson> {
        self.kept.iter().filter(|lesson| lesson.met.is_none())
    }

    /// Those that are not met and bind one of these components.
    pub fn open_for<'a>(&'a self, touches: &'a [Component]) -> impl Iterator<Item = &'a Lesson> {
        self.open().filter(|lesson| {
            lesson
                .touches
                .iter()
                .any(|component| touches.contains(component))
        })
    }
}
