//! The memory of a comparison.
//!
//! DataFusion's fair pool gives what cannot spill whatever is left, and that may be nothing: sorts
//! that begin first take their shares before a later one asks for what it merges with, and the first
//! that merges opens as many files as there is memory. Here either kind has a half of its own, and
//! the merge of each sort an equal part of it.

use std::fmt;

use datafusion::error::DataFusionError;
use datafusion::execution::memory_pool::{
    FairSpillPool, GreedyMemoryPool, MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation,
};

/// A half for those that can spill, and a half for the merges of sorts, both in equal shares.
#[derive(Debug)]
pub(crate) struct Halves {
    spilling: FairSpillPool,
    merging: GreedyMemoryPool,
    /// The most that one merge may take.
    of_merge: usize,
    bytes: usize,
}

impl Halves {
    /// Of so many bytes, for so many sorts at once.
    pub(crate) fn of(bytes: usize, sorts: usize) -> Self {
        let half = bytes / 2;
        let (spilling, merging) = (FairSpillPool::new(half), GreedyMemoryPool::new(half));
        Self { spilling, merging, of_merge: half / sorts.max(1), bytes }
    }

    fn half(&self, consumer: &MemoryConsumer) -> &dyn MemoryPool {
        if consumer.can_spill() { &self.spilling } else { &self.merging }
    }
}

impl fmt::Display for Halves {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "halves({}, {})", self.spilling, self.merging)
    }
}

impl MemoryPool for Halves {
    fn name(&self) -> &'static str {
        "halves"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.half(consumer).register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.half(consumer).unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.half(reservation.consumer()).grow(reservation, additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.half(reservation.consumer()).shrink(reservation, shrink);
    }

    fn try_grow(
        &self,
        reservation: &MemoryReservation,
        additional: usize,
    ) -> Result<(), DataFusionError> {
        let consumer = reservation.consumer();
        if !consumer.can_spill() && reservation.size() + additional > self.of_merge {
            let name = consumer.name();
            let why = format!("{name} asks for {additional} bytes beyond its share");
            return Err(DataFusionError::ResourcesExhausted(why));
        }
        self.half(consumer).try_grow(reservation, additional)
    }

    fn reserved(&self) -> usize {
        self.spilling.reserved() + self.merging.reserved()
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(self.bytes)
    }
}
