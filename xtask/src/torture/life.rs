//! One life of a driver: it is started, watched, and killed at its moment.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant, SystemTime};

use rustix::process::{Pid, Signal, kill_process};

use super::dice::Dice;
use super::field::{FLOP, Field, Nature, Step};
use super::people::People;
use crate::{Answer, shell};

/// How often the folder is looked at.
const LOOK: Duration = Duration::from_micros(200);
/// A moment that does not come by itself comes after this time.
const AT_LAST: Duration = Duration::from_secs(2);
/// Longer than any life should last, killed or not.
const TOO_LONG: Duration = Duration::from_secs(120);

/// When to kill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// While the driver starts up.
    StartUp(Duration),
    /// At any time.
    Time(Duration),
    /// When the folder of the so-many-th attempt of this life appears.
    Spawned(usize),
    /// When its wrapper has claimed its place.
    Claimed(usize),
    /// When the ledger's log has changed so many times in this life.
    Landed(usize),
}

/// Whom to kill.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Victim {
    Driver,
    /// The wrapper of a command; the driver and the command live on.
    Wrapper,
    DriverAndWrapper,
    /// Driver, wrapper and command.
    All,
}

impl Victim {
    fn driver(self) -> bool {
        self != Self::Wrapper
    }

    pub(super) fn says(self) -> &'static str {
        match self {
            Self::Driver => "the driver",
            Self::Wrapper => "a wrapper",
            Self::DriverAndWrapper => "driver and wrapper",
            Self::All => "driver, wrapper and command",
        }
    }
}

/// One kill that is to come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kill {
    pub(super) moment: Moment,
    pub(super) victim: Victim,
}

impl Kill {
    pub(super) fn draw(dice: &mut Dice) -> Self {
        use Victim::{All, Driver, DriverAndWrapper, Wrapper};
        let nth = usize::try_from(dice.below(6)).unwrap_or(0) + 1;
        let moment = match dice.below(6) {
            0 => Moment::StartUp(Duration::from_micros(dice.below(40_000))),
            1 | 2 => Moment::Time(Duration::from_micros(dice.below(400_000))),
            3 => Moment::Spawned(nth),
            4 => Moment::Claimed(nth),
            _ => Moment::Landed(nth),
        };
        let victim = match moment {
            Moment::StartUp(_) => Driver,
            _ => dice.one_of(&[
                Driver,
                Driver,
                Driver,
                Wrapper,
                Wrapper,
                DriverAndWrapper,
                All,
            ]),
        };
        Self { moment, victim }
    }
}

/// How a life ended.
pub(super) enum End {
    /// Killed, at this instant.
    Killed(Instant),
    /// By itself.
    Exited(ExitStatus, String),
}

/// What one life was.
pub(super) struct Life {
    pub(super) end: End,
    /// Everything that was killed, and when.
    pub(super) kills: Vec<(Moment, Victim)>,
    /// When the first new attempt of this life appeared, if nobody was asked before.
    pub(super) first: Option<Instant>,
}

/// Lets a driver live until it ends or is killed; at most `most` kills fall.
pub(super) fn live(
    field: &Field,
    words: &[&str],
    most: usize,
    dice: &mut Dice,
    people: &mut People,
) -> Answer<Life> {
    let mut child = start(field.command(words), &field.folder)?;
    let (born, mut began) = (Instant::now(), Instant::now());
    let mut signs = Signs::new(field);
    let mut kill = (most > 0).then(|| Kill::draw(dice));
    let mut kills = Vec::new();
    people.begin();
    loop {
        signs.look(people.asked());
        if let Some(status) = child
            .0
            .try_wait()
            .map_err(|why| format!("cannot wait: {why}"))?
        {
            let said = fs::read_to_string(field.folder.join("said")).unwrap_or_default();
            let (end, first) = (End::Exited(status, said), signs.first);
            return Ok(Life { end, kills, first });
        }
        if let Some(due) = kill.filter(|kill| signs.due(kill.moment, began)) {
            let hit = strike(due.victim, &mut child, &signs)?;
            if let Some(victim) = hit {
                kills.push((due.moment, victim));
                kill = (most > kills.len()).then(|| Kill::draw(dice));
                if victim.driver() {
                    let end = End::Killed(Instant::now());
                    child
                        .0
                        .wait()
                        .map_err(|why| format!("cannot wait: {why}"))?;
                    let first = signs.first;
                    return Ok(Life { end, kills, first });
                }
                began = Instant::now();
                signs.begin_anew();
            } else if began.elapsed() > AT_LAST {
                // There is no wrapper to be killed: the driver has to do.
                kill = Some(Kill {
                    victim: Victim::Driver,
                    ..due
                });
            }
        }
        if born.elapsed() > TOO_LONG {
            let said = fs::read_to_string(field.folder.join("said")).unwrap_or_default();
            return Err(format!("a driver made no end:\n{said}"));
        }
        people.answer(field, signs.quiet())?;
        std::thread::sleep(LOOK);
    }
}

/// A child that does not outlive a harness that fails.
struct Owned(Child);

