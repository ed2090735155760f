//! How data files are encoded: as the next merge wants to find them, and as every reader of
//! Delta tables can read them.

use parquet::basic::Compression;
use parquet::file::properties::{WriterProperties, WriterVersion};
use parquet::schema::types::ColumnPath;

/// Rows of a row group: few, so that a merge rewrites little around a changed row, and enough
/// for dictionaries and compression to pay.
pub(crate) const ROW_GROUP_ROWS: usize = 128 << 10;

/// Bytes of a row group's rows in memory, after which it ends early: what bounds memory when
/// rows are wide.
pub(crate) const ROW_GROUP_BYTES: usize = 64 << 20;

/// ZSTD makes files a third smaller and takes a little more time, but of the readers that tables are
/// for, Redshift Spectrum's documentation does not name it:
/// <https://docs.aws.amazon.com/redshift/latest/dg/c-spectrum-data-files.html>
const COMPRESSION: Compression = Compression::SNAPPY;

/// Stands before `.parquet` in the name of a data file, by custom of Delta's writers.
pub(super) const COMPRESSION_SUFFIX: &str = "snappy";

/// False positives of a bloom filter on keys: each costs reading the keys of a row group.
const BLOOM_FILTER_FPP: f64 = 0.01;

/// Pages of version 1, statistics and page index for every column. Which columns get a dictionary
/// is not said here: see [`dictionary`](super::dictionary).
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

/// A column's name is one part, dots included.
fn column(name: &str) -> ColumnPath {
    ColumnPath::new(vec![name.to_owned()])
}
