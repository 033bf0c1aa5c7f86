//! Packages, runtimes, settings of kernel and process, users, services.

use std::collections::BTreeMap;

use super::Read;
use crate::parity::fact::FactName;

/// Lines `NAME \t ARCH \t VERSION`. A name that several architectures or
/// versions share has all of them, in order.
pub(super) fn packages(text: &str, into: &mut Read) {
    let mut found: BTreeMap<&str, Vec<(&str, &str)>> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        let mut parts = line.split('\t');
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(name), Some(arch), Some(version), None) if !name.is_empty() => {
                found.entry(name).or_default().push((arch, version));
            }
            _ => into.odd += 1,
        }
    }
    for (name, mut versions) in found {
        versions.sort_unstable();
        versions.dedup();
        let shown: Vec<String> = match versions.as_slice() {
            [(_, version)] => vec![(*version).to_owned()],
            many => many
                .iter()
                .map(|(arch, version)| format!("{arch} {version}"))
                .collect(),
        };
        into.put(FactName::new("packages", name), &shown.join(", "));
    }
}

/// Lines `NAME-VERSION-rN` of `apk info -v`: the version is what stands behind
/// the last dash but one.
pub(super) fn apk(text: &str, into: &mut Read) {
    for line in text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with("WARNING"))
    {
        let parts = line.rsplit_once("-r").and_then(|(rest, build)| {
            let (name, version) = rest.rsplit_once('-')?;
            Some((name, format!("{version}-r{build}")))
        });
        match parts {
            Some((name, version)) => into.put(FactName::new("packages", name), &version),
            None => into.odd += 1,
        }
    }
}

/// Names of packages that are kept from being upgraded, one a line.
pub(super) fn held(text: &str, into: &mut Read) {
    for name in text.lines().map(str::trim).filter(|name| !name.is_empty()) {
        let name = FactName::new("packages", name).attribute("held");
        into.put(name, "yes");
    }
}

/// Lines `NAME \t what it says of its version`.
pub(super) fn versions(text: &str, into: &mut Read) {
    for line in text.lines().filter(|line| !line.is_empty()) {
        match line.split_once('\t') {
            Some((name, says)) => into.put(FactName::new("runtimes", name), says),
            None => into.odd += 1,
        }
    }
}

/// Lines `key = value` of `sysctl -a`; blanks between several values are one.
pub(super) fn sysctl(text: &str, into: &mut Read) {
    for line in text.lines().filter(|line| !line.is_empty()) {
        match line.split_once('=') {
            Some((key, value)) => {
                let value: Vec<&str> = value.split_whitespace().collect();
                into.put(FactName::new("sysctl", key.trim()), &value.join(" "));
            }
            None => into.odd += 1,
        }
    }
}

/// `/proc/PID/limits`: a head, then a name, two values and a unit, each parted
/// by two blanks or more (proc(5)).
pub(super) fn limits(text: &str, into: &mut Read) {
    for line in text.lines().skip(1).filter(|line| !line.is_empty()) {
        let parts: Vec<&str> = line
            .split("  ")
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .collect();
        let [name, soft, hard, ..] = parts.as_slice() else {
            into.odd += 1;
            continue;
        };
        let name = FactName::new("limits", name);
        into.put(name.attribute("soft"), soft);
        into.put(name.attribute("hard"), hard);
    }
}

/// Lines `key=value`; what has no value is not there.
pub(super) fn pairs(layer: &str, text: &str, into: &mut Read) {
    for line in text.lines().filter(|line| !line.is_empty()) {
        match line.split_once('=') {
            Some((_, "")) => {}
            Some((key, value)) => into.put(FactName::new(layer, key), value),
            None => into.odd += 1,
        }
    }
}

/// `locale -a`: one fact for each, its code set in one writing.
pub(super) fn known_locales(text: &str, into: &mut Read) {
    for name in text.lines().map(str::trim).filter(|name| !name.is_empty()) {
        let name = name.replace("utf8", "UTF-8");
        into.put(FactName::new("locale", format!("known/{name}")), "yes");
    }
}

/// passwd(5): a user is known by name; the numbers are given in the order of installing.
pub(super) fn passwd(text: &str, into: &mut Read) {
    for line in text.lines().filter(|line| !line.is_empty()) {
        let parts: Vec<&str> = line.split(':').collect();
        let [name, _, uid, gid, _, home, shell] = parts.as_slice() else {
            into.odd += 1;
            continue;
        };
        let name = FactName::new("users", name);
        into.put(name.attribute("uid"), uid);
        into.put(name.attribute("gid"), gid);
        into.put(name.attribute("home"), home);
        into.put(name, shell);
    }
}

/// group(5): a group's members, in one order.
pub(super) fn group(text: &str, into: &mut Read) {
    for line in text.lines().filter(|line| !line.is_empty()) {
        let parts: Vec<&str> = line.split(':').collect();
        let [name, _, gid, members] = parts.as_slice() else {
            into.odd += 1;
            continue;
        };
        let mut members: Vec<&str> = members.split(',').collect();
        members.sort_unstable();
        let name = FactName::new("users", format!("group/{name}"));
        into.put(name.attribute("gid"), gid);
        into.put(name, &members.join(","));
    }
}

/// `systemctl list-unit-files --no-legend`: a unit, whether it is enabled, and
/// what its vendor would.
pub(super) fn units(text: &str, into: &mut Read) {
    for line in text.lines().filter(|line| !line.is_empty()) {
        let mut parts = line.split_whitespace();
        match (parts.next(), parts.next()) {
            (Some(unit), Some(state)) => into.put(FactName::new("services", unit), state),
            _ => into.odd += 1,
        }
    }
}

/// Lines `FILE \t a line of a crontab`; comments say nothing.
pub(super) fn cron(text: &str, into: &mut Read) {
    let mut found: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        let Some((file, line)) = line.split_once('\t') else {
            into.odd += 1;
            continue;
        };
        let words: Vec<&str> = line.split_whitespace().collect();
        if words.first().is_some_and(|word| !word.starts_with('#')) {
            found.entry(file).or_default().push(words.join(" "));
        }
    }
    for (file, lines) in found {
        for (at, line) in lines.iter().enumerate() {
            into.put(
                FactName::new("services", format!("cron/{file}/{}", at + 1)),
                line,
            );
        }
    }
}
