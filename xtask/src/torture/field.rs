//! The field: a handoff of thirty steps on four hosts, drawn by lot, whose
//! every effect is one line in one file.
//!
//! `did STEP HOST` is appended by a step's `run`, `undid STEP HOST` by its
//! `undo`, each by a single write, so a line is there or not.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::dice::Dice;
use crate::{Answer, shell};

/// How many steps.
pub(super) const STEPS: usize = 30;
const HOSTS: [&str; 4] = ["h1", "h2", "h3", "h4"];
/// Where the step stands that gives an output, and the one that takes it.
const GIVES: usize = 3;
const TAKES: usize = 5;
const APPROVED: usize = 10;
const BY_PERSON: usize = 15;
/// Where a run that must go back breaks.
pub(super) const FLOP: usize = 27;

/// What a step is to someone who finds it half done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nature {
    /// Not safe to repeat, and nobody but its owner can tell.
    Once,
    /// Not safe to repeat, and its `verify` can tell.
    Proved,
    /// Safe to repeat.
    Repeatable,
    /// As `Once`, after somebody approved.
    Approved,
    /// Somebody ticks a list; nothing is to be undone.
    ByPerson,
    /// As `Proved`, and gives a variable.
    Gives,
    /// As `Once`, and takes effect only with that variable.
    Takes,
    /// Takes effect, and its `verify` says no.
    Flops,
}

impl Nature {
    pub(super) fn verified(self) -> bool {
        matches!(self, Self::Proved | Self::Gives | Self::Flops)
    }
}

/// One step, drawn.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) nature: Nature,
    /// The hosts, in the stages in which they come; none is the contract's folder.
    pub(super) stages: Vec<Vec<&'static str>>,
    on: &'static str,
    /// The steps before, by number.
    pub(super) after: Vec<usize>,
    /// Beside the step before, which nobody can do who does that one.
    beside: bool,
    /// Thousandths of a second before and after the effect.
    pauses: [u64; 2],
}

impl Step {
    pub(super) fn id(at: usize) -> String {
        format!("s{at:02}")
    }

    /// The hosts as they stand in the effects; `here` is the contract's folder.
    pub(super) fn hosts(&self) -> impl Iterator<Item = &'static str> {
        let stages = self.stages.iter().flatten().copied();
        stages.chain(self.stages.is_empty().then_some("here"))
    }
}

/// The handoff in its folder.
pub(super) struct Field {
    pub(super) folder: PathBuf,
    pub(super) steps: Vec<Step>,
    baton: PathBuf,
}

impl Field {
    /// Draws the steps, writes the handoff and makes its gate ready.
    pub(super) fn make(
        baton: &Path,
        folder: &Path,
        goes_back: bool,
        dice: &mut Dice,
    ) -> Answer<Self> {
        let field = Self {
            folder: folder.to_owned(),
            steps: draw(goes_back, dice),
            baton: baton.to_owned(),
        };
        field
            .write()
            .map_err(|why| format!("cannot write the handoff: {why}"))?;
        for who in ["dana", "lee", "omar", "pia"] {
            field.say(&["accept", "--mine", "--as", who])?;
        }
        for words in [
            &["check", "--now", "--as", "dana"][..],
            &["check", "--as", "dana"],
            &["offer", "--as", "dana"],
            &["accept", "--as", "pia"],
        ] {
            // Until the last word the gate is not ready, and says so.
            let _not_yet = field.command(words).output();
        }
        field.say(&["check", "--now", "--as", "dana"])?;
        Ok(field)
    }

    /// Baton with these words, in the folder, with nothing to read from.
    pub(super) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.baton);
        command
            .args(words)
            .current_dir(&self.folder)
            .env("BATON_HOME", self.folder.join("home"))
            .stdin(Stdio::null());
        command
    }

    /// The same to its end, which must be good; gives what it said.
    pub(super) fn say(&self, words: &[&str]) -> Answer<String> {
        let mut command = self.command(words);
        let line = shell::line(&command);
        let output = command
            .output()
            .map_err(|why| format!("cannot start {line}: {why}"))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let why = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(format!(
            "{line} ended with {}: {}",
            output.status,
            why.trim()
        ))
    }

    pub(super) fn effects(&self) -> PathBuf {
        self.folder.join("effects")
    }

    /// How often this line stands among the effects.
    pub(super) fn count(&self, word: &str, step: &str, host: &str) -> usize {
        let line = format!("{word} {step} {host}");
        let text = fs::read_to_string(self.effects()).unwrap_or_default();
        text.lines().filter(|known| *known == line).count()
    }

    fn write(&self) -> std::io::Result<()> {
        for host in HOSTS {
            fs::create_dir_all(self.folder.join("env").join(host))?;
        }
        fs::create_dir_all(self.folder.join("dist"))?;
        fs::write(self.folder.join("dist/app"), "the release\n")?;
        fs::write(self.effects(), "")?;
        fs::write(self.folder.join("handoff.yaml"), CONTRACT)?;
        let mut text = "# Torture\n\n## All of it\n".to_owned();
        for (at, step) in self.steps.iter().enumerate() {
            text.push_str(&written(at, step));
        }
        fs::write(self.folder.join("runbook.md"), text)
    }
}

