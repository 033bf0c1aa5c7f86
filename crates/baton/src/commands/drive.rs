//! Driving a run from a terminal: the feed, Ctrl-C, and what is said at the end.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use baton_core::event::{Event, Outcome};
use baton_core::id::{Handle, RunId};
use baton_core::ledger::Entry;
use baton_core::review::timeline::{Feed, Weight};
use baton_core::run::State;
use baton_core::run::waits::{Waiting, waits};
use baton_core::time::Duration;
use baton_engine::drive::{Driver, Halted, plan};
use baton_engine::real::RealWorld;
use jiff::Timestamp;
use serde_json::{Value, json};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::commands::join::Seat;
use crate::exit::Exit;
use crate::render::{Out, Tone};
use baton_engine::bridges::{Post, Untold};
use baton_engine::desk::asked::asked;
use baton_engine::desk::{Desk, holder, talk};
use baton_engine::failure::Failure;
use baton_server::address_of;

/// What is said when the run is paused and a command is under way.
const UNDER_WAY: &str =
    "what is under way is seen to its end first; Ctrl-C again leaves it running by itself";

/// How long the bridges may take to say how it went: a few tries, and short
/// enough that nobody thinks Baton hangs.
const LAST_WORDS: std::time::Duration = std::time::Duration::from_secs(5);

/// Drives a run until it is over, frozen, or the person here leaves, which
/// `ctrl_c` says: listened to since before the run was there to be driven.
pub(crate) fn drive(
    desk: &mut Desk,
    out: &Out,
    run: &RunId,
    me: &Handle,
    ctrl_c: Interrupts,
) -> Result<Exit, Failure> {
    let told = &out.story();
    let own = desk.settings.own_folder();
    let mut world = RealWorld::new(desk.shell()?, own, ctrl_c.count, ctrl_c.before);
    let _seat = Seat::at_terminal(desk, me)?;
    let steal = talk::driver_is_gone(desk, run)?;
    let plan = plan(&mut desk.log, run)?;
    let feed = RefCell::new(Feed::new(&plan));
    let mut asked: Vec<Waiting> = Vec::new();
    let mut observer = |entry: &Entry, state: &State| {
        show(told, &mut feed.borrow_mut(), entry);
        if matches!(entry.event, Event::Paused { .. }) && state.active().next().is_some() {
            out.progress(UNDER_WAY);
        }
        let now = waits(state, Timestamp::now());
        if now != asked {
            now.iter()
                .filter(|waiting| !asked.contains(waiting))
                .for_each(|waiting| ask(told, waiting));
            asked = now;
        }
    };
    told.line(told.paint(zone(), Tone::Quiet));
    let room = address_of(desk);
    let driver = Driver::take_telling(
        &mut desk.log,
        &mut world,
        &mut observer,
        run,
        me,
        &holder(me),
        steal,
        // What was told before is not told again, but what follows needs it.
        &mut |entry| drop(feed.borrow_mut().take(entry)),
    )?;
    // The bridges of the room tell what happens, and a run waits for none of them.
    let post = Post::start(&desk.settings, room);
    let (halted, state) = driver.drive()?;
    desk.catch_up()?;
    let exit = exit_of(&halted, &state);
    if out.json {
        out.json(&for_programs(&halted, &state));
    } else {
        report(out, &halted, &state);
    }
    last_words(out, post);
    Ok(exit)
}

/// `baton drive`, which a room starts for a run that nobody drives.
pub(crate) fn aside(desk: &mut Desk, out: &Out) -> Result<Exit, Failure> {
    let (run, me) = (desk.open_run()?, desk.signer()?);
    drive(desk, out, &run, &me, interrupts()?)
}

/// Lets the bridges say how it went, and says which did not get through.
fn last_words(out: &Out, post: Post) {
    for untold in post.finish(LAST_WORDS) {
        let Untold {
            bridge,
            notices,
            because,
        } = untold;
        let what = if notices == 1 { "notice" } else { "notices" };
        out.progress(&format!(
            "{notices} {what} for the bridge {bridge} could not be sent: {because}; whoever drives the run next sends it"
        ));
    }
}

/// How often the person at the terminal asks to stop.
pub(crate) struct Interrupts {
    count: Arc<AtomicU32>,
    before: u32,
}

impl Interrupts {
    /// Whether they asked since this was made or asked last.
    pub(crate) fn any(&mut self) -> bool {
        let count = self.count.load(Ordering::Relaxed);
        std::mem::replace(&mut self.before, count) != count
    }
}

