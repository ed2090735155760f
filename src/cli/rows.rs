//! Prints rows: for people, or as CSV, JSON or Parquet. All but those for people are printed as they
//! are computed.

use std::io::{self, BufWriter, IsTerminal as _, Write};

use arrow::array::RecordBatch;
use arrow::csv;
use arrow::datatypes::SchemaRef;
use arrow::json;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::dataframe::DataFrame;
use futures::TryStreamExt as _;
use parquet::arrow::ArrowWriter;

use super::args::RowFormat;
use super::output::{Align, Grid, Row, Screen, plural};
use crate::error::{Error, ErrorKind, Result};

/// Prints rows on standard output.
///
/// # Errors
/// Whatever keeps them from being computed; `Config` for Parquet on a terminal; `Unavailable` if
/// standard output cannot be written, but not if its reader has gone away.
pub(super) async fn print(rows: DataFrame, format: RowFormat, screen: &Screen) -> Result<()> {
    if format == RowFormat::Table {
        return for_people(rows, screen).await;
    }
    if format == RowFormat::Parquet && io::stdout().is_terminal() {
        return Err(Error::new(ErrorKind::Config, "a Parquet file is not for a terminal")
            .with_remedy("write it to a file: dmslake … --format parquet > rows.parquet"));
    }
    let mut rows = rows.execute_stream().await?;
    let mut writer = RowWriter::new(format, rows.schema())?;
    while let Some(batch) = rows.try_next().await? {
        if !writer.write(&batch)? {
            return Ok(());
        }
    }
    writer.finish()
}

type Out = BufWriter<io::Stdout>;

/// Rows on their way to standard output.
enum RowWriter {
    Csv(Box<csv::Writer<Out>>),
    Json(json::LineDelimitedWriter<Out>),
    Parquet(Box<ArrowWriter<Out>>),
}

impl RowWriter {
    fn new(format: RowFormat, schema: SchemaRef) -> Result<Self> {
        let out = BufWriter::new(io::stdout());
        Ok(match format {
            RowFormat::Csv => {
                let mut writer = csv::WriterBuilder::new().with_header(true).build(out);
                // The header stands even where no row follows.
                writer.write(&RecordBatch::new_empty(schema))?;
                Self::Csv(Box::new(writer))
            }
            RowFormat::Json => Self::Json(json::LineDelimitedWriter::new(out)),
            RowFormat::Table | RowFormat::Parquet => {
                Self::Parquet(Box::new(ArrowWriter::try_new(out, schema, None)?))
            }
        })
    }

    /// Writes rows; false if nobody reads them any more.
    fn write(&mut self, rows: &RecordBatch) -> Result<bool> {
        match self {
            Self::Csv(writer) => is_read(writer.write(rows)),
            Self::Json(writer) => is_read(writer.write(rows)),
            Self::Parquet(writer) => {
                writer.write(rows)?;
                Ok(true)
            }
        }
    }

    fn finish(self) -> Result<()> {
        match self {
            Self::Csv(writer) => is_read(writer.into_inner().flush()).map(drop),
            Self::Json(mut writer) => {
                is_read(writer.finish())?;
                is_read(writer.into_inner().flush()).map(drop)
            }
            Self::Parquet(writer) => {
                let mut out = writer.into_inner()?;
                is_read(out.flush()).map(drop)
            }
        }
    }
}

/// Whether what was written has a reader still.
fn is_read<E: std::error::Error + Send + Sync + 'static>(written: Result<(), E>) -> Result<bool> {
    let Err(error) = written else { return Ok(true) };
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(inner) = cause {
        if inner
            .downcast_ref::<io::Error>()
            .is_some_and(|it| it.kind() == io::ErrorKind::BrokenPipe)
        {
            return Ok(false);
        }
        cause = inner.source();
    }
    Err(Error::new(ErrorKind::Unavailable, "standard output cannot be written").because(error))
}

/// Prints aligned columns; rows that are too wide for the screen as blocks of a line a column.
async fn for_people(rows: DataFrame, screen: &Screen) -> Result<()> {
    let batches = rows.collect().await?;
    let Some(first) = batches.first() else {
        return screen.line("no row");
    };
    let schema = first.schema();
    let headings: Vec<(&str, Align)> = schema
        .fields()
        .iter()
        .map(|field| {
            let is_number = field.data_type().is_numeric();
            (field.name().as_str(), if is_number { Align::Right } else { Align::Left })
        })
        .collect();
    let mut cells: Vec<Row> = Vec::new();
    for batch in &batches {
        cells.extend(texts(batch)?);
    }
    let mut grid = Grid::new(&headings);
    grid.fit(&cells);
    if grid.width() <= screen.width() {
        screen.line(grid.header(screen.palette()))?;
        cells.iter().try_for_each(|row| screen.line(grid.row(row)))?;
    } else {
        let label = headings.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
        for (number, row) in cells.iter().enumerate() {
            screen.line(screen.palette().faint(format_args!("row {}", number + 1)))?;
            for ((name, _), cell) in headings.iter().zip(row) {
                screen.line(format!("  {name:<label$}  {cell}").trim_end())?;
            }
        }
    }
    screen.line(screen.palette().faint(plural(cells.len() as u64, "row")))
}

/// The values of rows as people read them.
fn texts(rows: &RecordBatch) -> Result<Vec<Row>> {
    let options = FormatOptions::default().with_null("NULL");
    let columns = rows.columns().iter().map(|column| ArrayFormatter::try_new(column, &options));
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    let text = |row: usize| columns.iter().map(|column| column.value(row).to_string()).collect();
    Ok((0..rows.num_rows()).map(text).collect())
}
