//! Whether each side gets the traffic it is meant to get.

use serde::{Deserialize, Serialize};

use super::counts::{self, Null};
use super::eprocess::Mixture;
use super::math::{ln, log_sum};
use super::series::Counts;

/// How many times more or less traffic than its share one side may get before the
/// comparison with the other is not believed any more.
const MARGIN: f64 = 1.25;
/// The chance to doubt a split that is right.
const ERROR: f64 = 0.01;
/// Parts of the whole in which a share of the traffic is counted.
const PARTS: f64 = 1e6;
/// Traffic is counted over so many comparisons: of a side that is scraped every one
/// holds a scrape, give or take one, and sides are scraped at times of their own.
/// One more in five is within the margin.
const BLOCK: u32 = 5;

/// The test for a sample ratio mismatch (Fabijan et al., KDD 2019, doi
/// 10.1145/3292500.3330722), which says that a comparison is spoilt whatever it
/// shows.
///
/// Sequential, as in Lindon and Malek, arXiv 2011.03567: of `n` things in a block
/// those of the canary are binomial with the odds `s / (1 - s)`, `s` the share that
/// was meant, and each bet multiplies the odds by an `r` of [`counts::RATIOS`],
/// `log e = x ln r - n ln(1 + s (r - 1))`. Two processes, one for each way; the
/// odds of the null are [`MARGIN`] times the meant ones, because no traffic is
/// split to the last visitor. A block that is not complete is held to a wider
/// margin. Doubt ends when the split has been right for about as long as it was
/// not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Split {
    meant: f64,
    ways: [Mixture; 2],
    /// The block under way: both sides, and of how many comparisons.
    sides: [Counts; 2],
    parts: u32,
    /// The evidence with the block under way.
    open: f64,
}

impl Split {
    /// The changed side is to get this share, in a watch of so many intervals.
    pub(super) fn new(meant: f64, intervals: u32) -> Self {
        let way = Mixture::new(&counts::WEIGHTS, intervals.div_ceil(BLOCK));
        Self {
            meant,
            ways: [way.clone(), way],
            sides: [Counts::default(); 2],
            parts: 0,
            open: 0.0,
        }
    }

    /// The share of the changed side.
    pub(super) fn meant(&self) -> f64 {
        self.meant
    }

    /// Takes the traffic of one comparison in; `phi`: its dispersion.
    pub(super) fn observe(&mut self, canary: Counts, control: Counts, phi: f64) {
        self.sides[0].add(canary);
        self.sides[1].add(control);
        self.parts += 1;
        if self.parts < BLOCK {
            let margin = 1.0 + 2.0 / f64::from(self.parts);
            let bets = self.bets(margin, phi);
            let weighed = |bets: [f64; 3]| {
                let parts = bets.into_iter().zip(counts::WEIGHTS);
                log_sum(parts.map(|(bet, weight)| ln(weight) + bet))
            };
            let open = self.ways.iter().zip(bets);
            let open = open.map(|(way, bets)| way.log_value() + weighed(bets));
            // One of five peeks into the block.
            self.open = open.fold(0.0, f64::max) - ln(f64::from(BLOCK));
            return;
        }
        let bets = self.bets(MARGIN, phi);
        for (way, bets) in self.ways.iter_mut().zip(bets) {
            way.observe(&bets);
        }
        (self.sides, self.parts, self.open) = ([Counts::default(); 2], 0, 0.0);
    }

    /// The bets of the block under way that the canary, and the control, gets too
    /// much.
    fn bets(&self, ratio: f64, phi: f64) -> [[f64; 3]; 2] {
        let part = |side: Counts, share: f64| Counts::new(side.total, (share * PARTS) as u64);
        let canary = part(self.sides[0], self.meant);
        let control = part(self.sides[1], 1.0 - self.meant);
        let null = Null::NoWorse { ratio, shift: 0.0 };
        [(canary, control), (control, canary)].map(|(one, other)| {
            null.line(one, Some(other))
                .map_or([0.0; 3], |line| line.bets(line.x).map(|bet| bet / phi))
        })
    }

    /// Whether one side gets much more traffic than it is meant to.
    pub(super) fn is_off(&self) -> bool {
        let closed = self.ways.iter().map(Mixture::log_value);
        closed.fold(self.open, f64::max) >= ln(2.0 / ERROR)
    }
}
