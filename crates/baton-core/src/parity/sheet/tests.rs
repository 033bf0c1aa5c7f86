use proptest::prelude::*;

use super::*;
use crate::parity::compare::{self, Environment};
use crate::parity::fingerprint::LayerStatus;
use crate::parity::matcher::{Is, Rule};

fn print(name: &str, facts: impl IntoIterator<Item = (String, Fact)>) -> Fingerprint {
    let mut host = HostFacts::default();
    for layer in ["env", "files", "os"] {
        host.layers.insert(layer.to_owned(), LayerStatus::Ok);
    }
    for (name, fact) in facts {
        let (layer, subject) = name.split_once(':').unwrap();
        host.facts.insert(FactName::new(layer, subject), fact);
    }
    let hosts = [(HostName::new("web1"), host)].into();
    Fingerprint::new(EnvName::new(name), Timestamp::UNIX_EPOCH, &[], hosts)
}

fn text(text: impl Into<String>) -> Fact {
    Fact::stable(Value::Text(text.into()))
}

fn many(name: &str, change: impl Fn(usize) -> Option<String>) -> Fingerprint {
    let facts = (0..2000).filter_map(|n| Some((format!("files:{n:05}"), text(change(n)?))));
    print(name, facts)
}

fn found(a: &Fingerprint, b: &Fingerprint, rules: &[Rule]) -> compare::Comparison {
    let groups = BTreeMap::new();
    let of = |print| Environment {
        fingerprint: print,
        groups: &groups,
    };
    let slow = compare::compare(of(b), &[of(a)], rules);
    let [a, b] = [a, b].map(|print| Sheet::read(print.to_bytes()).unwrap());
    let quick = compare::compare_open(b.open(&groups), vec![a.open(&groups)], rules);
    assert_eq!(slow, quick);
    quick
}

#[test]
fn what_is_stored_is_specified_to_the_byte() {
    let stored = print("staging", [("env:A".to_owned(), text("a\nb\\"))]).to_bytes();
    assert!(stored.starts_with(b"baton fingerprint 2\n{\"environment\":\"staging\","));
    assert!(stored.ends_with(b"env:A\tsta\\nb\\\\\n"));
    let (_, start) = Head::read(&stored).unwrap();
    let line = b"env:A\tsta\\nb\\\\\n";
    assert_eq!(
        stored[start..start + DIGEST],
        Sha256::digest(line)[..DIGEST]
    );
    assert_eq!(length(&stored[start..start + ENTRY]) as usize, line.len());
}

#[test]
fn equal_blocks_are_stepped_over_and_every_change_is_found() {
    let base = many("staging", |n| Some(n.to_string()));
    let there = many("production", |n| match n {
        77 => None,
        1500 => Some("other".to_owned()),
        n => Some(n.to_string()),
    });
    let of = found(&base, &there, &[]);
    let mut facts: Vec<&str> = of.differences.iter().map(|d| d.fact.as_str()).collect();
    facts.sort_unstable();
    assert_eq!(facts, ["files:00077", "files:01500"]);

    let sheet = Sheet::read(base.to_bytes()).unwrap();
    let groups = BTreeMap::new();
    let mut cursor = sheet.open(&groups).sites.remove(0).facts;
    let (mut steps, mut last) = (0, String::new());
    while let Some(name) = cursor.name() {
        assert!(last.as_str() < name, "{last} {name}");
        name.clone_into(&mut last);
        assert!(
            cursor.block().is_some(),
            "a block begins where one was skipped"
        );
        cursor.skip_block();
        steps += 1;
    }
    assert!(
        (60..250).contains(&steps),
        "about 16 facts a block, not {steps} blocks"
    );
}

#[test]
fn what_must_differ_is_looked_at_although_its_block_is_the_same() {
    let a = print("staging", [("env:KEY".to_owned(), text("same"))]);
    let b = print("production", [("env:KEY".to_owned(), text("same"))]);
    let rule = |pattern: &str| Rule {
        pattern: pattern.to_owned(),
        is: Is::MustDiffer,
    };
    for pattern in ["env:KEY", "env:*", "*KEY", "e*", "{env,files}:*"] {
        assert_eq!(
            found(&a, &b, &[rule(pattern)]).differences.len(),
            1,
            "{pattern}"
        );
    }
    assert!(found(&a, &b, &[rule("files:*")]).differences.is_empty());
}

#[test]
fn damaged_bytes_are_no_fingerprint() {
    let whole = many("staging", |n| Some(n.to_string())).to_bytes();
    for cut in [0, 5, 30, 300, whole.len() / 2, whole.len() - 1] {
        assert!(Sheet::read(whole[..cut].to_vec()).is_none(), "{cut}");
    }
    let mut longer = whole;
    longer.push(b'x');
    assert!(Sheet::read(longer).is_none());
}

fn facts() -> impl Strategy<Value = BTreeMap<String, Fact>> {
    let class = prop::sample::select(vec![
        Class::Stable,
        Class::Size,
        Class::Volatile,
        Class::Identity,
        Class::Secret,
    ]);
    let value = prop_oneof![
        "[a-c\\\\\n\t]{0,3}".prop_map(Value::Text),
        Just(Value::Present),
        "[ab]".prop_map(|text| Value::Hash(Digest::of(text.as_bytes()))),
        "[ab]".prop_map(|text| Value::Keyed(KeyedHash::of(b"key", text.as_bytes()))),
    ];
    let fact = (value, class).prop_map(|(value, class)| Fact { value, class });
    prop::collection::btree_map("(env|files|os):[a-f#\n]{1,2}", fact, 0..40)
}

proptest! {
    #[test]
    fn any_fingerprint_reads_back_and_compares_as_in_memory(a in facts(), b in facts()) {
        let (a, b) = (print("staging", a), print("production", b));
        prop_assert_eq!(&Fingerprint::from_bytes(a.to_bytes()).unwrap(), &a);
        let _same = found(&a, &b, &[]);
        prop_assert!(found(&a, &a, &[]).differences.is_empty());
    }

    #[test]
    fn any_bytes_are_read_without_panic(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = many("staging", |n| Some(n.to_string())).to_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Some(sheet) = Sheet::read(bytes) {
            let groups = BTreeMap::new();
            let _found = compare::compare_open(sheet.open(&groups), vec![sheet.open(&groups)], &[]);
            let _facts = sheet.fingerprint();
        }
    }
}
