//! What was found, in the formats of other tools: SARIF, JUnit and Markdown.
//!
//! `check` and `parity` share these writers. A [`Sheet`] is what either of them
//! found; nothing here judges it. Sources: SARIF 2.1.0 (OASIS, 27 March 2020),
//! the JUnit schema that CI servers read, GitHub Flavored Markdown 0.29.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use baton_core::diag::{Code, Severity};
use serde_json::{Value, json};

/// Everything that was asked, and what was found.
#[derive(Clone, Debug)]
pub(crate) struct Sheet {
    /// The verdict in a line.
    pub(crate) title: String,
    /// What was asked, each with what was found.
    pub(crate) groups: Vec<Group>,
    /// What should be known besides.
    pub(crate) beside: Vec<Finding>,
}

/// One thing that was asked.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    /// Its key.
    pub(crate) key: String,
    /// The question, for people.
    pub(crate) asks: String,
    /// Where it stands, in a word.
    pub(crate) state: String,
    /// Why it was not asked, when it was not.
    pub(crate) skipped: Option<String>,
    /// What speaks against it.
    pub(crate) findings: Vec<Finding>,
}

/// One thing that was found.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    /// Its code.
    pub(crate) code: Code,
    /// How much it weighs.
    pub(crate) severity: Severity,
    /// The sentence.
    pub(crate) says: String,
    /// What it names.
    pub(crate) names: Vec<String>,
    /// Whose it is.
    pub(crate) owner: Option<String>,
    /// What to do next.
    pub(crate) next: Option<String>,
    /// File, line and column, from 1.
    pub(crate) place: Option<(String, u32, u32)>,
    /// Why it was set aside, when it was.
    pub(crate) waived: Option<String>,
}

impl Sheet {
    fn findings(&self) -> impl Iterator<Item = &Finding> {
        let asked = self.groups.iter().flat_map(|group| &group.findings);
        asked.chain(&self.beside)
    }

    /// As a SARIF 2.1.0 log with one run.
    pub(crate) fn sarif(&self) -> Value {
        let codes: BTreeSet<&str> = self.findings().map(|finding| finding.code.0).collect();
        let places: BTreeMap<&str, usize> = codes.iter().copied().zip(0..).collect();
        let rules: Vec<Value> = codes
            .iter()
            .map(|code| {
                let help = format!("`baton explain {code}` says what it means.");
                json!({ "id": code, "help": { "text": help } })
            })
            .collect();
        let results: Vec<Value> = self
            .findings()
            .map(|finding| finding.sarif(places[finding.code.0]))
            .collect();
        json!({
            "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
            "version": "2.1.0",
            "runs": [{
                "tool": { "driver": {
                    "name": "baton",
                    "version": env!("CARGO_PKG_VERSION"),
                    "rules": rules,
                } },
                "columnKind": "unicodeCodePoints",
                "results": results,
            }],
        })
    }

    /// As JUnit XML: a suite for each group, a case for each code.
    pub(crate) fn junit(&self) -> String {
        let mut suites = String::new();
        let mut total = [0; 4];
        for group in &self.groups {
            let (cases, counts) = group.junit();
            let _written = write!(
                suites,
                "  <testsuite name=\"{}\"{}>\n{cases}  </testsuite>\n",
                xml(&group.key),
                counted(counts)
            );
            for (sum, count) in total.iter_mut().zip(counts) {
                *sum += count;
            }
        }
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"{}\"{}>\n{suites}</testsuites>",
            xml(&self.title),
            counted(total)
        )
    }

    /// As Markdown with tables.
    pub(crate) fn markdown(&self) -> String {
        let mut text = format!(
            "## {}\n\n| question | state |\n|---|---|\n",
            mark(&self.title)
        );
        for group in &self.groups {
            let _written = writeln!(text, "| {} | {} |", mark(&group.asks), mark(&group.state));
        }
        let open: Vec<&Finding> = self.findings().collect();
        if !open.is_empty() {
            text.push_str("\n| code | says | owner | next |\n|---|---|---|---|\n");
        }
        for finding in open {
            let mut says = mark(&finding.says);
            if let Some(why) = &finding.waived {
                let _written = write!(says, " (waived: {})", mark(why));
            }
            let owner = finding.owner.as_deref().unwrap_or_default();
            let next = finding.next.as_deref().unwrap_or_default();
            let _written = writeln!(
                text,
                "| {} | {says} | {} | {} |",
                mark(finding.code.0),
                mark(owner),
                mark(next)
            );
        }
        text.trim_end().to_owned()
    }
}

/// ` tests=… failures=… errors=… skipped=…`.
fn counted([tests, failures, errors, skipped]: [usize; 4]) -> String {
    format!(" tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"{skipped}\"")
}

