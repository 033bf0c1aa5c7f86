//! A fingerprint as it is stored: sorted lines, with digests of blocks of them.
//!
//! ```text
//! baton fingerprint 2\n
//! HEAD as JSON, one line\n
//! for each host, for each block: 16 bytes of digest, 4 bytes of length (big endian)
//! for each host: the lines  NAME \t CLASS TYPE TEXT \n
//! ```
//!
//! Lines stand in the order of the bytes of their names. CLASS is `s`table,
//! si`z`e, `v`olatile, `i`dentity or secret (`k`), TYPE is `t`ext, `h`ash, keyed
//! hash (`m`) or `p`resent; in a text `\` and a line break are written `\\` and
//! `\n`. A block ends before a line whose name's FNV-1a hash ends in four zero
//! bits, and where the layer changes: so blocks begin at the same names in every
//! fingerprint that has them, whatever was put in or taken out before. A block's
//! digest is the first half of the SHA-256 of its lines.
//!
//! Promises the same bytes for the same fingerprint, and that two blocks of one
//! digest hold the same facts: comparing steps over them without reading.

use std::collections::BTreeMap;
use std::str::from_utf8;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::id::{Digest, EnvName, GroupName, HostName};
use crate::parity::compare::merge::{Cursor, Layers, Open, Site};
use crate::parity::fact::{Class, Fact, FactName, Value};
use crate::parity::fingerprint::{FORMAT, Fingerprint, HostFacts};
use crate::parity::secret::KeyedHash;

/// What a stored fingerprint begins with.
const MAGIC: &[u8] = b"baton fingerprint 2\n";
/// Bytes of a block's digest.
const DIGEST: usize = 16;
/// Bytes of a block's entry: its digest and its length.
pub const ENTRY: usize = DIGEST + 4;
/// A block ends where these bits of the name's hash are zero: 16 facts on average.
const BOUNDARY: u32 = 0xf;

/// Everything of a stored fingerprint but its facts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The environment.
    pub environment: EnvName,
    /// When the reading began.
    pub at: Timestamp,
    /// The digest of what was asked for.
    pub asked: Digest,
    /// The digest of its stable facts, as [`Fingerprint::digest`] makes it.
    pub digest: Digest,
    /// Its hosts.
    pub hosts: BTreeMap<HostName, HostHead>,
}

/// What is known of one host's facts without reading them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostHead {
    /// How far each layer was read.
    pub layers: Layers,
    /// How many facts there are.
    pub facts: u64,
    /// How many bytes their lines take.
    pub bytes: u64,
    /// For each layer that has facts, how many blocks they stand in.
    pub blocks: BTreeMap<String, u32>,
}

impl Head {
    /// Reads the head; also says how many bytes it took.
    pub fn read(bytes: &[u8]) -> Option<(Self, usize)> {
        let rest = bytes.strip_prefix(MAGIC)?;
        let end = rest.iter().position(|byte| *byte == b'\n')?;
        let head = serde_json::from_slice(&rest[..end]).ok()?;
        Some((head, MAGIC.len() + end + 1))
    }
}

impl HostHead {
    /// How many blocks there are in all.
    pub fn block_count(&self) -> usize {
        self.blocks.values().map(|count| *count as usize).sum()
    }
}

/// Writes one fact as a line.
pub(super) fn line(name: &FactName, fact: &Fact, into: &mut Vec<u8>) {
    into.extend_from_slice(name.as_str().as_bytes());
    let class = match fact.class {
        Class::Stable => b's',
        Class::Size => b'z',
        Class::Volatile => b'v',
        Class::Identity => b'i',
        Class::Secret => b'k',
    };
    let (kind, text) = match &fact.value {
        Value::Text(text) => (b't', text.as_str()),
        Value::Hash(digest) => (b'h', digest.as_str()),
        Value::Keyed(hash) => (b'm', hash.as_str()),
        Value::Present => (b'p', ""),
    };
    into.extend_from_slice(&[b'\t', class, kind]);
    if text.contains(['\\', '\n']) {
        let text = text.replace('\\', r"\\").replace('\n', r"\n");
        into.extend_from_slice(text.as_bytes());
    } else {
        into.extend_from_slice(text.as_bytes());
    }
    into.push(b'\n');
}

