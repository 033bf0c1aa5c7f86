//! A small handoff at the moment of its launch: nothing is missing.

use std::collections::BTreeMap;

use jiff::Timestamp;

pub(super) use super::sample::*;

use crate::diag::{Code, Note};
use crate::event::{Ending, Event, Outcome};
use crate::gate::*;
use crate::handoff::contract::*;
use crate::handoff::plan::Plan;
use crate::id::*;
use crate::ledger::canon::genesis;
use crate::ledger::{Draft, Entry};
use crate::parity::fingerprint::asked;
use crate::parity::{Collector, Mark, RoundTrip};
use crate::time::Duration;

/// One thing that happened, still without its place in the ledger.
#[derive(Clone)]
pub(super) struct Said {
    pub(super) at: Timestamp,
    pub(super) by: &'static str,
    pub(super) run: Option<&'static str>,
    pub(super) event: Event,
}

/// Everything the gate is given.
#[derive(Clone)]
pub(super) struct World {
    pub(super) plan: Plan,
    pub(super) story: Vec<Said>,
    pub(super) readings: Readings,
    pub(super) lint: Vec<Note>,
    pub(super) now: Timestamp,
}

pub(super) const REHEARSAL: &str = "run_rehearsal";

pub(super) fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(super) fn digest(of: &str) -> Digest {
    Digest::of(of.as_bytes())
}

pub(super) fn minutes(n: u64) -> Duration {
    Duration::from_secs(n * 60)
}

pub(super) fn at<T>(value: T) -> At<T> {
    At { value, span: None }
}

pub(super) fn name(text: &str) -> Option<At<String>> {
    Some(at(text.to_owned()))
}

impl World {
    /// Fully ready, in the middle of the window.
    pub(super) fn ready() -> Self {
        Self::with(|_| {})
    }

    /// Fully ready but for what this change of the plan does, which everybody
    /// has accepted as it is.
    pub(super) fn with(change: impl FnOnce(&mut Plan)) -> Self {
        let mut plan = plan();
        change(&mut plan);
        let fingerprints = ["staging", "production"].map(|env| {
            (
                digest(&format!("print of {env}")),
                fingerprint(env, "debian 12"),
            )
        });
        let mut world = Self {
            plan,
            story: Vec::new(),
            readings: Readings {
                release: Ok(digest("release")),
                present: ["omar", "pia"].map(Handle::from).into(),
                fingerprints: fingerprints.into(),
                calendars: BTreeMap::new(),
                at_launch: true,
            },
            lint: Vec::new(),
            now: time("2026-11-25T08:10:00Z"),
        };
        world.tell_evidence();
        world.tell_rehearsal();
        world.tell_agreement();
        world.tell_room();
        world
    }

    pub(super) fn say(&mut self, at: &str, by: &'static str, event: Event) {
        self.say_in(at, by, None, event);
    }

    pub(super) fn say_in(
        &mut self,
        at: &str,
        by: &'static str,
        run: Option<&'static str>,
        event: Event,
    ) {
        let at = time(at);
        self.story.push(Said { at, by, run, event });
    }

    fn tell_evidence(&mut self) {
        let at = "2026-11-25T07:00:00Z";
        let contract = self.plan.contract.clone();
        for criterion in &contract.done {
            let (id, definition) = (criterion.id.value.clone(), criterion_definition(criterion));
            if criterion.sign.is_some() {
                let signed = Event::Signed {
                    criterion: id,
                    definition,
                    release: digest("release"),
                    environment: criterion.environment.as_ref().map(|env| digest(&env.value)),
                };
                self.say(at, "pia", signed);
                continue;
            }
            let environment = criterion.environment.as_ref();
            let ran = Event::CriterionRan {
                criterion: id,
                definition,
                release: digest("release"),
                environment: environment.map(|env| digest(&env.value)),
                end: Ending::Succeeded,
                guard: criterion
                    .refuses
                    .as_ref()
                    .map(|_| Ending::Exited { code: 1 }),
                took: minutes(1),
                output: None,
            };
            self.say(at, "dana", ran);
        }
        for measure in contract.success.defined().into_iter().flatten() {
            let seen = Event::MeasureSeen {
                measure: measure.id.value.clone(),
                definition: measure_definition(&self.plan, measure),
                blind: None,
            };
            self.say(at, "baton", seen);
        }
        let resolved = Event::SecretsResolved {
            environment: EnvName::from("production"),
            definition: digest("production"),
            secrets: [("DB_KEY".to_owned(), None)].into(),
        };
        self.say(at, "omar", resolved);
        for env in ["staging", "production"] {
            self.say(at, "omar", print_event(env, None));
        }
        for (by, host) in [
            ("lee", "web1"),
            ("lee", "web2"),
            ("dana", "web1"),
            ("dana", "web2"),
        ] {
            let flown = self.preflight(host, Ending::Succeeded);
            self.say(at, by, flown);
        }
    }

    /// The preflight of `install` on a host.
    pub(super) fn preflight(&self, host: &str, end: Ending) -> Event {
        let step = self.plan.step("install").unwrap();
        Event::Preflighted {
            step: StepId::from("install"),
            host: HostName::from(host),
            environment: EnvName::from("production"),
            definition: preflight_definition(&self.plan, step).unwrap(),
            end,
        }
    }

