//! What is hashed: the canonical bytes of one entry.
//!
//! The bytes are the RFC 8785 canonical JSON of the object
//! `{"v","seq","at","by","handoff","run","event","prev"}`: `v` is
//! [`EVENT_FORMAT`], `seq` counts from 1 without
//! gaps, `at` is RFC 3339 in UTC, `by` a handle or `baton`, `run` is null
//! outside a run, and `prev` is the SHA-256 digest of the bytes of the entry
//! before ([`genesis`] for the first).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::event::{EVENT_FORMAT, Event};
pub use crate::id::BATON;
use crate::id::{Digest, Handle, HandoffId, RunId, Seq, canonical};

/// An event that is to be appended; the store gives it its place in the chain.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// When it happened.
    pub at: Timestamp,
    /// Who says so: a person's handle, or [`BATON`].
    pub by: Handle,
    /// The handoff it belongs to.
    pub handoff: HandoffId,
    /// The run it belongs to.
    pub run: Option<RunId>,
    /// What happened.
    pub event: Event,
}

/// An event in its place in the ledger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The version of the event list of the program that wrote it.
    pub v: u32,
    /// Position, from 1.
    pub seq: Seq,
    /// When it happened.
    pub at: Timestamp,
    /// Who says so.
    pub by: Handle,
    /// The handoff it belongs to.
    pub handoff: HandoffId,
    /// The run it belongs to.
    pub run: Option<RunId>,
    /// What happened.
    pub event: Event,
    /// Digest of the entry before.
    pub prev: Digest,
}

/// What the first entry points back to: the digest of `baton ledger 1`.
pub fn genesis() -> Digest {
    Digest::of(b"baton ledger 1")
}

impl Draft {
    /// That its event, written and read back, is the same.
    ///
    /// # Errors
    /// Says that it is not: JSON has no infinite numbers, say, and an entry that
    /// cannot be read damages the ledger for good.
    pub fn reads_back(&self) -> Result<(), String> {
        match serde_json::from_slice::<Event>(&canonical(&self.event)) {
            Ok(read) if read == self.event => Ok(()),
            Ok(_) => Err("it would be read back as another".to_owned()),
            Err(why) => Err(format!("it could not be read back: {why}")),
        }
    }
}

impl Entry {
    /// Puts a draft in its place.
    pub fn seal(draft: Draft, seq: Seq, prev: Digest) -> Self {
        let Draft {
            at,
            by,
            handoff,
            run,
            event,
        } = draft;
        Self {
            v: EVENT_FORMAT,
            seq,
            at,
            by,
            handoff,
            run,
            event,
            prev,
        }
    }

    /// The canonical bytes that are stored, exported and hashed.
    pub fn bytes(&self) -> Vec<u8> {
        canonical(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A golden vector: these bytes may never change.
    #[test]
    fn bytes_are_as_specified() {
        let draft = Draft {
            at: "2026-11-22T10:00:00Z".parse().unwrap(),
            by: Handle::from("dana"),
            handoff: HandoffId::from("shop/2.4.0/production"),
            run: None,
            event: Event::Said {
                text: "é \"quoted\"\n".to_owned(),
            },
        };
        let entry = Entry::seal(draft, Seq(1), genesis());
        let text = String::from_utf8(entry.bytes()).unwrap();
        assert_eq!(
            text,
            format!(
                r#"{{"at":"2026-11-22T10:00:00Z","by":"dana","event":{{"kind":"said","text":"é \"quoted\"\n"}},"handoff":"shop/2.4.0/production","prev":"{}","run":null,"seq":1,"v":1}}"#,
                genesis()
            )
        );
        let read: Entry = serde_json::from_str(&text).unwrap();
        assert_eq!(read, entry);
        assert_eq!(read.bytes(), text.as_bytes());
    }

    #[test]
    fn what_no_ledger_can_hold_is_told_before_it_is_written() {
        let draft = |spread: f64| Draft {
            at: "2026-11-22T10:00:00Z".parse().unwrap(),
            by: Handle::from("baton"),
            handoff: HandoffId::from("shop/2.4.0/production"),
            run: None,
            event: Event::WatchBegan {
                step: None,
                stage: 0,
                learned: [(
                    "m".into(),
                    crate::watch::Learned {
                        histogram: vec![spread as u64],
                        forecast: Some(crate::watch::Forecast {
                            shares: vec![0.1],
                            margin: spread,
                            dispersion: 1.0,
                        }),
                        ..Default::default()
                    },
                )]
                .into(),
            },
        };
        for kept in [1.0, 0.1 + 0.2, 1e15] {
            assert_eq!(draft(kept).reads_back(), Ok(()), "{kept}");
        }
        for lost in [f64::INFINITY, f64::NAN, 1e20] {
            assert!(draft(lost).reads_back().is_err(), "{lost}");
        }
    }
}
