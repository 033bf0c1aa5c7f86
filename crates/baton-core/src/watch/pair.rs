//! One comparison of one measure, weighed both ways: for harm, and for being fine.

use serde::{Deserialize, Serialize};

use super::counts::{self, Line, Null};
use super::eprocess::{Detector, Mixture};
use super::gauge::{self, Spread};
use super::histogram::{self, Past, divided};
use super::history::Forecast;
use super::math::ln;
use super::series::{Counts, Sample};
use super::terms::{Design, Kind, Measure, Terms};
use super::{bernoulli, judge};

/// Without an agreed tolerance: how many times worse than the control a canary
/// must be proven *not* to be for its measure to count as fine.
pub(super) const KEEP_MARGIN: f64 = 1.25;

/// A tolerance that can be used.
pub(super) fn agreed(share: Option<f64>) -> Option<f64> {
    share.filter(|share| share.is_finite() && *share >= 0.0)
}

/// What is weighed, and what it has to remember.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Test {
    /// Counts against a control.
    Rates {
        shift: f64,
        margin: f64,
        past: Counts,
    },
    /// Counts against a limit.
    Limit(f64),
    /// Counts against what was foretold for each interval, and this share on top.
    Foretold(Forecast, f64),
    /// Times against a control.
    Times {
        slower: f64,
        margin: f64,
        harm: Past,
        fine: Past,
    },
    /// A level against the control and this share of it on top, or against a limit.
    Level {
        against: Against,
        harm: Spread,
        fine: Spread,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Against {
    Control { by: f64, margin: f64 },
    Limit(f64),
}

/// What one interval says, in logarithms.
enum Bets {
    Line { harm: Line, fine: [f64; 3] },
    Lists { harm: Vec<f64>, fine: Vec<f64> },
}

/// Two processes, and the detector that takes over after the watch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Pair {
    pub(super) design: Design,
    test: Test,
    /// Grows while the measure is worse than agreed.
    harm: Mixture,
    /// Grows while it is as agreed.
    fine: Mixture,
    after: Option<Detector>,
    /// Intervals taken in, with data or not.
    intervals: usize,
    /// By what the evidence is tempered.
    phi: f64,
    /// The logarithm of the evidence that proves harm.
    pub(super) log_bar: f64,
}

/// Every comparison of a measure, each with its share of `alpha`.
pub(super) fn pairs(measure: &Measure, terms: &Terms) -> Vec<Pair> {
    let (limit, worse_by) = (agreed(measure.limit), agreed(measure.worse_by));
    let learned = &measure.learned;
    let mut tests = Vec::new();
    if worse_by.is_some() || limit.is_none() {
        let by = worse_by.unwrap_or(0.0);
        // "No worse at all" cannot be proven, "not much worse" can.
        let margin = if worse_by.is_some() { 1.0 } else { KEEP_MARGIN };
        let test = match measure.kind {
            Kind::Counts => Test::Rates {
                shift: by,
                margin,
                past: Counts::default(),
            },
            Kind::Histogram => Test::Times {
                slower: 1.0 + by,
                margin: margin.max(1.0 + by),
                harm: Past::new(&learned.histogram),
                fine: Past::new(&learned.histogram),
            },
            Kind::Gauge => Test::Level {
                against: Against::Control {
                    by,
                    margin: margin.max(1.0 + by) - 1.0,
                },
                harm: Spread::new(terms.watch_intervals),
                fine: Spread::new(terms.watch_intervals),
            },
        };
        // A forecast is made where nothing runs without the change.
        tests.push(match learned.forecast.clone() {
            Some(forecast) if measure.kind == Kind::Counts => {
                (Design::History, Test::Foretold(forecast, by))
            }
            _ => (Design::Control, test),
        });
    }
    if let Some(limit) = limit {
        let test = match measure.kind {
            Kind::Gauge => Test::Level {
                against: Against::Limit(limit),
                harm: Spread::new(terms.watch_intervals),
                fine: Spread::new(terms.watch_intervals),
            },
            Kind::Counts | Kind::Histogram => Test::Limit(limit),
        };
        tests.push((Design::Limit, test));
    }
    let bar = ln(tests.len() as f64) - ln(terms.alpha(measure));
    let phi = measure.dispersion().unwrap_or(1.0);
    let pair = |(design, test)| Pair::new(design, test, terms.watch_intervals, phi, bar);
    tests.into_iter().map(pair).collect()
}

