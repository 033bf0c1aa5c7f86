//! `when`: conditions in CEL over `environment`, `release`, `vars`, `outputs`.
//!
//! A condition is compiled here to find its mistakes; the run compiles it again
//! to decide. The compiler of the `cel` crate descends recursively and needs
//! about 100 KiB of stack per bracket, so length and nesting are bounded first.

use cel::Program;

use crate::diag::nearest;

/// What a condition may refer to.
pub const CONDITION_NAMES: [&str; 4] = ["environment", "release", "vars", "outputs"];

/// Most bytes of a condition: longer ones belong into a script that is tested.
const MAX_BYTES: usize = 500;

/// Deepest nesting of brackets: twice of that fits a thread's usual 2 MiB of
/// stack in a program built without optimisation.
const MAX_DEPTH: usize = 8;

/// Functions the standard environment of the `cel` crate has as Baton builds it
/// (no regular expressions, no clock). Operators and macros are no functions here.
const FUNCTIONS: [&str; 12] = [
    "bool",
    "bytes",
    "contains",
    "double",
    "dyn",
    "endsWith",
    "int",
    "size",
    "startsWith",
    "string",
    "type",
    "uint",
];

/// What is wrong with a condition.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    /// Byte offset into the condition.
    pub(super) at: usize,
    pub(super) says: String,
    pub(super) hint: String,
}

/// Checks a condition.
///
/// # Errors
/// The first mistake.
pub(super) fn check(text: &str) -> Result<(), Wrong> {
    let wrong = |at: usize, says: &str, hint: &str| Wrong {
        at,
        says: says.to_owned(),
        hint: hint.to_owned(),
    };
    if text.len() > MAX_BYTES {
        return Err(wrong(
            0,
            "the condition is too long",
            "a condition has at most 500 bytes: let a step write a value to `$BATON_OUTPUT` and test that",
        ));
    }
    let mut depth = 0_usize;
    for token in tokens(text) {
        match token {
            Token::Open(at) => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return Err(wrong(
                        at,
                        "the condition nests its brackets too deeply",
                        "at most 8 brackets may be open at once",
                    ));
                }
            }
            Token::Close => depth = depth.saturating_sub(1),
            Token::Unclosed(at) => {
                return Err(wrong(at, "the quote is never closed", "close it"));
            }
            Token::Word(..) | Token::Other => {}
        }
    }
    let program = Program::compile(text).map_err(|errors| syntax(text, &errors))?;
    let references = program.references();
    let mut bound: Vec<&str> = Vec::new();
    bound_names(program.expression(), &mut bound);
    let mut unknown: Vec<&str> = references
        .variables()
        .into_iter()
        .filter(|name| !CONDITION_NAMES.contains(name) && !bound.contains(name))
        .collect();
    unknown.sort_unstable();
    if let Some(name) = unknown.first() {
        return Err(Wrong {
            at: word_at(text, name),
            says: format!("a condition knows no `{name}`"),
            hint: "it may refer to `environment`, `release`, `vars.NAME` and `outputs.NAME`; words are quoted"
                .to_owned(),
        });
    }
    let mut functions: Vec<&str> = references
        .functions()
        .into_iter()
        .filter(|name| name.starts_with(char::is_alphabetic) && !FUNCTIONS.contains(name))
        .collect();
    functions.sort_unstable();
    functions.first().map_or(Ok(()), |name| {
        Err(Wrong {
            at: word_at(text, name),
            says: format!("a condition knows no function `{name}`"),
            hint: nearest(name, FUNCTIONS).map_or_else(
                || format!("known are {}", FUNCTIONS.join(", ")),
                |meant| format!("did you mean `{meant}`?"),
            ),
        })
    })
}

/// The names a condition takes from `vars`, with their byte offsets: `vars.NAME`
/// and `vars["NAME"]`, except within `has(…)`, which asks whether there is one.
pub(crate) fn vars_of(text: &str) -> Vec<(usize, &str)> {
    let words: Vec<(usize, &str)> = tokens(text)
        .filter_map(|token| match token {
            Token::Word(at, word) => Some((at, word)),
            _ => None,
        })
        .collect();
    let has = |at: usize| {
        let before = text[..at].trim_end();
        before
            .strip_suffix('(')
            .is_some_and(|before| before.trim_end().ends_with("has"))
    };
    words
        .into_iter()
        .filter(|(at, word)| *word == "vars" && !has(*at) && !text[..*at].ends_with('.'))
        .filter_map(|(at, word)| {
            let rest = &text[at + word.len()..];
            let field = rest.strip_prefix('.').map(|field| {
                let end = field.find(|c: char| !c.is_alphanumeric() && c != '_');
                &field[..end.unwrap_or(field.len())]
            });
            let index = || {
                let inner = rest.strip_prefix('[')?;
                let quote = inner.chars().next().filter(|c| matches!(c, '"' | '\''))?;
                inner[1..].split_once(quote).map(|(name, _)| name)
            };
            field.or_else(index).map(|name| (at, name))
        })
        .filter(|(_, name)| !name.is_empty())
        .collect()
}

