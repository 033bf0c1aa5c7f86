//! What a database says of itself, as its own shell or Python prints it.

use super::Read;
use crate::parity::fact::FactName;

/// Lines of JSON: `["table", "orders", "CREATE TABLE …"]`, and for settings and
/// migrations `["pragma", "user_version", "7"]`, `["migration", "0007_a", ""]`;
/// a fourth text names an attribute. What only differs in blanks is the same.
/// Of several databases, all but the first are told by their place among them.
pub(super) fn schema(layer: &str, place: &str, text: &str, into: &mut Read) {
    let before = if place == "0" {
        String::new()
    } else {
        format!("{place}/")
    };
    for line in text.lines().filter(|line| !line.is_empty()) {
        let parts: Option<Vec<Option<String>>> = serde_json::from_str(line).ok();
        let (kind, name, text, attribute) = match parts.as_deref() {
            Some([Some(kind), Some(name), text]) => (kind, name, text, None),
            Some([Some(kind), Some(name), text, Some(of)]) => (kind, name, text, Some(of)),
            _ => {
                into.odd += 1;
                continue;
            }
        };
        let words: Vec<&str> = text.as_deref().unwrap_or("").split_whitespace().collect();
        let says = if words.is_empty() {
            "yes".to_owned()
        } else {
            words.join(" ")
        };
        let name = FactName::new(layer, format!("{before}{kind}/{name}"));
        into.put(
            attribute.map_or_else(|| name.clone(), |of| name.attribute(of)),
            &says,
        );
    }
}
