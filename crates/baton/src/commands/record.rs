//! `record`: the portable record, written and verified.
//!
//! The record is JSON lines: the stored bytes of each entry, and a closing line
//! (`baton_core::ledger::chain`). It is checked while it is written, and appears
//! as a whole or not at all. Verifying needs no ledger.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Read as _, Write};
use std::path::Path;

use baton_core::id::Seq;
use baton_core::ledger::chain::{Broken, Checker, Walker};
use baton_store::{Log as _, VALUE_BYTES_MAX};
use serde_json::json;
use tempfile::NamedTempFile;

use crate::exit::Exit;
use crate::render::{Out, Tone};
use baton_engine::desk::Desk;
use baton_engine::failure::Failure;

/// How many entries are read at a time.
const PAGE: usize = 1000;

/// `baton record export PATH`.
pub(crate) fn export(desk: &mut Desk, out: &Out, path: &Path) -> Result<Exit, Failure> {
    if path == Path::new("-") {
        let _walker = write(desk, path, &mut BufWriter::new(out.bytes()))?;
        return Ok(Exit::Good);
    }
    let failed = |error: io::Error| Failure::unwritten(path, &error);
    let walker = match fs::metadata(path) {
        // A pipe or a device takes the bytes as they come, and stays what it is.
        Ok(there) if !there.is_file() && !there.is_dir() => {
            let file = OpenOptions::new().write(true).open(path).map_err(failed)?;
            write(desk, path, &mut BufWriter::new(file))?
        }
        _ => replace(desk, path)?,
    };
    said(out, &walker, &format!("written to {}", path.display()));
    if !out.json {
        out.next(&format!("baton record verify {}", path.display()));
    }
    Ok(Exit::Good)
}

/// Puts the record in the place of the file, whole or not at all. A link stays a link.
fn replace(desk: &mut Desk, path: &Path) -> Result<Walker, Failure> {
    // The name of the file that is written first is nobody's to know.
    let failed = |error: io::Error| Failure::unwritten(path, &io::Error::from(error.kind()));
    let real = fs::canonicalize(path).unwrap_or_else(|_new| path.to_owned());
    let folder = match real.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let mut file = NamedTempFile::new_in(folder).map_err(failed)?;
    let walker = write(desk, path, &mut BufWriter::new(&mut file))?;
    file.as_file().sync_all().map_err(failed)?;
    let _file = file.persist(&real).map_err(|error| failed(error.error))?;
    Ok(walker)
}

/// Writes every entry and the closing line, and checks each on the way.
fn write(desk: &mut Desk, path: &Path, to: &mut impl Write) -> Result<Walker, Failure> {
    let mut walker = Walker::default();
    let failed = |error: io::Error| Failure::unwritten(path, &error);
    loop {
        let page = desk.log.read_bytes(Seq(walker.count()), PAGE)?;
        if page.is_empty() {
            break;
        }
        for bytes in page {
            let _entry = walker.step(&bytes).map_err(|broken| {
                Failure::part("cannot export the ledger: it was changed").because(&broken)
            })?;
            to.write_all(&bytes)
                .and_then(|()| to.write_all(b"\n"))
                .map_err(failed)?;
        }
    }
    writeln!(to, "{}", walker.seal())
        .and_then(|()| to.flush())
        .map_err(failed)?;
    Ok(walker)
}

/// `baton record verify PATH`.
pub(crate) fn verify(path: &Path, out: &Out) -> Result<Exit, Failure> {
    let unread =
        |error: &io::Error| Failure::part(format!("cannot read {}", path.display())).because(error);
    let file = File::open(path).map_err(|error| unread(&error))?;
    match check(&mut BufReader::new(file)).map_err(|error| unread(&error))? {
        Ok(walker) => {
            said(out, &walker, "the record is whole");
            Ok(Exit::Good)
        }
        Err(Broken { position, why }) => {
            if out.json {
                out.json(&json!({ "format": 1, "whole": false, "position": position, "why": why }));
            } else {
                out.text(
                    &format!("the record is not whole: at line {position}, {why}"),
                    0,
                    Tone::Bad,
                );
            }
            Ok(Exit::Bad)
        }
    }
}

/// Checks a record line by line, each of which fits into an entry of the ledger.
fn check(record: &mut impl BufRead) -> io::Result<Result<Walker, Broken>> {
    let mut checker = Checker::default();
    let mut line = Vec::new();
    // The longest line: an entry, and its line end.
    let most = u64::try_from(VALUE_BYTES_MAX).unwrap_or(u64::MAX) + 1;
    loop {
        line.clear();
        if record.by_ref().take(most).read_until(b'\n', &mut line)? == 0 {
            return Ok(checker.finish());
        }
        let line = line.strip_suffix(b"\n").unwrap_or(&line);
        if let Err(broken) = checker.line(line) {
            return Ok(Err(broken));
        }
    }
}

fn said(out: &Out, walker: &Walker, what: &str) {
    if out.json {
        out.json(&json!({
            "format": 1, "whole": true, "entries": walker.count(), "head": walker.head(),
        }));
        return;
    }
    let entries = match walker.count() {
        1 => "1 entry".to_owned(),
        n => format!("{n} entries"),
    };
    out.text(&format!("{entries}; {what}"), 0, Tone::Good);
    out.text(&format!("head {}", walker.head()), 0, Tone::Plain);
}
