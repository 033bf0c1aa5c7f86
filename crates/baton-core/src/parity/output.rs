//! Reads what the collector's script printed on a host.
//!
//! The output is a row of fields, each ended by a NUL byte, which no path and
//! no shell variable can hold: nothing that a host contains can forge a field.
//! A record is a tag and its fields:
//!
//! | record | fields |
//! |---|---|
//! | `os-release` | the text of `/etc/os-release`, empty when there is none |
//! | `uname` | the line of `uname -srm` |
//! | `paths` | every regular file as `./path`, then an empty field |
//! | `hashes` | lines `HEX  ./path`, of paths without line breaks and backslashes |
//! | `modes` | lines `644:./path`, of the same paths |
//! | `odd` | one other path, its line of hash, its line of mode |
//! | `link` | the path of a symbolic link, what it points to |
//! | `command` | its place among the asked commands from 0, its output, its exit status |
//! | `trouble` | a layer, what could not be read of it |
//! | `done` | a layer that was read to its end |
//!
//! Promises that any bytes at all give facts and statuses, in time linear to
//! their length, and never a panic: a host is not trusted to speak properly.

use std::collections::BTreeMap;

use crate::id::Digest;
use crate::parity::fact::{Collector, Fact, FactName, Value};
use crate::parity::fingerprint::{HostFacts, LayerStatus};
use crate::parity::matcher::Paths;

/// Most bytes that are read of one host: hundreds of thousands of short facts.
pub const OUTPUT_MAX: usize = 8 * 1024 * 1024;
/// Most files of one host: a folder with more is data, not configuration.
pub const FILES_MAX: usize = 20_000;
/// Longest output of a command that is kept, in bytes.
pub const TEXT_MAX: usize = 4096;
/// Longest reason of a status, in characters: what fits on a few lines.
const REASON_MAX: usize = 300;

/// Reads the output of the script for these collectors. A layer that was not
/// read to its end gets the status `unfinished`, which says why it was not.
pub fn parse(output: &[u8], asked: &[Collector], unfinished: &LayerStatus) -> HostFacts {
    let mut parser = Parser::new(asked);
    let mut fields = Fields(&output[..output.len().min(OUTPUT_MAX)]);
    while parser.record(&mut fields).is_some() {}
    parser.finish(asked, unfinished)
}

/// The fields that are still to be read; one without its NUL is none.
struct Fields<'a>(&'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let end = self.0.iter().position(|byte| *byte == 0)?;
        let (field, rest) = self.0.split_at(end);
        self.0 = &rest[1..];
        Some(field)
    }
}

#[derive(Default)]
struct File {
    hash: Option<Digest>,
    mode: Option<String>,
}

/// Something that could not be read, and whether that was for want of a right.
struct Trouble {
    text: String,
    denied: bool,
}

struct Parser<'a> {
    globs: Option<Paths>,
    commands: Vec<&'a str>,
    facts: BTreeMap<FactName, Fact>,
    files: BTreeMap<&'a [u8], File>,
    troubles: BTreeMap<String, Vec<Trouble>>,
    done: Vec<&'a [u8]>,
}

impl<'a> Parser<'a> {
    fn new(asked: &'a [Collector]) -> Self {
        let globs: Vec<&String> = asked.iter().flat_map(globs_of).collect();
        Self {
            globs: Paths::new(&globs).ok(),
            commands: commands(asked).map(|(id, _)| id).collect(),
            facts: BTreeMap::new(),
            files: BTreeMap::new(),
            troubles: BTreeMap::new(),
            done: Vec::new(),
        }
    }

