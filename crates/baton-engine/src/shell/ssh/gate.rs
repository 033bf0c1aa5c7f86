//! How many connections are made at once.
//!
//! An sshd, or a jump host that all go through, drops connections when too many
//! have not logged in yet (`MaxStartups`, by default from ten on). A host that
//! hangs gives its place up after a moment, so it holds up nobody.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How many connections may be on their way at once: below the ten of `MaxStartups`.
const AT_ONCE: usize = 8;
/// How long one counts: most hosts answer sooner.
const COUNTS_FOR: Duration = Duration::from_secs(3);

static UNDER_WAY: Mutex<Vec<Instant>> = Mutex::new(Vec::new());
static FREED: Condvar = Condvar::new();

/// A place among those under way; dropping it makes room.
pub(super) struct Place(Instant);

/// Waits for a place.
pub(super) fn enter() -> Place {
    let mut under_way = lock();
    loop {
        let now = Instant::now();
        under_way.retain(|began| now.duration_since(*began) < COUNTS_FOR);
        if under_way.len() < AT_ONCE {
            under_way.push(now);
            return Place(now);
        }
        let oldest = under_way.iter().min().copied().unwrap_or(now);
        let wait = (oldest + COUNTS_FOR).saturating_duration_since(now);
        under_way = FREED
            .wait_timeout(under_way, wait)
            .unwrap_or_else(PoisonError::into_inner)
            .0;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut under_way = lock();
        if let Some(at) = under_way.iter().position(|began| *began == self.0) {
            let _began = under_way.swap_remove(at);
        }
        FREED.notify_all();
    }
}

fn lock() -> MutexGuard<'static, Vec<Instant>> {
    UNDER_WAY.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_that_hang_give_their_place_up_and_those_that_end_at_once() {
        let hanging: Vec<Place> = (0..AT_ONCE).map(|_| enter()).collect();
        let began = Instant::now();
        let next = enter();
        let waited = began.elapsed();
        assert!(
            waited > COUNTS_FOR / 2 && waited < COUNTS_FOR * 10,
            "{waited:?}"
        );
        drop((hanging, next));
        let began = Instant::now();
        for _ in 0..10 * AT_ONCE {
            drop(enter());
        }
        assert!(began.elapsed() < COUNTS_FOR);
    }
}
