//! What is read: each route a fold of desk or ledger, and nothing else.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use baton_core::event::Event;
use baton_core::id::{AttemptId, RunId, Seq};
use baton_engine::desk::Desk;
use baton_engine::failure::{Failure, Kind};
use baton_store::Log as _;
use serde::Deserialize;
use utoipa::IntoParams;

use super::Answer;
use super::guard::{Me, who};
use crate::clerk::Table;
use crate::follow::{Ask, Line, Printed};
use crate::refusal::Refusal;
use crate::room::Shop;
use crate::tail;
use crate::view::board::{Board, NEXT};
use crate::view::review::{kind, outcome as outcome_word};
use crate::view::run::people;
use crate::view::{handoff as handoff_view, measures as measures_view};
use crate::view::{parity as parity_view, plan as plan_view, review as review_view};
use crate::wire::{self, EndedView, OutputView, RunRow, RunView, Runs};

/// How many lines of a feed are one page.
const LINES: usize = 1000;
/// How many runs are one page.
const RUNS: usize = 50;
/// How many entries are read at a time.
const PAGE: usize = 10_000;

/// Where a page goes on.
#[derive(Deserialize, IntoParams)]
pub(crate) struct From {
    /// What the page before said under `next`.
    cursor: Option<String>,
}

/// Who reads.
#[utoipa::path(get, path = "/api/me", responses(
    (status = 200, body = wire::Me), (status = "default", body = wire::Problem)
))]
pub(crate) async fn me(
    State(shop): State<Arc<Shop>>,
    headers: axum::http::HeaderMap,
) -> Answer<wire::Me> {
    let Some(me) = who(&shop, &headers) else {
        return Err(Refusal::out());
    };
    let me = shop.reading.ask(move |table| {
        let contract = &table.laid()?.contract;
        let seats = people(contract, &std::collections::BTreeMap::new());
        let mine = seats.into_iter().find(|seat| seat.handle == me.as_str());
        let mine = mine.ok_or_else(|| Failure::refused(format!("the contract knows no {me}")))?;
        let teams = contract.teams.keys().filter(|team| {
            let members = contract.members(team);
            members.is_some_and(|members| members.contains(&me))
        });
        Ok(wire::Me {
            teams: teams.map(ToString::to_string).collect(),
            handle: Some(mine.handle),
            name: mine.name,
            zone: mine.zone,
            roles: mine.roles.into_iter().chain(mine.backup_of).collect(),
        })
    });
    Ok(Json(me.await?))
}

/// All runs of this handoff's ledger, the latest first.
#[utoipa::path(get, path = "/api/runs", params(From), responses(
    (status = 200, body = Runs), (status = "default", body = wire::Problem)
))]
pub(crate) async fn runs(
    State(shop): State<Arc<Shop>>,
    _me: Me,
    Query(from): Query<From>,
) -> Answer<Runs> {
    let runs = shop.reading.ask(move |table| {
        let mut rows = rows(table.laid()?)?;
        rows.reverse();
        // Ids grow with time.
        if let Some(cursor) = from.cursor {
            rows.retain(|row| row.id < cursor);
        }
        let more = rows.len() > RUNS;
        rows.truncate(RUNS);
        Ok(Runs {
            next: rows.last().filter(|_| more).map(|row| row.id.clone()),
            runs: rows,
        })
    });
    Ok(Json(runs.await?))
}

