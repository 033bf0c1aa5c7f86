//! What `cargo xtask bench parity` measures: the comparison of fingerprints
//! that are read as they are needed, and how well noise is told from change and
//! the grave from the slight on public data.
//!
//! It prints one `KEY VALUE` a line. It reads what `baton-core` must not read
//! itself, files and the clock, and is part of no release.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a benchmark does I/O"
)]
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark ends at the first trouble"
)]

mod large;
mod made;
mod noise;
mod rank;

use std::path::Path;

/// The environments that are compared; the release is to go to the last.
const ENVS: [&str; 3] = ["dev", "staging", "production"];

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["make", count, folder] => made::make(count.parse().unwrap(), Path::new(folder)),
        ["stream", folder] => large::stream(Path::new(folder), false),
        ["blocks", folder] => large::stream(Path::new(folder), true),
        ["memory", folder] => large::memory(Path::new(folder)),
        ["bytes", folder] => large::bytes(Path::new(folder)),
        ["noise", folder, half] => noise::measure(Path::new(folder), half),
        ["rank", folder, half] => rank::measure(Path::new(folder), half),
        _ => panic!("make N DIR | stream, blocks, memory, bytes DIR | noise, rank DIR HALF"),
    }
}
