//! Shop 2.3.9, the version the demo starts from.

use std::process::ExitCode;

fn main() -> ExitCode {
    shop::main(&shop::V2_3_9)
}
