//! The buckets of a histogram in Prometheus: counters of everything up to a bound,
//! which stands in the label `le` in seconds.

use std::collections::BTreeMap;

use baton_core::watch::Counts;

use super::prometheus::Labels;
use super::{Reading, Times};

/// The gains of buckets that count everything up to their bound, as times.
pub(super) fn spread(gains: &[(Labels, f64)], slower_than_ms: f64) -> Result<Reading, String> {
    let mut upto: BTreeMap<u64, f64> = BTreeMap::new();
    for (labels, gain) in gains {
        let le = labels.get("le").and_then(|le| le.parse::<f64>().ok());
        let Some(le) = le.filter(|le| *le >= 0.0) else {
            return Err("a bucket has no label `le` that is a number".to_owned());
        };
        // The bits of numbers that are not negative are in their order.
        let key = (le * 1000.0).to_bits();
        *upto.entry(key).or_default() += gain;
    }
    let (bounds, cumulative): (Vec<f64>, Vec<f64>) = upto
        .iter()
        .map(|(bits, gain)| (f64::from_bits(*bits), *gain))
        .unzip();
    let Some(all) = cumulative
        .last()
        .filter(|_| bounds.last() == Some(&f64::INFINITY))
    else {
        return match gains {
            [] => Ok(Reading::default()),
            _ => Err(
                "the buckets have none for `le=\"+Inf\"`, so nobody knows how many there were"
                    .to_owned(),
            ),
        };
    };
    // What lies beyond the first bound that is not below the limit was surely slower.
    let limit = bounds.iter().position(|bound| *bound >= slower_than_ms);
    let limit = limit.filter(|at| bounds[*at].is_finite());
    let Some(limit) = limit else {
        return Err(format!(
            "no bucket reaches the limit of {slower_than_ms} ms"
        ));
    };
    let slow = (all - cumulative[limit]).max(0.0);
    let mut before = 0.0;
    let counts = cumulative.iter().map(|upto| {
        // No more than an entry of the ledger holds as it is.
        let n = ((upto - before).max(0.0).round() as u64).min(Counts::MOST);
        before = before.max(*upto);
        n
    });
    let counts = counts.collect();
    Ok(Reading {
        counts: Counts::new(slow.round() as u64, all.round() as u64),
        times: Some(Times {
            bounds: bounds[..bounds.len() - 1].to_vec(),
            counts,
        }),
        ..Reading::default()
    })
}

#[cfg(test)]
mod tests {
    use super::super::prometheus::tests::labels;
    use super::*;

    #[test]
    fn buckets_become_times_and_slow_ones() {
        let gains = |pairs: &[(&str, f64)]| {
            pairs
                .iter()
                .map(|(le, n)| (labels(&[("le", le)]), *n))
                .collect::<Vec<_>>()
        };
        let all = gains(&[("0.1", 3.0), ("0.3", 7.0), ("1", 9.0), ("+Inf", 10.0)]);
        let reading = spread(&all, 300.0).unwrap();
        assert_eq!(reading.counts, Counts::new(3, 10));
        assert_eq!(
            reading.times.unwrap(),
            Times {
                bounds: vec![100.0, 300.0, 1000.0],
                counts: vec![3, 4, 2, 1]
            }
        );
        // Between two bounds only what is surely slower counts.
        assert_eq!(spread(&all, 200.0).unwrap().counts, Counts::new(3, 10));
        assert_eq!(spread(&all, 301.0).unwrap().counts, Counts::new(1, 10));
        // Two hosts are added up.
        let two = [all.clone(), all.clone()].concat();
        assert_eq!(spread(&two, 300.0).unwrap().counts, Counts::new(6, 20));
        assert_eq!(spread(&[], 300.0).unwrap(), Reading::default());
        for (wrong, limit) in [
            (gains(&[("0.1", 3.0)]), 100.0),
            (gains(&[("x", 3.0), ("+Inf", 3.0)]), 100.0),
            (gains(&[("-1", 3.0), ("+Inf", 3.0)]), 100.0),
            (all, 2000.0),
        ] {
            assert!(spread(&wrong, limit).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn more_than_an_entry_can_hold_is_not_counted() {
        let gains = [("0.1", 1e300), ("+Inf", 2e300)];
        let gains = gains.map(|(le, n)| (labels(&[("le", le)]), n));
        let reading = spread(&gains, 100.0).unwrap();
        assert_eq!(reading.times.unwrap().counts, [Counts::MOST; 2]);
        assert_eq!(reading.counts.total, Counts::MOST);
    }
}
