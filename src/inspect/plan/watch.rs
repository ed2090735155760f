//! Watches a rehearsal, and ends it once enough was read.

use std::sync::{Mutex, PoisonError};

use crate::pipeline::{Limits, Observer, Step, Stop};

/// What a rehearsal found pending.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pending {
    pub(super) objects: u64,
    pub(super) bytes: u64,
    /// Bytes of those that it finished.
    done: u64,
    /// Whether it was ended before the rest.
    pub(super) is_stopped: bool,
}

/// Passes on what happens, and asks to stop once so many bytes are read.
pub(super) struct Watch<'a> {
    observer: &'a dyn Observer,
    limits: Limits,
    stop: Stop,
    most_bytes: u64,
    pending: Mutex<Pending>,
}

impl<'a> Watch<'a> {
    /// Watches for `observer`.
    pub(super) fn new(observer: &'a dyn Observer, limits: &Limits, most_bytes: u64) -> Self {
        let stop = limits.stop.below();
        let limits = Limits { stop: stop.clone(), ..limits.clone() };
        Self { observer, limits, stop, most_bytes, pending: Mutex::default() }
    }

    /// The limits of the rehearsal.
    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// What was found.
    pub(super) fn pending(&self) -> Pending {
        *self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Watch<'_> {
    fn step(&self, step: Step) {
        self.observer.step(step);
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        match step {
            // Later passes find what is left.
            Step::Pending { objects, bytes } if bytes > pending.bytes => {
                (pending.objects, pending.bytes) = (objects, bytes);
            }
            Step::Committed { bytes, .. } => {
                pending.done += bytes;
                if pending.done >= self.most_bytes && pending.done < pending.bytes {
                    pending.is_stopped = true;
                    self.stop.request();
                }
            }
            Step::Pending { .. } | Step::Decoded { .. } | Step::Reshaped { .. } => {}
        }
    }
}
