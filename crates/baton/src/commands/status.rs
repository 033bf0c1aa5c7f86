//! `status`: where everything stands, on one screen.

use std::collections::{BTreeMap, BTreeSet};

use baton_core::diag::{Question, list};
use baton_core::event::{Event, Leg, Outcome};
use baton_core::gate::{Answer, QuestionState, Verdict, assess};
use baton_core::id::{Handle, LessonId, MeasureId, RunId};
use baton_core::run::State;
use baton_core::run::state::{Mode, Progress};
use baton_core::run::waits::{Waiting, waits};
use baton_core::time::Duration;
use baton_core::watch::{self, Sample};
use baton_engine::drive::fold;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::commands::plan::people;
use crate::exit::Exit;
use crate::render::{Mark, Out, Tone, cell, marked, marks, spark, toned};
use baton_engine::desk::Desk;
use baton_engine::desk::asked::asked;
use baton_engine::desk::talk::undriven;
use baton_engine::failure::Failure;

/// How often `--watch` looks again.
const LOOK: std::time::Duration = std::time::Duration::from_secs(1);

/// `baton status [--watch]`.
pub(crate) fn run(desk: &mut Desk, out: &Out, again: bool) -> Result<Exit, Failure> {
    let mut was_open = false;
    loop {
        let seen = Seen::look(desk)?;
        let cleared = again && out.clear_screen();
        if out.json {
            out.json(&seen.for_programs(desk));
        } else {
            out.page(|out| seen.show(desk, out));
        }
        let open = desk.facts.open_run().is_some();
        // Without a terminal nobody can end the wait for a run that may never come.
        if !again || (!open && (was_open || !cleared)) {
            return Ok(Exit::Good);
        }
        was_open |= open;
        std::thread::sleep(LOOK);
        desk.catch_up()?;
    }
}

/// Everything that is shown.
struct Seen {
    at: Timestamp,
    verdict: Verdict,
    present: Vec<Handle>,
    lessons: Vec<LessonId>,
    run: Option<Run>,
}

/// The open run, else the latest one.
struct Run {
    state: State,
    waits: Vec<Waiting>,
    undriven: bool,
    judge: Judged,
}

/// What the judge saw since it began to watch.
#[derive(Default)]
struct Judged {
    latest: Option<watch::Verdict>,
    /// The share of bad ones, or the level, at each look; none where nothing was seen.
    shares: BTreeMap<MeasureId, Vec<Option<f64>>>,
    /// How far the evidence has come to its bar at each look, in logarithms.
    ways: BTreeMap<MeasureId, Vec<Option<f64>>>,
    /// The measures that have a level.
    levels: BTreeSet<MeasureId>,
}

impl Seen {
    fn look(desk: &mut Desk) -> Result<Self, Failure> {
        let at = Timestamp::now();
        let readings = desk.readings(false)?;
        let verdict = assess(&desk.plan, &desk.facts, &readings, &desk.notes, at);
        let meant = desk.settings.run.clone();
        let run = match meant.or_else(|| desk.facts.latest_run().cloned()) {
            Some(run) => Some(Run::look(desk, &run, at)?),
            None => None,
        };
        Ok(Self {
            at,
            verdict,
            present: readings.present.into_iter().collect(),
            lessons: desk.facts.open_lessons().cloned().collect(),
            run,
        })
    }

    fn show(&self, desk: &Desk, out: &Out) {
        let contract = &desk.contract;
        out.line(format!(
            "{}, from {} to {}",
            out.paint(
                format!(
                    "{} {} in {}",
                    contract.name.value, contract.release.version.value, desk.plan.environment
                ),
                Tone::Strong
            ),
            out.paint(contract.from.value.as_str(), Tone::Plain),
            out.paint(contract.to.value.as_str(), Tone::Plain)
        ));
        out.gap();
        self.questions(out);
        if let Some(run) = &self.run {
            out.gap();
            run.show(out, self.at);
        }
        out.gap();
        let present = match self.present.as_slice() {
            [] => "nobody".to_owned(),
            present => list(present, 12),
        };
        let mut rows = vec![vec![toned("in the room", Tone::Quiet), cell(present)]];
        if !self.lessons.is_empty() {
            let open = format!("{} open, see `baton lesson`", self.lessons.len());
            rows.push(vec![toned("lessons", Tone::Quiet), cell(open)]);
        }
        out.table(0, &rows);
        out.next(self.next());
    }

