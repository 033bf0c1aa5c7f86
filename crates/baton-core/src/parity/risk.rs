//! How much a difference matters, with every number that made it so.
//!
//! `score = min(100, base × kind × distance × place)`. The base is what kind of
//! thing differs ([`NATURES`]), the other factors say how. Nothing is learned and
//! nothing is hidden: the same difference always has the same score, and every
//! factor is printed with its reason. The order follows the studies in
//! `docs/book/collectors.md`; the numbers are judgement, and a contract may put
//! others in their place.

mod nature;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use nature::{NATURES, Nature, of_value};

use crate::parity::compare::Kind;
use crate::parity::fact::{Class, FactName, Value};
use crate::parity::typed::{self, Apart};

/// How much kinds of things matter where a contract says otherwise than
/// [`NATURES`]: by their key, from 0 to 100.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Weights(#[schemars(with = "BTreeMap<String, f64>")] pub BTreeMap<String, u32>);

/// One number that made a score.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Factor {
    /// What is weighed: `base`, `kind`, `distance`, `place` or `contradiction`.
    pub factor: &'static str,
    /// The number in hundredths: a base of 80 is 8000, a factor of 0.5 is 50.
    pub hundredths: u32,
    /// Why it is this number.
    pub because: String,
}

/// How much a difference matters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Risk {
    /// From 0, nothing, to 100.
    pub score: u32,
    /// The key of the row of [`NATURES`] that gave the base.
    pub nature: &'static str,
    /// Every number that made the score, the base first.
    pub factors: Vec<Factor>,
}

/// From this score on a difference is grave.
pub const GRAVE: u32 = 60;
/// Below this score a difference is slight.
pub const SLIGHT: u32 = 25;

impl Risk {
    /// `grave`, `notable` or `slight`.
    pub fn word(&self) -> &'static str {
        match self.score {
            GRAVE.. => "grave",
            SLIGHT.. => "notable",
            _ => "slight",
        }
    }

    /// The sum as it is shown: `64 = 80 (an address) × 0.8 (another value)`.
    pub fn says(&self) -> String {
        let factors: Vec<String> = self
            .factors
            .iter()
            .map(|of| format!("{} ({})", f64::from(of.hundredths) / 100.0, of.because))
            .collect();
        format!("{} = {}", self.score, factors.join(" × "))
    }

    fn of(nature: &'static str, factors: Vec<Factor>) -> Self {
        let product = factors.iter().fold(1.0, |product, of| {
            product * (f64::from(of.hundredths) / 100.0)
        });
        // At most 100, and never below 0: the cast loses nothing but the fraction.
        let score = product.round().clamp(0.0, 100.0) as u32;
        Self {
            score,
            nature,
            factors,
        }
    }

    /// The same difference, its base by other weights.
    #[must_use]
    pub fn reweighed(mut self, weights: &Weights) -> Self {
        if let Some(base) = weights.0.get(self.nature)
            && let Some(first) = self.factors.first_mut()
        {
            first.hundredths = base.min(&100) * 100;
            first.because = format!("{}, by the contract", first.because);
            return Self::of(self.nature, self.factors);
        }
        self
    }
}

/// Weighs a difference: of which fact, of which kind, between which two values
/// (the tested, the launch one), among siblings or between environments.
pub fn weigh(
    name: &FactName,
    kind: Kind,
    class: Option<Class>,
    values: (Option<&Value>, Option<&Value>),
    among: bool,
) -> Risk {
    let nature = nature::of(name, class, values.1.or(values.0));
    let mut factors = vec![Factor {
        factor: "base",
        hundredths: nature.base * 100,
        because: nature.because.to_owned(),
    }];
    let mut put = |factor, hundredths, because: &str| {
        factors.push(Factor {
            factor,
            hundredths,
            because: because.to_owned(),
        });
    };
    let (by, because) = match kind {
        Kind::Missing => (100, "missing where the release goes"),
        Kind::SameSecret => (125, "the same where it must differ"),
        Kind::Contradiction => (125, "named, and not there"),
        Kind::Changed if breaks_type(values) => (100, "of another type"),
        Kind::Changed => (80, "another value"),
        Kind::Extra => (50, "only where the release goes"),
    };
    put("kind", by, because);
    if let Some((by, because)) = distance(kind, values) {
        put("distance", by, because);
    }
    if among {
        put("place", 120, "hosts of one environment disagree");
    }
    Risk::of(nature.key, factors)
}

