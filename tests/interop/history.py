"""Compares Spark's `DESCRIBE HISTORY` with our merges."""

METRICS = {
    "inserted": "numTargetRowsInserted",
    "updated": "numTargetRowsUpdated",
    "deleted": "numTargetRowsDeleted",
}


def describe(session, root) -> dict[int, dict]:
    """Operation and metrics of every version of a table."""
    rows = session.sql(f"DESCRIBE HISTORY delta.`{root}`").collect()
    return {row["version"]: row.asDict() for row in rows}


def faults(session, table) -> list[str]:
    """Descriptions of differences between the history and what the merges did."""
    versions = describe(session, table.root)
    found = []
    for merge in table.merges:
        entry = versions[merge["version"]]
        told = {fate: entry["operationMetrics"].get(name) for fate, name in METRICS.items()}
        counted = {fate: str(merge[fate]) for fate in METRICS}
        # To other writers, a merge that inserts and removes no file is an append.
        removes = any("remove" in action for action in table.commit(merge["version"]))
        operation = "WRITE" if merge["inserted"] and not removes else "MERGE"
        if (entry["operation"], told) != (operation, counted):
            found.append(
                f"{table.name} version {merge['version']}: the history has {entry['operation']} "
                f"{told} instead of {operation} {counted}"
            )
    return found
