//! Reads all hosts of an environment, at once.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::thread;

use baton_core::handoff::contract::SecretRef;
use baton_core::parity::{Collector, FactName, Fingerprint, HostFacts, LayerStatus, Pattern};
use baton_core::run::survey::{self, Survey};
use jiff::Timestamp;

use super::{Place, Site, collect, ledger_key};
use crate::secret::resolve;
use crate::shell::ssh::Ssh;

/// Reads an environment. Relative folders and secrets are taken from `folder`,
/// the contract's; `own` is the ledger's, whose key makes secrets comparable;
/// hosts behind ssh are reached through `ssh`.
/// Every host and layer that was asked for has a status afterwards.
///
/// # Errors
/// When the ledger's key cannot be read or made.
pub fn fingerprint(
    survey: &Survey,
    folder: &Path,
    own: &Path,
    ssh: &Ssh,
) -> io::Result<Fingerprint> {
    let key = ledger_key(own)?;
    let at = Timestamp::now();
    let secrets = Secrets::of(&survey.secrets, folder);
    let hosts = thread::scope(|scope| {
        let reading: Vec<_> = survey
            .hosts
            .iter()
            .map(|(name, site)| {
                let (secrets, key) = (&secrets, &key);
                let thread = scope.spawn(move || read(site, secrets, (folder, ssh), key));
                (name.clone(), thread, site)
            })
            .collect();
        reading
            .into_iter()
            .map(|(name, thread, site)| {
                let broken = |_panic| unread(site, "reading it broke off");
                (name, thread.join().unwrap_or_else(broken))
            })
            .collect()
    });
    Ok(Fingerprint::new(
        survey.environment.clone(),
        at,
        &survey.asked,
        hosts,
    ))
}

/// Reads one host.
fn read(
    of: &survey::Site,
    secrets: &Secrets,
    (folder, ssh): (&Path, &Ssh),
    key: &[u8],
) -> HostFacts {
    let dir = of.host.dir.as_deref();
    let here = folder.join(dir.unwrap_or("."));
    let site = Site {
        place: match &of.host.ssh {
            Some(to) => Place::Far { ssh, to, dir },
            None => Place::Here(&here),
        },
        vars: &of.vars,
        secrets: &secrets.had,
        folder,
        key,
    };
    let mut facts = collect(site, &of.collectors);
    for own in of.vars.keys().filter(|var| !of.declared.contains(*var)) {
        let _gone = facts.facts.remove(&FactName::new("env", own));
    }
    if let Some(why) = secrets.unknown(&of.collectors) {
        let partial = LayerStatus::Partial(why);
        let _before = facts.layers.insert("env".to_owned(), partial);
    }
    facts
}

/// A host of which nothing was read: every layer says so.
fn unread(of: &survey::Site, why: &str) -> HostFacts {
    let status = || LayerStatus::NotCollected(why.to_owned());
    let layers = of.collectors.iter();
    HostFacts {
        facts: BTreeMap::new(),
        layers: layers.map(|of| (of.layer().to_owned(), status())).collect(),
    }
}

/// The declared secrets of an environment.
struct Secrets {
    /// Those that could be had, by name.
    had: BTreeMap<String, String>,
    /// Why the others could not.
    missing: BTreeMap<String, String>,
}

impl Secrets {
    fn of(declared: &BTreeMap<String, SecretRef>, folder: &Path) -> Self {
        let (mut had, mut missing) = (BTreeMap::new(), BTreeMap::new());
        for (name, reference) in declared {
            let _new = match resolve(reference, folder) {
                Ok(secret) => had.insert(name.clone(), secret.expose().to_owned()),
                Err(why) => missing.insert(name.clone(), why),
            };
        }
        Self { had, missing }
    }

    /// Why some of the variables that are asked for are not known.
    fn unknown(&self, collectors: &[Collector]) -> Option<String> {
        let names = collectors.iter().filter_map(|collector| match collector {
            Collector::Env { names } => Some(names),
            _ => None,
        });
        let patterns: Vec<Pattern> = names
            .flatten()
            .filter_map(|name| Pattern::new(name).ok())
            .collect();
        let asked = |name: &str| patterns.iter().any(|pattern| pattern.matches(name));
        let missing = self.missing.iter().filter(|(name, _)| asked(name));
        let told: Vec<String> = missing
            .map(|(name, why)| format!("the secret {name} could not be had: {why}"))
            .collect();
        (!told.is_empty()).then(|| told.join("; "))
    }
}
