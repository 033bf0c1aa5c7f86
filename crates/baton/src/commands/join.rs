//! `join`: a seat in the room, and the feed.
//!
//! A seat is a lease with a heartbeat: who closes the terminal, or whose
//! machine dies, is gone within seconds. Only somebody at a terminal has one.

use std::io::{self, BufRead as _, IsTerminal as _};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;

use baton_core::event::Event;
use baton_core::id::{Epoch, Handle, Seq};
use baton_core::ledger::Entry;
use baton_core::review::timeline::Feed;
use baton_core::time::Duration;
use baton_store::{Log as _, SqliteLog};
use clap::Parser as _;
use jiff::Timestamp;
use serde_json::json;

use crate::args::{Args, Command};
use crate::commands::drive::{Interrupts, interrupts, show, zone};
use crate::exit::Exit;
use crate::render::{Out, Tone};
use crate::settings::Settings;
use baton_engine::desk::blind::open_answers;
use baton_engine::desk::{Desk, holder};
use baton_engine::failure::Failure;

/// How long a seat is kept without a sign of life.
const SEAT: Duration = Duration::from_secs(6);
/// How often a sign of life is given.
const BEAT: std::time::Duration = std::time::Duration::from_secs(2);
/// How often the ledger is looked at.
const LOOK: std::time::Duration = std::time::Duration::from_millis(150);

/// What one can do in the room.
const HOW: &str = "Type a command (`next`, `done STEP`, `vote go --confidence 4`, …), a line that \
                   begins with `:` to say it, or `leave`.";

/// A seat in the room, kept until it is dropped.
pub(crate) struct Seat {
    stop: Option<mpsc::Sender<()>>,
    beat: Option<JoinHandle<()>>,
}

impl Seat {
    /// A seat for somebody at a terminal; nobody's without one.
    pub(crate) fn at_terminal(desk: &mut Desk, who: &Handle) -> Result<Option<Self>, Failure> {
        if !io::stdin().is_terminal() {
            return Ok(None);
        }
        /// How often this process sat down: a command that is typed in the room
        /// may take a seat of its own, and gets up again.
        static SEATS: AtomicU32 = AtomicU32::new(0);
        let count = SEATS.fetch_add(1, Ordering::Relaxed);
        let name = format!("{}-{count}", desk.seat(who));
        let me = holder(who);
        let now = Timestamp::now();
        // Nobody alive has this name: it was left by a process with our number.
        let epoch = desk.log.lease(&name, &me, now, SEAT, true)?;
        let path = desk.settings.own_folder().join("ledger.db");
        let (stop, stopped) = mpsc::channel();
        let beat = std::thread::spawn(move || keep(&path, &name, epoch, &stopped));
        Ok(Some(Self {
            stop: Some(stop),
            beat: Some(beat),
        }))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(beat) = self.beat.take() {
            // A heartbeat that died is a seat that runs out.
            let _ended = beat.join();
        }
    }
}

fn keep(path: &Path, name: &str, epoch: Epoch, stopped: &mpsc::Receiver<()>) {
    let Ok(mut log) = SqliteLog::open(path) else {
        return;
    };
    while stopped.recv_timeout(BEAT) == Err(RecvTimeoutError::Timeout) {
        // A beat that cannot be given is tried again; the seat runs out meanwhile.
        let _kept = log.renew(name, epoch, Timestamp::now(), SEAT);
    }
    let _released = log.release(name, epoch);
}

/// `baton join`.
pub(crate) fn run(desk: &mut Desk, out: &Out) -> Result<Exit, Failure> {
    let me = desk.me()?;
    let seat = Seat::at_terminal(desk, &me)?;
    let sits = seat.is_some();
    if sits {
        let run = desk.talked_about()?;
        let _joined = desk.append(&me, run.as_ref(), vec![Event::Joined])?;
        let told = out.story();
        told.text(
            &format!("{me} sits in the room of {}", desk.plan.handoff),
            0,
            Tone::Strong,
        );
        told.text(HOW, 0, Tone::Plain);
        told.text(&zone(), 0, Tone::Quiet);
    }
    let typed = if sits { Some(Typed::new()?) } else { None };
    let left = listen(desk, out, &me, typed);
    drop(seat);
    if sits {
        let run = desk.talked_about()?;
        let _left = desk.append(&me, run.as_ref(), vec![Event::Left])?;
    }
    left
}

/// What the person at the terminal types, and Ctrl-C.
struct Typed {
    lines: mpsc::Receiver<String>,
    ctrl_c: Interrupts,
}

