//! The page itself, and the description of the API.

use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};

use crate::page::{Part, part};
use crate::refusal::Refusal;

/// Everything under this is named after its content and never changes.
const ASSETS: &str = "assets/";

/// The API as OpenAPI 3.1.
pub(crate) async fn openapi() -> Response {
    let kind = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, kind)], crate::document()).into_response()
}

/// A file of the page; the page itself for every path that a person may stand at.
pub(crate) async fn page(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path().trim_start_matches('/');
    if path.starts_with("api/") {
        return Refusal::nowhere("the API has no such path").into_response();
    }
    if !matches!(method, Method::GET | Method::HEAD) {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let file = match part(path) {
        Some(part) if !path.is_empty() => Some(part),
        _ if path.starts_with(ASSETS) => None,
        _ => part("index.html"),
    };
    match file {
        Some(part) => sent(&part, path, &headers),
        None => Refusal::nowhere("this page was built without its files").into_response(),
    }
}

fn sent(part: &Part, path: &str, headers: &HeaderMap) -> Response {
    let accepts = headers.get(header::ACCEPT_ENCODING);
    let accepts = accepts.and_then(|accepts| accepts.to_str().ok());
    let gzip =
        accepts.is_some_and(|accepts| accepts.split(',').any(|it| it.trim().starts_with("gzip")));
    let cache = if path.starts_with(ASSETS) {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let mut answer = if gzip {
        part.packed.clone().into_response()
    } else {
        part.plain.clone().into_response()
    };
    let out = answer.headers_mut();
    let _kind = out.insert(header::CONTENT_TYPE, HeaderValue::from_static(part.kind));
    let _cache = out.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    let _vary = out.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if gzip {
        let _packed = out.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    answer
}
