//! How data files are encoded: efficiently for the next merge, and readable for every reader of
//! Delta tables.

use parquet::basic::Compression;
use parquet::file::properties::{WriterProperties, WriterVersion};
use parquet::schema::types::ColumnPath;

/// Rows of a row group: few enough that a merge rewrites little around a changed row, and many
/// enough for dictionaries and compression to pay off.
pub(crate) const ROW_GROUP_ROWS: usize = 128 << 10;

/// A row group ends early after this many bytes in memory. This bounds memory for wide rows.
pub(crate) const ROW_GROUP_BYTES: usize = 64 << 20;

/// ZSTD makes files a third smaller and takes slightly more time, but Redshift Spectrum's
/// documentation does not list it:
/// <https://docs.aws.amazon.com/redshift/latest/dg/c-spectrum-data-files.html>
const COMPRESSION: Compression = Compression::SNAPPY;

/// Precedes `.parquet` in the name of a data file, as is customary for Delta writers.
pub(super) const COMPRESSION_SUFFIX: &str = "snappy";

/// The false positive rate of bloom filters on keys. Each false positive costs reading the keys of
/// a row group.
const BLOOM_FILTER_FPP: f64 = 0.01;

/// Pages of version 1, statistics and page index for every column.
/// [`dictionary`](super::dictionary) decides which columns get a dictionary.
pub(super) fn writer_properties(keys: &[String], bloom_filters: bool) -> WriterProperties {
    let mut properties = WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_compression(COMPRESSION);
    if bloom_filters {
        for key in keys {
            properties = properties
                .set_column_bloom_filter_enabled(column(key), true)
                .set_column_bloom_filter_fpp(column(key), BLOOM_FILTER_FPP)
                .set_column_bloom_filter_max_ndv(column(key), ROW_GROUP_ROWS as u64);
        }
    }
    properties.build()
}

/// The whole name is one path component, even with dots.
fn column(name: &str) -> ColumnPath {
    ColumnPath::new(vec![name.to_owned()])
}
