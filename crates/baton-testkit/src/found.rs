//! Something that does not hold, and how to see it again: a test to paste.
//!
//! What is printed is code that compiles beside the cases of the explorer, and
//! driving it again fails in the same way; the tests demand both.

use std::fmt::Write as _;

use baton_core::event::RunKind;

use crate::explore::{Case, Life, relive};
use crate::history::History;
use crate::overlap::overlaps_at;
use crate::plans::{After, Kind};
use crate::sim::Memory;

/// Something that does not hold.
#[derive(Clone, Debug)]
pub struct Found {
    /// What, in a sentence.
    pub why: String,
    /// Lives driven before it was found.
    pub lives: u64,
    /// The case in which it does not hold.
    pub case: Case,
    /// How to see it again.
    pub again: Again,
    /// All of it, as a test to paste, with the ledger.
    pub report: String,
}

/// One run that can be driven again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Again {
    /// A list of crashes, the shortest that was found.
    Lives(Vec<Life>),
    /// An old driver beside the new one.
    Beside {
        /// Before which of its effects each of them stopped, the old one first.
        stops: (u64, u64),
        /// Which way things went, where there were several.
        choices: Vec<usize>,
    },
}

impl Again {
    /// Drives it again in this case.
    ///
    /// # Errors
    /// What does not hold.
    pub fn drive(&self, case: &Case) -> Result<(), Box<Found>> {
        match self {
            Self::Lives(lives) => relive(case, lives).map(|_ledger| ()),
            Self::Beside { stops, choices } => overlaps_at(case, *stops, choices).map(|_passed| ()),
        }
    }

    /// The expression that drives it again, and fails where it fails.
    fn code(&self) -> String {
        match self {
            Self::Lives(lives) => {
                let life = |life: &Life| format!("(&{:?}, {:?})", life.choices, life.crash);
                let lives: Vec<String> = lives.iter().map(life).collect();
                format!("live(&case, &lives(&[{}]))", lives.join(", "))
            }
            Self::Beside { stops, choices } => {
                format!("overlap_at(&case, {stops:?}, &{choices:?})")
            }
        }
    }
}

impl Found {
    /// What was found in a run with this ledger.
    pub(crate) fn new(
        why: String,
        lives: u64,
        case: &Case,
        again: Again,
        ledger: &History,
    ) -> Box<Self> {
        let mut report = format!(
            "{why}\n\n#[test]\nfn what_the_explorer_found() {{\n    let case = {};\n    let _run = {};\n}}\n\n",
            code(case),
            again.code()
        );
        for entry in ledger.entries() {
            let event = serde_json::to_string(&entry.event).unwrap_or_default();
            let _written = writeln!(report, "{:>3} {}: {event}", entry.seq.0, entry.by);
        }
        Box::new(Self {
            why,
            lives,
            case: case.clone(),
            again,
            report,
        })
    }
}

/// A list of crashes, written shortly: of each life the choices and the crash.
pub fn lives(lives: &[(&[usize], Option<u64>)]) -> Vec<Life> {
    let life = |(choices, crash): &(&[usize], Option<u64>)| Life {
        choices: choices.to_vec(),
        crash: *crash,
    };
    lives.iter().map(life).collect()
}

/// A case as the expression that makes it.
fn code(case: &Case) -> String {
    let Case {
        kinds,
        what,
        memory,
        slow,
        together,
        words,
        bug,
    } = case;
    let kinds: Vec<String> = kinds.iter().copied().map(kind).collect();
    let base = format!("Case::of(&[{}])", kinds.join(", "));
    let fields = [
        (*what != RunKind::Launch).then(|| format!("what: RunKind::{what:?}")),
        (*memory != Memory::Any).then(|| format!("memory: Memory::{memory:?}")),
        slow.then(|| "slow: true".to_owned()),
        together.then(|| "together: true".to_owned()),
        (*words != 0).then(|| format!("words: {words}")),
        bug.map(|bug| format!("bug: Some(Bug::{bug:?})")),
    ];
    with("Case", fields.into_iter().flatten().collect(), &base)
}

fn kind(kind: Kind) -> String {
    let Kind {
        nature,
        conduct,
        after,
        hosts,
        staged,
        retry,
        approvals,
        preflight,
    } = kind;
    let mut base = format!("Kind::of(Nature::{nature:?}, Conduct::{conduct:?})");
    if hosts != 1 {
        let _written = write!(base, ".on({hosts})");
    }
    if after == After::Nothing {
        base.push_str(".beside()");
    }
    let these = matches!(after, After::These(_));
    let fields = [
        these.then(|| format!("after: After::{after:?}")),
        staged.then(|| "staged: true".to_owned()),
        (retry != 0).then(|| format!("retry: {retry}")),
        (approvals != 0).then(|| format!("approvals: {approvals}")),
        preflight.then(|| "preflight: true".to_owned()),
    ];
    with("Kind", fields.into_iter().flatten().collect(), &base)
}

/// What differs from `base`, if anything does.
fn with(name: &str, fields: Vec<String>, base: &str) -> String {
    if fields.is_empty() {
        base.to_owned()
    } else {
        format!("{name} {{ {}, ..{base} }}", fields.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bugs::Bug;
    use crate::plans::{Conduct, Nature};

    /// An expression, and its own text.
    macro_rules! written {
        ($code:expr) => {
            ($code, stringify!($code))
        };
    }

    /// The text without what `rustfmt` may change.
    fn bare(text: &str) -> String {
        let bare: String = text.split_whitespace().collect();
        bare.replace(",]", "]").replace(",}", "}")
    }

    #[test]
    fn a_case_is_printed_as_the_code_that_makes_it() {
        let (plain, text) = written!(Case::of(&[Kind::of(Nature::Neither, Conduct::Works)]));
        assert_eq!(bare(&code(&plain)), bare(text));
        let (full, text) = written!(Case {
            what: RunKind::Rehearsal,
            memory: Memory::ForgetsDone,
            slow: true,
            together: true,
            words: 2,
            bug: Some(Bug::RepeatsAll),
            ..Case::of(&[
                Kind::of(Nature::ByPerson, Conduct::NoReturn).on(2).beside(),
                Kind {
                    after: After::These(1),
                    staged: true,
                    retry: 1,
                    approvals: 2,
                    preflight: true,
                    ..Kind::of(Nature::Both, Conduct::AlwaysRefuses).on(3)
                },
            ])
        });
        assert_eq!(bare(&code(&full)), bare(text));
    }

    #[test]
    fn a_list_of_crashes_is_printed_as_the_code_that_makes_it() {
        let (list, text) = written!(lives(&[(&[], Some(11)), (&[2, 0], None)]));
        let code = Again::Lives(list).code();
        assert_eq!(bare(&code), format!("live(&case,&{})", bare(text)));
    }
}
