//! Runs a script in bounded time and output, and leaves nothing of it behind.

use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use baton_core::parity::LayerStatus;
use rustix::process::{Pid, Signal, kill_process_group};

use crate::collect::Limits;
use crate::shell::ssh::{Broken, Errand, Ssh, Told, facts, told};

/// How much longer than the script may take a host that was reached may need to
/// begin with it.
const SLACK: Duration = Duration::from_secs(5);

/// What a script printed, and what is so of the layers it did not finish.
pub(crate) struct Ran {
    pub(crate) output: Vec<u8>,
    pub(super) unfinished: LayerStatus,
}

/// Runs the script with closed input in `dir`. Its environment is `vars`, and
/// `PATH` and `HOME` of this process where `vars` have none.
///
/// Afterwards its whole process group is gone, whatever it started.
pub(crate) fn here(
    script: &str,
    dir: &Path,
    vars: &BTreeMap<String, String>,
    limits: Limits,
) -> io::Result<Ran> {
    let mut command = Command::new("/bin/sh");
    command.env_clear();
    for name in ["PATH", "HOME"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    let mut child = command
        .args(["-c", script])
        .envs(vars)
        .current_dir(dir)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()?;

    // A thread reads, so that a script which keeps silent cannot hold us past
    // the limit. It ends with the pipe, which ends with the process group.
    let (send, receive) = mpsc::sync_channel::<Vec<u8>>(16);
    if let Some(mut pipe) = child.stdout.take() {
        std::thread::spawn(move || {
            let mut chunk = vec![0; 64 * 1024];
            while let Ok(read @ 1..) = pipe.read(&mut chunk) {
                if send.send(chunk[..read].to_vec()).is_err() {
                    return;
                }
            }
        });
    }
    let ran = gather(limits, |wait| {
        receive.recv_timeout(wait).map_err(|error| match error {
            mpsc::RecvTimeoutError::Timeout => Broken::Silent,
            mpsc::RecvTimeoutError::Disconnected => Broken::Closed,
        })
    });

    // The script is told by what it printed, not by how it ended; so whatever
    // is left of it can go. Its leader is not yet waited for, hence the group's
    // number cannot have passed to others.
    let _gone_already = kill_process_group(Pid::from_child(&child), Signal::KILL);
    child.wait()?;
    Ok(ran)
}

/// Runs the script on the host `to`, in `dir` or at home, with `vars` in the
/// environment that its sshd gives to commands. It ends there with its whole
/// process group, also when the connection breaks.
pub(super) fn far(
    script: &str,
    (ssh, to, dir): (&Ssh, &str, Option<&str>),
    vars: &BTreeMap<String, String>,
    limits: Limits,
) -> Result<Ran, String> {
    let errand = Errand {
        dir,
        script,
        ..Errand::default()
    };
    let open = vars.iter();
    let vars = open
        .map(|(name, value)| (name.as_str(), (value.as_str(), false)))
        .collect();
    errand.check(&vars)?;
    let unreached = |why: &str| format!("it cannot be reached: {why}");
    let mut line = ssh.reach(to).map_err(|at| unreached(&at.why))?;
    // The far limit is there for a connection that breaks; ours comes first.
    let secs = limits.time.as_secs() + 2;
    let until = Instant::now() + limits.time + SLACK;
    let begun = line
        .send(facts(errand, &vars, secs).as_bytes(), until)
        .and_then(|()| line.line(until));
    match begun.map(|word| told(&word)) {
        Ok(Some(Told::Facts)) => Ok(gather(limits, |wait| line.some(Instant::now() + wait))),
        Ok(Some(Told::Refused(why))) => Err(why),
        Ok(_) => Err(unreached(&line.why(Broken::Garbled))),
        Err(broken) => Err(unreached(&line.why(broken))),
    }
}

/// Gathers what `next` gives, which waits no longer than it is told.
fn gather(limits: Limits, mut next: impl FnMut(Duration) -> Result<Vec<u8>, Broken>) -> Ran {
    let begun = Instant::now();
    let mut output = Vec::new();
    let unfinished = loop {
        let left = limits.time.saturating_sub(begun.elapsed());
        match next(left) {
            Ok(chunk) => output.extend_from_slice(&chunk),
            Err(Broken::Silent) => break LayerStatus::Timeout,
            Err(Broken::Closed | Broken::Garbled) => {
                let reason = "the script ended before it was done".to_owned();
                break LayerStatus::NotCollected(reason);
            }
        }
        if output.len() > limits.bytes {
            output.truncate(limits.bytes);
            let reason = format!("it printed more than {} bytes", limits.bytes);
            break LayerStatus::Partial(reason);
        }
    };
    Ran { output, unfinished }
}
