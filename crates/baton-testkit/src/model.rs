//! The same run told a second time: what the entries of a run say was done, in
//! what order, and by whose word. It shares no code with the core's own fold,
//! so that a mistake there does not excuse itself.

use std::collections::{BTreeMap, BTreeSet};

use baton_core::event::{Ending, Event, FenceRole, Leg, Outcome};
use baton_core::id::AttemptId;
use baton_core::ledger::Entry;
use baton_core::ledger::canon::BATON;

use crate::plans::{Conduct, Kind, Nature};
use crate::sim::Spot;

/// What a run did, as far as its ledger says.
#[derive(Debug)]
pub(crate) struct Model<'a> {
    kinds: &'a [Kind],
    /// Under way; the flag says that nothing of the deed had begun before.
    attempts: BTreeMap<AttemptId, (Spot, FenceRole, bool)>,
    /// In this leg: where deeds have begun, where they are complete, in order.
    begun: Vec<Spot>,
    complete: Vec<Spot>,
    /// Known failures of the deed in a row.
    failures: BTreeMap<Spot, usize>,
    approved: BTreeMap<usize, BTreeSet<String>>,
    /// The latest way back: what is undone, in order, and how often a machine did it.
    back: Option<Back>,
    /// Steps whose way back was seen to work in an earlier leg.
    proven: BTreeSet<usize>,
    /// Steps that people left out in this leg.
    skipped: BTreeSet<usize>,
    /// Those they ever left out, and those they had tried again.
    pub(crate) left_out: BTreeSet<usize>,
    pub(crate) retried: BTreeSet<usize>,
    /// Steps that are done because a person says so.
    pub(crate) vouched: BTreeSet<usize>,
    pub(crate) called_back: bool,
    pub(crate) called_off: bool,
    pub(crate) legs_forward: usize,
    /// How it ended, and what it says was undone.
    pub(crate) ended: Option<(Outcome, Vec<usize>)>,
}

#[derive(Debug, Default)]
struct Back {
    /// What has to be undone, the first one first; the flag says it was complete.
    due: Vec<(Spot, bool)>,
    /// Where it has come to an end, by whatever means.
    over: Vec<Spot>,
    tried: BTreeSet<Spot>,
    succeeded: BTreeSet<Spot>,
    /// Where the undo was carried out by a machine or by hand, and nothing speaks against it.
    proven: BTreeSet<Spot>,
}

type Said = Result<(), String>;

impl<'a> Model<'a> {
    pub(crate) fn new(kinds: &'a [Kind]) -> Self {
        Self {
            kinds,
            attempts: BTreeMap::new(),
            begun: Vec::new(),
            complete: Vec::new(),
            failures: BTreeMap::new(),
            approved: BTreeMap::new(),
            back: None,
            proven: BTreeSet::new(),
            skipped: BTreeSet::new(),
            left_out: BTreeSet::new(),
            retried: BTreeSet::new(),
            vouched: BTreeSet::new(),
            called_back: false,
            called_off: false,
            legs_forward: 1,
            ended: None,
        }
    }

    /// Takes the next entry in, or says what it breaks.
    pub(crate) fn take(&mut self, entry: &Entry) -> Said {
        match &entry.event {
            Event::AttemptStarted {
                attempt,
                step,
                host,
                role,
                ..
            } => {
                let spot = Spot::of(step, host);
                let first = *role == FenceRole::Run && !self.begun.contains(&spot);
                let _new = self.attempts.insert(attempt.clone(), (spot, *role, first));
                match role {
                    FenceRole::Run => self.begins(spot),
                    FenceRole::Undo => self.undoes(spot),
                    FenceRole::Verify | FenceRole::Preflight => Ok(()),
                }
            }
            Event::AttemptEnded { attempt, end, .. } => {
                let Some((spot, role, first)) = self.attempts.remove(attempt) else {
                    return Err(format!("{attempt} ended and never began"));
                };
                if first && matches!(end, Ending::NotStarted { .. }) {
                    self.begun.retain(|begun| *begun != spot);
                }
                self.ends(spot, role, end)
            }
            Event::AttemptVoided { attempt } => {
                if let Some((spot, _, true)) = self.attempts.remove(attempt) {
                    self.begun.retain(|begun| *begun != spot);
                }
                Ok(())
            }
            Event::LegBegan { leg, .. } => self.turns(*leg),
            Event::RunEnded {
                outcome, undone, ..
            } => {
                let undone: Vec<usize> = undone.iter().map(|step| number(step)).collect();
                self.ended = Some((*outcome, undone.clone()));
                self.claims(*outcome, &undone)
            }
            _ => {
                self.hears(entry);
                Ok(())
            }
        }
    }

