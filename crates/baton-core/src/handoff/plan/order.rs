//! The order of steps: `after`, made total and stable.
//!
//! A step without `after` waits for the step before it in the file; `nothing`
//! means the start of the run. Steps keep the order of the file except where
//! `after` names a later one. Steps that wait for each other are reported with
//! the whole circle.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use crate::diag::{Note, nearest};
use crate::handoff::runbook::Step;

/// The indices of `steps` in the order of the plan, and for each index the
/// indices it waits for. `None` when a circle leaves no order.
pub(super) struct Order {
    pub(super) order: Option<Vec<usize>>,
    pub(super) after: Vec<Vec<usize>>,
}

/// Orders the steps and reports references to none and circles.
pub(super) fn order(steps: &[Step], notes: &mut Vec<Note>) -> Order {
    let after = references(steps, notes);
    let mut before: Vec<Vec<usize>> = vec![Vec::new(); steps.len()];
    for (step, waits_for) in after.iter().enumerate() {
        for earlier in waits_for {
            before[*earlier].push(step);
        }
    }
    let mut waiting: Vec<usize> = after.iter().map(Vec::len).collect();
    let free = (0..steps.len()).filter(|step| waiting[*step] == 0);
    let mut free: BinaryHeap<Reverse<usize>> = free.map(Reverse).collect();
    let mut order = Vec::with_capacity(steps.len());
    while let Some(Reverse(step)) = free.pop() {
        order.push(step);
        for later in &before[step] {
            waiting[*later] -= 1;
            if waiting[*later] == 0 {
                free.push(Reverse(*later));
            }
        }
    }
    let whole = order.len() == steps.len();
    if !whole {
        circles(steps, &after, &waiting, notes);
    }
    Order {
        order: whole.then_some(order),
        after,
    }
}

/// What each step waits for, as indices.
fn references(steps: &[Step], notes: &mut Vec<Note>) -> Vec<Vec<usize>> {
    let ids = steps.iter().enumerate();
    let by_id: BTreeMap<&str, usize> = ids.map(|(at, step)| (step.id.as_str(), at)).collect();
    let mut all = Vec::with_capacity(steps.len());
    for (at, step) in steps.iter().enumerate() {
        let Some(written) = &step.after else {
            all.push(at.checked_sub(1).into_iter().collect());
            continue;
        };
        let mut indices = Vec::with_capacity(written.len());
        for id in written {
            match by_id.get(id.as_str()) {
                Some(index) => indices.push(*index),
                None => {
                    let hint = nearest(id.as_str(), by_id.keys().copied()).map_or_else(
                        || "ids stand in `{#id}`, or are made from the title".to_owned(),
                        |meant| format!("did you mean `{meant}`?"),
                    );
                    let says = format!(
                        "`{}` waits for `{}`, and there is no such step",
                        step.id.value, id.value
                    );
                    let note = Note::error("runbook.reference", says)
                        .naming(&step.id.value)
                        .next(hint);
                    notes.push(super::placed(note, id.span));
                }
            }
        }
        indices.sort_unstable();
        indices.dedup();
        all.push(indices);
    }
    all
}

/// Reports circles among the steps that never became free. Each walk follows
/// one step that is waited for until it meets itself, so all walks together
/// visit each step once.
fn circles(steps: &[Step], after: &[Vec<usize>], waiting: &[usize], notes: &mut Vec<Note>) {
    let mut visited: Vec<Option<usize>> = vec![None; steps.len()];
    for start in (0..steps.len()).filter(|step| waiting[*step] > 0) {
        let mut path = Vec::new();
        let mut at = start;
        while visited[at].is_none() {
            visited[at] = Some(start);
            path.push(at);
            // A step that waits in vain waits for another such step.
            match after[at].iter().find(|earlier| waiting[**earlier] > 0) {
                Some(earlier) => at = *earlier,
                None => path.clear(),
            }
        }
        let Some(first) = path.iter().position(|step| *step == at) else {
            continue;
        };
        if visited[at] != Some(start) {
            continue;
        }
        let mut circle = path.split_off(first);
        // Begin with the step that stands first in the file.
        let least = circle.iter().enumerate().min_by_key(|(_, step)| **step);
        let least = least.map_or(0, |(at, _)| at);
        circle.rotate_left(least);
        let ids: Vec<&str> = circle.iter().map(|step| steps[*step].id.as_str()).collect();
        let says = if let [only] = ids.as_slice() {
            format!("`{only}` waits for itself")
        } else {
            let shown: Vec<String> = ids
                .iter()
                .chain(ids.first())
                .map(|id| format!("`{id}`"))
                .collect();
            format!("steps wait for each other: {}", shown.join(" waits for "))
        };
        let span = steps[circle[0]].id.span;
        let note = Note::error("runbook.cycle", says).naming_all(&ids).next(
            "a step without `after` waits for the step before it; `after: nothing` waits for none",
        );
        notes.push(super::placed(note, span));
    }
}
