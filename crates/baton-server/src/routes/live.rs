//! The stream of events.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use baton_core::id::RunId;
use baton_engine::failure::{Failure, Kind};
use serde::Deserialize;
use utoipa::IntoParams;

use super::guard::Me;
use super::read::at_hand;
use crate::follow::Ask;
use crate::refusal::Refusal;
use crate::room::Shop;

/// What is watched.
#[derive(Deserialize, IntoParams)]
pub(crate) struct What {
    /// A run, or `next` for the launch to come; the handoff alone, when left out.
    run: Option<String>,
}

/// Server-sent events: `hello`, `feed`, `run`, `seats`, `output`, `handoff`,
/// `opened`. After a break, `Last-Event-ID` brings every line of the feed that
/// was missed, once.
#[utoipa::path(get, path = "/api/live", params(What), responses(
    (status = 200, content_type = "text/event-stream", description = "the stream"),
    (status = "default", body = crate::wire::Problem)
))]
pub(crate) async fn live(
    State(shop): State<Arc<Shop>>,
    _me: Me,
    Query(what): Query<What>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let topic = what.run.as_deref().map(RunId::from);
    if let Some(run) = &topic {
        at_hand(&shop, run).await?;
    }
    let after = headers.get("last-event-id");
    let after = after.and_then(|id| id.to_str().ok()?.parse().ok());
    let watcher = shop
        .follower
        .ask(|to| Ask::Watch { topic, after, to })
        .await
        .ok_or_else(|| Failure::new(Kind::Part, "the ledger cannot be read now"))?;
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/event-stream"),
        ),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        // What stands between may not collect frames.
        (
            header::HeaderName::from_static("x-accel-buffering"),
            HeaderValue::from_static("no"),
        ),
    ];
    Ok((headers, Body::new(watcher)).into_response())
}
