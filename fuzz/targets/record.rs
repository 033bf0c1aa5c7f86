//! An exported record: any bytes are verified or refused, and what is verified
//! has no second reading.
#![no_main]

use baton_core::ledger::chain::{Broken, Checker, Walker};
use libfuzzer_sys::fuzz_target;

fn verify<'a>(lines: impl IntoIterator<Item = &'a [u8]>) -> Result<Walker, Broken> {
    let mut checker = Checker::default();
    for line in lines {
        checker.line(line)?;
    }
    checker.finish()
}

fuzz_target!(|bytes: &[u8]| {
    let lines = || bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let Ok(walker) = verify(lines()) else {
        return;
    };
    // A record that verifies cannot be cut or doubled without being found out.
    assert_eq!(walker.count() + 1, lines().count() as u64);
    let mut cut: Vec<&[u8]> = lines().collect();
    cut.pop();
    assert!(verify(cut.iter().copied()).is_err());
    assert!(verify(lines().chain(lines())).is_err());
});
