//! An observer that asks for the end of an application.

use std::sync::atomic::{AtomicU64, Ordering};

use dmslake::pipeline::{Observer, Step, Stop};

/// Asks for it with the commit by which so many objects are applied.
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
