"""CSV objects."""

import gzip

from .columns import NOT_SUPPLIED, ZERO
from .layout import Field, Row
from .settings import Settings


class CsvObject:
    """Rows that are being collected for one object."""

    def __init__(self, fields: list[Field], settings: Settings):
        self.settings = settings
        self.parts: list[bytes] = []
        self.size = 0
        self.rows = 0
        self.adapt(fields)
        if settings.s3.AddColumnName:
            self._end(self._quoted(one.name) for one in fields)

    def adapt(self, fields: list[Field]):
        """Later rows have these columns."""
        self.fields = fields

    @property
    def suffix(self) -> str:
        is_compressed = self.settings.s3.CompressionType == "GZIP"
        return ".csv.gz" if is_compressed and self.settings.uncertain.gz_suffix else ".csv"

    def add(self, row: Row):
        self.rows += 1
        self._end(self._text(one, one.of(row)) for one in self.fields)

    def content(self) -> bytes:
        content = b"".join(self.parts)
        # Without a timestamp, so that equal rows give equal bytes.
        is_compressed = self.settings.s3.CompressionType == "GZIP"
        return gzip.compress(content, mtime=0) if is_compressed else content

    def _end(self, texts):
        line = self.settings.s3.CsvDelimiter.join(texts) + self.settings.s3.CsvRowDelimiter
        self.parts.append(line.encode())
        self.size += len(self.parts[-1])

    def _text(self, one: Field, value) -> str:
        s3, unsure = self.settings.s3, self.settings.uncertain
        if one.role in ("op", "sequence"):
            return value
        if one.role == "timestamp":
            return value.strftime("%Y-%m-%d %H:%M:%S.%f")
        if value is NOT_SUPPLIED and s3.UseCsvNoSupValue and s3.CsvNoSupValue:
            return s3.CsvNoSupValue
        if value is ZERO and unsure.zero_dates:
            return one.column.to_csv(value, self.settings)
        if value is None or value is ZERO or value is NOT_SUPPLIED:
            is_empty = one.role == "before" and unsure.empty_before_images
            return "" if is_empty else s3.CsvNullValue
        return self._quoted(one.column.to_csv(value, self.settings))

    def _quoted(self, text: str) -> str:
        s3 = self.settings.s3
        needs = s3.Rfc4180 and (
            '"' in text or "\n" in text or "\r" in text
            or s3.CsvDelimiter in text or s3.CsvRowDelimiter in text
        )  # fmt: skip
        return '"' + text.replace('"', '""') + '"' if needs else text
