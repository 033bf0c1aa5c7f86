//! What is proposed covers its noise and nothing that stayed: by example, and
//! over captures made at random.

use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::id::EnvName;
use crate::parity::compare::{Environment, compare_environments};
use crate::parity::{LayerStatus, Pattern, Value};

/// A capture of hosts with facts written `HOST env:A=1`; a value that begins
/// with a `~` is one of an identity.
fn print(facts: &[&str]) -> Fingerprint {
    let mut hosts: BTreeMap<HostName, HostFacts> = BTreeMap::new();
    for fact in facts {
        let (host, fact) = fact.split_once(' ').unwrap();
        let (name, value) = fact.split_once('=').unwrap();
        let host = hosts.entry(HostName::new(host)).or_default();
        for layer in ["env", "files", "command", "listeners"] {
            host.layers.insert(layer.to_owned(), LayerStatus::Ok);
        }
        let class = match value.strip_prefix('~') {
            Some(_) => Class::Identity,
            None => Class::Stable,
        };
        let value = Value::Text(value.to_owned());
        host.facts
            .insert(FactName::of_line(name), Fact { value, class });
    }
    Fingerprint::new(EnvName::new("staging"), Timestamp::UNIX_EPOCH, &[], hosts)
}

/// The proposals as lines: `PATTERN is RULE < facts`, `waive PATTERNS < facts`.
fn lines(first: &[&str], second: &[&str], rules: &[Rule]) -> Vec<String> {
    let found = propose(&print(first), &print(second), rules);
    let from = |seen: &[Seen]| {
        let seen = seen
            .iter()
            .map(|seen| format!("{} {}", seen.host, seen.fact));
        seen.collect::<Vec<_>>().join(", ")
    };
    let ruled = found
        .ruled
        .iter()
        .map(|of| format!("{} stays {}", of.rule, of.seen.host));
    let rules = found
        .rules
        .iter()
        .map(|of| format!("{} < {}", of.rule, from(&of.made_from)));
    let waive =
        |of: &ProposedWaiver| format!("waive {} < {}", of.matches.join(" "), from(&of.made_from));
    let waivers = found.waivers.iter().map(waive);
    rules.chain(waivers).chain(ruled).collect()
}

#[test]
fn what_changes_by_itself_becomes_the_rule_that_asks_for_most() {
    for (first, second, line) in [
        (
            "web1 command:a=90s",
            "web1 command:a=1m30s",
            "command:a may be written in another way < web1 command:a",
        ),
        (
            "web1 env:A=x y",
            "web1 env:A=y x",
            "env:A may stand in any order < web1 env:A",
        ),
        (
            "web1 env:A=1",
            "web1 env:A=2",
            "env:A only needs to be there < web1 env:A",
        ),
        (
            "web1 files:a*[b]{c}=1",
            "web1 files:a*[b]{c}=2",
            r"files:a\*\[b\]\{c\} only needs to be there < web1 files:a*[b]{c}",
        ),
    ] {
        assert_eq!(lines(&[first], &[second], &[]), [line]);
    }
    // One host, one way; another, another: only being there is left.
    let (first, second) = (
        ["a env:A=90s", "b env:A=x y"],
        ["a env:A=1m30s", "b env:A=y x"],
    );
    assert_eq!(
        lines(&first, &second, &[]),
        ["env:A only needs to be there < a env:A, b env:A"]
    );
    for same in [["web1 env:A=1"; 2], ["web1 env:A=~1", "web1 env:A=~2"]] {
        assert_eq!(lines(&same[..1], &same[1..], &[]), [""; 0]);
    }
}

