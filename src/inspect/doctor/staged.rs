//! Whether the newest staged objects can be decoded, and `[dms]` is as they show it.

use arrow::array::{Array as _, AsArray as _};
use arrow::record_batch::RecordBatch;

use crate::config::TableSpec;
use crate::decode::{self, DecodeContext};
use crate::disposition::{remedy_for, remedy_of};
use crate::dms::Phase;
use crate::error::{Error, ErrorKind, Result};
use crate::inspect::doctor::table::unreadable;
use crate::inspect::doctor::{Check, Finding, Severity};
use crate::pipeline::{Limits, Pipeline};
use crate::schema::ColumnChange;
use crate::staging::{Listing, StagedObject};
use crate::storage::with_whole_paths;
use crate::table::LakeTable;

/// So many rows at the beginning of an object are decoded, or
const ROWS: usize = 1_000;
/// so many of its bytes.
const BYTES: usize = 4 << 20;

/// What a table's objects are read with.
pub(super) struct Sight<'a> {
    pub(super) pipeline: &'a Pipeline,
    pub(super) spec: &'a TableSpec,
    pub(super) table: Option<&'a LakeTable>,
    /// How its columns are to be changed before the next object is applied.
    pub(super) changes: &'a [ColumnChange],
}

/// What the beginning of an object shows.
struct Sample {
    /// The names of its fields; empty if it has no rows.
    names: Vec<String>,
    rows: u64,
    bad_rows: u64,
    /// A column of the table in which each value has the form of a change sequence.
    sequence: Option<String>,
    /// Where the first bad row is, and why it is bad.
    first_bad: Option<String>,
}

/// Decodes the beginnings of the newest full-load object and of the newest change object; `held`
/// is why the table is held, which is not told twice.
pub(super) async fn look(sight: &Sight<'_>, listing: &Listing, held: Option<&str>) -> Vec<Finding> {
    let source = &sight.spec.source;
    let mut findings = about_names(sight, listing);
    let (loads, changes): (Vec<&StagedObject>, Vec<&StagedObject>) = listing
        .objects
        .iter()
        .filter(|object| object.size > 0)
        .partition(|object| object.name.phase.is_full_load());
    let newest = [loads.last(), changes.last()].into_iter().flatten();
    let mut decoded = Vec::new();
    for object in newest {
        match sample(sight, object).await {
            Ok(sample) => {
                findings.extend(bad_rows(sight, object, &sample));
                if matches!(object.name.phase, Phase::Cdc { .. }) {
                    findings.extend(columns(sight, object, &sample));
                }
                if sample.bad_rows == 0 {
                    decoded.push(format!("{} ({})", object.relative, sample.rows));
                }
            }
            Err(error) => {
                let told = error.chain();
                if held.is_none_or(|held| !held.contains(error.message())) {
                    findings.push(undecoded(sight, told, &error));
                }
            }
        }
    }
    if !decoded.is_empty() {
        let what = format!("read as configured, the first rows of {}", decoded.join(", "));
        findings.push(Finding::new(Severity::Ok, Check::Decoding, what).of(source));
    } else if loads.is_empty() && changes.is_empty() {
        let what = "nothing with rows is staged for it";
        findings.push(Finding::new(Severity::Skipped, Check::Decoding, what).of(source));
    }
    if findings.iter().all(|it| it.check != Check::Settings) && !decoded.is_empty() {
        let what = "[dms] is as its newest objects show it";
        findings.push(Finding::new(Severity::Ok, Check::Settings, what).of(source));
    }
    findings
}

