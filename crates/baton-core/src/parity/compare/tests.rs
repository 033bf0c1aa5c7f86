mod contradictions;

use std::collections::BTreeMap;

use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::parity::fact::{Class, Fact, Value};
use crate::parity::fingerprint::{HostFacts, LayerStatus};
use crate::parity::matcher::Is;

type Groups = BTreeMap<GroupName, Vec<HostName>>;

/// An environment under construction: hosts, facts and groups.
#[derive(Clone, Debug)]
struct World {
    print: Fingerprint,
    groups: Groups,
}

impl World {
    fn new(name: &str) -> Self {
        let hosts = BTreeMap::new();
        let name = EnvName::new(name);
        Self {
            print: Fingerprint::new(name, Timestamp::UNIX_EPOCH, &[], hosts),
            groups: Groups::new(),
        }
    }

    /// Adds a host to a group (or to none) with these facts, written `env:A=1`.
    fn host(mut self, name: &str, group: Option<&str>, facts: &[&str]) -> Self {
        let host = self.print.hosts.entry(HostName::new(name)).or_default();
        for fact in facts {
            let (fact, value) = fact.split_once('=').unwrap();
            host.layers
                .insert(fact_name(fact).layer().to_owned(), LayerStatus::Ok);
            let value = match value.strip_prefix("sha:") {
                Some(content) => Value::Hash(crate::id::Digest::of(content.as_bytes())),
                None => Value::Text(value.to_owned()),
            };
            host.facts.insert(fact_name(fact), Fact::stable(value));
        }
        if let Some(group) = group {
            let group = self.groups.entry(GroupName::new(group)).or_default();
            group.push(HostName::new(name));
        }
        self
    }

    fn web(self, count: usize, facts: &[&str]) -> Self {
        (1..=count).fold(self, |world, n| {
            world.host(&format!("web{n}"), Some("web"), facts)
        })
    }

    fn at(&mut self, host: &str) -> &mut HostFacts {
        self.print.hosts.get_mut(host).unwrap()
    }

    fn set(mut self, host: &str, fact: &str, value: &str) -> Self {
        let value = Fact::stable(Value::Text(value.to_owned()));
        self.at(host).facts.insert(fact_name(fact), value);
        self
    }

    fn without(mut self, host: &str, fact: &str) -> Self {
        self.at(host).facts.remove(&fact_name(fact)).unwrap();
        self
    }

    fn status(mut self, host: &str, layer: &str, status: LayerStatus) -> Self {
        self.at(host).layers.insert(layer.to_owned(), status);
        self
    }

    fn env(&self) -> Environment<'_> {
        Environment {
            fingerprint: &self.print,
            groups: &self.groups,
        }
    }
}

fn fact_name(written: &str) -> FactName {
    let (name, attribute) = match written.split_once('#') {
        Some((name, attribute)) => (name, Some(attribute)),
        None => (written, None),
    };
    let (layer, subject) = name.split_once(':').unwrap();
    let name = FactName::new(layer, subject);
    match attribute {
        Some(attribute) => name.attribute(attribute),
        None => name,
    }
}

fn rule(pattern: &str, is: Is) -> Rule {
    Rule {
        pattern: pattern.to_owned(),
        is,
    }
}

/// The only difference there is.
fn only(comparison: &Comparison) -> &Difference {
    assert_eq!(comparison.differences.len(), 1, "{comparison:#?}");
    &comparison.differences[0]
}

#[test]
fn one_host_of_a_group_stands_out() {
    let world = (1..=8).fold(World::new("production"), |world, n| {
        let content = if n == 8 { "v1" } else { "v2" };
        let fact = format!("files:router=sha:{content}");
        world.host(&format!("r{n}"), Some("routers"), &[&fact])
    });
    let found = compare_hosts(world.env(), &[]);
    let difference = only(&found);
    assert_eq!(
        difference.says,
        "1 of 8 hosts differs: r8 has files:router = sha256:3bfc269594ef, \
         the other 7 have sha256:fb04dcb6970e (production)"
    );
    assert_eq!(difference.names, ["r8", "files:router"]);
    assert_eq!(difference.kind, Kind::Changed);
    assert_eq!(difference.sides[0].hosts, [HostName::new("r8")]);
    assert_eq!(difference.sides[1].hosts.len(), 7);
}

