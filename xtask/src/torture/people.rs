//! Those who are asked: they look at the effects and answer, each time from a
//! process of its own.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::field::Field;
use crate::Answer;

/// Somebody looks whether anything is asked when nothing has moved for so long.
const QUIET: Duration = Duration::from_millis(70);
/// And not again before so long.
const AGAIN: Duration = Duration::from_millis(120);

/// The one who may answer for every step and in both roles.
pub(super) const WHO: &str = "pia";

pub(super) struct People {
    looked: Instant,
    asked: bool,
    /// What was answered, all in all.
    pub(super) answers: usize,
}

impl People {
    pub(super) fn new() -> Self {
        Self {
            looked: Instant::now(),
            asked: false,
            answers: 0,
        }
    }

    /// A new driver lives.
    pub(super) fn begin(&mut self) {
        (self.looked, self.asked) = (Instant::now(), false);
    }

    /// Whether the driver that lives now had to ask.
    pub(super) fn asked(&self) -> bool {
        self.asked
    }

    /// Answers what is asked, if nothing has moved for a while.
    pub(super) fn answer(&mut self, field: &Field, quiet: Duration) -> Answer<()> {
        if quiet < QUIET || self.looked.elapsed() < AGAIN {
            return Ok(());
        }
        let said = field.say(&["next", "--as", WHO, "--format", "json"])?;
        let said: Value =
            serde_json::from_str(&said).map_err(|why| format!("baton next says no JSON: {why}"))?;
        for asked in said["next"].as_array().into_iter().flatten() {
            for words in answers(field, asked)? {
                let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
                words.extend(["--as", WHO]);
                // The driver may have been faster, or somebody's word before this one settled it.
                let _refused = field.command(&words).output();
                self.asked = true;
                self.answers += 1;
            }
        }
        self.looked = Instant::now();
        Ok(())
    }
}

/// The words that answer one question.
fn answers(field: &Field, asked: &Value) -> Answer<Vec<Vec<String>>> {
    let text = |key: &str| asked[key].as_str().unwrap_or_default();
    let (step, command, says) = (text("step"), text("command"), text("says"));
    let words = |line: String| line.split(' ').map(str::to_owned).collect();
    if command.starts_with("baton approve") {
        return Ok(vec![words(format!("approve {step}"))]);
    }
    if command.starts_with("baton accept --live") {
        return Ok(vec![words("accept --live".to_owned())]);
    }
    if !command.starts_with("baton done") {
        // A frozen run: its driver ends, and the harness calls the way back.
        return Ok(Vec::new());
    }
    if !command.contains("baton retry") {
        return Ok(vec![words(format!("done {step}"))]);
    }
    // Nobody knows whether it happened: look, and say.
    let undo = says.contains("was undone");
    let hosts = asked["hosts"].as_array().into_iter().flatten();
    let hosts: Vec<&str> = hosts.filter_map(Value::as_str).collect();
    let answer = |host: &str| {
        let named = if host.is_empty() { "here" } else { host };
        let (did, undid) = (
            field.count("did", step, named),
            field.count("undid", step, named),
        );
        let happened = if undo { undid >= did } else { did > undid };
        let on = if host.is_empty() {
            String::new()
        } else {
            format!(" --on {host}")
        };
        let word = if happened { "done" } else { "retry" };
        words(format!("{word} {step}{on}"))
    };
    if hosts.is_empty() {
        return Ok(vec![answer("")]);
    }
    Ok(hosts.into_iter().map(answer).collect())
}
