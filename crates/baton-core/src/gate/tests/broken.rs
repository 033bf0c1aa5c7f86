//! Handoffs with one thing broken, and what must be said about it.

use super::world::*;
use crate::diag::Severity;
use crate::event::{Ending, Event};
use crate::gate::*;
use crate::handoff::contract::*;
use crate::id::*;
use crate::parity::{Fact, FactName, Value};

/// What is broken, and the blocker that must be all there is to say.
pub(super) struct Broken {
    pub(super) world: World,
    pub(super) code: &'static str,
    pub(super) names: Vec<&'static str>,
    pub(super) owner: &'static str,
    pub(super) severity: Severity,
}

impl Broken {
    pub(super) fn and(mut self, change: impl FnOnce(&mut World)) -> Self {
        change(&mut self.world);
        self
    }
}

/// A break that stops the launch.
pub(super) fn stops(
    code: &'static str,
    names: &[&'static str],
    owner: &'static str,
    mend: impl FnOnce(&mut World),
) -> Broken {
    let mut world = World::ready();
    mend(&mut world);
    Broken {
        world,
        code,
        names: names.to_vec(),
        owner,
        severity: Severity::Error,
    }
}

/// The same in a handoff whose plan was like this from the beginning.
pub(super) fn with(change: impl FnOnce(&mut Plan), broken: Broken) -> Broken {
    let ready = World::with(change);
    Broken {
        world: ready,
        ..broken
    }
}

/// A break after which something is not known.
pub(super) fn clouds(
    code: &'static str,
    names: &[&'static str],
    owner: &'static str,
    mend: impl FnOnce(&mut World),
) -> Broken {
    Broken {
        severity: Severity::Unknown,
        ..stops(code, names, owner, mend)
    }
}

fn is_run_of(said: &Said, id: &str) -> bool {
    matches!(&said.event, Event::CriterionRan { criterion, .. } if **criterion == *id)
}

fn ended(world: &mut World, id: &str, new_end: Ending, new_guard: Option<Ending>) {
    for said in &mut world.story {
        if let Event::CriterionRan {
            criterion,
            end,
            guard,
            ..
        } = &mut said.event
            && **criterion == *id
        {
            *end = new_end.clone();
            if new_guard.is_some() {
                *guard = new_guard.clone();
            }
        }
    }
}

fn no_program() -> Ending {
    Ending::NotStarted {
        because: "no such program".to_owned(),
    }
}

pub(super) fn definition() -> Vec<Broken> {
    let exit = |code| Ending::Exited { code };
    let ok = Ending::Succeeded;
    vec![
        stops("definition.missing", &["tests"], "dana", |w| {
            w.forget(|s| is_run_of(s, "tests"))
        }),
        stops("definition.failed", &["tests"], "dana", |w| {
            ended(w, "tests", exit(2), None)
        }),
        stops("definition.failed", &["guard"], "lee", |w| {
            ended(w, "guard", Ending::Succeeded, Some(exit(127)));
        }),
        stops("definition.failed", &["guard"], "lee", |w| {
            ended(
                w,
                "guard",
                Ending::Succeeded,
                Some(Ending::Killed { signal: 9 }),
            );
        }),
        clouds("definition.failed", &["guard"], "lee", |w| {
            ended(w, "guard", Ending::Succeeded, Some(Ending::TimedOut));
        }),
        clouds("definition.failed", &["tests"], "dana", |w| {
            ended(w, "tests", no_program(), None)
        }),
        clouds("definition.failed", &["tests"], "dana", |w| {
            ended(w, "tests", Ending::TimedOut, None);
        }),
        stops("definition.stale", &["tests"], "dana", |w| {
            let index = w.story.iter().position(|s| is_run_of(s, "tests")).unwrap();
            w.story[index].at = time("2026-11-24T08:09:59Z");
        }),
        stops("definition.guard-never-refused", &["guard"], "lee", |w| {
            ended(w, "guard", Ending::Succeeded, Some(ok));
        }),
        stops("definition.unsigned", &["privacy"], "pia", |w| {
            w.forget(|s| matches!(s.event, Event::Signed { .. }));
        }),
        stops("definition.unsigned", &["privacy"], "pia", |w| {
            for said in &mut w.story {
                if matches!(said.event, Event::Signed { .. }) {
                    said.by = "omar";
                }
            }
        }),
        stops("definition.undefined", &["success"], "dana", |w| {
            w.plan.contract.success = Section::Undefined;
        }),
        stops("definition.undefined", &["done"], "dana", |w| {
            w.plan.contract.done.clear()
        }),
    ]
}

pub(super) fn blind() -> Vec<Broken> {
    vec![
        clouds("definition.blind-measure", &["errors"], "omar", |w| {
            w.forget(|s| matches!(s.event, Event::MeasureSeen { .. }));
        }),
        clouds("definition.blind-measure", &["errors"], "omar", |w| {
            for said in &mut w.story {
                if let Event::MeasureSeen { blind, .. } = &mut said.event {
                    *blind = Some("the server does not answer".to_owned());
                }
            }
        }),
        clouds("definition.blind-measure", &["errors"], "omar", |w| {
            for said in &mut w.story {
                if matches!(said.event, Event::MeasureSeen { .. }) {
                    said.at = time("2026-11-24T08:09:59Z");
                }
            }
        }),
    ]
}

fn says_content(said: &mut Said, offered: bool, content: Digest) {
    match &mut said.event {
        Event::Offered { content: of, .. } if offered => *of = content,
        Event::Accepted { content: of } if !offered => *of = content,
        _ => {}
    }
}

pub(super) fn alignment() -> Vec<Broken> {
    let answers = |w: &mut World, by: &'static str| {
        w.forget(|s| {
            let answer = matches!(s.event, Event::Answered { .. } | Event::Opened { .. });
            answer && s.by == by
        });
    };
    vec![
        stops("alignment.undefined", &["expectations"], "dana", |w| {
            w.plan.contract.expectations = Section::Undefined;
        }),
        stops(
            "alignment.unanswered",
            &["peak", "operations"],
            "omar",
            |w| answers(w, "omar"),
        ),
        stops(
            "alignment.unanswered",
            &["peak", "development"],
            "dana",
            |w| answers(w, "dana"),
        ),
        stops(
            "alignment.unanswered",
            &["peak", "operations"],
            "omar",
            |w| {
                w.forget(|s| matches!(s.event, Event::Opened { .. }) && s.by == "omar");
            },
        ),
        stops("alignment.conflict", &["peak"], "dana", |w| {
            answers(w, "omar");
            let at = "2026-11-25T07:31:00Z";
            w.answer(at, "omar", "operations", "700");
            w.forget(|s| matches!(s.event, Event::Opened { .. }));
            w.open(at, "dana", "development", "900");
            w.open(at, "omar", "operations", "700");
        }),
        stops("alignment.not-offered", &["development"], "dana", |w| {
            w.forget(|s| matches!(s.event, Event::Offered { .. }));
        }),
        stops("alignment.not-offered", &["development"], "dana", |w| {
            for said in &mut w.story {
                if matches!(said.event, Event::Offered { .. }) {
                    said.by = "pia";
                }
            }
        }),
        stops("alignment.not-accepted", &["operations"], "omar", |w| {
            w.forget(|s| matches!(s.event, Event::Accepted { .. }));
        }),
        stops("alignment.lapsed", &["dana"], "dana", |w| {
            for said in &mut w.story {
                says_content(said, true, digest("older"));
            }
        }),
        stops("alignment.lapsed", &["omar"], "omar", |w| {
            for said in &mut w.story {
                says_content(said, false, digest("older"));
            }
        }),
    ]
}

fn on_host(w: &mut World, env: &str, host: &str, release: &str) {
    let print = digest(&format!("print of {env}"));
    let print = w.readings.fingerprints.get_mut(&print).unwrap();
    let facts = print.hosts.get_mut(host).unwrap();
    let fact = Fact::stable(Value::Text(release.to_owned()));
    facts.facts.insert(FactName::new("os", "release"), fact);
}

fn prints_of(said: &mut Said, env: &str) -> bool {
    matches!(&said.event, Event::Fingerprinted { environment, .. } if **environment == *env)
}

pub(super) fn parity() -> Vec<Broken> {
    vec![
        stops("parity.undefined", &["parity"], "dana", |w| {
            w.plan.contract.parity = Section::Undefined;
        }),
        stops("parity.no-fingerprint", &["staging"], "omar", |w| {
            w.story.retain_mut(|s| !prints_of(s, "staging"));
        }),
        stops("parity.stale", &["production"], "omar", |w| {
            for said in &mut w.story {
                if prints_of(said, "production") {
                    said.at = time("2026-11-24T08:00:00Z");
                }
            }
        }),
        stops("parity.unexplained", &["os:release"], "omar", |w| {
            on_host(w, "staging", "web1", "debian 13");
            on_host(w, "staging", "web2", "debian 13");
        }),
        stops("parity.unexplained", &["web2", "os:release"], "omar", |w| {
            on_host(w, "production", "web2", "debian 13");
            on_host(w, "staging", "web2", "debian 12");
        }),
        clouds("parity.not-collected", &["staging"], "omar", |w| {
            w.readings.fingerprints.remove(&digest("print of staging"));
        }),
        clouds(
            "parity.not-collected",
            &["web1", "web2", "os:*"],
            "omar",
            |w| {
                let print = digest("print of staging");
                let print = w.readings.fingerprints.get_mut(&print).unwrap();
                for host in print.hosts.values_mut() {
                    let timeout = crate::parity::LayerStatus::Timeout;
                    host.layers.insert("os".to_owned(), timeout);
                }
            },
        ),
        stops("parity.same-secret", &["os:release"], "omar", |w| {
            let Section::Defined(terms) = &mut w.plan.contract.parity else {
                return;
            };
            terms.rules.push(crate::parity::Rule {
                pattern: "os:release".to_owned(),
                is: crate::parity::Is::MustDiffer,
            });
        }),
    ]
}
