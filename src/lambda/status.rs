//! How tables stand, for whoever asks the function. Nothing is applied.

use futures::{StreamExt, stream};

use super::{Answer, Deadline};
use crate::config::TableSpec;
use crate::error::{Error, ErrorKind, Result};
use crate::inspect::{self, TableStatus};
use crate::pipeline::Pipeline;

/// So many tables are looked at side by side.
const AT_ONCE: usize = 32;

/// Looks at the tables of these names; at all if there is none.
///
/// # Errors
/// `Config` if no table has one of the names, `Deadline` if there is not enough time.
pub(super) async fn told(
    pipeline: &Pipeline,
    names: &[String],
    deadline: Deadline,
) -> Result<Answer> {
    let configured = &pipeline.settings().tables;
    let is_named = |name: &String, spec: &TableSpec| spec.source.to_string() == *name;
    let is_unknown = |name: &&String| !configured.iter().any(|spec| is_named(name, spec));
    if let Some(unknown) = names.iter().find(is_unknown) {
        return Err(
            Error::new(ErrorKind::Config, "no [[table]] has that source").with("tables", unknown)
        );
    }
    let is_asked =
        |spec: &&TableSpec| names.is_empty() || names.iter().any(|name| is_named(name, spec));
    let looks = configured.iter().filter(is_asked).map(|spec| inspect::status(pipeline, spec));
    let told = stream::iter(looks).buffered(AT_ONCE).collect::<Vec<TableStatus>>();
    match tokio::time::timeout_at(deadline.drop.into(), told).await {
        Ok(status) => Ok(Answer::Status { status }),
        Err(_elapsed) => {
            Err(Error::new(ErrorKind::Deadline, "no time was left to look at every table"))
        }
    }
}
