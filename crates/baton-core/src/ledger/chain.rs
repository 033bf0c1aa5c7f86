//! Checking a chain of entries, with nothing but their bytes.
//!
//! The portable record (`baton record export`) is JSON lines: the canonical
//! bytes of each entry, and a last line `{"baton-record":1,"count":N,"head":"sha256:…"}`
//! that closes it, so that a cut file is seen. Checking needs no store.

use serde::{Deserialize, Serialize};

use super::canon::{Entry, genesis};
use crate::event::EVENT_FORMAT;
use crate::id::{Digest, Seq};

/// Where a chain is broken, and how.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("entry {position}: {why}")]
pub struct Broken {
    /// The position of the first bad entry, from 1.
    pub position: u64,
    /// What is wrong with it.
    pub why: String,
}

/// Walks a chain from its first entry.
#[derive(Clone, Debug)]
pub struct Walker {
    next: Seq,
    head: Digest,
}

impl Default for Walker {
    fn default() -> Self {
        Self {
            next: Seq(1),
            head: genesis(),
        }
    }
}

impl Walker {
    /// Checks the bytes of the next entry.
    ///
    /// # Errors
    /// Says what is wrong: not an entry, not canonical, out of place, of an
    /// unknown format, or not following the one before.
    pub fn step(&mut self, bytes: &[u8]) -> Result<Entry, Broken> {
        let broken = |why: String| Broken {
            position: self.next.0,
            why,
        };
        let newer = |v: u32| {
            broken(format!(
                "it was written by a newer Baton (format {v}, this one reads up to {EVENT_FORMAT})"
            ))
        };
        let entry: Entry = serde_json::from_slice(bytes).map_err(|error| {
            // What a newer Baton records may be of a kind that has no name here.
            match serde_json::from_slice(bytes) {
                Ok(Version { v }) if v > EVENT_FORMAT => newer(v),
                _ => broken(format!("it cannot be read as an entry ({error})")),
            }
        })?;
        if entry.v > EVENT_FORMAT {
            return Err(newer(entry.v));
        }
        if entry.bytes() != bytes {
            return Err(broken("its bytes are not in canonical form".to_owned()));
        }
        if entry.seq != self.next {
            return Err(broken(format!("it says it is entry {}", entry.seq)));
        }
        if entry.prev != self.head {
            return Err(broken(
                "it does not follow the entry before: one of the two was changed".to_owned(),
            ));
        }
        self.head = Digest::of(bytes);
        self.next = Seq(self.next.0 + 1);
        Ok(entry)
    }

    /// The digest of the last entry checked.
    pub fn head(&self) -> &Digest {
        &self.head
    }

    /// How many entries were checked.
    pub fn count(&self) -> u64 {
        self.next.0 - 1
    }

    /// The line that closes a record of these entries.
    pub fn seal(&self) -> String {
        let seal = Seal {
            version: 1,
            count: self.count(),
            head: self.head.clone(),
        };
        String::from_utf8_lossy(&crate::id::canonical(&seal)).into_owned()
    }
}

/// All that is read of an entry that cannot be read.
#[derive(Deserialize)]
struct Version {
    v: u32,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Seal {
    #[serde(rename = "baton-record")]
    version: u32,
    count: u64,
    head: Digest,
}

/// Checks an exported record line by line, without holding it.
#[derive(Debug, Default)]
pub struct Checker {
    walker: Walker,
    seal: Option<Seal>,
}

impl Checker {
    /// Takes the next line, without its line end.
    ///
    /// # Errors
    /// As [`Walker::step`], or something follows the closing line.
    pub fn line(&mut self, line: &[u8]) -> Result<(), Broken> {
        if self.seal.is_some() {
            return Err(Broken {
                position: self.walker.count() + 2,
                why: "something follows the closing line".to_owned(),
            });
        }
        match serde_json::from_slice::<Seal>(line) {
            Ok(seal) => self.seal = Some(seal),
            Err(_not_the_seal) => {
                let _entry = self.walker.step(line)?;
            }
        }
        Ok(())
    }

