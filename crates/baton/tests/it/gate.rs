//! The way to a launch: check, answer, offer, accept, sign, fingerprint,
//! parity, waive.

use serde_json::Value;

use crate::env::{Ran, TestEnv};

const STAGING_KEY: &str = "canary-of-staging-5150";
const PRODUCTION_KEY: &str = "canary-of-production-9218";

const CONTRACT: &str = r#"# What we agreed.
name: shop
from: development
to: operations
touches: [shop]
people:
  dana: { name: Dana Ito, email: dana@shop.example }
  lee:  { name: Lee Novak, email: lee@shop.example }
  omar: { name: Omar Diaz, email: omar@shop.example }
  pia:  { name: Pia Lund, email: pia@shop.example }
teams:
  development: [dana, lee]
  operations: [omar, pia]
roles:
  launch-lead:      { owner: omar, backup: pia }
  rollback-decider: { owner: pia, backup: omar }
release: { version: 2.4.0, kind: code, artifacts: [dist/shop] }
environments:
  staging:
    hosts: { web1: { dir: "env/$NAME/web1" } }
    groups: { web: [web1] }
    vars: { NAME: staging, DB: orders.db }
    secrets: { DB_KEY: { env: STAGING_DB_KEY } }
  production:
    hosts: { web1: { dir: "env/$NAME/web1" } }
    groups: { web: [web1] }
    vars: { NAME: production, DB: orders.db }
    secrets: { DB_KEY: { env: PRODUCTION_DB_KEY } }
launch: { environment: production }
expectations:
  - { id: peak, ask: "Peak orders per minute?", answer: number, within: 10% }
  - { id: currency, ask: "Unit of the amount field?", answer: [cents, euros] }
done:
  - id: tests
    says: The test suite passes on this release
    owner: dana
    run: test "$DB" = orders.db && test "$BATON_ENVIRONMENT" = production && echo "the key is $DB_KEY" && sh suite.sh
    refuses: test "$DB" = other.db
    fresh: 24h
  - { id: place, says: Staging is staging, owner: lee, in: staging, run: 'test "$NAME" = staging' }
  - { id: privacy, says: The privacy review is signed, owner: pia, sign: pia }
parity:
  compare: [staging]
  fresh: 24h
  facts:
    - env: { names: ["DB*"] }
    - files: { paths: ["config/**", installed] }
  rules:
    - { match: "env:DB_KEY", is: must-differ }
success: { declined: Nobody calls it yet, by: dana }
runbook: runbook.md
rehearsal: { in: staging, within: 7d }
room: { declined: We sit at one table, by: pia }
review: { within: 5d }
"#;

const RUNBOOK: &str = r#"# Launch shop

### Install {#install}

- owner: lee (backup: dana)
- on: web
- expect: 1m
- secrets: DB_KEY

```sh preflight
test -d config && test -n "$DB_KEY"
```

```sh run
echo "installing with $DB_KEY"
echo new > installed
```

```sh verify
grep -q new installed
```

```sh undo
rm -f installed
```
"#;

fn shop() -> TestEnv {
    let mut env = TestEnv::new();
    env.set("STAGING_DB_KEY", STAGING_KEY);
    env.set("PRODUCTION_DB_KEY", PRODUCTION_KEY);
    env.write("handoff.yaml", CONTRACT);
    env.write("runbook.md", RUNBOOK);
    env.write("dist/shop", "build 240\n");
    env.write("suite.sh", "echo all well\n");
    for place in ["staging", "production"] {
        env.write(
            &format!("env/{place}/web1/config/app.toml"),
            "workers = 4\n",
        );
    }
    env
}

/// The codes of the blockers that stand.
fn codes(report: &Value) -> Vec<&str> {
    let blockers = report["blockers"].as_array().unwrap();
    blockers
        .iter()
        .map(|blocker| blocker["code"].as_str().unwrap())
        .collect()
}

fn report(env: &TestEnv) -> Value {
    env.baton(&["check", "--now", "--format", "json"]).json()
}

