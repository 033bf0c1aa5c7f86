//! What went wrong, as problem details (RFC 9457).

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use baton_engine::failure::{Failure, Kind};

use crate::wire::Problem;

/// A refusal.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    code: &'static str,
    title: &'static str,
    failure: Failure,
}

impl Refusal {
    /// Nobody is known to ask.
    pub(crate) fn out() -> Self {
        Self {
            status: StatusCode::UNAUTHORIZED,
            code: "room.out",
            title: "You are not signed in",
            failure: Failure::refused("nobody is signed in here")
                .hint("open the link that Baton printed for you")
                .hint("`baton link HANDLE`, on the machine where Baton runs, makes a new one"),
        }
    }

    /// The request does not come from our own page.
    pub(crate) fn foreign() -> Self {
        Self {
            status: StatusCode::FORBIDDEN,
            code: "room.foreign",
            title: "This does not come from Baton's own page",
            failure: Failure::refused("a word is taken from Baton's own page only"),
        }
    }

    /// There is no such thing.
    pub(crate) fn nowhere(says: impl Into<String>) -> Self {
        Self {
            status: StatusCode::NOT_FOUND,
            code: "room.nowhere",
            title: "There is no such thing",
            failure: Failure::refused(says),
        }
    }

    /// The same key came with another word, or while the first is under way.
    pub(crate) fn repeated(says: &str) -> Self {
        Self {
            status: StatusCode::CONFLICT,
            code: "room.repeated",
            title: "This was sent before",
            failure: Failure::refused(says),
        }
    }

    /// Too much at once.
    pub(crate) fn too_many() -> Self {
        Self {
            status: StatusCode::TOO_MANY_REQUESTS,
            code: "room.too-many",
            title: "Too much at once",
            failure: Failure::refused("too many reports at once: the last ones are being read"),
        }
    }

    /// A word that is longer than any.
    pub(crate) fn too_long() -> Self {
        Self {
            status: StatusCode::PAYLOAD_TOO_LARGE,
            code: "room.too-long",
            title: "This is too long",
            failure: Failure::wrong("a word has at most 64 KiB"),
        }
    }

    /// A word that did not come in time.
    pub(crate) fn too_slow() -> Self {
        Self {
            status: StatusCode::REQUEST_TIMEOUT,
            code: "room.too-slow",
            title: "This came too slowly",
            failure: Failure::refused("a word has to come in within ten seconds"),
        }
    }

    /// The request cannot be understood.
    pub(crate) fn unclear(says: impl Into<String>) -> Self {
        Failure::wrong(says).into()
    }

    /// A link that lets nobody in.
    pub(crate) fn shut(failure: Failure) -> Self {
        Self {
            status: StatusCode::FORBIDDEN,
            code: "room.link",
            title: "This link does not open the room",
            failure,
        }
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        let (status, code, title) = match failure.kind {
            Kind::Use => (StatusCode::BAD_REQUEST, "room.use", "That cannot work"),
            Kind::Files => (
                StatusCode::CONFLICT,
                "room.files",
                "The files are not valid",
            ),
            Kind::Held => (
                StatusCode::CONFLICT,
                "room.held",
                "Another Baton holds this",
            ),
            Kind::Part => (
                StatusCode::SERVICE_UNAVAILABLE,
                "room.part",
                "A needed part cannot be used",
            ),
            Kind::Refused => (StatusCode::CONFLICT, "room.refused", "Not now"),
            Kind::Bug => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "room.bug",
                "A bug in Baton",
            ),
        };
        Self {
            status,
            code,
            title,
            failure,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let failure = self.failure;
        let mut detail = failure.message;
        for cause in failure.causes {
            detail.push_str(": ");
            detail.push_str(&cause);
        }
        let problem = Problem {
            kind: "about:blank".to_owned(),
            title: self.title.to_owned(),
            status: self.status.as_u16(),
            detail,
            code: self.code.to_owned(),
            hints: failure.hints,
        };
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        let kind = HeaderValue::from_static("application/problem+json");
        (self.status, [(header::CONTENT_TYPE, kind)], body).into_response()
    }
}
