//! How soon a launch goes on whose driver was killed with signal 9.
//!
//! Two hundred steps of 20 ms, each writing its name when it begins. The driver
//! is killed while a step sleeps, its command lives on, and the next driver is
//! started at once: it has to find that command, collect its end, and start the
//! next. The time runs from the kill to what that next one writes.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use super::field::{Field, Shape};
use crate::Answer;

const STEPS: usize = 200;
/// After so many steps the driver is killed: five times around the middle. The
/// part of the step's 20 ms that has passed by then differs.
const KILLS: [(usize, u64); 5] = [(90, 0), (95, 4), (100, 8), (105, 12), (110, 16)];
const LOOK: Duration = Duration::from_micros(100);
const TOO_LONG: Duration = Duration::from_secs(60);

/// Milliseconds from each kill to the next step.
pub(super) fn gaps(baton: &Path, folder: &Path, events: usize) -> Answer<Vec<f64>> {
    let body = "echo $BATON_STEP >>effects\nsleep 0.02";
    let field = Field::ready(baton, folder, Shape::After(STEPS), body, events)?;
    let mut driver = field.launch()?;
    let mut gaps = Vec::with_capacity(KILLS.len());
    for (steps, pause) in KILLS {
        until(&field, steps)?;
        std::thread::sleep(Duration::from_millis(pause));
        let seen = field.effects().len();
        let killed = Instant::now();
        // Dropping kills it and sees it gone.
        drop(driver);
        driver = field.resume()?;
        until(&field, seen + 1)?;
        gaps.push(killed.elapsed().as_secs_f64() * 1000.0);
    }
    field.until_over(&mut driver)?;
    let effects = field.effects();
    let different: BTreeSet<&String> = effects.iter().collect();
    if effects.len() != STEPS || different.len() != STEPS {
        let (lines, steps) = (effects.len(), different.len());
        return Err(format!(
            "{STEPS} steps wrote {lines} lines, {steps} different ones"
        ));
    }
    Ok(gaps)
}

fn until(field: &Field, lines: usize) -> Answer<()> {
    let begun = Instant::now();
    while field.effects().len() < lines {
        if begun.elapsed() > TOO_LONG {
            return Err(format!("step {lines} does not come"));
        }
        std::thread::sleep(LOOK);
    }
    Ok(())
}
