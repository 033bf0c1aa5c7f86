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

#[test]
fn a_launch_that_waits_is_called_off_by_ctrl_c() {
    let env = with(&step("one", "", "true", "true"));
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
    let mut omar = Terminal::open(&env, "omar", &["launch"]);
    omar.sees("the room is open");
    assert_eq!(present(&env), json!(["omar"]));
    assert_eq!(omar.ctrl_c(), Ok(1));
    assert_eq!(present(&env), json!([]));
    let _none = env.says("omar", &["next"]).exits(0);
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
