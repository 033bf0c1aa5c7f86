//! What stands below a step for people to read.

use std::collections::BTreeMap;
use std::ops::Range;

use super::blocks::{Block, Inside, blocks};
use super::fence::{Role, opening};
use super::source::Source;
use super::{Runbook, Step};
use crate::id::StepId;

/// The prose of each step that has some, as Markdown: what stands below its
/// heading without attributes, tasks and the fences that somebody carries out.
/// `text` is what `runbook` was read from.
pub fn prose(text: &str, runbook: &Runbook) -> BTreeMap<StepId, String> {
    let Ok(source) = Source::open(text.as_bytes()) else {
        return BTreeMap::new();
    };
    let steps: BTreeMap<u32, &Step> = runbook.steps.iter().map(|step| (step.line, step)).collect();
    let mut found: BTreeMap<StepId, String> = BTreeMap::new();
    let mut open: Option<Open<'_>> = None;
    let close = |open: Option<Open<'_>>, end: usize, found: &mut BTreeMap<StepId, String>| {
        if let Some((step, prose)) = open.and_then(|open| open.close(source.text, end)) {
            let _new = found.insert(step.id.value.clone(), prose);
        }
    };
    for block in blocks(source.text) {
        match block {
            Block::Heading(heading) if heading.level <= 3 && heading.inside == Inside::Nothing => {
                close(open.take(), heading.range.start, &mut found);
                let step = steps.get(&source.line_number(heading.range.start));
                open = step.map(|step| Open {
                    step,
                    from: heading.range.end,
                    kept: Vec::new(),
                    first_list: true,
                });
            }
            Block::Fence(fence) if fence.inside == Inside::Nothing => {
                let example = opening(&fence.info).is_ok_and(|(_, role)| role == Role::Example);
                if let Some(open) = open.as_mut().filter(|_| !example) {
                    open.leave_out(fence.range);
                }
            }
            Block::List(range, items) => {
                if let Some(open) = &mut open {
                    let first = std::mem::replace(&mut open.first_list, false);
                    let tasks = items.iter().any(|item| item.task.is_some());
                    if tasks || (first && super::attributes::are(&items, &source)) {
                        open.leave_out(range);
                    }
                }
            }
            Block::Heading(_) | Block::Fence(_) | Block::Html(_) => {}
        }
    }
    close(open, source.text.len(), &mut found);
    found
}

/// A step whose end has not come yet.
struct Open<'r> {
    step: &'r Step,
    /// Where what was not looked at yet begins.
    from: usize,
    kept: Vec<Range<usize>>,
    first_list: bool,
}

impl<'r> Open<'r> {
    fn leave_out(&mut self, range: Range<usize>) {
        self.kept.push(self.from..range.start);
        self.from = range.end;
    }

    fn close(mut self, text: &str, end: usize) -> Option<(&'r Step, String)> {
        self.kept.push(self.from..end);
        let parts = self.kept.into_iter().filter_map(|range| text.get(range));
        let parts: Vec<&str> = parts
            .map(|part| part.trim_matches(['\n', '\r']))
            .filter(|part| !part.trim().is_empty())
            .collect();
        (!parts.is_empty()).then(|| (self.step, parts.join("\n\n")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handoff::runbook::parse;

    #[test]
    fn prose_is_what_is_left_of_a_step() {
        let text = "# T\n\nnot of a step\n\n## P\n\n### One {#one}\n\n- owner: omar (backup: pia)\n- changes: nothing\n\n\
            Why *we* do it.\n\n```sh run\ntrue\n```\n\n- a list\n- of prose\n\n```sh example\nls\n```\n\n- [ ] a task\n\n#### Deeper\n\nmore\n\n\
            ### Two {#two}\n\n- owner: omar (backup: pia)\n- changes: nothing\n\n```sh run\ntrue\n```\n\n## Q\n\nof nobody\n";
        let (runbook, _notes) = parse(text.as_bytes());
        let prose = prose(text, &runbook.unwrap());
        assert_eq!(prose.len(), 1);
        assert_eq!(
            prose["one"],
            "Why *we* do it.\n\n- a list\n- of prose\n\n```sh example\nls\n```\n\n#### Deeper\n\nmore"
        );
    }
}