#[test]
fn numbers_are_left_open_where_that_hides_nothing() {
    let first = [
        "a command:t#/cpu/0/user=1",
        "a command:t#/cpu/1/user=1",
        "a env:B=1",
    ];
    let second = [
        "a command:t#/cpu/0/user=2",
        "a command:t#/cpu/1/user=2",
        "a env:B=1",
    ];
    let made_from = "a command:t#/cpu/0/user, a command:t#/cpu/1/user";
    assert_eq!(
        lines(&first, &second, &[]),
        [format!(
            "command:t#/cpu/[0-9]*/user only needs to be there < {made_from}"
        )]
    );
    // A third that stayed is not hidden.
    let stays = "a command:t#/cpu/2/user=1";
    let with = |facts: &[&'static str]| [facts, &[stays]].concat();
    let found = lines(&with(&first), &with(&second), &[]);
    assert_eq!(found.len(), 2, "{found:?}");
    // Nor one of which only another host knows.
    let elsewhere = |facts: &[&'static str]| [facts, &["b command:t#/cpu/7/user=1"]].concat();
    assert_eq!(lines(&elsewhere(&first), &elsewhere(&second), &[]).len(), 2);
    assert_eq!(lines(&elsewhere(&first), &second, &[]).len(), 2);

    let ids = [
        "a env:6f1c2a3b-0001-4abc-8def-0123456789ab=1",
        "a env:aa1c2a3b-0001-4abc-8def-0123456789ab=1",
    ];
    let others = ids.map(|id| id.replace("=1", "=2"));
    let others: Vec<&str> = others.iter().map(String::as_str).collect();
    assert!(lines(&ids, &others, &[])[0].starts_with("env:[0-9a-f]* only"));
}

#[test]
fn all_values_below_a_path_are_one_where_none_of_them_stayed() {
    let at = |n: &str| ["user", "nice", "idle"].map(|key| format!("a command:t#/cpu/{key}={n}"));
    let (first, second) = (at("1"), at("2"));
    let of = |facts: &[String], more: &str| {
        let facts: Vec<String> = facts.iter().cloned().chain([more.to_owned()]).collect();
        facts
    };
    let read = |more: &str| {
        let (first, second) = (of(&first, more), of(&second, more));
        let first: Vec<&str> = first.iter().map(String::as_str).collect();
        let second: Vec<&str> = second.iter().map(String::as_str).collect();
        lines(&first, &second, &[])
    };
    let one = read("a command:t#/model=x");
    assert_eq!(one.len(), 1, "{one:?}");
    assert!(one[0].starts_with("command:t#/cpu/* only needs"), "{one:?}");
    assert_eq!(read("a command:t#/cpu/model=x").len(), 3);
}

#[test]
fn what_comes_or_goes_is_left_to_waivers() {
    let first = ["web1 files:run/101.pid=1", "web1 env:A=1", " env:B=1"];
    let second = ["web1 files:run/2077.pid=1", "web1 env:A=1", "web1 env:C=1"];
    assert_eq!(
        lines(&first, &second, &[]),
        [
            "waive env:C web1 < web1 env:C",
            "waive files:run/[0-9]*.pid web1 < web1 files:run/101.pid, web1 files:run/2077.pid",
        ],
        "the contract's own folder was read once"
    );
    let twice = lines(&[" env:A=1", " env:B=1"], &[" env:A=1"], &[]);
    assert_eq!(
        twice,
        ["waive env:B <  env:B"],
        "the contract's folder has no name"
    );
    // A port in use by chance is no reason to hide all ports.
    let ports = ["a listeners:tcp/22=x", "a listeners:tcp/40001=x"];
    let later = ["a listeners:tcp/22=x", "a listeners:tcp/50002=x"];
    assert_eq!(lines(&ports, &later, &[]).len(), 2);
}

#[test]
fn what_nobody_read_is_no_noise() {
    let first = print(&["web1 files:a=1", "web1 env:A=1"]);
    let mut second = print(&["web1 env:A=1"]);
    let host = second.hosts.get_mut("web1").unwrap();
    host.layers.insert("files".to_owned(), LayerStatus::Timeout);
    assert!(propose(&first, &second, &[]).is_empty());
}

#[test]
fn rules_that_are_there_stay_what_they_are() {
    let rule = |pattern: &str, is| Rule {
        pattern: pattern.to_owned(),
        is,
    };
    let rules = [rule("env:A*", Is::Present), rule("env:*", Is::MustDiffer)];
    let (first, second) = (["a env:A1=1", "a env:B=1"], ["a env:A1=2", "a env:B=2"]);
    assert_eq!(
        lines(&first, &second, &rules),
        ["env:* must differ between environments stays a"]
    );
    // One of two alike is ruled: no pattern over both.
    let rules = [rule("env:X1", Is::MustDiffer)];
    let (first, second) = (
        ["a env:X1=1", "a env:X2=1", "a env:X3=1"],
        ["a env:X1=2", "a env:X2=2", "a env:X3=2"],
    );
    let found = lines(&first, &second, &rules);
    assert_eq!(found.len(), 3, "{found:?}");
}

/// Facts of one host by name, each with what it was and what it became.
type Story = BTreeMap<String, (Option<u8>, Option<u8>)>;

/// Names that are nearly alike: numbers, paths, ids, and what patterns are made of.
const NAME: &str = "(env|files|command):(a|b*|\\[c\\]|7|12|x9)(/(1|22|run|0a1b2c3d4e))?(#(/(cpu|m~1|3)){1,2}(/(user|4|idle))?)?";

fn story() -> impl Strategy<Value = Story> {
    let value = prop_oneof![5 => (0..4_u8).prop_map(Some), 1 => Just(None)];
    let pair = prop_oneof![
        2 => value.clone().prop_map(|value| (value, value)),
        3 => (value.clone(), value),
    ];
    prop::collection::btree_map(NAME, pair, 1..14)
}

const VALUES: [&str; 4] = ["x y", "y x", "90s", "1m30s"];

fn captured(
    hosts: &[Story],
    which: impl Fn(&(Option<u8>, Option<u8>)) -> Option<u8>,
) -> Fingerprint {
    let mut facts = Vec::new();
    for (n, story) in hosts.iter().enumerate() {
        facts.push(format!("web{n} env:always=1"));
        for (name, pair) in story {
            facts
                .extend(which(pair).map(|at| format!("web{n} {name}={}", VALUES[usize::from(at)])));
        }
    }
    let facts: Vec<&str> = facts.iter().map(String::as_str).collect();
    print(&facts)
}

proptest! {
    /// With what is proposed, comparing the two readings finds nothing that no
    /// waiver covers; and nothing that is proposed fits a fact that stayed.
    #[test]
    fn proposals_cover_their_noise_and_nothing_else(
        hosts in prop::collection::vec(story(), 1..4),
        must_differ in any::<bool>(),
    ) {
        let (first, second) = (captured(&hosts, |pair| pair.0), captured(&hosts, |pair| pair.1));
        let old = Rule { pattern: "env:*".to_owned(), is: Is::Named };
        let mut rules = if must_differ { vec![old] } else { Vec::new() };
        let found = propose(&first, &second, &rules);
        let made = found.rules.iter().flat_map(|of| &of.made_from);
        let noisy: BTreeSet<&FactName> = made
            .chain(found.waivers.iter().flat_map(|of| &of.made_from))
            .map(|seen| &seen.fact)
            .collect();
        let patterns = found.rules.iter().map(|of| &of.rule.pattern);
        let patterns = patterns.chain(found.waivers.iter().map(|of| &of.matches[0]));
        for pattern in patterns {
            let pattern = Pattern::new(pattern).unwrap();
            for host in first.hosts.values().chain(second.hosts.values()) {
                for name in host.facts.keys().filter(|name| pattern.matches(name.as_str())) {
                    prop_assert!(noisy.contains(name), "{name} stayed and fits {pattern:?}");
                }
            }
        }
        for (n, story) in hosts.iter().enumerate() {
            for (name, (before, after)) in story {
                let ruled = found.ruled.iter().any(|of| of.seen.fact.as_str() == name);
                let told = noisy.iter().any(|of| of.as_str() == name) || ruled;
                prop_assert!(before == after || told, "web{n} {name}");
            }
        }
        rules.extend(found.rules.iter().map(|of| of.rule.clone()));
        let groups = BTreeMap::new();
        let of = |fingerprint| Environment { fingerprint, groups: &groups };
        let left = compare_environments(of(&first), of(&second), &rules);
        for difference in &left.differences {
            if found.ruled.iter().any(|of| of.seen.fact == difference.fact) {
                continue;
            }
            let covered = found.waivers.iter().any(|waiver| {
                let patterns: Vec<Pattern> =
                    waiver.matches.iter().map(|text| Pattern::new(text).unwrap()).collect();
                let names = difference.names.iter();
                names.clone().all(|name| patterns.iter().any(|of| of.matches(name)))
            });
            prop_assert!(covered, "{}", difference.says);
        }
    }
}
