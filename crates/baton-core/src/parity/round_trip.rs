//! Did the way back bring everything back?
//!
//! Three fingerprints of one environment, taken in a rehearsal before it went
//! forward, after it had, and after it had come back, give one [`RoundTrip`].
//! It proves the way back only when forward was seen to change something, and
//! everything that could be seen was afterwards as it had been. It says what is
//! so and excuses nothing: whether somebody takes a residue upon themselves is
//! the gate's to ask.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::fact::{Class, Fact, FactName};
use super::fingerprint::{Fingerprint, HostFacts, Known};
use crate::diag::list;
use crate::id::{Digest, HostName};

/// Residues that are kept by name; of more, only their number. A way back that
/// leaves more than this has not come back, and nobody waives them one by one.
pub const RESIDUES_MOST: usize = 200;

/// When in a rehearsal a fingerprint was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mark {
    /// Before the first step.
    Before,
    /// When every step was in effect.
    Forward,
    /// When every step was undone.
    Back,
}

/// What three fingerprints say of a way back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoundTrip {
    /// The blob of the fingerprint before the first step.
    pub before: Digest,
    /// The one when every step was in effect.
    pub forward: Digest,
    /// The one when every step was undone.
    pub back: Digest,
    /// How many facts of single hosts going forward changed.
    pub changed: u64,
    /// What is not as it was before, at most [`RESIDUES_MOST`] of it.
    pub residues: Vec<Residue>,
    /// How many more there are.
    pub left_out: u64,
}

/// One thing that is not as it was before.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Residue {
    /// What: a fact, or `LAYER:*` for a layer that was not read whole, of which
    /// nobody knows.
    pub name: String,
    /// What it was, as people are shown it; `None` when there was none.
    pub before: Option<String>,
    /// What it is; `None` when there is none.
    pub back: Option<String>,
    /// On which host.
    pub host: HostName,
}

impl RoundTrip {
    /// Compares three fingerprints, each with the digest of its blob.
    ///
    /// Facts are compared on each host by themselves: stable and secret ones
    /// exactly, those that name a host by whether they are there, and those
    /// that change by themselves not at all.
    pub fn of(
        before: (&Digest, &Fingerprint),
        forward: (&Digest, &Fingerprint),
        back: (&Digest, &Fingerprint),
    ) -> Self {
        let changed = differing(before.1, forward.1).len() as u64;
        let mut residues = differing(before.1, back.1);
        residues.extend(unread(before.1, back.1));
        residues.sort();
        let left_out = residues.len().saturating_sub(RESIDUES_MOST) as u64;
        residues.truncate(RESIDUES_MOST);
        Self {
            before: before.0.clone(),
            forward: forward.0.clone(),
            back: back.0.clone(),
            changed,
            residues,
            left_out,
        }
    }

    /// What they say, in a sentence without a full stop.
    pub fn says(&self) -> String {
        let facts = |n: u64| match n {
            1 => "1 fact".to_owned(),
            n => format!("{n} facts"),
        };
        if self.changed == 0 {
            return "nothing that is collected changed on the way forward, so nothing shows that \
                    the way back brings anything back"
                .to_owned();
        }
        let changed = facts(self.changed);
        if self.residues.is_empty() {
            return format!("{changed} changed on the way forward, and everything is as it was");
        }
        let mut names: Vec<&str> = self.residues.iter().map(|r| r.name.as_str()).collect();
        names.dedup();
        let more = match self.left_out {
            0 => String::new(),
            n => format!(", and {n} more"),
        };
        format!(
            "{changed} changed on the way forward, and {}{more} {} not as before",
            list(&names, 5),
            if names.len() == 1 { "is" } else { "are" }
        )
    }

    /// Whether going forward changed something and nothing of it is left.
    pub fn proves(&self) -> bool {
        self.changed > 0 && self.residues.is_empty()
    }
}

/// A host that one of the two does not know at all.
static NOTHING: HostFacts = HostFacts {
    facts: BTreeMap::new(),
    layers: BTreeMap::new(),
};

/// The hosts of either, with what each of the two knows of them.
fn hosts<'a>(
    was: &'a Fingerprint,
    is: &'a Fingerprint,
) -> impl Iterator<Item = (&'a HostName, &'a HostFacts, &'a HostFacts)> {
    let names: BTreeSet<&HostName> = was.hosts.keys().chain(is.hosts.keys()).collect();
    names.into_iter().map(move |name| {
        let of = |print: &'a Fingerprint| print.hosts.get(name).unwrap_or(&NOTHING);
        (name, of(was), of(is))
    })
}

/// The facts that are known in both and not the same.
fn differing(was: &Fingerprint, is: &Fingerprint) -> Vec<Residue> {
    let mut found = Vec::new();
    for (host, was, is) in hosts(was, is) {
        let names: BTreeSet<&FactName> = was.facts.keys().chain(is.facts.keys()).collect();
        for name in names {
            let (before, back) = match (was.known(name), is.known(name)) {
                (Known::Unknown, _) | (_, Known::Unknown) => continue,
                (was, is) => (fact(was), fact(is)),
            };
            if !same(before, back) {
                found.push(Residue {
                    host: host.clone(),
                    name: name.to_string(),
                    before: before.map(|fact| fact.value.shown()),
                    back: back.map(|fact| fact.value.shown()),
                });
            }
        }
    }
    found
}

fn fact(known: Known<'_>) -> Option<&Fact> {
    match known {
        Known::Is(fact) => Some(fact),
        Known::Not | Known::Unknown => None,
    }
}

