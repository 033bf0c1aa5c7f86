use proptest::prelude::*;

use super::*;

fn read(format: Format, text: &str) -> Vec<String> {
    let found = paths(format, text).unwrap();
    found
        .into_iter()
        .map(|(path, value)| format!("{path}={value}"))
        .collect()
}

#[test]
fn the_same_settings_in_every_format_have_the_same_paths() {
    let same = ["/db/host=db1", "/db/port=5432"];
    for (format, text) in [
        (Format::Json, r#"{"db": {"port": 5432, "host": "db1"}}"#),
        (
            Format::Yaml,
            "# a comment\ndb:\n  port: 5432\n  host: db1\n",
        ),
        (Format::Toml, "[db]\nport = 5432 # why\nhost = \"db1\"\n"),
        (Format::Ini, "; c\n[db]\nport = 5432\nhost: db1\n"),
        (Format::Xml, "<c><db port=\"1\"/></c>"),
    ] {
        if format == Format::Xml {
            assert_eq!(read(format, text), ["/c/db/@port=1"]);
        } else {
            assert_eq!(read(format, text), same, "{format:?}");
        }
    }
    let text = "a.b = 1\n! c\nlong=x\\\n  y\npath C\\:\n";
    assert_eq!(
        read(Format::Properties, text),
        ["/a.b=1", "/long=xy", "/path=C\\:"]
    );
    let text = "export A=\"1 # no\"\nB=2 # c\nC='x\ny'\n";
    assert_eq!(read(Format::Dotenv, text), ["/A=1 # no", "/B=2", "/C=x\ny"]);
}

#[test]
fn a_list_goes_by_the_names_of_its_items() {
    let text = "c:\n  - {name: web, port: 1}\n  - {name: job, port: 2}\n";
    assert_eq!(
        read(Format::Yaml, text),
        [
            "/c/web/name=web",
            "/c/web/port=1",
            "/c/job/name=job",
            "/c/job/port=2"
        ]
    );
    let twice = r#"[{"name":"a","version":"1"},{"name":"a","version":"2"}]"#;
    assert_eq!(read(Format::Json, twice)[0], "/a@1/name=a");
    assert_eq!(
        read(Format::Json, "[1, [], {}]"),
        ["/0=1", "/1=[]", "/2={}"]
    );
    assert_eq!(read(Format::Json, r#"{"a/b~": 1.50}"#), ["/a~1b~0=1.5"]);
}

#[test]
fn hadoop_properties_are_names_and_values() {
    let text = "<configuration><!-- c --><property><name>fs.defaultFS</name><value>hdfs://n:9000</value></property>\
                <property><name>a</name><value>1 &lt; 2</value></property></configuration>";
    assert_eq!(
        read(Format::Xml, text),
        [
            "/configuration/a=1 < 2",
            "/configuration/fs.defaultFS=hdfs://n:9000"
        ]
    );
}

#[test]
fn bills_of_materials_are_components_and_versions() {
    let of = |version: &str, time: &str| {
        format!(
            r#"{{"bomFormat":"CycloneDX","specVersion":"{version}","serialNumber":"urn:uuid:{time}",
            "metadata":{{"timestamp":"{time}"}},"components":[{{"name":"b","version":"2","purl":"pkg:npm/b@2"}},
            {{"group":"g","name":"a","version":"1","purl":"pkg:npm/g/a@1"}}]}}"#
        )
    };
    let found = read(Format::Json, &of("1.2", "1"));
    assert_eq!(found, ["/npm:b=2", "/npm:g~1a=1"]);
    assert_eq!(found, read(Format::Json, &of("1.4", "2")));
    let spdx = r#"{"spdxVersion":"SPDX-2.3","packages":[{"name":"a","versionInfo":"1"}]}"#;
    assert_eq!(read(Format::Json, spdx), ["/:a=1"]);
}

#[test]
fn what_is_broken_or_too_much_says_where_and_quotes_nothing() {
    for (format, text, why) in [
        (
            Format::Json,
            "{\n\"hunter2\": x}",
            "no JSON at line 2, column 12",
        ),
        (Format::Toml, "a = 1\nb = hunter2", "no TOML at line 2"),
        (Format::Ini, "[hunter2", "no INI at line 1"),
        (Format::Dotenv, "hunter2", "no list of variables at line 1"),
        (Format::Xml, "<a>\n</b>", "no XML at line 2"),
        (Format::Xml, "<a>", "no XML at line 1"),
    ] {
        assert_eq!(paths(format, text).unwrap_err(), why);
    }
    assert!(
        paths(Format::Yaml, "a: [b\nc: {")
            .unwrap_err()
            .starts_with("no YAML at line")
    );
    let bomb: String = (1..30).fold("a0: &a0 [x, x]\n".to_owned(), |text, n| {
        format!("{text}a{n}: &a{n} [*a{m}, *a{m}]\n", m = n - 1)
    });
    assert!(
        paths(Format::Yaml, &bomb)
            .unwrap_err()
            .starts_with("more than")
    );
    let deep = "[".repeat(1000) + &"]".repeat(1000);
    for format in [Format::Json, Format::Yaml] {
        assert!(paths(format, &deep).is_err());
    }
    assert!(paths(Format::Toml, &format!("a = {deep}")).is_err());
    let deep = "<a>".repeat(1000) + &"</a>".repeat(1000);
    assert!(
        paths(Format::Xml, &deep)
            .unwrap_err()
            .starts_with("more than")
    );
}

proptest! {
    #[test]
    fn any_text_gives_paths_or_a_reason(text in "[a-z0-9:=#&*<>/\\[\\]{}\"' \n.\\\\-]{0,60}") {
        use Format::{Dotenv, Ini, Json, Properties, Toml, Xml, Yaml};
        for format in [Json, Yaml, Toml, Ini, Properties, Dotenv, Xml] {
            let _read = paths(format, &text);
        }
    }
}
