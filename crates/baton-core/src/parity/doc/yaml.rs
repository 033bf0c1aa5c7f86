//! YAML, as far as configuration uses it. Aliases are followed and merge keys
//! are not; what aliases of aliases would blow up is refused by weight.

use std::collections::BTreeMap;

use saphyr_parser::{Event, Parser};

use super::{DEPTH_MAX, Tree};

/// How many values a text may have with all aliases written out.
const WEIGHT_MAX: usize = 200_000;

/// Reads the first document.
pub(super) fn read(text: &str) -> Result<Tree, String> {
    let mut builder = Builder::default();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| {
            let marker = error.marker();
            format!(
                "no YAML at line {}, column {}",
                marker.line(),
                marker.col() + 1
            )
        })?;
        let line = span.start.line();
        match event {
            Event::Scalar(text, _, anchor, _) => {
                builder.value(Tree::Scalar(text.into_owned()), anchor)?;
            }
            Event::SequenceStart(anchor, _) => builder.open(Open::List(Vec::new()), anchor)?,
            Event::MappingStart(anchor, _) => {
                builder.open(Open::Map(BTreeMap::new(), None), anchor)?;
            }
            Event::SequenceEnd | Event::MappingEnd => builder.close(line)?,
            Event::Alias(anchor) => builder.alias(anchor, line)?,
            Event::DocumentEnd => break,
            _ => {}
        }
    }
    Ok(builder.root.unwrap_or(Tree::Map(BTreeMap::new())))
}

enum Open {
    List(Vec<Tree>),
    Map(BTreeMap<String, Tree>, Option<String>),
}

#[derive(Default)]
struct Builder {
    open: Vec<(Open, usize)>,
    anchors: BTreeMap<usize, Tree>,
    root: Option<Tree>,
    weight: usize,
}

impl Builder {
    fn open(&mut self, of: Open, anchor: usize) -> Result<(), String> {
        if self.open.len() >= DEPTH_MAX {
            return Err(format!("more than {DEPTH_MAX} levels deep"));
        }
        self.open.push((of, anchor));
        Ok(())
    }

    fn value(&mut self, value: Tree, anchor: usize) -> Result<(), String> {
        self.weight += 1;
        if self.weight > WEIGHT_MAX {
            return Err(format!("more than {WEIGHT_MAX} values"));
        }
        if anchor > 0 {
            let _before = self.anchors.insert(anchor, value.clone());
        }
        match self.open.last_mut() {
            None => self.root = Some(value),
            Some((Open::List(items), _)) => items.push(value),
            Some((Open::Map(_, key @ None), _)) => {
                *key = Some(match value {
                    Tree::Scalar(text) => text,
                    _ => "?".to_owned(),
                });
            }
            Some((Open::Map(map, key), _)) => {
                let _before = map.insert(key.take().unwrap_or_default(), value);
            }
        }
        Ok(())
    }

    fn close(&mut self, line: usize) -> Result<(), String> {
        let (of, anchor) = self
            .open
            .pop()
            .ok_or_else(|| format!("no YAML at line {line}"))?;
        let tree = match of {
            Open::List(items) => Tree::List(items),
            Open::Map(map, _) => Tree::Map(map),
        };
        self.value(tree, anchor)
    }

    fn alias(&mut self, anchor: usize, line: usize) -> Result<(), String> {
        let missing = || format!("an alias of nothing at line {line}");
        let tree = self.anchors.get(&anchor).ok_or_else(missing)?;
        self.weight += weight(tree, WEIGHT_MAX.saturating_sub(self.weight));
        if self.weight > WEIGHT_MAX {
            return Err(format!("more than {WEIGHT_MAX} values"));
        }
        let tree = tree.clone();
        self.value(tree, 0)
    }
}

/// How many values a tree has; stops counting soon past `most`.
fn weight(tree: &Tree, most: usize) -> usize {
    let mut total = 1;
    let mut count = |tree: &Tree| {
        if total <= most {
            total += weight(tree, most - total.min(most));
        }
    };
    match tree {
        Tree::Scalar(_) => {}
        Tree::List(items) => items.iter().for_each(&mut count),
        Tree::Map(map) => map.values().for_each(&mut count),
    }
    total
}
