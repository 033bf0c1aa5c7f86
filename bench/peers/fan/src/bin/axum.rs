//! Server-sent events as the documentation of axum shows them: everybody who watches gets a
//! broadcast receiver of their own.

use std::convert::Infallible;

use axum::Router;
use axum::extract::State;
use axum::response::Sse;
use axum::response::sse::Event;
use axum::routing::{get, post};
use tokio::sync::broadcast::{Sender, channel};
use tokio_stream::wrappers::BroadcastStream;
use tokio_stream::{Stream, StreamExt};

#[tokio::main]
async fn main() {
    let (events, _) = channel::<String>(4096);
    let app = Router::new()
        .route("/live", get(live))
        .route("/say", post(say))
        .with_state(events);
    let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}", socket.local_addr().unwrap());
    axum::serve(socket, app).await.unwrap();
}

async fn live(State(events): State<Sender<String>>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let stream = BroadcastStream::new(events.subscribe());
    Sse::new(stream.filter_map(|event| Some(Ok(Event::default().data(event.ok()?)))))
}

async fn say(State(events): State<Sender<String>>, text: String) {
    let _nobody_watches = events.send(text);
}
