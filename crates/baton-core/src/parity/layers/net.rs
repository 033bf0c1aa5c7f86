//! Mounts, listeners, names.

use std::collections::{BTreeMap, BTreeSet};

use super::Read;
use crate::parity::fact::{Class, FactName};

/// File systems that the kernel makes for itself.
const KERNEL: [&str; 15] = [
    "proc",
    "sysfs",
    "devpts",
    "devtmpfs",
    "cgroup",
    "cgroup2",
    "mqueue",
    "debugfs",
    "tracefs",
    "securityfs",
    "pstore",
    "bpf",
    "fusectl",
    "configfs",
    "binfmt_misc",
];

/// proc_mounts(5): `device place type options`. Options of the machine's size
/// are left out.
pub(super) fn mounts(text: &str, into: &mut Read) {
    for line in text.lines().filter(|line| !line.is_empty()) {
        let mut parts = line.split(' ');
        let (Some(device), Some(place), Some(kind), Some(options)) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            into.odd += 1;
            continue;
        };
        if KERNEL.contains(&kind) {
            continue;
        }
        let sized = [
            "size=",
            "nr_inodes=",
            "lowerdir=",
            "upperdir=",
            "workdir=",
            "mode=",
        ];
        let mut options: Vec<&str> = options
            .split(',')
            .filter(|option| !sized.iter().any(|sized| option.starts_with(sized)))
            .collect();
        options.sort_unstable();
        let name = FactName::new("mounts", place.replace("\\040", " "));
        into.put(name.attribute("device"), device);
        into.put(name.attribute("options"), &options.join(","));
        into.put(name, kind);
    }
}

/// The first port that the kernel gives away itself, by Linux's usual
/// `net.ipv4.ip_local_port_range`.
const EPHEMERAL: u16 = 32_768;

/// `/proc/net/tcp`, `tcp6`, `udp` and `udp6` one after the other: what listens
/// on which port, and whether it is to be reached from elsewhere.
pub(super) fn sockets(kind: &str, text: &str, into: &mut Read) {
    // A socket that listens: TCP_LISTEN, or a UDP socket without a peer, TCP_CLOSE.
    let listening = if kind == "tcp" { "0A" } else { "07" };
    let mut found: BTreeMap<u16, BTreeSet<&'static str>> = BTreeMap::new();
    for line in text.lines() {
        let mut parts = line.split_whitespace();
        let (Some(_), Some(local), Some(peer), Some(state)) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            continue;
        };
        if local == "local_address" || state != listening || !peer.ends_with(":0000") {
            continue;
        }
        let port = local
            .rsplit_once(':')
            .and_then(|(address, port)| Some((address, u16::from_str_radix(port, 16).ok()?)));
        match port {
            Some((address, port)) => drop(found.entry(port).or_default().insert(reach(address))),
            None => into.odd += 1,
        }
    }
    for (port, reach) in found {
        let reach: Vec<&str> = reach.into_iter().collect();
        let name = FactName::new("listeners", format!("{kind}/{port}"));
        if port >= EPHEMERAL {
            into.put_as(name, &reach.join(" and "), Class::Volatile);
        } else {
            into.put(name, &reach.join(" and "));
        }
    }
}

/// From where an address in the kernel's writing can be reached: words of four
/// bytes, each in the order of the machine (proc_net(5)).
fn reach(address: &str) -> &'static str {
    let mapped = address
        .strip_prefix("0000000000000000FFFF0000")
        .unwrap_or(address);
    if mapped.bytes().all(|byte| byte == b'0') {
        "from anywhere"
    } else if mapped.len() == 8 && mapped.ends_with("7F")
        || mapped == "00000000000000000000000001000000"
    {
        "from this host"
    } else {
        "at an address of its own"
    }
}

/// resolv.conf(5).
pub(super) fn resolv(text: &str, into: &mut Read) {
    let mut found: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        let (key, value) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        found.entry(key).or_default().push(value.trim());
    }
    for (key, values) in found {
        into.put(FactName::new("resolver", key), &values.join(" "));
    }
}

/// hosts(5): names with an address of their own.
pub(super) fn hosts(text: &str, into: &mut Read) {
    let mut found: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or("");
        let mut words = line.split_whitespace();
        let Some(address) = words.next() else {
            continue;
        };
        for name in words {
            found.entry(name).or_default().insert(address);
        }
    }
    for (name, addresses) in found {
        let addresses: Vec<&str> = addresses.into_iter().collect();
        into.put(
            FactName::new("resolver", format!("hosts/{name}")),
            &addresses.join(" "),
        );
    }
}
