//! The plan of the small handoff.

use std::collections::BTreeMap;

use super::world::{at, digest, minutes, name, time};
use crate::event::{RunKind, RunTerms};
use crate::handoff::contract::*;
use crate::handoff::plan::{Digests, PLAN_FORMAT, Plan, Step};
use crate::handoff::runbook::{self, DEFAULT_TIMEOUT, Fence};
use crate::id::*;
use crate::parity::{Collector, Fact, FactName, Fingerprint, HostFacts, LayerStatus, Value};
use crate::time::Duration;

fn person(called: &str, zone: &str, from: u16, to: u16) -> Person {
    Person {
        name: called.to_owned(),
        email: None,
        zone: name(zone),
        hours: Some(at(Hours {
            days: [true, true, true, true, true, false, false],
            from,
            to,
        })),
        key: None,
    }
}

fn people() -> BTreeMap<Handle, Person> {
    [
        ("dana", person("Dana Ito", "Asia/Tokyo", 780, 1320)),
        ("lee", person("Lee Novak", "Europe/Prague", 540, 1050)),
        ("omar", person("Omar Diaz", "Europe/Madrid", 480, 960)),
        ("pia", person("Pia Lund", "Europe/Oslo", 480, 960)),
    ]
    .into_iter()
    .map(|(handle, person)| (Handle::from(handle), person))
    .collect()
}

fn environment() -> Environment {
    let host = |name: &str| {
        let dir = Some(format!("env/{name}"));
        let host = Host {
            ssh: None,
            dir,
            vars: BTreeMap::new(),
        };
        (HostName::from(name), host)
    };
    Environment {
        hosts: [host("web1"), host("web2")].into(),
        groups: [(
            GroupName::from("web"),
            ["web1", "web2"].map(|h| at(HostName::from(h))).to_vec(),
        )]
        .into(),
        vars: BTreeMap::new(),
        secrets: [("DB_KEY".to_owned(), SecretRef::Env("DB_KEY".to_owned()))].into(),
    }
}

pub(super) fn criterion(id: &str, owner: &str) -> Criterion {
    Criterion {
        id: at(CriterionId::from(id)),
        says: format!("{id} holds"),
        owner: name(owner),
        backup: None,
        run: Some(format!("./{id}")),
        refuses: None,
        environment: None,
        fresh: None,
        timeout: None,
        sign: None,
    }
}

fn done() -> Vec<Criterion> {
    let tests = Criterion {
        fresh: Some(minutes(24 * 60)),
        ..criterion("tests", "dana")
    };
    let guard = Criterion {
        refuses: Some("./guard bad".to_owned()),
        ..criterion("guard", "lee")
    };
    let restore = Criterion {
        environment: Some(at(EnvName::from("staging"))),
        ..criterion("restore", "omar")
    };
    let privacy = Criterion {
        run: None,
        sign: Some(at(Handle::from("pia"))),
        environment: Some(at(EnvName::from("production"))),
        ..criterion("privacy", "pia")
    };
    vec![tests, guard, restore, privacy]
}

fn parity() -> ParityTerms {
    ParityTerms {
        compare: vec![at(EnvName::from("staging"))],
        fresh: Some(minutes(24 * 60)),
        facts: vec![Collector::Os],
        rules: Vec::new(),
        weights: Default::default(),
    }
}

fn success() -> Vec<Measure> {
    vec![Measure {
        id: at(MeasureId::from("errors")),
        says: "Requests that fail".to_owned(),
        owner: name("omar"),
        backup: None,
        source: Source::Probe {
            url: "http://$HOST/".to_owned(),
            every: Duration::from_secs(1),
        },
        quantile: None,
        at_most: Some(0.01),
        worse_by: None,
    }]
}

fn launch() -> Launch {
    Launch {
        environment: at(EnvName::from("production")),
        window: Some(Window {
            opens: time("2026-11-25T09:00:00+01:00"),
            closes: time("2026-11-25T12:00:00+01:00"),
            offset_s: 3600,
        }),
        freezes: vec![Freeze::Span {
            from: time("2026-12-20T00:00:00Z"),
            to: time("2027-01-02T00:00:00Z"),
            because: "Holiday freeze".to_owned(),
        }],
    }
}

