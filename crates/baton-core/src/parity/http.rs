//! What an address answers, as facts.
//!
//! Status, headers and the shape of the answer are compared, not its values:
//! these are data. Headers that are made for each answer are not compared. The
//! exchange itself is the engine's work.

use std::collections::BTreeMap;

use crate::parity::doc::{self, Format};
use crate::parity::fact::{Class, Fact, FactName, Value};
use crate::parity::noise;
use crate::parity::output::text_or_hash;

/// Most headers of one answer that are kept.
const HEADERS_MAX: usize = 200;

/// One answer over HTTP.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// The status.
    pub status: u16,
    /// Its headers, in any order; a name may stand several times.
    pub headers: &'a [(String, String)],
    /// The beginning of its body, or all of it.
    pub body: &'a [u8],
}

/// The facts of an answer: `http:ID` is the status, `#header/NAME` each header,
/// `#/path` what kind of value stands at each path of a JSON body.
pub fn facts(id: &str, answer: Answer<'_>) -> BTreeMap<FactName, Fact> {
    let thing = FactName::new("http", id);
    let mut found = BTreeMap::new();
    let mut put = |name: FactName, text: String| {
        let class = noise::class(&name);
        let value = text_or_hash(text);
        let _before = found.insert(name, Fact { value, class });
    };
    put(thing.clone(), answer.status.to_string());
    let mut headers: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in answer.headers.iter().take(HEADERS_MAX) {
        let name = name.to_ascii_lowercase();
        let value = steady(&name, value);
        headers.entry(name).or_default().push(value);
    }
    for (name, mut values) in headers {
        values.sort();
        put(
            thing.attribute(&format!("header/{name}")),
            values.join(", "),
        );
    }
    let text = String::from_utf8_lossy(answer.body);
    if text.trim_start().starts_with(['{', '['])
        && let Ok(kinds) = doc::kinds(&text)
    {
        for (path, kind) in kinds {
            put(thing.attribute(&path), kind.to_owned());
        }
    } else if doc::paths(Format::Json, &text).is_err() && text.trim_start().starts_with('{') {
        put(thing.attribute("body"), "broken JSON".to_owned());
    }
    found
}

/// The part of a header that is not made for each answer: of a cookie its name
/// and attributes, of a policy everything but its nonce.
fn steady(name: &str, value: &str) -> String {
    match name {
        "set-cookie" => {
            let mut parts = value.split(';').map(str::trim);
            let cookie = parts
                .next()
                .and_then(|part| part.split('=').next())
                .unwrap_or("");
            let kept = parts.filter(|part| {
                let lower = part.to_ascii_lowercase();
                !lower.starts_with("expires=")
            });
            [cookie]
                .into_iter()
                .chain(kept)
                .collect::<Vec<_>>()
                .join("; ")
        }
        "content-security-policy" | "content-security-policy-report-only" => {
            let words = value.split(' ').map(|word| match word {
                nonce if nonce.starts_with("'nonce-") => "'nonce-…'",
                other => other,
            });
            words.collect::<Vec<_>>().join(" ")
        }
        _ => value.to_owned(),
    }
}

/// The facts of a certificate and its connection, from what `openssl s_client`
/// and `openssl x509 -noout -subject -issuer -enddate -ext subjectAltName`
/// print: `#tls/protocol`, `/cipher`, `/verified`, `/issuer`, `/names`, `/until`.
pub fn certificate(id: &str, text: &str) -> BTreeMap<FactName, Fact> {
    let thing = FactName::new("http", id);
    let mut found = BTreeMap::new();
    let mut put = |what: &str, text: &str| {
        let name = thing.attribute(&format!("tls/{what}"));
        let class = noise::class(&name);
        let value = text_or_hash(text.trim().to_owned());
        let _before = found.insert(name, Fact { value, class });
    };
    let mut lines = text.lines().map(str::trim);
    while let Some(line) = lines.next() {
        if let Some(rest) = line.strip_prefix("New, ") {
            if let Some((protocol, cipher)) = rest.split_once(", Cipher is ") {
                put("protocol", protocol);
                put("cipher", cipher);
            }
        } else if let Some(said) = line.strip_prefix("Verify return code: ") {
            put("verified", said);
        } else if let Some(issuer) = line.strip_prefix("issuer=") {
            put("issuer", issuer);
        } else if let Some(subject) = line.strip_prefix("subject=") {
            put("subject", subject);
        } else if let Some(until) = line.strip_prefix("notAfter=") {
            put("until", until);
        } else if line.starts_with("X509v3 Subject Alternative Name") {
            let mut names: Vec<&str> = lines.next().unwrap_or("").split(", ").collect();
            names.sort_unstable();
            put("names", &names.join(", "));
        }
    }
    found
}

