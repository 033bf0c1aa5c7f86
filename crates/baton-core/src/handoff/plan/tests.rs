//! Resolving by table: what a plan is, and every way a name can lead nowhere.

use expect_test::{Expect, expect};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::diag::{Note, Severity};
use crate::handoff::runbook::{self as book, Runbook};

/// The example contract as values; waivers, freezes and the
/// rest are there so that every kind of field is.
pub(super) fn shop() -> Value {
    json!({
        "name": "shop", "summary": "Shop 2.4", "from": "development", "to": "operations",
        "touches": ["shop"],
        "people": {
            "dana": { "name": "Dana Ito", "email": "dana@shop.example", "zone": "Asia/Tokyo",
                "hours": { "days": [true, true, true, true, true, false, false], "from": 780, "to": 1320 },
                "key": "ssh-ed25519 AAAA" },
            "lee": { "name": "Lee Novak" }, "omar": { "name": "Omar Diaz" }, "pia": { "name": "Pia Lund" }
        },
        "teams": { "development": ["dana", "lee"], "operations": ["omar", "pia"] },
        "roles": { "launch-lead": { "owner": "omar", "backup": "pia" },
            "communications": { "owner": "development", "backup": null } },
        "release": { "version": "2.4.0", "kind": "code", "artifacts": ["dist/shop"] },
        "environments": {
            "staging": {
                "hosts": { "web1": { "dir": "a", "vars": { "PORT": "8101" } },
                    "web2": { "dir": "b", "vars": { "PORT": "8102" } } },
                "groups": { "web": ["web1", "web2"] }, "vars": { "DB": "orders.db" },
                "secrets": { "DB_KEY": { "env": "STAGING_DB_KEY" }, "OTHER_KEY": { "file": "key" } }
            },
            "production": {
                "hosts": { "web1": { "ssh": "deploy@web1", "dir": "/srv", "vars": { "PORT": "8080" } },
                    "web2": { "ssh": "deploy@web2", "dir": "/srv", "vars": { "PORT": "8080" } },
                    "web3": { "ssh": "deploy@web3", "dir": "/srv", "vars": { "PORT": "8080" } } },
                "groups": { "web": ["web1", "web2", "web3"] }, "vars": { "DB": "orders.db" },
                "secrets": { "DB_KEY": { "command": "op read x" }, "OTHER_KEY": { "file": "key" } }
            }
        },
        "launch": { "environment": "production",
            "window": { "opens": "2026-11-25T08:00:00Z", "closes": "2026-11-25T11:00:00Z", "offset_s": 3600 },
            "freezes": [{ "span": { "from": "2026-12-20T00:00:00Z", "to": "2027-01-02T00:00:00Z", "because": "Holidays" } },
                { "calendar": "freezes.ics" }] },
        "expectations": { "defined": [{ "id": "peak", "ask": "Peak?", "answer": "number", "within": 0.1 }] },
        "done": [{ "id": "tests", "says": "They pass", "owner": "dana", "backup": "lee", "run": "make test",
            "refuses": "make bad", "in": "staging", "fresh": 86_400_000, "timeout": 600_000, "sign": "pia" }],
        "parity": { "defined": { "compare": ["staging"], "fresh": 86_400_000, "facts": [], "rules": [] } },
        "success": { "defined": [
            { "id": "errors", "says": "Fail", "owner": "omar", "backup": "pia", "at_most": 0.01, "worse_by": 0.005,
                "source": { "prometheus": { "server": "http://p", "bad": "b", "total": "t" } } },
            { "id": "speed", "says": "Fast", "source": { "probe": { "url": "http://$HOST", "every": 1000 } },
                "quantile": { "q": 0.95, "limit": 300 } }] },
        "watch": { "for": 1_800_000, "on_harm": "roll-back", "false_alarm": 0.01 },
        "waivers": [{ "blocker": "parity.unexplained", "match": ["packages:*"], "because": "patched",
            "owner": "omar", "until": { "Ok": "2026-12-01T00:00:00Z" } }],
        "runbook": "runbook.md",
        "rehearsal": { "defined": { "in": "staging", "within": 604_800_000 } },
        "room": { "defined": { "notify": [{ "slack": { "url": { "env": "HOOK" } } }] } },
        "review": { "defined": { "within": 432_000_000 } }
    })
}

