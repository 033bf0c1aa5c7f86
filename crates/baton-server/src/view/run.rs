//! A run as the page shows it, and what changed in it since it was shown last.

use std::collections::{BTreeMap, BTreeSet};

use baton_core::event::{FenceRole, Leg};
use baton_core::forecast::{ASSUMED, Task, range};
use baton_core::gate::{Poll, planned};
use baton_core::handoff::contract::{Contract, Measure};
use baton_core::handoff::plan::Plan;
use baton_core::id::{Handle, StepId, TeamName};
use baton_core::run::standing::{Standing, Stands};
use baton_core::run::state::Mode;
use baton_core::run::waits::{Ask, Waiting, waits};
use baton_core::time::Duration;
use baton_core::watch;
use baton_engine::desk::asked::asked;
use jiff::Timestamp;

use super::board::Board;
use super::measures::stands;
use super::plan;
use super::review::outcome as outcome_word;
use crate::wire::{
    Action, BackView, ConfidenceView, EndedView, ForecastView, LegView, MeasureView, ModeView,
    PhaseView, PlaceState, PlaceView, Planned, PollView, RunKindView, RunPatch, RunView, SeatView,
    StepView, Via, VoteView, WaitView, WatchView,
};

/// What a board does not know by itself.
pub(crate) struct Around {
    /// The clock.
    pub(crate) now: Timestamp,
    /// The entry everything is folded to.
    pub(crate) seq: u64,
    /// Whether a Baton drives the run.
    pub(crate) driven: bool,
    /// Who belongs in the room.
    pub(crate) people: Vec<SeatView>,
    /// Who says go.
    pub(crate) poll: PollView,
}

/// The whole run.
pub(crate) fn view(board: &Board, around: Around) -> RunView {
    let state = &board.state;
    let planned = &state.plan;
    let ended = state.ended().map(|(outcome, because)| EndedView {
        outcome: outcome_word(outcome).to_owned(),
        because: because.to_owned(),
        at: board.ended_at.unwrap_or(around.now),
    });
    let critical: BTreeSet<&StepId> = board.schedule.critical.iter().collect();
    let slots: BTreeMap<&StepId, Planned> = board
        .schedule
        .steps
        .iter()
        .map(|slot| {
            let (begins, ends) = (slot.starts, slot.ends);
            (&slot.id, Planned { begins, ends })
        })
        .collect();
    let steps = (0..planned.steps.len()).map(|i| {
        let id = planned.steps[i].id();
        let mut step = plan::step(planned, i, slots.get(id).cloned(), critical.contains(id));
        stand(board, i, &mut step);
        step
    });
    RunView {
        id: state.run.to_string(),
        name: planned.contract.name.value.clone(),
        kind: if state.rehearsal() {
            RunKindView::Rehearsal
        } else {
            RunKindView::Launch
        },
        environment: planned.environment.to_string(),
        release: planned.contract.release.version.value.clone(),
        handoff: planned.handoff.to_string(),
        seq: around.seq,
        at: around.now,
        opened_at: state.opened_at,
        mode: mode(board),
        leg: match state.leg {
            Leg::Forward => LegView::Forward,
            Leg::Back => LegView::Back,
            Leg::Again => LegView::Again,
        },
        driven: around.driven,
        window: planned.contract.launch.window.map(plan::span),
        forecast: ended.is_none().then(|| forecast(board, around.now)),
        back: ended.is_none().then(|| back(board)).flatten(),
        phases: phases(planned),
        steps: steps.collect(),
        waits: asks(board, around.now),
        watch: watched(board),
        people: around.people,
        poll: around.poll,
        ended,
    }
}

/// Fills in where a step stands.
fn stand(board: &Board, i: usize, step: &mut StepView) {
    let state = &board.state;
    let places: Vec<PlaceView> = state.standing(i).map(|at| place(board, i, &at)).collect();
    step.state = whole(state.is_finished(i), &places);
    if state.left_out(i).is_some() {
        step.state = PlaceState::Skipped;
    }
    step.hosts = places;
    step.actual = board.times[i].clone();
    if let Some(approvals) = &mut step.approvals {
        approvals.by = state.approvals(i).map(ToString::to_string).collect();
    }
}

