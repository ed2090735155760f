//! The list of all remedies: each place in the sources that sets a remedy, and the test that
//! carries it out. A new remedy without a test, or a removed test, fails here.
//!
//! For some remedies the test only checks that they are reported, because no test can carry them
//! out: permissions in AWS, somebody else's entry, the machine's memory, objects of terabytes.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use dmslake::error::ErrorKind;

use crate::support::folder::files_below;

/// The source file, how the remedy begins (or the name of its variable), and the test.
const REMEDIES: &[(&str, &str, &str)] = &[
    ("cli/rows.rs", "write it to a file: dmslake", "rows_are_printed_in_every_form"),
    (
        "inspect/query/tables.rs",
        "name the schema too",
        "queries_that_cannot_be_run_are_refused_with_a_way_on",
    ),
    (
        "inspect/query/time_travel.rs",
        "write it as orders@v12",
        "queries_that_cannot_be_run_are_refused_with_a_way_on",
    ),
    (
        "inspect/query/time_travel.rs",
        "write it as '2026-03-01T12:00:00Z'",
        "queries_that_cannot_be_run_are_refused_with_a_way_on",
    ),
    ("cli/mcp.rs", "let a client start this command", "what_speaks_no_protocol_is_told_what_does"),
    (
        "inspect/scratch.rs",
        "set TMPDIR to a folder with room",
        "a_temporary_folder_that_cannot_be_written_is_told",
    ),
    ("inspect/why/key.rs", "write it as {example", "a_key_that_is_none_is_refused_with_an_example"),
    (
        "forget/survey.rs",
        "set delta.checkpointPolicy = classic",
        "a_checkpoint_in_several_files_is_refused_until_it_has_expired",
    ),
    (
        "forget/survey.rs",
        "let dmslake maintain delete what has expired",
        "versions_without_the_key_columns_are_refused_until_they_have_expired",
    ),
    ("forget/mod.rs", "remedy", "a_table_at_which_a_job_is_at_work_waits_for_it"),
    (
        "forget/claim.rs",
        "wait until it is done; or",
        "one_forgets_at_a_time_and_who_died_is_waited_for_an_hour",
    ),
    (
        "table/lake_table.rs",
        "dmslake forget TABLE with the same keys",
        "a_version_that_counts_other_rows_is_counted_anew_by_forgetting_again",
    ),
    (
        "table/as_of.rs",
        "choose a version that dmslake history shows",
        "queries_that_cannot_be_run_are_refused_with_a_way_on",
    ),
    (
        "inspect/replay/extent.rs",
        "choose a later version, or an object",
        "versions_that_are_not_there_are_refused_with_a_way_on",
    ),
    (
        "inspect/replay/extent.rs",
        "dmslake apply --table",
        "versions_that_are_not_there_are_refused_with_a_way_on",
    ),
    (
        "inspect/verify/declared.rs",
        "set keys and rename of the table as the source has them now",
        "a_key_that_is_not_unique_at_the_source_is_refused",
    ),
    (
        "inspect/verify/declared.rs",
        "verify against staging, without --mysql",
        "a_key_that_is_not_unique_at_the_source_is_refused",
    ),
    (
        "inspect/verify/declared.rs",
        "name all columns of a unique key in keys; or verify",
        "a_key_that_is_not_unique_at_the_source_is_refused",
    ),
    (
        "inspect/verify/source.rs",
        "give --mysql the server that DMS reads",
        "a_key_that_is_not_unique_at_the_source_is_refused",
    ),
    (
        "inspect/verify/counting.rs",
        "correct the key, such as a zero date",
        "a_key_that_the_lake_cannot_have_is_refused",
    ),
    (
        "inspect/verify/saved.rs",
        "give --resume a file of its own",
        "an_interrupted_verification_goes_on_behind_the_last_range",
    ),
    (
        "inspect/verify/against_mysql.rs",
        "verify it against staging, without --mysql",
        "a_table_without_keys_is_compared_by_whole_rows",
    ),
    (
        "inspect/verify/mod.rs",
        "dmslake apply --table",
        "what_is_equal_different_or_undecided_is_told_and_the_exit_code_follows",
    ),
    (
        "inspect/verify/mod.rs",
        "choose one of: dmslake history",
        "at_an_object_the_version_that_took_it_in_is_compared",
    ),
    (
        "metrics/prometheus.rs",
        "name another file, or remove this one",
        "a_file_that_is_no_metrics_file_is_left",
    ),
    (
        "metrics/otlp.rs",
        "write {HEADERS} as name=value",
        "headers_that_cannot_be_read_are_told_and_fail_nothing",
    ),
    (
        "pipeline/job/format.rs",
        "run driver and tasks of a job with the same dmslake",
        "a_task_of_another_program_is_refused_for_good",
    ),
    (
        "maintenance/retention.rs",
        "set delta.deletedFileRetentionDuration of the table to a day or more",
        "what_takes_longer_than_files_are_kept_is_not_committed",
    ),
    (
        "cli/job/engine.rs",
        "give it a line that dmslake job drive has written",
        "a_task_of_another_program_is_refused_for_good",
    ),
    ("readers/glue.rs", "create", "glue_that_refuses_or_is_not_there_is_told_once"),
    (
        "readers/glue.rs",
        "give the table another catalog name",
        "an_entry_that_points_elsewhere_is_refused_and_left",
    ),
    ("glue/mod.rs", "permit", "glue_that_refuses_or_is_not_there_is_told_once"),
    (
        "pipeline/job/claim.rs",
        "nothing; what is pending is applied by whoever",
        "a_run_whose_offer_is_gone_or_taken_ends_at_once",
    ),
    ("cli/job.rs", "name that one with --table", "a_claim_is_of_one_table"),
    (
        "cli/job/operated.rs",
        "set job in [hand_over]",
        "a_job_that_is_not_configured_is_not_started",
    ),
    (
        "readers/statements/redshift.rs",
        "choose a shorter name",
        "the_external_table_of_redshift_takes_no_other_tables_name",
    ),
    (
        "change/twice.rs",
        "name all columns of a unique key",
        "a_load_that_holds_a_key_in_rows_that_differ_is_held",
    ),
    ("error.rs", "remedy", "the_bucket_that_was_meant"),
    (
        "pipeline/beginning.rs",
        "stage the missing objects again",
        "a_load_that_has_expired_in_part_is_no_load_to_begin_from",
    ),
    (
        "pipeline/beginning.rs",
        "move the older load objects",
        "objects_that_a_shorter_reload_left_hold_the_table_until_they_are_moved",
    ),
    (
        "pipeline/beginning.rs",
        "move the table's folder back, or have DMS reload the table; if what",
        "a_table_whose_load_has_expired_is_not_begun_anew_from_the_next_change",
    ),
    (
        "pipeline/beginning.rs",
        "move the table's folder back, or have DMS reload the table; if the load",
        "rows_that_were_removed_do_not_come_back_with_the_folder_gone",
    ),
    (
        "pipeline/apply.rs",
        "stop one of the tasks",
        "objects_of_two_tasks_that_take_turns_are_held_and_those_of_one_go_on",
    ),
    (
        "table/refusal.rs",
        "dmslake restore TABLE --version {ours}; or, if files",
        "what_others_did_is_undone",
    ),
    (
        "table/refusal.rs",
        "dmslake restore TABLE --version {ours}; or, to keep",
        "what_others_did_is_undone",
    ),
    (
        "table/refusal.rs",
        "set keys back",
        "keys_that_are_edited_hold_the_table_until_it_is_made_anew",
    ),
    (
        "progress/pending.rs",
        "stage the object again as it was",
        "an_object_that_changed_in_part_is_staged_again_as_it_was",
    ),
    (
        "table/refusal.rs",
        "dmslake rebuild TABLE while",
        "a_table_with_times_as_they_came_for_keys_is_rebuilt",
    ),
    ("progress/record.rs", "upgrade dmslake", "a_commit_record_of_a_newer_format_holds_the_table"),
    (
        "pipeline/reshape.rs",
        "dmslake rebuild TABLE while everything",
        "a_rename_that_is_not_configured_is_reported_as_added_and_gone",
    ),
    ("pipeline/slicer.rs", "{remedy}{own}", "an_object_with_many_bad_rows_may_pass_once"),
    ("pipeline/slicer.rs", "remedy", "a_tinyint_that_is_no_boolean"),
    (
        "pipeline/mass.rs",
        "if the changes are meant",
        "changes_that_delete_most_of_a_table_are_held_and_may_pass_once",
    ),
    (
        "pipeline/suspicion.rs",
        "have DMS load the table",
        "changes_of_rows_that_were_never_inserted_mean_that_a_load_is_missing",
    ),
    ("decode/bounds.rs", "remedy", "a_larger_budget_takes_a_longer_row"),
    (
        "decode/column_checks.rs",
        "give one of them another name",
        "columns_of_one_name_get_another_one",
    ),
    (
        "decode/column_checks.rs",
        "if the object has no header",
        "columns_of_one_name_get_another_one",
    ),
    (
        "decode/column_checks.rs",
        "if the column's type changed",
        "a_type_that_holds_other_values_is_given_and_the_table_rebuilt",
    ),
    (
        "decode/evolution.rs",
        "if a column was renamed at the source",
        "columns_that_come_or_go_hold_where_that_is_configured",
    ),
    (
        "decode/evolution.rs",
        "set on_column_added",
        "columns_that_come_or_go_hold_where_that_is_configured",
    ),
    ("decode/evolution.rs", "set guard", "a_foreign_column_of_sequences_holds_a_guarded_table"),
    ("decode/names.rs", "if they are two columns", "an_object_with_both_names_is_refused"),
    ("decode/column_checks.rs", "list every column of the object", "a_header_is_configured_or_not"),
    (
        "decode/column_checks.rs",
        "{as_one}if it is another column",
        "two_columns_that_differ_by_letter_case",
    ),
    (
        "decode/column_checks.rs",
        "if it was renamed at the source",
        "a_key_that_was_renamed_at_the_source_has_its_layout",
    ),
    ("decode/csv/decode.rs", "OTHER_WIDTH", "two_widths_in_one_object_are_cut_in_two"),
    ("decode/csv/dialect.rs", "set csv_row_delimiter in [dms]", "a_row_delimiter_is_stated"),
    ("decode/csv/dialect.rs", "set csv_row_delimiter =", "a_row_delimiter_is_stated"),
    ("decode/csv/dialect.rs", "if the endpoint writes no header", "a_header_is_configured_or_not"),
    (
        "decode/csv/dialect.rs",
        "stage the object again if it is cut off",
        "a_damaged_object_is_staged_again",
    ),
    ("decode/csv/dialect.rs", "set csv_delimiter", "rows_of_five_million_fields"),
    ("decode/csv/header.rs", "if the endpoint writes no header", "a_header_is_configured_or_not"),
    ("decode/csv/header.rs", "set add_column_name = true", "a_header_is_configured_or_not"),
    ("decode/csv/header.rs", "set add_column_name in [dms]", "a_header_is_configured_or_not"),
    ("decode/csv/shape.rs", "remedy", "a_dropped_column_has_its_layout"),
    ("decode/csv/shape.rs", "{remedy}; {otherwise}", "a_dropped_column_has_its_layout"),
    ("decode/csv/shape.rs", "fix the rows at the source", "a_dropped_column_has_its_layout"),
    ("decode/csv/shape.rs", "set include_op_for_full_load", "whose_a_column_named_op_is_is_said"),
    ("decode/csv/shape.rs", "if columns were added or dropped", "a_dropped_column_has_its_layout"),
    ("staging/identify.rs", "SMALLER_OBJECTS", "objects_of_four_terabytes"),
    (
        "decode/op_column.rs",
        "if the endpoint writes inserts only",
        "changes_without_operation_are_configured",
    ),
    (
        "decode/op_column.rs",
        "if it is a column of the source",
        "whose_a_column_named_op_is_is_said",
    ),
    (
        "decode/op_column.rs",
        "if the source's column was dropped",
        "whose_a_column_named_op_is_is_said",
    ),
    ("decode/parquet/footer.rs", "STAGE_AGAIN", "a_damaged_object_is_staged_again"),
    ("decode/parquet/footer.rs", "STAGE_AGAIN", "a_nested_column_is_staged_again_as_dms_writes_it"),
    ("decode/parquet/read.rs", "OTHER_SEQUENCE", "another_column_is_the_change_sequence"),
    ("decode/sequence.rs", "OTHER_SEQUENCE", "another_column_is_the_change_sequence"),
    ("decode/sequence.rs", "OTHER_SEQUENCE", "another_column_is_the_change_sequence"),
    ("memory.rs", "give the process more memory", "many_bombs_at_once"),
    (
        "staging/survey.rs",
        "turn preserve_transactions off",
        "transaction_ordered_objects_are_moved_out_of_staging",
    ),
    ("staging/object_context.rs", "STAGE_AGAIN", "a_damaged_object_is_staged_again"),
    ("storage.rs", "set staging to the folder", "a_missing_staging_folder_is_not_created"),
    (
        "storage.rs",
        "choose another folder for lake",
        "a_lake_that_would_not_be_found_again_is_refused_before_anything_is_written",
    ),
    ("storage.rs", "write ? as %3F", "a_file_uri_is_a_url"),
    (
        "files/damage.rs",
        "PUT_BACK",
        "a_data_file_that_is_not_what_it_was_holds_its_table_until_it_is_back",
    ),
    (
        "files/damage.rs",
        "PUT_BACK",
        "a_data_file_that_is_not_what_it_was_holds_its_table_until_it_is_back",
    ),
    (
        "table/features/mod.rs",
        "remedy",
        "what_is_not_done_holds_the_table_until_its_remedy_is_carried_out",
    ),
    (
        "table/features/mod.rs",
        "demand::BEGIN_ANEW",
        "what_is_not_done_holds_the_table_until_its_remedy_is_carried_out",
    ),
    (
        "table/features/mod.rs",
        "remedy",
        "what_is_not_done_holds_the_table_until_its_remedy_is_carried_out",
    ),
    ("pipeline/holds.rs", "dmslake resume", "a_paused_table_takes_in_nothing_until_it_is_resumed"),
    (
        "pipeline/holds.rs",
        "stage again what vanished; or",
        "what_is_given_up_is_written_down_and_the_table_goes_on",
    ),
    ("pipeline/holds.rs", "match", "a_truncate_holds_the_table_until_it_is_emptied"),
    ("pipeline/holds.rs", "wait until all of its objects", "a_load_with_a_gap_is_waited_for"),
    (
        "pipeline/holds.rs",
        "nothing: it is applied",
        "a_reload_takes_the_place_of_the_rows_when_the_next_change_shows_that_it_is_complete",
    ),
    (
        "pipeline/operator.rs",
        "dmslake rebuild TABLE to its end",
        "nothing_empties_a_table_that_is_being_rebuilt",
    ),
    (
        "pipeline/beginning.rs",
        "stage the missing objects again, or have DMS reload the table; or",
        "a_reload_with_a_gap_is_not_applied_by_hand_either",
    ),
    ("pipeline/release.rs", "dmslake apply --table", "without_a_table_there_is_no_quarantine"),
    (
        "pipeline/release/order.rs",
        "dmslake apply, which builds it",
        "a_table_that_was_loaded_again_releases_nothing",
    ),
    ("pipeline/restore.rs", "dmslake apply --table", "there_must_be_a_table"),
    ("pipeline/restore.rs", "LATER", "a_version_whose_files_are_deleted_is_none_to_go_back_to"),
    ("pipeline/restore.rs", "LATER", "a_version_whose_files_are_deleted_is_none_to_go_back_to"),
    (
        "pipeline/restore.rs",
        "stage the objects again",
        "what_is_no_longer_staged_is_named_and_not_lost",
    ),
    ("pipeline/operator.rs", "dmslake apply --table", "a_table_that_is_not_there_is_not_rebuilt"),
    (
        "pipeline/rebuild_plan.rs",
        "dmslake apply --table",
        "a_table_that_is_not_there_is_not_rebuilt",
    ),
    (
        "pipeline/rebuild_plan.rs",
        "MIXED",
        "loads_that_times_do_not_tell_apart_are_not_rebuilt_from",
    ),
    (
        "pipeline/rebuild.rs",
        "have DMS reload the table; or",
        "what_is_not_staged_any_more_is_named_and_not_lost",
    ),
    (
        "table/state_object.rs",
        "restore the object",
        "a_state_object_that_cannot_be_read_is_restored_or_removed",
    ),
];

