//! Follows a table commit by commit: the objects that each commit names must be the next ones,
//! applied once, and must produce exactly the model's rows.

use std::collections::{BTreeMap, BTreeSet};

use dmslake::pipeline::TableReport;
use dmslake::storage::Location;

use super::dms_writer::StagedTable;
use super::model::{Counts, Model, differences};
use super::table::{AppliedObject, Commit, LakeTable};

/// The judge of one table.
#[derive(Debug)]
pub(crate) struct Judge {
    /// Key of the table's folder in the staging store.
    folder: String,
    lake: LakeTable,
    quarantine: LakeTable,
    model: Model,
    /// Rows applied of each object, by its position; complete ones too.
    done: BTreeMap<usize, usize>,
    next_version: u64,
    attempts: BTreeSet<String>,
    last_txn: Option<i64>,
    /// Commits that left an object unfinished.
    pub(crate) cut_objects: usize,
    /// Whether the rows of every version are read, not only of the newest.
    pub(crate) every_version: bool,
}

impl Judge {
    pub(crate) fn new(staged: &StagedTable, staging: &Location, lake: &Location) -> Self {
        let (schema, table) = (&*staged.history.schema, &*staged.history.table);
        // The lake encodes a percent sign as `~25`, because the Delta library does not support it.
        let (lake_schema, lake_table) = (schema.replace('%', "~25"), table.replace('%', "~25"));
        Self {
            folder: format!("{}/{schema}/{table}", staging.prefix()),
            lake: LakeTable::at(lake, &[&lake_schema, &lake_table]),
            quarantine: LakeTable::at(lake, &["_quarantine", &lake_schema, &lake_table]),
            model: Model::new(staged.task.guarded),
            done: BTreeMap::new(),
            next_version: 0,
            attempts: BTreeSet::new(),
            last_txn: None,
            cut_objects: 0,
            every_version: true,
        }
    }

    /// The newest version checked.
    pub(crate) fn version(&self) -> Option<u64> {
        self.next_version.checked_sub(1)
    }

    /// Checks all commits since the last time, and returns the sum of the expected counts.
    ///
    /// # Panics
    /// At the first error.
    pub(crate) async fn audit(&mut self, staged: &StagedTable) -> Counts {
        let log = self.lake.log().await;
        let mut sum = Counts::default();
        let new: Vec<&Commit> =
            log.iter().filter(|commit| commit.version >= self.next_version).collect();
        let newest = new.last().map(|commit| commit.version);
        for commit in new {
            assert_eq!(commit.version, self.next_version, "the log has no gap");
            self.next_version += 1;
            self.check_protocol(staged, commit);
            if let Some(entry) = commit.entry() {
                assert!(self.attempts.insert(entry.attempt.clone()), "{} twice", entry.attempt);
                self.check_transaction(commit);
                sum += self.replay(staged, commit.version, &entry.objects);
            }
            self.check_types(staged, &log, commit.version);
            if self.every_version || newest == Some(commit.version) {
                self.check_rows(staged, commit.version).await;
            }
        }
        sum
    }

    /// Applies the objects of a commit to the model.
    fn replay(&mut self, staged: &StagedTable, version: u64, objects: &[AppliedObject]) -> Counts {
        let mut slice = Vec::new();
        for applied in objects {
            let position = self.position(staged, &applied.key);
            let object = &staged.objects[position];
            let before = self.done.get(&position).copied().unwrap_or(0);
            let complete = self.done.contains_key(&position) && before == object.rows.len();
            let after = applied.done.unwrap_or(object.rows.len());
            assert!(!complete, "version {version} applies {} again", applied.key);
            assert!(
                (before..=object.rows.len()).contains(&after),
                "version {version} goes from row {before} to {after} of {}",
                applied.key
            );
            self.cut_objects += usize::from(after < object.rows.len());
            self.check_order(staged, position, version);
            slice.extend(object.rows[before..after].iter().map(|row| (object.epoch, row)));
            self.done.insert(position, after);
        }
        let history = &staged.history;
        self.model.apply(&history.columns, &history.keys, slice)
    }

    fn position(&self, staged: &StagedTable, key: &str) -> usize {
        let named =
            |relative: &str| key == relative || key == format!("{}/{relative}", self.folder);
        let found = staged.objects.iter().position(|object| named(&object.relative));
        found.unwrap_or_else(|| panic!("a commit names {key}, which was never staged"))
    }

    /// Checks that every object that must precede another one is complete: the whole full load
    /// before changes, and older changes before newer ones. Full-load objects may come in any
    /// order.
    fn check_order(&self, staged: &StagedTable, position: usize, version: u64) {
        if staged.objects[position].load {
            return;
        }
        for (earlier, object) in staged.objects[..position].iter().enumerate() {
            assert_eq!(
                self.done.get(&earlier),
                Some(&object.rows.len()),
                "version {version} applies {} before {} is complete",
                staged.objects[position].relative,
                object.relative
            );
        }
    }