fn place(board: &Board, i: usize, at: &Standing<'_>) -> PlaceView {
    let tried = board.tried.get(&(i, at.host.clone()));
    PlaceView {
        host: at.host.to_string(),
        state: match at.stands {
            Stands::Waiting => PlaceState::Waiting,
            Stands::Running => PlaceState::Running,
            Stands::Succeeded => PlaceState::Succeeded,
            Stands::Failed => PlaceState::Failed,
            Stands::Unknown => PlaceState::Unknown,
            Stands::Undoing => PlaceState::Undoing,
            Stands::Undone => PlaceState::Undone,
            Stands::Skipped => PlaceState::Skipped,
        },
        role: tried.map(|tried| FenceRole::word(tried.role).to_owned()),
        attempt: tried.map(|tried| tried.attempt.to_string()),
        began: tried.map(|tried| tried.began),
        ended: tried.and_then(|tried| tried.ended),
        tries: at.tries,
    }
}

/// A step as a whole: what most needs to be seen of its places.
fn whole(finished: bool, places: &[PlaceView]) -> PlaceState {
    let any = |state| places.iter().any(|place| place.state == state);
    let all = |state| !places.is_empty() && places.iter().all(|place| place.state == state);
    let first = [
        PlaceState::Unknown,
        PlaceState::Failed,
        PlaceState::Undoing,
        PlaceState::Running,
    ];
    if let Some(state) = first.into_iter().find(|state| any(*state)) {
        return state;
    }
    if any(PlaceState::Undone) {
        return PlaceState::Undone;
    }
    if all(PlaceState::Skipped) || (finished && places.is_empty()) {
        return PlaceState::Skipped;
    }
    match (finished, any(PlaceState::Succeeded)) {
        (true, _) => PlaceState::Succeeded,
        (false, true) => PlaceState::Running,
        (false, false) => PlaceState::Waiting,
    }
}

fn mode(board: &Board) -> ModeView {
    let state = &board.state;
    let held = state.paused.is_some() || (state.needs_staff() && !state.unstaffed.is_empty());
    match &state.mode {
        Mode::Ended { .. } => ModeView::Ended,
        Mode::Frozen { .. } => ModeView::Frozen,
        Mode::Going if held && state.active().next().is_some() => ModeView::Pausing,
        Mode::Going if held => ModeView::Paused,
        Mode::Going if state.watch.is_some() => ModeView::Watching,
        Mode::Going => ModeView::Going,
    }
}

/// Labels in the order of the plan; a step that stands apart from its like
/// begins a group of its own.
fn phases(plan: &Plan) -> Vec<PhaseView> {
    let mut phases: Vec<PhaseView> = Vec::new();
    for step in &plan.steps {
        let title = step.written.phase.clone().unwrap_or_default();
        let id = step.id().to_string();
        match phases.last_mut() {
            Some(last) if last.title == title => last.steps.push(id),
            _ => phases.push(PhaseView {
                title,
                steps: vec![id],
            }),
        }
    }
    phases
}

/// When the present way will be over.
fn forecast(board: &Board, now: Timestamp) -> ForecastView {
    let state = &board.state;
    let start = if board.to_come { state.opened_at } else { now };
    let rest = if state.leg == Leg::Back {
        going_back(board)
    } else {
        ahead(board, now)
    };
    let ends = range(&rest, start, &shares(board));
    let closes = state
        .plan
        .contract
        .launch
        .window
        .map(|window| window.closes);
    let back: u64 = going_back(board).iter().map(lasts).sum();
    let turn = closes.and_then(|closes| {
        let back = jiff::SignedDuration::from_millis(i64::try_from(back).ok()?);
        closes.checked_sub(back).ok()
    });
    // To the second: what moves by less is no news to anybody.
    let second = |at: Timestamp| Timestamp::from_second(at.as_second()).unwrap_or(at);
    ForecastView {
        early: second(ends.early),
        likely: second(ends.likely),
        late: second(ends.late),
        last_turn_back: turn.filter(|_| state.touched() && state.leg != Leg::Back),
    }
}

