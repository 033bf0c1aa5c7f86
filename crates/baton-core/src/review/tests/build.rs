//! Plans and ledgers for the tests, written by hand.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::event::{Ending, Event, FenceRole, Leg, Outcome, RunKind, RunTerms};
use crate::handoff::plan::Plan;
use crate::id::{AttemptId, Digest, Epoch, Handle, HostName, MeasureId, RunId, Seq, StepId};
use crate::ledger::canon::{BATON, Draft, Entry, genesis};
use crate::parity::round_trip::{Residue, RoundTrip};
use crate::time::Duration;
use crate::watch::{Counts, Decision, Design, Finding, State, Verdict};

/// When every tale begins.
pub(super) fn start() -> Timestamp {
    "2026-11-25T08:00:00Z".parse().unwrap()
}

/// A step as JSON: `(id, title, owner, backup, expect, hosts, run, verify)`.
pub(super) fn step(id: &str, title: &str, hosts: &[&str], fences: &[&str]) -> Value {
    let fence = |role: &str| {
        let there = fences.contains(&role);
        there.then(|| json!({"lang": "sh", "body": "true", "line": 1}))
    };
    json!({
        "id": id, "title": title, "line": 1, "expect": 60_000, "timeout": 600_000,
        "secrets": [], "changes": true, "safe_to_repeat": false, "tasks": [],
        "run": fence("run"), "verify": fence("verify"), "undo": fence("undo"), "preflight": fence("preflight"),
        "owners": ["lee"], "backups": ["dana"], "after_ids": [],
        "stages": [hosts], "elsewhere": false,
    })
}

/// A plan with these steps, one after the other.
pub(super) fn plan(mut steps: Vec<Value>) -> Plan {
    let ids: Vec<Value> = steps.iter().map(|step| step["id"].clone()).collect();
    for (step, before) in steps.iter_mut().skip(1).zip(&ids) {
        step["after_ids"] = json!([before]);
    }
    let digest = Digest::of(b"");
    let role = |owner: &str, backup: &str| json!({"owner": owner, "backup": backup});
    let person = |name: &str| json!({"name": name});
    serde_json::from_value(json!({
        "format": 1, "handoff": "shop/2.4.0/production", "environment": "production",
        "steps": steps,
        "digests": {"content": digest, "procedure": digest, "roster": digest, "environments": {}},
        "contract": {
            "name": "shop", "summary": "Shop 2.4 takes orders in two currencies",
            "from": "development", "to": "operations", "touches": ["shop", "orders-db"],
            "people": {
                "dana": person("Dana Ito"), "lee": person("Lee Novak"),
                "omar": person("Omar Diaz"), "pia": person("Pia Lund"),
            },
            "teams": {"development": ["dana", "lee"], "operations": ["omar", "pia"]},
            "roles": {
                "launch-lead": role("omar", "pia"),
                "rollback-decider": role("pia", "omar"),
            },
            "release": {"version": "2.4.0", "kind": "code", "artifacts": []},
            "environments": {"production": {"hosts": {}, "groups": {}, "vars": {}, "secrets": {}}},
            "launch": {"environment": "production", "freezes": []},
            "expectations": "undefined", "done": [], "parity": "undefined",
            "success": {"defined": [{
                "id": "errors", "says": "Requests that fail", "at_most": 0.01,
                "source": {"probe": {"url": "http://$HOST/", "every": 1000}},
            }]},
            "waivers": [], "runbook": "runbook.md", "rehearsal": "undefined",
            "room": "undefined", "review": "undefined",
        },
    }))
    .unwrap()
}

/// The ledger of one run, entry by entry.
#[derive(Debug)]
pub(super) struct Tale {
    pub(super) entries: Vec<Entry>,
    now: Timestamp,
    attempts: u32,
    drivers: u64,
}

impl Tale {
    pub(super) fn new() -> Self {
        Self {
            entries: Vec::new(),
            now: start(),
            attempts: 0,
            drivers: 0,
        }
    }

    /// A launch that was opened by omar and is driven.
    pub(super) fn launch() -> Self {
        let mut tale = Self::new();
        tale.by("omar", opened(RunKind::Launch));
        tale.driven();
        tale
    }

    pub(super) fn wait(&mut self, secs: u64) -> &mut Self {
        self.now = Duration::from_secs(secs).after(self.now);
        self
    }

    pub(super) fn by(&mut self, by: &str, event: Event) -> &mut Self {
        let draft = Draft {
            at: self.now,
            by: Handle::from(by),
            handoff: "shop/2.4.0/production".into(),
            run: Some(RunId::from("run_1")),
            event,
        };
        let seq = Seq(self.entries.len() as u64 + 1);
        self.entries.push(Entry::seal(draft, seq, genesis()));
        self
    }