/// All runs of the ledger, by id.
fn rows(desk: &mut Desk) -> Result<Vec<RunRow>, Failure> {
    let mut rows: std::collections::BTreeMap<RunId, RunRow> = std::collections::BTreeMap::new();
    let mut after = Seq(0);
    loop {
        let page = desk.log.read(after, PAGE)?;
        let Some(last) = page.last() else { break };
        after = last.seq;
        for entry in page {
            match (entry.run, entry.event) {
                (Some(id), Event::RunOpened(terms)) => {
                    let version = entry.handoff.as_str().split('/').nth(1);
                    let row = RunRow {
                        id: id.to_string(),
                        kind: kind(terms.what),
                        environment: terms.environment.to_string(),
                        release: version.unwrap_or_default().to_owned(),
                        opened_at: entry.at,
                        ended: None,
                    };
                    let _new = rows.insert(id, row);
                }
                (
                    Some(id),
                    Event::RunEnded {
                        outcome, because, ..
                    },
                ) => {
                    if let Some(row) = rows.get_mut(&id) {
                        row.ended = Some(EndedView {
                            outcome: outcome_word(outcome).to_owned(),
                            because,
                            at: entry.at,
                        });
                    }
                }
                _ => {}
            }
        }
    }
    Ok(rows.into_values().collect())
}

/// A run as it stands; `next` is the launch to come.
#[utoipa::path(get, path = "/api/runs/{run}", params(("run" = String, Path)), responses(
    (status = 200, body = RunView), (status = "default", body = wire::Problem)
))]
pub(crate) async fn run(
    State(shop): State<Arc<Shop>>,
    _me: Me,
    Path(run): Path<String>,
) -> Answer<RunView> {
    let run = RunId::from(run.as_str());
    at_hand(&shop, &run).await?;
    let view = shop.follower.ask(|to| Ask::Run(run.clone(), to)).await;
    let view = view.flatten().ok_or_else(unread)?;
    Ok(Json(view))
}

/// Has the follower keep a run at hand: it is folded aside, so that nobody who
/// watches another one waits for it.
pub(crate) async fn at_hand(shop: &Shop, run: &RunId) -> Result<(), Refusal> {
    let known = shop
        .follower
        .ask(|to| Ask::Lines(run.clone(), u64::MAX, 0, to));
    if known.await.flatten().is_some() {
        return Ok(());
    }
    if run.as_str() == NEXT {
        return Err(unread().into());
    }
    let id = run.clone();
    let folded = shop.reading.ask(move |table| {
        let desk = table.laid()?;
        if desk.log.read_run(&id, Seq(0), 1)?.is_empty() {
            return Ok(None);
        }
        let mut lines = Vec::new();
        let board = Board::of(desk, &id, &mut |line| lines.push(line))?;
        Ok(Some((board, lines)))
    });
    let (board, lines) = folded
        .await?
        .ok_or_else(|| Refusal::nowhere(format!("there is no run {run}")))?;
    let adopted = shop
        .follower
        .ask(|to| Ask::Adopt(Box::new(board), lines, to));
    adopted.await.ok_or_else(unread)?;
    Ok(())
}

fn unread() -> Failure {
    Failure::new(Kind::Part, "the ledger cannot be read now")
        .hint("`baton status` in a terminal says why")
}

/// All that happened in a run, in the order of the ledger.
#[utoipa::path(get, path = "/api/runs/{run}/timeline", params(("run" = String, Path), From), responses(
    (status = 200, body = wire::Feeds), (status = "default", body = wire::Problem)
))]
pub(crate) async fn timeline(
    State(shop): State<Arc<Shop>>,
    _me: Me,
    Path(run): Path<String>,
    Query(from): Query<From>,
) -> Result<axum::response::Response, Refusal> {
    let run = RunId::from(run.as_str());
    let after = match from.cursor.as_deref() {
        None | Some("") => 0,
        Some(cursor) => cursor
            .parse()
            .map_err(|_| Refusal::unclear("a cursor is a number of the ledger"))?,
    };
    at_hand(&shop, &run).await?;
    let lines = shop
        .follower
        .ask(|to| Ask::Lines(run.clone(), after, LINES, to));
    let lines = lines.await.flatten().ok_or_else(unread)?;
    Ok(feeds(&lines))
}

