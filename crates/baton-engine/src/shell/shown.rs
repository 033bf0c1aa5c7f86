//! What a command far away has printed so far, where people look for it: in the
//! attempt's folder on this machine, like the output of a command here. It is
//! for reading along; the end brings what is kept.

use std::fs::{File, OpenOptions};
use std::io;
use std::mem;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

use super::attempt::OUTPUT_HEAD;
use super::local::make_folder;
use super::ssh::plain;
use crate::secret::Masker;

/// One connection's view of it, from the beginning. A later connection writes
/// the same bytes to the same places.
pub(super) struct Shown<'a> {
    place: &'a Path,
    file: Option<File>,
    hex: bool,
    /// A digit whose other half is still to come.
    half: Vec<u8>,
    masker: Masker,
    received: usize,
    written: u64,
}

impl<'a> Shown<'a> {
    /// Nothing yet. The host has masked what it sends, and where there are
    /// secrets it does so in hex digits; `masker` is for what it may have missed.
    pub(super) fn new(place: &'a Path, hex: bool, masker: Masker) -> Self {
        Self {
            place,
            file: None,
            hex,
            half: Vec::new(),
            masker,
            received: 0,
            written: 0,
        }
    }

    /// Takes the next piece; `false` when no host of ours would send so much.
    pub(super) fn take(&mut self, piece: &[u8]) -> bool {
        self.received += piece.len();
        if self.received > OUTPUT_HEAD * if self.hex { 2 } else { 1 } {
            return false;
        }
        let mut bytes = mem::take(&mut self.half);
        bytes.extend_from_slice(piece);
        if self.hex && bytes.len() % 2 == 1 {
            self.half.extend(bytes.pop());
        }
        let said = self.masker.push(&plain(bytes, self.hex));
        // What cannot be shown is not lost.
        let _written = self.write(&said);
        true
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.file.is_none() {
            make_folder(self.place)?;
            let mut options = OpenOptions::new();
            let options = options.create(true).write(true).mode(0o600);
            self.file = Some(options.open(self.place.join("output"))?);
        }
        if let Some(file) = &self.file {
            file.write_all_at(bytes, self.written)?;
            self.written += bytes.len() as u64;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn pieces_make_the_whole_masked_also_where_they_are_cut_and_sent_again() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("att_1");
        let digits: String = b"a hunter22 b".iter().map(|b| format!("{b:02x}")).collect();
        for cut in 1..digits.len() {
            let (one, two) = digits.as_bytes().split_at(cut);
            let masker = Masker::new(["hunter22".to_owned()]);
            let mut shown = Shown::new(&place, true, masker);
            assert!(shown.take(one) && shown.take(two));
            let said = fs::read_to_string(place.join("output")).unwrap();
            assert_eq!(said, "a *** b", "cut at {cut}");
        }
    }

    #[test]
    fn more_than_a_host_keeps_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("att_1");
        let mut shown = Shown::new(&place, false, Masker::default());
        assert!(shown.take(&vec![b'x'; OUTPUT_HEAD]));
        assert!(!shown.take(b"x"));
        let kept = fs::metadata(place.join("output")).unwrap().len();
        assert_eq!(kept, OUTPUT_HEAD as u64);
    }
}
