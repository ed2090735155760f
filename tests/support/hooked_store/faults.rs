//! Writes are counted, and a chosen one fails.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use async_trait::async_trait;
use object_store::path::Path;
use object_store::{Error, Result};

use super::{Hooks, Operation};

/// On which side of its effect a write fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// Nothing was written.
    Before,
    /// It was written, the answer is lost.
    After,
}

/// What happens at a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The number of the write, from 1.
    pub(crate) write: u64,
    pub(crate) side: Side,
    /// Every later call, reads too, fails: the process is gone.
    pub(crate) died: bool,
}

/// Counts and failures of one process.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    fault: Option<Fault>,
    writes: AtomicU64,
    dead: AtomicBool,
}

impl Faults {
    /// With that fault, or with none.
    pub(crate) fn new(fault: Option<Fault>) -> Self {
        Self { fault, ..Self::default() }
    }

    /// Writes so far, the failed ones included.
    pub(crate) fn writes(&self) -> u64 {
        self.writes.load(Ordering::SeqCst)
    }

    fn fail(&self, fault: Fault) -> Result<()> {
        self.dead.store(fault.died, Ordering::SeqCst);
        Err(failure("the chosen write failed"))
    }
}

fn failure(what: &'static str) -> Error {
    Error::Generic { store: "faulty", source: what.into() }
}

/// An upload in parts is one write, when it completes.
fn is_write(operation: Operation) -> bool {
    match operation {
        Operation::Put
        | Operation::CompleteUpload
        | Operation::Copy
        | Operation::Rename
        | Operation::Delete => true,
        Operation::Get
        | Operation::Head
        | Operation::List
        | Operation::BeginUpload
        | Operation::PutPart
        | Operation::AbortUpload => false,
    }
}

#[async_trait]
impl Hooks for Faults {
    /// The fault that strikes once the effect is there.
    type Ticket = Option<Fault>;

    async fn before(&self, operation: Operation, _: &Path) -> Result<Option<Fault>> {
        if self.dead.load(Ordering::SeqCst) {
            return Err(failure("the process is gone"));
        }
        if !is_write(operation) {
            return Ok(None);
        }
        let number = self.writes.fetch_add(1, Ordering::SeqCst) + 1;
        let fault = self.fault.filter(|fault| fault.write == number);
        if let Some(fault) = fault
            && fault.side == Side::Before
        {
            self.fail(fault)?;
        }
        Ok(fault)
    }

    fn after(&self, fault: Option<Fault>, succeeded: bool) -> Result<()> {
        match fault {
            Some(fault) if succeeded => self.fail(fault),
            Some(_) | None => Ok(()),
        }
    }
}
