//! The marks of the whole program: each state has one sign and one word.

use super::{Mark, Tone};

/// Answered.
pub(crate) const ANSWERED: Mark = Mark {
    sign: "✓",
    word: "answered",
    tone: Tone::Good,
};
/// Open.
pub(crate) const OPEN: Mark = Mark {
    sign: "✗",
    word: "open",
    tone: Tone::Bad,
};
/// Declined.
pub(crate) const DECLINED: Mark = Mark {
    sign: "–",
    word: "declined",
    tone: Tone::Quiet,
};
/// Later.
pub(crate) const LATER: Mark = Mark {
    sign: "·",
    word: "later",
    tone: Tone::Quiet,
};
/// Done.
pub(crate) const DONE: Mark = Mark {
    sign: "✓",
    word: "done",
    tone: Tone::Good,
};
/// Under way.
pub(crate) const RUNNING: Mark = Mark {
    sign: "▸",
    word: "running",
    tone: Tone::Accent,
};
/// Waiting for a person.
pub(crate) const WAITING: Mark = Mark {
    sign: "?",
    word: "waits",
    tone: Tone::Warn,
};
/// Failed.
pub(crate) const FAILED: Mark = Mark {
    sign: "✗",
    word: "failed",
    tone: Tone::Bad,
};
/// Undone.
pub(crate) const UNDONE: Mark = Mark {
    sign: "↶",
    word: "undone",
    tone: Tone::Warn,
};
/// Left out.
pub(crate) const SKIPPED: Mark = Mark {
    sign: "–",
    word: "left out",
    tone: Tone::Quiet,
};
/// To do.
pub(crate) const TODO: Mark = Mark {
    sign: "·",
    word: "to do",
    tone: Tone::Quiet,
};
