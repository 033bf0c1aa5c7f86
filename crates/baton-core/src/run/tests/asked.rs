//! What the judge asks, of which host.

use serde_json::json;

use super::{Toy, plan, step};
use crate::event::RunKind;
use crate::run::order::{MARK, Order};
use crate::run::state::Asked;

/// What the judge asks of two hosts for a measure with this source.
fn asked_of(source: &serde_json::Value) -> Vec<Asked> {
    let host = |n: u16| json!({ "ssh": null, "dir": ".", "vars": { "PORT": format!("800{n}") } });
    let contract = json!({
        "success": { "defined": [{
            "id": "errors", "says": "errors", "owner": null, "backup": null,
            "source": source, "quantile": null, "at_most": 0.01, "worse_by": null,
        }] },
        "watch": { "for": 1_200_000, "on_harm": "stop", "false_alarm": 0.01 },
        "environments": { "prod": {
            "hosts": { "h0": host(0), "h1": host(1) }, "groups": {},
            "vars": { "COLOR": "red" }, "secrets": { "KEY": { "env": "KEY" } },
        } },
    });
    let steps = vec![step("a", &[], json!({}))];
    let mut toy = Toy::new(RunKind::Launch, plan(steps, contract), |_| {});
    let _waits = toy.go();
    let probes = toy.state.probes();
    probes.into_iter().map(|probe| probe.asked).collect()
}

#[test]
fn each_host_is_asked_where_its_address_is_its_own() {
    let asked = |url: &str| -> Vec<String> {
        let asked = asked_of(&json!({ "probe": { "url": url, "every": 1000 } }));
        let url = |asked| match asked {
            Asked::Address { url, .. } => url,
            other => panic!("{other:?}"),
        };
        asked.into_iter().map(url).collect()
    };
    assert_eq!(asked("http://$HOST/"), ["http://h0/", "http://h1/"]);
    assert_eq!(asked("http://${HOST}:1/"), ["http://h0:1/", "http://h1:1/"]);
    assert_eq!(
        asked("http://a:${PORT}/"),
        ["http://a:8000/", "http://a:8001/"]
    );
    // What is the same for all of them is asked once.
    assert_eq!(asked("http://$COLOR/"), ["http://red/"]);
    assert_eq!(asked("http://$HOSTNAME/"), ["http://$HOSTNAME/"]);
}

#[test]
fn queries_name_hosts_and_steps_and_counters_are_read_on_each_host() {
    let queries = |bad: &str, total: &str| {
        asked_of(&json!({ "prometheus": { "server": "http://p", "bad": bad, "total": total } }))
    };
    // Twenty minutes are looked at every 15 s, and read twice as often.
    let [Asked::Queries { bad, total, .. }] = &queries("b[$step]", "t{c=\"$COLOR\"}")[..] else {
        panic!("one question for the release as a whole");
    };
    assert_eq!((&**bad, &**total), ("b[8s]", "t{c=\"red\"}"));
    assert_eq!(queries("b{i=\"$HOST\"}", "t{i=\"$HOST\"}").len(), 2);
    let counters = asked_of(&json!({ "counter": { "log": {
        "path": "$PORT.log", "lines": { "bad": "ERROR'$(id)", "total": "" }
    } } }));
    let orders: Vec<&Order> = counters
        .iter()
        .map(|asked| match asked {
            Asked::Counter(order) => &**order,
            other => panic!("{other:?}"),
        })
        .collect();
    let logs: Vec<&str> = orders
        .iter()
        .map(|order| &*order.env["BATON_LOG"])
        .collect();
    assert_eq!(logs, ["8000.log", "8001.log"]);
    for order in orders {
        assert_eq!(order.env[MARK], "");
        assert_eq!(order.env["BATON_BAD"], "ERROR'$(id)");
        assert!(!order.fence.body.contains("ERROR"), "{}", order.fence.body);
    }
}

#[test]
fn a_database_is_asked_from_here_and_a_level_on_each_host() {
    let database = |url: &str, total: &str| {
        let source = json!({ "url": url, "bad": "select 1", "total": total });
        let asked = asked_of(&json!({ "postgres": source }));
        asked.into_iter().map(|asked| match asked {
            Asked::Database(asked) => *asked,
            other => panic!("{other:?}"),
        })
    };
    // What is the same for all hosts is asked once; a secret stays a reference.
    let [one] = &database("postgres://shop:$KEY@$COLOR/shop", "select 2").collect::<Vec<_>>()[..]
    else {
        panic!("one question for the release as a whole");
    };
    assert_eq!(one.url, "postgres://shop:$KEY@red/shop");
    assert_eq!(one.secrets.keys().collect::<Vec<_>>(), ["KEY"]);
    let statements: Vec<String> = database("postgres://db", "select '$HOST'")
        .map(|asked| asked.total)
        .collect();
    assert_eq!(statements, ["select 'h0'", "select 'h1'"]);
    let levels = asked_of(&json!({ "level": "heap $KEY" }));
    for asked in &levels {
        let Asked::Level(order) = asked else {
            panic!("{asked:?}");
        };
        assert!(order.secrets.contains_key("KEY") && order.host.is_some());
    }
    assert_eq!(levels.len(), 2);
}
