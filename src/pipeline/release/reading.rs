//! Rows of the quarantine, decoded again under the present configuration.

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::datatypes::UInt64Type;

use crate::config::SEQUENCE;
use crate::decode::{BadRow, FieldText, ROW, SourceRow, UNSET, csv_field_names, open};
use crate::dms::Format;
use crate::error::{Error, ErrorKind, Result};
use crate::pipeline::release::place::Place;
use crate::pipeline::release::staged::Staged;
use crate::quarantine::QuarantinedRow;
use crate::schema::{Column, TableSchema};
use crate::staging::StagedObject;

/// A field that an operator gives another value, by the name of its column at the source; none is
/// NULL.
pub type Repair = (String, Option<String>);

/// A row of the quarantine that the table has taken in.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) row: QuarantinedRow,
    pub(super) place: Place,
    /// Its object: as it is staged, or as it was.
    pub(super) object: StagedObject,
    pub(super) is_staged: bool,
    /// Whether all rows of the table were removed since it was taken in.
    pub(super) emptied_since: bool,
    /// The version that took it in, if the log still tells.
    pub(super) version: Option<u64>,
}

/// One of them that can be decoded.
#[derive(Clone, Debug)]
pub(super) struct Readable {
    pub(super) candidate: Candidate,
    /// The change: a batch of one row, as decoding makes it.
    pub(super) change: RecordBatch,
}

impl Readable {
    /// Its change sequence, if the table keeps one.
    pub(super) fn sequence(&self) -> Option<&str> {
        let sequences = self.change.column_by_name(SEQUENCE)?.as_string_opt::<i32>()?;
        sequences.is_valid(0).then(|| sequences.value(0))
    }

    /// Whether it keeps values of its row as they are.
    pub(super) fn keeps_values(&self) -> bool {
        keeps_values(&self.change, 0)
    }
}

/// Whether a decoded change keeps values of its row.
pub(super) fn keeps_values(changes: &RecordBatch, row: usize) -> bool {
    let schema = changes.schema();
    let mut flags = schema.fields().iter().zip(changes.columns());
    flags.any(|(field, column)| {
        let flags: Option<&BooleanArray> = column.as_boolean_opt();
        field.name().starts_with(UNSET) && flags.is_some_and(|flags| flags.value(row))
    })
}

/// A row that cannot be decoded, and why.
pub(super) type Unreadable = (Candidate, BadRow);

/// Decodes candidates, given in order.
///
/// # Errors
/// `Unavailable` if staging cannot be read, `Conflict` if an object changes meanwhile.
pub(super) async fn read(
    staged: &Staged<'_>,
    lake: &TableSchema,
    candidates: Vec<Candidate>,
    repairs: &[Repair],
) -> Result<(Vec<Readable>, Vec<Unreadable>)> {
    let (mut readable, mut unreadable) = (Vec::new(), Vec::new());
    for group in candidates.chunk_by(|one, other| one.row.identity == other.row.identity) {
        let decoded = if repairs.is_empty() && group.iter().all(|it| it.is_staged) {
            of_object(staged, lake, group).await
        } else {
            of_content(staged, lake, group, repairs).await
        };
        let decoded = match decoded {
            Ok(decoded) => decoded,
            Err(error) if is_of_others(&error) => return Err(error),
            Err(error) => group.iter().map(|it| Err(flaw(it, error.chain()))).collect(),
        };
        for (candidate, decoded) in group.iter().zip(decoded) {
            match decoded {
                Ok(change) => readable.push(Readable { candidate: candidate.clone(), change }),
                Err(bad) => unreadable.push((candidate.clone(), bad)),
            }
        }
    }
    Ok((readable, unreadable))
}

/// Whether an error says nothing of the rows.
pub(super) fn is_of_others(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Unavailable
            | ErrorKind::StoreRefused
            | ErrorKind::Conflict
            | ErrorKind::Deadline
            | ErrorKind::Internal
    )
}

type Decoded = std::result::Result<RecordBatch, BadRow>;

