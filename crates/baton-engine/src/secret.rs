//! Secrets: a reference becomes a value at the last moment, and a value never
//! becomes text that anybody reads.

use std::fmt;
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use baton_core::handoff::contract::SecretRef;
use rustix::process::{Pid, Signal, kill_process_group};

use crate::shell::process::{end_of, readable};

/// What stands where a secret was printed.
pub const MASK: &[u8] = b"***";

/// The most a secret may have: 64 KiB, which holds any key or certificate.
const SECRET_MOST: usize = 64 * 1024;

/// How long a command may take that prints a secret: 30 s, enough for a vault
/// far away, and short enough that a run does not stand still for a prompt that
/// nobody sees. It is then ended with its whole process group.
const COMMAND_TIME: Duration = Duration::from_secs(30);

/// A secret's value. It cannot be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The value, for the environment of a command and nothing else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

/// Finds a secret's value. Files and commands are relative to `folder`.
///
/// # Errors
/// Says why it cannot be had, without a word of what was found.
pub fn resolve(reference: &SecretRef, folder: &Path) -> Result<Secret, String> {
    let bytes = match reference {
        SecretRef::Env(name) => match std::env::var(name) {
            Ok(value) => value.into_bytes(),
            Err(_) => return Err(format!("the variable {name} is not set")),
        },
        SecretRef::File(path) => std::fs::File::open(folder.join(path))
            .and_then(bounded)
            .map_err(|error| format!("the file {path} cannot be read: {}", error.kind()))?,
        SecretRef::Command(command) => said(command, folder, COMMAND_TIME)?,
    };
    if bytes.len() > SECRET_MOST {
        return Err(format!("it is longer than {SECRET_MOST} bytes"));
    }
    let text = String::from_utf8(bytes).map_err(|_not_text| "it is not text".to_owned())?;
    let value = text.strip_suffix('\n').unwrap_or(&text);
    let value = value.strip_suffix('\r').unwrap_or(value);
    if value.is_empty() {
        return Err("it is empty".to_owned());
    }
    if value.contains('\0') {
        return Err("it holds a zero byte, which no variable can".to_owned());
    }
    Ok(Secret(value.to_owned()))
}

/// What a command prints, or a little more than a secret may have.
fn said(command: &str, folder: &Path, limit: Duration) -> Result<Vec<u8>, String> {
    let lost = |error: std::io::Error| format!("its command was lost: {}", error.kind());
    let mut child = Command::new("sh")
        .args(["-c", command])
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .map_err(|error| format!("its command cannot start: {}", error.kind()))?;
    let deadline = Instant::now() + limit;
    let group = Pid::from_child(&child);
    let read = child.stdout.take().map(|pipe| until(pipe, deadline));
    // The pipe is closed before the end is waited for, so that a command that
    // prints for ever ends too.
    let ended = end_of(group).and_then(|end| ready(&end, deadline));
    if !matches!(ended, Ok(true)) {
        // Not waited for yet, so the number is still its own.
        let _sent = kill_process_group(group, Signal::KILL);
    }
    let status = child.wait().map_err(lost)?;
    if !ended.map_err(lost)? {
        return Err(format!(
            "its command did not end within {} s",
            limit.as_secs()
        ));
    }
    let said = read.transpose().map_err(lost)?.unwrap_or_default();
    if !status.success() && said.len() <= SECRET_MOST {
        return Err(format!("its command ended with {status}"));
    }
    Ok(said)
}

/// Reads to the end, or until a secret would be too long, or until the deadline.
fn until(mut pipe: ChildStdout, deadline: Instant) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    while bytes.len() <= SECRET_MOST {
        if !ready(&pipe, deadline)? {
            break;
        }
        match pipe.read(&mut buffer)? {
            0 => break,
            n => bytes.extend_from_slice(&buffer[..n]),
        }
    }
    Ok(bytes)
}

fn ready(source: &impl AsFd, deadline: Instant) -> std::io::Result<bool> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if readable(source, left)? {
            return Ok(true);
        }
        if left.is_zero() {
            return Ok(false);
        }
    }
}

/// Reads a little more than a secret may have.
fn bounded(source: impl Read) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let _n = source
        .take(SECRET_MOST as u64 + 1)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Replaces secrets in a stream, also where one is cut by two reads.
