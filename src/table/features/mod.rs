//! What other writers may have asked of everybody who writes a table of ours, and whether we do it.
//!
//! Features of the Delta protocol and properties of the table are *honoured* or *refused*: a table
//! that asks for what is refused is held, with the statement that takes it back, before anything is
//! written to it. A feature that a protocol merely lists asks nothing until a property, a column or
//! a constraint uses it. `tests/features.rs` has a test of every row.
//!
//! | Feature | Its use | What dmslake does |
//! |---|---|---|
//! | `appendOnly` | `delta.appendOnly` | honoured: inserts are applied, an update or a delete holds the table; maintenance goes on |
//! | `deletionVectors` | `delta.enableDeletionVectors` | honoured: masked rows stay masked; masks are written if `merge` asks for them |
//! | `v2Checkpoint` | `delta.checkpointPolicy` | honoured |
//! | `checkpointProtection` | `delta.requireCheckpointProtectionBeforeVersion` | honoured: the log is not cleaned |
//! | `domainMetadata` | `domainMetadata` actions | honoured: kept as they are, in checkpoints too |
//! | `vacuumProtocolCheck` | | honoured: this check comes before every vacuum |
//! | `allowColumnDefaults` | `CURRENT_DEFAULT` of a column | honoured: every row brings a value or NULL for every column |
//! | `rowTracking` | whenever it is listed | refused, unless `delta.rowTrackingSuspended` is set and `delta.enableRowTracking` is not |
//! | `changeDataFeed` | `delta.enableChangeDataFeed` | refused |
//! | `checkConstraints` | `delta.constraints.*` | refused |
//! | `invariants` | `delta.invariants` of a column | refused |
//! | | a column that is NOT NULL | refused: DMS turns values of such columns into NULL |
//! | `generatedColumns` | `delta.generationExpression` of a column | refused |
//! | `identityColumns` | `delta.identity.*` of a column | refused |
//! | `columnMapping` | `delta.columnMapping.mode` | refused, except `none` |
//! | `inCommitTimestamp` | `delta.enableInCommitTimestamps` | refused |
//! | `typeWidening` | `delta.typeChanges` of a column | refused |
//! | `timestampNtz`, `variantType`, `variantShredding` and others | a column of a type that dmslake does not write | refused |
//! | `icebergCompatV1` to `V3` | `delta.enableIcebergCompatV1` to `V3` | refused |
//! | | `delta.universalFormat.enabledFormats` | refused: its metadata would not follow our commits |
//! | | `delta.compatibility.symlinkFormatManifest.enabled` | refused: `redshift_manifest` writes manifests |
//! | `clustering` | whenever it is listed | refused |
//! | `materializePartitionColumns` | whenever it is listed | refused |
//! | `catalogManaged`, `catalogOwned-preview`, `coordinatedCommits-preview` | whenever it is listed | refused |
//! | any other | whenever it is listed | refused, by name |
//!
//! | Property | What dmslake does |
//! |---|---|
//! | `delta.dataSkippingStatsColumns`, `delta.dataSkippingNumIndexedCols` | honoured; keys always have statistics |
//! | `delta.targetFileSize`, `delta.checkpointInterval`, `delta.checkpoint.writeStatsAsStruct` | honoured |
//! | `delta.checkpoint.writeStatsAsJson` | refused if `false`: rows are counted from these statistics |
//! | `delta.deletedFileRetentionDuration`, `delta.logRetentionDuration` | honoured in every spelling that Spark takes; refused in any other |
//! | `delta.enableExpiredLogCleanup` | others may clean the log; the table is held once our newest commit is gone from it |
//! | `delta.enableFullRetentionRollback` | honoured: every version within the retention of the log can be opened |
//! | `delta.isolationLevel` | honoured: any commit that comes first makes ours be planned again |
//! | `delta.setTransactionRetentionDuration` | honoured: our `txn` has no time at which it would expire |
//! | `delta.randomizeFilePrefixes`, `delta.randomPrefixLength`, `delta.parquet.*`, `delta.autoOptimize.*`, `delta.tuneFileSizesForRewrites`, `delta.dataSkippingStringPrefixLength` | not followed: hints for writers, on which no reader depends |
//! | `delta.minReaderVersion`, `delta.minWriterVersion`, `delta.feature.*` | what they ask for is in the protocol |

