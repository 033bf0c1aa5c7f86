//! Walks the facts of all hosts at once, in the order of their names.
//!
//! Promises that each fact is looked at once, and that a block of facts which
//! is the same on every host is stepped over without being read, if a cursor
//! knows its digest. What a difference means is not known here.

use std::collections::BTreeMap;

use crate::id::HostName;
use crate::parity::fact::{Fact, FactName};
use crate::parity::fingerprint::LayerStatus;

/// How far each layer of a host was read.
pub type Layers = BTreeMap<String, LayerStatus>;

/// The facts of one host, one after the other in the order of their names.
///
/// A cursor whose source cannot be read any further stands at its end.
pub trait Cursor {
    /// The name of the fact it stands at; `None` at the end.
    fn name(&self) -> Option<&str>;

    /// Whether value and class of the fact are those of the other's.
    fn same(&self, other: &Self) -> bool;

    /// The fact it stands at; `None` at the end, and where it cannot be read.
    fn fact(&self) -> Option<Fact>;

    /// Goes to the next fact.
    fn advance(&mut self);

    /// The layer and the digest of the facts up to the next place where any
    /// other fingerprint with the same facts has such a place too; only when
    /// it stands at the first of them and knows it.
    fn block(&self) -> Option<(&str, &[u8])> {
        None
    }

    /// Goes past these facts.
    fn skip_block(&mut self) {}

    /// Gets ready to be looked at, where a block was not skipped.
    fn enter(&mut self) {}
}

/// One host with the cursor over its facts.
#[derive(Debug)]
pub struct Site<'a, C> {
    /// Its name.
    pub name: &'a HostName,
    /// How far its layers were read.
    pub layers: &'a Layers,
    /// Its facts.
    pub facts: C,
}

/// One environment, opened for comparing.
#[derive(Debug)]
pub struct Open<'a, C> {
    /// Its name.
    pub environment: &'a crate::id::EnvName,
    /// The groups of the contract's environment.
    pub groups: &'a BTreeMap<crate::id::GroupName, Vec<HostName>>,
    /// Its hosts, in the order of their names.
    pub sites: Vec<Site<'a, C>>,
}

/// The facts of a fingerprint that is in memory.
#[derive(Clone, Debug)]
pub struct InMemory<'a> {
    rest: std::collections::btree_map::Iter<'a, FactName, Fact>,
    at: Option<(&'a FactName, &'a Fact)>,
}

impl<'a> InMemory<'a> {
    pub(super) fn new(facts: &'a BTreeMap<FactName, Fact>) -> Self {
        let mut rest = facts.iter();
        let at = rest.next();
        Self { rest, at }
    }
}

impl Cursor for InMemory<'_> {
    fn name(&self) -> Option<&str> {
        self.at.map(|(name, _)| name.as_str())
    }

    fn same(&self, other: &Self) -> bool {
        self.at.map(|(_, fact)| fact) == other.at.map(|(_, fact)| fact)
    }

    fn fact(&self) -> Option<Fact> {
        self.at.map(|(_, fact)| fact.clone())
    }

    fn advance(&mut self) {
        self.at = self.rest.next();
    }
}

/// What a walk shows its visitor: the cursors, and which of them stand at the name.
pub(super) struct Here<'w, C> {
    pub(super) name: &'w str,
    pub(super) cursors: &'w [C],
    /// For each cursor, whether it stands at this name.
    pub(super) present: &'w [bool],
}

impl<C: Cursor> Here<'_, C> {
    /// Whether all of these hosts have the fact, and have the same.
    pub(super) fn agree(&self, hosts: impl IntoIterator<Item = usize>) -> bool {
        let mut hosts = hosts.into_iter();
        let Some(first) = hosts.next() else {
            return true;
        };
        let (first, here) = (&self.cursors[first], self.present[first]);
        hosts.all(|host| self.present[host] == here && (!here || self.cursors[host].same(first)))
    }
}

/// Walks all facts. `unseen` tells, by layer, whether a block that is the same
/// everywhere may be stepped over; `visit` gets every name that was not.
pub(super) fn walk<C: Cursor>(
    cursors: &mut [C],
    unseen: impl Fn(&str) -> bool,
    mut layer: impl FnMut(&str),
    mut visit: impl FnMut(&Here<'_, C>),
) {
    let mut present = vec![false; cursors.len()];
    loop {
        if let Some((of, _)) = same_block(cursors).filter(|(of, _)| unseen(of)) {
            layer(of);
            cursors.iter_mut().for_each(Cursor::skip_block);
            continue;
        }
        cursors.iter_mut().for_each(Cursor::enter);
        let first = cursors.first().and_then(Cursor::name);
        let together = first.is_some() && cursors.iter().all(|cursor| cursor.name() == first);
        let name = match first.filter(|_| together) {
            Some(name) => Some(name),
            None => cursors.iter().filter_map(Cursor::name).min(),
        };
        let Some(name) = name else { return };
        for (cursor, present) in cursors.iter().zip(&mut present) {
            *present = together || cursor.name() == Some(name);
        }
        layer(name.split_once(':').map_or("", |(layer, _)| layer));
        visit(&Here {
            name,
            cursors,
            present: &present,
        });
        for (cursor, _) in cursors.iter_mut().zip(&present).filter(|(_, here)| **here) {
            cursor.advance();
        }
    }
}

/// The block all cursors stand at, if it is the same for all.
fn same_block<C: Cursor>(cursors: &[C]) -> Option<(&str, &[u8])> {
    let (first, rest) = cursors.split_first()?;
    let block = first.block()?;
    rest.iter()
        .all(|cursor| cursor.block() == Some(block))
        .then_some(block)
}