/// Whether a number became something else, or the reverse.
fn breaks_type((old, new): (Option<&Value>, Option<&Value>)) -> bool {
    match (old, new) {
        (Some(old), Some(new)) => old.number().is_some() != new.number().is_some(),
        _ => false,
    }
}

fn distance(kind: Kind, values: (Option<&Value>, Option<&Value>)) -> Option<(u32, &'static str)> {
    let (Kind::Changed, Some(old), Some(new)) = (kind, values.0, values.1) else {
        return None;
    };
    if let (Some(old), Some(new)) = (old.number(), new.number()) {
        return Some(match (old.abs().log2() - new.abs().log2()).abs() {
            _ if old * new <= 0.0 => (100, "from or to nothing"),
            doublings if doublings >= 3.0 => (100, "eight times apart or more"),
            doublings if doublings >= 1.0 => (70, "twice apart or more"),
            _ => (40, "less than twice apart"),
        });
    }
    match typed::apart(old.text()?, new.text()?)? {
        Apart::Major => Some((100, "another major version")),
        Apart::Minor => Some((60, "another minor version")),
        Apart::Patch => Some((30, "another patch")),
        Apart::Build => Some((15, "another build")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    fn changed(layer: &str, subject: &str, old: &str, new: &str) -> Risk {
        let name = FactName::new(layer, subject);
        let (old, new) = (text(old), text(new));
        weigh(
            &name,
            Kind::Changed,
            Some(Class::Stable),
            (Some(&old), Some(&new)),
            false,
        )
    }

    #[test]
    fn every_number_is_printed_and_makes_the_score() {
        let risk = changed("env", "API_URL", "http://a:80", "http://b:80");
        assert_eq!(risk.says(), "65 = 81 (an address) × 0.8 (another value)");
        assert_eq!(risk.word(), "grave");
        let risk = changed(
            "packages",
            "libssl3",
            "3.0.15-1~deb12u1",
            "3.0.15-1~deb12u2",
        );
        assert_eq!(
            risk.says(),
            "5 = 45 (a package) × 0.8 (another value) × 0.15 (another build)"
        );
        assert_eq!(risk.word(), "slight");
    }

    #[test]
    fn what_breaks_comes_before_what_is_only_other() {
        let major = changed("packages", "libssl3", "1.1.1", "3.0.15").score;
        let patch = changed("packages", "libssl3", "3.0.14", "3.0.15").score;
        assert!(major > patch);
        let name = FactName::new("env", "DB_KEY");
        let secret = Some(Class::Secret);
        let missing = weigh(&name, Kind::Missing, secret, (None, None), false).score;
        let extra = weigh(&name, Kind::Extra, secret, (None, None), false).score;
        let same = weigh(&name, Kind::SameSecret, secret, (None, None), false).score;
        assert!(same >= missing && missing > extra);
    }

    #[test]
    fn what_nobody_filled_in_is_known_by_its_form() {
        for (key, value) in [
            ("site.quorum", "@ZK@"),
            ("site.quorum", "ZK_QUORUM"),
            ("site.hostname", "HOSTNAME"),
            ("site.rootdir", "hdfs://@HDFS_PATH@/hbase/"),
            ("site.parent", "/{{ PARENT }}"),
        ] {
            let of = nature::of_value(key, value);
            assert_eq!(of.key, "placeholder", "{key} = {value}");
        }
        for (key, value) in [
            ("mail.to", "a@shop.example, b@shop.example"),
            ("auth.type", "SIMPLE"),
            ("write.type", "TYPE_A"),
            ("cache.kind", "MANKIND"),
            ("site.quorum", "zk1"),
            ("a.on", "ON"),
        ] {
            let of = nature::of_value(key, value);
            assert_ne!(of.key, "placeholder", "{key} = {value}");
        }
        // An address that is not there weighs more than another missing value.
        let base = |key, value| nature::of_value(key, value).base;
        assert!(base("x.host", "@H@") > base("x.folder", "@F@"));
        assert!(base("x.fs", "hdfs://a") > base("x.zk", "a:2181"));
    }

    #[test]
    fn a_contract_may_weigh_otherwise() {
        let risk = changed("packages", "x", "1.0", "2.0");
        let weights = Weights([("package".to_owned(), 90)].into());
        let other = risk.clone().reweighed(&weights);
        assert!(other.score > risk.score);
        assert!(other.says().contains("by the contract"), "{}", other.says());
        assert_eq!(risk.clone().reweighed(&Weights::default()), risk);
    }
}
