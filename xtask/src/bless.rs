//! `cargo xtask bless`: the tests run once more, and what they see becomes what
//! they expect. The changes are then read like any other.

use crate::args::Args;
use crate::{Answer, needs, say, shell, test, web};

pub(crate) const HELP: &str = "\
cargo xtask bless [FILTER]...   accepts changed snapshots, of tests whose name holds a FILTER

Look at the changes before you commit them: git diff
";

pub(crate) fn run(args: Args) -> Answer {
    let (filters, _) = args.rest()?;
    shell::build_baton("dev")?;
    let mut tests = test::runner(needs::has_nextest(), "--workspace", &[]);
    tests.arg("--").args(&filters).env("UPDATE_EXPECT", "1");
    let status = shell::status(&mut tests)?;
    if needs::has_node() {
        web::bless()?;
    }
    let changed = shell::output(shell::program("git").args(["diff", "--stat"]))?;
    say::out(if changed.is_empty() {
        "nothing changed"
    } else {
        &changed
    });
    say::out("\n");
    Ok(shell::passed_on(status))
}
