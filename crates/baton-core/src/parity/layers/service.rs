//! A process that runs, and the names it may look up.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::Read;
use crate::parity::fact::{Class, Fact, FactName};
use crate::parity::matcher::Pattern;
use crate::parity::output::text_or_hash;

/// Lines `KEY \t VALUE` of one process: `running`, `user`, `exe`, `cwd`, `count`,
/// each variable as `env \t NAME=VALUE`, each limit as `limit \t` and a line of
/// `/proc/PID/limits`. A variable counts when its name fits one of the patterns.
pub(in crate::parity) fn process(name: &str, env: &[Pattern], text: &str) -> Read {
    let mut into = Read::default();
    let thing = FactName::new("process", name);
    let mut limits = String::from("the head\n");
    for line in text.lines().filter(|line| !line.is_empty()) {
        match line.split_once('\t') {
            Some(("running", is)) => into.put(thing.clone(), is),
            Some(("env", assigned)) => {
                // A line without `=` is what a program wrote over its own variables.
                if let Some((var, value)) = assigned.split_once('=')
                    && env.iter().any(|pattern| pattern.matches(var))
                {
                    into.put(thing.attribute(&format!("/env/{var}")), value);
                }
            }
            Some(("limit", line)) => {
                limits.push_str(line);
                limits.push('\n');
            }
            Some((key @ ("user" | "exe" | "cwd" | "count"), value)) => {
                into.put(thing.attribute(&format!("/{key}")), value);
            }
            _ => into.odd += 1,
        }
    }
    let mut read = Read::default();
    super::system::limits(&limits, &mut read);
    into.odd += read.odd;
    for (limit, fact) in read.facts {
        let path = limit
            .as_str()
            .trim_start_matches("limits:")
            .replace('#', "/");
        into.facts
            .push((thing.attribute(&format!("/limits/{path}")), fact));
    }
    into
}

/// Lines `NAME \t ADDRESS ADDRESS …`, without addresses where nobody knows the
/// name. The addresses are the place's own; whether there are some, and of
/// which kind, is compared.
pub(super) fn names(text: &str, into: &mut Read) {
    for line in text.lines().filter(|line| !line.is_empty()) {
        let Some((name, addresses)) = line.split_once('\t') else {
            into.odd += 1;
            continue;
        };
        let name = FactName::new("dns", name);
        let known: BTreeSet<IpAddr> = addresses
            .split_whitespace()
            .filter_map(|word| word.parse().ok())
            .collect();
        let kinds: BTreeSet<&str> = known.iter().map(kind).collect();
        let kinds: Vec<&str> = kinds.into_iter().collect();
        if kinds.is_empty() {
            into.put(name, "not known");
            continue;
        }
        into.put(name.clone(), &kinds.join(" and "));
        let listed: Vec<String> = known.iter().map(ToString::to_string).collect();
        let value = text_or_hash(listed.join(" "));
        let class = Class::Identity;
        into.facts
            .push((name.attribute("addresses"), Fact { value, class }));
    }
}

/// From where an address can be reached (RFC 1918, RFC 4193, RFC 6890).
fn kind(address: &IpAddr) -> &'static str {
    match address {
        IpAddr::V4(v4) if v4.is_loopback() => "this host",
        IpAddr::V6(v6) if v6.is_loopback() => "this host",
        IpAddr::V4(v4) if v4.is_private() || v4.is_link_local() => "private, version 4",
        IpAddr::V6(v6) if v6.is_unique_local() || v6.is_unicast_link_local() => {
            "private, version 6"
        }
        IpAddr::V4(_) => "public, version 4",
        IpAddr::V6(_) => "public, version 6",
    }
}

/// Lines `KIND \t WHAT \t STATE \t WHERE IT IS NAMED`.
pub(super) fn references(text: &str, into: &mut Read) {
    for line in text.lines().filter(|line| !line.is_empty()) {
        let parts: Vec<&str> = line.split('\t').collect();
        let [kind @ ("path" | "host" | "port"), what, state, place] = parts.as_slice() else {
            into.odd += 1;
            continue;
        };
        let name = FactName::new("references", format!("{kind}:{what}"));
        into.put_as(name.attribute("in"), place, Class::Volatile);
        into.put(name, state);
    }
}
