//! Tasks as processes, and the program that schedules them at the other end of standard input and
//! output.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

const CONFIGURATION: &str = r#"
staging = "staging"
lake = "lake"

[[table]]
source = "shop.t"
keys = ["id"]
merge = "deletion-vectors"
columns = [{ name = "id", type = "int" }, { name = "v", type = "text" }]
"#;

fn dmslake(home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dmslake"));
    command.args(arguments).current_dir(home).env_remove("RUST_LOG");
    command
}

fn task(line: &str, folder: &Path) -> Output {
    let mut task = dmslake(folder, &["job", "task"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    task.stdin.take().unwrap().write_all(line.as_bytes()).unwrap();
    task.wait_with_output().unwrap()
}

/// One that is killed while it works, or before.
fn killed(line: &str, folder: &Path) {
    let mut task = dmslake(folder, &["job", "task"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let _ = task.stdin.take().unwrap().write_all(line.as_bytes());
    task.kill().unwrap();
    task.wait().unwrap();
}

fn home() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    let staging = home.path().join("staging/shop/t");
    fs::create_dir_all(&staging).unwrap();
    fs::write(home.path().join("dmslake.toml"), CONFIGURATION).unwrap();
    let rows = |ids: std::ops::Range<u32>| {
        ids.map(|id| format!("{id},n{id}\n")).collect::<Vec<_>>().concat()
    };
    fs::write(staging.join("LOAD00000001.csv"), rows(0..50)).unwrap();
    fs::write(staging.join("LOAD00000002.csv"), rows(50..90)).unwrap();
    fs::write(staging.join("20240101-000000001.csv"), "U,7,seven\nD,8,x\nI,100,new\n").unwrap();
    fs::write(staging.join("20240101-000000002.csv"), "U,7,7\nI,8,again\nD,60,x\n").unwrap();
    home
}

/// What a drive says until it ends, with an engine that answers each stage.
fn drive(
    home: &Path,
    mut answer: impl FnMut(&str, Vec<String>) -> Option<Value>,
) -> (i32, Vec<Value>) {
    let sizes = ["--least-bytes", "0", "--chunk-bytes", "100", "--range-rows", "20"];
    let arguments = [&["job", "drive", "--slots", "2"][..], &sizes].concat();
    let mut drive = dmslake(home, &arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut input = drive.stdin.take();
    let mut reports = Vec::new();
    for line in BufReader::new(drive.stdout.take().unwrap()).lines() {
        let said: Value = serde_json::from_str(&line.unwrap()).unwrap();
        if let Some(report) = said.get("report") {
            reports.push(report.clone());
            continue;
        }
        if let Some(maintenance) = said.get("maintenance") {
            assert_eq!(maintenance["status"], "ok", "{said}");
            continue;
        }
        let tasks = said["tasks"].as_array().unwrap().iter();
        let tasks = tasks.map(|task| task.as_str().unwrap().to_owned()).collect();
        match answer(said["stage"].as_str().unwrap(), tasks) {
            Some(said) => writeln!(input.as_mut().unwrap(), "{said}").unwrap(),
            None => input = None,
        }
    }
    (drive.wait().unwrap().code().unwrap(), reports)
}

fn rows(home: &Path) -> Vec<String> {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let lake = crate::support::world::on_disk(&home.join("lake")).await;
        crate::support::table::LakeTable::at(&lake, &["shop", "t"]).pairs("id", "v").await
    })
}

#[test]
fn processes_do_the_tasks_and_some_are_killed() {
    let home = home();
    let elsewhere = tempfile::tempdir().unwrap();
    let mut stages = Vec::new();
    let (code, reports) = drive(home.path(), |stage, tasks| {
        stages.push(stage.to_owned());
        let done = tasks.iter().map(|line| {
            killed(line, elsewhere.path());
            let done = task(line, elsewhere.path());
            assert_eq!(done.status.code(), Some(0), "{done:?}");
            String::from_utf8(done.stdout).unwrap().trim_end().to_owned()
        });
        Some(json!({ "results": done.collect::<Vec<String>>() }))
    });
    assert_eq!(stages, ["load", "net", "reduce", "files", "insert"]);
    assert_eq!((code, reports.len()), (0, 1));
    assert_eq!((&reports[0]["status"], &reports[0]["objects"]), (&json!("ok"), &json!(4)));
    let by_hand = rows(home.path());
    fs::remove_dir_all(home.path().join("lake")).unwrap();
    let applied = dmslake(home.path(), &["apply"]).output().unwrap();
    assert_eq!(applied.status.code(), Some(0), "{applied:?}");
    assert_eq!(by_hand, rows(home.path()));
    assert_eq!(by_hand.len(), 90);
}

#[test]
fn an_engine_that_goes_away_ends_the_drive_and_another_goes_on() {
    let home = home();
    let elsewhere = tempfile::tempdir().unwrap();
    let do_all = |tasks: Vec<String>| {
        let done = tasks.iter().map(|line| task(line, elsewhere.path()).stdout);
        let done = done.map(|line| String::from_utf8(line).unwrap().trim_end().to_owned());
        Some(json!({ "results": done.collect::<Vec<String>>() }))
    };
    let mut stages = 0;
    let (code, reports) = drive(home.path(), |_, tasks| {
        stages += 1;
        // An executor's last attempt has failed; then the engine is gone.
        match stages {
            1 => Some(json!({ "failed": "lost 4 times" })),
            2 | 3 => do_all(tasks),
            _ => None,
        }
    });
    assert_eq!((code, &reports[0]["status"]), (1, &json!("failed")), "{reports:?}");
    let error = reports[0]["error"].as_str().unwrap();
    assert!(error.contains("the engine that does the tasks of the job is gone"), "{error}");
    let (code, reports) = drive(home.path(), |_, tasks| do_all(tasks));
    assert_eq!((code, &reports[0]["objects"]), (0, &json!(2)), "{reports:?}");
    assert_eq!(rows(home.path()).len(), 90);
}

#[test]
fn a_task_of_another_program_is_refused_for_good() {
    let folder = tempfile::tempdir().unwrap();
    for line in ["{\"format\":0}", "nonsense"] {
        let refused = task(line, folder.path());
        assert_eq!(refused.status.code(), Some(3), "{refused:?}");
        let told = String::from_utf8(refused.stdout).unwrap();
        assert!(told.contains("with the same dmslake"), "{told}");
    }
    let nothing = task("", folder.path());
    assert_eq!(nothing.status.code(), Some(2), "{nothing:?}");
    let told = String::from_utf8(nothing.stderr).unwrap();
    assert!(told.contains("a line that dmslake job drive has written"), "{told}");
}
