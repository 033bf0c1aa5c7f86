//! Losing touch: every effect of a driver, on the ledger and on the world, has
//! a point before it and a point after it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use baton_engine::world::Lost;

use crate::choice::Dice;
use crate::hook::{Effect, Hook};

/// Counts the points that were passed, and blows at one of them.
#[derive(Clone, Debug, Default)]
pub struct Fuse {
    passed: Rc<Cell<u64>>,
    blows_at: Option<u64>,
    /// Blows at any point, once in so often, as the dice fall.
    dice: Option<(Rc<RefCell<Dice>>, usize)>,
}

impl Fuse {
    /// A fuse that blows at this point, counted from 0; never with `None`.
    pub fn at(point: Option<u64>) -> Self {
        Self {
            blows_at: point,
            ..Self::default()
        }
    }

    /// A fuse that blows once in about `points` points.
    pub fn thrown(dice: Dice, points: usize) -> Self {
        Self {
            dice: Some((Rc::new(RefCell::new(dice)), points)),
            ..Self::default()
        }
    }

    /// How many points were passed, the one where it blew among them.
    pub fn passed(&self) -> u64 {
        self.passed.get()
    }

    fn point(&self) -> Result<(), Lost> {
        let here = self.passed.get();
        self.passed.set(here + 1);
        let thrown = self.dice.as_ref();
        let thrown = thrown.is_some_and(|(dice, points)| dice.borrow_mut().once_in(*points));
        if thrown || self.blows_at == Some(here) {
            Err(Lost(format!("crash at point {here}")))
        } else {
            Ok(())
        }
    }
}

impl Hook for Fuse {
    fn before(&self, _effect: Effect) -> Result<(), Lost> {
        self.point()
    }

    fn after(&self, _effect: Effect) -> Result<(), Lost> {
        self.point()
    }
}
