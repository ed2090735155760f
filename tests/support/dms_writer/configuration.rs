//! The `dmslake.toml` that a user would write for a task's objects.

use std::collections::BTreeMap;

use rand::Rng;
use rand::rngs::StdRng;
use toml::{Table, Value};

use super::{Endpoint, Field, Form, StagedTable};

/// Settings that are independent of DMS.
#[derive(Clone, Debug)]
pub(crate) struct Bounds {
    pub(crate) memory_budget: Option<u64>,
    pub(crate) look_back_objects: u32,
}

/// The configuration of these tables.
pub(crate) fn configuration(
    rng: &mut StdRng,
    endpoint: &Endpoint,
    tables: &[StagedTable],
    bounds: &Bounds,
    staging: &str,
    lake: &str,
) -> String {
    let mut root = Table::new();
    root.insert("staging".into(), staging.into());
    root.insert("lake".into(), lake.into());
    if let Some(bytes) = bounds.memory_budget {
        root.insert("memory_budget".into(), i64::try_from(bytes).expect("fits").into());
    }
    let look_back = Table::from_iter([("objects".to_owned(), bounds.look_back_objects.into())]);
    root.insert("look_back".into(), look_back.into());
    root.insert("dms".into(), dms(rng, endpoint).into());
    let tables = tables.iter().map(|table| Value::from(table_section(rng, endpoint, table)));
    root.insert("table".into(), tables.collect::<Vec<_>>().into());
    root.to_string()
}

fn dms(rng: &mut StdRng, endpoint: &Endpoint) -> Table {
    let mut dms = Table::new();
    let mut text = |name: &str, value: &str, default: &str| {
        if value != default || rng.random_bool(0.3) {
            dms.insert(name.into(), value.into());
        }
    };
    text("csv_delimiter", &endpoint.delimiter, ",");
    text("csv_row_delimiter", &endpoint.row_delimiter, "\n");
    text("csv_null_value", &endpoint.null, "NULL");
    text("timestamp_column_name", endpoint.timestamp.as_deref().unwrap_or(""), "");
    text("before_image_prefix", endpoint.before_prefix.as_deref().unwrap_or(""), "BI_");
    text("compression_type", if endpoint.gzip { "GZIP" } else { "NONE" }, "NONE");
    let mut flag = |name: &str, value: bool, default: bool| {
        if value != default || rng.random_bool(0.3) {
            dms.insert(name.into(), value.into());
        }
    };
    flag("rfc_4180", endpoint.rfc_4180, true);
    flag("add_column_name", endpoint.header, false);
    flag("include_op_for_full_load", endpoint.op_in_load, false);
    flag("cdc_inserts_and_updates", !endpoint.op_in_cdc, false);
    flag("date_partition_enabled", endpoint.date_folders.is_some(), false);
    if let Some(column) = &endpoint.sequence {
        dms.insert("change_seq_column".into(), column.as_str().into());
    }
    if let Some(marker) = &endpoint.no_sup {
        dms.insert("use_csv_no_sup_value".into(), true.into());
        dms.insert("csv_no_sup_value".into(), marker.as_str().into());
    }
    if let Some((sequence, delimiter)) = endpoint.date_folders {
        dms.insert("date_partition_sequence".into(), sequence.into());
        dms.insert("date_partition_delimiter".into(), delimiter.into());
    }
    dms
}

fn table_section(rng: &mut StdRng, endpoint: &Endpoint, staged: &StagedTable) -> Table {
    let (history, task) = (&staged.history, &staged.task);
    let mut table = Table::new();
    let keys = history.keys.iter().map(|&at| Value::from(history.columns[at].name.as_str()));
    table.insert("source".into(), format!("{}.{}", history.schema, history.table).into());
    table.insert("keys".into(), keys.collect::<Vec<_>>().into());
    table.insert("merge".into(), task.merge.into());
    table.insert("redshift_manifest".into(), task.manifest.into());
    let is_loaded = staged.objects.iter().any(|object| object.load);
    // Changes that a resume writes again may delete a row that is already deleted.
    if !is_loaded && (task.resumes || rng.random()) {
        table.insert("cdc_only".into(), true.into());
    }
    // The default is said sometimes.
    if endpoint.sequence.is_some() && (!task.guarded || rng.random()) {
        table.insert("guard".into(), if task.guarded { "sequence" } else { "off" }.into());
    }
    if task.bad_rows {
        table.insert("on_bad_row".into(), "quarantine".into());
    }
    let renamed = history.columns.iter().filter(|column| column.name != column.lake);
    let rename: Table =
        renamed.map(|column| (column.name.clone(), column.lake.as_str().into())).collect();
    if !rename.is_empty() {
        table.insert("rename".into(), rename.into());
    }
    if let Some(position) = history.stored_timestamp {
        let name = Value::from(history.columns[position].name.as_str());
        table.insert("store".into(), vec![name].into());
    }
    let mut described = Description { staged, endpoint, spellings: BTreeMap::new() };
    if task.csv && !endpoint.header {
        let mut layouts = Vec::new();
        for epoch in 0..=history.last_epoch {
            let first = staged.objects.iter().find(|object| object.epoch == epoch);
            let Some(first) = first else { continue };
            let columns = described.layout(rng, epoch);
            if epoch == 0 {
                table.insert("columns".into(), columns.into());
            } else {
                let name = first.relative.rsplit('/').next().expect("a name");
                let from = name.split('.').next().expect("a name");
                let layout = Table::from_iter([
                    ("from".to_owned(), from.into()),
                    ("columns".to_owned(), columns.into()),
                ]);
                layouts.push(Value::from(layout));
            }
        }
        if !layouts.is_empty() {
            table.insert("layout".into(), layouts.into());
        }
    } else {
        let configured = (0..history.columns.len()).filter(|&at| task.configured[at]);
        let columns: Vec<Value> = configured.map(|at| described.column(rng, at)).collect();
        if !columns.is_empty() {
            table.insert("columns".into(), columns.into());
        }
    }
    table
}

/// Describes columns, each always in the same form.
struct Description<'a> {
    staged: &'a StagedTable,
    endpoint: &'a Endpoint,
    spellings: BTreeMap<usize, String>,
}

impl Description<'_> {
    fn layout(&mut self, rng: &mut StdRng, epoch: usize) -> Vec<Value> {
        let StagedTable { history, task, .. } = self.staged;
        let form = Form { history, endpoint: self.endpoint, task, load: false, epoch };
        let mut columns = Vec::new();
        for field in form.layout() {
            columns.push(match field {
                Field::Source(position) => self.column(rng, position),
                Field::Before(position) => {
                    let mut column = self.column(rng, position);
                    let table = column.as_table_mut().expect("a table");
                    table.insert("name".into(), form.name(field).into());
                    table.insert("nullable".into(), true.into());
                    column
                }
                _ => Table::from_iter([
                    ("name".to_owned(), Value::from(form.name(field))),
                    ("type".to_owned(), "varchar(35)".into()),
                ])
                .into(),
            });
        }
        columns
    }

    fn column(&mut self, rng: &mut StdRng, position: usize) -> Value {
        let column = &self.staged.history.columns[position];
        let spelling = self.spellings.entry(position).or_insert_with(|| column.kind.sql(rng));
        let mut table = Table::from_iter([
            ("name".to_owned(), column.name.as_str().into()),
            ("type".to_owned(), spelling.as_str().into()),
        ]);
        if !column.nullable {
            table.insert("nullable".into(), false.into());
        }
        if self.staged.task.hex && column.kind == crate::support::column::Kind::Binary {
            table.insert("hex".into(), true.into());
        }
        table.into()
    }
}
