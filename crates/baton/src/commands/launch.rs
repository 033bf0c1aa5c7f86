//! `rehearse` and `launch`: opening a run, and driving it.

use std::time::Duration;

use baton_core::diag::{Question, nearest};
use baton_core::event::{Event, RunKind, RunTerms};
use baton_core::gate::{Answer, Verdict, assess, unproven};
use baton_core::handoff::plan::Plan;
use baton_core::id::{Digest, EnvName, Handle, RunId, StepId};
use jiff::Timestamp;

use crate::args::RoomArgs;
use crate::commands::join::Seat;
use crate::commands::{check, drive, serve};
use crate::exit::Exit;
use crate::render::{Out, Tone};
use baton_engine::bridges::Post;
use baton_engine::desk::blind::open_answers;
use baton_engine::desk::{Desk, draw};
use baton_engine::failure::{Failure, Kind};
use baton_server::address_of;

/// How often the room is looked at while somebody is missing.
const LOOK: Duration = Duration::from_millis(200);

/// `baton rehearse`.
pub(crate) fn rehearse(
    desk: &mut Desk,
    out: &Out,
    yes: bool,
    environment: Option<&str>,
    fail_at: Option<&str>,
    room: &RoomArgs,
) -> Result<Exit, Failure> {
    let me = desk.me()?;
    none_is_open(desk)?;
    let environment = match (environment, desk.contract.rehearsal.defined()) {
        (Some(name), _) => EnvName::from(name),
        (None, Some(terms)) => terms.environment.value.clone(),
        (None, None) => {
            return Err(
                Failure::wrong("the contract names no environment to rehearse in").hint(
                    "`baton rehearse ENV`, or `rehearsal: { in: ENV, within: 7d }` in the contract",
                ),
            );
        }
    };
    if environment == desk.plan.environment && !yes {
        return Err(Failure::refused(format!(
            "{environment} is the launch environment: a rehearsal would go forward, back and forward there"
        ))
        .hint("if that is meant, say so with `--yes`"));
    }
    let told = out.story();
    let plan = desk.plan_for(&environment)?;
    let fail_at = fail_at.map(|id| known_step(&plan, id)).transpose()?;
    let release = known(desk.release())?;
    let run = RunId::made(Timestamp::now(), draw());
    let ctrl_c = drive::interrupts()?;
    let _room = serve::beside(desk, out, room)?;
    let count = plan.steps.len();
    told.line(format!(
        "rehearsing {count} steps in {}: forward, back, and forward again",
        told.paint(environment.as_str(), Tone::Strong)
    ));
    let terms = terms(
        desk,
        RunKind::Rehearsal,
        &plan,
        release,
        fail_at,
        Vec::new(),
    )?;
    // Unless somebody opened another one in the same moment.
    while !opened(desk, &me, &run, &terms)? {
        none_is_open(desk)?;
    }
    drive::drive(desk, out, &run, &me, ctrl_c)
}

/// `baton launch`.
pub(crate) fn launch(
    desk: &mut Desk,
    out: &Out,
    no_wait: bool,
    asked: &RoomArgs,
) -> Result<Exit, Failure> {
    let me = desk.me()?;
    none_is_open(desk)?;
    let seat = Seat::at_terminal(desk, &me)?;
    let told = out.story();
    let run = RunId::made(Timestamp::now(), draw());
    let mut ctrl_c = drive::interrupts()?;
    let _room = serve::beside(desk, out, asked)?;
    let mut room = Room::default();
    // A no-go is heard outside while the room fills.
    let post = Post::start(&desk.settings, address_of(desk));
    loop {
        let (verdict, release) = room.fills(desk, &told, no_wait, &mut ctrl_c)?;
        if verdict.verdict != Answer::Ready {
            return Err(refused(desk, out, &verdict));
        }
        let plan = desk.plan.clone();
        let unproven = unproven(&plan, &desk.facts, Timestamp::now());
        let release = known(release)?;
        let terms = terms(desk, RunKind::Launch, &plan, release, None, unproven)?;
        // What was said since the verdict may speak against it.
        if opened(desk, &me, &run, &terms)? {
            break;
        }
        none_is_open(desk)?;
    }
    let contract = &desk.contract;
    told.line(format!(
        "launching {} {} in {}",
        told.paint(&contract.name.value, Tone::Strong),
        contract.release.version.value,
        told.paint(desk.plan.environment.as_str(), Tone::Strong)
    ));
    drop((seat, post));
    drive::drive(desk, out, &run, &me, ctrl_c)
}

