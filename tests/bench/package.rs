//! What the function weighs and how soon it listens: the `bootstrap` that was built with this
//! program and so with default features, and where it was built, the function's own, of the
//! `dist` profile and without them.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use flate2::Compression;
use flate2::write::DeflateEncoder;

use crate::objects::{COPY_ON_WRITE, settings_text};
use crate::report::{Report, median};
use crate::runtime_api::Function;

const STARTS: usize = 10;
const PART: &str = "package";
/// Both headers and the end of a zip of one member, its name twice.
const ZIP_FRAME: u64 = 30 + 46 + 22 + 2 * "bootstrap".len() as u64;

pub(crate) fn measure(folder: &Path, report: &mut Report) {
    let built = Path::new(env!("CARGO_BIN_EXE_bootstrap"));
    let profile =
        built.parent().and_then(Path::file_name).expect("it stands in a profile's folder");
    measure_profile(&profile.to_string_lossy(), built, folder, report);
    let dist = built.ancestors().nth(2).expect("the target folder").join("dist/bootstrap");
    if dist.exists() {
        measure_profile("dist", &dist, folder, report);
    } else {
        report.note(
            "bootstrap of the dist profile, which is the function's, is left out: not built \
             (cargo build --profile dist --bin bootstrap --no-default-features)",
        );
    }
}

fn measure_profile(profile: &str, program: &Path, folder: &Path, report: &mut Report) {
    match strip(program, &folder.join("bootstrap")) {
        Some(stripped) => {
            let bytes = fs::read(&stripped).expect("a program");
            let sizes = format!("{} zipped", megabytes(zipped(&bytes)));
            let what = format!("bootstrap stripped, {profile} profile");
            report.line(&what, &megabytes(bytes.len() as u64), "", &sizes, PART);
        }
        None => report.note("sizes are left out: there is no strip (binutils)"),
    }
    let config = folder.join("dmslake.toml");
    let text = settings_text(&folder.join("staging"), &folder.join("lake"), COPY_ON_WRITE);
    fs::write(&config, text).expect("written");
    let config = config.display().to_string();
    let polls: Vec<f64> = (0..STARTS)
        .map(|_| Function::start_program(program, &config, &[]).first_poll().as_secs_f64() * 1e3)
        .collect();
    let spread: Vec<String> = polls.iter().map(|poll| format!("{poll:.0}")).collect();
    let what = format!("process start to first poll, {profile} profile");
    let runs = format!("{} ms", spread.join(" "));
    report.line(&what, &format!("{:.1} ms", median(&polls)), "", &runs, PART);
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