/// The test that carries out the remedy of a kind's disposition, for cases without their own
/// remedy.
fn test_of(kind: ErrorKind) -> Option<&'static str> {
    Some(match kind {
        ErrorKind::Unavailable => "a_short_outage_at_the_beginning_is_no_refusal",
        ErrorKind::Conflict => "two_workers_that_race_at_every_commit_apply_everything_once",
        ErrorKind::Deadline => "a_large_object_is_finished_over_several_short_invocations",
        ErrorKind::MalformedObject => {
            "a_bad_row_holds_at_the_last_good_object_or_goes_to_quarantine"
        }
        ErrorKind::SchemaRefused => "a_dropped_column_has_its_layout",
        ErrorKind::LateObject => "a_late_object_that_is_discarded_never_holds_again",
        ErrorKind::Reload => "changes_of_before_a_reload_are_not_applied_onto_it",
        ErrorKind::Reloading => {
            "a_reload_takes_the_place_of_the_rows_when_the_next_change_shows_that_it_is_complete"
        }
        ErrorKind::VanishedObject => "what_is_given_up_is_written_down_and_the_table_goes_on",
        ErrorKind::Paused => "a_paused_table_takes_in_nothing_until_it_is_resumed",
        ErrorKind::HandedOver => "what_takes_too_long_is_left_to_one_job_and_others_wait_for_it",
        ErrorKind::JobFailed => {
            "a_start_that_is_refused_is_tried_again_later_and_holds_the_table_in_the_end"
        }
        ErrorKind::TableCorrupt => {
            "a_table_that_lacks_a_file_is_made_anew_where_its_folder_is_moved_away"
        }
        ErrorKind::TableRefused => "keys_that_are_edited_hold_the_table_until_it_is_made_anew",
        ErrorKind::StoreRefused => "the_bucket_that_was_meant",
        ErrorKind::Config => "what_a_refusal_says_is_accepted",
        // A bug can only be reported.
        ErrorKind::Internal => return None,
    })
}

