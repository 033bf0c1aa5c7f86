//! The wrapper: runs one attempt, and outlives whoever started it.
//!
//! It promises that `exit.json` appears once and only after the command ended,
//! that a command past its time limit is ended with its whole process group,
//! and that no secret reaches the folder. Processes that the command left
//! running (a service it started) live on; the wrapper then keeps reading what
//! they print, and drops it, so that they do not die of a closed pipe.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, PipeReader, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use baton_core::event::Ending;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, Signal};
use serde::{Deserialize, Serialize};

use super::process::{end_of, timespec};
pub use super::process::{identity, lives};
use crate::secret::Masker;

/// How much of a command's output is kept from its beginning: 1 MiB.
pub const OUTPUT_HEAD: usize = 1024 * 1024;
/// How much is kept from its end, where errors tend to stand: 64 KiB.
pub const OUTPUT_TAIL: usize = 64 * 1024;
/// How long a command may take to end after it was asked to.
pub(super) const GRACE: Duration = Duration::from_secs(3);
/// How long to wait before a full disk is tried again.
const ROOM_PAUSE: Duration = Duration::from_millis(500);
/// How much of an output that could not be kept whole gives way to the word of it.
const CUT: u64 = 4096;
/// How much of the variables file is read: 64 KiB.
pub(super) const VARIABLES_MOST: u64 = 64 * 1024;

/// What the wrapper is to do; its second argument, as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec {
    /// The interpreter and its arguments; the script's path is added.
    pub interpreter: Vec<String>,
    /// The working folder.
    pub folder: PathBuf,
    /// The time limit.
    pub timeout_ms: u64,
    /// Variables whose values are masked.
    pub secrets: Vec<String>,
}

/// How an attempt ended; the content of `exit.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// How.
    pub end: Ending,
    /// Variables for later steps, masked.
    pub variables: BTreeMap<String, String>,
    /// How long it took.
    pub took_ms: u64,
}

/// Runs the attempt in this folder, as the process of its own that it is; `spec`
/// is a [`Spec`]. Prints one line on standard output once `exit.json` is there.
///
/// # Errors
/// When the folder cannot be used; the attempt then ends as never started, or
/// as unknown when nothing at all can be written.
pub fn run(folder: &Path, spec: &str) -> io::Result<()> {
    let _session = rustix::process::setsid();
    let spec: Spec = serde_json::from_str(spec)?;
    if !claim(folder, &identity(std::process::id()))? {
        return Ok(());
    }
    let masker = Masker::new(
        spec.secrets
            .iter()
            .filter_map(|name| std::env::var(name).ok()),
    );
    let mut output = Output::new(folder, masker);
    let began = Instant::now();
    let (reader, writer) = io::pipe()?;
    let started = command(&spec, folder, writer);
    let (end, reader) = match started {
        Err(error) => {
            let what = spec
                .interpreter
                .first()
                .map_or("the script", String::as_str);
            (
                Ending::NotStarted {
                    because: format!("{what}: {error}"),
                },
                None,
            )
        }
        Ok(child) => {
            let deadline = began + Duration::from_millis(spec.timeout_ms);
            let (end, reader) = supervise(child, reader, &mut output, deadline)?;
            (end, Some(reader))
        }
    };
    let variables = variables(folder, &output.masker);
    output.finish();
    let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let exit = Exit {
        end,
        variables,
        took_ms,
    };
    // Only this process knows how the command ended: it waits for room to say so.
    while let Err(error) = leave(folder, &exit) {
        if !matches!(
            error.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
        ) {
            return Err(error);
        }
        std::thread::sleep(ROOM_PAUSE);
    }
    // The driver may be gone; then nobody reads this.
    let _told = writeln!(io::stdout(), "ended");
    let _flushed = io::stdout().flush();
    if let Some(mut reader) = reader {
        let _dropped = io::copy(&mut reader, &mut io::sink());
    }
    Ok(())
}

