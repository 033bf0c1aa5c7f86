//! Lock files: any text gives packages or the line at which it is none, and the
//! same whatever name of such a file it goes by.
#![no_main]

use baton_core::parity::doc::{Format, PATHS_MAX, paths};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    for name in ["yarn.lock", "Gemfile.lock", "go.sum", "go.mod"] {
        let format = Format::of(name).expect("a lock file is read");
        match paths(format, text) {
            Ok(found) => assert!(found.len() <= PATHS_MAX),
            Err(why) => assert!(why.len() < 200),
        }
    }
});
