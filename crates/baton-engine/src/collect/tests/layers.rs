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
        // Nothing here names anything that could be there or not.
        let none = *status == LayerStatus::Absent || layer == "references";
        assert!(any || none, "{layer}: nothing");
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

/// What differs between two captures of one host, as a gate would see it.
fn differences(first: &HostFacts, second: &HostFacts) -> Vec<String> {
    use baton_core::id::{EnvName, HostName};
    use baton_core::parity::{Environment, Fingerprint, compare_environments};
    let print = |name: &str, host: &HostFacts| {
        let hosts = [(HostName::new("web1"), host.clone())].into();
        Fingerprint::new(EnvName::new(name), Timestamp::UNIX_EPOCH, &[], hosts)
    };
    let (first, second) = (print("first", first), print("second", second));
    let groups = BTreeMap::new();
    let of = |fingerprint| Environment {
        fingerprint,
        groups: &groups,
    };
    let found = compare_environments(of(&first), of(&second), &[]);
    found.differences.into_iter().map(|one| one.says).collect()
}

/// On a machine that is idle: `BATON_IDLE=20 cargo test -p baton-engine idle`.
#[test]
fn idle_captures_are_all_the_same() {
    let rounds = option_env!("BATON_IDLE").map_or(1, |count| count.parse().unwrap());
    let place = Place::new()
        .file("app.yaml", "a: 1\ncert: /etc/hostname\n")
        .var("APP_MODE", "release");
    let mut asked = Collector::WORDS.to_vec();
    asked.extend([files(&["**"]), env(&["*"])]);
    // What other programs of this machine open meanwhile is not ours to hold still.
    if rounds == 1 {
        asked.retain(|of| !matches!(of, Collector::Listeners | Collector::Mounts));
    }
    let first = place.collect(&asked);
    for round in 1..=rounds {
        let next = place.collect(&asked);
        assert_eq!(differences(&first, &next), Vec::<String>::new(), "{round}");
    }
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
              insert into orders values (1, 'a'), (2, 'b');\
              create table schema_migrations(version); insert into schema_migrations values (7);\
              pragma user_version = 3;",
        )
        .status();
    if !made.is_ok_and(|status| status.success()) {
        return;
    }
    let path = "or'ders.db".to_owned();
    let data = vec!["orders".to_owned()];
    let host = place.collect(&[Collector::Sqlite { path, data }]);
    assert_eq!(host.layers["sqlite"], LayerStatus::Ok);
    for (subject, value) in [
        (
            "table/orders",
            "CREATE TABLE orders(id integer, total text)",
        ),
        ("index/by_total", "CREATE INDEX by_total on orders(total)"),
        ("pragma/user_version", "3"),
        ("migration/7", "yes"),
        ("data/orders", "2"),
    ] {
        assert_eq!(
            text(&host, "sqlite", subject).as_deref(),
            Some(value),
            "{subject}"
        );
    }

    let place = Place::new().file("notes.db", "this is no database, only a long enough text");
    let path = "notes.db".to_owned();
    let data = Vec::new();
    let host = place.collect(&[Collector::Sqlite { path, data }]);
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

