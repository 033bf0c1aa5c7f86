//! The desk: what a command works on. Files are read, the plan is resolved, the
//! ledger is open, and the gate's facts are folded from a snapshot that is bound
//! to the ledger's head.

pub mod agree;
pub mod blind;
pub mod learn;
pub mod parity;
pub mod talk;

mod files;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::rc::Rc;

use crate::drive::fold;
use crate::real::{RealWorld, random};
use crate::shell::Shell;
use crate::shell::ssh::Ssh;
use crate::{calendar, release};
use baton_core::diag::Note;
use baton_core::event::Event;
use baton_core::gate::{Facts, Readings};
use baton_core::handoff::contract::{Contract, Freeze};
use baton_core::handoff::plan::{self, Plan};
use baton_core::handoff::runbook::Runbook;
use baton_core::id::{Digest, EnvName, Handle, HandoffId, RunId, Seq, canonical};
use baton_core::ledger::clock::believe;
use baton_core::ledger::{Draft, Entry};
use baton_core::parity::Fingerprint;
use baton_core::run::State;
use baton_store::{Log as _, SqliteLog, StoreError};
use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};

pub use crate::real::{holder, is_gone};
pub use baton_core::run::asked;
pub use files::{Files, Sources};

use crate::failure::{Failure, Kind};

/// How many entries are read at a time.
const PAGE: usize = 10_000;
/// A snapshot of the facts is kept again after so many new entries: folding them
/// takes less than keeping it.
const SNAPSHOT_EVERY: u64 = 1000;

/// Where a desk stands, and what is meant when nothing is named.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The contract.
    pub file: PathBuf,
    /// The contract's folder.
    pub folder: PathBuf,
    /// Who speaks, when it was said.
    pub speaker: Option<Handle>,
    /// Which run is meant, when it was said.
    pub run: Option<RunId>,
    /// The folder of what is this person's own.
    pub home: PathBuf,
    /// The program that connects to hosts behind ssh.
    pub ssh: PathBuf,
}

impl Settings {
    /// Baton's own folder beside the contract.
    pub fn own_folder(&self) -> PathBuf {
        self.folder.join(".baton")
    }
}

/// What a command works on.
pub struct Desk {
    /// What was asked.
    pub settings: Settings,
    /// Both files.
    pub contract: Contract,
    /// The runbook.
    pub runbook: Runbook,
    /// The runbook as it is written.
    pub runbook_text: String,
    /// Notes of the files that are the gate's blockers, and warnings.
    pub notes: Vec<Note>,
    /// The plan for the launch environment.
    pub plan: Rc<Plan>,
    /// The ledger.
    pub log: SqliteLog,
    /// What the gate remembers of this handoff.
    pub facts: Facts,
    /// The entry the facts are folded to.
    head: Seq,
}

impl Desk {
    /// Reads the files and opens the ledger.
    pub fn open(settings: &Settings) -> Result<Self, Failure> {
        let files = Files::read(settings)?;
        if files.broken() {
            let count = files.errors();
            let errors = if count == 1 { "error" } else { "errors" };
            let says = format!("the files are not valid: {count} {errors}");
            return Err(
                Failure::new(Kind::Files, says).hint("`baton lint` shows each with its place")
            );
        }
        let (Some(contract), Some(runbook)) = (files.contract, files.runbook) else {
            return Err(Failure::new(Kind::Bug, "valid files without content"));
        };
        let plan = files.linted.and_then(|it| it.plan(&contract, &runbook));
        let plan = plan.ok_or_else(|| Failure::new(Kind::Bug, "valid files without a plan"))?;
        let log = open_ledger(settings)?;
        let facts = Facts::new(plan.handoff.clone());
        let mut desk = Self {
            settings: settings.clone(),
            contract,
            runbook,
            runbook_text: files.sources.runbook.1,
            notes: files.notes,
            plan: Rc::new(plan),
            log,
            facts,
            head: Seq(0),
        };
        desk.catch_up()?;
        desk.believe_clock()?;
        Ok(desk)
    }

    /// Refuses to go by a clock that lies behind the ledger.
    fn believe_clock(&mut self) -> Result<(), Failure> {
        let before_last = Seq(self.head.0.saturating_sub(1));
        let recorded = self.log.read(before_last, 1)?;
        if let Some(last) = recorded.first() {
            believe(last.at, Timestamp::now())?;
        }
        Ok(())
    }

