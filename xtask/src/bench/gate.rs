//! Family `gate`: how long a person waits for `lint` and `check --now` on a
//! handoff far larger than any real one.

use std::path::Path;
use std::process::Command;

use super::Figure;
use super::measure::{Times, peak_kib, quietly, time};
use crate::{Answer, say};

const CRITERIA: usize = 1_000;
const STEPS: usize = 1_000;
const EVENTS: usize = 100_000;
/// Steps in one phase of the runbook.
const PHASE: usize = 100;
/// The memory is looked at this often; the most counts.
const PEAKS: usize = 5;

/// `check --now` has reused evidence only, so its answer may be any verdict.
const VERDICTS: [i32; 3] = [0, 1, 3];

pub(super) fn measure(baton: &Path) -> Answer<Vec<Figure>> {
    let folder = tempfile::tempdir().map_err(|why| format!("cannot make a folder: {why}"))?;
    let at = folder.path();
    write_handoff(at).map_err(|why| format!("cannot write a handoff: {why}"))?;
    let typed = |words: &str| {
        let mut command = Command::new(baton);
        command.args(words.split(' ')).current_dir(at);
        command
    };
    say::aside(&format!("writing {EVENTS} events\n"));
    let written = typed(&format!("bench-ledger --events {EVENTS}")).output();
    let written = written.map_err(|why| format!("cannot start baton: {why}"))?;
    if !written.status.success() || !at.join(".baton").is_dir() {
        let why = String::from_utf8_lossy(&written.stderr).into_owned();
        return Err(format!(
            "baton bench-ledger wrote no ledger: {}",
            why.trim()
        ));
    }
    say::aside("timing\n");
    let start = time(|| quietly(&mut typed("--version"), &[0]))?;
    let files = time(|| read_all(at))?;
    let lint = time(|| quietly(&mut typed("lint"), &[0]))?;
    let check = time(|| quietly(&mut typed("check --now"), &VERDICTS))?;
    let mut peak = 0;
    for _ in 0..PEAKS {
        peak = peak_kib(&mut typed("check --now"))?.max(peak);
    }
    let size = std::fs::metadata(baton)
        .map_err(|why| format!("cannot see baton: {why}"))?
        .len();
    let floor = (
        start.median() + files.median(),
        "starting, and reading the files",
    );
    Ok(vec![
        timed("lint_ms", &lint, Some(floor)),
        timed("check_now_ms", &check, Some(floor)),
        timed("process_start_ms", &start, None),
        timed("read_files_ms", &files, None),
        plain("check_peak_rss_mib", mib(peak * 1024)),
        plain("binary_mib", mib(size)),
    ])
}

fn timed(key: &'static str, times: &Times, floor: Option<(f64, &'static str)>) -> Figure {
    Figure {
        key: key.to_owned(),
        value: times.median(),
        spread: times.spread(),
        floor,
    }
}

fn plain(key: &'static str, value: f64) -> Figure {
    Figure {
        key: key.to_owned(),
        value,
        spread: String::new(),
        floor: None,
    }
}

fn mib(bytes: u64) -> f64 {
    // Whole KiB: exact, and small enough for a float.
    f64::from(u32::try_from(bytes / 1024).unwrap_or(u32::MAX)) / 1024.0
}

/// Reads every file of the handoff and its ledger, as any tool would have to.
fn read_all(folder: &Path) -> Answer<()> {
    let trouble = |why: std::io::Error| format!("cannot read {}: {why}", folder.display());
    for entry in std::fs::read_dir(folder).map_err(trouble)? {
        let path = entry.map_err(trouble)?.path();
        if path.is_dir() {
            read_all(&path)?;
        } else {
            std::fs::read(&path).map_err(trouble)?;
        }
    }
    Ok(())
}

fn write_handoff(folder: &Path) -> std::io::Result<()> {
    for name in ["dist", "env/staging/web1", "env/production/web1"] {
        std::fs::create_dir_all(folder.join(name))?;
    }
    std::fs::write(folder.join("dist/shop"), "the release\n")?;
    std::fs::write(folder.join("handoff.yaml"), contract(CRITERIA))?;
    std::fs::write(folder.join("runbook.md"), runbook(STEPS))
}

