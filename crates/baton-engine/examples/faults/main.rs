//! Faults put on purpose into a real capture of this machine: is each found, and
//! does it stand among the first three of its report?
//!
//! The tested environment is one capture, the launch environment a later one
//! with one fault more. Real noise lies between the two: what this machine does
//! by itself, and two captures of one public image by Facter, whose folder is
//! the first argument. It prints one `KEY VALUE` a line, and names what was not
//! found. It is part of no release.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark ends at the first trouble"
)]

mod base;
mod kinds;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use baton_core::id::{EnvName, HostName};
use baton_core::parity::{
    Environment, Fingerprint, HostFacts, Is, Pattern, Rule, compare_environments, compare_hosts,
};
use jiff::Timestamp;

use world::World;

fn main() {
    let noise = std::env::args().nth(1);
    let mut tested_world = World::new("staging");
    let later = World::new("production");
    let noises = noise.map_or_else(Vec::new, |folder| world::noises(Path::new(&folder)));
    let (mut found, mut first, mut rows) = (0, 0, 0);
    let kinds: Vec<_> = kinds::all().collect();
    for (at, fault) in kinds.iter().enumerate() {
        let mut world = later.clone();
        fault.put(&mut world);
        let (mut tested, mut launch) = (tested_world.facts(), world.facts());
        if let Some((was, is)) = noises.get(at % noises.len().max(1)) {
            world::join(&mut tested, was);
            world::join(&mut launch, is);
        }
        let report = report(&tested, &launch);
        rows += report.len();
        let pattern = Pattern::new(fault.shows).unwrap();
        match report.iter().position(|name| pattern.matches(name)) {
            Some(place) => {
                found += 1;
                first += usize::from(place < 3);
                if place >= 3 {
                    println!(
                        "low {} stands at {} of {}: {report:?}",
                        fault.shows,
                        place + 1,
                        report.len()
                    );
                }
            }
            None => println!("unfound {}: {report:?}", fault.shows),
        }
    }
    let all = kinds.len();
    let layers: BTreeSet<&str> = kinds.iter().map(|fault| fault.layer).collect();
    println!("faults {all}");
    println!("layers {}", layers.len());
    println!("noise_pairs {}", noises.len());
    println!("rows_mean {:.3}", rows as f64 / all as f64);
    println!("faults_found_ratio {:.4}", f64::from(found) / all as f64);
    println!("faults_top3_ratio {:.4}", first as f64 / all as f64);
}

/// The facts that differ, the gravest first.
fn report(tested: &HostFacts, launch: &HostFacts) -> Vec<String> {
    let print = |name: &str, host: &HostFacts| {
        let hosts = [(HostName::new("web1"), host.clone())].into();
        Fingerprint::new(EnvName::new(name), Timestamp::UNIX_EPOCH, &[], hosts)
    };
    let (tested, launch) = (print("staging", tested), print("production", launch));
    let groups = BTreeMap::new();
    let of = |fingerprint| Environment {
        fingerprint,
        groups: &groups,
    };
    let rule = |pattern: &str, is| Rule {
        pattern: pattern.to_owned(),
        is,
    };
    let rules = [
        rule("env:DB_URL", Is::MustDiffer),
        rule("files:app.toml#/workers", Is::Ratio { max: 8.0 }),
        rule("files:app.yaml#/site", Is::Named),
        rule("packages:libshop", Is::SameMajor),
    ];
    let mut between = compare_environments(of(&tested), of(&launch), &rules).differences;
    let contradictions = compare_hosts(of(&launch), &rules).differences;
    between.extend(contradictions);
    between.sort_by_key(|difference| std::cmp::Reverse(difference.risk.score));
    let mut names: Vec<String> = between.iter().map(|one| one.fact.to_string()).collect();
    let mut seen = BTreeSet::new();
    names.retain(|name| seen.insert(name.clone()));
    names
}
