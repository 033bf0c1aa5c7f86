//! The handoffs that are timed: steps of one command, one after the other or
//! beside each other.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::{Answer, shell};

/// Longer than any of these runs takes.
const TOO_LONG: Duration = Duration::from_secs(180);

/// A run in which nothing has moved for so long waits for somebody.
const QUIET: Duration = Duration::from_millis(200);

/// How steps follow each other.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shape {
    After(usize),
    Beside(usize),
}

impl Shape {
    pub(super) fn steps(self) -> usize {
        match self {
            Self::After(steps) | Self::Beside(steps) => steps,
        }
    }
}

/// Writes contract and runbook; every step runs `body`.
pub(super) fn handoff(folder: &Path, shape: Shape, body: &str) -> Answer<()> {
    let mut text = "# Bench\n\n## All of it\n".to_owned();
    for n in 0..shape.steps() {
        text.push_str(&format!(
            "\n### Step {n:05} {{#s{n:05}}}\n\n- owner: {} (backup: pia)\n- changes: nothing\n",
            // Beside each other: nobody can do all of them, so everybody does.
            if n % 2 == 0 { "omar" } else { "lee" }
        ));
        if matches!(shape, Shape::Beside(_)) && n > 0 {
            text.push_str("- after: nothing\n");
        }
        text.push_str(&format!("\n```sh run\n{body}\n```\n"));
    }
    fs::create_dir_all(folder.join("dist"))
        .and_then(|()| fs::write(folder.join("dist/app"), "the release\n"))
        .and_then(|()| fs::write(folder.join("effects"), ""))
        .and_then(|()| fs::write(folder.join("handoff.yaml"), CONTRACT))
        .and_then(|()| fs::write(folder.join("runbook.md"), text))
        .map_err(|why| format!("cannot write a handoff: {why}"))
}

/// A handoff whose gate is ready.
pub(super) struct Field {
    pub(super) folder: PathBuf,
    steps: usize,
    baton: PathBuf,
}

impl Field {
    /// Writes it, fills the ledger with so many events, and gives everybody's word.
    pub(super) fn ready(
        baton: &Path,
        folder: &Path,
        shape: Shape,
        body: &str,
        events: usize,
    ) -> Answer<Self> {
        handoff(folder, shape, body)?;
        let field = Self {
            folder: folder.to_owned(),
            steps: shape.steps(),
            baton: baton.to_owned(),
        };
        if events > 0 {
            field.say(&["bench-ledger", "--events", &events.to_string()])?;
        }
        for who in ["dana", "lee", "omar", "pia"] {
            field.say(&["accept", "--mine", "--as", who])?;
        }
        // Until the last word the gate is not ready, and says so.
        let _not_yet = field.command(&["check", "--as", "dana"]).output();
        field.say(&["offer", "--as", "dana"])?;
        field.say(&["accept", "--as", "pia"])?;
        field.say(&["check", "--now", "--as", "dana"])?;
        Ok(field)
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.baton);
        command
            .args(words)
            .current_dir(&self.folder)
            .env("BATON_HOME", self.folder.join("home"))
            .stdin(Stdio::null());
        command
    }

    /// Baton with these words, to a good end.
    pub(super) fn say(&self, words: &[&str]) -> Answer<()> {
        let mut command = self.command(words);
        let line = shell::line(&command);
        let output = command.output();
        let output = output.map_err(|why| format!("cannot start {line}: {why}"))?;
        if output.status.success() {
            return Ok(());
        }
        let why = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(format!(
            "{line} ended with {}: {}",
            output.status,
            why.trim()
        ))
    }

    pub(super) fn launch(&self) -> Answer<Driver> {
        self.drive(&["launch", "--no-wait", "--as", "pia"])
    }

    pub(super) fn resume(&self) -> Answer<Driver> {
        self.drive(&["resume", "--as", "pia"])
    }

    fn drive(&self, words: &[&str]) -> Answer<Driver> {
        let mut command = self.command(words);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn();
        child
            .map(Driver)
            .map_err(|why| format!("cannot start {}: {why}", shell::line(&command)))
    }

    /// What the steps wrote.
    pub(super) fn effects(&self) -> Vec<String> {
        let text = fs::read_to_string(self.folder.join("effects")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Waits until the ledger has not changed for a while, without taking part.
    fn until_quiet(&self) {
        let log = self.folder.join(".baton/ledger.db-wal");
        let changed = || fs::metadata(&log).and_then(|about| about.modified()).ok();
        loop {
            let before = changed();
            std::thread::sleep(QUIET);
            if changed() == before {
                return;
            }
        }
    }

    /// Waits until every step is done, takes over, and sees the driver end well.
    pub(super) fn until_over(&self, driver: &mut Driver) -> Answer<()> {
        let begun = Instant::now();
        loop {
            self.until_quiet();
            // Refused until everything is done.
            let done = self.command(&["accept", "--live", "--as", "pia"]).output();
            if done.is_ok_and(|done| done.status.success()) {
                break;
            }
            if begun.elapsed() > TOO_LONG {
                return Err(format!("{} steps make no end", self.steps));
            }
        }
        let status = driver
            .0
            .wait()
            .map_err(|why| format!("cannot wait: {why}"))?;
        if status.success() {
            return Ok(());
        }
        Err(format!("the launch ended with {status}"))
    }
}

/// A driver that does not outlive a measurement that fails.
pub(super) struct Driver(pub(super) Child);

impl Drop for Driver {
    fn drop(&mut self) {
        // One that has ended needs neither.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

const CONTRACT: &str = r#"name: bench
from: development
to: operations
touches: [bench]
people:
  dana: { name: Dana Ito, email: dana@bench.example }
  lee: { name: Lee Novak, email: lee@bench.example }
  omar: { name: Omar Diaz, email: omar@bench.example }
  pia: { name: Pia Lund, email: pia@bench.example }
teams:
  development: [dana, lee]
  operations: [omar, pia]
roles:
  launch-lead: { owner: omar, backup: pia }
  rollback-decider: { owner: omar, backup: pia }
release: { version: 1.0.0, kind: code, artifacts: [dist/app] }
environments:
  field:
    hosts: { h1: { dir: . } }
    groups: { all: [h1] }
launch: { environment: field }
expectations: { declined: Nobody is surprised, by: pia }
done:
  - { id: built, says: It is built, owner: dana, run: test -s dist/app, fresh: 24h }
parity: { declined: There is one place only, by: pia }
success: { declined: Nothing is measured, by: pia }
rehearsal: { declined: It is timed and not rehearsed, by: pia }
room: { declined: Nobody sits here, by: pia }
review: { declined: The harness looks, by: pia }
runbook: runbook.md
"#;