    /// The plan for another environment.
    pub fn plan_for(&self, environment: &EnvName) -> Result<Rc<Plan>, Failure> {
        if *environment == self.plan.environment {
            return Ok(Rc::clone(&self.plan));
        }
        if !self.contract.environments.contains_key(environment) {
            let names: Vec<&str> = self
                .contract
                .environments
                .keys()
                .map(|name| name.as_str())
                .collect();
            let failure = Failure::wrong(format!("the contract has no environment {environment}"));
            return Err(failure.hint(format!("it has {}", baton_core::diag::list(&names, 8))));
        }
        let (plan, notes) = plan::resolve(&self.contract, &self.runbook, environment);
        plan.map(Rc::new).ok_or_else(|| {
            let why = notes
                .iter()
                .map(|note| note.says.clone())
                .collect::<Vec<_>>()
                .join("; ");
            Failure::new(
                Kind::Files,
                format!("the runbook cannot run in {environment}: {why}"),
            )
        })
    }

    /// The handoff.
    pub fn handoff(&self) -> HandoffId {
        self.plan.handoff.clone()
    }

    /// Folds what was appended since into the facts.
    pub fn catch_up(&mut self) -> Result<(), Failure> {
        let key = format!("facts/{}", self.plan.handoff);
        if self.head == Seq(0)
            && let Some((_, seq, bytes)) = self.log.recall(&key)?
            && let Ok(facts) = serde_json::from_slice::<Facts>(&bytes)
            && facts.are_of(&self.plan.handoff)
        {
            (self.facts, self.head) = (facts, seq);
        }
        let from = self.head;
        loop {
            let page = self.log.read(self.head, PAGE)?;
            let Some(last) = page.last() else { break };
            self.head = last.seq;
            for entry in &page {
                self.facts.apply(entry);
            }
        }
        if self.head.0 - from.0 >= SNAPSHOT_EVERY {
            let (head, digest) = self.log.head()?;
            if head == self.head {
                let bytes = serde_json::to_vec(&self.facts).map_err(|error| {
                    Failure::new(Kind::Bug, "cannot keep a snapshot").because(&error)
                })?;
                self.log.remember(&key, &digest, &bytes)?;
            }
        }
        Ok(())
    }

    /// Appends what a person says or Baton saw, outside or inside a run.
    pub fn append(
        &mut self,
        by: &Handle,
        run: Option<&RunId>,
        events: Vec<Event>,
    ) -> Result<Vec<Entry>, Failure> {
        let at = Timestamp::now();
        let drafts = events
            .into_iter()
            .map(|event| Draft {
                at,
                by: by.clone(),
                handoff: self.plan.handoff.clone(),
                run: run.cloned(),
                event,
            })
            .collect();
        let entries = self.log.append(drafts, None, None)?;
        self.catch_up()?;
        Ok(entries)
    }

    /// Appends what was decided on the facts as they are here, all of it or
    /// nothing. `false`: somebody else appended since, and the facts are new, so
    /// it has to be decided again.
    pub fn append_decided(
        &mut self,
        run: Option<&RunId>,
        said: Vec<(Handle, Event)>,
    ) -> Result<bool, Failure> {
        let at = Timestamp::now();
        let drafts = said
            .into_iter()
            .map(|(by, event)| Draft {
                at,
                by,
                handoff: self.plan.handoff.clone(),
                run: run.cloned(),
                event,
            })
            .collect();
        let appended = match self.log.append(drafts, Some(self.head), None) {
            Ok(_entries) => true,
            Err(StoreError::Conflict { .. }) => false,
            Err(error) => return Err(error.into()),
        };
        self.catch_up()?;
        Ok(appended)
    }

