//! A notice as CDEvents 0.5.1 in CloudEvents 1.0, structured JSON.
//!
//! What CDEvents has a word for is said with it: a run is a `pipelinerun`; a
//! launch that succeeded has `service.deployed`, one that went back
//! `service.rolledback`; harm is an `incident`, resolved when the run that did it
//! went back or was kept on purpose. Rehearsals deploy to their own environment
//! and say so. Everything else is a custom event of the tool `baton`
//! (<https://github.com/cdevents/spec/blob/main/custom/README.md>): approvals and
//! calls exist only in the draft of 0.6.

use serde_json::{Value, json};

use super::shape::data;
use super::{Kind, Notice};
use crate::event::Outcome;

/// The version of the CDEvents specification.
pub const SPEC: &str = "0.5.1";
/// The version of our own custom events.
const CUSTOM: &str = "0.1.0";

/// The CloudEvents of a notice, in their order. Each has an id of its own that
/// is the same whenever the notice is.
pub fn cloud_events(notice: &Notice, room: Option<&str>) -> Vec<Value> {
    let mut events = Vec::new();
    let service = || json!({ "environment": environment(notice), "artifactId": artifact(notice) });
    match (notice.kind, notice.outcome) {
        (Kind::Opened, _) => {
            let content = json!({ "pipelineName": notice.handoff, "uri": uri(notice, room) });
            events.push(("pipelinerun.started", run(notice), content));
        }
        (Kind::Harm, _) => events.push(("incident.detected", incident(notice), harm(notice))),
        (Kind::Ended, Some(outcome)) => {
            let named = notice.name.clone();
            match outcome {
                Outcome::Succeeded => events.push(("service.deployed", named, service())),
                Outcome::RolledBack => events.push(("service.rolledback", named, service())),
                Outcome::Stopped | Outcome::Aborted => {}
            }
            let over = matches!(outcome, Outcome::Succeeded | Outcome::RolledBack);
            if notice.harmed && over {
                events.push(("incident.resolved", incident(notice), harm(notice)));
            }
            let mut content = json!({
                "pipelineName": notice.handoff, "uri": uri(notice, room), "outcome": word(outcome),
            });
            if outcome != Outcome::Succeeded {
                content["errors"] = json!(notice.says);
            }
            events.push(("pipelinerun.finished", run(notice), content));
        }
        _ => return vec![custom(notice, room)],
    }
    let events = events.into_iter().map(|(subject, id, content)| {
        let kind = format!("dev.cdevents.{subject}.0.3.0");
        event(notice, room, &kind, subject, &id, content)
    });
    events.collect()
}

/// What CDEvents has no word for.
fn custom(notice: &Notice, room: Option<&str>) -> Value {
    let predicate: String = notice.kind.key().split('-').collect();
    let kind = format!("dev.cdeventsx.baton-handoff.{predicate}.{CUSTOM}");
    let content = data(notice, room);
    event(notice, room, &kind, "handoff", &notice.handoff, content)
}

fn event(
    notice: &Notice,
    room: Option<&str>,
    kind: &str,
    suffix: &str,
    subject: &str,
    content: Value,
) -> Value {
    let id = format!("{}-{suffix}", notice.id);
    let source = source(notice, room);
    let mut context = json!({
        "specversion": SPEC, "id": id, "source": source, "type": kind, "timestamp": notice.at,
    });
    if let Some(run) = &notice.run {
        context["chainId"] = json!(run);
    }
    json!({
        "specversion": "1.0",
        "id": id,
        "source": source,
        "type": kind,
        "subject": subject,
        "time": notice.at,
        "datacontenttype": "application/json",
        "data": {
            "context": context,
            "subject": { "id": subject, "source": source, "content": content },
        },
    })
}

/// Who speaks: the room, or the handoff where there is no room.
fn source(notice: &Notice, room: Option<&str>) -> String {
    let handoff = percent(&notice.handoff);
    match room {
        Some(room) => format!("{}/handoff/{handoff}", room.trim_end_matches('/')),
        None => format!("/baton/{handoff}"),
    }
}

/// Where the run is seen; a name where there is no room.
fn uri(notice: &Notice, room: Option<&str>) -> String {
    match room {
        Some(room) => format!("{}{}", room.trim_end_matches('/'), notice.path()),
        None => format!("urn:baton:{}", percent(&run(notice))),
    }
}

fn run(notice: &Notice) -> String {
    let run = notice.run.as_ref();
    run.map_or_else(|| notice.handoff.to_string(), ToString::to_string)
}

fn incident(notice: &Notice) -> String {
    format!("{}/harm", run(notice))
}

fn harm(notice: &Notice) -> Value {
    json!({
        "description": notice.says,
        "environment": environment(notice),
        "service": { "id": notice.name },
        "artifactId": artifact(notice),
    })
}

fn environment(notice: &Notice) -> Value {
    json!({ "id": notice.environment })
}

/// What was released, as a package URL (<https://github.com/package-url/purl-spec>).
fn artifact(notice: &Notice) -> String {
    let (name, version) = (percent(&notice.name), percent(&notice.version));
    let sum = notice.release.as_ref().map(|digest| digest.to_string());
    let sum = sum.map_or_else(String::new, |sum| format!("?checksum={sum}"));
    format!("pkg:generic/{name}@{version}{sum}")
}

/// The outcomes that CDEvents knows for a pipeline run.
fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Succeeded => "success",
        Outcome::RolledBack => "failure",
        Outcome::Stopped => "error",
        Outcome::Aborted => "cancel",
    }
}

/// A part of an address, percent-encoded but for RFC 3986's unreserved characters
/// (section 2.3).
pub fn percent(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
