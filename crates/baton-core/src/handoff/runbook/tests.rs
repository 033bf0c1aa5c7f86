//! The grammar by table: what is read, and every way to get it wrong.

mod mutations;

use expect_test::{Expect, expect};

use super::*;
use crate::diag::Severity;

const SHOP: &str = include_str!("../fixtures/shop.md");

/// Every note on a line, then whether the runbook can be used.
fn said(bytes: &[u8]) -> String {
    let (runbook, notes) = parse(bytes);
    let mut out = String::new();
    for note in &notes {
        let span = note.span.unwrap_or_else(|| panic!("no span: {note:?}"));
        let hint = note
            .next
            .as_deref()
            .unwrap_or_else(|| panic!("no hint: {note:?}"));
        let warns = if note.severity == Severity::Warning {
            " (warning)"
        } else {
            ""
        };
        out += &format!(
            "{}:{} {}{warns}: {}\n    {hint}\n",
            span.line, span.column, note.code, note.says
        );
    }
    out + if runbook.is_some() {
        "usable\n"
    } else {
        "refused\n"
    }
}

/// What is said about each text, in a table.
fn table(texts: &[&str], expected: &Expect) {
    let table: String = texts
        .iter()
        .map(|text| format!("--- {text:?}\n{}", said(text.as_bytes())))
        .collect();
    expected.assert_eq(&table);
}

/// Puts text below the heading of a step that is otherwise complete.
fn step(rest: &str) -> String {
    format!("### S\n\n- owner: omar (backup: pia)\n- changes: nothing\n{rest}")
}

fn read(text: &str) -> Runbook {
    let (runbook, notes) = parse(text.as_bytes());
    assert_eq!(notes, [], "{text}");
    runbook.unwrap()
}

