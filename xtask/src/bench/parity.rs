//! Family `parity`: three fingerprints of a million facts compared, beside what
//! others need for it; faults put into a real capture; three hosts read over ssh;
//! and, on public data, how well noise is told from change and the grave from the slight.

mod peers;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use super::Figure;
use super::measure::{quietly, time};
use crate::{Answer, say, shell};

/// Where Debian keeps it.
const SSHD: &str = "/usr/sbin/sshd";

/// How often the large comparison runs; the median counts.
const RUNS: usize = 5;

pub(super) fn measure() -> Answer<Vec<Figure>> {
    let program = program("baton-core", "parity")?;
    let folder = tempfile::tempdir().map_err(|why| format!("cannot make a folder: {why}"))?;
    let at = |name: &str| folder.path().join(name).display().to_string();
    let (large, small) = (at("1m"), at("10k"));
    say::aside("writing 3 x 1,000,000 and 3 x 10,000 facts\n");
    told(&program, &["make", "1000000", &large])?;
    told(&program, &["make", "10000", &small])?;
    say::aside("comparing\n");
    let floor = median(&program, &["bytes", &large], "cpu_s", RUNS)?;
    let why = "reading the same bytes, and counting their lines";
    let mut figures = vec![
        figure(
            "compare_1m_cpu_s",
            median(&program, &["stream", &large], "cpu_s", RUNS)?,
            Some((floor, why)),
        ),
        figure(
            "compare_1m_peak_mib",
            median(&program, &["stream", &large], "peak_mib", RUNS)?,
            None,
        ),
        figure(
            "compare_1m_digest_ms",
            median(&program, &["blocks", &large], "wall_ms", RUNS)?,
            None,
        ),
        figure(
            "compare_1m_in_memory_cpu_s",
            median(&program, &["memory", &large], "cpu_s", RUNS)?,
            Some((floor, why)),
        ),
    ];
    let whole = time(|| quietly(Command::new(&program).args(["memory", &small]), &[0]))?;
    figures.push(Figure {
        key: "compare_10k_ms".to_owned(),
        value: whole.median(),
        spread: whole.spread(),
        floor: None,
    });
    figures.extend(peers::figures(&large, &small)?);
    let data = shell::root().join("bench/parity/data");
    figures.extend(of_data(&program, &data)?);
    figures.extend(of_faults(&data)?);
    figures.extend(of_capture()?);
    Ok(figures)
}

/// Faults put into a real capture of this machine.
fn of_faults(data: &Path) -> Answer<Vec<Figure>> {
    say::aside("putting faults into a capture of this machine\n");
    let program = program("baton-engine", "faults")?;
    let noise = data.join("facterdb").display().to_string();
    let seen = told(&program, &[&noise])?;
    let keys = ["faults_found_ratio", "faults_top3_ratio"];
    let of = |key: &'static str| figure(key, seen.get(key).copied().unwrap_or(f64::NAN), None);
    Ok(keys.map(of).into())
}

/// How long an environment of three hosts takes to be read over ssh.
fn of_capture() -> Answer<Vec<Figure>> {
    if !Path::new(SSHD).exists() {
        say::aside("there is no sshd here, and no figure of reading over ssh\n");
        return Ok(Vec::new());
    }
    say::aside("reading three hosts over ssh\n");
    let seen = told(&program("baton-engine", "capture")?, &[])?;
    let of = |key: &str| seen.get(key).copied().unwrap_or(f64::NAN);
    let floor = (of("capture_here_ms"), "reading the same without ssh");
    Ok(vec![figure(
        "capture_ssh_ms",
        of("capture_ssh_ms"),
        Some(floor),
    )])
}

/// What was kept out of tuning.
fn of_data(program: &Path, data: &Path) -> Answer<Vec<Figure>> {
    let noise = data.join("facterdb").display().to_string();
    let rank = data
        .join("misconfig/docker_config_file_eval")
        .display()
        .to_string();
    let noise = told(program, &["noise", &noise, "held-out"])?;
    let rank = told(program, &["rank", &rank, "held-out"])?;
    let of = |from: &BTreeMap<String, f64>, key: &str| from.get(key).copied().unwrap_or(f64::NAN);
    Ok(vec![
        figure("noise_left_mean", of(&noise, "noise_left_mean"), None),
        figure("noise_gone_ratio", of(&noise, "noise_gone_ratio"), None),
        figure("signal_kept_ratio", of(&noise, "signal_kept_ratio"), None),
        figure("openctest_top3_ratio", of(&rank, "top3_ratio"), None),
        figure("openctest_top1_ratio", of(&rank, "top1_ratio"), None),
    ])
}

fn figure(key: &'static str, value: f64, floor: Option<(f64, &'static str)>) -> Figure {
    Figure {
        key: key.to_owned(),
        value,
        spread: String::new(),
        floor,
    }
}

/// Builds one of the programs that measure.
fn program(package: &str, example: &str) -> Answer<std::path::PathBuf> {
    let mut cargo = shell::program("cargo");
    cargo.args(["build", "--release", "-p", package, "--example", example]);
    let status = shell::status(&mut cargo)?;
    if !status.success() {
        return Err(format!("{} ended with {status}", shell::line(&cargo)));
    }
    Ok(shell::root().join("target/release/examples").join(example))
}

fn median(program: &Path, words: &[&str], key: &str, runs: usize) -> Answer<f64> {
    let mut values = Vec::new();
    for _ in 0..runs {
        let value = told(program, words)?.get(key).copied();
        values.push(value.ok_or_else(|| format!("{words:?} does not tell {key}"))?);
    }
    values.sort_by(f64::total_cmp);
    Ok(values[runs / 2])
}

/// The numbers that the program prints.
fn told(program: &Path, words: &[&str]) -> Answer<BTreeMap<String, f64>> {
    let mut command = Command::new(program);
    let output = command.args(words).output();
    let output = output.map_err(|why| format!("cannot start {}: {why}", program.display()))?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(format!(
            "{words:?} ended with {}: {}",
            output.status,
            why.trim()
        ));
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let pairs = text.lines().filter_map(|line| line.split_once(' '));
    Ok(pairs
        .filter_map(|(key, value)| Some((key.to_owned(), value.parse().ok()?)))
        .collect())
}