#[test]
fn evenly_split_siblings_are_all_named() {
    let world = World::new("staging")
        .web(2, &["env:A=1"])
        .set("web2", "env:A", "2");
    let found = compare_hosts(world.env(), &[]);
    let difference = only(&found);
    assert_eq!(
        difference.says,
        "2 hosts differ: web1 has env:A = 1, web2 has env:A = 2 (staging)"
    );
    assert_eq!(difference.names, ["web1", "web2", "env:A"]);

    let world = World::new("staging")
        .web(3, &["env:A=1"])
        .without("web2", "env:A");
    let found = compare_hosts(world.env(), &[]);
    assert_eq!(
        only(&found).says,
        "1 of 3 hosts differs: web2 has no env:A, the other 2 have 1 (staging)"
    );
    assert_eq!(only(&found).kind, Kind::Missing);
}

#[test]
fn environments_are_compared_by_group_however_many_hosts_each_has() {
    let staging = World::new("staging").web(2, &["env:MODE=debug", "env:B=1"]);
    let production = World::new("production").web(5, &["env:MODE=release", "env:B=1"]);
    let found = compare_environments(staging.env(), production.env(), &[]);
    let difference = only(&found);
    assert_eq!(
        difference.says,
        "env:MODE differs: staging has debug, production has release (web1, web2, web3, web4 and web5)"
    );
    assert_eq!(difference.names, ["env:MODE"]);
    assert_eq!(difference.sides.len(), 2);

    let strays = production
        .set("web1", "env:MODE", "debug")
        .set("web4", "env:MODE", "debug");
    let found = compare_environments(staging.env(), strays.env(), &[]);
    assert_eq!(
        only(&found).says,
        "env:MODE differs: staging has debug, production has debug (web1 and web4), \
         release (web2, web3 and web5)"
    );
    assert_eq!(only(&found).names, ["web2", "web3", "web5", "env:MODE"]);
}

#[test]
fn missing_and_extra_are_told_from_the_launch_environment() {
    let with = World::new("staging").web(2, &["env:A=1", "env:B=1"]);
    let without = World::new("production").web(2, &["env:A=1"]);
    let found = compare_environments(with.env(), without.env(), &[]);
    assert_eq!(only(&found).kind, Kind::Missing);
    assert_eq!(
        only(&found).says,
        "env:B is missing in production: staging has 1, production has none (web1 and web2)"
    );
    let found = compare_environments(without.env(), with.env(), &[]);
    assert_eq!(only(&found).kind, Kind::Extra);
    assert!(
        only(&found)
            .says
            .starts_with("env:B is missing in production")
    );
}

#[test]
fn a_host_without_group_meets_its_namesake_and_a_lone_host_is_one_row() {
    let staging = World::new("staging").host("db", None, &["env:A=1"]);
    let production = World::new("production")
        .host("db", None, &["env:A=2"])
        .host("db2", None, &["env:A=1", "env:B=1", "env:C=1"]);
    let found = compare_environments(staging.env(), production.env(), &[]);
    let says: Vec<&str> = found.differences.iter().map(|d| d.says.as_str()).collect();
    assert_eq!(
        says,
        [
            "production has host db2, and staging has neither such a host nor its group",
            "env:A differs: staging has 1, production has 2 (db)",
        ]
    );
    assert_eq!(found.differences[0].names, ["db2", "host:db2"]);
    assert_eq!(found.differences[0].kind, Kind::Extra);
}

#[test]
fn a_missing_file_is_one_row_and_a_changed_mode_another() {
    let facts = [
        "files:a=sha:1",
        "files:a#mode=644",
        "files:b=sha:1",
        "files:b#mode=644",
    ];
    let staging = World::new("staging").web(2, &facts);
    let production = World::new("production")
        .web(2, &facts)
        .without("web1", "files:a")
        .without("web1", "files:a#mode")
        .set("web2", "files:b#mode", "600");
    for found in [
        compare_environments(staging.env(), production.env(), &[]),
        compare(production.env(), &[staging.env()], &[]),
    ] {
        let facts: Vec<&str> = found.differences.iter().map(|d| d.fact.as_str()).collect();
        assert_eq!(facts, ["files:a", "files:b#mode"]);
    }
}

