//! The promise of the product: changing any one of the things a digest is bound
//! to changes it; changing anything else does not.

use std::collections::BTreeSet;

use expect_test::expect;
use serde_json::{Value, json};

use super::digest;
use super::tests::{contract, runbook, shop};
use super::*;
use crate::handoff::runbook::Runbook;
use crate::id::canonical;

/// Steps that together use every attribute and every role of a fence.
const BOOK: &str = "# T\n\n## P\n\n### First {#first}\n\n- owner: launch-lead (backup: lee)\n- changes: nothing\n\
    - [ ] Look\n\n### Second\n\n- owner: lee (backup: dana)\n- after: first\n- on: web, 1, then 25%, then all\n\
    - expect: 2m\n- timeout: 5m\n- retry: 2 every 5s\n- at: 09:30\n- when: environment == 'production'\n\
    - secrets: DB_KEY\n- no way back: gone\n- safe to repeat: yes\n- only in: production\n\
    - approve: 2 of operations\n- watch: 10m\n\n```sh preflight\nwhich x\n```\n\n```sh run\nx\n```\n\n\
    ```sh verify\ny\n```\n\n```text undo\nCall.\n```\n\n### Third\n\n- owner: omar (backup: pia)\n\
    - after: first\n- on: web1\n- at: 2026-11-25T09:30:00Z\n- changes: nothing\n\n### Fourth\n\n\
    - owner: omar (backup: pia)\n- on: web, 2 at a time\n- after: first, third\n- changes: nothing\n";

/// Both files as values, so that one field of them can be changed by its path.
fn base() -> Value {
    json!({ "contract": shop(), "runbook": serde_json::to_value(runbook(BOOK)).unwrap() })
}

fn plan(both: &Value, environment: &str) -> Plan {
    let runbook: Runbook = serde_json::from_value(both["runbook"].clone()).unwrap();
    let (plan, notes) = resolve(
        &contract(both["contract"].clone()),
        &runbook,
        &environment.into(),
    );
    plan.unwrap_or_else(|| panic!("{notes:#?}"))
}

/// Which digests of the production plan differ.
fn changed(both: &Value) -> String {
    let (old, new) = (
        plan(&base(), "production").digests,
        plan(both, "production").digests,
    );
    let mut names = Vec::new();
    names.extend((old.content != new.content).then_some("content"));
    names.extend((old.procedure != new.procedure).then_some("procedure"));
    names.extend((old.roster != new.roster).then_some("roster"));
    let environments = old.environments.keys().chain(new.environments.keys());
    let differ =
        environments.filter(|name| old.environments.get(*name) != new.environments.get(*name));
    names.extend(differ.map(|name| name.as_str()).collect::<BTreeSet<_>>());
    names.join(" ")
}

/// A field with its names and positions replaced by `*`.
fn pattern(path: &str) -> String {
    let mut out = Vec::new();
    let mut named = false;
    for part in path.split('/').skip(1) {
        out.push(if named || part.parse::<usize>().is_ok() {
            "*"
        } else {
            part
        });
        let holds_names = [
            "people",
            "teams",
            "roles",
            "environments",
            "hosts",
            "groups",
            "vars",
            "secrets",
        ];
        named = holds_names.contains(&part) && !named;
    }
    out.join("/")
}

/// Every field that holds something, as a pattern.
fn fields(value: &Value, path: &str, out: &mut BTreeSet<String>) {
    match value {
        Value::Null => {}
        Value::Object(map) => map
            .iter()
            .for_each(|(key, value)| fields(value, &format!("{path}/{key}"), out)),
        Value::Array(list) => list
            .iter()
            .enumerate()
            .for_each(|(n, value)| fields(value, &format!("{path}/{n}"), out)),
        Value::String(_) | Value::Number(_) | Value::Bool(_) => {
            out.insert(pattern(path));
        }
    }
}

