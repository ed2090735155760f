//! The `dmslake` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    dmslake::memory::return_large_blocks();
    dmslake::cli::main()
}
