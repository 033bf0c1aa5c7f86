//! Facts of hosts are read as on this machine.

use super::*;

/// Reads facts of a host, in its folder.
fn facts(sshd: &Sshd, to: &str, dir: Option<&str>, run: &str, limits: Limits) -> HostFacts {
    let vars = BTreeMap::from([("GREETS".to_owned(), "it's me".to_owned())]);
    let site = Site {
        place: Place::Far {
            ssh: &sshd.ssh(),
            to,
            dir,
        },
        vars: &vars,
        secrets: &BTreeMap::new(),
        folder: sshd.root.path(),
        key: b"key",
    };
    let collectors = [
        Collector::Os,
        Collector::Files {
            paths: vec!["config/**".to_owned()],
        },
        Collector::Command {
            id: "greet".to_owned(),
            run: run.to_owned(),
        },
    ];
    collect_within(site, &collectors, limits)
}

#[test]
fn facts_of_a_host_are_read_the_same_way() {
    let sshd = Sshd::new();
    fs::create_dir(sshd.path("work/config")).unwrap();
    fs::write(sshd.path("work/config/app.toml"), "a = 1\n").unwrap();
    let work = sshd.path("work").display().to_string();
    let greet = "echo $GREETS; echo of no interest >&2";
    let usual = Limits::default();
    let read = facts(&sshd, "web1", Some(&work), greet, usual);
    for layer in ["os", "files", "command"] {
        assert_eq!(read.layers[layer], LayerStatus::Ok, "{layer}");
    }
    let said = read
        .facts
        .iter()
        .find(|(name, _)| name.layer() == "command");
    let said = format!("{:?}", said.unwrap().1);
    assert!(
        said.contains("it's me") && !said.contains("interest"),
        "{said}"
    );
    assert!(
        read.facts
            .keys()
            .any(|name| name.to_string().contains("app.toml"))
    );
    // Nothing was written there.
    assert!(!sshd.path("home/.baton").exists());

    let why = |read: HostFacts| format!("{:?}", read.layers["os"]);
    let gone = why(facts(&sshd, "web1", Some("/gone"), greet, usual));
    assert!(gone.contains("the folder /gone is not there"), "{gone}");
    let nobody = why(facts(&sshd, "nobody", None, greet, usual));
    assert!(nobody.contains("it cannot be reached: "), "{nobody}");
}

#[test]
fn reading_facts_is_bounded_in_time_and_bytes_and_leaves_nothing_behind() {
    let sshd = Sshd::new();
    let work = sshd.path("work").display().to_string();
    let limits = Limits {
        time: Duration::from_secs(2),
        ..Limits::default()
    };
    let hangs = "echo $$ >reader; sleep 600 & sleep 600";
    let read = facts(&sshd, "web1", Some(&work), hangs, limits);
    assert_eq!(read.layers["os"], LayerStatus::Ok);
    assert_eq!(read.layers["command"], LayerStatus::Timeout);
    let reader = pid_in(&sshd.path("work/reader"));
    until("what it started is gone", || !alive(reader));
    let bytes = Limits {
        bytes: 64,
        ..Limits::default()
    };
    let read = facts(&sshd, "web1", Some(&work), "true", bytes);
    assert!(
        matches!(read.layers["command"], LayerStatus::Partial(_)),
        "{read:?}"
    );
}