/// What the bounds of a condition are counted in.
#[derive(Debug)]
enum Token<'a> {
    Open(usize),
    Close,
    Word(usize, &'a str),
    Unclosed(usize),
    Other,
}

/// Splits a condition: strings are skipped as the CEL grammar has them (single,
/// double or tripled quotes; `r` before them makes `\` an ordinary character).
fn tokens(text: &str) -> impl Iterator<Item = Token<'_>> {
    let mut at = 0;
    let mut raw = false;
    std::iter::from_fn(move || {
        let rest = text.get(at..)?;
        let start = at;
        let first = rest.chars().next()?;
        at += first.len_utf8();
        let prefix = std::mem::take(&mut raw);
        Some(match first {
            '(' | '[' | '{' => Token::Open(start),
            ')' | ']' | '}' => Token::Close,
            '"' | '\'' => string_end(rest, prefix).map_or(Token::Unclosed(start), |length| {
                at = start + length;
                Token::Other
            }),
            c if c.is_alphanumeric() || c == '_' => {
                let length = rest
                    .find(|c: char| !c.is_alphanumeric() && c != '_')
                    .unwrap_or(rest.len());
                at = start + length;
                let word = &rest[..length];
                raw = matches!(word.to_ascii_lowercase().as_str(), "r" | "br" | "rb");
                Token::Word(start, word)
            }
            _ => Token::Other,
        })
    })
}

/// The length of the string literal a text begins with.
fn string_end(text: &str, raw: bool) -> Option<usize> {
    let quote = &text[..1];
    let triple = quote.repeat(3);
    let close = if text.starts_with(&triple) {
        triple.as_str()
    } else {
        quote
    };
    let mut at = close.len();
    while at < text.len() {
        let rest = text.get(at..)?;
        if rest.starts_with(close) {
            return Some(at + close.len());
        }
        let mut chars = rest.chars();
        let escaped = chars.next() == Some('\\') && !raw;
        at += rest.len() - chars.as_str().len();
        if escaped {
            at += chars.next().map_or(0, char::len_utf8);
        }
    }
    None
}

/// Names that `exists`, `all`, `map` and `filter` bind.
fn bound_names<'e>(expression: &'e cel::IdedExpr, names: &mut Vec<&'e str>) {
    use cel::common::ast::{EntryExpr, Expr};
    match &expression.expr {
        Expr::Comprehension(inner) => {
            names.push(&inner.iter_var);
            let parts = [
                &inner.iter_range,
                &inner.accu_init,
                &inner.loop_cond,
                &inner.loop_step,
                &inner.result,
            ];
            parts.into_iter().for_each(|part| bound_names(part, names));
        }
        Expr::Call(call) => {
            let parts = call.target.as_deref().into_iter().chain(&call.args);
            parts.for_each(|part| bound_names(part, names));
        }
        Expr::List(list) => list
            .elements
            .iter()
            .for_each(|part| bound_names(part, names)),
        Expr::Select(select) => bound_names(&select.operand, names),
        Expr::Map(map) => map.entries.iter().for_each(|entry| match &entry.expr {
            EntryExpr::StructField(field) => bound_names(&field.value, names),
            EntryExpr::MapEntry(entry) => {
                bound_names(&entry.key, names);
                bound_names(&entry.value, names);
            }
        }),
        Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) | Expr::Struct(_) => {}
    }
}

