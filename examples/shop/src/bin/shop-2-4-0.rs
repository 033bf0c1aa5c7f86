//! Shop 2.4.0, the version the demo rolls out.

use std::process::ExitCode;

fn main() -> ExitCode {
    shop::main(&shop::V2_4_0)
}
