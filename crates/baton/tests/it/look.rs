//! What one looks at: `plan`, `status`, `explain`, `lesson`.

use expect_test::expect;

use crate::lint::handoff;
use crate::run::{step, with};

#[test]
fn plan_and_undo_are_printed_on_one_page_that_asks_nobody() {
    let env = with(&step(
        "one",
        "",
        "test 1 -lt 2 && echo '<b>'",
        "echo \"undo\" > /dev/null",
    ));
    let ran = env.baton(&["plan", "--print", "plan.html"]).exits(0);
    assert_eq!(ran.out, "plan and undo: plan.html\n");
    let page = env.read("plan.html");
    for part in [
        "<pre>test 1 -lt 2 &amp;&amp; echo &#39;&lt;b&gt;&#39;</pre>",
        "<pre>echo &quot;undo&quot; &gt; /dev/null</pre>",
        "lee (dana)",
        "Omar",
    ] {
        assert!(page.contains(part), "{part} is missing in {page}");
    }
    for foreign in ["<script", "http:", "https:", "url(", "@import", "<b>"] {
        assert!(!page.contains(foreign), "{foreign}");
    }
    let _unwritten = env
        .baton(&["plan", "--print", "no/such/folder.html"])
        .exits(3);
}

#[test]
fn the_plan_says_order_people_and_times() {
    let env = handoff();
    let ran = env.baton(&["plan"]).exits(0);
    expect![[r#"
        shop 2.4.0 in production
        teams       development hands over to operations
        window      2026-11-25 09:00 to 2026-11-25 09:30 (+01:00)
        release     32be92f00546
        content     a7317caf83b8
        procedure   85a4660a51b9
        roster      dbbfd3f01be3
        production  7009cac4153a

        #  step     where                        who (backup)              takes   when

        Prepare
        1  backup   here                         omar (pia)                2 min   09:00–09:02
           Back up the orders · changes nothing

        Roll out
        2  install  2 hosts of web, in 2 stages  lee (dana)                30 min  09:02–09:32
           Install the new version · needs the approval of 1 of operations
        3  cut      here                         operations (development)  ~1 min  09:32–09:33
           Cut the old wire · point of no return: The wire is gone

        ~ nobody says how long it takes; 1 min is assumed
        critical path: backup → install → cut
        33 min in all, 09:00 to 09:33 (+01:00)
        that is 3 min after the window closes

        next: baton check
    "#]]
    .assert_eq(&ran.out);
    let plan = env
        .baton(&["plan", "staging", "--format", "json"])
        .exits(0)
        .json();
    assert_eq!(plan["environment"], "staging");
    assert_eq!(
        plan["critical"],
        serde_json::json!(["backup", "install", "cut"])
    );
    assert_eq!(
        plan["steps"][1]["stages"],
        serde_json::json!([["web1"], ["web2"]])
    );
    assert_eq!(plan["steps"][2]["no_return"], true);
    let ran = env.baton(&["plan", "stagin"]).exits(2);
    expect![[r#"
        error: the contract has no environment stagin
        hint: it has production and staging
    "#]]
    .assert_eq(&ran.err);
}

#[test]
fn the_status_is_one_screen() {
    let env = handoff();
    let ran = env.baton(&["status"]).exits(0);
    expect![[r#"
        shop 2.4.0 in production, from development to operations

        ✗ definition  ✗ alignment  ✗ parity  ✗ ownership
        ✓ runbook     ✗ rehearsal  – room    ✓ review
        ✗ not ready: definition, alignment, parity, ownership and rehearsal open

        in the room  nobody

        next: baton check
    "#]]
    .assert_eq(&ran.out);
    // Without a terminal and without a run there is nothing to wait for.
    let watched = env.baton(&["status", "--watch"]).exits(0);
    assert_eq!(watched.out, ran.out);
    let status = env.baton(&["status", "--format", "json"]).exits(0).json();
    assert_eq!(status["questions"].as_array().unwrap().len(), 8);
    assert_eq!(status["run"], serde_json::Value::Null);
}

#[test]
fn a_code_is_explained() {
    let env = handoff();
    let ran = env.baton(&["explain", "rehearsal.waiver-expired"]).exits(0);
    expect![[r#"
        rehearsal.waiver-expired

        What it means
        A waiver set a blocker aside until a certain moment. That moment is past, and the blocker is still
        there. So it counts again.

        Usual causes
        - What was promised in the meantime took longer.
        - The launch was put off beyond the end of the waiver.
        - Everybody forgot, which is what the end is for.

        What to do
        - Mend the blocker itself, and remove the waiver from handoff.yaml.
        - Or renew it, with a reason that is true today: `baton waive BLOCKER --match NAME --because WHY
          --until WHEN`
        - Either one changes the content: the receiver accepts again, with `baton accept`.
    "#]].assert_eq(&ran.out);
    let ran = env.baton(&["explain", "runbook.atribute"]).exits(2);
    expect![[r#"
        error: there is no code runbook.atribute
        hint: did you mean runbook.attribute?
    "#]]
    .assert_eq(&ran.err);
}

#[test]
fn lessons_are_kept_until_they_are_met() {
    let env = handoff();
    let ran = env.baton(&["lesson"]).exits(0);
    assert_eq!(ran.out, "No lesson is open.\n");
    let text = "Load the rates before the switch";
    let ran = env.baton(&["lesson", "keep", text]).exits(2);
    expect![[r#"
        error: a signed word needs a name: it is not guessed
        hint: say who gives it with `--as HANDLE`
    "#]]
    .assert_eq(&ran.err);
    let kept = env
        .says("omar", &["lesson", "keep", text, "--format", "json"])
        .exits(0)
        .json();
    let id = kept["lesson"].as_str().unwrap();
    assert_eq!(kept["touches"], serde_json::json!(["shop", "orders-db"]));
    let _other = env
        .says(
            "pia",
            &["lesson", "keep", "Look twice", "--touches", "search"],
        )
        .exits(0);

    let open = env.baton(&["lesson"]).exits(0).out;
    assert!(open.contains(text) && open.contains("Look twice"), "{open}");
    assert_eq!(
        open.matches("blocks shop until it is met").count(),
        1,
        "{open}"
    );
    let status = env.baton(&["status"]).exits(0).out;
    assert!(status.contains("2 open, see `baton lesson`"), "{status}");

    let _all_begin_so = env
        .says("omar", &["lesson", "met", "les_", "--how", "now"])
        .exits(2);
    let _met = env
        .says("omar", &["lesson", "met", id, "--how", "They are loaded"])
        .exits(0);
    let ran = env
        .says("omar", &["lesson", "met", id, "--how", "again"])
        .exits(1);
    assert!(
        ran.err
            .contains("was met before, says omar: They are loaded"),
        "{}",
        ran.err
    );
    let only = env.baton(&["lesson", "--format", "json"]).exits(0).json();
    assert_eq!(only["lessons"][0]["text"], "Look twice");
    assert_eq!(only["lessons"].as_array().unwrap().len(), 1);
}

#[test]
fn there_is_no_review_without_a_run() {
    let ran = handoff().baton(&["review"]).exits(1);
    expect![[r#"
        not now: there was no run yet
        hint: `baton rehearse` opens one
    "#]]
    .assert_eq(&ran.err);
}

#[test]
fn a_run_is_looked_at_and_reviewed() {
    let env = handoff();
    let contract = env.read("handoff.yaml");
    let parity = "parity: { compare: [staging], facts: [os] }";
    env.write(
        "handoff.yaml",
        &contract.replace(parity, "parity: { declined: One kind of host, by: pia }"),
    );
    let runbook = env.read("runbook.md");
    env.write(
        "runbook.md",
        &runbook.replace("- approve: 1 of operations\n", ""),
    );
    for host in ["web1", "web2"] {
        env.write(&format!("env/staging/{host}/here"), "");
    }
    let _run = env.says("omar", &["rehearse"]).exits(0);

    let status = env.baton(&["status"]).exits(0).out;
    for line in [
        "succeeded, forward, back and forward again",
        "  ✓ done  install  2 of 2 hosts  lee (dana)",
        "next: baton check",
    ] {
        assert!(status.contains(line), "{line}\n{status}");
    }
    let seen = env.baton(&["status", "--format", "json"]).exits(0).json();
    assert_eq!(seen["run"]["outcome"], "succeeded");
    assert_eq!(seen["run"]["steps"][1]["done"], 2);

    let _guessed = env.baton(&["review", "--held"]).exits(2);
    let _held = env.says("omar", &["review", "--held"]).exits(0);
    let _kept = env
        .says("pia", &["lesson", "keep", "Ask whose wire it is"])
        .exits(0);
    let review = env.baton(&["review"]).exits(0).out;
    for part in [
        "# Review: rehearsal of shop 2.4.0 in staging",
        "omar opened the rehearsal of shop 2.4.0 in staging",
        "| Install the new version | web1 and web2 |  30 min |",
        "- Lesson: Ask whose wire it is (binds shop and orders-db; pia answers for it; open)",
        "baton lesson keep \"What we learned, and what must happen\" --touches shop --touches orders-db",
    ] {
        assert!(review.contains(part), "{part}\n{review}");
    }
    let record = env.baton(&["record", "export", "-"]).exits(0).out;
    env.write("shop.jsonl", &record);
    let _whole = env.baton(&["record", "verify", "shop.jsonl"]).exits(0);
}