fn contract() -> Contract {
    let role = |owner: &str, backup: &str| Role {
        owner: name(owner),
        backup: name(backup),
    };
    let team = |members: [&str; 2]| members.map(|by| at(Handle::from(by))).to_vec();
    Contract {
        name: at("shop".to_owned()),
        summary: None,
        from: at(TeamName::from("development")),
        to: at(TeamName::from("operations")),
        touches: vec![Component::from("shop"), Component::from("orders-db")],
        people: people(),
        teams: [
            (TeamName::from("development"), team(["dana", "lee"])),
            (TeamName::from("operations"), team(["omar", "pia"])),
        ]
        .into(),
        roles: [
            (RoleName::from("launch-lead"), role("omar", "pia")),
            (RoleName::from("rollback-decider"), role("pia", "omar")),
        ]
        .into(),
        release: Release {
            version: at("2.4.0".to_owned()),
            kind: ReleaseKind::Code,
            artifacts: vec![at("dist/shop".to_owned())],
        },
        environments: ["staging", "production"]
            .map(|env| (EnvName::from(env), environment()))
            .into(),
        launch: launch(),
        expectations: Section::Defined(vec![Expectation {
            id: at(ExpectationId::from("peak")),
            ask: "Peak orders per minute?".to_owned(),
            answer: AnswerKind::Number,
            within: Some(0.1),
        }]),
        done: done(),
        parity: Section::Defined(parity()),
        success: Section::Defined(success()),
        watch: Some(WatchTerms {
            lasts: minutes(30),
            on_harm: OnHarm::RollBack,
            false_alarm: 0.01,
        }),
        waivers: Vec::new(),
        runbook: at("runbook.md".to_owned()),
        rehearsal: Section::Defined(RehearsalTerms {
            environment: at(EnvName::from("staging")),
            within: minutes(7 * 24 * 60),
        }),
        room: Section::Defined(RoomTerms::default()),
        review: Section::Defined(ReviewTerms {
            within: minutes(5 * 24 * 60),
        }),
    }
}

pub(super) fn fence(body: &str) -> Option<Fence> {
    Some(Fence {
        lang: "sh".to_owned(),
        body: body.to_owned(),
        line: 1,
    })
}

pub(super) fn step(id: &str, after: &[&str], owner: &str, backup: &str) -> Step {
    Step {
        written: runbook::Step {
            id: at(StepId::from(id)),
            title: id.to_owned(),
            phase: None,
            line: 1,
            owner: name(owner),
            backup: name(backup),
            after: None,
            on: None,
            expect: Some(minutes(10)),
            timeout: DEFAULT_TIMEOUT,
            retry: None,
            at: None,
            when: None,
            secrets: Vec::new(),
            changes: false,
            no_way_back: None,
            safe_to_repeat: false,
            only_in: None,
            approve: None,
            watch: None,
            run: fence("true"),
            verify: None,
            undo: None,
            preflight: None,
            tasks: Vec::new(),
        },
        owners: vec![Handle::from(owner)],
        backups: vec![Handle::from(backup)],
        after_ids: after.iter().map(|id| StepId::from(*id)).collect(),
        stages: vec![vec![HostName::here()]],
        elsewhere: false,
    }
}

fn steps() -> Vec<Step> {
    let mut install = step("install", &["back-up"], "lee", "dana");
    install.stages = vec![vec![HostName::from("web1")], vec![HostName::from("web2")]];
    install.written.changes = true;
    install.written.undo = fence("go back");
    install.written.preflight = fence("command -v systemctl");
    install.written.secrets = vec![at("DB_KEY".to_owned())];
    vec![
        step("back-up", &[], "omar", "pia"),
        install,
        step("tell", &["install"], "lee", "dana"),
    ]
}

pub(super) fn plan() -> Plan {
    let contract = contract();
    let environment = EnvName::from("production");
    Plan {
        format: PLAN_FORMAT,
        handoff: HandoffId::of("shop", "2.4.0", &environment),
        environment,
        contract,
        steps: steps(),
        digests: Digests {
            content: digest("content"),
            procedure: digest("procedure"),
            roster: digest("roster"),
            environments: ["staging", "production"]
                .map(|env| (EnvName::from(env), digest(env)))
                .into(),
        },
    }
}

pub(super) fn fingerprint(environment: &str, release: &str) -> Fingerprint {
    let mut host = HostFacts::default();
    host.layers.insert("os".to_owned(), LayerStatus::Ok);
    let fact = Fact::stable(Value::Text(release.to_owned()));
    host.facts.insert(FactName::new("os", "release"), fact);
    let hosts = ["web1", "web2"].map(|name| (HostName::from(name), host.clone()));
    let at = time("2026-11-25T07:00:00Z");
    Fingerprint::new(
        EnvName::from(environment),
        at,
        &[Collector::Os],
        hosts.into(),
    )
}

pub(super) fn rehearsal_terms(plan: &Plan) -> RunTerms {
    RunTerms {
        what: RunKind::Rehearsal,
        plan: digest("plan"),
        content: plan.digests.content.clone(),
        procedure: plan.digests.procedure.clone(),
        roster: plan.digests.roster.clone(),
        release: digest("release"),
        environment: EnvName::from("staging"),
        definition: digest("staging"),
        fail_at: None,
        unproven: Vec::new(),
    }
}
