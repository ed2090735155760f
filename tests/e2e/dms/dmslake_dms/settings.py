"""The configuration in DMS's format: the members of the endpoint's S3Settings, the table mappings
and the task settings, as the AWS console and CLI export them."""

from dataclasses import dataclass, field, fields

from .errors import SettingsError
from .rules import Rules

CHOICES = {
    "DataFormat": ("CSV", "PARQUET"),
    "CompressionType": ("NONE", "GZIP"),
    "ParquetVersion": ("PARQUET_1_0", "PARQUET_2_0"),
    "DatePartitionSequence": ("YYYYMMDD", "YYYYMMDDHH", "YYYYMM", "MMYYYYDD", "DDMMYYYY"),
    "DatePartitionDelimiter": ("SLASH", "DASH", "UNDERSCORE", "NONE"),
}
# AWS prints these characters of delimiters as escapes.
ESCAPES = {"\\n": "\n", "\\r": "\r", "\\t": "\t"}
NOT_SUPPORTED = {
    "AddTrailingPaddingCharacter": "no padding is written",
    "GlueCatalogGeneration": "there is no catalog",
}


@dataclass(frozen=True)
class S3Settings:
    """Members that affect bytes or names, with DMS's defaults."""

    DataFormat: str = "CSV"
    CompressionType: str = "NONE"
    CsvDelimiter: str = ","
    CsvRowDelimiter: str = "\n"
    CsvNullValue: str = "NULL"
    UseCsvNoSupValue: bool = False
    CsvNoSupValue: str = ""
    Rfc4180: bool = True
    AddColumnName: bool = False
    TimestampColumnName: str = ""
    UseTaskStartTimeForFullLoadTimestamp: bool = False
    IncludeOpForFullLoad: bool = False
    CdcInsertsOnly: bool = False
    CdcInsertsAndUpdates: bool = False
    DatePartitionEnabled: bool = False
    DatePartitionSequence: str = "YYYYMMDD"
    DatePartitionDelimiter: str = "SLASH"
    # Changes of all tables in the order of transactions, as CSV in the folder CdcPath.
    PreserveTransactions: bool = False
    CdcPath: str = ""
    # Seconds.
    CdcMaxBatchInterval: float = 60
    # Kilobytes.
    CdcMinFileSize: int = 32_000
    # Kilobytes of a full-load object in CSV.
    MaxFileSize: int = 1_048_576
    ParquetVersion: str = "PARQUET_1_0"
    ParquetTimestampInMillisecond: bool = False
    EncodingType: str = "rle-dictionary"
    DataPageSize: int = 1_024_000
    DictPageSizeLimit: int = 1_024_000
    EnableStatistics: bool = True
    RowGroupLength: int = 10_024

    @property
    def is_parquet(self) -> bool:
        return self.DataFormat == "PARQUET"

    @staticmethod
    def read(members: dict) -> "S3Settings":
        """Reads an endpoint's S3Settings; members without effect here are ignored."""
        for name, reason in NOT_SUPPORTED.items():
            if members.get(name):
                raise SettingsError(f"{name}: {reason}")
        known = {one.name: one.type for one in fields(S3Settings)}
        chosen = {name: value for name, value in members.items() if name in known}
        # The API spells these as the console or in small letters.
        for name in CHOICES.keys() & chosen.keys():
            spelled = chosen[name].upper().replace("-", "_")
            if spelled not in CHOICES[name]:
                allowed = ", ".join(CHOICES[name])
                raise SettingsError(f"{name} is {chosen[name]}, but must be one of {allowed}")
            chosen[name] = spelled
        for name in {"CsvDelimiter", "CsvRowDelimiter"} & chosen.keys():
            for escape, character in ESCAPES.items():
                chosen[name] = chosen[name].replace(escape, character)
        settings = S3Settings(**chosen)
        if settings.PreserveTransactions:
            settings._check_order()
        return settings

    def _check_order(self):
        if not self.CdcPath.strip("/"):
            raise SettingsError("PreserveTransactions needs CdcPath, the folder of its objects")
        for name in ("DatePartitionEnabled", "AddColumnName"):
            if getattr(self, name):
                raise SettingsError(f"PreserveTransactions excludes {name}; set it to false")


@dataclass(frozen=True)
class Uncertain:
    """Choices for unknown behaviour of DMS. The README describes each."""

    # Binary values in Parquet as hexadecimal digits instead of raw bytes.
    hex_in_parquet: bool = False
    # Upper-case hexadecimal digits.
    upper_hex: bool = False
    # False and true: `0/1`, `false/true`, `f/t`.
    booleans: str = "0/1"
    # Columns added by DDL are after those that rules add, until the task restarts.
    added_behind_rules: bool = False
    # A CSV object may contain rows from before and after a change of columns.
    ddl_inside_csv: bool = False
    # Before images that are NULL are empty in CSV, whatever CsvNullValue is.
    empty_before_images: bool = True
    # `.csv.gz` instead of `.csv` for compressed CSV.
    gz_suffix: bool = True
    # Digits of the fraction of a second in the names of change objects.
    stamp_digits: int = 9
    # A change that is written again after a resume keeps its change sequence.
    replay_keeps_sequence: bool = False
    # FLOAT in Parquet as FLOAT instead of DOUBLE.
    single_floats: bool = False
    # Zero dates in CSV as `0000-00-00` instead of NULL.
    zero_dates: bool = False
    # Change objects have `Op` under CdcInsertsAndUpdates.
    op_with_inserts_and_updates: bool = True
    # Fractions of seconds in CSV: always six digits, or those of the column.
    all_fraction_digits: bool = True
    # Under PreserveTransactions the timestamp column is before the names of table and schema.
    timestamp_before_names: bool = False
    # Under PreserveTransactions an object may end within a transaction.
    split_transactions: bool = False

    @staticmethod
    def read(members: dict) -> "Uncertain":
        known = {one.name for one in fields(Uncertain)}
        for name in members.keys() - known:
            known = ", ".join(sorted(known))
            raise SettingsError(f"--uncertain {name} is not known; known: {known}")
        return Uncertain(**members)


@dataclass(frozen=True)
class Settings:
    """The whole configuration."""

    s3: S3Settings = field(default_factory=S3Settings)
    rules: Rules = field(default_factory=Rules)
    uncertain: Uncertain = field(default_factory=Uncertain)
    # Parallel full load: objects of a table in this many segments.
    segments: int = 1
    # A TRUNCATE deletes the table's objects.
    handle_truncated: bool = True
    # What happens to a table's objects before it is loaded: DO_NOTHING leaves them.
    prepare: str = "DROP_AND_CREATE"

    @staticmethod
    def read(endpoint: dict, mappings: dict, task: dict, uncertain: dict) -> "Settings":
        ddl = task.get("ChangeProcessingDdlHandlingPolicy", {})
        load = task.get("FullLoadSettings", {})
        return Settings(
            # Nested as in `describe-endpoints`, or bare.
            S3Settings.read(endpoint.get("S3Settings", endpoint)),
            Rules.read(mappings),
            Uncertain.read(uncertain),
            segments=int(load.get("Segments", 1)),
            handle_truncated=ddl.get("HandleSourceTableTruncated", True),
            prepare=load.get("TargetTablePrepMode", "DROP_AND_CREATE"),
        )
