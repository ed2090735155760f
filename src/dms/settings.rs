//! Those of the endpoint's S3Settings that change the bytes or names of objects, spelled as in
//! Terraform's `aws_dms_s3_endpoint`.

use serde::{Deserialize, Serialize};

/// Settings of a DMS S3 target endpoint, with DMS's own defaults.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "the switches are the endpoint's own")]
pub struct S3Settings {
    /// `csv_delimiter`, one or more characters; default `,`.
    pub csv_delimiter: String,
    /// `csv_row_delimiter`; default a newline.
    pub csv_row_delimiter: String,
    /// Whether `csv_row_delimiter` was set: a default does not settle how an ambiguous object is
    /// read.
    pub csv_row_delimiter_stated: bool,
    /// `csv_null_value`; default `NULL`.
    pub csv_null_value: String,
    /// `csv_no_sup_value` if `use_csv_no_sup_value` is set: the marker of a value that the log did
    /// not supply.
    pub csv_no_sup_value: Option<String>,
    /// `rfc_4180`; default true.
    pub rfc_4180: bool,
    /// `add_column_name`: CSV objects start with a header; default false.
    pub add_column_name: bool,
    /// Whether `add_column_name` was set.
    pub add_column_name_stated: bool,
    /// `include_op_for_full_load`, if set: whether full-load objects carry `Op`, and also change
    /// objects if the endpoint writes only inserts (and updates).
    pub include_op_for_full_load: Option<bool>,
    /// `timestamp_column_name`, if set and not empty.
    pub timestamp_column_name: Option<String>,
    /// Not a setting of DMS: the column that an `AR_H_CHANGE_SEQ` rule adds, if any.
    pub change_seq_column: Option<String>,
    /// Not a setting of DMS: the prefix of before-image columns; `None` if there are none.
    pub before_image_prefix: Option<String>,
    /// `cdc_inserts_only`; default false.
    pub cdc_inserts_only: bool,
    /// `cdc_inserts_and_updates`; default false.
    pub cdc_inserts_and_updates: bool,
    /// `date_partition_enabled`: CDC objects are in date folders; default false.
    pub date_partition_enabled: bool,
    /// `preserve_transactions`: one folder of transaction-ordered objects. Not supported: every
    /// table is refused while it is on.
    pub preserve_transactions: bool,
    /// `add_trailing_padding_character`: strings end in a padding character.
    pub add_trailing_padding_character: bool,
}

impl Default for S3Settings {
    fn default() -> Self {
        Self {
            csv_delimiter: ",".into(),
            csv_row_delimiter: "\n".into(),
            csv_row_delimiter_stated: false,
            csv_null_value: "NULL".into(),
            csv_no_sup_value: None,
            rfc_4180: true,
            add_column_name: false,
            add_column_name_stated: false,
            include_op_for_full_load: None,
            timestamp_column_name: None,
            change_seq_column: None,
            before_image_prefix: Some("BI_".into()),
            cdc_inserts_only: false,
            cdc_inserts_and_updates: false,
            date_partition_enabled: false,
            preserve_transactions: false,
            add_trailing_padding_character: false,
        }
    }
}

impl S3Settings {
    /// Which changes the endpoint leaves out, which no object can show; `None` if it writes every
    /// change.
    #[must_use]
    pub fn what_never_arrives(&self) -> Option<&'static str> {
        if self.cdc_inserts_only {
            Some(
                "the endpoint writes inserts only (cdc_inserts_only): updates and deletes at the \
                 source never arrive, so rows stay as they were inserted",
            )
        } else if self.cdc_inserts_and_updates {
            Some(
                "the endpoint writes inserts and updates only (cdc_inserts_and_updates): deletes \
                 at the source never arrive, so deleted rows stay",
            )
        } else {
            None
        }
    }
}
