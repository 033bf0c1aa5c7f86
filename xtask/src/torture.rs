//! `cargo xtask torture`: launches of thirty steps with the real binary and real
//! processes, killed with signal 9 again and again, each started anew until it
//! is over. Then every effect must be there exactly once, or undone exactly once.
//!
//! The dice decide what is killed and when, so a seed gives the same plans; the
//! machine's own timing is not the dice's, so it does not give the same run.

mod dice;
mod field;
mod life;
mod people;
mod proof;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::args::Args;
use crate::{Answer, say, shell};
use dice::Dice;
use field::Field;
use life::{End, Moment, Victim, live};
use people::{People, WHO};

pub(crate) const HELP: &str = "\
cargo xtask torture [--kills N] [--seed N] [--release] [--record]

Launches of thirty steps on four hosts, drawn by lot, are killed with signal 9 at any moment:
the driver, the wrapper of a command, the command itself. A third of them must go back. After
each, every effect must be there exactly once, the record must verify, and nothing may be left.

--kills N   how many kills (60 unless told)
--seed N    draws the same plans and kills again
--release   kills the release binary, not the one for development
--record    also writes the summary to bench/results/torture-DATE.json
";

/// How many kills unless told: they take about half a minute.
const KILLS: usize = 60;
/// So that there are several runs, and some of them go back.
const KILLS_A_RUN: usize = 12;
/// More lives than any run needs, so that one which gets nowhere ends.
const LIVES_MOST: usize = 400;

pub(crate) fn run(mut args: Args) -> Answer {
    let number = |value: Option<String>, name: &str| match value {
        None => Ok(None),
        Some(text) => text
            .parse::<u64>()
            .map(Some)
            .map_err(|_| format!("{name} wants a number, not {text}")),
    };
    let kills = number(args.value("--kills")?, "--kills")?;
    let seed = number(args.value("--seed")?, "--seed")?;
    let (release, record) = (args.flag("--release"), args.flag("--record"));
    let (words, _) = args.rest()?;
    if let Some(word) = words.first() {
        return Err(format!("{word} means nothing here; see --help"));
    }
    let kills = kills.map_or(KILLS, |kills| usize::try_from(kills).unwrap_or(usize::MAX));
    let baton = shell::build_baton(if release { "release" } else { "dev" })?;
    let tally = torture(&baton, kills, seed.unwrap_or_else(of_the_moment))?;
    say::out(&tally.table());
    if record {
        crate::bench::keep("torture", tally.figures())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What `cargo xtask test` does: as many kills as fit into a minute, other ones each time.
pub(crate) fn stage() -> Answer<()> {
    let tally = torture(&shell::build_baton("dev")?, KILLS, of_the_moment())?;
    say::aside(&tally.table());
    Ok(())
}

fn of_the_moment() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(1, |since| since.as_secs())
}

/// Kills that often; what it says on the way is for whoever waits.
fn torture(baton: &Path, kills: usize, seed: u64) -> Answer<Tally> {
    say::aside(&format!("seed {seed}, {kills} kills\n"));
    let mut tally = Tally::default();
    while tally.kills() < kills {
        // Every run has dice of its own, so that it can be drawn again alone.
        let seed = seed.wrapping_add(tally.runs as u64);
        let folder = tempfile::Builder::new()
            .prefix("torture-")
            .tempdir()
            .map_err(|why| format!("cannot make a folder: {why}"))?;
        let place = folder.path().to_owned();
        let one = one_run(baton, &place, seed, kills, &mut tally);
        if let Err(why) = one {
            let kept = folder.keep();
            return Err(format!("{why}\n(seed {seed}, kept in {})", kept.display()));
        }
    }
    Ok(tally)
}

fn one_run(baton: &Path, folder: &Path, seed: u64, kills: usize, tally: &mut Tally) -> Answer<()> {
    let mut dice = Dice::new(seed);
    let goes_back = dice.below(3) == 0;
    let field = Field::make(baton, folder, goes_back, &mut dice)?;
    let mut people = People::new();
    let mut next = Start::Launch;
    let mut killed: Option<Instant> = None;
    let before = tally.kills();
    for _ in 0..LIVES_MOST {
        let most = kills
            .min(before + KILLS_A_RUN)
            .saturating_sub(tally.kills());
        let life = live(&field, next.words(), most, &mut dice, &mut people)?;
        if let (Some(killed), Some(first)) = (killed, life.first) {
            tally.gaps.push(first.duration_since(killed));
        }
        tally.take(&life.kills);
        match life.end {
            End::Killed(at) => {
                // Whatever was said before the kill, the ledger knows it or it was not said.
                (next, killed) = (Start::Resume, Some(at));
                continue;
            }
            End::Exited(status, said) => match (status.code(), next) {
                (Some(0 | 4), _) => {}
                // Frozen: no rehearsal has proven the way back, so a person calls it.
                (Some(5), _) => {
                    (next, killed) = (Start::RollBack, None);
                    continue;
                }
                // The kill came before the run was opened, or after it was over.
                (_, Start::Resume) if said.contains("no run is open") => {
                    let story = proof::story(&field)?;
                    if !story.opened {
                        (next, killed) = (Start::Launch, None);
                        continue;
                    }
                }
                // The kill came after the word was said.
                (_, Start::RollBack) if said.contains("going back already") => {
                    next = Start::Resume;
                    continue;
                }
                _ => return Err(format!("a driver ended with {status}:\n{said}")),
            },
        }
        let story = proof::story(&field)?;
        proof::check(&field, &story)?;
        proof::nothing_left(&field)?;
        tally.runs += 1;
        tally.back += usize::from(story.outcome.as_deref() == Some("rolled-back"));
        tally.unknown += story.unknown;
        tally.voided += story.voided;
        tally.answers += people.answers;
        say::aside(&format!(
            "  seed {seed}: {} after {} kills, {} entries\n",
            story.outcome.unwrap_or_default(),
            tally.kills() - before,
            story.entries,
        ));
        return Ok(());
    }
    Err(format!("after {LIVES_MOST} lives the run is not over"))
}

/// How a life begins.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Start {
    Launch,
    Resume,
    RollBack,
}

