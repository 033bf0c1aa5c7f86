//! Small plans, built from what matters to a crash: whether a step may be
//! repeated, whether it can be proved, and how it fails.

use baton_core::handoff::plan::Plan;
use serde_json::{Value, json};

/// Whether a step may run twice, and whether anybody can tell that it ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nature {
    /// Safe to repeat, and nobody can tell.
    Repeatable,
    /// Safe to repeat, and its `verify` can tell.
    Both,
    /// Not safe to repeat, and its `verify` can tell.
    Provable,
    /// Neither.
    Neither,
    /// Done by a person.
    ByPerson,
}

impl Nature {
    /// Whether it is safe to repeat.
    pub fn repeatable(self) -> bool {
        matches!(self, Self::Repeatable | Self::Both)
    }

    /// Whether it has a `verify`.
    pub fn provable(self) -> bool {
        matches!(self, Self::Provable | Self::Both)
    }
}

/// What a step's commands do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conduct {
    /// Everything works.
    Works,
    /// The deed fails and leaves half of itself.
    Fails,
    /// The deed fails the first time on each host, and then works.
    FailsOnce,
    /// The deed fails on the last of its hosts.
    FailsOnLast,
    /// The deed works, the undo does not.
    UndoFails,
    /// A point of no return.
    NoReturn,
    /// The deed works; `verify` passes whatever is there.
    AlwaysPasses,
    /// The deed works; `verify` refuses whatever is there.
    AlwaysRefuses,
}

impl Conduct {
    /// Whether its `verify` says what is not so.
    pub fn lies(self) -> bool {
        matches!(self, Self::AlwaysPasses | Self::AlwaysRefuses)
    }
}

/// Which steps a step comes after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// The step before.
    Before,
    /// None: it begins with the run.
    Nothing,
    /// These, one bit each, `s0` the lowest; only earlier ones count.
    These(u16),
}

/// One step of a small plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// Its nature.
    pub nature: Nature,
    /// Its conduct.
    pub conduct: Conduct,
    /// What it comes after.
    pub after: After,
    /// How many hosts it runs on.
    pub hosts: u8,
    /// Whether it runs on one host first, and then on the others.
    pub staged: bool,
    /// Tries after the first.
    pub retry: u8,
    /// Approvals it waits for, at most 2.
    pub approvals: u8,
    /// Whether it has a preflight, which passes.
    pub preflight: bool,
}

impl Kind {
    /// A step after the one before, on one host, without any extra.
    pub const fn of(nature: Nature, conduct: Conduct) -> Self {
        Self {
            nature,
            conduct,
            after: After::Before,
            hosts: 1,
            staged: false,
            retry: 0,
            approvals: 0,
            preflight: false,
        }
    }

    /// The same, and it begins with the run.
    pub const fn beside(self) -> Self {
        Self {
            after: After::Nothing,
            ..self
        }
    }

    /// The same on so many hosts.
    pub const fn on(self, hosts: u8) -> Self {
        Self { hosts, ..self }
    }

    /// Whether the deed fails on this host when it was tried so often before.
    pub fn fails(self, host: u8, tried: usize) -> bool {
        match self.conduct {
            Conduct::Fails => true,
            Conduct::FailsOnce => tried == 0,
            Conduct::FailsOnLast => host + 1 == self.hosts,
            _ => false,
        }
    }

    /// Whether the step cannot come to a good end by itself.
    pub fn hopeless(self) -> bool {
        match self.conduct {
            Conduct::Fails | Conduct::FailsOnLast => true,
            Conduct::FailsOnce => self.retry == 0,
            Conduct::AlwaysRefuses => self.nature.provable(),
            _ => false,
        }
    }

    /// Earlier steps that step `i` of this kind comes after.
    pub fn predecessors(self, i: usize) -> Vec<usize> {
        match self.after {
            After::Nothing => Vec::new(),
            After::Before => i.checked_sub(1).into_iter().collect(),
            After::These(bits) => (0..i.min(16)).filter(|j| bits >> j & 1 == 1).collect(),
        }
    }
}

/// Every kind of step on one host: 25.
pub fn every() -> Vec<Kind> {
    let mut kinds = vec![Kind::of(Nature::ByPerson, Conduct::Works)];
    for nature in [
        Nature::Repeatable,
        Nature::Both,
        Nature::Provable,
        Nature::Neither,
    ] {
        for conduct in [
            Conduct::Works,
            Conduct::Fails,
            Conduct::FailsOnce,
            Conduct::UndoFails,
            Conduct::NoReturn,
        ] {
            kinds.push(Kind {
                retry: u8::from(conduct == Conduct::FailsOnce),
                ..Kind::of(nature, conduct)
            });
        }
        if nature.provable() {
            kinds.push(Kind::of(nature, Conduct::AlwaysPasses));
            kinds.push(Kind::of(nature, Conduct::AlwaysRefuses));
        }
    }
    kinds
}