/// Lines that are JSON already, as a [`wire::Feeds`].
fn feeds(lines: &[Line]) -> axum::response::Response {
    use axum::response::IntoResponse as _;
    let mut body = b"{\"lines\":[".to_vec();
    for (i, line) in lines.iter().enumerate() {
        if i > 0 {
            body.push(b',');
        }
        body.extend_from_slice(&line.json);
    }
    let next = lines.last().filter(|_| lines.len() == LINES);
    let next = next.map_or_else(|| "null".to_owned(), |line| format!("\"{}\"", line.seq));
    body.extend_from_slice(format!("],\"next\":{next}}}").as_bytes());
    let kind = axum::http::HeaderValue::from_static("application/json");
    ([(axum::http::header::CONTENT_TYPE, kind)], body).into_response()
}

/// Where a piece of output begins.
#[derive(Deserialize, IntoParams)]
pub(crate) struct At {
    /// The offset in bytes, as the piece before said under `next`.
    #[serde(default)]
    from: u64,
}

/// What an attempt printed, masked; also while it is under way on this machine.
/// What a criterion printed stands under the digest that the handoff names.
#[utoipa::path(get, path = "/api/attempts/{attempt}/output", params(("attempt" = String, Path), At), responses(
    (status = 200, body = OutputView), (status = "default", body = wire::Problem)
))]
pub(crate) async fn output(
    State(shop): State<Arc<Shop>>,
    _me: Me,
    Path(attempt): Path<String>,
    Query(at): Query<At>,
) -> Answer<OutputView> {
    let id = AttemptId::from(attempt.as_str());
    let ended = shop.follower.ask(|to| Ask::Output(id.clone(), to)).await;
    let kept = match ended.flatten() {
        Some(Printed::UnderWay) => {
            let attempts = shop.settings.own_folder().join("attempts");
            let nothing = (String::new(), at.from);
            let (text, next) = tail::piece(&attempts, &id, at.from).unwrap_or(nothing);
            return Ok(Json(OutputView {
                text,
                next,
                complete: false,
            }));
        }
        Some(Printed::Kept(kept)) => kept,
        None => return criterion_output(&shop, &attempt, at.from).await,
    };
    let Some(digest) = kept else {
        return Ok(Json(cut(&[], at.from)));
    };
    let bytes = shop
        .reading
        .ask(move |table| Ok(table.laid()?.log.get(&digest)?));
    let bytes = bytes.await?;
    let bytes = bytes.ok_or_else(|| Refusal::nowhere("this output is not kept any more"))?;
    Ok(Json(cut(&bytes, at.from)))
}

/// What a criterion printed: the handoff names it `criterion:ID`.
async fn criterion_output(shop: &Shop, name: &str, from: u64) -> Answer<OutputView> {
    let nothing = || Refusal::nowhere(format!("nothing is known of what {name} printed"));
    let id = name
        .strip_prefix("criterion:")
        .ok_or_else(nothing)?
        .to_owned();
    let bytes = shop
        .reading
        .ask(move |table| handoff_view::output(table.laid()?, &id));
    let bytes = bytes.await?.ok_or_else(nothing)?;
    Ok(Json(cut(&bytes, from)))
}

/// A piece of an output that is kept.
fn cut(bytes: &[u8], from: u64) -> OutputView {
    let at = usize::try_from(from).unwrap_or(usize::MAX).min(bytes.len());
    let most = usize::try_from(tail::PIECE).unwrap_or(usize::MAX);
    let piece = &bytes[at..];
    let (text, next) = tail::whole(&piece[..piece.len().min(most)], at as u64);
    OutputView {
        complete: next >= bytes.len() as u64,
        text,
        next,
    }
}

/// All handoffs of this ledger, the one of the files first.
#[utoipa::path(get, path = "/api/handoffs", responses(
    (status = 200, body = wire::Handoffs), (status = "default", body = wire::Problem)
))]
pub(crate) async fn handoffs(State(shop): State<Arc<Shop>>, _me: Me) -> Answer<wire::Handoffs> {
    let all = shop.reading.ask(|table| {
        let release = table.release()?;
        handoff_view::all(table.desk()?, release)
    });
    Ok(Json(all.await?))
}

