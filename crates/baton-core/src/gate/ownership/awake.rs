//! Who is awake when they are needed.

use crate::diag::Note;
use crate::gate::Case;

pub(super) fn check(_case: &Case<'_>, _notes: &mut Vec<Note>) {}
