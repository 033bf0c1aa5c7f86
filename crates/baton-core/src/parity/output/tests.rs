use super::*;
use proptest::prelude::*;

const STOPPED: LayerStatus = LayerStatus::Timeout;

fn asked() -> Vec<Collector> {
    let command = |id: &str| Collector::Command {
        id: id.to_owned(),
        run: "true".to_owned(),
    };
    let paths = vec!["**".to_owned()];
    vec![
        Collector::Os,
        Collector::Files { paths },
        command("one"),
        command("two"),
    ]
}

fn read(fields: &[&str]) -> HostFacts {
    let mut bytes = Vec::new();
    for field in fields {
        bytes.extend_from_slice(field.as_bytes());
        bytes.push(0);
    }
    parse(&bytes, &asked(), &STOPPED)
}

fn shown(host: &HostFacts, layer: &str, subject: &str) -> Option<String> {
    let fact = host.facts.get(&FactName::new(layer, subject))?;
    Some(fact.value.shown())
}

const HEX: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

#[test]
fn reads_the_operating_system() {
    let release = "NAME=\"Debian\"\nVERSION_ID=\"12\"\nID=debian\n";
    let host = read(&[
        "os-release",
        release,
        "uname",
        "Linux 6.1.0 x86_64",
        "done",
        "os",
    ]);
    assert_eq!(shown(&host, "os", "release").unwrap(), "\"debian 12\"");
    assert_eq!(shown(&host, "os", "kernel").unwrap(), "\"Linux 6.1.0\"");
    assert_eq!(shown(&host, "os", "arch").unwrap(), "x86_64");
    assert_eq!(host.layers["os"], LayerStatus::Ok);

    let none = read(&[
        "os-release",
        "",
        "uname",
        "Linux 6.1.0 x86_64",
        "done",
        "os",
    ]);
    assert!(matches!(none.layers["os"], LayerStatus::Partial(_)));
}

#[test]
fn reads_files_with_digest_and_mode_and_names_the_unreadable() {
    let hashes = format!("{HEX}  ./a b\nnonsense\n{HEX}  ./unlisted\n");
    let host = read(&[
        "paths",
        "./a b",
        "./locked",
        "./x\ny",
        "",
        "hashes",
        &hashes,
        "modes",
        "644:./a b\n600:./locked\n",
        "odd",
        "./x\ny",
        &format!("{HEX}  -"),
        "755:./x\ny",
        "link",
        "./current",
        "releases/2.4.0",
        "done",
        "files",
    ]);
    assert_eq!(shown(&host, "files", "a b").unwrap(), "sha256:ba7816bf8f01");
    assert_eq!(
        shown(&host, "files", "x\ny").unwrap(),
        "sha256:ba7816bf8f01"
    );
    assert_eq!(shown(&host, "files", "current").unwrap(), "releases/2.4.0");
    let mode = FactName::new("files", "x\ny").attribute("mode");
    assert_eq!(host.facts[&mode].value, Value::Text("755".to_owned()));
    assert_eq!(host.facts.len(), 6);
    assert_eq!(
        host.layers["files"],
        LayerStatus::Partial("cannot read locked".to_owned())
    );
}

#[test]
fn only_rights_that_lack_altogether_are_a_denial() {
    let host = read(&[
        "paths", "./locked", "", "hashes", "", "modes", "", "done", "files",
    ]);
    let reason = "cannot read locked".to_owned();
    assert_eq!(host.layers["files"], LayerStatus::Denied(reason));
    let host = read(&[
        "trouble",
        "files",
        "more than 20000 files match",
        "done",
        "files",
    ]);
    assert!(matches!(host.layers["files"], LayerStatus::Partial(_)));
}

#[test]
fn a_path_that_leads_out_is_no_fact() {
    let host = read(&[
        "paths",
        "./../x",
        "/etc/passwd",
        "./a/../../b",
        "",
        "done",
        "files",
    ]);
    assert!(host.facts.is_empty());
    assert_eq!(host.layers["files"], LayerStatus::Ok);
}

