//! The build script: tells `src/version.rs` the commit, the profile, the target and the compiler.
//!
//! It never fails a build: what cannot be told is `unknown`.

use std::env;
use std::path::Path;
use std::process::Command;

/// What decides the program; a commit that differs elsewhere is not dirty.
const SOURCES: [&str; 3] = ["src", "Cargo.toml", "Cargo.lock"];

fn main() {
    // A change of the sources builds the crate anyway, and may make the commit dirty.
    for path in SOURCES {
        rerun_if_changed(Path::new(path));
    }
    // Below the checkout of something else, such as a vendored crate, the commit is not ours.
    let is_checkout = Path::new(".git").exists();
    let commit = if is_checkout { commit() } else { None };
    let compiler = env::var("RUSTC").ok();
    let compiler = compiler.and_then(|rustc| said(Command::new(rustc).arg("--version")));
    set("DMSLAKE_COMMIT", commit.as_deref());
    set("DMSLAKE_PROFILE", profile().as_deref());
    set("DMSLAKE_TARGET", env::var("TARGET").ok().as_deref());
    set("DMSLAKE_RUSTC", compiler.as_deref());
}

fn set(name: &str, value: Option<&str>) {
    println!("cargo:rustc-env={name}={}", value.unwrap_or("unknown"));
}

fn rerun_if_changed(path: &Path) {
    // A path that is missing would have the script run, and the crate built, each time.
    if path.exists() {
        println!("cargo:rerun-if-changed={}", path.display());
    }
}

/// The commit that is checked out, and whether the sources differ from it.
fn commit() -> Option<String> {
    // In a worktree HEAD lies elsewhere than the branches. The log of HEAD grows by each commit,
    // also by the first one of a branch that so far was a line of `packed-refs`. The index is not
    // watched: whoever asks for the status may write it.
    let branch = git(&["symbolic-ref", "--quiet", "HEAD"]);
    let watched = ["HEAD", "logs/HEAD", "packed-refs"].into_iter().chain(branch.as_deref());
    for name in watched {
        if let Some(path) = git(&["rev-parse", "--git-path", name]) {
            rerun_if_changed(Path::new(&path));
        }
    }
    let commit = git(&["rev-parse", "--short=12", "HEAD"])?;
    let mut status = vec!["status", "--porcelain", "--"];
    status.extend(SOURCES);
    let is_dirty = !git(&status)?.is_empty();
    Some(if is_dirty { format!("{commit}-dirty") } else { commit })
}

fn git(arguments: &[&str]) -> Option<String> {
    let mut command = Command::new("git");
    // A hook of git sets these for the repository that it runs in.
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"] {
        command.env_remove(name);
    }
    said(command.arg("--no-optional-locks").args(arguments))
}

/// What a command printed, if it succeeded.
fn said(command: &mut Command) -> Option<String> {
    let output = command.output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

/// The profile as its folder is called: cargo itself tells only whether it inherits `release`.
fn profile() -> Option<String> {
    // <target>/[<triple>/]<profile>/build/<package>/out
    let out = env::var("OUT_DIR").ok()?;
    let build = Path::new(&out).ancestors().nth(2)?;
    let folder = build.parent()?.file_name()?.to_str()?;
    let is_known = build.file_name().is_some_and(|name| name == "build");
    if is_known { Some(folder.to_owned()) } else { env::var("PROFILE").ok() }
}