fn contract(criteria: usize) -> String {
    let mut text = String::from(
        r#"name: bench
summary: A handoff far larger than any real one
from: development
to: operations
touches: [shop]
people:
  dana: { name: Dana Ito, email: dana@shop.example, zone: Asia/Tokyo, hours: "Mon-Fri 13:00-22:00" }
  lee: { name: Lee Novak, email: lee@shop.example, zone: Europe/Prague, hours: "Mon-Fri 09:00-17:30" }
  omar: { name: Omar Diaz, email: omar@shop.example, zone: Europe/Madrid, hours: "Mon-Fri 08:00-16:00" }
  pia: { name: Pia Lund, email: pia@shop.example, zone: Europe/Oslo, hours: "Mon-Fri 08:00-16:00" }
teams:
  development: [dana, lee]
  operations: [omar, pia]
roles:
  launch-lead: { owner: omar, backup: pia }
  rollback-decider: { owner: pia, backup: omar }
release: { version: 2.4.0, kind: code, artifacts: [dist/shop] }
environments:
  staging:
    hosts: { web1: { dir: env/staging/web1 } }
    groups: { web: [web1] }
  production:
    hosts: { web1: { dir: env/production/web1 } }
    groups: { web: [web1] }
launch:
  environment: production
  window: { opens: 2026-11-25T09:00:00+01:00, closes: 2026-11-25T12:00:00+01:00 }
expectations:
  - { id: peak, ask: "Peak orders per minute production must hold?", answer: number, within: 10% }
parity: { compare: [staging], fresh: 24h, facts: [os] }
success: { declined: Nothing is launched, by: pia }
runbook: runbook.md
rehearsal: { in: staging, within: 7d }
room: { declined: Nothing is launched, by: pia }
review: { within: 5d }
done:
"#,
    );
    for n in 1..=criteria {
        let owner = ["dana", "lee", "omar", "pia"][n % 4];
        text.push_str(&format!(
            "  - id: criterion-{n:04}\n    says: Part {n} of the release is done\n    \
             owner: {owner}\n    run: test {n} -gt 0\n    fresh: 24h\n"
        ));
    }
    text
}

fn runbook(steps: usize) -> String {
    let mut text = String::from("# Launch the bench\n");
    for n in 1..=steps {
        if n % PHASE == 1 {
            text.push_str(&format!("\n## Phase {}\n", n / PHASE + 1));
        }
        text.push_str(&format!(
            "\n### Step {n:04}\n\n- owner: omar (backup: pia)\n- on: web\n- expect: 1m\n\n\
             ```sh run\necho {n} > part-{n}\n```\n\n```sh verify\ntest -s part-{n}\n```\n\n\
             ```sh undo\nrm -f part-{n}\n```\n"
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_handoff_is_as_large_as_promised() {
        let folder = tempfile::tempdir().unwrap();
        write_handoff(folder.path()).unwrap();
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!(
            read("handoff.yaml").matches("\n  - id: criterion-").count(),
            CRITERIA
        );
        assert_eq!(read("runbook.md").matches("\n### Step ").count(), STEPS);
        assert_eq!(
            read("runbook.md").matches("\n## Phase ").count(),
            STEPS / PHASE
        );
        read_all(folder.path()).unwrap();
        assert!(read_all(&folder.path().join("nowhere")).is_err());
    }

    #[test]
    fn a_binary_that_cannot_write_a_ledger_is_refused() {
        for program in ["/bin/true", "/bin/false", "/no/such/baton"] {
            assert!(measure(Path::new(program)).is_err(), "{program}");
        }
    }

    #[test]
    fn every_figure_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let stand_in = folder.path().join("baton");
        let script =
            "#!/bin/sh\ncase $1 in bench-ledger) mkdir .baton;; check) sleep 0.01; exit 1;; esac\n";
        std::fs::write(&stand_in, script).unwrap();
        std::fs::set_permissions(&stand_in, Permissions::from_mode(0o755)).unwrap();
        let figures = measure(&stand_in).unwrap();
        let keys: Vec<&str> = figures.iter().map(|figure| figure.key.as_str()).collect();
        assert_eq!(
            keys,
            [
                "lint_ms",
                "check_now_ms",
                "process_start_ms",
                "read_files_ms",
                "check_peak_rss_mib",
                "binary_mib"
            ]
        );
        assert!(figures[1].value >= 10.0, "the check slept that long");
        std::fs::write(&stand_in, script.replace("exit 1", "exit 70")).unwrap();
        assert!(measure(&stand_in).is_err(), "a bug is no figure");
    }

    #[test]
    fn sizes_are_in_mib() {
        assert_eq!(mib(3 * 512 * 1024), 1.5);
    }
}
