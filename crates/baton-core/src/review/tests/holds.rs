//! What holds for any ledger: no panic, no markup from outside, honest counts.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use pulldown_cmark::{Event as Mark, Options, Parser, Tag};

use super::build::{Tale, opened, plan, step, verdict};
use super::*;
use crate::id::{AttemptId, Digest, Epoch, RoleName};

/// Texts that try to be markup, commands of a terminal, or more than one line.
const HOSTILE: [&str; 12] = [
    "| a | b |\n|---|---|",
    "<script>alert(1)</script>",
    "[click](javascript:alert(1)) ![x](http://e/x.png)",
    "```\ncode\n```",
    "`tick` \\| \\",
    "# heading\n\n- item\n1. one",
    "**bold** __it__ ~~gone~~ &lt; &copy;",
    "\u{1b}[2J\u{7}\u{202e}txt\u{0}\u{2028}",
    "<!-- --> <a href='x'> <https://e.example>",
    "\\`\\*\\|",
    "",
    "   \t",
];

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        proptest::sample::select(HOSTILE.as_slice()).prop_map(str::to_owned),
        ".{0,40}",
        Just("x".repeat(5000)),
    ]
}

fn ending() -> impl Strategy<Value = Ending> {
    prop_oneof![
        4 => Just(Ending::Succeeded),
        2 => (1_u8..).prop_map(|code| Ending::Exited { code }),
        1 => Just(Ending::TimedOut),
        1 => text().prop_map(|because| Ending::NotStarted { because }),
        2 => text().prop_map(|because| Ending::Unknown { because }),
    ]
}

fn role() -> impl Strategy<Value = FenceRole> {
    use FenceRole::{Preflight, Run, Undo, Verify};
    proptest::sample::select(vec![Preflight, Run, Verify, Undo])
}

fn step_id() -> impl Strategy<Value = StepId> {
    proptest::sample::select(vec!["a", "b", "c", "gone"]).prop_map(StepId::from)
}

fn attempt_id() -> impl Strategy<Value = AttemptId> {
    (0_u8..6).prop_map(|n| AttemptId::from(format!("att_{n}").as_str()))
}

fn decision() -> impl Strategy<Value = Decision> {
    proptest::sample::select(vec![Decision::Keep, Decision::Hold, Decision::RollBack])
}

fn of_attempts() -> impl Strategy<Value = Event> {
    let host = proptest::sample::select(vec!["", "web1", "web2"]);
    let started =
        (attempt_id(), step_id(), host, role()).prop_map(|(attempt, step, host, role)| {
            Event::AttemptStarted {
                attempt,
                step,
                host: host.into(),
                role,
                epoch: Epoch(1),
            }
        });
    let ended = (attempt_id(), ending(), 0_u64..u64::MAX).prop_map(|(attempt, end, took)| {
        Event::AttemptEnded {
            attempt,
            end,
            outputs: Default::default(),
            output: None,
            took: Duration::from_millis(took),
        }
    });
    let voided = attempt_id().prop_map(|attempt| Event::AttemptVoided { attempt });
    prop_oneof![5 => started, 5 => ended, 1 => voided]
}

fn of_people() -> impl Strategy<Value = Event> {
    let why = || proptest::option::of(text());
    let vote =
        (any::<bool>(), any::<u8>(), why()).prop_map(|(go, confidence, because)| Event::Voted {
            go,
            confidence: Some(confidence),
            commitment: None,
            because,
            content: Digest::of(b""),
        });
    let skip = (step_id(), text()).prop_map(|(step, because)| Event::StepSkipped { step, because });
    prop_oneof![
        step_id().prop_map(|step| Event::StepDone { step, host: None }),
        step_id().prop_map(|step| Event::StepApproved { step }),
        step_id().prop_map(|step| Event::RetryCalled { step, host: None }),
        skip,
        vote,
        why().prop_map(|because| Event::Paused { because }),
        Just(Event::Resumed),
        why().prop_map(|because| Event::WindowExtended { because }),
        why().prop_map(|because| Event::RollbackCalled { because }),
        why().prop_map(|because| Event::StopCalled { because }),
        text().prop_map(|text| Event::Said { text }),
        text().prop_map(|text| Event::Talked { text }),
        Just(Event::AcceptedLive),
        Just(Event::Joined),
        text().prop_map(|id| kept(&id, &["shop", "|", "`"])),
        (text(), text()).prop_map(|(id, how)| Event::LessonMet {
            lesson: id.as_str().into(),
            how
        }),
    ]
}