impl Typed {
    fn new() -> Result<Self, Failure> {
        let (sender, lines) = mpsc::channel();
        let _thread = std::thread::spawn(move || {
            for line in io::stdin().lock().lines() {
                let Ok(line) = line else { break };
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let ctrl_c = interrupts()?;
        Ok(Self { lines, ctrl_c })
    }
}

/// Shows the feed and takes commands until the person leaves. Without a
/// terminal the feed goes on until the run is over.
fn listen(
    desk: &mut Desk,
    out: &Out,
    me: &Handle,
    mut typed: Option<Typed>,
) -> Result<Exit, Failure> {
    let sits = typed.is_some();
    let mut feed = Feed::new(&desk.plan);
    if let Some(run) = desk.talked_about()? {
        // What was told before is not told again, but what follows needs it.
        desk.each_of(&run, |entry| drop(feed.take(&entry)))?;
    }
    let mut after = desk.log.head()?.0;
    loop {
        let before = after;
        after = follow(desk, out, &mut feed, after)?;
        if sits && after != before {
            // What somebody else said may be the last that was waited for.
            desk.catch_up()?;
            open_answers(desk)?;
        }
        let Some(typed) = &mut typed else {
            if desk.facts.open_run().is_none() {
                return Ok(Exit::Good);
            }
            std::thread::sleep(LOOK);
            desk.catch_up()?;
            continue;
        };
        if typed.ctrl_c.any() {
            return Ok(Exit::Good);
        }
        match typed.lines.recv_timeout(LOOK) {
            Ok(line) if matches!(line.trim(), "leave" | "exit" | "quit") => return Ok(Exit::Good),
            Ok(line) => {
                // What was asked of a run that was driven was not asked of the room.
                if take(desk, out, me, line.trim()) == Took::MayDrive {
                    let _heard = typed.ctrl_c.any();
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Ok(Exit::Good),
        }
    }
}

fn follow(desk: &mut Desk, out: &Out, feed: &mut Feed, mut after: Seq) -> Result<Seq, Failure> {
    loop {
        let page = desk.log.read(after, 1000)?;
        let Some(last) = page.last() else {
            return Ok(after);
        };
        after = last.seq;
        let handoff = desk.handoff();
        page.iter()
            .filter(|entry| entry.handoff == handoff)
            .for_each(|entry| tell(out, feed, entry));
    }
}

/// A line of the feed; for programs an object of its own on each line.
fn tell(out: &Out, feed: &mut Feed, entry: &Entry) {
    if !out.json {
        show(out, feed, entry);
    } else if let Some(line) = feed.take(entry) {
        let told = json!({ "format": 1, "at": line.at, "by": line.by, "says": line.says });
        out.line(told.to_string());
    }
}

/// What a line of the person was.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Took {
    /// Something said and done at once.
    Short,
    /// A word after which the run may be driven from here, and hear Ctrl-C itself.
    MayDrive,
}

/// One line of the person: something to say, or a command.
fn take(desk: &mut Desk, out: &Out, me: &Handle, line: &str) -> Took {
    let mut took = Took::Short;
    if line.is_empty() {
        return took;
    }
    let words: Vec<String> = match line.strip_prefix(':') {
        Some(text) => vec!["say".to_owned(), text.trim().to_owned()],
        None => words(line),
    };
    let named = ["baton".to_owned()]
        .into_iter()
        .chain(words.into_iter().skip_while(|w| w == "baton"));
    let taken = Args::try_parse_from(named)
        .map_err(|error| {
            let text = error.to_string();
            let first = text.lines().next().unwrap_or_default();
            let wrong = Failure::wrong(first.strip_prefix("error: ").unwrap_or(first));
            wrong.hint("`baton --help` in another terminal lists the commands")
        })
        .and_then(|args| match args.command {
            Command::Join
            | Command::Launch { .. }
            | Command::Rehearse { .. }
            | Command::Serve { .. }
            | Command::Drive
            | Command::Status { watch: true }
            | Command::Demo { .. } => Err(Failure::wrong("that needs a terminal of its own")),
            command => {
                if matches!(
                    command,
                    Command::Retry { .. }
                        | Command::Skip { .. }
                        | Command::Resume { .. }
                        | Command::Rollback { .. }
                        | Command::Stop { .. }
                ) {
                    took = Took::MayDrive;
                }
                let mut settings = desk.settings.clone();
                settings.speaker = Some(me.clone());
                let settings = Settings {
                    desk: settings,
                    yes: false,
                };
                super::run(command, &settings, out)
            }
        });
    if let Err(failure) = taken {
        out.failure(&failure);
    }
    took
}

/// Words of a line; double quotes hold several together.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let (mut quoted, mut begun) = (false, false);
    for c in line.chars() {
        match c {
            '"' => (quoted, begun) = (!quoted, true),
            c if c.is_whitespace() && !quoted => {
                if begun {
                    words.push(std::mem::take(&mut word));
                }
                begun = false;
            }
            c => {
                word.push(c);
                begun = true;
            }
        }
    }
    if begun {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn a_line_is_cut_into_words() {
        assert_eq!(
            words(r#" vote  no-go --because "too slow" "#),
            ["vote", "no-go", "--because", "too slow"]
        );
        assert_eq!(words(r#"say """#), ["say", ""]);
        assert!(words("  ").is_empty());
    }
}