    /// Says that there is no further line, and returns the walker.
    ///
    /// # Errors
    /// The closing line is missing or does not fit; it counts as the one after
    /// the last entry.
    pub fn finish(self) -> Result<Walker, Broken> {
        let Self { walker, seal } = self;
        let broken = |why: &str| Broken {
            position: walker.count() + 1,
            why: why.to_owned(),
        };
        match seal {
            None => Err(broken("the closing line is missing: the record was cut")),
            Some(seal) if seal.version != 1 => {
                Err(broken("the closing line has an unknown version"))
            }
            Some(seal) if seal.count != walker.count() => Err(broken(
                "the closing line counts other entries: some were added or removed",
            )),
            Some(seal) if seal.head != *walker.head() => Err(broken(
                "the closing line has another digest: the last entry was changed",
            )),
            Some(_) => Ok(walker),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;
    use crate::id::{Handle, HandoffId};
    use crate::ledger::Draft;

    fn record(n: u64) -> Vec<Vec<u8>> {
        let mut walker = Walker::default();
        let mut lines = Vec::new();
        for i in 0..n {
            let draft = Draft {
                at: jiff::Timestamp::from_second(i64::try_from(i).unwrap()).unwrap(),
                by: Handle::from("dana"),
                handoff: HandoffId::from("shop/1/prod"),
                run: None,
                event: Event::Said {
                    text: format!("line {i}"),
                },
            };
            let entry = Entry::seal(draft, Seq(i + 1), walker.head().clone());
            let _checked = walker.step(&entry.bytes()).unwrap();
            lines.push(entry.bytes());
        }
        lines.push(walker.seal().into_bytes());
        lines
    }

    fn verify(lines: &[Vec<u8>]) -> Result<Walker, Broken> {
        let mut checker = Checker::default();
        for line in lines {
            checker.line(line)?;
        }
        checker.finish()
    }

    #[test]
    fn a_whole_record_verifies_and_the_empty_one_too() {
        assert_eq!(verify(&record(5)).unwrap().count(), 5);
        assert_eq!(verify(&record(0)).unwrap().count(), 0);
        assert!(verify(&[]).is_err());
        let mut more = record(2);
        let seal = String::from_utf8(more.remove(2)).unwrap();
        let seal = seal.replace("{\"baton", "{\"at\":\"noon\",\"baton");
        more.push(seal.into_bytes());
        assert!(verify(&more).is_err(), "nothing rides along with the seal");
    }

    #[test]
    fn counts_of_any_size_read_back_as_they_were_written() {
        let counts = crate::watch::Counts::new(u64::MAX - 1, u64::MAX);
        let sample = crate::watch::Sample::of(counts, Some(counts));
        let draft = Draft {
            at: jiff::Timestamp::UNIX_EPOCH,
            by: Handle::from("baton"),
            handoff: HandoffId::from("shop/1/prod"),
            run: None,
            event: Event::Judged {
                samples: [("errors".into(), sample)].into(),
                verdict: crate::watch::Verdict {
                    decision: crate::watch::Decision::Hold,
                    because: "Watching.".to_owned(),
                    measures: Vec::new(),
                },
            },
        };
        let mut walker = Walker::default();
        let entry = Entry::seal(draft, Seq(1), walker.head().clone());
        assert_eq!(walker.step(&entry.bytes()), Ok(entry));
    }

    #[test]
    fn an_entry_of_a_newer_baton_is_told_from_a_broken_one() {
        let mut newer = record(1).remove(0);
        let text = String::from_utf8(newer).unwrap();
        let text = text.replace("\"kind\":\"said\"", "\"kind\":\"sung\"");
        newer = text.replace("\"v\":1}", "\"v\":2}").into_bytes();
        let broken = Walker::default().step(&newer).unwrap_err();
        assert!(broken.why.contains("newer Baton"), "{broken}");
        let broken = Walker::default().step(text.as_bytes()).unwrap_err();
        assert!(broken.why.contains("cannot be read"), "{broken}");
    }

    #[test]
    fn every_flip_drop_swap_and_cut_is_found_at_its_place() {
        let good = record(6);
        for line in 0..good.len() {
            for byte in 0..good[line].len() {
                let mut bad = good.clone();
                bad[line][byte] ^= 1;
                let broken = verify(&bad).unwrap_err();
                let at = u64::try_from(line).unwrap() + 1;
                assert!(
                    broken.position == at || broken.position == at + 1,
                    "{broken}"
                );
            }
            let mut dropped = good.clone();
            let _gone = dropped.remove(line);
            assert_eq!(
                verify(&dropped).unwrap_err().position,
                u64::try_from(line).unwrap() + 1
            );
            let cut = &good[..line];
            assert_eq!(
                verify(cut).unwrap_err().position,
                u64::try_from(line).unwrap() + 1
            );
            if line + 1 < good.len() {
                let mut swapped = good.clone();
                swapped.swap(line, line + 1);
                assert!(verify(&swapped).is_err());
            }
        }
    }
}
