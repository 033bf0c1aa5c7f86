//! How environments are compared: what is collected, rules, weights.

use super::one_entry;
use crate::diag::{brief, list, nearest};
use crate::handoff::contract::At;
use crate::handoff::read::{Fields, Read, Reader};
use crate::handoff::yaml::Node;
use crate::parity::risk::{NATURES, Weights};
use crate::parity::{Collector, Is, Rule};

/// The words of a contract for what is collected: alone, and with keys.
fn known_words(keys: &[&'static str]) -> Vec<&'static str> {
    let words = Collector::WORDS.iter().map(Collector::layer);
    words.chain(keys.iter().copied()).collect()
}

impl Read for Collector {
    fn read<'t>(node: &'t Node, reader: &mut Reader<'t>) -> Option<Self> {
        const KEYS: &[&str] = &[
            "env", "files", "command", "sqlite", "postgres", "http", "dns", "process",
        ];
        let word = node.text();
        let collector = match (word.and_then(Self::of_word), word) {
            (Some(collector), _) => collector,
            (None, Some(word)) => {
                let known = known_words(KEYS);
                let next = match nearest(word, known.iter().copied()) {
                    Some(near) if KEYS.contains(&near) => format!("write `{near}: {{ … }}`"),
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("write one of {}", list(&known, 30)),
                };
                return reader.bad_value(
                    node.span,
                    format!("`{}` is no collector", brief(word)),
                    next,
                );
            }
            (None, None) => {
                let next = format!("write one of {}", list(&known_words(KEYS), 30));
                let entry = one_entry(node, reader, KEYS, "a collector", &next)?;
                match entry.key.as_str() {
                    "env" => read_keys!(reader, entry, Self::Env { names }),
                    "files" => read_keys!(reader, entry, Self::Files { paths }),
                    "command" => read_keys!(reader, entry, Self::Command { id, run }),
                    "sqlite" => read_keys!(reader, entry, Self::Sqlite { path; data }),
                    "http" => read_keys!(reader, entry, Self::Http { id, url }),
                    "dns" => read_keys!(reader, entry, Self::Dns { names }),
                    "process" => read_keys!(reader, entry, Self::Process { name; env }),
                    _ => read_keys!(reader, entry, Self::Postgres { url; data }),
                }?
            }
        };
        match collector.check() {
            Ok(()) => Some(collector),
            Err(trouble) => reader.bad_value(node.span, trouble, "mend it, or leave it out"),
        }
    }
}

/// The kinds of rules that are a word alone.
const KINDS: [(&str, Is); 8] = [
    ("must-differ", Is::MustDiffer),
    ("canonical", Is::Canonical),
    ("same-major", Is::SameMajor),
    ("same-minor", Is::SameMinor),
    ("at-least", Is::AtLeast),
    ("set", Is::Set),
    ("named", Is::Named),
    ("present", Is::Present),
];

impl Read for Rule {
    fn read<'t>(node: &'t Node, reader: &mut Reader<'t>) -> Option<Self> {
        const NEXT: &str = "write `is: must-differ`, `is: ratio, max: 8`, or another kind of rule";
        let mut fields = Fields::open(node, reader, &["match", "is", "max"])?;
        let pattern = fields.get("match");
        let is: Option<At<String>> = fields.get("is");
        let max: Option<Option<Factor>> = fields.get("max");
        let (is, max) = (is?, max?);
        let reader = fields.reader();
        let kind = KINDS.iter().find(|(word, _)| *word == is.as_str());
        let is = match (kind, is.as_str(), max) {
            (_, "ratio", Some(Factor(max))) => Is::Ratio { max },
            (_, "ratio", None) => {
                let trouble = "a rule that `is: ratio` needs a `max`";
                return reader.bad_value(node.span, trouble, NEXT);
            }
            (Some((_, kind)), _, None) => *kind,
            (Some((word, _)), _, Some(_)) => {
                let trouble = format!("a rule that `is: {word}` has no `max`");
                return reader.bad_value(node.span, trouble, NEXT);
            }
            (None, other, _) => {
                let words = KINDS.iter().map(|(word, _)| *word).chain(["ratio"]);
                let next = match nearest(other, words) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => NEXT.to_owned(),
                };
                let trouble = format!("`{}` is not a kind of rule", brief(other));
                return reader.bad_value(is.span.unwrap_or(node.span), trouble, next);
            }
        };
        let rule = Self {
            pattern: pattern?,
            is,
        };
        match rule.check() {
            Ok(()) => Some(rule),
            Err(trouble) => reader.bad_value(node.span, trouble, NEXT),
        }
    }
}

/// A number without a unit: how many times larger.
struct Factor(f64);

impl Read for Factor {
    fn read<'t>(node: &'t Node, reader: &mut Reader<'t>) -> Option<Self> {
        reader.parsed(node, "a number of 1 or more", |text| {
            match text.parse::<f64>() {
                Ok(number) if number.is_finite() && number >= 1.0 => Ok(Self(number)),
                _ => Err(format!("`{}` is not a number of 1 or more", brief(text))),
            }
        })
    }
}

/// How much a kind of thing matters.
struct Weight(u32);

impl Read for Weight {
    fn read<'t>(node: &'t Node, reader: &mut Reader<'t>) -> Option<Self> {
        reader.parsed(node, "a number from 0 to 100", |text| {
            match text.parse::<u32>() {
                Ok(number @ 0..=100) => Ok(Self(number)),
                _ => Err(format!("`{}` is not a number from 0 to 100", brief(text))),
            }
        })
    }
}

impl Read for Weights {
    fn read<'t>(node: &'t Node, reader: &mut Reader<'t>) -> Option<Self> {
        let known = NATURES.map(|nature| nature.key);
        let mut weights = Self::default();
        for entry in reader.entries(node, &known)? {
            if !known.contains(&entry.key.as_str()) {
                let next = match nearest(&entry.key, known) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("known are {}", list(&known, 30)),
                };
                let trouble = format!("`{}` is no kind of difference", brief(&entry.key));
                return reader.bad_value(entry.key_span, trouble, next);
            }
            let Weight(weight) = reader.at_key(&entry.key, &entry.value)?;
            let _before = weights.0.insert(entry.key.clone(), weight);
        }
        Some(weights)
    }
}
