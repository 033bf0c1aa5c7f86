//! A pseudo-terminal, so that a command behaves as it does before a person.

use std::fs::File;
use std::io::Read;
use std::process::{Command, ExitStatus, Stdio};

use rustix::fs::{Mode, OFlags};
use rustix::pty::OpenptFlags;
use rustix::termios::Winsize;

use crate::Answer;

/// Runs a command to its end with nobody at the keyboard; gives all it wrote.
pub(super) fn record(mut command: Command, columns: u16) -> Answer<(String, ExitStatus)> {
    let (ours, theirs) = open(columns).map_err(|why| format!("cannot open a terminal: {why}"))?;
    let name = command.get_program().to_string_lossy().into_owned();
    let second = theirs
        .try_clone()
        .map_err(|why| format!("cannot open a terminal: {why}"))?;
    command.stdin(Stdio::null()).stdout(theirs).stderr(second);
    let mut child = command
        .spawn()
        .map_err(|why| format!("cannot start {name}: {why}"))?;
    // The terminal ends when the last one who may write to it lets go: so we must too.
    drop(command);
    let written = read_to_end(ours);
    let status = child
        .wait()
        .map_err(|why| format!("cannot wait for {name}: {why}"))?;
    Ok((String::from_utf8_lossy(&written).into_owned(), status))
}

/// Our end and theirs. Theirs never becomes our controlling terminal.
fn open(columns: u16) -> rustix::io::Result<(File, File)> {
    let ours = rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    rustix::pty::grantpt(&ours)?;
    rustix::pty::unlockpt(&ours)?;
    let name = rustix::pty::ptsname(&ours, Vec::new())?;
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let theirs = rustix::fs::open(&name, flags, Mode::empty())?;
    let size = Winsize {
        ws_row: 50,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    rustix::termios::tcsetwinsize(&theirs, size)?;
    Ok((File::from(ours), File::from(theirs)))
}

/// A terminal whose other end is closed answers with an error where a file
/// would just end; both are the end.
fn read_to_end(mut terminal: File) -> Vec<u8> {
    let mut written = Vec::new();
    let mut buffer = [0; 8192];
    while let Ok(count @ 1..) = terminal.read(&mut buffer) {
        written.extend_from_slice(&buffer[..count]);
    }
    written
}
