//! The schema and the reader know the same keys, and the schema is what it says.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{EVERYTHING, SHOP, lint, shown};
use crate::handoff::schema::json_schema;
use crate::handoff::yaml::{Kind, Node, tree};

/// A tree as the editor's YAML parser sees it, as far as the schema can tell.
fn as_json(node: &Node) -> Value {
    match &node.kind {
        Kind::Scalar { text, plain } => match text.parse::<f64>() {
            Ok(number) if *plain => json!(number),
            _ if *plain && text == "true" => json!(true),
            _ => json!(text),
        },
        Kind::Seq(items) => items.iter().map(|item| as_json(item)).collect(),
        Kind::Map(entries) => {
            let entry =
                |entry: &crate::handoff::yaml::Entry| (entry.key.clone(), as_json(&entry.value));
            Value::Object(entries.iter().map(entry).collect::<Map<_, _>>())
        }
    }
}

/// As much of JSON Schema as this schema uses; refuses what it does not know.
struct Validator {
    root: Value,
    /// Each property of each object that some value had.
    seen: BTreeSet<String>,
}

impl Validator {
    fn check(&mut self, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
        let schema = schema.as_object().ok_or("a schema is an object")?.clone();
        for (word, argument) in &schema {
            match word.as_str() {
                "$ref" => {
                    let name = argument.as_str().unwrap().trim_start_matches("#/$defs/");
                    let target = self.root["$defs"][name].clone();
                    self.check(&target, value, name)?;
                }
                "anyOf" | "oneOf" => self.any(argument, value, at)?,
                "type" => {
                    let types: Vec<&str> = match argument {
                        Value::Array(types) => types.iter().filter_map(Value::as_str).collect(),
                        one => one.as_str().into_iter().collect(),
                    };
                    if !types.contains(&kind(value)) {
                        return Err(format!("{at}: {value} is no {types:?}"));
                    }
                }
                "enum" if argument.as_array().unwrap().contains(value) => {}
                "const" if argument == value => {}
                "enum" | "const" => return Err(format!("{at}: {value} is not {argument}")),
                "required" => {
                    for key in argument.as_array().unwrap() {
                        if value.get(key.as_str().unwrap()).is_none() {
                            return Err(format!("{at}: no {key}"));
                        }
                    }
                }
                "items" => {
                    for item in value.as_array().into_iter().flatten() {
                        self.check(argument, item, at)?;
                    }
                }
                "properties" | "patternProperties" | "additionalProperties" => {
                    self.properties(&schema, value, at)?;
                }
                "$schema" | "$defs" | "title" | "description" | "examples" | "format"
                | "pattern" | "minimum" | "minItems" | "uniqueItems" | "minProperties"
                | "maxProperties" => {}
                other => return Err(format!("{at}: unknown word {other}")),
            }
        }
        Ok(())
    }

    fn any(&mut self, schemas: &Value, value: &Value, at: &str) -> Result<(), String> {
        let mut errors = Vec::new();
        for schema in schemas.as_array().unwrap() {
            match self.check(schema, value, at) {
                Ok(()) => return Ok(()),
                Err(error) => errors.push(error),
            }
        }
        Err(errors.join("; "))
    }

    fn properties(
        &mut self,
        schema: &Map<String, Value>,
        value: &Value,
        at: &str,
    ) -> Result<(), String> {
        for (key, value) in value.as_object().into_iter().flatten() {
            let property = schema
                .get("properties")
                .and_then(|properties| properties.get(key));
            if let Some(property) = property {
                self.seen.insert(format!("{at}.{key}"));
                self.check(&property.clone(), value, &format!("{at}.{key}"))?;
            } else if schema.contains_key("patternProperties") {
                // The one pattern is for quantiles, which are texts.
                assert!(value.is_string());
            } else {
                match schema.get("additionalProperties") {
                    None => {}
                    Some(Value::Bool(false)) => return Err(format!("{at}: unknown key {key}")),
                    Some(other) => self.check(&other.clone(), value, at)?,
                }
            }
        }
        Ok(())
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn validate(text: &str) -> (Result<(), String>, BTreeSet<String>) {
    let root = json_schema();
    let value = as_json(&tree(text.as_bytes()).0.unwrap());
    let mut validator = Validator {
        root: root.clone(),
        seen: BTreeSet::new(),
    };
    let result = validator.check(&root, &value, "Contract");
    (result, validator.seen)
}

/// Every property the schema has, named as the validator names them.
fn properties(schema: &Value, at: &str, into: &mut BTreeSet<String>) {
    match schema {
        Value::Object(words) => {
            for (word, argument) in words {
                match word.as_str() {
                    "$defs" => {
                        for (name, schema) in argument.as_object().unwrap() {
                            properties(schema, name, into);
                        }
                    }
                    "properties" => {
                        for (key, schema) in argument.as_object().unwrap() {
                            into.insert(format!("{at}.{key}"));
                            properties(schema, &format!("{at}.{key}"), into);
                        }
                    }
                    "examples" => {}
                    _ => properties(argument, at, into),
                }
            }
        }
        Value::Array(schemas) => schemas
            .iter()
            .for_each(|schema| properties(schema, at, into)),
        _ => {}
    }
}

#[test]
fn the_examples_use_every_key_and_pass_reader_and_schema() {
    let mut used = BTreeSet::new();
    for text in [SHOP, EVERYTHING] {
        let notes: String = lint(text.as_bytes()).1.iter().map(shown).collect();
        assert_eq!(notes, "");
        let (result, seen) = validate(text);
        assert_eq!(result, Ok(()));
        used.extend(seen);
    }
    let mut known = BTreeSet::new();
    properties(&json_schema(), "Contract", &mut known);
    assert!(known.len() > 90);
    assert_eq!(
        known.difference(&used).collect::<Vec<_>>(),
        Vec::<&String>::new()
    );
}

#[test]
fn the_schema_refuses_what_the_reader_refuses() {
    for (from, to) in [
        ("summary:", "sumary:"),
        ("  version: 2.4.0\n", ""),
        ("touches: [shop, orders-db]", "touches: shop"),
        ("kind: code ", "kind: app "),
        ("on_harm: roll-back", "on_harm: rollback"),
        (
            "secrets: { DB_KEY: { env: STAGING_DB_KEY } }",
            "secrets: { DB_KEY: hunter2 }",
        ),
        ("- webhook:", "- webhok:"),
        ("- os\n", "- oss\n"),
        ("review: { within: 5d }", "review: { declined: no }"),
        ("answer: number", "answer: numbr"),
        ("opens: 2026-11-25T09:00:00+01:00, ", ""),
        ("    until: 2026-12-01T00:00:00Z\n", ""),
    ] {
        let text = SHOP.replace(from, to);
        assert_ne!(text, SHOP, "{from}");
        assert!(!lint(text.as_bytes()).1.is_empty(), "{to}");
        assert!(validate(&text).0.is_err(), "{to}");
    }
}

#[test]
fn the_schema_describes_every_key() {
    let schema = json_schema();
    assert_eq!(
        schema["$schema"],
        "https://json-schema.org/draft/2020-12/schema"
    );
    for (name, definition) in schema["$defs"].as_object().unwrap() {
        for (key, property) in definition["properties"].as_object().into_iter().flatten() {
            assert!(
                property.get("description").is_some(),
                "{name}.{key} has no description"
            );
        }
    }
}
