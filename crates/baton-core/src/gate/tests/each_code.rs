//! One thing broken, one code: the blocker names it, its owner and what to do,
//! and nothing else is said. The clean twin of all of them is ready.

use super::broken::*;
use super::world::*;
use crate::diag::{BLOCKERS, Severity};
use crate::event::{Ending, Event, Outcome};
use crate::gate::*;
use crate::handoff::contract::*;
use crate::id::*;

fn ownership() -> Vec<Broken> {
    let mut breaks = vec![
        stops(
            "ownership.not-accepted",
            &["lee", "step:tell"],
            "lee",
            |w| {
                for said in w.story.iter_mut().filter(|said| said.by == "lee") {
                    if let Event::AcceptedMine { items } = &mut said.event {
                        items.remove("step:tell");
                    }
                }
            },
        ),
        stops(
            "ownership.not-accepted",
            &["dana", "step:install"],
            "dana",
            |w| {
                for said in w.story.iter_mut().filter(|said| said.by == "dana") {
                    if let Event::AcceptedMine { items } = &mut said.event {
                        items.insert("step:install".to_owned(), digest("as it was"));
                    }
                }
            },
        ),
        stops("ownership.no-access", &["dana", "install"], "dana", |w| {
            w.forget(|s| matches!(s.event, Event::Preflighted { .. }) && s.by == "dana");
        }),
        stops("ownership.no-access", &["lee", "install"], "lee", |w| {
            let flown = w.preflight("web1", Ending::Exited { code: 1 });
            w.say("2026-11-25T07:40:00Z", "lee", flown);
            let flown = w.preflight("web1", Ending::Succeeded);
            w.say("2026-11-25T07:41:00Z", "dana", flown);
        }),
    ];
    let none = |names, owner, code| stops(code, names, owner, |_| {});
    breaks.push(with(
        |plan| plan.steps[2].owners.clear(),
        none(&["tell"], "dana", "ownership.unowned"),
    ));
    breaks.push(with(
        |plan| plan.steps[2].backups = plan.steps[2].owners.clone(),
        none(&["tell"], "lee", "ownership.no-backup"),
    ));
    breaks.push(with(
        |plan| plan.contract.done[0].backup = name("dana"),
        none(&["tests"], "dana", "ownership.no-backup"),
    ));
    breaks
}

fn runbook() -> Vec<Broken> {
    vec![
        stops("runbook.no-undo", &["install"], "lee", |w| {
            let note = Note::error("runbook.no-undo", "install has no way back");
            w.lint.push(note.naming("install"));
        }),
        stops("runbook.secret-unresolved", &["DB_KEY"], "lee", |w| {
            w.forget(|s| matches!(s.event, Event::SecretsResolved { .. }));
        }),
        stops("runbook.secret-unresolved", &["DB_KEY"], "lee", |w| {
            for said in &mut w.story {
                if let Event::SecretsResolved { secrets, .. } = &mut said.event {
                    secrets.insert("DB_KEY".to_owned(), Some("it is empty".to_owned()));
                }
            }
        }),
        stops(
            "runbook.preflight-failed",
            &["install", "web2"],
            "lee",
            |w| {
                let flown = w.preflight("web2", Ending::Exited { code: 1 });
                w.say("2026-11-25T07:40:00Z", "dana", flown);
            },
        ),
    ]
}

fn run_ended(w: &mut World, change: impl Fn(&mut Outcome, &mut Vec<StepId>)) {
    for said in &mut w.story {
        if let Event::RunEnded {
            outcome, undone, ..
        } = &mut said.event
        {
            change(outcome, undone);
        }
    }
}

