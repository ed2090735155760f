//! `dmslake register`: the tables' entries in AWS Glue.

use super::args::RegisterArguments;
use super::choose::Chosen;
use super::exit::Exit;
use super::output::Screen;
use crate::config::catalog_names;
use crate::disposition::remedy_of;
use crate::error::Result;
use crate::readers::glue::Glue;

/// Makes or changes the entry of every chosen table, and says which. One that Glue does not take
/// keeps no other from being made.
///
/// # Errors
/// `Config` for a configuration or a table name that cannot be used, or two tables of one name,
/// `StoreRefused` if the lake or Glue cannot be used, `Unavailable` if the lake does not answer.
pub(super) async fn run(arguments: &RegisterArguments, screen: &Screen) -> Result<Exit> {
    let chosen = Chosen::open(&arguments.chosen, screen).await?;
    let names = catalog_names(chosen.pipeline.settings(), &chosen.tables)?;
    let glue = Glue::open().await;
    glue.probe().await?;
    let mut exit = Exit::Done;
    for (position, (spec, name)) in chosen.tables.iter().zip(&names).enumerate() {
        if chosen.is_stopped(position, screen) {
            return Ok(Exit::Attention);
        }
        let Some((location, table)) = chosen.open_table(spec, screen).await? else {
            exit = Exit::Attention;
            continue;
        };
        match glue.register(name, &location, &table).await {
            Ok(outcome) => screen.line(format_args!("{}: {name} {outcome}", spec.source))?,
            Err(error) => {
                let (chain, remedy) = (error.chain(), remedy_of(&error));
                screen.note(format_args!("{}: not registered: {chain}; {remedy}", spec.source));
                exit = Exit::Attention;
            }
        }
    }
    Ok(exit)
}
