//! Files by which the processes of a test signal their progress to each other.

use std::fs;
use std::path::Path;
use std::time::Duration;

use dmslake::clock::{Clock, SystemClock};

/// Longer than any step takes on a busy machine.
const PATIENCE: Duration = Duration::from_mins(5);

/// Writes a file in one step.
pub(crate) fn say(folder: &Path, name: &str, text: &str) {
    let draft = folder.join(format!(".{name}"));
    fs::write(&draft, text).expect("writes");
    fs::rename(draft, folder.join(name)).expect("renames");
}

/// Waits for a condition; false if it does not become true in time.
pub(crate) async fn wait(mut true_now: impl FnMut() -> bool) -> bool {
    let start = SystemClock.instant();
    while !true_now() {
        if start.elapsed() > PATIENCE {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    true
}
