//! The schema of an SQLite database, as its own shell or Python prints it.

use super::Read;
use crate::parity::fact::FactName;

/// Lines of JSON: `["table", "orders", "CREATE TABLE …"]`, and for settings and
/// migrations `["pragma", "user_version", "7"]`, `["migration", "0007_a", ""]`.
/// What only differs in blanks is the same. Of several databases, all but the
/// first are told by their place among them.
pub(super) fn schema(place: &str, text: &str, into: &mut Read) {
    let before = if place == "0" {
        String::new()
    } else {
        format!("{place}/")
    };
    for line in text.lines().filter(|line| !line.is_empty()) {
        let parts: Option<Vec<Option<String>>> = serde_json::from_str(line).ok();
        match parts.as_deref() {
            Some([Some(kind), Some(name), text]) => {
                let text = text.as_deref().unwrap_or("");
                let words: Vec<&str> = text.split_whitespace().collect();
                let says = if words.is_empty() {
                    "yes".to_owned()
                } else {
                    words.join(" ")
                };
                into.put(
                    FactName::new("sqlite", format!("{before}{kind}/{name}")),
                    &says,
                );
            }
            _ => into.odd += 1,
        }
    }
}
