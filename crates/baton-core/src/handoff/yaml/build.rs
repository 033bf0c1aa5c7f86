//! From the parser's events to the tree, within the limits.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use saphyr_parser::{BufferedInput, Event, Parser, ScalarStyle, ScanError, Span as Marks, Tag};

use super::places::Places;
use super::words::in_plain_words;
use super::{Entry, Kind, MAX_DEPTH, MAX_NOTES, MAX_PIECE, MAX_WEIGHT, Node, too_many};
use crate::diag::{Note, Span, brief};

/// Reads one document; `skipped` bytes stood before the text.
pub(super) fn tree(text: &str, skipped: usize) -> (Option<Rc<Node>>, Vec<Note>) {
    let left = Rc::new(Cell::new(MAX_PIECE));
    let chars = Metered {
        chars: text.chars(),
        left: Rc::clone(&left),
    };
    let mut parser = Parser::new_from_iter(chars);
    let mut builder = Builder::new(Places::new(text, skipped));
    match builder.run(&mut parser, &left) {
        Ok(root) => (Some(root), builder.notes),
        Err(note) => {
            builder.notes.push(*note);
            (None, builder.notes)
        }
    }
}

/// Feeds characters to the parser until a piece is longer than [`MAX_PIECE`],
/// then ends: the parser never holds more than one piece.
struct Metered<'t> {
    chars: std::str::Chars<'t>,
    left: Rc<Cell<usize>>,
}

impl Iterator for Metered<'_> {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        let left = self.left.get().checked_sub(1)?;
        self.left.set(left);
        self.chars.next()
    }
}

/// Why nothing more is read, or one key is not.
type Refusal = Box<Note>;

fn refuse(code: &'static str, says: impl Into<String>, at: Span, next: &'static str) -> Refusal {
    Box::new(Note::error(code, says).at(at).next(next))
}

/// A finished value and what it costs to read it again through an alias.
#[derive(Clone)]
struct Built {
    node: Rc<Node>,
    weight: u64,
    height: usize,
}

/// A list or map that is still open.
struct Open {
    span: Span,
    start: usize,
    anchor: usize,
    /// Weight of everything before it.
    before: u64,
    /// Height of its highest part.
    height: usize,
    items: Items,
}

enum Items {
    Seq(Vec<Rc<Node>>),
    Map(Pairs),
}

/// A map that is still open.
#[derive(Default)]
struct Pairs {
    entries: Vec<Entry>,
    next: Next,
}

/// What the next value of a map is.
#[derive(Default)]
enum Next {
    #[default]
    Key,
    Value(String, Span),
    /// The value of a key that was refused.
    Ignored,
}

impl Pairs {
    /// Takes the next key or value; says what is wrong with a key.
    fn put(&mut self, node: Rc<Node>) -> Result<(), Refusal> {
        match std::mem::take(&mut self.next) {
            Next::Ignored => Ok(()),
            Next::Value(key, key_span) => {
                self.entries.push(Entry {
                    key,
                    key_span,
                    value: node,
                });
                Ok(())
            }
            Next::Key => self.key(&node),
        }
    }

    fn key(&mut self, node: &Node) -> Result<(), Refusal> {
        self.next = Next::Ignored;
        let span = node.span;
        let Kind::Scalar { text, plain } = &node.kind else {
            let says = format!("a key is one word; this one is {}", node.kind_in_words());
            return Err(refuse(
                "contract.kind",
                says,
                span,
                "put text that holds brackets in quotes",
            ));
        };
        if *plain && text == "<<" {
            return Err(refuse(
                "contract.syntax",
                "merge keys (`<<`) are not understood",
                span,
                "write the keys out, so that everybody reads the same contract",
            ));
        }
        self.next = Next::Value(text.clone(), span);
        Ok(())
    }
}