mod demand;
mod interval;
mod library;

use std::collections::HashMap;
use std::error::Error as StdError;
use std::time::Duration;

use buoyant_kernel::Error as KernelError;
use deltalake::kernel::{Metadata, Protocol, StructField};
use deltalake::{DeltaTable, DeltaTableError};
use url::Url;

use crate::error::{Error, ErrorKind, Result, is_missing};
use crate::files::damage::damaged;
use crate::storage::shown_url;
use crate::table::schema::column_type;
use demand::{Demand, Undo};

pub(super) use library::{with_feature, without_judged};

const APPEND_ONLY: &str = "delta.appendOnly";
const CONSTRAINTS: &str = "delta.constraints.";
const MAPPING: &str = "delta.columnMapping.mode";

/// Features that ask nothing by being listed: what uses them is looked at by itself, or they
/// are honoured.
const UNASKING: [&str; 20] = [
    "allowColumnDefaults",
    "appendOnly",
    "changeDataFeed",
    "checkConstraints",
    "checkpointProtection",
    "columnMapping",
    "deletionVectors",
    "domainMetadata",
    "generatedColumns",
    "icebergCompatV1",
    "icebergCompatV2",
    "icebergCompatV3",
    "identityColumns",
    "inCommitTimestamp",
    "invariants",
    "timestampNtz",
    "typeWidening",
    "v2Checkpoint",
    "vacuumProtocolCheck",
    "variantType",
];

/// Switches that ask for what is not done.
const SWITCHES: [(&str, &str); 8] = [
    ("delta.enableChangeDataFeed", "the change data feed"),
    ("delta.enableChangeDataCapture", "the change data feed"),
    ("delta.enableInCommitTimestamps", "timestamps within commits"),
    ("delta.enableIcebergCompatV1", "data files for Iceberg"),
    ("delta.enableIcebergCompatV2", "data files for Iceberg"),
    ("delta.enableIcebergCompatV3", "data files for Iceberg"),
    ("delta.enableRowTracking", "row tracking"),
    ("delta.compatibility.symlinkFormatManifest.enabled", "manifests behind every commit"),
];

const FORMATS: &str = "delta.universalFormat.enabledFormats";
const AS_JSON: &str = "delta.checkpoint.writeStatsAsJson";
const OF_FILES: &str = "delta.deletedFileRetentionDuration";
const OF_LOG: &str = "delta.logRetentionDuration";

/// What of a column's metadata asks for what is not done.
const OF_COLUMNS: [(&str, &str); 7] = [
    ("delta.invariants", "an invariant"),
    ("delta.generationExpression", "a generated value"),
    ("delta.identity.start", "an identity"),
    ("delta.identity.step", "an identity"),
    ("delta.identity.highWaterMark", "an identity"),
    ("delta.identity.allowExplicitInsert", "an identity"),
    ("delta.typeChanges", "files of another type"),
];

/// To be asked before every write, because others may have changed the table.
///
/// # Errors
/// `TableRefused` if it asks of its writers what dmslake does not do: what that is, and what takes
/// it back.
pub(super) fn refuse_unwritable(table: &DeltaTable) -> Result<()> {
    let snapshot = table.snapshot()?;
    let demands = demands(snapshot.protocol(), snapshot.metadata())?;
    if demands.is_empty() { Ok(()) } else { Err(refusal(&demands, table.table_url())) }
}

/// Whether rows may only be added. Spark takes either case.
pub(crate) fn is_append_only(metadata: &Metadata) -> bool {
    is_on(metadata.configuration(), APPEND_ONLY)
}

