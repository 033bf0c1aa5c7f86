//! The facts of one environment at one moment.
//!
//! Promises the same digest for the same stable facts, whenever and in whatever
//! order they were read. Says for every layer whether it was read: the absence
//! of facts is never equality.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::{Digest, EnvName, HostName};
use crate::parity::fact::{Class, Collector, Fact, FactName};
use crate::parity::sheet::{self, Sheet};

/// How far the reading of one layer of one host came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", content = "because", rename_all = "kebab-case")]
pub enum LayerStatus {
    /// Read whole: a fact that is not there is not so.
    Ok,
    /// Read in part.
    Partial(String),
    /// There is no such thing on the host.
    Absent,
    /// It may not be read.
    Denied(String),
    /// It took too long.
    Timeout,
    /// It was not read.
    NotCollected(String),
}

impl LayerStatus {
    /// Whether what is not among the facts is known not to be.
    pub fn is_whole(&self) -> bool {
        matches!(self, Self::Ok | Self::Absent)
    }

    /// Whether the layer was read whole.
    pub fn is_ok(&self) -> bool {
        *self == Self::Ok
    }

    /// The same status with another reason, where it has one.
    #[must_use]
    pub fn map_reason(self, change: impl FnOnce(String) -> String) -> Self {
        match self {
            Self::Partial(reason) => Self::Partial(change(reason)),
            Self::Denied(reason) => Self::Denied(change(reason)),
            Self::NotCollected(reason) => Self::NotCollected(change(reason)),
            Self::Ok | Self::Absent | Self::Timeout => self,
        }
    }
}

impl fmt::Display for LayerStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ok => f.write_str("read whole"),
            Self::Partial(reason) => write!(f, "read in part: {reason}"),
            Self::Absent => f.write_str("there is none"),
            Self::Denied(reason) => write!(f, "may not be read: {reason}"),
            Self::Timeout => f.write_str("took too long"),
            Self::NotCollected(reason) => write!(f, "not read: {reason}"),
        }
    }
}

/// What was read on one host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostFacts {
    /// The facts.
    pub facts: BTreeMap<FactName, Fact>,
    /// How far each layer that was asked for was read.
    pub layers: BTreeMap<String, LayerStatus>,
}

/// What is known of one fact on one host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known<'a> {
    /// It is so.
    Is(&'a Fact),
    /// Its layer was read whole, and there is no such fact.
    Not,
    /// Its layer was not read whole, so nobody knows.
    Unknown,
}

impl HostFacts {
    /// What is known of a fact. A fact that was read counts even where its
    /// layer was read in part; one that was not read is missing only where the
    /// layer was read whole, or is known not to be there at all.
    pub fn known(&self, name: &FactName) -> Known<'_> {
        match self.facts.get(name) {
            Some(fact) => Known::Is(fact),
            None if self
                .layers
                .get(name.layer())
                .is_some_and(LayerStatus::is_whole) =>
            {
                Known::Not
            }
            None => Known::Unknown,
        }
    }
}

/// The format of a fingerprint this version writes.
pub const FORMAT: u32 = 2;

/// The facts of one environment at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// [`FORMAT`] of the version that wrote it.
    pub format: u32,
    /// The environment.
    pub environment: EnvName,
    /// When the reading began.
    pub at: Timestamp,
    /// The digest of what was asked for, as [`asked`] makes it.
    pub asked: Digest,
    /// Its hosts.
    pub hosts: BTreeMap<HostName, HostFacts>,
}

/// The digest of what a contract asks to be read, whatever the order.
pub fn asked(collectors: &[Collector]) -> Digest {
    let mut sorted: Vec<&Collector> = collectors.iter().collect();
    sorted.sort();
    Digest::of_value(&sorted)
}

impl Fingerprint {
    /// A fingerprint of hosts that were all asked the same.
    pub fn new(
        environment: EnvName,
        at: Timestamp,
        collectors: &[Collector],
        hosts: BTreeMap<HostName, HostFacts>,
    ) -> Self {
        Self {
            format: FORMAT,
            environment,
            at,
            asked: asked(collectors),
            hosts,
        }
    }

    /// Whether it was taken for exactly these questions. One that was not is
    /// stale: what the contract asks since would be missing on both sides, and
    /// that is no equality.
    pub fn answers(&self, collectors: &[Collector]) -> bool {
        self.asked == asked(collectors)
    }

