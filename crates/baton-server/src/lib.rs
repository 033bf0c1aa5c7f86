//! The room in the browser: HTTP in, core values out, and no rule in between.
//!
//! What people may say and when is decided by the desk of the engine and by the
//! core, the same as for a terminal. What the page shows is a fold of the ledger.
//! The server never drives a run in its own process.

pub mod wire;

mod openapi;
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "the routes that show them come with the server")
)]
mod view;

pub use openapi::document;
