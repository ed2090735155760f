//! Requests as S3 would see them: they are counted, each is answered after a while, and it is told
//! how many of them had to wait for one another.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use dmslake::clock::{Clock as _, SystemClock};
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::path::Path;
use object_store::{GetResult, GetResultPayload, Result};

use super::{Hooks, Operation, PAGE};

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Method {
    /// An object or a range of it.
    Get,
    /// What is known of an object.
    Head,
    /// One page of a listing.
    List,
    /// A whole object, or one part of an upload in parts.
    Put,
    /// The beginning or the end of an upload in parts.
    Post,
    /// An object copied inside the store, also to rename it.
    Copy,
    /// One object, or one page of objects.
    Delete,
}

impl From<Operation> for Method {
    fn from(operation: Operation) -> Self {
        match operation {
            Operation::Get => Self::Get,
            Operation::Head => Self::Head,
            Operation::List => Self::List,
            Operation::Put | Operation::PutPart => Self::Put,
            Operation::BeginUpload | Operation::CompleteUpload => Self::Post,
            Operation::Copy | Operation::Rename => Self::Copy,
            Operation::Delete | Operation::AbortUpload => Self::Delete,
        }
    }
}

/// One request and the time that its answer took to arrive, the body included.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) began: Instant,
    /// None while the answer is still arriving, or where nobody read it to its end.
    pub(crate) ended: Option<Instant>,
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}", self.method, self.path)
    }
}

/// The requests of all stores that share it, in the order in which they began.
#[derive(Clone, Debug, Default)]
pub(crate) struct Requests(Arc<Mutex<Vec<Request>>>);

impl Requests {
    /// The requests so far, which are forgotten.
    pub(crate) fn take(&self) -> Vec<Request> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn begin(&self, method: Method, path: impl fmt::Display) -> Running {
        let mut requests = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (began, path) = (SystemClock.instant(), path.to_string());
        requests.push(Request { method, path, began, ended: None });
        Running { requests: self.clone(), at: requests.len() - 1, began }
    }
}

/// How many of these requests are of that method.
pub(crate) fn count(requests: &[Request], method: Method) -> usize {
    requests.iter().filter(|request| request.method == method).count()
}

/// Round trips in sequence: the longest chain of requests each of which began after the one
/// before it had ended. Only where each answer takes a while does it tell requests that wait for
/// one another from requests that are merely short.
pub(crate) fn in_sequence(requests: &[Request]) -> Vec<&Request> {
    let mut ended: Vec<(Instant, &Request)> =
        requests.iter().filter_map(|request| Some((request.ended?, request))).collect();
    ended.sort_by_key(|(end, _)| *end);
    let mut chain: Vec<&Request> = Vec::new();
    for (_, request) in ended {
        if chain.last().is_none_or(|last| last.ended.is_some_and(|end| end <= request.began)) {
            chain.push(request);
        }
    }
    chain
}

/// A request that is not answered in full yet.
#[derive(Debug)]
pub(crate) struct Running {
    requests: Requests,
    at: usize,
    began: Instant,
}

impl Running {
    fn end(&self) {
        let mut requests = self.requests.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = SystemClock.instant();
        // Whoever took the list meanwhile does not wait for this one.
        if let Some(request) = requests.get_mut(self.at)
            && request.began == self.began
        {
            request.ended.get_or_insert(now);
        }
    }
}

/// Counts into `requests`, and lets the answer to each wait for `delay`.
#[derive(Debug)]
pub(crate) struct Counting {
    requests: Requests,
    delay: Duration,
}

impl Counting {
    pub(crate) fn new(requests: &Requests, delay: Duration) -> Self {
        Self { requests: requests.clone(), delay }
    }
}

#[async_trait]
impl Hooks for Counting {
    type Ticket = Running;

    const DELETED_AT_ONCE: usize = PAGE;

    async fn before(&self, operation: Operation, path: &Path) -> Result<Running> {
        let running = self.requests.begin(operation.into(), path);
        tokio::time::sleep(self.delay).await;
        Ok(running)
    }

    fn after(&self, running: Running, _: bool) -> Result<()> {
        running.end();
        Ok(())
    }

    /// A body ends its request with its last byte.
    async fn body(&self, running: Running, found: GetResult) -> Result<GetResult> {
        let (meta, range) = (found.meta.clone(), found.range.clone());
        let attributes = found.attributes.clone();
        let mut left = range.end - range.start;
        if left == 0 {
            running.end();
        }
        let chunks = found.into_stream().inspect_ok(move |chunk: &Bytes| {
            left = left.saturating_sub(chunk.len() as u64);
            if left == 0 {
                running.end();
            }
        });
        let payload = GetResultPayload::Stream(chunks.boxed());
        Ok(GetResult { payload, meta, range, attributes })
    }
}
