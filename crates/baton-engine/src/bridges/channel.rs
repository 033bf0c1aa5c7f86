//! One delivery over one bridge: secrets looked up, one request made, one answer
//! judged.
//!
//! Every request is bounded in time, redirects are not followed, and no more of an
//! answer is read than says how it went. No error holds an address, a secret, or
//! what the other side wrote.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use baton_core::bridge::Notice;
use baton_core::bridge::cdevents::{cloud_events, percent};
use baton_core::bridge::shape::{matrix, slack, webhook};
use baton_core::handoff::contract::{Bridge, SecretRef};
use baton_core::handoff::plan::Plan;
use baton_core::id::{Digest, HostName};
use baton_core::run::order::{filled_from, values};
use jiff::Timestamp;
use serde_json::{Value, json};
use ureq::http::{Response, header::RETRY_AFTER};
use ureq::typestate::WithBody;
use ureq::{Agent, Body, RequestBuilder};

use super::{mail, signed};
use crate::desk::Settings;
use crate::secret::{Masker, Secret, resolve};

/// How long one request may take, from the name's look-up to the last byte.
pub(super) const REQUEST: Duration = Duration::from_secs(10);
/// The most of an answer that is read: it holds the id of a room.
const ANSWER_MOST: u64 = 64 * 1024;
/// The longest pause a receiver may ask for.
const PAUSE_MOST: Duration = Duration::from_secs(300);

/// Why a delivery failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    /// In words.
    pub(super) because: String,
    /// Whether the same notice will be refused each time.
    pub(super) for_good: bool,
    /// How long the receiver wants to be left alone.
    pub(super) pause: Option<Duration>,
}

impl Refused {
    /// It may go well another time.
    pub(super) fn now(because: impl Into<String>) -> Self {
        Self {
            because: because.into(),
            for_good: false,
            pause: None,
        }
    }
}

/// One bridge, and what it takes to speak through it.
pub(super) struct Channel {
    bridge: Bridge,
    plan: Arc<Plan>,
    /// Where files and commands of secrets are.
    folder: PathBuf,
    /// The address of the page.
    room: Option<String>,
    agent: Agent,
    /// The Matrix room's id, once it was entered.
    entered: Option<String>,
}

impl Channel {
    pub(super) fn new(
        bridge: &Bridge,
        plan: &Arc<Plan>,
        settings: &Settings,
        room: Option<String>,
    ) -> Self {
        let agent = Agent::config_builder()
            .timeout_global(Some(REQUEST))
            .max_redirects(0)
            .http_status_as_error(false)
            .user_agent("baton")
            .build()
            .new_agent();
        Self {
            bridge: bridge.clone(),
            plan: Arc::clone(plan),
            folder: settings.folder.clone(),
            room,
            agent,
            entered: None,
        }
    }

    /// What tells this bridge from others, in the names of its lease and cursor.
    pub(super) fn key(&self) -> String {
        let digest = Digest::of_value(&self.bridge);
        format!("bridge/{}/{digest}", self.plan.handoff)
    }

    /// Tells one thing. Told again, it has the same id on the other side.
    ///
    /// # Errors
    /// Says whether it is worth trying again.
    pub(super) fn tell(&mut self, notice: &Notice) -> Result<(), Refused> {
        let room = self.room.clone();
        let room = room.as_deref();
        let secret = self.bridge.secret().map(|it| self.secret(it)).transpose()?;
        let key = secret.as_ref().map_or("", |secret| secret.expose());
        // Somebody may have said it in the room.
        let notice = &masked(notice, key);
        match self.bridge.clone() {
            Bridge::Slack { .. } => self.post(key, &[], &slack(notice, room)),
            Bridge::Webhook { url, .. } => {
                let url = self.filled(&url)?;
                self.signed(&url, key, notice.id.as_str(), &webhook(notice, room))
            }
            Bridge::Matrix { server, room, .. } => {
                let server = self.filled(&server)?;
                let sent = self.matrix(&server, &room, key, notice);
                if sent.is_err() {
                    self.entered = None;
                }
                sent
            }
            Bridge::Cdevents { url, .. } => {
                let url = self.filled(&url)?;
                let bearer = format!("Bearer {key}");
                let mut headers = vec![("content-type", CLOUD_EVENT)];
                headers.extend((!key.is_empty()).then_some(("authorization", bearer.as_str())));
                cloud_events(notice, room)
                    .iter()
                    .try_for_each(|event| self.post(&url, &headers, event))
            }
            Bridge::Email { to, smtp, from, .. } => {
                let smtp = self.filled(&smtp)?;
                let server = mail::Server::new(&smtp, from.as_deref(), key)?;
                server.send(&to, notice, room)
            }
        }
    }

    fn secret(&self, reference: &SecretRef) -> Result<Secret, Refused> {
        let found = resolve(reference, &self.folder);
        found.map_err(|why| Refused::now(format!("its secret cannot be had: {why}")))
    }

