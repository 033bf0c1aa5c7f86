//! What two readings of one idle environment teach: rules and waivers for what
//! changed although nobody changed anything.
//!
//! Promises that what is proposed covers every fact it was made from, and no
//! fact of these readings that stayed as it was; that a rule asks for as much as
//! held: the same in other clothes, the same in any order, else only being
//! there; and that what came or went is left to waivers, which end, since no
//! lasting rule should hide it. It changes nothing: people decide what of it
//! goes into a contract, behind the rules that are there.

use std::collections::{BTreeMap, BTreeSet};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use serde::Serialize;

use crate::id::HostName;
use crate::parity::fact::{Class, Fact, FactName};
use crate::parity::fingerprint::{Fingerprint, HostFacts, Known};
use crate::parity::matcher::{Is, Rule, Rules, SIZE_RATIO, sizes_within};

/// What a fact was in the two readings, as it is shown to people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Seen {
    /// The fact.
    pub fact: FactName,
    /// The host.
    pub host: HostName,
    /// Its value in the first reading; `None` where there was no such fact.
    pub first: Option<String>,
    /// Its value in the second.
    pub second: Option<String>,
}

/// A rule, and what it was made from.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ProposedRule {
    /// The rule.
    #[serde(flatten)]
    pub rule: Rule,
    /// What changed, of each host.
    pub made_from: Vec<Seen>,
}

/// The patterns of a waiver of `parity.unexplained`, and what they were made from.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ProposedWaiver {
    /// The facts, and the hosts on which they came or went.
    #[serde(rename = "match")]
    pub matches: Vec<String>,
    /// What came or went, of each host.
    pub made_from: Vec<Seen>,
}

/// A fact that changed and that a rule of the contract is for, which does not
/// find it right: another rule behind it would never be asked.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ruled {
    /// What changed.
    pub seen: Seen,
    /// The rule.
    pub rule: Rule,
}

/// What is proposed.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Proposals {
    /// For what changed its value.
    pub rules: Vec<ProposedRule>,
    /// For what came or went.
    pub waivers: Vec<ProposedWaiver>,
    /// What is left to people.
    pub ruled: Vec<Ruled>,
}

impl Proposals {
    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty() && self.waivers.is_empty() && self.ruled.is_empty()
    }
}

/// The rules that may be proposed, the one that asks for most first. None of
/// them says how far values may lie apart: two readings do not tell.
const ORDER: [Is; 3] = [Is::Canonical, Is::Set, Is::Present];

/// Fewest facts for which a pattern with a number left open is made.
const ALIKE_MIN: usize = 2;
/// Fewest facts for which one over all values below a path is made.
const BELOW_MIN: usize = 3;
/// Most patterns over several facts that are tried; each costs time on every name.
const TRIED_MAX: usize = 1000;

/// Proposes rules and waivers for what differs between two readings of an
/// environment in which nothing was changed. A fact that changed on one host is
/// taken to change by itself on all of them, as rules name no hosts.
pub fn propose(first: &Fingerprint, second: &Fingerprint, rules: &[Rule]) -> Proposals {
    let known = Rules::new(rules);
    let mut noise: BTreeMap<FactName, Noise> = BTreeMap::new();
    let mut ruled = Vec::new();
    let mut settled: BTreeSet<&FactName> = BTreeSet::new();
    // Of a host that was read once only, all is as it was.
    let nothing = HostFacts::default();
    let hosts: BTreeSet<&HostName> = first.hosts.keys().chain(second.hosts.keys()).collect();
    for host in hosts {
        let before = first.hosts.get(host).unwrap_or(&nothing);
        let after = second.hosts.get(host).unwrap_or(&nothing);
        let names: BTreeSet<&FactName> = before.facts.keys().chain(after.facts.keys()).collect();
        for name in names {
            let Some((found, seen)) = changed(host, name, before, after) else {
                settled.insert(name);
                continue;
            };
            match (found, known.find(name)) {
                (Found::Value(old, new), Some(rule)) => {
                    if !rule.is.holds_among(&[&old.value, &new.value]) {
                        let rule = rule.clone();
                        ruled.push(Ruled { seen, rule });
                    }
                    settled.insert(name);
                }
                (Found::Value(old, new), None) => {
                    let of = noise.entry(name.clone()).or_default();
                    of.wrong |= wrong(old, new);
                    of.seen.push(seen);
                }
                (Found::Presence, _) => {
                    let of = noise.entry(name.clone()).or_default();
                    of.wrong = WRONG_ALL;
                    of.seen.push(seen);
                }
            }
        }
    }
    let stable = settled
        .into_iter()
        .filter(|name| !noise.contains_key(*name));
    let stable: Vec<&FactName> = stable.collect();
    let mut proposals = Proposals {
        ruled,
        ..Proposals::default()
    };
    for (pattern, cure, members) in patterns(&noise, &stable) {
        let seen = members.iter().flat_map(|name| noise[*name].seen.clone());
        proposals.add(pattern, cure, seen.collect());
    }
    proposals
}

