//! `dmslake ddl`: the statements that make tables known to an engine.

use super::args::{ChosenArguments, DdlArguments, EngineName};
use super::choose::Chosen;
use super::output::Screen;
use super::run::Exit;
use crate::catalog::CatalogName;
use crate::catalog::statements::{Described, Engine, remarks, script, statements};
use crate::error::Result;
use crate::table;

/// Prints the statements of every chosen table, each once.
///
/// # Errors
/// `Config` for a configuration, a table name or a table that cannot be used, `Unavailable` if the
/// lake cannot be read.
pub(super) async fn run(arguments: &DdlArguments, screen: &Screen) -> Result<Exit> {
    let engine = match arguments.engine {
        EngineName::Athena => Engine::Athena,
        EngineName::Spark => Engine::Spark,
        EngineName::Trino => Engine::Trino,
        EngineName::DuckDb => Engine::DuckDb,
        EngineName::Redshift => Engine::Redshift,
    };
    let named =
        ChosenArguments { config: arguments.config.clone(), tables: arguments.tables.clone() };
    let chosen = Chosen::open(&named, screen).await?;
    let prefix = &chosen.pipeline.settings().catalog.database_prefix;
    let mut exit = Exit::Done;
    // Of several tables in one database, and in one session.
    let mut said: Vec<String> = Vec::new();
    for spec in &chosen.tables {
        let location = chosen.pipeline.lake_folder(&spec.source)?;
        let Some(table) = table::open(&location, None).await? else {
            screen.note(format_args!("{}: there is no table yet", spec.source));
            exit = Exit::Attention;
            continue;
        };
        let name = CatalogName::of(&spec.source, prefix);
        let described = Described {
            name: &name,
            url: location.url(),
            schema: table.schema(),
            may_mask: table.may_mask(),
            has_manifests: spec.redshift_manifest,
            iam_role: &arguments.iam_role,
        };
        for remark in remarks(engine, &described) {
            screen.note(format_args!("to check: {}: {remark}", spec.source));
        }
        for statement in statements(engine, &described)? {
            if !said.contains(&statement) {
                said.push(statement);
            }
        }
    }
    screen.line(script(&said).trim_end())?;
    Ok(exit)
}
