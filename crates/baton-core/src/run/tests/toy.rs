//! A run in memory whose commands end as they are told to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::event::{Ending, Event, FenceRole, Leg, Outcome, RunKind, RunTerms};
use crate::handoff::plan::{PLAN_FORMAT, Plan};
use crate::id::{
    AttemptId, Digest, EnvName, Epoch, Handle, HandoffId, HostName, RunId, Seq, StepId,
};
use crate::ledger::canon::genesis;
use crate::ledger::{Draft, Entry};
use crate::parity::{Mark, RoundTrip};
use crate::run::state::Mode;
use crate::run::waits::{Ask, waits};
use crate::run::{Illegal, Next, State, next};

pub(crate) const START: i64 = 1_700_000_000;

pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(START + seconds).unwrap()
}

/// A step after the one before, on `h0`, with run and undo; `other` goes over it.
pub(crate) fn step(id: &str, after: &[&str], other: Value) -> Value {
    let fence = |body: &str| json!({ "lang": "sh", "body": body, "line": 1 });
    let mut step = json!({
        "id": id, "title": id, "phase": null, "line": 1,
        "owner": "dana", "backup": "omar", "after": null,
        "on": { "target": "h0", "spread": "all" }, "expect": null, "timeout": 1000,
        "retry": null, "at": null, "when": null, "secrets": [], "changes": true,
        "no_way_back": null, "safe_to_repeat": false, "only_in": null, "approve": null,
        "watch": null, "run": fence("run"), "verify": null, "undo": fence("undo"),
        "preflight": null, "tasks": [], "owners": ["dana"], "backups": ["omar"],
        "after_ids": after, "stages": [["h0"]], "elsewhere": false,
    });
    merge(&mut step, other);
    step
}

pub(crate) fn merge(onto: &mut Value, other: Value) {
    let Value::Object(other) = other else { return };
    for (key, value) in other {
        onto[key] = value;
    }
}

pub(crate) fn plan(steps: Vec<Value>, contract: Value) -> Plan {
    let host = json!({ "ssh": null, "dir": ".", "vars": {} });
    let person = |name: &str| json!({ "name": name, "email": null, "zone": null, "hours": null, "key": null });
    let hosts: BTreeMap<String, Value> = (0..8).map(|h| (format!("h{h}"), host.clone())).collect();
    let mut whole = json!({
        "name": "toy", "summary": null, "from": "dev", "to": "ops", "touches": [],
        "people": { "dana": person("Dana"), "omar": person("Omar") },
        "teams": { "dev": ["dana"], "ops": ["omar"] },
        "roles": {
            "launch-lead": { "owner": "dana", "backup": "omar" },
            "rollback-decider": { "owner": "omar", "backup": "dana" },
        },
        "release": { "version": "2", "kind": "code", "artifacts": [] },
        "environments": { "prod": {
            "hosts": hosts, "groups": {}, "vars": { "COLOR": "red" }, "secrets": {},
        } },
        "launch": { "environment": "prod", "window": null, "freezes": [] },
        "expectations": "undefined", "done": [], "parity": "undefined", "success": "undefined",
        "watch": null, "waivers": [], "runbook": "runbook.md", "rehearsal": "undefined",
        "room": "undefined", "review": "undefined",
    });
    merge(&mut whole, contract);
    let digest = Digest::of(b"plan");
    serde_json::from_value(json!({
        "format": PLAN_FORMAT, "handoff": "toy/2/prod", "environment": "prod",
        "contract": whole, "steps": steps,
        "digests": {
            "content": digest, "procedure": digest, "roster": digest, "environments": {},
        },
    }))
    .unwrap()
}

/// A run whose commands end as they are told to, and what it did.
pub(crate) struct Toy {
    pub(crate) state: State,
    pub(crate) now: Timestamp,
    pub(crate) seq: u64,
    pub(crate) begun: BTreeSet<AttemptId>,
    /// Ends that are not a success, by `ROLE STEP HOST`; each is used once.
    pub(crate) ends: Vec<(&'static str, Ending)>,
    pub(crate) outputs: BTreeMap<&'static str, (&'static str, &'static str)>,
    pub(crate) did: Vec<String>,
    pub(crate) entries: Vec<Entry>,
}

impl Toy {
    pub(crate) fn new(what: RunKind, plan: Plan, terms: impl FnOnce(&mut RunTerms)) -> Self {
        let digest = Digest::of(b"other");
        let mut opened = RunTerms {
            what,
            plan: digest.clone(),
            content: digest.clone(),
            procedure: digest.clone(),
            roster: digest.clone(),
            release: digest.clone(),
            environment: EnvName::from("prod"),
            definition: digest,
            fail_at: None,
            unproven: Vec::new(),
        };
        terms(&mut opened);
        let entry = entry(1, at(0), "dana", Event::RunOpened(opened));
        let mut toy = Self {
            state: State::open(Arc::new(plan), &entry).unwrap(),
            now: at(0),
            seq: 1,
            begun: BTreeSet::new(),
            ends: Vec::new(),
            outputs: BTreeMap::new(),
            did: Vec::new(),
            entries: vec![entry],
        };
        let holder = "here".to_owned();
        let epoch = Epoch(1);
        toy.say("baton", Event::DriverTook { epoch, holder });
        toy
    }

