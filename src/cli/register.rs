//! `dmslake register`: the tables' entries in AWS Glue.

use super::args::RegisterArguments;
use super::choose::Chosen;
use super::output::Screen;
use super::run::Exit;
use crate::catalog::CatalogName;
use crate::catalog::glue::Glue;
use crate::error::Result;
use crate::table;

/// Makes or changes the entry of every chosen table, and says which.
///
/// # Errors
/// `Config` for a configuration or a table name that cannot be used or a database that Glue does
/// not have, `Unavailable` if lake or Glue do not answer.
pub(super) async fn run(arguments: &RegisterArguments, screen: &Screen) -> Result<Exit> {
    let chosen = Chosen::open(&arguments.chosen, screen).await?;
    let prefix = &chosen.pipeline.settings().catalog.database_prefix;
    let glue = Glue::open().await;
    let mut exit = Exit::Done;
    for (position, spec) in chosen.tables.iter().enumerate() {
        if chosen.is_stopped(position, screen) {
            return Ok(Exit::Attention);
        }
        let location = chosen.pipeline.lake_folder(&spec.source)?;
        let Some(table) = table::open(&location, None).await? else {
            screen.note(format_args!("{}: there is no table yet", spec.source));
            exit = Exit::Attention;
            continue;
        };
        let name = CatalogName::of(&spec.source, prefix);
        let outcome = glue.register(&name, location.url(), table.schema()).await?;
        screen.line(format_args!("{}: {name} {outcome}", spec.source))?;
    }
    Ok(exit)
}
