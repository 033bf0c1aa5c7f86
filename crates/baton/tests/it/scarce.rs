//! Where something is missing that Baton needs: room on the disk, or the right to
//! write. It says so with exit status 3, loses nothing, and the same command
//! succeeds once it has what it needs.
//!
//! Most tests take room away with a limit on the size of files, which anybody may
//! set. A disk that is really full takes a mount, which not everybody may make.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::env::{Ran, TestEnv};
use crate::lint::handoff;

/// A handoff with one step that prints 400,000 bytes and counts its runs.
fn talkative() -> TestEnv {
    let env = handoff();
    for host in [
        "staging/web1",
        "staging/web2",
        "production/web1",
        "production/web2",
    ] {
        env.write(&format!("env/{host}/shop.toml"), "workers = 4\n");
    }
    env.write(
        "runbook.md",
        "# Launch shop\n\n### Pour it out {#pour}\n\n- owner: lee (backup: dana)\n- on: web1\n\n\
         ```sh run\nhead -c 400000 /dev/zero | tr '\\0' x\necho poured >>../poured\ntouch here\n```\n\n\
         ```sh verify\ntest -e here\n```\n\n```sh undo\nrm here\n```\n",
    );
    let contract = env.read("handoff.yaml");
    env.write(
        "handoff.yaml",
        &contract.replace(
            "done:\n",
            "done:\n  - { id: tests, says: The tests pass, owner: dana, run: 'echo ran >>ran; head -c 400000 /dev/zero' }\n",
        ),
    );
    env
}

/// Runs the binary where no file may grow beyond so many KiB.
fn with_room(env: &TestEnv, kib: u32, args: &[&str]) -> Ran {
    // POSIX counts blocks of 512 bytes; ignoring the signal makes it an error of the write.
    let script = "trap '' XFSZ; ulimit -f \"$0\"; exec \"$@\"";
    let blocks = (kib * 2).to_string();
    env.says_under("dana", &["sh", "-c", script, &blocks], args)
}

/// How many entries the ledger holds; it must be whole.
fn entries(env: &TestEnv) -> usize {
    let _record = env.baton(&["record", "export", "whole.jsonl"]).exits(0);
    let _whole = env.baton(&["record", "verify", "whole.jsonl"]).exits(0);
    // The last line closes the record.
    env.read("whole.jsonl").lines().count() - 1
}

#[track_caller]
fn refuses_calmly(ran: Ran) -> Ran {
    let ran = ran.exits(3);
    assert!(ran.err.contains("error: "), "{}", ran.err);
    assert!(ran.err.contains("hint: "), "{}", ran.err);
    assert!(
        ran.err.contains("room") || ran.err.contains("right"),
        "{}",
        ran.err
    );
    ran
}

#[test]
fn a_word_without_room_is_said_or_not_said_and_never_half() {
    let env = handoff();
    let text = "x".repeat(4000);
    let (mut refused, mut said) = (0, 0);
    for kib in (0..72).step_by(4) {
        let ran = with_room(&env, kib, &["say", &text]);
        if ran.code == 0 {
            said += 1;
        } else {
            refused += 1;
            let _ran = refuses_calmly(ran);
        }
        // An answer that was lost may have been written; an entry is whole or not there.
        assert!(
            (said..=said + refused).contains(&entries(&env)),
            "at {kib} KiB"
        );
    }
    assert!(refused > 2 && said > 2, "{refused} refused, {said} said");
    let before = entries(&env);
    let _ran = refuses_calmly(with_room(&env, 8, &["offer"]));
    let _ran = env.says("dana", &["offer"]).exits(0);
    assert_eq!(entries(&env), before + 1);
}

#[test]
fn a_check_without_room_keeps_what_it_had() {
    let env = talkative();
    let _said = env.says("lee", &["say", "before"]).exits(0);
    let _ran = refuses_calmly(with_room(&env, 256, &["check"]));
    assert_eq!(entries(&env), 1);
    let report = env
        .says("dana", &["check", "--format", "json"])
        .exits(1)
        .json();
    assert!(
        !report.to_string().contains("definition.missing"),
        "{report}"
    );
    assert_eq!(env.read("ran"), "ran\nran\n");
}