    fn tell_rehearsal(&mut self) {
        let run = Some(REHEARSAL);
        let opened = Event::RunOpened(rehearsal_terms(&self.plan));
        self.say_in("2026-11-24T09:00:00Z", "omar", run, opened);
        let trip = Event::RoundTrip(round_trip());
        self.say_in("2026-11-24T09:40:00Z", "baton", run, trip);
        let ended = Event::RunEnded {
            outcome: Outcome::Succeeded,
            because: "forward, back and forward again".to_owned(),
            undone: vec![StepId::from("install")],
        };
        self.say_in("2026-11-24T10:00:00Z", "baton", run, ended);
    }

    fn tell_agreement(&mut self) {
        let at = "2026-11-25T07:30:00Z";
        self.answer(at, "dana", "development", "900");
        self.answer(at, "omar", "operations", "850");
        self.open(at, "dana", "development", "900");
        self.open(at, "omar", "operations", "850");
        let content = self.plan.digests.content.clone();
        let offered = Event::Offered {
            content: content.clone(),
            plan: None,
        };
        self.say(at, "dana", offered);
        self.say(at, "omar", Event::Accepted { content });
        for by in ["dana", "lee", "omar", "pia"] {
            let items = items_of(&self.plan, &Handle::from(by));
            self.say(at, by, Event::AcceptedMine { items });
        }
    }

    pub(super) fn answer(&mut self, at: &str, by: &'static str, team: &str, value: &str) {
        let expectations = self.plan.contract.expectations.defined();
        let Some(asked) = expectations.and_then(|all| all.first()) else {
            return;
        };
        let answered = Event::Answered {
            expectation: asked.id.value.clone(),
            definition: expectation_definition(asked),
            team: TeamName::from(team),
            commitment: commitment(&format!("salt of {by}"), value),
        };
        self.say(at, by, answered);
    }

    pub(super) fn open(&mut self, at: &str, by: &'static str, team: &str, value: &str) {
        let opened = Event::Opened {
            expectation: ExpectationId::from("peak"),
            team: TeamName::from(team),
            value: value.to_owned(),
            salt: format!("salt of {by}"),
        };
        self.say(at, by, opened);
    }

    fn tell_room(&mut self) {
        for by in ["omar", "pia"] {
            self.vote("2026-11-25T08:05:00Z", by, true, 4);
        }
    }

    pub(super) fn vote(&mut self, at: &str, by: &'static str, go: bool, confidence: u8) {
        let voted = Event::Voted {
            go,
            confidence: Some(confidence),
            commitment: None,
            because: None,
            content: self.plan.digests.content.clone(),
        };
        self.say(at, by, voted);
    }

    /// Takes out of the story what answers to this.
    pub(super) fn forget(&mut self, what: impl Fn(&Said) -> bool) {
        let before = self.story.len();
        self.story.retain(|said| !what(said));
        assert!(self.story.len() < before, "nothing to forget");
    }

    pub(super) fn entries(&self) -> Vec<Entry> {
        let said = self.story.iter().zip(1..);
        said.map(|(said, seq)| {
            let draft = Draft {
                at: said.at,
                by: Handle::from(said.by),
                handoff: self.plan.handoff.clone(),
                run: said.run.map(RunId::from),
                event: said.event.clone(),
            };
            Entry::seal(draft, Seq(seq), genesis())
        })
        .collect()
    }

    pub(super) fn facts(&self) -> Facts {
        let mut facts = Facts::new(self.plan.handoff.clone());
        for entry in self.entries() {
            facts.apply(&entry);
        }
        facts
    }

    pub(super) fn verdict(&self) -> Verdict {
        assess(
            &self.plan,
            &self.facts(),
            &self.readings,
            &self.lint,
            self.now,
        )
    }

    /// The codes of the blockers, in their order.
    pub(super) fn codes(&self) -> Vec<&'static str> {
        let blockers = self.verdict().blockers.into_iter();
        blockers.map(|note| note.code.0).collect()
    }

    pub(super) fn waive(&mut self, code: Code, matches: &[&str], until: &str) {
        self.plan.contract.waivers.push(Waiver {
            pinned: Vec::new(),
            most: None,
            blocker: at(code.0.to_owned()),
            matches: matches.iter().map(ToString::to_string).collect(),
            because: Some("it is known".to_owned()),
            owner: Some(at(Handle::from("omar"))),
            until: Ok(time(until)),
        });
    }
}

pub(super) fn print_event(env: &str, mark: Option<Mark>) -> Event {
    Event::Fingerprinted {
        environment: EnvName::from(env),
        definition: digest(env),
        collectors: asked(&[Collector::Os]),
        fingerprint: digest(&format!("print of {env}")),
        mark,
    }
}

/// What the fingerprints of a rehearsal say when everything came back.
pub(super) fn round_trip() -> RoundTrip {
    RoundTrip {
        before: digest("print of staging"),
        forward: digest("print of staging with the release"),
        back: digest("print of staging"),
        changed: 3,
        residues: Vec::new(),
        left_out: 0,
    }
}
