//! Fences: what stands behind the opening backticks, and who runs what follows.

use crate::diag::nearest;

/// Languages a fence may have, each with the command that runs a script file
/// given as its last argument. Each stops at the first error where the
/// interpreter can be told to. `text` is not among them: it is for a person.
const INTERPRETERS: &[(&str, &[&str])] = &[
    ("sh", &["sh", "-e"]),
    ("bash", &["bash", "-eo", "pipefail"]),
    ("zsh", &["zsh", "-e"]),
    ("python3", &["python3"]),
    ("python", &["python"]),
    ("node", &["node"]),
    ("ruby", &["ruby"]),
    ("perl", &["perl"]),
    ("php", &["php"]),
    ("pwsh", &["pwsh", "-NoProfile", "-NonInteractive", "-File"]),
];

/// The command that runs a script of this language; the script's file is its
/// last argument. `None` for `text`, which a person carries out, and for a
/// language nobody runs.
pub fn interpreter(lang: &str) -> Option<&'static [&'static str]> {
    INTERPRETERS
        .iter()
        .find(|(name, _)| *name == lang)
        .map(|(_, argv)| *argv)
}

/// Whether fences of this language are shell scripts, whose `$NAME` can be checked.
pub(crate) fn is_shell(lang: &str) -> bool {
    matches!(lang, "sh" | "bash" | "zsh")
}

/// What a fence is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Run,
    Verify,
    Undo,
    Preflight,
    Example,
}

impl Role {
    const ALL: [Self; 5] = [
        Self::Run,
        Self::Verify,
        Self::Undo,
        Self::Preflight,
        Self::Example,
    ];

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Verify => "verify",
            Self::Undo => "undo",
            Self::Preflight => "preflight",
            Self::Example => "example",
        }
    }

    fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.word() == word)
    }
}

/// Reads what stands behind the opening of a fence: `LANG ROLE`.
///
/// # Errors
/// What is wrong, and a hint.
pub(super) fn opening(info: &str) -> Result<(&str, Role), (String, String)> {
    let mut words = info.split_whitespace();
    let (lang, role, extra) = (words.next(), words.next(), words.next());
    let Some(lang) = lang else {
        return Err((
            "a fence without a role".to_owned(),
            "write its language and what it is for, as in `sh run`; use `text example` for one that is only read"
                .to_owned(),
        ));
    };
    let Some(role) = role else {
        let lang = if Role::of(lang).is_some() { "sh" } else { lang };
        return Err((
            format!(
                "the fence `{info}` does not say both its language and what it is for",
                info = info.trim()
            ),
            format!(
                "write `{lang} run`, `{lang} verify`, `{lang} undo` or `{lang} preflight`; `{lang} example` is only read"
            ),
        ));
    };
    let Some(role) = Role::of(role) else {
        let meant = nearest(role, Role::ALL.map(Role::word));
        return Err((
            format!("`{role}` is not something a fence is for"),
            meant.map_or_else(
                || "a fence is `run`, `verify`, `undo`, `preflight` or `example`".to_owned(),
                |meant| format!("did you mean `{lang} {meant}`?"),
            ),
        ));
    };
    if let Some(extra) = extra {
        return Err((
            format!("extra words behind `{lang} {}`: `{extra}`", role.word()),
            "a fence says its language and its role, nothing else; everything else is an attribute of the step"
                .to_owned(),
        ));
    }
    if role != Role::Example && lang != "text" && interpreter(lang).is_none() {
        let known = INTERPRETERS.iter().map(|(name, _)| *name).chain(["text"]);
        let hint = nearest(lang, known.clone()).map_or_else(
            || format!("known are {}", known.collect::<Vec<_>>().join(", ")),
            |meant| format!("did you mean `{meant} {}`?", role.word()),
        );
        return Err((format!("nobody runs the language `{lang}`"), hint));
    }
    Ok((lang, role))
}

/// Whether a line, without what indents it, opens a fence that has a role.
pub(super) fn opens_with_role(line: &str) -> Option<&str> {
    let mark = line.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let info = line.trim_start_matches(mark);
    if line.len() - info.len() < 3 {
        return None;
    }
    let mut words = info.split_whitespace();
    let lang = words.next()?;
    let role = words.next()?.trim_end_matches('`');
    (lang.starts_with(char::is_alphabetic) && Role::of(role).is_some()).then_some(info.trim())
}

/// Whether a fenced block, given from its opening to its last byte, is closed:
/// its last line holds only the opening's mark, at least as often, indented by
/// three spaces at most (CommonMark 0.31, section 4.5).
pub(super) fn is_closed(block: &str) -> bool {
    let mut lines = block.trim_end_matches(['\n', '\r']).lines();
    let open = lines.next().unwrap_or_default().trim_start();
    let Some(mark) = open.chars().next() else {
        return false;
    };
    let length = |line: &str| line.len() - line.trim_start_matches(mark).len();
    lines.next_back().is_some_and(|last| {
        let inner = last.trim_start_matches(' ');
        let rest = inner.trim_start_matches(mark);
        last.len() - inner.len() <= 3
            && length(inner) >= length(open)
            && rest.trim_matches([' ', '\t', '\r']).is_empty()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_but_text_has_an_interpreter() {
        assert_eq!(interpreter("sh"), Some(&["sh", "-e"][..]));
        assert_eq!(interpreter("bash"), Some(&["bash", "-eo", "pipefail"][..]));
        assert_eq!(interpreter("text"), None);
        assert_eq!(interpreter("sql"), None);
    }

    #[test]
    fn openings_are_read() {
        assert_eq!(opening("sh run"), Ok(("sh", Role::Run)));
        assert_eq!(opening(" text   undo "), Ok(("text", Role::Undo)));
        assert_eq!(opening("json example"), Ok(("json", Role::Example)));
        for bad in ["", "sh", "sh runn", "sh run now", "json run", "{.sh} run"] {
            assert!(opening(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn closing_lines_are_told_from_bodies() {
        for (block, closed) in [
            ("```sh run\na\n```", true),
            ("```sh run\na\n   ````  \n", true),
            ("```sh run\na\n    ```", false),
            ("```sh run\na\n``", false),
            ("```sh run", false),
            ("~~~sh run\n```", false),
            ("````sh run\n```", false),
            ("```sh run\r\n```\r\n", true),
        ] {
            assert_eq!(is_closed(block), closed, "{block:?}");
        }
    }

    #[test]
    fn lines_that_open_a_fence_with_a_role() {
        assert_eq!(opens_with_role("```sh run"), Some("sh run"));
        assert_eq!(opens_with_role("~~~~ bash undo now"), Some("bash undo now"));
        for other in [
            "``sh run",
            "```",
            "```sh",
            "```sh build",
            "echo ```sh run",
            "``` $(x) run",
        ] {
            assert_eq!(opens_with_role(other), None, "{other}");
        }
    }
}
