//! The simulated hosts: effects, commands that outlive drivers, and a clock.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use baton_core::event::{Ending, FenceRole};
use baton_core::id::{AttemptId, Epoch};
use baton_core::parity::{Fact, FactName, Fingerprint, HostFacts, LayerStatus, Value};
use baton_core::run::order::Order;
use baton_core::run::survey::Survey;
use baton_core::time::Duration;
use baton_engine::world::{Ended, Found};
use jiff::Timestamp;

use crate::choice::Choices;
use crate::history::{History, Print};
use crate::plans::{Conduct, Kind};

/// What a host remembers of a command whose driver died.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    /// Everything: it is found running, and ends.
    Whole,
    /// Nothing, though the command did its work.
    ForgetsDone,
    /// Nothing, and the command had done nothing yet.
    ForgetsUndone,
    /// Each of these, for each command anew.
    Any,
}

/// A step on a host, by their numbers in a small plan.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spot {
    /// The step.
    pub step: usize,
    /// The host.
    pub host: u8,
}

impl Spot {
    /// The spot of a step `s…` and a host `h…`.
    ///
    /// # Panics
    /// For names that no small plan has.
    pub fn of(step: &str, host: &str) -> Self {
        let number = |name: &str| {
            name[1..]
                .parse()
                .expect("names of small plans are numbered")
        };
        Self {
            step: number(step),
            host: u8::try_from(number(host)).expect("a small plan has few hosts"),
        }
    }
}

impl fmt::Debug for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s{} on h{}", self.step, self.host)
    }
}

#[derive(Clone, Debug)]
enum Attempt {
    /// Its place is closed.
    Void,
    Running {
        spot: Spot,
        role: FenceRole,
        end: Ending,
        /// How often it was in effect before, and whether half of it was.
        before: (i32, bool),
    },
    Ended(Ending),
}

/// What is outside of Baton, and survives it.
#[derive(Clone, Debug)]
pub struct Outside {
    /// How often each step is in effect on each host; 0 or 1 when all is well.
    pub effects: BTreeMap<Spot, i32>,
    /// Every deed and undo that was carried out, in order.
    pub deeds: Vec<(FenceRole, Spot)>,
    /// Steps of which only half is there, because their deed failed.
    half: BTreeSet<Spot>,
    attempts: BTreeMap<AttemptId, Attempt>,
    /// Which of them ever began, whether or not the host remembers.
    begun: BTreeSet<AttemptId>,
    /// Which attempts were looked for, by the driver of which epoch.
    looked: BTreeSet<(AttemptId, Epoch)>,
    /// Commands that were handed over and have not begun, in a slow world.
    late: Vec<Order>,
    pub(crate) now: Timestamp,
    pub(crate) drawn: u64,
    /// Words people may still say that nobody asked them for.
    pub(crate) words: u8,
    /// Whether they said one.
    pub(crate) spoken: bool,
    /// The first thing that must not be, seen while it happened.
    pub(crate) wrong: Option<String>,
}

impl Outside {
    /// A world in which nothing has happened.
    ///
    /// # Panics
    /// Never: the date it begins on exists.
    pub fn new(words: u8) -> Self {
        Self {
            effects: BTreeMap::new(),
            deeds: Vec::new(),
            half: BTreeSet::new(),
            attempts: BTreeMap::new(),
            begun: BTreeSet::new(),
            looked: BTreeSet::new(),
            late: Vec::new(),
            now: Timestamp::from_second(1_700_000_000).expect("a date"),
            drawn: 0,
            words,
            spoken: false,
            wrong: None,
        }
    }

    /// What a survey finds: how often each step is in effect on each host.
    pub(crate) fn survey(&self, survey: &Survey) -> Fingerprint {
        let hosts = survey.hosts.keys().map(|host| {
            let number = Spot::of("s0", host).host;
            let there = self.effects.iter();
            let there = there.filter(|(spot, times)| spot.host == number && **times != 0);
            let facts = there.map(|(spot, times)| {
                let fact = Fact::stable(Value::Text(times.to_string()));
                (FactName::new("effect", format!("s{}", spot.step)), fact)
            });
            let facts = HostFacts {
                facts: facts.collect(),
                layers: [("effect".to_owned(), LayerStatus::Ok)].into(),
            };
            (host.clone(), facts)
        });
        let environment = survey.environment.clone();
        Fingerprint::new(environment, self.now, &survey.asked, hosts.collect())
    }

    /// How often a step is in effect on a host.
    pub fn effect(&self, spot: Spot) -> i32 {
        self.effects.get(&spot).copied().unwrap_or(0)
    }