/// The compiler's first complaint, in words of ours.
fn syntax(text: &str, errors: &cel::ParseErrors) -> Wrong {
    let first = errors.errors.first();
    let column = first.map_or(1, |error| error.pos.1);
    let at = usize::try_from(column - 1)
        .ok()
        .and_then(|column| text.char_indices().nth(column))
        .map_or(text.len(), |(at, _)| at);
    let message = first.map_or("", |error| error.msg.as_str());
    let message = message.strip_prefix("Syntax error: ").unwrap_or(message);
    let message = message.split(" expecting ").next().unwrap_or_default();
    let says = if message.contains("<EOF>") && at == text.len() {
        "the condition ends too early".to_owned()
    } else {
        format!("the condition cannot be read: {message}")
    };
    Wrong {
        at,
        says,
        hint: "conditions are CEL, as in `environment == \"production\" && vars.DB != \"\"`"
            .to_owned(),
    }
}

/// Where a name stands in a condition; its start when it cannot be found.
fn word_at(text: &str, name: &str) -> usize {
    tokens(text)
        .find_map(|token| match token {
            Token::Word(at, word) if word == name => Some(at),
            _ => None,
        })
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn good_conditions_pass() {
        for text in [
            "environment == 'production'",
            "vars.DB != \"\" && has(vars.X) && vars.X.startsWith('a')",
            "outputs[\"COUNT\"] in ['1', '2'] || int(outputs.N) > 3",
            "['a', 'b'].exists(x, x == release)",
            "size(release) > 0 && string(1) == '1' && !('(((((((((((' == \"\")",
        ] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        let say = |text: &str| match check(text) {
            Ok(()) => format!("{text}: ok\n"),
            Err(wrong) => format!("{text:.20} @{} {}; {}\n", wrong.at, wrong.says, wrong.hint),
        };
        let said: String = [
            "",
            "environment ==",
            "environment = 'x'",
            "enviroment == 'x'",
            "vars.A == 'x",
            "release.matches('2.*')",
            "vars.é == §",
            &"(".repeat(400),
            &"a+".repeat(400),
        ]
        .map(say)
        .concat();
        expect![[r#"
             @0 the condition ends too early; conditions are CEL, as in `environment == "production" && vars.DB != ""`
            environment == @14 the condition ends too early; conditions are CEL, as in `environment == "production" && vars.DB != ""`
            environment = 'x' @12 the condition cannot be read: token recognition error at: '= '; conditions are CEL, as in `environment == "production" && vars.DB != ""`
            enviroment == 'x' @0 a condition knows no `enviroment`; it may refer to `environment`, `release`, `vars.NAME` and `outputs.NAME`; words are quoted
            vars.A == 'x @10 the quote is never closed; close it
            release.matches('2.* @8 a condition knows no function `matches`; known are bool, bytes, contains, double, dyn, endsWith, int, size, startsWith, string, type, uint
            vars.é == § @5 the condition cannot be read: token recognition error at: 'é'; conditions are CEL, as in `environment == "production" && vars.DB != ""`
            (((((((((((((((((((( @8 the condition nests its brackets too deeply; at most 8 brackets may be open at once
            a+a+a+a+a+a+a+a+a+a+ @0 the condition is too long; a condition has at most 500 bytes: let a step write a value to `$BATON_OUTPUT` and test that
        "#]].assert_eq(&said);
    }

    #[test]
    fn variables_are_found_where_they_stand() {
        let text = "vars.A == 'vars.B' && has(vars.C) && vars[\"D\"] == x.vars.E && vars.";
        assert_eq!(vars_of(text), [(0, "A"), (37, "D")]);
    }

    #[test]
    fn every_function_listed_is_one_the_run_can_call() {
        for call in [
            "bool('true')",
            "size(bytes('a')) == 1",
            "'abc'.contains('b')",
            "double('1.5') > 1.0",
            "dyn(1) == 1",
            "'abc'.endsWith('c')",
            "int('1') == 1",
            "'abc'.startsWith('a')",
            "string(1) == '1'",
            "type(1) == type(2)",
            "uint('1') == 1u",
        ] {
            assert_eq!(check(call), Ok(()), "{call}");
            let value = Program::compile(call)
                .unwrap()
                .execute(&cel::Context::default());
            assert_eq!(value, Ok(cel::Value::Bool(true)), "{call}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_compiler_fall(
            parts in proptest::collection::vec(
                prop::sample::select(vec![
                    "(", ")", "[", "]", "{", "}", "a", "vars", ".", "?", ":", "!", "-", "+", "&&",
                    "||", "==", "'", "\"", "\\", "r'", "1", "1u", ",", " ", "in", "has(", ".map(x,",
                    "//", "é", "\0", "0x", "1e9", "'''", "b\"",
                ]),
                0..250,
            ),
        ) {
            let _checked = check(&parts.concat());
        }
    }
}
