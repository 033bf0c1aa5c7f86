//! Every identifier of Baton, each a type of its own.
//!
//! Two families: *names* that people write (handles, hosts, steps), which are
//! kept as written, and *made ids* (`run_…`, `att_…`), whose prefix is written
//! here and whose random part is drawn at the edge. No function takes a bare
//! string where an id is meant.

mod canonical;

use std::borrow::Borrow;
use std::fmt;
use std::ops::Deref;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

macro_rules! names {
    ($($(#[$meta:meta])* $name:ident;)*) => {$(
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes the text as it was written.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The text as it was written.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Deref for $name {
            type Target = str;
            fn deref(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }
    )*};
}

names! {
    /// A person, as the contract's `people` names them: `dana`.
    Handle;
    /// A team of the contract: `operations`.
    TeamName;
    /// A role of the room: `launch-lead`.
    RoleName;
    /// An environment of the contract: `production`.
    EnvName;
    /// A host within an environment: `web1`. The folder of the contract itself
    /// (where a step without `on` runs) is [`HostName::here`].
    HostName;
    /// A group of hosts: `web`.
    GroupName;
    /// One line of the definition of done: `tests`.
    CriterionId;
    /// One success measure: `errors`.
    MeasureId;
    /// One expectation both sides answer: `peak`.
    ExpectationId;
    /// One step of the runbook, unique in the file: `install`.
    StepId;
    /// A component a release touches: `orders-db`.
    Component;
    /// A handoff: name, version and launch environment, `shop/2.4.0/production`.
    HandoffId;
    /// One run, made at the edge: `run_7f…`.
    RunId;
    /// One attempt at one fence of one step on one host: `att_7f…`.
    AttemptId;
    /// One lesson of a review: `les_7f…`.
    LessonId;
    /// One notice for a bridge, made of what it tells: `ntc_7f…`.
    NoticeId;
}

/// The handle of Baton itself, as the author of what it records. No person of a
/// contract bears it.
pub const BATON: &str = "baton";

impl HostName {
    /// The folder of the contract, where steps without `on` and criteria run.
    /// Empty, so that no written name can mean it.
    pub fn here() -> Self {
        Self(String::new())
    }

    /// Whether this is the contract's own folder.
    pub fn is_here(&self) -> bool {
        self.0.is_empty()
    }
}

impl HandoffId {
    /// The identity of a handoff: its name, version and launch environment.
    pub fn of(name: &str, version: &str, environment: &EnvName) -> Self {
        Self(format!("{name}/{version}/{environment}"))
    }
}

macro_rules! made {
    ($($name:ident = $prefix:literal),* $(,)?) => {$(
        impl $name {
            /// Makes an id from 64 random bits and the moment, both drawn at the
            /// edge; ids sort by the moment they were made.
            pub fn made(at: Timestamp, random: u64) -> Self {
                let millis = at.as_millisecond().max(0);
                Self(format!(concat!($prefix, "_{:011x}{:016x}"), millis, random))
            }
        }
    )*};
}

made!(RunId = "run", AttemptId = "att", LessonId = "les");

/// The position of an event in the ledger; the first is 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seq(pub u64);

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How often a run's lease was taken: the fencing token of its driver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(pub u64);

/// A SHA-256 digest, written `sha256:` and 64 lower-case hex digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Digest(String);

impl Digest {
    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self::finish(Sha256::new_with_prefix(bytes))
    }

    /// The digest of a hasher that was fed piece by piece.
    pub fn finish(hasher: Sha256) -> Self {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let mut text = String::with_capacity(71);
        text.push_str("sha256:");
        for byte in hasher.finalize() {
            for half in [byte >> 4, byte & 15] {
                text.push(char::from(HEX[usize::from(half)]));
            }
        }
        Self(text)
    }

    /// The digest of a value's canonical JSON (RFC 8785).
    ///
    /// # Panics
    /// Never for the types of this crate: they serialise to plain JSON.
    pub fn of_value(value: &impl Serialize) -> Self {
        Self::of(&canonical(value))
    }

    /// Reads `sha256:…`; `None` when the text is not such a digest.
    pub fn parse(text: &str) -> Option<Self> {
        let hex = text.strip_prefix("sha256:")?;
        let lower = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        (hex.len() == 64 && hex.bytes().all(lower)).then(|| Self(text.to_owned()))
    }

    /// The digest as text, with its `sha256:` prefix.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A short form for people: the first 12 hex digits.
    pub fn short(&self) -> &str {
        self.0.get(7..19).unwrap_or(&self.0)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The canonical JSON bytes of a value, per RFC 8785 (keys sorted by UTF-16
/// code units, numbers as ECMAScript prints them, no white space).
///
/// # Panics
/// When the value does not serialise to JSON, which is a bug of ours: every
/// type that is hashed has string keys, each once.
pub fn canonical(value: &impl Serialize) -> Vec<u8> {
    canonical::to_vec(value).expect("hashed values are plain JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digest_matches_the_published_vector() {
        // FIPS 180-2, appendix B.1.
        let digest = Digest::of(b"abc");
        assert_eq!(
            digest.as_str(),
            "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(digest.short(), "ba7816bf8f01");
        assert_eq!(Digest::parse(digest.as_str()), Some(digest));
        assert_eq!(Digest::parse("sha256:xyz"), None);
    }

    #[test]
    fn canonical_json_sorts_keys_and_prints_numbers_as_rfc_8785() {
        let value = serde_json::json!({"b": 1.0, "a": [true, null, 1e21], "\u{20ac}": "x"});
        let text = String::from_utf8(canonical(&value)).unwrap();
        assert_eq!(text, "{\"a\":[true,null,1e+21],\"b\":1,\"\u{20ac}\":\"x\"}");
    }

    #[test]
    fn made_ids_sort_by_time() {
        let early = RunId::made(Timestamp::from_second(1).unwrap(), u64::MAX);
        let late = RunId::made(Timestamp::from_second(2).unwrap(), 0);
        assert!(early < late);
        assert!(early.as_str().starts_with("run_"));
    }
}
