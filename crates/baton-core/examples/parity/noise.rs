//! How much noise of real captures is gone, and how much change is kept.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use baton_core::id::{EnvName, HostName};
use baton_core::parity::doc::{self, Format};
use baton_core::parity::fingerprint::LayerStatus;
use baton_core::parity::{Fact, FactName, Fingerprint, HostFacts, Value, compare, noise};
use jiff::Timestamp;

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

/// The captures of each image, by the version of the tool that took them.
type Captures = BTreeMap<String, Vec<(Vec<u32>, HostFacts)>>;

fn captures(folder: &Path) -> Captures {
    let mut images = Captures::new();
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
            let name = image.file_name().into_string().unwrap();
            let of = images.entry(name).or_default();
            of.push((order.clone(), host(&text)));
        }
    }
    images.retain(|_, captures| captures.len() > 1);
    for captures in images.values_mut() {
        captures.sort_by(|a, b| a.0.cmp(&b.0));
    }
    images
}

/// A capture as the collector `command: { id: facter, run: facter -j }` gives it.
fn host(text: &str) -> HostFacts {
    let thing = FactName::new("command", "facter");
    let paths = doc::paths(Format::Json, text).unwrap().into_iter();
    let facts = paths.map(|(path, value)| {
        let name = thing.attribute(&path);
        let class = noise::class(&name);
        let value = Value::Text(value);
        (name, Fact { value, class })
    });
    HostFacts {
        facts: facts.collect(),
        layers: [("command".to_owned(), LayerStatus::Ok)].into(),
    }
}

#[derive(Default)]
struct Tally {
    pairs: u32,
    noise: u32,
    left: u32,
    real: u32,
    kept: u32,
}

impl Tally {
    fn add(&mut self, was: &HostFacts, is: &HostFacts, tells: bool) {
        let print = |name: &str, host: &HostFacts| {
            let hosts = [(HostName::new("h"), host.clone())].into();
            Fingerprint::new(EnvName::new(name), Timestamp::UNIX_EPOCH, &[], hosts)
        };
        let (a, b) = (print("was", was), print("is", is));
        let groups = BTreeMap::new();
        let of = |print| compare::Environment {
            fingerprint: print,
            groups: &groups,
        };
        let found = compare::compare_environments(of(&a), of(&b), &[]);
        let shown: BTreeSet<&FactName> = found.differences.iter().map(|d| &d.fact).collect();
        let names: BTreeSet<&FactName> = was.facts.keys().chain(is.facts.keys()).collect();
        self.pairs += 1;
        for name in names {
            let value = |host: &HostFacts| host.facts.get(name).map(|fact| fact.value.shown());
            if was.facts.get(name).map(|f| &f.value) == is.facts.get(name).map(|f| &f.value) {
                continue;
            }
            let shown = u32::from(shown.contains(name));
            if is_real(name.attribute_name().unwrap()) {
                (self.real, self.kept) = (self.real + 1, self.kept + shown);
            } else {
                (self.noise, self.left) = (self.noise + 1, self.left + shown);
                if shown == 1 && tells {
                    println!("left {name} {:?} {:?}", value(was), value(is));
                }
            }
        }
    }
}

/// Counts over all pairs of consecutive captures of an image; what is left of
/// the half that rules may be tuned on is named.
pub(super) fn measure(folder: &Path, half: &str) {
    let mut tally = Tally::default();
    let images = captures(folder).into_values().enumerate();
    for (_, captures) in images.filter(|(at, _)| in_half(*at, half)) {
        for pair in captures.windows(2) {
            tally.add(&pair[0].1, &pair[1].1, half == "tuning");
        }
    }
    let of = |part: u32, whole: u32| f64::from(part) / f64::from(whole);
    println!("pairs {}", tally.pairs);
    println!("noise_mean {:.3}", of(tally.noise, tally.pairs));
    println!("noise_left_mean {:.3}", of(tally.left, tally.pairs));
    println!("noise_gone_ratio {:.4}", 1.0 - of(tally.left, tally.noise));
    println!("real {}", tally.real);
    println!("signal_kept_ratio {:.4}", of(tally.kept, tally.real));
}
