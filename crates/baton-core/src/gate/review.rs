//! Did we learn?
//!
//! An open lesson of any handoff binds whatever touches one of its components,
//! whether or not this contract asks for a review. A launch of this handoff
//! that ended is reviewed in time.

use super::Case;
use crate::diag::{Note, list};
use crate::event::RunKind;
use crate::id::Component;
use crate::time::Duration;

/// Asks the question and notes what speaks against a yes.
pub(super) fn check(case: &Case<'_>, notes: &mut Vec<Note>) {
    check_lessons(case, notes);
    let section = &case.plan.contract.review;
    let what = "when this is reviewed";
    let Some(terms) = case.section(section, "review.undefined", "review", what, notes) else {
        return;
    };
    for (id, run) in &case.facts.runs {
        let Some(ended) = run.ended.as_ref() else {
            continue;
        };
        let age = Duration::between(ended.at, case.now);
        if run.terms.what != RunKind::Launch || age <= terms.within {
            continue;
        }
        let says = format!(
            "The launch {id} ended {age} ago and has not been reviewed; the review is due \
             within {}.",
            terms.within
        );
        notes.push(
            Note::error("review.overdue", says)
                .naming(id)
                .owned_by(case.lead().as_ref())
                .next(format!("baton review --run {id}")),
        );
    }
}

fn check_lessons(case: &Case<'_>, notes: &mut Vec<Note>) {
    let touched = &case.plan.contract.touches;
    for (id, lesson) in &case.facts.lessons {
        let binds: Vec<&str> = lesson
            .touches
            .iter()
            .filter(|component| touched.contains(component))
            .map(Component::as_str)
            .collect();
        if binds.is_empty() {
            continue;
        }
        let says = format!(
            "The lesson {id} about {} is still open with {}: {}",
            list(&binds, usize::MAX),
            case.person(&lesson.owner),
            lesson.text
        );
        notes.push(
            Note::error("review.lesson-open", says)
                .naming(id)
                .owned_by(Some(&lesson.owner))
                .next(format!("baton lesson met {id}")),
        );
    }
}
