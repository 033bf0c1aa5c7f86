//! What must be installed before the tests can run, how one sees that it is, and
//! how it gets there.
//!
//! As root on Debian missing packages are installed; elsewhere the command is
//! named. A test that needs a program which may be missing holds `needs_NAME` in
//! its name (`needs_git::reads_the_email`), so that it can be left out.

use crate::{Answer, say, shell};

/// Everything, in one place.
const NEEDS: [Need; 15] = [
    Need {
        name: "cc",
        probe: "echo '#include <stdio.h>' | cc -x c -fsyntax-only -",
        cure: Cure::Debian("gcc libc6-dev"),
        uses: "SQLite and the cryptography are compiled with it",
        may_lack: false,
    },
    Need {
        name: "git",
        probe: "git --version",
        cure: Cure::Debian("git"),
        uses: "the tests of who is speaking",
        may_lack: true,
    },
    Need {
        name: "ssh-keygen",
        probe: "command -v ssh-keygen && command -v ssh",
        cure: Cure::Debian("openssh-client"),
        uses: "the tests of signatures",
        may_lack: true,
    },
    Need {
        name: "sshd",
        probe: "test -x /usr/sbin/sshd && command -v ssh && command -v ssh-keygen",
        cure: Cure::Debian("openssh-server openssh-client"),
        uses: "the tests of hosts behind ssh",
        may_lack: true,
    },
    Need {
        name: "prometheus",
        probe: "command -v prometheus",
        cure: Cure::Debian("prometheus"),
        uses: "the tests of launches that Prometheus watches",
        may_lack: true,
    },
    Need {
        name: "sqlite3",
        probe: "command -v sqlite3",
        cure: Cure::Debian("sqlite3"),
        uses: "the test of measures that a database counts",
        may_lack: true,
    },
    Need {
        name: "postgres",
        probe: "command -v psql && { command -v pg_ctl || ls /usr/lib/postgresql/*/bin/pg_ctl; }",
        cure: Cure::Debian("postgresql"),
        uses: "the tests of facts and measures of a PostgreSQL database",
        may_lack: true,
    },
    Need {
        name: "busybox",
        probe: "command -v busybox",
        cure: Cure::Debian("busybox"),
        uses: "the test of hosts with small tools",
        may_lack: true,
    },
    Need {
        name: "node",
        probe: NODE,
        cure: Cure::Debian("nodejs npm"),
        uses: "stages page and browser, and the page in the binary (Node.js 20.19, or 22.12 and newer)",
        may_lack: true,
    },
    Need {
        name: "chromium",
        probe: "command -v chromium || command -v chromium-browser || command -v google-chrome || test -x \"$BATON_CHROMIUM\"",
        cure: Cure::Debian("chromium fonts-inter fonts-jetbrains-mono"),
        uses: "the tests and pictures of the page in a browser",
        may_lack: true,
    },
    Need {
        name: "synapse",
        probe: "target/python/bin/python -c 'import synapse'",
        cure: Cure::Python("matrix-synapse==1.163.2"),
        uses: "the test of bridges to Matrix",
        may_lack: true,
    },
    Need {
        name: "aiosmtpd",
        probe: "target/python/bin/python -c 'import aiosmtpd'",
        cure: Cure::Python("aiosmtpd==1.4.6"),
        uses: "the tests of bridges by mail",
        may_lack: true,
    },
    Need {
        name: "rustfmt",
        probe: "cargo fmt --version",
        cure: Cure::Rustup("rustfmt"),
        uses: "stage fmt",
        may_lack: true,
    },
    Need {
        name: "clippy",
        probe: "cargo clippy --version",
        cure: Cure::Rustup("clippy"),
        uses: "stage clippy",
        may_lack: true,
    },
    Need {
        name: "nextest",
        probe: NEXTEST,
        cure: Cure::Cargo("cargo-nextest"),
        uses: "running the tests (without it: cargo test, slower)",
        may_lack: true,
    },
];

const NEXTEST: &str = "cargo nextest --version";
const NODE: &str = "command -v npm && node -e 'const [a, b] = process.versions.node.split(`.`).map(Number); process.exit(a > 22 || (a === 22 && b >= 12) || (a === 20 && b >= 19) ? 0 : 1)'";

struct Need {
    name: &'static str,
    /// A line of shell that succeeds where the need is met.
    probe: &'static str,
    cure: Cure,
    /// What is left out without it.
    uses: &'static str,
    /// Whether anything is worth running without it.
    may_lack: bool,
}

