//! Fingerprints that are the same in every run.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use baton_core::id::{Digest, EnvName, HostName};
use baton_core::parity::fingerprint::LayerStatus;
use baton_core::parity::sheet::{self, ENTRY, Head};
use baton_core::parity::{Fact, FactName, Fingerprint, HostFacts, Value, noise};
use jiff::Timestamp;

use super::ENVS;

/// Numbers that are the same in every run: xorshift64* (Vigna, 2016).
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) % most
    }
}

/// One fact of the shapes that real fingerprints have.
fn fact(n: u64, dice: &mut Dice) -> (FactName, Fact) {
    let hex = Digest::of(&n.to_be_bytes());
    let file = format!("srv/app/{:02}/mod{}/f{n}.py", n % 97, n % 1009);
    let text = |text: String| Value::Text(text);
    let name = FactName::new;
    let (name, value) = match dice.below(100) {
        0..45 => (name("files", file), Value::Hash(hex)),
        45..60 => (
            name("files", file).attribute("mode"),
            text("644".to_owned()),
        ),
        60..80 => {
            let version = format!("{}.{}.{}-1", dice.below(9), dice.below(40), dice.below(99));
            let subject = format!("lib{}{n}", &hex.short()[..6]);
            (name("packages", subject), text(version))
        }
        80..90 => {
            let file = name("files", format!("etc/conf.d/{}.yaml", n % 211));
            let path = format!("/service/{n}/timeout_ms");
            (file.attribute(&path), text(dice.below(60_000).to_string()))
        }
        90..95 => {
            let sql = "CREATE TABLE t (a text, b bigint)".to_owned();
            (name("sqlite", format!("table/t{n}")), text(sql))
        }
        95..98 => {
            let subject = format!("net.x{n}.y");
            (name("sysctl", subject), text(dice.below(4096).to_string()))
        }
        _ => (
            name("env", format!("APP_SETTING_{n}")),
            text("info".to_owned()),
        ),
    };
    let class = noise::class(&name);
    (name, Fact { value, class })
}

/// Three fingerprints of `count` facts; one fact in a thousand differs in one of
/// them: seven of ten by its value, the others by not being there or being new.
pub(super) fn make(count: u64, folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    let mut dice = Dice(42);
    let mut hosts = [const { BTreeMap::new() }; 3];
    for n in 0..count {
        let (name, fact) = fact(n, &mut dice);
        let odd = (dice.below(1000) == 0).then(|| (dice.below(3) as usize, dice.below(100)));
        for (env, facts) in hosts.iter_mut().enumerate() {
            match odd.filter(|(at, _)| *at == env) {
                Some((_, 0..70)) => {
                    let other = Value::Text(format!("other {n}"));
                    facts.insert(name.clone(), Fact::stable(other));
                }
                Some((_, 70..85)) => {}
                Some(_) => {
                    let new = FactName::new(name.layer(), format!("new {n}"));
                    facts.insert(new, fact.clone());
                    facts.insert(name.clone(), fact.clone());
                }
                None => drop(facts.insert(name.clone(), fact.clone())),
            }
        }
    }
    for (env, facts) in ENVS.iter().zip(hosts) {
        write(env, facts, folder);
    }
}

/// Writes a fingerprint, and its facts as the sorted lines and the object that
/// other tools compare.
fn write(env: &str, facts: BTreeMap<FactName, Fact>, folder: &Path) {
    let layers = ["env", "files", "packages", "sqlite", "sysctl"];
    let layers = layers.map(|layer| (layer.to_owned(), LayerStatus::Ok));
    let host = HostFacts {
        facts,
        layers: layers.into(),
    };
    let values = host.facts.iter().map(|(name, fact)| match &fact.value {
        Value::Text(text) => (name.as_str(), text.as_str()),
        Value::Hash(hash) => (name.as_str(), hash.as_str()),
        _ => (name.as_str(), ""),
    });
    let values: BTreeMap<&str, &str> = values.collect();
    let json = BufWriter::new(File::create(folder.join(format!("{env}.json"))).unwrap());
    serde_json::to_writer(json, &values).unwrap();
    let hosts = [(HostName::new("web1"), host)].into();
    let print = Fingerprint::new(EnvName::new(env), Timestamp::UNIX_EPOCH, &[], hosts);
    let bytes = print.to_bytes();
    std::fs::write(folder.join(format!("{env}.print")), &bytes).unwrap();
    let (head, start) = Head::read(&bytes).unwrap();
    let blocks: usize = head.hosts.values().map(sheet::HostHead::block_count).sum();
    let lines = File::create(folder.join(format!("{env}.tsv"))).unwrap();
    let mut lines = BufWriter::new(lines);
    lines.write_all(&bytes[start + blocks * ENTRY..]).unwrap();
}
