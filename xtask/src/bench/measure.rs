//! Timing whole processes, and how much memory one took.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::machine;
use crate::{Answer, shell};

/// How often each process is timed, after [`WARM_UP`] runs that are not.
const RUNS: usize = 20;
/// The first runs fill the file cache.
const WARM_UP: usize = 2;
/// How often the memory of a process is looked at.
const LOOK_EVERY: Duration = Duration::from_micros(500);

/// Times in milliseconds, sorted.
pub(super) struct Times(Vec<f64>);

impl Times {
    pub(super) fn new(mut times: Vec<f64>) -> Self {
        times.sort_by(f64::total_cmp);
        Self(times)
    }

    pub(super) fn median(&self) -> f64 {
        let middle = self.0.len() / 2;
        if self.0.len() % 2 == 1 {
            return self.0[middle];
        }
        f64::midpoint(self.0[middle - 1], self.0[middle])
    }

    pub(super) fn spread(&self) -> String {
        match (self.0.first(), self.0.last()) {
            (Some(least), Some(most)) => format!("{least:.2} to {most:.2}"),
            _ => String::new(),
        }
    }
}

/// Times `work`, which fails the benchmark when it fails.
pub(super) fn time(mut work: impl FnMut() -> Answer<()>) -> Answer<Times> {
    let mut times = Vec::with_capacity(RUNS);
    for run in 0..WARM_UP + RUNS {
        let begun = Instant::now();
        work()?;
        if run >= WARM_UP {
            times.push(begun.elapsed().as_secs_f64() * 1000.0);
        }
    }
    Ok(Times::new(times))
}

/// Runs a command in silence; it must end with one of the statuses `fine`.
pub(super) fn quietly(command: &mut Command, fine: &[i32]) -> Answer<()> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let status = shell::status(command)?;
    if status.code().is_some_and(|code| fine.contains(&code)) {
        return Ok(());
    }
    Err(format!("{} ended with {status}", shell::line(command)))
}

/// The most memory a process held, in KiB, as far as it could be seen: its high
/// water mark is read until it ends, so growth in its very last moment is missed.
pub(super) fn peak_kib(command: &mut Command) -> Answer<u64> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut child = command
        .spawn()
        .map_err(|why| format!("cannot start {}: {why}", shell::line(command)))?;
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    loop {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        peak = machine::kib(&text, "VmHWM").unwrap_or(0).max(peak);
        let ended = child
            .try_wait()
            .map_err(|why| format!("cannot wait: {why}"))?;
        if ended.is_some() {
            break;
        }
        std::thread::sleep(LOOK_EVERY);
    }
    if peak == 0 {
        return Err(format!("cannot see the memory of {}", shell::line(command)));
    }
    Ok(peak)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(Times::new(vec![9.0, 1.0, 2.0]).median(), 2.0);
        assert_eq!(Times::new(vec![4.0, 1.0, 2.0, 9.0]).median(), 3.0);
        assert_eq!(Times::new(vec![4.0, 1.0]).spread(), "1.00 to 4.00");
    }

    #[test]
    fn every_timed_run_must_be_fine() {
        let mut runs = 0;
        let times = time(|| {
            runs += 1;
            Ok(())
        });
        assert_eq!((times.unwrap().0.len(), runs), (RUNS, RUNS + WARM_UP));
        assert!(time(|| Err("no".to_owned())).is_err());
        assert!(quietly(shell::program("sh").args(["-c", "exit 1"]), &[0, 1]).is_ok());
        assert!(quietly(shell::program("sh").args(["-c", "exit 2"]), &[0, 1]).is_err());
    }

    #[test]
    fn memory_of_a_process_is_seen() {
        let kib = peak_kib(shell::program("sleep").arg("0.05")).unwrap();
        assert!((100..100_000).contains(&kib), "{kib}");
    }
}
