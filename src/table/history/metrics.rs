//! What an operation counted, under the names that Spark, delta-rs and dmslake give it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

/// The `operationMetrics` of a commit. None is what its writer does not say.
///
/// Spark names a metric by its operation (`numTargetRowsUpdated` of a MERGE, `numUpdatedRows` of
/// an UPDATE) and writes every value as text; delta-rs writes numbers, mostly in snake case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OperationMetrics {
    /// Rows that came in: the source of a MERGE.
    pub rows_read: Option<u64>,
    /// Rows that were new.
    pub rows_inserted: Option<u64>,
    /// Rows that were replaced.
    pub rows_updated: Option<u64>,
    /// Rows that were removed.
    pub rows_deleted: Option<u64>,
    /// Rows that were written again without a change.
    pub rows_copied: Option<u64>,
    /// Rows in the files that were written: new, changed and copied ones.
    pub rows_written: Option<u64>,
    /// Data files that the commit added.
    pub files_added: Option<u64>,
    /// Data files that it removed.
    pub files_removed: Option<u64>,
    /// Data files that it searched for keys: statistics ruled out the others.
    pub files_searched: Option<u64>,
    /// Bytes of the files that it added.
    pub bytes_added: Option<u64>,
    /// Bytes of the files that it removed.
    pub bytes_removed: Option<u64>,
    /// Files that got their first deletion vector.
    pub vectors_added: Option<u64>,
    /// Files whose deletion vector was replaced.
    pub vectors_updated: Option<u64>,
    /// Files that lost their deletion vector.
    pub vectors_removed: Option<u64>,
    /// How long the operation took.
    pub duration: Option<Duration>,
    /// How much of that went by before it began to write.
    pub scanned: Option<Duration>,
}

impl OperationMetrics {
    /// Reads the metrics from their JSON. What is unknown or of another type is left out.
    pub(super) fn of(metrics: &Value) -> Self {
        let counts = counts(metrics);
        let first = |names: &[&str]| names.iter().find_map(|name| counts.get(*name).copied());
        Self {
            rows_read: first(&["num_source_rows"]),
            rows_inserted: first(&["num_target_rows_inserted", "num_added_rows"]),
            rows_updated: first(&["num_target_rows_updated", "num_updated_rows"]),
            rows_deleted: first(&["num_target_rows_deleted", "num_deleted_rows"]),
            rows_copied: first(&["num_target_rows_copied", "num_copied_rows"]),
            rows_written: first(&["num_output_rows"]),
            files_searched: first(&["num_target_files_after_skipping", "num_target_files_scanned"]),
            files_added: first(&[
                "num_target_files_added",
                "num_added_files",
                "num_files_added",
                "num_files",
                "num_restored_files",
                "num_restored_file",
            ]),
            files_removed: first(&[
                "num_target_files_removed",
                "num_removed_files",
                "num_files_removed",
                "num_removed_file",
            ]),
            bytes_added: first(&[
                "num_target_bytes_added",
                "num_added_bytes",
                "num_output_bytes",
                "restored_files_size",
                "files_added",
            ]),
            bytes_removed: first(&[
                "num_target_bytes_removed",
                "num_removed_bytes",
                "removed_files_size",
                "files_removed",
            ]),
            vectors_added: first(&[
                "num_target_deletion_vectors_added",
                "num_deletion_vectors_added",
            ]),
            vectors_updated: first(&[
                "num_target_deletion_vectors_updated",
                "num_deletion_vectors_updated",
            ]),
            vectors_removed: first(&[
                "num_target_deletion_vectors_removed",
                "num_deletion_vectors_removed",
            ]),
            duration: first(&["execution_time_ms"]).map(Duration::from_millis),
            scanned: first(&["scan_time_ms"]).map(Duration::from_millis),
        }
    }
}

/// The numbers among the metrics, under their names in snake case.
fn counts(metrics: &Value) -> BTreeMap<String, u64> {
    let entries = metrics.as_object().into_iter().flatten();
    entries
        .filter_map(|(name, value)| {
            let count = number(value).or_else(|| total_size(value))?;
            Some((snake(name), count))
        })
        .collect()
}

/// A number, or a text that spells one.
pub(super) fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

/// The bytes in what delta-rs tells of the files of an OPTIMIZE: JSON within a text.
fn total_size(value: &Value) -> Option<u64> {
    let details: Value = serde_json::from_str(value.as_str()?).ok()?;
    details.get("totalSize")?.as_u64()
}

