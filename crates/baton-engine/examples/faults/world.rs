//! An environment that a fault can be put into.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use baton_core::parity::http::{self, Answer};
use baton_core::parity::output::parse;
use baton_core::parity::{Collector, Fact, FactName, HostFacts, LayerStatus, Value, noise};
use baton_engine::collect::{Place, Site, collect};

/// The same key for both: they are environments of one ledger.
const KEY: &[u8] = b"a key of the benchmark";

/// What one environment is made of.
#[derive(Clone)]
pub(crate) struct World {
    /// What this machine says of itself, really collected.
    pub(crate) machine: HostFacts,
    /// The files of the host's folder, really collected.
    pub(crate) files: BTreeMap<&'static str, String>,
    /// What is done to the folder with a shell once the files are there.
    pub(crate) shell: String,
    pub(crate) vars: BTreeMap<String, String>,
    pub(crate) secrets: BTreeMap<String, String>,
    /// What Python does to the database, really collected.
    pub(crate) sql: String,
    /// What tools printed that are not on this machine, recorded.
    pub(crate) raw: BTreeMap<(&'static str, &'static str), String>,
    /// An answer over HTTP: status, headers, body, certificate.
    pub(crate) answer: (u16, Vec<(String, String)>, String, String, i64),
    /// What commands print.
    pub(crate) commands: BTreeMap<&'static str, String>,
    /// The facts, if nothing that they are read from was changed since.
    folder: Option<HostFacts>,
}

