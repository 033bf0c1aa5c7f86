//! Bets on a gauge: the mean of readings in each interval.
//!
//! A level changes slowly, so one interval resembles the one before, by nobody
//! knows how much. Promised is the false alarm for every level that wanders around
//! its mean as a stationary normal process of first order, `d_t - m = rho (d_{t-1} -
//! m) + noise`, with any `rho` up to 0.97, any noise, and any mean within what was
//! agreed. What keeps still longer than that looks like a mean of its own, and
//! nothing else could.
//!
//! The evidence is a ratio of what the whole series is worth with a mean above and
//! with one that is not, both integrated over the noise (its right Haar prior, so
//! the unit of the level is of no account: Perez-Ortiz, Lardy, de Heide and
//! Grunwald, arXiv 2208.07610). For one `rho`, with `Q(m) = A m^2 - 2 B m + C` the
//! sum of squares of the noise that a mean `m` leaves,
//!
//! | | worth, but for what cancels |
//! |---|---|
//! | mean above, `m ~ N(0, (t noise)^2)` | `sqrt((1-rho^2) / (1+t^2 A)) (C - B^2/(A+1/t^2))^(-n/2)` |
//! | mean at most 0 | `sqrt(1-rho^2) C^(-n/2)`; if `B < 0`, `C - B^2/A` for `C` |
//!
//! The first is averaged over most of [`KEPT`] and [`WIDTHS`], the second is the largest
//! over [`KEPT`] (universal inference: Wasserman, Ramdas and Balakrishnan, PNAS
//! 2020), and the least ratio of e-processes is one.

use serde::{Deserialize, Serialize};

use super::math::{ln, log_add, log_sum};

/// How much of one interval's distance from the mean the next may keep.
const KEPT: [f64; 8] = [0.0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.97];
/// How far off the mean may be, in units of the noise of one interval.
const WIDTHS: [f64; 2] = [3.0, 30.0];
/// With more kept than by so many of [`KEPT`] a mean cannot be told, so nothing is bet.
const BET_ON: usize = 6;
/// The whole series is one bet.
pub(super) const WEIGHTS: [f64; 1] = [1.0];
/// Series that begin anew in the course of a watch, beside the whole one: for what
/// begins late. They have this share of the weight.
const ANEW: u32 = 5;
const LATE: f64 = 0.4;
/// They are at least this many intervals apart.
const APART: u32 = 8;
/// One interval counts for at most this many times the furthest one before it ...
const MOST: f64 = 3.0;
/// ... after this many.
const AFTER: u32 = 3;
/// Beyond this squares are no numbers any more.
const FURTHEST: f64 = 1e100;
/// What rounding leaves of a sum of squares that is 0.
const ROUNDING: f64 = 1e-12;

/// The series from one moment on: `B` and `C` for each of [`KEPT`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Series {
    seen: f64,
    last: f64,
    sums: [(f64, f64); KEPT.len()],
}

impl Series {
    fn add(&mut self, difference: f64) {
        for ((b, c), kept) in self.sums.iter_mut().zip(KEPT) {
            let (noise, of_mean, weight) = if self.seen == 0.0 {
                (difference, 1.0, 1.0 - kept * kept)
            } else {
                (difference - kept * self.last, 1.0 - kept, 1.0)
            };
            *b += weight * of_mean * noise;
            *c += weight * noise * noise;
        }
        self.seen += 1.0;
        self.last = difference;
    }