async fn sample(sight: &Sight<'_>, object: &StagedObject) -> Result<Sample> {
    let Sight { pipeline, spec, table, changes } = *sight;
    let staging = pipeline.staging_folder(&spec.source)?;
    let lake = pipeline.lake_folder(&spec.source)?;
    let context = DecodeContext {
        table: spec,
        dms: &pipeline.settings().dms,
        lake: table.map(LakeTable::schema),
        changes,
        store: staging.store(),
        kind: staging.kind(),
        batch_rows: ROWS,
        batch_bytes: BYTES,
        memory_budget: pipeline.memory_budget(&Limits::default()),
    };
    let completed = |error| with_whole_paths(error, &staging, &lake);
    let mut reader = Box::pin(decode::open(&context, object, 0)).await.map_err(completed)?;
    let names = reader.field_names().to_vec();
    let Some(batch) = Box::pin(reader.next()).await.map_err(completed)? else {
        return Ok(Sample { names, rows: 0, bad_rows: 0, sequence: None, first_bad: None });
    };
    let bad_rows = batch.bad_rows.len();
    let first_bad = batch.bad_rows.first().map(|bad| {
        let column = bad.column.as_ref().map(|column| format!(", column {column}"));
        format!("row {}{}: {}", bad.row, column.unwrap_or_default(), bad.reason)
    });
    let rows = batch.changes.num_rows() + bad_rows;
    let sequence = sequence_like(&batch.changes);
    Ok(Sample { names, rows: rows as u64, bad_rows: bad_rows as u64, sequence, first_bad })
}

/// The column whose every value has 35 digits, as DMS writes change sequences.
fn sequence_like(changes: &RecordBatch) -> Option<String> {
    const DIGITS: usize = 35;
    let is_one =
        |text: &str| text.len() == DIGITS && text.bytes().all(|digit| digit.is_ascii_digit());
    let schema = changes.schema();
    let mut columns = schema.fields().iter().zip(changes.columns());
    let found = columns.find(|(_, values)| {
        let texts = values.as_string_opt::<i32>();
        texts.is_some_and(|texts| {
            !texts.is_empty() && texts.iter().all(|text| text.is_some_and(is_one))
        })
    });
    found.map(|(field, _)| field.name().clone())
}

fn undecoded(sight: &Sight<'_>, told: String, error: &Error) -> Finding {
    let source = &sight.spec.source;
    if error.kind() == ErrorKind::StoreRefused {
        return unreadable(Check::Staging, error.message())
            .with_advice(remedy_of(error))
            .then(super::places::look_into(sight.pipeline.staging()));
    }
    Finding::new(Severity::Problem, Check::Decoding, told)
        .of(source)
        .with_advice(remedy_for(error, &source.to_string()))
        .then(format!("dmslake doctor {source}"))
}

fn bad_rows(sight: &Sight<'_>, object: &StagedObject, sample: &Sample) -> Option<Finding> {
    let first = sample.first_bad.as_ref()?;
    let source = &sight.spec.source;
    let what = format!(
        "rows that cannot be decoded among the first {} of {}: {}; {first}",
        sample.rows, object.relative, sample.bad_rows
    );
    let is_set_aside = sight.spec.on_bad_row == crate::config::OnBadRow::Quarantine;
    Some(if is_set_aside {
        Finding::new(Severity::Warning, Check::Decoding, what)
            .of(source)
            .with_advice("they go to the quarantine: see why, and let them come back repaired")
            .then(format!("dmslake quarantine list {source}"))
    } else {
        Finding::new(Severity::Problem, Check::Decoding, what)
            .of(source)
            .with_advice("fix the column in the configuration, or set on_bad_row = \"quarantine\"")
            .then(format!("dmslake doctor {source}"))
    })
}