#[test]
fn a_step_that_fills_the_disk_runs_once_and_the_run_goes_on() {
    let env = talkative();
    let ran = refuses_calmly(with_room(&env, 256, &["rehearse"]));
    assert!(ran.err.contains("baton resume"), "{}", ran.err);
    let ran = env.says("dana", &["resume"]).exits(0);
    assert!(ran.out.contains("rehearsal succeeded"), "{}", ran.out);
    // Once on each way forward, though nobody could write down the first.
    assert_eq!(env.read("env/staging/poured"), "poured\npoured\n");
    assert!(env.own_folder_holds("[the rest could not be kept: File too large"));
    let _entries = entries(&env);
}

/// What makes the superuser heed the rights of files, and others need not be told.
fn heeding_rights() -> &'static [&'static str] {
    if rustix::process::geteuid().is_root() {
        &["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
    } else {
        &[]
    }
}

fn allow(folder: &Path, mode: u32) {
    fs::set_permissions(folder, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_folder_that_may_not_be_written_is_said_to_be_one() {
    let env = TestEnv::new();
    allow(&env.work(), 0o555);
    let ran = refuses_calmly(env.says_under("dana", heeding_rights(), &["init"]));
    assert!(ran.err.contains("Permission denied"), "{}", ran.err);
    assert_eq!(fs::read_dir(env.work()).unwrap().count(), 0);
    allow(&env.work(), 0o755);
    let _ran = env.says("dana", &["init"]).exits(0);

    let env = handoff();
    allow(&env.work(), 0o555);
    let _ran = refuses_calmly(env.says_under("dana", heeding_rights(), &["say", "hello"]));
    allow(&env.work(), 0o755);
    let _ran = env.says("dana", &["say", "hello"]).exits(0);

    let own = env.work().join(".baton");
    for path in [own.join("ledger.db"), own.clone()] {
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        allow(&path, mode & !0o222);
        let before = fs::read(own.join("ledger.db")).unwrap();
        let _ran = refuses_calmly(env.says_under("dana", heeding_rights(), &["say", "hello"]));
        assert_eq!(fs::read(own.join("ledger.db")).unwrap(), before);
        allow(&path, mode);
    }
    let _ran = env.says("dana", &["say", "hello"]).exits(0);
    assert_eq!(entries(&env), 2);
}

#[test]
#[expect(clippy::print_stderr, reason = "it has to say when nothing was tried")]
fn a_disk_that_is_full_is_named_and_loses_nothing() {
    let env = handoff();
    // The ledger on a small disk of its own, as long as this script runs.
    let script = r#"
        mkdir .baton && mount -t tmpfs -o size=256k tmpfs .baton && echo mounted || exit 0
        "$@" && cp /dev/zero .baton/filler 2>/dev/null
        "$@"; echo "full: $?"
        rm .baton/filler
        "$@"; echo "free: $?"
        "$1" record export -
    "#;
    let place = [
        "unshare",
        "--user",
        "--map-root-user",
        "--mount",
        "sh",
        "-c",
        script,
        "sh",
    ];
    let ran = env.says_under("lee", &place, &["say", "hello"]);
    if !ran.out.contains("mounted") {
        eprintln!(
            "not tried: this machine lets nobody mount: {}",
            ran.err.trim()
        );
        return;
    }
    assert!(
        ran.err.contains("there is no space left for the ledger"),
        "{}",
        ran.err
    );
    assert!(
        ran.err.contains("hint: nothing was lost: make room"),
        "{}",
        ran.err
    );
    assert!(
        ran.out.contains("full: 3\n") && ran.out.contains("free: 0\n"),
        "{}",
        ran.out
    );
    assert_eq!(
        ran.out.matches("\"kind\":\"said\"").count(),
        2,
        "{}",
        ran.out
    );
}