fn lasts(task: &Task) -> u64 {
    task.lasts.unwrap_or(ASSUMED).as_millis()
}

/// The steps that are not finished, each with what is left of it.
fn ahead(board: &Board, now: Timestamp) -> Vec<Task> {
    let state = &board.state;
    let plan = &state.plan;
    let at: BTreeMap<&StepId, usize> = plan.steps.iter().map(|s| s.id()).zip(0..).collect();
    let tasks = planned(plan).into_iter().filter_map(|mut task| {
        let i = *at.get(&task.id)?;
        if state.is_finished(i) {
            return None;
        }
        if let Some(began) = board.times[i].began {
            let gone = Duration::between(began, now).as_millis();
            // A step that takes longer than it should is about to end, or nobody knows.
            let least = lasts(&task) / 10;
            let left = lasts(&task).saturating_sub(gone).max(least);
            task.lasts = Some(Duration::from_millis(left));
            task.not_before = None;
        }
        Some(task)
    });
    tasks.collect()
}

/// What going back would do, one after the other: undoing is taken to last as
/// long as doing, where nobody says.
fn going_back(board: &Board) -> Vec<Task> {
    let plan = &board.state.plan;
    let mut tasks: Vec<Task> = Vec::new();
    for (i, _) in board.state.way_back() {
        let step = &plan.steps[i];
        if tasks.last().is_some_and(|last| last.id == *step.id()) {
            continue;
        }
        tasks.push(Task {
            id: step.id().clone(),
            after: tasks
                .last()
                .map(|last| last.id.clone())
                .into_iter()
                .collect(),
            lasts: step.written.expect,
            watch: Duration::default(),
            not_before: None,
        });
    }
    tasks
}

/// What the steps that ended took of what they should.
fn shares(board: &Board) -> Vec<f64> {
    let steps = board.state.plan.steps.iter().zip(&board.times);
    steps
        .filter_map(|(step, times)| {
            let took = Duration::between(times.began?, times.ended?);
            let expected = step
                .written
                .expect
                .filter(|expected| expected.as_millis() > 0)?;
            Some(took.as_millis() as f64 / expected.as_millis() as f64)
        })
        .collect()
}

fn back(board: &Board) -> Option<BackView> {
    let state = &board.state;
    if state.leg == Leg::Back || !state.touched() {
        return None;
    }
    let tasks = going_back(board);
    let no_return = |task: &&Task| {
        let step = state.plan.step(task.id.as_str());
        step.is_some_and(|step| step.no_return())
    };
    let stops_at = tasks.iter().find(no_return).map(|task| task.id.to_string());
    let until = tasks.iter().take_while(|task| !no_return(task));
    let total: u64 = until.clone().map(lasts).sum();
    Some(BackView {
        undoes: until.map(|task| task.id.to_string()).collect(),
        stops_at,
        seconds: Some(total as f64 / 1000.0),
    })
}

/// What people are asked; nothing of a launch to come but its votes.
fn asks(board: &Board, now: Timestamp) -> Vec<WaitView> {
    if board.to_come {
        return Vec::new();
    }
    let waiting = waits(&board.state, now).into_iter();
    waiting.map(|waiting| wait(board, &waiting)).collect()
}

