//! `apply`: one entry moves the state, or is illegal here.

use super::{Attempt, Call, Illegal, Mode, Place, State};
use crate::diag::list;
use crate::event::{Event, Leg, Outcome, RunKind};
use crate::id::{Digest, Epoch, Handle, HostName, StepId};
use crate::ledger::Entry;
use crate::parity::{Mark, RoundTrip};

mod attempt;
mod back;
mod word;

fn illegal<T>(why: impl Into<String>) -> Result<T, Illegal> {
    Err(Illegal(why.into()))
}

impl State {
    /// Moves the state by one entry of this run.
    ///
    /// # Errors
    /// [`Illegal`] when the entry cannot follow here; the state is then as it was.
    pub fn apply(&mut self, entry: &Entry) -> Result<(), Illegal> {
        if entry.run.as_ref() != Some(&self.run) {
            return illegal("the entry belongs to another run");
        }
        if let Some((outcome, _)) = self.ended()
            && !talk(&entry.event)
        {
            return illegal(format!("the run is over: it {}", said(outcome)));
        }
        let about = self.about(&entry.event);
        self.apply_event(entry)?;
        if let Some(i) = about {
            self.stir(i, entry.at);
            if self.leg == Leg::Back {
                // Places are undone one after the other: the next waits from now on.
                self.went_on = entry.at;
            }
        }
        if matches!(entry.event, Event::Resumed | Event::WindowExtended { .. }) {
            self.went_on = entry.at;
        }
        self.last = entry.seq;
        Ok(())
    }

    /// The step about which something is done or said.
    fn about(&self, event: &Event) -> Option<usize> {
        match event {
            Event::AttemptEnded { attempt, .. } => self.active.get(attempt).map(|a| a.place.0),
            Event::StepDone { step, .. }
            | Event::StepApproved { step }
            | Event::RetryCalled { step, .. }
            | Event::StepSkipped { step, .. } => self.step_index(step).ok(),
            _ => None,
        }
    }

    /// One row for each event of a run.
    fn apply_event(&mut self, entry: &Entry) -> Result<(), Illegal> {
        match &entry.event {
            Event::DriverTook { epoch, .. } => self.took(*epoch),
            Event::AttemptStarted {
                attempt,
                step,
                host,
                role,
                epoch,
            } => {
                let place = self.place(step, host)?;
                self.started(entry, attempt, place, *role, *epoch)
            }
            Event::AttemptEnded {
                attempt,
                end,
                outputs,
                ..
            } => self.attempt_ended(entry, attempt, end, outputs),
            Event::AttemptVoided { attempt } => self.voided(attempt),
            Event::StepSkipped { step, because } => self.skipped(entry, step, because),
            Event::StepDone { step, host } => self.done(entry, step, host.as_ref()),
            Event::StepApproved { step } => self.approved(&entry.by, step),
            Event::RetryCalled { step, host } => self.retry(step, host.as_ref()),
            Event::Paused { because } => self.pause(Call::of(entry, because)),
            Event::Resumed => self.resumed(),
            Event::WindowExtended { .. } => self.extended_by(&entry.by),
            Event::RoleLost { role, gone, called } => self.role_lost(role, gone, called),
            Event::RoleCovered { role, by } => self.role_covered(entry, role, by),
            Event::Escalated { step, to, .. } => self.escalated(entry, step, to),
            Event::RollbackCalled { because } => self.call_back(Call::of(entry, because)),
            Event::StopCalled { because } => {
                self.stop = Some(Call::of(entry, because));
                self.thaw();
                Ok(())
            }
            Event::LegBegan {
                leg,
                planned,
                because,
            } => self.leg_began(entry.at, (*leg, *planned, because)),
            Event::Fingerprinted {
                mark: Some(mark),
                fingerprint,
                ..
            } => self.surveyed_at(*mark, fingerprint),
            Event::RoundTrip(found) => self.came_back(found),
            Event::Frozen { because } => {
                let because = because.clone();
                self.mode = Mode::Frozen { because };
                Ok(())
            }
            Event::WatchBegan {
                step,
                stage,
                learned,
            } => self.watch_began(entry, step.as_ref(), *stage, learned),
            Event::Judged { samples, verdict } => self.judged(entry, samples, verdict),
            Event::WatchEnded { .. } => self.watch_ended(entry.at),
            Event::AcceptedLive => self.taken_over(&entry.by),
            Event::RunEnded {
                outcome, because, ..
            } => self.run_over(*outcome, because),
            event if talk(event) => Ok(()),
            other => illegal(format!("this belongs to no run: {other:?}")),
        }
    }

