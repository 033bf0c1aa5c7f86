//! What the page shows of a handoff that people work on.

use std::collections::BTreeMap;

use baton_core::event::{Ending, Event, RunKind};
use baton_core::id::{EnvName, HostName, LessonId, RunId};
use baton_core::parity::fingerprint::asked;
use baton_core::parity::{Fact, FactName, Fingerprint, HostFacts, LayerStatus, Value};
use baton_core::watch::State;
use baton_engine::desk::{Desk, agree, blind};
use jiff::Timestamp;

use super::*;
use crate::view::{handoff, history, measures, parity, plan, review};
use crate::wire::{FoundState, HandoffView, PlaceState, RunKindView};

fn view(desk: &mut Desk, me: &str) -> HandoffView {
    let release = release(desk);
    handoff::one(desk, Some(&by(me)), release).unwrap()
}

fn open(view: &HandoffView) -> Vec<(&str, &str)> {
    let all = view.mine_open.iter();
    all.map(|item| (item.kind.as_str(), item.id.as_str()))
        .collect()
}

#[test]
fn the_verdict_is_the_gates_and_every_blocker_has_an_owner_and_a_next_step() {
    let place = Place::new(CONTRACT, RUNBOOK);
    let mut desk = place.desk("home");
    let view = view(&mut desk, "pia");
    assert_eq!(view.verdict, "not-ready");
    assert_eq!(view.questions.len(), 8);
    let blockers: u32 = view.questions.iter().map(|of| of.open).sum();
    assert_eq!(blockers as usize, view.blockers.len());
    assert!(
        view.blockers
            .iter()
            .all(|of| of.owner.is_some() && of.next.is_some())
    );
    let room = view.questions.iter().find(|of| of.key == "room").unwrap();
    assert_eq!(room.state, FoundState::Later);
    assert_eq!(view.window.unwrap().zone, "+01:00");
    assert_eq!(
        view.measures[0].bar,
        "at most 1%, at most 0.5 points worse than before"
    );
    assert_eq!(view.people[0].hours.as_deref(), Some("Mon-Fri 09:00-17:30"));
    assert_eq!(
        (view.people[3].zone.as_str(), view.people[3].team.as_str()),
        ("UTC", "operations")
    );
    assert_eq!(view.roles[0].backup.as_deref(), Some("pia"));
}

#[test]
fn criteria_say_where_their_evidence_stands() {
    let place = Place::new(CONTRACT, RUNBOOK);
    let mut desk = place.desk("home");
    let states = |desk: &mut Desk| -> Vec<String> {
        let view = view(desk, "pia");
        view.criteria.into_iter().map(|of| of.state).collect()
    };
    assert_eq!(states(&mut desk), ["missing", "unsigned"]);
    ran(&mut desk, "tests", Ending::Exited { code: 3 });
    let _signed = agree::sign(&mut desk, &by("pia"), "privacy").unwrap();
    assert_eq!(states(&mut desk), ["failing", "passing"]);
    ran(&mut desk, "tests", Ending::TimedOut);
    assert_eq!(states(&mut desk), ["unknown", "passing"]);
    ran(&mut desk, "tests", Ending::Succeeded);
    assert_eq!(states(&mut desk), ["passing", "passing"]);
    let tests = &view(&mut desk, "pia").criteria[0];
    assert!(tests.age_s.is_some_and(|age| age < 60.0));
    assert_eq!(tests.fresh_s, Some(86_400.0));
    assert_eq!(tests.output_attempt.as_deref(), Some("criterion:tests"));
    let printed = handoff::output(&mut desk, "tests").unwrap();
    assert_eq!(printed.as_deref(), Some(&b"what it printed"[..]));
    assert_eq!(handoff::output(&mut desk, "privacy").unwrap(), None);
    assert_eq!(handoff::output(&mut desk, "nothing").unwrap(), None);
    // Another build is another release: nothing shown before counts for it.
    place.write("shop.bin", "2.4.0 again");
    assert_eq!(states(&mut desk), ["stale", "stale"]);
    let unread = handoff::one(&mut desk, None, Err("shop.bin is not there".to_owned())).unwrap();
    assert_eq!(unread.digests.release, "shop.bin is not there");
    assert!(unread.criteria.iter().all(|of| of.state == "unknown"));
    assert!(
        unread.mine_open.is_empty(),
        "a reader without a name has nothing to say"
    );
}

