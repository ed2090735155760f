//! An observer that requests a stop of a run.

use std::sync::atomic::{AtomicU64, Ordering};

use dmslake::pipeline::{Observer, Step, Stop};

/// Requests the stop at the commit that completes this many objects.
pub(crate) struct Stopper {
    stop: Stop,
    after: u64,
    objects: AtomicU64,
}

impl Stopper {
    pub(crate) fn after(objects: u64, stop: Stop) -> Self {
        Self { stop, after: objects, objects: AtomicU64::new(0) }
    }
}

impl Observer for Stopper {
    fn step(&self, step: Step) {
        if let Step::Committed { objects, .. } = step
            && self.objects.fetch_add(objects, Ordering::SeqCst) + objects >= self.after
        {
            self.stop.request();
        }
    }
}
