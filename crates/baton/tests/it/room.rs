//! The room from a terminal: a seat outlasts what is done from it, and Ctrl-C leaves.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::env::TestEnv;
use crate::run::{step, with};
use crate::terminal::Terminal;

fn present(env: &TestEnv) -> Value {
    env.baton(&["status", "--format", "json"]).json()["present"].clone()
}

/// A rehearsal that is paused before its first step.
fn paused() -> TestEnv {
    let env = with(&step(
        "one",
        "",
        "echo one >> did; while test ! -e go; do sleep 0.05; done",
        "true",
    ));
    let mut driver = env.start("omar", &["rehearse"]);
    driver.reads("rehearsing");
    driver.signal(Signal::INT);
    env.write("go", "");
    let _paused = driver.finish().exits(6);
    env
}

#[test]
fn a_seat_outlasts_a_command_that_drives_and_ctrl_c_gives_it_up() {
    let env = paused();
    let mut omar = Terminal::open(&env, "omar", &["join"]);
    omar.sees("sits in the room");
    assert_eq!(present(&env), json!(["omar"]));
    omar.types("resume");
    omar.sees("rehearsal succeeded");
    // What he types next is answered from the seat he took first.
    omar.types("say \"that went well\"");
    omar.sees("said");
    assert_eq!(present(&env), json!(["omar"]));
    assert_eq!(omar.ctrl_c(), Ok(0));
    assert_eq!(present(&env), json!([]));
}

/// A handoff with these steps and a room, of which only the room is still open.
pub(crate) fn but_for_the_room(steps: &str) -> TestEnv {
    let env = with(steps);
    let contract = env.read("handoff.yaml");
    env.write(
        "handoff.yaml",
        &contract.replace("room: { declined: One table, by: pia }", "room: {}"),
    );
    for who in ["lee", "dana", "omar", "pia"] {
        let _mine = env.says(who, &["accept", "--mine"]);
    }
    let _signed = env.says("pia", &["sign", "signed"]).exits(0);
    let _offered = env.says("lee", &["offer"]).exits(0);
    let _accepted = env.says("omar", &["accept"]).exits(0);
    let _rehearsed = env.says("omar", &["rehearse"]).exits(0);
    let _ready = env.says("omar", &["check"]).exits(0);
    env
}

#[test]
fn a_launch_that_waits_is_called_off_by_ctrl_c() {
    let env = but_for_the_room(&step("one", "", "true", "true"));
    let mut omar = Terminal::open(&env, "omar", &["launch"]);
    omar.sees("the room is open");
    assert_eq!(present(&env), json!(["omar"]));
    assert_eq!(omar.ctrl_c(), Ok(1));
    assert_eq!(present(&env), json!([]));
    let _none = env.says("omar", &["next"]).exits(0);
}

/// The last one of both roles leaves, the other one is called, and the launch
/// goes on by itself when she sits down. Each has a home of their own.
#[test]
fn a_launch_pauses_while_a_role_is_lost_and_goes_on_when_it_is_covered() {
    let held = "test ! -e hold || while test ! -e go; do sleep 0.05; done";
    let env = but_for_the_room(
        &[
            step("one", "", held, "true"),
            step("two", "", "echo two >> did", "true"),
        ]
        .concat(),
    );
    std::fs::remove_file(env.work().join("did")).unwrap();
    env.write("hold", "");
    let mut omar = Terminal::open(&env, "omar", &["join"]);
    omar.sees("sits in the room");
    let vote = ["vote", "go", "--confidence", "4"];
    let _voted = env.says("omar", &vote).exits(0);
    let mut launch = env.start("omar", &["launch"]);
    launch.reads("launching shop");
    assert_eq!(omar.ctrl_c(), Ok(0));
    launch.reads("pia is called for launch-lead: omar is gone; the run pauses");
    env.write("go", "");
    launch.reads("Do one succeeded");
    let mut pia = Terminal::open(&env, "pia", &["join"]);
    pia.sees("sits in the room");
    launch.reads("launch-lead is covered: pia is there");
    launch.reads("Do two succeeded");
    launch.reads("takes over");
    let _taken = env.says("pia", &["accept", "--live"]).exits(0);
    let _ended = launch.finish().exits(0);
    assert_eq!(pia.ctrl_c(), Ok(0));
}

/// How sure two voters are waits in their homes until both roles have voted;
/// a no-go stands until the talk about it is recorded.
#[test]
fn a_no_go_and_a_gap_hold_the_launch_until_they_were_talked_about() {
    let env = but_for_the_room(&step("one", "", "true", "true"));
    let mut omar = Terminal::open(&env, "omar", &["join"]);
    omar.sees("sits in the room");
    let votes = |who: &str, word: &str, sure: &str| {
        let args = ["vote", word, "--confidence", sure, "--because", "the queue"];
        let _voted = env.says(who, &args).exits(0);
    };
    let open = || {
        let ran = env
            .says("lee", &["launch", "--no-wait", "--format", "json"])
            .exits(1);
        let blockers = ran.json()["blockers"].clone();
        let blockers = blockers.as_array().unwrap().iter();
        let codes = blockers.map(|note| note["code"].as_str().unwrap().to_owned());
        codes.collect::<Vec<_>>()
    };
    votes("pia", "no-go", "2");
    votes("omar", "go", "5");
    assert_eq!(
        open(),
        ["room.no-go", "room.not-voted"],
        "pia's number is closed"
    );
    votes("pia", "go", "2");
    assert_eq!(open(), ["room.confidence-gap", "room.no-go"]);
    let _said = env
        .says("omar", &["say", "--talk", "we drain the queue first"])
        .exits(0);
    let mut launch = env.start("omar", &["launch"]);
    launch.reads("takes over");
    let _taken = env.says("omar", &["accept", "--live"]).exits(0);
    let _ended = launch.finish().exits(0);
    assert_eq!(omar.ctrl_c(), Ok(0));
}

#[test]
fn what_cannot_be_typed_in_the_room_is_said_and_nothing_hangs() {
    let env = with(&step("one", "", "true", "true"));
    let mut omar = Terminal::open(&env, "omar", &["join"]);
    for line in ["status --watch", "launch"] {
        omar.types(line);
        omar.sees("error: that needs a terminal of its own");
    }
    omar.types("frobnicate");
    omar.sees("error: unrecognized subcommand 'frobnicate'");
    omar.types(":hello");
    omar.sees("said");
    assert_eq!(omar.ctrl_c(), Ok(0));
}