fn wait(board: &Board, waiting: &Waiting) -> WaitView {
    let (says, command) = asked(waiting);
    let since = waiting.step.as_ref().and_then(|step| {
        let i = board.state.plan.steps.iter().position(|s| s.id() == step)?;
        board.state.waits_since(i)
    });
    let since = match waiting.ask {
        Ask::Decide { .. } | Ask::Resume { .. } | Ask::Cover { .. } | Ask::AcceptLive => None,
        _ => since,
    };
    let escalated: Vec<&str> = waiting.escalated_to.iter().map(|by| by.as_str()).collect();
    WaitView {
        step: waiting.step.as_ref().map(ToString::to_string),
        hosts: waiting.hosts.iter().map(ToString::to_string).collect(),
        people: waiting.people.iter().map(ToString::to_string).collect(),
        says,
        command,
        actions: actions(&waiting.ask),
        since: since.unwrap_or(board.turned_at),
        escalated_to: (!escalated.is_empty()).then(|| escalated.join(", ")),
    }
}

fn actions(ask: &Ask) -> Vec<Action> {
    match ask {
        Ask::Do { .. } | Ask::UndoByHand { .. } => vec![Action::Done],
        Ask::Approve { .. } => vec![Action::Approve],
        Ask::SettleRun | Ask::SettleUndo => vec![Action::Done, Action::Retry],
        Ask::Decide { harm: true, .. } => vec![Action::Rollback, Action::Stop, Action::Resume],
        Ask::Decide { harm: false, .. } => {
            vec![Action::Retry, Action::Skip, Action::Rollback, Action::Stop]
        }
        Ask::ExtendWindow => vec![Action::Resume, Action::Rollback],
        Ask::Resume { .. } => vec![Action::Resume],
        Ask::Cover { .. } => Vec::new(),
        Ask::AcceptLive => vec![Action::AcceptLive],
    }
}

fn watched(board: &Board) -> Option<WatchView> {
    let state = &board.state;
    let watching = state.watch.as_ref()?;
    let contract = &state.plan.contract;
    let lasts = match &watching.step {
        Some(step) => state
            .plan
            .step(step.as_str())
            .and_then(|step| step.written.watch),
        None => None,
    };
    let lasts = lasts.unwrap_or_else(|| contract.watch.unwrap_or_default().lasts);
    let verdict = watching.verdict.as_ref();
    Some(WatchView {
        since: watching.began,
        until: lasts.after(watching.began),
        verdict: match verdict.map(|verdict| verdict.decision) {
            Some(watch::Decision::Keep) => "keep",
            Some(watch::Decision::RollBack) => "roll-back",
            Some(watch::Decision::Hold) | None => "hold",
        }
        .to_owned(),
        says: verdict.map_or_else(
            || "Nothing was seen yet.".to_owned(),
            |verdict| verdict.because.clone(),
        ),
        measures: verdict.map_or_else(Vec::new, |verdict| {
            let findings = verdict.measures.iter();
            findings.map(|finding| measure(board, finding)).collect()
        }),
    })
}

fn measure(board: &Board, finding: &watch::Finding) -> MeasureView {
    let contract = &board.state.plan.contract;
    let mut measures = contract.success.defined().into_iter().flatten();
    let written = measures.find(|measure| *measure.id == finding.measure);
    let id = finding.measure.to_string();
    MeasureView {
        says: written.map_or_else(|| id.clone(), |measure| measure.says.clone()),
        bar: written.map(Measure::bar).unwrap_or_default(),
        verdict: stands(finding.state).to_owned(),
        ratio: finding.ratio,
        low: finding.interval.map(|(low, _)| low),
        high: finding.interval.map(|(_, high)| high),
        e: Some(finding.e),
        svg: None,
        points: board.points.get(&id).cloned().unwrap_or_default(),
        id,
    }
}