    /// Reads one record; `None` at the end, and at anything that is no record:
    /// past that point no field can be trusted to be what it seems.
    fn record(&mut self, fields: &mut Fields<'a>) -> Option<()> {
        match fields.next()? {
            b"os-release" => self.os_release(fields.next()?),
            b"uname" => self.uname(fields.next()?),
            b"paths" => self.paths(fields),
            b"hashes" => self.lines(fields.next()?, hash_line, |file, hash| {
                file.hash = Some(hash);
            }),
            b"modes" => self.lines(fields.next()?, mode_line, |file, mode| {
                file.mode = Some(mode);
            }),
            b"odd" => {
                let (path, hash, mode) = (fields.next()?, fields.next()?, fields.next()?);
                if let Some(file) = self.files.get_mut(path) {
                    file.hash = hash_line(hash).map(|(hash, _)| hash);
                    file.mode = mode_line(mode).map(|(mode, _)| mode);
                }
            }
            b"link" => self.link(fields.next()?, fields.next()?),
            b"command" => self.command(fields.next()?, fields.next()?, fields.next()?),
            b"trouble" => {
                let (layer, text) = (lossy(fields.next()?), lossy(fields.next()?));
                let denied = text.contains("Permission denied");
                self.trouble(&layer, text, denied);
            }
            b"done" => self.done.push(fields.next()?),
            _ => return None,
        }
        Some(())
    }

    fn trouble(&mut self, layer: &str, text: impl Into<String>, denied: bool) {
        let text = text.into();
        let troubles = self.troubles.entry(layer.to_owned()).or_default();
        troubles.push(Trouble { text, denied });
    }

    fn keep(&mut self, name: FactName, value: Value) {
        self.facts.insert(name, Fact::stable(value));
    }

    fn os_release(&mut self, text: &[u8]) {
        let text = lossy(text);
        let of = |key: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(key));
            line.map(|value| value.trim().trim_matches(['"', '\'']).to_owned())
        };
        match (of("ID="), of("VERSION_ID=")) {
            (Some(id), version) => {
                let release = format!("{id} {}", version.unwrap_or_default());
                let value = Value::Text(clip(release.trim_end(), TEXT_MAX));
                self.keep(FactName::new("os", "release"), value);
            }
            (None, _) => self.trouble("os", "no release in /etc/os-release", false),
        }
    }

    fn uname(&mut self, line: &[u8]) {
        let line = lossy(line);
        let Some((kernel, arch)) = line.trim().rsplit_once(' ') else {
            return self.trouble("os", "uname -srm printed nothing of use", false);
        };
        self.keep(
            FactName::new("os", "kernel"),
            Value::Text(clip(kernel, TEXT_MAX)),
        );
        self.keep(
            FactName::new("os", "arch"),
            Value::Text(clip(arch, TEXT_MAX)),
        );
    }

    fn paths(&mut self, fields: &mut Fields<'a>) {
        for path in fields.by_ref().take_while(|path| !path.is_empty()) {
            if self.inside(path).is_none() {
                continue;
            }
            if self.files.len() == FILES_MAX {
                self.trouble("files", format!("more than {FILES_MAX} files match"), false);
                fields
                    .by_ref()
                    .take_while(|path| !path.is_empty())
                    .for_each(drop);
                return;
            }
            self.files.insert(path, File::default());
        }
    }

    /// The path relative to the folder, if it was asked for and lies within.
    fn inside(&self, path: &'a [u8]) -> Option<&'a [u8]> {
        let inside = path.strip_prefix(b"./")?;
        let climbs = inside.split(|byte| *byte == b'/').any(|part| part == b"..");
        let asked = self
            .globs
            .as_ref()?
            .matches(&String::from_utf8_lossy(inside));
        (asked && !climbs).then_some(inside)
    }

    fn lines<T>(
        &mut self,
        text: &[u8],
        read: impl Fn(&[u8]) -> Option<(T, &[u8])>,
        put: impl Fn(&mut File, T),
    ) {
        for (value, path) in text.split(|byte| *byte == b'\n').filter_map(read) {
            if let Some(file) = self.files.get_mut(path) {
                put(file, value);
            }
        }
    }

    fn link(&mut self, path: &'a [u8], target: &[u8]) {
        let Some(inside) = self.inside(path) else {
            return;
        };
        if self.facts.len() >= FILES_MAX {
            return self.trouble("files", format!("more than {FILES_MAX} links match"), false);
        }
        let name = FactName::new("files", inside);
        if target.is_empty() {
            let text = format!("cannot read the link {}", subject(&name));
            return self.trouble("files", text, false);
        }
        self.keep(name, Value::Text(clip(&lossy(target), TEXT_MAX)));
    }

    fn command(&mut self, place: &[u8], output: &[u8], exit: &[u8]) {
        let place = lossy(place).parse::<usize>();
        let Some(id) = place
            .ok()
            .and_then(|place| self.commands.get(place).copied())
        else {
            return;
        };
        let name = FactName::new("command", id);
        let shown = subject(&name);
        let text = lossy(output);
        match lossy(exit).trim() {
            _ if output.len() > TEXT_MAX => {
                let text = format!("{shown} printed more than {TEXT_MAX} bytes");
                self.trouble("command", text, false);
            }
            "0" => self.keep(name, Value::Text(text.trim().to_owned())),
            "126" => self.trouble("command", format!("{shown} may not be run"), true),
            "127" => self.trouble("command", format!("{shown} found no such program"), false),
            exit => self.trouble("command", format!("{shown} ended with exit {exit}"), false),
        }
    }

    fn finish(mut self, asked: &[Collector], unfinished: &LayerStatus) -> HostFacts {
        self.settle_files();
        let layers = asked.iter().map(|collector| {
            let layer = collector.layer();
            let status = if !self.done.contains(&layer.as_bytes()) {
                unfinished.clone()
            } else if let Some(troubles) = self.troubles.get(layer) {
                let any = self.facts.keys().any(|name| name.layer() == layer);
                told(troubles, any)
            } else {
                LayerStatus::Ok
            };
            (layer.to_owned(), status)
        });
        HostFacts {
            layers: layers.collect(),
            facts: self.facts,
        }
    }

    /// Turns the listed files into facts; one without a digest was not readable.
    fn settle_files(&mut self) {
        let files = std::mem::take(&mut self.files);
        let mut unreadable = Vec::new();
        for (path, file) in files {
            let Some(inside) = self.inside(path) else {
                continue;
            };
            let name = FactName::new("files", inside);
            if let Some(mode) = file.mode {
                self.keep(name.attribute("mode"), Value::Text(mode));
            }
            match file.hash {
                Some(hash) => self.keep(name, Value::Hash(hash)),
                None => unreadable.push(subject(&name).to_owned()),
            }
        }
        if !unreadable.is_empty() {
            let names = crate::diag::list(&unreadable, 5);
            self.trouble("files", format!("cannot read {names}"), true);
        }
    }
}

