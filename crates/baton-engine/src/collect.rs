//! Reads the facts of one host.
//!
//! One POSIX `sh` script is made from the collectors and run once, in the
//! host's folder, with the variables a step would see, in bounded time and
//! output. A collector never fails: what could not be read is the status of its
//! layer. Nothing is written on the host, and no secret is kept.

mod address;
mod environment;
mod here;
mod key;
mod run;
mod script;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use baton_core::time::Duration as Gap;
use jiff::Timestamp;

use baton_core::id::Digest;
use baton_core::parity::output::{OUTPUT_MAX, TEXT_MAX, parse};
use baton_core::parity::secret::{Secrets, carries_secret, looks_secret};
use baton_core::parity::{Collector, Fact, FactName, HostFacts, LayerStatus, Pattern, Value};

pub(crate) use address::session;
pub use environment::fingerprint;
pub use key::ledger_key;
pub(crate) use run::here as run_here;

use crate::shell::ssh::Ssh;

/// Where a host is.
#[derive(Clone, Copy, Debug)]
pub enum Place<'a> {
    /// A folder on this machine.
    Here(&'a Path),
    /// Behind ssh.
    Far {
        /// What connects.
        ssh: &'a Ssh,
        /// The host as `ssh` calls it.
        to: &'a str,
        /// The folder; home without it.
        dir: Option<&'a str>,
    },
}

/// A host as its facts are read.
#[derive(Clone, Copy, Debug)]
pub struct Site<'a> {
    /// Where it is.
    pub place: Place<'a>,
    /// The variables of environment and host, as a step sees them.
    pub vars: &'a BTreeMap<String, String>,
    /// The declared secrets that could be resolved. They are compared and
    /// withheld, and never handed to the script.
    pub secrets: &'a BTreeMap<String, String>,
    /// The contract's folder: where what is read from here is read.
    pub folder: &'a Path,
    /// The ledger's key, under which secrets are compared; see [`ledger_key`].
    pub key: &'a [u8],
}

/// How much reading one host may cost.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long the script may run; reaching the host is not counted.
    pub time: Duration,
    /// How many bytes it may print.
    pub bytes: usize,
}

impl Default for Limits {
    /// 20 seconds, which hash some gigabytes; 8 MiB.
    fn default() -> Self {
        Self {
            time: Duration::from_secs(20),
            bytes: OUTPUT_MAX,
        }
    }
}

/// Reads what the collectors ask for, within the usual [`Limits`].
pub fn collect(site: Site<'_>, collectors: &[Collector]) -> HostFacts {
    collect_within(site, collectors, Limits::default())
}

/// Reads what the collectors ask for. Every layer that is asked for has a
/// status afterwards; no secret of the site stands in what is returned.
pub fn collect_within(site: Site<'_>, collectors: &[Collector], limits: Limits) -> HostFacts {
    let scripted: Vec<Collector> = collectors
        .iter()
        .filter(|collector| !matches!(collector, Collector::Env { .. }))
        .filter(|collector| !collector.is_from_here() && collector.check().is_ok())
        .cloned()
        .collect();
    let mut host = by_script(site, &scripted, limits);
    let from_here = from_here(site, collectors, limits);
    host.facts.extend(from_here.facts);
    host.layers.extend(from_here.layers);
    for collector in collectors {
        let layer = collector.layer().to_owned();
        if let Err(reason) = collector.check() {
            host.layers.insert(layer, LayerStatus::NotCollected(reason));
        } else if let Collector::Env { names } = collector {
            host.facts.extend(variables(site, names));
            host.layers.entry(layer).or_insert(LayerStatus::Ok);
        }
    }
    let guarded = site
        .vars
        .iter()
        .filter(|(name, value)| looks_secret(name) || carries_secret(value));
    let values = guarded.map(|(_, value)| value).chain(site.secrets.values());
    Secrets::new(site.key, values.map(String::as_str)).withhold(host)
}

