//! The parser's messages as sentences for somebody who never read the YAML
//! standard.

/// Words of a message, what they mean, and what to do. The first that fits counts.
const WORDS: &[(&[&str], &str, &str)] = &[
    (
        &["tab cannot", "tabs disallowed", "a tab"],
        "a tab stands where only spaces can",
        "indent with spaces",
    ),
    (
        &["mapping values are not allowed", "illegal placement of ':'"],
        "a `:` stands where no value can begin",
        "put text that holds `: ` in quotes, close the bracket before it, or mend the indentation",
    ),
    (
        &["simple key expect"],
        "this line is no `key: value`",
        "write `key: value`, or mend the indentation",
    ),
    (
        &["flow sequence", "flow mapping", "flow construct"],
        "a bracket is not closed here, or a comma is missing",
        "close the list with `]` or the map with `}`, and put `, ` between its parts",
    ),
    (
        &["unknown escape", "hexadecimal", "escape code"],
        "this escape is unknown",
        "double `\\`, or put the text in single quotes, where `\\` means itself",
    ),
    (
        &["trailing content"],
        "something follows the closing quotation mark",
        "double `'` within single quotes; write `\\\"` within double quotes",
    ),
    (
        &["quoted scalar"],
        "a quotation mark is not closed",
        "close the text with the quotation mark it began with",
    ),
    (
        &["unknown anchor"],
        "this alias refers to nothing above it",
        "a value that begins with `*` needs quotes",
    ),
    (
        &[
            "unexpected character",
            "anchor or alias",
            "a tag",
            "TAG",
            "the handle",
        ],
        "a value cannot begin with this character",
        "put the value in quotes",
    ),
    (
        &["misplaced bracket"],
        "this closing bracket has no opening one",
        "delete it, or put the text in quotes",
    ),
    (
        &["block sequence entries", "'-'"],
        "a list item `-` stands where no list can begin",
        "put the list on lines of its own, under its key",
    ),
    (
        &["expected key", "ndent", "document start", "mapping keys"],
        "this line does not fit the indentation of the lines above",
        "give keys of one map, and items of one list, the same indentation",
    ),
];

/// A message of the parser in plain words, and a hint.
pub(super) fn in_plain_words(info: &str) -> (String, &'static str) {
    let fits = |words: &&[&str]| words.iter().any(|word| info.contains(word));
    match WORDS.iter().find(|(words, _, _)| fits(words)) {
        Some((_, says, next)) => ((*says).to_owned(), next),
        None => (
            format!("this is not YAML: {info}"),
            "put the value in quotes, or mend the indentation",
        ),
    }
}