    pub(super) fn baton(&mut self, event: Event) -> &mut Self {
        self.by(BATON, event)
    }

    pub(super) fn driven(&mut self) -> &mut Self {
        self.drivers += 1;
        let epoch = Epoch(self.drivers);
        let holder = format!("omar at laptop{}", self.drivers);
        self.baton(Event::DriverTook { epoch, holder })
    }

    /// One attempt from its start to its end.
    pub(super) fn attempt(
        &mut self,
        step: &str,
        host: &str,
        role: FenceRole,
        secs: u64,
        end: Ending,
    ) -> &mut Self {
        self.attempts += 1;
        let attempt = AttemptId::from(format!("att_{}", self.attempts).as_str());
        self.baton(Event::AttemptStarted {
            attempt: attempt.clone(),
            step: StepId::from(step),
            host: HostName::from(host),
            role,
            epoch: Epoch(self.drivers),
        });
        self.wait(secs).baton(Event::AttemptEnded {
            attempt,
            end,
            outputs: BTreeMap::new(),
            output: None,
            took: Duration::from_secs(secs),
        })
    }

    /// Run and verify, both well.
    pub(super) fn goes(&mut self, step: &str, host: &str, secs: u64) -> &mut Self {
        self.attempt(step, host, FenceRole::Run, secs, Ending::Succeeded)
            .attempt(step, host, FenceRole::Verify, 1, Ending::Succeeded)
    }

    /// Undo, and verify refuses.
    pub(super) fn goes_back(&mut self, step: &str, host: &str, secs: u64) -> &mut Self {
        self.attempt(step, host, FenceRole::Undo, secs, Ending::Succeeded)
            .attempt(step, host, FenceRole::Verify, 1, Ending::Exited { code: 1 })
    }

    pub(super) fn done(&mut self, by: &str, step: &str) -> &mut Self {
        self.by(
            by,
            Event::StepDone {
                step: step.into(),
                host: None,
            },
        )
    }

    pub(super) fn turns(&mut self, leg: Leg, planned: bool, because: &str) -> &mut Self {
        self.baton(Event::LegBegan {
            leg,
            planned,
            because: because.to_owned(),
        })
    }

    /// What the fingerprints of a rehearsal say: what is not as it was.
    pub(super) fn trip(&mut self, changed: u64, left: &[&str]) -> &mut Self {
        let blob = || Digest::of(b"print");
        let residues = left.iter().map(|name| Residue {
            name: (*name).to_owned(),
            before: Some("1".to_owned()),
            back: Some("2".to_owned()),
            host: HostName::from("web1"),
        });
        let residues = residues.collect();
        self.baton(Event::RoundTrip(RoundTrip {
            before: blob(),
            forward: blob(),
            back: blob(),
            changed,
            residues,
            left_out: 0,
        }))
    }

    pub(super) fn judged(&mut self, decision: Decision, bad: u64, because: &str) -> &mut Self {
        self.baton(Event::Judged {
            samples: BTreeMap::new(),
            verdict: verdict(decision, bad, because),
        })
    }

    pub(super) fn ended(&mut self, outcome: Outcome, because: &str) -> &mut Self {
        self.baton(Event::RunEnded {
            outcome,
            because: because.to_owned(),
            undone: Vec::new(),
        })
    }
}

pub(super) fn opened(what: RunKind) -> Event {
    let digest = Digest::of(b"");
    Event::RunOpened(RunTerms {
        what,
        plan: digest.clone(),
        content: digest.clone(),
        procedure: digest.clone(),
        roster: digest.clone(),
        release: digest.clone(),
        environment: "production".into(),
        definition: digest,
        fail_at: None,
        unproven: Vec::new(),
    })
}

pub(super) fn verdict(decision: Decision, bad: u64, because: &str) -> Verdict {
    let harm = decision == Decision::RollBack;
    Verdict {
        decision,
        because: because.to_owned(),
        measures: vec![Finding {
            measure: MeasureId::from("errors"),
            bad,
            total: 310,
            control: Some(Counts::new(4, 620)),
            ratio: Some(20.5),
            interval: Some((7.2, 32.0)),
            effect: None,
            e: if harm { 4.2e9 } else { 0.7 },
            bar: 1000.0,
            alpha: 0.001,
            dispersion: None,
            decided_in: None,
            design: Design::Limit,
            assumptions: vec!["The control gets the same kind of traffic.".to_owned()],
            state: if harm { State::Harm } else { State::Fine },
        }],
    }
}
