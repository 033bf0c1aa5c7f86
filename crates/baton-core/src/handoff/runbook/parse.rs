//! From blocks to steps: the grammar of `docs/book/runbook.md`.
//!
//! Every mistake is reported, not only the first. Whether names mean anything
//! is for the plan to say.

use std::collections::BTreeMap;
use std::ops::Range;

use super::blocks::{Block, Fenced, Heading, Inside, Item, blocks};
use super::fence::{Role, is_closed, opening, opens_with_role};
use super::slug::{ID_BYTES_MAX, cut_id, is_id, slug};
use super::source::{Problems, Source};
use super::sweep::sweep;
use super::{DEFAULT_TIMEOUT, Fence, Runbook, Step, attributes};
use crate::diag::{Note, reorders};
use crate::handoff::contract::At;
use crate::id::StepId;

/// Most steps of a runbook: no launch has as many, and notes about each of
/// them must still fit a screen's memory.
pub const MAX_STEPS: usize = 10_000;

/// Reads a runbook; a byte order mark and CRLF are accepted.
///
/// The runbook is `None` when any note is an error of the file itself. Notes
/// with a gate's code (`runbook.no-undo`, `ownership.unowned`,
/// `ownership.no-backup`) and warnings leave it usable. Notes stand in the
/// order of the file and each has a span and a hint.
pub fn parse(bytes: &[u8]) -> (Option<Runbook>, Vec<Note>) {
    let source = match Source::open(bytes) {
        Ok(source) => source,
        Err(note) => return (None, vec![*note]),
    };
    let mut problems = Problems::new(&source);
    characters(&source, &mut problems);
    let blocks = blocks(source.text);
    let mut reader = Reader::new(&source, problems);
    for block in &blocks {
        match block {
            Block::Heading(heading) => reader.heading(heading),
            Block::Fence(fence) => reader.fence(fence),
            Block::List(_, items) => reader.list(items),
            Block::Html(_) => {}
        }
    }
    let (runbook, mut problems) = reader.finish();
    sweep(&source, &blocks, &mut problems);
    let usable = problems.errors() == 0;
    (usable.then_some(runbook), problems.finish())
}

/// Characters that scripts and line numbers cannot bear, and those by which
/// somebody would read another text than the one that runs.
fn characters(source: &Source<'_>, problems: &mut Problems<'_, '_>) {
    let bytes = source.text.as_bytes();
    let strange = |c: char| reorders(c) || (c.is_control() && !matches!(c, '\t' | '\n' | '\r'));
    for (at, c) in source.text.char_indices().filter(|(_, c)| strange(*c)) {
        problems.error(
            "runbook.syntax",
            &(at..at + c.len_utf8()),
            format!(
                "the runbook holds the character U+{:04X}, which nobody sees",
                u32::from(c)
            ),
            "take it out: what people read must be what runs",
        );
    }
    let lone = |at: &usize| bytes[*at] == b'\r' && bytes.get(at + 1) != Some(&b'\n');
    if let Some(at) = (0..bytes.len()).find(lone) {
        problems.error(
            "runbook.syntax",
            &(at..at + 1),
            "the runbook holds a carriage return that ends no line",
            "save the file with LF or CRLF as its line ends",
        );
    }
}

/// What has been read so far.
struct Reader<'s, 'a> {
    source: &'s Source<'a>,
    problems: Problems<'s, 'a>,
    runbook: Runbook,
    phase: Option<String>,
    /// Ids of steps, each with the line of its heading.
    ids: BTreeMap<String, u32>,
    /// Whether the last step is still open, and what it already has.
    step: Option<Parts>,
}

/// What an open step already has.
struct Parts {
    list: bool,
    example: bool,
    /// Errors that were found before it began.
    errors: usize,
}

impl<'s, 'a> Reader<'s, 'a> {
    fn new(source: &'s Source<'a>, problems: Problems<'s, 'a>) -> Self {
        Self {
            source,
            problems,
            runbook: Runbook {
                title: None,
                steps: Vec::new(),
            },
            phase: None,
            ids: BTreeMap::new(),
            step: None,
        }
    }

    fn heading(&mut self, heading: &Heading) {
        let written = self
            .source
            .text
            .get(heading.range.clone())
            .unwrap_or_default();
        let mut wrong = |says: &str, hint: &str| {
            self.problems
                .error("runbook.heading", &heading.range, says, hint);
        };
        match heading.inside {
            // A quote is prose on purpose; a list swallows a step by two spaces.
            Inside::Quote => return,
            Inside::List if heading.level <= 3 => {
                wrong(
                    "a heading stands inside a list, so it begins no phase and no step",
                    "begin it at the start of its line, with an empty line before it",
                );
                return;
            }
            Inside::List | Inside::Nothing => {}
        }
        if !written.starts_with('#') {
            wrong(
                "a line of `-` or `=` turns the text above it into a heading",
                "write headings with `#`, `##` and `###`; for a rule, put an empty line before it",
            );
            return;
        }
        if heading.level <= 3 && heading.title.trim().is_empty() {
            wrong("the heading is empty", "say what it is about");
        }
        match heading.level {
            1 if self.runbook.title.is_some() => wrong(
                "the runbook has a second title",
                "use `##` for phases and `###` for steps",
            ),
            1 => {
                self.runbook.title = Some(heading.title.trim().to_owned());
                self.close();
            }
            2 => {
                self.phase = Some(heading.title.trim().to_owned());
                self.close();
            }
            3 => {
                self.close();
                self.begin(heading, written);
            }
            _ => {}
        }
    }

