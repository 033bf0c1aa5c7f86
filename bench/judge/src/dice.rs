//! Random numbers from fixed seeds: the same streams in every run.

use std::f64::consts::TAU;

/// SplitMix64 (Steele, Lea and Flood 2014).
pub(crate) struct Dice(u64);

impl Dice {
    /// A stream of its own for each key.
    pub(crate) fn new(key: &[u64]) -> Self {
        let mut dice = Self(20_240_601);
        for part in key {
            dice.0 = dice.bits() ^ part.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
        dice
    }

    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Between 0 and 1, both excluded.
    pub(crate) fn roll(&mut self) -> f64 {
        ((self.bits() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    /// Two standard normal numbers (Box and Muller 1958).
    pub(crate) fn normals(&mut self) -> (f64, f64) {
        let radius = (-2.0 * self.roll().ln()).sqrt();
        let (sin, cos) = (TAU * self.roll()).sin_cos();
        (radius * cos, radius * sin)
    }

    pub(crate) fn normal(&mut self) -> f64 {
        self.normals().0
    }

    /// Inversion from the mode outwards: exact, and takes about one standard
    /// deviation of steps.
    fn outwards(&mut self, mode: u64, at_mode: f64, up: impl Fn(f64) -> f64) -> u64 {
        let mut left = self.roll() - at_mode;
        let (mut high, mut low) = (mode, mode);
        let (mut p_high, mut p_low) = (at_mode, at_mode);
        while left > 0.0 {
            p_high *= up(high as f64);
            high += 1;
            left -= p_high;
            if left <= 0.0 {
                return high;
            }
            if low > 0 {
                low -= 1;
                p_low /= up(low as f64);
                left -= p_low;
                if left <= 0.0 {
                    return low;
                }
            }
            if p_high < 1e-18 && (low == 0 || p_low < 1e-18) {
                return mode;
            }
        }
        mode
    }

    pub(crate) fn poisson(&mut self, mean: f64) -> u64 {
        let mode = mean.floor();
        let at_mode = (mode * mean.ln() - mean - ln_factorial(mode)).exp();
        self.outwards(mode as u64, at_mode, |k| mean / (k + 1.0))
    }

    pub(crate) fn binomial(&mut self, n: u64, p: f64) -> u64 {
        let p = p.min(1.0);
        if p <= 0.0 || n == 0 {
            return 0;
        }
        if p > 0.5 {
            return n - self.binomial(n, 1.0 - p);
        }
        let many = n as f64;
        let mode = ((many + 1.0) * p).floor().min(many);
        let ways = ln_factorial(many) - ln_factorial(mode) - ln_factorial(many - mode);
        let at_mode = (ways + mode * p.ln() + (many - mode) * (1.0 - p).ln()).exp();
        let odds = p / (1.0 - p);
        self.outwards(mode as u64, at_mode, |k| {
            (many - k).max(0.0) / (k + 1.0) * odds
        })
    }
}

/// `ln k!`: a table below 128, Stirling's series above.
fn ln_factorial(k: f64) -> f64 {
    static SMALL: std::sync::LazyLock<Vec<f64>> = std::sync::LazyLock::new(|| {
        let mut sum = 0.0;
        let logs = (0..128).map(|k: u32| {
            sum += f64::from(k.max(1)).ln();
            sum
        });
        logs.collect()
    });
    if let Some(known) = SMALL.get(k as usize) {
        return *known;
    }
    let x = k + 1.0;
    (x - 0.5) * x.ln() - x + 0.5 * TAU.ln() + 1.0 / (12.0 * x) - 1.0 / (360.0 * x * x * x)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(draw: impl FnMut() -> f64) -> (f64, f64) {
        let n = 40_000;
        let all: Vec<f64> = std::iter::repeat_with(draw).take(n).collect();
        let mean = all.iter().sum::<f64>() / n as f64;
        let variance = all.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / n as f64;
        (mean, variance)
    }

    #[test]
    fn draws_have_the_mean_and_variance_they_should() {
        let mut dice = Dice::new(&[1]);
        for mean in [0.15, 6.0, 600.0] {
            let (m, v) = moments(|| dice.poisson(mean) as f64);
            let slack = 5.0 * (mean / 40_000.0).sqrt();
            assert!(
                (m - mean).abs() < slack && (v / mean - 1.0).abs() < 0.05,
                "{mean}: {m} {v}"
            );
        }
        for (n, p) in [(600, 0.01), (30, 0.005), (600, 0.5), (36_000, 0.93)] {
            let (m, v) = moments(|| dice.binomial(n, p) as f64);
            let (mean, variance) = (n as f64 * p, n as f64 * p * (1.0 - p));
            let slack = 5.0 * (variance / 40_000.0).sqrt();
            assert!((m - mean).abs() < slack, "{n} {p}: {m}");
            assert!((v / variance - 1.0).abs() < 0.05, "{n} {p}: {v}");
        }
        let (m, v) = moments(|| dice.normal());
        assert!(m.abs() < 0.03 && (v - 1.0).abs() < 0.05, "{m} {v}");
    }

    #[test]
    fn the_same_key_is_the_same_stream() {
        let draw = |key: &[u64]| Dice::new(key).roll();
        assert_eq!(draw(&[1, 2]).to_bits(), draw(&[1, 2]).to_bits());
        assert!(draw(&[1, 2]) != draw(&[2, 1]) && draw(&[1]) != draw(&[1, 0]));
    }
}
