//! The parts of the contract that may be written in one of several forms.
//!
//! Each has a table of keys (`keys!`), from which its value is made; what no
//! single key can show, such as a window that closes before it opens, is noted here.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::fmt::temporal::Pieces;

use super::contract::{AnswerKind, At, Bridge, Freeze, OnHarm, SecretRef, WatchTerms, Window};
use super::names::VarName;
use super::read::{Fields, Read, Reader, keys};
use super::schema::{Instant, Percent};
use super::yaml::{Entry, Kind, Node};
use crate::diag::{Note, brief, nearest};
use crate::time::Duration;

/// The one entry of a map of which each key is a form of its own: `{ env: NAME }`.
fn one_entry<'t>(
    node: &'t Node,
    reader: &mut Reader<'t>,
    known: &[&str],
    expected: &str,
    next: &str,
) -> Option<&'t Entry> {
    let Kind::Map(entries) = &node.kind else {
        return reader.wrong_kind(node, expected, next);
    };
    let [entry] = entries.as_slice() else {
        let trouble = format!("{expected} has one key, not {}", entries.len());
        return reader.bad_value(node.span, trouble, next);
    };
    if known.contains(&entry.key.as_str()) {
        return Some(entry);
    }
    let says = format!(
        "{} has an unknown key `{}`",
        reader.place(),
        brief(&entry.key)
    );
    let next = match nearest(&entry.key, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => next.to_owned(),
    };
    reader.note(
        Note::error("contract.unknown-key", says)
            .at(entry.key_span)
            .next(next),
    );
    None
}

impl Read for SecretRef {
    fn read<'t>(node: &'t Node, reader: &mut Reader<'t>) -> Option<Self> {
        const KEYS: &[&str] = &["env", "file", "command"];
        // A value in place of a reference may be the secret: no note repeats it.
        const NEXT: &str =
            "write `{ env: NAME }`, `{ file: PATH }` or `{ command: … }`, never the value itself";
        let entry = one_entry(node, reader, KEYS, "a reference to a secret", NEXT)?;
        let text = reader.at_key(&entry.key, &entry.value)?;
        Some(match entry.key.as_str() {
            "env" => Self::Env(text),
            "file" => Self::File(text),
            _ => Self::Command(text),
        })
    }
}

impl Read for BTreeMap<String, SecretRef> {
    fn read<'t>(node: &'t Node, reader: &mut Reader<'t>) -> Option<Self> {
        let secrets = BTreeMap::<VarName, SecretRef>::read(node, reader)?;
        Some(
            secrets
                .into_iter()
                .map(|(name, value)| (name.0, value))
                .collect(),
        )
    }
}

/// An instant and the offset it was written with, in seconds.
#[derive(Clone, Copy)]
pub(super) struct Zoned {
    at: Timestamp,
    offset_s: i32,
}

impl Read for Zoned {
    fn read<'t>(node: &'t Node, reader: &mut Reader<'t>) -> Option<Self> {
        let at = Timestamp::read(node, reader)?;
        let pieces = node.text().and_then(|text| Pieces::parse(text).ok());
        let offset = pieces.and_then(|pieces| pieces.to_numeric_offset());
        Some(Self {
            at,
            offset_s: offset.map_or(0, jiff::tz::Offset::seconds),
        })
    }
}

keys! {
    /// From when to when the launch may run.
    #[schemars(rename = "Window")]
    pub(super) struct WindowForm {
        /// First moment.
        #[schemars(with = "Instant")]
        opens: Zoned,
        /// First moment after it.
        #[schemars(with = "Instant")]
        closes: Timestamp,
    }

    /// A time in which nothing may be launched.
    #[schemars(rename = "FreezeSpan")]
    pub(super) struct FreezeForm {
        /// First moment.
        #[schemars(with = "Instant")]
        from: Timestamp,
        /// First moment after it.
        #[schemars(with = "Instant")]
        to: Timestamp,
        /// Why.
        because: String,
    }

    /// A calendar in which every event is such a time.
    #[schemars(rename = "FreezeCalendar")]
    pub(super) struct CalendarForm {
        /// An iCalendar file beside the contract.
        calendar: String,
    }
}

impl Read for Window {
    fn read<'t>(node: &'t Node, reader: &mut Reader<'t>) -> Option<Self> {
        let WindowForm { opens, closes } = WindowForm::read(node, reader)?;
        if opens.at >= closes {
            let trouble = "the window closes before it opens";
            return reader.bad_value(node.span, trouble, "put `closes` after `opens`");
        }
        Some(Self {
            opens: opens.at,
            closes,
            offset_s: opens.offset_s,
        })
    }
}

impl Read for Freeze {
    fn read<'t>(node: &'t Node, reader: &mut Reader<'t>) -> Option<Self> {
        if node.get("calendar").is_some() {
            return CalendarForm::read(node, reader).map(|form| Self::Calendar(form.calendar));
        }
        let FreezeForm { from, to, because } = FreezeForm::read(node, reader)?;
        if from >= to {
            let trouble = "the freeze ends before it begins";
            return reader.bad_value(node.span, trouble, "put `to` after `from`");
        }
        Some(Self::Span { from, to, because })
    }
}

