//! The counter inside a Prometheus query.
//!
//! `increase` and `rate` extrapolate over the ends of their window, forget what a
//! series counted before its first scrape, and give fractions of requests. So the
//! judge reads the counters themselves, series by series, and takes differences;
//! a query written the usual way, `sum(increase(COUNTER[$step]))`, is read as its
//! counter. Nothing else of PromQL is understood here: an expression without a
//! range goes to the server as it is, and its series must be counters.

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
