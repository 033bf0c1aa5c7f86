mod layers;
mod long;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;
use std::time::Instant;

use baton_core::parity::matcher::Paths;

use super::*;

const KEY: &[u8] = b"a key of the tests";

/// A host's folder with its variables.
struct Place {
    dir: tempfile::TempDir,
    vars: BTreeMap<String, String>,
    secrets: BTreeMap<String, String>,
}

impl Place {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            vars: BTreeMap::new(),
            secrets: BTreeMap::new(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn file(self, name: &str, content: &str) -> Self {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        self
    }

    fn var(mut self, name: &str, value: &str) -> Self {
        self.vars.insert(name.to_owned(), value.to_owned());
        self
    }

    fn site(&self) -> Site<'_> {
        Site {
            place: super::Place::Here(self.dir.path()),
            vars: &self.vars,
            secrets: &self.secrets,
            folder: self.dir.path(),
            key: KEY,
        }
    }

    fn collect(&self, collectors: &[Collector]) -> HostFacts {
        collect(self.site(), collectors)
    }

    /// Puts a program in front of the host's own.
    fn with_program(self, name: &str, script: &str) -> Self {
        let bin = self.path("bin");
        let place = self.file(&format!("bin/{name}"), &format!("#!/bin/sh\n{script}\n"));
        let path = place.path(&format!("bin/{name}"));
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
        let usual = std::env::var("PATH").unwrap();
        place.var("PATH", &format!("{}:{usual}", bin.display()))
    }
}

fn files(paths: &[&str]) -> Collector {
    Collector::Files {
        paths: paths.iter().map(|path| (*path).to_owned()).collect(),
    }
}

fn command(id: &str, run: &str) -> Collector {
    Collector::Command {
        id: id.to_owned(),
        run: run.to_owned(),
    }
}

fn env(names: &[&str]) -> Collector {
    Collector::Env {
        names: names.iter().map(|name| (*name).to_owned()).collect(),
    }
}

fn text(host: &HostFacts, layer: &str, subject: &str) -> Option<String> {
    match &host.facts.get(&FactName::new(layer, subject))?.value {
        Value::Text(text) => Some(text.clone()),
        other => Some(other.shown()),
    }
}

fn names(host: &HostFacts) -> Vec<&str> {
    host.facts.keys().map(FactName::as_str).collect()
}

fn hash(content: &str) -> Value {
    Value::Hash(Digest::of(content.as_bytes()))
}

#[test]
fn the_operating_system_is_read_as_it_says_itself() {
    let host = Place::new().collect(&[Collector::Os]);
    let uname = std::process::Command::new("uname")
        .arg("-srm")
        .output()
        .unwrap();
    let uname = String::from_utf8(uname.stdout).unwrap();
    let kernel = text(&host, "os", "kernel").unwrap();
    let arch = text(&host, "os", "arch").unwrap();
    assert_eq!(format!("{kernel} {arch}"), uname.trim());
    let known = fs::read_to_string("/etc/os-release").is_ok();
    assert_eq!(host.layers["os"].is_ok(), known);
    assert_eq!(text(&host, "os", "release").is_some(), known);
}

#[test]
fn files_are_read_by_glob_with_digest_mode_and_links() {
    let place = Place::new()
        .file("config/app.toml", "workers = 4")
        .file("config/deep/er/x.toml", "x")
        .file("run.sh", "#!/bin/sh")
        .file("data/big.db", "not asked for");
    fs::set_permissions(place.path("run.sh"), fs::Permissions::from_mode(0o750)).unwrap();
    symlink("releases/2.4.0", place.path("config/current")).unwrap();
    symlink("/etc", place.path("config/etc")).unwrap();

    let host = place.collect(&[files(&["config/**"]), files(&["./*.sh"])]);
    assert_eq!(host.layers["files"], LayerStatus::Ok);
    assert_eq!(
        names(&host),
        [
            "files:config/app.toml",
            "files:config/app.toml#/workers",
            "files:config/app.toml#mode",
            "files:config/current",
            "files:config/deep/er/x.toml",
            "files:config/deep/er/x.toml#mode",
            "files:config/deep/er/x.toml#syntax",
            "files:config/etc",
            "files:run.sh",
            "files:run.sh#mode",
        ]
    );
    let app = FactName::new("files", "config/app.toml");
    assert_eq!(host.facts[&app].value, Value::Present);
    assert_eq!(
        text(&host, "files", "config/current").unwrap(),
        "releases/2.4.0"
    );
    let mode = FactName::new("files", "run.sh").attribute("mode");
    assert_eq!(host.facts[&mode].value, Value::Text("750".to_owned()));
}