fn same(was: Option<&Fact>, is: Option<&Fact>) -> bool {
    let class = was.or(is).map(|fact| fact.class);
    match class {
        Some(Class::Volatile) | None => true,
        Some(Class::Identity) => was.is_some() == is.is_some(),
        Some(Class::Stable | Class::Size | Class::Secret) => {
            was.map(|fact| &fact.value) == is.map(|fact| &fact.value)
        }
    }
}

/// The layers that were not read whole in one of the two.
fn unread(was: &Fingerprint, is: &Fingerprint) -> Vec<Residue> {
    let mut found = Vec::new();
    for (host, was, is) in hosts(was, is) {
        let layers: BTreeSet<&String> = was.layers.keys().chain(is.layers.keys()).collect();
        for layer in layers {
            let said = |facts: &HostFacts| match facts.layers.get(layer) {
                Some(status) => (status.is_whole(), status.to_string()),
                None => (false, "not read".to_owned()),
            };
            let ((read_before, before), (read_back, back)) = (said(was), said(is));
            if !(read_before && read_back) {
                found.push(Residue {
                    host: host.clone(),
                    name: format!("{layer}:*"),
                    before: Some(before),
                    back: Some(back),
                });
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::EnvName;
    use crate::parity::{LayerStatus, Value};
    use jiff::Timestamp;

    type Said<'a> = (&'a str, &'a str, Class);

    fn print(facts: &[Said<'_>], layer: LayerStatus) -> Fingerprint {
        let facts = facts.iter().map(|(name, value, class)| {
            let value = Value::Text((*value).to_owned());
            let fact = Fact {
                value,
                class: *class,
            };
            (FactName::new("files", name), fact)
        });
        let host = HostFacts {
            facts: facts.collect(),
            layers: [("files".to_owned(), layer)].into(),
        };
        Fingerprint::new(
            EnvName::new("staging"),
            Timestamp::UNIX_EPOCH,
            &[],
            [(HostName::new("web1"), host)].into(),
        )
    }

    fn trip(before: &Fingerprint, forward: &Fingerprint, back: &Fingerprint) -> RoundTrip {
        let digest = Digest::of(b"blob");
        RoundTrip::of((&digest, before), (&digest, forward), (&digest, back))
    }

    fn names(trip: &RoundTrip) -> Vec<&str> {
        trip.residues.iter().map(|r| r.name.as_str()).collect()
    }

    #[test]
    fn a_way_back_is_proven_when_something_changed_and_all_is_as_it_was() {
        let was = print(&[("a", "1", Class::Stable)], LayerStatus::Ok);
        let is = print(
            &[("a", "2", Class::Stable), ("b", "new", Class::Stable)],
            LayerStatus::Ok,
        );
        let good = trip(&was, &is, &was);
        assert!(good.proves() && good.changed == 2, "{good:?}");
        assert_eq!(
            good.says(),
            "2 facts changed on the way forward, and everything is as it was"
        );

        let blind = trip(&was, &was, &was);
        assert!(!blind.proves() && blind.residues.is_empty(), "{blind:?}");

        let left = trip(&was, &is, &is);
        assert_eq!(names(&left), ["files:a", "files:b"]);
        assert_eq!(left.residues[1].before, None);
        assert_eq!(
            left.says(),
            "2 facts changed on the way forward, and files:a and files:b are not as before"
        );
        assert!(!left.proves());
    }

    #[test]
    fn what_changes_by_itself_is_no_residue_and_no_change() {
        let of = |value| {
            print(
                &[
                    ("uptime", value, Class::Volatile),
                    ("id", value, Class::Identity),
                ],
                LayerStatus::Ok,
            )
        };
        let trip = trip(&of("1"), &of("2"), &of("3"));
        assert!(trip.changed == 0 && trip.residues.is_empty(), "{trip:?}");
    }

    #[test]
    fn a_secret_is_compared_and_never_shown() {
        let secret = |text: &str| {
            let mut print = print(&[], LayerStatus::Ok);
            let facts = &mut print.hosts.get_mut("web1").unwrap().facts;
            facts.insert(FactName::new("env", "KEY"), Fact::secret(b"k", text));
            print
        };
        let trip = trip(&secret("hunter2"), &secret("b"), &secret("c"));
        assert_eq!(trip.changed, 1);
        assert_eq!(names(&trip), ["env:KEY"]);
        assert!(!format!("{trip:?}").contains("hunter2"));
    }

    #[test]
    fn what_was_not_read_whole_is_never_as_it_was() {
        let was = print(&[("a", "1", Class::Stable)], LayerStatus::Ok);
        let is = print(&[("a", "2", Class::Stable)], LayerStatus::Ok);
        for status in [
            LayerStatus::Timeout,
            LayerStatus::Partial("half".to_owned()),
            LayerStatus::Denied("no".to_owned()),
        ] {
            let back = print(&[("a", "1", Class::Stable)], status);
            assert_eq!(names(&trip(&was, &is, &back)), ["files:*"]);
            assert_eq!(names(&trip(&back, &is, &was)), ["files:*"]);
        }
        let none = print(&[], LayerStatus::Absent);
        assert!(trip(&none, &was, &none).proves());

        let mut gone = was.clone();
        gone.hosts.clear();
        assert_eq!(names(&trip(&was, &is, &gone)), ["files:*"]);
    }

    #[test]
    fn a_thousand_residues_are_counted_and_not_all_kept() {
        let many: Vec<String> = (0..1000).map(|n| n.to_string()).collect();
        let facts: Vec<Said<'_>> = many
            .iter()
            .map(|n| (n.as_str(), "x", Class::Stable))
            .collect();
        let (none, all) = (print(&[], LayerStatus::Ok), print(&facts, LayerStatus::Ok));
        let trip = trip(&none, &all, &all);
        assert_eq!((trip.residues.len(), trip.left_out), (RESIDUES_MOST, 800));
    }
}
