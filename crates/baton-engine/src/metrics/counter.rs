//! Two counters that a command on a host prints: bad ones, and all.
//!
//! The command runs as every command does: in the host's folder, with its
//! variables, a time limit, and secrets masked. The last line it prints that is
//! not empty holds the two numbers. A number that fell has begun anew, as that
//! of a log does that was rotated.

use std::sync::Arc;
use std::sync::mpsc::channel;

use baton_core::event::Ending;
use baton_core::id::AttemptId;
use baton_core::run::order::Order;
use baton_core::watch::Counts;
use jiff::Timestamp;

use super::{Reading, gained};
use crate::real::random;
use crate::shell::Shell;

/// How much of a line is repeated that says what went wrong.
const SHOWN: usize = 100;

/// A counter, and what it was when it was read last.
#[derive(Debug)]
pub struct Counter {
    shell: Arc<Shell>,
    order: Order,
    last: Option<[f64; 2]>,
}

impl Counter {
    /// The counter that this order prints; nothing is read yet.
    pub fn new(shell: Arc<Shell>, order: Order) -> Self {
        Self {
            shell,
            order,
            last: None,
        }
    }

    /// What was counted since the last time; nothing the first time.
    ///
    /// # Errors
    /// Says why the command gave no two numbers.
    pub fn read(&mut self) -> Result<Reading, String> {
        let now = numbers(&self.shell, &self.order)?;
        let last = self.last.replace(now).unwrap_or(now);
        let [bad, total] = [0, 1].map(|at| gained(last[at], now[at]).round() as u64);
        Ok(Reading {
            counts: Counts::new(bad, total),
            times: None,
        })
    }
}

/// The two numbers as they are now, or why there are none.
fn numbers(shell: &Shell, order: &Order) -> Result<[f64; 2], String> {
    let mut order = order.clone();
    order.attempt = AttemptId::made(Timestamp::now(), random());
    let (sender, ends) = channel();
    let began = shell.start(&order, &sender);
    began.map_err(|error| format!("its command cannot be started: {error}"))?;
    // The end is sent whatever becomes of the command, and its time is limited.
    let ended = ends.recv().map_err(|_| "its command made no end")?;
    shell.forget(&order.attempt);
    match ended.end {
        Ending::Succeeded => read(&ended.output),
        Ending::Exited { code } => Err(match last_line(&ended.output) {
            Some(said) => format!("its command ended with status {code}: {said}"),
            None => format!("its command ended with status {code}"),
        }),
        Ending::Killed { signal } => Err(format!("its command was ended by signal {signal}")),
        Ending::TimedOut => Err(format!("its command took more than {}", order.timeout)),
        Ending::NotStarted { because } | Ending::Unknown { because } => Err(because),
    }
}

/// The beginning of the last line that is not empty.
fn last_line(output: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(output);
    let last = text.lines().rev().find(|line| !line.trim().is_empty())?;
    Some(
        last.trim()
            .chars()
            .take(SHOWN)
            .flat_map(char::escape_debug)
            .collect(),
    )
}

fn read(output: &[u8]) -> Result<[f64; 2], String> {
    let text = String::from_utf8_lossy(output);
    let last = text.lines().rev().find(|line| !line.trim().is_empty());
    let words: Vec<&str> = last.unwrap_or_default().split_whitespace().collect();
    let number = |word: &str| {
        let number = word.parse::<f64>().ok();
        number.filter(|number| number.is_finite() && *number >= 0.0)
    };
    let numbers = match words.as_slice() {
        [] => return Err("its command printed nothing".to_owned()),
        [bad, total] => number(bad).zip(number(total)),
        _ => None,
    };
    numbers.map(|(bad, total)| [bad, total]).ok_or_else(|| {
        let shown = last_line(output).unwrap_or_default();
        format!("its command's last line is not two numbers: {shown}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_holds_two_numbers() {
        for (output, numbers) in [
            ("3 100\n", Some([3.0, 100.0])),
            ("looking\n 0\t7 \n\n", Some([0.0, 7.0])),
            ("1e3 2.5e4", Some([1000.0, 25000.0])),
            ("", None),
            ("3\n", None),
            ("1 2 3", None),
            ("-1 2", None),
            ("1 NaN", None),
            ("inf 1", None),
            ("3 100\nbye", None),
        ] {
            assert_eq!(read(output.as_bytes()).ok(), numbers, "{output:?}");
        }
        let long = read("x".repeat(1000).as_bytes()).unwrap_err();
        assert!(long.len() < 200, "{long}");
    }

    #[test]
    fn what_fell_began_anew() {
        assert_eq!(gained(5.0, 8.0), 3.0);
        assert_eq!(gained(8.0, 2.0), 2.0);
    }
}