/// Claims the place for this content, unless it is claimed: whoever comes first
/// decides. The claim is a symbolic link, which comes to be with its content at
/// once, and points nowhere.
///
/// # Errors
/// When the folder cannot be written.
pub(super) fn claim(folder: &Path, content: &str) -> io::Result<bool> {
    match std::os::unix::fs::symlink(content, folder.join("pid")) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

/// Who claimed the place: the [`identity`] of a wrapper, or `void`.
pub(super) fn claimed(folder: &Path) -> Option<String> {
    let content = std::fs::read_link(folder.join("pid")).ok()?;
    Some(content.to_string_lossy().into_owned())
}

/// Writes a file that nobody else may read.
pub(super) fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?
        .write_all(bytes)
}

fn command(spec: &Spec, folder: &Path, writer: io::PipeWriter) -> io::Result<Child> {
    let (program, arguments) = spec
        .interpreter
        .split_first()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "no interpreter"))?;
    Command::new(program)
        .args(arguments)
        .arg(folder.join("script"))
        .current_dir(&spec.folder)
        .env("BATON_OUTPUT", folder.join("variables"))
        .stdin(Stdio::null())
        .stdout(Stdio::from(writer.try_clone()?))
        .stderr(Stdio::from(writer))
        .process_group(0)
        .spawn()
}

/// Reads what the command prints until it ends or its time is over.
fn supervise(
    mut child: Child,
    reader: PipeReader,
    output: &mut Output,
    deadline: Instant,
) -> io::Result<(Ending, PipeReader)> {
    let group = Pid::from_child(&child);
    let ended = end_of(group)?;
    let mut limit = Limit {
        deadline,
        asked: false,
        killed: false,
    };
    let mut open = true;
    // What was printed before the end is read; what a service left running
    // prints after it is not waited for.
    let mut reads_after_end = 0;
    loop {
        let timeout = timespec(limit.wait());
        let mut fds = [
            PollFd::new(&ended, PollFlags::IN),
            PollFd::new(&reader, PollFlags::IN),
        ];
        let watched = if open { &mut fds[..] } else { &mut fds[..1] };
        let _ready = poll(watched, Some(&timeout)).or_else(|error| match error {
            rustix::io::Errno::INTR => Ok(0),
            error => Err(error),
        })?;
        let over = !fds[0].revents().is_empty();
        let readable = open && !fds[1].revents().is_empty();
        reads_after_end += u32::from(over);
        if readable && reads_after_end < 64 {
            open = output.take(&reader)?;
        } else if over {
            break;
        }
        limit.enforce(group);
    }
    if limit.asked {
        // The command ended when asked; what it started may not have.
        let _sent = rustix::process::kill_process_group(group, Signal::KILL);
    }
    let status = child.wait()?;
    Ok((
        if limit.asked {
            Ending::TimedOut
        } else {
            ending(status)
        },
        reader,
    ))
}

/// The time limit of a command: first asked to end, then made to.
struct Limit {
    deadline: Instant,
    asked: bool,
    killed: bool,
}

impl Limit {
    fn wait(&self) -> Duration {
        const LONG: Duration = Duration::from_secs(60);
        if self.killed {
            LONG
        } else {
            self.deadline
                .saturating_duration_since(Instant::now())
                .min(LONG)
        }
    }

    fn enforce(&mut self, group: Pid) {
        if self.killed || Instant::now() < self.deadline {
            return;
        }
        let signal = if self.asked {
            Signal::KILL
        } else {
            Signal::TERM
        };
        // The group may have ended in this very moment.
        let _sent = rustix::process::kill_process_group(group, signal);
        self.killed = self.asked;
        self.asked = true;
        self.deadline = Instant::now() + GRACE;
    }
}

fn ending(status: ExitStatus) -> Ending {
    match (status.code(), status.signal()) {
        (Some(0), _) => Ending::Succeeded,
        (Some(code), _) => Ending::Exited {
            code: u8::try_from(code).unwrap_or(u8::MAX),
        },
        (None, Some(signal)) => Ending::Killed {
            signal: u8::try_from(signal).unwrap_or(u8::MAX),
        },
        (None, None) => Ending::Unknown {
            because: "it has neither status nor signal".to_owned(),
        },
    }
}

