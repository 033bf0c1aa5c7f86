//! The judge's part of a run's state: what is watched, and what it saw.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{Illegal, State, Watching};
use crate::handoff::contract::{Measure, Source, WatchTerms};
use crate::handoff::plan::Plan;
use crate::id::{HostName, MeasureId, StepId};
use crate::ledger::Entry;
use crate::run::order::{self, Database, Order};
use crate::time::Duration;
use crate::watch::{self, Decision, Judge, Kind, Learned, Sample, Verdict};

/// The longest pause between two looks of the judge.
const INTERVAL_MOST: Duration = Duration::from_secs(15);
/// The shortest: below it, probes would not come back in between.
const INTERVAL_LEAST: Duration = Duration::from_secs(1);
/// Looks in which caches are still cold.
const WARM_UP: u32 = 0;
/// Into how many looks a watch is cut, between those two.
const LOOKS: u64 = 40;

/// One thing the judge asks, and for whom the answer speaks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Probe {
    /// The measure.
    pub measure: MeasureId,
    /// The host that answers.
    pub host: HostName,
    /// Whether the host has changed; one that has not is the control.
    pub changed: bool,
    /// What is asked, its variables filled in.
    pub asked: Asked,
    /// How often.
    pub every: Duration,
}

/// What the judge asks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Asked {
    /// An address.
    Address {
        /// `http://`, `https://` or `tcp://HOST:PORT`.
        url: String,
        /// An answer slower than this is bad.
        slower_than: Option<Duration>,
    },
    /// Two queries of a Prometheus server.
    Queries {
        /// The server.
        server: String,
        /// Counts what is bad.
        bad: String,
        /// Counts everything.
        total: String,
    },
    /// The buckets of a histogram of a Prometheus server.
    Buckets {
        /// The server.
        server: String,
        /// Selects the buckets' counters.
        buckets: String,
        /// What took longer is bad.
        slower_than: Duration,
    },
    /// A command that prints two counters, bad ones and all. Its attempt's id is
    /// made anew each time.
    Counter(Box<Order>),
    /// A database from which two counters are read.
    Database(Box<Database>),
    /// A command that prints a level, as for a counter.
    Level(Box<Order>),
}

/// How long the judge pauses between two looks.
fn interval(lasts: Duration) -> Duration {
    let millis = lasts.as_millis() / LOOKS;
    Duration::from_millis(millis.clamp(INTERVAL_LEAST.as_millis(), INTERVAL_MOST.as_millis()))
}

/// How long the judge pauses between two looks, and how many of them a watch has.
fn looks(lasts: Duration) -> (Duration, u32) {
    let every = interval(lasts);
    let looks = lasts.as_millis().div_ceil(every.as_millis()).max(1);
    (every, u32::try_from(looks).unwrap_or(u32::MAX))
}

/// A watch that is about to begin.
#[derive(Clone, Debug, PartialEq)]
pub struct Ahead {
    /// What it will ask.
    pub probes: BTreeSet<Probe>,
    /// The pause between two looks.
    pub look: Duration,
    /// How many looks it will have.
    pub looks: u32,
    /// The chance of a false alarm that one comparison may spend.
    pub alpha: f64,
    /// When the run was opened: only what was before speaks of a time without the
    /// change, however late the watch begins, and in whichever leg.
    pub opened: Timestamp,
}

impl State {
    /// The measures and terms of the watch, when the contract has them.
    pub(in crate::run) fn watch_terms(&self) -> Option<(&[Measure], WatchTerms)> {
        let measures = self.plan.contract.success.defined()?;
        let terms = self.plan.contract.watch_terms();
        (!measures.is_empty()).then_some((measures.as_slice(), terms))
    }

    /// Whether nothing of the whole release is left to watch.
    pub(in crate::run) fn watch_over(&self) -> bool {
        self.watched || self.watch_terms().is_none()
    }

    /// How long the present watch lasts.
    pub(in crate::run) fn watch_lasts(&self, step: Option<&StepId>) -> Duration {
        let of_step = step
            .and_then(|id| self.plan.step(id))
            .and_then(|step| step.written.watch);
        let of_run = self.watch_terms().map(|(_, terms)| terms.lasts);
        of_step.or(of_run).unwrap_or_default()
    }

