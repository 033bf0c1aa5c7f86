//! Where a quantile lies, for people: from histograms, at every look at once.
//!
//! The empirical distribution of all that was seen stays within
//! `A sqrt((ln(1 + ln(n/m)) + C) / n)` of the true one for all `n >= m` at once,
//! with chance `1 - alpha` (Howard and Ramdas, Bernoulli 28, 2022, theorem 2, with
//! `A = 0.85` and the closed form `C = 0.8 ln(1612/alpha)`). It decides nothing: as
//! a test it is several times slower than the bets of
//! [`histogram`](super::histogram).

use super::math::ln;

const A: f64 = 0.85;

/// The bounds between which the quantile `q` of the distribution with these
/// buckets lies; the upper one is `None` beyond the last bound, and the lower one
/// is 0 below the first. `first` is how many were seen in the first interval,
/// from when on the promise holds. `None` while nothing was seen.
pub(super) fn interval(
    bounds: &[f64],
    counts: &[u64],
    q: f64,
    first: u64,
    alpha: f64,
) -> Option<(f64, Option<f64>)> {
    let n: f64 = counts.iter().map(|n| *n as f64).sum();
    let m = first as f64;
    if n < 1.0 || m < 1.0 || n < m {
        return None;
    }
    let c = 0.8 * ln(1612.0 / alpha);
    let off = A * ((ln(1.0 + ln(n / m)) + c) / n).sqrt();
    // Bound by bound: the largest that is surely too low, the least surely not.
    let (mut below, mut low, mut high) = (0.0, 0.0, None);
    for (bound, count) in bounds.iter().zip(counts) {
        below += *count as f64 / n;
        if below + off < q {
            low = *bound;
        }
        if below - off >= q && high.is_none() {
            high = Some(*bound);
        }
    }
    Some((low, high))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::tests::Dice;

    #[test]
    fn the_interval_holds_at_every_look_and_narrows() {
        let bounds: Vec<f64> = (1..20).map(f64::from).collect();
        let mut dice = Dice(11);
        let mut missed = 0;
        for _ in 0..300 {
            let mut counts = vec![0_u64; 20];
            let out = (0..30).any(|_| {
                for _ in 0..100 {
                    counts[(dice.roll() * 20.0) as usize] += 1;
                }
                let (low, high) = interval(&bounds, &counts, 0.95, 100, 0.05).unwrap();
                low > 19.0 || high.is_some_and(|high| high < 19.0)
            });
            missed += u32::from(out);
        }
        assert!(missed <= 15, "{missed}");
        let many = vec![1_000_000; 20];
        assert_eq!(
            interval(&bounds, &many, 0.52, 100, 0.05),
            Some((10.0, Some(11.0)))
        );
        assert_eq!(interval(&bounds, &[0; 20], 0.5, 0, 0.05), None);
    }
}