#[test]
fn a_ratio_excuses_numbers_near_enough_and_says_so() {
    let rules = [rule("env:WORKERS", Is::Ratio { max: 8.0 })];
    let of =
        |name: &str, workers: &str| World::new(name).web(2, &[&format!("env:WORKERS={workers}")]);
    let (staging, production) = (of("staging", "2"), of("production", "16"));
    let found = compare_environments(staging.env(), production.env(), &rules);
    assert!(found.is_equal());
    assert_eq!(
        found.excused[0].says,
        "env:WORKERS: staging has 2, production has 16; by the rule, env:WORKERS may be up to 8 times apart"
    );
    for far in ["17", "many", "-2"] {
        let production = of("production", far);
        let found = compare_environments(staging.env(), production.env(), &rules);
        assert!(only(&found).says.ends_with("up to 8 times apart"), "{far}");
    }
    let gone = of("production", "2").without("web2", "env:WORKERS");
    let found = compare_environments(staging.env(), gone.env(), &rules);
    assert_eq!(only(&found).kind, Kind::Missing);
}

#[test]
fn what_must_differ_is_wrong_where_it_is_the_same_or_lacks() {
    let rules = [rule("env:DB_URL", Is::MustDiffer)];
    let of = |name: &str, url: &str| World::new(name).web(2, &[&format!("env:DB_URL={url}")]);
    let (staging, production) = (of("staging", "a"), of("production", "b"));
    let found = compare_environments(staging.env(), production.env(), &rules);
    assert!(found.is_equal());
    assert_eq!(found.excused.len(), 1);

    let same = of("production", "a");
    let found = compare_environments(staging.env(), same.env(), &rules);
    assert_eq!(only(&found).kind, Kind::SameSecret);
    assert_eq!(
        only(&found).says,
        "env:DB_URL is the same in staging and production and must differ (web1 and web2)"
    );

    let gone = production.without("web2", "env:DB_URL");
    let found = compare_environments(staging.env(), gone.env(), &rules);
    assert_eq!(only(&found).kind, Kind::Missing);
    assert_eq!(only(&found).names.last().unwrap(), "env:DB_URL");
    // Within one environment the hosts must agree all the same.
    let split = of("staging", "a").set("web2", "env:DB_URL", "b");
    assert_eq!(compare_hosts(split.env(), &rules).differences.len(), 1);
}

#[test]
fn what_was_not_read_is_never_equal() {
    let facts = ["env:A=1", "files:a=sha:1"];
    let staging = World::new("staging").web(2, &facts);
    let denied = LayerStatus::Denied("cannot read a".to_owned());
    let production = World::new("production")
        .web(2, &facts)
        .without("web1", "files:a")
        .status("web1", "files", denied)
        .status("web2", "env", LayerStatus::Timeout);
    let found = compare(production.env(), &[staging.env()], &[]);
    assert!(found.differences.is_empty(), "{found:#?}");
    assert!(!found.is_equal());
    let says: Vec<&str> = found
        .not_collected
        .iter()
        .map(|n| n.says.as_str())
        .collect();
    assert_eq!(
        says,
        [
            "env is not known on web2 of production: took too long",
            "files is not known on web1 of production: may not be read: cannot read a",
        ]
    );
    assert_eq!(found.not_collected[1].names, ["web1", "files:*"]);

    // What was read of a layer still counts.
    let changed = production.set("web2", "env:A", "2");
    let found = compare_environments(staging.env(), changed.env(), &[]);
    assert_eq!(only(&found).fact, fact_name("env:A"));
}

#[test]
fn silence_of_a_host_or_of_a_whole_layer_is_named() {
    let staging = World::new("staging").web(1, &["env:A=1"]);
    let mut production = World::new("production").web(1, &["env:A=1"]);
    let group = production.groups.get_mut("web").unwrap();
    group.push(HostName::new("web2"));
    let found = compare_environments(staging.env(), production.env(), &[]);
    assert_eq!(found.not_collected[0].names, ["web2", "host:*"]);

    let ok = |world: World| world.status("web1", "files", LayerStatus::Ok);
    let (staging, production) = (ok(staging), World::new("production").web(1, &["env:A=1"]));
    let found = compare_environments(staging.env(), production.env(), &[]);
    let reasons: Vec<&str> = found
        .not_collected
        .iter()
        .map(|n| n.reason.as_str())
        .collect();
    assert_eq!(
        reasons,
        ["it was not asked for", "nothing on any host answers to it"]
    );
    let found = compare_environments(staging.env(), ok(production).env(), &[]);
    assert_eq!(found.not_collected.len(), 2);
}

