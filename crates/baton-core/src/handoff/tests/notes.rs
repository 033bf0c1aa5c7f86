//! What each slip of the hand is answered with. Every case is the example of
//! the example with one text replaced.

use expect_test::{ExpectFile, expect_file};

use super::{SHOP, notes, shown};

/// The notes after one replacement in the example.
fn after(from: &str, to: &str) -> String {
    assert_eq!(SHOP.matches(from).count(), 1, "{from}");
    notes(&SHOP.replace(from, to)).iter().map(shown).collect()
}

/// Several cases under one heading each.
fn check(cases: &[(&str, &str)], expected: ExpectFile) {
    let mut all = String::new();
    for (from, to) in cases {
        all += &format!(
            "# {} -> {}\n{}",
            from.escape_debug(),
            to.escape_debug(),
            after(from, to)
        );
    }
    expected.assert_eq(&all);
}

#[test]
fn keys() {
    check(
        &[
            ("summary:", "sumary:"),
            ("name: shop\n", ""),
            ("touches:", "colour:"),
            ("    owner: dana ", "    ownr: dana "),
            ("  version: 2.4.0\n", ""),
            ("from: { prometheus:", "from: { promtheus:"),
            ("- webhook:", "- webhok:"),
            (
                "secret: { env: HOOK_SECRET }",
                "secret: { enw: HOOK_SECRET }",
            ),
            ("answer: number, within", "answer: number, whithin"),
            (
                "    run: make test ",
                "    run: make test\n    run: make check ",
            ),
            ("  omar: {", "  dana: {"),
            ("launch:\n", "launch:\n  <<: *base\n"),
            ("launch:\n", "launch:\n  <<: {}\n"),
            ("launch:\n", "launch:\n  [a, b]: c\n"),
            ("quantile: { p95: 300ms }", "quantile: { q95: 300ms }"),
            (
                "quantile: { p95: 300ms }",
                "quantile: { p95: 300ms, p99: 1s }",
            ),
        ],
        expect_file!["../testdata/notes/keys.txt"],
    );
}

#[test]
fn kinds() {
    check(
        &[
            ("touches: [shop, orders-db]", "touches: shop"),
            ("touches: [shop, orders-db]", "touches:"),
            ("touches: [shop, orders-db]", "touches: { shop: 1 }"),
            (
                "summary: Shop 2.4 takes orders in two currencies",
                "summary: [a]",
            ),
            (
                "  dana: { name: Dana Ito",
                "  dana: [Dana]\n  dana2: { name: Dana Ito",
            ),
            ("room:\n", "room: none\nroom2:\n"),
            ("review: { within: 5d }", "review: later"),
            ("review: { within: 5d }", "review:"),
            (
                "secrets: { DB_KEY: { env: STAGING_DB_KEY } }",
                "secrets: { DB_KEY: hunter2 }",
            ),
            (
                "secrets: { DB_KEY: { env: STAGING_DB_KEY } }",
                "secrets: { DB_KEY: { env: A, file: B } }",
            ),
            ("rules:", "rules: {}\n  rulez:"),
            ("- os\n", "- oss\n"),
            ("- os\n", "- env\n"),
            ("- os\n", "- {}\n"),
            ("name: shop", "name: "),
            ("name: shop", "name: \" \""),
        ],
        expect_file!["../testdata/notes/kinds.txt"],
    );
}

#[test]
fn bridges() {
    check(
        &[
            (
                "smtp: \"smtp://mail.shop.example:587\"",
                "smtp: \"smtp://me:hunter2@mail.shop.example:587\"",
            ),
            (
                "smtp: \"smtp://mail.shop.example:587\"",
                "smtp: mail.shop.example",
            ),
            ("to: [ops@shop.example]", "to: []"),
            ("to: [ops@shop.example]", "to: [ops]"),
            (
                "to: [ops@shop.example], ",
                "to: [ops@shop.example], from: Baton, ",
            ),
            (
                "url: \"https://hooks.shop.example/baton\"",
                "url: \"https://token:hunter2@hooks.shop.example/baton\"",
            ),
            (
                "url: \"https://hooks.shop.example/baton\"",
                "url: \"https://$HOOKS/baton\"",
            ),
            ("room: \"#launch:shop.example\"", "room: launch"),
            ("token: { env: MATRIX_TOKEN }", "token: syt_hunter2"),
        ],
        expect_file!["../testdata/notes/bridges.txt"],
    );
}

