//! The only place that prints.
//!
//! Answers go to standard output, progress and trouble to standard error. State
//! is always a mark and a word; colour only underlines it, and only on a
//! terminal that wants it. Text that comes from files, hosts or people is
//! stripped of control characters before it is shown.

pub(crate) mod marks;

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write};

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use anstyle::{AnsiColor, Style};
use baton_core::diag::{Note, Severity, misleads};
use unicode_width::UnicodeWidthStr as _;

use crate::args::{Format, Global};
use crate::env_vars;
use baton_engine::desk::Sources;
use baton_engine::failure::{Failure, Kind};

/// The widest a line gets, in columns.
const WIDTH_MOST: usize = 100;
/// The narrowest that is still laid out.
const WIDTH_LEAST: usize = 40;

/// The narrowest that a column becomes.
const COLUMN_LEAST: usize = 8;
/// The narrowest that the last column becomes.
const LAST_LEAST: usize = 20;

/// What a piece of text is, and so how it looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    /// As it is.
    Plain,
    /// A heading, or a name that matters.
    Strong,
    /// Beside the point.
    Quiet,
    /// The one accent: what to do next.
    Accent,
    /// All is well.
    Good,
    /// It is not.
    Bad,
    /// Worth a look.
    Warn,
}

impl Tone {
    fn style(self) -> Style {
        let colour = |colour: AnsiColor| Style::new().fg_color(Some(colour.into()));
        match self {
            Self::Plain => Style::new(),
            Self::Strong => Style::new().bold(),
            Self::Quiet => Style::new().dimmed(),
            Self::Accent => colour(AnsiColor::Cyan),
            Self::Good => colour(AnsiColor::Green),
            Self::Bad => colour(AnsiColor::Red),
            Self::Warn => colour(AnsiColor::Yellow),
        }
    }
}

/// A state: its mark, its word and its tone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    /// One column.
    pub(crate) sign: &'static str,
    /// The word.
    pub(crate) word: &'static str,
    /// The tone.
    pub(crate) tone: Tone,
}

/// Where answers and trouble go.
#[derive(Clone, Debug)]
pub(crate) struct Out {
    colour: bool,
    colour_err: bool,
    /// The usable width in columns.
    pub(crate) width: usize,
    /// How to answer.
    pub(crate) format: Format,
    /// Whether answers are for programs.
    pub(crate) json: bool,
    /// The lines of a page that is not shown yet.
    page: Option<RefCell<String>>,
    /// Whether it stands beside the answer, on standard error.
    beside: bool,
}

impl Out {
    /// Looks once at what standard output and error are.
    pub(crate) fn new(global: &Global) -> Self {
        let wanted = std::env::var_os(env_vars::NO_COLOR).is_none_or(|value| value.is_empty());
        let asked = io::stdout()
            .is_terminal()
            .then(|| rustix::termios::tcgetwinsize(io::stdout()).ok())
            .flatten()
            .map(|size| usize::from(size.ws_col));
        let said = std::env::var(env_vars::COLUMNS)
            .ok()
            .and_then(|text| text.parse().ok());
        let width = asked
            .or(said)
            .filter(|width| *width > 0)
            .unwrap_or(WIDTH_MOST);
        let forced = std::env::var_os(env_vars::CLICOLOR_FORCE).is_some_and(|value| value != "0");
        Self {
            colour: wanted && (forced || io::stdout().is_terminal()),
            colour_err: wanted && (forced || io::stderr().is_terminal()),
            width: width.clamp(WIDTH_LEAST, WIDTH_MOST),
            format: global.format,
            json: global.format == Format::Json,
            page: None,
            beside: false,
        }
    }

    /// Where to tell a story whose end is the answer: people read it as a part
    /// of the answer, for programs it stands beside it, on standard error.
    pub(crate) fn story(&self) -> Self {
        Self {
            colour: if self.json {
                self.colour_err
            } else {
                self.colour
            },
            beside: self.json,
            ..self.clone()
        }
    }

    /// An answer of many lines, written at once when it is whole; a line outside
    /// a page is written when it is said.
    pub(crate) fn page(&self, says: impl FnOnce(&Self)) {
        let page = Self {
            page: Some(RefCell::default()),
            ..self.clone()
        };
        says(&page);
        let text = page.page.unwrap_or_default().into_inner();
        let _gone = io::stdout().write_all(text.as_bytes());
    }

