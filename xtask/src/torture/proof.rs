//! What must be true after a run, however often it was killed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::Value;

use super::field::{Field, Nature, Step};
use super::life::processes;
use crate::Answer;

/// A step and a host, as they stand among the effects.
type Place = (String, String);

/// What the record says of a run, read without any of Baton's own code.
#[derive(Debug, Default)]
pub(super) struct Story {
    pub(super) opened: bool,
    /// How it ended.
    pub(super) outcome: Option<String>,
    /// What was seen to be in effect, in order.
    completed: Vec<Place>,
    pub(super) entries: usize,
    /// Ends that nobody knows.
    pub(super) unknown: usize,
    /// Attempts that never started and never will.
    pub(super) voided: usize,
}

/// Exports the record, has it verified, and reads it.
pub(super) fn story(field: &Field) -> Answer<Story> {
    let file = field.folder.join("record.jsonl");
    let name = file.to_string_lossy();
    field.say(&["record", "export", &name])?;
    field.say(&["record", "verify", &name])?;
    let text = fs::read_to_string(&file).map_err(|why| format!("cannot read the record: {why}"))?;
    read(&text, &field.steps)
}

fn read(text: &str, steps: &[Step]) -> Answer<Story> {
    let mut story = Story::default();
    let mut attempts: BTreeMap<String, (Place, String)> = BTreeMap::new();
    let mut back = false;
    for line in text.lines() {
        let line: Value =
            serde_json::from_str(line).map_err(|why| format!("the record has no JSON: {why}"))?;
        let event = &line["event"];
        let word = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
        let host = match word("host").as_str() {
            "" => "here".to_owned(),
            host => host.to_owned(),
        };
        let place = (word("step"), host);
        story.entries += 1;
        match word("kind").as_str() {
            "run-opened" => story.opened = true,
            "run-ended" => story.outcome = Some(word("outcome")),
            "leg-began" => back = true,
            "attempt-started" => {
                attempts.insert(word("attempt"), (place, word("role")));
            }
            "attempt-voided" => story.voided += 1,
            "attempt-ended" => {
                let is = event["end"]["is"].as_str().unwrap_or_default();
                story.unknown += usize::from(is == "unknown");
                let Some((place, role)) = attempts.get(&word("attempt")) else {
                    return Err(format!("the record ends what it never began: {event}"));
                };
                let verified = nature(steps, &place.0).is_some_and(Nature::verified);
                let completes = match role.as_str() {
                    "run" => !verified,
                    role => role == "verify",
                };
                if is == "succeeded" && completes && !back {
                    story.completed.push(place.clone());
                }
            }
            "step-done" if !back && nature(steps, &place.0) != Some(Nature::ByPerson) => {
                story.completed.push(place);
            }
            _ => {}
        }
    }
    Ok(story)
}

fn nature(steps: &[Step], id: &str) -> Option<Nature> {
    let at = (0..steps.len()).find(|at| Step::id(*at) == id)?;
    Some(steps[at].nature)
}

/// Checks the effects of a run that is over against its plan and its record.
pub(super) fn check(field: &Field, story: &Story) -> Answer<()> {
    let text = fs::read_to_string(field.effects())
        .map_err(|why| format!("cannot read the effects: {why}"))?;
    let (mut did, mut undid) = (Vec::new(), Vec::new());
    for line in text.lines() {
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["did", step, host] if undid.is_empty() => did.push((step.to_owned(), host.to_owned())),
            ["undid", step, host] => undid.push((step.to_owned(), host.to_owned())),
            _ => return Err(format!("`{line}` must not stand there")),
        }
    }
    once("done", &did)?;
    once("undone", &undid)?;
    in_order(&field.steps, &did)?;
    match story.outcome.as_deref() {
        Some("succeeded") => {
            let wanted: BTreeSet<Place> = places(&field.steps).collect();
            let found: BTreeSet<Place> = did.into_iter().collect();
            if wanted != found {
                let missing: Vec<_> = wanted.symmetric_difference(&found).collect();
                return Err(format!("not done, or not asked for: {missing:?}"));
            }
            if !undid.is_empty() {
                return Err(format!("undone for no reason: {undid:?}"));
            }
            Ok(())
        }
        Some("rolled-back") => went_back(&did, &undid, &story.completed),
        other => Err(format!("it ended {other:?}")),
    }
}

fn places(steps: &[Step]) -> impl Iterator<Item = Place> + '_ {
    let effective = steps.iter().enumerate();
    effective
        .filter(|(_, step)| step.nature != Nature::ByPerson)
        .flat_map(|(at, step)| {
            step.hosts()
                .map(move |host| (Step::id(at), host.to_owned()))
        })
}

fn once(what: &str, lines: &[Place]) -> Answer<()> {
    let mut seen = BTreeSet::new();
    match lines.iter().find(|place| !seen.insert(*place)) {
        Some((step, host)) => Err(format!("{step} on {host} was {what} twice")),
        None => Ok(()),
    }
}

