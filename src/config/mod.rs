//! Settings: the content of `dmslake.toml`, checked.
//!
//! This is the whole file; keys with a default may be left out:
//!
//! ```
//! # let settings = dmslake::config::load::parse(r##"
//! staging = "s3://shop-dms-staging/dms"  # or file:// or a plain path: the DMS bucket folder
//! lake = "s3://shop-lake/tables"         # a table's root is <lake>/<schema>/<table>
//! memory_budget = "512MB"  # decoded rows at once, KB to GB or KiB to GiB; default: by machine
//!
//! look_every = "1m" # so often a schedule sends {"sweep": "due"}: needed by freshness; default: never
//! staging_expiry_days = 30 # objects in staging are deleted by age then; default: not known
//!
//! [look_back]      # which applied objects are remembered one by one, below a table's watermark
//! objects = 64     # 1 to 64; default 64
//! minutes = 1440   # 1 to 525600; default a day
//!
//! [reload]         # a full load that DMS makes again, see on_reload
//! settle_minutes = 15             # complete so long after its last object, or at the next change
//!
//! [maintain]       # what `dmslake maintain` and a sweep may do
//! delete = true    # delete expired files and log entries; default true
//!
//! [hand_over]      # of what is too much for the function, to a job: see `dmslake help jobs`
//! to = "glue"              # or "report" or "off"; default "off"
//! job = "dmslake-job"      # its name in Glue
//! after_minutes = 30       # 1 to 10080: what would take longer is left to it; default 30
//! attempts = 3             # 1 to 20: so many jobs may fail before the table is held; default 3
//!
//! [metrics]        # what is told of each run: see `dmslake help operations`
//! emf = "total"    # to CloudWatch: or "per-table", "alarms" or "off"; default "total"
//! namespace = "dmslake"    # its namespace there; default "dmslake"
//! otlp = "http://localhost:4318"  # a collector of OpenTelemetry; default: none
//!
//! [catalog]        # names for readers, and AWS Glue
//! glue = false             # register tables in AWS Glue when their columns change; default false
//! database_prefix = ""     # a table's database is this and its schema, in lower case; default ""
//!
//! [dms]            # the endpoint's S3Settings as Terraform spells them, with DMS's defaults
//! csv_delimiter = ","             # escapes such as \n, \t, \x01 are understood
//! csv_row_delimiter = "\n"        # if not set, rows that all end in \r\n may be refused
//! csv_null_value = "NULL"
//! use_csv_no_sup_value = true     # default false: csv_no_sup_value has no effect
//! csv_no_sup_value = "?"          # default: none
//! rfc_4180 = true
//! add_column_name = false         # a header in CSV; if not set, a first row of names is refused
//! include_op_for_full_load = true # default: unknown, each object shows whether it has `Op`
//! timestamp_column_name = "dms_ts"  # default: none
//! cdc_inserts_only = false
//! cdc_inserts_and_updates = false
//! date_partition_enabled = false
//! add_trailing_padding_character = false
//! preserve_transactions = false   # true is refused for every table
//! change_seq_column = "cdc_seq"   # not DMS's: the column of an AR_H_CHANGE_SEQ rule; default: none
//! before_image_prefix = "BI_"     # not DMS's: "" turns before images off
//!
//! [defaults]       # any key of a table except source and name; a table's own key replaces it
//! on_bad_row = "stop"             # "stop" or "quarantine"; default "stop"
//! max_bad_rows = { count = 1000, share = 0.5 }  # of an object; default: half, from 10 on
//! max_change_fraction = { deleted = 0.5, updated = 0.9, min_rows = 1000 }  # default: any
//! on_foreign_commit = "report"    # or "hold": if other writers changed rows; default "report"
//! guard = "sequence"              # or "off": default, unless there is a change_seq_column
//! tombstone_retention_days = 7    # so long deletes are remembered for that
//! on_column_gone = "keep"         # or "drop" or "hold": if objects lack it; default "keep"
//! on_column_added = "add"         # or "hold": if objects bring a new one; default "add"
//! on_reload = "apply"             # or "hold": if DMS loads the table again; default "apply"
//! on_objects_vanished = "hold"    # or "truncate" or "ignore": if all of it was deleted; default "hold"
//! merge = "copy-on-write"         # or "deletion-vectors" or "auto"; default "copy-on-write"
//! freshness = "5m"                # so old may staged changes become, to be one commit; default "0s"
//! retention = "7 days"            # of old files and log, or { files = "…", log = "…" }
//! cdc_only = false                # true: the task loads nothing, tables start from their changes
//!
//! [[table]]
//! source = "shop.orders"          # or { schema = "my.shop", table = "orders" }; * for any text
//! keys = ["id"]                   # names at the source; required unless append_only, or locked
//! name = "orders"                 # in catalogues: "table" or "database.table"; default: as source
//! append_only = false             # true: every insert is a new row, there are no keys
//! columns = [                     # default: none, types come from Parquet
//!   { name = "id", type = "bigint unsigned", nullable = false },  # default: nullable = true
//!   { name = "unit price", type = "decimal(12,2)" },
//!   { name = "paid", type = "tinyint(1)", boolean = true },       # only tinyint; default false
//!   { name = "token", type = "binary(16)", hex = true },          # bytes as text in Parquet
//! ]
//! rename = { "unit price" = "unit_price", order_id = "id" }  # source column = column in the lake
//! renamed = { note = "remark" }   # a column and its later name at the source: the lake follows
//! store = ["dms_ts"]              # control and before-image columns to keep; default: none
//! redshift_manifest = false       # keep symlink manifests for Redshift Spectrum: copy-on-write only
//!
//! [[table.layout]]                # CSV without a header: all columns from this object on
//! from = "20221024-175902985"     # base name of the first object, or LOAD00000001
//! columns = [
//!   { name = "id", type = "bigint unsigned", nullable = false },
//!   { name = "unit price", type = "decimal(12,2)" },
//!   { name = "paid", type = "tinyint(1)", boolean = true },
//!   { name = "note", type = "text" },
//! ]
//!
//! [[table.layout]]                # a key column renamed at the source, in CSV or Parquet
//! from = "20230118-093000000"
//! keys = ["order_id"]             # the keys' names from this object on
//! columns = [                     # may be left out if objects name their columns
//!   { name = "order_id", type = "bigint unsigned", nullable = false },
//!   { name = "unit price", type = "decimal(12,2)" },
//!   { name = "paid", type = "tinyint(1)", boolean = true },
//!   { name = "note", type = "text" },
//! ]
//! # "##)?;
//! # assert_eq!(settings.tables[0].lake_name("unit price"), "unit_price");
//! # assert_eq!(settings.dms.csv_row_delimiter, "\n");
//! # Ok::<(), dmslake::error::Error>(())
//! ```
//!
//! Members of `[dms]` that are not listed are accepted and change nothing: their effect shows in the
//! objects themselves. Other keys that are not listed are errors.
//!
//! A process may take eight times its `memory_budget`, and objects may not make it take more.
//!
//! The file is checked as a whole: an error names every field that is wrong, one per line.