/// Each field with another value and the digests that then change. Step 1 of
/// the runbook is the one that says everything.
const ROWS: &str = r#"
/contract/summary "x" ->
/contract/name "x" -> content
/contract/from "x" -> content
/contract/to "x" -> content
/contract/touches/0 "x" -> content
/contract/people/dana/name "x" -> content
/contract/people/dana/email "x" -> content
/contract/people/dana/zone "UTC" -> content
/contract/people/dana/hours/days/5 true -> content
/contract/people/dana/hours/from 1 -> content
/contract/people/dana/hours/to 1 -> content
/contract/people/dana/key "x" -> content
/contract/teams/operations/1 "lee" -> content
/contract/teams/development/1 "pia" -> content roster
/contract/roles/launch-lead/owner "pia" -> content roster
/contract/roles/launch-lead/backup "lee" -> content roster
/contract/release/version "x" -> content
/contract/release/kind "data" -> content
/contract/release/artifacts/0 "x" -> content
/contract/environments/staging/hosts/web1/dir "x" -> content staging
/contract/environments/production/hosts/web1/ssh "x" -> content production
/contract/environments/production/hosts/web1/vars/PORT "x" -> content production
/contract/environments/production/groups/web/2 "web1" -> content production
/contract/environments/production/vars/DB "x" -> content production
/contract/environments/production/secrets/DB_KEY/command "x" -> content production
/contract/environments/staging/secrets/DB_KEY/env "x" -> content staging
/contract/environments/staging/secrets/OTHER_KEY/file "x" -> content staging
/contract/launch/environment "staging" -> content
/contract/launch/window/opens "2026-11-25T08:30:00Z" -> content
/contract/launch/window/closes "2026-11-25T10:00:00Z" -> content
/contract/launch/window/offset_s 0 -> content
/contract/launch/freezes/0/span/from "2026-12-21T00:00:00Z" -> content
/contract/launch/freezes/0/span/to "2027-01-03T00:00:00Z" -> content
/contract/launch/freezes/0/span/because "x" -> content
/contract/launch/freezes/1/calendar "x" -> content
/contract/expectations/defined/0/id "x" -> content
/contract/expectations/defined/0/ask "x" -> content
/contract/expectations/defined/0/answer "text" -> content
/contract/expectations/defined/0/within 0.2 -> content
/contract/done/0/id "x" -> content
/contract/done/0/says "x" -> content
/contract/done/0/owner "lee" -> content
/contract/done/0/backup "pia" -> content
/contract/done/0/run "x" -> content
/contract/done/0/refuses "x" -> content
/contract/done/0/in "production" -> content
/contract/done/0/fresh 1 -> content
/contract/done/0/timeout 1 -> content
/contract/done/0/sign "omar" -> content
/contract/parity/defined/compare/0 "x" -> content
/contract/parity/defined/fresh 1 -> content
/contract/success/defined/0/id "x" -> content
/contract/success/defined/0/says "x" -> content
/contract/success/defined/0/owner "pia" -> content
/contract/success/defined/0/backup "lee" -> content
/contract/success/defined/0/at_most 0.02 -> content
/contract/success/defined/0/worse_by 0.02 -> content
/contract/success/defined/0/source/prometheus/server "x" -> content
/contract/success/defined/0/source/prometheus/bad "x" -> content
/contract/success/defined/0/source/prometheus/total "x" -> content
/contract/success/defined/1/source/probe/url "x" -> content
/contract/success/defined/1/source/probe/every 1 -> content
/contract/success/defined/1/quantile/q 0.5 -> content
/contract/success/defined/1/quantile/limit 1 -> content
/contract/watch/for 1 -> content
/contract/watch/on_harm "stop" -> content
/contract/watch/false_alarm 0.1 -> content
/contract/waivers/0/blocker "parity.stale" -> content
/contract/waivers/0/match/0 "x" -> content
/contract/waivers/0/because "x" -> content
/contract/waivers/0/owner "pia" -> content
/contract/waivers/0/until/Ok "2026-12-02T00:00:00Z" -> content
/contract/runbook "x" -> content
/contract/rehearsal/defined/in "production" -> content
/contract/rehearsal/defined/within 1 -> content
/contract/room/defined/notify/0/slack/url/env "x" -> content
/contract/review/defined/within 1 -> content
/runbook/title "x" ->
/runbook/steps/1/id "x" -> content procedure roster
/runbook/steps/1/title "x" ->
/runbook/steps/1/phase "x" ->
/runbook/steps/1/line 999 ->
/runbook/steps/1/owner "omar" -> content roster
/runbook/steps/0/owner "omar" -> content
/runbook/steps/1/backup "omar" -> content roster
/runbook/steps/3/after/1 "second" -> content procedure
/runbook/steps/1/on/target "web1" -> content procedure
/runbook/steps/1/on/spread "all" -> content procedure
/runbook/steps/2/on/spread { "atatime": 1 } -> content procedure
/runbook/steps/3/on/spread/atatime 1 -> content procedure
/runbook/steps/1/on/spread/stages/0/hosts 2 -> content procedure
/runbook/steps/1/on/spread/stages/1/percent 30 -> content procedure
/runbook/steps/1/on/spread/stages/2 { "percent": 90 } -> content procedure
/runbook/steps/1/expect 1 -> content
/runbook/steps/1/timeout 1 -> content procedure
/runbook/steps/1/retry/times 1 -> content procedure
/runbook/steps/1/retry/every 1 -> content procedure
/runbook/steps/1/at/minute 1 -> content
/runbook/steps/2/at/instant "2026-11-25T09:31:00Z" -> content
/runbook/steps/1/when "release == 'x'" -> content procedure
/runbook/steps/1/secrets/0 "OTHER_KEY" -> content procedure
/runbook/steps/1/changes false -> content procedure
/runbook/steps/1/no_way_back "x" -> content procedure
/runbook/steps/1/safe_to_repeat false -> content procedure
/runbook/steps/1/only_in "staging" -> content procedure
/runbook/steps/1/approve/count 1 -> content procedure
/runbook/steps/1/approve/of "development" -> content procedure
/runbook/steps/1/watch 1 -> content procedure
/runbook/steps/1/run/lang "bash" -> content procedure
/runbook/steps/1/run/body "z\n" -> content procedure
/runbook/steps/1/run/line 999 ->
/runbook/steps/1/verify/lang "bash" -> content procedure
/runbook/steps/1/verify/body "z\n" -> content procedure
/runbook/steps/1/verify/line 999 ->
/runbook/steps/1/undo/lang "sh" -> content procedure
/runbook/steps/1/undo/body "z\n" -> content procedure
/runbook/steps/1/undo/line 999 ->
/runbook/steps/1/preflight/lang "bash" -> content procedure
/runbook/steps/1/preflight/body "z\n" -> content procedure
/runbook/steps/1/preflight/line 999 ->
/runbook/steps/0/tasks/0 "x" -> content procedure
"#;

