//! A real sshd on loopback: keys, configuration, homes and tools of its own.

use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use baton_core::handoff::contract::Host;
use baton_engine::shell::Shell;
use baton_engine::shell::ssh::Ssh;
use tempfile::TempDir;

use crate::attempt::{WRAPPER, until};

/// Where Debian keeps it; it wants to be called by its whole path.
const SSHD: &str = "/usr/sbin/sshd";

/// An sshd, and a `ssh` that finds it under the names `web1`, `web2`, ...
pub(crate) struct Sshd {
    pub(crate) root: TempDir,
    /// The search path of its sessions.
    path: String,
    port: u16,
    listener: Option<Child>,
}

impl Sshd {
    /// With the tools of this machine.
    pub(crate) fn new() -> Self {
        Self::with_tools(&std::env::var("PATH").unwrap())
    }

    /// With the tools of these folders; its `sh` is the first there.
    pub(crate) fn with_tools(path: &str) -> Self {
        let root = tempfile::tempdir().unwrap();
        let at = root.path();
        for folder in ["home", "work", "contract"] {
            fs::create_dir(at.join(folder)).unwrap();
        }
        for key in ["host_key", "user_key"] {
            let made = Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-f"])
                .arg(at.join(key))
                .status()
                .expect("ssh-keygen is installed");
            assert!(made.success());
        }
        let mut sshd = Self {
            root,
            path: path.to_owned(),
            port: 0,
            listener: None,
        };
        // Somebody else may take the port before sshd does.
        let found = (0..10).any(|_| {
            let port = TcpListener::bind("127.0.0.1:0").unwrap();
            sshd.port = port.local_addr().unwrap().port();
            drop(port);
            sshd.listens()
        });
        assert!(found, "sshd does not listen: {}", sshd.log());
        sshd.client();
        sshd
    }

    /// What `ssh` is told, and the `ssh` that is told it.
    fn client(&self) {
        let (here, port) = (self.root.path().display(), self.port);
        let client = format!(
            "Host web* nobody\n  HostName 127.0.0.1\n  Port {port}\n  IdentitiesOnly yes\n  \
             StrictHostKeyChecking accept-new\n  UserKnownHostsFile {here}/known_hosts\n\
             Host nobody\n  IdentityFile {here}/host_key\n\
             Host web*\n  IdentityFile {here}/user_key\n\
             Host hung\n  ProxyCommand sleep 600\n"
        );
        fs::write(self.path("config"), client).unwrap();
        let wrapper = format!("#!/bin/sh\nexec ssh -F {here}/config \"$@\"\n");
        program(&self.path("ssh"), &wrapper);
    }

    /// Listens again, after it was stopped.
    pub(crate) fn start(&mut self) {
        assert!(self.listens(), "sshd does not listen: {}", self.log());
    }

    fn listens(&mut self) -> bool {
        let (here, port) = (self.root.path().display(), self.port);
        let config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {here}/host_key\n\
             AuthorizedKeysFile {here}/user_key.pub\nPidFile none\nStrictModes no\n\
             PermitRootLogin yes\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n\
             SetEnv HOME={here}/home PATH={}\n",
            self.path
        );
        fs::write(self.path("sshd_config"), config).unwrap();
        // Where it runs as root it wants a place to stand in; elsewhere it needs none.
        let _there = fs::create_dir_all("/run/sshd");
        let log = fs::File::create(self.path("sshd.log")).unwrap();
        let mut listener = Command::new(SSHD)
            .args(["-D", "-e", "-f"])
            .arg(self.path("sshd_config"))
            .stdin(Stdio::null())
            .stderr(Stdio::from(log))
            .spawn()
            .expect("sshd is installed");
        let mut listens = false;
        until("sshd listens, or ends", || {
            listens = self.log().contains("Server listening on");
            listens || listener.try_wait().unwrap().is_some()
        });
        self.listener = listens.then_some(listener);
        listens
    }

    fn log(&self) -> String {
        fs::read_to_string(self.path("sshd.log")).unwrap_or_default()
    }

    /// Nobody listens any more, and every connection breaks.
    pub(crate) fn stop(&mut self) {
        if let Some(mut listener) = self.listener.take() {
            let sessions = children(listener.id());
            listener.kill().unwrap();
            let _status = listener.wait().unwrap();
            for session in sessions {
                kill(session);
            }
        }
    }

    /// Breaks every connection; new ones can be made. Says how many there were.
    pub(crate) fn cut(&self) -> usize {
        let sessions = children(self.listener.as_ref().unwrap().id());
        for session in &sessions {
            kill(*session);
        }
        sessions.len()
    }

    /// The program that connects here.
    pub(crate) fn ssh(&self) -> Ssh {
        Ssh::new(self.path("ssh"))
    }

    /// The driver's side, in a contract's folder of its own.
    pub(crate) fn shell(&self) -> Shell {
        let contract = self.path("contract");
        let attempts = contract.join("attempts");
        Shell::new(contract, attempts, PathBuf::from(WRAPPER), self.ssh())
    }

    /// Something below this sshd's folder.
    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.root.path().join(below)
    }

    /// The folder of an attempt on the far side.
    pub(crate) fn place(&self, attempt: &str) -> PathBuf {
        self.path("home/.baton/attempts").join(attempt)
    }

    /// A host of this name, with `work` as its folder.
    pub(crate) fn host(&self, name: &str) -> Host {
        Host {
            ssh: Some(name.to_owned()),
            dir: Some(self.path("work").display().to_string()),
            vars: std::collections::BTreeMap::new(),
        }
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Writes a program. A child writes it: a file that this process has open for
/// writing while another thread starts a child cannot be executed.
pub(crate) fn program(path: &Path, text: &str) {
    let mut writer = Command::new("sh")
        .args(["-c", "cat >\"$0\" && chmod 700 \"$0\""])
        .arg(path)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = writer.stdin.take().unwrap();
    input.write_all(text.as_bytes()).unwrap();
    drop(input);
    assert!(writer.wait().unwrap().success());
}

/// The children of a process.
fn children(of: u32) -> Vec<u32> {
    fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|pid: &u32| parent(*pid) == Some(of))
        .collect()
}

fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, after) = stat.rsplit_once(')')?;
    after.split_whitespace().nth(1)?.parse().ok()
}

fn kill(pid: u32) {
    let pid = rustix::process::Pid::from_raw(pid.cast_signed()).unwrap();
    // It may have ended by itself.
    let _sent = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
}