    /// A piece of text in its tone, for an answer.
    pub(crate) fn paint(&self, text: impl AsRef<str>, tone: Tone) -> String {
        paint(self.colour, &clean(text.as_ref()), tone)
    }

    /// A line of the answer. What it is made of went through [`Out::paint`] or is ours.
    pub(crate) fn line(&self, line: impl AsRef<str>) {
        let line = line.as_ref();
        if let Some(page) = &self.page {
            let mut page = page.borrow_mut();
            page.push_str(line);
            page.push('\n');
            return;
        }
        // A reader who went away wants no more.
        let _gone = if self.beside {
            writeln!(io::stderr(), "{line}")
        } else {
            writeln!(io::stdout(), "{line}")
        };
    }

    /// Whether answers are coloured.
    pub(crate) fn colours(&self) -> bool {
        self.colour
    }

    /// A line that another Baton rendered, as it is.
    pub(crate) fn raw(&self, line: &str) {
        self.line(line);
    }

    /// Text of the answer, wrapped and indented.
    pub(crate) fn text(&self, text: &str, indent: usize, tone: Tone) {
        for line in wrap(&clean(text), self.width.saturating_sub(indent)) {
            self.line(format!(
                "{}{}",
                " ".repeat(indent),
                paint(self.colour, &line, tone)
            ));
        }
    }

    /// An item of a list, wrapped.
    pub(crate) fn item(&self, text: &str) {
        for (n, line) in wrap(&clean(text), self.width.saturating_sub(2))
            .into_iter()
            .enumerate()
        {
            self.line(format!("{}{line}", if n == 0 { "- " } else { "  " }));
        }
    }

    /// Where the bytes of an answer go that is a file of its own.
    pub(crate) fn bytes(&self) -> impl Write + use<> {
        io::stdout().lock()
    }

    /// An empty line.
    pub(crate) fn gap(&self) {
        self.line("");
    }

    /// Begins a new screen, on a terminal; whether there is one.
    pub(crate) fn clear_screen(&self) -> bool {
        let terminal = io::stdout().is_terminal() && !self.json;
        if terminal {
            // ECMA-48: cursor to the first place, then erase to the end.
            let _gone = write!(io::stdout(), "\u{1b}[H\u{1b}[J");
        }
        terminal
    }

    /// A text with lines of its own, such as Markdown, as it is.
    pub(crate) fn document(&self, text: &str) {
        text.lines().for_each(|line| self.line(clean(line)));
    }

    /// A heading with an empty line before it.
    pub(crate) fn heading(&self, text: &str) {
        self.gap();
        self.text(text, 0, Tone::Strong);
    }

    /// What was asked about, and the answer; on one line where it fits.
    pub(crate) fn verdict(&self, what: &str, answer: &str, tone: Tone) {
        if what.width() + 2 + answer.width() <= self.width {
            let (what, answer) = (self.paint(what, Tone::Strong), self.paint(answer, tone));
            self.line(format!("{what}: {answer}"));
        } else {
            self.text(&format!("{what}:"), 0, Tone::Strong);
            self.text(answer, 2, tone);
        }
    }

    /// The last line: what to do next.
    pub(crate) fn next(&self, what: &str) {
        self.gap();
        let lines = wrap(&clean(what), self.width.saturating_sub(6));
        for (n, line) in lines.iter().enumerate() {
            let label = if n == 0 { "next:" } else { "     " };
            self.line(format!(
                "{} {}",
                paint(self.colour, label, Tone::Quiet),
                paint(self.colour, line, Tone::Accent)
            ));
        }
    }

