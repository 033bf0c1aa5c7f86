//! What kind of thing a fact is about, and how much such a thing matters.

use crate::parity::fact::{Class, FactName, Value};

/// One kind of thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nature {
    /// By which a contract names it.
    pub key: &'static str,
    /// How much a difference of it matters at most, from 0 to 100.
    pub base: u32,
    /// What it is, for people.
    pub because: &'static str,
}

/// All kinds of things. Secrets, migrations and schemas break a launch for
/// certain; addresses, hosts and paths are what studies of failures name first;
/// a plain setting is rarely the cause.
pub const NATURES: [Nature; 20] = [
    nature("secret", 95, "a secret"),
    nature("migration", 95, "a migration"),
    nature("schema", 90, "a schema"),
    nature("placeholder", 90, "a placeholder that nobody filled in"),
    nature("host", 85, "a host"),
    nature("endpoint", 80, "an address"),
    nature("certificate", 75, "a certificate"),
    nature("runtime", 75, "a runtime"),
    nature("system", 70, "the operating system"),
    nature("flag", 45, "a switch"),
    nature("path", 65, "a path"),
    nature("permission", 60, "a permission"),
    nature("service", 60, "a service"),
    nature("command", 55, "what a command says"),
    nature("package", 45, "a package"),
    nature("limit", 40, "a limit of the system"),
    nature("locale", 40, "language or time"),
    nature("number", 36, "a number"),
    nature("setting", 35, "a setting"),
    nature("file", 30, "the content of a file"),
];

const fn nature(key: &'static str, base: u32, because: &'static str) -> Nature {
    Nature { key, base, because }
}

/// By layer, where the layer says it all.
const LAYERS: [(&str, &str); 17] = [
    ("host", "host"),
    ("os", "system"),
    ("packages", "package"),
    ("locks", "package"),
    ("runtimes", "runtime"),
    ("sysctl", "limit"),
    ("limits", "limit"),
    ("locale", "locale"),
    ("time", "locale"),
    ("users", "permission"),
    ("services", "service"),
    ("cron", "service"),
    ("listeners", "endpoint"),
    ("http", "endpoint"),
    ("dns", "host"),
    ("sqlite", "schema"),
    ("postgres", "schema"),
];

/// Looks a kind up by its key.
fn by_key(key: &str) -> Nature {
    let found = NATURES.into_iter().find(|nature| nature.key == key);
    found.unwrap_or(nature("setting", 35, "a setting"))
}

/// The nature of a fact: by its class, by its layer, else by its value.
pub(super) fn of(name: &FactName, class: Option<Class>, value: Option<&Value>) -> Nature {
    let attribute = name
        .as_str()
        .split_once('#')
        .map(|(_, attribute)| attribute);
    if class == Some(Class::Secret) || matches!(value, Some(Value::Keyed(_))) {
        return by_key("secret");
    }
    if matches!(attribute, Some("mode" | "owner" | "group")) {
        return by_key("permission");
    }
    let layer = name.layer();
    if layer == "http" && attribute.is_some_and(|of| of.starts_with("tls/")) {
        return by_key("certificate");
    }
    if layer == "http" && attribute.is_some_and(|of| of.starts_with("header/")) {
        return by_key("setting");
    }
    if layer == "process" && attribute.is_none_or(|of| of.starts_with("/limits/")) {
        return by_key(if attribute.is_none() {
            "service"
        } else {
            "limit"
        });
    }
    if layer == "references" {
        let kind = name
            .as_str()
            .trim_start_matches("references:")
            .split(':')
            .next();
        return by_key(match kind {
            Some("host") => "host",
            Some("port") => "endpoint",
            _ => "path",
        });
    }
    if layer == "postgres" && name.as_str().contains(":setting/") {
        return by_key("setting");
    }
    if matches!(layer, "sqlite" | "postgres") && name.as_str().contains("migration") {
        return by_key("migration");
    }
    if let Some((_, key)) = LAYERS.iter().find(|(of, _)| *of == layer) {
        return by_key(key);
    }
    match value {
        Some(Value::Text(text)) => {
            let of = of_value(name.as_str(), text);
            if layer == "command" && of.key == "setting" {
                return by_key("command");
            }
            of
        }
        Some(Value::Hash(_) | Value::Present) if layer == "files" => by_key("file"),
        _ => by_key("setting"),
    }
}

