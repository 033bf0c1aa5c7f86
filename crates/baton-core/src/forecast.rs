//! When each step begins and ends if everything takes as long as it should.
//!
//! The earliest-start schedule and the critical path of the critical path
//! method (Kelley and Walker, 1959). It promises a forecast for tasks in any
//! order of the plan and never fails; it does not level people: that two tasks
//! of one person overlap is said by [`double_booked`], not mended.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::id::{Handle, StepId};
use crate::time::Duration;

/// How long a step is taken to last when nobody says.
pub const ASSUMED: Duration = Duration::from_secs(60);

/// One step, as the forecast needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// The step.
    pub id: StepId,
    /// Steps that must end before. One that does not stand earlier in the list
    /// is taken to have ended before the start.
    pub after: Vec<StepId>,
    /// How long all of it should take, on all of its hosts; [`ASSUMED`] when
    /// nobody says.
    pub lasts: Option<Duration>,
    /// How long the judge watches what it changed, before anything goes on.
    pub watch: Duration,
    /// The earliest moment, where there is one.
    pub not_before: Option<Timestamp>,
}

/// When everything happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// The steps, in the order in which they were given.
    pub steps: Vec<Slot>,
    /// The chain of steps that decides the end, first to last: a delay of any
    /// of them delays the end. It begins at the start of the run, or at a step
    /// that waits for its own moment.
    pub critical: Vec<StepId>,
    /// When the last step ends; the start when there is none.
    pub ends: Timestamp,
}

/// When one step happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// The step.
    pub id: StepId,
    /// When it begins at the earliest.
    pub starts: Timestamp,
    /// When it then ends, watch included.
    pub ends: Timestamp,
    /// Whether its length is [`ASSUMED`], since nobody says.
    pub assumed: bool,
}

/// The earliest schedule of tasks that begin at `start`.
pub fn schedule(tasks: &[Task], start: Timestamp) -> Schedule {
    let mut at: BTreeMap<&StepId, usize> = BTreeMap::new();
    let mut steps: Vec<Slot> = Vec::with_capacity(tasks.len());
    // For each task, the one whose end decided its start.
    let mut held_by: Vec<Option<usize>> = Vec::with_capacity(tasks.len());
    for (index, task) in tasks.iter().enumerate() {
        let mut starts = start;
        let mut holder = None;
        for earlier in task.after.iter().filter_map(|id| at.get(id)) {
            if steps[*earlier].ends > starts || holder.is_none() {
                starts = starts.max(steps[*earlier].ends);
                holder = Some(*earlier);
            }
        }
        if let Some(moment) = task.not_before.filter(|moment| *moment > starts) {
            starts = moment;
            holder = None;
        }
        let done = task.lasts.unwrap_or(ASSUMED).after(starts);
        steps.push(Slot {
            id: task.id.clone(),
            starts,
            ends: task.watch.after(done),
            assumed: task.lasts.is_none(),
        });
        held_by.push(holder);
        at.insert(&task.id, index);
    }
    // Of several that end last the first, so that the answer is stable.
    let last = (0..steps.len())
        .rev()
        .max_by_key(|index| steps[*index].ends);
    let mut critical = Vec::new();
    let mut next = last;
    while let Some(index) = next {
        critical.push(steps[index].id.clone());
        next = held_by[index];
    }
    critical.reverse();
    Schedule {
        ends: last.map_or(start, |index| steps[index].ends),
        steps,
        critical,
    }
}

/// When the rest of a run will be over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// If the rest goes as quickly as the quickest tenth did.
    pub early: Timestamp,
    /// If it goes as it did so far.
    pub likely: Timestamp,
    /// If it goes as slowly as the slowest tenth did.
    pub late: Timestamp,
}

/// What is taken to have been seen before anything was: a plan is kept, beaten by
/// a fifth, and missed by half. Ours; what a run shows itself soon outweighs it.
const BEFORE: [f64; 3] = [0.8, 1.0, 1.5];