    /// Takes a person's word in.
    fn hears(&mut self, entry: &Entry) {
        match &entry.event {
            Event::StepDone { step, host } => {
                let hosts: Vec<u8> = match host {
                    Some(host) => vec![Spot::of(step, host).host],
                    None => (0..self.kinds[number(step)].hosts).collect(),
                };
                for host in hosts {
                    let step = number(step);
                    self.done_by_word(Spot { step, host });
                }
            }
            Event::RetryCalled { step, host } => {
                let step = number(step);
                let _new = self.retried.insert(step);
                self.failures.retain(|spot, _| spot.step != step);
                self.not_there(step, host.as_deref());
            }
            Event::StepSkipped { step, .. } => {
                self.leaves_out(number(step), entry.by.as_str() != BATON);
            }
            Event::StepApproved { step } => {
                let by = self.approved.entry(number(step)).or_default();
                let _new = by.insert(entry.by.to_string());
            }
            Event::RollbackCalled { .. } => {
                self.called_back = true;
            }
            Event::StopCalled { .. } => {
                self.called_off = true;
            }
            _ => {}
        }
    }

    fn spots(&self, step: usize) -> impl Iterator<Item = Spot> + use<> {
        (0..self.kinds[step].hosts).map(move |host| Spot { step, host })
    }

    fn finished(&self, step: usize) -> bool {
        self.skipped.contains(&step) || self.spots(step).all(|spot| self.complete.contains(&spot))
    }

    fn begins(&mut self, spot: Spot) -> Said {
        let kind = self.kinds[spot.step];
        if self.back.is_some() {
            return Err(format!("{spot:?} began on the way back"));
        }
        let before = kind.predecessors(spot.step);
        if let Some(missing) = before.into_iter().find(|step| !self.finished(*step)) {
            return Err(format!(
                "{spot:?} began before s{missing} was seen to be done"
            ));
        }
        let approvals = self.approved.get(&spot.step).map_or(0, BTreeSet::len);
        if approvals < usize::from(kind.approvals) {
            return Err(format!("{spot:?} began without approval"));
        }
        let staged = kind.staged && spot.host > 0;
        let first = Spot { host: 0, ..spot };
        if staged && !self.complete.contains(&first) {
            return Err(format!(
                "{spot:?} began before the stage before it was complete"
            ));
        }
        if self.failures.get(&spot).copied().unwrap_or(0) > usize::from(kind.retry) {
            return Err(format!("{spot:?} was tried again past its limit"));
        }
        if self.complete.contains(&spot) {
            return Err(format!("{spot:?} began though it was complete"));
        }
        self.has_begun(spot);
        Ok(())
    }

    fn ends(&mut self, spot: Spot, role: FenceRole, end: &Ending) -> Said {
        let kind = self.kinds[spot.step];
        let (good, known) = (end.succeeded(), !matches!(end, Ending::Unknown { .. }));
        match (role, &mut self.back) {
            (FenceRole::Run, _) if good && !kind.nature.provable() => self.completes(spot),
            (FenceRole::Run, _) if !good && known => *self.failures.entry(spot).or_default() += 1,
            (FenceRole::Verify, None) if good => self.completes(spot),
            (FenceRole::Undo, Some(back)) if good => {
                if !back.succeeded.insert(spot) && !self.retried.contains(&spot.step) {
                    return Err(format!("{spot:?} was undone twice"));
                }
                if !kind.nature.provable() {
                    back.over.push(spot);
                    let _new = back.proven.insert(spot);
                }
            }
            (FenceRole::Verify, Some(back)) if !good && known => {
                back.over.push(spot);
                let _new = back.proven.insert(spot);
            }
            _ => {}
        }
        Ok(())
    }

    fn has_begun(&mut self, spot: Spot) {
        if !self.begun.contains(&spot) {
            self.begun.push(spot);
        }
    }

    fn completes(&mut self, spot: Spot) {
        self.has_begun(spot);
        if !self.complete.contains(&spot) {
            self.complete.push(spot);
        }
    }

    /// A person says that it is done, or undone.
    fn done_by_word(&mut self, spot: Spot) {
        let by_hand = self.kinds[spot.step].nature == Nature::ByPerson;
        match &mut self.back {
            None => {
                let _new = self.vouched.insert(spot.step);
                self.completes(spot);
            }
            Some(back) => {
                // Before its undo began it means that there is something to undo.
                let asked = !by_hand && !back.tried.contains(&spot);
                if !asked {
                    back.over.push(spot);
                    if by_hand {
                        let _new = back.proven.insert(spot);
                    }
                }
            }
        }
    }

    /// On the way back, a person says that there is nothing to undo.
    fn not_there(&mut self, step: usize, host: Option<&str>) {
        let Some(back) = &mut self.back else { return };
        let host = host.map(|host| Spot::of("s0", host).host);
        if let Some(spot) = back.next()
            && spot.step == step
            && host.is_none_or(|host| host == spot.host)
            && !back.tried.contains(&spot)
        {
            back.over.push(spot);
        }
    }

