//! The long form of the crash tests: `cargo xtask sim` builds and runs it.
//!
//! It sweeps all plans of up to four steps with two crashes, and then throws
//! seeds, on all cores, until both are done or the time is over. It says what it
//! covered, and of a failure everything that is needed to see it again.

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use baton_core::event::RunKind;
use baton_testkit::explore::{Case, Explored, search};
use baton_testkit::overlap::overlaps;
use baton_testkit::plans::{Conduct, Kind, Nature, every, few, plans, several};
use baton_testkit::seeds::grow;
use baton_testkit::sim::Memory;

fn main() -> ExitCode {
    match asked(std::env::args().skip(1)) {
        Ok(asked) => run(&asked),
        Err(why) => {
            say(&format!("sim: {why}"));
            ExitCode::from(2)
        }
    }
}

/// What is asked for.
struct Asked {
    seeds: u64,
    first: u64,
    lasts: Duration,
    sweep: bool,
}

fn asked(mut words: impl Iterator<Item = String>) -> Result<Asked, String> {
    let mut asked = Asked {
        seeds: 10_000,
        first: 0,
        lasts: Duration::from_secs(10 * 60),
        sweep: true,
    };
    while let Some(word) = words.next() {
        if word == "--no-sweep" {
            asked.sweep = false;
            continue;
        }
        let number = words.next().and_then(|value| value.parse::<u64>().ok());
        let number = number.ok_or_else(|| format!("{word} wants a number"))?;
        match word.as_str() {
            "--seeds" => asked.seeds = number,
            "--seed" => asked.first = number,
            "--minutes" => asked.lasts = Duration::from_secs(number.saturating_mul(60)),
            _ => return Err(format!("{word} is no option here")),
        }
    }
    Ok(asked)
}

fn run(asked: &Asked) -> ExitCode {
    let until = Instant::now() + asked.lasts;
    let mut good = true;
    if asked.sweep {
        for sweep in sweeps() {
            good &= swept(&sweep, until);
        }
    }
    let began = Instant::now();
    let count = usize::try_from(asked.seeds).unwrap_or(usize::MAX);
    let grown = each(count, until, |i| match grow(asked.first + i as u64) {
        Ok(grown) => Ok(grown.lives.len() as u64),
        Err(found) => Err(found.report),
    });
    say(&format!(
        "seeds from {}: {} of {count} runs, {} lives, {:.1} s",
        asked.first,
        grown.done,
        grown.sum,
        began.elapsed().as_secs_f64()
    ));
    if let Some(report) = grown.failed {
        say(&format!("\n{report}"));
        good = false;
    }
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Plans, and how they are explored.
struct Sweep {
    says: &'static str,
    cases: Vec<Case>,
    /// How many crashes; `None` for two drivers at once.
    crashes: Option<usize>,
}

fn sweeps() -> Vec<Sweep> {
    let of = |kinds: &[Kind], steps, what| -> Vec<Case> {
        let plans = plans(kinds, steps);
        let case = |kinds: &Vec<Kind>| Case {
            what,
            ..Case::of(kinds)
        };
        plans.iter().map(case).collect()
    };
    let sweep = |says, cases, crashes| Sweep {
        says,
        cases,
        crashes,
    };
    use RunKind::{Launch, Rehearsal};
    vec![
        sweep("1 step, 3 crashes", of(&every(), 1, Launch), Some(3)),
        sweep("2 steps, 2 crashes", of(&every(), 2, Launch), Some(2)),
        sweep(
            "rehearsals of 2 steps, 2 crashes",
            of(&several(), 2, Rehearsal),
            Some(2),
        ),
        sweep("2 steps, two drivers at once", of(&few(), 2, Launch), None),
        sweep(
            "steps side by side on 2 hosts, 1 crash",
            side_by_side(),
            Some(1),
        ),
        sweep("3 steps, 2 crashes", of(&several(), 3, Launch), Some(2)),
        sweep("4 steps, 2 crashes", of(&few(), 4, Launch), Some(2)),
    ]
}

/// Two steps that begin together, on two hosts each, and one after them.
fn side_by_side() -> Vec<Case> {
    let kinds = [
        Kind::of(Nature::Repeatable, Conduct::Works),
        Kind::of(Nature::Provable, Conduct::Works),
        Kind::of(Nature::Neither, Conduct::Works),
        Kind::of(Nature::Neither, Conduct::FailsOnLast),
        Kind::of(Nature::Provable, Conduct::FailsOnLast),
    ];
    let beside = |kind: Kind| kind.beside().on(2);
    let pairs = kinds
        .iter()
        .flat_map(|a| kinds.iter().map(move |b| (*a, *b)));
    let last = Kind::of(Nature::Provable, Conduct::Works);
    let memories = [Memory::Whole, Memory::ForgetsDone, Memory::ForgetsUndone];
    let case = |(a, b): (Kind, Kind)| {
        memories.map(|memory| Case {
            memory,
            together: true,
            ..Case::of(&[beside(a), b.beside(), last])
        })
    };
    pairs.flat_map(case).collect()
}

fn swept(sweep: &Sweep, until: Instant) -> bool {
    let began = Instant::now();
    let all = Mutex::new(Explored {
        closed: true,
        ..Explored::default()
    });
    let swept = each(sweep.cases.len(), until, |i| {
        let case = &sweep.cases[i];
        let lives = match sweep.crashes {
            Some(crashes) => search(case, crashes).map(|mut explored| {
                explored.ways.clear();
                let lives = explored.lives;
                if let Ok(mut all) = all.lock() {
                    all.add(explored);
                }
                lives
            }),
            None => overlaps(case),
        };
        lives.map_err(|found| found.report)
    });
    let states = all.into_inner().map_or(0, |all| all.moments);
    say(&format!(
        "{}: {} of {} plans, {} lives, {states} states, {:.1} s",
        sweep.says,
        swept.done,
        sweep.cases.len(),
        swept.sum,
        began.elapsed().as_secs_f64()
    ));
    if let Some(report) = &swept.failed {
        say(&format!("\n{report}"));
    }
    swept.failed.is_none()
}

/// What became of many.
struct Each {
    done: usize,
    sum: u64,
    failed: Option<String>,
}

/// Does something for each number below `count`, on all cores, until the time
/// is over or one fails.
fn each(count: usize, until: Instant, work: impl Fn(usize) -> Result<u64, String> + Sync) -> Each {
    let (next, over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let all = Mutex::new(Each {
        done: 0,
        sum: 0,
        failed: None,
    });
    let worker = || {
        while !over.load(Ordering::Relaxed) && Instant::now() < until {
            let i = next.fetch_add(1, Ordering::Relaxed);
            if i >= count {
                break;
            }
            let did = work(i);
            let Ok(mut all) = all.lock() else { break };
            match did {
                Ok(sum) => (all.done, all.sum) = (all.done + 1, all.sum + sum),
                Err(report) => {
                    over.store(true, Ordering::Relaxed);
                    all.failed.get_or_insert(report);
                }
            }
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            let _worker = scope.spawn(worker);
        }
    });
    all.into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Output that cannot be written is nobody's loss: the exit status says it all.
fn say(line: &str) {
    let _written = writeln!(std::io::stdout().lock(), "{line}");
}