fn state<'r>(report: &'r Value, key: &str) -> &'r str {
    let mut questions = report["questions"].as_array().unwrap().iter();
    let question = questions.find(|question| question["key"] == key).unwrap();
    question["state"].as_str().unwrap()
}

/// Answers until both sides mean the same.
fn align(env: &TestEnv) {
    for (person, id, value) in [
        ("dana", "peak", "1000"),
        ("omar", "peak", "1050"),
        ("dana", "currency", "cents"),
        ("omar", "currency", "Cents"),
    ] {
        let _done = env.says(person, &["answer", id, value]).exits(0);
    }
    let _opened = env.says("dana", &["check", "--now"]);
}

#[test]
fn a_handoff_goes_from_not_ready_to_ready() {
    let env = shop();
    let mut seen: Vec<Ran> = Vec::new();

    let first = env.says("dana", &["check", "--format", "json"]).exits(1);
    let report = first.json();
    assert_eq!(report["format"], 1);
    assert_eq!(report["verdict"], "not-ready");
    assert_eq!(report["environment"], "production");
    assert_eq!(report["questions"].as_array().unwrap().len(), 8);
    assert_eq!(state(&report, "room"), "declined");
    assert!(first.err.contains("[1/2] tests: "), "{}", first.err);
    // The command ran and its guard refused: only the signature is open.
    let open = codes(&report);
    assert!(open.contains(&"definition.unsigned"), "{open:?}");
    let evidence = |code: &&&str| code.starts_with("definition.");
    assert_eq!(open.iter().filter(evidence).count(), 1, "{open:?}");
    assert!(!open.contains(&"runbook.secret-unresolved"), "{open:?}");
    seen.push(first);

    align(&env);
    seen.push(env.says("pia", &["sign", "privacy"]).exits(0));
    seen.push(env.says("dana", &["offer"]).exits(0));
    seen.push(env.says("omar", &["accept"]).exits(0));
    for person in ["dana", "lee", "omar", "pia"] {
        seen.push(env.says(person, &["accept", "--mine"]).exits(0));
    }
    seen.push(env.baton(&["parity"]).exits(3));
    for place in ["staging", "production"] {
        seen.push(env.says("omar", &["fingerprint", place]).exits(0));
    }
    seen.push(env.baton(&["parity"]).exits(0));
    seen.push(env.says("omar", &["rehearse"]).exits(0));
    // Dana has proven access above, Lee has not yet.
    let before = env.says("dana", &["check", "--format", "json"]).exits(1);
    assert_eq!(codes(&before.json()), ["ownership.no-access"]);
    seen.push(before);

    let last = env.says("lee", &["check"]).exits(0);
    assert!(
        last.out.starts_with("shop 2.4.0 → production: ready\n"),
        "{}",
        last.out
    );
    assert!(
        last.out.ends_with("next: baton launch --as omar\n"),
        "{}",
        last.out
    );
    assert!(!last.err.contains("tests:"), "{}", last.err);
    seen.push(last);

    std::fs::remove_file(env.work().join("dist/shop")).unwrap();
    seen.push(env.baton(&["check", "--now"]).exits(3));
    for canary in [STAGING_KEY, PRODUCTION_KEY] {
        let shows = |ran: &Ran| ran.out.contains(canary) || ran.err.contains(canary);
        assert!(!seen.iter().any(shows), "{canary}");
        assert!(!env.own_folder_holds(canary), "{canary}");
    }
    assert!(env.own_folder_holds("the key is ***"), "the output is kept");
}

