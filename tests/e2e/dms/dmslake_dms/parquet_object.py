"""Parquet objects, written by Arrow's C++ library, which DMS also uses, judging by its files."""

import io

import pyarrow as pa
import pyarrow.parquet as parquet

from .layout import Field, Row
from .settings import Settings

VERSIONS = {"PARQUET_1_0": "1.0", "PARQUET_2_0": "2.6"}
# The average size of a value, to decide when an object is full before it is encoded.
VALUE_BYTES = 8


class ParquetObject:
    """Rows that are being collected for one object."""

    suffix = ".parquet"

    def __init__(self, fields: list[Field], settings: Settings):
        self.settings = settings
        self.fields = fields
        self.columns: list[list] = [[] for _ in fields]
        self.size = 0
        self.rows = 0

    def add(self, row: Row):
        self.rows += 1
        self.size += VALUE_BYTES * len(self.fields)
        for one, column in zip(self.fields, self.columns):
            value = one.of(row)
            if one.role == "timestamp":
                value = value.strftime("%Y-%m-%d %H:%M:%S.%f")
            elif one.column is not None:
                value = one.column.to_arrow(value, self.settings)
                self.size += len(value) if isinstance(value, str | bytes) else 0
            column.append(value)

    def content(self) -> bytes:
        s3 = self.settings.s3
        types = [one.column.arrow(self.settings) if one.column else pa.string() for one in self.fields]
        schema = pa.schema(
            pa.field(one.name, kind, nullable=one.role != "timestamp")
            for one, kind in zip(self.fields, types)
        )
        arrays = [_array(values, kind) for values, kind in zip(self.columns, types)]
        file = io.BytesIO()
        with parquet.ParquetWriter(
            file,
            schema,
            version=VERSIONS[s3.ParquetVersion],
            compression="gzip" if s3.CompressionType == "GZIP" else "none",
            use_dictionary=s3.EncodingType != "plain",
            data_page_size=s3.DataPageSize,
            dictionary_pagesize_limit=s3.DictPageSizeLimit,
            write_statistics=s3.EnableStatistics,
            # DMS's files contain no Arrow schema.
            store_schema=False,
            allow_truncated_timestamps=True,
        ) as writer:
            writer.write_table(pa.table(arrays, schema=schema), row_group_size=s3.RowGroupLength)
        return file.getvalue()


def _array(values: list, kind: pa.DataType) -> pa.Array:
    if pa.types.is_timestamp(kind):
        # Milliseconds truncate smaller units.
        return pa.array(values, pa.timestamp("us", "UTC")).cast(kind, safe=False)
    return pa.array(values, kind)
