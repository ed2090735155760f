"""The configuration in DMS's format: the members of the endpoint's S3Settings, the table mappings
and the task settings, as the AWS console and CLI export them."""

import json
from dataclasses import dataclass, field, fields
from pathlib import Path

NOT_SUPPORTED = {
    "PreserveTransactions": "objects of several tables in commit order are not written",
    "AddTrailingPaddingCharacter": "no padding is written",
    "GlueCatalogGeneration": "there is no catalog",
}


class SettingsError(Exception):
    """The settings are not supported."""


@dataclass(frozen=True)
class S3Settings:
    """Members that affect bytes or names, with DMS's defaults."""

    DataFormat: str = "csv"
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
        return self.DataFormat == "parquet"

    @staticmethod
    def read(members: dict) -> "S3Settings":
        """Reads an endpoint's S3Settings; members without effect here are ignored."""
        for name, reason in NOT_SUPPORTED.items():
            if members.get(name):
                raise SettingsError(f"{name}: {reason}")
        known = {one.name: one.type for one in fields(S3Settings)}
        chosen = {name: value for name, value in members.items() if name in known}
        if "CompressionType" in chosen:
            chosen["CompressionType"] = chosen["CompressionType"].upper()
        settings = S3Settings(**chosen)
        if settings.DataFormat not in ("csv", "parquet"):
            raise SettingsError(f"DataFormat must be csv or parquet: {settings.DataFormat}")
        return settings


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

    @staticmethod
    def read(members: dict) -> "Uncertain":
        known = {one.name for one in fields(Uncertain)}
        for name in members.keys() - known:
            raise SettingsError(f"unknown switch: {name}; known: {', '.join(sorted(known))}")
        return Uncertain(**members)


@dataclass(frozen=True)
class Rules:
    """Table mappings: the selected tables, and the columns that rules add."""

    # Schema and table patterns, `%` for any text.
    included: tuple = ()
    excluded: tuple = ()
    # Name of the column with `$AR_H_CHANGE_SEQ`.
    change_sequence: str = ""
    before_image_prefix: str = ""
    # Before images only of the key's columns.
    before_image_keys_only: bool = True
    # `sequence` and `before`, in the order of the rules that add them.
    added: tuple = ()

    @staticmethod
    def read(mappings: dict) -> "Rules":
        included, excluded = [], []
        found = {"added": ()}
        for rule in mappings.get("rules", []):
            if rule["rule-type"] == "selection":
                locator = rule["object-locator"]
                pattern = (locator["schema-name"], locator["table-name"])
                (included if rule["rule-action"] == "include" else excluded).append(pattern)
            elif rule["rule-type"] == "transformation":
                Rules._transformation(rule, found)
            else:
                raise SettingsError(f"rule {rule.get('rule-id')}: {rule['rule-type']} is not supported")
        return Rules(tuple(included), tuple(excluded), **found)

    @staticmethod
    def _transformation(rule: dict, found: dict):
        action = rule["rule-action"]
        if action == "add-before-image-columns":
            definition = rule.get("before-image-def", {})
            found["before_image_prefix"] = definition.get("column-prefix", "BI_")
            found["before_image_keys_only"] = definition.get("column-filter") == "pk-only"
            found["added"] += ("before",)
        elif action == "add-column" and rule.get("expression") == "$AR_H_CHANGE_SEQ":
            found["change_sequence"] = rule["value"]
            found["added"] += ("sequence",)
        else:
            raise SettingsError(f"rule {rule.get('rule-id')}: {action} is not supported")


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
    def load(
        endpoint: Path | None, mappings: Path | None, task: Path | None, uncertain: dict
    ) -> "Settings":
        members = json.loads(endpoint.read_text()) if endpoint else {}
        # Nested as in `describe-endpoints`, or bare.
        members = members.get("S3Settings", members)
        rules = json.loads(mappings.read_text()) if mappings else {}
        task = json.loads(task.read_text()) if task else {}
        ddl = task.get("ChangeProcessingDdlHandlingPolicy", {})
        load = task.get("FullLoadSettings", {})
        return Settings(
            S3Settings.read(members),
            Rules.read(rules),
            Uncertain.read(uncertain),
            segments=int(load.get("Segments", 1)),
            handle_truncated=ddl.get("HandleSourceTableTruncated", True),
            prepare=load.get("TargetTablePrepMode", "DROP_AND_CREATE"),
        )