#[derive(Clone, Debug, Default)]
pub struct Masker {
    secrets: Vec<Vec<u8>>,
    held: Vec<u8>,
}

impl Masker {
    /// Masks these values. Longer ones go first, so that one secret inside
    /// another does not leave the rest of the other.
    pub fn new(values: impl IntoIterator<Item = String>) -> Self {
        let mut secrets: Vec<Vec<u8>> = values
            .into_iter()
            .map(String::into_bytes)
            .filter(|value| !value.is_empty())
            .collect();
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        Self {
            secrets,
            held: Vec::new(),
        }
    }

    /// Takes bytes in and gives out what can be said: all but an end that may
    /// be the beginning of a secret.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.held.extend_from_slice(bytes);
        let keep = self.possible_beginning();
        let (said, at) = self.masked_until(self.held.len() - keep);
        drop(self.held.drain(..at));
        said
    }

    /// Gives out what is left.
    pub fn finish(&mut self) -> Vec<u8> {
        let (said, _) = self.masked_until(self.held.len());
        self.held.clear();
        said
    }

    /// Masks a whole text.
    pub fn mask(&self, text: &str) -> String {
        String::from_utf8_lossy(&self.mask_bytes(text.as_bytes())).into_owned()
    }

    /// Masks what is no text.
    pub fn mask_bytes(&self, bytes: &[u8]) -> Vec<u8> {
        let mut fresh = Self {
            secrets: self.secrets.clone(),
            held: bytes.to_vec(),
        };
        fresh.finish()
    }

    /// How many bytes at the end could be the beginning of a secret.
    fn possible_beginning(&self) -> usize {
        let longest = self.secrets.first().map_or(0, |secret| secret.len() - 1);
        (1..=longest.min(self.held.len()))
            .rev()
            .find(|n| {
                let end = &self.held[self.held.len() - n..];
                self.secrets
                    .iter()
                    .any(|secret| secret.len() > *n && secret.starts_with(end))
            })
            .unwrap_or(0)
    }

    fn masked_until(&self, end: usize) -> (Vec<u8>, usize) {
        let mut said = Vec::with_capacity(end);
        let mut at = 0;
        while at < end {
            match self
                .secrets
                .iter()
                .find(|secret| self.held[at..].starts_with(secret))
            {
                Some(secret) => {
                    said.extend_from_slice(MASK);
                    at += secret.len();
                }
                None => {
                    said.push(self.held[at]);
                    at += 1;
                }
            }
        }
        (said, at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_masked_however_it_is_cut() {
        let text = b"key=hunter2hunter22 end hunter";
        for cut in 0..text.len() {
            let mut masker = Masker::new(["hunter2".to_owned(), "hunter22".to_owned()]);
            let mut said = masker.push(&text[..cut]);
            said.extend(masker.push(&text[cut..]));
            said.extend(masker.finish());
            assert_eq!(said, b"key=****** end hunter", "cut at {cut}");
        }
    }

    #[test]
    fn secrets_come_from_files_and_commands_and_never_show() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("key"), "s3cret\r\n").unwrap();
        let file = resolve(&SecretRef::File("key".to_owned()), folder.path()).unwrap();
        assert_eq!(file.expose(), "s3cret");
        assert_eq!(format!("{file:?}"), "Secret(***)");
        let command = SecretRef::Command("cat key".to_owned());
        assert_eq!(resolve(&command, folder.path()).unwrap(), file);
        let failing = SecretRef::Command("cat key; exit 3".to_owned());
        let why = resolve(&failing, folder.path()).unwrap_err();
        assert!(why.contains("3") && !why.contains("s3cret"), "{why}");
        for endless in [
            SecretRef::File("/dev/zero".to_owned()),
            SecretRef::Command("yes".to_owned()),
        ] {
            let why = resolve(&endless, folder.path()).unwrap_err();
            assert!(why.contains("longer than"), "{why}");
        }
        for stuck in ["sleep 600", "exec >&-; sleep 600", "sleep 600 | cat"] {
            let why = said(stuck, folder.path(), Duration::ZERO).unwrap_err();
            assert!(why.contains("within 0 s"), "{why}");
        }
        assert!(resolve(&SecretRef::Env("BATON_NO_SUCH".to_owned()), folder.path()).is_err());
    }
}
