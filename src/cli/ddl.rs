//! `dmslake ddl`: the statements that make tables known to an engine.

use super::args::{ChosenArguments, DdlArguments};
use super::choose::Chosen;
use super::exit::Exit;
use super::output::Screen;
use crate::config::catalog_names;
use crate::error::Result;
use crate::readers::statements::{Described, Engine, remarks, script, statements};

/// Prints the statements of every chosen table, each once.
///
/// # Errors
/// `Config` for a configuration, a table name or a table that cannot be used, or two tables of one
/// name, `Unavailable` if the
/// lake cannot be read.
pub(super) async fn run(arguments: &DdlArguments, screen: &Screen) -> Result<Exit> {
    let chosen_arguments =
        ChosenArguments { config: arguments.config.clone(), tables: arguments.tables.clone() };
    let chosen = Chosen::open(&chosen_arguments, screen).await?;
    let names = catalog_names(chosen.pipeline.settings(), &chosen.tables)?;
    let mut exit = Exit::Done;
    // Of several tables in one database, and in one session.
    let mut said: Vec<String> = Vec::new();
    for (spec, name) in chosen.tables.iter().zip(&names) {
        let Some((location, table)) = chosen.open_table(spec, screen).await? else {
            exit = Exit::Attention;
            continue;
        };
        if arguments.engine == Engine::Redshift && !spec.redshift_manifest {
            let source = &spec.source;
            screen.note(format_args!("{source}: left out: set redshift_manifest = true"));
            exit = Exit::Attention;
            continue;
        }
        let uri = location.uri();
        let described = Described {
            name,
            uri: &uri,
            schema: table.schema(),
            may_mask: table.may_mask(),
            has_manifests: spec.redshift_manifest,
            iam_role: &arguments.iam_role,
        };
        for remark in remarks(arguments.engine, &described) {
            screen.note(format_args!("to check: {}: {remark}", spec.source));
        }
        for statement in statements(arguments.engine, &described)? {
            if !said.contains(&statement) {
                said.push(statement);
            }
        }
    }
    screen.line(script(&said).trim_end())?;
    Ok(exit)
}
