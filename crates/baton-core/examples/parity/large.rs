//! Three large fingerprints, compared in each of the ways there are.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Seek, SeekFrom};
use std::path::Path;

use baton_core::parity::compare::merge::{Cursor, Open, Site};
use baton_core::parity::sheet::{self, ENTRY, Head};
use baton_core::parity::{Fact, Is, Rule, Sheet, compare};

use super::ENVS;

/// A stored fingerprint read through a buffer, a line at a time.
struct Streamed {
    file: BufReader<File>,
    line: Vec<u8>,
    tab: usize,
    entries: Vec<u8>,
    /// The layer of each block and how many it has, in their order.
    layers: Vec<(String, usize)>,
    layer: usize,
    left_of_layer: usize,
    block: usize,
    /// Bytes of the block that are still ahead, from the line it stands at on.
    left: usize,
    skips: bool,
    /// Bytes of blocks that are passed over before the next line is read.
    ahead: i64,
    /// Whether the line it stands at has been read.
    settled: bool,
}

impl Streamed {
    fn open(path: &Path, skips: bool) -> (Head, Self) {
        // A block is about 1 KiB, and most are passed over.
        let room = if skips { 1 << 12 } else { 1 << 16 };
        let mut file = BufReader::with_capacity(room, File::open(path).unwrap());
        let mut first = Vec::new();
        file.read_until(b'\n', &mut first).unwrap();
        file.read_until(b'\n', &mut first).unwrap();
        let (head, _) = Head::read(&first).unwrap();
        let host = head.hosts.values().next().unwrap();
        let mut entries = vec![0; if skips { host.block_count() * ENTRY } else { 0 }];
        if skips {
            std::io::Read::read_exact(&mut file, &mut entries).unwrap();
        } else {
            file.seek_relative((host.block_count() * ENTRY) as i64)
                .unwrap();
        }
        let layers: Vec<_> = host
            .blocks
            .iter()
            .map(|(layer, count)| (layer.clone(), *count as usize))
            .collect();
        let mut streamed = Self {
            file,
            line: Vec::new(),
            tab: 0,
            left_of_layer: layers.first().map_or(0, |of| of.1),
            layers,
            entries,
            layer: 0,
            block: 0,
            left: 0,
            skips,
            ahead: 0,
            settled: false,
        };
        streamed.left = streamed.length();
        if !skips {
            streamed.settle();
        }
        (head, streamed)
    }

    fn length(&self) -> usize {
        let entry = self
            .entries
            .get(self.block * ENTRY..(self.block + 1) * ENTRY);
        entry.map_or(0, |entry| {
            u32::from_be_bytes(*entry.last_chunk().unwrap()) as usize
        })
    }

    fn settle(&mut self) {
        if self.ahead > 0 {
            self.file.seek_relative(self.ahead).unwrap();
            self.ahead = 0;
        }
        self.line.clear();
        self.file.read_until(b'\n', &mut self.line).unwrap();
        self.tab = memchr::memchr(b'\t', &self.line).unwrap_or(self.line.len());
        self.settled = true;
    }

    fn next_block(&mut self) {
        self.block += 1;
        self.left = self.length();
        self.left_of_layer -= 1;
        if self.left_of_layer == 0 {
            self.layer += 1;
            self.left_of_layer = self.layers.get(self.layer).map_or(0, |of| of.1);
        }
    }
}

/// A cursor must be able to say its name without being changed, so a block
/// whose digest is known is read only when it is looked into.
impl Cursor for Streamed {
    fn name(&self) -> Option<&str> {
        (!self.line.is_empty()).then(|| std::str::from_utf8(&self.line[..self.tab]).unwrap())
    }

    fn same(&self, other: &Self) -> bool {
        self.line[self.tab..] == other.line[other.tab..]
    }

    fn fact(&self) -> Option<Fact> {
        sheet::fact(self.line.get(self.tab + 1..self.line.len() - 1)?)
    }