/// The handoff: its verdict, and everything that rests on.
#[utoipa::path(get, path = "/api/handoff", responses(
    (status = 200, body = wire::HandoffView), (status = "default", body = wire::Problem)
))]
pub(crate) async fn handoff(
    State(shop): State<Arc<Shop>>,
    Me(me): Me,
) -> Answer<wire::HandoffView> {
    let one = shop.reading.ask(move |table| {
        let release = table.release()?;
        handoff_view::one(table.desk()?, Some(&me), release)
    });
    Ok(Json(one.await?))
}

/// How the handoff came to where it stands.
#[utoipa::path(get, path = "/api/handoff/history", responses(
    (status = 200, body = wire::History), (status = "default", body = wire::Problem)
))]
pub(crate) async fn history(State(shop): State<Arc<Shop>>, _me: Me) -> Answer<wire::History> {
    let history = shop.reading.ask(Table::history);
    Ok(Json(history.await?))
}

/// Of which run.
#[derive(Deserialize, IntoParams)]
pub(crate) struct Of {
    /// A run; the files as they are, when left out.
    run: Option<String>,
}

/// The plan, with prose and fences.
#[utoipa::path(get, path = "/api/plan", params(Of), responses(
    (status = 200, body = wire::PlanView), (status = "default", body = wire::Problem)
))]
pub(crate) async fn plan(
    State(shop): State<Arc<Shop>>,
    _me: Me,
    Query(of): Query<Of>,
) -> Answer<wire::PlanView> {
    let run = of
        .run
        .filter(|run| run != NEXT)
        .map(|run| RunId::from(run.as_str()));
    let plan = shop.reading.ask(move |table| {
        let desk = match run {
            Some(_) => table.laid()?,
            None => table.desk()?,
        };
        plan_view::of(desk, run.as_ref())
    });
    Ok(Json(plan.await?))
}

/// What differs between the environments.
#[utoipa::path(get, path = "/api/parity", responses(
    (status = 200, body = wire::ParityView), (status = "default", body = wire::Problem)
))]
pub(crate) async fn parity(State(shop): State<Arc<Shop>>, _me: Me) -> Answer<wire::ParityView> {
    let parity = shop.reading.ask(|table| parity_view::of(table.desk()?));
    Ok(Json(parity.await?))
}

/// What the judge saw in a run, with plots.
#[utoipa::path(get, path = "/api/runs/{run}/measures", params(("run" = String, Path)), responses(
    (status = 200, body = wire::Measures), (status = "default", body = wire::Problem)
))]
pub(crate) async fn measures(
    State(shop): State<Arc<Shop>>,
    _me: Me,
    Path(run): Path<String>,
) -> Answer<wire::Measures> {
    if run == NEXT {
        let measures = Vec::new();
        return Ok(Json(wire::Measures { measures }));
    }
    let run = known(&shop, &run).await?;
    let measures = shop
        .reading
        .ask(move |table| measures_view::of(table.laid()?, &run));
    Ok(Json(measures.await?))
}

/// The review of a run.
#[utoipa::path(get, path = "/api/runs/{run}/review", params(("run" = String, Path)), responses(
    (status = 200, body = wire::ReviewView), (status = "default", body = wire::Problem)
))]
pub(crate) async fn review(
    State(shop): State<Arc<Shop>>,
    _me: Me,
    Path(run): Path<String>,
) -> Answer<wire::ReviewView> {
    let run = known(&shop, &run).await?;
    let review = shop
        .reading
        .ask(move |table| review_view::of(table.laid()?, &run));
    Ok(Json(review.await?))
}

/// A run that there is.
async fn known(shop: &Shop, run: &str) -> Result<RunId, Refusal> {
    let id = RunId::from(run);
    let run = id.clone();
    let there = shop.reading.ask(move |table| {
        let opening = table.laid()?.log.read_run(&run, Seq(0), 1)?;
        Ok(!opening.is_empty())
    });
    match there.await? {
        true => Ok(id),
        false => Err(Refusal::nowhere(format!("there is no run {id}"))),
    }
}
