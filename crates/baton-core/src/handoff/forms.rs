//! The parts of the contract that may be written in one of several forms.
//!
//! Each has a table of keys (`keys!`), from which its value is made; what no
//! single key can show, such as a measure with two sources, is noted here.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::fmt::temporal::Pieces;

use super::contract::{
    AnswerKind, At, Bridge, Counter, Freeze, Lines, Measure, OnHarm, Quantile, SecretRef, Source,
    WatchTerms, Window,
};
use super::names::VarName;
use super::read::{Fields, Read, Reader, keys};
use super::schema::{Instant, Percent};
use super::yaml::{Entry, Kind, Node};
use crate::diag::{Note, brief, nearest};
use crate::id::MeasureId;
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
    /// One success measure.
    #[schemars(rename = "Measure")]
    pub(super) struct MeasureForm {
        /// Its id.
        id: At<MeasureId>,
        /// What it says, for people.
        says: String,
        /// Who answers for it.
        owner: Option<At<String>>,
        /// Who stands in; the rest of the owner's team when left out.
        backup: Option<At<String>>,
        /// What is bad, and what counts at all, as `from` is asked: two queries, two
        /// patterns of lines, two statements of SQL.
        ratio: Option<RatioForm>,
        /// The counters of a histogram's buckets, in seconds; needs `from: { prometheus: … }`.
        histogram: Option<String>,
        /// Where it is counted.
        from: Option<FromForm>,
        /// What Baton asks itself, where there is no Prometheus.
        probe: Option<ProbeForm>,
        /// The slowest allowed answer time at a quantile: `{ p95: 300ms }`.
        quantile: Option<Quantile>,
        /// Absolute limit of the share that may be bad.
        #[schemars(with = "Option<Percent>")]
        at_most: Option<f64>,
        /// How much worse than the baseline it may be.
        #[schemars(with = "Option<Percent>")]
        worse_by: Option<f64>,
    }

    /// Two questions that count.
    #[schemars(rename = "Ratio")]
    pub(super) struct RatioForm {
        /// Counts what is bad.
        bad: String,
        /// Counts everything.
        total: String,
    }

    /// Where it is counted: one of these.
    #[schemars(rename = "From")]
    pub(super) struct FromForm {
        /// Address of a Prometheus server; `ratio` are two queries.
        prometheus: Option<String>,
        /// A file on each host; `ratio` are two patterns of lines, by level when left out.
        log: Option<String>,
        /// A command on each host that prints more lines each time; `ratio` as for `log`.
        output: Option<String>,
        /// An SQLite file on each host; `ratio` are two statements that give a number each.
        sqlite: Option<String>,
        /// A command on each host whose last line is two numbers: bad ones, and all.
        command: Option<String>,
    }

    /// What Baton asks itself, on each host.
    #[schemars(rename = "Probe")]
    pub(super) struct ProbeForm {
        /// The URL, with `$HOST` and variables.
        url: String,
        /// How often.
        every: Duration,
    }

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

impl MeasureForm {
    fn source(&mut self, node: &Node, reader: &mut Reader<'_>) -> Option<Source> {
        let asked = (self.ratio.take(), self.histogram.take());
        let (code, trouble, next) = match (self.probe.take(), self.from.take(), asked) {
            (Some(ProbeForm { url, every }), None, (None, None)) => {
                return Some(Source::Probe { url, every });
            }
            (None, Some(from), (ratio, histogram)) => match from.counts(ratio, histogram) {
                Ok(source) => return Some(source),
                Err(wrong) => wrong,
            },
            (None, None, (Some(_), None)) => (
                "contract.missing-key",
                "has a `ratio`, but no `from` says where it is counted",
                "add `from: { prometheus: URL }`, or a `log`, `output` or `sqlite` on the hosts",
            ),
            (None, None, (_, Some(_))) => (
                "contract.missing-key",
                "has a `histogram`, but no `from` says where it is asked",
                "add `from: { prometheus: URL }`",
            ),
            (None, None, (None, None)) => (
                "contract.missing-key",
                "has no source",
                "add `probe: { url: URL, every: 1s }`, or `ratio` with `from`",
            ),
            (Some(_), _, _) => (
                "contract.value",
                "has two sources",
                "keep either `probe`, or `ratio` with `from`",
            ),
        };
        let says = format!("{} {trouble}", reader.place());
        reader.note(Note::error(code, says).at(node.span).next(next));
        None
    }
}