impl Read for AnswerKind {
    fn read<'t>(node: &'t Node, reader: &mut Reader<'t>) -> Option<Self> {
        const WORDS: [&str; 4] = ["number", "duration", "text", "yes-no"];
        const NEXT: &str =
            "write number, duration, text, yes-no, or a list of words to choose from";
        if let Kind::Seq(_) = &node.kind {
            let words = Vec::<String>::read(node, reader)?;
            let different: BTreeSet<&String> = words.iter().collect();
            if different.len() < words.len() || words.len() < 2 {
                let trouble = "a choice is between at least two different words";
                return reader.bad_value(node.span, trouble, NEXT);
            }
            return Some(Self::Choice(words));
        }
        match reader.text(node, "a kind of answer", NEXT)? {
            "number" => Some(Self::Number),
            "duration" => Some(Self::Duration),
            "text" => Some(Self::Text),
            "yes-no" => Some(Self::YesNo),
            other => {
                let next = match nearest(other, WORDS) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => NEXT.to_owned(),
                };
                let trouble = format!("`{}` is not a kind of answer", brief(other));
                reader.bad_value(node.span, trouble, next)
            }
        }
    }
}

keys! {
    /// How the judge watches after a change.
    #[schemars(rename = "WatchTerms")]
    pub(super) struct WatchForm {
        /// How long; 30m when left out.
        lasts as "for": Option<Duration>,
        /// What is done when harm is found; roll-back when left out.
        on_harm: Option<OnHarm>,
        /// The chance to find harm where there is none, for the whole release; 1% when left out.
        #[schemars(with = "Option<Percent>")]
        false_alarm: Option<At<f64>>,
    }
}

impl Read for WatchTerms {
    fn read<'t>(node: &'t Node, reader: &mut Reader<'t>) -> Option<Self> {
        let form = WatchForm::read(node, reader)?;
        let usual = Self::default();
        if let Some(share) = form.false_alarm.as_ref()
            && !(share.value > 0.0 && share.value < 1.0)
            && let Some(span) = share.span
        {
            let trouble = "a `false_alarm` of 0% finds no harm, one of 100% finds nothing else";
            return reader.bad_value(span, trouble, "write a small share, such as `1%`");
        }
        Some(Self {
            lasts: form.lasts.unwrap_or(usual.lasts),
            on_harm: form.on_harm.unwrap_or(usual.on_harm),
            false_alarm: form
                .false_alarm
                .map_or(usual.false_alarm, |share| share.value),
        })
    }
}

/// Reads one key of a map of which nothing else is known.
macro_rules! read_keys {
    ($reader:ident, $entry:ident, Self::$make:ident { $($key:ident),* }) => {{
        $reader.inside(&$entry.key, |reader| {
            let mut fields = Fields::open(&$entry.value, reader, &[$(stringify!($key)),*])?;
            $(let $key = fields.get(stringify!($key));)*
            Some(Self::$make { $($key: $key?),* })
        })
    }};
    // What stands behind the semicolon may be left out.
    ($reader:ident, $entry:ident, Self::$make:ident { $key:ident; $may:ident }) => {{
        $reader.inside(&$entry.key, |reader| {
            const KEYS: &[&str] = &[stringify!($key), stringify!($may)];
            let mut fields = Fields::open(&$entry.value, reader, KEYS)?;
            let $key = fields.get(KEYS[0]);
            let $may: Option<Option<Vec<String>>> = fields.get(KEYS[1]);
            Some(Self::$make { $key: $key?, $may: $may?.unwrap_or_default() })
        })
    }};
}

mod measure;

mod parity;

pub(super) use measure::{Limit, MeasureForm};

impl Read for Bridge {
    fn read<'t>(node: &'t Node, reader: &mut Reader<'t>) -> Option<Self> {
        const KEYS: &[&str] = &["slack", "email", "webhook", "matrix", "cdevents"];
        const NEXT: &str =
            "write one of slack, email, webhook, matrix and cdevents, and what belongs to it";
        let entry = one_entry(node, reader, KEYS, "a bridge to a channel", NEXT)?;
        match entry.key.as_str() {
            "slack" => read_keys!(reader, entry, Self::Slack { url }),
            "email" => read_keys!(
                reader,
                entry,
                Self::Email {
                    to,
                    smtp,
                    from,
                    password
                }
            ),
            "webhook" => read_keys!(reader, entry, Self::Webhook { url, secret }),
            "cdevents" => read_keys!(reader, entry, Self::Cdevents { url, token }),
            _ => read_keys!(
                reader,
                entry,
                Self::Matrix {
                    server,
                    room,
                    token
                }
            ),
        }
    }
}
