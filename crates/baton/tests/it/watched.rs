//! `status --watch` before a real terminal: the screen follows what happens.

use std::process::Stdio;

use crate::env::TestEnv;
use crate::lint::handoff;
use crate::terminal::Terminal;

fn by_hand() -> TestEnv {
    let env = handoff();
    env.write(
        "runbook.md",
        "# Launch shop\n\n### Tell the customer {#tell}\n\n- owner: lee (backup: dana)\n- changes: nothing\n\n- [ ] Told\n",
    );
    let contract = env.read("handoff.yaml");
    env.write(
        "handoff.yaml",
        &contract.replace(
            "parity: { compare: [staging], facts: [os] }",
            "parity: { declined: One host, by: dana }",
        ),
    );
    env
}

#[test]
fn the_screen_follows_a_run_and_ends_with_it() {
    let env = by_hand();
    let mut watch = Terminal::open(&env, "omar", &["status", "--watch"]);
    let before = watch.shows(&["not ready"]);
    assert!(!before.contains("rehearsal run_"), "{before}");
    let mut command = env.command_as("omar", &[], &["rehearse"]);
    let mut rehearsal = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    for leg in ["going forward;", "going forward again;"] {
        let _screen = watch.shows(&[leg, "lee or dana does tell"]);
        let _done = env.says("lee", &["done", "tell"]).exits(0);
    }
    assert!(rehearsal.wait().unwrap().success());
    let after = watch.shows(&["succeeded"]);
    assert!(after.contains("✓ rehearsal"), "{after}");
    assert!(watch.ends().success());
}

#[test]
fn ctrl_c_ends_the_watch() {
    let env = by_hand();
    let watch = Terminal::open(&env, "omar", &["status", "--watch"]);
    let _screen = watch.shows(&["not ready"]);
    // SIGINT, as any program that does not hear it.
    assert_eq!(watch.ctrl_c(), Err(2));
}
