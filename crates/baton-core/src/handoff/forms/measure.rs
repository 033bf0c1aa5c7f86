//! What the judge watches: measures, their sources, and which limits make sense
//! together.

use crate::diag::{Note, Span, brief};
use crate::handoff::contract::{At, Counter, Lines, Measure, Quantile, Source, no_level};
use crate::handoff::read::{Read, Reader, keys, percent};
use crate::handoff::schema::Percent;
use crate::handoff::yaml::{Kind, Node};
use crate::id::MeasureId;
use crate::time::Duration;
use crate::watch::percent as percentage;
use crate::watch::query::is_told;

keys! {
    /// One success measure.
    #[schemars(rename = "Measure")]
    pub(in crate::handoff) struct MeasureForm {
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
        histogram: Option<At<String>>,
        /// Where it is counted.
        from: Option<FromForm>,
        /// What Baton asks itself, where there is no Prometheus.
        probe: Option<ProbeForm>,
        /// The slowest allowed answer time at a quantile: `{ p95: 300ms }`.
        quantile: Option<Quantile>,
        /// Absolute limit of the share that may be bad; of a `level` the largest mean.
        at_most: Option<At<Limit>>,
        /// How much worse than the baseline it may be.
        #[schemars(with = "Option<Percent>")]
        worse_by: Option<At<f64>>,
    }

    /// Two questions that count.
    #[schemars(rename = "Ratio")]
    pub(in crate::handoff) struct RatioForm {
        /// Counts what is bad; of lines a pattern, or `level:error`.
        bad: At<String>,
        /// Counts everything.
        total: At<String>,
    }

    /// Where it is counted: one of these.
    #[schemars(rename = "From")]
    pub(in crate::handoff) struct FromForm {
        /// Address of a Prometheus server; `ratio` are two queries.
        prometheus: Option<String>,
        /// A file on each host; `ratio` are two patterns of lines, by level when left out.
        log: Option<String>,
        /// A command on each host that prints more lines each time; `ratio` as for `log`.
        output: Option<String>,
        /// An SQLite file on each host; `ratio` are two statements that give a number each.
        sqlite: Option<String>,
        /// Address of a PostgreSQL database, `postgres://…`, asked from where Baton
        /// runs; `ratio` are two statements that give a number each.
        postgres: Option<String>,
        /// A command on each host whose last line is two numbers: bad ones, and all.
        command: Option<String>,
        /// A command on each host whose last line is one number of which higher is worse.
        level: Option<String>,
    }

    /// What Baton asks itself, on each host.
    #[schemars(rename = "Probe")]
    pub(in crate::handoff) struct ProbeForm {
        /// The URL, with `$HOST` and variables.
        url: String,
        /// How often.
        every: Duration,
    }
}

/// A limit: of a share in percent, of a level also a plain number.
#[derive(Clone, Copy)]
pub(in crate::handoff) enum Limit {
    Share(f64),
    Number(f64),
}

impl Limit {
    fn number(self) -> f64 {
        match self {
            Self::Share(number) | Self::Number(number) => number,
        }
    }
}

impl Read for Limit {
    fn read<'t>(node: &'t Node, reader: &mut Reader<'t>) -> Option<Self> {
        reader.parsed(node, "a share such as `1%` or `0.5%`", |text| {
            let number = text.parse::<f64>().ok();
            match number.filter(|number| number.is_finite() && *number >= 0.0) {
                Some(number) => Ok(Self::Number(number)),
                None => percent(text).map(Self::Share),
            }
        })
    }
}