    /// The eight questions in two rows, and the verdict.
    fn questions(&self, out: &Out) {
        let asked: Vec<_> = self
            .verdict
            .questions
            .iter()
            .map(|(question, state)| {
                let mark = mark_of(*state);
                toned(format!("{} {}", mark.sign, question.key()), mark.tone)
            })
            .collect();
        let rows: Vec<_> = asked.chunks(4).map(<[_]>::to_vec).collect();
        out.table(0, &rows);
        let open: Vec<&str> = self
            .verdict
            .questions
            .iter()
            .filter(|(_, state)| *state == QuestionState::Open)
            .map(|(question, _)| question.key())
            .collect();
        let open = list(&open, Question::ALL.len());
        match self.verdict.verdict {
            Answer::Ready => out.line(out.paint("✓ ready", Tone::Good)),
            Answer::NotReady => {
                out.text(&format!("✗ not ready: {open} open"), 0, Tone::Bad);
            }
            Answer::Inconclusive => {
                out.text(&format!("? cannot be told: {open} open"), 0, Tone::Warn);
            }
        }
    }

    fn next(&self) -> &'static str {
        match &self.run {
            Some(run) if run.state.ended().is_none() && run.undriven => "baton resume",
            Some(run) if run.state.ended().is_none() => "baton next",
            _ if self.verdict.verdict == Answer::Ready => "baton launch",
            _ => "baton check",
        }
    }

    fn for_programs(&self, desk: &Desk) -> Value {
        let questions = self.verdict.questions.iter();
        let questions: Vec<Value> = questions
            .map(|(key, state)| json!({ "key": key, "state": state }))
            .collect();
        json!({
            "format": 1,
            "handoff": desk.contract.name.value,
            "environment": desk.plan.environment,
            "release": desk.contract.release.version.value,
            "at": self.at,
            "verdict": self.verdict.verdict,
            "questions": questions,
            "run": self.run.as_ref().map(Run::for_programs),
            "present": self.present,
            "lessons": self.lessons,
        })
    }
}

fn mark_of(state: QuestionState) -> Mark {
    match state {
        QuestionState::Answered => marks::ANSWERED,
        QuestionState::Open => marks::OPEN,
        QuestionState::Declined => marks::DECLINED,
        QuestionState::Later => marks::LATER,
    }
}

impl Run {
    fn look(desk: &mut Desk, run: &RunId, now: Timestamp) -> Result<Self, Failure> {
        let state = fold(&mut desk.log, run)?;
        Ok(Self {
            waits: waits(&state, now),
            undriven: undriven(desk, run)?,
            judge: Judged::look(desk, run)?,
            state,
        })
    }

    fn show(&self, out: &Out, now: Timestamp) {
        let state = &self.state;
        let what = if state.rehearsal() {
            "rehearsal"
        } else {
            "launch"
        };
        let (course, tone) = self.course(now);
        out.verdict(&format!("{what} {}", state.run), &course, tone);
        let rows: Vec<_> = state
            .progress()
            .map(|progress| {
                vec![
                    marked(self.mark(&progress)),
                    cell(progress.step.id().as_str()),
                    toned(hosts(&progress), Tone::Quiet),
                    toned(people(progress.step), Tone::Quiet),
                ]
            })
            .collect();
        out.table(2, &rows);
        self.judge.show(out);
        if !self.waits.is_empty() {
            out.heading("who is next");
        }
        for waiting in &self.waits {
            let (says, command) = asked(waiting);
            out.text(&says, 2, Tone::Warn);
            if let Some(command) = command {
                out.text(&command, 4, Tone::Accent);
            }
        }
        if state.ended().is_none() && self.undriven {
            out.text("Nobody drives the run at the moment.", 2, Tone::Warn);
        }
    }

    /// Which way it goes and since when, or how it ended.
    fn course(&self, now: Timestamp) -> (String, Tone) {
        let state = &self.state;
        let lasts = Duration::between(state.opened_at, now);
        let opened = format!("{} opened it {lasts} ago", state.opened_by);
        match &state.mode {
            Mode::Ended { outcome, because } => {
                let tone = match outcome {
                    Outcome::Succeeded => Tone::Good,
                    Outcome::RolledBack => Tone::Warn,
                    Outcome::Stopped | Outcome::Aborted => Tone::Bad,
                };
                (format!("{}, {because}", ended(*outcome)), tone)
            }
            Mode::Frozen { because } => (format!("stands still, {because}; {opened}"), Tone::Bad),
            Mode::Going if state.paused.is_some() => (format!("paused; {opened}"), Tone::Warn),
            Mode::Going => (format!("{}; {opened}", leg(state.leg)), Tone::Plain),
        }
    }