    fn leaves_out(&mut self, step: usize, by_person: bool) {
        let spots: Vec<Spot> = self.spots(step).collect();
        if by_person {
            let _new = self.skipped.insert(step);
            let _new = self.left_out.insert(step);
        }
        match &mut self.back {
            None => {
                let begun: Vec<Spot> = spots
                    .into_iter()
                    .filter(|spot| self.begun.contains(spot))
                    .collect();
                begun.into_iter().for_each(|spot| self.completes(spot));
            }
            Some(back) => {
                let next = back.next().filter(|spot| spot.step == step);
                back.over.extend(next);
            }
        }
    }

    fn turns(&mut self, leg: Leg) -> Said {
        match leg {
            Leg::Forward => return Err("a run went forward first a second time".to_owned()),
            Leg::Back => {
                let mut due: Vec<(Spot, bool)> = self
                    .begun
                    .iter()
                    .rev()
                    .filter(|spot| !self.complete.contains(spot))
                    .map(|spot| (*spot, false))
                    .collect();
                due.extend(self.complete.iter().rev().map(|spot| (*spot, true)));
                self.back = Some(Back {
                    due,
                    ..Back::default()
                });
            }
            Leg::Again => {
                self.legs_forward += 1;
                let back = self.back.take().unwrap_or_default();
                let open = |due: &&(Spot, bool)| !back.proven.contains(&due.0);
                let open: BTreeSet<usize> = back
                    .due
                    .iter()
                    .filter(open)
                    .map(|(due, _)| due.step)
                    .collect();
                let proven = (0..self.kinds.len()).filter(|step| !open.contains(step));
                self.proven.extend(proven);
                self.begun.clear();
                self.complete.clear();
                self.failures.clear();
                self.approved.clear();
                self.skipped.clear();
            }
        }
        Ok(())
    }

    fn undoes(&mut self, spot: Spot) -> Said {
        let no_return = |spot: &Spot| self.kinds[spot.step].conduct == Conduct::NoReturn;
        let Some(back) = &mut self.back else {
            return Err(format!("{spot:?} was undone on the way forward"));
        };
        let Some(place) = back.due.iter().position(|(due, _)| *due == spot) else {
            // Nothing of it had begun, as far as the ledger says.
            return Err(format!("{spot:?} was undone though it never began"));
        };
        // What was begun and is not complete comes first, in any order.
        let (_, complete) = back.due[place];
        let mut before = back.due[..place]
            .iter()
            .filter(|(_, done)| complete || *done);
        if let Some((early, _)) = before.find(|(due, _)| !back.over.contains(due)) {
            return Err(format!("{spot:?} was undone before {early:?}"));
        }
        let crossed = back.due.iter().find(|(due, _)| no_return(due));
        if let Some((crossed, _)) = crossed
            && !self.called_back
        {
            return Err(format!("{spot:?} was undone past {crossed:?}"));
        }
        // An undo that is tried again is not over.
        back.over.retain(|over| *over != spot);
        let _first = back.tried.insert(spot);
        Ok(())
    }

    /// What the last entry says must stand in those before.
    fn claims(&self, outcome: Outcome, undone: &[usize]) -> Said {
        if outcome == Outcome::Succeeded {
            let open = (0..self.kinds.len()).find(|step| !self.finished(*step));
            if let Some(step) = open {
                return Err(format!(
                    "it succeeded though s{step} was never seen to be done"
                ));
            }
            if self.called_off {
                return Err("it succeeded though it was called off".to_owned());
            }
        }
        if outcome == Outcome::RolledBack {
            let back = self.back.as_ref();
            let Some(back) = back else {
                return Err("it was rolled back without a way back".to_owned());
            };
            if let Some((open, _)) = back.due.iter().find(|(due, _)| !back.over.contains(due)) {
                return Err(format!(
                    "it was rolled back though {open:?} was never undone"
                ));
            }
        }
        // A rehearsal that went forward again has a way back that is over.
        if let Some(back) = &self.back {
            for step in undone.iter().filter(|step| !self.proven.contains(step)) {
                let mut of_step = back.due.iter().filter(|(due, _)| due.step == *step);
                if let Some((spot, _)) = of_step.find(|(due, _)| !back.proven.contains(due)) {
                    return Err(format!(
                        "it says that {spot:?} is undone, and nobody saw that"
                    ));
                }
            }
        }
        Ok(())
    }
}

impl Back {
    /// What comes next.
    fn next(&self) -> Option<Spot> {
        let mut due = self.due.iter().map(|(spot, _)| *spot);
        due.find(|spot| !self.over.contains(spot))
    }
}

fn number(step: &str) -> usize {
    Spot::of(step, "h0").step
}
