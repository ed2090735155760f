//! `dmslake query`: SQL over all tables.

use std::io::Read as _;

use super::args::QueryArguments;
use super::chosen::{Chosen, Places};
use super::exit::Exit;
use super::output::Screen;
use super::rows::print;
use crate::cli::args::ChosenArguments;
use crate::error::{Error, ErrorKind, Result};
use crate::inspect;

/// Prints the rows of a query.
///
/// # Errors
/// `Config` for a configuration or a query that cannot be used, `StoreRefused` if the lake cannot be
/// used, `Unavailable` if it does not answer or the rows cannot be written.
pub(super) async fn run(arguments: &QueryArguments, screen: &Screen) -> Result<Exit> {
    let all =
        ChosenArguments { configuration: arguments.configuration.clone(), tables: Vec::new() };
    let chosen = Chosen::open(&all, Places::Lake, screen).await?;
    let sql = match arguments.sql.as_str() {
        "-" => from_standard_input()?,
        sql => sql.to_owned(),
    };
    let printing = async {
        let rows = inspect::query(&chosen.pipeline, &sql).await?;
        print(rows, arguments.format.chosen(), screen).await
    };
    match Box::pin(chosen.until_stopped(printing)).await {
        Some(printed) => printed.map(|()| Exit::Done),
        None => Ok(Exit::Attention),
    }
}

fn from_standard_input() -> Result<String> {
    let mut sql = String::new();
    std::io::stdin().read_to_string(&mut sql).map_err(|error| {
        Error::new(ErrorKind::Config, "no query can be read from standard input").because(error)
    })?;
    Ok(sql)
}