enum Cure {
    /// Names of Debian packages.
    Debian(&'static str),
    /// A package of the Python index, in an environment of its own below `target`.
    Python(&'static str),
    /// A component of the Rust toolchain.
    Rustup(&'static str),
    /// A program to be built by Cargo.
    Cargo(&'static str),
}

impl Cure {
    /// The commands, as root for Debian.
    fn lines(&self) -> Vec<String> {
        match self {
            Self::Debian(packages) => vec![
                "apt-get update".to_owned(),
                format!("apt-get install -y --no-install-recommends {packages}"),
            ],
            Self::Python(package) => vec![
                "test -x target/python/bin/pip || python3 -m venv target/python".to_owned(),
                format!("target/python/bin/pip install --quiet {package}"),
            ],
            Self::Rustup(component) => vec![format!("rustup component add {component}")],
            Self::Cargo(program) => vec![format!("cargo install {program} --locked")],
        }
    }
}

/// What this machine lets us do about a missing program.
#[derive(Clone, Copy)]
struct Powers {
    /// Root, and apt-get is there.
    debian: bool,
    rustup: bool,
    python: bool,
}

/// The names that `--without` may take, beside those of stages.
pub(crate) fn names() -> Vec<&'static str> {
    NEEDS
        .iter()
        .filter(|need| need.may_lack)
        .map(|need| need.name)
        .collect()
}

pub(crate) fn has_nextest() -> bool {
    shell::holds(NEXTEST)
}

pub(crate) fn has_node() -> bool {
    shell::holds(NODE)
}

/// Which of the needs (all, or those that `only` names) are unmet, those of
/// `without` not asked for; installs what can be installed.
pub(crate) fn unmet(only: Option<&[&str]>, without: &[String]) -> Vec<&'static str> {
    let wanted = |need: &&Need| {
        only.is_none_or(|only| only.contains(&need.name))
            && !without.iter().any(|name| name == need.name)
    };
    let missing = |need: &&Need| !shell::holds(need.probe);
    let lacking: Vec<&Need> = NEEDS.iter().filter(wanted).filter(missing).collect();
    let powers = Powers {
        debian: rustix::process::geteuid().is_root() && shell::holds("command -v apt-get"),
        rustup: shell::holds("command -v rustup"),
        python: shell::holds("python3 -c 'import venv, ensurepip'"),
    };
    for line in installation(&lacking, powers) {
        say::aside(&format!("installing: {line}\n"));
        // Whether it helped is seen by probing again, so one failure is told there.
        if let Err(why) = shell::must(shell::program("sh").args(["-c", &line])) {
            say::aside(&format!("{why}\n"));
        }
    }
    lacking
        .iter()
        .filter(|need| missing(need))
        .map(|need| need.name)
        .collect()
}

/// The lines of shell that install what this machine can install, none twice.
fn installation(lacking: &[&Need], powers: Powers) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for need in lacking {
        let can = match need.cure {
            Cure::Debian(_) => powers.debian,
            Cure::Rustup(_) => powers.rustup,
            Cure::Cargo(_) => true,
            Cure::Python(_) => powers.python,
        };
        for line in need.cure.lines() {
            if can && !lines.contains(&line) {
                lines.push(line);
            }
        }
    }
    lines
}

/// Says what to do about needs that are unmet. Only nextest is no failure: the
/// tests run without it.
pub(crate) fn verdict(unmet: &[&str]) -> Answer<()> {
    let lacking: Vec<&Need> = NEEDS
        .iter()
        .filter(|need| unmet.contains(&need.name))
        .collect();
    for need in &lacking {
        say::aside(&advice(need));
    }
    let failing: Vec<&str> = lacking
        .iter()
        .map(|need| need.name)
        .filter(|name| *name != "nextest")
        .collect();
    if failing.is_empty() {
        return Ok(());
    }
    Err(format!("missing: {}", failing.join(", ")))
}

fn advice(need: &Need) -> String {
    let admin = if matches!(need.cure, Cure::Debian(_)) {
        ", as root"
    } else {
        ""
    };
    let without = if need.may_lack {
        format!(" (or: --without {})", need.name)
    } else {
        String::new()
    };
    format!(
        "{} is missing; left out: {}\n  to install it{admin}: {}{without}\n",
        need.name,
        need.uses,
        need.cure.lines().join(" && "),
    )
}

/// What a test that needs `name` holds in its name.
pub(crate) fn mark(name: &str) -> String {
    format!("needs_{}", name.replace('-', "_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(names: &[&str]) -> Vec<&'static Need> {
        NEEDS
            .iter()
            .filter(|need| names.contains(&need.name))
            .collect()
    }

    #[test]
    fn root_on_debian_installs_and_updates_once() {
        let all = Powers {
            debian: true,
            rustup: true,
            python: true,
        };
        let lines = installation(&named(&["git", "ssh-keygen", "clippy"]), all);
        assert_eq!(
            lines,
            [
                "apt-get update",
                "apt-get install -y --no-install-recommends git",
                "apt-get install -y --no-install-recommends openssh-client",
                "rustup component add clippy",
            ]
        );
    }

    #[test]
    fn others_are_told_what_to_do() {
        let none = Powers {
            debian: false,
            rustup: false,
            python: false,
        };
        assert!(installation(&named(&["git", "clippy"]), none).is_empty());
        let why = verdict(&["git", "cc"]).unwrap_err();
        assert_eq!(why, "missing: cc, git");
        let advice = advice(named(&["git"])[0]);
        for part in [
            "apt-get install -y --no-install-recommends git",
            "--without git",
            "who is speaking",
        ] {
            assert!(advice.contains(part), "{advice}");
        }
    }

    #[test]
    fn only_nextest_can_be_missed_in_silence() {
        assert!(verdict(&[]).is_ok() && verdict(&["nextest"]).is_ok());
        for need in &NEEDS {
            assert_eq!(
                verdict(&[need.name]).is_ok(),
                need.name == "nextest",
                "{}",
                need.name
            );
        }
        assert!(!names().contains(&"cc"), "nothing can be built without it");
    }

    #[test]
    fn marks_are_parts_of_names_of_tests() {
        assert_eq!(mark("ssh-keygen"), "needs_ssh_keygen");
    }
}