    /// Whether a step is wholly in effect on a host, and once.
    pub fn whole(&self, spot: Spot) -> bool {
        self.effect(spot) == 1 && self.there(spot)
    }

    /// Whether a step is wholly in effect on a host, once or more: where its
    /// `verify` refused what worked, it was done again.
    pub fn there(&self, spot: Spot) -> bool {
        self.effect(spot) > 0 && !self.half.contains(&spot)
    }

    /// Keeps the first thing that must not be.
    pub(crate) fn accuse(&mut self, why: impl FnOnce() -> String) {
        if self.wrong.is_none() {
            self.wrong = Some(why());
        }
    }

    /// Adds what decides how the world goes on. How many ids were drawn does
    /// not: an id is a name, and later ones stand behind earlier ones. Nor do
    /// attempts whose end the ledger has: nobody asks for them again.
    pub(crate) fn print(&self, history: &History, print: &mut Print) {
        let Self {
            effects,
            deeds,
            half,
            now,
            words,
            ..
        } = self;
        print.add(format_args!("{effects:?} {deeds:?} {half:?} {now} {words}"));
        for (id, begun) in history.active() {
            let is = self.attempts.get(id);
            let late = self.late.iter().any(|order| order.attempt == *id);
            let once = self.begun.contains(id);
            print.add(format_args!(
                "{:?} {:?} {is:?} {late} {once}",
                begun.spot, begun.role
            ));
        }
        // A command that begins after everybody has stopped asking for it.
        let stray = |order: &&Order| !history.active().contains_key(&order.attempt);
        for order in self.late.iter().filter(stray) {
            let void = matches!(self.attempts.get(&order.attempt), Some(Attempt::Void));
            print.add(format_args!("{} {void}", order.fence.body));
        }
    }

    /// A person does or undoes the step.
    pub(crate) fn by_hand(&mut self, role: FenceRole, spot: Spot) {
        let change = if role == FenceRole::Undo { -1 } else { 1 };
        *self.effects.entry(spot).or_default() += change;
        self.deeds.push((role, spot));
    }

    /// Hands a command over, for its driver or later.
    pub(crate) fn start(&mut self, kinds: &[Kind], order: &Order, slow: bool) {
        if slow {
            self.late.push(order.clone());
        } else {
            self.begin(kinds, order);
        }
    }

    /// Whether an attempt was handed over and has not begun.
    pub(crate) fn is_late(&self, attempt: &AttemptId) -> bool {
        self.late.iter().any(|order| order.attempt == *attempt)
    }

    /// Commands that were handed over to a slow world begin. One that does not
    /// honour closed places is wrong.
    pub(crate) fn begin_late(&mut self, kinds: &[Kind], honours: bool) {
        for order in std::mem::take(&mut self.late) {
            if !honours {
                let _closed = self.attempts.remove(&order.attempt);
            }
            self.begin(kinds, &order);
        }
    }

    fn begin(&mut self, kinds: &[Kind], order: &Order) {
        if matches!(self.attempts.get(&order.attempt), Some(Attempt::Void)) {
            return;
        }
        if !self.begun.insert(order.attempt.clone()) {
            self.accuse(|| format!("{} was started twice", order.attempt));
        }
        let running = self.carry_out(kinds, order);
        let _before = self.attempts.insert(order.attempt.clone(), running);
    }

    /// Carries a command out at once; its end is reported later.
    fn carry_out(&mut self, kinds: &[Kind], order: &Order) -> Attempt {
        let spot = Spot::of(&order.env["BATON_STEP"], &order.env["BATON_HOST"]);
        let kind = kinds[spot.step];
        let role = match order.fence.body.as_str() {
            "run" => FenceRole::Run,
            "undo" => FenceRole::Undo,
            "verify" => FenceRole::Verify,
            _ => FenceRole::Preflight,
        };
        let before = (self.effect(spot), self.half.contains(&spot));
        let (effect, half) = before;
        let once = kind.nature.repeatable();
        let succeeded = match role {
            FenceRole::Run => {
                self.must_come_after(kinds, spot);
                let fails = kind.fails(spot.host, self.tried(spot));
                // What failed left half of itself, which counts as something to undo.
                let after = if once || fails || half { 1 } else { effect + 1 };
                self.set(spot, (after, fails));
                !fails
            }
            FenceRole::Undo => {
                let works = kind.conduct != Conduct::UndoFails;
                if works {
                    self.set(spot, (if once { 0 } else { effect - 1 }, false));
                }
                works
            }
            FenceRole::Verify => match kind.conduct {
                Conduct::AlwaysPasses => true,
                Conduct::AlwaysRefuses => false,
                _ => effect > 0 && !half,
            },
            FenceRole::Preflight => true,
        };
        if matches!(role, FenceRole::Run | FenceRole::Undo) {
            self.deeds.push((role, spot));
        }
        let end = if succeeded {
            Ending::Succeeded
        } else {
            Ending::Exited { code: 1 }
        };
        Attempt::Running {
            spot,
            role,
            end,
            before,
        }
    }

