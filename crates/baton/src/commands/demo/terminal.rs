//! Terminals of the demo: people who sit in the room, and a launch that is
//! watched while others act.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::render::Out;
use baton_engine::failure::Failure;

/// A person at a terminal of their own: `baton join` in a pseudo-terminal.
pub(super) struct Sitting {
    child: Child,
    terminal: std::fs::File,
}

impl Sitting {
    /// Sits down.
    pub(super) fn down(mut command: Command) -> Result<Self, Failure> {
        let failed = |error: &dyn std::error::Error| {
            Failure::part("cannot open a terminal for somebody in the room").because(error)
        };
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let terminal: OwnedFd = openpt(flags).map_err(|error| failed(&error))?;
        grantpt(&terminal).map_err(|error| failed(&error))?;
        unlockpt(&terminal).map_err(|error| failed(&error))?;
        let name = ptsname(&terminal, Vec::new()).map_err(|error| failed(&error))?;
        let path = name.to_string_lossy().into_owned();
        let open = || {
            std::fs::OpenOptions::new()
                .read(true)
                .write(true)
                .open(&path)
        };
        let _command = command
            .stdin(Stdio::from(open().map_err(|error| failed(&error))?))
            .stdout(Stdio::from(open().map_err(|error| failed(&error))?))
            .stderr(Stdio::null());
        let child = command.spawn().map_err(|error| failed(&error))?;
        let terminal = std::fs::File::from(terminal);
        let mut screen = terminal.try_clone().map_err(|error| failed(&error))?;
        // Somebody has to look at the screen, or it fills up and `join` waits.
        let _looks = std::thread::spawn(move || {
            let mut seen = [0; 4096];
            while screen.read(&mut seen).is_ok_and(|n| n > 0) {}
        });
        Ok(Self { child, terminal })
    }

    /// Types `leave` and waits until the seat is free.
    pub(super) fn up(self) {
        drop(self);
    }
}

impl Drop for Sitting {
    fn drop(&mut self) {
        // Whoever cannot type any more has hung up, which is leaving too.
        let _typed = self.terminal.write_all(b"leave\n");
        let _gone = self.child.wait();
    }
}

/// A command that goes on while others act; its lines are shown as they come.
pub(super) struct Live {
    child: Child,
    lines: Arc<(Mutex<Vec<String>>, Condvar)>,
    reader: Option<JoinHandle<()>>,
}

impl Live {
    /// Starts it.
    pub(super) fn start(mut command: Command, out: &Out) -> Result<Self, Failure> {
        let _command = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit());
        let mut child = command
            .spawn()
            .map_err(|error| Failure::part("cannot start the launch").because(&error))?;
        let lines: Arc<(Mutex<Vec<String>>, Condvar)> = Arc::default();
        let stdout = child.stdout.take();
        let (heard, out) = (lines.clone(), out.clone());
        let reader = std::thread::spawn(move || {
            for line in stdout
                .into_iter()
                .flat_map(|stdout| BufReader::new(stdout).lines())
            {
                let Ok(line) = line else { break };
                out.raw(&format!("    {line}"));
                let mut lines = heard.0.lock().unwrap_or_else(PoisonError::into_inner);
                lines.push(line);
                heard.1.notify_all();
            }
        });
        Ok(Self {
            child,
            lines,
            reader: Some(reader),
        })
    }

    /// Waits until some line holds this text; `false` when it does not come in time.
    pub(super) fn saw(&self, text: &str, within: Duration) -> bool {
        let deadline = Instant::now() + within;
        let mut lines = self.lines.0.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if lines.iter().any(|line| line.contains(text)) {
                return true;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let waited = self.lines.1.wait_timeout(lines, left);
            lines = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits for its end; its exit status, and everything it said.
    pub(super) fn end(mut self, within: Duration) -> (Option<i32>, String) {
        let deadline = Instant::now() + within;
        let status = loop {
            match self.child.try_wait() {
                Ok(Some(status)) => break status.code(),
                Ok(None) if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(20))
                }
                Ok(None) | Err(_) => {
                    let _killed = self.child.kill();
                    let _reaped = self.child.wait();
                    break None;
                }
            }
        };
        if let Some(reader) = self.reader.take() {
            let _read = reader.join();
        }
        let lines = self
            .lines
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .join("\n");
        (status, lines)
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        // An act that broke off leaves nothing behind.
        let _killed = self.child.kill();
        let _reaped = self.child.wait();
    }
}