/// How a fact changed.
enum Found<'a> {
    Value(&'a Fact, &'a Fact),
    Presence,
}

/// Whether comparing would see a fact of a host change, and how.
fn changed<'a>(
    host: &HostName,
    name: &FactName,
    before: &'a HostFacts,
    after: &'a HostFacts,
) -> Option<(Found<'a>, Seen)> {
    let seen = |first: Option<&Fact>, second: Option<&Fact>| Seen {
        fact: name.clone(),
        host: host.clone(),
        first: first.map(|fact| fact.value.shown()),
        second: second.map(|fact| fact.value.shown()),
    };
    match (before.known(name), after.known(name)) {
        (Known::Is(old), Known::Is(new)) => {
            let right = match old.class.max(new.class) {
                _ if old.value == new.value => true,
                Class::Volatile | Class::Identity => true,
                Class::Size => sizes_within([&old.value, &new.value], SIZE_RATIO),
                Class::Stable | Class::Secret => false,
            };
            (!right).then(|| (Found::Value(old, new), seen(Some(old), Some(new))))
        }
        (Known::Is(old), Known::Not) if old.class != Class::Volatile => {
            Some((Found::Presence, seen(Some(old), None)))
        }
        (Known::Not, Known::Is(new)) if new.class != Class::Volatile => {
            Some((Found::Presence, seen(None, Some(new))))
        }
        _ => None,
    }
}

/// What is known of one fact that changes by itself.
#[derive(Default)]
struct Noise {
    /// A bit for each place in [`ORDER`] whose rule does not hold on every host.
    wrong: u8,
    seen: Vec<Seen>,
}

/// No rule finds it right that a fact comes or goes.
const WRONG_ALL: u8 = (1 << ORDER.len()) - 1;

/// The rules that do not find these two right.
fn wrong(old: &Fact, new: &Fact) -> u8 {
    let wrong = ORDER
        .iter()
        .enumerate()
        .filter(|(_, is)| !is.holds_among(&[&old.value, &new.value]));
    wrong.fold(0, |bits, (at, _)| bits | (1 << at))
}

/// How noise of one kind is dealt with: by the rule at a place in [`ORDER`], or by
/// a waiver.
type Cure = Option<usize>;

impl Noise {
    fn cure(&self) -> Cure {
        (0..ORDER.len()).find(|at| self.wrong & (1 << at) == 0)
    }
}

/// One pattern, what it is for, and whom it was made from.
type Made<'n> = (String, Cure, Vec<&'n FactName>);

/// Patterns that together cover all noise and nothing that is stable: with
/// numbers left open, over a whole path, and else each fact by its own name.
fn patterns<'n>(noise: &'n BTreeMap<FactName, Noise>, stable: &[&FactName]) -> Vec<Made<'n>> {
    let mut groups: BTreeMap<(usize, String, Cure), Vec<&FactName>> = BTreeMap::new();
    for (name, of) in noise {
        let shapes = [
            (ALIKE_MIN, open_numbers(name.as_str())),
            (BELOW_MIN, below(name.as_str())),
        ];
        for (least, pattern) in shapes {
            let Some(pattern) = pattern else { continue };
            let group = groups.entry((least, pattern, of.cure()));
            group.or_default().push(name);
        }
    }
    groups.retain(|(least, _, _), members| members.len() >= *least);
    let groups: Vec<_> = groups.into_iter().take(TRIED_MAX).collect();
    let set = set(groups.iter().map(|((_, pattern, _), _)| pattern));
    let mut hides = vec![set.is_none(); groups.len()];
    if let Some(set) = set {
        for name in stable {
            for at in set.matches(name.as_str()) {
                hides[at] = true;
            }
        }
        for (name, of) in noise {
            for at in set.matches(name.as_str()) {
                hides[at] |= groups[at].0.2 != of.cure();
            }
        }
    }
    let mut left: BTreeSet<&FactName> = noise.keys().collect();
    let mut made: Vec<Made<'n>> = Vec::new();
    for (((_, pattern, cure), members), hides) in groups.into_iter().zip(hides) {
        let members: Vec<&FactName> = members.into_iter().filter(|of| left.contains(of)).collect();
        if !hides && members.len() >= ALIKE_MIN {
            left.retain(|name| !members.contains(name));
            made.push((pattern, cure, members));
        }
    }
    let alone = left
        .into_iter()
        .map(|name| (literal(name.as_str()), noise[name].cure(), vec![name]));
    made.extend(alone);
    made.sort_by(|a, b| a.2.cmp(&b.2));
    made
}