fn rehearsal() -> Vec<Broken> {
    let stale = |what, change: fn(&mut World)| stops("rehearsal.stale", what, "omar", change);
    vec![
        stops("rehearsal.undefined", &["rehearsal"], "dana", |w| {
            w.plan.contract.rehearsal = Section::Undefined;
        }),
        stops("rehearsal.missing", &["staging"], "omar", |w| {
            w.forget(|s| s.run.is_some());
        }),
        stops("rehearsal.failed", &["staging"], "omar", |w| {
            run_ended(w, |outcome, _| *outcome = Outcome::RolledBack);
        }),
        stale(&["plan"], |w| w.plan.digests.procedure = digest("another")),
        stale(&["roster"], |w| w.plan.digests.roster = digest("another")),
        stops("rehearsal.undo-unproven", &["install"], "omar", |w| {
            run_ended(w, |_, undone| undone.clear());
        }),
        stops("rehearsal.too-old", &["staging"], "omar", |w| {
            for said in w.story.iter_mut().filter(|said| said.run.is_some()) {
                said.at = time("2026-11-18T08:00:00Z");
            }
        }),
    ]
}

/// Communications is a role too, of people who were not asked yet.
fn with_communications(broken: Broken) -> Broken {
    let role = Role {
        owner: name("lee"),
        backup: name("dana"),
    };
    let name = RoleName::from("communications");
    with(|plan| drop(plan.contract.roles.insert(name, role)), broken)
}

fn room() -> Vec<Broken> {
    vec![
        stops("room.undefined", &["room"], "dana", |w| {
            w.plan.contract.room = Section::Undefined
        }),
        stops("room.outside-window", &["window"], "omar", |w| {
            w.now = time("2026-11-25T07:59:59Z");
            w.story.truncate(w.story.len() - 2);
            w.vote("2026-11-25T07:58:00Z", "omar", true, 4);
            w.vote("2026-11-25T07:58:00Z", "pia", true, 4);
        }),
        stops("room.outside-window", &["window"], "omar", |w| {
            w.now = time("2026-11-25T11:00:00Z");
        }),
        stops("room.freeze", &["Moving house"], "omar", |w| {
            w.plan.contract.launch.freezes.push(Freeze::Span {
                from: time("2026-11-25T08:10:00Z"),
                to: time("2026-11-25T08:11:00Z"),
                because: "Moving house".to_owned(),
            });
        }),
        stops("room.freeze", &["Black week"], "omar", |w| {
            let freezes = &mut w.plan.contract.launch.freezes;
            freezes.push(Freeze::Calendar("freezes.ics".to_owned()));
            let week = (
                time("2026-11-23T00:00:00Z"),
                time("2026-11-30T00:00:00Z"),
                "Black week".to_owned(),
            );
            w.readings
                .calendars
                .insert("freezes.ics".to_owned(), Ok(vec![week]));
        }),
        clouds("room.freeze", &["freezes.ics"], "omar", |w| {
            let freezes = &mut w.plan.contract.launch.freezes;
            freezes.push(Freeze::Calendar("freezes.ics".to_owned()));
            let why = Err("no such file".to_owned());
            w.readings.calendars.insert("freezes.ics".to_owned(), why);
        }),
    ]
}

/// Who is in the room, and how they vote.
fn poll() -> Vec<Broken> {
    vec![
        with_communications(stops(
            "room.unstaffed",
            &["communications", "lee", "dana"],
            "lee",
            |_| {},
        ))
        .and(|w| w.vote("2026-11-25T08:06:00Z", "dana", true, 4)),
        with_communications(stops(
            "room.not-voted",
            &["communications", "lee", "dana"],
            "lee",
            |_| {},
        ))
        .and(|w| {
            w.readings.present.insert(Handle::from("lee"));
        }),
        stops("room.no-go", &["lee"], "lee", |w| {
            w.vote("2026-11-25T08:06:00Z", "lee", false, 4)
        }),
        stops("room.no-go", &["pia"], "pia", |w| {
            w.vote("2026-11-25T08:06:00Z", "pia", false, 4);
            w.vote("2026-11-25T08:07:00Z", "omar", true, 4);
        }),
        stops("room.confidence-gap", &[], "omar", |w| {
            w.vote("2026-11-25T08:06:00Z", "pia", true, 2);
        }),
    ]
}

fn launched(w: &mut World, ended: &str) {
    let mut terms = rehearsal_terms(&w.plan);
    terms.what = crate::event::RunKind::Launch;
    terms.environment = EnvName::from("production");
    let run = Some("run_launch");
    let opened = Event::RunOpened(terms);
    let outcome = Event::RunEnded {
        outcome: Outcome::RolledBack,
        because: "harm was found".to_owned(),
        undone: Vec::new(),
    };
    for (event, by) in [(outcome, "baton"), (opened, "omar")] {
        let at = time(ended);
        w.story.insert(0, Said { at, by, run, event });
    }
}