    /// Appends a person's word to a run, if it is legal where the run stands.
    pub fn say_in_run(&mut self, run: &RunId, by: &Handle, event: Event) -> Result<State, Failure> {
        loop {
            let (head, _) = self.log.head()?;
            let mut state = fold(&mut self.log, run)?;
            let draft = Draft {
                at: Timestamp::now(),
                by: by.clone(),
                // Another handoff may keep its runs in this ledger, too.
                handoff: state.plan.handoff.clone(),
                run: Some(run.clone()),
                event: event.clone(),
            };
            let entry = Entry::seal(draft.clone(), Seq(head.0 + 1), Digest::of(b""));
            state.apply(&entry)?;
            match self.log.append(vec![draft], Some(head), None) {
                Ok(_) => {
                    self.catch_up()?;
                    return Ok(state);
                }
                // Somebody was faster: look again whether it is still legal.
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Who speaks: as said, or the person whose email is git's.
    pub fn me(&self) -> Result<Handle, Failure> {
        if let Some(speaker) = &self.settings.speaker {
            return self.known(speaker);
        }
        let email = git_email(&self.settings.folder);
        let found = self.contract.people.iter().find(|(_, person)| {
            person.email.is_some() && person.email.as_deref().map(str::to_lowercase) == email
        });
        found.map(|(handle, _)| handle.clone()).ok_or_else(|| {
            let who = email.map_or_else(
                || "git knows no email here".to_owned(),
                |email| format!("nobody in the contract has git's email {email}"),
            );
            Failure::wrong(format!("cannot tell who is speaking: {who}"))
                .hint("say it with `--as HANDLE`")
        })
    }

    /// Whom the ledger names for what this Baton saw itself: who speaks, or
    /// Baton when that cannot be told. Somebody unknown is still refused.
    pub fn author(&self) -> Result<Handle, Failure> {
        match self.me() {
            Err(_unknown) if self.settings.speaker.is_none() => Ok(Handle::from("baton")),
            known => known,
        }
    }

    /// Who gives their word: it has to be said, and is never guessed.
    pub fn signer(&self) -> Result<Handle, Failure> {
        match &self.settings.speaker {
            Some(speaker) => self.known(speaker),
            None => Err(
                Failure::wrong("a signed word needs a name: it is not guessed")
                    .hint("say who gives it with `--as HANDLE`"),
            ),
        }
    }

    /// A person of the contract.
    ///
    /// # Errors
    /// When the contract does not know them; somebody of a like name is hinted at.
    pub fn known(&self, who: &Handle) -> Result<Handle, Failure> {
        if self.contract.people.contains_key(who) {
            return Ok(who.clone());
        }
        let people = self.contract.people.keys().map(|handle| handle.as_str());
        let near = baton_core::diag::nearest(who, people);
        let failure = Failure::wrong(format!("the contract knows no {who}"));
        Err(match near {
            Some(near) => failure.hint(format!("did you mean {near}?")),
            None => failure.hint("the people are listed under `people:` in the contract"),
        })
    }

    /// The release's identity, as its artifacts stand now.
    pub fn release(&self) -> Result<Digest, String> {
        let artifacts: Vec<&str> = self
            .contract
            .release
            .artifacts
            .iter()
            .map(|path| path.value.as_str())
            .collect();
        if artifacts.is_empty() {
            // A release without files of its own is known by its version alone.
            return Ok(Digest::of_value(&BTreeMap::from([(
                "version",
                &self.contract.release.version.value,
            )])));
        }
        release::digest(&self.settings.folder, &artifacts)
    }

    /// What the gate needs to know of the present moment.
    pub fn readings(&mut self, at_launch: bool) -> Result<Readings, Failure> {
        let release = self.release();
        self.readings_of(release, at_launch)
    }

    /// The same, of a release that was read before.
    pub fn readings_of(
        &mut self,
        release: Result<Digest, String>,
        at_launch: bool,
    ) -> Result<Readings, Failure> {
        let digests: Vec<Digest> = self.facts.fingerprint_blobs().cloned().collect();
        let mut fingerprints: BTreeMap<Digest, Fingerprint> = BTreeMap::new();
        for digest in digests {
            let blob = self.log.get(&digest)?;
            if let Some(read) = blob.and_then(Fingerprint::from_bytes) {
                let _new = fingerprints.insert(digest, read);
            }
        }
        let zone = zone_of(&self.plan);
        let calendars = self
            .contract
            .launch
            .freezes
            .iter()
            .filter_map(|freeze| match freeze {
                Freeze::Calendar(name) => Some((
                    name.clone(),
                    calendar::read(&self.settings.folder.join(name), &zone),
                )),
                Freeze::Span { .. } => None,
            });
        let calendars = calendars.collect();
        Ok(Readings {
            release,
            present: self.present()?,
            fingerprints,
            calendars,
            at_launch,
        })
    }

    /// Who sits in the room now.
    pub fn present(&mut self) -> Result<BTreeSet<Handle>, Failure> {
        let prefix = self.seat("");
        let leases = self.log.leases(&prefix, Timestamp::now())?;
        let names = leases
            .iter()
            .filter_map(|lease| lease.name.strip_prefix(&prefix));
        Ok(names
            .filter_map(|rest| rest.split('/').next())
            .map(Handle::from)
            .collect())
    }

    /// The name of the lease that keeps a person's seat in the room.
    pub fn seat(&self, who: &str) -> String {
        if who.is_empty() {
            format!("room/{}/", self.plan.handoff)
        } else {
            format!("room/{}/{who}/{}", self.plan.handoff, std::process::id())
        }
    }

    /// The world in which commands outside a run are carried out.
    pub fn quiet_world(&self) -> Result<RealWorld, Failure> {
        let own = self.settings.own_folder();
        Ok(RealWorld::quiet(self.shell()?, own))
    }

    /// Where commands are carried out.
    pub fn shell(&self) -> Result<Shell, Failure> {
        Ok(Shell::new(
            self.settings.folder.clone(),
            self.settings.own_folder().join("attempts"),
            program()?,
            self.ssh(),
        ))
    }

    /// What connects to hosts behind ssh.
    pub fn ssh(&self) -> Ssh {
        Ssh::new(&self.settings.ssh)
    }

    /// The run that is meant: as said, or the latest of this handoff that is not over.
    pub fn open_run(&mut self) -> Result<RunId, Failure> {
        if let Some(run) = &self.settings.run {
            return Ok(run.clone());
        }
        self.facts.open_run().cloned().ok_or_else(|| {
            Failure::refused("no run is open").hint("`baton rehearse` or `baton launch` opens one")
        })
    }

    /// The run that the room talks about: as said, or the open one.
    pub fn talked_about(&mut self) -> Result<Option<RunId>, Failure> {
        if let Some(run) = &self.settings.run {
            // Nothing is said about a run that there is not.
            let _there = fold(&mut self.log, run)?;
            return Ok(Some(run.clone()));
        }
        Ok(self.facts.open_run().cloned())
    }

    /// The latest run, open or over.
    pub fn latest_run(&mut self) -> Result<RunId, Failure> {
        if let Some(run) = &self.settings.run {
            return Ok(run.clone());
        }
        self.facts.latest_run().cloned().ok_or_else(|| {
            Failure::refused("there was no run yet").hint("`baton rehearse` opens one")
        })
    }

    /// Every entry of a run, in its order.
    pub fn each_of(&mut self, run: &RunId, mut take: impl FnMut(Entry)) -> Result<(), Failure> {
        let mut after = Seq(0);
        loop {
            let page = self.log.read_run(run, after, PAGE)?;
            let Some(last) = page.last() else {
                return Ok(());
            };
            after = last.seq;
            page.into_iter().for_each(&mut take);
        }
    }

    /// Keeps a value as a blob.
    pub fn keep(&mut self, value: &impl serde::Serialize) -> Result<Digest, Failure> {
        self.keep_bytes(&canonical(value))
    }

    /// Keeps bytes under their digest.
    pub fn keep_bytes(&mut self, bytes: &[u8]) -> Result<Digest, Failure> {
        Ok(self.log.put(bytes)?)
    }
}

/// The zone in which the window is written, else the one of this machine.
pub fn zone_of(plan: &Plan) -> TimeZone {
    let window = plan.contract.launch.window;
    window
        .and_then(|window| Offset::from_seconds(window.offset_s).ok())
        .map_or_else(TimeZone::system, TimeZone::fixed)
}

/// When a plan that nothing has begun of is taken to begin: with its window;
/// without one now, to the minute.
pub fn begins(plan: &Plan) -> Timestamp {
    match plan.contract.launch.window {
        Some(window) => window.opens,
        None => {
            let now = Timestamp::now().as_second();
            Timestamp::from_second(now - now.rem_euclid(60)).unwrap_or_default()
        }
    }
}

/// This very program, which is also the wrapper of attempts.
pub fn program() -> Result<PathBuf, Failure> {
    std::env::current_exe()
        .map_err(|error| Failure::part("cannot find Baton itself").because(&error))
}

/// A fresh random number, for ids and salts.
pub fn draw() -> u64 {
    random()
}

fn open_ledger(settings: &Settings) -> Result<SqliteLog, Failure> {
    let folder = settings.own_folder();
    // What commands printed and people said is for those who work here.
    let made = DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder);
    made.map_err(|error| Failure::unwritten(&folder, &error))?;
    Ok(SqliteLog::open(&folder.join("ledger.db"))?)
}

fn git_email(folder: &Path) -> Option<String> {
    let done = Command::new("git")
        .args(["config", "user.email"])
        .current_dir(folder)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let email = String::from_utf8(done.stdout).ok()?.trim().to_lowercase();
    (!email.is_empty()).then_some(email)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_was_decided_before_somebody_spoke_is_not_appended() {
        let folder = tempfile::tempdir().unwrap();
        let found = baton_core::handoff::draft::Found {
            folder: "shop".to_owned(),
            people: Vec::new(),
            test: None,
            version: None,
            artifacts: Vec::new(),
            today: Timestamp::now(),
            zone: "UTC".to_owned(),
        };
        let (contract, runbook) = baton_core::handoff::draft::draft(&found);
        let file = folder.path().join("handoff.yaml");
        fs::write(&file, contract).unwrap();
        fs::write(folder.path().join("runbook.md"), runbook).unwrap();
        let settings = Settings {
            folder: folder.path().to_owned(),
            home: folder.path().join("home"),
            file,
            speaker: None,
            run: None,
            ssh: PathBuf::from("ssh"),
        };
        let open = || Desk::open(&settings).unwrap();
        let (mut first, mut second) = (open(), open());
        let says = |text: &str| {
            let text = text.to_owned();
            vec![(Handle::from("somebody"), Event::Said { text })]
        };
        assert!(second.append_decided(None, says("no-go")).unwrap());
        assert!(!first.append_decided(None, says("go")).unwrap());
        assert_eq!(first.log.head().unwrap().0, Seq(1), "nothing was appended");
        // It knows now what was said, and may decide anew.
        assert!(first.append_decided(None, says("go")).unwrap());
    }
}
