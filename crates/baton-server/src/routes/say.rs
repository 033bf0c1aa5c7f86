//! What people say: each route hands the word to the desk, which says who may
//! and when, under the name of whoever is signed in.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use baton_core::event::Event;
use baton_core::id::{Handle, HostName, LessonId, RunId, StepId};
use baton_engine::desk::talk::drive_aside;
use baton_engine::desk::{Desk, agree, blind, learn, talk};
use baton_engine::failure::Failure;
use jiff::Timestamp;

use super::guard::Me;
use super::{Answer, locked};
use crate::clerk::Table;
use crate::follow::Ask;
use crate::refusal::Refusal;
use crate::room::Shop;
use crate::wire::{
    Answered, Because, HowMet, NewLesson, Problem, RunWord, Said, SeatAsked, SeatTaken, StepWord,
    Voted, WordOnStep,
};

/// A word was taken down.
type Taken = Result<StatusCode, Refusal>;

/// Has the desk take a word down; the files must be usable.
async fn said(
    shop: &Shop,
    word: impl FnOnce(&mut Desk) -> Result<(), Failure> + Send + 'static,
) -> Taken {
    shop.saying.ask(move |table| word(table.desk()?)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The same for a word to a run, which does not stand on the files.
async fn said_to_run(
    shop: &Shop,
    word: impl FnOnce(&mut Desk) -> Result<(), Failure> + Send + 'static,
) -> Taken {
    shop.saying.ask(move |table| word(table.laid()?)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Leaves: the cookie is taken back.
#[utoipa::path(post, path = "/api/leave", responses((status = 204)))]
pub(crate) async fn leave(State(shop): State<Arc<Shop>>) -> Response {
    let cookie = HeaderValue::from_str(&shop.doors.gone());
    match cookie {
        Ok(cookie) => (StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response(),
        Err(_) => StatusCode::NO_CONTENT.into_response(),
    }
}

/// Answers an expectation, blind.
#[utoipa::path(post, path = "/api/expectations/{id}/answer", params(("id" = String, Path)),
    request_body = Answered, responses((status = 204), (status = "default", body = Problem)))]
pub(crate) async fn answer(
    State(shop): State<Arc<Shop>>,
    Me(me): Me,
    Path(id): Path<String>,
    Json(answered): Json<Answered>,
) -> Taken {
    let word = move |desk: &mut Desk| {
        let team = answered.team.as_deref();
        blind::answer(desk, &me, &id, &answered.value, team).map(drop)
    };
    said(&shop, word).await
}

/// Offers the content as it is.
#[utoipa::path(post, path = "/api/offer", responses((status = 204), (status = "default", body = Problem)))]
pub(crate) async fn offer(State(shop): State<Arc<Shop>>, Me(me): Me) -> Taken {
    said(&shop, move |desk| agree::offer(desk, &me).map(drop)).await
}

/// Accepts the content that was offered.
#[utoipa::path(post, path = "/api/accept", responses((status = 204), (status = "default", body = Problem)))]
pub(crate) async fn accept(State(shop): State<Arc<Shop>>, Me(me): Me) -> Taken {
    said(&shop, move |desk| agree::accept(desk, &me).map(drop)).await
}

/// Accepts what is one's own.
#[utoipa::path(post, path = "/api/accept-mine", responses((status = 204), (status = "default", body = Problem)))]
pub(crate) async fn accept_mine(State(shop): State<Arc<Shop>>, Me(me): Me) -> Taken {
    said(&shop, move |desk| agree::accept_mine(desk, &me).map(drop)).await
}

/// Signs a criterion.
#[utoipa::path(post, path = "/api/criteria/{id}/sign", params(("id" = String, Path)),
    responses((status = 204), (status = "default", body = Problem)))]
pub(crate) async fn sign(
    State(shop): State<Arc<Shop>>,
    Me(me): Me,
    Path(id): Path<String>,
) -> Taken {
    said(&shop, move |desk| agree::sign(desk, &me, &id).map(drop)).await
}

/// Says something in the room.
#[utoipa::path(post, path = "/api/room/say", request_body = Said,
    responses((status = 204), (status = "default", body = Problem)))]
pub(crate) async fn say(State(shop): State<Arc<Shop>>, Me(me): Me, Json(it): Json<Said>) -> Taken {
    let word = move |desk: &mut Desk| talk::say(desk, &me, it.text, it.talk).map(drop);
    said_to_run(&shop, word).await
}

/// Votes.
#[utoipa::path(post, path = "/api/room/vote", request_body = Voted,
    responses((status = 204), (status = "default", body = Problem)))]
pub(crate) async fn vote(
    State(shop): State<Arc<Shop>>,
    Me(me): Me,
    Json(vote): Json<Voted>,
) -> Taken {
    let word = move |desk: &mut Desk| {
        talk::vote(desk, &me, vote.go, vote.confidence, vote.because).map(drop)
    };
    said(&shop, word).await
}

/// Gives a sign of life from a page, every two seconds; a seat lasts six.
#[utoipa::path(post, path = "/api/room/seat", request_body = SeatAsked,
    responses((status = 200, body = SeatTaken), (status = "default", body = Problem)))]
