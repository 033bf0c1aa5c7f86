//! How long it takes to read an environment of three hosts over ssh: a real sshd
//! on loopback, everything that a contract asks for by a word alone, variables,
//! a command, and two hundred files of configuration on each host.
//!
//! Beside it the same hosts without ssh. It prints one `KEY VALUE` a line,
//! medians of several readings. It is part of no release.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark ends at the first trouble"
)]

mod attempt;
#[path = "../../tests/it/sshd.rs"]
#[expect(
    dead_code,
    reason = "tests break connections as well, and start attempts"
)]
mod sshd;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::Instant;

use baton_core::handoff::contract::Host;
use baton_core::id::{EnvName, HostName};
use baton_core::parity::{Collector, LayerStatus};
use baton_core::run::survey::{Site, Survey};
use baton_engine::collect::fingerprint;

use sshd::Sshd;

const HOSTS: [&str; 3] = ["web1", "web2", "web3"];
/// Where a server has its programs: shims of a developer's machine cost seconds.
const TOOLS: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const FILES: usize = 200;
const READINGS: usize = 7;

fn main() {
    let sshd = Sshd::with_tools(TOOLS);
    let config = sshd.path("work/config");
    fs::create_dir(&config).unwrap();
    for n in 0..FILES {
        let text = format!("workers = {n}\n[db]\nhost = \"localhost\"\npool = 10\n");
        fs::write(config.join(format!("part{n}.toml")), text).unwrap();
    }
    let far = |name: &str| sshd.host(name);
    let near = |name: &str| Host {
        ssh: None,
        ..sshd.host(name)
    };
    println!("capture_ssh_ms {:.3}", median(&sshd, &survey(far)));
    println!("capture_here_ms {:.3}", median(&sshd, &survey(near)));
}

/// What is asked of which hosts.
fn survey(host: impl Fn(&str) -> Host) -> Survey {
    let mut asked = Collector::WORDS.to_vec();
    asked.push(Collector::Env {
        names: vec!["*".to_owned()],
    });
    asked.push(Collector::Files {
        paths: vec!["config/**".to_owned()],
    });
    asked.push(Collector::Command {
        id: "kernel".to_owned(),
        run: "uname -r".to_owned(),
    });
    let hosts = HOSTS.map(|name| {
        let vars = [("APP_MODE", "release"), ("PATH", TOOLS)];
        let vars = vars.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let site = Site {
            host: host(name),
            vars: vars.into(),
            declared: BTreeSet::from(["APP_MODE".to_owned()]),
            collectors: asked.clone(),
        };
        (HostName::new(name), site)
    });
    Survey {
        environment: EnvName::new("staging"),
        asked,
        hosts: hosts.into(),
        secrets: BTreeMap::new(),
    }
}

/// Milliseconds of a reading. The first, which also learns the host's key, is
/// not counted; one that is not whole would be a figure of something else.
fn median(sshd: &Sshd, survey: &Survey) -> f64 {
    let mut taken = Vec::new();
    for at in 0..=READINGS {
        let begun = Instant::now();
        let print = fingerprint(survey, sshd.root.path(), sshd.root.path(), &sshd.ssh()).unwrap();
        let took = begun.elapsed().as_secs_f64() * 1000.0;
        for (name, host) in &print.hosts {
            let lost = |status: &&LayerStatus| {
                matches!(status, LayerStatus::Timeout | LayerStatus::NotCollected(_))
            };
            let lost = host.layers.iter().find(|(_, status)| lost(status));
            assert!(lost.is_none(), "{name}: {lost:?}");
            assert!(host.facts.len() > 3 * FILES, "{name}: {}", host.facts.len());
        }
        if at > 0 {
            taken.push(took);
        }
    }
    taken.sort_by(f64::total_cmp);
    taken[READINGS / 2]
}
