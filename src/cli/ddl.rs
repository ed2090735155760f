//! `dmslake ddl`: prints the statements that make tables known to an engine.

use super::args::{ChosenArguments, DdlArguments};
use super::chosen::{Chosen, LoopEnd, Places, TableEnd};
use super::exit::Exit;
use super::output::Screen;
use crate::error::Result;
use crate::readers::statements::{Described, Engine, remarks, script, statements};

/// Prints the statements of every chosen table, each statement once.
///
/// # Errors
/// `Config` for a configuration, a table name or a table that cannot be used, or two tables of one
/// name, `StoreRefused` if the lake cannot be used, `Unavailable` if it cannot be read.
pub(super) async fn run(arguments: &DdlArguments, screen: &Screen) -> Result<Exit> {
    let chosen_arguments = ChosenArguments {
        configuration: arguments.configuration.clone(),
        tables: arguments.tables.clone(),
    };
    let chosen = Chosen::open(&chosen_arguments, Places::Lake, screen).await?;
    chosen.check_catalog_names()?;
    // Several tables may be in one database, and all are in one session.
    let mut all: Vec<String> = Vec::new();
    let described = chosen.each_open(async |open| {
        let spec = open.spec;
        if arguments.engine == Engine::Redshift && !spec.redshift_manifest {
            let source = &spec.source;
            screen.note(format_args!("{source}: left out: set redshift_manifest = true"));
            return Ok(TableEnd::Attention);
        }
        let described = Described {
            name: &chosen.catalog_name(spec),
            uri: &open.location.uri(),
            schema: open.table.schema(),
            may_mask: open.table.may_mask(),
            has_manifests: spec.redshift_manifest,
            iam_role: &arguments.iam_role,
        };
        for remark in remarks(arguments.engine, &described) {
            screen.note(format_args!("to check: {}: {remark}", spec.source));
        }
        for statement in statements(arguments.engine, &described)? {
            if !all.contains(&statement) {
                all.push(statement);
            }
        }
        Ok(TableEnd::Done)
    });
    let LoopEnd::Complete(exit) = described.await? else {
        return Ok(Exit::Attention);
    };
    screen.line(script(&all).trim_end())?;
    Ok(exit)
}
