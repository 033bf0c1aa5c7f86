//! The judge on a stream of samples.

use std::collections::BTreeMap;

use baton_core::id::MeasureId;
use baton_core::watch::{Judge, Kind, Learned, Measure, Sample, Terms};

/// A measure that must be no worse than the control.
pub(crate) fn measure(id: &str, kind: Kind, learned: Learned) -> Measure {
    Measure {
        id: MeasureId::new(id),
        says: String::new(),
        kind,
        limit: None,
        worse_by: None,
        critical: true,
        weight: 1.0,
        learned,
    }
}

pub(crate) fn terms(measures: Vec<Measure>, false_alarm: f64, intervals: usize) -> Terms {
    Terms {
        measures,
        false_alarm,
        watch_intervals: u32::try_from(intervals).unwrap_or(u32::MAX),
        interval_s: 60,
        warm_up: 0,
    }
}

/// One measure judged after every interval: the interval of the rollback, from 1.
pub(crate) fn alarm(
    samples: &[Sample],
    kind: Kind,
    learned: &Learned,
    alpha: f64,
) -> Option<usize> {
    let measures = vec![measure("m", kind, learned.clone())];
    alarms(&[samples], &terms(measures, alpha, samples.len()))
}

/// Several measures judged together.
pub(crate) fn alarms(streams: &[&[Sample]], terms: &Terms) -> Option<usize> {
    let mut judge = Judge::new(terms);
    let ids: Vec<&MeasureId> = terms.measures.iter().map(|measure| &measure.id).collect();
    let longest = streams.iter().map(|stream| stream.len()).max()?;
    (0..longest).find_map(|t| {
        let samples: BTreeMap<MeasureId, Sample> = ids
            .iter()
            .zip(streams)
            .filter_map(|(id, stream)| Some(((*id).clone(), stream.get(t)?.clone())))
            .collect();
        judge.take(&samples);
        judge.found_harm().then_some(t + 1)
    })
}