    fn mark(&self, progress: &Progress<'_>) -> Mark {
        let waits = self
            .waits
            .iter()
            .any(|waiting| waiting.step.as_ref() == Some(progress.step.id()));
        if progress.failed {
            marks::FAILED
        } else if progress.running {
            marks::RUNNING
        } else if progress.asked || waits {
            marks::WAITING
        } else if progress.undone > 0 && progress.undone == progress.done {
            marks::UNDONE
        } else if progress.skipped.is_some() {
            marks::SKIPPED
        } else if progress.finished {
            marks::DONE
        } else if progress.done > 0 {
            marks::RUNNING
        } else {
            marks::TODO
        }
    }

    fn for_programs(&self) -> Value {
        let state = &self.state;
        let steps: Vec<Value> = state
            .progress()
            .map(|progress| {
                json!({
                    "step": progress.step.id(),
                    "state": self.mark(&progress).word,
                    "hosts": progress.hosts,
                    "done": progress.done,
                    "undone": progress.undone,
                    "owners": progress.step.owners,
                })
            })
            .collect();
        let next: Vec<Value> = self
            .waits
            .iter()
            .map(|waiting| {
                let (says, command) = asked(waiting);
                json!({
                    "step": waiting.step, "hosts": waiting.hosts, "people": waiting.people,
                    "says": says, "command": command,
                })
            })
            .collect();
        let judge = self.judge.latest.as_ref().map(|verdict| {
            json!({
                "decision": verdict.decision, "because": verdict.because,
                "shares": self.judge.shares, "measures": verdict.measures,
            })
        });
        let ended = state.ended();
        json!({
            "run": state.run,
            "what": state.terms.what,
            "leg": state.leg,
            "opened": state.opened_at,
            "opened_by": state.opened_by,
            "outcome": ended.map(|(outcome, _)| outcome),
            "because": ended.map(|(_, because)| because),
            "frozen": matches!(state.mode, Mode::Frozen { .. }),
            "paused": state.paused.is_some(),
            "driven": !self.undriven,
            "steps": steps,
            "next": next,
            "judge": judge,
        })
    }
}

fn ended(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Succeeded => "succeeded",
        Outcome::RolledBack => "rolled back",
        Outcome::Stopped => "stopped",
        Outcome::Aborted => "aborted",
    }
}

fn leg(leg: Leg) -> &'static str {
    match leg {
        Leg::Forward => "going forward",
        Leg::Back => "going back",
        Leg::Again => "going forward again",
    }
}

/// `2 of 4 hosts`; nothing for a step with one place.
fn hosts(progress: &Progress<'_>) -> String {
    match (progress.undone, progress.hosts) {
        (_, 0 | 1) => String::new(),
        (0, hosts) => format!("{} of {hosts} hosts", progress.done),
        (undone, _) => format!("{undone} of {} undone", progress.done),
    }
}

impl Judged {
    fn look(desk: &mut Desk, run: &RunId) -> Result<Self, Failure> {
        let mut judged = Self::default();
        desk.each_of(run, |entry| judged.take(entry.event))?;
        Ok(judged)
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::WatchBegan { .. } => *self = Self::default(),
            Event::Judged { samples, verdict } => {
                for finding in &verdict.measures {
                    let sample = samples.get(&finding.measure);
                    let level = sample.and_then(Sample::levels);
                    if level.is_some() {
                        let _new = self.levels.insert(finding.measure.clone());
                    }
                    let share = match level {
                        Some((canary, _)) => Some(canary.mean),
                        None => sample.and_then(|sample| sample.canary.rate()),
                    };
                    self.shares
                        .entry(finding.measure.clone())
                        .or_default()
                        .push(share);
                    let way = (finding.e.ln() / finding.bar.ln()).clamp(0.0, 1.0);
                    self.ways
                        .entry(finding.measure.clone())
                        .or_default()
                        .push(Some(way));
                }
                self.latest = Some(verdict);
            }
            _ => {}
        }
    }

    fn show(&self, out: &Out) {
        let Some(verdict) = &self.latest else { return };
        out.heading("the judge");
        out.text(&verdict.because, 2, Tone::Plain);
        let mut rows = Vec::new();
        for finding in &verdict.measures {
            let drawn = |of: &BTreeMap<MeasureId, Vec<Option<f64>>>| {
                let looks = of.get(&finding.measure).map_or(&[][..], Vec::as_slice);
                toned(spark(looks), Tone::Accent)
            };
            let (e, bar) = (finding.e, finding.bar);
            let what = if self.levels.contains(&finding.measure) {
                "level at each look"
            } else {
                "bad at each look"
            };
            rows.push(vec![
                cell(finding.measure.as_str()),
                drawn(&self.shares),
                toned(what, Tone::Quiet),
            ]);
            rows.push(vec![
                cell(""),
                drawn(&self.ways),
                toned(format!("evidence of harm, {e:.1} of {bar:.0}"), Tone::Quiet),
            ]);
        }
        out.table(2, &rows);
    }
}
