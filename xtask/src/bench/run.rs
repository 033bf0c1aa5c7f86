//! Family `run`: what a step costs in the driver and the ledger alone, and as a
//! shell command that outlives Baton; how soon a killed run goes on; and what
//! others need for the same, in the same rounds, because the disk has moods.

mod field;
mod killed;
mod peers;

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::Value;

use super::measure::Times;
use super::{Ask, Figure};
use crate::{Answer, say};
use field::{Shape, handoff};

/// How often everything is measured; the medians count.
const ROUNDS: usize = 5;
/// Records of 200 bytes in one probe of the disk.
const PROBES: usize = 100;
/// Processes in one look at what starting one costs.
const SPAWNS: usize = 100;
const STEPS: usize = 1_000;
const BESIDE: usize = 100;
const LONG: usize = 10_000;
const SHELL: usize = 300;
const EVENTS: usize = 100_000;

/// Everything that is measured more than once.
#[derive(Default)]
struct Rounds {
    probe: Vec<f64>,
    spawn: Vec<f64>,
    step: Vec<f64>,
    over: Vec<f64>,
    beside: Vec<f64>,
    writes: Vec<f64>,
    long: Vec<f64>,
    ratio: Vec<f64>,
    shell: Vec<f64>,
    overhead: Vec<f64>,
}

pub(super) fn measure(baton: &Path, ask: &Ask) -> Answer<Vec<Figure>> {
    let folder = tempfile::tempdir().map_err(|why| format!("cannot make a folder: {why}"))?;
    let at = folder.path();
    let peers = peers::Peers::ready(ask.slow)?;
    let mut rounds = Rounds::default();
    let mut others = peers::Seen::default();
    for round in 1..=ROUNDS {
        say::aside(&format!("round {round} of {ROUNDS}\n"));
        one_round(baton, at, &mut rounds)?;
        peers.round(&at.join(format!("peers-{round}")), &mut others)?;
    }
    say::aside("kills\n");
    let short = killed::gaps(baton, &at.join("killed"), 0)?;
    say::aside(&format!("kills, after {EVENTS} events\n"));
    let long = killed::gaps(baton, &at.join("killed-late"), EVENTS)?;
    peers.killed(&at.join("peers-killed"), &mut others)?;
    let mut figures = figures(rounds, short, long);
    figures.extend(others.figures());
    Ok(figures)
}

fn one_round(baton: &Path, at: &Path, rounds: &mut Rounds) -> Answer<()> {
    let spawn = spawn()?;
    let probe = probe(at)?;
    let one = idle(baton, at, Shape::After(STEPS))?;
    let step = one.total_ms / count(STEPS);
    rounds.step.push(step);
    rounds.over.push(step - probe);
    let beside = idle(baton, at, Shape::Beside(BESIDE))?;
    rounds.beside.push(beside.total_ms);
    rounds.writes.push(beside.writes);
    let long = idle(baton, at, Shape::After(LONG))?;
    rounds.long.push(long.total_ms / 1000.0);
    rounds.ratio.push(long.last_ms / long.first_ms);
    let shell = shell(baton, at)?;
    // The disk may have changed its mood in between.
    let later = self::probe(at)?;
    rounds.shell.push(shell);
    rounds.overhead.push(shell / (2.0 * spawn + later));
    rounds.spawn.push(spawn);
    rounds.probe.extend([probe, later]);
    Ok(())
}

fn figures(rounds: Rounds, short: Vec<f64>, long: Vec<f64>) -> Vec<Figure> {
    let probe = Times::new(rounds.probe.clone()).median();
    let spawn = Times::new(rounds.spawn.clone()).median();
    let flush = Some((probe, "one flush"));
    let flush_s = Some((probe * count(LONG) / 1000.0, "a flush each"));
    let two = Some((2.0 * spawn + probe, "two spawns and a flush"));
    let rate = rounds.step.iter().map(|step| 1000.0 / step).collect();
    vec![
        of("fsync_probe_ms", rounds.probe, None),
        of("spawn_ms", rounds.spawn, None),
        of("noop_step_ms", rounds.step, flush),
        of("noop_step_over_probe_ms", rounds.over, None),
        of("noop_steps_per_s", rate, None),
        of("noop_parallel_100_ms", rounds.beside, flush),
        of("noop_parallel_100_flushes", rounds.writes, None),
        of("noop_10k_s", rounds.long, flush_s),
        of("last_to_first_step_ratio", rounds.ratio, None),
        of("shell_step_ms", rounds.shell, two),
        of(
            "shell_step_overhead_ratio",
            rounds.overhead,
            Some((1.0, "two spawns and a flush")),
        ),
        of("kill_to_next_step_ms", short, None),
        of("kill_to_next_step_100k_events_ms", long, None),
    ]
}

fn of(key: &'static str, values: Vec<f64>, floor: Option<(f64, &'static str)>) -> Figure {
    let times = Times::new(values);
    Figure {
        key: key.to_owned(),
        value: times.median(),
        spread: times.spread(),
        floor,
    }
}

fn count(n: usize) -> f64 {
    f64::from(u32::try_from(n).unwrap_or(u32::MAX))
}

