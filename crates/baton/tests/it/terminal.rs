//! A terminal of its own for a command of a test.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::env::TestEnv;

/// How long a screen may take to show something, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(60);
/// With what a screen begins (ECMA-48: cursor home, erase to the end).
const SCREEN: &str = "\u{1b}[H\u{1b}[J";

/// A command that has a terminal of its own, and what it has shown there.
pub(crate) struct Terminal {
    child: Child,
    keys: File,
    shown: Arc<(Mutex<String>, Condvar)>,
    /// How much of it was waited for.
    seen: usize,
}

impl Terminal {
    /// Starts it as this person.
    pub(crate) fn open(env: &TestEnv, person: &str, args: &[&str]) -> Self {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&ours).unwrap();
        unlockpt(&ours).unwrap();
        let name = ptsname(&ours, Vec::new()).unwrap();
        let theirs = || {
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .open(name.to_str().unwrap());
            Stdio::from(file.unwrap())
        };
        // A session of its own whose keyboard this is, so that Ctrl-C reaches it.
        let mut command = env.command_as(person, &["setsid", "--ctty"], args);
        let _command = command.stdin(theirs()).stdout(theirs()).stderr(theirs());
        let child = command.spawn().unwrap();
        // The terminal ends when the last one who may write to it lets go.
        drop(command);
        let keys = File::from(ours);
        let shown = Arc::new((Mutex::new(String::new()), Condvar::new()));
        let (mut screen, seen) = (keys.try_clone().unwrap(), Arc::clone(&shown));
        let _reader = std::thread::spawn(move || {
            let mut buffer = [0; 8192];
            while let Ok(count @ 1..) = screen.read(&mut buffer) {
                let text = String::from_utf8_lossy(&buffer[..count]).into_owned();
                seen.0.lock().unwrap().push_str(&text);
                seen.1.notify_all();
            }
        });
        Self {
            child,
            keys,
            shown,
            seen: 0,
        }
    }

    /// Waits until the latest whole screen says all of this; gives that screen.
    #[track_caller]
    pub(crate) fn shows(&self, words: &[&str]) -> String {
        let latest = |all: &str| {
            let screens = all.split(SCREEN).skip(1);
            screens
                .filter(|screen| screen.contains("next:"))
                .last()
                .map(str::to_owned)
        };
        let says = |all: &mut String| {
            !latest(all).is_some_and(|screen| words.iter().all(|word| screen.contains(word)))
        };
        let shown = self.shown.0.lock().unwrap();
        let (shown, waited) = self
            .shown
            .1
            .wait_timeout_while(shown, PATIENCE, says)
            .unwrap();
        assert!(!waited.timed_out(), "no {words:?} in\n{shown}");
        latest(&shown).unwrap()
    }

    /// Waits until this stands somewhere after what was seen before.
    #[track_caller]
    pub(crate) fn sees(&mut self, text: &str) {
        let from = self.seen;
        let shown = self.shown.0.lock().unwrap();
        let lacks = |all: &mut String| !all[from..].contains(text);
        let waited = self.shown.1.wait_timeout_while(shown, PATIENCE, lacks);
        let (shown, waited) = waited.unwrap();
        assert!(!waited.timed_out(), "no {text:?} in\n{shown}");
        self.seen = from + shown[from..].find(text).unwrap() + text.len();
    }

    /// Types a line.
    pub(crate) fn types(&mut self, line: &str) {
        writeln!(self.keys, "{line}").unwrap();
    }

    /// Presses Ctrl-C and waits for the end: its exit status, or the signal.
    pub(crate) fn ctrl_c(mut self) -> Result<i32, i32> {
        self.keys.write_all(b"\x03").unwrap();
        let status = self.ends();
        let signal = || status.signal().unwrap_or_default();
        status.code().ok_or_else(signal)
    }

    /// Waits for its end.
    pub(crate) fn ends(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // A test that failed leaves nothing behind; one that went well has waited.
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}
