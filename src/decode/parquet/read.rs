//! Decodes Parquet objects.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::compute::nullif;
use arrow::datatypes::{DataType, Schema};
use arrow::record_batch::RecordBatch;

use crate::decode::DecodedBatch;
use crate::decode::batch::{Decoded, Findings};
use crate::decode::bounds::ReadBounds;
use crate::decode::column_checks::refused_type;
use crate::decode::columns::{Expected, Fields, Output, Plan, Role};
use crate::decode::flaw::Flaw;
use crate::decode::newest::NewestTime;
use crate::decode::op_column::{self, OpValues, check_there};
use crate::decode::parquet::content::row_as_json;
use crate::decode::parquet::outgrown::outgrown;
use crate::decode::parquet::rows::ParquetRows;
use crate::decode::rules::RowRules;
use crate::decode::sequence::{OTHER_SEQUENCE, SequenceTrack};
use crate::decode::values::cast;
use crate::decode::values::faults::Faults;
use crate::decode::values::reading::Reading;
use crate::dms::{Operation, Phase};
use crate::error::{Error, Result};
use crate::staging::fetch::ObjectBytes;
use crate::staging::object_context::ObjectContext;

/// A Parquet object that has rows.
pub(in crate::decode) struct ParquetReader {
    stream: ParquetRows,
    /// The first batch, which was read to determine the fields.
    waiting: Option<RecordBatch>,
    /// The annotated types of the fields.
    physical: Vec<DataType>,
    plan: Plan,
    rules: RowRules,
    sequence: SequenceTrack,
    newest: NewestTime,
    context: ObjectContext,
    /// Rows of the object read so far, skipped ones included.
    passed: u64,
}

impl ParquetReader {
    /// Opens an object and determines its fields; `None` if it has no rows.
    pub(in crate::decode) async fn open(
        bytes: &ObjectBytes,
        expected: &Expected<'_>,
        phase: &Phase,
        read_bounds: ReadBounds,
    ) -> Result<Option<Self>> {
        let context = bytes.context.clone();
        let Some((mut stream, schema)) = ParquetRows::open(bytes, read_bounds).await? else {
            return Ok(None);
        };
        let waiting = stream.next().await?;
        let mut fields = fields(&schema, waiting.as_ref(), expected, phase, &context)?;
        check_there(fields.operation.is_some(), phase, expected.dms, &context)?;
        let rules = RowRules::new(expected.table, phase);
        let mut plan = Plan::new(&fields, expected, false, &context)?;
        fields.outgrown = outgrown(&plan, &fields, expected, &stream, waiting.as_ref())?;
        if !fields.outgrown.is_empty() {
            plan = Plan::new(&fields, expected, false, &context)?;
        }
        let physical = fields.physical;
        check_types(&plan, &physical, &context)?;
        let (sequence, newest) = (SequenceTrack::default(), NewestTime::default());
        let passed = read_bounds.skip_rows;
        Ok(Some(Self { stream, waiting, physical, plan, rules, sequence, newest, context, passed }))
    }

    pub(in crate::decode) fn plan(&self) -> &Plan {
        &self.plan
    }

    pub(in crate::decode) fn sequence(&self) -> &SequenceTrack {
        &self.sequence
    }

    /// The next rows; `None` at the end.
    pub(in crate::decode) async fn next(&mut self) -> Result<Option<DecodedBatch>> {
        if let Some(batch) = self.waiting.take() {
            return self.decode(&batch).map(Some);
        }
        match self.stream.next().await? {
            Some(batch) => self.decode(&batch).map(Some),
            None => Ok(None),
        }
    }

    fn decode(&mut self, batch: &RecordBatch) -> Result<DecodedBatch> {
        let first_row = self.passed + 1;
        self.passed += batch.num_rows() as u64;
        let rows: Vec<u64> = (first_row..=self.passed).collect();
        self.follow_sequence(batch, &rows)?;
        self.follow_time(batch);
        let mut findings = Findings::default();
        let operations = self.operations(batch, &mut findings);
        let is_delete: BooleanArray =
            operations.iter().map(|code| Some(*code == Operation::Delete.code())).collect();
        let deletes = (is_delete.true_count() > 0).then_some(&is_delete);
        let mut outputs = Vec::with_capacity(self.plan.outputs.len());
        for output in &self.plan.outputs {
            outputs.push(self.column(batch, output, &is_delete, deletes, &mut findings)?);
        }
        let content = |position| row_as_json(batch, &self.physical, position);
        let bad_rows = findings.bad_rows(&rows, content);
        let decoded = Decoded { operations, rows, outputs, unset: Vec::new() };
        decoded.without(bad_rows, &self.plan, &self.sequence, &self.newest)
    }