fn of_staff() -> impl Strategy<Value = Event> {
    let people = || vec(text().prop_map(|by| Handle::from(by.as_str())), 0..3);
    let role = || text().prop_map(|role| RoleName::from(role.as_str()));
    let lost = (role(), people(), people());
    prop_oneof![
        lost.prop_map(|(role, gone, called)| Event::RoleLost { role, gone, called }),
        (role(), people()).prop_map(|(role, by)| Event::RoleCovered { role, by }),
        (step_id(), people()).prop_map(|(step, to)| Event::Escalated {
            step,
            to,
            after: Duration::from_secs(300),
        }),
    ]
}

fn of_the_run() -> impl Strategy<Value = Event> {
    use Outcome::{Aborted, RolledBack, Stopped, Succeeded};
    let leg = proptest::sample::select(vec![Leg::Forward, Leg::Back, Leg::Again]);
    let leg = (leg, any::<bool>(), text()).prop_map(|(leg, planned, because)| Event::LegBegan {
        leg,
        planned,
        because,
    });
    let outcome = proptest::sample::select(vec![Succeeded, RolledBack, Stopped, Aborted]);
    let ended = (outcome, text()).prop_map(|(outcome, because)| Event::RunEnded {
        outcome,
        because,
        undone: Vec::new(),
    });
    let judged =
        (decision(), any::<u64>(), text()).prop_map(|(decision, bad, because)| Event::Judged {
            samples: Default::default(),
            verdict: verdict(decision, bad, &because),
        });
    prop_oneof![
        Just(opened(RunKind::Launch)),
        Just(opened(RunKind::Rehearsal)),
        text().prop_map(|holder| Event::DriverTook {
            epoch: Epoch(1),
            holder
        }),
        leg,
        ended,
        judged,
        text().prop_map(|because| Event::Frozen { because }),
        text().prop_map(|because| Event::WatchEnded { because }),
        proptest::option::of(step_id()).prop_map(|step| Event::WatchBegan {
            step,
            stage: 1,
            learned: BTreeMap::new(),
        }),
    ]
}

fn wild() -> impl Strategy<Value = Tale> {
    let event =
        prop_oneof![5 => of_attempts(), 3 => of_people(), 1 => of_staff(), 2 => of_the_run()];
    let by = proptest::sample::select(vec!["baton", "lee", "dana", "pia", "*|`<b>"]);
    vec((event, by, 0_u64..100), 0..60).prop_map(|entries| {
        let mut tale = Tale::new();
        for (event, by, secs) in entries {
            tale.wait(secs).by(by, event);
        }
        tale
    })
}

fn hostile_plan(title: &str) -> Plan {
    let mut plan = plan(vec![
        step("a", title, &["web1", "web2"], &["run", "verify", "undo"]),
        step("b", title, &[""], &["run"]),
        step("c", title, &[""], &[]),
    ]);
    plan.contract.summary = Some(title.to_owned());
    plan.contract.name.value = title.to_owned();
    plan.contract.release.version.value = title.to_owned();
    plan.contract.from = serde_json::from_value(json!(title)).unwrap();
    plan.contract.touches = vec![title.into(), "shop".into()];
    plan
}

/// The draft's own shape and nothing else: its headings, its three tables with
/// as many cells as they should have, one fence, and no other markup.
fn only_our_marks(draft: &str) -> Result<(), TestCaseError> {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
    let (mut headings, mut fences, mut columns, mut cells) = (0, 0, 0, 0);
    for mark in Parser::new_ext(draft, options) {
        match mark {
            Mark::Start(Tag::Heading { .. }) => headings += 1,
            Mark::Start(Tag::CodeBlock(_)) => fences += 1,
            Mark::Start(Tag::Table(of)) => columns = of.len(),
            Mark::Start(Tag::TableRow | Tag::TableHead) => cells = 0,
            Mark::Start(Tag::TableCell) => cells += 1,
            Mark::End(pulldown_cmark::TagEnd::TableRow) => prop_assert_eq!(cells, columns),
            Mark::Start(
                Tag::Link { .. }
                | Tag::Image { .. }
                | Tag::Emphasis
                | Tag::Strikethrough
                | Tag::BlockQuote(_)
                | Tag::HtmlBlock,
            )
            | Mark::Code(_)
            | Mark::Html(_)
            | Mark::InlineHtml(_)
            | Mark::Rule => prop_assert!(false, "{mark:?} in\n{draft}"),
            _ => {}
        }
    }
    prop_assert_eq!((headings, fences), (7, 1), "{}", draft);
    Ok(())
}

/// What a reader of the Markdown sees.
fn rendered(markdown: &str) -> String {
    let mut out = String::new();
    for mark in Parser::new_ext(
        markdown,
        Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH,
    ) {
        if let Mark::Text(text) = mark {
            out.push_str(&text);
        }
    }
    out
}