#[test]
fn each_glob_finds_exactly_what_it_fits() {
    let tree = [
        "a",
        "b.toml",
        "c/a",
        "c/b.toml",
        "c/d/b.toml",
        "c/d/e/a",
        "[x]",
        "c/*",
        "é/a",
    ];
    let place = tree
        .iter()
        .fold(Place::new(), |place, name| place.file(name, "x"));
    for glob in [
        "**",
        "*",
        "a",
        "./a",
        "**/a",
        "c/**",
        "c/*",
        "c/**/a",
        "**/b.toml",
        "*.toml",
        "c/?/*",
        "[a-c]",
        "[[]x]",
        "c/[d]/**",
        "{a,c/a}",
        "c/{a,d/**}",
        r"c/\*",
        "?",
        "é/?",
        "?/a",
        "none",
    ] {
        let host = place.collect(&[files(&[glob])]);
        assert_eq!(host.layers["files"], LayerStatus::Ok, "{glob}");
        let fits = Paths::new(&[glob]).unwrap();
        let expected: BTreeSet<FactName> = tree
            .iter()
            .filter(|name| fits.matches(name))
            .map(|name| FactName::new("files", name))
            .collect();
        let found: BTreeSet<FactName> = host
            .facts
            .into_keys()
            .filter(|name| !name.is_attribute())
            .collect();
        assert_eq!(found, expected, "{glob}");
    }
}

#[test]
fn the_same_folder_gives_the_same_facts_and_a_change_shows() {
    let place = Place::new()
        .file("a", "1")
        .file("b c", "2")
        .var("APP_MODE", "release");
    let asked = [
        Collector::Os,
        files(&["**"]),
        env(&["APP_*"]),
        command("x", "echo $APP_MODE"),
    ];
    let first = place.collect(&asked);
    assert!(
        first.layers.values().all(LayerStatus::is_ok),
        "{:?}",
        first.layers
    );
    assert_eq!(place.collect(&asked), first);

    let place = place.file("b c", "3");
    let second = place.collect(&asked);
    let changed: Vec<_> = second
        .facts
        .iter()
        .filter(|(name, fact)| first.facts.get(*name) != Some(*fact))
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(changed, ["files:b c"]);
}

#[test]
fn hostile_file_names_forge_nothing() {
    let fake = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let place = Place::new()
        .file("victim", "true content")
        .file("a#mode", "m");
    let evil = [
        format!("x\n{fake}  .").into_bytes(),
        b"done\nfiles".to_vec(),
        b"quote' \" $(touch pwned) `touch pwned`".to_vec(),
        b"tab\tand\rreturn\\backslash".to_vec(),
        b"not \xff utf-8".to_vec(),
        b"-n".to_vec(),
    ];
    for name in &evil {
        fs::write(
            place.dir.path().join(std::ffi::OsStr::from_bytes(name)),
            "evil",
        )
        .unwrap();
    }
    // A folder whose name ends in a line break makes the path of a file in it
    // look like a line of its own.
    let trap = place.path(&format!("y\n{fake}  ."));
    fs::create_dir(&trap).unwrap();
    fs::write(trap.join("victim"), "evil").unwrap();

    let host = place.collect(&[files(&["**"])]);
    assert_eq!(host.layers["files"], LayerStatus::Ok);
    assert_eq!(
        host.facts[&FactName::new("files", "victim")].value,
        hash("true content")
    );
    for name in &evil {
        assert_eq!(
            host.facts[&FactName::new("files", name)].value,
            hash("evil")
        );
    }
    assert_eq!(host.facts.len(), 2 * (evil.len() + 3));
    assert!(!place.path("pwned").exists());
    assert!(
        names(&host)
            .iter()
            .all(|name| !name.contains(char::is_control))
    );
}