    /// Checks that the protocol is the one of every reader, unless the table is configured for
    /// deletion vectors.
    fn check_protocol(&self, staged: &StagedTable, commit: &Commit) {
        for protocol in commit.actions("protocol") {
            let versions = (&protocol["minReaderVersion"], &protocol["minWriterVersion"]);
            let masks = staged.task.merge != "copy-on-write";
            let allowed =
                versions == (&1.into(), &2.into()) || (masks && versions == (&3.into(), &7.into()));
            assert!(allowed, "{versions:?} {:?}", self.lake);
        }
    }

    fn check_transaction(&mut self, commit: &Commit) {
        let versions: Vec<i64> =
            commit.actions("txn").filter_map(|txn| txn["version"].as_i64()).collect();
        let [version] = versions[..] else {
            panic!("version {} has txn actions {versions:?}", commit.version)
        };
        if let Some(last) = self.last_txn.replace(version) {
            assert_eq!(version, last + 1, "txn of version {}", commit.version);
        }
    }

    fn check_types(&self, staged: &StagedTable, log: &[Commit], version: u64) {
        let types = LakeTable::types(log, version);
        for (name, found) in &types {
            if name == "_cdc_seq" {
                assert_eq!(found, "string", "type of {name} in version {version}");
                continue;
            }
            let column = staged.history.columns.iter().position(|column| column.lake == *name);
            let position = column.unwrap_or_else(|| panic!("nobody asked for a column {name}"));
            let configured = staged.task.configured[position] || staged.task.csv;
            let expected = staged.history.columns[position].kind.delta_type(configured);
            assert_eq!(*found, expected, "type of {name} in version {version}");
        }
        for (position, column) in staged.history.columns.iter().enumerate() {
            let filled =
                self.model.rows.values().any(|row| row[position] != super::model::Value::Null);
            assert!(!filled || types.contains_key(&column.lake), "no column {}", column.lake);
        }
    }

    async fn check_rows(&self, staged: &StagedTable, version: u64) {
        let history = &staged.history;
        let found = self.lake.rows(version, &history.columns, &history.keys).await;
        if let Some(difference) = differences(&history.columns, &self.model.rows, &found) {
            panic!("{}.{} version {version}:\n{difference}", history.schema, history.table);
        }
    }

    /// After all objects are staged and applied: nothing is missing, the table equals the source,
    /// and all bad rows are quarantined.
    pub(crate) async fn check_complete(&self, staged: &StagedTable) {
        let history = &staged.history;
        for (position, object) in staged.objects.iter().enumerate() {
            let done = self.done.get(&position);
            assert_eq!(done, Some(&object.rows.len()), "rows applied of {}", object.relative);
        }
        check_convergence(staged, &self.model);
        let bad: usize =
            staged.objects.iter().flat_map(|object| &object.rows).filter(|row| row.bad).count();
        let log = self.quarantine.log().await;
        let aside: usize = match log.last() {
            None => 0,
            Some(commit) => {
                let batches = self.quarantine.batches(commit.version).await;
                batches.iter().map(arrow::record_batch::RecordBatch::num_rows).sum()
            }
        };
        assert_eq!(aside, bad, "rows in quarantine of {}", history.table);
    }
}

/// Checks that the model of all objects equals the source: repeated and overlapping changes
/// converge. Otherwise the judge itself would be wrong.
pub(crate) fn check_convergence(staged: &StagedTable, model: &Model) {
    let history = &staged.history;
    let mut expected = history.last.clone();
    let mut found = model.rows.clone();
    for (position, column) in history.columns.iter().enumerate() {
        let compared = history.is_source(position) && column.stands_in(history.last_epoch);
        for row in expected.values_mut().chain(found.values_mut()) {
            if !compared || row[position] == super::model::Value::ZeroDate {
                row[position] = super::model::Value::Null;
            }
        }
    }
    if let Some(difference) = differences(&history.columns, &expected, &found) {
        panic!(
            "the model of {}.{} is not its source:\n{difference}",
            history.schema, history.table
        );
    }
}

/// The counts of a report.
pub(crate) fn counts(report: &TableReport) -> Counts {
    Counts {
        rows: report.counts.rows,
        inserted: report.counts.inserted,
        updated: report.counts.updated,
        deleted: report.counts.deleted,
        superseded: report.counts.superseded,
        ignored: report.counts.ignored,
        quarantined: report.counts.quarantined,
    }
}
