//! Markdown as a flat list of the blocks a runbook is made of.
//!
//! `pulldown-cmark` (CommonMark 0.31 and task lists) says what is a heading, a
//! list or a fence; everything else is prose and left out. What people wrote in
//! a list is taken from the source as it stands, so that `a < b` and `*` in a
//! condition are not taken for markup. Nothing here knows what a step is.

use std::borrow::Cow;
use std::ops::Range;

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

/// A block that may mean something to Baton.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Block {
    Heading(Heading),
    Fence(Fenced),
    /// A list that stands in no other list and in no quote: all of it, and its items.
    List(Range<usize>, Vec<Item>),
    /// Raw HTML, a comment among others.
    Html(Range<usize>),
}

/// A heading, of any level.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Heading {
    /// 1 to 6.
    pub(super) level: u8,
    /// Its text without markup.
    pub(super) title: String,
    /// All of it, without the line end.
    pub(super) range: Range<usize>,
    pub(super) inside: Inside,
}

/// A fenced block of code.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Fenced {
    /// What stands behind the opening.
    pub(super) info: String,
    pub(super) body: String,
    /// From the opening to the last byte.
    pub(super) range: Range<usize>,
    pub(super) inside: Inside,
}

/// One item of a list.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Item {
    /// How many lists it stands in, from 1.
    pub(super) depth: usize,
    /// For a task, whether its box is ticked.
    pub(super) task: Option<bool>,
    /// Its first paragraph in the source, without marker and box.
    pub(super) text: Range<usize>,
    text_done: bool,
}

/// What a block stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Inside {
    Nothing,
    List,
    Quote,
}

/// Reads a text into blocks, in the order in which they begin.
pub(super) fn blocks(text: &str) -> Vec<Block> {
    let mut walk = Walk::default();
    for (event, range) in Parser::new_ext(text, Options::ENABLE_TASKLISTS).into_offset_iter() {
        walk.take(event, range, text);
    }
    walk.blocks
}

/// The text of an item on one line: its lines trimmed and joined by one space.
pub(super) fn one_line<'a>(text: &'a str, range: &Range<usize>) -> Cow<'a, str> {
    let written = text.get(range.clone()).unwrap_or_default();
    if written.contains('\n') {
        let lines: Vec<&str> = written.lines().map(str::trim).collect();
        Cow::Owned(lines.join(" "))
    } else {
        Cow::Borrowed(written)
    }
}

/// What is open at a point of the text.
#[derive(Default)]
struct Walk {
    blocks: Vec<Block>,
    quotes: usize,
    lists: usize,
    /// Items of the outermost list, in the order in which they begin.
    items: Vec<Item>,
    /// Which of `items` are still open, outermost first.
    open_items: Vec<usize>,
    /// The heading or the fence that is being read.
    heading: Option<Heading>,
    fence: Option<Fenced>,
    /// An indented block of code: its text is no item's text.
    indented: bool,
}

impl Walk {
    fn take(&mut self, event: Event<'_>, range: Range<usize>, text: &str) {
        match event {
            Event::Start(tag) => self.start(tag, range, text),
            Event::End(tag) => self.end(tag, range),
            Event::TaskListMarker(ticked) => {
                if let Some(item) = self.item() {
                    item.task = Some(ticked);
                }
            }
            Event::Text(piece) | Event::Code(piece) => self.text(&piece, range),
            Event::SoftBreak | Event::HardBreak => self.text(" ", range),
            Event::InlineHtml(_) => self.extend_item(range),
            Event::Rule | Event::Html(_) => self.close_item_text(),
            Event::InlineMath(_) | Event::DisplayMath(_) | Event::FootnoteReference(_) => {}
        }
    }

