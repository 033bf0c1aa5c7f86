//! What `cargo xtask bench parity` measures: the comparison of fingerprints
//! that are read as they are needed, and how well noise is told from change and
//! the grave from the slight on public data.
//!
//! It prints one `KEY VALUE` a line. It reads what `baton-core` must not read
//! itself, files and the clock, and is part of no release.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a benchmark does I/O"
)]
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark ends at the first trouble"
)]

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Seek, SeekFrom, Write};
use std::path::Path;

use baton_core::id::{Digest, EnvName, HostName};
use baton_core::parity::compare::merge::{Cursor, Open, Site};
use baton_core::parity::doc::{self, Format};
use baton_core::parity::fingerprint::LayerStatus;
use baton_core::parity::sheet::{self, ENTRY, Head};
use baton_core::parity::{
    Fact, FactName, Fingerprint, HostFacts, Is, Rule, Sheet, Value, compare, noise, risk,
};
use jiff::Timestamp;

const ENVS: [&str; 3] = ["dev", "staging", "production"];

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["make", count, folder] => make(count.parse().unwrap(), Path::new(folder)),
        ["stream", folder] => stream(Path::new(folder), false),
        ["blocks", folder] => stream(Path::new(folder), true),
        ["memory", folder] => memory(Path::new(folder)),
        ["bytes", folder] => bytes(Path::new(folder)),
        ["noise", folder, half] => noise_of(Path::new(folder), half),
        ["rank", folder, half] => rank(Path::new(folder), half),
        _ => panic!(
            "make N DIR | stream DIR | blocks DIR | memory DIR | bytes DIR | noise DIR HALF | rank DIR HALF"
        ),
    }
}

/// Numbers that are the same in every run: xorshift64* (Vigna, 2016).
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) % most
    }
}

/// Three fingerprints of `count` facts; one fact in a thousand differs in one of
/// them: seven of ten by its value, the others by not being there or being new.
fn make(count: u64, folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    let mut dice = Dice(42);
    let mut hosts = [const { BTreeMap::new() }; 3];
    for n in 0..count {
        let hex = Digest::of(&n.to_be_bytes());
        let (layer, subject, value) = match dice.below(100) {
            0..45 => (
                "files",
                format!("srv/app/{:02}/mod{}/f{n}.py", n % 97, n % 1009),
                Value::Hash(hex.clone()),
            ),
            45..60 => (
                "files",
                format!("srv/app/{:02}/mod{}/f{n}.py#mode", n % 97, n % 1009),
                Value::Text("644".to_owned()),
            ),
            60..80 => (
                "packages",
                format!("lib{}{n}", &hex.short()[..6]),
                Value::Text(format!(
                    "{}.{}.{}-1+deb12u1",
                    dice.below(9),
                    dice.below(40),
                    dice.below(99)
                )),
            ),
            80..90 => (
                "files",
                format!("etc/conf.d/{}.yaml#/service/{n}/timeout_ms", n % 211),
                Value::Text(dice.below(60_000).to_string()),
            ),
            90..95 => (
                "sqlite",
                format!("table/t{n}"),
                Value::Text("CREATE TABLE t (a text, b bigint)".to_owned()),
            ),
            95..98 => (
                "sysctl",
                format!("net.x{n}.y"),
                Value::Text(dice.below(4096).to_string()),
            ),
            _ => (
                "env",
                format!("APP_SETTING_{n}"),
                Value::Text("info".to_owned()),
            ),
        };
        let name = match subject.split_once('#') {
            Some((thing, attribute)) => FactName::new(layer, thing).attribute(attribute),
            None => FactName::new(layer, &subject),
        };
        let odd = (dice.below(1000) == 0).then(|| (dice.below(3) as usize, dice.below(100)));
        for (env, facts) in hosts.iter_mut().enumerate() {
            let fact = Fact {
                class: noise::class(&name),
                value: value.clone(),
            };
            match odd.filter(|(at, _)| *at == env) {
                Some((_, 0..70)) => drop(facts.insert(
                    name.clone(),
                    Fact::stable(Value::Text(format!("other {n}"))),
                )),
                Some((_, 70..85)) => {}
                Some(_) => {
                    let new = FactName::new(layer, format!("new {n}"));
                    facts.insert(new, fact.clone());
                    facts.insert(name.clone(), fact);
                }
                None => drop(facts.insert(name.clone(), fact)),
            }
        }
    }
    for (env, facts) in ENVS.iter().zip(hosts) {
        let layers = ["env", "files", "packages", "sqlite", "sysctl"];
        let layers = layers
            .map(|layer| (layer.to_owned(), LayerStatus::Ok))
            .into();
        let hosts = [(HostName::new("web1"), HostFacts { facts, layers })].into();
        let print = Fingerprint::new(EnvName::new(*env), Timestamp::UNIX_EPOCH, &[], hosts);
        let bytes = print.to_bytes();
        std::fs::write(folder.join(format!("{env}.print")), &bytes).unwrap();
        // The same facts as the sorted lines other tools compare.
        let (_, start) = Head::read(&bytes).unwrap();
        let head = Head::read(&bytes).unwrap().0;
        let blocks: usize = head.hosts.values().map(sheet::HostHead::block_count).sum();
        let mut lines = BufWriter::new(File::create(folder.join(format!("{env}.tsv"))).unwrap());
        lines.write_all(&bytes[start + blocks * ENTRY..]).unwrap();
    }
}

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
    /// Whether the line it stands at has been read.
    settled: bool,
}

