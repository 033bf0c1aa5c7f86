//! Files and functions stay short enough to be read in one go.

use crate::hold;
use crate::source::{Source, files, ident, item_end, line_of, read, words};

const FILE_LINES_MAX: usize = 600;
const FUNCTION_LINES_MAX: usize = 70;

/// What may be longer, `path` or `path#function`, and why. A row that is no
/// longer needed is a complaint too.
const EXCEPTIONS: [(&str, &str); 0] = [];

/// The name (`path` or `path#function`), lines and limit of all that is too long.
fn too_long(source: &Source) -> Vec<(String, usize, usize)> {
    let mut found = Vec::new();
    let lines = source.text.lines().count();
    if lines > FILE_LINES_MAX {
        found.push((source.path.clone(), lines, FILE_LINES_MAX));
    }
    for (name, lines) in functions(&source.code) {
        if lines > FUNCTION_LINES_MAX {
            found.push((format!("{}#{name}", source.path), lines, FUNCTION_LINES_MAX));
        }
    }
    found
}

/// Every function with a name, and its lines from `fn` to the closing brace.
fn functions(code: &str) -> Vec<(&str, usize)> {
    words(code, "fn")
        .map(|at| (at, ident(&code[at + "fn".len()..])))
        .filter(|(_, name)| !name.is_empty())
        .map(|(at, name)| {
            let end = item_end(code, at).max(at + 1);
            (name, line_of(code, end - 1) - line_of(code, at) + 1)
        })
        .collect()
}

fn complaints(found: &[(String, usize, usize)], exceptions: &[(&str, &str)]) -> Vec<String> {
    let excused = |name: &str| exceptions.iter().any(|(known, _)| *known == name);
    let mut complaints: Vec<String> = found
        .iter()
        .filter(|(name, ..)| !excused(name))
        .map(|(name, lines, max)| format!("{name} has {lines} lines; at most {max}"))
        .collect();
    for (name, _) in exceptions {
        if !found.iter().any(|(known, ..)| known == name) {
            complaints.push(format!("{name} needs no exception any more"));
        }
    }
    complaints
}

#[test]
fn files_and_functions_are_short() {
    let found: Vec<_> = files()
        .iter()
        .filter(|path| path.ends_with(".rs"))
        .flat_map(|path| too_long(&Source::new(path, &read(path))))
        .collect();
    hold("length", &complaints(&found, &EXCEPTIONS));
}

mod tests {
    use super::*;

    #[test]
    fn functions_are_measured_from_name_to_brace() {
        let code = "struct A { f: fn(u8) -> u8 }\ntrait T {\n  fn none(&self) -> [u8; 2];\n  fn a()\n  where\n  \
                    {\n if x { }\n }\n}\nfn b() {}\n";
        assert_eq!(functions(code), [("none", 1), ("a", 5), ("b", 1)]);
    }

    #[test]
    fn long_ones_are_found() {
        let file = Source::new("a.rs", &"x\n".repeat(FILE_LINES_MAX + 1));
        assert_eq!(too_long(&file).len(), 1);
        let body = "x;\n".repeat(FUNCTION_LINES_MAX - 1);
        let function = Source::new("a.rs", &format!("fn long() {{\n{body}}}\n"));
        assert_eq!(too_long(&function), [("a.rs#long".to_owned(), 71, 70)]);
        let string = Source::new(
            "a.rs",
            &format!("fn short() {{}} const A: &str = \"fn b() {{ {body}\";"),
        );
        assert!(too_long(&string).is_empty());
    }

    #[test]
    fn exceptions_excuse_what_is_long_and_nothing_else() {
        let found = [("a.rs".to_owned(), 700, 600)];
        assert_eq!(complaints(&found, &[]).len(), 1);
        assert!(complaints(&found, &[("a.rs", "a table")]).is_empty());
        assert_eq!(complaints(&[], &[("a.rs", "a table")]).len(), 1);
    }
}