    fn start(&mut self, tag: Tag<'_>, range: Range<usize>, text: &str) {
        match tag {
            Tag::Emphasis | Tag::Strong | Tag::Link { .. } | Tag::Image { .. } => {
                self.extend_item(range);
                return;
            }
            Tag::Paragraph => return,
            Tag::Item => {
                if self.quotes == 0 {
                    self.open_items.push(self.items.len());
                    self.items.push(Item {
                        depth: self.lists,
                        task: None,
                        text: range.start..range.start,
                        text_done: false,
                    });
                }
                return;
            }
            _ => {}
        }
        self.close_item_text();
        match tag {
            Tag::Heading { level, .. } => {
                let written = text.get(range.clone()).unwrap_or_default();
                self.heading = Some(Heading {
                    level: level as u8,
                    title: String::new(),
                    range: range.start..range.start + written.trim_end().len(),
                    inside: self.inside(),
                });
            }
            Tag::CodeBlock(CodeBlockKind::Fenced(info)) => {
                self.fence = Some(Fenced {
                    info: info.into_string(),
                    body: String::new(),
                    range,
                    inside: self.inside(),
                });
            }
            Tag::CodeBlock(CodeBlockKind::Indented) => self.indented = true,
            Tag::BlockQuote(_) => self.quotes += 1,
            Tag::List(_) => self.lists += 1,
            Tag::HtmlBlock => self.blocks.push(Block::Html(range)),
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd, range: Range<usize>) {
        match tag {
            TagEnd::Paragraph => self.close_item_text(),
            TagEnd::Item if self.quotes == 0 => {
                self.open_items.pop();
            }
            TagEnd::List(_) => {
                self.lists = self.lists.saturating_sub(1);
                if self.lists == 0 && self.quotes == 0 && !self.items.is_empty() {
                    let items = std::mem::take(&mut self.items);
                    self.blocks.push(Block::List(range, items));
                }
            }
            TagEnd::BlockQuote(_) => self.quotes = self.quotes.saturating_sub(1),
            TagEnd::Heading(_) => {
                self.blocks.extend(self.heading.take().map(Block::Heading));
            }
            TagEnd::CodeBlock => {
                self.indented = false;
                self.blocks.extend(self.fence.take().map(Block::Fence));
            }
            _ => {}
        }
    }

    fn text(&mut self, piece: &str, range: Range<usize>) {
        if let Some(fence) = &mut self.fence {
            fence.body.push_str(piece);
        } else if let Some(heading) = &mut self.heading {
            heading.title.push_str(piece);
        } else if !self.indented {
            self.extend_item(range);
        }
    }

    fn inside(&self) -> Inside {
        match (self.quotes, self.lists) {
            (0, 0) => Inside::Nothing,
            (0, _) => Inside::List,
            _ => Inside::Quote,
        }
    }

    /// The innermost open item, unless a quote within it is being read.
    fn item(&mut self) -> Option<&mut Item> {
        let open = *self.open_items.last()?;
        self.items.get_mut(open).filter(|_| self.quotes == 0)
    }

    fn extend_item(&mut self, range: Range<usize>) {
        if let Some(item) = self.item().filter(|item| !item.text_done) {
            if item.text.is_empty() {
                item.text = range;
            } else {
                item.text.end = item.text.end.max(range.end);
            }
        }
    }

    /// A new block begins: what follows is no longer the item's first paragraph.
    fn close_item_text(&mut self) {
        if let Some(item) = self.item() {
            item.text_done = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each item as `depth box text`, the box being `-` where there is none.
    fn items(text: &str) -> Vec<String> {
        let lists = blocks(text).into_iter().filter_map(|block| match block {
            Block::List(_, items) => Some(items),
            _ => None,
        });
        lists
            .flatten()
            .map(|item| {
                let mark = item
                    .task
                    .map_or("-", |ticked| if ticked { "x" } else { "o" });
                format!("{} {mark} {}", item.depth, one_line(text, &item.text))
            })
            .collect()
    }

    #[test]
    fn items_keep_their_text_as_it_was_written() {
        let text = "- owner: omar\n  (backup: pia)\n- when: `a` < *b* && <x>\n\n  more\n- [ ] task *one*\n  - [x] nested\n\n- ```sh run\n  x\n  ```\n\n1. - inner\n   > - quoted\n\n      code\n";
        assert_eq!(
            items(text),
            [
                "1 - owner: omar (backup: pia)",
                "1 - when: `a` < *b* && <x>",
                "1 o task *one*",
                "2 x nested",
                "1 - ",
                "1 - ",
                "2 - inner",
            ]
        );
    }

    #[test]
    fn blocks_know_what_they_stand_in() {
        let text = "> ### a\n\n- ### b\n\n### c `d` *e*\n\n> ```sh run\n> x\n> ```\n\n~~~py example\na\r\n  b\r\n~~~\n";
        let seen: Vec<String> = blocks(text)
            .iter()
            .map(|block| match block {
                Block::Heading(h) => format!("{} {:?} {:?}", h.level, h.inside, h.title),
                Block::Fence(f) => format!("{} {:?} {:?}", f.info, f.inside, f.body),
                Block::List(_, items) => format!("list of {}", items.len()),
                Block::Html(_) => "html".to_owned(),
            })
            .collect();
        assert_eq!(
            seen,
            [
                "3 Quote \"a\"",
                "3 List \"b\"",
                "list of 1",
                "3 Nothing \"c d e\"",
                "sh run Quote \"x\\n\"",
                "py example Nothing \"a\\n  b\\n\"",
            ]
        );
    }
}