pub(crate) async fn seat(
    State(shop): State<Arc<Shop>>,
    Me(me): Me,
    Json(asked): Json<SeatAsked>,
) -> Answer<SeatTaken> {
    let it = Arc::clone(&shop);
    let run = asked.page.strip_prefix("/runs/").unwrap_or_default();
    let run = RunId::from(run.split('/').next().unwrap_or_default());
    let kept = shop.seating.ask(move |table| {
        let desk = table.laid()?;
        let mut seats = locked(&it.seats);
        if asked.visible {
            seats.keep(desk, &me, &asked.page)
        } else {
            seats.leave(desk, &me, &asked.page)
        }
    });
    kept.await?;
    let seq = shop.follower.ask(|to| Ask::Told(run, to)).await;
    let seq = seq.unwrap_or_default();
    Ok(Json(SeatTaken {
        seq,
        at: Timestamp::now(),
    }))
}

/// Gets up. The seat is kept for three seconds more: a page that is loaded again is nobody's leaving.
#[utoipa::path(delete, path = "/api/room/seat", request_body = SeatAsked,
    responses((status = 204), (status = "default", body = Problem)))]
pub(crate) async fn unseat(
    State(shop): State<Arc<Shop>>,
    Me(me): Me,
    asked: Option<Json<SeatAsked>>,
) -> Taken {
    let it = Arc::clone(&shop);
    let page = asked.map(|Json(asked)| asked.page).unwrap_or_default();
    let left = move |table: &mut Table| locked(&it.seats).leave(table.laid()?, &me, &page);
    shop.seating.ask(left).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Says a word to a run: `pause`, `resume`, `rollback`, `stop`, `accept-live`.
#[utoipa::path(post, path = "/api/runs/{run}/{word}",
    params(("run" = String, Path), ("word" = RunWord, Path)),
    request_body = Because, responses((status = 204), (status = "default", body = Problem)))]
pub(crate) async fn run_word(
    State(shop): State<Arc<Shop>>,
    Me(me): Me,
    Path((run, word)): Path<(String, RunWord)>,
    because: Option<Json<Because>>,
) -> Taken {
    let run = RunId::from(run.as_str());
    let because = because.and_then(|Json(it)| it.because);
    let because = because.filter(|why| !why.trim().is_empty());
    talk::bounded("a reason", because.as_deref())?;
    said_to_run(&shop, move |desk| {
        let event = match word {
            RunWord::Pause => Event::Paused { because },
            RunWord::Rollback => Event::RollbackCalled { because },
            RunWord::Stop => Event::StopCalled { because },
            RunWord::AcceptLive => Event::AcceptedLive,
            RunWord::Resume => {
                let _held = talk::resume(desk, &run, &me, because)?;
                return drive_aside(desk, &run, &me);
            }
        };
        let _state = desk.say_in_run(&run, &me, event)?;
        match word {
            RunWord::Pause => Ok(()),
            _ => drive_aside(desk, &run, &me),
        }
    })
    .await
}

/// Says a word about a step: `done`, `approve`, `retry`, `skip`.
#[utoipa::path(post, path = "/api/runs/{run}/steps/{step}/{word}",
    params(("run" = String, Path), ("step" = String, Path), ("word" = StepWord, Path)),
    request_body = WordOnStep, responses((status = 204), (status = "default", body = Problem)))]
pub(crate) async fn step_word(
    State(shop): State<Arc<Shop>>,
    Me(me): Me,
    Path((run, step, word)): Path<(String, String, StepWord)>,
    more: Option<Json<WordOnStep>>,
) -> Taken {
    let run = RunId::from(run.as_str());
    let step = StepId::from(step.as_str());
    let WordOnStep { host, because } = more.map(|Json(more)| more).unwrap_or_default();
    talk::bounded("a reason", because.as_deref())?;
    let host = host.as_deref().map(HostName::from);
    let event = match (word, because) {
        (StepWord::Done, _) => Event::StepDone { step, host },
        (StepWord::Approve, _) => Event::StepApproved { step },
        (StepWord::Retry, _) => Event::RetryCalled { step, host },
        (StepWord::Skip, Some(because)) if !because.trim().is_empty() => {
            Event::StepSkipped { step, because }
        }
        (StepWord::Skip, _) => {
            return Err(Refusal::unclear("a step is left out for a reason"));
        }
    };
    said_to_run(&shop, move |desk| {
        let _state = desk.say_in_run(&run, &me, event)?;
        drive_aside(desk, &run, &me)
    })
    .await
}

/// Keeps a lesson.
#[utoipa::path(post, path = "/api/lessons", request_body = NewLesson,
    responses((status = 204), (status = "default", body = Problem)))]
pub(crate) async fn lesson(
    State(shop): State<Arc<Shop>>,
    Me(me): Me,
    Json(it): Json<NewLesson>,
) -> Taken {
    let word = move |desk: &mut Desk| {
        let owner = Handle::from(it.owner.as_str());
        learn::keep(desk, &me, it.text, &it.touches, owner).map(drop)
    };
    said(&shop, word).await
}

/// Says how a lesson was met.
#[utoipa::path(post, path = "/api/lessons/{id}/met", params(("id" = String, Path)),
    request_body = HowMet, responses((status = 204), (status = "default", body = Problem)))]
pub(crate) async fn lesson_met(
    State(shop): State<Arc<Shop>>,
    Me(me): Me,
    Path(id): Path<String>,
    Json(it): Json<HowMet>,
) -> Taken {
    let id = LessonId::from(id.as_str());
    let word = move |desk: &mut Desk| learn::met(desk, &me, id.as_str(), it.how).map(drop);
    said(&shop, word).await
}