#[test]
fn volatile_facts_are_not_compared_and_identities_only_by_being_there() {
    let classed = |name: &str, class: Class, value: &str| {
        let mut world = World::new(name).web(2, &["env:A=1"]);
        let value = Value::Text(value.to_owned());
        for host in ["web1", "web2"] {
            let fact = Fact {
                value: value.clone(),
                class,
            };
            world.at(host).facts.insert(fact_name("env:X"), fact);
        }
        world
    };
    for class in [Class::Volatile, Class::Identity] {
        let (a, b) = (
            classed("staging", class, "1"),
            classed("production", class, "2"),
        );
        assert!(compare(b.env(), &[a.env()], &[]).is_equal());
        let found = compare(b.without("web1", "env:X").env(), &[a.env()], &[]);
        assert_eq!(found.is_equal(), class == Class::Volatile);
    }
    // But an identity that must differ is looked at.
    let rules = [rule("env:X", Is::MustDiffer)];
    let of = |name, value| classed(name, Class::Identity, value);
    let (a, b) = (of("staging", "1"), of("production", "2"));
    assert!(compare(b.env(), &[a.env()], &rules).is_equal());
    assert!(!compare(of("production", "1").env(), &[a.env()], &rules).is_equal());
}

#[test]
fn overlapping_groups_name_one_cause_once() {
    let mut world = World::new("production")
        .web(3, &["env:A=1"])
        .set("web2", "env:A", "2");
    let pair = vec![HostName::new("web1"), HostName::new("web2")];
    world.groups.insert(GroupName::new("canary"), pair);
    let found = compare_hosts(world.env(), &[]);
    assert_eq!(only(&found).names, ["web2", "env:A"]);
}

#[test]
fn overlapping_groups_hide_no_second_cause() {
    let world = |name: &str, hosts: &[(&str, &str)], web: &[&str]| {
        let mut world = World::new(name);
        for (host, value) in hosts {
            world = world.host(host, Some("all"), &[&format!("env:A={value}")]);
        }
        let web = web.iter().map(|host| HostName::new(*host)).collect();
        world.groups.insert(GroupName::new("web"), web);
        world
    };
    let staging = world("staging", &[("a1", "x"), ("a2", "y")], &["a1"]);
    let production = world(
        "production",
        &[("b1", "y"), ("b2", "x"), ("b3", "z")],
        &["b1"],
    );
    let found = compare_environments(staging.env(), production.env(), &[]);
    assert_eq!(found.differences.len(), 2, "{found:#?}");
}

#[test]
fn a_stray_host_is_named_by_its_siblings_or_by_the_other_environment() {
    let staging = World::new("staging").web(2, &["env:A=1"]);
    let two = World::new("production")
        .web(2, &["env:A=1"])
        .set("web2", "env:A", "2");
    let found = compare(two.env(), &[staging.env()], &[]);
    assert_eq!(
        only(&found).says,
        "env:A differs: staging has 1, production has 1 (web1), 2 (web2)"
    );
    assert_eq!(only(&found).names, ["web2", "env:A"]);

    let three = World::new("production")
        .web(3, &["env:A=1"])
        .set("web2", "env:A", "2");
    let found = compare(three.env(), &[staging.env()], &[]);
    assert!(
        only(&found)
            .says
            .starts_with("1 of 3 hosts differs: web2 has env:A = 2")
    );

    // Two causes stay two rows.
    let other = World::new("staging").web(2, &["env:A=9"]);
    let found = compare(three.env(), &[other.env()], &[]);
    assert_eq!(found.differences.len(), 2);
}

/// Facts with attributes, over a few layers.
fn facts() -> impl Strategy<Value = BTreeMap<String, String>> {
    let name = "(env|files|command):[a-d]{1,2}(#mode|#/x)?";
    prop::collection::btree_map(name, "[0-3]", 1..12)
}

fn built(name: &str, hosts: usize, grouped: bool, facts: &BTreeMap<String, String>) -> World {
    let group = grouped.then_some("web");
    let facts: Vec<String> = facts
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let facts: Vec<&str> = facts.iter().map(String::as_str).collect();
    (1..=hosts).fold(World::new(name), |world, n| {
        world.host(&format!("h{n}"), group, &facts)
    })
}

