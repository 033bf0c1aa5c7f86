//! What others need to compare the same facts: deepdiff and jsondiffpatch as the
//! package registries give them, `comm` and GNU diff as they are here. One that
//! cannot be had is named on standard error and has no figures.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{figure, median, told};
use crate::bench::Figure;
use crate::{Answer, say, shell};

/// On a million facts each runs once: it takes half a minute.
const RUNS: usize = 5;

/// Figures of all peers on the large and on the small fingerprints.
pub(super) fn figures(large: &str, small: &str) -> Answer<Vec<Figure>> {
    let mut figures = Vec::new();
    let lines = "for e in dev staging; do LC_ALL=C @ \"$0/$e.tsv\" \"$0/production.tsv\"; done";
    for (key, tool) in [
        ("peer_comm_1m_cpu_s", "comm -3"),
        ("peer_diff_1m_cpu_s", "diff"),
    ] {
        figures.push(figure(key, cpu(&lines.replace('@', tool), large)?, None));
    }
    let home = shell::root().join("target/bench-peers");
    std::fs::create_dir_all(&home).map_err(|why| format!("cannot make a folder: {why}"))?;
    let scripts = shell::root().join("bench/peers/parity");
    if let Some(python) = deepdiff(&home) {
        let script = scripts.join("deepdiff_peer.py").display().to_string();
        both(
            "deepdiff",
            &python,
            &[&script],
            (large, small),
            &mut figures,
        )?;
    }
    if let Some(module) = jsondiffpatch(&home) {
        let script = scripts.join("jsondiffpatch_peer.mjs").display().to_string();
        let module = module.display().to_string();
        both(
            "jsondiffpatch",
            Path::new("node"),
            &[&script, &module],
            (large, small),
            &mut figures,
        )?;
    }
    Ok(figures)
}

fn both(
    name: &str,
    program: &Path,
    words: &[&str],
    (large, small): (&str, &str),
    figures: &mut Vec<Figure>,
) -> Answer<()> {
    say::aside(&format!("comparing with {name}\n"));
    let at = |folder| [words, &[folder]].concat();
    let mut put = |key: String, value| {
        figures.push(Figure {
            key,
            ..figure("", value, None)
        })
    };
    let of = |words: &[&str], key: &str, runs| median(program, words, key, runs);
    put(
        format!("peer_{name}_10k_cpu_ms"),
        of(&at(small), "cpu_s", RUNS)? * 1000.0,
    );
    let large = told(program, &at(large))?;
    for key in ["cpu_s", "peak_mib"] {
        put(
            format!("peer_{name}_1m_{key}"),
            large.get(key).copied().unwrap_or(f64::NAN),
        );
    }
    Ok(())
}

/// The processor time of what a line of shell starts, in seconds; the shell
/// counts it itself (`times`, POSIX). The median of several runs.
fn cpu(line: &str, folder: &str) -> Answer<f64> {
    let line = format!("{{ {line} ; }} >/dev/null; times");
    let mut seen = Vec::new();
    for _ in 0..RUNS {
        let output = Command::new("sh").args(["-c", &line, folder]).output();
        let output = output.map_err(|why| format!("cannot start sh: {why}"))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let children = text.lines().last().unwrap_or("").split_whitespace();
        let secs = children.map(|part| {
            let (minutes, secs) = part.trim_end_matches('s').split_once('m')?;
            Some(minutes.parse::<f64>().ok()? * 60.0 + secs.parse::<f64>().ok()?)
        });
        let total: Option<f64> = secs.sum();
        seen.push(total.ok_or_else(|| format!("{line} told {text}"))?);
    }
    seen.sort_by(f64::total_cmp);
    Ok(seen[RUNS / 2])
}

/// A Python that has deepdiff.
fn deepdiff(home: &Path) -> Option<PathBuf> {
    let folder = home.join("python");
    let python = folder.join("bin/python");
    if !python.exists() {
        let _seen_below = Command::new("python3")
            .args(["-m", "venv"])
            .arg(&folder)
            .status();
    }
    let has = || {
        let probe = Command::new(&python)
            .args(["-c", "import deepdiff"])
            .output();
        probe.is_ok_and(|output| output.status.success())
    };
    if !has() {
        let pip = [
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "deepdiff",
        ];
        let _seen_below = Command::new(&python).args(pip).status();
    }
    known("deepdiff", has().then(|| python.clone()))
}

/// The module of jsondiffpatch.
fn jsondiffpatch(home: &Path) -> Option<PathBuf> {
    let folder = home.join("node");
    let module = folder.join("node_modules/jsondiffpatch/lib/index.js");
    if !module.exists() {
        let npm = ["install", "--silent", "--no-audit", "--no-fund", "--prefix"];
        let _seen_below = Command::new("npm")
            .args(npm)
            .arg(&folder)
            .arg("jsondiffpatch")
            .status();
    }
    known("jsondiffpatch", module.exists().then_some(module))
}

fn known(name: &str, found: Option<PathBuf>) -> Option<PathBuf> {
    if found.is_none() {
        say::aside(&format!("{name} could not be had: no figures of it\n"));
    }
    found
}