    pub(super) fn watch_began(
        &mut self,
        entry: &Entry,
        step: Option<&StepId>,
        stage: u32,
        learned: &BTreeMap<MeasureId, Learned>,
    ) -> Result<(), Illegal> {
        let Some((measures, terms)) = self.watch_terms() else {
            return Err(Illegal(
                "the contract says nothing of what to watch".to_owned(),
            ));
        };
        if let Some(step) = step {
            let _there = self.step_index(step)?;
        }
        let lasts = self.watch_lasts(step);
        let (every, looks) = looks(lasts);
        let judge = Judge::new(&watch::Terms {
            measures: measures.iter().map(|m| judged(m, learned)).collect(),
            false_alarm: terms.false_alarm,
            watch_intervals: looks,
            interval_s: u32::try_from(every.as_millis() / 1000).unwrap_or(1).max(1),
            warm_up: WARM_UP,
        });
        self.watch = Some(Watching {
            step: step.cloned(),
            stage,
            began: entry.at,
            looked: entry.at,
            judge,
            verdict: None,
        });
        Ok(())
    }

    /// The judge's verdict follows from the samples alone; the one that was
    /// recorded must be the same to the last bit, but for its sentences.
    pub(super) fn judged(
        &mut self,
        entry: &Entry,
        samples: &BTreeMap<MeasureId, Sample>,
        recorded: &Verdict,
    ) -> Result<(), Illegal> {
        let Some(watching) = &mut self.watch else {
            return Err(Illegal("nothing is being watched".to_owned()));
        };
        let mut judge = watching.judge.clone();
        let verdict = judge.observe(samples);
        if let Some(difference) = verdict.unlike(recorded) {
            return Err(Illegal(format!(
                "the verdict does not follow from what was counted: {difference}"
            )));
        }
        if verdict.decision == Decision::RollBack {
            self.harm = Some(verdict.because.clone());
        }
        (watching.looked, watching.judge) = (entry.at, judge);
        watching.verdict = Some(verdict);
        Ok(())
    }

    pub(super) fn watch_ended(&mut self, at: Timestamp) -> Result<(), Illegal> {
        let Some(watching) = self.watch.take() else {
            return Err(Illegal("nothing is being watched".to_owned()));
        };
        match watching.step {
            None => self.watched = true,
            Some(step) => {
                let i = self.step_index(&step)?;
                self.steps[i].watched += 1;
                self.finish_if_complete(i, at);
            }
        }
        Ok(())
    }

    /// What the judge would say of these samples, without taking them in.
    pub fn verdict_on(&self, samples: &BTreeMap<MeasureId, Sample>) -> Option<Verdict> {
        self.watch
            .as_ref()
            .map(|watching| watching.judge.clone().observe(samples))
    }

    /// Since when and until when the judge watches, and when it looks next.
    pub fn watch_times(&self) -> Option<(Timestamp, Timestamp, Timestamp)> {
        let watching = self.watch.as_ref()?;
        let lasts = self.watch_lasts(watching.step.as_ref());
        let next = interval(lasts).after(watching.looked);
        Some((watching.began, lasts.after(watching.began), next))
    }

    /// Who is asked, and who of them has changed. While the change of one step
    /// is watched, the hosts it has not reached yet are the control; at the end
    /// everything has changed.
    fn arms(&self, step: Option<&StepId>) -> (Vec<&HostName>, BTreeSet<&HostName>) {
        let spread = step
            .and_then(|id| self.index.get(id))
            .filter(|i| self.plan.steps[**i].written.on.is_some());
        match spread {
            Some(&i) => {
                let hosts = self.plan.steps[i].hosts();
                let cells = hosts.clone().zip(&self.steps[i].cells);
                let done = cells.filter(|(_, cell)| cell.completed.is_some());
                let done = done.map(|(host, _)| host).collect();
                (hosts.collect(), done)
            }
            None => {
                let hosts: Vec<&HostName> = self.plan.place().hosts.keys().collect();
                (hosts.clone(), hosts.into_iter().collect())
            }
        }
    }

    /// Everything the judge asks at the moment; nothing while it does not watch.
    pub fn probes(&self) -> BTreeSet<Probe> {
        let watching = self.watch.as_ref();
        watching.map_or_else(BTreeSet::new, |watching| {
            self.probes_of(watching.step.as_ref())
        })
    }

