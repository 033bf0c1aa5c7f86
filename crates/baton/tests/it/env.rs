//! A folder, homes and variables that no other test and no person shares.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use rustix::process::{Pid, Signal};
use serde_json::Value;
use tempfile::TempDir;

/// What a command answered.
#[derive(Debug)]
pub(crate) struct Ran {
    /// The exit status.
    pub(crate) code: i32,
    /// Standard output.
    pub(crate) out: String,
    /// Standard error.
    pub(crate) err: String,
}

impl Ran {
    /// Fails unless the exit status is this one; says what was printed.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(
            self.code, code,
            "\n--- out\n{}\n--- err\n{}",
            self.out, self.err
        );
        self
    }

    /// The whole of standard output as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out)
            .unwrap_or_else(|error| panic!("{error}\n--- out\n{}\n--- err\n{}", self.out, self.err))
    }
}

/// The binary while it runs.
pub(crate) struct Running {
    child: Child,
    out: BufReader<ChildStdout>,
    read: String,
}

impl Running {
    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        rustix::process::kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Reads on until a line holds this text.
    #[track_caller]
    pub(crate) fn reads(&mut self, text: &str) {
        loop {
            let from = self.read.len();
            let read = self.out.read_line(&mut self.read).unwrap();
            assert!(read > 0, "it ended without {text}:\n{}", self.read);
            if self.read[from..].contains(text) {
                return;
            }
        }
    }

    /// Reads on until a whole JSON document was printed.
    pub(crate) fn document(&mut self) -> String {
        let from = self.read.len();
        loop {
            let read = self.out.read_line(&mut self.read).unwrap();
            let said = &self.read[from..];
            if serde_json::from_str::<Value>(said).is_ok() {
                return said.to_owned();
            }
            assert!(read > 0, "no document in: {said}");
        }
    }

    /// Waits for its end.
    pub(crate) fn finish(mut self) -> Ran {
        let _rest = self.out.read_to_string(&mut self.read).unwrap();
        let done = self.child.wait_with_output().unwrap();
        Ran {
            code: done.status.code().unwrap_or(-1),
            out: self.read,
            err: String::from_utf8(done.stderr).unwrap(),
        }
    }
}

/// A hermetic place to run the binary in.
pub(crate) struct TestEnv {
    root: TempDir,
    vars: BTreeMap<String, String>,
}

impl TestEnv {
    /// An empty folder.
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("work")).unwrap();
        Self {
            root,
            vars: BTreeMap::new(),
        }
    }

    /// The folder of the contract.
    pub(crate) fn work(&self) -> PathBuf {
        self.root.path().join("work")
    }

    /// Sets a variable for every command that follows.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        let _before = self.vars.insert(name.to_owned(), value.to_owned());
    }

    /// Lets a line of shell stand in for `ssh`.
    pub(crate) fn ssh(&mut self, line: &str) {
        self.write("ssh", line);
        let path = self.work().join("ssh");
        // Its text is run by a shell that is there already: a file that another
        // thread's child may still hold open for writing cannot be executed.
        let caller = self.root.path().join("call-ssh");
        let made = Command::new("sh")
            .args([
                "-c",
                "printf '#!/bin/sh\\n. %s\\n' \"$1\" >\"$0\" && chmod 700 \"$0\"",
            ])
            .args([&caller, &path])
            .status();
        assert!(made.unwrap().success());
        self.set("BATON_SSH", caller.to_str().unwrap());
    }

    /// Writes a file below the contract's folder.
    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.work().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Reads a file below the contract's folder.
    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.work().join(path)).unwrap()
    }

    /// Runs the binary as nobody in particular.
    pub(crate) fn baton(&self, args: &[&str]) -> Ran {
        self.run("nobody", &[], args)
    }

    /// Runs the binary as a person, with a home of their own.
    pub(crate) fn says(&self, person: &str, args: &[&str]) -> Ran {
        let mut all = args.to_vec();
        all.extend(["--as", person]);
        self.run(person, &[], &all)
    }

    /// Runs the binary as a person, through programs that take away what a
    /// process has and then become it.
    pub(crate) fn says_under(&self, person: &str, limits: &[&str], args: &[&str]) -> Ran {
        let mut all = args.to_vec();
        all.extend(["--as", person]);
        self.run(person, limits, &all)
    }

    /// Starts the binary as a person and leaves it running.
    pub(crate) fn start(&self, person: &str, args: &[&str]) -> Running {
        let mut command = self.command_as(person, &[], args);
        let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        Running {
            child,
            out,
            read: String::new(),
        }
    }

    /// A command that runs the binary as a person, for whoever starts it themselves.
    pub(crate) fn command_as(&self, person: &str, through: &[&str], args: &[&str]) -> Command {
        let mut all = args.to_vec();
        all.extend(["--as", person]);
        self.command(person, through, &all)
    }

    fn run(&self, home: &str, limits: &[&str], args: &[&str]) -> Ran {
        let done = self.command(home, limits, args).output().unwrap();
        Ran {
            code: done.status.code().unwrap_or(-1),
            out: String::from_utf8(done.stdout).unwrap(),
            err: String::from_utf8(done.stderr).unwrap(),
        }
    }

    fn command(&self, home: &str, limits: &[&str], args: &[&str]) -> Command {
        let home = self.root.path().join("home").join(home);
        fs::create_dir_all(&home).unwrap();
        let words = [limits, &[env!("CARGO_BIN_EXE_baton")], args].concat();
        let mut command = Command::new(words[0]);
        let _command = command
            .args(&words[1..])
            .current_dir(self.work())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", &home)
            .env("BATON_HOME", home.join("baton"))
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("NO_COLOR", "1")
            .env("COLUMNS", "100")
            .envs(&self.vars)
            .stdin(Stdio::null());
        command
    }

    /// Whether these bytes stand anywhere in Baton's own folder: the ledger, its
    /// journal, blobs, folders of attempts.
    pub(crate) fn own_folder_holds(&self, text: &str) -> bool {
        holds(&self.work().join(".baton"), text.as_bytes())
    }
}

fn holds(path: &Path, text: &[u8]) -> bool {
    if path.is_dir() {
        let entries = fs::read_dir(path).unwrap();
        return entries.flatten().any(|entry| holds(&entry.path(), text));
    }
    let bytes = fs::read(path).unwrap_or_default();
    bytes.windows(text.len()).any(|window| window == text)
}