#[test]
fn a_blind_answer_is_its_givers_alone_until_both_are_in() {
    let place = Place::new(CONTRACT, RUNBOOK);
    let (mut dana, mut pia) = (place.desk("dana"), place.desk("pia"));
    let _given = blind::answer(&mut dana, &by("dana"), "peak", "31415", None).unwrap();
    let seen = |desk: &mut Desk, me: &str| {
        desk.catch_up().unwrap();
        view(desk, me)
    };
    let mine = seen(&mut dana, "dana");
    assert_eq!(mine.expectations[0].mine.as_deref(), Some("31415"));
    // Not for the other team, not for a team mate, and not from another home.
    for (at_danas, me) in [
        (true, "pia"),
        (true, "lee"),
        (false, "dana"),
        (false, "pia"),
    ] {
        let desk = if at_danas { &mut dana } else { &mut pia };
        let view = seen(desk, me);
        let text = serde_json::to_string(&view).unwrap();
        assert!(!text.contains("31415"), "{me}: {text}");
        let given = &view.expectations[0].given;
        assert_eq!((given["development"], given["operations"]), (true, false));
    }
    assert!(open(&seen(&mut pia, "pia")).contains(&("answer", "peak")));
    assert!(!open(&seen(&mut pia, "dana")).contains(&("answer", "peak")));
    // The other side is committed; hers is opened from her home, his is not yet.
    pia.catch_up().unwrap();
    let _given = blind::answer(&mut pia, &by("pia"), "peak", "27182", None).unwrap();
    for me in ["dana", "lee", "omar"] {
        let text = serde_json::to_string(&seen(&mut pia, me)).unwrap();
        assert!(
            !text.contains("31415") && !text.contains("27182"),
            "{me}: {text}"
        );
    }
    dana.catch_up().unwrap();
    blind::open_answers(&mut dana).unwrap();
    let both = seen(&mut pia, "omar");
    let opened = both.expectations[0].opened.clone().unwrap();
    assert_eq!(
        (
            opened["development"].as_str(),
            opened["operations"].as_str()
        ),
        ("31415", "27182")
    );
    let conflict = both.expectations[0].conflict.clone().unwrap();
    assert!(
        conflict.contains("31415") && conflict.contains("27182"),
        "{conflict}"
    );
    assert!(
        open(&both).contains(&("answer", "peak")),
        "one new answer of each settles it"
    );
    assert_eq!(both.expectations[1].answer_kind, "cents | euros");
}

#[test]
fn what_is_mine_to_say_goes_when_it_is_said() {
    let place = Place::new(CONTRACT, RUNBOOK);
    let mut desk = place.desk("home");
    let first = view(&mut desk, "pia");
    let kinds = [
        ("sign", "privacy"),
        ("answer", "peak"),
        ("answer", "unit"),
        ("accept-mine", ""),
    ];
    assert_eq!(open(&first), kinds);
    let mine = first.mine_open.last().unwrap();
    assert_eq!(
        mine.says,
        "Accept what is yours: 1 criterion, 1 measure, 2 roles and 1 step"
    );
    assert!(open(&view(&mut desk, "lee")).contains(&("offer", "")));
    let _bound = agree::offer(&mut desk, &by("dana")).unwrap();
    assert!(!open(&view(&mut desk, "lee")).contains(&("offer", "")));
    assert!(open(&view(&mut desk, "omar")).contains(&("accept", "")));
    let _bound = agree::accept(&mut desk, &by("pia")).unwrap();
    let _mine = agree::accept_mine(&mut desk, &by("pia")).unwrap();
    let _signed = agree::sign(&mut desk, &by("pia"), "privacy").unwrap();
    let last = view(&mut desk, "pia");
    assert_eq!(open(&last), [("answer", "peak"), ("answer", "unit")]);
    assert!(!open(&view(&mut desk, "omar")).contains(&("accept", "")));
    assert_eq!(
        (last.offered[0].by.as_str(), last.accepted[0].by.as_str()),
        ("dana", "pia")
    );
    assert!(last.offered[0].at <= last.accepted[0].at);
}

