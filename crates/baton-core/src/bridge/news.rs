//! Which entries are news, told as the room tells them.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;

use super::{About, Kind, Notice, Severity, id, id_of, lines, notice};
use crate::event::{Event, FenceRole, Leg, Outcome, RunKind};
use crate::handoff::plan::{Plan, Step};
use crate::id::{Handle, HandoffId, NoticeId, Seq, StepId};
use crate::ledger::Entry;
use crate::review::Feed;
use crate::review::text::colon;
use crate::review::timeline::title;
use crate::run::State;
use crate::run::asked::asked;
use crate::run::waits::{Ask, Waiting, waits};
use crate::watch::Decision;

/// One thing that one place waits for, by which it is known again.
type Asked = (Option<StepId>, &'static str, String);

/// The fold of a handoff's entries that finds the news among them.
#[derive(Clone, Debug)]
pub struct News {
    plan: Arc<Plan>,
    feed: Feed,
    state: Option<State>,
    /// The last entry that was read.
    last: Seq,
    /// What people were asked after it.
    asked: BTreeSet<Asked>,
    /// Points of no return of which it was said that they are next, or crossed.
    near: BTreeSet<StepId>,
    crossed: BTreeSet<StepId>,
}

impl News {
    /// Before any run, with the plan of the launch.
    pub fn new(plan: Arc<Plan>) -> Self {
        Self {
            feed: Feed::new(&plan),
            plan,
            state: None,
            last: Seq(0),
            asked: BTreeSet::new(),
            near: BTreeSet::new(),
            crossed: BTreeSet::new(),
        }
    }

    /// A run begins, on this plan: to be said before the entry that opens it.
    pub fn begin(&mut self, plan: Arc<Plan>) {
        let last = self.last;
        *self = Self::new(plan);
        self.last = last;
    }

    /// The handoff it is about.
    pub fn handoff(&self) -> HandoffId {
        self.plan.handoff.clone()
    }

    /// The run that was read last, over or not.
    pub fn state(&self) -> Option<&State> {
        self.state.as_ref()
    }

    /// Takes the next entry of the handoff in, and says what is new by it.
    pub fn take(&mut self, entry: &Entry) -> Option<Notice> {
        let told = self.feed.take(entry).map(|line| line.says);
        if matches!(entry.event, Event::RunOpened(_)) {
            self.state = State::open(Arc::clone(&self.plan), entry).ok();
        } else if let Some(state) = &mut self.state
            && entry.run.as_ref() == Some(&state.run)
        {
            // What belongs to no run, such as a review of it, changes nothing here.
            let _applied = state.apply(entry);
        }
        let before = std::mem::replace(&mut self.last, entry.seq);
        let asks = self.new_asks(entry.at);
        let Some((kind, severity, says)) = self.news(entry, told) else {
            return self.waiting(&asks, before, entry.at);
        };
        let mut notice = self.notice(id_of(entry, kind), kind, entry.at, entry.run.is_some());
        notice.severity = severity;
        notice.called = called(&entry.event);
        if let Event::RunEnded { outcome, .. } = &entry.event {
            notice.outcome = Some(*outcome);
        }
        let mut said = says;
        for waiting in asks.iter().filter(|waiting| !tells_itself(&waiting.ask)) {
            said.push('\n');
            said.push_str(&asked(waiting).0);
        }
        notice.says = lines(&said);
        call(&mut notice, &asks);
        Some(notice)
    }

    /// What people began to be asked by the clock alone, since the last entry.
    pub fn tick(&mut self, now: Timestamp) -> Option<Notice> {
        let asks = self.new_asks(now);
        self.waiting(&asks, self.last, now)
    }

    fn waiting(&self, asks: &[Waiting], before: Seq, at: Timestamp) -> Option<Notice> {
        let run = self.state.as_ref()?.run.to_string();
        let first = asks.first()?;
        let mut parts = vec!["waiting".to_owned(), run, before.0.to_string()];
        parts.extend(asks.iter().flat_map(places).map(|key| format!("{key:?}")));
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let mut notice = self.notice(id(&parts), Kind::Waiting, at, true);
        notice.severity = Severity::Attention;
        let mut said = asked(first).0;
        for waiting in &asks[1..] {
            said.push('\n');
            said.push_str(&asked(waiting).0);
        }
        notice.says = lines(&said);
        call(&mut notice, asks);
        Some(notice)
    }

    fn notice(&self, id: NoticeId, kind: Kind, at: Timestamp, of_run: bool) -> Notice {
        let state = self.state.as_ref().filter(|_| of_run);
        let about = About {
            what: state.map(|state| state.terms.what),
            run: state.map(|state| state.run.clone()),
            release: state.map(|state| state.terms.release.clone()),
        };
        let mut notice = notice(id, kind, at, &self.plan, about);
        notice.harmed = state.is_some_and(|state| state.harm.is_some());
        notice
    }

    /// What people are asked now and were not before.
    fn new_asks(&mut self, now: Timestamp) -> Vec<Waiting> {
        let mut asks = self
            .state
            .as_ref()
            .map_or_else(Vec::new, |state| waits(state, now));
        let all = asks.iter().flat_map(places).collect();
        let before = std::mem::replace(&mut self.asked, all);
        asks.retain(|waiting| places(waiting).any(|key| !before.contains(&key)));
        asks
    }

    /// Whether an entry is news, how much it matters, and what it says.
    fn news(&mut self, entry: &Entry, told: Option<String>) -> Option<(Kind, Severity, String)> {
        let (kind, severity) = match &entry.event {
            Event::RunOpened(_) => (Kind::Opened, Severity::Info),
            Event::Escalated { .. } => (Kind::Escalated, Severity::Alarm),
            Event::RoleLost { .. } => (Kind::RoleLost, Severity::Alarm),
            Event::RoleCovered { .. } => (Kind::RoleCovered, Severity::Info),
            Event::Paused { .. } => (Kind::Paused, Severity::Attention),
            Event::Resumed => (Kind::Resumed, Severity::Info),
            // The judge says it at every look, and the room when it changes its mind.
            Event::Judged { verdict, .. } if verdict.decision == Decision::RollBack => {
                (Kind::Harm, Severity::Alarm)
            }
            Event::LegBegan {
                leg: Leg::Back,
                planned: false,
                ..
            } => (Kind::TurnedBack, Severity::Alarm),
            Event::Frozen { .. } => (Kind::Frozen, Severity::Alarm),
            Event::AcceptedLive => (Kind::Accepted, Severity::Info),
            Event::RunEnded { outcome, .. } => (Kind::Ended, self.ended(*outcome)),
            Event::Voted { go: false, .. } => (Kind::NoGo, Severity::Attention),
            Event::Reported { .. } => (Kind::Reported, Severity::Attention),
            Event::BridgeLost { .. } => (Kind::BridgeLost, Severity::Attention),
            Event::BridgeBack { .. } => (Kind::BridgeBack, Severity::Info),
            _ => return self.no_way_back(entry),
        };
        Some((kind, severity, told?))
    }

    /// A rehearsal that was to break has gone as asked when it came back.
    fn ended(&self, outcome: Outcome) -> Severity {
        let asked_for = self
            .state
            .as_ref()
            .is_some_and(|state| state.terms.fail_at.is_some() && outcome == Outcome::RolledBack);
        if outcome == Outcome::Succeeded || asked_for {
            Severity::Info
        } else {
            Severity::Attention
        }
    }

    /// Whether something began in a launch from which, or from the next of
    /// which, there is no way back.
    fn no_way_back(&mut self, entry: &Entry) -> Option<(Kind, Severity, String)> {
        let state = self.state.as_ref()?;
        if state.terms.what != RunKind::Launch || state.leg != Leg::Forward {
            return None;
        }
        let (begun, by_hand) = match &entry.event {
            Event::AttemptStarted {
                step,
                role: FenceRole::Run,
                ..
            } => (step, false),
            Event::StepDone { step, .. } => (step, true),
            _ => return None,
        };
        let plan = &self.plan;
        let step = plan.step(begun)?;
        let named = |step: &Step| title(plan, step.id());
        if step.no_return() && step.by_person() == by_hand && self.crossed.insert(begun.clone()) {
            let verb = if by_hand { "was done" } else { "began" };
            let says = format!(
                "{} {verb}: there is no way back from here{}",
                named(step),
                why(step)
            );
            return Some((Kind::NoWayBack, Severity::Attention, says));
        }
        let next = plan.steps.iter().find(|next| {
            next.no_return()
                && !next.elsewhere
                && next.after_ids.contains(begun)
                && !self.near.contains(next.id())
        })?;
        let says = format!(
            "After {} comes {}, from which there is no way back{}",
            named(step),
            named(next),
            why(next)
        );
        let _new = self.near.insert(next.id().clone());
        Some((Kind::NoWayBackNear, Severity::Attention, says))
    }
}

/// Why there is no way back from a step.
fn why(step: &Step) -> String {
    let reason = step.written.no_way_back.as_deref();
    colon(Some(reason.unwrap_or("it has no undo")))
}

/// Who is called by an entry itself.
fn called(event: &Event) -> Vec<Handle> {
    match event {
        Event::Escalated { to, .. } => to.clone(),
        Event::RoleLost { called, .. } => called.clone(),
        _ => Vec::new(),
    }
}

/// Adds those who are asked, and the commands that answer.
fn call(notice: &mut Notice, asks: &[Waiting]) {
    for waiting in asks {
        let people = waiting.people.iter().chain(&waiting.escalated_to);
        for by in people {
            if !notice.called.contains(by) {
                notice.called.push(by.clone());
            }
        }
        notice.next.extend(asked(waiting).1);
    }
}

/// Whether the entry that led to this question has said what it says.
fn tells_itself(ask: &Ask) -> bool {
    matches!(
        ask,
        Ask::Resume { .. } | Ask::Cover { .. } | Ask::Decide { .. }
    )
}

/// What is waited for, place by place.
fn places(waiting: &Waiting) -> impl Iterator<Item = Asked> + use<> {
    let word = match &waiting.ask {
        Ask::Do { .. } => "do",
        Ask::Approve { .. } => "approve",
        Ask::UndoByHand { .. } => "undo",
        Ask::SettleRun => "settle-run",
        Ask::SettleUndo => "settle-undo",
        Ask::Decide { .. } => "decide",
        Ask::ExtendWindow => "extend-window",
        Ask::Resume { .. } => "resume",
        Ask::Cover { .. } => "cover",
        Ask::AcceptLive => "accept-live",
    };
    let step = waiting.step.clone();
    let mut hosts: Vec<String> = waiting.hosts.iter().map(ToString::to_string).collect();
    if hosts.is_empty() {
        hosts.push(String::new());
    }
    hosts
        .into_iter()
        .map(move |host| (step.clone(), word, host))
}
