//! The room in the browser: HTTP in, core values out, and no rule in between.
//!
//! What people may say and when is decided by the desk of the engine and by the
//! core, the same as for a terminal. What the page shows is a fold of the ledger.
//! The server never drives a run in its own process.

pub mod wire;

mod clerk;
mod doors;
mod follow;
mod live;
mod openapi;
mod outside;
mod page;
mod refusal;
mod room;
mod routes;
mod seats;
mod tail;
mod view;

pub use openapi::document;
pub use room::{Listen, Room, address_of, new_link};