    fn tried(&self, spot: Spot) -> usize {
        let deeds = self.deeds.iter();
        deeds
            .filter(|deed| **deed == (FenceRole::Run, spot))
            .count()
    }

    fn set(&mut self, spot: Spot, (effect, half): (i32, bool)) {
        let _before = self.effects.insert(spot, effect);
        let _changed = if half && effect > 0 {
            self.half.insert(spot)
        } else {
            self.half.remove(&spot)
        };
    }

    /// What a step builds on must be there when its deed is done. (Where people
    /// left a step out, or its `verify` lies, it need not be.)
    fn must_come_after(&mut self, kinds: &[Kind], spot: Spot) {
        for step in kinds[spot.step].predecessors(spot.step) {
            let kind = kinds[step];
            let missing = (0..kind.hosts).any(|host| !self.whole(Spot { step, host }));
            if missing && !kind.conduct.lies() && !self.spoken {
                self.accuse(|| format!("{spot:?} was carried out before s{step}"));
            }
        }
    }

    /// What became of an attempt of an earlier driver. `looks` is the epoch of
    /// the driver who asks.
    pub(crate) fn adopt(
        &mut self,
        attempt: &AttemptId,
        memory: Memory,
        looks: Epoch,
        choices: &mut Choices,
    ) -> Found {
        let _first = self.looked.insert((attempt.clone(), looks));
        let known = self.attempts.get(attempt).cloned();
        match known {
            None | Some(Attempt::Void) => {
                let _void = self.attempts.insert(attempt.clone(), Attempt::Void);
                Found::Never
            }
            Some(Attempt::Running {
                spot, role, before, ..
            }) => {
                let memory = match memory {
                    Memory::Any => {
                        let all = [Memory::Whole, Memory::ForgetsDone, Memory::ForgetsUndone];
                        all[choices.choose(all.len())]
                    }
                    memory => memory,
                };
                if memory == Memory::Whole {
                    return Found::Running;
                }
                if memory == Memory::ForgetsUndone {
                    self.take_back(spot, role, before);
                }
                let because = "the host forgot".to_owned();
                let end = Ending::Unknown { because };
                self.end(attempt, end.clone());
                Found::Ended(ended(attempt, end))
            }
            Some(Attempt::Ended(end)) => Found::Ended(ended(attempt, end)),
        }
    }

    /// Whether a driver of this epoch has looked for the attempt.
    pub(crate) fn was_looked_for(&self, attempt: &AttemptId, by: Epoch) -> bool {
        self.looked.contains(&(attempt.clone(), by))
    }

    /// The command had not done its work.
    fn take_back(&mut self, spot: Spot, role: FenceRole, before: (i32, bool)) {
        if matches!(role, FenceRole::Run | FenceRole::Undo) {
            self.set(spot, before);
            let deed = self.deeds.iter().rposition(|deed| *deed == (role, spot));
            if let Some(last) = deed {
                let _undone = self.deeds.remove(last);
            }
        }
    }

    /// The end of an attempt whose driver waits for it.
    pub(crate) fn report(&mut self, attempt: &AttemptId) -> Ended {
        let end = match self.attempts.get(attempt) {
            Some(Attempt::Running { end, .. } | Attempt::Ended(end)) => end.clone(),
            Some(Attempt::Void) | None => {
                let because = "its place was closed".to_owned();
                return ended(attempt, Ending::NotStarted { because });
            }
        };
        self.end(attempt, end.clone());
        ended(attempt, end)
    }

    /// What is kept of an attempt may go: the host forgets it as if it never was.
    pub(crate) fn settled(&mut self, attempt: &AttemptId) {
        let _kept = self.attempts.remove(attempt);
    }

    fn end(&mut self, attempt: &AttemptId, end: Ending) {
        let _before = self.attempts.insert(attempt.clone(), Attempt::Ended(end));
    }
}

pub(crate) fn ended(attempt: &AttemptId, end: Ending) -> Ended {
    Ended {
        attempt: attempt.clone(),
        end,
        outputs: BTreeMap::new(),
        output: Vec::new(),
        took: Duration::default(),
    }
}
