//! Texts that would like to be more than texts, and contracts that say little.

use baton_core::event::{Event, RunKind};
use baton_core::id::RunId;
use baton_core::watch::State;

use super::*;
use crate::view::{handoff, history, measures, parity, plan, review};

/// What people who mean no good would write into a text field.
const HOSTILE: &str =
    "</svg><script>alert(1)</script><img src=x onerror=alert(1)>'&amp;{{7*7}}javascript:x";

fn hostile_contract() -> String {
    CONTRACT
        .replace(
            "Shop 2.4 takes orders in two currencies",
            &format!("\"{HOSTILE}\""),
        )
        .replace("name: Dana Ito", &format!("name: \"{HOSTILE}\""))
        .replace("\"Peak orders per minute?\"", &format!("\"{HOSTILE}\""))
        .replace("says: The tests pass", &format!("says: \"{HOSTILE}\""))
        .replace("says: Requests that fail", &format!("says: \"{HOSTILE}\""))
        .replace("because: It is a note", &format!("because: \"{HOSTILE}\""))
}

fn hostile_runbook() -> String {
    RUNBOOK
        .replace("Why *we* do this.", &format!("{HOSTILE}\n\n<iframe src=x></iframe>\n\n[x](javascript:alert(1)) ![p](https://t.example/p.gif)"))
        .replace("### Ship {#ship}", &format!("### Ship {HOSTILE} {{#ship}}"))
        .replace("They know then.", HOSTILE)
        .replace("The status page says so", HOSTILE)
        .replace("ln -s new current", &format!("echo \"{HOSTILE}\""))
}

#[test]
fn hostile_texts_stay_texts() {
    let place = Place::new(&hostile_contract(), &hostile_runbook());
    let mut desk = place.desk("home");
    let now = release(&desk);
    let view = handoff::one(&mut desk, Some(&by("dana")), now.clone()).unwrap();
    assert_eq!(view.summary.as_deref(), Some(HOSTILE));
    assert_eq!(view.expectations[0].ask, HOSTILE);
    assert_eq!(view.people[0].name, HOSTILE);
    let shown = plan::of(&mut desk, None).unwrap();
    for step in &shown.steps {
        // Only prose is HTML; nothing of it is the author's but CommonMark's own.
        let prose = &step.prose;
        for tag in ["<script", "<img", "<iframe", "</svg", "href=\"javascript"] {
            assert!(!prose.contains(tag), "{prose}");
        }
    }
    assert!(shown.steps[0].prose.contains("&lt;script&gt;"));
    let tell = &shown.steps[2].step;
    assert_eq!(tell.no_way_back.as_deref(), Some(HOSTILE));
    assert!(shown.steps[1].fences[0].text.contains(HOSTILE));
    let _bound = baton_engine::desk::agree::offer(&mut desk, &by("dana")).unwrap();
    let told = history::of(&mut desk, now).unwrap();
    assert!(told.plans[0].says.contains(HOSTILE));

    let run = opened(&mut desk, RunKind::Launch);
    let lesson = Event::LessonKept {
        lesson: "les_1".into(),
        text: format!("{HOSTILE}\u{1b}[2J\u{202e}\0"),
        touches: vec![HOSTILE.into()],
        owner: by("lee"),
    };
    let events = vec![judged(1, 100, State::Fine), judged(2, 100, State::Harm)];
    let _entries = desk.append(&by("baton"), Some(&run), events).unwrap();
    let _entries = desk.append(&by("pia"), None, vec![lesson]).unwrap();
    let seen = measures::of(&mut desk, &run).unwrap();
    let svg = seen.measures[0].svg.clone().unwrap();
    assert_eq!(seen.measures[0].says, HOSTILE);
    assert_eq!(svg.matches("</svg>").count(), 1, "{svg}");
    assert!(!svg.contains("<script") && !svg.contains("<img"), "{svg}");
    let review = review::of(&mut desk, &run).unwrap();
    assert!(review.lessons[0].text.starts_with(HOSTILE));
    // However it is read, the answer is one JSON value and nothing behind it.
    let text = serde_json::to_string(&review).unwrap();
    assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok());
    assert!(!text.contains(['\u{1b}', '\0']), "{text}");
}

/// What has to be there, and nothing else.
const LEAST: &str = "\
name: x
from: a
to: b
people:
  y: { name: Y }
teams:
  a: [y]
  b: [y]
release: { version: 1, kind: code, artifacts: [shop.bin] }
environments: { here: {} }
launch: { environment: here }
runbook: runbook.md
";

#[test]
fn a_contract_with_nothing_optional_has_a_page() {
    let place = Place::new(LEAST, "### Do it\n");
    let mut desk = place.desk("home");
    let now = release(&desk);
    let view = handoff::one(&mut desk, Some(&by("y")), now.clone()).unwrap();
    assert_eq!((view.verdict.as_str(), view.window), ("not-ready", None));
    assert!(view.criteria.is_empty() && view.expectations.is_empty() && view.measures.is_empty());
    assert_eq!(
        handoff::all(&mut desk, now.clone()).unwrap().handoffs.len(),
        1
    );
    let told = history::of(&mut desk, now).unwrap();
    assert_eq!((told.points.len(), told.plans.len()), (1, 0));
    let differs = parity::of(&mut desk).unwrap();
    assert!(differs.not_compared.unwrap().contains("does not say how"));
    let shown = plan::of(&mut desk, None).unwrap();
    assert_eq!(shown.steps[0].step.owner, "nobody");
    let nowhere = RunId::from("run_none");
    assert!(measures::of(&mut desk, &nowhere).is_err());
    assert!(review::of(&mut desk, &nowhere).is_err());
}