impl Drop for Owned {
    fn drop(&mut self) {
        // One that has ended needs neither.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn start(mut command: Command, folder: &Path) -> Answer<Owned> {
    let line = shell::line(&command);
    let said = fs::File::create(folder.join("said"));
    let both = said.and_then(|said| Ok((said.try_clone()?, said)));
    let (out, err) = both.map_err(|why| format!("cannot keep what {line} says: {why}"))?;
    let child = command.stdout(Stdio::from(out)).stderr(err).spawn();
    child
        .map(Owned)
        .map_err(|why| format!("cannot start {line}: {why}"))
}

/// Kills whoever is meant, if they are there; says who was hit.
fn strike(victim: Victim, child: &mut Owned, signs: &Signs) -> Answer<Option<Victim>> {
    let wrapper = if victim == Victim::Driver {
        None
    } else {
        match signs.wrapper() {
            Some(wrapper) => Some(wrapper),
            None if victim == Victim::Wrapper => return Ok(None),
            None => None,
        }
    };
    if victim.driver() {
        child
            .0
            .kill()
            .map_err(|why| format!("cannot kill: {why}"))?;
    }
    let Some(wrapper) = wrapper else {
        return Ok(Some(Victim::Driver));
    };
    kill_it(wrapper);
    if victim == Victim::All {
        of_session(wrapper).into_iter().for_each(kill_it);
    }
    Ok(Some(victim))
}

fn kill_it(pid: i32) {
    if let Some(pid) = Pid::from_raw(pid) {
        // It may have ended in this moment.
        let _sent = kill_process(pid, Signal::KILL);
    }
}

/// What can be seen of a driver from outside.
struct Signs {
    attempts: PathBuf,
    log: PathBuf,
    wary: Vec<String>,
    before: BTreeSet<String>,
    /// The attempts of this life, in the order in which they appeared.
    fresh: Vec<String>,
    first: Option<Instant>,
    changed: Option<SystemTime>,
    landed: usize,
    stirred: Instant,
}

impl Signs {
    fn new(field: &Field) -> Self {
        let attempts = field.folder.join(".baton/attempts");
        // What these steps say with their end cannot be had from anywhere else.
        let wary = |(at, step): (usize, &Step)| {
            let told = matches!(step.nature, Nature::Gives) || at == FLOP;
            told.then(|| Step::id(at))
        };
        Self {
            before: names(&attempts).collect(),
            log: field.folder.join(".baton/ledger.db-wal"),
            wary: field.steps.iter().enumerate().filter_map(wary).collect(),
            attempts,
            fresh: Vec::new(),
            first: None,
            changed: None,
            landed: 0,
            stirred: Instant::now(),
        }
    }

    /// What is counted is counted from now on.
    fn begin_anew(&mut self) {
        self.fresh.clear();
        self.landed = 0;
    }

    fn look(&mut self, asked: bool) {
        for name in names(&self.attempts) {
            if self.before.insert(name.clone()) {
                self.fresh.push(name);
                self.stirred = Instant::now();
                if !asked {
                    let _first = self.first.get_or_insert(self.stirred);
                }
            }
        }
        let changed = fs::metadata(&self.log).and_then(|about| about.modified());
        if let Ok(changed) = changed
            && self.changed.replace(changed) != Some(changed)
        {
            self.landed += 1;
            self.stirred = Instant::now();
        }
    }

    fn due(&self, moment: Moment, began: Instant) -> bool {
        let claimed = |name: &String| self.attempts.join(name).join("pid").is_symlink();
        began.elapsed() > AT_LAST
            || match moment {
                Moment::StartUp(after) | Moment::Time(after) => began.elapsed() >= after,
                Moment::Spawned(nth) => self.fresh.len() >= nth,
                Moment::Claimed(nth) => self.fresh.get(nth - 1).is_some_and(claimed),
                Moment::Landed(nth) => self.landed >= nth,
            }
    }

    /// How long nothing has changed.
    fn quiet(&self) -> Duration {
        self.stirred.elapsed()
    }

    /// A wrapper that lives, of a step whose wrapper may be killed.
    fn wrapper(&self) -> Option<i32> {
        names(&self.attempts).find_map(|name| {
            let place = self.attempts.join(name);
            let holder = fs::read_link(place.join("pid")).ok()?;
            let (pid, start) = holder.to_str()?.split_once(' ')?;
            let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
            let is = |step: &String| {
                let wanted = format!("BATON_STEP={step}");
                environment
                    .split(|b| *b == 0)
                    .any(|v| v == wanted.as_bytes())
            };
            let pid: i32 = pid.parse().ok()?;
            let ours = stat(pid)?.start == start && !place.join("exit.json").exists();
            (ours && !self.wary.iter().any(is)).then_some(pid)
        })
    }
}

fn names(folder: &Path) -> impl Iterator<Item = String> + use<> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned())
}

/// The fields of `/proc/PID/stat` that matter here (proc(5)).
struct Stat {
    session: i32,
    start: String,
}

fn stat(pid: i32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    Some(Stat {
        session: fields.get(3)?.parse().ok()?,
        start: (*fields.get(19)?).to_owned(),
    })
}

/// The processes of a session, without the one that leads it.
fn of_session(leader: i32) -> Vec<i32> {
    let of = |pid: &i32| *pid != leader && stat(*pid).is_some_and(|s| s.session == leader);
    processes().filter(of).collect()
}

pub(super) fn processes() -> impl Iterator<Item = i32> {
    names(Path::new("/proc")).filter_map(|name| name.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_moment_and_victim_is_drawn() {
        let mut dice = Dice::new(1);
        let drawn: Vec<Kill> = (0..200).map(|_| Kill::draw(&mut dice)).collect();
        for victim in [
            Victim::Driver,
            Victim::Wrapper,
            Victim::DriverAndWrapper,
            Victim::All,
        ] {
            assert!(drawn.iter().any(|kill| kill.victim == victim), "{victim:?}");
        }
        let moments: BTreeSet<_> = drawn
            .iter()
            .map(|kill| std::mem::discriminant(&kill.moment))
            .map(|moment| format!("{moment:?}"))
            .collect();
        assert_eq!(moments.len(), 5);
    }

    #[test]
    fn a_process_is_seen_in_its_session() {
        let own = i32::try_from(std::process::id()).unwrap();
        let session = stat(own).unwrap().session;
        assert!(session == own || of_session(session).contains(&own));
        assert!(processes().any(|pid| pid == own));
    }
}