/// Shows a verdict that is not ready, and says which questions are open.
fn refused(desk: &Desk, out: &Out, verdict: &Verdict) -> Failure {
    check::show(desk, out, &desk.plan.clone(), verdict);
    let open = open_questions(verdict).into_iter().map(Question::key);
    let open = baton_core::diag::list(&open.collect::<Vec<_>>(), 8);
    let kind = match verdict.verdict {
        Answer::Inconclusive => Kind::Part,
        Answer::Ready | Answer::NotReady => Kind::Refused,
    };
    Failure::new(kind, format!("the launch is refused: {open} open"))
        .hint("`baton check` says what would make it pass")
}

/// The room while it fills.
#[derive(Default)]
struct Room {
    /// What was last said to be missing.
    said: String,
    /// Whether anybody was waited for.
    waited: bool,
}

impl Room {
    /// Waits while only the room is open; returns the last verdict and the
    /// release it is about.
    fn fills(
        &mut self,
        desk: &mut Desk,
        told: &Out,
        no_wait: bool,
        ctrl_c: &mut drive::Interrupts,
    ) -> Result<(Verdict, Result<Digest, String>), Failure> {
        let mut release = desk.release();
        loop {
            desk.catch_up()?;
            open_answers(desk)?;
            // Not read again at each look: a release may be large.
            let readings = desk.readings_of(release.clone(), true)?;
            let now = Timestamp::now();
            let verdict = assess(&desk.plan, &desk.facts, &readings, &desk.notes, now);
            let closed = desk
                .contract
                .launch
                .window
                .is_some_and(|window| now >= window.closes);
            if open_questions(&verdict) != [Question::Room] || no_wait || closed {
                let before = std::mem::replace(&mut release, desk.release());
                if !self.waited || release == before {
                    return Ok((verdict, release));
                }
                continue;
            }
            self.waited = true;
            self.says(told, &verdict);
            if ctrl_c.any() {
                return Err(Failure::refused(
                    "the launch was called off at the terminal: nothing was begun",
                )
                .hint("`baton launch` opens the room again"));
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Says who and what is missing, when that has changed.
    fn says(&mut self, told: &Out, verdict: &Verdict) {
        let missing: Vec<&str> = verdict
            .blockers
            .iter()
            .map(|note| note.says.as_str())
            .collect();
        let missing = missing.join("\n");
        if missing != self.said {
            told.line(told.paint(
                "the room is open; the launch begins when nothing is missing:",
                Tone::Strong,
            ));
            told.text(&missing, 2, Tone::Plain);
            self.said = missing;
        }
    }
}

fn open_questions(verdict: &Verdict) -> Vec<Question> {
    let mut open: Vec<Question> = verdict
        .blockers
        .iter()
        .filter_map(|note| note.code.question())
        .collect();
    open.dedup();
    open
}

fn none_is_open(desk: &Desk) -> Result<(), Failure> {
    match desk.facts.open_run() {
        None => Ok(()),
        Some(run) => Err(Failure::refused(format!("the run {run} is still open"))
            .hint("`baton resume` goes on with it, `baton rollback` or `baton stop` ends it")),
    }
}

fn known_step(plan: &Plan, id: &str) -> Result<StepId, Failure> {
    if let Some(step) = plan.step(id) {
        return Ok(step.id().clone());
    }
    let failure = Failure::wrong(format!("the runbook has no step {id}"));
    let near = nearest(id, plan.steps.iter().map(|step| step.id().as_str()));
    Err(match near {
        Some(near) => failure.hint(format!("did you mean {near}?")),
        None => failure.hint("`baton plan` lists the steps"),
    })
}

fn known(release: Result<Digest, String>) -> Result<Digest, Failure> {
    release.map_err(|why| {
        Failure::part(format!("cannot tell which release this is: {why}"))
            .hint("build the release first; its files stand under `release: artifacts:`")
    })
}

pub(crate) fn terms(
    desk: &mut Desk,
    what: RunKind,
    plan: &Plan,
    release: Digest,
    fail_at: Option<StepId>,
    unproven: Vec<StepId>,
) -> Result<RunTerms, Failure> {
    let definition = plan.digests.environments.get(&plan.environment).cloned();
    Ok(RunTerms {
        what,
        plan: desk.keep(plan)?,
        content: plan.digests.content.clone(),
        procedure: plan.digests.procedure.clone(),
        roster: plan.digests.roster.clone(),
        release,
        environment: plan.environment.clone(),
        definition: definition
            .ok_or_else(|| Failure::new(Kind::Bug, "an environment without a digest"))?,
        fail_at,
        unproven,
    })
}

/// Opens the run, if nothing was said since the facts were folded.
pub(crate) fn opened(
    desk: &mut Desk,
    me: &Handle,
    run: &RunId,
    terms: &RunTerms,
) -> Result<bool, Failure> {
    let event = Event::RunOpened(terms.clone());
    desk.append_decided(Some(run), vec![(me.clone(), event)])
}
