//! Names: of people, hosts, environments and ids, and of variables.
//!
//! What a name looks like is decided here alone, so that no name needs quotes
//! in either file, in a path or in a command.

use std::collections::BTreeMap;

use super::read::{Read, Reader};
use super::yaml::Node;
use crate::diag::brief;
use crate::id::{
    Component, CriterionId, EnvName, ExpectationId, GroupName, Handle, HostName, MeasureId,
    RoleName, TeamName,
};

/// A name as people write it, in a list, as a value, or as a key.
pub(crate) trait Name: Ord {
    /// What a name looks like.
    const HINT: &'static str =
        "use letters, digits, `-`, `_` and `.`, beginning with a letter or digit";

    /// The name.
    fn named(text: &str) -> Self;

    /// Says what is wrong with a text that is no name.
    fn check(text: &str) -> Result<(), String> {
        if is_name(text) {
            Ok(())
        } else {
            Err(format!("`{}` is no name", brief(text)))
        }
    }
}

/// Whether a text can be a handle, a host, an id and so on: letters, digits,
/// `-`, `_` and `.`, beginning with a letter or digit, so that it needs no
/// quotes in either file, in a path or in a command.
pub(crate) fn is_name(text: &str) -> bool {
    /// A longer name would not fit into a line of any table.
    const MOST: usize = 100;
    text.len() <= MOST
        && text.starts_with(char::is_alphanumeric)
        && text
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

macro_rules! names {
    ($($name:ident),*) => {$(
        impl Name for $name {
            fn named(text: &str) -> Self {
                Self::new(text)
            }
        }

        impl Read for $name {
            fn read<'t>(node: &'t Node, reader: &mut Reader<'t>) -> Option<Self> {
                let text = reader.text(node, "a name", Self::HINT)?;
                match Self::check(text) {
                    Ok(()) => Some(Self::new(text)),
                    Err(trouble) => reader.bad_value(node.span, trouble, Self::HINT),
                }
            }
        }
    )*};
}

names!(
    Handle,
    TeamName,
    RoleName,
    EnvName,
    HostName,
    GroupName,
    CriterionId,
    MeasureId,
    ExpectationId,
    Component
);

/// The name of an environment variable.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct VarName(pub(crate) String);

impl Name for VarName {
    const HINT: &'static str = "use letters, digits and `_`, as in `DB_KEY`";

    fn named(text: &str) -> Self {
        Self(text.to_owned())
    }

    fn check(text: &str) -> Result<(), String> {
        let first = |c: char| c.is_ascii_alphabetic() || c == '_';
        if !text.starts_with(first) || !text.chars().all(|c| first(c) || c.is_ascii_digit()) {
            return Err(format!(
                "`{}` cannot be the name of a variable",
                brief(text)
            ));
        }
        if text.starts_with("BATON_") {
            return Err(format!("`{text}` is taken: `BATON_` names are Baton's own"));
        }
        Ok(())
    }
}

/// A variable's value: any text, an empty one too.
pub(crate) struct VarValue(pub(crate) String);

impl Read for VarValue {
    fn read<'t>(node: &'t Node, reader: &mut Reader<'t>) -> Option<Self> {
        let next = "write a value; `\"\"` is the empty one";
        reader
            .text(node, "text", next)
            .map(|text| Self(text.to_owned()))
    }
}

impl Read for BTreeMap<String, String> {
    fn read<'t>(node: &'t Node, reader: &mut Reader<'t>) -> Option<Self> {
        let vars = BTreeMap::<VarName, VarValue>::read(node, reader)?;
        Some(
            vars.into_iter()
                .map(|(name, value)| (name.0, value.0))
                .collect(),
        )
    }
}