fn snake(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 8);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn metrics_of_spark_are_texts_named_by_operation() {
        let merge = OperationMetrics::of(&json!({
            "numTargetRowsCopied": "5", "numTargetRowsDeleted": "1", "numTargetFilesAdded": "2",
            "numTargetBytesAdded": "2512", "numTargetBytesRemoved": "900",
            "numTargetDeletionVectorsAdded": "3", "numTargetRowsMatchedUpdated": "4",
            "executionTimeMs": "38582", "numTargetRowsInserted": "2", "scanTimeMs": "0",
            "numTargetDeletionVectorsUpdated": "6", "numTargetRowsUpdated": "4",
            "numOutputRows": "11", "numTargetDeletionVectorsRemoved": "7", "numSourceRows": "8",
            "numTargetChangeFilesAdded": "0", "numTargetFilesRemoved": "1",
            "numTargetFilesAfterSkipping": "9",
        }));
        let expected = OperationMetrics {
            rows_read: Some(8),
            rows_inserted: Some(2),
            rows_updated: Some(4),
            rows_deleted: Some(1),
            rows_copied: Some(5),
            rows_written: Some(11),
            files_searched: Some(9),
            files_added: Some(2),
            files_removed: Some(1),
            bytes_added: Some(2512),
            bytes_removed: Some(900),
            vectors_added: Some(3),
            vectors_updated: Some(6),
            vectors_removed: Some(7),
            duration: Some(Duration::from_millis(38582)),
            scanned: Some(Duration::ZERO),
        };
        assert_eq!(merge, expected);

        let update = OperationMetrics::of(&json!({
            "numRemovedFiles": "1", "numRemovedBytes": "1155", "numCopiedRows": "4",
            "numDeletionVectorsAdded": "1", "numDeletionVectorsRemoved": "0",
            "numAddedChangeFiles": "0", "executionTimeMs": "3411", "numDeletionVectorsUpdated": "0",
            "numAddedFiles": "1", "numUpdatedRows": "2", "numAddedBytes": "1157",
        }));
        let expected = OperationMetrics {
            rows_updated: Some(2),
            rows_copied: Some(4),
            files_added: Some(1),
            files_removed: Some(1),
            bytes_added: Some(1157),
            bytes_removed: Some(1155),
            vectors_added: Some(1),
            vectors_updated: Some(0),
            vectors_removed: Some(0),
            duration: Some(Duration::from_millis(3411)),
            ..OperationMetrics::default()
        };
        assert_eq!(update, expected);

        let write = OperationMetrics::of(&json!({
            "numFiles": "1", "numOutputRows": "104", "numOutputBytes": "2814",
        }));
        let expected = OperationMetrics {
            rows_written: Some(104),
            files_added: Some(1),
            bytes_added: Some(2814),
            ..OperationMetrics::default()
        };
        assert_eq!(write, expected);
    }

    #[test]
    fn metrics_of_delta_rs_are_numbers() {
        let merge = OperationMetrics::of(&json!({
            "num_source_rows": 2, "num_target_rows_inserted": 1, "num_target_rows_updated": 1,
            "num_target_rows_deleted": 0, "num_target_rows_copied": 2, "num_output_rows": 4,
            "num_target_files_scanned": 2, "num_target_files_skipped_during_scan": 0,
            "num_target_files_added": 1, "num_target_files_removed": 1,
            "execution_time_ms": 13, "scan_time_ms": 2, "rewrite_time_ms": 0,
        }));
        let expected = OperationMetrics {
            rows_read: Some(2),
            rows_inserted: Some(1),
            rows_updated: Some(1),
            rows_deleted: Some(0),
            rows_copied: Some(2),
            rows_written: Some(4),
            files_searched: Some(2),
            files_added: Some(1),
            files_removed: Some(1),
            duration: Some(Duration::from_millis(13)),
            scanned: Some(Duration::from_millis(2)),
            ..OperationMetrics::default()
        };
        assert_eq!(merge, expected);

        let details = |size: u64| json!({"avg": 795.0, "max": 795, "min": 740, "totalFiles": 1, "totalSize": size});
        let optimize = OperationMetrics::of(&json!({
            "numFilesAdded": 1, "numFilesRemoved": 2, "filesAdded": details(795).to_string(),
            "filesRemoved": details(1522).to_string(), "partitionsOptimized": 1, "numBatches": 2,
            "preserveInsertionOrder": true, "plannerStrategy": "preserveLocality",
        }));
        let expected = OperationMetrics {
            files_added: Some(1),
            files_removed: Some(2),
            bytes_added: Some(795),
            bytes_removed: Some(1522),
            ..OperationMetrics::default()
        };
        assert_eq!(optimize, expected);

        let write = OperationMetrics::of(&json!({
            "num_added_files": 1, "num_removed_files": 0, "num_partitions": 0, "num_added_rows": 3,
            "execution_time_ms": 84, "num_retries": 0,
        }));
        assert_eq!((write.rows_inserted, write.files_removed), (Some(3), Some(0)));
    }

    #[test]
    fn what_is_no_count_is_left_out() {
        let odd = json!({"numOutputRows": "many", "numFiles": -1, "numAddedRows": 1.5});
        assert_eq!(OperationMetrics::of(&odd), OperationMetrics::default());
        assert_eq!(OperationMetrics::of(&Value::Null), OperationMetrics::default());
    }
}