/// Reads what is asked from where Baton runs.
fn from_here(site: Site<'_>, collectors: &[Collector], limits: Limits) -> HostFacts {
    let asked = collectors
        .iter()
        .filter(|of| of.is_from_here() && of.check().is_ok());
    let asked: Vec<Collector> = asked.cloned().collect();
    here::read(&asked, site.secrets, site.folder, limits)
}

/// Where tools for migrations note what they did, and how a row is told.
const MIGRATIONS: [(&str, &str); 8] = [
    ("schema_migrations", "version"),
    ("_sqlx_migrations", "version"),
    ("__diesel_schema_migrations", "version"),
    ("alembic_version", "version_num"),
    ("django_migrations", "app || '.' || name"),
    ("flyway_schema_history", "version"),
    ("knex_migrations", "name"),
    ("goose_db_version", "version_id"),
];

fn by_script(site: Site<'_>, scripted: &[Collector], limits: Limits) -> HostFacts {
    if scripted.is_empty() {
        return HostFacts::default();
    }
    let script = script::script(scripted, site.vars);
    let begun = Timestamp::now();
    let ran = match site.place {
        Place::Here(dir) => run::here(&script, dir, site.vars, limits)
            .map_err(|error| format!("cannot start sh in {}: {error}", dir.display())),
        Place::Far { ssh, to, dir } => run::far(&script, (ssh, to, dir), site.vars, limits),
    };
    match ran {
        Ok(ran) => {
            let mut host = parse(&ran.output, scripted, &ran.unfinished);
            weigh_clock(&mut host, begun, Timestamp::now());
            host
        }
        Err(reason) => parse(&[], scripted, &LayerStatus::NotCollected(reason)),
    }
}

/// How far a clock may be off before it is a fact of its own, in seconds.
const CLOCK_OFF_MAX: i64 = 2;

/// Says of the host's clock whether it is right, by our own before and after:
/// its reading must have been taken between the two.
fn weigh_clock(host: &mut HostFacts, begun: Timestamp, ended: Timestamp) {
    let clock = host.facts.get(&FactName::new("time", "clock"));
    let Some(read) = clock.and_then(|fact| fact.value.number()) else {
        return;
    };
    // Seconds since 1970 in whole numbers: the cast loses nothing.
    let read = read as i64;
    let off = if read < begun.as_second() - CLOCK_OFF_MAX {
        read - begun.as_second()
    } else if read > ended.as_second() + CLOCK_OFF_MAX {
        read - ended.as_second()
    } else {
        0
    };
    let says = match off {
        0 => "right".to_owned(),
        off if off < 0 => format!("{} behind", Gap::from_secs(off.unsigned_abs())),
        off => format!("{} ahead", Gap::from_secs(off.unsigned_abs())),
    };
    let fact = Fact::stable(Value::Text(says));
    let _new = host
        .facts
        .insert(FactName::new("time", "clock").attribute("off"), fact);
}

/// The variables a step would see whose names fit. A secret is known by its
/// name, by being declared, or by its value; a long value by its digest.
fn variables(site: Site<'_>, names: &[String]) -> BTreeMap<FactName, Fact> {
    let patterns: Vec<Pattern> = names
        .iter()
        .filter_map(|name| Pattern::new(name).ok())
        .collect();
    let asked = |name: &str| patterns.iter().any(|pattern| pattern.matches(name));
    let open = site.vars.iter().map(|(name, value)| {
        let fact = if looks_secret(name) || carries_secret(value) {
            Fact::secret(site.key, value)
        } else if value.len() > TEXT_MAX {
            Fact::stable(Value::Hash(Digest::of(value.as_bytes())))
        } else {
            Fact::stable(Value::Text(value.clone()))
        };
        (name, fact)
    });
    let secret = site
        .secrets
        .iter()
        .map(|(name, value)| (name, Fact::secret(site.key, value)));
    open.chain(secret)
        .filter(|(name, _)| asked(name))
        .map(|(name, fact)| (FactName::new("env", name), fact))
        .collect()
}

#[cfg(test)]
mod tests;
