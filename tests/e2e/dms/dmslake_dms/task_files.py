"""The task's configuration: files in the form of DMS, or what dmslake recommends."""

import json
from pathlib import Path

from .errors import SettingsError
from .settings import Settings

# As infra/ sets them for an endpoint of its own, but for the interval, for which a person waits here.
ENDPOINT = {
    "S3Settings": {
        "DataFormat": "parquet",
        "ParquetVersion": "parquet-2-0",
        "CompressionType": "gzip",
        "TimestampColumnName": "dms_ts",
        "UseTaskStartTimeForFullLoadTimestamp": True,
        "IncludeOpForFullLoad": True,
        "CdcMaxBatchInterval": 10,
    }
}
TASK = {
    "FullLoadSettings": {"TargetTablePrepMode": "DROP_AND_CREATE"},
    # It would delete objects that are not applied yet.
    "ChangeProcessingDdlHandlingPolicy": {"HandleSourceTableTruncated": False},
}


def _mappings(schema: str) -> dict:
    """All tables of a schema, with before images of keys and a change sequence."""
    everything = {"schema-name": "%", "table-name": "%"}
    # A name, not a pattern.
    name = "".join(f"[{sign}]" if sign in "_%" else sign for sign in schema)
    return {
        "rules": [
            {
                "rule-type": "selection", "rule-id": "1", "rule-name": "tables",
                "rule-action": "include",
                "object-locator": {"schema-name": name, "table-name": "%"},
            },
            {
                "rule-type": "transformation", "rule-id": "2", "rule-name": "key-before-images",
                "rule-target": "column", "rule-action": "add-before-image-columns",
                "object-locator": everything,
                "before-image-def": {"column-prefix": "BI_", "column-filter": "pk-only"},
            },
            {
                "rule-type": "transformation", "rule-id": "3", "rule-name": "change-sequence",
                "rule-target": "column", "rule-action": "add-column",
                "object-locator": everything, "value": "cdc_seq",
                "expression": "$AR_H_CHANGE_SEQ", "data-type": {"type": "string", "length": 50},
            },
        ]
    }  # fmt: skip


def settings(given: dict[str, Path | None], schema: str, state: Path, uncertain: dict) -> Settings:
    """The settings of `mappings`, `endpoint` and `task`, from files or by default. All are written into
    the state folder, for `dmslake init` and for changes."""
    if not given["mappings"] and not schema:
        raise SettingsError(
            "no table is selected: name a schema, as in mysql://…/shop, or rules by --table-mappings"
        )
    used = {"mappings": _mappings(schema), "endpoint": ENDPOINT, "task": TASK}
    used |= {name: _read(path) for name, path in given.items() if path}
    found = Settings.read(used["endpoint"], used["mappings"], used["task"], uncertain)
    for name, members in used.items():
        (state / f"{name}.json").write_text(json.dumps(members, indent=2) + "\n")
    return found


def _read(path: Path) -> dict:
    try:
        members = json.loads(path.read_text())
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise SettingsError(f"{path} is not JSON: {error}") from None
    if not isinstance(members, dict):
        raise SettingsError(f"{path} must have one object of JSON, as AWS prints it")
    return members
