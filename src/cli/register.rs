//! `dmslake register`: creates or updates the tables' entries in AWS Glue.

use super::args::RegisterArguments;
use super::chosen::{Chosen, Places, TableEnd};
use super::exit::Exit;
use super::output::Screen;
use crate::disposition::told_of;
use crate::error::Result;
use crate::readers::glue::Glue;

/// Creates or updates the entry of every chosen table, and says which it did. A table that Glue
/// refuses does not keep the others from being registered.
///
/// # Errors
/// `Config` for a configuration or a table name that cannot be used, or two tables of one name,
/// `StoreRefused` if the lake or Glue cannot be used, `Unavailable` if the lake does not answer.
pub(super) async fn run(arguments: &RegisterArguments, screen: &Screen) -> Result<Exit> {
    let chosen = Chosen::open(&arguments.chosen, Places::Lake, screen).await?;
    chosen.check_catalog_names()?;
    let glue = Glue::open().await;
    glue.probe().await?;
    let registered = chosen.each_open(async |open| {
        let (source, name) = (&open.spec.source, chosen.catalog_name(open.spec));
        match glue.register(&name, &open.location, &open.table).await {
            Ok(outcome) => {
                screen.line(format_args!("{source}: {name} {outcome}"))?;
                Ok(TableEnd::Done)
            }
            Err(error) => {
                let told = told_of(&error, source);
                screen.note(format_args!("{source}: not registered: {told}"));
                Ok(TableEnd::Attention)
            }
        }
    });
    Ok(registered.await?.exit())
}