#[test]
fn what_cannot_be_read_is_named_and_the_rest_is_kept() {
    // A program that refuses stands for a file without rights, which the
    // superuser would read all the same.
    let refuses = r#"for f do case $f in *locked*) echo "no" >&2;; *) PATH=${PATH#*:} sha256sum "$f";; esac; done"#;
    let place = Place::new()
        .with_program("sha256sum", refuses)
        .file("config/open", "o")
        .file("config/locked", "l");
    let host = place.collect(&[files(&["config/*"])]);
    let reason = "cannot read config/locked".to_owned();
    assert_eq!(host.layers["files"], LayerStatus::Partial(reason));
    assert_eq!(
        host.facts[&FactName::new("files", "config/open")].value,
        hash("o")
    );

    let only = place.collect(&[files(&["config/locked"])]);
    assert!(
        matches!(only.layers["files"], LayerStatus::Partial(_)),
        "its mode is known"
    );
}

#[test]
fn folders_beside_what_is_asked_are_not_entered() {
    // Besides what it is told to print, this `find` notes what else it meets.
    let notes =
        r#"PATH=${PATH#*:}; exec find "$@" -o -type f -exec sh -c 'echo "$1" >> met' sh {} \;"#;
    let place = Place::new()
        .with_program("find", notes)
        .file("config/a", "a")
        .file("config/b/c", "c")
        .file("private/key", "k")
        .file("beside", "b");
    let host = place.collect(&[files(&["config/b/*"])]);
    assert_eq!(names(&host), ["files:config/b/c", "files:config/b/c#mode"]);
    let met = fs::read_to_string(place.path("met")).unwrap();
    assert!(
        met.contains("./beside") && met.contains("./config/a"),
        "{met}"
    );
    assert!(!met.contains("private"), "{met}");

    let fails = r#"echo "find: './config/x': Permission denied" >&2; exit 1"#;
    let host = place
        .with_program("find", fails)
        .collect(&[files(&["config/**"])]);
    let reason = "find: './config/x': Permission denied".to_owned();
    assert_eq!(host.layers["files"], LayerStatus::Denied(reason));
}

#[test]
fn commands_see_what_steps_see_and_give_their_words() {
    let place = Place::new().var("PORT", "8080").var("baton", "x");
    let host = place.collect(&[
        command("port", "  printf ' %s \\n' \"$PORT\"; printf noise >&2"),
        command("quotes", "echo 'it'\"'\"'s'"),
        command("where", "pwd -P"),
        command("others", "env | grep -c ^CARGO || true"),
        command("input", "cat"),
        command(
            "forge",
            "printf 'done\\0command\\0'; echo x >&3 || echo closed",
        ),
    ]);
    assert_eq!(text(&host, "command", "port").unwrap(), "8080");
    assert_eq!(text(&host, "command", "quotes").unwrap(), "it's");
    let dir = fs::canonicalize(place.dir.path()).unwrap();
    assert_eq!(
        text(&host, "command", "where").unwrap(),
        dir.display().to_string()
    );
    assert_eq!(text(&host, "command", "others").unwrap(), "0");
    assert_eq!(text(&host, "command", "input").unwrap(), "");
    assert_eq!(
        text(&host, "command", "forge").unwrap(),
        "donecommandclosed"
    );
    assert_eq!(host.layers["command"], LayerStatus::Ok);
}

#[test]
fn a_command_that_fails_or_floods_is_a_reason() {
    let host = Place::new().collect(&[
        command("good", "echo fine"),
        command("bad", "echo half; false; echo never"),
        command("none", "no-such-program-here"),
        command("flood", "yes"),
    ]);
    assert_eq!(names(&host), ["command:good"]);
    let LayerStatus::Partial(reason) = &host.layers["command"] else {
        panic!("{:?}", host.layers);
    };
    assert_eq!(
        reason,
        "bad ended with exit 1; none found no such program; flood printed more than 4096 bytes"
    );
}

