//! Starting and stopping the server as a process of its own.
//!
//! A running server holds a lock on its pid file. So the lock, not the number in the file, says
//! whether it lives: a number may be stale and belong to a stranger by now, and a dead process
//! that nobody has waited for still has one.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};

use crate::{Result, about, http};

/// How long a start or a polite stop may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often to look in the meantime.
const POLL: Duration = Duration::from_millis(20);
/// How many lines of the log of a failed start are shown.
const TAIL_LINES_MAX: usize = 20;

/// Starts `serve` in its own process group and waits until it answers.
pub(crate) fn start(port: u16, db: &Path, pid_file: &Path, log: &Path) -> Result<String> {
    let mut output = OpenOptions::new()
        .create(true)
        .append(true)
        .read(true)
        .open(log)
        .map_err(|why| about(log)(why.into()))?;
    let before = output.seek(SeekFrom::End(0))?;
    let mut child = Command::new(std::env::current_exe()?)
        .args(["serve", "--port", &port.to_string(), "--db"])
        .arg(db)
        .arg("--pid-file")
        .arg(pid_file)
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output.try_clone()?)
        .process_group(0)
        .spawn()?;
    let url = format!("http://127.0.0.1:{port}/health");
    let deadline = Instant::now() + PATIENCE;
    let why = loop {
        if let Some(status) = child.try_wait()? {
            break format!("the server ended at once ({status})");
        }
        // Without a look at the pid file, another server on this port could answer for ours.
        let ours =
            read_pid(pid_file).is_ok_and(|pid| pid.as_raw_pid().unsigned_abs() == child.id());
        if ours && http::get(&url).is_ok_and(|answer| answer.is_success()) {
            return Ok(format!("started, pid {}", child.id()));
        }
        if Instant::now() > deadline {
            child.kill()?;
            child.wait()?;
            break format!("no healthy answer from {url} in {} s", PATIENCE.as_secs());
        }
        sleep(POLL);
    };
    Err(format!("{why}; its log says:\n{}", tail(output, before)?).into())
}

/// Ends the server of this pid file, if one runs, and removes the file.
pub(crate) fn stop(pid_file: &Path) -> Result<String> {
    let file = match File::open(pid_file) {
        Ok(file) => file,
        Err(why) if why.kind() == ErrorKind::NotFound => return Ok("nothing runs".into()),
        Err(why) => return Err(about(pid_file)(why.into())),
    };
    let mut said = "nothing ran".to_owned();
    if !is_free(&file, Duration::ZERO)? {
        let pid = read_pid(pid_file)?;
        said = format!("stopped, pid {}", pid.as_raw_pid());
        signal(pid, Signal::TERM)?;
        if !is_free(&file, PATIENCE)? {
            said = format!("killed, pid {}: it did not stop", pid.as_raw_pid());
            signal(pid, Signal::KILL)?;
            if !is_free(&file, PATIENCE)? {
                return Err(format!("pid {} cannot be killed", pid.as_raw_pid()).into());
            }
        }
    }
    fs::remove_file(pid_file)?;
    Ok(said)
}

/// Takes the pid file for this process, until it ends, and writes its number there.
pub(crate) fn claim(pid_file: &Path) -> Result<()> {
    let on_file = about(pid_file);
    let open = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(pid_file);
    let mut file = open.map_err(|why| on_file(why.into()))?;
    if !is_free(&file, Duration::ZERO)? {
        return Err(on_file("another server runs under this pid file".into()));
    }
    file.set_len(0)?;
    file.write_all(format!("{}\n", std::process::id()).as_bytes())?;
    // Never closed here: the lock must be the last thing that goes, and the end of the process
    // takes it, whichever way it comes.
    std::mem::forget(file);
    Ok(())
}

/// Takes the lock of a pid file, waiting up to `patience` for its server to end.
fn is_free(file: &File, patience: Duration) -> Result<bool> {
    let deadline = Instant::now() + patience;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(true),
            Err(TryLockError::Error(why)) => return Err(why.into()),
            Err(TryLockError::WouldBlock) if Instant::now() >= deadline => return Ok(false),
            Err(TryLockError::WouldBlock) => sleep(POLL),
        }
    }
}

fn read_pid(pid_file: &Path) -> Result<Pid> {
    let number = fs::read_to_string(pid_file)?
        .trim()
        .parse()
        .ok()
        .filter(|number| *number > 0);
    let pid = number
        .and_then(Pid::from_raw)
        .ok_or("holds no process number");
    pid.map_err(|why| about(pid_file)(why.into()))
}

/// Sends a signal. That the process ended just before is as good.
fn signal(pid: Pid, signal: Signal) -> Result<()> {
    match kill_process(pid, signal) {
        Ok(()) | Err(Errno::SRCH) => Ok(()),
        Err(why) => Err(format!("cannot signal pid {}: {why}", pid.as_raw_pid()).into()),
    }
}

/// The last lines that were written to `log` after its first `before` bytes.
fn tail(mut log: File, before: u64) -> Result<String> {
    log.seek(SeekFrom::Start(before))?;
    let mut told = Vec::new();
    log.read_to_end(&mut told)?;
    let told = String::from_utf8_lossy(&told);
    let lines: Vec<&str> = told.lines().collect();
    Ok(lines[lines.len().saturating_sub(TAIL_LINES_MAX)..].join("\n"))
}
