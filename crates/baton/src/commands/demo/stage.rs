//! The stage of the demo: two environments of two hosts each, as folders with
//! real processes of the shop on real ports.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use jiff::{SignedDuration, Timestamp};

use baton_engine::failure::Failure;

const CONTRACT: &str = include_str!("handoff.yaml");
const RUNBOOK: &str = include_str!("runbook.md");

/// Checks of the definition of done, and a rate table each may pass or refuse.
const CHECKS: [(&str, &str); 4] = [
    (
        "checks/restore.sh",
        "# Restores a fresh backup of production into a scratch file and counts.\n\
         work=$(mktemp -d)\n\
         trap 'rm -r \"$work\"' EXIT\n\
         dist/shop backup --db env/production/orders.db --to \"$work/backup.db\"\n\
         want=$(dist/shop count --db env/production/orders.db)\n\
         have=$(dist/shop count --db \"$work/backup.db\")\n\
         echo \"$have of $want orders restored\"\n\
         test \"$have\" = \"$want\"\n",
    ),
    (
        "checks/rates.sh",
        "# Every rate must be above zero.\n! grep -qE ',0(\\.0*)?$' \"$1\"\n",
    ),
    ("checks/rates.csv", "EUR,1.00\nCZK,25.30\n"),
    ("checks/rates-zero.csv", "EUR,1.00\nCZK,0\n"),
];

/// Leads staging back to where the runbook begins, so that it can be rehearsed again.
const BACK: &str = "# Leads staging back to shop 2.3.9, where the runbook begins.
set -e
for host in 'web1 @STAGING_1@' 'web2 @STAGING_2@'; do
  set -- $host
  cd env/staging/$1
  ln -sfn releases/2.3.9 current
  ./current/shop stop --pid-file shop.pid
  ! test -e releases/2.4.0 || ./releases/2.4.0/shop migrate --db ../orders.db --to 1
  ./current/shop start --port $2 --db ../orders.db --pid-file shop.pid --log shop.log
  rm -rf releases/2.4.0
  cd ../../..
done
";

/// Where the demo plays.
pub(super) struct Stage {
    /// The folder of the contract.
    pub(super) dir: PathBuf,
    hosts: Vec<(PathBuf, u16)>,
}

impl Stage {
    /// Builds the stage and starts the shop, version 2.3.9, on every host.
    pub(super) fn build(dir: &Path) -> Result<Self, Failure> {
        let old = beside_baton("shop-2-3-9")?;
        let new = beside_baton("shop-2-4-0")?;
        let io = |error: std::io::Error| {
            Failure::part(format!("cannot build the demo in {}", dir.display())).because(&error)
        };
        let ports = free_ports().map_err(io)?;
        let mut hosts = Vec::new();
        for (i, name) in [
            "staging/web1",
            "staging/web2",
            "production/web1",
            "production/web2",
        ]
        .iter()
        .enumerate()
        {
            let host = dir.join("env").join(name);
            lay_host(&host, &old, name.starts_with("production")).map_err(io)?;
            hosts.push((host, ports[i]));
        }
        lay_files(dir, &new, &ports).map_err(io)?;
        let stage = Self {
            dir: dir.to_owned(),
            hosts,
        };
        for environment in ["staging", "production"] {
            stage.shop(&[
                "seed",
                "--db",
                &format!("env/{environment}/orders.db"),
                "--orders",
                "250",
            ])?;
        }
        for (host, port) in &stage.hosts {
            let port = port.to_string();
            let start = [
                "start",
                "--port",
                &port,
                "--db",
                "../orders.db",
                "--pid-file",
                "shop.pid",
                "--log",
                "shop.log",
            ];
            run(host, &host.join("current/shop"), &start)?;
        }
        Ok(stage)
    }

    /// What a host answers to `/health`.
    pub(super) fn health(&self, host: &str) -> Result<String, Failure> {
        let found = self.hosts.iter().find(|(path, _)| path.ends_with(host));
        let (path, port) = found.ok_or_else(|| Failure::wrong(format!("no host {host}")))?;
        run(
            path,
            &path.join("current/shop"),
            &["get", &format!("http://127.0.0.1:{port}/health")],
        )
    }

