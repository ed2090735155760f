//! The `dmslake` binary.

fn main() {}