#[test]
fn nobody_is_called_baton() {
    let said = notes(&SHOP.replace("omar", "baton"));
    let said: Vec<&str> = said.iter().map(|note| note.says.as_str()).collect();
    assert_eq!(said, ["`baton` is how Baton itself signs what it records"]);
}

#[test]
fn values() {
    check(
        &[
            (
                "fresh: 24h\n  - id: refuses",
                "fresh: 1 day\n  - id: refuses",
            ),
            ("fresh: 24h\n  - id: refuses", "fresh: 0s\n  - id: refuses"),
            (
                "opens: 2026-11-25T09:00:00+01:00",
                "opens: 2026-11-25T09:00:00",
            ),
            (
                "opens: 2026-11-25T09:00:00+01:00",
                "opens: 2026-11-25T13:00:00+01:00",
            ),
            ("from: 2026-12-20T00:00:00Z", "from: 2027-12-20T00:00:00Z"),
            ("at_most: 1% ", "at_most: 0.01 "),
            ("at_most: 1% ", "at_most: 101% "),
            ("at_most: 1% ", "at_most: -1% "),
            ("at_most: 1% ", "at_most: 1e1% "),
            ("false_alarm: 1%", "false_alarm: 0%"),
            ("on_harm: roll-back", "on_harm: rollback"),
            ("on_harm: roll-back", "on_harm: panic"),
            ("kind: code ", "kind: app "),
            ("hours: \"Mon-Fri 09:00-17:30\"", "hours: \"9 to 5\""),
            ("zone: Europe/Prague", "zone: Europe/Prag"),
            ("  dana: {", "  dana ito: {"),
            ("development: [dana, lee]", "development: [dana, \"(lee)\"]"),
            ("answer: number", "answer: numbr"),
            ("answer: duration", "answer: a number"),
            ("answer: [cents, euros]", "answer: [cents]"),
            ("answer: [cents, euros]", "answer: [cents, cents]"),
            (
                "vars:  { DB: orders.db }\n    secrets: { DB_KEY: { env",
                "vars:  { D-B: orders.db }\n    secrets: { DB_KEY: { env",
            ),
            ("PORT: \"8101\"", "BATON_PORT: \"8101\""),
            ("PORT: \"8101\"", "PORT: [8101]"),
            ("is: ratio, max: 8", "is: ratio"),
            ("is: ratio, max: 8", "is: ratio, max: 0.5"),
            ("is: ratio, max: 8", "is: ratio, max: many"),
            ("is: must-differ", "is: must-differ, max: 2"),
            ("is: must-differ", "is: different"),
            ("match: \"env:APP_DB_URL\"", "match: \"env:[\""),
            ("paths: [\"config/**\"]", "paths: [\"../config\"]"),
            ("names: [\"APP_*\"]", "names: []"),
            ("dir: env/staging/web1, ", ""),
            (
                "url: \"http://$HOST:$PORT/checkout\", every: 1s",
                "url: \"http://$HOST:$PORT/checkout\", every: often",
            ),
        ],
        expect_file!["../testdata/notes/values.txt"],
    );
}

const LEVELLED: &str = "    probe: { url: \"http://$HOST:$PORT/checkout\", every: 1s }   # measured by Baton itself where there is no Prometheus\n    quantile: { p95: 300ms }\n";
const PROBE: &str = "    probe: { url: \"http://$HOST:$PORT/checkout\", every: 1s } ";

#[test]
fn measures() {
    const PROMETHEUS: &str = "    from: { prometheus: \"http://prometheus:9090\" }\n";
    check(
        &[
            ("    from: { prometheus: \"http://prometheus:9090\" }\n", ""),
            (
                "    probe: {",
                "    from: { prometheus: \"http://p\" }\n    probe: {",
            ),
            (
                "    probe: { url: \"http://$HOST:$PORT/checkout\", every: 1s } ",
                "    ",
            ),
            ("    quantile: { p95: 300ms }\n", ""),
            ("    at_most: 1% ", "    quantile: { p95: 1s } "),
            ("quantile: { p95: 300ms }", "quantile: { p0: 300ms }"),
            ("quantile: { p95: 300ms }", "quantile: fast"),
            ("quantile: { p95: 300ms }", "quantile: { p99.9: 300ms }"),
            (PROMETHEUS, "    from: { log: app.log }\n"),
            (PROMETHEUS, "    from: { log: app.log, command: ./count }\n"),
            (PROMETHEUS, "    from: { command: ./count }\n"),
            (PROMETHEUS, "    from: {}\n"),
            (
                PROMETHEUS,
                "    from: { output: \"journalctl -u $UNIT\" }\n",
            ),
            (
                PROMETHEUS,
                "    from: { sqlite: \"$DB\" }\n    histogram: x_bucket\n",
            ),
            (PROMETHEUS, "    histogram: x_bucket\n"),
            (
                PROBE,
                "    from: { prometheus: \"http://p\" }\n    histogram: 'x_bucket{host=\"$HOST\"}' ",
            ),
            (PROBE, "    from: { log: app.log } "),
            (PROBE, "    from: { sqlite: app.db } "),
            (
                PROMETHEUS,
                "    from: { postgres: \"postgres://db/shop\" }\n",
            ),
            (
                "    quantile: { p95: 300ms }\n",
                "    quantile: { p95: 300ms }\n    at_most: 2%\n",
            ),
            ("    at_most: 1% ", "    at_most: 1 "),
            ("    at_most: 1% ", "    at_most: 100% "),
            ("    at_most: 1% ", "    at_most: many "),
            ("    worse_by: 0.5% ", "    worse_by: 100% "),
        ],
        expect_file!["../testdata/notes/measures.txt"],
    );
}

