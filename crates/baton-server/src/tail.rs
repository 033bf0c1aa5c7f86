//! What commands print while they are under way. The wrapper masks secrets
//! before it writes, so what is read here may be shown.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

use baton_core::id::AttemptId;

use crate::wire::OutputFrame;

/// The most that is read of one command at a time.
pub(crate) const PIECE: u64 = 64 * 1024;

/// How far each command's output was told.
#[derive(Default)]
pub(crate) struct Tails {
    told: BTreeMap<AttemptId, u64>,
}

impl Tails {
    /// Tells what `active` commands printed since, and the last of those that
    /// have ended.
    pub(crate) fn follow<'a>(
        &mut self,
        attempts: &Path,
        active: impl Iterator<Item = &'a AttemptId>,
        tell: &mut dyn FnMut(OutputFrame),
    ) {
        let mut before = std::mem::take(&mut self.told);
        for attempt in active {
            let from = before.remove(attempt).unwrap_or(0);
            let next = told(attempts, attempt, from, tell);
            self.told.insert(attempt.clone(), next);
        }
        for (attempt, from) in before {
            let _last = told(attempts, &attempt, from, tell);
        }
    }
}

fn told(attempts: &Path, attempt: &AttemptId, from: u64, tell: &mut dyn FnMut(OutputFrame)) -> u64 {
    let Some((text, next)) = piece(attempts, attempt, from) else {
        return from;
    };
    if next > from {
        tell(OutputFrame {
            attempt: attempt.to_string(),
            from,
            next,
            text,
        });
    }
    next
}

/// A piece of what an attempt printed, and the place behind it; `None` when its
/// output is not kept here.
pub(crate) fn piece(attempts: &Path, attempt: &AttemptId, from: u64) -> Option<(String, u64)> {
    // An id is a name of ours; one that is not leads nowhere.
    let plain = attempt
        .as_str()
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !plain || attempt.as_str().is_empty() {
        return None;
    }
    let mut file = File::open(attempts.join(attempt.as_str()).join("output")).ok()?;
    let _at = file.seek(SeekFrom::Start(from)).ok()?;
    let mut bytes = Vec::new();
    let _read = file.take(PIECE).read_to_end(&mut bytes).ok()?;
    Some(whole(&bytes, from))
}

/// The text of bytes that may end within a character, and the place behind it.
pub(crate) fn whole(bytes: &[u8], from: u64) -> (String, u64) {
    let cut = match std::str::from_utf8(bytes) {
        // The rest of a character that is still to come.
        Err(error) if error.error_len().is_none() && error.valid_up_to() > 0 => error.valid_up_to(),
        _ => bytes.len(),
    };
    let text = String::from_utf8_lossy(&bytes[..cut]).into_owned();
    (text, from + cut as u64)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn output_is_told_once_in_order_and_by_whole_characters() {
        let folder = tempfile::tempdir().unwrap();
        let attempt = AttemptId::from("a1");
        let place = folder.path().join("a1");
        fs::create_dir(&place).unwrap();
        let mut tails = Tails::default();
        let mut told = Vec::new();
        let mut follow = |tails: &mut Tails, active: &[AttemptId]| {
            tails.follow(folder.path(), active.iter(), &mut |piece| {
                told.push(piece.text)
            });
        };
        let active = [attempt];
        follow(&mut tails, &active);
        fs::write(place.join("output"), b"gr\xc3").unwrap();
        follow(&mut tails, &active);
        fs::write(place.join("output"), b"gr\xc3\xbcn").unwrap();
        follow(&mut tails, &active);
        fs::write(place.join("output"), b"gr\xc3\xbcn\xff!").unwrap();
        // It has ended: the last of it is told, and then nothing more.
        follow(&mut tails, &[]);
        follow(&mut tails, &[]);
        assert_eq!(told, ["gr", "ün", "\u{fffd}!"]);
    }

    #[test]
    fn an_id_that_is_a_path_leads_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("output"), b"not an attempt's").unwrap();
        for id in ["", ".", "..", "../x", "a/b", "/etc"] {
            assert_eq!(piece(folder.path(), &AttemptId::from(id), 0), None, "{id}");
        }
    }
}