/// When the `rest` ends that goes on at `now`, given what the steps so far took
/// of what they should (1 is as planned). The 10 %, 50 % and 90 % quantiles of
/// those shares, each applied to all of the rest.
pub fn range(rest: &[Task], now: Timestamp, seen: &[f64]) -> Range {
    let usable = seen
        .iter()
        .copied()
        .filter(|share| share.is_finite() && *share >= 0.0);
    let mut shares: Vec<f64> = BEFORE.into_iter().chain(usable).collect();
    shares.sort_by(f64::total_cmp);
    let ends = |quantile: f64| {
        let at = (quantile * (shares.len() - 1) as f64).round() as usize;
        let scaled: Vec<Task> = rest
            .iter()
            .map(|task| {
                let lasts = task.lasts.unwrap_or(ASSUMED).as_millis() as f64 * shares[at];
                Task {
                    lasts: Some(Duration::from_millis(lasts.round() as u64)),
                    ..task.clone()
                }
            })
            .collect();
        schedule(&scaled, now).ends
    };
    Range {
        early: ends(0.1),
        likely: ends(0.5),
        late: ends(0.9),
    }
}

/// Two steps that one person would have to do at the same time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Clash {
    /// The person.
    pub who: Handle,
    /// The step that begins first.
    pub first: StepId,
    /// The step that begins before it ends.
    pub second: StepId,
}