#[test]
fn the_line_burns_down_and_a_changed_plan_shows_what_changed() {
    let place = Place::new(CONTRACT, RUNBOOK);
    let mut desk = place.desk("home");
    ran(&mut desk, "tests", Ending::Exited { code: 1 });
    ran(&mut desk, "tests", Ending::Succeeded);
    let _signed = agree::sign(&mut desk, &by("pia"), "privacy").unwrap();
    let _bound = agree::offer(&mut desk, &by("dana")).unwrap();
    let now = release(&desk);
    let history = history::of(&mut desk, now).unwrap();
    let of = |key: &str| -> Vec<u32> { history.points.iter().map(|at| at.open[key]).collect() };
    // The tests failed, passed; the review was signed; the content was offered; and now.
    assert_eq!(of("definition"), [3, 2, 1, 1, 1]);
    assert_eq!(of("alignment"), [4, 4, 4, 3, 3]);
    assert!(
        history
            .points
            .iter()
            .all(|at| !at.open.contains_key("room"))
    );
    let verdict = view(&mut desk, "pia");
    let last: u32 = history.points.last().unwrap().open.values().sum();
    assert_eq!(
        last as usize,
        verdict.blockers.len(),
        "the line ends where the verdict is"
    );
    assert_eq!(
        history.plans[0].says,
        "Dana Ito (dana) offered this content"
    );
    assert_eq!(history.plans[0].diff, None, "there is nothing before it");

    let _run = opened(&mut desk, RunKind::Rehearsal);
    place.write("runbook.md", &RUNBOOK.replace("expect: 10m", "expect: 11m"));
    let _bound = agree::offer(&mut place.desk("home"), &by("dana")).unwrap();
    // By now the files are others again: only the offer keeps what was offered.
    place.write("runbook.md", &RUNBOOK.replace("expect: 10m", "expect: 12m"));
    let mut desk = place.desk("home");
    let _bound = agree::offer(&mut desk, &by("lee")).unwrap();
    let now = release(&desk);
    let history = history::of(&mut desk, now).unwrap();
    let what: Vec<&str> = history.plans.iter().map(|of| of.what.as_str()).collect();
    assert_eq!(what, ["offered", "offered", "rehearsed", "offered"]);
    let diff = history.plans[0].diff.clone().unwrap();
    assert!(
        diff.starts_with("--- runbook.md\n+++ runbook.md\n@@"),
        "{diff}"
    );
    let changed: Vec<&str> = diff
        .lines()
        .skip(2)
        .filter(|line| line.starts_with(['+', '-']))
        .collect();
    assert_eq!(changed, ["-expect: 11m", "+expect: 12m"]);
}

#[test]
fn many_entries_give_few_moments_and_the_first_and_last_are_among_them() {
    let place = Place::new(CONTRACT, RUNBOOK);
    let mut desk = place.desk("home");
    for _ in 0..200 {
        ran(&mut desk, "tests", Ending::Succeeded);
    }
    ran(&mut desk, "tests", Ending::Exited { code: 1 });
    let entries = {
        use baton_store::Log as _;
        desk.log.read(baton_core::id::Seq(0), 300).unwrap()
    };
    let now = release(&desk);
    let history = history::of(&mut desk, now).unwrap();
    assert_eq!(history.points.len(), 61);
    assert_eq!(history.points[0].at, entries[0].at);
    assert_eq!(history.points[59].at, entries[200].at);
    assert!(
        history
            .points
            .windows(2)
            .all(|pair| pair[0].at <= pair[1].at)
    );
}