#[test]
fn answers_are_blind_until_both_teams_are_in() {
    let env = shop();
    let (ours, theirs) = ("71234567", "12345678");
    let first = env.says("dana", &["answer", "peak", ours]).exits(0);
    assert!(!first.out.contains(ours) && !env.own_folder_holds(ours));
    let second = env.says("omar", &["answer", "peak", theirs]).exits(0);
    assert!(!second.out.contains(ours) && !env.own_folder_holds(ours));
    // Both are committed, so Omar's may be seen; Dana's waits for her home.
    assert!(env.own_folder_holds(theirs));
    let waiting = report(&env);
    let says = waiting["blockers"].to_string();
    assert!(says.contains("it waits to be opened by Dana Ito"), "{says}");

    let opened = env.says("dana", &["check", "--now"]).exits(1);
    assert!(env.own_folder_holds(ours));
    assert!(opened.out.contains("alignment.conflict"), "{}", opened.out);
    assert!(opened.out.contains(ours) && opened.out.contains(theirs));
    for person in ["dana", "omar"] {
        let _done = env.says(person, &["answer", "peak", "70000000"]).exits(0);
    }
    let _opened = env.says("dana", &["check", "--now"]).exits(1);
    let settled = report(&env);
    assert!(!codes(&settled).contains(&"alignment.conflict"));
    assert!(!settled["blockers"].to_string().contains("peak"));
}

#[test]
fn words_come_only_from_those_who_may_give_them() {
    let env = shop();
    let refused = |person: &str, args: &[&str], code: i32, says: &str| {
        let ran = env.says(person, args).exits(code);
        assert!(ran.err.contains(says), "{}", ran.err);
        assert!(ran.err.contains("hint:"), "{}", ran.err);
        assert_eq!(ran.out, "");
    };
    refused("omar", &["offer"], 1, "development hands over: dana or lee");
    refused("dana", &["accept"], 1, "operations takes over: omar or pia");
    refused("omar", &["accept"], 1, "nobody of development has offered");
    refused("omar", &["sign", "privacy"], 1, "is signed by Pia Lund");
    refused("pia", &["sign", "privac"], 2, "no criterion privac");
    refused("pia", &["sign", "tests"], 2, "it has a command");
    refused("zoe", &["offer"], 2, "knows no zoe");
    refused("dana", &["answer", "peek", "1"], 2, "no expectation peek");
    refused(
        "dana",
        &["answer", "currency", "cent"],
        2,
        "wants cents or euros",
    );
    refused(
        "dana",
        &["answer", "peak", "1", "--team", "operations"],
        1,
        "not a member of operations",
    );
    for word in [
        &["offer"][..],
        &["accept"],
        &["sign", "privacy"],
        &["accept", "--mine"],
    ] {
        let ran = env.baton(word).exits(2);
        assert!(ran.err.contains("it is not guessed"), "{}", ran.err);
    }
    let ran = env.baton(&["answer", "peak", "1"]).exits(2);
    assert!(
        ran.err.contains("cannot tell who is speaking"),
        "{}",
        ran.err
    );
    let _done = env.says("dana", &["offer"]).exits(0);
    env.write(
        "handoff.yaml",
        &CONTRACT.replace("within: 5d", "within: 6d"),
    );
    refused("omar", &["accept"], 1, "has changed since it was offered");
}

