//! What the gate remembers of rehearsals and launches.

use super::{Ended, Facts, Run};
use crate::event::{Event, Outcome, RunKind};
use crate::id::{EnvName, RunId};
use crate::ledger::Entry;

impl Facts {
    pub(super) fn apply_run(&mut self, entry: &Entry) {
        match (&entry.event, &entry.run) {
            (Event::RunOpened(terms), Some(id)) => {
                if terms.what == RunKind::Launch {
                    self.launch_turn = Some(entry.seq);
                }
                let run = Run {
                    terms: terms.clone(),
                    opened_at: entry.at,
                    by: entry.by.clone(),
                    round_trip: None,
                    ended: None,
                };
                self.runs.insert(id.clone(), run);
            }
            (Event::RoundTrip(round_trip), Some(id)) => {
                if let Some(run) = self.runs.get_mut(id) {
                    run.round_trip = Some(round_trip.clone());
                }
            }
            (
                Event::RunEnded {
                    outcome,
                    because,
                    undone,
                },
                Some(id),
            ) => {
                let Some(run) = self.runs.get_mut(id) else {
                    return;
                };
                run.ended = Some(Ended {
                    outcome: *outcome,
                    because: because.clone(),
                    at: entry.at,
                    seq: entry.seq,
                    undone: undone.iter().cloned().collect(),
                });
                match run.terms.what {
                    RunKind::Launch => self.launch_turn = Some(entry.seq),
                    RunKind::Rehearsal => self.forget_outdone(id),
                }
            }
            (Event::Reviewed { of }, _) => {
                // Only a launch that ended waits for its review; a rehearsal stays evidence.
                let met = |run: &Run| run.terms.what == RunKind::Launch && run.ended.is_some();
                self.runs.retain(|id, run| id != of || !met(run));
            }
            _ => {}
        }
    }

    /// Of the rehearsals in one environment only the latest that ended and the
    /// latest that succeeded are ever asked for; one that was broken on purpose never is.
    fn forget_outdone(&mut self, ended: &RunId) {
        let Some(latest) = self.runs.get(ended) else {
            return;
        };
        let environment = latest.terms.environment.clone();
        let (broken, succeeded) = (latest.terms.fail_at.is_some(), latest.succeeded());
        let outdone = |id: &RunId, run: &Run| match id == ended {
            true => broken,
            false => {
                let older = run.terms.what == RunKind::Rehearsal && run.ended.is_some();
                older
                    && !broken
                    && run.terms.environment == environment
                    && (succeeded || !run.succeeded())
            }
        };
        let gone: Vec<RunId> = self
            .runs
            .extract_if(.., |id, run| outdone(id, run))
            .map(|(id, _)| id)
            .collect();
        if let Some(prints) = self.fingerprints.get_mut(&environment) {
            prints.before.retain(|id, _| !gone.contains(id));
        }
    }

    /// The latest ended rehearsal in an environment, those broken on purpose left out.
    pub(in crate::gate) fn rehearsal(
        &self,
        environment: &EnvName,
    ) -> Option<(&RunId, &Run, &Ended)> {
        self.rehearsals(environment)
            .max_by_key(|(_, _, ended)| ended.seq)
    }

    /// The latest rehearsal in an environment that succeeded.
    pub(in crate::gate) fn proof(&self, environment: &EnvName) -> Option<(&RunId, &Run, &Ended)> {
        self.rehearsals(environment)
            .filter(|(_, _, ended)| ended.outcome == Outcome::Succeeded)
            .max_by_key(|(_, _, ended)| ended.seq)
    }

    fn rehearsals(&self, environment: &EnvName) -> impl Iterator<Item = (&RunId, &Run, &Ended)> {
        self.runs.iter().filter_map(move |(id, run)| {
            let counts =
                run.terms.what == RunKind::Rehearsal && run.terms.environment == *environment;
            run.ended
                .as_ref()
                .filter(|_| counts)
                .map(|ended| (id, run, ended))
        })
    }
}

impl Run {
    fn succeeded(&self) -> bool {
        self.ended
            .as_ref()
            .is_some_and(|ended| ended.outcome == Outcome::Succeeded)
    }
}