impl Streamed {
    fn open(path: &Path, skips: bool) -> (Head, Self) {
        let mut file = BufReader::with_capacity(1 << 16, File::open(path).unwrap());
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
        self.file.seek_relative(self.left as i64).unwrap();
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

fn stream(folder: &Path, skips: bool) {
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
fn memory(folder: &Path) {
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
fn bytes(folder: &Path) {
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

/// What counts as a real change, fixed before any rule was written: facts of the
/// system, the kernel, the zone, the identity, file systems, virtualisation.
fn is_real(path: &str) -> bool {
    let starts = [
        "/os/",
        "/kernel",
        "/fips",
        "/timezone",
        "/identity",
        "/filesystems",
    ];
    starts.iter().any(|start| path.starts_with(start))
        || path == "/virtual"
        || path == "/is_virtual"
}

/// Whether an image belongs to a half: by the parity of its name's place in
/// order, so that no image is in both.
fn in_half(at: usize, half: &str) -> bool {
    match half {
        "tuning" => at.is_multiple_of(2),
        "held-out" => !at.is_multiple_of(2),
        _ => true,
    }
}

fn noise_of(folder: &Path, half: &str) {
    let mut images: BTreeMap<String, Vec<(Vec<u32>, HostFacts)>> = BTreeMap::new();
    for version in std::fs::read_dir(folder).unwrap().flatten() {
        let name = version.file_name().into_string().unwrap();
        let order: Vec<u32> = name
            .split('.')
            .filter_map(|part| part.parse().ok())
            .collect();
        for image in std::fs::read_dir(version.path())
            .into_iter()
            .flatten()
            .flatten()
        {
            let text = std::fs::read_to_string(image.path()).unwrap();
            let thing = FactName::new("command", "facter");
            let facts =
                doc::paths(Format::Json, &text)
                    .unwrap()
                    .into_iter()
                    .map(|(path, value)| {
                        let name = thing.attribute(&path);
                        let class = noise::class(&name);
                        (
                            name,
                            Fact {
                                value: Value::Text(value),
                                class,
                            },
                        )
                    });
            let layers = [("command".to_owned(), LayerStatus::Ok)].into();
            let host = HostFacts {
                facts: facts.collect(),
                layers,
            };
            images
                .entry(image.file_name().into_string().unwrap())
                .or_default()
                .push((order.clone(), host));
        }
    }
    images.retain(|_, captures| captures.len() > 1);
    let (mut pairs, mut noise, mut left, mut real, mut kept) = (0_u32, 0_u32, 0_u32, 0_u32, 0_u32);
    for (_, (_, mut captures)) in images
        .into_iter()
        .enumerate()
        .filter(|(at, _)| in_half(*at, half))
    {
        captures.sort_by(|a, b| a.0.cmp(&b.0));
        for pair in captures.windows(2) {
            let (was, is) = (&pair[0].1, &pair[1].1);
            let print = |name: &str, host: &HostFacts| {
                let hosts = [(HostName::new("h"), host.clone())].into();
                Fingerprint::new(EnvName::new(name), Timestamp::UNIX_EPOCH, &[], hosts)
            };
            let (a, b) = (print("was", was), print("is", is));
            let none = BTreeMap::new();
            let of = |print| compare::Environment {
                fingerprint: print,
                groups: &none,
            };
            let found = compare::compare_environments(of(&a), of(&b), &[]);
            let shown: std::collections::BTreeSet<&FactName> =
                found.differences.iter().map(|d| &d.fact).collect();
            let names: std::collections::BTreeSet<&FactName> =
                was.facts.keys().chain(is.facts.keys()).collect();
            pairs += 1;
            for name in names.into_iter().filter(|name| {
                was.facts.get(*name).map(|f| &f.value) != is.facts.get(*name).map(|f| &f.value)
            }) {
                let shown = u32::from(shown.contains(name));
                if is_real(name.attribute_name().unwrap()) {
                    (real, kept) = (real + 1, kept + shown);
                } else {
                    (noise, left) = (noise + 1, left + shown);
                    if shown == 1 && half == "tuning" {
                        println!(
                            "left {name} {:?} {:?}",
                            was.facts.get(name).map(|f| f.value.shown()),
                            is.facts.get(name).map(|f| f.value.shown())
                        );
                    }
                }
            }
        }
    }
    println!("pairs {pairs}");
    println!("noise_mean {:.3}", f64::from(noise) / f64::from(pairs));
    println!("noise_left_mean {:.3}", f64::from(left) / f64::from(pairs));
    println!(
        "noise_gone_ratio {:.4}",
        1.0 - f64::from(left) / f64::from(noise)
    );
    println!("real {real}");
    println!("signal_kept_ratio {:.4}", f64::from(kept) / f64::from(real));
}

/// Where the failing parameter stands among those of its file, by base weight.
fn rank(folder: &Path, half: &str) {
    let labels = std::fs::read_to_string(folder.join("docker_misconfig.tsv")).unwrap();
    let mut files: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for line in labels.lines().skip(1) {
        let parts: Vec<&str> = line.split('\t').collect();
        files
            .entry((parts[0].to_owned(), parts[1].to_owned()))
            .or_default()
            .push(parts[4].to_owned());
    }
    let (mut labels, mut top1, mut top3, mut simple1, mut simple3) =
        (0_u32, 0_u32, 0_u32, 0_u32, 0_u32);
    for ((project, file), bad) in files {
        // By the digest of the file's name: fixed, and blind to what is in it.
        let odd = Digest::of(file.as_bytes()).short().as_bytes()[0] % 2 == 1;
        if (half == "tuning" && odd) || (half == "held-out" && !odd) {
            continue;
        }
        let folder = folder.join(&project);
        let mut path = folder.join(&file);
        if !path.exists() {
            let near = std::fs::read_dir(&folder).unwrap().flatten().find(|of| {
                let name = of.file_name().into_string().unwrap();
                name.contains(&file) || file.contains(&name)
            });
            let Some(near) = near else { continue };
            path = near.path();
        }
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let format = if file.ends_with(".xml") {
            Format::Xml
        } else {
            Format::Properties
        };
        let Ok(parameters) = doc::paths(format, &text) else {
            println!("unread {file}");
            continue;
        };
        let parameters: Vec<(String, String)> = parameters
            .into_iter()
            .map(|(path, value)| (path.rsplit('/').next().unwrap().to_owned(), value))
            .collect();
        if parameters.len() < 5 {
            continue;
        }
        let place = |score: &dyn Fn(&str, &str) -> f64, bad: &str| -> Option<f64> {
            let of = parameters.iter().find(|(name, _)| name == bad)?;
            let mine = score(&of.0, &of.1);
            let above = parameters
                .iter()
                .filter(|(n, v)| score(n, v) > mine)
                .count();
            let ties = parameters
                .iter()
                .filter(|(n, v)| score(n, v) == mine)
                .count();
            // Among equals the expected place is the middle one.
            Some(above as f64 + (ties as f64 - 1.0) / 2.0)
        };
        for bad in bad {
            let ours = |name: &str, value: &str| f64::from(risk::of_value(name, value).base);
            let simple = |_: &str, value: &str| simple_class(value);
            let (Some(ours), Some(simple)) = (place(&ours, &bad), place(&simple, &bad)) else {
                println!("absent {file} {bad}");
                continue;
            };
            labels += 1;
            top1 += u32::from(ours < 0.5 + f64::EPSILON);
            top3 += u32::from(ours < 2.5 + f64::EPSILON);
            simple1 += u32::from(simple < 0.5 + f64::EPSILON);
            simple3 += u32::from(simple < 2.5 + f64::EPSILON);
            if ours >= 2.0 && half == "tuning" {
                println!(
                    "low {ours} {bad} of {}: {:?}",
                    parameters.len(),
                    parameters
                        .iter()
                        .map(|(n, v)| format!("{n}={v} {}", risk::of_value(n, v).base))
                        .collect::<Vec<_>>()
                );
            }
        }
    }
    println!("labels {labels}");
    for (key, count) in [
        ("top3", top3),
        ("top1", top1),
        ("simple_top3", simple3),
        ("simple_top1", simple1),
    ] {
        let (low, high) = wilson(count, labels);
        println!("{key}_ratio {:.4}", f64::from(count) / f64::from(labels));
        println!("{key}_interval {low:.3} to {high:.3}");
    }
}

/// Wilson's interval of 95 % (1927).
fn wilson(hits: u32, of: u32) -> (f64, f64) {
    let (n, z) = (f64::from(of), 1.959_964);
    let p = f64::from(hits) / n;
    let middle = p + z * z / (2.0 * n);
    let reach = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    let whole = 1.0 + z * z / n;
    ((middle - reach) / whole, (middle + reach) / whole)
}

/// The simple score of the study: by what the value looks like alone.
fn simple_class(value: &str) -> f64 {
    let host = |value: &str| {
        value.split('.').count() > 1
            && value.split('.').all(|part| {
                !part.is_empty()
                    && part
                        .bytes()
                        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            })
    };
    let port = value.rsplit_once(':').is_some_and(|(host, port)| {
        !host.is_empty()
            && host
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b".-_".contains(&b))
            && (2..=5).contains(&port.len())
            && port.bytes().all(|b| b.is_ascii_digit())
    });
    if value.contains("://") && !value.starts_with("file") || port {
        1.0
    } else if value.trim_start_matches("file:").starts_with('/') && value.len() > 1 {
        0.8
    } else if ["org.", "com.", "io."]
        .iter()
        .any(|start| value.starts_with(start))
    {
        0.5
    } else if host(value) {
        0.9
    } else if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) {
        0.3
    } else {
        0.2
    }
}