impl Pair {
    fn new(design: Design, test: Test, horizon: u32, phi: f64, log_bar: f64) -> Self {
        let weights = test.weights();
        // The margin of a forecast has spent the other half.
        let (phi, spent) = match &test {
            Test::Foretold(forecast, _) => (phi.max(forecast.dispersion), ln(2.0)),
            _ => (phi, 0.0),
        };
        // A gauge's own bets allow for a late onset.
        let horizon = match &test {
            Test::Level { .. } => 1,
            _ => horizon,
        };
        Self {
            design,
            harm: Mixture::new(weights, horizon),
            fine: Mixture::from_start(weights),
            test,
            after: None,
            intervals: 0,
            phi,
            log_bar: log_bar + spent,
        }
    }

    /// Takes one interval in and says whether it had what this compares. Unless
    /// `betting`, it is only learnt from; of one of which not all could be read
    /// nothing is taken as fine.
    pub(super) fn observe(&mut self, sample: &Sample, betting: bool) -> bool {
        let bets = self.test.bets(sample, self.intervals);
        self.intervals += 1;
        let had_data = self.test.learn(sample);
        if !betting {
            return had_data;
        }
        let whole = sample.trouble.is_none();
        match (bets, &mut self.after) {
            (None, _) => {}
            (Some(Bets::Line { harm, fine }), None) => {
                if self.design == Design::History {
                    // Its law is only as good as the forecast: nothing is built on it.
                    self.harm
                        .observe(&harm.bets(harm.x).map(|bet| bet / self.phi));
                } else {
                    self.harm.observe_line(&harm, self.phi, self.log_bar);
                }
                if whole {
                    self.fine.observe(&fine.map(|bet| bet / self.phi));
                }
            }
            (Some(Bets::Lists { harm, fine }), None) => {
                self.harm.observe(&tempered(&harm, self.phi));
                if whole {
                    self.fine.observe(&tempered(&fine, self.phi));
                }
            }
            (Some(Bets::Line { harm, .. }), Some(after)) => {
                after.observe(&harm.bets(harm.x).map(|bet| bet / self.phi));
            }
            (Some(Bets::Lists { harm, .. }), Some(after)) => {
                after.observe(&tempered(&harm, self.phi));
            }
        }
        had_data
    }

    /// The watch is over: from now on harm is looked for without an end.
    pub(super) fn go_on(&mut self) {
        if self.after.is_none() {
            self.after = Some(Detector::new(self.test.weights()));
            self.log_bar = ln(judge::BETWEEN_ALARMS);
        }
    }

    /// The logarithm of the evidence of harm.
    pub(super) fn log_harm(&self) -> f64 {
        match &self.after {
            Some(after) => after.log_value(),
            None => self.harm.log_value(),
        }
    }

    /// The logarithm of the evidence of being fine.
    pub(super) fn log_fine(&self) -> f64 {
        self.fine.log_value()
    }

    /// How many intervals were bet on.
    pub(super) fn seen(&self) -> u32 {
        self.harm.seen()
    }

    /// How far a gauge lies above what it is compared with.
    pub(super) fn above(&self, log_alpha: f64) -> Option<(f64, f64, f64)> {
        match &self.test {
            Test::Level { harm, .. } => harm.mean(log_alpha),
            _ => None,
        }
    }

    /// Whether a gauge lay, on the whole, beyond what was agreed, proven or not.
    pub(super) fn is_beyond(&self) -> bool {
        matches!(&self.test, Test::Level { fine, .. } if fine.is_below())
    }
}

fn tempered(bets: &[f64], phi: f64) -> Vec<f64> {
    bets.iter().map(|bet| bet / phi).collect()
}

