//! Runs a script in bounded time and output, and leaves nothing of it behind.

use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Instant;

use baton_core::parity::LayerStatus;
use rustix::process::{Pid, Signal, kill_process_group};

use crate::collect::Limits;

/// What a script printed, and what is so of the layers it did not finish.
pub(super) struct Ran {
    pub(super) output: Vec<u8>,
    pub(super) unfinished: LayerStatus,
}

/// Runs the script with closed input in `dir`. Its environment is `vars`, and
/// `PATH` and `HOME` of this process where `vars` have none.
///
/// Afterwards its whole process group is gone, whatever it started.
pub(super) fn run(
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
    let ran = gather(&receive, limits);

    // The script is told by what it printed, not by how it ended; so whatever
    // is left of it can go. Its leader is not yet waited for, hence the group's
    // number cannot have passed to others.
    let _gone_already = kill_process_group(Pid::from_child(&child), Signal::KILL);
    child.wait()?;
    Ok(ran)
}

fn gather(receive: &mpsc::Receiver<Vec<u8>>, limits: Limits) -> Ran {
    let begun = Instant::now();
    let mut output = Vec::new();
    let unfinished = loop {
        let left = limits.time.saturating_sub(begun.elapsed());
        match receive.recv_timeout(left) {
            Ok(chunk) => output.extend_from_slice(&chunk),
            Err(mpsc::RecvTimeoutError::Timeout) => break LayerStatus::Timeout,
            Err(mpsc::RecvTimeoutError::Disconnected) => {
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