fn told(troubles: &[Trouble], any_fact: bool) -> LayerStatus {
    let texts: Vec<&str> = troubles.iter().map(|trouble| trouble.text.trim()).collect();
    let reason = clip(&texts.join("; "), REASON_MAX);
    if !any_fact && troubles.iter().all(|trouble| trouble.denied) {
        LayerStatus::Denied(reason)
    } else {
        LayerStatus::Partial(reason)
    }
}

/// The globs a collector asks for.
pub fn globs_of(collector: &Collector) -> &[String] {
    match collector {
        Collector::Files { paths } => paths,
        _ => &[],
    }
}

/// The commands that are asked for, id and text, in the order of their places.
pub fn commands(asked: &[Collector]) -> impl Iterator<Item = (&str, &str)> {
    asked.iter().filter_map(|collector| match collector {
        Collector::Command { id, run } => Some((id.as_str(), run.as_str())),
        _ => None,
    })
}

fn subject(name: &FactName) -> &str {
    name.thing()
        .split_once(':')
        .map_or("", |(_, subject)| subject)
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// At most so many characters of a text.
fn clip(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// `HEX  PATH`, where the hex digits are a SHA-256.
fn hash_line(line: &[u8]) -> Option<(Digest, &[u8])> {
    let (hex, rest) = line.split_at_checked(64)?;
    let hex = std::str::from_utf8(hex).ok()?;
    let digest = Digest::parse(&format!("sha256:{hex}"))?;
    Some((digest, rest.strip_prefix(b"  ")?))
}

/// `644:PATH`, where the digits are a mode in octal, at most `177777`.
fn mode_line(line: &[u8]) -> Option<(String, &[u8])> {
    let end = line.iter().take(8).position(|byte| *byte == b':')?;
    let mode = std::str::from_utf8(&line[..end]).ok()?;
    let octal = (1..=6).contains(&mode.len()) && mode.bytes().all(|b| (b'0'..=b'7').contains(&b));
    octal.then(|| (mode.to_owned(), &line[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const STOPPED: LayerStatus = LayerStatus::Timeout;

    fn asked() -> Vec<Collector> {
        let command = |id: &str| Collector::Command {
            id: id.to_owned(),
            run: "true".to_owned(),
        };
        let paths = vec!["**".to_owned()];
        vec![
            Collector::Os,
            Collector::Files { paths },
            command("one"),
            command("two"),
        ]
    }

    fn read(fields: &[&str]) -> HostFacts {
        let mut bytes = Vec::new();
        for field in fields {
            bytes.extend_from_slice(field.as_bytes());
            bytes.push(0);
        }
        parse(&bytes, &asked(), &STOPPED)
    }

    fn shown(host: &HostFacts, layer: &str, subject: &str) -> Option<String> {
        let fact = host.facts.get(&FactName::new(layer, subject))?;
        Some(fact.value.shown())
    }

    const HEX: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn reads_the_operating_system() {
        let release = "NAME=\"Debian\"\nVERSION_ID=\"12\"\nID=debian\n";
        let host = read(&[
            "os-release",
            release,
            "uname",
            "Linux 6.1.0 x86_64",
            "done",
            "os",
        ]);
        assert_eq!(shown(&host, "os", "release").unwrap(), "\"debian 12\"");
        assert_eq!(shown(&host, "os", "kernel").unwrap(), "\"Linux 6.1.0\"");
        assert_eq!(shown(&host, "os", "arch").unwrap(), "x86_64");
        assert_eq!(host.layers["os"], LayerStatus::Ok);

        let none = read(&[
            "os-release",
            "",
            "uname",
            "Linux 6.1.0 x86_64",
            "done",
            "os",
        ]);
        assert!(matches!(none.layers["os"], LayerStatus::Partial(_)));
    }

    #[test]
    fn reads_files_with_digest_and_mode_and_names_the_unreadable() {
        let hashes = format!("{HEX}  ./a b\nnonsense\n{HEX}  ./unlisted\n");
        let host = read(&[
            "paths",
            "./a b",
            "./locked",
            "./x\ny",
            "",
            "hashes",
            &hashes,
            "modes",
            "644:./a b\n600:./locked\n",
            "odd",
            "./x\ny",
            &format!("{HEX}  -"),
            "755:./x\ny",
            "link",
            "./current",
            "releases/2.4.0",
            "done",
            "files",
        ]);
        assert_eq!(shown(&host, "files", "a b").unwrap(), "sha256:ba7816bf8f01");
        assert_eq!(
            shown(&host, "files", "x\ny").unwrap(),
            "sha256:ba7816bf8f01"
        );
        assert_eq!(shown(&host, "files", "current").unwrap(), "releases/2.4.0");
        let mode = FactName::new("files", "x\ny").attribute("mode");
        assert_eq!(host.facts[&mode].value, Value::Text("755".to_owned()));
        assert_eq!(host.facts.len(), 6);
        assert_eq!(
            host.layers["files"],
            LayerStatus::Partial("cannot read locked".to_owned())
        );
    }

    #[test]
    fn only_rights_that_lack_altogether_are_a_denial() {
        let host = read(&[
            "paths", "./locked", "", "hashes", "", "modes", "", "done", "files",
        ]);
        let reason = "cannot read locked".to_owned();
        assert_eq!(host.layers["files"], LayerStatus::Denied(reason));
        let host = read(&[
            "trouble",
            "files",
            "more than 20000 files match",
            "done",
            "files",
        ]);
        assert!(matches!(host.layers["files"], LayerStatus::Partial(_)));
    }

    #[test]
    fn a_path_that_leads_out_is_no_fact() {
        let host = read(&[
            "paths",
            "./../x",
            "/etc/passwd",
            "./a/../../b",
            "",
            "done",
            "files",
        ]);
        assert!(host.facts.is_empty());
        assert_eq!(host.layers["files"], LayerStatus::Ok);
    }

    #[test]
    fn a_command_gives_a_fact_or_a_reason() {
        let host = read(&[
            "command",
            "0",
            " Python 3.11\n",
            "0",
            "command",
            "1",
            "x",
            "3",
            "done",
            "command",
        ]);
        assert_eq!(shown(&host, "command", "one").unwrap(), "\"Python 3.11\"");
        assert_eq!(shown(&host, "command", "two"), None);
        let reason = "two ended with exit 3".to_owned();
        assert_eq!(host.layers["command"], LayerStatus::Partial(reason));

        let long = "x".repeat(TEXT_MAX + 1);
        let host = read(&[
            "command", "0", &long, "0", "command", "7", "", "0", "done", "command",
        ]);
        assert!(host.facts.is_empty());
        assert!(host.layers["command"].to_string().contains("4096 bytes"));
        let host = read(&["command", "0", "", "126", "done", "command"]);
        assert!(matches!(host.layers["command"], LayerStatus::Denied(_)));
    }

    #[test]
    fn what_was_cut_off_is_unfinished_and_never_ok() {
        let whole = read(&["uname", "Linux 6 arm", "os-release", "ID=x", "done", "os"]);
        assert_eq!(whole.layers["os"], LayerStatus::Ok);
        assert_eq!(whole.layers["files"], STOPPED);
        assert_eq!(whole.layers["command"], STOPPED);
        let cut = parse(b"uname\0Linux 6 arm\0done\0os", &asked(), &STOPPED);
        assert_eq!(cut.layers["os"], STOPPED);
        assert_eq!(cut.facts.len(), 2);
        // After nonsense nothing is believed.
        let forged = read(&["surprise", "done", "os", "done", "files"]);
        assert_eq!(forged.layers["os"], STOPPED);
    }

    #[test]
    fn counts_are_bounded() {
        let mut fields = vec!["paths".to_owned()];
        fields.extend((0..FILES_MAX + 10).map(|n| format!("./{n}")));
        fields.extend(["", "done", "files"].map(str::to_owned));
        let host = read(&fields.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(
            host.layers["files"]
                .to_string()
                .contains("more than 20000 files match")
        );
        assert!(host.layers["files"].to_string().chars().count() < 400);
    }

    fn field() -> impl Strategy<Value = Vec<u8>> {
        const WORDS: &[&str] = &[
            "os-release",
            "uname",
            "paths",
            "hashes",
            "modes",
            "odd",
            "link",
            "command",
            "trouble",
            "done",
            "os",
            "files",
            "",
            "./a",
            "0",
            "1",
        ];
        prop_oneof![
            4 => prop::sample::select(WORDS).prop_map(|word| word.as_bytes().to_vec()),
            1 => prop::collection::vec(any::<u8>(), 0..12),
            1 => Just(format!("{HEX}  ./a\n644:./a").into_bytes()),
        ]
    }

    proptest! {
        #[test]
        fn any_bytes_give_statuses_and_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let host = parse(&bytes, &asked(), &STOPPED);
            prop_assert_eq!(host.layers.len(), 3);
        }

        #[test]
        fn any_fields_give_statuses_and_no_panic(fields in prop::collection::vec(field(), 0..30)) {
            let bytes = fields.join(&0);
            let host = parse(&bytes, &asked(), &STOPPED);
            prop_assert_eq!(host.layers.len(), 3);
            for (name, fact) in &host.facts {
                prop_assert!(!name.as_str().contains(char::is_control));
                prop_assert!(fact.value.shown().chars().count() < 100);
            }
        }
    }
}