const KINDS: [ErrorKind; 17] = [
    ErrorKind::Unavailable,
    ErrorKind::Conflict,
    ErrorKind::Deadline,
    ErrorKind::MalformedObject,
    ErrorKind::SchemaRefused,
    ErrorKind::LateObject,
    ErrorKind::Reload,
    ErrorKind::Reloading,
    ErrorKind::VanishedObject,
    ErrorKind::Paused,
    ErrorKind::HandedOver,
    ErrorKind::JobFailed,
    ErrorKind::TableCorrupt,
    ErrorKind::TableRefused,
    ErrorKind::StoreRefused,
    ErrorKind::Config,
    ErrorKind::Internal,
];

/// Where a remedy is set, and how it begins there.
type Site = (String, String);

#[test]
fn every_remedy_has_its_test() {
    let mut in_sources: Vec<Site> = Vec::new();
    for file in files_below(Path::new("src"), "rs") {
        let name = file.strip_prefix("src").unwrap().display().to_string();
        let text = fs::read_to_string(&file).unwrap();
        let product = text.split("#[cfg(test)]").next().unwrap_or_default();
        let sites = product.split(".with_remedy(").skip(1).map(beginning);
        in_sources.extend(sites.map(|beginning| (name.clone(), beginning)));
    }
    let is_listed =
        |site: &Site, row: &(&str, &str, &str)| site.0 == row.0 && site.1.starts_with(row.1);
    for site in &in_sources {
        let rows = REMEDIES.iter().filter(|row| is_listed(site, row)).count();
        assert!(rows > 0, "no test is listed for the remedy {:?} of {}", site.1, site.0);
    }
    for row in REMEDIES {
        let sites = in_sources.iter().filter(|site| is_listed(site, row)).count();
        assert!(sites > 0, "no remedy of {} begins with {:?}", row.0, row.1);
    }
    assert_eq!(in_sources.len(), REMEDIES.len(), "each has a row of its own");

    let texts = files_below(Path::new("tests"), "rs").into_iter().map(fs::read_to_string);
    let texts: Vec<String> = texts.map(Result::unwrap).collect();
    let of_kinds = KINDS.into_iter().filter_map(test_of);
    let named: BTreeSet<&str> = REMEDIES.iter().map(|row| row.2).chain(of_kinds).collect();
    for test in named {
        let definition = format!("fn {test}() {{");
        assert!(texts.iter().any(|text| text.contains(&definition)), "there is no test {test}");
    }
}

/// The text after the opening parenthesis, or the expression there.
fn beginning(rest: &str) -> String {
    let rest = rest.trim_start();
    let rest = rest.strip_prefix("format!(").unwrap_or(rest).trim_start();
    match rest.strip_prefix('"') {
        Some(text) => text.lines().map(|line| line.trim().trim_end_matches('\\')).collect(),
        None => {
            rest.chars().take_while(|sign| sign.is_alphanumeric() || "_:".contains(*sign)).collect()
        }
    }
}
