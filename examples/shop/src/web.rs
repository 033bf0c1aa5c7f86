//! The server: five addresses on 127.0.0.1, and the one fault of 2.4.0.

use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::metrics::Metrics;
use crate::{Release, Result, about, complain, db, process, say};

/// How long open requests may go on after SIGTERM. With the wait for a database
/// lock that may follow, it is less than the patience of `stop`.
const GRACE: Duration = Duration::from_secs(2);
/// While this file exists in the working folder, 2.4.0 has its fault.
const SLOW_RATES: &str = "flags/slow-rates";

/// Serves until SIGTERM. The pid file is written when requests can come in, never before.
pub(crate) fn serve(
    release: &'static Release,
    port: u16,
    file: &Path,
    pid_file: Option<&Path>,
) -> Result<String> {
    let db = db::open(file).map_err(about(file))?;
    let schema = db::schema(&db)?;
    if !release.serves.contains(&schema) {
        let (version, needed) = (release.version, release.serves.start());
        let why = format!("has schema {schema}, shop {version} needs {needed}");
        return Err(about(file)(why.into()));
    }
    let shop = Arc::new(Shop {
        release,
        db: Mutex::new(db),
        checkouts: AtomicU64::new(0),
        metrics: Metrics::default(),
    });
    let threads = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    threads.block_on(listen(shop, port, pid_file))
}

async fn listen(shop: Arc<Shop>, port: u16, pid_file: Option<&Path>) -> Result<String> {
    let version = shop.release.version;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
    let listener = listener.map_err(|why| format!("cannot listen on port {port}: {why}"))?;
    // Both wait for the same signal: one stops taking requests, the other stops waiting for them.
    let mut polite = signal(SignalKind::terminate())?;
    let mut strict = signal(SignalKind::terminate())?;
    pid_file.map_or(Ok(()), process::claim)?;
    say(&format!("shop {version} listens on port {port}"));
    let router = Router::new()
        .route("/", get(move || async move { format!("shop {version}\n") }))
        .route("/health", get(health))
        .route("/checkout", get(checkout).post(checkout))
        .route("/orders/count", get(count))
        .route("/metrics", get(metrics))
        .with_state(shop);
    let served = axum::serve(listener, router).with_graceful_shutdown(async move {
        polite.recv().await;
    });
    let out_of_grace = async {
        strict.recv().await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        ended = async { served.await } => ended?,
        () = out_of_grace => complain("requests were still open at the end"),
    }
    Ok(format!("shop {version} ended"))
}

/// What all requests share.
struct Shop {
    release: &'static Release,
    db: Mutex<Connection>,
    checkouts: AtomicU64,
    metrics: Metrics,
}

#[derive(Serialize)]
struct Health {
    version: &'static str,
    schema: u32,
    status: &'static str,
}

#[derive(Deserialize)]
struct Wish {
    /// `?dry=1` takes no order.
    #[serde(default)]
    dry: u8,
}

#[derive(Serialize)]
struct Receipt {
    /// Absent from a dry checkout: the number belongs to the next real order.
    order: Option<i64>,
    amount_cents: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<String>,
}

/// A 500 with its reason, which also goes to the log.
struct Broken(String);

impl IntoResponse for Broken {
    fn into_response(self) -> Response {
        complain(&format!("500: {}", self.0));
        (
            StatusCode::INTERNAL_SERVER_ERROR,
            Json(serde_json::json!({ "error": self.0 })),
        )
            .into_response()
    }
}

/// The schema may have been changed under a running server, so it is read again each time.
async fn health(State(shop): State<Arc<Shop>>) -> Result<Response, Broken> {
    let Release {
        version, serves, ..
    } = shop.release;
    let schema = with_db(shop, |db| db::schema(db)).await?;
    let (code, status) = if serves.contains(&schema) {
        (StatusCode::OK, "ok")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "wrong schema")
    };
    Ok((
        code,
        Json(Health {
            version,
            schema,
            status,
        }),
    )
        .into_response())
}

async fn checkout(
    State(shop): State<Arc<Shop>>,
    Query(wish): Query<Wish>,
) -> Result<Json<Receipt>, Broken> {
    let began = Instant::now();
    let answer = take_order(Arc::clone(&shop), wish).await;
    shop.metrics.count(answer.is_ok(), began.elapsed());
    answer
}

async fn take_order(shop: Arc<Shop>, wish: Wish) -> Result<Json<Receipt>, Broken> {
    let currency = shop.release.currency;
    let number = shop.checkouts.fetch_add(1, Ordering::Relaxed);
    if currency && rates_are_torn(number) {
        return Err(Broken("the exchange-rate table has no rate for EUR".into()));
    }
    let dry = wish.dry != 0;
    let order = with_db(shop, move |db| db::checkout(db, currency, dry)).await?;
    let db::Order {
        id,
        amount_cents,
        currency,
    } = order;
    Ok(Json(Receipt {
        order: (!dry).then_some(id),
        amount_cents,
        currency,
    }))
}

async fn metrics(State(shop): State<Arc<Shop>>) -> String {
    shop.metrics.text()
}

async fn count(State(shop): State<Arc<Shop>>) -> Result<String, Broken> {
    let orders = with_db(shop, |db| db::count(db)).await?;
    Ok(format!("{orders}\n"))
}

/// The known fault of 2.4.0, which has no place in 2.3.9.
///
/// The story: with currencies came a table of exchange rates, which a background task empties
/// and fills again, while a checkout reads it without a lock. With fast rates the gap is too
/// short to be noticed; with slow rates the table is half filled two fifths of the time. A real
/// race would make every demo end differently, so here the request's number decides: of any
/// five checkouts in a row, two fail.
fn rates_are_torn(number: u64) -> bool {
    Path::new(SLOW_RATES).exists() && matches!(number % 5, 1 | 3)
}

/// Runs `work` where blocking is allowed: SQLite may wait for another process's lock.
async fn with_db<T: Send + 'static>(
    shop: Arc<Shop>,
    work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
) -> Result<T, Broken> {
    // A panic in another request leaves no half transaction behind, so the lock stays usable.
    let work = move || work(&mut shop.db.lock().unwrap_or_else(PoisonError::into_inner));
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|why| Broken(why.to_string()))?
        .map_err(|why| Broken(why.to_string()))
}