#[test]
fn a_running_process_is_known_by_its_variables_limits_and_user() {
    let mut running = std::process::Command::new("sleep");
    running.arg("600").env_clear().env("APP_MODE", "release");
    running.env("APP_TOKEN", "canary-31").env("OTHER", "unseen");
    let mut running = running.spawn().unwrap();
    // Until it is another program than we are, its variables are still ours.
    let environ = format!("/proc/{}/environ", running.id());
    let begun = Instant::now();
    while !fs::read_to_string(&environ).is_ok_and(|text| text.contains("APP_MODE=release")) {
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "sleep does not begin"
        );
        std::thread::yield_now();
    }
    let place = Place::new().file("app.pid", &format!("{}\n", running.id()));
    let asked = |name: &str| Collector::Process {
        name: name.to_owned(),
        env: vec!["APP_*".to_owned()],
    };
    let path = place.path("app.pid").display().to_string();
    let host = place.collect(&[asked(&path), asked("no such process")]);
    running.kill().unwrap();
    running.wait().unwrap();
    assert_eq!(host.layers["process"], LayerStatus::Ok, "{:?}", host.layers);
    let of = |attribute: &str| {
        let name = FactName::new("process", &path).attribute(attribute);
        host.facts
            .get(&name)
            .map(|fact| (fact.value.shown(), fact.class))
    };
    assert_eq!(of("/env/APP_MODE").unwrap().0, "release");
    assert_eq!(of("/env/APP_TOKEN").unwrap().1, Class::Secret);
    assert_eq!(of("/env/OTHER"), None);
    assert!(of("/limits/Max open files/soft").is_some());
    assert!(of("/user").is_some() && of("/exe").is_some());
    assert!(!format!("{host:?}").contains("canary-31"));
    assert_eq!(
        text(&host, "process", "no such process").as_deref(),
        Some("no")
    );
}

#[test]
fn what_configuration_names_is_looked_for() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let place = Place::new();
    let there = place.path("there.pem").display().to_string();
    let place = place
        .file("there.pem", "x")
        .var("APP_CERT", "/srv/not/here.pem")
        .file(
            "app.yaml",
            &format!(
                "# /etc/only/a/comment\ncert: {there}\napi: /api/v1/orders\nglob: /var/nope/*.log\n\
             db: postgres://u:p@nothing.invalid:5432/shop\nlocal: http://localhost:{port}/x\n\
             closed: 127.0.0.1:1\ntemplate: http://{{{{ host }}}}/\nsocket: /run/baton-no.sock\n"
            ),
        );
    let host = place.collect(&[files(&["**"]), Collector::References]);
    assert_eq!(host.layers["references"], LayerStatus::Ok);
    let found: BTreeMap<String, String> = host
        .facts
        .iter()
        .filter(|(name, _)| name.layer() == "references" && !name.is_attribute())
        .map(|(name, fact)| {
            (
                name.as_str().to_owned(),
                fact.value.text().unwrap().to_owned(),
            )
        })
        .collect();
    let expected = [
        (format!("references:path:{there}"), "there"),
        (
            "references:path:/srv/not/here.pem".to_owned(),
            "nothing there",
        ),
        (
            "references:path:/run/baton-no.sock".to_owned(),
            "nothing there",
        ),
        ("references:host:nothing.invalid".to_owned(), "not known"),
        (format!("references:port:{port}"), "listens"),
        ("references:port:1".to_owned(), "nobody listens"),
    ];
    let expected = expected.map(|(name, says)| (name, says.to_owned()));
    assert_eq!(found, BTreeMap::from(expected));
    let from = FactName::new("references", "path:/run/baton-no.sock").attribute("in");
    assert_eq!(host.facts[&from].value.text(), Some("app.yaml"));
}

#[test]
fn names_are_looked_up_where_the_host_is() {
    let names = vec!["localhost".to_owned(), "nothing.invalid".to_owned()];
    let host = Place::new().collect(&[Collector::Dns { names }]);
    assert_eq!(host.layers["dns"], LayerStatus::Ok);
    let local = text(&host, "dns", "localhost").unwrap();
    assert!(local.contains("this host"), "{local}");
    assert_eq!(
        text(&host, "dns", "nothing.invalid").as_deref(),
        Some("not known")
    );
    let wrong = vec!["-rf".to_owned()];
    let host = Place::new().collect(&[Collector::Dns { names: wrong }]);
    assert!(matches!(host.layers["dns"], LayerStatus::NotCollected(_)));
}

/// Answers every connection once with these bytes.
fn answers(bytes: &'static [u8]) -> u16 {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let _asked = connection.read(&mut [0; 4096]);
            let _told = connection.write_all(bytes);
        }
    });
    port
}

fn http(id: &str, url: String) -> Collector {
    Collector::Http {
        id: id.to_owned(),
        url,
    }
}

