//! `baton attempt FOLDER SPEC` without the rest of Baton, for tests.

use std::path::Path;

fn main() -> std::io::Result<()> {
    let words: Vec<String> = std::env::args().collect();
    baton_engine::shell::attempt::run(Path::new(&words[2]), &words[3])
}
