//! A step's attributes: the first list under it, when it begins with a known key.
//!
//! A list whose first item is a slip of a known key is read as attributes too,
//! so that `ownr: omar` is an error and not prose that nobody notices.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;

use super::blocks::{Item, one_line};
use super::source::{Problems, Source};
use super::{Approve, On, Step, condition, values};
use crate::diag::nearest;
use crate::handoff::contract::At;
use crate::id::{EnvName, StepId};

/// Every key, as `docs/book/runbook.md` lists them.
pub const ATTRIBUTES: [&str; 15] = [
    "owner",
    "after",
    "on",
    "expect",
    "timeout",
    "retry",
    "at",
    "when",
    "secrets",
    "changes",
    "no way back",
    "safe to repeat",
    "only in",
    "approve",
    "watch",
];

/// Takes one list of a step: its tasks, and its attributes if it is the first.
pub(super) fn read_list(
    step: &mut Step,
    items: &[Item],
    first_list: bool,
    source: &Source<'_>,
    problems: &mut Problems<'_, '_>,
) {
    let attributes = first_list && are(items, source);
    let mut seen = BTreeSet::new();
    for item in items {
        let text = one_line(source.text, &item.text);
        if item.task.is_some() {
            task(step, item, &text, problems);
        } else if attributes {
            match split(&text).filter(|_| item.depth == 1) {
                Some((key, _)) if !ATTRIBUTES.contains(&key) => unknown(key, item, problems),
                Some((key, _)) if !seen.insert(key.to_owned()) => problems.error(
                    "runbook.attribute",
                    &item.text,
                    format!("`{key}` is said twice for one step"),
                    "say it once",
                ),
                Some((key, value)) => attribute(step, key, Value::of(item, value), source, problems),
                None => problems.error(
                    "runbook.attribute",
                    &item.text,
                    format!("`{text}` is neither `key: value` nor a task"),
                    "put prose below the attributes, with a paragraph between; a task begins with `[ ]`",
                ),
            }
        } else if let Some((key, _)) = split(&text).filter(|(key, _)| ATTRIBUTES.contains(key)) {
            problems.warning(
                "runbook.attribute",
                &item.text,
                format!("`{key}:` stands in a list that is prose, so it means nothing"),
                "attributes are the first list under a step, and begin with one",
            );
        }
    }
}

/// Whether the first list under a step holds its attributes.
pub(super) fn are(items: &[Item], source: &Source<'_>) -> bool {
    items.first().is_some_and(|item| begins(item, source))
}

/// Whether a list that begins with this item is meant as attributes.
fn begins(item: &Item, source: &Source<'_>) -> bool {
    let text = one_line(source.text, &item.text);
    item.task.is_none()
        && split(&text).is_some_and(|(key, _)| {
            // One slip in a short word, two in a long one: closer than any prose.
            let slips = if key.len() < 6 { 1 } else { 2 };
            let lower = key.to_lowercase();
            ATTRIBUTES.iter().any(|known| {
                known == &lower
                    || known.len() > 2
                        && key.len() > 3
                        && strsim::osa_distance(&lower, known) <= slips
            })
        })
}

/// `key: value`; the key is one to three words.
fn split(text: &str) -> Option<(&str, &str)> {
    let (key, value) = text.split_once(':')?;
    let key = key.trim_end();
    let word = |c: char| c.is_alphabetic() || c == '-' || c == '_' || c == ' ';
    let is_key = !key.is_empty() && key.chars().all(word) && key.split(' ').count() <= 3;
    let apart = value.is_empty() || value.starts_with(char::is_whitespace);
    (is_key && apart).then_some((key, value))
}

fn task(step: &mut Step, item: &Item, text: &str, problems: &mut Problems<'_, '_>) {
    if item.task == Some(true) {
        problems.error(
            "runbook.attribute",
            &item.text,
            format!("the task `{text}` is ticked in the file"),
            "write `[ ]`: tasks are ticked in a run, by the people who do them",
        );
    }
    step.tasks.push(text.to_owned());
}

fn unknown(key: &str, item: &Item, problems: &mut Problems<'_, '_>) {
    let hint = match nearest(&key.to_lowercase(), ATTRIBUTES) {
        _ if key == "backup" => {
            "a backup stands behind the owner: `owner: omar (backup: pia)`".to_owned()
        }
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("known are {}", ATTRIBUTES.join(", ")),
    };
    let says = format!("a step has no attribute `{key}`");
    problems.error("runbook.attribute", &item.text, says, hint);
}