#[test]
fn the_example_of_the_product_page_is_read_without_a_note() {
    let runbook = read(SHOP);
    assert_eq!(runbook.title.as_deref(), Some("Launch shop 2.4"));
    let summary: String = runbook
        .steps
        .iter()
        .map(|step| {
            let fences = [&step.preflight, &step.run, &step.verify, &step.undo];
            let lines: Vec<u32> = fences
                .into_iter()
                .flatten()
                .map(|fence| fence.line)
                .collect();
            format!(
                "{} {:?} line {} {:?}/{:?} changes {} fences at {lines:?} tasks {:?}\n",
                step.id.value,
                step.phase.as_deref().unwrap_or_default(),
                step.line,
                step.owner.as_ref().map(|at| &at.value),
                step.backup.as_ref().map(|at| &at.value),
                step.changes,
                step.tasks
            )
        })
        .collect();
    expect![[r#"
        back-up-the-orders "Prepare" line 5 Some("omar")/Some("pia") changes false fences at [14, 18] tasks []
        install "Roll out" line 24 Some("lee")/Some("dana") changes true fences at [31, 35, 39, 43] tasks []
        tell-the-customer "Roll out" line 47 Some("lee")/Some("dana") changes false fences at [] tasks ["The status page says \"2.4 is live\"", "The customer's contact answered"]
    "#]].assert_eq(&summary);
    let install = &runbook.steps[1];
    assert_eq!(install.on.as_ref().unwrap().spread, Spread::AtATime(1));
    assert_eq!(install.secrets[0].value, "DB_KEY");
    assert_eq!(install.secrets[0].span.unwrap().column, 12);
    assert_eq!(
        install.undo.as_ref().unwrap().body,
        "ln -sfn releases/2.3.9 current && ./restart\n"
    );
}

#[test]
fn every_attribute_is_read() {
    let runbook = read(
        "### A {#a}\n\n- owner: launch-lead (backup: operations)\n- after: nothing\n\
         - on: web, 1, then 25%, then all\n- expect: 2m\n- timeout: 5m\n- retry: 2 every 5s\n\
         - at: 09:30\n- when: `environment == \"production\"`\n- secrets: A_KEY, B\n\
         - no way back: the old\n  column is dropped\n- safe to repeat: yes\n\
         - only in: production\n- approve: 2 of operations\n- watch: 10m\n- [ ] Look `twice`\n",
    );
    expect![[r#"{"id":"a","title":"A","phase":null,"line":1,"owner":"launch-lead","backup":"operations","after":[],"on":{"target":"web","spread":{"stages":[{"hosts":1},{"percent":25},"all"]}},"expect":120000,"timeout":300000,"retry":{"times":2,"every":5000},"at":{"minute":570},"when":"environment == \"production\"","secrets":["A_KEY","B"],"changes":true,"no_way_back":"the old column is dropped","safe_to_repeat":true,"only_in":"production","approve":{"count":2,"of":"operations"},"watch":600000,"run":null,"verify":null,"undo":null,"preflight":null,"tasks":["Look `twice`"]}"#]].assert_eq(&serde_json::to_string(&runbook.steps[0]).unwrap());
}

#[test]
fn bytes_that_are_no_runbook() {
    table(
        &[
            "",
            " \n\t\n",
            "prose only\n",
            "a\u{0}b\n### S\n",
            "### S\rx\r",
        ],
        &expect![[r####"
            --- ""
            1:1 runbook.syntax: the runbook is empty
                start with `# Title` and a step, `### What is done`; `baton init` writes an example
            refused
            --- " \n\t\n"
            1:1 runbook.syntax: the runbook is empty
                start with `# Title` and a step, `### What is done`; `baton init` writes an example
            refused
            --- "prose only\n"
            1:1 runbook.syntax: the runbook has no step
                a step is a heading with three `#`: `### Install the new version`
            refused
            --- "a\0b\n### S\n"
            1:2 runbook.syntax: the runbook holds the character U+0000, which nobody sees
                take it out: what people read must be what runs
            2:5 ownership.unowned: `s` has no owner
                write `- owner: NAME (backup: NAME)` below its heading
            2:5 runbook.no-undo: `s` changes something and has no undo, nor says why there is no way back
                add a fence `sh undo`, or say `no way back: REASON` or `changes: nothing`
            refused
            --- "### S\rx\r"
            1:5 ownership.unowned: `s` has no owner
                write `- owner: NAME (backup: NAME)` below its heading
            1:5 runbook.no-undo: `s` changes something and has no undo, nor says why there is no way back
                add a fence `sh undo`, or say `no way back: REASON` or `changes: nothing`
            1:6 runbook.syntax: the runbook holds a carriage return that ends no line
                save the file with LF or CRLF as its line ends
            refused
        "####]],
    );
    assert_eq!(
        said(b"### a\n\xff"),
        "2:1 runbook.syntax: the runbook is not UTF-8 text\n    save the file as UTF-8\nrefused\n"
    );
    let large = vec![b'a'; MAX_BYTES + 1];
    assert!(said(&large).contains("too large"));
}

#[test]
fn headings() {
    table(
        &[
            "# A\n\n# B\n\n###\n\n### !!!\n",
            "# A\n\n## B\n\nProse\n---\n\nMore\n===\n",
            "###Install\n\n##Phase\n\n#hashtag is prose\n",
            "### A {#x y}\n### B {#nothing}\n### C {#}\n### Cafe {#café} ##\n",
            "- a\n\n  ### B\n\n> ### quoted is prose\n",
            "### A\n\n#### Detail is prose\n\n    ### B\n\n<details>\n### C\n</details>\n",
        ],
        &expect![[r####"
            --- "# A\n\n# B\n\n###\n\n### !!!\n"
            3:1 runbook.heading: the runbook has a second title
                use `##` for phases and `###` for steps
            5:1 runbook.heading: the heading is empty
                say what it is about
            7:1 runbook.heading: the title `!!!` makes no id
                write one behind it, as in `{#check}`
            refused
            --- "# A\n\n## B\n\nProse\n---\n\nMore\n===\n"
            1:1 runbook.syntax: the runbook has no step
                a step is a heading with three `#`: `### Install the new version`
            5:1 runbook.heading: a line of `-` or `=` turns the text above it into a heading
                write headings with `#`, `##` and `###`; for a rule, put an empty line before it
            8:1 runbook.heading: a line of `-` or `=` turns the text above it into a heading
                write headings with `#`, `##` and `###`; for a rule, put an empty line before it
            refused
            --- "###Install\n\n##Phase\n\n#hashtag is prose\n"
            1:1 runbook.syntax: the runbook has no step
                a step is a heading with three `#`: `### Install the new version`
            1:1 runbook.heading: `###Install` looks like a heading and is read as prose
                put a space behind the `#`
            3:1 runbook.heading: `##Phase` looks like a heading and is read as prose
                put a space behind the `#`
            refused
            --- "### A {#x y}\n### B {#nothing}\n### C {#}\n### Cafe {#café} ##\n"
            1:9 runbook.heading: `{#x y}` is no id of a step
                an id has letters, digits, `-`, `_` and `.`, and is not `nothing`
            2:9 runbook.heading: `{#nothing}` is no id of a step
                an id has letters, digits, `-`, `_` and `.`, and is not `nothing`
            3:9 runbook.heading: `{#}` is no id of a step
                an id has letters, digits, `-`, `_` and `.`, and is not `nothing`
            4:12 ownership.unowned: `café` has no owner
                write `- owner: NAME (backup: NAME)` below its heading
            4:12 runbook.no-undo: `café` changes something and has no undo, nor says why there is no way back
                add a fence `sh undo`, or say `no way back: REASON` or `changes: nothing`
            refused
            --- "- a\n\n  ### B\n\n> ### quoted is prose\n"
            1:1 runbook.syntax: the runbook has no step
                a step is a heading with three `#`: `### Install the new version`
            3:3 runbook.heading: a heading stands inside a list, so it begins no phase and no step
                begin it at the start of its line, with an empty line before it
            refused
            --- "### A\n\n#### Detail is prose\n\n    ### B\n\n<details>\n### C\n</details>\n"
            1:5 ownership.unowned: `a` has no owner
                write `- owner: NAME (backup: NAME)` below its heading
            1:5 runbook.no-undo: `a` changes something and has no undo, nor says why there is no way back
                add a fence `sh undo`, or say `no way back: REASON` or `changes: nothing`
            5:5 runbook.heading: `### B` looks like a heading and is read as prose
                begin it at the start of its line, outside of HTML; to take a step out, close the comment around it
            8:1 runbook.heading: `### C` looks like a heading and is read as prose
                begin it at the start of its line, outside of HTML; to take a step out, close the comment around it
            refused
        "####]],
    );
}

#[test]
fn ids_are_unique() {
    table(
        &["### Back up\n### Back  up!\n### Back up\n### X {#back-up}\n"],
        &expect![[r####"
            --- "### Back up\n### Back  up!\n### Back up\n### X {#back-up}\n"
            1:5 ownership.unowned: `back-up` has no owner
                write `- owner: NAME (backup: NAME)` below its heading
            1:5 runbook.no-undo: `back-up` changes something and has no undo, nor says why there is no way back
                add a fence `sh undo`, or say `no way back: REASON` or `changes: nothing`
            2:5 ownership.unowned: `back--up` has no owner
                write `- owner: NAME (backup: NAME)` below its heading
            2:5 runbook.no-undo: `back--up` changes something and has no undo, nor says why there is no way back
                add a fence `sh undo`, or say `no way back: REASON` or `changes: nothing`
            3:5 runbook.duplicate-id: two steps have the id `back-up`: lines 1 and 3
                give one of them an id of its own, as in `### Back up {#back-up-again}`
            4:9 runbook.duplicate-id: two steps have the id `back-up`: lines 1 and 4
                give one of them an id of its own, as in `### X {#back-up-again}`
            refused
        "####]],
    );
}

#[test]
fn attributes() {
    let owner = "### S\n\n- owner: omar (backup: pia)\n- changes: nothing\n";
    table(
        &[
            &format!(
                "{owner}- ownr: omar\n- colour: red\n- backup: pia\n- just prose\n- see https://x.example\n"
            ),
            &format!("{owner}- changes: nothing\n- [x] done\n- [ ] to do\n  - nested\n"),
            "### S\n\n- Owner: omar (backup: pia)\n- changes: nothing\n",
            "### S\n\n- chagnes: nothing\n- owner: omar (backup: pia)\n",
            "### S\n\n- prose first\n- owner: omar (backup: pia)\n\nText\n\n- changes: nothing\n",
            "### S\n\n- note: prose is free\n- 09:00: as well\n",
            "## P\n\n- owner: nobody, for this is a phase\n",
        ],
        &expect![[r####"
            --- "### S\n\n- owner: omar (backup: pia)\n- changes: nothing\n- ownr: omar\n- colour: red\n- backup: pia\n- just prose\n- see https://x.example\n"
            5:3 runbook.attribute: a step has no attribute `ownr`
                did you mean `owner`?
            6:3 runbook.attribute: a step has no attribute `colour`
                known are owner, after, on, expect, timeout, retry, at, when, secrets, changes, no way back, safe to repeat, only in, approve, watch
            7:3 runbook.attribute: a step has no attribute `backup`
                a backup stands behind the owner: `owner: omar (backup: pia)`
            8:3 runbook.attribute: `just prose` is neither `key: value` nor a task
                put prose below the attributes, with a paragraph between; a task begins with `[ ]`
            9:3 runbook.attribute: `see https://x.example` is neither `key: value` nor a task
                put prose below the attributes, with a paragraph between; a task begins with `[ ]`
            refused
            --- "### S\n\n- owner: omar (backup: pia)\n- changes: nothing\n- changes: nothing\n- [x] done\n- [ ] to do\n  - nested\n"
            5:3 runbook.attribute: `changes` is said twice for one step
                say it once
            6:7 runbook.attribute: the task `done` is ticked in the file
                write `[ ]`: tasks are ticked in a run, by the people who do them
            8:5 runbook.attribute: `nested` is neither `key: value` nor a task
                put prose below the attributes, with a paragraph between; a task begins with `[ ]`
            refused
            --- "### S\n\n- Owner: omar (backup: pia)\n- changes: nothing\n"
            3:3 runbook.attribute: a step has no attribute `Owner`
                did you mean `owner`?
            refused
            --- "### S\n\n- chagnes: nothing\n- owner: omar (backup: pia)\n"
            3:3 runbook.attribute: a step has no attribute `chagnes`
                did you mean `changes`?
            refused
            --- "### S\n\n- prose first\n- owner: omar (backup: pia)\n\nText\n\n- changes: nothing\n"
            1:5 ownership.unowned: `s` has no owner
                write `- owner: NAME (backup: NAME)` below its heading
            1:5 runbook.no-undo: `s` changes something and has no undo, nor says why there is no way back
                add a fence `sh undo`, or say `no way back: REASON` or `changes: nothing`
            4:3 runbook.attribute (warning): `owner:` stands in a list that is prose, so it means nothing
                attributes are the first list under a step, and begin with one
            8:3 runbook.attribute (warning): `changes:` stands in a list that is prose, so it means nothing
                attributes are the first list under a step, and begin with one
            usable
            --- "### S\n\n- note: prose is free\n- 09:00: as well\n"
            1:5 ownership.unowned: `s` has no owner
                write `- owner: NAME (backup: NAME)` below its heading
            1:5 runbook.no-undo: `s` changes something and has no undo, nor says why there is no way back
                add a fence `sh undo`, or say `no way back: REASON` or `changes: nothing`
            usable
            --- "## P\n\n- owner: nobody, for this is a phase\n"
            1:1 runbook.syntax: the runbook has no step
                a step is a heading with three `#`: `### Install the new version`
            refused
        "####]],
    );
}

const BAD_VALUES: [&str; 17] = [
    "owner: omar, pia",
    "after: a b",
    "on: web, all",
    "expect: soon",
    "timeout: 0s",
    "retry: often",
    "at: noon",
    "when: enviroment == 'x'",
    "when: vars.A ==",
    "when: `vars.A == 'x`",
    "secrets: DB-KEY",
    "changes: everything",
    "no way back:",
    "safe to repeat: no",
    "only in: staging and production",
    "approve: operations",
    "watch: 10",
];

#[test]
fn values_that_cannot_be_read() {
    let all: String = BAD_VALUES
        .map(|line| said(format!("### S\n\n- {line}\n").as_bytes()))
        .iter()
        .flat_map(|said| said.lines())
        .map(|line| format!("{line}\n"))
        .collect();
    expect![[r#"
        3:10 runbook.value: `owner` cannot be `omar, pia`
            write one person, team or role and who stands in, as in `omar (backup: pia)`
        refused
        3:10 runbook.value: `after` cannot be `a b`
            write the ids of steps with commas between them, or `nothing` for the start of the run
        refused
        3:7 runbook.value: `on` cannot be `web, all`
            write a host or a group, then how it is spread: `web, all at once`, `web, 2 at a time` or `web, 1, then 25%, then all`
        refused
        3:11 runbook.value: `expect` cannot be `soon`
            cannot read `soon` as a duration: write a whole number and ms, s, m, h or d, as in `90s` or `10m`
        refused
        3:12 runbook.value: `timeout` cannot be `0s`
            it must be longer than nothing
        refused
        3:10 runbook.value: `retry` cannot be `often`
            write how often, 1 to 100, and the pause: `2` or `2 every 5s`
        refused
        3:7 runbook.value: `at` cannot be `noon`
            write `09:30` (in the window's zone) or an instant with its zone, `2026-11-25T09:30:00+01:00`
        refused
        3:9 runbook.value: a condition knows no `enviroment`
            it may refer to `environment`, `release`, `vars.NAME` and `outputs.NAME`; words are quoted
        refused
        3:18 runbook.value: the condition ends too early
            conditions are CEL, as in `environment == "production" && vars.DB != ""`
        refused
        3:20 runbook.value: the quote is never closed
            close it
        refused
        3:12 runbook.value: `secrets` cannot be `DB-KEY`
            write the names of the environment's secrets with commas between them, as in `DB_KEY, API_TOKEN`
        refused
        3:12 runbook.value: `changes` cannot be `everything`
            only `nothing` can be said; leave it out for a step that changes something
        refused
        3:15 runbook.value: `no way back` says nothing
            say why, as in `no way back: the old column is dropped`
        refused
        3:19 runbook.value: `safe to repeat` cannot be `no`
            only `yes` can be said; leave it out for a step that is not
        refused
        3:12 runbook.value: `only in` cannot be `staging and production`
            write one environment, as in `only in: production`
        refused
        3:12 runbook.value: `approve` cannot be `operations`
            write how many people of which team or role, as in `2 of operations`
        refused
        3:10 runbook.value: `watch` cannot be `10`
            cannot read `10` as a duration: write a whole number and ms, s, m, h or d, as in `90s` or `10m`
        refused
    "#]].assert_eq(&all);
}

#[test]
fn fences_say_their_language_and_role() {
    table(
        &[
            &step("\n```\nx\n```\n\n```sh\nx\n```\n\n```run\nx\n```\n\n```sh runn\nx\n```\n"),
            &step("\n```sh run now\nx\n```\n\n```pyton3 run\nx\n```\n\n```json example\n{}\n```\n"),
            &step("\n```sh run\nx\n```\n\n```bash run\nx\n```\n\n```sh verify\n\n```\n"),
        ],
        &expect![[r####"
            --- "### S\n\n- owner: omar (backup: pia)\n- changes: nothing\n\n```\nx\n```\n\n```sh\nx\n```\n\n```run\nx\n```\n\n```sh runn\nx\n```\n"
            6:1 runbook.fence: a fence without a role
                write its language and what it is for, as in `sh run`; use `text example` for one that is only read
            10:1 runbook.fence: the fence `sh` does not say both its language and what it is for
                write `sh run`, `sh verify`, `sh undo` or `sh preflight`; `sh example` is only read
            14:1 runbook.fence: the fence `run` does not say both its language and what it is for
                write `sh run`, `sh verify`, `sh undo` or `sh preflight`; `sh example` is only read
            18:1 runbook.fence: `runn` is not something a fence is for
                did you mean `sh run`?
            refused
            --- "### S\n\n- owner: omar (backup: pia)\n- changes: nothing\n\n```sh run now\nx\n```\n\n```pyton3 run\nx\n```\n\n```json example\n{}\n```\n"
            6:1 runbook.fence: extra words behind `sh run`: `now`
                a fence says its language and its role, nothing else; everything else is an attribute of the step
            10:1 runbook.fence: nobody runs the language `pyton3`
                did you mean `python3 run`?
            refused
            --- "### S\n\n- owner: omar (backup: pia)\n- changes: nothing\n\n```sh run\nx\n```\n\n```bash run\nx\n```\n\n```sh verify\n\n```\n"
            10:1 runbook.fence: the step `s` has a second `run`
                a step has one fence of each role: put both into one, or make two steps
            14:1 runbook.fence: the fence `sh verify` is empty
                say what is to be done, or leave the fence out
            refused
        "####]],
    );
}

#[test]
fn fences_stand_where_they_are_run() {
    table(
        &[
            &step("\n> ```sh run\n> x\n> ```\n\n- a\n\n  ```sh run\n  x\n  ```\n"),
            &step("\n```sh run\nx\n"),
            &step("\n```sh run\nx\n``\n\n### T\n\n```sh verify\ny\n```\n"),
            &step(
                "\nProse\n\n    ```sh run\n    x\n    ```\n\n<div>\n```sh undo\nx\n```\n</div>\n",
            ),
            &step("\n<!--\n```sh run\nx\n```\n\n### T\n-->\n"),
            &step("\n<!--\n```sh run\nx\n```\n\n### T\n"),
            &format!("```sh run\nx\n```\n\n```sh\nprose\n```\n\n{}", step("")),
            &step("\n~~~text undo\nCall Pia.\n~~~\n"),
        ],
        &expect![[r####"
            --- "### S\n\n- owner: omar (backup: pia)\n- changes: nothing\n\n> ```sh run\n> x\n> ```\n\n- a\n\n  ```sh run\n  x\n  ```\n"
            6:3 runbook.fence: `sh run` stands inside a quote, where it would not be run
                begin the fence at the start of its line, with its role; indent code that is only read by four spaces
            12:3 runbook.fence: `sh run` stands inside a list, where it would not be run
                begin the fence at the start of its line, with its role; indent code that is only read by four spaces
            refused
            --- "### S\n\n- owner: omar (backup: pia)\n- changes: nothing\n\n```sh run\nx\n"
            6:1 runbook.fence: the fence `sh run` is never closed
                close it with a line of the same characters, at least as many
            refused
            --- "### S\n\n- owner: omar (backup: pia)\n- changes: nothing\n\n```sh run\nx\n``\n\n### T\n\n```sh verify\ny\n```\n"
            12:1 runbook.fence: the fence of line 6 holds a line that opens `sh verify`
                its closing fence is missing or mistyped: close it with the same characters, at least as many
            refused
            --- "### S\n\n- owner: omar (backup: pia)\n- changes: nothing\n\nProse\n\n    ```sh run\n    x\n    ```\n\n<div>\n```sh undo\nx\n```\n</div>\n"
            8:5 runbook.fence: `sh run` looks like a fence and is read as prose
                begin it at the start of its line, outside of HTML
            13:1 runbook.fence: `sh undo` looks like a fence and is read as prose
                begin it at the start of its line, outside of HTML
            refused
            --- "### S\n\n- owner: omar (backup: pia)\n- changes: nothing\n\n<!--\n```sh run\nx\n```\n\n### T\n-->\n"
            usable
            --- "### S\n\n- owner: omar (backup: pia)\n- changes: nothing\n\n<!--\n```sh run\nx\n```\n\n### T\n"
            7:1 runbook.fence: `sh run` looks like a fence and is read as prose
                begin it at the start of its line, outside of HTML
            11:1 runbook.heading: `### T` looks like a heading and is read as prose
                begin it at the start of its line, outside of HTML; to take a step out, close the comment around it
            refused
            --- "```sh run\nx\n```\n\n```sh\nprose\n```\n\n### S\n\n- owner: omar (backup: pia)\n- changes: nothing\n"
            1:1 runbook.fence: the fence `sh run` belongs to no step
                put it below the `###` heading of its step
            refused
            --- "### S\n\n- owner: omar (backup: pia)\n- changes: nothing\n\n~~~text undo\nCall Pia.\n~~~\n"
            usable
        "####]],
    );
}

#[test]
fn what_the_gate_must_know_leaves_the_runbook_usable() {
    table(
        &[
            "### A\n### B\n\n- owner: omar\n- no way back: gone\n\n```sh undo\nx\n```\n",
            "### A\n\n- owner: omar (backup: pia)\n- changes: nothing\n- no way back: gone\n",
        ],
        &expect![[r####"
            --- "### A\n### B\n\n- owner: omar\n- no way back: gone\n\n```sh undo\nx\n```\n"
            1:5 ownership.unowned: `a` has no owner
                write `- owner: NAME (backup: NAME)` below its heading
            1:5 runbook.no-undo: `a` changes something and has no undo, nor says why there is no way back
                add a fence `sh undo`, or say `no way back: REASON` or `changes: nothing`
            2:5 ownership.no-backup: `b` has no backup for omar
                write `- owner: omar (backup: NAME)`
            2:5 runbook.attribute (warning): `b` has an undo and says that there is no way back
                leave one of them out
            usable
            --- "### A\n\n- owner: omar (backup: pia)\n- changes: nothing\n- no way back: gone\n"
            1:5 runbook.attribute (warning): `a` changes nothing and says that there is no way back
                leave one of them out
            usable
        "####]],
    );
}

#[test]
fn byte_order_mark_and_crlf_change_nothing_but_offsets() {
    let plain = read(SHOP);
    let dressed = format!("\u{feff}{}", SHOP.replace('\n', "\r\n"));
    assert_eq!(read(&dressed), plain);
    let (_, notes) = parse("\u{feff}### A\r\n".as_bytes());
    let span = notes[0].span.unwrap();
    assert_eq!((span.start, span.end, span.line, span.column), (7, 8, 1, 5));
}

#[test]
fn spans_point_at_what_they_name() {
    let text = "# Ü\n\n   ### A {#über} ##\n\n- owner: ömar (backup: pia)\n- after: x, y\n- changes: nothing\n";
    let runbook = read(text);
    let step = &runbook.steps[0];
    let after = step.after.as_ref().unwrap();
    for (span, word) in [
        (step.id.span, "über"),
        (step.owner.as_ref().unwrap().span, "ömar"),
        (step.backup.as_ref().unwrap().span, "pia"),
        (after[1].span, "y"),
    ] {
        let span = span.unwrap();
        assert_eq!(&text[span.start as usize..span.end as usize], word);
        assert_eq!(
            span,
            crate::diag::Span::in_text(span.file, text, span.start as usize, span.end as usize)
        );
    }
}

#[test]
fn hostile_sizes_are_read_in_their_stride() {
    let deep = [">", "[", "*", "- ", "`", "<", "> ", "_*", "[a](", "1. "];
    for text in deep.map(|mark| mark.repeat((1 << 20) / mark.len())) {
        assert_eq!(parse(text.as_bytes()).0, None);
    }
    let (runbook, notes) = parse("### a\n".repeat(MAX_STEPS).as_bytes());
    assert_eq!(runbook, None);
    let last = notes.last().unwrap();
    assert_eq!(last.says, "9499 more errors are not listed");
    let many: String = (0..MAX_STEPS).map(|n| format!("### a {n}\n")).collect();
    assert_eq!(parse(many.as_bytes()).0.unwrap().steps.len(), MAX_STEPS);
    assert!(said(format!("{many}### b\n").as_bytes()).contains("more than 10000 steps"));
}