/// What the objects' names show.
fn about_names(sight: &Sight<'_>, listing: &Listing) -> Vec<Finding> {
    let source = &sight.spec.source;
    let dms = &sight.pipeline.settings().dms;
    let mut findings = Vec::new();
    let mut add = |severity, what: String, advice: String, next: String| {
        let finding = Finding::new(severity, Check::Settings, what).of(source);
        findings.push(finding.with_advice(advice).then(next));
    };
    let again = format!("dmslake doctor {source}");
    for warning in sight.pipeline.settings().warnings_of(sight.spec) {
        let advice = "let the endpoint write every change, and load the table again";
        add(
            Severity::Warning,
            warning,
            advice.into(),
            "aws dms describe-endpoints --filters Name=endpoint-type,Values=target".into(),
        );
    }
    if let Some(first) = listing.foreign.first() {
        let what = format!(
            "objects with names that DMS does not give, which are not applied: {}, such as {first}",
            listing.foreign.len()
        );
        let advice = "find out who writes them, and keep staging to DMS";
        let folder = sight.pipeline.staging_folder(source);
        let next = folder.map(|folder| super::places::look_into(&folder)).unwrap_or(again.clone());
        add(Severity::Warning, what, advice.into(), next);
    }
    let is_change = |object: &&StagedObject| matches!(object.name.phase, Phase::Cdc { .. });
    let newest = listing.objects.iter().rfind(is_change);
    match newest.map(|newest| newest.relative.contains('/')) {
        Some(true) if !dms.date_partition_enabled => add(
            Severity::Warning,
            "change objects are in folders of dates, and date_partition_enabled is not set".into(),
            "set date_partition_enabled = true in [dms]: without it an event may look past some"
                .into(),
            again,
        ),
        Some(false) if dms.date_partition_enabled => add(
            Severity::Note,
            "date_partition_enabled is set, and the newest change object is in no folder of a date"
                .into(),
            "if the endpoint writes no such folders, remove it: each event then lists less".into(),
            again,
        ),
        _ => {}
    }
    findings
}

/// What the columns of the newest change object show.
fn columns(sight: &Sight<'_>, object: &StagedObject, sample: &Sample) -> Vec<Finding> {
    let names = &sample.names;
    let (spec, dms) = (sight.spec, &sight.pipeline.settings().dms);
    if names.is_empty() {
        return Vec::new();
    }
    let has = |wanted: &str| names.iter().any(|name| name.eq_ignore_ascii_case(wanted));
    let again = format!("dmslake doctor {}", spec.source);
    let mut findings = Vec::new();
    let mut add = |severity, what: String, advice: &str| {
        let finding = Finding::new(severity, Check::Settings, what).of(&spec.source);
        findings.push(finding.with_advice(advice).then(again.clone()));
    };
    let lacks = |key: &str, column: &str| {
        format!("{key} is {column}, and {} has no such column", object.relative)
    };
    let timestamp = dms.timestamp_column_name.as_deref();
    if let Some(column) = timestamp.filter(|column| !has(column)) {
        add(
            Severity::Warning,
            lacks("timestamp_column_name", column),
            "set it to the endpoint's TimestampColumnName: without it nobody knows how late the \
             table is",
        );
    }
    let sequence = dms.change_seq_column.as_deref();
    if let Some(column) = sequence.filter(|column| !has(column)) {
        add(
            Severity::Warning,
            lacks("change_seq_column", column),
            "name the column of the task's AR_H_CHANGE_SEQ rule, or add that rule for the table: \
             without it a late object holds the table",
        );
    }
    if let Some(column) = sample.sequence.as_ref().filter(|_| sequence.is_none()) {
        add(
            Severity::Note,
            format!(
                "values of {column} have the form of a change sequence, and change_seq_column is not set"
            ),
            "if an AR_H_CHANGE_SEQ rule adds that column, name it in [dms]: late objects then find \
             their place by it",
        );
    }
    let keys = spec.keys_for(&object.name);
    if let Some(prefix) = dms.before_image_prefix.as_deref().filter(|_| !keys.is_empty())
        && keys.iter().any(|key| !has(&format!("{prefix}{key}")))
    {
        add(
            Severity::Note,
            format!("change objects have no before images ({prefix}…) of the key columns"),
            "if keys can change at the source, add a before-image rule for them: otherwise the old \
             row of a changed key stays",
        );
    }
    findings
}
