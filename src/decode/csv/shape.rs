//! Determines the fields of a CSV object without a header: with or without the operation, with or
//! without the timestamp column.

use crate::config::ColumnSpec;
use crate::decode::columns::{Expected, Fields, OP};
use crate::decode::csv::header::{can_hold, check_no_header};
use crate::decode::csv::row::Row;
use crate::decode::op_column::is_always_there;
use crate::decode::values::text;
use crate::dms::{Operation, Phase};
use crate::error::{Error, Result};
use crate::staging::object_context::ObjectContext;

/// An instant in the format of the timestamp column.
const INSTANT: &[u8] = b"2022-10-24 17:59:02.000000";

/// What is seen in one of an object's first rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Glimpse {
    width: usize,
    /// The operation that the first field spells, if it does.
    operation: Option<Operation>,
    /// Whether the first and the second field could be the timestamp column.
    are_instants: [bool; 2],
}

impl Glimpse {
    pub(super) fn of(row: &Row<'_>) -> Self {
        let mut scratch = Vec::new();
        let operation = Operation::parse(row.field(0, &mut scratch).text);
        let mut is_instant = |position: usize| {
            position < row.width()
                && text::timestamp(row.field(position, &mut scratch).text).is_ok()
        };
        let are_instants = [is_instant(0), is_instant(1)];
        Self { width: row.width(), operation, are_instants }
    }
}

/// One way to read the fields of a row.
#[derive(Clone, Copy, Debug)]
struct Shape<'a> {
    operation: bool,
    timestamp: bool,
    /// The columns of the other fields, in order. The timestamp column may be among them, but is
    /// none of these fields.
    columns: &'a [ColumnSpec],
    /// How many of them are fields.
    count: usize,
}

impl Shape<'_> {
    fn leading(&self) -> usize {
        usize::from(self.operation) + usize::from(self.timestamp)
    }

    fn width(&self) -> usize {
        self.count + self.leading()
    }
}

/// Determines which fields the object has; `first` holds those of its first row.
///
/// The number of fields must be that of the layout, plus one each for the operation and the
/// timestamp column if the object has them. If one more field could be either, the values decide.
///
/// # Errors
/// `SchemaRefused`, with the number of fields seen and those allowed, or with both possible
/// readings of the rows.
pub(super) fn fields(
    first: &[Vec<u8>],
    glimpses: &[Glimpse],
    expected: &Expected<'_>,
    phase: &Phase,
    context: &ObjectContext,
) -> Result<Fields> {
    let choice = Choice { glimpses, expected, phase, context };
    let shapes = choice.shapes();
    let Some(plainest) = shapes.iter().find(|shape| shape.count > 0) else {
        return Err(context.refused(
            "the columns of a CSV object without a header are not known: list all of them in \
             `columns`, in file order",
        ));
    };
    let fitting = shapes.iter().find(|shape| shape.width() == first.len()).unwrap_or(plainest);
    check_no_header(first, &choice.columns(fitting), expected, context)?;
    let shape = choice.choose(&shapes)?;
    choice.check_complete(&shape)?;
    let timestamp = expected.dms.timestamp_column_name.clone();
    let mut names = Vec::with_capacity(shape.width());
    names.extend(shape.operation.then(|| OP.to_owned()));
    names.extend(timestamp.filter(|_| shape.timestamp));
    names.extend(choice.columns(&shape).into_iter().map(|column| column.name.clone()));
    Ok(Fields {
        names,
        physical: Vec::new(),
        operation: shape.operation.then_some(0),
        outgrown: Vec::new(),
    })
}

struct Choice<'a> {
    glimpses: &'a [Glimpse],
    expected: &'a Expected<'a>,
    phase: &'a Phase,
    context: &'a ObjectContext,
}

