//! `init`: what it drafts lints clean, wherever it is drafted.

use std::path::Path;
use std::process::Command;

use expect_test::expect;

use crate::env::TestEnv;

fn git(env: &TestEnv, args: &[&str]) {
    let done = Command::new("git")
        .args(args)
        .current_dir(env.work())
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", env.work())
        .output()
        .unwrap();
    assert!(done.status.success(), "git {args:?}: {done:?}");
}

fn commit(env: &TestEnv, name: &str, email: &str, file: &str) {
    env.write(file, "x\n");
    git(env, &["add", "-A"]);
    let (name, email) = (format!("user.name={name}"), format!("user.email={email}"));
    git(
        env,
        &["-c", &name, "-c", &email, "commit", "-q", "-m", "a change"],
    );
}

fn fresh() -> TestEnv {
    let mut env = TestEnv::new();
    env.set("TZ", "Europe/Prague");
    env
}

#[test]
fn an_empty_folder_gets_two_files_that_lint_clean() {
    let env = fresh();
    let ran = env.baton(&["init"]).exits(0);
    expect![[r#"
        wrote handoff.yaml and runbook.md: read them, and put your own in place of the guesses

        next: baton lint
    "#]]
    .assert_eq(&ran.out);
    let ran = env.baton(&["lint"]).exits(0);
    expect![[r#"
        handoff.yaml and runbook.md: no errors
    "#]]
    .assert_eq(&ran.out);
    assert_eq!(ran.err, "");
    assert!(env.read("handoff.yaml").contains("zone: Europe/Prague"));
    assert!(!Path::new(&env.work().join(".gitignore")).exists());
}

#[test]
fn a_repository_gives_its_people_and_keeps_the_ledger_out() {
    let env = fresh();
    git(&env, &["init", "-q"]);
    env.write(".gitignore", "/dist");
    commit(&env, "Lee Novak", "lee@shop.example", "a");
    for file in ["b", "c", "d"] {
        commit(&env, "Dana Ito", "dana@shop.example", file);
    }
    for file in ["e", "f"] {
        commit(&env, "Omar Diaz", "omar@shop.example", file);
    }
    git(&env, &["tag", "v1.7.0"]);
    let ran = env.baton(&["init"]).exits(0);
    expect![[r#"
        wrote handoff.yaml and runbook.md: read them, and put your own in place of the guesses
        added .baton/ to .gitignore: the ledger stays out of git

        next: baton lint
    "#]]
    .assert_eq(&ran.out);
    let contract = env.read("handoff.yaml");
    let people: Vec<&str> = contract
        .lines()
        .filter_map(|line| Some(line.trim().split_once(": { name: ")?.0))
        .collect();
    assert_eq!(people, ["dana", "omar", "lee"]);
    assert!(contract.contains("version: 1.7.0"), "{contract}");
    assert_eq!(env.read(".gitignore"), "/dist\n.baton/\n");
    let _ran = env.baton(&["lint"]).exits(0);

    // Once is enough, also when the files are drafted again.
    for file in ["handoff.yaml", "runbook.md"] {
        std::fs::remove_file(env.work().join(file)).unwrap();
    }
    let _ran = env.baton(&["init"]).exits(0);
    assert_eq!(env.read(".gitignore"), "/dist\n.baton/\n");
}

#[test]
fn build_files_give_version_tests_and_artifacts() {
    let env = fresh();
    env.write(
        "Cargo.toml",
        "[package]\nname = \"shop\"\nversion = \"2.4.0\"\n",
    );
    env.write("src/main.rs", "fn main() {}\n");
    let _ran = env.baton(&["init"]).exits(0);
    let contract = env.read("handoff.yaml");
    for found in ["version: 2.4.0", "target/release/shop", "run: cargo test"] {
        assert!(contract.contains(found), "{found}\n{contract}");
    }
    let _ran = env.baton(&["lint"]).exits(0);
}

#[test]
fn what_is_there_is_never_overwritten() {
    let env = fresh();
    env.write("runbook.md", "mine\n");
    let ran = env.baton(&["init"]).exits(2);
    expect![[r#"
        error: runbook.md is already there, and nothing is overwritten
        hint: `baton lint` checks what is there
    "#]]
    .assert_eq(&ran.err);
    assert_eq!(env.read("runbook.md"), "mine\n");
    assert!(!env.work().join("handoff.yaml").exists());
}
