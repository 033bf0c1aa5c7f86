//! What is sent to a far shell: one compound command, so that a connection that
//! breaks half-way has begun nothing.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::answer::PIECE_MOST;
use crate::shell::attempt::{GRACE, OUTPUT_HEAD, OUTPUT_TAIL, VARIABLES_MOST};

/// The far side of all of this.
const PROGRAM: &str = include_str!("remote.sh");
/// How long the end of a command waits for what was printed before it, in
/// seconds, where something that it left running still holds its output.
const DRAIN_SECS: u64 = 1;

/// What a session is about.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Errand<'a> {
    /// The attempt's id.
    pub(crate) attempt: &'a str,
    /// The working folder; home without it.
    pub(crate) dir: Option<&'a str>,
    /// The script.
    pub(crate) script: &'a str,
}

impl Errand<'_> {
    /// Makes sure that all of it can stand in a shell's text.
    pub(crate) fn check(self, vars: &BTreeMap<&str, Value<'_>>) -> Result<(), String> {
        let id = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if !self.attempt.chars().all(id) || self.attempt.starts_with('-') {
            return Err("the id of this attempt is none of ours".to_owned());
        }
        if let Some(name) = vars.keys().find(|name| !is_word(name)) {
            return Err(format!("`{name}` is no name of a variable"));
        }
        let texts = [self.dir.unwrap_or_default(), self.script];
        let values = vars.values().map(|(value, _)| *value);
        if texts
            .into_iter()
            .chain(values)
            .any(|text| text.contains('\0'))
        {
            return Err("a zero byte stands in its script, folder or variables".to_owned());
        }
        Ok(())
    }
}

/// A value of a variable, and whether it is masked.
pub(crate) type Value<'a> = (&'a str, bool);

/// Quotes a text as one word for a POSIX shell (POSIX.1-2024, XCU 2.2.2): in
/// single quotes every character stands for itself, but the quote, which is
/// written outside of them.
pub(crate) fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Whether a text is the name of a variable, in every shell and unquoted.
fn is_word(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Starts an attempt and waits for its end.
pub(crate) fn start(
    errand: Errand<'_>,
    vars: &BTreeMap<&str, Value<'_>>,
    limit_secs: u64,
    interpreter: &[&str],
) -> String {
    let mut call = format!("baton_start {limit_secs}");
    for word in interpreter {
        call.push(' ');
        call.push_str(&quote(word));
    }
    session(errand, vars, &call)
}

/// Asks what became of an attempt, and waits for its end.
pub(crate) fn adopt(attempt: &str) -> String {
    let errand = Errand {
        attempt,
        ..Errand::default()
    };
    session(errand, &BTreeMap::new(), "baton_adopt")
}

/// Reads facts by a script.
pub(crate) fn facts(
    errand: Errand<'_>,
    vars: &BTreeMap<&str, Value<'_>>,
    limit_secs: u64,
) -> String {
    session(errand, vars, &format!("baton_facts {limit_secs}"))
}

fn session(errand: Errand<'_>, vars: &BTreeMap<&str, Value<'_>>, call: &str) -> String {
    let program = format!(
        "baton_head={OUTPUT_HEAD} baton_tail={OUTPUT_TAIL} baton_most={VARIABLES_MOST}\n\
         baton_piece={PIECE_MOST} baton_grace={} baton_drain={DRAIN_SECS} baton_lacks=\n{PROGRAM}",
        GRACE.as_secs()
    );
    let mut text = format!(
        "{{\nbaton_program={}\nbaton_attempt={}\nbaton_dir={}\nbaton_script={}\n",
        quote(&program),
        quote(errand.attempt),
        quote(errand.dir.unwrap_or_default()),
        quote(errand.script),
    );
    let names: Vec<&str> = vars.keys().copied().collect();
    let secrets = vars.iter().filter(|(_, (_, secret))| *secret);
    let secrets: Vec<&str> = secrets.map(|(name, _)| *name).collect();
    // Writing into a text cannot fail.
    let _ok = writeln!(
        text,
        "export baton_names={} baton_secrets={}",
        quote(&names.join(" ")),
        quote(&secrets.join(" "))
    );
    for (name, (value, _)) in vars {
        let _ok = writeln!(text, "export baton_v_{name}={}", quote(value));
    }
    text.push_str("eval \"$baton_program\"\n");
    text.push_str(call);
    text.push_str("\nexit 0\n}\n");
    text
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use proptest::prelude::*;

    use super::*;

    /// What a shell makes of a script on its standard input.
    fn printed(shell: &[&str], script: &str) -> Vec<u8> {
        let mut child = Command::new(shell[0])
            .args(&shell[1..])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        input.write_all(script.as_bytes()).unwrap();
        drop(input);
        child.wait_with_output().unwrap().stdout
    }

    fn means_itself(text: &str) {
        for shell in [&["sh"][..], &["bash", "--posix"]] {
            let script = format!(
                "export A={word}\nprintf %s {word}\nprintf %s \"$A\"\n",
                word = quote(text)
            );
            let said = printed(shell, &script);
            assert_eq!(said, text.repeat(2).as_bytes(), "{shell:?}");
        }
    }

    #[test]
    fn every_byte_of_a_text_means_itself() {
        means_itself(&('\u{1}'..='\u{17f}').collect::<String>());
        for text in ["", "'", "''a'", "\\'", "$(id) `id` $HOME !x", "-n", "\n\n"] {
            means_itself(text);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_text_means_itself(text in "[^\0]{0,200}", odd in "['\"\\\\$`!\n\r \t*#~-]{0,40}") {
            means_itself(&format!("{odd}{text}{odd}"));
        }
    }

    #[test]
    fn a_text_that_is_cut_off_anywhere_does_nothing() {
        let errand = Errand {
            attempt: "att_1",
            dir: Some("it's"),
            script: "echo '}'\n",
        };
        let vars = BTreeMap::from([("KEY", ("a\n}\n'b", true))]);
        let whole = session(errand, &vars, "echo begun");
        assert_eq!(printed(&["sh"], &whole), b"begun\n");
        // Near its ends each place, between them one in a while.
        for cut in (0..whole.len() - 2).filter(|at| at % 509 == 0 || at + 400 > whole.len()) {
            assert_eq!(printed(&["sh"], &whole[..cut]), b"", "cut at {cut}");
        }
    }

    #[test]
    fn names_are_words() {
        for name in ["A", "_", "a1_B"] {
            assert!(is_word(name), "{name}");
        }
        for name in ["", "1A", "A-B", "A B", "A;B", "Ä", "A\n"] {
            assert!(!is_word(name), "{name}");
        }
    }
}