    fn surveyed_at(&mut self, mark: Mark, print: &Digest) -> Result<(), Illegal> {
        if !self.lacks(mark) {
            return illegal("this run asks for no such fingerprint");
        }
        let _none = self.prints.insert(mark, print.clone());
        Ok(())
    }

    fn came_back(&mut self, found: &RoundTrip) -> Result<(), Illegal> {
        let taken = |mark, print| self.prints.get(&mark) == Some(print);
        let of_these = taken(Mark::Before, &found.before)
            && taken(Mark::Forward, &found.forward)
            && taken(Mark::Back, &found.back);
        if !of_these || self.round_trip.is_some() {
            return illegal("this is not said of the fingerprints of this run");
        }
        self.round_trip = Some(found.clone());
        Ok(())
    }

    fn taken_over(&mut self, by: &Handle) -> Result<(), Illegal> {
        let contract = &self.plan.contract;
        let receivers = contract.members(&contract.to).unwrap_or_default();
        if !receivers.contains(by) {
            let who = either(&receivers);
            return illegal(format!("{} takes over: {who}, not {by}", &*contract.to));
        }
        if !self.awaits_acceptance() {
            return illegal("the release is not yet carried out and watched to the end");
        }
        self.accepted = true;
        Ok(())
    }

    fn run_over(&mut self, outcome: Outcome, because: &str) -> Result<(), Illegal> {
        if !self.active.is_empty() {
            return illegal("a command is still under way");
        }
        self.mode = Mode::Ended {
            outcome,
            because: because.to_owned(),
        };
        Ok(())
    }

    /// Whether everything is done and watched, and the receiver has to take over.
    pub fn awaits_acceptance(&self) -> bool {
        self.terms.what == RunKind::Launch
            && self.leg == Leg::Forward
            && self.mode == Mode::Going
            && self.ready.is_empty()
            && self.watch_over()
            && !self.accepted
    }

    /// The places of a step that a person's word is about.
    fn places(&self, i: usize, host: Option<&HostName>) -> Vec<Place> {
        let hosts = self.plan.steps[i].hosts().enumerate();
        hosts
            .filter(|(_, h)| host.is_none_or(|meant| meant == *h))
            .map(|(h, _)| (i, h))
            .collect()
    }

    fn place(&self, step: &StepId, host: &str) -> Result<Place, Illegal> {
        let i = self.step_index(step)?;
        match self.plan.steps[i].hosts().position(|h| h.as_str() == host) {
            Some(h) => Ok((i, h)),
            None => illegal(format!("step {step} does not run on {host}")),
        }
    }

    pub(in crate::run) fn step_index(&self, step: &StepId) -> Result<usize, Illegal> {
        match self.index.get(step) {
            Some(i) => Ok(*i),
            None => illegal(format!("the plan has no step {step}")),
        }
    }

    fn took(&mut self, epoch: Epoch) -> Result<(), Illegal> {
        if epoch <= self.epoch {
            return illegal("another driver took the run since");
        }
        self.epoch = epoch;
        Ok(())
    }
}

/// What is said in the room and changes nothing of the run.
fn talk(event: &Event) -> bool {
    matches!(
        event,
        Event::Said { .. }
            | Event::Reported { .. }
            | Event::Talked { .. }
            | Event::Joined
            | Event::Left
            | Event::Voted { .. }
            | Event::ConfidenceOpened { .. }
            | Event::BridgeLost { .. }
            | Event::BridgeBack { .. }
    )
}

/// Those of whom any will do.
fn either(people: &[Handle]) -> String {
    list(people, 4).replace(" and ", " or ")
}

/// How a run ended, to follow `it`.
fn said(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Succeeded => "succeeded",
        Outcome::RolledBack => "was rolled back",
        Outcome::Stopped => "was stopped",
        Outcome::Aborted => "was aborted",
    }
}