mod catalog_name;
mod catalog_names;
mod column_fields;
mod dms;
mod endpoint;
mod expand;
mod fields;
mod hand_over;
pub mod load;
mod lock;
mod metrics;
mod names;
mod pattern;
mod publication;
mod retention;
mod table;
mod table_fields;
mod validate;

pub use catalog_name::CatalogName;
pub use catalog_names::catalog_names;
pub use endpoint::EndpointSettings;
pub use expand::Expansion;
pub use hand_over::{HandOverSettings, HandOverTo};
pub use lock::{Lock, LockedColumn, LockedTable, lock_file_of};
pub use metrics::{Emf, MetricsSettings};
pub use names::refused_column_name;
pub use pattern::{SourcePattern, TablePattern};
pub use retention::Retention;
pub use table::{
    ChosenName, ColumnSpec, Guard, Layout, MaxBadRows, MaxChangeFraction, MergeMode, OnBadRow,
    OnColumnAdded, OnColumnGone, OnForeignCommit, OnObjectsVanished, OnReload, StatedIn, TableName,
    TableSpec,
};

use std::collections::BTreeSet;
use std::time::Duration;

use crate::dms::S3Settings;

/// The lake's folder for bad rows that are set aside, next to the folders of schemas.
pub const QUARANTINE: &str = "_quarantine";

/// The lake's folder for what is stored about tables outside their logs.
pub const OWN: &str = "_dmslake";

/// The column of a guarded table with the change sequence that a row was last written by; NULL of
/// rows of a full load.
pub const SEQUENCE: &str = "_cdc_seq";

/// No change is applied later than this after its table's freshness, whatever doorbell is lost.
pub const FRESHNESS_LEEWAY: Duration = Duration::from_mins(1);

/// Folders of the lake that are not schemas.
pub const LAKE_FOLDERS: [&str; 2] = [QUARANTINE, OWN];

