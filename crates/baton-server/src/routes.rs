//! Every route: `read` answers, `say` takes words, `live` streams, `outside` is
//! for everybody, `page` is the page itself. `guard` stands before all of them.

pub(crate) mod guard;
pub(crate) mod outside;

mod live;
mod page;
mod read;
mod say;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::DefaultBodyLimit;
use axum::routing::get;
use axum::{Json, Router, middleware};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::refusal::Refusal;
use crate::room::Shop;

/// The most a request may say: 64 KiB.
const SAID_MOST: usize = 64 * 1024;

/// What a route answers.
pub(crate) type Answer<T> = Result<Json<T>, Refusal>;

/// The routes of the API, with their description.
pub(crate) fn api() -> OpenApiRouter<Arc<Shop>> {
    OpenApiRouter::with_openapi(crate::openapi::base())
        .routes(routes!(read::me))
        .routes(routes!(read::handoffs))
        .routes(routes!(read::handoff))
        .routes(routes!(read::history))
        .routes(routes!(read::plan))
        .routes(routes!(read::parity))
        .routes(routes!(read::measures))
        .routes(routes!(read::review))
        .routes(routes!(read::runs))
        .routes(routes!(read::run))
        .routes(routes!(read::timeline))
        .routes(routes!(read::output))
        .routes(routes!(live::live))
        .routes(routes!(outside::status))
        .routes(routes!(outside::report))
        .routes(routes!(outside::enter))
        .routes(routes!(say::leave))
        .routes(routes!(say::answer))
        .routes(routes!(say::offer))
        .routes(routes!(say::accept))
        .routes(routes!(say::accept_mine))
        .routes(routes!(say::sign))
        .routes(routes!(say::say))
        .routes(routes!(say::vote))
        .routes(routes!(say::seat, say::unseat))
        .routes(routes!(say::run_word))
        .routes(routes!(say::step_word))
        .routes(routes!(say::lesson))
        .routes(routes!(say::lesson_met))
}

/// Everything that is served.
pub(crate) fn router(shop: Arc<Shop>) -> Router {
    let (api, _) = api().split_for_parts();
    api.route("/api/openapi.json", get(page::openapi))
        .fallback(page::page)
        .layer(DefaultBodyLimit::max(SAID_MOST))
        .layer(middleware::from_fn_with_state(
            Arc::clone(&shop),
            guard::guard,
        ))
        .with_state(shop)
}

/// Whoever panicked while holding this left it whole: every change is one step.
pub(crate) fn locked<T>(it: &Mutex<T>) -> MutexGuard<'_, T> {
    it.lock().unwrap_or_else(PoisonError::into_inner)
}
