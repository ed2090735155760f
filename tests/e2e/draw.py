"""The random choices of a run: the settings of the DMS task, and the merge mode."""

import random
from dataclasses import dataclass

# In seconds, so that a test has many objects.
INTERVAL = 2


@dataclass(frozen=True)
class Settings:
    """Settings of a task and of dmslake."""

    # The endpoint's S3Settings.
    s3: dict
    # Whether a rule adds a change sequence.
    has_sequence: bool
    # Choices for unknown behaviour of DMS.
    uncertain: dict
    task: dict
    merge: str
    has_manifests: bool = False

    def __str__(self):
        shown = {name: value for name, value in self.s3.items() if name != "CdcMaxBatchInterval"}
        return f"{self.merge}, sequence {self.has_sequence}, {shown} {self.uncertain} {self.task}"


def settings(chance: random.Random, merges: list[str]) -> Settings:
    """Draws all settings that affect bytes or names and preserve every value."""
    is_parquet = chance.random() < 0.5
    s3 = {
        "DataFormat": "parquet" if is_parquet else "csv",
        "CompressionType": chance.choice(["NONE", "GZIP"]),
        "IncludeOpForFullLoad": chance.random() < 0.5,
        "TimestampColumnName": chance.choice(["", "dms_ts"]),
        "UseTaskStartTimeForFullLoadTimestamp": chance.random() < 0.5,
        "CdcMaxBatchInterval": INTERVAL,
        # In kilobytes; the smaller one limits objects by size under load.
        "CdcMinFileSize": chance.choice([64, 32_000]),
        "DatePartitionEnabled": chance.random() < 0.3,
        "AddColumnName": chance.random() < 0.5,
    }
    if s3["DatePartitionEnabled"]:
        parts = ["YYYYMMDD", "YYYYMMDDHH", "YYYYMM", "MMYYYYDD", "DDMMYYYY"]
        s3["DatePartitionSequence"] = chance.choice(parts)
        s3["DatePartitionDelimiter"] = chance.choice(["SLASH", "DASH", "UNDERSCORE", "NONE"])
    s3 |= _parquet(chance) if is_parquet else _csv(chance)
    uncertain = {
        "stamp_digits": chance.choice([9, 9, 10, 12]),
        "gz_suffix": chance.random() < 0.5,
        "replay_keeps_sequence": chance.random() < 0.5,
        "single_floats": chance.random() < 0.5,
    }
    if not is_parquet:
        uncertain |= {
            "upper_hex": chance.random() < 0.5,
            "booleans": chance.choice(["0/1", "false/true", "f/t"]),
            "empty_before_images": chance.random() < 0.5,
            "zero_dates": chance.random() < 0.5,
            "all_fraction_digits": chance.random() < 0.5,
        }
    segments = chance.choice([1, 3])
    task = {"FullLoadSettings": {"Segments": segments}} if segments > 1 else {}
    has_sequence, merge = chance.random() < 0.5, chance.choice(merges)
    has_manifests = merge == "copy-on-write"  # no other way of merging goes with them
    return Settings(s3, has_sequence, uncertain, task, merge, has_manifests)


def _parquet(chance: random.Random) -> dict:
    return {
        "ParquetVersion": chance.choice(["PARQUET_1_0", "PARQUET_2_0"]),
        "EncodingType": chance.choice(["rle-dictionary", "plain", "plain-dictionary"]),
        "EnableStatistics": chance.random() < 0.5,
        "RowGroupLength": chance.choice([500, 10_024]),
    }


def _csv(chance: random.Random) -> dict:
    return {
        "CsvDelimiter": chance.choice([",", "|", "\t"]),
        "CsvRowDelimiter": chance.choice(["\n", "\r\n"]),
        "CsvNullValue": chance.choice(["NULL", "\\N"]),
        # In kilobytes: a full load of one object or of several.
        "MaxFileSize": chance.choice([1000, 1_048_576]),
    }