/// Reads what stands behind the tab of a line.
pub fn fact(value: &[u8]) -> Option<Fact> {
    let (&[class, kind], text) = value.split_first_chunk()?;
    let class = match class {
        b's' => Class::Stable,
        b'z' => Class::Size,
        b'v' => Class::Volatile,
        b'i' => Class::Identity,
        b'k' => Class::Secret,
        _ => return None,
    };
    let text = from_utf8(text).ok()?;
    let value = match kind {
        b't' => Value::Text(unescape(text)),
        b'h' => Value::Hash(Digest::parse(text)?),
        b'm' => Value::Keyed(KeyedHash::parse(text)?),
        b'p' if text.is_empty() => Value::Present,
        _ => return None,
    };
    Some(Fact { value, class })
}

fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' if chars.as_str().starts_with('n') => {
                let _n = chars.next();
                out.push('\n');
            }
            '\\' => out.extend(chars.next()),
            c => out.push(c),
        }
    }
    out
}

/// FNV-1a of 32 bits (draft-eastlake-fnv): quick, the same everywhere, and no
/// secret rests on it.
fn fnv(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    })
}

/// The lines of a host and the entries of their blocks.
#[derive(Default)]
struct Lines {
    lines: Vec<u8>,
    entries: Vec<u8>,
    blocks: BTreeMap<String, u32>,
    begun: usize,
    layer: String,
}

impl Lines {
    fn put(&mut self, name: &FactName, fact: &Fact) {
        let turns = fnv(name.as_str().as_bytes()) & BOUNDARY == 0;
        if turns || name.layer() != self.layer {
            self.close();
            name.layer().clone_into(&mut self.layer);
        }
        line(name, fact, &mut self.lines);
    }

    fn close(&mut self) {
        let block = &self.lines[self.begun..];
        // A block of four gigabytes is beyond every limit of collecting.
        let Some(length) = u32::try_from(block.len()).ok().filter(|length| *length > 0) else {
            return;
        };
        self.entries
            .extend_from_slice(&Sha256::digest(block)[..DIGEST]);
        self.entries.extend_from_slice(&length.to_be_bytes());
        *self.blocks.entry(self.layer.clone()).or_default() += 1;
        self.begun = self.lines.len();
    }
}

/// Writes a fingerprint.
pub(super) fn write(print: &Fingerprint) -> Vec<u8> {
    let (mut entries, mut bodies) = (Vec::new(), Vec::new());
    let mut hosts = BTreeMap::new();
    for (name, host) in &print.hosts {
        let mut lines = Lines::default();
        for (name, fact) in &host.facts {
            lines.put(name, fact);
        }
        lines.close();
        entries.extend_from_slice(&lines.entries);
        let head = HostHead {
            layers: host.layers.clone(),
            facts: host.facts.len() as u64,
            bytes: lines.lines.len() as u64,
            blocks: lines.blocks,
        };
        bodies.push(lines.lines);
        let _new = hosts.insert(name.clone(), head);
    }
    let head = Head {
        environment: print.environment.clone(),
        at: print.at,
        asked: print.asked.clone(),
        digest: print.digest(),
        hosts,
    };
    let head = serde_json::to_vec(&head).expect("a head has only text keys and plain values");
    [MAGIC, &head, b"\n", &entries, &bodies.concat()].concat()
}

/// A stored fingerprint, in memory as it is stored.
#[derive(Clone, Debug)]
pub struct Sheet {
    /// Everything but the facts.
    pub head: Head,
    bytes: Vec<u8>,
    /// Where the entries and the lines of each host lie, in their order.
    places: Vec<(std::ops::Range<usize>, std::ops::Range<usize>)>,
}

impl Sheet {
    /// Takes the bytes of a stored fingerprint; `None` if they are none, or
    /// their lengths do not add up.
    pub fn read(bytes: Vec<u8>) -> Option<Self> {
        let (head, start) = Head::read(&bytes)?;
        let mut entries_at = start;
        let blocks: usize = head.hosts.values().map(HostHead::block_count).sum();
        let mut lines_at = blocks.checked_mul(ENTRY)?.checked_add(start)?;
        let mut places = Vec::new();
        for host in head.hosts.values() {
            let entries = entries_at..entries_at + host.block_count() * ENTRY;
            let lines = lines_at..lines_at.checked_add(usize::try_from(host.bytes).ok()?)?;
            let index = bytes.get(entries.clone())?.chunks_exact(ENTRY);
            let length: usize = index.map(|entry| length(entry) as usize).sum();
            if length != bytes.get(lines.clone())?.len() {
                return None;
            }
            (entries_at, lines_at) = (entries.end, lines.end);
            places.push((entries, lines));
        }
        let whole = lines_at == bytes.len() && from_utf8(&bytes[entries_at..]).is_ok();
        whole.then_some(Self {
            head,
            bytes,
            places,
        })
    }

