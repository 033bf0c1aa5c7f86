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
//! | `conf` | the path of a file that may be parsed, its content |
//! | `raw` | a layer, a tool, what the tool printed of the layer |
//! | `absent` | a layer that there is not on the host |
//! | `command` | its place among the asked commands from 0, its output, its exit status |
//! | `trouble` | a layer, what could not be read of it |
//! | `done` | a layer that was read to its end |
//!
//! Promises that any bytes at all give facts and statuses, in time linear to
//! their length, and never a panic: a host is not trusted to speak properly.

use std::collections::BTreeMap;

use crate::id::Digest;
use crate::parity::doc::{self, Format};
use crate::parity::fact::{Class, Collector, Fact, FactName, Value};
use crate::parity::fingerprint::{HostFacts, LayerStatus};
use crate::parity::matcher::{Paths, Pattern};
use crate::parity::{layers, noise};

/// Most bytes that are read of one host: hundreds of thousands of short facts.
pub const OUTPUT_MAX: usize = 8 * 1024 * 1024;
/// Most files of one host: a folder with more is data, not configuration.
pub const FILES_MAX: usize = 20_000;
/// Most facts of one host, of all layers.
pub const FACTS_MAX: usize = 500_000;
/// Longest output of a command that is kept, in bytes.
pub const TEXT_MAX: usize = 4096;
/// Longest output of a command that is read as JSON, in bytes.
pub const JSON_MAX: usize = 1024 * 1024;
/// Largest file that is parsed, in bytes; of a larger one the digest is compared.
pub const PARSED_MAX: usize = 256 * 1024;
/// Largest sum of files that are parsed, in bytes: half of what may be printed.
pub const PARSED_SUM_MAX: usize = OUTPUT_MAX / 2;
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
struct File<'a> {
    hash: Option<Digest>,
    mode: Option<String>,
    content: Option<&'a [u8]>,
}

/// Something that could not be read, and whether that was for want of a right.
struct Trouble {
    text: String,
    denied: bool,
}

struct Parser<'a> {
    asked: Vec<&'static str>,
    absent: Vec<&'a [u8]>,
    globs: Option<Paths>,
    commands: Vec<&'a str>,
    processes: Vec<(&'a str, Vec<Pattern>)>,
    facts: BTreeMap<FactName, Fact>,
    files: BTreeMap<&'a [u8], File<'a>>,
    troubles: BTreeMap<String, Vec<Trouble>>,
    done: Vec<&'a [u8]>,
}

