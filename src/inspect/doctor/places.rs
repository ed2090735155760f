//! Whether staging and lake can be listed.

use futures::StreamExt as _;
use object_store::ObjectStore as _;

use crate::disposition::remedy_of;
use crate::error::{Error, Result};
use crate::inspect::doctor::{Check, Finding, Severity};
use crate::pipeline::Pipeline;
use crate::storage::{Location, StoreKind};

/// Whether one of them can be listed, and what is found.
pub(super) async fn listable(pipeline: &Pipeline, check: Check) -> (bool, Finding) {
    let (place, probed) = match check {
        Check::Staging => (pipeline.staging(), Box::pin(pipeline.probe_staging()).await),
        _ => (pipeline.lake(), Box::pin(pipeline.probe_lake()).await),
    };
    let listed = match probed {
        Ok(()) => first_page(place).await,
        Err(error) => Err(error),
    };
    let shown = place.shown("");
    match listed {
        Ok(()) => (true, Finding::new(Severity::Ok, check, format!("{shown} can be listed"))),
        Err(error) => (false, refused(check, place, &error)),
    }
}

/// Asks for the first object.
async fn first_page(place: &Location) -> Result<()> {
    let mut listed = place.store().list(Some(place.prefix()));
    match listed.next().await {
        Some(Err(error)) => Err(error.into()),
        Some(Ok(_)) | None => Ok(()),
    }
}

fn refused(check: Check, place: &Location, error: &Error) -> Finding {
    Finding::new(Severity::Problem, check, error.chain())
        .with_advice(remedy_of(error))
        .then(look_into(place))
}

/// The command that lists a place by other means.
pub(super) fn look_into(place: &Location) -> String {
    match place.kind() {
        StoreKind::S3 => format!("aws s3 ls {}/", place.uri().trim_end_matches('/')),
        StoreKind::File => format!("ls -la {}", place.shown("")),
    }
}