fn draw(goes_back: bool, dice: &mut Dice) -> Vec<Step> {
    use Nature::{Once, Proved, Repeatable};
    let mut steps: Vec<Step> = Vec::with_capacity(STEPS);
    let mut beside = false;
    for at in 0..STEPS {
        let nature = match at {
            GIVES => Nature::Gives,
            TAKES => Nature::Takes,
            APPROVED => Nature::Approved,
            BY_PERSON => Nature::ByPerson,
            FLOP if goes_back => Nature::Flops,
            _ => dice.one_of(&[Once, Proved, Proved, Repeatable]),
        };
        let (on, stages) = match nature {
            Nature::Gives | Nature::Flops => ("h3", vec![vec!["h3"]]),
            Nature::ByPerson => ("", vec![]),
            _ => places(dice),
        };
        // Now and then a step goes beside the one before, and the next after both.
        let joins = std::mem::take(&mut beside);
        let after = match at {
            0 => vec![],
            _ if joins => vec![at - 2, at - 1],
            _ if at > TAKES + 1 && at < FLOP && dice.below(4) == 0 => {
                beside = true;
                steps[at - 1].after.clone()
            }
            _ => vec![at - 1],
        };
        let pauses = [0, 1].map(|_| dice.one_of(&[0, 0, 5, 10, 30, 60]));
        steps.push(Step {
            nature,
            stages,
            on,
            after,
            beside,
            pauses,
        });
    }
    steps
}

/// Where a step runs, as written and as stages.
fn places(dice: &mut Dice) -> (&'static str, Vec<Vec<&'static str>>) {
    let all = HOSTS.to_vec();
    match dice.below(6) {
        0 => ("", vec![]),
        1 => ("h2", vec![vec!["h2"]]),
        2 => (
            "all, 1 at a time",
            all.iter().map(|host| vec![*host]).collect(),
        ),
        3 => (
            "all, 1, then 50%, then all",
            vec![all[..1].to_vec(), all[1..2].to_vec(), all[2..].to_vec()],
        ),
        _ => ("all, all at once", vec![all]),
    }
}

const CONTRACT: &str = r#"name: torture
from: development
to: operations
touches: [effects]
people:
  dana: { name: Dana Ito, email: dana@torture.example }
  lee: { name: Lee Novak, email: lee@torture.example }
  omar: { name: Omar Diaz, email: omar@torture.example }
  pia: { name: Pia Lund, email: pia@torture.example }
teams:
  development: [dana, lee]
  operations: [omar, pia]
roles:
  launch-lead: { owner: omar, backup: pia }
  rollback-decider: { owner: omar, backup: pia }
release: { version: 1.0.0, kind: code, artifacts: [dist/app] }
environments:
  field:
    hosts:
      h1: { dir: env/h1, vars: { EFFECTS: ../../effects } }
      h2: { dir: env/h2, vars: { EFFECTS: ../../effects } }
      h3: { dir: env/h3, vars: { EFFECTS: ../../effects } }
      h4: { dir: env/h4, vars: { EFFECTS: ../../effects } }
    groups: { all: [h1, h2, h3, h4] }
    vars: { EFFECTS: effects }
launch: { environment: field }
expectations: { declined: Nobody is surprised, by: pia }
done:
  - { id: built, says: It is built, owner: dana, run: test -s dist/app, fresh: 24h }
parity: { declined: There is one place only, by: pia }
success: { declined: Nothing is measured, by: pia }
rehearsal: { declined: It is killed and not rehearsed, by: pia }
room: { declined: Nobody sits here, by: pia }
review: { declined: The harness looks, by: pia }
runbook: runbook.md
"#;

fn written(at: usize, step: &Step) -> String {
    let id = Step::id(at);
    let owner = if step.beside { "lee" } else { "omar" };
    let mut text =
        format!("\n### Step {at:02} {{#{id}}}\n\n- owner: {owner} (backup: pia)\n- timeout: 1m\n");
    if at > 0 {
        let after: Vec<String> = step.after.iter().map(|at| Step::id(*at)).collect();
        let after = if after.is_empty() {
            "nothing".to_owned()
        } else {
            after.join(", ")
        };
        text.push_str(&format!("- after: {after}\n"));
    }
    if !step.on.is_empty() {
        text.push_str(&format!("- on: {}\n", step.on));
    }
    match step.nature {
        Nature::ByPerson => {
            text.push_str("- changes: nothing\n\n- [ ] Somebody looked\n");
            return text;
        }
        Nature::Repeatable => text.push_str("- safe to repeat: yes\n"),
        Nature::Approved => text.push_str("- approve: 1 of operations\n"),
        _ => {}
    }
    let line = |word: &str| format!("'{word} %s %s\\n' \"$BATON_STEP\" \"${{BATON_HOST:-here}}\"");
    let append = |word: &str| format!("printf {} >>\"$EFFECTS\"\n", line(word));
    let count = |word: &str| {
        format!(
            "$(grep -cxF \"$(printf {})\" \"$EFFECTS\" || :)",
            line(word)
        )
    };
    let in_effect = format!("test {} -gt {}", count("did"), count("undid"));
    let (mut run, mut undo) = (append("did"), append("undid"));
    match step.nature {
        Nature::Repeatable => {
            run = format!("{in_effect} || {run}");
            undo = format!("! {in_effect} || {undo}");
        }
        Nature::Gives => run.push_str("echo TOKEN=given >>\"$BATON_OUTPUT\"\n"),
        Nature::Takes => run = format!("test \"$TOKEN\" = given\n{run}"),
        _ => {}
    }
    let [before, after] = step.pauses.map(|pause| match pause {
        0 => String::new(),
        pause => format!("sleep 0.{pause:03}\n"),
    });
    text.push_str(&format!("\n```sh run\n{before}{run}{after}```\n"));
    text.push_str(&format!("\n```sh undo\n{before}{undo}{after}```\n"));
    if step.nature.verified() {
        let verify = if step.nature == Nature::Flops {
            "exit 1\n".to_owned()
        } else {
            format!("{in_effect}\n")
        };
        text.push_str(&format!("\n```sh verify\n{verify}```\n"));
    }
    text
}