impl<'a> Parser<'a> {
    fn new(asked: &'a [Collector]) -> Self {
        let globs: Vec<&String> = asked.iter().flat_map(globs_of).collect();
        Self {
            asked: asked.iter().map(Collector::layer).collect(),
            absent: Vec::new(),
            globs: Paths::new(&globs).ok(),
            commands: commands(asked).map(|(id, _)| id).collect(),
            processes: processes(asked)
                .map(|(name, env)| (name, patterns(env)))
                .collect(),
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
            b"conf" => {
                let (path, content) = (fields.next()?, fields.next()?);
                if let Some(file) = self.files.get_mut(path) {
                    file.content = Some(content);
                }
            }
            b"raw" => self.raw(fields.next()?, fields.next()?, fields.next()?),
            b"absent" => self.absent.push(fields.next()?),
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
        let class = noise::class(&name);
        self.facts.insert(name, Fact { value, class });
    }

    /// What a tool printed; of a layer that was asked for.
    fn raw(&mut self, layer: &[u8], tool: &[u8], text: &[u8]) {
        let (layer, tool, text) = (lossy(layer), lossy(tool), lossy(text));
        if !self.asked.contains(&layer.as_str()) {
            return;
        }
        let process = || {
            let of = tool
                .parse::<usize>()
                .ok()
                .and_then(|place| self.processes.get(place));
            of.map(|(name, env)| layers::process(name, env, &text))
        };
        let read = match layer.as_str() {
            "process" => process(),
            _ => layers::read(&layer, &tool, &text),
        };
        let Some(read) = read else {
            return self.trouble(&layer, format!("nobody can read what {tool} says"), false);
        };
        if read.odd > 0 {
            let odd = format!("{} lines of {tool} are not as it prints them", read.odd);
            self.trouble(&layer, odd, false);
        }
        let room = FACTS_MAX.saturating_sub(self.facts.len());
        if read.facts.len() > room {
            self.trouble(&layer, format!("more than {FACTS_MAX} facts"), false);
        }
        self.facts.extend(read.facts.into_iter().take(room));
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
        let exit = lossy(exit);
        let exit = exit.trim();
        if exit == "0"
            && text.trim_start().starts_with(['{', '['])
            && let Ok(paths) = doc::paths(Format::Json, &text)
        {
            self.keep_paths(&name, paths);
            return self.keep(name, Value::Present);
        }
        match exit {
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
        let absent = |layer: &str| self.absent.contains(&layer.as_bytes());
        let layers = asked.iter().map(|collector| {
            let layer = collector.layer();
            let status = if !self.done.contains(&layer.as_bytes()) {
                unfinished.clone()
            } else if let Some(troubles) = self.troubles.get(layer) {
                let any = self.facts.keys().any(|name| name.layer() == layer);
                told(troubles, any)
            } else if absent(layer) {
                LayerStatus::Absent
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
                Some(hash) => {
                    let value = match self.parsed(&name, inside, &hash, file.content) {
                        true => Value::Present,
                        false => Value::Hash(hash),
                    };
                    self.keep(name, value);
                }
                None => unreadable.push(subject(&name).to_owned()),
            }
        }
        if !unreadable.is_empty() {
            let names = crate::diag::list(&unreadable, 5);
            self.trouble("files", format!("cannot read {names}"), true);
        }
    }
}

impl Parser<'_> {
    /// Keeps the values of a structured text. What only its structure shows to
    /// be a secret is marked as one, and is hashed before anything is kept.
    fn keep_paths(&mut self, thing: &FactName, paths: Vec<(String, String)>) {
        let secrets = doc::secrets(&paths);
        for ((path, value), secret) in paths.into_iter().zip(secrets) {
            let name = thing.attribute(&path);
            if secret {
                let value = Value::Text(value);
                let class = Class::Secret;
                let _before = self.facts.insert(name, Fact { value, class });
            } else {
                self.keep(name, text_or_hash(value));
            }
        }
    }

    /// Keeps the values of a configuration file by their paths, so that it is
    /// compared by what it says. Of one whose syntax is broken, or whose content
    /// is not that of the digest, the digest is compared.
    fn parsed(&mut self, name: &FactName, path: &[u8], hash: &Digest, text: Option<&[u8]>) -> bool {
        let (Some(text), Ok(path)) = (text, std::str::from_utf8(path)) else {
            return false;
        };
        let (Some(format), Ok(content)) = (Format::of(path), std::str::from_utf8(text)) else {
            return false;
        };
        if Digest::of(text) != *hash || self.facts.len() >= FACTS_MAX {
            return false;
        }
        match doc::paths(format, content) {
            Ok(paths) => {
                self.keep_paths(name, paths);
                true
            }
            Err(why) => {
                self.keep(name.attribute("syntax"), Value::Text(why));
                false
            }
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

/// A value that is too long to be kept is known by its digest.
pub(super) fn text_or_hash(text: String) -> Value {
    if text.len() > TEXT_MAX {
        Value::Hash(Digest::of(text.as_bytes()))
    } else {
        Value::Text(text)
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

/// The processes that are asked for, name and patterns of variables, in the
/// order of their places.
pub fn processes(asked: &[Collector]) -> impl Iterator<Item = (&str, &[String])> {
    asked.iter().filter_map(|collector| match collector {
        Collector::Process { name, env } => Some((name.as_str(), env.as_slice())),
        _ => None,
    })
}

fn patterns(texts: &[String]) -> Vec<Pattern> {
    let read = texts.iter().filter_map(|text| Pattern::new(text).ok());
    read.collect()
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
mod tests;
