//! `cargo xtask sim`: the long form of the crash tests.

use std::process::ExitCode;

use crate::args::Args;
use crate::{Answer, shell};

pub(crate) const HELP: &str = "\
cargo xtask sim [--seeds N] [--seed S] [--minutes M] [--no-sweep]

Every plan of up to four steps with up to two crashes, and then N random larger plans with
random crashes, hosts, orders and words of people, on all cores; in a profile of its own.

--seeds N     how many random plans (10000)
--seed S      the seed of the first (0); the same seed is the same run, byte for byte
--minutes M   stop after so long, and say what was covered (10)
--no-sweep    only the random plans

A failure prints the plan, the points and the ledger, as a test to paste.
";

pub(crate) fn run(mut args: Args) -> Answer {
    let mut command =
        shell::cargo("run --quiet --profile sim --package baton-testkit --bin sim --");
    for name in ["--seeds", "--seed", "--minutes"] {
        if let Some(value) = args.value(name)? {
            let _number: u64 = value
                .parse()
                .map_err(|_not_a_number| format!("{name} wants a number, not {value}"))?;
            command.args([name, &value]);
        }
    }
    if args.flag("--no-sweep") {
        command.arg("--no-sweep");
    }
    let (words, _) = args.rest()?;
    if let Some(word) = words.first() {
        return Err(format!("{word} means nothing here; see --help"));
    }
    shell::must(&mut command).map(|()| ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_number_is_refused() {
        let asked = |line: &str| run(Args::new(line.split(' ').map(str::to_owned))).unwrap_err();
        assert!(asked("--seeds many").contains("--seeds wants a number"));
        assert!(asked("--minutes").contains("--minutes wants a value"));
        assert!(asked("seeds").contains("means nothing"));
    }
}
