//! Patterns over names, and the typed rules by which two different values may
//! still be right.
//!
//! A rule that cannot be read applies to nothing, so that a slip of the hand
//! hides no difference; lint says so through [`Rule::check`]. Waivers are not
//! rules: they expire, and the gate knows them.

use std::fmt;

use globset::{GlobBuilder, GlobMatcher};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::parity::fact::{FactName, Value};
use crate::parity::typed;

/// A pattern over names: `*` stands for any text, `/` included, since a name
/// holds at most one path; `?`, `[ab]`, `{a,b}` and `\` as in globs.
#[derive(Clone, Debug)]
pub struct Pattern(GlobMatcher);

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// A sentence that names the pattern and says what is wrong with it.
    pub fn new(text: &str) -> Result<Self, String> {
        compile(text, false).map(Self)
    }

    /// Whether the whole name fits.
    pub fn matches(&self, name: &str) -> bool {
        self.0.is_match(name)
    }
}

/// Globs of files in a host's folder: `*` and `?` stay within one folder, `**`
/// goes through any number of them. None leads out of the folder.
#[derive(Clone, Debug)]
pub struct Paths(Vec<GlobMatcher>);

impl Paths {
    /// Reads globs; a leading `./` means nothing.
    ///
    /// # Errors
    /// A sentence that names the first glob that is none, or that leads out of the folder.
    pub fn new(globs: &[impl AsRef<str>]) -> Result<Self, String> {
        if globs.is_empty() {
            return Err("names no files".to_owned());
        }
        let compiled = globs.iter().map(|glob| {
            let glob = glob.as_ref();
            let outside = glob.starts_with('/') || glob.split('/').any(|part| part == "..");
            if glob.is_empty() || outside {
                return Err(format!("\"{glob}\" is not a path within the host's folder"));
            }
            compile(glob.strip_prefix("./").unwrap_or(glob), true)
        });
        compiled.collect::<Result<_, _>>().map(Self)
    }

    /// Whether one of them fits the path, which is relative to the folder.
    pub fn matches(&self, path: &str) -> bool {
        self.0.iter().any(|glob| glob.is_match(path))
    }
}

fn compile(text: &str, literal_separator: bool) -> Result<GlobMatcher, String> {
    GlobBuilder::new(text)
        .literal_separator(literal_separator)
        .build()
        .map(|glob| glob.compile_matcher())
        .map_err(|error| format!("\"{text}\" is not a pattern: {}", error.kind()))
}

/// How far two amounts of machines may lie apart without a rule that says so.
pub const SIZE_RATIO: f64 = 8.0;

/// How two values that differ may still be right, or two that agree be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Is {
    /// Numbers at most a factor apart: production has more workers.
    Ratio {
        /// The factor, 1 or more.
        max: f64,
    },
    /// Different in each environment: a secret, a database's address.
    MustDiffer,
    /// The same value in other clothes: `1000m` and `1`, `90s` and `1m30s`, `yes` and `true`.
    Canonical,
    /// Versions of one major number.
    SameMajor,
    /// Versions of one major and minor number.
    SameMinor,
    /// A version or number in the launch environment that is not below the tested one.
    AtLeast,
    /// The same words or lines, in any order.
    Set,
    /// The same once the name of the environment is taken out of both.
    Named,
    /// Being there is enough.
    Present,
}

impl Is {
    /// Whether values of one environment are right: what only holds from one
    /// environment to the next does not excuse siblings.
    pub fn holds_among(self, values: &[&Value]) -> bool {
        match self {
            Self::Ratio { max } => within_ratio(values.iter().copied(), max),
            Self::MustDiffer | Self::AtLeast | Self::Named => false,
            Self::Canonical | Self::SameMajor | Self::SameMinor | Self::Set | Self::Present => {
                one_key(values.iter().map(|value| self.key(value, "")))
            }
        }
    }