/// Rows of one object that is staged, in the order of the object.
async fn of_object(
    staged: &Staged<'_>,
    lake: &TableSchema,
    group: &[Candidate],
) -> Result<Vec<Decoded>> {
    let Some(first) = group.first() else { return Ok(Vec::new()) };
    let mut reader = open(&staged.context(lake), &first.object, first.row.row - 1).await?;
    let stranger = stranger(reader.columns(), lake);
    let mut decoded: Vec<Option<Decoded>> = vec![None; group.len()];
    while decoded.last().is_some_and(Option::is_none)
        && let Some(batch) = reader.next().await?
    {
        let numbers = batch.changes[ROW].as_primitive::<UInt64Type>().values();
        for (candidate, decoded) in group.iter().zip(&mut decoded) {
            let wanted = candidate.row.row;
            if let Ok(at) = numbers.binary_search(&wanted) {
                *decoded = Some(Ok(batch.changes.slice(at, 1)));
            } else if let Some(bad) = batch.bad_rows.iter().find(|bad| bad.row == wanted) {
                *decoded = Some(Err(bad.clone()));
            }
        }
    }
    let missing = |candidate: &Candidate| flaw(candidate, "the object has no such row".to_owned());
    let found = group.iter().zip(decoded).map(|(candidate, decoded)| match (&stranger, decoded) {
        (Some(column), Some(Ok(_))) => Err(flaw(candidate, lacking(column))),
        (_, Some(decoded)) => decoded,
        (_, None) => Err(missing(candidate)),
    });
    Ok(found.collect())
}

/// Rows of one object from what the quarantine keeps of them.
async fn of_content(
    staged: &Staged<'_>,
    lake: &TableSchema,
    group: &[Candidate],
    repairs: &[Repair],
) -> Result<Vec<Decoded>> {
    let Some(first) = group.first() else { return Ok(Vec::new()) };
    let context = staged.context(lake);
    let names = if first.object.name.format == Format::Csv && first.is_staged {
        Some(open(&context, &first.object, 0).await?.field_names().to_vec())
    } else {
        None
    };
    let mut decoded = Vec::with_capacity(group.len());
    for candidate in group {
        let kept = &candidate.row.content;
        let row = match (candidate.object.name.format, &names) {
            (Format::Parquet, _) => SourceRow::of_json(kept)
                .ok_or_else(|| "what the quarantine keeps is no row of Parquet".to_owned()),
            (Format::Csv, Some(names)) => SourceRow::of_csv(kept, names, context.dms),
            (Format::Csv, None) => match csv_field_names(&context, &candidate.object, kept).await {
                Ok(names) => SourceRow::of_csv(kept, &names, context.dms),
                Err(error) if is_of_others(&error) => return Err(error),
                Err(error) => Err(error.chain()),
            },
        };
        decoded.push(match row.and_then(|row| repaired(row, repairs)) {
            Ok(row) => match row.decode(&context, &candidate.object).await {
                Ok((columns, batch)) => match (stranger(&columns, lake), batch.bad_rows.first()) {
                    (_, Some(bad)) => Err(BadRow { row: candidate.row.row, ..bad.clone() }),
                    (Some(column), None) => Err(flaw(candidate, lacking(&column))),
                    (None, None) => Ok(batch.changes),
                },
                Err(error) if is_of_others(&error) => return Err(error),
                Err(error) => Err(flaw(candidate, error.chain())),
            },
            Err(reason) => Err(flaw(candidate, reason)),
        });
    }
    Ok(decoded)
}

fn repaired(mut row: SourceRow, repairs: &[Repair]) -> std::result::Result<SourceRow, String> {
    for (column, value) in repairs {
        let value = value.clone().map_or(FieldText::Null, FieldText::Text);
        if !row.set(column, &value) {
            return Err(format!("the row has no field `{column}` that could be set"));
        }
    }
    match row.lossy() {
        Some(column) => Err(format!(
            "the bytes of `{column}` are no text, and the quarantine keeps text alone: give it a value"
        )),
        None => Ok(row),
    }
}

/// A column of an object that the table has not, or not in that type.
fn stranger(columns: &[Column], lake: &TableSchema) -> Option<String> {
    let is_known = |column: &&Column| {
        lake.column(&column.name).is_some_and(|it| it.column_type == column.column_type)
    };
    columns.iter().find(|column| !is_known(column)).map(|column| column.name.clone())
}

fn lacking(column: &str) -> String {
    format!("the table lacks its column `{column}`, or has another type of it")
}

fn flaw(candidate: &Candidate, reason: String) -> BadRow {
    let QuarantinedRow { row, content, .. } = &candidate.row;
    BadRow { row: *row, column: None, reason, remedy: None, content: content.clone() }
}