/// Writes `exit.json` so that it is whole or not there.
pub(super) fn leave(folder: &Path, exit: &Exit) -> io::Result<()> {
    let unfinished = folder.join("exit.part");
    write_private(&unfinished, &serde_json::to_vec(exit)?)?;
    std::fs::rename(unfinished, folder.join("exit.json"))
}

/// What the variables file gives to later steps.
fn variables(folder: &Path, masker: &Masker) -> BTreeMap<String, String> {
    let mut text = Vec::new();
    if let Ok(file) = File::open(folder.join("variables")) {
        // What cannot be read gives no variables.
        let _read = file.take(VARIABLES_MOST).read_to_end(&mut text);
    }
    given(&text, masker)
}

/// Lines `NAME=value`, masked; others are ignored.
pub(super) fn given(text: &[u8], masker: &Masker) -> BTreeMap<String, String> {
    let named = |name: &str| {
        !name.is_empty()
            && !name.starts_with(|c: char| c.is_ascii_digit())
            && !name.starts_with("BATON_")
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    String::from_utf8_lossy(text)
        .lines()
        .filter_map(|line| line.split_once('='))
        .filter(|(name, value)| named(name) && !value.contains('\0'))
        .map(|(name, value)| (name.to_owned(), masker.mask(value)))
        .collect()
}

/// The output file: the beginning as it comes, and the end at the end. There is
/// none before there is something to keep. A command does not fail because what
/// it prints cannot be kept: the rest is left out.
struct Output {
    path: PathBuf,
    file: Option<File>,
    masker: Masker,
    written: usize,
    left_out: u64,
    tail: Vec<u8>,
    /// Why the file takes no more.
    full: Option<io::Error>,
}

impl Output {
    fn new(folder: &Path, masker: Masker) -> Self {
        Self {
            path: folder.join("output"),
            file: None,
            masker,
            written: 0,
            left_out: 0,
            tail: Vec::new(),
            full: None,
        }
    }

    /// Takes what there is to read; `false` at the end of the stream.
    fn take(&mut self, mut reader: &PipeReader) -> io::Result<bool> {
        let mut buffer = [0; 64 * 1024];
        let n = reader.read(&mut buffer)?;
        let said = self.masker.push(&buffer[..n]);
        self.keep(&said);
        Ok(n > 0)
    }

    fn keep(&mut self, bytes: &[u8]) {
        let (head, rest) = bytes.split_at(bytes.len().min(OUTPUT_HEAD - self.written));
        self.write(head);
        self.written += head.len();
        self.tail.extend_from_slice(rest);
        if self.tail.len() > 2 * OUTPUT_TAIL {
            let over = self.tail.len() - OUTPUT_TAIL;
            self.left_out += over as u64;
            drop(self.tail.drain(..over));
        }
    }

    fn write(&mut self, bytes: &[u8]) {
        if self.full.is_none() && !bytes.is_empty() {
            self.full = self.try_write(bytes).err();
        }
    }

    fn try_write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => {
                let mut options = OpenOptions::new();
                let options = options.create(true).append(true).mode(0o600);
                none.insert(options.open(&self.path)?)
            }
        };
        file.write_all(bytes)
    }

    fn finish(&mut self) {
        let said = self.masker.finish();
        self.keep(&said);
        let tail = std::mem::take(&mut self.tail);
        let over = tail.len().saturating_sub(OUTPUT_TAIL);
        self.left_out += over as u64;
        if self.left_out > 0 {
            let left_out = format!("\n[{} bytes left out]\n", self.left_out);
            self.write(left_out.as_bytes());
        }
        self.write(&tail[over..]);
        if let (Some(why), Some(file)) = (&self.full, &mut self.file) {
            // The last of what was kept gives way; where even that fails, it ends as it does.
            let kept = file.metadata().map_or(0, |meta| meta.len());
            let _cut = file.set_len(kept.saturating_sub(CUT));
            let _told = writeln!(file, "\n[the rest could not be kept: {why}]");
        }
    }
}