    /// `A`, `B`, `C` and the logarithm of `sqrt(1-rho^2)` for each of [`KEPT`].
    fn forms(&self) -> impl Iterator<Item = (f64, f64, f64, f64)> + Clone + '_ {
        self.sums.iter().zip(KEPT).map(|((b, c), kept)| {
            let first = 1.0 - kept * kept;
            let a = first + (self.seen - 1.0) * (1.0 - kept) * (1.0 - kept);
            (a, *b, *c, ln(first) / 2.0)
        })
    }

    /// The logarithm of the evidence that the mean is above 0.
    fn log_value(&self) -> f64 {
        // At the very edge in every interval: nothing speaks for either.
        if self.forms().any(|(_, _, c, _)| c <= 0.0) {
            return 0.0;
        }
        let worth = |squares: f64, c: f64| -self.seen / 2.0 * ln(squares.max(c * ROUNDING));
        let above = self.forms().take(BET_ON).flat_map(|(a, b, c, root)| {
            WIDTHS.into_iter().map(move |width| {
                let squares = c - b * b / (a + 1.0 / (width * width));
                root - ln(1.0 + width * width * a) / 2.0 + worth(squares, c)
            })
        });
        let within = self.forms().map(|(a, b, c, root)| {
            let squares = if b > 0.0 { c } else { c - b * b / a };
            root + worth(squares, c)
        });
        let points = (BET_ON * WIDTHS.len()) as f64;
        log_sum(above) - ln(points) - within.fold(f64::NEG_INFINITY, f64::max)
    }
}

/// How one difference went, and what that says of its mean.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Spread {
    apart: u32,
    seen: u32,
    furthest: f64,
    sum: f64,
    series: Vec<Series>,
    log_value: f64,
}

impl Spread {
    /// Of a watch of so many intervals.
    pub(super) fn new(horizon: u32) -> Self {
        Self {
            apart: horizon.div_ceil(ANEW + 1).max(APART),
            seen: 0,
            furthest: 0.0,
            sum: 0.0,
            series: Vec::new(),
            log_value: 0.0,
        }
    }

    /// By how much this difference adds to the log evidence that the mean is above 0.
    pub(super) fn bets(&self, difference: f64) -> [f64; 1] {
        let mut next = self.clone();
        next.learn(difference);
        [next.log_value - self.log_value]
    }

    /// Takes one difference in.
    pub(super) fn learn(&mut self, difference: f64) {
        let most = if self.seen >= AFTER && self.furthest > 0.0 {
            (self.furthest * MOST).min(FURTHEST)
        } else {
            FURTHEST
        };
        let difference = difference.clamp(-most, most);
        self.furthest = self.furthest.max(difference.abs());
        self.sum += difference;
        if self.seen.is_multiple_of(self.apart) && self.series.len() <= ANEW as usize {
            self.series.push(Series::default());
        }
        self.seen = self.seen.saturating_add(1);
        for series in &mut self.series {
            series.add(difference);
        }
        let late = LATE / f64::from(ANEW);
        let to_come = (ANEW as usize + 1).saturating_sub(self.series.len());
        let weighed = self.series.iter().enumerate().map(|(i, series)| {
            let weight = if i == 0 { 1.0 - LATE } else { late };
            ln(weight) + series.log_value()
        });
        self.log_value = log_sum(weighed);
        if to_come > 0 {
            self.log_value = log_add(self.log_value, ln(late * to_come as f64));
        }
    }

    /// The mean of the differences, and where it lies at every look at once with
    /// chance `1 - alpha`: the normal mixture of Robbins (1970), tightest around 30
    /// intervals, with the likeliest of [`KEPT`]. For people; it decides nothing.
    /// `None` before the second.
    pub(super) fn mean(&self, log_alpha: f64) -> Option<(f64, f64, f64)> {
        let whole = self.series.first().filter(|whole| whole.seen >= 2.0)?;
        let left = |(a, b, c, _): &(f64, f64, f64, f64)| (c - b * b / a).max(0.0);
        let log = |form: &(f64, f64, f64, f64)| {
            form.3 - whole.seen / 2.0 * ln(left(form).max(f64::MIN_POSITIVE))
        };
        let likeliest = whole.forms().max_by(|x, y| log(x).total_cmp(&log(y)))?;
        let (a, b, ..) = likeliest;
        let (mean, prior) = (b / a, 1.0 / 30.0);
        let wide = 1.0 + a * prior;
        let inner = 2.0 * wide / (a * a * prior) * (ln(wide) / 2.0 - log_alpha);
        let half = (left(&likeliest) / (whole.seen - 1.0) * inner).sqrt();
        Some((mean, mean - half, mean + half))
    }