    /// The digest of all stable facts: SHA-256 over each host's name and a line
    /// break, and then the lines of its stable facts as [`sheet`] writes them.
    /// Neither the moment nor the environment's name, nor facts of another
    /// class, change it.
    pub fn digest(&self) -> Digest {
        let mut stable = Vec::new();
        for (host, facts) in &self.hosts {
            stable.extend_from_slice(host.as_str().as_bytes());
            stable.push(b'\n');
            let facts = facts.facts.iter();
            for (name, fact) in facts.filter(|(_, fact)| fact.class == Class::Stable) {
                sheet::line(name, fact, &mut stable);
            }
        }
        Digest::of(&stable)
    }

    /// The bytes under which it is stored; see [`sheet`].
    pub fn to_bytes(&self) -> Vec<u8> {
        sheet::write(self)
    }

    /// Reads what [`Self::to_bytes`] wrote; `None` for anything else.
    pub fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        Sheet::read(bytes)?.fingerprint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parity::fact::Value;

    fn sample() -> Fingerprint {
        let mut host = HostFacts::default();
        host.layers.insert("env".to_owned(), LayerStatus::Ok);
        let text = |t: &str| Fact::stable(Value::Text(t.to_owned()));
        host.facts
            .insert(FactName::new("env", "APP_MODE"), text("release"));
        host.facts
            .insert(FactName::new("os", "release"), text("debian 12"));
        let hosts = [(HostName::new("web1"), host)].into();
        Fingerprint::new(
            EnvName::new("staging"),
            Timestamp::UNIX_EPOCH,
            &[Collector::Os],
            hosts,
        )
    }

    fn web1(print: &mut Fingerprint) -> &mut HostFacts {
        print.hosts.get_mut("web1").unwrap()
    }

    #[test]
    fn the_digest_is_of_the_specified_bytes() {
        let bytes = b"web1\nenv:APP_MODE\tstrelease\nos:release\tstdebian 12\n";
        assert_eq!(sample().digest(), Digest::of(bytes));
    }

    #[test]
    fn the_digest_is_of_stable_facts_only() {
        let mut other = sample();
        other.at = Timestamp::from_second(99).unwrap();
        other.environment = EnvName::new("production");
        let secret = Fact::secret(b"key", "value");
        web1(&mut other)
            .facts
            .insert(FactName::new("env", "DB_KEY"), secret);
        assert_eq!(other.digest(), sample().digest());

        let changed = Fact::stable(Value::Text("debug".to_owned()));
        web1(&mut other)
            .facts
            .insert(FactName::new("env", "APP_MODE"), changed);
        assert_ne!(other.digest(), sample().digest());
    }

    #[test]
    fn a_stored_fingerprint_reads_back_the_same() {
        let mut print = sample();
        let layers = &mut web1(&mut print).layers;
        layers.insert("files".to_owned(), LayerStatus::Partial("why".to_owned()));
        layers.insert("command".to_owned(), LayerStatus::Timeout);
        let bytes = print.to_bytes();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        assert!(
            text.contains(r#""files":{"is":"partial","because":"why"}"#),
            "{text}"
        );
        assert_eq!(Fingerprint::from_bytes(bytes).unwrap(), print);
    }

    #[test]
    fn it_answers_exactly_the_questions_it_was_taken_for() {
        let env = Collector::Env {
            names: vec!["APP_*".to_owned()],
        };
        let print = |asked: &[Collector]| {
            Fingerprint::new(
                EnvName::new("e"),
                Timestamp::UNIX_EPOCH,
                asked,
                BTreeMap::new(),
            )
        };
        let both = print(&[Collector::Os, env.clone()]);
        assert!(both.answers(&[env.clone(), Collector::Os]));
        assert!(!both.answers(&[env]));
    }

    #[test]
    fn what_was_not_read_is_unknown_and_not_missing() {
        let mut print = sample();
        let host = web1(&mut print);
        assert_eq!(host.known(&FactName::new("env", "NONE")), Known::Not);
        assert_eq!(host.known(&FactName::new("files", "a")), Known::Unknown);
        host.layers.insert("env".to_owned(), LayerStatus::Timeout);
        assert_eq!(host.known(&FactName::new("env", "NONE")), Known::Unknown);
        let there = host.known(&FactName::new("env", "APP_MODE"));
        assert!(matches!(there, Known::Is(_)));
    }
}