    /// The watch of this step, or of the whole release, if it began now.
    pub fn ahead(&self, step: Option<&StepId>) -> Option<Ahead> {
        let (measures, terms) = self.watch_terms()?;
        let (look, looks) = looks(self.watch_lasts(step));
        // A measure with a limit as well is held to two things.
        let twice = measures
            .iter()
            .any(|m| m.worse_by.is_some() && (m.at_most.is_some() || m.quantile.is_some()));
        let tests = if twice { 2.0 } else { 1.0 };
        Some(Ahead {
            probes: self.probes_of(step),
            look,
            looks,
            alpha: terms.false_alarm / measures.len() as f64 / tests,
            opened: self.opened_at,
        })
    }

    fn probes_of(&self, step: Option<&StepId>) -> BTreeSet<Probe> {
        let Some((measures, _)) = self.watch_terms() else {
            return BTreeSet::new();
        };
        let (hosts, changed) = self.arms(step);
        let reading = reading(self.watch_lasts(step));
        let mut probes = BTreeSet::new();
        for measure in measures {
            let every = match &measure.source {
                Source::Probe { every, .. } => *every,
                _ => reading,
            };
            let all: Vec<Asked> = hosts
                .iter()
                .map(|host| asked(&self.plan, measure, host, every))
                .collect();
            // What is the same for all speaks for the release as a whole.
            let per_host = all.iter().any(|asked| *asked != all[0]);
            let most = if per_host { hosts.len() } else { 1 };
            for (host, asked) in hosts.iter().zip(all).take(most) {
                let _new = probes.insert(Probe {
                    measure: measure.id.value.clone(),
                    host: (*host).clone(),
                    changed: changed.contains(*host),
                    asked,
                    every,
                });
            }
        }
        probes
    }
}

/// How often counters are read: twice between two looks, so that none is without.
fn reading(lasts: Duration) -> Duration {
    Duration::from_millis((interval(lasts).as_millis() / 2).max(INTERVAL_LEAST.as_millis()))
}

/// What is asked on a host to measure this, `every` so often.
pub fn asked(plan: &Plan, measure: &Measure, host: &HostName, every: Duration) -> Asked {
    let text = |text: &String| order::filled(text, plan, host);
    let query = |query: &String| {
        let step = BTreeMap::from([(
            "step".to_owned(),
            format!("{}s", every.as_millis().div_ceil(1000).max(1)),
        )]);
        order::filled_from(&text(query), &step)
    };
    let limit = measure.quantile.map(|quantile| quantile.limit);
    match &measure.source {
        Source::Probe { url, .. } => Asked::Address {
            url: text(url),
            slower_than: limit,
        },
        Source::Prometheus { server, bad, total } => Asked::Queries {
            server: text(server),
            bad: query(bad),
            total: query(total),
        },
        Source::Histogram { server, buckets } => Asked::Buckets {
            server: text(server),
            buckets: query(buckets),
            slower_than: limit.unwrap_or_default(),
        },
        Source::Counter(counter) => Asked::Counter(Box::new(order::counter(plan, counter, host))),
        Source::Postgres { url, bad, total } => {
            Asked::Database(Box::new(order::database(plan, (url, bad, total), host)))
        }
        Source::Level(run) => Asked::Level(Box::new(order::level(plan, run, host))),
    }
}

/// A measure of the contract, as the judge sees it: shares of what is bad, of a
/// time also how it is spread, or a level.
fn judged(measure: &Measure, learned: &BTreeMap<MeasureId, Learned>) -> watch::Measure {
    let limit = measure
        .at_most
        .or_else(|| measure.quantile.map(|quantile| 1.0 - quantile.q));
    let kind = match (&measure.source, measure.quantile) {
        (Source::Level(_), _) => Kind::Gauge,
        (_, Some(_)) => Kind::Histogram,
        (_, None) => Kind::Counts,
    };
    let learned = learned.get(&measure.id.value).cloned().unwrap_or_default();
    watch::Measure {
        id: measure.id.value.clone(),
        says: measure.says.clone(),
        kind,
        limit,
        worse_by: measure.worse_by,
        critical: true,
        weight: 1.0,
        learned,
    }
}
