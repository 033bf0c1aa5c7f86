//! The counter inside a Prometheus query.
//!
//! `increase` and `rate` extrapolate over the ends of their window, forget what a
//! series counted before its first scrape, and give fractions of requests. So the
//! judge reads the counters themselves, series by series, and takes differences;
//! a query written the usual way, `sum(increase(COUNTER[$step]))`, is read as its
//! counter. Nothing else of PromQL is understood here: any other expression goes to
//! the server as it is, and has to cover one step itself.

/// The plain selector of the counters that a query counts, as `x{job="shop"}`;
/// `None` where it is another expression.
pub fn selector(query: &str) -> Option<&str> {
    counter(query).ok().filter(|counter| is_plain(counter))
}

/// Whether it can be told what a query counts: it is a selector, or an expression
/// with a variable in it, such as `$step`.
pub fn is_told(query: &str) -> bool {
    selector(query).is_some() || without_texts(query).contains('$')
}

/// A name and labels, one of which may be missing, and nothing else.
fn is_plain(text: &str) -> bool {
    let bare = without_texts(text);
    let (name, labels) = match bare.split_once('{') {
        Some((name, rest)) => (name.trim_end(), rest.strip_suffix('}')),
        None => (bare.as_str(), Some("")),
    };
    let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':');
    let label = |c: char| word(c) || c.is_whitespace() || matches!(c, '=' | '~' | '!' | ',');
    name.chars().all(word)
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && (!name.is_empty() || bare.contains('{'))
        && labels.is_some_and(|labels| labels.chars().all(label))
}

/// The expression whose series are counters.
///
/// # Errors
/// What is wrong with a query whose counters cannot be told, in a few words.
pub fn counter(query: &str) -> Result<&str, &'static str> {
    let mut inner = unwrapped(query.trim());
    if let Some(summed) = call(inner, "sum").or_else(|| sum_by(inner)) {
        inner = unwrapped(summed);
    }
    let window = ["increase", "rate"].into_iter();
    let counter = match window.filter_map(|name| call(inner, name)).next() {
        Some(ranged) => {
            let ranged = ranged.trim();
            let selector = ranged.strip_suffix(']').and_then(|open| {
                let (selector, _window) = open.rsplit_once('[')?;
                Some(selector.trim_end())
            });
            selector.ok_or("its window is missing")?
        }
        None => inner,
    };
    let bare = without_texts(counter);
    if counter.is_empty() {
        Err("it is empty")
    } else if bare.contains(['[', ']']) || bare.contains("histogram_quantile") {
        Err("its counters cannot be told from it")
    } else {
        Ok(counter)
    }
}

/// What stands in brackets around all of it.
fn unwrapped(text: &str) -> &str {
    match text.strip_prefix('(').and_then(|rest| closed(rest)) {
        Some((inner, "")) => unwrapped(inner.trim()),
        _ => text,
    }
}

/// The argument of a call that is all of the text.
fn call<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let rest = text.strip_prefix(name)?.trim_start().strip_prefix('(')?;
    closed(rest)
        .filter(|(_, rest)| rest.is_empty())
        .map(|(inner, _)| inner.trim())
}

/// The argument of `sum by (...) (X)` or `sum(X) by (...)`; all is added up anyway.
fn sum_by(text: &str) -> Option<&str> {
    let rest = text.strip_prefix("sum")?.trim_start();
    let grouped = ["by", "without"].into_iter();
    let grouped = |text: &str| grouped.clone().any(|word| text.starts_with(word));
    if grouped(rest) {
        let (_labels, rest) = closed(rest.split_once('(')?.1)?;
        let (inner, rest) = closed(rest.strip_prefix('(')?)?;
        return rest.is_empty().then_some(inner.trim());
    }
    let (inner, rest) = closed(rest.strip_prefix('(')?)?;
    let (_labels, rest) = closed(rest.split_once('(').filter(|_| grouped(rest))?.1)?;
    rest.is_empty().then_some(inner.trim())
}

/// What stands before the bracket that closes, and what after; texts in quotes do
/// not count.
fn closed(text: &str) -> Option<(&str, &str)> {
    let mut depth = 0;
    for (at, c) in outside_texts(text) {
        match c {
            '(' => depth += 1,
            ')' if depth == 0 => return Some((&text[..at], text[at + 1..].trim_start())),
            ')' => depth -= 1,
            _ => {}
        }
    }
    None
}

fn without_texts(text: &str) -> String {
    outside_texts(text).map(|(_, c)| c).collect()
}

/// The characters that stand in no quotes.
fn outside_texts(text: &str) -> impl Iterator<Item = (usize, char)> + '_ {
    let (mut quote, mut escaped) = (None, false);
    text.char_indices().filter(move |(_, c)| match quote {
        Some(open) => {
            let ends = *c == open && !escaped;
            escaped = *c == '\\' && !escaped && open != '`';
            if ends {
                quote = None;
            }
            false
        }
        None if matches!(c, '"' | '\'' | '`') => {
            quote = Some(*c);
            false
        }
        None => true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_is_found_in_what_is_usually_written() {
        let errors = r#"http_requests_total{code=~"5.."}"#;
        for query in [
            errors.to_owned(),
            format!("increase({errors}[$step])"),
            format!("sum(increase({errors}[$step]))"),
            format!("sum ( rate( {errors} [5m] ) )"),
            format!("sum by (code) (increase({errors}[$step]))"),
            format!("sum(increase({errors}[$step])) by (code)"),
            format!("((sum({errors})))"),
        ] {
            assert_eq!(counter(&query), Ok(errors), "{query}");
        }
        let odd = r#"a{b="[)\"]",c='(',d=`\`}"#;
        assert_eq!(counter(&format!("sum(increase({odd}[1m]))")), Ok(odd));
        assert_eq!(counter("a + b"), Ok("a + b"));
        assert_eq!(counter("(a) + (b)"), Ok("(a) + (b)"));
    }

    #[test]
    fn a_selector_is_told_from_an_expression_whatever_its_quotes() {
        for plain in [
            "up",
            "a:b_c",
            r#"x{code=~"5..",path="/a-b(c)"}"#,
            "x{job='shop-api',code=~'5..'}",
            "x {job=`shop-api`, code!~\"a or b\"}",
            r#"{__name__="x", "odd.label"='1'}"#,
        ] {
            assert_eq!(selector(plain), Some(plain));
            assert!(is_told(plain));
            let summed = format!("sum(increase({plain}[$step]))");
            assert_eq!(selector(&summed), Some(plain));
        }
        for other in [
            "a or b",
            "a or vector(0)",
            "sum(a) + sum(b)",
            "a unless b",
            "a > 1",
            "a offset 5m",
            "5",
            "",
            "{",
            "a}",
            "a{b='",
            "a{b='c'}{d='e'}",
        ] {
            assert_eq!(selector(other), None, "{other}");
            assert!(!is_told(other), "{other}");
        }
        assert!(is_told("sum(increase(a[$step])) or vector(0)"));
        assert!(is_told("${SHOP}_total") && !is_told("a{b='$step'} - c"));
    }

    #[test]
    fn what_is_no_counter_is_refused() {
        for query in [
            "",
            "sum()",
            "increase(a)",
            "sum(increase(a[$step])) / sum(increase(b[$step]))",
            "histogram_quantile(0.95, a)",
            "a[5m]",
            "max_over_time(a[5m])",
        ] {
            assert!(counter(query).is_err(), "{query}");
        }
        for hostile in [
            "(((((",
            ")))",
            "sum(",
            "\"",
            "sum by",
            "sum by (",
            "increase([",
        ] {
            let _said = counter(hostile);
        }
    }
}
