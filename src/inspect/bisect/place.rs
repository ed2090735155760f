//! Which commit of a table took in a row of an object.

use std::pin::pin;

use futures::TryStreamExt as _;

use crate::error::Result;
use crate::inspect::bisect::CulpritCommit;
use crate::inspect::bisect::versions::Timeline;
use crate::table;

/// The commit of the table from which a replay was made that took in that row; none if the log no
/// longer has it.
pub(super) async fn place_of(
    timeline: &Timeline<'_>,
    object: &str,
    row: u64,
) -> Result<Option<CulpritCommit>> {
    let Some(location) = &timeline.original else { return Ok(None) };
    let Some(table) = table::open(location, None).await? else { return Ok(None) };
    let mut history = pin!(table::history(&table.delta().log_store(), table.version()));
    while let Some(commit) = history.try_next().await? {
        let mut objects = commit.ours.iter().flat_map(|ours| &ours.record.objects);
        let has_it =
            objects.any(|it| it.key == object && it.from < row && row <= it.from + it.rows);
        if has_it {
            return Ok(Some(CulpritCommit::of(&commit)));
        }
    }
    Ok(None)
}
