//! `dmslake doctor`: whether it can work.

mod report;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::args::DoctorArguments;
use super::chosen::{Chosen, Places};
use super::exit::Exit;
use super::output::{Results, Screen};
use super::progress_bar::TablesProgress;
use super::signals::requested;
use crate::error::{ErrorKind, Result};
use crate::inspect::doctor::{Asked, Progress, Severity, checkup, probe_folder, refused_places};
use crate::pipeline::Stop;

/// Checks everything and tells what it found, the worst first.
///
/// # Errors
/// `Config` for a configuration or a table name that cannot be used, `Unavailable` if the result
/// cannot be written. Places that cannot be used are findings.
pub(super) async fn run(arguments: &DoctorArguments, screen: &Screen) -> Result<Exit> {
    let results = Results::new(screen, arguments.json);
    let findings = match Chosen::open(&arguments.chosen(), Places::Untried, screen).await {
        Ok(chosen) => {
            let asked = asked(arguments, &chosen, screen);
            let progress = TablesProgress::begin(screen, chosen.len());
            let stopped = stopped(&chosen.limits.stop, &asked.is_probing);
            let looked = checkup(&chosen.pipeline, chosen.tables(), &asked, &progress);
            tokio::select! {
                findings = Box::pin(looked) => findings,
                () = stopped => {
                    screen.note("stopped: nothing is told of what was not looked at");
                    return Ok(Exit::Attention);
                }
            }
        }
        Err(error) if error.kind() == ErrorKind::StoreRefused => refused_places(&error),
        Err(error) => return Err(error),
    };
    for finding in &findings {
        results.print(finding, |_, _| Vec::new())?;
    }
    let width = screen.width();
    results.print_for_people(|palette| report::lines(&findings, arguments.all, width, palette))?;
    let is_ill = findings.iter().any(|finding| finding.severity == Severity::Problem);
    Ok(if is_ill { Exit::Attention } else { Exit::Done })
}

fn asked(arguments: &DoctorArguments, chosen: &Chosen<'_>, screen: &Screen) -> Asked {
    let folder = probe_folder(&chosen.pipeline);
    let plan = format_args!("write one object below {folder} and delete it?");
    Asked {
        readers: arguments.readers.clone(),
        key_rows: arguments.key_rows,
        writes_probe: arguments.write_probe && (arguments.yes || screen.is_confirmed(plan)),
        is_probing: Arc::default(),
        is_whole: arguments.is_whole(),
    }
}

impl Progress for TablesProgress {
    fn another(&self) {
        Self::another(self);
    }
}

/// Ends when somebody asks to stop. The object of a probe is deleted first.
async fn stopped(stop: &Stop, is_probing: &AtomicBool) {
    const STEP: Duration = Duration::from_millis(100);
    requested(stop).await;
    while is_probing.load(Ordering::Relaxed) {
        tokio::time::sleep(STEP).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stop_is_noticed() {
        let stop = Stop::default();
        let (probing, idle) = (AtomicBool::new(true), AtomicBool::new(false));
        let waits = async |is_probing: &AtomicBool| {
            let stopped = stopped(&stop, is_probing);
            tokio::time::timeout(Duration::from_millis(300), stopped).await.is_err()
        };
        assert!(waits(&idle).await, "nobody has asked yet");
        stop.request();
        assert!(waits(&probing).await, "an object is to be deleted first");
        assert!(!waits(&idle).await);
    }
}