fn attribute(
    step: &mut Step,
    key: &str,
    value: Value<'_>,
    source: &Source<'_>,
    problems: &mut Problems<'_, '_>,
) {
    if let Err(wrong) = set(step, key, &value, source) {
        let start = value.range.start + wrong.at.unwrap_or(0);
        let at = start.min(value.range.end)..value.range.end;
        let says = wrong.says.unwrap_or_else(|| match value.text.as_ref() {
            "" => format!("`{key}` says nothing"),
            text => format!("`{key}` cannot be `{text}`"),
        });
        problems.error("runbook.value", &at, says, wrong.hint);
    }
}

/// A value and where it stands.
struct Value<'a> {
    text: Cow<'a, str>,
    range: Range<usize>,
}

impl<'a> Value<'a> {
    /// The part of an item behind its key. A value in one pair of backticks is
    /// what stands between them: people write conditions that way.
    fn of(item: &Item, after_key: &'a str) -> Self {
        let text = after_key.trim();
        // On several lines the offsets no longer match: point at all of it.
        let start = item.text.end.saturating_sub(after_key.trim_start().len());
        let range = start.max(item.text.start)..item.text.end;
        let bare = text
            .strip_prefix('`')
            .and_then(|text| text.strip_suffix('`'))
            .filter(|text| !text.contains('`'));
        match bare {
            Some(bare) => Self {
                text: Cow::Borrowed(bare),
                range: range.start + 1..range.end.saturating_sub(1).max(range.start + 1),
            },
            None => Self {
                text: Cow::Borrowed(text),
                range,
            },
        }
    }

    /// A part of the value as a value with a place.
    fn at(&self, part: &str, source: &Source<'_>) -> At<String> {
        let offset = part.as_ptr() as usize - self.text.as_ptr() as usize;
        let start = (self.range.start + offset).min(self.range.end);
        let end = (start + part.len()).min(self.range.end);
        At::new(part.to_owned(), source.span(&(start..end)))
    }
}

/// Why a value cannot be taken: where in it, what, and a hint.
struct Wrong {
    at: Option<usize>,
    says: Option<String>,
    hint: String,
}

impl From<String> for Wrong {
    fn from(hint: String) -> Self {
        Self {
            at: None,
            says: None,
            hint,
        }
    }
}

impl From<condition::Wrong> for Wrong {
    fn from(wrong: condition::Wrong) -> Self {
        Self {
            at: Some(wrong.at),
            says: Some(wrong.says),
            hint: wrong.hint,
        }
    }
}

fn set(step: &mut Step, key: &str, value: &Value<'_>, source: &Source<'_>) -> Result<(), Wrong> {
    let text = value.text.as_ref();
    let at = |part: &str| value.at(part, source);
    match key {
        "owner" => {
            let (owner, backup) = values::owner(text)?;
            step.owner = Some(at(owner));
            step.backup = backup.map(at);
        }
        "after" => {
            let ids = values::after(text)?
                .into_iter()
                .map(|id| retyped(at(id), StepId::new));
            step.after = Some(ids.collect());
        }
        "on" => {
            let (target, spread) = values::on(text)?;
            let target = at(target);
            step.on = Some(On { target, spread });
        }
        "expect" => step.expect = Some(values::duration(text)?),
        "timeout" => step.timeout = values::duration(text)?,
        "retry" => step.retry = Some(values::retry(text)?),
        "at" => step.at = Some(values::not_before(text)?),
        "when" => {
            condition::check(text)?;
            step.when = Some(at(text));
        }
        "secrets" => step.secrets = values::secrets(text)?.into_iter().map(at).collect(),
        "changes" => {
            values::only(
                text,
                "nothing",
                "leave it out for a step that changes something",
            )?;
            step.changes = false;
        }
        "no way back" => {
            let reason = Some(text).filter(|text| !text.is_empty());
            let hint = || "say why, as in `no way back: the old column is dropped`".to_owned();
            step.no_way_back = Some(reason.ok_or_else(hint)?.to_owned());
        }
        "safe to repeat" => {
            values::only(text, "yes", "leave it out for a step that is not")?;
            step.safe_to_repeat = true;
        }
        "only in" => {
            let hint = || "write one environment, as in `only in: production`".to_owned();
            let name = values::name(text).ok_or_else(hint)?;
            step.only_in = Some(retyped(at(name), EnvName::new));
        }
        "approve" => {
            let (count, of) = values::approve(text)?;
            let of = at(of);
            step.approve = Some(Approve { count, of });
        }
        "watch" => step.watch = Some(values::duration(text)?),
        // `read_list` lets only the keys of `ATTRIBUTES` through.
        _ => return Err(format!("known are {}", ATTRIBUTES.join(", ")).into()),
    }
    Ok(())
}

fn retyped<T>(at: At<String>, make: impl Fn(String) -> T) -> At<T> {
    At {
        value: make(at.value),
        span: at.span,
    }
}