#[test]
fn levels_and_limits() {
    check(
        &[
            (
                LEVELLED,
                "    probe: { url: \"http://shop/\", every: 1s }\n    worse_by: 1%\n",
            ),
            (PROBE, "    from: { level: ./heap } "),
            (
                "    quantile: { p95: 300ms }\n",
                "    at_most: 1%\n    worse_by: 1%\n",
            ),
            (
                LEVELLED,
                "    from: { level: ./heap $NONE }\n    at_most: 80\n",
            ),
            (
                LEVELLED,
                "    from: { level: ./heap }\n    ratio: { bad: a, total: b }\n    at_most: 80\n",
            ),
            (
                LEVELLED,
                "    from: { log: app.log }\n    ratio: { bad: level:bad, total: . }\n    at_most: 1%\n",
            ),
            (
                LEVELLED,
                "    from: { log: app.log }\n    ratio: { bad: level:error, total: level:error }\n    at_most: 1%\n",
            ),
            (
                LEVELLED,
                "    from: { prometheus: \"http://p:1\" }\n    ratio: { bad: \"a{c='5-x'}\", total: \"a or vector(0)\" }\n    at_most: 1%\n",
            ),
            (
                LEVELLED,
                "    from: { prometheus: \"http://p:1\" }\n    ratio: { bad: 'sum(a) + sum(b)', total: c }\n    at_most: 1%\n",
            ),
            (
                LEVELLED,
                "    from: { prometheus: \"http://p:1\" }\n    ratio: { bad: 'sum(increase(a[$step])) or vector(0)', total: 'sum(rate(c[5m])) by (d)' }\n    at_most: 1%\n",
            ),
            (
                LEVELLED,
                "    from: { prometheus: \"http://p:1\" }\n    histogram: a_bucket / 2\n    quantile: { p95: 300ms }\n",
            ),
        ],
        expect_file!["../testdata/notes/levels.txt"],
    );
}

#[test]
fn waivers() {
    check(
        &[
            ("until: 2026-12-01T00:00:00Z\n", "until: next week\n"),
            ("    until: 2026-12-01T00:00:00Z\n", ""),
            ("    because: Production is patched first this week\n", ""),
            (
                "    because: Production is patched first this week\n    owner: omar",
                "    because: \"\"\n    owner: the omar",
            ),
            ("blocker: parity.unexplained", "blocker: parity.unexplaned"),
            ("blocker: parity.unexplained", "blocker: everything"),
            (
                "blocker: parity.unexplained",
                "blocker: alignment.not-offered",
            ),
            ("blocker: parity.unexplained", "blocker: alignment.lapsed"),
            (
                "blocker: parity.unexplained",
                "blocker: room.waiver-expired",
            ),
            ("match: \"packages:libssl3*\"", "match: \"packages:[\""),
            ("match: \"packages:libssl3*\"", "match: [a, b]"),
            ("match: \"packages:libssl3*\"", "match: { a: b }"),
            ("match: \"packages:libssl3*\"", "mach: \"*\""),
            ("    owner: omar\n    until", "    owner: nobody\n    until"),
            (
                "    owner: omar\n    until",
                "    owner: operations\n    until",
            ),
        ],
        expect_file!["../testdata/notes/waivers.txt"],
    );
}

