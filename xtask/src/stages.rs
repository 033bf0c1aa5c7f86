//! Named, timed pieces of work, run one after the other. One that fails does
//! not stop the others, except those that say they come after it.

use std::time::{Duration, Instant};

use crate::{Answer, say};

/// One piece of work.
pub(crate) struct Stage<'a> {
    pub(crate) name: &'static str,
    /// The stage without which this one means nothing.
    pub(crate) after: Option<&'static str>,
    pub(crate) work: Box<dyn FnOnce() -> Answer<()> + 'a>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum End {
    Passed,
    Failed(String),
    /// Asked for with `--without`: no failure.
    LeftOut,
    /// The stage named here did not pass.
    NotRun(&'static str),
}

/// What became of each stage.
#[derive(Debug, Default)]
pub(crate) struct Report {
    rows: Vec<(&'static str, End, Duration)>,
}

impl Report {
    /// Runs the stages that `without` does not name.
    pub(crate) fn of(stages: Vec<Stage<'_>>, without: &[String]) -> Self {
        let mut report = Self::default();
        for stage in stages {
            let begun = Instant::now();
            let blocked = stage.after.filter(|name| report.failed(name));
            let end = if without.iter().any(|name| name == stage.name) {
                End::LeftOut
            } else if let Some(name) = blocked {
                End::NotRun(name)
            } else {
                say::aside(&format!("\n── {} ──\n", stage.name));
                (stage.work)().map_or_else(End::Failed, |()| End::Passed)
            };
            report.rows.push((stage.name, end, begun.elapsed()));
        }
        report
    }

    fn failed(&self, name: &str) -> bool {
        let bad = |end: &End| matches!(end, End::Failed(_) | End::NotRun(_));
        self.rows
            .iter()
            .any(|(known, end, _)| *known == name && bad(end))
    }

    /// The names of the stages that did not pass though they were wanted.
    pub(crate) fn failures(&self) -> Vec<&'static str> {
        self.rows
            .iter()
            .map(|(name, ..)| *name)
            .filter(|name| self.failed(name))
            .collect()
    }

    /// One line a stage.
    pub(crate) fn table(&self) -> String {
        let rows: Vec<Vec<String>> = self
            .rows
            .iter()
            .map(|(name, end, took)| {
                let (word, why) = match end {
                    End::Passed => ("✓ passed", String::new()),
                    End::Failed(why) => ("✗ failed", why.clone()),
                    End::LeftOut => ("– left out", "as asked".to_owned()),
                    End::NotRun(name) => ("– not run", format!("{name} did not pass")),
                };
                let took = format!("{:>7.1} s", took.as_secs_f64());
                vec![(*name).to_owned(), word.to_owned(), took, why]
            })
            .collect();
        say::table(&rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    fn stage<'a>(
        ran: &'a RefCell<Vec<&'static str>>,
        name: &'static str,
        after: Option<&'static str>,
        ends: Result<(), &'static str>,
    ) -> Stage<'a> {
        let work = Box::new(move || {
            ran.borrow_mut().push(name);
            ends.map_err(str::to_owned)
        });
        Stage { name, after, work }
    }

    #[test]
    fn a_failure_stops_only_what_comes_after_it() {
        let ran = RefCell::default();
        let stages = vec![
            stage(&ran, "fmt", None, Err("ugly")),
            stage(&ran, "build", None, Err("broken")),
            stage(&ran, "tests", Some("build"), Ok(())),
            stage(&ran, "demo", Some("tests"), Ok(())),
            stage(&ran, "doc", None, Ok(())),
        ];
        let report = Report::of(stages, &[]);
        assert_eq!(*ran.borrow(), ["fmt", "build", "doc"]);
        assert_eq!(report.failures(), ["fmt", "build", "tests", "demo"]);
        let table = report.table();
        assert_eq!(table.lines().count(), 5);
        assert!(
            table.contains("ugly") && table.contains("build did not pass"),
            "{table}"
        );
    }

    #[test]
    fn what_is_left_out_is_no_failure() {
        let ran = RefCell::default();
        let stages = vec![
            stage(&ran, "doc", None, Err("x")),
            stage(&ran, "demo", Some("doc"), Ok(())),
        ];
        let report = Report::of(stages, &["doc".to_owned()]);
        assert_eq!(*ran.borrow(), ["demo"]);
        assert!(report.failures().is_empty());
        assert!(report.table().contains("left out"));
    }
}
