//! The people of a simulated run: they answer honestly what they are asked, and
//! may say a few words that nobody asked them for, whenever those are legal.

use baton_core::event::{Event, FenceRole, Leg};
use baton_core::id::Seq;
use baton_core::id::{Handle, StepId};
use baton_core::ledger::{Draft, Entry, canon::genesis};
use baton_core::run::State;
use baton_core::run::waits::{Ask, Waiting, waits};
use baton_engine::world::Lost;

use crate::sim::Spot;
use crate::site::Ground;

impl Ground {
    /// The first person who is asked for something answers. `false` when nobody is.
    pub(crate) fn people_answer(&mut self) -> Result<bool, Lost> {
        let state = self.state()?;
        let Some((by, event)) = self.answer(&state) else {
            return Ok(false);
        };
        self.tell(by, event)?;
        Ok(true)
    }

    /// A person may say something nobody asked for; whether and what is a choice.
    pub(crate) fn people_may_speak(&mut self) -> Result<bool, Lost> {
        if self.outside.words == 0 || self.history.is_empty() {
            return Ok(false);
        }
        let state = self.state()?;
        let by = Handle::from("dana");
        let legal: Vec<Event> = words(&state)
            .into_iter()
            .filter(|event| {
                let draft = self.draft(by.clone(), event.clone());
                let entry = Entry::seal(draft, Seq(state.last().0 + 1), genesis());
                state.clone().apply(&entry).is_ok()
            })
            .collect();
        match self.choices.choose_rarely(legal.len() + 1) {
            0 => Ok(false),
            way => {
                self.outside.words -= 1;
                self.outside.spoken = true;
                self.tell(by, legal[way - 1].clone())?;
                Ok(true)
            }
        }
    }

    fn tell(&mut self, by: Handle, event: Event) -> Result<(), Lost> {
        let draft = self.draft(by, event);
        let told = self.log_append(vec![draft], None, None);
        told.map(|_entries| ())
            .map_err(|error| Lost(error.to_string()))
    }

    fn draft(&self, by: Handle, event: Event) -> Draft {
        Draft {
            at: self.outside.now,
            by,
            handoff: self.setup.plan.handoff.clone(),
            run: Some(self.setup.run.clone()),
            event,
        }
    }

    /// The honest answer of the first person who is asked.
    fn answer(&mut self, state: &State) -> Option<(Handle, Event)> {
        let waiting: Waiting = waits(state, self.outside.now).into_iter().next()?;
        let by = waiting.people.first()?.clone();
        let step = waiting.step.clone();
        let outside = &mut self.outside;
        let spot = |step: &StepId| Some(Spot::of(step, waiting.hosts.first()?));
        let event = match waiting.ask {
            Ask::Do { .. } => {
                let step = step?;
                for host in state.plan.step(&step)?.hosts() {
                    outside.by_hand(FenceRole::Run, Spot::of(&step, host));
                }
                Event::StepDone { step, host: None }
            }
            Ask::UndoByHand { .. } => {
                let step = step?;
                outside.by_hand(FenceRole::Undo, spot(&step)?);
                let host = waiting.hosts.first().cloned();
                Event::StepDone { step, host }
            }
            Ask::SettleRun => {
                let step = step?;
                let (spot, host) = (spot(&step)?, waiting.hosts.first().cloned());
                // On the way back the question is whether anything is there to undo.
                let any = state.leg == Leg::Back && outside.effect(spot) > 0;
                if any || outside.there(spot) {
                    Event::StepDone { step, host }
                } else {
                    Event::RetryCalled { step, host }
                }
            }
            Ask::SettleUndo => {
                let step = step?;
                let (spot, host) = (spot(&step)?, waiting.hosts.first().cloned());
                if outside.effect(spot) > 0 {
                    Event::RetryCalled { step, host }
                } else {
                    Event::StepDone { step, host }
                }
            }
            Ask::Decide { .. } => Event::StopCalled { because: None },
            Ask::Approve { .. } => Event::StepApproved { step: step? },
            Ask::ExtendWindow => Event::WindowExtended { because: None },
            Ask::Resume { .. } => Event::Resumed,
            // Whoever is called sits down, and that is seen; it is nobody's word.
            Ask::Cover { .. } => return None,
            Ask::AcceptLive => Event::AcceptedLive,
        };
        Some((by, event))
    }
}

/// Everything a person might say, legal or not.
fn words(state: &State) -> Vec<Event> {
    let because = None;
    let mut words = vec![
        Event::Paused {
            because: because.clone(),
        },
        Event::RollbackCalled {
            because: because.clone(),
        },
        Event::StopCalled { because },
    ];
    for progress in state.progress() {
        let step = progress.step.id().clone();
        words.push(Event::StepSkipped {
            step: step.clone(),
            because: "a person takes it on themselves".to_owned(),
        });
        // Where nobody knows, it would mean that it did not happen, which may be a lie.
        if !progress.asked {
            words.push(Event::RetryCalled { step, host: None });
        }
    }
    words
}
