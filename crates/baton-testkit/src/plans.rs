//! Small plans, built from what matters to a crash: whether a step may be
//! repeated, whether it can be proved, and whether it fails.

use baton_core::handoff::plan::Plan;
use serde_json::{Value, json};

/// Whether a step may run twice, and whether anybody can tell that it ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nature {
    /// Safe to repeat, and nobody can tell.
    Repeatable,
    /// Not safe to repeat, and its `verify` can tell.
    Provable,
    /// Neither.
    Neither,
    /// Done by a person.
    ByPerson,
}

/// What a step's commands do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conduct {
    /// Everything works.
    Works,
    /// The deed fails and leaves half of itself.
    Fails,
    /// The deed works, the undo does not.
    UndoFails,
    /// A point of no return.
    NoReturn,
}

/// One step of a small plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// Its nature.
    pub nature: Nature,
    /// Its conduct.
    pub conduct: Conduct,
    /// Whether it begins with the run instead of after the step before.
    pub parallel: bool,
    /// How many hosts it runs on, all at once.
    pub hosts: u8,
}

impl Kind {
    /// A step after the one before, on one host.
    pub fn of(nature: Nature, conduct: Conduct) -> Self {
        Self {
            nature,
            conduct,
            parallel: false,
            hosts: 1,
        }
    }
}

/// The plan with these steps, `s0` and on, all owned by dana.
///
/// # Panics
/// When the shape of plans changed; the tests then say where.
pub fn plan(kinds: &[Kind]) -> Plan {
    let steps: Vec<Value> = kinds
        .iter()
        .enumerate()
        .map(|(i, kind)| step(i, *kind))
        .collect();
    let digest = baton_core::id::Digest::of(format!("{kinds:?}").as_bytes());
    let host = json!({ "ssh": null, "dir": ".", "vars": {} });
    let contract = json!({
        "name": "toy", "summary": null, "from": "dev", "to": "ops", "touches": [],
        "people": {
            "dana": { "name": "Dana", "email": null, "zone": null, "hours": null, "key": null },
            "omar": { "name": "Omar", "email": null, "zone": null, "hours": null, "key": null },
        },
        "teams": { "dev": ["dana"], "ops": ["omar"] },
        "roles": {
            "launch-lead": { "owner": "dana", "backup": "omar" },
            "rollback-decider": { "owner": "omar", "backup": "dana" },
        },
        "release": { "version": "2", "kind": "code", "artifacts": [] },
        "environments": { "prod": {
            "hosts": { "h0": host, "h1": host, "h2": host },
            "groups": {}, "vars": {}, "secrets": {},
        } },
        "launch": { "environment": "prod", "window": null, "freezes": [] },
        "expectations": "undefined", "done": [], "parity": "undefined", "success": "undefined",
        "watch": null, "waivers": [], "runbook": "runbook.md", "rehearsal": "undefined",
        "room": "undefined", "review": "undefined",
    });
    let plan = json!({
        "format": baton_core::handoff::plan::PLAN_FORMAT,
        "handoff": "toy/2/prod", "environment": "prod", "contract": contract, "steps": steps,
        "digests": {
            "content": digest, "procedure": digest, "roster": digest, "environments": {},
        },
    });
    serde_json::from_value(plan).expect("a small plan has the shape of plans")
}

fn step(i: usize, kind: Kind) -> Value {
    let fence = |body: &str| json!({ "lang": "sh", "body": body, "line": 1 });
    let by_person = kind.nature == Nature::ByPerson;
    let deed = if kind.conduct == Conduct::Fails {
        "run fails"
    } else {
        "run"
    };
    let undo = match kind.conduct {
        Conduct::NoReturn => Value::Null,
        Conduct::UndoFails => fence("undo fails"),
        Conduct::Works | Conduct::Fails if by_person => {
            json!({ "lang": "text", "body": "undo it", "line": 1 })
        }
        Conduct::Works | Conduct::Fails => fence("undo"),
    };
    let after = if kind.parallel || i == 0 {
        vec![]
    } else {
        vec![format!("s{}", i - 1)]
    };
    let hosts: Vec<String> = (0..kind.hosts).map(|h| format!("h{h}")).collect();
    let verify = if kind.nature == Nature::Provable {
        fence("verify")
    } else {
        Value::Null
    };
    json!({
        "id": format!("s{i}"), "title": format!("Step {i}"), "phase": null, "line": 1,
        "owner": "dana", "backup": "omar", "after": null,
        "on": { "target": "h0", "spread": "all" }, "expect": null, "timeout": 1000,
        "retry": null, "at": null, "when": null, "secrets": [], "changes": true,
        "no_way_back": if kind.conduct == Conduct::NoReturn { json!("told the world") } else { Value::Null },
        "safe_to_repeat": kind.nature == Nature::Repeatable, "only_in": null, "approve": null,
        "watch": null,
        "run": if by_person { Value::Null } else { fence(deed) },
        "verify": verify, "undo": undo, "preflight": null,
        "tasks": if by_person { json!(["do it"]) } else { json!([]) },
        "owners": ["dana"], "backups": ["omar"], "after_ids": after,
        "stages": [hosts], "elsewhere": false,
    })
}