/// How long a certificate must still hold, in days, lest it be a difference.
pub const CERTIFICATE_DAYS_MIN: i64 = 14;

/// The fact that says how long a certificate still holds.
pub fn lasting(id: &str, days: i64) -> (FactName, Fact) {
    let name = FactName::new("http", id).attribute("tls/lasts");
    let says = match days {
        ..0 => "expired".to_owned(),
        0..CERTIFICATE_DAYS_MIN => format!("less than {CERTIFICATE_DAYS_MIN} days"),
        _ => format!("{CERTIFICATE_DAYS_MIN} days or more"),
    };
    (
        name,
        Fact {
            value: Value::Text(says),
            class: Class::Stable,
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(facts: &BTreeMap<FactName, Fact>) -> Vec<String> {
        let compared = facts.iter().filter(|(_, fact)| fact.class == Class::Stable);
        compared
            .map(|(name, fact)| format!("{name} {}", fact.value.shown()))
            .collect()
    }

    fn answer(headers: &[(&str, &str)], body: &str) -> BTreeMap<FactName, Fact> {
        let headers: Vec<(String, String)> = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        facts(
            "health",
            Answer {
                status: 200,
                headers: &headers,
                body: body.as_bytes(),
            },
        )
    }

    #[test]
    fn two_answers_of_one_server_are_the_same() {
        let a = answer(
            &[
                ("Date", "Mon, 23 Nov 2026 01:00:00 GMT"),
                ("ETag", "\"a1\""),
                ("X-Request-Id", "11"),
                ("Set-Cookie", "sid=first; Path=/; Expires=Mon; HttpOnly"),
                ("Content-Security-Policy", "script-src 'nonce-aaa' 'self'"),
                ("Server", "nginx"),
            ],
            r#"{"status": "ok", "uptime": 12.5, "parts": [{"name": "db", "up": true}]}"#,
        );
        let b = answer(
            &[
                ("server", "nginx"),
                ("date", "Mon, 23 Nov 2026 01:00:09 GMT"),
                ("etag", "\"b2\""),
                ("x-request-id", "12"),
                ("set-cookie", "sid=second; Path=/; Expires=Tue; HttpOnly"),
                ("content-security-policy", "script-src 'nonce-bbb' 'self'"),
            ],
            r#"{"parts": [{"up": false, "name": "db"}], "uptime": 13, "status": "ok"}"#,
        );
        assert_eq!(shown(&a), shown(&b));
        assert!(
            shown(&a).contains(&"http:health#/uptime number".to_owned()),
            "{:?}",
            shown(&a)
        );
        let gone = answer(&[("server", "nginx")], r#"{"status": "ok"}"#);
        assert_ne!(shown(&a), shown(&gone));
    }

    #[test]
    fn a_certificate_is_known_by_issuer_names_and_protocol() {
        let text = "New, TLSv1.3, Cipher is TLS_AES_256_GCM_SHA384\nVerify return code: 0 (ok)\n\
            subject=CN = shop.example\nissuer=C = US, O = Let's Encrypt, CN = E5\n\
            notAfter=Jan 30 11:22:33 2027 GMT\nX509v3 Subject Alternative Name: \n    DNS:b, DNS:a\n";
        let facts = certificate("site", text);
        let of = |what: &str| {
            let fact = &facts[&FactName::new("http", "site").attribute(&format!("tls/{what}"))];
            fact.value.text().unwrap().to_owned()
        };
        assert_eq!(of("protocol"), "TLSv1.3");
        assert_eq!(of("names"), "DNS:a, DNS:b");
        assert_eq!(of("verified"), "0 (ok)");
        assert_eq!(lasting("site", -1).1.value.text(), Some("expired"));
        assert_ne!(lasting("site", 13).1, lasting("site", 14).1);
    }

    #[test]
    fn any_bytes_give_facts() {
        for body in ["\u{0}\u{1}", "{\"a\":", "[[[[", "<html>", ""] {
            assert!(!answer(&[("", ""), ("set-cookie", "")], body).is_empty());
        }
    }
}