    /// The codes of the rows' operations; bad ones are noted.
    fn operations(&self, batch: &RecordBatch, findings: &mut Findings) -> Vec<u8> {
        let Some(field) = self.plan.operation else {
            return vec![Operation::Insert.code(); batch.num_rows()];
        };
        let texts = batch.column(field).as_binary::<i32>();
        let code = |(position, text): (usize, Option<&[u8]>)| {
            match self.rules.operation(Some(text.unwrap_or_default())) {
                Ok(operation) => operation.code(),
                Err(flaw) => {
                    findings.add(position, || flaw);
                    // The values of a deleted row are not checked.
                    Operation::Delete.code()
                }
            }
        };
        texts.iter().enumerate().map(code).collect()
    }

    /// One column of the batch in the lake's type; faulty rows are noted.
    fn column(
        &self,
        batch: &RecordBatch,
        output: &Output,
        is_delete: &BooleanArray,
        deletes: Option<&BooleanArray>,
        findings: &mut Findings,
    ) -> Result<ArrayRef> {
        let source = output.source.as_str();
        let physical = &self.physical[output.field];
        let mut input = Arc::clone(batch.column(output.field));
        if matches!(output.role, Role::Value { .. } | Role::Added)
            && let Some(deletes) = deletes
        {
            input = nullif(&input, deletes)?;
        }
        if matches!(output.role, Role::Added | Role::Before | Role::Sequence)
            && *physical == DataType::Utf8
        {
            input = without_empty(&input)?;
        }
        if output.role == (Role::Value { nullable: false }) && input.null_count() > 0 {
            for position in nulls(&input).filter(|position| !is_delete.value(*position)) {
                findings.add(position, || Flaw::null_in_required(source));
            }
        }
        let mut faults = Faults::new();
        let column = cast::read(&input, physical, &output.reading, &mut faults)?;
        for (position, fault) in faults {
            findings.add(position, || Flaw::of_value(output, fault));
        }
        if output.role == Role::Key && column.null_count() > 0 {
            for position in nulls(&column) {
                findings.add(position, || Flaw::null_in_key(source));
            }
        }
        Ok(column)
    }

    fn follow_sequence(&mut self, batch: &RecordBatch, rows: &[u64]) -> Result<()> {
        let Some(field) = self.plan.sequence else { return Ok(()) };
        for (text, row) in batch.column(field).as_binary::<i32>().iter().zip(rows) {
            self.sequence.follow(text.unwrap_or_default(), *row, &self.context)?;
        }
        Ok(())
    }

    fn follow_time(&mut self, batch: &RecordBatch) {
        let Some(field) = self.plan.timestamp else { return };
        // Whatever else it is, it is no time as DMS writes it.
        let Some(texts) = batch.column(field).as_binary_opt::<i32>() else { return };
        texts.iter().flatten().for_each(|text| self.newest.follow(text));
    }
}

/// The fields of the object.
fn fields(
    schema: &Schema,
    first: Option<&RecordBatch>,
    expected: &Expected<'_>,
    phase: &Phase,
    context: &ObjectContext,
) -> Result<Fields> {
    let physical: Vec<DataType> =
        schema.fields().iter().map(|field| field.data_type().clone()).collect();
    let names: Vec<String> = schema.fields().iter().map(|field| field.name().clone()).collect();
    let is_text = physical.first() == Some(&DataType::Utf8);
    let values = first.filter(|_| is_text).map(|batch| {
        let mut values = OpValues::default();
        batch.column(0).as_binary::<i32>().iter().for_each(|value| values.add(value));
        values
    });
    let operation = op_column::find(&names, values, expected, phase, context)?;
    Ok(Fields { names, physical, operation, outgrown: Vec::new() })
}

fn check_types(plan: &Plan, physical: &[DataType], context: &ObjectContext) -> Result<()> {
    for output in &plan.outputs {
        let physical = &physical[output.field];
        if !cast::is_readable(output.reading.domain, physical) {
            let Reading { label, target, .. } = &output.reading;
            let message =
                format!("the object's {physical} cannot be read as {label} ({target} in the lake)");
            return Err(refused_type(context, &output.source, message));
        }
    }
    match plan.sequence.map(|field| &physical[field]) {
        None | Some(DataType::Utf8 | DataType::Binary) => Ok(()),
        Some(other) => Err(refused_sequence(context, other)),
    }
}

fn refused_sequence(context: &ObjectContext, physical: &DataType) -> Error {
    context
        .refused(format!("the change sequence is {physical}, but must be text"))
        .with_remedy(OTHER_SEQUENCE)
}

fn without_empty(input: &ArrayRef) -> Result<ArrayRef> {
    let texts = input.as_binary::<i32>();
    if texts.iter().flatten().all(|text| !text.is_empty()) {
        return Ok(Arc::clone(input));
    }
    let is_empty: BooleanArray =
        texts.iter().map(|text| Some(text.is_some_and(<[u8]>::is_empty))).collect();
    Ok(nullif(input, &is_empty)?)
}

fn nulls(array: &ArrayRef) -> impl Iterator<Item = usize> {
    (0..array.len()).filter(|position| array.is_null(*position))
}
