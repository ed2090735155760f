//! From the rows of a CSV object to Arrow columns.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray};

use crate::decode::DecodedBatch;
use crate::decode::batch::{Decoded, Findings};
use crate::decode::columns::{Output, Plan, Role};
use crate::decode::csv::cut::Dialect;
use crate::decode::csv::row::{CsvField, Row};
use crate::decode::flaw::Flaw;
use crate::decode::newest::NewestTime;
use crate::decode::rules::RowRules;
use crate::decode::sequence::SequenceTrack;
use crate::decode::values::appender::Appender;
use crate::dms::{Operation, S3Settings};
use crate::error::Result;
use crate::staging::object_context::ObjectContext;

/// The remedy if columns changed within an object: a layout applies to whole objects.
const OTHER_WIDTH: &str = "if columns were added or dropped at the source within the object, cut it \
    before that row and stage the two parts: the second under the same name with one more digit \
    (20240101-000000001 and 20240101-0000000011) and, if objects have no header, with a \
    [[table.layout]] from that name on; or reload the table in DMS and dmslake rebuild TABLE";

/// Initial capacity in rows: most change objects are small.
const FIRST_ROWS: usize = 256;

/// The texts that mean NULL and *value not supplied*.
pub(super) struct Markers {
    null: Marker,
    unset: Option<Marker>,
}

struct Marker {
    text: Vec<u8>,
    /// The marker itself would be quoted. If not, a quoted field is a value, not the marker.
    needs_quotes: bool,
}

impl Marker {
    fn new(text: &str, dialect: &Dialect) -> Self {
        let text = text.as_bytes().to_vec();
        Self { needs_quotes: dialect.needs_quotes(&text), text }
    }

    fn is(&self, field: CsvField<'_>) -> bool {
        field.text == self.text && (!field.quoted || self.needs_quotes)
    }
}

impl Markers {
    pub(super) fn new(dms: &S3Settings, dialect: &Dialect) -> Self {
        let marker = |text: &String| Marker::new(text, dialect);
        Self { null: marker(&dms.csv_null_value), unset: dms.csv_no_sup_value.as_ref().map(marker) }
    }

    /// Whether there is a marker for values that the log did not supply.
    pub(super) fn has_unset(&self) -> bool {
        self.unset.is_some()
    }

    pub(super) fn is_null(&self, field: CsvField<'_>) -> bool {
        self.null.is(field)
    }

    pub(super) fn is_unset(&self, field: CsvField<'_>) -> bool {
        self.unset.as_ref().is_some_and(|unset| unset.is(field))
    }
}

/// Turns rows into the columns of a batch.
pub(super) struct Decoder {
    pub(super) plan: Plan,
    pub(super) sequence: SequenceTrack,
    newest: NewestTime,
    markers: Markers,
    rules: RowRules,
    /// Whether a row of another width refuses the object: quoting leaves no doubt where values end.
    strict_width: bool,
    context: ObjectContext,
    appenders: Vec<Appender>,
    /// For each markable output: whether the row carries the marker there.
    unset: Vec<Vec<bool>>,
    operations: Vec<u8>,
    rows: Vec<u64>,
    findings: Findings,
    /// The text of the bad rows, by position.
    contents: HashMap<usize, String>,
    scratch: Vec<u8>,
}

impl Decoder {
    pub(super) fn new(
        plan: Plan,
        markers: Markers,
        rules: RowRules,
        strict_width: bool,
        context: ObjectContext,
        batch_rows: usize,
    ) -> Self {
        let room = batch_rows.min(FIRST_ROWS);
        let appender = |output: &Output| Appender::new(&output.reading, room);
        Self {
            appenders: plan.outputs.iter().map(appender).collect(),
            unset: vec![Vec::new(); plan.markable.len()],
            plan,
            sequence: SequenceTrack::default(),
            newest: NewestTime::default(),
            markers,
            rules,
            strict_width,
            context,
            operations: Vec::with_capacity(room),
            rows: Vec::with_capacity(room),
            findings: Findings::default(),
            contents: HashMap::new(),
            scratch: Vec::new(),
        }
    }