/// The kinds that differ in a plan of several steps: 15. Beside another step it
/// does not matter to a retry, a failing undo and a point of no return of what
/// nature their deed was, so each is there once or twice.
pub fn several() -> Vec<Kind> {
    use Conduct::{AlwaysPasses, AlwaysRefuses, Fails, FailsOnce, NoReturn, UndoFails, Works};
    use Nature::{Both, ByPerson, Neither, Provable, Repeatable};
    let kept = [
        (Repeatable, Works),
        (Repeatable, Fails),
        (Both, Works),
        (Both, Fails),
        (Provable, Works),
        (Provable, Fails),
        (Provable, UndoFails),
        (Provable, AlwaysPasses),
        (Provable, AlwaysRefuses),
        (Neither, Works),
        (Neither, Fails),
        (Neither, FailsOnce),
        (Neither, UndoFails),
        (Neither, NoReturn),
        (ByPerson, Works),
    ];
    let kept = |kind: &Kind| kept.contains(&(kind.nature, kind.conduct));
    every().into_iter().filter(kept).collect()
}

/// The kinds that differ in what may follow a step: 7. In the middle of a plan
/// an unknown outcome is settled by a probe, by running again or by a person; a
/// run turns back, or must not; and a way back is stuck.
pub fn few() -> Vec<Kind> {
    use Conduct::{Fails, NoReturn, UndoFails, Works};
    use Nature::{Neither, Provable, Repeatable};
    let kept = [
        (Repeatable, Works),
        (Provable, Works),
        (Neither, Works),
        (Provable, Fails),
        (Neither, Fails),
        (Neither, UndoFails),
        (Neither, NoReturn),
    ];
    let kept = |kind: &Kind| kept.contains(&(kind.nature, kind.conduct));
    every().into_iter().filter(kept).collect()
}

/// All plans of so many steps of these kinds, one after the other. Nothing
/// comes after a step that always fails: it would never begin.
pub fn plans(kinds: &[Kind], steps: u32) -> Vec<Vec<Kind>> {
    let mut plans: Vec<Vec<Kind>> = vec![Vec::new()];
    for _ in 0..steps {
        let mut longer = Vec::new();
        for plan in &plans {
            let first = |kind: &&Kind| plan.is_empty() || kind.conduct != Conduct::Fails;
            let kinds = kinds.iter().filter(first);
            longer.extend(kinds.map(|kind| [&[*kind], plan.as_slice()].concat()));
        }
        plans = longer;
    }
    plans
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
        "teams": { "dev": ["dana"], "ops": ["omar"], "all": ["dana", "omar"] },
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
    let given = |there: bool, value: Value| if there { value } else { Value::Null };
    let by_person = kind.nature == Nature::ByPerson;
    let no_return = kind.conduct == Conduct::NoReturn;
    let undo = match kind.conduct {
        Conduct::NoReturn => Value::Null,
        Conduct::Works if by_person => json!({ "lang": "text", "body": "undo it", "line": 1 }),
        _ => fence("undo"),
    };
    let after: Vec<String> = kind
        .predecessors(i)
        .iter()
        .map(|j| format!("s{j}"))
        .collect();
    let hosts: Vec<String> = (0..kind.hosts).map(|h| format!("h{h}")).collect();
    let stages: Vec<&[String]> = if kind.staged && kind.hosts > 1 {
        vec![&hosts[..1], &hosts[1..]]
    } else {
        vec![&hosts]
    };
    json!({
        "id": format!("s{i}"), "title": format!("Step {i}"), "phase": null, "line": 1,
        "owner": "dana", "backup": "omar", "after": null,
        "on": { "target": "h0", "spread": "all" }, "expect": null, "timeout": 1000,
        "retry": given(kind.retry > 0, json!({ "times": kind.retry, "every": 5000 })),
        "at": null, "when": null, "secrets": [], "changes": true,
        "no_way_back": given(no_return, json!("told the world")),
        "safe_to_repeat": kind.nature.repeatable(), "only_in": null,
        "approve": given(kind.approvals > 0, json!({ "count": kind.approvals, "of": "all" })),
        "watch": null,
        "run": given(!by_person, fence("run")),
        "verify": given(kind.nature.provable(), fence("verify")),
        "undo": undo,
        "preflight": given(kind.preflight, fence("preflight")),
        "tasks": if by_person { json!(["do it"]) } else { json!([]) },
        "owners": ["dana"], "backups": ["omar"], "after_ids": after,
        "stages": stages, "elsewhere": false,
    })
}
