//! Whether a clock can be believed: it must not lie behind what was recorded.
//!
//! Everything that ages (evidence, waivers, rehearsals, windows) is weighed
//! against the machine's clock. One that went back would make old evidence
//! young again, so nothing is judged and nothing is recorded by it.

use jiff::Timestamp;

use crate::time::Duration;

/// How far a clock may lie behind the ledger: clocks are set right by seconds
/// all the time, and machines that share a ledger never agree to the second.
pub const CLOCK_SLACK: Duration = Duration::from_secs(60);

/// A clock that lies behind the ledger.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this machine's clock says {now:.0}, and the ledger's last entry is of {recorded:.0}: the clock went back by {}",
    Duration::between(*now, *recorded)
)]
pub struct ClockWentBack {
    /// When the last entry was recorded.
    pub recorded: Timestamp,
    /// What the clock says.
    pub now: Timestamp,
}

/// Whether the clock can be believed, after an entry of that time.
///
/// # Errors
/// When it lies behind it by more than [`CLOCK_SLACK`].
pub fn believe(recorded: Timestamp, now: Timestamp) -> Result<(), ClockWentBack> {
    if Duration::between(now, recorded) > CLOCK_SLACK {
        return Err(ClockWentBack { recorded, now });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_is_forgiven_and_no_more() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let recorded = at("2026-11-25T09:00:00Z");
        for now in [
            "2026-11-25T08:59:00Z",
            "2026-11-25T09:00:00Z",
            "2030-01-01T00:00:00Z",
        ] {
            assert_eq!(believe(recorded, at(now)), Ok(()), "{now}");
        }
        let back = believe(recorded, at("2026-11-25T07:58:59.5Z")).unwrap_err();
        assert_eq!(
            back.to_string(),
            "this machine's clock says 2026-11-25T07:58:59Z, and the ledger's last entry is of \
             2026-11-25T09:00:00Z: the clock went back by 1 h 1 min"
        );
    }
}
