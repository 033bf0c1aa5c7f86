//! Processes of this machine as anybody sees them: who lives, who belongs to
//! whom, and waiting for an end.
//!
//! It promises that a number that is used again is not mistaken for the process
//! that had it. It deliberately starts nothing.

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, kill_process_group, pidfd_open, waitid,
};

/// How often a process is looked at that Linux cannot be asked to announce.
const LOOK: Duration = Duration::from_millis(20);
/// Clock ticks a second in `/proc` (proc(5)): Linux fixes what it shows at this.
const TICKS: u64 = 100;

/// A process by its number and the moment it started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    pid: Pid,
    /// Clock ticks from boot.
    start: u64,
}

/// A process by its number and the moment it started, so that a number that is
/// used again is not mistaken for it.
pub fn identity(pid: u32) -> String {
    let start = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let start = start.and_then(stat).map_or(0, |stat| stat.start);
    format!("{pid} {start}")
}

/// Whether the process of an [`identity`] still lives.
pub fn lives(identity: &str) -> bool {
    Process::parse(identity).is_some_and(Process::lives)
}

impl Process {
    /// Reads an [`identity`].
    pub(crate) fn parse(identity: &str) -> Option<Self> {
        let mut words = identity.split_whitespace();
        Some(Self {
            pid: Pid::from_raw(words.next()?.parse().ok()?)?,
            start: words.next()?.parse().ok()?,
        })
    }

    /// Whether it still lives.
    pub(crate) fn lives(self) -> bool {
        stat(self.pid).is_some_and(|stat| stat.start == self.start && !stat.ended)
    }

    /// How long ago it started, to a hundredth of a second.
    pub(crate) fn age(self) -> Duration {
        let uptime = fs::read_to_string("/proc/uptime").unwrap_or_default();
        let seconds = uptime.split_whitespace().next();
        let up = seconds.and_then(|seconds| seconds.parse().ok());
        let up = Duration::try_from_secs_f64(up.unwrap_or_default()).unwrap_or_default();
        up.saturating_sub(Duration::from_millis(self.start * 1000 / TICKS))
    }

    /// Waits for its end, but not longer; whether it has ended.
    pub(crate) fn ends_within(self, most: Duration) -> bool {
        let deadline = Instant::now() + most;
        // Opened before it is known to be the one: the number may be used again.
        let end = pidfd_open(self.pid, PidfdFlags::empty()).ok();
        while self.lives() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            match &end {
                // An error of poll is no end, and lives() is asked again.
                Some(end) => drop(readable(end, left)),
                None => thread::sleep(left.min(LOOK)),
            }
        }
        true
    }

    /// Sends a signal to the group it leads. It must live, or be a child that
    /// was not waited for: its number is then nobody else's.
    pub(crate) fn signal_group(self, signal: Signal) {
        // The group may have ended in this very moment.
        let _sent = kill_process_group(self.pid, signal);
    }

    /// Of the session that a process led which is gone, the one that it started
    /// itself: it leads a group of its own, or is about to.
    pub(crate) fn left_by(leader: Self) -> Option<Self> {
        // A number is not given anew while a session has it.
        if stat(leader.pid).is_some_and(|stat| stat.start != leader.start) {
            return None;
        }
        let all = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        pids.filter_map(Pid::from_raw).find_map(|pid| {
            let stat = stat(pid)?;
            let raw = leader.pid.as_raw_nonzero().get();
            let own = pid.as_raw_nonzero().get();
            let started = stat.session == raw && (stat.group == own || stat.group == raw);
            (pid != leader.pid && started && !stat.ended).then_some(Self {
                pid,
                start: stat.start,
            })
        })
    }
}

/// What `/proc/PID/stat` says (proc(5)), as far as it matters here.
struct Stat {
    ended: bool,
    group: i32,
    session: i32,
    start: u64,
}

fn stat(pid: Pid) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    // Counted after the name, which may hold anything.
    let mut fields = text.rsplit_once(')')?.1.split_whitespace();
    Some(Stat {
        ended: matches!(fields.next()?, "Z" | "X"),
        group: fields.nth(1)?.parse().ok()?,
        session: fields.next()?.parse().ok()?,
        start: fields.nth(15)?.parse().ok()?,
    })
}

/// Whether there is something to read, or nothing more will come, before so long.
///
/// # Errors
/// Those of poll(2).
pub(crate) fn readable(source: &impl AsFd, most: Duration) -> io::Result<bool> {
    let mut sources = [PollFd::new(source, PollFlags::IN)];
    let timeout = timespec(most);
    match poll(&mut sources, Some(&timeout)) {
        Ok(ready) => Ok(ready > 0),
        Err(rustix::io::Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// A time span as the kernel takes it.
pub(crate) fn timespec(span: Duration) -> Timespec {
    Timespec {
        tv_sec: span.as_secs().cast_signed(),
        tv_nsec: span.subsec_nanos().into(),
    }
}

/// Something that becomes readable once this child has ended; it is not yet
/// waited for then.
///
/// # Errors
/// When the process has no place for another descriptor.
pub(crate) fn end_of(child: Pid) -> io::Result<OwnedFd> {
    match pidfd_open(child, PidfdFlags::empty()) {
        Ok(end) => Ok(end),
        // Linux before 5.3, or one that forbids it.
        Err(rustix::io::Errno::NOSYS | rustix::io::Errno::PERM) => end_by_thread(child),
        Err(error) => Err(error.into()),
    }
}

fn end_by_thread(child: Pid) -> io::Result<OwnedFd> {
    let (ended, ends) = io::pipe()?;
    let _thread = thread::spawn(move || {
        // Whatever this answers, there is nothing more to wait for.
        let _ended = waitid(
            WaitId::Pid(child),
            WaitIdOptions::EXITED | WaitIdOptions::NOWAIT,
        );
        drop(ends);
    });
    Ok(ended.into())
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt as _;
    use std::process::{Child, Command, Stdio};

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn child(script: &str) -> Child {
        Command::new("sh")
            .args(["-c", script])
            .stdin(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap()
    }

    fn of(child: &Child) -> Process {
        Process::parse(&identity(child.id())).unwrap()
    }

    #[test]
    fn a_process_lives_until_it_ends_and_its_number_alone_is_not_it() {
        let mut waits = child("read line");
        let process = of(&waits);
        assert!(process.lives() && lives(&identity(waits.id())));
        assert!(!process.ends_within(Duration::from_millis(1)));
        assert!(process.age() < LONG);
        let later = Process {
            start: process.start + 1,
            ..process
        };
        assert!(!later.lives() && later.ends_within(LONG));
        drop(waits.stdin.take());
        // It is not waited for yet: a process that has ended does not live.
        assert!(process.ends_within(LONG) && !process.lives());
        let _status = waits.wait().unwrap();
        assert!(!process.lives());
        assert!(!lives("") && !lives("void") && !lives("1"));
    }

    #[test]
    fn the_end_of_a_child_is_announced_with_or_without_a_pidfd() {
        for announce in [end_of, end_by_thread] {
            let mut child = child("read line");
            let end = announce(Pid::from_child(&child)).unwrap();
            assert!(!readable(&end, Duration::from_millis(1)).unwrap());
            drop(child.stdin.take());
            assert!(readable(&end, LONG).unwrap());
            assert!(!child.wait().unwrap().success());
        }
    }

    #[test]
    fn a_group_is_ended_as_a_whole() {
        let mut group = child("sleep 600 & wait");
        let process = of(&group);
        process.signal_group(Signal::KILL);
        assert!(process.ends_within(LONG));
        let _status = group.wait().unwrap();
    }
}