#[test]
fn an_address_is_known_by_its_answer() {
    let port = answers(
        b"HTTP/1.1 200 OK\r\nServer: shop\r\nDate: now\r\nContent-Length: 29\r\n\r\n{\"status\":\"ok\",\"up\":12345678}",
    );
    let mut place = Place::new();
    let _new = place
        .secrets
        .insert("PLACE".to_owned(), format!("127.0.0.1:{port}"));
    let host = place.collect(&[http("health", "http://$PLACE/h".to_owned())]);
    assert_eq!(host.layers["http"], LayerStatus::Ok);
    assert_eq!(text(&host, "http", "health").as_deref(), Some("200"));
    let of = |attribute: &str| &host.facts[&FactName::new("http", "health").attribute(attribute)];
    assert_eq!(of("header/server").value.text(), Some("shop"));
    assert_eq!(of("/up").value.text(), Some("number"));
    assert_eq!(of("header/date").class, Class::Volatile);
}

#[test]
fn an_address_that_floods_or_lies_is_a_status() {
    let port = answers(b"SSH-2.0-nothing of the kind\r\n");
    let host =
        Place::new().collect(&[http("a", format!("http://127.0.0.1:{port}/token-canary-9"))]);
    let LayerStatus::NotCollected(why) = &host.layers["http"] else {
        panic!("{:?}", host.layers);
    };
    assert!(why.starts_with("a ") && !why.contains("canary"), "{why}");
    // Two of a layer: what one of them said stays.
    let good = answers(b"HTTP/1.1 204 No Content\r\n\r\n");
    let both = [
        http("a", format!("http://127.0.0.1:{port}/")),
        http("b", format!("http://127.0.0.1:{good}/")),
    ];
    let host = Place::new().collect(&both);
    assert!(
        matches!(host.layers["http"], LayerStatus::Partial(_)),
        "{:?}",
        host.layers
    );
    assert_eq!(text(&host, "http", "b").as_deref(), Some("204"));
}

/// What is read of an address behind a certificate of its own; `None` without `openssl`.
fn behind_tls(place: &Place) -> Option<HostFacts> {
    let made = std::process::Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "5",
            "-subj",
            "/CN=shop.example",
        ])
        .args([
            "-addext",
            "subjectAltName=DNS:shop.example,IP:127.0.0.1",
            "-keyout",
            "key.pem",
            "-out",
            "cert.pem",
        ])
        .current_dir(place.dir.path())
        .stderr(std::process::Stdio::null())
        .status();
    if !made.is_ok_and(|status| status.success()) {
        return None;
    }
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let mut server = std::process::Command::new("openssl")
        .args([
            "s_server", "-www", "-quiet", "-key", "key.pem", "-cert", "cert.pem", "-accept",
        ])
        .arg(format!("127.0.0.1:{port}"))
        .current_dir(place.dir.path())
        .stdin(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "s_server does not listen"
        );
        std::thread::yield_now();
    }
    let host = place.collect(&[http("site", format!("https://127.0.0.1:{port}/"))]);
    server.kill().unwrap();
    server.wait().unwrap();
    Some(host)
}

#[test]
fn a_certificate_is_read_with_the_answer() {
    let place = Place::new();
    let Some(host) = behind_tls(&place) else {
        return;
    };
    // Nobody vouches for it, so there is no answer; what it is shows all the same.
    let of = |what: &str| {
        let name = FactName::new("http", "site").attribute(&format!("tls/{what}"));
        host.facts
            .get(&name)
            .and_then(|fact| fact.value.text())
            .map(str::to_owned)
    };
    assert_eq!(
        of("lasts").as_deref(),
        Some("less than 14 days"),
        "{host:?}"
    );
    assert!(of("verified").unwrap().contains("self"), "{host:?}");
    assert!(of("names").unwrap().contains("DNS:shop.example"));
    assert!(
        matches!(host.layers["http"], LayerStatus::Partial(_)),
        "{:?}",
        host.layers
    );
}