/// One thing that goes wrong at a step.
#[derive(Clone, Copy, Debug)]
enum Plant {
    Nothing,
    FailsOnce,
    FailsThrice,
    VerifyFails,
    Slow,
    CrashSeen,
    CrashSettled,
    LeftOut,
    StandIn,
}

fn planted(steps: &[Plant], pauses: usize, takeovers: usize) -> (Plan, Tale) {
    let ids: Vec<String> = (0..steps.len()).map(|n| format!("s{n}")).collect();
    let mut written = Vec::new();
    for (id, plant) in ids.iter().zip(steps) {
        let fences: &[&str] = match plant {
            Plant::StandIn => &[],
            _ => &["run", "verify"],
        };
        written.push(step(id, id, &["web1"], fences));
    }
    let mut tale = Tale::launch();
    for (id, plant) in ids.iter().zip(steps) {
        let exited = Ending::Exited { code: 1 };
        let lost = Ending::Unknown {
            because: "it is gone".to_owned(),
        };
        let (run, verify) = (FenceRole::Run, FenceRole::Verify);
        match plant {
            Plant::Nothing => tale.goes(id, "web1", 5),
            Plant::FailsOnce => tale.attempt(id, "web1", run, 1, exited).goes(id, "web1", 5),
            Plant::FailsThrice => tale
                .attempt(id, "web1", run, 1, exited.clone())
                .attempt(id, "web1", run, 1, exited.clone())
                .attempt(id, "web1", run, 1, exited)
                .goes(id, "web1", 5),
            Plant::VerifyFails => tale
                .attempt(id, "web1", run, 1, Ending::Succeeded)
                .attempt(id, "web1", verify, 1, exited)
                .goes(id, "web1", 5),
            Plant::Slow => tale.goes(id, "web1", 500),
            Plant::CrashSeen => tale.attempt(id, "web1", run, 1, lost).attempt(
                id,
                "web1",
                verify,
                1,
                Ending::Succeeded,
            ),
            Plant::CrashSettled => tale.attempt(id, "web1", run, 1, lost).done("lee", id),
            Plant::LeftOut => tale.by(
                "lee",
                Event::StepSkipped {
                    step: id.as_str().into(),
                    because: "not needed".to_owned(),
                },
            ),
            Plant::StandIn => tale.done("dana", id),
        };
    }
    for _ in 0..takeovers {
        tale.driven();
    }
    for _ in 0..pauses {
        tale.by("lee", Event::Paused { because: None })
            .wait(9)
            .by("omar", Event::Resumed);
    }
    tale.ended(Outcome::Succeeded, "carried out");
    (plan(written), tale)
}

proptest! {
    #[test]
    fn any_ledger_gives_a_draft_of_our_own_shape(tale in wild(), title in text()) {
        let plan = hostile_plan(&title);
        let review = Review::of(&tale.entries, &plan);
        only_our_marks(&markdown(&review, &prague()))?;
        prop_assert_eq!(&review.timeline, &Timeline::of(&tale.entries, &plan));
        prop_assert_eq!(review.steps.len(), 3);
        for line in &review.timeline.lines {
            prop_assert!(!line.says.chars().any(char::is_control), "{:?}", line.says);
            prop_assert!(line.says.chars().count() < 2000, "{}", line.says.len());
        }
    }

    #[test]
    fn escaped_text_reads_as_it_was(text in text()) {
        let text = super::super::text::line(&text, 500);
        let cell = format!("| x {} x | y |\n|---|---|\n", super::super::text::escape(&text));
        let read = rendered(&cell);
        prop_assert_eq!(read, format!("x {text} xy"));
    }

    #[test]
    fn as_many_surprises_as_were_planted(
        plants in vec(proptest::sample::select(vec![
            Plant::Nothing, Plant::FailsOnce, Plant::FailsThrice, Plant::VerifyFails, Plant::Slow,
            Plant::CrashSeen, Plant::CrashSettled, Plant::LeftOut, Plant::StandIn,
        ]), 0..8),
        pauses in 0_usize..3,
        takeovers in 0_usize..3,
    ) {
        let (plan, tale) = planted(&plants, pauses, takeovers);
        let review = Review::of(&tale.entries, &plan);
        let steps = plants.iter().filter(|plant| !matches!(plant, Plant::Nothing)).count();
        prop_assert_eq!(review.surprises.len(), steps + pauses + takeovers, "{:#?}", review.surprises);
        let said = format!("{} surprise", review.surprises.len());
        prop_assert!(markdown(&review, &prague()).contains(&said));
    }
}
