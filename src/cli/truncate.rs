//! `dmslake truncate`: removes all rows of tables.

use super::args::TruncateArguments;
use super::chosen::{Chosen, Places, TableEnd};
use super::exit::Exit;
use super::output::{Screen, plural};
use crate::error::Result;

/// Empties the named tables.
///
/// # Errors
/// `Config` for a configuration or a table name that cannot be used, `StoreRefused` if the lake
/// cannot be used, `Unavailable` if it does not answer.
pub(super) async fn run(arguments: &TruncateArguments, screen: &Screen) -> Result<Exit> {
    let chosen = Chosen::open(&arguments.named.chosen(), Places::Lake, screen).await?;
    let emptied = chosen.each(async |table| {
        let source = &table.source;
        if !screen.is_agreed(arguments.yes, source, "remove all rows") {
            return Ok(TableEnd::Attention);
        }
        match chosen.pipeline.truncate(table).await {
            Ok(rows) => {
                screen.line(format_args!("{source}: {} removed", plural(rows, "row")))?;
                Ok(TableEnd::Done)
            }
            Err(error) => Ok(TableEnd::refused_by(&error, source, screen)),
        }
    });
    Ok(emptied.await?.exit())
}
