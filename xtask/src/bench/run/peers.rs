//! What others need for the same work: whatever of them the package registries
//! give under their own names. One that cannot be had is named, not left out in
//! silence.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::super::Figure;
use super::{BESIDE, LONG, STEPS, count, of};
use crate::{Answer, say, shell};

/// How often a killed peer is looked at, and how long at most.
const LOOK: Duration = Duration::from_micros(200);
const TOO_LONG: Duration = Duration::from_secs(60);
/// Kills of each peer.
const KILLS: usize = 5;
/// `ansible-playbook` takes a third of a second a task.
const SLOW_STEPS: usize = 50;

/// Those that are here.
pub(super) struct Peers {
    /// Programs of the virtual environment.
    bin: PathBuf,
    steno: Option<PathBuf>,
    dbos: bool,
    slow: bool,
}

/// What was seen of them, by the key of the figure.
#[derive(Default)]
pub(super) struct Seen(BTreeMap<&'static str, Vec<f64>>);

impl Seen {
    fn add(&mut self, key: &'static str, value: f64) {
        self.0.entry(key).or_default().push(value);
    }

    pub(super) fn figures(self) -> impl Iterator<Item = Figure> {
        self.0
            .into_iter()
            .map(|(key, values)| of(key, values, None))
    }
}

impl Peers {
    /// Installs what can be installed below `target/bench-peers`.
    pub(super) fn ready(slow: bool) -> Answer<Self> {
        let home = shell::root().join("target/bench-peers");
        fs::create_dir_all(&home).map_err(|why| format!("cannot make a folder: {why}"))?;
        let python = home.join("python");
        if !python.join("bin/pip").exists() {
            let made = shell::program("python3")
                .args(["-m", "venv"])
                .arg(&python)
                .status();
            told("python3 -m venv", made.is_ok_and(|status| status.success()));
        }
        let mut peers = Self {
            bin: python.join("bin"),
            steno: None,
            dbos: false,
            slow,
        };
        let mut wanted = vec![
            ("rust-just", "just"),
            ("go-task-bin", "task"),
            ("dbos", "dbos"),
        ];
        if slow {
            wanted.push(("ansible-core", "ansible-playbook"));
        }
        for (package, program) in wanted {
            peers.install(package, program);
        }
        peers.dbos = peers.bin.join("dbos").exists();
        let folder = shell::root().join("bench/peers/steno");
        let target = home.join("steno");
        let mut build = shell::cargo("build --release --quiet --locked");
        let built = build
            .current_dir(folder)
            .env("CARGO_TARGET_DIR", &target)
            .status();
        if told("steno", built.is_ok_and(|status| status.success())) {
            peers.steno = Some(target.join("release/steno-peer"));
        }
        told("make", shell::holds("make --version"));
        Ok(peers)
    }

    fn install(&self, package: &str, program: &str) {
        if !self.bin.join(program).exists() {
            let mut pip = Command::new(self.bin.join("pip"));
            pip.args(["install", "--quiet", "--disable-pip-version-check", package]);
            // Whether it helped is seen by looking for the program.
            let _tried = pip.stdin(Stdio::null()).status();
        }
        told(package, self.bin.join(program).exists());
    }

    /// One round of everything but kills.
    pub(super) fn round(&self, folder: &Path, seen: &mut Seen) -> Answer<()> {
        fs::create_dir_all(folder)
            .and_then(|()| write_scripts(folder))
            .map_err(|why| format!("cannot write what peers run: {why}"))?;
        let shells = [
            ("peer_bash_shell_step_ms", "bash", "run.sh", STEPS),
            ("peer_make_shell_step_ms", "make", "-s all", STEPS),
            ("peer_just_shell_step_ms", "just", "seq", STEPS),
            ("peer_go_task_shell_step_ms", "task", "seq", STEPS),
            (
                "peer_ansible_shell_step_ms",
                "ansible-playbook",
                "play.yml",
                SLOW_STEPS,
            ),
        ];
        for (key, program, words, steps) in shells {
            let own = self.bin.join(program);
            let here = ["bash", "make"].contains(&program)
                && shell::holds(&format!("command -v {program}"));
            if !(here || own.exists()) || (program == "ansible-playbook" && !self.slow) {
                continue;
            }
            let program = if here { PathBuf::from(program) } else { own };
            let mut command = Command::new(program);
            command
                .args(words.split(' '))
                .current_dir(folder)
                .env("HOME", folder)
                .env("TASK_TEMP_DIR", folder.join(".task"))
                .env("ANSIBLE_LOCALHOST_WARNING", "false")
                .env("ANSIBLE_INVENTORY_UNPARSED_WARNING", "false");
            seen.add(key, timed(&mut command)? / count(steps));
        }
        if let Some(steno) = &self.steno {
            let one = |words: &str| {
                let mut command = Command::new(steno);
                command.args(words.split(' ')).current_dir(folder);
                number(&mut command)
            };
            let step = one(&format!("after {STEPS}"))? / count(STEPS);
            seen.add("peer_steno_noop_step_ms", step);
            seen.add(
                "peer_steno_parallel_100_ms",
                one(&format!("beside {BESIDE}"))?,
            );
            if folder.ends_with("peers-1") {
                // Its cost a step grows with the run: once is enough.
                seen.add("peer_steno_10k_s", one(&format!("after {LONG}"))? / 1000.0);
            }
        }
        if self.dbos {
            let one = |words: &str| number(&mut self.dbos(folder, words));
            let step = one(&format!("after {STEPS}"))? / count(STEPS);
            seen.add("peer_dbos_noop_step_ms", step);
            seen.add(
                "peer_dbos_parallel_100_ms",
                one(&format!("beside {BESIDE}"))?,
            );
        }
        Ok(())
    }

    fn dbos(&self, folder: &Path, words: &str) -> Command {
        let mut command = Command::new(self.bin.join("python"));
        command
            .arg(shell::root().join("bench/peers/dbos_peer.py"))
            .args(words.split(' '))
            .current_dir(folder);
        command
    }

    /// Kills each in the middle of 200 steps of 20 ms and starts it again.
    pub(super) fn killed(&self, folder: &Path, seen: &mut Seen) -> Answer<()> {
        for kill in 0..KILLS {
            if let Some(steno) = &self.steno {
                let gap = gap(&folder.join(format!("steno-{kill}")), |folder| {
                    let mut command = Command::new(steno);
                    command.args(["killed", "200", "20"]).current_dir(folder);
                    command
                })?;
                seen.add("peer_steno_kill_to_next_step_ms", gap);
            }
            if self.dbos {
                let gap = gap(&folder.join(format!("dbos-{kill}")), |folder| {
                    self.dbos(folder, "killed 200 20")
                })?;
                seen.add("peer_dbos_kill_to_next_step_ms", gap);
            }
        }
        Ok(())
    }
}

/// Says it where something is absent, and passes on whether it is here.
fn told(name: &str, here: bool) -> bool {
    if !here {
        say::aside(&format!(
            "absent: {name} could not be had; its figures are missing\n"
        ));
    }
    here
}

/// Milliseconds that a command takes, which must succeed.
fn timed(command: &mut Command) -> Answer<f64> {
    let begun = Instant::now();
    let output = command.stdin(Stdio::null()).output();
    let took = begun.elapsed().as_secs_f64() * 1000.0;
    let line = shell::line(command);
    let output = output.map_err(|why| format!("cannot start {line}: {why}"))?;
    if output.status.success() {
        return Ok(took);
    }
    let why = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(format!(
        "{line} ended with {}: {}",
        output.status,
        why.trim()
    ))
}

/// The milliseconds that a peer's harness says it took.
fn number(command: &mut Command) -> Answer<f64> {
    let said = shell::output(command.stdin(Stdio::null()))?;
    let last = said.lines().last().unwrap_or_default();
    let line = shell::line(command);
    last.parse()
        .map_err(|_| format!("{line} says no number: {last}"))
}

/// Milliseconds from the kill of a peer to the next line it writes.
fn gap(folder: &Path, command: impl Fn(&Path) -> Command) -> Answer<f64> {
    fs::create_dir_all(folder).map_err(|why| format!("cannot make a folder: {why}"))?;
    let lines = || {
        fs::read_to_string(folder.join("effects"))
            .unwrap_or_default()
            .lines()
            .count()
    };
    let start = || {
        let mut command = command(folder);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let child = command.spawn();
        child
            .map(super::field::Driver)
            .map_err(|why| format!("cannot start {}: {why}", shell::line(&command)))
    };
    let until = |wanted: usize| {
        let begun = Instant::now();
        while lines() < wanted {
            if begun.elapsed() > TOO_LONG {
                return Err("a peer writes no further line".to_owned());
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    };
    let first = start()?;
    until(100)?;
    let killed = Instant::now();
    drop(first);
    let seen = lines();
    let _second = start()?;
    until(seen + 1)?;
    Ok(killed.elapsed().as_secs_f64() * 1000.0)
}

/// A thousand times `/bin/true`, as each of them is told to.
fn write_scripts(folder: &Path) -> std::io::Result<()> {
    let run = "/bin/true\n".repeat(STEPS);
    fs::write(folder.join("run.sh"), format!("set -e\n{run}"))?;
    let mut make = format!("all: s{}\n", STEPS - 1);
    for n in 0..STEPS {
        let before = n
            .checked_sub(1)
            .map(|n| format!(" s{n}"))
            .unwrap_or_default();
        // Writing to a text cannot fail.
        let _written = write!(make, "s{n}:{before}\n\t@/bin/true\n");
    }
    fs::write(folder.join("Makefile"), make)?;
    let just = "    @/bin/true\n".repeat(STEPS);
    fs::write(folder.join("justfile"), format!("seq:\n{just}"))?;
    let task = "      - /bin/true\n".repeat(STEPS);
    let head = "version: '3'\nsilent: true\ntasks:\n  seq:\n    cmds:\n";
    fs::write(folder.join("Taskfile.yml"), format!("{head}{task}"))?;
    let play = "    - ansible.builtin.command: /bin/true\n".repeat(SLOW_STEPS);
    let head = "- hosts: localhost\n  connection: local\n  gather_facts: false\n  tasks:\n";
    fs::write(folder.join("play.yml"), format!("{head}{play}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_peer_is_told_the_same_work() {
        let folder = tempfile::tempdir().unwrap();
        write_scripts(folder.path()).unwrap();
        for (file, times) in [
            ("run.sh", STEPS),
            ("Makefile", STEPS),
            ("justfile", STEPS),
            ("Taskfile.yml", STEPS),
            ("play.yml", SLOW_STEPS),
        ] {
            let text = fs::read_to_string(folder.path().join(file)).unwrap();
            assert_eq!(text.matches("/bin/true").count(), times, "{file}");
        }
    }

    #[test]
    fn a_harness_that_says_no_number_is_refused() {
        assert_eq!(number(shell::program("echo").arg("1.5")).unwrap(), 1.5);
        assert!(number(shell::program("echo").arg("fast")).is_err());
        assert!(timed(&mut shell::program("false")).is_err());
        assert!(timed(&mut shell::program("true")).unwrap() > 0.0);
    }

    #[test]
    fn the_next_line_after_a_kill_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let gap = gap(&folder.path().join("peer"), |folder| {
            let mut command = shell::program("sh");
            let script = "while :; do echo line >>effects; sleep 0.001; done";
            command.args(["-c", script]).current_dir(folder);
            command
        });
        assert!(gap.unwrap() > 0.0);
    }
}
