//! What a process of ours says of a panic.

use std::panic::{PanicHookInfo, set_hook};

/// Has a panic logged by the place where it happened alone: what it says may hold the value that
/// it was met by. To be called once, when a process begins.
pub fn log_places() {
    set_hook(Box::new(|panic: &PanicHookInfo<'_>| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "a panic");
    }));
}
