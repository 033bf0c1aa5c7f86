//! One connection. Nothing here waits without a limit, reads without a bound,
//! or stops because the other side does.

use std::io::{self, Read, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process_group};

use super::gate;
use super::{READY_WITHIN, Ssh, Unreached};

/// What the far side runs; the same in every login shell. Printing first, it
/// tells apart what was never begun from what nobody knows.
const SHELL: &str = "sh -c \"echo baton ready; exec sh\"";
/// What that prints.
const READY: &[u8] = b"baton ready";
/// How much may be printed before it, by a login shell that greets: 64 KiB.
const GREETING_MOST: usize = 64 * 1024;
/// The longest line: 4 KiB.
const LINE_MOST: usize = 4096;
/// How much of what `ssh` says is kept: its last 4 KiB.
const WORDS_MOST: usize = 4096;
/// How much of that is told, in characters.
const WORDS_TOLD: usize = 300;

/// How `ssh` is called. What would make it ask, fork, forward or run something
/// else is switched off; all else is as people configured it. A host that does
/// not answer for 15 s is one that the connection to was lost.
const OPTIONS: [&str; 6] = [
    "BatchMode=yes",
    "ConnectTimeout=10",
    "ServerAliveInterval=5",
    "ServerAliveCountMax=3",
    "RemoteCommand=none",
    "ClearAllForwardings=yes",
];

/// Why nothing more can be had from a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// It ended.
    Closed,
    /// Nothing came in time.
    Silent,
    /// What came is no answer of ours.
    Garbled,
}

/// A connection to a far shell.
pub(crate) struct Line {
    child: Child,
    input: Option<ChildStdin>,
    output: ChildStdout,
    errors: Option<ChildStderr>,
    /// Printed by the far side, and not taken yet.
    held: Vec<u8>,
    /// Printed by `ssh` itself.
    words: Vec<u8>,
}

impl Ssh {
    /// Connects, and waits until the far shell is ready. Nothing is begun there.
    pub(crate) fn open(&self, to: &str) -> Result<Line, Unreached> {
        // `--` keeps an option out of `ssh` itself; this, out of what it starts.
        if to.is_empty() || to.starts_with('-') || to.contains(|c: char| c.is_control()) {
            return Err(Unreached {
                why: format!("`{}` is no address", one_line(to)),
                busy: false,
            });
        }
        let until = Instant::now() + READY_WITHIN;
        let place = gate::enter();
        let mut line = self.call(to).map_err(|error| Unreached {
            why: format!("{}: {error}", self.program.display()),
            busy: false,
        })?;
        let ready = line.await_ready(until);
        drop(place);
        match ready {
            Ok(()) => Ok(line),
            Err(broken) => {
                let why = line.why(broken);
                let lower = why.to_ascii_lowercase();
                let busy = ["refused", "closed", "reset", "kex_exchange", "broken pipe"];
                Err(Unreached {
                    busy: busy.iter().any(|word| lower.contains(word)),
                    why,
                })
            }
        }
    }

    fn call(&self, to: &str) -> io::Result<Line> {
        let mut command = Command::new(&self.program);
        let _command = command
            .args(OPTIONS.iter().flat_map(|option| ["-o", option]))
            // No terminal: output stays as it is, and the far side gets no HUP.
            .args(["-T", "--", to, SHELL])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C is Baton's to hear; and what `ssh` starts ends with it.
            .process_group(0);
        let mut child = command.spawn()?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("it has no pipes"));
        };
        fcntl_setfl(&input, fcntl_getfl(&input)? | OFlags::NONBLOCK)?;
        Ok(Line {
            errors: child.stderr.take(),
            child,
            input: Some(input),
            output,
            held: Vec::new(),
            words: Vec::new(),
        })
    }
}

impl Line {
    fn await_ready(&mut self, until: Instant) -> Result<(), Broken> {
        let mut greeted = 0;
        while greeted < GREETING_MOST {
            let line = self.line(until)?;
            if line == READY {
                return Ok(());
            }
            greeted += line.len() + 1;
        }
        Err(Broken::Garbled)
    }