/// A code, what is wrong, and what to do.
type Wrong = (&'static str, &'static str, &'static str);

impl FromForm {
    /// The one source that is named, with the questions it needs and no others.
    fn counts(self, ratio: Option<RatioForm>, histogram: Option<String>) -> Result<Source, Wrong> {
        const NO_RATIO: Wrong = (
            "contract.missing-key",
            "has a `from`, but no `ratio` says what is asked",
            "add `ratio: { bad: …, total: … }`",
        );
        const TOO_MUCH: Wrong = (
            "contract.value",
            "asks something that its `from` does not answer",
            "a `histogram` needs `from: { prometheus: URL }` and no `ratio`; a `command` prints its two numbers itself",
        );
        let Self {
            prometheus,
            log,
            output,
            sqlite,
            command,
        } = self;
        let lines = |ratio: Option<RatioForm>| {
            ratio.map_or_else(Lines::default, |RatioForm { bad, total }| Lines {
                bad,
                total,
            })
        };
        match (prometheus, log, output, sqlite, command) {
            (Some(server), None, None, None, None) => match (ratio, histogram) {
                (Some(RatioForm { bad, total }), None) => {
                    Ok(Source::Prometheus { server, bad, total })
                }
                (None, Some(buckets)) => Ok(Source::Histogram { server, buckets }),
                (None, None) => Err(NO_RATIO),
                (Some(_), Some(_)) => Err(TOO_MUCH),
            },
            _ if histogram.is_some() => Err(TOO_MUCH),
            (None, Some(path), None, None, None) => Ok(Source::Counter(Counter::Log {
                path,
                lines: lines(ratio),
            })),
            (None, None, Some(run), None, None) => Ok(Source::Counter(Counter::Output {
                run,
                lines: lines(ratio),
            })),
            (None, None, None, Some(path), None) => {
                let RatioForm { bad, total } = ratio.ok_or(NO_RATIO)?;
                Ok(Source::Counter(Counter::Sqlite { path, bad, total }))
            }
            (None, None, None, None, Some(_)) if ratio.is_some() => Err(TOO_MUCH),
            (None, None, None, None, Some(run)) => Ok(Source::Counter(Counter::Command(run))),
            _ => Err((
                "contract.value",
                "needs one place in its `from`",
                "write one of `prometheus`, `log`, `output`, `sqlite` and `command`",
            )),
        }
    }
}

impl Read for Measure {
    fn read<'t>(node: &'t Node, reader: &mut Reader<'t>) -> Option<Self> {
        let mut form = MeasureForm::read(node, reader)?;
        let source = form.source(node, reader);
        if form.at_most.is_none() && form.worse_by.is_none() && form.quantile.is_none() {
            let says = format!(
                "{} has no limit: no value of it would be harm",
                reader.place()
            );
            reader.note(
                Note::error("contract.missing-key", says)
                    .at(node.span)
                    .next("add `at_most: 1%`, `worse_by: 0.5%` or `quantile: { p95: 300ms }`"),
            );
        }
        let source = source?;
        let timed = matches!(source, Source::Probe { .. } | Source::Histogram { .. });
        if form.quantile.is_some() && !timed {
            let trouble = "a `quantile` needs a `probe` or a `histogram`; a `ratio` counts what it is told to";
            let next = "count slow answers in `bad`, or measure with `probe` or `histogram`";
            return reader.bad_value(node.span, trouble, next);
        }
        if form.quantile.is_none() && matches!(source, Source::Histogram { .. }) {
            let trouble = "a `histogram` needs a `quantile`: the slowest answer that is still good";
            let next = "add `quantile: { p95: 300ms }`";
            return reader.bad_value(node.span, trouble, next);
        }
        Some(Self {
            id: form.id,
            says: form.says,
            owner: form.owner,
            backup: form.backup,
            source,
            quantile: form.quantile,
            at_most: form.at_most,
            worse_by: form.worse_by,
        })
    }
}

impl Read for Quantile {
    fn read<'t>(node: &'t Node, reader: &mut Reader<'t>) -> Option<Self> {
        const NEXT: &str = "write `{ p95: 300ms }`";
        let entries = match &node.kind {
            Kind::Map(entries) => entries.as_slice(),
            _ => return reader.wrong_kind(node, "a quantile with its limit", NEXT),
        };
        let [entry] = entries else {
            return reader.bad_value(node.span, "a quantile is one key with one limit", NEXT);
        };
        let limit = reader.at_key(&entry.key, &entry.value);
        let digits = |text: &&str| text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        let share = entry.key.strip_prefix('p').filter(digits);
        let share = share.and_then(|share| share.parse::<f64>().ok());
        match share.filter(|share| *share > 0.0 && *share < 100.0) {
            Some(share) => Some(Self {
                q: share / 100.0,
                limit: limit?,
            }),
            None => {
                let trouble = format!("`{}` is no quantile", brief(&entry.key));
                reader.bad_value(entry.key_span, trouble, NEXT)
            }
        }
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

mod parity;

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
