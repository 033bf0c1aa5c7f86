//! Ids of steps: GitHub's slug of a title, and `{#id}` written behind it.

/// The longest id of a step: some long sentence still fits, and with a host and
/// an ending it fits the 255 bytes a file system gives a name.
pub(super) const ID_BYTES_MAX: usize = 200;

/// GitHub's slug of a heading's text: lower case; letters, digits, `_` and `-`
/// stay; each space becomes `-`; everything else is left out. So `Back up the
/// orders!` is `back-up-the-orders`. Unlike GitHub, a second heading with the
/// same slug does not become `…-1`: an id that moves when someone adds a step
/// above would break `after`, so duplicates are errors.
///
/// Source: the anchor rule of github.com (`html-pipeline`, `TableOfContentsFilter`).
pub fn slug(title: &str) -> String {
    title
        .trim()
        .chars()
        .flat_map(char::to_lowercase)
        .filter_map(|c| match c {
            ' ' => Some('-'),
            c if c.is_alphanumeric() || c == '_' || c == '-' => Some(c),
            _ => None,
        })
        .collect()
}

/// Whether this can be a step's id: letters, digits, `-`, `_` and `.`, not all
/// of them punctuation, and not the word that means *after nothing*.
pub(super) fn is_id(text: &str) -> bool {
    let legal = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    text.chars().all(legal) && text.chars().any(char::is_alphanumeric) && text != "nothing"
}

/// Cuts `{#id}` off the end of a heading's line: what stands before, and the id.
pub(super) fn cut_id(heading: &str) -> Option<(&str, &str)> {
    let inner = heading.trim_end().strip_suffix('}')?;
    let open = inner.rfind("{#")?;
    Some((inner[..open].trim_end(), inner[open + 2..].trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_what_github_makes() {
        for (title, id) in [
            ("Back up the orders", "back-up-the-orders"),
            ("Install  2.4.0 (blue/green)!", "install--240-bluegreen"),
            ("snake_case and -dash-", "snake_case-and--dash-"),
            ("Überprüfen", "überprüfen"),
            ("!!!", ""),
        ] {
            assert_eq!(slug(title), id);
        }
    }

    #[test]
    fn written_ids_are_cut_off() {
        assert_eq!(cut_id("Install {#x}"), Some(("Install", "x")));
        assert_eq!(cut_id("Install"), None);
        assert_eq!(cut_id("Use {a} and {#b}"), Some(("Use {a} and", "b")));
        assert_eq!(cut_id("{#}"), Some(("", "")));
        assert!(is_id("roll-out.2") && !is_id("") && !is_id("--") && !is_id("a b"));
        assert!(!is_id("nothing"));
    }

    #[test]
    fn an_id_is_bounded_wherever_it_comes_from() {
        let read = |heading: String| {
            let text = format!("{heading}\n\n```sh run\ntrue\n```\n");
            let (_, notes) = super::super::parse(text.as_bytes());
            let long = |note: &&crate::diag::Note| note.says.contains("200 are the most");
            notes.iter().filter(long).count()
        };
        // Bytes count, not letters.
        for (letter, most) in [("a", 200), ("\u{e4}", 100)] {
            let id = letter.repeat(most);
            assert_eq!(read(format!("### {id}")), 0);
            assert_eq!(read(format!("### {id}a")), 1);
            assert_eq!(read(format!("### Long {{#{id}}}")), 0);
            assert_eq!(read(format!("### Long {{#{id}a}}")), 1);
            assert_eq!(read(format!("### {id}a {{#short}}")), 0);
        }
    }
}