    /// Whether the values of a tested environment and of the launch one are
    /// right, given the names of the two.
    pub fn holds_between(self, tested: &[Value], launch: &[Value], names: [&str; 2]) -> bool {
        let all = || tested.iter().chain(launch);
        match self {
            Self::Ratio { max } => within_ratio(all(), max),
            Self::MustDiffer => tested.iter().all(|value| !launch.contains(value)),
            Self::AtLeast => launch.iter().all(|new| {
                let not_below = |old: &Value| typed::at_least(new.text()?, old.text()?);
                tested.iter().all(|old| not_below(old) == Some(true))
            }),
            _ => {
                let of = |values: &'_ [Value], name: &str| -> Vec<Option<String>> {
                    values.iter().map(|value| self.key(value, name)).collect()
                };
                one_key(of(tested, names[0]).into_iter().chain(of(launch, names[1])))
            }
        }
    }

    /// What two values must share to be right.
    fn key(self, value: &Value, environment: &str) -> Option<String> {
        if self == Self::Present {
            return Some(String::new());
        }
        let text = value.text()?;
        match self {
            Self::Canonical => Some(typed::canonical(text)),
            Self::SameMajor => typed::release(text, 1),
            Self::SameMinor => typed::release(text, 2),
            Self::Set => Some(typed::set(text)),
            Self::Named if !environment.is_empty() => Some(text.replace(environment, "{env}")),
            _ => None,
        }
    }
}

fn one_key(mut keys: impl Iterator<Item = Option<String>>) -> bool {
    let Some(Some(first)) = keys.next() else {
        return false;
    };
    keys.all(|key| key.as_ref() == Some(&first))
}

impl fmt::Display for Is {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ratio { max } => write!(f, "may be up to {max} times apart"),
            Self::MustDiffer => f.write_str("must differ between environments"),
            Self::Canonical => f.write_str("may be written in another way"),
            Self::SameMajor => f.write_str("needs the same major version only"),
            Self::SameMinor => f.write_str("needs the same major and minor version only"),
            Self::AtLeast => f.write_str("may be newer where the release goes"),
            Self::Set => f.write_str("may stand in any order"),
            Self::Named => f.write_str("may hold the name of its environment"),
            Self::Present => f.write_str("only needs to be there"),
        }
    }
}

/// A lasting, typed rule of the contract for the facts whose names fit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Rule {
    /// The facts it is for, as [`Pattern`] reads it.
    #[serde(rename = "match")]
    pub pattern: String,
    /// What holds for them.
    #[serde(flatten)]
    pub is: Is,
}

impl Rule {
    /// Whether it can apply as it is written.
    ///
    /// # Errors
    /// A sentence that names the pattern or number that cannot be used.
    pub fn check(&self) -> Result<(), String> {
        Pattern::new(&self.pattern)?;
        match self.is {
            Is::Ratio { max } if !(max.is_finite() && max >= 1.0) => {
                Err(format!("max: {max} is not a factor of 1 or more"))
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.pattern, self.is)
    }
}

/// The rules that can apply, in the contract's order.
pub struct Rules<'a>(Vec<(Pattern, &'a Rule)>);

impl<'a> Rules<'a> {
    /// Takes the rules that pass [`Rule::check`]; the others apply to nothing.
    pub fn new(rules: &'a [Rule]) -> Self {
        let usable = rules.iter().filter(|rule| rule.check().is_ok());
        Self(
            usable
                .filter_map(|rule| Some((Pattern::new(&rule.pattern).ok()?, rule)))
                .collect(),
        )
    }

    /// For the rules of a kind, how the names they are for begin: the text
    /// before the first character with a meaning.
    pub fn prefixes(&self, kind: impl Fn(Is) -> bool) -> Vec<&'a str> {
        let of_kind = self.0.iter().filter(|(_, rule)| kind(rule.is));
        let plain = |text: &'a str| text.split(['*', '?', '[', '{', '\\']).next().unwrap_or("");
        of_kind.map(|(_, rule)| plain(&rule.pattern)).collect()
    }

    /// The first rule that is for this fact.
    pub fn find(&self, name: &FactName) -> Option<&'a Rule> {
        self.0
            .iter()
            .find(|(pattern, _)| pattern.matches(name.as_str()))
            .map(|(_, rule)| *rule)
    }
}

/// Whether all of these are numbers of one sign and the largest is at most
/// `max` times the smallest. Zero is within a factor of zero only.
pub fn within_ratio<'a>(values: impl IntoIterator<Item = &'a Value>, max: f64) -> bool {
    let numbers: Option<Vec<f64>> = values.into_iter().map(Value::number).collect();
    numbers.is_some_and(|numbers| near(&numbers, max))
}