impl MeasureForm {
    /// The one source that is written, or a note.
    fn source(&mut self, node: &Node, reader: &mut Reader<'_>) -> Option<Source> {
        let histogram = self.histogram.take().map(|buckets| buckets.value);
        let asked = (self.ratio.take(), histogram);
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

const NO_RATIO: Wrong = (
    "contract.missing-key",
    "has a `from`, but no `ratio` says what is asked",
    "add `ratio: { bad: …, total: … }`",
);
const TOO_MUCH: Wrong = (
    "contract.value",
    "asks something that its `from` does not answer",
    "a `histogram` needs `from: { prometheus: URL }` and no `ratio`; a `command` prints its two numbers itself, a `level` its one",
);
const NOT_ONE: Wrong = (
    "contract.value",
    "needs one place in its `from`",
    "write one of `prometheus`, `log`, `output`, `sqlite`, `postgres`, `command` and `level`",
);

impl FromForm {
    /// The one source that is named, with the questions it needs and no others.
    fn counts(self, ratio: Option<RatioForm>, histogram: Option<String>) -> Result<Source, Wrong> {
        let Self {
            prometheus,
            log,
            output,
            sqlite,
            postgres,
            command,
            level,
        } = self;
        let places = [
            &prometheus,
            &log,
            &output,
            &sqlite,
            &postgres,
            &command,
            &level,
        ];
        if places.iter().filter(|place| place.is_some()).count() != 1 {
            return Err(NOT_ONE);
        }
        if histogram.is_some() && (prometheus.is_none() || ratio.is_some()) {
            return Err(TOO_MUCH);
        }
        if ratio.is_some() && (command.is_some() || level.is_some()) {
            return Err(TOO_MUCH);
        }
        if let (Some(server), Some(buckets)) = (&prometheus, histogram) {
            let server = server.clone();
            return Ok(Source::Histogram { server, buckets });
        }
        if let Some(run) = level {
            return Ok(Source::Level(run));
        }
        if let Some(run) = command {
            return Ok(Source::Counter(Counter::Command(run)));
        }
        let asked = ratio.map(|RatioForm { bad, total }| (bad.value, total.value));
        let lines = |asked: Option<(String, String)>| {
            asked.map_or_else(Lines::default, |(bad, total)| Lines { bad, total })
        };
        if let Some(path) = log {
            let lines = lines(asked);
            return Ok(Source::Counter(Counter::Log { path, lines }));
        }
        if let Some(run) = output {
            let lines = lines(asked);
            return Ok(Source::Counter(Counter::Output { run, lines }));
        }
        let (bad, total) = asked.ok_or(NO_RATIO)?;
        match (prometheus, sqlite, postgres) {
            (Some(server), ..) => Ok(Source::Prometheus { server, bad, total }),
            (_, Some(path), _) => Ok(Source::Counter(Counter::Sqlite { path, bad, total })),
            (_, _, Some(url)) => Ok(Source::Postgres { url, bad, total }),
            _ => Err(NOT_ONE),
        }
    }
}

impl Read for Measure {
    fn read<'t>(node: &'t Node, reader: &mut Reader<'t>) -> Option<Self> {
        let mut form = MeasureForm::read(node, reader)?;
        questions(form.ratio.as_ref(), form.from.as_ref(), reader)?;
        queries(&form, reader)?;
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
        if let Some(limit) = &form.at_most {
            limited(limit, form.quantile, &source, reader)?;
        }
        if let Some(worse_by) = &form.worse_by {
            compared(worse_by, form.quantile, &source, reader)?;
        }
        Some(Self {
            id: form.id,
            says: form.says,
            owner: form.owner,
            backup: form.backup,
            source,
            quantile: form.quantile,
            at_most: form.at_most.map(|limit| limit.value.number()),
            worse_by: form.worse_by.map(|share| share.value),
        })
    }
}

/// Notes a wrong value of one key.
fn wrong<T>(
    reader: &mut Reader<'_>,
    key: &'static str,
    span: Option<Span>,
    trouble: impl std::fmt::Display,
    next: impl Into<String>,
) -> Option<T> {
    let span = span?;
    reader.inside(key, |reader| reader.bad_value(span, trouble, next))
}

/// `None` where two questions make no sense.
fn questions(
    ratio: Option<&RatioForm>,
    from: Option<&FromForm>,
    reader: &mut Reader<'_>,
) -> Option<()> {
    let Some(RatioForm { bad, total }) = ratio else {
        return Some(());
    };
    if bad.value == total.value {
        let trouble = "`bad` and `total` are the same, so everything would be bad";
        return wrong(reader, "ratio", bad.span, trouble, "let `total` count all");
    }
    if from.is_some_and(|from| from.log.is_some() || from.output.is_some()) {
        for pattern in [bad, total] {
            if let Some(word) = no_level(&pattern.value) {
                let trouble = format!("`{}` is no level", brief(word));
                let next = "write `level:` and one of trace, debug, info, warn, error and fatal";
                return wrong(reader, "ratio", pattern.span, trouble, next);
            }
        }
    }
    Some(())
}

/// `None` where nobody could tell what a query of Prometheus counts: the value of an
/// expression that covers no step would be added up again with each reading.
fn queries(form: &MeasureForm, reader: &mut Reader<'_>) -> Option<()> {
    if form
        .from
        .as_ref()
        .is_none_or(|from| from.prometheus.is_none())
    {
        return Some(());
    }
    let ratio = form.ratio.iter();
    let ratio = ratio.flat_map(|ratio| [("ratio", &ratio.bad), ("ratio", &ratio.total)]);
    let histogram = form.histogram.iter().map(|buckets| ("histogram", buckets));
    for (key, query) in ratio.chain(histogram) {
        if !is_told(&query.value) {
            let trouble = "it is no plain selector, and no `$step` in it says what it covers";
            let next = "write a selector as `x_total{job=\"shop\"}`, or `sum(increase(x_total[$step]))`; another expression covers `[$step]`";
            return wrong(reader, key, query.span, trouble, next);
        }
    }
    Some(())
}

/// `None` where a limit means nothing with this source.
fn limited(
    written: &At<Limit>,
    quantile: Option<Quantile>,
    source: &Source,
    reader: &mut Reader<'_>,
) -> Option<()> {
    let (trouble, next) = match (written.value, quantile, source) {
        (_, Some(Quantile { q, .. }), _) => (
            format!(
                "the `quantile` is a limit already: {} may be slower",
                percentage(1.0 - q)
            ),
            "leave `at_most` out, or write another quantile: `p99` lets 1% be slower",
        ),
        (_, None, Source::Level(_)) => return Some(()),
        (Limit::Number(number), ..) => (
            format!("cannot read `{number}` as a share"),
            "write a number from 0 to 100 and `%`, as in `1%` or `0.5%`",
        ),
        (Limit::Share(share), ..) if share >= 1.0 => (
            "no share is ever above 100%".to_owned(),
            "write a smaller one, such as `1%`",
        ),
        (Limit::Share(_), ..) => return Some(()),
    };
    wrong(reader, "at_most", written.span, trouble, next)
}

/// `None` where nobody could ever see how much worse it is.
fn compared(
    written: &At<f64>,
    quantile: Option<Quantile>,
    source: &Source,
    reader: &mut Reader<'_>,
) -> Option<()> {
    let of_control = quantile.is_some() || matches!(source, Source::Level(_));
    if written.value >= 1.0 && !of_control {
        let trouble = "no share is a hundred points above another";
        let next = "write a smaller one, such as `0.5%`";
        return wrong(reader, "worse_by", written.span, trouble, next);
    }
    let texts = match source {
        Source::Probe { url, .. } => vec![url],
        Source::Postgres { url, bad, total } => vec![url, bad, total],
        _ => return Some(()),
    };
    if texts.iter().any(|text| text.contains('$')) {
        return Some(());
    }
    let trouble = "every host is asked the same, so there is nothing to compare with";
    let next = "name `$HOST` or a variable of the host in what is asked, or write `at_most`";
    wrong(reader, "worse_by", written.span, trouble, next)
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
