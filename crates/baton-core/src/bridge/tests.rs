//! Which things are told, to whom, and how hostile texts come out.

use std::collections::BTreeSet;
use std::sync::Arc;

use expect_test::{expect, expect_file};
use serde_json::{Value, json};

use super::cdevents::{SPEC, cloud_events};
use super::shape::{mail, matrix, slack, text, webhook};
use super::*;
use crate::event::{Event, Leg};
use crate::id::{RoleName, Seq, StepId};
use crate::ledger::Draft;
use crate::ledger::canon::genesis;
use crate::run::Next;
use crate::run::tests::toy::{Toy, at, plan, step};
use crate::time::Duration;
use crate::watch::{Decision, Verdict};

const ROOM: Option<&str> = Some("https://baton.shop.example/");

/// What is told of these entries.
fn told(plan: &Arc<Plan>, entries: &[Entry]) -> Vec<Notice> {
    let mut news = News::new(Arc::clone(plan));
    let all = entries.iter().filter_map(|entry| {
        if matches!(entry.event, Event::RunOpened(_)) {
            news.begin(Arc::clone(plan));
        }
        news.take(entry)
    });
    all.collect()
}

fn of(toy: &Toy) -> Vec<Notice> {
    told(&toy.state.plan, &toy.entries)
}

/// `kind severity [people]: says -> commands`, one line for each.
fn shown(notices: &[Notice]) -> String {
    let line = |notice: &Notice| {
        let says = notice.says.replace('\n', " / ");
        let called: Vec<&str> = notice.called.iter().map(|by| by.as_str()).collect();
        let (kind, severity) = (notice.kind.key(), notice.severity);
        let next: String = notice
            .next
            .iter()
            .map(|next| format!(" -> {next}"))
            .collect();
        format!("{kind} {severity:?} {called:?}: {says}{next}\n")
    };
    notices.iter().map(line).collect()
}

fn people(names: &[&str]) -> Vec<Handle> {
    names.iter().map(|name| Handle::from(*name)).collect()
}

fn manned() -> Value {
    json!({ "room": { "defined": { "notify": [] } } })
}

