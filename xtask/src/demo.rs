//! `cargo xtask demo`.

use crate::args::Args;
use crate::{Answer, shell};

pub(crate) const HELP: &str = "\
cargo xtask demo [ARGS]     builds baton and the shop, runs `baton demo ARGS`
cargo xtask demo -- --help  shows the help of `baton demo` itself

The exit status is that of the demo.
";

pub(crate) fn run(args: Args) -> Answer {
    let baton = shell::build_baton("dev")?;
    let mut demo = shell::program(&baton.to_string_lossy());
    let status = shell::status(demo.arg("demo").args(args.all()))?;
    Ok(shell::passed_on(status))
}