impl Group {
    /// Its cases, and how many there are: all, failed, in error, skipped.
    fn junit(&self) -> (String, [usize; 4]) {
        let mut by_code: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
        let standing = self.findings.iter().filter(|one| one.waived.is_none());
        for finding in standing {
            by_code.entry(finding.code.0).or_default().push(finding);
        }
        let class = xml(&self.key);
        if by_code.is_empty() {
            let name = xml(&self.asks);
            let case = format!("    <testcase classname=\"{class}\" name=\"{name}\"");
            return match &self.skipped {
                None => (format!("{case}/>\n"), [1, 0, 0, 0]),
                Some(why) => (
                    format!(
                        "{case}>\n      <skipped message=\"{}\"/>\n    </testcase>\n",
                        xml(why)
                    ),
                    [1, 0, 0, 1],
                ),
            };
        }
        let (mut text, mut counts) = (String::new(), [0; 4]);
        for (code, findings) in by_code {
            // Something required that could not be read is an error, not a failure.
            let known = findings.iter().any(|one| one.severity == Severity::Error);
            let tag = if known { "failure" } else { "error" };
            counts[0] += 1;
            counts[if known { 1 } else { 2 }] += 1;
            let first = findings.first().map_or("", |one| one.says.as_str());
            let lines: Vec<String> = findings.iter().map(|one| one.lines()).collect();
            let _written = write!(
                text,
                "    <testcase classname=\"{class}\" name=\"{code}\">\n      <{tag} type=\"{code}\" message=\"{}\">{}</{tag}>\n    </testcase>\n",
                xml(first),
                xml(&lines.join("\n")),
            );
        }
        (text, counts)
    }
}

impl Finding {
    fn lines(&self) -> String {
        let mut text = self.says.clone();
        if let Some(owner) = &self.owner {
            let _written = write!(text, "\nowner: {owner}");
        }
        if let Some(next) = &self.next {
            let _written = write!(text, "\nnext: {next}");
        }
        text
    }

    fn sarif(&self, rule: usize) -> Value {
        let level = match self.severity {
            Severity::Error | Severity::Unknown => "error",
            Severity::Warning => "warning",
        };
        let mut result = json!({
            "ruleId": self.code.0,
            "ruleIndex": rule,
            "level": level,
            "message": { "text": self.says },
            "properties": { "names": self.names, "owner": self.owner, "next": self.next },
        });
        if let Some((file, line, column)) = &self.place {
            result["locations"] = json!([{ "physicalLocation": {
                "artifactLocation": { "uri": uri(file) },
                "region": { "startLine": line, "startColumn": column },
            } }]);
        }
        if let Some(why) = &self.waived {
            result["suppressions"] = json!([{ "kind": "external", "justification": why }]);
        }
        result
    }
}

/// Text for XML 1.0, in an element or in quotes. Characters that XML cannot
/// bear at all become U+FFFD.
fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push_str("&#9;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// Text for a cell of a Markdown table, with nothing in it that marks up.
fn mark(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' => out.extend(['\\', c]),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '\n' => out.push_str("<br>"),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// A relative path as a URI reference (RFC 3986).
fn uri(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _written = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(code: &'static str, severity: Severity) -> Finding {
        Finding {
            code: Code(code),
            severity,
            says: "r8 has <b> & \"c\" | *d*\u{1}".to_owned(),
            names: vec!["r8".to_owned()],
            owner: Some("Omar".to_owned()),
            next: Some("baton check".to_owned()),
            place: Some(("a b/handoff.yaml".to_owned(), 3, 5)),
            waived: None,
        }
    }

    fn sheet() -> Sheet {
        let group = |key: &str, findings| Group {
            key: key.to_owned(),
            asks: format!("What of {key}?"),
            state: "open".to_owned(),
            skipped: (key == "room").then(|| "later".to_owned()),
            findings,
        };
        let waived = Finding {
            waived: Some("known".to_owned()),
            ..finding("parity.stale", Severity::Error)
        };
        Sheet {
            title: "shop: not ready".to_owned(),
            groups: vec![
                group(
                    "parity",
                    vec![
                        finding("parity.unexplained", Severity::Error),
                        finding("parity.unexplained", Severity::Error),
                        finding("parity.not-collected", Severity::Unknown),
                        waived,
                    ],
                ),
                group("review", Vec::new()),
                group("room", Vec::new()),
            ],
            beside: vec![finding("contract.value", Severity::Warning)],
        }
    }

    #[test]
    fn sarif_has_rules_results_places_and_suppressions() {
        let log = sheet().sarif();
        let run = &log["runs"][0];
        assert_eq!(log["version"], "2.1.0");
        assert_eq!(run["tool"]["driver"]["rules"].as_array().unwrap().len(), 4);
        let results = run["results"].as_array().unwrap();
        assert_eq!(results.len(), 5);
        for result in results {
            let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
            let rule = &run["tool"]["driver"]["rules"][index];
            assert_eq!(rule["id"], result["ruleId"]);
        }
        let place = &results[0]["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "a%20b/handoff.yaml");
        assert_eq!(place["region"]["startLine"], 3);
        assert_eq!(results[3]["suppressions"][0]["justification"], "known");
        assert_eq!(results[4]["level"], "warning");
    }

    #[test]
    fn junit_counts_each_code_once_and_escapes() {
        let text = sheet().junit();
        let all = "tests=\"4\" failures=\"1\" errors=\"1\" skipped=\"1\"";
        assert!(text.contains(all), "{text}");
        assert!(text.contains("name=\"parity.unexplained\""), "{text}");
        assert!(
            text.contains("&lt;b&gt; &amp; &quot;c&quot;") && !text.contains('\u{1}'),
            "{text}"
        );
        assert!(text.contains("<skipped message=\"later\"/>"), "{text}");
        assert!(!text.contains("parity.stale"), "{text}");
    }

    #[test]
    fn markdown_cells_hold_their_text_and_nothing_else() {
        let text = sheet().markdown();
        assert!(
            text.contains("r8 has &lt;b&gt; &amp; \"c\" \\| \\*d\\*"),
            "{text}"
        );
        assert!(text.contains("(waived: known)"), "{text}");
        assert!(text.contains("| What of room? | open |"), "{text}");
    }
}