/// How long files that were removed from the table stay: 7 days, unless it says otherwise.
pub(crate) fn file_retention(metadata: &Metadata) -> Duration {
    retention(metadata, OF_FILES, Duration::from_hours(7 * 24))
}

/// How long commits stay in the log: 30 days, unless it says otherwise.
pub(crate) fn log_retention(metadata: &Metadata) -> Duration {
    retention(metadata, OF_LOG, Duration::from_hours(30 * 24))
}

fn retention(metadata: &Metadata, key: &str, default: Duration) -> Duration {
    let text = metadata.configuration().get(key);
    text.and_then(|text| interval::duration(text)).unwrap_or(default)
}

/// The properties of a table that keeps removed files and its log for so long.
pub(crate) fn retention_properties(files: Duration, log: Duration) -> HashMap<String, String> {
    let both = [(OF_FILES, files), (OF_LOG, log)];
    both.into_iter().map(|(key, value)| (key.to_owned(), interval::spelled(value))).collect()
}

/// Whether the log must be kept as it is.
pub(crate) fn has_protected_checkpoints(protocol: &Protocol) -> bool {
    listed(protocol).iter().any(|name| name == "checkpointProtection")
}

/// The refusal of an update or a delete of a table whose rows may only be added.
pub(crate) fn refuse_change(table: &Url) -> Error {
    let demand = Demand {
        what: format!("rows that are only added ({APPEND_ONLY} = true)"),
        undo: Undo::set(APPEND_ONLY, "false"),
    };
    let remedy = demand::remedy(&[demand], &shown_url(table));
    Error::new(
        ErrorKind::TableRefused,
        "the table takes no updates or deletes: delta.appendOnly is set",
    )
    .with("table", shown_url(table))
    .with_remedy(remedy)
}

/// Why a log could not be read: its protocol may ask of readers what the library does not know.
pub(super) fn unread(error: DeltaTableError, table: &Url) -> Error {
    if is_missing(&error) {
        return damaged("the log names an object that is missing")
            .with("table", shown_url(table))
            .because(error);
    }
    if !is_unsupported(&error) {
        return error.into();
    }
    let message = "the table's protocol asks of readers what dmslake does not know";
    Error::new(ErrorKind::TableRefused, message)
        .with("table", shown_url(table))
        .with_remedy(demand::BEGIN_ANEW)
        .because(error)
}

