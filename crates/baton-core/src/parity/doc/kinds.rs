//! What kind of value stands at each path of a JSON text.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{IDENTITIES, flatten, no_json, of_json};

/// The paths of a JSON text with the kind of value that stands there: `text`,
/// `number`, `switch`, `nothing`, `empty`. Items of a list that have no name are
/// one: how many there are is no matter of kind.
///
/// # Errors
/// As [`paths`](super::paths) has them.
pub fn kinds(text: &str) -> Result<BTreeMap<String, &'static str>, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| no_json(&error))?;
    let mut found = Vec::new();
    flatten(&of_json(kind(value)), String::new(), 0, &mut found)?;
    let word = |text: String| match text.as_str() {
        "nothing" => "nothing",
        "switch" => "switch",
        "number" => "number",
        "[]" | "{}" => "empty",
        _ => "text",
    };
    Ok(found
        .into_iter()
        .map(|(path, of)| (path, word(of)))
        .collect())
}

/// The same structure with the kind of each value in its place.
fn kind(value: Value) -> Value {
    let word = match value {
        Value::Null => "nothing",
        Value::Bool(_) => "switch",
        Value::Number(_) => "number",
        Value::String(_) => "text",
        Value::Array(items) => {
            let most = if items.iter().all(|item| name_of(item).is_some()) {
                items.len()
            } else {
                1
            };
            return items.into_iter().take(most).map(item).collect();
        }
        Value::Object(map) => {
            let map = map.into_iter().map(|(key, value)| (key, kind(value)));
            return Value::Object(map.collect());
        }
    };
    Value::String(word.to_owned())
}

/// By its name an item of a list is known, so its name stays.
fn item(item: Value) -> Value {
    let name = name_of(&item);
    let mut of = kind(item);
    if let (Some((key, name)), Some(map)) = (name, of.as_object_mut()) {
        let _kind = map.insert(key, name);
    }
    of
}

fn name_of(item: &Value) -> Option<(String, Value)> {
    IDENTITIES.iter().find_map(|key| {
        let name = item.get(*key).filter(|name| name.is_string())?;
        Some(((*key).to_owned(), name.clone()))
    })
}