    /// Sends all of it.
    pub(crate) fn send(&mut self, bytes: &[u8], until: Instant) -> Result<(), Broken> {
        let mut left = bytes;
        while !left.is_empty() {
            let Some(input) = &mut self.input else {
                return Err(Broken::Closed);
            };
            match input.write(left) {
                Ok(0) => return Err(Broken::Closed),
                Ok(n) => left = &left[n..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let mut fds = [PollFd::new(input, PollFlags::OUT)];
                    if !await_any(&mut fds, until) {
                        return Err(Broken::Silent);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_closed) => return Err(Broken::Closed),
            }
        }
        Ok(())
    }

    /// The next line, without its end.
    pub(crate) fn line(&mut self, until: Instant) -> Result<Vec<u8>, Broken> {
        let mut looked = 0;
        loop {
            if let Some(at) = self.held[looked..].iter().position(|byte| *byte == b'\n') {
                let mut line: Vec<u8> = self.held.drain(..=looked + at).collect();
                let _end = line.pop();
                return Ok(line);
            }
            looked = self.held.len();
            if looked > LINE_MOST {
                return Err(Broken::Garbled);
            }
            self.fill(until)?;
        }
    }

    /// Exactly so many bytes; whoever asks has bounded them.
    pub(crate) fn exactly(&mut self, count: usize, until: Instant) -> Result<Vec<u8>, Broken> {
        while self.held.len() < count {
            self.fill(until)?;
        }
        Ok(self.held.drain(..count).collect())
    }

    /// What came since, at most a pipe's worth at a time.
    pub(crate) fn some(&mut self, until: Instant) -> Result<Vec<u8>, Broken> {
        if self.held.is_empty() {
            self.fill(until)?;
        }
        Ok(std::mem::take(&mut self.held))
    }

    /// Reads what there is, from both of its outputs; at least something of the first.
    fn fill(&mut self, until: Instant) -> Result<(), Broken> {
        let mut buffer = [0; 64 * 1024];
        loop {
            let mut fds = vec![PollFd::new(&self.output, PollFlags::IN)];
            fds.extend(
                self.errors
                    .iter()
                    .map(|errors| PollFd::new(errors, PollFlags::IN)),
            );
            if !await_any(&mut fds, until) {
                return Err(Broken::Silent);
            }
            let said = !fds[0].revents().is_empty();
            let complained = fds.get(1).is_some_and(|fd| !fd.revents().is_empty());
            if complained {
                self.listen();
            }
            if said {
                return match self.output.read(&mut buffer) {
                    Ok(n @ 1..) => {
                        self.held.extend_from_slice(&buffer[..n]);
                        Ok(())
                    }
                    Ok(0) | Err(_) => Err(Broken::Closed),
                };
            }
        }
    }

    /// Takes what `ssh` itself says; its last words are those that matter.
    fn listen(&mut self) {
        let mut buffer = [0; WORDS_MOST];
        let read = self.errors.as_mut().map(|errors| errors.read(&mut buffer));
        match read {
            Some(Ok(n @ 1..)) => {
                self.words.extend_from_slice(&buffer[..n]);
                let over = self.words.len().saturating_sub(WORDS_MOST);
                drop(self.words.drain(..over));
            }
            _ => self.errors = None,
        }
    }

    /// In one line, why nothing more can be had.
    pub(crate) fn why(&mut self, broken: Broken) -> String {
        match broken {
            Broken::Silent => return "it does not answer".to_owned(),
            Broken::Garbled => return "it does not answer as a shell does".to_owned(),
            Broken::Closed => {}
        }
        // What `ssh` said before it ended is in the pipe by now; a process that
        // it left to share the connection may hold the pipe open.
        let now = Instant::now();
        while let Some(errors) = &self.errors {
            let mut fds = [PollFd::new(errors, PollFlags::IN)];
            if !await_any(&mut fds, now) {
                break;
            }
            self.listen();
        }
        let words = String::from_utf8_lossy(&self.words);
        let last = words
            .lines()
            .map(str::trim)
            .rfind(|line| !line.is_empty())
            .unwrap_or("the connection ended without a word");
        one_line(last)
    }

    /// The way in, for who wants to say a last word later.
    pub(crate) fn take_input(&mut self) -> Option<ChildStdin> {
        self.input.take()
    }

    /// Waits for the end that closing the way in brings.
    pub(crate) fn outlast(mut self) {
        drop(self.input.take());
        // What is printed meanwhile is nobody's, and may not block it.
        while self
            .fill(Instant::now() + Duration::from_secs(3600))
            .is_ok()
        {
            self.held.clear();
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        // It may have ended, or be about to; a jump host's process goes with it.
        // It is not reaped yet, so the number is its own.
        let _gone = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let _reaped = self.child.wait();
    }
}

/// A text of somebody else as one short line without control characters.
pub(crate) fn one_line(text: &str) -> String {
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    text.trim().chars().take(WORDS_TOLD).map(clean).collect()
}

/// Waits until one of them is ready; `false` when the moment came first.
fn await_any(fds: &mut [PollFd<'_>], until: Instant) -> bool {
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let timeout = Timespec {
            tv_sec: left.as_secs().cast_signed(),
            tv_nsec: left.subsec_nanos().into(),
        };
        match poll(fds, Some(&timeout)) {
            Ok(0) => return false,
            // Whatever is wrong with one of them, reading it will tell.
            Ok(_) => return true,
            Err(Errno::INTR) => {}
            Err(_) => return false,
        }
    }
}