fn is_unsupported(error: &(dyn StdError + 'static)) -> bool {
    let says_so = matches!(
        error.downcast_ref(),
        Some(KernelError::Unsupported(_) | KernelError::MaxCatalogVersion(_))
    );
    says_so || error.source().is_some_and(is_unsupported)
}

fn refusal(demands: &[Demand], table: &Url) -> Error {
    let asked: Vec<&str> = demands.iter().map(|demand| demand.what.as_str()).collect();
    let message =
        format!("the table asks of its writers what dmslake does not do: {}", asked.join("; "));
    let place = shown_url(table);
    let remedy = demand::remedy(demands, &place);
    Error::new(ErrorKind::TableRefused, message).with("table", place).with_remedy(remedy)
}

/// All that a table asks for and dmslake does not do.
fn demands(protocol: &Protocol, metadata: &Metadata) -> Result<Vec<Demand>> {
    let mut demands = of_protocol(protocol, metadata.configuration());
    demands.extend(of_properties(metadata.configuration()));
    for field in metadata.parse_schema()?.fields() {
        demands.extend(of_column(field));
    }
    Ok(demands)
}

fn of_protocol(protocol: &Protocol, properties: &HashMap<String, String>) -> Vec<Demand> {
    let mut demands = Vec::new();
    let (reader, writer) = (protocol.min_reader_version(), protocol.min_writer_version());
    if !(1..=3).contains(&reader) || !(1..=7).contains(&writer) {
        let what = format!("protocol reader {reader} / writer {writer}");
        demands.push(Demand { what, undo: Undo::BeginAnew });
    }
    for name in listed(protocol) {
        let undo = match name.as_str() {
            name if UNASKING.contains(&name) => continue,
            "variantType-preview"
            | "variantShredding"
            | "variantShredding-preview"
            | "typeWidening-preview" => continue,
            "rowTracking" if is_on(properties, "delta.rowTrackingSuspended") => continue,
            "rowTracking" => Undo::set("delta.rowTrackingSuspended", "true"),
            "materializePartitionColumns" => Undo::Statement(format!("DROP FEATURE {name}")),
            _ => Undo::BeginAnew,
        };
        demands.push(Demand { what: format!("the feature {name}"), undo });
    }
    demands
}

fn of_properties(properties: &HashMap<String, String>) -> Vec<Demand> {
    let mut demands = Vec::new();
    for (key, meaning) in SWITCHES.iter().filter(|(key, _)| is_on(properties, key)) {
        let what = format!("{meaning} ({key} = true)");
        demands.push(Demand { what, undo: Undo::set(key, "false") });
    }
    if let Some(mode) = properties.get(MAPPING).filter(|mode| !mode.eq_ignore_ascii_case("none")) {
        let what = format!("mapped columns ({MAPPING} = {mode})");
        demands.push(Demand { what, undo: Undo::set(MAPPING, "none") });
    }
    if properties.get(FORMATS).is_some_and(|formats| !formats.trim().is_empty()) {
        let what = format!("metadata of other formats ({FORMATS})");
        demands.push(Demand { what, undo: Undo::unset(FORMATS) });
    }
    if properties.get(AS_JSON).is_some_and(|on| on.trim().eq_ignore_ascii_case("false")) {
        let what = format!("checkpoints without statistics as JSON ({AS_JSON} = false)");
        demands.push(Demand { what, undo: Undo::set(AS_JSON, "true") });
    }
    for key in [OF_FILES, OF_LOG] {
        let unread = properties.get(key).filter(|text| interval::duration(text).is_none());
        if let Some(text) = unread {
            let what = format!("a retention that is no number of days or hours ({key} = {text})");
            demands.push(Demand { what, undo: Undo::unset(key) });
        }
    }
    let mut constraints: Vec<&str> =
        properties.keys().filter_map(|key| key.strip_prefix(CONSTRAINTS)).collect();
    constraints.sort_unstable();
    for name in constraints {
        let what = format!("the constraint {name} ({CONSTRAINTS}{name})");
        demands.push(Demand { what, undo: Undo::Statement(format!("DROP CONSTRAINT `{name}`")) });
    }
    demands
}

fn of_column(field: &StructField) -> Vec<Demand> {
    let mut demands: Vec<Demand> = Vec::new();
    let name = field.name();
    if column_type(field.data_type()).is_none() {
        let what = format!("the column {name} of type {}", field.data_type());
        demands.push(Demand { what, undo: Undo::BeginAnew });
    }
    if !field.is_nullable() {
        let undo = Undo::Statement(format!("ALTER COLUMN `{name}` DROP NOT NULL"));
        demands.push(Demand { what: format!("the column {name} without NULL"), undo });
    }
    for (key, meaning) in OF_COLUMNS.iter().filter(|(key, _)| field.metadata().contains_key(*key)) {
        let what = format!("{meaning} in the column {name} ({key})");
        demands.push(Demand { what, undo: Undo::BeginAnew });
    }
    demands
}

/// Features by name. Those of readers should be listed among those of writers too.
fn listed(protocol: &Protocol) -> Vec<String> {
    let lists = [protocol.writer_features(), protocol.reader_features()];
    let mut names: Vec<String> =
        lists.into_iter().flatten().flatten().map(ToString::to_string).collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn is_on(properties: &HashMap<String, String>, key: &str) -> bool {
    properties.get(key).is_some_and(|value| value.trim().eq_ignore_ascii_case("true"))
}
