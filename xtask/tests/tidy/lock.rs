//! What may stand in Cargo.lock, and how much of it.

use crate::hold;
use crate::source::read;

const PACKAGES_MAX: usize = 400;

const FORBIDDEN: [(&str, &str); 3] = [
    ("openssl-sys", "needs a system library: rustls is built in"),
    (
        "aws-lc-sys",
        "needs cmake and minutes of C: rustls uses ring",
    ),
    (
        "serde_yaml",
        "is no longer kept: the contract is read through saphyr-parser",
    ),
];

fn complaints(lock: &str) -> Vec<String> {
    let names: Vec<&str> = lock
        .lines()
        .filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'))
        .collect();
    let mut found: Vec<String> = FORBIDDEN
        .iter()
        .filter(|(name, _)| names.contains(name))
        .map(|(name, why)| format!("{name} {why}"))
        .collect();
    if names.len() > PACKAGES_MAX {
        found.push(format!("{} packages; at most {PACKAGES_MAX}", names.len()));
    }
    if names.is_empty() {
        found.push("no package is named: was the file read?".to_owned());
    }
    found
}

#[test]
fn the_lock_is_small_and_holds_nothing_forbidden() {
    hold("Cargo.lock", &complaints(&read("Cargo.lock")));
}

mod tests {
    use super::*;

    #[test]
    fn forbidden_and_too_many_are_complaints() {
        let package = |name: &str| format!("[[package]]\nname = \"{name}\"\nversion = \"1.0.0\"\n");
        assert!(complaints(&package("serde")).is_empty());
        for (name, _) in FORBIDDEN {
            assert_eq!(complaints(&package(name)).len(), 1, "{name}");
        }
        assert_eq!(complaints(&package("a").repeat(PACKAGES_MAX + 1)).len(), 1);
        assert_eq!(complaints("").len(), 1);
    }
}