pub(super) fn contract(value: Value) -> Contract {
    serde_json::from_value(value).unwrap()
}

/// Reads a runbook; what the gate would say of it is not asked here.
pub(super) fn runbook(text: &str) -> Runbook {
    let (runbook, notes) = book::parse(text.as_bytes());
    runbook.unwrap_or_else(|| panic!("{notes:#?}"))
}

const SHOP: &str = include_str!("../fixtures/shop.md");

fn show(notes: &[Note]) -> String {
    let line = |note: &Note| {
        let span = note.span.map_or((0, 0), |span| (span.line, span.column));
        let hint = note
            .next
            .as_deref()
            .unwrap_or_else(|| panic!("no hint: {note:?}"));
        assert_eq!(note.severity, Severity::Error);
        format!(
            "{}:{} {}: {} {:?}\n    {hint}\n",
            span.0, span.1, note.code, note.says, note.names
        )
    };
    notes.iter().map(line).collect()
}

/// What lint says of these steps, each complete but for what is given.
fn lint_of(contract: &Contract, steps: &[&str], expected: &Expect) {
    let heads = steps.iter().enumerate();
    let text: String = heads
        .map(|(n, rest)| {
            let own = if rest.contains("owner:") {
                ""
            } else {
                "- owner: omar (backup: pia)\n"
            };
            format!("### S{n}\n\n{own}- changes: nothing\n{rest}\n\n")
        })
        .collect();
    expected.assert_eq(&show(&lint(contract, &runbook(&text)).notes));
}

