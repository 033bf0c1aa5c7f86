//! Lines that look like a step or a fence and are none.
//!
//! Markdown swallows silently: a mistyped closing fence takes the next step
//! into its script, four spaces turn a fence into prose. What a person reads as
//! a step and Baton does not is the worst error a runbook can have, so every
//! line that looks like one must have been read as one. Closed HTML comments
//! are left alone: that is how one takes a step out on purpose.

use std::collections::BTreeSet;
use std::ops::Range;

use super::blocks::{Block, Inside};
use super::fence::opens_with_role;
use super::source::{Problems, Source};

/// Reports every such line.
pub(super) fn sweep(source: &Source<'_>, blocks: &[Block], problems: &mut Problems<'_, '_>) {
    let regions = Regions::of(source, blocks);
    let mut at_body = 0;
    let mut at_comment = 0;
    for (number, (start, line)) in source.lines().enumerate() {
        let body = covering(&regions.bodies, &mut at_body, number);
        let comment = covering(&regions.comments, &mut at_comment, number);
        if comment.is_some() || regions.read.contains(&number) {
            continue;
        }
        let bare = match body {
            Some(_) => line.trim_start(),
            None => line.trim_start_matches(|c: char| c.is_whitespace() || "->*+".contains(c)),
        };
        let here = start + line.len() - bare.len()..start + line.len();
        match (opens_with_role(bare), body) {
            (Some(info), Some(body)) => problems.error(
                "runbook.fence",
                &here,
                format!("the fence of line {body} holds a line that opens `{info}`"),
                "its closing fence is missing or mistyped: close it with the same characters, at least as many",
            ),
            (Some(info), None) => problems.error(
                "runbook.fence",
                &here,
                format!("`{info}` looks like a fence and is read as prose"),
                "begin it at the start of its line, outside of HTML",
            ),
            (None, Some(_)) => {}
            (None, None) => heading(bare, line, &here, problems),
        }
    }
}

/// Reports a line that looks like the heading of a phase or step.
fn heading(bare: &str, line: &str, here: &Range<usize>, problems: &mut Problems<'_, '_>) {
    let text = bare.trim_start_matches('#');
    let level = bare.len() - text.len();
    let indent = line.len() - line.trim_start().len();
    let hint = if (2..=3).contains(&level) && text.starts_with(char::is_alphanumeric) && indent < 4
    {
        "put a space behind the `#`"
    } else if level == 3 && text.starts_with([' ', '\t']) {
        "begin it at the start of its line, outside of HTML; to take a step out, close the comment around it"
    } else {
        return;
    };
    problems.error(
        "runbook.heading",
        here,
        format!("`{bare}` looks like a heading and is read as prose"),
        hint,
    );
}

/// Lines by what was read in them, counted from 0.
struct Regions {
    /// Lines on which a heading or fence that was read begins.
    read: BTreeSet<usize>,
    /// Lines of bodies of fences, each with the number of its opening line.
    bodies: Vec<(Range<usize>, u32)>,
    /// Lines of closed comments.
    comments: Vec<(Range<usize>, u32)>,
}

impl Regions {
    fn of(source: &Source<'_>, blocks: &[Block]) -> Self {
        let mut regions = Self {
            read: BTreeSet::new(),
            bodies: Vec::new(),
            comments: Vec::new(),
        };
        let lines = |range: &Range<usize>| {
            let last = range.end.saturating_sub(1).max(range.start);
            source.line(range.start)..source.line(last) + 1
        };
        for block in blocks {
            match block {
                Block::Heading(heading) => {
                    regions.read.insert(source.line(heading.range.start));
                }
                Block::Fence(fence) => {
                    let all = lines(&fence.range);
                    let opening = source.line_number(fence.range.start);
                    regions.read.insert(all.start);
                    if fence.inside == Inside::Nothing {
                        regions.bodies.push((all.start + 1..all.end, opening));
                    } else {
                        // Reported as a whole; its body is not looked into.
                        regions.comments.push((all.start + 1..all.end, opening));
                    }
                }
                Block::Html(range) => {
                    let html = source.text.get(range.clone()).unwrap_or_default().trim();
                    if html.starts_with("<!--") && html.contains("-->") {
                        let all = lines(range);
                        let opening = source.line_number(range.start);
                        regions.comments.push((all, opening));
                    }
                }
                Block::List(..) => {}
            }
        }
        regions
    }
}

/// The number of the opening line of the region that holds a line; regions are
/// in order and asked for in order, so that each is passed once.
fn covering(regions: &[(Range<usize>, u32)], at: &mut usize, line: usize) -> Option<u32> {
    while regions.get(*at).is_some_and(|(range, _)| range.end <= line) {
        *at += 1;
    }
    regions
        .get(*at)
        .filter(|(range, _)| range.contains(&line))
        .map(|(_, opening)| *opening)
}
