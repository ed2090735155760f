//! The command line as users see it: the real binary, its streams and its exit codes.

mod absent;
mod catalog_names;
mod demo;
mod discover;
mod forget;
mod init;
mod init_mysql;
mod init_rules;
mod init_shown;
mod init_task;
mod job_runs;
mod late;
mod looking;
mod many_tables;
mod mcp;
mod names;
mod pause;
mod plan;
mod quarantine;
mod replay;
mod report;
mod reports;
mod restore;
mod shadow;
mod usage;
mod verify;

use std::path::Path;
use std::process::{Command, Output};

/// The binary in a folder, without this process's settings for logging.
fn dmslake(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dmslake"));
    command.args(arguments).current_dir(folder).env_remove("RUST_LOG").env_remove("MYSQL_PWD");
    command
}

/// The output of a finished run.
#[derive(Debug)]
struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

fn run(folder: &Path, arguments: &[&str]) -> Said {
    said(dmslake(folder, arguments).output().expect("the binary starts"))
}

fn said(output: Output) -> Said {
    Said {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).expect("UTF-8"),
        err: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

fn write(path: &Path, content: impl AsRef<[u8]>) {
    std::fs::create_dir_all(path.parent().expect("in a folder")).expect("writable");
    std::fs::write(path, content).expect("writable");
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).expect("readable")
}