fn review() -> Vec<Broken> {
    vec![
        stops("review.undefined", &["review"], "dana", |w| {
            w.plan.contract.review = Section::Undefined;
        }),
        stops("review.lesson-open", &["les_1"], "pia", |w| {
            let kept = Event::LessonKept {
                lesson: LessonId::from("les_1"),
                text: "Orders must be counted before and after".to_owned(),
                touches: vec![Component::from("mail"), Component::from("orders-db")],
                owner: Handle::from("pia"),
            };
            w.say("2026-11-01T00:00:00Z", "pia", kept);
        }),
        stops("review.overdue", &["run_launch"], "omar", |w| {
            launched(w, "2026-11-20T08:00:00Z")
        }),
    ]
}

fn all() -> Vec<Broken> {
    let by_question = [
        definition(),
        blind(),
        alignment(),
        parity(),
        ownership(),
        runbook(),
        rehearsal(),
        room(),
        poll(),
        review(),
    ];
    by_question.into_iter().flatten().collect()
}

#[test]
fn one_break_gives_one_blocker_that_names_it() {
    for broken in all() {
        let verdict = broken.world.verdict();
        let codes: Vec<&str> = verdict.blockers.iter().map(|note| note.code.0).collect();
        assert_eq!(codes, [broken.code], "{:#?}", verdict.blockers);
        let note = &verdict.blockers[0];
        assert_eq!(note.names, broken.names, "{note:#?}");
        assert_eq!(note.owner.as_deref(), Some(broken.owner), "{note:#?}");
        assert_eq!(note.severity, broken.severity, "{note:#?}");
        let expected = match broken.severity {
            Severity::Unknown => Answer::Inconclusive,
            _ => Answer::NotReady,
        };
        assert_eq!(verdict.verdict, expected);
        let question = note.code.question().unwrap();
        for (asked, state) in &verdict.questions {
            let open = *state == QuestionState::Open;
            assert_eq!(open, *asked == question, "{asked}: {state:?}");
        }
    }
}

#[test]
fn every_blocker_is_a_sentence_with_a_next_command() {
    for broken in all() {
        for note in broken.world.verdict().blockers {
            let next = note.next.as_deref().unwrap_or_default();
            assert!(next.starts_with("baton "), "{note:#?}");
            assert!(!note.says.contains("  "), "{note:#?}");
            for name in &note.names {
                let thing = name.rsplit(':').next().unwrap().trim_end_matches('*');
                assert!(note.says.contains(thing), "{name}: {note:#?}");
            }
        }
    }
}

#[test]
fn every_code_of_the_gate_is_broken_here() {
    let broken: std::collections::BTreeSet<&str> = all().iter().map(|b| b.code).collect();
    let elsewhere = |code: &&&str| {
        // Waivers, sleep, double bookings and a plan without steps have their own
        // tests; who owns what is no part that one could leave out.
        !code.contains(".waiver-")
            && ![
                "ownership.asleep",
                "ownership.double-booked",
                "ownership.undefined",
            ]
            .contains(*code)
            && **code != "runbook.undefined"
    };
    for code in BLOCKERS.iter().filter(elsewhere) {
        assert!(broken.contains(code), "{code}");
    }
}

#[test]
fn a_freeze_or_window_ends_when_it_ends() {
    let mut world = World::ready();
    world.plan.contract.launch.freezes.push(Freeze::Span {
        from: time("2026-11-25T08:00:00Z"),
        to: time("2026-11-25T08:10:00Z"),
        because: "over".to_owned(),
    });
    assert_eq!(world.codes(), [""; 0]);
    world.plan.contract.launch.window = None;
    assert_eq!(world.codes(), [""; 0]);
}

#[test]
fn an_empty_runbook_is_undefined() {
    let mut world = World::ready();
    world.plan.steps.clear();
    assert_eq!(world.codes(), ["runbook.undefined"]);
}
