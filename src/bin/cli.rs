//! The `dmslake` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    dmslake::memory::return_freed_memory();
    dmslake::panics::log_places();
    dmslake::cli::main()
}