    /// Begins a step.
    fn begin(&mut self, heading: &Heading, written: &str) {
        let errors = self.problems.errors();
        let count = self.runbook.steps.len();
        if count == MAX_STEPS {
            self.problems.error(
                "runbook.syntax",
                &heading.range,
                format!("the runbook has more than {MAX_STEPS} steps"),
                "split it into several handoffs",
            );
        }
        if count >= MAX_STEPS {
            return;
        }
        let line = self.source.line_number(heading.range.start);
        let (title, id, range) = self.named(heading, written);
        if let Some(first) = self.ids.get(&id).filter(|_| !id.is_empty()) {
            self.problems.error(
                "runbook.duplicate-id",
                &range,
                format!("two steps have the id `{id}`: lines {first} and {line}"),
                format!("give one of them an id of its own, as in `### {title} {{#{id}-again}}`"),
            );
        } else {
            self.ids.insert(id.clone(), line);
        }
        self.runbook.steps.push(Step {
            id: At::new(StepId::new(id), self.source.span(&range)),
            title,
            phase: self.phase.clone(),
            line,
            owner: None,
            backup: None,
            after: None,
            on: None,
            expect: None,
            timeout: DEFAULT_TIMEOUT,
            retry: None,
            at: None,
            when: None,
            secrets: Vec::new(),
            changes: true,
            no_way_back: None,
            safe_to_repeat: false,
            only_in: None,
            approve: None,
            watch: None,
            run: None,
            verify: None,
            undo: None,
            preflight: None,
            tasks: Vec::new(),
        });
        self.step = Some(Parts {
            list: false,
            example: false,
            errors,
        });
    }

    /// A step's title, its id, and where the id stands.
    fn named(&mut self, heading: &Heading, written: &str) -> (String, String, Range<usize>) {
        let start = heading.range.start;
        // CommonMark lets a heading end in any number of `#`.
        let bare = written.trim_end_matches('#');
        let bare = if bare.ends_with([' ', '\t']) {
            bare
        } else {
            written
        };
        let Some((before, id)) = cut_id(bare) else {
            let title = heading.title.trim();
            let id = slug(title);
            if !is_id(&id) && !title.is_empty() {
                self.problems.error(
                    "runbook.heading",
                    &heading.range,
                    format!("the title `{title}` makes no id"),
                    "write one behind it, as in `{#check}`",
                );
            }
            self.bound_id(&id, &heading.range);
            let text = written.trim_start_matches('#');
            let text_start = start + written.len() - text.trim_start().len();
            return (title.to_owned(), id, text_start..heading.range.end);
        };
        let title = cut_id(&heading.title).map_or(heading.title.as_str(), |(title, _)| title);
        let id_start = start + before.len() + bare[before.len()..].find("{#").unwrap_or(0) + 2;
        let range = id_start..(id_start + id.len()).min(heading.range.end);
        if !is_id(id) {
            self.problems.error(
                "runbook.heading",
                &range,
                format!("`{{#{id}}}` is no id of a step"),
                "an id has letters, digits, `-`, `_` and `.`, and is not `nothing`",
            );
        }
        self.bound_id(id, &range);
        (title.trim().to_owned(), id.to_owned(), range)
    }

    /// An id goes into variables, file names and commands that people type.
    fn bound_id(&mut self, id: &str, range: &Range<usize>) {
        if id.len() > ID_BYTES_MAX {
            let begins: String = id.chars().take(40).collect();
            self.problems.error(
                "runbook.heading",
                range,
                format!(
                    "the id `{begins}…` has {} bytes, and {ID_BYTES_MAX} are the most",
                    id.len()
                ),
                "write a short one behind the title, as in `{#short}`",
            );
        }
    }

    fn list(&mut self, items: &[Item]) {
        if let (Some(parts), Some(step)) = (&mut self.step, self.runbook.steps.last_mut()) {
            let first = !std::mem::replace(&mut parts.list, true);
            attributes::read_list(step, items, first, self.source, &mut self.problems);
        }
    }

