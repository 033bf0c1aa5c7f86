//! What two readings of an idle environment propose, as text to paste.

use baton_core::parity::twice::{Proposals, ProposedWaiver, Seen};
use serde_json::json;

use crate::render::{Out, Tone};

/// How many of the facts that a proposal was made from are shown beside it.
const SEEN_MAX: usize = 3;

/// Shows what is proposed, for a contract and for a shell.
pub(super) fn show(out: &Out, proposals: &Proposals) {
    out.heading("Changes by itself");
    if proposals.is_empty() {
        let says = "Nothing did between the two readings, or a rule finds it right.";
        return out.text(says, 2, Tone::Plain);
    }
    let line = |text: String| out.line(out.paint(text, Tone::Plain));
    if !proposals.rules.is_empty() {
        let says = "If nobody changed anything in between, put these behind the rules of the contract. \
                    Each fits what changed, and nothing that stayed.";
        out.text(says, 2, Tone::Quiet);
        out.gap();
        line("parity:".to_owned());
        line("  rules:".to_owned());
    }
    for proposed in &proposals.rules {
        for seen in comments(&proposed.made_from) {
            out.line(out.paint(format!("    # {seen}"), Tone::Quiet));
        }
        // A text of JSON is one of YAML as well.
        let is = &json!(proposed.rule)["is"];
        let pattern = json!(proposed.rule.pattern);
        line(format!(
            "    - {{ match: {pattern}, is: {} }}",
            is.as_str().unwrap_or_default()
        ));
    }
    if !proposals.waivers.is_empty() {
        out.heading("Comes or goes by itself");
        let says = "No lasting rule should hide that. Collect less, or set it aside for a while.";
        out.text(says, 2, Tone::Quiet);
        out.gap();
    }
    for waiver in &proposals.waivers {
        for seen in comments(&waiver.made_from) {
            out.line(out.paint(format!("# {seen}"), Tone::Quiet));
        }
        line(command(waiver));
    }
    if !proposals.ruled.is_empty() {
        out.heading("Changes, and has a rule that does not allow it");
    }
    for ruled in &proposals.ruled {
        let says = format!("{}; by the rule, {}", said(&ruled.seen), ruled.rule);
        out.text(&says, 2, Tone::Plain);
    }
}

/// What a proposal was made from, in a few lines.
fn comments(made_from: &[Seen]) -> Vec<String> {
    let mut lines: Vec<String> = made_from.iter().take(SEEN_MAX).map(said).collect();
    let more = made_from.len() - lines.len();
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    lines
}

/// `web1: command:up was 12, then 14`.
fn said(seen: &Seen) -> String {
    let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "not there".to_owned());
    let host = match seen.host.is_here() {
        true => "the contract's folder",
        false => seen.host.as_str(),
    };
    let (first, second) = (value(&seen.first), value(&seen.second));
    format!("{host}: {} was {first}, then {second}", seen.fact)
}

fn command(waiver: &ProposedWaiver) -> String {
    let matches: String = waiver
        .matches
        .iter()
        .map(|pattern| format!(" --match {}", quoted(pattern)))
        .collect();
    format!(
        "baton waive parity.unexplained{matches} --because 'It comes and goes by itself' --until 30d"
    )
}

/// One word for a shell (POSIX, 2.2.2).
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_one_word_for_a_shell() {
        let waiver = ProposedWaiver {
            matches: vec!["files:it's $HOME".to_owned(), "web1".to_owned()],
            made_from: Vec::new(),
        };
        let expected = r"--match 'files:it'\''s $HOME' --match 'web1' --because";
        assert!(command(&waiver).contains(expected), "{}", command(&waiver));
    }
}