    /// Whether the mean so far is below 0.
    pub(super) fn is_below(&self) -> bool {
        self.sum < 0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::tests::Dice;

    /// The share of runs in which harm is found at a bar of 20 within 40 intervals,
    /// when a level of standard deviation 1 lies around `mean` and keeps so much of
    /// its distance from one interval to the next.
    fn found(seed: u64, runs: u32, mean: f64, kept: f64) -> f64 {
        let mut dice = Dice(seed);
        let hit = (0..runs).filter(|_| {
            let mut spread = Spread::new(40);
            let mut off = dice.normal();
            (0..40).any(|_| {
                spread.learn(mean + off);
                off = kept * off + (1.0 - kept * kept).sqrt() * dice.normal();
                spread.log_value >= ln(20.0)
            })
        });
        hit.count() as f64 / f64::from(runs)
    }

    #[test]
    fn a_level_that_wanders_keeps_the_false_alarm_up_to_the_very_edge() {
        for (seed, kept) in [(8, 0.0), (9, 0.5), (10, 0.9), (11, 0.97)] {
            for mean in [0.0, -0.5] {
                let share = found(seed, 200, mean, kept);
                // 5%, and three times its standard error.
                assert!(share <= 0.096, "{kept} at {mean}: {share}");
            }
        }
    }

    #[test]
    fn a_level_far_above_is_found_and_one_just_above_when_it_varies_quickly() {
        for (mean, kept, least) in [(2.0, 0.0, 0.9), (8.0, 0.5, 0.5), (10.0, 0.9, 0.9)] {
            let share = found(12, 100, mean, kept);
            assert!(share >= least, "{mean} {kept}: {share}");
        }
    }

    #[test]
    fn what_does_not_vary_is_judged_by_where_it_is() {
        for (at, proven) in [(7.0, true), (0.0, false), (-7.0, false)] {
            let mut spread = Spread::new(40);
            for _ in 0..10 {
                assert!(spread.bets(at)[0].is_finite());
                spread.learn(at);
            }
            assert_eq!(spread.log_value >= ln(1000.0), proven, "{at}");
        }
    }

    #[test]
    fn one_wild_reading_hides_nothing() {
        for wild in [2, 20] {
            for most in [1e9, -1e9, f64::MAX] {
                let mut dice = Dice(13);
                let mut spread = Spread::new(120);
                for i in 0..120 {
                    let level = if i < 10 { -400.0 } else { 400.0 } + dice.normal() * 20.0;
                    spread.learn(if i == wild { most } else { level });
                }
                assert!(
                    spread.log_value >= ln(1000.0),
                    "{wild} {most}: {}",
                    spread.log_value
                );
            }
        }
    }

    #[test]
    fn harm_that_begins_late_is_found() {
        let mut dice = Dice(14);
        let mut spread = Spread::new(40);
        for i in 0..40 {
            spread.learn(if i < 16 { -20.0 } else { 20.0 } + dice.normal());
        }
        assert!(spread.log_value >= ln(100.0), "{}", spread.log_value);
    }

    #[test]
    fn the_interval_of_the_mean_holds_at_every_look() {
        let mut dice = Dice(9);
        let missed = (0..500).filter(|_| {
            let mut spread = Spread::new(60);
            (0..60).any(|i| {
                spread.learn(dice.normal() + 0.5);
                let at = spread.mean(ln(0.05));
                i >= 8 && at.is_none_or(|(_, low, high)| !(low..=high).contains(&0.5))
            })
        });
        let missed = missed.count();
        assert!(missed <= 25, "{missed}");
    }
}
