//! Layers of the host itself, databases, and structured text.

use baton_core::parity::Class;

use super::*;

#[test]
fn every_layer_of_this_host_is_read_and_twice_the_same() {
    let place = Place::new();
    let first = place.collect(&Collector::WORDS);
    for (layer, status) in &first.layers {
        let read = status.is_whole() || matches!(status, LayerStatus::Partial(_));
        assert!(read, "{layer}: {status}");
        let any = first.facts.keys().any(|name| name.layer() == layer);
        assert!(any || *status == LayerStatus::Absent, "{layer}: nothing");
    }
    for (layer, subject) in [("limits", "cpus"), ("time", "zone"), ("users", "root")] {
        assert!(text(&first, layer, subject).is_some(), "{layer}:{subject}");
    }
    let off = FactName::new("time", "clock").attribute("off");
    assert_eq!(first.facts[&off].value, Value::Text("right".to_owned()));

    // Two captures of one idle host: nothing that is compared differs. What
    // other programs of this machine open meanwhile is not ours to hold still.
    let second = place.collect(&Collector::WORDS);
    let compared = |host: &HostFacts| -> BTreeMap<FactName, Fact> {
        let facts = host.facts.clone().into_iter().filter(|(name, fact)| {
            fact.class == Class::Stable && !matches!(name.layer(), "listeners" | "mounts")
        });
        facts.collect()
    };
    assert_eq!(compared(&first), compared(&second));
}

#[test]
fn a_database_is_known_by_its_schema_and_migrations() {
    let place = Place::new();
    let made = std::process::Command::new("python3")
        .args([
            "-c",
            "import sqlite3,sys\nc=sqlite3.connect(sys.argv[1])\nc.executescript(sys.argv[2])",
        ])
        .arg(place.path("or'ders.db"))
        .arg(
            "create table orders(id integer, total text); create index by_total on orders(total);\
              create table schema_migrations(version); insert into schema_migrations values (7);\
              pragma user_version = 3;",
        )
        .status();
    if !made.is_ok_and(|status| status.success()) {
        return;
    }
    let path = "or'ders.db".to_owned();
    let host = place.collect(&[Collector::Sqlite { path }]);
    assert_eq!(host.layers["sqlite"], LayerStatus::Ok);
    for (subject, value) in [
        (
            "table/orders",
            "CREATE TABLE orders(id integer, total text)",
        ),
        ("index/by_total", "CREATE INDEX by_total on orders(total)"),
        ("pragma/user_version", "3"),
        ("migration/7", "yes"),
    ] {
        assert_eq!(
            text(&host, "sqlite", subject).as_deref(),
            Some(value),
            "{subject}"
        );
    }

    let place = Place::new().file("notes.db", "this is no database, only a long enough text");
    let path = "notes.db".to_owned();
    let host = place.collect(&[Collector::Sqlite { path }]);
    let LayerStatus::Partial(why) = &host.layers["sqlite"] else {
        panic!("{:?}", host.layers);
    };
    assert!(why.contains("not a database"), "{why}");
}

#[test]
fn configuration_is_compared_by_what_it_says() {
    let asked = [files(&["**"])];
    let of = |name: &str, text: &str| Place::new().file(name, text).collect(&asked);
    let a = of("app.yaml", "a: 1\nb: {c: x}\n");
    assert_eq!(a, of("app.yaml", "# only a comment\nb:\n  c: x\na: 1\n"));
    let b = of("app.yaml", "a: 2\nb: {c: x}\n");
    let name = FactName::new("files", "app.yaml").attribute("/a");
    assert_ne!(a.facts[&name], b.facts[&name]);
    // A secret by its key is kept as a keyed hash only.
    let secret = of("app.json", r#"{"db": {"password": "canary-77"}}"#);
    assert!(!format!("{secret:?}").contains("canary-77"));
    let name = FactName::new("files", "app.json").attribute("/db/password");
    assert_eq!(secret.facts[&name].class, Class::Secret);
}

#[test]
fn what_a_command_prints_as_json_is_known_by_its_paths() {
    let print = r#"echo '{"kind": "Deployment", "metadata": {"uid": "1", "name": "web"}}'"#;
    let host = Place::new().collect(&[command("kubectl", print)]);
    let uid = FactName::new("command", "kubectl").attribute("/metadata/uid");
    assert_eq!(host.facts[&uid].class, Class::Volatile);
    let name = FactName::new("command", "kubectl").attribute("/metadata/name");
    assert_eq!(host.facts[&name].class, Class::Stable);
}