impl Test {
    fn weights(&self) -> &'static [f64] {
        match self {
            Self::Rates { .. } | Self::Limit(_) | Self::Foretold(..) => &counts::WEIGHTS,
            Self::Times { .. } => &histogram::WEIGHTS,
            Self::Level { .. } => &gauge::WEIGHTS,
        }
    }

    /// What an interval says; `None` when it lacks what is compared, or nothing is
    /// known yet that could be bet on.
    fn bets(&self, sample: &Sample, interval: usize) -> Option<Bets> {
        let (canary, control) = (sample.canary, sample.control);
        let line = |harm: Null, fine: Null| {
            let (harm, fine) = (harm.line(canary, control)?, fine.line(canary, control)?);
            let fine = fine.bets(fine.x);
            Some(Bets::Line { harm, fine })
        };
        match self {
            Self::Rates {
                shift,
                margin,
                past,
            } => {
                let (shift, ratio) = (*shift, *margin);
                let bets = line(
                    Null::NoWorse { ratio: 1.0, shift },
                    Null::Worse { ratio, shift },
                )?;
                // Which test is chosen from the past alone, so that it stays one.
                let often = past.rate().filter(|rate| *rate >= bernoulli::OFTEN);
                Some(match (often, sample.both(), bets) {
                    (Some(past), Some((canary, control)), Bets::Line { fine, .. })
                        if shift == 0.0 =>
                    {
                        let harm = bernoulli::bets(past, canary, control).to_vec();
                        let fine = fine.to_vec();
                        Bets::Lists { harm, fine }
                    }
                    (.., bets) => bets,
                })
            }
            Self::Limit(limit) => line(Null::Within(*limit), Null::Beyond(*limit)),
            Self::Foretold(forecast, shift) => {
                let usual = forecast.shares.get(interval)?;
                let most = usual * forecast.margin + shift;
                line(Null::Within(most), Null::Beyond(most * KEEP_MARGIN))
            }
            Self::Times {
                slower,
                margin,
                harm,
                fine,
            } => {
                let (bounds, canary, control) = sample.histograms()?;
                let slow = divided(bounds, canary, *slower, false);
                let safe = divided(bounds, canary, *margin, true);
                Some(Bets::Lists {
                    harm: harm.bets(&slow, control)?.to_vec(),
                    fine: fine.bets(control, &safe)?.to_vec(),
                })
            }
            Self::Level {
                against,
                harm,
                fine,
            } => {
                let (over, under) = against.differences(sample)?;
                Some(Bets::Lists {
                    harm: harm.bets(over).to_vec(),
                    fine: fine.bets(under).to_vec(),
                })
            }
        }
    }

    /// Remembers an interval, and says whether it had what is compared.
    fn learn(&mut self, sample: &Sample) -> bool {
        match self {
            Self::Rates { past, .. } => sample.both().is_some_and(|(canary, control)| {
                past.add(canary);
                past.add(control);
                true
            }),
            Self::Limit(_) | Self::Foretold(..) => sample.canary.seen(),
            Self::Times {
                slower,
                margin,
                harm,
                fine,
            } => sample
                .histograms()
                .is_some_and(|(bounds, canary, control)| {
                    harm.learn(&divided(bounds, canary, *slower, false), control);
                    fine.learn(&divided(bounds, canary, *margin, true), control);
                    true
                }),
            Self::Level {
                against,
                harm,
                fine,
            } => against.differences(sample).is_some_and(|(over, under)| {
                harm.learn(over);
                fine.learn(under);
                true
            }),
        }
    }
}

impl Against {
    /// By how much the canary is above what is harm, and below what is fine.
    fn differences(self, sample: &Sample) -> Option<(f64, f64)> {
        let (canary, control) = sample.levels()?;
        Some(match self {
            Self::Control { by, margin } => {
                // Shares of its size, so that it may lie below 0.
                let control = control?.mean;
                let above = canary.mean - control;
                (above - by * control.abs(), margin * control.abs() - above)
            }
            Self::Limit(limit) => (canary.mean - limit, limit - canary.mean),
        })
    }
}
