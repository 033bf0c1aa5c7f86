//! Secrets in facts: known by a keyed hash, kept never.
//!
//! Promises that a value that is secret, or holds a known secret, leaves here
//! only as 64 bits of an HMAC. The key belongs to the ledger and is passed in:
//! without it a weak secret cannot be guessed from a fingerprint. It does not
//! hide secrets in the *contents* of files: of those only a digest exists.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::parity::fact::{Class, Fact, FactName, Value};
use crate::parity::fingerprint::{HostFacts, LayerStatus};

/// The first 64 bits of an HMAC-SHA-256 (RFC 2104, FIPS 198-1), written `hmac:`
/// and 16 lower-case hex digits. Only hashes of one key can be compared.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyedHash(String);

impl KeyedHash {
    /// The keyed hash of these bytes.
    ///
    /// # Panics
    /// Never: HMAC takes a key of any length.
    pub fn of(key: &[u8], bytes: &[u8]) -> Self {
        use fmt::Write as _;
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
        mac.update(bytes);
        let mut text = "hmac:".to_owned();
        for byte in mac.finalize().into_bytes().iter().take(8) {
            let _written = write!(text, "{byte:02x}");
        }
        Self(text)
    }

    /// Reads a hash as [`Self::as_str`] writes it.
    pub fn parse(text: &str) -> Option<Self> {
        let hex = text.strip_prefix("hmac:")?;
        let digits = hex.len() == 16 && hex.bytes().all(|b| b.is_ascii_hexdigit());
        digits.then(|| Self(text.to_owned()))
    }

    /// The hash as text, with its `hmac:` prefix.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A short form for people: the first 12 hex digits.
    pub fn short(&self) -> &str {
        self.0.get(5..17).unwrap_or(&self.0)
    }
}

/// Whether a variable's name says that its value is a secret: it holds `KEY`,
/// `SECRET`, `TOKEN` or `PASSWORD`, in any case.
pub fn looks_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    ["KEY", "SECRET", "TOKEN", "PASSWORD"]
        .iter()
        .any(|word| name.contains(word))
}

/// Whether a text carries a secret of its own: a private key in PEM, or an
/// address with a password in it (`postgres://shop:PASSWORD@db/shop`).
pub fn carries_secret(text: &str) -> bool {
    let private = text.contains("-----BEGIN") && text.contains("PRIVATE KEY-----");
    private
        || text.split("://").skip(1).any(|rest| {
            let end = rest
                .find(|c: char| matches!(c, '/' | '?' | '#') || c.is_whitespace())
                .unwrap_or(rest.len());
            rest[..end]
                .rsplit_once('@')
                .is_some_and(|(user, _)| user.contains(':'))
        })
}

/// Words of keys in structured texts that are secrets beside those of
/// [`looks_secret`]. Better one honest value too many is only known by its hash.
const KEY_WORDS: [&str; 6] = ["PASS", "PWD", "CREDENTIAL", "PRIVATE", "AUTH", "SALT"];

/// Whether a value of a structured text is a secret: it is marked as one, a key
/// on the way to it says so (`env/DB_PASSWORD/value`), or it is an assignment
/// to such a name (`DB_PASSWORD=…`, as containers list their variables).
fn is_secret_value(name: &FactName, fact: &Fact, text: &str) -> bool {
    let secret = |word: &str| {
        let upper = word.to_ascii_uppercase();
        looks_secret(word) || KEY_WORDS.iter().any(|known| upper.contains(known))
    };
    let Some(path) = name.attribute_name().filter(|path| path.starts_with('/')) else {
        return false;
    };
    let assigned = text.split_once('=').is_some_and(|(name, _)| {
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        name.chars().all(word) && secret(name)
    });
    fact.class == Class::Secret || path.split('/').any(secret) || assigned
}

/// Shortest secret that is looked for inside other texts, in bytes. A shorter
/// one is more likely a word (`SORT_KEY=name`), and would hide honest text.
const SOUGHT_MIN: usize = 6;

/// The secrets known on one host, and the key under which they are compared.
pub struct Secrets<'a> {
    key: &'a [u8],
    values: Vec<&'a str>,
}

impl<'a> Secrets<'a> {
    /// Takes the values that must not be kept.
    pub fn new(key: &'a [u8], values: impl IntoIterator<Item = &'a str>) -> Self {
        Self {
            key,
            values: values
                .into_iter()
                .filter(|value| value.len() >= SOUGHT_MIN)
                .collect(),
        }
    }

    fn hold(&self, text: &str) -> bool {
        self.values.iter().any(|value| text.contains(value)) || carries_secret(text)
    }

