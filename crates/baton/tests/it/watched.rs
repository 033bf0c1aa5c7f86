//! `status --watch` before a real terminal: the screen follows what happens.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::env::TestEnv;
use crate::lint::handoff;

/// How long a screen may take to show something, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(60);
/// With what a screen begins (ECMA-48: cursor home, erase to the end).
const SCREEN: &str = "\u{1b}[H\u{1b}[J";

/// A command that has a terminal of its own, and what it has shown there.
struct Terminal {
    child: Child,
    keys: File,
    shown: Arc<(Mutex<String>, Condvar)>,
}

impl Terminal {
    fn open(env: &TestEnv, args: &[&str]) -> Self {
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
        let mut command = env.command_as("omar", &["setsid", "--ctty"], args);
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
        Self { child, keys, shown }
    }

    /// Waits until the latest whole screen says all of this; gives that screen.
    #[track_caller]
    fn shows(&self, words: &[&str]) -> String {
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
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // A test that failed leaves nothing behind; one that went well has waited.
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn by_hand() -> TestEnv {
    let env = handoff();
    env.write(
        "runbook.md",
        "# Launch shop\n\n### Tell the customer {#tell}\n\n- owner: lee (backup: dana)\n- changes: nothing\n\n- [ ] Told\n",
    );
    let contract = env.read("handoff.yaml");
    env.write(
        "handoff.yaml",
        &contract.replace(
            "parity: { compare: [staging], facts: [os] }",
            "parity: { declined: One host, by: dana }",
        ),
    );
    env
}

#[test]
fn the_screen_follows_a_run_and_ends_with_it() {
    let env = by_hand();
    let mut watch = Terminal::open(&env, &["status", "--watch"]);
    let before = watch.shows(&["not ready"]);
    assert!(!before.contains("rehearsal run_"), "{before}");
    let mut command = env.command_as("omar", &[], &["rehearse"]);
    let mut rehearsal = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    for leg in ["going forward;", "going forward again;"] {
        let _screen = watch.shows(&[leg, "lee or dana does tell"]);
        let _done = env.says("lee", &["done", "tell"]).exits(0);
    }
    assert!(rehearsal.wait().unwrap().success());
    let after = watch.shows(&["succeeded"]);
    assert!(after.contains("✓ rehearsal"), "{after}");
    assert!(watch.child.wait().unwrap().success());
}

#[test]
fn ctrl_c_ends_the_watch() {
    let env = by_hand();
    let mut watch = Terminal::open(&env, &["status", "--watch"]);
    let _screen = watch.shows(&["not ready"]);
    watch.keys.write_all(b"\x03").unwrap();
    // SIGINT, as any program that does not hear it.
    assert_eq!(watch.child.wait().unwrap().signal(), Some(2));
}
