//! What the demo prints.

mod query;

use deltalake::DeltaTable;
use futures::{StreamExt, TryStreamExt};

use super::folder::{Folder, SCHEMA};
use super::shop::{Shop, Table};
use super::{Outcome, proof};
use crate::cli::output::{Align, Grid, Row, Screen, count, count_cells, plural, seconds};
use crate::config::TableName;
use crate::error::Result;
use crate::pipeline::{Pipeline, TableReport};
use crate::progress::Books;
use crate::table::{Commit, history};

/// The table that is queried, and whose log is shown.
const SHOWN_TABLE: &str = "orders";
const SHOWN_COMMITS: usize = 6;

/// What is about to happen.
pub(super) fn beginning(screen: &Screen, folder: &Folder) -> Result<()> {
    let title = screen.palette().strong("A small shop, from its MySQL source to Delta tables");
    screen.line(title)?;
    screen.line(format_args!(
        "  staged in {} as AWS DMS would, object by object, and applied event by event",
        folder.shown().display()
    ))
}

/// Counts by table, and the number of doorbells.
pub(super) fn what_happened(screen: &Screen, outcome: &Outcome) -> Result<()> {
    heading(screen, "What happened")?;
    let mut grid = Grid::new(&[
        ("table", Align::Left),
        ("objects", Align::Right),
        ("changes", Align::Right),
        ("inserted", Align::Right),
        ("updated", Align::Right),
        ("deleted", Align::Right),
        ("superseded", Align::Right),
        ("ignored", Align::Right),
        ("versions", Align::Right),
    ]);
    let tables = outcome.tally.tables();
    let mut rows: Vec<Row> = Vec::new();
    let mut all = TableReport::default();
    let mut versions = 0;
    for (name, sum) in tables {
        // Versions count from 0.
        let written = sum.report.version.map_or(0, |newest| newest + 1);
        rows.push(row(name, &sum.report, written));
        all = all.followed_by(sum.report.clone());
        versions += written;
    }
    rows.push(row("all", &all, versions));
    print(screen, &mut grid, &rows)?;

    let doorbells = &outcome.doorbells;
    screen.line(format_args!(
        "\n  {} (events) for {}: {} came twice, {} came late. Each object was applied once.",
        plural(doorbells.sent(), "doorbell"),
        plural(super::play::OBJECTS, "object"),
        doorbells.twice(),
        doorbells.late()
    ))?;
    let applying = outcome.tally.applying().as_secs_f64();
    let build = if cfg!(debug_assertions) { ", in an unoptimised build" } else { "" };
    screen.line(format_args!(
        "  {} in {}, of which applying took {}: {} rows/s in small commits{build}",
        plural(outcome.tally.rows(), "change"),
        seconds(outcome.elapsed.as_secs_f64()),
        seconds(applying),
        count(per_second(outcome.tally.rows(), applying)),
    ))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a rate for people"
)]
fn per_second(rows: u64, seconds: f64) -> u64 {
    if seconds > 0.0 { (rows as f64 / seconds).round() as u64 } else { 0 }
}

fn row(name: &str, report: &TableReport, versions: u64) -> Row {
    let mut row = vec![name.to_owned(), count(report.objects)];
    row.extend(count_cells(&report.counts));
    row.push(count(versions));
    row
}

/// One query, over the table as it is now and as it was after the full load.
pub(super) async fn time_travel(
    screen: &Screen,
    pipeline: &Pipeline,
    outcome: &Outcome,
) -> Result<()> {
    let sums = outcome.tally.tables().get(&format!("{SCHEMA}.{SHOWN_TABLE}"));
    let Some((now, then)) = sums.and_then(|sum| sum.report.version.zip(sum.loaded)) else {
        return Ok(());
    };
    heading(screen, "A query now, and as of an earlier version")?;
    screen.line(format_args!("  {}\n", screen.palette().faint(query::SQL)))?;
    let rows = query::by_status(pipeline, then, now).await?;
    let mut grid = Grid::new(&[
        ("status", Align::Left),
        (&format!("orders in version {then}"), Align::Right),
        ("total", Align::Right),
        (&format!("orders in version {now}"), Align::Right),
        ("total", Align::Right),
    ]);
    print(screen, &mut grid, &rows)
}

/// The newest commits of a table's log.
pub(super) async fn log(screen: &Screen, pipeline: &Pipeline) -> Result<()> {
    heading(screen, &format!("The newest commits in the Delta log of {SCHEMA}.{SHOWN_TABLE}"))?;
    let table = open(pipeline, SHOWN_TABLE, None).await?;
    let newest = table.version().unwrap_or_default();
    let log_store = table.log_store();
    let commits = history(&log_store, newest).take(SHOWN_COMMITS);
    let rows: Vec<Row> = commits.map_ok(commit_row).try_collect().await?;
    let mut grid = Grid::new(&[
        ("version", Align::Right),
        ("operation", Align::Left),
        ("inserted", Align::Right),
        ("updated", Align::Right),
        ("deleted", Align::Right),
        ("objects", Align::Left),
    ]);
    print(screen, &mut grid, &rows)
}