/// Listens for Ctrl-C and a request to end. From the first call on they end
/// nothing by themselves: every place that waits has to ask.
pub(crate) fn interrupts() -> Result<Interrupts, Failure> {
    static COUNT: OnceLock<Arc<AtomicU32>> = OnceLock::new();
    if COUNT.get().is_none() {
        let mut signals = Signals::new([SIGINT, SIGTERM])
            .map_err(|error| Failure::part("cannot hear Ctrl-C").because(&error))?;
        let heard = COUNT.get_or_init(Arc::default);
        let _thread = std::thread::spawn(move || {
            for _signal in signals.forever() {
                let _before = heard.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    let count = Arc::clone(COUNT.get_or_init(Arc::default));
    let before = count.load(Ordering::Relaxed);
    Ok(Interrupts { count, before })
}

/// Where the clock of the feed stands.
pub(crate) fn zone() -> String {
    jiff::Zoned::now()
        .strftime("times are %Z (%:z)")
        .to_string()
}

/// One line of the feed.
pub(crate) fn show(out: &Out, feed: &mut Feed, entry: &Entry) {
    if let Some(line) = feed.take(entry) {
        let tone = match line.weight {
            Weight::Quiet => Tone::Quiet,
            Weight::Plain => Tone::Plain,
            Weight::Marked => Tone::Strong,
        };
        let at = line
            .at
            .to_zoned(jiff::tz::TimeZone::system())
            .strftime("%H:%M:%S")
            .to_string();
        out.feed(&at, &line.says, tone);
    }
}

fn ask(out: &Out, waiting: &Waiting) {
    let (says, next) = asked(waiting);
    out.feed("", &says, Tone::Warn);
    if let Some(next) = next {
        out.feed("", &next, Tone::Accent);
    }
}

/// The exit status when the driver returns.
fn exit_of(halted: &Halted, state: &State) -> Exit {
    match halted {
        // A rehearsal that was to break, and came back, went as asked.
        Halted::Ended(Outcome::RolledBack)
            if state.rehearsal() && state.terms.fail_at.is_some() =>
        {
            Exit::Good
        }
        Halted::Ended(outcome) => Exit::from(*outcome),
        Halted::Frozen => Exit::Stopped,
        Halted::Paused | Halted::Left => Exit::Paused,
    }
}

/// What is said when the driver returns.
fn report(out: &Out, halted: &Halted, state: &State) {
    let took = Duration::between(state.opened_at, Timestamp::now());
    let what = what(state);
    out.gap();
    match halted {
        Halted::Ended(outcome) => {
            let because = state.ended().map_or("", |(_, because)| because);
            let (word, tone) = match outcome {
                Outcome::Succeeded => ("succeeded", Tone::Good),
                Outcome::RolledBack => ("rolled back", Tone::Warn),
                Outcome::Stopped => ("stopped", Tone::Bad),
                Outcome::Aborted => ("aborted", Tone::Bad),
            };
            out.text(&format!("{what} {word} after {took}: {because}"), 0, tone);
            out.next(match (outcome, state.rehearsal()) {
                (_, true) => "baton check",
                (Outcome::Succeeded, false) => "baton review",
                (_, false) => "baton status, then baton review",
            });
        }
        Halted::Frozen => {
            let says = format!("{what} stands still until somebody decides");
            out.text(&says, 0, Tone::Bad);
            waits(state, Timestamp::now())
                .iter()
                .for_each(|waiting| ask(out, waiting));
        }
        Halted::Paused => {
            let says = format!("{what} is paused at a safe point; nothing is under way");
            out.text(&says, 0, Tone::Plain);
            out.next("baton resume");
        }
        Halted::Left => {
            let says = format!("left the {what}; commands under way go on, and nothing is lost");
            out.text(&says, 0, Tone::Plain);
            out.next("baton resume");
        }
    }
}

fn what(state: &State) -> &'static str {
    if state.rehearsal() {
        "rehearsal"
    } else {
        "launch"
    }
}

/// The same for programs; the feed stood beside it.
fn for_programs(halted: &Halted, state: &State) -> Value {
    let (plan, ended) = (&state.plan, state.ended());
    let next: Vec<Value> = waits(state, Timestamp::now())
        .iter()
        .map(|waiting| {
            let (says, command) = asked(waiting);
            json!({
                "step": waiting.step, "people": waiting.people, "says": says,
                "command": command, "escalated_to": waiting.escalated_to,
            })
        })
        .collect();
    json!({
        "format": 1,
        "handoff": plan.contract.name.value,
        "environment": plan.environment,
        "release": plan.contract.release.version.value,
        "run": state.run,
        "what": what(state),
        "state": match halted {
            Halted::Ended(_) => "ended",
            Halted::Frozen => "frozen",
            Halted::Paused => "paused",
            Halted::Left => "left",
        },
        "outcome": ended.map(|(outcome, _)| outcome),
        "because": ended.map(|(_, because)| because),
        "opened": state.opened_at,
        "next": next,
    })
}