    /// A table: columns as wide as their widest cell, or where the window is too
    /// narrow for that as wide as it allows. The last cell of a row takes what is
    /// left and counts for no width, so a row of one cell is a heading.
    pub(crate) fn table(&self, indent: usize, rows: &[Vec<Cell>]) {
        let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
        let mut widths = vec![0; columns];
        let mut last = 0;
        for row in rows {
            let Some((end, padded)) = row.split_last() else {
                continue;
            };
            for (i, cell) in padded.iter().enumerate() {
                widths[i] = widths[i].max(cell.text.width());
            }
            if !padded.is_empty() {
                last = last.max(end.text.width().min(LAST_LEAST));
            }
        }
        let gaps = 2 * columns.saturating_sub(1);
        while indent + widths.iter().sum::<usize>() + gaps + last > self.width {
            match widths.iter_mut().max() {
                Some(widest) if *widest > COLUMN_LEAST => *widest -= 1,
                _ => break,
            }
        }
        for row in rows {
            self.row(indent, row, &widths);
        }
    }

    fn row(&self, indent: usize, row: &[Cell], widths: &[usize]) {
        let padded = row.len().saturating_sub(1);
        let before = indent
            + widths
                .iter()
                .take(padded)
                .map(|width| width + 2)
                .sum::<usize>();
        let room = self.width.saturating_sub(before).max(LAST_LEAST);
        let parts: Vec<Vec<String>> = row
            .iter()
            .enumerate()
            .map(|(i, cell)| wrap(&cell.text, if i < padded { widths[i] } else { room }))
            .collect();
        let lines = parts.iter().map(Vec::len).max().unwrap_or(1);
        for n in 0..lines {
            let mut line = " ".repeat(indent);
            for (i, cell) in row.iter().enumerate() {
                let part = parts[i].get(n).map_or("", String::as_str);
                line.push_str(&paint(self.colour, part, cell.tone));
                if i < padded {
                    let pad = widths[i].saturating_sub(part.width()) + 2;
                    line.push_str(&" ".repeat(pad));
                }
            }
            self.line(line.trim_end());
        }
    }

    /// A line of the feed: when, and what.
    pub(crate) fn feed(&self, at: &str, says: &str, tone: Tone) {
        let says = clean(says);
        for (n, line) in wrap(&says, self.width.saturating_sub(10))
            .into_iter()
            .enumerate()
        {
            let at = if n == 0 { at } else { "" };
            let at = paint(self.colour, &format!("{at:<8}"), Tone::Quiet);
            self.line(format!("{at}  {}", paint(self.colour, &line, tone)));
        }
    }

    /// An answer for programs.
    pub(crate) fn json(&self, value: &serde_json::Value) {
        self.line(serde_json::to_string_pretty(value).unwrap_or_default());
    }

    /// Progress, on standard error.
    pub(crate) fn progress(&self, text: &str) {
        let _gone = writeln!(
            io::stderr(),
            "{}",
            paint(self.colour_err, &clean(text), Tone::Quiet)
        );
    }

    /// Notes about files, each with its place, a caret and a hint.
    pub(crate) fn notes(&self, notes: &[Note], sources: &Sources) {
        for note in notes {
            let shown = snippet(note, sources, self.colour_err, self.width);
            let _gone = writeln!(io::stderr(), "{shown}\n");
        }
    }

    /// Something that went wrong, on standard error.
    pub(crate) fn failure(&self, failure: &Failure) {
        let label = match failure.kind {
            Kind::Refused => "not now",
            Kind::Bug => "a bug of ours",
            _ => "error",
        };
        let mut message = failure.message.clone();
        for cause in &failure.causes {
            let _written = write!(message, ": {cause}");
        }
        self.trouble(label, Tone::Bad, &message);
        for hint in &failure.hints {
            self.trouble("hint", Tone::Quiet, hint);
        }
    }

    /// A labelled line on standard error, wrapped.
    fn trouble(&self, label: &str, tone: Tone, says: &str) {
        let whole = format!("{label}: {}", clean(says));
        for (n, line) in wrap(&whole, self.width).into_iter().enumerate() {
            let labelled = line.strip_prefix(label).filter(|_| n == 0);
            let _gone = match labelled {
                Some(rest) => {
                    let label = paint(self.colour_err, label, tone);
                    writeln!(io::stderr(), "{label}{rest}")
                }
                None => writeln!(io::stderr(), "{line}"),
            };
        }
    }
}

/// A cell of a table.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    text: String,
    tone: Tone,
}

/// A plain cell.
pub(crate) fn cell(text: impl AsRef<str>) -> Cell {
    toned(text, Tone::Plain)
}