    /// Withholds every known secret from what was collected. A text that holds
    /// one is kept as a keyed hash as a whole, so that a change still shows.
    pub fn withhold(&self, facts: HostFacts) -> HostFacts {
        let named = |name: FactName| {
            if !self.hold(name.as_str()) {
                return name;
            }
            let hash = KeyedHash::of(self.key, name.as_str().as_bytes());
            FactName::new(name.layer(), hash.as_str())
        };
        let known = |name: &FactName, fact: Fact| match &fact.value {
            Value::Text(text) if self.hold(text) || is_secret_value(name, &fact, text) => {
                Fact::secret(self.key, text)
            }
            _ => fact,
        };
        let told = |status: LayerStatus| {
            status.map_reason(|reason| {
                if self.hold(&reason) {
                    "the reason holds a secret and is withheld".to_owned()
                } else {
                    reason
                }
            })
        };
        HostFacts {
            facts: facts
                .facts
                .into_iter()
                .map(|(name, fact)| {
                    let fact = known(&name, fact);
                    (named(name), fact)
                })
                .collect(),
            layers: facts
                .layers
                .into_iter()
                .map(|(layer, status)| (layer, told(status)))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keyed_hash_matches_the_published_vector() {
        // RFC 4231, test case 2.
        let hash = KeyedHash::of(b"Jefe", b"what do ya want for nothing?");
        assert_eq!(hash.as_str(), "hmac:5bdcc146bf60754e");
        assert_eq!(hash.short(), "5bdcc146bf60");
        assert_ne!(
            hash,
            KeyedHash::of(b"other", b"what do ya want for nothing?")
        );
    }

    #[test]
    fn names_and_texts_betray_their_secrets() {
        for name in ["DB_KEY", "api_token", "CLIENT_SECRET", "PGPASSWORD"] {
            assert!(looks_secret(name), "{name}");
        }
        assert!(!looks_secret("APP_MODE"));
        assert!(carries_secret("postgres://shop:hunter2@db/shop"));
        assert!(carries_secret("-----BEGIN EC PRIVATE KEY-----\n..."));
        for open in [
            "http://web1:8080/a@b",
            "https://shop.example",
            "a:b@c",
            "x://",
        ] {
            assert!(!carries_secret(open), "{open}");
        }
    }

    #[test]
    fn a_secret_of_a_structured_text_is_withheld() {
        let thing = FactName::new("command", "docker");
        for (path, text) in [
            ("/db/pass", "canary"),
            ("/spec/env/DB_PASSWORD/value", "canary"),
            ("/0/Config/Env/3", "DB_PASSWORD=canary"),
        ] {
            let fact = Fact::stable(Value::Text(text.to_owned()));
            let facts = [(thing.attribute(path), fact)].into();
            let layers = [].into();
            let kept = Secrets::new(b"key", []).withhold(HostFacts { facts, layers });
            assert!(!format!("{kept:?}").contains("canary"), "{path}");
        }
        let open = Fact::stable(Value::Text("PATH=/bin".to_owned()));
        let facts: std::collections::BTreeMap<_, _> = [(thing.attribute("/Env/0"), open)].into();
        let host = HostFacts {
            facts,
            layers: [].into(),
        };
        assert_eq!(Secrets::new(b"key", []).withhold(host.clone()), host);
    }

    #[test]
    fn a_known_secret_is_withheld_wherever_it_stands() {
        let mut facts = HostFacts::default();
        let text = |t: &str| Fact::stable(Value::Text(t.to_owned()));
        facts
            .facts
            .insert(FactName::new("command", "x"), text("is canary-1 here"));
        facts
            .facts
            .insert(FactName::new("files", "canary-1.txt"), text("a"));
        facts
            .facts
            .insert(FactName::new("env", "APP_SORT"), text("id"));
        let reason = "cannot read canary-1.txt".to_owned();
        facts
            .layers
            .insert("files".to_owned(), LayerStatus::Partial(reason));

        let kept = Secrets::new(b"key", ["canary-1", "id"]).withhold(facts.clone());
        assert!(!serde_json::to_string(&kept).unwrap().contains("canary-1"));
        assert_eq!(kept.facts.len(), 3);
        // Too short to be looked for: an honest word stays.
        assert_eq!(kept.facts[&FactName::new("env", "APP_SORT")], text("id"));
        // And a change of the text around it still shows.
        facts
            .facts
            .insert(FactName::new("command", "x"), text("was canary-1 here"));
        assert_ne!(Secrets::new(b"key", ["canary-1"]).withhold(facts), kept);
    }
}
