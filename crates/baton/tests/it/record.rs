//! `record`: what was exported verifies, and nothing that was changed does.

use expect_test::expect;

use crate::env::TestEnv;
use crate::lint::handoff;

fn told() -> TestEnv {
    let env = handoff();
    for text in ["payments look fine", "so does checkout", "and the mail"] {
        let _said = env.says("lee", &["say", text]).exits(0);
    }
    assert!(env.own_folder_holds("so does checkout"));
    env
}

#[test]
fn a_record_is_exported_and_verified_without_a_ledger() {
    let env = told();
    let ran = env.baton(&["record", "export", "shop.jsonl"]).exits(0);
    let head = ran.out.lines().nth(1).unwrap();
    assert!(head.starts_with("head sha256:"), "{}", ran.out);
    let record = env.read("shop.jsonl");
    assert_eq!(record.lines().count(), 4);
    let piped = env.baton(&["record", "export", "-"]).exits(0);
    assert_eq!(piped.out, record);

    let elsewhere = TestEnv::new();
    elsewhere.write("shop.jsonl", &record);
    let ran = elsewhere
        .baton(&["record", "verify", "shop.jsonl"])
        .exits(0);
    assert_eq!(ran.out, format!("3 entries; the record is whole\n{head}\n"));
    assert!(!elsewhere.work().join(".baton").exists());
}

#[test]
fn an_empty_ledger_has_a_record_too() {
    let env = handoff();
    let _ran = env.baton(&["record", "export", "shop.jsonl"]).exits(0);
    let said = env
        .baton(&["record", "verify", "shop.jsonl", "--format", "json"])
        .exits(0)
        .json();
    assert_eq!(
        (&said["whole"], &said["entries"]),
        (&true.into(), &0.into())
    );
}

#[test]
fn what_was_changed_is_found_at_its_place() {
    let env = told();
    let _ran = env.baton(&["record", "export", "shop.jsonl"]).exits(0);
    let record = env.read("shop.jsonl");
    let lines: Vec<&str> = record.lines().collect();
    let verify = |text: String| {
        env.write("bad.jsonl", &text);
        env.baton(&["record", "verify", "bad.jsonl"]).exits(1).out
    };
    expect![[r#"
        the record is not whole: at line 3, it does not follow the entry before: one of the two was changed
    "#]].assert_eq(&verify(record.replace("so does", "SO DOES")));
    expect![[r#"
        the record is not whole: at line 4, the closing line is missing: the record was cut
    "#]]
    .assert_eq(&verify(lines[..3].join("\n")));
    expect![[r#"
        the record is not whole: at line 2, it says it is entry 3
    "#]]
    .assert_eq(&verify([lines[0], lines[2], lines[3]].join("\n")));
    expect![[r#"
        the record is not whole: at line 5, something follows the closing line
    "#]]
    .assert_eq(&verify(format!("{record}{}\n", lines[3])));
    expect![[r#"
        the record is not whole: at line 2, it cannot be read as an entry (EOF while parsing a value at line
        1 column 0)
    "#]].assert_eq(&verify(record.replacen('\n', "\n\n", 1)));
    let ran = env.baton(&["record", "verify", "nowhere.jsonl"]).exits(3);
    assert!(
        ran.err.starts_with("error: cannot read nowhere.jsonl"),
        "{}",
        ran.err
    );
}

#[test]
fn a_record_that_cannot_be_written_leaves_nothing_behind() {
    let env = told();
    let before: Vec<_> = names(&env);
    let _ran = env
        .baton(&["record", "export", "no/such/folder.jsonl"])
        .exits(3);
    let _ran = env.baton(&["record", "export", "dist"]).exits(3);
    assert_eq!(names(&env), before);
}

fn names(env: &TestEnv) -> Vec<std::ffi::OsString> {
    let entries = std::fs::read_dir(env.work()).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    names
}
