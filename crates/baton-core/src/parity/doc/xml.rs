//! XML as far as configuration uses it: elements, attributes, texts. Entities
//! that a document declares itself are not followed.

use std::collections::BTreeMap;

use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;

use super::{DEPTH_MAX, Tree};

#[derive(Default)]
struct Element {
    name: String,
    text: String,
    attributes: BTreeMap<String, Tree>,
    children: BTreeMap<String, Vec<Tree>>,
}

/// Reads a document.
pub(super) fn read(text: &str) -> Result<Tree, String> {
    let mut reader = Reader::from_str(text);
    let mut open = vec![Element::default()];
    let trouble = |at: u64| {
        let before = usize::try_from(at)
            .ok()
            .and_then(|at| text.as_bytes().get(..at));
        let lines = before.map_or(0, |before| {
            before.iter().filter(|byte| **byte == b'\n').count()
        });
        format!("no XML at line {}", lines + 1)
    };
    loop {
        let at = reader.buffer_position();
        match reader.read_event().map_err(|_why| trouble(at))? {
            Event::Start(start) => {
                if open.len() > DEPTH_MAX {
                    return Err(format!("more than {DEPTH_MAX} levels deep"));
                }
                open.push(element(&start));
            }
            Event::Empty(start) => close(&mut open, element(&start)),
            Event::End(_) => {
                let Some(done) = open.pop().filter(|_| !open.is_empty()) else {
                    return Err(trouble(at));
                };
                close(&mut open, done);
            }
            Event::Text(words) => {
                if let Some(element) = open.last_mut() {
                    element.text.push_str(&String::from_utf8_lossy(&words));
                }
            }
            Event::CData(words) => {
                if let Some(element) = open.last_mut() {
                    element.text.push_str(&String::from_utf8_lossy(&words));
                }
            }
            Event::GeneralRef(name) => {
                if let Some(element) = open.last_mut() {
                    element
                        .text
                        .push_str(&entity(&String::from_utf8_lossy(&name)));
                }
            }
            Event::Eof => break,
            _ => {}
        }
    }
    match (open.pop(), open.is_empty()) {
        (Some(root), true) => Ok(tree(root)),
        _ => Err(trouble(text.len() as u64)),
    }
}

fn element(start: &BytesStart<'_>) -> Element {
    let mut element = Element {
        name: String::from_utf8_lossy(start.name().as_ref()).into_owned(),
        ..Element::default()
    };
    for attribute in start.attributes().flatten() {
        let name = format!("@{}", String::from_utf8_lossy(attribute.key.as_ref()));
        let value = String::from_utf8_lossy(&attribute.value).into_owned();
        let _before = element.attributes.insert(name, Tree::Scalar(value));
    }
    element
}

fn close(open: &mut [Element], done: Element) {
    if let Some(parent) = open.last_mut() {
        let name = done.name.clone();
        parent.children.entry(name).or_default().push(tree(done));
    }
}

/// Hadoop's `<property><name>n</name><value>v</value></property>` is the key
/// `n` with the value `v`; an element with nothing in it but text is that text.
fn tree(element: Element) -> Tree {
    let text = element.text.trim().to_owned();
    if element.children.is_empty() && element.attributes.is_empty() {
        return Tree::Scalar(text);
    }
    let mut map = element.attributes;
    for (name, children) in element.children {
        let pairs: Option<BTreeMap<String, Tree>> = children.iter().map(property).collect();
        match pairs {
            Some(pairs) if name == "property" && pairs.len() == children.len() => map.extend(pairs),
            _ if children.len() == 1 => {
                map.extend(children.into_iter().map(|one| (name.clone(), one)))
            }
            _ => drop(map.insert(name, Tree::List(children))),
        }
    }
    if !text.is_empty() {
        let _before = map.insert("#text".to_owned(), Tree::Scalar(text));
    }
    Tree::Map(map)
}

fn property(tree: &Tree) -> Option<(String, Tree)> {
    let Tree::Map(map) = tree else { return None };
    match (map.get("name"), map.get("value")) {
        (Some(Tree::Scalar(name)), Some(value)) => Some((name.clone(), value.clone())),
        _ => None,
    }
}

/// The five that XML declares itself, and characters by number; another one
/// stays as it is written.
fn entity(name: &str) -> String {
    match name {
        "lt" => "<".to_owned(),
        "gt" => ">".to_owned(),
        "amp" => "&".to_owned(),
        "quot" => "\"".to_owned(),
        "apos" => "'".to_owned(),
        other => {
            let number =
                other
                    .strip_prefix('#')
                    .and_then(|number| match number.strip_prefix('x') {
                        Some(hex) => u32::from_str_radix(hex, 16).ok(),
                        None => number.parse().ok(),
                    });
            let of_number = number.and_then(char::from_u32);
            of_number.map_or_else(|| format!("&{other};"), String::from)
        }
    }
}