#[test]
fn the_example_of_the_product_page_resolves_without_a_note() {
    let (contract, runbook) = (contract(shop()), runbook(SHOP));
    let linted = lint(&contract, &runbook);
    assert_eq!(linted.notes, []);
    let (plan, notes) = resolve(&contract, &runbook, &"production".into());
    assert_eq!(notes, []);
    let plan = plan.unwrap();
    assert_eq!(linted.plan(&contract, &runbook).as_ref(), Some(&plan));
    assert_eq!(plan.handoff.as_str(), "shop/2.4.0/production");
    let summary: String = plan
        .steps
        .iter()
        .map(|step| {
            format!(
                "{} after {:?} by {:?} backed by {:?} on {:?}\n",
                step.id(),
                step.after_ids,
                step.owners,
                step.backups,
                step.stages
            )
        })
        .collect();
    expect![[r#"
        back-up-the-orders after [] by [Handle("omar")] backed by [Handle("pia")] on [[HostName("")]]
        install after [StepId("back-up-the-orders")] by [Handle("lee")] backed by [Handle("dana")] on [[HostName("web1")], [HostName("web2")], [HostName("web3")]]
        tell-the-customer after [StepId("install")] by [Handle("lee")] backed by [Handle("dana")] on [[HostName("")]]
    "#]].assert_eq(&summary);
    let stored = serde_json::to_string(&plan).unwrap();
    let read: Plan = serde_json::from_str(&stored).unwrap();
    assert_eq!(read, plan);
}

#[test]
fn owners_and_backups_are_people() {
    let contract = contract(shop());
    let text = "### A\n\n- owner: operations (backup: lee)\n- changes: nothing\n\n### B\n\n\
        - owner: launch-lead (backup: launch-lead)\n- changes: nothing\n\n### C\n\n\
        - owner: communications (backup: launch-lead)\n- changes: nothing\n";
    let (plan, notes) = resolve(&contract, &runbook(text), &"staging".into());
    assert_eq!(notes, []);
    let people: Vec<String> = plan
        .unwrap()
        .steps
        .iter()
        .map(|step| format!("{:?} {:?}", step.owners, step.backups))
        .collect();
    expect![[r#"
        [Handle("omar"), Handle("pia")] [Handle("lee")]
        [Handle("omar")] [Handle("pia")]
        [Handle("dana"), Handle("lee")] [Handle("omar")]"#]]
    .assert_eq(&people.join("\n"));
}

#[test]
fn people_who_do_not_exist_or_do_not_suffice() {
    let mut value = shop();
    value["teams"]["empty"] = json!([]);
    lint_of(
        &contract(value),
        &[
            "- owner: omarr (backup: nobody)",
            "- owner: empty (backup: pia)",
            "- owner: omar (backup: omar)",
            "- owner: omar (backup: launch-lead)",
            "- approve: 3 of operations",
            "- approve: 1 of opperations",
        ],
        &expect![[r#"
            4:10 runbook.owner: the owner of `s0` is `omarr`, who is no person, team or role ["s0"]
                did you mean `omar`?
            4:25 runbook.owner: the backup of `s0` is `nobody`, who is no person, team or role ["s0"]
                people, teams and roles stand in `handoff.yaml`
            9:10 runbook.owner: the owner of `s1` is `empty`, which stands for nobody ["s1"]
                give `empty` members, or an owner who has some, in `handoff.yaml`
            14:24 ownership.no-backup: omar is both owner and backup of `s2` ["s2"]
                name someone else as backup
            19:24 ownership.no-backup: omar is both owner and backup of `s3` ["s3"]
                name someone else as backup
            25:17 runbook.value: `s4` needs the approval of 3 of `operations`, which has 2 ["s4"]
                ask for fewer, or name a larger team
            31:17 runbook.reference: `s5` needs the approval of `opperations`, who is no person, team or role ["s5"]
                did you mean `operations`?
        "#]],
    );
    let same = runbook("### A\n\n- owner: omar (backup: omar)\n- changes: nothing\n");
    let (plan, notes) = resolve(&contract(shop()), &same, &"production".into());
    assert_eq!(notes[0].code.0, "ownership.no-backup");
    assert!(plan.is_some(), "what the gate says leaves the plan usable");
}

#[test]
fn order_follows_the_file_except_where_after_says_otherwise() {
    let order = |afters: &[&str]| {
        let text: String = afters
            .iter()
            .enumerate()
            .map(|(n, after)| {
                let after = if after.is_empty() {
                    String::new()
                } else {
                    format!("- after: {after}\n")
                };
                format!("### S{n}\n\n- owner: omar (backup: pia)\n{after}- changes: nothing\n\n")
            })
            .collect();
        let (plan, notes) = resolve(&contract(shop()), &runbook(&text), &"staging".into());
        let steps = plan.map(|plan| plan.steps).unwrap_or_default();
        let shown = steps.iter().map(|step| {
            let after: Vec<&str> = step.after_ids.iter().map(|id| id.as_str()).collect();
            format!("{}({})", step.id(), after.join(" "))
        });
        shown.collect::<Vec<_>>().join(" ") + &show(&notes)
    };
    for (afters, expected) in [
        (&["", "", ""][..], expect!["s0() s1(s0) s2(s1)"]),
        (
            &["", "nothing", "s0, s1", "s0"],
            expect!["s0() s1() s2(s0 s1) s3(s0)"],
        ),
        (
            &["s2", "nothing", "nothing", "s1, s0"],
            expect!["s1() s2() s0(s2) s3(s1 s0)"],
        ),
        (
            &["s0"],
            expect![[r#"
            1:5 runbook.cycle: `s0` waits for itself ["s0"]
                a step without `after` waits for the step before it; `after: nothing` waits for none
        "#]],
        ),
        (
            &["s2", "", "", "s4", "s3", "s3"],
            expect![[r#"
            1:5 runbook.cycle: steps wait for each other: `s0` waits for `s2` waits for `s1` waits for `s0` ["s0", "s2", "s1"]
                a step without `after` waits for the step before it; `after: nothing` waits for none
            17:5 runbook.cycle: steps wait for each other: `s3` waits for `s4` waits for `s3` ["s3", "s4"]
                a step without `after` waits for the step before it; `after: nothing` waits for none
        "#]],
        ),
        (
            &["", "s9, so"],
            expect![[r#"
            9:10 runbook.reference: `s1` waits for `s9`, and there is no such step ["s1"]
                ids stand in `{#id}`, or are made from the title
            9:14 runbook.reference: `s1` waits for `so`, and there is no such step ["s1"]
                ids stand in `{#id}`, or are made from the title
        "#]],
        ),
    ] {
        expected.assert_eq(&order(afters));
    }
}

#[test]
fn places_must_exist_in_both_environments() {
    let mut value = shop();
    value["environments"]["staging"]["groups"]["db"] = json!([]);
    value["environments"]["staging"]["groups"]["odd"] = json!(["web9"]);
    lint_of(
        &contract(value),
        &[
            "- on: wbe",
            "- on: web3",
            "- on: db",
            "- on: odd",
            "- on: web3\n- only in: production",
            "- on: web3\n- only in: prodution",
            "- at: 09:30",
        ],
        &expect![[r#"
            5:7 runbook.reference: `s0` runs on `wbe`, and there is no such host or group in production and staging ["s0"]
                did you mean `web1`?
            11:7 runbook.reference: `s1` runs on `web3`, and there is no such host or group in staging ["s1"]
                did you mean `web`?
            17:7 runbook.reference: `s2` runs on `db`, and there is no such host or group in production ["s2"]
                hosts and groups stand under the environment in `handoff.yaml`
            17:7 runbook.reference: `s2` runs on `db`, which has no hosts in staging ["s2"]
                give the group hosts
            23:7 runbook.reference: `s3` runs on `odd`, and there is no such host or group in production ["s3"]
                hosts and groups stand under the environment in `handoff.yaml`
            23:7 runbook.reference: `s3` runs on `odd`, which names `web9`, and there is no such host in staging ["s3"]
                a group names hosts of its environment
            37:12 runbook.reference: `s5` runs only in `prodution`, and there is no such environment ["s5"]
                did you mean `production`?
        "#]],
    );
}

#[test]
fn variables_and_secrets_must_come_from_somewhere() {
    let mut value = shop();
    value["environments"]["production"]["hosts"]["web2"]["vars"] = json!({});
    value["environments"]["staging"]["secrets"]["OTHER"] = json!({ "env": "OTHER" });
    lint_of(
        &contract(value),
        &[
            "\n```sh run\necho \"$DB\" $PORT $HOME ${X:-} $BATON_HOST $BATON_OUTPTU $lower '$Y'\n```",
            "- on: web\n\n```sh run\necho $PROT\n  ü \"$PORT\"; X=1; echo $X\n```\n\n```sh verify\necho $X\n```",
            "- secrets: DB_KEY, OTHER, NONE\n\n```sh run\necho $DB_KEY\n```",
            "\n```bash preflight\necho $DB_KEY\n```\n\n```python3 run\nprint('$NO')\n```",
            "\n```sh run\necho \"COUNT=1\" >>\"$BATON_OUTPUT\"; echo $COUNT\n```\n\n```sh verify\necho $LATER\n```",
            "\n```sh run\necho \"$COUNT LATER=1\" >>\"$BATON_OUTPUT\"\n```\n\n```sh undo\n. ./env; echo $ANY\n```",
            "- only in: production\n\n```sh run\necho $OTHER $HOST\n```",
            "- when: vars.DB == 'x' && vars.PORT == '1' && has(vars.Z)",
        ],
        &expect![[r#"
            7:12 runbook.variable: `s0` uses `$PORT`, which nothing sets in production and staging ["s0", "PORT"]
                hosts set it: say on which the step runs, as in `on: web`
            7:43 runbook.variable: `s0` uses `$BATON_OUTPTU`, which nothing sets in production and staging ["s0", "BATON_OUTPTU"]
                did you mean `$BATON_OUTPUT`?
            17:6 runbook.variable: `s1` uses `$PROT`, which nothing sets in production and staging ["s1", "PROT"]
                did you mean `$PORT`?
            18:6 runbook.variable: `s1` uses `$PORT`, which web2 does not set in production ["s1", "PORT"]
                set it for every host on which the step runs, or for the environment
            22:6 runbook.variable: `s1` uses `$X`, which nothing sets in production and staging ["s1", "X"]
                set it in `vars`, or let an earlier step write `X=` to `$BATON_OUTPUT`; `${X:-}` may be empty
            29:20 runbook.secret: `s2` lists the secret `OTHER`, and none is declared in production ["s2", "OTHER"]
                did you mean `OTHER_KEY`?
            29:27 runbook.secret: `s2` lists the secret `NONE`, and none is declared in production and staging ["s2", "NONE"]
                declare it: `secrets: { NONE: { env: NAME } }`
            41:6 runbook.secret: `s3` uses the secret `$DB_KEY` without listing it in production and staging ["s3", "DB_KEY"]
                write `- secrets: DB_KEY` among the step's attributes
            54:40 runbook.variable: `s4` uses `$COUNT`, which nothing sets in production and staging ["s4", "COUNT"]
                set it in `vars`, or let an earlier step write `COUNT=` to `$BATON_OUTPUT`; `${COUNT:-}` may be empty
            58:6 runbook.variable: `s4` uses `$LATER`, which nothing sets in production and staging ["s4", "LATER"]
                set it in `vars`, or let an earlier step write `LATER=` to `$BATON_OUTPUT`; `${LATER:-}` may be empty
            81:6 runbook.variable: `s6` uses `$OTHER`, which nothing sets in production ["s6", "OTHER"]
                set it in `vars`, or let an earlier step write `OTHER=` to `$BATON_OUTPUT`; `${OTHER:-}` may be empty
            81:13 runbook.variable: `s6` uses `$HOST`, which nothing sets in production ["s6", "HOST"]
                did you mean `$BATON_HOST`?
            88:9 runbook.variable: `s7` asks for `vars.PORT`, which nothing sets in production and staging ["s7", "PORT"]
                a condition is decided once for all hosts, so only the environment's own `vars` count; `has(vars.NAME)` asks whether there is one
        "#]],
    );
}

#[test]
fn an_environment_that_does_not_exist() {
    let (plan, notes) = resolve(&contract(shop()), &runbook(SHOP), &"prodcution".into());
    assert_eq!(plan, None);
    assert_eq!(notes[0].next.as_deref(), Some("did you mean `production`?"));
}

#[test]
fn a_step_of_another_environment_runs_nowhere() {
    let text = "### A\n\n- owner: omar (backup: pia)\n- on: web3\n- only in: production\n- changes: nothing\n";
    let (plan, notes) = resolve(&contract(shop()), &runbook(text), &"staging".into());
    assert_eq!(notes, []);
    let step = plan.unwrap().steps.remove(0);
    assert!(step.elsewhere && step.stages.is_empty());
}

#[test]
fn a_time_of_day_is_meant_within_the_window() {
    let earliest = |at: &str, opens: &str, closes: &str| {
        let mut value = shop();
        value["launch"]["window"] = json!({ "opens": opens, "closes": closes, "offset_s": 3600 });
        let text =
            format!("### A\n\n- owner: omar (backup: pia)\n- at: {at}\n- changes: nothing\n");
        let plan = resolve(&contract(value), &runbook(&text), &"production".into())
            .0
            .unwrap();
        plan.not_before(&plan.steps[0]).unwrap().to_string()
    };
    let day = ("2026-11-25T08:00:00Z", "2026-11-25T11:00:00Z");
    let night = ("2026-11-25T21:00:00Z", "2026-11-26T03:00:00Z");
    for (at, (opens, closes), expected) in [
        ("09:30", day, "2026-11-25T08:30:00Z"),
        ("08:30", day, "2026-11-25T07:30:00Z"),
        ("23:30", night, "2026-11-25T22:30:00Z"),
        ("01:30", night, "2026-11-26T00:30:00Z"),
        ("2026-11-25T09:30:00+02:00", night, "2026-11-25T07:30:00Z"),
    ] {
        assert_eq!(earliest(at, opens, closes), expected, "{at}");
    }
}

#[test]
fn a_time_of_day_needs_a_window() {
    let mut value = shop();
    value["launch"]["window"] = Value::Null;
    lint_of(
        &contract(value),
        &["- at: 09:30"],
        &expect![[r#"
        1:5 runbook.value: `s0` has a time of day, and the launch has no window to give it a zone and a day ["s0"]
            write a full instant, or give the launch a window
    "#]],
    );
}

#[test]
fn notes_about_fences_find_their_words() {
    let text = "### A\n\n- owner: omar (backup: pia)\n- changes: nothing\n\n```sh run\necho ü\n  ü $NO\n```\n";
    let notes = lint(&contract(shop()), &runbook(text)).notes;
    let span = notes[0].span.unwrap();
    assert_eq!(&text[span.bytes_in(text)], "$NO");
}

#[test]
fn a_thousand_steps_resolve_like_three() {
    let text: String = (0..1000)
        .map(|n| format!("### S{n}\n\n- owner: omar (backup: pia)\n- on: web, 1 at a time\n- changes: nothing\n\n```sh run\necho $PORT\n```\n\n"))
        .collect();
    let (plan, notes) = resolve(&contract(shop()), &runbook(&text), &"production".into());
    assert_eq!((plan.unwrap().steps.len(), notes.len()), (1000, 0));
}

proptest! {
    #[test]
    fn whatever_can_be_read_resolves_or_says_why(
        steps in proptest::collection::vec(proptest::collection::vec(prop::sample::select(vec![
            "- after: nothing", "- after: s0", "- after: s3, s1", "- after: s9", "- on: web", "- on: wbe",
            "- on: web, 1, then 25%, then all", "- on: web3", "- only in: production", "- only in: moon",
            "- secrets: DB_KEY", "- secrets: NONE", "- at: 09:30", "- approve: 9 of operations",
            "- when: vars.DB == vars.NO", "- expect: 2m",
        ]), 0..4), 1..8),
        script in prop::sample::select(vec!["echo $PORT $DB", "echo $NO", "echo 'X=' >>$BATON_OUTPUT; echo $X", "((("]),
        production in any::<bool>(),
    ) {
        let text: String = steps.iter().enumerate().map(|(n, lines)| {
            format!("### S{n}\n\n- owner: omar (backup: pia)\n{}\n\n```sh run\n{script}\n```\n\n", lines.join("\n"))
        }).collect();
        let (runbook, _) = book::parse(text.as_bytes());
        let Some(runbook) = runbook else { return Ok(()) };
        let contract = contract(shop());
        let name = EnvName::new(if production { "production" } else { "staging" });
        let (plan, notes) = resolve(&contract, &runbook, &name);
        prop_assert_eq!(plan.is_none(), notes.iter().any(|note| book::CODES.contains(&note.code.0)));
        let linted = lint(&contract, &runbook);
        prop_assert!(linted.notes.len() >= notes.len());
        let broken = linted.notes.iter().any(|note| book::CODES.contains(&note.code.0));
        let launched = linted.plan(&contract, &runbook);
        prop_assert_eq!(launched.is_none(), broken);
        if production && !broken {
            prop_assert_eq!(&launched, &plan);
        }
        let Some(plan) = plan else { return Ok(()) };
        let mut done: Vec<&StepId> = Vec::new();
        for step in &plan.steps {
            prop_assert!(step.after_ids.iter().all(|id| done.contains(&id)), "{}", step.id());
            prop_assert_eq!(step.elsewhere, step.stages.is_empty());
            done.push(step.id());
        }
    }
}
