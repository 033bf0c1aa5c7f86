//! What stands before every route: headers of every answer, words only from our
//! own page, once for each key, and only from people of the contract.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{self, HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use baton_core::id::{Digest, Handle};
use baton_core::time::Duration;
use jiff::Timestamp;

use super::{SAID_MOST, locked};
use crate::refusal::Refusal;
use crate::room::Shop;

/// How long what a key did is remembered.
const KEPT: Duration = Duration::from_secs(24 * 3600);
/// The most keys that are remembered of one person; beyond, the oldest is forgotten.
const KEYS_MOST: usize = 1000;
/// How long a word may take to come in: ten seconds.
const BODY_WITHIN: std::time::Duration = std::time::Duration::from_secs(10);
/// The longest key.
const KEY_LONGEST: usize = 200;

/// Nothing of another origin, no script and no style in a page's text, no frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      font-src 'self'; connect-src 'self'; manifest-src 'self'; form-action 'self'; \
                      base-uri 'none'; frame-ancestors 'none'";

/// Who asks, by their cookie: a person of the contract.
pub(crate) struct Me(pub(crate) Handle);

impl FromRequestParts<Arc<Shop>> for Me {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, shop: &Arc<Shop>) -> Result<Self, Refusal> {
        who(shop, &parts.headers).map(Self).ok_or_else(Refusal::out)
    }
}

/// Who sends these headers; nobody whom the contract does not know any more.
pub(crate) fn who(shop: &Shop, headers: &HeaderMap) -> Option<Handle> {
    let now = Timestamp::now();
    let cookies = headers.get_all(header::COOKIE).iter();
    let mut cookies = cookies.filter_map(|cookies| cookies.to_str().ok());
    let who = cookies.find_map(|cookies| shop.doors.who(cookies, now))?;
    let outside = shop.shared.read().unwrap_or_else(PoisonError::into_inner);
    // Before the ledger was read nobody is known, and a signature is enough.
    (outside.status.is_none() || outside.known.contains(&who)).then_some(who)
}

/// Stands before every route.
pub(crate) async fn guard(State(shop): State<Arc<Shop>>, request: Request, next: Next) -> Response {
    let is_word = !matches!(*request.method(), Method::GET | Method::HEAD);
    let mut answer = if !is_word {
        next.run(request).await
    } else if is_ours(request.headers()) {
        match whole(request).await {
            Ok(word) => once(shop, word, next).await,
            Err(refusal) => refusal.into_response(),
        }
    } else {
        Refusal::foreign().into_response()
    };
    let headers = answer.headers_mut();
    let fixed = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ];
    for (name, value) in fixed {
        let _before = headers.insert(name, HeaderValue::from_static(value));
    }
    if !headers.contains_key(header::CACHE_CONTROL) {
        let no_store = HeaderValue::from_static("no-store");
        let _none = headers.insert(header::CACHE_CONTROL, no_store);
    }
    answer
}

/// Whether a word comes from our own page: a browser says where it comes from,
/// and what is no browser carries nobody's cookie by itself.
fn is_ours(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).map(HeaderValue::to_str);
    let site = match text(header::HeaderName::from_static("sec-fetch-site")) {
        None | Some(Ok("same-origin" | "none")) => true,
        Some(_) => false,
    };
    let origin = match (text(header::ORIGIN), text(header::HOST)) {
        (None, _) => true,
        (Some(Ok(origin)), Some(Ok(host))) => {
            let origin = origin.split_once("://").map(|(_, host)| host);
            origin == Some(host)
        }
        _ => false,
    };
    site && origin
}

/// What words did, by who said them and their key.
#[derive(Default)]
pub(crate) struct Kept {
    done: Mutex<BTreeMap<Handle, BTreeMap<String, Done>>>,
}

struct Done {
    at: Timestamp,
    /// What was asked for: the same key for something else is a mistake.
    word: Digest,
    /// What was answered; nothing while it is under way.
    answer: Option<(StatusCode, Option<HeaderValue>, Bytes)>,
}

