//! An exported record: any bytes are verified or refused, and what is verified
//! has no second reading.
#![no_main]

use baton_core::ledger::chain::verify_record;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let lines = || bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let Ok(walker) = verify_record(lines()) else {
        return;
    };
    // A record that verifies cannot be cut or doubled without being found out.
    assert_eq!(walker.count() + 1, lines().count() as u64);
    let mut cut: Vec<&[u8]> = lines().collect();
    cut.pop();
    assert!(verify_record(cut.iter().copied()).is_err());
    assert!(verify_record(lines().chain(lines())).is_err());
});
