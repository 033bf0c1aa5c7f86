//! The JSON Schema of `handoff.yaml`, for editors.
//!
//! Made from the same tables as the reader, so that the two know the same
//! keys. It shows forms (a duration is text such as `10m`), not what names
//! refer to: that is `contract::check`.

use std::borrow::Cow;

use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::contract::{
    AnswerKind, At, Contract, Declined, Freeze, Hours, Measure, Quantile, Section, Waiver,
    WatchTerms, Window,
};
use super::forms::{CalendarForm, FreezeForm, Limit, MeasureForm, WatchForm, WindowForm};
use super::waiver::WaiverForm;
use crate::time::Duration;

/// The schema of the contract, JSON Schema draft 2020-12.
pub fn json_schema() -> serde_json::Value {
    let mut schema = SchemaSettings::draft2020_12()
        // What stands for a key that is left out is said in its description.
        .with_transform(RecursiveTransform(|schema: &mut Schema| {
            drop(schema.remove("default"));
        }))
        .into_generator()
        .into_root_schema_for::<Contract>();
    schema.insert("title".to_owned(), "Baton contract (handoff.yaml)".into());
    schema.into()
}

/// Gives types the schema of how they are written.
macro_rules! written {
    ($($type:ty, $name:literal, $schema:tt;)*) => {$(
        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_generator: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    )*};
}

/// An instant, as it is written.
pub(super) struct Instant;

/// A share, as it is written.
pub(super) struct Percent;

/// Text that may look like a number: `2.4` is the text `2.4`.
pub(super) struct Scalar;

/// One text or several, as they are written.
pub(super) struct OneOrMore;

written! {
    Instant, "Instant", {
        "description": "An instant: RFC 3339, with a zone.",
        "type": "string", "format": "date-time", "examples": ["2026-11-25T09:00:00+01:00"]
    };
    Percent, "Percent", {
        "description": "A share: a number from 0 to 100 and `%`.",
        "type": "string", "pattern": r"^[0-9]+(\.[0-9]+)? *%$", "examples": ["1%", "0.5%"]
    };
    Limit, "Limit", {
        "description": "A share, a number from 0 to 100 and `%`; of a `level` also a plain number.",
        "anyOf": [
            { "type": "string", "pattern": r"^[0-9]+(\.[0-9]+)? *%$" },
            { "type": "number", "minimum": 0 }
        ],
        "examples": ["1%", 80]
    };
    Scalar, "Scalar", { "type": ["string", "number", "boolean"] };
    OneOrMore, "OneOrMore", {
        "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }]
    };
    Duration, "Duration", {
        "description": "A length of time: a whole number and ms, s, m, h or d.",
        "type": "string", "pattern": "^[0-9]+ *(ms|s|m|h|d)$", "examples": ["90s", "10m", "7d"]
    };
    Hours, "Hours", {
        "description": "Working hours: days, and times of the day in the person's zone.",
        "type": "string", "examples": ["Mon-Fri 09:00-17:30", "Mon,Wed 22:00-06:00"]
    };
    AnswerKind, "AnswerKind", {
        "description": "What kind of answer is wanted: one of the words, or a list to choose from.",
        "anyOf": [
            { "enum": ["number", "duration", "text", "yes-no"] },
            { "type": "array", "items": { "type": "string" }, "minItems": 2, "uniqueItems": true }
        ]
    };
    Quantile, "Quantile", {
        "description": "The slowest allowed answer time at a quantile.",
        "type": "object", "minProperties": 1, "maxProperties": 1, "additionalProperties": false,
        "patternProperties": { r"^p[0-9]+(\.[0-9]+)?$": { "type": "string" } },
        "examples": [{ "p95": "300ms" }]
    };
}

/// Gives types the schema of the table from which they are read.
macro_rules! read_as {
    ($($type:ty: $form:ty;)*) => {$(
        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                <$form>::schema_name()
            }

            fn json_schema(generator: &mut SchemaGenerator) -> Schema {
                <$form>::json_schema(generator)
            }
        }
    )*};
}

read_as! {
    Measure: MeasureForm;
    WatchTerms: WatchForm;
    Window: WindowForm;
    Waiver: WaiverForm;
}

impl JsonSchema for Freeze {
    fn schema_name() -> Cow<'static, str> {
        "Freeze".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let span = generator.subschema_for::<FreezeForm>();
        let calendar = generator.subschema_for::<CalendarForm>();
        json_schema!({ "anyOf": [span, calendar] })
    }
}

impl<T: JsonSchema> JsonSchema for At<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

impl<T: JsonSchema> JsonSchema for Section<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("{}OrDeclined", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let defined = generator.subschema_for::<T>();
        let declined = generator.subschema_for::<Declined>();
        json_schema!({ "anyOf": [defined, declined] })
    }
}