#[test]
fn a_waiver_is_written_sets_aside_and_lapses_the_acceptance() {
    let env = shop();
    env.write("env/production/web1/config/app.toml", "workers = 8\n");
    for place in ["staging", "production"] {
        let _done = env.says("omar", &["fingerprint", place]).exits(0);
    }
    let different = env.baton(&["parity", "--format", "json"]).exits(1).json();
    assert_eq!(different["verdict"], "different");
    assert_eq!(different["environment"], "production");
    assert_eq!(different["fingerprints"].as_array().unwrap().len(), 2);
    let one = &different["differences"][0];
    let shown = env.baton(&["parity", "staging", "production"]).exits(1);
    assert!(shown.out.contains("files:config/app.toml"), "{}", shown.out);
    let _done = env.says("dana", &["offer"]).exits(0);
    let _done = env.says("omar", &["accept"]).exits(0);
    assert!(codes(&report(&env)).contains(&"parity.unexplained"));

    let mut waive = vec!["waive", "parity.unexplained"];
    for name in one["names"].as_array().unwrap() {
        waive.extend(["--match", name.as_str().unwrap()]);
    }
    waive.extend(["--because", "More cores there", "--until"]);
    let until = |end| [&waive[..], &[end]].concat();
    let _past = env.says("omar", &until("2020-01-01T00:00:00Z")).exits(2);
    let done = env.says("omar", &until("7d")).exits(0);
    assert!(done.out.contains("acceptance of Omar Diaz"), "{}", done.out);
    assert!(
        done.out.ends_with("next: baton offer --as dana\n"),
        "{}",
        done.out
    );

    let text = env.read("handoff.yaml");
    assert!(
        text.starts_with(CONTRACT) && text.contains("waivers:"),
        "{text}"
    );
    let after = report(&env);
    assert!(!codes(&after).contains(&"parity.unexplained"));
    assert!(codes(&after).contains(&"alignment.lapsed"));
    assert_eq!(state(&after, "parity"), "answered");
    assert_eq!(after["waived"][0]["because"], "More cores there");
    assert_eq!(after["waived"][0]["owner"], "omar");

    let terms = ["--because", "x", "--until", "1d"];
    for (code, says) in [
        ("parity.unexplaned", "did you mean parity.unexplained?"),
        ("alignment.not-accepted", "cannot be waived"),
        ("parity.waiver-expired", "cannot be waived"),
    ] {
        let ran = env.says("omar", &[&["waive", code][..], &terms].concat());
        assert!(ran.err.contains(says), "{}", ran.err);
        let _ran = ran.exits(2);
    }
    assert_eq!(env.read("handoff.yaml"), text);
}

#[test]
fn a_waiver_that_fits_nothing_any_more_is_told_with_its_place() {
    let env = shop();
    env.write("env/production/web1/config/app.toml", "workers = 8\n");
    let waiver = "waivers:\n  - blocker: parity.unexplained\n    match: \"files:config/*\"\n    \
                  because: More cores there\n    owner: omar\n    until: 2126-12-01T00:00:00Z\n";
    let text = format!("{CONTRACT}{waiver}");
    env.write("handoff.yaml", &text);
    for place in ["staging", "production"] {
        let _done = env.says("omar", &["fingerprint", place]).exits(0);
    }
    let whole = env.baton(&["parity"]).exits(1);
    assert!(!whole.out.contains("fits no blocker"), "{}", whole.out);
    env.write("env/production/web1/config/app.toml", "workers = 4\n");
    let _done = env.says("omar", &["fingerprint", "production"]).exits(0);
    let line = text
        .lines()
        .position(|line| line.contains("blocker: parity.unexplained"));
    let place = format!("handoff.yaml:{}:", line.unwrap() + 1);
    let ran = env.baton(&["parity"]).exits(0);
    for ran in [ran, env.baton(&["check", "--now"]).exits(1)] {
        let told = ran.out.replace("\n ", "");
        assert!(
            told.contains(&place) && told.contains("fits no blocker any more"),
            "{told}"
        );
    }
    let sarif = env.baton(&["parity", "--format", "sarif"]).exits(0).json();
    let result = &sarif["runs"][0]["results"][0];
    assert_eq!(
        (&result["ruleId"], &result["level"]),
        (&"contract.waiver-stale".into(), &"warning".into())
    );
    let _page = env.baton(&["explain", "contract.waiver-stale"]).exits(0);
}