/// The median of appending 200 bytes to a file and flushing them, in milliseconds.
fn probe(folder: &Path) -> Answer<f64> {
    let trouble = |why: std::io::Error| format!("cannot probe the disk: {why}");
    let path = folder.join("probe");
    let mut options = std::fs::OpenOptions::new();
    let file = options.create(true).append(true).mode(0o600).open(&path);
    let mut file = file.map_err(trouble)?;
    let mut times = Vec::with_capacity(PROBES);
    for _ in 0..PROBES {
        let begun = Instant::now();
        file.write_all(&[b'x'; 200]).map_err(trouble)?;
        file.sync_data().map_err(trouble)?;
        times.push(begun.elapsed().as_secs_f64() * 1000.0);
    }
    std::fs::remove_file(path).map_err(trouble)?;
    Ok(Times::new(times).median())
}

/// The median of starting and awaiting `/bin/true`, in milliseconds.
fn spawn() -> Answer<f64> {
    let mut times = Vec::with_capacity(SPAWNS);
    for _ in 0..SPAWNS {
        let begun = Instant::now();
        let status = Command::new("/bin/true").stdin(Stdio::null()).status();
        let status = status.map_err(|why| format!("cannot start /bin/true: {why}"))?;
        if !status.success() {
            return Err(format!("/bin/true ended with {status}"));
        }
        times.push(begun.elapsed().as_secs_f64() * 1000.0);
    }
    Ok(Times::new(times).median())
}

/// What `baton bench-run` says.
struct Idle {
    total_ms: f64,
    first_ms: f64,
    last_ms: f64,
    writes: f64,
}

/// A launch whose commands end at once.
fn idle(baton: &Path, at: &Path, shape: Shape) -> Answer<Idle> {
    let folder = at.join("idle");
    handoff(&folder, shape, "true")?;
    let output = Command::new(baton)
        .args(["bench-run", "--as", "pia"])
        .current_dir(&folder)
        .stdin(Stdio::null())
        .output()
        .map_err(|why| format!("cannot start baton: {why}"))?;
    let gone = std::fs::remove_dir_all(&folder);
    gone.map_err(|why| format!("cannot remove {}: {why}", folder.display()))?;
    let said = || {
        let said: Value = serde_json::from_slice(&output.stdout).ok()?;
        let steps = said["steps"].as_u64()?;
        let all = steps == u64::try_from(shape.steps()).ok()?;
        let number = |key: &str| said[key].as_f64().filter(|_| all);
        Some(Idle {
            total_ms: number("total_ms")?,
            first_ms: number("first_ms")?,
            last_ms: number("last_ms")?,
            writes: number("writes")?,
        })
    };
    said().ok_or_else(|| {
        let why = String::from_utf8_lossy(&output.stderr).into_owned();
        format!(
            "baton bench-run drove no run of {} steps: {}",
            shape.steps(),
            why.trim()
        )
    })
}

/// Milliseconds a step of a real launch, from the first intent to the last end
/// in the record.
fn shell(baton: &Path, at: &Path) -> Answer<f64> {
    let folder = at.join("shell");
    let field = field::Field::ready(baton, &folder, Shape::After(SHELL), "true", 0)?;
    let mut driver = field.launch()?;
    field.until_over(&mut driver)?;
    let file = folder.join("record.jsonl");
    field.say(&["record", "export", &file.to_string_lossy()])?;
    let text = std::fs::read_to_string(&file).map_err(|why| format!("no record: {why}"))?;
    let took = span_ms(&text).ok_or("the record has no attempts")?;
    let gone = std::fs::remove_dir_all(&folder);
    gone.map_err(|why| format!("cannot remove {}: {why}", folder.display()))?;
    Ok(took / count(SHELL))
}

/// From the first attempt that started to the last that ended.
fn span_ms(record: &str) -> Option<f64> {
    let mut span = (None, None);
    for line in record.lines() {
        let line: Value = serde_json::from_str(line).ok()?;
        let at = || seconds_of_day(line["at"].as_str()?);
        match line["event"]["kind"].as_str() {
            Some("attempt-started") if span.0.is_none() => span.0 = at(),
            Some("attempt-ended") => span.1 = at(),
            _ => {}
        }
    }
    // A run over midnight: it is shorter than a day.
    Some((span.1? - span.0?).rem_euclid(86_400.0) * 1000.0)
}

/// The time of day of `2026-11-22T10:00:01.5Z`, in seconds.
fn seconds_of_day(at: &str) -> Option<f64> {
    let mut parts = at.split_once('T')?.1.strip_suffix('Z')?.split(':');
    let mut next = || parts.next()?.parse::<f64>().ok();
    Some(next()? * 3600.0 + next()? * 60.0 + next()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_read_from_the_record_also_over_midnight() {
        let record = [
            r#"{"at":"2026-11-22T23:59:59.5Z","event":{"kind":"attempt-started"}}"#,
            r#"{"at":"2026-11-22T23:59:59.7Z","event":{"kind":"attempt-ended"}}"#,
            r#"{"at":"2026-11-23T00:00:00.25Z","event":{"kind":"attempt-ended"}}"#,
        ];
        let span = span_ms(&record.join("\n")).unwrap();
        assert!((span - 750.0).abs() < 0.001, "{span}");
        assert_eq!(span_ms(record[0]), None);
    }

    #[test]
    fn disk_and_processes_are_probed() {
        let folder = tempfile::tempdir().unwrap();
        assert!(probe(folder.path()).unwrap() > 0.0);
        assert!(probe(&folder.path().join("gone")).is_err());
        assert!(spawn().unwrap() > 0.0);
    }

    #[test]
    fn a_baton_that_drives_nothing_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        for program in ["/bin/true", "/no/such/baton"] {
            assert!(idle(Path::new(program), folder.path(), Shape::Beside(2)).is_err());
        }
    }
}