impl Start {
    fn words(self) -> &'static [&'static str] {
        match self {
            Self::Launch => &["launch", "--no-wait", "--as", WHO],
            Self::Resume => &["resume", "--as", WHO],
            Self::RollBack => &["rollback", "--as", WHO],
        }
    }
}

/// What was done, and what it cost.
#[derive(Debug, Default)]
struct Tally {
    runs: usize,
    /// Of these, how many went back.
    back: usize,
    victims: BTreeMap<Victim, usize>,
    moments: BTreeMap<&'static str, usize>,
    unknown: usize,
    voided: usize,
    answers: usize,
    /// From each kill to the next attempt, where nobody was asked between.
    gaps: Vec<Duration>,
}

impl Tally {
    fn kills(&self) -> usize {
        self.victims.values().sum()
    }

    fn take(&mut self, kills: &[(Moment, Victim)]) {
        for (moment, victim) in kills {
            let moment = match moment {
                Moment::StartUp(_) => "while starting up",
                Moment::Time(_) => "at any time",
                Moment::Spawned(_) => "as an attempt appeared",
                Moment::Claimed(_) => "as a wrapper claimed its place",
                Moment::Landed(_) => "as the ledger changed",
            };
            *self.moments.entry(moment).or_default() += 1;
            *self.victims.entry(*victim).or_default() += 1;
        }
    }

    fn gap(&self, part: fn(&[f64]) -> f64) -> f64 {
        let mut gaps: Vec<f64> = self
            .gaps
            .iter()
            .map(|gap| gap.as_secs_f64() * 1000.0)
            .collect();
        gaps.sort_by(f64::total_cmp);
        if gaps.is_empty() { 0.0 } else { part(&gaps) }
    }

    fn figures(&self) -> Vec<(String, f64)> {
        let count = |n: usize| f64::from(u32::try_from(n).unwrap_or(u32::MAX));
        let key = |says: &str| {
            format!("killed {says}")
                .replace([' ', ','], "_")
                .replace("__", "_")
        };
        let mut figures = vec![
            ("kills".to_owned(), count(self.kills())),
            ("runs".to_owned(), count(self.runs)),
            ("runs_that_went_back".to_owned(), count(self.back)),
            ("unknown_ends".to_owned(), count(self.unknown)),
            ("voided_attempts".to_owned(), count(self.voided)),
            ("answers".to_owned(), count(self.answers)),
            (
                "kill_to_next_attempt_median_ms".to_owned(),
                self.gap(|g| g[g.len() / 2]),
            ),
            (
                "kill_to_next_attempt_worst_ms".to_owned(),
                self.gap(|g| g[g.len() - 1]),
            ),
        ];
        let victims = self.victims.iter().map(|(v, n)| (key(v.says()), count(*n)));
        figures.extend(victims);
        figures.extend(self.moments.iter().map(|(m, n)| (key(m), count(*n))));
        figures
    }

    fn table(&self) -> String {
        let rows: Vec<Vec<String>> = self
            .figures()
            .into_iter()
            .map(|(key, value)| vec![key.replace('_', " "), format!("{value:.0}")])
            .collect();
        say::table(&rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tally_counts_what_was_hit() {
        let mut tally = Tally::default();
        assert_eq!(tally.gap(|gaps| gaps[0]), 0.0);
        tally.take(&[
            (Moment::Spawned(1), Victim::Driver),
            (Moment::Landed(2), Victim::All),
        ]);
        tally.gaps = [30, 10, 20].map(Duration::from_millis).to_vec();
        let table = tally.table();
        assert_eq!(tally.kills(), 2);
        for line in [
            "kills",
            "killed driver wrapper and command",
            "killed as the ledger changed",
        ] {
            assert!(table.contains(line), "{table}");
        }
        assert_eq!(tally.gap(|gaps| gaps[gaps.len() / 2]), 20.0);
    }

    #[test]
    fn what_is_no_number_is_refused() {
        let typed = |line: &str| run(Args::new(line.split(' ').map(str::to_owned))).unwrap_err();
        assert!(typed("--kills many").contains("number"));
        assert!(typed("now").contains("now"));
    }
}