#[test]
fn what_changes_between_two_readings_is_proposed_to_be_pasted() {
    let env = shop();
    // Every reading finds another number, another file, and a list in another order.
    let counts = "n=$(cat n 2>/dev/null || echo 0); echo $((n + 1)) >n; rm -f config/run.*; \
                  echo x >config/run.$n; printf '{\\\"up\\\": %s, \\\"kind\\\": \\\"a\\\"}' $n";
    let facts = "    - files: { paths: [\"config/**\", installed] }\n";
    let noisy = format!(
        "    - command: {{ id: up, run: \"{counts}\" }}\n    - files: {{ paths: [\"config/**\"] }}\n"
    );
    let contract = CONTRACT.replace(facts, &noisy);
    assert_ne!(contract, CONTRACT);
    env.write("handoff.yaml", &contract);
    let ran = env
        .says("omar", &["fingerprint", "staging", "--twice=0s"])
        .exits(0);
    let rules: Vec<&str> = ran
        .out
        .lines()
        .skip_while(|line| *line != "parity:")
        .collect();
    let rules: Vec<&str> = rules
        .into_iter()
        .take_while(|line| !line.is_empty())
        .collect();
    let rule = "    - { match: \"command:up#/up\", is: present }";
    assert_eq!(
        rules,
        [
            "parity:",
            "  rules:",
            "    # web1: command:up#/up was 0, then 1",
            rule
        ],
        "{}",
        ran.out
    );
    assert!(!ran.out.contains("command:up#/kind"), "{}", ran.out);
    let came = "--match 'files:config/run.0' --match 'web1' --because";
    assert!(ran.out.contains(came), "{}", ran.out);

    // Pasted, the rule excuses and is told.
    let rules = "    - { match: \"env:DB_KEY\", is: must-differ }\n";
    env.write(
        "handoff.yaml",
        &contract.replace(rules, &format!("{rules}{rule}\n")),
    );
    let ran = env.says(
        "omar",
        &["fingerprint", "staging", "--twice=0s", "--format", "json"],
    );
    let proposed = &ran.exits(0).json()["proposed"];
    assert_eq!(proposed["rules"], serde_json::json!([]));
    assert_eq!(proposed["waivers"][0]["made_from"][0]["host"], "web1");
    let _wrong = env
        .says("omar", &["fingerprint", "staging", "--twice=soon"])
        .exits(2);
}

#[test]
fn what_failed_and_what_nobody_knows_is_told_apart() {
    let env = shop();
    env.write("suite.sh", "echo one is wrong; exit 3\n");
    let failed = env
        .says("dana", &["check", "--format", "json"])
        .exits(1)
        .json();
    let says = failed["blockers"].to_string();
    assert!(says.contains("ended with exit status 3"), "{says}");
    // Evidence is bound to the release: another one has none.
    env.write("suite.sh", "exit 0\n");
    let _good = env.says("dana", &["check"]).exits(1);
    assert!(!codes(&report(&env)).contains(&"definition.failed"));
    env.write("dist/shop", "build 241\n");
    assert!(codes(&report(&env)).contains(&"definition.stale"));
    // A secret that cannot be had is named, and is not equality.
    let mut poor = shop();
    poor.set("STAGING_DB_KEY", "");
    let _partial = poor.says("omar", &["fingerprint", "staging"]).exits(3);
    let _whole = poor.says("omar", &["fingerprint", "production"]).exits(0);
    let ran = poor.baton(&["parity"]).exits(3);
    assert!(ran.out.contains("DB_KEY could not be had"), "{}", ran.out);
}

#[test]
fn the_same_secret_in_both_places_is_found_and_never_shown() {
    let mut env = shop();
    env.set("STAGING_DB_KEY", PRODUCTION_KEY);
    for place in ["staging", "production"] {
        let _done = env.says("omar", &["fingerprint", place]).exits(0);
    }
    let ran = env.baton(&["parity"]).exits(1);
    assert!(ran.out.contains("env:DB_KEY"), "{}", ran.out);
    assert!(!ran.out.contains(PRODUCTION_KEY), "{}", ran.out);
    assert!(!env.own_folder_holds(PRODUCTION_KEY));
}

