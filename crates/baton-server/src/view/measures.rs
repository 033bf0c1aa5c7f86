//! What the judge saw of each measure in a run.

use std::collections::BTreeMap;

use baton_core::event::Event;
use baton_core::handoff::contract::Measure;
use baton_core::id::{MeasureId, RunId};
use baton_core::watch::plot::{Plot, Point, svg};
use baton_core::watch::{Finding, Sample, State};
use baton_engine::desk::Desk;
use baton_engine::drive;
use baton_engine::failure::Failure;
use jiff::Timestamp;

use crate::wire::{MeasureView, Measures, Valued};

/// The width of a picture in CSS pixels.
const WIDTH: f64 = 720.0;

/// Every measure of a run, in the order of its contract, with all looks of the
/// judge in all its watches, and the picture of them.
///
/// # Errors
/// When there is no such run, or its plan cannot be used.
pub(crate) fn of(desk: &mut Desk, run: &RunId) -> Result<Measures, Failure> {
    let plan = drive::plan(&mut desk.log, run)?;
    let mut looks: BTreeMap<MeasureId, Looks> = BTreeMap::new();
    let mut began: Option<Timestamp> = None;
    desk.each_of(run, |entry| match entry.event {
        Event::WatchBegan { .. } => began = Some(entry.at),
        Event::Judged { samples, verdict } => {
            for finding in verdict.measures {
                let sample = samples.get(&finding.measure);
                let of = looks.entry(finding.measure.clone()).or_default();
                of.take(entry.at, began.unwrap_or(entry.at), sample, finding);
            }
        }
        _ => {}
    })?;
    let agreed = plan.contract.success.defined().into_iter().flatten();
    let measures = agreed.map(|measure| {
        let looks = looks.remove(&measure.id.value).unwrap_or_default();
        view(measure, &looks)
    });
    Ok(Measures {
        measures: measures.collect(),
    })
}

/// All looks at one measure.
#[derive(Default)]
struct Looks {
    points: Vec<Point>,
    seen: Vec<Valued>,
    last: Option<Finding>,
    /// The watch that is going on, and its latest look.
    watch: Option<(Timestamp, Timestamp)>,
    /// The shortest time between two looks of one watch.
    interval_s: Option<u32>,
}

impl Looks {
    fn take(&mut self, at: Timestamp, began: Timestamp, sample: Option<&Sample>, finding: Finding) {
        let point = Point::of(sample, &finding);
        if let Some(value) = point.canary {
            self.seen.push(Valued { at, value });
        }
        self.points.push(point);
        let before = self.watch.filter(|(watch, _)| *watch == began);
        let since = before.map_or(began, |(_, looked)| looked);
        let apart = at.as_second() - since.as_second();
        if let Some(apart) = u32::try_from(apart).ok().filter(|apart| *apart > 0) {
            self.interval_s = Some(self.interval_s.map_or(apart, |least| least.min(apart)));
        }
        self.watch = Some((began, at));
        self.last = Some(finding);
    }
}

fn view(measure: &Measure, looks: &Looks) -> MeasureView {
    let limit = measure
        .at_most
        .or_else(|| measure.quantile.map(|quantile| 1.0 - quantile.q));
    let plot = Plot {
        title: &measure.says,
        points: &looks.points,
        limit,
        shares: true,
        interval_s: looks.interval_s.unwrap_or(1),
    };
    let last = looks.last.as_ref();
    let interval = last.and_then(|finding| finding.interval);
    MeasureView {
        id: measure.id.to_string(),
        says: measure.says.clone(),
        bar: measure.bar(),
        verdict: stands(last.map_or(State::Blind, |finding| finding.state)).to_owned(),
        ratio: last.and_then(|finding| finding.ratio),
        low: interval.map(|(low, _)| low),
        high: interval.map(|(_, high)| high),
        e: last.map(|finding| finding.e),
        svg: (!looks.points.is_empty()).then(|| svg(&plot, WIDTH)),
        points: looks.seen.clone(),
    }
}

/// Where a measure stands, in the word of the ledger.
pub(crate) fn stands(state: State) -> &'static str {
    match state {
        State::Fine => "fine",
        State::Undecided => "undecided",
        State::Harm => "harm",
        State::Blind => "blind",
    }
}