/// The nature of a setting by what its value looks like, and its name.
pub fn of_value(name: &str, value: &str) -> Nature {
    let value = value.trim();
    let last = name
        .rsplit(['.', '/', '#', ':', '_', '-'])
        .next()
        .unwrap_or("");
    let last = last.to_ascii_lowercase();
    let named = |words: &[&str]| words.iter().any(|word| last.ends_with(word));
    let lower = value.to_ascii_lowercase();
    let place = [
        "host", "hostname", "quorum", "address", "url", "uri", "endpoint",
    ];
    if is_placeholder(value) || holds_placeholder(value) || names_itself(&last, value) {
        // What should stand there matters as much as it would if it stood there.
        let more = u32::from(named(&place) || value.contains("://"));
        let placeholder = by_key("placeholder");
        let base = placeholder.base + more;
        return Nature {
            base,
            ..placeholder
        };
    }
    if value.contains("://") && is_endpoint(value) {
        // It names a protocol and often a path besides: more of it can be wrong.
        let endpoint = by_key("endpoint");
        let base = endpoint.base + 1;
        return Nature { base, ..endpoint };
    }
    let key = if matches!(
        lower.as_str(),
        "true" | "false" | "yes" | "no" | "on" | "off"
    ) {
        "flag"
    } else if matches!(value, "0.0.0.0" | "::" | "*") {
        // Every address there is says nothing of the place.
        "setting"
    } else if is_endpoint(value) || named(&["address", "url", "uri", "endpoint"]) {
        "endpoint"
    } else if is_host(value) || named(&["host", "hostname", "quorum"]) {
        "host"
    } else if is_path(value) || named(&["dir", "path", "directory", "folder"]) {
        "path"
    } else if value.parse::<f64>().is_ok() {
        "number"
    } else {
        "setting"
    };
    by_key(key)
}

/// What a template or a script was to fill in: `@NAME@`, `[% NAME %]`, `{{ name }}`, `<name>`.
fn is_placeholder(value: &str) -> bool {
    let marks = [
        ("@", "@"),
        ("[%", "%]"),
        ("{{", "}}"),
        ("<", ">"),
        ("%%", "%%"),
    ];
    let within = |(open, close): (&str, &str)| {
        let inner = value
            .strip_prefix(open)
            .and_then(|rest| rest.strip_suffix(close));
        inner.is_some_and(|inner| !inner.trim().is_empty() && !inner.contains(close))
    };
    marks.into_iter().any(within)
}

/// The same within a longer value: `hdfs://@HDFS_PATH@/hbase`.
fn holds_placeholder(value: &str) -> bool {
    let capital = |text: &str| {
        let word = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
        text.bytes().all(word) && text.bytes().any(|b| b.is_ascii_uppercase())
    };
    [("@", "@"), ("[%", "%]"), ("{{", "}}")]
        .into_iter()
        .any(|(open, close)| {
            value.match_indices(open).any(|(at, _)| {
                let inner = value[at + open.len()..].split_once(close);
                inner.is_some_and(|(inner, _)| capital(inner.trim()))
            })
        })
}

/// A variable in capitals that ends in the last word of its own key, `quorum =
/// ZK_QUORUM`: whoever was to fill it in did not.
fn names_itself(last: &str, value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    let capitals = value.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
    let before = lower.strip_suffix(last);
    last.len() > 3 && capitals && before.is_some_and(|text| text.is_empty() || text.ends_with('_'))
}

/// `scheme://…`, or `host:port`.
fn is_endpoint(value: &str) -> bool {
    if value.contains("://") {
        return !value.starts_with("file:");
    }
    let Some((host, port)) = value.rsplit_once(':') else {
        return false;
    };
    let port = port.len() >= 2 && port.len() <= 5 && port.bytes().all(|b| b.is_ascii_digit());
    port && !host.is_empty()
        && host
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b".-_[]:".contains(&b))
}

fn is_path(value: &str) -> bool {
    let value = value
        .strip_prefix("file://")
        .or_else(|| value.strip_prefix("file:"))
        .unwrap_or(value);
    let rooted = value.starts_with('/') || value.starts_with("${") && value.contains('/');
    rooted && value.len() > 1 && !value.contains(char::is_whitespace)
}

/// Dotted words in lower case whose first is no package of a program
/// (`org.apache…`), or an address of version 4.
fn is_host(value: &str) -> bool {
    let parts: Vec<&str> = value.split('.').collect();
    let word = |part: &&str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    let letters = value.bytes().any(|b| b.is_ascii_lowercase());
    let program = ["org", "com", "io", "java", "net"].contains(&parts[0]);
    let four = parts.len() == 4 && parts.iter().all(|part| part.parse::<u8>().is_ok());
    value == "localhost"
        || four
        || (parts.len() > 1 && letters && !program && parts.iter().all(word))
}