/// The same of amounts with their units: `4 GiB` and `512 MiB`.
pub fn sizes_within<'a>(values: impl IntoIterator<Item = &'a Value>, max: f64) -> bool {
    let sizes = values
        .into_iter()
        .map(|value| typed::magnitude(value.text()?));
    let sizes: Option<Vec<f64>> = sizes.collect();
    sizes.is_some_and(|sizes| near(&sizes, max))
}

fn near(numbers: &[f64], max: f64) -> bool {
    let one_sign = numbers.iter().all(|n| *n > 0.0)
        || numbers.iter().all(|n| *n < 0.0)
        || numbers.iter().all(|n| *n == 0.0);
    let least = numbers.iter().fold(f64::INFINITY, |a, n| a.min(n.abs()));
    let most = numbers.iter().fold(0.0_f64, |a, n| a.max(n.abs()));
    one_sign && most <= least * max
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_fits_whole_names_across_slashes() {
        let fits = |pattern: &str, name: &str| Pattern::new(pattern).unwrap().matches(name);
        assert!(fits("files:*", "files:config/a/app.toml#mode"));
        assert!(fits("packages:libssl3*", "packages:libssl3t64"));
        assert!(fits(
            "files:config/app.toml#/workers",
            "files:config/app.toml#/workers"
        ));
        assert!(!fits("files:config", "files:config/app.toml"));
        assert!(!fits("env:APP_?", "env:APP_MODE"));
        assert!(Pattern::new("a[").unwrap_err().contains("\"a[\""));
    }

    #[test]
    fn path_globs_stay_in_their_folder() {
        let paths = Paths::new(&["config/**", "./*.toml", "**/run.sh"]).unwrap();
        for inside in ["config/a", "config/a/b", "app.toml", "run.sh", "x/y/run.sh"] {
            assert!(paths.matches(inside), "{inside}");
        }
        for outside in ["config", "x/app.toml", "x/config/a", "run.sh/x"] {
            assert!(!paths.matches(outside), "{outside}");
        }
        assert!(Paths::new(&[] as &[&str]).is_err());
    }

    #[test]
    fn rules_read_as_the_contract_writes_them_and_explain_themselves() {
        let written = serde_json::json!([
            {"match": "env:WORKERS", "is": "ratio", "max": 8.0},
            {"match": "env:APP_DB_URL", "is": "must-differ"}
        ]);
        let read: Vec<Rule> = serde_json::from_value(written.clone()).unwrap();
        assert_eq!(
            read[0].to_string(),
            "env:WORKERS may be up to 8 times apart"
        );
        assert_eq!(
            read[1].to_string(),
            "env:APP_DB_URL must differ between environments"
        );
        assert_eq!(serde_json::to_value(&read).unwrap(), written);
    }

    #[test]
    fn the_first_usable_rule_applies() {
        let rule = |pattern: &str, is| Rule {
            pattern: pattern.to_owned(),
            is,
        };
        let rules = [
            rule("env:[", Is::MustDiffer),
            rule("env:*", Is::Ratio { max: 0.5 }),
            rule("env:A*", Is::Ratio { max: f64::NAN }),
            rule("env:A*", Is::Ratio { max: 2.0 }),
            rule("env:*", Is::MustDiffer),
        ];
        let usable = Rules::new(&rules);
        assert_eq!(usable.find(&FactName::new("env", "A1")), Some(&rules[3]));
        assert_eq!(usable.find(&FactName::new("env", "B")), Some(&rules[4]));
        assert_eq!(usable.find(&FactName::new("os", "A")), None);
    }

    #[test]
    fn ratios_weigh_numbers_only() {
        let text = |t: &str| Value::Text(t.to_owned());
        let within = |a: &str, b: &str| within_ratio([&text(a), &text(b)], 8.0);
        assert!(within("2", "16"));
        assert!(within("16", "2"));
        assert!(within("-2", "-16"));
        assert!(within("0", "0"));
        assert!(!within("2", "17"));
        assert!(!within("0", "1"));
        assert!(!within("-1", "1"));
        assert!(!within("2", "many"));
    }
}