#[test]
fn verdicts_come_in_the_formats_of_other_tools() {
    let env = shop();
    let sarif = env
        .baton(&["check", "--now", "--format", "sarif"])
        .exits(1)
        .json();
    assert_eq!(sarif["version"], "2.1.0");
    let results = sarif["runs"][0]["results"].as_array().unwrap().len();
    assert_eq!(results, codes(&report(&env)).len());
    let junit = env.baton(&["check", "--now", "--format", "junit"]).exits(1);
    assert!(junit.out.starts_with("<?xml "), "{}", junit.out);
    assert_eq!(junit.out.matches("<testsuite ").count(), 8);
    assert!(junit.out.contains("name=\"alignment.not-offered\""));
    let markdown = env
        .baton(&["check", "--now", "--format", "markdown"])
        .exits(1);
    assert!(
        markdown
            .out
            .starts_with("## shop 2.4.0 → production: not ready")
    );
}

#[test]
fn a_verdict_fits_narrow_and_wide_terminals() {
    for columns in ["40", "100"] {
        let mut env = shop();
        env.set("COLUMNS", columns);
        let text = env.baton(&["check", "--now"]).exits(1).out;
        let most: usize = columns.parse().unwrap();
        let long = |line: &&str| {
            let words = line.trim().split(' ').count();
            words > 2 && line.chars().count() > most
        };
        assert_eq!(text.lines().find(long), None, "{text}");
        assert!(
            text.lines().last().unwrap().starts_with("next: baton "),
            "{text}"
        );
    }
}

#[test]
fn an_environment_that_cannot_be_read_is_not_equal() {
    let mut env = shop();
    let far = CONTRACT.replacen(r#"{ dir: "env/$NAME/web1" }"#, "{ ssh: deploy@web1 }", 1);
    env.write("handoff.yaml", &far);
    env.ssh("echo 'ssh: connect to host web1 port 22: No route to host' >&2; exit 255");
    let ran = env.says("omar", &["fingerprint", "staging"]).exits(3);
    let why = "it cannot be reached: ssh: connect to host web1 port 22: No route to host";
    assert!(ran.out.contains(why), "{}", ran.out);
    let _near = env.says("omar", &["fingerprint", "production"]).exits(0);
    let _unread = env.baton(&["parity"]).exits(3);
    // A changed definition is another environment.
    env.write("handoff.yaml", CONTRACT);
    let ran = env.baton(&["parity"]).exits(3);
    assert!(ran.err.contains("definition has changed"), "{}", ran.err);
    assert!(ran.err.contains("baton fingerprint staging"), "{}", ran.err);
    let _unknown = env.baton(&["fingerprint", "stagin"]).exits(2);
    let _same = env.baton(&["parity", "staging", "staging"]).exits(2);
}

/// Through a program that stands in for `ssh` and runs here what it is told.
#[test]
fn a_host_behind_ssh_is_read_tried_and_rehearsed_like_any_other() {
    let mut env = shop();
    let dir = env.work().join("env/staging/web1");
    let far = format!("{{ ssh: deploy@$HOST, dir: {} }}", dir.display());
    let contract = CONTRACT.replacen(r#"{ dir: "env/$NAME/web1" }"#, &far, 1);
    env.write("handoff.yaml", &contract);
    let told = env.work().join("told");
    env.ssh(&format!(
        "echo \"$*\" >>{}; for last; do :; done; exec sh -c \"$last\"",
        told.display()
    ));
    for place in ["staging", "production"] {
        let _read = env.says("omar", &["fingerprint", place]).exits(0);
    }
    let _equal = env.baton(&["parity"]).exits(0);
    let tried = env.says("lee", &["check", "staging", "--format", "json"]);
    assert!(tried.err.contains("proving access to install on web1"));
    assert!(!tried.out.contains("preflight-failed"), "{}", tried.out);
    let _rehearsed = env.says("lee", &["rehearse"]).exits(0);
    assert_eq!(env.read("env/staging/web1/installed"), "new\n");
    // Each word is an argument of its own; none of them is a secret.
    let told = env.read("told");
    assert!(told.contains(" -- deploy@web1 sh -c "), "{told}");
    assert!(!told.contains(STAGING_KEY), "{told}");
    assert!(!env.own_folder_holds(STAGING_KEY));
}
