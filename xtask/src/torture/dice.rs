//! Chance that can be repeated: the same seed gives the same throws.

/// Steele, Lea and Flood's SplitMix64 (2014): small, and good enough to pick moments.
#[derive(Clone, Debug)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `most`, which is not 0.
    pub(super) fn below(&mut self, most: u64) -> u64 {
        self.next() % most
    }

    /// One of these, each as likely as often as it stands there.
    pub(super) fn one_of<T: Copy>(&mut self, these: &[T]) -> T {
        let most = u64::try_from(these.len()).unwrap_or(u64::MAX);
        these[usize::try_from(self.below(most)).unwrap_or(0)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_throws_and_another_gives_others() {
        let throws = |seed| {
            let mut dice = Dice::new(seed);
            (0..100).map(|_| dice.below(6)).collect::<Vec<_>>()
        };
        assert_eq!(throws(1), throws(1));
        assert_ne!(throws(1), throws(2));
        assert!((0..6).all(|side| throws(1).contains(&side)));
    }

    #[test]
    fn the_first_throw_is_as_published() {
        // The reference implementation's first output for seed 0.
        assert_eq!(Dice::new(0).next(), 0xE220_A839_7B1D_CDAF);
    }
}