/// The poll as people may see it: one line for everybody who holds a role, and
/// for whoever voted besides.
pub(crate) fn poll_view(contract: &Contract, poll: &Poll, open: bool) -> PollView {
    let mut votes: Vec<VoteView> = Vec::new();
    let ballots: BTreeMap<&Handle, _> = poll.votes.iter().map(|vote| (&vote.by, vote)).collect();
    for role in contract.roles.keys() {
        for by in contract.holders(role) {
            let vote = ballots.get(&by);
            votes.push(VoteView {
                handle: by.to_string(),
                role: role.to_string(),
                go: vote.map(|vote| vote.go),
                because: vote.and_then(|vote| vote.because.clone()),
            });
        }
    }
    let others = poll.votes.iter().filter(|vote| vote.roles.is_empty());
    votes.extend(others.map(|vote| VoteView {
        handle: vote.by.to_string(),
        role: String::new(),
        go: Some(vote.go),
        because: vote.because.clone(),
    }));
    let missing: BTreeSet<String> = poll
        .missing
        .iter()
        .flat_map(|role| contract.holders(role))
        .map(|by| by.to_string())
        .collect();
    PollView {
        open,
        votes,
        missing: missing.into_iter().collect(),
        confidence: ConfidenceView {
            shown: poll.sure.is_some(),
            by_team: poll.sure.as_ref().map(|sure| {
                let means = sure.iter();
                means
                    .map(|(team, mean)| (team.to_string(), *mean))
                    .collect()
            }),
        },
        talk_needed: poll.talk.clone(),
    }
}

/// Who belongs in the room, and who of them is there: `seats` are the rests of
/// the names of their leases, behind the person's.
pub(crate) fn people(
    contract: &Contract,
    seats: &BTreeMap<Handle, (Via, Timestamp)>,
) -> Vec<SeatView> {
    let roles_of = |by: &Handle, second: bool| -> Vec<String> {
        let roles = contract.roles.iter().filter(|(_, role)| {
            let held = if second { &role.backup } else { &role.owner };
            let held = held.as_ref().and_then(|who| contract.members(who));
            held.is_some_and(|people| people.contains(by))
        });
        roles.map(|(role, _)| role.to_string()).collect()
    };
    let team_of = |by: &Handle| {
        let mut teams = contract.teams.keys();
        let of = |team: &&TeamName| {
            let members = contract.members(team);
            members.is_some_and(|members| members.contains(by))
        };
        teams.find(of).map(ToString::to_string).unwrap_or_default()
    };
    let seat = |(handle, person): (&Handle, &baton_core::handoff::contract::Person)| {
        let (roles, backup_of) = (roles_of(handle, false), roles_of(handle, true));
        let there = seats.get(handle);
        SeatView {
            handle: handle.to_string(),
            name: person.name.clone(),
            team: team_of(handle),
            required: !roles.is_empty() || !backup_of.is_empty(),
            roles,
            backup_of,
            zone: person
                .zone
                .as_ref()
                .map_or("UTC", |zone| zone.as_str())
                .to_owned(),
            present: there.is_some(),
            via: there.map(|(via, _)| *via),
            since: there.map(|(_, since)| *since),
        }
    };
    contract.people.iter().map(seat).collect()
}

/// What brings a page that shows `before` to `after`; nothing when only clock
/// and ledger went on.
pub(crate) fn patch(before: &RunView, after: &RunView) -> Option<RunPatch> {
    fn changed<T: PartialEq + Clone>(before: &T, after: &T) -> Option<T> {
        (before != after).then(|| after.clone())
    }
    let old: BTreeMap<&str, &StepView> = before.steps.iter().map(|s| (s.id.as_str(), s)).collect();
    let steps = after.steps.iter();
    let patch = RunPatch {
        seq: (before.seq != after.seq).then_some(after.seq),
        steps: steps
            .filter(|step| old.get(step.id.as_str()).is_none_or(|old| old != step))
            .cloned()
            .collect(),
        ended: changed(&before.ended, &after.ended).flatten(),
        mode: changed(&before.mode, &after.mode),
        leg: changed(&before.leg, &after.leg),
        driven: changed(&before.driven, &after.driven),
        forecast: changed(&before.forecast, &after.forecast),
        back: changed(&before.back, &after.back),
        waits: changed(&before.waits, &after.waits),
        watch: changed(&before.watch, &after.watch),
        poll: changed(&before.poll, &after.poll),
    };
    let only_seq = RunPatch {
        seq: patch.seq,
        ..RunPatch::default()
    };
    (patch != only_seq).then_some(patch)
}
