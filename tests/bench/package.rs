//! What the function weighs, how soon it listens and how fast it merges: the `bootstrap` that was
//! built with this program and so with default features, and where it was built, the function's
//! own, of the `dist` profile and without them.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use dmslake::clock::{Clock, SystemClock};
use flate2::Compression;
use flate2::write::DeflateEncoder;
use serde_json::json;

use crate::folders::{copy, remove};
use crate::objects::{COPY_ON_WRITE, DELETION_VECTORS, Format, Staging, settings_text};
use crate::report::{Aim, Report, Wanted, count, median};
use crate::runtime_api::{Function, Outcome};
use crate::tables::load_into;

const STARTS: usize = 10;
const INVOCATIONS: usize = 5;
const PATIENCE: Duration = Duration::from_mins(15);
const PART: &str = "package";
/// Both headers and the end of a zip of one member, its name twice.
const ZIP_FRAME: u64 = 30 + 46 + 22 + 2 * "bootstrap".len() as u64;

/// A build of the function.
struct Build {
    profile: String,
    program: PathBuf,
}

pub(crate) fn measure(folder: &Path, report: &mut Report) {
    let built = Path::new(env!("CARGO_BIN_EXE_bootstrap"));
    let profile = built.parent().and_then(Path::file_name).expect("a profile's folder");
    let profile = profile.to_string_lossy().into_owned();
    let mut builds = vec![Build { profile, program: built.to_owned() }];
    let dist = built.ancestors().nth(2).expect("the target folder").join("dist/bootstrap");
    if dist.exists() {
        builds.push(Build { profile: "dist".to_owned(), program: dist });
    } else {
        report.note(
            "bootstrap of the dist profile, which is the function's, is left out: not built \
             (cargo build --profile dist --bin bootstrap --no-default-features)",
        );
    }
    for build in &builds {
        measure_size(build, folder, report);
        measure_start(build, folder, report);
    }
    let staging = Staging::write(folder);
    for merge in [COPY_ON_WRITE, DELETION_VECTORS] {
        measure_speed(&builds, &staging, merge, folder, report);
    }
}

fn measure_size(build: &Build, folder: &Path, report: &mut Report) {
    let Some(stripped) = strip(&build.program, &folder.join("bootstrap")) else {
        return report.note("sizes are left out: there is no strip (binutils)");
    };
    let bytes = fs::read(&stripped).expect("a program");
    let zipped = zipped(&bytes);
    let what = format!("bootstrap stripped, {} profile", build.profile);
    let sizes = format!("{} zipped", megabytes(zipped));
    report.line(&what, &megabytes(bytes.len() as u64), "", &sizes, PART);
    if build.profile == "dist" {
        report.aim(&Aim {
            what: "bootstrap zipped, MB".to_owned(),
            wanted: Wanted::AtMost(20.0),
            found: zipped as f64 / 1e6,
        });
    }
}

fn measure_start(build: &Build, folder: &Path, report: &mut Report) {
    let text = settings_text(&folder.join("staging"), &folder.join("lake"), COPY_ON_WRITE);
    let polls: Vec<f64> =
        (0..STARTS).map(|_| start(build, folder, &text).first_poll().as_secs_f64() * 1e3).collect();
    let spread: Vec<String> = polls.iter().map(|poll| format!("{poll:.0}")).collect();
    let what = format!("process start to first poll, {} profile", build.profile);
    let runs = format!("{} ms", spread.join(" "));
    report.line(&what, &format!("{:.1} ms", median(&polls)), "", &runs, PART);
}

/// One invocation of a process just started that applies the backlog; the builds take turns.
fn measure_speed(
    builds: &[Build],
    staging: &Staging,
    merge: &str,
    folder: &Path,
    report: &mut Report,
) {
    let (base, lake) = (staging.lake("base"), staging.lake("function"));
    load_into(staging, &base);
    let text = settings_text(&staging.backlog(Format::Parquet), &lake, merge);
    let mut seconds: Vec<Vec<f64>> = vec![Vec::new(); builds.len()];
    for _ in 0..INVOCATIONS {
        for (build, seconds) in builds.iter().zip(&mut seconds) {
            remove(&lake);
            copy(&base, &lake);
            let mut function = start(build, folder, &text);
            let begun = SystemClock.instant();
            let outcome = function.invoke(&json!({ "tables": ["shop.orders"] }), PATIENCE);
            seconds.push(begun.elapsed().as_secs_f64());
            let Outcome::Response(answer) = outcome else { panic!("{outcome:?}") };
            assert_eq!(answer["tables"][0]["rows"], staging.rows, "{answer}");
        }
    }
    for (build, seconds) in builds.iter().zip(&seconds) {
        let spread: Vec<String> = seconds.iter().map(|each| format!("{each:.2}")).collect();
        let what = format!(
            "one invocation that applies {} changes by {merge}, {} profile",
            count(staging.rows),
            build.profile
        );
        let runs = format!("{} s", spread.join(" "));
        report.line(&what, &format!("{:.2} s", median(seconds)), "", &runs, PART);
    }
    if let [release, dist] = &seconds[..] {
        report.aim(&Aim {
            what: format!("{merge}: time of the dist profile's, of the release profile's"),
            wanted: Wanted::AtMost(1.0),
            found: median(dist) / median(release),
        });
    }
}

fn start(build: &Build, folder: &Path, settings: &str) -> Function {
    let config = folder.join("dmslake.toml");
    fs::write(&config, settings).expect("written");
    Function::start_program(&build.program, &config.display().to_string(), &[])
}

/// A copy without symbols.
fn strip(program: &Path, to: &Path) -> Option<PathBuf> {
    let status = Command::new("strip").arg("-o").arg(to).arg(program).status().ok()?;
    status.success().then(|| to.to_owned())
}

/// Bytes of a zip with this program alone, packed as `zip -9` does.
fn zipped(program: &[u8]) -> u64 {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(program).expect("memory takes everything");
    encoder.finish().expect("memory takes everything").len() as u64 + ZIP_FRAME
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}
