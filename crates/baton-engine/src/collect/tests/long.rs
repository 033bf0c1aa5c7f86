//! Files too long to be read, which are compared as a whole, and lock files.

use std::fmt::Write as _;

use baton_core::id::{EnvName, HostName};
use baton_core::parity::{Environment, Fingerprint, compare_environments};

use super::*;

/// A million lines, one of them another.
fn rows(odd: &str) -> String {
    let mut rows = String::new();
    for n in 0..1_000_000 {
        let row = if n == 654_321 { odd } else { "paid" };
        writeln!(rows, "{n},{row}").unwrap();
    }
    rows
}

/// However long a file is, what is read of it is its digest: the output of the
/// host, all that Baton ever holds of it, stays within a bound that a hundredth
/// of the file would break. A setting beside it is still told by itself.
#[test]
fn a_file_of_a_million_lines_is_compared_within_a_bound_and_told_to_differ() {
    let of = |odd: &str, workers: u8| {
        let place = Place::new()
            .file("data/rows.csv", &rows(odd))
            .file("data/rows.json", &rows(odd))
            .file("data/app.toml", &format!("workers = {workers}\n"));
        let limits = Limits {
            bytes: 64 << 10,
            ..Limits::default()
        };
        let asked = Collector::Files {
            paths: vec!["data/**".to_owned()],
        };
        let facts = collect_within(place.site(), &[asked], limits);
        assert_eq!(facts.layers["files"], LayerStatus::Ok);
        facts
    };
    let print = |name: &str, facts: HostFacts| {
        let hosts = [(HostName::new("web1"), facts)].into();
        Fingerprint::new(EnvName::new(name), Timestamp::UNIX_EPOCH, &[], hosts)
    };
    let tested = print("staging", of("paid", 4));
    let launch = print("production", of("lost", 8));
    assert!(tested.to_bytes().len() < 4096);
    let groups = BTreeMap::new();
    let side = |fingerprint| Environment {
        fingerprint,
        groups: &groups,
    };
    let found = compare_environments(side(&tested), side(&launch), &[]);
    let mut says: Vec<&str> = found
        .differences
        .iter()
        .map(|of| of.says.as_str())
        .collect();
    says.sort_unstable();
    assert_eq!(says.len(), 3, "{says:?}");
    assert!(says[0].starts_with("files:data/app.toml#/workers differs: staging has 4"));
    for (said, name) in says[1..].iter().zip(["rows.csv", "rows.json"]) {
        let start = format!("files:data/{name} differs: staging has sha256:");
        assert!(said.starts_with(&start), "{said}");
    }
    let same = compare_environments(side(&tested), side(&tested), &[]);
    assert!(same.differences.is_empty());
}

#[test]
fn lock_files_are_read_by_their_packages() {
    let place = Place::new()
        .file("yarn.lock", "ms@^2.1.0:\n  version \"2.1.3\"\n")
        .file("Gemfile.lock", "GEM\n  specs:\n    rack (3.1.7)\n")
        .file("go.mod", "module shop\n\nrequire rsc.io/quote v1.5.2\n")
        .file(
            "go.sum",
            "rsc.io/quote v1.5.2 h1:w5fcysjrx7yqtD/aO+QwRjYZOKnaM9Uh2b40tElTs3Y=\n",
        );
    let names = ["yarn.lock", "Gemfile.lock", "go.mod", "go.sum"];
    let read = place.collect(&[Collector::Files {
        paths: names.map(str::to_owned).to_vec(),
    }]);
    for (name, value) in [
        ("files:yarn.lock#/package/ms/version", "2.1.3"),
        ("files:Gemfile.lock#/package/rack/version", "3.1.7"),
        ("files:go.mod#/require/rsc.io~1quote", "v1.5.2"),
        ("files:go.sum#/package/rsc.io~1quote/version", "v1.5.2"),
    ] {
        let of = read.facts.iter().find(|(fact, _)| fact.as_str() == name);
        assert_eq!(
            of.and_then(|(_, fact)| fact.value.text()),
            Some(value),
            "{name}"
        );
    }
}
