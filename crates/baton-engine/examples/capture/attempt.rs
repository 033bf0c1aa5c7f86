//! What the tests' sshd takes from their tests of attempts; here none is made.

use std::time::{Duration, Instant};

/// No wrapper.
pub(crate) const WRAPPER: &str = "";

/// Looks again until it is so, for a minute at most.
pub(crate) fn until(what: &str, mut so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !so() {
        assert!(Instant::now() < deadline, "{what} did not happen");
        std::thread::yield_now();
    }
}
