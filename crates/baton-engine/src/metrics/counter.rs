//! Numbers that a command on a host prints: two counters, bad ones and all, or a
//! level.
//!
//! The command runs as every command does: in the host's folder, with its
//! variables, a time limit, and secrets masked. The last line it prints that is
//! not empty holds the numbers. A counter that fell has begun anew, but where rows or
//! lines are counted: there it is trouble. Where the order has a mark, its numbers are what is new since the mark of the last time.

use std::sync::Arc;
use std::sync::mpsc::channel;

use baton_core::event::Ending;
use baton_core::id::AttemptId;
use baton_core::run::order::{KEPT, MARK, Order};
use baton_core::watch::Level;
use jiff::Timestamp;

use super::{Fall, Reading, Tally, count, counted};
use crate::real::random;
use crate::shell::Shell;

/// How much of a line is repeated that says what went wrong.
const SHOWN: usize = 100;

/// A counter, and what it was when it was read last.
#[derive(Debug)]
pub struct Counter {
    shell: Arc<Shell>,
    order: Order,
    tally: Tally,
}

impl Counter {
    /// The counter that this order prints; nothing is read yet.
    pub fn new(shell: Arc<Shell>, order: Order) -> Self {
        let kept = order.env.contains_key(KEPT);
        Self {
            shell,
            order,
            tally: Tally::new(if kept { Fall::Gone } else { Fall::Anew }),
        }
    }

    /// What was counted since the last time; nothing the first time.
    ///
    /// # Errors
    /// Says why the command gave no two numbers, or none that tell what is new.
    pub fn read(&mut self) -> Result<Reading, String> {
        let printed = printed(&self.shell, &self.order)?;
        let counts = match self.order.env.get_mut(MARK) {
            Some(mark) => {
                let ([bad, total], place) = marked(&printed)?;
                let counts = counted(bad, total)?;
                *mark = place;
                counts
            }
            None => self.tally.gains(read(&printed)?)?,
        };
        Ok(Reading {
            counts,
            ..Reading::default()
        })
    }
}

/// The level that this order prints.
///
/// # Errors
/// Says why the command gave no number.
pub fn level(shell: &Shell, order: &Order) -> Result<Reading, String> {
    let printed = printed(shell, order)?;
    Ok(Reading {
        level: Some(one(&printed)?),
        ..Reading::default()
    })
}

/// What the command prints, or why it did not end well.
fn printed(shell: &Shell, order: &Order) -> Result<Vec<u8>, String> {
    let mut order = order.clone();
    order.attempt = AttemptId::made(Timestamp::now(), random());
    let (sender, ends) = channel();
    let began = shell.start(&order, &sender);
    began.map_err(|error| format!("its command cannot be started: {error}"))?;
    // The end is sent whatever becomes of the command, and its time is limited.
    let ended = ends.recv().map_err(|_| "its command made no end")?;
    shell.forget(&order.attempt);
    match ended.end {
        Ending::Succeeded => Ok(ended.output),
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

/// Two counters.
fn read(output: &[u8]) -> Result<[f64; 2], String> {
    words(output, "two numbers", |words| match words {
        [bad, total] => Some([count(bad)?, count(total)?]),
        _ => None,
    })
}

/// Two counters, and a mark.
fn marked(output: &[u8]) -> Result<([f64; 2], String), String> {
    words(output, "two numbers and a mark", |words| match words {
        [bad, total, mark] => Some(([count(bad)?, count(total)?], (*mark).to_owned())),
        _ => None,
    })
}

/// A level.
fn one(output: &[u8]) -> Result<Level, String> {
    words(output, "a number", |words| match words {
        [level] => Level::of(level.parse().ok()?),
        _ => None,
    })
}

/// What the words of the last line mean that is not empty.
fn words<T>(
    output: &[u8],
    what: &str,
    means: impl FnOnce(&[&str]) -> Option<T>,
) -> Result<T, String> {
    let text = String::from_utf8_lossy(output);
    let last = text.lines().rev().find(|line| !line.trim().is_empty());
    let last = last.ok_or("its command printed nothing")?;
    let words: Vec<&str> = last.split_whitespace().collect();
    means(&words).ok_or_else(|| {
        let shown = last_line(output).unwrap_or_default();
        format!("its command's last line is not {what}: {shown}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_holds_the_numbers() {
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
            ("1 1e16", None),
            ("3 100\nbye", None),
        ] {
            assert_eq!(read(output.as_bytes()).ok(), numbers, "{output:?}");
        }
        assert_eq!(marked(b"1 2 7:9:8\n"), Ok(([1.0, 2.0], "7:9:8".to_owned())));
        assert!(marked(b"1 2\n").is_err());
        for (output, level) in [
            ("-3.5\n", Some(-3.5)),
            ("1e15", Some(1e15)),
            ("1 2", None),
            ("NaN", None),
            ("1.7e308", None),
            ("-1.7e308", None),
        ] {
            let read = one(output.as_bytes()).ok();
            assert_eq!(read.map(|level| level.mean), level, "{output:?}");
        }
        let long = read("x".repeat(1000).as_bytes()).unwrap_err();
        assert!(long.len() < 200, "{long}");
    }

    #[test]
    fn a_process_that_fell_began_anew_and_rows_that_fell_are_trouble() {
        let read = |fall, readings: &[[f64; 2]]| {
            let mut tally = Tally::new(fall);
            let read = readings.iter().map(|now| tally.gains(*now).ok());
            let pairs = read.map(|counts| counts.map(|c| (c.bad, c.total)));
            pairs.collect::<Vec<_>>()
        };
        let (nothing, some) = (Some((0, 0)), |bad, total| Some((bad, total)));
        let restarted = [[5.0, 100.0], [8.0, 110.0], [1.0, 20.0], [2.0, 30.0]];
        assert_eq!(
            read(Fall::Anew, &restarted),
            [nothing, some(3, 10), some(1, 20), some(1, 10)]
        );
        // One that was refused is paid after all; an old one is purged.
        let rows = [[5000.0, 90_000.0], [4999.0, 90_012.0], [5001.0, 90_100.0]];
        assert_eq!(read(Fall::Gone, &rows), [nothing, None, some(2, 88)]);
        let purged = [[3.0, 1e6], [4.0, 999_999.0], [5.0, 1_000_003.0]];
        assert_eq!(read(Fall::Gone, &purged), [nothing, None, some(1, 4)]);
        // More bad ones than all wait for the rest, which comes or does not.
        for fall in [Fall::Anew, Fall::Gone] {
            let late = [[5.0, 100.0], [8.0, 101.0], [8.0, 110.0]];
            assert_eq!(read(fall, &late), [nothing, None, some(3, 10)]);
            assert_eq!(read(fall, &[[7.0, 3.0], [8.0, 4.0]]), [None, None]);
        }
    }
}