    fn advance(&mut self) {
        if self.skips {
            self.left -= self.line.len();
            if self.left == 0 {
                self.next_block();
                self.settled = false;
                return;
            }
        }
        self.settle();
    }

    fn enter(&mut self) {
        if !self.settled {
            self.settle();
        }
    }

    fn block(&self) -> Option<(&str, &[u8])> {
        if !self.skips || self.settled {
            return None;
        }
        let entry = self
            .entries
            .get(self.block * ENTRY..self.block * ENTRY + 16)?;
        Some((&self.layers[self.layer].0, entry))
    }

    fn skip_block(&mut self) {
        self.ahead += self.left as i64;
        self.next_block();
    }
}

fn rules() -> Vec<Rule> {
    let rule = |pattern: &str, is| Rule {
        pattern: pattern.to_owned(),
        is,
    };
    vec![
        rule("files:etc/conf.d/1*#/*timeout_ms", Is::Ratio { max: 8.0 }),
        rule("packages:lib0*", Is::SameMajor),
        rule("env:*_KEY", Is::MustDiffer),
    ]
}

pub(super) fn stream(folder: &Path, skips: bool) {
    let none = BTreeMap::new();
    let begun = std::time::Instant::now();
    let opened: Vec<_> = ENVS
        .iter()
        .map(|env| Streamed::open(&folder.join(format!("{env}.print")), skips))
        .collect();
    let (heads, cursors): (Vec<_>, Vec<_>) = opened.into_iter().unzip();
    let mut open: Vec<Open<'_, Streamed>> = heads
        .iter()
        .zip(cursors)
        .map(|(head, facts)| {
            let (name, host) = head.hosts.iter().next().unwrap();
            let site = Site {
                name,
                layers: &host.layers,
                facts,
            };
            Open {
                environment: &head.environment,
                groups: &none,
                sites: vec![site],
            }
        })
        .collect();
    let launch = open.pop().unwrap();
    let found = compare::compare_open(launch, open, &rules());
    println!("differences {}", found.differences.len());
    println!("excused {}", found.excused.len());
    println!("wall_ms {:.3}", begun.elapsed().as_secs_f64() * 1000.0);
    cost();
}

/// What this process took until now, as Linux counts it: its one thread's time
/// on a processor, and the most memory it held.
fn cost() {
    let times = std::fs::read_to_string("/proc/self/schedstat").unwrap();
    let nanos: f64 = times.split(' ').next().unwrap().parse().unwrap();
    println!("cpu_s {:.4}", nanos / 1e9);
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    let kib: f64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    println!("peak_mib {:.2}", kib / 1024.0);
}

/// As `baton parity` does it: the stored bytes are in memory.
pub(super) fn memory(folder: &Path) {
    let none = BTreeMap::new();
    let sheets = ENVS.map(|env| {
        Sheet::read(std::fs::read(folder.join(format!("{env}.print"))).unwrap()).unwrap()
    });
    let [dev, staging, production] = &sheets;
    let found = compare::compare_open(
        production.open(&none),
        vec![dev.open(&none), staging.open(&none)],
        &rules(),
    );
    println!("differences {}", found.differences.len());
    cost();
}

/// The floor: the same bytes, read once.
pub(super) fn bytes(folder: &Path) {
    let mut sum = 0_usize;
    for env in ENVS {
        let mut file = BufReader::with_capacity(
            1 << 16,
            File::open(folder.join(format!("{env}.print"))).unwrap(),
        );
        file.seek(SeekFrom::Start(0)).unwrap();
        loop {
            let chunk = file.fill_buf().unwrap();
            if chunk.is_empty() {
                break;
            }
            let length = chunk.len();
            sum += memchr::memchr_iter(b'\n', chunk).count();
            file.consume(length);
        }
    }
    println!("lines {sum}");
    cost();
}