    fn fence(&mut self, fence: &Fenced) {
        let open = self.opening_line(fence);
        let mut wrong = |says: String, hint: &str| {
            self.problems.error("runbook.fence", &open, says, hint);
        };
        let written = self
            .source
            .text
            .get(fence.range.clone())
            .unwrap_or_default();
        let info = fence.info.trim();
        let has_role = opens_with_role(&format!("```{info}")).is_some();
        match fence.inside {
            Inside::Nothing => {}
            Inside::Quote if !has_role => return,
            Inside::List if !has_role && self.step.is_none() => return,
            Inside::List | Inside::Quote => {
                let place = if fence.inside == Inside::List {
                    "list"
                } else {
                    "quote"
                };
                let what = if info.is_empty() { "a fence" } else { info };
                wrong(
                    format!("`{what}` stands inside a {place}, where it would not be run"),
                    "begin the fence at the start of its line, with its role; indent code that is only read by four spaces",
                );
                return;
            }
        }
        if !is_closed(written) {
            wrong(
                format!("the fence `{info}` is never closed"),
                "close it with a line of the same characters, at least as many",
            );
        }
        if self.step.is_none() {
            if has_role && opening(info).is_ok_and(|(_, role)| role != Role::Example) {
                wrong(
                    format!("the fence `{info}` belongs to no step"),
                    "put it below the `###` heading of its step",
                );
            }
            return;
        }
        match opening(&fence.info) {
            Ok((lang, role)) => self.script(fence, lang, role, &open),
            Err((says, hint)) => wrong(says, &hint),
        }
    }

    /// Gives the open step a fence that was read.
    fn script(&mut self, fence: &Fenced, lang: &str, role: Role, open: &Range<usize>) {
        let word = role.word();
        if fence.body.trim().is_empty() {
            self.problems.error(
                "runbook.fence",
                open,
                format!("the fence `{lang} {word}` is empty"),
                "say what is to be done, or leave the fence out",
            );
        }
        let (Some(parts), Some(step)) = (&mut self.step, self.runbook.steps.last_mut()) else {
            return;
        };
        let read = Fence {
            lang: lang.to_owned(),
            body: fence.body.clone(),
            line: self.source.line_number(fence.range.start),
        };
        let twice = match role {
            Role::Run => step.run.replace(read).is_some(),
            Role::Verify => step.verify.replace(read).is_some(),
            Role::Undo => step.undo.replace(read).is_some(),
            Role::Preflight => step.preflight.replace(read).is_some(),
            Role::Example => std::mem::replace(&mut parts.example, true),
        };
        if twice {
            self.problems.error(
                "runbook.fence",
                open,
                format!("the step `{}` has a second `{word}`", step.id.value),
                "a step has one fence of each role: put both into one, or make two steps",
            );
        }
    }

    /// Ends the open step. One that could not be read says nothing for the
    /// gate: a misspelt `owner` is not a missing one.
    fn close(&mut self) {
        if let (Some(parts), Some(step)) = (self.step.take(), self.runbook.steps.last())
            && parts.errors == self.problems.errors()
            && !step.id.value.is_empty()
        {
            gate_notes(step)
                .into_iter()
                .for_each(|note| self.problems.note(note));
        }
    }

    /// The line that opens a fence.
    fn opening_line(&self, fence: &Fenced) -> Range<usize> {
        let rest = self
            .source
            .text
            .get(fence.range.clone())
            .unwrap_or_default();
        let length = rest.lines().next().map_or(0, str::len);
        fence.range.start..fence.range.start + length
    }

    fn finish(mut self) -> (Runbook, Problems<'s, 'a>) {
        if self.runbook.steps.is_empty() {
            self.problems.error(
                "runbook.syntax",
                &(0..0),
                "the runbook has no step",
                "a step is a heading with three `#`: `### Install the new version`",
            );
        }
        self.close();
        (self.runbook, self.problems)
    }
}

/// What a step leaves open for the gate, and what it says against itself.
fn gate_notes(step: &Step) -> Vec<Note> {
    let id = &step.id.value;
    let mut notes = Vec::new();
    match (&step.owner, &step.backup) {
        (None, _) => notes.push(
            Note::error("ownership.unowned", format!("`{id}` has no owner"))
                .next("write `- owner: NAME (backup: NAME)` below its heading"),
        ),
        (Some(owner), None) => notes.push(
            Note::error(
                "ownership.no-backup",
                format!("`{id}` has no backup for {}", owner.value),
            )
            .next(format!("write `- owner: {} (backup: NAME)`", owner.value)),
        ),
        (Some(_), Some(_)) => {}
    }
    let against = |says: &str| {
        Note::warning("runbook.attribute", format!("`{id}` {says}")).next("leave one of them out")
    };
    match (step.changes, &step.undo, &step.no_way_back) {
        (true, None, None) => notes.push(
            Note::error(
                "runbook.no-undo",
                format!(
                    "`{id}` changes something and has no undo, nor says why there is no way back"
                ),
            )
            .next("add a fence `sh undo`, or say `no way back: REASON` or `changes: nothing`"),
        ),
        (_, Some(_), Some(_)) => {
            notes.push(against("has an undo and says that there is no way back"));
        }
        (false, _, Some(_)) => {
            notes.push(against(
                "changes nothing and says that there is no way back",
            ));
        }
        _ => {}
    }
    let placed = notes.into_iter().map(|note| {
        let note = note.naming(id);
        match step.id.span {
            Some(span) => note.at(span),
            None => note,
        }
    });
    placed.collect()
}
