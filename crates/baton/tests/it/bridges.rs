//! Bridges of runs that are driven by the real binary: with no room and no server.

use std::io::Write as _;

use baton_testkit::receiver::{Act, Receiver, Request};
use rustix::process::Signal;

use crate::env::TestEnv;
use crate::run::{CONTRACT, at_the_gate, gated};

/// Bytes 0 to 23.
const SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";

/// The steps at the gate, with a webhook and a Slack.
fn bridged(hook: &Receiver, slack: &Receiver) -> TestEnv {
    let mut env = gated();
    let bridges = format!(
        "room: {{ notify: [ {{ slack: {{ url: {{ env: SLACK }} }} }}, {{ webhook: {{ url: \"{}\", secret: {{ env: HOOK }} }} }} ] }}",
        hook.url("/hook")
    );
    let contract = CONTRACT.replace("room: { declined: One table, by: pia }", &bridges);
    env.write("handoff.yaml", &contract);
    env.set("HOOK", SECRET);
    env.set("SLACK", &slack.url("/services/secret-of-slack"));
    env
}

fn kinds(requests: &[Request]) -> Vec<String> {
    let taken = requests.iter().filter(|it| it.act == Act::Answer(200));
    taken
        .map(|it| it.json()["data"]["kind"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_run_is_told_from_its_beginning_to_its_end_whoever_drives_it() {
    let (hook, slack) = (
        Receiver::new(&[Act::Answer(500)]).unwrap(),
        Receiver::new(&[]).unwrap(),
    );
    let env = bridged(&hook, &slack);
    let mut driver = env.start("omar", &["rehearse"]);
    let mut gate = at_the_gate(&env);
    let _said = env
        .says("omar", &["pause", "--because", "<!channel> & all"])
        .exits(0);
    gate.write_all(b"go\n").unwrap();
    driver.reads("Do one succeeded");
    let _going = env.says("omar", &["resume"]).exits(0);
    let _whole = driver.finish().exits(0);
    let heard = hook.requests();
    assert_eq!(kinds(&heard), ["opened", "paused", "resumed", "ended"]);
    assert_eq!(heard[0].header("webhook-id"), heard[1].header("webhook-id"));
    let said: Vec<String> = slack
        .requests()
        .iter()
        .map(|it| it.json()["text"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(said.len(), 4, "{said:?}");
    assert!(
        said[0].contains("omar opened the rehearsal of shop 2.4.0 in staging"),
        "{said:?}"
    );
    assert!(said[1].contains("&lt;!channel&gt; &amp; all"), "{said:?}");
    assert!(said[3].contains("The run succeeded"), "{said:?}");
    assert!(!env.own_folder_holds("secret-of-slack"));
    assert!(!env.own_folder_holds("AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"));
}

/// Killed while the receiver has a notice and has not answered, Baton does not
/// know whether it was told: it tells it again, under the same id.
#[test]
fn a_killed_baton_leaves_nothing_untold() {
    let (hook, slack) = (
        Receiver::new(&[Act::Hold]).unwrap(),
        Receiver::new(&[Act::Answer(500), Act::Hold]).unwrap(),
    );
    let env = bridged(&hook, &slack);
    let driver = env.start("omar", &["rehearse"]);
    let mut gate = at_the_gate(&env);
    let _held = (hook.until(1, |_| true), slack.until(2, |_| true));
    driver.signal(Signal::KILL);
    let _dead = driver.finish();
    gate.write_all(b"go\n").unwrap();
    let _whole = env.says("pia", &["resume"]).exits(0);
    let heard = hook.requests();
    assert_eq!(kinds(&heard), ["opened", "ended"]);
    assert_eq!(heard[0].act, Act::Hold);
    assert_eq!(heard[0].header("webhook-id"), heard[1].header("webhook-id"));
    assert_eq!(
        heard[0].body, heard[1].body,
        "a double is told in the same words"
    );
    assert_eq!(slack.requests().len(), 4, "two that failed, and both");
}

#[test]
fn a_bridge_that_never_answers_holds_up_no_run() {
    let (hook, slack) = (
        Receiver::new(&[Act::Hold; 9]).unwrap(),
        Receiver::new(&[]).unwrap(),
    );
    let env = bridged(&hook, &slack);
    let driver = env.start("omar", &["rehearse"]);
    at_the_gate(&env).write_all(b"go\n").unwrap();
    let ran = driver.finish().exits(0);
    assert!(ran.out.contains("rehearsal succeeded"), "{}", ran.out);
    assert!(
        ran.err.contains("for the bridge webhook 127.0.0.1:")
            && ran.err.contains("could not be sent"),
        "{}",
        ran.err
    );
    assert_eq!(slack.requests().len(), 2);
}