    pub(crate) fn launch(steps: Vec<Value>) -> Self {
        Self::new(RunKind::Launch, plan(steps, json!({})), |_| {})
    }

    pub(crate) fn rehearsal(steps: Vec<Value>) -> Self {
        Self::new(RunKind::Rehearsal, plan(steps, json!({})), |_| {})
    }

    pub(crate) fn failing(mut self, what: &'static str) -> Self {
        self.ends.push((what, Ending::Exited { code: 1 }));
        self
    }

    /// What is said has to be legal.
    pub(crate) fn say(&mut self, by: &str, event: Event) {
        self.try_say(by, event).unwrap();
    }

    /// What is illegal leaves the state as it was.
    pub(crate) fn try_say(&mut self, by: &str, event: Event) -> Result<(), Illegal> {
        let before = format!("{:?}", self.state);
        let entry = entry(self.seq + 1, self.now, by, event);
        let said = self.state.apply(&entry);
        match &said {
            Ok(()) => {
                self.seq += 1;
                self.entries.push(entry);
            }
            Err(why) => assert_eq!(before, format!("{:?}", self.state), "after {why}"),
        }
        said
    }

    /// Goes on until the run waits or halts.
    pub(crate) fn go(&mut self) -> Next {
        for _ in 0..500 {
            match next(&self.state, &self.begun, self.now) {
                Next::Record(event) => {
                    if let Event::LegBegan { leg, .. } = &event {
                        self.did.push(format!("{leg:?}"));
                    }
                    self.say("baton", event);
                }
                Next::Begin { step, host, role } => self.begin(step, host, role),
                Next::Start(attempt) => self.carry_out(attempt),
                Next::Survey(mark) => self.survey(mark),
                other => return other,
            }
        }
        panic!("it goes on for ever: {:?}", self.did)
    }

    /// Goes on until the run waits, for however long.
    pub(crate) fn waits(&mut self) {
        let next = self.go();
        assert!(matches!(next, Next::Wait(_)), "{next:?}");
    }

    pub(crate) fn begin(&mut self, step: StepId, host: HostName, role: FenceRole) {
        let attempt = AttemptId::from(format!("a{:05}", self.seq).as_str());
        let epoch = self.state.epoch;
        let event = Event::AttemptStarted {
            attempt,
            step,
            host,
            role,
            epoch,
        };
        self.say("baton", event);
    }

    pub(crate) fn carry_out(&mut self, attempt: AttemptId) {
        let (step, host, role) = self.state.attempt(&attempt).unwrap();
        let what = format!("{} {} {host}", role.word(), step.id());
        let planned = self.ends.iter().position(|(meant, _)| *meant == what);
        let undone = role == FenceRole::Verify && self.state.leg == Leg::Back;
        let end = match planned {
            Some(i) => self.ends.remove(i).1,
            None if undone => Ending::Exited { code: 1 },
            None => Ending::Succeeded,
        };
        let given = self.outputs.get(what.as_str());
        let outputs = given.map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
        self.did.push(what);
        let event = Event::AttemptEnded {
            attempt,
            end,
            outputs: outputs.into_iter().collect(),
            output: None,
            took: crate::time::Duration::default(),
        };
        self.say("baton", event);
    }

    fn survey(&mut self, mark: Mark) {
        self.did.push(format!("survey {mark:?}"));
        let of = |mark: Mark| Digest::of(format!("{mark:?}").as_bytes());
        let print = Event::Fingerprinted {
            environment: EnvName::from("prod"),
            definition: Digest::of(b"prod"),
            collectors: Digest::of(b"os"),
            fingerprint: of(mark),
            mark: Some(mark),
        };
        self.say("baton", print.clone());
        assert!(self.try_say("baton", print).is_err(), "once is enough");
        let trip = Event::RoundTrip(RoundTrip {
            before: of(Mark::Before),
            forward: of(Mark::Forward),
            back: of(Mark::Back),
            changed: 1,
            residues: Vec::new(),
            left_out: 0,
        });
        if mark == Mark::Back {
            self.say("baton", trip);
        } else {
            assert!(self.try_say("baton", trip).is_err(), "it takes all three");
        }
    }

    pub(crate) fn did(&self) -> Vec<&str> {
        self.did.iter().map(String::as_str).collect()
    }

    pub(crate) fn outcome(&self) -> Option<Outcome> {
        self.state.ended().map(|(outcome, _)| outcome)
    }

    pub(crate) fn frozen(&self) -> &str {
        match &self.state.mode {
            Mode::Frozen { because } => because,
            other => panic!("{other:?} after {:?}", self.did),
        }
    }

    pub(crate) fn asks(&self) -> Vec<Ask> {
        let waits = waits(&self.state, self.now);
        waits.into_iter().map(|waiting| waiting.ask).collect()
    }
}

pub(crate) fn entry(seq: u64, at: Timestamp, by: &str, event: Event) -> Entry {
    let draft = Draft {
        at,
        by: Handle::from(by),
        handoff: HandoffId::from("toy/2/prod"),
        run: Some(RunId::from("run_1")),
        event,
    };
    Entry::seal(draft, Seq(seq), genesis())
}
