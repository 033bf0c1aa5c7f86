//! Where a command meets programs, pipes, small windows and other commands.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::Command;

use unicode_width::UnicodeWidthStr as _;

use crate::lint::handoff;
use crate::run::{step, with};

#[test]
fn a_format_without_words_is_refused_and_not_passed_over() {
    let env = handoff();
    for command in ["status", "plan", "lint", "launch", "review"] {
        for format in ["sarif", "junit", "markdown"] {
            let ran = env.baton(&[command, "--format", format]).exits(2);
            assert!(ran.err.contains("only `check` and `parity`"), "{}", ran.err);
        }
    }
}

#[test]
fn programs_get_one_object_from_every_word_and_every_run() {
    let env = with(&step("one", "", "echo one", "true"));
    let json = |person: &str, args: &[&str], code: i32| {
        let mut all = args.to_vec();
        all.extend(["--format", "json"]);
        let value = env.says(person, &all).exits(code).json();
        assert_eq!(value["format"], 1, "{args:?}");
        value
    };
    assert_eq!(json("lee", &["say", "hello"], 0)["said"], "said");
    let vote = json("omar", &["vote", "go", "--confidence", "4"], 0);
    assert_eq!(
        (&vote["by"], &vote["said"]),
        (&"omar".into(), &"omar votes go".into())
    );
    let run = json("omar", &["rehearse"], 0);
    assert_eq!(run["state"], "ended");
    assert_eq!(run["outcome"], "succeeded");
    assert_eq!(run["what"], "rehearsal");
    let _refused = json("omar", &["launch", "--no-wait"], 1);
}

#[test]
fn a_story_for_programs_stands_beside_the_answer() {
    let env = with(&step("one", "", "true", "true"));
    let ran = env.says("omar", &["rehearse", "--format", "json"]).exits(0);
    assert!(ran.err.contains("Do one succeeded"), "{}", ran.err);
    assert!(ran.err.contains("times are UTC (+00:00)"), "{}", ran.err);
}

#[test]
fn what_baton_keeps_is_for_its_owner_alone() {
    let env = handoff();
    let _looked = env.baton(&["status"]).exits(0);
    let mode = |path: &str| {
        fs::metadata(env.work().join(path))
            .unwrap()
            .permissions()
            .mode()
    };
    assert_eq!(mode(".baton") & 0o777, 0o700);
}

#[test]
fn no_line_is_wider_than_the_window() {
    let mut env = with(&step(
        "a-step-with-quite-a-name",
        "web, 1, then 50%, then all",
        "true",
        "true",
    ));
    let _run = env.says("omar", &["rehearse"]).exits(0);
    for (width, columns) in [("100", 100), ("80", 80), ("72", 72)] {
        env.set("COLUMNS", width);
        for args in [
            &["plan"][..],
            &["status"],
            &["check", "--now"],
            &["lint"],
            &["launch", "--no-wait"],
            &["answer", "nothing", "1"],
            &["check", "--now", "--file", "nowhere.yaml"],
            &["record", "export", "record.jsonl"],
            &["resume"],
        ] {
            let ran = env.says("omar", args);
            for line in ran.out.lines().chain(ran.err.lines()) {
                assert!(line.width() <= columns, "{args:?} in {width}: {line}");
            }
        }
    }
}

#[test]
fn an_invalid_file_counts_its_errors_as_lint_does() {
    let env = handoff();
    let contract = env
        .read("handoff.yaml")
        .replace("from: development", "from: nobody");
    env.write("handoff.yaml", &contract);
    let lint = env.baton(&["lint"]).exits(2).out;
    let counted = lint
        .split(": ")
        .last()
        .unwrap()
        .split(',')
        .next()
        .unwrap()
        .trim();
    let ran = env.baton(&["status"]).exits(2);
    assert!(
        ran.err.contains(&format!("not valid: {counted}\n")),
        "{} {}",
        lint,
        ran.err
    );
}

#[test]
fn one_of_two_launches_begins() {
    let env = with(&step("one", "", "sleep 1", "true"));
    let drivers: Vec<_> = (0..4).map(|_| env.start("omar", &["rehearse"])).collect();
    let mut codes: Vec<i32> = drivers
        .into_iter()
        .map(|driver| driver.finish().code)
        .collect();
    codes.sort_unstable();
    assert_eq!(codes, [0, 1, 1, 1]);
    let record = env.baton(&["record", "export", "-"]).exits(0).out;
    assert_eq!(
        record.matches("\"kind\":\"run-opened\"").count(),
        1,
        "{record}"
    );
}

#[test]
fn an_answer_is_opened_once_however_many_look() {
    let env = with(&step("one", "", "true", "true"));
    let contract = env.read("handoff.yaml").replace(
        "expectations: { declined: One team, by: pia }",
        "expectations: [ { id: peak, ask: How many?, answer: number } ]",
    );
    env.write("handoff.yaml", &contract);
    let _first = env.says("lee", &["answer", "peak", "5"]).exits(0);
    let second = env.says("omar", &["answer", "peak", "5"]).exits(0).out;
    assert!(second.contains("both are in now"), "{second}");
    let lookers: Vec<_> = (0..8).map(|_| env.start("lee", &["status"])).collect();
    for looker in lookers {
        let _looked = looker.finish().exits(0);
    }
    let record = env.baton(&["record", "export", "-"]).exits(0).out;
    assert_eq!(record.matches("\"kind\":\"opened\"").count(), 2, "{record}");
}

#[test]
fn a_record_goes_into_a_pipe_and_behind_a_link() {
    let env = handoff();
    let _said = env.says("lee", &["say", "hello"]).exits(0);
    let pipe = env.work().join("pipe");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    let reader = std::thread::spawn({
        let pipe = pipe.clone();
        move || fs::read_to_string(pipe).unwrap()
    });
    let _piped = env.baton(&["record", "export", "pipe"]).exits(0);
    assert_eq!(reader.join().unwrap().lines().count(), 2);

    env.write("real.jsonl", "old");
    symlink("real.jsonl", env.work().join("link.jsonl")).unwrap();
    let _linked = env.baton(&["record", "export", "link.jsonl"]).exits(0);
    assert_eq!(env.read("real.jsonl").lines().count(), 2);
    let ran = env.baton(&["record", "export", "no/such/file"]).exits(3);
    assert!(!ran.err.contains(".tmp"), "{}", ran.err);
}

#[test]
fn nothing_untrue_is_written_about_a_real_handoff() {
    let env = handoff();
    let _said = env.says("lee", &["say", "hello"]).exits(0);
    for args in [&["bench-ledger", "--events", "10"][..], &["bench-run"]] {
        let ran = env.says("omar", args).exits(2);
        assert!(ran.err.contains("is a real handoff"), "{}", ran.err);
    }
    let record = env.baton(&["record", "export", "-"]).exits(0).out;
    assert_eq!(record.lines().count(), 2, "{record}");
}