/// A word with all of its body, which came in time.
async fn whole(request: Request) -> Result<http::Request<Bytes>, Refusal> {
    let (parts, body) = request.into_parts();
    let read = tokio::time::timeout(BODY_WITHIN, to_bytes(body, SAID_MOST)).await;
    let body = read
        .map_err(|_| Refusal::too_slow())?
        .map_err(|_| Refusal::too_long())?;
    Ok(http::Request::from_parts(parts, body))
}

/// Does a word once for each `Idempotency-Key`, and answers the same again.
/// A key is remembered for a day, by this server, for whoever is signed in.
async fn once(shop: Arc<Shop>, request: http::Request<Bytes>, next: Next) -> Response {
    let key = request.headers().get("idempotency-key").cloned();
    let (Some(key), Some(by)) = (key, who(&shop, request.headers())) else {
        return next.run(request.map(Body::from)).await;
    };
    let Some(key) = key.to_str().ok().filter(|key| key.len() <= KEY_LONGEST) else {
        return Refusal::unclear("an Idempotency-Key has at most 200 plain characters")
            .into_response();
    };
    let key = key.to_owned();
    let (parts, body) = request.into_parts();
    let target = parts
        .uri
        .path_and_query()
        .map_or("", |target| target.as_str());
    let mut word = format!("{} {target}\n", parts.method).into_bytes();
    word.extend_from_slice(&body);
    let word = Digest::of(&word);
    if let Some(known) = shop.kept.known(&by, &key, &word) {
        return known;
    }
    // A word that was taken down is answered also when nobody waits any more.
    let answered = tokio::spawn(async move {
        let answer = next.run(Request::from_parts(parts, Body::from(body))).await;
        shop.kept.keep(&by, &key, answer).await
    });
    answered
        .await
        .unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

impl Kept {
    /// What this key did before; otherwise notes that it is under way.
    fn known(&self, by: &Handle, key: &str, word: &Digest) -> Option<Response> {
        let now = Timestamp::now();
        let mut all = locked(&self.done);
        let done = all.entry(by.clone()).or_default();
        done.retain(|_, it| KEPT.after(it.at) > now);
        if let Some(before) = done.get(key) {
            return Some(match &before.answer {
                _ if before.word != *word => {
                    Refusal::repeated("this key was sent with another word").into_response()
                }
                None => Refusal::repeated("the same word is being taken down").into_response(),
                Some((status, kind, body)) => {
                    let mut answer = (*status, body.clone()).into_response();
                    let headers = answer.headers_mut();
                    match kind {
                        Some(kind) => drop(headers.insert(header::CONTENT_TYPE, kind.clone())),
                        None => drop(headers.remove(header::CONTENT_TYPE)),
                    }
                    answer
                }
            });
        }
        if done.len() >= KEYS_MOST {
            // What is under way ends by itself.
            let settled = done.iter().filter(|(_, it)| it.answer.is_some());
            let oldest = settled.min_by_key(|(_, it)| it.at);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                let _forgotten = done.remove(&oldest);
            }
        }
        let under_way = Done {
            at: now,
            word: word.clone(),
            answer: None,
        };
        let _none = done.insert(key.to_owned(), under_way);
        None
    }

    /// Keeps what a word was answered. What a part of Baton could not do may be
    /// tried again with the same key.
    async fn keep(&self, by: &Handle, key: &str, answer: Response) -> Response {
        let (parts, body) = answer.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
        let mut all = locked(&self.done);
        let done = all.entry(by.clone()).or_default();
        if parts.status.is_server_error() || parts.headers.contains_key(header::SET_COOKIE) {
            let _again = done.remove(key);
        } else if let Some(it) = done.get_mut(key) {
            let kind = parts.headers.get(header::CONTENT_TYPE).cloned();
            it.answer = Some((parts.status, kind, body.clone()));
        }
        Response::from_parts(parts, Body::from(body))
    }
}
