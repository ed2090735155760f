//! The `dmslake` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    dmslake::cli::main()
}
