//! `baton attempt FOLDER` without the rest of Baton, for tests.

use std::path::Path;

fn main() -> std::io::Result<()> {
    let folder = std::env::args_os().nth(2).unwrap_or_default();
    baton_engine::shell::attempt::run(Path::new(&folder))
}