#[test]
fn the_plan_shows_steps_prose_and_fences() {
    let place = Place::new(CONTRACT, RUNBOOK);
    let mut desk = place.desk("home");
    let view = plan::of(&mut desk, None).unwrap();
    let [backup, ship, tell] = view.steps.as_slice() else {
        panic!("{} steps", view.steps.len())
    };
    assert_eq!(backup.prose, "<p>Why <em>we</em> do this.</p>\n");
    assert_eq!((ship.prose.as_str(), tell.prose.as_str()), ("", ""));
    let roles: Vec<&str> = ship.fences.iter().map(|of| of.role.as_str()).collect();
    assert_eq!(roles, ["run", "undo"]);
    assert_eq!(ship.fences[0].text, "ln -s new current\n");
    let step = &ship.step;
    assert_eq!(
        (step.owner.as_str(), step.backup.as_deref()),
        ("lee", Some("dana"))
    );
    assert_eq!((step.expect_s, step.watch_s), (Some(600.0), Some(30.0)));
    let approvals = step.approvals.as_ref().unwrap();
    assert_eq!((approvals.need, approvals.team.as_str()), (1, "operations"));
    assert!(step.critical && step.hosts.iter().all(|at| at.state == PlaceState::Waiting));
    assert_eq!(
        step.planned.as_ref().unwrap().begins,
        backup.step.planned.as_ref().unwrap().ends
    );
    assert!(tell.step.by_hand && tell.step.tasks == ["The status page says so"]);
    assert_eq!(tell.step.no_way_back.as_deref(), Some("They know then."));

    // A run goes by its own plan and its own beginning.
    let run = opened(&mut desk, RunKind::Rehearsal);
    let of_run = plan::of(&mut desk, Some(&run)).unwrap();
    assert_eq!(of_run.steps[0].prose, backup.prose);
    place.write("runbook.md", &RUNBOOK.replace("ln -s new", "ln -s newer"));
    let mut desk = place.desk("home");
    let of_run = plan::of(&mut desk, Some(&run)).unwrap();
    assert_eq!(of_run.steps[1].fences[0].text, "ln -s new current\n");
    assert_eq!(
        of_run.steps[0].prose, "",
        "the prose of today is not that of the run"
    );
    let nowhere = plan::of(&mut desk, Some(&RunId::from("run_none")));
    assert!(nowhere.is_err());
}

/// A fingerprint: of each host its variables.
fn printed(desk: &mut Desk, environment: &str, hosts: &[(&str, &[(&str, Fact)])]) {
    let environment = EnvName::from(environment);
    let terms = desk.contract.parity.defined().unwrap().facts.clone();
    let hosts: BTreeMap<HostName, HostFacts> = hosts
        .iter()
        .map(|(host, facts)| {
            let facts = facts
                .iter()
                .map(|(name, fact)| (FactName::new("env", name), fact.clone()));
            let facts = HostFacts {
                facts: facts.collect(),
                layers: [("env".to_owned(), LayerStatus::Ok)].into(),
            };
            (HostName::from(*host), facts)
        })
        .collect();
    let print = Fingerprint::new(environment.clone(), Timestamp::now(), &terms, hosts);
    let definition = desk.plan.digests.environments[&environment].clone();
    let event = Event::Fingerprinted {
        environment,
        definition,
        collectors: asked(&terms),
        fingerprint: desk.keep_bytes(&print.to_bytes()).unwrap(),
        mark: None,
    };
    let _entries = desk.append(&by("omar"), None, vec![event]).unwrap();
}

#[test]
fn differences_are_folded_by_cause_and_secrets_keep_their_values() {
    let place = Place::new(CONTRACT, RUNBOOK);
    let mut desk = place.desk("home");
    let nothing = parity::of(&mut desk).unwrap();
    assert_eq!(nothing.environments, ["staging", "production"]);
    assert!(nothing.not_compared.unwrap().contains("no fingerprint"));
    let is = |text: &str| Fact::stable(Value::Text(text.to_owned()));
    let secret = |text: &str| Fact::secret(&[7; 32], text);
    let staging: &[(&str, Fact)] = &[
        ("SHOP_A", is("1.0.0")),
        ("SHOP_B", is("1.0.0")),
        ("SHOP_NOTE", is("hello")),
        ("SHOP_WORKERS", is("2")),
        ("KEY", secret("hunter2")),
    ];
    let production: &[(&str, Fact)] = &[
        ("SHOP_A", is("2.0.0")),
        ("SHOP_B", is("2.0.0")),
        ("SHOP_NOTE", is("bye")),
        ("SHOP_WORKERS", is("8")),
        ("KEY", secret("hunter3")),
    ];
    printed(
        &mut desk,
        "staging",
        &[("web1", staging), ("web2", staging)],
    );
    printed(
        &mut desk,
        "production",
        &[("web1", production), ("web2", production)],
    );
    let view = parity::of(&mut desk).unwrap();
    assert_eq!(view.not_compared, None);
    let text = serde_json::to_string(&view).unwrap();
    assert!(!text.contains("hunter"), "{text}");
    let of = |subject: &str| view.rows.iter().find(|row| row.subject == subject).unwrap();
    assert_eq!(of("SHOP_A").cause, of("SHOP_B").cause);
    assert_eq!(of("SHOP_A").hosts["staging/web1"], "1.0.0");
    assert_eq!(of("SHOP_A").hosts["production/web2"], "2.0.0");
    assert!(!of("SHOP_A").factors.is_empty());
    let waived = of("SHOP_NOTE").explained_by.as_deref().unwrap();
    assert!(
        waived.starts_with("waived by Omar Diaz (omar) until 2036"),
        "{waived}"
    );
    let ruled = of("SHOP_WORKERS");
    assert!(
        ruled
            .explained_by
            .as_deref()
            .unwrap()
            .starts_with("by the rule")
    );
    assert_eq!(ruled.hosts["production/web1"], "8");
    assert!(view.collected.iter().all(|one| one.status == "ok"));
    assert_eq!(view.collected.len(), 4);
    // One row for one fact of a cause: the page keys its rows by it.
    let mut keys: Vec<_> = view
        .rows
        .iter()
        .map(|row| (&row.cause, &row.matcher))
        .collect();
    let count = keys.len();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), count);
}