/// Every step after all that it comes after, and every stage after the one before.
fn in_order(steps: &[Step], did: &[Place]) -> Answer<()> {
    let at = |id: &str, host: &str| did.iter().position(|(s, h)| s == id && h == host);
    let span = |i: usize, hosts: &mut dyn Iterator<Item = &'static str>| {
        let id = Step::id(i);
        let found: Vec<usize> = hosts.filter_map(|host| at(&id, host)).collect();
        Some((*found.iter().min()?, *found.iter().max()?))
    };
    for (i, step) in steps.iter().enumerate() {
        let Some((first, _)) = span(i, &mut step.hosts()) else {
            continue;
        };
        for before in effective(steps, &step.after) {
            if span(before, &mut steps[before].hosts()).is_none_or(|(_, last)| last > first) {
                let (step, before) = (Step::id(i), Step::id(before));
                return Err(format!("{step} took effect before {before} was done"));
            }
        }
        for pair in step.stages.windows(2) {
            let one = span(i, &mut pair[0].iter().copied());
            let next = span(i, &mut pair[1].iter().copied());
            if let (one, Some((next, _))) = (one, next)
                && one.is_none_or(|(_, one)| one > next)
            {
                return Err(format!("{} left a stage out of its turn", Step::id(i)));
            }
        }
    }
    Ok(())
}

/// The steps that leave an effect among these and, for others, those before them.
fn effective(steps: &[Step], after: &[usize]) -> Vec<usize> {
    let mut found = Vec::new();
    for &at in after {
        if steps[at].nature == Nature::ByPerson {
            found.extend(effective(steps, &steps[at].after));
        } else {
            found.push(at);
        }
    }
    found
}

/// Exactly what took effect was undone: what was never seen complete first, then
/// the rest against the order in which it was.
fn went_back(did: &[Place], undid: &[Place], completed: &[Place]) -> Answer<()> {
    let (done, undone): (BTreeSet<_>, BTreeSet<_>) = (did.iter().collect(), undid.iter().collect());
    if done != undone {
        let odd: Vec<_> = done.symmetric_difference(&undone).collect();
        return Err(format!(
            "took effect and was not undone, or the other way round: {odd:?}"
        ));
    }
    let started: Vec<_> = undid
        .iter()
        .take_while(|place| !completed.contains(place))
        .collect();
    let rest: Vec<_> = undid[started.len()..].iter().collect();
    let wanted: Vec<_> = completed.iter().rev().collect();
    if rest != wanted {
        return Err(format!("undone in the order {rest:?}, not {wanted:?}"));
    }
    Ok(())
}

/// That nothing is left: no attempt's folder, and no process that works in this one.
pub(super) fn nothing_left(field: &Field) -> Answer<()> {
    let attempts = fs::read_dir(field.folder.join(".baton/attempts"));
    let left: Vec<_> = attempts.into_iter().flatten().flatten().collect();
    if let Some(one) = left.first() {
        let (count, one) = (left.len(), one.path());
        return Err(format!(
            "{count} attempts were left behind: {}",
            one.display()
        ));
    }
    let here = |pid: &i32| {
        let cwd = fs::read_link(format!("/proc/{pid}/cwd")).unwrap_or_default();
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).into_owned();
        cwd.starts_with(&field.folder) || line.contains(&*field.folder.to_string_lossy())
    };
    match processes().find(here) {
        Some(pid) => Err(format!("the process {pid} was left behind")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str) -> Place {
        let (step, host) = text.split_once(' ').unwrap();
        (step.to_owned(), host.to_owned())
    }

    fn all(texts: &[&str]) -> Vec<Place> {
        texts.iter().map(|text| place(text)).collect()
    }

    #[test]
    fn what_happened_twice_is_found() {
        assert!(once("done", &all(&["s00 h1", "s00 h2"])).is_ok());
        let why = once("done", &all(&["s00 h1", "s00 h2", "s00 h1"])).unwrap_err();
        assert!(why.contains("s00 on h1"), "{why}");
    }

    #[test]
    fn the_way_back_is_exact_and_in_reverse() {
        let (did, seen) = (all(&["a h1", "b h1", "c h1"]), all(&["a h1", "b h1"]));
        let back = |undid: &[&str]| went_back(&did, &all(undid), &seen);
        assert!(back(&["c h1", "b h1", "a h1"]).is_ok());
        for wrong in [
            &["c h1", "a h1", "b h1"][..],
            &["b h1", "a h1", "c h1"],
            &["c h1", "b h1"],
            &["c h1", "b h1", "a h1", "d h1"],
        ] {
            assert!(back(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn the_record_says_what_was_completed() {
        let lines = [
            r#"{"event":{"kind":"run-opened"}}"#,
            r#"{"event":{"kind":"attempt-started","attempt":"a","step":"s00","host":"","role":"verify"}}"#,
            r#"{"event":{"kind":"attempt-ended","attempt":"a","end":{"is":"succeeded"}}}"#,
            r#"{"event":{"kind":"run-ended","outcome":"rolled-back"}}"#,
        ];
        let story = read(&lines.join("\n"), &[]).unwrap();
        assert_eq!(story.completed, all(&["s00 here"]));
        assert_eq!(story.outcome.as_deref(), Some("rolled-back"));
        assert!(read(lines[2], &[]).is_err());
    }
}