impl World {
    pub(crate) fn new(environment: &str) -> Self {
        let empty = BTreeMap::new();
        let folder = tempfile::tempdir().unwrap();
        let site = Site {
            place: Place::Here(folder.path()),
            vars: &empty,
            secrets: &empty,
            folder: folder.path(),
            key: KEY,
        };
        let words = Collector::WORDS
            .into_iter()
            .filter(|of| *of != Collector::References);
        let mut machine = collect(site, &words.collect::<Vec<_>>());
        // Whatever this machine has, and some things that not every one has.
        for (name, value) in super::base::MACHINE {
            put(&mut machine, name, value);
        }
        let text = |pairs: &[(&'static str, &str)]| {
            let pairs = pairs
                .iter()
                .map(|(name, text)| (*name, text.replace("ENV", environment)));
            pairs.collect::<BTreeMap<_, _>>()
        };
        let owned = |pairs: &[(&str, &str)]| {
            let pairs = pairs
                .iter()
                .map(|(name, text)| ((*name).to_owned(), text.replace("ENV", environment)));
            pairs.collect::<BTreeMap<_, _>>()
        };
        Self {
            machine,
            files: text(&super::base::FILES),
            shell: super::base::SHELL.to_owned(),
            vars: owned(&super::base::VARS),
            secrets: owned(&super::base::SECRETS),
            sql: super::base::SQL.to_owned(),
            raw: super::base::RAW
                .iter()
                .map(|(key, text)| (*key, (*text).to_owned()))
                .collect(),
            answer: super::base::answer(),
            commands: text(&super::base::COMMANDS),
            folder: None,
        }
    }

    /// Replaces text in a file, which must hold it.
    pub(crate) fn edit(&mut self, file: &'static str, old: &str, new: &str) {
        let text = self.files.get_mut(file).unwrap();
        assert!(text.contains(old), "{file} does not hold {old}");
        *text = text.replacen(old, new, 1);
    }

    /// The same of what a tool printed.
    pub(crate) fn reprint(&mut self, layer: &'static str, old: &str, new: &str) {
        let text = self
            .raw
            .iter_mut()
            .find(|((of, _), text)| *of == layer && text.contains(old));
        let (_, text) = text.unwrap_or_else(|| panic!("{layer} does not hold {old}"));
        *text = text.replacen(old, new, 1);
    }

    /// The same of what a command printed.
    pub(crate) fn resay(&mut self, id: &'static str, old: &str, new: &str) {
        let text = self.commands.get_mut(id).unwrap();
        assert!(text.contains(old), "{id} does not hold {old}");
        *text = text.replacen(old, new, 1);
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) {
        put(&mut self.machine, name, value);
    }

    pub(crate) fn lose(&mut self, name: &str) {
        let name = fact_name(name);
        assert!(
            self.machine.facts.remove(&name).is_some(),
            "there is no {name}"
        );
    }

    /// What was read of the folder may no longer be so.
    pub(crate) fn touched(&mut self) {
        self.folder = None;
    }

    pub(crate) fn facts(&mut self) -> HostFacts {
        let folder = match &self.folder {
            Some(folder) => folder.clone(),
            None => {
                let read = self.collected();
                self.folder = Some(read.clone());
                read
            }
        };
        let mut all = self.machine.clone();
        join(&mut all, &folder);
        let mut output = Vec::new();
        let mut asked = vec![
            Collector::Dns {
                names: vec!["db".to_owned()],
            },
            Collector::Process {
                name: "shop".to_owned(),
                env: vec!["*".to_owned()],
            },
            Collector::Postgres {
                url: "postgres://db/shop".to_owned(),
                data: Vec::new(),
            },
        ];
        for ((layer, tool), text) in &self.raw {
            output.extend(format!("raw\0{layer}\0{tool}\0{text}\0").bytes());
        }
        for (at, (id, text)) in self.commands.iter().enumerate() {
            output.extend(format!("command\0{at}\0{text}\x000\0").bytes());
            let (id, run) = ((*id).to_owned(), String::new());
            asked.push(Collector::Command { id, run });
        }
        for layer in ["dns", "process", "postgres", "command"] {
            output.extend(format!("done\0{layer}\0").bytes());
        }
        let unfinished = LayerStatus::NotCollected("it is no output".to_owned());
        join(&mut all, &parse(&output, &asked, &unfinished));
        let (status, headers, body, certificate, days) = &self.answer;
        let answer = Answer {
            status: *status,
            headers,
            body: body.as_bytes(),
        };
        all.facts.extend(http::facts("health", answer));
        all.facts.extend(http::certificate("health", certificate));
        all.facts.extend([http::lasting("health", *days)]);
        let _ok = all.layers.insert("http".to_owned(), LayerStatus::Ok);
        all
    }

    /// Writes the folder and reads it as a host's is read.
    fn collected(&self) -> HostFacts {
        let folder = tempfile::Builder::new().prefix("shop").tempdir().unwrap();
        for (name, text) in &self.files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let python =
            "import sqlite3,sys\nc=sqlite3.connect('orders.db')\nc.executescript(sys.argv[1])";
        let made = Command::new("python3")
            .args(["-c", python, &self.sql])
            .current_dir(&folder)
            .status();
        assert!(made.unwrap().success());
        let done = Command::new("sh")
            .args(["-ec", &self.shell])
            .current_dir(&folder)
            .status();
        assert!(done.unwrap().success());
        let site = Site {
            place: Place::Here(folder.path()),
            vars: &self.vars,
            secrets: &self.secrets,
            folder: folder.path(),
            key: KEY,
        };
        let asked = [
            Collector::Env {
                names: vec!["*".to_owned()],
            },
            Collector::Files {
                paths: ["*.*", "current", "run", "keys/*", "locks/*"]
                    .map(str::to_owned)
                    .into(),
            },
            Collector::Sqlite {
                path: "orders.db".to_owned(),
                data: vec!["orders".to_owned()],
            },
            Collector::References,
        ];
        let mut read = collect(site, &asked);
        read.facts
            .retain(|name, _| !name.as_str().starts_with("files:orders.db"));
        for (layer, status) in &read.layers {
            assert!(status.is_whole(), "{layer}: {status}");
        }
        read
    }
}

fn fact_name(text: &str) -> FactName {
    let (thing, attribute) = text.split_once('#').unwrap_or((text, ""));
    let (layer, subject) = thing.split_once(':').unwrap();
    let name = FactName::new(layer, subject);
    if attribute.is_empty() {
        name
    } else {
        name.attribute(attribute)
    }
}

fn put(host: &mut HostFacts, name: &str, value: &str) {
    let name = fact_name(name);
    let class = noise::class(&name);
    let value = Value::Text(value.to_owned());
    let _before = host.facts.insert(name, Fact { value, class });
}

/// Adds facts and layers; of a layer that is there, the facts.
pub(crate) fn join(host: &mut HostFacts, more: &HostFacts) {
    host.facts.extend(more.facts.clone());
    host.layers.extend(more.layers.clone());
}

/// Pairs of consecutive captures of one image whose system is the same.
pub(crate) fn noises(folder: &Path) -> Vec<(HostFacts, HostFacts)> {
    let mut images: BTreeMap<String, Vec<(Vec<u32>, HostFacts)>> = BTreeMap::new();
    for version in fs::read_dir(folder).unwrap().flatten() {
        let number = version.file_name().to_string_lossy().into_owned();
        let number: Vec<u32> = number
            .split('.')
            .filter_map(|part| part.parse().ok())
            .collect();
        for file in fs::read_dir(version.path()).into_iter().flatten().flatten() {
            let output = fs::read(file.path()).unwrap();
            let mut record = b"command\x000\0".to_vec();
            record.extend(output);
            record.extend(b"\x000\0done\0command\0");
            let asked = [Collector::Command {
                id: "facter".to_owned(),
                run: String::new(),
            }];
            let host = parse(&record, &asked, &LayerStatus::Timeout);
            let image = file.file_name().to_string_lossy().into_owned();
            images
                .entry(image)
                .or_default()
                .push((number.clone(), host));
        }
    }
    let mut pairs = Vec::new();
    for captures in images.values_mut() {
        captures.sort_by(|a, b| a.0.cmp(&b.0));
        for pair in captures.windows(2) {
            let system = |host: &HostFacts| {
                let of = |name: &&FactName| {
                    let path = name.attribute_name().unwrap_or("");
                    path.starts_with("/os/") || path.starts_with("/kernel")
                };
                let names: Vec<_> = host.facts.keys().filter(of).cloned().collect();
                names
                    .into_iter()
                    .map(|name| host.facts[&name].clone())
                    .collect::<Vec<_>>()
            };
            let facter = |host: &HostFacts| host.facts.len() > 10;
            if system(&pair[0].1) == system(&pair[1].1) && facter(&pair[0].1) && facter(&pair[1].1)
            {
                pairs.push((pair[0].1.clone(), pair[1].1.clone()));
            }
        }
    }
    pairs
}
