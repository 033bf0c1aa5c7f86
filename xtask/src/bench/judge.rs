//! Family `judge`: the crate `bench/judge`, which needs no process around it.
//!
//! It prints a line `KEY<tab>VALUE<tab>SPREAD` for each figure; a value `never`
//! (more than half of the releases were not found) has no number and is left out
//! of the record.

use super::Figure;
use crate::{Answer, say, shell};

pub(super) fn measure() -> Answer<Vec<Figure>> {
    shell::must(&mut shell::cargo("build --package judge-bench --release"))?;
    let program = shell::built("judge-bench", "release")?;
    say::aside("simulating some 100,000 releases; this takes minutes\n");
    let text = shell::output(&mut shell::program(&program.to_string_lossy()))?;
    let (figures, never) = read(&text)?;
    for line in never {
        say::aside(&format!("{line}\n"));
    }
    Ok(figures)
}

/// The figures, and what has no number.
fn read(text: &str) -> Answer<(Vec<Figure>, Vec<String>)> {
    let (mut figures, mut never) = (Vec::new(), Vec::new());
    for line in text.lines() {
        let mut parts = line.split('\t');
        let (Some(key), Some(value), Some(spread), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(format!("judge-bench printed `{line}`"));
        };
        match value.parse() {
            Ok(value) => figures.push(Figure {
                key: key.to_owned(),
                value,
                spread: spread.to_owned(),
                floor: None,
            }),
            Err(_) => never.push(format!("{key}: {value} ({spread})")),
        }
    }
    Ok((figures, never))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_figures() {
        let text = "a_pct\t4.500\tse 0.46\nb_min\tnever\t95 %: 9 to never\n";
        let (figures, never) = read(text).unwrap();
        assert_eq!((figures.len(), never.len()), (1, 1));
        assert_eq!((figures[0].key.as_str(), figures[0].value), ("a_pct", 4.5));
        assert!(read("a_pct 4.5").is_err());
    }
}