    /// Rows since the last batch, bad ones included.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Takes in one row, given its number.
    ///
    /// # Errors
    /// `SchemaRefused` if the row has another width than the object although values are quoted;
    /// `MalformedObject` if the change sequence decreases.
    pub(super) fn decode(&mut self, row: &Row<'_>, number: u64) -> Result<()> {
        let position = self.rows.len();
        self.rows.push(number);
        match self.operation(row, number)? {
            Ok(operation) => {
                self.operations.push(operation.code());
                self.append(row, operation, position);
            }
            Err(flaw) => {
                self.operations.push(Operation::Insert.code());
                self.findings.add(position, || flaw);
                self.appenders.iter_mut().for_each(Appender::append_null);
                self.unset.iter_mut().for_each(|marks| marks.push(false));
            }
        }
        if self.findings.is_bad(position) {
            let text = String::from_utf8_lossy(row.text()).into_owned();
            self.contents.insert(position, text);
        }
        Ok(())
    }

    /// The rows since the last batch as a batch.
    pub(super) fn finish(&mut self) -> Result<DecodedBatch> {
        let mut contents = std::mem::take(&mut self.contents);
        let findings = std::mem::take(&mut self.findings);
        let content = |position| contents.remove(&position).unwrap_or_default();
        let bad_rows = findings.bad_rows(&self.rows, content);
        let marks = |marks: &mut Vec<bool>| -> ArrayRef {
            Arc::new(BooleanArray::from(std::mem::take(marks)))
        };
        let decoded = Decoded {
            operations: std::mem::take(&mut self.operations),
            rows: std::mem::take(&mut self.rows),
            outputs: self.appenders.iter_mut().map(Appender::finish).collect(),
            unset: self.unset.iter_mut().map(marks).collect(),
        };
        decoded.without(bad_rows, &self.plan, &self.sequence, &self.newest)
    }

    /// The row's operation, or what is wrong with the row as a whole.
    fn operation(&mut self, row: &Row<'_>, number: u64) -> Result<Result<Operation, Flaw>> {
        if row.broken {
            return Ok(Err(Flaw::of_row("text follows a closing quote")));
        }
        let (width, expected) = (row.width(), self.plan.width);
        if width != expected {
            let reason = format!("the row has {width} fields, but the object has {expected}");
            if self.strict_width {
                let error = self.context.refused(reason).with("row", number);
                return Err(error.with_remedy(OTHER_WIDTH));
            }
            return Ok(Err(Flaw::of_row(reason)));
        }
        if let Some(sequence) = self.plan.sequence {
            let field = row.field(sequence, &mut self.scratch);
            if !self.markers.is_null(field) {
                self.sequence.follow(field.text, number, &self.context)?;
            }
        }
        if let Some(timestamp) = self.plan.timestamp {
            self.newest.follow(row.field(timestamp, &mut self.scratch).text);
        }
        let text = self.plan.operation.map(|field| row.field(field, &mut self.scratch).text);
        Ok(self.rules.operation(text))
    }

    fn append(&mut self, row: &Row<'_>, operation: Operation, position: usize) {
        let mut marks = self.unset.iter_mut();
        for (output, appender) in self.plan.outputs.iter().zip(&mut self.appenders) {
            let is_value = matches!(output.role, Role::Value { .. });
            let mark = if is_value { marks.next() } else { None };
            let field = row.field(output.field, &mut self.scratch);
            let is_unset = self.markers.is_unset(field);
            if let Some(mark) = mark {
                mark.push(is_unset && operation == Operation::Update);
            }
            if operation == Operation::Delete
                && matches!(output.role, Role::Value { .. } | Role::Added)
            {
                appender.append_null();
                continue;
            }
            let is_added = matches!(output.role, Role::Added | Role::Before | Role::Sequence);
            let is_null = self.markers.is_null(field) || (is_added && field.text.is_empty());
            if is_null || is_unset {
                appender.append_null();
                let flaw = match output.role {
                    Role::Key => Flaw::null_in_key(&output.source),
                    Role::Value { nullable: false }
                        if !is_unset || operation != Operation::Update =>
                    {
                        Flaw::null_in_required(&output.source)
                    }
                    _ => continue,
                };
                self.findings.add(position, || flaw);
                continue;
            }
            match appender.append(field.text) {
                Ok(false) if output.role == Role::Key => {
                    self.findings.add(position, || Flaw::null_in_key(&output.source));
                }
                Ok(_) => {}
                Err(fault) => {
                    appender.append_null();
                    self.findings.add(position, || Flaw::of_csv_value(output, fault));
                }
            }
        }
    }
}