/// A cell in a tone.
pub(crate) fn toned(text: impl AsRef<str>, tone: Tone) -> Cell {
    Cell {
        text: clean(text.as_ref()).into_owned(),
        tone,
    }
}

/// A cell with a mark and its word.
pub(crate) fn marked(mark: Mark) -> Cell {
    toned(format!("{} {}", mark.sign, mark.word), mark.tone)
}

fn paint(colour: bool, text: &str, tone: Tone) -> String {
    if !colour || tone == Tone::Plain || text.is_empty() {
        return text.to_owned();
    }
    let style = tone.style();
    format!("{style}{text}{style:#}")
}

/// Text without control characters (but for line ends) and without marks that
/// turn the direction of writing, so that no file, host or person can draw on
/// somebody's terminal.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    let bad = |c: char| c != '\n' && misleads(c);
    if text.contains(bad) {
        Cow::Owned(
            text.chars()
                .map(|c| {
                    if c == '\t' {
                        ' '
                    } else if bad(c) {
                        '�'
                    } else {
                        c
                    }
                })
                .collect(),
        )
    } else {
        Cow::Borrowed(text)
    }
}

/// Lines of at most `width` columns, broken between words.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.split('\n') {
        let mut line = String::new();
        let mut filled = 0;
        for word in paragraph.split(' ') {
            let wide = word.width();
            if !line.is_empty() && filled + 1 + wide > width {
                lines.push(std::mem::take(&mut line));
                filled = 0;
            }
            if !line.is_empty() {
                line.push(' ');
                filled += 1;
            }
            line.push_str(word);
            filled += wide;
        }
        lines.push(line);
    }
    lines
}

fn snippet(note: &Note, sources: &Sources, colour: bool, width: usize) -> String {
    let level = match note.severity {
        Severity::Error | Severity::Unknown => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let says = clean(&note.says);
    let title = level.primary_title(says.as_ref()).id(note.code.0);
    let hint = note.next.as_deref().map(clean);
    let mut group = Group::with_title(title);
    if let Some(span) = note.span {
        let (name, text) = sources.of(span.file);
        let range = span.bytes_in(text);
        group = group.element(
            Snippet::source(text.as_str())
                .path(name.as_str())
                .annotation(AnnotationKind::Primary.span(range)),
        );
    }
    if let Some(hint) = &hint {
        group = group.element(Level::HELP.message(hint.as_ref()));
    }
    let renderer = if colour {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    renderer.term_width(width).render(&[group]).to_string()
}

/// How many bars a sparkline has, the latest ones.
const BARS_SHOWN: usize = 40;

/// The latest shares as bars; the highest is the largest of them, and a look
/// that saw nothing is a gap.
pub(crate) fn spark(shares: &[Option<f64>]) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let shown = &shares[shares.len().saturating_sub(BARS_SHOWN)..];
    let most = shown.iter().flatten().copied().fold(0.0, f64::max);
    let bar = |share: f64| {
        let mut bar = 0;
        // The lowest bar is nothing at all; each other one stands for a seventh.
        while bar + 1 < BARS.len() && share > 0.0 && share * 7.0 > most * bar as f64 {
            bar += 1;
        }
        BARS[bar]
    };
    shown.iter().map(|share| share.map_or(' ', bar)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_outside_draws_on_a_terminal() {
        assert_eq!(clean("a\u{1b}[31mb\u{202e}c\td"), "a�[31mb�c d");
        assert_eq!(clean("plain\ntext"), "plain\ntext");
    }

    #[test]
    fn text_wraps_between_words_and_keeps_long_ones_whole() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("a_very_long_word b", 5), ["a_very_long_word", "b"]);
        assert_eq!(wrap("", 5), [""]);
    }

    #[test]
    fn bars_rise_to_the_largest_share() {
        assert_eq!(spark(&[]), "");
        assert_eq!(spark(&[Some(0.0), None, Some(0.0)]), "▁ ▁");
        assert_eq!(
            spark(&[Some(0.0), Some(0.01), Some(0.5), Some(1.0)]),
            "▁▂▅█"
        );
        let many = vec![Some(0.0); BARS_SHOWN + 5];
        assert_eq!(spark(&many).chars().count(), BARS_SHOWN);
    }
}
