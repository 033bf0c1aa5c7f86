//! Tidy: the laws of the house that no compiler checks, as ordinary tests.
//!
//! Each law is a function from text to complaints, so that it can be shown to
//! refuse on a small bad input; the test of the law runs it over the repository.
//! Nothing here judges style that rustfmt or Clippy already judge.

mod core_arrows;
mod crate_arrows;
mod error_pages;
mod lock;
mod map;
mod size;
mod source;
mod tracked;
mod words;

/// Fails with every complaint at once, so that one run is enough to mend them all.
#[track_caller]
fn hold(law: &str, complaints: &[String]) {
    assert!(
        complaints.is_empty(),
        "{law}:\n  {}\n",
        complaints.join("\n  ")
    );
}
