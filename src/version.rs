//! What this build is: its version, and the commit and the compiler that it was made with.

/// How this program names itself to others, such as in the `engineInfo` of its Delta commits.
pub const ENGINE: &str = concat!("dmslake/", env!("CARGO_PKG_VERSION"));

/// The version alone: what `dmslake -V` prints behind the program's name.
pub const SHORT: &str = env!("CARGO_PKG_VERSION");

/// The version and, one a line, the commit, the profile, the target and the compiler: what
/// `dmslake --version` prints behind the program's name.
///
/// The commit ends in `-dirty` where the sources were not those of the commit, and is `unknown`
/// where they were built outside a checkout. The time of the build is no part of it: one commit
/// gives one text.
pub const LONG: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    "\ncommit: ",
    env!("DMSLAKE_COMMIT"),
    "\nprofile: ",
    env!("DMSLAKE_PROFILE"),
    "\ntarget: ",
    env!("DMSLAKE_TARGET"),
    "\ncompiler: ",
    env!("DMSLAKE_RUSTC"),
);