#[test]
fn a_command_gives_a_fact_or_a_reason() {
    let host = read(&[
        "command",
        "0",
        " Python 3.11\n",
        "0",
        "command",
        "1",
        "x",
        "3",
        "done",
        "command",
    ]);
    assert_eq!(shown(&host, "command", "one").unwrap(), "\"Python 3.11\"");
    assert_eq!(shown(&host, "command", "two"), None);
    let reason = "two ended with exit 3".to_owned();
    assert_eq!(host.layers["command"], LayerStatus::Partial(reason));

    let long = "x".repeat(TEXT_MAX + 1);
    let host = read(&[
        "command", "0", &long, "0", "command", "7", "", "0", "done", "command",
    ]);
    assert!(host.facts.is_empty());
    assert!(host.layers["command"].to_string().contains("4096 bytes"));
    let host = read(&["command", "0", "", "126", "done", "command"]);
    assert!(matches!(host.layers["command"], LayerStatus::Denied(_)));
}

#[test]
fn the_values_of_a_kubernetes_secret_are_marked_and_withheld() {
    let text = r#"{"items": [{"kind": "Secret", "name": "s", "data": {"x": "canary"}, "note":
        "{\"kind\":\"Secret\",\"data\":{\"x\":\"canary\"}}"}, {"kind": "Pod", "name": "p", "data": {"y": "1"}}]}"#;
    let host = read(&["command", "0", text, "0", "done", "command"]);
    let kept = crate::parity::secret::Secrets::new(b"key", []).withhold(host);
    assert!(!format!("{kept:?}").contains("canary"), "{kept:?}");
    let open = FactName::new("command", "one").attribute("/items/p/data/y");
    assert_eq!(kept.facts[&open].value, Value::Text("1".to_owned()));
}

#[test]
fn what_was_cut_off_is_unfinished_and_never_ok() {
    let whole = read(&["uname", "Linux 6 arm", "os-release", "ID=x", "done", "os"]);
    assert_eq!(whole.layers["os"], LayerStatus::Ok);
    assert_eq!(whole.layers["files"], STOPPED);
    assert_eq!(whole.layers["command"], STOPPED);
    let cut = parse(b"uname\0Linux 6 arm\0done\0os", &asked(), &STOPPED);
    assert_eq!(cut.layers["os"], STOPPED);
    assert_eq!(cut.facts.len(), 2);
    // After nonsense nothing is believed.
    let forged = read(&["surprise", "done", "os", "done", "files"]);
    assert_eq!(forged.layers["os"], STOPPED);
}

#[test]
fn counts_are_bounded() {
    let mut fields = vec!["paths".to_owned()];
    fields.extend((0..FILES_MAX + 10).map(|n| format!("./{n}")));
    fields.extend(["", "done", "files"].map(str::to_owned));
    let host = read(&fields.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(
        host.layers["files"]
            .to_string()
            .contains("more than 20000 files match")
    );
    assert!(host.layers["files"].to_string().chars().count() < 400);
}

fn field() -> impl Strategy<Value = Vec<u8>> {
    const WORDS: &[&str] = &[
        "os-release",
        "uname",
        "paths",
        "hashes",
        "modes",
        "odd",
        "link",
        "command",
        "trouble",
        "done",
        "os",
        "files",
        "",
        "./a",
        "0",
        "1",
    ];
    prop_oneof![
        4 => prop::sample::select(WORDS).prop_map(|word| word.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..12),
        1 => Just(format!("{HEX}  ./a\n644:./a").into_bytes()),
    ]
}

proptest! {
    #[test]
    fn any_bytes_give_statuses_and_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let host = parse(&bytes, &asked(), &STOPPED);
        prop_assert_eq!(host.layers.len(), 3);
    }

    #[test]
    fn any_fields_give_statuses_and_no_panic(fields in prop::collection::vec(field(), 0..30)) {
        let bytes = fields.join(&0);
        let host = parse(&bytes, &asked(), &STOPPED);
        prop_assert_eq!(host.layers.len(), 3);
        for (name, fact) in &host.facts {
            prop_assert!(!name.as_str().contains(char::is_control));
            prop_assert!(fact.value.shown().chars().count() < 100);
        }
    }
}
