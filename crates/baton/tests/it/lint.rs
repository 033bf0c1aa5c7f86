//! `lint`: everything that is wrong, each with its place and a hint.

use expect_test::expect;

use crate::env::TestEnv;

/// A small valid handoff.
pub(crate) fn handoff() -> TestEnv {
    let mut env = TestEnv::new();
    env.set("TZ", "UTC");
    env.write("handoff.yaml", CONTRACT);
    env.write("runbook.md", RUNBOOK);
    env.write("dist/shop", "the release\n");
    env
}

const CONTRACT: &str = r#"name: shop
from: development
to: operations
touches: [shop, orders-db]
people:
  dana: { name: Dana Ito }
  lee: { name: Lee Novak }
  omar: { name: Omar Diaz }
  pia: { name: Pia Lund }
teams:
  development: [dana, lee]
  operations: [omar, pia]
roles:
  launch-lead: { owner: omar, backup: pia }
  rollback-decider: { owner: pia, backup: omar }
release: { version: 2.4.0, kind: code, artifacts: [dist/shop] }
environments:
  staging:
    hosts: { web1: { dir: env/staging/web1 }, web2: { dir: env/staging/web2 } }
    groups: { web: [web1, web2] }
  production:
    hosts: { web1: { dir: env/production/web1 }, web2: { dir: env/production/web2 } }
    groups: { web: [web1, web2] }
launch:
  environment: production
  window: { opens: 2026-11-25T09:00:00+01:00, closes: 2026-11-25T09:30:00+01:00 }
expectations: { declined: One team in two hats, by: dana }
done:
  - { id: privacy, says: The privacy review is signed, owner: pia, sign: pia }
parity: { compare: [staging], facts: [os] }
success: { declined: Nothing measures it yet, by: dana }
runbook: runbook.md
rehearsal: { in: staging, within: 7d }
room: { declined: We sit at one table, by: omar }
review: { within: 5d }
"#;

const RUNBOOK: &str = r#"# Launch shop

## Prepare

### Back up the orders {#backup}

- owner: omar (backup: pia)
- expect: 2m
- changes: nothing

```sh run
true
```

## Roll out

### Install the new version {#install}

- owner: lee (backup: dana)
- on: web, 1 at a time
- expect: 30m
- approve: 1 of operations

```sh run
true
```

```sh undo
true
```

### Cut the old wire {#cut}

- owner: operations (backup: development)
- no way back: The wire is gone

```sh run
true
```
"#;

#[test]
fn every_note_has_its_place_and_a_hint() {
    let env = handoff();
    env.write("handoff.yaml", &CONTRACT.replace("from:", "fromm:"));
    let ran = env.baton(&["lint"]).exits(2);
    expect![[r#"
        error[contract.missing-key]: the contract has no `from`
         --> handoff.yaml:1:1
          |
        1 | name: shop
          | ^
          |
          = help: add `from: …` to the contract

        error[contract.unknown-key]: the contract has an unknown key `fromm`
         --> handoff.yaml:2:1
          |
        2 | fromm: development
          | ^^^^^
          |
          = help: did you mean `from`?

    "#]]
    .assert_eq(&ran.err);
    expect![[r#"
        handoff.yaml: 2 errors
    "#]]
    .assert_eq(&ran.out);

    env.write("handoff.yaml", CONTRACT);
    env.write(
        "runbook.md",
        &RUNBOOK
            .replace("owner: lee (", "ownr: lee (")
            .replace("- no way back: The wire is gone\n", "- on: db\n"),
    );
    let ran = env.baton(&["lint"]).exits(2);
    expect![[r#"
        error[runbook.attribute]: a step has no attribute `ownr`
          --> runbook.md:19:3
           |
        19 | - ownr: lee (backup: dana)
           |   ^^^^^^^^^^^^^^^^^^^^^^^^
           |
           = help: did you mean `owner`?

        error[runbook.no-undo]: `cut` changes something and has no undo, nor says why there is no way back
          --> runbook.md:32:24
           |
        32 | ### Cut the old wire {#cut}
           |                        ^^^
           |
           = help: add a fence `sh undo`, or say `no way back: REASON` or `changes: nothing`

    "#]].assert_eq(&ran.err);
    expect![[r#"
        handoff.yaml and runbook.md: 2 errors
    "#]]
    .assert_eq(&ran.out);
}

#[test]
fn programs_get_the_same_notes() {
    let env = handoff();
    let ran = env.baton(&["lint", "--format", "json"]).exits(0);
    assert_eq!(ran.json(), serde_json::json!({ "format": 1, "notes": [] }));
    env.write(
        "handoff.yaml",
        &CONTRACT.replace("owner: pia, sign", "ownr: pia, sign"),
    );
    let ran = env.baton(&["lint", "--format", "json"]).exits(2);
    let notes = &ran.json()["notes"];
    assert_eq!(notes[0]["code"], "contract.unknown-key");
    assert_eq!(notes[0]["file"], "handoff.yaml");
    assert_eq!(
        (&notes[0]["line"], &notes[0]["column"]),
        (&29.into(), &56.into())
    );
    assert_eq!(notes[0]["hint"], "did you mean `owner`?");
    assert_eq!(ran.err, "");
}

#[test]
fn missing_files_are_named() {
    let env = TestEnv::new();
    let ran = env.baton(&["lint"]).exits(2);
    expect![[r#"
        error: cannot read handoff.yaml: No such file or directory (os error 2)
        hint: `baton init` writes a contract and a runbook; `--file` names another contract
    "#]]
    .assert_eq(&ran.err);
    env.write("handoff.yaml", CONTRACT);
    let ran = env.baton(&["lint"]).exits(2);
    expect![[r#"
        error[contract.reference]: the runbook runbook.md cannot be read: No such file or directory (os error 2)
          --> handoff.yaml:32:10
           |
        32 | runbook: runbook.md
           |          ^^^^^^^^^^
           |
           = help: `baton init` writes one, or name the file under `runbook:`

    "#]].assert_eq(&ran.err);
    expect![[r#"
        handoff.yaml: 1 error
    "#]]
    .assert_eq(&ran.out);
}

#[test]
fn the_schema_is_one_of_json_schema() {
    let ran = TestEnv::new().baton(&["lint", "--schema"]).exits(0);
    let schema = ran.json();
    assert_eq!(schema["title"], "Baton contract (handoff.yaml)");
    assert!(schema["properties"]["people"].is_object());
}