/// Steps that overlap in time though only one and the same person can do them.
///
/// `owners` gives the people who may do each step; a step that several may do
/// clashes with none, since another of them can take it. Every step that clashes
/// stands in at least one pair; not every pair is listed, so that many steps at
/// once make a list one can read.
pub fn double_booked<'a>(
    schedule: &Schedule,
    owners: impl IntoIterator<Item = (&'a StepId, &'a [Handle])>,
) -> Vec<Clash> {
    let only = |owners: &'a [Handle]| match owners {
        [who] => Some(who),
        _ => None,
    };
    let owners = owners.into_iter();
    let bound: BTreeMap<&StepId, &Handle> = owners
        .filter_map(|(id, owners)| Some((id, only(owners)?)))
        .collect();
    let mut of: BTreeMap<&Handle, Vec<&Slot>> = BTreeMap::new();
    for slot in &schedule.steps {
        if let Some(who) = bound.get(&slot.id) {
            of.entry(who).or_default().push(slot);
        }
    }
    let mut clashes = Vec::new();
    for (who, mut slots) in of {
        slots.retain(|slot| slot.starts < slot.ends);
        slots.sort_by_key(|slot| slot.starts);
        let mut busy: Option<&Slot> = None;
        for slot in slots {
            if let Some(first) = busy.filter(|busy| slot.starts < busy.ends) {
                clashes.push(Clash {
                    who: who.clone(),
                    first: first.id.clone(),
                    second: slot.id.clone(),
                });
            }
            // Whoever is busy longest clashes with what comes next.
            if busy.is_none_or(|busy| busy.ends < slot.ends) {
                busy = Some(slot);
            }
        }
    }
    clashes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn start() -> Timestamp {
        "2026-11-25T08:00:00Z".parse().unwrap()
    }

    /// Tasks written as `(id, after, minutes or 0 for unsaid, not before that minute)`.
    fn tasks(written: &[(&str, &[&str], u64, Option<u64>)]) -> Vec<Task> {
        let task = |(id, after, minutes, moment): &(&str, &[&str], u64, Option<u64>)| Task {
            id: (*id).into(),
            after: after.iter().map(|id| (*id).into()).collect(),
            lasts: (*minutes > 0).then(|| Duration::from_secs(minutes * 60)),
            watch: Duration::default(),
            not_before: moment.map(|minute| Duration::from_secs(minute * 60).after(start())),
        };
        written.iter().map(task).collect()
    }

    #[test]
    fn what_was_seen_narrows_and_moves_the_range() {
        let rest = tasks(&[("a", &[], 10, None), ("b", &["a"], 10, None)]);
        let minutes = |seen: &[f64]| {
            let range = range(&rest, start(), seen);
            [range.early, range.likely, range.late]
                .map(|at| Duration::between(start(), at).as_millis() / 60_000)
        };
        assert_eq!(minutes(&[]), [16, 20, 30]);
        assert_eq!(minutes(&[2.0; 40]), [40, 40, 40], "all took twice as long");
        assert_eq!(
            minutes(&[f64::NAN, -1.0]),
            [16, 20, 30],
            "no share of anything"
        );
    }

    fn shown(schedule: &Schedule) -> String {
        let minutes = |at: Timestamp| Duration::between(start(), at).as_millis() / 60_000;
        let slots = schedule.steps.iter().map(|slot| {
            let assumed = if slot.assumed { "?" } else { "" };
            format!(
                "{} {}-{}{assumed}",
                slot.id,
                minutes(slot.starts),
                minutes(slot.ends)
            )
        });
        let critical: Vec<&str> = schedule.critical.iter().map(|id| id.as_str()).collect();
        let slots: Vec<String> = slots.collect();
        format!(
            "{}; {} till {}",
            slots.join(", "),
            critical.join(" "),
            minutes(schedule.ends)
        )
    }

    #[test]
    fn the_longest_chain_decides() {
        for (written, expected) in [
            (&[][..], ";  till 0"),
            (
                &[
                    ("a", &[][..], 5, None),
                    ("b", &["a"], 0, None),
                    ("c", &["a"], 3, None),
                    ("d", &["b", "c"], 2, None),
                ],
                "a 0-5, b 5-6?, c 5-8, d 8-10; a c d till 10",
            ),
            (
                &[
                    ("a", &[], 5, None),
                    ("b", &[], 9, None),
                    ("c", &["a"], 1, Some(20)),
                ],
                "a 0-5, b 0-9, c 20-21; c till 21",
            ),
            (
                &[("a", &["z", "a"], 5, Some(2)), ("b", &["a"], 5, Some(1))],
                "a 2-7, b 7-12; a b till 12",
            ),
        ] {
            assert_eq!(shown(&schedule(&tasks(written), start())), expected);
        }
    }

    #[test]
    fn people_are_in_one_place_at_a_time() {
        let plan = tasks(&[
            ("a", &[], 10, None),
            ("b", &[], 2, None),
            ("c", &["b"], 2, None),
            ("d", &["a"], 2, None),
            ("e", &[], 9, None),
        ]);
        let plan = schedule(&plan, start());
        let (omar, team) = (
            [Handle::new("omar")],
            [Handle::new("omar"), Handle::new("pia")],
        );
        let ids: Vec<StepId> = ["a", "b", "c", "d", "e"].map(StepId::from).to_vec();
        let owners = ids.iter().map(|id| {
            let who: &[Handle] = if id.as_str() == "e" { &team } else { &omar };
            (id, who)
        });
        let pairs: Vec<String> = double_booked(&plan, owners)
            .iter()
            .map(|clash| format!("{} {} {}", clash.who, clash.first, clash.second))
            .collect();
        assert_eq!(pairs, ["omar a b", "omar a c"]);
    }

    proptest! {
        #[test]
        fn schedules_keep_their_promises(
            written in proptest::collection::vec((proptest::collection::vec(0..20_usize, 0..4), 0..9_u64, proptest::option::of(0..60_u64)), 0..20),
        ) {
            let ids: Vec<String> = (0..20).map(|n| format!("s{n}")).collect();
            let tasks: Vec<Task> = written.iter().zip(&ids).map(|((after, minutes, moment), id)| {
                let after: Vec<&str> = after.iter().map(|n| ids[*n].as_str()).collect();
                tasks(&[(id, &after, *minutes, *moment)]).remove(0)
            }).collect();
            let schedule = schedule(&tasks, start());
            let slot = |id: &StepId| schedule.steps.iter().position(|slot| slot.id == *id);
            for (index, task) in tasks.iter().enumerate() {
                let own = &schedule.steps[index];
                prop_assert!(own.starts >= start() && own.ends <= schedule.ends);
                prop_assert!(task.not_before.is_none_or(|moment| own.starts >= moment));
                for earlier in task.after.iter().filter_map(slot).filter(|earlier| *earlier < index) {
                    prop_assert!(schedule.steps[earlier].ends <= own.starts);
                }
            }
            // The critical path is a chain without gaps up to the end.
            let chain: Vec<&Slot> = schedule.critical.iter().map(|id| &schedule.steps[slot(id).unwrap()]).collect();
            prop_assert!(chain.windows(2).all(|pair| pair[0].ends == pair[1].starts));
            prop_assert_eq!(chain.last().map_or_else(start, |slot| slot.ends), schedule.ends);

            let who = [Handle::new("omar")];
            let clashes = double_booked(&schedule, tasks.iter().map(|task| (&task.id, &who[..])));
            for (a, one) in schedule.steps.iter().enumerate() {
                let overlaps = schedule.steps.iter().enumerate().any(|(b, other)| {
                    a != b && one.starts < other.ends && other.starts < one.ends
                });
                let named = clashes.iter().any(|clash| clash.first == one.id || clash.second == one.id);
                prop_assert_eq!(overlaps, named, "{}", one.id);
            }
        }
    }
}
