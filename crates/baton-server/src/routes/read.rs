//! What is read: each route a fold of desk or ledger, and nothing else.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use baton_core::event::Event;
use baton_core::id::{AttemptId, Digest, RunId, Seq};
use baton_engine::desk::Desk;
use baton_engine::failure::{Failure, Kind};
use baton_store::Log as _;
use serde::Deserialize;
use utoipa::IntoParams;

use super::Answer;
use super::guard::{Me, who};
use crate::follow::{Ask, Line, Printed};
use crate::refusal::Refusal;
use crate::room::Shop;
use crate::tail;
use crate::view::board::{Board, NEXT};
use crate::view::run::{ended, people};
use crate::wire::{self, EndedView, OutputView, RunKindView, RunRow, RunView, Runs};

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
                        kind: match terms.what {
                            baton_core::event::RunKind::Rehearsal => RunKindView::Rehearsal,
                            baton_core::event::RunKind::Launch => RunKindView::Launch,
                        },
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
                            outcome: ended(outcome).to_owned(),
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
        None => Some(Digest::parse(&attempt).ok_or_else(|| {
            Refusal::nowhere(format!("nothing is known of what {attempt} printed"))
        })?),
    };
    match kept {
        None => Ok(Json(OutputView {
            text: String::new(),
            next: at.from,
            complete: true,
        })),
        Some(digest) => {
            let bytes = shop
                .reading
                .ask(move |table| Ok(table.laid()?.log.get(&digest)?));
            let bytes = bytes.await?;
            let bytes =
                bytes.ok_or_else(|| Refusal::nowhere("this output is not kept any more"))?;
            let from = usize::try_from(at.from)
                .unwrap_or(usize::MAX)
                .min(bytes.len());
            let piece = &bytes[from..];
            let most = usize::try_from(tail::PIECE).unwrap_or(usize::MAX);
            let piece = &piece[..piece.len().min(most)];
            let (text, next) = tail::whole(piece, from as u64);
            Ok(Json(OutputView {
                text,
                next,
                complete: next >= bytes.len() as u64 || piece.is_empty(),
            }))
        }
    }
}
