//! Larger plans, thrown by dice: steps, hosts, order, crashes, and what people
//! say. One seed is one run, the same on every machine.

use baton_core::event::RunKind;

use crate::choice::{Choices, Dice};
use crate::explore::{Case, LOST_NOTHING, Life, Stage, drive};
use crate::fault::Fuse;
use crate::found::{Again, Found};
use crate::plans::{After, Conduct, Kind, Nature};
use crate::sim::Memory;

/// The most steps of a thrown plan.
const STEPS_MOST: usize = 12;
/// The most crashes of one run; after them nothing fails any more.
const CRASHES_MOST: usize = 8;
/// The most words of people that nobody asked for.
const WORDS_MOST: usize = 4;

/// What grew from a seed.
#[derive(Clone, Debug)]
pub struct Grown {
    /// The case.
    pub case: Case,
    /// Its crashes and choices.
    pub lives: Vec<Life>,
    /// The bytes of the ledger, entry by entry.
    pub ledger: Vec<Vec<u8>>,
    /// How it ended.
    pub way: String,
}

/// Drives the run of a seed to its end and checks everything.
///
/// # Errors
/// [`Found`] when something does not hold.
pub fn grow(seed: u64) -> Result<Grown, Box<Found>> {
    let mut dice = Dice::new(seed);
    let case = throw_case(&mut dice);
    let crashes = dice.below(CRASHES_MOST + 1);
    let often = dice.one(&[12, 40, 120]);
    let stage = Stage::new(&case);
    let mut lives = Vec::new();
    for life in 0..=crashes {
        let fuse = if life < crashes {
            Fuse::thrown(Dice::new(dice.bits()), often)
        } else {
            Fuse::default()
        };
        stage.site.lock().choices = Choices::thrown(Dice::new(dice.bits()));
        let ended = stage.end_of(drive(&stage.site, &fuse, &stage.run));
        let choices = stage.site.lock().choices.taken();
        let crash = matches!(ended, Ok(None)).then(|| fuse.passed() - 1);
        lives.push(Life { choices, crash });
        match ended {
            Ok(Some(way)) => {
                let ledger = stage.ledger();
                return Ok(Grown {
                    case,
                    lives,
                    ledger,
                    way,
                });
            }
            Ok(None) => stage.site.lock().crash(),
            Err(why) => return Err(found(&stage, seed, why, lives)),
        }
    }
    Err(found(&stage, seed, LOST_NOTHING.to_owned(), lives))
}

fn found(stage: &Stage<'_>, seed: u64, why: String, lives: Vec<Life>) -> Box<Found> {
    let mut found = stage.found(why, lives.len() as u64, Again::Lives(lives));
    found.report.insert_str(0, &format!("seed {seed}: "));
    found
}

fn throw_case(dice: &mut Dice) -> Case {
    let steps = 1 + dice.below(STEPS_MOST);
    Case {
        kinds: (0..steps).map(|i| throw_kind(dice, i)).collect(),
        what: dice.one(&[RunKind::Launch, RunKind::Launch, RunKind::Rehearsal]),
        memory: Memory::Any,
        slow: dice.once_in(4),
        together: dice.once_in(2),
        words: u8::try_from(dice.below(WORDS_MOST + 1)).unwrap_or(0),
        bug: None,
    }
}

fn throw_kind(dice: &mut Dice, i: usize) -> Kind {
    let nature = dice.one(&[
        Nature::Repeatable,
        Nature::Both,
        Nature::Provable,
        Nature::Provable,
        Nature::Neither,
        Nature::Neither,
        Nature::ByPerson,
    ]);
    let conduct = match nature {
        _ if !dice.once_in(4) => Conduct::Works,
        Nature::ByPerson => dice.one(&[Conduct::Works, Conduct::NoReturn]),
        _ => dice.one(&[
            Conduct::Fails,
            Conduct::FailsOnce,
            Conduct::FailsOnce,
            Conduct::FailsOnLast,
            Conduct::UndoFails,
            Conduct::NoReturn,
            Conduct::AlwaysPasses,
            Conduct::AlwaysRefuses,
        ]),
    };
    let conduct = if conduct.lies() && !nature.provable() {
        Conduct::Works
    } else {
        conduct
    };
    let some = u16::try_from(dice.below(1 << i.min(15))).unwrap_or(0);
    let small = |dice: &mut Dice, most: usize| u8::try_from(dice.below(most + 1)).unwrap_or(0);
    Kind {
        nature,
        conduct,
        after: dice.one(&[
            After::Before,
            After::Before,
            After::Before,
            After::These(some),
            After::Nothing,
        ]),
        hosts: 1 + small(dice, 2),
        staged: dice.once_in(2),
        retry: if dice.once_in(3) { small(dice, 2) } else { 0 },
        approvals: if dice.once_in(6) { small(dice, 2) } else { 0 },
        preflight: dice.once_in(6),
    }
}
