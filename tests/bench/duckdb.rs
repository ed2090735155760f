//! DuckDB as the reference, through its Python package.

use std::path::Path;
use std::process::Command;

use crate::child::{self, Run};
use crate::objects::Format;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/bench/duckdb_reference.py");

/// Its version; none if it is not installed.
pub(crate) fn version() -> Option<String> {
    let output = Command::new("python3")
        .args(["-c", "import duckdb; print(duckdb.__version__)"])
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}

/// Reads and reduces the objects of a staging folder.
pub(crate) fn run(staging: &Path, format: Format) -> Run {
    let mut command = Command::new("python3");
    command.arg(SCRIPT).arg(staging.join("shop/orders")).arg(format.suffix());
    child::read(command)
}