fn set<'p>(patterns: impl Iterator<Item = &'p String>) -> Option<GlobSet> {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        set.add(
            GlobBuilder::new(pattern)
                .literal_separator(false)
                .build()
                .ok()?,
        );
    }
    set.build().ok()
}

impl Proposals {
    fn add(&mut self, pattern: String, cure: Cure, made_from: Vec<Seen>) {
        if let Some(is) = cure.map(|at| ORDER[at]) {
            let rule = Rule { pattern, is };
            self.rules.push(ProposedRule { rule, made_from });
            return;
        }
        let hosts: BTreeSet<&HostName> = made_from.iter().map(|seen| &seen.host).collect();
        let hosts = hosts.into_iter().filter(|host| !host.is_here());
        let hosts = hosts.map(|host| literal(host.as_str()));
        self.waivers.push(ProposedWaiver {
            matches: [pattern].into_iter().chain(hosts).collect(),
            made_from,
        });
    }
}

/// The pattern that only this name fits.
fn literal(name: &str) -> String {
    let mut pattern = String::with_capacity(name.len());
    for c in name.chars() {
        if matches!(c, '*' | '?' | '[' | ']' | '{' | '}' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern
}

/// Fewest hexadecimal digits that are taken for one number.
const HEX_MIN: usize = 8;

/// The name with its numbers left open: a digit and anything, a hexadecimal
/// digit and anything. `None` for one without a number behind its layer.
fn open_numbers(name: &str) -> Option<String> {
    let (layer, mut rest) = name.split_once(':')?;
    let mut pattern = format!("{}:", literal(layer));
    let (mut open, mut before) = (false, ':');
    while let Some(c) = rest.chars().next() {
        let digits = leading(rest, |b| b.is_ascii_digit());
        let hex = if before.is_ascii_alphanumeric() {
            0
        } else {
            id(rest)
        };
        let (length, what) = match (hex, digits) {
            (0, 0) => (c.len_utf8(), literal(&rest[..c.len_utf8()])),
            (0, digits) => (digits, "[0-9]*".to_owned()),
            (hex, _) => (hex, "[0-9a-f]*".to_owned()),
        };
        open |= hex + digits > 0;
        pattern.push_str(&what);
        before = rest[..length].chars().next_back().unwrap_or(c);
        rest = &rest[length..];
    }
    open.then_some(pattern)
}

fn leading(text: &str, of: impl Fn(u8) -> bool) -> usize {
    text.bytes().take_while(|b| of(*b)).count()
}

/// How long the id in small hexadecimal digits is with which a text begins: a
/// UUID (RFC 9562), or a word of such digits and at least one letter; else 0.
fn id(text: &str) -> usize {
    let hex = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
    let mut length = leading(text, hex);
    let uuid = [8, 4, 4, 4, 12].into_iter().try_fold(0, |at: usize, part| {
        let at = if at == 0 { 0 } else { at + 1 };
        let there = leading(text.get(at..)?, hex) == part;
        let parted = at == 0 || text.as_bytes().get(at - 1) == Some(&b'-');
        (there && parted).then_some(at + part)
    });
    length = uuid.unwrap_or(length);
    let word = text.as_bytes().get(..length).unwrap_or(&[]);
    let ends = text[length..]
        .chars()
        .next()
        .is_none_or(|c| !c.is_ascii_alphanumeric());
    let mixed = word.iter().any(u8::is_ascii_digit) && word.iter().any(u8::is_ascii_lowercase);
    if ends && length >= HEX_MIN && (mixed || uuid.is_some()) {
        length
    } else {
        0
    }
}

/// Every value below the same path of the same thing.
fn below(name: &str) -> Option<String> {
    let (thing, path) = name.split_once("#/")?;
    let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
    let slash = if parent.is_empty() { "" } else { "/" };
    Some(format!("{}#/{}{slash}*", literal(thing), literal(parent)))
}

#[cfg(test)]
mod tests;