#[test]
fn a_command_that_hangs_is_ended_in_time_with_all_it_started() {
    let place = Place::new().file("a", "1");
    let limits = Limits {
        time: Duration::from_secs(2),
        ..Limits::default()
    };
    let hang = "sleep 600 & echo $! > pid; wait";
    let asked = [
        Collector::Os,
        files(&["a"]),
        command("fast", "echo 1"),
        command("hang", hang),
    ];
    let begun = Instant::now();
    let host = collect_within(place.site(), &asked, limits);
    assert!(begun.elapsed() < Duration::from_secs(10));
    assert_eq!(host.layers["command"], LayerStatus::Timeout);
    assert_eq!(host.layers["files"], LayerStatus::Ok);
    assert_eq!(text(&host, "command", "fast").unwrap(), "1");
    assert!(host.facts.contains_key(&FactName::new("files", "a")));

    let pid: i32 = fs::read_to_string(place.path("pid"))
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    let lives = || {
        let state = fs::read_to_string(format!("/proc/{pid}/stat"));
        state.is_ok_and(|state| !state.contains(") Z "))
    };
    while lives() {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "{pid} still runs"
        );
        std::thread::yield_now();
    }
}

#[test]
fn output_beyond_the_limit_is_cut_and_said() {
    let place = (0..50).fold(Place::new(), |place, n| place.file(&format!("f{n}"), "x"));
    let limits = Limits {
        bytes: 600,
        ..Limits::default()
    };
    let host = collect_within(place.site(), &[files(&["**"])], limits);
    let reason = "it printed more than 600 bytes".to_owned();
    assert_eq!(host.layers["files"], LayerStatus::Partial(reason));
}

#[test]
fn too_many_files_are_refused_before_they_are_read() {
    // A `find` that lists without end stands for a folder of millions.
    let place = Place::new().with_program("find", "exec yes ./x");
    let host = place.collect(&[files(&["**"])]);
    let reason = "more than 20000 files match".to_owned();
    assert_eq!(host.layers["files"], LayerStatus::Partial(reason));
    assert!(host.facts.is_empty());
}

#[test]
fn every_layer_asked_for_has_a_status() {
    let place = Place::new();
    let sqlite = Collector::Sqlite {
        path: "orders.db".to_owned(),
        data: Vec::new(),
    };
    let postgres = Collector::Postgres {
        url: "mysql://db/shop".to_owned(),
        data: Vec::new(),
    };
    let host = place.collect(&[postgres, sqlite, files(&["/etc/*"]), env(&["A"])]);
    let says: Vec<String> = host.layers.values().map(ToString::to_string).collect();
    assert_eq!(
        says,
        [
            "read whole",
            "not read: \"/etc/*\" is not a path within the host's folder",
            "not read: the address is not postgres://…",
            "read in part: there is no orders.db",
        ]
    );
    fs::remove_dir(place.dir.path()).unwrap();
    let host = place.collect(&[Collector::Os, files(&["**"])]);
    assert!(
        host.layers["os"]
            .to_string()
            .contains("cannot start sh in /")
    );
    assert!(matches!(host.layers["files"], LayerStatus::NotCollected(_)));
}

#[test]
fn no_secret_is_kept_and_each_is_still_compared() {
    let canary = "canary-5f1c9e";
    let asked = [
        env(&["*"]),
        files(&["**"]),
        command("leak", "echo \"$API_TOKEN and $DB_URL\""),
        command("fails", "echo \"$API_TOKEN\" >&2; exit 3"),
    ];
    let make = |value: &str| {
        let place = Place::new()
            .var("APP_MODE", "release")
            .var("API_TOKEN", value)
            .var("DB_URL", &format!("postgres://shop:{value}@db/shop"))
            .var("APP_ARGS", &format!("--token={value}"))
            .file(&format!("{value}.txt"), value);
        symlink(value, place.path("link")).unwrap();
        let mut place = place;
        place
            .secrets
            .insert("DECLARED".to_owned(), value.to_owned());
        place
    };
    let host = make(canary).collect(&asked);
    let kept = serde_json::to_string(&host).unwrap();
    assert!(
        !kept.contains(canary) && !format!("{host:?}").contains(canary),
        "{kept}"
    );
    assert_eq!(text(&host, "env", "APP_MODE").unwrap(), "release");
    for name in ["API_TOKEN", "DB_URL", "APP_ARGS", "DECLARED"] {
        let fact = &host.facts[&FactName::new("env", name)];
        assert!(matches!(fact.value, Value::Keyed(_)), "{name}");
    }
    // The same secret hashes the same, another one differently.
    assert_eq!(make(canary).collect(&asked), host);
    let other = make("canary-000000").collect(&asked);
    for name in ["API_TOKEN", "DECLARED"] {
        let name = FactName::new("env", name);
        assert_ne!(other.facts[&name], host.facts[&name]);
    }
}
