//! Where something may go several ways: every way in turn, or thrown by dice.

/// Random numbers from a seed, the same on every machine (`SplitMix64`).
///
/// Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// Dice that fall the same way for the same seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `of`, which is at least 1.
    pub fn below(&mut self, of: usize) -> usize {
        usize::try_from(self.bits() % of.max(1) as u64).unwrap_or(0)
    }

    /// Whether something happens that happens once in `of` times.
    pub fn once_in(&mut self, of: usize) -> bool {
        self.below(of) == 0
    }

    /// One of these, of which there is at least one.
    pub fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }
}

/// Which way things go, one choice after another.
///
/// What the script does not say is the first way, or thrown. All ways are
/// enumerated by following [`Choices::following`] until there is none
/// (matklad, "Generate all the things", 2021).
#[derive(Clone, Debug, Default)]
pub struct Choices {
    script: Vec<usize>,
    taken: Vec<(usize, usize)>,
    dice: Option<Dice>,
}

impl Choices {
    /// As the script says, then always the first way.
    pub fn scripted(script: Vec<usize>) -> Self {
        Self {
            script,
            ..Self::default()
        }
    }

    /// As the dice fall.
    pub fn thrown(dice: Dice) -> Self {
        Self {
            dice: Some(dice),
            ..Self::default()
        }
    }

    /// One of `of` ways. Where there is but one, nothing is chosen.
    pub fn choose(&mut self, of: usize) -> usize {
        if of <= 1 {
            return 0;
        }
        let scripted = self.script.get(self.taken.len()).copied();
        let way = match (scripted, &mut self.dice) {
            (Some(way), _) => way.min(of - 1),
            (None, Some(dice)) => dice.below(of),
            (None, None) => 0,
        };
        self.taken.push((way, of));
        way
    }

    /// One of `of` ways, of which dice prefer the first.
    pub fn choose_rarely(&mut self, of: usize) -> usize {
        let scripted = self.taken.len() < self.script.len();
        let first = |dice: &mut Dice| !dice.once_in(8);
        if of > 1 && !scripted && self.dice.as_mut().is_some_and(first) {
            self.taken.push((0, of));
            return 0;
        }
        self.choose(of)
    }

    /// Whether the script is used up.
    pub fn free(&self) -> bool {
        self.taken.len() >= self.script.len()
    }

    /// The ways that were taken.
    pub fn taken(&self) -> Vec<usize> {
        self.taken.iter().map(|(way, _)| *way).collect()
    }

    /// The script of the next way that was not taken, depth first.
    pub fn following(&self) -> Option<Vec<usize>> {
        let last = self.taken.iter().rposition(|(way, of)| way + 1 < *of)?;
        let mut script: Vec<usize> = self.taken[..last].iter().map(|(way, _)| *way).collect();
        script.push(self.taken[last].0 + 1);
        Some(script)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_is_taken_once() {
        let mut seen = Vec::new();
        let mut script = Some(Vec::new());
        while let Some(next) = script {
            let mut choices = Choices::scripted(next);
            let mut way = vec![choices.choose(2)];
            if way[0] == 1 {
                way.push(choices.choose(1));
                way.push(choices.choose(3));
            }
            seen.push(way);
            script = choices.following();
        }
        assert_eq!(seen, [vec![0], vec![1, 0, 0], vec![1, 0, 1], vec![1, 0, 2]]);
    }

    /// A golden vector: a seed in a report must mean the same run for ever.
    #[test]
    fn dice_fall_as_published() {
        let mut dice = Dice::new(0);
        assert_eq!(dice.bits(), 0xE220_A839_7B1D_CDAF);
        assert_eq!(dice.bits(), 0x6E78_9E6A_A1B9_65F4);
    }
}