/// Takes out every key that stands twice, but for its first place.
fn distinct(entries: Vec<Entry>) -> (Vec<Entry>, Vec<Refusal>) {
    let mut order: Vec<usize> = (0..entries.len()).collect();
    order.sort_by_key(|at| (entries[*at].key.as_str(), *at));
    let mut again = BTreeSet::new();
    let mut notes = Vec::new();
    for same in order.chunk_by(|a, b| entries[*a].key == entries[*b].key) {
        for at in &same[1..] {
            let (first, second) = (&entries[same[0]], &entries[*at]);
            let says = format!(
                "the key `{}` stands twice: on line {} and on line {}",
                brief(&first.key),
                first.key_span.line,
                second.key_span.line
            );
            let next = "delete one of them";
            notes.push(refuse("contract.duplicate", says, second.key_span, next));
            again.insert(*at);
        }
    }
    let kept = entries
        .into_iter()
        .enumerate()
        .filter(|(at, _)| !again.contains(at));
    (kept.map(|(_, entry)| entry).collect(), notes)
}

struct Builder<'t> {
    places: Places<'t>,
    notes: Vec<Note>,
    open: Vec<Open>,
    anchors: BTreeMap<usize, Built>,
    root: Option<Rc<Node>>,
    /// Weight so far, with every alias written out.
    weight: u64,
}

impl<'t> Builder<'t> {
    fn new(places: Places<'t>) -> Self {
        Self {
            places,
            notes: Vec::new(),
            open: Vec::new(),
            anchors: BTreeMap::new(),
            root: None,
            weight: 0,
        }
    }

    /// Takes events until the one document ends.
    fn run(
        &mut self,
        parser: &mut Parser<'_, BufferedInput<Metered<'t>>>,
        left: &Cell<usize>,
    ) -> Result<Rc<Node>, Refusal> {
        let mut documents = 0;
        while let Some(event) = parser.next_event() {
            if left.get() == 0 {
                return Err(self.piece_too_long(&event));
            }
            let (event, marks) = event.map_err(|error| self.syntax(&error))?;
            left.set(MAX_PIECE);
            match event {
                Event::DocumentStart(_) if documents == 1 => {
                    return Err(refuse(
                        "contract.syntax",
                        "the file holds several documents; a contract is one",
                        self.places.of(&marks),
                        "delete the line `---` and what follows it",
                    ));
                }
                Event::DocumentStart(_) => documents = 1,
                Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
                event => self.take(event, &marks)?,
            }
        }
        let root = self.root.take().filter(|root| !root.is_nothing());
        root.ok_or_else(|| {
            refuse(
                "contract.syntax",
                "the file is empty",
                self.places.span(0, 0),
                "`baton init` writes a first contract",
            )
        })
    }