/// A whole, valid configuration.
#[derive(Clone, Debug)]
pub struct Settings {
    /// URI or path of the DMS bucket folder.
    pub staging: String,
    /// URI or path of the folder with the tables, `<schema>/<table>`; no name in it may contain `%`
    /// or `\`.
    pub lake: String,
    /// The DMS endpoint's settings that change the bytes or names of objects.
    pub dms: S3Settings,
    /// The tables, in file order; those of a pattern by name.
    pub tables: Vec<TableSpec>,
    /// The patterns that some of the tables come from.
    pub patterns: Vec<TablePattern>,
    /// Bytes of decoded rows that may be in memory at once; `None` is a share of the machine's
    /// memory.
    pub memory_budget: Option<u64>,
    /// So often a schedule has the tables with a freshness looked at; none if there is no schedule.
    pub look_every: Option<Duration>,
    /// After how many days objects in staging are deleted because of their age; none if that is not
    /// known.
    pub staging_expiry_days: Option<u32>,
    /// How far below the watermark objects are remembered one by one.
    pub look_back: LookBack,
    /// When a new load counts as complete.
    pub reload: ReloadSettings,
    /// What maintenance may do.
    pub maintain: MaintainSettings,
    /// What is left to a job, and to which.
    pub hand_over: HandOverSettings,
    /// What is told of each run, and to whom.
    pub metrics: MetricsSettings,
    /// Where tables are registered for readers.
    pub catalog: CatalogSettings,
}

impl Settings {
    /// Whether a pattern is about a table that the lock file does not know: it has to be written
    /// anew before the table can be applied.
    #[must_use]
    pub fn is_undiscovered(&self, name: &TableName) -> bool {
        let is_claimed = self.patterns.iter().any(|pattern| pattern.claims(name));
        is_claimed && self.tables.iter().all(|table| table.source != *name)
    }

    /// Whether a table is left out on purpose: a pattern matches it and makes an exception.
    #[must_use]
    pub fn is_left_out(&self, name: &TableName) -> bool {
        let mut matching = self.patterns.iter().filter(|it| it.source.matches(name)).peekable();
        matching.peek().is_some() && !matching.any(|pattern| pattern.claims(name))
    }

    /// The changes that these settings keep from a table although readers may expect them. An
    /// append-only table misses nothing.
    #[must_use]
    pub fn warnings_of(&self, table: &TableSpec) -> Vec<String> {
        let missing = self.dms.what_never_arrives().filter(|_| !table.append_only);
        missing.map(str::to_owned).into_iter().collect()
    }

    /// The warnings of all tables, each once.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let all = self.tables.iter().flat_map(|table| self.warnings_of(table));
        all.collect::<BTreeSet<_>>().into_iter().collect()
    }
}

/// Where tables are registered for readers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CatalogSettings {
    /// Whether tables are registered in AWS Glue after commits that change their columns.
    pub glue: bool,
    /// The prefix of a schema's name in the name of its database.
    pub database_prefix: String,
}

impl CatalogSettings {
    /// A table's name in catalogues.
    #[must_use]
    pub fn name_of(&self, table: &TableSpec) -> CatalogName {
        CatalogName::of(&table.source, table.name.as_ref(), &self.database_prefix)
    }
}

/// When a full load that DMS makes of a table again counts as complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReloadSettings {
    /// Minutes after its last object, if no change object shows before that it is.
    pub settle_minutes: u32,
}

impl Default for ReloadSettings {
    fn default() -> Self {
        Self { settle_minutes: 15 }
    }
}

/// What maintenance may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaintainSettings {
    /// Whether to delete files and log entries that no version within the retention needs. Nothing
    /// else needs the permission to delete from the lake.
    pub delete: bool,
}

impl Default for MaintainSettings {
    fn default() -> Self {
        Self { delete: true }
    }
}

/// The window below a table's watermark in which applied objects are remembered one by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LookBack {
    /// The most objects, 1 to 64: each takes room in every commit.
    pub objects: usize,
    /// The most minutes between a CDC stamp and the watermark's.
    pub minutes: u32,
}

impl LookBack {
    /// A tighter bound that leaves room for new objects.
    #[must_use]
    pub fn with_room(self) -> Self {
        Self { objects: self.objects.div_ceil(4), ..self }
    }
}

impl Default for LookBack {
    fn default() -> Self {
        Self { objects: 64, minutes: 24 * 60 }
    }
}