#[test]
fn every_field_is_bound_to_exactly_what_it_should() {
    let mut covered = BTreeSet::new();
    for row in ROWS.trim().lines() {
        let (change, expected) = row.split_once(" ->").unwrap();
        let (path, value) = change.split_once(' ').unwrap();
        let value: Value = serde_json::from_str(value).unwrap();
        let mut both = base();
        let field = both
            .pointer_mut(path)
            .unwrap_or_else(|| panic!("no field {path}"));
        assert_ne!(*field, value, "{path} is changed");
        *field = value;
        assert_eq!(changed(&both), expected.trim_start(), "{path}");
        covered.insert(pattern(path));
    }
    let mut all = BTreeSet::new();
    fields(&base(), "", &mut all);
    let missing: Vec<&String> = all.difference(&covered).collect();
    assert!(missing.is_empty(), "fields without a row: {missing:#?}");
}

#[test]
fn layout_and_prose_are_bound_to_nothing() {
    let contract = contract(shop());
    let digests = |text: &str| {
        let (plan, notes) = resolve(&contract, &runbook(text), &"production".into());
        plan.unwrap_or_else(|| panic!("{notes:#?}")).digests
    };
    let text = format!(
        "\u{feff}Prose.\n\n{}",
        BOOK.replace("```sh run", "More *prose*.\n\n````sh run")
            .replace(
                "x\n```\n\n```sh verify",
                "x\n````\n\n```sh example\nz\n```\n\n```sh verify"
            )
            .replace("- [ ] Look", "* [ ] Look")
            .replace("## P", "## Another phase")
            .replace("### First", "### Quite another title")
    );
    assert_eq!(digests(&text.replace('\n', "\r\n")), digests(BOOK));
}

#[test]
fn every_environment_has_the_same_digests() {
    assert_eq!(
        plan(&base(), "staging").digests,
        plan(&base(), "production").digests
    );
}

#[test]
fn steps_are_bound_to_their_order() {
    let mut both = base();
    both["runbook"]["steps"].as_array_mut().unwrap().swap(1, 2);
    assert_eq!(changed(&both), "content procedure");
    let mut both = base();
    both["runbook"]["steps"].as_array_mut().unwrap().remove(3);
    assert_eq!(changed(&both), "content procedure roster");
}

