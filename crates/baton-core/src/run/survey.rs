//! What is read of an environment, and where: everything a fingerprint needs,
//! complete but for the values of secrets.

use std::collections::{BTreeMap, BTreeSet};

use super::order::{filled_from, values};
use crate::handoff::contract::{Contract, Host, SecretRef};
use crate::id::{EnvName, HostName};
use crate::parity::Collector;

/// An environment to be read.
#[derive(Clone, Debug, PartialEq)]
pub struct Survey {
    /// Which.
    pub environment: EnvName,
    /// What is asked, as the contract writes it.
    pub asked: Vec<Collector>,
    /// Its hosts.
    pub hosts: BTreeMap<HostName, Site>,
    /// The secrets of the environment: compared, and never handed to a host.
    pub secrets: BTreeMap<String, SecretRef>,
}

/// One host to be read.
#[derive(Clone, Debug, PartialEq)]
pub struct Site {
    /// Where, its variables filled in.
    pub host: Host,
    /// What a step would see there, and `HOST`.
    pub vars: BTreeMap<String, String>,
    /// Those of them that the contract declares; the others are Baton's own
    /// words for where it is, and no facts of the environment.
    pub declared: BTreeSet<String>,
    /// What is asked, with variables filled in where they may stand.
    pub collectors: Vec<Collector>,
}

/// What is to be read of an environment; `None` when the contract does not know it.
pub fn survey(contract: &Contract, environment: &EnvName, asked: &[Collector]) -> Option<Survey> {
    let place = contract.environments.get(environment)?;
    let hosts = place.hosts.iter().map(|(name, host)| {
        let mut vars = values(contract, environment, place, name);
        let declared: BTreeSet<String> =
            place.vars.keys().chain(host.vars.keys()).cloned().collect();
        if !declared.contains("HOST") {
            let _new = vars.insert("HOST".to_owned(), name.to_string());
        }
        let fill = |text: &String| filled_from(text, &vars);
        let collectors = asked.iter().map(|collector| collector.filled(fill));
        let site = Site {
            host: Host {
                ssh: host.ssh.as_ref().map(fill),
                dir: host.dir.as_ref().map(fill),
                vars: host.vars.clone(),
            },
            collectors: collectors.collect(),
            declared,
            vars,
        };
        (name.clone(), site)
    });
    Some(Survey {
        environment: environment.clone(),
        asked: asked.to_vec(),
        hosts: hosts.collect(),
        secrets: place.secrets.clone(),
    })
}