impl<'a> Choice<'a> {
    /// All shapes that the configuration allows.
    fn shapes(&self) -> Vec<Shape<'a>> {
        let layout = self.expected.layout;
        let may_stamp = self.expected.dms.timestamp_column_name.is_some();
        let stamps = if may_stamp { &[false, true][..] } else { &[false] };
        let mut shapes = Vec::new();
        let mut add = |columns: &'a [ColumnSpec], operations: &[bool]| {
            let count = columns.iter().filter(|column| !self.is_timestamp(column)).count();
            for &operation in operations {
                shapes.extend(stamps.iter().map(|&timestamp| Shape {
                    operation,
                    timestamp,
                    columns,
                    count,
                }));
            }
        };
        match layout.split_first() {
            // `Op` in the layout is either DMS's own field or a column of the source.
            Some((first, rest)) if first.name == OP => {
                let stated = self.expected.dms.include_op_for_full_load;
                let stated = if self.is_always() { Some(true) } else { stated };
                let with = if stated == Some(false) { &[false][..] } else { &[false, true] };
                let without = if stated == Some(true) { &[true][..] } else { &[false, true] };
                add(rest, with);
                add(layout, without);
            }
            _ => add(layout, &[false, true]),
        }
        shapes
    }

    fn is_timestamp(&self, column: &ColumnSpec) -> bool {
        Some(&column.name) == self.expected.dms.timestamp_column_name.as_ref()
    }

    fn is_always(&self) -> bool {
        is_always_there(self.phase, self.expected.dms)
    }

    /// The columns of a shape after its operation and timestamp.
    fn columns(&self, shape: &Shape<'a>) -> Vec<&'a ColumnSpec> {
        shape.columns.iter().filter(|column| !self.is_timestamp(column)).collect()
    }

    /// The shape of most of the first rows; if two widths are equally frequent, that of the first
    /// row. If the operation must be there, shapes without it serve only to explain the error.
    fn choose(&self, shapes: &[Shape<'a>]) -> Result<Shape<'a>> {
        let may_be = |shape: &&Shape<'a>| shape.operation || !self.is_always();
        let likely: Vec<&Shape<'a>> = shapes.iter().filter(may_be).collect();
        let most = |shapes: &[&Shape<'a>]| shapes.iter().map(|shape| self.fitting(shape)).max();
        let candidates =
            if most(&likely) > Some(0) { likely } else { shapes.iter().collect::<Vec<_>>() };
        let Some(count) = most(&candidates).filter(|count| *count > 0) else {
            return Err(self.misfit());
        };
        let best: Vec<&Shape<'a>> =
            candidates.into_iter().filter(|shape| self.fitting(shape) == count).collect();
        let width = self.glimpses.first().map(|glimpse| glimpse.width);
        let first = best.iter().find(|shape| Some(shape.width()) == width).or(best.first());
        let Some(first) = first else { return Err(self.misfit()) };
        if best.iter().filter(|shape| shape.width() == first.width()).count() > 1 {
            return Err(self.two_shapes());
        }
        Ok(**first)
    }

    /// How many rows have a shape. If the operation is optional, a shape with it counts only if most
    /// rows of its width begin with one.
    fn fitting(&self, shape: &Shape<'_>) -> usize {
        let of_width = self.glimpses.iter().filter(|glimpse| glimpse.width == shape.width());
        let all = of_width.clone().count();
        let fitting = of_width.filter(|glimpse| self.fits(shape, glimpse)).count();
        let is_doubtful = shape.operation && !self.is_always();
        if is_doubtful && fitting * 2 <= all { 0 } else { fitting }
    }

    fn fits(&self, shape: &Shape<'_>, glimpse: &Glimpse) -> bool {
        let is_stamped = glimpse.are_instants[usize::from(shape.operation)];
        let may_be_stamp = self.expected.dms.timestamp_column_name.is_some();
        let has_operation = match glimpse.operation {
            // A full load holds inserts only.
            Some(operation) => {
                operation == Operation::Insert || matches!(self.phase, Phase::Cdc { .. })
            }
            // A single unknown operation among changes is a bad row.
            None => self.is_always() && !(may_be_stamp && glimpse.are_instants[0]),
        };
        (is_stamped || !shape.timestamp) && (has_operation || !shape.operation)
    }

    /// Refuses a shape whose first column always holds what DMS writes before the columns: a column
    /// may be missing instead.
    fn check_complete(&self, shape: &Shape<'a>) -> Result<()> {
        let columns = self.columns(shape);
        let (Some(first), count) = (columns.first(), columns.len()) else { return Ok(()) };
        let all = |is: &dyn Fn(&Glimpse) -> bool| {
            let mut rows = self.glimpses.iter().filter(|glimpse| glimpse.width == shape.width());
            rows.all(is)
        };
        let dms = self.expected.dms;
        let begins_with_operation = all(&|glimpse| glimpse.operation.is_some());
        // For a first column named `Op` this has been decided already.
        if shape.leading() == 0 && first.name != OP && begins_with_operation {
            let may_lack = dms.include_op_for_full_load != Some(true) && !self.is_always();
            let mut letters = [&b"I"[..], b"U", b"D"].into_iter();
            let may_be_data =
                may_lack && letters.any(|letter| can_hold(first, letter, self.expected));
            if !may_be_data {
                return Err(self.lacking("`Op`", count, None));
            }
            if dms.include_op_for_full_load.is_none() {
                let otherwise = "if the rows carry no `Op`, set include_op_for_full_load = false \
                                 in [dms]";
                return Err(self.lacking("`Op`", count, Some(otherwise)));
            }
        }
        let position = usize::from(shape.operation);
        if dms.timestamp_column_name.is_some()
            && !shape.timestamp
            && all(&|glimpse| glimpse.are_instants[position])
        {
            let otherwise = "if the endpoint writes no timestamp column, take \
                             timestamp_column_name out of [dms]";
            let otherwise = can_hold(first, INSTANT, self.expected).then_some(otherwise);
            return Err(self.lacking("the timestamp column", count, otherwise));
        }
        Ok(())
    }

    /// The error for rows with the expected number of fields whose first field is not, or may not
    /// be, the first column.
    fn lacking(&self, field: &str, count: usize, otherwise: Option<&str>) -> Error {
        let from = &self.context.from;
        let remedy = format!(
            "if a column was dropped at the source, add a [[table.layout]] with from = {from:?} and \
             the columns that the object has"
        );
        match otherwise {
            None => self
                .context
                .refused(format!(
                    "every row begins with {field}, so the object lacks one of the {count} \
                     configured columns"
                ))
                .with_remedy(remedy),
            Some(otherwise) => self
                .context
                .refused(format!(
                    "every row begins with what may be {field}: either it is, and one of the \
                     {count} configured columns is missing, or it is the first column's value"
                ))
                .with_remedy(format!("{remedy}; {otherwise}")),
        }
    }

    fn two_shapes(&self) -> Error {
        let is_described = self.expected.layout.first().is_some_and(|first| first.name == OP);
        if !is_described {
            let from = &self.context.from;
            return self.context.refused("the first rows have different fields").with_remedy(
                format!(
                    "fix the rows at the source and stage the object again; or, if the columns \
                     changed, add a [[table.layout]] with from = {from:?} and the columns that the \
                     object has"
                ),
            );
        }
        self.context
            .refused(
                "the first column is `Op` and holds I in every row: either it is DMS's operation, \
                 or it is a column of the source and the rows carry no operation",
            )
            .with_remedy(
                "set include_op_for_full_load in [dms] as the endpoint has it: true if DMS wrote \
                 it, false if it is a column of the source",
            )
    }

    fn misfit(&self) -> Error {
        let layout = self.expected.layout.iter();
        let is_source = |column: &&ColumnSpec| column.name != OP && !self.is_timestamp(column);
        let columns = layout.filter(is_source).count();
        let timestamp = self.expected.dms.timestamp_column_name.is_some();
        let with = if timestamp { "`Op`, the timestamp column, or both" } else { "`Op`" };
        let most = columns + 1 + usize::from(timestamp);
        let seen = self.glimpses.first().map_or(0, |glimpse| glimpse.width);
        let message = if (columns..=most).contains(&seen) {
            format!(
                "the {seen} fields of the first row are neither the {columns} configured columns \
                 nor those with {with}"
            )
        } else {
            format!(
                "the first row has {seen} fields; allowed are the {columns} configured columns, \
                 alone or with {with}"
            )
        };
        let from = &self.context.from;
        self.context.refused(message).with_remedy(format!(
            "if columns were added or dropped at the source, add a [[table.layout]] with from = \
             {from:?} and all columns that the object has, in order; if the delimiter or the \
             timestamp column differs, fix csv_delimiter or timestamp_column_name in [dms]"
        ))
    }
}