#[test]
fn references() {
    let rehearsal = "rehearsal: { in: staging, within: 7d }";
    check(
        &[
            ("from: development ", "from: developmnt "),
            ("to: operations ", "to: development "),
            ("to: operations ", "to: omar "),
            ("operations: [omar, pia]", "operations: [omar, pa]"),
            ("operations: [omar, pia]", "operations: [omar, omar]"),
            ("operations: [omar, pia]", "operations: []"),
            (
                "operations: [omar, pia]",
                "operations: [omar, pia]\n  lee: [pia]",
            ),
            ("  launch-lead:      { owner: omar, backup: pia }\n", ""),
            (
                "launch-lead:      { owner: omar, backup: pia }",
                "launch-lead: { backup: pia }",
            ),
            (
                "launch-lead:      { owner: omar, backup: pia }",
                "launch-lead: { owner: rollback-decider }",
            ),
            ("    owner: dana ", "    owner: launch-lead "),
            ("    owner: dana ", "    owner: dan "),
            ("sign: pia ", "sign: operations "),
            ("    sign: pia ", "    sign: pia\n    run: ls "),
            ("    sign: pia ", "    "),
            ("    sign: pia ", "    sign: pia\n    refuses: ls "),
            ("- id: restore", "- id: tests"),
            ("id: downtime", "id: peak"),
            ("- id: speed", "- id: errors"),
            ("answer: duration }", "answer: duration, within: 5% }"),
            ("answer: [cents, euros] }", "answer: text, within: 5% }"),
            ("  environment: production", "  environment: prod"),
            ("compare: [staging]", "compare: [staging, production]"),
            ("compare: [staging]", "compare: [stagin, staging, staging]"),
            (rehearsal, "rehearsal: { in: stage, within: 7d }"),
            (rehearsal, "rehearsal: { declined: no time, by: piaa }"),
            (rehearsal, "rehearsal: { declined: \"\", by: pia }"),
            (rehearsal, "rehearsal: { declined: no time }"),
            (
                "    run: ./restore-into-scratch",
                "    in: stagng\n    run: ./restore",
            ),
            (
                "    groups: { web: [web1, web2] }\n    vars:  { DB: orders.db }\n    secrets: { DB_KEY: { env",
                "    groups: { web: [web1, web3], web2: [web1, web1] }\n    vars:  { DB: orders.db, DB_KEY: x }\n    secrets: { DB_KEY: { env",
            ),
            ("name: shop\n", "name: the shop\n"),
            (
                "ssh: deploy@web1.shop.example",
                "ssh: \"-oProxyCommand=id web1\"",
            ),
        ],
        expect_file!["../testdata/notes/references.txt"],
    );
}

#[test]
fn variables() {
    check(
        &[
            ("http://$HOST:$PORT/checkout", "http://$HOST:$PROT/checkout"),
            (
                "http://$HOST:$PORT/checkout",
                "http://$HOST:${PORT}/$BATON_RUN/$DB_KEY",
            ),
            ("http://$HOST:$PORT/checkout", "http://$HOST/$step"),
            (
                "dir: /srv/shop, vars: { PORT: \"8080\" } }\n      web2",
                "dir: /srv/shop }\n      web2",
            ),
            ("http://prometheus:9090", "http://$PROMETHEUS:9090"),
            (
                "http_requests_total[$step]))' }",
                "http_requests_total[$interval]))' }",
            ),
            ("path: \"$DB\"", "path: \"$DATABASE\""),
            (
                "run: \"python3 -V\"",
                "run: \"$PYTHON -V; $DB $HOST $HOME $lower\"",
            ),
            ("run: make test", "run: X=1 make test DB=$DB $X $HOME"),
            (
                "run: make test",
                "run: make \"$TARGET\" $TARGET '$QUOTED' \\$ESCAPED ${A:-b} $1 $$ ${#DB}",
            ),
            ("run: make test", "run: make $HOST $PORT"),
            (
                "run: make test",
                "run: |\n      # don't say $COMMENT\n      for HOST_NAME in a b; do echo $HOST_NAME; done; awk '{print $NF}'; read -r ANSWER; echo $ANSWER $QUESTION",
            ),
            ("artifacts: [dist/shop]", "artifacts: [\"$OUT/shop\"]"),
            ("runbook: runbook.md", "runbook: $ENVIRONMENT.md"),
            (
                "dir: env/staging/web1, vars",
                "dir: \"env/$PORT/$NAME\", vars",
            ),
            (
                "https://hooks.shop.example/baton",
                "https://$HOOK_HOST/baton",
            ),
        ],
        expect_file!["../testdata/notes/variables.txt"],
    );
}
