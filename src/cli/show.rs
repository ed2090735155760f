//! `dmslake show`: rows of a table.

use super::args::ShowArguments;
use super::chosen::{Chosen, Places, TableEnd};
use super::exit::Exit;
use super::output::Screen;
use super::rows::print;
use crate::error::Result;
use crate::inspect::{self, RowsAsked};

/// Prints rows of the chosen table.
///
/// # Errors
/// `Config` for a configuration, table, column, version or condition that cannot be used,
/// `StoreRefused` if the lake cannot be used, `Unavailable` if it does not answer or the rows cannot
/// be written.
pub(super) async fn run(arguments: &ShowArguments, screen: &Screen) -> Result<Exit> {
    let chosen = Chosen::open(&arguments.table.chosen(), Places::Lake, screen).await?;
    let asked = RowsAsked {
        as_of: arguments.as_of.as_of(),
        condition: arguments.condition.clone(),
        columns: arguments.columns.clone(),
        limit: (arguments.limit > 0).then_some(arguments.limit),
    };
    let shown = chosen.each(async |table| {
        let printing = async {
            let Some(rows) = inspect::rows(&chosen.pipeline, &table.source, &asked).await? else {
                return Ok(TableEnd::without_table(&table.source, screen));
            };
            print(rows, arguments.format.chosen(), screen).await?;
            Ok(TableEnd::Done)
        };
        let printed = Box::pin(chosen.until_stopped(printing)).await;
        printed.unwrap_or(Ok(TableEnd::Attention))
    });
    Ok(shown.await?.exit())
}
