//! Two counters of a PostgreSQL database: bad ones, and all.
//!
//! Asked over `psql` from where Baton runs, in a session that writes nothing and
//! takes 5 s a statement at most. User and password stand in no argument, no statement
//! becomes shell, and no error repeats a secret. Rows that are gone are no new ones: a
//! count that fell is trouble.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use baton_core::run::order;

use super::{Fall, Reading, Tally, count};
use crate::collect::{Limits, run_here, session};
use crate::secret::{Masker, resolve};
use crate::shell::ssh::quote;

/// How long it may take, and how much it may print.
const LIMITS: Limits = Limits {
    time: Duration::from_secs(10),
    bytes: 16 * 1024,
};
/// How much of what `psql` says is repeated.
const SAID_MOST: usize = 200;

/// A database, and what its counters were when they were read last.
#[derive(Debug)]
pub struct Database {
    asked: order::Database,
    folder: PathBuf,
    /// The secrets of its address, until it refuses them.
    secrets: Option<Secrets>,
    tally: Tally,
}

/// Values that cannot be printed.
struct Secrets(BTreeMap<String, String>);

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets(***)")
    }
}

impl Database {
    /// The database that is asked this; `folder` is the contract's, in which secrets
    /// are found.
    pub fn new(asked: order::Database, folder: PathBuf) -> Self {
        Self {
            asked,
            folder,
            secrets: None,
            tally: Tally::new(Fall::Gone),
        }
    }

    /// What was counted since the last time; nothing the first time.
    ///
    /// # Errors
    /// Says why the database gave no two numbers, or none that tell what is new.
    pub fn read(&mut self) -> Result<Reading, String> {
        let now = self.numbers();
        if now.is_err() {
            // A password may have been changed meanwhile.
            self.secrets = None;
        }
        Ok(Reading {
            counts: self.tally.gains(now?)?,
            ..Reading::default()
        })
    }

    fn numbers(&mut self) -> Result<[f64; 2], String> {
        let secrets = match self.secrets.take() {
            Some(secrets) => secrets,
            None => self.resolved()?,
        };
        let secrets = &self.secrets.insert(secrets).0;
        let (open, mut vars) = session(&self.asked.url, secrets)?;
        if let Some(options) = vars.get_mut("PGOPTIONS") {
            // In one snapshot: what is counted twice is counted at one moment.
            options.push_str(" -c default_transaction_isolation=repeatable\\ read");
        }
        let hidden = secrets.values().chain(vars.get("PGPASSWORD")).cloned();
        let masker = Masker::new(hidden);
        for (name, statement) in [
            ("BATON_BAD", &self.asked.bad),
            ("BATON_TOTAL", &self.asked.total),
        ] {
            let _new = vars.insert(name.to_owned(), statement.clone());
        }
        let ran = run_here(&script(&open), &self.folder, &vars, LIMITS)
            .map_err(|error| format!("cannot start sh: {error}"))?;
        answer(&masker.mask(&String::from_utf8_lossy(&ran.output)))
    }

    fn resolved(&self) -> Result<Secrets, String> {
        let resolved = self.asked.secrets.iter().map(|(name, reference)| {
            let secret = resolve(reference, &self.folder)
                .map_err(|why| format!("the secret {name} cannot be had: {why}"))?;
            Ok((name.clone(), secret.expose().to_owned()))
        });
        resolved.collect::<Result<_, String>>().map(Secrets)
    }
}

/// Prints `yes` and what the statements gave, or `no` and why.
fn script(open: &str) -> String {
    format!(
        r#"set -f
command -v psql >/dev/null 2>&1 || {{ echo no psql is not installed where baton runs; exit; }}
if said=$(psql -X -q -A -t -w -1 -v ON_ERROR_STOP=1 -d {} -c "$BATON_BAD" -c "$BATON_TOTAL" 2>&1)
then echo yes $said
else printf 'no %s\n' "$said"; fi
"#,
        quote(open)
    )
}

fn answer(said: &str) -> Result<[f64; 2], String> {
    let Some((word, said)) = said.trim().split_once(' ') else {
        return Err(match said.trim() {
            "yes" => "its statements give nothing".to_owned(),
            _ => "no answer within 10 s".to_owned(),
        });
    };
    let first = said.trim().lines().next().unwrap_or_default();
    let shown = first.chars().filter(|c| !c.is_control());
    let first: String = shown.take(SAID_MOST).collect();
    if word != "yes" {
        return Err(first);
    }
    let numbers = said.split_whitespace().map(count);
    match numbers.collect::<Option<Vec<f64>>>().as_deref() {
        Some([bad, total]) => Ok([*bad, *total]),
        _ => Err(format!("its statements do not give a number each: {first}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_numbers_are_an_answer_and_nothing_else_is() {
        assert_eq!(answer("yes 3 1e2\n"), Ok([3.0, 100.0]));
        for (said, why) in [
            ("", "no answer within 10 s"),
            ("yes\n", "its statements give nothing"),
            ("yes 3\n", "its statements do not give a number each: 3"),
            (
                "yes 1 2 3",
                "its statements do not give a number each: 1 2 3",
            ),
            ("yes -1 2", "its statements do not give a number each: -1 2"),
            ("no ERROR:  no\nLINE 1: x", "ERROR:  no"),
        ] {
            assert_eq!(answer(said), Err(why.to_owned()), "{said:?}");
        }
    }
}