    /// Opens the facts of all its hosts.
    pub fn open<'a>(
        &'a self,
        groups: &'a BTreeMap<GroupName, Vec<HostName>>,
    ) -> Open<'a, Stored<'a>> {
        let hosts = self.head.hosts.iter().zip(&self.places);
        let sites = hosts.map(|((name, host), (entries, lines))| Site {
            name,
            layers: &host.layers,
            facts: Stored::new(&self.bytes[entries.clone()], &self.bytes[lines.clone()]),
        });
        Open {
            environment: &self.head.environment,
            groups,
            sites: sites.collect(),
        }
    }

    /// All of it as facts; `None` if a line is none.
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        let none = BTreeMap::new();
        let open = self.open(&none);
        let mut hosts = BTreeMap::new();
        for mut site in open.sites {
            let mut facts = Vec::new();
            while let Some(name) = site.facts.name() {
                facts.push((FactName::of_line(name), site.facts.fact()?));
                site.facts.advance();
            }
            let host = HostFacts {
                facts: facts.into_iter().collect(),
                layers: site.layers.clone(),
            };
            let _new = hosts.insert(site.name.clone(), host);
        }
        Some(Fingerprint {
            format: FORMAT,
            environment: self.head.environment.clone(),
            at: self.head.at,
            asked: self.head.asked.clone(),
            hosts,
        })
    }
}

/// The length of a block, from its entry.
fn length(entry: &[u8]) -> u32 {
    let last = entry.last_chunk::<4>();
    last.map_or(0, |bytes| u32::from_be_bytes(*bytes))
}

/// The facts of one host of a stored fingerprint.
#[derive(Clone, Debug)]
pub struct Stored<'a> {
    /// The entries from that of the block on it stands in.
    entries: &'a [u8],
    lines: &'a [u8],
    /// Where its line begins, where its name and where the line ends.
    at: usize,
    name_end: usize,
    line_end: usize,
    block_begin: usize,
    block_end: usize,
}

impl<'a> Stored<'a> {
    fn new(entries: &'a [u8], lines: &'a [u8]) -> Self {
        let mut stored = Self {
            entries,
            lines,
            at: 0,
            name_end: 0,
            line_end: 0,
            block_begin: 0,
            block_end: entries
                .get(..ENTRY)
                .map_or(0, |entry| length(entry) as usize),
        };
        stored.settle();
        stored
    }

    /// Finds the ends of the line it stands at.
    fn settle(&mut self) {
        let rest = &self.lines[self.at.min(self.lines.len())..];
        let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        let name = memchr::memchr(b'\t', &rest[..end]).unwrap_or(end);
        (self.name_end, self.line_end) = (self.at + name, self.at + end);
    }

    fn value(&self) -> &'a [u8] {
        self.lines
            .get(self.name_end + 1..self.line_end)
            .unwrap_or(&[])
    }
}

impl Cursor for Stored<'_> {
    fn name(&self) -> Option<&str> {
        let name = self.lines.get(self.at..self.name_end)?;
        // Checked as a whole when the sheet was read.
        (self.at < self.lines.len()).then(|| from_utf8(name).unwrap_or_default())
    }

    fn same(&self, other: &Self) -> bool {
        self.value() == other.value()
    }

    fn fact(&self) -> Option<Fact> {
        fact(self.value())
    }

    fn advance(&mut self) {
        self.at = self.line_end + 1;
        if self.at >= self.block_end {
            self.block_begin = self.block_end;
            self.entries = self.entries.get(ENTRY..).unwrap_or(&[]);
            let next = self.entries.get(..ENTRY);
            self.block_end += next.map_or(0, |entry| length(entry) as usize);
        }
        self.settle();
    }

    fn block(&self) -> Option<(&str, &[u8])> {
        let entry = self
            .entries
            .get(..DIGEST)
            .filter(|_| self.at == self.block_begin)?;
        let layer = self.name()?.split_once(':').map_or("", |(layer, _)| layer);
        Some((layer, entry))
    }

    fn skip_block(&mut self) {
        if self.block_end > self.at {
            self.line_end = self.block_end - 1;
            self.advance();
        }
    }
}

#[cfg(test)]
mod tests;