    fn take(&mut self, event: Event<'_>, marks: &Marks) -> Result<(), Refusal> {
        let span = self.places.of(marks);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain && tag.is_none();
                self.judge_tag(tag.as_deref(), span)?;
                let weight = 64 + u64::try_from(text.len()).unwrap_or(u64::MAX);
                self.weigh(weight, span)?;
                let kind = Kind::Scalar {
                    text: text.into_owned(),
                    plain,
                };
                self.close(Node { span, kind }, anchor, weight, 0)
            }
            Event::Alias(anchor) => match self.anchors.get(&anchor).cloned() {
                Some(built) => {
                    self.weigh(built.weight, span)?;
                    self.put(built)
                }
                None => Err(refuse(
                    "contract.syntax",
                    "this alias stands inside the value it refers to",
                    span,
                    "write the value out",
                )),
            },
            Event::SequenceStart(anchor, tag) => {
                self.judge_tag(tag.as_deref(), span)?;
                self.begin(span, marks, anchor, Items::Seq(Vec::new()))
            }
            Event::MappingStart(anchor, tag) => {
                self.judge_tag(tag.as_deref(), span)?;
                self.begin(span, marks, anchor, Items::Map(Pairs::default()))
            }
            _ => self.end(marks),
        }
    }

    fn begin(
        &mut self,
        span: Span,
        marks: &Marks,
        anchor: usize,
        items: Items,
    ) -> Result<(), Refusal> {
        if self.open.len() >= MAX_DEPTH {
            return Err(too_deep(span));
        }
        let before = self.weight;
        self.weigh(64, span)?;
        self.open.push(Open {
            span,
            start: marks.start.index(),
            anchor,
            before,
            height: 0,
            items,
        });
        Ok(())
    }

    fn end(&mut self, marks: &Marks) -> Result<(), Refusal> {
        let Some(open) = self.open.pop() else {
            return Ok(());
        };
        // Only a bracketed list or map ends at something that is written.
        let span = if marks.is_empty() {
            open.span
        } else {
            self.places.span(open.start, marks.start.index() + 1)
        };
        let kind = match open.items {
            Items::Seq(items) => Kind::Seq(items),
            Items::Map(pairs) => {
                let (entries, notes) = distinct(pairs.entries);
                for note in notes {
                    self.go_on_after(*note)?;
                }
                Kind::Map(entries)
            }
        };
        let weight = self.weight - open.before;
        self.close(Node { span, kind }, open.anchor, weight, open.height + 1)
    }

    /// A value is complete: remembers its anchor, hands it to what holds it.
    fn close(
        &mut self,
        node: Node,
        anchor: usize,
        weight: u64,
        height: usize,
    ) -> Result<(), Refusal> {
        let built = Built {
            node: Rc::new(node),
            weight,
            height,
        };
        if anchor > 0 {
            self.anchors.insert(anchor, built.clone());
        }
        self.put(built)
    }

    fn put(&mut self, built: Built) -> Result<(), Refusal> {
        if built.height + self.open.len() > MAX_DEPTH {
            return Err(too_deep(built.node.span));
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(built.node);
            return Ok(());
        };
        open.height = open.height.max(built.height);
        match &mut open.items {
            Items::Seq(items) => items.push(built.node),
            Items::Map(pairs) => {
                if let Err(note) = pairs.put(built.node) {
                    self.go_on_after(*note)?;
                }
            }
        }
        Ok(())
    }

    fn weigh(&mut self, weight: u64, span: Span) -> Result<(), Refusal> {
        self.weight = self.weight.saturating_add(weight);
        if self.weight <= MAX_WEIGHT {
            return Ok(());
        }
        Err(refuse(
            "contract.too-large",
            "the file holds too many values, counting what its aliases stand for",
            span,
            "write fewer values, and the ones behind aliases (`*name`) out",
        ))
    }

    /// Keeps a note that does not stop the reading, unless there are too many.
    fn go_on_after(&mut self, note: Note) -> Result<(), Refusal> {
        if self.notes.len() >= MAX_NOTES {
            return Err(Box::new(too_many()));
        }
        self.notes.push(note);
        Ok(())
    }

    /// Tags other than `!!str` would make values mean what nobody can see.
    fn judge_tag(&mut self, tag: Option<&Tag>, span: Span) -> Result<(), Refusal> {
        let written = match tag {
            Some(tag) if tag.is_yaml_core_schema() => format!("!!{}", tag.suffix),
            Some(tag) => tag.to_string(),
            None => return Ok(()),
        };
        if written == "!!str" {
            return Ok(());
        }
        let says = format!("the tag `{}` is not understood", brief(&written));
        let next = "delete the tag; put text in quotes where it must stay text";
        self.go_on_after(*refuse("contract.syntax", says, span, next))
    }

    fn piece_too_long(&self, event: &Result<(Event<'_>, Marks), ScanError>) -> Refusal {
        let says = format!("one text or bracketed list is longer than {MAX_PIECE} characters");
        let next = "write long lists line by line with `-`, and long texts into files of their own";
        let span = match event {
            Ok((_, marks)) => self.places.of(marks),
            Err(error) => self.places.span(error.marker().index(), 0),
        };
        refuse("contract.too-large", says, span, next)
    }

    fn syntax(&self, error: &ScanError) -> Refusal {
        let at = error.marker().index();
        let span = self.places.span(at, at);
        // The parser has a limit of its own for brackets that are not closed.
        if error.info().contains("recursion limit") {
            return too_deep(span);
        }
        let (says, next) = in_plain_words(error.info());
        refuse("contract.syntax", says, span, next)
    }
}

fn too_deep(span: Span) -> Refusal {
    let says = format!("lists and maps lie more than {MAX_DEPTH} deep in each other");
    refuse(
        "contract.too-large",
        says,
        span,
        "check the brackets and the indentation above",
    )
}