#[test]
fn measures_and_review_are_folds_of_the_run() {
    let place = Place::new(CONTRACT, RUNBOOK);
    let mut desk = place.desk("home");
    let run = opened(&mut desk, RunKind::Launch);
    let before = measures::of(&mut desk, &run).unwrap();
    assert_eq!(
        (before.measures[0].verdict.as_str(), &before.measures[0].svg),
        ("blind", &None)
    );
    let began = Event::WatchBegan {
        step: None,
        stage: 0,
        learned: BTreeMap::new(),
    };
    let looks = vec![
        began,
        judged(1, 100, State::Undecided),
        judged(3, 100, State::Fine),
    ];
    let _entries = desk.append(&by("baton"), Some(&run), looks).unwrap();
    let seen = measures::of(&mut desk, &run).unwrap();
    let errors = &seen.measures[0];
    assert_eq!((errors.verdict.as_str(), errors.e), ("fine", Some(1.5)));
    let values: Vec<f64> = errors.points.iter().map(|point| point.value).collect();
    assert_eq!(values, [0.01, 0.03]);
    assert!(errors.svg.as_ref().unwrap().starts_with("<svg"));

    let lesson = Event::LessonKept {
        lesson: LessonId::from("les_1"),
        text: "Warm the caches".to_owned(),
        touches: vec!["shop".into()],
        owner: by("lee"),
    };
    let _entries = desk.append(&by("pia"), None, vec![lesson]).unwrap();
    let review = review::of(&mut desk, &run).unwrap();
    assert_eq!(
        (review.kind, review.opened.unwrap().by.as_str()),
        (RunKindView::Launch, "omar")
    );
    assert_eq!(review.steps.len(), 3);
    assert_eq!(review.steps[0].stood, "not-reached");
    assert_eq!(
        (review.lessons[0].text.as_str(), &review.lessons[0].met),
        ("Warm the caches", &None)
    );
    assert!(review.decisions[0].what.starts_with("opened the launch"));
}

#[test]
fn the_list_holds_the_handoffs_before() {
    let place = Place::new(CONTRACT, RUNBOOK);
    let mut desk = place.desk("home");
    let run = opened(&mut desk, RunKind::Launch);
    let ended = Event::RunEnded {
        outcome: baton_core::event::Outcome::Aborted,
        because: "not today".to_owned(),
        undone: Vec::new(),
    };
    let _entries = desk.append(&by("baton"), Some(&run), vec![ended]).unwrap();
    place.write("handoff.yaml", &CONTRACT.replace("2.4.0", "2.5.0"));
    let mut desk = place.desk("home");
    let now = release(&desk);
    let all = handoff::all(&mut desk, now).unwrap().handoffs;
    assert_eq!(all.len(), 2);
    assert_eq!(
        (all[0].version.as_str(), all[0].verdict.as_str()),
        ("2.5.0", "not-ready")
    );
    assert_eq!((all[0].questions.len(), &all[0].latest_run), (8, &None));
    assert_eq!(
        (all[1].version.as_str(), all[1].verdict.as_str()),
        ("2.4.0", "aborted")
    );
    assert_eq!(
        (all[1].from.as_str(), all[1].latest_run.as_deref()),
        ("development", Some(run.as_str()))
    );
}