    /// An address of the contract with its variables, and with those secrets of
    /// the launch environment that it names.
    fn filled(&self, text: &str) -> Result<String, Refused> {
        let plan = &self.plan;
        let mut values: BTreeMap<String, String> = values(
            &plan.contract,
            &plan.environment,
            plan.place(),
            &HostName::here(),
        );
        for (name, reference) in &plan.place().secrets {
            if text.contains(&format!("${name}")) || text.contains(&format!("${{{name}}}")) {
                let secret = self.secret(reference)?;
                let _none = values.insert(name.clone(), secret.expose().to_owned());
            }
        }
        Ok(filled_from(text, &values))
    }

    fn post(&self, url: &str, headers: &[(&str, &str)], body: &Value) -> Result<(), Refused> {
        judged(&send(self.agent.post(url), headers, body)?)
    }

    fn signed(&self, url: &str, key: &str, id: &str, body: &Value) -> Result<(), Refused> {
        let at = Timestamp::now().as_second();
        let text = body.to_string();
        let signature = signed::signature(key, id, at, text.as_bytes()).map_err(Refused::now)?;
        let headers = [
            ("webhook-id", id),
            ("webhook-timestamp", &at.to_string()),
            ("webhook-signature", &signature),
        ];
        self.post(url, &headers, body)
    }

    /// Client-server API v3: entering a room one is in already says its id, and a
    /// transaction that was seen before is not carried out again.
    fn matrix(
        &mut self,
        server: &str,
        room: &str,
        token: &str,
        notice: &Notice,
    ) -> Result<(), Refused> {
        let base = format!("{}/_matrix/client/v3", server.trim_end_matches('/'));
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str())];
        let entered = match self.entered.take() {
            Some(entered) => entered,
            None => {
                let url = format!("{base}/join/{}", percent(room));
                let mut answer = send(self.agent.post(url), &headers, &json!({}))?;
                judged(&answer)?;
                let said = read(&mut answer)?;
                let id = said["room_id"].as_str().map(ToOwned::to_owned);
                id.ok_or_else(|| Refused::now("the server does not say which room that is"))?
            }
        };
        let url = format!(
            "{base}/rooms/{}/send/m.room.message/{}",
            percent(&entered),
            notice.id
        );
        let body = matrix(notice, self.room.as_deref());
        judged(&send(self.agent.put(url), &headers, &body)?)?;
        self.entered = Some(entered);
        Ok(())
    }
}

/// The media type of a CloudEvent in structured JSON.
const CLOUD_EVENT: &str = "application/cloudevents+json; charset=utf-8";

/// The notice without the secret of its own bridge.
fn masked(notice: &Notice, secret: &str) -> Notice {
    let masker = Masker::new([secret.to_owned()]);
    let mut notice = notice.clone();
    notice.title = masker.mask(&notice.title);
    notice.says = masker.mask(&notice.says);
    notice
}

/// Sends JSON; a content type of its own stands among the headers.
fn send(
    mut request: RequestBuilder<WithBody>,
    headers: &[(&str, &str)],
    body: &Value,
) -> Result<Response<Body>, Refused> {
    if !headers.iter().any(|(name, _)| *name == "content-type") {
        request = request.header("content-type", "application/json");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let sent = request.send(body.to_string().as_bytes());
    sent.map_err(|error| lost(&error))
}

/// What an HTTP status means for the notice.
fn judged(answer: &Response<Body>) -> Result<(), Refused> {
    let status = answer.status();
    if status.is_success() {
        return Ok(());
    }
    let pause = answer.headers().get(RETRY_AFTER);
    let pause = pause.and_then(|text| text.to_str().ok()?.trim().parse().ok());
    Err(Refused {
        because: format!("it answers with HTTP status {}", status.as_u16()),
        for_good: matches!(status.as_u16(), 400 | 413 | 415 | 422),
        pause: pause.map(|seconds| Duration::from_secs(seconds).min(PAUSE_MOST)),
    })
}

/// Why there was no answer, without the address.
fn lost(error: &ureq::Error) -> Refused {
    Refused::now(match error {
        ureq::Error::BadUri(_) | ureq::Error::Http(_) => {
            "its address or secret cannot stand in a request".to_owned()
        }
        ureq::Error::Timeout(_) => format!("no answer within {} s", REQUEST.as_secs()),
        ureq::Error::HostNotFound => "the name of its host is not known".to_owned(),
        ureq::Error::Io(error) => format!("no connection: {}", error.kind()),
        ureq::Error::Rustls(_) | ureq::Error::Tls(_) => {
            "its certificate or TLS is not accepted".to_owned()
        }
        _ => "it does not answer as HTTP does".to_owned(),
    })
}

fn read(answer: &mut Response<Body>) -> Result<Value, Refused> {
    let mut bytes = Vec::new();
    let mut body = answer.body_mut().as_reader().take(ANSWER_MOST);
    let read = body.read_to_end(&mut bytes);
    let _count = read.map_err(|_| Refused::now("its answer broke off"))?;
    serde_json::from_slice(&bytes).map_err(|_| Refused::now("it does not answer in JSON"))
}