#[test]
fn a_boring_launch_says_little() {
    let by_hand = json!({ "run": null, "tasks": ["look", "tell"], "changes": false, "undo": null });
    let steps = vec![
        step("a", &[], json!({})),
        step(
            "switch",
            &["a"],
            json!({ "no_way_back": "mails went out", "title": "Switch over" }),
        ),
        step("tell", &["switch"], by_hand),
    ];
    let mut toy = Toy::launch(steps);
    toy.waits();
    let tell = StepId::from("tell");
    toy.say(
        "dana",
        Event::StepDone {
            step: tell,
            host: None,
        },
    );
    toy.waits();
    toy.say("omar", Event::AcceptedLive);
    assert_eq!(toy.go(), Next::Halt);
    expect![[r#"
        opened Info []: dana opened the launch of toy 2 to prod
        no-way-back-near Attention []: After a comes Switch over, from which there is no way back: mails went out
        no-way-back Attention []: Switch over began: there is no way back from here: mails went out
        waiting Attention ["dana", "omar"]: dana or omar does tell: /   [ ] look /   [ ] tell -> baton done tell
        waiting Attention ["omar"]: everything is carried out and watched; omar takes over -> baton accept --live
        accepted Info []: omar took over the running release
        ended Info []: The run succeeded: carried out, watched and accepted
    "#]].assert_eq(&shown(&of(&toy)));
}

#[test]
fn what_goes_against_the_plan_is_told() {
    let contract = manned();
    let steps = vec![step("a", &[], json!({})), step("b", &["a"], json!({}))];
    let mut toy = Toy::new(RunKind::Launch, plan(steps, contract), |_| {}).failing("run b h0");
    let lost = Event::RoleLost {
        role: RoleName::from("launch-lead"),
        gone: people(&["dana"]),
        called: people(&["omar"]),
    };
    toy.say("baton", lost);
    let covered = Event::RoleCovered {
        role: RoleName::from("launch-lead"),
        by: people(&["omar"]),
    };
    toy.say("baton", covered);
    let because = Some("the shop is slow".to_owned());
    toy.say("omar", Event::Paused { because });
    toy.say("omar", Event::Resumed);
    toy.say(
        "baton",
        Event::BridgeLost {
            bridge: "matrix #launch:shop.example".to_owned(),
            because: "no connection".to_owned(),
        },
    );
    toy.say(
        "baton",
        Event::BridgeBack {
            bridge: "matrix #launch:shop.example".to_owned(),
            after: Duration::from_secs(90),
        },
    );
    toy.say(
        "baton",
        Event::Reported {
            says: "I cannot pay".to_owned(),
            contact: None,
        },
    );
    assert_eq!(toy.go(), Next::Halt);
    expect![[r#"
        opened Info []: dana opened the launch of toy 2 to prod
        role-lost Alarm ["omar"]: omar is called for launch-lead: dana is gone; the run pauses until somebody is there -> baton join
        role-covered Info []: launch-lead is covered: omar is there
        paused Attention ["dana", "omar"]: omar paused the run: the shop is slow -> baton resume
        resumed Info []: omar let the run go on after 0 ms
        bridge-lost Attention []: The bridge matrix #launch:shop.example does not get through: no connection
        bridge-back Info []: The bridge matrix #launch:shop.example gets through again after 1 min 30 s
        reported Attention []: somebody reports a problem: I cannot pay
        turned-back Alarm []: The run turned back: run of b on h0 ended with exit status 1
        ended Attention []: The run was rolled back: run of b on h0 ended with exit status 1
    "#]].assert_eq(&shown(&of(&toy)));
}

#[test]
fn who_does_not_answer_is_escalated_and_a_freeze_asks_the_decider() {
    let approve = json!({ "approve": { "count": 1, "of": "dev" } });
    let forever = json!({ "undo": null, "no_way_back": "it is sent" });
    let steps = vec![
        step("a", &[], approve),
        step("b", &["a"], forever),
        step("c", &["b"], json!({})),
    ];
    let mut toy = Toy::new(RunKind::Launch, plan(steps, manned()), |_| {}).failing("run c h0");
    let Next::Wait(Some(then)) = toy.go() else {
        panic!("it waits for an approval")
    };
    toy.now = then;
    assert!(matches!(toy.go(), Next::Wait(_)));
    toy.say(
        "dana",
        Event::StepApproved {
            step: StepId::from("a"),
        },
    );
    assert_eq!(toy.go(), Next::Halt);
    expect![[r#"
        opened Info ["dana"]: dana opened the launch of toy 2 to prod / dana approves a -> baton approve a
        escalated Alarm ["omar"]: omar is called for a: nobody answered for 5 min
        no-way-back-near Attention []: After a comes b, from which there is no way back: it is sent
        no-way-back Attention []: b began: there is no way back from here: it is sent
        frozen Alarm ["omar", "dana"]: The run froze in place: run of c on h0 ended with exit status 1; it does not go back by itself, because b is a point of no return (it is sent) -> baton retry, baton skip --because, baton rollback, or baton stop
    "#]].assert_eq(&shown(&of(&toy)));
}

#[test]
fn harm_and_a_no_go_are_told_once() {
    let mut toy = Toy::launch(vec![step("a", &[], json!({}))]);
    let mut entries = std::mem::take(&mut toy.entries);
    let judged = |decision| Event::Judged {
        samples: Default::default(),
        verdict: Verdict {
            decision,
            because: "errors: 9 of 10 were bad".to_owned(),
            measures: Vec::new(),
        },
    };
    let vote = |go| Event::Voted {
        go,
        confidence: None,
        commitment: None,
        because: Some("not today".to_owned()),
        content: Digest::of(b""),
    };
    for event in [
        vote(true),
        vote(false),
        judged(Decision::Hold),
        judged(Decision::RollBack),
        judged(Decision::RollBack),
    ] {
        let last = entries.last().unwrap().clone();
        let draft = Draft {
            at: at(9),
            by: Handle::from("dana"),
            handoff: last.handoff,
            run: last.run,
            event,
        };
        entries.push(Entry::seal(draft, Seq(last.seq.0 + 1), genesis()));
    }
    let notices = told(&toy.state.plan, &entries);
    expect![[r#"
        opened Info []: dana opened the launch of toy 2 to prod
        no-go Attention []: dana voted no-go: not today
        harm Alarm []: The judge says roll back: errors: 9 of 10 were bad
    "#]]
    .assert_eq(&shown(&notices));
}

#[test]
fn the_clock_alone_may_ask_and_says_the_same_after_a_restart() {
    let window = json!({ "opens": at(-10), "closes": at(10), "offset_s": 3600 });
    let contract = json!({ "launch": { "environment": "prod", "window": window, "freezes": [] } });
    let later = json!({ "at": { "instant": at(60) }, "run": null });
    let mut toy = Toy::new(
        RunKind::Launch,
        plan(vec![step("a", &[], later)], contract),
        |_| {},
    );
    let mut news = News::new(Arc::clone(&toy.state.plan));
    news.begin(Arc::clone(&toy.state.plan));
    let said: Vec<_> = toy
        .entries
        .iter()
        .filter_map(|entry| news.take(entry))
        .collect();
    assert_eq!(said.len(), 1, "opened");
    assert_eq!(news.tick(at(59)), None);
    let asked = news.tick(at(61)).unwrap();
    assert_eq!((asked.kind, news.tick(at(62))), (Kind::Waiting, None));
    assert!(asked.when().ends_with("+01:00"), "{}", asked.when());
    // Another process reads an entry of later first: it is the same question.
    toy.now = at(70);
    toy.say("dana", Event::Joined);
    assert_eq!(of(&toy)[1].id, asked.id);
}

#[test]
fn every_kind_has_its_own_key_and_rehearsals_say_what_they_are() {
    let keys: BTreeSet<&str> = Kind::ALL.iter().map(|kind| kind.key()).collect();
    assert_eq!(keys.len(), Kind::ALL.len());
    for kind in Kind::ALL {
        assert_eq!(json!(kind), kind.key());
    }
    let mut toy = Toy::rehearsal(vec![step("a", &[], json!({}))]);
    assert_eq!(toy.go(), Next::Halt);
    let notices = of(&toy);
    let titles: Vec<&str> = notices.iter().map(|it| it.title.as_str()).collect();
    assert_eq!(
        titles,
        [
            "Rehearsal of toy 2 in prod: opened",
            "Rehearsal of toy 2 in prod: over"
        ]
    );
    assert_eq!(
        notices[1].severity,
        Severity::Info,
        "the way back was planned"
    );
}

/// A launch whose names and reasons were written by somebody who means ill.
fn hostile() -> Notice {
    let ill = "<!channel> & <a href=\"x\">*b*</a>\r\nBcc: all@shop.example\u{202e}\u{1b}[31m";
    let contract =
        json!({ "name": ill, "release": { "version": ill, "kind": "code", "artifacts": [] } });
    let mut toy = Toy::new(
        RunKind::Launch,
        plan(vec![step("a", &[], json!({}))], contract),
        |_| {},
    );
    let because = Some(format!("{ill}{}", "x".repeat(9000)));
    toy.say("dana", Event::Paused { because });
    of(&toy).pop().unwrap()
}

#[test]
fn hostile_texts_stay_texts() {
    let notice = hostile();
    assert!(notice.says.chars().count() < 600 && !notice.title.contains(char::is_control));
    assert!(!notice.says.contains(|c: char| c.is_control() && c != '\n'));
    let slack = slack(&notice, ROOM);
    let said = slack["text"].as_str().unwrap();
    assert!(said.contains("&lt;!channel&gt; &amp; ") && !said.contains(['<', '>']));
    assert_eq!(slack["mrkdwn"], false);
    let matrix = matrix(&notice, ROOM);
    let html = matrix["formatted_body"].as_str().unwrap();
    assert!(html.contains("&lt;a href=&quot;x&quot;&gt;") && !html.contains("<a href=\"x"));
    assert_eq!(matrix["m.mentions"], json!({}));
    let mail = mail(&notice, ROOM, "shop.example");
    assert!(!mail.subject.contains(['\r', '\n']) && mail.text.contains("Bcc: all@"));
    for line in mail.text.lines() {
        assert!(!line.starts_with("Bcc:"), "{line}");
    }
}

#[test]
fn each_bridge_gets_its_shape() {
    let mut toy = Toy::new(
        RunKind::Launch,
        plan(vec![step("a", &[], json!({}))], json!({})),
        |_| {},
    );
    toy.say("dana", Event::Paused { because: None });
    let notice = of(&toy).pop().unwrap();
    let pretty = |value: &Value| serde_json::to_string_pretty(value).unwrap();
    let mail = mail(&notice, None, "shop.example");
    let all = [
        format!("# text\n{}", text(&notice, ROOM)),
        format!("# slack\n{}", pretty(&slack(&notice, ROOM))),
        format!("# matrix\n{}", pretty(&matrix(&notice, ROOM))),
        format!(
            "# mail\n{}\n{}\n{}\n\n{}",
            mail.subject, mail.message_id, mail.thread, mail.text
        ),
        format!("# webhook\n{}", pretty(&webhook(&notice, ROOM))),
        format!(
            "# cdevents\n{}",
            pretty(&json!(cloud_events(&notice, ROOM)))
        ),
    ];
    expect_file!["tests/shapes.txt"].assert_eq(&format!("{}\n", all.join("\n\n")));
}

/// The fields that CDEvents 0.5 wants of each subject, and no others; types and
/// fields as in <https://github.com/cdevents/spec/tree/v0.5.0/schemas>.
#[test]
fn cdevents_have_the_fields_of_their_specification() {
    let mut toy = Toy::launch(vec![step("a", &[], json!({}))]).failing("run a h0");
    assert_eq!(toy.go(), Next::Halt);
    let mut notices = of(&toy);
    let mut harm = notices[0].clone();
    (harm.kind, harm.id) = (Kind::Harm, NoticeId::from("ntc_harm"));
    let mut kept = notices.last().unwrap().clone();
    (kept.outcome, kept.harmed) = (Some(Outcome::Succeeded), true);
    notices.extend([harm, kept, hostile()]);
    let mut seen = BTreeSet::new();
    for (notice, room) in notices.iter().flat_map(|it| [(it, None), (it, ROOM)]) {
        for event in cloud_events(notice, room) {
            let (context, subject) = (&event["data"]["context"], &event["data"]["subject"]);
            for (outer, inner) in [
                ("id", "id"),
                ("source", "source"),
                ("type", "type"),
                ("time", "timestamp"),
            ] {
                assert_eq!(event[outer], context[inner]);
            }
            assert_eq!(
                (&event["specversion"], &context["specversion"]),
                (&json!("1.0"), &json!(SPEC))
            );
            assert_eq!(event["subject"], subject["id"]);
            assert!(
                !context["source"]
                    .as_str()
                    .unwrap()
                    .contains([' ', '<', '"'])
            );
            let kind = context["type"].as_str().unwrap().to_owned();
            let content = subject["content"].as_object().unwrap();
            let fields: Vec<&str> = content.keys().map(String::as_str).collect();
            let expected: &[&str] = match kind.as_str() {
                "dev.cdevents.pipelinerun.started.0.3.0" => &["pipelineName", "uri"],
                "dev.cdevents.pipelinerun.finished.0.3.0" if content["outcome"] == "success" => {
                    &["outcome", "pipelineName", "uri"]
                }
                "dev.cdevents.pipelinerun.finished.0.3.0" => {
                    &["errors", "outcome", "pipelineName", "uri"]
                }
                "dev.cdevents.service.deployed.0.3.0" | "dev.cdevents.service.rolledback.0.3.0" => {
                    &["artifactId", "environment"]
                }
                "dev.cdevents.incident.detected.0.3.0" | "dev.cdevents.incident.resolved.0.3.0" => {
                    &["artifactId", "description", "environment", "service"]
                }
                custom => {
                    let rest = custom.strip_prefix("dev.cdeventsx.baton-handoff.").unwrap();
                    let (word, version) = rest.split_once('.').unwrap();
                    assert!(word.bytes().all(|b| b.is_ascii_alphabetic()) && version == "0.1.0");
                    let _new = seen.insert(kind);
                    continue;
                }
            };
            let mut fields = fields;
            fields.sort_unstable();
            assert_eq!(fields, expected, "{kind}");
            let _new = seen.insert(kind);
        }
    }
    assert_eq!(seen.len(), 8, "{seen:?}");
    let legs = toy
        .entries
        .iter()
        .filter(|it| matches!(it.event, Event::LegBegan { leg: Leg::Back, .. }));
    assert_eq!(legs.count(), 1);
}
