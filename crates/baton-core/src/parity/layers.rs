//! Reads what tools print of a layer: `dpkg-query`, `rpm`, `sysctl`, `/proc`, …
//!
//! The script of the engine says which tool spoke; here its lines become facts.
//! A line that is not as the tool prints it is counted, not believed: the layer
//! is then read in part.

mod database;
mod net;
mod service;
mod system;

pub(super) use service::process;

use crate::parity::fact::{Class, Fact, FactName};
use crate::parity::noise;

/// The facts of one output, and how many of its lines could not be read.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) facts: Vec<(FactName, Fact)>,
    pub(super) odd: usize,
}

impl Read {
    /// Keeps a fact of the class that its name has.
    fn put(&mut self, name: FactName, value: &str) {
        let class = noise::class(&name);
        self.put_as(name, value, class);
    }

    fn put_as(&mut self, name: FactName, value: &str, class: Class) {
        let value = super::output::text_or_hash(value.trim().to_owned());
        self.facts.push((name, Fact { value, class }));
    }
}

/// Reads the output of one tool for one layer; `None` for a tool nobody knows.
pub(super) fn read(layer: &str, tool: &str, text: &str) -> Option<Read> {
    let mut read = Read::default();
    let into = &mut read;
    match (layer, tool) {
        ("packages", "deb" | "rpm") => system::packages(text, into),
        ("packages", "apk") => system::apk(text, into),
        ("packages", "held") => system::held(text, into),
        ("runtimes", "versions") => system::versions(text, into),
        ("sysctl", "sysctl") => system::sysctl(text, into),
        ("limits", "limits") => system::limits(text, into),
        ("limits", "machine") => system::pairs("limits", text, into),
        ("locale", "pairs") => system::pairs("locale", text, into),
        ("locale", "known") => system::known_locales(text, into),
        ("time", "pairs") => system::pairs("time", text, into),
        ("users", "passwd") => system::passwd(text, into),
        ("users", "group") => system::group(text, into),
        ("services", "units") => system::units(text, into),
        ("services", "cron") => system::cron(text, into),
        ("mounts", "mounts") => net::mounts(text, into),
        ("listeners", "tcp" | "udp") => net::sockets(tool, text, into),
        ("resolver", "conf") => net::resolv(text, into),
        ("resolver", "hosts") => net::hosts(text, into),
        ("sqlite" | "postgres", place) => database::schema(layer, place, text, into),
        ("dns", "names") => service::names(text, into),
        ("references", "found") => service::references(text, into),
        _ => return None,
    }
    Some(read)
}

#[cfg(test)]
mod tests;