/// Hosts that each have facts of their own.
fn wild(name: &'static str) -> impl Strategy<Value = World> {
    prop::collection::vec((facts(), any::<bool>()), 1..5).prop_map(move |hosts| {
        hosts
            .iter()
            .enumerate()
            .fold(World::new(name), |world, (n, (facts, grouped))| {
                let mut world = world;
                let one = built(name, 1, false, facts);
                let host = HostName::new(format!("h{n}"));
                world
                    .print
                    .hosts
                    .extend(one.print.hosts.into_values().map(|f| (host.clone(), f)));
                if *grouped {
                    world
                        .groups
                        .entry(GroupName::new("web"))
                        .or_default()
                        .push(host);
                }
                world
            })
    })
}

fn mirrored(kind: Kind) -> Kind {
    match kind {
        Kind::Missing => Kind::Extra,
        Kind::Extra => Kind::Missing,
        kind => kind,
    }
}

proptest! {
    #[test]
    fn nothing_differs_from_itself(world in wild("staging")) {
        let found = compare_environments(world.env(), world.env(), &[]);
        prop_assert!(found.differences.is_empty(), "{:#?}", found);
    }

    #[test]
    fn swapping_the_environments_swaps_only_the_words(a in wild("staging"), b in wild("production")) {
        let key = |d: &Difference, kind: Kind| (d.fact.clone(), kind, d.names.clone());
        let there = compare_environments(a.env(), b.env(), &[]);
        let back = compare_environments(b.env(), a.env(), &[]);
        let mut there: Vec<_> = there.differences.iter().map(|d| key(d, d.kind)).collect();
        let mut back: Vec<_> = back.differences.iter().map(|d| key(d, mirrored(d.kind))).collect();
        there.sort();
        back.sort();
        prop_assert_eq!(there, back);
    }

    #[test]
    fn each_change_is_found_once_and_names_its_host_and_fact(
        facts in facts(),
        counts in (1..4_usize, 1..5_usize),
        grouped in any::<bool>(),
        pick in any::<prop::sample::Index>(),
        host in any::<prop::sample::Index>(),
        in_launch in any::<bool>(),
        how in 0..3,
    ) {
        let counts = if grouped { counts } else { (counts.0, counts.0) };
        let mut staging = built("staging", counts.0, grouped, &facts);
        let mut production = built("production", counts.1, grouped, &facts);
        prop_assert!(compare(production.env(), &[staging.env()], &[]).is_equal());

        let names: Vec<&String> = facts.keys().collect();
        let (world, count) = if in_launch {
            (&mut production, counts.1)
        } else {
            (&mut staging, counts.0)
        };
        let host = format!("h{}", host.index(count) + 1);
        let mut name = fact_name(names[pick.index(names.len())]);
        let there = world.at(&host);
        let changed = Fact::stable(Value::Text("changed".to_owned()));
        match how {
            0 => drop(there.facts.insert(name.clone(), changed)),
            1 => drop(there.facts.remove(&name)),
            _ => {
                name = fact_name("env:new");
                there.facts.insert(name.clone(), changed);
                there.layers.insert("env".to_owned(), LayerStatus::Ok);
            }
        }
        // A layer that only this change brings was asked for everywhere.
        for world in [&mut staging, &mut production] {
            for facts in world.print.hosts.values_mut() {
                facts.layers.insert("env".to_owned(), LayerStatus::Ok);
            }
        }
        let found = compare(production.env(), &[staging.env()], &[]);
        prop_assert_eq!(found.differences.len(), 1, "{:#?}", found);
        let difference = &found.differences[0];
        prop_assert_eq!(&difference.fact, &name);
        prop_assert!(difference.names.contains(&name.to_string()));
        prop_assert!(difference.says.contains(name.as_str()));
        let environment = if in_launch { "production" } else { "staging" };
        let shown = difference.sides.iter().any(|side| {
            side.environment.as_str() == environment && side.hosts.contains(&HostName::new(&host))
        });
        prop_assert!(shown, "{:#?}", difference);
        let alone = !grouped || count == 1;
        prop_assert!(alone || difference.names.contains(&host), "{:#?}", difference);
    }
}
