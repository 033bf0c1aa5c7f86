//! What everybody may do: read how things stand, report a problem, come in by a link.

use std::sync::{Arc, PoisonError};

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use baton_core::event::Event;
use baton_core::id::Handle;
use baton_core::time::Duration;
use baton_engine::failure::{Failure, Kind};
use jiff::Timestamp;

use super::{Answer, locked};
use crate::refusal::Refusal;
use crate::room::Shop;
use crate::wire::{Entered, Report, StatusView, Token};

/// The most a report may say: what people read while it matters.
const SAYS_MOST: usize = 1000;
/// The most of a way to be reached.
const CONTACT_MOST: usize = 200;
/// How many reports are taken at once, and how long until there is room for one more.
const REPORTS: usize = 20;
const REPORT_EVERY: Duration = Duration::from_secs(6);

/// How many reports may still come, from all of the world together: a flood of
/// them must not fill the ledger. There is room for one more every six seconds.
pub(crate) struct Budget {
    left: usize,
    since: Option<Timestamp>,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            left: REPORTS,
            since: None,
        }
    }
}

impl Budget {
    fn take(&mut self, now: Timestamp) -> bool {
        // From when the first of those that are missing was taken.
        while let Some(since) = self.since
            && REPORT_EVERY.after(since) <= now
        {
            self.left += 1;
            let more = (self.left < REPORTS).then(|| REPORT_EVERY.after(since));
            self.since = more;
        }
        let room = self.left > 0;
        if room {
            self.left -= 1;
            self.since.get_or_insert(now);
        }
        room
    }
}

/// How things stand, for everybody.
#[utoipa::path(get, path = "/api/status", responses(
    (status = 200, body = StatusView), (status = "default", body = crate::wire::Problem)
))]
pub(crate) async fn status(State(shop): State<Arc<Shop>>) -> Answer<StatusView> {
    let outside = shop.shared.read().unwrap_or_else(PoisonError::into_inner);
    let status = outside.status.clone();
    let status = status.ok_or_else(|| Failure::new(Kind::Part, "the ledger cannot be read now"))?;
    Ok(Json(status))
}

/// Reports a problem; it lands in the room.
#[utoipa::path(post, path = "/api/status/reports", request_body = Report, responses(
    (status = 204), (status = "default", body = crate::wire::Problem)
))]
pub(crate) async fn report(
    State(shop): State<Arc<Shop>>,
    Json(report): Json<Report>,
) -> Result<StatusCode, Refusal> {
    let says = report.says.trim().to_owned();
    let contact = report.contact.map(|contact| contact.trim().to_owned());
    let contact = contact.filter(|contact| !contact.is_empty());
    if says.is_empty() || says.chars().count() > SAYS_MOST {
        return Err(Refusal::unclear(format!(
            "a report has 1 to {SAYS_MOST} characters"
        )));
    }
    if contact
        .as_ref()
        .is_some_and(|it| it.chars().count() > CONTACT_MOST)
    {
        return Err(Refusal::unclear(format!(
            "a way to be reached has at most {CONTACT_MOST} characters"
        )));
    }
    if !locked(&shop.reports).take(Timestamp::now()) {
        return Err(Refusal::too_many());
    }
    shop.saying
        .ask(move |table| {
            let desk = table.laid()?;
            let run = desk.talked_about()?;
            let event = Event::Reported { says, contact };
            let _entries = desk.append(&Handle::from("baton"), run.as_ref(), vec![event])?;
            Ok(())
        })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Comes in by a link: its token becomes a cookie, once.
#[utoipa::path(post, path = "/api/enter", request_body = Token, responses(
    (status = 200, body = Entered), (status = "default", body = crate::wire::Problem)
))]
pub(crate) async fn enter(
    State(shop): State<Arc<Shop>>,
    Json(Token { token }): Json<Token>,
) -> Result<Response, Refusal> {
    let it = Arc::clone(&shop);
    let entered = shop.saying.ask(move |table| {
        let desk = table.laid()?;
        let who = it.doors.enter(&mut desk.log, &token, Timestamp::now())?;
        if desk.contract.people.contains_key(&who) {
            Ok(who)
        } else {
            Err(Failure::refused(format!(
                "the contract knows no {who} any more"
            )))
        }
    });
    let who = entered.await.map_err(|failure| match failure.kind {
        Kind::Refused => Refusal::shut(failure),
        _ => failure.into(),
    })?;
    let cookie = shop.doors.stay(&who, Timestamp::now());
    let cookie = HeaderValue::from_str(&cookie)
        .map_err(|_| Failure::new(Kind::Bug, "a cookie that is no header"))?;
    let handle = who.to_string();
    Ok(([(header::SET_COOKIE, cookie)], Json(Entered { handle })).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twenty_reports_at_once_and_then_one_every_six_seconds() {
        let at = |s: i64| Timestamp::from_second(1_800_000_000 + s).unwrap();
        let mut budget = Budget::default();
        let at_once = (0..25).filter(|_| budget.take(at(0))).count();
        assert_eq!(at_once, REPORTS);
        let later: Vec<i64> = (1..=30).filter(|s| budget.take(at(*s))).collect();
        assert_eq!(later, [6, 12, 18, 24, 30]);
        let after_a_while = (0..50).filter(|_| budget.take(at(3600))).count();
        assert_eq!(after_a_while, REPORTS);
    }
}