#[test]
fn the_same_order_said_otherwise_is_no_new_procedure() {
    let mut both = base();
    both["runbook"]["steps"][1]["after"] = Value::Null;
    assert_eq!(changed(&both), "content");
    let mut both = base();
    both["runbook"]["steps"][3]["after"] = json!(["third", "first"]);
    assert_eq!(changed(&both), "content");
}

/// The bytes that are hashed, for those who write another program that does.
#[test]
fn golden_views() {
    let contract = contract(json!({
        "name": "n", "summary": "s", "from": "a", "to": "b", "touches": [],
        "people": { "p": { "name": "P" }, "q": { "name": "Q" } }, "teams": { "b": ["q", "p"] },
        "roles": { "r": { "owner": "b" } },
        "release": { "version": "1", "kind": "code", "artifacts": [] },
        "environments": { "e": { "hosts": { "h": { "vars": {} } }, "groups": {}, "vars": { "K": "v" },
            "secrets": { "S": { "env": "X" } } } },
        "launch": { "environment": "e", "freezes": [] }, "expectations": "undefined", "done": [],
        "parity": "undefined", "success": { "declined": { "declined": "w", "by": "p" } }, "waivers": [],
        "runbook": "r.md", "rehearsal": "undefined", "room": "undefined", "review": "undefined"
    }));
    let runbook = runbook(
        "### T {#t}\n\n- owner: p (backup: q)\n- on: h\n\n```sh run\nx\n```\n\n```sh undo\ny\n```\n",
    );
    let (plan, notes) = resolve(&contract, &runbook, &"e".into());
    let plan = plan.unwrap_or_else(|| panic!("{notes:#?}"));
    let views = [
        canonical(&digest::content(&contract, &runbook)),
        canonical(&digest::procedure(&plan.steps)),
        canonical(&digest::roster(&contract, &plan.steps)),
    ];
    let views = views.map(|bytes| String::from_utf8(bytes).unwrap());
    expect![[r#"
        {"of":{"contract":{"done":[],"environments":{"e":{"groups":{},"hosts":{"h":{"dir":null,"ssh":null,"vars":{}}},"secrets":{"S":{"env":"X"}},"vars":{"K":"v"}}},"expectations":"undefined","from":"a","launch":{"environment":"e","freezes":[],"window":null},"name":"n","parity":"undefined","people":{"p":{"email":null,"hours":null,"key":null,"name":"P","zone":null},"q":{"email":null,"hours":null,"key":null,"name":"Q","zone":null}},"rehearsal":"undefined","release":{"artifacts":[],"kind":"code","version":"1"},"review":"undefined","roles":{"r":{"backup":null,"owner":"b"}},"room":"undefined","runbook":"r.md","success":{"declined":{"by":"p","declined":"w"}},"summary":null,"teams":{"b":["q","p"]},"to":"b","touches":[],"waivers":[],"watch":null},"steps":[{"backup":"q","does":{"changes":true,"on":{"spread":"all","target":"h"},"run":{"body":"x\n","lang":"sh"},"safe_to_repeat":false,"timeout":600000,"undo":{"body":"y\n","lang":"sh"}},"id":"t","owner":"p"}]},"view":"content 1"}
        {"of":[{"does":{"changes":true,"on":{"spread":"all","target":"h"},"run":{"body":"x\n","lang":"sh"},"safe_to_repeat":false,"timeout":600000,"undo":{"body":"y\n","lang":"sh"}},"id":"t"}],"view":"procedure 1"}
        {"of":{"roles":{"r":{"backups":[],"owners":["p","q"]}},"steps":{"t":{"backups":["q"],"owners":["p"]}}},"view":"roster 1"}"#]].assert_eq(&views.join("\n"));
    expect![[r#"
        {
          "content": "sha256:85c8967fc50493742947f65ed3e41fe3603afb0d974ed3241e1f805fc38cce6a",
          "procedure": "sha256:41f96aaf08b9c559952bd91f2a901aed8263067caf39fa60397bbfa43d2ac19c",
          "roster": "sha256:3481c3186dcc535c2a0d084db12683cdad07269b21c9d53a2a6995988e430be5",
          "environments": {
            "e": "sha256:80589ef22409079ac74f62441b6cbe3613d52b7afb05be13e9ba6ff2450543f4"
          }
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&plan.digests).unwrap());
}