fn commit_row(commit: Commit) -> Row {
    let record = commit.ours.map(|ours| ours.record);
    let books = record.as_ref().map(|record| record.books);
    let fact = |pick: fn(Books) -> u64| books.map_or_else(|| "-".to_owned(), |it| count(pick(it)));
    let names: Vec<&str> = record
        .iter()
        .flat_map(|record| &record.objects)
        .filter_map(|object| object.key.rsplit('/').next())
        .collect();
    vec![
        commit.version.to_string(),
        commit.operation.unwrap_or_default(),
        fact(|books| books.counts.inserted),
        fact(|books| books.counts.updated),
        fact(|books| books.counts.deleted),
        names.join(" "),
    ]
}

/// Compares every table with its source. Returns whether all are equal.
pub(super) async fn proof(screen: &Screen, pipeline: &Pipeline, shop: &Shop) -> Result<bool> {
    heading(screen, "The proof: every row and column compared with the source")?;
    let palette = screen.palette();
    let mut grid = Grid::new(&[
        ("table", Align::Left),
        ("rows at the source", Align::Right),
        ("rows in the lake", Align::Right),
        ("", Align::Left),
    ]);
    let mut rows: Vec<Row> = Vec::new();
    let mut are_equal = true;
    for table in Table::ALL {
        let source = shop.table(table);
        let lake = open(pipeline, source.name(), None).await?;
        let found = proof::compare(&lake, source).await?;
        are_equal &= found.difference.is_none();
        rows.push(vec![
            format!("{SCHEMA}.{}", source.name()),
            count(found.source_rows as u64),
            count(found.lake_rows as u64),
            match found.difference {
                None => palette.good("equal"),
                Some(difference) => palette.bad(format!("DIFFERENT: {difference}")),
            },
        ]);
    }
    print(screen, &mut grid, &rows)?;
    Ok(are_equal)
}

/// Where everything is, and how to open it with other programs.
pub(super) fn next_steps(screen: &Screen, outcome: &Outcome, folder: &Folder) -> Result<()> {
    heading(screen, "Next steps")?;
    let root = outcome.folder.join("lake").join(SCHEMA).join(SHOWN_TABLE);
    let root = root.display();
    let then = outcome.tally.tables().get(&format!("{SCHEMA}.{SHOWN_TABLE}"));
    let then = then.and_then(|sum| sum.loaded).unwrap_or_default();
    let configuration = folder.configuration();
    let configuration = configuration.display();
    let strong = |text: &str| screen.palette().strong(text);
    screen.line(format_args!(
        "  {}   duckdb -c \"INSTALL delta; LOAD delta; FROM delta_scan('{root}') LIMIT 10\"",
        strong("DuckDB")
    ))?;
    screen.line(format_args!(
        "  {}   pip install deltalake pandas pyarrow
           python3 -c \"import deltalake; print(deltalake.DeltaTable('{root}').to_pandas())\"
           to_pandas() cannot read deletion vectors, which these tables do not have; deltalake's
           QueryBuilder can",
        strong("pandas")
    ))?;
    screen.line(format_args!(
        "  {}    pyspark --packages io.delta:delta-spark_2.13:4.0.1 \\
             --conf spark.sql.extensions=io.delta.sql.DeltaSparkSessionExtension \\
             --conf spark.sql.catalog.spark_catalog=org.apache.spark.sql.delta.catalog.DeltaCatalog
           spark.read.format('delta').option('versionAsOf', {then}).load('{root}').show()",
        strong("Spark")
    ))?;
    // The name by which this process was called; with `cargo run`, it is a path.
    let program = std::env::args().next().unwrap_or_else(|| "dmslake".into());
    screen.line(format_args!(
        "  {}  {program} apply --config {configuration}
           applies whatever else you stage; for now there is nothing to apply",
        strong("dmslake")
    ))
}

/// Opens a table of the lake, at a version or as it is now.
async fn open(pipeline: &Pipeline, table: &str, version: Option<u64>) -> Result<DeltaTable> {
    let name = TableName { schema: SCHEMA.to_owned(), table: table.to_owned() };
    let url = pipeline.lake_folder(&name)?.url().clone();
    let opened = match version {
        Some(version) => deltalake::open_table_with_version(url, version).await?,
        None => deltalake::open_table(url).await?,
    };
    Ok(opened)
}

fn heading(screen: &Screen, text: &str) -> Result<()> {
    screen.line(format_args!("\n{}", screen.palette().strong(text)))
}

fn print(screen: &Screen, grid: &mut Grid, rows: &[Row]) -> Result<()> {
    grid.fit(rows);
    screen.line(format_args!("  {}", grid.header(screen.palette())))?;
    for row in rows {
        screen.line(format_args!("  {}", grid.row(row)))?;
    }
    Ok(())
}