    /// Turns the known fault of 2.4.0 on or off in production.
    pub(super) fn fault(&self, on: bool) -> Result<(), Failure> {
        for (host, _) in self
            .hosts
            .iter()
            .filter(|(path, _)| path.to_string_lossy().contains("production"))
        {
            let flag = host.join("flags/slow-rates");
            let done = if on {
                fs::write(&flag, "")
            } else {
                fs::remove_file(&flag)
            };
            done.map_err(|error| Failure::part("cannot turn the fault").because(&error))?;
        }
        Ok(())
    }

    fn shop(&self, args: &[&str]) -> Result<String, Failure> {
        run(&self.dir, &beside_baton("shop-2-3-9")?, args)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        for (host, _) in &self.hosts {
            // A server that is gone already needs no stopping.
            let _stopped = run(
                host,
                &host.join("current/shop"),
                &["stop", "--pid-file", "shop.pid"],
            );
        }
    }
}

fn beside_baton(name: &str) -> Result<PathBuf, Failure> {
    let baton = baton_engine::desk::program()?;
    let path = baton.with_file_name(name);
    if path.is_file() {
        return Ok(path);
    }
    Err(Failure::part(format!(
        "the demo's service {name} is not beside {}",
        baton.display()
    ))
    .hint("run `cargo xtask demo` in a checkout of Baton: it builds both"))
}

fn free_ports() -> std::io::Result<Vec<u16>> {
    let listeners: Vec<TcpListener> = (0..4)
        .map(|_| TcpListener::bind(("127.0.0.1", 0)))
        .collect::<Result<_, _>>()?;
    listeners
        .iter()
        .map(|listener| listener.local_addr().map(|at| at.port()))
        .collect()
}

fn lay_host(host: &Path, old: &Path, production: bool) -> std::io::Result<()> {
    for folder in ["releases/2.3.9", "config", "flags"] {
        fs::create_dir_all(host.join(folder))?;
    }
    let _bytes = fs::copy(old, host.join("releases/2.3.9/shop"))?;
    symlink("releases/2.3.9", host.join("current"))?;
    // Somebody once raised the time-out in production and told nobody.
    let timeout = if production { 30 } else { 5 };
    fs::write(
        host.join("config/shop.toml"),
        format!("workers = 4\npayment_timeout_s = {timeout}\n"),
    )
}

fn lay_files(dir: &Path, new: &Path, ports: &[u16]) -> std::io::Result<()> {
    for folder in ["dist", "checks", "secrets"] {
        fs::create_dir_all(dir.join(folder))?;
    }
    let _bytes = fs::copy(new, dir.join("dist/shop"))?;
    for (name, text) in CHECKS {
        fs::write(dir.join(name), text)?;
    }
    for environment in ["staging", "production"] {
        let key = dir.join(format!("secrets/{environment}-rates.key"));
        fs::write(&key, format!("{:016x}\n", baton_engine::desk::draw()))?;
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600))?;
    }
    let now = Timestamp::from_second(Timestamp::now().as_second()).unwrap_or_default();
    let hours = |n| {
        now.saturating_add(SignedDuration::from_hours(n))
            .unwrap_or(now)
            .to_string()
    };
    let filled = |text: &str| {
        let mut text = text
            .replace("@OPENS@", &hours(-1))
            .replace("@CLOSES@", &hours(3));
        let names = ["STAGING_1", "STAGING_2", "PRODUCTION_1", "PRODUCTION_2"];
        for (name, port) in names.iter().zip(ports) {
            text = text.replace(&format!("@{name}@"), &port.to_string());
        }
        text
    };
    fs::write(dir.join("handoff.yaml"), filled(CONTRACT))?;
    fs::write(dir.join("back-to-2.3.9.sh"), filled(BACK))?;
    fs::write(dir.join("runbook.md"), RUNBOOK)
}

/// Runs a program to its end in a folder; what it printed.
fn run(folder: &Path, program: &Path, args: &[&str]) -> Result<String, Failure> {
    let done = Command::new(program)
        .args(args)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| {
            Failure::part(format!("cannot start {}", program.display())).because(&error)
        })?;
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    if done.status.success() {
        return Ok(said);
    }
    let error = String::from_utf8_lossy(&done.stderr);
    Err(Failure::part(format!(
        "the demo's shop failed at `{}`: {}",
        args.join(" "),
        error.trim()
    )))
}
